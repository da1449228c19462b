//! The person at the command line, as the engine sees them: asked at the terminal, or answered for by options.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use jiff::tz::TimeZone;
use zeroize::Zeroizing;

use super::desk::{Extras, Face};
use crate::ask::{Keyboard, PassphraseSource};
use crate::engine::job::{AppendPlan, HostKeyQuestion, Overwrite, Passphrase, Person, RestorePlan, VersionRow};
use crate::engine::queue::lock;
use crate::fault::{Code, Fault, Result};
use crate::name::{for_terminal, harmless_line};
use crate::time;
use crate::units::{count, counted, size};

/// Times that a passphrase is asked.
const ATTEMPTS: u32 = 3;

/// Answers for a person, or asks them.
pub struct Answers {
    pub(super) keyboard: Arc<dyn Keyboard>,
    pub(super) face: Face,
    pub(super) may_ask: bool,
    pub(super) yes: bool,
    /// Opens a key.
    pub(super) source: Option<PassphraseSource>,
    pub(super) zone: TimeZone,
    pub(super) extras: Extras,
    /// What expressions were understood to be, in the order in which their versions are picked.
    pub(super) understood: Mutex<VecDeque<String>>,
    /// A passphrase that was just chosen: it is not asked for again in the same breath.
    pub(super) chosen: Mutex<Option<Passphrase>>,
}

impl Answers {
    /// Asks; `Ok(None)` when the person ends the input.
    fn ask(&self, prompt: &str, echo: bool) -> Result<Option<Passphrase>> {
        self.face.pause()?;
        self.keyboard.line(prompt, echo)
    }

    /// What is typed after a question of SSH; `None` when nobody can be asked, or nothing readable was typed.
    fn typed(&self, question: &str, echo: bool) -> Option<Zeroizing<String>> {
        if !self.may_ask {
            return None;
        }
        let typed = self.ask(&format!("{}: ", harmless_line(question.trim_end_matches([':', ' ']))), echo).ok()??;
        std::str::from_utf8(&typed).ok().map(|text| Zeroizing::new(text.to_owned()))
    }

    fn ask_text(&self, prompt: &str) -> Result<String> {
        let line = self.ask(prompt, true)?.unwrap_or_default();
        Ok(String::from_utf8_lossy(&line).trim().to_owned())
    }
}

impl Person for Answers {
    fn may_ask(&self) -> bool {
        self.may_ask
    }

    fn secret(&self, what: &str) -> Option<Zeroizing<String>> {
        self.typed(what, false)
    }

    fn answer(&self, question: &str) -> Option<Zeroizing<String>> {
        self.typed(question, true)
    }

    fn passphrase(&self, what: &str, attempt: u32) -> Result<Passphrase> {
        let wrong =
            || Fault::new(Code::KeyPassphrase, format!("this passphrase does not open {}", harmless_line(what)));
        if let Some(chosen) = lock(&self.chosen).take().filter(|_| attempt == 0) {
            return Ok(chosen);
        }
        if let Some(source) = &self.source {
            // It has answered already, and a descriptor answers once.
            if attempt > 0 {
                return Err(wrong());
            }
            return match source.read()? {
                Some(passphrase) => Ok(passphrase),
                None => Err(Fault::new(Code::KeyPassphraseNeeded, "there is no passphrase")),
            };
        }
        if !self.may_ask {
            let message = format!("{} needs its passphrase, and there is nobody to ask", harmless_line(what));
            return Err(Fault::new(Code::KeyPassphraseNeeded, message));
        }
        if attempt >= ATTEMPTS {
            return Err(wrong());
        }
        let again = if attempt > 0 { "That does not open it. " } else { "" };
        self.ask(&format!("{again}Passphrase of {}: ", harmless_line(what)), false)?
            .ok_or_else(|| Fault::new(Code::KeyPassphraseNeeded, "no passphrase was typed"))
    }

    fn new_passphrase(&self, what: &str, may_be_none: bool) -> Result<Option<Passphrase>> {
        if let Some(source) = &self.extras.new_source
            && let Some(passphrase) = source.read()?
        {
            return Ok(Some(passphrase));
        }
        if !self.may_ask {
            let message = format!("{} needs a new passphrase, and there is nobody to ask", harmless_line(what));
            let needed = Fault::new(Code::KeyPassphraseNeeded, message).hint("give it with `--new-password-file FILE`");
            return if may_be_none { Ok(None) } else { Err(needed) };
        }
        let none = if may_be_none { " (empty for none)" } else { "" };
        for attempt in 0..ATTEMPTS {
            let sorry = if attempt > 0 { "Not the same twice. " } else { "" };
            let prompt = format!("{sorry}New passphrase for {}{none}: ", harmless_line(what));
            let first = self.ask(&prompt, false)?.unwrap_or_default();
            if first.is_empty() && may_be_none {
                return Ok(None);
            }
            let second = self.ask("The same again: ", false)?.unwrap_or_default();
            if *first == *second && !first.is_empty() {
                *lock(&self.chosen) = Some(first.clone());
                return Ok(Some(first));
            }
        }
        Err(Fault::new(Code::KeyPassphraseNeeded, "no passphrase was typed twice the same"))
    }

    fn words(&self) -> Result<Zeroizing<String>> {
        let nobody = || Fault::new(Code::KeyWords, "the recovery words are needed, and there is nobody to ask");
        let typed = match &self.extras.words_source {
            Some(source) => source.read().map_err(|fault| match fault.code {
                Code::KeyPassphraseNeeded => {
                    Fault { code: Code::KeyWords, message: "cannot read the recovery words".to_owned(), ..fault }
                }
                _ => fault,
            })?,
            None if self.may_ask => {
                self.ask("The 24 recovery words (empty for a passphrase kept in the vault): ", true)?
            }
            None => return Err(nobody().hint("run it in a terminal, or give them with `--words-file FILE`")),
        };
        let typed = typed.ok_or_else(nobody)?;
        let text = std::str::from_utf8(&typed).map_err(|_| Fault::new(Code::KeyWords, "these are not words"))?;
        Ok(Zeroizing::new(text.to_owned()))
    }

    fn host_key(&self, question: &HostKeyQuestion) -> Result<bool> {
        if !self.may_ask {
            return Ok(false);
        }
        let host = harmless_line(&question.host);
        let told = format!(
            "{host} is not known yet. Its {} key has the fingerprint\n  {}",
            harmless_line(&question.algorithm),
            harmless_line(&question.fingerprint)
        );
        self.face.tell(&told)?;
        Ok(self.ask_text("Is this the right one? Type yes to go on: ")? == "yes")
    }

    fn restore_in_place(&self, plan: &RestorePlan) -> Result<()> {
        for line in in_place(plan) {
            self.face.tell(&line)?;
        }
        if self.yes {
            return Ok(());
        }
        let refused = || Fault::new(Code::PolicyConfirm, "the restore in place was not confirmed; nothing was written");
        if !self.may_ask {
            return Err(refused());
        }
        let answer = self.ask_text("Go on? [y/N] ")?.to_ascii_lowercase();
        if matches!(answer.as_str(), "y" | "yes") {
            Ok(())
        } else {
            Err(refused().hint("`--to DIR` restores beside it"))
        }
    }

    fn append(&self, plan: &AppendPlan) -> Result<()> {
        for line in appended(plan) {
            self.face.tell(&line)?;
        }
        if self.yes {
            return Ok(());
        }
        let refused = || Fault::new(Code::PolicyConfirm, "it was not confirmed; no version was appended");
        if !self.may_ask {
            return Err(refused());
        }
        let answer = self.ask_text("Go on? [y/N] ")?.to_ascii_lowercase();
        if matches!(answer.as_str(), "y" | "yes") { Ok(()) } else { Err(refused().hint("`-n` only tells")) }
    }

    fn picked(&self, version: &VersionRow) {
        let Some(understood) = lock(&self.understood).pop_front() else { return };
        let id = version.id.get(..8).unwrap_or(&version.id);
        let received = time::show(version.received_at_ms, &self.zone);
        // Told on the side; a stream that is gone is noticed where it matters.
        self.face.note(&format!("{understood}: version {id}, received {received}")).unwrap_or_default();
    }
}

/// What is said before a version is appended that no backup made.
fn appended(plan: &AppendPlan) -> Vec<String> {
    let files = |number| counted(number, "file", "files");
    let mut lines = vec![format!(
        "This appends {}: {}, {}, where the newest version has {}.",
        plan.what,
        files(plan.files),
        size(plan.bytes),
        files(plan.before_files)
    )];
    let gone = plan.before_files.saturating_sub(plan.files);
    if gone > 0 {
        let share = if gone > plan.before_files / 2 { ", more than half of all" } else { "" };
        lines.push(format!("{} fewer{share}. All earlier versions keep them.", counted(gone, "file", "files")));
    }
    lines.push("Nothing on the disk is touched; the next backup of a source that is there wins over this.".to_owned());
    lines
}

/// The first of so many paths, and how many more there are.
pub(crate) fn named(first: &[Vec<u8>], all: u64, margin: &str) -> Vec<String> {
    let mut lines: Vec<String> = first.iter().map(|path| format!("{margin}{}", for_terminal(path))).collect();
    let more = all.saturating_sub(first.len() as u64);
    if more > 0 && !first.is_empty() {
        lines.push(format!("{margin}and {} more", count(more)));
    }
    lines
}

/// A version does not say what it was told to leave out.
const BY_HAND: &str =
    "What the configuration leaves out of backups stays; what `backup --exclude` left out only with `-e PATTERN`.";

fn in_place(plan: &RestorePlan) -> Vec<String> {
    let files = counted(plan.files, "file", "files");
    let mut lines = vec![format!("This puts {files} ({}) back in place:", size(plan.bytes))];
    lines.extend(plan.paths.iter().map(|path| format!("  {}", for_terminal(path))));
    lines.push(
        match plan.overwrite {
            Overwrite::Always => "Files that are there are written again.",
            Overwrite::IfChanged => "Files that are there and differ are overwritten.",
            Overwrite::IfNewer => "Files that are there and older are overwritten.",
            Overwrite::KeepBoth => "Files that are there stay; what differs goes beside them under another name.",
            Overwrite::Never => "Files that are there are left alone.",
        }
        .to_owned(),
    );
    if plan.deletes > 0 {
        lines.push(format!(
            "{} there and not in the version {} REMOVED.",
            counted(plan.deletes, "thing that is", "things that are"),
            if plan.deletes == 1 { "is" } else { "are" }
        ));
        lines.extend(named(&plan.deleted, plan.deletes, "  "));
        lines.push(BY_HAND.to_owned());
    }
    lines
}
