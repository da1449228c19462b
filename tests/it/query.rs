//! The batch: the shell's commands from arguments, a file or standard input.

use std::fs;

use tests::tree::Tree;
use tests::world::World;

use crate::world;

fn ready() -> World {
    let world = world().ready();
    fs::create_dir_all(world.path("docs/db")).unwrap();
    Tree::at(world.path("docs")).file("a b.txt", "one\n").file("db/x.txt", "x\n").file("db/y.log", "y\n");
    world.tuckbox(["backup", &world.arg("docs")]).ok();
    world
}

#[test]
fn commands_come_from_arguments_a_file_and_standard_input() {
    let world = ready();
    let docs = world.arg("docs");
    let expected = "a b.txt\ndb/\none\ndb/x.txt\n";
    let lines = [format!("cd {docs}"), "ls".into(), "cat 'a b.txt' # a comment".into(), "ls */*.txt".into()];
    let words = lines.iter().flat_map(|line| ["-c", line.as_str()]);
    let from_arguments = world.tuckbox(["query"]).and(words).ok();
    assert_eq!(from_arguments.text(), expected);
    fs::write(world.path("lines"), lines.join("\n")).unwrap();
    assert_eq!(world.tuckbox(["query", &world.arg("lines")]).ok().text(), expected);
    assert_eq!(world.tuckbox(["query", "-"]).stdin(lines.join(" ; \n")).ok().text(), expected);
    // A quote that is open goes on with the next line.
    let run = world.tuckbox(["query", "-"]).stdin(format!("cd {docs}\ncat 'a\nb'\n")).run();
    assert!(run.exits(5).err().contains("a\\nb"));
}

#[test]
fn the_first_failure_ends_it_with_its_code() {
    let world = ready();
    let lines = ["-c", "ls /nowhere", "-c", "versions"];
    let first = world.tuckbox(["query"]).and(lines).run().exits(5);
    assert!(!first.text().contains("VERSION"), "{first}");
    let all = world.tuckbox(["query", "--keep-going"]).and(lines).and(["-c", "lsx"]).run().exits(5);
    assert!(all.text().contains("VERSION") && all.err().contains("there is no verb \"lsx\""), "{all}");
    assert_eq!(world.tuckbox(["query", "-c", "!exit 7"]).run().code(), 1);
    world.tuckbox(["query", "-c", "cat 'x"]).run().fails("usage", 2);
    world.tuckbox(["query", "-c", "shell"]).run().fails("usage", 2);
    world.tuckbox(["query", "-c", "exit; lsx"]).ok();
    world.tuckbox(["query"]).run().fails("usage", 2);
}

#[test]
fn a_command_of_a_file_that_failed_is_named_with_its_line() {
    let world = ready();
    let docs = world.arg("docs");
    let file = world.arg("lines");
    fs::write(&file, format!("# a comment\ncd {docs}\n\nls; cat nothing\nls /nowhere\n")).unwrap();
    let first = world.tuckbox(["query", &file]).run();
    assert!(first.err().contains(&format!("{file}:4: cat nothing")) && !first.err().contains(":5:"), "{first}");
    let all = world.tuckbox(["query", "--keep-going", &file]).run();
    assert!(all.err().contains(":4: cat nothing") && all.err().contains(":5: ls /nowhere"), "{all}");
    let typed = world.tuckbox(["query", "-"]).stdin("pwd\ncat 'x").run();
    assert!(typed.err().contains("standard input:2: cat 'x"), "{typed}");
}

#[test]
fn a_dash_to_get_is_standard_output() {
    let world = ready();
    let (cd, lcd) = (format!("cd {}", world.arg("docs")), format!("lcd {}", world.arg("docs")));
    let got = world.tuckbox(["query", "-c", &cd, "-c", &lcd, "-c", "get 'a b.txt' -"]).ok();
    assert_eq!(got.text(), "one\n");
    assert!(!world.path("docs/-").exists());
}

#[test]
fn one_stream_has_one_beginning_and_one_end() {
    let world = ready();
    let docs = world.arg("docs");
    let words = ["--json", "-c", &format!("cd {docs}; ls"), "-c", "cat 'a b.txt'; pwd", "-c", "help ls", "-c", "lls /"];
    let run = world.tuckbox(["query"]).and(words).ok();
    let records = run.json();
    assert_eq!(run.records("start").len() + run.records("end").len(), 2);
    let commands: Vec<_> = run.records("command").iter().map(|record| record["words"][0].clone()).collect();
    assert_eq!(commands, ["cd", "ls", "cat", "pwd", "help", "lls"]);
    assert_eq!(run.records("done").len(), 6);
    assert_eq!(run.records("entry").len(), 2);
    assert_eq!(run.record("content")["data_b64"], "b25lCg==");
    assert_eq!(run.records("view")[0]["path"], docs.as_str());
    assert_eq!(records.last().unwrap()["status"], "ok");
    let failed = world.tuckbox(["query", "--json", "-c", "ls /nowhere", "-c", "versions"]).run().exits(5);
    assert_eq!(failed.record("error")["code"], "path.none");
    assert_eq!(failed.record("end")["exit"], 5);
    assert!(failed.stderr.is_empty(), "{failed}");
    // A command of a plain batch may speak JSON for itself, too.
    let mixed = world.tuckbox(["query", "-c", &format!("ls --json {docs}"), "-c", "pwd"]).ok();
    assert!(mixed.text().contains("\"type\":\"end\"") && mixed.text().ends_with("/\n"), "{mixed}");
}

#[test]
fn what_the_command_line_says_counts_inside() {
    let world = ready();
    fs::write(world.path("docs/later.txt"), "l\n").unwrap();
    world.tuckbox(["backup", &world.arg("docs")]).ok();
    let other = World::with_vault(&world, "/nowhere");
    let vault = world.arg("vault");
    let list = format!("ls {}", world.arg("docs"));
    let then = other.tuckbox(["query", "--vault", &vault, "--at", "previous", "-c", &list]).ok();
    assert!(!then.text().contains("later.txt"), "{then}");
    let now =
        other.tuckbox(["query", "--vault", &vault, "--at", "previous", "-c", &format!("{list} --at latest")]).ok();
    assert!(now.text().contains("later.txt"), "{now}");
    other.tuckbox(["query", "-c", &list]).run().fails("vault.none", 5);
    other.tuckbox(["query", "-c", &format!("{list} --vault {vault}")]).ok();
}

#[test]
fn lists_take_a_shape_of_ones_own() {
    let world = ready();
    let docs = world.arg("docs");
    let shaped = world.tuckbox(["ls", "-r", "--format", "{kind}:{bytes}:{path}\\n", &docs]).ok();
    assert_eq!(
        shaped.text(),
        format!("file:4:{docs}/a b.txt\ndir:4:{docs}/db\nfile:2:{docs}/db/x.txt\nfile:2:{docs}/db/y.log\n")
    );
    let null = world.tuckbox(["ls", "-0", &docs]).ok();
    assert_eq!(null.text(), format!("{docs}/a b.txt\0{docs}/db\0"));
    let ids = world.tuckbox(["versions", "--format", "{sequence} {files}\\n"]).ok();
    assert!(ids.text().trim_end().ends_with(" 3"), "{ids}");
    let inside = world.tuckbox(["query", "-c", &format!("cd {docs}; ls -0 db")]).ok();
    assert_eq!(inside.text(), format!("{docs}/db/x.txt\0{docs}/db/y.log\0"));
    world.tuckbox(["ls", "--format", "{size}", &docs]).run().fails("usage", 2).says("modified_at");
    world.tuckbox(["ls", "--format", "{path", &docs]).run().fails("usage", 2);
    world.tuckbox(["backup", "-0", &docs]).run().fails("usage", 2);
    world.tuckbox(["ls", "-0", "/nowhere"]).run().fails("path.none", 5);
}

#[test]
fn a_reader_that_goes_away_ends_it_quietly() {
    let world = ready();
    let tree = Tree::at(world.path("many"));
    for n in 0..3_000 {
        tree.file(format!("file-{n:04}"), "");
    }
    world.tuckbox(["backup", &world.arg("many")]).ok();
    for way in ["ls -r0", "ls -r --format '{path}\\n'", "query -c \"ls -r /\" -c \"ls -r /\" -c", "query --json -c"] {
        let inner = if way.ends_with("-c") { "'ls -r /'" } else { "/" };
        let script = format!("tuckbox {way} {inner} | head -c 100 > /dev/null; echo ${{PIPESTATUS[0]}}");
        let run = world.command("bash", ["-c", &script]).ok();
        assert!(run.stderr.is_empty() && run.text() == "141\n", "{way}: {run}");
    }
}
