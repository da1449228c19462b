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
use super::patience::Again;
use super::queue::lock;
use super::remote::Remote;
use super::view::Reading;

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
        let old = std::mem::replace(&mut *lock(&self.held), Held { key, line, reading: None });
        drop(old);
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
            state: Arc::clone(&self.state),
            state_dir: self.state_dir.clone(),
            suspicion: self.suspicion.clone(),
            pin_file: self.pin_file.clone(),
            ..*self
        }
    }
}
