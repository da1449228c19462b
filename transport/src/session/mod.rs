//! The protocol as a value: bytes and time in; bytes, events and the next deadline out.
//!
//! A [`Session`] never reads, writes, sleeps or starts anything. Whoever drives it does, in this round:
//!
//! ```text
//! session.receive(now, bytes);                          in
//! while let Some(event) = session.event() { act }
//! session.transmit(now, &mut out, most);                out
//! session.taken(now, bytes_that_the_pipe_took);
//! session.deadline(); session.tick(now);
//! ```
//!
//! It has no queue without a bound: what the peer may send is bounded by credit, what we send by the queue of
//! each stream, and control frames are made from the state when their turn comes (`schedule.rs`).

mod credit;
mod hello;
mod receive;
mod schedule;
mod streams;
mod throttle;
mod timers;

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;
use store::door::Millis;

use crate::error::{Code, Error, Result};
use crate::frame::{Assembler, Header, Kind};
use crate::limits::{CALL_SILENCE_MS, FAR_POOL_BYTES, FIRST_BYTE_MS, MESSAGE_BYTES_MAX, POOL_BYTES, needs_far_pool};
use crate::magic::{CLIENT_MAGIC, SERVER_MAGIC, Scanner};
pub use hello::{Agreed, Hello, Purpose};
use receive::write_goaway;
use schedule::Turns;
pub use streams::{Class, Part};
use streams::{LastIds, Out, Stream};
use throttle::{Bucket, Throttled};
use timers::{Due, Timers};

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The far side printed this before it spoke the protocol (the beginning of it, as it came).
    Noise(Vec<u8>),
    /// The peer's HELLO is here and both agree.
    Greeted,
    /// A client opened this stream; the request is its first part.
    Request(u32),
    /// There is something to [read](Session::read), or an end, on this stream.
    Readable(u32),
    /// Whoever was turned away on this stream may try again.
    Writable(u32),
    /// The connection is over; see [`Session::over`].
    Over,
}

/// What [`Session::read`] finds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Read {
    /// The next part.
    Part(Part),
    /// Nothing yet.
    Nothing,
    /// The peer has said all it had to say.
    End,
}

/// Bytes on the pipe, everything counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// To the peer.
    pub sent_bytes: u64,
    /// From the peer.
    pub received_bytes: u64,
}

/// Bytes a second, each way; `None` is no limit. Everything is counted. Bulk waits for them; what is for a person goes ahead of
/// them, up to [`URGENT_DEBT_BYTES`](crate::limits::URGENT_DEBT_BYTES).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rates {
    /// What we send.
    pub up: Option<u64>,
    /// What we let the peer send.
    pub down: Option<u64>,
}

/// No part of a rate is smaller, bytes a second: a connection with less would count as lost.
const PART_MIN: u64 = 1 << 10;

impl Rates {
    /// An equal part of these for one of so many connections.
    #[must_use]
    pub fn divided(self, parts: u64) -> Self {
        let part = |rate: Option<u64>| rate.map(|rate| (rate / parts.max(1)).max(PART_MIN));
        Self { up: part(self.up), down: part(self.down) }
    }

    /// The lower of both, each way.
    #[must_use]
    pub fn lower(self, other: Self) -> Self {
        let least = |one: Option<u64>, other: Option<u64>| match (one, other) {
            (Some(one), Some(other)) => Some(one.min(other)),
            (one, other) => one.or(other),
        };
        Self { up: least(self.up, other.up), down: least(self.down, other.down) }
    }
}

/// How a session begins.
#[derive(Clone, Debug)]
pub struct Config {
    /// What we say about ourselves.
    pub hello: Hello,
    /// How long to wait for the first byte, milliseconds.
    pub first_byte_ms: Millis,
    /// What bulk streams may be given together beyond their start …
    pub pool_bytes: u64,
    /// … and when the far side is known to be very far.
    pub far_pool_bytes: u64,
}

impl Config {
    /// A client's usual one.
    #[must_use]
    pub fn client(hello: Hello) -> Self {
        Self { hello, first_byte_ms: FIRST_BYTE_MS, pool_bytes: POOL_BYTES, far_pool_bytes: FAR_POOL_BYTES }
    }

    /// A server's usual one.
    #[must_use]
    pub fn server(hello: Hello) -> Self {
        Self { far_pool_bytes: POOL_BYTES, ..Self::client(hello) }
    }
}

/// One end of a connection.
#[derive(Debug)]
pub struct Session {
    is_client: bool,
    ours: Hello,
    peer: Option<Hello>,
    agreed: Option<Agreed>,

    /// Until the magic is found.
    scanner: Option<Scanner>,
    assembler: Assembler,

    streams: BTreeMap<u32, Stream>,
    last_ids: LastIds,
    /// The one whose request shares the flight of the greeting.
    first_stream: Option<u32>,
    pool_bytes: u64,
    far_pool_bytes: u64,
    up: Bucket,
    down: Bucket,
    turns: Turns,

    preamble_due: Option<Vec<u8>>,
    pong_due: Option<[u8; 8]>,
    ping_due: bool,
    goaway_due: Option<Vec<u8>>,
    /// We want to say goodbye.
    leaving: bool,
    bye_received: bool,

    events: VecDeque<Event>,
    timers: Timers,
    traffic: Traffic,
    throttled: Throttled,
    /// Shortest time from a PING of ours to its PONG.
    round_trip: Option<Millis>,
    over: Option<Result<()>>,
    stirred: bool,
}

impl Session {
    /// The client's end.
    pub fn client(config: Config, now: Millis) -> Result<Self> {
        Self::new(config, now, true)
    }

    /// The server's end.
    pub fn server(config: Config, now: Millis) -> Result<Self> {
        Self::new(config, now, false)
    }

    fn new(config: Config, now: Millis, is_client: bool) -> Result<Self> {
        let mut preamble = (if is_client { CLIENT_MAGIC } else { SERVER_MAGIC }).to_vec();
        Header::connection(Kind::Hello).encode(&config.hello.encode()?, &mut preamble);
        Ok(Self {
            is_client,
            ours: config.hello,
            peer: None,
            agreed: None,
            scanner: Some(if is_client { Scanner::for_client() } else { Scanner::for_server() }),
            assembler: Assembler::default(),
            streams: BTreeMap::new(),
            last_ids: LastIds::default(),
            first_stream: None,
            pool_bytes: config.pool_bytes,
            far_pool_bytes: config.far_pool_bytes,
            up: Bucket::new(),
            down: Bucket::new(),
            turns: Turns::default(),
            preamble_due: Some(preamble),
            pong_due: None,
            ping_due: false,
            goaway_due: None,
            leaving: false,
            bye_received: false,
            events: VecDeque::new(),
            timers: Timers::new(now, config.first_byte_ms),
            traffic: Traffic::default(),
            round_trip: None,
            throttled: Throttled::default(),
            over: None,
            stirred: true,
        })
    }

    /// The next thing that happened.
    pub fn event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// The pipe has taken this many of the bytes that [`transmit`](Self::transmit) gave.
    pub fn taken(&mut self, now: Millis, bytes: usize) {
        self.timers.taken(now, bytes);
    }

    /// When [`tick`](Self::tick) or [`transmit`](Self::transmit) has something to do, if nothing happens until then.
    #[must_use]
    pub fn deadline(&self) -> Millis {
        let mut deadline = self.timers.deadline();
        if self.over.is_none() {
            deadline = deadline.min(self.throttle_deadline());
            for stream in self.streams.values().filter(|stream| !stream.is_over(self.is_client)) {
                deadline = deadline.min(self.stream_deadline(stream));
            }
        }
        deadline
    }

    /// When a stream needs attention: on the server to say that it works, on the client to give it up.
    fn stream_deadline(&self, stream: &Stream) -> Millis {
        if !self.is_client {
            return schedule::working_deadline(stream);
        }
        // Who has not read what is there, or could not yet ask, waits for nobody.
        if stream.opening || !stream.inbox.is_empty() {
            return Millis::MAX;
        }
        stream.heard.saturating_add(CALL_SILENCE_MS)
    }

    /// Lets time pass.
    pub fn tick(&mut self, now: Millis) {
        if self.over.is_some() {
            return;
        }
        match self.timers.tick(now) {
            Due::Nothing => {}
            Due::Ping => self.ping_due = true,
            Due::Failure(why) => {
                // If something came, but not the magic, it tells more than that time has passed.
                let noise = self.scanner.as_ref().map(Scanner::sample).unwrap_or_default();
                return self.fail(now, if noise.is_empty() { why } else { Error::NoMagic { noise } });
            }
        }
        let due: Vec<u32> = self
            .streams
            .iter()
            .filter(|(_, stream)| !stream.is_over(self.is_client) && self.stream_deadline(stream) <= now)
            .map(|(id, _)| *id)
            .collect();
        for id in due {
            if self.is_client {
                self.stop_stream(id, Error::Timeout { what: "sign of life of a request" }, Code::SILENT);
            } else if let Some(stream) = self.streams.get_mut(&id) {
                stream.working_due = true;
                stream.said = now;
            }
        }
    }

    /// Opens a stream with a request. The first one shares its flight with the greeting; see PROTOCOL.md for what it
    /// may ask.
    pub fn open(&mut self, now: Millis, class: Class, request: Vec<u8>) -> Result<u32> {
        self.check_alive()?;
        check_message(&request)?;
        let most = self.agreed.as_ref().map_or(self.ours.streams_max as usize, |agreed| agreed.streams_max);
        // Those that were let go and only wait for their RESET are no burden to anybody.
        if self.streams.values().filter(|stream| !stream.released).count() >= most {
            return Err(Error::Limit { what: "requests at a time", found: most as u64 + 1, most: most as u64 });
        }
        let none_left = Error::Limit { what: "requests of a connection", found: 1 << 30, most: (1 << 30) - 1 };
        let id = self.last_ids.next(class).ok_or(none_left)?;
        self.first_stream.get_or_insert(id);
        // Before bulk is on its way, which would delay the answer: how much may be, depends on the distance.
        self.ping_due |= class == Class::Bulk && self.round_trip.is_none();
        let mut stream = Stream::new(class, now);
        stream.opening = true;
        // An empty queue takes anything.
        stream.push(Part::Message(request)).map_err(|_| Error::Protocol("a new stream is full"))?;
        self.streams.insert(id, stream);
        self.stirred = true;
        Ok(id)
    }

    /// Sends a part. `Ok(Some(part))`: the stream's queue is full; [`Event::Writable`] says when to try again.
    pub fn send(&mut self, id: u32, part: Part) -> Result<Option<Part>> {
        if let Part::Message(message) = &part {
            check_message(message)?;
        }
        let stream = self.writable(id)?;
        if part.is_empty() && matches!(part, Part::Data(_)) {
            return Ok(None);
        }
        let refused = stream.push(part).err();
        self.stirred = true;
        Ok(refused)
    }

    /// Says that nothing more will be sent on this stream.
    pub fn end_stream(&mut self, id: u32) -> Result<()> {
        self.writable(id)?.out = Out::Ending;
        self.stirred = true;
        Ok(())
    }

    fn writable(&mut self, id: u32) -> Result<&mut Stream> {
        let over = self.over.clone();
        let is_client = self.is_client;
        let stream = self.streams.get_mut(&id).ok_or(Error::Ended)?;
        if let Some(why) = &stream.stopped {
            return Err(why.clone());
        }
        if stream.out != Out::Open || (is_client && stream.in_ended) {
            return Err(Error::Ended);
        }
        match over {
            None => Ok(stream),
            Some(Err(why)) => Err(why),
            Some(Ok(())) => Err(Error::lost("the connection is closed")),
        }
    }

    /// Takes the next part that came on a stream. An error says why no more will come.
    pub fn read(&mut self, id: u32) -> Result<Read> {
        let Some(stream) = self.streams.get_mut(&id) else { return Ok(Read::End) };
        stream.announced = false;
        if let Some(part) = stream.inbox.pop_front() {
            stream.window.consume(part.cost());
            let class = stream.class;
            let (size, throttled) = self.window_size(class);
            self.stirred |= self.streams.get(&id).is_some_and(|s| !s.in_ended && s.window.lacking(size, throttled) > 0);
            return Ok(Read::Part(part));
        }
        // The end that the peer has said itself is an end, whatever happened afterwards.
        if stream.in_ended || (!self.is_client && stream.out == Out::Ended) {
            return Ok(Read::End);
        }
        match (&stream.stopped, &self.over) {
            (Some(why), _) | (None, Some(Err(why))) => Err(why.clone()),
            (None, Some(Ok(()))) => Err(Error::lost("the connection is closed")),
            (None, None) => Ok(Read::Nothing),
        }
    }

    /// Nobody here holds this stream any more. One that is not at its end is reset, unless it is a server's that only
    /// has to finish what it has to say.
    pub fn release(&mut self, id: u32) {
        let Some(stream) = self.streams.get_mut(&id) else { return };
        stream.released = true;
        let finishing = !self.is_client && stream.out != Out::Open;
        if !stream.is_over(self.is_client) && !finishing {
            let code = if self.is_client { Code::CANCELLED } else { Code::DROPPED };
            self.stop_stream(id, Error::Reset(code), code);
        }
        if let Some(stream) = self.streams.get_mut(&id) {
            stream.drop_incoming();
        }
        self.stirred = true;
        self.forget_streams();
    }

    /// Ends one stream at once, both ways.
    pub fn reset(&mut self, id: u32, code: Code) {
        self.stop_stream(id, Error::Reset(code), code);
        self.stirred = true;
    }

    /// Says goodbye: what is still open is cut off, and the session is over when the peer says goodbye too. What was
    /// ended here is not open: the server finishes it first.
    pub fn leave(&mut self) {
        if self.over.is_none() && !self.leaving {
            self.leaving = true;
            self.stirred = true;
            let open = self.streams.iter().filter(|(_, stream)| !stream.is_ended() && !stream.is_ending());
            let open: Vec<u32> = open.map(|(id, _)| *id).collect();
            for id in open {
                self.stop_stream(id, Error::lost("the connection was closed here"), Code::CANCELLED);
            }
        }
    }

    /// Ends the session at once with an error of the world outside, such as a pipe that failed.
    pub fn fail(&mut self, now: Millis, why: Error) {
        let words = match &why {
            Error::Protocol(what) => Some((Code::PROTOCOL, (*what).to_owned())),
            Error::Version { .. } => Some((Code::VERSION, why.to_string())),
            Error::Feature { .. } => Some((Code::FEATURE, why.to_string())),
            _ => None,
        };
        if self.over.is_none() {
            self.goaway_due = words.map(|(code, text)| write_goaway(code, &text, None));
            self.end(now, Err(why));
        }
    }

    /// Ends the session at once and tells the peer why.
    pub fn refuse(&mut self, now: Millis, code: Code, text: &str, retry_after_s: Option<u32>) {
        if self.over.is_none() {
            self.goaway_due = Some(write_goaway(code, text, retry_after_s));
            self.end(now, Err(Error::lost(format!("refused: {text}"))));
        }
    }

    /// How it ended: `Ok` after a goodbye of both, otherwise why not. `None`: it goes on.
    #[must_use]
    pub fn over(&self) -> Option<&Result<()>> {
        self.over.as_ref()
    }

    /// Whether the pipe can be closed: it is over, and the last words are out, or have had their time.
    #[must_use]
    pub fn is_done(&self, now: Millis) -> bool {
        let hopeless =
            matches!(self.over, Some(Err(Error::Lost { .. } | Error::Timeout { .. } | Error::NoMagic { .. })));
        let said = self.goaway_due.is_none() && (self.timers.is_flushed() || hopeless);
        self.over.is_some() && (said || self.timers.last_words_until().is_some_and(|until| now >= until))
    }

    /// Whether a call since the last time made something to transmit.
    pub fn take_stirred(&mut self) -> bool {
        std::mem::take(&mut self.stirred)
    }

    /// The peer's HELLO.
    #[must_use]
    pub fn peer(&self) -> Option<&Hello> {
        self.peer.as_ref()
    }

    /// What both agreed on.
    #[must_use]
    pub fn agreed(&self) -> Option<&Agreed> {
        self.agreed.as_ref()
    }

    /// Bytes so far: those given to [`receive`](Self::receive) and those that [`transmit`](Self::transmit) gave.
    #[must_use]
    pub fn traffic(&self) -> Traffic {
        self.traffic
    }

    /// How long bulk has waited for the throttle, in milliseconds, as far as [`transmit`](Self::transmit) saw it.
    #[must_use]
    pub fn throttled_ms(&self) -> u64 {
        self.throttled.ms
    }

    /// Asks for a PONG, so that [`round_trip`](Self::round_trip) becomes known.
    pub fn ping(&mut self) {
        self.ping_due = true;
        self.stirred = true;
    }

    /// The shortest time, in milliseconds, in which a PING came back; `None` before the first. What was handed to the
    /// pipe before a PING delays it, so the shortest is nearest to the line's own.
    #[must_use]
    pub fn round_trip(&self) -> Option<Millis> {
        self.round_trip
    }

    /// Sets the throttle.
    pub fn set_rates(&mut self, now: Millis, rates: Rates) {
        self.up.set(now, rates.up);
        self.down.set(now, rates.down);
        self.stirred = true;
    }

    /// What the peer can make us keep at most at this moment, in bytes: for tests of the bound.
    #[cfg(test)]
    pub(crate) fn outstanding(&self) -> u64 {
        self.streams.values().map(|stream| stream.window.outstanding()).sum()
    }

    /// The bound of that: a start for each stream, and the pool.
    #[cfg(test)]
    pub(crate) fn outstanding_most(&self) -> u64 {
        self.streams.len() as u64 * crate::limits::STREAM_START_BYTES + self.far_pool_bytes
    }

    /// What bulk streams may have together beyond their start.
    fn pool(&self) -> u64 {
        if needs_far_pool(self.round_trip) { self.far_pool_bytes } else { self.pool_bytes }
    }

    fn check_alive(&self) -> Result<()> {
        match &self.over {
            Some(Err(why)) => Err(why.clone()),
            Some(Ok(())) => Err(Error::lost("the connection is closed")),
            None if self.leaving || self.bye_received => Err(Error::lost("the connection is being closed")),
            None => Ok(()),
        }
    }

    /// Ends one stream from here.
    fn stop_stream(&mut self, id: u32, why: Error, code: Code) {
        let is_client = self.is_client;
        let Some(stream) = self.streams.get_mut(&id).filter(|stream| !stream.is_over(is_client)) else { return };
        // The far side need not hear of a stream that it never saw.
        stream.reset_due = (!stream.opening).then_some(code);
        stream.stop(why, is_client);
        self.announce(id);
        self.announce_writable(id);
    }

    /// The client has said goodbye: what it had ended before is finished before our own goodbye.
    fn await_ended(&mut self) {
        let is_client = self.is_client;
        for stream in self.streams.values_mut().filter(|stream| !is_client && !stream.is_over(is_client)) {
            stream.awaited = stream.in_ended;
        }
    }

    /// Ends all streams because the connection ends.
    fn stop_streams(&mut self, why: &Error) {
        for (id, stream) in &mut self.streams {
            if !stream.is_over(self.is_client) {
                // What the client had ended before it said goodbye is still to be read and done.
                stream.stop(why.clone(), self.is_client || stream.awaited);
            }
            stream.reset_due = None;
            self.events.push_back(Event::Readable(*id));
            self.events.push_back(Event::Writable(*id));
        }
    }

    fn end(&mut self, now: Millis, how: Result<()>) {
        let why = how.clone().err().unwrap_or_else(|| Error::lost("the connection is closed"));
        self.stop_streams(&why);
        self.over = Some(how);
        self.timers.over = Some(now);
        self.events.push_back(Event::Over);
        self.stirred = true;
        self.forget_streams();
    }

    fn announce(&mut self, id: u32) {
        if let Some(stream) = self.streams.get_mut(&id)
            && !std::mem::replace(&mut stream.announced, true)
        {
            self.events.push_back(Event::Readable(id));
        }
    }

    fn announce_writable(&mut self, id: u32) {
        if let Some(stream) = self.streams.get_mut(&id)
            && std::mem::take(&mut stream.turned_away)
        {
            self.events.push_back(Event::Writable(id));
        }
    }

    fn forget_streams(&mut self) {
        let is_client = self.is_client;
        self.streams.retain(|_, stream| !stream.is_forgettable(is_client));
    }
}

fn check_message(message: &[u8]) -> Result<()> {
    if message.len() > MESSAGE_BYTES_MAX {
        let (found, most) = (message.len() as u64, MESSAGE_BYTES_MAX as u64);
        return Err(Error::Limit { what: "bytes of a message", found, most });
    }
    Ok(())
}

impl From<Bytes> for Part {
    fn from(data: Bytes) -> Self {
        Self::Data(data)
    }
}
