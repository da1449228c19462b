//! An account as one portable file: everything that another vault needs to be this account's vault. No key is needed;
//! everything stays sealed as it is.
//!
//! While it is written housekeeping waits, so that nothing which the links name goes away; backups do not. What they
//! bring meanwhile may be in the archive and is then rubbish to the next housekeeping where it is loaded.

use std::collections::BTreeMap;

use super::{Access, AccountInfo, Domain};
use crate::archive::{ArchiveHeader, ArchiveWriter, PartHead, PartKind};
use crate::chain::{RECEIVED_LINK_BYTES, ReceivedLink};
use crate::error::{Error, Result};
use crate::id::PackId;

/// What an archive holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Dumped {
    /// Links.
    pub links: u64,
    /// Bodies.
    pub bodies: u64,
    /// Packs.
    pub packs: u64,
    /// Their bytes.
    pub pack_bytes: u64,
}

impl Domain {
    /// Writes an account as an archive, a piece at a time. `Refused` when other accounts share its chunks; `Busy` while
    /// housekeeping is at work. What of it is damaged is written as it is: loading tells of it.
    pub fn write_archive(&self, account: &AccountInfo, out: &mut dyn FnMut(&[u8]) -> Result<()>) -> Result<Dumped> {
        let (shared, paths) = (&self.inner.shared, &self.inner.paths);
        if super::account::accounts_in(shared, paths, self.id())?.iter().any(|other| other.id != account.id) {
            return Err(Error::Refused { why: "other accounts share its chunks".to_owned() });
        }
        // Without it nobody removes anything; a vault that cannot be written, nobody keeps house in.
        let _lock = match shared.access {
            Access::Write => Some(self.housekeeping_lock()?),
            Access::Read => None,
        };
        let account = self.account_now(account)?;
        // Links before packs: whatever a link needs was published before it.
        let links = self.readable_links(&account)?;
        let bodies = self.bodies_there(&account, &links)?;
        let there = self.on_disk()?;
        // An archive without what is in a volume would pass for a whole one.
        there.must_be_all()?;
        let mut packs = Vec::new();
        for (id, bytes) in there.packs {
            // One that is nobody's any more may be gone.
            if self.find_pack(id)?.is_some() {
                packs.push((id, bytes));
            }
        }
        let dumped = Dumped {
            links: links.len() as u64,
            bodies: bodies.len() as u64,
            packs: packs.len() as u64,
            pack_bytes: packs.iter().map(|(_, bytes)| bytes).sum(),
        };
        let header = ArchiveHeader {
            features: [0; 3],
            number: account.number,
            vault: shared.id,
            domain: account.domain,
            account: account.id,
            made_at: shared.clock.now_ms(),
            packs: dumped.packs,
            pack_bytes: dumped.pack_bytes,
            links: dumped.links,
        };
        let mut writer = ArchiveWriter::new(&header, out)?;
        whole(&mut writer, PartKind::Account, 0, [0; 32], &account.encode())?;
        for (sequence, bytes) in &links {
            whole(&mut writer, PartKind::Link, *sequence, [0; 32], bytes)?;
        }
        for hash in bodies {
            let bytes = shared.disk.read(&paths.body(account.number, hash), super::domain::BODY_BYTES_MAX)?;
            whole(&mut writer, PartKind::Body, 0, *hash.bytes(), &bytes)?;
        }
        for (id, bytes) in packs {
            self.dump_pack(&mut writer, id, bytes)?;
        }
        writer.end()?;
        Ok(dumped)
    }

    /// Links that can be read, by sequence; one that the disk has not, or not whole, as the catalog has it.
    fn readable_links(&self, account: &AccountInfo) -> Result<Vec<(u64, Vec<u8>)>> {
        let rows = self.inner.catalog.read(|rows| rows.links(account.number, 1, usize::MAX))?;
        let mut links: BTreeMap<u64, Vec<u8>> = rows.into_iter().map(|row| (row.sequence, row.bytes)).collect();
        for sequence in self.links_above(account.number, 0)? {
            let Some(bytes) = self.link_on_disk(account.number, sequence)? else { continue };
            let is_good = ReceivedLink::decode(&bytes).is_ok_and(|link| link.link().sequence == sequence);
            if is_good || (bytes.len() == RECEIVED_LINK_BYTES && !links.contains_key(&sequence)) {
                links.insert(sequence, bytes);
            }
        }
        Ok(links.into_iter().collect())
    }

    /// Names of the bodies that these links name and that are there, ascending.
    fn bodies_there(
        &self,
        account: &AccountInfo,
        links: &[(u64, Vec<u8>)],
    ) -> Result<std::collections::BTreeSet<crate::id::BodyHash>> {
        let mut bodies = std::collections::BTreeSet::new();
        for (_, bytes) in links {
            let Ok(link) = ReceivedLink::decode(bytes) else { continue };
            let body = link.link().body;
            if self.inner.shared.disk.exists(&self.inner.paths.body(account.number, body))?.is_some() {
                bodies.insert(body);
            }
        }
        Ok(bodies)
    }

    fn dump_pack(&self, writer: &mut ArchiveWriter<'_>, pack: PackId, len: u64) -> Result<()> {
        let file = self.inner.shared.disk.open(&self.pack_path(pack)?)?;
        let mut id = [0; 32];
        for (to, from) in id.iter_mut().zip(pack.bytes()) {
            *to = *from;
        }
        writer.begin(&PartHead { kind: PartKind::Pack, number: 0, id, len })?;
        super::volumes::pieces(&*file, len, &mut |piece| writer.content(piece))?;
        writer.end_part()
    }
}

fn whole(writer: &mut ArchiveWriter<'_>, kind: PartKind, number: u64, id: [u8; 32], content: &[u8]) -> Result<()> {
    writer.begin(&PartHead { kind, number, id, len: content.len() as u64 })?;
    writer.content(content)?;
    writer.end_part()
}
