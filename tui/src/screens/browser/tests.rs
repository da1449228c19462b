//! The browser by keys, answers and pictures.

use std::sync::Arc;

use agent::engine::job::{
    Change, EntryRow, FindRow, FindSummary, Folder, FolderRow, Kind, Layout, Moment, Moments, Overwrite, Peek,
    SourceRow, StateRow, TakeJob, TakePlan, Time, VersionMark, VersionRow,
};
use agent::event::{Phase, Progress};
use agent::fault::{Code, Fault};
use proptest::prelude::*;

use crate::console::ask::{Answer, Ask, Heard};
use crate::console::effect::Effect;
use crate::console::jobs::{News, What};
use crate::console::look::{Look, Looked};
use crate::console::looping::Msg;
use crate::console::stage::{ASCII, COLOUR, DAY_MS, HOUR_MS, MINUTE_MS, MONO, NOW_MS, Stage};
use crate::console::theme::Theme;

/// Five versions, the newest 12 minutes old.
fn versions() -> Vec<VersionRow> {
    let row = |sequence: u64, ago: i64| VersionRow {
        id: format!("{:08x}", 0x3f9c_02ab_u64.wrapping_mul(sequence) & 0xffff_ffff).repeat(8),
        sequence,
        received_at_ms: NOW_MS - ago,
        sources: vec![SourceRow { host: "laptop".into(), path: b"/home/ana/docs".to_vec(), ..SourceRow::default() }],
        ..VersionRow::default()
    };
    let hours = [9 * 24, 3 * 24, 26, 2, 0];
    hours.into_iter().zip(1..).map(|(hours, n)| row(n, hours * HOUR_MS + 12 * MINUTE_MS)).collect()
}

fn mark(sequence: u64) -> VersionMark {
    let row = versions().into_iter().find(|row| row.sequence == sequence).unwrap();
    VersionMark { id: row.id, sequence, received_at_ms: row.received_at_ms }
}

fn row(name: &str, kind: Kind, size: u64, ago: i64, change: Option<Change>) -> FolderRow {
    let mtime = Time { secs: (NOW_MS - ago) / 1000, nanos: 0 };
    let files = (kind == Kind::Dir).then_some(212);
    FolderRow { name: name.as_bytes().into(), kind, mode: 0o644, size, files, mtime, change, gone: None }
}

fn folder(sequence: u64) -> Folder {
    let mut rows = vec![
        row(".cache", Kind::Dir, 9 << 20, DAY_MS, None),
        row("2025", Kind::Dir, 31 << 20, 2 * HOUR_MS, Some(Change::Content)),
        row("a\u{202e}gpj.exe", Kind::File, 77, 400 * DAY_MS, None),
        row("budget.ods", Kind::File, 86_118, 16 * MINUTE_MS, Some(Change::Content)),
        row("letter.txt", Kind::File, 2_048, 2 * DAY_MS, None),
        row("old-scan.pdf", Kind::File, 1_992_294, 40 * DAY_MS, Some(Change::Removed)),
        row("receipts.csv", Kind::File, 18_432, 100 * MINUTE_MS, Some(Change::Added)),
        row("run.sh", Kind::File, 512, 90 * DAY_MS, Some(Change::Metadata)),
        row("to-receipts", Kind::Symlink, 0, 90 * DAY_MS, None),
    ];
    rows[5].gone = Some(Arc::new(mark(sequence.saturating_sub(1).max(1))));
    let before = (sequence > 1).then(|| mark(sequence - 1));
    Folder { version: mark(sequence), before, dir: b"/home/ana/docs".to_vec(), rows, ..Folder::default() }
}

fn is_versions(ask: &Ask) -> bool {
    matches!(ask, Ask::Versions)
}

fn is_folder(ask: &Ask) -> bool {
    matches!(ask, Ask::Look(Look::Folder(_)))
}

fn is_peek(ask: &Ask) -> bool {
    matches!(ask, Ask::Look(Look::Peek(_)))
}

fn is_find(ask: &Ask) -> bool {
    matches!(ask, Ask::Look(Look::Find(_)))
}

fn is_plan(ask: &Ask) -> bool {
    matches!(ask, Ask::Look(Look::Plan(_)))
}

fn looked(looked: Looked) -> Result<Answer, Fault> {
    Ok(Answer::Looked(looked))
}

/// The browser before anything of a directory is known.
fn begun(size: (u16, u16), theme: Theme) -> Stage {
    let mut stage = Stage::new(size, theme);
    stage.press("4").answer(is_versions, Ok(Answer::Versions(Arc::new(versions()))));
    stage
}

/// The browser in a directory of the newest version.
fn open(size: (u16, u16), theme: Theme) -> Stage {
    let mut stage = begun(size, theme);
    stage.answer(is_folder, looked(Looked::Folder(Arc::new(folder(5)))));
    let changed = [1, 3, 4, 5].into_iter().map(|n| Moment { version: mark(n), there: true }).collect();
    let moments = Moments { changed, versions: 5 };
    stage.answer(|ask| matches!(ask, Ask::Look(Look::Moments(_))), looked(Looked::Moments(Arc::new(moments))));
    stage
}

fn states() -> Vec<StateRow> {
    let state = |came: u64, last: u64, size: u64| StateRow {
        entry: EntryRow {
            path: b"/home/ana/docs/letter.txt".to_vec(),
            kind: Kind::File,
            mode: 0o644,
            uid: 1000,
            gid: 1000,
            user: b"ana".to_vec(),
            group: b"ana".to_vec(),
            size,
            files: None,
            mtime: Time::default(),
            target: None,
            device: None,
            mark: None,
            made_up: false,
        },
        content: None,
        change: Change::Content,
        came: mark(came),
        last: mark(last),
        went: (last < 5).then(|| mark(last + 1)),
        versions: last - came + 1,
    };
    vec![state(4, 5, 2_048), state(2, 3, 1_900), state(1, 1, 80)]
}

/// Down to the letter, with its preview.
fn letter(stage: &mut Stage) -> &mut Stage {
    stage.press("Down*4").pass(80);
    let text = "Dear Bob,\n\n\tthe \x1b[31mkeys\x1b[0m are under the mat.\n\nAna\n";
    let peek = Peek { bytes: text.as_bytes().to_vec(), size: text.len() as u64, text: true };
    stage.answer(is_peek, looked(Looked::Peek(Arc::new(peek))));
    let states = looked(Looked::States(Arc::new(states())));
    stage.answer(|ask| matches!(ask, Ask::Look(Look::States(_))), states)
}

#[test]
fn a_directory_and_what_is_under_the_cursor() {
    letter(&mut open((80, 24), COLOUR)).pinned("browser-80x24");
    letter(&mut open((80, 24), ASCII)).press("Space Up*3 Space").pinned("browser-80x24-ascii");
    letter(&mut open((120, 40), MONO)).press("Space").pinned("browser-120x40");
    letter(&mut open((200, 50), MONO)).pinned("browser-200x50");
    open((200, 50), MONO).pinned("browser-200x50-dir");
    letter(&mut open((40, 10), MONO)).pinned("browser-40x10");
    letter(&mut open((40, 10), MONO)).press("Enter").pinned("browser-40x10-file");
}

#[test]
fn it_waits_and_fails_and_says_so() {
    begun((80, 24), MONO).pass(2_500).pinned("browser-waits");
    let gone = || Err(Fault::new(Code::NetLost, "vault1.example does not answer").hint("try later"));
    begun((80, 24), MONO).answer(is_folder, gone()).pinned("browser-failed");
    let mut stage = open((80, 24), MONO);
    stage.press("C-r").answer(is_folder, gone());
    assert!(stage.text().contains("letter.txt") && stage.text().contains("does not answer"), "what was there stays");
    stage.press("Down*2");
    assert!(stage.text().contains("> a\\u{202"), "keys answer");
    // The server is asked again by itself, later each time, and then it is as it was.
    assert!(stage.text().contains("does not answer since 0 s; asked again in 2 s"), "{}", stage.text());
    stage.pass(2_000);
    let (lane, generation) = stage.asked(is_versions).expect("it is asked again");
    stage.give(Msg::Heard(Heard { lane, generation, answer: gone(), last: true })).pass(1_000);
    assert!(
        stage.asked(is_versions).is_none() && stage.text().contains("since 3 s; asked again in 3 s"),
        "{}",
        stage.text()
    );
    stage.pass(3_000).answer(is_versions, Ok(Answer::Versions(Arc::new(versions()))));
    assert!(stage.text().contains("the server answers again") && stage.asked(is_folder).is_some());
    let nothing = Folder { rows: Vec::new(), absent: true, ..folder(5) };
    begun((80, 24), MONO).answer(is_folder, looked(Looked::Folder(Arc::new(nothing)))).pinned("browser-absent");
}

#[test]
fn moving_on_gives_the_preview_up() {
    let mut stage = open((80, 24), MONO);
    stage.press("Down*4").pass(79);
    assert!(stage.asked(is_peek).is_none(), "the cursor has not stayed");
    stage.pass(1);
    let (lane, generation) = stage.asked(is_peek).unwrap();
    stage.effects.clear();
    stage.press("Down");
    assert!(stage.effects.iter().any(|effect| matches!(effect, Effect::Forget(other) if *other == lane)));
    // The answer comes all the same: it is about something else by now.
    let peek = Peek { bytes: b"stale".to_vec(), size: 5, text: true };
    let answer = looked(Looked::Peek(Arc::new(peek)));
    stage.give(Msg::Heard(Heard { lane, generation, answer, last: true }));
    assert!(!stage.text().contains("stale"));
}

#[test]
fn the_place_stays_when_the_version_changes() {
    let mut stage = open((80, 24), MONO);
    stage.press("Down*4 [");
    let older = |ask: &Ask| match ask {
        Ask::Look(Look::Folder(job)) => format!("{:?}", job.at).contains(&mark(4).id[..16]),
        _ => false,
    };
    let mut rows = folder(4).rows;
    rows.remove(1);
    stage.answer(older, looked(Looked::Folder(Arc::new(Folder { rows, ..folder(4) }))));
    assert!(stage.text().contains("> letter.txt"), "{}", stage.text());
    // One goes on while it is asked: that counts.
    stage.press("[ Up").answer(is_folder, looked(Looked::Folder(Arc::new(folder(3)))));
    assert!(stage.text().contains("> budget.ods"), "{}", stage.text());
    stage.press("]");
    // To where the directory changed, past those where it did not.
    stage.press("[ [ }");
    assert!(stage.asked(|ask| format!("{ask:?}").contains(&mark(3).id[..16])).is_some());
    stage.press("] ] ] ]");
    assert!(stage.text().contains("this is the newest version"), "{}", stage.text());
}

#[test]
fn marks_remember_their_version_and_can_be_undone() {
    let mut stage = open((80, 24), MONO);
    stage.press("Down*3 Space [").answer(is_folder, looked(Looked::Folder(Arc::new(folder(4)))));
    assert!(stage.text().contains("> letter.txt"));
    stage.press("Space");
    assert!(stage.text().contains("marked: 2 items, 2 files, 86.1 KiB"), "{}", stage.text());
    stage.press("r").pinned("browser-restore");
    stage.press("Enter");
    let plan = TakePlan {
        files: 2,
        bytes: 88_166,
        kept: 1,
        free_bytes: Some(220 << 30),
        target_exists: false,
        ..TakePlan::default()
    };
    stage.answer(is_plan, looked(Looked::Plan(Arc::new(plan)))).pinned("browser-restore-plan");
    stage.effects.clear();
    stage.press("Enter");
    let job = stage.effects.iter().find_map(|effect| match effect {
        Effect::RunTake { job, .. } => Some(job.as_ref().clone()),
        _ => None,
    });
    let job: TakeJob = job.unwrap();
    assert_eq!(job.to.as_deref(), Some(std::path::Path::new("/home/ana/restored-2026-11-20_2214")));
    assert_eq!((job.overwrite, job.dry_run, job.takes.len()), (Overwrite::KeepBoth, false, 2));
    assert_eq!(job.takes[0].version, mark(4).id);
    assert_eq!(job.takes[1].paths, [b"/home/ana/docs/budget.ods".to_vec()]);
    // It runs; one goes on looking around.
    let news = |what| Msg::Job(News { number: 1, what });
    stage.give(news(What::Phase(Phase::Restore)));
    let progress = Progress {
        files_done: 1,
        files_total: Some(2),
        bytes_done: 44_000,
        bytes_total: Some(88_166),
        ..Progress::default()
    };
    stage.pass(2_000).give(news(What::Progress(progress))).pinned("browser-restoring");
    stage.press("Esc Down");
    assert!(!stage.text().contains("Restoring"), "{}", stage.text());
    stage.press("u");
    assert!(!stage.text().contains("marked:"));
    stage.press("z");
    assert!(stage.text().contains("marked: 2 items"));
    stage.press("Z");
    assert!(!stage.text().contains("marked: 2 items"));
}

#[test]
fn the_result_says_where_everything_is() {
    let mut stage = open((80, 24), MONO);
    stage.press("Down*3 Space r Enter");
    stage.answer(is_plan, looked(Looked::Plan(Arc::new(TakePlan { files: 1, bytes: 86_118, ..TakePlan::default() }))));
    stage.press("Enter");
    let news = |what| Msg::Job(News { number: 1, what });
    for line in ["restored /home/ana/docs/budget.ods", "restored 1 file, 84.1 KiB, in 0.4 s"] {
        stage.give(news(What::Line(line.into())));
    }
    stage.pass(400).give(news(What::Ended(0))).pinned("browser-restored");
    stage.press("Enter").press("w").pinned("jobs-80x24");
    stage.press("Enter").pinned("jobs-log");
}

#[test]
fn nothing_goes_to_its_own_place_without_a_word() {
    let mut stage = open((80, 24), MONO);
    stage.press("Down*3 r Up Space Enter");
    stage.answer(
        is_plan,
        looked(Looked::Plan(Arc::new(TakePlan {
            layout: Layout::Names,
            files: 1,
            replaced: 1,
            ..TakePlan::default()
        }))),
    );
    stage.effects.clear();
    stage.press("Enter \"yes\" Enter");
    assert!(!stage.effects.iter().any(|effect| matches!(effect, Effect::RunTake { .. })), "the word was another one");
    stage.press("C-u \"restore\" Enter");
    let in_place = |effect: &Effect| matches!(effect, Effect::RunTake { job, .. } if job.to.is_none());
    assert!(stage.effects.iter().any(in_place));
}

#[test]
fn filter_and_order() {
    let mut stage = open((80, 24), MONO);
    stage.press("/ \"rec\"").pinned("browser-filter");
    stage.press("Enter z");
    assert!(stage.text().contains("letter.txt"), "a filter can be undone");
    stage.press("Z");
    assert!(!stage.text().contains("letter.txt"));
    stage.press("Esc s s S");
    let text = stage.text();
    let place = |name: &str| text.find(name).unwrap();
    assert!(place("2025/") < place("old-scan.pdf") && place("old-scan.pdf") < place("letter.txt"), "by size: {text}");
    stage.press("H");
    assert!(!stage.text().contains(".cache"));
    stage.effects.clear();
    stage.press(".");
    assert!(stage.effects.iter().any(|effect| format!("{effect:?}").contains("deleted: true")));
}

fn hit(path: &str, sequence: u64, deleted: bool) -> FindRow {
    let mut entry = states().remove(0).entry;
    entry.path = path.as_bytes().to_vec();
    FindRow { entry, version: mark(sequence), deleted }
}

#[test]
fn a_name_is_found_wherever_it_is() {
    let mut stage = open((80, 24), MONO);
    stage.press("3 F");
    assert!(stage.text().contains("Find in this account"), "from any screen");
    stage.press("Esc");
    stage.press("F \"lett\"").pass(149);
    assert!(stage.asked(is_find).is_none(), "more may be typed");
    stage.pass(1);
    assert!(stage.asked(is_find).is_some());
    stage.press("C-s").pass(0);
    let (lane, generation) = stage.asked(|ask| format!("{ask:?}").contains("all_versions: true")).unwrap();
    let give = |stage: &mut Stage, looked, last| {
        let answer = Ok(Answer::Looked(looked));
        stage.give(Msg::Heard(Heard { lane, generation, answer, last }));
    };
    give(&mut stage, Looked::Hits(Arc::new(vec![hit("/home/ana/docs/letter.txt", 5, false)])), false);
    assert!(stage.text().contains("1 so far"));
    let more = vec![hit("/home/ana/docs/letter.txt", 3, false), hit("/home/ana/docs/old/letters.odt", 2, true)];
    give(&mut stage, Looked::Hits(Arc::new(more)), false);
    give(&mut stage, Looked::Found(FindSummary { found: 3, entries: 1_203, versions: 5 }, false), true);
    stage.press("Tab").pinned("browser-found");
    stage.effects.clear();
    stage.press("Enter");
    assert!(stage.effects.iter().any(|e| matches!(e, Effect::Turn { at: Some(at), .. } if at.contains(&mark(2).id))));
    assert!(stage.asked(|ask| format!("{ask:?}").contains("FolderJob")).is_some());
    assert!(stage.text().contains("~/docs/old"), "{}", stage.text());
}

#[test]
fn destructive_things_go_to_a_plan() {
    let mut stage = open((80, 24), MONO);
    stage.press("Down*4 x d");
    let tried = |ask: &Ask| matches!(ask, Ask::Say(words) if words.contains(&"--dry-run".into()));
    let said = vec!["Dry run: would append a version without /home/ana/docs/letter.txt.".to_owned()];
    stage.answer(tried, Ok(Answer::Said(Arc::new(said), 0))).pinned("plan-80x24");
    stage.effects.clear();
    stage.press("Enter Enter");
    assert!(!stage.effects.iter().any(|effect| matches!(effect, Effect::Run { .. })), "no is chosen at first");
    stage.press("x p Enter Tab Enter");
    let runs = |effect: &Effect| matches!(effect, Effect::Run { words, .. } if words[..2] == ["delete", "--yes"]);
    assert!(stage.effects.iter().any(runs));
    stage.press("x p");
    assert!(stage.text().contains("Nothing is planned"));
}

#[test]
fn a_million_names_are_no_trouble() {
    let rows: Vec<FolderRow> =
        (0..1_000_000).map(|n| row(&format!("{n:07}"), Kind::File, n % 1_000, DAY_MS, None)).collect();
    let mut stage = begun((80, 24), MONO);
    stage.answer(is_folder, looked(Looked::Folder(Arc::new(Folder { rows, ..folder(5) }))));
    stage.press("G");
    assert!(stage.text().contains("0999999") && stage.text().contains("[1,000,000/1,000,000]"));
    stage.press("/ \"77777\"");
    let (lane, generation) = stage.asked(|ask| matches!(ask, Ask::Arrange(..))).expect("it is arranged elsewhere");
    let shown = Arc::new(vec![77_777, 777_770]);
    stage.give(Msg::Heard(Heard { lane, generation, answer: Ok(Answer::Arranged(shown)), last: true }));
    assert!(stage.text().contains("of 1,000,000]"), "{}", stage.text());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]

    #[test]
    fn any_keys_are_borne(keys in proptest::collection::vec(0_usize..44, 1..80), compact: bool) {
        const KEYS: [&str; 44] = [
            "Up", "Down", "Left", "Right", "Enter", "Esc", "Tab", "Space", "PgUp", "PgDn", "Home", "End", "a", "e", "v",
            "*", "u", "[", "]", "{", "}", "J", "K", "+", "F", "r", "x", "y", "i", "/", "n", "s", "S", "z", "Z", "C-r",
            "C-s", ".", "H", "D", "4", "c", "Backspace", "q",
        ];
        let mut stage = open(if compact { (40, 10) } else { (80, 24) }, MONO);
        for key in keys {
            stage.press(KEYS[key]).pass(90);
            stage.text();
        }
        stage.press("Esc*12");
        prop_assert!(!stage.app.is_covered());
    }
}
