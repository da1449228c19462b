//! How things look: colours or none, line drawing or plain letters. State is never told by colour alone.

use ratatui::style::{Color, Modifier, Style};
use ratatui::symbols::border;

/// See the module.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Theme {
    /// Colours may be used; otherwise bold, dim and reverse only.
    pub colour: bool,
    /// Letters and `+-|#` only.
    pub ascii: bool,
}

/// How well something is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Health {
    /// As it should be.
    #[default]
    Good,
    /// Something is going on.
    Busy,
    /// Somebody should look.
    Warn,
    /// It does not work.
    Bad,
}

/// Borders of letters.
const ASCII: border::Set<'static> = border::Set {
    top_left: "+",
    top_right: "+",
    bottom_left: "+",
    bottom_right: "+",
    vertical_left: "|",
    vertical_right: "|",
    horizontal_top: "-",
    horizontal_bottom: "-",
};

impl Theme {
    /// The lines around a panel.
    #[must_use]
    pub fn border(self) -> border::Set<'static> {
        if self.ascii { ASCII } else { border::PLAIN }
    }

    fn fore(self, colour: Color) -> Style {
        if self.colour { Style::new().fg(colour) } else { Style::new() }
    }

    /// The title line.
    #[must_use]
    pub fn title(self) -> Style {
        self.fore(Color::Cyan).add_modifier(Modifier::BOLD)
    }

    /// Lines around panels.
    #[must_use]
    pub fn line(self) -> Style {
        if self.colour { self.fore(Color::DarkGray) } else { Style::new() }
    }

    /// Lines around the panel that has the keys, and its title.
    #[must_use]
    pub fn focus(self) -> Style {
        self.fore(Color::Cyan)
    }

    /// The row under the cursor.
    #[must_use]
    pub fn selected(self) -> Style {
        // Letters of several colours would make a patchwork of the row.
        Style::new().fg(Color::Reset).remove_modifier(Modifier::DIM).add_modifier(Modifier::REVERSED)
    }

    /// What is less important.
    #[must_use]
    pub fn dim(self) -> Style {
        Style::new().add_modifier(Modifier::DIM)
    }

    /// What is more important; headings of columns.
    #[must_use]
    pub fn strong(self) -> Style {
        Style::new().add_modifier(Modifier::BOLD)
    }

    /// A mark, a match.
    #[must_use]
    pub fn mark(self) -> Style {
        self.fore(Color::Yellow).add_modifier(Modifier::BOLD)
    }

    /// A key in a hint.
    #[must_use]
    pub fn key(self) -> Style {
        self.fore(Color::Cyan).add_modifier(Modifier::BOLD)
    }

    /// A directory.
    #[must_use]
    pub fn dir(self) -> Style {
        self.fore(Color::LightBlue).add_modifier(Modifier::BOLD)
    }

    /// How well something is.
    #[must_use]
    pub fn health(self, health: Health) -> Style {
        match health {
            Health::Good => self.fore(Color::Green),
            Health::Busy => self.fore(Color::Cyan),
            Health::Warn => self.fore(Color::Yellow).add_modifier(Modifier::BOLD),
            Health::Bad => self.fore(Color::Red).add_modifier(Modifier::BOLD),
        }
    }

    /// A sign for it that needs no colour.
    #[must_use]
    pub fn sign(self, health: Health) -> &'static str {
        match health {
            Health::Good => "+",
            Health::Busy => "~",
            Health::Warn => "!",
            Health::Bad => "X",
        }
    }

    /// Stands for what was cut away or goes on.
    #[must_use]
    pub fn ellipsis(self) -> &'static str {
        if self.ascii { "..." } else { "…" }
    }
}
