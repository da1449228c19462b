//! Bad input gets a clear error and loses nothing: each code with its sentence, its hint and its exit code, pinned below
//! `pinned/errors/`.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use tests::subject::{Outcome, files_below, flip};
use tests::world::World;
use tests::{look, need, oath, pinned, tree};

use crate::world;

/// It failed so, and told it in the pinned words.
fn pin(outcome: Outcome, code: &str, exit: i32) {
    pin_as(outcome, code, code, exit);
}

/// The same for a code that is told in several ways.
fn pin_as(outcome: Outcome, name: &str, code: &str, exit: i32) {
    let outcome = outcome.fails(code, exit);
    pinned::check(&format!("errors/{name}"), &outcome.error());
}

/// A machine with one version of a small tree at `docs`.
fn one_version() -> World {
    let world = world().ready();
    tree::small(world.path("docs"));
    world.tuckbox(["backup", &world.arg("docs")]).ok();
    world
}

#[test]
fn words_that_are_not_understood() {
    let world = world();
    let run = |words: &[&str]| world.tuckbox(words).run();
    pin_as(run(&["backup", "--no-such-flag"]), "usage.flag", "usage", 2);
    pin_as(run(&["bakup"]), "usage.misspelt", "usage", 2);
    pin_as(run(&["snapshots"]), "usage.snapshots", "usage", 2);
    pin_as(run(&["prune"]), "usage.prune", "usage", 2);
    pin_as(run(&["mount"]), "usage.mount", "usage", 2);
    pin_as(run(&["list"]), "usage.list", "usage", 2);
    pin_as(run(&["backup"]), "usage.nothing", "usage", 2);
    pin(run(&["ls", "--at", "the day before"]), "usage.time", 2);
    pin_as(run(&["ls", "--at", "+3h"]), "usage.time.future", "usage.time", 2);
}

#[test]
fn a_configuration_with_a_mistake() {
    let world = world();
    let config = world.home().join(".config/tuckbox/config.toml");
    fs::create_dir_all(config.parent().unwrap()).unwrap();
    for (name, text) in [
        ("config.invalid", "valut = \"/x\"\n"),
        ("config.invalid.syntax", "vault = \n"),
        ("config.invalid.kind", "[[source]]\npath = 7\n"),
    ] {
        fs::write(&config, text).unwrap();
        pin_as(world.tuckbox(["versions"]).run(), name, "config.invalid", 2);
    }
    world.tuckbox(["version"]).ok();
}

#[test]
fn vaults_that_are_none() {
    let world = world();
    tree::small(world.path("docs"));
    let backup = |vault: &str| world.tuckbox(["backup", &world.arg("docs"), "--vault", vault]).run();
    pin(backup(&world.arg("nowhere")), "vault.none", 5);
    assert!(!world.path("nowhere").exists(), "it must not be made");
    pin_as(world.tuckbox(["versions"]).run(), "vault.none.default", "vault.none", 5);

    let other = tree::small(world.path("other"));
    let before = look::at(other.path());
    pin(backup(&world.arg("other")), "vault.not_a_vault", 5);
    pin_as(
        world.tuckbox(["init", "--vault", &world.arg("other")]).run(),
        "vault.not_a_vault.init",
        "vault.not_a_vault",
        5,
    );
    before.same_as(&look::at(other.path()));
}

#[test]
fn a_vault_of_a_newer_program() {
    let world = one_version();
    let file = world.vault().join("vault.json");
    let mut vault: serde_json::Value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
    let mut write = |change: &dyn Fn(&mut serde_json::Value)| {
        change(&mut vault);
        // serde_json keeps keys sorted, and prints no blanks: what FORMAT.md hashes.
        vault.as_object_mut().unwrap().remove("check");
        let check = blake3::hash(vault.to_string().as_bytes()).to_hex().to_string();
        vault["check"] = check.into();
        fs::write(&file, vault.to_string()).unwrap();
    };
    write(&|vault| vault["format"] = 2.into());
    let before = look::at(world.vault());
    pin(world.tuckbox(["versions"]).run(), "format.newer", 11);
    world.tuckbox(["backup", &world.arg("docs")]).run().fails("format.newer", 11);
    before.without(|item| item.mtime = (0, 0)).same_as(&look::at(world.vault()).without(|item| item.mtime = (0, 0)));
    write(&|vault| vault["format"] = 1.into());
    world.tuckbox(["versions"]).ok();
    write(&|vault| vault["features"] = vec![0, 0, 2].into());
    world.tuckbox(["versions"]).run().fails("format.newer", 11);
    // A compatible feature changes nothing for us.
    write(&|vault| vault["features"] = vec![1 << 20, 0, 0].into());
    world.tuckbox(["versions"]).ok();
}

#[test]
fn a_vault_of_another_user() {
    if !need::root() || !need::programs(&["setpriv"]) {
        return;
    }
    let world = one_version();
    fs::set_permissions(world.vault(), fs::Permissions::from_mode(0o755)).unwrap();
    let guest = world.user("guest", 4_321);
    pin(guest.tuckbox(["versions", "--vault", &world.arg("vault")]).run(), "vault.refused", 7);
}

#[test]
fn accounts() {
    let world = one_version();
    pin(world.tuckbox(["versions", "--account", "nobody"]).run(), "account.none", 5);
    let bob = world.machine("bob").with_vault(world.arg("vault"));
    pin(bob.tuckbox(["init", "--account", "ana"]).run(), "account.bound", 12);
    pin(bob.tuckbox(["versions", "--account", "ana"]).run(), "key.none", 7);

    world.tuckbox(["init", "--account", "second"]).ok();
    fs::remove_dir_all(world.home().join(".local/state")).unwrap();
    pin(world.tuckbox(["versions"]).run(), "account.which", 2);
}

#[test]
fn versions_and_paths() {
    let world = one_version();
    let ls = |words: &[&str]| world.tuckbox(["ls"]).and(words).run();
    pin(ls(&["--at", "2001-01-01"]), "version.none", 5);
    pin_as(ls(&["--at", "latest~7"]), "version.none.back", "version.none", 5);
    pin_as(ls(&["--at", "id:0123456789"]), "version.none.id", "version.none", 5);
    pin(ls(&[&world.arg("docs/absent")]), "path.none", 5);
    let run = world.tuckbox(["restore", &world.arg("docs/absent"), "--to", &world.arg("out")]).run();
    pin_as(run, "path.none.restore", "path.none", 5);
    world.tuckbox(["dump", &world.arg("docs/absent")]).run().fails("path.none", 5);
}

#[test]
fn a_damaged_vault_says_what_is_lost_and_gives_the_rest() {
    let world = one_version();
    let packs = files_below(&world.vault()).into_iter().filter(|f| f.extension().is_some_and(|e| e == "pack"));
    let largest = packs.max_by_key(|f| fs::metadata(f).unwrap().len()).unwrap();
    let middle = fs::metadata(&largest).unwrap().len() / 2;
    flip(&largest, middle);

    let check = world.tuckbox(["check", "--read-data"]).run().exits(10);
    assert!(check.text().contains("DAMAGED"), "{check}");
    let restore = world.tuckbox(["restore", &world.arg("docs"), "--to", &world.arg("out")]).run().exits(10);
    assert!(restore.err().contains("data.damaged"), "{restore}");
    assert_eq!(fs::read(world.path("out/docs/letter.txt")).unwrap(), b"Dear Ana,\n");
    pin(world.tuckbox(["dump", &world.arg("docs/photos/lake.raw")]).run(), "data.damaged", 10);

    let versions = world.tuckbox(["versions"]).ok().says("with holes");
    assert_eq!(versions.text().matches("with holes").count(), 1, "{versions}");

    // A backup of the source, unchanged, gives back what was lost, and says so.
    world.tuckbox(["backup", &world.arg("docs")]).ok().says("1 version complete again");
    assert!(!world.tuckbox(["versions"]).ok().text().contains("holes"));
    world.tuckbox(["restore", &world.arg("docs"), "--to", &world.arg("healed")]).ok();
    look::at(world.path("docs")).same_as(&look::at(world.path("healed/docs")));
    world.tuckbox(["check", "--full"]).ok();
}

#[test]
fn what_needs_no_source_is_repaired_after_a_plan() {
    let world = one_version();
    world.tuckbox(["repair"]).ok().says("Nothing to repair");
    let pack = files_below(&world.vault()).into_iter().find(|f| f.extension().is_some_and(|e| e == "pack")).unwrap();
    // Of its trailer.
    flip(&pack, fs::metadata(&pack).unwrap().len() - 10);
    world.tuckbox(["check"]).run().exits(10);
    world.tuckbox(["repair"]).run().exits(12).says("tuckbox repair --yes");
    assert!(pack.exists());
    world.tuckbox(["repair", "--yes"]).ok().says("1 step done");
    assert!(!pack.exists());
    world.tuckbox(["check", "--full"]).ok().says("Everything is there.");
    world.tuckbox(["restore", &world.arg("docs"), "--to", &world.arg("out")]).ok();
    look::at(world.path("docs")).same_as(&look::at(world.path("out/docs")));
}

/// The newest link is gone with the catalog that had it too: an older version comes, and it is said.
#[test]
fn an_older_version_than_was_seen_is_never_restored_silently() {
    let world = one_version();
    world.quiet();
    oath::copied(&world.vault(), &world.path("older"));
    fs::write(world.path("docs/letter.txt"), "Dear Ana, once more\n").unwrap();
    world.tuckbox(["backup", &world.arg("docs")]).ok();
    // Somebody has put an older copy in place of the vault.
    oath::remove(&world.vault());
    fs::rename(world.path("older"), world.vault()).unwrap();
    let restore = world.tuckbox(["restore", &world.arg("docs"), "--to", &world.arg("out")]).run().exits(3);
    restore.says("this may not be the newest version").warns("history.rollback");
    assert_eq!(fs::read(world.path("out/docs/letter.txt")).unwrap(), b"Dear Ana,\n");
}

#[test]
fn a_full_disk_under_the_vault() {
    if !need::root() {
        return;
    }
    let world = world();
    let Some(_mounted) = need::mount_tmpfs(&world.dir("small"), "8m") else { return };
    let world = world.with_vault(world.arg("small/vault"));
    world.tuckbox(["init"]).ok();
    tree::small(world.path("docs"));
    world.tuckbox(["backup", &world.arg("docs/code")]).ok();
    tree::Tree::at(world.path("docs")).file("too much", tree::Seeded::new(4).bytes(24 << 20));
    pin(world.tuckbox(["backup", &world.arg("docs")]).run(), "disk.full", 9);
    world.tuckbox(["check", "--read-data"]).ok();
    world.tuckbox(["restore", &world.arg("docs/code"), "--to", &world.arg("out")]).ok();
    look::at(world.path("docs/code")).same_as(&look::at(world.path("out/code")));
}

#[test]
fn a_full_disk_under_a_restore() {
    if !need::root() {
        return;
    }
    let world = one_version();
    let Some(_mounted) = need::mount_tmpfs(&world.dir("small"), "1m") else { return };
    let run = world.tuckbox(["restore", &world.arg("docs"), "--to", &world.arg("small")]).run();
    pin_as(run, "disk.full.restore", "disk.full", 9);
}

#[test]
fn ends_that_are_not_ours_or_not_there() {
    let world = one_version();
    let versions = |vault: &str| world.tuckbox(["versions", "--vault", vault]).run();
    pin(versions("cmd:echo hello; echo who are you"), "net.not_ours", 8);
    pin(versions("cmd:no-such-program-anywhere"), "net.no_program", 5);
    pin_as(versions("cmd:exit 3"), "net.not_ours.exit", "net.not_ours", 8);
    pin(versions("ssh://127.0.0.1:1/vault"), "net.unreachable", 8);
}

#[test]
fn roles_can_only_be_narrowed() {
    let world = one_version();
    let vault = world.arg("vault");
    let through = |role: &str| world.with_vault(format!("cmd:tuckbox serve --stdio --vault {vault} --role {role}"));
    pin(through("read").tuckbox(["backup", &world.arg("docs")]).run(), "policy.role", 12);
    through("read").tuckbox(["versions"]).ok();
    through("append").tuckbox(["backup", &world.arg("docs")]).ok();
    pin_as(through("append").tuckbox(["key", "rotate"]).run(), "policy.role.append", "policy.role", 12);
    let forced = world
        .with_vault(format!("cmd:SSH_ORIGINAL_COMMAND='rm -rf /' tuckbox serve --stdio --vault {vault} --role append"));
    let run = forced.tuckbox(["versions"]).run();
    pin_as(run, "policy.role.forced", "policy.role", 12);
}

#[test]
fn every_code_has_a_page() {
    let world = world();
    for code in agent::fault::Code::ALL {
        world.tuckbox(["explain", code.name()]).ok().says(code.name());
    }
}

#[test]
fn an_empty_path_is_not_this_directory() {
    let world = world().ready();
    for words in [&["backup", ""][..], &["restore", "", "--to", "out"], &["restore", "x", "--to", ""], &["ls", ""]] {
        world.tuckbox(words).run().fails("usage", 2).says("it is empty");
    }
}

/// A hint is a command to type: what only this command line said, it says again.
#[test]
fn hints_name_the_vault_that_was_named() {
    let ana = world();
    let vault = ana.arg("the vault");
    ana.tuckbox(["init", "--vault", &vault]).ok().says(&format!("Next:  tuckbox backup --vault '{vault}' DIR"));
    let bob = ana.machine("bob");
    let tried = |words: &[&str]| bob.tuckbox(words).and(["--vault", &vault]).run();
    // As errors are pinned.
    let named = "WORLD/the vault";
    let bound = tried(&["init", "--account", "ana"]).fails("account.bound", 12).error();
    assert!(bound.contains(&format!("tuckbox key recover --vault '{named}' --account ana")), "{bound}");
    assert!(bound.contains(&format!("tuckbox init --vault '{named}' --account NAME")), "{bound}");
    let none = tried(&["versions", "--account", "lapt"]).fails("account.none", 5).error();
    assert!(none.contains(&format!("{named}: there is no account lapt")), "{none}");
    assert!(none.contains(&format!("tuckbox account list --vault '{named}'")), "{none}");
    let json = bob.tuckbox(["versions", "--json", "--vault", &vault]).run().exits(7).record("error");
    assert_eq!(json["hint"].as_str().unwrap().matches(&format!("--vault '{vault}'")).count(), 1, "{json}");
    // What the environment says, it says to the next command too.
    let set = bob.with_vault(&vault).tuckbox(["versions"]).run().fails("key.none", 7).error();
    assert!(!set.contains("--vault"), "{set}");
    // An address is shown as it was typed, whatever carries.
    let far = format!("cmd:{} serve --stdio --vault={}", bob.arg("bin/tuckbox"), bob.arg("nowhere"));
    let lost = bob.tuckbox(["versions", "--vault", &far]).run().fails("vault.none", 5).error();
    let far = far.replace(bob.path("").to_str().unwrap().trim_end_matches('/'), "WORLD");
    assert!(lost.contains(&format!("there is no vault at {far}")) && lost.contains("check the address"), "{lost}");
    assert!(lost.contains(&format!("tuckbox init --vault '{far}'")), "{lost}");
}
