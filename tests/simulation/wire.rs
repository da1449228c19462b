//! The wire between a client and the process that serves it: two real sessions of the protocol, real messages, and between
//! them bytes that arrive in pieces, late, and up to the place where the line is cut.
//!
//! Both ends are played by the client's thread, one step after the other, so that one seed gives one course of events.
//! The serving end does what `agent/src/serve/upload.rs` and `ask.rs` do.

use std::collections::VecDeque;

use bytes::Bytes;
use store::chain::{ReceivedLink, SignedLink};
use store::door::Millis;
use store::door::sim::Dice;
use store::id::{ChunkId, NodeId, SourceId};
use store::record::{HEADER_BYTES, Header, Record};
use store::vault::{self, Domain, Outcome};
use store::{Error, Result};
use transport::message::{self, Ack, Answered, AskBatch, Begin, Begun, Commit, Committed, Request, Up, UpReply};
use transport::session::{Config, Event, Read, Session};
use transport::{Class, Hello, Part};

use crate::world::World;

/// Bytes that a session may put on the line at once.
const AT_ONCE: usize = 128 << 10;
/// After so many steps in which nothing comes of anything, a connection hangs: that must not be.
const STEPS: usize = 200_000;
/// The longest that a piece is under way, in milliseconds.
const LATE_MS: usize = 400;

/// How a client reaches the session of the vault that is its own: by a wire, or as if there were none between.
pub struct Way {
    /// The session.
    pub session: vault::Session,
    /// What is between.
    pub wire: Option<Wire>,
    /// What the vault has lost keeps nothing from being committed.
    pub holes: bool,
}

impl Way {
    /// The client learns that its session stands. `false`: the wire was cut before.
    pub fn begun(&mut self, world: &World, domain: &Domain) -> Result<bool> {
        self.wire.as_mut().map_or(Ok(true), |wire| wire.begun(world, &mut self.session, domain))
    }

    /// Which of these the vault lacks. `None`: the wire was cut.
    pub fn lacking(
        &mut self,
        world: &World,
        domain: &Domain,
        chunks: &[ChunkId],
        nodes: &[NodeId],
    ) -> Result<Option<(Vec<bool>, Vec<bool>)>> {
        match &mut self.wire {
            Some(wire) => wire.ask(world, &mut self.session, domain, (chunks, nodes)),
            None => Ok(Some((domain.lacking_chunks(chunks)?, domain.lacking_nodes(nodes)?))),
        }
    }

    /// Puts a record. `false`: the wire was cut, before or after it arrived.
    pub fn put(&mut self, world: &World, domain: &Domain, record: &Record) -> Result<bool> {
        match &mut self.wire {
            Some(wire) => wire.put(world, &mut self.session, domain, record),
            None => self.session.put(record).map(|()| true),
        }
    }

    /// Asks for a commit. `None`: the wire was cut, and nobody knows what came of it.
    pub fn commit(
        &mut self,
        world: &World,
        domain: &Domain,
        link: &SignedLink,
        body: &Record,
    ) -> Result<Option<Outcome>> {
        if let Some(wire) = &mut self.wire {
            return wire.commit(world, &mut self.session, domain, (link, body, self.holes));
        }
        self.session.flush()?;
        self.session.allow_holes(self.holes);
        self.session.commit(link, Some(body)).map(Some)
    }
}

/// One connection, with the call on which records and commits travel.
pub struct Wire {
    client: End,
    server: End,
    dice: Dice,
    now: Millis,
    /// The client's number of the call that stores.
    call: u32,
    /// What the server has of a record that is not whole yet.
    torn: Vec<u8>,
    /// Records that the server has taken, and of which it has said so.
    taken: u64,
    /// Answers that the client has read and not used.
    replies: VecDeque<UpReply>,
    answered: VecDeque<Vec<u8>>,
    /// So many records were sent.
    pub sent: u64,
    /// So many of them are acknowledged.
    pub acknowledged: u64,
    /// Nobody tells the server that the line is cut.
    unnoticed: bool,
}

/// One end, and what it has put on its way.
struct End {
    session: Session,
    flying: VecDeque<(Millis, Vec<u8>)>,
    /// The line is cut after so many bytes more.
    left: usize,
    /// The other end has been told.
    told: bool,
}

impl End {
    fn put(&mut self, now: Millis, bytes: &[u8], dice: &mut Dice) {
        let some = bytes.len().min(self.left);
        self.left -= some;
        let mut rest = &bytes[..some];
        while !rest.is_empty() {
            let most = [7, 200, 3_000, usize::MAX][dice.below(4)];
            let (now_on, later) = rest.split_at((1 + dice.below(most.min(rest.len()))).min(rest.len()));
            // What was sent first arrives first.
            let after = self.flying.back().map_or(now, |(at, _)| *at);
            let late = if dice.one_in(4) { dice.below(LATE_MS) as Millis } else { 0 };
            self.flying.push_back((after.max(now + late), now_on.to_vec()));
            rest = later;
        }
    }

    fn transmit(&mut self, now: Millis, dice: &mut Dice) -> bool {
        let mut out = Vec::new();
        self.session.transmit(now, &mut out, AT_ONCE);
        self.session.taken(now, out.len());
        self.put(now, &out, dice);
        !out.is_empty()
    }

    /// Gives what has arrived to the other end, and the end of the line when nothing more will come.
    fn deliver(&mut self, now: Millis, to: &mut Session, silent: bool) -> bool {
        if self.flying.front().is_some_and(|(at, _)| *at <= now)
            && let Some((_, bytes)) = self.flying.pop_front()
        {
            to.receive(now, &bytes);
            return true;
        }
        let is_end = self.left == 0 && self.flying.is_empty() && !silent && !std::mem::replace(&mut self.told, true);
        if is_end {
            to.receive_end(now);
        }
        is_end
    }
}

impl Wire {
    /// A line that may be cut somewhere, and the call for this session of the vault.
    pub fn open(source: SourceId, resumed: Option<store::id::SessionId>, mut dice: Dice) -> Self {
        // Now and then within the greeting.
        let most = [60, 2_000, 20_000][dice.below(3)];
        let cut = if dice.one_in(4) { dice.below(most) } else { usize::MAX };
        let end = |session: transport::Result<Session>| End {
            session: session.unwrap(),
            flying: VecDeque::new(),
            left: usize::MAX,
            told: false,
        };
        let mut wire = Self {
            client: end(Session::client(Config::client(Hello::new("client", &[])), 0)),
            server: end(Session::server(Config::server(Hello::new("server", &[])), 0)),
            now: 0,
            call: 0,
            torn: Vec::new(),
            taken: 0,
            replies: VecDeque::new(),
            answered: VecDeque::new(),
            sent: 0,
            acknowledged: 0,
            unnoticed: cut != usize::MAX && dice.one_in(3),
            dice,
        };
        if wire.dice.one_in(2) {
            wire.client.left = cut
        } else {
            wire.server.left = cut
        }
        let begin = Begin { sources: vec![source], session: resumed, stripe: false };
        wire.call = wire.client.session.open(0, Class::Bulk, message::encode(&Request::Upload(begin))).unwrap();
        wire
    }

    /// Whether the line is cut and the server was not told.
    #[must_use]
    pub fn is_left_alone(&self) -> bool {
        self.unnoticed
    }

    /// The client learns that its session stands. `false`: the line was cut before.
    pub fn begun(&mut self, world: &World, session: &mut vault::Session, domain: &Domain) -> Result<bool> {
        match self.reply(world, session, domain)? {
            None => Ok(false),
            Some(UpReply::Begun(begun)) if begun.session == session.id() => Ok(true),
            Some(other) => Ok(self.wrong(world, &other)),
        }
    }

    /// Which of these the vault lacks. `None`: the line was cut.
    pub fn ask(
        &mut self,
        world: &World,
        session: &mut vault::Session,
        domain: &Domain,
        (chunks, nodes): (&[ChunkId], &[NodeId]),
    ) -> Result<Option<(Vec<bool>, Vec<bool>)>> {
        let batch = AskBatch {
            chunks: message::join_ids(chunks.iter().map(ChunkId::bytes)),
            nodes: message::join_ids(nodes.iter().map(NodeId::bytes)),
        };
        let asked = self.client.session.open(self.now, Class::Interactive, message::encode(&Request::Ask(batch)));
        if asked.is_err() || !self.run(world, session, domain, |wire| !wire.answered.is_empty())? {
            return Ok(None);
        }
        let answer = self.answered.pop_front().unwrap_or_default();
        let answer: Answered = message::decode(&answer).map_err(|_| Error::Refused { why: "an answer".into() })?;
        Ok(message::from_bits(&answer.chunks, chunks.len()).zip(message::from_bits(&answer.nodes, nodes.len())))
    }

    /// Sends a record. `false`: the line was cut, before or after it arrived.
    pub fn put(
        &mut self,
        world: &World,
        session: &mut vault::Session,
        domain: &Domain,
        record: &Record,
    ) -> Result<bool> {
        let mut bytes = Vec::new();
        record.encode(&mut bytes);
        self.sent += 1;
        self.send(world, session, domain, Part::Data(Bytes::from(bytes)))
    }

    /// Asks for a commit. `None`: the line was cut, and nobody knows what came of it.
    pub fn commit(
        &mut self,
        world: &World,
        session: &mut vault::Session,
        domain: &Domain,
        (link, body, holes): (&SignedLink, &Record, bool),
    ) -> Result<Option<Outcome>> {
        let mut bytes = Vec::new();
        body.encode(&mut bytes);
        let commit = Commit { link: link.bytes().to_vec(), body: Some(bytes), holes: Some(holes) };
        if !self.send(world, session, domain, Part::Message(message::encode(&Up::Commit(commit))))? {
            return Ok(None);
        }
        loop {
            match self.reply(world, session, domain)? {
                None => return Ok(None),
                Some(UpReply::Outcome(outcome)) => return outcome_of(outcome).map(Some),
                Some(UpReply::Ack(_)) => {}
                Some(other) => {
                    self.wrong(world, &other);
                    return Ok(None);
                }
            }
        }
    }

    /// The server goes on with what has left the client, which has gone.
    pub fn drift(&mut self, world: &World, session: &mut vault::Session, domain: &Domain) -> Result<()> {
        while let Some((at, bytes)) = self.client.flying.pop_front() {
            self.now = self.now.max(at);
            self.server.session.receive(self.now, &bytes);
            self.serve(session, domain)?;
            world.baton.stop(false);
        }
        Ok(())
    }

    fn wrong(&self, world: &World, reply: &UpReply) -> bool {
        world.violated(format!("an answer that was not asked for: {reply:?}"));
        false
    }

    fn send(&mut self, world: &World, session: &mut vault::Session, domain: &Domain, part: Part) -> Result<bool> {
        let mut part = Some(part);
        while let Some(waiting) = part.take() {
            match self.client.session.send(self.call, waiting) {
                Ok(refused) => part = refused,
                Err(_) => return Ok(false),
            }
            let mut steps = 0;
            // What fits is on its way; what does not waits until something has been taken.
            let mut moved = |_: &Self| std::mem::replace(&mut steps, 1) == 1;
            if part.is_some() && !self.run(world, session, domain, &mut moved)? {
                return Ok(false);
            }
        }
        // Some of it travels now, some with what follows.
        let mut left = self.dice.below(4);
        self.run(world, session, domain, |_| {
            let over = left == 0;
            left = left.saturating_sub(1);
            over
        })
    }

    /// The next answer on the call that stores; `None` when none will come.
    fn reply(&mut self, world: &World, session: &mut vault::Session, domain: &Domain) -> Result<Option<UpReply>> {
        self.run(world, session, domain, |wire| !wire.replies.is_empty())?;
        Ok(self.replies.pop_front())
    }

    /// Goes on until something is so. `false`: the line is cut, and it will never be.
    fn run(
        &mut self,
        world: &World,
        session: &mut vault::Session,
        domain: &Domain,
        mut until: impl FnMut(&Self) -> bool,
    ) -> Result<bool> {
        for _ in 0..STEPS {
            self.client.session.tick(self.now);
            self.server.session.tick(self.now);
            self.serve(session, domain)?;
            self.hear(world);
            if until(self) {
                return Ok(true);
            }
            if self.client.session.over().is_some() {
                return Ok(false);
            }
            let mut moved = self.client.transmit(self.now, &mut self.dice);
            moved |= self.server.transmit(self.now, &mut self.dice);
            // Both directions of a line end together.
            let cut = self.client.left == 0 || self.server.left == 0;
            if cut {
                (self.client.left, self.server.left) = (0, 0);
            }
            moved |= self.client.deliver(self.now, &mut self.server.session, self.unnoticed);
            moved |= self.server.deliver(self.now, &mut self.client.session, false);
            if !moved {
                let next = [&self.client, &self.server].into_iter().filter_map(|end| end.flying.front().map(|f| f.0));
                let deadlines = [self.client.session.deadline(), self.server.session.deadline()];
                self.now = next.chain(deadlines).min().unwrap_or(self.now).max(self.now + 1);
                world.baton.stop(false);
            }
        }
        world.violated("a connection hangs");
        Ok(false)
    }

    /// What has come to the client.
    fn hear(&mut self, world: &World) {
        while let Some(event) = self.client.session.event() {
            let Event::Readable(id) = event else { continue };
            while let Ok(Read::Part(part)) = self.client.session.read(id) {
                let Part::Message(bytes) = part else { continue };
                if id != self.call {
                    self.answered.push_back(bytes);
                    continue;
                }
                match message::decode(&bytes) {
                    Ok(UpReply::Ack(ack)) => self.acknowledged = ack.records,
                    Ok(reply) => self.replies.push_back(reply),
                    Err(e) => world.violated(format!("an answer cannot be read: {e}")),
                }
            }
            if id != self.call {
                self.client.session.release(id);
            }
        }
    }

    /// What has come to the server, done.
    fn serve(&mut self, session: &mut vault::Session, domain: &Domain) -> Result<()> {
        while let Some(event) = self.server.session.event() {
            let (Event::Request(id) | Event::Readable(id)) = event else { continue };
            while let Ok(Read::Part(part)) = self.server.session.read(id) {
                match part {
                    Part::Data(bytes) => self.take(&bytes, session)?,
                    Part::Message(bytes) if matches!(event, Event::Request(_)) => {
                        self.request(id, &bytes, session, domain)?;
                    }
                    Part::Message(bytes) => self.up(id, &bytes, session)?,
                }
            }
        }
        Ok(())
    }

    fn request(&mut self, id: u32, bytes: &[u8], session: &vault::Session, domain: &Domain) -> Result<()> {
        match message::decode(bytes) {
            Ok(Request::Upload(_)) => {
                let begun = Begun { session: session.id(), generation: domain.generation()? };
                self.answer(id, &message::encode(&UpReply::Begun(begun)));
                Ok(())
            }
            Ok(Request::Ask(batch)) => {
                let (chunks, nodes) = (
                    message::split_ids(&batch.chunks, ChunkId::new).unwrap_or_default(),
                    message::split_ids(&batch.nodes, NodeId::new).unwrap_or_default(),
                );
                let generation = domain.generation()?;
                let answered = Answered {
                    chunks: message::to_bits(&domain.lacking_chunks(&chunks)?),
                    nodes: message::to_bits(&domain.lacking_nodes(&nodes)?),
                    generation,
                };
                self.answer(id, &message::encode(&answered));
                self.server.session.end_stream(id).ok();
                self.server.session.release(id);
                Ok(())
            }
            _ => Err(Error::Refused { why: "a request cannot be read".into() }),
        }
    }

    /// Records out of the bytes that came, however they were cut.
    fn take(&mut self, bytes: &[u8], session: &mut vault::Session) -> Result<()> {
        self.torn.extend_from_slice(bytes);
        while let Some(head) = self.torn.get(..HEADER_BYTES) {
            let header = Header::decode(head)?;
            let len = HEADER_BYTES + header.clear_len as usize + header.sealed_len as usize;
            let Some(whole) = self.torn.get(..len) else { break };
            let record = Record::decode(whole)?;
            self.torn.drain(..len);
            session.put(&record)?;
            self.taken += 1;
            if self.dice.one_in(4) {
                session.flush()?;
                self.acknowledge();
            }
        }
        Ok(())
    }

    fn acknowledge(&mut self) {
        let ack = UpReply::Ack(Ack { records: self.taken, stored_bytes: 0 });
        self.answer(self.call, &message::encode(&ack));
    }

    fn up(&mut self, id: u32, bytes: &[u8], session: &mut vault::Session) -> Result<()> {
        let Ok(Up::Commit(commit)) = message::decode(bytes) else {
            return Err(Error::Refused { why: "a message between records cannot be read".into() });
        };
        session.flush()?;
        self.acknowledge();
        let link = SignedLink::decode(&commit.link)?;
        let body = commit.body.as_deref().map(Record::decode).transpose()?;
        session.allow_holes(commit.holes.unwrap_or(false));
        let outcome = match session.commit(&link, body.as_ref())? {
            Outcome::Committed(link) => {
                message::Outcome::Committed(Committed { chain: link.chain_hash(), link: link.encode().to_vec() })
            }
            Outcome::Conflict(_) => message::Outcome::Conflict(None),
            Outcome::Lacking { chunks, nodes } => message::Outcome::Lacking {
                chunks: message::join_ids(chunks.iter().map(ChunkId::bytes)),
                nodes: message::join_ids(nodes.iter().map(NodeId::bytes)),
            },
        };
        self.answer(id, &message::encode(&UpReply::Outcome(outcome)));
        Ok(())
    }

    /// What a client that has gone is told, nobody hears.
    fn answer(&mut self, id: u32, bytes: &[u8]) {
        self.server.session.send(id, Part::Message(bytes.to_vec())).ok();
    }
}

fn outcome_of(outcome: message::Outcome) -> Result<Outcome> {
    let unread = || Error::Refused { why: "an outcome cannot be read".to_owned() };
    Ok(match outcome {
        message::Outcome::Committed(committed) => Outcome::Committed(ReceivedLink::decode(&committed.link)?),
        message::Outcome::Conflict(_) => Outcome::Conflict(None),
        message::Outcome::Lacking { chunks, nodes } => Outcome::Lacking {
            chunks: message::split_ids(&chunks, ChunkId::new).ok_or_else(unread)?,
            nodes: message::split_ids(&nodes, NodeId::new).ok_or_else(unread)?,
        },
    })
}
