//! A pipe inside this process, for vaults on this machine and for tests.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::Pipe;

/// Bytes that may be on their way in each direction. Four of the driver's buffers: the two ends work at the same time.
const ROOM_BYTES: usize = 512 << 10;

/// The two ends of a new connection.
#[must_use]
pub fn memory_pipe() -> (Pipe, Pipe) {
    let (up_reader, up_writer) = half();
    let (down_reader, down_writer) = half();
    (Pipe::new(Box::new(down_reader), Box::new(up_writer)), Pipe::new(Box::new(up_reader), Box::new(down_writer)))
}

/// One direction.
fn half() -> (HalfReader, HalfWriter) {
    let ring = Arc::new(Mutex::new(Ring {
        bytes: vec![0; ROOM_BYTES].into_boxed_slice(),
        start: 0,
        len: 0,
        ended: false,
        reader: None,
        writer: None,
    }));
    (HalfReader(Arc::clone(&ring)), HalfWriter(ring))
}

struct Ring {
    bytes: Box<[u8]>,
    start: usize,
    len: usize,
    /// One of the halves is dropped, or the writer is shut down.
    ended: bool,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

impl Ring {
    /// Takes as much of `bytes` as there is room for.
    fn put(&mut self, bytes: &[u8]) -> usize {
        let room = self.bytes.len();
        let mut taken = 0;
        while self.len < room && taken < bytes.len() {
            let at = (self.start + self.len) % room;
            let until = if at < self.start { self.start } else { room };
            let len = (until - at).min(bytes.len() - taken);
            if let (Some(to), Some(from)) = (self.bytes.get_mut(at..at + len), bytes.get(taken..taken + len)) {
                to.copy_from_slice(from);
            }
            taken += len;
            self.len += len;
        }
        taken
    }

    /// Gives as much as fits into `out`.
    fn take(&mut self, out: &mut ReadBuf<'_>) {
        while self.len > 0 && out.remaining() > 0 {
            let len = self.len.min(self.bytes.len() - self.start).min(out.remaining());
            if let Some(from) = self.bytes.get(self.start..self.start + len) {
                out.put_slice(from);
            }
            self.start = (self.start + len) % self.bytes.len();
            self.len -= len;
        }
    }

    fn wake_both(&mut self) {
        for waker in [self.reader.take(), self.writer.take()].into_iter().flatten() {
            waker.wake();
        }
    }
}

struct HalfReader(Arc<Mutex<Ring>>);
struct HalfWriter(Arc<Mutex<Ring>>);

fn lock(ring: &Mutex<Ring>) -> MutexGuard<'_, Ring> {
    ring.lock().unwrap_or_else(PoisonError::into_inner)
}

impl AsyncRead for HalfReader {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, out: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let mut ring = lock(&self.0);
        if ring.len == 0 && !ring.ended {
            ring.reader = Some(cx.waker().clone());
            return Poll::Pending;
        }
        ring.take(out);
        // The writer is woken when it can write a lot, not for every few bytes.
        if ring.len <= ROOM_BYTES / 2
            && let Some(waker) = ring.writer.take()
        {
            waker.wake();
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for HalfWriter {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let mut ring = lock(&self.0);
        if ring.ended {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        let taken = ring.put(bytes);
        if taken == 0 && !bytes.is_empty() {
            ring.writer = Some(cx.waker().clone());
            return Poll::Pending;
        }
        if let Some(waker) = ring.reader.take() {
            waker.wake();
        }
        Poll::Ready(Ok(taken))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut ring = lock(&self.0);
        ring.ended = true;
        ring.wake_both();
        Poll::Ready(Ok(()))
    }
}

impl Drop for HalfReader {
    fn drop(&mut self) {
        let mut ring = lock(&self.0);
        ring.ended = true;
        ring.wake_both();
    }
}

impl Drop for HalfWriter {
    fn drop(&mut self) {
        let mut ring = lock(&self.0);
        ring.ended = true;
        ring.wake_both();
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn ring(room: usize) -> Ring {
        Ring { bytes: vec![0; room].into(), start: 0, len: 0, ended: false, reader: None, writer: None }
    }

    proptest! {
        #[test]
        fn a_ring_gives_what_it_took_in_order(room in 1usize..20, steps in proptest::collection::vec((0usize..25, 0usize..25), 1..60)) {
            let mut ring = ring(room);
            let (mut put, mut got) = (0u8, 0u8);
            for (write, read) in steps {
                let bytes: Vec<u8> = (0..write).map(|i| put.wrapping_add(u8::try_from(i).unwrap())).collect();
                let taken = ring.put(&bytes);
                prop_assert!(taken == bytes.len() || ring.len == room);
                put = put.wrapping_add(u8::try_from(taken).unwrap());
                let mut out = vec![0; read];
                let mut out = ReadBuf::new(&mut out);
                ring.take(&mut out);
                for byte in out.filled() {
                    prop_assert_eq!(*byte, got);
                    got = got.wrapping_add(1);
                }
                prop_assert!(out.remaining() == 0 || ring.len == 0);
            }
        }
    }
}
