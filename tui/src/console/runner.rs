//! Does what screens want done: asks the engine on a few threads that share one kept connection, runs verbs each on a thread
//! of its own, and hands back what comes of it. Nothing here waits for the screen, and the screen never waits for it.

use std::collections::{BTreeMap, VecDeque};
use std::ffi::OsString;
use std::io::Write;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use agent::ask::Keyboard;
use agent::cli::inside::Inside;
use agent::cli::{inside_desk, run_inside};
use agent::engine::job::{Passphrase, Stop, TakeJob, Throttle};
use agent::engine::queue::lock;
use agent::event::{Deaf, Event, Watcher};
use agent::fault::{Code, Fault, Result};
use agent::name::harmless_line;
use agent::world::{Out, Terminal, World};

use super::ask::{Answer, Ask, Heard, answer};
use super::effect::Lane;
use super::jobs::{News, What, moves_much};
use super::looping::Msg;

/// Threads that ask the engine: as many questions are on their way at a time.
const ASKERS: usize = 6;
/// Questions that wait, at most; there are fewer lanes.
const WAITING_MAX: usize = 64;
/// Lines that lead up to a question, at most.
const TOLD_MAX: usize = 20;
/// Longest line that a verb says, bytes.
const LINE_BYTES_MAX: usize = 8 << 10;
/// Between two pieces of news of how far a job is, milliseconds.
const PROGRESS_MS: i64 = 100;
/// So long jobs that were asked to end are waited for when the console is left.
const LEAVING: Duration = Duration::from_secs(10);
/// The interrupt key's signal: by it a run ends well.
pub(super) const INTERRUPT: i32 = 2;

/// Something that a verb must know from the person.
pub struct Question {
    /// What was told before, safe to show.
    pub told: Vec<String>,
    /// The question, safe to show.
    pub text: String,
    /// Letters are shown while they are typed.
    pub echo: bool,
    /// Takes the answer; `None` = no answer.
    pub reply: SyncSender<Option<Passphrase>>,
}

impl std::fmt::Debug for Question {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Question({:?})", self.text)
    }
}

/// See the module.
pub struct Runner {
    world: World,
    inside: Inside,
    to: SyncSender<Msg>,
    line: Arc<Line>,
    lanes: BTreeMap<Lane, Stop>,
    jobs: BTreeMap<u64, Running>,
}

/// A job that runs.
struct Running {
    stop: Stop,
    /// Hangs up when it has ended.
    ended: Receiver<()>,
    /// Slows it down, when it can be.
    throttle: Option<Throttle>,
}

struct Work {
    lane: Lane,
    generation: u64,
    ask: Ask,
    inside: Inside,
    stop: Stop,
}

/// Questions that wait for a thread.
#[derive(Default)]
struct Line {
    state: Mutex<(VecDeque<Work>, bool)>,
    more: Condvar,
    /// Held by the question that opens the key: nobody is asked twice for the same passphrase.
    opening: Mutex<()>,
}

impl Line {
    fn push(&self, work: Work) {
        let mut state = lock(&self.state);
        state.0.retain(|other| other.lane != work.lane);
        if state.0.len() >= WAITING_MAX {
            state.0.pop_front();
        }
        state.0.push_back(work);
        self.more.notify_one();
    }

    fn pop(&self) -> Option<Work> {
        let mut state = lock(&self.state);
        loop {
            if state.1 {
                return None;
            }
            if let Some(work) = state.0.pop_front() {
                return Some(work);
            }
            state = self.more.wait(state).unwrap_or_else(std::sync::PoisonError::into_inner);
        }
    }

    fn close(&self) {
        lock(&self.state).1 = true;
        self.more.notify_all();
    }
}

impl Runner {
    /// Starts the threads. They end when this is dropped.
    pub fn start(world: &World, inside: Inside, to: SyncSender<Msg>) -> Result<Self> {
        let line = Arc::new(Line::default());
        for number in 0..ASKERS {
            let (line, world, to) = (Arc::clone(&line), world.clone(), to.clone());
            let work = move || {
                while let Some(work) = line.pop() {
                    ask(&world, &to, &line.opening, work);
                }
            };
            let spawned = std::thread::Builder::new().name(format!("ask-{number}")).spawn(work);
            spawned.map_err(|error| Fault::new(Code::System, "cannot start a thread").because(error))?;
        }
        Ok(Self { world: world.clone(), inside, to, line, lanes: BTreeMap::new(), jobs: BTreeMap::new() })
    }

    /// From now on this account and this version are meant.
    pub fn turn(&mut self, account: Option<String>, at: Option<String>) {
        if self.inside.outer.account != account {
            self.inside.kept = Arc::default();
            self.inside.outer.account = account;
        }
        self.inside.view.at = at;
    }

    /// From now on this vault is meant.
    pub fn vault(&mut self, address: String) {
        self.inside.outer.vault = Some(address);
        self.inside.kept = Arc::default();
    }

    /// Asks the engine; what this lane asked before is given up.
    pub fn ask(&mut self, lane: Lane, generation: u64, ask: Ask) {
        let stop = Stop::default();
        if let Some(before) = self.lanes.insert(lane, stop.clone()) {
            before.ask(INTERRUPT);
        }
        self.line.push(Work { lane, generation, ask, inside: self.inside.clone(), stop });
    }

    /// Gives up what a lane asked.
    pub fn forget(&mut self, lane: Lane) {
        if let Some(stop) = self.lanes.remove(&lane) {
            stop.ask(INTERRUPT);
        }
    }

    /// Runs a verb.
    pub fn start_job(&mut self, number: u64, words: Vec<OsString>) {
        let much = moves_much(words.iter().filter_map(|word| word.to_str()));
        self.begin(number, much, move |world, inside| run_inside(world, words, inside));
    }

    /// Restores what was marked.
    pub fn start_take(&mut self, number: u64, job: TakeJob) {
        self.begin(number, true, move |world, inside| super::take::run(world, inside, job));
    }

    /// Does something on a thread of its own; what it says and how far it is becomes news.
    fn begin(&mut self, number: u64, much: bool, work: impl FnOnce(&World, &Inside) -> u8 + Send + 'static) {
        let stop = Stop::default();
        let (ends, ended) = sync_channel(1);
        let throttle = much.then(Throttle::default);
        self.jobs.insert(number, Running { stop: stop.clone(), ended, throttle: throttle.clone() });
        let to = self.to.clone();
        let said = Said { number, to: to.clone(), begun: Vec::new(), told: Arc::default() };
        let told = Arc::clone(&said.told);
        let mut env = self.world.env.clone();
        // Progress comes as events; nothing is drawn over.
        env.0.insert("TERM".into(), "dumb".into());
        let out = Arc::new(Out::new(Box::new(said)));
        let world = World {
            stop,
            env,
            stdout: Arc::clone(&out),
            stderr: out,
            terminal: Terminal { stdin: true, stdout: false, stderr: true, columns: 100 },
            keyboard: Arc::new(Asker { to: to.clone(), told }),
            ..self.world.clone()
        };
        let watcher = JobWatcher { number, to: to.clone(), clock_ms: Mutex::default(), world: world.clone() };
        let inside = Inside { colour: false, hears: Some(Arc::new(watcher)), throttle, ..self.inside.clone() };
        let run = move || {
            let status = work(&world, &inside);
            world.stdout.flush().unwrap_or_default();
            tell(&to, number, What::Ended(status));
            drop(ends);
        };
        if let Err(error) = std::thread::Builder::new().name(format!("job-{number}")).spawn(run) {
            // The loop is the one who calls: it must not wait for itself.
            let line = format!("cannot start a thread: {error}");
            self.to.try_send(Msg::Job(News { number, what: What::Line(line) })).unwrap_or_default();
            self.to.try_send(Msg::Job(News { number, what: What::Ended(1) })).unwrap_or_default();
        }
    }

    /// Asks a job to end.
    pub fn cancel(&mut self, number: u64) {
        if let Some(job) = self.jobs.get(&number) {
            job.stop.ask(INTERRUPT);
        }
    }

    /// So many bytes a second at most for a job, from now on.
    pub fn limit(&mut self, number: u64, rate: Option<u64>) {
        if let Some(throttle) = self.jobs.get(&number).and_then(|job| job.throttle.as_ref()) {
            throttle.set(rate);
        }
    }

    /// It ended.
    pub fn ended(&mut self, number: u64) {
        self.jobs.remove(&number);
        // What it did may have changed what was read.
        self.inside.kept.forget_reading();
    }
}

impl Drop for Runner {
    fn drop(&mut self) {
        self.line.close();
        self.lanes.values().for_each(|stop| stop.ask(INTERRUPT));
        self.jobs.values().for_each(|job| job.stop.ask(INTERRUPT));
        for Running { ended, .. } in self.jobs.values() {
            // What does not end in time ends with the program; a vault bears that.
            ended.recv_timeout(LEAVING).unwrap_or_default();
        }
    }
}

fn tell(to: &SyncSender<Msg>, number: u64, what: What) {
    // Nobody hears it any more when the console was left.
    to.send(Msg::Job(News { number, what })).unwrap_or_default();
}

fn ask(world: &World, to: &SyncSender<Msg>, opening: &Mutex<()>, work: Work) {
    let Work { lane, generation, ask, inside, stop } = work;
    let told = Arc::new(Mutex::new(VecDeque::new()));
    let sink = || Arc::new(Out::new(Box::new(Told { lines: Arc::clone(&told), begun: Vec::new() })));
    let world = World {
        stop,
        stdout: sink(),
        stderr: sink(),
        keyboard: Arc::new(Asker { to: to.clone(), told: Arc::clone(&told) }),
        ..world.clone()
    };
    let send = |answer: Result<Answer>, last: bool| {
        to.send(Msg::Heard(Heard { lane, generation, answer, last })).unwrap_or_default();
    };
    if let Ask::Say(words) = ask {
        let status = run_inside(&world, words, &inside);
        let said = std::mem::take(&mut *lock(&told));
        if !world.stop.asked() {
            send(Ok(Answer::Said(Arc::new(said.into()), status)), true);
        }
        return;
    }
    let done = inside_desk(&world, &inside).and_then(|desk| {
        let mut run = desk.run()?;
        run.watcher = Arc::new(Deaf);
        run.hurried = true;
        let closed = run.kept.as_ref().is_some_and(|kept| kept.unlocked(&run.place).is_none());
        let _turn = (closed && ask.needs_key()).then(|| lock(opening));
        answer(&desk, &run, &inside, ask, &|part| send(Ok(part), false))
    });
    // Who gave it up does not wait for it.
    if !world.stop.asked() {
        send(done, true);
    }
}

/// Keeps the last lines that were told.
struct Told {
    lines: Arc<Mutex<VecDeque<String>>>,
    begun: Vec<u8>,
}

impl Write for Told {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        for line in lines(&mut self.begun, bytes) {
            keep(&self.lines, line);
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn keep(lines: &Mutex<VecDeque<String>>, line: String) {
    let mut lines = lock(lines);
    if lines.len() >= TOLD_MAX {
        lines.pop_front();
    }
    lines.push_back(line);
}

/// Whole lines of what was written so far, safe to show.
fn lines(begun: &mut Vec<u8>, bytes: &[u8]) -> Vec<String> {
    begun.extend_from_slice(bytes);
    let mut out = Vec::new();
    let mut rest = begun.as_slice();
    while let Some(at) = rest.iter().position(|byte| *byte == b'\n') {
        let (line, after) = rest.split_at(at);
        out.push(harmless_line(&String::from_utf8_lossy(line)));
        rest = after.get(1..).unwrap_or_default();
    }
    *begun = rest.to_vec();
    if begun.len() > LINE_BYTES_MAX {
        out.push(harmless_line(&String::from_utf8_lossy(&std::mem::take(begun))));
    }
    out
}

/// What a job says, line by line.
struct Said {
    number: u64,
    to: SyncSender<Msg>,
    begun: Vec<u8>,
    told: Arc<Mutex<VecDeque<String>>>,
}

impl Write for Said {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        for line in lines(&mut self.begun, bytes) {
            keep(&self.told, line.clone());
            tell(&self.to, self.number, What::Line(line));
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        if !self.begun.is_empty() {
            self.write(b"\n")?;
        }
        Ok(())
    }
}

/// The person, asked on the screen.
struct Asker {
    to: SyncSender<Msg>,
    told: Arc<Mutex<VecDeque<String>>>,
}

impl Keyboard for Asker {
    fn line(&self, prompt: &str, echo: bool) -> Result<Option<Passphrase>> {
        let (reply, hears) = sync_channel(1);
        let told = std::mem::take(&mut *lock(&self.told)).into();
        let question = Question { told, text: harmless_line(prompt), echo, reply };
        self.to.send(Msg::Question(question)).unwrap_or_default();
        // The console was left.
        Ok(hears.recv().unwrap_or(None))
    }
}

struct JobWatcher {
    number: u64,
    to: SyncSender<Msg>,
    clock_ms: Mutex<Option<i64>>,
    world: World,
}

impl Watcher for JobWatcher {
    fn event(&self, event: &Event<'_>) {
        match event {
            Event::Phase(phase) => {
                *lock(&self.clock_ms) = None;
                tell(&self.to, self.number, What::Phase(*phase));
            }
            Event::Progress(progress) => {
                let now = self.world.clock.monotonic_ms();
                let mut last = lock(&self.clock_ms);
                if last.is_none_or(|last| now - last >= PROGRESS_MS) {
                    *last = Some(now);
                    // A screen that is behind gets the next one.
                    let news = News { number: self.number, what: What::Progress(**progress) };
                    self.to.try_send(Msg::Job(news)).unwrap_or_default();
                }
            }
            _ => {}
        }
    }

    fn wants_totals(&self) -> bool {
        true
    }
}
