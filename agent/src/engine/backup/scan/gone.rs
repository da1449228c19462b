//! What the version before has and the disk has not: gone, too old, or kept.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use store::tree::{Entry, Kind, LookReader, Mark, What};

use super::{Listing, Scanner};
use crate::engine::backup::mounted::Unmounted;
use crate::engine::backup::source_run::SourceRun;
use crate::event::{Action, Event};
use crate::fault::{Code, Fault, Result};
use crate::name::for_terminal;
use crate::source::Age;

impl<'a> Scanner<'_, 'a> {
    /// Goes on in the version before up to a name: what is before it is gone.
    pub(super) fn pass_over(
        &mut self,
        listing: &mut Listing<'a>,
        old: &mut Option<LookReader<'a>>,
        name: &[u8],
    ) -> Result<()> {
        let Some(reader) = old else { return Ok(()) };
        loop {
            let gone = match reader.peek() {
                Ok(Some(before)) if before < name => reader.take(),
                Ok(_) => return Ok(()),
                Err(error) => Err(error),
            };
            match gone {
                Ok(entry) => entry.map_or(Ok(()), |entry| self.gone(listing, entry))?,
                // The reader is at its end now.
                Err(error) => self.lost_before(listing, &error)?,
            }
        }
    }

    /// What is left of the version before is gone.
    pub(super) fn pass_all(&mut self, listing: &mut Listing<'a>, old: Option<LookReader<'a>>) -> Result<()> {
        let Some(mut reader) = old else { return Ok(()) };
        loop {
            match reader.peek().map(|name| name.is_some()).and_then(|_| reader.take()) {
                Ok(Some(entry)) => self.gone(listing, entry)?,
                Ok(None) => return Ok(()),
                Err(error) => self.lost_before(listing, &error)?,
            }
        }
    }

    /// What the version before says of the rest of a directory is lost: the rest counts as new.
    pub(super) fn lost_before(&self, listing: &Listing<'_>, error: &store::Error) -> Result<()> {
        let path = listing.path.join(b"");
        let shown = for_terminal(path.strip_suffix(b"/").unwrap_or(&path));
        // Nothing is left out of the new version: no error of the run.
        self.flow.watcher.event(&Event::Warning(
            &Fault::new(Code::DataDamaged, format!("what the version before holds of {shown} cannot be read"))
                .because(error)
                .hint("it is read anew now; look at the vault: tuckbox check")
                .path(path),
        ));
        listing.frame.set_dirty(self.flow)
    }

    /// A name of the version before that is not there any more.
    pub(super) fn gone(&mut self, listing: &mut Listing<'a>, entry: Entry) -> Result<()> {
        let unmounted = self.unmounted(listing, &entry);
        self.lost(listing, entry, unmounted.as_deref())
    }

    /// A name of the version before that is left out now, whatever is mounted there.
    pub(super) fn leaves(&mut self, listing: &mut Listing<'a>, entry: Entry) -> Result<()> {
        let unmounted = listing.unmounted.clone();
        self.lost(listing, entry, unmounted.as_deref())
    }

    /// The mount points that are none now with which an entry is lost that is no directory, or not there.
    pub(super) fn unmounted(&self, listing: &Listing<'_>, entry: &Entry) -> Option<Arc<Unmounted>> {
        if listing.unmounted.is_some() || matches!(entry.mark, Some(Mark::Missing(_))) {
            return listing.unmounted.clone();
        }
        listing.ahead.as_ref()?.below(&entry.name)?.lost_with(self.flow.nodes, entry)
    }

    fn lost(&mut self, listing: &mut Listing<'a>, entry: Entry, unmounted: Option<&Unmounted>) -> Result<()> {
        listing.unchanged.hand_on(self.flow, &listing.frame)?;
        let was_there = !matches!(entry.mark, Some(Mark::Missing(_)));
        listing.turnover.0 +=
            u64::from(was_there && entry.what.kind() == Kind::File && listing.source.early_step.is_none());
        match fate(&listing.source, unmounted, entry) {
            Fate::Stays(entry, same) => listing.frame.push_ready(self.flow, Box::new(entry), same),
            Fate::Goes(entry) => {
                listing.none_mounted(&entry.name);
                self.removed(listing, &entry)
            }
        }
    }

    /// A directory of the version before in whose place something else stands now, or whose files are not looked at any
    /// more: they are gone as those of a directory that is. True when it stays, and what is there now is not taken.
    /// `unmounted`: with which mount points.
    pub(super) fn stays(
        &mut self,
        listing: &mut Listing<'a>,
        old: Option<&Entry>,
        unmounted: Option<&Unmounted>,
    ) -> Result<bool> {
        let Some(old) = old.filter(|old| holds_files(old)) else { return Ok(false) };
        listing.unchanged.hand_on(self.flow, &listing.frame)?;
        match fate(&listing.source, unmounted, old.clone()) {
            Fate::Stays(entry, same) => {
                listing.frame.push_ready(self.flow, Box::new(entry), same)?;
                Ok(true)
            }
            Fate::Goes(entry) => {
                listing.none_mounted(&entry.name);
                self.flow.counts.removed_below(&entry);
                Ok(false)
            }
        }
    }

    /// The same for a source that was a directory and is none any more.
    pub(super) fn source_stays(&self, source: &SourceRun) -> bool {
        let Some(before) = source.before.as_ref().filter(|before| holds_files(&before.entry)) else { return false };
        match fate(source, None, before.entry.clone()) {
            Fate::Stays(entry, _) => {
                source.finish(Box::new(entry));
                true
            }
            Fate::Goes(entry) => {
                self.flow.counts.removed_below(&entry);
                false
            }
        }
    }

    /// Something of the version before is not in the new one.
    fn removed(&self, listing: &Listing<'_>, entry: &Entry) -> Result<()> {
        self.flow.counts.removed(entry);
        self.flow.item(Action::Removed, || listing.path.join(&entry.name), entry.totals().bytes, None);
        listing.frame.set_dirty(self.flow)
    }

    /// What is left out by its age. What is too young stays as the version before has it; what became too old goes, which
    /// is no loss that the guard asks about.
    pub(super) fn aged(&mut self, listing: &mut Listing<'a>, old: Option<Entry>, age: Age) -> Result<()> {
        listing.unchanged.hand_on(self.flow, &listing.frame)?;
        match old {
            None => Ok(()),
            Some(mut old) if age == Age::Min => {
                // It is there, whatever it was before.
                let marked = old.mark.take_if(|mark| matches!(mark, Mark::Missing(_))).is_some();
                listing.frame.push_ready(self.flow, Box::new(old), !marked)
            }
            Some(old) => {
                listing.source.count_aged(old.totals().files);
                self.removed(listing, &old)
            }
        }
    }
}

/// What becomes of something of the version before that is not there any more.
enum Fate {
    /// It stays, as it was or with a mark: which of them is said.
    Stays(Entry, bool),
    /// It goes.
    Goes(Entry),
}

/// Decides, and counts it for the guard. `unmounted`: the mount points that are none now with which it is lost.
fn fate(source: &SourceRun, unmounted: Option<&Unmounted>, mut entry: Entry) -> Fate {
    if source.early_step.is_some() {
        // The last pass decides.
        return Fate::Stays(entry, true);
    }
    let files = entry.totals().files;
    let marked = if let Some(Mark::Missing(since)) = entry.mark { Some(since) } else { None };
    if let Some(since) = marked.or_else(|| unmounted?.since) {
        let since_ms = i64::try_from(since.saturating_mul(1000)).unwrap_or(i64::MAX);
        if !source.deletions.due(since_ms) {
            // Kept before, and neither has anybody said that it may go nor is its time over.
            source.count_kept(files);
            if let Some(unmounted) = unmounted {
                unmounted.count_kept(files);
            }
            entry.mark = Some(Mark::Missing(since));
            return Fate::Stays(entry, marked.is_some());
        }
        source.count_expired(files);
        return Fate::Goes(entry);
    }
    if let Some(unmounted) = unmounted.filter(|_| !source.deletions.accepted) {
        entry.mark = Some(source.mounts.keep(unmounted, files));
        return Fate::Stays(entry, false);
    }
    source.count_removed(files);
    match source.keep_missing {
        Some(since) => {
            entry.mark = Some(Mark::Missing(since));
            Fate::Stays(entry, false)
        }
        None => Fate::Goes(entry),
    }
}

/// A directory with files in it.
pub(super) fn holds_files(entry: &Entry) -> bool {
    matches!(entry.what, What::Dir(_)) && entry.totals().files > 0
}

/// Files of the version before that a source has lost, and how many it had without those that were missing before, those
/// that became too old, and those that are kept as nothing is mounted where they were.
pub fn losses(source: &SourceRun) -> (u64, u64) {
    let had = source.before.as_ref().map_or(0, |before| before.totals.files);
    let others = [&source.kept_files, &source.expired_files, &source.aged_files];
    let others: u64 = others.iter().map(|files| files.load(Ordering::Relaxed)).sum();
    let others = others + source.mounts.lost_files();
    (source.removed_files.load(Ordering::Relaxed), had.saturating_sub(others))
}
