//! What a run that was cut off has read of a directory since the version before.
//!
//! It is no part of what is compared: what is gone, new or changed is told against the version before, however often the
//! run is cut off. Only the content of a file that is still as that run read it is taken over unread.

use std::iter::Peekable;

use store::tree::{Child, DirReader, Entry, Kind};

use super::{Listing, Scanner};
use crate::engine::backup::flow::Flow;
use crate::engine::backup::source_run::SourceRun;
use crate::event::Action;
use crate::fault::Result;
use crate::source::{Stat, Verdict, verdict_on};

/// See the module. Names are asked for in order.
pub(super) struct SoFar<'n>(Peekable<DirReader<'n>>);

impl<'n> SoFar<'n> {
    /// Of this directory.
    pub(super) fn new(flow: &Flow<'n>, child: Child) -> Self {
        Self(DirReader::new(flow.nodes, child.node).peekable())
    }

    /// The entry of this name. What cannot be read is as if it had never been: it is read again.
    pub(super) fn entry(&mut self, name: &[u8]) -> Option<Entry> {
        while let Some(Ok(entry)) = self.0.peek() {
            if *entry.name >= *name {
                break;
            }
            self.0.next();
        }
        self.0.next_if(|entry| entry.as_ref().is_ok_and(|entry| *entry.name == *name))?.ok()
    }
}

impl<'a> Scanner<'_, 'a> {
    /// Whether this is what the disk has, so that nothing need be read: a file, or anything else that is no directory.
    pub(super) fn is_still(&self, source: &SourceRun, entry: &Entry, stat: &Stat) -> bool {
        stat.kind != Kind::Dir
            && entry.mark.is_none()
            && verdict_on(&entry.into(), stat, source.mount.inodes_stable) == Verdict::Same
            && !self.flow.wanted.is_in(entry)
    }

    /// A file whose entry an earlier pass or run made: counted against the version before as if it had been read now.
    pub(super) fn take_over(
        &self,
        listing: &Listing<'a>,
        old: Option<&Entry>,
        (entry, encrypted): (Box<Entry>, Option<bool>),
        size: u64,
    ) -> Result<()> {
        let action: Action = self.flow.counts.file(old, &entry);
        listing.source.tally.file(action, encrypted);
        self.flow.item(action, || listing.path.join(&entry.name), size, None);
        let same = old.is_some_and(|old| *old == *entry);
        listing.frame.push_ready(self.flow, entry, same)
    }
}
