//! Counts what a run will deal with, ahead of it, so that progress has true totals. Only for who wants them: a person
//! at a terminal. One `statx` a name, nothing is opened but directories.

use std::sync::Arc;
use std::sync::Mutex;

use store::tree::Kind;

use super::flow::Flow;
use super::path_node::PathNode;
use super::prepare::{Start, start};
use super::source_run::SourceRun;
use crate::engine::queue::lock;
use crate::source::Dir;

/// Files and bytes of all sources, once they are counted.
#[derive(Default)]
pub struct Totals {
    counted: Mutex<Option<(u64, u64)>>,
}

impl Totals {
    /// Files and bytes; `None` until all are counted.
    pub fn get(&self) -> Option<(u64, u64)> {
        *lock(&self.counted)
    }

    /// Counts. What cannot be read counts nothing: the run itself tells about it.
    pub fn count(&self, flow: &Flow<'_>, sources: &[Arc<SourceRun>]) {
        let (mut files, mut bytes) = (0, 0);
        // What a filter takes is not known before it is asked, and nothing is guessed.
        if sources.iter().any(|source| source.filter.is_some()) {
            return;
        }
        for source in sources {
            match start(&source.job.path, source.follow) {
                Ok(Start::Dir(dir, ..)) => {
                    let (more_files, more_bytes) = below(flow, source, dir);
                    files += more_files;
                    bytes += more_bytes;
                }
                Ok(Start::Name(_, stat, _)) => {
                    files += 1;
                    bytes += if stat.kind == Kind::File { stat.size } else { 0 };
                }
                // Nobody knows how long a stream is.
                Ok(Start::Stdin(_)) | Err(_) => return,
            }
        }
        if !flow.ending() {
            *lock(&self.counted) = Some((files, bytes));
        }
    }
}

/// A directory to be counted: itself, or one above and its name in it; and its path.
type Waiting = (Arc<Dir>, Option<Box<[u8]>>, Arc<PathNode>);

/// Files and bytes below a directory.
fn below(flow: &Flow<'_>, source: &SourceRun, top: Dir) -> (u64, u64) {
    let (mut files, mut bytes) = (0, 0);
    let mut waiting: Vec<Waiting> = vec![(Arc::new(top), None, PathNode::top(&source.job.path))];
    while let Some((dir, name, path)) = waiting.pop() {
        if flow.ending() {
            break;
        }
        let dir = match name {
            None => dir,
            Some(name) => match dir.child(&name) {
                Ok(dir) => Arc::new(dir),
                Err(_) => continue,
            },
        };
        let Ok(mut names) = dir.list() else { continue };
        if dir.stat_self().is_ok_and(|stat| flow.own.holds(stat.identity(), &dir, &names).is_some()) {
            continue;
        }
        if source.selection.leaves_dir_content(&dir, &names).is_some() {
            names.retain(|name| source.selection.is_tag(name));
        }
        for name in names.iter() {
            let Ok(stat) = dir.stat(name) else { continue };
            let is_dir = stat.kind == Kind::Dir;
            let left_out = source.selection.left_out_by_age(&stat).is_some()
                || !source.selection.is_empty()
                    && source.selection.decide_here(&path.join(name), is_dir, stat.size).is_some();
            match (left_out, is_dir) {
                (true, _) => {}
                (false, true) if source.leaves_other_file_system(&stat) => {}
                (false, true) => waiting.push((Arc::clone(&dir), Some(name.into()), path.below(name))),
                (false, false) => {
                    files += 1;
                    bytes += if stat.kind == Kind::File { stat.size } else { 0 };
                }
            }
        }
    }
    (files, bytes)
}
