//! What holds for the whole console, whatever is pressed.

use proptest::prelude::*;

use super::ask::{Answer, Ask};
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
