//! Looks into versions on a thread of its own, so that the prompt never waits for a server: what is known is answered at
//! once, what is not is fetched, and who asked waits a moment and no longer.

use std::collections::BTreeMap;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use store::door::Millis;
use store::tree::Kind;
use zeroize::Zeroizing;

use crate::cli::inside::Inside;
use crate::cli::inside_desk;
use crate::complete::offer::{Knows, Name};
use crate::engine::job::{
    AccountAsk, AppendPlan, At, GroupAsk, HostKeyQuestion, ListAccounts, ListGroups, ListJob, Passphrase, Person,
    RestorePlan, Run, VersionRow, VersionsJob,
};
use crate::engine::keys::key_checks;
use crate::engine::queue::lock;
use crate::fault::{Code, Fault, Result};
use crate::world::{Out, Terminal, World};

/// So long the prompt waits for an answer.
const BUDGET: Duration = Duration::from_millis(200);
/// So long an answer counts, milliseconds.
const FRESH_MS: Millis = 30_000;
/// Questions that may wait.
const WAITING_MAX: usize = 8;
/// Answers that are kept.
const ANSWERS_MAX: usize = 128;
/// Names of one directory that are kept: nobody chooses among more.
const NAMES_MAX: usize = 20_000;

/// What can be asked.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Key {
    Versions(Option<String>),
    Accounts,
    Groups,
    Names { account: Option<String>, at: Option<String>, dir: Vec<u8> },
}

#[derive(Clone)]
enum Answer {
    Versions(Arc<Vec<VersionRow>>),
    Names(Arc<Vec<Name>>),
    Texts(Arc<Vec<String>>),
    Failed(Fault),
}

struct Question {
    key: Key,
    inside: Inside,
    gate: Option<Gate>,
    reply: SyncSender<Answer>,
}

/// See the module. Clones ask the same thread.
#[derive(Clone)]
pub struct Browser {
    asks: SyncSender<Question>,
    answers: Arc<Mutex<BTreeMap<Key, (Millis, Answer)>>>,
    world: Arc<World>,
    /// Something is on its way; for a hint.
    waits: Arc<Mutex<bool>>,
}

impl Browser {
    /// Starts the thread. It ends when the last clone goes.
    pub fn start(world: &World) -> Result<Self> {
        let (asks, questions) = sync_channel(WAITING_MAX);
        let answers = Arc::new(Mutex::new(BTreeMap::new()));
        // Nothing of it is seen, and signals are meant for others.
        let world = Arc::new(World {
            stdout: Arc::new(Out::new(Box::new(std::io::sink()))),
            stderr: Arc::new(Out::new(Box::new(std::io::sink()))),
            terminal: Terminal { stdout: false, ..world.terminal },
            stop: crate::engine::job::Stop::default(),
            ..world.clone()
        });
        let browser = Self { asks, answers: Arc::clone(&answers), world: Arc::clone(&world), waits: Arc::default() };
        let spawned =
            std::thread::Builder::new().name("browser".into()).spawn(move || work(&world, &questions, &answers));
        spawned.map_err(|error| Fault::new(Code::System, "cannot start a thread").because(error))?;
        Ok(browser)
    }

    /// Has the names of a directory looked up, for later.
    pub fn prefetch(&self, inside: &Inside, dir: &[u8]) {
        let key = Key::Names { account: inside.outer.account.clone(), at: inside.view.at.clone(), dir: dir.to_vec() };
        if self.known(&key).is_none() {
            drop(self.send(key, inside, None));
        }
    }

    /// Opens the account, with a person who may be asked until the gate closes.
    pub fn open(&self, inside: &Inside, gate: Gate) -> Option<Opening> {
        self.send(Key::Versions(inside.outer.account.clone()), inside, Some(gate)).map(Opening)
    }

    /// Forgets everything: something was committed.
    pub fn forget(&self) {
        lock(&self.answers).clear();
    }

    /// Something was asked for that has not come yet.
    #[must_use]
    pub fn waits(&self) -> bool {
        *lock(&self.waits)
    }

    fn known(&self, key: &Key) -> Option<Answer> {
        let now = self.world.clock.monotonic_ms();
        let answers = lock(&self.answers);
        answers.get(key).filter(|(since, _)| now - since < FRESH_MS).map(|(_, answer)| answer.clone())
    }

    fn send(&self, key: Key, inside: &Inside, gate: Option<Gate>) -> Option<Receiver<Answer>> {
        let (reply, heard) = sync_channel(1);
        let question = Question { key, inside: inside.clone(), gate, reply };
        // Full: the server is slow or away, and more questions would not make it faster.
        self.asks.try_send(question).ok().map(|()| heard)
    }

    fn ask(&self, key: Key, inside: &Inside) -> Option<Answer> {
        *lock(&self.waits) = false;
        if let Some(known) = self.known(&key) {
            return Some(known);
        }
        let answer = self.send(key, inside, None).and_then(|heard| heard.recv_timeout(BUDGET).ok());
        *lock(&self.waits) = answer.is_none();
        answer
    }
}

/// An account that is being opened.
pub struct Opening(Receiver<Answer>);

impl Opening {
    /// How many versions it has, or why it cannot be opened; `None` when that is not known within this time.
    pub fn wait(&self, most: Duration) -> Option<Result<usize>> {
        match self.0.recv_timeout(most) {
            Ok(Answer::Versions(rows)) => Some(Ok(rows.len())),
            Ok(Answer::Failed(fault)) => Some(Err(fault)),
            Ok(Answer::Names(_) | Answer::Texts(_)) | Err(_) => None,
        }
    }
}

/// What is known inside a session as it is now.
pub struct Seen<'b> {
    /// Who looks.
    pub browser: &'b Browser,
    /// The session.
    pub inside: &'b Inside,
}

impl Knows for Seen<'_> {
    fn names(&self, at: Option<&str>, dir: &[u8]) -> Option<Arc<Vec<Name>>> {
        let account = self.inside.outer.account.clone();
        let key = Key::Names { account, at: at.map(str::to_owned), dir: dir.to_vec() };
        match self.browser.ask(key, self.inside)? {
            Answer::Names(names) => Some(names),
            _ => None,
        }
    }

    fn versions(&self) -> Option<Arc<Vec<VersionRow>>> {
        match self.browser.ask(Key::Versions(self.inside.outer.account.clone()), self.inside)? {
            Answer::Versions(rows) => Some(rows),
            _ => None,
        }
    }

    fn accounts(&self) -> Vec<String> {
        let desk = inside_desk(&self.browser.world, self.inside);
        desk.and_then(|desk| accounts(&desk)).unwrap_or_default()
    }

    fn all_accounts(&self) -> Option<Arc<Vec<String>>> {
        self.texts(Key::Accounts)
    }

    fn groups(&self) -> Option<Arc<Vec<String>>> {
        self.texts(Key::Groups)
    }
}

impl Seen<'_> {
    fn texts(&self, key: Key) -> Option<Arc<Vec<String>>> {
        match self.browser.ask(key, self.inside)? {
            Answer::Texts(texts) => Some(texts),
            _ => None,
        }
    }
}

/// Accounts that this machine has keys of.
pub fn accounts(desk: &crate::cli::Desk<'_>) -> Result<Vec<String>> {
    let mut names: Vec<String> = key_checks(&desk.run()?)?.into_iter().map(|found| found.file.account_name).collect();
    names.sort();
    names.dedup();
    Ok(names)
}

/// Accounts of the vault, of which an administrator sees all.
pub fn all_accounts(desk: &crate::cli::Desk<'_>, run: &Run) -> Result<Vec<String>> {
    let mut names = Vec::new();
    let ask = AccountAsk::List(ListAccounts { account: None, figures: false });
    desk.engine().account(run, ask, &mut |facts| {
        names.push(facts.name);
        Ok(())
    })?;
    Ok(names)
}

/// Groups of the vault, likewise.
pub fn groups(desk: &crate::cli::Desk<'_>, run: &Run) -> Result<Vec<String>> {
    let mut names = Vec::new();
    let ask = GroupAsk::List(ListGroups { group: None, figures: Some(false) });
    desk.engine().group(run, ask, &mut |facts| {
        names.push(facts.name);
        Ok(())
    })?;
    Ok(names)
}

type Answers = Mutex<BTreeMap<Key, (Millis, Answer)>>;

fn work(world: &World, questions: &Receiver<Question>, answers: &Answers) {
    while let Ok(Question { key, inside, gate, reply }) = questions.recv() {
        let now = || world.clock.monotonic_ms();
        let held = lock(answers).get(&key).filter(|(since, _)| now() - since < FRESH_MS).map(|(_, held)| held.clone());
        let answer = held.unwrap_or_else(|| {
            let answer = answer(world, &key, inside, gate).unwrap_or_else(Answer::Failed);
            keep(&mut lock(answers), key, now(), answer.clone());
            answer
        });
        // Who asked may have gone on typing.
        drop(reply.send(answer));
    }
}

fn keep(answers: &mut MutexGuard<'_, BTreeMap<Key, (Millis, Answer)>>, key: Key, now: Millis, answer: Answer) {
    if answers.len() >= ANSWERS_MAX {
        let oldest = answers.iter().min_by_key(|(_, (since, _))| *since).map(|(key, _)| key.clone());
        oldest.map(|key| answers.remove(&key));
    }
    answers.insert(key, (now, answer));
}

fn answer(world: &World, key: &Key, mut inside: Inside, gate: Option<Gate>) -> Result<Answer> {
    inside.outer.may_ask &= gate.is_some();
    inside.stream = None;
    let desk = inside_desk(world, &inside)?;
    let mut run = desk.run()?;
    if let Some(gate) = gate {
        run.person = Arc::new(Gated { gate, inner: Arc::clone(&run.person) });
    }
    match key {
        Key::Versions(_) => {
            let rows = desk.engine().versions(&run, VersionsJob::default())?;
            // And what the first look around needs.
            desk.engine()
                .list(&run, ListJob { directory: true, ..ListJob::default() }, &mut |_| Ok(()))
                .map(drop)
                .or_else(|fault| if fault.code == Code::VersionNone { Ok(()) } else { Err(fault) })?;
            Ok(Answer::Versions(Arc::new(rows)))
        }
        Key::Accounts => all_accounts(&desk, &run).map(|names| Answer::Texts(Arc::new(names))),
        Key::Groups => groups(&desk, &run).map(|names| Answer::Texts(Arc::new(names))),
        Key::Names { at, dir, .. } => {
            let at =
                at.as_deref().map_or(Ok(At::default()), |text| desk.version(text).map(|understood| understood.at))?;
            let mut names = Vec::new();
            let job = ListJob { at, paths: vec![dir.clone()], ..ListJob::default() };
            desk.engine().list(&run, job, &mut |row| {
                if row.path != *dir && names.len() < NAMES_MAX {
                    let bytes = row.path.rsplit(|byte| *byte == b'/').next().unwrap_or_default().to_vec();
                    names.push(Name { bytes, dir: row.kind == Kind::Dir });
                }
                Ok(())
            })?;
            Ok(Answer::Names(Arc::new(names)))
        }
    }
}

/// Whether the person may be asked by the thread: until the prompt has the terminal.
#[derive(Clone, Default)]
pub struct Gate {
    closed: Arc<Mutex<bool>>,
}

impl Gate {
    /// From now on nobody is asked. Waits for an answer that is being typed.
    pub fn close(&self) {
        *lock(&self.closed) = true;
    }
}

struct Gated {
    gate: Gate,
    inner: Arc<dyn Person>,
}

impl Gated {
    fn ask<T>(&self, ask: impl FnOnce(&dyn Person) -> T, otherwise: impl FnOnce() -> T) -> T {
        let closed = lock(&self.gate.closed);
        if *closed { otherwise() } else { ask(self.inner.as_ref()) }
    }
}

fn nobody() -> Fault {
    Fault::new(Code::KeyPassphraseNeeded, "there is nobody to ask now").hint("any verb asks")
}

impl Person for Gated {
    fn may_ask(&self) -> bool {
        self.ask(|person| person.may_ask(), || false)
    }

    fn secret(&self, what: &str) -> Option<Zeroizing<String>> {
        self.ask(|person| person.secret(what), || None)
    }

    fn answer(&self, question: &str) -> Option<Zeroizing<String>> {
        self.ask(|person| person.answer(question), || None)
    }

    fn passphrase(&self, what: &str, attempt: u32) -> Result<Passphrase> {
        self.ask(|person| person.passphrase(what, attempt), || Err(nobody()))
    }

    fn new_passphrase(&self, what: &str, may_be_none: bool) -> Result<Option<Passphrase>> {
        self.ask(|person| person.new_passphrase(what, may_be_none), || Err(nobody()))
    }

    fn words(&self) -> Result<Zeroizing<String>> {
        self.ask(|person| person.words(), || Err(nobody()))
    }

    fn host_key(&self, question: &HostKeyQuestion) -> Result<bool> {
        self.ask(|person| person.host_key(question), || Ok(false))
    }

    fn restore_in_place(&self, plan: &RestorePlan) -> Result<()> {
        self.ask(|person| person.restore_in_place(plan), || Err(nobody()))
    }

    fn append(&self, plan: &AppendPlan) -> Result<()> {
        self.ask(|person| person.append(plan), || Err(nobody()))
    }

    fn picked(&self, _: &VersionRow) {}
}
