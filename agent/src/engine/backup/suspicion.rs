//! Does a source change as no person changes it? Most files rewritten or renamed at once, or many made unreadable: then
//! the version before is pinned, so that no rule of retention takes the last good one, and somebody is told.
//!
//! Counted where it happens and judged once, after the first pass. A file counts as *rewritten* when the version before
//! has it with other content, and as *replaced* when its name went while a new one came in the same directory, as with
//! `plan.txt` and `plan.txt.locked`. A directory that was renamed counts nothing, nor does what was only added or only
//! removed (that is the guard's). Whether content looks encrypted says [`noise`](super::noise); so that it is a *jump*, what
//! of the source looked so in earlier runs is remembered in the state, and is missing where the state is.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use serde::{Deserialize, Serialize};
use store::chain::{LinkKind, NamedVersions};
use store::record::RecordKind;
use store::seal::DeviceKey;

use super::scan::losses;
use super::source_run::SourceRun;
use crate::engine::account::Account;
use crate::engine::job::Suspicions;
use crate::engine::remote::Remote;
use crate::engine::retention::Fates;
use crate::event::{Action, Event};
use crate::fault::{Code, Fault, Result};
use crate::name::for_terminal;

/// A jump: of what changed, so much more looks encrypted than what was seen before. In thousandths.
const JUMP_PERMILLE: u64 = 500;
/// Above so many files that were looked at, older ones count half.
const REMEMBERED_MAX: u64 = 100_000;

/// What happened to the files of a source in one pass.
#[derive(Debug, Default)]
pub struct Tally {
    rewritten: AtomicU64,
    replaced: AtomicU64,
    /// Of the rewritten ones, those whose content was looked at, and those that look encrypted.
    rewritten_looks: Looks,
    /// The same of new ones.
    new_looks: Looks,
}

#[derive(Debug, Default)]
struct Looks {
    looked: AtomicU64,
    encrypted: AtomicU64,
}

impl Looks {
    fn add(&self, encrypted: bool) {
        self.looked.fetch_add(1, Ordering::Relaxed);
        self.encrypted.fetch_add(u64::from(encrypted), Ordering::Relaxed);
    }

    fn get(&self) -> Seen {
        Seen { looked: self.looked.load(Ordering::Relaxed), encrypted: self.encrypted.load(Ordering::Relaxed) }
    }
}

/// How many files were looked at, and how many of them look encrypted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    /// All.
    pub looked: u64,
    /// Those.
    pub encrypted: u64,
}

impl Seen {
    fn and(self, other: Self) -> Self {
        Self { looked: self.looked + other.looked, encrypted: self.encrypted + other.encrypted }
    }

    fn at_most(self, most: u64) -> Self {
        Self { looked: self.looked.min(most), encrypted: self.encrypted.min(most) }
    }

    fn permille(self) -> u64 {
        self.encrypted.saturating_mul(1000).checked_div(self.looked).unwrap_or(0)
    }

    /// With what was seen now; what is old fades.
    fn then(self, now: Self) -> Self {
        let both = self.and(now);
        if both.looked <= REMEMBERED_MAX {
            return both;
        }
        Self { looked: both.looked / 2, encrypted: both.encrypted / 2 }
    }
}

/// How what was read looked, of a run so far: what the run after one that was cut off cannot see again without reading.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Looked {
    /// Of the rewritten files.
    pub rewritten: Seen,
    /// Of new ones.
    pub new: Seen,
}

impl Looked {
    fn and(self, other: Self) -> Self {
        Self { rewritten: self.rewritten.and(other.rewritten), new: self.new.and(other.new) }
    }
}

impl Tally {
    /// A file was read or taken: what became of it, and whether its content looks encrypted, where that was asked.
    pub fn file(&self, action: Action, encrypted: Option<bool>) {
        let looks = match action {
            Action::Changed => {
                self.rewritten.fetch_add(1, Ordering::Relaxed);
                &self.rewritten_looks
            }
            Action::Added => &self.new_looks,
            _ => return,
        };
        if let Some(encrypted) = encrypted {
            looks.add(encrypted);
        }
    }

    /// A directory was listed to its end: so many names of files went, and so many came.
    pub fn directory(&self, gone: u64, came: u64) {
        self.replaced.fetch_add(gone.min(came), Ordering::Relaxed);
    }

    fn looked(&self) -> Looked {
        Looked { rewritten: self.rewritten_looks.get(), new: self.new_looks.get() }
    }

    /// All of it, of a source that had so many files, some of which earlier runs looked at that were cut off.
    fn changes(&self, had: u64, earlier: Looked) -> Changes {
        let replaced = self.replaced.load(Ordering::Relaxed);
        let rewritten = self.rewritten.load(Ordering::Relaxed);
        let looked = self.looked().and(earlier);
        // What was read before the line was cut and had not become part of the version is looked at twice. And which of the
        // new ones stand for others is not known: as many as there can be.
        let looks = looked.rewritten.at_most(rewritten).and(looked.new.at_most(replaced));
        Changes { had, hit: rewritten + replaced, looks }
    }
}

/// What a source came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Changes {
    /// Files of the version before.
    had: u64,
    /// Of them, rewritten or replaced.
    hit: u64,
    /// Of these, how many look encrypted.
    looks: Seen,
}

impl Changes {
    /// Why that is suspicious; `None`: it is not.
    fn reason(&self, limits: &Suspicions, before: Seen) -> Option<String> {
        let Self { had, hit, looks } = *self;
        let above = |files: u64, permille: u32| {
            files > limits.files_min && files.saturating_mul(1000) > had.saturating_mul(permille.into())
        };
        let jump = looks.permille() >= before.permille().saturating_add(JUMP_PERMILLE);
        let encrypted = looks.encrypted;
        if jump && above(encrypted, limits.encrypted_permille) {
            return Some(format!(
                "{hit} of {had} files were rewritten or renamed, and {encrypted} of them look encrypted now"
            ));
        }
        above(hit, limits.share_permille).then(|| format!("{hit} of {had} files were rewritten or renamed"))
    }
}

/// How what was read of a source looked, in this run and those before it that were cut off.
pub fn looked(source: &SourceRun) -> Looked {
    source.tally.looked().and(source.looked)
}

/// Tells of each source that changed suspiciously, as far as its first pass saw; gives their positions.
pub fn judge(account: &Account, sources: &[Arc<SourceRun>], limits: &Suspicions) -> Vec<usize> {
    let state = account.state();
    let last = account.version_links(false).last().map(|link| format!("no.{}", link.link().sequence));
    // By its number, as `previous` is another one after the next run.
    let good = last.as_deref().unwrap_or("previous");
    let mut found = Vec::new();
    for (at, source) in sources.iter().enumerate().filter(|(_, source)| source.before.is_some()) {
        let before = state.looks.get(&source.id.hex()).copied().unwrap_or_default();
        let (_, had) = losses(source);
        let Some(reason) = source.tally.changes(had, source.looked).reason(limits, before) else { continue };
        found.push(at);
        let path = for_terminal(&source.job.path);
        account.run.watcher.event(&Event::Warning(
            &Fault::new(Code::ContentSuspicious, format!("{path} changed suspiciously: {reason}"))
                .hint(format!(
                    "if that was not you: look at `tuckbox diff {good} latest`, and restore with --at {good}"
                ))
                .path(source.job.path.clone()),
        ));
    }
    found
}

/// What is remembered of the sources after a run, by id (hex): nothing of those that changed suspiciously.
pub fn seen(account: &Account, sources: &[Arc<SourceRun>], suspicious: &[usize]) -> Vec<(String, Seen)> {
    let state = account.state();
    let sane = sources.iter().enumerate().filter(|(at, _)| !suspicious.contains(at)).map(|(_, source)| source);
    sane.filter_map(|source| {
        let now = looked(source);
        let now = now.rewritten.and(now.new);
        let before = state.looks.get(&source.id.hex()).copied().unwrap_or_default();
        (now.looked > 0).then(|| (source.id.hex(), before.then(now)))
    })
    .collect()
}

/// Pins the version before, so that it outlives every rule of retention; gives its number. Done before the new version
/// is committed: whoever looks after that at this machine alone sees no change any more. What keeps it from being pinned
/// is told, and keeps the backup from nothing.
pub fn pin_before(account: &Account, remote: &Remote, device: &DeviceKey, limits: &Suspicions) -> Option<u64> {
    let version = account.version_links(false).last()?.link().sequence;
    if limits.pin_ms == 0 {
        return None;
    }
    match pin(account, remote, device, version, limits.pin_ms) {
        Ok(Pinned::Now) => {
            let time = crate::units::duration(limits.pin_ms);
            let told =
                format!("version {version}, the one before, is pinned for {time}: no rule of retention takes it");
            account.run.watcher.event(&Event::Note(&told));
            Some(version)
        }
        Ok(Pinned::Before) => Some(version),
        Err(fault) => {
            let told = format!("version {version}, the one before, could not be pinned");
            let told = Fault::new(Code::ContentSuspicious, told).because(fault);
            let hint = format!("with a key that may, from any machine: tuckbox pin {version}");
            account.run.watcher.event(&Event::Warning(&told.hint(hint)));
            None
        }
    }
}

/// Since when a version is pinned.
enum Pinned {
    Now,
    /// And for longer.
    Before,
}

fn pin(account: &Account, remote: &Remote, device: &DeviceKey, version: u64, pin_ms: u64) -> Result<Pinned> {
    let until = account.run.clock.now_ms().saturating_add(i64::try_from(pin_ms).unwrap_or(i64::MAX));
    // The newest pin of a version is the one that counts: it may not hold for a shorter time.
    if Fates::of(account)?.pinned(version).is_some_and(|pinned| pinned == 0 || pinned >= until) {
        return Ok(Pinned::Before);
    }
    let reason = "the backup after it changed suspiciously".to_owned();
    let named = NamedVersions { versions: vec![version], until, reason };
    let body = named.seal(&account.sealer, RecordKind::PinBody)?;
    account.append_on(remote, device, LinkKind::Pin, &body)?;
    Ok(Pinned::Now)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reason(had: u64, hit: u64, encrypted: u64, before: (u64, u64)) -> Option<String> {
        let looks = Seen { looked: hit, encrypted };
        let before = Seen { looked: before.1, encrypted: before.0 };
        Changes { had, hit, looks }.reason(&Suspicions::default(), before)
    }

    #[test]
    fn what_is_suspicious() {
        // Most of it, whatever it looks like.
        assert!(reason(1000, 501, 0, (0, 1000)).unwrap().starts_with("501 of 1000"));
        assert_eq!(reason(1000, 500, 0, (0, 1000)), None);
        // Much less, when it looks encrypted.
        assert!(reason(1000, 101, 101, (0, 1000)).unwrap().contains("101 of them look encrypted"));
        assert_eq!(reason(1000, 100, 100, (0, 1000)), None);
        assert_eq!(reason(1000, 210, 101, (0, 1000)), None, "less than half of what changed");
        // Not where it always looked so.
        assert_eq!(reason(1000, 200, 200, (900, 1000)), None);
        assert!(reason(1000, 200, 200, (500, 1000)).is_some());
        // Nor in a small tree.
        assert_eq!(reason(50, 50, 50, (0, 50)), None);
        assert!(reason(51, 51, 51, (0, 51)).is_some());
    }

    #[test]
    fn names_that_went_while_others_came() {
        let tally = Tally::default();
        tally.directory(100, 0);
        tally.directory(0, 100);
        assert_eq!(tally.changes(1000, Looked::default()).hit, 0, "removed here, added there");
        tally.directory(60, 70);
        (0..200).for_each(|_| tally.file(Action::Added, Some(true)));
        let changes = tally.changes(1000, Looked::default());
        assert_eq!((changes.hit, changes.looks), (60, Seen { looked: 60, encrypted: 60 }));
        (0..5).for_each(|_| tally.file(Action::Changed, None));
        tally.file(Action::Metadata, Some(true));
        assert_eq!(tally.changes(1000, Looked::default()).hit, 65);
        assert_eq!(tally.looked(), Looked { rewritten: Seen::default(), new: Seen { looked: 200, encrypted: 200 } });
    }

    #[test]
    fn what_was_looked_at_twice_counts_once() {
        let tally = Tally::default();
        (0..10).for_each(|_| tally.file(Action::Changed, Some(true)));
        let earlier = Looked { rewritten: Seen { looked: 1, encrypted: 1 }, ..Looked::default() };
        let looks = tally.changes(100, earlier).looks;
        assert_eq!((looks.looked, looks.encrypted), (10, 10));
    }

    #[test]
    fn what_is_remembered_fades() {
        let old = Seen { looked: REMEMBERED_MAX, encrypted: 0 };
        let both = old.then(Seen { looked: 100, encrypted: 100 });
        assert_eq!(both, Seen { looked: REMEMBERED_MAX / 2 + 50, encrypted: 50 });
    }
}
