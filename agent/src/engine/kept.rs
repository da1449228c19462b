//! An account that stays open from one verb to the next, for who asks several things in a row: the connection, the
//! unlocked key, and for a while what was read.
//!
//! Only a run to the very same place is served; every other one connects by itself. A verb gets handles of its own
//! ([`Remote::borrowed`], [`Account::for_run`]), which may be used at the same time as those of other verbs.

use std::sync::{Arc, Mutex};

use store::door::Millis;

use super::account::{Account, opener};
use super::cache::NodeCache;
use super::connect::Connector;
use super::job::{Run, Where};
use super::keys::Unlocked;
use super::opened::OpenedBodies;
use super::patience::Again;
use super::queue::lock;
use super::remote::Remote;
use super::view::Reading;
use crate::event::{self, Event};
use crate::fault::Result;
use crate::profile;

/// So long what was read counts as how things are, milliseconds. Whoever looks around sees a version that another machine
/// made no later than this.
const FRESH_MS: Millis = 30_000;

/// See the module. Nothing is held at first.
#[derive(Default)]
pub struct Kept {
    held: Mutex<Held>,
}

#[derive(Default)]
struct Held {
    key: Option<(Where, Unlocked)>,
    /// Bodies of versions of the place that is named.
    opened: Option<(Where, Arc<OpenedBodies>)>,
    line: Option<Line>,
    reading: Option<(Account, Arc<NodeCache>, Millis)>,
}

struct Line {
    remote: Remote,
    connector: Arc<Connector>,
}

impl Held {
    fn serves(&self, place: &Where) -> bool {
        self.key.as_ref().is_some_and(|(held, _)| held == place)
    }
}

impl Kept {
    /// What makes connections to this place.
    pub fn connector(&self, place: &Where) -> Option<Arc<Connector>> {
        let held = lock(&self.held);
        held.line.as_ref().filter(|_| held.serves(place)).map(|line| Arc::clone(&line.connector))
    }

    /// The connection to this place, for one verb, and its key. What was read before no longer counts: the verb asks anew.
    pub fn line(&self, place: &Where) -> Option<(Remote, Unlocked)> {
        let mut held = lock(&self.held);
        if !held.serves(place) {
            return None;
        }
        let old = held.reading.take();
        let line = held.line.as_ref().map(|line| line.remote.borrowed());
        let found = line.zip(held.key.as_ref().map(|(_, unlocked)| unlocked.clone()));
        drop(held);
        drop(old);
        found
    }

    /// The key of this place, also when the connection is lost: nobody types a passphrase twice.
    pub fn unlocked(&self, place: &Where) -> Option<Unlocked> {
        let held = lock(&self.held);
        held.key.as_ref().filter(|_| held.serves(place)).map(|(_, unlocked)| unlocked.clone())
    }

    /// Keeps this account's connection and key.
    pub fn hold(&self, account: &Account, remote: Remote) {
        let key = Some((account.run.place.clone(), account.unlocked.clone()));
        let line = Some(Line { remote, connector: Arc::clone(&account.connector) });
        let mut held = lock(&self.held);
        let opened = held.opened.take();
        let old = std::mem::replace(&mut *held, Held { key, line, reading: None, opened });
        drop(held);
        drop(old);
    }

    /// Bodies of versions of this place that were opened, for all who ask.
    pub fn opened(&self, place: &Where) -> Arc<OpenedBodies> {
        let mut held = lock(&self.held);
        match &held.opened {
            Some((of, opened)) if of == place => Arc::clone(opened),
            _ => Arc::clone(&held.opened.insert((place.clone(), Arc::default())).1),
        }
    }

    /// Keeps the key alone, when nothing of this place is kept yet: nobody types a passphrase twice.
    pub fn hold_key(&self, account: &Account) {
        let mut held = lock(&self.held);
        if !held.serves(&account.run.place) {
            let key = Some((account.run.place.clone(), account.unlocked.clone()));
            let opened = held.opened.take();
            let old = std::mem::replace(&mut *held, Held { key, line: None, reading: None, opened });
            drop(held);
            drop(old);
        }
    }

    /// Keeps what was read, for a while.
    pub fn hold_reading(&self, run: &Run, account: &Account, nodes: &Arc<NodeCache>) {
        let now = run.clock.monotonic_ms();
        let mut held = lock(&self.held);
        if held.serves(&run.place) {
            held.reading = Some((account.for_run(&run.apart()), Arc::clone(nodes), now));
        }
    }

    /// What was read, when that is not long ago.
    pub fn reading(&self, run: &Run) -> Option<Reading> {
        let held = lock(&self.held);
        let (account, nodes, since) = held.reading.as_ref().filter(|_| held.serves(&run.place))?;
        let fresh = run.clock.monotonic_ms() - since < FRESH_MS;
        fresh.then(|| Reading { account: account.for_run(run), nodes: Arc::clone(nodes) })
    }

    /// The name of the account that is open.
    pub fn account(&self) -> Option<String> {
        let held = lock(&self.held);
        held.reading.as_ref().map(|(account, ..)| account.row.name.clone())
    }

    /// Something was committed: what was read is no longer how things are.
    pub fn forget_reading(&self) {
        let old = lock(&self.held).reading.take();
        drop(old);
    }

    /// The connection is gone. The key stays.
    pub fn forget(&self) {
        let mut held = lock(&self.held);
        let old = (held.reading.take(), held.line.take());
        drop(held);
        drop(old);
    }
}

impl Account {
    /// Opens it over a connection of its own, whatever is kept: a limit of this run must slow down nothing else. The key
    /// that is kept opens it, too.
    pub(super) fn open_throttled(run: &Run, held: Option<&Connector>) -> Result<Self> {
        run.watcher.event(&Event::Phase(event::Phase::Connect));
        run.profile.phase(profile::Phase::Connect);
        let connector = held.map_or_else(|| Connector::new(run), |held| Ok(held.for_throttled(run))).map(Arc::new)?;
        let remote = connector.connect()?;
        let unlocked = run.kept.as_deref().and_then(|kept| kept.unlocked(&run.place));
        let account = Self::open_over(run, connector, remote, unlocked)?;
        if let Some(kept) = &run.kept {
            kept.hold_key(&account);
        }
        Ok(account)
    }

    /// The same account for another run, as it was when it was opened.
    #[must_use]
    pub fn for_run(&self, run: &Run) -> Self {
        let remote = self.remote.borrowed();
        let open = opener(run, &self.connector, self.vault, &self.row);
        remote.lasting(Again::new(open, Arc::clone(&run.clock), run.stop.clone(), self.connector.patience_of(run)));
        Self {
            run: run.clone(),
            connector: Arc::clone(&self.connector),
            remote,
            row: self.row.clone(),
            keys: Arc::clone(&self.keys),
            keyring: Arc::clone(&self.keyring),
            sealer: self.sealer.clone(),
            unlocked: self.unlocked.clone(),
            history: Arc::clone(&self.history),
            opened: Arc::clone(&self.opened),
            fates: Arc::clone(&self.fates),
            state: Arc::clone(&self.state),
            state_dir: self.state_dir.clone(),
            suspicion: self.suspicion.clone(),
            pin_file: self.pin_file.clone(),
            absent_volumes: self.absent_volumes.clone(),
            ..*self
        }
    }
}
