//! The pump and the handles, over pipes inside this process.

use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};

use store::door::{Clock, SystemClock};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::pattern;
use crate::session::Rates;
use crate::{
    Call, Class, Client, ClientConfig, Code, Error, Hello, Meter, Pace, Part, Pipe, Result, ServerConfig, Service,
    memory_pipe, serve, stdio_pipe,
};

/// Answers with what the request says: `echo`, `give N`, `wait`, `panic`, `drop`.
#[derive(Default)]
struct Words {
    running: AtomicUsize,
    most: AtomicUsize,
}

impl Service for Words {
    fn handle(&self, call: Call, request: Vec<u8>) {
        let running = self.running.fetch_add(1, Ordering::SeqCst) + 1;
        self.most.fetch_max(running, Ordering::SeqCst);
        let outcome = answer(&call, &String::from_utf8(request).unwrap());
        self.running.fetch_sub(1, Ordering::SeqCst);
        drop(outcome);
    }
}

fn answer(call: &Call, request: &str) -> Result<()> {
    match request.split_once(' ').unwrap_or((request, "")) {
        ("echo", _) => {
            while let Some(part) = call.recv()? {
                match part {
                    Part::Message(message) => call.send_message(message)?,
                    Part::Data(data) => call.send_data(data)?,
                }
            }
            call.end()
        }
        ("give", bytes) => {
            let bytes: usize = bytes.parse().unwrap();
            for at in (0..bytes).step_by(100_000) {
                call.send_data(pattern(at, (bytes - at).min(100_000)).into())?;
            }
            call.end()
        }
        ("wait", _) => call.recv().map(drop),
        ("panic", _) => panic!("as asked"),
        _ => Ok(()),
    }
}

fn hello() -> Hello {
    Hello::new("test", &[])
}

fn start(pipe: Pipe) -> (JoinHandle<Result<()>>, Arc<Words>) {
    let words = Arc::new(Words::default());
    let service = Arc::clone(&words);
    let server = thread::spawn(move || serve(pipe, ServerConfig::new(hello(), Arc::new(SystemClock::new())), service));
    (server, words)
}

fn connect(pipe: Pipe) -> Client {
    Client::connect(pipe, ClientConfig::new(hello(), Arc::new(SystemClock::new()))).unwrap()
}

fn read_all(call: &Call) -> Result<(Vec<Vec<u8>>, Vec<u8>)> {
    let (mut messages, mut data) = (Vec::new(), Vec::new());
    while let Some(part) = call.recv()? {
        match part {
            Part::Message(message) => messages.push(message),
            Part::Data(bytes) => data.extend_from_slice(&bytes),
        }
    }
    Ok((messages, data))
}

#[test]
fn calls_from_many_threads_and_a_goodbye() {
    let (ours, theirs) = memory_pipe();
    let (server, _) = start(theirs);
    let client = connect(ours);
    thread::scope(|scope| {
        for i in 0..8 {
            let client = &client;
            scope.spawn(move || {
                let class = if i % 2 == 0 { Class::Bulk } else { Class::Interactive };
                let give = client.call(class, format!("give {}", i * 700_000).into()).unwrap();
                assert!(read_all(&give).unwrap().1 == pattern(0, i * 700_000));

                let echo = client.call(class, b"echo".to_vec()).unwrap();
                let data = pattern(0, 3_000_000);
                thread::scope(|scope| {
                    scope.spawn(|| {
                        for part in data.chunks(77_777) {
                            echo.send_data(part.to_vec().into()).unwrap();
                        }
                        echo.send_message(vec![9; 1 << 20]).unwrap();
                        echo.end().unwrap();
                    });
                    let (messages, echoed) = read_all(&echo).unwrap();
                    assert!(messages == [vec![9; 1 << 20]] && echoed == data);
                });
            });
        }
    });
    assert_eq!(client.peer().unwrap().agent, "test");
    assert_eq!(client.agreed().unwrap().protocol, 1);
    assert_eq!(client.noise(), None);
    assert!(client.traffic().sent_bytes > 8 * 4_000_000);
    client.close().unwrap();
    server.join().unwrap().unwrap();
}

#[test]
fn handlers_that_fail_are_heard_of_and_the_rest_goes_on() {
    let (ours, theirs) = memory_pipe();
    let (server, _) = start(theirs);
    let client = connect(ours);
    for request in ["panic", "drop"] {
        let call = client.call(Class::Interactive, request.into()).unwrap();
        assert_eq!(call.recv(), Err(Error::Reset(Code::DROPPED)));
        assert_eq!(call.recv(), Err(Error::Reset(Code::DROPPED)));
        assert!(call.send_message(vec![]).is_err());
    }
    let give = client.call(Class::Interactive, b"give 10".to_vec()).unwrap();
    assert_eq!(read_all(&give).unwrap().1, pattern(0, 10));
    assert_eq!(give.send_message(vec![]), Err(Error::Ended));
    client.close().unwrap();
    server.join().unwrap().unwrap();
}

#[test]
fn no_more_handlers_than_there_may_be() {
    let (ours, theirs) = memory_pipe();
    let (server, words) = start(theirs);
    let client = connect(ours);
    // Cancelled calls leave the client room for new ones at once, while their handlers may still run.
    for _ in 0..10 {
        let calls: Vec<Call> = (0..64).map(|_| client.call(Class::Interactive, b"wait".to_vec()).unwrap()).collect();
        assert!(matches!(client.call(Class::Bulk, vec![]), Err(Error::Limit { .. })));
        drop(calls);
    }
    let give = client.call(Class::Interactive, b"give 1".to_vec()).unwrap();
    assert_eq!(read_all(&give).unwrap().1.len(), 1);
    client.close().unwrap();
    server.join().unwrap().unwrap();
    let most = words.most.load(Ordering::SeqCst);
    assert!(most <= 64, "{most}");
}

#[test]
fn a_pipe_that_ends_wakes_everybody() {
    let (ours, theirs) = memory_pipe();
    let client = connect(ours);
    let waits = client.call(Class::Interactive, b"wait".to_vec()).unwrap();
    let sends = client.call(Class::Bulk, b"wait".to_vec()).unwrap();
    thread::scope(|scope| {
        let outcomes = [
            scope.spawn(|| waits.recv().map(drop)),
            scope.spawn(|| {
                loop {
                    sends.send_data(vec![1; 100_000].into())?;
                }
            }),
            scope.spawn(|| client.peer().map(drop)),
        ];
        drop(theirs);
        for outcome in outcomes {
            let why = outcome.join().unwrap().unwrap_err();
            assert!(matches!(why, Error::NoMagic { ref noise } if noise.is_empty()), "{why:?}");
        }
    });
    assert!(client.call(Class::Bulk, vec![]).is_err());
    assert!(client.close().is_err());
}

#[test]
fn a_client_that_gives_up_wakes_everybody_and_ends_the_server() {
    let (ours, theirs) = memory_pipe();
    let (server, _) = start(theirs);
    let client = connect(ours);
    let waits = client.call(Class::Interactive, b"wait".to_vec()).unwrap();
    // The server has heard of it when it answers.
    let echo = client.call(Class::Interactive, b"echo".to_vec()).unwrap();
    echo.send_message(vec![1]).unwrap();
    assert_eq!(echo.recv(), Ok(Some(Part::Message(vec![1]))));
    thread::scope(|scope| {
        let waiting = scope.spawn(|| waits.recv().map(drop));
        client.give_up();
        let why = waiting.join().unwrap().unwrap_err();
        assert!(matches!(why, Error::Lost { .. }), "{why:?}");
    });
    assert!(client.call(Class::Bulk, vec![]).is_err());
    assert!(client.close().is_err());
    // Though a handle of a call is still there.
    let ended = server.join().unwrap();
    assert!(matches!(ended, Err(Error::Lost { .. })), "{ended:?}");
    drop((waits, echo));
}

#[test]
fn a_client_that_goes_away_ends_the_server_and_its_handlers() {
    let (ours, theirs) = memory_pipe();
    let (server, words) = start(theirs);
    let client = connect(ours);
    let call = client.call(Class::Interactive, b"wait".to_vec()).unwrap();
    let echo = client.call(Class::Interactive, b"echo".to_vec()).unwrap();
    echo.send_message(vec![1]).unwrap();
    assert_eq!(echo.recv(), Ok(Some(Part::Message(vec![1]))));
    drop(client);
    echo.send_message(vec![2]).unwrap();
    assert_eq!(echo.recv(), Ok(Some(Part::Message(vec![2]))), "calls keep their connection");
    drop((call, echo));
    let why = server.join().unwrap().unwrap_err();
    assert!(matches!(why, Error::Lost { .. }));
    assert_eq!(words.running.load(Ordering::SeqCst), 0);
}

/// Copies one direction until so many bytes have passed.
async fn carry(mut from: crate::pipe::Reader, mut to: crate::pipe::Writer, mut left: usize) {
    let mut bytes = vec![0; 5000];
    while left > 0 {
        let most = bytes.len().min(left);
        let Ok(len @ 1..) = from.read(&mut bytes[..most]).await else { return };
        left -= len;
        if to.write_all(&bytes[..len]).await.is_err() {
            return;
        }
    }
}

#[test]
fn a_wire_cut_in_the_midst_ends_everything_on_both_sides() {
    for cut in [0, 1, 15, 16, 17, 40, 60, 90, 1000, 65_000, 300_000, 2_000_000] {
        let (ours, near) = memory_pipe();
        let (far, theirs) = memory_pipe();
        let wire = thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            runtime.block_on(async {
                let (near, far) = (near.split().unwrap(), far.split().unwrap());
                // When one direction falls, both do.
                tokio::select! {
                    () = carry(near.0, far.1, cut) => {}
                    () = carry(far.0, near.1, usize::MAX) => {}
                }
            });
        });
        let (server, words) = start(theirs);
        let client = connect(ours);
        let classes = [Class::Bulk, Class::Interactive, Class::Bulk, Class::Interactive];
        // The wire may be gone before the first of them.
        let calls: Vec<Call> =
            classes.into_iter().filter_map(|class| client.call(class, b"echo".to_vec()).ok()).collect();
        thread::scope(|scope| {
            for call in &calls {
                scope.spawn(move || while call.send_data(pattern(0, 50_000).into()).is_ok() {});
                scope.spawn(move || assert!(read_all(call).is_err()));
            }
        });
        drop(calls);
        assert!(client.close().is_err());
        assert!(server.join().unwrap().is_err());
        assert_eq!(words.running.load(Ordering::SeqCst), 0);
        wire.join().unwrap();
    }
}

#[test]
fn a_rate_is_kept_by_the_pump() {
    let (ours, theirs) = memory_pipe();
    let (server, _) = start(theirs);
    let client = connect(ours);
    client.set_rates(Rates { up: Some(4_000_000), down: None });
    let clock = SystemClock::new();
    let echo = client.call(Class::Bulk, b"echo".to_vec()).unwrap();
    echo.send_data(pattern(0, 500_000).into()).unwrap();
    echo.end().unwrap();
    assert_eq!(read_all(&echo).unwrap().1.len(), 500_000);
    // A frame goes ahead of its time, and waits are rounded to milliseconds.
    let took = clock.monotonic_ms();
    assert!((100..5_000).contains(&took), "{took}");
    drop(echo);
    client.close().unwrap();
    server.join().unwrap().unwrap();
}

/// Always the same.
struct Steady(Rates);

impl Pace for Steady {
    fn rates(&self) -> Rates {
        self.0
    }
}

#[test]
fn a_server_keeps_its_pace_and_counts_to_the_byte() {
    let (ours, theirs) = memory_pipe();
    let meter = Arc::new(Meter::default());
    let mut config = ServerConfig::new(hello(), Arc::new(SystemClock::new()));
    // What a slow machine saves up while it stands still, an eighth of a second, is far less than what is given.
    config.pace = Some(Arc::new(Steady(Rates { up: Some(1_000_000), down: None })));
    config.meter = Arc::clone(&meter);
    let server = thread::spawn(move || serve(theirs, config, Arc::new(Words::default())));
    let client = connect(ours);
    let handle = client.clone();
    let give = client.call(Class::Bulk, b"give 600000".to_vec()).unwrap();
    assert_eq!(read_all(&give).unwrap().1.len(), 600_000);
    drop(give);
    client.close().unwrap();
    server.join().unwrap().unwrap();
    let (near, far) = (handle.traffic(), meter.traffic());
    assert_eq!((near.sent_bytes, near.received_bytes), (far.received_bytes, far.sent_bytes));
    assert!(far.sent_bytes > 600_000 && meter.throttled_ms() > 0);
}

/// Says to a process of this test program that it is the far side of a test.
const FAR_SIDE: &str = "TUCKBOX_TEST_FAR_SIDE";

fn far_side() {
    let pipe = stdio_pipe().unwrap();
    // Whatever is printed from now on goes to stderr.
    rustix::io::write(rustix::stdio::stdout(), b"not a frame\n").unwrap();
    let config = ServerConfig::new(hello(), Arc::new(SystemClock::new()));
    serve(pipe, config, Arc::new(Words::default())).unwrap();
}

/// Starts this very test again as a process of its own, which by the variable knows that it is the far side.
#[test]
fn a_server_process_speaks_over_its_stdin_and_stdout() {
    if std::env::var_os(FAR_SIDE).is_some() {
        return far_side();
    }
    // The test program greets like a login shell before it comes to the point.
    let mut far_side = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "--nocapture", "simulate::pipes::a_server_process_speaks_over_its_stdin_and_stdout"])
        .env(FAR_SIDE, "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let (read, write) = (far_side.stdout.take().unwrap(), far_side.stdin.take().unwrap());
    let client = connect(Pipe::from_files(read.into(), write.into()));
    let give = client.call(Class::Bulk, b"give 5000000".to_vec()).unwrap();
    assert!(read_all(&give).unwrap().1 == pattern(0, 5_000_000));
    assert!(String::from_utf8(client.noise().unwrap()).unwrap().contains("running 1 test"));
    drop(give);
    client.close().unwrap();
    assert!(far_side.wait().unwrap().success());
}

#[test]
fn noise_is_kept_for_a_warning() {
    let (ours, far) = memory_pipe();
    let (near, theirs) = memory_pipe();
    let (server, _) = start(theirs);
    let wire = thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let (mut near, mut far) = (near.split().unwrap(), far.split().unwrap());
            far.1.write_all(b"You have mail.\n").await.unwrap();
            tokio::join!(carry(near.0, far.1, usize::MAX), carry(far.0, near.1, usize::MAX));
            (near.2.take(), far.2.take())
        });
    });
    let client = connect(ours);
    let give = client.call(Class::Interactive, b"give 5".to_vec()).unwrap();
    assert_eq!(read_all(&give).unwrap().1.len(), 5);
    assert_eq!(client.noise().as_deref(), Some(&b"You have mail.\n"[..]));
    drop(give);
    client.close().unwrap();
    server.join().unwrap().unwrap();
    wire.join().unwrap();
}
