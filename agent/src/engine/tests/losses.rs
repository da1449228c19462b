//! Connections that are lost, and servers that refuse.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use store::door::{ConstantChance, FixedClock, RealDisk};
use store::vault::{Access, AccountSelector, AccountState, Vault};

use super::place::{PATIENT, Place, job, mixed, noise, over};
use super::trick_disk::TrickDisk;
use super::wire::Cut;
use crate::engine::backup::pass::Pace;
use crate::fault::{Code, Exit};

/// What the server takes before it acknowledges.
const ACK_BYTES: u64 = 1 << 20;

/// What a clean first backup of the mixed tree sends and receives.
fn clean() -> (u64, u64) {
    let (place, run) = Place::new();
    mixed(&place.path("src"));
    let wire = place.wire([]);
    over(&run, &wire, job([place.path("src")]), Pace::default()).unwrap();
    wire.settle();
    place.prove(&run, &place.path("src"));
    wire.traffic()
}

/// A first backup over lines that are cut so; whatever happens on the way, it must end well.
fn survives(cuts: &[Cut]) {
    let (place, run) = Place::new();
    let source = place.path("src");
    mixed(&source);
    let wire = place.wire(cuts.iter().copied());
    let done = over(&run, &wire, job([&source]), Pace::default());
    match done {
        Ok(summary) => assert_eq!(summary.errors, 0),
        // Nothing had begun.
        Err(fault) => {
            assert_eq!(fault.code, Code::NetLost, "{fault} {cuts:?}");
            assert_eq!(wire.opened.load(Ordering::SeqCst), 1, "{cuts:?}");
            over(&run, &wire, job([&source]), Pace::default()).unwrap();
        }
    }
    wire.settle();
    place.prove(&run, &source);
}

#[test]
fn a_line_that_is_cut_on_the_way_up() {
    let (up, _) = clean();
    for n in 0..24 {
        survives(&[Cut::up(up * n / 23)]);
    }
}

#[test]
fn a_line_that_is_cut_on_the_way_down() {
    let (_, down) = clean();
    for n in 0..24 {
        survives(&[Cut::down(down * n / 23)]);
    }
}

/// The usual loss: the client knows, and the server has no idea.
#[test]
fn a_cut_that_the_server_does_not_notice() {
    let (up, down) = clean();
    for n in 1..10 {
        survives(&[Cut::up(up * n / 10).unnoticed()]);
        survives(&[Cut::down(down * n / 10).unnoticed()]);
    }
}

#[test]
fn one_cut_after_the_other() {
    let (up, down) = clean();
    for n in 2..8 {
        let (up, down) = (up * n / 8, down * n / 8);
        survives(&[Cut::up(up), Cut::down(down), Cut::up(up / 2).unnoticed(), Cut::down(down / 2).unnoticed()]);
    }
}

#[test]
fn what_was_acknowledged_is_not_sent_again() {
    for unnoticed in [false, true] {
        let (place, run) = Place::new();
        let source = place.path("src");
        fs::create_dir(&source).unwrap();
        let total = 40 << 20;
        for n in 0..40 {
            fs::write(source.join(format!("{n:02}")), noise(n, 1 << 20)).unwrap();
        }
        let wire = place.wire([Cut { unnoticed, ..Cut::up(30 << 20) }]);
        let summary = over(&run, &wire, job([&source]), Pace::default()).unwrap();
        wire.settle();
        assert_eq!(wire.opened.load(Ordering::SeqCst), 2);
        // What was on its way and not yet looked at by the server, and what it had not told yet.
        let most = total + transport::limits::POOL_BYTES + ACK_BYTES + (4 << 20);
        assert!(wire.traffic().0 <= most, "{} of {most}", wire.traffic().0);
        // What the line had not taken yet counts as sent, too.
        assert!(summary.sent_bytes.abs_diff(wire.traffic().0) <= 256 << 10);
        place.prove(&run, &source);
    }
}

#[test]
fn a_server_that_stays_gone() {
    let (up, down) = clean();
    for n in 1..8 {
        for cut in [Cut::up(up * n / 8), Cut::down(down * n / 8)] {
            let (place, run) = Place::new();
            let source = place.path("src");
            mixed(&source);
            let wire = place.wire([cut]);
            wire.gone_after.store(1, Ordering::SeqCst);
            let done = over(&run, &wire, job([&source]), Pace::default());
            // Behind the commit nothing is lost.
            if let Err(fault) = done {
                assert!(matches!(fault.code, Code::NetLost | Code::NetUnreachable), "{fault}");
                assert_eq!(fault.exit(), Exit::Unreachable);
                assert!(wire.opened.load(Ordering::SeqCst) <= 2 + PATIENT.attempts as usize);
            }
            wire.settle();
            place.backup(&run, job([&source])).unwrap();
            place.prove(&run, &source);
        }
    }
}

/// It answers, and nothing ever gets through.
#[test]
fn a_line_on_which_nothing_gets_through() {
    let (place, run) = Place::new();
    let source = place.path("src");
    mixed(&source);
    let wire = place.wire([Cut::up(200_000)]);
    *wire.always.lock().unwrap() = Cut::up(60_000);
    let fault = over(&run, &wire, job([&source]), Pace::default()).unwrap_err();
    assert_eq!(fault.code, Code::NetLost, "{fault}");
    wire.settle();
    place.backup(&run, job([&source])).unwrap();
    place.prove(&run, &source);
}

/// Each time the session stands, and then the line is gone before anything is acknowledged.
#[test]
fn a_line_that_never_lasts_is_not_opened_for_ever() {
    const MOST: usize = 60;
    let (_, down) = clean();
    for n in 1..32 {
        let (place, run) = Place::new();
        let source = place.path("src");
        mixed(&source);
        let wire = place.wire([]);
        *wire.always.lock().unwrap() = Cut::down(down * n / 32);
        wire.gone_after.store(MOST, Ordering::SeqCst);
        if let Err(fault) = over(&run, &wire, job([&source]), Pace::default()) {
            assert_eq!(fault.code, Code::NetLost, "{fault}");
        }
        let opened = wire.opened.load(Ordering::SeqCst);
        assert!(opened < MOST, "{opened} connections that are cut after {} bytes", down * n / 32);
        wire.settle();
        place.backup(&run, job([&source])).unwrap();
        place.prove(&run, &source);
    }
}

fn freeze(place: &Place, state: AccountState) {
    let chance = Arc::new(ConstantChance::new(3));
    let vault =
        Vault::open(Arc::new(RealDisk), Arc::new(FixedClock::at(0)), chance, &place.vault(), Access::Write).unwrap();
    let account = vault.account(&AccountSelector::Name("ana".into())).unwrap();
    vault.set_state(&account, state, "the audit").unwrap();
}

#[test]
fn a_frozen_account_is_told() {
    let (place, run) = Place::new();
    let source = place.path("src");
    mixed(&source);
    freeze(&place, AccountState::Frozen);
    let fault = place.backup(&run, job([&source])).unwrap_err();
    assert_eq!((fault.code, fault.exit()), (Code::AccountFrozen, Exit::Refused), "{fault}");
    freeze(&place, AccountState::Open);
    place.backup(&run, job([&source])).unwrap();
    place.prove(&run, &source);
}

/// Whatever call to the disk of the vault it is that finds no room.
#[test]
fn a_vault_whose_disk_is_full() {
    let (mut place, run) = Place::new();
    let source = place.path("src");
    mixed(&source);
    fs::write(source.join("more"), noise(5, 6 << 20)).unwrap();
    let trick = Arc::new(TrickDisk::default());
    place.disk = Arc::clone(&trick) as _;
    let mut told = 0;
    for n in 0..30 {
        trick.fail_at(n);
        fs::write(source.join("new"), noise(n as u64, 100_000)).unwrap();
        match place.backup(&run, job([&source])) {
            Ok(_) => {}
            Err(fault) => {
                assert_eq!((fault.code, fault.exit()), (Code::DiskFull, Exit::Full), "{n}: {fault}");
                told += 1;
            }
        }
    }
    assert!(told > 5, "{told}");
    trick.heal();
    place.backup(&run, job([&source])).unwrap();
    place.prove(&run, &source);
}
