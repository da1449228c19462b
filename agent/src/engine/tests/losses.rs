//! Connections that are lost.

use std::fs;
use std::sync::atomic::Ordering;

use super::place::{PATIENT, Place, job, mixed, noise, over};
use super::wire::Cut;
use crate::engine::backup::pass::Pace;
use crate::fault::Code;

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
