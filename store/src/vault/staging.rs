//! What a session has written and not yet published: the unfinished packs in its staging folder.

use std::path::{Path, PathBuf};

use super::quota::Allowance;
use super::session::Token;
use super::{AccountInfo, Domain, layout};
use crate::door::{Lock, random};
use crate::error::{Error, Result};
use crate::id::{PackId, SessionId};
use crate::limits::{DATA_PACK_BYTES_TARGET, MIXED_PACK_BYTES_MAX, NODE_PACK_BYTES_TARGET};
use crate::pack::{FinishedPack, PackHeader, PackKind, PackWriter, side_path};
use crate::record::{HEADER_BYTES, Record, RecordKind};

/// The packs that one process writes in a session.
///
/// The first records go into one mixed pack, whatever they are, until it holds 1 MiB: a small commit publishes nothing
/// else. What comes after goes into data and node packs.
pub(super) struct Staging {
    domain: Domain,
    dir: PathBuf,
    /// Of every pack; kind and pack id are filled in for each.
    header: PackHeader,
    mixed: Option<PackWriter>,
    mixed_full: bool,
    data: Option<PackWriter>,
    nodes: Option<PackWriter>,
    allowance: Allowance,
}

impl Staging {
    pub(super) fn new(domain: &Domain, dir: &Path, account: &AccountInfo, session: SessionId, number: u64) -> Self {
        let header = PackHeader {
            kind: PackKind::Mixed,
            features: [0; 3],
            domain: domain.id(),
            account: account.id,
            session,
            pack: PackId::ZERO,
            session_number: number,
        };
        Self {
            domain: domain.clone(),
            dir: dir.to_owned(),
            header,
            mixed: None,
            mixed_full: false,
            data: None,
            nodes: None,
            allowance: Allowance::new(account, session),
        }
    }

    /// Adds a box or a group of this account. Gives back a pack that has thereby become full. `Full` when the account's
    /// limit leaves no room for it.
    pub(super) fn put(&mut self, record: &Record) -> Result<Option<FinishedPack>> {
        if record.header.account != self.header.account {
            return Err(Error::damaged("record", "it belongs to another account than its session"));
        }
        let kind = match record.header.kind {
            RecordKind::Box => PackKind::Data,
            RecordKind::Group => PackKind::Nodes,
            other => {
                return Err(Error::Refused { why: format!("records of kind {} are not put", other.number()) });
            }
        };
        let staged = self.bytes();
        self.allowance.take(&self.domain, record, staged)?;
        if !self.mixed_full {
            // What its line in the footer takes is little beside the rest.
            let with_it = (record.stored_len() + 32 * record.header.items as usize + HEADER_BYTES) as u64;
            let so_far = self.mixed.as_ref().map_or(0, PackWriter::bytes);
            if so_far.saturating_add(with_it) <= MIXED_PACK_BYTES_MAX {
                self.append(PackKind::Mixed, record)?;
                return Ok(None);
            }
            self.mixed_full = true;
        }
        if self.append(kind, record)?
            < if kind == PackKind::Data { DATA_PACK_BYTES_TARGET } else { NODE_PACK_BYTES_TARGET }
        {
            return Ok(None);
        }
        self.slot(kind).take().map(PackWriter::finish).transpose()
    }

    fn slot(&mut self, kind: PackKind) -> &mut Option<PackWriter> {
        match kind {
            PackKind::Data => &mut self.data,
            PackKind::Nodes => &mut self.nodes,
            PackKind::Mixed => &mut self.mixed,
        }
    }

    /// Appends to the open pack of this kind and says how long that now is. After an error of the disk the pack is
    /// closed to this process; adoption finds what is whole in it.
    fn append(&mut self, kind: PackKind, record: &Record) -> Result<u64> {
        let writer = match self.slot(kind).take() {
            Some(writer) => writer,
            None => {
                let shared = &self.domain.inner.shared;
                let pack = PackId::new(random(&*shared.chance));
                PackWriter::create(&*shared.disk, &self.dir, PackHeader { kind, pack, ..self.header })?
            }
        };
        let writer = self.slot(kind).insert(writer);
        match writer.append(record) {
            Ok(_) => Ok(writer.bytes()),
            Err(e) => {
                if matches!(e, Error::Disk { .. }) {
                    *self.slot(kind) = None;
                }
                Err(e)
            }
        }
    }

    /// Bytes in unfinished packs.
    pub(super) fn bytes(&self) -> u64 {
        [&self.mixed, &self.data, &self.nodes].into_iter().flatten().map(PackWriter::bytes).sum()
    }

    /// Hands what is in memory to the system, so that it survives the end of this process.
    pub(super) fn flush(&mut self) -> Result<()> {
        for kind in [PackKind::Mixed, PackKind::Data, PackKind::Nodes] {
            if let Some(writer) = self.slot(kind)
                && let Err(e) = writer.flush()
            {
                *self.slot(kind) = None;
                return Err(e);
            }
        }
        Ok(())
    }

    /// Finishes all packs.
    pub(super) fn finish(&mut self) -> Result<Vec<FinishedPack>> {
        let mut out = Vec::new();
        for kind in [PackKind::Data, PackKind::Nodes, PackKind::Mixed] {
            if let Some(writer) = self.slot(kind).take() {
                out.push(writer.finish()?);
            }
        }
        // The next records of this session may again be few.
        self.mixed_full = false;
        Ok(out)
    }
}

/// A second process, or a second channel, that puts records into a session. It publishes nothing: the session itself
/// does, with its next publish or commit, for what was finished by then, and for what a stripe that is dead by then has
/// flushed.
pub struct Stripe {
    domain: Domain,
    /// The session's folder; unfinished packs are in one of the stripe's own below it.
    dir: PathBuf,
    account: u32,
    generation: u64,
    staging: Staging,
    _lock: Lock,
}

impl Domain {
    /// Joins a live session. `NotFound` when there is none of this id.
    pub fn attach(&self, account: &AccountInfo, session: SessionId) -> Result<Stripe> {
        let shared = &self.inner.shared;
        shared.must_write()?;
        let dir = self.inner.paths.session(session);
        // Under the write lock nobody clears the folder while its lock is made.
        let _write = self.inner.catalog.write()?;
        let token = Token::load(&*shared.disk, &dir)?;
        let none = || Error::NotFound { what: "session", name: session.to_string() };
        let token = token.filter(|token| token.account == account.id).ok_or_else(none)?;
        let own = dir.join(layout::stripe_name(random(&*shared.chance)));
        shared.disk.make_dir(&own)?;
        let lock = shared.disk.lock(&own.join("lock"))?.ok_or_else(none)?;
        let staging = Staging::new(self, &own, account, session, token.number);
        Ok(Stripe {
            domain: self.clone(),
            dir,
            account: account.number,
            generation: token.generation,
            staging,
            _lock: lock,
        })
    }
}

impl Stripe {
    /// Adds a box or a group. `Busy` when the session was taken over.
    pub fn put(&mut self, record: &Record) -> Result<()> {
        Token::check(&*self.domain.inner.shared.disk, &self.dir, self.generation)?;
        if let Some(full) = self.staging.put(record)? {
            self.hand_over(full)?;
        }
        Ok(())
    }

    /// Makes everything that was put ready for the session's next publish or commit.
    pub fn finish(&mut self) -> Result<()> {
        Token::check(&*self.domain.inner.shared.disk, &self.dir, self.generation)?;
        for finished in self.staging.finish()? {
            self.hand_over(finished)?;
        }
        Ok(())
    }

    /// Hands what was put to the system: from then on it survives the end of this process, and is adopted.
    pub fn flush(&mut self) -> Result<()> {
        self.staging.flush()
    }

    /// The number of the account that it puts for.
    #[must_use]
    pub fn account_number(&self) -> u32 {
        self.account
    }

    /// A finished pack waits in the session's folder as `<pack id>.done`. Until the name is changed it can still be
    /// adopted by its side file.
    fn hand_over(&self, finished: FinishedPack) -> Result<()> {
        let disk = &*self.domain.inner.shared.disk;
        disk.rename(&finished.path, &self.dir.join(format!("{}.done", finished.header.pack.hex())))?;
        disk.remove_file(&side_path(&finished.path))
    }
}
