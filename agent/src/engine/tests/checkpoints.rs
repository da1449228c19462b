//! Runs that end early: asked to, or killed. What was done is kept, and the next run goes on from there.

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use store::chain::LinkKind;

use super::place::{Ears, Place, RESTLESS, job, mixed, noise, over};
use super::wire::Wire;
use crate::engine::backup::pass::Pace;
use crate::engine::job::{At, BackupJob, RestoreJob, Stop, VersionsJob};
use crate::engine::queue::lock;
use crate::engine::restore::restore;
use crate::engine::versions::versions;
use crate::event::{Action, Event};
use crate::fault::Code;

const FILES: u64 = 24;
const FILE_BYTES: u64 = 300_000;
const FILE_LEN: usize = 300_000;

fn many(at: &Path) {
    fs::create_dir_all(at.join("sub")).unwrap();
    for n in 0..FILES {
        let name = if n % 2 == 0 { format!("{n:02}") } else { format!("sub/{n:02}") };
        fs::write(at.join(name), noise(n, FILE_LEN)).unwrap();
    }
}

fn told(job: BackupJob) -> BackupJob {
    BackupJob { list_items: true, ..job }
}

/// Does something once `items` files were told and a checkpoint that knows of them was committed. No other file is
/// told meanwhile.
fn after_checkpoint(items: usize, then: impl Fn() + Send + Sync + 'static) -> Arc<Ears> {
    let seen = AtomicUsize::new(0);
    after_checkpoint_when(move |_| seen.fetch_add(1, Ordering::SeqCst) + 1 == items, then)
}

/// The same once what was told of a file says so.
fn after_checkpoint_when(
    ready: impl Fn(Action) -> bool + Send + Sync + 'static,
    then: impl Fn() + Send + Sync + 'static,
) -> Arc<Ears> {
    let (done, gate) = (Arc::new((Mutex::new(0), Condvar::new())), Mutex::new(()));
    Ears::with(move |event| match event {
        Event::Detail(text) if text.starts_with("checkpoint") => {
            *done.0.lock().unwrap() += 1;
            done.1.notify_all();
        }
        Event::Item { action, .. } => {
            let _one = gate.lock().unwrap();
            if !ready(*action) {
                return;
            }
            let before = *done.0.lock().unwrap();
            let come = |number: usize, ms| {
                let guard = done.0.lock().unwrap();
                let waited = done.1.wait_timeout_while(guard, Duration::from_millis(ms), |now| *now < number);
                !waited.unwrap().1.timed_out()
            };
            // The next one may have begun before; then another comes, unless nothing was read since.
            come(before + 2, 20_000);
            assert!(come(1, 60_000), "no checkpoint comes");
            then();
        }
        _ => {}
    })
}

/// The next run takes over what the partial version has, and sends nothing that was sent.
fn goes_on(place: &Place, run: &crate::engine::job::Run, first: &Arc<Wire>, at_least: u64, resent: u64) {
    let source = place.path("src");
    let mut run = run.clone();
    run.stop = Stop::default();
    run.watcher = Arc::new(Ears::default());
    assert!(place.links(&run).contains(&LinkKind::Partial));
    let wire = place.wire([]);
    let summary = over(&run, &wire, job([&source]), Pace::default()).unwrap();
    wire.settle();
    assert!(summary.files_unchanged >= at_least, "{summary:?}");
    assert_eq!(summary.read_bytes, (FILES - summary.files_unchanged) * FILE_BYTES);
    let sent = first.traffic().0 + wire.traffic().0;
    assert!(sent <= FILES * FILE_BYTES + resent + 200_000, "{sent}");
    place.prove(&run, &source);
    // And then nothing is left to be done.
    let summary = place.backup(&run, job([&source])).unwrap();
    assert_eq!((summary.read_bytes, summary.files_unchanged), (0, FILES));
}

/// After every few files, however small they are.
const COUNTING: Pace = Pace { checkpoint_bytes: u64::MAX, checkpoint_files: 3, ..RESTLESS };

#[test]
fn a_run_that_was_asked_to_end_goes_on_next_time() {
    asked_to_end(RESTLESS);
}

#[test]
fn so_many_files_are_a_checkpoint_too() {
    asked_to_end(COUNTING);
}

fn asked_to_end(pace: Pace) {
    let (place, mut run) = Place::new();
    many(&place.path("src"));
    let stop = run.stop.clone();
    run.watcher = after_checkpoint(10, move || stop.ask(2));
    let wire = place.wire([]);
    let fault = over(&run, &wire, told(job([place.path("src")])), pace).unwrap_err();
    assert_eq!(fault.code, Code::Interrupted, "{fault}");
    assert!(fault.hint.unwrap().contains("what was done is kept"));
    wire.settle();
    goes_on(&place, &run, &wire, 9, 0);
}

#[test]
fn a_run_that_was_killed_goes_on_next_time() {
    let (place, mut run) = Place::new();
    many(&place.path("src"));
    let wire = place.wire([]);
    let line = Arc::clone(&wire);
    run.watcher = after_checkpoint(10, move || {
        line.gone_after.store(0, Ordering::SeqCst);
        line.cut_now();
    });
    over(&run, &wire, told(job([place.path("src")])), RESTLESS).unwrap_err();
    wire.settle();
    // What a checkpoint does not have may only not have been reached.
    let versions = versions(&run, &VersionsJob { partial: true, ..VersionsJob::default() }).unwrap();
    let at = At::Id { prefix: versions.last().filter(|version| version.partial).unwrap().id.clone() };
    let delete = RestoreJob { at, delete: true, to: Some(place.path("src")), ..RestoreJob::default() };
    assert_eq!(restore(&run, &delete).unwrap_err().code, Code::Usage);
    // What was on its way when the line was cut has not been acknowledged.
    goes_on(&place, &run, &wire, 8, 3 << 20);
}

#[test]
fn checkpoints_do_no_harm_to_a_run_that_ends_well() {
    let (place, run) = Place::new();
    many(&place.path("src"));
    let wire = place.wire([]);
    over(&run, &wire, job([place.path("src")]), RESTLESS).unwrap();
    // Once more with everything there already, and something gone and something new.
    fs::remove_file(place.path("src/00")).unwrap();
    fs::write(place.path("src/new"), noise(1000, 400_000)).unwrap();
    let summary = over(&run, &wire, job([place.path("src")]), RESTLESS).unwrap();
    assert_eq!((summary.files_new, summary.files_removed, summary.files_unchanged), (1, 1, FILES - 1));
    wire.settle();
    place.prove(&run, &place.path("src"));
}

/// Asked to end at every kind of moment.
#[test]
fn a_run_may_be_asked_to_end_at_any_moment() {
    for moment in [0, 1, 2, 3, 5, 8, 13, 21, 34, 55, 70, 80, 85, 88, 90] {
        let (place, mut run) = Place::new();
        let source = place.path("src");
        mixed(&source);
        let (stop, count) = (run.stop.clone(), AtomicUsize::new(0));
        run.watcher = Ears::with(move |event| {
            let counts = matches!(event, Event::Item { .. } | Event::Phase(_));
            if counts && count.fetch_add(1, Ordering::SeqCst) == moment {
                stop.ask(2);
            }
        });
        let wire = place.wire([]);
        let done = over(&run, &wire, told(job([&source])), RESTLESS);
        wire.settle();
        run.stop = Stop::default();
        run.watcher = Arc::new(Ears::default());
        if let Err(fault) = done {
            assert_eq!(fault.code, Code::Interrupted, "{fault}");
            let kept = fault.hint.unwrap().contains("what was done is kept");
            assert_eq!(place.links(&run).contains(&LinkKind::Partial), kept);
            assert!(kept || moment < 4, "nothing was kept at {moment}");
        }
        place.backup(&run, job([&source])).unwrap();
        place.prove(&run, &source);
    }
}

/// Asked to end, or cut off, in a second run that takes much over.
#[test]
fn a_later_run_may_end_early_too() {
    for moment in [3, 10, 30] {
        for dies in [false, true] {
            let (place, mut run) = Place::new();
            let source = place.path("src");
            mixed(&source);
            place.backup(&run, job([&source])).unwrap();
            for n in 0..40 {
                fs::write(source.join(format!("deep/er/noise-{n}")), noise(n + 500, 4_000)).unwrap();
            }
            fs::remove_dir_all(source.join("empty")).unwrap();
            fs::remove_file(source.join("small-7")).unwrap();
            let wire = place.wire([]);
            let (stop, count, line) = (run.stop.clone(), AtomicUsize::new(0), Arc::clone(&wire));
            run.watcher = Ears::with(move |event| {
                if matches!(event, Event::Item { .. }) && count.fetch_add(1, Ordering::SeqCst) == moment {
                    if dies {
                        line.gone_after.store(0, Ordering::SeqCst);
                        line.cut_now();
                    } else {
                        stop.ask(15);
                    }
                }
            });
            // So few files may all have been read by then.
            drop(over(&run, &wire, told(job([&source])), RESTLESS));
            wire.settle();
            run.stop = Stop::default();
            run.watcher = Arc::new(Ears::default());
            place.backup(&run, job([&source])).unwrap();
            place.prove(&run, &source);
        }
    }
}

/// A tree of 150 letters and one more file, of which there is a version, and what a run is to find new: noise that keeps
/// it busy for a while.
pub(super) fn letters(place: &Place, run: &crate::engine::job::Run) -> std::path::PathBuf {
    let source = place.path("src");
    fs::create_dir_all(source.join("sub")).unwrap();
    for n in 0..LETTERS {
        fs::write(source.join(format!("sub/letter-{n:03}")), format!("letter {n} ").repeat(400)).unwrap();
    }
    fs::write(source.join("sub/keep"), "kept").unwrap();
    place.backup(run, job([&source])).unwrap();
    for n in 0..FILES {
        fs::write(source.join(format!("sub/z-{n:02}")), noise(n, FILE_LEN)).unwrap();
    }
    source
}

pub(super) const LETTERS: u64 = 150;

/// A run that ends early once all letters and eight new files were told, behind a checkpoint: by being asked to, or
/// killed. And another one that is asked to end as soon as it begins.
pub(super) fn end_early(place: &Place, run: &crate::engine::job::Run, source: &Path, dies: bool) {
    let mut run = run.clone();
    run.stop = Stop::default();
    let (stop, wire) = (run.stop.clone(), place.wire([]));
    let line = Arc::clone(&wire);
    let seen = Mutex::new((0, 0, false));
    let ready = move |action| {
        let (new, letters, told) = &mut *seen.lock().unwrap();
        *(if action == Action::Added { &mut *new } else { &mut *letters }) += 1;
        // They come first; but a machine may be so busy that most others do.
        let first = !*told && *new >= 8 && (*letters >= LETTERS || *new >= FILES - 4);
        *told |= first;
        first
    };
    run.watcher = after_checkpoint_when(ready, move || {
        if dies {
            line.gone_after.store(0, Ordering::SeqCst);
            line.cut_now();
        } else {
            stop.ask(15);
        }
    });
    over(&run, &wire, told(job([source])), RESTLESS).unwrap_err();
    wire.settle();
    run.stop = Stop::default();
    let (stop, wire) = (run.stop.clone(), place.wire([]));
    run.watcher = Ears::with(move |event| {
        if matches!(event, Event::Item { .. }) {
            stop.ask(15);
        }
    });
    over(&run, &wire, told(job([source])), RESTLESS).unwrap_err();
    wire.settle();
    run.watcher = Arc::new(Ears::default());
    let partials = place.links(&run).into_iter().filter(|kind| *kind == LinkKind::Partial);
    assert!(partials.count() >= 2);
}

#[test]
fn what_was_gone_before_a_run_ended_early_is_not_decided_by_that() {
    for dies in [false, true] {
        let (place, run) = Place::new();
        let source = letters(&place, &run);
        let before = super::place::tree(&source);
        (0..LETTERS).for_each(|n| fs::remove_file(source.join(format!("sub/letter-{n:03}"))).unwrap());
        end_early(&place, &run, &source, dies);
        let summary = place.backup(&run, job([&source])).unwrap();
        assert_eq!((summary.sources_guarded, summary.files_removed), (1, 0), "dies: {dies}, {summary:?}");
        assert!(summary.read_bytes <= (FILES - 6) * FILE_BYTES, "what was read is not read again: {summary:?}");
        let restored = place.restored(&run, &source);
        assert!(before.keys().all(|path| restored.contains_key(path)), "dies: {dies}");
        // With the word of a person they go.
        let accepted = BackupJob { accept_deletions: true, ..job([&source]) };
        let summary = place.backup(&run, accepted).unwrap();
        assert_eq!((summary.sources_guarded, summary.files_removed, summary.read_bytes), (0, LETTERS, 0));
        place.prove(&run, &source);
    }
}

#[test]
fn what_was_rewritten_before_a_run_ended_early_is_as_suspicious() {
    for dies in [false, true] {
        let (place, run) = Place::new();
        let source = letters(&place, &run);
        let whole = place.links(&run).iter().position(|kind| *kind == LinkKind::Version).unwrap() as u64 + 1;
        for n in 0..LETTERS {
            fs::write(source.join(format!("sub/letter-{n:03}")), noise(n + 500, 4_000)).unwrap();
        }
        end_early(&place, &run, &source, dies);
        let ears = Arc::new(Ears::default());
        let run = crate::engine::job::Run { watcher: Arc::clone(&ears) as _, ..run };
        let summary = place.backup(&run, job([&source])).unwrap();
        assert_eq!((summary.sources_suspicious, summary.pinned_sequence), (1, Some(whole)), "dies: {dies}");
        assert_eq!((summary.files_changed, summary.files_new), (LETTERS, FILES), "told against the version before");
        assert!(summary.read_bytes <= (FILES - 6) * FILE_BYTES, "{summary:?}");
        let told = ears.warnings.lock().unwrap().clone();
        assert!(told.iter().any(|told| told.to_string().contains("150 of them look encrypted")), "{told:?}");
        place.prove(&run, &source);
    }
}

/// A line that hardly carries anything any more.
fn stuck(place: &Place) -> Arc<Wire> {
    let wire = place.wire([]);
    *lock(&wire.even) = Some(super::wire::Even { lines: 2, bytes: u64::MAX });
    wire
}

#[test]
fn nothing_is_done_before_it_is_sent() {
    let (place, mut run) = Place::new();
    fs::create_dir(place.path("src")).unwrap();
    for n in 0..3 {
        fs::write(place.path("src").join(n.to_string()), noise(n, 2_000_000)).unwrap();
    }
    let heard = Arc::new(Mutex::new(Vec::new()));
    let ears = Arc::clone(&heard);
    run.watcher = Ears::with(move |event| {
        if let Event::Progress(progress) = event {
            lock(&ears).push((progress.bytes_done, progress.sent_bytes));
        }
    });
    let wire = place.wire([]);
    let pace = Pace { tell_ms: 1, ..Pace::default() };
    over(&run, &wire, job([place.path("src")]), pace).unwrap();
    wire.settle();
    let heard = lock(&heard);
    // Noise does not become smaller, and other messages are sent, too.
    let lies: Vec<_> = heard.iter().filter(|(done, sent)| done > sent).collect();
    assert!(lies.is_empty(), "{lies:?}");
    assert!(heard.last().unwrap().0 > 5_800_000, "{:?}", heard.last());
}

#[test]
fn a_run_that_was_asked_to_end_says_so_and_ends_on_a_slow_line_too() {
    let (place, mut run) = Place::new();
    fs::create_dir(place.path("src")).unwrap();
    for n in 0..3 {
        fs::write(place.path("src").join(n.to_string()), noise(n, 2_000_000)).unwrap();
    }
    let (stop, notes) = (run.stop.clone(), Arc::new(Mutex::new(Vec::new())));
    let ears = Arc::clone(&notes);
    run.watcher = Ears::with(move |event| match event {
        Event::Progress(progress) if progress.files_done == 3 => stop.ask(15),
        Event::Note(text) => lock(&ears).push((*text).to_owned()),
        _ => {}
    });
    let wire = stuck(&place);
    let fault = over(&run, &wire, job([place.path("src")]), Pace { ending_ms: 0, ..RESTLESS }).unwrap_err();
    assert_eq!(fault.code, Code::Interrupted, "{fault}");
    assert!(fault.hint.as_ref().unwrap().contains("goes on"), "{fault:?}");
    assert_eq!(*lock(&notes), ["ending: what was read is still sent, for a while; once more to stop now"]);
    wire.cut_now();
    wire.settle();
    run.stop = Stop::default();
    run.watcher = Arc::new(Ears::default());
    let wire = place.wire([]);
    over(&run, &wire, job([place.path("src")]), Pace::default()).unwrap();
    wire.settle();
    place.prove(&run, &place.path("src"));
}
