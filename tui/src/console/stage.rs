//! Where the console is tried: keys and answers go in as data, effects and pictures come out. No terminal, no engine, no
//! clock but the one that is set.

use std::path::PathBuf;

use agent::fault::Fault;
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use jiff::tz::TimeZone;
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::buffer::Buffer;
use ratatui::style::{Color, Modifier};

use super::app::App;
use super::ask::{Answer, Ask, Heard};
use super::effect::{Effect, Lane};
use super::keys::chords;
use super::looping::Msg;
use super::shared::Shared;
use super::theme::Theme;

/// 2026-11-20 22:14:00 UTC, a Friday.
pub const NOW_MS: i64 = 1_795_212_840_000;
/// A minute, milliseconds.
pub const MINUTE_MS: i64 = 60_000;
/// An hour, milliseconds.
pub const HOUR_MS: i64 = 60 * MINUTE_MS;
/// A day, milliseconds.
pub const DAY_MS: i64 = 24 * HOUR_MS;

/// See the module.
pub struct Stage {
    /// The console.
    pub app: App,
    /// Effects that went outside and were not looked at yet.
    pub effects: Vec<Effect>,
    /// Anything is typed on the command line.
    pub typed_wildly: bool,
    theme: Theme,
    now_ms: i64,
    mono_ms: i64,
}

/// Colours and line drawing.
pub const COLOUR: Theme = Theme { colour: true, ascii: false };
/// No colours.
pub const MONO: Theme = Theme { colour: false, ascii: false };
/// Letters only.
pub const ASCII: Theme = Theme { colour: false, ascii: true };

impl Stage {
    /// A console that was just started, in UTC, of the account `laptop-ana`.
    pub fn new(size: (u16, u16), theme: Theme) -> Self {
        let account = Some("laptop-ana".to_owned());
        let mut shared = Shared::new("ssh://vault1.example/vault".into(), account, None, TimeZone::UTC, theme);
        shared.size = size;
        shared.now_ms = NOW_MS;
        shared.home = Some(PathBuf::from("/home/ana"));
        shared.working = PathBuf::from("/home/ana");
        let mut app = App::new(shared);
        let effects = app.begin();
        Self { app, effects, typed_wildly: false, theme, now_ms: NOW_MS, mono_ms: 0 }
    }

    fn take(&mut self, message: Msg) -> &mut Self {
        self.app.set_time(self.now_ms, self.mono_ms);
        let effects = self.app.update(message);
        if !self.typed_wildly {
            effects.iter().for_each(is_understood);
        }
        self.effects.extend(effects);
        self
    }

    /// Time goes by.
    pub fn pass(&mut self, ms: i64) -> &mut Self {
        self.now_ms += ms;
        self.mono_ms += ms;
        self.take(Msg::Tick)
    }

    /// Keys as the table writes them, apart by blanks; a word in quotes is typed: `3 Down*2 "text" Enter`.
    pub fn press(&mut self, keys: &str) -> &mut Self {
        let mut rest = keys.trim_start();
        while !rest.is_empty() {
            if let Some(typed) = rest.strip_prefix('"') {
                let (text, after) = typed.split_once('"').unwrap();
                text.chars().for_each(|letter| self.key(KeyEvent::new(KeyCode::Char(letter), KeyModifiers::NONE)));
                rest = after.trim_start();
                continue;
            }
            let (word, after) = rest.split_once(' ').unwrap_or((rest, ""));
            let (name, times) = match word.rsplit_once('*') {
                Some((name, times)) if !name.is_empty() => (name, times.parse().unwrap()),
                _ => (word, 1),
            };
            for _ in 0..times {
                events(name).into_iter().for_each(|key| self.key(key));
            }
            rest = after.trim_start();
        }
        self
    }

    fn key(&mut self, key: KeyEvent) {
        self.take(Msg::Key(key));
    }

    /// Anything else that comes.
    pub fn give(&mut self, message: Msg) -> &mut Self {
        self.take(message)
    }

    /// The newest question that fits, taken from the effects.
    pub fn asked(&mut self, fits: impl Fn(&Ask) -> bool) -> Option<(Lane, u64)> {
        let place = self.effects.iter().rposition(|effect| matches!(effect, Effect::Ask { ask, .. } if fits(ask)))?;
        match self.effects.remove(place) {
            Effect::Ask { lane, generation, .. } => Some((lane, generation)),
            _ => None,
        }
    }

    /// Answers the newest question that fits; there must be one.
    pub fn answer(&mut self, fits: impl Fn(&Ask) -> bool, answer: Result<Answer, Fault>) -> &mut Self {
        let (lane, generation) = self.asked(fits).expect("nothing like that was asked");
        self.take(Msg::Heard(Heard { lane, generation, answer, last: true }))
    }

    /// The picture.
    pub fn buffer(&mut self) -> Buffer {
        let size = self.app.shared().size;
        let mut terminal = Terminal::new(TestBackend::new(size.0, size.1)).unwrap();
        terminal.draw(|frame| self.app.draw(frame.buffer_mut())).unwrap();
        self.app.set_drawn();
        terminal.backend().buffer().clone()
    }

    /// The picture as text, blanks at the ends of lines gone.
    pub fn text(&mut self) -> String {
        let buffer = self.buffer();
        let mut out = String::new();
        for row in 0..buffer.area.height {
            let line: String = (0..buffer.area.width).map(|column| buffer[(column, row)].symbol()).collect();
            out.push_str(line.trim_end());
            out.push('\n');
        }
        out
    }

    /// The styles, for the picture beside: a letter for each cell that has one.
    pub fn styles(&mut self) -> String {
        let buffer = self.buffer();
        let mut out = String::new();
        for row in 0..buffer.area.height {
            let line: String = (0..buffer.area.width)
                .map(|column| {
                    let cell = &buffer[(column, row)];
                    match (cell.fg, cell.modifier) {
                        (_, modifier) if modifier.contains(Modifier::REVERSED) => '>',
                        (Color::Red, _) => 'r',
                        (Color::Green, _) => 'g',
                        (Color::Yellow, _) => 'y',
                        (Color::Blue | Color::LightBlue, _) => 'b',
                        (Color::Cyan, _) => 'c',
                        (Color::DarkGray, _) => ':',
                        (_, modifier) if modifier.contains(Modifier::BOLD) => '*',
                        (_, modifier) if modifier.contains(Modifier::DIM) => '.',
                        _ => ' ',
                    }
                })
                .collect();
            out.push_str(line.trim_end());
            out.push('\n');
        }
        out
    }

    /// The picture is the one in the tree. Without colours no cell has one. `TUCKBOX_PIN=1` writes it anew.
    pub fn pinned(&mut self, name: &str) -> &mut Self {
        if !self.theme.colour {
            let buffer = self.buffer();
            let coloured = buffer.content().iter().filter(|cell| cell.fg != Color::Reset || cell.bg != Color::Reset);
            assert_eq!(coloured.count(), 0, "{name}: colours without colours");
        }
        let mut text = self.text();
        if self.theme.colour {
            text.push_str(&format!("\n{}", self.styles()));
        }
        if self.theme.ascii {
            assert!(text.is_ascii(), "{name}: not only letters:\n{text}");
        }
        let file = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("snapshots").join(format!("{name}.txt"));
        if std::env::var_os("TUCKBOX_PIN").is_some() {
            std::fs::create_dir_all(file.parent().unwrap()).unwrap();
            std::fs::write(&file, &text).unwrap();
        }
        let held = std::fs::read_to_string(&file).unwrap_or_default();
        assert!(
            held == text,
            "{name} is another picture; when that is meant: TUCKBOX_PIN=1. It is now:\n{text}\nand was:\n{held}"
        );
        self
    }
}

/// Every command line that the console runs, tries or asks is one that the program understands.
fn is_understood(effect: &Effect) {
    let words: Vec<std::ffi::OsString> = match effect {
        Effect::Run { words, .. } | Effect::Ask { ask: Ask::Say(words), .. } => words.clone(),
        Effect::Ask { ask: Ask::Records(words), .. } => words.iter().map(Into::into).collect(),
        _ => return,
    };
    let line = std::iter::once("tuckbox".into()).chain(words.iter().cloned());
    if let Err(error) = agent::cli::command().try_get_matches_from(line) {
        panic!("{words:?}: {error}");
    }
}

fn events(name: &str) -> Vec<KeyEvent> {
    match chords(name) {
        Some(keys) => keys.into_iter().map(KeyEvent::from).collect(),
        None => name.chars().map(|letter| KeyEvent::new(KeyCode::Char(letter), KeyModifiers::NONE)).collect(),
    }
}
