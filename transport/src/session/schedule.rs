//! What is sent next.
//!
//! Control frames are not queued but owed: each is made from the state of the connection or of its stream when its turn
//! comes. So a peer that takes nothing cannot make them pile up. Then come the streams, those for a person before those
//! for bulk, each in turn; bulk gets one frame in seventeen even when persons want everything.

use std::ops::Bound;

use store::door::Millis;

use super::streams::{Class, Out, Part, Stream};
use super::{Event, Session};
use crate::frame::{HEADER_BYTES, Header, Kind, flag};
use crate::limits::{
    DATA_BYTES_MAX, FRAME_COST, READ_DEBT_BYTES, SMALLEST_GRANT_BYTES as SMALLEST_GRANT, STREAM_START_BYTES,
    URGENT_DEBT_BYTES, URGENT_RUN_BYTES, WORKING_MS,
};

/// Whose turn it is.
#[derive(Debug, Default)]
pub(super) struct Turns {
    /// The stream of each class that was served last.
    urgent: u32,
    bulk: u32,
    /// Bytes that urgent streams have sent while bulk waited.
    run: usize,
}

impl Session {
    /// Appends frames to `out` until it holds `most` bytes or more, or there is nothing to send. The caller hands them
    /// to the pipe in this order and reports to [`taken`](Self::taken) what the pipe has taken.
    pub fn transmit(&mut self, now: Millis, out: &mut Vec<u8>, most: usize) {
        let before = out.len();
        self.up.refill(now);
        self.down.refill(now);
        self.write_control(now, out);
        self.up.take((out.len() - before) as u64);
        if self.over.is_none() && self.timers.bye_sent.is_none() {
            while out.len() < most && self.write_part(now, out) {}
            self.write_bye(now, out);
        }
        self.forget_streams();
        // What waits for a rate has a moment at which it goes; what waits for something else has none.
        let limited = self.over.is_none() && (self.up.is_limited() || self.down.is_limited());
        let waits = limited && (now.saturating_add(1)..Millis::MAX).contains(&self.throttle_deadline());
        self.throttled.look(now, waits);
        let bytes = out.len() - before;
        self.traffic.sent_bytes += bytes as u64;
        if bytes > 0 {
            self.timers.handed(now, bytes);
        }
    }

    /// Everything that is owed, most urgent first.
    fn write_control(&mut self, now: Millis, out: &mut Vec<u8>) {
        let silent = self.over.is_some() || self.timers.bye_sent.is_some();
        if silent && self.goaway_due.is_none() {
            return;
        }
        if let Some(preamble) = self.preamble_due.take() {
            out.extend_from_slice(&preamble);
        }
        if let Some(goaway) = self.goaway_due.take() {
            Header::connection(Kind::Goaway).encode(&goaway, out);
            return;
        }
        if let Some(echo) = self.pong_due.take() {
            Header::connection(Kind::Pong).encode(&echo, out);
        }
        if std::mem::take(&mut self.ping_due) {
            Header::connection(Kind::Ping).encode(&now.to_le_bytes(), out);
        }
        self.give_credit();
        for (id, stream) in self.streams.iter_mut().filter(|(_, stream)| !stream.opening) {
            write_owed(*id, stream, now, out);
        }
    }

    /// Gives back what was read, as far as pool and throttle allow.
    fn give_credit(&mut self) {
        let (is_client, pool) = (self.is_client, self.pool());
        let mut pooled: u64 = self.streams.values().map(|stream| stream.window.pooled()).sum();
        let [urgent, bulk] = [Class::Interactive, Class::Bulk].map(|class| self.window_size(class));
        for stream in self.streams.values_mut().filter(|s| !s.is_over(is_client) && !s.in_ended) {
            let window = &mut stream.window;
            let (size, throttled) = if stream.class == Class::Bulk { bulk } else { urgent };
            let lacking = window.lacking(size, throttled);
            // Its start belongs to the stream; what is beyond comes from the pool.
            let room = STREAM_START_BYTES.saturating_sub(window.outstanding()) + pool.saturating_sub(pooled);
            let grant = lacking.min(room).min(if throttled { self.down.left() } else { u64::MAX });
            // What a person gets is charged when it comes, and stays away while too much of it is owed.
            let owed = stream.class == Class::Interactive && !self.down.bears(URGENT_DEBT_BYTES);
            if grant < SMALLEST_GRANT || owed {
                continue;
            }
            if throttled {
                self.down.take(grant);
            }
            let before = window.pooled();
            window.grant(grant);
            pooled += window.pooled() - before;
        }
    }

    /// The window of the streams of a class, and whether it is filled only as a throttle allows.
    pub(super) fn window_size(&self, class: Class) -> (u64, bool) {
        match class {
            Class::Interactive => (STREAM_START_BYTES, false),
            // A throttled stream has no use for more than its start: the rate is the bound, not the round trip.
            Class::Bulk if self.down.is_limited() => (STREAM_START_BYTES, true),
            Class::Bulk => {
                let is_bulk = |s: &&Stream| s.class == Class::Bulk && !s.is_over(self.is_client);
                let count = self.streams.values().filter(is_bulk).count() as u64;
                (STREAM_START_BYTES + self.pool() / count.max(1), false)
            }
        }
    }

    /// Sends one frame of a stream, if there is one to send.
    fn write_part(&mut self, now: Millis, out: &mut Vec<u8>) -> bool {
        let urgent = self.next_stream(Class::Interactive, self.turns.urgent);
        let bulk = self.next_stream(Class::Bulk, self.turns.bulk);
        let (id, class) = match (urgent, bulk) {
            (None, None) => return false,
            (Some(id), None) => (id, Class::Interactive),
            (Some(id), Some(_)) if self.turns.run < URGENT_RUN_BYTES => (id, Class::Interactive),
            (_, Some(id)) => (id, Class::Bulk),
        };
        let before = out.len();
        if let Some(stream) = self.streams.get_mut(&id) {
            write_frame(id, stream, self.is_client, now, out);
            if stream.has_room_again() {
                self.events.push_back(Event::Writable(id));
            }
        }
        let bytes = out.len() - before;
        self.up.take(bytes as u64);
        match class {
            Class::Interactive => {
                self.turns.urgent = id;
                self.turns.run = if bulk.is_some() { self.turns.run.saturating_add(bytes) } else { 0 };
            }
            Class::Bulk => {
                self.turns.bulk = id;
                self.turns.run = 0;
            }
        }
        bytes > 0
    }

    /// The next stream of a class that has a frame that may be sent, after the one that was served last.
    fn next_stream(&self, class: Class, last: u32) -> Option<u32> {
        if !self.up.bears(debt(class)) {
            return None;
        }
        let after = self.streams.range((Bound::Excluded(last), Bound::Unbounded));
        let before = self.streams.range(..=last);
        after.chain(before).find(|(id, stream)| stream.class == class && self.may_send(**id, stream)).map(|(id, _)| *id)
    }

    /// Whether a stream has a frame, and credit for it.
    fn may_send(&self, id: u32, stream: &Stream) -> bool {
        if stream.is_over(self.is_client) || (stream.opening && !self.may_open(id, stream)) {
            return false;
        }
        // Before the server's HELLO nothing goes but the first request.
        if self.agreed.is_none() && !stream.opening {
            return false;
        }
        match stream.queue.front() {
            Some(part @ Part::Message(_)) => stream.credit >= part.cost(),
            Some(Part::Data(_)) => stream.credit > FRAME_COST,
            None => stream.out == Out::Ending,
        }
    }

    /// Whether a new stream may show itself to the server.
    fn may_open(&self, id: u32, stream: &Stream) -> bool {
        let Some(agreed) = &self.agreed else { return self.first_stream == Some(id) };
        // A new stream gives the far side a start of credit; with a debt of the rate downwards it has to wait.
        let allowed = stream.class == Class::Interactive || self.down.is_open();
        let open = self.streams.values().filter(|s| !s.opening && !s.is_over(self.is_client)).count();
        allowed && open < agreed.streams_max
    }

    /// Says goodbye when it is time.
    fn write_bye(&mut self, now: Millis, out: &mut Vec<u8>) {
        let wanted = self.leaving || self.bye_received;
        if !wanted || self.timers.bye_sent.is_some() || self.agreed.is_none() {
            return;
        }
        // Our END goes before it, and so does the end of what the peer still waits for. Where the peer was faster and has
        // ended everything, ours is never sent.
        let is_client = self.is_client;
        let before = |stream: &Stream| match stream.stopped {
            None => stream.out == Out::Ending && !stream.is_over(is_client),
            Some(_) => stream.awaited && !stream.released,
        };
        if self.streams.values().any(before) {
            return;
        }
        Header::connection(Kind::Bye).encode(&[], out);
        self.timers.bye_sent = Some(now);
        if self.bye_received {
            self.end(now, Ok(()));
        }
    }

    /// When the throttle lets something go that waits for nothing else.
    pub(super) fn throttle_deadline(&self) -> Millis {
        let mut deadline = self.urgent_deadline();
        let bulk = || self.streams.iter().filter(|(_, s)| s.class == Class::Bulk && !s.is_over(self.is_client));
        if !self.up.is_open() && bulk().any(|(_, s)| !s.queue.is_empty() || s.out == Out::Ending) {
            deadline = deadline.min(self.up.when(0));
        }
        if !self.down.is_open() && bulk().any(|(_, s)| s.opening) {
            deadline = deadline.min(self.down.when(0));
        }
        if self.down.is_limited() && bulk().any(|(_, s)| !s.in_ended && s.window.lacking(STREAM_START_BYTES, true) > 0)
        {
            deadline = deadline.min(self.down.when(SMALLEST_GRANT));
        }
        deadline
    }
}

impl Session {
    /// How long nothing more should be read from the pipe, in milliseconds, because too much came for the rate downwards;
    /// `None`: reading may go on. Nobody who waits for credit makes it so.
    pub fn hold(&mut self, now: Millis) -> Option<Millis> {
        self.down.refill(now);
        let wait = self.down.when_bears(READ_DEBT_BYTES).saturating_sub(now);
        (!self.down.bears(READ_DEBT_BYTES) && self.over.is_none() && wait > 0).then_some(wait)
    }

    /// When something for a person may go that has run up too much of a debt.
    fn urgent_deadline(&self) -> Millis {
        let mut deadline = Millis::MAX;
        let urgent = || self.streams.values().filter(|s| s.class == Class::Interactive && !s.is_over(self.is_client));
        if !self.up.bears(URGENT_DEBT_BYTES) && urgent().any(|s| !s.queue.is_empty() || s.out == Out::Ending) {
            deadline = deadline.min(self.up.when_bears(URGENT_DEBT_BYTES));
        }
        let lacks = |s: &Stream| !s.in_ended && s.window.lacking(STREAM_START_BYTES, false) > 0;
        if !self.down.bears(URGENT_DEBT_BYTES) && urgent().any(lacks) {
            deadline = deadline.min(self.down.when_bears(URGENT_DEBT_BYTES));
        }
        deadline
    }
}

/// What may be sent ahead of a rate, in bytes.
fn debt(class: Class) -> u64 {
    match class {
        Class::Interactive => URGENT_DEBT_BYTES,
        Class::Bulk => 0,
    }
}

/// The control frames of one stream.
fn write_owed(id: u32, stream: &mut Stream, now: Millis, out: &mut Vec<u8>) {
    let mut write = |kind, payload: &[u8]| Header { kind, flags: 0, stream: id }.encode(payload, out);
    if let Some(code) = stream.reset_due.take() {
        write(Kind::Reset, &code.0.to_le_bytes());
        return;
    }
    if stream.stopped.is_some() {
        return;
    }
    if let Some(bytes) = stream.window.take_due() {
        write(Kind::Credit, &bytes.to_le_bytes());
    }
    if std::mem::take(&mut stream.working_due) {
        write(Kind::Working, &[]);
        stream.said = now;
    }
}

/// The next frame of a stream that may send one.
fn write_frame(id: u32, stream: &mut Stream, is_client: bool, now: Millis, out: &mut Vec<u8>) {
    let mut flags = 0;
    if std::mem::take(&mut stream.opening) {
        flags |= flag::OPEN;
        stream.heard = now;
    }
    stream.said = now;
    let (kind, payload) = match stream.queue.pop_front() {
        Some(Part::Message(message)) => (Kind::Message, message.into()),
        Some(Part::Data(mut data)) => {
            let credit = usize::try_from(stream.credit.saturating_sub(FRAME_COST)).unwrap_or(usize::MAX);
            let frame = data.split_to(data.len().min(DATA_BYTES_MAX).min(credit));
            if !data.is_empty() {
                stream.queue.push_front(Part::Data(data));
            }
            (Kind::Data, frame)
        }
        None => (Kind::Data, bytes::Bytes::new()),
    };
    if kind == Kind::Message || !payload.is_empty() {
        stream.credit = stream.credit.saturating_sub(payload.len() as u64 + FRAME_COST);
    }
    stream.queued_bytes = stream.queued_bytes.saturating_sub(payload.len());
    if stream.queue.is_empty() && stream.out == Out::Ending {
        flags |= flag::END;
        stream.out = Out::Ended;
        if !is_client {
            // A server's END closes the stream: what the client still says is for nobody.
            stream.drop_incoming();
            stream.window.close();
        }
    }
    out.reserve(HEADER_BYTES + payload.len());
    Header { kind, flags, stream: id }.encode(&payload, out);
}

/// When the server next has to say that it works.
pub(super) fn working_deadline(stream: &Stream) -> Millis {
    stream.said.saturating_add(WORKING_MS)
}
