//! The only one who draws. Whatever ends the program, the terminal is as it was: on leaving, on a panic, on a signal.

use std::io::{self, Stdout, Write};

use agent::fault::{Code, Fault, Result};
use crossterm::clipboard::CopyToClipboard;
use crossterm::terminal::{disable_raw_mode, enable_raw_mode};
use ratatui::Terminal;
use ratatui::backend::CrosstermBackend;

/// Takes the screen: the other screen, no cursor, what is pasted comes whole.
const ENTER: &str = "\x1b[?1049h\x1b[?25l\x1b[?2004h";
/// Gives it back.
const LEAVE: &str = "\x1b[?2004l\x1b[0m\x1b[?25h\x1b[?1049l";

/// The terminal while it is ours.
pub struct Screen {
    terminal: Terminal<CrosstermBackend<Stdout>>,
}

fn broken(error: impl std::fmt::Display) -> Fault {
    Fault::new(Code::System, "cannot draw on the terminal").because(error)
}

/// The status of a bug.
const BUG: i32 = 101;

#[expect(
    clippy::disallowed_methods,
    reason = "after a bug in any thread nothing may be drawn on a terminal that was given back"
)]
fn end() -> ! {
    std::process::exit(BUG)
}

/// Writes codes past every buffer.
fn codes(codes: &str) -> io::Result<()> {
    let mut out = io::stdout();
    out.write_all(codes.as_bytes())?;
    out.flush()
}

impl Screen {
    /// Takes the terminal.
    pub fn enter() -> Result<Self> {
        agent::ask::remember_terminal();
        agent::ask::remember_farewell(LEAVE);
        let usual = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            agent::ask::restore_terminal();
            usual(panic);
            end();
        }));
        let terminal = Terminal::new(CrosstermBackend::new(io::stdout())).map_err(broken)?;
        let screen = Self { terminal };
        screen.take()?;
        Ok(screen)
    }

    fn take(&self) -> Result<()> {
        enable_raw_mode().map_err(broken)?;
        codes(ENTER).map_err(broken)
    }

    fn give(&self) {
        // The terminal may be gone; there is nobody left to tell.
        codes(LEAVE).unwrap_or_default();
        disable_raw_mode().unwrap_or_default();
    }

    /// Columns and rows.
    pub fn size(&self) -> Result<(u16, u16)> {
        let size = self.terminal.size().map_err(broken)?;
        Ok((size.width, size.height))
    }

    /// Draws; only what changed is written.
    pub fn draw(&mut self, draw: impl FnOnce(&mut ratatui::buffer::Buffer)) -> Result<()> {
        self.terminal.draw(|frame| draw(frame.buffer_mut())).map(|_| ()).map_err(broken)
    }

    /// Everything is written again at the next drawing. By its size and not by `clear`: that asks the terminal where the
    /// cursor is, and the answer would go to who reads the keyboard.
    pub fn clear(&mut self) -> Result<()> {
        let size = self.terminal.size().map_err(broken)?;
        self.terminal.resize(size.into()).map_err(broken)
    }

    /// Copies a text, if the terminal does that; it never says.
    pub fn copy(&self, text: &str) -> Result<()> {
        crossterm::execute!(io::stdout(), CopyToClipboard::to_clipboard_from(text)).map_err(broken)
    }

    /// Stops the program as the suspend key does elsewhere, until it is continued.
    pub fn suspend(&mut self) -> Result<()> {
        self.give();
        agent::ask::suspend()?;
        self.take()?;
        self.clear()
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        self.give();
    }
}
