//! Frames from and to bytes (PROTOCOL.md, chapter 3).

use crate::error::{Error, Result};
use crate::limits::{DATA_BYTES_MAX, GOAWAY_BYTES_MAX, HELLO_BYTES_MAX, MESSAGE_BYTES_MAX};

/// Length of a header.
pub const HEADER_BYTES: usize = 16;

/// What a frame is. Numbers are never used again for something else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Who we are; the first frame each way.
    Hello,
    /// A message on a stream; keeps its borders.
    Message,
    /// A run of the byte stream of a stream; cut anywhere.
    Data,
    /// The receiver has room for so many more bytes of a stream.
    Credit,
    /// A stream ends here and now, both ways.
    Reset,
    /// The server is still working on a stream.
    Working,
    /// Are you there?
    Ping,
    /// Yes.
    Pong,
    /// The connection ends, and why.
    Goaway,
    /// The connection ends, all is well.
    Bye,
    /// A kind of a later version that may be stepped over.
    Unknown(u8),
}

impl Kind {
    const KNOWN: [Self; 10] = [
        Self::Hello,
        Self::Message,
        Self::Data,
        Self::Credit,
        Self::Reset,
        Self::Working,
        Self::Ping,
        Self::Pong,
        Self::Goaway,
        Self::Bye,
    ];

    /// Its number on the wire.
    #[must_use]
    pub const fn number(self) -> u8 {
        match self {
            Self::Hello => 1,
            Self::Message => 2,
            Self::Data => 3,
            Self::Credit => 4,
            Self::Reset => 5,
            Self::Working => 6,
            Self::Ping => 7,
            Self::Pong => 8,
            Self::Goaway => 9,
            Self::Bye => 10,
            Self::Unknown(number) => number,
        }
    }

    fn from_number(number: u8) -> Self {
        Self::KNOWN.into_iter().find(|kind| kind.number() == number).unwrap_or(Self::Unknown(number))
    }

    /// Least and most bytes of its payload.
    const fn payload_bytes(self) -> (usize, usize) {
        match self {
            Self::Hello => (1, HELLO_BYTES_MAX),
            Self::Message | Self::Unknown(_) => (0, MESSAGE_BYTES_MAX),
            Self::Data => (0, DATA_BYTES_MAX),
            Self::Credit => (4, 4),
            Self::Reset => (2, 2),
            Self::Ping | Self::Pong => (8, 8),
            Self::Goaway => (1, GOAWAY_BYTES_MAX),
            Self::Working | Self::Bye => (0, 0),
        }
    }

    /// Whether it belongs to a stream, and not to the connection.
    const fn on_stream(self) -> Option<bool> {
        match self {
            Self::Message | Self::Data | Self::Credit | Self::Reset | Self::Working => Some(true),
            Self::Hello | Self::Ping | Self::Pong | Self::Goaway | Self::Bye => Some(false),
            Self::Unknown(_) => None,
        }
    }
}

/// The flags of a frame, as bits.
pub mod flag {
    /// The sender sends nothing more on this stream (MESSAGE, DATA).
    pub const END: u8 = 1;
    /// Opens a stream (MESSAGE, from a client).
    pub const OPEN: u8 = 2;
    /// Who does not know this kind of frame must not go on.
    pub const MUST: u8 = 128;
}

/// The fields of a header beside length and checksum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// What it is.
    pub kind: Kind,
    /// See [`flag`]. Unknown ones are ignored.
    pub flags: u8,
    /// 0 is the connection itself.
    pub stream: u32,
}

impl Header {
    /// A frame of the connection.
    #[must_use]
    pub const fn connection(kind: Kind) -> Self {
        Self { kind, flags: 0, stream: 0 }
    }

    /// Whether a flag is set.
    #[must_use]
    pub const fn has(&self, flag: u8) -> bool {
        self.flags & flag != 0
    }

    /// Appends a whole frame. `payload` is within the bounds of its kind.
    pub fn encode(&self, payload: &[u8], out: &mut Vec<u8>) {
        let (least, most) = self.kind.payload_bytes();
        debug_assert!((least..=most).contains(&payload.len()), "{:?} of {} bytes", self.kind, payload.len());
        let mut head = [0; HEADER_BYTES - 4];
        let len = u32::try_from(payload.len()).unwrap_or(u32::MAX).to_le_bytes();
        let fields = [self.kind.number(), self.flags, 0, 0];
        for (to, from) in head.iter_mut().zip(len.into_iter().chain(fields).chain(self.stream.to_le_bytes())) {
            *to = from;
        }
        let crc = crc32c::crc32c_append(crc32c::crc32c(&head), payload);
        out.extend_from_slice(&head);
        out.extend_from_slice(&crc.to_le_bytes());
        out.extend_from_slice(payload);
    }

    /// Reads a header: the fields, the length of the payload and its checksum. Everything is checked here that can be
    /// checked before there is room for the payload.
    fn decode(bytes: &[u8; HEADER_BYTES]) -> Result<(Self, usize, u32)> {
        let [l0, l1, l2, l3, kind, flags, r0, r1, s0, s1, s2, s3, c0, c1, c2, c3] = *bytes;
        let len = u32::from_le_bytes([l0, l1, l2, l3]);
        let kind = Kind::from_number(kind);
        let header = Self { kind, flags, stream: u32::from_le_bytes([s0, s1, s2, s3]) };
        let (least, most) = kind.payload_bytes();
        let len = usize::try_from(len).unwrap_or(usize::MAX);
        if (r0, r1) != (0, 0) {
            return Err(Error::Protocol("reserved bytes of a header are not zero"));
        }
        if matches!(kind, Kind::Unknown(_)) && header.has(flag::MUST) {
            return Err(Error::Protocol("a frame that must be understood is not known here"));
        }
        if !(least..=most).contains(&len) {
            return Err(Error::Protocol("a frame has a length that its kind cannot have"));
        }
        if kind.on_stream().is_some_and(|on_stream| on_stream != (header.stream != 0)) {
            return Err(Error::Protocol("a frame is on a stream that its kind cannot be on"));
        }
        Ok((header, len, u32::from_le_bytes([c0, c1, c2, c3])))
    }
}

/// Puts frames together from bytes in any pieces. Holds one frame at most.
#[derive(Debug, Default)]
pub struct Assembler {
    head: [u8; HEADER_BYTES],
    have: usize,
    begun: Option<Begun>,
}

#[derive(Debug)]
struct Begun {
    header: Header,
    len: usize,
    crc: u32,
    payload: Vec<u8>,
}

impl Assembler {
    /// Takes bytes off the front of `bytes` until a frame is whole. `None`: all are taken and more are needed.
    pub fn next(&mut self, bytes: &mut &[u8]) -> Result<Option<(Header, Vec<u8>)>> {
        let mut begun = match self.begun.take() {
            Some(begun) => begun,
            None => {
                let want = take(bytes, HEADER_BYTES - self.have);
                for (to, from) in self.head.iter_mut().skip(self.have).zip(want) {
                    *to = *from;
                }
                self.have += want.len();
                if self.have < HEADER_BYTES {
                    return Ok(None);
                }
                self.have = 0;
                let (header, len, crc) = Header::decode(&self.head)?;
                Begun { header, len, crc, payload: Vec::with_capacity(len) }
            }
        };
        begun.payload.extend_from_slice(take(bytes, begun.len - begun.payload.len()));
        if begun.payload.len() < begun.len {
            self.begun = Some(begun);
            return Ok(None);
        }
        let head = self.head.get(..HEADER_BYTES - 4).unwrap_or_default();
        if crc32c::crc32c_append(crc32c::crc32c(head), &begun.payload) != begun.crc {
            return Err(Error::Protocol("the checksum of a frame is wrong"));
        }
        Ok(Some((begun.header, begun.payload)))
    }

    /// Whether a frame has begun and is not whole.
    #[must_use]
    pub fn is_amid(&self) -> bool {
        self.have > 0 || self.begun.is_some()
    }
}

/// Takes up to `len` bytes off the front.
fn take<'a>(bytes: &mut &'a [u8], len: usize) -> &'a [u8] {
    let (head, tail) = bytes.split_at_checked(len).unwrap_or((bytes, &[]));
    *bytes = tail;
    head
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn encode(header: Header, payload: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        header.encode(payload, &mut out);
        out
    }

    fn decode(bytes: &[u8], piece: usize) -> Result<Vec<(Header, Vec<u8>)>> {
        let mut assembler = Assembler::default();
        let mut frames = Vec::new();
        for mut part in bytes.chunks(piece) {
            while let Some(frame) = assembler.next(&mut part)? {
                frames.push(frame);
            }
        }
        if assembler.is_amid() { Err(Error::Protocol("amid")) } else { Ok(frames) }
    }

    #[test]
    fn golden_frames() {
        let hex =
            |kind, flags, stream, payload: &[u8]| store::id::hex(&encode(Header { kind, flags, stream }, payload));
        assert_eq!(hex(Kind::Message, flag::OPEN, 1, b"ask"), "030000000202000001000000e74a40db61736b");
        assert_eq!(hex(Kind::Data, flag::END, 3, b""), "000000000301000003000000c59705fa");
        assert_eq!(hex(Kind::Ping, 0, 0, &[1; 8]), "080000000700000000000000d72719b90101010101010101");
        assert_eq!(hex(Kind::Credit, 0, 5, &4096u32.to_le_bytes()), "04000000040000000500000001e4305900100000");
        assert_eq!(hex(Kind::Bye, 0, 0, b""), "000000000a00000000000000c94b23fb");
    }

    #[test]
    fn what_a_header_may_not_say_is_refused_before_room_is_made() {
        let bad = |kind: u8, flags: u8, stream: u32, len: u32| {
            let mut head = [0; 16];
            head[..4].copy_from_slice(&len.to_le_bytes());
            head[4] = kind;
            head[5] = flags;
            head[8..12].copy_from_slice(&stream.to_le_bytes());
            Header::decode(&head).is_err()
        };
        for (kind, most) in [(1, HELLO_BYTES_MAX), (2, MESSAGE_BYTES_MAX), (3, DATA_BYTES_MAX), (77, MESSAGE_BYTES_MAX)]
        {
            let (stream, most) = (u32::from(kind != 1), u32::try_from(most).unwrap());
            assert!(!bad(kind, 0, stream, most));
            assert!(bad(kind, 0, stream, most + 1));
            assert!(bad(kind, 0, stream, u32::MAX));
        }
        assert!(bad(2, 0, 0, 5) && bad(7, 0, 1, 8) && bad(7, 0, 0, 7) && bad(10, 0, 0, 1) && bad(1, 0, 0, 0));
        assert!(bad(77, flag::MUST, 0, 0) && !bad(77, 0, 0, 0));
        let mut reserved = encode(Header::connection(Kind::Bye), b"");
        reserved[6] = 1;
        assert!(decode(&reserved, 99).is_err());
    }

    fn any_frame() -> impl Strategy<Value = (Header, Vec<u8>)> {
        (2u8..4, any::<u8>(), 1u32.., proptest::collection::vec(any::<u8>(), 0..300)).prop_map(
            |(kind, flags, stream, payload)| (Header { kind: Kind::from_number(kind), flags, stream }, payload),
        )
    }

    proptest! {
        #[test]
        fn frames_come_out_as_they_went_in(frames in proptest::collection::vec(any_frame(), 0..8), piece in 1usize..200) {
            let mut bytes = Vec::new();
            for (header, payload) in &frames {
                header.encode(payload, &mut bytes);
            }
            prop_assert_eq!(decode(&bytes, piece), Ok(frames));
        }

        #[test]
        fn one_wrong_bit_is_noticed((header, payload) in any_frame(), bit in any::<prop::sample::Index>()) {
            let mut bytes = encode(header, &payload);
            let bit = bit.index(bytes.len() * 8);
            bytes[bit / 8] ^= 1 << (bit % 8);
            prop_assert!(decode(&bytes, 999).is_err());
        }

        #[test]
        fn rubbish_never_panics_and_holds_one_frame(bytes in proptest::collection::vec(any::<u8>(), 0..400), piece in 1usize..50) {
            let mut assembler = Assembler::default();
            for mut part in bytes.chunks(piece) {
                while let Ok(Some(_)) = assembler.next(&mut part) {}
                prop_assert!(assembler.begun.as_ref().is_none_or(|b| b.payload.capacity() <= MESSAGE_BYTES_MAX));
            }
        }
    }
}
