//! A line with a long way: a TCP forwarder on a loopback port that delivers every byte late, in order, and as many at
//! a time as come.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::time::{Instant, sleep_until};

/// Bytes under way in each direction of a connection: more than any window that is tried on it.
const UNDER_WAY_MAX: usize = 128 << 20;
/// What is read at a time.
const READ_BYTES: u32 = 64 << 10;

/// A running forwarder; it ends, with all its connections, when it is dropped.
#[derive(Debug)]
pub struct SlowLine {
    /// Where it listens, on 127.0.0.1.
    pub port: u16,
    _runtime: Runtime,
}

impl SlowLine {
    /// A line to `port` of this machine with this round trip, half of it each way.
    ///
    /// # Panics
    /// When there is no free port.
    #[must_use]
    pub fn start(port: u16, round_trip: Duration) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("slow-line")
            .enable_all()
            .build()
            .expect("a runtime");
        let listener = runtime.block_on(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))).expect("a free port");
        let here = listener.local_addr().expect("its number").port();
        runtime.spawn(accept(listener, (Ipv4Addr::LOCALHOST, port).into(), round_trip / 2));
        Self { port: here, _runtime: runtime }
    }
}

async fn accept(listener: TcpListener, to: SocketAddr, delay: Duration) {
    loop {
        // A connection that failed before it was taken, or a lack of descriptors, is not the end of the line.
        let Ok((near, _)) = listener.accept().await else {
            tokio::task::yield_now().await;
            continue;
        };
        tokio::spawn(async move {
            let Ok(far) = TcpStream::connect(to).await else { return };
            if near.set_nodelay(true).is_err() || far.set_nodelay(true).is_err() {
                return;
            }
            let (near_in, near_out) = near.into_split();
            let (far_in, far_out) = far.into_split();
            tokio::spawn(direction(near_in, far_out, delay));
            tokio::spawn(direction(far_in, near_out, delay));
        });
    }
}

/// Some bytes, when they arrive, and their part of what may be under way.
type Late = (Instant, Vec<u8>, OwnedSemaphorePermit);

async fn direction(mut from: OwnedReadHalf, to: OwnedWriteHalf, delay: Duration) {
    let room = Arc::new(Semaphore::new(UNDER_WAY_MAX));
    let (sender, receiver) = mpsc::channel(UNDER_WAY_MAX / 1024);
    tokio::spawn(deliver(receiver, to));
    loop {
        let mut bytes = vec![0; READ_BYTES as usize];
        let Ok(count @ 1..) = from.read(&mut bytes).await else { return };
        let arrives = Instant::now() + delay;
        bytes.truncate(count);
        let Ok(permit) = Arc::clone(&room).acquire_many_owned(u32::try_from(count).unwrap_or(READ_BYTES)).await else {
            return;
        };
        if sender.send((arrives, bytes, permit)).await.is_err() {
            return;
        }
    }
}

async fn deliver(mut late: mpsc::Receiver<Late>, mut to: OwnedWriteHalf) {
    while let Some((arrives, bytes, permit)) = late.recv().await {
        sleep_until(arrives).await;
        if to.write_all(&bytes).await.is_err() {
            return;
        }
        drop(permit);
    }
    // The end takes as long as everything before it. An end that is not taken matters to nobody.
    to.shutdown().await.unwrap_or_default();
}
