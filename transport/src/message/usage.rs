//! What an account takes in the vault.

use minicbor::{Decode, Encode};

use super::Refusal;

/// Asks what the opened account takes. The reply is one [`UsageTold`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct UsageAsk {
    /// Tell how it is now, however long that takes. Otherwise, when that would take more than a moment, the server may tell
    /// how it was when housekeeping looked last.
    #[n(0)]
    pub exact: bool,
}

/// Reply to [`UsageAsk`]. The five classes have nothing in common; together they are all files of the account's chunk space.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct UsageTold {
    /// When the classes and the counts of versions were so, ms since 1970, by the server's clock.
    #[n(0)]
    pub at: i64,
    /// Content that the newest version needs.
    #[n(1)]
    pub current_bytes: u64,
    /// Content that only older kept versions need.
    #[n(2)]
    pub history_bytes: u64,
    /// What is on its way out: forgotten, kept by no rule, condemned.
    #[n(3)]
    pub trash_bytes: u64,
    /// Nodes that kept versions need, links, bodies, notes, the catalog, and what packs have beside their records.
    #[n(4)]
    pub metadata_bytes: u64,
    /// What nothing needs and housekeeping has not come to, freed room in packs, and what uploads have staged.
    #[n(5)]
    pub unreferenced_bytes: u64,
    /// All files now.
    #[n(6)]
    pub now_bytes: u64,
    /// Of these the packs, now: what counts against limits.
    #[n(7)]
    pub pack_bytes: u64,
    /// Of these the databases, now: the catalog, which can be made again, and the activity.
    #[n(8)]
    pub catalog_bytes: u64,
    /// Packs, now.
    #[n(9)]
    pub packs: u64,
    /// Versions that are kept, without partial ones.
    #[n(10)]
    pub versions: u64,
    /// When the oldest of them was received.
    #[n(11)]
    pub oldest_at: Option<i64>,
    /// When the newest of them was received.
    #[n(12)]
    pub newest_at: Option<i64>,
    /// Needed nodes and bodies that cannot be read: what only they lead to counts as unreferenced.
    #[n(13)]
    pub holes: u64,
    /// Soft limit.
    #[n(14)]
    pub soft_bytes: Option<u64>,
    /// Hard limit.
    #[n(15)]
    pub hard_bytes: Option<u64>,
    /// What the vault's disk has free, when known.
    #[n(16)]
    pub free_bytes: Option<u64>,
}

/// Asks what all accounts take; for administrators. Replies are [`SpaceTold`] messages.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct SpaceAsk {
    /// As in [`UsageAsk`].
    #[n(0)]
    pub exact: bool,
    /// Volumes, too, each by a [`SpaceTold::Volume`].
    #[n(1)]
    pub volumes: Option<bool>,
}

/// What all accounts take.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum SpaceTold {
    /// One account.
    #[n(1)]
    Account(#[n(0)] Box<SpaceAccount>),
    /// One group.
    #[n(2)]
    Group(#[n(0)] SpaceGroup),
    /// What belongs to no account. The last message.
    #[n(3)]
    Vault(#[n(0)] SpaceVault),
    /// One volume; only when asked for.
    #[n(4)]
    Volume(#[n(0)] super::volume::VolumeFacts),
}

/// What one account takes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct SpaceAccount {
    /// Its name.
    #[n(0)]
    pub name: String,
    /// Its number.
    #[n(1)]
    pub number: u32,
    /// The figures; absent when they cannot be had.
    #[n(2)]
    pub usage: Option<UsageTold>,
    /// What it took on earlier days, of the last 31, oldest first.
    #[n(3)]
    pub days: Vec<SpaceDay>,
    /// Why there are no figures.
    #[n(4)]
    pub why: Option<Refusal>,
}

/// What an account took on one day.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct SpaceDay {
    /// When the day begins, ms since 1970.
    #[n(0)]
    pub at: i64,
    /// All its files.
    #[n(1)]
    pub bytes: u64,
}

/// A group, for sums over its members.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct SpaceGroup {
    /// Its name.
    #[n(0)]
    pub name: String,
    /// Numbers of its members.
    #[n(1)]
    pub members: Vec<u32>,
    /// Soft limit.
    #[n(2)]
    pub soft_bytes: Option<u64>,
    /// Hard limit.
    #[n(3)]
    pub hard_bytes: Option<u64>,
}

/// What belongs to the vault and to no account.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct SpaceVault {
    /// The server's clock, ms since 1970.
    #[n(0)]
    pub at: i64,
    /// Files that belong to no account.
    #[n(1)]
    pub beside_bytes: u64,
    /// What the vault's disk has free, when known.
    #[n(2)]
    pub free_bytes: Option<u64>,
}

/// Says of chunks that older versions need what they are for. The first is the request; each is answered by a
/// [`SplitTold`]. At most [`IDS_MAX`](super::IDS_MAX) ids of a kind.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct SplitBatch {
    /// Chunks of older states of paths that the newest version has, too.
    #[n(0)]
    #[cbor(with = "minicbor::bytes")]
    pub old: Vec<u8>,
    /// Chunks of paths that the newest version has not.
    #[n(1)]
    #[cbor(with = "minicbor::bytes")]
    pub deleted: Vec<u8>,
    /// That was all.
    #[n(2)]
    pub last: bool,
}

/// Reply to a [`SplitBatch`].
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum SplitTold {
    /// It was taken.
    #[n(1)]
    Taken,
    /// It was the last.
    #[n(2)]
    Done(#[n(0)] Box<SplitDone>),
}

/// History told apart. The four are boxes, have nothing in common and add up to the history of `usage`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct SplitDone {
    /// All figures, exact.
    #[n(0)]
    pub usage: UsageTold,
    /// With older states of paths that are still there.
    #[n(1)]
    pub old_bytes: u64,
    /// With what stood at paths that are gone.
    #[n(2)]
    pub deleted_bytes: u64,
    /// With both.
    #[n(3)]
    pub both_bytes: u64,
    /// Of which nothing was said.
    #[n(4)]
    pub other_bytes: u64,
}
