//! Which versions may go before their time because space is short (FORMAT.md, chapter 11).
//!
//! How many bytes there are is the server's word, so a client cannot check it. What it can check is what the signed
//! policy allows at all: of what only a counting rule keeps, the oldest first, down to an age. So a server that lies
//! about its space hides nothing that is younger, pinned, tagged or kept for its age, and leaves no gaps.

use std::collections::HashSet;

use super::{Act, Fate, Judge, Moment, RECENT_MS, Reason, Rules};
use crate::chain::policy::{DAY_MS, Policy};
use crate::door::Millis;

/// Nothing younger goes because a disk is full: new data is refused instead.
const SPACE_AGE_MS: Millis = 30 * DAY_MS;

/// Why versions may have to go before their time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pressure {
    /// The account is above its soft limit.
    SoftLimit,
    /// The disk has less free than the policy wants.
    Space,
}

impl Pressure {
    fn is_allowed(self, policy: &Policy) -> bool {
        match self {
            Self::SoftLimit => policy.soft_limit,
            Self::Space => policy.min_free_bytes > 0,
        }
    }

    fn youngest(self) -> Millis {
        match self {
            Self::SoftLimit => RECENT_MS,
            Self::Space => SPACE_AGE_MS,
        }
    }
}

/// Versions that may go under this pressure, oldest first: the policy allows it, nothing but its counting rules keeps
/// them, and they are old enough. Whoever takes them takes them in this order.
#[must_use]
pub fn thinnable(moments: &[Moment], pressure: Pressure) -> Vec<u64> {
    let judge = Judge::new(moments, Rules::Present);
    judge.thinnable(&judge.fates(), pressure)
}

impl Judge<'_> {
    fn thinnable(&self, fates: &[(u64, Fate)], pressure: Pressure) -> Vec<u64> {
        if !pressure.is_allowed(&self.policy) {
            return Vec::new();
        }
        let counted = |fate: &Fate| match fate {
            Fate::Kept(reasons) => reasons.iter().all(|reason| matches!(reason, Reason::Period(_))),
            _ => false,
        };
        let kept: HashSet<u64> = fates.iter().filter(|(_, fate)| counted(fate)).map(|(version, _)| *version).collect();
        let old = |moment: &&Moment| self.age(moment).is_some_and(|age| age >= pressure.youngest());
        let mine = self.moments.iter().filter(|moment| kept.contains(&moment.sequence));
        mine.filter(old).map(|moment| moment.sequence).collect()
    }

    /// Of the missing versions those that may have gone under pressure at this end of the chain: no older one that had
    /// to go before is there. One that was ever pinned may have been passed over.
    pub(super) fn gave_way(&self, fates: &[(u64, Fate)], missing: &HashSet<u64>) -> Vec<u64> {
        let pressure = if self.policy.soft_limit { Pressure::SoftLimit } else { Pressure::Space };
        let mut pinned_once: HashSet<u64> = HashSet::new();
        for moment in self.moments {
            if let Act::Pin(versions, _) = &moment.act {
                pinned_once.extend(versions);
            }
        }
        let list = self.thinnable(fates, pressure);
        let run = list.into_iter().take_while(|version| missing.contains(version) || pinned_once.contains(version));
        run.filter(|version| missing.contains(version)).collect()
    }
}
