//! What a server answers, one target for all kinds of answers, and what is written in words that both ends read: whoever
//! answers may be anybody.

use agent::timetable::Timetable;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use minicbor::{Decode, Encode};
use transport::message::admin::{AccountFacts, Authorized, CheckedAccount, GroupFacts, RefusedRow, Revoked, Terms, To};
use transport::message::archive::{Dumped, Loaded};
use transport::message::health::{EventLevel, Figures, LogEvent, LogTold, Report, ReportTold, RunReport, StatusTold};
use transport::message::traffic::{SessionRow, TrafficRow};
use transport::message::{
    Kept, Logged, RepairTold, Reply, Request, SplitDone, UsageTold, WantedDone, WantedTold, encode,
};

use super::wire::steady;
use super::{NO_WORDS, Target, choose};

pub(super) const TARGETS: &[Target] = &[
    Target { name: "answer", run: answer, seeds: answers, words: NO_WORDS },
    Target {
        name: "timetable",
        run: timetable,
        seeds: timetables,
        words: &[
            b"limit ",
            b"up ",
            b"down ",
            b"mon-fri ",
            b"sat,sun ",
            b"08:00-18:00",
            b" = ",
            b"none",
            b";",
            b"24:00",
        ],
    },
];

/// Reads one kind of answer.
type Read = fn(&[u8]);

fn one<T: Encode<()> + for<'b> Decode<'b, ()> + PartialEq + std::fmt::Debug>(bytes: &[u8]) {
    drop(steady::<Reply<T>>(bytes));
}

/// Every kind that `message` does not try.
const KINDS: &[Read] = &[
    one::<Vec<AccountFacts>>,
    one::<Vec<GroupFacts>>,
    one::<Vec<CheckedAccount>>,
    one::<Vec<RefusedRow>>,
    one::<Authorized>,
    one::<Revoked>,
    one::<Dumped>,
    one::<Loaded>,
    one::<Vec<TrafficRow>>,
    one::<Vec<SessionRow>>,
    one::<StatusTold>,
    one::<ReportTold>,
    one::<Vec<LogTold>>,
    one::<Kept>,
    one::<Logged>,
    one::<RepairTold>,
    one::<WantedTold>,
    one::<WantedDone>,
    one::<SplitDone>,
    |bytes| drop(steady::<Report>(bytes)),
];

fn answers() -> Vec<Vec<u8>> {
    let event = LogEvent { level: EventLevel::Error, code: "disk.full".into(), text: "text".into(), count: 3 };
    let run = RunReport {
        verb: "backup".into(),
        exit: 9,
        code: Some("disk.full".into()),
        figures: Figures { files: 7, ..Figures::default() },
        events: vec![event],
        ..RunReport::default()
    };
    let facts = Terms { hard_bytes: Some(5), rate: Some("limit = 200k".into()), ..Terms::default() };
    let written = [
        encode(&Report { runs: vec![run.clone(), run] }),
        encode(&Reply::Done(facts)),
        encode(&Reply::Done(To::Set(7u64))),
        encode(&Reply::Done(vec![Revoked { file: "f".into(), lines: vec!["a".into()] }])),
        encode(&Reply::Done(Authorized { line: "command=\"x\"".into(), file: None })),
        encode(&Reply::Done(UsageTold::default())),
    ];
    let kinds = u8::try_from(KINDS.len()).expect("some twenty");
    (0..kinds).flat_map(|which| written.iter().map(move |bytes| [&[which][..], bytes].concat())).collect()
}

fn answer(bytes: &[u8]) {
    let (which, bytes) = choose(bytes);
    KINDS[usize::from(which) % KINDS.len()](bytes);
    drop(steady::<Request>(bytes));
}

fn timetables() -> Vec<Vec<u8>> {
    ["limit = 200k; limit mon-fri 08:00-18:00 = 50k; up sat,sun = none", "1M", "down 22:00-06:00 = 8k\nnone"]
        .iter()
        .map(|text| text.as_bytes().to_vec())
        .collect()
}

/// What is read can be written and read again, and gives the same rates at every moment; none of them is 0.
fn timetable(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let Ok(table) = Timetable::parse(text) else { return };
    let again = Timetable::parse(table.text()).expect("what was written can be read");
    assert_eq!(table, again);
    assert!(!table.to_string().contains(char::is_control));
    for hour in 0..24 * 8 {
        let at =
            Timestamp::from_second(1_790_000_000 + hour * 3_600).expect("a time").to_zoned(TimeZone::UTC).datetime();
        let rates = table.rates(at);
        assert_eq!(rates, again.rates(at));
        assert!(rates.up != Some(0) && rates.down != Some(0));
    }
    for now in [0, i64::MIN, i64::MAX] {
        let _rates = table.rates_at(now, &TimeZone::UTC);
    }
}
