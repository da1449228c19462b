//! Bounds of protocol 1 (PROTOCOL.md, chapter 6), each with its reason there. Checked before anything is allocated.

use store::door::Millis;

/// Lowest and highest version of the protocol that this program speaks.
pub const PROTOCOL: (u16, u16) = (1, 1);

/// Most bytes in a DATA frame: what an urgent frame may have to wait for in our own queue.
pub const DATA_BYTES_MAX: usize = 64 << 10;
/// Most bytes in a MESSAGE frame.
pub const MESSAGE_BYTES_MAX: usize = 1 << 20;
/// Most bytes in a HELLO frame: it comes before anything is known about the peer.
pub const HELLO_BYTES_MAX: usize = 16 << 10;
/// Most bytes in a GOAWAY frame.
pub const GOAWAY_BYTES_MAX: usize = 4 << 10;
/// Most bytes before the magic value: a login shell's greeting.
pub const NOISE_BYTES_MAX: usize = 64 << 10;
/// How much of it is kept to be shown.
pub const NOISE_SAMPLE_BYTES: usize = 4 << 10;
/// Longest text in a HELLO.
pub const HELLO_TEXT_BYTES_MAX: usize = 256;
/// Most features in a HELLO.
pub const HELLO_FEATURES_MAX: usize = 64;
/// Longest text in a GOAWAY.
pub const GOAWAY_TEXT_BYTES_MAX: usize = 1 << 10;

/// Most streams open at a time, and most handlers of a server that run at a time.
pub const STREAMS_MAX: usize = 64;
/// What a frame costs its stream in credit beside its payload: about what it costs its receiver to keep one.
pub const FRAME_COST: u64 = 64;
/// Credit of every new stream, each way, without a CREDIT frame: the largest message, and a step.
pub const STREAM_START_BYTES: u64 = (1 << 20) + (256 << 10);
/// Credit is given back when this much can be given at once, or an eighth of the window.
pub const CREDIT_STEP_BYTES: u64 = 128 << 10;
/// Less is never given: the frame is not worth it.
pub const SMALLEST_GRANT_BYTES: u64 = 32 << 10;
/// Most credit that a stream may hold.
pub const CREDIT_BYTES_MAX: u64 = 1 << 30;
/// What bulk streams may be given together beyond their start: four times what OpenSSH lets through in one round trip. A
/// receiver that is slower than its line keeps all of it.
pub const POOL_BYTES: u64 = 8 << 20;
/// The same of a client whose server is very far: a long, fat line downwards.
pub const FAR_POOL_BYTES: u64 = 32 << 20;
/// A round trip of so many milliseconds needs it. Below, 8 MiB are 200 MB/s; and no machine is so busy that a server beside
/// its client seems as far.
const FAR_POOL_MS: Millis = 40;
/// A round trip of so many milliseconds is a long one. Below, the 2 MiB of OpenSSH's channel are 200 MB/s.
const FAR_MS: Millis = 10;
/// A stream that has this much waiting to be sent takes no more.
pub const SEND_QUEUE_BYTES: usize = 512 << 10;
/// While bulk waits, urgent streams may send this much before one bulk frame is sent.
pub const URGENT_RUN_BYTES: usize = 16 * DATA_BYTES_MAX;
/// What is for a person may go so far ahead of a rate, in bytes: many answers, and not a download.
pub const URGENT_DEBT_BYTES: u64 = 1 << 20;
/// When so much is owed of a rate downwards, in bytes, nothing more is read. Only who opens ever new streams comes there.
pub const READ_DEBT_BYTES: u64 = 8 << 20;

/// From the first byte of the peer to its HELLO.
pub const HELLO_MS: Millis = 15_000;
/// From our start to the first byte of the peer: its process must start, and a person may have to touch a key.
pub const FIRST_BYTE_MS: Millis = 90_000;
/// A PING is sent after so long without a byte from the peer.
pub const PING_MS: Millis = 20_000;
/// A peer that says nothing for so long, or takes nothing, is lost.
pub const SILENCE_MS: Millis = 90_000;
/// A server that has said nothing on a stream for so long says that it is working.
pub const WORKING_MS: Millis = 20_000;
/// A call on which the server says nothing for so long, not even that it is working, is over.
pub const CALL_SILENCE_MS: Millis = 180_000;
/// From our BYE to the peer's.
pub const BYE_MS: Millis = 30_000;
/// A closing connection may take so long to send its last words.
pub const LAST_WORDS_MS: Millis = 5_000;

// A peer that has read everything always holds credit for the largest message.
const _: () = assert!(STREAM_START_BYTES - CREDIT_STEP_BYTES >= MESSAGE_BYTES_MAX as u64 + FRAME_COST);
const _: () = assert!(STREAM_START_BYTES - STREAM_START_BYTES / 8 >= MESSAGE_BYTES_MAX as u64 + FRAME_COST);
const _: () = assert!(STREAM_START_BYTES + FAR_POOL_BYTES <= CREDIT_BYTES_MAX);
const _: () = assert!(SILENCE_MS > 3 * PING_MS && CALL_SILENCE_MS > 3 * WORKING_MS);
const _: () = assert!(HELLO_BYTES_MAX < MESSAGE_BYTES_MAX && DATA_BYTES_MAX < MESSAGE_BYTES_MAX);

/// Whether the pool of a client is the larger one, with this round trip, when it was measured.
#[must_use]
pub fn needs_far_pool(round_trip_ms: Option<Millis>) -> bool {
    round_trip_ms.is_some_and(|ms| ms >= FAR_POOL_MS)
}

/// Whether a round trip, when it was measured, is a long one.
#[must_use]
pub fn is_far(round_trip_ms: Option<Millis>) -> bool {
    round_trip_ms.is_some_and(|ms| ms >= FAR_MS)
}
