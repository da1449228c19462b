//! The batch: commands from arguments, a file or standard input, one after the other, by the parser of the shell.

use std::io::BufRead;

use serde::Serialize;

use super::session::{Session, unfinished};
use super::words::{LINE_BYTES_MAX, Part, Unfinished, parse};
use crate::cli::inside::Inside;
use crate::fault::{Code, Exit, Fault, Result};
use crate::name::for_terminal;
use crate::world::World;

/// What a batch came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// Commands that were run.
    pub commands: u64,
    /// Of these, failed.
    pub failed: u64,
}

#[derive(Serialize)]
struct CommandRecord {
    number: u64,
    words: Vec<String>,
}

#[derive(Serialize)]
struct DoneRecord {
    number: u64,
    exit: u8,
}

/// A batch that runs.
pub struct Batch {
    session: Session,
    keep_going: bool,
    summary: Summary,
    exit: Exit,
    over: bool,
}

impl Batch {
    /// A batch that has run nothing yet; with `keep_going` a failure does not end it.
    #[must_use]
    pub fn new(world: &World, inside: Inside, keep_going: bool) -> Self {
        let session = Session::new(world.clone(), inside);
        Self { session, keep_going, summary: Summary::default(), exit: Exit::Ok, over: false }
    }

    /// Runs all lines of a text.
    pub fn text(&mut self, text: &str) -> Result<()> {
        self.lines(text.as_bytes(), None)
    }

    /// Runs line after line as they come, from a file of this name. A line whose quotes are open goes on with the next.
    pub fn lines(&mut self, mut from: impl BufRead, name: Option<&str>) -> Result<()> {
        let mut open = String::new();
        let (mut number, mut began) = (0_u64, 1_u64);
        while !self.over {
            number += 1;
            if open.is_empty() {
                began = number;
            }
            let mut line = Vec::new();
            let most = (LINE_BYTES_MAX + 1).saturating_sub(open.len()) as u64;
            let read = std::io::Read::take(&mut from, most).read_until(b'\n', &mut line);
            let read = read.map_err(|error| Fault::new(Code::System, "cannot read the commands").because(error))?;
            let text = String::from_utf8(line).map_err(|_| {
                Fault::new(Code::Usage, "a command is not UTF-8").hint(r"write such bytes as in $'caf\xe9'")
            })?;
            open.push_str(&text);
            match parse(&open) {
                Err(Unfinished::More) if read > 0 && open.len() <= LINE_BYTES_MAX => continue,
                Err(why) => {
                    self.failed(&unfinished(&why));
                    self.name_line(name, began, open.trim())?;
                }
                Ok(parts) => {
                    for part in &parts {
                        let failed = self.summary.failed;
                        let words = self.part(part)?;
                        if self.summary.failed > failed {
                            self.name_line(name, began, &words)?;
                        }
                    }
                }
            }
            open.clear();
            if read == 0 {
                break;
            }
        }
        Ok(())
    }

    /// Says where a command stands that failed.
    fn name_line(&self, file: Option<&str>, line: u64, words: &str) -> Result<()> {
        let Some(file) = file else { return Ok(()) };
        self.session.face().note(&format!("{file}:{line}: {}", for_terminal(words.as_bytes())))
    }

    fn failed(&mut self, fault: &Fault) {
        self.session.failed(fault);
        self.came_to(Exit::Usage);
        self.summary.failed += 1;
    }

    fn came_to(&mut self, exit: Exit) {
        self.exit = self.exit.worse(exit);
        self.over |= exit != Exit::Ok && !self.keep_going;
    }

    /// Runs a command; gives it as it is shown.
    fn part(&mut self, part: &Part) -> Result<String> {
        if self.over {
            return Ok(String::new());
        }
        self.summary.commands += 1;
        let number = self.summary.commands;
        let face = self.session.face();
        let words = match &part.outside {
            Some(line) => vec![format!("!{}", for_terminal(line.as_bytes()))],
            None => part.words.iter().map(|word| for_terminal(&word.bytes)).collect(),
        };
        let shown = words.join(" ");
        face.row("command", &CommandRecord { number, words })?;
        let status = self.session.run(part);
        if self.session.world.stdout.closed() {
            self.over = true;
            return Ok(shown);
        }
        if self.session.world.stop.asked() {
            return Err(Fault::new(Code::Interrupted, format!("interrupted at command {number}")));
        }
        face.row("done", &DoneRecord { number, exit: status })?;
        if status != 0 {
            self.summary.failed += 1;
            // What another program means by its status is its own affair.
            let class = Exit::of(status).filter(|_| part.outside.is_none());
            self.came_to(class.unwrap_or(Exit::Failed));
        }
        self.over |= self.session.leaves;
        Ok(shown)
    }

    /// What it came to: the exit of the failure that ended it, or the worst of all.
    pub fn end(self) -> Result<Exit> {
        self.session.face().summary("query", &self.summary)?;
        Ok(self.exit)
    }
}
