//! Makes what is missing of vault, account and key. Any step may be cut off; the same command again goes on.

use std::sync::Arc;

use store::chain::{Certificate, LinkKind, ReceivedLink, Verifier, seal_device_body};
use store::id::{ChainHash, VaultId};
use store::record::Record;
use store::seal::{DeviceKey, KeyFile, Keyring, RootSecret};
use transport::message::{
    self, AccountRow, Begin, Bind, Commit, Init, Links, LinksReply, Made as ServerMade, Outcome, Request, SetSlots, Up,
    UpReply,
};
use transport::{Call, Class};

use super::connect::Connector;
use super::job::{InitJob, Made, Run};
use super::keys::{key_checks, key_path, keyring_body, make_key, read_key, sealer, unlock_file, write_key};
use super::remote::Remote;
use super::state::{StateDir, VaultState};
use super::trouble::protocol;
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
    let made: ServerMade = remote.ask(&Request::Init(Init { name: name.clone() }))?;
    let files = key_checks(run)?;
    let mine = files.iter().find(|found| found.file.account == made.account.id);
    let (root, path, protected, key_made) = match (mine, made.account.key_check) {
        (Some(found), check) => {
            let root = unlock_file(run, &found.file, &name)?;
            if check.is_some_and(|check| check != root.key_check()) {
                return Err(bound(&made.account));
            }
            (root, found.path.clone(), found.file.needs_passphrase(), false)
        }
        (None, Some(_)) => return Err(bound(&made.account)),
        (None, None) => new_key(run, job, &made, &remote)?,
    };
    if made.account.key_check.is_none() {
        let bind = Bind { identity: root.identity_public().to_vec(), key_check: root.key_check() };
        remote.ask::<()>(&Request::Bind(bind))?;
    }
    begin_chain(run, &remote, made.vault, &made.account, &root)?;
    remember(run, made.vault, &made.account.name)?;
    remote.close()?;
    Ok(Made {
        vault_made: made.made_vault,
        account_made: made.made_account,
        key_made,
        vault: run.place.vault.clone(),
        vault_id: made.vault.hex(),
        account: made.account.name.clone(),
        account_id: made.account.id.hex(),
        key_file: for_terminal(path.as_os_str().as_encoded_bytes()),
        key_protected: protected,
    })
}

fn bound(row: &AccountRow) -> Fault {
    let name = for_terminal(row.name.as_bytes());
    Fault::new(Code::AccountBound, format!("the account {name} has a key, and it is not on this machine"))
        .hint("with its 24 words: tuckbox key recover; or choose another name: tuckbox init --account NAME")
}

/// A new root secret in a new key file, written before the vault hears of it.
fn new_key(
    run: &Run,
    job: &InitJob,
    made: &ServerMade,
    remote: &Remote,
) -> Result<(RootSecret, std::path::PathBuf, bool, bool)> {
    let row = &made.account;
    let path = key_path(run, &row.name, made.vault);
    if let Some(found) = read_key(&path)? {
        return Err(Fault::new(
            Code::KeyOtherAccount,
            format!(
                "{} holds the key of another account ({})",
                for_terminal(path.as_os_str().as_encoded_bytes()),
                for_terminal(found.file.account_name.as_bytes())
            ),
        )
        .hint("name another file: --key FILE"));
    }
    let root = RootSecret::generate(&*run.chance);
    let passphrase =
        run.person.new_passphrase(&format!("the key of {}", for_terminal(row.name.as_bytes())), !job.slot_in_vault)?;
    let file = KeyFile::new(made.vault, row.domain, row.id, row.name.as_str(), &root);
    let (file, protected) = make_key(run, file, &root, passphrase.as_deref().map(Vec::as_slice))?;
    write_key(&path, &file)?;
    if job.slot_in_vault {
        let slots = file.slots().iter().map(store::seal::keyfile::Slot::to_json).collect::<store::Result<Vec<_>>>()?;
        remote.ask::<()>(&Request::SetSlots(SetSlots { slots }))?;
    }
    Ok((root, path, protected, true))
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
    if let Some(seen) = state.account(vault, row.id)?.head() {
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
                return Err(Fault::new(Code::SourceBusy, "another client sets up this account now")
                    .hint("run the same command again"));
            }
            UpReply::Ack(_) | UpReply::Begun(_) | UpReply::HandedOver(_) => {}
        }
    }
}

/// Remembers which account this machine uses in a vault.
pub fn remember(run: &Run, vault: VaultId, account: &str) -> Result<()> {
    let address = super::connect::address(run);
    StateDir::new(run.folders.state.clone()).set_vault(vault, &VaultState { account: account.to_owned(), address })
}

/// The default vault, account and key for a first backup.
pub fn automatic(run: &Run) -> Result<Made> {
    let mut run = run.clone();
    run.person = Arc::new(super::ask_once::Knowing::none_wanted(run.person));
    init(&run, &InitJob::default())
}
