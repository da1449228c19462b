//! What the version before has of a name, and names that are as they were there.

use store::tree::{Child, Entry, Look, LookReader};

use super::Listing;
use crate::engine::backup::flow::Flow;
use crate::engine::backup::frame::{Frame, Old, Run};
use crate::fault::Result;

/// The version before at a name: of most nothing but a look is wanted. When this is dropped, the reader has passed it.
pub(super) struct Before<'r, 's>(Option<&'r mut LookReader<'s>>);

impl<'r, 's> Before<'r, 's> {
    /// What this reader saw last, when it is of this name.
    pub(super) fn of(reader: Option<&'r mut LookReader<'s>>, name: &[u8]) -> Self {
        Self(reader.filter(|reader| reader.seen().is_some_and(|(seen, _)| seen == name)))
    }

    pub(super) fn look(&self) -> Option<&Look> {
        self.0.as_ref().and_then(|reader| reader.seen()).map(|(_, look)| look)
    }

    /// The entry itself.
    pub(super) fn take(mut self) -> store::Result<Option<Entry>> {
        self.0.take().map_or(Ok(None), LookReader::take)
    }

    /// It is taken over, where there is one.
    pub(super) fn count(self, flow: &Flow<'s>, listing: &mut Listing<'s>, name: &[u8]) -> Result<()> {
        let Some(reader) = &self.0 else { return Ok(()) };
        listing.unchanged.add(flow, &listing.frame, reader.position(), name)
    }
}

impl Drop for Before<'_, '_> {
    fn drop(&mut self) {
        if let Some(reader) = self.0.take() {
            reader.pass();
        }
    }
}

/// Names that are as they were, one after the other: the frame is told of them together.
pub(super) struct Unchanged<'n> {
    /// The directory in the version before.
    previous: Option<Child>,
    /// The same, once entries of it were wanted.
    old: Option<Old<'n>>,
    run: Run,
    last: Vec<u8>,
}

impl<'n> Unchanged<'n> {
    /// None yet, of a directory that was this.
    pub(super) fn new(previous: Option<Child>) -> Self {
        Self { previous, old: None, run: Run::default(), last: Vec::new() }
    }

    /// The next name is the entry at this position, unchanged.
    fn add(&mut self, flow: &Flow<'n>, frame: &Frame, position: usize, name: &[u8]) -> Result<()> {
        if self.run.from + self.run.count != position {
            self.hand_on(flow, frame)?;
            self.run.from = position;
        }
        self.run.count += 1;
        self.last.clear();
        self.last.extend_from_slice(name);
        Ok(())
    }

    /// Tells the frame, before it is told of anything else.
    pub(super) fn hand_on(&mut self, flow: &Flow<'n>, frame: &Frame) -> Result<()> {
        let run = self.run;
        self.run = Run { from: run.from + run.count, count: 0 };
        if run.count == 0 || frame.count_same(run, &self.last) {
            return Ok(());
        }
        let Some(previous) = &self.previous else { return Ok(()) };
        let old = self.old.get_or_insert_with(|| Old::new(flow, previous));
        old.each(run, |entry| frame.push_ready(flow, Box::new(entry), true))
    }
}
