//! Asks the filter command of a source, a slice of names at a time.

use std::collections::VecDeque;

use store::tree::Kind;

use super::{Listing, Scanner};
use crate::source::Stat;

/// What is known of a name that a filter was asked about: what the system says of it, and whether it is left out.
pub(super) type Chosen = (std::io::Result<Stat>, bool);

impl Scanner<'_, '_> {
    /// What the filter of a source says of the names up to `end`, with what was seen of each; empty where there is none.
    pub(super) fn choose(&self, listing: &Listing<'_>, end: usize) -> VecDeque<Chosen> {
        let Some(filter) = &listing.source.filter else { return VecDeque::new() };
        let names = || (listing.at..end).filter_map(|at| listing.names.get(at));
        let mut chosen = VecDeque::with_capacity(end.saturating_sub(listing.at));
        let (mut asked, mut paths) = (Vec::new(), Vec::new());
        for (at, name) in names().enumerate() {
            let stat = listing.dir.stat(name);
            // It is asked about what the rules take.
            if let Ok(stat) = stat.as_ref().map_err(|_| ())
                && self.left_out(listing, name, stat).is_none()
                && listing.source.selection.left_out_by_age(stat).is_none()
            {
                let mut path = listing.path.join(name);
                if stat.kind == Kind::Dir {
                    path.push(b'/');
                }
                asked.push(at);
                paths.push(path);
            }
            chosen.push_back((stat, false));
        }
        match filter.leaves_out(&paths, &|| self.flow.ending()) {
            Ok(left_out) => {
                for at in asked.into_iter().zip(left_out).filter(|(_, out)| *out).map(|(at, _)| at) {
                    if let Some((_, out)) = chosen.get_mut(at) {
                        *out = true;
                    }
                }
            }
            Err(fault) => self.flow.warn(&fault),
        }
        chosen
    }
}
