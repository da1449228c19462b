//! How fast DATA goes through a client and a server in this process:
//! `cargo run --release -p tuckbox-transport --example speed`.
#![expect(clippy::print_stdout, reason = "an example prints")]

use std::sync::Arc;
use std::thread;

use bytes::Bytes;
use store::door::{Clock, SystemClock};
use transport::{Call, Class, Client, ClientConfig, Hello, Part, ServerConfig, Service, memory_pipe, serve};

const BYTES: usize = 4 << 30;
const PIECE: usize = 256 << 10;

/// `sink` takes everything; `give` sends 4 GiB.
struct Speed;

impl Service for Speed {
    fn handle(&self, call: Call, request: Vec<u8>) {
        let done = if request == b"give" { give(&call) } else { take(&call).map(drop) };
        done.and_then(|()| call.end()).unwrap_or_default();
    }
}

fn give(call: &Call) -> transport::Result<()> {
    let piece = Bytes::from(vec![7; PIECE]);
    (0..BYTES / PIECE).try_for_each(|_| call.send_data(piece.clone()))
}

fn take(call: &Call) -> transport::Result<usize> {
    let mut bytes = 0;
    while let Some(part) = call.recv()? {
        if let Part::Data(data) = part {
            bytes += data.len();
        }
    }
    Ok(bytes)
}

fn main() -> transport::Result<()> {
    let clock = Arc::new(SystemClock::new());
    let (ours, theirs) = memory_pipe();
    let config = ServerConfig::new(Hello::new("speed", &[]), Arc::<SystemClock>::clone(&clock));
    let server = thread::spawn(move || serve(theirs, config, Arc::new(Speed)));
    let client = Client::connect(ours, ClientConfig::new(Hello::new("speed", &[]), Arc::<SystemClock>::clone(&clock)))?;

    for way in ["up", "down"] {
        let start = clock.monotonic_ms();
        if way == "up" {
            let call = client.call(Class::Bulk, b"sink".to_vec())?;
            give(&call)?;
            call.end()?;
            take(&call)?;
        } else {
            take(&client.call(Class::Bulk, b"give".to_vec())?)?;
        }
        let took = clock.monotonic_ms() - start;
        println!("{way}: 4 GiB in {took} ms, {} MiB/s", 4096 * 1000 / took.max(1));
    }
    client.close()?;
    server.join().unwrap_or(Ok(()))
}
