//! What a server remembers of the bytes on its pipes, and the rates that it keeps.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::Value;
use tests::net::Net;
use tests::subject::Outcome;
use tests::tree;
use tests::wait::until;
use tests::world::World;

use crate::world;

/// Longest wait for the server's end to be over after the client's.
const SOON: Duration = Duration::from_secs(60);

/// Bytes from and to the client.
type Bytes = (u64, u64);

fn bytes(row: &Value) -> Bytes {
    (row["in_bytes"].as_u64().unwrap(), row["out_bytes"].as_u64().unwrap())
}

fn sum(rows: &[Value]) -> Bytes {
    rows.iter().map(bytes).fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1))
}

/// Connections that the server remembers.
fn sessions(world: &World) -> Vec<Value> {
    world.tuckbox(["traffic", "--log", "--json"]).ok().records("session")
}

/// Runs over a pipe that counts, and what it counted.
fn counted(world: &World, words: &[&str]) -> (Outcome, Bytes) {
    let (program, tally) = (env!("CARGO_BIN_EXE_tally"), world.path("tally"));
    fs::remove_file(&tally).unwrap_or_default();
    let serve = format!("tuckbox serve --stdio --vault {}", world.arg("vault"));
    let line = world.with_vault(format!("cmd:exec {program} {} {serve}", tally.display()));
    let run = line.tuckbox(words).and(["--json"]).run();
    until(SOON, "the count", || fs::read_to_string(&tally).is_ok_and(|text| text.ends_with('\n')));
    let text = fs::read_to_string(&tally).unwrap();
    let counts: Vec<u64> = text.split_whitespace().map(|word| word.parse().unwrap()).collect();
    let [_, to, from] = counts[..] else { panic!("more than one connection: {text}") };
    (run, (to, from))
}

fn activity(world: &World) -> PathBuf {
    let mut domains = fs::read_dir(world.path("vault/domains")).unwrap().flatten().map(|domain| domain.path());
    domains.find(|domain| domain.is_dir()).unwrap().join("activity.db")
}

#[test]
fn figures_are_what_a_counting_pipe_saw_to_the_byte() {
    let world = world().ready();
    tree::seeded(world.path("source"), 71, 300, 6_000_000);
    let source = world.arg("source");
    let mut seen = Vec::new();
    for words in [
        &["backup", &source][..],
        &["backup", &source],
        &["ls", "-r", "/"],
        &["versions"],
        &["restore", &source, "--to", &world.arg("out")],
        &["ls", "/nowhere"],
    ] {
        seen.push(counted(&world, words).1);
    }
    let kept = sessions(&world);
    let last: Vec<Bytes> = kept.iter().rev().take(seen.len()).rev().map(bytes).collect();
    assert_eq!(last, seen, "{kept:#?}");
    assert!(kept.iter().all(|row| row["account"] == "ana" && row["waited_ms"] == 0), "{kept:#?}");
    // Whoever gives up says no goodbye.
    let ends: Vec<_> = kept.iter().rev().take(seen.len()).rev().map(|row| row["state"].as_str().unwrap()).collect();
    assert_eq!(ends[..5], ["ended"; 5]);
    assert!(kept.last().unwrap()["program"].as_str().unwrap().starts_with("tuckbox "));
    // Hours, days and months say the same as single connections, but for the one that asked.
    for by in ["hour", "day", "month"] {
        let asked = world.tuckbox(["traffic", "--by", by, "--json"]).ok();
        let rows = asked.records("traffic");
        let mut single = sessions(&world);
        single.pop();
        assert_eq!(sum(&rows), sum(&single), "{by}");
        assert_eq!(rows.iter().map(|row| row["sessions"].as_u64().unwrap()).sum::<u64>(), single.len() as u64);
        assert_eq!((asked.count("in_bytes"), asked.count("out_bytes")), sum(&rows));
        assert!(rows.iter().all(|row| row["from_at"].as_str() < row["to_at"].as_str()));
    }
    // The line for people.
    let log = world.tuckbox(["traffic", "--log"]).ok();
    let (to, from) = seen[0];
    assert!(log.text().contains(&format!("TOTAL={}", to + from)), "{log}");
    assert!(log.text().lines().next().unwrap().contains("account=ana  IN="), "{log}");
    world.tuckbox(["traffic", "--until", "2000-01-01"]).ok();
    assert!(world.tuckbox(["traffic", "--log", "--json", "--since", "2099-01-01"]).ok().records("session").is_empty());
}

#[test]
fn figures_over_ssh_are_what_the_client_told() {
    let world = world();
    let Some(net) = Net::of(&world) else { return };
    let at = net.at(&world.arg("vault"));
    at.tuckbox(["init"]).ok();
    tree::seeded(world.path("source"), 72, 200, 5_000_000);
    for way in ["embedded", "system"] {
        let run = at.tuckbox(["backup", &world.arg("source"), "--ssh", way, "--json"]).env("TUCKBOX_STRIPES", "1").ok();
        let told = (run.count("sent_bytes"), run.count("received_bytes"));
        until(SOON, "the server's end", || {
            let kept = world.tuckbox(["traffic", "--log", "--all", "--json"]).ok().records("session");
            kept.iter().any(|row| bytes(row) == told && row["state"] == "ended")
        });
    }
    // The client asks for its own figures over the same way.
    assert!(!sessions(&at).is_empty());
}

#[test]
fn a_rate_is_kept_by_the_server_and_by_the_client() {
    let world = world().ready();
    tree::seeded(world.path("source"), 73, 4, 800_000);
    let waited = |words: &[&str]| {
        counted(&world, words).0.ok();
        sessions(&world).pop().unwrap()["waited_ms"].as_u64().unwrap()
    };
    let (source, out) = (world.arg("source"), world.arg("out"));
    world.tuckbox(["account", "set", "ana", "--rate", "up = 1M; down = none"]).ok();
    assert!(waited(&["backup", &source]) > 0, "what goes up waits");
    assert_eq!(waited(&["restore", &source, "--to", &out]), 0, "what comes down does not");
    fs::remove_dir_all(world.path("out")).unwrap();
    // A group's rate holds its members, and the lower one counts; taken away, nothing waits.
    world.tuckbox(["account", "set", "ana", "--rate", "none"]).ok();
    world.tuckbox(["group", "create", "office"]).ok();
    world.tuckbox(["group", "add", "office", "ana"]).ok();
    world.tuckbox(["group", "set", "office", "--rate", "down = 1M"]).ok();
    assert!(waited(&["restore", &source, "--to", &out]) > 0);
    fs::remove_dir_all(world.path("out")).unwrap();
    world.tuckbox(["group", "set", "office", "--rate", "none"]).ok();
    assert_eq!(waited(&["restore", &source, "--to", &out]), 0);
    // The client's own: the server sees no wait of its own making.
    fs::remove_dir_all(world.path("out")).unwrap();
    assert_eq!(waited(&["restore", &source, "--to", &out, "--limit", "2M"]), 0);
    assert_eq!(fs::read_dir(world.path("vault/live")).unwrap().count(), 0, "whoever shared a rate has left");
}

#[test]
fn rates_are_settled_shown_and_refused() {
    let world = world().ready();
    world.tuckbox(["group", "create", "office"]).ok();
    let table = "limit = 200k; mon-fri 08:00-18:00 = 50k";
    world.tuckbox(["account", "set", "ana", "--rate", "limit = 200k", "--rate", "mon-fri 08:00-18:00 = 50k"]).ok();
    world.tuckbox(["group", "set", "office", "--rate", table]).ok();
    let rates = || {
        let of = |words: &[&str], kind: &str| world.tuckbox(words).and(["--json"]).ok().record(kind)["rate"].clone();
        [of(&["account", "info", "ana"], "account"), of(&["group", "info", "office"], "group")]
    };
    assert_eq!(rates(), [table, table]);
    assert!(world.tuckbox(["account", "info", "ana"]).ok().text().contains(table));
    for bad in ["", "fast", "limit = 0", "limit 8-18 = 50k", "mon-foo = 50k", "50k; 60k", "limit 09:00-09:00 = 50k"] {
        let refused = world.tuckbox(["account", "set", "ana", "--rate", bad]).run().fails("usage", 2);
        assert!(refused.error().contains("nothing was changed"), "{refused}");
        world.tuckbox(["group", "set", "office", "--rate", bad]).run().fails("usage", 2);
        world.tuckbox(["versions", "--limit", bad]).run().fails("usage", 2);
        world.tuckbox(["config", "set", "limit", bad]).run().exits(2);
        if !bad.is_empty() {
            world.tuckbox(["versions"]).env("TUCKBOX_LIMIT", bad).run().fails("usage", 2);
        }
    }
    assert_eq!(rates(), [table, table]);
    world.tuckbox(["config", "set", "limit", "up 08:00-18:00 = 50k; 10M"]).ok();
    world.tuckbox(["versions"]).ok();
    for words in [
        &["traffic", "--by", "week"][..],
        &["traffic", "--since", "whenever"],
        &["traffic", "--since", "latest"],
        &["traffic", "--since", "2026-02-01", "--until", "2026-01-01"],
        &["traffic", "--all", "--group", "office"],
        &["traffic", "--log", "--sum"],
    ] {
        world.tuckbox(words).run().exits(2);
    }
    let unknown = world.tuckbox(["traffic", "--group", "offices"]).run().fails("group.none", 5);
    assert!(unknown.error().contains("did you mean office?"), "{unknown}");
}

#[test]
fn a_client_sees_its_own_figures_and_an_administrator_all() {
    // No midnight comes in between.
    let world = world().with_env("TUCKBOX_CLOCK", "2026-11-10T12:00:00Z").ready();
    world.tuckbox(["account", "create", "bob"]).ok();
    for group in ["office", "empty"] {
        world.tuckbox(["group", "create", group]).ok();
    }
    world.tuckbox(["group", "add", "office", "ana"]).ok();
    world.tuckbox(["backup", &world.arg("bin")]).ok();
    let serve = |more: &str| format!("cmd:tuckbox serve --stdio --vault {} {more}", world.arg("vault"));
    let client = world.with_vault(serve("--account ana --role append"));
    let own = client.tuckbox(["traffic", "--json"]).ok();
    assert!(own.count("in_bytes") > 0, "{own}");
    for other in [&["--all"][..], &["--group", "office"]] {
        client.tuckbox(["traffic"]).and(other).run().fails("policy.role", 12);
        client.tuckbox(["traffic", "--log"]).and(other).run().fails("policy.role", 12);
    }
    let names = |words: &[&str]| {
        let rows = world.tuckbox(words).and(["--json"]).ok().records("traffic");
        rows.iter().map(|row| row["account"].as_str().unwrap_or("all").to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(names(&["traffic", "--all"]), ["ana"]);
    assert_eq!(names(&["traffic", "--group", "office", "--by", "month"]), ["ana"]);
    assert_eq!(names(&["traffic", "--all", "--sum"]), ["all"]);
    assert!(names(&["traffic", "--group", "empty"]).is_empty());
    let table = world.tuckbox(["traffic", "--all"]).ok();
    assert!(table.text().starts_with("DAY (UTC)   ACCOUNT  CONNECTIONS"), "{table}");
    assert!(table.text().lines().last().unwrap().starts_with("all"), "{table}");
}

#[test]
fn what_is_remembered_may_be_lost_and_stops_nothing() {
    let world = world().ready();
    tree::seeded(world.path("source"), 74, 20, 100_000);
    let backup = || world.tuckbox(["backup", &world.arg("source")]).ok();
    backup();
    let file = activity(&world);
    let lose = || {
        for end in ["-wal", "-shm", ".damaged"] {
            fs::remove_file(format!("{}{end}", file.display())).unwrap_or_default();
        }
        fs::remove_file(&file).unwrap_or_default();
    };
    lose();
    backup();
    assert_eq!(sessions(&world).len(), 1);
    lose();
    fs::write(&file, "no database ".repeat(1_000)).unwrap();
    backup();
    assert_eq!(sessions(&world).len(), 1);
    lose();
    // A newer program's.
    let newer = rusqlite::Connection::open(&file).unwrap();
    newer.execute_batch("CREATE TABLE session(x); PRAGMA user_version = 9").unwrap();
    drop(newer);
    backup();
    assert_eq!(sessions(&world).len(), 1);
    lose();
    // One that cannot be a file at all.
    fs::create_dir(&file).unwrap();
    backup();
    fs::remove_dir(&file).unwrap();
    // One that leads elsewhere: nothing is written there.
    let elsewhere = world.path("elsewhere");
    fs::write(&elsewhere, "").unwrap();
    std::os::unix::fs::symlink(&elsewhere, &file).unwrap();
    backup();
    assert_eq!(fs::read(&elsewhere).unwrap(), b"");
    lose();
    // One that somebody holds.
    backup();
    let held = rusqlite::Connection::open(&file).unwrap();
    held.execute_batch("BEGIN EXCLUSIVE").unwrap();
    backup();
    drop(held);
    assert_eq!(sessions(&world).len(), 1);
    world.tuckbox(["check", "--read-data"]).ok();
}
