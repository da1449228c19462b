//! Which versions are kept, and why (FORMAT.md, chapter 11). The same for the server, which carries it out, and for the
//! client, which sees whether a body that is not there was allowed to go.
//!
//! It is a function of the chain alone: ages are measured from the newest receipt that is not in doubt. So an account
//! that rests loses nothing, and no clock decides anything by itself.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::act_body::{NamedVersions, clear_policy};
use super::policy::{DAY_MS, HOUR_MS, Period, Policy};
use super::{LinkKind, ReceivedLink, clear_sources, clear_tags};
use crate::door::Millis;
use crate::error::Result;
use crate::id::{SourceId, TagId};
use crate::record::Record;

/// Nothing younger is thinned.
const RECENT_MS: Millis = DAY_MS;
/// What was forgotten stays in the trash so long.
pub const TRASH_MS: Millis = 14 * DAY_MS;
/// A partial version goes after this time at the latest.
const PARTIAL_MS: Millis = 90 * DAY_MS;
/// A receipt that differs more from the client's clock is in doubt.
const SKEW_MS: Millis = DAY_MS;
/// A receipt that comes so long after the one before is in doubt until another one, a day later, agrees. A clock that is
/// wrong once must empty no trash; who is away over a long weekend needs not wait, and after a holiday a day is no harm.
const LEAP_MS: Millis = 5 * DAY_MS;
/// The same by the former rules.
const FORMER_LEAP_MS: Millis = 30 * DAY_MS;

/// What a link does to versions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Act {
    /// It is a version. Without its body, nothing is known of tags and sources.
    Version {
        /// Tags, by id.
        tags: Vec<TagId>,
        /// Each source with the number of the link that introduced its root.
        sources: Vec<(SourceId, u64)>,
    },
    /// It is a partial version, with the sources whose roots it introduced; `None` without its body.
    Partial(Option<Vec<SourceId>>),
    /// Puts versions into the trash.
    Forget(Vec<u64>),
    /// Takes them out again.
    Unforget(Vec<u64>),
    /// Pins versions, until then; 0 for ever.
    Pin(Vec<u64>, Millis),
    /// Takes pins away.
    Unpin(Vec<u64>),
    /// From now on this policy is in force.
    Policy(Policy),
    /// Nothing.
    Other,
}

/// One link, as far as it matters here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moment {
    /// Its number.
    pub sequence: u64,
    /// By the client's clock.
    pub taken_at: Millis,
    /// By the server's.
    pub received_at: Millis,
    /// What it does.
    pub act: Act,
}

impl Moment {
    /// A link with its body. Of kinds that name versions or hold a policy the body must be given: they never go.
    pub fn new(link: &ReceivedLink, body: Option<&Record>) -> Result<Self> {
        let act = match (link.link().kind, body) {
            (LinkKind::Version, Some(body)) => {
                let sources = clear_sources(body)?.into_iter().map(|(id, _, introduced)| (id, introduced));
                Act::Version { tags: clear_tags(body)?, sources: sources.collect() }
            }
            (LinkKind::Version, None) => Act::Version { tags: Vec::new(), sources: Vec::new() },
            (LinkKind::Partial, Some(body)) => {
                let sequence = link.link().sequence;
                let own = clear_sources(body)?.into_iter().filter(|(.., introduced)| *introduced == sequence);
                Act::Partial(Some(own.map(|(id, ..)| id).collect()))
            }
            (LinkKind::Partial, None) => Act::Partial(None),
            (LinkKind::Forget, Some(body)) => Act::Forget(NamedVersions::clear(body)?.versions),
            (LinkKind::Unforget, Some(body)) => Act::Unforget(NamedVersions::clear(body)?.versions),
            (LinkKind::Pin, Some(body)) => {
                let named = NamedVersions::clear(body)?;
                Act::Pin(named.versions, named.until)
            }
            (LinkKind::Unpin, Some(body)) => Act::Unpin(NamedVersions::clear(body)?.versions),
            (LinkKind::Policy, Some(body)) => Act::Policy(clear_policy(body)?),
            _ => Act::Other,
        };
        let (sequence, taken_at) = (link.link().sequence, link.link().taken_at);
        Ok(Self { sequence, taken_at, received_at: link.received_at(), act })
    }
}

/// Why a version is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    /// It is the newest.
    Newest,
    /// It is younger than 24 hours.
    Recent,
    /// It is the newest of such a period.
    Period(Period),
    /// The policy keeps everything of this age.
    Within,
    /// The policy keeps one of its tags.
    Tag,
    /// It is pinned until then; 0 for ever.
    Pinned(Millis),
    /// Its time of receipt is in doubt.
    Doubtful,
    /// A partial version on which the next run goes on.
    Unfinished,
}

impl Reason {
    /// In a word, for records and people.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Newest => "newest",
            Self::Recent => "recent",
            Self::Period(period) => period.word(),
            Self::Within => "within",
            Self::Tag => "tag",
            Self::Pinned(_) => "pinned",
            Self::Doubtful => "doubtful",
            Self::Unfinished => "unfinished",
        }
    }
}

/// Why a version may go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cause {
    /// No rule keeps it.
    Expired,
    /// It was forgotten, and its time in the trash is up.
    Forgotten,
    /// A partial version whose sources have a later version, or one that is too old.
    Superseded,
    /// The account was above its soft limit.
    SoftLimit,
    /// The disk had less free than the policy wants.
    Space,
}

impl Cause {
    /// In a few words, for records and people.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::Expired => "expired",
            Self::Forgotten => "forgotten",
            Self::Superseded => "superseded",
            Self::SoftLimit => "soft limit",
            Self::Space => "free space",
        }
    }
}

/// What becomes of a version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It is kept, for these reasons.
    Kept(Vec<Reason>),
    /// It was forgotten and goes with the first link that is received then or later.
    Trash {
        /// In milliseconds since 1970.
        until: Millis,
    },
    /// Its body may go.
    Going(Cause),
}

impl Fate {
    /// Whether the body may go.
    #[must_use]
    pub fn is_going(&self) -> bool {
        matches!(self, Self::Going(_))
    }
}

/// By which rules it is judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rules {
    /// Those that hold.
    Present,
    /// Those before: a server may have removed something by them, which is no loss.
    Former,
}

impl Rules {
    fn leap_ms(self) -> Millis {
        match self {
            Self::Present => LEAP_MS,
            Self::Former => FORMER_LEAP_MS,
        }
    }
}

/// What becomes of each version, partial ones included, in order.
#[must_use]
pub fn judge(moments: &[Moment]) -> Vec<(u64, Fate)> {
    Judge::new(moments, Rules::Present).fates()
}

/// Versions that were forgotten and not taken back, also those that a pin keeps.
#[must_use]
pub fn forgotten(moments: &[Moment]) -> HashSet<u64> {
    Judge::new(moments, Rules::Present).forgotten.into_keys().collect()
}

/// The policy in force, with the number of its link; 0 for the default.
#[must_use]
pub fn policy_of(moments: &[Moment]) -> (Policy, u64) {
    let newest = moments.iter().rev().find_map(|moment| match &moment.act {
        Act::Policy(policy) => Some((policy.clone(), moment.sequence)),
        _ => None,
    });
    newest.unwrap_or_default()
}

/// Which of these versions was never allowed to go, at any time since it came: their bodies must be there. `missing` are
/// all versions whose bodies are not there: what goes because space is short goes in order, so it matters what else is.
#[must_use]
pub fn must_be_there(moments: &[Moment], versions: &[u64], missing: &[u64]) -> Vec<u64> {
    let mut left: HashSet<u64> = versions.iter().copied().collect();
    let missing: HashSet<u64> = missing.iter().copied().collect();
    let strike = |left: &mut HashSet<u64>, upto: &[Moment]| {
        for rules in [Rules::Present, Rules::Former] {
            let judge = Judge::new(upto, rules);
            let fates = judge.fates();
            for (sequence, _) in fates.iter().filter(|(_, fate)| fate.is_going()) {
                left.remove(sequence);
            }
            for sequence in judge.gave_way(&fates, &missing) {
                left.remove(&sequence);
            }
        }
    };
    strike(&mut left, moments);
    // What is allowed under the same rules stays allowed, as long as nothing but versions comes. So it is enough to look
    // at the moment before each link that changes rules, or doubts.
    let mut newest = Millis::MIN;
    for (at, moment) in moments.iter().enumerate() {
        if left.is_empty() {
            break;
        }
        let plain = matches!(moment.act, Act::Version { .. } | Act::Partial(_) | Act::Other);
        let steady = moment.received_at >= newest
            && (newest == Millis::MIN || moment.received_at.saturating_sub(newest) <= LEAP_MS)
            && moment.received_at.saturating_sub(moment.taken_at).saturating_abs() < SKEW_MS;
        if !(plain && steady) {
            strike(&mut left, moments.get(..at).unwrap_or_default());
            strike(&mut left, moments.get(..=at).unwrap_or_default());
        }
        newest = newest.max(moment.received_at);
    }
    let mut left: Vec<u64> = left.into_iter().collect();
    left.sort_unstable();
    left
}

/// Of each link whether its time of receipt is in doubt.
fn in_doubt(moments: &[Moment], leap_ms: Millis) -> Vec<bool> {
    // Of the links after each one the earliest receipt and the latest.
    let mut after: Vec<(Millis, Millis)> = Vec::with_capacity(moments.len());
    let (mut earliest, mut latest) = (Millis::MAX, Millis::MIN);
    for moment in moments.iter().rev() {
        after.push((earliest, latest));
        (earliest, latest) = (earliest.min(moment.received_at), latest.max(moment.received_at));
    }
    after.reverse();
    let mut believed: Option<Millis> = None;
    let mut out = Vec::with_capacity(moments.len());
    for (moment, (earliest, latest)) in moments.iter().zip(after) {
        let at = moment.received_at;
        let skewed = at.saturating_sub(moment.taken_at).saturating_abs() >= SKEW_MS;
        // The server's clock went back later, so it was ahead now.
        let ahead = earliest < at;
        let leaps =
            believed.is_some_and(|before| at.saturating_sub(before) > leap_ms) && latest < at.saturating_add(DAY_MS);
        let doubtful = skewed || ahead || leaps;
        if !doubtful {
            believed = Some(at);
        }
        out.push(doubtful);
    }
    out
}

/// When a version was forgotten.
#[derive(Clone, Copy)]
struct Forgotten {
    /// By the receipt of the link that says so.
    asked_at: Millis,
    /// The moment from which the time in the trash counts, if there is one that is not in doubt.
    since: Option<Millis>,
}

struct Judge<'a> {
    moments: &'a [Moment],
    rules: Rules,
    doubtful: HashSet<u64>,
    /// The newest receipt that is not in doubt.
    now: Option<Millis>,
    /// The same without links that only say that time has passed: by it goes what nobody asked to remove.
    aged_to: Option<Millis>,
    policy: Policy,
    /// Forgotten and not taken back.
    forgotten: HashMap<u64, Forgotten>,
    pins: HashMap<u64, Millis>,
    newest: Option<u64>,
    /// For each source the newest root that a version has.
    introduced: HashMap<SourceId, u64>,
}

impl<'a> Judge<'a> {
    fn new(moments: &'a [Moment], rules: Rules) -> Self {
        let doubtful = in_doubt(moments, rules.leap_ms());
        let sure = || moments.iter().zip(&doubtful).filter(|(_, doubtful)| !**doubtful).map(|(moment, _)| moment);
        let mut out = Self {
            moments,
            rules,
            doubtful: moments.iter().zip(&doubtful).filter(|(_, d)| **d).map(|(m, _)| m.sequence).collect(),
            now: sure().map(|moment| moment.received_at).max(),
            aged_to: None,
            policy: policy_of(moments).0,
            forgotten: HashMap::new(),
            pins: HashMap::new(),
            newest: None,
            introduced: HashMap::new(),
        };
        let mut marks: HashSet<u64> = HashSet::new();
        for moment in moments {
            match &moment.act {
                Act::Version { sources, .. } => {
                    out.newest = Some(moment.sequence);
                    for (source, introduced) in sources {
                        let newest = out.introduced.entry(*source).or_default();
                        *newest = (*newest).max(*introduced);
                    }
                }
                Act::Forget(versions) => {
                    let since = sure().find(|m| m.sequence >= moment.sequence).map(|m| m.received_at);
                    let forgotten = Forgotten { asked_at: moment.received_at, since };
                    for version in versions {
                        out.forgotten.entry(*version).or_insert(forgotten);
                    }
                }
                Act::Unforget(versions) => out.forgotten.retain(|version, _| !versions.contains(version)),
                Act::Pin(versions, until) => {
                    out.pins.extend(versions.iter().map(|version| (*version, *until)));
                }
                Act::Unpin(versions) => {
                    out.pins.retain(|version, _| !versions.contains(version));
                    if versions.iter().all(|version| out.forgotten.contains_key(version)) {
                        marks.insert(moment.sequence);
                    }
                }
                Act::Partial(_) | Act::Policy(_) | Act::Other => {}
            }
        }
        let ages = |moment: &&Moment| rules == Rules::Former || !marks.contains(&moment.sequence);
        out.aged_to = sure().filter(ages).map(|moment| moment.received_at).max();
        out
    }

    fn fates(&self) -> Vec<(u64, Fate)> {
        let by_rule = self.by_rules();
        let fate = |moment: &Moment| match &moment.act {
            Act::Version { tags, .. } => Some(self.version(moment, tags, by_rule.get(&moment.sequence))),
            Act::Partial(sources) => Some(self.partial(moment, sources.as_deref())),
            _ => None,
        };
        self.moments.iter().filter_map(|moment| Some((moment.sequence, fate(moment)?))).collect()
    }

    fn age(&self, moment: &Moment) -> Option<Millis> {
        self.aged_to.map(|now| now.saturating_sub(moment.received_at))
    }

    fn version(&self, moment: &Moment, tags: &[TagId], rules: Option<&Vec<Reason>>) -> Fate {
        let mut reasons = Vec::new();
        if self.newest == Some(moment.sequence) {
            reasons.push(Reason::Newest);
        }
        if let Some(until) = self.pins.get(&moment.sequence)
            && (*until == 0 || self.now.is_none_or(|now| *until > now))
        {
            reasons.push(Reason::Pinned(*until));
        }
        if let Some(forgotten) = self.forgotten.get(&moment.sequence)
            && reasons.is_empty()
        {
            let until = self.trashed_until(moment.sequence, *forgotten);
            return match (self.now, forgotten.since) {
                (Some(now), Some(_)) if now >= until => Fate::Going(Cause::Forgotten),
                _ => Fate::Trash { until },
            };
        }
        if self.doubtful.contains(&moment.sequence) || self.aged_to.is_none() {
            reasons.push(Reason::Doubtful);
        } else if let Some(age) = self.age(moment) {
            if age < RECENT_MS {
                reasons.push(Reason::Recent);
            }
            if self.policy.within_ms > 0 && age <= self.policy.within_ms {
                reasons.push(Reason::Within);
            }
        }
        if tags.iter().any(|tag| self.policy.tags.contains(tag)) {
            reasons.push(Reason::Tag);
        }
        reasons.extend(rules.into_iter().flatten());
        if reasons.is_empty() { Fate::Going(Cause::Expired) } else { Fate::Kept(reasons) }
    }

    /// When the trash gives up a version that no pin keeps any more. Who pinned it has counted on it until then.
    fn trashed_until(&self, version: u64, forgotten: Forgotten) -> Millis {
        let begun = forgotten.since.unwrap_or(forgotten.asked_at);
        let pinned = self.pins.get(&version).copied().filter(|_| self.rules == Rules::Present);
        pinned.map_or(begun, |until| until.max(begun)).saturating_add(TRASH_MS)
    }

    /// What the counting rules keep. A receipt in doubt is not counted, so it pushes nothing out.
    fn by_rules(&self) -> BTreeMap<u64, Vec<Reason>> {
        let mut out: BTreeMap<u64, Vec<Reason>> = BTreeMap::new();
        for (period, most) in Period::ALL.into_iter().zip(self.policy.counts) {
            let (mut counted, mut last) = (0, None);
            for moment in self.moments.iter().rev() {
                let counts = matches!(moment.act, Act::Version { .. })
                    && !self.doubtful.contains(&moment.sequence)
                    && !self.forgotten.contains_key(&moment.sequence);
                if !counts {
                    continue;
                }
                let number = Some(period.number(moment.received_at));
                if number == last {
                    // Of days, every version counts as one with the others.
                    if period != Period::Last {
                        continue;
                    }
                } else if counted >= most {
                    break;
                } else {
                    counted = counted.saturating_add(1);
                }
                last = number;
                out.entry(moment.sequence).or_default().push(Reason::Period(period));
            }
        }
        out
    }

    fn partial(&self, moment: &Moment, sources: Option<&[SourceId]>) -> Fate {
        let later = self.newest.is_some_and(|newest| newest > moment.sequence);
        let superseded = match sources {
            Some(sources) => {
                let has_newer = |source| self.introduced.get(source).is_some_and(|new| *new > moment.sequence);
                later && sources.iter().all(has_newer)
            }
            // Its sources are not known any more.
            None => later,
        };
        let old = !self.doubtful.contains(&moment.sequence) && self.age(moment).is_some_and(|age| age >= PARTIAL_MS);
        if superseded || old { Fate::Going(Cause::Superseded) } else { Fate::Kept(vec![Reason::Unfinished]) }
    }
}

const _: () = assert!(RECENT_MS >= HOUR_MS && TRASH_MS > RECENT_MS);

mod pressure;
pub use pressure::{Pressure, thinnable};

#[cfg(test)]
mod tests;
