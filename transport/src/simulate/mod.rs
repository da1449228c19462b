//! A pretend wire between two sessions, with delay, splits, cuts and a clock that only moves when nothing else can, and
//! two pretend programs at its ends. They act only on what the events tell them, so a missing event shows as a hang.

mod cuts;
mod flow;
mod hostile;
mod pipes;
mod time;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::LazyLock;

use bytes::Bytes;
use store::door::Millis;

use crate::error::{Error, Result};
use crate::limits::STREAM_START_BYTES;
use crate::session::{Class, Config, Event, Hello, Part, Read, Session};

/// What a pretend server is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verb {
    /// Sends back what it gets, until its end.
    Echo = 0,
    /// Sends so many bytes.
    Give = 1,
    /// Takes everything and says how much it was.
    Sink = 2,
    /// Never says anything.
    Silent = 3,
    /// Forgets the call.
    Drop = 4,
}

/// One call of a pretend client.
#[derive(Clone, Debug)]
pub(crate) struct Ask {
    pub(crate) class: Class,
    pub(crate) verb: Verb,
    /// For [`Verb::Give`].
    pub(crate) bytes: u32,
    pub(crate) sends: Vec<Part>,
    /// Whether it reads what it gets.
    pub(crate) reads: bool,
}

pub(crate) fn ask(class: Class, verb: Verb, bytes: u32) -> Ask {
    Ask { class, verb, bytes, sends: Vec::new(), reads: true }
}

/// The bytes of a stream of data, from some place on.
pub(crate) fn pattern(from: usize, len: usize) -> Vec<u8> {
    static TABLE: LazyLock<Vec<u8>> =
        LazyLock::new(|| (0..1usize << 16).map(|i| u8::try_from((i ^ (i >> 8)) & 255).unwrap()).collect());
    let mut out = Vec::with_capacity(len);
    while out.len() < len {
        let at = (from + out.len()) % TABLE.len();
        out.extend_from_slice(&TABLE[at..TABLE.len().min(at + len - out.len())]);
    }
    out
}

/// A call as the client sees it.
#[derive(Debug)]
pub(crate) struct Asked {
    ask: Ask,
    to_send: VecDeque<Part>,
    pub(crate) messages: Vec<Vec<u8>>,
    pub(crate) data: Vec<u8>,
    pub(crate) outcome: Option<Result<()>>,
    pub(crate) done_at: Millis,
}

/// The program at the client's end.
#[derive(Debug, Default)]
pub(crate) struct Asker {
    pub(crate) calls: BTreeMap<u32, Asked>,
    ready: BTreeSet<u32>,
    pub(crate) noise: Option<Vec<u8>>,
}

impl Asker {
    pub(crate) fn call(&mut self, session: &mut Session, now: Millis, ask: Ask) -> Result<u32> {
        let request = [&[ask.verb as u8][..], &ask.bytes.to_le_bytes()].concat();
        let id = session.open(now, ask.class, request)?;
        let to_send = ask.sends.iter().cloned().collect();
        let asked = Asked { ask, to_send, messages: Vec::new(), data: Vec::new(), outcome: None, done_at: 0 };
        self.calls.insert(id, asked);
        self.ready.insert(id);
        Ok(id)
    }

    fn act(&mut self, session: &mut Session, now: Millis) {
        while let Some(event) = session.event() {
            match event {
                Event::Readable(id) | Event::Writable(id) => {
                    self.ready.insert(id);
                }
                Event::Noise(noise) => self.noise = Some(noise),
                Event::Greeted | Event::Over => {}
                Event::Request(_) => panic!("a request to a client"),
            }
        }
        for id in std::mem::take(&mut self.ready) {
            let Some(asked) = self.calls.get_mut(&id).filter(|asked| asked.outcome.is_none()) else { continue };
            asked.send(session, id);
            if asked.ask.reads {
                asked.read(session, id, now);
            }
        }
    }
}

impl Asked {
    fn send(&mut self, session: &mut Session, id: u32) {
        while let Some(part) = self.to_send.pop_front() {
            match session.send(id, part) {
                Ok(None) if self.to_send.is_empty() => session.end_stream(id).unwrap(),
                Ok(None) => {}
                Ok(Some(refused)) => return self.to_send.push_front(refused),
                Err(_) => self.to_send.clear(),
            }
        }
    }

    fn read(&mut self, session: &mut Session, id: u32, now: Millis) {
        let end = loop {
            match session.read(id) {
                Ok(Read::Part(Part::Message(message))) => self.messages.push(message),
                Ok(Read::Part(Part::Data(data))) => self.data.extend_from_slice(&data),
                Ok(Read::Nothing) => return,
                Ok(Read::End) => break Ok(()),
                Err(why) => break Err(why),
            }
        };
        self.outcome = Some(end);
        self.done_at = now;
        session.release(id);
    }
}

/// The program at the server's end.
#[derive(Debug, Default)]
pub(crate) struct Answerer {
    calls: BTreeMap<u32, Answer>,
    ready: BTreeSet<u32>,
    pub(crate) served: usize,
}

#[derive(Debug)]
struct Answer {
    verb: Verb,
    given: usize,
    total: usize,
    taken: u64,
    pending: Option<Part>,
}

impl Answerer {
    fn act(&mut self, session: &mut Session) {
        while let Some(event) = session.event() {
            match event {
                Event::Readable(id) | Event::Writable(id) => {
                    self.ready.insert(id);
                }
                Event::Request(id) => {
                    let Ok(Read::Part(Part::Message(request))) = session.read(id) else {
                        session.release(id);
                        continue;
                    };
                    self.served += 1;
                    self.calls.insert(id, Answer::new(&request));
                    self.ready.insert(id);
                }
                Event::Noise(_) => panic!("noise to a server"),
                Event::Greeted | Event::Over => {}
            }
        }
        for id in std::mem::take(&mut self.ready) {
            if self.calls.get_mut(&id).is_some_and(|answer| answer.act(session, id)) {
                self.calls.remove(&id);
                session.release(id);
            }
        }
    }
}

impl Answer {
    fn new(request: &[u8]) -> Self {
        let verb = [Verb::Echo, Verb::Give, Verb::Sink, Verb::Silent, Verb::Drop]
            .into_iter()
            .find(|verb| request.first() == Some(&(*verb as u8)))
            .unwrap_or(Verb::Drop);
        let total = request.get(1..5).map_or(0, |n| u32::from_le_bytes(n.try_into().unwrap()));
        Self { verb, given: 0, total: total as usize, taken: 0, pending: None }
    }

    /// Goes on; `true`: at its end.
    fn act(&mut self, session: &mut Session, id: u32) -> bool {
        loop {
            if let Some(part) = self.pending.take() {
                match session.send(id, part) {
                    Ok(None) => {}
                    Ok(Some(refused)) => {
                        self.pending = Some(refused);
                        return false;
                    }
                    Err(_) => return true,
                }
            }
            match self.verb {
                Verb::Drop => return true,
                Verb::Silent => return session.read(id).is_err(),
                Verb::Give if self.given == self.total => return session.end_stream(id).is_ok() | true,
                Verb::Give => {
                    let len = (self.total - self.given).min(128 << 10);
                    self.pending = Some(Part::Data(Bytes::from(pattern(self.given, len))));
                    self.given += len;
                }
                Verb::Echo | Verb::Sink => match session.read(id) {
                    Ok(Read::Part(part)) if self.verb == Verb::Echo => self.pending = Some(part),
                    Ok(Read::Part(part)) => self.taken += part.len() as u64,
                    Ok(Read::Nothing) => return false,
                    Ok(Read::End) if self.verb == Verb::Sink => {
                        self.verb = Verb::Give;
                        self.pending = Some(Part::Message(self.taken.to_le_bytes().to_vec()));
                    }
                    Ok(Read::End) => return session.end_stream(id).is_ok() | true,
                    Err(_) => return true,
                },
            }
        }
    }
}

/// One direction of the wire.
#[derive(Debug)]
pub(crate) struct Lane {
    flying: VecDeque<(Millis, Vec<u8>)>,
    pub(crate) delay: Millis,
    /// Lengths of the pieces in which bytes arrive, over and over.
    pub(crate) splits: Vec<usize>,
    next_split: usize,
    /// The wire is cut after so many bytes.
    pub(crate) cut_after: Option<usize>,
    /// The far end takes nothing any more: bytes pile up here.
    pub(crate) stuck: bool,
    passed: usize,
    ended: bool,
    /// Everything that went over it.
    pub(crate) record: Vec<u8>,
}

impl Lane {
    fn new() -> Self {
        Self {
            flying: VecDeque::new(),
            delay: 0,
            splits: vec![usize::MAX],
            next_split: 0,
            cut_after: None,
            stuck: false,
            passed: 0,
            ended: false,
            record: Vec::new(),
        }
    }

    pub(crate) fn put(&mut self, now: Millis, bytes: &[u8]) {
        self.record.extend_from_slice(bytes);
        let left = self.cut_after.map_or(bytes.len(), |cut| cut.saturating_sub(self.passed).min(bytes.len()));
        self.passed += bytes.len();
        let mut rest = &bytes[..left];
        while !rest.is_empty() {
            let len = self.splits[self.next_split % self.splits.len()].clamp(1, rest.len());
            self.next_split += 1;
            self.flying.push_back((now + self.delay, rest[..len].to_vec()));
            rest = &rest[len..];
        }
    }

    fn is_cut(&self) -> bool {
        self.cut_after.is_some_and(|cut| self.passed >= cut)
    }

    /// Gives what has arrived; `Some(empty)` is the end.
    fn take(&mut self, now: Millis) -> Option<Vec<u8>> {
        if self.flying.front().is_some_and(|(at, _)| *at <= now) {
            return self.flying.pop_front().map(|(_, bytes)| bytes);
        }
        (self.flying.is_empty() && self.is_cut() && !std::mem::replace(&mut self.ended, true)).then(Vec::new)
    }
}

/// Two sessions, the wire between them and their programs.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) now: Millis,
    pub(crate) client: Session,
    pub(crate) server: Session,
    pub(crate) asker: Asker,
    pub(crate) answerer: Answerer,
    pub(crate) up: Lane,
    pub(crate) down: Lane,
    pub(crate) most: usize,
    client_due: bool,
    server_due: bool,
}

impl World {
    pub(crate) fn new() -> Self {
        Self::with(
            Config::client(Hello::new("client", &["one", "two"])),
            Config::server(Hello::new("server", &["two"])),
        )
    }

    pub(crate) fn with(client: Config, server: Config) -> Self {
        Self {
            now: 1000,
            client: Session::client(client, 1000).unwrap(),
            server: Session::server(server, 1000).unwrap(),
            asker: Asker::default(),
            answerer: Answerer::default(),
            up: Lane::new(),
            down: Lane::new(),
            most: 128 << 10,
            client_due: false,
            server_due: false,
        }
    }

    pub(crate) fn call(&mut self, ask: Ask) -> u32 {
        self.asker.call(&mut self.client, self.now, ask).unwrap()
    }

    /// Lets everything happen that can happen now. Whether anything did.
    fn settle(&mut self) -> bool {
        let mut moved = false;
        loop {
            let mut again = false;
            // A session is only asked for bytes when it said that there are some, or when its deadline has come: as
            // the pump does.
            self.client_due |= self.client.deadline() <= self.now;
            self.server_due |= self.server.deadline() <= self.now;
            self.client.tick(self.now);
            self.server.tick(self.now);
            self.asker.act(&mut self.client, self.now);
            self.answerer.act(&mut self.server);
            again |= send(&mut self.client, &mut self.client_due, &mut self.up, self.now, self.most);
            again |= send(&mut self.server, &mut self.server_due, &mut self.down, self.now, self.most);
            again |= deliver(&mut self.up, &mut self.server, self.now);
            again |= deliver(&mut self.down, &mut self.client, self.now);
            for session in [&self.client, &self.server] {
                assert!(session.outstanding() <= session.outstanding_most());
            }
            moved |= again;
            if !again {
                return moved;
            }
        }
    }

    /// What the next frames of the server would be, one after the other: their streams.
    pub(crate) fn next_frames(&mut self, count: usize) -> Vec<u32> {
        let mut streams = Vec::new();
        while streams.len() < count {
            let mut out = Vec::new();
            self.answerer.act(&mut self.server);
            self.server.transmit(self.now, &mut out, 1);
            streams.push(u32::from_le_bytes(out[8..12].try_into().unwrap()));
        }
        streams
    }

    /// The next moment at which something happens by itself.
    fn next_moment(&self) -> Millis {
        let lanes = [&self.up, &self.down].into_iter().filter_map(|lane| lane.flying.front().map(|(at, _)| *at));
        let over = |session: &Session| if session.over().is_some() { Millis::MAX } else { session.deadline() };
        lanes.chain([over(&self.client), over(&self.server)]).min().unwrap_or(Millis::MAX)
    }

    /// Runs until a condition holds, or until nothing will ever happen, or the time is over. Whether it held.
    pub(crate) fn run_until(&mut self, latest: Millis, done: impl Fn(&Self) -> bool) -> bool {
        let mut idle = 0;
        loop {
            idle = if self.settle() { 0 } else { idle + 1 };
            assert!(idle < 10_000, "time passes and nothing happens: {:?}", self.now);
            if done(self) {
                return true;
            }
            let next = self.next_moment();
            if next > latest {
                return false;
            }
            self.now = self.now.max(next);
        }
    }

    /// Runs until every call has its outcome.
    pub(crate) fn run(&mut self, latest: Millis) {
        let all = self.run_until(latest, |w| w.asker.calls.values().all(|call| call.outcome.is_some()));
        assert!(all, "a call hangs at {}: {:?}", self.now, self.client.over());
    }

    /// Both say goodbye.
    pub(crate) fn close(&mut self) {
        self.client.leave();
        self.run_until(self.now + 60_000, |w| w.client.over().is_some() && w.server.over().is_some());
    }
}

fn send(session: &mut Session, due: &mut bool, lane: &mut Lane, now: Millis, most: usize) -> bool {
    *due |= session.take_stirred();
    if !*due {
        return false;
    }
    // A pipe that takes nothing is asked to take nothing more.
    if lane.stuck && !lane.flying.is_empty() {
        return false;
    }
    let mut out = Vec::new();
    session.transmit(now, &mut out, most);
    *due = !out.is_empty();
    // A program whose connection has failed goes away, and its end of the pipe with it.
    if session.over().is_some_and(Result::is_err) {
        lane.cut_after = Some(lane.cut_after.unwrap_or(usize::MAX).min(lane.passed + out.len()));
    }
    if out.is_empty() {
        return false;
    }
    if !lane.stuck {
        session.taken(now, out.len());
    }
    lane.put(now, &out);
    true
}

fn deliver(lane: &mut Lane, session: &mut Session, now: Millis) -> bool {
    let Some(bytes) = (!lane.stuck).then(|| lane.take(now)).flatten() else { return false };
    if bytes.is_empty() {
        session.receive_end(now);
    } else {
        session.receive(now, &bytes);
    }
    true
}

/// Why a call ended, for tests that only want to know the kind.
pub(crate) fn is_lost(outcome: &Option<Result<()>>) -> bool {
    matches!(outcome, Some(Err(Error::Lost { .. } | Error::NoMagic { .. })))
}
