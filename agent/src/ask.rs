//! Asking a person, and the places that answer when there is none: files, descriptors, helper commands, credentials.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rustix::termios::{LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcsetattr};
use zeroize::Zeroizing;

use crate::engine::job::Passphrase;
use crate::fault::{Code, Fault, Result};

/// Longest passphrase, or line that a person types, in bytes.
const ANSWER_BYTES_MAX: usize = 4096;

/// Where a person types.
pub trait Keyboard: Send + Sync {
    /// Shows `prompt` and reads one line without its end; with `echo` the letters are shown. `None` = end of input.
    /// Interrupted by the interrupt key.
    fn line(&self, prompt: &str, echo: bool) -> Result<Option<Passphrase>>;
}

/// The terminal on standard input, prompts on standard error.
#[derive(Clone, Copy, Debug, Default)]
pub struct RealKeyboard;

impl Keyboard for RealKeyboard {
    fn line(&self, prompt: &str, echo: bool) -> Result<Option<Passphrase>> {
        let broken = |cause: io::Error| Fault::new(Code::System, "cannot ask at the terminal").because(cause);
        let mut screen = io::stderr();
        let mut show = |bytes: &[u8]| screen.write_all(bytes).and_then(|()| screen.flush());
        show(prompt.as_bytes()).map_err(broken)?;
        let raw = RawMode::enter().map_err(broken)?;
        let mut typed = Typed::default();
        let outcome = loop {
            // Not through a buffer, which would keep the passphrase.
            let mut byte = [0];
            match rustix::io::read(io::stdin(), &mut byte) {
                Ok(0) => break Outcome::End,
                Ok(_) => {}
                Err(rustix::io::Errno::INTR) => continue,
                Err(e) => return Err(broken(e.into())),
            }
            let [byte] = byte;
            match typed.key(byte) {
                Key::Taken if echo => show(&[byte]).map_err(broken)?,
                Key::Rubbed(columns) if echo => {
                    show("\u{8} \u{8}".repeat(columns).as_bytes()).map_err(broken)?;
                }
                Key::Done(outcome) => break outcome,
                Key::Taken | Key::Rubbed(_) | Key::Ignored => {}
            }
        };
        drop(raw);
        show(b"\n").map_err(broken)?;
        match outcome {
            Outcome::Line => Ok(Some(typed.line)),
            Outcome::End => Ok(None),
            Outcome::Interrupted => Err(Fault::new(Code::Interrupted, "interrupted")),
        }
    }
}

/// The terminal hands over single keys, shows nothing and makes no signals, until this is dropped. (With signals off a
/// passphrase prompt can never leave the terminal without echo.)
struct RawMode {
    before: Termios,
}

impl RawMode {
    fn enter() -> io::Result<Self> {
        let before = tcgetattr(io::stdin())?;
        let mut raw = before.clone();
        raw.local_modes.remove(LocalModes::ECHO | LocalModes::ICANON | LocalModes::ISIG);
        raw.special_codes[SpecialCodeIndex::VMIN] = 1;
        raw.special_codes[SpecialCodeIndex::VTIME] = 0;
        tcsetattr(io::stdin(), OptionalActions::Now, &raw)?;
        Ok(Self { before })
    }
}

impl Drop for RawMode {
    fn drop(&mut self) {
        // The terminal may be gone; there is nobody left to tell.
        tcsetattr(io::stdin(), OptionalActions::Now, &self.before).unwrap_or_default();
    }
}

/// A line being typed.
struct Typed {
    line: Passphrase,
}

impl Default for Typed {
    fn default() -> Self {
        // All room at once, so that growing leaves no copies behind in memory.
        Self { line: Zeroizing::new(Vec::with_capacity(ANSWER_BYTES_MAX)) }
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Key {
    Taken,
    Rubbed(usize),
    Ignored,
    Done(Outcome),
}

#[derive(Debug, PartialEq, Eq)]
enum Outcome {
    Line,
    End,
    Interrupted,
}

impl Typed {
    fn key(&mut self, byte: u8) -> Key {
        match byte {
            b'\n' | b'\r' => Key::Done(Outcome::Line),
            0x03 => Key::Done(Outcome::Interrupted),
            0x04 if self.line.is_empty() => Key::Done(Outcome::End),
            0x08 | 0x7f => Key::Rubbed(self.rub_out()),
            0x15 => {
                let mut columns = 0;
                while !self.line.is_empty() {
                    columns += self.rub_out();
                }
                Key::Rubbed(columns)
            }
            0..0x20 => Key::Ignored,
            _ if self.line.len() >= ANSWER_BYTES_MAX => Key::Ignored,
            _ => {
                self.line.push(byte);
                Key::Taken
            }
        }
    }

    /// Removes the last character (all bytes of it); says how many there were.
    fn rub_out(&mut self) -> usize {
        while let Some(byte) = self.line.pop() {
            if byte & 0xc0 != 0x80 {
                return 1;
            }
        }
        0
    }
}

/// The terminal as it was before a line editor took it.
static BEFORE: std::sync::OnceLock<Termios> = std::sync::OnceLock::new();

/// Remembers how the terminal is, for [`restore_terminal`].
pub fn remember_terminal() {
    if let Ok(now) = tcgetattr(io::stdin()) {
        BEFORE.get_or_init(|| now);
    }
}

/// Written to the terminal before it is given back.
static FAREWELL: std::sync::OnceLock<&'static str> = std::sync::OnceLock::new();

/// What a program that draws writes when it is ended from outside: codes that leave its screen.
pub fn remember_farewell(codes: &'static str) {
    FAREWELL.get_or_init(|| codes);
}

/// Makes the terminal as it was remembered, for a program that is ended from outside.
pub fn restore_terminal() {
    if let Some(codes) = FAREWELL.get() {
        // Not through the stream's lock: who holds it may be waiting for a terminal that takes nothing.
        rustix::io::write(io::stdout(), codes.as_bytes()).unwrap_or_default();
    }
    if let Some(before) = BEFORE.get() {
        tcsetattr(io::stdin(), OptionalActions::Now, before).unwrap_or_default();
    }
}

/// Stops the program, as the suspend key does where it is no letter, until it is continued.
///
/// # Errors
/// When the system refuses.
pub fn suspend() -> Result<()> {
    let failed = |error| Fault::new(Code::System, "cannot suspend the program").because(error);
    rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::TSTP).map_err(failed)
}

/// Where a passphrase comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PassphraseSource {
    /// A file, or `fd:N`.
    File(String),
    /// What a command prints.
    Command(String),
    /// A credential of systemd.
    Credential(PathBuf),
    /// A person.
    Terminal,
    /// Nothing and nobody.
    Nobody,
}

impl PassphraseSource {
    /// The passphrase, when it can be had without a person.
    pub fn read(&self) -> Result<Option<Passphrase>> {
        match self {
            Self::File(name) => read_file(name).map(Some),
            Self::Command(command) => read_command(command).map(Some),
            Self::Credential(path) => {
                let file = File::open(path).map_err(|e| cannot_read(&path.display().to_string(), e))?;
                read_line(file, &path.display().to_string()).map(Some)
            }
            Self::Terminal | Self::Nobody => Ok(None),
        }
    }
}

fn read_file(name: &str) -> Result<Passphrase> {
    let path = match name.strip_prefix("fd:") {
        Some(number) if !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit()) => {
            Path::new("/dev/fd").join(number)
        }
        Some(_) => {
            return Err(Fault::new(Code::Usage, format!("\"{name}\" is no descriptor"))
                .hint("write it as fd:3, or ./fd:name for a file of that name"));
        }
        None => PathBuf::from(name),
    };
    read_line(File::open(path).map_err(|e| cannot_read(name, e))?, name)
}

fn read_command(command: &str) -> Result<Passphrase> {
    let failed = |why: String| {
        Fault::new(Code::KeyPassphraseNeeded, "the passphrase command gave no passphrase")
            .because(why)
            .hint("run the command by hand and see what it says")
    };
    let words = shell_words::split(command).map_err(|e| failed(e.to_string()))?;
    let (program, arguments) = words.split_first().ok_or_else(|| failed("the command is empty".to_owned()))?;
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|e| failed(format!("cannot start {program}: {e}")))?;
    let passphrase = match child.stdout.take() {
        Some(stdout) => read_line(stdout, command),
        None => Err(failed("it has no output".to_owned())),
    };
    let status = child.wait().map_err(|e| failed(e.to_string()))?;
    if !status.success() {
        return Err(failed(format!("{program}: {status}")));
    }
    passphrase
}

fn cannot_read(name: &str, cause: io::Error) -> Fault {
    Fault::new(
        Code::KeyPassphraseNeeded,
        format!("cannot read the passphrase from {}", crate::name::harmless_line(name)),
    )
    .because(cause)
}

/// All bytes but the end of the line.
fn read_line(from: impl Read, name: &str) -> Result<Passphrase> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(ANSWER_BYTES_MAX + 2));
    let most = u64::try_from(ANSWER_BYTES_MAX + 2).unwrap_or(u64::MAX);
    from.take(most).read_to_end(&mut bytes).map_err(|e| cannot_read(name, e))?;
    if bytes.last() == Some(&b'\n') {
        bytes.pop();
        if bytes.last() == Some(&b'\r') {
            bytes.pop();
        }
    }
    if bytes.is_empty() || bytes.len() > ANSWER_BYTES_MAX {
        let why = if bytes.is_empty() { "it is empty" } else { "it is longer than 4,096 bytes" };
        return Err(cannot_read(name, io::Error::other(why)));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(keys: &[u8]) -> (Vec<u8>, Option<Key>) {
        let mut typed = Typed::default();
        let mut last = None;
        for key in keys {
            last = Some(typed.key(*key));
        }
        (typed.line.to_vec(), last)
    }

    #[test]
    fn keys_make_a_line() {
        assert_eq!(typed(b"abc\x7fd\r"), (b"abd".to_vec(), Some(Key::Done(Outcome::Line))));
        assert_eq!(typed("ü\x7f".as_bytes()), (vec![], Some(Key::Rubbed(1))));
        assert_eq!(typed("aüb\x15x".as_bytes()).0, b"x");
        assert_eq!(typed(b"ab\x03").1, Some(Key::Done(Outcome::Interrupted)));
        assert_eq!(typed(b"\x04").1, Some(Key::Done(Outcome::End)));
        assert_eq!(typed(b"a\x04\x1b").0, b"a");
        assert_eq!(typed(&[b'a'; 5000]).0.len(), ANSWER_BYTES_MAX);
    }

    #[test]
    fn files_and_commands_answer() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("pass");
        let read = |source: &PassphraseSource| source.read().map(|p| p.map(|p| p.to_vec()));
        for (content, expected) in [("word\n", "word"), ("two words", "two words"), ("x\r\n", "x"), (" a\n\n", " a\n")]
        {
            std::fs::write(&file, content).unwrap();
            let source = PassphraseSource::File(file.display().to_string());
            assert_eq!(read(&source).unwrap().unwrap(), expected.as_bytes());
        }
        std::fs::write(&file, "\n").unwrap();
        let fault = read(&PassphraseSource::Credential(file)).unwrap_err();
        assert_eq!((fault.code, fault.causes), (Code::KeyPassphraseNeeded, vec!["it is empty".to_owned()]));

        assert_eq!(read(&PassphraseSource::Command("echo 'a b'".into())).unwrap().unwrap(), b"a b");
        assert_eq!(read(&PassphraseSource::Command("false".into())).unwrap_err().code, Code::KeyPassphraseNeeded);
        assert_eq!(read(&PassphraseSource::Command("'".into())).unwrap_err().code, Code::KeyPassphraseNeeded);
        assert_eq!(read(&PassphraseSource::File("fd:x".into())).unwrap_err().code, Code::Usage);
        assert_eq!(read(&PassphraseSource::Nobody), Ok(None));
    }
}
