//! What the opened account takes in the vault.

use store::vault::Access;
use transport::message::{UsageAsk, UsageTold};

use super::Server;
use super::refuse::Refused;

/// A question that may be answered with older figures is answered within this time: somebody waits at a prompt.
const WALK_MS: u64 = 2_000;

impl Server {
    /// Its files by class, its limits, and what the disk has free.
    pub(super) fn usage(&self, ask: &UsageAsk) -> Result<UsageTold, Refused> {
        let (_, account, domain) = self.account(Access::Read)?;
        let usage = domain.usage(if ask.exact { None } else { Some(WALK_MS) })?;
        let classes = usage.classes;
        Ok(UsageTold {
            at: classes.at,
            current_bytes: classes.current_bytes,
            history_bytes: classes.history_bytes,
            trash_bytes: classes.trash_bytes,
            metadata_bytes: classes.metadata_bytes,
            unreferenced_bytes: classes.unreferenced_bytes,
            now_bytes: usage.now_bytes,
            pack_bytes: usage.pack_bytes,
            catalog_bytes: usage.catalog_bytes,
            packs: usage.packs,
            versions: classes.versions,
            oldest_at: classes.oldest_at,
            newest_at: classes.newest_at,
            holes: classes.holes,
            soft_bytes: account.terms.soft_bytes,
            hard_bytes: account.terms.hard_bytes,
            free_bytes: usage.free_bytes,
        })
    }
}
