//! Accounts: opening one, making one, binding a key, slots kept in the vault.

use minicbor::{Decode, Encode};
use store::id::{AccountId, ChainHash, DomainId, KeyCheck, VaultId};

/// Opens an account. With neither name nor key check, the forced command's account, or the only one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct Open {
    /// Name or number of the account.
    #[n(0)]
    pub account: Option<String>,
    /// Key-check values that this client's keys have: picks the account when no name is given.
    #[n(1)]
    pub keys: Vec<KeyCheck>,
    /// Links after this number come with the reply (as many as fit in one reply).
    #[n(2)]
    pub after: u64,
    /// What the client is, for the account's record: program and host.
    #[n(3)]
    pub client: String,
}

/// Where an account's chain ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Head {
    /// Number of the newest link.
    #[n(0)]
    pub sequence: u64,
    /// Its chain hash.
    #[n(1)]
    pub chain: ChainHash,
    /// Its marker.
    #[n(2)]
    pub marker: u64,
}

/// Whether an account may be changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(index_only)]
pub enum State {
    /// Yes.
    #[n(0)]
    Open,
    /// Reads work, nothing changes.
    #[n(1)]
    Frozen,
    /// Nothing works.
    #[n(2)]
    Disabled,
}

/// What the server knows of an account.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct AccountRow {
    /// Number, local to the vault.
    #[n(0)]
    pub number: u32,
    /// Id.
    #[n(1)]
    pub id: AccountId,
    /// Its chunk space.
    #[n(2)]
    pub domain: DomainId,
    /// Name.
    #[n(3)]
    pub name: String,
    /// Identity public key, once bound.
    #[n(4)]
    #[cbor(with = "minicbor::bytes")]
    pub identity: Option<Vec<u8>>,
    /// Key-check value, once bound.
    #[n(5)]
    pub key_check: Option<KeyCheck>,
    /// State.
    #[n(6)]
    pub state: State,
    /// Passphrase slots kept in the vault, as JSON.
    #[n(7)]
    pub slots: Vec<String>,
}

/// Reply to [`Open`].
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Opened {
    /// The vault.
    #[n(0)]
    pub vault: VaultId,
    /// The account.
    #[n(1)]
    pub account: AccountRow,
    /// Where its chain ends; absent when it has no link.
    #[n(2)]
    pub head: Option<Head>,
    /// Links after the number asked for, received form, oldest first.
    #[n(3)]
    pub links: Vec<minicbor::bytes::ByteVec>,
    /// Bodies that the client needs next, when they are small: of the key and device links above, and of the newest version and partial.
    #[n(4)]
    pub bodies: Vec<minicbor::bytes::ByteVec>,
    /// Rises when something that was answered as "have" may be gone.
    #[n(5)]
    pub generation: u64,
    /// The server's clock, ms since 1970.
    #[n(6)]
    pub now_ms: i64,
    /// Bytes free on the vault's disk.
    #[n(7)]
    pub free_bytes: Option<u64>,
    /// Something that versions need is damaged or gone. The number names the list of it ([`WantedAsk`](super::WantedAsk)):
    /// another list has another one, and while the list is in doubt it is none that a list has had.
    #[n(8)]
    pub wanted: Option<u64>,
    /// The rate that the server keeps what the client sends to now, bytes a second.
    #[n(9)]
    pub up_rate: Option<u64>,
    /// The same for what it sends to the client.
    #[n(10)]
    pub down_rate: Option<u64>,
    /// Volumes of the vault that are not there; absent when all are.
    #[n(11)]
    pub absent_volumes: Option<Vec<u32>>,
}

/// Lists accounts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct Accounts {}

/// Makes the vault when there is none, and the account when there is none of this name.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Init {
    /// Name of the account.
    #[n(0)]
    pub name: String,
}

/// Reply to [`Init`].
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Made {
    /// The vault.
    #[n(0)]
    pub vault: VaultId,
    /// Whether it was made now.
    #[n(1)]
    pub made_vault: bool,
    /// The account.
    #[n(2)]
    pub account: AccountRow,
    /// Whether it was made now.
    #[n(3)]
    pub made_account: bool,
    /// Links that its chain has.
    #[n(4)]
    pub links: u64,
}

/// Binds a key to an account that has none. The same key again is no error.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Bind {
    /// Identity public key, 32 bytes.
    #[n(0)]
    #[cbor(with = "minicbor::bytes")]
    pub identity: Vec<u8>,
    /// Key-check value.
    #[n(1)]
    pub key_check: KeyCheck,
}

/// Replaces the passphrase slots that the vault keeps for the account.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct SetSlots {
    /// All of them, as JSON.
    #[n(0)]
    pub slots: Vec<String>,
    /// The mark of those that are replaced (PROTOCOL.md, 7.3), 32 bytes: refused when there are others by now. Absent:
    /// whatever they are.
    #[n(1)]
    #[cbor(with = "minicbor::bytes")]
    pub was: Option<Vec<u8>>,
}
