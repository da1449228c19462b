//! A machine on which one recipe is played again and again, each time from the same beginning.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tests::look::{self, Listing};
use tests::subject::{Call, Outcome, files_below};
use tests::tree::{Seeded, Tree};
use tests::wait::until;
use tests::world::World;
use tests::{need, oath};

use crate::recipes::{End, Recipe};
use crate::tripwire::{self, Action};

/// When version 1 was made: whatever waits for days or weeks has waited by now.
pub(crate) const LONG_AGO: &str = "2020-01-01T12:00:00Z";

/// A machine and its saved beginning.
pub(crate) struct Stage {
    /// The machine.
    pub world: World,
    /// The recipe.
    pub recipe: &'static Recipe,
    /// The source in version 1.
    pub before: Listing,
    /// The source as it lies there now.
    pub after: Listing,
}

/// Makes the source of version 1: small, but with more than one box.
pub(crate) fn source(world: &World) {
    let mut chance = Seeded::new(11);
    let docs = Tree::at(world.path("docs"));
    docs.file("letter", "Dear Ana,\n").file("empty", "").file("raw", chance.bytes(300_000)).symlink("link", "raw");
    docs.dir("deep").dir("deeper").file("text", chance.text(60_000));
    for number in 0..6 {
        docs.file(format!("small-{number}"), chance.text(900));
    }
    drop(docs.age());
}

/// Changes it: some files new, some others, some gone.
pub(crate) fn change(world: &World) {
    let mut chance = Seeded::new(12);
    for gone in ["docs/small-0", "docs/raw"] {
        fs::remove_file(world.path(gone)).unwrap();
    }
    let docs = Tree::at(world.path("docs"));
    docs.file("raw", chance.bytes(1_300_000)).file("new", chance.text(20_000));
    docs.dir("room").file("chair", "wood");
    drop(docs.age());
}

/// Waits until a backup has its source to itself.
pub(crate) fn begun(world: &World) {
    let is_lock = |file: &Path| file.file_name().is_some_and(|name| name.to_string_lossy().starts_with("source-"));
    let begun = || files_below(&world.vault()).iter().any(|file| is_lock(file));
    until(Duration::from_secs(60), "the session to begin", begun);
}

impl Stage {
    /// Sets the stage.
    pub(crate) fn set(recipe: &'static Recipe) -> Self {
        let mut world = crate::world();
        source(&world);
        let before = look::at(world.path("docs"));
        fs::write(world.path("pass"), "a good passphrase\n").unwrap();
        if recipe.versions > 0 {
            world = world.with_vault(world.arg("vault"));
            let then = world.with_env("TUCKBOX_CLOCK", LONG_AGO);
            then.tuckbox(["init"]).ok();
            then.tuckbox(["backup", &world.arg("docs")]).ok();
        } else {
            world = world.with_vault(world.arg("vault"));
        }
        change(&world);
        let after = look::at(world.path("docs"));
        (recipe.prepare)(&world);
        world.quiet();
        let disk = world.path(".");
        fs::create_dir(world.path("saved")).unwrap();
        for entry in fs::read_dir(disk).unwrap().flatten() {
            if !["bin", "saved"].iter().any(|name| entry.file_name() == *name) {
                oath::copied(&entry.path(), &world.path("saved"));
            }
        }
        Self { world, recipe, before, after }
    }

    /// Back to the beginning.
    pub(crate) fn reset(&self) {
        self.world.quiet();
        for entry in fs::read_dir(self.world.path(".")).unwrap().flatten() {
            if !["bin", "saved"].iter().any(|name| entry.file_name() == *name) {
                oath::remove(&entry.path());
            }
        }
        for entry in fs::read_dir(self.world.path("saved")).unwrap().flatten() {
            oath::copied(&entry.path(), &self.world.path("."));
        }
    }

    /// A run of the recipe in which something befalls one end. `fuse`: only the first server, when there are several.
    pub(crate) fn call(&self, end: End, action: Action, at: u64, fuse: bool) -> Call {
        // Looking after accounts is a verb, too.
        let serve = format!("serve --stdio --role admin --vault {}", self.world.arg("vault"));
        let mut own = vec!["tuckbox".to_owned()];
        let vault = match end {
            End::Whole => {
                own = tripwire::words(&self.world, action, at, false);
                self.world.arg("vault")
            }
            End::Client => {
                own = tripwire::words(&self.world, action, at, false);
                format!("cmd:tuckbox {serve}")
            }
            End::Server => {
                let wire = tripwire::words(&self.world, action, at, fuse);
                format!("cmd:{} {serve}", wire.join(" "))
            }
        };
        own.extend((self.recipe.words)(&self.world));
        self.run_with(&vault, own)
    }

    /// The same, about the files outside the vault: what a machine has of its own.
    pub(crate) fn call_own(&self, end: End, action: Action, at: u64) -> Call {
        let mut own = tripwire::own_words(&self.world, action, at);
        own.extend((self.recipe.words)(&self.world));
        let vault = match end {
            End::Client => {
                format!("cmd:tuckbox serve --stdio --role admin --vault {}", self.world.arg("vault"))
            }
            End::Whole | End::Server => self.world.arg("vault"),
        };
        self.run_with(&vault, own)
    }

    /// The same without anything in the way.
    pub(crate) fn plainly(&self) -> Call {
        let mut own = vec!["tuckbox".to_owned()];
        own.extend((self.recipe.words)(&self.world));
        self.run_with(&self.world.arg("vault"), own)
    }

    fn run_with(&self, vault: &str, words: Vec<String>) -> Call {
        let world = self.world.with_vault(vault);
        let mut words = words.into_iter();
        let program = words.next().unwrap();
        // Found by its name in this machine's PATH.
        let program: PathBuf = if program == "tuckbox" { self.world.path("bin/tuckbox") } else { program.into() };
        let call = match self.recipe.typed {
            None => world.command(program, words),
            Some(typed) => {
                let line: Vec<_> = [program.into_os_string().into_string().unwrap()].into_iter().chain(words).collect();
                world
                    .command(need::find("script").unwrap(), ["-qec", &line.join(" "), "/dev/null"])
                    .stdin(typed(&world))
            }
        };
        call.env("TUCKBOX_RETRY", "2s")
    }

    /// Every promise holds after a run that ended so.
    pub(crate) fn holds(&self, run: &Outcome) {
        let recipe = self.recipe;
        let world = self.machine();
        assert!(
            !format!("{}{}", run.err(), String::from_utf8_lossy(&run.stdout)).contains("panicked at"),
            "it panicked\n{run}"
        );
        let acknowledged = oath::acknowledged(run);
        if recipe.readable && (recipe.versions > 0 || acknowledged.is_some()) {
            self.versions(&world, acknowledged.as_deref());
        }
        if recipe.fine.contains(&run.code()) {
            (recipe.proof)(self);
        }
        let again = self.plainly().run();
        assert!(recipe.again.contains(&again.code()), "the same again\n{again}\nafter\n{run}");
        (recipe.proof)(self);
        if recipe.versions > 0 {
            self.versions(&world, acknowledged.as_deref());
        }

        world.tuckbox(["backup", &world.arg("docs")]).ok();
        let ids = oath::versions(&world);
        oath::restored(&world, "docs", ids.last().unwrap()).same_as(&self.after);
        oath::clean(&world);
        oath::counted(&world);
    }

    /// The same machine, with the passphrase at hand that a recipe may have set, whatever other account it has made.
    fn machine(&self) -> World {
        let world = self.world.with_vault(self.world.arg("vault")).with_env("TUCKBOX_ACCOUNT", "ana");
        world.with_env("TUCKBOX_PASSWORD_FILE", self.world.arg("pass"))
    }

    /// All versions are whole, those acknowledged among them.
    fn versions(&self, world: &World, acknowledged: Option<&str>) {
        let ids = oath::versions(world);
        let least = self.recipe.versions + usize::from(acknowledged.is_some());
        assert!(ids.len() >= least, "{least} versions acknowledged, {} there", ids.len());
        assert!(acknowledged.is_none_or(|id| ids.iter().any(|there| there == id)), "an acknowledged version is gone");
        for (number, id) in ids.iter().enumerate() {
            let tree = if number < self.recipe.versions { &self.before } else { &self.after };
            oath::restored(world, "docs", id).same_as(tree);
        }
        oath::clean(world);
    }
}

/// The tree of a recipe's own output, which is whatever version 1 holds.
pub(crate) fn is_version_1(stage: &Stage, out: &str) {
    stage.before.same_as(&look::at(stage.world.path(out)));
}

/// The source itself, as it was in the beginning.
pub(crate) fn untouched(stage: &Stage) {
    stage.after.same_as(&look::at(stage.world.path("docs")));
}

/// Nothing to prove but the promises.
pub(crate) fn nothing(_: &Stage) {}

/// A file of one file of version 1.
pub(crate) fn is_letter(stage: &Stage, out: &str) {
    assert_eq!(fs::read(stage.world.path(out)).unwrap(), b"Dear Ana,\n");
}
