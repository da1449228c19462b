//! What an account takes in the vault.

use minicbor::{Decode, Encode};

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
    /// Of these the catalog, now, which can be made again.
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
