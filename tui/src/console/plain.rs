//! The console without a screen: numbered menus on standard output, answers on standard input, nothing drawn over. For screen
//! readers, and for terminals without abilities. Each entry is a verb; the command line that does the same is always said.

use std::ffi::OsString;
use std::io::BufRead;

use agent::cli::inside::Inside;
use agent::cli::{Desk, run_inside};
use agent::fault::{Code, Exit, Fault, Result};
use agent::name::{harmless_line, quoted};
use agent::shell::words::parse;
use agent::world::World;

/// Longest answer, in bytes.
const ANSWER_BYTES_MAX: u64 = 64 << 10;

/// An entry of the menu: its text, and what it asks for and runs.
struct Entry {
    text: &'static str,
    run: fn(&mut Menu<'_>) -> Result<()>,
}

const ENTRIES: &[Entry] = &[
    Entry { text: "How accounts are", run: |menu| menu.status() },
    Entry { text: "Versions", run: |menu| menu.verb(&["versions"]) },
    Entry { text: "Look at files", run: |menu| menu.list() },
    Entry { text: "Find a name in all versions", run: |menu| menu.find() },
    Entry { text: "Restore", run: |menu| menu.restore() },
    Entry { text: "Look at another version", run: |menu| menu.at() },
    Entry { text: "Back up now", run: |menu| menu.verb(&["backup"]) },
    Entry { text: "What the account takes", run: |menu| menu.verb(&["usage"]) },
    Entry { text: "Why each version is kept, and what housekeeping would free", run: |menu| menu.kept() },
    Entry { text: "Keep a version whatever the policy says", run: |menu| menu.pin() },
    Entry { text: "Forget a version", run: |menu| menu.forget() },
    Entry { text: "Traffic by day", run: |menu| menu.traffic() },
    Entry { text: "How fast this machine may send and receive", run: |menu| menu.limit() },
    Entry { text: "How fast an account may send and receive", run: |menu| menu.rate() },
    Entry { text: "Any other command", run: |menu| menu.command() },
];

struct Menu<'a> {
    world: &'a World,
    inside: Inside,
    answers: std::io::StdinLock<'static>,
    leaves: bool,
}

/// Shows menus until they are left.
///
/// # Errors
/// When the output cannot be written.
pub fn run(desk: &Desk<'_>, inside: Inside) -> Result<Exit> {
    let mut menu = Menu { world: desk.world, inside, answers: std::io::stdin().lock(), leaves: false };
    let vault = harmless_line(&desk.place()?.vault);
    menu.say(&format!("tuckbox, vault {vault}. Answer with a number; an empty answer lists the numbers."))?;
    menu.list_entries()?;
    while !menu.leaves {
        let Some(answer) = menu.ask("Number: ")? else { break };
        match answer.parse::<usize>() {
            _ if answer.is_empty() => menu.list_entries()?,
            Ok(0) => menu.leaves = true,
            Ok(number) => match ENTRIES.get(number - 1) {
                Some(entry) => (entry.run)(&mut menu)?,
                None => menu.say("There is no such number.")?,
            },
            Err(_) => menu.say("That is no number.")?,
        }
    }
    Ok(Exit::Ok)
}

impl Menu<'_> {
    fn say(&self, text: &str) -> Result<()> {
        self.world.stdout.line(text)?;
        self.world.stdout.flush()
    }

    fn list_entries(&self) -> Result<()> {
        let at = self.inside.view.at.as_deref().map_or_else(|| "the newest".to_owned(), harmless_line);
        self.say(&format!("Version that is looked at: {at}."))?;
        for (number, entry) in ENTRIES.iter().enumerate() {
            self.say(&format!("{} {}", number + 1, entry.text))?;
        }
        self.say("0 Leave")
    }

    /// Asks; `None` at the end of the input.
    fn ask(&mut self, prompt: &str) -> Result<Option<String>> {
        self.world.stdout.write(prompt.as_bytes())?;
        self.world.stdout.flush()?;
        let mut line = String::new();
        let mut most = std::io::Read::take(&mut self.answers, ANSWER_BYTES_MAX);
        let read = most.read_line(&mut line);
        match read {
            Ok(0) => Ok(None),
            Ok(_) => Ok(Some(line.trim().to_owned())),
            Err(error) => Err(Fault::new(Code::System, "cannot read an answer").because(error)),
        }
    }

    fn verb(&mut self, words: &[&str]) -> Result<()> {
        self.words(words.iter().map(OsString::from).collect()).map(drop)
    }

    /// Runs a verb; its status. Its failure was told by itself.
    fn words(&mut self, words: Vec<OsString>) -> Result<u8> {
        let shown: Vec<String> = words.iter().map(|word| quoted(word.as_encoded_bytes())).collect();
        self.say(&format!("Runs: tuckbox {}", shown.join(" ")))?;
        let status = run_inside(self.world, words, &self.inside);
        // The interrupt key ended the verb and not the menu.
        self.world.stop.take();
        self.say(&if status == 0 { "Done.".to_owned() } else { format!("Ended with exit {status}.") })?;
        Ok(status)
    }

    fn status(&mut self) -> Result<()> {
        // Who looks after the vault sees all.
        if self.words(["status", "--all"].map(OsString::from).to_vec())? != 0 { self.verb(&["status"]) } else { Ok(()) }
    }

    fn list(&mut self) -> Result<()> {
        match self.ask("Directory, empty for the top: ")? {
            Some(path) if path.is_empty() => self.verb(&["ls", "/"]),
            Some(path) => self.verb(&["ls", "--", &path]),
            None => self.end(),
        }
    }

    fn find(&mut self) -> Result<()> {
        match self.ask("Name, with * for any letters: ")? {
            Some(name) if name.is_empty() => Ok(()),
            Some(name) => self.verb(&["find", "--all-versions", "--", &name]),
            None => self.end(),
        }
    }

    /// Never in place, and never without the plan.
    fn restore(&mut self) -> Result<()> {
        let Some(path) = self.ask("Path to restore: ")? else { return self.end() };
        let Some(to) = self.ask("Directory to write it to: ")? else { return self.end() };
        if path.is_empty() || to.is_empty() {
            return self.say("Nothing was restored.");
        }
        if self.words(["restore", "--dry-run", "--to", &to, "--", &path].map(OsString::from).to_vec())? != 0 {
            return Ok(());
        }
        match self.ask("Type yes to restore it: ")?.as_deref() {
            Some("yes") => self.verb(&["restore", "--to", &to, "--", &path]),
            _ => self.say("Nothing was restored."),
        }
    }

    fn kept(&mut self) -> Result<()> {
        self.verb(&["housekeep", "--dry-run"])
    }

    fn pin(&mut self) -> Result<()> {
        let Some(version) = self.ask("Version to keep, as its id or a time: ")? else { return self.end() };
        if version.is_empty() {
            return self.say("Nothing was pinned.");
        }
        match self.ask("Why, may be empty: ")? {
            Some(reason) if reason.is_empty() => self.verb(&["pin", "--", &version]),
            Some(reason) => self.verb(&["pin", "--reason", &reason, "--", &version]),
            None => self.end(),
        }
    }

    /// Never without a look at what would go.
    fn forget(&mut self) -> Result<()> {
        let Some(version) = self.ask("Version to forget, as its id or a time: ")? else { return self.end() };
        if version.is_empty() || self.words(["forget", "--dry-run", "--", &version].map(OsString::from).to_vec())? != 0
        {
            return self.say("Nothing was forgotten.");
        }
        self.when_said("Type yes to forget it: ", &["forget", "--", &version])
    }

    fn traffic(&mut self) -> Result<()> {
        // Who looks after the vault sees all.
        let all = ["traffic", "--by", "day", "--all"].map(OsString::from).to_vec();
        if self.words(all)? != 0 { self.verb(&["traffic", "--by", "day"]) } else { Ok(()) }
    }

    fn limit(&mut self) -> Result<()> {
        match self.ask("Bytes a second or a timetable, as in 500k; none for no limit: ")? {
            Some(limit) if limit.is_empty() => self.say("Nothing was changed."),
            Some(limit) => self.verb(&["config", "set", "limit", &limit]),
            None => self.end(),
        }
    }

    fn rate(&mut self) -> Result<()> {
        let Some(account) = self.ask("Account: ")? else { return self.end() };
        if account.is_empty() || self.words(["account", "info", &account].map(OsString::from).to_vec())? != 0 {
            return self.say("Nothing was changed.");
        }
        let Some(rate) = self.ask("Bytes a second or a timetable, as in 500k; none for no limit: ")? else {
            return self.end();
        };
        if rate.is_empty() {
            return self.say("Nothing was changed.");
        }
        self.when_said("Type yes to settle it: ", &["account", "set", &account, "--rate", &rate])
    }

    /// Runs a verb when yes is typed.
    fn when_said(&mut self, prompt: &str, words: &[&str]) -> Result<()> {
        match self.ask(prompt)?.as_deref() {
            Some("yes") => self.verb(words),
            _ => self.say("Nothing was changed."),
        }
    }

    fn at(&mut self) -> Result<()> {
        let Some(text) = self.ask("Time or version, as in 2 days ago; latest for the newest: ")? else {
            return self.end();
        };
        let zone = if self.inside.outer.utc { jiff::tz::TimeZone::UTC } else { self.world.zone.clone() };
        match agent::time::parse_at(&text, self.world.clock.now_ms(), &zone) {
            Ok(understood) => {
                self.inside.view.at = (text != "latest").then_some(text);
                self.say(&format!("That is {}.", harmless_line(&understood.sentence)))
            }
            Err(fault) => self.say(&fault.message),
        }
    }

    fn command(&mut self) -> Result<()> {
        let Some(line) = self.ask("Command, without tuckbox: ")? else { return self.end() };
        match parse(&line) {
            Ok(parts) => parts.into_iter().try_for_each(|part| {
                let words = part.words.into_iter().map(|word| std::os::unix::ffi::OsStringExt::from_vec(word.bytes));
                self.words(words.collect()).map(drop)
            }),
            Err(why) => self.say(&agent::shell::session::unfinished(&why).message),
        }
    }

    fn end(&mut self) -> Result<()> {
        self.leaves = true;
        Ok(())
    }
}
