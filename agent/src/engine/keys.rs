//! Key files on this machine: finding the right one, unlocking it, and the verbs that change it.

use store::chain::LinkKind;
use store::error::KeyError;
use store::id::VaultId;
use store::record::Record;
use store::seal::keyfile::{Argon, Kind, NewSlot, Slot};
use store::seal::{AccountKeys, KeyFile, RootSecret, Sealer, WrongWords};
use store::vault::slots_mark;
use transport::message::{AccountRow, Accounts, Request, SetSlots};
use zeroize::Zeroizing;

use super::account::Account;
use super::connect::{Connector, address};
use super::job::{KeyAddJob, KeyInfo, KeyRow, KeyWords, Made, PinRow, Rewrapped, Rotated, Run};
use super::key_file::{self, KEY_FILE_BYTES_MAX, cannot, key_path, shown};
pub use super::key_file::{Found, key_checks};
use super::pin::Pin;
use super::state::StateDir;
use crate::fault::{Code, Fault, Result};
use crate::name::{for_terminal, harmless_line, quoted};
use crate::units::counted;

/// Times that a passphrase is asked for.
const ATTEMPTS: u32 = 3;
/// Times that a change of the slots in the vault is tried again because another came first.
const SLOT_TRIES_MAX: u32 = 20;

/// The way in: the root secret and the file it came from.
#[derive(Clone)]
pub struct Unlocked {
    /// The key file.
    pub found: Found,
    /// The secret.
    pub root: std::sync::Arc<RootSecret>,
}

/// Finds the key of an account among the files and unlocks it, asking for a passphrase when it needs one.
pub fn unlock(run: &Run, files: &[Found], vault: VaultId, row: &AccountRow) -> Result<Unlocked> {
    let name = for_terminal(row.name.as_bytes());
    let Some(check) = row.key_check else {
        return Err(Fault::new(Code::KeyNone, format!("the account {name} has no key yet"))
            .hint(format!("tuckbox init --account {}", quoted(row.name.as_bytes()))));
    };
    let fits = files.iter().filter(|found| found.file.key_check() == check);
    let found = fits.clone().find(|found| found.file.vault == vault).or_else(|| fits.clone().next());
    let Some(found) = found else { return Err(no_key(run, files, &name, row)) };
    let root = unlock_file(run, &found.file, &name)?;
    if root.key_check() != check {
        return Err(KeyError::OtherAccount.into_fault());
    }
    Ok(Unlocked { found: found.clone(), root: std::sync::Arc::new(root) })
}

fn no_key(run: &Run, files: &[Found], name: &str, row: &AccountRow) -> Fault {
    if let (Some(path), Some(other)) = (&run.place.key_file, files.first()) {
        return Fault::new(
            Code::KeyOtherAccount,
            format!(
                "the key {} belongs to another account ({})",
                shown(path),
                for_terminal(other.file.account_name.as_bytes())
            ),
        )
        .hint(format!("name the key of {name}: --key FILE"));
    }
    if let Some(path) = &run.place.key_file {
        return Fault::new(Code::KeyNone, format!("there is no key file {}", shown(path)))
            .hint("check the path; with the 24 words: tuckbox key recover");
    }
    let fault = Fault::new(Code::KeyNone, format!("the key of {name} is not on this machine"));
    if row.slots.is_empty() {
        fault.hint("with the 24 words: tuckbox key recover; or copy the key file and name it: --key FILE")
    } else {
        fault.hint("with the words or the passphrase: tuckbox key recover")
    }
}

trait IntoFault {
    fn into_fault(self) -> Fault;
}

impl IntoFault for KeyError {
    fn into_fault(self) -> Fault {
        store::Error::Key(self).into()
    }
}

/// Unlocks one key file.
pub fn unlock_file(run: &Run, file: &KeyFile, name: &str) -> Result<RootSecret> {
    if !file.needs_passphrase() {
        return Ok(file.unlock(None)?);
    }
    let what = format!("the key of {name}");
    for attempt in 0..ATTEMPTS {
        let passphrase = run.person.passphrase(&what, attempt)?;
        match file.unlock(Some(&passphrase)) {
            Err(store::Error::Key(KeyError::Passphrase)) if attempt + 1 < ATTEMPTS => {}
            other => return Ok(other?),
        }
    }
    Err(KeyError::Passphrase.into_fault())
}

fn new_slot<'a>(run: &'a Run, label: &'a str) -> NewSlot<'a> {
    NewSlot { label, created_at: run.clock.now_ms(), chance: &*run.chance }
}

/// A key file for a secret, opened by a new passphrase when one is given. Tells whether it is protected.
pub fn make_key(run: &Run, mut file: KeyFile, root: &RootSecret, passphrase: Option<&[u8]>) -> Result<(KeyFile, bool)> {
    let new = new_slot(run, "first");
    match passphrase {
        Some(passphrase) => drop(file.add_passphrase(root, passphrase, Argon::default(), &new)?.id()),
        None => drop(file.add_open(root, &new)?.id()),
    }
    Ok((file, passphrase.is_some()))
}

fn slot_row(slot: &Slot, in_vault: bool) -> KeyRow {
    KeyRow {
        slot: slot.id().to_owned(),
        passphrase: slot.kind() == Kind::Passphrase,
        in_vault,
        label: slot.label().to_owned(),
        cost: slot
            .cost()
            .map(|argon| format!("argon2id {} MiB, t={}, p={}", argon.m_kib / 1024, argon.t, argon.p))
            .unwrap_or_default(),
    }
}

/// The key of this machine, without unlocking it.
pub fn list(run: &Run) -> Result<KeyInfo> {
    let connector = Connector::new(run)?;
    let remote = connector.connect()?;
    let files = key_checks(run)?;
    let opened: transport::message::Opened =
        remote.ask(&Request::Open(super::account::open_request(run, &files, 0)))?;
    let check = opened.account.key_check;
    let name = for_terminal(opened.account.name.as_bytes());
    let found = files
        .iter()
        .find(|found| Some(found.file.key_check()) == check)
        .ok_or_else(|| no_key(run, &files, &name, &opened.account))?;
    let state = StateDir::new(run.folders.state.clone()).account(opened.vault, opened.account.id)?;
    let mut slots: Vec<KeyRow> = found.file.slots().iter().map(|slot| slot_row(slot, false)).collect();
    for text in &opened.account.slots {
        slots.push(slot_row(&Slot::from_json(text)?, true));
    }
    remote.close()?;
    Ok(KeyInfo {
        account: opened.account.name,
        vault_id: opened.vault.hex(),
        file: found.path.clone(),
        words_shown: state.words_shown,
        slots,
    })
}

/// Adds a passphrase slot, to the key file or to the vault.
pub fn add(run: &Run, job: &KeyAddJob) -> Result<KeyRow> {
    let account = Account::open(run)?;
    let label = job.label.clone().unwrap_or_default();
    let passphrase = run.person.new_passphrase("the new slot", false)?.ok_or_else(|| {
        Fault::new(Code::KeyPassphraseNeeded, "a slot needs a passphrase").hint("--password-file FILE")
    })?;
    let (new, root) = (new_slot(run, &label), &account.unlocked.root);
    if job.in_vault {
        let slot = Slot::passphrase(root, account.row.id, &passphrase, Argon::default(), &new)?;
        let text = slot.to_json()?;
        return change_vault_slots(&account, |slots| {
            slots.push(text.clone());
            Ok(slot_row(&slot, true))
        });
    }
    key_file::change(run, &account.unlocked.found.path, |file| {
        Ok(slot_row(file.add_passphrase(root, &passphrase, Argon::default(), &new)?, false))
    })
}

/// Changes the slots in the vault as they are now. One who changes them at the same moment is not overruled: it is done
/// again, on what there is then.
fn change_vault_slots<T>(account: &Account, change: impl Fn(&mut Vec<String>) -> Result<T>) -> Result<T> {
    let mut sent: Option<(Vec<String>, T)> = None;
    for left in (0..SLOT_TRIES_MAX).rev() {
        let mut slots = account.row_now()?.slots;
        // Of an answer that was lost the try before may stand.
        if let Some((_, done)) = sent.take().filter(|(sent, _)| *sent == slots) {
            return Ok(done);
        }
        let was = Some(slots_mark(&slots).to_vec());
        let done = change(&mut slots)?;
        match account.remote.ask::<()>(&Request::SetSlots(SetSlots { slots: slots.clone(), was })) {
            Err(fault) if fault.code == Code::SourceBusy && left > 0 => sent = Some((slots, done)),
            told => return told.map(|()| done),
        }
    }
    Err(Fault::new(Code::SourceBusy, "the slots in the vault are changed all the time")
        .hint("run the same command again"))
}

/// Removes a slot, of the key file or of the vault.
pub fn remove(run: &Run, id: &str) -> Result<KeyRow> {
    let account = Account::open(run)?;
    let none = || {
        Fault::new(Code::PathNone, format!("there is no slot {}", for_terminal(id.as_bytes()))).hint("tuckbox key list")
    };
    let named = |text: &String| Slot::from_json(text).is_ok_and(|slot| slot.id() == id);
    if account.row.slots.iter().any(named) {
        return change_vault_slots(&account, |slots| {
            let at = slots.iter().position(named).ok_or_else(none)?;
            Ok(slot_row(&Slot::from_json(&slots.remove(at))?, true))
        });
    }
    key_file::change(run, &account.unlocked.found.path, |file| {
        let slot = file.slots().iter().find(|slot| slot.id() == id);
        let row = slot.map(|slot| slot_row(slot, false)).ok_or_else(none)?;
        if file.slots().len() == 1 {
            return Err(Fault::new(
                Code::PolicyConfirm,
                "the last slot of a key file is not removed: nothing could open it then",
            )
            .hint("add another first: tuckbox key add"));
        }
        file.remove(id)?;
        Ok(row)
    })
}

/// Changes the passphrase of the key file. From then on this is its only slot: whoever changes a passphrase wants none of
/// the old ways to open it any more, those that were made while it was typed in neither.
pub fn passwd(run: &Run) -> Result<Rewrapped> {
    let account = Account::open(run)?;
    let passphrase = run.person.new_passphrase("the key", true)?;
    let (new, root) = (new_slot(run, "passphrase"), &account.unlocked.root);
    key_file::change(run, &account.unlocked.found.path, |file| {
        let old: Vec<String> = file.slots().iter().map(|slot| slot.id().to_owned()).collect();
        let row = match &passphrase {
            Some(passphrase) => slot_row(file.add_passphrase(root, passphrase, Argon::default(), &new)?, false),
            None => slot_row(file.add_open(root, &new)?, false),
        };
        for id in &old {
            file.remove(id)?;
        }
        Ok(Rewrapped { slot: row, removed: old.len() })
    })
}

/// The key file as it is.
pub fn export(run: &Run) -> Result<Zeroizing<Vec<u8>>> {
    let info = list(run)?;
    crate::plain_file::read(&info.file, KEY_FILE_BYTES_MAX)
        .map(Zeroizing::new)
        .map_err(|error| cannot("read", &info.file, &error))
}

/// The recovery words.
pub fn words(run: &Run) -> Result<KeyWords> {
    let account = Account::open(run)?;
    let words = account.unlocked.root.words()?;
    account.change_state(|state| state.words_shown = true)?;
    Ok(KeyWords { account: account.row.name.clone(), vault: address(run), vault_id: account.vault.hex(), words })
}

/// Makes a key file on this machine from the recovery words, or from a passphrase slot kept in the vault, for the account
/// that they fit, and a certified device key.
pub fn recover(run: &Run) -> Result<Made> {
    let connector = std::sync::Arc::new(Connector::new(run)?);
    let remote = connector.connect()?;
    let rows: Vec<AccountRow> = remote.ask(&Request::Accounts(Accounts {}))?;
    let (row, root) = match run.person.words() {
        Ok(words) if words.trim().is_empty() => from_slots(run, &rows)?,
        Ok(words) => from_words(run, &words, &rows)?,
        Err(nobody) => from_slots(run, &rows).map_err(|fault| if has_slots(run, &rows) { fault } else { nobody })?,
    };
    let opened: transport::message::Opened = remote.ask(&Request::Open(transport::message::Open {
        account: Some(row.name.clone()),
        keys: vec![root.key_check()],
        after: u64::MAX,
        client: String::new(),
    }))?;
    let file = KeyFile::new(opened.vault, row.domain, row.id, row.name.as_str(), &root);
    let path = key_path(run, &row.name, opened.vault);
    key_file::check_place(&path, &file)?;
    let passphrase = run.person.new_passphrase("the key on this machine", true)?;
    let (file, protected) = make_key(run, file, &root, passphrase.as_deref().map(Vec::as_slice))?;
    key_file::hold(run)?.renew(run, &path, &file)?;
    remote.close()?;
    let mut run = run.clone();
    run.place.account = Some(row.name.clone());
    run.place.key_file = Some(path.clone());
    if let Some(passphrase) = passphrase {
        run.person = std::sync::Arc::new(super::ask_once::Knowing::passphrase(run.person, passphrase));
    }
    let account = Account::open_on(&run, connector)?;
    // The words were just typed in: they exist.
    account.change_state(|state| state.words_shown = true)?;
    let used_before = super::init::remember(&run, opened.vault, row)?;
    // A new machine knows no history but from a pin in a second place.
    account.may_write()?;
    account.device()?;
    Ok(Made {
        key_made: true,
        vault: run.place.vault.clone(),
        vault_id: opened.vault.hex(),
        account: row.name.clone(),
        account_id: row.id.hex(),
        key_file: shown(&path),
        key_protected: protected,
        used_before,
        ..Made::default()
    })
}

/// The account that these words fit; the one that was named, when one was.
fn from_words<'r>(run: &Run, words: &str, rows: &'r [AccountRow]) -> Result<(&'r AccountRow, RootSecret)> {
    let root = RootSecret::from_words(words).map_err(|error| match error {
        store::Error::Key(KeyError::Words) => wrong_words(words),
        other => other.into(),
    })?;
    let fits = |row: &&AccountRow| row.key_check == Some(root.key_check());
    let row = rows.iter().find(fits).ok_or_else(|| {
        Fault::new(Code::KeyOtherAccount, "these words are good, but of no account in this vault")
            .hint("check the vault's address: --vault ADDRESS")
    })?;
    match run.place.account.as_ref().filter(|name| **name != row.name && !is_number(name, row.number)) {
        None => Ok((row, root)),
        Some(named) => {
            let (named, name) = (for_terminal(named.as_bytes()), for_terminal(row.name.as_bytes()));
            Err(Fault::new(Code::KeyOtherAccount, format!("these words are those of {name}, and not of {named}"))
                .hint(format!("tuckbox key recover --account {}", quoted(row.name.as_bytes()))))
        }
    }
}

/// Whether an account is named by its number, as `0x7`.
fn is_number(name: &str, number: u32) -> bool {
    name.strip_prefix("0x").is_some_and(|hex| u32::from_str_radix(hex, 16) == Ok(number))
}

/// What is wrong with words that were typed. No word is repeated but the one that is meant in the place of a wrong one.
fn wrong_words(words: &str) -> Fault {
    let why = match RootSecret::wrong_words(words) {
        WrongWords::Count(count) => format!("these are {}, and there are 24", counted(count as u64, "word", "words")),
        WrongWords::Unknown { place, near } => {
            let meant = near.map(|near| format!("; did you mean {near}?")).unwrap_or_default();
            format!("word {place} is none of the list{meant}")
        }
        WrongWords::Sum => {
            "each word is of the list, but together they do not fit: one is wrong, or two are swapped".into()
        }
    };
    Fault::new(Code::KeyWords, why).hint("check each word against your sheet; order matters")
}

/// Accounts whose slots in the vault may be tried: the one that is named, else all.
fn with_slots<'r>(run: &Run, rows: &'r [AccountRow]) -> Vec<&'r AccountRow> {
    let named = |row: &&AccountRow| run.place.account.as_ref().is_none_or(|name| *name == row.name);
    rows.iter().filter(named).filter(|row| !row.slots.is_empty()).collect()
}

fn has_slots(run: &Run, rows: &[AccountRow]) -> bool {
    !with_slots(run, rows).is_empty()
}

/// The account whose slot in the vault opens with a passphrase. What a slot gives is believed only when it has the
/// account's key-check value.
fn from_slots<'r>(run: &Run, rows: &'r [AccountRow]) -> Result<(&'r AccountRow, RootSecret)> {
    let candidates = with_slots(run, rows);
    if candidates.is_empty() {
        return Err(Fault::new(Code::KeyNone, "the vault keeps no passphrase slot for this account")
            .hint("use the 24 words: tuckbox key recover"));
    }
    for attempt in 0..ATTEMPTS {
        let passphrase = run.person.passphrase("the key kept in the vault", attempt)?;
        for row in &candidates {
            for text in &row.slots {
                let opened = Slot::from_json(text).and_then(|slot| slot.unlock(row.id, Some(&passphrase)));
                if let Some(root) = opened.ok().filter(|root| row.key_check == Some(root.key_check())) {
                    return Ok((row, root));
                }
            }
        }
    }
    Err(KeyError::Passphrase.into_fault())
}

/// Where the account's history ends, after it was compared with what is known here.
pub fn pin(run: &Run) -> Result<PinRow> {
    let account = Account::open(run)?;
    // A pin of a history that is not the one would only confirm it.
    if let Some(suspicion) = &account.suspicion {
        return Err(suspicion.clone());
    }
    account.may_read();
    let head = account.head().ok_or_else(|| {
        Fault::new(Code::AccountNone, format!("the account {} has no history yet", harmless_line(&account.row.name)))
            .hint("tuckbox init")
    })?;
    let pin = Pin::of(head);
    let (name, vault) = (account.row.name.clone(), account.vault.hex());
    account.remote.close()?;
    Ok(PinRow { account: name, vault_id: vault, pin })
}

/// Adds a sealing key: a new keyring, committed as a key link.
pub fn rotate(run: &Run) -> Result<Rotated> {
    let account = Account::open(run)?;
    account.may_write()?;
    let mut keyring = (*account.keyring).clone();
    keyring.rotate(&*run.chance)?;
    let body = keyring_body(&account.unlocked.root, &account.row, &keyring, run)?;
    let device = account.device()?;
    let link = account.append(&device, LinkKind::Key, &body)?;
    Ok(Rotated { key_id: keyring.current(), sequence: link.link().sequence })
}

/// The body of a key link.
pub fn keyring_body(root: &RootSecret, row: &AccountRow, keyring: &store::seal::Keyring, run: &Run) -> Result<Record> {
    Ok(root.kek().seal_keyring(row.domain, row.id, keyring, &*run.chance)?)
}

/// Seals and opens for an account whose keyring is at hand.
pub fn sealer(run: &Run, row: &AccountRow, root: &RootSecret, keyring: &store::seal::Keyring) -> (AccountKeys, Sealer) {
    let keys = AccountKeys::derive(root);
    let sealer = Sealer::new(row.domain, row.id, &keys, keyring, std::sync::Arc::clone(&run.chance));
    (keys, sealer)
}
