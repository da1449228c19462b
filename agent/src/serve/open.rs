//! Opening, listing, making and binding accounts.

use std::sync::Arc;

use store::chain::{LinkKind, ReceivedLink};
use store::id::BodyHash;
use store::vault::{Access, AccountInfo, AccountState, Domain, Vault};
use transport::message::{AccountRow, Bind, Head, Init, Made, Open, Opened, SetSlots};

use super::accounts::state_told;
use super::refuse::Refused;
use super::{Server, lock};
use crate::fault::{Code, Fault};

/// Links that come with the first reply.
const LINKS_WITH_OPEN: usize = 256;
/// Bytes of bodies that come with the first reply.
const BODIES_WITH_OPEN: usize = 128 << 10;

impl Server {
    /// Opens an account: the one that is named, else the one that this connection is for, else the one that the
    /// client's keys open, else the only one.
    pub fn open(&self, open: &Open) -> Result<Opened, Refused> {
        let vault = self.vault(Access::Read)?;
        let account = self.pick(&vault, open)?;
        if account.state == AccountState::Disabled {
            return Err(Fault::new(Code::AccountFrozen, "this account is disabled")
                .hint("ask the server's administrator")
                .into());
        }
        let domain = vault.domain_to_read(&account)?;
        self.set_account(&vault, &account, &open.client);
        let head = domain.head(&account)?;
        let after = open.after.saturating_add(1);
        let links = domain.links(&account, after, LINKS_WITH_OPEN)?;
        let rates = self.keeper.client_rates();
        let bodies = useful_bodies(&domain, &account, &links)?;
        Ok(Opened {
            vault: vault.id(),
            head: head.map(|head| Head { sequence: head.sequence, chain: head.chain, marker: head.marker }),
            links: links.into_iter().map(Into::into).collect(),
            bodies: bodies.into_iter().map(Into::into).collect(),
            generation: domain.generation()?,
            wanted: domain.wanted_mark()?,
            now_ms: self.clock.now_ms(),
            free_bytes: vault.free_bytes(),
            account: row(&account),
            up_rate: rates.up,
            down_rate: rates.down,
            absent_volumes: Some(vault.absent_volumes()?).filter(|absent| !absent.is_empty()),
        })
    }

    fn pick(&self, vault: &Vault, open: &Open) -> Result<AccountInfo, Refused> {
        if let Some(name) = open.account.as_ref().or(self.only.as_ref()) {
            return self.find(vault, name);
        }
        let mut seen = vault.accounts()?;
        seen.retain(|account| self.may_see(vault, account));
        let opened: Vec<_> =
            seen.iter().filter(|a| a.key_check.is_some_and(|check| open.keys.contains(&check))).collect();
        match (opened.as_slice(), seen.as_slice()) {
            ([one], _) => Ok((*one).clone()),
            ([], [one]) => Ok(one.clone()),
            (_, []) => {
                Err(Fault::new(Code::AccountNone, "there is no account in this vault yet").hint("tuckbox init").into())
            }
            ([], _) => Err(Fault::new(Code::KeyNone, "no key on this machine opens an account of this vault")
                .hint("with the 24 words: tuckbox key recover; as a new machine: tuckbox init")
                .into()),
            (several, _) => {
                let names: Vec<&str> = several.iter().map(|account| account.name.as_str()).collect();
                Err(Fault::new(Code::AccountWhich, format!("several accounts fit: {}", names.join(", ")))
                    .hint("name one: --account NAME")
                    .into())
            }
        }
    }

    /// All accounts that may be seen.
    pub fn accounts(&self) -> Result<Vec<AccountRow>, Refused> {
        let vault = self.vault(Access::Read)?;
        Ok(vault.accounts()?.iter().filter(|account| self.may_see(&vault, account)).map(row).collect())
    }

    /// Makes the vault and the account, as far as they are missing.
    pub fn init(&self, init: &Init) -> Result<Made, Refused> {
        let (vault, made_vault) = match self.vault(Access::Write) {
            Ok(vault) => (vault, false),
            Err(Refused::Told(fault)) if fault.code == Code::VaultNone => (self.make_vault()?, true),
            // An empty folder, or what an attempt left that was cut off.
            Err(Refused::Told(fault)) if fault.code == Code::VaultNotAVault && self.path.is_dir() => {
                match self.make_vault() {
                    Ok(vault) => (vault, true),
                    Err(Refused::Told(full)) if full.code == Code::VaultNotAVault => return Err(Refused::Told(fault)),
                    Err(other) => return Err(other),
                }
            }
            Err(other) => return Err(other),
        };
        let (account, made_account) = match self.find(&vault, &init.name) {
            Ok(account) => (account, false),
            Err(Refused::Told(fault)) if fault.code == Code::AccountNone && self.only.is_none() => {
                let made = vault.create_account(&init.name).map_err(|error| match error {
                    store::Error::Refused { why } => {
                        Fault::new(Code::Usage, why).hint("choose another name: --account NAME").into()
                    }
                    other => Refused::from(other),
                });
                (made?, true)
            }
            Err(other) => return Err(other),
        };
        let links = vault.domain(&account)?.head(&account)?.map_or(0, |head| head.sequence);
        self.set_account(&vault, &account, "");
        Ok(Made { vault: vault.id(), made_vault, account: row(&account), made_account, links })
    }

    fn make_vault(&self) -> Result<Vault, Refused> {
        if let Some(above) = self.path.parent() {
            std::fs::create_dir_all(above).map_err(|cause| not_made(store::Error::disk("make", above, cause)))?;
        }
        let vault =
            Vault::create(Arc::clone(&self.disk), Arc::clone(&self.clock), Arc::clone(&self.chance), &self.path)
                .map_err(not_made)?;
        self.set_vault(&vault);
        Ok(vault)
    }

    /// Binds a key to the opened account, once. The same key again is no error.
    pub fn bind(&self, bind: &Bind) -> Result<(), Refused> {
        let (vault, account, _) = self.account(Access::Write)?;
        let identity: [u8; 32] = bind
            .identity
            .as_slice()
            .try_into()
            .map_err(|_| Fault::new(Code::NetProtocol, "an identity key has another length"))?;
        if account.identity == Some(identity) && account.key_check == Some(bind.key_check) {
            return Ok(());
        }
        if account.identity.is_some() {
            return Err(bound());
        }
        let account = vault.bind(&account, identity, bind.key_check).map_err(|error| match error {
            // Another client was quicker.
            store::Error::Taken { .. } => bound(),
            other => Refused::from(other),
        })?;
        *lock(&self.account) = Some(account);
        Ok(())
    }

    /// Replaces the passphrase slots kept in the vault.
    pub fn set_slots(&self, slots: SetSlots) -> Result<(), Refused> {
        let (vault, account, _) = self.account(Access::Write)?;
        let was = slots.was.map(<[u8; 32]>::try_from).transpose();
        let was = was.map_err(|_| Fault::new(Code::NetProtocol, "a mark of slots has another length"))?;
        let account = vault.set_slots(&account, slots.slots, was).map_err(|error| match error {
            store::Error::Busy { .. } => {
                Fault::new(Code::SourceBusy, "the slots in the vault were changed at the same time")
                    .hint("run the same command again")
                    .into()
            }
            other => Refused::from(other),
        })?;
        *lock(&self.account) = Some(account);
        Ok(())
    }
}

fn bound() -> Refused {
    Fault::new(Code::AccountBound, "the account has a key already")
        .hint("with its 24 words: tuckbox key recover; or choose another name: tuckbox init --account NAME")
        .into()
}

/// Bodies that a client needs next, as far as they are small: of all links that are no versions, of the newest version
/// and the newest partial.
fn useful_bodies(domain: &Domain, account: &AccountInfo, links: &[Vec<u8>]) -> Result<Vec<Vec<u8>>, Refused> {
    let links = links.iter().map(|link| ReceivedLink::decode(link)).collect::<store::Result<Vec<_>>>()?;
    let newest = |kind| links.iter().rev().find(|link| link.link().kind == kind);
    let mut hashes: Vec<BodyHash> = links
        .iter()
        .filter(|link| matches!(link.link().kind, LinkKind::Key | LinkKind::Device) || link.link().kind.is_act())
        .chain(newest(LinkKind::Version))
        .chain(newest(LinkKind::Partial))
        .map(|link| link.link().body)
        .collect();
    hashes.dedup();
    let mut bodies = Vec::new();
    let mut bytes = 0;
    for hash in hashes {
        // One that is damaged is asked for when it is needed; `check` tells of it.
        let Ok(Some(body)) = domain.body(account, hash) else { continue };
        bytes += body.len();
        if bytes > BODIES_WITH_OPEN {
            break;
        }
        bodies.push(body);
    }
    Ok(bodies)
}

/// What a client may know of an account.
fn row(account: &AccountInfo) -> AccountRow {
    AccountRow {
        number: account.number,
        id: account.id,
        domain: account.domain,
        name: account.name.clone(),
        identity: account.identity.map(|key| key.to_vec()),
        key_check: account.key_check,
        state: state_told(account.state),
        slots: account.slots.clone(),
    }
}

/// What is told of a vault that may not be made here; whoever asked knows its address, and puts it in.
pub const NO_RIGHT: &str = "cannot make the vault: no right to write there";

/// Why a vault could not be made: there is none yet that could belong to somebody.
fn not_made(error: store::Error) -> Refused {
    match &error {
        store::Error::Disk { cause, .. } if cause.kind() == std::io::ErrorKind::PermissionDenied => {
            Fault::new(Code::VaultRefused, NO_RIGHT)
                .hint("name another place, or have its owner make a directory there that is yours")
                .into()
        }
        _ => error.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_there_is_no_vault_none_belongs_to_anybody() {
        let told = |errno| not_made(store::Error::disk("make", "/srv/vault", errno)).refusal().unwrap();
        let refusal = told(rustix::io::Errno::ACCESS);
        assert_eq!((refusal.code.as_str(), refusal.text.as_str()), ("vault.refused", NO_RIGHT));
        assert_eq!(told(rustix::io::Errno::NOSPC).code, "disk.full");
    }
}
