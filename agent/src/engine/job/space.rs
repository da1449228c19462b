//! Verbs that say what is taken: `usage`.

use transport::message::UsageTold;

/// Say what an account takes in the vault.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct UsageJob {
    /// How it is now, however long the server has to walk for it.
    pub exact: bool,
}

/// What an account takes in the vault. The five classes of `told` have nothing in common and add up to
/// [`total_bytes`](Self::total_bytes).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UsageRow {
    /// Its name.
    pub account: String,
    /// The figures, as the server tells them.
    pub told: UsageTold,
}

impl UsageRow {
    /// All classes together: what lay there when they were counted.
    #[must_use]
    pub fn total_bytes(&self) -> u64 {
        let told = &self.told;
        [told.current_bytes, told.history_bytes, told.trash_bytes, told.metadata_bytes, told.unreferenced_bytes]
            .into_iter()
            .fold(0, u64::saturating_add)
    }
}
