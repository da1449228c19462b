//! What is sent first, and a command that decides file by file.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use serde_json::Value;
use tests::subject::Outcome;
use tests::tree::{Seeded, Tree};
use tests::world::World;

use crate::world;

/// Writes a configuration with `docs` as its source.
fn configure(world: &World, more: &str) {
    let text = format!("[[source]]\npath = \"{}\"\n{more}\n", world.arg("docs"));
    fs::write(world.home().join(".config/tuckbox/config.toml"), text).unwrap();
}

/// Names of the files in a version.
fn files(world: &World, at: &str) -> Vec<String> {
    let rows = world.tuckbox(["ls", "-r", "--json", "--at", at, &world.arg("docs")]).ok().records("entry");
    let top = format!("{}/", world.arg("docs"));
    let files = rows.iter().filter(|row| row["kind"] == "file");
    files.map(|row| row["path"].as_str().unwrap().replace(&top, "")).collect()
}

/// Every version, partial ones too, oldest first.
fn all_versions(world: &World) -> Vec<Value> {
    world.tuckbox(["versions", "--partial", "--json"]).ok().records("version")
}

fn id(row: &Value) -> String {
    format!("id:{}", row["id"].as_str().unwrap())
}

/// An old kind of repository: a file that names the newest of many.
fn repository() -> World {
    let world = world().ready();
    let docs = Tree::at(world.path("docs"));
    docs.file("a.iso", Seeded::new(1).bytes(300_000))
        .file("other", Seeded::new(2).bytes(70_000))
        .file("z.kdbx", "keys");
    let revs = docs.dir("revs");
    for n in 0..12 {
        revs.file(format!("{n}"), Seeded::new(10 + n).bytes(9_000));
    }
    revs.file("current", "11\n");
    drop(revs);
    drop(docs.dir("empty"));
    drop(docs.age());
    world
}

#[test]
fn what_comes_first_is_safe_before_the_rest_is_read() {
    let world = repository();
    configure(&world, "first = ['*.kdbx', 'file:current', 're:/revs/[0-9]+$']\nlast = '*.iso'");
    let dry = world.tuckbox(["backup", "-n", "--json"]).ok().record("summary");
    let run = world.tuckbox(["backup", "--json", "-v"]).ok();
    let summary = run.record("summary");
    for count in ["files_new", "files_unchanged", "files_changed", "dirs_new", "read_bytes", "sources_suspicious"] {
        assert_eq!(summary[count], dry[count], "{count}");
    }
    assert_eq!((&summary["files_new"], &summary["files_unchanged"]), (&16.into(), &0.into()));
    assert_eq!(run.records("item").iter().filter(|item| item["action"] == "added").count(), 16, "each once");
    let versions = all_versions(&world);
    let steps: Vec<Vec<String>> = versions.iter().map(|row| files(&world, &id(row))).collect();
    assert_eq!(steps[0], ["z.kdbx"]);
    assert_eq!(steps[1], ["revs/current", "z.kdbx"]);
    assert_eq!(steps[2].len(), 14);
    assert!(steps[3].contains(&"other".to_owned()) && !steps[3].contains(&"a.iso".to_owned()));
    assert_eq!((steps.len(), steps[4].len()), (5, 16));
    world.restore_all("out");
    // Nothing new: nothing is committed but the version.
    world.tuckbox(["backup"]).ok();
    assert_eq!(all_versions(&world).len(), 6);
}

#[test]
fn what_waits_for_its_turn_stays_as_it_was_and_what_is_gone_goes_at_the_end() {
    let world = repository();
    world.tuckbox(["backup", &world.arg("docs")]).ok();
    configure(&world, "first = '*.kdbx'");
    fs::write(world.path("docs/z.kdbx"), "other keys").unwrap();
    fs::write(world.path("docs/other"), "changed").unwrap();
    fs::remove_file(world.path("docs/revs/3")).unwrap();
    fs::write(world.path("docs/empty/new"), "new").unwrap();
    let summary = world.tuckbox(["backup", "--json"]).ok().record("summary");
    for (count, is) in [("files_new", 1), ("files_changed", 2), ("files_removed", 1), ("files_unchanged", 13)] {
        assert_eq!(summary[count], is, "{count}");
    }
    let versions = all_versions(&world);
    let early = id(&versions[1]);
    let dump = |at: &str, name: &str| world.tuckbox(["dump", "--at", at, &world.arg(name)]).ok().stdout;
    assert_eq!(dump(&early, "docs/z.kdbx"), b"other keys");
    assert_eq!(dump(&early, "docs/other").len(), 70_000);
    let early = files(&world, &early);
    assert!(early.contains(&"revs/3".to_owned()) && !early.contains(&"empty/new".to_owned()), "{early:?}");
    assert_eq!(files(&world, "latest").len(), 16);
    world.tuckbox(["compare", "--full", &world.arg("docs")]).ok();
    world.tuckbox(["check", "--full"]).ok();
}

#[test]
fn an_order_that_is_none_is_refused() {
    let world = repository();
    for wrong in ["first = '!a'", "last = 're:('", "first = ['a','b','c','d','e','f','g','h','i']"] {
        configure(&world, wrong);
        let run = world.tuckbox(["backup"]).run().fails("usage", 2);
        assert!(run.error().contains("config.toml:3") || wrong.contains("'i'"), "{run}");
    }
}

/// A filter of this world: counts how often it is started, and answers by a shell's pattern.
fn filter(world: &World, answers: &str) {
    let script = format!(
        "#!/usr/bin/env python3\nimport sys, os\nopen('{}', 'a').write(os.environ['TUCKBOX_SOURCE'] + '\\n')\nrest = b''\n\
         while True:\n    more = os.read(0, 65536)\n    if not more: break\n    *paths, rest = (rest + more).split(b'\\0')\n    \
         for path in paths:\n{answers}\n    sys.stdout.flush()\n",
        world.arg("started")
    );
    fs::write(world.path("filter"), script).unwrap();
    fs::set_permissions(world.path("filter"), fs::Permissions::from_mode(0o755)).unwrap();
    configure(world, &format!("filter = '{}'\nexclude = '*.iso'", world.arg("filter")));
}

const REVISIONS: &str =
    "        print('-' if path.endswith((b'/other', b'/empty/')) or path[-1:] in b'13579' else '+')";

#[test]
fn a_filter_decides_file_by_file_in_one_process() {
    let world = repository();
    filter(&world, REVISIONS);
    let count =
        |run: &Outcome| (run.record("summary")["files_new"].clone(), run.record("summary")["files_excluded"].clone());
    let dry = count(&world.tuckbox(["backup", "-n", "--json"]).ok());
    let run = world.tuckbox(["backup", "--json", "-v"]).ok();
    assert_eq!(count(&run), dry);
    let taken: Vec<&str> = vec!["revs/0", "revs/10", "revs/2", "revs/4", "revs/6", "revs/8", "revs/current", "z.kdbx"];
    assert_eq!(files(&world, "latest"), taken);
    assert_eq!(fs::read_to_string(world.path("started")).unwrap().lines().count(), 2, "one for each run");
    let reasons: Vec<Value> = run.records("item").into_iter().filter(|item| item["action"] == "excluded").collect();
    assert_eq!(reasons.len(), 9);
    assert!(reasons.iter().any(|item| item["reason"].as_str().unwrap().contains("config.toml:3")), "{reasons:?}");
    let why = |name: &str| world.tuckbox(["why", "--json", &world.arg(name)]).ok().record("why");
    assert_eq!(why("docs/revs/2")["included"], true);
    assert_eq!(why("docs/revs/3")["included"], false);
    assert!(why("docs/revs/3")["rule"].as_str().unwrap().starts_with("the filter `"));
    // What it takes no more is recorded as removed, as with any other rule.
    filter(&world, "        print('-' if path.endswith(b'current') else '+')");
    let summary = world.tuckbox(["backup", "--json"]).ok().record("summary");
    assert_eq!((&summary["files_removed"], &summary["files_new"]), (&1.into(), &7.into()));
}

#[test]
fn a_filter_that_fails_leaves_nothing_out() {
    let world = repository();
    for (answers, why) in [
        ("        sys.exit('I am tired')", "it ended before it had answered, and said: I am tired"),
        ("        print('perhaps')", "it answered \"perhaps\""),
        ("        print('-'); sys.exit(0)", "it ended before it had answered"),
    ] {
        filter(&world, answers);
        let run = world.tuckbox(["backup", "--json"]).run().exits(3);
        let warning = run.records("warning").into_iter().find(|row| row["code"] == "filter.failed").unwrap();
        assert!(warning.to_string().contains(&why.replace('"', "\\\"")), "{warning}");
        assert_eq!(files(&world, "latest").len(), 15, "{why}");
    }
    filter(&world, "        print('perhaps')");
    world.tuckbox(["why", &world.arg("docs/other")]).run().fails("filter.failed", 3);
}

#[test]
fn a_filter_keeps_up_with_many_names() {
    let world = world().ready();
    let docs = Tree::at(world.path("docs"));
    for dir in 0..3 {
        let dir = docs.dir(format!("{dir}"));
        for n in 0..3_000 {
            dir.file(format!("{n:05}"), "x");
        }
    }
    drop(docs.age());
    filter(&world, "        print('-' if path[-1:] in b'13579' else '+')");
    let summary = world.tuckbox(["backup", "--json"]).ok().record("summary");
    assert_eq!((&summary["files_new"], &summary["files_excluded"]), (&4_500.into(), &4_500.into()));
    assert_eq!(fs::read_to_string(world.path("started")).unwrap().lines().count(), 1);
}
