//! All accounts of a vault, and how they are made, changed and removed.

use std::path::Path;

use super::Vault;
use super::account::{
    AccountInfo, AccountSelector, AccountState, accounts_of, check_name, check_new_name, load, load_now, make_dir,
};
use super::layout::{self, DomainPaths};
use super::manifest::Manifest;
use super::note::{self, NoteKind};
use super::terms::Terms;
use crate::door::{Chance, Disk, Lock, random};
use crate::error::{Error, Result};
use crate::id::{AccountId, DomainId, KeyCheck};

/// How often a note's number may be taken by somebody else before we say busy.
const TRIES: usize = 64;
/// Most passphrase slots of an account in the vault.
const SLOTS_MAX: usize = 64;
/// Longest slot, as JSON text.
const SLOT_BYTES_MAX: usize = 8 << 10;
/// Longest reason, in characters: it is shown in one line to whoever is refused.
const REASON_CHARS_MAX: usize = 500;

/// All accounts of a vault.
pub(super) fn all(disk: &dyn Disk, vault: &Path) -> Result<Vec<AccountInfo>> {
    let mut out = Vec::new();
    for name in disk.names(&layout::domains(vault))? {
        if let Some(domain) = layout::domain_id(&name) {
            out.extend(accounts_of(disk, &DomainPaths::new(vault, domain), domain)?);
        }
    }
    Ok(out)
}

impl AccountInfo {
    /// `Limit` or `Refused` when it is not what this program would have written: for what comes from elsewhere.
    pub(super) fn check_bounds(&self) -> Result<()> {
        check_name(&self.name)?;
        check_reason(&self.reason)?;
        check_slots(&self.slots)?;
        self.terms.check()
    }
}

fn check_reason(reason: &str) -> Result<()> {
    let chars = reason.chars().count();
    if chars > REASON_CHARS_MAX {
        let (found, most) = (chars as u64, REASON_CHARS_MAX as u64);
        return Err(Error::Limit { what: "characters of a reason", found, most });
    }
    Ok(())
}

/// Tells lists of slots apart: BLAKE3 over each one's length (8 bytes, little-endian) and text.
#[must_use]
pub fn slots_mark(slots: &[String]) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new();
    for slot in slots {
        hasher.update(&(slot.len() as u64).to_le_bytes()).update(slot.as_bytes());
    }
    *hasher.finalize().as_bytes()
}

fn check_slots(slots: &[String]) -> Result<()> {
    for (what, found, most) in [
        ("slots of an account", slots.len(), SLOTS_MAX),
        ("length of a slot", slots.iter().map(String::len).max().unwrap_or(0), SLOT_BYTES_MAX),
    ] {
        if found > most {
            return Err(Error::Limit { what, found: found as u64, most: most as u64 });
        }
    }
    Ok(())
}

impl Vault {
    /// All accounts, by number.
    pub fn accounts(&self) -> Result<Vec<AccountInfo>> {
        let mut out = all(self.disk(), self.path())?;
        out.sort_by_key(|info| info.number);
        Ok(out)
    }

    /// The account that is meant. `NotFound` when there is none.
    pub fn account(&self, which: &AccountSelector) -> Result<AccountInfo> {
        let mut accounts = self.accounts()?;
        let name = match which {
            AccountSelector::Name(name) => {
                accounts.retain(|info| info.name == *name);
                name.clone()
            }
            AccountSelector::Number(number) => {
                accounts.retain(|info| info.number == *number);
                number.to_string()
            }
            AccountSelector::Id(id) => {
                accounts.retain(|info| info.id == *id);
                id.to_string()
            }
            AccountSelector::Only => String::new(),
        };
        if accounts.len() > 1 {
            return Err(Error::Refused { why: "there are several accounts; one must be named".to_owned() });
        }
        accounts.pop().ok_or(Error::NotFound { what: "account", name })
    }

    /// What is now known of an account.
    pub fn reload(&self, account: &AccountInfo) -> Result<AccountInfo> {
        let paths = DomainPaths::new(self.path(), account.domain);
        load_now(&self.shared, &paths, account)
    }

    /// Makes an account with a domain of its own; no key is bound to it yet. `Taken` when the name is in use.
    pub fn create_account(&self, name: &str) -> Result<AccountInfo> {
        self.create_account_numbered(name, None)
    }

    /// The same with a number of one's choice. `Taken` when name or number are in use. Otherwise it gets one that no account
    /// had before: a line of `authorized_keys` may still let somebody in by it.
    pub fn create_account_numbered(&self, name: &str, number: Option<u32>) -> Result<AccountInfo> {
        self.must_write()?;
        check_new_name(name)?;
        let lock = self.lock_accounts()?;
        let accounts = self.accounts()?;
        if accounts.iter().any(|info| info.name == name) {
            return Err(Error::Taken { what: format!("the account {name}") });
        }
        if let Some(number) = number.filter(|number| accounts.iter().any(|info| info.number == *number)) {
            return Err(Error::Taken { what: format!("the account number {number:#x}") });
        }
        let after = accounts.iter().map(|info| u64::from(info.number) + 1).max().unwrap_or(1);
        let next = after.max(Manifest::load(self.disk(), self.path())?.next_account());
        let Some(number) = number.or(u32::try_from(next).ok()) else {
            return Err(Error::Limit { what: "number of an account", found: next, most: u32::MAX.into() });
        };
        self.number_was_given(&lock, number)?;
        let chance: &dyn Chance = self.chance();
        let info = AccountInfo {
            number,
            id: AccountId::new(random(chance)),
            domain: DomainId::new(random(chance)),
            name: name.to_owned(),
            identity: None,
            key_check: None,
            state: AccountState::Open,
            reason: String::new(),
            slots: Vec::new(),
            created_at: self.clock().now_ms(),
            deleted_at: None,
            terms: Terms::default(),
        };
        let paths = DomainPaths::new(self.path(), info.domain);
        let account = paths.account(number);
        let folders = [
            paths.root().to_owned(),
            paths.packs().root().to_owned(),
            paths.damaged(),
            paths.staging(),
            paths.accounts(),
            account.clone(),
            paths.versions(number),
            paths.bodies(number),
        ];
        for folder in &folders {
            make_dir(self.disk(), folder)?;
        }
        // Every name durable before the note that makes them count, up to that of the vault's own file: who made it may
        // have ended before that.
        let domains = layout::domains(self.path());
        for folder in [&account, &paths.accounts(), paths.root(), &domains, self.path()] as [&Path; 5] {
            self.disk().sync_dir(folder)?;
        }
        note::add(self.disk(), chance, &account, 1, NoteKind::Account, &info.encode())?;
        Ok(info)
    }

    /// Binds a client's key to an account, once. The same again changes nothing; `Taken` when another is bound.
    pub fn bind(&self, account: &AccountInfo, identity: [u8; 32], key_check: KeyCheck) -> Result<AccountInfo> {
        self.change(account, |info| {
            match (info.identity, info.key_check) {
                (None, None) => {}
                (Some(i), Some(k)) if i == identity && k == key_check => return Ok(()),
                _ => return Err(Error::Taken { what: format!("a key of the account {}", info.name) }),
            }
            info.identity = Some(identity);
            info.key_check = Some(key_check);
            Ok(())
        })
    }

    /// Replaces the passphrase slots that are kept in the vault (each one JSON text, at most 64 of 8 KiB): those with this
    /// [mark](slots_mark), or whatever they are. `Busy` when there are others by now.
    pub fn set_slots(&self, account: &AccountInfo, slots: Vec<String>, was: Option<[u8; 32]>) -> Result<AccountInfo> {
        check_slots(&slots)?;
        self.change(account, |info| {
            if was.is_some_and(|was| was != slots_mark(&info.slots)) {
                return Err(Error::Busy { what: format!("the slots of the account {}", info.name) });
            }
            info.slots.clone_from(&slots);
            Ok(())
        })
    }

    /// Opens, freezes or disables an account, with the reason that people are told (at most 500 characters). Opening
    /// takes a deleted account back. `Refused` when that is too late, and for anything else of a deleted one.
    pub fn set_state(&self, account: &AccountInfo, state: AccountState, reason: &str) -> Result<AccountInfo> {
        check_reason(reason)?;
        // Removing it begins under the same lock.
        let _lock = self.lock_accounts()?;
        let removal = DomainPaths::new(self.path(), account.domain).removal(account.number);
        if self.disk().exists(&removal)?.is_some() {
            return Err(Error::Refused { why: format!("what was in the account {} is being removed", account.name) });
        }
        self.change(account, |info| {
            if info.deleted_at.is_some() && state != AccountState::Open {
                return Err(Error::Refused { why: format!("the account {} was deleted", info.name) });
            }
            info.state = state;
            reason.clone_into(&mut info.reason);
            info.deleted_at = None;
            Ok(())
        })
    }

    /// Deletes an account: it is disabled at once and can be taken back by [`set_state`](Self::set_state) until
    /// [`goes_at`](AccountInfo::goes_at). Nothing of it is removed yet.
    pub fn delete_account(&self, account: &AccountInfo) -> Result<AccountInfo> {
        let now = self.clock().now_ms();
        self.change(account, |info| {
            info.state = AccountState::Disabled;
            info.deleted_at = info.deleted_at.or(Some(now));
            Ok(())
        })
    }

    /// Gives an account another name. `Taken` when it is in use.
    pub fn rename_account(&self, account: &AccountInfo, name: &str) -> Result<AccountInfo> {
        check_new_name(name)?;
        let _lock = self.lock_accounts()?;
        if self.accounts()?.iter().any(|info| info.name == name && info.id != account.id) {
            return Err(Error::Taken { what: format!("the account {name}") });
        }
        self.change(account, |info| {
            name.clone_into(&mut info.name);
            Ok(())
        })
    }

    /// Settles limits, contacts and the like anew, decided by what is in force at that moment. `Refused` when they
    /// contradict each other.
    pub fn settle(&self, account: &AccountInfo, decide: impl Fn(&mut Terms)) -> Result<AccountInfo> {
        self.change(account, |info| {
            decide(&mut info.terms);
            info.terms.check()
        })
    }

    /// Says in the vault's own file that this number is given to no other account by itself, before it is given or its
    /// account goes.
    pub(super) fn number_was_given(&self, accounts: &Lock, number: u32) -> Result<()> {
        let next = u64::from(number) + 1;
        if Manifest::load(self.disk(), self.path())?.next_account() >= next {
            return Ok(());
        }
        self.change_manifest(accounts, |manifest| manifest.with_next_account(next)).map(drop)
    }

    /// Changes the vault's own file, as it is now, while others do not: `_accounts` is [`lock_accounts`](Self::lock_accounts).
    pub(super) fn change_manifest(
        &self,
        _accounts: &Lock,
        change: impl FnOnce(Manifest) -> Manifest,
    ) -> Result<Manifest> {
        let manifest = change(Manifest::load(self.disk(), self.path())?);
        manifest.replace(self.disk(), self.chance(), self.path())?;
        Ok(manifest)
    }

    /// Held while names and numbers are given, and while the vault's own file is written.
    pub(super) fn lock_accounts(&self) -> Result<Lock> {
        let lock = self.disk().lock(&layout::accounts_lock(self.path()))?;
        lock.ok_or_else(|| Error::Busy { what: "the list of accounts".to_owned() })
    }

    /// Writes the next note of an account, decided by what is in force at that moment.
    fn change(&self, account: &AccountInfo, decide: impl Fn(&mut AccountInfo) -> Result<()>) -> Result<AccountInfo> {
        self.must_write()?;
        let paths = DomainPaths::new(self.path(), account.domain);
        let dir = paths.account(account.number);
        for _ in 0..TRIES {
            let loaded = load(self.disk(), &paths, account.number, account.domain)?;
            let Some((number, before)) = loaded.filter(|(_, info)| info.id == account.id) else {
                return Err(Error::NotFound { what: "account", name: account.name.clone() });
            };
            let mut info = before.clone();
            decide(&mut info)?;
            if info == before {
                // Who wrote the note may have ended before it was durable.
                return self.disk().sync_dir(&dir).map(|()| info);
            }
            match note::add(self.disk(), self.chance(), &dir, number + 1, NoteKind::Account, &info.encode()) {
                Err(Error::Taken { .. }) => {}
                other => return other.map(|()| info),
            }
        }
        Err(Error::Busy { what: format!("the account {}", account.name) })
    }
}
