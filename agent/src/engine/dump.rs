//! A file's content, or a directory as a pax tar, as one stream.
//!
//! The stream is a row of parts in order: headers, chunks, zeros. Chunks are asked for in windows, one window ahead of the
//! one that is written; what is in memory is the chunks of one window.

use std::collections::{HashMap, HashSet, VecDeque};
use std::io::Write;
use std::path::{Path, PathBuf};

use store::id::ChunkId;
use store::seal::{Scratch, Sealer};
use store::tree::{Content, Entry, Kind, NodeSource, Piece, PieceReader, What};

use super::job::{DumpJob, DumpSummary, Run, Stop};
use super::overlay::{Found, Overlay};
use super::own::Own;
use super::pax;
use super::restore::lost::Lost;
use super::restore::{Arrival, Fetcher, Fetching};
use super::trouble::protocol;
use super::view::Reading;
use super::walk::{Step, Walk};
use crate::event::{Deaf, Event, Watcher};
use crate::fault::{Code, Fault, Result};
use crate::name::for_terminal;

/// Plain bytes of a window.
const WINDOW_BYTES: u64 = 16 << 20;
/// Windows that are asked for ahead.
const AHEAD: usize = 2;
/// Links that the system follows.
const LINKS_MAX: usize = 40;
/// Zeros are written in such pieces.
static ZEROS: [u8; 64 << 10] = [0; 64 << 10];

/// Writes what stands at the job's path.
pub fn dump(run: &Run, job: &DumpJob, out: &mut dyn Write) -> Result<DumpSummary> {
    let reading = Reading::open(run)?;
    if let Some(output) = &job.output
        && let Some(why) = Own::of(&reading.account).refuses_at(&led(output), true)
    {
        let output = for_terminal(output.as_os_str().as_encoded_bytes());
        return Err(Fault::new(Code::Usage, format!("cannot write {output}: {why}")).hint("name another file: -o FILE"));
    }
    let mut summary = {
        let view = reading.view(&job.at)?;
        let path = super::glob::clean(&view.path(&job.path));
        view.prepare(std::slice::from_ref(&path))?;
        let overlay = view.overlay();
        let found = overlay.need(&path)?;
        if job.to_screen && found.is_dir() {
            return Err(Fault::new(Code::Usage, "a directory is a tar, and a tar is not written to a terminal")
                .hint("send it on: tuckbox dump DIR > FILE, or -o FILE")
                .path(path));
        }
        view.fill(&overlay, &found)?;
        let sealer = &reading.account.sealer;
        let mut parts = Parts::of(&overlay, &found, &path, &*run.watcher)?;
        parts.goes_on |= job.with_holes;
        let number = view.link.link().sequence;
        let mut summary = write(parts, sealer, &reading.account.remote, out).map_err(|fault| match fault.code {
            Code::DataDamaged if !found.is_dir() && !job.with_holes => fault.hint(format!(
                "an older version of it may be whole: --at previous; with zeros for what is lost: \
                 tuckbox dump --at no.{number} --with-holes PATH -o FILE; all that is lost: tuckbox check"
            )),
            _ => fault,
        })?;
        summary.version_id = view.link.link_id().hex();
        summary
    };
    summary.received_bytes = reading.close()?.received_bytes;
    Ok(summary)
}

/// Where links at the end of a path lead, also when nothing stands there.
fn led(path: &Path) -> PathBuf {
    let mut path = path.to_path_buf();
    for _ in 0..LINKS_MAX {
        let Ok(next) = std::fs::read_link(&path) else { break };
        path = path.parent().unwrap_or(Path::new("/")).join(next);
    }
    path
}

/// Writes a file or a directory of the overlay.
fn write(parts: Parts<'_>, sealer: &Sealer, fetcher: &dyn Fetcher, out: &mut dyn Write) -> Result<DumpSummary> {
    let mut stream = Stream::new(parts, sealer, out);
    stream.run(fetcher)?;
    stream.is_whole()?;
    let (tar, files) = (stream.parts.tar, stream.parts.files);
    Ok(DumpSummary { tar, files, written_bytes: stream.written, ..DumpSummary::default() })
}

/// Writes the contents of these regular files, one after the other. Where one is lost zeros stand; the first loss is the
/// error, when all has been written.
pub fn contents(
    overlay: &Overlay<'_>,
    files: Vec<Entry>,
    sealer: &Sealer,
    fetcher: &dyn Fetcher,
    out: &mut dyn Write,
) -> Result<()> {
    let mut parts = Parts::new(overlay, b"", &Deaf, false);
    parts.goes_on = true;
    parts.files_to_come = files.into();
    let mut stream = Stream::new(parts, sealer, out);
    stream.run(fetcher)?;
    stream.is_whole()
}

/// What comes next in the stream.
enum Part {
    Bytes(Vec<u8>),
    Chunk(ChunkId, u32),
    Zeros(u64),
}

/// Entries with the names that they had first, by source, device and inode.
type Linked = HashMap<(Option<usize>, u64, u64), Vec<(Entry, Vec<u8>)>>;

/// The parts of a stream, made as they are needed.
struct Parts<'o> {
    nodes: &'o dyn NodeSource,
    watcher: &'o dyn Watcher,
    /// The walk of a tar, with the length of the path in front of names in it.
    walk: Option<(Walk<'o>, usize)>,
    tar: bool,
    /// A chunk that is lost does not end it.
    goes_on: bool,
    /// Files whose contents come after the one in hand.
    files_to_come: VecDeque<Entry>,
    pieces: Option<PieceReader<'o>>,
    /// Zeros after the content in hand.
    padding: u64,
    ready: VecDeque<Part>,
    /// First names of files of several.
    linked: Linked,
    /// The path in hand.
    path: Vec<u8>,
    files: u64,
}

impl<'o> Parts<'o> {
    fn new(overlay: &'o Overlay<'o>, path: &[u8], watcher: &'o dyn Watcher, tar: bool) -> Self {
        Self {
            nodes: overlay.nodes(),
            watcher,
            walk: None,
            tar,
            goes_on: tar,
            files_to_come: VecDeque::new(),
            pieces: None,
            padding: 0,
            ready: VecDeque::new(),
            linked: HashMap::new(),
            path: path.to_vec(),
            files: 0,
        }
    }

    /// What stands at a path of the overlay.
    fn of(overlay: &'o Overlay<'o>, found: &Found<'o>, path: &[u8], watcher: &'o dyn Watcher) -> Result<Self> {
        match found.entry.what.kind() {
            Kind::Dir => Ok(Self::tar(overlay, found, path, watcher)),
            Kind::File => Ok(Self::file(overlay, found, path, watcher)),
            _ => {
                let text = format!("{} is neither a file nor a directory", for_terminal(path));
                Err(Fault::new(Code::Usage, text).hint("restore it: tuckbox restore PATH --to DIR").path(path))
            }
        }
    }

    fn file(overlay: &'o Overlay<'o>, found: &Found<'o>, path: &[u8], watcher: &'o dyn Watcher) -> Self {
        let mut parts = Self::new(overlay, path, watcher, false);
        parts.content(&found.entry);
        parts
    }

    fn tar(overlay: &'o Overlay<'o>, found: &Found<'o>, path: &[u8], watcher: &'o dyn Watcher) -> Self {
        let mut parts = Self::new(overlay, path, watcher, true);
        // Names begin with the directory's own.
        let front = path.iter().rposition(|byte| *byte == b'/').map_or(0, |at| at + 1);
        if path.len() > front {
            parts.entry(found, front);
        }
        parts.walk = Some((Walk::new(overlay, path, found), front));
        parts
    }

    fn next(&mut self) -> Result<Option<Part>> {
        loop {
            if let Some(part) = self.ready.pop_front() {
                return Ok(Some(part));
            }
            if let Some(pieces) = &mut self.pieces {
                match pieces.next().transpose()? {
                    Some(Piece::Data { id, len }) => return Ok(Some(Part::Chunk(id, len))),
                    Some(Piece::Hole(len) | Piece::Zeros(len)) => return Ok(Some(Part::Zeros(len))),
                    None => self.pieces = None,
                }
                continue;
            }
            if self.padding > 0 {
                return Ok(Some(Part::Zeros(std::mem::take(&mut self.padding))));
            }
            if let Some(file) = self.files_to_come.pop_front() {
                self.content(&file);
                continue;
            }
            let Some((walk, front)) = &mut self.walk else { return Ok(None) };
            let front = *front;
            match walk.next()? {
                None => {
                    self.walk = None;
                    self.ready.push_back(Part::Bytes(pax::END.to_vec()));
                }
                Some(Step::Leave) => {}
                Some(Step::Name(found)) => {
                    self.path = walk.path().to_vec();
                    if found.is_dir() {
                        walk.enter(&found);
                    }
                    self.entry(&found, front);
                }
            }
        }
    }

    /// One entry of a tar.
    fn entry(&mut self, found: &Found<'_>, front: usize) {
        let name = self.path.get(front..).unwrap_or_default().to_vec();
        let link = self.first_name(found, &name);
        let Some(header) = pax::header(&name, &found.entry, link.as_deref()) else {
            let text = format!("{} is a socket, which a tar cannot hold", for_terminal(&self.path));
            self.watcher.event(&Event::Warning(&Fault::new(Code::RestoreSkipped, text).path(self.path.clone())));
            return;
        };
        self.ready.push_back(Part::Bytes(header));
        self.files += u64::from(!found.is_dir());
        if link.is_none() {
            self.content(&found.entry);
        }
    }

    fn content(&mut self, entry: &Entry) {
        let What::File { size, content, .. } = &entry.what else { return };
        if let Content::Inline(bytes) = content {
            self.ready.push_back(Part::Bytes(bytes.to_vec()));
        }
        self.pieces = Some(PieceReader::new(self.nodes, content, *size));
        self.padding = if self.tar { pax::padding(*size) } else { 0 };
        self.files += u64::from(!self.tar);
    }

    /// The name under which a file was met before.
    fn first_name(&mut self, found: &Found<'_>, name: &[u8]) -> Option<Vec<u8>> {
        let entry = &found.entry;
        let (device, count) = entry.facts.link?;
        if found.is_dir() || count < 2 || entry.facts.inode == 0 {
            return None;
        }
        let known = self.linked.entry((found.source, device, entry.facts.inode)).or_default();
        let same = |first: &Entry| {
            first.what == entry.what && first.mtime == entry.mtime && first.facts.ctime == entry.facts.ctime
        };
        if let Some((_, first)) = known.iter().find(|(first, _)| same(first)) {
            return Some(first.clone());
        }
        known.push((entry.clone(), name.to_vec()));
        None
    }
}

/// Parts that are asked for together.
#[derive(Default)]
struct Window {
    parts: Vec<Part>,
    ids: Vec<ChunkId>,
}

/// A stream under way.
struct Stream<'s, 'o> {
    parts: Parts<'o>,
    sealer: &'s Sealer,
    scratch: Scratch,
    out: &'s mut dyn Write,
    written: u64,
    /// What was lost, where the stream goes on: zeros stand there.
    lost: Lost,
    ahead: VecDeque<Window>,
}

impl<'s, 'o> Stream<'s, 'o> {
    fn new(parts: Parts<'o>, sealer: &'s Sealer, out: &'s mut dyn Write) -> Self {
        let (scratch, lost) = (Scratch::new(), Lost::default());
        Self { parts, sealer, scratch, out, written: 0, lost, ahead: VecDeque::new() }
    }

    /// Once all is written: whether nothing was lost.
    fn is_whole(&self) -> Result<()> {
        if self.lost.is_empty() {
            return Ok(());
        }
        // Places in a tar say nothing to a person.
        let text = match self.parts.tar {
            true => "data is missing or damaged in the vault; zeros stand in its place".to_owned(),
            false => format!("{}; zeros stand in their place", self.lost.told(self.written)),
        };
        Err(lost(&text))
    }

    fn run(&mut self, fetcher: &dyn Fetcher) -> Result<()> {
        while let Some(window) = self.window()? {
            if window.ids.is_empty() {
                self.write(window.parts, &HashMap::new())?;
                continue;
            }
            let first = window.ids.clone();
            self.ahead.push_back(window);
            return fetcher.fetch(&first, &mut |fetching| self.pump(fetching));
        }
        self.flush()
    }

    /// Asks ahead, writes what came.
    fn pump(&mut self, fetching: &dyn Fetching) -> Result<()> {
        loop {
            while self.ahead.len() < AHEAD {
                let Some(window) = self.window()? else { break };
                if !window.ids.is_empty() {
                    fetching.ask(&window.ids)?;
                }
                self.ahead.push_back(window);
            }
            let Some(window) = self.ahead.pop_front() else { break };
            let chunks = if window.ids.is_empty() { HashMap::new() } else { self.receive(fetching, &window.ids)? };
            self.write(window.parts, &chunks)?;
        }
        fetching.end()?;
        self.flush()
    }

    /// The next window; `None` at the end.
    fn window(&mut self) -> Result<Option<Window>> {
        let mut window = Window::default();
        let mut asked = HashSet::new();
        let mut bytes = 0;
        while bytes < WINDOW_BYTES && asked.len() < transport::message::IDS_MAX {
            let Some(part) = self.parts.next()? else { break };
            match &part {
                Part::Bytes(header) => bytes += header.len() as u64,
                Part::Chunk(id, len) => {
                    bytes += u64::from(*len);
                    if asked.insert(*id) {
                        window.ids.push(*id);
                    }
                }
                // They take no room; a window of many is no harm either.
                Part::Zeros(_) => bytes += 1 << 10,
            }
            window.parts.push(part);
        }
        Ok((!window.parts.is_empty()).then_some(window))
    }

    /// The chunks of a window, as far as they are good.
    fn receive(&mut self, fetching: &dyn Fetching, ids: &[ChunkId]) -> Result<HashMap<ChunkId, Vec<u8>>> {
        let wanted: HashSet<&ChunkId> = ids.iter().collect();
        let mut chunks = HashMap::new();
        loop {
            match fetching.next(&Stop::default())? {
                Arrival::Batch(_) => return Ok(chunks),
                Arrival::End => return Err(protocol("a fetch ended before its answer")),
                Arrival::Box(record) => {
                    // What does not open is missing; the chunk that needs it says so.
                    let Ok(open) = self.sealer.open_box(&mut self.scratch, &record) else { continue };
                    for (id, chunk) in open.chunks().filter(|(id, _)| wanted.contains(id)) {
                        chunks.insert(id, chunk.to_vec());
                    }
                }
            }
        }
    }

    fn write(&mut self, parts: Vec<Part>, chunks: &HashMap<ChunkId, Vec<u8>>) -> Result<()> {
        for part in parts {
            match part {
                Part::Bytes(bytes) => self.put(&bytes)?,
                Part::Zeros(len) => self.zeros(len)?,
                Part::Chunk(id, len) => match chunks.get(&id).filter(|chunk| chunk.len() == len as usize) {
                    Some(chunk) => self.put(chunk)?,
                    None => self.lose(len)?,
                },
            }
        }
        Ok(())
    }

    /// A chunk is lost. A tar goes on with zeros, so that the rest can be used; a file ends here, unless that is wanted.
    fn lose(&mut self, len: u32) -> Result<()> {
        if !self.parts.goes_on {
            return Err(lost("data is missing or damaged in the vault"));
        }
        self.lost.add(self.written, len.into());
        self.zeros(len.into())
    }

    fn zeros(&mut self, len: u64) -> Result<()> {
        let mut left = len;
        while left > 0 {
            let now = usize::try_from(left).unwrap_or(usize::MAX).min(ZEROS.len());
            self.put(ZEROS.get(..now).unwrap_or(&ZEROS))?;
            left -= now as u64;
        }
        Ok(())
    }

    fn put(&mut self, bytes: &[u8]) -> Result<()> {
        self.written += bytes.len() as u64;
        self.out.write_all(bytes).map_err(|error| unwritten(&error))
    }

    fn flush(&mut self) -> Result<()> {
        self.out.flush().map_err(|error| unwritten(&error))
    }
}

fn lost(why: &str) -> Fault {
    Fault::new(Code::DataDamaged, why)
        .hint("an older version of it may be whole: --at previous; all that is lost: tuckbox check")
}

fn unwritten(error: &std::io::Error) -> Fault {
    let code = Code::of(error);
    Fault::new(code, "the output cannot be written").because(error)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use store::tree::CutClass;

    use super::*;
    use crate::engine::overlay::tests::{Forest, entry, file, with_mode};
    use crate::engine::restore::tests::{Vault, noise, one_of};
    use crate::event::Deaf;

    fn dumped(vault: &Vault, forest: &Forest, path: &[u8]) -> (Result<DumpSummary>, Vec<u8>) {
        dumped_so(vault, forest, path, false)
    }

    fn dumped_so(vault: &Vault, forest: &Forest, path: &[u8], holes: bool) -> (Result<DumpSummary>, Vec<u8>) {
        let overlay = forest.overlay();
        let found = overlay.need(path).unwrap();
        let mut out = Vec::new();
        let parts = Parts::of(&overlay, &found, path, &Deaf).unwrap();
        let summary = write(Parts { goes_on: parts.goes_on || holes, ..parts }, &vault.sealer, vault, &mut out);
        (summary, out)
    }

    fn large(vault: &mut Vault) -> (Entry, Vec<u8>) {
        // Two windows and more.
        let parts: Vec<Vec<u8>> = (0..40).map(|n| noise(1 << 20, n)).collect();
        let mut pieces: Vec<Piece> = parts.iter().map(|part| vault.data(part)).collect();
        pieces.insert(1, Piece::Hole(100_000));
        let size = pieces.iter().map(Piece::len).sum();
        let mut bytes = parts.concat();
        bytes.splice(1 << 20..1 << 20, vec![0; 100_000]);
        vault.close_box();
        (entry(What::File { size, content: Content::Pieces(pieces), cut: CutClass::Cdc }), bytes)
    }

    #[test]
    fn a_file_is_its_bytes() {
        let mut vault = Vault::new();
        let (large, bytes) = large(&mut vault);
        let files = vec![("large", large), ("small", file(b"few")), ("empty", file(b""))];
        let mut forest = Forest::new(&[("h", "/s", files)]);
        let (summary, out) = dumped(&vault, &forest, b"/s/large");
        assert!(out == bytes);
        let summary = summary.unwrap();
        assert_eq!((summary.tar, summary.files, summary.written_bytes), (false, 1, bytes.len() as u64));
        assert_eq!(dumped(&vault, &forest, b"/s/small").1, b"few");
        assert_eq!(dumped(&vault, &forest, b"/s/empty").1, b"");
        vault.boxes.remove(2);
        assert_eq!(dumped(&vault, &forest, b"/s/large").0.unwrap_err().code, Code::DataDamaged);
        forest.sources.clear();
    }

    #[test]
    fn a_file_goes_on_with_zeros_when_that_is_wanted() {
        let mut vault = Vault::new();
        let (large, mut bytes) = large(&mut vault);
        let forest = Forest::new(&[("h", "/s", vec![("large", large)])]);
        // The third part, behind the hole, and the last.
        let places = [(2 << 20) + 100_000, (39 << 20) + 100_000];
        for (box_at, place) in [2, 38].into_iter().zip(places) {
            vault.boxes.remove(box_at);
            bytes[place..place + (1 << 20)].fill(0);
        }
        let (outcome, out) = dumped_so(&vault, &forest, b"/s/large", true);
        assert!(out == bytes);
        let fault = outcome.unwrap_err();
        assert_eq!(fault.code, Code::DataDamaged);
        let told = "2097152 of its 42043040 bytes are missing or damaged in the vault: bytes 2197152-3245727, \
                    40994464-42043039; zeros stand in their place";
        assert_eq!(fault.message, told);
        let (outcome, out) = dumped(&vault, &forest, b"/s/large");
        assert_eq!(outcome.unwrap_err().code, Code::DataDamaged);
        assert!(out.len() < 16 << 20 && bytes.starts_with(&out));
    }

    #[test]
    fn a_directory_is_a_tar_that_tar_understands() {
        let mut vault = Vault::new();
        let (large, bytes) = large(&mut vault);
        let linked = one_of(file(b"two names"), 5);
        let long = format!("{}/{}", "d".repeat(200), "n".repeat(255));
        let with_attribute =
            Entry { xattrs: vec![((*b"user.a=b%c").into(), (*b"\x00\xffvalue\n").into())], ..file(b"attribute") };
        let files: Vec<(Vec<u8>, Entry)> = vec![
            (b"large".to_vec(), large),
            (b"a".to_vec(), linked.clone()),
            (b"z/b".to_vec(), linked),
            (long.clone().into_bytes(), with_mode(file(b"long"), 0o4711)),
            (b"new\nline \xff".to_vec(), file(b"odd")),
            (b"link".to_vec(), entry(What::Symlink(vec![b't'; 300].into()))),
            (b"pipe".to_vec(), entry(What::Fifo)),
            (b"sock".to_vec(), entry(What::Socket)),
            (b"attr".to_vec(), with_attribute),
            (b"old".to_vec(), Entry { mtime: store::tree::Time { secs: -5, nanos: 250_000_000 }, ..file(b"old") }),
        ];
        let forest = Forest::new(&[("h", "/s/top", files)]);
        let (summary, out) = dumped(&vault, &forest, b"/s/top");
        let summary = summary.unwrap();
        assert!(summary.tar);
        assert_eq!(summary.written_bytes, out.len() as u64);
        assert_eq!(out.len() % 512, 0);

        let place = tempfile::tempdir().unwrap();
        let archive = place.path().join("x.tar");
        std::fs::write(&archive, &out).unwrap();
        let status = std::process::Command::new("tar")
            .args([
                "--extract",
                "--no-same-owner",
                "--preserve-permissions",
                "--xattrs",
                "--xattrs-include=*",
                "--file",
            ])
            .arg(&archive)
            .arg("--directory")
            .arg(place.path())
            .status();
        // A system without tar has other tests.
        let Ok(status) = status else { return };
        assert!(status.success());
        let top = place.path().join("top");
        assert!(std::fs::read(top.join("large")).unwrap() == bytes);
        use std::os::unix::ffi::OsStrExt;
        use std::os::unix::fs::{FileTypeExt, MetadataExt};
        let odd = Path::new(std::ffi::OsStr::from_bytes(b"new\nline \xff"));
        assert_eq!(std::fs::read(top.join(odd)).unwrap(), b"odd");
        let metadata = std::fs::metadata(top.join(&long)).unwrap();
        assert_eq!((metadata.mode() & 0o7777, metadata.mtime_nsec()), (0o4711, 123_456_789));
        assert_eq!(std::fs::metadata(top.join("a")).unwrap().ino(), std::fs::metadata(top.join("z/b")).unwrap().ino());
        assert_eq!(std::fs::read_link(top.join("link")).unwrap().as_os_str().len(), 300);
        assert!(std::fs::metadata(top.join("pipe")).unwrap().file_type().is_fifo());
        let old = std::fs::metadata(top.join("old")).unwrap();
        assert_eq!((old.mtime(), old.mtime_nsec()), (-5, 250_000_000));
        let mut value = [0; 32];
        if let Ok(len) = rustix::fs::getxattr(top.join("attr"), "user.a=b%c", &mut value[..]) {
            assert_eq!(&value[..len], b"\x00\xffvalue\n");
        }
    }

    #[test]
    fn a_tar_goes_on_after_a_loss() {
        let mut vault = Vault::new();
        let files = vec![("a", vault.whole(b"lost")), ("b", file(b"kept"))];
        let forest = Forest::new(&[("h", "/s", files)]);
        let (outcome, out) = dumped(&vault, &forest, b"/s");
        assert_eq!(outcome.unwrap_err().code, Code::DataDamaged);
        // Three entries, each with a header for its time and one of its own; two contents; the end.
        assert_eq!(out.len(), 3 * 1536 + 2 * 512 + 1024);
        assert!(out.windows(4).any(|window| window == b"kept"));
    }
}
