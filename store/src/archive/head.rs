//! The header of an archive, and the head of each part.

use crate::codec::Reader;
use crate::error::{Error, Result};
use crate::id::{AccountId, DomainId, VaultId};
use crate::limits::{CLEAR_BYTES_MAX, SEALED_BYTES_MAX};
use crate::record::HEADER_BYTES;

const MAGIC: [u8; 4] = *b"TBXA";
const PART_MAGIC: [u8; 4] = *b"TBXQ";
const VERSION: u8 = 1;

/// Length of the header.
pub const ARCHIVE_HEADER_BYTES: usize = 128;
/// Length of a part's head.
pub const PART_HEAD_BYTES: usize = 64;
/// Longest content of an account's note.
const ACCOUNT_BYTES_MAX: u64 = 1 << 20;
/// Longest link.
const LINK_BYTES_MAX: u64 = 4_096;
/// What a file of a link can be called has twelve digits.
const LINK_NUMBER_MAX: u64 = 999_999_999_999;
/// Longest body: header, clear part, sealed part.
const BODY_BYTES_MAX: u64 = (HEADER_BYTES + CLEAR_BYTES_MAX + SEALED_BYTES_MAX) as u64;
/// Longest pack: the size at which it is closed, one record more, and the largest footer, with room. It is never in memory.
const PACK_BYTES_MAX: u64 = 1 << 30;

/// The first bytes: what follows, and of what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ArchiveHeader {
    /// Feature words: compatible, read-compatible, incompatible.
    pub features: [u32; 3],
    /// The account's number in the vault that it comes from.
    pub number: u32,
    /// That vault.
    pub vault: VaultId,
    /// The chunk space.
    pub domain: DomainId,
    /// The account.
    pub account: AccountId,
    /// When the archive was begun, ms since 1970.
    pub made_at: i64,
    /// How many packs follow.
    pub packs: u64,
    /// Their bytes.
    pub pack_bytes: u64,
    /// How many links follow.
    pub links: u64,
}

/// What a part holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum PartKind {
    /// The content of the account's note.
    Account,
    /// A link with its receipt.
    Link,
    /// A body.
    Body,
    /// A pack.
    Pack,
    /// The checksum of all checksums before.
    End,
}

/// What stands before the content of a part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PartHead {
    /// What it holds.
    pub kind: PartKind,
    /// Of a link its sequence, of the end how many parts were before it, else 0.
    pub number: u64,
    /// Of a body its hash, of a pack its id and 16 zeros, else zeros.
    pub id: [u8; 32],
    /// Bytes of content.
    pub len: u64,
}

impl ArchiveHeader {
    /// All 128 bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(ARCHIVE_HEADER_BYTES);
        bytes.extend_from_slice(&MAGIC);
        bytes.extend_from_slice(&[VERSION, 0, 0, 0]);
        for word in self.features {
            bytes.extend_from_slice(&word.to_le_bytes());
        }
        bytes.extend_from_slice(&self.number.to_le_bytes());
        bytes.extend_from_slice(self.vault.bytes());
        bytes.extend_from_slice(self.domain.bytes());
        bytes.extend_from_slice(self.account.bytes());
        bytes.extend_from_slice(&self.made_at.to_le_bytes());
        for number in [self.packs, self.pack_bytes, self.links] {
            bytes.extend_from_slice(&number.to_le_bytes());
        }
        bytes.resize(ARCHIVE_HEADER_BYTES - 4, 0);
        bytes.extend_from_slice(&crc32c::crc32c(&bytes).to_le_bytes());
        bytes
    }

    /// A header from its bytes. `Newer` when it has a feature that this program does not know and would have to.
    pub fn decode(bytes: &[u8]) -> Result<Self> {
        let body = checked("archive", bytes, ARCHIVE_HEADER_BYTES)?;
        let mut r = Reader::new("archive", body);
        if r.array()? != MAGIC {
            return Err(r.damaged("its magic is wrong"));
        }
        let version = r.u8()?;
        if version != VERSION {
            return Err(Error::Newer { what: "archive", found: version.into() });
        }
        r.zeros(3)?;
        let features = [r.u32()?, r.u32()?, r.u32()?];
        let [_, read_compatible, incompatible] = features;
        // Whoever loads it writes.
        if let Some(found) = [read_compatible, incompatible].into_iter().find(|word| *word != 0) {
            return Err(Error::Newer { what: "archive's features", found });
        }
        let header = Self {
            features,
            number: r.u32()?,
            vault: VaultId::new(r.array()?),
            domain: DomainId::new(r.array()?),
            account: AccountId::new(r.array()?),
            made_at: r.i64()?,
            packs: r.u64()?,
            pack_bytes: r.u64()?,
            links: r.u64()?,
        };
        let rest = r.remaining();
        r.zeros(rest)?;
        Ok(header)
    }
}

impl PartKind {
    fn number(self) -> u8 {
        match self {
            Self::Account => 1,
            Self::Link => 2,
            Self::Body => 3,
            Self::Pack => 4,
            Self::End => 255,
        }
    }

    fn from_number(number: u8) -> Result<Self> {
        match number {
            1 => Ok(Self::Account),
            2 => Ok(Self::Link),
            3 => Ok(Self::Body),
            4 => Ok(Self::Pack),
            255 => Ok(Self::End),
            other => Err(Error::Newer { what: "part of an archive", found: other.into() }),
        }
    }

    /// Most bytes of its content.
    fn bytes_max(self) -> u64 {
        match self {
            Self::Account => ACCOUNT_BYTES_MAX,
            Self::Link => LINK_BYTES_MAX,
            Self::Body => BODY_BYTES_MAX,
            Self::Pack => PACK_BYTES_MAX,
            Self::End => super::HASH_BYTES as u64,
        }
    }
}

impl PartHead {
    /// All 64 bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(PART_HEAD_BYTES);
        bytes.extend_from_slice(&PART_MAGIC);
        bytes.extend_from_slice(&[self.kind.number(), 0, 0, 0]);
        bytes.extend_from_slice(&self.number.to_le_bytes());
        bytes.extend_from_slice(&self.id);
        bytes.extend_from_slice(&self.len.to_le_bytes());
        bytes.resize(PART_HEAD_BYTES - 4, 0);
        bytes.extend_from_slice(&crc32c::crc32c(&bytes).to_le_bytes());
        bytes
    }

    /// A head from its bytes: a length above the bound of its kind, a number or an id where none belongs is damage.
    pub fn decode(bytes: &[u8]) -> Result<Self> {
        let body = checked("part of an archive", bytes, PART_HEAD_BYTES)?;
        let mut r = Reader::new("part of an archive", body);
        if r.array()? != PART_MAGIC {
            return Err(r.damaged("its magic is wrong"));
        }
        let kind = PartKind::from_number(r.u8()?)?;
        r.zeros(3)?;
        let head = Self { kind, number: r.u64()?, id: r.array()?, len: r.u64()? };
        r.zeros(4)?;
        let numbered = matches!(kind, PartKind::Link | PartKind::End);
        let [low, high] = [head.id.get(..16), head.id.get(16..)].map(|half| half.is_some_and(|half| half == [0; 16]));
        let named = match kind {
            PartKind::Body => true,
            PartKind::Pack => high,
            _ => low && high,
        };
        let link = kind != PartKind::Link || (1..=LINK_NUMBER_MAX).contains(&head.number);
        if head.len > kind.bytes_max() || (head.number != 0 && !numbered) || !named || !link {
            return Err(r.damaged("it is not in order"));
        }
        r.end()?;
        Ok(head)
    }
}

/// All but the CRC at the end, which must fit.
fn checked<'b>(what: &'static str, bytes: &'b [u8], len: usize) -> Result<&'b [u8]> {
    let mut r = Reader::new(what, bytes);
    let body = r.bytes(len - 4)?;
    if r.u32()? != crc32c::crc32c(body) {
        return Err(r.damaged("its checksum is wrong"));
    }
    r.end()?;
    Ok(body)
}
