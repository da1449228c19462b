//! Commands of the configuration around a backup and around a source.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use tests::tree;
use tests::world::World;

use crate::world;

/// A machine with two sources and a script that notes each call, and then does as its second word says.
fn scripted(top: &[(&str, &str)], docs: &[(&str, &str)]) -> World {
    let world = world().ready();
    ["docs", "code"].iter().for_each(|name| drop(tree::small(world.path(name))));
    let script = format!(
        "#!/bin/sh\necho \"$1 $TUCKBOX_HOOK [${{TUCKBOX_SOURCE##*/}}] [$TUCKBOX_EXIT_CODE] ${{#TUCKBOX_VERSION_ID}}\" >> {}\neval \"$2\"\n",
        world.arg("calls")
    );
    fs::write(world.path("hook"), script).unwrap();
    fs::set_permissions(world.path("hook"), fs::Permissions::from_mode(0o700)).unwrap();
    let keys = |list: &[(&str, &str)], who: &str| {
        let line = |(key, does): &(&str, &str)| match *key {
            "hook_timeout" => format!("hook_timeout = '{does}'\n"),
            key => format!("{key} = \"{} {who} '{does}'\"\n", world.arg("hook")),
        };
        list.iter().map(line).collect::<String>()
    };
    let text = format!(
        "{}[[source]]\npath = '{}'\n{}[[source]]\npath = '{}'\n",
        keys(top, "run"),
        world.arg("docs"),
        keys(docs, "docs"),
        world.arg("code")
    );
    fs::write(world.home().join(".config/tuckbox/config.toml"), text).unwrap();
    world
}

const ALL: [(&str, &str); 3] = [("before", ""), ("after", ""), ("on_failure", "")];

fn calls(world: &World) -> Vec<String> {
    let text = fs::read_to_string(world.path("calls")).unwrap_or_default();
    drop(fs::remove_file(world.path("calls")));
    text.lines().map(str::to_owned).collect()
}

fn versions(world: &World) -> usize {
    world.tuckbox(["versions", "--json"]).ok().records("version").len()
}

#[test]
fn before_and_after_a_run_and_a_source() {
    let world = scripted(&ALL, &ALL);
    world.tuckbox(["backup"]).ok();
    let good = ["run before [] [] 0", "docs before [docs] [] 0", "docs after [docs] [0] 64", "run after [] [0] 64"];
    assert_eq!(calls(&world), good);
    world.tuckbox(["backup", &world.arg("code")]).ok();
    assert_eq!(calls(&world), ["run before [] [] 0", "run after [] [0] 64"]);
    world.tuckbox(["backup", "-n"]).ok();
    assert!(calls(&world).is_empty(), "a dry run runs none");
    // What is missing makes exit 12 of it, and that is a failure.
    fs::remove_dir_all(world.path("code")).unwrap();
    world.tuckbox(["backup"]).run().exits(12);
    let ends: Vec<_> = calls(&world).into_iter().skip(2).collect();
    let told = [
        "docs on_failure [docs] [12] 64",
        "docs after [docs] [12] 64",
        "run on_failure [] [12] 64",
        "run after [] [12] 64",
    ];
    assert_eq!(ends, told);
}

#[test]
fn a_run_whose_before_fails_does_nothing() {
    let world = scripted(&[("before", "exit 7"), ("after", ""), ("on_failure", "")], &ALL);
    let run = world.tuckbox(["backup"]).run().fails("hook.failed", 1);
    assert!(run.error().contains("exit status: 7"), "{run}");
    assert_eq!(calls(&world), ["run before [] [] 0", "run on_failure [] [1] 0", "run after [] [1] 0"]);
    assert_eq!(versions(&world), 0);
}

#[test]
fn a_source_whose_before_fails_is_left_as_it_is() {
    let world = scripted(&[], &[("before", "exit 1"), ("after", ""), ("on_failure", "")]);
    world.tuckbox(["backup"]).run().exits(3).warns("hook.failed");
    assert_eq!(calls(&world), ["docs before [docs] [] 0", "docs on_failure [docs] [1] 0", "docs after [docs] [1] 0"]);
    let rows = world.tuckbox(["versions", "--json"]).ok().records("version");
    assert_eq!(rows[0]["sources"].as_array().unwrap().len(), 1);
    // It is still in the configuration: long after, it is not taken for one that was removed.
    let well = fs::read_to_string(world.home().join(".config/tuckbox/config.toml")).unwrap();
    fs::write(world.home().join(".config/tuckbox/config.toml"), well.replace("'exit 1'", "'true'")).unwrap();
    world.tuckbox(["backup"]).env("TUCKBOX_CLOCK", "2026-12-01T12:00:00Z").ok();
    fs::write(world.home().join(".config/tuckbox/config.toml"), well).unwrap();
    for day in 2..6 {
        world.tuckbox(["backup"]).env("TUCKBOX_CLOCK", format!("2026-12-{day:02}T12:00:00Z")).run().exits(3);
    }
    let rows = world.tuckbox(["versions", "--json"]).ok().records("version");
    assert_eq!(rows.last().unwrap()["sources"].as_array().unwrap().len(), 2);
    world.tuckbox(["backup", &world.arg("docs")]).run().fails("hook.failed", 1);
}

#[test]
fn what_they_say_is_shown_and_harmless_and_an_after_that_fails_is_told() {
    let says = "cat $${0%/*}/noise; seq 1 90000; false";
    let world = scripted(&[("after", says)], &[]);
    fs::write(world.path("noise"), "\u{1b}]0;owned\u{7}\n").unwrap();
    let run = world.tuckbox(["backup"]).run().exits(3).warns("hook.output").warns("hook.failed");
    assert!(!run.err().contains('\u{1b}') && run.err().contains("owned"), "{run}");
    assert!(run.err().contains("says more, which is not shown") && run.err().lines().count() < 60, "{run}");
    assert_eq!(versions(&world), 1, "the version stands");
}

#[test]
fn a_command_that_does_not_end_is_ended() {
    let world = scripted(&[("hook_timeout", "0.2s"), ("before", "exec sleep 1000")], &[]);
    let run = world.tuckbox(["backup"]).run().fails("hook.failed", 1);
    assert!(run.error().contains("ran for longer than"), "{run}");
    // Something that it leaves behind with its output open holds nothing up.
    let world = scripted(&[("before", "sleep 20 & exit 0")], &[]);
    world.tuckbox(["backup"]).ok();
}
