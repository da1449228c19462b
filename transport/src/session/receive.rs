//! What the peer's bytes do to a session.

use std::collections::btree_map::Entry;

use bytes::Bytes;
use minicbor::{Decoder, Encoder, decode};
use store::door::Millis;

use super::hello::{Hello, agree};
use super::streams::{Class, Part, Stream};
use super::{Event, Session};
use crate::error::{Code, Error, Result, harmless};
use crate::frame::{Header, Kind, flag};
use crate::limits::{CREDIT_BYTES_MAX, GOAWAY_TEXT_BYTES_MAX};
use crate::magic::Scan;

impl Session {
    /// Takes bytes as they come from the pipe. What they mean comes out of [`event`](Self::event); what they break
    /// ends the session.
    pub fn receive(&mut self, now: Millis, mut bytes: &[u8]) {
        self.traffic.received_bytes += bytes.len() as u64;
        if self.over.is_some() || bytes.is_empty() {
            return;
        }
        self.timers.received(now);
        // Credit, a ping or a greeting may be what something waited for.
        self.stirred = true;
        if let Err(why) = self.receive_bytes(now, &mut bytes) {
            self.fail(now, why);
        }
    }

    /// The pipe gives no more bytes.
    pub fn receive_end(&mut self, now: Millis) {
        if self.over.is_some() || self.bye_received {
            return;
        }
        self.fail(
            now,
            match &self.scanner {
                Some(scanner) => Error::NoMagic { noise: scanner.sample() },
                None if self.assembler.is_amid() => Error::lost("the pipe ended in the midst of a frame"),
                None => Error::lost("the pipe ended without a goodbye"),
            },
        );
    }

    fn receive_bytes(&mut self, now: Millis, bytes: &mut &[u8]) -> Result<()> {
        if let Some(scanner) = &mut self.scanner {
            match scanner.push(bytes) {
                Scan::Searching => return Ok(()),
                Scan::Hopeless => return Err(Error::NoMagic { noise: scanner.sample() }),
                Scan::Found(len) => {
                    *bytes = bytes.get(len..).unwrap_or_default();
                    let noise = scanner.sample();
                    self.scanner = None;
                    if !noise.is_empty() {
                        self.events.push_back(Event::Noise(noise));
                    }
                }
            }
        }
        while let Some((header, payload)) = self.assembler.next(bytes)? {
            self.receive_frame(now, header, payload)?;
            if self.over.is_some() {
                break;
            }
        }
        Ok(())
    }

    fn receive_frame(&mut self, now: Millis, header: Header, payload: Vec<u8>) -> Result<()> {
        if self.bye_received {
            return Err(Error::Protocol("something follows a goodbye"));
        }
        match (header.kind, self.agreed.is_some()) {
            (Kind::Hello, false) => return self.receive_hello(&payload),
            (Kind::Goaway, _) => return Err(read_goaway(&payload)?),
            (Kind::Hello, true) => return Err(Error::Protocol("a second HELLO")),
            (_, false) => return Err(Error::Protocol("something comes before HELLO")),
            _ => {}
        }
        match header.kind {
            Kind::Message => self.receive_part(now, header, Part::Message(payload)),
            Kind::Data => self.receive_part(now, header, Part::Data(Bytes::from(payload))),
            Kind::Credit => self.receive_credit(now, header.stream, &payload),
            Kind::Reset => self.receive_reset(header.stream, &payload),
            Kind::Working => self.known_stream(header.stream).map(|stream| {
                if let Some(stream) = stream {
                    stream.heard = now;
                }
            }),
            Kind::Ping => {
                // Only the last one is answered: a peer that asks without end gets one answer for each time we write.
                self.pong_due = payload.try_into().ok();
                Ok(())
            }
            Kind::Bye => {
                self.bye_received = true;
                self.await_ended();
                self.stop_streams(&Error::lost("the far side said goodbye"));
                if self.timers.bye_sent.is_some() {
                    self.end(now, Ok(()));
                }
                Ok(())
            }
            Kind::Pong => {
                // Ours carry the time at which they were sent; of any other number nothing follows.
                let sent = payload.try_into().map_or(Millis::MAX, Millis::from_le_bytes);
                let took = now.checked_sub(sent).filter(|took| *took >= 0);
                self.round_trip = self.round_trip.into_iter().chain(took).min();
                Ok(())
            }
            Kind::Unknown(_) | Kind::Hello | Kind::Goaway => Ok(()),
        }
    }

    fn receive_hello(&mut self, payload: &[u8]) -> Result<()> {
        let theirs = Hello::decode(payload)?;
        let agreed = agree(&self.ours, &theirs);
        self.peer = Some(theirs);
        self.agreed = Some(agreed?);
        self.timers.greeted = true;
        self.events.push_back(Event::Greeted);
        Ok(())
    }

    /// The stream of a frame. `None`: it is over, and the frame is late. An error: it never was.
    fn known_stream(&mut self, id: u32) -> Result<Option<&mut Stream>> {
        if !self.last_ids.was_opened(id) {
            return Err(Error::Protocol("a frame is on a stream that was never opened"));
        }
        let is_client = self.is_client;
        Ok(self.streams.get_mut(&id).filter(|stream| !stream.is_over(is_client)))
    }

    fn receive_part(&mut self, now: Millis, header: Header, part: Part) -> Result<()> {
        let id = header.stream;
        if header.has(flag::OPEN) {
            self.receive_open(now, header, &part)?;
        }
        let is_client = self.is_client;
        let Some(stream) = self.known_stream(id)? else { return Ok(()) };
        if stream.in_ended {
            return Err(Error::Protocol("something follows the end of a stream"));
        }
        stream.heard = now;
        let class = stream.class;
        let cost = part.cost();
        let mut charged = 0;
        // An empty run of data carries nothing but its flags.
        if !(part.is_empty() && matches!(part, Part::Data(_))) {
            charged = stream.window.receive(cost)?;
            stream.inbox.push_back(part);
        }
        if header.has(flag::END) {
            stream.in_ended = true;
            stream.window.close();
            if is_client {
                // The server's END closes the stream: nobody hears what we still say.
                stream.drop_outgoing();
                self.announce_writable(id);
            }
        }
        self.down.take(if class == Class::Bulk { charged } else { cost });
        if header.has(flag::OPEN) {
            self.events.push_back(Event::Request(id));
        } else {
            self.announce(id);
        }
        Ok(())
    }

    fn receive_open(&mut self, now: Millis, header: Header, part: &Part) -> Result<()> {
        let id = header.stream;
        if self.is_client {
            return Err(Error::Protocol("a stream is opened by the wrong side"));
        }
        if matches!(part, Part::Data(_)) {
            return Err(Error::Protocol("a stream is opened without a request"));
        }
        let open = self.streams.values().filter(|stream| !stream.is_over(false)).count();
        if open >= self.agreed.as_ref().map_or(1, |agreed| agreed.streams_max) {
            return Err(Error::Protocol("too many streams are open"));
        }
        let Some(class) = self.last_ids.open(id) else {
            return Err(Error::Protocol("a stream is opened twice, or with an id that a client does not give"));
        };
        if self.leaving {
            return Ok(());
        }
        if let Entry::Vacant(place) = self.streams.entry(id) {
            place.insert(Stream::new(class, now));
        }
        Ok(())
    }

    fn receive_credit(&mut self, now: Millis, id: u32, payload: &[u8]) -> Result<()> {
        let bytes = payload.try_into().map(u32::from_le_bytes).unwrap_or_default();
        let Some(stream) = self.known_stream(id)? else { return Ok(()) };
        stream.heard = now;
        stream.credit += u64::from(bytes);
        if bytes == 0 || stream.credit > CREDIT_BYTES_MAX {
            return Err(Error::Protocol("credit is none, or beyond all bounds"));
        }
        Ok(())
    }

    fn receive_reset(&mut self, id: u32, payload: &[u8]) -> Result<()> {
        let code = Code(payload.try_into().map(u16::from_le_bytes).unwrap_or_default());
        let is_client = self.is_client;
        let Some(stream) = self.known_stream(id)? else { return Ok(()) };
        // A client may still read what came before; a handler has nobody to work for.
        stream.stop(Error::Reset(code), is_client);
        stream.reset_due = None;
        self.announce(id);
        self.announce_writable(id);
        Ok(())
    }
}

/// The payload of a GOAWAY.
pub(super) fn write_goaway(code: Code, text: &str, retry_after_s: Option<u32>) -> Vec<u8> {
    let mut out = Vec::new();
    let mut e = Encoder::new(&mut out);
    let text: String = text.chars().take(GOAWAY_TEXT_BYTES_MAX / 4).collect();
    let written: Result<(), minicbor::encode::Error<std::convert::Infallible>> = (|| {
        e.map(2 + u64::from(retry_after_s.is_some()))?.u8(0)?.u16(code.0)?.u8(1)?.str(&text)?;
        if let Some(seconds) = retry_after_s {
            e.u8(2)?.u32(seconds)?;
        }
        Ok(())
    })();
    // Writing into memory does not fail.
    written.map(|()| out).unwrap_or_default()
}

fn read_goaway(payload: &[u8]) -> Result<Error> {
    let bad = |_: decode::Error| Error::Protocol("a GOAWAY that cannot be read");
    let mut d = Decoder::new(payload);
    let (mut code, mut text, mut retry_after_s) = (Code(0), String::new(), None);
    for _ in 0..d.map().map_err(bad)?.ok_or(Error::Protocol("a GOAWAY without a length"))? {
        match d.u64().map_err(bad)? {
            0 => code = Code(d.u16().map_err(bad)?),
            1 => text = harmless(d.str().map_err(bad)?.as_bytes(), GOAWAY_TEXT_BYTES_MAX),
            2 => retry_after_s = Some(d.u32().map_err(bad)?),
            _ => d.skip().map_err(bad)?,
        }
    }
    Ok(Error::Peer { code, text, retry_after_s })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn goaway_is_pinned_and_read_back() {
        let bytes = write_goaway(Code::VERSION, "too old", None);
        assert_eq!(store::id::hex(&bytes), "a200190320016774 6f6f206f6c64".replace(' ', ""));
        let bytes = write_goaway(Code::BUSY, "a\x1b", Some(60));
        let read = Error::Peer { code: Code::BUSY, text: "a\\u{1b}".into(), retry_after_s: Some(60) };
        assert_eq!(read_goaway(&bytes), Ok(read));
    }

    proptest! {
        #[test]
        fn rubbish_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..100)) {
            drop(read_goaway(&bytes));
        }
    }
}
