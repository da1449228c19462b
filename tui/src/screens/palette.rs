//! The command line of the console: the verbs of the shell.

use crossterm::event::KeyEvent;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::console::ask::Heard;
use crate::console::effect::{Effect, Effects};
use crate::console::overlay::Held;
use crate::console::shared::Shared;
use crate::widgets::dialog::window;
use crate::widgets::field::{Field, Typed};
use crate::widgets::text::put;

/// See the module.
#[derive(Debug, Default)]
pub struct State {
    field: Field,
}

impl State {
    /// Whether something is on its way.
    #[must_use]
    pub fn is_waiting(&self) -> bool {
        false
    }

    /// An answer of the engine; whether it was waited for here.
    pub fn hear(&mut self, _heard: &Heard) -> bool {
        false
    }

    /// Something was pasted.
    pub fn paste(&mut self, _shared: &Shared, text: &str, _out: &mut Effects) {
        self.field.insert(text);
    }

    /// A key.
    pub fn key(&mut self, _shared: &Shared, key: &KeyEvent, out: &mut Effects) -> Held {
        match self.field.key(key) {
            Typed::GivenUp => Held::Closes,
            Typed::Done => {
                match agent::shell::words::parse(self.field.text()) {
                    Ok(parts) => {
                        for part in parts {
                            let words = part
                                .words
                                .iter()
                                .map(|word| std::os::unix::ffi::OsStringExt::from_vec(word.bytes.clone()));
                            out.push(Effect::Start(words.collect()));
                        }
                    }
                    Err(_) => out.warn("a quote is not closed"),
                }
                Held::Closes
            }
            _ => Held::Stays,
        }
    }

    /// Draws it.
    pub fn draw(&self, buf: &mut Buffer, area: Rect, shared: &Shared) {
        let bottom = Rect { y: area.y + area.height.saturating_sub(3), height: 3, ..area };
        let inner = window(buf, bottom, shared, "Command", usize::from(area.width), 1);
        put(buf, inner, 0, ":");
        let field = Rect { x: inner.x + 2, width: inner.width.saturating_sub(2), ..inner };
        self.field.draw(buf, field, shared.theme, false);
    }
}
