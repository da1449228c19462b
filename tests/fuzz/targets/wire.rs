//! What comes out of a pipe: greeting, frames, whole sessions, messages.

use minicbor::{Decode, Encode};
use transport::frame::{Assembler, Header, Kind, flag};
use transport::magic::{CLIENT_MAGIC, SERVER_MAGIC, Scan, Scanner};
use transport::message::{
    AccountRow, Answered, AskBatch, BodyReply, FETCH_IDS_MAX, FetchBatch, Fetched, LinksReply, Made, Open, Opened,
    Refusal, Reply, Request, SpaceAccount, SpaceDay, SpaceTold, SplitBatch, SplitTold, Told, Under, Up, UpReply,
    UsageAsk, UsageTold, decode, encode, from_bits, split_ids,
};
use transport::session::{Class, Config, Event, Hello, Part, Session};

use super::{NO_WORDS, Target, choose};

pub(super) const TARGETS: &[Target] = &[
    Target { name: "frame", run: frame, seeds: frames, words: NO_WORDS },
    Target { name: "greeting", run: greeting, seeds: greetings, words: NO_WORDS },
    Target { name: "hello", run: hello, seeds: || vec![said()], words: NO_WORDS },
    Target { name: "session-server", run: |bytes| session(true, bytes), seeds: frames, words: NO_WORDS },
    Target { name: "session-client", run: |bytes| session(false, bytes), seeds: frames, words: NO_WORDS },
    Target { name: "message", run: message, seeds: messages, words: NO_WORDS },
];

fn said() -> Vec<u8> {
    Hello::new("fuzz", &["a", "b"]).encode().expect("a hello")
}

fn framed(kind: Kind, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    Header { kind, flags, stream }.encode(payload, &mut out);
    out
}

fn frames() -> Vec<Vec<u8>> {
    let one = vec![
        framed(Kind::Message, flag::OPEN, 1, b"request"),
        framed(Kind::Data, 0, 1, &[7; 40]),
        framed(Kind::Data, flag::END, 1, b""),
        framed(Kind::Credit, 0, 1, &[0, 0, 16, 0]),
        framed(Kind::Ping, 0, 0, &[3; 8]),
        framed(Kind::Working, 0, 1, b""),
        framed(Kind::Reset, 0, 1, &[10, 0]),
        framed(Kind::Message, flag::OPEN, 5, b"more"),
        framed(Kind::Bye, 0, 0, b""),
    ];
    let all = one.concat();
    one.into_iter().chain([all]).collect()
}

/// Makes the sums of frames right that stand one after the other, and their lengths where they lead beyond the end.
fn mend(bytes: &[u8]) -> Vec<u8> {
    let mut out = bytes.to_vec();
    let mut at = 0;
    while let Some(head) = out.get(at..at + 16) {
        let said = u32::from_le_bytes(head[..4].try_into().expect("4 bytes")) as usize;
        let frame = &mut out[at..];
        let len = said.min(frame.len() - 16);
        frame[..4].copy_from_slice(&(len as u32).to_le_bytes());
        let sum = crc32c::crc32c_append(crc32c::crc32c(&frame[..12]), &frame[16..16 + len]);
        frame[12..16].copy_from_slice(&sum.to_le_bytes());
        at += 16 + len;
    }
    out
}

fn frame(bytes: &[u8]) {
    for bytes in [bytes.to_vec(), mend(bytes)] {
        let whole = assemble(&bytes, bytes.len().max(1));
        let pieces = assemble(&bytes, 3);
        assert_eq!(whole, pieces, "frames do not depend on how bytes arrive");
    }
}

fn assemble(bytes: &[u8], step: usize) -> Vec<(Vec<u8>, bool)> {
    let mut assembler = Assembler::default();
    let mut out = Vec::new();
    for mut piece in bytes.chunks(step) {
        loop {
            match assembler.next(&mut piece) {
                Ok(Some((_, payload))) => out.push((payload, true)),
                Ok(None) => break,
                Err(_) => {
                    out.push((Vec::new(), false));
                    return out;
                }
            }
        }
    }
    out
}

fn greetings() -> Vec<Vec<u8>> {
    vec![[b"Welcome!\r\n".as_slice(), &SERVER_MAGIC, b"rest"].concat(), CLIENT_MAGIC.to_vec()]
}

fn greeting(bytes: &[u8]) {
    for new in [Scanner::for_client, Scanner::for_server] {
        let scan = |step: usize| {
            let mut scanner = new();
            let mut before = 0;
            for piece in bytes.chunks(step) {
                match scanner.push(piece) {
                    Scan::Found(at) => return (Some(before + at), false, Vec::new()),
                    Scan::Hopeless => return (None, true, Vec::new()),
                    Scan::Searching => before += piece.len(),
                }
            }
            (None, false, scanner.sample())
        };
        assert_eq!(scan(bytes.len().max(1)), scan(1), "a greeting is found however it arrives");
    }
    let right = bytes.windows(SERVER_MAGIC.len()).position(|w| w == SERVER_MAGIC);
    if let (Some(at), Scan::Found(end)) = (right, Scanner::for_client().push(bytes)) {
        assert_eq!(at + SERVER_MAGIC.len(), end, "the first one");
    }
}

fn hello(bytes: &[u8]) {
    if let Ok(hello) = Hello::decode(bytes)
        && let Ok(again) = hello.encode()
    {
        assert!(Hello::decode(&again).is_ok());
    }
}

/// A session that has said hello is given frames, whole or in pieces, while its side does what sides do.
fn session(as_server: bool, bytes: &[u8]) {
    let (how, bytes) = choose(bytes);
    let (magic, mut session) = if as_server {
        (CLIENT_MAGIC, Session::server(Config::server(Hello::new("", &[])), 0).expect("a session"))
    } else {
        (SERVER_MAGIC, Session::client(Config::client(Hello::new("", &[])), 0).expect("a session"))
    };
    session.transmit(0, &mut Vec::new(), 9_999);
    session.receive(0, &magic);
    session.receive(0, &framed(Kind::Hello, 0, 0, &said()));
    if !as_server {
        for class in [Class::Interactive, Class::Bulk] {
            session.open(0, class, vec![1]).expect("a stream");
        }
    }
    let bytes = if how & 1 == 0 { mend(bytes) } else { bytes.to_vec() };
    let step = if how & 2 == 0 { bytes.len().max(1) } else { 7 };
    let mut out = Vec::new();
    for (now, piece) in (1i64..).zip(bytes.chunks(step)) {
        session.receive(now, piece);
        if how & 4 == 0 {
            while let Some(event) = session.event() {
                if let Event::Request(id) | Event::Readable(id) = event {
                    drop(session.read(id));
                    drop(session.send(id, Part::Message(vec![0; 100])));
                    if how & 8 == 0 {
                        session.release(id);
                    }
                }
            }
        }
        if how & 16 == 0 {
            session.transmit(now, &mut out, 1_000);
            out.clear();
        }
        if how & 32 == 0 {
            session.tick(now * 1_000);
        }
    }
    session.receive_end(i64::MAX / 2);
    assert!(session.over().is_some() || session.deadline() >= 0);
}

/// What is read, written and read again says the same.
pub(super) fn steady<T: Encode<()> + for<'b> Decode<'b, ()> + PartialEq + std::fmt::Debug>(bytes: &[u8]) -> Option<T> {
    let read: T = decode(bytes).ok()?;
    let again: T = decode(&encode(&read)).expect("what was written can be read");
    assert_eq!(read, again);
    Some(read)
}

fn messages() -> Vec<Vec<u8>> {
    let ids = vec![7; 64];
    let open = Open { account: Some("ana".into()), keys: Vec::new(), after: 3, client: "x".into() };
    let under = Under { roots: ids.clone(), known: ids.clone(), depth: Some(0) };
    let ask = AskBatch { chunks: ids.clone(), nodes: ids.clone() };
    let refusal = Refusal { code: "vault.none".into(), text: "text".into(), hint: Some("hint".into()) };
    let told = Told::Progress { packs_done: 1, packs_total: 2, read_bytes: 3 };
    let usage = UsageTold { at: 1, current_bytes: 2, oldest_at: Some(3), ..UsageTold::default() };
    let days = vec![SpaceDay { at: 4, bytes: 5 }];
    let space = SpaceAccount { name: "ana".into(), number: 7, usage: Some(usage), days, why: None };
    let requests = [
        encode(&Request::Open(open)),
        encode(&Request::Under(under)),
        encode(&Request::Ask(ask)),
        encode(&Reply::<()>::Refused(refusal)),
        encode(&Reply::Done(told)),
        encode(&Request::Usage(UsageAsk { exact: true })),
        encode(&Reply::Done(usage)),
        encode(&Reply::Done(SpaceTold::Account(Box::new(space)))),
        encode(&Reply::Done(Answered { chunks: vec![1], nodes: vec![2], generation: 3 })),
    ];
    (0..12u8).flat_map(|which| requests.iter().map(move |bytes| [&[which][..], bytes].concat())).collect()
}

fn message(bytes: &[u8]) {
    let (which, bytes) = choose(bytes);
    match which % 12 {
        0 => {
            if let Some(Request::Ask(batch)) = steady::<Request>(bytes) {
                drop(split_ids(&batch.chunks, |id| id));
                drop(from_bits(&batch.nodes, batch.chunks.len()));
            }
        }
        1 => drop(steady::<Reply<Opened>>(bytes)),
        2 => drop(steady::<Reply<Vec<AccountRow>>>(bytes)),
        3 => drop(steady::<Reply<Made>>(bytes)),
        4 => drop(steady::<Reply<LinksReply>>(bytes)),
        5 => drop(steady::<Reply<BodyReply>>(bytes)),
        6 => drop(steady::<Reply<Answered>>(bytes)),
        7 => drop(steady::<Up>(bytes)),
        8 => drop(steady::<Reply<UpReply>>(bytes)),
        9 => drop(steady::<Reply<Fetched>>(bytes)),
        10 => drop(steady::<Reply<Told>>(bytes)),
        _ => {
            if let Some(batch) = steady::<FetchBatch>(bytes) {
                assert!(encode(&batch).len() < FETCH_IDS_MAX * 40 + bytes.len());
            }
            drop(steady::<Reply<()>>(bytes));
            drop(steady::<Reply<UsageTold>>(bytes));
            drop(steady::<Reply<SpaceTold>>(bytes));
            drop(steady::<SplitBatch>(bytes));
            drop(steady::<Reply<SplitTold>>(bytes));
        }
    }
}
