//! A pipe over file descriptors, and the one over this process's own stdin and stdout.

use std::io;
use std::os::fd::OwnedFd;
use std::pin::Pin;
use std::task::{Context, Poll};

use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::unix::pipe;

use super::{Pipe, Reader, Writer};
use crate::error::{Error, Result};

/// The pipe of a server process: its stdin and stdout.
///
/// Both are moved away from their usual numbers. Afterwards descriptor 0 is empty and descriptor 1 is stderr, so that
/// nothing that prints, in whatever library, can mix with the frames.
pub fn stdio_pipe() -> Result<Pipe> {
    let failed = |e: rustix::io::Errno| Error::from_pipe("taking over stdin and stdout", &e.into());
    let read = rustix::io::fcntl_dupfd_cloexec(rustix::stdio::stdin(), 3).map_err(failed)?;
    let write = rustix::io::fcntl_dupfd_cloexec(rustix::stdio::stdout(), 3).map_err(failed)?;
    let nothing =
        rustix::fs::open("/dev/null", OFlags::RDWR | OFlags::CLOEXEC, rustix::fs::Mode::empty()).map_err(failed)?;
    rustix::stdio::dup2_stdin(&nothing).map_err(failed)?;
    rustix::stdio::dup2_stdout(rustix::stdio::stderr()).map_err(failed)?;
    Ok(Pipe::from_files(read, write))
}

/// Makes both halves; on the runtime that polls them.
pub(super) fn open(read: OwnedFd, write: OwnedFd) -> io::Result<(Reader, Writer)> {
    let reader: Reader = match watched(&read, pipe::Receiver::from_owned_fd_unchecked)? {
        Some(inner) => Box::new(Watched { inner, _flags: Flags::set(read)? }),
        None => Box::new(Plain(read)),
    };
    let writer: Writer = match watched(&write, pipe::Sender::from_owned_fd_unchecked)? {
        Some(inner) => Box::new(Watched { inner, _flags: Flags::set(write)? }),
        None => Box::new(Plain(write)),
    };
    Ok((reader, writer))
}

/// Has the runtime watch a pipe, socket or terminal. `None`: it cannot be watched, because it is a plain file, which
/// is always ready.
fn watched<T>(fd: &OwnedFd, watch: impl FnOnce(OwnedFd) -> io::Result<T>) -> io::Result<Option<T>> {
    match watch(fd.try_clone()?) {
        Ok(inner) => Ok(Some(inner)),
        Err(e) if e.kind() == io::ErrorKind::PermissionDenied => Ok(None),
        Err(e) => Err(e),
    }
}

/// Makes a descriptor non-blocking, and puts its flags back in the end: others may share it, such as the shell that
/// started us.
struct Flags {
    fd: OwnedFd,
    before: OFlags,
}

impl Flags {
    fn set(fd: OwnedFd) -> io::Result<Self> {
        let before = fcntl_getfl(&fd)?;
        fcntl_setfl(&fd, before | OFlags::NONBLOCK)?;
        Ok(Self { fd, before })
    }
}

impl Drop for Flags {
    fn drop(&mut self) {
        // Nothing can be done when it fails, and nothing of ours depends on it.
        fcntl_setfl(&self.fd, self.before).unwrap_or_default();
    }
}

struct Watched<T> {
    inner: T,
    _flags: Flags,
}

impl AsyncRead for Watched<pipe::Receiver> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, out: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_read(cx, out)
    }
}

impl AsyncWrite for Watched<pipe::Sender> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(cx, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// A plain file, which blocks the thread, though never for long.
struct Plain(OwnedFd);

impl AsyncRead for Plain {
    fn poll_read(self: Pin<&mut Self>, _: &mut Context<'_>, out: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let len = rustix::io::read(&self.0, out.initialize_unfilled())?;
        out.advance(len);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Plain {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(rustix::io::write(&self.0, bytes)?))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::os::unix::net::UnixStream;

    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    fn run<T>(future: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
    }

    #[test]
    fn sockets_pipes_and_plain_files_are_read_and_written() {
        run(async {
            let (ours, mut theirs) = UnixStream::pair().unwrap();
            theirs.write_all(b"from them").unwrap();
            let (mut reader, mut writer) = open(ours.try_clone().unwrap().into(), ours.into()).unwrap();
            let mut got = [0; 9];
            reader.read_exact(&mut got).await.unwrap();
            assert_eq!(&got, b"from them");
            writer.write_all(b"from us").await.unwrap();
            theirs.read_exact(&mut got[..7]).unwrap();
            assert_eq!(&got[..7], b"from us");

            let (read, write) = std::io::pipe().unwrap();
            let (mut reader, mut writer) = open(read.into(), write.into()).unwrap();
            writer.write_all(b"abc").await.unwrap();
            drop(writer);
            let mut got = Vec::new();
            reader.read_to_end(&mut got).await.unwrap();
            assert_eq!(got, b"abc");

            let mut file = tempfile::tempfile().unwrap();
            file.write_all(b"12345").unwrap();
            std::io::Seek::rewind(&mut file).unwrap();
            let (mut reader, mut writer) =
                open(file.try_clone().unwrap().into(), tempfile::tempfile().unwrap().into()).unwrap();
            let mut got = Vec::new();
            reader.read_to_end(&mut got).await.unwrap();
            assert_eq!(got, b"12345");
            writer.write_all(b"x").await.unwrap();
        });
    }

    #[test]
    fn flags_are_put_back() {
        run(async {
            let (read, write) = std::io::pipe().unwrap();
            let other = read.try_clone().unwrap();
            let halves = open(read.into(), write.into()).unwrap();
            assert!(fcntl_getfl(&other).unwrap().contains(OFlags::NONBLOCK));
            drop(halves);
            assert!(!fcntl_getfl(&other).unwrap().contains(OFlags::NONBLOCK));
        });
    }
}
