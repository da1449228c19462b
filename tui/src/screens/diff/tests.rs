//! The diff by keys, answers and pictures.

use std::sync::Arc;

use agent::engine::job::{Change, DiffRow, DiffSummary, Kind, Peek, VersionRow};

use crate::console::ask::{Answer, Ask, Heard};
use crate::console::effect::{Effect, Lane};
use crate::console::look::{Look, Looked};
use crate::console::looping::Msg;
use crate::console::stage::{ASCII, COLOUR, HOUR_MS, MONO, NOW_MS, Stage};
use crate::console::theme::Theme;

fn row(path: &str, change: Change, sizes: (Option<u64>, Option<u64>)) -> DiffRow {
    DiffRow { path: path.into(), change, kind: Kind::File, size_before: sizes.0, size_after: sizes.1 }
}

fn rows() -> Vec<DiffRow> {
    let dir = DiffRow { kind: Kind::Dir, ..row("/home/ana/docs/new", Change::Added, (None, None)) };
    vec![
        row("/home/ana/docs/budget.ods", Change::Content, (Some(82_125), Some(86_118))),
        dir,
        row("/home/ana/docs/new/receipts.csv", Change::Added, (None, Some(18_432))),
        row("/home/ana/docs/old-scan.pdf", Change::Removed, (Some(1_992_294), None)),
        row("/home/ana/bin/run.sh", Change::Metadata, (Some(512), Some(512))),
    ]
}

/// The screen before anything came, and where the answer goes.
fn asked(size: (u16, u16), theme: Theme) -> (Stage, (Lane, u64)) {
    let version = |sequence: u64| VersionRow {
        id: format!("{sequence:08x}").repeat(8),
        sequence,
        received_at_ms: NOW_MS - (4 - i64::try_from(sequence).unwrap()) * 30 * HOUR_MS,
        ..VersionRow::default()
    };
    let mut stage = Stage::new(size, theme);
    let versions = Answer::Versions(Arc::new(vec![version(1), version(2), version(3)]));
    stage.press("3").answer(|ask| matches!(ask, Ask::Versions), Ok(versions)).press("5");
    let place = stage.asked(|ask| matches!(ask, Ask::Look(Look::Diff(_)))).unwrap();
    (stage, place)
}

/// A part of the answer comes.
fn came(stage: &mut Stage, (lane, generation): (Lane, u64), looked: Looked, last: bool) {
    stage.give(Msg::Heard(Heard { lane, generation, answer: Ok(Answer::Looked(looked)), last }));
}

fn summary() -> Looked {
    let summary =
        DiffSummary { added: 2, removed: 1, changed: 1, metadata: 1, added_bytes: 18_432, removed_bytes: 1_992_294 };
    Looked::Differs(summary, false)
}

fn stage(size: (u16, u16), theme: Theme) -> Stage {
    let (mut stage, place) = asked(size, theme);
    came(&mut stage, place, Looked::Rows(Arc::new(rows())), false);
    came(&mut stage, place, summary(), true);
    stage
}

#[test]
fn what_differs() {
    stage((80, 24), COLOUR).pinned("diff-80x24");
    stage((120, 40), ASCII).pinned("diff-120x40-ascii");
    stage((40, 10), MONO).pinned("diff-40x10");
}

#[test]
fn a_text_line_by_line() {
    let mut stage = stage((80, 24), MONO);
    stage.press("Enter");
    let peek = |text: &str| Arc::new(Peek { bytes: text.into(), size: text.len() as u64, text: true });
    let texts = Looked::Texts(peek("one\ncall the bank\nthree\n"), peek("one\ncall the bank (done)\nthree\n"));
    stage.answer(|ask| matches!(ask, Ask::Look(Look::Texts(..))), Ok(Answer::Looked(texts))).pinned("diff-text");
    stage.press("Esc");
    assert!(!stage.text().contains("text diff of"));
    stage.press("Enter");
    let binary = Arc::new(Peek { bytes: vec![0], size: 1, text: false });
    let texts = Ok(Answer::Looked(Looked::Texts(Arc::clone(&binary), binary)));
    stage.answer(|ask| matches!(ask, Ask::Look(Look::Texts(..))), texts);
    assert!(stage.text().contains("not text"));
    stage.press("Down*2 Enter");
    let texts = Ok(Answer::Looked(Looked::Texts(Arc::default(), peek("new\n"))));
    stage.answer(|ask| matches!(ask, Ask::Look(Look::Texts(..))), texts);
    assert!(stage.text().contains("+ new"), "what was not there is all new: {}", stage.text());
}

#[test]
fn only_some_of_it_and_the_other_way_round() {
    let mut stage = stage((80, 24), MONO);
    stage.press("a");
    assert!(stage.text().contains("receipts.csv") && !stage.text().contains("run.sh"), "{}", stage.text());
    stage.press("a /").press("\"scan\" Enter");
    assert!(!stage.text().contains("receipts.csv") && stage.text().contains("old-scan"));
    stage.press("Esc");
    assert!(stage.text().contains("receipts.csv"));
    stage.press("Space");
    assert!(stage.text().contains("1 item is marked"), "{}", stage.text());
    stage.press("=");
    assert!(stage.asked(|ask| format!("{ask:?}").contains("DiffJob")).is_some());
    stage.press("y c");
    assert!(
        stage.effects.iter().any(|effect| matches!(effect, Effect::Copy(text) if text.starts_with("tuckbox diff id:")))
    );
}

#[test]
fn what_is_typed_before_all_is_there_counts() {
    let (mut stage, place) = asked((80, 24), MONO);
    came(&mut stage, place, Looked::Rows(Arc::new(rows()[..3].to_vec())), false);
    stage.press("/").press("\"scan\" Enter");
    assert!(!stage.text().contains("budget"), "{}", stage.text());
    came(&mut stage, place, Looked::Rows(Arc::new(rows()[3..].to_vec())), false);
    assert!(stage.text().contains("old-scan") && !stage.text().contains("run.sh"), "{}", stage.text());
    stage.press("Enter");
    let of_the_scan = |ask: &Ask| matches!(ask, Ask::Look(Look::Texts(one, _)) if one.path.ends_with(b"old-scan.pdf"));
    assert!(stage.asked(of_the_scan).is_some());
    came(&mut stage, place, summary(), true);
    assert!(stage.text().contains("old-scan") && !stage.text().contains("run.sh"), "{}", stage.text());
}
