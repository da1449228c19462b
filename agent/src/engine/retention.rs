//! What becomes of versions: which are kept, in the trash or gone, by the rules that the server holds too; forgetting,
//! pinning, and the policy.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;

use store::chain::{
    Fate, LinkKind, NamedVersions, Policy, ReceivedLink, TRASH_MS, forgotten, judge, must_be_there, open_policy,
    policy_of, seal_policy,
};
use store::id::BodyHash;
use store::record::{Record, RecordKind};

use transport::Class;
use transport::message::{self, Kept, Request};

use super::account::Account;
use super::errand::{Came, Errand};
use super::job::{Naming, NamingJob, NamingSummary, PolicyJob, PolicyRow, Run};
use super::queue::lock;
use super::versions::{pick, short};
use crate::fault::{Code, Fault, Result};
use crate::units::counted;

/// So long the server may look for what versions alone need, milliseconds.
const WOULD_FREE_MS: u64 = 60_000;
const DAY_MS: i64 = 24 * 3_600_000;
/// More than this share of the versions, in hundredths, is not forgotten at once without a word.
const SHARE_PERCENT: usize = 30;

/// What is known of an account's versions.
pub struct Fates {
    /// By number. Versions whose bodies are gone are not in it.
    fates: BTreeMap<u64, Fate>,
    pins: BTreeMap<u64, i64>,
    /// Versions that were forgotten, also those that a pin keeps meanwhile.
    forgotten: HashSet<u64>,
    /// Versions that were allowed to go, now or earlier.
    may_be_missing: BTreeSet<u64>,
    /// Those of them whose bodies are gone.
    gone: BTreeSet<u64>,
}

impl Fates {
    /// Looks at the chain, and asks the server for the bodies that may have gone.
    pub fn of(account: &Account) -> Result<Self> {
        let (mut moments, links, clear) = {
            let mut history = account.history();
            let acts = history.links().iter().filter(|link| link.link().kind.is_act());
            let hashes: Vec<_> = acts.map(|link| link.link().body).collect();
            history.load_bodies(&account.remote, &hashes)?;
            history.moments()?
        };
        let mut may_be_missing = BTreeSet::new();
        let mut gone = BTreeSet::new();
        // When it is not known what is to be kept, nothing was allowed to go.
        if clear {
            let all: Vec<u64> =
                links.iter().filter(|link| link.link().kind.is_version()).map(|link| link.link().sequence).collect();
            // As if all were missing: whatever may be.
            let must: BTreeSet<u64> = must_be_there(&moments, &all, &all).into_iter().collect();
            // What has gone never comes back, so it is asked about once.
            let mut bodies = account.history().known_gone();
            let may_go = |link: &&ReceivedLink| link.link().kind.is_version() && !must.contains(&link.link().sequence);
            let ask: Vec<BodyHash> = links
                .iter()
                .filter(may_go)
                .map(|link| link.link().body)
                .filter(|body| !bodies.contains(body))
                .collect();
            let there = account.remote.bodies(&ask)?;
            let mut new = Vec::new();
            for (hash, body) in ask.into_iter().zip(there) {
                match body.map(|body| Record::decode(&body)) {
                    // Its tags count.
                    Some(Ok(body)) => account.history().add_body(body),
                    // It is there; who wants to read it is told.
                    Some(Err(_)) => {}
                    None => new.push(hash),
                }
            }
            bodies.extend(&new);
            moments = account.history().moments()?.0;
            let is_missing = |link: &&ReceivedLink| link.link().kind.is_version() && bodies.contains(&link.link().body);
            let missing: Vec<u64> = links.iter().filter(is_missing).map(|link| link.link().sequence).collect();
            let must: BTreeSet<u64> = must_be_there(&moments, &all, &missing).into_iter().collect();
            may_be_missing.extend(all.iter().filter(|version| !must.contains(version)));
            gone.extend(missing.iter().filter(|version| !must.contains(version)));
            let allowed: BTreeSet<BodyHash> =
                links.iter().filter(|link| gone.contains(&link.link().sequence)).map(|link| link.link().body).collect();
            new.retain(|body| allowed.contains(body));
            account.history().add_gone(&new);
        }
        let mut fates: BTreeMap<u64, Fate> = judge(&moments).into_iter().collect();
        fates.retain(|version, _| !gone.contains(version));
        let forgotten = forgotten(&moments);
        let mut out = Self { pins: BTreeMap::new(), forgotten, fates, may_be_missing, gone };
        out.pins = out.pins_in_force();
        Ok(out)
    }

    fn pins_in_force(&self) -> BTreeMap<u64, i64> {
        let pinned = |fate: &Fate| match fate {
            Fate::Kept(reasons) => reasons.iter().find_map(|reason| match reason {
                store::chain::Reason::Pinned(until) => Some(*until),
                _ => None,
            }),
            _ => None,
        };
        self.fates.iter().filter_map(|(version, fate)| Some((*version, pinned(fate)?))).collect()
    }

    /// Whether a version was removed, as it may be.
    pub fn is_gone(&self, version: u64) -> bool {
        self.gone.contains(&version)
    }

    /// When the trash gives a version up, if it is in there.
    pub fn trashed(&self, version: u64) -> Option<i64> {
        match self.fates.get(&version) {
            Some(Fate::Trash { until }) => Some(*until),
            // Its time is up, and nobody has kept house since.
            Some(Fate::Going(store::chain::Cause::Forgotten)) => Some(0),
            _ => None,
        }
    }

    /// A version whose time in the trash is over by this clock, though no link says so yet.
    fn over(&self, now_ms: i64) -> Option<u64> {
        let is_over = |fate: &Fate| matches!(fate, Fate::Trash { until } if *until <= now_ms);
        self.fates.iter().find(|(_, fate)| is_over(fate)).map(|(version, _)| *version)
    }

    /// Until when a version is pinned (0 for ever), if it is.
    pub fn pinned(&self, version: u64) -> Option<i64> {
        self.pins.get(&version).copied()
    }

    /// Why a version is kept, a word each: `newest`, `daily`, `pinned`; what became of it when it is not kept any more.
    pub fn why(&self, version: u64) -> Vec<String> {
        match self.fates.get(&version) {
            Some(Fate::Kept(reasons)) => reasons.iter().map(|reason| reason.word().to_owned()).collect(),
            Some(Fate::Trash { .. }) => vec!["forgotten".to_owned()],
            Some(Fate::Going(cause)) => vec![cause.words().to_owned()],
            None => Vec::new(),
        }
    }

    /// What was said when versions were pinned that still are; the newest word of each counts. Words that cannot be read
    /// are done without.
    pub fn pin_reasons(&self, account: &Account) -> BTreeMap<u64, String> {
        let history = account.history();
        let pins = history.links().iter().filter(|link| link.link().kind == LinkKind::Pin);
        let mut reasons = BTreeMap::new();
        for named in
            pins.filter_map(|link| NamedVersions::open(&account.sealer, &history.body_here(link.link().body)?).ok())
        {
            for version in named.versions.into_iter().filter(|version| self.pins.contains_key(version)) {
                reasons.insert(version, named.reason.clone());
            }
        }
        reasons.retain(|_, reason| !reason.is_empty());
        reasons
    }

    /// Whether the body of a version may be missing.
    pub fn may_be_missing(&self, version: u64) -> bool {
        self.may_be_missing.contains(&version)
    }
}

impl Account {
    /// What becomes of versions, as it was when this was asked first: for who only reads.
    pub fn fates(&self) -> Result<Arc<Fates>> {
        let mut fates = lock(&self.fates);
        match &*fates {
            Some(fates) => Ok(Arc::clone(fates)),
            None => Ok(Arc::clone(fates.insert(Arc::new(Fates::of(self)?)))),
        }
    }

    /// Has the bodies of these versions here, in one question for those that are not.
    pub fn load_versions(&self, links: &[ReceivedLink]) -> Result<()> {
        let hashes: Vec<_> = links.iter().map(|link| link.link().body).collect();
        let missing: Vec<_> = hashes.into_iter().filter(|hash| self.opened.get(hash).is_none()).collect();
        self.history().load_bodies(&self.remote, &missing)
    }
}

/// Forgets or pins versions, or takes it back.
pub fn name_versions(run: &Run, job: &NamingJob) -> Result<NamingSummary> {
    let errand = Errand::begin(run, if matches!(job.what, Naming::Pin(_) | Naming::Unpin) { "pin" } else { "forget" });
    let account = Account::open(run)?;
    account.may_write()?;
    let fates = Fates::of(&account)?;
    let links: Vec<ReceivedLink> =
        account.version_links(false).into_iter().filter(|link| !fates.is_gone(link.link().sequence)).collect();
    let newest = links.last().map(|link| link.link().sequence);
    let from_trash = job.what == Naming::Unforget;
    let choice: Vec<ReceivedLink> = links
        .iter()
        .filter(|link| {
            let trashed = fates.trashed(link.link().sequence).is_some();
            if from_trash { trashed } else { !trashed }
        })
        .cloned()
        .collect();
    let mut versions = BTreeSet::new();
    for at in &job.versions {
        // Who names it means it, wherever it is.
        let from = if at.is_name() { &links } else { &choice };
        versions.insert(pick(from, at, &account.run.zone)?.link().sequence);
    }
    let (kind, record, until) = match job.what {
        Naming::Forget => (LinkKind::Forget, RecordKind::ForgetBody, 0),
        Naming::Unforget => (LinkKind::Unforget, RecordKind::ForgetBody, 0),
        Naming::Pin(until) => (LinkKind::Pin, RecordKind::PinBody, until),
        Naming::Unpin => (LinkKind::Unpin, RecordKind::PinBody, 0),
    };
    match job.what {
        Naming::Forget => {
            versions.retain(|version| fates.trashed(*version).is_none());
            may_forget(job, &versions, &fates, newest, choice.len())?;
        }
        Naming::Unforget => versions.retain(|version| fates.trashed(*version).is_some()),
        Naming::Pin(_) => {}
        Naming::Unpin => versions.retain(|version| fates.pinned(*version).is_some()),
    }
    let versions: Vec<u64> = versions.into_iter().collect();
    if versions.is_empty() {
        account.remote.close()?;
        return Ok(NamingSummary::default());
    }
    let named: Vec<ReceivedLink> =
        links.iter().filter(|link| versions.binary_search(&link.link().sequence).is_ok()).cloned().collect();
    let version_ids = named.iter().map(short).collect();
    let keeps = |until: i64| Some(until).filter(|until| *until != 0);
    if job.dry_run {
        let until_ms = match job.what {
            // By the server's clock, and if it were now.
            Naming::Forget => Some(run.clock.now_ms().saturating_add(account.clock_ahead_ms).saturating_add(TRASH_MS)),
            Naming::Pin(until) => keeps(until),
            Naming::Unforget | Naming::Unpin => None,
        };
        let freed_bytes = if job.what == Naming::Forget { would_free(&account, &versions)? } else { None };
        account.remote.close()?;
        return Ok(NamingSummary { versions, version_ids, until_ms, dry_run: true, freed_bytes });
    }
    let device = account.device()?;
    // Who pins a version wants it kept: it is out of the trash, and an ordinary one when the pin ends. At no moment does
    // nothing keep it.
    let wanted: Vec<u64> = match job.what {
        Naming::Pin(_) | Naming::Unpin => versions.iter().copied().filter(|v| fates.forgotten.contains(v)).collect(),
        Naming::Forget | Naming::Unforget => Vec::new(),
    };
    let take_out = || -> Result<()> {
        if wanted.is_empty() {
            return Ok(());
        }
        let named = NamedVersions { versions: wanted.clone(), ..NamedVersions::default() };
        let body = named.seal(&account.sealer, RecordKind::ForgetBody)?;
        account.append(&device, LinkKind::Unforget, &body).map(drop)
    };
    if job.what == Naming::Unpin {
        take_out()?;
    }
    let named = NamedVersions { versions: versions.clone(), until, reason: job.reason.clone() };
    let link = account.append(&device, kind, &named.seal(&account.sealer, record)?)?;
    if job.what != Naming::Unpin {
        take_out()?;
    }
    let until_ms = match job.what {
        Naming::Forget => Some(link.received_at().saturating_add(TRASH_MS)),
        Naming::Pin(until) => keeps(until),
        Naming::Unforget | Naming::Unpin => None,
    };
    let came = Came { sequence: Some(link.link().sequence), files: versions.len() as u64, ..Came::default() };
    let told = errand.done(&account.remote, came);
    account.remote.close()?;
    drop(told);
    Ok(NamingSummary { versions, version_ids, until_ms, ..NamingSummary::default() })
}

/// Leaves word in the chain that time has passed, for a run that found no room: it adds no link, so what is in the trash
/// would stay there, and the account full, for ever. The word names a version whose time in the trash is over by both
/// clocks, and takes a pin away that it has not; what nobody forgot does not age by it. One a day is enough.
pub fn leave_word(account: &Account) -> Result<()> {
    let (ahead, newest) = (account.clock_ahead_ms, account.history().links().last().map(ReceivedLink::received_at));
    let now = account.run.clock.now_ms().saturating_add(ahead);
    let says_news = newest.is_some_and(|newest| now.saturating_sub(newest) >= DAY_MS);
    // Else the receipt would be in doubt.
    if ahead.saturating_abs() >= DAY_MS || !says_news {
        return Ok(());
    }
    let Some(version) = Fates::of(account)?.over(now) else { return Ok(()) };
    let named = NamedVersions { versions: vec![version], ..NamedVersions::default() };
    let body = named.seal(&account.sealer, RecordKind::PinBody)?;
    account.append(&account.device()?, LinkKind::Unpin, &body).map(drop)
}

/// What only these versions need, in bytes. `None` when the server cannot tell, or not soon.
fn would_free(account: &Account, versions: &[u64]) -> Result<Option<u64>> {
    if versions.len() > message::IDS_MAX {
        return Ok(None);
    }
    let without = Some(versions.to_vec());
    let ask =
        message::Housekeep { dry_run: true, most_ms: Some(WOULD_FREE_MS), without, ..message::Housekeep::default() };
    let call = account.remote.call(Class::Interactive, &Request::Housekeep(ask));
    let call = call.map_err(|error| account.remote.explain(&error))?;
    account.remote.end(&call)?;
    loop {
        // A server that does not know the question tells of every version first.
        if let Kept::Done(done) = account.remote.reply(&call)? {
            return Ok(done.without_bytes);
        }
    }
}

fn may_forget(job: &NamingJob, versions: &BTreeSet<u64>, fates: &Fates, newest: Option<u64>, all: usize) -> Result<()> {
    if let Some(newest) = newest.filter(|newest| versions.contains(newest)) {
        return Err(Fault::new(
            Code::PolicyKept,
            format!("version {newest} is the newest and stays: it says where every source stands"),
        )
        .hint("make a new version first: tuckbox backup"));
    }
    if let Some(pinned) = versions.iter().find(|version| fates.pinned(**version).is_some()) {
        return Err(Fault::new(Code::PolicyKept, format!("version {pinned} is pinned"))
            .hint("take the pin away first: tuckbox pin --undo VERSION"));
    }
    if !job.confirmed && !job.dry_run && versions.len() > 1 && versions.len() * 100 > all * SHARE_PERCENT {
        let these = counted(versions.len() as u64, "version", "versions");
        return Err(Fault::new(Code::PolicyConfirm, format!("{these} of {all} would be forgotten at once"))
            .hint("if you mean it, add --yes; `tuckbox forget --undo` brings them back for 14 days"));
    }
    Ok(())
}

/// Shows the policy, after setting it if so asked.
pub fn policy(run: &Run, job: &PolicyJob) -> Result<PolicyRow> {
    let account = Account::open(run)?;
    if let Some(row) = &job.set {
        account.may_write()?;
        let counts = row.keep.map(|count| count.unwrap_or(Policy::ALL));
        let tags = row.tags.iter().map(|tag| account.keys.tag_id(tag)).collect();
        let policy = Policy {
            counts,
            within_ms: row.within_ms,
            tags,
            soft_limit: row.soft_limit,
            min_free_bytes: row.min_free_bytes,
        };
        let body = seal_policy(&account.sealer, &policy, &row.preset, &row.tags)?;
        account.append(&account.device()?, LinkKind::Policy, &body)?;
    } else {
        account.may_read();
    }
    let shown = shown(&account)?;
    account.remote.close()?;
    Ok(shown)
}

fn shown(account: &Account) -> Result<PolicyRow> {
    let mut history = account.history();
    let newest = history.links().iter().rev().find(|link| link.link().kind == LinkKind::Policy).cloned();
    let (policy, preset, tags, sequence) = match newest {
        None => (policy_of(&[]).0, "default".to_owned(), Vec::new(), 0),
        Some(link) => {
            let body = history.body(&account.remote, link.link().body)?.ok_or_else(|| {
                Fault::new(Code::HistoryLoss, "the policy is missing in the vault").hint("tuckbox check")
            })?;
            let (policy, preset, tags) = open_policy(&account.sealer, &body)?;
            (policy, preset, tags, link.link().sequence)
        }
    };
    let keep = policy.counts.map(|count| Some(count).filter(|count| *count != Policy::ALL));
    Ok(PolicyRow {
        preset,
        keep,
        within_ms: policy.within_ms,
        tags,
        soft_limit: policy.soft_limit,
        min_free_bytes: policy.min_free_bytes,
        sequence,
    })
}
