//! Clients that back up: begin, ask, send what lacks, commit; cut off, resuming, giving up.
//!
//! Client and the process that serves it are one thread here, which calls the vault as `agent/src/serve/upload.rs`
//! does. Half of them have a [wire](crate::wire) between them that can be cut at any byte; with the others it can fall
//! between any two messages: an answer is lost, the server notices and ends, or it hangs and goes on with what it was sent.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use store::catalog::Wanted;
use store::chain::{self, LinkKind, ReceivedLink, SignedLink};
use store::door::sim::Dice;
use store::id::{ChunkId, NodeId, SessionId, SourceId};
use store::record::{Record, RecordKind, Refs};
use store::vault::{Access, Domain, Outcome, Session};
use store::{Error, Result};

use crate::mutant::Mutant;
use crate::rot;
use crate::tree::{Dir, Item, Maker};
use crate::wire::{Way, Wire};
use crate::world::{Running, World};

/// How often a client connects for one backup.
const CONNECTIONS: usize = 8;
/// How often a client signs again, or sends what lacks, on one connection.
const ROUNDS: usize = 12;

/// A client with one source.
#[derive(Clone, Debug)]
pub struct Client {
    /// What it backs up.
    pub source: SourceId,
    /// What is there now.
    pub tree: Dir,
    /// Boxes of hundreds of KiB instead of hundreds of bytes.
    pub large: bool,
    dice: Dice,
}

/// A backup under way: what its client remembers from one connection to the next.
struct Job {
    session: Option<SessionId>,
    /// Sent, and no answer came.
    pending: Option<(SignedLink, Record)>,
    root: NodeId,
    nodes: Nodes,
    /// Boxes and groups that the server acknowledged in this session: they survive the end of its process.
    acknowledged: BTreeSet<ChunkId>,
}

/// How a connection ended.
enum End {
    Committed,
    /// Connect again.
    Again,
    /// The client has gone.
    Gone,
}

impl Client {
    /// The client of this number.
    #[must_use]
    pub fn new(no: u8, large: bool, mut dice: Dice) -> Self {
        Self { source: SourceId::new([no + 1; 16]), tree: Dir::random(&mut dice, 3), large, dice }
    }

    /// Backs up what is there, through whatever befalls it. Whether it was told of a version.
    pub fn back_up(&mut self, world: &Arc<World>) -> bool {
        let mut nodes = Vec::new();
        let root = self.tree.nodes(&mut nodes);
        let below =
            nodes.iter().flat_map(|(id, refs)| refs.chunks.iter().map(|id| Item::Chunk(*id)).chain([Item::Node(*id)]));
        world.story().trees.entry(root).or_insert_with(|| below.collect());
        let mut job = Job { session: None, pending: None, root, nodes, acknowledged: BTreeSet::new() };
        for _ in 0..CONNECTIONS {
            let running = match world.serve(Access::Write, false) {
                Ok(None) => return false,
                Ok(Some(running)) => running,
                Err(e) => {
                    judge_error(world, "opening", &e);
                    continue;
                }
            };
            match self.connection(world, running, &mut job) {
                Ok(End::Committed) => return true,
                Ok(End::Gone) => return false,
                Ok(End::Again) => {}
                Err(e) => judge_error(world, "backing up", &e),
            }
            world.baton.stop(true);
        }
        false
    }

    fn connection(&mut self, world: &Arc<World>, running: Running, job: &mut Job) -> Result<End> {
        let resumes = job.session.is_some();
        let begun = running.domain.begin(&running.account, &[self.source], job.session);
        let session = match begun {
            Err(Error::Busy { .. }) => {
                // A server that hangs, or one that has not noticed yet.
                return Ok(End::Again);
            }
            other => other?,
        };
        let mut way = Way { session, wire: None, holes: false };
        if self.dice.one_in(2) {
            world.story().tally.wires += 1;
            way.wire = Some(Wire::open(self.source, job.session, self.dice.split()));
        }
        if !running.disk.is_dead() {
            let before = world.story().holders.insert(self.source, running.number);
            if before.is_some() && !resumes {
                world.violated(format!("{} was begun by two sessions", self.source));
            }
        }
        if resumes {
            world.story().tally.resumed += 1;
        }
        let number = running.number;
        let end = self.session(world, &running, &mut way, job);
        let Way { mut session, wire, .. } = way;
        let release = || world.story().holders.retain(|_, holder| *holder != number);
        match end {
            Ok(Step::Done) => {
                release();
                session.end()?;
                Ok(End::Committed)
            }
            Ok(Step::Fell) if wire.as_ref().is_some_and(Wire::is_left_alone) => {
                let sent = Sent { wire, ..Sent::default() };
                self.leave_behind(world, running, session, sent);
                Ok(if self.dice.one_in(4) { End::Gone } else { End::Again })
            }
            Ok(Step::Cut | Step::Fell) => {
                // The server sees that the pipe has ended.
                session.flush().ok();
                release();
                Ok(if self.dice.one_in(4) { End::Gone } else { End::Again })
            }
            Ok(Step::Hung(sent)) => {
                self.leave_behind(world, running, session, *sent);
                Ok(End::Again)
            }
            Err(e) => {
                session.flush().ok();
                release();
                Err(e)
            }
        }
    }

    /// The server does not notice that its client has gone, and works on what it was sent.
    fn leave_behind(&mut self, world: &Arc<World>, running: Running, mut session: Session, sent: Sent) {
        let (number, flushes) = (running.number, self.dice.one_in(2));
        world.story().tally.ghosts += 1;
        world.set_calm(false);
        world.act(move |world| {
            let mut sent = sent;
            let mut done = || -> Result<()> {
                if let Some(wire) = &mut sent.wire {
                    wire.drift(world, &mut session, &running.domain)?;
                }
                for record in &sent.records {
                    session.put(record)?;
                }
                if let Some((link, body)) = &sent.commit {
                    session.commit(link, Some(body))?;
                }
                if flushes {
                    session.flush()?;
                }
                Ok(())
            };
            if let Err(e) = done() {
                judge_error(world, "going on alone", &e);
            }
            world.story().holders.retain(|_, holder| *holder != number);
            drop(session);
            drop(running);
        });
    }

    fn session(&mut self, world: &Arc<World>, running: &Running, way: &mut Way, job: &mut Job) -> Result<Step> {
        let domain = &running.domain;
        if !way.begun(world, domain)? {
            return Ok(Step::Fell);
        }
        if job.session.is_none() && self.dice.one_in(12) {
            // "Begun" does not arrive: the client does not know the session.
            return Ok(Step::Cut);
        }
        job.session = Some(way.session.id());
        if world.is_calm() && !job.acknowledged.is_empty() {
            let chunks: Vec<ChunkId> = job.acknowledged.iter().copied().collect();
            // What is in a volume that is away lacks until it is back.
            let excused = running.disk.is_dead() || world.is_rotten() || world.story().disk_away;
            if domain.lacking_chunks(&chunks)?.contains(&true) && !excused {
                world.violated("what was acknowledged in a session lacks after its server has ended");
            }
        }
        let maker = Maker { domain: running.account.domain, account: running.account.id };
        let heals = world.is_rotten() && world.mutant() != Some(Mutant::HealsNothing);
        let wanted = if heals { domain.wanted()? } else { Wanted::default() };
        let Some((chunks, nodes)) = lacking(world, domain, way, job, &wanted)? else { return Ok(Step::Fell) };
        if !wanted.bodies.is_empty() {
            rot::give_bodies_back(world, running, &mut way.session)?;
        }
        // What a stripe was given may be lost with it.
        let mut excused = BTreeSet::new();
        let mut records = maker.boxes(&mut self.dice, &chunks, self.large);
        records.extend(maker.groups(&mut self.dice, &nodes));
        if let Some(step) = self.send(world, domain, way, job, records, &mut excused)? {
            return Ok(step);
        }
        if self.dice.one_in(6) {
            // A slow one, which others overtake.
            for _ in 0..self.dice.below(800) {
                world.baton.stop(true);
            }
        }
        for _ in 0..ROUNDS {
            let (link, body) = match job.pending.take() {
                Some(pending) => pending,
                None => self.next_link(world, running, &maker, job)?,
            };
            let roots = chain::clear_sources(&body)?.into_iter().map(|(source, root, _)| (source, root)).collect();
            world.submit(&link, &body, roots);
            job.pending = Some((link.clone(), body.clone()));
            match self.dice.below(24) {
                0 => return Ok(Step::Hung(Box::new(Sent { commit: Some((link, body)), ..Sent::default() }))),
                1 => return Ok(Step::Cut),
                _ => {}
            }
            let Some(outcome) = way.commit(world, domain, &link, &body)? else { return Ok(Step::Fell) };
            if self.dice.one_in(10) {
                // The answer is lost.
                return Ok(Step::Cut);
            }
            match outcome {
                Outcome::Committed(received) => {
                    // Whether the link is what the client signed, it sees by itself.
                    if received.signed() != &link {
                        world.violated("another link was acknowledged than was sent");
                    }
                    world.acknowledge(&received);
                    job.pending = None;
                    return Ok(Step::Done);
                }
                Outcome::Conflict(_) => {
                    world.story().tally.conflicts += 1;
                    job.pending = None;
                }
                Outcome::Lacking { chunks, nodes } => {
                    world.story().tally.lacking += 1;
                    self.judge_lacking(world, job, &chunks, &nodes, &excused);
                    let wanted: BTreeSet<NodeId> = nodes.into_iter().collect();
                    let mut seen = BTreeSet::new();
                    let again = job.nodes.iter().filter(|(id, _)| wanted.contains(id) && seen.insert(*id));
                    let again: Vec<_> = again.cloned().collect();
                    let mut records = maker.boxes(&mut self.dice, &chunks, false);
                    records.extend(maker.groups(&mut self.dice, &again));
                    if world.is_rotten() && !self.dice.one_in(3) {
                        // What nobody has any more keeps nothing else from being committed.
                        way.holes = true;
                    }
                    if records.is_empty() && world.is_rotten() {
                        continue;
                    }
                    if records.is_empty() {
                        // It wants what another source has, which this client cannot send: of a version that went.
                        if !world.story().kept_house {
                            world.violated("a root of another source lacks");
                            return Ok(Step::Done);
                        }
                        job.pending = None;
                        continue;
                    }
                    if let Some(step) = self.send(world, domain, way, job, records, &mut excused)? {
                        return Ok(step);
                    }
                }
            }
        }
        if world.is_calm() {
            world.violated("a commit does not come to an end");
        }
        Ok(Step::Cut)
    }

    /// What a live session was told to be there, or has put, never lacks in its commit.
    fn judge_lacking(
        &self,
        world: &World,
        job: &Job,
        chunks: &[ChunkId],
        nodes: &[NodeId],
        excused: &BTreeSet<[u8; 32]>,
    ) {
        if world.calls_fail() || world.is_rotten() {
            return;
        }
        let chunks: BTreeSet<[u8; 32]> = chunks.iter().map(|id| *id.bytes()).collect();
        let nodes: BTreeSet<[u8; 32]> = nodes.iter().map(|id| *id.bytes()).collect();
        let lacks = job.nodes.iter().find_map(|(id, refs)| {
            let chunk =
                refs.chunks.iter().map(|id| *id.bytes()).find(|id| chunks.contains(id) && !excused.contains(id));
            let node = Some(*id.bytes()).filter(|id| nodes.contains(id) && !excused.contains(id));
            chunk.map(|_| "a chunk").or(node.map(|_| "a node"))
        });
        if let Some(what) = lacks {
            world.violated(format!("{what} lacks in a commit, and the session was told that it is there, or put it"));
        }
    }

    /// Puts records, some of them through a stripe.
    fn send(
        &mut self,
        world: &Arc<World>,
        domain: &Domain,
        way: &mut Way,
        job: &mut Job,
        records: Vec<Record>,
        excused: &mut BTreeSet<[u8; 32]>,
    ) -> Result<Option<Step>> {
        let mut stripe = None;
        let mut stripes_process = None;
        if self.dice.one_in(5)
            && let Some(process) = world.serve(Access::Write, false)?
        {
            stripe = Some(process.domain.attach(&process.account, way.session.id())?);
            stripes_process = Some(process);
        }
        // Those that are not known to be acknowledged; how many of the call have been.
        let mut sent: VecDeque<usize> = VecDeque::new();
        let before = way.wire.as_ref().map_or(0, |wire| wire.sent);
        let mut put = 0;
        for at in 0..records.len() {
            let record = &records[at];
            match (&mut stripe, self.dice.one_in(2)) {
                (Some(stripe), true) => {
                    excused.extend(ids(record)?);
                    stripe.put(record)?;
                }
                _ => {
                    if !way.put(world, domain, record)? {
                        return Ok(Some(Step::Fell));
                    }
                    sent.push_back(at);
                    put += 1;
                }
            }
            match self.dice.below(40) {
                0 => return Ok(Some(Step::Cut)),
                1 => {
                    let rest = records[at + 1..].to_vec();
                    return Ok(Some(Step::Hung(Box::new(Sent { records: rest, ..Sent::default() }))));
                }
                2..10 => {
                    let still = match &way.wire {
                        Some(wire) => (before + put - wire.acknowledged.max(before)) as usize,
                        None => way.session.flush().map(|()| 0)?,
                    };
                    while sent.len() > still
                        && let Some(at) = sent.pop_front()
                    {
                        if records[at].header.kind == RecordKind::Box {
                            job.acknowledged.extend(records[at].chunk_ids()?);
                        }
                    }
                }
                _ => {}
            }
        }
        if let Some(mut stripe) = stripe {
            // Otherwise it ends without having handed over, and what it has flushed is adopted.
            if self.dice.one_in(4) { stripe.flush()? } else { stripe.finish()? }
        }
        drop(stripes_process);
        Ok(None)
    }

    /// A version that has this client's root and takes over the others.
    fn next_link(
        &mut self,
        world: &World,
        running: &Running,
        maker: &Maker,
        job: &Job,
    ) -> Result<(SignedLink, Record)> {
        let (domain, account) = (&running.domain, &running.account);
        let head = domain.head(account)?;
        let sequence = head.map_or(0, |head| head.sequence) + 1;
        let mut sources: BTreeMap<SourceId, (NodeId, u64)> = BTreeMap::new();
        for link in domain.links(account, 1, 1_000)?.iter().rev() {
            let link = ReceivedLink::decode(link)?;
            // Newer than the head that this client looked at.
            if link.link().sequence >= sequence || !link.link().kind.is_version() {
                continue;
            }
            let is_damaged = |e: &Error| world.is_rotten() && e.is_damage();
            let body = match domain.body(account, link.link().body) {
                Err(e) if is_damaged(&e) => None,
                other => other?,
            };
            // Whoever made it, or has read it, has it in its cache.
            let cached = || -> Option<Vec<u8>> {
                let mut bytes = Vec::new();
                world.story().submitted.get(&link.link_id())?.body.encode(&mut bytes);
                Some(bytes)
            };
            let body = body.or_else(|| cached().filter(|_| world.is_rotten()));
            let Some(body) = body else {
                // It was not kept; of the newest version that cannot be, unless it is so no more.
                let is_newest = domain.head(account)?.map(|now| now.sequence) == head.map(|then| then.sequence);
                if link.link().kind == LinkKind::Version && is_newest && !running.disk.is_dead() {
                    world.violated("the body of the newest version is not there");
                }
                continue;
            };
            for (source, root, introduced) in chain::clear_sources(&Record::decode(&body)?)? {
                sources.insert(source, (root, introduced));
            }
            break;
        }
        let changed = sources.insert(self.source, (job.root, sequence)).is_none_or(|(root, _)| root != job.root);
        let mut clear = u32::try_from(sources.len()).unwrap_or(0).to_le_bytes().to_vec();
        for (source, (root, introduced)) in &sources {
            clear.extend_from_slice(source.bytes());
            clear.extend_from_slice(root.bytes());
            clear.extend_from_slice(&introduced.to_le_bytes());
        }
        clear.extend_from_slice(&0u32.to_le_bytes());
        let body = maker.record(&mut self.dice, RecordKind::VersionBody, 0, clear, 64);
        let kind = if self.dice.one_in(5) { LinkKind::Partial } else { LinkKind::Version };
        Ok((world.sign(account, head, kind, &body, changed), body))
    }
}

/// What a client had sent when its server was left alone.
#[derive(Default)]
struct Sent {
    /// What is still on its way to the server.
    wire: Option<Wire>,
    records: Vec<Record>,
    commit: Option<(SignedLink, Record)>,
}

enum Step {
    Done,
    Cut,
    /// The wire was cut.
    Fell,
    Hung(Box<Sent>),
}

/// Nodes with what they need, leaves first.
type Nodes = Vec<(NodeId, Refs)>;

/// What has to be sent: nodes that are not complete, leaves first, and the chunks they need.
/// `None`: the wire was cut.
fn lacking(
    world: &World,
    domain: &Domain,
    way: &mut Way,
    job: &Job,
    wanted: &Wanted,
) -> Result<Option<(Vec<ChunkId>, Nodes)>> {
    let ids: Vec<NodeId> = job.nodes.iter().map(|(id, _)| *id).collect();
    let is_wanted = |(id, refs): &(NodeId, Refs)| {
        wanted.nodes.contains(id) || refs.chunks.iter().any(|id| wanted.chunks.contains(id))
    };
    let mut seen = BTreeSet::new();
    let Some((_, answers)) = way.lacking(world, domain, &[], &ids)? else { return Ok(None) };
    let lacking = answers.into_iter().zip(&job.nodes);
    let nodes: Vec<_> =
        lacking.filter(|(lacks, n)| (*lacks || is_wanted(n)) && seen.insert(n.0)).map(|(_, n)| n.clone()).collect();
    let chunks: BTreeSet<ChunkId> = nodes.iter().flat_map(|(_, refs)| refs.chunks.clone()).collect();
    let chunks: Vec<ChunkId> = chunks.into_iter().collect();
    let Some((answers, _)) = way.lacking(world, domain, &chunks, &[])? else { return Ok(None) };
    let chunks = chunks.into_iter().zip(answers).filter(|(_, lacks)| *lacks).map(|(id, _)| id);
    Ok(Some((chunks.collect(), nodes)))
}

/// The chunks or nodes of a record.
fn ids(record: &Record) -> Result<Vec<[u8; 32]>> {
    Ok(if record.header.kind == RecordKind::Box {
        record.chunk_ids()?.iter().map(|id| *id.bytes()).collect()
    } else {
        record.nodes()?.iter().map(|(id, _)| *id.bytes()).collect()
    })
}

/// Errors that may come of what befell the process; others must not be.
pub fn judge_error(world: &World, doing: &str, error: &Error) {
    match error {
        // What is damaged may be met by anybody.
        other if world.is_rotten() && other.is_damage() => {}
        other if world.may_lack_a_disk(other) => {}
        // Injected, or the end of the process.
        Error::Disk { .. } | Error::Busy { .. } | Error::Catalog(_) => {}
        // A session that was cleared away, its parts, or a name that another has given.
        Error::NotFound { .. } | Error::Taken { .. } => {}
        other => world.violated(format!("{doing}: {other}")),
    }
}
