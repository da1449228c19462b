//! Sources of the version before that lie inside one of this run, and that the run does not name.
//!
//! A source hides what an outer one has at its path. One that was backed up by itself once would so hide for ever what
//! later runs of the outer one store. So whoever goes through the outer source notes what it takes at such a path: the
//! version leaves the inner source out then, as a part of the outer one. What the outer one's rules leave out, what is
//! empty or cannot be read there, and what lies on a file system that is not entered, stays a source of its own; and so
//! does standard input where nothing has its name.
//!
//! What is no directory takes the place of all that was stored at its path and below. A link that leads to a directory does
//! not: what was stored behind it is not taken with it. Files of an inner directory go by that, and the guard is asked as
//! for those of the outer source; what it keeps stays a source, marked as missing.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use store::chain::SourceRoot;
use store::id::SourceId;
use store::tree::Kind;

use super::path_node::PathNode;
use super::prepare::Base;
use super::source_run::Deletions;
use crate::engine::job::{BackupJob, SourceJob};
use crate::engine::why::{holds, is_below};

/// The sources inside one source.
#[derive(Default)]
pub struct Inner(Vec<Inside>);

struct Inside {
    root: SourceRoot,
    /// It goes only with what the outer source has in its place, and not with its files.
    kept: bool,
    /// It was missing before, and its time is over.
    expired: bool,
    met: AtomicBool,
    /// Something else than a directory stands in its place.
    replaced: AtomicBool,
    /// Its files are among those that the outer source has lost.
    counted: AtomicBool,
}

impl Inside {
    fn new(root: &SourceRoot, kept: bool, expired: bool) -> Self {
        let [met, replaced, counted] = [(); 3].map(|()| AtomicBool::new(false));
        Self { root: root.clone(), kept: kept && holds_files(root), expired, met, replaced, counted }
    }

    /// What is there now is not taken in its place.
    fn stays(&self) -> bool {
        self.kept && self.replaced.load(Ordering::Relaxed)
    }

    fn goes(&self) -> bool {
        self.met.load(Ordering::Relaxed) && !self.stays()
    }
}

impl Inner {
    /// Those inside `source` and inside no other source of the run that lies in it. `named`: what the run names.
    pub fn of(
        source: &SourceJob,
        base: &Base,
        job: &BackupJob,
        named: &HashSet<SourceId>,
        deletions: Deletions,
    ) -> Self {
        let unnamed = |root: &&SourceRoot| !named.contains(&root.id);
        let mut inside: Vec<&SourceRoot> = base.inside(&source.host, source.bare_path()).filter(unnamed).collect();
        if !inside.is_empty() {
            let others = job.sources.iter().filter(|other| other.host == source.host);
            for other in others.filter(|other| is_below(other.bare_path(), source.bare_path())) {
                inside.retain(|root| !is_below(&root.path, other.bare_path()));
            }
        }
        let inside = inside.into_iter().map(|root| {
            let due = root.missing_since.map(|since_ms| deletions.due(since_ms));
            Inside::new(root, due == Some(false), due == Some(true))
        });
        Self(inside.collect())
    }

    /// The same for another pass; with `keep`, one that keeps what is gone.
    pub fn again(&self, keep: bool) -> Self {
        Self(self.0.iter().map(|one| Inside::new(&one.root, keep || one.kept, one.expired)).collect())
    }

    /// A name in this directory is taken: so the directory has something in it, and the name is what it says.
    pub fn takes(&self, dir: &PathNode, name: &[u8], kind: Kind) {
        if self.0.is_empty() {
            return;
        }
        let above = dir.join(b"");
        let above = above.strip_suffix(b"/").unwrap_or(&above);
        self.0.iter().filter(|one| one.root.path == above).for_each(|one| one.met.store(true, Ordering::Relaxed));
        self.takes_at(&dir.join(name), kind);
    }

    /// Something is taken at a path.
    pub fn takes_at(&self, path: &[u8], kind: Kind) {
        for one in self.0.iter().filter(|one| holds(path, &one.root.path)) {
            let is_file = one.root.dirs == 0 && one.root.path == path;
            if kind == Kind::Dir && !is_file || !is_file && kind == Kind::Symlink && leads_to_dir(path) {
                continue;
            }
            one.replaced.store(true, Ordering::Relaxed);
            one.met.store(true, Ordering::Relaxed);
        }
    }

    /// What was to be taken at a path cannot be read, or what the outer source had there stays.
    pub fn lacks(&self, path: &[u8]) {
        for one in self.0.iter().filter(|one| holds(path, &one.root.path)) {
            one.met.store(false, Ordering::Relaxed);
            one.replaced.store(false, Ordering::Relaxed);
        }
    }

    /// The outer source had a directory with files at a path, and has lost those: they are counted.
    pub fn counts(&self, path: &[u8]) {
        let at = self.0.iter().filter(|one| holds(path, &one.root.path));
        at.for_each(|one| one.counted.store(true, Ordering::Relaxed));
    }

    /// Those that are a part of the outer source now.
    pub fn met(&self) -> impl Iterator<Item = &SourceRoot> {
        self.0.iter().filter(|one| one.goes()).map(|one| &one.root)
    }

    /// Those that stay although something else stands in their place.
    pub fn kept(&self) -> impl Iterator<Item = &SourceRoot> {
        self.0.iter().filter(|one| one.stays()).map(|one| &one.root)
    }

    /// Files that go as something else stands in their place, and that the outer source does not count as its own.
    pub fn lost_files(&self) -> u64 {
        let lost = |one: &&Inside| {
            let uncounted = one.replaced.load(Ordering::Relaxed) && !one.counted.load(Ordering::Relaxed);
            uncounted && one.goes() && !one.expired && holds_files(&one.root)
        };
        self.0.iter().filter(lost).map(|one| one.root.files).sum()
    }
}

/// A directory with files in it.
fn holds_files(root: &SourceRoot) -> bool {
    root.dirs > 0 && root.files > 0
}

/// Whether a link leads to a directory now.
fn leads_to_dir(path: &[u8]) -> bool {
    std::fs::metadata(Path::new(OsStr::from_bytes(path))).is_ok_and(|meta| meta.is_dir())
}
