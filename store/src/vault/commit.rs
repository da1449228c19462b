//! The one order in which a version comes to be. Everything durable that a backup does is in this file.
//!
//! *Publishing* packs, with a commit or long before it:
//!
//! 1. Footer and trailer are written and the file is synced. What has a final name is whole.
//! 2. Each pack gets its final name, which never replaces anything; the folders are synced. From here on it survives.
//! 3. Rows in the catalog, in one transaction. If the program ends before, whoever opens next finds the pack and takes
//!    it in; so a row never names a pack that is not there.
//! 4. The names in staging go. Until then a pack has two; adoption looks for the final one first.
//!
//! In a vault with volumes a pack may be copied to one of them between 1 and 2, and 2 and 3 are under one write lock.
//!
//! *Committing* a link:
//!
//! 5. `BEGIN IMMEDIATE`: from here on nobody else commits in this domain. Nothing is waited for but the disk.
//! 6. Links on disk that the catalog lacks are taken in, so that what follows is decided by the truth: somebody may
//!    have ended between steps 12 and 14.
//! 7. The same signed bytes under the same number: the same receipt again, and nothing is done.
//! 8. The link follows the head, else conflict. Certificate, signature and body are good, else an error.
//! 9. Closure: everything below the roots is here, else lacking. What was condemned and is needed is revived.
//! 10. The body is written, synced, given the name of its hash; the folder is synced. A body that no link names harms
//!     nobody; a link without its body would.
//! 11. The link, with the receipt, is written to a temporary file and synced.
//! 12. The link gets its name, which must be new: **this is the commit point**. Before it nothing has happened; after
//!     it the version is there, whatever else fails.
//! 13. The folder is synced, so that the name survives a power cut.
//! 14. Rows, `COMMIT`. If they fail, the next one who commits (step 6), or asks for the links, takes the link in.
//!
//! After step 12 nothing is undone. A failure of step 13 is met by a sync of the link itself under its new name, which
//! makes the name durable on journalling file systems; only when that fails too is the caller told, because then nobody
//! can promise that the version survives. Asking again with the same bytes then gives the receipt or does it anew.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::closure::{Closure, Holes};
use super::domain::head_of;
use super::volumes::{Copied, choose};
use super::{AccountInfo, Domain, Head, Place, Session, account, note};
use crate::catalog::{LinkRow, NewPack, Rows, Write};
use crate::chain::{self, Certificate, LinkKind, RECEIVED_LINK_BYTES, ReceivedLink, SignedLink, Verifier};
use crate::error::{Error, Result};
use crate::id::{BodyHash, ChainHash, ChunkId, NodeId};
use crate::pack::{FinishedPack, side_path};
use crate::record::Record;

/// How often the number of a link may be taken under our eyes. Once means that a catalog was made anew beside a process
/// that still uses the old one; always, that a link stands there which cannot be taken in.
const TRIES: usize = 4;

/// What became of a commit that met no error.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::large_enum_variant, reason = "one at a time, and short-lived")]
pub enum Outcome {
    /// It is there, and survives a power cut; with its receipt.
    Committed(ReceivedLink),
    /// Another link came first: look at the head, make the link again and sign it.
    Conflict(Option<Head>),
    /// Something that the roots need is not here, or cannot be read: send it, then commit again. The lists may be
    /// cut short when they are very long.
    Lacking {
        /// Chunks, each once.
        chunks: Vec<ChunkId>,
        /// Nodes, each once.
        nodes: Vec<NodeId>,
    },
}

impl Domain {
    /// Steps 1 (the end of it) to 4 for packs that were finished.
    pub(super) fn publish(&self, finished: &[FinishedPack]) -> Result<()> {
        if finished.is_empty() {
            return Ok(());
        }
        let shared = &self.inner.shared;
        if !shared.volumes_now()?.is_empty() {
            return self.publish_in_volumes(finished);
        }
        // That of the folders too, always: one that is there may have been made a moment ago by a process that has not
        // yet synced its name, or never will.
        let packs = self.inner.paths.packs();
        let mut folders = BTreeSet::from([packs.root().to_owned()]);
        for pack in finished {
            let to = packs.pack(pack.header.pack);
            let [first, ..] = *pack.header.pack.bytes();
            let folder = packs.under(first);
            if shared.disk.exists(&folder)?.is_none() {
                account::make_dir(&*shared.disk, &folder)?;
            }
            shared.name_new(&pack.path, &to)?;
            folders.insert(folder);
        }
        for folder in &folders {
            shared.disk.sync_dir(folder)?;
        }
        self.published(self.inner.catalog.write()?, finished)
    }

    /// Steps 3 and 4.
    fn published(&self, write: Write<'_>, finished: &[FinishedPack]) -> Result<()> {
        let rows: Vec<NewPack<'_>> =
            finished.iter().map(|p| NewPack { header: &p.header, bytes: p.bytes, lines: &p.lines }).collect();
        write.rows().bring_packs(&rows)?;
        write.commit()?;
        for pack in finished {
            // A name that stays is found by adoption and removed then.
            self.remove(&pack.path).and_then(|()| self.remove(&side_path(&pack.path))).ok();
        }
        Ok(())
    }

    /// The same where packs may go to further volumes: what goes there is copied first, which takes its time; then, under the
    /// catalog's write lock, the packs get their names. Whoever removes a volume says so in the vault's file and then takes
    /// that lock once: so nothing comes into it afterwards. What was copied for it stays at home.
    fn publish_in_volumes(&self, finished: &[FinishedPack]) -> Result<()> {
        let shared = &self.inner.shared;
        let spare = self.spare()?;
        let mut copies = Vec::with_capacity(finished.len());
        for pack in finished {
            copies.push(self.copy_out(pack, spare)?);
        }
        let write = self.inner.catalog.write()?;
        let listed = shared.volumes_now()?;
        for (pack, copy) in finished.iter().zip(&copies) {
            let id = pack.header.pack;
            match self.find_pack(id) {
                // Who adopts a pack has asked before whether a volume that is away may have it.
                Ok(None) | Err(Error::Absent { .. }) => {}
                // Whoever named it ended before its rows.
                Ok(Some(there)) if self.same(&there, &pack.path)? => {
                    self.sync_name(&there)?;
                    continue;
                }
                Ok(Some(there)) => return Err(Error::Taken { what: there.display().to_string() }),
                Err(e) => return Err(e),
            }
            let takes = |number| {
                let volume = listed.iter().find(|volume| volume.number == number);
                volume.is_some_and(|volume| !volume.leaving && shared.is_there(volume))
            };
            match copy.as_ref().filter(|copy| takes(copy.volume)) {
                Some(copy) => self.name_pack(&copy.temporary, &copy.folder, id)?,
                None => self.name_pack(&pack.path, &self.inner.paths.packs(), id)?,
            }
        }
        self.published(write, finished)?;
        for copy in copies.iter().flatten() {
            // A name that stays is rubbish to housekeeping.
            self.remove(&copy.temporary).ok();
        }
        Ok(())
    }

    /// A copy of a pack in the volume where it is to go. `None` when it stays at home, where it is staged: as all are full,
    /// or as that disk does not take it, full since or only to be read. No backup fails for it.
    fn copy_out(&self, pack: &FinishedPack, spare: u64) -> Result<Option<Copied>> {
        let goals = self.inner.shared.goals()?;
        let goal = choose(&goals, pack.header.pack, pack.header.kind, pack.bytes.saturating_add(spare));
        let goal = goal.filter(|goal| goal.number() != 0);
        Ok(goal.and_then(|goal| self.copy_to(goal, &pack.path, pack.header.pack).ok()))
    }

    /// What may follow the links that the catalog holds: the rules of FORMAT.md, 6.2, at the head.
    pub(super) fn verifier(&self, rows: Rows<'_>, account: &AccountInfo) -> Result<Verifier> {
        let Some(identity) = account.identity else {
            return Err(Error::Refused { why: format!("no key is bound to the account {}", account.name) });
        };
        let Some(newest) = rows.newest_link(account.number)? else {
            return Ok(Verifier::new(account.id, identity));
        };
        let mut certificates: Vec<Certificate> = Vec::new();
        for link in rows.links_of_kind(account.number, LinkKind::Device.number())? {
            // Without it a good signature would pass for a bad one.
            let body = self.body_record(account.number, link.body)?.ok_or_else(|| {
                let why = "it is not there, and newer links cannot be judged without it";
                Error::damaged("body of a device link", why).at(|| format!("link {}", link.sequence))
            })?;
            certificates.push(chain::certificate_of(&body)?);
        }
        let keyring = rows.links_of_kind(account.number, LinkKind::Key.number())?;
        let keyring = keyring.last().map_or(BodyHash::ZERO, |link| link.body);
        Verifier::resume(account.id, identity, head_of(&newest.bytes)?, keyring, certificates)
    }
}

impl Session {
    /// Publishes what was put, then commits this link with its body (which may be left out when it is there already).
    /// See the beginning of this file for the order, and [`Outcome`] for the answers. After `Conflict` and `Lacking`
    /// the session goes on; after `Committed` too, as checkpoints of a long backup need.
    pub fn commit(&mut self, link: &SignedLink, body: Option<&Record>) -> Result<Outcome> {
        check_known(link)?;
        self.publish()?;
        let account = account::load_now(&self.domain.inner.shared, &self.domain.inner.paths, &self.account)?;
        account.check_open()?;
        for _ in 0..TRIES {
            self.check_mine()?;
            let mut damaged = Vec::new();
            let outcome = self.try_commit(&account, link, body, &mut damaged);
            for place in &damaged {
                // The next closure finds it again.
                self.domain.note_damage(place).ok();
            }
            match outcome {
                Ok(Some(outcome)) => return Ok(outcome),
                Ok(None) => {}
                Err(e) => {
                    if e.is_damage() {
                        // The next session is told what to give back.
                        self.domain.doubt_wanted().ok();
                    }
                    return Err(e);
                }
            }
        }
        Err(Error::damaged("link", "there is one of this number that does not follow the others")
            .at(|| self.domain.inner.paths.link(account.number, link.link().sequence).display().to_string()))
    }

    /// Steps 5 to 14. `None` when the number was taken in between.
    fn try_commit(
        &self,
        account: &AccountInfo,
        link: &SignedLink,
        body: Option<&Record>,
        damaged: &mut Vec<Place>,
    ) -> Result<Option<Outcome>> {
        let domain = &self.domain;
        let write = domain.inner.catalog.write()?;
        domain.take_in_links(write.rows(), account)?;
        domain.take_in_damaged(write.rows())?;
        if let Some(body) = body
            && let Some(row) = write.rows().link(account.number, link.link().sequence)?
            && (row.body == link.link().body && chain::body_hash(body) == row.body)
        {
            // The vault may have lost it, and may need it to judge links. One that was allowed to go stays away: what it
            // needs may have gone after it.
            let there = domain.body_of(account.number, row.body).is_ok_and(|there| there.is_some());
            if there || !domain.has_gone(write.rows(), account, row.sequence)? {
                self.store_body(account.number, row.body, body)?;
            }
        }
        let verifier = domain.verifier(write.rows(), account)?;
        let head = verifier.head();
        let follows = link.link().sequence.checked_sub(1) == Some(head.map_or(0, |head| head.sequence))
            && link.link().previous == head.map_or(ChainHash::ZERO, |head| head.chain);
        if !follows {
            let there = write.rows().link(account.number, link.link().sequence)?;
            // What was taken in is true whatever becomes of this link; if it does not stay, it is taken in again.
            write.commit().ok();
            let there = there.map(|row| ReceivedLink::decode(&row.bytes)).transpose()?;
            return Ok(Some(match there.filter(|there| there.signed() == link) {
                Some(there) => Outcome::Committed(there),
                None => Outcome::Conflict(head),
            }));
        }
        let loaded = match body {
            Some(_) => None,
            None => domain.body_record(account.number, link.link().body)?,
        };
        let body = body.or(loaded.as_ref()).ok_or_else(|| Error::damaged("link", "its body is not here"))?;
        if body.header.domain != domain.id() {
            return Err(Error::damaged("body", "it belongs to another domain"));
        }
        verifier.check_next(link, Some(body))?;
        let packs = write.rows().pack_totals()?.1;
        domain.check_body(account, link.link().kind.is_version(), body.wire_len() as u64, packs)?;

        let closure = if link.link().kind.is_version() {
            let roots: Vec<NodeId> = chain::clear_sources(body)?.into_iter().map(|(_, root, _)| root).collect();
            let holes = if self.holes { Holes::Damaged } else { Holes::None };
            domain.closure(write.rows(), &roots, holes)?
        } else {
            Closure::default()
        };
        damaged.extend(closure.damaged.iter().copied());
        if !closure.is_whole() {
            return Ok(Some(Outcome::Lacking { chunks: closure.lacking_chunks, nodes: closure.lacking_nodes }));
        }

        let received = link.with_receipt(domain.inner.shared.id, domain.inner.shared.clock.now_ms());
        self.store_body(account.number, link.link().body, body)?;
        if !self.store_link(account.number, &received)? {
            return Ok(None);
        }
        // It is committed. Whatever fails now, the next one takes it in.
        finish(write, account.number, &received, &closure).ok();
        Ok(Some(Outcome::Committed(received)))
    }

    /// Step 10.
    fn store_body(&self, account: u32, hash: BodyHash, body: &Record) -> Result<()> {
        let (shared, paths) = (&self.domain.inner.shared, &self.domain.inner.paths);
        let to = paths.body(account, hash);
        if self.domain.body_of(account, hash).is_ok_and(|there| there.is_some()) {
            // Of an attempt that came no further; its name may not have been synced.
            return shared.disk.sync_dir(&paths.bodies(account));
        }
        let mut bytes = Vec::new();
        body.encode(&mut bytes);
        let temporary = self.temporary(&bytes)?;
        let named = match shared.name_new(&temporary, &to) {
            // There, and not what its name says: it can only be made better.
            Err(Error::Taken { .. }) => shared.disk.rename(&temporary, &to),
            other => other,
        };
        self.domain.remove(&temporary).ok();
        named?;
        shared.disk.sync_dir(&paths.bodies(account))
    }

    /// Steps 11 to 13. Whether the number was still free.
    fn store_link(&self, account: u32, received: &ReceivedLink) -> Result<bool> {
        let (shared, paths) = (&self.domain.inner.shared, &self.domain.inner.paths);
        let to = paths.link(account, received.link().sequence);
        let bytes = received.encode();
        let temporary = self.temporary(&bytes)?;
        let named = shared.name_new(&temporary, &to);
        // An error does not always mean that it was not done: a network file system may lose the answer.
        let ours = || shared.disk.read(&to, RECEIVED_LINK_BYTES).is_ok_and(|there| there == bytes);
        let result = match named {
            Ok(()) => Ok(true),
            Err(_) if ours() => Ok(true),
            Err(Error::Taken { .. }) => Ok(false),
            Err(e) => Err(e),
        };
        self.domain.remove(&temporary).ok();
        if matches!(result, Ok(true))
            && let Err(e) = shared.disk.sync_dir(&paths.versions(account))
        {
            shared.disk.open_append(&to).and_then(|mut file| file.sync()).map_err(|_| e)?;
        }
        result
    }

    /// A synced file in the session's folder.
    fn temporary(&self, bytes: &[u8]) -> Result<PathBuf> {
        let shared = &self.domain.inner.shared;
        let path: &Path = &self.dir;
        let path = note::temporary(&*shared.chance, path);
        note::write_new(&*shared.disk, &path, bytes)?;
        Ok(path)
    }
}

/// Step 14.
fn finish(write: Write<'_>, account: u32, received: &ReceivedLink, closure: &Closure) -> Result<()> {
    let rows = write.rows();
    rows.insert_link(account, &row_of(received))?;
    rows.set_complete(&closure.nodes)?;
    rows.revive(&closure.condemned)?;
    if !closure.leads.is_empty() {
        // A list of what is wanted that is just being made does not know of this version.
        rows.add_leads(&closure.leads)?;
        rows.raise_generation()?;
    }
    if !closure.hole_chunks.is_empty() || !closure.hole_nodes.is_empty() {
        rows.doubt_wanted()?;
    }
    write.commit()
}

/// The row of a link.
pub(super) fn row_of(received: &ReceivedLink) -> LinkRow {
    let link = received.link();
    LinkRow { sequence: link.sequence, kind: link.kind.number(), body: link.body, bytes: received.encode().to_vec() }
}

/// `Newer` for links that only a newer program may add.
fn check_known(link: &SignedLink) -> Result<()> {
    if let LinkKind::Unknown(number) = link.link().kind {
        return Err(Error::Newer { what: "link's kind", found: number.into() });
    }
    let [_, read_compatible, incompatible] = link.features();
    if read_compatible | incompatible != 0 {
        return Err(Error::Newer { what: "link's features", found: read_compatible | incompatible });
    }
    Ok(())
}
