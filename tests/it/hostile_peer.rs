//! A client that keeps to no rule, against the true server: it is refused or its session ends, no memory piles up, the
//! vault is as it was, and others go on.

use std::fs;
use std::process::{Child, Stdio};
use std::sync::Arc;
use std::time::Duration;

use store::door::SystemClock;
use store::id::{SessionId, SourceId};
use store::record::Record;
use store::seal::{Level, Scratch};
use tests::attacker::Attacker;
use tests::subject::files_below;
use tests::tree;
use tests::world::World;
use transport::frame::{Header, Kind, flag};
use transport::magic::CLIENT_MAGIC;
use transport::message::{
    AskBatch, Begin, Bind, Bodies, Check, Commit, FetchBatch, Init, Links, Open, Reply, Request, SetSlots, Under, Up,
    UpReply, decode, encode,
};
use transport::pipe::Pipe;
use transport::{Call, Class, Client, ClientConfig, Hello, Part};

use crate::world;

/// Two accounts in one vault, each with a version.
fn machine() -> (World, World) {
    let world = world().ready();
    tree::small(world.path("docs"));
    world.tuckbox(["backup", &world.arg("docs")]).ok();
    let carl = world.machine("carl").with_vault(world.arg("vault"));
    carl.tuckbox(["init", "--account", "carl"]).ok();
    carl.tuckbox(["backup", &world.arg("docs")]).ok();
    (world, carl)
}

/// What the vault holds that is truth.
fn truth(world: &World) -> Vec<(std::path::PathBuf, Vec<u8>)> {
    let is_truth = |file: &std::path::PathBuf| {
        file.extension().is_some_and(|e| ["link", "body", "note", "json"].iter().any(|truth| e == *truth))
    };
    let files = files_below(&world.vault()).into_iter().filter(is_truth);
    files.map(|file| (file.clone(), fs::read(&file).unwrap())).collect()
}

/// The command line of a server that has little memory: 64 handlers and their stacks are most of it.
fn serve(world: &World, words: &str) -> tests::subject::Call {
    let script = format!(
        "ulimit -v 1500000; exec '{}' serve --stdio --vault '{}' {words}",
        world.arg("bin/tuckbox"),
        world.arg("vault")
    );
    world.command("sh", ["-c", &script])
}

fn frame(kind: Kind, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    Header { kind, flags, stream }.encode(payload, &mut out);
    out
}

fn open(id: u32) -> Vec<u8> {
    frame(Kind::Message, flag::OPEN, id, &encode(&Request::Open(Open::default())))
}

#[test]
fn bytes_that_are_no_conversation() {
    let (world, _) = machine();
    let before = truth(&world);
    let hello = frame(Kind::Hello, 0, 0, &Hello::new("x", &[]).encode().unwrap());
    let greeted = |more: Vec<u8>| [&CLIENT_MAGIC[..], &hello, &more].concat();
    let many = |count: usize, each: &dyn Fn(u32) -> Vec<u8>| -> Vec<u8> {
        (0..u32::try_from(count).unwrap()).flat_map(each).collect()
    };
    let long = vec![7; 64 << 10];
    let mut giant = frame(Kind::Data, 0, 1, b"x");
    giant[..4].copy_from_slice(&u32::MAX.to_le_bytes());
    let mut spoiled = open(1);
    *spoiled.last_mut().unwrap() ^= 1;
    let cases: Vec<(&str, Vec<u8>)> = vec![
        ("nothing", Vec::new()),
        ("noise", b"GET / HTTP/1.1\r\n\r\n".repeat(50_000)),
        ("magic and noise", [&CLIENT_MAGIC[..], &vec![0x55; 1 << 20]].concat()),
        ("no hello", [&CLIENT_MAGIC[..], &open(1)].concat()),
        ("two hellos", greeted(hello.clone())),
        ("a frame of 4 GiB", greeted([open(1), giant].concat())),
        ("a spoiled frame", greeted(spoiled)),
        ("a frame that ends early", greeted(open(1)[..20].to_vec())),
        ("a stream twice", greeted([open(1), open(1)].concat())),
        ("data without a request", greeted(frame(Kind::Data, 0, 9, b"x"))),
        ("65 streams", greeted(many(65, &|n| open(4 * n + 1)))),
        ("more than the credit", greeted([open(1), many(600, &|_| frame(Kind::Data, 0, 1, &long))].concat())),
        (
            "credit without measure",
            greeted([open(1), many(4, &|_| frame(Kind::Credit, 0, 1, &[0, 0, 0, 0x7f]))].concat()),
        ),
        ("a million pings", greeted(many(1_000_000, &|_| frame(Kind::Ping, 0, 0, &[3; 8])))),
        (
            "opened and dropped, over and over",
            greeted(many(100_000, &|n| [open(4 * n + 1), frame(Kind::Reset, 0, 4 * n + 1, &[10, 0])].concat())),
        ),
        ("unknown frames", greeted(many(100_000, &|_| frame(Kind::Unknown(200), 0, 0, &[1; 40])))),
    ];
    for (what, bytes) in cases {
        let run = serve(&world, "--role admin").stdin(bytes).limit(Duration::from_secs(300)).run();
        println!("{what}: exit {} {}", run.code(), run.err().lines().next().unwrap_or_default());
        assert!(run.code() < 100, "{what}\n{run}");
        assert!(!run.err().contains("panicked") && !run.err().contains("memory allocation"), "{what}\n{run}");
        assert!(run.stdout.len() < 64 << 20, "{what}");
    }
    assert!(truth(&world) == before);
    world.tuckbox(["check", "--full"]).ok();
}

/// A connection to the true server whose other end is the test.
struct Wire {
    client: Client,
    child: Child,
}

impl Wire {
    fn to(world: &World, words: &str) -> Self {
        let mut command = serve(world, words).into_command();
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let (read, write) = (child.stdout.take().unwrap(), child.stdin.take().unwrap());
        let pipe = Pipe::from_files(read.into(), write.into());
        let config = ClientConfig::new(Hello::new("hostile", &[]), Arc::new(SystemClock::new()));
        Self { client: Client::connect(pipe, config).unwrap(), child }
    }

    fn call(&self, request: &Request) -> Call {
        self.client.call(Class::Bulk, encode(request)).unwrap()
    }

    /// The code that the first message of an answer refuses with; `None` when it is none.
    fn refusal(call: &Call) -> Option<String> {
        loop {
            match call.recv() {
                Ok(Some(Part::Message(message))) => match decode::<Reply<UpReply>>(&message) {
                    Ok(Reply::Refused(refusal)) => return Some(refusal.code),
                    // Another kind of answer is none.
                    Ok(Reply::Done(UpReply::Begun(_) | UpReply::Ack(_))) => {}
                    _ => return None,
                },
                Ok(Some(Part::Data(_))) => {}
                Ok(None) => return None,
                Err(_) => return Some("reset".to_owned()),
            }
        }
    }

    /// What is answered to a request that is the whole of a call.
    fn asked(&self, request: &Request) -> Option<String> {
        let call = self.call(request);
        drop(call.end());
        Self::refusal(&call)
    }

    fn open(&self, name: &str) -> Option<String> {
        self.asked(&Request::Open(Open { account: Some(name.into()), ..Open::default() }))
    }

    /// It is well and goes when asked to; what it said to its own people holds no panic.
    fn goodbye(self) {
        self.client.close().unwrap();
        let done = self.child.wait_with_output().unwrap();
        assert!(done.status.success(), "{done:?}");
        assert!(!String::from_utf8_lossy(&done.stderr).contains("panicked"), "{done:?}");
    }
}

fn bytes(record: &Record) -> Vec<u8> {
    let mut out = Vec::new();
    record.encode(&mut out);
    out
}

fn upload() -> Request {
    Request::Upload(Begin { sources: vec![SourceId::new([1; 16])], ..Begin::default() })
}

#[test]
fn requests_in_the_wrong_order_and_beyond_every_number() {
    let (world, _) = machine();
    let before = truth(&world);
    let name = world.tuckbox(["key", "list", "--json"]).ok().record("key")["account"].as_str().unwrap().to_owned();
    let wire = Wire::to(&world, "--role backup");
    // Nothing was opened.
    let ids = |count: usize| vec![7; 32 * count];
    let all = |count: usize| {
        vec![
            Request::Links(Links { after: 0, most: u64::MAX }),
            Request::Bodies(Bodies { hashes: vec![store::id::BodyHash::new([1; 32]); count] }),
            Request::Ask(AskBatch { chunks: ids(count / 2), nodes: ids(count / 2) }),
            Request::Under(Under { roots: ids(count / 2), known: ids(count / 2), depth: None }),
            Request::Fetch(FetchBatch { chunks: ids(count) }),
            Request::Check(Check { read_data: true }),
            Request::SetSlots(SetSlots { slots: vec!["x".into(); count], was: None }),
            Request::Bind(Bind { identity: vec![1; count], key_check: store::id::KeyCheck::new([1; 16]) }),
            upload(),
        ]
    };
    for request in all(2) {
        let code = wire.asked(&request);
        assert!(code.is_some(), "{request:?} without an account");
    }
    assert_eq!(wire.open("nobody").as_deref(), Some("account.none"));
    assert_eq!(wire.open(&name), None);
    // More than there may be, and lists that are no lists of ids.
    for request in all(20_000) {
        let code = wire.asked(&request);
        let fine = matches!(request, Request::Links(_) | Request::Check(_) | Request::Upload(_));
        assert!(fine || code.is_some(), "{request:?}");
    }
    for request in [
        Request::Ask(AskBatch { chunks: vec![1; 33], nodes: Vec::new() }),
        Request::Fetch(FetchBatch { chunks: vec![1; 31] }),
        Request::Under(Under { roots: vec![1; 1], known: Vec::new(), depth: Some(u32::MAX.into()) }),
        Request::Init(Init { name: "\u{1b}[2J".into() }),
    ] {
        assert!(wire.asked(&request).is_some(), "{request:?}");
    }
    for rubbish in [&[][..], b"\xff", &[0x9f; 500_000], &[0x81; 500_000], b"\x82\x18\x63\x80"] {
        let call = wire.client.call(Class::Interactive, rubbish.to_vec()).unwrap();
        drop(call.end());
        assert!(Wire::refusal(&call).is_some(), "rubbish is refused");
    }
    // Between records: what is no message, a hand-over without a stripe, a stripe of no session.
    for message in [
        vec![0xff; 100],
        encode(&Up::HandOver),
        encode(&Up::Commit(Commit { link: vec![1; 9], body: None, holes: None })),
    ] {
        let call = wire.call(&upload());
        drop(call.send_message(message));
        drop(call.end());
        assert!(Wire::refusal(&call).is_some());
    }
    let stripe = Begin { session: Some(SessionId::new([9; 16])), stripe: true, ..Begin::default() };
    assert!(wire.asked(&Request::Upload(stripe)).is_some());
    // All calls at once that there may be, and none of them is listened to.
    let calls: Vec<Call> = (0..64).map(|_| wire.call(&Request::Check(Check { read_data: true }))).collect();
    assert!(wire.client.call(Class::Bulk, encode(&upload())).is_err(), "there are only so many");
    drop(calls);
    assert_eq!(wire.open(&name), None, "the session is well");
    wire.goodbye();
    assert!(truth(&world) == before);
    world.tuckbox(["check", "--full"]).ok();
    world.tuckbox(["backup", &world.arg("docs")]).ok();
}

#[test]
fn what_belongs_to_others() {
    let (world, carl) = machine();
    let name = world.tuckbox(["key", "list", "--json"]).ok().record("key")["account"].as_str().unwrap().to_owned();
    let links: Vec<_> =
        files_below(&world.vault()).into_iter().filter(|f| f.extension().is_some_and(|e| e == "link")).collect();
    let bodies: Vec<_> =
        files_below(&world.vault()).into_iter().filter(|f| f.extension().is_some_and(|e| e == "body")).collect();
    let before = truth(&world);
    // A forced command that names an account knows no other.
    let wire = Wire::to(&world, "--account carl --role backup");
    assert_eq!(wire.open(&name).as_deref(), Some("account.none"));
    assert_eq!(wire.open("carl"), None);
    // Ids of another domain are not there, and their bodies neither.
    let ours = {
        let readers = files_below(&world.vault()).into_iter().filter(|f| f.extension().is_some_and(|e| e == "pack"));
        let readers = readers.map(|pack| store::pack::PackReader::open(&store::door::RealDisk, &pack).unwrap());
        let domain = wire_domain(&carl);
        let others: Vec<_> = readers.filter(|reader| reader.header().domain.hex() != domain).collect();
        let ids = others.iter().flat_map(|reader| reader.lines().iter().flat_map(|line| line.ids.clone()));
        ids.collect::<Vec<[u8; 32]>>()
    };
    assert!(!ours.is_empty());
    let call = wire.call(&Request::Ask(AskBatch { chunks: ours.concat(), nodes: ours.concat() }));
    drop(call.end());
    let Ok(Some(Part::Message(answer))) = call.recv() else { panic!("no answer") };
    let Ok(Reply::Done(answer)) = decode::<Reply<transport::message::Answered>>(&answer) else { panic!("no answer") };
    let lacking = |bits: &[u8]| transport::message::from_bits(bits, ours.len()).unwrap().into_iter().all(|lacks| lacks);
    assert!(lacking(&answer.chunks) && lacking(&answer.nodes), "what another account has is not said to be here");
    // Links and bodies of the other account, committed here; records of its domain, stored here.
    for link in &links {
        for body in bodies.iter().map(Some).chain([None]) {
            let link = fs::read(link).unwrap()[..256].to_vec();
            let call = wire.call(&upload());
            let body = body.map(|body| fs::read(body).unwrap());
            drop(call.send_message(encode(&Up::Commit(Commit { link, body, holes: None }))));
            drop(call.end());
            // Its own newest link again gets its own receipt again; whatever else is answered, nothing is taken.
            while let Ok(Some(_)) = call.recv() {}
        }
    }
    let attacker = {
        let alone = crate::world().ready();
        tree::small(alone.path("docs"));
        alone.tuckbox(["backup", &alone.arg("docs")]).ok();
        let attacker = Attacker::of(&alone);
        let chunk = b"of another domain".to_vec();
        let id = attacker.sealer.chunk_id(&chunk);
        attacker.sealer.seal_box(&mut Scratch::new(), &[id], &[17], &chunk, Level::Auto, true).unwrap()
    };
    let call = wire.call(&upload());
    drop(call.send_data(bytes(&attacker).into()));
    drop(call.send_data(b"half a record".to_vec().into()));
    drop(call.end());
    assert!(Wire::refusal(&call).is_some(), "a record of another domain is refused");
    wire.goodbye();
    assert!(truth(&world) == before, "nothing of it was taken");
    world.tuckbox(["check", "--full"]).ok();
    carl.tuckbox(["check", "--full"]).ok();
}

/// The domain of this machine's account, as its key file says.
fn wire_domain(machine: &World) -> String {
    let text = fs::read_to_string(machine.key_file()).unwrap();
    let json: serde_json::Value = serde_json::from_str(&text).unwrap();
    json["domain_id"].as_str().unwrap().to_owned()
}
