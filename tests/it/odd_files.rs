//! What stands where our own files are to be, and what the surroundings say: told, and never waited for.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tests::subject::{Outcome, files_below};
use tests::tree::Tree;
use tests::world::World;

use crate::world;

/// Longer than any of these runs takes, and shorter than a wait for ever.
const SOON: Duration = Duration::from_secs(60);

/// `versions` while a fifo stands at this path.
fn with_fifo_at(world: &World, path: &Path) -> Outcome {
    let aside = path.with_extension("aside");
    let there = fs::rename(path, &aside).is_ok();
    Tree::at(path.parent().unwrap()).fifo(path.file_name().unwrap().to_str().unwrap());
    Tree::at(path.parent().unwrap()).mode(path.file_name().unwrap().to_str().unwrap(), 0o600);
    let run = world.tuckbox(["versions"]).limit(SOON).run();
    fs::remove_file(path).unwrap();
    if there {
        fs::rename(aside, path).unwrap();
    }
    run
}

#[test]
fn a_fifo_is_not_waited_for() {
    let world = world().ready();
    world.tuckbox(["backup", "--stdin"]).ok();
    with_fifo_at(&world, &world.key_file()).fails("system", 1).says("no regular file");
    let config = world.home().join(".config/tuckbox/config.toml");
    with_fifo_at(&world, &config).fails("config.invalid", 2).says("no regular file");
    let state: Vec<PathBuf> = files_below(&world.home().join(".local/state/tuckbox/accounts"));
    let state = state.iter().find(|file| file.extension().is_some_and(|e| e == "json")).unwrap();
    with_fifo_at(&world, state).fails("system", 1).says("no regular file");
    world.tuckbox(["versions"]).ok();
}

#[test]
fn a_time_zone_that_never_ends() {
    let world = world().ready();
    for zone in [":/dev/zero", "/dev/zero", "/dev/tty", ":", "Nowhere/At_all"] {
        world.tuckbox(["versions"]).env("TZ", zone).limit(SOON).ok();
    }
}

#[test]
fn a_vault_is_made_in_an_empty_directory_and_where_an_attempt_was_cut_off() {
    for left in [&[][..], &["domains"], &["domains", "0123456789abcdef.new"]] {
        let world = world();
        fs::create_dir(world.vault()).unwrap();
        left.iter().for_each(|name| fs::create_dir(world.vault().join(name)).unwrap());
        world.with_vault(world.arg("vault")).ready().tuckbox(["versions"]).ok();
    }
    let world = world();
    fs::create_dir(world.vault()).unwrap();
    fs::write(world.vault().join("thesis"), "mine").unwrap();
    world.with_vault(world.arg("vault")).tuckbox(["init"]).run().fails("vault.not_a_vault", 5);
    assert_eq!(fs::read_dir(world.vault()).unwrap().count(), 1);
}

#[test]
fn ways_to_open_the_key_that_go_are_told() {
    let world = world().ready();
    fs::write(world.path("pass"), "a passphrase\n").unwrap();
    let pass = world.arg("pass");
    world.tuckbox(["key", "add", "--new-password-file", &pass]).ok();
    let passwd = || world.tuckbox(["key", "passwd", "--new-password-file", &pass, "--password-file", &pass]).ok();
    passwd().says("The 2 ways to open the key file before are gone");
    assert!(!passwd().text().contains("before are gone"));
}
