//! `usage --classes`: history told apart. Only who holds the key knows paths; only the server knows which chunks share a
//! box. So each older version is walked beside the newest one, as far as they differ, and the server is told of chunks.
//!
//! Of what was walked, a hash is remembered for each pair of directories, and of chunks that were told the first half of
//! their ids, up to a bound; so an account of any size takes about 100 MiB here, and a chunk may be told twice.

use std::collections::HashSet;

use store::id::ChunkId;
use store::tree::{Content, Entry, NodeSource, Piece, PieceReader, What};
use transport::message::{IDS_MAX, Request, SplitBatch, SplitDone, SplitTold, encode};
use transport::{Call, Class};

use super::diff::{Pair, same_content, same_tree};
use super::job::{Run, SplitRow, UsageRow};
use super::overlay::{Found, Overlay};
use super::remote::Remote;
use super::trouble::protocol;
use super::view::{Reading, View};
use crate::fault::{Code, Fault, Result};

/// Hashes that are remembered: 16 bytes each, some 32 with what a set takes.
const MEMORY_MAX: usize = 1 << 20;
/// Messages that may be on their way without an answer.
const AHEAD: usize = 8;

/// What the account takes, its history told apart.
pub fn usage(run: &Run) -> Result<UsageRow> {
    let reading = Reading::open(run)?;
    let done = {
        let views = reading.all(None)?;
        reading.account.remote.persist(|remote| told(run, remote, &views))?
    };
    let account = reading.account.row.name.clone();
    reading.close()?;
    let split = SplitRow {
        old_bytes: done.old_bytes,
        deleted_bytes: done.deleted_bytes,
        both_bytes: done.both_bytes,
        other_bytes: done.other_bytes,
    };
    Ok(UsageRow { account, told: done.usage, split: Some(split) })
}

fn told(run: &Run, remote: &Remote, views: &[View<'_>]) -> Result<SplitDone> {
    let mut teller = Teller::begin(remote)?;
    if let Some((newest, older)) = views.split_last() {
        let now = newest.overlay();
        newest.sources.iter().try_for_each(|source| newest.nodes.fill(source.root))?;
        let mut walked = Memory::default();
        for view in older {
            for source in &view.sources {
                let same = newest.sources.iter().any(|now| now.id == source.id && now.content == source.content);
                if !same {
                    view.nodes.fill(source.root)?;
                }
            }
            let before = view.overlay();
            Walk { run, before: &before, now: &now, walked: &mut walked, teller: &mut teller }.run()?;
        }
    }
    teller.finish()
}

/// Remembers what was met, up to a bound: then it begins anew.
#[derive(Default)]
struct Memory(HashSet<u128>);

impl Memory {
    /// Whether this was not met before.
    fn is_new(&mut self, hash: u128) -> bool {
        if self.0.len() >= MEMORY_MAX {
            self.0.clear();
        }
        self.0.insert(hash)
    }
}

/// An older version beside the newest.
struct Walk<'w, 'b, 'a, 'r> {
    run: &'w Run,
    before: &'b Overlay<'b>,
    now: &'a Overlay<'a>,
    walked: &'w mut Memory,
    teller: &'w mut Teller<'r>,
}

impl<'b, 'a> Walk<'_, 'b, 'a, '_> {
    fn run(&mut self) -> Result<()> {
        let (old, new) = (self.before.top()?, self.now.top()?);
        let mut levels: Vec<Pair<'b, 'a>> = self.name(&old, Some(&new))?.into_iter().collect();
        while let Some(pair) = levels.last_mut() {
            match pair.next()? {
                (Some(old), new) => levels.extend(self.name(&old, new.as_ref())?),
                // What only the newest has is current.
                (None, Some(_)) => {}
                (None, None) => drop(levels.pop()),
            }
        }
        Ok(())
    }

    /// Looks at one name of the older version; gives the directories below it that have to be looked at, too.
    fn name(&mut self, old: &Found<'b>, new: Option<&Found<'a>>) -> Result<Option<Pair<'b, 'a>>> {
        if !old.is_dir() {
            if new.is_none_or(|new| !same_file(&old.entry, &new.entry)) {
                self.teller.file(self.before.nodes(), &old.entry, new.is_none())?;
            }
            return Ok(None);
        }
        if self.run.stop.asked() {
            return Err(Fault::new(Code::Interrupted, "it was interrupted"));
        }
        let new = new.filter(|new| new.is_dir());
        if let Some(content) = same_tree(self.before, old) {
            let beside = new.map(|new| same_tree(self.now, new));
            if beside == Some(Some(content)) {
                return Ok(None);
            }
            // Beside a directory into which sources are mounted, more than its content counts.
            if beside != Some(None) {
                let beside = beside.flatten();
                let mut hasher = blake3::Hasher::new();
                hasher.update(content.bytes());
                hasher.update(beside.as_ref().map_or(&[][..], |beside| beside.bytes()));
                if !self.walked.is_new(half(hasher.finalize().as_bytes())) {
                    return Ok(None);
                }
            }
        }
        Ok(Some(Pair::new(Some(self.before.children(old)), new.map(|new| self.now.children(new)), 0)))
    }
}

/// Whether a file is what the newest version has at its path. Of other kinds nothing is stored in boxes.
fn same_file(old: &Entry, new: &Entry) -> bool {
    old.what.kind() == new.what.kind() && same_content(old, new)
}

fn half(id: &[u8; 32]) -> u128 {
    let (halves, _) = id.as_chunks::<16>();
    halves.first().map_or(0, |half| u128::from_le_bytes(*half))
}

/// Tells the server of chunks.
struct Teller<'r> {
    remote: &'r Remote,
    call: Call,
    batch: SplitBatch,
    /// Messages without an answer.
    ahead: usize,
    told: [Memory; 2],
}

impl<'r> Teller<'r> {
    fn begin(remote: &'r Remote) -> Result<Self> {
        let first = Request::Split(SplitBatch::default());
        let call = remote.call(Class::Interactive, &first).map_err(|error| remote.explain(&error))?;
        Ok(Self { remote, call, batch: SplitBatch::default(), ahead: 1, told: Default::default() })
    }

    /// All chunks of an entry.
    fn file(&mut self, nodes: &dyn NodeSource, entry: &Entry, deleted: bool) -> Result<()> {
        let What::File { size, content, .. } = &entry.what else { return Ok(()) };
        if let Content::List { content, .. } = content
            && !self.is_new(content.bytes(), deleted)
        {
            return Ok(());
        }
        for piece in PieceReader::new(nodes, content, *size) {
            if let Piece::Data { id, .. } = piece? {
                self.chunk(id, deleted)?;
            }
        }
        Ok(())
    }

    fn is_new(&mut self, id: &[u8; 32], deleted: bool) -> bool {
        let [old, gone] = &mut self.told;
        if deleted { gone.is_new(half(id)) } else { old.is_new(half(id)) }
    }

    fn chunk(&mut self, id: ChunkId, deleted: bool) -> Result<()> {
        if !self.is_new(id.bytes(), deleted) {
            return Ok(());
        }
        let ids = if deleted { &mut self.batch.deleted } else { &mut self.batch.old };
        ids.extend_from_slice(id.bytes());
        if ids.len() >= IDS_MAX * 32 { self.send() } else { Ok(()) }
    }

    fn send(&mut self) -> Result<()> {
        let batch = std::mem::take(&mut self.batch);
        self.ahead += 1;
        match self.call.send_message(encode(&batch)) {
            Ok(()) => {}
            // A server that has refused says why among what is still to be read.
            Err(transport::Error::Ended) => {
                while self.ahead > 0 {
                    self.taken()?;
                }
            }
            Err(error) => return Err(self.remote.explain(&error)),
        }
        while self.ahead > AHEAD {
            self.taken()?;
        }
        Ok(())
    }

    fn taken(&mut self) -> Result<()> {
        match self.remote.reply(&self.call)? {
            SplitTold::Taken => self.ahead -= 1,
            SplitTold::Done(_) => return Err(protocol("an end before the last")),
        }
        Ok(())
    }

    fn finish(mut self) -> Result<SplitDone> {
        self.batch.last = true;
        self.send()?;
        self.remote.end(&self.call)?;
        while self.ahead > 1 {
            self.taken()?;
        }
        match self.remote.reply(&self.call)? {
            SplitTold::Done(done) => Ok(*done),
            SplitTold::Taken => Err(protocol("no end after the last")),
        }
    }
}
