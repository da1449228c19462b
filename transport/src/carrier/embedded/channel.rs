//! One exec channel as a pipe.
//!
//! A task per channel takes everything that comes for it: data goes into a short queue, stderr and the exit status
//! into the [`End`]. It never waits for our own writes, because russh stops the whole connection, with all its
//! channels, when one of them is not drained.

use std::{
    future::Future,
    io,
    pin::Pin,
    sync::{Arc, PoisonError},
    task::{Context, Poll, ready},
};

use bytes::{Buf, Bytes};
use russh::{ChannelMsg, ChannelReadHalf, ChannelWriteHalf, client::Msg};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    sync::{mpsc, oneshot},
    time::timeout,
};

use super::{
    connect::{Connection, Ended},
    runtime,
};
use crate::{
    carrier::{
        end::{End, Status},
        prompt::Prompt,
    },
    error::{Error, Result},
    pipe,
};

/// The most packets that wait for whoever reads the pipe; with packets of 32 KiB at most 8 MiB.
const QUEUE: usize = 256;
/// stderr's number among the extended data.
const STDERR: u32 = 1;
/// How long the far side may go on when nobody has an end of its pipe any more.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(5);
/// The most time for the server to open a channel.
const OPENING: std::time::Duration = std::time::Duration::from_secs(30);

/// A channel on which the command runs.
pub(super) struct Opened {
    pub(super) reader: pipe::Reader,
    pub(super) writer: pipe::Writer,
    pub(super) end: Arc<End>,
}

/// Opens a channel and starts the command. Nothing is waited for but the channel itself.
pub(super) async fn open(connection: &Connection, line: &str, prompt: Arc<dyn Prompt>) -> Result<Opened> {
    let lost = |e: russh::Error| Error::lost(format!("the SSH connection: {e}"));
    let opening = timeout(OPENING, connection.target.channel_open_session()).await;
    let channel = match opening.map_err(|_| Error::lost("the server opens no channel"))? {
        Ok(channel) => channel,
        Err(russh::Error::ChannelOpenFailure(reason)) => {
            let why = format!("the server opens no further channel ({reason:?})");
            return Err(Error::Unreachable { host: connection.name.clone(), why });
        }
        Err(e) => return Err(lost(e)),
    };
    for (name, value) in &connection.set_env {
        channel.set_env(false, name.clone(), value.clone()).await.map_err(lost)?;
    }
    channel.exec(false, line).await.map_err(lost)?;

    let (incoming, outgoing) = channel.split();
    let (to_reader, queue) = mpsc::channel(QUEUE);
    let (writer_lives, writer_gone) = oneshot::channel();
    let (channel_lives, channel_gone) = oneshot::channel();
    let writer = Writer { inner: outgoing.make_writer(), channel_gone: Some(channel_gone), lives: Some(writer_lives) };
    let end = End::new();
    let pump = Pump { incoming, outgoing, end: end.clone(), prompt, ended: connection.ended.clone() };
    runtime()?.spawn(async move {
        pump.run(to_reader, writer_gone).await;
        drop(channel_lives);
    });
    Ok(Opened { reader: Box::new(Reader { queue, current: Bytes::new() }), writer: Box::new(writer), end })
}

struct Pump {
    incoming: ChannelReadHalf,
    outgoing: ChannelWriteHalf<Msg>,
    end: Arc<End>,
    prompt: Arc<dyn Prompt>,
    ended: Ended,
}

impl Pump {
    async fn run(mut self, to_reader: mpsc::Sender<Bytes>, mut writer_gone: oneshot::Receiver<()>) {
        let mut to_reader = Some(to_reader);
        let mut writing = true;
        // Set when nobody has an end of the pipe any more: the far side may still end by itself, and say how.
        let mut patience: Option<Pin<Box<tokio::time::Sleep>>> = None;
        let status = loop {
            tokio::select! {
                message = self.incoming.wait() => match message {
                    Some(ChannelMsg::Data { data }) => {
                        // A reader that is gone does not stop us from draining.
                        if let Some(to) = &to_reader {
                            drop(to.send(data).await);
                        }
                    }
                    Some(ChannelMsg::ExtendedData { data, ext: STDERR }) => self.end.stderr(&data, &*self.prompt),
                    Some(ChannelMsg::Eof) => to_reader = None,
                    Some(ChannelMsg::ExitStatus { exit_status }) => {
                        self.end.ended(Status::Code(i32::try_from(exit_status).unwrap_or(i32::MAX)));
                    }
                    Some(ChannelMsg::ExitSignal { signal_name, .. }) => {
                        self.end.ended(Status::Signal(format!("{signal_name:?}")));
                    }
                    Some(ChannelMsg::Close) => break Status::Lost("the channel was closed".to_owned()),
                    Some(_) => {}
                    None => break self.why_lost(),
                },
                _ = &mut writer_gone, if writing => {
                    writing = false;
                    // The far side sees the end of its stdin. An error means that the channel is gone: see above.
                    drop(self.outgoing.eof().await);
                }
                () = reader_gone(to_reader.as_ref()), if !writing && patience.is_none() => {
                    patience = Some(Box::pin(tokio::time::sleep(PATIENCE)));
                }
                () = over(patience.as_mut()) => {
                    drop(self.outgoing.close().await);
                    break Status::Lost("it did not end with its pipe".to_owned());
                }
            }
        };
        self.end.stderr_ended(&*self.prompt);
        self.end.ended(status);
    }

    fn why_lost(&self) -> Status {
        let why = self.ended.lock().unwrap_or_else(PoisonError::into_inner).clone();
        Status::Lost(why.unwrap_or_else(|| "the SSH connection ended".to_owned()))
    }
}

async fn reader_gone(to_reader: Option<&mpsc::Sender<Bytes>>) {
    if let Some(to_reader) = to_reader {
        to_reader.closed().await;
    }
}

async fn over(patience: Option<&mut Pin<Box<tokio::time::Sleep>>>) {
    match patience {
        Some(patience) => patience.await,
        None => std::future::pending().await,
    }
}

struct Reader {
    queue: mpsc::Receiver<Bytes>,
    current: Bytes,
}

impl AsyncRead for Reader {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, to: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        while self.current.is_empty() {
            match ready!(self.queue.poll_recv(cx)) {
                Some(data) => self.current = data,
                None => return Poll::Ready(Ok(())),
            }
        }
        let n = self.current.len().min(to.remaining());
        to.put_slice(self.current.get(..n).unwrap_or_default());
        self.current.advance(n);
        Poll::Ready(Ok(()))
    }
}

struct Writer<W> {
    inner: W,
    /// Ready when the channel has ended: russh alone would wait for ever for a window that nobody opens.
    channel_gone: Option<oneshot::Receiver<()>>,
    /// Tells the pump to end the far side's stdin, by being dropped.
    lives: Option<oneshot::Sender<()>>,
}

impl<W> Writer<W> {
    fn is_over(&mut self, cx: &mut Context<'_>) -> bool {
        let Some(gone) = &mut self.channel_gone else { return true };
        if Pin::new(gone).poll(cx).is_ready() {
            self.channel_gone = None;
        }
        self.channel_gone.is_none() || self.lives.is_none()
    }
}

impl<W: AsyncWrite + Unpin> AsyncWrite for Writer<W> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, from: &[u8]) -> Poll<io::Result<usize>> {
        if self.is_over(cx) {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        if from.is_empty() {
            return Poll::Ready(Ok(0));
        }
        Pin::new(&mut self.inner).poll_write(cx, from)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.lives = None;
        Poll::Ready(Ok(()))
    }
}
