//! Asked to end at any moment: the first signal ends the run well and keeps what is staged, the second ends it at once.

use std::time::Duration;

use rustix::process::Signal;
use tests::subject::bytes_below;
use tests::tree;
use tests::wait::until;
use tests::world::World;

use crate::recipes::{End, all};
use crate::stage::{Stage, begun};
use crate::tripwire::{self, Action, counted, program};
use crate::{Tally, share, spread, world};

/// Cases of each series in the short form.
const SHORT: u64 = 1;
/// What a terminal, a service manager, or a pipe sends.
const SIGNALS: [Signal; 4] = [Signal::INT, Signal::TERM, Signal::HUP, Signal::PIPE];
/// Longest wait for a run to come to something.
const SOON: Duration = Duration::from_secs(60);

#[test]
fn each_signal_at_each_call() {
    if program().is_none() {
        return;
    }
    let mut tally = Tally::default();
    for (recipe, number) in all().zip(1_u64..) {
        let stage = Stage::set(recipe);
        for end in recipe.ends {
            stage.reset();
            let run = stage.call(*end, Action::Count, 0, false).run();
            assert!(recipe.fine.contains(&run.code()), "{run}");
            let (_, all) = counted(&stage.world);
            // In the short form one of them, each time another.
            let turn = usize::try_from(tally.tried).unwrap();
            let few = if share(SHORT) == SHORT { 1 } else { SIGNALS.len() };
            for signal in SIGNALS.into_iter().cycle().skip(turn).take(few) {
                for at in spread(all, share(SHORT), number * 1_000 + u64::from(signal.as_raw().unsigned_abs())) {
                    let name = || {
                        format!("{} {} {end:?} signal {} at {at} of {all}", recipe.verb, recipe.name, signal.as_raw())
                    };
                    tally.case(name, || {
                        stage.reset();
                        let run = stage.call(*end, Action::Signal(signal), at, true).run();
                        assert!(!run.err().contains("panicked at"), "it panicked\n{run}");
                        let ended = match *end {
                            // Who writes to a pipe that nobody reads is told so in another way.
                            _ if signal == Signal::PIPE => false,
                            End::Server => run.code() == 8,
                            End::Whole | End::Client => run.code() == 128 + signal.as_raw(),
                        };
                        assert!(ended || recipe.fine.contains(&run.code()), "exit code\n{run}");
                        stage.holds(&run);
                    });
                }
            }
        }
    }
    tally.end("asked to end by a signal");
}

#[test]
fn what_was_staged_is_kept() {
    if program().is_none() {
        return;
    }
    let world = world().ready();
    tree::seeded(world.path("docs"), 5, 300, 180_000_000);
    let words = |at: u64, action| {
        let mut words = tripwire::words(&world, action, at, false);
        words.extend(["backup".into(), world.arg("docs"), "--json".into()]);
        words
    };
    let run = |words: Vec<String>| world.command(&words[0], &words[1..]).run();
    let beginning = |world: &World| tests::oath::copied(&world.vault(), &world.path("empty"));
    beginning(&world);
    let whole = run(words(0, Action::Count)).ok();
    let (_, all) = counted(&world);
    tests::oath::remove(&world.vault());
    std::fs::rename(world.path("empty"), world.vault()).unwrap();
    std::fs::remove_dir_all(world.home().join(".local/state/tuckbox/accounts")).unwrap();

    let before = bytes_below(&world.vault());
    let first = run(words(all / 3, Action::Signal(Signal::TERM))).exits(143);
    assert!(first.text().contains("\"code\":\"interrupted\""), "{first}");
    let staged = bytes_below(&world.vault()) - before;
    let second = world.tuckbox(["backup", &world.arg("docs"), "--json"]).ok();
    let (sent, full) = (second.count("sent_bytes"), whole.count("sent_bytes"));
    assert!(staged > full / 10, "{staged} of {full} bytes are there\n{first}");
    // What ends in the middle of a box or a question costs a little more.
    assert!(sent + staged < full + full / 20, "{sent} of {full} bytes sent, though {staged} were there\n{second}");
}

#[test]
fn the_second_signal_ends_at_once() {
    let world = world().ready();
    // It waits for its standard input, and would for ever.
    let mut call = world.tuckbox(["backup", "--stdin"]).held().start();
    call.write(b"begin");
    begun(&world);
    // No interrupt: a test that is run in the background has a program that ignores it. Two that come before the first
    // was taken are one: so it is asked again.
    until(SOON, "the end that was asked for again", || {
        call.signal(Signal::TERM);
        call.ends_within(Duration::from_millis(300))
    });
    assert_eq!(call.release().code(), 143);
}

#[test]
fn what_was_started_to_be_ignored_is() {
    let world = world().ready();
    for (name, signal) in [("HUP", Signal::HUP), ("INT", Signal::INT)] {
        let script = format!("trap '' {name}; exec tuckbox backup --stdin --stdin-filename /{name}");
        let mut call = world.command("/bin/sh", ["-c", &script]).held().start();
        call.write(b"one ");
        begun(&world);
        call.signal(signal);
        call.write(b"two");
        call.release().ok();
        assert_eq!(world.tuckbox(["dump", &format!("/{name}")]).ok().text(), "one two");
    }
}
