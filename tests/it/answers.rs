//! Small answers: what a person asks with a slip of the finger, or about very little, is answered in words that are true.

use std::fs;

use tests::pty::Terminal;
use tests::world::World;

use crate::world;

fn machine() -> World {
    let world = world().ready();
    fs::write(world.dir("docs").join("letter.txt"), "Dear Ana,\n").unwrap();
    world.tuckbox(["backup", &world.arg("docs")]).ok();
    world
}

#[test]
fn no_version_has_a_tag_that_nobody_gave() {
    let world = machine();
    let told = world.tuckbox(["versions", "--tag", "nosuch"]).ok().says("No version has this tag");
    assert!(!told.err().contains("no versions yet"), "{told}");
    world.tuckbox(["pin", "latest"]).ok();
    let versions = world.tuckbox(["versions"]).ok().says("STATE").says("pinned");
    assert!(!versions.text().contains("(pinned)"), "{versions}");
}

#[test]
fn what_only_leads_to_a_source_has_sums_and_no_time() {
    let world = machine();
    let told = world.tuckbox(["ls", "-l", "/"]).ok();
    assert!(told.text().contains("10 B") && told.text().contains("(1 file)"), "{told}");
    assert!(!told.text().contains("1970"), "{told}");
    // A source in a source: what is below is not known without a walk, and no zero stands for it.
    fs::write(world.dir("docs/in").join("more"), "more").unwrap();
    world.tuckbox(["backup", &world.arg("docs/in")]).ok();
    let told = world.tuckbox(["ls", "-l", "/"]).ok();
    assert!(!told.text().contains("0 B") && !told.text().contains("(0 files)"), "{told}");
}

#[test]
fn a_slip_in_a_format_or_an_option_is_told() {
    let world = machine();
    let typo = world.tuckbox(["status", "--all", "--format", "nagois"]).run().fails("usage", 2);
    assert!(typo.error().contains("did you mean `--format nagios`?"), "{typo}");
    world.tuckbox(["versions", "--format", "long"]).run().fails("usage", 2);
    world.tuckbox(["versions", "--format", "csv"]).ok();
    world.tuckbox(["versions", "--format", r"{id}\n"]).ok();
    let typo = world.tuckbox(["diff", "--metdata", "latest", "latest"]).run().fails("usage", 2);
    assert!(typo.error().contains("no option --metdata") && typo.error().contains("--metadata?"), "{typo}");
    let none = world.tuckbox(["diff", "--stat", "latest", "latest"]).run().fails("usage", 2);
    assert!(none.error().contains("no option --stat"), "{none}");
}

#[test]
fn find_knows_expressions_as_rules_do() {
    let world = machine();
    let found = world.tuckbox(["find", "re:let.*"]).ok();
    assert!(found.text().contains("letter.txt"), "{found}");
    let found = world.tuckbox(["find", "re:^/.*/docs/l[^/]*$"]).ok();
    assert_eq!(found.text().lines().count(), 1, "{found}");
}

#[test]
fn what_cannot_be_written_is_told_and_who_went_away_is_not() {
    let world = machine();
    for words in ["versions", "versions --json", "help"] {
        let full = world.command("sh", ["-c", &format!("exec tuckbox {words} >/dev/full")]).run().exits(9);
        assert_eq!(full.err().matches("cannot write the output").count(), 1, "{full}");
    }
    let script = "{ tuckbox versions; echo $? >status; } | true; cat status";
    let closed = world.command("sh", ["-c", script]).cwd(world.dir("here")).run();
    assert!(!closed.err().contains("cannot write"), "{closed}");
}

#[test]
fn a_tar_is_not_written_to_a_terminal() {
    let world = machine();
    let terminal = Terminal::start(world.tuckbox(["dump", &world.arg("docs")]), 24, 80);
    terminal.shows("not written to a terminal");
    assert_eq!(terminal.end(), 2);
    world.tuckbox(["dump", &world.arg("docs")]).ok();
    let terminal = Terminal::start(world.tuckbox(["dump", &world.arg("docs/letter.txt")]), 24, 80);
    terminal.shows("Dear Ana,");
    assert_eq!(terminal.end(), 0);
}

#[test]
fn answers_name_what_they_are_about() {
    let world = machine();
    let second = world.arg("second");
    world.tuckbox(["volume", "add", "second"]).cwd(world.dir("")).ok().says(&format!("in use: {second}"));
    let why = world.tuckbox(["why", &world.arg("docs/letter.txt")]).ok().says("in no [[source]]");
    assert!(!why.text().contains("not backed up"), "{why}");
    let limits = world.tuckbox(["account", "set", "ana", "--soft", "30M", "--hard", "10M"]).run().fails("usage", 2);
    let told = "the soft limit of 30.0 MiB is above the hard limit of 10.0 MiB; nothing was changed";
    assert!(limits.error().contains(told) && !limits.error().contains("try: nothing"), "{limits}");
    let old = world.tuckbox(["ls", "--at", "2001-02-03"]).run().fails("version.none", 5);
    assert!(!old.err().contains("Z\n") && !old.err().contains("T0"), "{old}");
    let back = world.tuckbox(["ls", "--at", "latest~3"]).run().fails("version.none", 5);
    assert!(back.error().contains("there is only 1 version"), "{back}");
    world.tuckbox(["backup", &world.arg("docs")]).ok();
    let back = world.tuckbox(["ls", "--at", "latest~3"]).run().fails("version.none", 5);
    assert!(back.error().contains("there are only 2 versions"), "{back}");
    world.tuckbox(["restore", &world.arg("docs"), "--to", &world.arg("out")]).ok();
    let again = world.tuckbox(["restore", &world.arg("docs"), "--to", &world.arg("out")]).ok();
    assert!(again.text().contains("1 was there already and left as it is"), "{again}");
}
