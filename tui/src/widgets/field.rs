//! A line that is typed, with the keys of readline.

use agent::name::{harmless_line, width};
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Line;

use super::text::put;
use crate::console::theme::Theme;

/// Longest line, in bytes.
const BYTES_MAX: usize = 4_096;

/// See the module.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Field {
    text: String,
    /// Where the cursor is, in bytes, between two letters.
    at: usize,
    /// What was cut last, for C-y.
    cut: String,
}

/// What a key did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Typed {
    /// The text is another one.
    Changed,
    /// The cursor moved, or nothing happened.
    Kept,
    /// It is finished.
    Done,
    /// It is given up.
    GivenUp,
    /// The key is for somebody else: Tab, Up, Down and the like.
    Other,
}

impl Field {
    /// A field that holds a text, the cursor behind it.
    #[must_use]
    pub fn holding(text: &str) -> Self {
        Self { text: text.to_owned(), at: text.len(), cut: String::new() }
    }

    /// What was typed.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// What was typed up to the cursor.
    #[must_use]
    pub fn before(&self) -> &str {
        self.text.get(..self.at).unwrap_or_default()
    }

    /// Puts something in the place of what stands from `start` up to the cursor.
    pub fn replace(&mut self, start: usize, with: &str) {
        if self.text.is_char_boundary(start) && start <= self.at && self.text.len() + with.len() <= BYTES_MAX {
            self.text.replace_range(start..self.at, with);
            self.at = start + with.len();
        }
    }

    /// Puts letters in at the cursor; line ends become blanks, controls go.
    pub fn insert(&mut self, text: &str) {
        let plain: String =
            text.chars().map(|c| if c == '\n' || c == '\t' { ' ' } else { c }).filter(|c| !c.is_control()).collect();
        self.replace(self.at, &plain);
    }

    /// A key.
    pub fn key(&mut self, key: &KeyEvent) -> Typed {
        let control = key.modifiers.contains(KeyModifiers::CONTROL);
        let alt = key.modifiers.contains(KeyModifiers::ALT);
        match key.code {
            KeyCode::Enter => return Typed::Done,
            KeyCode::Esc => return Typed::GivenUp,
            KeyCode::Char('c' | 'g') if control => return Typed::GivenUp,
            KeyCode::Left if control || alt => self.at = self.word_before(),
            KeyCode::Right if control || alt => self.at = self.word_after(),
            KeyCode::Left => self.at = self.letter_before(),
            KeyCode::Right => self.at = self.letter_after(),
            KeyCode::Home => self.at = 0,
            KeyCode::End => self.at = self.text.len(),
            KeyCode::Backspace if alt || control => return self.cut(self.word_before(), self.at),
            KeyCode::Backspace => return self.remove(self.letter_before(), self.at),
            KeyCode::Delete => return self.remove(self.at, self.letter_after()),
            KeyCode::Char(letter) if control => return self.control(letter),
            KeyCode::Char('b') if alt => self.at = self.word_before(),
            KeyCode::Char('f') if alt => self.at = self.word_after(),
            KeyCode::Char('d') if alt => return self.cut(self.at, self.word_after()),
            KeyCode::Char(letter) if !alt => {
                self.insert(letter.encode_utf8(&mut [0; 4]));
                return Typed::Changed;
            }
            _ => return Typed::Other,
        }
        Typed::Kept
    }

    fn control(&mut self, letter: char) -> Typed {
        match letter {
            'a' => self.at = 0,
            'e' => self.at = self.text.len(),
            'b' => self.at = self.letter_before(),
            'f' => self.at = self.letter_after(),
            'h' => return self.remove(self.letter_before(), self.at),
            'd' => return self.remove(self.at, self.letter_after()),
            'w' => return self.cut(self.word_before(), self.at),
            'u' => return self.cut(0, self.at),
            'k' => return self.cut(self.at, self.text.len()),
            'y' => {
                let cut = self.cut.clone();
                self.insert(&cut);
                return Typed::Changed;
            }
            _ => return Typed::Other,
        }
        Typed::Kept
    }

    fn cut(&mut self, from: usize, to: usize) -> Typed {
        self.cut = self.text.get(from..to).unwrap_or_default().to_owned();
        self.remove(from, to)
    }

    fn remove(&mut self, from: usize, to: usize) -> Typed {
        if from >= to || !self.text.is_char_boundary(from) || !self.text.is_char_boundary(to) {
            return Typed::Kept;
        }
        self.text.replace_range(from..to, "");
        self.at = from;
        Typed::Changed
    }

    fn letter_before(&self) -> usize {
        self.before().char_indices().next_back().map_or(0, |(at, _)| at)
    }

    fn letter_after(&self) -> usize {
        let letter = self.text.get(self.at..).and_then(|rest| rest.chars().next());
        self.at + letter.map_or(0, char::len_utf8)
    }

    fn word_before(&self) -> usize {
        let before = self.before().trim_end_matches(|c: char| !c.is_alphanumeric());
        before.char_indices().rev().find(|(_, c)| !c.is_alphanumeric()).map_or(0, |(at, c)| at + c.len_utf8())
    }

    fn word_after(&self) -> usize {
        let rest = self.text.get(self.at..).unwrap_or_default();
        let begun = rest.find(char::is_alphanumeric).unwrap_or(rest.len());
        let word = rest.get(begun..).unwrap_or_default();
        self.at + begun + word.find(|c: char| !c.is_alphanumeric()).unwrap_or(word.len())
    }

    /// Draws it on the first row of an area, the cursor as a reversed place; with `hidden` stars stand for letters.
    pub fn draw(&self, buf: &mut Buffer, area: Rect, theme: Theme, hidden: bool) {
        let shown = |text: &str| if hidden { "*".repeat(text.chars().count()) } else { harmless_line(text) };
        let room = usize::from(area.width).saturating_sub(1);
        let mut before = shown(self.before());
        // What is typed stays seen: the beginning goes.
        while width(&before) > room {
            before.remove(0);
        }
        let after = shown(self.text.get(self.at..).unwrap_or_default());
        let cursor = width(&before);
        put(buf, area, 0, Line::raw(format!("{before}{after}")));
        let Ok(cursor) = u16::try_from(cursor) else { return };
        if area.height > 0 && cursor < area.width {
            buf.set_style(Rect { x: area.x + cursor, width: 1, height: 1, ..area }, theme.selected());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn press(field: &mut Field, keys: &str) {
        for key in keys.split(' ') {
            let (modifiers, key) = match key.split_once('-') {
                Some(("C", key)) => (KeyModifiers::CONTROL, key),
                Some(("A", key)) => (KeyModifiers::ALT, key),
                _ => (KeyModifiers::NONE, key),
            };
            let code = match key {
                "Left" => KeyCode::Left,
                "Backspace" => KeyCode::Backspace,
                "Space" => KeyCode::Char(' '),
                key => KeyCode::Char(key.chars().next().unwrap()),
            };
            field.key(&KeyEvent::new(code, modifiers));
        }
    }

    #[test]
    fn readline_keys_work() {
        let mut field = Field::holding("one two-three");
        press(&mut field, "C-w");
        assert_eq!(field.text(), "one two-");
        press(&mut field, "C-w C-a C-y Space");
        assert_eq!(field.text(), "two- one ");
        press(&mut field, "C-k C-a A-f A-d ä C-e x Backspace");
        assert_eq!(field.text(), "twoä");
        press(&mut field, "Left Left C-u");
        assert_eq!((field.text(), field.before()), ("oä", ""));
        field.insert("a\nb\u{1b}");
        assert_eq!(field.text(), "a boä");
    }

    proptest! {
        #[test]
        fn any_keys_keep_it_whole(keys in proptest::collection::vec((any::<char>(), 0_u8..4), 0..60)) {
            let mut field = Field::default();
            for (letter, kind) in keys {
                let code = match (kind, letter as u32 % 6) {
                    (3, 0) => KeyCode::Left,
                    (3, 1) => KeyCode::Right,
                    (3, 2) => KeyCode::Backspace,
                    (3, 3) => KeyCode::Delete,
                    (3, 4) => KeyCode::Home,
                    (3, _) => KeyCode::End,
                    _ => KeyCode::Char(letter),
                };
                let modifiers = [KeyModifiers::NONE, KeyModifiers::CONTROL, KeyModifiers::ALT, KeyModifiers::NONE];
                field.key(&KeyEvent::new(code, modifiers[usize::from(kind)]));
                prop_assert!(field.text.is_char_boundary(field.at) && field.text.len() <= BYTES_MAX);
                let area = Rect::new(0, 0, 7, 1);
                field.draw(&mut Buffer::empty(area), area, Theme::default(), kind == 1);
            }
        }
    }
}
