//! Uploads.
//!
//! A session is a folder in `staging`. It lives as long as somebody holds a lock in it: `lock`, which the process that
//! began it holds; `lock-<generation>`, for one that took it over from a process that still hangs; `stripe-<random>/lock`,
//! for a stripe, whose unfinished packs are in that folder. Its `token` says whose it is and in which generation. A resume raises the generation; who holds an older
//! one finds out before every put, publish and commit, and gives up.

use std::path::{Path, PathBuf};

use minicbor::Decoder;

use super::note::{self, NoteKind};
use super::staging::Staging;
use super::{AccountInfo, Domain, Place, layout};
use crate::catalog::{State, Write};
use crate::door::{Disk, Lock, PathKind, random};
use crate::error::{Error, Result};
use crate::id::{AccountId, ChunkId, NodeId, SessionId, SourceId};
use crate::record::{Record, RecordKind};

/// Most sources of a session.
const SOURCES_MAX: usize = 4_096;

/// What a session's folder says of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Token {
    /// Rises with each resume.
    pub(super) generation: u64,
    pub(super) account: AccountId,
    pub(super) sources: Vec<SourceId>,
    /// Drawn from the catalog when the session began.
    pub(super) number: u64,
    /// The catalog's generation then: what was condemned later, the session may have been told to be here.
    pub(super) catalog: u64,
}

impl Token {
    fn path(dir: &Path) -> PathBuf {
        dir.join("token")
    }

    /// `None` when there is none, or none that can be read: the session is of no more use then.
    pub(super) fn load(disk: &dyn Disk, dir: &Path) -> Result<Option<Self>> {
        match note::read(disk, NoteKind::Session, &Self::path(dir)) {
            Ok(content) => Ok(Self::decode(&content).ok()),
            Err(Error::NotFound { .. } | Error::Damaged { .. }) => Ok(None),
            Err(e) => Err(e),
        }
    }

    /// `Busy` unless the session is still in this generation.
    pub(super) fn check(disk: &dyn Disk, dir: &Path, generation: u64) -> Result<()> {
        match Self::load(disk, dir)? {
            Some(token) if token.generation == generation => Ok(()),
            _ => Err(Error::Busy { what: "session overtaken".to_owned() }),
        }
    }

    /// Puts it in the place of what is there. It needs not survive a power cut: no session does, only its records.
    fn store(&self, disk: &dyn Disk, dir: &Path) -> Result<()> {
        let temporary = dir.join("token.new");
        match disk.remove_file(&temporary) {
            Ok(()) | Err(Error::NotFound { .. }) => {}
            Err(e) => return Err(e),
        }
        disk.create_new(&temporary)?.append(&note::encode(NoteKind::Session, &self.encode())?)?;
        disk.rename(&temporary, &Self::path(dir))
    }

    fn encode(&self) -> Vec<u8> {
        note::content(|e| self.encode_into(e))
    }

    fn encode_into(&self, e: &mut note::Writer<'_>) -> note::Written {
        e.map(5)?.u8(0)?.u64(self.generation)?.u8(1)?.encode(self.account)?;
        e.u8(2)?.encode(&self.sources)?.u8(3)?.u64(self.number)?.u8(4)?.u64(self.catalog)?;
        Ok(())
    }

    fn decode(bytes: &[u8]) -> Result<Self, minicbor::decode::Error> {
        let mut d = Decoder::new(bytes);
        let mut token = Self { generation: 0, account: AccountId::ZERO, sources: Vec::new(), number: 0, catalog: 0 };
        let members = d.map()?.ok_or_else(|| minicbor::decode::Error::message("a map without length"))?;
        for _ in 0..members {
            match d.u64()? {
                0 => token.generation = d.u64()?,
                1 => token.account = d.decode()?,
                2 => token.sources = d.array_iter()?.collect::<Result<_, _>>()?,
                3 => token.number = d.u64()?,
                4 => token.catalog = d.u64()?,
                _ => d.skip()?,
            }
        }
        Ok(token)
    }
}

/// One upload. Dropping it leaves what it staged to whoever begins or opens next; [`end`](Self::end) publishes it.
pub struct Session {
    pub(super) domain: Domain,
    pub(super) account: AccountInfo,
    pub(super) dir: PathBuf,
    pub(super) holes: bool,
    id: SessionId,
    generation: u64,
    sources: Vec<SourceId>,
    staging: Staging,
    locks: Vec<Lock>,
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Session({}, generation {})", self.id, self.generation)
    }
}

impl Domain {
    /// Begins an upload for these sources, or takes the given session over from a process that has lost its client.
    /// First adopts what dead sessions left. `Busy` when another live session holds one of the sources; `Refused` when
    /// nothing may be added to the account.
    pub fn begin(&self, account: &AccountInfo, sources: &[SourceId], session: Option<SessionId>) -> Result<Session> {
        let shared = &self.inner.shared;
        shared.must_write()?;
        let account = self.account_now(account)?;
        account.check_open()?;
        if sources.len() > SOURCES_MAX {
            let (found, most) = (sources.len() as u64, SOURCES_MAX as u64);
            return Err(Error::Limit { what: "sources of a session", found, most });
        }
        self.adopt_dead(session)?;
        self.mend_links()?;
        let id = session.unwrap_or_else(|| SessionId::new(random(&*shared.chance)));
        let dir = self.inner.paths.session(id);
        // Folders of sessions are made, taken over and removed under the catalog's write lock, so that no two do so.
        let write = self.inner.catalog.write()?;
        let begun = self.begin_locked(&write, &account, sources, id, &dir);
        match begun {
            Ok(session) => {
                // Left by the process whose session this was: what it acknowledged belongs to the next commit. It
                // may still hang; what it writes from now on was never acknowledged to anybody.
                let left = self.left_in_all(&dir)?;
                write.commit()?;
                match self.adopt_left(&left) {
                    // What waits for a disk is lacking until then, and sent again.
                    Ok(()) | Err(Error::Absent { .. }) => Ok(session),
                    Err(e) => Err(e),
                }
            }
            Err(e) => {
                // Only an empty folder goes; a resumed session keeps what it has.
                self.remove_if_bare(&dir);
                Err(e)
            }
        }
    }

    fn begin_locked(
        &self,
        write: &Write<'_>,
        account: &AccountInfo,
        sources: &[SourceId],
        id: SessionId,
        dir: &Path,
    ) -> Result<Session> {
        let disk = &*self.inner.shared.disk;
        super::account::make_dir(disk, dir)?;
        let before = Token::load(disk, dir)?;
        if before.as_ref().is_some_and(|token| token.account != account.id) {
            return Err(Error::Refused { why: format!("the session {id} belongs to another account") });
        }
        let generation = before.as_ref().map_or(0, |token| token.generation).saturating_add(1);
        let mut alone = true;
        let mut locks = Vec::new();
        for lock in self.main_locks_in(dir)? {
            match disk.lock(&lock)? {
                Some(lock) => locks.push(lock),
                None => alone = false,
            }
        }
        if !alone {
            let own = dir.join(format!("lock-{generation}"));
            let own = disk.lock(&own)?.ok_or_else(|| Error::Busy { what: format!("the session {id}") })?;
            locks.push(own);
        }
        for source in sources {
            let lock = disk.lock(&self.inner.paths.source_lock(*source))?;
            // Free, and yet another's: of a session that was taken over from a process which is gone now. Taken, and
            // yet ours: by the process that this one takes over from.
            let ours = before.as_ref().is_some_and(|token| token.sources.contains(source));
            if self.held_by_another(*source, id)? || (lock.is_none() && !ours) {
                return Err(Error::Busy { what: format!("the source {source}") });
            }
            locks.extend(lock);
        }
        let (number, catalog) = match &before {
            Some(token) => (token.number, token.catalog),
            None => (write.rows().next_session()?, write.rows().generation()?),
        };
        let token = Token { generation, account: account.id, sources: sources.to_vec(), number, catalog };
        token.store(disk, dir)?;
        Ok(Session {
            domain: self.clone(),
            staging: Staging::new(self, dir, account, id, number),
            account: account.clone(),
            dir: dir.to_owned(),
            holes: false,
            id,
            generation,
            sources: sources.to_vec(),
            locks,
        })
    }

    /// The lock files of a session, its stripes' included; `lock` is one whether it is there or not.
    pub(super) fn locks_in(&self, dir: &Path) -> Result<Vec<PathBuf>> {
        let mut locks = self.main_locks_in(dir)?;
        locks.extend(self.stripes_in(dir)?.iter().map(|stripe| stripe.join("lock")));
        Ok(locks)
    }

    /// Those of the processes that lead it, or led it.
    fn main_locks_in(&self, dir: &Path) -> Result<Vec<PathBuf>> {
        let named = self.inner.shared.disk.list(dir)?;
        let others = named.iter().filter(|n| n.kind == PathKind::File).filter_map(|n| n.name.to_str());
        let others = others.filter(|name| name.starts_with("lock-")).map(|name| dir.join(name));
        Ok(std::iter::once(dir.join("lock")).chain(others).collect())
    }

    /// Whether another live session is for this source.
    fn held_by_another(&self, source: SourceId, session: SessionId) -> Result<bool> {
        let disk = &*self.inner.shared.disk;
        let staging = self.inner.paths.staging();
        for named in disk.list(&staging)? {
            let dir = staging.join(&named.name);
            if layout::session_id(&named.name).is_some_and(|id| id != session)
                && Token::load(disk, &dir)?.is_some_and(|token| token.sources.contains(&source))
                && self.lock_all(&dir)?.is_none()
            {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Whether this very record, to the last byte, is in a good place.
    fn has_record(&self, record: &Record) -> Result<bool> {
        let hash = record.cipher_hash();
        let is_good = |place: &Place, state: State| state == State::Good && place.hash == hash;
        self.inner.catalog.read(|rows| match record.header.kind {
            RecordKind::Box => {
                let first: Vec<ChunkId> = record.chunk_ids()?.into_iter().take(1).collect();
                let places = rows.all_places_of_chunks(&first)?;
                Ok(places.iter().flatten().any(|(place, state)| is_good(place, *state)))
            }
            RecordKind::Group => {
                let first: Vec<NodeId> = record.nodes()?.into_iter().take(1).map(|(id, _)| id).collect();
                let places = rows.places_of_nodes(&first)?;
                Ok(places.iter().flatten().any(|at| is_good(&at.place, at.state)))
            }
            _ => Ok(false),
        })
    }

    pub(super) fn account_now(&self, account: &AccountInfo) -> Result<AccountInfo> {
        super::account::load_now(&self.inner.shared, &self.inner.paths, account)
    }
}

impl Session {
    /// Its id: what a client names to resume it.
    #[must_use]
    pub fn id(&self) -> SessionId {
        self.id
    }

    /// What it was begun for.
    #[must_use]
    pub fn sources(&self) -> &[SourceId] {
        &self.sources
    }

    /// `Busy` when another process has taken this session over: drop it then. Put, publish and commit look by
    /// themselves; a server that only waits looks every second.
    pub fn check_mine(&self) -> Result<()> {
        Token::check(&*self.domain.inner.shared.disk, &self.dir, self.generation)
    }

    /// Stages a box or a group. The same again is harmless. Full packs are published at once. In a session that was resumed
    /// a record that is here already is not stored twice: a client sends again what was not acknowledged to it, and some of
    /// that had come.
    pub fn put(&mut self, record: &Record) -> Result<()> {
        self.check_mine()?;
        if self.generation > 1 && self.domain.has_record(record)? {
            return Ok(());
        }
        if let Some(full) = self.staging.put(record)? {
            self.domain.publish(&[full])?;
        }
        Ok(())
    }

    /// Bytes that are staged here and not yet published.
    #[cfg(test)]
    pub(super) fn staged_bytes(&self) -> u64 {
        self.staging.bytes()
    }

    /// Hands what was put to the system: from then on it survives the end of this process, and is adopted.
    pub fn flush(&mut self) -> Result<()> {
        self.staging.flush()
    }

    /// Publishes everything that was put, here, by stripes that have finished, and by those that have died: from then on the questions about
    /// lacking chunks answer with it, in every session.
    pub fn publish(&mut self) -> Result<()> {
        self.check_mine()?;
        // What is not adopted is lacking in the commit, and sent again.
        self.domain.adopt_stripes(&self.dir).ok();
        let mut finished = self.staging.finish()?;
        finished.extend(self.domain.handed_over(&self.dir)?);
        self.domain.publish(&finished)
    }

    /// What a damaged vault can no longer give counts as known in the commits that follow, so that what a source no
    /// longer has does not keep everything else from being committed. Without it such things are told as lacking.
    pub fn allow_holes(&mut self, allow: bool) {
        self.holes = allow;
    }

    /// Publishes everything that was put and ends the session.
    pub fn end(mut self) -> Result<()> {
        self.publish()?;
        let disk = &*self.domain.inner.shared.disk;
        for source in &self.sources {
            // While the lock is held, so nobody else's lock goes. A file that stays is of no meaning.
            disk.remove_file(&self.domain.inner.paths.source_lock(*source)).ok();
        }
        self.locks.clear();
        // Whatever a process left that this one was taken over from; nothing depends on it.
        self.domain.adopt_one(&self.dir).ok();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_go_there_and_back() {
        let token = Token {
            generation: 3,
            account: AccountId::new([1; 16]),
            sources: vec![SourceId::new([2; 16]), SourceId::new([3; 16])],
            number: 9,
            catalog: 4,
        };
        assert_eq!(Token::decode(&token.encode()).unwrap(), token);
        assert!(Token::decode(&[]).is_err());
    }
}
