//! What moved on the wire, out of what is remembered.

use store::activity;
use store::vault::{Access, AccountInfo, Vault};
use transport::Call;
use transport::message::traffic::{End, Grain, Of, SESSIONS_MAX, SessionRow, SessionsAsk, TrafficAsk, TrafficRow};

use super::accounts::rows;
use super::groups;
use super::refuse::Refused;
use super::{Server, lock};
use crate::fault::{Code, Fault};

impl Server {
    /// Bytes by periods, account after account.
    pub(super) fn traffic(&self, call: &Call, ask: &TrafficAsk) -> Result<(), Refused> {
        let (vault, accounts) = self.whose(&ask.of)?;
        let grain = match ask.grain {
            Grain::Hour => activity::Grain::Hour,
            Grain::Day => activity::Grain::Day,
            Grain::Month => activity::Grain::Month,
        };
        let from = grain.start(ask.from);
        let periods = accounts.iter().flat_map(|account| {
            let found = vault.activity(account, |activity| activity.traffic(account.number, grain, from, ask.until));
            each(found, |period| TrafficRow {
                account: account.name.clone(),
                number: account.number,
                start: period.start,
                in_bytes: period.moved.in_bytes,
                out_bytes: period.moved.out_bytes,
                busy_ms: period.moved.busy_ms,
                sessions: period.moved.sessions,
            })
        });
        rows(call, periods)
    }

    /// Single connections, account after account.
    pub(super) fn sessions(&self, call: &Call, ask: &SessionsAsk) -> Result<(), Refused> {
        let (vault, accounts) = self.whose(&ask.of)?;
        let most = usize::try_from(ask.most.min(SESSIONS_MAX)).unwrap_or(0);
        let sessions = accounts.iter().flat_map(|account| {
            let found = vault.activity(account, |activity| activity.sessions(account.number, ask.from, most));
            let oldest_first = found.map(|found| found.into_iter().rev().collect());
            each(oldest_first, |session: activity::SessionRow| SessionRow {
                account: account.name.clone(),
                number: account.number,
                vault: vault.id(),
                began_at: session.began_at,
                seen_at: session.seen_at,
                end: match session.outcome {
                    activity::Outcome::Open => End::Open,
                    activity::Outcome::Ended => End::Ended,
                    activity::Outcome::Lost => End::Lost,
                },
                stripe: session.stripe,
                role: session.role,
                program: session.program,
                in_bytes: session.in_bytes,
                out_bytes: session.out_bytes,
                waited_ms: session.waited_ms,
                verb: Some(session.run.verb).filter(|verb| !verb.is_empty()),
                result: Some(session.run.result).filter(|result| !result.is_empty()),
            })
        });
        rows(call, sessions)
    }

    /// The accounts whose figures are asked for, as far as they may be seen.
    fn whose(&self, of: &Of) -> Result<(Vault, Vec<AccountInfo>), Refused> {
        let vault = self.vault(Access::Read)?;
        let accounts = match of {
            Of::Opened => {
                let opened = lock(&self.account).clone();
                vec![opened.ok_or_else(|| Refused::from(Fault::new(Code::NetProtocol, "no account was opened")))?]
            }
            Of::Account(name) => vec![self.meant(&vault, name)?],
            Of::Group(name) => {
                self.must_see_all()?;
                let members = groups::group(&vault, name)?.members;
                let mut accounts = vault.accounts()?;
                accounts.retain(|account| members.contains(&account.id));
                accounts
            }
            Of::All => {
                let mut accounts = vault.accounts()?;
                accounts.retain(|account| self.may_see(&vault, account));
                accounts
            }
        };
        Ok((vault, accounts))
    }
}

/// Rows of one account; an error in their place when they cannot be read.
fn each<T, R>(found: store::Result<Vec<T>>, row: impl Fn(T) -> R) -> Vec<Result<R, Refused>> {
    match found {
        Ok(found) => found.into_iter().map(|one| Ok(row(one))).collect(),
        Err(error) => vec![Err(error.into())],
    }
}
