//! Records that are known to be damaged: each a note of its own, so that it is known again when the catalog is made
//! anew. Nothing is deleted; such a place is only not used any more.

use minicbor::Decoder;

use super::layout::DomainPaths;
use super::note::{self, NoteKind};
use super::{Access, AccountInfo, Domain, Place, Vault};
use crate::catalog::Rows;
use crate::error::{Error, Result};
use crate::id::{CipherHash, PackId};

/// How often the number of a note may be taken by somebody else.
const TRIES: usize = 64;

/// What a note says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Damage {
    pack: PackId,
    offset: u64,
    hash: CipherHash,
    found_at: i64,
}

impl Damage {
    fn encode(&self) -> Vec<u8> {
        note::content(|e| self.encode_into(e))
    }

    fn encode_into(&self, e: &mut note::Writer<'_>) -> note::Written {
        e.map(4)?.u8(0)?.encode(self.pack)?.u8(1)?.u64(self.offset)?;
        e.u8(2)?.encode(self.hash)?.u8(3)?.i64(self.found_at)?;
        Ok(())
    }

    fn decode(bytes: &[u8]) -> Result<Self, minicbor::decode::Error> {
        let mut d = Decoder::new(bytes);
        let mut damage = Self { pack: PackId::ZERO, offset: 0, hash: CipherHash::ZERO, found_at: 0 };
        let members = d.map()?.ok_or_else(|| minicbor::decode::Error::message("a map without length"))?;
        for _ in 0..members {
            match d.u64()? {
                0 => damage.pack = d.decode()?,
                1 => damage.offset = d.u64()?,
                2 => damage.hash = d.decode()?,
                3 => damage.found_at = d.i64()?,
                _ => d.skip()?,
            }
        }
        Ok(damage)
    }
}

/// What all notes say.
#[derive(Default)]
pub(super) struct Notes {
    /// Pack, offset and hash of records; offset 0 and no hash for a whole pack.
    pub(super) said: Vec<(PackId, u64, CipherHash)>,
    /// Numbers of those that cannot be read.
    pub(super) unreadable: Vec<u64>,
    /// Numbers of those that speak of a whole pack.
    lost_packs: Vec<(PackId, u64)>,
}

impl Notes {
    /// Numbers of the notes which say that this pack is gone.
    pub(super) fn of_lost_pack(&self, pack: PackId) -> Vec<u64> {
        self.lost_packs.iter().filter(|(id, _)| *id == pack).map(|(_, number)| *number).collect()
    }
}

impl Domain {
    /// Notes that a record cannot be read from its place: from now on it is not there. In a vault that is open for
    /// reading this is known to this process only.
    pub(super) fn note_damage(&self, place: &Place) -> Result<()> {
        let write = self.inner.catalog.write()?;
        let new = write.rows().set_damaged(place.pack, place.offset, place.hash)?;
        write.commit()?;
        if !new || self.inner.shared.access != Access::Write {
            return Ok(());
        }
        let found_at = self.inner.shared.clock.now_ms();
        self.add_note(Damage { pack: place.pack, offset: place.offset, hash: place.hash, found_at })
    }

    /// Notes that a whole pack is gone or cannot be read: the note has offset 0 and no hash. Once for each pack.
    /// Returns whether it is new. In a vault that is open for reading nothing is noted.
    pub(super) fn note_lost_pack(&self, pack: PackId) -> Result<bool> {
        if self.inner.shared.access != Access::Write {
            return Ok(true);
        }
        if self.lost_packs_noted()?.contains(&pack) {
            return Ok(false);
        }
        let found_at = self.inner.shared.clock.now_ms();
        self.add_note(Damage { pack, offset: 0, hash: CipherHash::ZERO, found_at })?;
        Ok(true)
    }

    /// The packs of which a note says that they are gone or cannot be read, each once.
    pub(super) fn lost_packs_noted(&self) -> Result<Vec<PackId>> {
        let mut packs: Vec<PackId> = self.damage_notes()?.lost_packs.into_iter().map(|(pack, _)| pack).collect();
        packs.sort_unstable();
        packs.dedup();
        Ok(packs)
    }

    /// What all notes say, and the numbers of those that cannot be read.
    pub(super) fn damage_notes(&self) -> Result<Notes> {
        let (disk, dir) = (&*self.inner.shared.disk, self.inner.paths.damaged());
        let mut notes = Notes::default();
        for number in note::numbers(disk, &dir)? {
            match note::read(disk, NoteKind::Damaged, &note::path(&dir, number)) {
                Ok(content) => match Damage::decode(&content) {
                    Ok(damage) => {
                        if damage.offset == 0 && damage.hash == CipherHash::ZERO {
                            notes.lost_packs.push((damage.pack, number));
                        }
                        notes.said.push((damage.pack, damage.offset, damage.hash));
                    }
                    Err(_) => notes.unreadable.push(number),
                },
                Err(e) if e.is_damage() => notes.unreadable.push(number),
                Err(Error::NotFound { .. } | Error::Newer { .. }) => {}
                Err(e) => return Err(e),
            }
        }
        Ok(notes)
    }

    /// How many versions of an account cannot be read in full, as far as damage is known; cheap when none is.
    pub(super) fn holes(&self, account: &AccountInfo) -> Result<u64> {
        if self.wanted_mark()?.is_none() {
            return Ok(0);
        }
        let look = || -> Result<usize> {
            let wanted = self.wanted()?;
            let bodies = if wanted.bodies.is_empty() { 0 } else { self.bad_bodies(account)?.len() };
            Ok(self.with_holes(account)?.len().saturating_add(bodies))
        };
        // Something is known to be damaged: where the disk does not let it be counted, it is no less.
        Ok(look().map_or(1, |versions| versions as u64))
    }

    fn add_note(&self, damage: Damage) -> Result<()> {
        let (shared, dir) = (&self.inner.shared, self.inner.paths.damaged());
        let damage = damage.encode();
        for _ in 0..TRIES {
            let next = note::numbers(&*shared.disk, &dir)?.last().map_or(1, |last| last + 1);
            match note::add(&*shared.disk, &*shared.chance, &dir, next, NoteKind::Damaged, &damage) {
                Err(Error::Taken { .. }) => {}
                other => return other,
            }
        }
        Err(Error::Busy { what: "the list of damaged records".to_owned() })
    }

    /// Takes in the notes that the catalog has not seen. One that cannot be read says nothing; the record that it
    /// meant is found again when it is read.
    pub(super) fn take_in_damaged(&self, rows: Rows<'_>) -> Result<()> {
        let (disk, dir) = (&*self.inner.shared.disk, self.inner.paths.damaged());
        let seen = rows.damaged_seen()?;
        let numbers = note::numbers(disk, &dir)?;
        for number in numbers.iter().filter(|number| **number > seen) {
            let content = match note::read(disk, NoteKind::Damaged, &note::path(&dir, *number)) {
                Ok(content) => content,
                Err(Error::Damaged { .. } | Error::NotFound { .. } | Error::Newer { .. }) => continue,
                Err(e) => return Err(e),
            };
            if let Ok(damage) = Damage::decode(&content) {
                rows.set_damaged(damage.pack, damage.offset, damage.hash)?;
            }
        }
        match numbers.last() {
            Some(last) if *last > seen => rows.set_damaged_seen(*last),
            _ => Ok(()),
        }
    }
}

impl Vault {
    /// Number of the newest note of damage in an account's domain; 0 when there is none.
    pub(super) fn newest_damage(&self, account: &AccountInfo) -> Result<u64> {
        let dir = DomainPaths::new(self.path(), account.domain).damaged();
        Ok(note::numbers(self.disk(), &dir)?.last().copied().unwrap_or(0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notes_go_there_and_back() {
        let damage =
            Damage { pack: PackId::new([1; 16]), offset: 1 << 40, hash: CipherHash::new([2; 32]), found_at: -1 };
        assert_eq!(Damage::decode(&damage.encode()).unwrap(), damage);
        assert!(Damage::decode(b"\xff").is_err());
    }
}
