//! A way to a vault of this process over a line that fails when it is told to.

use std::any::Any;
use std::collections::VecDeque;
use std::io;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::thread::JoinHandle;

use store::door::{Chance, Clock, Disk};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use transport::pipe::{Reader, Writer};
use transport::{Carrier, Error, Pipe, memory_pipe};

use crate::engine::job::{Role, ServeJob, TimeZone};
use crate::engine::queue::lock;
use crate::serve::Server;

/// When a connection breaks.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Cut {
    /// After so many bytes to the server.
    pub(super) up: Option<u64>,
    /// After so many bytes from the server.
    pub(super) down: Option<u64>,
    /// The server does not notice: its end stays open until the test ends.
    pub(super) unnoticed: bool,
    /// It does not break then, but takes nothing more to the server until somebody cuts it.
    pub(super) stalls: bool,
}

impl Cut {
    pub(super) fn up(bytes: u64) -> Self {
        Self { up: Some(bytes), ..Self::default() }
    }

    pub(super) fn down(bytes: u64) -> Self {
        Self { down: Some(bytes), ..Self::default() }
    }

    pub(super) fn unnoticed(self) -> Self {
        Self { unnoticed: true, ..self }
    }

    pub(super) fn stalls(self) -> Self {
        Self { stalls: true, ..self }
    }
}

/// Bytes that a slow connection takes at a time …
const SLOW_BYTES: usize = 4096;
/// … and times that whoever sends is sent away before.
const SLOW_TURNS: u32 = 64;
/// Times that it is sent away while it should carry nothing: what makes a client open others may wait for an answer to what
/// is to be sent here.
const HELD_TURNS: u32 = 10_000;

type Lines = Arc<Mutex<Vec<Arc<Line>>>>;

/// So many connections each carry so many bytes to the server, whatever the machine does: the first one is slow, and carries
/// less until all are open; each other one that has carried them waits for the rest of those that are there, as long as the
/// first is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Even {
    pub(super) lines: usize,
    pub(super) bytes: u64,
}

impl Even {
    fn holds(self, lines: &Lines) -> bool {
        let lines = lock(lines);
        let is_cut = |line: &Arc<Line>| line.is_cut.load(Ordering::SeqCst);
        let carried = |line: &Arc<Line>| line.up.load(Ordering::SeqCst) >= self.bytes || is_cut(line);
        is_cut(&lines[0]) || (lines.len() >= self.lines && lines.iter().all(carried))
    }
}

/// See the module. Connections are cut as they were ordered, one order each; then they hold, or are all cut alike.
pub(super) struct Wire {
    vault: PathBuf,
    clock: Arc<dyn Clock>,
    chance: Arc<dyn Chance>,
    disk: Arc<dyn Disk>,
    cuts: Mutex<VecDeque<Cut>>,
    /// Every connection without an order of its own breaks so.
    pub(super) always: Mutex<Cut>,
    /// Nothing answers any more after so many connections.
    pub(super) gone_after: AtomicUsize,
    pub(super) opened: AtomicUsize,
    pub(super) even: Mutex<Option<Even>>,
    lines: Lines,
    servers: Mutex<Vec<JoinHandle<()>>>,
}

impl Wire {
    pub(super) fn new(
        vault: PathBuf,
        clock: Arc<dyn Clock>,
        chance: Arc<dyn Chance>,
        disk: Arc<dyn Disk>,
        cuts: impl IntoIterator<Item = Cut>,
    ) -> Arc<Self> {
        Arc::new(Self {
            vault,
            clock,
            chance,
            disk,
            cuts: Mutex::new(cuts.into_iter().collect()),
            always: Mutex::default(),
            gone_after: AtomicUsize::new(usize::MAX),
            opened: AtomicUsize::new(0),
            even: Mutex::default(),
            lines: Lines::default(),
            servers: Mutex::default(),
        })
    }

    /// Bytes to and from the server so far.
    pub(super) fn traffic(&self) -> (u64, u64) {
        let lines = lock(&self.lines);
        let sum = |side: fn(&Line) -> &AtomicU64| lines.iter().map(|line| side(line).load(Ordering::SeqCst)).sum();
        (sum(|line| &line.up), sum(|line| &line.down))
    }

    /// Bytes to the server on each connection, in the order in which they were opened.
    pub(super) fn each_up(&self) -> Vec<u64> {
        lock(&self.lines).iter().map(|line| line.up.load(Ordering::SeqCst)).collect()
    }

    /// Servers that have not ended.
    pub(super) fn serving(&self) -> usize {
        lock(&self.servers).iter().filter(|server| !server.is_finished()).count()
    }

    /// Cuts what is stalled now.
    pub(super) fn cut_stalled(&self) {
        lock(&self.lines).iter().filter(|line| line.is_stalled()).for_each(|line| line.cut());
    }

    /// Cuts what is connected now.
    pub(super) fn cut_now(&self) {
        for line in &*lock(&self.lines) {
            line.cut();
        }
    }

    /// Everything is cut, noticed by the servers, and they have ended.
    pub(super) fn settle(&self) {
        for line in &*lock(&self.lines) {
            line.cut();
            lock(&line.grave).clear();
        }
        let servers = std::mem::take(&mut *lock(&self.servers));
        for server in servers {
            server.join().unwrap();
        }
    }
}

impl Carrier for Wire {
    fn open(&self) -> transport::Result<Pipe> {
        if self.opened.fetch_add(1, Ordering::SeqCst) >= self.gone_after.load(Ordering::SeqCst) {
            return Err(Error::Unreachable { host: "test".into(), why: "nobody is there".into() });
        }
        let cut = lock(&self.cuts).pop_front().unwrap_or(*lock(&self.always));
        let (ours, theirs) = memory_pipe();
        let job = ServeJob {
            vault: self.vault.clone(),
            account: None,
            role: Role::Admin,
            home: None,
            client: None,
            zone: TimeZone::UTC,
            near: true,
            refusal: None,
        };
        let server = Server::new(&job, Arc::clone(&self.clock), Arc::clone(&self.chance)).on(Arc::clone(&self.disk));
        lock(&self.servers).push(std::thread::spawn(move || drop(server.serve(theirs))));
        let line = Arc::new(Line { cut, ..Line::default() });
        lock(&self.lines).push(Arc::clone(&line));
        let (reader, writer, _) = ours.split().map_err(|cause| Error::from_pipe("opening", &cause))?;
        let even = (*lock(&self.even)).map(|even| (even, Arc::clone(&self.lines)));
        let reader = Near { half: Some(reader), line: Arc::clone(&line), even: None, turns: 0, held: 0 };
        Ok(Pipe::new(Box::new(reader), Box::new(Near { half: Some(writer), line, even, turns: 0, held: 0 })))
    }

    fn describe(&self) -> String {
        "test".into()
    }

    fn end_report(&self) -> Option<String> {
        None
    }
}

#[derive(Default)]
struct Line {
    cut: Cut,
    up: AtomicU64,
    down: AtomicU64,
    is_cut: AtomicBool,
    wakers: Mutex<Vec<Waker>>,
    /// Halves whose end the server does not see.
    grave: Mutex<Vec<Box<dyn Any + Send>>>,
}

impl Line {
    fn cut(&self) {
        self.is_cut.store(true, Ordering::SeqCst);
        self.wake();
    }

    fn is_stalled(&self) -> bool {
        let full = self.cut.up.is_some_and(|most| self.up.load(Ordering::SeqCst) >= most);
        self.cut.stalls && full && !self.is_cut.load(Ordering::SeqCst)
    }

    fn wake(&self) {
        for waker in lock(&self.wakers).drain(..) {
            waker.wake();
        }
    }

    /// How many more bytes may pass; cuts when there are none.
    fn left(&self, passed: &AtomicU64, most: Option<u64>) -> usize {
        let left = most.map_or(u64::MAX, |most| most.saturating_sub(passed.load(Ordering::SeqCst)));
        if left == 0 {
            self.cut();
        }
        if self.is_cut.load(Ordering::SeqCst) { 0 } else { usize::try_from(left).unwrap_or(usize::MAX) }
    }
}

/// The client's half of a line.
struct Near<T: Send + 'static> {
    half: Option<T>,
    line: Arc<Line>,
    even: Option<(Even, Lines)>,
    /// Times that the writer of a slow line was sent away.
    turns: u32,
    held: u32,
}

impl<T: Send + 'static> Near<T> {
    /// How many bytes may pass now; when none may, whoever sends is called again.
    fn share(&mut self, waker: &Waker) -> usize {
        let Some((even, lines)) = &self.even else { return usize::MAX };
        if !Arc::ptr_eq(&lock(lines)[0], &self.line) {
            let left = even.bytes.saturating_sub(self.line.up.load(Ordering::SeqCst));
            return if even.holds(lines) { usize::MAX } else { usize::try_from(left).unwrap() };
        }
        self.turns = (self.turns + 1) % SLOW_TURNS;
        let ahead = self.line.up.load(Ordering::SeqCst) + SLOW_BYTES as u64 >= even.bytes;
        let hold = ahead && lock(lines).len() < even.lines;
        self.held = if hold { (self.held + 1) % HELD_TURNS } else { 0 };
        if self.turns == 0 && !hold || hold && self.held == 0 {
            return SLOW_BYTES;
        }
        waker.wake_by_ref();
        0
    }

    /// After how many bytes it breaks: the first one not while others are missing.
    fn breaks_after(&self) -> Option<u64> {
        let early = |(even, lines): &(Even, Lines)| {
            let lines = lock(lines);
            Arc::ptr_eq(&lines[0], &self.line) && lines.len() < even.lines
        };
        self.line.cut.up.filter(|_| !self.even.as_ref().is_some_and(early))
    }

    /// Those that wait for this one need not any more.
    fn wake_others(&self) {
        if let Some((even, lines)) = &self.even
            && even.holds(lines)
        {
            lock(lines).iter().for_each(|line| line.wake());
        }
    }

    fn bury(&mut self) {
        if let (Some(half), true) = (self.half.take(), self.line.cut.unnoticed) {
            lock(&self.line.grave).push(Box::new(half));
        }
    }
}

impl<T: Send + 'static> Drop for Near<T> {
    fn drop(&mut self) {
        if self.line.is_cut.load(Ordering::SeqCst) {
            self.bury();
        }
    }
}

impl AsyncRead for Near<Reader> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, out: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        lock(&self.line.wakers).push(cx.waker().clone());
        let left = self.line.left(&self.line.down, self.line.cut.down).min(out.remaining());
        if left == 0 {
            self.bury();
            return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
        }
        let mut bytes = vec![0; left];
        let mut some = ReadBuf::new(&mut bytes);
        let Some(half) = &mut self.half else { return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into())) };
        let polled = Pin::new(half).poll_read(cx, &mut some);
        out.put_slice(some.filled());
        self.line.down.fetch_add(some.filled().len() as u64, Ordering::SeqCst);
        polled
    }
}

impl AsyncWrite for Near<Writer> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        lock(&self.line.wakers).push(cx.waker().clone());
        if self.line.is_stalled() {
            return Poll::Pending;
        }
        let left = self.line.left(&self.line.up, self.breaks_after()).min(bytes.len());
        if left == 0 && !bytes.is_empty() {
            self.bury();
            return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
        }
        let share = self.share(cx.waker());
        if share == 0 {
            return Poll::Pending;
        }
        let Some(half) = &mut self.half else { return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into())) };
        let polled = Pin::new(half).poll_write(cx, &bytes[..left.min(share)]);
        if let Poll::Ready(Ok(len)) = polled {
            self.line.up.fetch_add(len as u64, Ordering::SeqCst);
            self.wake_others();
        }
        polled
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.half {
            Some(half) => Pin::new(half).poll_shutdown(cx),
            None => Poll::Ready(Ok(())),
        }
    }
}
