//! A person on a fresh machine.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use tests::{look, pty::Terminal, tree};

use crate::world;

/// Verbs that people type.
pub(crate) const VERBS: [&str; 22] = [
    "init", "backup", "versions", "ls", "restore", "dump", "diff", "check", "repair", "key", "serve", "doctor",
    "config", "version", "find", "history", "which", "why", "compare", "undelete", "rollback", "delete",
];

#[test]
fn one_command_makes_everything_and_names_the_next() {
    let world = world();
    let docs = tree::small(world.path("docs"));
    let first = world.tuckbox(["backup", &world.arg("docs")]).ok();
    let first = first.says("Made vault").says("Made key").says("tuckbox key words").says("Next:");
    assert!(first.text().contains("is safe in"), "{first}");
    assert!(world.default_vault().join("vault.json").is_file(), "{first}");

    let private = |path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(private(world.key_file()), 0o600);
    assert_eq!(private(world.default_vault()), 0o700);

    let rows = world.tuckbox(["versions", "--json"]).ok().records("version");
    assert_eq!(rows.len(), 1);
    assert_eq!(rows[0]["files"], tree::SMALL_FILES);

    world.tuckbox(["restore", &world.arg("docs"), "--to", &world.arg("out")]).ok();
    look::at(docs.path()).same_as(&look::at(world.path("out/docs")));
}

#[test]
fn the_second_run_makes_nothing_anew() {
    let world = world();
    tree::small(world.path("docs"));
    let backup = || world.tuckbox(["backup", &world.arg("docs")]).ok();
    backup();
    let second = backup();
    assert!(!second.text().contains("Made"), "{second}");
    assert_eq!(world.tuckbox(["versions", "--json"]).ok().records("version").len(), 2);
}

#[test]
fn set_up_by_hand_and_a_second_machine_joins_with_one_command() {
    let ana = world().ready();
    let bob = ana.machine("bob");
    bob.tuckbox(["init", "--vault", &ana.arg("vault")]).ok().says("Made account bob").says("Next:");
    // What init was told is remembered: no --vault from here on.
    let (docs, code) = (tree::small(ana.path("docs")), tree::seeded(ana.path("code"), 3, 60, 300_000));
    ana.tuckbox(["backup", &ana.arg("docs")]).ok();
    bob.tuckbox(["backup", &ana.arg("code"), "--vault", &ana.arg("vault")]).ok();
    ana.restore_all("of-ana");
    bob.with_vault(ana.arg("vault")).restore_all("of-bob");
    let restored = |to: &str, source: &tree::Tree| {
        let below = source.path().strip_prefix("/").unwrap();
        look::at(source.path()).same_as(&look::at(ana.path(to).join(below)));
    };
    restored("of-ana", &docs);
    restored("of-bob", &code);
}

/// What commands without `--vault` and `--account` use is never changed without a word.
#[test]
fn init_says_what_is_used_from_now_on() {
    let world = world();
    let (first, second) = (world.arg("first"), world.arg("second"));
    let init = |vault: &str, account: &str| world.tuckbox(["init", "--vault", vault, "--account", account]).ok();
    assert!(!init(&first, "vm").err().contains("To go back"));
    assert!(!init(&first, "vm").err().contains("To go back"));
    let zeta = init(&first, "zeta").err();
    assert!(zeta.contains(&format!("use zeta in {first} from now on; until now it was vm in {first}.")), "{zeta}");
    assert!(zeta.contains(&format!("To go back:  tuckbox init --vault {first} --account vm")), "{zeta}");
    init(&first, "vm");
    let moved = init(&second, "vm").err();
    assert!(moved.contains(&format!("To go back:  tuckbox init --vault {first} --account vm")), "{moved}");
    assert_eq!(world.tuckbox(["account", "list", "--json"]).ok().records("account").len(), 1);
    init(&first, "vm");
    assert_eq!(world.tuckbox(["account", "list", "--json"]).ok().records("account").len(), 2);
}

#[test]
fn init_again_says_that_everything_is_there() {
    let world = world().ready();
    world.tuckbox(["init"]).ok().says("Everything was there already");
}

#[test]
fn a_person_chooses_a_passphrase_and_is_asked_for_it() {
    let world = world().with_vault("vault");
    let init = Terminal::start(world.tuckbox(["init"]), 24, 100);
    init.shows("New passphrase")
        .keys("tea at four\r")
        .shows("The same again")
        .keys("tea at four\r")
        .shows("Show the 24 recovery words now")
        .keys("\r")
        .shows("With them, `tuckbox key recover");
    assert!(!init.all().contains("tea at four"), "the passphrase was shown");
    assert_eq!(init.end(), 0);

    tree::small(world.path("docs"));
    let backup = Terminal::start(world.tuckbox(["backup", &world.arg("docs")]), 24, 100);
    backup.shows("Passphrase").keys("wrong\r").shows("does not open it").keys("tea at four\r").shows("is safe in");
    assert_eq!(backup.end(), 0);
}

#[test]
fn every_verb_has_help_with_an_example() {
    let world = world();
    let help = world.tuckbox(["help"]).ok();
    for verb in VERBS {
        assert!(help.text().contains(&format!("  {verb} ")), "{verb} is not in the help\n{help}");
        let page = world.tuckbox(["help", verb]).ok();
        assert!(page.text().contains("Example") && page.text().contains(&format!("tuckbox {verb}")), "{page}");
        assert_eq!(world.tuckbox([verb, "--help"]).ok().text(), page.text());
    }
}

#[test]
fn units_and_template_are_ready_to_use() {
    let world = world();
    world.tuckbox(["config", "systemd"]).ok().says("[Timer]").says("ExecStart=").says("[Service]");
    let template = world.tuckbox(["config", "template"]).ok();
    let config = world.home().join(".config/tuckbox/config.toml");
    fs::create_dir_all(config.parent().unwrap()).unwrap();
    fs::write(&config, template.text()).unwrap();
    world.tuckbox(["config", "show", "--origin"]).ok().says("vault").says("default");
}

#[test]
fn where_there_is_no_vault_the_doctor_does_not_say_that_one_answers() {
    let world = world();
    let told = world.tuckbox(["doctor", "--vault", &world.arg("nothing")]).run();
    let told = told.exits(4).says("FAIL  vault").says("there is no vault at");
    assert!(!told.text().contains("answers in"), "{told}");
}

#[test]
fn doctor_is_content_with_a_machine_in_order() {
    let world = world().ready();
    world.words();
    world.tuckbox(["doctor"]).ok().says("ok");
}

#[test]
fn a_vault_behind_symlinks() {
    let world = world();
    tree::small(world.path("docs"));
    std::os::unix::fs::symlink(world.dir("disk"), world.path("mounted")).unwrap();
    let through = world.with_vault(world.arg("mounted/vault"));
    through.tuckbox(["init"]).ok();
    through.tuckbox(["backup", &world.arg("docs")]).ok();
    std::os::unix::fs::symlink(world.path("disk/vault"), world.path("short")).unwrap();
    for name in ["mounted/vault", "short", "disk/vault"] {
        let named = world.with_vault(world.arg(name));
        named.tuckbox(["backup", &world.arg("docs")]).ok();
        named.tuckbox(["check", "--full"]).ok();
    }
}
