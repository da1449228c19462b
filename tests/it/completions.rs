//! Completion in the real shells: the committed files load there, and what Tab gives runs.

use std::path::Path;

use tests::need;
use tests::pty::Terminal;
use tests::tree::Tree;
use tests::world::World;

use crate::world;

const TAB: &str = "\t";

fn ready() -> World {
    let world = world().ready();
    std::fs::create_dir_all(world.path("docs/my letters")).unwrap();
    Tree::at(world.path("docs"))
        .file("my letters/to ana.txt", "dear ana\n")
        .file("my letters/$HOME 'q'.txt", "quoted\n")
        .file("plain.txt", "plain\n");
    world.tuckbox(["backup", &world.arg("docs")]).ok();
    world
}

fn file(name: &str) -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("completions").join(name).display().to_string()
}

/// A shell with the committed file and a prompt that says so; `None` when it is not installed.
fn start(world: &World, shell: &str) -> Option<Terminal> {
    if !need::programs(&[shell]) {
        return None;
    }
    let path = need::find(shell).unwrap();
    let (words, setup) = match shell {
        "bash" => (vec!["--norc", "--noprofile", "-i"], format!("PS1='ready> '; source {}\r", file("tuckbox.bash"))),
        "zsh" => {
            let load = "autoload -U compinit; compinit -u -D; PS1='ready> '";
            (vec!["-f", "-i"], format!("unsetopt PROMPT_SP; {load}; source {}\r", file("_tuckbox")))
        }
        _ => {
            let prompt = "function fish_prompt; echo -n 'ready> '; end; function fish_greeting; end";
            (vec!["--private", "--no-config", "-i"], format!("{prompt}; source {}\r", file("tuckbox.fish")))
        }
    };
    let terminal = Terminal::start(world.command(path, words), 60, 100);
    terminal.keys(&setup);
    terminal.until("the prompt", |screen| screen.contents().lines().any(|line| line.starts_with("ready> ")));
    Some(terminal)
}

/// Types, waits until the line is completed to `made`, runs it, and waits for what it says.
fn gives(terminal: &Terminal, typed: &str, made: &str, says: &str) {
    terminal.keys(typed).keys(TAB);
    terminal.until(made, |screen| {
        let (row, _) = screen.cursor_position();
        screen.rows(0, 100).nth(usize::from(row)).unwrap_or_default().contains(made)
    });
    terminal.keys("\r").shows(says);
}

fn leave(terminal: Terminal) {
    terminal.keys("exit 0\r");
    assert_eq!(terminal.end(), 0);
}

fn verbs_options_and_values(terminal: &Terminal) {
    gives(terminal, "tuckbox explain net.unr", "net.unreachable", "(exit 8)");
    gives(terminal, "tuckbox conf", "config ", "Usage: tuckbox config");
    gives(terminal, "tuckbox versions --part", "--partial ", "RECEIVED");
}

#[test]
fn bash_completes() {
    let world = ready();
    let Some(terminal) = start(&world, "bash") else { return };
    verbs_options_and_values(&terminal);
    let docs = world.arg("docs");
    terminal.keys(&format!("cd {docs}; clear\r"));
    gives(&terminal, "true; tuckbox dump pl", "dump plain.txt ", "plain");
    terminal.keys("clear\r");
    gives(&terminal, "tuckbox dump my", "dump my\\ letters/", "ready>");
    gives(&terminal, "tuckbox dump my\\ letters/to", "letters/to\\ ana.txt ", "dear ana");
    gives(&terminal, "tuckbox dump \"my letters/t", "\"my letters/to ana.txt\" ", "dear ana");
    gives(&terminal, "tuckbox dump 'my letters/t", "'my letters/to ana.txt' ", "dear ana");
    gives(&terminal, "tuckbox dump my\\ letters/\\$", "\\$HOME\\ \\'q\\'.txt ", "quoted");
    gives(&terminal, "tuckbox ls --at yest", "--at yesterday ", "version.none");
    leave(terminal);
}

/// What zsh and fish do alike.
fn words_and_paths(world: &World, terminal: &Terminal) {
    verbs_options_and_values(terminal);
    let docs = world.arg("docs");
    terminal.keys(&format!("cd {docs}; clear\r"));
    gives(terminal, "true; tuckbox dump pl", "dump plain.txt ", "plain");
    gives(terminal, "tuckbox dump my\\ letters/to", "letters/to\\ ana.txt ", "dear ana");
    gives(terminal, "tuckbox dump my\\ letters/\\$", "\\$HOME\\ \\'q\\'.txt ", "quoted");
    gives(terminal, "tuckbox ls --at yest", "--at yesterday ", "version.none");
}

#[test]
fn zsh_completes() {
    let world = ready();
    let Some(terminal) = start(&world, "zsh") else { return };
    words_and_paths(&world, &terminal);
    leave(terminal);
}

#[test]
fn fish_completes() {
    let world = ready();
    let Some(terminal) = start(&world, "fish") else { return };
    words_and_paths(&world, &terminal);
    leave(terminal);
}

#[test]
fn the_manual_has_no_fault_and_a_page_for_every_verb() {
    let world = world();
    world.tuckbox(["man", &world.arg("man1")]).ok();
    let shown = agent::command::VERBS.iter().filter(|verb| !verb.is_hidden());
    assert!(world.path("man1/tuckbox.1").is_file());
    for verb in shown {
        assert!(world.path(format!("man1/tuckbox-{}.1", verb.name)).is_file(), "{}", verb.name);
    }
    if !need::programs(&["man"]) {
        return;
    }
    for page in std::fs::read_dir(world.path("man1")).unwrap().map(|page| page.unwrap().path()) {
        let words = [std::ffi::OsStr::new("--warnings"), "-l".as_ref(), page.as_os_str()];
        let run = world.command("man", words).env("MANWIDTH", "80").env("LC_ALL", "C.UTF-8").ok();
        assert!(run.stderr.is_empty(), "{}: {run}", page.display());
        assert!(run.text().contains("NAME") && run.text().contains("tuckbox"), "{run}");
    }
}
