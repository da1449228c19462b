//! What accounts take in the vault.

use std::collections::{BTreeMap, HashMap};

use store::door::Millis;
use store::id::{AccountId, ChunkId};
use store::vault::{Access, AccountInfo, Domain, Usage, Vault};
use transport::message::{
    SpaceAccount, SpaceAsk, SpaceDay, SpaceGroup, SpaceTold, SpaceVault, SplitBatch, SplitDone, SplitTold, UsageAsk,
    UsageTold, decode, split_ids,
};
use transport::{Call, Part};

use super::refuse::Refused;
use super::{Server, reply};
use crate::fault::{Code, Fault};
use crate::profile::{Wait, waiting};

/// A question that may be answered with older figures is answered within this time: somebody waits at a prompt.
const WALK_MS: u64 = 2_000;
/// The same for each of many accounts.
const WALK_EACH_MS: u64 = 200;
const DAY_MS: Millis = 24 * 3_600 * 1_000;
/// Days of samples that are told.
const DAYS: Millis = 31;

impl Server {
    /// Files of the opened account by class, its limits, and what the disk has free.
    pub(super) fn usage(&self, ask: &UsageAsk) -> Result<UsageTold, Refused> {
        let (_, account, domain) = self.account(Access::Read)?;
        Ok(figures(&account, &domain, if ask.exact { None } else { Some(WALK_MS) })?)
    }

    /// Adds up boxes of the opened account's history, by what the client says of chunks. It answers each message.
    pub(super) fn split(&self, call: &Call, first: SplitBatch) -> Result<(), Refused> {
        let (_, account, domain) = self.account(Access::Read)?;
        let bad = || Fault::new(Code::NetProtocol, "a list of chunks cannot be read");
        let mut split = domain.split()?;
        let mut batch = first;
        loop {
            let old = split_ids(&batch.old, ChunkId::new).ok_or_else(bad)?;
            let deleted = split_ids(&batch.deleted, ChunkId::new).ok_or_else(bad)?;
            split.add(&old, &deleted)?;
            if batch.last {
                let (usage, history) = split.finish();
                return reply(
                    call,
                    SplitTold::Done(Box::new(SplitDone {
                        usage: told(&account, &usage),
                        old_bytes: history.old_bytes,
                        deleted_bytes: history.deleted_bytes,
                        both_bytes: history.both_bytes,
                        other_bytes: history.other_bytes,
                    })),
                );
            }
            reply(call, SplitTold::Taken)?;
            batch = match waiting(Wait::Input, || call.recv())? {
                Some(Part::Message(message)) => decode(&message).map_err(|_| bad())?,
                Some(Part::Data(_)) => return Err(bad().into()),
                None => return Ok(()),
            };
        }
    }

    /// The same of all accounts, with what they took on earlier days; groups; and what belongs to no account.
    pub(super) fn space(&self, call: &Call, ask: &SpaceAsk) -> Result<(), Refused> {
        self.must_see_all()?;
        let vault = self.vault(Access::Read)?;
        let now = self.clock.now_ms();
        let most_ms = if ask.exact { None } else { Some(WALK_EACH_MS) };
        let mut numbers: HashMap<AccountId, u32> = HashMap::new();
        for account in vault.accounts()? {
            numbers.insert(account.id, account.number);
            // Each is closed before the next one is opened: there may be very many.
            let told = vault.apart().domain_to_read(&account).and_then(|domain| figures(&account, &domain, most_ms));
            let days = days(&vault, &account, now);
            let (usage, why) = match told {
                Ok(told) => (Some(told), None),
                Err(error) => (None, Refused::from(error).refusal()),
            };
            let row = SpaceAccount { name: account.name, number: account.number, usage, days, why };
            reply(call, SpaceTold::Account(Box::new(row)))?;
        }
        for group in vault.groups()? {
            let members = group.members.iter().filter_map(|member| numbers.get(member).copied()).collect();
            let (soft_bytes, hard_bytes) = (group.terms.soft_bytes, group.terms.hard_bytes);
            reply(call, SpaceTold::Group(SpaceGroup { name: group.name, members, soft_bytes, hard_bytes }))?;
        }
        let free_bytes = vault.free_bytes();
        for volume in if ask.volumes == Some(true) { vault.volumes()? } else { Vec::new() } {
            reply(call, SpaceTold::Volume(super::volumes::facts(volume)))?;
        }
        reply(call, SpaceTold::Vault(SpaceVault { at: now, beside_bytes: vault.beside_bytes()?, free_bytes }))
    }
}

fn figures(account: &AccountInfo, domain: &Domain, most_ms: Option<u64>) -> store::Result<UsageTold> {
    domain.usage(most_ms).map(|usage| told(account, &usage))
}

fn told(account: &AccountInfo, usage: &Usage) -> UsageTold {
    let classes = usage.classes;
    UsageTold {
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
    }
}

/// Samples of an account, a sum for each day. Where there are none, or they cannot be read, there are none.
fn days(vault: &Vault, account: &AccountInfo, now: Millis) -> Vec<SpaceDay> {
    let from = now.saturating_sub(DAYS * DAY_MS);
    let samples = vault.activity(account, |activity| activity.samples(Some(account.number), from)).unwrap_or_default();
    let mut sums: BTreeMap<Millis, u64> = BTreeMap::new();
    for sample in samples {
        let sum = sums.entry(sample.day).or_default();
        *sum = sum.saturating_add(sample.bytes);
    }
    sums.into_iter().map(|(at, bytes)| SpaceDay { at, bytes }).collect()
}

/// Remembers what an account takes today, after housekeeping; `marked`: it came to its end, and has told the classes
/// apart. Nobody stops because that fails: it is for reports alone.
pub(super) fn sample(vault: &Vault, account: &AccountInfo, domain: &Domain, (marked, now): (bool, Millis)) {
    let sample = if marked { by_class(domain) } else { domain.now_bytes().map(|bytes| vec![("any", bytes)]) };
    let Ok(sample) = sample else { return };
    drop(vault.activity(account, |activity| activity.put_sample(Some(account.number), now, &sample)));
}

fn by_class(domain: &Domain) -> store::Result<Vec<(&'static str, u64)>> {
    let usage = domain.usage(Some(0))?;
    let classes = usage.classes;
    if classes.total_bytes() != usage.now_bytes {
        // Something has come since.
        return Ok(vec![("any", usage.now_bytes)]);
    }
    Ok(vec![
        ("current", classes.current_bytes),
        ("history", classes.history_bytes),
        ("trash", classes.trash_bytes),
        ("metadata", classes.metadata_bytes),
        ("unreferenced", classes.unreferenced_bytes),
    ])
}
