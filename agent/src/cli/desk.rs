//! What a verb works with: the world, the settings, and a face that shows.

use std::path::PathBuf;
use std::sync::Arc;

use clap::ArgMatches;
use jiff::tz::TimeZone;
use serde::Serialize;

use super::globals::Settings;
use super::inside::View;
use super::json::Stream;
use super::person::Answers;
use super::plain::Plain;
use crate::ask::PassphraseSource;
use crate::config::Config;
use crate::engine::job::{At, Engine, Run, Throttle, Where};
use crate::engine::kept::Kept;
use crate::engine::state::StateDir;
use crate::event::Watcher;
use crate::fault::{Code, Exit, Fault, Result};
use crate::profile::Profile;
use crate::time::{Understood, parse_at};
use crate::timetable::Limit;
use crate::world::World;

/// Who looks at the output.
#[derive(Clone)]
pub enum Face {
    /// A program.
    Json(Arc<Stream>),
    /// A person.
    Plain(Arc<Plain>),
}

#[derive(Serialize)]
struct TextRecord<'a> {
    text: &'a str,
}

impl Face {
    /// As a listener.
    #[must_use]
    pub fn watcher(&self) -> Arc<dyn Watcher> {
        match self {
            Self::Json(stream) => Arc::clone(stream) as Arc<dyn Watcher>,
            Self::Plain(plain) => Arc::clone(plain) as Arc<dyn Watcher>,
        }
    }

    /// A result for people that goes without saying (not told when quiet); programs have the records.
    pub fn say(&self, text: &str) -> Result<()> {
        match self {
            Self::Json(_) => Ok(()),
            Self::Plain(plain) => plain.say(text),
        }
    }

    /// One line of the result for people.
    pub fn line(&self, text: &str) -> Result<()> {
        match self {
            Self::Json(_) => Ok(()),
            Self::Plain(plain) => plain.line(text),
        }
    }

    /// A text of several lines: for people as it is, for programs as one record.
    pub fn text(&self, text: &str) -> Result<()> {
        match self {
            Self::Json(stream) => stream.record("text", &TextRecord { text }),
            Self::Plain(plain) => plain.text(text),
        }
    }

    /// Something on the side, to both.
    pub fn note(&self, text: &str) -> Result<()> {
        self.watcher().event(&crate::event::Event::Note(text));
        Ok(())
    }

    /// Lines that lead up to a question; told even when quiet.
    pub fn tell(&self, text: &str) -> Result<()> {
        match self {
            Self::Json(_) => Ok(()),
            Self::Plain(plain) => plain.tell(text),
        }
    }

    /// Makes room for a question.
    pub fn pause(&self) -> Result<()> {
        match self {
            Self::Json(_) => Ok(()),
            Self::Plain(plain) => plain.end(),
        }
    }

    /// Totals of a verb, for programs.
    pub fn summary(&self, command: &str, body: &impl Serialize) -> Result<()> {
        match self {
            Self::Json(stream) => stream.summary(command, body),
            Self::Plain(_) => Ok(()),
        }
    }

    /// One record of a list, for programs.
    pub fn row(&self, kind: &str, body: &impl Serialize) -> Result<()> {
        match self {
            Self::Json(stream) => stream.row(kind, body),
            Self::Plain(_) => Ok(()),
        }
    }

    /// Whether a program looks.
    #[must_use]
    pub fn is_json(&self) -> bool {
        matches!(self, Self::Json(_))
    }

    /// The failure of the run.
    pub(super) fn fault(&self, fault: &Fault, exit: u8) -> Result<()> {
        match self {
            Self::Json(stream) => stream.error(fault, exit),
            Self::Plain(plain) => plain.fault(fault, exit),
        }
    }

    /// The end of the run.
    pub(super) fn end(&self, exit: u8) -> Result<()> {
        match self {
            Self::Json(stream) => stream.end(exit),
            Self::Plain(plain) => plain.end(),
        }
    }
}

/// Answers that only some verbs have.
#[derive(Clone, Debug, Default)]
pub struct Extras {
    /// Gives a new passphrase.
    pub new_source: Option<PassphraseSource>,
    /// Gives the recovery words.
    pub words_source: Option<PassphraseSource>,
    /// What version expressions were understood to be, to be told with the versions that they led to.
    pub understood: Vec<String>,
}

/// What a verb works with.
pub struct Desk<'a> {
    /// Outside.
    pub world: &'a World,
    /// The file.
    pub config: Config,
    /// Global options, resolved.
    pub settings: Settings,
    /// Shows.
    pub face: Face,
    /// Measures where the time goes.
    pub profile: Profile,
    /// Where one looks.
    pub view: View,
    /// The account that stays open.
    pub kept: Option<Arc<Kept>>,
    /// Slows its runs down while they go on.
    pub throttle: Option<Throttle>,
}

impl Desk<'_> {
    /// Does the work.
    #[must_use]
    pub fn engine(&self) -> &dyn Engine {
        self.world.engine.as_ref()
    }

    /// What the engine gets. The passphrase that opens a key also protects a new one (`init`).
    pub fn run(&self) -> Result<Run> {
        self.run_with(Extras { new_source: self.settings.passphrase.clone(), ..Extras::default() })
    }

    /// The same, with what `--at` was understood to be.
    pub fn run_at(&self, understood: impl IntoIterator<Item = String>) -> Result<Run> {
        let understood = understood.into_iter().collect();
        self.run_with(Extras { understood, ..Extras::default() })
    }

    /// The same, with answers of its own.
    pub fn run_with(&self, extras: Extras) -> Result<Run> {
        let person = Answers {
            keyboard: Arc::clone(&self.world.keyboard),
            face: self.face.clone(),
            may_ask: self.settings.may_ask,
            yes: self.settings.yes,
            source: self.settings.passphrase.clone(),
            zone: self.zone(),
            understood: std::sync::Mutex::new(extras.understood.clone().into()),
            extras,
            chosen: std::sync::Mutex::default(),
        };
        Ok(Run {
            place: self.place()?,
            folders: self.world.folders()?,
            watcher: self.face.watcher(),
            person: Arc::new(person),
            clock: Arc::clone(&self.world.clock),
            chance: Arc::clone(&self.world.chance),
            stop: self.world.stop.clone(),
            profile: self.profile.clone(),
            kept: self.kept.clone(),
            throttle: self.throttle.clone(),
            hurried: false,
            host: self.settings.host.clone(),
            zone: self.world.zone.clone(),
        })
    }

    /// Which vault, account and key.
    pub fn place(&self) -> Result<Where> {
        let folders = self.world.folders()?;
        let default = folders.data.join("vault");
        let last = StateDir::new(folders.state.clone()).last_vault().map(|last| last.address);
        let named = self.settings.vault.clone().or(last.filter(|last| Some(last.as_str()) != default.to_str()));
        let (vault, vault_is_default) = match named {
            Some(vault) => (vault, false),
            None => match default.to_str() {
                Some(vault) => (vault.to_owned(), true),
                None => return Err(Fault::new(Code::System, "the user's data directory has a name that is not UTF-8")),
            },
        };
        Ok(Where {
            vault,
            vault_is_default,
            account: self.settings.account.clone(),
            key_file: self.settings.key.as_ref().map(|file| folders.working.join(file)),
            ssh: self.settings.ssh,
            remote_program: self.settings.remote_program.clone(),
            stripes: self.settings.stripes,
            retry_ms: self.settings.retry_ms,
            pin_file: self.settings.pin_file.as_ref().map(|file| folders.working.join(file)),
            // Whatever times are shown in: a limit goes by the clocks of where it is set.
            limit: self.settings.limit.clone().map(|limit| Limit::new(limit, self.world.zone.clone())),
        })
    }

    /// The zone that times are shown and read in.
    #[must_use]
    pub fn zone(&self) -> TimeZone {
        if self.settings.utc { TimeZone::UTC } else { self.world.zone.clone() }
    }

    /// A version expression.
    pub fn version(&self, text: &str) -> Result<Understood> {
        parse_at(text, self.world.clock.now_ms(), &self.zone())
    }

    /// The version that `--at` names, and what is said of it; the newest and nothing without `--at`.
    pub fn at(&self, matches: &ArgMatches) -> Result<(At, Option<String>)> {
        match matches.get_one::<String>("at") {
            // What `at` of a shell means was said when it was typed.
            None => Ok((self.at_view()?, None)),
            Some(text) => {
                let understood = self.version(text)?;
                Ok((understood.at, Some(understood.sentence)))
            }
        }
    }

    /// The version where one looks, without anybody being told.
    pub fn at_view(&self) -> Result<At> {
        self.view.at.as_deref().map_or(Ok(At::default()), |text| self.version(text).map(|understood| understood.at))
    }

    /// Path arguments that mean what is in a version, absolute.
    #[must_use]
    pub fn paths(&self, matches: &ArgMatches, name: &str) -> Vec<Vec<u8>> {
        let paths = matches.get_many::<std::ffi::OsString>(name).into_iter().flatten();
        self.view.paths(&self.world.working, paths)
    }

    /// A file argument, absolute.
    #[must_use]
    pub fn file(&self, matches: &ArgMatches, name: &str) -> Option<PathBuf> {
        matches.get_one::<std::ffi::OsString>(name).map(|path| self.world.working.join(path))
    }
}

/// The exit of a run that did `exit` and left some items out.
#[must_use]
pub fn with_errors(errors: u64) -> Exit {
    if errors > 0 { Exit::Partial } else { Exit::Ok }
}
