//! What a vault knows of an account, kept as numbered notes (FORMAT.md, chapter 7).

use std::path::Path;

use minicbor::Decoder;

use super::Shared;
use super::layout::{self, DomainPaths};
use super::note::{self, NoteKind};
use super::terms::Terms;
use crate::door::{Disk, Millis};
use crate::error::{Error, Result};
use crate::id::{AccountId, DomainId, KeyCheck};

/// Longest name, in characters.
const NAME_CHARS_MAX: usize = 255;

/// What may be done with an account.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AccountState {
    /// Everything.
    #[default]
    Open,
    /// Read, nothing added, nothing removed.
    Frozen,
    /// Nothing.
    Disabled,
}

/// What a vault knows of an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountInfo {
    /// Its number in this vault.
    pub number: u32,
    /// Its id, the same in every vault.
    pub id: AccountId,
    /// Its chunk space.
    pub domain: DomainId,
    /// Its name, 1 to 255 characters, unique in the vault.
    pub name: String,
    /// The public key that certifies its devices; `None` until a client has bound its key.
    pub identity: Option<[u8; 32]>,
    /// Tells a wrong key before any work; bound together with `identity`.
    pub key_check: Option<KeyCheck>,
    /// What may be done with it.
    pub state: AccountState,
    /// Why it is in that state, in an administrator's words; empty when nobody said.
    pub reason: String,
    /// Passphrase slots that are kept in the vault, each as JSON text.
    pub slots: Vec<String>,
    /// When it was made, milliseconds since 1970.
    pub created_at: Millis,
    /// When it was deleted; it is disabled since then, and goes for good after [`DELETED_FOR_MS`].
    pub deleted_at: Option<Millis>,
    /// What an administrator has settled.
    pub terms: Terms,
}

/// How long a deleted account can be taken back.
pub const DELETED_FOR_MS: Millis = 14 * 24 * 3_600_000;

/// Says which account is meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AccountSelector {
    /// The one of this name.
    Name(String),
    /// The one of this number.
    Number(u32),
    /// The one of this id.
    Id(AccountId),
    /// The only one; `NotFound` when there is none, `Refused` when there are several.
    Only,
}

impl AccountState {
    fn number(self) -> u8 {
        match self {
            Self::Open => 0,
            Self::Frozen => 1,
            Self::Disabled => 2,
        }
    }

    fn from_number(number: u8) -> Result<Self> {
        match number {
            0 => Ok(Self::Open),
            1 => Ok(Self::Frozen),
            2 => Ok(Self::Disabled),
            other => Err(Error::Newer { what: "account's state", found: other.into() }),
        }
    }
}

impl AccountInfo {
    /// `Frozen` when nothing may be added to this account.
    pub(super) fn check_open(&self) -> Result<()> {
        match self.state {
            AccountState::Open => Ok(()),
            AccountState::Frozen => Err(Error::Frozen { why: format!("the account {} is frozen", self.name) }),
            AccountState::Disabled => Err(Error::Frozen { why: format!("the account {} is disabled", self.name) }),
        }
    }

    /// When a deleted account may go for good; `None` when it is not deleted.
    #[must_use]
    pub fn goes_at(&self) -> Option<Millis> {
        self.deleted_at.map(|at| at.saturating_add(DELETED_FOR_MS))
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        note::content(|e| self.encode_into(e))
    }

    fn encode_into(&self, e: &mut note::Writer<'_>) -> note::Written {
        let settled = self.terms != Terms::default();
        let there = [
            self.identity.is_some(),
            self.key_check.is_some(),
            !self.reason.is_empty(),
            self.deleted_at.is_some(),
            settled,
        ];
        e.map(5 + there.into_iter().map(u64::from).sum::<u64>())?.u8(0)?.encode(self.id)?.u8(1)?.str(&self.name)?;
        if let Some(identity) = &self.identity {
            e.u8(2)?.bytes(identity)?;
        }
        if let Some(key_check) = &self.key_check {
            e.u8(3)?.encode(key_check)?;
        }
        e.u8(4)?.u8(self.state.number())?.u8(5)?.array(self.slots.len() as u64)?;
        for slot in &self.slots {
            e.bytes(slot.as_bytes())?;
        }
        e.u8(6)?.i64(self.created_at)?;
        if !self.reason.is_empty() {
            e.u8(7)?.str(&self.reason)?;
        }
        if let Some(at) = self.deleted_at {
            e.u8(8)?.i64(at)?;
        }
        if settled {
            e.u8(9)?.encode(&self.terms)?;
        }
        Ok(())
    }

    pub(super) fn decode(bytes: &[u8], number: u32, domain: DomainId) -> Result<Self> {
        let mut info = Self {
            number,
            id: AccountId::ZERO,
            domain,
            name: String::new(),
            identity: None,
            key_check: None,
            state: AccountState::Open,
            reason: String::new(),
            slots: Vec::new(),
            created_at: 0,
            deleted_at: None,
            terms: Terms::default(),
        };
        let state = info.decode_from(&mut Decoder::new(bytes)).map_err(|_| damaged("it cannot be read"))?;
        info.state = AccountState::from_number(state)?;
        if info.id == AccountId::ZERO {
            return Err(damaged("it has no id"));
        }
        check_name(&info.name).map_err(|_| damaged("its name is not in order"))?;
        Ok(info)
    }

    /// Fills the fields and gives back the state's number. Unknown keys are passed over.
    fn decode_from(&mut self, d: &mut Decoder<'_>) -> Result<u8, minicbor::decode::Error> {
        let mut state = 0;
        let members = d.map()?.ok_or_else(|| minicbor::decode::Error::message("a map without length"))?;
        for _ in 0..members {
            match d.u64()? {
                0 => self.id = d.decode()?,
                1 => self.name = d.str()?.to_owned(),
                2 => {
                    let identity = d.bytes()?.try_into();
                    self.identity = Some(identity.map_err(|_| minicbor::decode::Error::message("no public key"))?);
                }
                3 => self.key_check = Some(d.decode()?),
                4 => state = d.u8()?,
                5 => {
                    for slot in d.array_iter::<&minicbor::bytes::ByteSlice>()? {
                        let text = String::from_utf8(slot?.to_vec());
                        self.slots.push(text.map_err(|_| minicbor::decode::Error::message("a slot is not text"))?);
                    }
                }
                6 => self.created_at = d.i64()?,
                7 => self.reason = d.str()?.to_owned(),
                8 => self.deleted_at = Some(d.i64()?),
                9 => self.terms = d.decode()?,
                _ => d.skip()?,
            }
        }
        Ok(state)
    }
}

fn damaged(why: &'static str) -> Error {
    Error::damaged("account note", why)
}

/// Whether this may be the name of an account or a group: 1 to 255 characters, none of them a control character, no
/// blanks at its ends. `Limit` or `Refused`.
pub fn check_name(name: &str) -> Result<()> {
    let chars = name.chars().count();
    if chars == 0 {
        return Err(Error::Refused { why: format!("a name has 1 to {NAME_CHARS_MAX} characters") });
    }
    if chars > NAME_CHARS_MAX {
        return Err(Error::Limit { what: "characters of a name", found: chars as u64, most: NAME_CHARS_MAX as u64 });
    }
    if name.chars().any(char::is_control) || name.trim() != name {
        return Err(Error::Refused { why: "a name has no control characters and no blanks at its ends".to_owned() });
    }
    Ok(())
}

/// The same for a name that is given now, to an account or a group. It is none that a command line would take for an
/// option.
pub(super) fn check_given_name(name: &str) -> Result<()> {
    check_name(name)?;
    if name.starts_with('-') {
        return Err(Error::Refused { why: format!("\"{name}\" would be taken for an option") });
    }
    Ok(())
}

/// The same for an account. It is none that would be taken for a number, as accounts stand in lines of
/// `authorized_keys`: nobody may pass for an account of that number.
pub(super) fn check_new_name(name: &str) -> Result<()> {
    check_given_name(name)?;
    if name.strip_prefix("0x").is_some_and(|digits| u32::from_str_radix(digits, 16).is_ok()) {
        return Err(Error::Refused { why: format!("\"{name}\" would be taken for an account's number") });
    }
    Ok(())
}

/// The account in force, and the number of its note. `None` when the folder has no note yet: its making was cut short.
pub(super) fn load(
    disk: &dyn Disk,
    paths: &DomainPaths,
    number: u32,
    domain: DomainId,
) -> Result<Option<(u64, AccountInfo)>> {
    let dir = paths.account(number);
    let Some(newest) = note::numbers(disk, &dir)?.pop() else { return Ok(None) };
    let content = note::read(disk, NoteKind::Account, &note::path(&dir, newest))?;
    let info = AccountInfo::decode(&content, number, domain).map_err(|e| e.at(|| dir.display().to_string()))?;
    Ok(Some((newest, info)))
}

/// The accounts of one domain, by number.
pub(super) fn accounts_of(disk: &dyn Disk, paths: &DomainPaths, domain: DomainId) -> Result<Vec<AccountInfo>> {
    let names = match disk.names(&paths.accounts()) {
        Err(Error::NotFound { .. }) => return Ok(Vec::new()),
        other => other?,
    };
    let mut out = Vec::new();
    for number in names.iter().filter_map(|name| layout::account_number(name)) {
        out.extend(load(disk, paths, number, domain)?.map(|(_, info)| info));
    }
    Ok(out)
}

/// What is now known of an account.
pub(super) fn load_now(shared: &Shared, paths: &DomainPaths, account: &AccountInfo) -> Result<AccountInfo> {
    match load(&*shared.disk, paths, account.number, account.domain)? {
        Some((_, info)) if info.id == account.id => Ok(info),
        _ => Err(Error::NotFound { what: "account", name: account.name.clone() }),
    }
}

/// The accounts of a domain that is open, by number.
pub(super) fn accounts_in(shared: &Shared, paths: &DomainPaths, domain: DomainId) -> Result<Vec<AccountInfo>> {
    accounts_of(&*shared.disk, paths, domain)
}

impl super::Domain {
    /// Numbers of the notes of an account that cannot be read, or that are missing between others.
    pub(super) fn bad_account_notes(&self, account: &AccountInfo) -> Result<Vec<u64>> {
        let (disk, dir) = (&*self.inner.shared.disk, self.inner.paths.account(account.number));
        let newest = note::numbers(disk, &dir)?.pop().unwrap_or(0);
        let mut bad = Vec::new();
        for number in 1..=newest {
            match note::read(disk, NoteKind::Account, &note::path(&dir, number)) {
                Ok(_) | Err(Error::Newer { .. }) => {}
                Err(e) if e.is_damage() || matches!(e, Error::NotFound { .. } | Error::Limit { .. }) => {
                    bad.push(number)
                }
                Err(e) => return Err(e),
            }
        }
        Ok(bad)
    }
}

/// Makes a folder that may be there.
pub(super) fn make_dir(disk: &dyn Disk, path: &Path) -> Result<()> {
    match disk.make_dir(path) {
        Err(Error::Taken { .. }) => Ok(()),
        other => other,
    }
}
