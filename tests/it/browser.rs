//! The console's browser at a real terminal, over a real SSH server: what is lost is found, marked, and comes back.

use std::fs;
use std::time::Duration;

use tests::net::Net;
use tests::pty::Terminal;
use tests::tree::Tree;
use tests::wait::within;

use crate::world;

const ENTER: &str = "\r";
const ESC: &str = "\x1b";
const TAB: &str = "\t";

/// A machine whose vault, on a server, has three versions of `docs`.
fn net() -> Option<Net> {
    let mut net = Net::of(&world())?;
    net.world = net.ready();
    let world = &net.world;
    fs::create_dir_all(world.path("docs/tax")).unwrap();
    let docs = Tree::at(world.path("docs"));
    docs.file("letter.txt", "the first letter\n").file("tax/scan.txt", "scanned\n").file("tax/budget.txt", "1\n");
    let backup = || world.tuckbox(["backup", &world.arg("docs")]).ok();
    backup();
    fs::write(world.path("docs/letter.txt"), "the second letter\n").unwrap();
    fs::remove_file(world.path("docs/tax/scan.txt")).unwrap();
    backup();
    fs::write(world.path("docs/letter.txt"), "the third letter\n").unwrap();
    backup();
    Some(net)
}

/// The console in the directory that is backed up.
fn browser(net: &Net) -> Terminal {
    let call = net.world.tuckbox(["tui"]).env("TZ", "UTC").env("LANG", "C.UTF-8").env("NO_COLOR", "1");
    let terminal = Terminal::start(call.limit(Duration::from_secs(600)), 24, 80);
    terminal.shows("tuckbox").keys("4").shows("letter.txt").shows("changed here in");
    terminal
}

fn leave(terminal: Terminal) {
    terminal.keys("Q");
    assert_eq!(terminal.end(), 0);
}

#[test]
fn what_is_lost_is_found_and_comes_back_from_two_versions() {
    let Some(net) = net() else { return };
    let terminal = browser(&net);
    // A deleted file, wherever it was: in all versions.
    terminal.keys("F").shows("Find in").keys("scan").shows("Nothing here has such a name");
    terminal.keys("\x13").shows("all versions").shows("tax/scan.txt").keys(ENTER);
    terminal.shows("> scan.txt").shows("scanned");
    terminal.keys(" ").shows("marked: 1 item");
    // Another one, as it was at another time.
    terminal.keys("h").shows("> tax/").keys("]]").shows("(latest)").keys("[");
    terminal.keys("k").shows("> letter.txt").shows("the second letter").keys(" ").shows("marked: 2 items");
    terminal.keys("r").shows("Restore 2 items").keys("\x15").keys(&net.world.arg("out")).keys(ENTER);
    terminal.shows("create 2").keys(ENTER).shows("done, after").shows("out/letter.txt").shows("out/scan.txt");
    let read = |name: &str| fs::read_to_string(net.world.path(name)).unwrap();
    assert_eq!((read("out/scan.txt").as_str(), read("out/letter.txt").as_str()), ("scanned\n", "the second letter\n"));
    // What became of it stays to be seen.
    terminal.keys(ENTER).keys("w").shows("restore --at").keys(ENTER).shows("read back and equal").keys("h");
    leave(terminal);
}

#[test]
fn a_date_and_what_was_deleted_in_a_directory() {
    let Some(net) = net() else { return };
    let terminal = browser(&net);
    terminal.keys("j").keys(ENTER).shows("budget.txt").keys(".").shows("scan.txt").shows("deleted");
    terminal.keys("@").shows("As at").keys("latest~2").keys(ENTER).shows("> budget.txt");
    terminal.until("the scan as it was", |screen| {
        let text = screen.contents();
        text.contains("scan.txt") && !text.contains("deleted")
    });
    // What differs from now, line by line.
    terminal.keys("D").shows("diff").shows("removed").shows("letter.txt");
    terminal.keys("/letter").keys(ENTER).keys(ENTER).shows("- the first letter").shows("+ the third letter");
    terminal.resize(40, 120).shows("text diff of");
    leave(terminal);
}

#[test]
fn a_server_that_is_gone_is_waited_for_and_keys_answer() {
    let Some(mut net) = net() else { return };
    let terminal = browser(&net);
    terminal.keys("j").shows("> tax/").keys("k").shows("> letter.txt");
    net.sshd.stop();
    terminal.keys("\x12").shows("the server does not answer");
    // What was there stays, and keys answer.
    terminal.keys("j").shows("> tax/").keys(" ").shows("marked: 1 item").keys("?").shows("Search:").keys(ESC);
    terminal.until("the end of the help", |screen| !screen.contents().contains("Search:"));
    net.sshd.start_again();
    terminal.until("that it is back", |screen| !screen.contents().contains("does not answer"));
    terminal.keys(ENTER).shows("budget.txt").keys("h").shows("letter.txt");
    leave(terminal);
    let gone = within(Duration::from_secs(10), || !net.world.path("out").exists());
    assert!(gone, "nothing was restored");
}

#[test]
fn a_restore_goes_to_a_directory_that_is_completed_and_never_over_files() {
    let Some(net) = net() else { return };
    fs::create_dir_all(net.world.path("come-back")).unwrap();
    fs::write(net.world.path("come-back/letter.txt"), "mine\n").unwrap();
    let terminal = browser(&net);
    terminal.shows("> letter.txt").keys("r").shows("Restore 1 item").keys("\x15").keys(&net.world.arg("come-"));
    terminal.keys(TAB).shows("come-back/").keys(ENTER).shows("keep both for 1").shows("is there already");
    terminal.keys(ENTER).shows("done, after").keys(ENTER);
    assert_eq!(fs::read_to_string(net.world.path("come-back/letter.txt")).unwrap(), "mine\n");
    // Beside it stands the one that was restored.
    let names = fs::read_dir(net.world.path("come-back")).unwrap().map(|entry| entry.unwrap().path());
    let beside: Vec<_> = names.filter(|path| path.to_string_lossy().contains("letter (tuckbox ")).collect();
    let [beside] = &beside[..] else { panic!("{beside:?}") };
    assert!(beside.to_string_lossy().ends_with(").txt"), "{beside:?}");
    assert_eq!(fs::read_to_string(beside).unwrap(), "the third letter\n");
    leave(terminal);
}

#[test]
fn a_restore_that_runs_is_slowed_down_and_cancelled() {
    let Some(net) = net() else { return };
    let world = &net.world;
    fs::write(world.path("docs/large.bin"), tests::tree::Seeded::new(8).bytes(8 << 20)).unwrap();
    world.tuckbox(["backup", &world.arg("docs")]).ok();
    // Fast enough to begin, and much too slow to end.
    world.tuckbox(["config", "set", "limit", "down = 100k"]).ok();
    let terminal = browser(&net);
    terminal.shows("> large.bin").keys("r").shows("Restore 1 item").keys("\x15").keys(&world.arg("out")).keys(ENTER);
    terminal.shows("create 1").keys(ENTER).shows("c cancel").keys(ESC);
    terminal.until("the end of the dialog", |screen| !screen.contents().contains("c cancel"));
    // Keys answer meanwhile, and it is slowed down further.
    terminal.keys("j").shows("> letter.txt").shows("the third letter").keys("w").shows("running: 1");
    terminal.keys("t").shows("How fast this restore may go").keys("1").shows("(at most 50.0 KiB/s)");
    terminal.keys("c").shows("Files that are whole stay").keys(TAB).keys(ENTER);
    terminal.shows("cancelled; what was done so far is kept").shows("running: 0");
    assert!(!world.path("out/large.bin").exists(), "nothing is left half written");
    leave(terminal);
}

#[test]
fn an_account_is_changed_by_a_reviewed_plan() {
    let Some(net) = net() else { return };
    let call = net.world.tuckbox(["tui"]).env("TZ", "UTC").env("LANG", "C.UTF-8").env("NO_COLOR", "1");
    let terminal = Terminal::start(call.limit(Duration::from_secs(600)), 24, 80);
    terminal.shows("1 account").keys("x").shows("change it: rate").keys("c").shows("by a plan");
    terminal.keys("r").shows("How fast bytes may go").keys("limit = 3M; limit mon-fri 08:00-18:00 = 1M");
    terminal.keys(ENTER).shows("Plan: nothing is done").shows("newest version").shows("account set");
    terminal.keys(ENTER).shows("Apply the plan?").keys(TAB).keys(ENTER).shows("account: done");
    // It is told where rates are told.
    terminal.keys("6").shows("3M; limit mon-fri").keys("aa").shows("Per account");
    leave(terminal);
    let info = net.world.tuckbox(["account", "list", "--json"]).ok();
    assert!(info.to_string().contains("limit mon-fri 08:00-18:00 = 1M"), "{info}");
}
