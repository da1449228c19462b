//! What an administrator does with accounts: list, make, settle, rename, freeze, delete.

use minicbor::Encode;
use store::vault::{Access, AccountInfo, AccountSelector, AccountState, Vault};
use transport::Call;
use transport::message::admin::{
    self, AccountFacts, CheckAccounts, CheckedAccount, CreateAccount, Delete, ListAccounts, ROWS_BYTES, RefusedRow,
    Rename, SetState, Settle, To,
};
use transport::message::{State, encode};

use super::refuse::Refused;
use super::{Server, reply};
use crate::cli::nearest;
use crate::fault::{Code, Fault};
use crate::timetable::Timetable;
use crate::units::size;

impl Server {
    /// One request about accounts.
    pub(super) fn look_after_accounts(&self, call: &Call, ask: admin::Account) -> Result<(), Refused> {
        use admin::Account as Ask;
        match ask {
            Ask::List(list) => self.list_accounts(call, &list),
            Ask::Create(create) => reply(call, self.create_account(&create)?),
            Ask::Settle(settle) => reply(call, self.settle_account(settle)?),
            Ask::Rename(rename) => reply(call, self.rename_account(&rename)?),
            Ask::SetState(state) => reply(call, self.set_account_state(&state)?),
            Ask::Delete(delete) => reply(call, self.delete_account(&delete)?),
            Ask::Authorize(authorize) => reply(call, self.authorize(&authorize)?),
            Ask::Revoke(revoke) => reply(call, self.revoke(&revoke)?),
            Ask::Check(check) => self.check_accounts(call, &check),
            Ask::Refused => self.list_refused(call),
        }
    }

    fn list_accounts(&self, call: &Call, list: &ListAccounts) -> Result<(), Refused> {
        let vault = self.vault(Access::Read)?;
        let accounts = match &list.account {
            Some(name) => vec![self.meant(&vault, name)?],
            None => {
                let mut all = vault.accounts()?;
                all.retain(|account| self.may_see(&vault, account));
                all
            }
        };
        let alone = list.account.is_some();
        rows(call, accounts.iter().map(|account| facts(&vault, account, list.figures, alone)))
    }

    /// Checks account after account; each is told once it was.
    fn check_accounts(&self, call: &Call, ask: &CheckAccounts) -> Result<(), Refused> {
        let vault = self.vault(Access::Read)?;
        let accounts = match &ask.account {
            Some(name) => vec![self.meant(&vault, name)?],
            None => {
                self.must_see_all()?;
                vault.accounts()?
            }
        };
        for account in accounts {
            let checked = super::check::of_account(&vault, &account, ask.read_data);
            super::report::checked(&vault, &account, self.clock.now_ms(), &checked);
            reply(call, vec![checked])?;
        }
        reply(call, Vec::<CheckedAccount>::new())
    }

    fn list_refused(&self, call: &Call) -> Result<(), Refused> {
        self.must_see_all()?;
        let vault = self.vault(Access::Read)?;
        let log = store::vault::refusals_if_any(&*self.disk, vault.path())?;
        let log = log.map_or(Ok(Vec::new()), |log| log.list())?;
        rows(
            call,
            log.into_iter().map(|row| {
                let store::vault::Refusal { at, address, account, code, waited_ms } = row;
                Ok(RefusedRow { at, address, account, code, waited_ms })
            }),
        )
    }

    fn create_account(&self, create: &CreateAccount) -> Result<AccountFacts, Refused> {
        self.must_see_all()?;
        let vault = self.vault(Access::Write)?;
        let account = vault.create_account_numbered(&create.name, create.number).map_err(wrong)?;
        facts(&vault, &account, false, false)
    }

    fn settle_account(&self, settle: Settle) -> Result<AccountFacts, Refused> {
        check_rate(&settle)?;
        let vault = self.vault(Access::Write)?;
        let account = self.meant(&vault, &settle.which)?;
        check_limits(&settle, &account.terms)?;
        let account = vault.settle(&account, |terms| apply(&settle, terms)).map_err(wrong)?;
        facts(&vault, &account, false, true)
    }

    fn rename_account(&self, rename: &Rename) -> Result<AccountFacts, Refused> {
        let vault = self.vault(Access::Write)?;
        let account = self.meant(&vault, &rename.which)?;
        let account = vault.rename_account(&account, &rename.name).map_err(wrong)?;
        facts(&vault, &account, false, true)
    }

    fn set_account_state(&self, set: &SetState) -> Result<AccountFacts, Refused> {
        let vault = self.vault(Access::Write)?;
        let account = self.meant(&vault, &set.which)?;
        let account = vault.set_state(&account, state_of(set.state), &set.reason).map_err(|error| match error {
            store::Error::Refused { why } => {
                let next = if set.state == State::Open { "delete --finally" } else { "enable" };
                Fault::new(Code::PolicyConfirm, why).hint(format!("tuckbox account {next} {}", account.name)).into()
            }
            other => wrong(other),
        })?;
        facts(&vault, &account, false, true)
    }

    fn delete_account(&self, delete: &Delete) -> Result<AccountFacts, Refused> {
        let vault = self.vault(Access::Write)?;
        let account = self.meant(&vault, &delete.which)?;
        if !delete.finally {
            let account = vault.delete_account(&account)?;
            return facts(&vault, &account, false, true);
        }
        let was = facts(&vault, &account, false, true)?;
        vault.remove_account(&account).map_err(|error| match error {
            store::Error::Refused { why } => {
                Fault::new(Code::PolicyConfirm, why).hint(format!("tuckbox account info {}", account.name)).into()
            }
            other => Refused::from(other),
        })?;
        Ok(was)
    }

    /// The account that an administrator names; names near to it are told.
    pub(super) fn meant(&self, vault: &Vault, name: &str) -> Result<AccountInfo, Refused> {
        self.find(vault, name).map_err(|refused| match refused {
            Refused::Told(fault) if fault.code == Code::AccountNone => {
                let Ok(all) = vault.accounts() else { return Refused::Told(fault) };
                let seen = all.iter().filter(|account| self.may_see(vault, account));
                let near = nearest(name, seen.map(|account| account.name.as_str())).map(str::to_owned);
                let hint =
                    near.map_or_else(|| "tuckbox account list".to_owned(), |near| format!("did you mean {near}?"));
                Fault::new(Code::AccountNone, fault.message.clone()).hint(hint).into()
            }
            other => other,
        })
    }

    /// `Ok` when this connection is not bound to one account.
    pub(super) fn must_see_all(&self) -> Result<(), Refused> {
        if self.only.is_none() {
            return Ok(());
        }
        Err(Fault::new(Code::PolicyRole, "this key is for one account and does not look after the vault")
            .hint("use a key that is not bound to an account")
            .into())
    }
}

/// Sends rows as they come, some at a time, and an empty list at the end.
pub(super) fn rows<T: Encode<()>>(call: &Call, rows: impl Iterator<Item = Result<T, Refused>>) -> Result<(), Refused> {
    let (mut some, mut bytes) = (Vec::new(), 0);
    for row in rows {
        let row = row?;
        bytes += encode(&row).len();
        some.push(row);
        if bytes >= ROWS_BYTES {
            reply(call, std::mem::take(&mut some))?;
            bytes = 0;
        }
    }
    if !some.is_empty() {
        reply(call, some)?;
    }
    reply(call, Vec::<T>::new())
}

/// What is told of an account. `alone`: its groups, too.
pub(super) fn facts(vault: &Vault, account: &AccountInfo, figures: bool, alone: bool) -> Result<AccountFacts, Refused> {
    let newest = vault.newest_version(account)?;
    let groups =
        if alone { vault.groups_of(account)?.into_iter().map(|group| group.name).collect() } else { Vec::new() };
    let (stored, versions) = if figures {
        let domain = vault.domain_to_read(account)?;
        (Some(domain.stored()?), Some(domain.versions(account)?))
    } else {
        (None, None)
    };
    Ok(AccountFacts {
        number: account.number,
        name: account.name.clone(),
        id: account.id,
        state: state_told(account.state),
        reason: account.reason.clone(),
        bound: account.identity.is_some(),
        created_at: account.created_at,
        goes_at: account.goes_at(),
        terms: told(&account.terms),
        newest_at: newest.map(|newest| newest.received_at),
        groups,
        stored_bytes: stored.map(|stored| stored.pack_bytes),
        catalog_bytes: stored.map(|stored| stored.catalog_bytes),
        versions,
    })
}

/// How an account stands, as it goes over the wire.
pub(super) fn state_told(state: AccountState) -> State {
    match state {
        AccountState::Open => State::Open,
        AccountState::Frozen => State::Frozen,
        AccountState::Disabled => State::Disabled,
    }
}

/// Terms as they travel.
pub(super) fn told(terms: &store::vault::Terms) -> admin::Terms {
    admin::Terms {
        soft_bytes: terms.soft_bytes,
        hard_bytes: terms.hard_bytes,
        rate: terms.rate.clone(),
        late_after_ms: terms.late_after_ms,
        contacts: terms.contacts.clone().unwrap_or_default(),
    }
}

/// A timetable that nobody could read later is refused now, whichever program sent it.
pub(super) fn check_rate(settle: &Settle) -> Result<(), Refused> {
    match &settle.rate {
        Some(To::Set(text)) => Timetable::parse(text).map(drop).map_err(usage),
        _ => Ok(()),
    }
}

/// Limits that contradict each other are refused in the words in which they were given.
pub(super) fn check_limits(settle: &Settle, terms: &store::vault::Terms) -> Result<(), Refused> {
    let mut would = terms.clone();
    apply(settle, &mut would);
    match (would.soft_bytes, would.hard_bytes) {
        (Some(soft), Some(hard)) if soft > hard => {
            Err(usage(format!("the soft limit of {} is above the hard limit of {}", size(soft), size(hard))))
        }
        _ => Ok(()),
    }
}

/// Changes terms as an administrator says.
pub(super) fn apply(settle: &Settle, terms: &mut store::vault::Terms) {
    fn to<T: Clone>(change: Option<&To<T>>, value: &mut Option<T>) {
        match change {
            Some(To::Set(new)) => *value = Some(new.clone()),
            Some(To::None) => *value = None,
            None => {}
        }
    }
    to(settle.soft_bytes.as_ref(), &mut terms.soft_bytes);
    to(settle.hard_bytes.as_ref(), &mut terms.hard_bytes);
    to(settle.rate.as_ref(), &mut terms.rate);
    to(settle.late_after_ms.as_ref(), &mut terms.late_after_ms);
    to(settle.contacts.as_ref(), &mut terms.contacts);
}

fn state_of(state: State) -> AccountState {
    match state {
        State::Open => AccountState::Open,
        State::Frozen => AccountState::Frozen,
        State::Disabled => AccountState::Disabled,
    }
}

fn usage(text: String) -> Refused {
    Fault::new(Code::Usage, format!("{text}; nothing was changed")).into()
}

/// What an administrator asks and cannot be, in their own words; everything else as always.
pub(super) fn wrong(error: store::Error) -> Refused {
    match error {
        store::Error::Taken { what } => usage(format!("{what} is there already")),
        store::Error::Refused { why } => usage(why),
        error @ store::Error::Limit { .. } => usage(error.to_string()),
        other => other.into(),
    }
}

/// For [`Server::find`]: a number as people write it.
pub(super) fn number(name: &str) -> Option<AccountSelector> {
    let digits = name.strip_prefix("0x").unwrap_or(name);
    u32::from_str_radix(digits, 16).ok().map(AccountSelector::Number)
}
