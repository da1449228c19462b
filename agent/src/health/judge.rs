//! The verdict on an account: a pure function of what is known of it and of the time.

use serde::Serialize;
use transport::message::State;
use transport::message::health::{HealthFacts, RunFacts};

use crate::fault::{Code, Exit};
use crate::units::{counted, duration, size};

/// How an account is, in one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// Nothing is wrong.
    Ok,
    /// Its newest version is older than was settled; or there is none, and so much time has passed since it was made.
    Late,
    /// The last run failed, or left out a whole source.
    Failing,
    /// Above a limit, or the last run was refused because of one.
    OverQuota,
    /// An administrator lets nothing be added.
    Frozen,
    /// No version yet.
    Never,
    /// Nobody may use it, as an administrator wants it; deleted accounts, too.
    Disabled,
    /// Something that its versions need is damaged or gone, or a check found its history or its disk damaged.
    Damaged,
}

impl Standing {
    /// All, in the order in which they are counted.
    pub const ALL: [Self; 8] = [
        Self::Ok,
        Self::Late,
        Self::Failing,
        Self::OverQuota,
        Self::Frozen,
        Self::Never,
        Self::Disabled,
        Self::Damaged,
    ];

    /// Its word in records, lines and labels.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Late => "late",
            Self::Failing => "failing",
            Self::OverQuota => "over_quota",
            Self::Frozen => "frozen",
            Self::Never => "never",
            Self::Disabled => "disabled",
            Self::Damaged => "damaged",
        }
    }

    /// The standing of this word.
    #[must_use]
    pub fn named(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|standing| standing.word() == word)
    }
}

/// Whether a person is needed, and how urgently.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// Nobody is needed.
    #[default]
    Ok,
    /// Somebody should look.
    Warn,
    /// What should be safe is not.
    Err,
}

impl Level {
    /// Its word at the front of a line.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Ok => "OK",
            Self::Warn => "WARN",
            Self::Err => "ERR",
        }
    }
}

/// One thing that is so, and what it means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reason {
    /// How urgent.
    pub level: Level,
    /// What was looked at, in the word of the standing that follows from it.
    pub check: Standing,
    /// One sentence without names of files. It may hold the administrator's reason for a freeze: not yet made harmless.
    pub text: String,
    /// The code of the run that failed, when that is what is wrong.
    pub code: Option<String>,
}

/// How an account is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountStatus {
    /// What the vault knows.
    pub facts: HealthFacts,
    /// In one word: that of the gravest reason.
    pub standing: Standing,
    /// That of the gravest reason.
    pub level: Level,
    /// Gravest first; one that says `ok` when nothing is wrong.
    pub reasons: Vec<Reason>,
    /// When its next version is due; `None` when nothing was settled.
    pub expected_at: Option<i64>,
}

impl AccountStatus {
    /// Whether a person is needed.
    #[must_use]
    pub fn needs_somebody(&self) -> bool {
        self.level > Level::Ok
    }

    /// How long the run took that made the newest version, when that is known.
    #[must_use]
    pub fn last_success_ms(&self) -> Option<u64> {
        self.facts.last_success.as_ref().map(|run| run.run.took_ms)
    }
}

/// Whether a run that ended so made no version that is good: a partial one did.
fn has_failed(run: &RunFacts) -> bool {
    !matches!(Exit::of(run.run.exit), Some(Exit::Ok | Exit::Partial))
}

/// The verdict. `now` is the vault's clock, as all moments of the facts but the beginnings of runs are.
///
/// A clock that went back makes nothing late: an age is never negative.
#[must_use]
pub fn judge(facts: HealthFacts, now: i64) -> AccountStatus {
    let expected_at = expected(&facts);
    let all = [
        closed(&facts),
        damaged(&facts),
        absent(&facts),
        quota(&facts),
        run(&facts),
        left_out(&facts),
        late(&facts, expected_at, now),
        never(&facts),
    ];
    let mut reasons: Vec<Reason> = all.into_iter().flatten().collect();
    // Nothing is expected of an account that is closed: what would be wrong otherwise follows from it, but damage does not.
    if reasons.iter().any(|r| is_closed(r.check)) {
        reasons.retain(|r| is_closed(r.check) || r.check == Standing::Damaged);
    }
    // Of equally grave ones the first counts, in the order above.
    reasons.sort_by_key(|reason| std::cmp::Reverse(reason.level));
    if reasons.is_empty() {
        reasons.push(fine(&facts, now));
    }
    let (standing, level) = reasons.first().map_or((Standing::Ok, Level::Ok), |first| (first.check, first.level));
    AccountStatus { facts, standing, level, reasons, expected_at }
}

fn expected(facts: &HealthFacts) -> Option<i64> {
    let within = i64::try_from(facts.terms.late_after_ms?).unwrap_or(i64::MAX);
    Some(facts.newest_at.unwrap_or(facts.created_at).saturating_add(within))
}

fn closed(facts: &HealthFacts) -> Option<Reason> {
    let because = if facts.reason.is_empty() { String::new() } else { format!(": {}", facts.reason) };
    let (level, check, text) = match facts.state {
        State::Open => return None,
        State::Frozen => (Level::Warn, Standing::Frozen, format!("frozen: nothing is added{because}")),
        State::Disabled if facts.goes_at.is_some() => (Level::Ok, Standing::Disabled, "deleted".to_owned()),
        State::Disabled => (Level::Ok, Standing::Disabled, format!("disabled{because}")),
    };
    Some(Reason { level, check, text, code: None })
}

fn is_closed(check: Standing) -> bool {
    matches!(check, Standing::Frozen | Standing::Disabled)
}

/// The first gives back what it can; of what stays only the second says more.
const LOST_NEXT: &str =
    "tuckbox backup, which gives back what its sources still have; what stays lost after it: tuckbox check";

/// What is known of damage to what is stored, and the next command; `None` when nothing is.
///
/// What is lost is known to the vault from when it is found until it is healed. What else a check found, of the history or
/// the disk, only another check can say to be well.
#[must_use]
pub fn damage(facts: &HealthFacts) -> Option<(String, String, &'static str)> {
    let lost = facts.holes.filter(|versions| *versions > 0).map(|versions| {
        let versions = counted(versions, "version", "versions");
        let text = format!("{versions} cannot be read in full: what they need is damaged or gone in the vault");
        (text, Code::DataDamaged.name().to_owned(), LOST_NEXT)
    });
    lost.or_else(|| {
        let last = facts.last_check.as_ref().filter(|check| check.run.figures.errors > 0)?;
        let code = last.run.code.clone().unwrap_or_else(|| Code::DataDamaged.name().to_owned());
        // Lost data is known by itself; what a version after it still needs is above.
        let healed = code == Code::DataDamaged.name() && facts.newest_at.is_some_and(|newest| newest > last.told_at);
        let found = counted(last.run.figures.errors, "finding", "findings");
        (!healed).then(|| (format!("the last check ended with {found} of damage"), code, "tuckbox check"))
    })
}

fn damaged(facts: &HealthFacts) -> Option<Reason> {
    // What was deleted is missed by nobody.
    let (text, code, next) = damage(facts).filter(|_| facts.goes_at.is_none())?;
    let text = format!("{text}; next: {next}");
    Some(Reason { level: Level::Err, check: Standing::Damaged, text, code: Some(code) })
}

/// What lies on a disk that is away can neither be read nor proven.
fn absent(facts: &HealthFacts) -> Option<Reason> {
    let text = absent_volumes(facts.absent_volumes.as_deref()?)?;
    Some(Reason { level: Level::Err, check: Standing::Failing, text, code: Some(Code::VolumeAbsent.name().to_owned()) })
}

/// Which volumes are not there, in a sentence; `None` when all are.
#[must_use]
pub fn absent_volumes(numbers: &[u32]) -> Option<String> {
    let volumes: Vec<String> = numbers.iter().map(u32::to_string).collect();
    match volumes.as_slice() {
        [] => None,
        [one] => Some(format!("volume {one} of the vault is not there")),
        many => Some(format!("volumes {} of the vault are not there", many.join(", "))),
    }
}

fn quota(facts: &HealthFacts) -> Option<Reason> {
    let check = Standing::OverQuota;
    let refused = failure(facts).filter(|run| run.run.code.as_deref() == Some(Code::QuotaHard.name()));
    if refused.is_some() {
        let text = "the last run was refused because of a hard limit".to_owned();
        return Some(Reason { level: Level::Err, check, text, code: Some(Code::QuotaHard.name().to_owned()) });
    }
    let stored = facts.stored_bytes?;
    if let Some(hard) = facts.terms.hard_bytes.filter(|hard| stored >= *hard) {
        let text = format!("{} stored of {} that are allowed", size(stored), size(hard));
        return Some(Reason { level: Level::Err, check, text, code: None });
    }
    let soft = facts.terms.soft_bytes.filter(|soft| stored > *soft)?;
    let text = format!("{} stored, more than the soft limit of {}", size(stored), size(soft));
    Some(Reason { level: Level::Warn, check, text, code: None })
}

/// The last run, when it failed and no version came after it: of clients that tell nothing, the version says enough.
fn failure(facts: &HealthFacts) -> Option<&RunFacts> {
    let last = facts.last_run.as_ref().filter(|run| has_failed(run))?;
    let since = facts.newest_at.is_some_and(|newest| newest > last.told_at);
    (!since).then_some(last)
}

fn run(facts: &HealthFacts) -> Option<Reason> {
    let last = failure(facts)?;
    let code = last.run.code.clone();
    if code.as_deref() == Some(Code::QuotaHard.name()) {
        return None;
    }
    let with = code.as_deref().map(|code| format!(" with {code}")).unwrap_or_default();
    let text = format!("the last {} failed{with} (exit {})", last.run.verb, last.run.exit);
    Some(Reason { level: Level::Err, check: Standing::Failing, text, code })
}

/// The last run made a version in which a whole source is missing that never was in one.
fn left_out(facts: &HealthFacts) -> Option<Reason> {
    let code = Code::SourceNone.name();
    let last = facts.last_run.as_ref()?;
    if last.run.exit != Exit::Partial as u8 || last.run.code.as_deref() != Some(code) {
        return None;
    }
    let text = format!("the last {} left out a whole source, which was not there; next: tuckbox doctor", last.run.verb);
    Some(Reason { level: Level::Warn, check: Standing::Failing, text, code: Some(code.to_owned()) })
}

fn late(facts: &HealthFacts, expected_at: Option<i64>, now: i64) -> Option<Reason> {
    let by = now.checked_sub(expected_at?).filter(|by| *by > 0)?;
    let after = i64::try_from(facts.terms.late_after_ms?).unwrap_or(i64::MAX);
    // After twice the time it is no delay any more.
    let level = if by > after { Level::Err } else { Level::Warn };
    let within = duration(after.unsigned_abs());
    let text = match facts.newest_at {
        Some(newest) => format!("no version for {}; one was expected within {within}", age(newest, now)),
        None => {
            format!(
                "no version yet, {} after it was made; one was expected within {within}",
                age(facts.created_at, now)
            )
        }
    };
    Some(Reason { level, check: Standing::Late, text, code: None })
}

fn never(facts: &HealthFacts) -> Option<Reason> {
    if facts.newest_at.is_some() {
        return None;
    }
    let text = "no version yet".to_owned();
    Some(Reason { level: Level::Warn, check: Standing::Never, text, code: None })
}

fn fine(facts: &HealthFacts, now: i64) -> Reason {
    let mut text = facts.newest_at.map_or_else(String::new, |newest| format!("last version {} ago", age(newest, now)));
    if let Some(run) = &facts.last_run
        && run.run.figures.errors > 0
        && run.run.exit == Exit::Partial as u8
    {
        text.push_str(&format!(
            "; the last run left out or doubts {}",
            counted(run.run.figures.errors, "item", "items")
        ));
    }
    if let Some(waiting) = facts.waiting.filter(|waiting| *waiting > 0) {
        // Nothing is lost by it, and only a person can tell whether it is meant.
        let (versions, wait) = (counted(waiting, "version", "versions"), if waiting == 1 { "waits" } else { "wait" });
        text.push_str(&format!("; {versions} that would go {wait} to be confirmed (tuckbox housekeep --dry-run)"));
    }
    Reason { level: Level::Ok, check: Standing::Ok, text, code: None }
}

fn age(at: i64, now: i64) -> String {
    duration(u64::try_from(now.saturating_sub(at)).unwrap_or(0))
}

#[cfg(test)]
pub(crate) mod tests {
    use store::id::AccountId;
    use transport::message::admin::Terms;
    use transport::message::health::RunReport;

    use super::*;

    pub(crate) const MINUTE: i64 = 60_000;
    const HOUR: i64 = 60 * MINUTE;
    const MADE: i64 = 1_800_000_000_000;

    /// An account that was made at [`MADE`], has a version a day after that, and is late after 26 hours.
    pub(crate) fn facts() -> HealthFacts {
        HealthFacts {
            number: 0x3a,
            name: "laptop-ana".to_owned(),
            id: AccountId::new([7; 16]),
            state: State::Open,
            reason: String::new(),
            goes_at: None,
            created_at: MADE,
            terms: Terms { late_after_ms: Some(26 * 3_600_000), ..Terms::default() },
            newest_at: Some(MADE + 24 * HOUR),
            stored_bytes: Some(1 << 30),
            last_run: None,
            last_success: None,
            hours_in: Vec::new(),
            hours_out: Vec::new(),
            groups: Vec::new(),
            absent_volumes: None,
            holes: None,
            last_check: None,
            waiting: None,
        }
    }

    #[test]
    fn what_waits_to_be_confirmed_is_told() {
        let status = judge(HealthFacts { waiting: Some(20), ..facts() }, MADE + 25 * HOUR);
        assert_eq!(status.standing, Standing::Ok);
        assert_eq!(
            status.reasons[0].text,
            "last version 1 h ago; 20 versions that would go wait to be confirmed (tuckbox housekeep --dry-run)"
        );
        let status = judge(HealthFacts { waiting: Some(0), ..facts() }, MADE + 25 * HOUR);
        assert!(!status.reasons[0].text.contains("confirmed"));
    }

    #[test]
    fn a_disk_that_is_away_needs_somebody() {
        let status = judge(HealthFacts { absent_volumes: Some(vec![1, 3]), ..facts() }, MADE + 25 * HOUR);
        assert_eq!((status.standing, status.level), (Standing::Failing, Level::Err));
        assert_eq!(status.reasons[0].text, "volumes 1, 3 of the vault are not there");
        assert_eq!(status.reasons[0].code.as_deref(), Some("volume.absent"));
    }

    #[test]
    fn damage_stands_until_it_is_healed() {
        let checked = |told_at, errors, code: Option<Code>| {
            let mut check = ran(told_at, Exit::Damaged, code);
            check.run.figures.errors = errors;
            Some(check)
        };
        let of = |holes, last_check| judge(HealthFacts { holes, last_check, ..facts() }, MADE + 25 * HOUR);
        let status = of(Some(2), None);
        assert_eq!((status.standing, status.level), (Standing::Damaged, Level::Err));
        assert_eq!(
            status.reasons[0].text,
            "2 versions cannot be read in full: what they need is damaged or gone in the vault; next: tuckbox backup, which \
             gives back what its sources still have; what stays lost after it: tuckbox check"
        );
        assert_eq!(status.reasons[0].code.as_deref(), Some("data.damaged"));
        assert_eq!(of(Some(0), checked(MADE + 25 * HOUR, 0, None)).standing, Standing::Ok);
        // A version after the check, and nothing is lost any more; a history or a disk is not healed by a version.
        let (before, after) = (MADE + 23 * HOUR, MADE + 25 * HOUR);
        assert_eq!(of(Some(0), checked(before, 3, Some(Code::DataDamaged))).standing, Standing::Ok);
        let status = of(Some(0), checked(after, 3, Some(Code::DataDamaged)));
        assert_eq!(status.reasons[0].text, "the last check ended with 3 findings of damage; next: tuckbox check");
        let status = of(Some(0), checked(before, 1, Some(Code::HistoryGap)));
        assert_eq!((status.standing, status.reasons[0].code.as_deref()), (Standing::Damaged, Some("history.gap")));
        // An account that is closed is no less damaged; what was deleted is missed by nobody.
        let closed = |state, goes_at| judge(HealthFacts { holes: Some(1), state, goes_at, ..facts() }, MADE).standing;
        assert_eq!(closed(State::Frozen, None), Standing::Damaged);
        assert_eq!(closed(State::Disabled, Some(MADE)), Standing::Disabled);
    }

    pub(crate) fn ran(told_at: i64, exit: Exit, code: Option<Code>) -> RunFacts {
        let code = code.map(|code| code.name().to_owned());
        let run =
            RunReport { verb: "backup".to_owned(), exit: exit as u8, code, took_ms: 41_000, ..Default::default() };
        RunFacts { told_at, run }
    }

    fn told(facts: HealthFacts, now: i64) -> (Standing, Level, Vec<Standing>) {
        let status = judge(facts, now);
        (status.standing, status.level, status.reasons.iter().map(|reason| reason.check).collect())
    }

    /// What is changed of [`facts`], hours after it was made, and what is said then.
    type Case = (&'static str, fn(&mut HealthFacts), i64, Standing, Level, &'static [Standing]);

    #[test]
    fn every_standing_follows_from_facts_and_time() {
        use Level::{Err, Ok as Good, Warn};
        use Standing::{Disabled, Failing, Frozen, Late, Never, Ok, OverQuota};
        let newest = MADE + 24 * HOUR;
        assert_eq!(newest, facts().newest_at.unwrap());
        let table: &[Case] = &[
            ("nothing", |_| (), 25, Ok, Good, &[Ok]),
            ("to the moment", |_| (), 50, Ok, Good, &[Ok]),
            ("an hour late", |_| (), 51, Late, Warn, &[Late]),
            ("twice as late", |_| (), 77, Late, Err, &[Late]),
            ("a clock that went back", |_| (), -900, Ok, Good, &[Ok]),
            ("nothing settled", |f| f.terms.late_after_ms = None, 9_000, Ok, Good, &[Ok]),
            ("no time at all", |f| f.terms.late_after_ms = Some(u64::MAX), 9_000, Ok, Good, &[Ok]),
            ("none yet", |f| f.newest_at = None, 1, Never, Warn, &[Never]),
            ("none yet, and none in time", |f| f.newest_at = None, 27, Late, Warn, &[Late, Never]),
            (
                "a failed run",
                |f| f.last_run = Some(ran(MADE + 25 * HOUR, Exit::Failed, Some(Code::System))),
                26,
                Failing,
                Err,
                &[Failing],
            ),
            (
                "a failed run, and late",
                |f| f.last_run = Some(ran(MADE + 25 * HOUR, Exit::Failed, None)),
                51,
                Failing,
                Err,
                &[Failing, Late],
            ),
            (
                "a whole source is missing",
                |f| f.last_run = Some(ran(MADE + 24 * HOUR, Exit::Partial, Some(Code::SourceNone))),
                26,
                Failing,
                Warn,
                &[Failing],
            ),
            ("a partial run", |f| f.last_run = Some(ran(MADE + 24 * HOUR, Exit::Partial, None)), 26, Ok, Good, &[Ok]),
            (
                "a version after the failure",
                |f| f.last_run = Some(ran(MADE + 23 * HOUR, Exit::Failed, None)),
                26,
                Ok,
                Good,
                &[Ok],
            ),
            (
                "the guard, with a version",
                |f| f.last_run = Some(ran(MADE + 24 * HOUR, Exit::Refused, Some(Code::GuardMassDeletion))),
                26,
                Failing,
                Err,
                &[Failing],
            ),
            (
                "refused by a limit",
                |f| f.last_run = Some(ran(MADE + 25 * HOUR, Exit::Full, Some(Code::QuotaHard))),
                26,
                OverQuota,
                Err,
                &[OverQuota],
            ),
            (
                "the disk is full",
                |f| f.last_run = Some(ran(MADE + 25 * HOUR, Exit::Full, Some(Code::DiskFull))),
                26,
                Failing,
                Err,
                &[Failing],
            ),
            ("at the hard limit", |f| f.terms.hard_bytes = Some(1 << 30), 26, OverQuota, Err, &[OverQuota]),
            ("below the hard limit", |f| f.terms.hard_bytes = Some((1 << 30) + 1), 26, Ok, Good, &[Ok]),
            ("above the soft limit", |f| f.terms.soft_bytes = Some((1 << 30) - 1), 26, OverQuota, Warn, &[OverQuota]),
            ("at the soft limit", |f| f.terms.soft_bytes = Some(1 << 30), 26, Ok, Good, &[Ok]),
            (
                "above the soft limit, and very late",
                |f| f.terms.soft_bytes = Some(1),
                90,
                Late,
                Err,
                &[Late, OverQuota],
            ),
            ("how much is not known", |f| (f.terms.hard_bytes, f.stored_bytes) = (Some(0), None), 26, Ok, Good, &[Ok]),
            ("frozen", |f| f.state = State::Frozen, 26, Frozen, Warn, &[Frozen]),
            (
                "frozen, late, failing",
                |f| (f.state, f.last_run) = (State::Frozen, Some(ran(MADE + 30 * HOUR, Exit::Refused, None))),
                90,
                Frozen,
                Warn,
                &[Frozen],
            ),
            ("disabled", |f| f.state = State::Disabled, 900, Disabled, Good, &[Disabled]),
            ("deleted", |f| (f.state, f.goes_at) = (State::Disabled, Some(MADE)), 900, Disabled, Good, &[Disabled]),
        ];
        for (what, change, hours, standing, level, reasons) in table {
            let mut facts = facts();
            change(&mut facts);
            assert_eq!(told(facts, MADE + hours * HOUR), (*standing, *level, reasons.to_vec()), "{what}");
        }
    }

    #[test]
    fn what_is_expected_and_why_is_said() {
        let status = judge(facts(), MADE + 51 * HOUR);
        assert_eq!(status.expected_at, Some(MADE + 50 * HOUR));
        let text = |status: &AccountStatus| status.reasons.first().unwrap().text.clone();
        assert_eq!(text(&status), "no version for 1 d 3 h; one was expected within 1 d 2 h");
        let mut failing = facts();
        failing.last_run = Some(ran(MADE + 25 * HOUR, Exit::NotFound, Some(Code::SourceNone)));
        let status = judge(failing, MADE + 26 * HOUR);
        assert_eq!(text(&status), "the last backup failed with source.none (exit 5)");
        assert_eq!(status.reasons.first().unwrap().code.as_deref(), Some("source.none"));
        let mut frozen = facts();
        (frozen.state, frozen.reason) = (State::Frozen, "audit".to_owned());
        assert_eq!(text(&judge(frozen, MADE)), "frozen: nothing is added: audit");
    }

    #[test]
    fn words_go_there_and_back() {
        for standing in Standing::ALL {
            assert_eq!(Standing::named(standing.word()), Some(standing));
            assert_eq!(serde_json::to_value(standing).unwrap(), standing.word());
        }
        assert_eq!(Standing::named("fine"), None);
    }
}
