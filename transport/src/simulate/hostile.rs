//! A far side that lies: an error, no panic, and bounded memory.

use proptest::prelude::*;

use super::*;
use crate::frame::{Header, Kind, flag};
use crate::limits::DATA_BYTES_MAX;
use crate::magic::{CLIENT_MAGIC, SERVER_MAGIC};

fn frame(kind: Kind, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    Header { kind, flags, stream }.encode(payload, &mut out);
    out
}

fn hello() -> Vec<u8> {
    frame(Kind::Hello, 0, 0, &Hello::new("", &[]).encode().unwrap())
}

fn server() -> Session {
    let mut session = Session::server(Config::server(Hello::new("", &[])), 0).unwrap();
    session.transmit(0, &mut Vec::new(), 9999);
    session.receive(0, &CLIENT_MAGIC);
    session.receive(0, &hello());
    assert!(session.agreed().is_some());
    session
}

fn client() -> Session {
    let mut session = Session::client(Config::client(Hello::new("", &[])), 0).unwrap();
    session.receive(0, &SERVER_MAGIC);
    session.receive(0, &hello());
    for class in [Class::Interactive, Class::Bulk, Class::Interactive] {
        session.open(0, class, vec![1]).unwrap();
    }
    session.transmit(0, &mut Vec::new(), 9999);
    session
}

fn open(id: u32) -> Vec<u8> {
    frame(Kind::Message, flag::OPEN, id, b"request")
}

/// What the session says about these bytes.
fn verdict(mut session: Session, frames: &[Vec<u8>]) -> &'static str {
    for frame in frames {
        session.receive(1, frame);
    }
    let mut out = Vec::new();
    session.transmit(1, &mut out, 9999);
    match session.over() {
        None => "",
        Some(Err(Error::Protocol(why))) => {
            // The far side is told, and then nothing more.
            assert_eq!(out.get(4), Some(&9));
            assert!(String::from_utf8_lossy(&out).contains(why));
            assert!(session.is_done(1) || !out.is_empty());
            why
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn rules_of_streams_are_held() {
    let says = |frames: &[Vec<u8>]| verdict(server(), frames);
    assert_eq!(says(&[open(1), open(5), open(3), frame(Kind::Data, flag::END, 1, b"x")]), "");
    assert!(says(&[open(1), open(1)]).contains("opened twice"));
    assert!(says(&[open(5), open(1)]).contains("opened twice"));
    assert!(says(&[open(2)]).contains("opened twice, or with an id"));
    assert!(says(&[open(1), frame(Kind::Reset, 0, 1, &[10, 0]), open(1)]).contains("opened twice"));
    assert!(says(&[frame(Kind::Message, 0, 1, b"")]).contains("never opened"));
    assert!(says(&[frame(Kind::Credit, 0, 9, &[1, 0, 0, 0])]).contains("never opened"));
    assert!(says(&[frame(Kind::Data, flag::OPEN, 1, b"x")]).contains("without a request"));
    assert!(
        says(&[open(1), frame(Kind::Data, flag::END, 1, b""), frame(Kind::Data, 0, 1, b"x")])
            .contains("follows the end")
    );
    assert!(says(&[hello()]).contains("second HELLO"));
    assert!(says(&[frame(Kind::Bye, 0, 0, b""), open(1)]).contains("follows a goodbye"));
    assert!(says(&(0..65).map(|i| open(4 * i + 1)).collect::<Vec<_>>()).contains("too many streams"));
    let resets = (0..999).flat_map(|i| [open(4 * i + 1), frame(Kind::Reset, 0, 4 * i + 1, &[10, 0])]);
    assert_eq!(says(&resets.collect::<Vec<_>>()), "");
    assert!(verdict(client(), &[open(1)]).contains("wrong side"));
    assert!(verdict(client(), &[frame(Kind::Data, 0, 9, b"x")]).contains("never opened"));

    // Frames for a stream that is over are late, not wrong.
    let late =
        [open(1), frame(Kind::Reset, 0, 1, &[10, 0]), frame(Kind::Data, 0, 1, b"x"), frame(Kind::Working, 0, 1, b"")];
    assert_eq!(says(&late), "");
}

#[test]
fn credit_is_held() {
    let data = frame(Kind::Data, 0, 1, &vec![7; DATA_BYTES_MAX]);
    let fits = usize::try_from(STREAM_START_BYTES).unwrap() / (DATA_BYTES_MAX + 64);
    let flood = |count| [vec![open(1)], vec![data.clone(); count]].concat();
    assert_eq!(verdict(server(), &flood(fits - 1)), "");
    assert!(verdict(server(), &flood(fits + 1)).contains("credit"));
    let tiny = [vec![open(1)], vec![frame(Kind::Message, 0, 1, b""); 30_000]].concat();
    assert!(verdict(server(), &tiny).contains("credit"), "small frames cost what it costs to keep them");

    let credit = |bytes: u32| frame(Kind::Credit, 0, 1, &bytes.to_le_bytes());
    assert_eq!(verdict(client(), &[credit(1 << 20)]), "");
    assert!(verdict(client(), &[credit(0)]).contains("credit"));
    assert!(verdict(client(), &[credit(u32::MAX)]).contains("credit"));
    assert!(verdict(client(), &vec![credit(1 << 29); 2]).contains("credit"));
}

#[test]
fn floods_of_small_things_do_not_pile_up() {
    let mut session = server();
    let ping = frame(Kind::Ping, 0, 0, &[3; 8]);
    let data = frame(Kind::Data, 0, 1, b"");
    session.receive(1, &open(1));
    for _ in 0..100_000 {
        session.receive(1, &ping);
        session.receive(1, &data);
    }
    let mut events = 0;
    while session.event().is_some() {
        events += 1;
    }
    assert!(events < 10, "{events}");
    let mut out = Vec::new();
    session.transmit(1, &mut out, usize::MAX);
    assert!(out.len() < 100, "one answer: {}", out.len());

    // Handlers that drop their calls while the far side takes nothing.
    let mut session = server();
    for i in 0..64 {
        session.receive(1, &open(4 * i + 1));
        session.release(4 * i + 1);
    }
    out.clear();
    session.transmit(1, &mut out, usize::MAX);
    assert_eq!(out.len(), 64 * 18);
}

fn any_frame() -> impl Strategy<Value = Vec<u8>> {
    let kind = prop_oneof![
        Just((Kind::Message, 0..40usize)),
        Just((Kind::Data, 0..40)),
        Just((Kind::Credit, 4..5)),
        Just((Kind::Reset, 2..3)),
        Just((Kind::Working, 0..1)),
        Just((Kind::Ping, 8..9)),
        Just((Kind::Hello, 1..40)),
        Just((Kind::Goaway, 1..40)),
        Just((Kind::Unknown(200), 0..40)),
    ];
    (kind, any::<u8>(), prop_oneof![Just(0u32), 1u32..12, any::<u32>()])
        .prop_flat_map(|((kind, len), flags, stream)| {
            (Just((kind, flags, stream)), proptest::collection::vec(any::<u8>(), len))
        })
        .prop_map(|((kind, flags, stream), payload)| {
            let on_stream = matches!(kind, Kind::Message | Kind::Data | Kind::Credit | Kind::Reset | Kind::Working);
            let stream = if on_stream { stream.max(1) } else { 0 };
            frame(kind, flags & !flag::MUST, stream, &payload)
        })
}

proptest! {
    #[test]
    fn any_frames_in_any_order_never_panic(
        frames in proptest::collection::vec(any_frame(), 0..60),
        as_server in any::<bool>(),
        acts in any::<u64>(),
    ) {
        let mut session = if as_server { server() } else { client() };
        for (now, frame) in (0i64..).zip(&frames) {
            session.receive(now, frame);
            if acts >> (now % 64) & 1 == 1 {
                while let Some(event) = session.event() {
                    if let Event::Request(id) | Event::Readable(id) = event {
                        drop(session.read(id));
                        drop(session.send(id, Part::Message(vec![0; 100])));
                        if id % 8 == 1 {
                            drop(session.end_stream(id));
                            session.release(id);
                        }
                    }
                }
                session.transmit(now, &mut Vec::new(), 1000);
            }
            prop_assert!(session.outstanding() <= session.outstanding_most());
            prop_assert!(session.deadline() >= 0);
        }
    }

    #[test]
    fn rubbish_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..500), as_server in any::<bool>()) {
        let mut session = if as_server { server() } else { client() };
        session.receive(1, &bytes);
        session.receive_end(2);
        prop_assert!(session.over().is_some_and(Result::is_err));
    }
}
