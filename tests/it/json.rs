//! The batch contract: every verb speaks it, and every stream has a beginning and an end.

use std::fs;

use serde_json::Value;
use tests::subject::Outcome;
use tests::{tree, world::World};

use crate::world;

/// One run of every verb, all of them good.
fn every_verb(world: &World) -> Vec<(&'static str, Outcome)> {
    tree::odd(world.path("docs"));
    fs::write(world.path("pass"), "a passphrase\n").unwrap();
    let docs = world.arg("docs");
    let file = world.arg("docs/kinds/regular");
    let (out, tar, key, pass) = (world.arg("out"), world.arg("tar"), world.arg("copy.key"), world.arg("pass"));
    world.tuckbox(["init"]).ok();
    world.tuckbox(["backup", &docs]).ok();
    let id = world.tuckbox(["versions", "--json"]).ok().records("version")[0]["id"].as_str().unwrap().to_owned();
    let lines: [&[&str]; 26] = [
        &["init"],
        &["backup", &docs, "-v"],
        &["backup", &docs],
        &["versions"],
        &["ls", "-r", &docs],
        &["restore", &docs, "--to", &out, "--verify"],
        &["dump", &file, "-o", &tar],
        &["diff", "previous", "latest"],
        &["find", "*", "--all-versions"],
        &["history", &file],
        &["which", &id],
        &["compare", &docs, "--checksums"],
        &["why", &file, "--source", &docs],
        &["delete", &file, "--yes"],
        &["undelete", &file, "--in-vault", "--yes"],
        &["rollback", "--to", "previous", "--yes"],
        &["check", "--read-data"],
        &["key", "list"],
        &["key", "words"],
        &["key", "export", "-o", &key],
        &["key", "add", "--new-password-file", &pass],
        &["key", "rotate"],
        &["config", "template"],
        &["config", "show"],
        &["doctor"],
        &["version"],
    ];
    lines.iter().map(|words| (name_of(words), world.tuckbox(words.iter()).and(["--json"]).ok())).collect()
}

fn name_of(words: &[&str]) -> &'static str {
    crate::first_run::VERBS.into_iter().find(|verb| *verb == words[0]).unwrap()
}

#[test]
fn every_verb_speaks_it() {
    let world = world().with_vault("vault");
    for (verb, outcome) in every_verb(&world) {
        let records = outcome.json();
        assert_eq!(records[0]["command"], verb, "{outcome}");
        assert!(records[0]["run"].is_string() && records[0]["pid"].is_u64() && records[0]["version"].is_string());
        let end = records.last().unwrap();
        assert_eq!((&end["status"], &end["errors"]), (&"ok".into(), &0.into()), "{outcome}");
        assert!(end["elapsed_ms"].is_u64() && end["warnings"].is_u64(), "{outcome}");
        records.iter().for_each(|record| right_types(record, &outcome));
        assert!(outcome.stderr.is_empty(), "with --json all goes to stdout\n{outcome}");
    }
}

/// Names tell types: `_bytes`, `_ms`, counts are integers; `_at` are moments in UTC; nothing is null, no fractions.
fn right_types(value: &Value, outcome: &Outcome) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                let integer = ["_bytes", "_ms", "bytes", "files", "seq"].iter().any(|end| name.ends_with(end));
                assert!(!integer || value.is_u64(), "{name}: {value}\n{outcome}");
                let moment = name.ends_with("_at") || name == "time";
                assert!(
                    !moment || value.as_str().is_some_and(|v| v.len() == 24 && v.ends_with('Z')),
                    "{name}: {value}"
                );
                assert!(name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_'), "{name}");
                right_types(value, outcome);
            }
        }
        Value::Array(values) => values.iter().for_each(|value| right_types(value, outcome)),
        Value::Number(number) => assert!(!number.is_f64(), "a fraction: {number}\n{outcome}"),
        Value::Null => panic!("null; what is not known is absent\n{outcome}"),
        Value::String(text) => assert!(!text.contains('\x1b'), "{text:?}"),
        Value::Bool(_) => {}
    }
}

#[test]
fn the_records_have_their_fields() {
    let world = world().with_vault("vault");
    let runs = every_verb(&world);
    let records = |verb: &str, kind: &str| {
        let runs = runs.iter().filter(|(name, _)| *name == verb);
        runs.flat_map(|(_, outcome)| outcome.records(kind)).collect::<Vec<_>>()
    };
    let has = |record: &Value, names: &[&str]| {
        let missing: Vec<_> = names.iter().filter(|name| record.get(**name).is_none()).collect();
        assert!(missing.is_empty(), "{missing:?} missing in {record}");
    };
    has(&records("versions", "version")[0], &["id", "sequence", "taken_at", "received_at", "tags", "files", "bytes"]);
    let summary = &records("backup", "summary")[0];
    let names =
        ["version_id", "files_new", "files_changed", "files_unchanged", "files_removed", "read_bytes", "new_bytes"];
    has(summary, &names);
    has(summary, &["boxed_bytes", "sent_bytes", "received_bytes", "stored_bytes", "elapsed_ms"]);
    has(&records("restore", "summary")[0], &["version_id", "files_restored", "restored_bytes", "files_verified"]);
    has(&records("check", "summary")[0], &["links", "versions", "nodes", "chunks", "packs", "read_bytes", "damaged"]);
    has(&records("ls", "entry")[0], &["path", "kind", "mode", "uid", "gid", "bytes", "modified_at"]);
    has(&records("key", "slot")[0], &["slot", "passphrase", "in_vault", "label"]);
    has(&records("find", "entry")[0], &["path", "kind", "bytes", "version_id", "sequence", "received_at", "deleted"]);
    has(
        &records("history", "state")[0],
        &["path", "change", "content", "version_id", "came_at", "last_at", "versions"],
    );
    has(&records("which", "id")[0], &["kind", "id", "name", "version_id"]);
    has(&records("compare", "summary")[0], &["version_id", "same", "added", "removed", "changed", "metadata"]);
    has(&records("why", "why")[0], &["path", "included", "source", "there"]);
    has(&records("undelete", "deleted")[0], &["path", "kind", "files", "bytes", "version_id"]);
    has(&records("rollback", "summary")[0], &["version_id", "sequence", "before_id", "files", "bring_along"]);
    has(&records("doctor", "doctor")[0], &["health", "name", "text"]);
    let versions = records("versions", "version");
    assert!(versions.windows(2).all(|two| two[0]["sequence"].as_u64() < two[1]["sequence"].as_u64()), "oldest first");
}

#[test]
fn failures_are_records_too() {
    let world = world();
    let fails = |words: &[&str], code: &str, exit: i32| {
        let outcome = world.tuckbox(words).run().exits(exit);
        let error = outcome.record("error");
        assert_eq!((&error["code"], &error["exit"]), (&code.into(), &exit.into()), "{outcome}");
        assert!(error["message"].is_string() && error["hint"].is_string() && error["cause"].is_array(), "{outcome}");
        assert_eq!(error["retry"], matches!(exit, 6 | 8), "{outcome}");
        assert_eq!(outcome.json().last().unwrap()["status"], "failed", "{outcome}");
    };
    fails(&["versions", "--vault", "/nowhere", "--json"], "vault.none", 5);
    fails(&["versions", "--json", "--no-such-flag"], "usage", 2);
    fails(&["ls", "--json", "--at", "the day before"], "usage.time", 2);
    fails(&["versions", "--json", "--vault", "ssh://127.0.0.1:1/x"], "net.unreachable", 8);
    fails(&["dump", "--json", "/x"], "usage", 2);
}

#[test]
fn a_reader_that_goes_away_ends_it_quietly() {
    let world = world().ready();
    tree::odd(world.path("docs"));
    world.tuckbox(["backup", &world.arg("docs")]).ok();
    let script = format!("tuckbox ls -r --json {} | head -n 1 > /dev/null; echo ${{PIPESTATUS[0]}}", world.arg("docs"));
    let run = world.command("bash", ["-c", &script]).ok();
    assert!(run.stderr.is_empty(), "{run}");
    assert!(["141\n", "0\n"].contains(&run.text()), "{run}");
}
