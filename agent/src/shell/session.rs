//! What lives from one command to the next, and how a command is run: the verbs of the command line by its own parser, and
//! the words of the shell. Batch and shell share all of it.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::process::{Command, Stdio};
use std::sync::Arc;

use super::browse::Browser;
use super::builtin::{self, BUILTINS};
use super::jobs::Jobs;
use super::words::{Part, Unfinished, Word};
use crate::cli::inside::Inside;
use crate::cli::json::exit_number;
use crate::cli::{Desk, Face, inside_desk, inside_face, run_inside, tell_inside};
use crate::fault::{Code, Exit, Fault, Result};
use crate::name::for_terminal;
use crate::world::World;

/// Most marked paths.
pub const MARKS_MAX: usize = 10_000;

/// See the module.
pub struct Session {
    /// Outside, with the working directory of the session.
    pub world: World,
    /// What verbs have in common.
    pub inside: Inside,
    /// Marked paths.
    pub marks: BTreeSet<Vec<u8>>,
    /// The directory before the last `cd`.
    pub before: Option<Vec<u8>>,
    /// Of a shell with a person.
    pub live: Option<Live>,
    /// `exit` was said.
    pub leaves: bool,
    /// The command that runs, as it is shown.
    said: String,
}

/// What only a shell with a person has.
pub struct Live {
    /// Looks into versions ahead of the person.
    pub browser: Browser,
    /// What runs beside the prompt.
    pub jobs: Jobs,
}

impl Session {
    /// A session that begins at the top of the newest version.
    #[must_use]
    pub fn new(world: World, inside: Inside) -> Self {
        Self { world, inside, marks: BTreeSet::new(), before: None, live: None, leaves: false, said: String::new() }
    }

    /// Runs one command; the status that it would have had alone.
    pub fn run(&mut self, part: &Part) -> u8 {
        if let Some(line) = &part.outside {
            return self.outside(line);
        }
        let words = self.expand(&part.words);
        let Some((first, rest)) = words.split_first() else { return 0 };
        self.said = words.iter().map(|word| for_terminal(word.as_encoded_bytes())).collect::<Vec<_>>().join(" ");
        match BUILTINS
            .iter()
            .find(|word| OsStr::new(word.name) == first || word.other_name.map(OsStr::new) == Some(first))
        {
            Some(word) if part.background => {
                self.failed(&Fault::new(Code::Usage, format!("`{}` does not run beside the prompt", word.name)))
            }
            Some(word) => match (word.run)(self, rest) {
                Ok(exit) => exit_number(exit),
                Err(fault) => self.failed(&fault),
            },
            None if part.background => match &mut self.live {
                Some(live) => live.jobs.start(&self.world, &self.inside, words),
                None => self.failed(&Fault::new(Code::Usage, "nothing runs beside a batch").hint("leave the & out")),
            },
            None => self.verb(words),
        }
    }

    /// Runs a verb.
    pub fn verb(&mut self, words: Vec<OsString>) -> u8 {
        self.work(move |world, inside| run_inside(world, words, inside))
    }

    /// Does something that may take long. In a shell the interrupt key ends it and not the shell.
    pub fn work(&mut self, work: impl FnOnce(&World, &Inside) -> u8 + Send + 'static) -> u8 {
        match &mut self.live {
            Some(live) => {
                let leave = |left| live.jobs.leave(self.said.clone(), left);
                super::patient::wait(&self.world, &self.inside, leave, work)
            }
            None => work(&self.world, &self.inside),
        }
    }

    /// The same for what gives an answer, which it leaves behind.
    pub fn ask<T: Send + 'static>(
        &mut self,
        work: impl FnOnce(&Desk<'_>) -> Result<T> + Send + 'static,
    ) -> Result<Option<T>, u8> {
        let left = Arc::new(std::sync::Mutex::new(None));
        let status = {
            let left = Arc::clone(&left);
            self.work(move |world, inside| {
                let done = inside_desk(world, inside).and_then(|desk| work(&desk));
                match done {
                    Ok(answer) => {
                        *crate::engine::queue::lock(&left) = Some(answer);
                        0
                    }
                    Err(fault) => tell_inside(world, &fault, inside).unwrap_or(1),
                }
            })
        };
        let answer = crate::engine::queue::lock(&left).take();
        if status == 0 { Ok(answer) } else { Err(status) }
    }

    /// Tells a failure of the session itself; its status.
    pub fn failed(&self, fault: &Fault) -> u8 {
        tell_inside(&self.world, fault, &self.inside).unwrap_or(1)
    }

    /// Tells people or programs.
    #[must_use]
    pub fn face(&self) -> Face {
        inside_face(&self.world, &self.inside)
    }

    /// What words mean: `~` is the home directory, `@marks` the marked paths.
    fn expand(&self, words: &[Word]) -> Vec<OsString> {
        let mut out = Vec::with_capacity(words.len());
        for word in words {
            match self.world.home.as_deref().filter(|_| word.tilde) {
                Some(home) => {
                    let rest = word.bytes.strip_prefix(b"~").unwrap_or_default();
                    out.push(OsString::from_vec([home.as_os_str().as_bytes(), rest].concat()));
                }
                None if word.bytes == b"@marks" && !word.quoted => {
                    out.extend(self.marks.iter().map(|path| OsString::from_vec(path.clone())));
                }
                None => out.push(OsString::from_vec(word.bytes.clone())),
            }
        }
        out
    }

    /// `!command`: a command of this machine, in the directory of `lcd`.
    fn outside(&mut self, line: &str) -> u8 {
        if let Err(fault) = self.world.stdout.flush() {
            return self.failed(&fault);
        }
        let captured = self.inside.stream.is_some();
        let mut command = Command::new("sh");
        command.arg("-c").arg(line).current_dir(&self.world.working);
        if captured {
            command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::inherit());
        }
        let outcome = command.spawn().and_then(std::process::Child::wait_with_output);
        // The interrupt key was meant for that command.
        if self.live.is_some() {
            self.world.stop.take();
        }
        match outcome {
            Ok(output) => {
                if captured {
                    let text = crate::name::harmless(&String::from_utf8_lossy(&output.stdout));
                    self.face().text(&text).unwrap_or_default();
                }
                let signal = std::os::unix::process::ExitStatusExt::signal(&output.status);
                let status = output.status.code().or(signal.map(|number| number.saturating_add(128)));
                status.and_then(|status| u8::try_from(status).ok()).unwrap_or(1)
            }
            Err(error) => self.failed(&Fault::new(Code::System, "cannot run `sh`").because(error)),
        }
    }

    /// The words of the shell with their one line, for help and completion.
    #[must_use]
    pub fn words() -> Vec<(String, String)> {
        let all = BUILTINS.iter().filter(|word| !word.name.starts_with('_'));
        all.map(|word| (word.name.to_owned(), word.about.to_owned())).collect()
    }

    /// What `cd` and the like tell programs.
    pub fn tell_view(&self) -> Result<Exit> {
        builtin::tell_view(self)
    }
}

/// Why a line cannot be run, as a fault.
#[must_use]
pub fn unfinished(why: &Unfinished) -> Fault {
    match why {
        Unfinished::More => Fault::new(Code::Usage, "a quote is not closed, or the line ends in a backslash"),
        Unfinished::Foreign(c) => Fault::new(Code::Usage, format!("this shell has no use for `{c}`"))
            .hint(format!("quote it to mean it; to pass output on: tuckbox query -c '…' {c} …")),
        Unfinished::Long => Fault::new(Code::Usage, "the line is longer than 64 KiB"),
    }
}
