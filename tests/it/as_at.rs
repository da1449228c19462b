//! Any verb that reads takes a time, in the zone of whoever asks, and says which version it was understood to mean.

use std::fs;

use tests::tree;
use tests::world::World;

use crate::world;

/// In Central Europe, with the rules written out: on 2026-10-25 the clocks show 02:00 to 03:00 twice.
const ZONE: &str = "CET-1CEST,M3.5.0,M10.5.0/3";

/// Versions around the change: half past two twice, and the next day. Of what is younger than a day nothing is thinned.
const TIMES: [(&str, &str); 4] = [
    ("2026-10-24T16:00:00Z", "saturday evening"),
    ("2026-10-25T00:30:00Z", "half past two"),
    ("2026-10-25T01:30:00Z", "half past two again"),
    ("2026-10-26T00:20:00Z", "monday, early"),
];
/// When it is asked: Tuesday, noon.
const NOW: &str = "2026-10-27T11:00:00Z";

fn autumn() -> World {
    let world = world().ready();
    tree::Tree::at(world.path("docs"));
    for (at, content) in TIMES {
        fs::write(world.path("docs/diary"), content).unwrap();
        world.tuckbox(["backup", &world.arg("docs")]).env("TUCKBOX_CLOCK", at).ok();
    }
    world
}

#[test]
fn every_form_of_a_time() {
    let world = autumn();
    let diary = world.arg("docs/diary");
    let ids = world.tuckbox(["versions", "--json"]).ok().records("version");
    let id = ids[1]["id"].as_str().unwrap()[..8].to_owned();
    let number = format!("no. {}", ids[1]["sequence"]);
    let [saturday, first, second, monday] = TIMES.map(|(_, content)| content);
    for (at, content) in [
        ("latest", monday),
        (&number, first),
        ("latest~3", saturday),
        ("previous", second),
        ("now", monday),
        ("1 day ago", monday),
        ("36 hours ago", second),
        ("-26h", monday),
        ("-35h", second),
        ("2 days ago", second),
        ("yesterday", monday),
        ("yesterday 1:00", second),
        ("mon 9am", monday),
        ("mon 1am", second),
        ("sunday", second),
        ("sun 02:30", second),
        ("sun 01:30", saturday),
        ("2026-10-24", saturday),
        ("2026-10-25", second),
        ("2026-10-25 02:30", second),
        ("2026-10-25T02:30+02:00", first),
        ("2026-10-25 02:30+01:00", second),
        ("2026-10-25 00:30 UTC", first),
        ("2026-10-25T00:30:00Z", first),
        ("2026-10-25T00:29:59Z", saturday),
        (&id, first),
        (&format!("id:{id}"), first),
    ] {
        let run = world.tuckbox(["dump", &diary, "--at", at]).env("TUCKBOX_CLOCK", NOW).env("TZ", ZONE).ok();
        assert_eq!(run.text(), content, "{at}");
        // What was understood is said, on the side.
        assert!(run.err().contains(": version ") && run.err().contains(", received 2026-10-2"), "{at}: {run}");
    }
    let said = world.tuckbox(["ls", "--at", "sun 02:30"]).env("TUCKBOX_CLOCK", NOW).env("TZ", ZONE).ok();
    assert!(said.err().contains("received by 2026-10-25 02:30:59: version"), "{said}");
    // In another zone the same words mean something else.
    let utc =
        world.tuckbox(["dump", &diary, "--at", "sun 01:00", "--utc"]).env("TUCKBOX_CLOCK", NOW).env("TZ", ZONE).ok();
    assert_eq!(utc.text(), first);
}

#[test]
fn every_verb_that_reads() {
    let world = autumn();
    let (docs, diary, out) = (world.arg("docs"), world.arg("docs/diary"), world.arg("out"));
    let ask = |words: &[&str]| world.tuckbox(words.iter()).env("TUCKBOX_CLOCK", NOW).env("TZ", ZONE);
    let size = |content: &str| content.len() as u64;
    let at = ["--at", "2026-10-25T02:30+02:00", "--json"];
    let rows = ask(&["ls", &diary]).and(at).ok().records("entry");
    assert_eq!(rows[0]["bytes"], size("half past two"));
    let rows = ask(&["find", "diary"]).and(at).ok().records("entry");
    assert_eq!(rows[0]["bytes"], size("half past two"));
    assert_eq!(ask(&["find", "diary", "--all-versions"]).and(at).ok().records("entry").len(), 2);
    assert_eq!(ask(&["history", &diary]).and(at).ok().records("state").len(), 2);
    ask(&["restore", &docs, "--to", &out]).and(at).ok();
    assert_eq!(fs::read_to_string(world.path("out/docs/diary")).unwrap(), "half past two");
    ask(&["compare", &docs, "--with", &world.arg("out/docs")]).and(at).ok();
    ask(&["compare", &docs]).and(at).run().exits(4);
    let rows = ask(&["diff", "sat 18:00", "sun 02:30", "--json"]).ok().records("diff");
    assert_eq!((&rows[0]["before_bytes"], &rows[0]["after_bytes"]), (&16.into(), &19.into()));
    ask(&["diff", "sun 02:30", "sunday", "--exit-code"]).ok().says("the same");
    ask(&["diff", "sat 18:00", "sunday", "--exit-code"]).run().exits(4);
    let done = ask(&["rollback", "--to", "sun 02:30", "--yes"]).ok();
    assert!(done.err().contains("2026-10-25 02:30:59"), "{done}");
    assert_eq!(ask(&["dump", &diary]).ok().text(), "half past two again");
}

#[test]
fn earlier_than_everything() {
    let world = autumn();
    let run = world.tuckbox(["ls", "--at", "2026-10-01"]).env("TUCKBOX_CLOCK", NOW).run();
    let run = run.fails("version.none", 5);
    assert!(run.error().contains("the oldest is"), "{run}");
    world.tuckbox(["ls", "--at", "latest~4"]).run().fails("version.none", 5);
    world.tuckbox(["ls", "--at", "#99"]).run().fails("version.none", 5);
    world.tuckbox(["find", "*", "--at", "in 3h"]).run().fails("usage.time", 2);
    world.tuckbox(["find", "*", "--newer", "latest"]).run().fails("usage.time", 2);
}
