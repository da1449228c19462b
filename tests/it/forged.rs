//! A vault that shows another history than the true one, and a server that makes one up: each has its own code, is told
//! before anything is written, and nothing is written until a person has decided.

use std::fs;
use std::path::PathBuf;

use tests::subject::{Outcome, files_below, with_ending};
use tests::tree;
use tests::world::World;

use crate::world;

/// A machine with three versions of `docs`, and the vault as it was after each.
fn three() -> World {
    let world = world().ready();
    tree::small(world.path("docs"));
    for n in 1..=3 {
        world.another(&format!("version {n}"));
        world.copy("vault", &format!("vault-{n}"));
    }
    world
}

/// Without its catalog, which is made anew from what is there.
fn uncatalogued(world: &World) {
    let of_catalog = |file: &PathBuf| file.file_name().is_some_and(|n| n.as_encoded_bytes().starts_with(b"catalog"));
    files_below(&world.vault()).into_iter().filter(of_catalog).for_each(|file| fs::remove_file(file).unwrap());
}

/// Everything in the vault that is truth, with its content.
fn truth(world: &World) -> Vec<(PathBuf, Vec<u8>)> {
    let truths = ["link", "body", "pack", "note"].into_iter().flat_map(|ending| with_ending(&world.vault(), ending));
    truths.map(|file| (file.clone(), fs::read(&file).unwrap())).collect()
}

/// Whoever would write is refused with this code, and nothing is written; whoever checks is told; after the decision
/// it goes on.
fn caught(world: &World, code: &str, exit: i32) {
    let before = truth(world);
    fs::write(world.path("docs/letter.txt"), "not to be written").unwrap();
    world.tuckbox(["backup", &world.arg("docs")]).run().fails(code, exit);
    world.tuckbox(["key", "rotate"]).run().fails(code, exit);
    assert!(truth(world) == before, "{code}: something was written");
    let check = world.tuckbox(["check", "--json"]).run().exits(exit);
    assert!(check.records("finding").iter().any(|finding| finding["code"] == code), "{check}");
    assert!(truth(world) == before, "{code}: a check has written");
}

/// The number that a person accepts after looking.
fn newest(world: &World) -> String {
    let check = world.tuckbox(["check", "--json"]).run();
    check.record("summary")["pin"].as_str().unwrap().split('-').next().unwrap().to_owned()
}

/// The person has looked.
fn decided(world: &World) {
    let newest = newest(world);
    world.tuckbox(["check", "--accept-history", "999"]).run().fails("version.none", 5);
    world.tuckbox(["check", "--accept-history", &newest]).ok();
    world.another("and on");
    world.restore_all("back");
}

fn recovered(world: &World, name: &str, vault: &str) -> World {
    fs::write(world.path("words"), world.words()).unwrap();
    let other = world.machine(name).with_vault(world.arg(vault));
    other.tuckbox(["key", "recover", "--words-file", &world.arg("words")]).ok();
    other
}

#[test]
fn put_back() {
    for (n, without_cache) in [("1", false), ("2", false), ("2", true)] {
        let world = three();
        world.copy(&format!("vault-{n}"), "vault");
        if without_cache {
            fs::remove_dir_all(world.home().join(".cache")).unwrap();
        }
        caught(&world, "history.rollback", 10);
        world.tuckbox(["versions"]).ok().warns("history.rollback");
        decided(&world);
    }
}

#[test]
fn gone_on_elsewhere() {
    // Shorter by nothing, longer by some: as seen by who knows the other one.
    for more in [1, 3] {
        let world = three();
        let bob = recovered(&world, "bob", "vault-1");
        (0..more).for_each(|n| bob.another(&format!("elsewhere {n}")));
        world.copy("vault-1", "vault");
        caught(&world, "history.fork", 10);
        decided(&world);
    }
}

#[test]
fn a_link_taken_out() {
    // Out of the middle, with the catalog made anew: the chain is cut there, whatever stands behind.
    let world = three();
    let links = with_ending(&world.vault(), "link");
    fs::remove_file(&links[links.len() - 2]).unwrap();
    uncatalogued(&world);
    let before = truth(&world);
    let backup = world.tuckbox(["backup", &world.arg("docs")]).run().exits(10);
    assert!(backup.err().contains("[history."), "{backup}");
    assert!(truth(&world) == before, "something was written");
}

#[test]
fn a_body_taken_out() {
    let world = three();
    tree::small(world.path("more"));
    world.tuckbox(["backup", &world.arg("more")]).ok();
    let newest =
        with_ending(&world.vault(), "body").into_iter().max_by_key(|f| fs::metadata(f).unwrap().modified().unwrap());
    fs::remove_file(newest.unwrap()).unwrap();
    fs::remove_dir_all(world.home().join(".cache")).unwrap();
    // Without it nobody knows which sources there are: one that goes on would drop the others.
    let before = truth(&world);
    world.tuckbox(["backup", &world.arg("docs")]).run().fails("history.loss", 10);
    assert!(truth(&world) == before, "something was written");
    let sequence = self::newest(&world);
    world.tuckbox(["check", "--accept-history", &sequence]).run().exits(10);
    world.another("and on");
    world.tuckbox(["backup", &world.arg("more")]).ok();
    assert_eq!(
        world.tuckbox(["ls", &world.arg("more")]).ok().text().lines().count(),
        fs::read_dir(world.path("more")).unwrap().count()
    );
}

#[test]
fn a_pin_on_paper() {
    let world = three();
    let pin =
        |world: &World| world.tuckbox(["key", "pin", "--json"]).ok().record("pin")["pin"].as_str().unwrap().to_owned();
    let paper = pin(&world);
    assert_eq!(world.tuckbox(["key", "pin"]).ok().text().trim(), paper);
    world.another("later");
    world.tuckbox(["check", "--pin", &paper.replace('-', " ").replacen(' ', "-", 1).to_uppercase()]).ok();
    // Copied wrongly: said so, and no alarm.
    let digit = if paper.ends_with('0') { "1" } else { "0" };
    world.tuckbox(["check", "--pin", &format!("{}{digit}", &paper[..paper.len() - 1])]).run().exits(2);

    // A new machine, and a vault that is behind, or another: only the paper knows.
    let checked = |machine: &World, vault: &str, code: Option<(&str, i32)>| {
        let machine = machine.with_vault(world.arg(vault));
        machine.tuckbox(["check"]).ok();
        let check = machine.tuckbox(["check", "--json", "--pin", &paper]).run().exits(code.map_or(0, |(_, exit)| exit));
        let found = check.records("finding").iter().any(|f| f["code"] == code.map_or("", |(code, _)| code));
        assert_eq!(found, code.is_some(), "{check}");
    };
    let bob = recovered(&world, "bob", "vault-1");
    checked(&bob, "vault-1", Some(("history.behind", 12)));
    (0..4).for_each(|n| bob.another(&n.to_string()));
    checked(&bob, "vault-1", Some(("history.fork", 10)));
    checked(&world, "vault", None);
}

#[test]
fn a_pin_in_a_second_place() {
    let world = three();
    let pins = world.arg("elsewhere/pins");
    let with_pins =
        |world: &World, words: &[&str]| -> Outcome { world.tuckbox(words).env("TUCKBOX_PIN_FILE", &pins).run() };
    let docs = world.arg("docs");
    with_pins(&world, &["versions"]).ok();
    fs::write(world.path("docs/letter.txt"), "version 4").unwrap();
    with_pins(&world, &["backup", &docs]).ok();
    let kept = fs::read_to_string(&pins).unwrap();
    assert_eq!(kept.lines().count(), 2, "{kept}");

    // The machine is lost, the vault was put back: the second place knows.
    fs::write(world.path("words"), world.words()).unwrap();
    let new = world.machine("new").with_vault(world.arg("vault-3"));
    with_pins(&new, &["key", "recover", "--words-file", &world.arg("words")]).fails("history.behind", 12);
    with_pins(&new, &["versions"]).ok().warns("history.behind");
    with_pins(&new, &["restore", &docs, "--to", &world.arg("out")]).ok().warns("history.behind");
    with_pins(&new, &["backup", &docs]).fails("history.behind", 12);
    with_pins(&new, &["key", "pin"]).fails("history.behind", 12);
    assert_eq!(fs::read_to_string(&pins).unwrap(), kept, "nothing is overwritten");
    let newest = newest(&new);
    with_pins(&new, &["check", "--accept-history", &newest]).ok();
    with_pins(&new, &["backup", &docs]).ok();
    assert_ne!(fs::read_to_string(&pins).unwrap(), kept);
    // The lost machine is found again, and goes on with its vault: that is another history now.
    with_pins(&world, &["backup", &docs]).fails("history.behind", 12);
    (0..3).for_each(|n| world.another(&n.to_string()));
    with_pins(&world, &["backup", &docs]).fails("history.fork", 10);

    // A place that is not there today is told, and no reason not to back up.
    fs::remove_file(&pins).unwrap();
    fs::create_dir(&pins).unwrap();
    with_pins(&world, &["backup", &docs]).ok().warns("system");
}

/// The same machine, served by a liar.
fn lied_to(world: &World, lie: &str) -> World {
    world.with_vault(format!("cmd:'{}' '{}' '{lie}'", env!("CARGO_BIN_EXE_liar"), world.arg("vault")))
}

#[test]
fn made_up_by_the_server() {
    let world = three();
    // Another account in the same vault, with a key of its own.
    let carl = world.machine("carl").with_vault(world.arg("vault"));
    carl.tuckbox(["init", "--account", "carl"]).ok();
    carl.tuckbox(["backup", &world.arg("docs")]).ok();
    let lies = [
        ("links-spoiled", "data.damaged", 10),
        ("link-left-out", "history.gap", 10),
        ("link-for-its-neighbour", "history.gap", 10),
        ("link-of-another-kind", "history.gap", 10),
        ("foreign-links", "history.gap", 10),
        ("bodies-gone", "history.loss", 10),
        ("other-body", "net.protocol", 1),
        // What only the first answer says is not believed: the links themselves are asked for.
        ("no-head", "", 0),
        ("last-link-gone", "", 0),
        ("links-turned", "", 0),
        ("links-again", "", 0),
    ];
    // With what this machine knows, and on one that knows nothing but the words.
    let fresh = recovered(&world, "fresh", "vault");
    for (lie, code, exit) in lies {
        let before = truth(&world);
        for machine in [&world, &fresh] {
            fs::remove_dir_all(machine.home().join(".cache")).unwrap_or_default();
            let liar = lied_to(machine, lie);
            fs::write(world.path("docs/letter.txt"), format!("not to be written after {lie}")).unwrap();
            let backup = liar.tuckbox(["backup", &world.arg("docs")]).run();
            if exit == 0 {
                backup.ok();
                continue;
            }
            backup.fails(code, exit);
            assert!(truth(&world) == before, "{lie}: something was written");
            liar.tuckbox(["restore", &world.arg("docs"), "--to", &world.arg("out")]).run().exits(exit);
            assert!(!world.path("out").exists() || files_below(&world.path("out")).is_empty(), "{lie}");
        }
    }
    world.tuckbox(["check", "--full"]).ok();
}
