//! Several clients of one account, and several sources.

use std::fs;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Barrier, Condvar, Mutex};

use store::chain::LinkKind;
use store::door::{Clock, FixedClock, SystemClock};

use super::person::Nobody;
use super::place::{Ears, Place, RESTLESS, job, mixed, noise, over, within};
use crate::engine::account::Account;
use crate::engine::backup::pass::Pace;
use crate::engine::job::{BackupJob, CheckJob, HousekeepJob, PolicyJob, PolicyRow, Run, StdinJob, VersionsJob};
use crate::engine::keys::{recover, words};
use crate::engine::{check, housekeep, retention, versions};
use crate::event::{Event, Phase, Watcher};
use crate::fault::{Code, Exit};

/// Another machine of the same account.
fn joins(place: &Place, ana: &Run, name: &str) -> Run {
    let mut run = place.machine(name);
    run.person = Nobody::with_words(words(ana).unwrap().words.to_string());
    recover(&run).unwrap();
    run
}

/// Paths of the newest version.
pub(super) fn sources(run: &Run) -> Vec<String> {
    let account = Account::open(run).unwrap();
    let newest = account.version_links(false).last().cloned().unwrap();
    let body = account.version_body(&newest).unwrap().unwrap();
    body.sources.iter().map(|source| String::from_utf8(source.path.clone()).unwrap()).collect()
}

fn paths(place: &Place, names: &[&str]) -> Vec<String> {
    names.iter().map(|name| place.path(name).to_str().unwrap().to_owned()).collect()
}

#[test]
fn two_clients_commit_at_the_same_time() {
    let (place, ana) = Place::new();
    let bob = joins(&place, &ana, "bob");
    mixed(&place.path("one"));
    mixed(&place.path("two"));
    fs::write(place.path("two/own"), noise(77, 50_000)).unwrap();
    for round in 0..3 {
        let together = Arc::new(Barrier::new(2));
        let threads: Vec<_> = [(&ana, "one"), (&bob, "two")]
            .into_iter()
            .map(|(run, source)| {
                let (mut run, together, wire) = (run.clone(), Arc::clone(&together), place.wire([]));
                run.watcher = Ears::with(move |event| {
                    if matches!(event, Event::Phase(Phase::Commit)) {
                        together.wait();
                    }
                });
                fs::write(place.path(source).join("new"), noise(round, 10_000)).unwrap();
                let job = job([place.path(source)]);
                std::thread::spawn(move || over(&run, &wire, job, Pace::default()).unwrap())
            })
            .collect();
        within(move || threads.into_iter().for_each(|thread| drop(thread.join().unwrap())));
        assert_eq!(sources(&ana), paths(&place, &["one", "two"]));
    }
    place.prove(&ana, &place.path("one"));
    place.prove(&bob, &place.path("two"));
    assert_eq!(place.links(&ana).iter().filter(|kind| **kind == LinkKind::Version).count(), 6);
}

#[test]
fn the_same_source_twice_is_busy() {
    let (place, mut ana) = Place::new();
    let bob = joins(&place, &ana, "bob");
    mixed(&place.path("src"));
    let gate = Arc::new((Mutex::new((false, false)), Condvar::new()));
    let inner = Arc::clone(&gate);
    ana.watcher = Ears::with(move |event| {
        if matches!(event, Event::Phase(Phase::Commit)) {
            inner.0.lock().unwrap().0 = true;
            inner.1.notify_all();
            drop(inner.1.wait_while(inner.0.lock().unwrap(), |(_, go)| !*go));
        }
    });
    let (wire, task) = (place.wire([]), job([place.path("src")]));
    let first = {
        let (ana, wire) = (ana.clone(), Arc::clone(&wire));
        std::thread::spawn(move || over(&ana, &wire, task, Pace::default()))
    };
    let waiting = Arc::clone(&gate);
    within(move || drop(waiting.1.wait_while(waiting.0.lock().unwrap(), |(here, _)| !*here)));
    let fault = place.backup(&bob, job([place.path("src")])).unwrap_err();
    assert_eq!((fault.code, fault.exit()), (Code::SourceBusy, Exit::Busy), "{fault}");
    gate.0.lock().unwrap().1 = true;
    gate.1.notify_all();
    within(move || first.join().unwrap()).unwrap();
    wire.settle();
    place.backup(&bob, job([place.path("src")])).unwrap();
    place.prove(&bob, &place.path("src"));
}

/// What another device has committed is read again, once, and nothing of it is sent again.
#[test]
fn another_device_believes_its_own_eyes_only() {
    let (place, ana) = Place::new();
    let source = place.path("src");
    let all = mixed(&source);
    place.backup(&ana, job([&source])).unwrap();
    let bob = joins(&place, &ana, "bob");
    let summary = place.backup(&bob, job([&source])).unwrap();
    // Links have no content that is read.
    assert_eq!(summary.read_bytes, all - "../large".len() as u64);
    assert_eq!((summary.new_bytes, summary.files_new, summary.files_changed), (0, 0, 0), "{summary:?}");
    assert_eq!((summary.dirs_unchanged, summary.dirs_changed), (5, 0));
    assert!(summary.sent_bytes < 10_000, "{summary:?}");
    let summary = place.backup(&bob, job([&source])).unwrap();
    assert_eq!(summary.read_bytes, 0);
    place.prove(&bob, &source);
}

#[test]
fn a_partial_version_makes_nobody_believe_what_another_device_saw() {
    let (place, ana) = Place::new();
    let source = place.path("src");
    let all = mixed(&source);
    place.backup(&ana, job([&source])).unwrap();
    let mut bob = joins(&place, &ana, "bob");
    let stop = bob.stop.clone();
    bob.watcher = Ears::with(move |event| {
        if matches!(event, Event::Progress(progress) if progress.files_done > 5) {
            stop.ask(2);
        }
    });
    let wire = place.wire([]);
    let done = over(&bob, &wire, job([&source]), RESTLESS);
    wire.settle();
    bob.stop = Default::default();
    bob.watcher = Arc::new(Ears::default());
    let summary = place.backup(&bob, job([&source])).unwrap();
    if done.is_err() {
        assert_eq!(summary.read_bytes, all - "../large".len() as u64);
    }
    place.prove(&bob, &source);
}

#[test]
fn a_source_named_twice_is_backed_up_once() {
    let (place, run) = Place::new();
    mixed(&place.path("src"));
    let twice = [place.path("src"), place.path("src/")];
    place.backup(&run, job(twice)).unwrap();
    assert_eq!(sources(&run), paths(&place, &["src"]));
}

#[test]
fn standard_input_is_a_source() {
    let (place, run) = Place::new();
    for round in 0..2 {
        let bytes = noise(round, 3_000_000);
        let stdin = StdinJob {
            path: place.path("dump.sql").to_str().unwrap().into(),
            host: "ana".into(),
            reader: Box::new(std::io::Cursor::new(bytes.clone())),
        };
        let job = BackupJob { stdin: Some(stdin), ..job(<[&str; 0]>::default()) };
        let summary = place.backup(&run, job).unwrap();
        assert_eq!(summary.read_bytes, 3_000_000);
        let restored = place.restored(&run, &place.path("dump.sql"));
        assert!(restored.values().next().unwrap().bytes == bytes);
    }
    place.check(&run);
}

#[test]
fn what_was_the_newest_may_go_while_somebody_looks() {
    let clock = Arc::new(FixedClock::at(SystemClock::new().now_ms() + 3_600_000));
    let (place, ana) = Place::at(Arc::clone(&clock) as Arc<dyn Clock>);
    let source = place.path("src");
    mixed(&source);
    let mut reader = joins(&place, &ana, "bob");
    // Its lines do not grow old while days go by.
    reader.clock = Arc::new(FixedClock::at(clock.now_ms()));
    place.backup(&ana, job([&source])).unwrap();
    let counts = [Some(2), Some(0), Some(0), Some(0), Some(0), Some(0)];
    let set = Some(PolicyRow { keep: counts, ..PolicyRow::default() });
    retention::policy(&ana, &PolicyJob { set }).unwrap();
    let follows = {
        let (place, ana, source) = (Arc::new(place), ana.clone(), source.clone());
        move |seed| {
            // Nothing younger than a day goes.
            clock.advance(2 * 86_400_000);
            fs::write(source.join("new"), noise(seed, 10_000)).unwrap();
            place.backup(&ana, job([&source])).unwrap();
            // The backup's own server may have done it.
            let job = HousekeepJob { confirmed: true, ..HousekeepJob::default() };
            housekeep::housekeep(&ana, &job, &mut |_| Ok(())).unwrap();
            assert_eq!(versions::versions(&ana, &VersionsJob::default()).unwrap().len(), 2);
        }
    };

    // Whoever knows a version that was let go since learns it.
    let ears = Arc::new(Ears::default());
    reader.watcher = Arc::clone(&ears) as Arc<dyn Watcher>;
    follows(0);
    let account = Account::open(&reader).unwrap();
    let older = account.version_links(false).remove(0);
    follows(1);
    assert_eq!(account.version_body(&older).unwrap(), None);
    assert_eq!(ears.codes(), []);
    // And whoever builds on it builds on what followed.
    follows(2);
    follows(3);
    let body = account.newest_version().unwrap().unwrap();
    let newest = account.version_links(false).pop().unwrap();
    assert_eq!(Some(body), account.version_body(&newest).unwrap());
    assert_eq!(ears.codes(), []);

    // A check, too, in the middle of which it happens.
    let once = AtomicU64::new(4);
    reader.watcher = Ears::with(move |event| {
        if matches!(event, Event::Phase(Phase::Verify)) {
            follows(once.fetch_add(1, Ordering::Relaxed));
        }
    });
    let mut found = Vec::new();
    check::check(&reader, &CheckJob::default(), &mut |row| {
        found.push(row);
        Ok(())
    })
    .unwrap();
    assert_eq!(found, []);
}
