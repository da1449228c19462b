//! Any version can be had back, whatever came after it, and what is taken back can be taken back itself.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use proptest::prelude::*;
use store::door::{Clock, FixedClock, SystemClock};
use store::tree::Kind;

use super::person::Nobody;
use super::place::{Place, Tree, job, noise, tree, within};
use crate::engine::job::*;
use crate::engine::{find, past, undelete, undo};
use crate::fault::Code;

/// Something done to a tree: what, where, and how.
type Edit = (u8, usize, u64);

const NAMES: [&str; 7] = ["a", "b", "dir/a", "dir/c", "dir/deep/er/x", "dir/deep/y", "other/z"];

/// Does it; what cannot be done is not.
fn edit(top: &Path, (what, place, how): Edit) {
    let path = top.join(NAMES[place % NAMES.len()]);
    let write = |len| {
        fs::create_dir_all(path.parent().unwrap()).unwrap_or_default();
        fs::write(&path, noise(how, len)).unwrap_or_default();
    };
    match what % 7 {
        0 => write(usize::try_from(how % 60).unwrap()),
        1 => write(usize::try_from(how % 300_000).unwrap()),
        2 => fs::remove_file(&path).unwrap_or_default(),
        3 => fs::remove_dir_all(path.parent().filter(|dir| *dir != top).unwrap_or(&path)).unwrap_or_default(),
        4 => fs::set_permissions(&path, fs::Permissions::from_mode(0o600 | u32::try_from(how % 8).unwrap()))
            .unwrap_or_default(),
        5 => fs::rename(&path, top.join(format!("moved-{}", how % 3))).unwrap_or_default(),
        _ => symlink(format!("to-{how}"), &path).unwrap_or_default(),
    }
}

/// A machine with versions of `src`, a minute apart.
struct Past {
    place: Place,
    run: Run,
    clock: Arc<FixedClock>,
    source: PathBuf,
    /// What the source was when each version was made.
    trees: Vec<Tree>,
    versions: Vec<VersionRow>,
}

impl Past {
    fn new(rounds: &[Vec<Edit>]) -> Self {
        let clock = Arc::new(FixedClock::at(SystemClock::new().now_ms() + 3_600_000));
        let (place, run) = Place::at(Arc::clone(&clock) as Arc<dyn Clock>);
        let source = place.path("src");
        fs::create_dir(&source).unwrap();
        let mut past = Self { place, run, clock, source, trees: Vec::new(), versions: Vec::new() };
        for edits in rounds {
            edits.iter().for_each(|one| edit(&past.source, *one));
            past.backup();
        }
        past
    }

    fn backup(&mut self) {
        self.clock.advance(60_000);
        let job = BackupJob { accept_deletions: true, ..job([&self.source]) };
        self.place.backup(&self.run, job).unwrap();
        self.trees.push(tree(&self.source));
        self.versions = crate::engine::versions::versions(&self.run, &VersionsJob::default()).unwrap();
    }

    fn newest(&self) -> Tree {
        self.place.restored(&self.run, &self.source)
    }

    fn bytes(&self, below: &Path) -> Vec<u8> {
        self.source.join(below).as_os_str().as_bytes().to_vec()
    }

    fn run_in<T: Send + 'static>(&self, work: impl FnOnce(&Run) -> T + Send + 'static) -> T {
        let run = self.run.clone();
        within(move || work(&run))
    }
}

fn rounds() -> impl Strategy<Value = Vec<Vec<Edit>>> {
    prop::collection::vec(prop::collection::vec((any::<u8>(), any::<usize>(), any::<u64>()), 1..6), 2..7)
}

/// Without `path` and what was in it.
fn without(tree: &Tree, path: &Path) -> BTreeSet<PathBuf> {
    tree.keys().filter(|key| !key.starts_with(path)).cloned().collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, max_shrink_iters: 40, ..ProptestConfig::default() })]

    #[test]
    fn every_version_can_be_had_back(rounds in rounds()) {
        let past = Past::new(&rounds);
        let count = past.versions.len();
        for (k, (expected, version)) in past.trees.iter().zip(&past.versions).enumerate() {
            let back = (count - 1 - k) as u64;
            for at in [
                At::Latest { back },
                At::Moment { ms: version.received_at_ms },
                At::Moment { ms: version.received_at_ms + 59_999 },
                At::Id { prefix: version.id[..12].to_owned() },
            ] {
                prop_assert!(past.place.restored_at(&past.run, &past.source, at.clone()) == *expected, "{k} by {at:?}");
            }
        }
    }

    #[test]
    fn what_is_taken_back_can_be_taken_back(rounds in rounds(), k in any::<usize>(), which in any::<usize>()) {
        let past = Past::new(&rounds);
        let count = past.versions.len();
        let last = past.trees.last().unwrap();
        // Back to any version, and back again.
        let to = At::Id { prefix: past.versions[k % count].id.clone() };
        let done = past.run_in(move |run| undo::rollback(run, &RollbackJob { to, dry_run: false })).unwrap();
        prop_assert!(past.newest() == past.trees[k % count]);
        let to = At::Id { prefix: done.before_id };
        past.run_in(move |run| undo::rollback(run, &RollbackJob { to, dry_run: false })).unwrap();
        prop_assert!(past.newest() == *last);
        // Without any path, and with it again.
        let paths: Vec<&PathBuf> = last.keys().filter(|path| !path.as_os_str().is_empty()).collect();
        if let Some(path) = paths.get(which % paths.len().max(1)) {
            let bytes = past.bytes(path);
            let (one, two) = (bytes.clone(), bytes);
            past.run_in(move |run| undo::delete(run, &DeleteJob { paths: vec![one], dry_run: false })).unwrap();
            let now = past.newest();
            prop_assert_eq!(now.keys().cloned().collect::<BTreeSet<_>>(), without(last, path));
            prop_assert!(now.iter().all(|(path, thing)| last[path] == *thing), "the rest is as it was");
            past.run_in(move |run| {
                let job = UndeleteJob { paths: vec![two], in_vault: true, ..UndeleteJob::default() };
                undelete::undelete_in_vault(run, &job, &mut |_| Ok(()))
            }).unwrap();
            prop_assert!(past.newest() == *last);
        }
        past.place.check(&past.run);
        // A live source wins, and nothing of it is lost on the way.
        let mut past = past;
        past.backup();
        prop_assert!(past.newest() == past.trees[count - 1]);
    }

    #[test]
    fn history_and_search_know_every_state(rounds in rounds()) {
        let past = Past::new(&rounds);
        let mut ever: BTreeMap<PathBuf, Vec<usize>> = BTreeMap::new();
        for (k, tree) in past.trees.iter().enumerate() {
            for path in tree.keys() {
                ever.entry(path.clone()).or_default().push(k);
            }
        }
        let found = past.run_in(|run| {
            let mut rows = Vec::new();
            let sought = Sought { pattern: "*".into(), ..Sought::default() };
            let job = FindJob { all_versions: true, sought, ..FindJob::default() };
            find::find(run, &job, &mut |row| { rows.push(row); Ok(()) }).unwrap();
            rows
        });
        let newest = past.trees.last().unwrap();
        let paths: BTreeSet<PathBuf> = found.iter().map(|row| PathBuf::from(std::ffi::OsStr::from_bytes(&row.entry.path))
            .strip_prefix(&past.source).unwrap().to_owned()).collect();
        prop_assert_eq!(&paths, &ever.keys().cloned().collect::<BTreeSet<_>>(), "every path there ever was, and no other");
        for row in &found {
            let path = PathBuf::from(std::ffi::OsStr::from_bytes(&row.entry.path));
            prop_assert_eq!(row.deleted, !newest.contains_key(path.strip_prefix(&past.source).unwrap()));
        }
        for (path, at) in &ever {
            // Runs of versions in which a file is the same.
            let same = |a: usize, b: usize| past.trees[a].get(path) == past.trees[b].get(path);
            let starts = at.iter().filter(|k| **k == 0 || !same(**k, **k - 1)).count();
            let bytes = past.bytes(path);
            let job = HistoryJob { path: bytes.clone(), ..HistoryJob::default() };
            let (states, summary) = past.run_in(move |run| {
                let mut rows = Vec::new();
                let summary = past::history(run, &job, &mut |row| { rows.push(row); Ok(()) }).unwrap();
                (rows, summary)
            });
            prop_assert_eq!(states.iter().map(|state| state.versions).sum::<u64>(), at.len() as u64);
            prop_assert_eq!(summary.deleted, !newest.contains_key(path));
            if states.iter().all(|state| state.entry.kind != Kind::Dir) {
                prop_assert_eq!(states.len(), starts, "{:?}", path);
                let distinct: BTreeSet<_> = at.iter().map(|k| format!("{:?}", past.trees[*k][path])).collect();
                let told = found.iter().filter(|row| row.entry.path == bytes).count();
                prop_assert!(told >= distinct.len(), "{path:?}: {told} states found of {distinct:?}");
            }
        }
    }
}

#[test]
fn a_path_that_never_was() {
    let past = Past::new(&[vec![(0, 0, 9)]]);
    let path = past.bytes(Path::new("never"));
    let (one, two, three) = (path.clone(), path.clone(), path);
    let code = |code: Option<Code>| assert_eq!(code, Some(Code::PathNone));
    code(past.run_in(move |run| {
        let job = HistoryJob { path: one, ..HistoryJob::default() };
        past::history(run, &job, &mut |_| Ok(())).err().map(|fault| fault.code)
    }));
    code(
        past.run_in(move |run| {
            undo::delete(run, &DeleteJob { paths: vec![two], dry_run: false }).err().map(|f| f.code)
        }),
    );
    code(past.run_in(move |run| {
        let job = UndeleteJob { paths: vec![three], ..UndeleteJob::default() };
        undelete::undelete(run, &job, &mut |_| Ok(())).err().map(|fault| fault.code)
    }));
}

/// A source in a source, and one of another host: what is deleted goes from where it is, and nowhere else.
#[test]
fn deleting_where_sources_meet() {
    let (place, run) = Place::new();
    let (outer, inner) = (place.path("outer"), place.path("outer/inner"));
    fs::create_dir_all(inner.join("dir")).unwrap();
    for file in ["one", "inner/two", "inner/dir/three"] {
        fs::write(outer.join(file), file).unwrap();
    }
    place.backup(&run, job([&outer, &inner])).unwrap();
    let delete = |path: &Path| {
        let (run, paths) = (run.clone(), vec![path.as_os_str().as_bytes().to_vec()]);
        within(move || undo::delete(&run, &DeleteJob { paths, dry_run: false })).unwrap()
    };
    let names = || {
        let mut rows = Vec::new();
        let job = ListJob { paths: vec![outer.as_os_str().as_bytes().to_vec()], recursive: true, ..ListJob::default() };
        crate::engine::list::list(&run, &job, &mut |row| {
            let path = PathBuf::from(std::ffi::OsStr::from_bytes(&row.path));
            rows.push(path.strip_prefix(&outer).unwrap().to_str().unwrap().to_owned());
            Ok(())
        })
        .unwrap();
        rows
    };
    delete(&inner.join("dir"));
    assert_eq!(names(), ["inner", "inner/two", "one"]);
    // The outer source has it too, under the inner one.
    delete(&inner);
    assert_eq!(names(), ["one"]);
    let bring = UndeleteJob {
        paths: vec![inner.join("dir/three").as_os_str().as_bytes().to_vec()],
        in_vault: true,
        ..UndeleteJob::default()
    };
    let runner = run.clone();
    within(move || undelete::undelete_in_vault(&runner, &bring, &mut |_| Ok(()))).unwrap();
    assert_eq!(names(), ["inner", "inner/dir", "inner/dir/three", "one"]);
    place.check(&run);
}

#[test]
fn a_version_that_came_in_between_is_not_hidden() {
    let past = Past::new(&[vec![(0, 0, 9)], vec![(0, 1, 10)]]);
    let Past { place, run, source, .. } = past;
    fs::write(source.join("late"), b"late").unwrap();
    let before = place.links(&run).len();
    let place = Arc::new(place);
    let (inner, backs_up, from) = (Arc::clone(&place), run.clone(), source.clone());
    let mut asked = run.clone();
    asked.person = Nobody::adding(move || drop(inner.backup(&backs_up, job([&from])).unwrap()));
    let fault = within(move || {
        undo::rollback(&asked, &RollbackJob { to: At::Latest { back: 1 }, dry_run: false }).unwrap_err()
    });
    assert_eq!(fault.code, Code::SourceBusy, "{fault}");
    assert_eq!(place.links(&run).len(), before + 1, "the backup's link, and no other");
    assert!(place.restored(&run, &source) == tree(&source));
}

/// What a rewrite took over from this device's own root is still its own; what it put in is looked at again.
#[test]
fn the_next_backup_reads_what_it_has_to() {
    let past = Past::new(&[(0..7).map(|n| (0, n, 20 + n as u64)).collect()]);
    let Past { place, run, source, .. } = past;
    let all: u64 = tree(&source).values().map(|thing| thing.len()).sum();
    let path = || vec![source.join("a").as_os_str().as_bytes().to_vec()];
    let (deletes, paths) = (run.clone(), path());
    within(move || undo::delete(&deletes, &DeleteJob { paths, dry_run: false })).unwrap();
    let again = place.backup(&run, job([&source])).unwrap();
    assert_eq!((again.read_bytes, again.files_new), (20, 1), "only the file that the version lacked: {again:?}");
    let (deletes, paths) = (run.clone(), path());
    within(move || undo::delete(&deletes, &DeleteJob { paths, dry_run: false })).unwrap();
    let (runner, paths) = (run.clone(), path());
    let bring = UndeleteJob { paths, in_vault: true, ..UndeleteJob::default() };
    within(move || undelete::undelete_in_vault(&runner, &bring, &mut |_| Ok(()))).unwrap();
    let again = place.backup(&run, job([&source])).unwrap();
    assert_eq!((again.read_bytes, again.new_bytes, again.files_unchanged), (all, 0, 7), "{again:?}");
}

#[test]
fn a_clock_that_jumped_ahead_makes_no_file_too_old() {
    use crate::source::{Age, AgeRule, Given};
    const DAY_MS: i64 = 86_400_000;
    let clock = Arc::new(FixedClock::at(SystemClock::new().now_ms() + 3_600_000));
    let (place, run) = Place::at(Arc::clone(&clock) as Arc<dyn Clock>);
    let source = place.path("src");
    fs::create_dir(&source).unwrap();
    (0..3).for_each(|n| fs::write(source.join(format!("{n}")), noise(n, 100)).unwrap());
    let recent = |run: &Run| {
        let mut job = job([&source]);
        let moment_ms = run.clock.now_ms() - 30 * DAY_MS;
        job.sources[0].rules.ages = vec![AgeRule { age: Age::Max, moment_ms, given: Given::new("30d", "--max-age") }];
        job
    };
    place.backup(&run, recent(&run)).unwrap();
    let ahead = Run { clock: Arc::new(FixedClock::at(clock.now_ms() + 365 * DAY_MS)), ..run.clone() };
    let summary = place.backup(&ahead, recent(&ahead)).unwrap();
    assert_eq!((summary.files_removed, summary.files_excluded), (0, 0), "the server knows better");
    // Where both have come so far, they are.
    clock.advance(365 * DAY_MS);
    assert_eq!(place.backup(&run, recent(&run)).unwrap().files_removed, 3);
}
