//! One signed step (FORMAT.md, 6.1).

use crate::codec::Reader;
use crate::error::{Error, Result};
use crate::id::{AccountId, BodyHash, ChainHash, DeviceId, LinkId, VaultId};
use crate::seal::DeviceKey;

use super::check_signature;

const WHAT: &str = "link";
const MAGIC: [u8; 4] = *b"TBXL";
const VERSION: u8 = 1;

/// Length of what the device signs.
const SIGNED_PART_BYTES: usize = 176;
/// Length of a link with its signature.
pub const SIGNED_LINK_BYTES: usize = SIGNED_PART_BYTES + 64;
/// Length of what the chain hash covers: the signed link, vault id and time of receipt.
const CHAINED_PART_BYTES: usize = SIGNED_LINK_BYTES + VaultId::BYTES + 8;
/// Length of a link with its receipt.
pub const RECEIVED_LINK_BYTES: usize = CHAINED_PART_BYTES + 8;

/// What a link does. Numbers are those of FORMAT.md, 6.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum LinkKind {
    /// A version of all sources.
    Version,
    /// A version that lacks something that could not be read.
    Partial,
    /// A new keyring.
    Key,
    /// A new or renewed device.
    Device,
    /// Versions go into the trash.
    Forget,
    /// And come out again.
    Unforget,
    /// Versions are kept whatever the policy says.
    Pin,
    /// And are so no more.
    Unpin,
    /// What is kept of all others.
    Policy,
    /// Reserved, or not known to this program.
    Unknown(u8),
}

impl LinkKind {
    /// Its number on disk.
    #[must_use]
    pub fn number(self) -> u8 {
        match self {
            Self::Version => 1,
            Self::Partial => 2,
            Self::Key => 3,
            Self::Device => 4,
            Self::Forget => 5,
            Self::Unforget => 6,
            Self::Pin => 7,
            Self::Unpin => 8,
            Self::Policy => 9,
            Self::Unknown(number) => number,
        }
    }

    /// The kind of this number.
    #[must_use]
    pub fn from_number(number: u8) -> Self {
        match number {
            1 => Self::Version,
            2 => Self::Partial,
            3 => Self::Key,
            4 => Self::Device,
            5 => Self::Forget,
            6 => Self::Unforget,
            7 => Self::Pin,
            8 => Self::Unpin,
            9 => Self::Policy,
            other => Self::Unknown(other),
        }
    }

    /// Whether it says what becomes of versions: its body is needed to know which are kept.
    #[must_use]
    pub fn is_act(self) -> bool {
        matches!(self, Self::Forget | Self::Unforget | Self::Pin | Self::Unpin | Self::Policy)
    }

    /// Whether it is a version, whole or partial.
    #[must_use]
    pub fn is_version(self) -> bool {
        matches!(self, Self::Version | Self::Partial)
    }
}

/// What a device says when it signs a link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// What it does.
    pub kind: LinkKind,
    /// Whose chain.
    pub account: AccountId,
    /// From 1, without gaps.
    pub sequence: u64,
    /// Chain hash of the link before; zero for the first.
    pub previous: ChainHash,
    /// Its body; zero when its kind has none.
    pub body: BodyHash,
    /// Who signs.
    pub device: DeviceId,
    /// Rises by one if and only if a root changed.
    pub marker: u64,
    /// Milliseconds since 1970 by the client's clock.
    pub taken_at: i64,
}

impl Link {
    /// Signs it.
    #[must_use]
    pub fn sign(&self, device: &DeviceKey) -> SignedLink {
        let mut bytes = Vec::with_capacity(SIGNED_LINK_BYTES);
        bytes.extend_from_slice(&MAGIC);
        bytes.extend_from_slice(&[VERSION, self.kind.number(), 0, 0]);
        bytes.extend_from_slice(&[0; 16]); // feature words and zero
        bytes.extend_from_slice(self.account.bytes());
        bytes.extend_from_slice(&self.sequence.to_le_bytes());
        bytes.extend_from_slice(self.previous.bytes());
        bytes.extend_from_slice(&[0; 32]); // skip hash
        bytes.extend_from_slice(self.body.bytes());
        bytes.extend_from_slice(self.device.bytes());
        bytes.extend_from_slice(&self.marker.to_le_bytes());
        bytes.extend_from_slice(&self.taken_at.to_le_bytes());
        let signature = device.sign(&bytes);
        bytes.extend_from_slice(&signature);
        let mut out = [0; SIGNED_LINK_BYTES];
        out.copy_from_slice(&bytes);
        SignedLink { bytes: out, link: self.clone(), features: [0; 3] }
    }
}

/// A link and its signature: what a client sends.
#[derive(Clone, PartialEq, Eq)]
pub struct SignedLink {
    bytes: [u8; SIGNED_LINK_BYTES],
    link: Link,
    features: [u32; 3],
}

impl SignedLink {
    /// A signed link from its bytes. Nothing is believed of it before [`verify`](Self::verify).
    pub fn decode(bytes: &[u8]) -> Result<Self> {
        let mut r = Reader::new(WHAT, bytes);
        if r.array()? != MAGIC {
            return Err(r.damaged("its magic is wrong"));
        }
        let version = r.u8()?;
        if version != VERSION {
            return Err(Error::Newer { what: WHAT, found: version.into() });
        }
        let kind = LinkKind::from_number(r.u8()?);
        r.zeros(2)?;
        let features = [r.u32()?, r.u32()?, r.u32()?];
        let [_, _, incompatible] = features;
        if incompatible != 0 {
            return Err(Error::Newer { what: WHAT, found: incompatible });
        }
        r.zeros(4)?;
        let account = AccountId::new(r.array()?);
        let sequence = r.u64()?;
        let previous = ChainHash::new(r.array()?);
        r.zeros(32)?;
        let link = Link {
            kind,
            account,
            sequence,
            previous,
            body: BodyHash::new(r.array()?),
            device: DeviceId::new(r.array()?),
            marker: r.u64()?,
            taken_at: r.i64()?,
        };
        r.bytes(64)?;
        r.end()?;
        let bytes = bytes.try_into().map_err(|_| Error::damaged(WHAT, "its length is wrong"))?;
        Ok(Self { bytes, link, features })
    }

    /// Its bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8; SIGNED_LINK_BYTES] {
        &self.bytes
    }

    /// What it says.
    #[must_use]
    pub fn link(&self) -> &Link {
        &self.link
    }

    /// Feature words: compatible, read-compatible, incompatible (the last always zero here).
    #[must_use]
    pub fn features(&self) -> [u32; 3] {
        self.features
    }

    /// The id that people see, when it is a version.
    #[must_use]
    pub fn link_id(&self) -> LinkId {
        LinkId::new(*blake3::hash(self.signed_part()).as_bytes())
    }

    /// Whether the device with this public key signed it.
    pub fn verify(&self, device_public: &[u8; 32]) -> Result<()> {
        let (message, signature) = self.bytes.split_at(SIGNED_PART_BYTES);
        let signature = signature.try_into().map_err(|_| Error::damaged(WHAT, "its length is wrong"))?;
        check_signature(device_public, message, signature)
    }

    /// The same with a vault's receipt: received when, in milliseconds since 1970 by the server's clock.
    #[must_use]
    pub fn with_receipt(&self, vault: VaultId, received_at: i64) -> ReceivedLink {
        ReceivedLink { signed: self.clone(), vault, received_at }
    }

    fn signed_part(&self) -> &[u8] {
        self.bytes.get(..SIGNED_PART_BYTES).unwrap_or(&self.bytes)
    }
}

impl std::fmt::Debug for SignedLink {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.link.fmt(f)
    }
}

/// A link as a vault keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReceivedLink {
    signed: SignedLink,
    vault: VaultId,
    received_at: i64,
}

impl ReceivedLink {
    /// A received link from its bytes.
    pub fn decode(bytes: &[u8]) -> Result<Self> {
        let mut r = Reader::new(WHAT, bytes);
        let (body, crc) = bytes
            .split_at_checked(RECEIVED_LINK_BYTES - 4)
            .filter(|(_, crc)| crc.len() == 4)
            .ok_or_else(|| r.damaged("its length is wrong"))?;
        if crc32c::crc32c(body).to_le_bytes() != crc {
            return Err(r.damaged("its checksum is wrong"));
        }
        let signed = SignedLink::decode(r.bytes(SIGNED_LINK_BYTES)?)?;
        let vault = VaultId::new(r.array()?);
        let received_at = r.i64()?;
        r.zeros(4)?;
        Ok(Self { signed, vault, received_at })
    }

    /// Its bytes.
    #[must_use]
    pub fn encode(&self) -> [u8; RECEIVED_LINK_BYTES] {
        let mut bytes = [&self.chained_part()[..], &[0; 4]].concat();
        let crc = crc32c::crc32c(&bytes);
        bytes.extend_from_slice(&crc.to_le_bytes());
        let mut out = [0; RECEIVED_LINK_BYTES];
        out.copy_from_slice(&bytes);
        out
    }

    /// What the device signed.
    #[must_use]
    pub fn signed(&self) -> &SignedLink {
        &self.signed
    }

    /// What it says.
    #[must_use]
    pub fn link(&self) -> &Link {
        &self.signed.link
    }

    /// The id that people see, when it is a version.
    #[must_use]
    pub fn link_id(&self) -> LinkId {
        self.signed.link_id()
    }

    /// The vault that received it.
    #[must_use]
    pub fn vault(&self) -> VaultId {
        self.vault
    }

    /// Milliseconds since 1970 by the server's clock.
    #[must_use]
    pub fn received_at(&self) -> i64 {
        self.received_at
    }

    /// What the next link and a client's pin hold.
    #[must_use]
    pub fn chain_hash(&self) -> ChainHash {
        ChainHash::new(*blake3::hash(&self.chained_part()).as_bytes())
    }

    fn chained_part(&self) -> Vec<u8> {
        [&self.signed.bytes[..], self.vault.bytes(), &self.received_at.to_le_bytes()].concat()
    }
}
