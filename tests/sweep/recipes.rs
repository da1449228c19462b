//! How each verb that changes anything is run, so that it can be killed and failed at each of its steps. A verb without a
//! recipe fails a test: `changes` in the table of verbs says which need one.

use std::collections::BTreeSet;
use std::fs;

use agent::command::{Changes, VERBS};
use tests::world::World;
use tests::{look, oath};

use crate::stage::{Stage, is_letter, is_version_1, nothing, untouched};

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
    line.split(' ').map(|word| word.replace("DOCS", &docs).replace("PASS", &world.arg("pass"))).collect()
}

/// What most have in common.
const PLAIN: Recipe = Recipe {
    verb: "",
    name: "",
    ends: APART,
    versions: 1,
    prepare: |_| {},
    words: |_| Vec::new(),
    readable: true,
    fine: &[0],
    again: &[0],
    proof: nothing,
};

/// All of them.
pub(crate) static RECIPES: &[Recipe] = &[
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
            let call = world.tuckbox(["backup", "--stdin", "--stdin-filename", "/dumps/db"]).held().start();
            let staged = || tests::subject::files_below(&world.vault()).iter().any(|f| f.ends_with("token"));
            tests::wait::until(std::time::Duration::from_secs(30), "the session to begin", staged);
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
    for recipe in RECIPES {
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
