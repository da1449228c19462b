//! Several at once.

use std::time::Duration;

use tests::subject::{Running, files_below};
use tests::wait::until;
use tests::world::World;
use tests::{look, pinned, tree};

use crate::world;

const SOON: Duration = Duration::from_secs(30);

/// A backup of standard input that is in its middle, and stays there until released.
fn held(world: &World, name: &str) -> Running {
    let staged =
        || files_below(&world.vault()).iter().filter(|file| file.to_string_lossy().contains("/staging/")).count();
    let before = staged();
    let mut running = world.tuckbox(["backup", "--stdin", "--stdin-filename", name]).held().start();
    running.write(b"begin ");
    until(SOON, "the session to begin", || staged() > before);
    running
}

#[test]
fn two_sources_both_commit() {
    let world = world().ready();
    tree::small(world.path("docs"));
    let mut slow = held(&world, "/dumps/db.sql");
    world.tuckbox(["backup", &world.arg("docs")]).ok();
    slow.write(b"end");
    slow.release().ok();

    let rows = world.tuckbox(["versions", "--json"]).ok().records("version");
    assert_eq!(rows.len(), 2);
    assert_eq!(rows[1]["sources"].as_array().unwrap().len(), 2, "the later one holds both");
    assert_eq!(world.tuckbox(["dump", "/dumps/db.sql"]).ok().text(), "begin end");
    world.tuckbox(["restore", &world.arg("docs"), "--to", &world.arg("out")]).ok();
    look::at(world.path("docs")).same_as(&look::at(world.path("out/docs")));
}

#[test]
fn the_same_source_is_busy() {
    let world = world().ready();
    let slow = held(&world, "/dumps/db.sql");
    let second = world.tuckbox(["backup", "--stdin", "--stdin-filename", "/dumps/db.sql"]).stdin("other").run();
    let second = second.fails("source.busy", 6);
    pinned::check("errors/source.busy", &second.error());
    slow.release().ok();
    world.tuckbox(["backup", "--stdin", "--stdin-filename", "/dumps/db.sql"]).stdin("after").ok();
}

#[test]
fn a_killed_one_leaves_nothing_busy() {
    let world = world().ready();
    held(&world, "/dumps/db.sql").kill();
    world.tuckbox(["backup", "--stdin", "--stdin-filename", "/dumps/db.sql"]).stdin("after").ok();
    assert_eq!(world.tuckbox(["dump", "/dumps/db.sql"]).ok().text(), "after");
}

#[test]
fn reading_while_a_backup_runs() {
    let world = world().ready();
    tree::small(world.path("docs"));
    world.tuckbox(["backup", &world.arg("docs")]).ok();
    let slow = held(&world, "/dumps/db.sql");
    world.tuckbox(["versions"]).ok();
    world.tuckbox(["check"]).ok();
    world.tuckbox(["restore", &world.arg("docs"), "--to", &world.arg("out")]).ok();
    slow.release().ok();
}

#[test]
fn many_sources_of_two_accounts() {
    let ana = world().ready();
    let bob = ana.machine("bob").with_vault(ana.arg("vault"));
    bob.tuckbox(["init"]).ok();
    let runs: Vec<_> = (0..6)
        .map(|n| {
            let name = format!("source-{n}");
            tree::seeded(ana.path(&name), 40 + n, 40, 400_000);
            let world = if n % 2 == 0 { &ana } else { &bob };
            world.tuckbox(["backup", &ana.arg(&name)]).start()
        })
        .collect();
    runs.into_iter().for_each(|run| drop(run.wait().ok()));
    for world in [&ana, &bob] {
        let rows = world.tuckbox(["versions", "--json"]).ok().records("version");
        assert_eq!((rows.len(), rows[2]["sources"].as_array().unwrap().len()), (3, 3));
        world.tuckbox(["check", "--read-data"]).ok();
    }
}
