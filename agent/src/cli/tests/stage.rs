//! Command lines run as `main` runs them, against an engine that only remembers.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use jiff::tz::TimeZone;
use serde_json::Value;
use store::door::{ConstantChance, FixedClock};
use zeroize::Zeroizing;

use super::fake::{Fake, NOW_MS};
use crate::ask::Keyboard;
use crate::cli::run;
use crate::engine::job::*;
use crate::fault::{Fault, Result};
use crate::world::{Environment, Out, Terminal, World};

/// A stream that can be looked at.
#[derive(Clone, Default)]
pub(super) struct Seen(pub(super) Arc<Mutex<Vec<u8>>>);

impl Write for Seen {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Types prepared lines.
pub(super) struct Typist(pub(super) Mutex<Vec<&'static str>>, pub(super) Seen);

impl Keyboard for Typist {
    fn line(&self, prompt: &str, _: bool) -> Result<Option<Passphrase>> {
        self.1.clone().write_all(format!("{prompt}\n").as_bytes()).unwrap();
        let mut lines = self.0.lock().unwrap();
        if lines.is_empty() { Ok(None) } else { Ok(Some(Zeroizing::new(lines.remove(0).as_bytes().to_vec()))) }
    }
}

pub(super) struct Stage {
    pub(super) env: BTreeMap<OsString, OsString>,
    pub(super) terminal: Terminal,
    pub(super) types: Vec<&'static str>,
    pub(super) fault: Option<Fault>,
    pub(super) home: tempfile::TempDir,
}

pub(super) struct Shown {
    pub(super) status: u8,
    pub(super) out: String,
    pub(super) err: String,
    pub(super) seen: String,
}

impl Shown {
    pub(super) fn records(&self) -> Vec<Value> {
        self.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

impl Stage {
    pub(super) fn new() -> Self {
        Self {
            env: BTreeMap::new(),
            terminal: Terminal { columns: 100, ..Terminal::default() },
            types: Vec::new(),
            fault: None,
            home: tempfile::tempdir().unwrap(),
        }
    }

    pub(super) fn at_terminal(mut self, types: &[&'static str]) -> Self {
        self.terminal = Terminal { stdin: true, stdout: true, stderr: true, columns: 80 };
        self.types = types.to_vec();
        self.set("TERM", "dumb")
    }

    pub(super) fn set(mut self, name: &str, value: &str) -> Self {
        self.env.insert(name.into(), value.into());
        self
    }

    pub(super) fn config(self, text: &str) -> Self {
        let folder = self.home.path().join(".config/tuckbox");
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("config.toml"), text).unwrap();
        self
    }

    pub(super) fn run(&self, line: &str) -> Shown {
        let (out, err) = (Seen::default(), Seen::default());
        let clock = Arc::new(FixedClock::at(NOW_MS));
        let engine = Arc::new(Fake { clock: Some(Arc::clone(&clock)), fault: self.fault.clone(), ..Fake::default() });
        let world = World {
            engine: Arc::clone(&engine) as Arc<dyn Engine>,
            clock,
            chance: Arc::new(ConstantChance::new(1)),
            env: Environment(self.env.clone()),
            terminal: self.terminal,
            keyboard: Arc::new(Typist(Mutex::new(self.types.clone()), err.clone())),
            stdout: Arc::new(Out::new(Box::new(out.clone()))),
            stderr: Arc::new(Out::new(Box::new(err.clone()))),
            working: PathBuf::from("/home/ana"),
            home: Some(self.home.path().to_owned()),
            zone: TimeZone::UTC,
            host: "laptop".into(),
            stop: Stop::default(),
            console: None,
        };
        let words = shell_words::split(line).unwrap();
        let arguments = std::iter::once("tuckbox".to_owned()).chain(words).map(OsString::from).collect();
        let status = run(&world, arguments);
        let text = |seen: Seen| String::from_utf8_lossy(&seen.0.lock().unwrap()).into_owned();
        let seen = engine.seen.lock().unwrap().join("\n");
        Shown { status, out: text(out), err: text(err), seen }
    }
}

pub(super) fn run_line(line: &str) -> Shown {
    Stage::new().run(line)
}
