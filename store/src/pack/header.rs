//! The first 128 bytes of a pack.

use crate::codec::Reader;
use crate::error::{Error, Result};
use crate::id::{AccountId, DomainId, PackId, SessionId};
use crate::record::RecordKind;

const MAGIC: [u8; 4] = *b"TBXP";
const VERSION: u8 = 1;

/// Length of a pack's header.
pub(super) const PACK_HEADER_BYTES: usize = 128;
const RESERVED_BYTES: usize = 28;

/// What a pack holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PackKind {
    /// Boxes.
    Data,
    /// Groups.
    Nodes,
    /// Anything: the one pack of a small commit.
    Mixed,
}

impl PackKind {
    /// Its number on disk.
    #[must_use]
    pub fn number(self) -> u8 {
        match self {
            Self::Data => 1,
            Self::Nodes => 2,
            Self::Mixed => 3,
        }
    }

    /// The kind of this number; `None` when this program knows none.
    #[must_use]
    pub fn from_number(number: u8) -> Option<Self> {
        match number {
            1 => Some(Self::Data),
            2 => Some(Self::Nodes),
            3 => Some(Self::Mixed),
            _ => None,
        }
    }

    /// Whether a record of this kind may stand in it.
    #[must_use]
    pub fn holds(self, record: RecordKind) -> bool {
        match self {
            Self::Data => record == RecordKind::Box,
            Self::Nodes => record == RecordKind::Group,
            Self::Mixed => true,
        }
    }
}

/// See FORMAT.md, chapter 4.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PackHeader {
    /// What it holds.
    pub kind: PackKind,
    /// Feature words: compatible, read-compatible, incompatible. Whoever does not know a read-compatible feature may
    /// read the pack but not write it anew; whoever does not know an incompatible one may not read it.
    pub features: [u32; 3],
    /// The chunk space it belongs to, and with it every record in it.
    pub domain: DomainId,
    /// Who sent it.
    pub account: AccountId,
    /// In which session.
    pub session: SessionId,
    /// Its random name.
    pub pack: PackId,
    /// Drawn from the catalog when the session began: of two places of one thing, the higher is in force.
    pub session_number: u64,
}

impl PackHeader {
    /// All 128 bytes.
    #[must_use]
    pub fn encode(&self) -> [u8; PACK_HEADER_BYTES] {
        let mut bytes = Vec::with_capacity(PACK_HEADER_BYTES);
        bytes.extend_from_slice(&MAGIC);
        bytes.extend_from_slice(&[VERSION, self.kind.number(), 0, 0]);
        for word in self.features {
            bytes.extend_from_slice(&word.to_le_bytes());
        }
        bytes.extend_from_slice(&[0; 4]);
        bytes.extend_from_slice(self.domain.bytes());
        bytes.extend_from_slice(self.account.bytes());
        bytes.extend_from_slice(self.session.bytes());
        bytes.extend_from_slice(self.pack.bytes());
        bytes.extend_from_slice(&self.session_number.to_le_bytes());
        bytes.extend_from_slice(&[0; RESERVED_BYTES]);
        bytes.extend_from_slice(&crc32c::crc32c(&bytes).to_le_bytes());
        let mut out = [0; PACK_HEADER_BYTES];
        out.copy_from_slice(&bytes);
        out
    }

    /// A header from its bytes. `Newer` when the version, the kind or an incompatible feature is not known here.
    pub fn decode(bytes: &[u8; PACK_HEADER_BYTES]) -> Result<Self> {
        let mut r = Reader::new("pack header", bytes);
        let body = r.bytes(PACK_HEADER_BYTES - 4)?;
        if r.u32()? != crc32c::crc32c(body) {
            return Err(r.damaged("its checksum is wrong"));
        }
        let mut r = Reader::new("pack header", body);
        if r.array()? != MAGIC {
            return Err(r.damaged("its magic is wrong"));
        }
        let version = r.u8()?;
        if version != VERSION {
            return Err(Error::Newer { what: "pack", found: version.into() });
        }
        let kind = r.u8()?;
        r.zeros(2)?;
        let features = [r.u32()?, r.u32()?, r.u32()?];
        let [_, _, incompatible] = features;
        if incompatible != 0 {
            return Err(Error::Newer { what: "pack's features", found: incompatible });
        }
        let Some(kind) = PackKind::from_number(kind) else {
            return Err(Error::Newer { what: "pack's kind", found: kind.into() });
        };
        r.zeros(4)?;
        let domain = DomainId::new(r.array()?);
        let account = AccountId::new(r.array()?);
        let session = SessionId::new(r.array()?);
        let pack = PackId::new(r.array()?);
        let session_number = r.u64()?;
        r.zeros(RESERVED_BYTES)?;
        r.end()?;
        Ok(Self { kind, features, domain, account, session, pack, session_number })
    }

    /// `Newer` when the pack has a feature that a program must know to write such packs.
    pub(super) fn check_writable(&self) -> Result<()> {
        let [_, read_only, incompatible] = self.features;
        if read_only | incompatible != 0 {
            return Err(Error::Newer { what: "pack's features", found: read_only | incompatible });
        }
        Ok(())
    }
}
