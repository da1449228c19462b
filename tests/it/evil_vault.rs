//! Versions made by somebody who holds the account's key and does not use the program: whatever they say, nothing
//! outside the target is read or written, nothing hangs, memory has a bound.

use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::sync::Arc;
use std::time::Duration;

use store::id::{ChunkId, ContentId, NodeId};
use store::tree::{Content, CutClass, Entry, Facts, IndexChild, ListChild, Node, Owner, Piece, Time, Totals, What};
use tests::attacker::{Attacker, dir, entry, file, symlink};
use tests::subject::{Call, Outcome};
use tests::world::World;
use tests::{look, need};

use crate::world;

/// A machine that has backed up once, and somebody else's files beside it.
fn machine() -> World {
    let world = world().ready();
    fs::create_dir(world.path("docs")).unwrap();
    fs::write(world.path("docs/letter"), "letter").unwrap();
    world.tuckbox(["backup", &world.arg("docs")]).ok();
    fs::create_dir_all(world.path("outside/dir")).unwrap();
    fs::write(world.path("outside/secret"), "secret").unwrap();
    world
}

/// With a bound of addresses that a run within its own bounds does not come near: threads have stacks of their own.
fn bounded(world: &World, words: &[&str]) -> Call {
    let program = world.arg("bin/tuckbox");
    let all = [&["-c", "ulimit -v 1500000; exec \"$0\" \"$@\"", &program], words].concat();
    world.command("sh", all).limit(Duration::from_secs(60))
}

/// Ends in time, without a panic, without running out of memory, and steers no terminal.
fn calm(call: Call) -> Outcome {
    let outcome = call.run();
    assert!(outcome.code() < 100, "{outcome}");
    assert!(!outcome.err().contains("panicked at") && !outcome.err().contains("memory allocation"), "{outcome}");
    for text in [String::from_utf8_lossy(&outcome.stdout).into_owned(), outcome.err()] {
        assert!(!text.chars().any(|c| c.is_control() && c != '\n' || c == '\u{202e}'), "{outcome}");
    }
    outcome
}

/// Everything is tried that reads versions; gives the exit of the restore.
fn try_everything(world: &World, what: &str) -> i32 {
    let names = |world: &World| -> Vec<_> {
        let mut names: Vec<_> = fs::read_dir(world.path("")).unwrap().map(|e| e.unwrap().file_name()).collect();
        names.retain(|name| name != "out");
        names.sort();
        names
    };
    let (before, beside) = (look::at(world.path("outside")), names(world));
    let docs = world.path("docs");
    let original = look::at(&docs);
    let out = world.arg("out");
    let restore = calm(bounded(world, &["restore", "--to", &out]));
    println!("{what}: restore {} {}", restore.code(), restore.err().lines().next().unwrap_or_default());
    // Once more over what is there, and with what is too much removed.
    calm(bounded(world, &["restore", "--to", &out, "--overwrite", "always", "--delete", "--yes"]));
    for words in [&["ls", "-r"][..], &["diff", "previous", "latest"], &["check", "--full"], &["versions"]] {
        calm(bounded(world, words));
    }
    // A tar holds no name that leads out of where it is unpacked.
    let tar = bounded(world, &["dump", "/", "-o", &world.arg("out.tar")]).run();
    assert!(tar.code() < 100 && !tar.err().contains("panicked at"), "{tar}");
    if tar.code() == 0 {
        let listed = world.command("tar", ["-tPf", &world.arg("out.tar")]).run();
        assert!(
            !listed.text().lines().any(|name| name.starts_with('/') || name.split('/').any(|p| p == "..")),
            "{listed}"
        );
    }
    fs::remove_file(world.path("out.tar")).unwrap_or_default();
    assert_eq!(names(world), beside, "{what}: something came to stand beside the target");
    before.same_as(&look::at(world.path("outside")));
    original.same_as(&look::at(&docs));
    let removed = world.command("rm", ["-rf", &out]).run();
    assert_eq!(removed.code(), 0);
    restore.code()
}

/// The attacker's version, tried out.
fn attack(world: &World, what: &str, make: impl FnOnce(&mut Attacker)) -> i32 {
    let mut attacker = Attacker::of(world);
    make(&mut attacker);
    attacker.commit();
    drop(attacker);
    try_everything(world, what)
}

#[test]
fn names_that_lead_out() {
    let world = machine();
    let outside = world.arg("outside/new");
    for name in [&b".."[..], b".", b"", b"a/b", b"../outside/new", b"a\0b", outside.as_bytes(), &[b'x'; 256]] {
        let shown = String::from_utf8_lossy(name).into_owned();
        let exit = attack(&world, &shown, |a| {
            a.directory("ana", b"/docs", vec![entry(name, file(b"evil")), entry(b"good", file(b"good"))]);
        });
        assert_eq!(exit, 10, "{shown:?}");
        let exit = attack(&world, &shown, |a| {
            let below = a.node(&Node::Page(vec![entry(b"x", file(b"evil"))]));
            a.directory("ana", b"/docs", vec![entry(name, dir(below))]);
        });
        assert_eq!(exit, 10, "{shown:?}");
    }
    // Twice, and out of order.
    for names in [[b"evil", b"evil"], [b"b", b"a"].map(|n: &[u8; 1]| if n == b"a" { b"aaaa" } else { b"bbbb" })] {
        let outside = world.arg("outside");
        let exit = attack(&world, "order", |a| {
            let below = a.node(&Node::Page(vec![entry(b"new", file(b"evil"))]));
            a.directory(
                "ana",
                b"/docs",
                vec![entry(names[0], symlink(outside.as_bytes())), entry(names[1], dir(below))],
            );
        });
        assert_eq!(exit, 10);
    }
}

#[test]
fn sources_that_lead_out() {
    let world = machine();
    let good = || vec![entry(b"new", file(b"evil"))];
    for (host, path) in [
        ("ana", &b"/docs/../../outside"[..]),
        ("ana", b"../outside"),
        ("ana", b"/.."),
        ("ana", b"/docs/./x"),
        ("ana", b"relative"),
        ("ana", b""),
        ("ana", b"/a\0b"),
        ("ana", b"//a"),
        ("ana", b"/a/"),
    ] {
        let exit = attack(&world, &String::from_utf8_lossy(path), |a| a.directory(host, path, good()));
        assert_eq!(exit, 10, "{}", String::from_utf8_lossy(path));
    }
    for host in ["..", "../outside", "", "a/b", "\u{1b}[2J", "."] {
        attack(&world, host, |a| {
            a.directory(host, b"/docs", good());
            a.directory("ana", b"/docs", good());
        });
    }
}

#[test]
fn a_link_and_then_something_below_it() {
    let world = machine();
    let outside = world.arg("outside");
    let evil = || vec![entry(b"evil", symlink(outside.as_bytes()))];
    // One source is a link, another lies below it.
    let exit = attack(&world, "source below a link", |a| {
        let root = a.node(&Node::Root(entry(b"evil", symlink(outside.as_bytes()))));
        a.source("ana", b"/docs/evil", root);
        a.directory("ana", b"/docs/evil/dir", vec![entry(b"new", file(b"evil"))]);
    });
    assert!([0, 3].contains(&exit), "{exit}");
    attack(&world, "source below a link in another source", |a| {
        a.directory("ana", b"/docs", evil());
        a.directory("ana", b"/docs/evil/dir", vec![entry(b"new", file(b"evil"))]);
    });
    // An earlier restore has made the link; this one has a directory there.
    let before = look::at(world.path("outside"));
    let mut attacker = Attacker::of(&world);
    attacker.directory("ana", b"/docs", evil());
    attacker.commit();
    let out = world.arg("out");
    calm(bounded(&world, &["restore", "--to", &out])).ok();
    assert!(fs::symlink_metadata(world.path("out/docs/evil")).unwrap().is_symlink());
    let below = attacker.node(&Node::Page(vec![entry(b"secret", file(b"evil")), entry(b"new", file(b"evil"))]));
    attacker.directory("ana", b"/docs", vec![entry(b"evil", dir(below))]);
    attacker.commit();
    for overwrite in ["never", "if-changed", "always"] {
        calm(bounded(&world, &["restore", "--to", &out, "--overwrite", overwrite]));
        calm(bounded(&world, &["restore", "--to", &out, "--overwrite", overwrite, "--delete", "--yes"]));
        before.same_as(&look::at(world.path("outside")));
    }
    // Links that were planted in the target before: as the target's directory, and as a file in it.
    world.command("rm", ["-rf", &out]).ok();
    fs::create_dir(world.path("out")).unwrap();
    std::os::unix::fs::symlink(&outside, world.path("out/docs")).unwrap();
    calm(bounded(&world, &["restore", "--to", &out, "--overwrite", "always"]));
    before.same_as(&look::at(world.path("outside")));
}

#[test]
fn hard_links_to_elsewhere() {
    let world = machine();
    let secret = fs::metadata(world.path("outside/secret")).unwrap();
    let with = |name: &[u8], content: &[u8]| Entry {
        facts: Facts { inode: secret.ino(), link: Some((secret.ino(), 2)), ..Facts::default() },
        ..entry(name, file(content))
    };
    attack(&world, "links", |a| {
        a.directory("ana", b"/docs", vec![with(b"a", b"secret"), with(b"b", b"other!"), with(b"c", b"secret")]);
    });
    let now = fs::metadata(world.path("outside/secret")).unwrap();
    assert_eq!((now.nlink(), now.ino(), now.mtime()), (1, secret.ino(), secret.mtime()));
}

#[test]
fn devices_and_rights() {
    let world = machine();
    let special = || {
        let set = Entry { mode: 0o6755, ..entry(b"setuid", file(b"#!/bin/sh\n")) };
        let root = Arc::new(Owner { uid: 0, gid: 0, user: b"root"[..].into(), group: b"root"[..].into() });
        vec![entry(b"block", What::Block(8, 0)), entry(b"char", What::Char(1, 1)), Entry { owner: root, ..set }]
    };
    let mut attacker = Attacker::of(&world);
    attacker.directory("ana", b"/docs", special());
    attacker.commit();
    // As it was made, root gets it back: whoever restores as root restores root's files.
    let restore = calm(bounded(&world, &["restore", "--to", &world.arg("out")]));
    if need::is_root() && restore.code() == 0 {
        assert!(fs::symlink_metadata(world.path("out/docs/char")).unwrap().file_type().is_char_device());
    }
    // Anybody else gets no devices, and files of their own.
    if need::root() {
        let user = world.user("bob", 4242);
        let out = user.home().join("out");
        fs::copy(world.key_file(), user.home().join("key")).unwrap();
        user.give(&user.home().join("key"));
        world.command("chown", ["-R", "4242:4242", &world.arg("vault")]).ok();
        let restore = user.with_vault(world.arg("vault")).tuckbox(["restore", "--key"]).and([user.home().join("key")]);
        restore.and(["--to".into(), out.clone()]).run().exits(3);
        assert!(!out.join("docs/block").exists() && !out.join("docs/char").exists());
        let set = fs::metadata(out.join("docs/setuid")).unwrap();
        assert_eq!(set.uid(), 4242);
    }
}

fn pieces(node: NodeId, size: u64) -> What {
    What::File { size, content: Content::List { node, content: ContentId::ZERO }, cut: CutClass::Fixed16 }
}

fn of_chunk(id: ChunkId, size: u64) -> What {
    What::File { size, content: Content::Chunk(id), cut: CutClass::Whole }
}

#[test]
fn sizes_that_lie() {
    let world = machine();
    attack(&world, "chunk longer and shorter", |a| {
        let chunk = a.chunk(b"ten bytes.");
        a.directory("ana", b"/docs", vec![entry(b"a", of_chunk(chunk, 3)), entry(b"b", of_chunk(chunk, 100_000))]);
    });
    attack(&world, "list longer than its pieces", |a| {
        let chunk = a.chunk(b"ten bytes.");
        let list = a.node(&Node::Pieces(vec![Piece::Data { id: chunk, len: 10 }; 100]));
        let index = a.node(&Node::ListIndex(vec![ListChild { node: list, content: ContentId::ZERO, bytes: 1 << 40 }]));
        a.directory(
            "ana",
            b"/docs",
            vec![
                entry(b"a", pieces(list, 1 << 40)),
                entry(b"b", pieces(index, 1 << 40)),
                entry(b"c", pieces(index, 1_000)),
            ],
        );
    });
    attack(&world, "holes beyond every disk", |a| {
        let hole =
            |len| What::File { size: len, content: Content::Pieces(vec![Piece::Hole(len)]), cut: CutClass::Fixed16 };
        let zeros =
            |len| What::File { size: len, content: Content::Pieces(vec![Piece::Zeros(len)]), cut: CutClass::Fixed16 };
        a.directory(
            "ana",
            b"/docs",
            vec![entry(b"a", hole(i64::MAX as u64)), entry(b"b", hole(u64::MAX)), entry(b"c", zeros(1 << 30))],
        );
    });
    attack(&world, "totals and times without measure", |a| {
        let below = a.node(&Node::Page(vec![entry(b"x", file(b"x"))]));
        let huge = Totals { files: u64::MAX, dirs: u64::MAX, bytes: u64::MAX, newest: i64::MAX };
        let child = store::tree::Child { node: below, content: ContentId::ZERO, totals: huge };
        let far = Entry { mtime: Time { secs: i64::MAX, nanos: 999_999_999 }, ..entry(b"far", file(b"x")) };
        let long_ago = Entry { mtime: Time { secs: i64::MIN, nanos: 0 }, ..entry(b"long ago", file(b"x")) };
        a.directory("ana", b"/docs", vec![entry(b"a", What::Dir(child)), entry(b"b", What::Dir(child)), far, long_ago]);
    });
}

#[test]
fn pages_that_lie() {
    let world = machine();
    let child = |first: &[u8], node| IndexChild {
        first: first.into(),
        node,
        content: ContentId::ZERO,
        totals: Totals::none(),
        entries: 1,
    };
    let page = |a: &mut Attacker, name: &[u8]| a.node(&Node::Page(vec![entry(name, file(b"x"))]));
    let root = |a: &mut Attacker, top| {
        let root = a.node(&Node::Root(entry(b"docs", dir(top))));
        a.source("ana", b"/docs", root);
    };
    for (what, first, second) in [("order", b"b", b"a"), ("same", b"a", b"a")] {
        let exit = attack(&world, what, |a| {
            let (one, two) = (page(a, first), page(a, second));
            let top = a.node(&Node::Index(vec![child(first, one), child(second, two)]));
            root(a, top);
        });
        assert_eq!(exit, 10, "{what}");
    }
    for (what, said) in [("a page begins otherwise", &b"a"[..]), ("a page has names of the next", b"z")] {
        let exit = attack(&world, what, |a| {
            let (one, two) = (page(a, b"b"), page(a, b"z"));
            let top = a.node(&Node::Index(vec![child(said, one), child(b"zz", two)]));
            root(a, top);
        });
        assert_eq!(exit, 10, "{what}");
    }
    let exit = attack(&world, "deeper than any directory", |a| {
        let mut top = page(a, b"a");
        for _ in 0..40 {
            top = a.node(&Node::Index(vec![child(b"a", top)]));
        }
        root(a, top);
    });
    assert_eq!(exit, 10);
    let exit = attack(&world, "another kind of node", |a| {
        let inner = a.node(&Node::Root(entry(b"x", file(b"x"))));
        let list = a.node(&Node::Pieces(vec![Piece::Hole(10)]));
        let page =
            a.node(&Node::Page(vec![entry(b"a", dir(inner)), entry(b"b", dir(list)), entry(b"c", pieces(inner, 10))]));
        root(a, page);
    });
    assert_eq!(exit, 10);
}

/// Directories in directories that are all the same node: few bytes, and more names than there are atoms.
#[test]
fn a_tree_without_end() {
    let world = machine();
    let mut attacker = Attacker::of(&world);
    let mut node = attacker.node(&Node::Page(vec![entry(b"x", file(b"x"))]));
    for _ in 0..60 {
        node = attacker.node(&Node::Page(vec![entry(b"a", dir(node)), entry(b"b", dir(node))]));
    }
    let root = attacker.node(&Node::Root(entry(b"docs", dir(node))));
    attacker.source("ana", b"/docs", root);
    attacker.commit();
    // Whoever asks for all of it gets it until they stop it, by one signal: memory does not grow with it.
    for words in ["ls -r >list", "restore --to out --dry-run", "dump / -o out.tar", "diff previous latest >list"] {
        let script = format!(
            "ulimit -v 1500000; exec timeout --signal=INT --kill-after=20 2 '{}' {words}",
            world.arg("bin/tuckbox")
        );
        let outcome = world.command("sh", ["-c", &script]).limit(Duration::from_secs(60)).run();
        assert!([124, 0, 10].contains(&outcome.code()), "{outcome}");
        assert!(!outcome.err().contains("panicked at") && !outcome.err().contains("memory allocation"), "{outcome}");
        for file in ["list", "out.tar"] {
            fs::remove_file(world.home().join(file)).unwrap_or_default();
        }
    }
    // What can be told without walking it is told.
    calm(bounded(&world, &["ls", &world.arg("docs")]));
    calm(bounded(&world, &["ls", "/docs/a/b/a"])).ok();
    calm(bounded(&world, &["versions"])).ok();
}
