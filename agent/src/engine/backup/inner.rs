//! Sources of the version before that lie inside one of this run, and that the run does not name.
//!
//! A source hides what an outer one has at its path. One that was backed up by itself once would so hide for ever what
//! later runs of the outer one store. So whoever goes through the outer source notes what it takes at such a path: the
//! version leaves the inner source out then, as a part of the outer one. What the outer one's rules leave out, what is
//! empty or cannot be read there, and what lies on a file system that is not entered, stays a source of its own.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};

use store::chain::SourceRoot;
use store::id::SourceId;

use super::path_node::PathNode;
use super::prepare::Base;
use crate::engine::job::{BackupJob, SourceJob};
use crate::engine::why::is_below;

/// The sources inside one source.
#[derive(Default)]
pub struct Inner(Vec<Inside>);

struct Inside {
    root: SourceRoot,
    met: AtomicBool,
}

impl Inner {
    /// Those inside `source` and inside no other source of the run that lies in it. `named`: what the run names.
    pub fn of(source: &SourceJob, base: &Base, job: &BackupJob, named: &HashSet<SourceId>) -> Self {
        let unnamed = |root: &&SourceRoot| !named.contains(&root.id) && !is_stream(root);
        let mut inside: Vec<&SourceRoot> = base.inside(&source.host, source.bare_path()).filter(unnamed).collect();
        if !inside.is_empty() {
            let others = job.sources.iter().filter(|other| other.host == source.host);
            for other in others.filter(|other| is_below(other.bare_path(), source.bare_path())) {
                inside.retain(|root| !is_below(&root.path, other.bare_path()));
            }
        }
        Self(inside.into_iter().map(|root| Inside { root: root.clone(), met: AtomicBool::new(false) }).collect())
    }

    /// The same for another pass.
    pub fn again(&self) -> Self {
        Self(self.0.iter().map(|one| Inside { root: one.root.clone(), met: AtomicBool::new(false) }).collect())
    }

    /// A name in this directory is taken: so the directory has something in it, and where the name is no directory it is
    /// what it says. What was stored behind a link is not taken with the link.
    pub fn takes(&self, dir: &PathNode, name: &[u8], is_dir: bool) {
        if self.0.is_empty() {
            return;
        }
        self.mark(&dir.join(b""), true, |_| true);
        if !is_dir {
            self.mark(&dir.join(name), true, |root| root.dirs == 0);
        }
    }

    /// What was to be taken at a path cannot be read.
    pub fn lacks(&self, path: &[u8]) {
        self.mark(path, false, |_| true);
    }

    fn mark(&self, path: &[u8], met: bool, of: impl Fn(&SourceRoot) -> bool) {
        let path = path.strip_suffix(b"/").unwrap_or(path);
        if let Some(one) = self.0.iter().find(|one| one.root.path == path && of(&one.root)) {
            one.met.store(met, Ordering::Relaxed);
        }
    }

    /// Those that are a part of the outer source now.
    pub fn met(&self) -> impl Iterator<Item = &SourceRoot> {
        self.0.iter().filter(|one| one.met.load(Ordering::Relaxed)).map(|one| &one.root)
    }
}

/// Standard input was never at the path that it was given.
fn is_stream(root: &SourceRoot) -> bool {
    root.fs_type.is_empty()
}
