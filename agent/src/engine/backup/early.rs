//! What of a source is to be sent before the rest: a pass of its own for each step of its [`Order`](crate::source::Order),
//! with a checkpoint behind it, so that a run which is cut off has it.
//!
//! A directory's names have one order in the format, and a scan follows it. So a step walks the whole source, takes only
//! what belongs to it or to an earlier one, and leaves everything else as the version before has it. What was taken is
//! remembered with its entry; the passes after take it over unread, and count it against the version before as ever.
//! A dry run needs none of this: the order decides nothing.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use store::tree::Entry;

use super::Backup;
use super::counts::Counts;
use super::pass::{Pass, PassEnd};
use super::prepare;
use super::source_run::SourceRun;
use crate::engine::queue::lock;
use crate::event::{Event, Watcher};
use crate::fault::Result;
use crate::source::{Stat, Verdict, verdict_on};

/// Entries that are remembered of a source; what is more is read again by the next pass, and not sent again. Some 30 MB.
const TAKEN_MAX: usize = 50_000;

/// What earlier steps took of a source, by path.
#[derive(Default)]
pub struct Taken(Mutex<HashMap<Vec<u8>, Found>>);

/// A file that was taken: its entry, and whether it looks encrypted, where that can be told.
pub type Found = (Box<Entry>, Option<bool>);

impl Taken {
    /// Remembers what was read.
    pub fn add(&self, path: &[u8], entry: &Entry, encrypted: Option<bool>) {
        let mut taken = lock(&self.0);
        if taken.len() < TAKEN_MAX {
            taken.insert(path.to_vec(), (Box::new(entry.clone()), encrypted));
        }
    }

    /// What was taken at a path, when the file is still so. `last`: nobody asks again.
    pub fn get(&self, path: impl FnOnce() -> Vec<u8>, stat: &Stat, inodes_stable: bool, last: bool) -> Option<Found> {
        let mut taken = lock(&self.0);
        if taken.is_empty() {
            return None;
        }
        let found = if last { taken.remove(&path()) } else { taken.get(&path()).cloned() }?;
        (verdict_on(&(&*found.0).into(), stat, inodes_stable) == Verdict::Same && found.0.mark.is_none())
            .then_some(found)
    }
}

/// Hears nothing of single files: the last pass tells of each.
pub struct Hushed(pub Arc<dyn Watcher>);

impl Watcher for Hushed {
    fn event(&self, event: &Event<'_>) {
        if !matches!(event, Event::Item { .. } | Event::Warning(_)) {
            self.0.event(event);
        }
    }
}

impl Backup<'_> {
    /// Sends what is to be sent before the rest. Gives the figures of what was read, to be added to those of the last pass.
    pub(super) fn early(&self, pass: &mut Pass<'_>, sources: &[Arc<SourceRun>]) -> Result<Counts> {
        let all = Counts::default();
        let steps = sources.iter().map(|source| source.order.early_steps()).max().unwrap_or(0);
        for step in 0..steps {
            let these: Vec<Arc<SourceRun>> = sources
                .iter()
                .filter(|source| step < source.order.early_steps())
                .map(|source| Arc::new(source.early(step)))
                .collect();
            let starts = prepare::starts(&these)?;
            match pass.run_early(&these, starts)? {
                PassEnd::Whole(counts) => {
                    if counts.read_bytes.get() > 0 {
                        pass.commit_partial(&these)?;
                    }
                    all.add_read(&counts);
                }
                PassEnd::Interrupted => return Err(self.interrupted(pass, &these)),
            }
        }
        Ok(all)
    }
}
