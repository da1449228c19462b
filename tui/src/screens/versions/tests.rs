//! The versions screen, by keys and pictures.

use std::sync::Arc;

use agent::engine::job::VersionRow;
use agent::fault::{Code, Fault};

use crate::console::ask::{Answer, Ask};
use crate::console::effect::Effect;
use crate::console::stage::{ASCII, COLOUR, DAY_MS, HOUR_MS, MONO, NOW_MS, Stage};

/// Versions of some months: each day some, oldest first.
fn rows() -> Vec<VersionRow> {
    let mut rows = Vec::new();
    for day in (0..150).rev() {
        let times = match day % 7 {
            0 => 24,
            3 => 0,
            5 => 4,
            _ => 1,
        };
        for time in (0..times).rev() {
            let number = rows.len() as u64;
            rows.push(VersionRow {
                id: format!("{:08x}", 0x3f9c_02ab_u64.wrapping_mul(number + 1) & 0xffff_ffff).repeat(8),
                sequence: number + 1,
                received_at_ms: NOW_MS - 12 * 60_000 - day * DAY_MS - time * HOUR_MS,
                files: 188_000 + number * 3 - if number.is_multiple_of(5) { 7 } else { 0 },
                bytes: 48 << 30,
                pinned_until_ms: (number % 150 == 1).then_some(0),
                pin_reason: if number % 150 == 1 { "before the move\u{1b}[2J".into() } else { String::new() },
                why: if time == 0 { vec!["recent".into(), "daily".into()] } else { vec!["hourly".into()] },
                trash_until_ms: (number == 2).then_some(NOW_MS + DAY_MS),
                tags: if number.is_multiple_of(40) { vec!["before update".into()] } else { Vec::new() },
                ..VersionRow::default()
            });
        }
    }
    rows
}

fn is_versions(ask: &Ask) -> bool {
    matches!(ask, Ask::Versions)
}

fn stage(size: (u16, u16), theme: crate::console::theme::Theme) -> Stage {
    let mut stage = Stage::new(size, theme);
    stage.press("3").answer(is_versions, Ok(Answer::Versions(Arc::new(rows()))));
    stage
}

#[test]
fn a_calendar_and_the_versions_of_a_day() {
    stage((80, 24), COLOUR).pinned("versions-80x24");
    stage((80, 24), ASCII).press("Left*3 Down").pinned("versions-80x24-ascii");
    stage((120, 40), MONO).press("End").pinned("versions-120x40");
    stage((200, 50), MONO).pinned("versions-200x50");
    stage((40, 10), MONO).pinned("versions-40x10");
}

#[test]
fn as_many_files_are_not_said_to_be_the_same() {
    let version = |files: u64| VersionRow { id: "ab".repeat(32), files, ..VersionRow::default() };
    let rows = [10, 10, 7, 0].map(version).to_vec();
    for keys in ["3", "2"] {
        let mut stage = Stage::new((80, 24), MONO);
        stage.press(keys).answer(is_versions, Ok(Answer::Versions(Arc::new(rows.clone()))));
        let text = stage.text();
        let lines: Vec<&str> = text.lines().filter(|line| line.contains("abababab ")).collect();
        assert!(text.contains("Files +/-"), "{text}");
        for (line, more) in lines.iter().zip([" ? ", " -3 ", " +0 ", " first "]) {
            assert!(line.contains(more) && !line.contains(" = "), "{more} is not in {line}");
        }
        assert_eq!(lines.len(), 4, "{text}");
    }
}

#[test]
fn it_waits_and_fails_and_says_so() {
    let mut stage = Stage::new((80, 24), MONO);
    stage.press("3");
    assert!(!stage.text().contains("loading"));
    stage.pass(200);
    assert!(stage.text().contains("loading"));
    stage.pass(3_000);
    assert!(stage.text().contains("loading, 3 s"));
    let fault = Fault::new(Code::NetUnreachable, "cannot reach vault1.example").because("no route");
    stage.answer(is_versions, Err(fault)).pinned("versions-failed");
    stage.press("C-r").answer(is_versions, Ok(Answer::Versions(Arc::default()))).pinned("versions-empty");
}

#[test]
fn a_stale_answer_is_dropped() {
    let mut stage = Stage::new((80, 24), MONO);
    stage.press("3");
    let first = stage.asked(is_versions).unwrap();
    stage.press("C-r");
    let mut old = rows();
    old.truncate(1);
    let heard = |(lane, generation), rows| {
        crate::console::looping::Msg::Heard(crate::console::ask::Heard {
            lane,
            generation,
            answer: Ok(Answer::Versions(Arc::new(rows))),
            last: true,
        })
    };
    let second = stage.asked(is_versions).unwrap();
    stage.give(heard(second, rows()));
    stage.give(heard(first, old));
    assert!(stage.text().contains(&format!("{} versions", rows().len())));
}

#[test]
fn keys_lead_to_effects() {
    let mut stage = stage((80, 24), MONO);
    stage.effects.clear();
    let all = rows();
    let id = |back: usize| format!("id:{}", &all[all.len() - 1 - back].id[..16]);
    stage.press("d");
    assert!(stage.app.screen() == crate::screens::ScreenId::Diff);
    stage.press("Esc Space Down*3 d");
    stage.press("Esc u Down Enter");
    let turned = stage.effects.iter().find_map(|effect| match effect {
        Effect::Turn { at, .. } => at.clone(),
        _ => None,
    });
    assert_eq!(turned, Some(id(5)));
}

#[test]
fn versions_are_forgotten_by_a_plan_alone() {
    let mut stage = stage((80, 24), MONO);
    stage.press("x");
    assert!(stage.text().contains("the newest one stays"), "{}", stage.text());
    stage.press("Esc Down Space Space x f");
    stage.effects.retain(|effect| matches!(effect, Effect::Ask { .. }));
    let tried = |ask: &Ask| matches!(ask, Ask::Say(words) if words[..2] == ["forget", "--dry-run"] && words.len() == 6);
    let lines = vec!["Dry run: would go into the trash until 2026-12-04: version 3e4a599c".to_owned()];
    stage.answer(tried, Ok(Answer::Said(Arc::new(lines), 0))).pinned("review-forget");
    assert!(!stage.effects.iter().any(|effect| matches!(effect, Effect::Run { .. })));
    stage.press("Enter Tab Enter");
    assert!(stage.effects.iter().any(|effect| {
        matches!(effect, Effect::Run { words, .. } if words[..4] == ["forget", "--yes", "--account", "laptop-ana"])
    }));
}

#[test]
fn a_pin_says_why_and_is_taken_back_by_a_plan() {
    let mut stage = stage((80, 24), MONO);
    let words = |stage: &mut Stage| {
        let found = stage.effects.iter().find_map(|effect| match effect {
            Effect::Run { words, .. } => Some(words.clone()),
            _ => None,
        });
        stage.effects.clear();
        found
    };
    stage.effects.clear();
    stage.press("P \"90d before the move\"").pinned("pin-prompt");
    assert_eq!(words(&mut stage), None);
    stage.press("Enter");
    let run = words(&mut stage).unwrap();
    assert_eq!(run[..5], ["pin", "--for", "90d", "--reason", "before the move"]);
    // The second oldest one is pinned.
    stage.press("End Up");
    assert!(stage.text().contains("pinned: before the move\\x1b[2J"), "{}", stage.text());
    stage.press("x u");
    assert_eq!(words(&mut stage), None);
    assert_eq!(stage.app.shared().plan.len(), 1);
}

#[test]
fn marks_are_undone() {
    let mut stage = stage((80, 24), MONO);
    stage.press("Space Space u");
    assert!(!stage.text().contains(" *"));
    stage.press("z");
    assert_eq!(stage.text().matches(" *").count(), 2);
    stage.press("z Z Z");
    assert!(!stage.text().contains(" *"));
}

#[test]
fn a_date_is_completed() {
    let mut stage = stage((80, 24), MONO);
    stage.press("@ \"yes\" Tab");
    let choice = agent::complete::offer::Choice {
        value: b"yesterday".to_vec(),
        text: "yesterday".into(),
        shown: "yesterday".into(),
        about: String::new(),
        finished: true,
    };
    let is_date = |ask: &Ask| matches!(ask, Ask::Complete(line) if line == "ls --at yes");
    stage.answer(is_date, Ok(Answer::Choices(8, Arc::new(vec![choice]))));
    assert!(stage.text().contains("As at: yesterday"));
}

#[test]
fn a_date_is_understood_while_it_is_typed() {
    let mut stage = stage((80, 24), MONO);
    stage.press("@ \"2 days ago\"").pinned("as-at");
    stage.effects.clear();
    stage.press("Enter");
    assert!(matches!(&stage.effects[..], [Effect::Turn { at: Some(at), .. }] if at == "2 days ago"));
    stage.press("@ \"10 years ago\" Enter");
    assert!(stage.text().contains("none of the versions; the oldest is of"));
    stage.press("Esc [");
    assert!(!stage.app.is_covered());
}

#[test]
fn a_filter_goes_by_tag_and_id() {
    let mut stage = stage((80, 24), MONO);
    stage.press("/ \"before update\" Enter").pinned("versions-filtered");
    stage.press("Esc");
    assert!(!stage.text().contains("of 4"));
}
