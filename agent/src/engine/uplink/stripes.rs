//! More channels for records: stripes.
//!
//! ```text
//!              ┌── main call ───────────────────────────────────────► session: publishes, commits
//!  put ──► lane┼── stripe: queue ─► feed ─► channel ─► its server ──► packs, handed over to the session
//!              └── stripe: queue ─► feed ─► channel ─► its server ──► packs, handed over to the session
//! ```
//!
//! A record goes to the lane that has the least to do. Before a commit goes out on the main call, every stripe hands
//! over what it has got; the session finds that in its folder. Before the last one they then end. No stripe is ever
//! needed: when one is lost, or refused, what it had not acknowledged goes through the others, and what it had is adopted
//! by the session.

use std::collections::VecDeque;
use std::sync::Arc;

use store::door::{Clock, Millis};
use transport::message::{self, Ack, Begin, Request, Up, UpReply};
use transport::{Call, Class, Client, Part, Traffic};

use super::outgoing::Outgoing;
use super::share::{Channels, Seen, WINDOW_MS};
use super::{Inner, Uplink, begun};
use crate::engine::crew::start;
use crate::engine::queue::{lock, wait};
use crate::engine::remote::take_reply;
use crate::engine::trouble::{from_transport, protocol};
use crate::fault::Result;
use crate::profile::{Profile, Stage, Wait, did, waiting};

/// Records on a lane, once there are several: a channel's window, what the server acknowledges at once, and a record
/// ahead.
const LANE_BYTES_MAX: usize = 3 << 20;
/// The same on the main call: half of a channel's window. Questions go over that channel, and would wait for it.
const MAIN_BYTES_MAX: usize = 1 << 20;
/// With fewer bytes under way no stripe is opened: small changes go over one channel.
const FIRST_BYTES: usize = 1 << 20;
/// With so many to a far server several are opened at once: one channel takes them in the time in which others begin.
const FAR_BYTES: usize = 4 << 20;
/// How long stripes may take to end, in milliseconds, once nothing of them is needed any more.
const PARTING_MS: u64 = 5_000;
/// Stripes that may be lost before no more are opened.
const LOSSES_MAX: usize = 8;

/// How stripes are opened, and when.
pub struct Plan {
    /// How many.
    pub channels: Channels,
    /// Makes another connection with the account opened on it.
    pub open: Box<dyn Fn() -> Result<Client> + Send + Sync>,
    /// For how long sending is held up.
    pub clock: Arc<dyn Clock>,
    /// Measures the stripes.
    pub profile: Profile,
}

/// What is known of all stripes.
#[derive(Default)]
pub(super) struct Stripes {
    lanes: Vec<Lane>,
    /// Connections whose lane has ended, until their last byte is counted.
    leaving: Vec<(u64, Client)>,
    /// Records that went down with their stripe.
    orphans: VecDeque<Outgoing>,
    /// Channels that there should be, the main one included; none is wanted before there is something to send.
    wanted: usize,
    /// Channels that there may be at most.
    planned: usize,
    /// The same, or fewer, when the far side refuses them.
    most: usize,
    /// Stripes that are being opened.
    opening: usize,
    /// Numbers given out.
    numbers: u64,
    losses: usize,
    /// What is committed next is all that there is to send.
    last: bool,
    /// Of lanes that have ended.
    stored_bytes: u64,
    /// Of connections that have ended.
    traffic: Traffic,
    watch: Watch,
}

/// How long sending is held up.
#[derive(Default)]
struct Watch {
    since: Option<Millis>,
    held_up_ms: Millis,
}

/// A stripe that is to be opened.
#[derive(Clone, Copy)]
struct Wanted {
    number: u64,
    /// Of the main connection.
    generation: u64,
}

/// One stripe.
struct Lane {
    number: u64,
    client: Client,
    /// To be sent.
    queue: VecDeque<Item>,
    /// Sent and not acknowledged, oldest first.
    unacked: VecDeque<Outgoing>,
    /// Of both.
    bytes: usize,
    /// Records that were put since it was last asked to hand over.
    unasked: bool,
    /// Times that it was asked to hand over, and that it did.
    asked: u64,
    handed_over: u64,
    /// It gets nothing more, and ends.
    parting: bool,
    /// What the server counted.
    acked: u64,
    stored_bytes: u64,
}

/// What a lane sends.
enum Item {
    Record(Outgoing),
    HandOver,
}

impl Lane {
    fn take(&mut self, record: &Outgoing) {
        self.bytes += record.len();
        self.unasked = true;
        self.queue.push_back(Item::Record(record.clone()));
    }

    /// What to send next.
    fn next(&mut self) -> Option<Item> {
        let item = self.queue.pop_front()?;
        if let Item::Record(record) = &item {
            self.unacked.push_back(record.clone());
        }
        Some(item)
    }

    fn acknowledge(&mut self, ack: &Ack) -> Result<()> {
        while self.acked < ack.records {
            let record = self.unacked.pop_front().ok_or_else(|| protocol("more was acknowledged than was sent"))?;
            self.bytes -= record.len();
            self.acked += 1;
        }
        self.stored_bytes = ack.stored_bytes;
        Ok(())
    }
}

impl Stripes {
    fn lane(&mut self, number: u64) -> Option<&mut Lane> {
        self.lanes.iter_mut().find(|lane| lane.number == number)
    }

    /// The main call and all stripes.
    fn open(&self) -> usize {
        1 + self.lanes.len() + self.opening
    }

    /// Records pile up: so many channels are wanted, unless it was tried and came to nothing. True when that is news.
    fn want(&mut self, channels: usize) -> bool {
        let more = channels > self.wanted && (self.wanted == 0 || self.losses == 0);
        if more {
            self.wanted = channels;
        }
        more
    }

    /// Bytes stored by stripes.
    pub(super) fn stored_bytes(&self) -> u64 {
        self.stored_bytes + self.lanes.iter().map(|lane| lane.stored_bytes).sum::<u64>()
    }

    /// Bytes to be sent, or sent and not acknowledged.
    pub(super) fn unacked_bytes(&self) -> u64 {
        self.lanes.iter().map(|lane| lane.bytes as u64).sum::<u64>()
            + self.orphans.iter().map(|o| o.len() as u64).sum::<u64>()
    }

    /// Bytes on their pipes.
    pub(super) fn traffic(&self) -> Traffic {
        let live = self.lanes.iter().map(|lane| &lane.client);
        let all = live.chain(self.leaving.iter().map(|(_, client)| client)).map(Client::traffic);
        all.fold(self.traffic, |sum, one| Traffic {
            sent_bytes: sum.sent_bytes + one.sent_bytes,
            received_bytes: sum.received_bytes + one.received_bytes,
        })
    }

    /// A lane ends; what it had not acknowledged waits for another one.
    fn end(&mut self, number: u64) -> Option<Client> {
        let at = self.lanes.iter().position(|lane| lane.number == number)?;
        let lane = self.lanes.swap_remove(at);
        self.stored_bytes += lane.stored_bytes;
        self.orphans.extend(lane.unacked);
        self.orphans.extend(lane.queue.into_iter().filter_map(|item| match item {
            Item::Record(record) => Some(record),
            Item::HandOver => None,
        }));
        self.leaving.push((number, lane.client.clone()));
        Some(lane.client)
    }

    /// The main connection is a new one, which may allow what the one before refused.
    pub(super) fn renew(&mut self) {
        self.end_all();
        self.most = self.planned;
    }

    /// Everything was handed over and nothing more comes: the lanes end while that is committed.
    fn part(&mut self) {
        if std::mem::take(&mut self.last) {
            self.lanes.iter_mut().for_each(|lane| lane.parting = true);
            self.wanted = 0;
        }
    }

    /// All lanes end at once.
    pub(super) fn end_all(&mut self) {
        while let Some(number) = self.lanes.first().map(|lane| lane.number) {
            if let Some(client) = self.end(number) {
                client.give_up();
            }
        }
        self.wanted = 0;
    }
}

impl Uplink {
    /// The same uplink, with stripes.
    #[must_use]
    pub fn striped(mut self, plan: Plan) -> Self {
        let most = plan.channels.most;
        {
            let stripes = &mut lock(&self.inner).stripes;
            (stripes.planned, stripes.most) = (most, most);
        }
        self.plan = Some(plan);
        self
    }

    // ---- records --------------------------------------------------------------------------------------------------

    /// What is committed next is the last of this run, unless a record follows after all: stripes end beside it.
    pub fn expect_nothing(&self) {
        lock(&self.inner).stripes.last = true;
    }

    /// Waits until there is room for a record. True when a stripe has taken it, false when it is for the main call.
    pub(super) fn find_lane(&self, record: &Outgoing) -> Result<bool> {
        let channels = self.plan.as_ref().map(|plan| plan.channels).unwrap_or_default();
        let far = self.is_far();
        let mut inner = lock(&self.inner);
        inner.stripes.last = false;
        loop {
            if let Some(trouble) = &inner.trouble {
                return Err(trouble.clone());
            }
            let on_main = inner.unacked_bytes;
            if on_main >= FIRST_BYTES && inner.stripes.want(channels.at_first(far && on_main >= FAR_BYTES)) {
                self.changed.notify_all();
            }
            let lanes = inner.stripes.lanes.iter_mut().filter(|lane| !lane.parting);
            let least = lanes.min_by_key(|lane| lane.bytes);
            let main_max = if least.is_some() { MAIN_BYTES_MAX } else { super::UNACKED_MAX };
            match least {
                Some(lane) if lane.bytes < LANE_BYTES_MAX && (lane.bytes < on_main || on_main > main_max) => {
                    lane.take(record);
                    drop(inner);
                    self.changed.notify_all();
                    return Ok(true);
                }
                _ if on_main <= main_max => return Ok(false),
                _ => inner = wait(&self.changed, inner, Wait::Room),
            }
        }
    }

    /// Sends what went down with stripes. When this returns, nobody has such a record in hand. The next record does it, and
    /// the next commit; whoever waits between the last record and the commit does it meanwhile.
    pub fn rescue(&self) -> Result<()> {
        let _one_at_a_time = lock(&self.rescuing);
        loop {
            let Some(orphan) = lock(&self.inner).stripes.orphans.pop_front() else { return Ok(()) };
            self.put_outgoing(&orphan)?;
        }
    }

    /// Waits until everything that was put is on the main call, or is where the session's commit finds it.
    pub(super) fn settle(&self) -> Result<()> {
        loop {
            self.rescue()?;
            let mut inner = lock(&self.inner);
            let mut asked: Vec<(u64, u64)> = Vec::new();
            for lane in &mut inner.stripes.lanes {
                if std::mem::take(&mut lane.unasked) {
                    lane.queue.push_back(Item::HandOver);
                    lane.asked += 1;
                }
                asked.push((lane.number, lane.asked));
            }
            self.changed.notify_all();
            while asked
                .iter()
                .any(|(number, times)| inner.stripes.lane(*number).is_some_and(|lane| lane.handed_over < *times))
                && inner.trouble.is_none()
            {
                inner = wait(&self.changed, inner, Wait::Room);
            }
            if let Some(trouble) = &inner.trouble {
                return Err(trouble.clone());
            }
            // What a lost one had goes through others, which then have to hand over too.
            if asked.iter().all(|(number, _)| inner.stripes.lane(*number).is_some()) {
                inner.stripes.part();
                drop(inner);
                self.changed.notify_all();
                return Ok(());
            }
        }
    }

    /// The time now, when it matters how long sending takes.
    pub(super) fn stopwatch(&self) -> Option<Millis> {
        self.plan.as_ref().filter(|plan| plan.channels.most > 1).map(|plan| plan.clock.monotonic_ms())
    }

    /// A record was sent, in the time since `begun`: decides from time to time how many channels there should be.
    pub(super) fn consider(&self, begun: Option<Millis>) {
        let (Some(begun), Some(plan)) = (begun, &self.plan) else { return };
        let now = plan.clock.monotonic_ms();
        let round_trip_ms = self.remote.client().1.round_trip_ms();
        let mut inner = lock(&self.inner);
        let stripes = &mut inner.stripes;
        let since = *stripes.watch.since.get_or_insert(begun);
        stripes.watch.held_up_ms += now - begun;
        if now - since < WINDOW_MS {
            return;
        }
        let watch = std::mem::take(&mut stripes.watch);
        let open = stripes.open();
        if stripes.wanted == 0 || stripes.wanted > open || stripes.opening > 0 || stripes.losses > LOSSES_MAX {
            // There is little to send, the last decision is not yet carried out, or was in vain too often.
            return;
        }
        let seen = Seen { open, round_trip_ms, window_ms: now - since, held_up_ms: watch.held_up_ms };
        let most = stripes.most;
        stripes.wanted = Channels { most, ..plan.channels }.wanted(&seen);
        drop(inner);
        self.changed.notify_all();
    }

    // ---- stripes --------------------------------------------------------------------------------------------------

    /// Opens stripes as they are wanted, until the uplink is closed: a thread of its own.
    pub fn steer(&self) {
        let Some(plan) = &self.plan else { return };
        std::thread::scope(|scope| {
            while let Some(wanted) = self.next_stripe() {
                if let Err(fault) = start(scope, move || self.stripe(plan, wanted)) {
                    drop(self.enlist(wanted, Err(fault)));
                }
            }
        });
    }

    /// Waits until a stripe is wanted and the session stands.
    fn next_stripe(&self) -> Option<Wanted> {
        let mut inner = lock(&self.inner);
        loop {
            if inner.closing || inner.trouble.is_some() || inner.stripes.planned <= 1 {
                return None;
            }
            if inner.stands && inner.stripes.wanted.min(inner.stripes.most) > inner.stripes.open() {
                inner.stripes.opening += 1;
                inner.stripes.numbers += 1;
                return Some(Wanted { number: inner.stripes.numbers, generation: inner.generation });
            }
            inner = wait(&self.changed, inner, Wait::Input);
        }
    }

    /// One stripe from its beginning to its end.
    fn stripe(&self, plan: &Plan, wanted: Wanted) {
        let _worker = plan.profile.worker(Stage::Stripe);
        let number = wanted.number;
        let opened = (plan.open)().and_then(|client| Ok((self.attach(&client)?, client)));
        let enlisted = self.enlist(wanted, opened);
        let Some((call, client)) = enlisted else { return };
        std::thread::scope(|scope| match start(scope, || self.hear_stripe(number, &call)) {
            Ok(_) => self.feed_stripe(number, &call),
            Err(_) => self.lose_stripe(number),
        });
        drop(call);
        // Whatever is wrong with it now: nothing of it is needed any more.
        drop(client.clone().close());
        let mut inner = lock(&self.inner);
        let last = client.traffic();
        inner.stripes.traffic.sent_bytes += last.sent_bytes;
        inner.stripes.traffic.received_bytes += last.received_bytes;
        inner.stripes.leaving.retain(|(leaving, _)| *leaving != number);
    }

    /// Attaches a connection to the session.
    fn attach(&self, client: &Client) -> Result<Call> {
        let begin = Begin { sources: Vec::new(), session: Some(self.session), stripe: true };
        let call = client.call(Class::Bulk, message::encode(&Request::Upload(begin)));
        let call = call.map_err(|error| from_transport(&error))?;
        begun(waiting(Wait::Input, || call.recv()).map_err(|error| from_transport(&error))?)?;
        Ok(call)
    }

    /// A stripe is open, or could not be.
    fn enlist(&self, wanted: Wanted, opened: Result<(Call, Client)>) -> Option<(Call, Client)> {
        let mut inner = lock(&self.inner);
        inner.stripes.opening -= 1;
        let enlisted = match opened {
            Ok((call, client)) if !inner.closing && inner.trouble.is_none() => {
                inner.stripes.lanes.push(Lane {
                    number: wanted.number,
                    client: client.clone(),
                    queue: VecDeque::new(),
                    unacked: VecDeque::new(),
                    bytes: 0,
                    unasked: false,
                    asked: 0,
                    handed_over: 0,
                    parting: false,
                    acked: 0,
                    stored_bytes: 0,
                });
                Some((call, client))
            }
            Ok((_, client)) => {
                client.give_up();
                None
            }
            // The far side may allow no more sessions on a connection. What it does allow will do.
            Err(_) if inner.generation == wanted.generation => {
                inner.stripes.most = 1 + inner.stripes.lanes.len();
                None
            }
            // The connection was lost meanwhile, and its session refused what it did not know any more.
            Err(_) => None,
        };
        drop(inner);
        self.changed.notify_all();
        enlisted
    }

    /// Sends what the lane has, until it or the uplink ends.
    fn feed_stripe(&self, number: u64, call: &Call) {
        loop {
            let sent = match self.next_item(number) {
                Some(Some(Item::Record(record))) => {
                    did(1, record.len() as u64);
                    record.send(call)
                }
                Some(Some(Item::HandOver)) => call.send_message(message::encode(&Up::HandOver)),
                Some(None) => {
                    // The server answers with its own end; see `hear_stripe`.
                    drop(call.end());
                    return;
                }
                None => return,
            };
            if sent.is_err() {
                return self.lose_stripe(number);
            }
        }
    }

    /// What a lane has to send: nothing more when the uplink is closing, `None` when the lane is gone.
    fn next_item(&self, number: u64) -> Option<Option<Item>> {
        let mut inner = lock(&self.inner);
        loop {
            let closing = inner.closing;
            let lane = inner.stripes.lane(number)?;
            match lane.next() {
                Some(item) => return Some(Some(item)),
                None if closing || lane.parting => return Some(None),
                None => inner = wait(&self.changed, inner, Wait::Input),
            }
        }
    }

    /// Hears acknowledgements until the stripe ends.
    fn hear_stripe(&self, number: u64, call: &Call) {
        loop {
            let heard = match waiting(Wait::Input, || call.recv()) {
                Ok(Some(Part::Message(bytes))) => take_reply(&bytes),
                Ok(None) if self.may_end(number) => break,
                _ => return self.lose_stripe(number),
            };
            let mut inner = lock(&self.inner);
            let Some(lane) = inner.stripes.lane(number) else { return };
            let taken = match heard {
                Ok(UpReply::Ack(ack)) => lane.acknowledge(&ack),
                Ok(UpReply::HandedOver(ack)) => {
                    lane.handed_over += 1;
                    lane.acknowledge(&ack)
                }
                Ok(UpReply::Begun(_) | UpReply::Outcome(_)) => Err(protocol("a stripe answers what nobody asked")),
                Err(refused) => Err(refused),
            };
            drop(inner);
            if taken.is_err() {
                return self.lose_stripe(number);
            }
            self.changed.notify_all();
        }
        lock(&self.inner).stripes.end(number);
        self.changed.notify_all();
    }

    fn may_end(&self, number: u64) -> bool {
        let mut inner = lock(&self.inner);
        inner.closing || inner.stripes.lane(number).is_some_and(|lane| lane.parting)
    }

    fn lose_stripe(&self, number: u64) {
        let mut inner = lock(&self.inner);
        if let Some(client) = inner.stripes.end(number) {
            inner.stripes.losses += 1;
            // Others that are parting are not to be replaced, either.
            inner.stripes.wanted = inner.stripes.wanted.min(inner.stripes.open());
            client.give_up();
        }
        drop(inner);
        self.changed.notify_all();
    }

    /// Waits until the stripes have ended after `closing` was set, or gives them up when that takes too long: nothing
    /// that they have is needed any more.
    pub(super) fn part_stripes(&self) {
        let most = std::time::Duration::from_millis(PARTING_MS);
        let waiting = |inner: &mut Inner| !inner.stripes.lanes.is_empty();
        let waited = self.changed.wait_timeout_while(lock(&self.inner), most, waiting);
        let (mut inner, _) = waited.unwrap_or_else(std::sync::PoisonError::into_inner);
        inner.stripes.end_all();
    }
}
