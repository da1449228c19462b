//! Contents of files against a version: hashed on all cores and compared by their ids, or fetched and compared byte by byte.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use rustix::fs::{Mode, OFlags, openat};
use store::tree::{Entry, Kind, What};

use super::attributes;
use crate::engine::account::Account;
use crate::engine::dump;
use crate::engine::job::{Change, CompareRow, Depth};
use crate::engine::overlay::Overlay;
use crate::engine::queue::lock;
use crate::engine::restore::verify::has_content;
use crate::fault::{Code, Fault, Result};
use crate::source::{Dir, Owners, SourceFile, Stat, capture_file};

/// Rows and files that wait together …
const BATCH_MAX: usize = 1_024;
/// … and bytes of the files among them, so that the first row does not come last.
const BATCH_BYTES: u64 = 256 << 20;
/// Files that are open together when bytes are compared.
const OPEN_MAX: usize = 256;
/// More threads than this share one disk.
const THREADS_MAX: usize = 16;

/// Rows that are known, and files that must be read first, in order.
pub(super) struct Batch {
    depth: Depth,
    waiting: Vec<Waiting>,
    files: usize,
    bytes: u64,
    same: u64,
}

enum Waiting {
    Row(CompareRow),
    File(Box<Task>),
}

/// A file whose size is right.
struct Task {
    above: Arc<Dir>,
    name: Box<[u8]>,
    path: Vec<u8>,
    entry: Entry,
    stat: Stat,
    what: Vec<&'static str>,
}

/// What a batch came to.
#[derive(Default)]
pub(super) struct Done {
    pub(super) rows: Vec<CompareRow>,
    pub(super) troubles: Vec<Fault>,
    pub(super) same: u64,
    pub(super) damaged: u64,
    pub(super) read_bytes: u64,
}

/// What reading a file came to.
enum Read {
    /// Whether the content is the same, and what differs of the attributes.
    Good(bool, Vec<&'static str>),
    Bad(Fault),
}

impl Batch {
    pub(super) fn new(depth: Depth) -> Self {
        Self { depth, waiting: Vec::new(), files: 0, bytes: 0, same: 0 }
    }

    /// A name that is the same.
    pub(super) fn same(&mut self) {
        self.same += 1;
    }

    /// A row that is known.
    pub(super) fn told(&mut self, row: CompareRow) {
        self.waiting.push(Waiting::Row(row));
    }

    /// A file that must be read.
    pub(super) fn file(
        &mut self,
        above: &Arc<Dir>,
        name: &[u8],
        path: &[u8],
        entry: &Entry,
        stat: &Stat,
        what: Vec<&'static str>,
    ) {
        self.files += 1;
        self.bytes = self.bytes.saturating_add(stat.size);
        let task = Task {
            above: Arc::clone(above),
            name: name.into(),
            path: path.to_vec(),
            entry: entry.clone(),
            stat: *stat,
            what,
        };
        self.waiting.push(Waiting::File(Box::new(task)));
    }

    /// Whether it is time to work it off. Rows go on at once where no file waits before them.
    pub(super) fn is_full(&self) -> bool {
        self.files == 0 || self.waiting.len() >= BATCH_MAX || self.files >= OPEN_MAX || self.bytes >= BATCH_BYTES
    }

    /// Reads the files; the batch is empty then.
    pub(super) fn work(&mut self, overlay: &Overlay<'_>, account: &Account, owners: &Owners) -> Result<Done> {
        let mut done = Done { same: std::mem::take(&mut self.same), read_bytes: self.bytes, ..Done::default() };
        let waiting = std::mem::take(&mut self.waiting);
        (self.files, self.bytes) = (0, 0);
        let tasks: Vec<&Task> = waiting
            .iter()
            .filter_map(|waiting| match waiting {
                Waiting::File(task) => Some(&**task),
                Waiting::Row(_) => None,
            })
            .collect();
        let mut read = match self.depth {
            Depth::Full => fetched(&tasks, overlay, account, owners, &mut done.damaged)?,
            Depth::Metadata | Depth::Checksums => hashed(&tasks, overlay, account, owners),
        };
        for waiting in waiting {
            match waiting {
                Waiting::Row(row) => done.rows.push(row),
                Waiting::File(task) => match read.pop_front() {
                    Some(Read::Good(same, more)) => task.told(same, more, &mut done),
                    Some(Read::Bad(fault)) => done.troubles.push(fault.path(task.path.clone())),
                    None => {}
                },
            }
        }
        Ok(done)
    }
}

impl Task {
    /// A row, where something differs.
    fn told(self: Box<Self>, same: bool, more: Vec<&'static str>, done: &mut Done) {
        let mut what = self.what;
        what.extend(more);
        if !same {
            what.insert(0, "content");
        }
        if what.is_empty() {
            done.same += 1;
            return;
        }
        done.rows.push(CompareRow {
            path: self.path,
            change: if same { Change::Metadata } else { Change::Content },
            kind: Kind::File,
            size_before: Some(self.stat.size),
            size_after: Some(self.stat.size),
            what,
        });
    }

    /// What differs of the attributes, and the open file.
    fn open(&self, owners: &Owners) -> Result<(File, Vec<&'static str>), Fault> {
        let file = SourceFile::open(&self.above, &self.name, &self.stat).map_err(|error| error.fault())?;
        let (here, _) = capture_file(&file, &self.name, &self.stat, owners);
        let what = attributes(&self.entry, &here);
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let open = openat(self.above.as_fd(), &*self.name, flags, Mode::empty());
        Ok((File::from(open.map_err(|error| unread(&error.into()))?), what))
    }
}

fn unread(error: &io::Error) -> Fault {
    Fault::new(Code::SourceUnreadable, "it cannot be read").because(error)
}

/// Reads files on all cores and computes the ids of their chunks.
fn hashed(tasks: &[&Task], overlay: &Overlay<'_>, account: &Account, owners: &Owners) -> VecDeque<Read> {
    let next = AtomicUsize::new(0);
    let results: Vec<Mutex<Option<Read>>> = tasks.iter().map(|_| Mutex::new(None)).collect();
    let threads = std::thread::available_parallelism().map_or(2, usize::from).clamp(1, THREADS_MAX).min(tasks.len());
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                let mut buffer = Vec::new();
                loop {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    let (Some(task), Some(result)) = (tasks.get(at), results.get(at)) else { break };
                    *lock(result) = Some(one_hashed(task, overlay, account, owners, &mut buffer));
                }
            });
        }
    });
    results.into_iter().filter_map(|result| result.into_inner().ok().flatten()).collect()
}

fn one_hashed(task: &Task, overlay: &Overlay<'_>, account: &Account, owners: &Owners, buffer: &mut Vec<u8>) -> Read {
    let What::File { size, content, .. } = &task.entry.what else { return Read::Good(true, Vec::new()) };
    let (file, what) = match task.open(owners) {
        Ok(open) => open,
        Err(fault) => return Read::Bad(fault),
    };
    match has_content((overlay.nodes(), &account.sealer), &file, (*size, content), false, buffer) {
        Ok(same) => Read::Good(same, what),
        // It became shorter while it was read.
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Read::Good(false, what),
        Err(error) => Read::Bad(unread(&error)),
    }
}

/// Fetches the contents in one stream and compares as they come.
fn fetched(
    tasks: &[&Task],
    overlay: &Overlay<'_>,
    account: &Account,
    owners: &Owners,
    damaged: &mut u64,
) -> Result<VecDeque<Read>> {
    let mut read = VecDeque::new();
    let mut comparing = Comparing { files: VecDeque::new(), done: VecDeque::new(), buffer: Vec::new() };
    let mut entries = Vec::new();
    let mut opened = Vec::new();
    for task in tasks {
        match task.open(owners) {
            Ok((file, what)) => {
                comparing.files.push_back(One { file, at: 0, size: task.stat.size, same: true });
                entries.push(task.entry.clone());
                opened.push(Ok(what));
            }
            Err(fault) => opened.push(Err(fault)),
        }
    }
    let streamed = dump::contents(overlay, entries, &account.sealer, &account.remote, &mut comparing);
    match streamed {
        Ok(()) => {}
        Err(fault) if fault.code == Code::DataDamaged => {
            *damaged += 1;
            account.run.watcher.event(&crate::event::Event::Warning(&fault));
        }
        Err(fault) => return Err(fault),
    }
    comparing.settle();
    for what in opened {
        read.push_back(match what {
            Err(fault) => Read::Bad(fault),
            Ok(what) => Read::Good(comparing.done.pop_front().unwrap_or(false), what),
        });
    }
    Ok(read)
}

/// A file that is compared.
struct One {
    file: File,
    at: u64,
    size: u64,
    same: bool,
}

/// Takes the bytes of files one after the other.
struct Comparing {
    files: VecDeque<One>,
    done: VecDeque<bool>,
    buffer: Vec<u8>,
}

impl Comparing {
    /// Files that are at their end, and empty ones.
    fn settle(&mut self) {
        while self.files.front().is_some_and(|one| one.at >= one.size) {
            self.done.extend(self.files.pop_front().map(|one| one.same));
        }
    }
}

impl Write for Comparing {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.settle();
        // More than all files together cannot come: each content has the size that its entry says.
        let Some(one) = self.files.front_mut() else { return Ok(bytes.len()) };
        let take = usize::try_from(one.size - one.at).unwrap_or(usize::MAX).min(bytes.len());
        self.buffer.resize(take, 0);
        if one.same {
            let read = one.file.read_exact_at(&mut self.buffer, one.at);
            one.same = read.is_ok() && bytes.get(..take) == Some(&*self.buffer);
        }
        one.at += take as u64;
        Ok(take)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
