//! Every byte and every attribute.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::time::Duration;

use tests::look::Item;
use tests::subject::files_below;
use tests::{look, need, tree};

use crate::world;

#[test]
fn everything_odd_comes_back() {
    let world = world().ready();
    let make = if need::is_root() { tree::odd_for_root } else { tree::odd };
    let odd = look::at(make(world.path("odd")).path());
    world.tuckbox(["backup", &world.arg("odd")]).ok();
    let restored = world.tuckbox(["restore", &world.arg("odd"), "--to", &world.arg("out"), "--verify"]);
    restored.ok();
    let back = look::at(world.path("out/odd"));
    odd.same_as(&back);
    for (path, item) in &odd.0 {
        let holes = back.get(path).hole_bytes;
        let kept = holes + (1 << 20) >= item.hole_bytes;
        assert!(kept, "{}: {} bytes of holes became {holes}", String::from_utf8_lossy(path), item.hole_bytes);
    }
    // Names that could harm a terminal are made visible.
    let listed = world.tuckbox(["ls", "-r", &world.arg("odd")]).ok();
    assert!(!listed.text().contains(['\x1b', '\u{202e}']), "{listed}");
    let rows = world.tuckbox(["ls", "-r", "--json", &world.arg("odd/names")]).ok().records("entry");
    let raw = rows.iter().filter(|row| row.get("path_b64").is_some()).count();
    assert!(raw >= 2, "names that are no text have their bytes beside them");
}

#[test]
fn a_second_run_over_everything_odd_changes_nothing() {
    let world = world().ready();
    tree::odd(world.path("odd"));
    let backup = || world.tuckbox(["backup", &world.arg("odd"), "--json"]).ok();
    backup();
    let second = backup();
    // A file whose time lies in the future is read again each time: one byte.
    assert_eq!([second.count("files_new"), second.count("files_changed"), second.count("read_bytes")], [0, 0, 1]);
    assert!(world.tuckbox(["diff", "previous", "latest", "--metadata", "--json"]).ok().records("diff").is_empty());
}

#[test]
fn deeper_than_the_longest_path() {
    let world = world().ready();
    let deep = look::at(tree::deep(world.path("deep")).path());
    world.tuckbox(["backup", &world.arg("deep")]).ok();
    world.tuckbox(["restore", &world.arg("deep"), "--to", &world.arg("out")]).ok();
    deep.same_as(&look::at(world.path("out/deep")));
}

#[test]
fn a_sparse_file_of_a_tebibyte_in_seconds() {
    let world = world().ready();
    let mut chance = tree::Seeded::new(9);
    let (begin, middle) = (chance.bytes(100_000), chance.bytes(1 << 20));
    let source = tree::Tree::at(world.path("source"));
    source.sparse("huge", 1 << 40, &[(0, &begin), (1 << 39, &middle), ((1 << 40) - 3, b"end")]);
    let source = look::at(source.age().path());
    let soon = Duration::from_secs(30);
    world.tuckbox(["backup", &world.arg("source")]).limit(soon).ok();
    world.tuckbox(["restore", &world.arg("source"), "--to", &world.arg("out")]).limit(soon).ok();
    source.same_as(&look::at(world.path("out/source")));
    assert!(fs::metadata(world.path("out/source/huge")).unwrap().blocks() < 8_192);
}

#[test]
fn owners_come_back_by_name_where_the_name_is_known() {
    if !need::root() {
        return;
    }
    let world = world().ready();
    tree::Tree::at(world.path("source")).file("a", "x").owner("a", 1, 1).file("b", "x").owner("b", 54_321, 54_322);
    world.tuckbox(["backup", &world.arg("source")]).ok();
    let rows = world.tuckbox(["ls", "--json", &world.arg("source")]).ok().records("entry");
    assert_eq!((&rows[0]["user"], &rows[0]["uid"]), (&"daemon".into(), &1.into()));
    assert_eq!(rows[1]["uid"], 54_321);
}

#[test]
fn an_ordinary_user_gets_what_is_permitted_and_is_told_the_rest() {
    if !need::root() || !need::programs(&["setpriv"]) {
        return;
    }
    let root = world();
    let guest = root.user("guest", 4_321).with_vault(root.arg("home-guest/vault"));
    guest.tuckbox(["init"]).ok();
    let odd = look::at(tree::odd_for_root(root.path("odd")).path());

    // Root backs up into the user's vault and acts as that user there.
    let key = guest.key_file();
    let words = ["backup", &root.arg("odd"), "--vault", &guest.arg("home-guest/vault"), "--account", "guest", "--key"];
    root.tuckbox(words).and([&key]).ok();
    let foreign =
        files_below(&guest.path("home-guest/vault")).into_iter().find(|f| fs::metadata(f).unwrap().uid() != 4_321);
    assert_eq!(foreign, None, "a file in the vault belongs to somebody else");

    let out = guest.arg("home-guest/out");
    let words = ["restore", &root.arg("odd"), "--to", &out, "--json"];
    let run = guest.tuckbox(words).run().exits(3);
    let skipped = run.records("warning").iter().filter(|w| w["code"] == "restore.skipped").count();
    assert!(skipped >= 5 && run.count("files_skipped") >= 5, "{run}");

    // Everything that needs no privilege is as it was.
    let back = look::at(guest.path("home-guest/out/odd"));
    let plain = |item: &mut Item| {
        (item.uid, item.gid) = (0, 0);
        // Without the right to give files away, a foreign owner's setuid and setgid would become one's own.
        item.mode &= 0o1777;
        item.xattrs.retain(|name, _| name.starts_with(b"user.") || name.starts_with(b"system."));
    };
    let mut expected = odd.without(plain);
    let back = back.without(plain);
    let devices: Vec<_> = expected.0.iter().filter(|(_, i)| i.rdev.is_some()).map(|(path, _)| path.clone()).collect();
    for path in devices {
        assert!(!back.0.contains_key(&path));
        expected.0.remove(&path);
    }
    expected.same_as(&back);
}

/// A tree of somebody else's: each owner is lost, which is said of a few, and counted.
#[test]
fn what_is_the_same_of_many_is_not_said_of_each() {
    if !need::root() {
        return;
    }
    let root = world();
    let guest = root.user("guest", 4_321).with_vault(root.arg("home-guest/vault"));
    guest.tuckbox(["init"]).ok();
    tree::seeded(root.path("many"), 9, 30, 3_000);
    let words = ["backup", &root.arg("many"), "--vault", &guest.arg("home-guest/vault"), "--account", "guest", "--key"];
    root.tuckbox(words).and([guest.key_file()]).ok();
    let lines = |out: &str, more: &[&str]| {
        let words = ["restore", &root.arg("many"), "--to", &guest.arg(out)];
        let run = guest.tuckbox(words).and(more).run().exits(3);
        let of_owners = run.err().lines().filter(|line| line.contains("owner 0:0 not restored")).count();
        (of_owners, run)
    };
    let (all, _) = lines("home-guest/all", &["-v"]);
    assert!(all >= 30, "{all}");
    let (few, run) = lines("home-guest/few", &[]);
    assert_eq!(few, 11, "{run}");
    assert!(run.err().contains(&format!("and {} more: owner 0:0 not restored", all - 10)), "{run}");
}
