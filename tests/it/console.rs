//! The console, driven by keys and looked at on the screen.

use std::fs;

use rustix::process::Signal;
use tests::pty::Terminal;
use tests::subject::Call;
use tests::tree::Tree;
use tests::world::World;

use crate::world;

const ENTER: &str = "\r";
const ESCAPE: &str = "\x1b";
const TAB: &str = "\t";

/// A vault with two versions.
fn ready() -> World {
    let world = world().ready();
    fs::create_dir_all(world.path("docs")).unwrap();
    Tree::at(world.path("docs")).file("letter.txt", "dear ana\n");
    world.tuckbox(["backup", &world.arg("docs"), "--tag", "first"]).ok();
    Tree::at(world.path("docs")).file("new.txt", "new\n");
    world.tuckbox(["backup", &world.arg("docs"), "--tag", "second"]).ok();
    world
}

fn start(call: Call, rows: u16, columns: u16) -> Terminal {
    let terminal = Terminal::start(call.env("TZ", "UTC").env("LANG", "C.UTF-8"), rows, columns);
    terminal.until("own screen", vt100::Screen::alternate_screen);
    terminal
}

fn console(world: &World) -> Terminal {
    start(world.tuckbox(["tui"]), 30, 100)
}

/// Escape, and what stood above is gone: a key right behind it would make another one of it.
fn back(terminal: &Terminal, what: &str) {
    terminal.keys(ESCAPE).until("it is gone", |screen| !screen.contents().contains(what));
}

#[test]
fn accounts_versions_and_back() {
    let world = ready();
    let terminal = console(&world);
    // The account's row, and what is known of it.
    terminal.shows("1 account").shows("Accounts");
    terminal.keys(ENTER).shows("Latest versions").shows("second").shows("Retention");
    terminal.keys("3").shows("2 versions").shows("first");
    terminal.keys("@").shows("As at").keys("latest~1").shows("-> version");
    terminal.keys(ENTER).keys("?").shows("Keys on the screen: versions").keys("diff").shows("what differs");
    back(&terminal, "Search:");
    terminal.resize(24, 80);
    terminal.until("all of it in 80 columns", |screen| {
        screen.contents().lines().next().is_some_and(|line| line.trim_end().ends_with("UTC"))
            && (screen.size().0.get(), screen.size().1.get()) == (24, 80)
    });
    terminal.resize(9, 30).shows("tuckbox needs 40x10");
    terminal.resize(24, 80).shows("versions");
    terminal.keys("Q");
    assert_eq!(terminal.end(), 0);
}

#[test]
fn a_command_is_completed_run_and_shown() {
    let world = ready();
    let terminal = console(&world);
    terminal.shows("1 account");
    terminal.keys(":").shows("Tab completes").keys("versi").shows("Show the version of the program");
    terminal.keys("ons --ta").shows("--tag").keys(TAB).shows(": versions --tag ");
    terminal.keys("first").keys(ENTER).shows("tuckbox versions --tag first").shows("+ done");
    terminal.until("the version and not the other", |screen| {
        let shown = screen.contents();
        shown.contains("first") && !shown.contains("second")
    });
    back(&terminal, "+ done");
    terminal.keys(":").shows("Tab completes").keys("quit").keys(ENTER);
    assert_eq!(terminal.end(), 0);
}

#[test]
fn keys_answer_while_the_vault_does_not() {
    // Nothing ever comes from this vault: the first picture does not wait for it, nor do keys, nor does leaving.
    let world = ready().with_vault("cmd:sleep 300");
    let terminal = console(&world);
    terminal.shows("Accounts").shows("loading,");
    terminal.keys("3").shows("loading");
    terminal.keys("?").shows("Search:");
    back(&terminal, "Search:");
    terminal.keys("7").shows("jobs");
    terminal.keys("Q");
    assert_eq!(terminal.end(), 0);
}

/// Whether the picture is as wide as this.
fn is_wide(screen: &vt100::Screen, columns: usize) -> bool {
    screen.contents().lines().next().is_some_and(|line| line.trim_end().chars().count() > columns)
}

#[test]
fn nothing_that_comes_at_once_is_left_unread() {
    let world = ready();
    let terminal = console(&world);
    terminal.shows("1 account");
    // A key and a new size; then more than is read at a time, by somebody whose terminal does not say that it pastes.
    terminal.hold();
    terminal.resize(40, 120).keys("?");
    terminal.signal(Signal::CONT);
    terminal.until("help on a wide screen", |s| s.contents().contains("Search:") && is_wide(s, 100));
    back(&terminal, "Search:");
    terminal.keys(":").shows("Command");
    terminal.hold();
    terminal.keys(&format!("{}the end", "many words ".repeat(250)));
    terminal.signal(Signal::CONT);
    terminal.shows("the end").keys(ESCAPE).until("it is gone", |screen| !screen.contents().contains("the end"));
    terminal.keys("Q");
    assert_eq!(terminal.end(), 0);
}

#[test]
fn a_vault_that_is_away_is_not_made_anew() {
    let world = ready();
    let (there, elsewhere) = (world.path("vault"), world.path("elsewhere"));
    let settings = || fs::read(world.home().join(".config/tuckbox/config.toml")).ok();
    let before = settings();
    let terminal = console(&world);
    terminal.shows("1 account");
    fs::rename(&there, &elsewhere).unwrap();
    terminal.keys("\x12").shows("the vault is not there since").shows("asked again in");
    terminal.keys("Q");
    assert_eq!(terminal.end(), 0);
    // The mount point alone.
    fs::create_dir(&there).unwrap();
    let slash = format!("{}/", world.arg("vault"));
    let terminal = start(world.tuckbox(["tui", "--vault", slash.as_str()]), 30, 100);
    terminal.shows("the vault is not there: ").shows("mount its disk").keys(ENTER);
    fs::remove_dir(&there).unwrap();
    fs::rename(&elsewhere, &there).unwrap();
    terminal.keys("\x12").shows("the vault is there again").shows("1 account");
    assert!(!terminal.all().contains("First run"));
    terminal.keys("Q");
    assert_eq!(terminal.end(), 0);
    assert_eq!(before, settings());
}

/// Whether the row of this account is under the cursor.
fn is_chosen(screen: &vt100::Screen, account: &str) -> bool {
    screen.contents().lines().any(|line| line.contains('>') && line.contains(account))
}

#[test]
fn the_account_of_this_machine_is_under_the_cursor_at_first() {
    let ana = ready();
    let bob = ana.machine("bob").with_vault(ana.arg("vault"));
    bob.tuckbox(["init"]).ok();
    for (machine, words, chosen) in
        [(&ana, vec!["tui"], "ana"), (&bob, vec!["tui"], "bob"), (&ana, vec!["tui", "bob"], "bob")]
    {
        let terminal = start(machine.tuckbox(words), 30, 100);
        terminal.shows("2 accounts").until(chosen, |screen| is_chosen(screen, chosen));
        terminal.keys("Q");
        assert_eq!(terminal.end(), 0);
    }
}

#[test]
fn an_account_without_a_key_is_told_how_it_gets_one() {
    let world = ready();
    world.tuckbox(["account", "create", "bob"]).ok();
    let terminal = start(world.tuckbox(["tui", "bob"]), 30, 100);
    terminal.until("bob is under the cursor", |screen| is_chosen(screen, "bob"));
    terminal.keys("3").shows("has no key yet").shows("tuckbox init --account bob");
    terminal.keys("Q");
    assert_eq!(terminal.end(), 0);
}

#[test]
fn everything_is_drawn_again_without_asking_the_terminal() {
    let world = ready();
    let terminal = console(&world);
    terminal.shows("1 account");
    // What somebody else wrote over it goes.
    terminal
        .writes_over("noise")
        .keys("\x0c")
        .until("the noise is gone", |screen| !screen.contents().contains("noise"));
    terminal.shows("1 account").keys("?").shows("Search:");
    terminal.keys(ESCAPE).until("it is gone", |screen| !screen.contents().contains("Search:"));
    terminal.keys("Q");
    assert!(!terminal.all().contains("\x1b[6n"), "it asked where the cursor is");
    assert_eq!(terminal.end(), 0);
}

#[test]
fn a_console_that_was_suspended_goes_on() {
    let world = ready();
    let program = world.tuckbox(["tui"]).into_command().get_program().to_owned();
    let script = "set -m; \"$0\" tui; echo stopped; read -r go; fg >/dev/null";
    let terminal = start(world.command("/bin/sh", ["-c".as_ref(), script.as_ref(), program.as_os_str()]), 30, 100);
    terminal.shows("1 account").keys("\x1a").shows("stopped");
    assert!(terminal.echoes() && !terminal.contents().contains("1 account"));
    terminal.keys("\n").shows("1 account").keys("?").shows("Search:");
    back(&terminal, "Search:");
    terminal.keys("Q");
    assert_eq!(terminal.end(), 0);
}

#[test]
fn a_signal_gives_the_terminal_back() {
    let world = ready();
    for signal in [Signal::TERM, Signal::HUP, Signal::INT] {
        let terminal = console(&world);
        terminal.shows("1 account");
        assert!(!terminal.echoes());
        terminal.signal(signal);
        let (status, echoes) = terminal.end_and_echo();
        assert_eq!((status, echoes), (128 + signal.as_raw().unsigned_abs(), true));
    }
}

#[test]
fn a_bug_gives_the_terminal_back() {
    let world = world();
    for thread in ["here", "beside"] {
        let call = world.command(env!("CARGO_BIN_EXE_panic"), [thread]);
        let terminal = Terminal::start(call, 24, 80);
        let said = if thread == "here" { "a bug" } else { "a bug beside" };
        terminal.until("what went wrong, on the usual screen", |screen| {
            screen.contents().contains(said) && !screen.alternate_screen()
        });
        assert_eq!(terminal.end_and_echo(), (101, true));
    }
}

#[test]
fn a_passphrase_is_asked_on_the_screen() {
    let world = ready();
    fs::write(world.path("pass"), "open sesame\n").unwrap();
    world.tuckbox(["key", "passwd", "--new-password-file", &world.arg("pass")]).ok();
    let terminal = console(&world);
    // How the account is needs no key; its versions do.
    terminal.shows("1 account").keys("3").shows("Question").shows("Passphrase of");
    terminal.keys("open sesame").shows("***********");
    assert!(!terminal.contents().contains("sesame"));
    terminal.keys(ENTER).shows("2 versions");
    terminal.keys("Q");
    assert_eq!(terminal.end(), 0);
}

#[test]
fn the_first_run_is_led_through() {
    let world = world();
    fs::create_dir_all(world.path("docs")).unwrap();
    Tree::at(world.path("docs")).file("letter.txt", "dear ana\n");
    let terminal = console(&world);
    terminal.shows("Step 1 of 5").keys("\x15").keys(&world.arg("vault")).keys(ENTER);
    terminal.shows("Step 2 of 5").keys("\x15").keys(&world.arg("docs")).keys(ENTER);
    // How it goes on by itself is told, and not done.
    terminal.shows("Step 3 of 5").shows("systemctl --user enable --now").keys("j").shows("17 * * * *").keys(ENTER);
    terminal.shows("Step 4 of 5").shows("tuckbox init --vault").keys(ENTER);
    terminal.shows("New passphrase").keys(ENTER);
    terminal.shows("24 recovery words now").keys("n").keys(ENTER);
    terminal.shows("+ tuckbox backup");
    terminal.keys(ENTER).shows("jobs").keys("Q");
    assert_eq!(terminal.end(), 0);
    // What it did is what the command line goes on with.
    let listed = world.tuckbox(["versions", "--json"]).ok();
    assert_eq!(listed.records("version").len(), 1);
}

#[test]
fn plain_is_numbered_menus() {
    let world = ready();
    let told = world
        .tuckbox(["tui", "--plain"])
        .stdin("2\n\nx\n99\n6\nlatest~1\n3\n\n5\n\n\n10\nlatest\nbefore the move\n11\nlatest~1\nno\n13\n100k\n9\n0\n")
        .ok();
    let text = told.text();
    for part in [
        "1 How accounts are",
        "Runs: tuckbox versions",
        "second",
        "That is no number.",
        "There is no such number.",
        "Runs: tuckbox pin --reason 'before the move' -- latest",
        "Dry run: would go into the trash",
        "that nothing else needs",
        "Nothing was changed.",
        "Runs: tuckbox config set limit 100k",
        "kept: newest, pinned",
        "0 Leave",
    ] {
        assert!(text.contains(part), "{part} is not in:\n{text}");
    }
    assert!(!text.contains('\u{1b}'), "{text}");
}
