//! Damage sweeps: on a small vault, bytes are flipped, files cut, emptied, removed and swapped, one at a time. Each time:
//! nothing is restored silently, `check` notices, the next backup heals what its source still has, and then all is well.
//!
//! `TUCKBOX_DAMAGE` says how many cases of each file: a number, or `all` for every byte. Without it a few.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use store::door::RealDisk;
use store::pack::PackReader;

use super::place::{Place, Thing, Tree, job, mixed, noise, tree, within};
use crate::engine::job::{At, CheckJob, Overwrite, RepairJob, RepairRow, RepairSummary, RestoreJob, Run};
use crate::engine::queue::lock;
use crate::engine::{check, repair, restore, versions};
use crate::fault::Result;

/// Cases of flipped bytes for each file when nobody says how many.
const FEW: usize = 6;

/// A vault with three versions of two sources, its machine, and copies of both.
struct Sweep {
    place: Place,
    run: Mutex<Run>,
    sources: [PathBuf; 2],
    trees: [Tree; 2],
}

/// What is done to a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Harm {
    Flip(usize),
    Cut(usize),
    Empty,
    Remove,
    /// With another file of this sort.
    Swap(&'static str),
}

/// What files a vault has.
const SORTS: [&str; 7] = ["pack", "link", "body", "note of an account", "vault.json", "catalog", "lock"];

/// What a sort of files went through: harmed so often, noticed by which check, healed by a backup.
#[derive(Debug, Default)]
struct Tally {
    cases: u32,
    by_closure: u32,
    by_data: u32,
    by_full: u32,
    harmless: u32,
    healed: u32,
    not_healed: u32,
}

pub(super) fn copy(from: &Path, to: &Path) {
    drop(fs::remove_dir_all(to));
    fs::create_dir(to).unwrap();
    fs::set_permissions(to, fs::metadata(from).unwrap().permissions()).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &to);
        } else {
            fs::copy(entry.path(), to).unwrap();
        }
    }
}

/// All files below, with their paths from there.
fn files(at: &Path) -> Vec<PathBuf> {
    let mut out = Vec::new();
    let mut waiting = vec![at.to_owned()];
    while let Some(dir) = waiting.pop() {
        for entry in fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                waiting.push(path);
            } else {
                out.push(path.strip_prefix(at).unwrap().to_owned());
            }
        }
    }
    out.sort();
    out
}

impl Sweep {
    fn new() -> Self {
        let (place, run) = Place::new();
        let sources = [place.path("src"), place.path("other")];
        fs::create_dir_all(sources[0].join("deep")).unwrap();
        for (n, len) in (0..12).zip((700..).step_by(90)) {
            fs::write(sources[0].join(format!("deep/file-{n}")), noise(n, len)).unwrap();
        }
        fs::write(sources[0].join("tiny"), b"in line").unwrap();
        fs::write(sources[0].join("large"), noise(99, 20_000)).unwrap();
        place.backup(&run, job([&sources[0]])).unwrap();
        fs::create_dir(&sources[1]).unwrap();
        fs::write(sources[1].join("one"), noise(200, 3_000)).unwrap();
        fs::write(sources[1].join("two"), b"some words that compress ".repeat(50)).unwrap();
        place.backup(&run, job([&sources[1]])).unwrap();
        fs::write(sources[0].join("deep/new"), noise(201, 2_000)).unwrap();
        place.backup(&run, job(&sources)).unwrap();
        let trees = [tree(&sources[0]), tree(&sources[1])];
        copy(&place.vault(), &place.path("vault-good"));
        copy(&place.path("machine-ana"), &place.path("machine-good"));
        Self { place, run: Mutex::new(run), sources, trees }
    }

    fn run(&self) -> Run {
        lock(&self.run).clone()
    }

    fn reset(&self) {
        let old = self.place.vault();
        let number: u32 = old.file_name().unwrap().to_str().unwrap().trim_start_matches("vault").parse().unwrap_or(0);
        *lock(&self.place.vault) = format!("vault{}", number + 1);
        drop(fs::remove_dir_all(old));
        lock(&self.run).place.vault = self.place.vault().to_str().unwrap().to_owned();
        copy(&self.place.path("vault-good"), &self.place.vault());
        copy(&self.place.path("machine-good"), &self.place.path("machine-ana"));
    }

    fn forget_cache(&self) {
        drop(fs::remove_dir_all(&self.run().folders.cache));
    }

    /// Damage and oddities that a check finds; `None` when it cannot even begin.
    fn check(&self, read_data: bool, full: bool) -> (Option<(u64, u64)>, Vec<String>) {
        let (run, job) = (self.run(), CheckJob { read_data, full, ..CheckJob::default() });
        within(move || {
            let mut found = Vec::new();
            let done = check::check(&run, &job, &mut |row| {
                found.push(row.text);
                Ok(())
            });
            match done {
                Ok(summary) => (Some((summary.damaged, summary.odd)), found),
                Err(fault) => (None, vec![fault.to_string()]),
            }
        })
    }

    /// Restores both sources from the newest version that shows itself. Every file that comes must be the right one;
    /// when one does not come, this must have been said.
    fn restore_is_honest(&self, what: &str) {
        let mut missing = 0;
        let mut told = false;
        for (source, whole) in self.sources.iter().zip(&self.trees) {
            let to = tempfile::tempdir_in(self.place.dir.path()).unwrap();
            match self.restore(source, to.path()) {
                Ok(loud) => told |= loud,
                Err(_) => {
                    told = true;
                    continue;
                }
            }
            let came = to.path().join(source.file_name().unwrap());
            let came: Tree = if came.exists() { tree(&came) } else { BTreeMap::new() };
            for (path, thing) in whole {
                match came.get(path) {
                    None => missing += 1,
                    Some(got) if is_dir(got) && is_dir(thing) => {}
                    Some(got) => assert_eq!(got, thing, "{what}: {path:?} is another"),
                }
            }
            assert!(came.keys().all(|path| whole.contains_key(path)), "{what}");
        }
        assert!(missing == 0 || told, "{what}: {missing} things did not come, and nobody said so");
    }

    /// Whether anything was said that makes the exit status another than 0.
    fn restore(&self, source: &Path, to: &Path) -> Result<bool> {
        let job = RestoreJob {
            at: At::default(),
            paths: vec![source.as_os_str().as_bytes().to_vec()],
            to: Some(to.to_owned()),
            overwrite: Overwrite::Always,
            ..RestoreJob::default()
        };
        let run = self.run();
        let summary = within(move || restore::restore(&run, &job))?;
        Ok(summary.errors + summary.files_skipped + summary.files_damaged > 0 || summary.history_doubtful)
    }

    fn harm(&self, file: &Path, harm: Harm) {
        let path = self.place.vault().join(file);
        let mut bytes = fs::read(&path).unwrap();
        match harm {
            Harm::Flip(at) => bytes[at] ^= 1 << (at % 8),
            Harm::Cut(len) => bytes.truncate(len),
            Harm::Empty => bytes.clear(),
            Harm::Remove => return fs::remove_file(path).unwrap(),
            Harm::Swap(sort) => {
                let others = files(&self.place.vault());
                let other = others.iter().find(|other| *other != file && sort_of(other) == sort);
                if let Some(other) = other {
                    let other = self.place.vault().join(other);
                    let theirs = fs::read(&other).unwrap();
                    fs::write(other, &bytes).unwrap();
                    bytes = theirs;
                }
            }
        }
        fs::write(path, bytes).unwrap();
    }

    /// One case, from a good vault to one that is good again.
    fn case(&self, file: &Path, harm: Harm, tally: &mut Tally) {
        let what = format!("{} {harm:?}", file.display());
        tally.cases += 1;
        self.reset();
        self.harm(file, harm);
        self.forget_cache();
        self.restore_is_honest(&what);

        // Reading has noted what it found: the checks begin anew.
        self.reset();
        self.harm(file, harm);
        let mut noticed = false;
        for (level, (read_data, full)) in [(false, false), (true, false), (true, true)].into_iter().enumerate() {
            let (found, _) = self.check(read_data, full);
            if found != Some((0, 0)) {
                *[&mut tally.by_closure, &mut tally.by_data, &mut tally.by_full][level] += 1;
                noticed = true;
                break;
            }
        }
        if !noticed {
            tally.harmless += 1;
            assert!(may_be_harmless(file), "{what}: nobody notices");
        }
        let backup = || self.place.backup(&self.run(), job(&self.sources)).map(|_| ());
        let (mut healed, mut found, mut texts) = (Ok(()), None, Vec::new());
        // Of two that were swapped one may hide the other: then it takes another look and another backup.
        for _ in 0..if matches!(harm, Harm::Swap(other) if other != sort_of(file)) { 3 } else { 1 } {
            healed = backup();
            (found, texts) = self.check(true, true);
            if found.is_some_and(|(damaged, _)| damaged == 0) {
                break;
            }
        }
        let well = healed.is_ok() && found.is_some_and(|(damaged, _)| damaged == 0);
        if well {
            tally.healed += 1;
            for (source, whole) in self.sources.iter().zip(&self.trees) {
                assert_eq!(&self.place.restored(&self.run(), source), whole, "{what}");
            }
        } else {
            tally.not_healed += 1;
            assert!(!heals(file, harm), "{what}: {healed:?} {texts:?}");
            self.restore_is_honest(&what);
        }
    }
}

fn is_dir(thing: &Thing) -> bool {
    thing.is_dir()
}

/// What a file of a vault is.
fn sort_of(file: &Path) -> &'static str {
    let name = file.file_name().unwrap().to_str().unwrap();
    let extension = file.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
    match extension {
        "pack" => "pack",
        "link" => "link",
        "body" => "body",
        "note" => "note of an account",
        "json" => "vault.json",
        _ if name.starts_with("catalog.db") => "catalog",
        _ => "lock",
    }
}

/// A backup brings back what is in packs, links that the catalog has, and bodies that this machine has. The newest link
/// when it is gone looks like a vault that was rolled back, and bodies of old versions may go rightly.
fn heals(file: &Path, harm: Harm) -> bool {
    let alone = match sort_of(file) {
        "pack" | "catalog" | "lock" => true,
        "link" | "body" => harm != Harm::Remove,
        _ => false,
    };
    let with = match harm {
        Harm::Swap(sort) => sort,
        _ => return alone,
    };
    // Of two that were swapped, both; but what only the catalog still has goes with it.
    let both = [sort_of(file), with];
    alone
        && !["note of an account", "vault.json"].contains(&with)
        && !(both.contains(&"catalog") && ["link", "body"].iter().any(|truth| both.contains(truth)))
}

fn may_be_harmless(file: &Path) -> bool {
    matches!(sort_of(file), "lock" | "catalog" | "vault.json" | "note of an account")
}

/// The harms for a file of this sort and length.
fn cases(sort: &'static str, len: usize) -> Vec<Harm> {
    let few = match std::env::var("TUCKBOX_DAMAGE").as_deref() {
        Ok("all") => usize::MAX,
        Ok(count) => count.parse().unwrap(),
        Err(_) => FEW,
    };
    let stride = (len / few.max(1)).max(1);
    let mut out: Vec<Harm> = (0..len).step_by(stride).map(|at| Harm::Flip(at + (at / stride * 37) % stride)).collect();
    out.retain(|harm| matches!(harm, Harm::Flip(at) if *at < len));
    if len > 0 {
        out.extend([Harm::Cut(len - 1), Harm::Cut(len / 2), Harm::Empty]);
    }
    out.push(Harm::Remove);
    // In the short form with its own sort, and with that whose turn it is.
    let turn = SORTS[len % SORTS.len()];
    out.extend(SORTS.into_iter().filter(|other| few > FEW || [sort, turn].contains(other)).map(Harm::Swap));
    out
}

#[expect(clippy::print_stderr, reason = "the figures of a sweep are for who runs it")]
fn tell(figures: &str) {
    eprintln!("{figures}");
}

fn sweep(sort: &'static str) {
    let sweep = Sweep::new();
    let mut tally = Tally::default();
    for file in files(&sweep.place.path("vault-good")).into_iter().filter(|file| sort_of(file) == sort) {
        let len = fs::metadata(sweep.place.path("vault-good").join(&file)).unwrap().len();
        for harm in cases(sort, usize::try_from(len).unwrap()) {
            sweep.case(&file, harm, &mut tally);
        }
    }
    tell(&format!("{sort}: {tally:?}"));
    assert!(tally.cases > 0 || sort == "lock");
}

#[test]
fn harm_to_packs() {
    sweep("pack");
}

#[test]
fn harm_to_links() {
    sweep("link");
}

#[test]
fn harm_to_bodies() {
    sweep("body");
}

#[test]
fn harm_to_notes_of_accounts() {
    sweep("note of an account");
}

#[test]
fn harm_to_the_vaults_own_file() {
    sweep("vault.json");
}

#[test]
fn harm_to_the_catalog() {
    sweep("catalog");
}

#[test]
fn harm_to_locks() {
    sweep("lock");
}

/// A version of a tree with lost content whose source has changed: it cannot be healed, is committed all the same, is
/// listed with holes, and the next one has none.
#[test]
fn holes_that_nothing_can_fill() {
    let (place, run) = Place::new();
    let (source, other) = (place.path("src"), place.path("other"));
    mixed(&source);
    fs::create_dir(&other).unwrap();
    fs::write(other.join("precious"), noise(300, 5_000)).unwrap();
    place.backup(&run, job([&other])).unwrap();
    let lost: Vec<PathBuf> = files(&place.vault()).into_iter().filter(|file| sort_of(file) == "pack").collect();
    place.backup(&run, job([&source])).unwrap();
    for file in &lost {
        fs::remove_file(place.vault().join(file)).unwrap();
    }
    fs::remove_dir_all(&other).unwrap();
    fs::remove_dir_all(&run.folders.cache).unwrap();
    fs::write(source.join("new"), noise(1, 10_000)).unwrap();
    let summary = place.backup(&run, job([&source])).unwrap();
    assert!(summary.with_holes && summary.healed == 0, "{summary:?}");
    assert_eq!(summary.files_new, 1);
    // Nothing is read again for what this source never had.
    assert!(summary.read_bytes < 20_000, "{summary:?}");
    assert_eq!(place.restored(&run, &source), tree(&source));
    let rows = versions::versions(&run, &Default::default()).unwrap();
    assert!(rows.iter().all(|row| row.holes), "{rows:?}");
    let summary = place.backup(&run, job([&source])).unwrap();
    assert!(summary.with_holes && summary.read_bytes == 0, "{summary:?}");
    // It comes back: the next version is whole.
    fs::create_dir(&other).unwrap();
    fs::write(other.join("precious"), noise(300, 5_000)).unwrap();
    let summary = place.backup(&run, job([&other])).unwrap();
    assert!(!summary.with_holes, "{summary:?}");
    // The old ones need a directory as it was: nobody has it any more.
    let rows = versions::versions(&run, &Default::default()).unwrap();
    assert_eq!(rows.iter().filter(|row| row.holes).count(), rows.len() - 1, "{rows:?}");
    assert_eq!(place.restored(&run, &other), tree(&other));
}

/// A box of a file that is unchanged is lost: only the files that were in it are read again.
#[test]
fn only_what_is_lost_is_read_again() {
    for catalog_too in [false, true] {
        let (place, run) = Place::new();
        let (source, other) = (place.path("src"), place.path("other"));
        mixed(&source);
        fs::create_dir(&other).unwrap();
        fs::write(other.join("one"), noise(400, 9_000)).unwrap();
        fs::write(other.join("two"), noise(401, 9_000)).unwrap();
        place.backup(&run, job([&source, &other])).unwrap();
        fs::write(other.join("three"), noise(402, 8_000)).unwrap();
        let packs = |place: &Place| -> Vec<PathBuf> {
            files(&place.vault()).into_iter().filter(|file| sort_of(file) == "pack").collect()
        };
        let before = packs(&place);
        place.backup(&run, job([&source, &other])).unwrap();
        for file in packs(&place).iter().filter(|file| !before.contains(file)) {
            fs::remove_file(place.vault().join(file)).unwrap();
        }
        if catalog_too {
            for file in files(&place.vault()).iter().filter(|file| sort_of(file) == "catalog") {
                fs::remove_file(place.vault().join(file)).unwrap();
            }
        }
        let summary = place.backup(&run, job([&source, &other])).unwrap();
        assert_eq!((summary.healed_chunks, summary.healed_versions, summary.with_holes), (1, 1, false), "{summary:?}");
        assert!(summary.healed_nodes > 0, "{summary:?}");
        assert!(summary.read_bytes < 9_000, "{summary:?}");
        assert_eq!(summary.files_unchanged, 85 + 3, "{summary:?}");
        assert_eq!(place.restored(&run, &source), tree(&source));
        assert_eq!(place.restored(&run, &other), tree(&other));
        // Nothing is wanted any more.
        let summary = place.backup(&run, job([&source, &other])).unwrap();
        assert_eq!((summary.healed, summary.read_bytes), (0, 0));
    }
}

fn repaired(run: &Run, act: bool) -> (RepairSummary, Vec<RepairRow>) {
    let run = run.clone();
    within(move || {
        let mut rows = Vec::new();
        let summary = repair::repair(&run, RepairJob { act }, &mut |row| {
            rows.push(row);
            Ok(())
        });
        (summary.unwrap(), rows)
    })
}

/// What is bad about a pack and not about its records is set right without the source; nothing is removed.
#[test]
fn a_repair_plans_first_and_loses_nothing_that_can_be_read() {
    let sweep = Sweep::new();
    let good = sweep.place.path("vault-good");
    for file in files(&good).into_iter().filter(|file| sort_of(file) == "pack") {
        let len = usize::try_from(fs::metadata(good.join(&file)).unwrap().len()).unwrap();
        // Header, footer (its magic, a line, an id), trailer; a pack that is cut; one of another name.
        let records = PackReader::open(&RealDisk, &good.join(&file)).unwrap().lines().len() as u64;
        let end =
            usize::try_from(PackReader::open(&RealDisk, &good.join(&file)).unwrap().lines().last().unwrap().end());
        let footer = end.unwrap();
        for (harm, most_lost) in [
            (Harm::Flip(20), 0),
            (Harm::Flip(footer + 1), records),
            (Harm::Flip(footer + 12), 1),
            (Harm::Flip(footer + 70), 1),
            (Harm::Flip(len - 20), 0),
            (Harm::Cut(len - 1), 0),
            (Harm::Cut(len / 2), records),
            (Harm::Swap("pack"), 0),
        ] {
            let what = format!("{} {harm:?}", file.display());
            sweep.reset();
            sweep.harm(&file, harm);
            let before = files(&sweep.place.vault());
            let (plan, rows) = repaired(&sweep.run(), false);
            assert!(plan.steps >= 1 && plan.lost <= most_lost, "{what}: {rows:?}");
            let truth = |all: &[PathBuf]| -> Vec<PathBuf> {
                all.iter().filter(|file| sort_of(file) == "pack").cloned().collect()
            };
            assert_eq!(truth(&files(&sweep.place.vault())), truth(&before), "{what}: a plan changes nothing");
            let bytes = fs::read(sweep.place.vault().join(&file)).unwrap();
            let (done, told) = repaired(&sweep.run(), true);
            assert_eq!((done.steps, done.lost, told), (plan.steps, plan.lost, rows), "{what}");
            let aside = files(&sweep.place.vault().join("aside"));
            let kept = aside.iter().find(|aside| aside.ends_with(file.file_name().unwrap()));
            let kept = kept.unwrap_or_else(|| panic!("{what}: {aside:?}"));
            assert_eq!(fs::read(sweep.place.vault().join("aside").join(kept)).unwrap(), bytes, "{what}");
            if done.lost == 0 && most_lost == 0 {
                let (found, texts) = sweep.check(true, true);
                assert_eq!(found, Some((0, 0)), "{what}: {texts:?}");
            }
            sweep.place.backup(&sweep.run(), job(&sweep.sources)).unwrap();
            let (found, texts) = sweep.check(true, true);
            assert_eq!(found.map(|(damaged, _)| damaged), Some(0), "{what}: {texts:?}");
            assert_eq!(repaired(&sweep.run(), false).0.steps, 0, "{what}");
        }
    }
}
