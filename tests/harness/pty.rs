//! A person at a terminal: types keys, reads the screen. Never sleeps: it looks at the screen until what is expected
//! stands there.

use std::io::{Read, Write};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};

use crate::subject::Call;
use crate::wait::within;

/// Longest wait for something to stand on the screen.
const SCREEN_MAX: Duration = Duration::from_secs(30);

/// The bit of a terminal that shows what is typed.
const ECHO: u32 = 0o10;

type Keyboard = Arc<Mutex<Box<dyn Write + Send>>>;

/// A program in a terminal.
pub struct Terminal {
    child: Box<dyn Child + Send + Sync>,
    master: Box<dyn MasterPty + Send>,
    keyboard: Keyboard,
    screen: Arc<Mutex<Screen>>,
    reader: JoinHandle<()>,
}

struct Screen {
    parser: vt100::Parser,
    /// Everything that was ever written, for what scrolled away.
    all: Vec<u8>,
}

impl Terminal {
    /// Starts a run in a terminal of so many rows and columns.
    ///
    /// # Panics
    /// When there is no terminal to be had.
    #[must_use]
    pub fn start(call: Call, rows: u16, columns: u16) -> Self {
        let size = PtySize { rows, cols: columns, pixel_width: 0, pixel_height: 0 };
        let pair = native_pty_system().openpty(size).unwrap();
        let child = pair.slave.spawn_command(builder(call)).unwrap();
        // Else the end of the program would not be the end of what is read.
        drop(pair.slave);
        let parser = vt100::Parser::new(rows.try_into().unwrap(), columns.try_into().unwrap(), 0);
        let screen = Arc::new(Mutex::new(Screen { parser, all: Vec::new() }));
        let keyboard: Keyboard = Arc::new(Mutex::new(pair.master.take_writer().unwrap()));
        let reader = pair.master.try_clone_reader().unwrap();
        let reader = std::thread::spawn({
            let (screen, keyboard) = (Arc::clone(&screen), Arc::clone(&keyboard));
            move || watch(reader, &screen, &keyboard)
        });
        Self { child, master: pair.master, keyboard, screen, reader }
    }

    /// Types these keys.
    ///
    /// # Panics
    /// When the terminal is gone.
    pub fn keys(&self, keys: &str) -> &Self {
        let mut keyboard = self.keyboard.lock().unwrap();
        keyboard.write_all(keys.as_bytes()).unwrap();
        keyboard.flush().unwrap();
        drop(keyboard);
        self
    }

    /// Waits until the screen shows this.
    ///
    /// # Panics
    /// When it does not in time.
    pub fn shows(&self, text: &str) -> &Self {
        self.until(text, |screen| screen.contents().contains(text))
    }

    /// Waits until the screen is as it should be.
    ///
    /// # Panics
    /// When it is not in time.
    pub fn until(&self, what: &str, right: impl Fn(&vt100::Screen) -> bool) -> &Self {
        let seen = within(SCREEN_MAX, || right(self.screen.lock().unwrap().parser.screen()));
        assert!(seen, "`{what}` did not appear; the screen shows:\n{}", self.contents());
        self
    }

    /// Waits until a thread of this name runs in the program.
    ///
    /// # Panics
    /// When none does in time.
    pub fn runs(&self, thread: &str) -> &Self {
        let tasks = format!("/proc/{}/task", self.child.process_id().unwrap());
        self.until(thread, |_| {
            let names = std::fs::read_dir(&tasks).into_iter().flatten().flatten();
            // One that ends meanwhile has no name any more.
            names
                .filter_map(|task| std::fs::read_to_string(task.path().join("comm")).ok())
                .any(|name| name.trim() == thread)
        })
    }

    /// Sends a signal.
    ///
    /// # Panics
    /// When the program is gone.
    pub fn signal(&self, signal: rustix::process::Signal) {
        let pid = self.child.process_id().and_then(|pid| i32::try_from(pid).ok());
        rustix::process::kill_process(pid.and_then(rustix::process::Pid::from_raw).unwrap(), signal).unwrap();
    }

    /// Holds the program where it is, until it is signalled to go on.
    ///
    /// # Panics
    /// When it does not stop in time.
    pub fn hold(&self) {
        self.signal(rustix::process::Signal::STOP);
        let stat = format!("/proc/{}/stat", self.child.process_id().unwrap());
        // The state stands behind the name, which is in brackets.
        let stopped = || std::fs::read_to_string(&stat).is_ok_and(|stat| stat.contains(") T "));
        assert!(within(SCREEN_MAX, stopped), "it did not stop");
    }

    /// Whether the terminal shows what is typed, and hands it over line by line.
    ///
    /// # Panics
    /// When the terminal is gone.
    #[must_use]
    pub fn echoes(&self) -> bool {
        self.master.get_termios().is_some_and(|now| now.local_flags.bits() & ECHO != 0)
    }

    /// Makes the window another size.
    ///
    /// # Panics
    /// When the terminal is gone.
    pub fn resize(&self, rows: u16, columns: u16) -> &Self {
        self.master.resize(PtySize { rows, cols: columns, pixel_width: 0, pixel_height: 0 }).unwrap();
        let mut screen = self.screen.lock().unwrap();
        screen.parser.screen_mut().set_size(rows.try_into().unwrap(), columns.try_into().unwrap());
        drop(screen);
        self
    }

    /// Somebody else writes on this screen, at the top.
    ///
    /// # Panics
    /// Never, unless a test before did.
    pub fn writes_over(&self, text: &str) -> &Self {
        self.screen.lock().unwrap().parser.process(format!("\x1b[H{text}").as_bytes());
        self
    }

    /// What stands on the screen.
    ///
    /// # Panics
    /// Never, unless a test before did.
    #[must_use]
    pub fn contents(&self) -> String {
        self.screen.lock().unwrap().parser.screen().contents()
    }

    /// Everything that was ever written.
    ///
    /// # Panics
    /// Never, unless a test before did.
    #[must_use]
    pub fn all(&self) -> String {
        String::from_utf8_lossy(&self.screen.lock().unwrap().all).into_owned()
    }

    /// Waits for the end, which must leave the terminal as it was: own screen left, cursor shown. Gives the exit code.
    ///
    /// # Panics
    /// When it does not end in time or leaves a mess.
    #[must_use]
    pub fn end(self) -> u32 {
        self.end_and_echo().0
    }

    /// The same, and whether the terminal shows again what is typed.
    ///
    /// # Panics
    /// As [`Terminal::end`].
    #[must_use]
    pub fn end_and_echo(mut self) -> (u32, bool) {
        let mut status = None;
        let ended = within(SCREEN_MAX, || {
            status = self.child.try_wait().unwrap();
            status.is_some()
        });
        if !ended {
            self.child.kill().unwrap();
        }
        // What it wrote last may still be on its way.
        assert!(within(SCREEN_MAX, || self.reader.is_finished()), "the terminal was not closed");
        assert!(ended, "it did not end; the screen shows:\n{}", self.contents());
        let screen = self.screen.lock().unwrap();
        assert!(!screen.parser.screen().alternate_screen(), "the alternate screen was not left");
        assert!(!screen.parser.screen().hide_cursor(), "the cursor stayed hidden");
        drop(screen);
        (status.map_or(u32::MAX, |status| status.exit_code()), self.echoes())
    }
}

fn builder(call: Call) -> CommandBuilder {
    let command = call.into_command();
    let mut builder = CommandBuilder::new(command.get_program());
    builder.args(command.get_args());
    builder.env_clear();
    for (name, value) in command.get_envs() {
        if let Some(value) = value {
            builder.env(name, value);
        }
    }
    builder.env("TERM", "xterm-256color");
    if let Some(dir) = command.get_current_dir() {
        builder.cwd(dir);
    }
    builder
}

/// Reads what the program writes, and answers when it asks where the cursor is.
fn watch(mut from: Box<dyn Read + Send>, screen: &Mutex<Screen>, keyboard: &Mutex<Box<dyn Write + Send>>) {
    let mut buffer = [0; 4_096];
    while let Ok(length @ 1..) = from.read(&mut buffer) {
        let bytes = &buffer[..length];
        let mut screen = screen.lock().unwrap();
        screen.parser.process(bytes);
        screen.all.extend_from_slice(bytes);
        if bytes.windows(4).any(|four| four == b"\x1b[6n") {
            let (row, column) = screen.parser.screen().cursor_position();
            drop(screen);
            let answer = format!("\x1b[{};{}R", row + 1, column + 1);
            // A program that ended meanwhile does not want the answer any more.
            keyboard.lock().unwrap().write_all(answer.as_bytes()).unwrap_or_default();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world::World;

    #[test]
    fn keys_arrive_and_the_screen_is_seen() {
        let world = World::new("/bin/true");
        let script =
            "printf '\\033[?1049h'; read -r a; printf 'got %s\\n' \"$a\"; read -r b; printf '\\033[?1049l'; exit 7";
        let terminal = Terminal::start(world.command("/bin/sh", ["-c", script]), 24, 80);
        terminal.until("own screen", vt100::Screen::alternate_screen);
        terminal.keys("hello\r").shows("got hello").keys("\r");
        assert_eq!(terminal.end(), 7);
    }

    #[test]
    fn a_program_that_asks_for_the_cursor_is_answered() {
        let world = World::new("/bin/true");
        let script =
            "stty raw -echo; printf 'abc\\033[6n'; a=$(dd bs=1 count=6 2>/dev/null | od -c); stty sane; echo \"$a\"";
        let terminal = Terminal::start(world.command("/bin/sh", ["-c", script]), 24, 80);
        terminal.shows("[   1   ;   4   R");
        assert_eq!(terminal.end(), 0);
    }
}
