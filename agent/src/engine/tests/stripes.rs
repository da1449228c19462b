//! Uploads over several connections, some of which are refused or lost.

use std::io::Read;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};

use store::door::{Chance, ConstantChance};
use transport::{Carrier, Error, Pipe};

use super::place::{Ears, PATIENT, Place, within};
use super::trick_disk::TrickDisk;
use super::wire::{Cut, Even, Wire};
use crate::engine::backup::backup_over;
use crate::engine::backup::pass::Pace;
use crate::engine::connect::Connector;
use crate::engine::dump::dump;
use crate::engine::job::*;
use crate::engine::queue::lock;
use crate::event::Event;
use crate::fault::Result;

/// What a source gives at most: something is wrong when that is not enough.
const ENOUGH_BYTES: usize = 1 << 30;
/// Words of how far it is, a few milliseconds apart, after which nothing moves any more.
const STILL_TIMES: u32 = 100;
/// What a connection has to carry in these tests.
const SOME_BYTES: u64 = 2 << 20;

/// A wire on which several connections are of use; so many are taken.
struct Several {
    wire: Arc<Wire>,
    allowed: usize,
}

impl Carrier for Several {
    fn open(&self) -> transport::Result<Pipe> {
        if self.wire.opened.load(Ordering::SeqCst) >= self.allowed {
            let why = "no more sessions".into();
            return Err(Error::Unreachable { host: "test".into(), why });
        }
        self.wire.open()
    }

    fn extra_pipes(&self) -> Option<usize> {
        Some(7)
    }

    fn describe(&self) -> String {
        "test".into()
    }

    fn end_report(&self) -> Option<String> {
        None
    }
}

/// A source that gives noise until something has happened.
struct Noise<F> {
    chance: ConstantChance,
    given: usize,
    hasher: Arc<std::sync::Mutex<blake3::Hasher>>,
    enough: F,
}

impl<F: Fn() -> bool> Read for Noise<F> {
    fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
        if (self.enough)() || self.given >= ENOUGH_BYTES {
            return Ok(0);
        }
        let len = out.len().min(1 << 20);
        std::thread::yield_now();
        self.chance.fill(&mut out[..len]);
        self.hasher.lock().unwrap().update(&out[..len]);
        self.given += len;
        Ok(len)
    }
}

/// A backup over `channels` connections of which `allowed` are taken and some are cut; it goes on until `enough` is true
/// of the bytes that went over each of them. Whatever happens, it ends well: everything is in the vault, and whole.
fn back_up(channels: usize, allowed: usize, cuts: &[Cut], enough: fn(&[u64]) -> bool) -> (Arc<Wire>, BackupSummary) {
    let (place, run) = Place::new();
    let wire = place.wire(cuts.iter().copied());
    let summary = back_up_over((&place, run), &wire, (channels, allowed), cuts, enough);
    (wire, summary)
}

/// The same on this wire.
fn back_up_over(
    (place, mut run): (&Place, Run),
    wire: &Arc<Wire>,
    (channels, allowed): (usize, usize),
    cuts: &[Cut],
    enough: fn(&[u64]) -> bool,
) -> BackupSummary {
    run.place.stripes = Some(channels);
    // A main connection that is to be lost is lost with all stripes on it, and of two stripes the one that is not lost is
    // of use.
    let even = match cuts {
        // Without it one connection may be as fast as a client that is slow, which then opens no other.
        [] => Some(SOME_BYTES),
        [main, _, ..] if main.up.is_none() && main.down.is_none() => Some(SOME_BYTES),
        [main, ..] => main.up,
    };
    *lock(&wire.even) = even.map(|bytes| Even { lines: channels.min(allowed), bytes });
    let seen = Arc::clone(wire);
    let hasher = Arc::new(std::sync::Mutex::new(blake3::Hasher::new()));
    let noise = Noise {
        chance: ConstantChance::new(5),
        given: 0,
        hasher: Arc::clone(&hasher),
        enough: move || enough(&seen.each_up()),
    };
    let stdin = StdinJob { path: b"/noise".to_vec(), host: "ana".into(), reader: Box::new(noise) };
    let job = BackupJob { stdin: Some(stdin), guard_share_permille: 500, guard_min: 100, ..BackupJob::default() };
    let carrier = Arc::new(Several { wire: Arc::clone(wire), allowed });
    let again = run.clone();
    let done: Result<BackupSummary> = within(move || {
        let mut connector = Connector::over(&again, carrier);
        connector.patience = PATIENT;
        backup_over(&again, Arc::new(connector), job, Pace::default())
    });
    let summary = done.unwrap();
    wire.settle();
    assert!(enough(&wire.each_up()), "{:?}", wire.each_up());
    assert_eq!(summary.errors, 0);
    // Nothing is left of the session.
    let domains = std::fs::read_dir(place.vault().join("domains")).unwrap().map(|entry| entry.unwrap().path());
    let staging = domains.filter_map(|domain| std::fs::read_dir(domain.join("staging")).ok()).flatten();
    let left: Vec<_> = staging.map(|entry| entry.unwrap().path()).filter(|path| path.is_dir()).collect();
    assert!(left.is_empty(), "{left:?}");

    run.place.stripes = None;
    place.check(&run);
    let mut out = blake3::Hasher::new();
    let whole = dump(&run, &DumpJob { path: b"/noise".to_vec(), ..DumpJob::default() }, &mut out).unwrap();
    assert_eq!(out.finalize(), hasher.lock().unwrap().finalize());
    assert_eq!(whole.written_bytes, summary.read_bytes);
    summary
}

#[test]
fn records_go_over_all_stripes_and_one_commit_holds_them() {
    let (wire, summary) =
        back_up(4, usize::MAX, &[], |up| up.len() == 4 && up.iter().all(|bytes| *bytes >= SOME_BYTES));
    // Every byte on every connection counts.
    assert_eq!((summary.sent_bytes, summary.received_bytes), wire.traffic());
    assert!(summary.stored_bytes >= 4 * SOME_BYTES, "{summary:?}");
}

/// Their goodbyes cost no time of their own: until all stripes have ended, nothing is committed here.
#[test]
fn stripes_end_while_the_version_is_committed() {
    let (mut place, run) = Place::new();
    let trick = Arc::new(TrickDisk::default());
    place.disk = Arc::clone(&trick) as _;
    let wire = place.wire([]);
    let seen = Arc::downgrade(&wire);
    let alone = move || seen.upgrade().is_none_or(|wire| wire.serving() <= 1);
    assert!(trick.may_commit.set(Box::new(alone)).is_ok());
    back_up_over((&place, run), &wire, (4, usize::MAX), &[], |up| {
        up.len() == 4 && up.iter().all(|bytes| *bytes >= SOME_BYTES)
    });
}

#[test]
fn one_channel_is_one_channel() {
    let (wire, _) = back_up(1, usize::MAX, &[], |up| up.iter().sum::<u64>() >= 3 * SOME_BYTES);
    assert_eq!(wire.each_up().len(), 1);
}

#[test]
fn a_stripe_that_is_lost_is_not_missed() {
    // Whatever its server had staged, and whatever was on the way.
    for bytes in [400, 1 << 20, 3 << 20] {
        back_up(3, usize::MAX, &[Cut::default(), Cut::up(bytes)], |up| {
            // Either of the two may be the one that is cut.
            up.len() >= 3 && up[0] >= SOME_BYTES && up[1..].iter().any(|bytes| *bytes > 2 * SOME_BYTES)
        });
    }
}

/// Nothing is put any more by then that would see to it.
#[test]
fn what_is_lost_with_a_stripe_after_the_last_record_goes_out_by_another() {
    let (place, mut run) = Place::new();
    let cuts = [Cut::default(), Cut::up(2 * SOME_BYTES).stalls()];
    let wire = place.wire(cuts);
    let seen = Arc::downgrade(&wire);
    // Bytes that were on the lines, and how often in a row: when nothing moves any more, everything was put.
    let still = Mutex::new((0, 0));
    run.watcher = Ears::with(move |event| {
        let (Event::Progress(progress), Some(wire)) = (event, seen.upgrade()) else { return };
        let mut still = lock(&still);
        let times = if progress.files_done == 1 && still.0 == progress.sent_bytes { still.1 + 1 } else { 0 };
        *still = (progress.sent_bytes, times);
        if times == STILL_TIMES {
            wire.cut_stalled();
        }
    });
    back_up_over((&place, run), &wire, (2, usize::MAX), &cuts, |up| {
        up.len() == 2 && up[0] >= 4 * SOME_BYTES && up[1] >= 2 * SOME_BYTES
    });
}

#[test]
fn all_stripes_may_be_lost() {
    let cut = Cut::up(2 << 20);
    back_up(4, usize::MAX, &[Cut::default(), cut, cut, cut], |up| up.len() >= 4 && up[0] >= 6 * SOME_BYTES);
}

#[test]
fn a_stripe_whose_answers_are_lost_is_not_missed() {
    for bytes in [150, 400, 600] {
        back_up(3, usize::MAX, &[Cut::default(), Cut::down(bytes)], |up| up.len() >= 3 && up[0] >= 6 * SOME_BYTES);
    }
}

#[test]
fn stripes_that_are_refused_are_not_missed() {
    let (wire, _) = back_up(8, 3, &[], |up| up.len() == 3 && up.iter().all(|bytes| *bytes >= SOME_BYTES));
    assert_eq!(wire.opened.load(Ordering::SeqCst), 3);
    let (wire, _) = back_up(8, 1, &[], |up| up.iter().sum::<u64>() >= 3 * SOME_BYTES);
    assert_eq!(wire.opened.load(Ordering::SeqCst), 1);
}

#[test]
fn the_main_connection_may_be_lost_with_stripes_on_it() {
    // The new one, and stripes of it, end what the first began.
    for bytes in [1 << 20, 3 << 20] {
        back_up(3, usize::MAX, &[Cut::up(bytes)], |up| up.len() >= 4 && up[3..].iter().sum::<u64>() >= 3 * SOME_BYTES);
    }
}
