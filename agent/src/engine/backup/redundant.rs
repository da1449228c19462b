//! Sources that the configuration named once and names no more: their data stays in new versions for a while
//! (`delete_redundant_after`), and is then left out. Who was backed up by hand was never named, and stays.

use std::collections::BTreeMap;

use store::chain::SourceRoot;

use super::prepare::Base;
use crate::engine::account::Account;
use crate::engine::job::BackupJob;
use crate::event::Event;
use crate::name::for_terminal;

/// What this machine remembers: sources (hex) that its configuration names, with 0, and those that it named, with the
/// moment since when it does not, milliseconds since 1970.
pub type Configured = BTreeMap<String, i64>;

/// What is to be remembered when the version stands, and the sources that it leaves out. Tells of each.
pub fn look(account: &Account, base: &Base, job: &BackupJob) -> (Configured, Vec<SourceRoot>) {
    let ids = job.sources.iter().map(|source| account.keys.source_id(&source.host, source.bare_path()));
    let mut configured: Configured = ids.map(|id| (id.hex(), 0)).collect();
    let now_ms = account.run.clock.now_ms();
    let by_ms = moment_before(account, job.delete_redundant_after_ms);
    let mut dropped = Vec::new();
    for (id, since_ms) in account.state().configured {
        let Some(root) = base.sources().find(|root| root.id.hex() == id) else { continue };
        if configured.contains_key(&id) {
            continue;
        }
        let shown = for_terminal(&root.path);
        // A moment that has not come yet was told by a clock that went wrong.
        let (since_ms, new) = if since_ms == 0 || since_ms > now_ms { (now_ms, true) } else { (since_ms, false) };
        if by_ms.is_some_and(|by| since_ms <= by) {
            let told = format!("{shown} is not in the configuration any more, and left out of this version");
            account.run.watcher.event(&Event::Note(&told));
            dropped.push(root.clone());
            continue;
        }
        if new {
            let told = format!("{shown} is not in the configuration any more; its data is kept for now");
            account.run.watcher.event(&Event::Note(&told));
        }
        configured.insert(id, since_ms);
    }
    (configured, dropped)
}

/// The moment so many milliseconds ago, by the clock that is behind of this machine's and the server's: one that jumped
/// ahead ends nothing. `None` for 0, which means for ever.
pub fn moment_before(account: &Account, after_ms: u64) -> Option<i64> {
    let now_ms = account.run.clock.now_ms().saturating_add(account.clock_ahead_ms.min(0));
    let after_ms = i64::try_from(after_ms).unwrap_or(i64::MAX);
    (after_ms > 0).then(|| now_ms.saturating_sub(after_ms))
}
