//! One stream: what waits to be sent, what waits to be read, and how it ends.
//!
//! A client opens a stream with a request. Both ends send messages and data; a client's END closes its direction, a
//! server's END closes the stream, whatever the client still has to say. RESET closes it from either end at once.

use std::collections::VecDeque;

use bytes::Bytes;
use store::door::Millis;

use super::credit::Window;
use crate::error::{Code, Error};
use crate::limits::{FRAME_COST, SEND_QUEUE_BYTES, STREAM_START_BYTES};

/// How urgent a stream is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// A person waits for it; goes before all bulk.
    Interactive,
    /// Gets what is left of the line, and never nothing.
    Bulk,
}

impl Class {
    /// The class of the streams with this id: it is a bit of the id, so that the ids of each class rise by
    /// themselves, whichever class is served first. `None`: an id that a client does not give.
    pub(super) fn of(id: u32) -> Option<Self> {
        match id % 4 {
            1 => Some(Self::Interactive),
            3 => Some(Self::Bulk),
            _ => None,
        }
    }
}

/// The highest id in use of each class.
#[derive(Debug, Default)]
pub(super) struct LastIds {
    urgent: u32,
    bulk: u32,
}

impl LastIds {
    fn last(&mut self, class: Class) -> &mut u32 {
        match class {
            Class::Interactive => &mut self.urgent,
            Class::Bulk => &mut self.bulk,
        }
    }

    /// The next id of a class. `None` after a thousand million.
    pub(super) fn next(&mut self, class: Class) -> Option<u32> {
        let first = match class {
            Class::Interactive => 1,
            Class::Bulk => 3,
        };
        let last = self.last(class);
        *last = if *last == 0 { first } else { last.checked_add(4)? };
        Some(*last)
    }

    /// Whether a stream was opened, perhaps long ago.
    pub(super) fn was_opened(&mut self, id: u32) -> bool {
        Class::of(id).is_some_and(|class| id <= *self.last(class))
    }

    /// The peer opens a stream. `None`: it may not have this id.
    pub(super) fn open(&mut self, id: u32) -> Option<Class> {
        let class = Class::of(id)?;
        let last = self.last(class);
        (id > *last).then(|| {
            *last = id;
            class
        })
    }
}

/// Something that was sent on a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// A message, as it was sent.
    Message(Vec<u8>),
    /// The next bytes of the byte stream, cut anywhere.
    Data(Bytes),
}

impl Part {
    /// Bytes in it.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Self::Message(bytes) => bytes.len(),
            Self::Data(bytes) => bytes.len(),
        }
    }

    /// Whether it holds nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What it takes of a stream's credit.
    pub(super) fn cost(&self) -> u64 {
        self.len() as u64 + FRAME_COST
    }
}

/// How far our direction of a stream is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Out {
    /// More may come.
    Open,
    /// Nothing more comes; END follows what waits.
    Ending,
    /// END is sent.
    Ended,
}

#[derive(Debug)]
pub(super) struct Stream {
    pub(super) class: Class,

    /// What waits to be sent, and how many bytes it is.
    pub(super) queue: VecDeque<Part>,
    pub(super) queued_bytes: usize,
    pub(super) out: Out,
    /// What the peer has room for.
    pub(super) credit: u64,
    /// Its first frame is still to be sent.
    pub(super) opening: bool,
    /// A sender was turned away and wants to hear when there is room.
    pub(super) turned_away: bool,

    /// What waits to be read.
    pub(super) inbox: VecDeque<Part>,
    pub(super) window: Window,
    /// The peer's END is here.
    pub(super) in_ended: bool,
    /// A reader knows that there is something, and has not looked yet.
    pub(super) announced: bool,

    /// Why it was stopped before its end.
    pub(super) stopped: Option<Error>,
    /// A RESET is still to be sent.
    pub(super) reset_due: Option<Code>,
    /// Nobody here holds it any more.
    pub(super) released: bool,
    /// On a server: the client had ended it before it said goodbye, so what it asked for is finished first.
    pub(super) awaited: bool,
    /// A WORKING is still to be sent.
    pub(super) working_due: bool,
    /// When the peer last said something on it.
    pub(super) heard: Millis,
    /// When we last said something on it.
    pub(super) said: Millis,
}

impl Stream {
    pub(super) fn new(class: Class, now: Millis) -> Self {
        Self {
            class,
            queue: VecDeque::new(),
            queued_bytes: 0,
            out: Out::Open,
            credit: STREAM_START_BYTES,
            opening: false,
            turned_away: false,
            inbox: VecDeque::new(),
            window: Window::new(),
            in_ended: false,
            announced: false,
            stopped: None,
            reset_due: None,
            released: false,
            awaited: false,
            working_due: false,
            heard: now,
            said: now,
        }
    }

    /// Whether it is over on the wire: frames of the peer that still come are late and are dropped.
    pub(super) fn is_over(&self, is_client: bool) -> bool {
        self.stopped.is_some() || if is_client { self.in_ended } else { self.out == Out::Ended }
    }

    /// On a client: everything of ours is said, and the answer is still to come.
    pub(super) fn is_ended(&self) -> bool {
        self.out != Out::Open && self.queue.is_empty() && self.stopped.is_none() && !self.opening
    }

    /// On a client: everything of ours is said, as far as it goes, and some of it is still to be sent.
    pub(super) fn is_ending(&self) -> bool {
        self.out == Out::Ending && self.stopped.is_none() && !self.released
    }

    /// Whether nothing has to be remembered of it.
    pub(super) fn is_forgettable(&self, is_client: bool) -> bool {
        self.released && self.reset_due.is_none() && self.is_over(is_client)
    }

    /// Puts a part into the queue. `Err`: it is full, and whoever asked is told when it is not.
    pub(super) fn push(&mut self, part: Part) -> Result<(), Part> {
        if self.queued_bytes >= SEND_QUEUE_BYTES {
            self.turned_away = true;
            return Err(part);
        }
        self.queued_bytes += part.len();
        self.queue.push_back(part);
        Ok(())
    }

    /// Whether somebody who was turned away should try again.
    pub(super) fn has_room_again(&mut self) -> bool {
        let again = self.turned_away && self.queued_bytes <= SEND_QUEUE_BYTES / 2;
        self.turned_away &= !again;
        again
    }

    /// Ends it here and now, both ways; what was received can still be read when `keep` is set.
    pub(super) fn stop(&mut self, why: Error, keep: bool) {
        self.stopped.get_or_insert(why);
        self.drop_outgoing();
        self.window.close();
        self.working_due = false;
        if !keep {
            self.drop_incoming();
        }
    }

    /// Forgets what was to be sent.
    pub(super) fn drop_outgoing(&mut self) {
        self.queue.clear();
        self.queued_bytes = 0;
    }

    /// Forgets what was to be read.
    pub(super) fn drop_incoming(&mut self) {
        self.inbox.clear();
        self.window.forget();
    }
}
