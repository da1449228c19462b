//! Every wait has a deadline, from the first moment on.

use store::door::Millis;

use crate::error::Error;
use crate::limits::{BYE_MS, HELLO_MS, LAST_WORDS_MS, PING_MS, SILENCE_MS};

/// The waits of the connection as a whole; those of single streams stand with the streams.
#[derive(Debug)]
pub(super) struct Timers {
    started: Millis,
    /// How long the peer may take to say anything at all.
    first_byte_ms: Millis,
    /// When its first byte came.
    first_byte: Option<Millis>,
    /// Its HELLO is here.
    pub(super) greeted: bool,
    /// When its last byte came.
    heard: Millis,
    /// We have asked since whether it is there.
    pinged: bool,
    /// Bytes that are handed to the pipe and that it has not taken.
    in_hand: usize,
    /// When it last took some, or was given the first.
    progress: Millis,
    /// When our BYE was sent.
    pub(super) bye_sent: Option<Millis>,
    /// When the connection was over.
    pub(super) over: Option<Millis>,
}

/// What is due.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Due {
    Nothing,
    Ping,
    Failure(Error),
}

impl Timers {
    pub(super) fn new(now: Millis, first_byte_ms: Millis) -> Self {
        Self {
            started: now,
            first_byte_ms,
            first_byte: None,
            greeted: false,
            heard: now,
            pinged: false,
            in_hand: 0,
            progress: now,
            bye_sent: None,
            over: None,
        }
    }

    pub(super) fn received(&mut self, now: Millis) {
        self.first_byte.get_or_insert(now);
        self.heard = now;
        self.pinged = false;
    }

    pub(super) fn handed(&mut self, now: Millis, bytes: usize) {
        if self.in_hand == 0 {
            self.progress = now;
        }
        self.in_hand += bytes;
    }

    pub(super) fn taken(&mut self, now: Millis, bytes: usize) {
        self.in_hand = self.in_hand.saturating_sub(bytes);
        self.progress = now;
    }

    /// Whether the pipe has taken all that it was handed.
    pub(super) fn is_flushed(&self) -> bool {
        self.in_hand == 0
    }

    /// When our last words have to be out.
    pub(super) fn last_words_until(&self) -> Option<Millis> {
        self.over.map(|over| over.saturating_add(LAST_WORDS_MS))
    }

    /// When something will be due, if nothing happens until then.
    pub(super) fn deadline(&self) -> Millis {
        if let Some(until) = self.last_words_until() {
            return until;
        }
        let hears = match self.first_byte {
            None => self.started.saturating_add(self.first_byte_ms),
            Some(first) if !self.greeted => first.saturating_add(HELLO_MS),
            Some(_) => self.heard.saturating_add(if self.pinged { SILENCE_MS } else { PING_MS }),
        };
        let takes = if self.is_flushed() { Millis::MAX } else { self.progress.saturating_add(SILENCE_MS) };
        let parts = self.bye_sent.map_or(Millis::MAX, |sent| sent.saturating_add(BYE_MS));
        hears.min(takes).min(parts)
    }

    /// Says what is due now.
    pub(super) fn tick(&mut self, now: Millis) -> Due {
        let since = |then: Millis| now.saturating_sub(then);
        match self.first_byte {
            None if since(self.started) >= self.first_byte_ms => {
                return Due::Failure(Error::Timeout { what: "first byte of the far side" });
            }
            Some(first) if !self.greeted && since(first) >= HELLO_MS => {
                return Due::Failure(Error::Timeout { what: "greeting of the far side" });
            }
            _ => {}
        }
        if !self.is_flushed() && since(self.progress) >= SILENCE_MS {
            return Due::Failure(Error::lost("the far side takes no bytes"));
        }
        if self.bye_sent.is_some_and(|sent| since(sent) >= BYE_MS) {
            return Due::Failure(Error::Timeout { what: "goodbye of the far side" });
        }
        if self.greeted && since(self.heard) >= SILENCE_MS {
            return Due::Failure(Error::lost("the far side is silent"));
        }
        if self.greeted && !self.pinged && since(self.heard) >= PING_MS {
            self.pinged = true;
            return Due::Ping;
        }
        Due::Nothing
    }
}
