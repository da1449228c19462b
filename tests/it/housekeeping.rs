//! What is not kept goes and its space comes back; what is kept stays as it was, whatever is killed meanwhile.

use std::fs;

use tests::subject::{Call, Outcome, bytes_below};
use tests::tree;
use tests::world::World;

use crate::world;

const MIB: u64 = 1 << 20;

/// The program on a day of December 2026, at noon.
fn on<'w>(world: &World, day: u32, words: impl IntoIterator<Item = &'w str>) -> Call {
    world.tuckbox(words.into_iter().map(str::to_owned)).env("TUCKBOX_CLOCK", format!("2026-12-{day:02}T12:00:00Z"))
}

/// Bytes that compress to nothing less.
pub(crate) fn noise(seed: u64, len: usize) -> Vec<u8> {
    let mut out = vec![0; len];
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    for byte in &mut out {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        *byte = state.to_le_bytes()[3];
    }
    out
}

fn back_up(world: &World, day: u32) -> String {
    let done = on(world, day, ["backup", &world.arg("docs"), "--json"]).ok().record("summary");
    done["version_id"].as_str().unwrap().to_owned()
}

fn keep_house(world: &World, day: u32) -> serde_json::Value {
    on(world, day, ["housekeep", "--json"]).ok().record("summary")
}

fn packs(world: &World) -> u64 {
    let domains = fs::read_dir(world.vault().join("domains")).unwrap();
    let domain = domains.map(|entry| entry.unwrap().path()).find(|path| path.is_dir()).unwrap();
    bytes_below(&domain.join("packs"))
}

fn ids(versions: &Outcome) -> Vec<String> {
    versions.records("version").iter().map(|row| row["id"].as_str().unwrap().to_owned()).collect()
}

/// A machine with a version of day 1 that has 8 MiB more than that of day 2.
fn two_versions() -> (World, String, String) {
    let world = world().ready_since("2026-12-01T00:00:00Z");
    tree::small(world.path("docs"));
    fs::write(world.path("docs/film"), noise(1, 8 << 20)).unwrap();
    let first = back_up(&world, 1);
    fs::remove_file(world.path("docs/film")).unwrap();
    let second = back_up(&world, 2);
    (world, first, second)
}

#[test]
fn the_space_of_a_forgotten_version_comes_back() {
    let (world, first, second) = two_versions();
    let before = packs(&world);
    assert!(before > 2 * MIB);
    on(&world, 3, ["forget", &first[..8]])
        .ok()
        .says("In the trash until 2026-12-17")
        .says(&format!("forget --undo {}", &first[..8]));
    let row = on(&world, 3, ["versions", "--json"]).ok().records("version").remove(0);
    assert_eq!(row["trash_until"], "2026-12-17T12:00:00.000Z", "{row}");
    // A time never means it, its id does.
    on(&world, 3, ["ls", "--at", "2026-12-01"]).run().fails("version.none", 5);
    on(&world, 3, ["ls", "--at", &first[..8]]).ok();
    on(&world, 3, ["forget", "--undo", &first[..8]]).ok().says("Out of the trash");
    on(&world, 3, ["ls", "--at", "2026-12-01"]).ok();
    on(&world, 4, ["forget", &first[..8]]).ok();
    assert_eq!(keep_house(&world, 4)["forgotten"], 0);

    // After so long one receipt proves nothing: a clock may be wrong once.
    on(&world, 18, ["pin", &second[..8]]).ok();
    let third = back_up(&world, 19);
    // The server has kept house after that backup.
    assert_eq!(keep_house(&world, 19)["unchanged"], true);
    assert_eq!(ids(&on(&world, 19, ["versions", "--json"]).ok()), [second.clone(), third]);
    assert!(packs(&world) >= before);
    assert!(keep_house(&world, 20)["freed_bytes"].as_u64().unwrap() > 2 * MIB);
    assert!(keep_house(&world, 20)["unlinked_bytes"].as_u64().unwrap() > 2 * MIB);
    assert_came_back(&world, before);
    on(&world, 21, ["housekeep"]).ok().says("Unchanged, skipped");

    on(&world, 21, ["ls", "--at", &first[..8]]).run().fails("version.none", 5);
    on(&world, 21, ["restore", "--at", &second[..8], "--to", &world.arg("back")]).ok();
    on(&world, 21, ["check", "--full"]).ok();
    // Another machine that has never seen the version finds nothing wrong either; nor does it matter that its clock and
    // the server's are behind, so that all receipts since are in doubt.
    fs::write(world.path("words"), world.words()).unwrap();
    let bob = world.machine("bob").with_vault(world.arg("vault"));
    on(&bob, 5, ["key", "recover", "--words-file", &world.arg("words")]).ok();
    let check = on(&bob, 21, ["check", "--json"]).ok();
    assert_eq!(check.records("finding"), Vec::<serde_json::Value>::new());
    assert_eq!(ids(&on(&bob, 21, ["versions", "--json"]).ok()).len(), 2);
}

/// The film is not there any more, but for what shares a box with something else.
fn assert_came_back(world: &World, before: u64) {
    let now = packs(world);
    assert!(now + 2 * MIB < before, "{now} of {before}");
}

#[test]
fn a_policy_is_carried_out_and_a_hard_one_waits() {
    let world = world().ready_since("2026-12-01T00:00:00Z");
    tree::small(world.path("docs"));
    for day in 1..=12 {
        fs::write(world.path("docs/letter.txt"), day.to_string()).unwrap();
        back_up(&world, day);
    }
    on(&world, 12, ["housekeep", "policy"]).ok().says("daily    30");
    on(&world, 12, ["housekeep", "policy", "--keep-daily", "3"]).ok().says("daily    3");
    let dry = on(&world, 12, ["housekeep", "--dry-run", "--json"]).ok();
    assert_eq!(dry.record("summary")["waiting"], 9);
    let fates: Vec<String> = dry.records("fate").iter().map(|row| row["fate"].as_str().unwrap().to_owned()).collect();
    assert_eq!(fates.concat(), ["going".repeat(9), "kept".repeat(3)].concat());
    assert_eq!(dry.records("fate")[11]["why"], serde_json::json!(["newest", "recent", "daily"]));
    // Also when nothing has changed since.
    for _ in 0..3 {
        on(&world, 12, ["housekeep"]).run().fails("policy.confirm", 12);
    }
    on(&world, 12, ["status"]).ok().says("9 versions that would go wait to be confirmed");
    let versions = || ids(&on(&world, 12, ["versions", "--json"]).ok());
    let all = versions();
    assert_eq!(all.len(), 12);
    on(&world, 12, ["pin", "--reason", "the wedding", &all[4][..8]]).ok().says("(no. 7).");
    on(&world, 12, ["forget", &all[4][..8]]).run().fails("policy.kept", 12);
    on(&world, 12, ["forget", &all[11][..8]]).run().fails("policy.kept", 12);
    let many: Vec<&str> = ["forget"].into_iter().chain(all[5..10].iter().map(|id| &id[..8])).collect();
    on(&world, 12, many).run().fails("policy.confirm", 12);
    on(&world, 12, ["housekeep", "--yes"]).ok().says("8 versions went");
    assert_eq!(versions(), [&all[4..5], &all[9..]].concat());
    on(&world, 12, ["versions"]).ok().says("pinned");
    on(&world, 12, ["check", "--full"]).ok();
    on(&world, 12, ["pin", "--undo", &all[4][..8]])
        .ok()
        .says(&format!("Not pinned any more: version {} (no. 7).", &all[4][..8]));
    on(&world, 12, ["housekeep"]).ok().says("1 version went");
    assert_eq!(versions(), all[9..]);
}

#[test]
fn housekeeping_that_is_killed_goes_on() {
    let (world, first, second) = two_versions();
    let before = packs(&world);
    for day in 3..12 {
        fs::write(world.path("docs/letter.txt"), day.to_string()).unwrap();
        back_up(&world, day);
    }
    on(&world, 12, ["forget", &first[..8]]).ok();
    back_up(&world, 26);
    back_up(&world, 27);
    for _ in 0..12 {
        on(&world, 27, ["housekeep", "--yes"]).start().kill();
    }
    on(&world, 27, ["check", "--read-data"]).ok();
    keep_house(&world, 27);
    for _ in 0..6 {
        on(&world, 28, ["housekeep", "--yes"]).start().kill();
    }
    keep_house(&world, 28);
    keep_house(&world, 29);
    keep_house(&world, 30);
    assert_came_back(&world, before);
    on(&world, 30, ["restore", "--at", &second[..8], "--to", &world.arg("back")]).ok();
    on(&world, 30, ["check", "--full"]).ok();
}

#[test]
fn a_server_keeps_house_after_a_backup_and_for_who_has_no_key() {
    let (world, first, _) = two_versions();
    let before = packs(&world);
    on(&world, 3, ["forget", &first[..8]]).ok();
    back_up(&world, 19);
    back_up(&world, 20);
    // It was due, and nobody asked.
    let shown = on(&world, 20, ["versions", "--json"]).ok();
    assert!(!ids(&shown).contains(&first), "{shown}");
    let cron = world.machine("cron").with_vault(world.arg("vault"));
    on(&cron, 21, ["housekeep"]).ok().says("were freed");
    on(&cron, 22, ["housekeep"]).ok().says("came back to the disk");
    assert_came_back(&world, before);
}

#[test]
fn who_may_only_append_says_nothing_about_what_is_kept() {
    let (world, first, second) = two_versions();
    let serve = format!("cmd:{} serve --stdio --vault {} --role append", world.arg("bin/tuckbox"), world.arg("vault"));
    let appends = world.with_vault(serve);
    on(&appends, 3, ["backup", &world.arg("docs")]).ok();
    for words in [
        &["forget", &first[..8]][..],
        &["pin", &second[..8]],
        &["housekeep", "policy", "--keep-daily", "1"],
        &["housekeep", "--yes"],
    ] {
        on(&appends, 3, words.iter().copied()).run().fails("policy.role", 12);
    }
}

#[test]
fn when_space_is_short_the_oldest_versions_go_and_every_machine_knows_why() {
    let world = world().ready_since("2026-12-01T00:00:00Z");
    tree::small(world.path("docs"));
    let versions = |by: &World| ids(&on(by, 12, ["versions", "--json"]).ok());
    for day in 1..=12 {
        fs::write(world.path("docs/film"), noise(u64::from(day), 1 << 20)).unwrap();
        back_up(&world, day);
    }
    let all = versions(&world);
    on(&world, 12, ["pin", "--reason", "the wedding", &all[1][..8]]).ok();
    let name = on(&world, 12, ["account", "list", "--json"]).ok().records("account")[0]["account"]
        .as_str()
        .unwrap()
        .to_owned();
    let set = |soft: &str| on(&world, 12, ["account", "set", &name, "--soft", soft]).ok();
    // One and a half of the films too much; the first one shares a box with what stays.
    let kept =
        on(&world, 12, ["housekeep", "--dry-run", "--json"]).ok().record("summary")["kept_bytes"].as_u64().unwrap();
    set(&(kept - 3 * MIB / 2).to_string()).says("Settled");
    on(&world, 12, ["account", "info", &name]).ok().says("soft limit");
    on(&world, 12, ["account", "list", "--figures"]).ok().says("SOFT LIMIT");
    let dry = on(&world, 12, ["housekeep", "--dry-run", "--json"]).ok();
    let why: Vec<serde_json::Value> = dry.records("fate").iter().map(|row| row["why"].clone()).collect();
    assert_eq!(why[0], serde_json::json!(["soft limit"]), "{dry}");
    let gone = usize::try_from(dry.record("summary")["pressed"].as_u64().unwrap()).unwrap();
    assert!((2..=3).contains(&gone), "{dry}");
    on(&world, 12, ["housekeep"]).ok().says("versions went");
    let left = [&all[1..2], &all[gone + 1..]].concat();
    assert_eq!(versions(&world), left);
    on(&world, 12, ["housekeep", "log"]).ok().says("version 3 went: soft limit");
    let log = on(&world, 12, ["housekeep", "log", "--json"]).ok().records("pass").pop().unwrap();
    assert_eq!(log["gone"][0], serde_json::json!({"sequence": 3, "why": "soft limit"}));

    // The newest alone is more than this.
    set("1k");
    on(&world, 12, ["housekeep"]).run().fails("policy.confirm", 12);
    on(&world, 12, ["housekeep", "policy", "--preset", "everything"]).ok();
    on(&world, 12, ["housekeep", "--yes"]).ok();
    on(&world, 12, ["check", "--full"]).ok();
    fs::write(world.path("words"), world.words()).unwrap();
    let bob = world.machine("bob").with_vault(world.arg("vault"));
    on(&bob, 12, ["key", "recover", "--words-file", &world.arg("words")]).ok();
    assert_eq!(on(&bob, 12, ["check", "--full", "--json"]).ok().records("finding"), Vec::<serde_json::Value>::new());
    assert_eq!(versions(&bob), left);

    // No disk has so much, and nothing here is a month old.
    on(&world, 12, ["housekeep", "policy", "--keep-daily", "90", "--min-free", "4000000G"]).ok().says("free.");
    set("none");
    on(&world, 12, ["housekeep", "--yes"]).ok();
    assert_eq!(versions(&world), left);
    fs::write(world.path("docs/film"), "later").unwrap();
    on(&world, 31, ["backup", &world.arg("docs")]).ok();
    assert_eq!(on(&world, 31, ["housekeep", "--yes", "--json"]).ok().record("summary")["pressed"], 0);
}
