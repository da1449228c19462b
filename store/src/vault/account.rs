//! Accounts: whose backups these are, kept as numbered notes (FORMAT.md, chapter 7).

use std::path::Path;

use minicbor::{Decoder, Encoder};

use super::layout::{self, DomainPaths};
use super::note::{self, NoteKind};
use super::{Shared, Vault};
use crate::door::{Chance, Disk, Millis, random};
use crate::error::{Error, Result};
use crate::id::{AccountId, DomainId, KeyCheck};

/// How often a note's number may be taken by somebody else before we say busy.
const TRIES: usize = 64;
/// Longest name, in characters.
const NAME_CHARS_MAX: usize = 255;
/// Most passphrase slots of an account in the vault.
const SLOTS_MAX: usize = 64;
/// Longest slot, as JSON text.
const SLOT_BYTES_MAX: usize = 8 << 10;

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
    /// Passphrase slots that are kept in the vault, each as JSON text.
    pub slots: Vec<String>,
    /// When it was made, milliseconds since 1970.
    pub created_at: Millis,
}

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
    /// `Refused` when nothing may be added to this account.
    pub(super) fn check_open(&self) -> Result<()> {
        match self.state {
            AccountState::Open => Ok(()),
            AccountState::Frozen => Err(Error::Refused { why: format!("the account {} is frozen", self.name) }),
            AccountState::Disabled => Err(Error::Refused { why: format!("the account {} is disabled", self.name) }),
        }
    }

    fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        // Writing to a vector never fails.
        self.encode_into(&mut Encoder::new(&mut out)).unwrap_or(());
        out
    }

    fn encode_into(
        &self,
        e: &mut Encoder<&mut Vec<u8>>,
    ) -> Result<(), minicbor::encode::Error<std::convert::Infallible>> {
        let bound = u64::from(self.identity.is_some()) + u64::from(self.key_check.is_some());
        e.map(5 + bound)?.u8(0)?.encode(self.id)?.u8(1)?.str(&self.name)?;
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
        Ok(())
    }

    fn decode(bytes: &[u8], number: u32, domain: DomainId) -> Result<Self> {
        let mut info = Self {
            number,
            id: AccountId::ZERO,
            domain,
            name: String::new(),
            identity: None,
            key_check: None,
            state: AccountState::Open,
            slots: Vec::new(),
            created_at: 0,
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
                _ => d.skip()?,
            }
        }
        Ok(state)
    }
}

fn damaged(why: &'static str) -> Error {
    Error::damaged("account note", why)
}

fn check_name(name: &str) -> Result<()> {
    let chars = name.chars().count();
    if chars == 0 || chars > NAME_CHARS_MAX {
        return Err(Error::Limit {
            what: "characters of an account's name",
            found: chars as u64,
            most: NAME_CHARS_MAX as u64,
        });
    }
    if name.chars().any(char::is_control) || name.trim() != name {
        return Err(Error::Refused {
            why: "an account's name has no control characters and no blanks at its ends".to_owned(),
        });
    }
    Ok(())
}

/// The account in force, and the number of its note. `None` when the folder has no note yet: its making was cut short.
fn load(disk: &dyn Disk, paths: &DomainPaths, number: u32, domain: DomainId) -> Result<Option<(u64, AccountInfo)>> {
    let dir = paths.account(number);
    let Some(newest) = note::numbers(disk, &dir)?.pop() else { return Ok(None) };
    let content = note::read(disk, NoteKind::Account, &note::path(&dir, newest))?;
    let info = AccountInfo::decode(&content, number, domain).map_err(|e| e.at(|| dir.display().to_string()))?;
    Ok(Some((newest, info)))
}

/// The accounts of one domain, by number.
fn accounts_of(disk: &dyn Disk, paths: &DomainPaths, domain: DomainId) -> Result<Vec<AccountInfo>> {
    let named = match disk.list(&paths.accounts()) {
        Err(Error::NotFound { .. }) => return Ok(Vec::new()),
        other => other?,
    };
    let mut out = Vec::new();
    for number in named.iter().filter_map(|n| layout::account_number(&n.name)) {
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

impl Vault {
    /// All accounts, by number.
    pub fn accounts(&self) -> Result<Vec<AccountInfo>> {
        let mut out = Vec::new();
        for named in self.disk().list(&layout::domains(self.path()))? {
            if let Some(domain) = layout::domain_id(&named.name) {
                out.extend(accounts_of(self.disk(), &DomainPaths::new(self.path(), domain), domain)?);
            }
        }
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
        self.must_write()?;
        check_name(name)?;
        let Some(_lock) = self.disk().lock(&layout::accounts_lock(self.path()))? else {
            return Err(Error::Busy { what: "the list of accounts".to_owned() });
        };
        let accounts = self.accounts()?;
        if accounts.iter().any(|info| info.name == name) {
            return Err(Error::Taken { what: format!("the account {name}") });
        }
        let number = accounts.iter().map(|info| info.number).max().unwrap_or(0).saturating_add(1);
        let chance: &dyn Chance = self.chance();
        let info = AccountInfo {
            number,
            id: AccountId::new(random(chance)),
            domain: DomainId::new(random(chance)),
            name: name.to_owned(),
            identity: None,
            key_check: None,
            state: AccountState::Open,
            slots: Vec::new(),
            created_at: self.clock().now_ms(),
        };
        let paths = DomainPaths::new(self.path(), info.domain);
        let account = paths.account(number);
        let folders = [
            paths.root().to_owned(),
            paths.packs(),
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
        // Every name durable before the note that makes them count.
        for folder in [&account, &paths.accounts(), paths.root(), &layout::domains(self.path())] as [&Path; 4] {
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

    /// Replaces the passphrase slots that are kept in the vault (each one JSON text, at most 64 of 8 KiB).
    pub fn set_slots(&self, account: &AccountInfo, slots: Vec<String>) -> Result<AccountInfo> {
        for (what, found, most) in [
            ("slots of an account", slots.len(), SLOTS_MAX),
            ("length of a slot", slots.iter().map(String::len).max().unwrap_or(0), SLOT_BYTES_MAX),
        ] {
            if found > most {
                return Err(Error::Limit { what, found: found as u64, most: most as u64 });
            }
        }
        self.change(account, |info| {
            info.slots.clone_from(&slots);
            Ok(())
        })
    }

    /// Opens, freezes or disables an account.
    pub fn set_state(&self, account: &AccountInfo, state: AccountState) -> Result<AccountInfo> {
        self.change(account, |info| {
            info.state = state;
            Ok(())
        })
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
                return Ok(info);
            }
            match note::add(self.disk(), self.chance(), &dir, number + 1, NoteKind::Account, &info.encode()) {
                Err(Error::Taken { .. }) => {}
                other => return other.map(|()| info),
            }
        }
        Err(Error::Busy { what: format!("the account {}", account.name) })
    }
}
