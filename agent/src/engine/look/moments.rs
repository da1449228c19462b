//! The versions in which a directory is other than in the version before.

use store::chain::SourceRoot;
use store::id::{ContentId, NodeId};

use super::folder::stopped;
use super::print;
use crate::engine::glob::clean;
use crate::engine::job::{Moment, Moments, Run};
use crate::engine::overlay::Found;
use crate::engine::trail;
use crate::engine::versions::mark;
use crate::engine::view::{Reading, View, concerns};
use crate::fault::Result;

/// Looks at a directory, or any other path, in every version.
pub fn moments(run: &Run, path: &[u8]) -> Result<Moments> {
    let reading = Reading::open(run)?;
    let moments = {
        let views = reading.all(None)?;
        let path = clean(&views.last().map_or_else(|| path.to_vec(), |newest| newest.path(path)));
        trail::bring(&reading.nodes, &views, &path)?;
        let mut moments = Moments { versions: views.len() as u64, ..Moments::default() };
        let mut before = Before::default();
        for view in &views {
            if run.stop.asked() {
                return Err(stopped());
            }
            before.look(view, &path, &mut moments)?;
        }
        moments
    };
    reading.close()?;
    Ok(moments)
}

/// What the version before has.
#[derive(Default)]
struct Before {
    /// The sources that the path lies in or leads to.
    roots: Option<Vec<NodeId>>,
    /// What stands at the path; `None`: nothing.
    state: Option<State>,
}

#[derive(PartialEq, Eq)]
struct State {
    print: Vec<ContentId>,
    /// Of what is no directory.
    file: Option<store::tree::What>,
}

impl State {
    fn of(overlay: &crate::engine::overlay::Overlay<'_>, found: &Found<'_>) -> Self {
        Self { print: print(overlay, found), file: (!found.is_dir()).then(|| found.entry.what.clone()) }
    }
}

impl Before {
    fn look(&mut self, view: &View<'_>, path: &[u8], moments: &mut Moments) -> Result<()> {
        let near = |source: &&SourceRoot| concerns(path, &source.path, view.hosts);
        let roots: Vec<NodeId> = view.sources.iter().filter(near).map(|source| source.root).collect();
        // Where the sources are as they were, so is the path.
        if self.roots.as_ref() == Some(&roots) {
            return Ok(());
        }
        let overlay = view.overlay();
        let state = overlay.lookup(path)?.ok().map(|found| State::of(&overlay, &found));
        if state != self.state {
            moments.changed.push(Moment { version: mark(&view.link), there: state.is_some() });
        }
        (self.roots, self.state) = (Some(roots), state);
        Ok(())
    }
}
