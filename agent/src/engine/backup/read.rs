//! Second stage: opens files, reads each once, cuts and hashes.
//!
//! ```text
//!  parcels ──► open, read, cut, hash ──► batches of chunks ──► hashed
//!                                   └──► entry with its content ──► slot of its directory
//! ```
//!
//! A batch holds about 2 MiB of chunks of one parcel, or of one large file. It is handed on before the entry
//! that cites it is completed, so that whoever sees the entry knows that its chunks are on their way.

use std::io::Read;
use std::sync::Arc;

use store::chunk::{Cutter, class_for, is_zero};
use store::limits::{BOX_BYTES_TARGET, INLINE_BYTES_MAX, WHOLE_BYTES_MAX};
use store::seal::Scratch;
use store::tree::{Content, CutClass, Entry, ListBuilder, Mark, Piece, What};

use super::flow::{Batch, Flow, Hashed};
use super::frame::Parent;
use super::known::Known;
use super::noise::looks_encrypted;
use super::source_run::SourceRun;
use crate::fault::{Code, Fault, Result};
use crate::name::for_terminal;
use crate::profile::did;
use crate::source::{Dir, Extent, OpenError, SourceFile, Stat, capture_file, racy};

/// Bytes asked of the system at least for large files, when a batch is nearly full, and at most of a pipe.
const READ_BYTES_LEAST: usize = 128 << 10;
/// A batch is handed on when it holds this much: one box, a little below a power of two so that its padding stays fine.
pub const BATCH_BYTES: usize = BOX_BYTES_TARGET - (16 << 10) - (64 << 10);
/// Times that a file which changes while it is read is read again.
const TRIES: u32 = 3;
/// Bytes at the start of a file that tell its kind: SQLite, disk images.
const HEAD_BYTES: usize = 4096;
/// Bytes of one spot when a large file is probed.
const PROBE_BYTES: usize = 32 << 10;

/// A file to be read.
pub struct FileTask {
    /// The directory it is in.
    pub dir: Arc<Dir>,
    /// Its name there.
    pub name: Box<[u8]>,
    /// What the scan saw.
    pub stat: Stat,
    /// Its entry in the version before.
    pub previous: Option<Box<Entry>>,
    /// Where its entry goes.
    pub parent: Parent,
    /// What it belongs to.
    pub source: Arc<SourceRun>,
    /// Its whole path, for messages.
    pub path: Vec<u8>,
    /// Of its file system's times.
    pub granularity_ns: i128,
}

/// Files to be read by one reader, one after the other.
#[derive(Default)]
pub struct Parcel {
    /// In scan order.
    pub files: Vec<FileTask>,
    /// Their sizes.
    pub bytes: u64,
}

/// One reader: a thread of the second stage.
pub struct Reader<'f, 'a> {
    flow: &'f Flow<'a>,
    batch: Option<Batch>,
    /// The beginning of the next batch: what was read behind the one before and is not cut yet.
    begun: Option<Vec<u8>>,
    scratch: Scratch,
    /// Whether the file that is being read looks encrypted, once its first bytes are there.
    encrypted: Option<bool>,
    /// Bytes read of the file that is being read, again or not.
    reading: u64,
}

/// Why a file has no new content.
enum Trouble {
    /// Gone, unreadable, replaced: the run goes on.
    Skip(Fault),
    /// The run is over.
    Stop,
    /// The run fails.
    Fail(Fault),
}

impl From<store::Error> for Trouble {
    fn from(error: store::Error) -> Self {
        Self::Fail(error.into())
    }
}

/// A file that was read.
struct Taken {
    /// Its entry, content still open.
    draft: Entry,
    /// What could not be read of it.
    troubles: Vec<Fault>,
    content: Content,
    cut: CutClass,
    /// What the system said when the last byte had been read.
    stat: Stat,
    /// Just before the first byte was read, ns since 1970.
    read_at_ns: i128,
    changed: bool,
    /// Whether it looks encrypted, where that can be told.
    encrypted: Option<bool>,
}

impl<'f, 'a> Reader<'f, 'a> {
    /// A reader of this run.
    pub fn new(flow: &'f Flow<'a>) -> Self {
        Self { flow, batch: None, begun: None, scratch: Scratch::new(), encrypted: None, reading: 0 }
    }

    /// Reads until no parcel is left.
    pub fn run(mut self) -> Result<()> {
        while let Some(parcel) = self.flow.parcels.pop() {
            did(parcel.files.len(), parcel.bytes);
            // Small files are completed when the batch that they share has been handed on.
            let mut finished = Vec::with_capacity(parcel.files.len());
            let mut over = false;
            for task in parcel.files {
                over = self.flow.ending();
                if over {
                    break;
                }
                let outcome = self.file(&task);
                let read = std::mem::take(&mut self.reading);
                match outcome {
                    Ok(taken) => finished.push((task, read, Ok(taken))),
                    Err(Trouble::Skip(fault)) => finished.push((task, read, Err(fault))),
                    Err(Trouble::Stop) => {
                        over = true;
                        break;
                    }
                    Err(Trouble::Fail(fault)) => return Err(fault),
                }
            }
            // What was read before the end counts all the same.
            self.hand_on();
            for (task, read, outcome) in finished {
                // From now on it counts as a whole.
                self.flow.counts.reading_bytes.sub(read);
                match outcome {
                    Ok(taken) => self.complete(task, taken)?,
                    Err(fault) => self.left_out(task, &fault)?,
                }
            }
            if over {
                break;
            }
        }
        Ok(())
    }

    /// Reads one file, again when it changes meanwhile.
    fn file(&mut self, task: &FileTask) -> Result<Taken, Trouble> {
        let mut stat = task.stat;
        for attempt in 1.. {
            let read_at_ns = self.flow.clock.now_ns();
            let file = SourceFile::open(&task.dir, &task.name, &stat).map_err(|error| opening(task, &error))?;
            self.flow.counts.files_opened.add(1);
            self.encrypted = None;
            let (content, cut, got) = self.content(task, &file, &stat)?;
            let again = file.stat_again().map_err(|error| unreadable(task, &error))?;
            let same = again.is_unchanged(&stat);
            if (same && got == stat.size) || attempt >= TRIES {
                let (draft, troubles) = capture_file(&file, &task.name, &again, self.flow.owners);
                let stat = Stat { size: got, ..again };
                return Ok(Taken {
                    draft,
                    troubles,
                    content,
                    cut,
                    stat,
                    read_at_ns,
                    changed: !same || got != again.size,
                    encrypted: self.encrypted,
                });
            }
            stat = again;
        }
        Err(Trouble::Stop)
    }

    /// Cuts and hashes a file's content; gives it with its class and length.
    fn content(
        &mut self,
        task: &FileTask,
        file: &SourceFile,
        stat: &Stat,
    ) -> Result<(Content, CutClass, u64), Trouble> {
        let broken = |error: std::io::Error| unreadable(task, &error);
        if stat.size <= INLINE_BYTES_MAX as u64 {
            let mut bytes = [0; INLINE_BYTES_MAX + 1];
            let got = file.read_at(&mut bytes, 0).map_err(broken)?.min(INLINE_BYTES_MAX);
            let bytes = bytes.get(..got).unwrap_or_default();
            self.flow.counts.read_bytes.add(got as u64);
            let content = if bytes.is_empty() { Content::Empty } else { Content::Inline(bytes.into()) };
            return Ok((content, CutClass::Whole, got as u64));
        }
        let before = task.previous.as_deref().and_then(|entry| match entry.what {
            What::File { cut, .. } => Some(cut),
            _ => None,
        });
        let cut = if stat.size <= WHOLE_BYTES_MAX && before.is_none_or(|cut| cut == CutClass::Whole) {
            CutClass::Whole
        } else {
            let mut head = [0; HEAD_BYTES];
            let got = file.read_at(&mut head, 0).map_err(broken)?;
            let head = head.get(..got).unwrap_or_default();
            class_for(stat.size, head, &task.name, before, || looks_incompressible(&mut self.scratch, file, stat.size))
        };
        let known = Known::new(self.flow, task.previous.as_deref());
        let mut cutting = Cutting::new(self, cut, known);
        if stat.size > BOX_BYTES_TARGET as u64 {
            file.advise_sequential();
        }
        let mut offset = 0;
        while let Some(extent) = file.next_extent(offset).map_err(broken)? {
            match extent {
                Extent::Hole(range) => {
                    cutting.hole(range.end - offset)?;
                    offset = range.end;
                }
                Extent::Data(range) => {
                    let mut bytes = FileBytes { file, offset };
                    let got = cutting.data(&mut bytes, range.end - offset).map_err(|trouble| trouble.or(broken))?;
                    if got == 0 {
                        break;
                    }
                    offset += got;
                }
            }
        }
        let (content, size) = cutting.finish()?;
        Ok((content, cut, size))
    }

    /// Reads a stream to its end as one file: standard input.
    pub fn stream(mut self, reader: &mut dyn Read) -> Result<(Content, CutClass, u64)> {
        let known = Known::new(self.flow, None);
        let mut cutting = Cutting::new(&mut self, CutClass::Cdc, known);
        let done = cutting
            .data(&mut StreamBytes(reader), u64::MAX)
            .map_err(|trouble| {
                trouble.or(|error| {
                    let fault = Fault::new(Code::SourceUnreadable, "cannot read standard input").because(error);
                    Trouble::Fail(fault)
                })
            })
            .and_then(|_| cutting.finish());
        match done {
            Ok((content, size)) => {
                self.hand_on();
                self.flow.counts.reading_bytes.sub(self.reading);
                Ok((content, CutClass::Cdc, size))
            }
            Err(Trouble::Skip(fault) | Trouble::Fail(fault)) => Err(fault),
            Err(Trouble::Stop) => {
                self.flow.trouble()?;
                Err(Fault::new(Code::Interrupted, "interrupted while reading standard input"))
            }
        }
    }

    /// A batch with room in the budget.
    fn batch(&mut self, cut: CutClass) -> Result<&mut Batch, Trouble> {
        let pages = matches!(cut, CutClass::Fixed16 | CutClass::Fixed32 | CutClass::Fixed64);
        if self.batch.as_ref().is_some_and(|batch| batch.pages != pages) {
            self.hand_on();
        }
        if self.batch.is_none() {
            let permit = self.flow.budget.take(BOX_BYTES_TARGET + cut.max_bytes()).ok_or(Trouble::Stop)?;
            let plain = self.begun.take().unwrap_or_else(|| self.flow.buffers.take(cut.max_bytes()));
            let ticket = self.flow.epochs.ticket();
            self.batch =
                Some(Batch { plain, chunks: Vec::new(), known: Vec::new(), pages, permit: Some(permit), ticket });
        }
        self.batch.as_mut().ok_or(Trouble::Stop)
    }

    /// Hands the batch to the asking stage.
    fn hand_on(&mut self) {
        if let Some(mut batch) = self.batch.take() {
            let_go_uncut(self.flow, &mut batch);
            if !batch.chunks.is_empty() {
                // A closed queue means that the run is ending; its reason is kept elsewhere.
                drop(self.flow.hashed.push(Hashed::Batch(batch)));
            }
        }
    }

    /// The file's entry is whole.
    fn complete(&self, task: FileTask, taken: Taken) -> Result<()> {
        let FileTask { previous, parent, source, path, granularity_ns, .. } = task;
        let Taken { draft, troubles, content, cut, stat, read_at_ns, changed, encrypted } = taken;
        for trouble in troubles {
            self.flow.warn(&trouble.path(path.clone()));
        }
        let mut draft = Box::new(draft);
        draft.what = What::File { size: stat.size, content, cut };
        draft.facts.racy = changed || racy(&stat, read_at_ns, granularity_ns);
        if changed {
            draft.mark = Some(Mark::Changed);
            let shown = for_terminal(&path);
            self.flow.warn(
                &Fault::new(Code::SourceChanged, format!("{shown} changed while it was read"))
                    .hint("it is stored as it was read, and read again next time")
                    .path(path.clone()),
            );
        }
        let action = self.flow.counts.file(previous.as_deref(), &draft);
        source.tally.file(action, encrypted);
        if source.early_step.is_some() {
            source.taken.add(&path, &draft, encrypted);
        }
        self.flow.item(action, || path, stat.size, None);
        let same = previous.is_some_and(|previous| previous == draft);
        self.place(parent, Some(draft), same)
    }

    /// The file has no new content: what the version before knew is kept, unless the file is really gone.
    fn left_out(&self, task: FileTask, fault: &Fault) -> Result<()> {
        self.flow.warn(fault);
        task.source.inner.lacks(&task.path);
        self.flow.counts.files_done.add(1);
        if fault.code == Code::SourceVanished {
            if let Some(previous) = &task.previous {
                self.flow.counts.removed(previous);
                task.source.count_removed(previous.totals().files);
            }
            return self.place(task.parent, None, false);
        }
        let now_s = u64::try_from(self.flow.clock.now_ms() / 1000).unwrap_or(0);
        let kept = task.previous.map(|mut previous| {
            previous.mark.get_or_insert(Mark::Unreadable(now_s));
            previous
        });
        self.place(task.parent, kept, false)
    }

    fn place(&self, parent: Parent, entry: Option<Box<Entry>>, same: bool) -> Result<()> {
        match parent {
            Parent::Frame(frame, slot) => frame.complete(self.flow, slot, entry, same),
            Parent::Source(source) => {
                if let Some(entry) = entry {
                    source.finish(entry);
                }
                Ok(())
            }
        }
    }
}

/// Where bytes come from.
trait Bytes {
    /// Appends some of the next bytes, `most` at most, and says how many; 0 at the end. What was appended before it
    /// failed is of no meaning.
    fn some(&mut self, onto: &mut Vec<u8>, most: usize) -> std::io::Result<usize>;
}

/// A file from an offset on.
struct FileBytes<'f> {
    file: &'f SourceFile,
    offset: u64,
}

impl Bytes for FileBytes<'_> {
    fn some(&mut self, onto: &mut Vec<u8>, most: usize) -> std::io::Result<usize> {
        let got = self.file.read_onto(onto, most, self.offset)?;
        self.offset += got as u64;
        Ok(got)
    }
}

struct StreamBytes<'r>(&'r mut dyn Read);

impl Bytes for StreamBytes<'_> {
    fn some(&mut self, onto: &mut Vec<u8>, most: usize) -> std::io::Result<usize> {
        let old = onto.len();
        // A pipe gives little at a time, and what is not filled was cleared in vain.
        onto.resize(old + most.min(READ_BYTES_LEAST), 0);
        let got = loop {
            match self.0.read(onto.get_mut(old..).unwrap_or_default()) {
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                other => break other?,
            }
        };
        onto.truncate(old + got);
        Ok(got)
    }
}

/// Either the run is over, or reading failed.
enum Reading {
    Run(Trouble),
    Failed(std::io::Error),
}

impl Reading {
    fn or(self, broken: impl FnOnce(std::io::Error) -> Trouble) -> Trouble {
        match self {
            Self::Run(trouble) => trouble,
            Self::Failed(error) => broken(error),
        }
    }
}

/// One file's bytes on their way into batches.
struct Cutting<'r, 'f, 'a> {
    reader: &'r mut Reader<'f, 'a>,
    cut: CutClass,
    cutter: Cutter,
    known: Known<'a>,
    pieces: ListBuilder,
    /// Bytes at the end of the batch that are not yet a chunk.
    uncut: usize,
    /// Bytes of the file so far, the uncut ones included.
    size: u64,
}

/// A file that failed half-way may have left bytes behind that never became a chunk.
fn let_go_uncut(flow: &Flow<'_>, batch: &mut Batch) {
    let whole = batch.chunks.iter().map(|(_, len)| *len as usize).sum();
    flow.counts.waiting_bytes.sub(batch.plain.len().saturating_sub(whole) as u64);
    batch.plain.truncate(whole);
}

impl<'r, 'f, 'a> Cutting<'r, 'f, 'a> {
    fn new(reader: &'r mut Reader<'f, 'a>, cut: CutClass, known: Known<'a>) -> Self {
        let flow = reader.flow;
        if let Some(batch) = reader.batch.as_mut() {
            let_go_uncut(flow, batch);
        }
        let cutter = Cutter::new(&flow.gear, cut);
        Self { reader, cut, cutter, known, pieces: ListBuilder::new(flow.tree_keys(), cut), uncut: 0, size: 0 }
    }

    /// Reads and cuts up to `most` bytes; gives how many there were.
    fn data(&mut self, bytes: &mut dyn Bytes, most: u64) -> Result<u64, Reading> {
        let mut done = 0;
        while done < most {
            let pages = self.cut.fixed_bytes().is_some();
            let batch = self.reader.batch(self.cut).map_err(Reading::Run)?;
            let old = batch.plain.len();
            // Pages: up to the end of a box, as what is read beyond it has to be copied into the next one. Elsewhere a cut
            // is only found with the longest chunk in sight, so all of the buffer is filled, which need not be cleared.
            let end = if pages { BOX_BYTES_TARGET } else { batch.plain.capacity() };
            let room = end.checked_sub(old).filter(|room| *room > 0).unwrap_or(READ_BYTES_LEAST);
            let want = usize::try_from(most - done).unwrap_or(usize::MAX).min(room);
            let got = bytes.some(&mut batch.plain, want).map_err(Reading::Failed);
            batch.plain.truncate(old + *got.as_ref().unwrap_or(&0));
            let got = got?;
            if self.size == 0 {
                self.reader.encrypted = looks_encrypted(batch.plain.get(old..).unwrap_or_default());
            }
            self.uncut += got;
            self.size += got as u64;
            done += got as u64;
            self.reader.flow.counts.read(got as u64);
            self.reader.reading += got as u64;
            if got == 0 {
                break;
            }
            if self.reader.flow.ending() {
                return Err(Reading::Run(Trouble::Stop));
            }
            self.cut_off(false).map_err(Reading::Run)?;
        }
        Ok(done)
    }

    /// A hole: what is before it is cut.
    fn hole(&mut self, len: u64) -> Result<(), Trouble> {
        self.cut_off(true)?;
        self.size += len;
        Ok(self.pieces.push(Piece::Hole(len), &mut self.reader.flow.sink())?)
    }

    fn finish(mut self) -> Result<(Content, u64), Trouble> {
        self.cut_off(true)?;
        let size = self.size;
        Ok((self.pieces.finish(&mut self.reader.flow.sink())?, size))
    }

    /// Cuts what can be cut; at the end of a run of data, all of it.
    fn cut_off(&mut self, at_end: bool) -> Result<(), Trouble> {
        while self.uncut > 0 {
            self.leave_out_zeros(at_end)?;
            let flow = self.reader.flow;
            let Some(batch) = self.reader.batch.as_ref() else { return Ok(()) };
            let start = batch.plain.len() - self.uncut;
            let window = batch.plain.get(start..).unwrap_or_default();
            let at = self.size - self.uncut as u64;
            let Some(len) = self.next_cut(window, at, at_end) else { return Ok(()) };
            let Some(batch) = self.reader.batch.as_mut() else { return Ok(()) };
            let chunk = batch.plain.get(start..start + len).unwrap_or_default();
            self.uncut -= len;
            let len = u32::try_from(len).map_err(|_| Trouble::Fail(flow.bug("a chunk is too long")))?;
            let id = flow.keyring.chunk_id(chunk);
            batch.chunks.push((id, len));
            if self.known.has(&id, at) {
                batch.known.push(id);
            }
            self.pieces.push(Piece::Data { id, len }, &mut flow.sink())?;
            self.split()?;
        }
        Ok(())
    }

    /// Pages of zeros need no chunk. A run of them leaves at once: what is behind it moves up.
    fn leave_out_zeros(&mut self, at_end: bool) -> Result<(), Trouble> {
        let Some(batch) = self.reader.batch.as_ref().filter(|batch| batch.pages) else { return Ok(()) };
        let start = batch.plain.len() - self.uncut;
        let mut end = start;
        while let Some(window) = batch.plain.get(end..)
            && let Some(len) = self.next_cut(window, self.size - window.len() as u64, at_end)
            && window.get(..len).is_some_and(is_zero)
        {
            end += len;
            self.pieces.push(Piece::Zeros(len as u64), &mut self.reader.flow.sink())?;
        }
        self.uncut -= end - start;
        self.reader.flow.counts.waiting_bytes.sub((end - start) as u64);
        if let Some(batch) = self.reader.batch.as_mut() {
            batch.plain.drain(start..end);
        }
        Ok(())
    }

    /// Length of the next chunk in a window that begins at this place of the file.
    fn next_cut(&self, window: &[u8], at: u64, at_end: bool) -> Option<usize> {
        let Some(piece) = self.cut.fixed_bytes() else { return self.cutter.next_cut(window, at_end) };
        let to_border = piece - usize::try_from(at % piece as u64).unwrap_or(0);
        match window.len() {
            enough if enough >= to_border => Some(to_border),
            some if at_end && some > 0 => Some(some),
            _ => None,
        }
    }

    /// Hands the batch on when it is full; what is not cut yet goes into the next.
    fn split(&mut self) -> Result<(), Trouble> {
        let Some(batch) = self.reader.batch.as_mut() else { return Ok(()) };
        let cut = batch.plain.len() - self.uncut;
        if cut < BATCH_BYTES {
            return Ok(());
        }
        if self.uncut > 0 {
            let mut begun = self.reader.flow.buffers.take(self.cut.max_bytes());
            begun.extend_from_slice(batch.plain.get(cut..).unwrap_or_default());
            self.reader.begun = Some(begun);
            batch.plain.truncate(cut);
        }
        self.reader.hand_on();
        // Whoever goes on finds the uncut bytes in a batch.
        if self.uncut > 0 { self.reader.batch(self.cut).map(drop) } else { Ok(()) }
    }
}

/// Whether three spots of a large file look like nothing that can be compressed.
fn looks_incompressible(scratch: &mut Scratch, file: &SourceFile, size: u64) -> bool {
    let mut spot = vec![0; PROBE_BYTES];
    [1, 2, 3].iter().all(|quarter| {
        file.read_at(&mut spot, size / 4 * quarter)
            .is_ok_and(|got| spot.get(..got).is_some_and(|bytes| scratch.incompressible(bytes)))
    })
}

/// A file that cannot be opened.
fn opening(task: &FileTask, error: &OpenError) -> Trouble {
    match error {
        OpenError::Vanished => Trouble::Skip(
            Fault::new(Code::SourceVanished, format!("{} vanished before it was read", for_terminal(&task.path)))
                .path(task.path.clone()),
        ),
        OpenError::Replaced => Trouble::Skip(
            Fault::new(Code::SourceChanged, format!("{} was replaced before it was read", for_terminal(&task.path)))
                .path(task.path.clone()),
        ),
        OpenError::Failed(error) => unreadable(task, error),
    }
}

/// A file that cannot be read.
fn unreadable(task: &FileTask, error: &std::io::Error) -> Trouble {
    Trouble::Skip(
        Fault::new(Code::SourceUnreadable, format!("cannot read {}", for_terminal(&task.path)))
            .because(error)
            .hint("run as a user who may read it, or exclude it")
            .path(task.path.clone()),
    )
}
