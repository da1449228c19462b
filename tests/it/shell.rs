//! The query shell, driven by keys and looked at on the screen.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use tests::pty::Terminal;
use tests::subject::Call;
use tests::tree::Tree;
use tests::wait::until;
use tests::world::World;

use crate::world;

/// Longest wait for something that is on its way.
const SOON: Duration = Duration::from_secs(60);

const TAB: &str = "\t";
const ENTER: &str = "\r";
const INTERRUPT: &str = "\x03";

/// A vault with two versions: in the first `docs/old.txt` is there, in the second `docs/new.txt`.
fn ready() -> World {
    let world = world().ready();
    for dir in ["docs/letters", "docs/db"] {
        fs::create_dir_all(world.path(dir)).unwrap();
    }
    let tree = Tree::at(world.path("docs"));
    tree.file("old.txt", "old\n").file("letters/to ana.txt", "dear ana\n").file("letters/to bob.txt", "dear bob\n");
    tree.file("db/one.txt", "1\n").file("db/two.txt", "2\n");
    world.tuckbox(["backup", &world.arg("docs")]).ok();
    fs::remove_file(world.path("docs/old.txt")).unwrap();
    tree.file("new.txt", "new\n");
    world.tuckbox(["backup", &world.arg("docs")]).ok();
    world
}

fn shell(world: &World) -> Terminal {
    start(world.tuckbox(["shell"]))
}

fn start(call: Call) -> Terminal {
    let terminal = Terminal::start(call.env("TZ", "UTC"), 40, 110);
    terminal.shows("> ");
    terminal
}

/// Types a line and waits for what it shows, and for the next prompt.
fn says(terminal: &Terminal, line: &str, answer: &str) {
    terminal.keys(line).keys(ENTER).shows(answer);
    prompt(terminal);
}

/// The cursor stands behind a prompt and nothing was typed yet.
fn prompt(terminal: &Terminal) {
    terminal.until("a prompt", |screen| {
        let (row, column) = screen.cursor_position();
        let line = screen.rows(0, 110).nth(usize::from(row)).unwrap_or_default();
        line.trim_end().ends_with('>') && usize::from(column) == line.trim_end().chars().count() + 1
    });
}

fn leave(terminal: Terminal) {
    terminal.keys("exit").keys(ENTER);
    assert_eq!(terminal.end(), 0);
}

/// The line of the screen on which the cursor stands ends so, and the cursor after it.
fn line_is(terminal: &Terminal, end: &str) {
    terminal.until(end, |screen| {
        let (row, column) = screen.cursor_position();
        let line: String = screen.rows(0, 110).nth(usize::from(row)).unwrap_or_default();
        line.chars().take(usize::from(column)).collect::<String>().ends_with(end)
    });
}

#[test]
fn tab_completes_verbs_options_and_paths_of_the_version() {
    let world = ready();
    let terminal = shell(&world);
    terminal.shows("2 versions");
    terminal.keys("res").keys(TAB);
    line_is(&terminal, "restore ");
    terminal.keys("--").keys(TAB).shows("--overwrite").shows("Remove what is in restored directories");
    terminal.keys("ov").keys(TAB);
    line_is(&terminal, "--overwrite ");
    terminal.keys("if-n").keys(TAB);
    line_is(&terminal, "if-newer ");
    terminal.keys("\x15");
    terminal.keys(&format!("cd {}/do", world.arg(""))).keys(TAB);
    line_is(&terminal, "/docs/");
    terminal.keys(ENTER).shows("docs> ");
    // Only directories go after cd, and names with blanks come so that they run.
    terminal.keys("ls let").keys(TAB);
    line_is(&terminal, "letters/");
    terminal.keys("to\\ a").keys(TAB);
    line_is(&terminal, "letters/to\\ ana.txt ");
    terminal.keys("\x15cat \"letters/to b").keys(TAB);
    line_is(&terminal, "\"letters/to bob.txt\" ");
    terminal.keys(ENTER).shows("dear bob");
    prompt(&terminal);
    terminal.keys("ls --at ").keys(TAB).shows("yesterday").shows("the one before it");
    terminal.keys("prev").keys(TAB).keys("o").keys(TAB);
    line_is(&terminal, "--at previous old.txt ");
    terminal.keys("\x15");
    leave(terminal);
}

#[test]
fn one_looks_around_in_time_and_place() {
    let world = ready();
    let terminal = shell(&world);
    says(&terminal, &format!("cd {}", world.arg("docs")), "docs> ");
    says(&terminal, "ls", "new.txt");
    assert!(!terminal.contents().contains("old.txt"), "{}", terminal.contents());
    says(&terminal, "at previous", "@previous> ");
    says(&terminal, "ls", "old.txt");
    says(&terminal, "cat old.txt", "\nold");
    says(&terminal, "at now", "newest version");
    says(&terminal, "cat old.txt", "path.none, exit 5");
    says(&terminal, "ls db/*.txt", "db/two.txt");
    says(&terminal, "ls **/to*", "letters/to bob.txt");
    says(&terminal, "cd letters; pwd", &world.arg("docs/letters"));
    says(&terminal, "cd -; pwd", "docs> ");
    says(&terminal, "nothing-such", "there is no verb \"nothing-such\"");
    says(&terminal, "ls | head", "no use for `|`");
    says(&terminal, "help", "Several commands stand apart by ;");
    says(&terminal, "!echo from $((40 + 2))", "from 42");
    // Several lines: an open quote wants more.
    terminal.keys("cat 'letters/to").keys(ENTER).keys("ana.txt'").keys(ENTER).shows("to\\nana.txt in this version");
    prompt(&terminal);
    says(&terminal, "mark letters/* db/one.txt", "3 paths are marked");
    let out = world.dir("out");
    says(&terminal, &format!("restore @marks --to {}", out.display()), "Restored 3 files");
    assert_eq!(fs::read_to_string(out.join("to ana.txt")).unwrap(), "dear ana\n");
    says(&terminal, &format!("lcd {}; get new.txt other.txt; lls", out.display()), "other.txt");
    assert_eq!(fs::read_to_string(out.join("other.txt")).unwrap(), "new\n");
    leave(terminal);
}

#[test]
fn odd_names_are_completed_so_that_they_run_and_shown_so_that_they_do_no_harm() {
    let world = world().ready();
    let names = ["0 \"q\" 'q'", "1 $HOME `x`", "2\x1b[2J", "3\nline", "-4 dash", "5*?[x]", "~6"];
    let tree = Tree::at(world.path("docs"));
    for name in names {
        tree.file(name, format!("content of {}\n", &name[..1]));
    }
    world.tuckbox(["backup", &world.arg("docs")]).ok();
    let terminal = shell(&world);
    says(&terminal, &format!("cd {}", world.arg("docs")), "docs> ");
    for (begun, content) in [
        ("0", "content of 0"),
        ("1", "content of 1"),
        ("2", "content of 2"),
        ("3", "content of 3"),
        ("./-", "content of -"),
        ("5", "content of 5"),
        ("\\~", "content of ~"),
        ("\"0", "content of 0"),
        ("'1", "content of 1"),
    ] {
        terminal.keys("!clear").keys(ENTER);
        prompt(&terminal);
        terminal.keys(&format!("cat {begun}")).keys(TAB).until("completed", |screen| {
            let (row, column) = screen.cursor_position();
            let line = screen.rows(0, 110).nth(usize::from(row)).unwrap_or_default();
            line.chars().take(usize::from(column)).collect::<String>().ends_with(' ')
                && line.len() > "vm:/docs> cat x".len()
        });
        terminal.keys(ENTER).shows(content);
        prompt(&terminal);
    }
    says(&terminal, "ls", "2\\x1b[2J");
    leave(terminal);
}

#[test]
fn lines_are_remembered_for_the_account_and_by_nobody_else() {
    let world = ready();
    let terminal = shell(&world);
    says(&terminal, "pwd", "/");
    says(&terminal, " lpwd", "home-ana");
    says(&terminal, "versions --partial", "RECEIVED");
    leave(terminal);
    let dir = world.home().join(".local/state/tuckbox/shell");
    let files: Vec<_> = fs::read_dir(&dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(files.len(), 1, "{files:?}");
    assert_eq!(fs::metadata(&files[0]).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(fs::metadata(&dir).unwrap().permissions().mode() & 0o777, 0o700);
    let text = fs::read_to_string(&files[0]).unwrap();
    assert!(text.contains("versions --partial") && !text.contains("lpwd"), "{text}");
    // A hint stands dim behind what is typed, and the right arrow takes it; upwards is the last line.
    let terminal = shell(&world);
    terminal.keys("vers").shows("versions --partial").keys("\x1b[C");
    line_is(&terminal, "versions --partial");
    terminal.keys("\x15\x1b[A\x1b[A");
    line_is(&terminal, "versions --partial");
    terminal.keys("\x15");
    leave(terminal);
}

#[test]
fn a_server_that_does_not_answer_never_holds_the_prompt() {
    // It outlives every wait of this test, and does not end when who asks goes.
    let world = ready();
    let (script, deaf) = (world.path("bin/deaf"), world.path("deaf"));
    fs::write(&script, format!("#!/bin/sh\ntrap '' INT\necho x >> {}\nexec sleep 300\n", deaf.display())).unwrap();
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
    let world = world.with_vault(format!("cmd:{}", script.display()));
    let all_deaf = || fs::read_to_string(&deaf).unwrap_or_default().lines().count();
    let terminal = shell(&world);
    terminal.shows("has not answered yet");
    prompt(&terminal);
    terminal.keys("ls /x").keys(TAB).shows("listing, Tab again").keys("\x15");
    prompt(&terminal);
    says(&terminal, "lpwd", "home-ana");
    // The first interrupt asks, the second leaves it behind; the shell goes on. Each is typed when it is a signal: at the
    // prompt it would be a key. And only when what it brings is awaited: for the system two at once are one, and a signal
    // from the terminal throws away what was written and not yet read.
    let before = all_deaf();
    terminal.keys("ls").keys(ENTER).runs("verb");
    // Not before the server that this verb has started does not hear it.
    until(SOON, "a server that hears no interrupt", || all_deaf() > before);
    terminal.keys(INTERRUPT).shows("one more interrupt leaves it");
    terminal.keys(INTERRUPT).shows("left behind as [1]");
    prompt(&terminal);
    says(&terminal, "jobs", "[1] ls  (left behind)");
    terminal.keys("cancel 1").keys(ENTER);
    prompt(&terminal);
    says(&terminal, "cancel 2", "there is no job 2");
    says(&terminal, "pwd", "/");
    leave(terminal);
}

#[test]
fn an_interrupt_ends_a_command_and_not_the_shell() {
    let world = ready();
    let terminal = shell(&world);
    // With `exec`, as dash loses an interrupt that comes while it starts a child.
    terminal.keys("!echo be''gun; exec sleep 600").keys(ENTER).shows("begun");
    terminal.keys(INTERRUPT);
    prompt(&terminal);
    // At the prompt it takes the line away.
    terminal.keys("nothing");
    line_is(&terminal, "nothing");
    terminal.keys(INTERRUPT);
    prompt(&terminal);
    says(&terminal, "lpwd", "home-ana");
    leave(terminal);
}

#[test]
fn everything_goes_over_one_connection() {
    let world = ready();
    let count = world.path("count");
    let script = world.path("bin/serve-and-count");
    let serve = format!(
        "#!/bin/sh\necho x >> {}\nexec tuckbox serve --stdio --vault {}\n",
        count.display(),
        world.arg("vault")
    );
    fs::write(&script, serve).unwrap();
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
    let world = world.with_vault(format!("cmd:{}", script.display()));
    let terminal = shell(&world);
    terminal.shows("2 versions");
    says(&terminal, &format!("cd {}", world.arg("docs")), "docs> ");
    says(&terminal, "ls -l letters", "to ana.txt");
    says(&terminal, "versions", "RECEIVED");
    says(&terminal, "cat db/two.txt", "\n2");
    says(&terminal, "diff previous latest", "new.txt");
    says(&terminal, &format!("restore --to {} new.txt", world.arg("out")), "Restored 1 file");
    fs::write(world.path("docs/third.txt"), "3\n").unwrap();
    says(&terminal, &format!("backup {}", world.arg("docs")), "1 new");
    // What was committed just now is seen at once.
    says(&terminal, "ls", "third.txt");
    terminal.keys("cat thi").keys(TAB);
    line_is(&terminal, "third.txt ");
    terminal.keys("\x15");
    leave(terminal);
    assert_eq!(fs::read_to_string(count).unwrap().lines().count(), 1);
}

#[test]
fn what_runs_beside_the_prompt_is_told_above_it() {
    let world = ready();
    let terminal = shell(&world);
    terminal.shows("2 versions");
    fs::write(world.path("docs/beside.txt"), "b\n").unwrap();
    terminal.keys(&format!("backup {} &", world.arg("docs"))).keys(ENTER).shows("[1] ").shows("[1] done");
    prompt(&terminal);
    says(&terminal, "jobs", "Nothing runs");
    says(&terminal, &format!("ls {}", world.arg("docs")), "beside.txt");
    says(&terminal, "cd / &", "does not run beside");
    leave(terminal);
}

#[test]
fn a_passphrase_is_asked_for_once() {
    let world = ready();
    fs::write(world.path("pass"), "secret words\n").unwrap();
    world.tuckbox(["key", "passwd", "--new-password-file", &world.arg("pass")]).ok();
    let terminal = Terminal::start(world.tuckbox(["shell"]), 40, 110);
    terminal.shows("Passphrase of").keys("secret words").keys(ENTER).shows("2 versions").shows("> ");
    says(&terminal, &format!("ls {}", world.arg("docs")), "new.txt");
    says(&terminal, "versions", "RECEIVED");
    says(&terminal, &format!("cat {}/new.txt", world.arg("docs")), "\nnew");
    assert_eq!(terminal.all().matches("Passphrase of").count(), 1);
    leave(terminal);
}

#[test]
fn the_end_of_the_input_leaves_and_a_terminal_is_needed() {
    let world = ready();
    let terminal = shell(&world);
    terminal.keys("\x04");
    assert_eq!(terminal.end(), 0);
    world.tuckbox(["shell"]).run().fails("usage", 2).says("tuckbox query");
}
