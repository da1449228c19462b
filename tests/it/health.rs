//! How accounts are: what clients tell, what `status` says of it, who hears of changes, reports over a time.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use tests::need;
use tests::sshd::{Setup, Sshd};
use tests::subject::{Outcome, files_below, flip, with_ending};
use tests::world::World;

use crate::housekeeping::noise;
use crate::world;

/// A machine with a vault, and a source whose file has a name that nobody else is to see.
fn machine() -> World {
    filled(&world())
}

fn filled(world: &World) -> World {
    let world = world.ready();
    let docs = world.dir("docs");
    fs::write(docs.join("very-secret-name.txt"), "a".repeat(5_000)).unwrap();
    world
}

/// The same machine at this hour of a day.
fn at(world: &World, day: u32, hour: u32) -> World {
    world.with_env("TUCKBOX_CLOCK", format!("2026-11-{day:02}T{hour:02}:00:00Z"))
}

fn back_up(world: &World) -> Outcome {
    world.tuckbox(["backup", &world.arg("docs")]).run()
}

fn status(world: &World) -> serde_json::Value {
    world.tuckbox(["status", "--json"]).run().record("status").clone()
}

#[test]
fn an_account_is_never_then_ok_then_late_and_each_has_its_exit() {
    let world = machine();
    let morning = at(&world, 20, 8);
    morning.tuckbox(["status"]).run().exits(4).says("WARN account=ana check=never last=never");
    back_up(&morning).ok();
    morning.tuckbox(["account", "set", "ana", "--late-after", "26h", "--hard", "1G"]).ok();
    let told = morning.tuckbox(["status"]).run().exits(0);
    assert!(told.text().starts_with("OK account=ana check=ok last=2026-11-20T08:00:00Z took="), "{told}");
    assert!(told.text().contains(" due=2026-11-21T10:00:00Z stored="), "{told}");
    at(&world, 21, 10).tuckbox(["status"]).ok();
    at(&world, 21, 11).tuckbox(["status"]).run().exits(4).says("WARN account=ana check=late ");
    at(&world, 22, 13).tuckbox(["status", "--all"]).run().exits(4).says("ERR account=ana check=late ");
    let late = at(&world, 21, 11);
    let record = status(&late);
    assert_eq!((record["status"].as_str(), record["level"].as_str()), (Some("late"), Some("warn")));
    assert_eq!(record["last_run"]["exit"], 0);
    assert_eq!(record["last_run"]["files"], 1);
    // Nagios' own numbers, and what a collector reads.
    let nagios = |world: &World, exit| world.tuckbox(["status", "--format", "nagios"]).run().exits(exit);
    assert!(nagios(&morning, 0).text().starts_with("TUCKBOX OK: ana ok: "));
    assert!(nagios(&late, 1).text().starts_with("TUCKBOX WARNING: ana late: "));
    assert!(nagios(&at(&world, 22, 13), 2).text().starts_with("TUCKBOX CRITICAL: ana late: "));
    let nowhere = world.with_vault("/nowhere/at/all");
    assert!(nagios(&nowhere, 3).text().starts_with("TUCKBOX UNKNOWN: "));
    let text = late.tuckbox(["status", "--all", "--format", "prometheus"]).ok();
    assert!(
        text.text().contains("tuckbox_account_status{account=\"ana\",number=\"0x1\",status=\"late\"} 1\n"),
        "{text}"
    );
    late.tuckbox(["status", "--format", "nagios", "--json"]).run().exits(2);
    // A backup, and all is well again.
    back_up(&late).ok();
    late.tuckbox(["status", "ana"]).ok();
}

#[test]
fn a_failed_run_is_told_even_when_it_never_reached_the_vault() {
    let world = machine();
    back_up(&world).ok();
    // No connection came about: it waits, and is told with the next run.
    let away = world.path("away");
    fs::rename(world.vault(), &away).unwrap();
    back_up(&world).exits(5);
    fs::rename(&away, world.vault()).unwrap();
    world.tuckbox(["status"]).ok();
    back_up(&world).ok();
    let log = world.tuckbox(["account", "log", "ana"]).ok();
    assert_eq!(log.text().matches("backup from").count(), 3, "{log}");
    assert!(log.text().contains("error    run  backup from") && log.text().contains("failed with vault.none"), "{log}");
    world.tuckbox(["status"]).ok();
    // The connection lives: it is told at once.
    world.tuckbox(["backup", &world.arg("nothing-here")]).run().exits(5);
    let told = world.tuckbox(["status"]).run().exits(4);
    assert!(
        told.text().starts_with("ERR account=ana check=failing ") && told.text().contains("code=source.none"),
        "{told}"
    );
    back_up(&world).ok();
    world.tuckbox(["status"]).ok();
}

#[test]
fn names_of_files_stay_with_the_client() {
    let world = machine();
    let run = world.tuckbox(["backup", &world.arg("docs"), &world.arg("another-secret")]).run().exits(3);
    assert!(run.err().contains("another-secret"), "the client itself says which\n{run}");
    let log = world.tuckbox(["account", "log", "ana", "--level", "warning", "--json"]).ok();
    let codes: Vec<String> = log.records("log").iter().map(|line| line["code"].as_str().unwrap().to_owned()).collect();
    assert_eq!(codes, ["run", "source.none"], "{log}");
    let info = world.tuckbox(["account", "info", "ana"]).ok();
    assert!(info.text().contains("last run") && info.text().contains("1 error (exit 3)"), "{info}");
    for file in files_below(&world.vault()) {
        let bytes = fs::read(&file).unwrap();
        assert!(!bytes.windows(6).any(|window| window == b"secret"), "{} holds a name", file.display());
    }
}

#[test]
fn limits_and_freezes_are_seen() {
    let world = machine();
    back_up(&world).ok();
    world.tuckbox(["account", "set", "ana", "--soft", "1k"]).ok();
    world.tuckbox(["status"]).run().exits(4).says("WARN account=ana check=over_quota ");
    world.tuckbox(["account", "set", "ana", "--soft", "none", "--hard", "1k"]).ok();
    world.tuckbox(["status"]).run().exits(4).says("ERR account=ana check=over_quota ");
    fs::write(world.path("docs/more.txt"), "b".repeat(90_000)).unwrap();
    back_up(&world).exits(9);
    let told = world.tuckbox(["status"]).run().exits(4);
    assert!(told.text().contains("code=quota.hard"), "{told}");
    world.tuckbox(["account", "set", "ana", "--hard", "none"]).ok();
    back_up(&world).ok();
    world.tuckbox(["status"]).ok();
    world.tuckbox(["account", "freeze", "ana", "--reason", "audit"]).ok();
    world.tuckbox(["status"]).run().exits(4).says("WARN account=ana check=frozen ");
    back_up(&world).exits(12);
    let told = world.tuckbox(["status"]).run().exits(4);
    assert!(told.text().contains("check=frozen") && told.text().contains("audit"), "{told}");
    world.tuckbox(["account", "thaw", "ana"]).ok();
}

#[test]
fn damage_that_was_found_is_told_until_it_is_healed() {
    let world = machine();
    fs::write(world.path("docs/noise.bin"), noise(7, 50_000)).unwrap();
    back_up(&world).ok();
    let well = || {
        world.tuckbox(["status"]).ok().says("OK account=ana");
        world.tuckbox(["status", "--all", "--format", "nagios"]).ok().says("TUCKBOX OK: ");
        world.tuckbox(["doctor"]).ok().says("nothing is known to be damaged");
    };
    let told = |lines: usize| {
        let status = world.tuckbox(["status"]).run().exits(4).says("ERR account=ana check=damaged ");
        assert!(status.text().contains("next: tuckbox "), "{status}");
        world.tuckbox(["status", "--all", "--format", "nagios"]).run().exits(2).says("TUCKBOX CRITICAL: ana damaged: ");
        world.tuckbox(["doctor"]).run().exits(4).says("FAIL  stored");
        let failures = world.tuckbox(["report", "failures", "--json"]).ok().records("report_failures");
        let found: Vec<_> = failures.iter().map(|row| (row["verb"].as_str().unwrap(), row["exit"].as_u64())).collect();
        assert_eq!(found, vec![("check", Some(10)); lines]);
    };
    well();
    let packs = with_ending(&world.vault(), "pack");
    let largest = packs.iter().max_by_key(|pack| fs::metadata(pack).unwrap().len()).unwrap();
    flip(largest, fs::metadata(largest).unwrap().len() / 2);
    world.tuckbox(["check", "--read-data"]).run().exits(10);
    told(1);
    // The next backup gives back what its source still has, and that ends it.
    back_up(&world).ok();
    well();
    // Found without the account's key, it is told to whoever has it.
    with_ending(&world.vault(), "pack").iter().for_each(|pack| fs::remove_file(pack).unwrap());
    world.tuckbox(["account", "check", "--all"]).run().exits(10);
    told(2);
    back_up(&world).ok();
    well();
    world.tuckbox(["check", "--read-data"]).ok();
}

#[test]
fn a_source_that_never_was_there_is_told() {
    let world = machine();
    let config = world.home().join(".config/tuckbox/config.toml");
    let (docs, typo) = (world.arg("docs"), world.arg("dosc"));
    fs::write(&config, format!("[[source]]\npath = \"{docs}\"\n[[source]]\npath = \"{typo}\"\n")).unwrap();
    world.tuckbox(["doctor"]).ok().says("warn  source").says(&typo);
    world.tuckbox(["backup"]).run().exits(3);
    let told = world.tuckbox(["status"]).run().exits(4).says("WARN account=ana check=failing ");
    assert!(told.text().contains("code=source.none") && told.text().contains("next: tuckbox doctor"), "{told}");
    world.tuckbox(["status", "--all", "--format", "nagios"]).run().exits(1);
    fs::create_dir(&typo).unwrap();
    world.tuckbox(["backup"]).ok();
    world.tuckbox(["status"]).ok();
    let doctor = world.tuckbox(["doctor"]).ok();
    assert!(!doctor.text().contains("warn  source"), "{doctor}");
}

/// Makes a command that keeps what it is told, or fails.
fn listener(world: &World, does: &str) -> String {
    let heard = world.arg("heard");
    fs::write(world.path("tell"), format!("#!/bin/sh\ncat >> {heard}\n{does}\n")).unwrap();
    fs::set_permissions(world.path("tell"), fs::Permissions::from_mode(0o700)).unwrap();
    world.tuckbox(["config", "set", "on_event", &world.arg("tell")]).ok();
    heard
}

fn heard(path: &str) -> Vec<serde_json::Value> {
    let text = fs::read_to_string(path).unwrap_or_default();
    drop(fs::remove_file(path));
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn each_change_is_told_once() {
    let world = machine();
    let notify = |world: &World| world.tuckbox(["status", "--all", "--notify"]).run();
    notify(&world).fails("usage", 2);
    let path = listener(&world, "");
    let morning = at(&world, 20, 8);
    notify(&morning).exits(4);
    assert!(heard(&path).is_empty(), "that there is no version yet is no event");
    back_up(&morning).ok();
    world.tuckbox(["account", "set", "ana", "--late-after", "26h", "--contact", "ana@example.org"]).ok();
    world.tuckbox(["group", "create", "office"]).ok();
    world.tuckbox(["group", "set", "office", "--contact", "ops@example.org", "--contact", "ana@example.org"]).ok();
    world.tuckbox(["group", "add", "office", "ana"]).ok();
    notify(&morning).ok();
    let told = heard(&path);
    assert_eq!((told.len(), &told[0]["from"], &told[0]["to"]), (1, &"never".into(), &"ok".into()));
    let late = at(&world, 21, 11);
    notify(&late).exits(4);
    notify(&late).exits(4);
    notify(&at(&world, 22, 13)).exits(4);
    let told = heard(&path);
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!((&told[0]["type"], &told[0]["from"], &told[0]["to"]), (&"event".into(), &"ok".into(), &"late".into()));
    assert_eq!(told[0]["contacts"], serde_json::json!(["ana@example.org", "ops@example.org"]));
    assert_eq!(told[0]["groups"], serde_json::json!(["office"]));
    assert_eq!(told[0]["reasons"][0]["check"], "late");
    // What the command fails to take is told again.
    listener(&world, "exit 7");
    back_up(&late).ok();
    notify(&late).exits(1).warns("hook.failed");
    assert_eq!(heard(&path).len(), 1);
    listener(&world, "");
    notify(&late).ok();
    notify(&late).ok();
    assert_eq!(heard(&path).len(), 1);
    // A memory that is lost tells once more what is not as it should be.
    world.tuckbox(["account", "freeze", "ana"]).ok();
    notify(&late).exits(4);
    fs::remove_dir_all(world.home().join(".local/state/tuckbox/told")).unwrap();
    notify(&late).exits(4);
    notify(&late).exits(4);
    let told = heard(&path);
    assert_eq!((told.len(), told[1].get("from")), (2, None), "{told:?}");
}

#[test]
fn reports_tell_of_a_time() {
    // No midnight comes in between.
    let world = filled(&at(&world(), 10, 12));
    back_up(&world).ok();
    world.tuckbox(["backup", &world.arg("nothing-here")]).run().exits(5);
    world.tuckbox(["restore", "--to", &world.arg("out")]).ok();
    world.tuckbox(["account", "set", "ana", "--hard", "1G"]).ok();
    let rows = |name: &str| {
        let run = world.tuckbox(["report", name, "--json"]).ok();
        run.records(&format!("report_{name}"))
    };
    let summary = rows("summary");
    assert_eq!((summary.len(), &summary[0]["runs"], &summary[0]["failed"]), (1, &2.into(), &1.into()));
    assert_eq!(summary[0]["status"], "failing");
    let failures = rows("failures");
    assert_eq!((failures.len(), &failures[0]["code"], &failures[0]["exit"]), (1, &"source.none".into(), &5.into()));
    assert!(rows("storage")[0]["stored_bytes"].as_u64().unwrap() > 0);
    let activity = rows("activity");
    assert_eq!((&activity[0]["runs"], &activity[0]["failed"]), (&2.into(), &1.into()));
    let restores = rows("restores");
    assert_eq!(restores.len(), 1, "{restores:?}");
    assert!(restores[0]["bytes"].as_u64().unwrap() > 0);
    let trend = rows("trend");
    assert_eq!((&trend[0]["days"], &trend[0]["grew"]), (&0.into(), &true.into()));
    for name in ["summary", "failures", "storage", "activity", "restores", "trend"] {
        assert!(world.tuckbox(["report", name]).ok().text().lines().count() == 2, "{name}");
    }
    let later = at(&world, 10, 13);
    assert!(later.tuckbox(["report", "failures", "--of", "ana", "--since", "0s"]).ok().text().is_empty());
    world.tuckbox(["report", "summary", "--of", "nobody"]).run().fails("account.none", 5);
}

#[test]
fn all_of_it_works_from_afar() {
    if !need::programs(&["sshd", "ssh", "ssh-keygen"]) {
        return;
    }
    let world = machine();
    let client = world.ssh();
    let roles = ["backup", "read"];
    let mut lines = Vec::new();
    let mut config = String::new();
    for role in roles {
        let key = client.file(role);
        tests::sshd::keygen(&key, "ed25519", "");
        let public = format!("{}.pub", key.display());
        let line = world.tuckbox(["account", "authorize", "ana", "--ssh-key", &public, "--role", role]).ok();
        lines.push(line.text().trim().to_owned());
        config.push_str(&format!("Host {role}\n IdentityFile {}\n IdentitiesOnly yes\n", key.display()));
    }
    let admin = client.key("ed25519", "");
    lines.push(client.public(&admin));
    config.push_str(&format!("Host admin\n IdentityFile {}\n IdentitiesOnly yes\n", admin.display()));
    let sshd = Sshd::start(Setup { authorized: lines, programs: None, ..Setup::default() });
    client.know(&sshd.known_hosts_line());
    client.config(&format!("{config}Host *\n HostName {}\n Port {}\n", sshd.address, sshd.port));
    let by = |name: &str| world.with_vault(format!("ssh://{name}"));
    back_up(&by("backup")).ok();
    by("backup").tuckbox(["status"]).run().exits(0).says("OK account=ana check=ok ");
    by("read").tuckbox(["status", "--json"]).ok();
    by("read").tuckbox(["status", "--all"]).run().fails("policy.role", 12);
    by("backup").tuckbox(["account", "log", "ana"]).run().fails("policy.role", 12);
    by("backup").tuckbox(["report", "summary"]).run().fails("policy.role", 12);
    // A read that fails in the middle of a run is told over the same connection.
    by("backup").tuckbox(["backup", &world.arg("nothing-here")]).run().exits(5);
    world.tuckbox(["status", "--all"]).run().exits(4).says("ERR account=ana check=failing ");
    let far = world.with_vault(format!("ssh://admin{}", world.arg("vault")));
    let remote = world.arg("bin/tuckbox");
    let status = far.tuckbox(["--remote-program", &remote, "status", "--all"]).run().exits(4);
    assert_eq!(status.text(), world.tuckbox(["status", "--all"]).run().text());
    far.tuckbox(["--remote-program", &remote, "account", "log", "ana"]).ok().says("failed with source.none");
    far.tuckbox(["--remote-program", &remote, "report", "failures"]).ok().says("source.none");
}
