//! An account, open: connected, unlocked, its chain verified.

use std::sync::{Arc, Mutex};

use store::chain::{Certificate, Head, Link, LinkKind, ReceivedLink, SignedLink, body_hash, seal_device_body};
use store::id::{AccountId, BodyHash, ChainHash, DomainId, VaultId};
use store::record::Record;
use store::seal::{AccountKeys, DeviceKey, Keyring, RootSecret, Sealer};
use transport::message::{AccountRow, Begin, Commit, Open, Opened, Outcome, Request, Up, UpReply, encode};
use transport::{Class, Client, Rates};

use super::cache::{NodeCache, Wish, nodes_dir};
use super::connect::{Connector, address};
use super::history::{Cached, History, decode_links};
use super::job::Run;
use super::keys::{Unlocked, key_checks, unlock};
use super::opened::OpenedBodies;
use super::patience::Again;
use super::pin::{Elsewhere, Pin, PinFile};
use super::queue::lock;
use super::remote::Remote;
use super::retention::Fates;
use super::state::{AccountState, StateDir};
use super::trouble::protocol;
use super::under::fetch;
use crate::event::{Event, Phase};
use crate::fault::{Code, Fault, Result};
use crate::profile;
use crate::timetable::words as rates_in_words;

/// Questions until the right account's state was read first: one for the guess, one for the answer, one to spare.
const GUESSES_MAX: usize = 3;
/// Times that a commit is signed again because another link came first.
const CONFLICTS_MAX: u32 = 20;

/// A body about to be committed.
pub struct Made {
    /// Its record.
    pub body: Record,
    /// Whether it names another root than the version before: the marker rises then.
    pub root_changed: bool,
}

/// What this machine knows of an account before the server is asked.
struct Known {
    vault: VaultId,
    account: AccountId,
    state: AccountState,
    cached: Cached,
    pin_file: Option<PinFile>,
    elsewhere: Vec<Elsewhere>,
}

impl Known {
    fn read(run: &Run, state_dir: &StateDir, vault: VaultId, account: AccountId) -> Result<Self> {
        let state = state_dir.account(vault, account)?;
        let cached = Cached::read(links_dir(run, vault, account), state.head());
        let pin_file = run.place.pin_file.clone().map(|file| PinFile::new(file, vault, account));
        let elsewhere = Elsewhere::of(state_dir, pin_file.as_ref(), vault, account);
        Ok(Self { vault, account, state, cached, pin_file, elsewhere })
    }
}

/// An account, open.
pub struct Account {
    /// What the verb was given.
    pub run: Run,
    /// Makes connections.
    pub connector: Arc<Connector>,
    /// The connection.
    pub remote: Remote,
    /// The vault.
    pub vault: VaultId,
    /// What the server knows of the account.
    pub row: AccountRow,
    /// The server's clock minus ours, ms.
    pub clock_ahead_ms: i64,
    /// Bytes free on the vault's disk.
    pub free_bytes: Option<u64>,
    /// Something that versions need is damaged or gone in the vault; names the list of it.
    pub wanted: Option<u64>,
    /// Volumes of the vault that are not there.
    pub absent_volumes: Option<Vec<u32>>,
    /// Keys that compute ids.
    pub keys: Arc<AccountKeys>,
    /// Keys that seal.
    pub keyring: Arc<Keyring>,
    /// Seals and opens.
    pub sealer: Sealer,
    /// The way to the root secret, for verbs that change keys.
    pub unlocked: Unlocked,
    pub(super) history: Arc<Mutex<History>>,
    /// Bodies of versions that were opened; those of a kept account outlive this.
    pub(super) opened: Arc<OpenedBodies>,
    /// What becomes of versions, as it was when it was asked first.
    pub(super) fates: Arc<Mutex<Option<Arc<Fates>>>>,
    pub(super) state: Arc<Mutex<AccountState>>,
    pub(super) state_dir: StateDir,
    /// Where the pin is kept besides.
    pub(super) pin_file: Option<PinFile>,
    /// The vault shows less or something else than it once showed.
    pub suspicion: Option<Fault>,
}

impl Account {
    /// Connects, finds the account, unlocks its key, verifies its chain.
    pub fn open(run: &Run) -> Result<Self> {
        let held = run.kept.as_deref().and_then(|kept| kept.connector(&run.place));
        let account = match run.throttle {
            Some(_) => Self::open_throttled(run, held.as_deref())?,
            None => Self::open_on(run, held.map_or_else(|| Connector::new(run).map(Arc::new), Ok)?)?,
        };
        run.profile.phase(profile::Phase::Work);
        Ok(account)
    }

    /// The same on a connector that is there. A connection that is [kept](super::kept) is used again; its loss shows
    /// only as the time that a new one takes.
    pub fn open_on(run: &Run, connector: Arc<Connector>) -> Result<Self> {
        run.watcher.event(&Event::Phase(Phase::Connect));
        run.profile.phase(profile::Phase::Connect);
        let Some(kept) = &run.kept else {
            let remote = connector.connect()?;
            return Self::open_over(run, connector, remote, None);
        };
        if let Some((remote, unlocked)) = kept.line(&run.place) {
            match Self::open_over(run, Arc::clone(&connector), remote, Some(unlocked)) {
                Err(fault) if super::remote::is_loss(&fault) && !run.stop.asked() => kept.forget(),
                other => return other,
            }
        }
        let remote = connector.connect()?;
        let account = Self::open_over(run, connector, remote.borrowed(), kept.unlocked(&run.place))?;
        kept.hold(&account, remote);
        Ok(account)
    }

    /// The same over a connection that is up; with a key that was unlocked before, when it fits.
    pub(super) fn open_over(
        run: &Run,
        connector: Arc<Connector>,
        remote: Remote,
        unlocked: Option<Unlocked>,
    ) -> Result<Self> {
        let state_dir = StateDir::new(run.folders.state.clone());
        let files = key_checks(run)?;
        // What is known here is read before the server is asked: another process of ours may commit at any moment, and
        // a newer pin beside an older answer would look like a rollback. A wrong guess costs one more question.
        let known = |vault, account| Known::read(run, &state_dir, vault, account);
        let guesses = files.iter().map(|found| known(found.file.vault, found.file.account));
        let mut guess = guesses.collect::<Result<Vec<_>>>()?.into_iter().find(|known| known.state.head().is_some());
        for _ in 0..GUESSES_MAX {
            let after = guess.as_ref().map_or(0, |known| known.cached.newest());
            let opened: Opened = remote.ask(&Request::Open(open_request(run, &files, after)))?;
            let (vault, account) = (opened.vault, opened.account.id);
            if let Some(known) = guess.take_if(|known| known.vault == vault && known.account == account) {
                run.profile.phase(profile::Phase::Unlock);
                let fits = |held: &Unlocked| opened.account.key_check == Some(held.root.key_check());
                let unlocked = match unlocked.filter(fits) {
                    Some(unlocked) => unlocked,
                    None => unlock(run, &files, vault, &opened.account)?,
                };
                return Self::verify(run, connector, remote, opened, unlocked, state_dir, known);
            }
            guess = Some(known(vault, account)?);
        }
        Err(protocol("another account is opened each time"))
    }

    fn verify(
        run: &Run,
        connector: Arc<Connector>,
        remote: Remote,
        opened: Opened,
        unlocked: Unlocked,
        state_dir: StateDir,
        known: Known,
    ) -> Result<Self> {
        let Known { state, cached, pin_file, elsewhere, .. } = known;
        let row = opened.account;
        if let Some(rates) = rates_in_words(Rates { up: opened.up_rate, down: opened.down_rate }) {
            run.watcher.event(&Event::Detail(&format!("the server keeps this account to {rates}")));
        }
        let identity = unlocked.root.identity_public();
        let given = opened.bodies.iter().map(|body| Record::decode(body)).collect::<store::Result<Vec<_>>>()?;
        let new = decode_links(opened.links.iter().map(|link| link.as_slice()))?;
        let pin = state.head();
        let shown = opened.head.map_or(0, |head| head.sequence);
        // Of the same length it may still be another one, and then no link comes that would show it.
        let other = opened
            .head
            .is_some_and(|head| cached.head().is_some_and(|(n, chain)| n == head.sequence && chain != head.chain));
        let behind = shown < cached.newest() || other;
        let joined =
            if behind { None } else { Some(History::join(cached, &remote, row.id, identity, pin, new, given)) };
        let mut history = match joined {
            Some(Ok(history)) => history,
            Some(Err(fault)) if fault.code != Code::HistoryGap => return Err(fault),
            // Shorter than what is known here, or another history: read all of it, then say which.
            _ => {
                let nothing = Cached::read(links_dir(run, opened.vault, row.id).join("other"), None);
                History::join(nothing, &remote, row.id, identity, None, Vec::new(), Vec::new())?
            }
        };
        if shown > history.sequence() {
            history.catch_up(&remote)?;
        }
        let apart = |other: &&Elsewhere| state.apart.contains(&other.vault.hex());
        let moved = || elsewhere.iter().filter(|other| !apart(other)).find_map(|one| one.against(history.links()));
        let suspicion =
            history.compare(pin).or_else(|| compare_outside(run, pin_file.as_ref(), &history)).or_else(moved);
        let keys = Arc::new(AccountKeys::derive(&unlocked.root));
        // Of a history without its beginning this machine knows better: nobody is to be sent to set the account up again.
        let keyring = open_keyring(&mut history, &remote, &row, &unlocked.root);
        let keyring = Arc::new(keyring.map_err(|fault| suspicion.clone().unwrap_or(fault))?);
        let sealer = Sealer::new(row.domain, row.id, &keys, &keyring, Arc::clone(&run.chance));
        history.keep();
        let open = opener(run, &connector, opened.vault, &row);
        remote.lasting(Again::new(open, Arc::clone(&run.clock), run.stop.clone(), connector.patience_of(run)));
        Ok(Self {
            run: run.clone(),
            connector,
            remote,
            vault: opened.vault,
            clock_ahead_ms: opened.now_ms.saturating_sub(run.clock.now_ms()),
            free_bytes: opened.free_bytes,
            wanted: opened.wanted,
            absent_volumes: opened.absent_volumes,
            row,
            keys,
            keyring,
            sealer,
            unlocked,
            history: Arc::new(Mutex::new(history)),
            opened: run.kept.as_deref().map(|kept| kept.opened(&run.place)).unwrap_or_default(),
            fates: Arc::default(),
            state: Arc::new(Mutex::new(state)),
            state_dir,
            pin_file,
            suspicion,
        })
    }

    /// Refuses to write into a vault whose history is not the one that was seen before.
    pub fn may_write(&self) -> Result<()> {
        if let Some(suspicion) = &self.suspicion {
            return Err(suspicion.clone());
        }
        lock(&self.history).verifier().check_writable().map_err(Fault::from)
    }

    /// Tells a reader about such a vault, and goes on.
    pub fn may_read(&self) {
        if let Some(suspicion) = &self.suspicion {
            self.run.watcher.event(&Event::Warning(suspicion));
        } else {
            self.pin();
        }
    }

    /// Remembers the newest link as seen.
    fn pin(&self) {
        let Some(head) = lock(&self.history).head() else { return };
        let newer = |state: &AccountState| state.head().is_none_or(|seen| seen.sequence < head.sequence);
        if newer(&lock(&self.state)) {
            let kept = self.change_state(|state| {
                if newer(state) {
                    state.set_head(head);
                }
            });
            if let Err(fault) = kept {
                self.run.watcher.event(&Event::Warning(&fault));
            }
        }
        let older = |kept: Option<Pin>| kept.is_none_or(|kept| kept.sequence < head.sequence);
        if let Some(file) = &self.pin_file
            && file.read().is_ok_and(older)
            && let Err(fault) = file.write(Pin::of(head))
        {
            self.run.watcher.event(&Event::Warning(&fault));
        }
    }

    /// Takes the history that the vault shows as the true one, when its newest link has this number.
    pub fn accept_history(&self, sequence: u64) -> Result<()> {
        let newest = lock(&self.history).sequence();
        if newest != sequence {
            return Err(Fault::new(Code::VersionNone, format!("the vault's newest link is {newest}, not {sequence}"))
                .hint(format!("look at it first (tuckbox versions), then: tuckbox check --accept-history {newest}")));
        }
        let head = lock(&self.history).head();
        // Copies of the account in other vaults that have another history go their own way from now on.
        let elsewhere = Elsewhere::of(&self.state_dir, self.pin_file.as_ref(), self.vault, self.row.id);
        let differs = |other: &&Elsewhere| other.against(lock(&self.history).links()).is_some();
        let apart: Vec<VaultId> = elsewhere.iter().filter(differs).map(|other| other.vault).collect();
        for other in &apart {
            let here = [self.vault.hex()];
            self.state_dir.change_account(*other, self.row.id, |state| state.apart.extend(here))?;
        }
        self.change_state(|state| {
            if let Some(head) = head {
                state.set_head(head);
            }
            state.apart.extend(apart.iter().map(VaultId::hex));
            state.accepted = sequence;
            state.own_roots.clear();
        })?;
        match (&self.pin_file, head) {
            (Some(file), Some(head)) => file.write(Pin::of(head)),
            _ => Ok(()),
        }
    }

    /// Changes what is remembered of this account, as it is now: another process of ours may have changed it too.
    pub fn change_state(&self, change: impl FnOnce(&mut AccountState)) -> Result<()> {
        let mut state = lock(&self.state);
        *state = self.state_dir.change_account(self.vault, self.row.id, change)?;
        Ok(())
    }

    /// What is remembered of this account.
    pub fn state(&self) -> AccountState {
        lock(&self.state).clone()
    }

    /// What the server knows of the account now.
    pub fn row_now(&self) -> Result<AccountRow> {
        let open = Open { account: Some(self.row.name.clone()), ..open_request(&self.run, &[], u64::MAX) };
        let opened: Opened = self.remote.ask(&Request::Open(open))?;
        if opened.vault != self.vault || opened.account.id != self.row.id {
            return Err(protocol("another account is opened"));
        }
        Ok(opened.account)
    }

    /// The verified chain.
    pub fn history(&self) -> std::sync::MutexGuard<'_, History> {
        lock(&self.history)
    }

    /// The newest link.
    pub fn head(&self) -> Option<Head> {
        lock(&self.history).head()
    }

    // ---- nodes --------------------------------------------------------------------------------------------------

    /// The nodes of this account, from the cache and the server.
    pub fn nodes(&self) -> NodeCache {
        self.nodes_in(nodes_dir(&self.run.folders.cache, &self.vault.hex(), &self.row.id.hex()))
    }

    /// The same with another cache.
    pub fn nodes_in(&self, dir: std::path::PathBuf) -> NodeCache {
        let remote = self.remote.clone();
        let fetch = move |wish: &Wish<'_>, visit: &mut dyn FnMut(Record) -> Result<()>| fetch(&remote, wish, visit);
        NodeCache::open(dir, self.sealer.clone(), Arc::clone(&self.run.chance), Box::new(fetch))
    }

    // ---- links --------------------------------------------------------------------------------------------------

    /// Makes further connections on which this account is open.
    pub fn opener(&self) -> Opener {
        opener(&self.run, &self.connector, self.vault, &self.row)
    }

    /// This device's key; makes and certifies one when there is none yet.
    pub fn device(&self) -> Result<DeviceKey> {
        if let Some(device) = self.state_dir.device(self.row.id)? {
            if lock(&self.history).verifier().devices().any(|certificate| certificate.device == device.id()) {
                return Ok(device);
            }
            self.introduce(&device)?;
            return Ok(device);
        }
        let device = DeviceKey::generate(&*self.run.chance);
        self.state_dir.set_device(self.row.id, &device)?;
        self.introduce(&device)?;
        Ok(device)
    }

    /// Commits a device link with a certificate of this device.
    pub fn introduce(&self, device: &DeviceKey) -> Result<()> {
        let certificate = self.keys.certify(self.row.id, device.id(), device.public(), Certificate::ALL_ROLES, 0);
        let body = seal_device_body(&self.sealer, &certificate, &self.run.host)?;
        self.append(device, LinkKind::Device, &body).map(|_| ())
    }

    /// Commits a link that is not a version, in a short session of its own.
    pub fn append(&self, device: &DeviceKey, kind: LinkKind, body: &Record) -> Result<ReceivedLink> {
        self.append_on(&self.remote, device, kind, body)
    }

    /// The same over this connection: the newest one of a backup, which may have lost the first.
    pub fn append_on(
        &self,
        remote: &Remote,
        device: &DeviceKey,
        kind: LinkKind,
        body: &Record,
    ) -> Result<ReceivedLink> {
        let call = remote
            .call(Class::Interactive, &Request::Upload(Begin::default()))
            .map_err(|error| remote.explain(&error))?;
        let UpReply::Begun(_) = remote.reply(&call)? else { return Err(protocol("a session does not begin")) };
        let make = || Ok(Made { body: body.clone(), root_changed: false });
        let committed = self.commit_with(device, kind, &make, &mut |link, body| {
            let message = encode(&Up::Commit(Commit { link, body: Some(body), holes: None }));
            call.send_message(message).map_err(|error| remote.explain(&error))?;
            loop {
                if let UpReply::Outcome(outcome) = remote.reply(&call)? {
                    return Ok(outcome);
                }
            }
        })?;
        // The commit stands, whatever becomes of the call.
        drop(call.end());
        Ok(committed)
    }

    /// Signs a link after the head and commits it, all again when another came first. `make` makes its body, `commit`
    /// sends both and waits.
    pub fn commit_with(
        &self,
        device: &DeviceKey,
        kind: LinkKind,
        make: &dyn Fn() -> Result<Made>,
        commit: &mut dyn FnMut(Vec<u8>, Vec<u8>) -> Result<Outcome>,
    ) -> Result<ReceivedLink> {
        for _ in 0..CONFLICTS_MAX {
            let Made { body, root_changed } = make()?;
            let signed = self.sign(device, kind, body_hash(&body), root_changed);
            let mut bytes = Vec::with_capacity(body.wire_len());
            body.encode(&mut bytes);
            lock(&self.history).add_body(body);
            match commit(signed.bytes().to_vec(), bytes)? {
                Outcome::Committed(committed) => {
                    let link = ReceivedLink::decode(&committed.link)?;
                    if link.signed().bytes() != signed.bytes() || link.chain_hash() != committed.chain {
                        return Err(protocol("another link was committed than the one that was signed"));
                    }
                    let mut history = lock(&self.history);
                    history.take(&self.remote, vec![link.clone()])?;
                    history.keep();
                    drop(history);
                    self.pin();
                    if let Some(kept) = &self.run.kept {
                        kept.forget_reading();
                    }
                    return Ok(link);
                }
                Outcome::Conflict(_) => lock(&self.history).catch_up(&self.remote)?,
                Outcome::Lacking { .. } => return Err(lacking()),
            }
        }
        Err(Fault::new(Code::SourceBusy, "other clients of this account commit all the time")
            .hint("run the same command again"))
    }

    fn sign(&self, device: &DeviceKey, kind: LinkKind, body: BodyHash, root_changed: bool) -> SignedLink {
        let head = lock(&self.history).head();
        Link {
            kind,
            account: self.row.id,
            sequence: head.map_or(1, |head| head.sequence + 1),
            previous: head.map_or(ChainHash::ZERO, |head| head.chain),
            body,
            device: device.id(),
            marker: head.map_or(0, |head| head.marker) + u64::from(root_changed),
            taken_at: self.run.clock.now_ms(),
        }
        .sign(device)
    }
}

/// What a pin in a second place says of this history. A place that cannot be read is told, and no reason not to go on:
/// it may be a disk that is not there today.
fn compare_outside(run: &Run, file: Option<&PinFile>, history: &History) -> Option<Fault> {
    let file = file?;
    match file.read() {
        Ok(pin) => pin?.against(history.links(), &file.name()),
        Err(fault) => {
            run.watcher.event(&Event::Warning(&fault));
            None
        }
    }
}

/// A commit that would not be whole.
pub fn lacking() -> Fault {
    Fault::new(Code::DataDamaged, "the vault lacks data that this version needs")
        .hint("run the same command again: it sends what is missing; if it stays so: tuckbox check")
}

/// Where an account's links are cached.
fn links_dir(run: &Run, vault: VaultId, account: AccountId) -> std::path::PathBuf {
    run.folders.cache.join(vault.hex()).join(account.hex())
}

/// The first question on a connection.
pub fn open_request(run: &Run, files: &[super::keys::Found], after: u64) -> Open {
    let (account, keys) = meant(run, files);
    let keys = keys.iter().map(|found| found.file.key_check()).collect();
    Open { account, keys, after, client: format!("tuckbox {} on {}", env!("CARGO_PKG_VERSION"), super::tell::node()) }
}

/// The account that is meant, and the keys that may open it. Where the keys of this machine could open several and nobody
/// says which, it is the one that was set up here: by its key, as somebody may have given it another name since.
fn meant<'k>(run: &Run, files: &'k [super::keys::Found]) -> (Option<String>, &'k [super::keys::Found]) {
    if run.place.account.is_some() || run.place.key_file.is_some() || files.len() < 2 {
        return (run.place.account.clone(), files);
    }
    let here = StateDir::new(run.folders.state.clone()).vault_at(&address(run));
    let id = here.as_ref().and_then(|here| here.account_id.as_deref());
    match files.iter().find(|found| id.is_some_and(|id| found.file.account.hex() == id)) {
        Some(own) => (None, std::slice::from_ref(own)),
        None => (here.map(|here| here.account), files),
    }
}

/// Makes connections on which an account is open.
pub type Opener = Box<dyn Fn() -> Result<Client> + Send + Sync>;

pub(super) fn opener(run: &Run, connector: &Arc<Connector>, vault: VaultId, row: &AccountRow) -> Opener {
    let (connector, inner, account, name) = (Arc::clone(connector), run.apart(), row.id, row.name.clone());
    Box::new(move || {
        let remote = connector.connect()?;
        let request = Open { account: Some(name.clone()), ..open_request(&inner, &[], u64::MAX) };
        let opened: Opened = remote.ask(&Request::Open(request))?;
        if opened.vault != vault || opened.account.id != account {
            return Err(Fault::new(Code::HistoryFork, "another vault answers now at the same address")
                .hint("check the address, then run the same command again"));
        }
        Ok(remote.client().1)
    })
}

/// The keyring in force.
fn open_keyring(history: &mut History, remote: &Remote, row: &AccountRow, root: &RootSecret) -> Result<Keyring> {
    let hash = history.verifier().keyring().ok_or_else(|| {
        Fault::new(
            Code::AccountNone,
            format!("the account {} is not set up yet", crate::name::for_terminal(row.name.as_bytes())),
        )
        .hint("tuckbox init")
    })?;
    let body = history
        .body(remote, hash)?
        .ok_or_else(|| Fault::new(Code::HistoryLoss, "the keyring is missing in the vault").hint("tuckbox check"))?;
    let (domain, account): (DomainId, AccountId) = (row.domain, row.id);
    Ok(root.kek().open_keyring(domain, account, &body)?)
}
