//! Verbs that say what is taken: `usage`, `report space`.

pub use transport::message::UsageTold;

use crate::fault::Fault;

/// Say what an account takes in the vault.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct UsageJob {
    /// How it is now, however long the server has to walk for it.
    pub exact: bool,
    /// Tell history apart; needs the key.
    pub classes: bool,
}

/// What an account takes in the vault. The five classes of `told` have nothing in common and add up to
/// [`total_bytes`](Self::total_bytes).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UsageRow {
    /// Its name.
    pub account: String,
    /// The figures, as the server tells them.
    pub told: UsageTold,
    /// History told apart, when that was asked for.
    pub split: Option<SplitRow>,
}

/// History told apart. The four have nothing in common and add up to it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SplitRow {
    /// Older states of paths that are still there.
    pub old_bytes: u64,
    /// What stood at paths that are gone.
    pub deleted_bytes: u64,
    /// What is both, and boxes that hold some of both.
    pub both_bytes: u64,
    /// What could not be told apart: something came or went meanwhile, or cannot be read.
    pub other_bytes: u64,
}

impl UsageRow {
    /// All classes together: what lay there when they were counted.
    #[must_use]
    pub fn total_bytes(&self) -> u64 {
        total(&self.told)
    }
}

/// What a row of a report about space is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SpaceScope {
    /// One account.
    Account,
    /// The accounts of a group; they may be in others, too.
    Group,
    /// A directory on one of several disks.
    Volume,
    /// Everything, with what belongs to no account.
    Vault,
}

/// What an account, a group or the vault takes, and how that grows.
#[derive(Clone, Debug)]
pub struct SpaceRow {
    /// What it is about.
    pub scope: SpaceScope,
    /// The name of the account or group, the number of the volume; empty for the vault.
    pub name: String,
    /// Accounts in it.
    pub accounts: u64,
    /// Of these, accounts whose figures cannot be had: they count as nothing.
    pub unknown: u64,
    /// Of one account: why that is so.
    pub why: Option<Fault>,
    /// Sums of the figures; `at` is the oldest. Limits are those of the account or group, `free_bytes` is of the disk.
    pub told: UsageTold,
    /// Bytes a day, over about 7 days; fewer when it is younger. `None` before there is one.
    pub growth_7d: Option<i64>,
    /// The same over about 30 days.
    pub growth_30d: Option<i64>,
    /// Whole days until the hard limit, or for the vault until the disk is full, if it grows on as it did in 30 days.
    pub days_left: Option<u64>,
    /// What it took on earlier days of the last 31: beginning of the day, ms since 1970, and bytes. Of one account alone.
    pub days: Vec<(i64, u64)>,
    /// Of a volume: its directory, and whether it is there.
    pub place: Option<(String, bool)>,
}

impl SpaceRow {
    /// All classes together.
    #[must_use]
    pub fn total_bytes(&self) -> u64 {
        // What the files of a volume are for is not told apart.
        if self.scope == SpaceScope::Volume { self.told.now_bytes } else { total(&self.told) }
    }
}

fn total(told: &UsageTold) -> u64 {
    [told.current_bytes, told.history_bytes, told.trash_bytes, told.metadata_bytes, told.unreferenced_bytes]
        .into_iter()
        .fold(0, u64::saturating_add)
}
