//! What there is to choose from at a place.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::Arc;

use super::Takes;
use super::spot::{Spot, Wants};
use crate::cli::inside::View;
use crate::command::VERBS;
use crate::config::keys;
use crate::engine::job::VersionRow;
use crate::fault::Code;
use crate::name::for_terminal;
use crate::shell::words::{Quote, quote};
use crate::world::absolute_plain;

/// Most candidates that are offered.
const OFFERED_MAX: usize = 2_000;

/// One name in a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name {
    /// The name.
    pub bytes: Vec<u8>,
    /// It is a directory.
    pub dir: bool,
}

/// Knows what is in versions. `None` = not known yet, or not to be had now.
pub trait Knows {
    /// Names in a directory of a version.
    fn names(&self, at: Option<&str>, dir: &[u8]) -> Option<Arc<Vec<Name>>>;
    /// The versions, oldest first.
    fn versions(&self) -> Option<Arc<Vec<VersionRow>>>;
    /// Accounts that this machine has keys of.
    fn accounts(&self) -> Vec<String>;
    /// Accounts of the vault, as far as who asks may see them.
    fn all_accounts(&self) -> Option<Arc<Vec<String>>> {
        None
    }
    /// Groups of the vault, likewise.
    fn groups(&self) -> Option<Arc<Vec<String>>> {
        None
    }
}

/// Where one is on this machine, and where in the vault.
pub struct Place<'p> {
    /// Where in the vault.
    pub view: &'p View,
    /// The working directory.
    pub working: &'p Path,
    /// The home directory.
    pub home: Option<&'p Path>,
    /// How moments are written.
    pub zone: &'p jiff::tz::TimeZone,
}

/// Something to choose.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    /// What it means.
    pub value: Vec<u8>,
    /// What the whole word becomes.
    pub text: String,
    /// How it is shown in a list.
    pub shown: String,
    /// What it is.
    pub about: String,
    /// A blank may follow; otherwise it may be typed on.
    pub finished: bool,
}

/// What may stand at a spot and begins as the word does; when nothing does, what does but for upper and lower case.
#[must_use]
pub fn offer(spot: &Spot, place: &Place<'_>, words: &[(String, String)], knows: &dyn Knows) -> Vec<Choice> {
    let plain = |words: &[(String, String)]| words.iter().map(|(word, about)| word_choice(spot, word, about)).collect();
    let all: Vec<Choice> = match &spot.wants {
        Wants::First => {
            let verbs = VERBS.iter().filter(|verb| !verb.name.starts_with('_'));
            let verbs = verbs.map(|verb| word_choice(spot, verb.name, verb.about));
            verbs.chain(words.iter().map(|(word, about)| word_choice(spot, word, about))).collect()
        }
        Wants::Below(words) | Wants::Option(words) | Wants::Value(Takes::Words(words)) => plain(words),
        Wants::Value(Takes::Remote) => paths(spot, place, knows, false),
        Wants::Value(Takes::RemoteDir) => paths(spot, place, knows, true),
        Wants::Value(Takes::Local) => local(spot, place, false),
        Wants::Value(Takes::LocalDir) => local(spot, place, true),
        Wants::Value(Takes::Version) => versions(spot, place, knows),
        Wants::Value(Takes::Account) => knows.accounts().iter().map(|account| word_choice(spot, account, "")).collect(),
        Wants::Value(Takes::AnyAccount) => {
            // Who may not see all has at least its own.
            let all = knows.all_accounts().unwrap_or_else(|| Arc::new(knows.accounts()));
            all.iter().map(|account| word_choice(spot, account, "")).collect()
        }
        Wants::Value(Takes::Group) => {
            knows.groups().unwrap_or_default().iter().map(|group| word_choice(spot, group, "")).collect()
        }
        Wants::Value(Takes::Code) => Code::ALL.iter().map(|code| word_choice(spot, code.name(), "")).collect(),
        Wants::Value(Takes::Setting) => {
            keys::ALL.iter().map(|key| word_choice(spot, &crate::config::template::path_of(key), "")).collect()
        }
        Wants::Value(Takes::Verb) => {
            let verbs = VERBS.iter().map(|verb| word_choice(spot, verb.name, verb.about));
            verbs.chain(words.iter().map(|(word, about)| word_choice(spot, word, about))).collect()
        }
        Wants::Value(Takes::Nothing) => Vec::new(),
    };
    let exact = |choice: &&Choice| choice.value.starts_with(&spot.value);
    let loose = |choice: &&Choice| {
        let (a, b) = (String::from_utf8_lossy(&choice.value), String::from_utf8_lossy(&spot.value));
        a.to_lowercase().starts_with(&b.to_lowercase())
    };
    let mut found: Vec<Choice> = all.iter().filter(exact).cloned().collect();
    if found.is_empty() {
        found = all.iter().filter(loose).cloned().collect();
    }
    found.truncate(OFFERED_MAX);
    found
}

fn word_choice(spot: &Spot, word: &str, about: &str) -> Choice {
    let text = format!("{}{}", spot.before, quote(word.as_bytes(), spot.word.open, true));
    Choice { value: word.into(), text, shown: word.to_owned(), about: about.to_owned(), finished: true }
}

/// The typed part of a path up to its last slash, and the directory that it means.
fn split(value: &[u8]) -> (&[u8], &[u8]) {
    let cut = value.iter().rposition(|byte| *byte == b'/').map_or(0, |at| at + 1);
    value.split_at(cut)
}

/// The typed part with `~` in front made whole.
fn home_made(spot: &Spot, place: &Place<'_>, typed: &[u8]) -> Vec<u8> {
    match (place.home.filter(|_| spot.word.tilde), typed.strip_prefix(b"~")) {
        (Some(home), Some(rest)) => [home.as_os_str().as_bytes(), rest].concat(),
        _ => typed.to_vec(),
    }
}

fn path_choice(spot: &Spot, typed: &[u8], name: &[u8], dir: bool) -> Choice {
    let value = [typed, name, if dir { b"/" } else { b"" }].concat();
    // The ~ in front stays as it is, or it would mean itself.
    let kept = if spot.word.tilde && value.starts_with(b"~/") { 2 } else { 0 };
    let (tilde, rest) = value.split_at(kept);
    let style = if kept > 0 { Quote::Bare } else { spot.word.open };
    let mut text = format!("{}{}{}", spot.before, String::from_utf8_lossy(tilde), quote(rest, style, !dir));
    if spot.before.is_empty() && text.starts_with('-') {
        text.insert_str(0, "./");
    }
    let shown = format!("{}{}", for_terminal(name), if dir { "/" } else { "" });
    Choice { value, text, shown, about: String::new(), finished: !dir }
}

fn paths(spot: &Spot, place: &Place<'_>, knows: &dyn Knows, dirs: bool) -> Vec<Choice> {
    let (typed, _) = split(&spot.value);
    let base = place.view.dir.as_deref().map_or(place.working, |dir| Path::new(OsStr::from_bytes(dir)));
    let dir = absolute_plain(base, OsStr::from_bytes(&home_made(spot, place, typed)));
    let at = spot.at.as_deref().or(place.view.at.as_deref());
    let Some(names) = knows.names(at, &dir) else { return Vec::new() };
    let fit = names.iter().filter(|name| name.dir || !dirs);
    fit.map(|name| path_choice(spot, typed, &name.bytes, name.dir)).collect()
}

fn local(spot: &Spot, place: &Place<'_>, dirs: bool) -> Vec<Choice> {
    let (typed, begun) = split(&spot.value);
    let dir = absolute_plain(place.working, OsStr::from_bytes(&home_made(spot, place, typed)));
    let listed = std::fs::read_dir(Path::new(OsStr::from_bytes(&dir))).into_iter().flatten().flatten();
    let mut names: Vec<(Vec<u8>, bool)> = listed
        .take(OFFERED_MAX * 10)
        .map(|entry| (entry.file_name().as_bytes().to_vec(), entry.path().is_dir()))
        .filter(|(name, dir)| (*dir || !dirs) && (begun.starts_with(b".") || !name.starts_with(b".")))
        .collect();
    names.sort_unstable();
    names.into_iter().map(|(name, dir)| path_choice(spot, typed, &name, dir)).collect()
}

/// Words for times that always mean something.
const TIMES: &[(&str, &str)] = &[
    ("latest", "the newest version"),
    ("previous", "the one before it"),
    ("latest~2", "the second before it"),
    ("today", "the last of today"),
    ("yesterday", "the last of yesterday"),
    ("1 hour ago", "as it was then"),
    ("2 days ago", "as it was then"),
    ("1 week ago", "as it was then"),
];

fn versions(spot: &Spot, place: &Place<'_>, knows: &dyn Knows) -> Vec<Choice> {
    let mut choices: Vec<Choice> = TIMES.iter().map(|(word, about)| word_choice(spot, word, about)).collect();
    let rows = knows.versions().unwrap_or_default();
    for row in rows.iter().rev() {
        let received = crate::time::show(row.received_at_ms, place.zone);
        let about = format!("{received}, {} files", crate::units::count(row.files));
        let id = row.id.get(..8).unwrap_or(&row.id);
        let mut choice = word_choice(spot, id, &about);
        choice.shown = format!("{id}  {received}");
        choices.push(choice);
    }
    choices
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::complete::spot::{Extra, spot};
    use crate::shell::words::parse;
    use proptest::prelude::*;

    struct Fixed(Vec<Name>);

    impl Knows for Fixed {
        fn names(&self, _: Option<&str>, dir: &[u8]) -> Option<Arc<Vec<Name>>> {
            (dir == b"/here/my dir").then(|| Arc::new(self.0.clone()))
        }

        fn versions(&self) -> Option<Arc<Vec<VersionRow>>> {
            let row = VersionRow { id: "3f9c02ab77".into(), files: 1204, ..VersionRow::default() };
            Some(Arc::new(vec![row]))
        }

        fn accounts(&self) -> Vec<String> {
            vec!["laptop-ana".into()]
        }

        fn all_accounts(&self) -> Option<Arc<Vec<String>>> {
            Some(Arc::new(vec!["laptop-ana".into(), "bob's".into()]))
        }

        fn groups(&self) -> Option<Arc<Vec<String>>> {
            Some(Arc::new(vec!["office".into()]))
        }
    }

    fn offered(line: &str, names: &[&[u8]]) -> Vec<Choice> {
        let mut top = crate::cli::command();
        top.build();
        let spot = spot(line, &top, &[Extra { name: "cd", takes: &[Takes::RemoteDir] }]);
        let view = View { dir: Some(b"/here".to_vec()), at: None };
        let zone = jiff::tz::TimeZone::UTC;
        let place = Place { view: &view, working: Path::new("/"), home: Some(Path::new("/here")), zone: &zone };
        let names = names.iter().map(|name| Name { bytes: name.to_vec(), dir: name.ends_with(b"dir") }).collect();
        offer(&spot, &place, &[("cd".into(), String::new())], &Fixed(names))
    }

    fn texts(line: &str, names: &[&[u8]]) -> Vec<String> {
        offered(line, names).into_iter().map(|choice| choice.text).collect()
    }

    #[test]
    fn what_begins_so_is_offered() {
        assert_eq!(texts("res", &[]), ["restore"]);
        assert_eq!(texts("c", &[]).iter().filter(|word| *word == "cd").count(), 1);
        assert_eq!(texts("ls my\\ dir/a", &[b"a b", b"abc", b"b"]), ["my\\ dir/a\\ b", "my\\ dir/abc"]);
        assert_eq!(texts("ls \"my dir/a", &[b"a b", b"a\"$"]), ["\"my dir/a b\"", "\"my dir/a\\\"\\$\""]);
        assert_eq!(texts("ls 'my dir/a", &[b"a b", b"a'"]), ["'my dir/a b'", "my\\ dir/a\\'"]);
        assert_eq!(texts("ls ~/my\\ dir/", &[b"a", b"subdir"]), ["~/my\\ dir/a", "~/my\\ dir/subdir/"]);
        assert_eq!(texts("cd my\\ dir/", &[b"a", b"subdir"]), ["my\\ dir/subdir/"]);
        assert_eq!(texts("ls my\\ dir/A", &[b"abc"]), ["my\\ dir/abc"]);
        assert_eq!(texts("ls --account l", &[]), ["laptop-ana"]);
        for verb in ["info", "log", "freeze", "authorize", "check", "dump"] {
            assert_eq!(texts(&format!("account {verb} "), &[]), ["laptop-ana", "bob\\'s"], "{verb}");
        }
        assert_eq!(texts("account rename laptop-ana ", &[]), [""; 0]);
        assert_eq!(texts("account create ", &[]), [""; 0]);
        assert_eq!(texts("group create ", &[]), [""; 0]);
        assert_eq!(texts("group set o", &[]), ["office"]);
        assert_eq!(texts("group add office b", &[]), ["bob\\'s"]);
        assert_eq!(texts("ls --at 3f", &[]), ["3f9c02ab"]);
        assert_eq!(texts("ls --at=2", &[]), ["--at=2\\ days\\ ago"]);
        assert_eq!(texts("explain source.b", &[]), ["source.busy"]);
    }

    proptest! {
        /// What is completed and run means the very bytes.
        #[test]
        fn a_completed_name_means_its_bytes(name in proptest::collection::vec(1_u8..=255, 1..20), style in 0_usize..4) {
            prop_assume!(!name.contains(&b'/') && name != b"." && name != b"..");
            let typed = ["ls my\\ dir/", "ls 'my dir/", "ls \"my dir/", "ls $'my dir/"][style];
            let choices = offered(typed, &[&name]);
            prop_assert_eq!(choices.len(), 1);
            let line = format!("ls {} x", choices[0].text);
            let words = parse(&line).unwrap().remove(0).words;
            if choices[0].finished {
                prop_assert_eq!(&words[1].bytes, &[b"my dir/", name.as_slice()].concat());
                prop_assert_eq!(words.len(), 3);
            }
        }
    }
}
