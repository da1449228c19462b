//! Makes what is missing of vault, account and key. Any step may be cut off; the same command again goes on.

use std::path::Path;
use std::sync::Arc;

use store::chain::{Certificate, LinkKind, ReceivedLink, Verifier, seal_device_body};
use store::error::KeyError;
use store::id::{ChainHash, VaultId};
use store::record::Record;
use store::seal::keyfile::{Kind, Slot};
use store::seal::{DeviceKey, KeyFile, Keyring, RootSecret};
use store::vault::slots_mark;
use transport::message::{
    self, AccountRow, Begin, Bind, Commit, Init, Links, LinksReply, Made as ServerMade, Outcome, Request, SetSlots, Up,
    UpReply,
};
use transport::{Call, Class};

use super::connect::Connector;
use super::job::{InitJob, Made, Passphrase, Run, Used};
use super::key_file::{Found, Held, hold, key_checks, key_path, of_another, read_key};
use super::keys::{keyring_body, make_key, sealer, unlock_file};
use super::remote::Remote;
use super::state::{StateDir, VaultState};
use super::trouble::protocol;
use crate::event::Event;
use crate::fault::{Code, Fault, Result};
use crate::name::for_terminal;

/// Makes whatever is missing: vault, account, key. What is there stays as it is; an account that has a key already
/// is refused unless its key is on this machine.
pub fn init(run: &Run, job: &InitJob) -> Result<Made> {
    let connector = Connector::new(run)?;
    let remote = connector.connect()?;
    // Only frozen requests may ride with the greeting, and this one changes something.
    remote.peer()?;
    let name = run.place.account.clone().unwrap_or_else(|| run.host.clone());
    let made: ServerMade =
        remote.ask(&Request::Init(Init { name: name.clone() })).map_err(|fault| placed(run, fault))?;
    let mut key = match (own_key(&key_checks(run)?, &made.account), made.account.key_check) {
        (Some(found), _) => Key::there(run, found, &name)?,
        (None, Some(_)) => return Err(bound(&made.account)),
        (None, None) => new_key(run, job, &made)?,
    };
    // From here to the beginning of the chain no other process of this machine does the same.
    let mut held = hold(run)?;
    if key.made && !held.create(&key.found.path, &key.found.file)? {
        drop(held);
        key = key.of_who_was_quicker(run, &made.account)?;
        held = hold(run)?;
    }
    if made.account.key_check.is_none() {
        bind(&remote, &held, &key)?;
    }
    if job.slot_in_vault && made.account.slots.is_empty() {
        keep_slots(&remote, &made.account, &key.found.file)?;
    }
    begin_chain(run, &remote, made.vault, &made.account, &key.root)?;
    drop(held);
    let used_before = remember(run, made.vault, &made.account)?;
    remote.close()?;
    Ok(Made {
        vault_made: made.made_vault,
        account_made: made.made_account,
        key_made: key.made,
        vault: run.place.vault.clone(),
        vault_id: made.vault.hex(),
        account: made.account.name.clone(),
        account_id: made.account.id.hex(),
        key_file: for_terminal(key.found.path.as_os_str().as_encoded_bytes()),
        key_protected: key.found.file.needs_passphrase(),
        used_before,
    })
}

/// The server names no places; which one it is, is known here.
fn placed(run: &Run, fault: Fault) -> Fault {
    if fault.message != crate::serve::open::NO_RIGHT {
        return fault;
    }
    let message = fault.message.replacen("the vault", &for_terminal(super::connect::address(run).as_bytes()), 1);
    Fault { message, ..fault }
}

fn bound(row: &AccountRow) -> Fault {
    let name = for_terminal(row.name.as_bytes());
    Fault::new(Code::AccountBound, format!("the account {name} has a key, and it is not on this machine"))
        .hint("with its 24 words: tuckbox key recover; or choose another name: tuckbox init --account NAME")
}

/// The key of this run's account.
struct Key {
    root: RootSecret,
    found: Found,
    /// A passphrase that was just typed for it.
    typed: Option<Passphrase>,
    /// It is new.
    made: bool,
}

impl Key {
    /// In a key file that is there.
    fn there(run: &Run, found: &Found, name: &str) -> Result<Self> {
        let root = unlock_file(run, &found.file, &for_terminal(name.as_bytes()))?;
        if root.key_check() != found.file.key_check() {
            return Err(store::Error::Key(KeyError::OtherAccount).into());
        }
        Ok(Self { root, found: found.clone(), typed: None, made: false })
    }

    /// Another process made the key file while a person was asked: it is that account's key, or in the way.
    fn of_who_was_quicker(self, run: &Run, row: &AccountRow) -> Result<Self> {
        let Some(found) = read_key(&self.found.path)? else {
            return Err(busy());
        };
        if found.file.account != row.id {
            return Err(of_another(&found));
        }
        let shown = for_terminal(found.path.as_os_str().as_encoded_bytes());
        run.watcher.event(&Event::Note(&format!("{shown} was made by another run meanwhile: that key is used")));
        let mut run = run.clone();
        if let Some(typed) = self.typed {
            run.person = Arc::new(super::ask_once::Knowing::passphrase(run.person, typed));
        }
        Self::there(&run, &found, &row.name)
    }
}

/// The key file of an account: the one whose key it is bound to, or of an account without a key the one that was made
/// for it.
fn own_key<'f>(files: &'f [Found], row: &AccountRow) -> Option<&'f Found> {
    let fits = |found: &&Found| row.key_check.is_none_or(|check| check == found.file.key_check());
    files.iter().filter(|found| found.file.account == row.id).find(fits)
}

/// A new root secret and what will be in its key file. Nothing is written yet.
fn new_key(run: &Run, job: &InitJob, made: &ServerMade) -> Result<Key> {
    let row = &made.account;
    let mut path = key_path(run, &row.name, made.vault);
    let in_the_way = |path: &Path| Ok::<_, Fault>(read_key(path)?.filter(|found| found.file.account != row.id));
    if let Some(found) = in_the_way(&path)? {
        if found.file.account_name != row.name || run.place.key_file.is_some() {
            return Err(of_another(&found));
        }
        // That of an account which had this name and went, or has another one now. Its key stays where it is.
        path.set_extension(format!("{}.key", row.id.hex().chars().take(8).collect::<String>()));
        if let Some(found) = in_the_way(&path)? {
            return Err(of_another(&found));
        }
    }
    let root = RootSecret::generate(&*run.chance);
    let typed =
        run.person.new_passphrase(&format!("the key of {}", for_terminal(row.name.as_bytes())), !job.slot_in_vault)?;
    let file = KeyFile::new(made.vault, row.domain, row.id, row.name.as_str(), &root);
    let (file, _) = make_key(run, file, &root, typed.as_deref().map(Vec::as_slice))?;
    Ok(Key { root, found: Found { path, file }, typed, made: true })
}

/// Binds the account to a key that is in its file already, and sees to it that it stays there.
fn bind(remote: &Remote, held: &Held, key: &Key) -> Result<()> {
    let Found { path, file } = &key.found;
    let bind = Bind { identity: key.root.identity_public().to_vec(), key_check: key.root.key_check() };
    match remote.ask::<()>(&Request::Bind(bind)) {
        Ok(()) if key.made => Ok(()),
        // Whoever made the file may have removed it before this run had the lock.
        Ok(()) => held.create(path, file).map(drop),
        Err(fault) if fault.code == Code::AccountBound && key.made => {
            held.remove_own(path, file)?;
            Err(fault)
        }
        Err(fault) => Err(fault),
    }
}

/// Keeps the key's passphrase slots in the vault, too.
fn keep_slots(remote: &Remote, row: &AccountRow, file: &KeyFile) -> Result<()> {
    let wrapped = file.slots().iter().filter(|slot| slot.kind() == Kind::Passphrase);
    let slots = wrapped.map(Slot::to_json).collect::<store::Result<Vec<_>>>()?;
    if slots.is_empty() {
        return Err(Fault::new(Code::KeyPassphraseNeeded, "only what a passphrase opens is kept in the vault")
            .hint("tuckbox key add --in-vault"));
    }
    remote.ask(&Request::SetSlots(SetSlots { slots, was: Some(slots_mark(&row.slots).to_vec()) }))
}

fn busy() -> Fault {
    Fault::new(Code::SourceBusy, "another client sets up this account now").hint("run the same command again")
}

/// The first two links of an account: this device, and the keyring. What is there already is left as it is.
fn begin_chain(run: &Run, remote: &Remote, vault: VaultId, row: &AccountRow, root: &RootSecret) -> Result<()> {
    let reply: LinksReply = remote.ask(&Request::Links(Links { after: 0, most: 2 }))?;
    let links = super::history::decode_links(reply.links.iter().map(|link| link.as_slice()))?;
    if links.len() >= 2 {
        return Ok(());
    }
    let state = StateDir::new(run.folders.state.clone());
    // A second beginning would have another keyring, and nothing of before could be read with it.
    let elsewhere = state.seen_elsewhere(vault, row.id).into_iter().map(|(_, head)| head);
    if let Some(seen) = state.account(vault, row.id)?.head().or_else(|| elsewhere.max_by_key(|head| head.sequence)) {
        let count = links.len();
        return Err(Fault::new(
            Code::HistoryRollback,
            format!("link {} of this account is known here, and the vault shows {count}", seen.sequence),
        )
        .hint("ask the server's administrator: the vault has lost the beginning of this account's history"));
    }
    let device = match state.device(row.id)? {
        Some(device) => device,
        None => {
            let device = DeviceKey::generate(&*run.chance);
            state.set_device(row.id, &device)?;
            device
        }
    };
    let keyring = Keyring::generate(&*run.chance);
    let (keys, sealer) = sealer(run, row, root, &keyring);
    let certificate = keys.certify(row.id, device.id(), device.public(), Certificate::ALL_ROLES, 0);
    let device_body = seal_device_body(&sealer, &certificate, &run.host)?;
    let key_body = keyring_body(root, row, &keyring, run)?;
    let call =
        remote.call(Class::Interactive, &Request::Upload(Begin::default())).map_err(|error| remote.explain(&error))?;
    let UpReply::Begun(_) = remote.reply(&call)? else { return Err(protocol("a session does not begin")) };
    let mut previous = links.first().map(ReceivedLink::chain_hash);
    let mut verifier = Verifier::new(row.id, root.identity_public());
    let bodies = [(LinkKind::Device, device_body), (LinkKind::Key, key_body)];
    for ((kind, body), sequence) in bodies.iter().zip(1_u64..).skip(links.len()) {
        let link = store::chain::Link {
            kind: *kind,
            account: row.id,
            sequence,
            previous: previous.unwrap_or(ChainHash::ZERO),
            body: store::chain::body_hash(body),
            device: device.id(),
            marker: 0,
            taken_at: run.clock.now_ms(),
        };
        let received = commit(remote, &call, &link.sign(&device), body)?;
        if links.is_empty() {
            verifier.push(&received, Some(body))?;
        }
        previous = Some(received.chain_hash());
    }
    // Both links stand, whatever becomes of the call.
    drop(call.end());
    Ok(())
}

fn commit(remote: &Remote, call: &Call, signed: &store::chain::SignedLink, body: &Record) -> Result<ReceivedLink> {
    let mut bytes = Vec::new();
    body.encode(&mut bytes);
    let up = Up::Commit(Commit { link: signed.bytes().to_vec(), body: Some(bytes), holes: None });
    call.send_message(message::encode(&up)).map_err(|error| remote.explain(&error))?;
    loop {
        match remote.reply(call)? {
            UpReply::Outcome(Outcome::Committed(committed)) => return Ok(ReceivedLink::decode(&committed.link)?),
            UpReply::Outcome(_) => {
                return Err(busy());
            }
            UpReply::Ack(_) | UpReply::Begun(_) | UpReply::HandedOver(_) => {}
        }
    }
}

/// Remembers which account this machine uses in a vault, and that this vault is the one it uses. Gives what it used before
/// when that was something else.
pub fn remember(run: &Run, vault: VaultId, row: &AccountRow) -> Result<Option<Used>> {
    let (address, state) = (super::connect::address(run), StateDir::new(run.folders.state.clone()));
    let before = state.last_vault();
    let here = state.vault_at(&address).map(|here| here.account);
    let (account, account_id) = (row.name.clone(), Some(row.id.hex()));
    state.set_vault(vault, &VaultState { account: account.clone(), account_id, address: address.clone() })?;
    let other = before.filter(|before| before.address != address || before.account != account);
    let other = other.map(|before| Used { vault: before.address, account: before.account });
    // The vault that is used stays the same one, and in it another account was.
    Ok(other.or_else(|| here.filter(|here| *here != account).map(|account| Used { vault: address, account })))
}

/// The default vault, account and key for a first backup.
pub fn automatic(run: &Run) -> Result<Made> {
    let mut run = run.clone();
    run.person = Arc::new(super::ask_once::Knowing::none_wanted(run.person));
    init(&run, &InitJob::default())
}
