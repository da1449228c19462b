//! A vault on several disks, by the real program: what people, scripts and administrators from afar are told, what holds
//! while a disk is away; and a load that is cut off.

use std::fs;
use std::path::Path;

use serde_json::Value;
use tests::subject::{bytes_below, files_below};
use tests::world::World;

use crate::world;

/// A vault with a second disk, and backups on both. Chance says on which, where both have as much room: so it goes on until
/// there are some on each.
fn spread() -> World {
    let world = world().ready();
    world.tuckbox(["volume", "add", &world.arg("second")]).ok();
    let few = || packs_below(&world.vault()).min(packs_below(&world.path("second"))) < 2;
    let mut nth = 0;
    while nth < 10 || few() {
        back_up(&world, nth % 20);
        nth += 1;
        assert!(nth < 100, "one of both is never taken");
    }
    world
}

fn back_up(world: &World, nth: u32) {
    let docs = world.dir("docs");
    fs::write(docs.join(format!("{nth}.txt")), format!("letter number {nth}\n").repeat(2_000)).unwrap();
    world.tuckbox(["backup", &world.arg("docs")]).ok();
}

fn rows(world: &World, words: &[&str], kind: &str) -> Vec<Value> {
    world.tuckbox(words).and(["--json"]).ok().records(kind)
}

fn packs_below(path: &Path) -> usize {
    files_below(path).iter().filter(|path| path.extension().is_some_and(|end| end == "pack")).count()
}

#[test]
fn both_disks_are_used_and_told_to_the_byte() {
    let world = spread();
    let (home, second) = (packs_below(&world.vault()), packs_below(&world.path("second")));
    assert!(home >= 2 && second >= 2, "{home} at home, {second} in the volume");
    let listed = rows(&world, &["volume", "list"], "volume");
    let figures = |row: &Value| (row["number"].as_u64(), row["packs"].as_u64(), row["there"].as_bool());
    let told: Vec<_> = listed.iter().map(figures).collect();
    assert_eq!(told, [(Some(0), Some(home as u64), Some(true)), (Some(1), Some(second as u64), Some(true))]);
    world.tuckbox(["volume", "list"]).ok().says("in use");

    // As `du` would say, and as sums of each other.
    let by = |what: &str| rows(&world, &["usage", "--exact", "--by", what], "space");
    let now = |row: &Value| row["now_bytes"].as_u64().unwrap();
    let volumes = by("volume");
    assert_eq!(volumes.iter().map(|row| row["name"].as_str().unwrap()).collect::<Vec<_>>(), ["0", "1"]);
    assert_eq!(now(&volumes[1]), bytes_below(&world.path("second")));
    let packs = |rows: &[Value]| rows.iter().map(|row| row["pack_bytes"].as_u64().unwrap()).sum::<u64>();
    assert_eq!(packs(&volumes), packs(&by("vault")));
    assert_eq!(packs(&volumes), packs(&by("account")));
    // Databases move when they are looked at, so all files are compared but for a little.
    let (sum, whole) = (volumes.iter().map(now).sum::<u64>(), now(&by("vault")[0]));
    assert!(sum.abs_diff(whole) < 200_000, "{sum} bytes in volumes, {whole} in all");
    let sheet = world.tuckbox(["usage", "--by", "volume", "--format", "csv"]).ok();
    assert_eq!(sheet.text().lines().count(), 3, "{sheet}");
    assert!(sheet.text().lines().next().unwrap().contains("now_bytes"), "{sheet}");
    world.tuckbox(["usage", "--by", "volume"]).ok().says("free on its disk");
    assert_eq!(by("group"), Vec::<Value>::new());
    world.tuckbox(["usage", "--by", "disk"]).run().exits(2);
    let report = rows(&world, &["report", "space"], "space");
    let scopes: Vec<_> = report.iter().map(|row| row["scope"].as_str().unwrap()).collect();
    assert_eq!(scopes, ["account", "volume", "volume", "vault"]);
    world.tuckbox(["check", "--read-data"]).ok();
}

#[test]
fn while_a_disk_is_away_backups_go_on_and_nothing_is_lost() {
    let world = spread();
    let (there, away) = (world.path("second"), world.path("away"));
    fs::rename(&there, &away).unwrap();
    fs::create_dir(&there).unwrap();
    world.tuckbox(["volume", "list"]).ok().says("not there");
    let docs = world.dir("docs");
    fs::write(docs.join("20.txt"), "letter number 20\n".repeat(2_000)).unwrap();
    world.tuckbox(["backup", &world.arg("docs")]).ok().warns("volume.absent").says("is safe");
    world.tuckbox(["doctor"]).run().exits(4).says("FAIL  volumes");
    assert_eq!(packs_below(&there), 0);
    assert!(world.tuckbox(["status"]).run().exits(4).text().contains("volume 1 of the vault is not there"));
    for verb in [&["housekeep"][..], &["repair", "--yes"], &["volume", "remove", "1"], &["volume", "balance"]] {
        let told = world.tuckbox(verb).run().fails("volume.absent", 8);
        assert!(told.error().contains("volume 1 of the vault is not there"), "{told}");
        assert_eq!(told.error().contains("tuckbox volume remove 1 --lost"), verb[0] == "volume", "{told}");
    }
    world.tuckbox(["account", "dump", "ana", "--to", &world.arg("x")]).run().fails("volume.absent", 8);
    let checked = world.tuckbox(["check"]).run();
    assert_ne!(checked.code(), 0, "{checked}");
    assert!(checked.text().contains("volume 1"), "{checked}");
    world.tuckbox(["restore", &world.arg("docs"), "--to", &world.arg("out")]).run().fails("volume.absent", 8);
    fs::remove_dir(&there).unwrap();
    // It comes back elsewhere.
    world.tuckbox(["volume", "add", &world.arg("away")]).ok();
    world.tuckbox(["check", "--read-data"]).ok();
    world.tuckbox(["housekeep"]).ok();
    world.tuckbox(["restore", &world.arg("docs"), "--to", &world.arg("again")]).ok();
    assert_eq!(fs::read(world.path("again/docs/20.txt")).unwrap(), fs::read(world.path("docs/20.txt")).unwrap());
}

#[test]
fn volumes_go_with_a_word_and_only_near_the_vault() {
    let world = spread();
    let serve = |role: &str| {
        let line = format!("cmd:tuckbox serve --stdio --vault {} --role {role}", world.arg("vault"));
        world.with_vault(line)
    };
    assert_eq!(rows(&serve("admin"), &["volume", "list"], "volume").len(), 2);
    serve("admin").tuckbox(["volume", "add", &world.arg("third")]).run().fails("policy.role", 12);
    serve("backup").tuckbox(["volume", "list"]).run().fails("policy.role", 12);
    assert!(!world.path("third").exists());
    let home = world.tuckbox(["volume", "remove", "0"]).run().fails("usage", 2);
    assert!(home.error().contains("the vault's own directory"), "{home}");

    world.tuckbox(["volume", "remove", "7"]).run().fails("usage", 2);
    world.tuckbox(["volume", "remove", "1", "--lost"]).run().fails("policy.confirm", 12);
    world.tuckbox(["volume", "remove", "1", "--lost", "--yes"]).run().fails("usage", 2);
    world.tuckbox(["volume", "add", &world.arg("docs")]).run().fails("usage", 2);
    world.tuckbox(["volume", "add", &world.arg("vault/x")]).run().fails("usage", 2);
    world.tuckbox(["volume", "add", &world.arg("no/such/place")]).run().fails("usage", 2);
    let there = packs_below(&world.path("second"));
    let summary = world.tuckbox(["volume", "remove", "1", "--json"]).ok().record("summary");
    assert_eq!(summary["moved_packs"], there, "{summary}");
    assert_eq!(bytes_below(&world.path("second")), 0);
    world.tuckbox(["check", "--read-data"]).ok();
    assert_eq!(rows(&world, &["volume", "list"], "volume").len(), 1);
}

#[test]
fn a_lost_disk_takes_its_share_and_the_next_backup_gives_it_back() {
    let world = spread();
    fs::remove_dir_all(world.path("second")).unwrap();
    world.tuckbox(["volume", "remove", "1", "--lost", "--yes"]).ok();
    assert_ne!(world.tuckbox(["check"]).run().code(), 0);
    let healed = world.tuckbox(["backup", &world.arg("docs")]).run();
    assert!([0, 3].contains(&healed.code()), "{healed}");
    world.tuckbox(["restore", &world.arg("docs"), "--to", &world.arg("out")]).ok();
    for nth in 0..10 {
        let name = format!("{nth}.txt");
        assert_eq!(
            fs::read(world.path("out/docs").join(&name)).unwrap(),
            fs::read(world.path("docs").join(name)).unwrap()
        );
    }
}

/// The same vault over a line that breaks after so many bytes to it; how many went in all.
fn cut(world: &World, to: u64) -> World {
    let program = env!("CARGO_BIN_EXE_cut");
    let serve = format!("tuckbox serve --stdio --vault {} --role admin", world.arg("there"));
    world.with_vault(format!("cmd:exec {program} {to} {} {serve}", 1u64 << 40))
}

#[test]
fn a_load_that_was_cut_off_goes_on() {
    let world = world().ready();
    let docs = world.dir("docs");
    for nth in 0..3u64 {
        let mut state = nth + 7;
        let mut next = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) as u8
        };
        fs::write(docs.join(format!("{nth}")), (0..2_000_000).map(|_| next()).collect::<Vec<u8>>()).unwrap();
        world.tuckbox(["backup", &world.arg("docs")]).ok();
    }
    let archive = world.arg("ana.archive");
    world.tuckbox(["account", "dump", "ana", "--to", &archive]).ok();
    let whole = fs::metadata(&archive).unwrap().len();
    let there = world.with_vault(world.arg("there")).with_env("TUCKBOX_ACCOUNT", "keeper");
    there.tuckbox(["init"]).ok();
    let load = ["account", "load", &archive, "--number", "7"];
    for _ in 0..2 {
        cut(&world, whole * 6 / 10).tuckbox(load).run().exits(8);
        let listed = there.tuckbox(["account", "list", "--json"]).ok();
        assert_eq!(listed.records("account").len(), 1, "nothing is to be seen of it");
    }
    // What is left would not fit the line if it had to go from the beginning. What was on its way when a line broke may not
    // have been stored yet, so one try more may be needed on a busy machine.
    let again = || cut(&world, whole * 8 / 10).tuckbox(load).run();
    assert!((0..20).any(|_| again().code() == 0), "it never comes to its end");
    there.tuckbox(["account", "check", "ana", "--read-data"]).ok();
    // One that was interrupted by the end of its server, too.
    assert!(files_below(&world.path("there")).iter().all(|path| !path.to_string_lossy().contains(".load")));
}

#[test]
fn runs_that_are_no_backups_tell_of_themselves() {
    let world = world().ready();
    let docs = world.dir("docs");
    fs::write(docs.join("a"), "a").unwrap();
    world.tuckbox(["backup", &world.arg("docs")]).ok();
    fs::write(docs.join("b"), "b").unwrap();
    world.tuckbox(["backup", &world.arg("docs")]).ok();
    world.tuckbox(["restore", &world.arg("docs"), "--to", &world.arg("out")]).ok();
    world.tuckbox(["check"]).ok();
    world.tuckbox(["forget", "previous"]).ok();
    world.tuckbox(["restore", "/no/such/path", "--to", &world.arg("x")]).run().fails("path.none", 5);
    let by = |role: &str| {
        world
            .with_vault(format!("cmd:tuckbox serve --stdio --vault {} --account ana --role {role}", world.arg("vault")))
    };
    by("read").tuckbox(["restore", &world.arg("docs"), "--to", &world.arg("far")]).ok();
    let log = world.tuckbox(["account", "log", "ana"]).ok();
    for line in ["restore from", "check from", "forget from", "failed with path.none"] {
        assert!(log.text().contains(line), "{line}\n{log}");
    }
    assert!(!log.text().contains("/no/such"), "no name leaves the client\n{log}");
    let sessions = world.tuckbox(["traffic", "--log", "--json"]).ok().records("session");
    let told: Vec<_> = sessions
        .iter()
        .filter_map(|row| Some((row["verb"].as_str()?.to_owned(), row["result"].as_str()?.to_owned())))
        .collect();
    for (verb, result) in
        [("backup", "ok"), ("restore", "ok"), ("check", "ok"), ("forget", "ok"), ("restore", "path.none")]
    {
        assert!(told.contains(&(verb.to_owned(), result.to_owned())), "{verb} {result} in {told:?}");
    }
    assert_eq!(told.iter().filter(|(verb, result)| verb == "restore" && result == "ok").count(), 2, "{told:?}");
    // An account is judged by its backups alone.
    world.tuckbox(["status"]).ok();
    let info = world.tuckbox(["account", "info", "ana", "--json"]).ok();
    assert!(!info.text().contains("path.none"), "{info}");
}
