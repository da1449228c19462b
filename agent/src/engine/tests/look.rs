//! Looking around in real versions, and restoring what was marked in several of them.

use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use store::door::{Clock, FixedClock, SystemClock};

use super::place::{Ears, Place, job, within};
use crate::engine::job::*;
use crate::engine::queue::lock;
use crate::engine::restore::several;
use crate::engine::{look, versions};
use crate::event::{Event, Progress};
use crate::fault::Code;

/// A machine with versions of `src`, a minute apart.
struct Site {
    place: Place,
    run: Run,
    clock: Arc<FixedClock>,
    source: PathBuf,
}

impl Site {
    fn new() -> Self {
        let clock = Arc::new(FixedClock::at(SystemClock::new().now_ms() + 3_600_000));
        let (place, run) = Place::at(Arc::clone(&clock) as Arc<dyn Clock>);
        let source = place.path("src");
        fs::create_dir_all(source.join("docs")).unwrap();
        Self { place, run, clock, source }
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.source.join(name), text).unwrap();
    }

    fn remove(&self, name: &str) {
        fs::remove_file(self.source.join(name)).unwrap();
    }

    fn backup(&self) {
        self.clock.advance(60_000);
        self.place.backup(&self.run, job([&self.source])).unwrap();
    }

    fn path(&self, name: &str) -> Vec<u8> {
        self.source.join(name).as_os_str().as_bytes().to_vec()
    }

    fn ids(&self) -> Vec<String> {
        versions::versions(&self.run, &VersionsJob::default()).unwrap().into_iter().map(|row| row.id).collect()
    }

    /// Three versions: a letter that changes, a scan that goes, a receipt that comes.
    fn three() -> Self {
        let site = Self::new();
        site.write("docs/letter", "dear one");
        site.write("docs/scan", "old scan");
        site.write("docs/same", "same");
        site.backup();
        site.write("docs/letter", "dear both");
        site.remove("docs/scan");
        site.backup();
        site.write("docs/receipt", "ten");
        site.backup();
        site
    }

    fn folder(&self, back: u64, deleted: bool) -> Folder {
        let job = FolderJob { at: At::Latest { back }, dir: self.path("docs"), deleted };
        look::folder(&self.run, &job).unwrap()
    }

    fn take(&self, takes: &[(usize, &[&str])], to: &str) -> TakeJob {
        let ids = self.ids();
        let take = |(version, names): &(usize, &[&str])| Take {
            version: ids[*version].clone(),
            label: format!("v{version}"),
            paths: names.iter().map(|name| self.path(name)).collect(),
        };
        TakeJob { takes: takes.iter().map(take).collect(), to: Some(self.place.path(to)), ..TakeJob::default() }
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.place.path(name)).unwrap()
    }
}

fn names(folder: &Folder) -> Vec<(String, Option<Change>)> {
    folder.rows.iter().map(|row| (String::from_utf8(row.name.to_vec()).unwrap(), row.change)).collect()
}

#[test]
fn a_directory_through_time() {
    let site = Site::three();
    let name = |name: &str, change| (name.to_owned(), change);
    assert_eq!(names(&site.folder(2, false)), [name("letter", None), name("same", None), name("scan", None)]);
    assert_eq!(
        names(&site.folder(1, false)),
        [name("letter", Some(Change::Content)), name("same", None), name("scan", Some(Change::Removed))]
    );
    let newest = site.folder(0, false);
    assert_eq!(names(&newest), [name("letter", None), name("receipt", Some(Change::Added)), name("same", None)]);
    assert_eq!(newest.before.unwrap().sequence, site.folder(1, false).version.sequence);
    let all = site.folder(0, true);
    assert_eq!(all.rows.len(), 4);
    assert_eq!(all.rows[3].gone.as_ref().unwrap().id, site.ids()[0]);

    let of = |name: &str| look::moments(&site.run, &site.path(name)).unwrap();
    let moments = of("docs");
    assert_eq!((moments.changed.len(), moments.versions), (3, 3));
    assert_eq!(of("docs/same").changed.len(), 1);
    let there: Vec<bool> = of("docs/scan").changed.iter().map(|moment| moment.there).collect();
    assert_eq!(there, [true, false]);

    let at = At::Id { prefix: site.ids()[0].clone() };
    let peeked = look::peek(&site.run, &PeekJob { at, path: site.path("docs/scan"), bytes_most: 3 }).unwrap();
    assert_eq!((peeked.bytes.as_slice(), peeked.size, peeked.text), (&b"old"[..], 8, true));
}

#[test]
fn marks_of_two_versions_are_one_restore() {
    let site = Site::three();
    let job = site.take(&[(0, &["docs/scan"]), (2, &["docs/letter", "docs/receipt"])], "out");
    let plan = several::plan(&site.run, &job).unwrap();
    assert_eq!((plan.files, plan.bytes, plan.replaced, plan.kept), (3, 20, 0, 0));
    assert!(plan.fits() && plan.free_bytes.is_some() && !plan.target_exists);
    assert!(!site.place.path("out").exists(), "a plan writes nothing");
    let last = Arc::new(Mutex::new(Progress::default()));
    let heard = Arc::clone(&last);
    let watcher = Ears::with(move |event| {
        if let Event::Progress(progress) = event {
            let mut last = lock(&heard);
            assert!(progress.files_done >= last.files_done, "progress goes forward");
            *last = **progress;
        }
    });
    let run = Run { watcher, ..site.run.clone() };
    let done = within(move || several::take(&run, &job)).unwrap();
    assert_eq!((done.all.files_restored, done.parts.len(), done.all.errors), (3, 2, 0));
    let last = *lock(&last);
    assert_eq!((last.files_done, last.files_total, last.bytes_total), (3, Some(3), Some(20)));
    assert_eq!(site.read("out/scan"), "old scan");
    assert_eq!(site.read("out/letter"), "dear both");

    // Once more, with something else in the way: it stays, and the plan says so.
    fs::write(site.place.path("out/letter"), "mine").unwrap();
    let again = TakeJob { overwrite: Overwrite::Never, ..site.take(&[(0, &["docs/letter"])], "out") };
    let plan = several::plan(&site.run, &again).unwrap();
    assert_eq!((plan.files, plan.kept, plan.target_exists), (0, 1, true));
    several::take(&site.run, &again).unwrap();
    assert_eq!(site.read("out/letter"), "mine");
    let over = TakeJob { overwrite: Overwrite::Always, ..again };
    let plan = several::plan(&site.run, &over).unwrap();
    assert_eq!((plan.files, plan.replaced), (1, 1));
    let done = several::take(&site.run, &over).unwrap();
    assert_eq!((done.all.files_restored, done.all.files_replaced), (1, 1));
    assert_eq!(site.read("out/letter"), "dear one");
}

#[test]
fn two_states_of_one_file_stand_beside_each_other() {
    let site = Site::three();
    let job = site.take(&[(0, &["docs/letter"]), (1, &["docs/letter"])], "out");
    assert_eq!(several::plan(&site.run, &job).unwrap().layout, Layout::Versions);
    several::take(&site.run, &job).unwrap();
    let below = String::from_utf8(site.path("docs/letter")).unwrap();
    assert_eq!(site.read(&format!("out/v0{below}")), "dear one");
    assert_eq!(site.read(&format!("out/v1{below}")), "dear both");
}

#[test]
fn who_goes_on_is_not_kept_waiting() {
    let site = Site::three();
    let run = site.run.clone();
    run.stop.ask(2);
    let dir = site.path("docs");
    let job = FolderJob { dir: dir.clone(), deleted: true, ..FolderJob::default() };
    assert_eq!(look::folder(&run, &job).unwrap_err().code, Code::Interrupted);
    assert_eq!(look::moments(&run, &dir).unwrap_err().code, Code::Interrupted);
    let take = site.take(&[(0, &["docs"])], "out");
    assert_eq!(several::take(&run, &take).unwrap_err().code, Code::Interrupted);
    assert!(!site.place.path("out").exists());
    let sought = Sought { pattern: "*".into(), ..Sought::default() };
    let found = crate::engine::find::find(&run, &FindJob { sought, ..FindJob::default() }, &mut |_| Ok(()));
    assert_eq!(found.unwrap_err().code, Code::Interrupted);
}
