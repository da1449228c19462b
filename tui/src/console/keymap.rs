//! Keys of one's own, before ours: `keymap.toml` beside the configuration.
//!
//! ```toml
//! [[global]]
//! on = "C-f"
//! run = "find"
//!
//! [[files]]
//! on = "m"
//! run = "mark"
//! desc = "mark it"
//! ```
//!
//! A part is `global` or the name of a screen. `run` is the name of something that a key of ours does there; [`names`] has them
//! all. What leads out (`Esc`, `C-c`) cannot be taken.

use std::collections::BTreeMap;
use std::path::Path;

use agent::fault::{Code, Fault, Result};
use agent::name::{for_terminal, harmless_line};
use toml::{Table, Value};

use super::keys::{Action, Binding, GLOBAL, chords};
use crate::screens::{ScreenId, keys};

/// Longest file that is read, in bytes.
const FILE_BYTES_MAX: u64 = 64 << 10;
/// Keys that lead out of everything.
const NEEDED: [&str; 2] = ["Esc", "C-c"];

/// See the module.
#[derive(Clone, Debug, Default)]
pub struct Keymap {
    /// By screen; `None` for all of them.
    own: BTreeMap<Option<ScreenId>, Vec<Binding>>,
}

impl Keymap {
    /// Reads the file; without one there are only ours.
    ///
    /// # Errors
    /// When it cannot be read, or says something that cannot be.
    pub fn read(path: &Path) -> Result<Self> {
        let shown = for_terminal(path.as_os_str().as_encoded_bytes());
        let cannot = |cause: std::io::Error| Fault::new(Code::System, format!("cannot read {shown}")).because(cause);
        let text = match std::fs::metadata(path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(error) => return Err(cannot(error)),
            Ok(meta) if !meta.is_file() || meta.len() > FILE_BYTES_MAX => {
                return Err(Fault::new(
                    Code::Config,
                    format!("{shown} is no file of keys: it is too long, or no file"),
                ));
            }
            Ok(_) => std::fs::read_to_string(path).map_err(cannot)?,
        };
        let hint = "each entry has `on` (a key) and `run` (what it does); ? shows both";
        Self::parse(&text).map_err(|why| Fault::new(Code::Config, format!("{shown}: {why}")).hint(hint))
    }

    /// Reads its text.
    ///
    /// # Errors
    /// One sentence that says what cannot be.
    pub fn parse(text: &str) -> std::result::Result<Self, String> {
        let table: Table = text.parse().map_err(|error: toml::de::Error| harmless_line(error.message()))?;
        let mut own: BTreeMap<Option<ScreenId>, Vec<Binding>> = BTreeMap::new();
        for (part, entries) in &table {
            let screen = screen(part)?;
            let entries = entries.as_array().ok_or_else(|| format!("{part} is no list: write [[{part}]]"))?;
            let bindings = own.entry(screen).or_default();
            for entry in entries {
                let binding = binding(part, screen, entry)?;
                if bindings.iter().any(|other| other.on == binding.on) {
                    return Err(format!("{} stands twice in {part}", binding.on));
                }
                bindings.push(binding);
            }
        }
        Ok(Self { own })
    }

    /// One's own keys on a screen, those of the screen first.
    #[must_use]
    pub fn own(&self, screen: ScreenId) -> Vec<Binding> {
        [Some(screen), None].iter().filter_map(|part| self.own.get(part)).flatten().copied().collect()
    }

    /// One's own keys and those that the screen adds, in the order in which they count.
    #[must_use]
    pub fn keys(&self, screen: ScreenId) -> Vec<Binding> {
        self.own(screen).into_iter().chain(keys(screen).iter().copied()).collect()
    }

    /// Whether a key of ours still does what it does without this.
    #[must_use]
    pub fn leaves(&self, screen: ScreenId, on: &str) -> bool {
        !self.own(screen).iter().any(|binding| binding.on == on)
    }
}

fn screen(part: &str) -> std::result::Result<Option<ScreenId>, String> {
    if part == "global" {
        return Ok(None);
    }
    let found = ScreenId::ALL.into_iter().find(|screen| screen.name() == part);
    found.map(Some).ok_or_else(|| {
        let names: Vec<&str> = ScreenId::ALL.iter().map(|screen| screen.name()).collect();
        format!("there is no screen {}: write global, {}", harmless_line(part), names.join(", "))
    })
}

fn binding(part: &str, screen: Option<ScreenId>, entry: &Value) -> std::result::Result<Binding, String> {
    let table = entry.as_table().ok_or_else(|| format!("an entry of {part} is no table"))?;
    let text = |name: &str| table.get(name).map(|value| value.as_str().ok_or(format!("{name} is no text"))).transpose();
    if let Some(unknown) = table.keys().find(|name| !matches!(name.as_str(), "on" | "run" | "desc")) {
        return Err(format!("{} is not known: an entry has on, run and desc", harmless_line(unknown)));
    }
    let on = text("on")?.ok_or_else(|| format!("an entry of {part} has no `on`"))?;
    let run = text("run")?.ok_or_else(|| format!("an entry of {part} has no `run`"))?;
    if chords(on).is_none() {
        return Err(format!("\"{}\" is no key: write as in g, C-f, F5, S-Tab, gg", harmless_line(on)));
    }
    if NEEDED.contains(&on) {
        return Err(format!("{on} leads out of everything and cannot mean something else"));
    }
    let ours = ours(screen).find(|binding| name(binding.action) == run);
    let ours = ours.ok_or_else(|| {
        let alike = |name: &String| name.bytes().zip(run.bytes()).take_while(|(one, other)| one == other).count();
        let near = names(screen).into_iter().max_by_key(alike).filter(|name| alike(name) > 0);
        let hint = near.map_or_else(String::new, |near| format!(", perhaps {near}"));
        format!("there is no action \"{}\" in {part}{hint}", harmless_line(run))
    })?;
    let about = text("desc")?.map(harmless_line);
    // The file is read once and has a bound: its few words stay as long as the program.
    let about = about.map_or(ours.about, |about| &*about.leak());
    Ok(Binding { on: on.to_owned().leak(), action: ours.action, about })
}

fn ours(screen: Option<ScreenId>) -> impl Iterator<Item = &'static Binding> {
    screen.map(keys).unwrap_or_default().iter().chain(GLOBAL)
}

/// The name of an action, as `run` takes it.
#[must_use]
pub fn name(action: Action) -> String {
    match action {
        Action::Do(word) => word.to_owned(),
        Action::Screen(screen) => format!("screen-{}", screen.name()),
        other => {
            let mut name = String::new();
            for letter in format!("{other:?}").chars() {
                if letter.is_uppercase() && !name.is_empty() {
                    name.push('-');
                }
                name.extend(letter.to_lowercase());
            }
            name
        }
    }
}

/// All that a key may do there.
#[must_use]
pub fn names(screen: Option<ScreenId>) -> Vec<String> {
    ours(screen).map(|binding| name(binding.action)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::console::keys::{Chord, Found, find};

    fn pressed(keymap: &Keymap, screen: ScreenId, on: &str) -> Found {
        let chord: Chord = chords(on).unwrap()[0];
        find(&keymap.keys(screen), None, chord)
    }

    #[test]
    fn own_keys_come_before_ours() {
        let text = "[[global]]\non = \"C-f\"\nrun = \"find\"\n[[files]]\non = \"m\"\nrun = \"mark\"\ndesc = \"mark it\"\n[[files]]\non = \"F8\"\nrun = \"deleted\"\n";
        let keymap = Keymap::parse(text).unwrap();
        assert_eq!(pressed(&keymap, ScreenId::Log, "C-f"), Found::Action(Action::Find));
        assert_eq!(pressed(&keymap, ScreenId::Browser, "m"), Found::Action(Action::Mark));
        assert_eq!(pressed(&keymap, ScreenId::Browser, "F8"), Found::Action(Action::Do("deleted")));
        assert_eq!(pressed(&keymap, ScreenId::Log, "m"), Found::Nothing);
        // What is not named is as it was.
        assert_eq!(pressed(&keymap, ScreenId::Browser, "q"), Found::Action(Action::Leave));
        assert!(!keymap.leaves(ScreenId::Log, "C-f") && keymap.leaves(ScreenId::Log, "m"));
        assert_eq!(keymap.own(ScreenId::Browser)[0].about, "mark it");
    }

    #[test]
    fn what_cannot_be_is_told() {
        let entry = |part: &str, on: &str, run: &str| format!("[[{part}]]\non = \"{on}\"\nrun = \"{run}\"\n");
        for (text, why) in [
            (entry("global", "Esc", "find"), "leads out of everything"),
            (entry("global", "C-c", "find"), "leads out of everything"),
            (entry("global", "Hyper", "find"), "is no key"),
            (entry("global", "m", "finf"), "perhaps find"),
            (entry("log", "m", "deleted"), "no action"),
            (entry("attic", "m", "find"), "no screen attic"),
            (entry("files", "m", "find").repeat(2), "stands twice"),
            ("[global]\non = \"m\"".to_owned(), "is no list"),
            ("[[global]]\nrun = \"find\"".to_owned(), "has no `on`"),
            ("[[global]]\non = 5\nrun = \"find\"".to_owned(), "on is no text"),
            ("[[global]]\non = \"m\"\nrun = \"find\"\nhow = \"x\"".to_owned(), "how is not known"),
            ("[[global".to_owned(), ""),
        ] {
            let said = Keymap::parse(&text).unwrap_err();
            assert!(said.contains(why), "{said}");
        }
    }

    #[test]
    fn every_action_has_a_name_of_its_own() {
        for screen in ScreenId::ALL {
            for binding in ours(Some(screen)) {
                let same = ours(Some(screen)).filter(|other| name(other.action) == name(binding.action));
                assert!(same.into_iter().all(|other| other.action == binding.action), "{:?}", binding.action);
            }
        }
    }
}
