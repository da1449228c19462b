//! What holds for the whole console, whatever is pressed.

use proptest::prelude::*;

use super::ask::{Answer, Ask};
use super::effect::Effect;
use super::jobs::{News, What};
use super::looping::Msg;
use super::stage::{COLOUR, MONO, Stage};
use crate::screens::ScreenId;

/// Keys of every kind, letters too.
const KEYS: &[&str] = &[
    "Up",
    "Down",
    "Left",
    "Right",
    "PgUp",
    "PgDn",
    "Home",
    "End",
    "Enter",
    "Tab",
    "S-Tab",
    "Esc",
    "Space",
    "Backspace",
    "C-u",
    "C-d",
    "C-r",
    "C-l",
    "a",
    "b",
    "c",
    "d",
    "e",
    "f",
    "g",
    "i",
    "j",
    "k",
    "l",
    "m",
    "n",
    "o",
    "p",
    "r",
    "s",
    "t",
    "u",
    "v",
    "w",
    "x",
    "y",
    "z",
    "A",
    "D",
    "F",
    "G",
    "J",
    "K",
    "L",
    "N",
    "P",
    "S",
    "T",
    "Z",
    "1",
    "2",
    "3",
    "4",
    "5",
    "6",
    "7",
    "8",
    "9",
    "0",
    ",",
    ".",
    "/",
    ":",
    "?",
    "@",
    "!",
    "[",
    "]",
    "*",
    "+",
    "=",
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    /// No keys and no sizes bring it down, and Escape leads back to the first screen.
    #[test]
    fn any_keys_are_survived(
        keys in proptest::collection::vec(0..KEYS.len(), 0..80),
        size in (20_u16..220, 5_u16..60),
        known in any::<bool>(),
    ) {
        let mut stage = Stage::new((80, 24), COLOUR);
        stage.typed_wildly = true;
        if known {
            stage.press("3").answer(|ask| matches!(ask, Ask::Versions), Ok(Answer::Versions(std::sync::Arc::default())));
        }
        stage.give(Msg::Resize(size.0, size.1));
        for (number, key) in keys.iter().enumerate() {
            stage.press(KEYS[*key]);
            if number % 8 == 0 {
                stage.text();
            }
        }
        for _ in 0..40 {
            stage.press("Esc").pass(6_000);
        }
        prop_assert!(!stage.app.is_covered());
        prop_assert_eq!(stage.app.screen(), ScreenId::Dashboard);
    }
}

#[test]
fn nothing_is_drawn_when_nothing_came() {
    let mut stage = Stage::new((80, 24), MONO);
    stage.answer(|ask| matches!(ask, Ask::Status(_)), Ok(Answer::Versions(std::sync::Arc::default())));
    stage.text();
    assert!(!stage.app.is_changed());
    // At rest it wakes for the clock alone, once a minute.
    assert_eq!(stage.app.tick_in_ms(), Some(60_000));
    stage.press("3").text();
    assert_eq!(stage.app.tick_in_ms(), Some(125), "something is on its way, and moves");
}

/// The number and words of the job that was started last.
fn started(stage: &mut Stage) -> Option<(u64, Vec<std::ffi::OsString>)> {
    let place = stage.effects.iter().rposition(|effect| matches!(effect, Effect::Run { .. }))?;
    match stage.effects.remove(place) {
        Effect::Run { number, words } => Some((number, words)),
        _ => None,
    }
}

fn end(stage: &mut Stage, number: u64, status: u8) {
    stage.give(Msg::Job(News { number, what: What::Ended(status) }));
}

#[test]
fn a_job_that_runs_is_slowed_down_and_let_go_again() {
    let mut stage = Stage::new((80, 24), MONO);
    stage.press("2 b 7 t").pinned("job-rates");
    let (number, _) = started(&mut stage).unwrap();
    stage.press("2");
    let limited =
        |effect: &Effect, wanted| matches!(effect, Effect::Limit(of, rate) if (*of, *rate) == (number, wanted));
    assert!(stage.effects.iter().any(|effect| limited(effect, Some(200 << 10))));
    assert!(stage.text().contains("(at most 200 KiB/s)"), "{}", stage.text());
    // From anywhere, with a rate of one's own; too little is refused.
    stage.press("2 t 1 t \"1k\" Enter");
    assert!(stage.text().contains("at least 8.0 KiB/s"), "{}", stage.text());
    stage.press("C-u \"300k\" Enter");
    assert!(stage.effects.iter().any(|effect| limited(effect, Some(300 << 10))));
    stage.press("7 t 0");
    assert!(stage.effects.iter().any(|effect| limited(effect, None)));
    end(&mut stage, number, 0);
    stage.press("t");
    assert!(stage.text().contains("nothing runs here that moves much"), "{}", stage.text());
}

/// The screen of a vault with these accounts, for who looks after it.
fn looking_after(accounts: Vec<agent::engine::job::AccountStatus>) -> Stage {
    let mut stage = Stage::new((80, 24), MONO);
    let statuses = agent::engine::job::Statuses {
        vault: "ab".into(),
        now_ms: super::stage::NOW_MS,
        accounts,
        words_never_shown: false,
    };
    stage.answer(|ask| matches!(ask, Ask::Status(_)), Ok(Answer::Status(std::sync::Arc::new(statuses))));
    stage
}

#[test]
fn an_account_is_changed_by_a_plan_that_runs_step_by_step() {
    let mut stage = looking_after(crate::screens::dashboard::tests::accounts());
    stage.press("x c").pinned("change-account");
    assert!(started(&mut stage).is_none());
    stage.press("f \"audit until Friday\" Enter Esc");
    stage.press("x c h C-u \"200G\" Enter Esc");
    stage.press("x c D");
    assert_eq!(stage.app.shared().plan.len(), 3);
    assert!(started(&mut stage).is_none(), "nothing is done before the review");
    let name = stage.app.shared().plan[0].words[2].clone();
    // Enter applies, and no is chosen at first.
    stage.press("Enter Enter");
    assert!(started(&mut stage).is_none());
    stage.press("x c p Enter Tab Enter");
    let (number, words) = started(&mut stage).unwrap();
    assert_eq!(words[1..], ["freeze".into(), name.clone(), "--reason".into(), "audit until Friday".into()]);
    assert!(started(&mut stage).is_none(), "one after the other");
    end(&mut stage, number, 0);
    let (number, words) = started(&mut stage).unwrap();
    assert_eq!(words[1..], ["set".into(), name, "--hard".into(), "200G".into()]);
    // After one that failed the rest waits in the plan.
    end(&mut stage, number, 12);
    assert!(started(&mut stage).is_none());
    assert_eq!(stage.app.shared().plan.len(), 1);
}

#[test]
fn what_a_key_of_ones_own_took_is_shown_no_more() {
    let mut stage = Stage::new((120, 40), MONO);
    let text = "[[global]]\non = \"C-f\"\nrun = \"find\"\n[[global]]\non = \"/\"\nrun = \"details\"\n";
    assert!(stage.text().contains("/ filter"), "{}", stage.text());
    stage.app.shared().keymap = super::keymap::Keymap::parse(text).unwrap();
    assert!(!stage.text().contains("/ filter"), "{}", stage.text());
    stage.press("? \"page down\"");
    assert!(stage.text().contains("PgDn ") && !stage.text().contains("C-f"), "{}", stage.text());
}

#[test]
fn an_account_that_is_open_stays_open_under_a_new_name() {
    let mut stage = looking_after(crate::screens::dashboard::tests::accounts());
    let old = stage.app.shared().account.clone().unwrap();
    let step = super::plan::Step::beside_now("", &["account", "rename", &old, "attic"], &["account", "list"]);
    stage.app.shared().plan.push(step);
    stage.press("x c p Enter Tab Enter");
    let (number, words) = started(&mut stage).unwrap();
    assert_eq!(words[1], "rename");
    stage.effects.clear();
    end(&mut stage, number, 0);
    assert_eq!(stage.app.shared().account.as_deref(), Some("attic"));
    let turned = |effect: &Effect| matches!(effect, Effect::Turn { account: Some(name), .. } if name == "attic");
    assert!(stage.effects.iter().any(turned), "{:?}", stage.effects);
}

#[test]
fn a_question_has_its_line_however_small_the_terminal_is() {
    let mut stage = looking_after(crate::screens::dashboard::tests::accounts());
    stage.give(Msg::Resize(40, 10));
    stage.press("x c r C-u \"300k\"");
    assert!(stage.text().contains("> 300k") && stage.text().contains("300 KiB/s"), "{}", stage.text());
}

#[test]
fn ten_thousand_accounts_are_moved_through_and_sifted() {
    let one = crate::screens::dashboard::tests::accounts().remove(0);
    let accounts = (0..10_000)
        .map(|number| {
            let mut account = one.clone();
            account.facts.name = format!("account-{number:05}");
            account
        })
        .collect();
    let mut stage = looking_after(accounts);
    stage.press("G");
    assert!(stage.text().contains("10,000/10,000") && stage.text().contains("account-09999"), "{}", stage.text());
    stage.press("gg PgDn*3 / \"07777\"");
    if let Some((lane, generation)) = stage.asked(|ask| matches!(ask, Ask::Arrange(..))) {
        let heard = super::ask::Heard {
            lane,
            generation,
            answer: Ok(Answer::Arranged(std::sync::Arc::new(vec![7_777]))),
            last: true,
        };
        stage.give(Msg::Heard(heard));
    }
    stage.press("Enter");
    let text = stage.text();
    assert!(text.contains("account-07777") && !text.contains("account-07778"), "{text}");
}

#[test]
fn five_thousand_versions_are_moved_through_without_a_question() {
    let mut stage = Stage::new((80, 24), MONO);
    let rows = (0..5_000_u64)
        .map(|number| agent::engine::job::VersionRow {
            id: format!("{number:08x}").repeat(8),
            sequence: number + 1,
            received_at_ms: super::stage::NOW_MS - (5_000 - i64::try_from(number).unwrap()) * super::stage::HOUR_MS,
            ..Default::default()
        })
        .collect();
    stage.press("3").answer(|ask| matches!(ask, Ask::Versions), Ok(Answer::Versions(std::sync::Arc::new(rows))));
    stage.effects.clear();
    stage.press("G Up*20 Left*30 PgUp*50 gg Down*200 ]*5");
    stage.text();
    assert!(stage.effects.is_empty(), "{:?}", stage.effects);
    assert!(stage.text().contains("196/5,000"), "{}", stage.text());
}

#[test]
fn screens_are_gone_back_through_once() {
    let mut stage = Stage::new((80, 24), MONO);
    stage.press("2 3 2 3 2 3 6");
    stage.press("Esc");
    assert_eq!(stage.app.screen(), ScreenId::Versions);
    stage.press("Esc Esc");
    assert_eq!(stage.app.screen(), ScreenId::Dashboard);
}

#[test]
fn a_question_of_a_verb_is_answered_and_hidden() {
    let mut stage = Stage::new((80, 24), MONO);
    let (reply, hears) = std::sync::mpsc::sync_channel(1);
    let question = super::runner::Question {
        told: vec!["The key of laptop-ana is needed.".into()],
        text: "Passphrase of laptop-ana: ".into(),
        echo: false,
        reply,
    };
    stage.give(Msg::Question(question)).press("\"open sesame\"").pinned("question");
    // It waits for its answer wherever one goes.
    stage.press("Enter");
    assert_eq!(hears.try_recv().unwrap().unwrap().as_slice(), b"open sesame");
    assert!(!stage.app.is_covered());
}

#[test]
fn help_has_every_key_and_finds_them() {
    let mut stage = Stage::new((80, 24), MONO);
    stage.press("3 ?").pinned("help");
    stage.press("\"differs\"");
    assert!(stage.text().contains("what differs"));
    assert!(!stage.text().contains("a page up"));
}
