//! The key: words, passphrases, other people's keys.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use tests::pty::Terminal;
use tests::world::World;
use tests::{look, pinned, tree};

use crate::world;

fn one_version() -> World {
    let world = world().ready();
    tree::small(world.path("docs"));
    world.tuckbox(["backup", &world.arg("docs")]).ok();
    world
}

/// It failed so, and told it in the pinned words.
fn pin(outcome: tests::subject::Outcome, code: &str, exit: i32) {
    let outcome = outcome.fails(code, exit);
    pinned::check(&format!("errors/{code}"), &outcome.error());
}

#[test]
fn everything_lost_but_the_vault_and_the_words() {
    let world = one_version();
    let docs = look::at(world.path("docs"));
    let words = world.words();
    assert_eq!(words.split_whitespace().count(), 24);
    world.lose_everything();
    fs::remove_dir_all(world.path("docs")).unwrap();

    fs::write(world.path("words"), words).unwrap();
    let words_file = world.arg("words");
    let recover = |account: &str| world.tuckbox(["key", "recover", "--words-file", &words_file, "--account", account]);
    assert!(recover("nobody").run().fails("key.other_account", 7).error().contains("those of ana, and not of nobody"));
    recover("ana").ok();
    world.tuckbox(["restore", "--yes"]).ok();
    docs.same_as(&look::at(world.path("docs")));
    // And it goes on from there, without sending anything again.
    let next = world.tuckbox(["backup", &world.arg("docs"), "--json"]).ok();
    assert_eq!(next.count("new_bytes"), 0, "{next}");
}

#[test]
fn the_sheet_says_whose_words_they_are() {
    let world = one_version();
    let sheet = world.tuckbox(["key", "words"]).ok();
    assert_eq!(sheet.text().lines().last().unwrap(), format!("ACCOUNT ana  VAULT {}", world.arg("vault")));
    let record = world.tuckbox(["key", "words", "--json"]).ok().record("words");
    assert_eq!((record["account"].as_str(), record["vault"].as_str()), (Some("ana"), Some(&*world.arg("vault"))));
}

#[test]
fn words_are_typed_at_a_terminal() {
    let world = one_version();
    let words = world.words();
    world.lose_everything();
    let recover = Terminal::start(world.tuckbox(["key", "recover"]), 24, 200);
    recover.shows("24 recovery words").keys(&format!("{words}\r"));
    recover.shows("New passphrase").keys("\r").shows("tuckbox versions");
    assert_eq!(recover.end(), 0);
    assert_eq!(world.tuckbox(["versions", "--json"]).ok().records("version").len(), 1);
}

#[test]
fn the_sheet_that_is_printed_can_be_read() {
    let world = one_version();
    let sheet = world.tuckbox(["key", "words"]).ok().text().to_owned();
    assert!(sheet.contains("ACCOUNT ") && sheet.contains("24 "), "{sheet}");
    fs::write(world.path("sheet"), sheet).unwrap();
    let recover = ["key", "recover", "--words-file", &world.arg("sheet")];
    world.machine("empty").with_vault(world.arg("vault")).tuckbox(recover).ok().says("Made the key");
}

#[test]
fn words_that_are_wrong() {
    let world = one_version();
    let recover = |words: &str| {
        fs::write(world.path("words"), words).unwrap();
        world
            .machine("empty")
            .with_vault(world.arg("vault"))
            .tuckbox(["key", "recover", "--words-file", &world.arg("words")])
            .run()
    };
    // The words of 32 zero bytes, and the same with the last two swapped. Not those of the account: a wrong order of words
    // that chance made would have a right check word once in 256 times.
    let good = format!("{}art", "abandon ".repeat(23));
    let swapped = format!("{}art abandon", "abandon ".repeat(22));
    pin(recover(&swapped), "key.words", 7);
    let why = |words: &str| recover(words).fails("key.words", 7).error();
    assert!(why("one two three").contains("these are 3 words, and there are 24"));
    assert!(why(&"abandon ".repeat(23)).contains("these are 23 words"));
    let typed = why(&format!("{}girafe {}", "zebra ".repeat(4), "zoo ".repeat(19)));
    assert!(typed.contains("word 5 is none of the list; did you mean giraffe?"), "{typed}");
    assert!(!["girafe", "zebra", "zoo"].iter().any(|word| typed.contains(&format!("{word} "))), "{typed}");
    recover("").fails("key.words", 7).says("cannot read the recovery words");
    let other = recover(&good).fails("key.other_account", 7);
    pinned::check("errors/key.other_account.words", &other.error());
}

#[test]
fn a_passphrase_is_needed_changed_and_lost() {
    let world = one_version();
    let file = |name: &str, text: &str| {
        fs::write(world.path(name), text).unwrap();
        world.arg(name)
    };
    let (one, two) = (file("one", "first passphrase\n"), file("two", "second passphrase\n"));
    let versions = |words: &[&str]| world.tuckbox(["versions"]).and(words).run();

    world.tuckbox(["key", "passwd", "--new-password-file", &one]).ok();
    pin(versions(&[]), "key.passphrase_needed", 7);
    versions(&["--password-file", &one]).ok();
    versions(&["--password-command", "echo first passphrase"]).ok();
    pin(versions(&["--password-file", &two]), "key.passphrase", 7);

    world.tuckbox(["key", "passwd", "--password-file", &one, "--new-password-file", &two]).ok();
    versions(&["--password-file", &one]).fails("key.passphrase", 7);
    versions(&["--password-file", &two]).ok();

    world.tuckbox(["key", "add", "--label", "spare", "--password-file", &two, "--new-password-file", &one]).ok();
    versions(&["--password-file", &one]).ok();
    versions(&["--password-file", &two]).ok();
    let slots = world.tuckbox(["key", "list", "--json"]).ok().records("slot");
    let spare = slots.iter().find(|slot| slot["label"] == "spare").unwrap()["slot"].as_str().unwrap();
    world.tuckbox(["key", "remove", spare, "--password-file", &two]).ok();
    versions(&["--password-file", &one]).fails("key.passphrase", 7);
    // The words open it still.
    let words = world.tuckbox(["key", "words", "--json", "--password-file", &two]).ok().record("words");
    assert_eq!(words["words"].as_str().unwrap().split_whitespace().count(), 24);
}

#[test]
fn the_key_of_another_account() {
    let world = one_version();
    let bob = world.machine("bob").with_vault(world.arg("vault"));
    bob.tuckbox(["init"]).ok();
    let key = bob.key_file();
    let run = world.tuckbox(["restore", &world.arg("docs"), "--to", &world.arg("out"), "--account", "ana", "--key"]);
    pin(run.and([key]).run(), "key.other_account", 7);
    assert!(!world.path("out").exists());
}

#[test]
fn of_several_keys_the_one_that_was_set_up_last_is_this_machine_s_whatever_its_account_is_called() {
    let world = world().ready();
    tree::Tree::at(world.path("docs")).file("a", "alpha");
    world.tuckbox(["init", "--account", "second"]).ok();
    world.tuckbox(["account", "rename", "second", "third"]).ok();
    // Its old name is another's now.
    world.tuckbox(["account", "create", "second"]).ok();
    world.tuckbox(["backup", &world.arg("docs")]).ok();
    let versions = |account| world.tuckbox(["versions", "--account", account, "--json"]).ok().records("version").len();
    assert_eq!(versions("third"), 1);
    assert_eq!(world.tuckbox(["dump", &world.arg("docs/a")]).ok().text(), "alpha");
}

#[test]
fn key_files_in_disorder() {
    let world = one_version();
    let key = world.key_file();
    fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).unwrap();
    pin(world.tuckbox(["versions"]).run(), "key.permissions", 7);
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();

    let text = fs::read_to_string(&key).unwrap();
    fs::write(&key, &text[..text.len() / 2]).unwrap();
    pin(world.tuckbox(["versions"]).run(), "key.slot", 10);
    fs::write(&key, text).unwrap();
    world.tuckbox(["versions"]).ok();
}

#[test]
fn a_copy_of_the_key_works_elsewhere() {
    let world = one_version();
    world.tuckbox(["key", "export", "-o", &world.arg("copy.key")]).ok();
    assert_eq!(fs::metadata(world.path("copy.key")).unwrap().permissions().mode() & 0o777, 0o600);
    let bob = world.machine("bob").with_vault(world.arg("vault"));
    bob.tuckbox(["restore", &world.arg("docs"), "--to", &world.arg("out"), "--key", &world.arg("copy.key")]).ok();
    look::at(world.path("docs")).same_as(&look::at(world.path("out/docs")));
}

#[test]
fn a_new_sealing_key_opens_old_and_new() {
    let world = one_version();
    world.tuckbox(["key", "rotate"]).ok();
    let next = world.tuckbox(["backup", &world.arg("docs"), "--json"]).ok();
    assert_eq!(next.count("new_bytes"), 0, "ids stay, so nothing is stored again\n{next}");
    fs::write(world.path("docs/new"), "sealed with the second key").unwrap();
    world.tuckbox(["backup", &world.arg("docs")]).ok();
    let words = world.words();
    world.lose_everything();
    fs::write(world.path("words"), words).unwrap();
    world.tuckbox(["key", "recover", "--words-file", &world.arg("words")]).ok();
    world.tuckbox(["restore", &world.arg("docs"), "--to", &world.arg("out")]).ok();
    look::at(world.path("docs")).same_as(&look::at(world.path("out/docs")));
}

#[test]
fn a_slot_in_the_vault_opens_on_an_empty_machine() {
    let world = one_version();
    fs::write(world.path("pass"), "in the vault\n").unwrap();
    let pass = world.arg("pass");
    world.tuckbox(["key", "add", "--in-vault", "--new-password-file", &pass]).ok();
    let slots = world.tuckbox(["key", "list", "--json"]).ok().records("slot");
    assert!(slots.iter().any(|slot| slot["in_vault"] == true), "{slots:?}");
    world.lose_everything();
    world.tuckbox(["key", "recover", "--password-file", &pass]).ok();
    assert_eq!(world.tuckbox(["versions", "--json"]).ok().records("version").len(), 1);
}

#[test]
fn after_the_words_came_to_another_host_its_own_paths_are_meant() {
    let world = one_version();
    fs::write(world.path("words"), world.words()).unwrap();
    let bob = world.machine("bob").with_vault(world.arg("vault"));
    bob.tuckbox(["key", "recover", "--words-file", &world.arg("words")]).ok();
    let own = tree::seeded(world.path("own"), 71, 20, 20_000);
    let path = world.arg("own");
    bob.tuckbox(["backup", &path]).ok();
    bob.tuckbox(["ls", &path]).ok().says("/bob");
    bob.tuckbox(["dump", &path]).ok();
    bob.tuckbox(["diff", "previous", "latest", &path]).ok().says("+  /bob");
    // Nothing of the other host has moved, though its label stands in front of its paths from now on.
    let rows = bob.tuckbox(["diff", "previous", "latest", "--json"]).ok().records("diff");
    assert!(!rows.is_empty() && rows.iter().all(|row| row["path"].as_str().unwrap().starts_with("/bob")), "{rows:?}");
    // In place, everything is everything of this host.
    let files = look::at(own.path());
    fs::remove_dir_all(own.path()).unwrap();
    fs::remove_dir_all(world.path("docs")).unwrap();
    bob.tuckbox(["restore", "--yes"]).ok();
    files.same_as(&look::at(own.path()));
    assert!(!world.path("docs").exists());
    bob.tuckbox(["restore", &path, "--to", &world.arg("out")]).ok();
    look::at(own.path()).same_as(&look::at(world.path("out/own")));
    // What the other host has is there by its label, or by a pattern.
    let docs = world.arg("docs");
    bob.tuckbox(["ls", &docs]).run().fails("path.none", 5);
    bob.tuckbox(["ls", &format!("/ana{docs}")]).ok();
    bob.tuckbox(["ls", &format!("/*{docs}/letter.txt")]).ok().says("/ana");
}
