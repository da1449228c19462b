//! Too few descriptors, threads, or memory: said as such, nothing broken, and the next run does well.

use tests::need;
use tests::subject::Outcome;
use tests::world::World;
use tests::{look, oath};

use crate::stage::{change, source};
use crate::{Tally, share, spread, world};

/// Values of each limit in the short form.
const SHORT: u64 = 6;
/// A user that nobody else is: the limit of threads counts all of a user's.
const USER: u32 = 48_213;
/// Exit of a shell's command that SIGSEGV ended.
const KILLED_UNLOADED: i32 = 139;

/// Runs these words under a limit of the shell's `ulimit`.
fn under(world: &World, limit: &str, words: &[&str]) -> Outcome {
    let script = format!("ulimit {limit} || exit 99; exec tuckbox \"$@\"");
    world.command("/bin/bash", ["-c", &script, "bash"]).and(words).env("TUCKBOX_RETRY", "1s").run()
}

/// Whether the system can load the program at all: one for which there is no room it kills before its first line.
fn loads(world: &World, limit: &str) -> bool {
    under(world, limit, &["version"]).code() != KILLED_UNLOADED
}

/// It did all, or says what there is too little of.
fn said(run: &Outcome, words: &[&str]) {
    assert!(run.code() != 99, "the limit cannot be set\n{run}");
    // Rust itself panics in a thread that finds no room for the stack of its signals, and says so.
    let in_a_new_thread = run.err().contains("failed to allocate an alternative stack");
    assert!(!run.err().contains("panicked at") || in_a_new_thread, "it panicked\n{run}");
    let named = words.iter().any(|word| run.err().contains(word));
    assert!(run.code() == 0 || named, "it does not say what there is too little of: {words:?}\n{run}");
}

fn sweep(what: &str, world: &World, owner: Option<u32>, limits: &[String], words: &[&str]) {
    let mut tally = Tally::default();
    let give = || owner.into_iter().for_each(|owner| tests::tree::give_all(&world.path("docs"), owner));
    source(world);
    give();
    world.tuckbox(["init"]).ok();
    world.tuckbox(["backup", &world.arg("docs")]).ok();
    change(world);
    give();
    let docs = world.arg("docs");
    for limit in limits {
        tally.case(
            || limit.clone(),
            || {
                if !loads(world, limit) {
                    return;
                }
                let out = world.arg("home-ana/out");
                said(&under(world, limit, &["backup", &docs]), words);
                said(&under(world, limit, &["restore", &docs, "--to", &out]), words);
                said(&under(world, limit, &["check", "--read-data"]), words);
                world.tuckbox(["backup", &docs]).ok();
                // The restore under the limit may have brought an older version, of which this one has less.
                world.tuckbox(["restore", &docs, "--to", &out, "--delete", "--yes"]).ok();
                look::at(&docs).same_as(&look::at(format!("{out}/docs")));
                oath::clean(world);
                oath::remove(out.as_ref());
            },
        );
    }
    tally.end(what);
}

#[test]
fn descriptors() {
    let world = world();
    let world = world.with_vault(world.arg("vault"));
    let limits: Vec<_> = spread(60, share(SHORT), 1).into_iter().map(|n| format!("-n {}", n + 3)).collect();
    // A program that cannot even be loaded is told by the loader.
    sweep(
        "few descriptors",
        &world,
        None,
        &limits,
        &["Too many open files", "error while loading", "limit of open files"],
    );
}

#[test]
fn threads() {
    if !need::root() || !need::programs(&["setpriv"]) {
        return;
    }
    let world = world().user("ana", USER);
    let world = world.with_vault(world.arg("home-ana/vault"));
    let limits: Vec<_> = spread(30, share(SHORT), 1).into_iter().map(|n| format!("-u {n}")).collect();
    sweep("few threads", &world, Some(USER), &limits, &["Resource temporarily unavailable", "too many threads"]);
}

#[test]
fn memory() {
    let world = world();
    let world = world.with_vault(world.arg("vault"));
    let limits: Vec<_> = spread(600, share(SHORT), 1).into_iter().map(|n| format!("-v {}", n * 1_024)).collect();
    let words = [
        "Cannot allocate memory",
        "memory allocation of",
        "error while loading",
        "Resource temporarily",
        "too little memory",
        // The C library itself, which then ends the program.
        "out of memory",
    ];
    sweep("little memory", &world, None, &limits, &words);
}
