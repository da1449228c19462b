//! What the browser, its search, the restore dialog and the diff ask of the engine.

use std::ffi::OsStr;
use std::fmt;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use agent::engine::job::{
    DiffJob, DiffRow, DiffSummary, Engine, FindJob, FindRow, FindSummary, Folder, FolderJob, HistoryJob, Moments, Peek,
    PeekJob, Run, StateRow, TakeJob, TakePlan,
};
use agent::fault::{Code, Fault, Result};

use super::ask::Answer;

/// Rows of a search that come together.
const HITS_AT_ONCE: usize = 64;
/// Rows of a search: nobody looks through more.
pub const HITS_MAX: usize = 10_000;
/// Rows of a diff that come together.
const ROWS_AT_ONCE: usize = 1_024;
/// Rows of a diff.
pub const DIFF_ROWS_MAX: usize = 1_000_000;
/// Directories of this machine that are offered.
const OFFERED_MAX: usize = 200;

/// A question.
#[derive(Debug)]
pub enum Look {
    /// A directory of a version.
    Folder(FolderJob),
    /// The versions in which a path changed.
    Moments(Vec<u8>),
    /// The beginning of a file.
    Peek(PeekJob),
    /// The states of a path.
    States(HistoryJob),
    /// Names that fit; they come bit by bit.
    Find(FindJob),
    /// What a restore would do.
    Plan(Box<TakeJob>),
    /// What differs between two versions; it comes bit by bit.
    Diff(DiffJob),
    /// The beginning of a file in two versions; where there is none, nothing.
    Texts(PeekJob, PeekJob),
    /// Directories of this machine that begin so.
    Dirs(PathBuf),
}

/// An answer.
#[derive(Clone)]
pub enum Looked {
    /// A directory.
    Folder(Arc<Folder>),
    /// Versions.
    Moments(Arc<Moments>),
    /// The beginning of a file.
    Peek(Arc<Peek>),
    /// States, newest first.
    States(Arc<Vec<StateRow>>),
    /// Some that were found.
    Hits(Arc<Vec<FindRow>>),
    /// The search is at its end, or there are too many.
    Found(FindSummary, bool),
    /// A plan.
    Plan(Arc<TakePlan>),
    /// Some differences.
    Rows(Arc<Vec<DiffRow>>),
    /// There are no more, or too many.
    Differs(DiffSummary, bool),
    /// The beginnings of two files.
    Texts(Arc<Peek>, Arc<Peek>),
    /// Directories, each as it can be typed.
    Dirs(Arc<Vec<PathBuf>>),
}

impl fmt::Debug for Looked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self {
            Self::Folder(_) => "Folder",
            Self::Moments(_) => "Moments",
            Self::Peek(_) => "Peek",
            Self::States(_) => "States",
            Self::Hits(_) => "Hits",
            Self::Found(..) => "Found",
            Self::Plan(_) => "Plan",
            Self::Rows(_) => "Rows",
            Self::Differs(..) => "Differs",
            Self::Texts(..) => "Texts",
            Self::Dirs(_) => "Dirs",
        };
        f.write_str(name)
    }
}

/// There were too many rows, and that is no trouble.
fn enough() -> Fault {
    Fault::new(Code::Interrupted, "there is more than can be shown")
}

/// Answers; `tell` hands over what comes bit by bit.
pub fn look(engine: &dyn Engine, run: &Run, ask: Look, tell: &dyn Fn(Answer)) -> Result<Looked> {
    Ok(match ask {
        Look::Folder(job) => Looked::Folder(Arc::new(engine.folder(run, job)?)),
        Look::Moments(path) => Looked::Moments(Arc::new(engine.moments(run, &path)?)),
        Look::Peek(job) => Looked::Peek(Arc::new(engine.peek(run, job)?)),
        Look::States(job) => {
            let mut rows = Vec::new();
            engine.history(run, job, &mut |row| {
                rows.push(row);
                Ok(())
            })?;
            rows.reverse();
            Looked::States(Arc::new(rows))
        }
        Look::Find(job) => find(engine, run, job, tell)?,
        Look::Plan(job) => Looked::Plan(Arc::new(engine.plan_take(run, *job)?)),
        Look::Diff(job) => diff(engine, run, job, tell)?,
        Look::Texts(old, new) => {
            let one = |job| match engine.peek(run, job) {
                Err(fault) if fault.code == Code::PathNone => Ok(Arc::default()),
                other => other.map(Arc::new),
            };
            Looked::Texts(one(old)?, one(new)?)
        }
        Look::Dirs(begun) => Looked::Dirs(Arc::new(dirs(&begun))),
    })
}

fn find(engine: &dyn Engine, run: &Run, job: FindJob, tell: &dyn Fn(Answer)) -> Result<Looked> {
    let mut rows = Vec::new();
    let mut count = 0;
    let done = engine.find(run, job, &mut |row| {
        count += 1;
        rows.push(row);
        // The first comes at once: somebody waits for it.
        if rows.len() >= HITS_AT_ONCE || count == 1 {
            tell(Answer::Looked(Looked::Hits(Arc::new(std::mem::take(&mut rows)))));
        }
        if count >= HITS_MAX { Err(enough()) } else { Ok(()) }
    });
    tell(Answer::Looked(Looked::Hits(Arc::new(rows))));
    match done {
        Err(_) if count >= HITS_MAX => Ok(Looked::Found(FindSummary::default(), true)),
        done => Ok(Looked::Found(done?, false)),
    }
}

fn diff(engine: &dyn Engine, run: &Run, job: DiffJob, tell: &dyn Fn(Answer)) -> Result<Looked> {
    let mut rows = Vec::new();
    let mut count = 0;
    let done = engine.diff(run, job, &mut |row| {
        count += 1;
        rows.push(row);
        if rows.len() >= ROWS_AT_ONCE {
            tell(Answer::Looked(Looked::Rows(Arc::new(std::mem::take(&mut rows)))));
        }
        if count >= DIFF_ROWS_MAX { Err(enough()) } else { Ok(()) }
    });
    tell(Answer::Looked(Looked::Rows(Arc::new(rows))));
    match done {
        Err(_) if count >= DIFF_ROWS_MAX => Ok(Looked::Differs(DiffSummary::default(), true)),
        done => Ok(Looked::Differs(done?, false)),
    }
}

/// Directories that begin with what was typed, in order. What cannot be read offers nothing.
fn dirs(begun: &Path) -> Vec<PathBuf> {
    let bytes = begun.as_os_str().as_bytes();
    let cut = bytes.iter().rposition(|byte| *byte == b'/').map_or(0, |at| at + 1);
    let (above, name) = bytes.split_at(cut);
    let above = Path::new(OsStr::from_bytes(above));
    let mut found: Vec<PathBuf> = std::fs::read_dir(above)
        .into_iter()
        .flatten()
        .flatten()
        .filter(|entry| entry.file_name().as_bytes().starts_with(name))
        .filter(|entry| !name.is_empty() || !entry.file_name().as_bytes().starts_with(b"."))
        .filter(|entry| std::fs::metadata(entry.path()).is_ok_and(|meta| meta.is_dir()))
        .take(OFFERED_MAX)
        .map(|entry| {
            PathBuf::from(std::ffi::OsString::from_vec(
                [above.as_os_str().as_bytes(), entry.file_name().as_bytes()].concat(),
            ))
        })
        .collect();
    found.sort();
    found
}
