//! How accounts are: facts and figures, from which whoever asked makes up their mind.

use std::collections::HashMap;

use store::activity::Grain;
use store::id::AccountId;
use store::vault::{Access, AccountInfo, Vault};
use transport::Call;
use transport::message::admin::ROWS_BYTES;
use transport::message::encode;
use transport::message::health::{GroupContacts, HealthFacts, StatusAsk, StatusTold};

use super::accounts::{state_told, told as terms_told};
use super::refuse::Refused;
use super::report::told as run_told;
use super::{Server, reply};

const HOUR_MS: i64 = 3_600_000;

impl Server {
    /// Tells how accounts are, some at a time.
    pub(super) fn status(&self, call: &Call, ask: &StatusAsk) -> Result<(), Refused> {
        let vault = self.vault(Access::Read)?;
        let accounts = match (&ask.account, ask.own) {
            (_, true) => vec![self.account(Access::Read)?.1],
            (Some(name), false) => vec![self.meant(&vault, name)?],
            (None, false) => {
                let mut all = vault.accounts()?;
                all.retain(|account| self.may_see(&vault, account));
                all
            }
        };
        let groups = Groups::of(&vault)?;
        let now = self.clock.now_ms();
        let absent = Some(vault.absent_volumes()?).filter(|absent| !absent.is_empty());
        let mut told = StatusTold { now, vault: vault.id(), accounts: Vec::new() };
        let mut bytes = 0;
        for account in &accounts {
            let mut facts = facts(&vault, account, &groups)?;
            facts.absent_volumes.clone_from(&absent);
            if ask.hours {
                (facts.hours_in, facts.hours_out) = hours(&vault, account, now);
            }
            bytes += encode(&facts).len();
            told.accounts.push(facts);
            if bytes >= ROWS_BYTES {
                reply(call, &told)?;
                (told.accounts, bytes) = (Vec::new(), 0);
            }
        }
        if !told.accounts.is_empty() {
            reply(call, &told)?;
            told.accounts.clear();
        }
        reply(call, told)
    }
}

/// Which groups an account is in.
pub(super) struct Groups(HashMap<AccountId, Vec<Group>>);

/// What counts of a group for its members.
#[derive(Clone)]
struct Group {
    told: GroupContacts,
    late_after_ms: Option<u64>,
}

impl Groups {
    pub(super) fn of(vault: &Vault) -> Result<Self, Refused> {
        let mut of: HashMap<AccountId, Vec<Group>> = HashMap::new();
        for group in vault.groups()? {
            let told = GroupContacts { name: group.name, contacts: group.terms.contacts.unwrap_or_default() };
            let counts = Group { told, late_after_ms: group.terms.late_after_ms };
            for member in group.members {
                of.entry(member).or_default().push(counts.clone());
            }
        }
        Ok(Self(of))
    }
}

/// Bytes in and out of the last 24 hours, the one that is now first. What cannot be read is nothing.
fn hours(vault: &Vault, account: &AccountInfo, now: i64) -> (Vec<u64>, Vec<u64>) {
    let first = Grain::Hour.start(now).saturating_sub(23 * HOUR_MS);
    let periods = vault.activity(account, |activity| activity.traffic(account.number, Grain::Hour, first, i64::MAX));
    let (mut came, mut went) = (vec![0; 24], vec![0; 24]);
    for period in periods.unwrap_or_default() {
        let back = Grain::Hour.start(now).saturating_sub(period.start) / HOUR_MS;
        let Ok(back) = usize::try_from(back) else { continue };
        if let (Some(came), Some(went)) = (came.get_mut(back), went.get_mut(back)) {
            (*came, *went) = (period.moved.in_bytes, period.moved.out_bytes);
        }
    }
    (came, went)
}

/// What is known of an account.
pub(super) fn facts(vault: &Vault, account: &AccountInfo, groups: &Groups) -> Result<HealthFacts, Refused> {
    let pulse = vault.pulse(account)?;
    let groups = groups.0.get(&account.id).map(Vec::as_slice).unwrap_or_default();
    // What was settled for the account itself, else the strictest of its groups.
    let mut terms = terms_told(&account.terms);
    terms.late_after_ms = terms.late_after_ms.or_else(|| groups.iter().filter_map(|group| group.late_after_ms).min());
    Ok(HealthFacts {
        number: account.number,
        name: account.name.clone(),
        id: account.id,
        state: state_told(account.state),
        reason: account.reason.clone(),
        goes_at: account.goes_at(),
        created_at: account.created_at,
        terms,
        newest_at: pulse.newest.map(|newest| newest.received_at),
        stored_bytes: Some(pulse.stored_bytes),
        last_run: pulse.last_run.map(run_told),
        last_success: pulse.last_success.map(run_told),
        hours_in: Vec::new(),
        hours_out: Vec::new(),
        groups: groups.iter().map(|group| group.told.clone()).collect(),
        absent_volumes: None,
        holes: Some(pulse.holes),
        last_check: pulse.last_check.map(run_told),
        waiting: Some(pulse.waiting),
    })
}
