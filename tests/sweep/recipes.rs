//! How each verb that changes anything is run, so that it can be killed and failed at each of its steps. A verb without a
//! recipe fails a test: `changes` in the table of verbs says which need one.

use std::collections::BTreeSet;
use std::fs;

use agent::command::{Changes, VERBS};
use tests::subject::{bytes_below, files_below};
use tests::tree::Seeded;
use tests::world::World;
use tests::{look, need, oath};

use crate::stage::{LONG_AGO, Stage, begun, is_letter, is_version_1, nothing, untouched};

/// Which process the calls of are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// The one that is both, with the vault on its own disk.
    Whole,
    /// The client of a server.
    Client,
    /// The server.
    Server,
}

/// One way to run a verb.
pub(crate) struct Recipe {
    /// The verb.
    pub verb: &'static str,
    /// What else to call it by.
    pub name: &'static str,
    /// Which ends take part.
    pub ends: &'static [End],
    /// Versions acknowledged before: 1, or 0 where there is no vault yet.
    pub versions: usize,
    /// What is done once, before the beginning is saved. The source is as version 2 will have it.
    pub prepare: fn(&World),
    /// The words.
    pub words: fn(&World) -> Vec<String>,
    /// What is typed, for one that needs a terminal.
    pub typed: Option<fn(&World) -> String>,
    /// Whether a reader is content before the run is repeated.
    pub readable: bool,
    /// Exit codes of a run that nothing befalls.
    pub fine: &'static [i32],
    /// Exit codes of the same run once more, after one that something befell.
    pub again: &'static [i32],
    /// What is there after a run that went well.
    pub proof: fn(&Stage),
}

const HERE: &[End] = &[End::Whole];
const ALL: &[End] = &[End::Whole, End::Client, End::Server];
const APART: &[End] = &[End::Client, End::Server];

fn words<const N: usize>(words: [&str; N]) -> Vec<String> {
    words.map(str::to_owned).to_vec()
}

fn with_docs(world: &World, line: &str) -> Vec<String> {
    let docs = world.arg("docs");
    line.split(' ')
        .map(|word| {
            word.replace("DOCS", &docs)
                .replace("PASS", &world.arg("pass"))
                .replace("GUEST", &world.arg("guest.archive"))
                .replace("DISK", &world.arg("disk"))
        })
        .collect()
}

/// What most have in common.
const PLAIN: Recipe = Recipe {
    verb: "",
    name: "",
    ends: APART,
    versions: 1,
    prepare: |_| {},
    words: |_| Vec::new(),
    typed: None,
    readable: true,
    fine: &[0],
    again: &[0],
    proof: nothing,
};

/// A second source and a version of both; with `gone`, one more without it.
fn extra(world: &World, gone: bool) {
    fs::create_dir(world.path("extra")).unwrap();
    fs::write(world.path("extra/file"), "beside").unwrap();
    world.tuckbox(["backup", &world.arg("docs"), &world.arg("extra")]).ok();
    if gone {
        world.tuckbox(["delete", &world.arg("extra"), "--yes"]).ok();
    }
}

/// The id of the newest version but one, which may be forgotten, kept for the words.
fn older(world: &World) {
    extra(world, true);
    let mut ids = oath::versions(world);
    ids.pop();
    fs::write(world.path("id"), ids.pop().unwrap()).unwrap();
}

/// An archive is there, and is whole: another vault loads it.
fn loads(stage: &Stage, archive: &str) {
    let world = &stage.world;
    let there = world.with_vault(world.arg("elsewhere"));
    drop(fs::remove_dir_all(world.path("elsewhere")));
    there.with_env("TUCKBOX_ACCOUNT", "eve").tuckbox(["init"]).ok();
    there.tuckbox(["account", "load", &world.arg(archive), "--number", "9"]).ok();
}

/// Words that end with what [`older`] kept.
fn with_older<const N: usize>(world: &World, first: [&str; N]) -> Vec<String> {
    words(first).into_iter().chain([fs::read_to_string(world.path("id")).unwrap()]).collect()
}

/// Bytes that only a forgotten version has.
const FILM: u64 = 4 << 20;

/// A version whose time in the trash is over, with [`FILM`] in it; then the house was kept on these days of that month.
fn trash(world: &World, kept_on: &[&str]) {
    let on = |day: &str| world.with_env("TUCKBOX_CLOCK", LONG_AGO.replace("-01T", &format!("-{day}T")));
    let docs = fs::File::open(world.path("docs")).unwrap();
    let mtime = docs.metadata().unwrap().modified().unwrap();
    // In the same source: a version takes over the other sources of the one before.
    fs::write(world.path("docs/film"), Seeded::new(13).bytes(usize::try_from(FILM).unwrap())).unwrap();
    on("02").tuckbox(["backup", &world.arg("docs")]).ok();
    let film = oath::versions(world).pop().unwrap();
    fs::remove_file(world.path("docs/film")).unwrap();
    docs.set_modified(mtime).unwrap();
    on("03").tuckbox(["backup", &world.arg("docs")]).ok();
    on("03").tuckbox(["forget", &film]).ok();
    // The age of what is in a chain is counted to the newest of its receipts, after a leap that another a day later confirms.
    on("17").tuckbox(["pin", "latest"]).ok();
    on("19").tuckbox(["pin", "--undo", "latest"]).ok();
    for day in kept_on {
        on(day).tuckbox(["housekeep"]).ok();
    }
}

/// Whether the packs still have [`FILM`].
fn film_is_there(stage: &Stage) -> bool {
    bytes_below(&stage.world.vault().join("domains")) > FILM
}

/// All of them.
static RECIPES: &[Recipe] = &[
    Recipe { verb: "init", ends: ALL, versions: 0, words: |_| words(["init"]), ..PLAIN },
    Recipe { verb: "init", name: "a second account", words: |_| words(["init", "--account", "second"]), ..PLAIN },
    Recipe {
        verb: "backup",
        ends: ALL,
        words: |world| with_docs(world, "backup DOCS --json"),
        proof: untouched,
        ..PLAIN
    },
    Recipe {
        verb: "backup",
        name: "after one that was killed",
        prepare: |world| {
            let mut call = world.tuckbox(["backup", "--stdin", "--stdin-filename", "/dumps/db"]).held().start();
            call.write(b"begin");
            begun(world);
            call.kill();
        },
        words: |world| with_docs(world, "backup DOCS --json"),
        ..PLAIN
    },
    Recipe {
        verb: "restore",
        ends: HERE,
        words: |world| {
            let mut words = with_docs(world, "restore DOCS --at latest --to");
            words.push(world.arg("out"));
            words
        },
        proof: |stage| is_version_1(stage, "out/docs"),
        ..PLAIN
    },
    Recipe {
        verb: "restore",
        name: "in place, from a server",
        ends: &[End::Client],
        words: |world| with_docs(world, "restore DOCS --yes --delete --overwrite always"),
        proof: |stage| {
            is_version_1(stage, "docs");
            // The next backup is to find what the beginning had.
            oath::remove(&stage.world.path("docs"));
            oath::copied(&stage.world.path("saved/docs"), &stage.world.path("docs"));
            stage.after.same_as(&look::at(stage.world.path("docs")));
        },
        ..PLAIN
    },
    Recipe {
        verb: "dump",
        ends: HERE,
        words: |world| {
            let mut words = words(["dump", "-o"]);
            words.extend([world.arg("out"), world.arg("docs/letter")]);
            words
        },
        proof: |stage| is_letter(stage, "out"),
        ..PLAIN
    },
    Recipe {
        verb: "check",
        name: "accept an older history",
        ends: HERE,
        prepare: |world| {
            // A vault that was put back from a copy: this client has seen one version more.
            oath::copied(&world.vault(), &world.path("copy"));
            oath::copied(&world.path("docs"), &world.path("kept"));
            fs::write(world.path("docs/new"), "soon to be lost").unwrap();
            world.tuckbox(["backup", &world.arg("docs")]).ok();
            oath::remove(&world.vault());
            oath::remove(&world.path("docs"));
            fs::rename(world.path("copy"), world.vault()).unwrap();
            fs::rename(world.path("kept"), world.path("docs")).unwrap();
        },
        words: |_| words(["check", "--accept-history", "3"]),
        readable: false,
        ..PLAIN
    },
    Recipe {
        verb: "delete",
        prepare: |world| extra(world, false),
        words: |world| with_docs(world, "delete --yes --json").into_iter().chain([world.arg("extra")]).collect(),
        // It is gone already.
        again: &[0, 5],
        ..PLAIN
    },
    Recipe {
        verb: "undelete",
        name: "in the vault",
        prepare: |world| extra(world, true),
        words: |world| {
            with_docs(world, "undelete --in-vault --yes --json").into_iter().chain([world.arg("extra/file")]).collect()
        },
        ..PLAIN
    },
    Recipe {
        verb: "rollback",
        prepare: |world| extra(world, true),
        words: |_| words(["rollback", "--to", "previous", "--yes", "--json"]),
        ..PLAIN
    },
    Recipe {
        verb: "forget",
        prepare: older,
        words: |world| with_older(world, ["forget", "--reason", "held a password"]),
        ..PLAIN
    },
    Recipe {
        verb: "forget",
        name: "undo",
        prepare: |world| {
            older(world);
            world.tuckbox(with_older(world, ["forget"])).ok();
        },
        words: |world| with_older(world, ["forget", "--undo"]),
        ..PLAIN
    },
    Recipe { verb: "pin", words: |_| words(["pin", "--for", "90d", "latest"]), ..PLAIN },
    Recipe {
        verb: "pin",
        name: "undo",
        prepare: |world| {
            world.tuckbox(["pin", "latest"]).ok();
        },
        words: |_| words(["pin", "--undo", "latest"]),
        ..PLAIN
    },
    Recipe {
        verb: "housekeep",
        name: "policy",
        words: |_| words(["housekeep", "policy", "--keep-daily", "60", "--keep-monthly", "all"]),
        ..PLAIN
    },
    Recipe {
        verb: "housekeep",
        name: "what was condemned",
        // The pin has made the server keep house: what nobody needs is condemned already, long ago.
        prepare: |world| trash(world, &[]),
        words: |_| words(["housekeep"]),
        ..PLAIN
    },
    Recipe {
        verb: "housekeep",
        name: "what has waited",
        ends: ALL,
        prepare: |world| trash(world, &["20"]),
        words: |_| words(["housekeep"]),
        ..PLAIN
    },
    Recipe {
        verb: "housekeep",
        name: "what was freed",
        prepare: |world| trash(world, &["20", "22"]),
        words: |_| words(["housekeep"]),
        proof: |stage| assert!(!film_is_there(stage), "its space did not come back"),
        ..PLAIN
    },
    Recipe {
        verb: "repair",
        ends: ALL,
        prepare: |world| {
            let packs = files_below(&world.vault()).into_iter().filter(|f| f.extension().is_some_and(|e| e == "pack"));
            let pack = packs.max_by_key(|file| fs::metadata(file).unwrap().len()).unwrap();
            let mut bytes = fs::read(&pack).unwrap();
            // Of its trailer: everything else can still be read.
            let at = bytes.len() - 10;
            bytes[at] ^= 1;
            fs::write(&pack, bytes).unwrap();
        },
        words: |_| words(["repair", "--yes"]),
        readable: false,
        ..PLAIN
    },
    Recipe {
        verb: "query",
        ends: ALL,
        prepare: |world| extra(world, false),
        words: |world| {
            let lines = format!("pin latest; delete {} --yes; ls", world.arg("extra"));
            ["query".into(), "--json".into(), "-c".into(), lines].to_vec()
        },
        // It is gone already.
        again: &[0, 5],
        ..PLAIN
    },
    Recipe {
        verb: "shell",
        prepare: |world| extra(world, false),
        words: |_| words(["shell"]),
        typed: Some(|world| format!("pin latest\ndelete {} --yes\nexit\n", world.arg("extra"))),
        ..PLAIN
    },
    Recipe {
        verb: "tui",
        name: "menus",
        prepare: |world| extra(world, false),
        words: |_| words(["tui", "--plain"]),
        typed: Some(|world| format!("9\npin latest\n9\ndelete {} --yes\n0\n", world.arg("extra"))),
        ..PLAIN
    },
    Recipe {
        verb: "config",
        name: "set",
        ends: HERE,
        prepare: |world| {
            fs::create_dir_all(world.home().join(".config/tuckbox")).unwrap();
            fs::write(world.home().join(".config/tuckbox/config.toml"), "# mine\nretry = '5m' # enough\n").unwrap();
        },
        words: |_| words(["config", "set", "retry", "1m"]),
        proof: |stage| {
            let text = fs::read_to_string(stage.world.home().join(".config/tuckbox/config.toml")).unwrap();
            assert_eq!(text, "# mine\nretry = \"1m\" # enough\n");
        },
        ..PLAIN
    },
    Recipe {
        verb: "man",
        ends: HERE,
        words: |world| ["man".into(), world.arg("man")].to_vec(),
        proof: |stage| {
            let first = fs::read(stage.world.path("man/tuckbox.1")).unwrap();
            assert_eq!(first, stage.world.tuckbox(["man"]).ok().stdout);
        },
        ..PLAIN
    },
    // The same again: it is there.
    Recipe { verb: "account", name: "create", words: |_| words(["account", "create", "new"]), again: &[0, 2], ..PLAIN },
    Recipe { verb: "account", name: "set", words: |_| words(["account", "set", "ana", "--hard", "1T"]), ..PLAIN },
    Recipe {
        verb: "account",
        name: "delete",
        prepare: |world| {
            world.tuckbox(["account", "create", "other"]).ok();
        },
        words: |_| words(["account", "delete", "other"]),
        ..PLAIN
    },
    Recipe {
        verb: "account",
        name: "dump",
        words: |world| {
            ["account", "dump", "ana", "--to"]
                .map(str::to_owned)
                .into_iter()
                .chain([world.arg("ana.archive")])
                .collect()
        },
        // The same again: it is there.
        again: &[0, 2],
        proof: |stage| loads(stage, "ana.archive"),
        ..PLAIN
    },
    Recipe {
        verb: "account",
        name: "load",
        prepare: |world| {
            let there = world.with_vault(world.arg("there")).with_env("TUCKBOX_ACCOUNT", "guest");
            there.tuckbox(["init"]).ok();
            there.tuckbox(["backup", &world.arg("docs")]).ok();
            there.tuckbox(["account", "dump", "guest", "--to", &world.arg("guest.archive")]).ok();
        },
        words: |world| with_docs(world, "account load GUEST --number 77"),
        again: &[0, 2],
        proof: |stage| {
            let world = &stage.world;
            let shown = world.tuckbox(["account", "list", "--json"]).ok();
            let there = shown.records("account").iter().any(|row| row["account"] == "guest");
            assert!(there, "it is not there");
            world.tuckbox(["account", "check", "guest", "--read-data"]).ok();
        },
        ..PLAIN
    },
    Recipe {
        verb: "group",
        name: "set",
        prepare: |world| {
            world.tuckbox(["group", "create", "office"]).ok();
            world.tuckbox(["group", "add", "office", "ana"]).ok();
        },
        words: |_| words(["group", "set", "office", "--hard", "1T", "--soft", "900G"]),
        ..PLAIN
    },
    Recipe { verb: "group", name: "create", words: |_| words(["group", "create", "office"]), again: &[0, 2], ..PLAIN },
    Recipe {
        verb: "group",
        name: "add",
        prepare: |world| {
            world.tuckbox(["group", "create", "office"]).ok();
        },
        words: |_| words(["group", "add", "office", "ana"]),
        ..PLAIN
    },
    Recipe {
        verb: "volume",
        name: "add",
        words: |world| with_docs(world, "volume add DISK"),
        ends: &[End::Whole],
        again: &[0, 2],
        proof: |stage| {
            let listed = stage.world.tuckbox(["volume", "list", "--json"]).ok();
            assert_eq!(listed.records("volume").len(), 2);
            assert!(listed.records("volume").iter().all(|row| row["there"] == true));
        },
        ..PLAIN
    },
    Recipe {
        verb: "volume",
        name: "remove",
        prepare: |world| {
            world.tuckbox(["volume", "add", &world.arg("disk")]).ok();
            // Packs go to the one or the other by their names, which are chance: so many are not all at home.
            let guest = world.with_env("TUCKBOX_ACCOUNT", "guest");
            guest.tuckbox(["init"]).ok();
            for nth in 0..8 {
                fs::write(world.dir("extra").join("new.txt"), format!("number {nth}")).unwrap();
                guest.tuckbox(["backup", &world.arg("extra")]).ok();
            }
        },
        words: |_| words(["volume", "remove", "1"]),
        ends: &[End::Whole],
        again: &[0, 2],
        proof: |stage| {
            let world = &stage.world;
            assert_eq!(world.tuckbox(["volume", "list", "--json"]).ok().records("volume").len(), 1);
            world.tuckbox(["account", "check", "--all", "--read-data"]).ok();
        },
        ..PLAIN
    },
    Recipe { verb: "key", name: "rotate", ends: ALL, words: |_| words(["key", "rotate"]), ..PLAIN },
    Recipe {
        verb: "key",
        name: "passwd",
        ends: &[End::Client],
        words: |world| with_docs(world, "key passwd --password-file PASS --new-password-file PASS"),
        ..PLAIN
    },
    Recipe {
        verb: "key",
        name: "add",
        ends: &[End::Client],
        words: |world| with_docs(world, "key add --label spare --password-file PASS --new-password-file PASS"),
        ..PLAIN
    },
    Recipe {
        verb: "key",
        name: "add to the vault",
        words: |world| with_docs(world, "key add --in-vault --password-file PASS --new-password-file PASS"),
        ..PLAIN
    },
    Recipe {
        verb: "key",
        name: "remove",
        ends: &[End::Client],
        prepare: |world| {
            let pass = world.arg("pass");
            let row = world.tuckbox(["key", "add", "--json", "--new-password-file", &pass]).ok().record("slot");
            fs::write(world.path("slot"), row["slot"].as_str().unwrap()).unwrap();
        },
        words: |world| {
            let slot = fs::read_to_string(world.path("slot")).unwrap();
            with_docs(world, &format!("key remove {slot} --password-file PASS"))
        },
        // It is gone already.
        again: &[0, 5],
        ..PLAIN
    },
    Recipe {
        verb: "key",
        name: "export",
        ends: &[End::Client],
        words: |world| {
            let mut words = words(["key", "export", "-o"]);
            words.push(world.arg("copy.key"));
            words
        },
        // What is there is not written over; but half a file is not there.
        again: &[0, 1],
        proof: |stage| {
            let (copy, key) = (fs::read(stage.world.path("copy.key")), fs::read(stage.world.key_file()));
            assert_eq!(copy.unwrap(), key.unwrap());
        },
        ..PLAIN
    },
    Recipe { verb: "key", name: "words", ends: &[End::Client], words: |_| words(["key", "words"]), ..PLAIN },
    Recipe {
        verb: "key",
        name: "recover",
        prepare: |world| {
            let words = world.words();
            world.lose_everything();
            fs::write(world.path("words"), words).unwrap();
        },
        words: |world| {
            let mut words = words(["key", "recover", "--words-file"]);
            words.push(world.arg("words"));
            words
        },
        readable: false,
        ..PLAIN
    },
    Recipe {
        verb: "serve",
        name: "an account that has only begun",
        ends: &[End::Server],
        versions: 0,
        prepare: |world| {
            world.tuckbox(["init"]).ok();
        },
        words: |world| with_docs(world, "backup DOCS --json"),
        ..PLAIN
    },
];

/// Those that can be played here.
pub(crate) fn all() -> impl Iterator<Item = &'static Recipe> {
    RECIPES.iter().filter(|recipe| recipe.typed.is_none() || need::programs(&["script"]))
}

#[test]
fn every_verb_that_changes_anything_has_a_recipe() {
    let changing = VERBS.iter().filter(|verb| verb.changes != Changes::Nothing).map(|verb| verb.name);
    let here: BTreeSet<_> = RECIPES.iter().map(|recipe| recipe.verb).collect();
    assert_eq!(changing.collect::<BTreeSet<_>>(), here);
}

#[test]
fn the_recipes_are_good() {
    if crate::tripwire::program().is_none() {
        return;
    }
    for recipe in all() {
        let stage = Stage::set(recipe);
        for end in recipe.ends {
            stage.reset();
            let run = stage.call(*end, crate::tripwire::Action::Count, 0, false).run();
            assert!(recipe.fine.contains(&run.code()), "{} {}\n{run}", recipe.verb, recipe.name);
            let (files, all) = crate::tripwire::counted(&stage.world);
            // A client may have nothing to write but what it sends.
            let least = u64::from(*end != End::Client);
            assert!(all > 0 && files >= least, "{} {}: {files} of {all} calls\n{run}", recipe.verb, recipe.name);
            stage.holds(&run);
        }
    }
}
