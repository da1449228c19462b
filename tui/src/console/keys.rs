//! The one table of keys: what is dispatched by it is what help and footers show.
//!
//! Keys are written as people write them: `k`, `Up`, `C-u`, `S-Tab`, `Space`, `F5`; two letters (`gg`) follow each other.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use crate::screens::ScreenId;

/// What a key does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// One row up.
    Up,
    /// One row down.
    Down,
    /// Out, close.
    Left,
    /// In, open.
    Right,
    /// A page up.
    PageUp,
    /// A page down.
    PageDown,
    /// Half a page up.
    HalfUp,
    /// Half a page down.
    HalfDown,
    /// To the first row.
    Top,
    /// To the last row.
    Bottom,
    /// The default action.
    Enter,
    /// To the next pane.
    NextPane,
    /// To the pane before.
    PrevPane,
    /// To a screen, by its number.
    Screen(ScreenId),
    /// Mark the row, and down.
    Mark,
    /// Mark up to here.
    RangeMark,
    /// Invert the marks.
    Invert,
    /// Clear the marks.
    Unmark,
    /// The version before.
    Older,
    /// The version after.
    Newer,
    /// Jump to a date.
    AsAt,
    /// Scroll the preview down.
    PreviewDown,
    /// Scroll the preview up.
    PreviewUp,
    /// The pane alone on the screen, and back.
    Zoom,
    /// What runs.
    Jobs,
    /// How fast it may run.
    Throttle,
    /// The command line.
    Palette,
    /// Keys and what they do.
    Help,
    /// Filter the list.
    Filter,
    /// To the next match.
    NextMatch,
    /// To the match before.
    PrevMatch,
    /// Look for a name.
    Find,
    /// One step back: menu, filter, marks, screen.
    Back,
    /// One screen back; on the first screen the end.
    Leave,
    /// The end.
    Quit,
    /// What can be done with this.
    Menu,
    /// Restore it.
    Restore,
    /// Undo.
    Undo,
    /// Redo.
    Redo,
    /// Ask anew.
    Reload,
    /// What can be copied.
    Copy,
    /// By the next column.
    Sort,
    /// The other way round.
    SortDirection,
    /// Details of this.
    Details,
    /// What went wrong.
    Errors,
    /// Settings.
    Settings,
    /// Suspend the program.
    Suspend,
    /// Draw everything again.
    Redraw,
    /// Something that only one screen has, by a word.
    Do(&'static str),
}

/// One line of the table.
#[derive(Clone, Copy, Debug)]
pub struct Binding {
    /// The keys, apart by blanks.
    pub on: &'static str,
    /// What they do.
    pub action: Action,
    /// The same in words, for help.
    pub about: &'static str,
}

/// A line of the table.
#[must_use]
pub const fn key(on: &'static str, action: Action, about: &'static str) -> Binding {
    Binding { on, action, about }
}

/// A key and a word for it, in the footer.
pub type Hint = (&'static str, &'static str);

/// The keys of a hint, which stand apart by `/`.
#[must_use]
pub fn of_hint(on: &str) -> Vec<&str> {
    if on == "/" { vec![on] } else { on.split('/').collect() }
}

/// Hints that every screen has.
pub const HINTS: &[Hint] = &[(":", "command"), ("?", "help"), ("q", "back")];

/// Keys that do the same on every screen.
pub const GLOBAL: &[Binding] = &[
    key("Up k", Action::Up, "up"),
    key("Down j", Action::Down, "down"),
    key("Left h", Action::Left, "out, close"),
    key("Right l", Action::Right, "in, open"),
    key("PgUp C-b", Action::PageUp, "a page up"),
    key("PgDn C-f", Action::PageDown, "a page down"),
    key("C-u", Action::HalfUp, "half a page up"),
    key("C-d", Action::HalfDown, "half a page down"),
    key("Home gg", Action::Top, "to the top"),
    key("End G", Action::Bottom, "to the bottom"),
    key("Enter", Action::Enter, "open it"),
    key("Tab", Action::NextPane, "next pane"),
    key("S-Tab", Action::PrevPane, "pane before"),
    key("1", Action::Screen(ScreenId::Dashboard), "accounts"),
    key("2", Action::Screen(ScreenId::Account), "one account"),
    key("3", Action::Screen(ScreenId::Versions), "versions"),
    key("4", Action::Screen(ScreenId::Browser), "files: look, find, restore"),
    key("5", Action::Screen(ScreenId::Diff), "what differs between two versions"),
    key("6", Action::Screen(ScreenId::Bandwidth), "traffic"),
    key("7", Action::Screen(ScreenId::Jobs), "what runs and what ran"),
    key("8", Action::Screen(ScreenId::Space), "what needs the space"),
    key("9", Action::Screen(ScreenId::Log), "what happened"),
    key("Space", Action::Mark, "mark, and down"),
    key("v", Action::RangeMark, "mark from the last mark to here"),
    key("*", Action::Invert, "mark the others"),
    key("u", Action::Unmark, "clear the marks"),
    key("[", Action::Older, "version before"),
    key("]", Action::Newer, "version after"),
    key("@", Action::AsAt, "as it was at a time"),
    key("J", Action::PreviewDown, "scroll the preview down"),
    key("K", Action::PreviewUp, "scroll the preview up"),
    key("+", Action::Zoom, "this pane alone, and back"),
    key("w", Action::Jobs, "what runs"),
    key("t", Action::Throttle, "how fast it may run: rates, and when they count"),
    key("F", Action::Find, "find a name: here, in the account, in all versions"),
    key("r", Action::Restore, "restore what is marked, or this"),
    key("x", Action::Menu, "all that can be done with this"),
    key("y", Action::Copy, "copy: path, id, command line"),
    key("i", Action::Details, "details"),
    key("/", Action::Filter, "filter the list"),
    key("n", Action::NextMatch, "next match"),
    key("N", Action::PrevMatch, "match before"),
    key("s", Action::Sort, "sort by the next column"),
    key("S", Action::SortDirection, "sort the other way round"),
    key("z", Action::Undo, "undo a mark, a filter"),
    key("Z", Action::Redo, "redo"),
    key("C-r F5", Action::Reload, "ask anew"),
    key("!", Action::Errors, "messages and errors"),
    key(":", Action::Palette, "command line"),
    key(",", Action::Settings, "settings"),
    key("? F1", Action::Help, "help; type to search"),
    key("Esc", Action::Back, "one step back: menu, filter, marks, screen"),
    key("q", Action::Leave, "back; from the first screen leave"),
    key("Q C-c", Action::Quit, "leave (asks when something runs)"),
    key("C-z", Action::Suspend, "suspend"),
    key("C-l", Action::Redraw, "draw everything again"),
];

/// A key as it is pressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chord {
    code: KeyCode,
    control: bool,
    alt: bool,
}

impl From<&KeyEvent> for Chord {
    fn from(event: &KeyEvent) -> Self {
        let control = event.modifiers.contains(KeyModifiers::CONTROL);
        Self { code: event.code, control, alt: event.modifiers.contains(KeyModifiers::ALT) }
    }
}

#[cfg(test)]
impl From<Chord> for KeyEvent {
    fn from(chord: Chord) -> Self {
        let mut modifiers = KeyModifiers::NONE;
        modifiers.set(KeyModifiers::CONTROL, chord.control);
        modifiers.set(KeyModifiers::ALT, chord.alt);
        Self::new(chord.code, modifiers)
    }
}

/// The keys of one way to press something; `None` when the text means no key.
#[must_use]
pub fn chords(text: &str) -> Option<Vec<Chord>> {
    let chord = |code| Chord { code, control: false, alt: false };
    let mut letters = text.chars();
    match (letters.next(), letters.next(), letters.next()) {
        (Some(only), None, _) => return Some(vec![chord(KeyCode::Char(only))]),
        (Some(first), Some(second), None) if first.is_lowercase() && second.is_lowercase() => {
            return Some(vec![chord(KeyCode::Char(first)), chord(KeyCode::Char(second))]);
        }
        _ => {}
    }
    if let Some(rest) = text.strip_prefix("C-") {
        return chords(rest).map(|keys| keys.into_iter().map(|key| Chord { control: true, ..key }).collect());
    }
    if let Some(rest) = text.strip_prefix("A-") {
        return chords(rest).map(|keys| keys.into_iter().map(|key| Chord { alt: true, ..key }).collect());
    }
    let code = match text {
        "Up" => KeyCode::Up,
        "Down" => KeyCode::Down,
        "Left" => KeyCode::Left,
        "Right" => KeyCode::Right,
        "PgUp" => KeyCode::PageUp,
        "PgDn" => KeyCode::PageDown,
        "Home" => KeyCode::Home,
        "End" => KeyCode::End,
        "Enter" => KeyCode::Enter,
        "Tab" => KeyCode::Tab,
        "S-Tab" => KeyCode::BackTab,
        "Esc" => KeyCode::Esc,
        "Space" => KeyCode::Char(' '),
        "Del" => KeyCode::Delete,
        "Backspace" => KeyCode::Backspace,
        _ => KeyCode::F(text.strip_prefix('F')?.parse().ok()?),
    };
    Some(vec![chord(code)])
}

/// What a key leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// An action.
    Action(Action),
    /// The first of two letters.
    Begun,
    /// Nothing.
    Nothing,
}

/// Looks up what was pressed, `before` being the first of two letters; keys of the screen come first.
#[must_use]
pub fn find(screen: &[Binding], before: Option<Chord>, now: Chord) -> Found {
    let pressed: Vec<Chord> = before.into_iter().chain([now]).collect();
    let mut begun = false;
    for binding in screen.iter().chain(GLOBAL) {
        for keys in binding.on.split(' ').filter_map(chords) {
            if keys == pressed {
                return Found::Action(binding.action);
            }
            begun |= keys.starts_with(&pressed);
        }
    }
    match (begun, before) {
        (true, _) => Found::Begun,
        // What began nothing is looked at by itself.
        (false, Some(_)) => find(screen, None, now),
        (false, None) => Found::Nothing,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    #[test]
    fn every_key_means_something_and_one_thing() {
        for screen in ScreenId::ALL {
            let mut seen = BTreeMap::new();
            for binding in crate::screens::keys(screen).iter().chain(GLOBAL) {
                assert!(!binding.about.is_empty(), "{}", binding.on);
                for on in binding.on.split(' ') {
                    assert!(chords(on).is_some(), "{screen:?}: {on}");
                    assert!(seen.insert(on, binding.about).is_none(), "{screen:?}: {on} is there twice");
                }
            }
        }
    }

    #[test]
    fn every_hint_means_a_key() {
        for screen in ScreenId::ALL {
            for (on, _) in crate::screens::hints(screen).iter().chain(HINTS) {
                for on in of_hint(on) {
                    let keys = chords(on).unwrap();
                    let found = find(crate::screens::keys(screen), None, keys[0]);
                    assert_ne!(found, Found::Nothing, "{screen:?}: {on}");
                }
            }
        }
    }

    #[test]
    fn two_letters_follow_each_other() {
        let key = |text: &str| chords(text).unwrap()[0];
        assert_eq!(find(&[], None, key("g")), Found::Begun);
        assert_eq!(find(&[], Some(key("g")), key("g")), Found::Action(Action::Top));
        assert_eq!(find(&[], Some(key("g")), key("j")), Found::Action(Action::Down));
        assert_eq!(find(&[], None, key("C-c")), Found::Action(Action::Quit));
        assert_eq!(find(&[], None, key("S-Tab")), Found::Action(Action::PrevPane));
        assert_eq!(find(&[], None, key("F9")), Found::Nothing);
    }
}
