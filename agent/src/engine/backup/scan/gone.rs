//! What the version before has and the disk has not: gone, too old, or kept.

use std::sync::atomic::Ordering;

use store::tree::{Entry, Kind, LookReader, Mark};

use super::{Listing, Scanner};
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
    pub(super) fn gone(&mut self, listing: &mut Listing<'a>, mut entry: Entry) -> Result<()> {
        listing.unchanged.hand_on(self.flow, &listing.frame)?;
        if listing.source.early_step.is_some() {
            // The last pass decides.
            return listing.frame.push_ready(self.flow, Box::new(entry), true);
        }
        let totals = entry.totals();
        if let Some(Mark::Missing(since)) = entry.mark {
            let since_ms = i64::try_from(since.saturating_mul(1000)).unwrap_or(i64::MAX);
            if !listing.source.deletions.due(since_ms) {
                // Kept before, and neither has anybody said that it may go nor is its time over.
                listing.source.count_kept(totals.files);
                return listing.frame.push_ready(self.flow, Box::new(entry), true);
            }
            listing.source.count_expired(totals.files);
        } else {
            listing.source.count_removed(totals.files);
            listing.turnover.0 += u64::from(entry.what.kind() == Kind::File);
            if let Some(since) = listing.source.keep_missing {
                entry.mark = Some(Mark::Missing(since));
                return listing.frame.push_ready(self.flow, Box::new(entry), false);
            }
        }
        self.removed(listing, &entry)
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

/// Files of the version before that a source has lost, and how many it had without those that were missing before
/// and those that became too old.
pub fn losses(source: &SourceRun) -> (u64, u64) {
    let had = source.before.as_ref().map_or(0, |before| before.totals.files);
    let others = [&source.kept_files, &source.expired_files, &source.aged_files];
    let others: u64 = others.iter().map(|files| files.load(Ordering::Relaxed)).sum();
    (source.removed_files.load(Ordering::Relaxed), had.saturating_sub(others))
}
