//! The contract for programs: what every verb prints with `--json` is held against the schema that `tuckbox schema` prints.

use std::collections::BTreeSet;
use std::fs;

use agent::command::VERBS;
use serde_json::Value;
use tests::subject::Outcome;
use tests::tree;
use tests::world::World;

use crate::world;

/// Verbs that print no records: they speak to people or to a program of ours alone.
const SILENT: [&str; 4] = ["serve", "shell", "tui", "__complete"];

/// Of nobody.
const SSH_KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f bob@laptop\n";

/// Runs of every verb, good and bad, that together show every kind of record.
fn runs(world: &World) -> Vec<(String, Outcome)> {
    tree::odd(world.path("docs"));
    fs::write(world.path("pass"), "a passphrase\n").unwrap();
    fs::write(world.path("ssh.pub"), SSH_KEY).unwrap();
    let docs = world.arg("docs");
    let at = |name: &str| world.arg(name);
    let file = at("docs/kinds/regular");
    let (cd, lcd) = (format!("cd {docs}; pwd; at latest"), format!("lcd {}; lls; lpwd", at("docs")));
    let cat = format!("cat {docs}/more; mark {docs}/more; marks; unmark; help; jobs; !echo x");
    let (query, pass) = (["query", "--keep-going", "-c", &cd, "-c", &lcd, "-c", &cat, "-c", "nothing"], at("pass"));
    let nothing = at("nothing-here");
    let (archive, other, back) = (at("bob.archive"), at("other"), at("back"));
    world.tuckbox(["init", "--vault", &other, "--account", "eve"]).ok();
    let (out, tar, key, man, ssh) = (at("out"), at("tar"), at("copy.key"), at("man"), at("ssh.pub"));
    let lines: Vec<Vec<&str>> = vec![
        vec!["init"],
        vec!["backup", &file],
        vec!["backup", &docs, "-v"],
        vec!["backup", &docs],
        vec!["versions"],
        vec!["versions", "--partial"],
        vec!["ls", "--at", "previous", &docs],
        vec!["ls", "-r", &docs],
        vec!["restore", &docs, "--to", &out, "--verify", "-v"],
        vec!["restore", &docs, "--to", &out, "-n"],
        vec!["dump", &file, "-o", &tar],
        vec!["diff", "previous", "latest", "--metadata"],
        vec!["find", "*", "--all-versions"],
        vec!["history", &file],
        vec!["which", "NEWEST"],
        vec!["compare", &docs, "--checksums"],
        vec!["why", &file, "--source", &docs],
        vec!["check", "--read-data"],
        vec!["repair"],
        vec!["pin", "--for", "90d", "previous"],
        vec!["forget", "previous"],
        vec!["pin", "--undo", "previous"],
        vec!["forget", "previous"],
        vec!["versions"],
        vec!["forget", "--undo", "latest"],
        vec!["housekeep"],
        vec!["housekeep", "--dry-run"],
        vec!["housekeep", "log"],
        vec!["housekeep", "policy"],
        vec!["housekeep", "policy", "--keep-yearly", "all", "--keep-within", "1d", "--keep-tag", "release"],
        vec!["usage"],
        vec!["usage", "--exact"],
        vec!["usage", "--classes"],
        vec!["report", "space"],
        vec!["usage", "--by", "volume"],
        vec!["volume", "list"],
        vec!["account", "create", "bob"],
        vec!["account", "set", "bob", "--soft", "100G", "--hard", "200G", "--late-after", "26h", "--rate", "200k"],
        vec!["account", "set", "bob", "--contact", "bob@example.org", "--contact", "ops@example.org"],
        vec!["account", "freeze", "bob", "--reason", "audit"],
        vec!["config", "set", "on_event", "true"],
        vec!["status", "--all", "--notify"],
        vec!["status", "--all"],
        vec!["status"],
        vec!["backup", &nothing],
        vec!["account", "log", "ana"],
        vec!["report", "summary"],
        vec!["report", "failures"],
        vec!["report", "storage"],
        vec!["report", "activity"],
        vec!["report", "restores"],
        vec!["report", "trend"],
        vec!["account", "thaw", "bob"],
        vec!["account", "list", "--figures"],
        vec!["account", "info", "ana"],
        vec!["account", "authorize", "bob", "--ssh-key", &ssh],
        vec!["account", "authorize", "bob", "--ssh-key", &ssh, "--install"],
        vec!["account", "revoke", "bob"],
        vec!["account", "check", "--all", "--read-data"],
        vec!["account", "refused"],
        vec!["account", "dump", "bob", "--to", &archive],
        vec!["account", "load", &archive],
        vec!["account", "load", &archive, "--vault", &other],
        vec!["group", "create", "office"],
        vec!["group", "add", "office", "ana", "bob"],
        vec!["group", "set", "office", "--soft", "1T", "--hard", "2T"],
        vec!["group", "set", "office", "--rate", "limit 08:00-18:00 = 1M"],
        vec!["group", "set", "office", "--late-after", "26h", "--contact", "ops@example.org"],
        vec!["group", "list"],
        vec!["traffic", "--group", "office", "--by", "hour"],
        vec!["traffic", "--all", "--sum"],
        vec!["traffic", "--log"],
        vec!["group", "info", "office"],
        vec!["group", "remove", "office", "bob"],
        vec!["group", "rename", "office", "all"],
        vec!["group", "delete", "all"],
        vec!["account", "delete", "bob"],
        vec!["account", "enable", "bob"],
        vec!["account", "rename", "bob", "robert"],
        vec!["key", "pin"],
        vec!["key", "list"],
        vec!["key", "words"],
        vec!["key", "export", "-o", &key],
        vec!["key", "add", "--new-password-file", &pass],
        vec!["key", "rotate"],
        vec!["config", "template"],
        vec!["config", "set", "retry", "1h"],
        vec!["config", "get", "retry"],
        vec!["config", "show"],
        vec!["config", "systemd"],
        vec!["doctor"],
        vec!["explain"],
        vec!["schema"],
        vec!["completions", "bash"],
        vec!["man"],
        vec!["man", &man],
        vec!["version"],
        query.to_vec(),
        vec!["delete", &file, "--yes"],
        vec!["undelete", &file, "--to", &back, "-n"],
        vec!["undelete", &file, "--to", &back],
        vec!["undelete", &file, "--in-vault", "-n"],
        vec!["undelete", &file, "--in-vault", "--yes"],
        vec!["rollback", "--to", "previous", "--yes"],
        vec!["ls", "/nowhere"],
        vec!["nothing"],
    ];
    let run = |words: &Vec<&str>| {
        let words: Vec<String> =
            words.iter().map(|word| if *word == "NEWEST" { newest(world) } else { (*word).to_owned() }).collect();
        let outcome = world.tuckbox(&words).and(["--json"]).run();
        // So that the second version differs.
        fs::write(world.path("docs/more"), "more").unwrap();
        (words[0].clone(), outcome)
    };
    lines.iter().map(run).collect()
}

/// The id of the newest version.
fn newest(world: &World) -> String {
    let row = world.tuckbox(["versions", "--json"]).ok().records("version").pop().unwrap();
    row["id"].as_str().unwrap().to_owned()
}

#[test]
fn every_verb_keeps_to_the_schema() {
    let world = world().with_vault("vault");
    let schema: Value = serde_json::from_str(world.tuckbox(["schema"]).ok().text()).unwrap();
    let runs = runs(&world);
    let tried: BTreeSet<&str> = runs.iter().map(|(verb, _)| verb.as_str()).collect();
    for verb in VERBS.iter().filter(|verb| !SILENT.contains(&verb.name)) {
        assert!(tried.contains(verb.name), "`{}` is not tried here", verb.name);
    }
    let (mut seen, mut broken) = (BTreeSet::new(), Vec::new());
    for (verb, outcome) in &runs {
        for record in outcome.json() {
            match fitting(&schema, &record) {
                Ok(kind) => drop(seen.insert(kind)),
                Err(why) => broken.push(format!("{verb}: {why}\n{record}")),
            }
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
    // Progress comes by the clock, refusals by SSH; a line of the far side, damage and `key recover` need a world of their own.
    let rare = ["refusal", "progress", "remote", "finding", "repair", "summary_key", "warning", "compare"];
    let all = schema["$defs"].as_object().unwrap().keys();
    let unseen: Vec<_> = all.filter(|name| !seen.contains(*name) && !rare.contains(&name.as_str())).collect();
    assert!(unseen.is_empty(), "no run showed {unseen:?}");
}

/// The one definition that a record fits, exactly: nothing in it is unknown to the schema.
fn fitting(schema: &Value, record: &Value) -> Result<String, String> {
    let definitions = schema["$defs"].as_object().unwrap();
    let mut why = Vec::new();
    for (name, definition) in definitions {
        let consts = ["type", "command"].iter().all(|field| {
            let wanted = &definition["properties"][field]["const"];
            wanted.is_null() || record.get(*field) == Some(wanted)
        });
        if consts {
            match fits(definition, record, name) {
                Ok(()) => return Ok(name.clone()),
                Err(reason) => why.push(reason),
            }
        }
    }
    Err(if why.is_empty() { "no definition is of this type".to_owned() } else { why.join("; ") })
}

/// As much of JSON Schema as ours uses, and stricter: no field that it does not name, no word that it does not list.
fn fits(schema: &Value, value: &Value, at: &str) -> Result<(), String> {
    if let Some(wanted) = schema.get("const") {
        return if wanted == value { Ok(()) } else { Err(format!("{at} is not {wanted}")) };
    }
    let right = match schema["type"].as_str().unwrap_or("") {
        "string" => value.is_string(),
        "integer" => value.is_u64(),
        "boolean" => value.is_boolean(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        other => return Err(format!("{at}: the schema has the type {other:?}")),
    };
    if !right {
        return Err(format!("{at} is no {}", schema["type"]));
    }
    if let Some(words) = schema.get("examples").and_then(Value::as_array)
        && !words.contains(value)
    {
        return Err(format!("{at}: the schema does not list {value}"));
    }
    if let (Some(pattern), Some(text)) = (schema.get("pattern").and_then(Value::as_str), value.as_str()) {
        let good = match pattern.starts_with("^[0-9a-f]") {
            true => text.chars().all(|c| c.is_ascii_digit() || ('a'..='f').contains(&c)),
            false => text.len() >= 24 && text.ends_with('Z') && text.contains('T'),
        };
        if !good {
            return Err(format!("{at}: {text} does not fit {pattern}"));
        }
    }
    if let (Some(items), Some(values)) = (schema.get("items"), value.as_array()) {
        values.iter().try_for_each(|value| fits(items, value, at))?;
    }
    if let (Some(properties), Some(fields)) = (schema.get("properties"), value.as_object()) {
        for (name, value) in fields {
            let inner = properties.get(name).ok_or_else(|| format!("{at}.{name} is not in the schema"))?;
            fits(inner, value, &format!("{at}.{name}"))?;
        }
        for name in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
            if !fields.contains_key(name) {
                return Err(format!("{at}.{name} is missing"));
            }
        }
    }
    Ok(())
}

#[test]
fn a_record_that_breaks_it_is_noticed() {
    let world = world();
    let schema: Value = serde_json::from_str(world.tuckbox(["schema"]).ok().text()).unwrap();
    let good = serde_json::json!({
        "v": 1, "seq": 0, "time": "2026-11-20T22:02:00.004Z", "type": "end", "status": "ok", "exit": 0, "errors": 0,
        "warnings": 0, "elapsed_ms": 1,
    });
    assert_eq!(fitting(&schema, &good), Ok("end".into()));
    let broken = |field: &str, value: Value| {
        let mut record = good.clone();
        record[field] = value;
        assert!(fitting(&schema, &record).is_err(), "{record}");
    };
    broken("v", 2.into());
    broken("exit", "0".into());
    broken("status", "good".into());
    broken("more", 1.into());
    broken("type", "fin".into());
    broken("elapsed_ms", (-1).into());
}

#[test]
fn every_code_has_a_page_a_hint_and_an_exit() {
    let world = world();
    let pages = world.tuckbox(["explain", "--json"]).ok().records("code");
    assert_eq!(pages.len(), agent::fault::Code::ALL.len());
    for page in pages {
        let text = |name: &str| page[name].as_str().unwrap_or_default().len();
        assert!(text("text") > 40 && text("hint") > 3 && page["exit"].is_u64(), "{page}");
        let code = page["code"].as_str().unwrap();
        assert!(world.tuckbox(["explain", code]).ok().text().starts_with(code));
    }
}
