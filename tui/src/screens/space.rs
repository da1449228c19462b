//! What needs the space.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::Event;
use crate::console::effect::Effects;
use crate::console::keys::{Binding, Hint};
use crate::console::shared::Shared;
use crate::widgets::panel::panel;

/// What this screen adds to the keys.
pub const KEYS: &[Binding] = &[];
/// Its footer.
pub const HINTS: &[Hint] = &[];

/// See the module.
#[derive(Debug, Default)]
pub struct State {}

impl State {
    /// Whether it takes every key.
    #[must_use]
    pub fn captures(&self) -> bool {
        false
    }

    /// Whether something is on its way.
    #[must_use]
    pub fn is_waiting(&self) -> bool {
        false
    }
}

/// Something came.
pub fn update(_state: &mut State, _shared: &Shared, _event: &Event<'_>, _out: &mut Effects) -> bool {
    false
}

/// Draws it.
pub fn draw(_state: &State, shared: &Shared, area: Rect, buf: &mut Buffer) {
    panel(buf, area, shared, "space", "", true);
}
