//! The command line as a person or a script meets it.

mod fake;
mod stage;

use std::ffi::OsString;
use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use jiff::tz::TimeZone;
use store::door::{ConstantChance, FixedClock};

use super::*;
use crate::command::{FOREIGN, VERBS};
use crate::engine::job::Stop;
use crate::fault::Code;
use crate::world::{Environment, Out, Terminal};
use fake::{Fake, ID, NOW_MS};
use stage::{Seen, Stage, Typist, run_line};

#[test]
fn every_verb_has_help_with_an_example_that_parses() {
    command().debug_assert();
    for verb in VERBS {
        let help = run_line(&format!("help {}", verb.name));
        assert_eq!((help.status, help.err.as_str()), (0, ""), "{}", verb.name);
        assert!(help.out.starts_with(verb.about) && help.out.contains("Example"), "{}", help.out);
        for example in verb.examples {
            assert!(help.out.contains(&format!("\n  tuckbox {example}")), "{example}");
            let words = std::iter::once("tuckbox".to_owned()).chain(shell_words::split(example).unwrap());
            command().try_get_matches_from(words).unwrap();
        }
    }
}

#[test]
fn the_first_help_lists_the_verbs() {
    let help = run_line("--help").out;
    let expected = "\
Encrypted, deduplicating backup that needs nothing on the server but SSH.

Usage: tuckbox [OPTIONS] <VERB>

Verbs:
  init         Make a vault, an account and a key, as far as they are missing
  backup       Make a version of files and directories
  versions     List versions, oldest first
  ls           List names in a version
  find         Find names in a version, or in all of them, deleted ones too
  history      Show each state of a path, and when it came and went
  restore      Write files of a version back, to another place or in place
  dump         Write a file of a version to standard output, or a directory as a tar
  diff         Show what differs between two versions
  compare      Show what differs between a version and the disk
  undelete     Bring the last state of deleted paths back
  rollback     Append a version that is like an earlier one; history stays
  delete       Append a version without some paths; history stays
  check        Prove that all the versions need is in the vault, with --read-data also unaltered
  repair       Tell what damage can be set right; with --yes, do it
  forget       Put versions into the trash, or take them out again
  pin          Keep versions whatever the policy says, or stop doing so
  housekeep    Free the space of what is not kept any more, or say what is kept
  usage        Show what the account takes in the vault, and what for
  key          Show, protect, copy, recover and renew the key
  account      Look after accounts: make, list, limit, freeze, check, move, delete, let SSH keys in
  group        Look after groups of accounts: make, list, limit, add and remove members
  volume       Look after a vault's volumes: directories on several disks that are filled evenly
  report       Tell how a vault is doing: what is taken, and how it grows
  traffic      Show the bytes that went over the wire: by hour, day or month, or by connection
  config       Show and change settings; print systemd units
  status       Tell how accounts are: ok, late, failing, over quota, frozen, never
  doctor       Look at everything that a backup depends on
  explain      Explain an error code
  which        Show what has an id: a version, a source, a node, a chunk
  why          Name the rule by which a backup takes a path or leaves it out
  shell        Look around in versions and run verbs there, with completion
  query        Run commands of the shell one after the other, for scripts
  tui          See accounts and versions on the whole screen, and restore by keys
  schema       Print the JSON Schema of what --json prints
  completions  Print the completion file of a shell
  man          Print the manual, or write all of its pages
  serve        Answer a client on standard input and output (run by it over SSH)
  version      Show the version of the program
";
    assert!(help.starts_with(expected), "{help}");
    let bare = run_line("");
    assert_eq!((bare.status, bare.out.as_str()), (2, ""));
    assert!(bare.err.starts_with(expected));
    assert_eq!(run_line("--version").out, format!("tuckbox {}\n", env!("CARGO_PKG_VERSION")));
}

#[test]
fn wrong_words_are_told_the_right_ones() {
    for (line, message) in [
        ("snapshots", "error: there is no verb \"snapshots\"\n  try: `tuckbox versions`  [usage, exit 2]\n"),
        ("bakcup x", "error: there is no verb \"bakcup\"\n  try: did you mean `tuckbox backup`?  [usage, exit 2]\n"),
        ("xyzzy", "error: there is no verb \"xyzzy\"\n  try: `tuckbox help` lists the verbs  [usage, exit 2]\n"),
        (
            "backup --exlude x",
            "error: unexpected argument '--exlude' found\n  try: did you mean --exclude? See `tuckbox help backup`  [usage, exit 2]\n",
        ),
        (
            "check --sample 200%",
            "error: invalid value '200%' for '--sample <N%>': \"200%\" is not a share: write a percentage from 0.1% to 100%\n  try: see `tuckbox help check`  [usage, exit 2]\n",
        ),
        (
            "key lst",
            "error: `tuckbox key` knows no \"lst\"\n  try: did you mean `tuckbox key list`? See `tuckbox help key`  [usage, exit 2]\n",
        ),
        (
            "ls --at whenever",
            "error: \"whenever\" is neither a time nor a version\n  try: latest, latest~2, previous, yesterday, `2 days ago`, -3h, `mon 9am`, 2026-11-18, no.12, or the first 6 or more digits of an id  [usage.time, exit 2]\n",
        ),
        (
            "explain net.lots",
            "error: there is no error code \"net.lots\"\n  try: did you mean `tuckbox explain net.lost`?  [usage, exit 2]\n",
        ),
    ] {
        let shown = run_line(line);
        assert_eq!((shown.status, shown.out.as_str(), shown.err.as_str()), (2, "", message), "{line}");
    }
}

#[test]
fn foreign_words_lead_to_verbs_that_exist() {
    for (word, hint) in FOREIGN {
        assert!(VERBS.iter().all(|verb| verb.name != *word), "{word} is a verb of ours");
        for named in hint.split('`').skip(1).step_by(2) {
            let verb = named.split(' ').nth(1).unwrap();
            assert!(VERBS.iter().any(|known| known.name == verb), "{named}");
        }
    }
}

#[test]
fn hints_of_codes_name_verbs_and_options_that_exist() {
    for code in Code::ALL {
        let page = explain::page(*code);
        for named in page.hint.split('`').skip(1).step_by(2) {
            if let Some(line) = named.strip_prefix("tuckbox ") {
                let verb = line.split(' ').next().unwrap();
                assert!(verb == "help" || VERBS.iter().any(|known| known.name == verb), "{named}");
            }
        }
    }
}

#[test]
fn errors_of_usage_are_records_too() {
    let shown = run_line("snapshots --json");
    let records = shown.records();
    assert_eq!((shown.status, shown.err.as_str(), records.len()), (2, "", 3));
    assert_eq!(records[0]["type"], "start");
    assert_eq!(
        (&records[1]["type"], &records[1]["code"], &records[1]["exit"], &records[1]["hint"]),
        (&"error".into(), &"usage".into(), &2.into(), &"`tuckbox versions`".into())
    );
    assert_eq!((&records[2]["type"], &records[2]["status"]), (&"end".into(), &"failed".into()));
}

#[test]
fn a_backup_as_records() {
    let shown = run_line("--json backup docs --tag daily -v");
    let records = shown.records();
    let types: Vec<&str> = records.iter().map(|record| record["type"].as_str().unwrap()).collect();
    assert_eq!(types, ["start", "phase", "progress", "progress", "item", "warning", "summary", "end"]);
    for (seq, record) in records.iter().enumerate() {
        assert_eq!((&record["v"], &record["seq"]), (&1.into(), &seq.into()));
        assert!(record["time"].as_str().unwrap().ends_with('Z'));
    }
    let run = records[0]["run"].as_str().unwrap();
    assert_eq!(
        shown.out.lines().next().unwrap(),
        format!(
            r#"{{"v":1,"seq":0,"time":"2026-11-20T22:02:00.000Z","type":"start","tool":"tuckbox","version":"{}","command":"backup","run":"{run}","pid":{}}}"#,
            env!("CARGO_PKG_VERSION"),
            std::process::id()
        )
    );
    assert_eq!(
        shown.out.lines().nth(3).unwrap(),
        r#"{"v":1,"seq":3,"time":"2026-11-20T22:02:02.000Z","type":"progress","phase":"send","files_done":4000,"bytes_done":4000,"sent_bytes":0,"received_bytes":0,"rate_bytes_per_s":2000,"errors":0}"#
    );
    assert_eq!(
        shown.out.lines().nth(5).unwrap(),
        r#"{"v":1,"seq":5,"time":"2026-11-20T22:02:02.000Z","type":"warning","code":"source.unreadable","exit":3,"message":"cannot be read","cause":["permission denied"],"hint":"run as a user who may read it, or leave it out with `--exclude`","retry":false,"path":"/home/ana/docs/private\\n.key","path_b64":"L2hvbWUvYW5hL2RvY3MvcHJpdmF0ZQoua2V5"}"#
    );
    assert_eq!((&records[6]["version_id"], &records[6]["files_new"]), (&ID.into(), &3.into()));
    assert_eq!(
        shown.out.lines().last().unwrap(),
        r#"{"v":1,"seq":7,"time":"2026-11-20T22:02:02.000Z","type":"end","status":"partial","exit":3,"errors":0,"warnings":1,"elapsed_ms":2000}"#
    );
    assert_eq!((shown.status, shown.err.as_str()), (3, ""));
    assert!(shown.seen.contains("tags: [\"daily\"]"), "{}", shown.seen);
}

#[test]
fn a_backup_for_people() {
    let shown = run_line("backup docs -v");
    assert_eq!(
        shown.err,
        "warning: /home/ana/docs/private\\n.key: cannot be read: permission denied [source.unreadable]\n"
    );
    let vault = shown.seen.split("vault: \"").nth(1).unwrap().split('"').next().unwrap();
    assert_eq!(
        shown.out,
        format!(
            "added            12 B  /home/ana/docs/private\\n.key\n  3 files, 0 B: 3 new\n  read 0 B, 0 B new, sent 0 B in 0.0 s\n  \
             1 item was not taken as it is, see the warnings\nVersion 3f9c02ab (no. 2) is safe in {vault}.\n"
        )
    );
    assert!(shown.seen.contains("vault_is_default: true"));
    let quiet = run_line("backup -q docs");
    assert_eq!((quiet.status, quiet.out.as_str()), (3, ""));
}

#[test]
fn progress_is_drawn_over_on_a_terminal() {
    let mut stage = Stage::new();
    stage.terminal = Terminal { stderr: true, columns: 40, ..Terminal::default() };
    let shown = stage.run("backup docs");
    assert!(shown.err.starts_with("\rsend: 1,000 files, 1,000 B\x1b[K\r"), "{:?}", shown.err);
    assert!(shown.err.contains("\r\x1b[K\x1b[33mwarning:\x1b[0m /home"), "{:?}", shown.err);
    let plain = stage.run("backup docs --color never");
    assert!(plain.err.contains("\r\x1b[Kwarning: /home"), "{:?}", plain.err);
}

#[test]
fn options_of_backup_reach_the_engine() {
    let shown = run_line(
        "backup docs/ /srv -e '*.o' --iexclude '*.JPG' --exclude-file ex --exclude-caches --exclude-if-present .no \
         --exclude-larger-than 4M -x --host other -n --accept-deletions",
    );
    for part in [
        "path: [47, 104, 111, 109, 101, 47, 97, 110, 97, 47, 100, 111, 99, 115, 47]",
        "host: \"other\", rules: SelectionOptions { patterns: [One(Given { pattern: [42, 46, 111], from: \"--exclude\", \
         fold: false }), File { path: \"/home/ana/ex\", fold: false }, One(Given { pattern: [42, 46, 74, 80, 71], \
         from: \"--iexclude\", fold: true })], exclude_caches: Some(\"--exclude-caches\")",
        "larger_than: Some((4194304, \"--exclude-larger-than\")), one_file_system: Some(\"--one-file-system\")",
        "dry_run: true, accept_deletions: true, guard_share_permille: 500, guard_min: 100, \
         suspicions: Suspicions { files_min: 50, share_permille: 500, encrypted_permille: 100, pin_ms: 7776000000 }, \
         protect_missing_ms: 1209600000, configured: false, delete_redundant_after_ms: 172800000, \
         hooks: Hooks { before: None, after: None, on_failure: None, on_suspicion: None }, hook_timeout_ms: 3600000, list_items: false",
    ] {
        assert!(shown.seen.contains(&part.replace("         ", "")), "{part}\n{}", shown.seen);
    }
    let stdin = run_line("backup --stdin --stdin-filename db.sql");
    assert!(stdin.seen.contains("stdin /home/ana/db.sql"), "{}", stdin.seen);
    assert_eq!(run_line("backup --stdin docs").status, 2);
    assert_eq!(run_line("backup --stdin-filename x docs").status, 2);
}

#[test]
fn sources_of_the_configuration_are_one_version() {
    let none = run_line("backup");
    assert!(none.err.starts_with("error: there is nothing to back up\n"), "{}", none.err);

    let stage = Stage::new().config(
        "guard_share = '30%'\nhost = 'box'\n[[source]]\npath = '/srv/a'\nexclude = '*.o'\ntag = 'x'\n[[source]]\npath = '/srv/b'\nhost = 'c'\n",
    );
    let all = stage.run("backup").seen;
    assert!(
        all.contains(
            "host: \"box\", rules: SelectionOptions { patterns: [One(Given { pattern: [42, 46, 111], from: \"/"
        ),
        "{all}"
    );
    assert!(all.contains("host: \"c\", rules: SelectionOptions { patterns: []"), "{all}");
    assert!(all.contains("tags: [\"x\"]") && all.contains("guard_share_permille: 300"), "{all}");
    // A source named on the command line keeps its rules, and gets more.
    let one = stage.run("backup /srv/a/ -e '*.p'").seen;
    assert!(
        one.matches("pattern: [42, 46, 11").count() == 2 && one.contains("tags: [\"x\"]") && !one.contains("\"c\""),
        "{one}"
    );
    let other = stage.run("backup /srv/d").seen;
    assert!(other.contains("patterns: []") && other.contains("tags: []"), "{other}");
}

#[test]
fn flag_over_environment_over_file() {
    let stage = Stage::new().config("vault = '~/v'\nssh = 'system'\n");
    let seen = |stage: &Stage, line: &str| stage.run(line).seen;
    let home = stage.home.path().display().to_string();
    assert!(seen(&stage, "versions").contains(&format!("vault: \"{home}/v\", vault_is_default: false")));
    let stage = stage.set("TUCKBOX_VAULT", "me@host:v").set("TUCKBOX_SSH", "embedded");
    assert!(seen(&stage, "versions").contains("vault: \"me@host:v\", vault_is_default: false"));
    assert!(seen(&stage, "versions").contains("ssh: Embedded"));
    let flags = seen(&stage, "--vault /x versions --ssh auto --account a --key k.key --remote-program /opt/t");
    assert!(flags.contains("vault: \"/x\"") && flags.contains("ssh: Auto"), "{flags}");
    assert!(flags.contains("account: Some(\"a\"), key_file: Some(\"/home/ana/k.key\")"), "{flags}");

    let shown = stage.run("config show --origin --vault /y");
    assert!(shown.out.contains("--vault") && shown.out.contains("config.toml:2").eq(&false), "{}", shown.out);
    assert!(shown.out.lines().any(|line| line.starts_with("ssh") && line.ends_with("TUCKBOX_SSH")), "{}", shown.out);
    assert!(
        shown.out.lines().any(|line| line.starts_with("guard_min  ") && line.ends_with("default")),
        "{}",
        shown.out
    );
}

#[test]
fn a_broken_configuration_stops_verbs_that_need_it() {
    let stage = Stage::new().config("vualt = 'x'\n");
    let shown = stage.run("versions");
    let file = stage.home.path().join(".config/tuckbox/config.toml");
    assert_eq!(
        shown.err,
        format!(
            "error: {}:1: there is no key \"vualt\"\n  try: did you mean vault? `tuckbox config template` shows every key  [config.invalid, exit 2]\n",
            file.display()
        )
    );
    assert_eq!((shown.status, shown.seen.as_str()), (2, ""));
    assert_eq!(stage.run("version").status, 0);
    assert_eq!(stage.run("config template").out, crate::config::template::template());
    assert_eq!(stage.run("config show").status, 2);
    let json = stage.run("versions --json").records();
    assert_eq!((json.len(), &json[1]["code"]), (3, &"config.invalid".into()));
}

#[test]
fn lists_are_tables_or_records() {
    assert_eq!(
        run_line("versions").out,
        "NO  VERSION   RECEIVED             FILES      SIZE  TAGS   SOURCES\n \
         2  3f9c02ab  2026-11-20 22:01:01  1,204  88.0 MiB  daily  /home/ana/a\\x1b\n"
    );
    let records = run_line("versions --json").records();
    assert_eq!(records[1]["type"], "version");
    assert_eq!((&records[1]["id"], &records[1]["received_at"]), (&ID.into(), &"2026-11-20T22:01:01.000Z".into()));
    assert_eq!(records[1]["sources"][0]["path"], "/home/ana/a\\x1b");

    let shown = run_line("ls -l -r docs --at '2 days ago'");
    assert_eq!(shown.out, "-rw-r--r--  ana      100         1.3 KiB  2026-11-20 22:02  /home/ana/caf\\xe9\n");
    assert_eq!(
        shown.err,
        "the newest version received by 2026-11-18 22:02:00: version 3f9c02ab, received 2026-11-20 22:01:01\n"
    );
    assert!(shown.seen.contains("recursive: true, directory: false"), "{}", shown.seen);
    let entry = run_line("ls --json").records().remove(1);
    assert_eq!((&entry["type"], &entry["path_b64"]), (&"entry".into(), &"L2hvbWUvYW5hL2NhZuk=".into()));
    assert_eq!((&entry["mode"], &entry["modified_at"]), (&"0644".into(), &"2026-11-20T22:02:00.005Z".into()));
}

#[test]
fn times_may_begin_with_a_minus() {
    let three = "Moment { ms: 1795201320000 }";
    assert!(run_line("ls --at -3h").seen.contains(three));
    for line in ["diff -3h latest --metadata", "diff --metadata -3h latest", "diff -3h latest /home --metadata"] {
        let shown = run_line(line);
        assert!(shown.seen.contains(&format!("from: {three}, to: Latest")), "{line} {} {}", shown.seen, shown.err);
        assert!(shown.seen.contains("metadata: true"), "{line} {}", shown.seen);
    }
    assert_eq!(run_line("diff -3h latest --json").records().len(), 3);
    assert_eq!(run_line("diff -3h latest -q").out, "");
}

#[test]
fn a_restore_in_place_is_confirmed() {
    let nobody = run_line("restore docs");
    assert_eq!((nobody.status, nobody.seen.as_str()), (12, ""));
    assert!(
        nobody.err.contains("try: add `--yes`") && nobody.err.contains("[policy.confirm, exit 12]"),
        "{}",
        nobody.err
    );
    assert_eq!(run_line("restore docs --yes").status, 0);
    assert_eq!(run_line("restore docs -n").status, 0);
    assert_eq!(run_line("restore docs --to /tmp/x").status, 0);

    let yes = Stage::new().at_terminal(&["y"]).run("restore docs");
    assert_eq!(yes.status, 0, "{}", yes.err);
    assert_eq!(
        yes.err,
        "This puts 2 files (2.0 KiB) back in place:\n  /home/ana/docs\nFiles that are there and differ are overwritten.\nGo on? [y/N] \n"
    );
    for answers in [&["n"][..], &[""], &[]] {
        assert_eq!(Stage::new().at_terminal(answers).run("restore docs").status, 12);
    }
    assert_eq!(Stage::new().at_terminal(&["y"]).run("restore docs --no-input").status, 12);
    assert_eq!(Stage::new().at_terminal(&["y"]).run("restore docs --json").status, 12);
}

#[test]
fn passphrases_come_from_files_or_people() {
    let stage = Stage::new();
    let file = |name: &str, text: &str| {
        std::fs::write(stage.home.path().join(name), text).unwrap();
        stage.home.path().join(name).display().to_string()
    };
    let (old, new) = (file("old", "old word\n"), file("new", "new word\n"));
    let shown = stage.run(&format!("key passwd --password-file {old} --new-password-file {new}"));
    assert!(shown.seen.ends_with("\"old word new word\""), "{} {}", shown.seen, shown.err);
    let shown = stage.run(&format!("key passwd --password-command 'cat {old}'"));
    assert!(shown.err.contains("--new-password-file FILE") && shown.status == 7, "{}", shown.err);
    assert_eq!(stage.run(&format!("key passwd --password-command x --password-file {old}")).status, 2);

    std::fs::write(stage.home.path().join("tuckbox.passphrase"), "cred").unwrap();
    let home = stage.home.path().display().to_string();
    let stage = stage.set("CREDENTIALS_DIRECTORY", &home);
    assert!(stage.run(&format!("key passwd --new-password-file {new}")).seen.ends_with("\"cred new word\""));

    let typed = Stage::new().at_terminal(&["old", "a", "b", "new", "new"]).run("key passwd");
    assert!(typed.seen.ends_with("\"old new\""), "{}", typed.err);
    let never = Stage::new().at_terminal(&["old", "new", "new"]).run("key passwd --no-input");
    assert_eq!(never.status, 7);
    assert!(never.err.contains("[key.passphrase_needed, exit 7]"), "{}", never.err);
    // `init` goes on without one where nobody can be asked.
    assert!(run_line("init").out.contains("without a passphrase"));
    assert!(Stage::new().at_terminal(&["p", "p"]).run("init").out.contains("with a passphrase"));
    assert!(Stage::new().at_terminal(&[""]).run("init").out.contains("without a passphrase"));
}

#[test]
fn dump_keeps_standard_output_for_the_content() {
    let shown = run_line("dump letter.txt");
    assert_eq!((shown.out.as_str(), shown.err.as_str()), ("raw \u{fffd} bytes", ""));
    assert!(run_line("dump letter.txt --json").records()[1]["hint"].as_str().unwrap().contains("-o FILE"));
    let stage = Stage::new();
    let to = stage.home.path().join("out");
    let shown = stage.run(&format!("dump letter.txt --json -o {}", to.display()));
    assert_eq!((shown.status, std::fs::read(&to).unwrap().len()), (0, 11));
    assert_eq!(shown.records().len(), 3);
}

#[test]
fn answers_are_exit_codes() {
    assert_eq!(run_line("check").status, 10);
    assert!(run_line("check").out.starts_with("DAMAGED  packs/3f/3f9c: a chunk is missing [data.damaged]\n"));
    let all = run_line("account check --all");
    assert_eq!(all.status, 10);
    assert!(
        all.out.starts_with("OK account=ana check=stored versions=3 packs=2\nERR account=bob check=stored "),
        "{}",
        all.out
    );
    assert!(all.out.contains(" damaged=1 message=\"pack 00: gone\"\n"), "{}", all.out);
    assert!(
        run_line("account refused").out.ends_with("  ana\\n    account.none      2.0 s\n"),
        "{}",
        run_line("account refused").out
    );
    assert_eq!(run_line("doctor").status, 4);
    assert!(run_line("doctor").out.ends_with("FAIL  clock         an hour ahead  try: enable time sync\n"));
    assert_eq!(run_line("diff latest~1 latest").out, "The two versions are the same.\n");
    assert_eq!(
        run_line("key words").out.lines().next(),
        Some(" 1 zoo         2 zoo         3 zoo         4 zoo         5 zoo         6 zoo")
    );
    let mut stage = Stage::new();
    stage.fault = Some(Fault::new(Code::Interrupted, "interrupted"));
    assert_eq!(stage.run("versions").status, 130);
    assert_eq!(stage.run("versions --json").records().last().unwrap()["status"], "cancelled");
}

#[test]
fn serve_never_prints() {
    let shown = run_line("serve --stdio --vault /srv/v --role append");
    assert_eq!((shown.status, shown.out.as_str(), shown.err.as_str()), (0, "", ""));
    assert!(shown.seen.contains("ServeJob { vault: \"/srv/v\", account: None, role: Append, home: "), "{}", shown.seen);
    let forced =
        |words: &str| Stage::new().set("SSH_ORIGINAL_COMMAND", words).run("serve --stdio --vault /srv/v --role append");
    let narrowed = forced("tuckbox serve --stdio --role read --account ana");
    assert!(narrowed.seen.contains("account: Some(\"ana\"), role: Read"), "{} {}", narrowed.seen, narrowed.err);
    for words in [
        "tuckbox serve --stdio --vault /srv/other",
        "tuckbox serve --stdio --role backup",
        "tuckbox serve --stdio --role king",
        "rm -rf /",
    ] {
        let refused = forced(words);
        // It is told in the protocol: every request is answered with it, and nothing is printed.
        assert_eq!((refused.status, refused.out.as_str(), refused.err.as_str()), (0, "", ""), "{words}");
        assert!(refused.seen.contains("refusal: Some(Fault { code: PolicyRole"), "{words}: {}", refused.seen);
    }
    let json = run_line("serve --stdio --json");
    assert_eq!(json.status, 2);
}

#[test]
fn a_reader_that_goes_away_ends_the_run_quietly() {
    struct Gone;
    impl Write for Gone {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::BrokenPipe.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let err = Seen::default();
    let world = World {
        engine: Arc::new(Fake::default()),
        clock: Arc::new(FixedClock::at(NOW_MS)),
        chance: Arc::new(ConstantChance::new(1)),
        env: Environment::default(),
        terminal: Terminal { columns: 80, ..Terminal::default() },
        keyboard: Arc::new(Typist(Mutex::new(Vec::new()), err.clone())),
        stdout: Arc::new(Out::new(Box::new(Gone))),
        stderr: Arc::new(Out::new(Box::new(err.clone()))),
        working: PathBuf::from("/"),
        home: Some(PathBuf::from("/nonexistent")),
        zone: TimeZone::UTC,
        host: "laptop".into(),
        stop: Stop::default(),
        console: None,
    };
    for line in [&["tuckbox", "ls"][..], &["tuckbox", "versions", "--json"], &["tuckbox", "--help"]] {
        assert_eq!(run(&world, line.iter().map(OsString::from).collect()), 141);
    }
    assert!(err.0.lock().unwrap().is_empty());
}
