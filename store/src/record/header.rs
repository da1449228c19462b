//! The 128 bytes before every record.

use crate::codec::Reader;
use crate::error::{Error, Result};
use crate::id::{AccountId, DomainId};
use crate::limits::{CLEAR_BYTES_MAX, ITEMS_MAX, SEALED_BYTES_MAX};

const MAGIC: [u8; 4] = *b"TBXR";
const VERSION: u8 = 1;
const SEAL_XCHACHA20_POLY1305: u8 = 1;
const HASH_BLAKE3: u8 = 1;
const FLAG_PADDED: u8 = 1;

/// Length of a header.
pub const HEADER_BYTES: usize = 128;
/// Length of the part of it that is the associated data of the seal.
const AD_BYTES: usize = 96;

/// Sealed by a purpose key of the account key.
pub const KEY_ID_ACCOUNT: u32 = 0;
/// Sealed by the key-encryption key.
pub const KEY_ID_KEK: u32 = u32::MAX;

/// What a record is. Numbers never change; the ones that are not here are reserved (FORMAT.md, chapter 3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum RecordKind {
    /// Chunks.
    Box,
    /// Nodes.
    Group,
    /// Body of a version or partial version.
    VersionBody,
    /// Body of a key link: the keyring.
    KeyBody,
    /// Body of a device link: a certificate.
    DeviceBody,
    /// Body of a policy link.
    PolicyBody,
    /// Body of a pin or unpin link.
    PinBody,
    /// Body of a forget or unforget link.
    ForgetBody,
    /// Known to be reserved or not known at all: may be kept and reported, never read, folded or freed.
    Unknown(u8),
}

impl RecordKind {
    /// Its number on disk.
    #[must_use]
    pub fn number(self) -> u8 {
        match self {
            Self::Box => 1,
            Self::Group => 2,
            Self::VersionBody => 16,
            Self::KeyBody => 17,
            Self::DeviceBody => 18,
            Self::PolicyBody => 19,
            Self::PinBody => 20,
            Self::ForgetBody => 21,
            Self::Unknown(number) => number,
        }
    }

    /// The kind of this number.
    #[must_use]
    pub fn from_number(number: u8) -> Self {
        match number {
            1 => Self::Box,
            2 => Self::Group,
            16 => Self::VersionBody,
            17 => Self::KeyBody,
            18 => Self::DeviceBody,
            19 => Self::PolicyBody,
            20 => Self::PinBody,
            21 => Self::ForgetBody,
            other => Self::Unknown(other),
        }
    }

    /// Whether its clear part is stored between header and sealed part (and not in the footer).
    #[must_use]
    pub fn clear_is_inline(self) -> bool {
        self != Self::Box
    }
}

/// How a body is coded before it is sealed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Codec {
    /// As it is.
    Raw,
    /// One zstd frame.
    Zstd,
}

/// See FORMAT.md, chapter 3.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// What the record is.
    pub kind: RecordKind,
    /// How the body is coded.
    pub codec: Codec,
    /// Whether zeros were added inside the seal.
    pub padded: bool,
    /// Which key sealed it.
    pub key_id: u32,
    /// The chunk space it belongs to.
    pub domain: DomainId,
    /// Who made it.
    pub account: AccountId,
    /// Chunks or nodes in it.
    pub items: u32,
    /// Bytes of the clear part.
    pub clear_len: u32,
    /// Bytes of the sealed part, tag included.
    pub sealed_len: u32,
    /// BLAKE3 of the clear part.
    pub clear_hash: [u8; 32],
    /// Of the seal; derived from key, associated data, plain bytes and chance.
    pub nonce: [u8; 24],
}

impl Header {
    /// The bytes that the seal binds: everything before the nonce.
    #[must_use]
    pub fn associated_data(&self) -> [u8; AD_BYTES] {
        let mut out = [0; AD_BYTES];
        let mut at = 0;
        let mut put = |bytes: &[u8]| {
            if let Some(to) = out.get_mut(at..at + bytes.len()) {
                to.copy_from_slice(bytes);
            }
            at += bytes.len();
        };
        put(&MAGIC);
        let codec = match self.codec {
            Codec::Raw => 0,
            Codec::Zstd => 1,
        };
        let flags = if self.padded { FLAG_PADDED } else { 0 };
        put(&[VERSION, self.kind.number(), SEAL_XCHACHA20_POLY1305, codec, HASH_BLAKE3, flags, 0, 0]);
        put(&self.key_id.to_le_bytes());
        put(self.domain.bytes());
        put(self.account.bytes());
        put(&self.items.to_le_bytes());
        put(&self.clear_len.to_le_bytes());
        put(&self.sealed_len.to_le_bytes());
        put(&[0; 4]);
        put(&self.clear_hash);
        debug_assert_eq!(at, AD_BYTES);
        out
    }

    /// All 128 bytes.
    #[must_use]
    pub fn encode(&self) -> [u8; HEADER_BYTES] {
        let mut bytes = Vec::with_capacity(HEADER_BYTES);
        bytes.extend_from_slice(&self.associated_data());
        bytes.extend_from_slice(&self.nonce);
        bytes.extend_from_slice(&[0; 4]);
        let crc = crc32c::crc32c(&bytes);
        bytes.extend_from_slice(&crc.to_le_bytes());
        let mut out = [0; HEADER_BYTES];
        out.copy_from_slice(&bytes);
        out
    }

    /// A header from its bytes; every length in it is within its bound.
    pub fn decode(bytes: &[u8]) -> Result<Self> {
        let mut r = Reader::new("record header", bytes);
        if bytes.len() != HEADER_BYTES {
            return Err(r.damaged("it is not 128 bytes long"));
        }
        let (body, crc) = bytes.split_at(HEADER_BYTES - 4);
        if crc32c::crc32c(body).to_le_bytes() != crc {
            return Err(r.damaged("its checksum is wrong"));
        }
        if r.array()? != MAGIC {
            return Err(r.damaged("its magic is wrong"));
        }
        let version = r.u8()?;
        if version != VERSION {
            return Err(Error::Newer { what: "record", found: version.into() });
        }
        let kind = RecordKind::from_number(r.u8()?);
        let seal = r.u8()?;
        let codec = match r.u8()? {
            0 => Codec::Raw,
            1 => Codec::Zstd,
            other => return Err(Error::Newer { what: "record's codec", found: other.into() }),
        };
        let hash = r.u8()?;
        if seal != SEAL_XCHACHA20_POLY1305 || hash != HASH_BLAKE3 {
            return Err(Error::Newer { what: "record's seal", found: seal.into() });
        }
        let flags = r.u8()?;
        if flags & !FLAG_PADDED != 0 {
            return Err(Error::Newer { what: "record's flags", found: flags.into() });
        }
        r.zeros(2)?;
        let key_id = r.u32()?;
        let domain = DomainId::new(r.array()?);
        let account = AccountId::new(r.array()?);
        let (items, clear_len, sealed_len) = (r.u32()?, r.u32()?, r.u32()?);
        for (what, found, most) in [
            ("items of a record", items, ITEMS_MAX),
            ("clear part of a record", clear_len, CLEAR_BYTES_MAX),
            ("sealed part of a record", sealed_len, SEALED_BYTES_MAX),
        ] {
            if found as usize > most {
                return Err(Error::Limit { what, found: found.into(), most: most as u64 });
            }
        }
        r.zeros(4)?;
        let clear_hash = r.array()?;
        let nonce = r.array()?;
        r.zeros(4)?;
        Ok(Self {
            kind,
            codec,
            padded: flags & FLAG_PADDED != 0,
            key_id,
            domain,
            account,
            items,
            clear_len,
            sealed_len,
            clear_hash,
            nonce,
        })
    }
}
