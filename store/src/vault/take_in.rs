//! What is on disk and not in the catalog.
//!
//! Packs, links and notes are true, the catalog follows. It is behind when a process ended between a name and its rows,
//! when it was restored from an older copy, or when it is new. So whoever opens a domain takes in what is missing, and
//! whoever commits takes in the links.

use std::collections::{HashMap, HashSet};

use super::closure::Holes;
use super::commit::row_of;
use super::volumes::OnDisk;
use super::{Access, AccountInfo, Domain, Place, account, layout};
use crate::catalog::{LinkRow, NewPack, Rows};
use crate::chain::{self, RECEIVED_LINK_BYTES, ReceivedLink};
use crate::error::{Error, Result};
use crate::id::{BodyHash, NodeId, PackId};
use crate::pack::PackReader;

/// Ids of packs that are given to the catalog at once: rows that go in sorted go in fast.
const IDS_AT_ONCE: usize = 512 << 10;

/// A pack that was read, and not yet given to the catalog.
pub(super) type ReadPack = (PackReader, u64);
/// Links that a catalog had before it was made anew, by account and number.
type KeptLinks = HashMap<(u32, u64), LinkRow>;

impl Domain {
    /// Takes in everything that the catalog lacks. A catalog that is new, or that says what the disk does not, is made
    /// anew.
    pub(super) fn take_in(&self) -> Result<()> {
        let accounts = account::accounts_in(&self.inner.shared, &self.inner.paths, self.id())?;
        let packs = self.on_disk()?;
        let (built, behind) = self.inner.catalog.read(|rows| {
            let built = rows.is_built()? && self.agrees(rows, &accounts)? && self.lost_packs(rows, &packs)?.is_empty();
            let behind = self.is_behind(rows, &accounts, &packs.packs)? || self.must_doubt(rows, &accounts)?;
            Ok((built, behind))
        })?;
        if built && !behind {
            return Ok(());
        }
        let write = self.inner.catalog.write()?;
        let rows = write.rows();
        // Another process may have done it while this one waited.
        let lost = self.lost_packs(rows, &packs)?;
        if rows.is_built()? && self.agrees(rows, &accounts)? && lost.is_empty() {
            self.take_in_all(rows, &accounts, &packs.packs, None)?;
            if self.must_doubt(rows, &accounts)? {
                rows.set_links_in_doubt(true)?;
            }
        } else {
            self.make_anew(rows, &accounts)?;
        }
        write.commit()?;
        for pack in lost {
            // With its rows gone nothing else says that it ever was.
            self.note_lost_pack(pack)?;
        }
        Ok(())
    }

    /// Makes the catalog anew from what is on disk. In a vault that is open for reading, for this process only or
    /// where others may read it, which is the same to them.
    pub fn rebuild(&self) -> Result<()> {
        let accounts = account::accounts_in(&self.inner.shared, &self.inner.paths, self.id())?;
        let write = self.inner.catalog.write()?;
        self.make_anew(write.rows(), &accounts)?;
        write.commit()
    }

    /// Empties the catalog and fills it. The packs are listed only now that nobody else writes: one that somebody
    /// published before would lose its rows for good, and everything in it would lack. `Absent` for the same reason when a
    /// volume is not there, in the beginning or at the end.
    fn make_anew(&self, rows: Rows<'_>, accounts: &[AccountInfo]) -> Result<()> {
        let packs = self.on_disk()?;
        packs.must_be_all()?;
        let kept = self.links_to_keep(rows, accounts)?;
        rows.clear()?;
        self.take_in_all(rows, accounts, &packs.packs, Some(&kept))?;
        self.inner.shared.must_have_all_volumes()
    }

    /// The links of a catalog whose history is that of the disk. Where the disk has lost one since, or the body that
    /// vouches for what follows, this is the only other place that has it: a bad disk rarely loses one thing only.
    fn links_to_keep(&self, rows: Rows<'_>, accounts: &[AccountInfo]) -> Result<KeptLinks> {
        let mut kept = KeptLinks::new();
        if !rows.is_built()? || !self.agrees(rows, accounts)? {
            return Ok(kept);
        }
        for account in accounts {
            let links = rows.links(account.number, 1, usize::MAX)?;
            kept.extend(links.into_iter().map(|link| ((account.number, link.sequence), link)));
        }
        Ok(kept)
    }

    /// Adds what is on disk and has no rows. `anew`: to an empty catalog, beside the links that were kept of the one before.
    fn take_in_all(
        &self,
        rows: Rows<'_>,
        accounts: &[AccountInfo],
        packs: &[(PackId, u64)],
        anew: Option<&KeptLinks>,
    ) -> Result<()> {
        self.take_in_packs(rows, packs, anew.is_some())?;
        self.take_in_damaged(rows)?;
        let none = KeptLinks::new();
        for account in accounts {
            self.take_in_links_or(rows, account, anew.unwrap_or(&none))?;
        }
        rows.set_built()
    }

    /// Packs that have rows and are not on disk, or not as long as they were. They are gone, or the catalog is an old
    /// one. Nothing is lost that may be in a volume which is not there.
    fn lost_packs(&self, rows: Rows<'_>, packs: &OnDisk) -> Result<Vec<PackId>> {
        let there: HashMap<PackId, u64> = packs.packs.iter().copied().collect();
        let mut lost = Vec::new();
        for row in rows.packs()?.into_iter().filter(|row| there.get(&row.id) != Some(&row.bytes)) {
            if !there.contains_key(&row.id) && !packs.absent.is_empty() {
                continue;
            }
            // It may have come after the folders were listed, or its volume gone.
            let found = match self.find_pack(row.id) {
                Ok(Some(path)) => self.inner.shared.disk.exists(&path)?,
                Ok(None) => None,
                Err(Error::Absent { .. }) => continue,
                Err(e) => return Err(e),
            };
            // One in which everything was freed is what housekeeping takes away, before its rows.
            if found.is_none_or(|found| found.len != row.bytes) && !rows.is_emptied(row.id)? {
                lost.push(row.id);
            }
        }
        Ok(lost)
    }

    /// Whether the newest link of each account that both have is the same on disk and in the catalog. If not, it is another
    /// vault's catalog, or one that the disk was set back behind: then the body of its newest link is not there either. A
    /// link that is merely gone, or is there and cannot be read, says nothing: the catalog may be the only one that still
    /// has it.
    fn agrees(&self, rows: Rows<'_>, accounts: &[AccountInfo]) -> Result<bool> {
        for account in accounts {
            let newest = rows.newest_link(account.number)?;
            let mut at = newest.clone();
            while let Some(row) = at {
                let there = match self.link_on_disk(account.number, row.sequence)? {
                    None if newest.as_ref().is_some_and(|newest| newest.sequence == row.sequence)
                        && !self.has_body(account, &row)? =>
                    {
                        return Ok(false);
                    }
                    there => there,
                };
                let Some(there) = there else {
                    at = rows.link(account.number, row.sequence.saturating_sub(1))?;
                    continue;
                };
                let other = |link: ReceivedLink| link.link().sequence == row.sequence;
                if there != row.bytes && ReceivedLink::decode(&there).is_ok_and(other) {
                    return Ok(false);
                }
                break;
            }
        }
        Ok(true)
    }

    fn has_body(&self, account: &AccountInfo, row: &LinkRow) -> Result<bool> {
        let path = self.inner.paths.body(account.number, row.body);
        Ok(row.body == BodyHash::ZERO || self.inner.shared.disk.exists(&path)?.is_some())
    }

    /// Whether the newest link of an account is gone from the disk, and nobody has been told to put it back.
    fn must_doubt(&self, rows: Rows<'_>, accounts: &[AccountInfo]) -> Result<bool> {
        if self.inner.shared.access == Access::Read || rows.links_in_doubt()? {
            return Ok(false);
        }
        for account in accounts {
            if let Some(newest) = rows.newest_link(account.number)?
                && self.inner.shared.disk.exists(&self.inner.paths.link(account.number, newest.sequence))?.is_none()
            {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn is_behind(&self, rows: Rows<'_>, accounts: &[AccountInfo], packs: &[(PackId, u64)]) -> Result<bool> {
        let known: HashSet<PackId> = rows.packs()?.into_iter().map(|pack| pack.id).collect();
        if packs.iter().any(|(id, _)| !known.contains(id)) {
            return Ok(true);
        }
        for account in accounts {
            if self.is_behind_in_links(rows, account)? {
                return Ok(true);
            }
        }
        let notes = super::note::numbers(&*self.inner.shared.disk, &self.inner.paths.damaged())?;
        Ok(notes.last().copied().unwrap_or(0) > rows.damaged_seen()?)
    }

    fn is_behind_in_links(&self, rows: Rows<'_>, account: &AccountInfo) -> Result<bool> {
        let next = rows.newest_link(account.number)?.map_or(1, |link| link.sequence.saturating_add(1));
        Ok(self.inner.shared.disk.exists(&self.inner.paths.link(account.number, next))?.is_some())
    }

    /// What the catalog says once it has every link of this account. It may lack one that was committed a moment ago: step
    /// 14 of a commit may fail, and whoever asks may have been told of the link.
    pub(super) fn read_with_links<T>(&self, account: &AccountInfo, ask: impl Fn(Rows<'_>) -> Result<T>) -> Result<T> {
        if !self.inner.catalog.read(|rows| self.is_behind_in_links(rows, account))? {
            return self.inner.catalog.read(ask);
        }
        let write = match self.inner.catalog.write() {
            Err(_) if self.inner.shared.access == Access::Read => return self.inner.catalog.read(ask),
            other => other?,
        };
        self.take_in_links(write.rows(), account)?;
        let answer = ask(write.rows())?;
        // It is true whatever becomes of the rows, for which there may be no room: they are taken in again.
        write.commit().ok();
        Ok(answer)
    }

    /// Whether there are links of this account that were not taken in: one that cannot be read, breaks a rule or is missing
    /// hides all that follow it. What they need is not known, and nothing may be taken for rubbish.
    pub(super) fn hides_links(&self, account: &AccountInfo) -> Result<bool> {
        let hidden = |rows: Rows<'_>| {
            let newest = rows.newest_link(account.number)?.map_or(0, |link| link.sequence);
            Ok(!self.links_above(account.number, newest)?.is_empty())
        };
        // One that was committed a moment ago is taken in before it is asked again.
        Ok(self.inner.catalog.read(hidden)? && self.read_with_links(account, hidden)?)
    }

    /// The same within a change, of the very next link: after it was tried to take it in.
    pub(super) fn hides_next_link(&self, rows: Rows<'_>, account: &AccountInfo) -> Result<bool> {
        self.is_behind_in_links(rows, account)
    }

    /// Numbers of the links on disk that are above this one, ascending.
    pub(super) fn links_above(&self, account: u32, newest: u64) -> Result<Vec<u64>> {
        let names = self.inner.shared.disk.names(&self.inner.paths.versions(account))?;
        let numbers = names.iter().filter_map(|name| layout::numbered(name, 12, ".link"));
        Ok(numbers.filter(|number| *number > newest).collect())
    }

    /// The bytes of a link; `None` when there is no file of that name.
    pub(super) fn link_on_disk(&self, account: u32, sequence: u64) -> Result<Option<Vec<u8>>> {
        match self.inner.shared.disk.read(&self.inner.paths.link(account, sequence), RECEIVED_LINK_BYTES) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(Error::NotFound { .. }) => Ok(None),
            Err(Error::Limit { .. }) => Ok(Some(Vec::new())),
            Err(e) => Err(e),
        }
    }

    /// Gives the catalog the packs that it lacks. One that cannot be read is passed over: everything that only it
    /// holds is then lacking, and `check` tells of it.
    fn take_in_packs(&self, rows: Rows<'_>, packs: &[(PackId, u64)], anew: bool) -> Result<()> {
        let mut read: Vec<ReadPack> = Vec::new();
        let mut ids = 0;
        let mut synced = HashSet::new();
        for (id, _) in packs {
            if rows.has_pack(*id)? {
                continue;
            }
            // Its name may be one that a process left without syncing, and so may that of its folder.
            let path = self.pack_path(*id)?;
            for folder in path.ancestors().skip(1).take(2) {
                if synced.insert(folder.to_owned()) {
                    self.sync_when_writing(folder)?;
                }
            }
            let Ok((reader, bytes)) = self.open_pack(*id) else { continue };
            ids += reader.lines().iter().map(|line| 1 + line.ids.len()).sum::<usize>();
            read.push((reader, bytes));
            if ids >= IDS_AT_ONCE {
                insert(rows, &read, anew)?;
                read.clear();
                ids = 0;
            }
        }
        insert(rows, &read, anew)
    }

    /// Takes in the links of an account that follow the newest in the catalog, as long as they obey the rules. Nodes
    /// below their roots become complete: they were, when the link was committed.
    pub(super) fn take_in_links(&self, rows: Rows<'_>, account: &AccountInfo) -> Result<()> {
        self.take_in_links_or(rows, account, &KeptLinks::new())
    }

    /// The same; what cannot be read on disk is taken from those that were kept, each of which obeyed the rules once.
    fn take_in_links_or(&self, rows: Rows<'_>, account: &AccountInfo, kept: &KeptLinks) -> Result<()> {
        if account.identity.is_none() {
            return Ok(());
        }
        let mut next = rows.newest_link(account.number)?.map_or(1, |link| link.sequence.saturating_add(1));
        let Some(mut bytes) = self.link_or_kept(rows, account.number, next, kept)? else { return Ok(()) };
        // A name that a power cut could still take away must not be built upon.
        self.sync_when_writing(&self.inner.paths.versions(account.number))?;
        // Until something breaks the rules.
        let mut verifier = Some(self.verifier(rows, account)?);
        loop {
            let link = match ReceivedLink::decode(&bytes) {
                Err(Error::Damaged { .. }) => return Ok(()),
                other => other?,
            };
            let body = match self.body_record(account.number, link.link().body) {
                Ok(body) => body,
                Err(e) if e.is_damage() => {
                    rows.doubt_wanted()?;
                    None
                }
                Err(e) => return Err(e),
            };
            let obeys = match verifier.as_mut().map(|verifier| verifier.push(&link, body.as_ref())) {
                None | Some(Err(Error::Damaged { .. } | Error::Key(_))) => false,
                Some(other) => other.map(|()| true)?,
            };
            if !obeys {
                // Not ours to judge: what obeys no rule is not taken in, and `check` tells of it.
                if kept.get(&(account.number, next)).is_none_or(|row| row.bytes != bytes) {
                    return Ok(());
                }
                verifier = None;
            }
            rows.insert_link(account.number, &row_of(&link))?;
            if let (true, Some(body)) = (link.link().kind.is_version(), &body) {
                let roots: Vec<NodeId> = chain::clear_sources(body)?.into_iter().map(|(_, root, _)| root).collect();
                let found = self.closure(rows, &roots, Holes::All)?;
                rows.set_complete(&found.nodes)?;
                rows.revive(&found.condemned)?;
                self.forget(rows, &found.damaged)?;
                if !found.hole_chunks.is_empty() || !found.hole_nodes.is_empty() {
                    rows.doubt_wanted()?;
                }
            }
            next = next.saturating_add(1);
            match self.link_or_kept(rows, account.number, next, kept)? {
                Some(more) => bytes = more,
                None => return Ok(()),
            }
        }
    }

    /// A link as it is on disk, or, where that cannot be read, as it was kept: then the next session puts it back.
    fn link_or_kept(&self, rows: Rows<'_>, account: u32, number: u64, kept: &KeptLinks) -> Result<Option<Vec<u8>>> {
        let there = self.link_on_disk(account, number)?;
        let is_good = |bytes: &Vec<u8>| ReceivedLink::decode(bytes).is_ok_and(|link| link.link().sequence == number);
        match kept.get(&(account, number)) {
            Some(row) if !there.as_ref().is_some_and(is_good) => {
                rows.set_links_in_doubt(true)?;
                Ok(Some(row.bytes.clone()))
            }
            _ => Ok(there),
        }
    }

    /// Does not count on these places any more. Their notes are written when they are read next.
    fn forget(&self, rows: Rows<'_>, damaged: &[Place]) -> Result<()> {
        for place in damaged {
            rows.set_damaged(place.pack, place.offset, place.hash)?;
        }
        Ok(())
    }

    fn sync_when_writing(&self, folder: &std::path::Path) -> Result<()> {
        match self.inner.shared.access {
            super::Access::Write => self.inner.shared.disk.sync_dir(folder),
            super::Access::Read => Ok(()),
        }
    }
}

/// A pack that has its name and lacks its rows is one that a session is about to publish, or died when it was; in a catalog
/// that is made anew all packs lack them, and what sessions have left to bring is what it was.
fn insert(rows: Rows<'_>, read: &[ReadPack], anew: bool) -> Result<()> {
    let new: Vec<NewPack<'_>> = read
        .iter()
        .map(|(reader, bytes)| NewPack { header: reader.header(), bytes: *bytes, lines: reader.lines() })
        .collect();
    if anew { rows.insert_packs(&new) } else { rows.bring_packs(&new) }
}
