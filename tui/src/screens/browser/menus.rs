//! What can be done with what is under the cursor or marked, and what of it can be copied.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;

use agent::engine::job::TakeJob;
use agent::engine::restore::several;
use agent::name::for_terminal;
use agent::shell::words::{Quote, quote};

use super::{State, as_at, at_of, said};
use crate::console::effect::{Effect, Effects};
use crate::console::overlay::Overlay;
use crate::console::plan::Step;
use crate::console::shared::Shared;
use crate::widgets::menu::{Item, Menu};

/// Most paths of a step of a plan: they stand in a command line.
const PATHS_MAX: usize = 1_000;

/// Opens the menu of actions.
pub fn actions(state: &State, shared: &Shared, out: &mut Effects) {
    let chosen = state.chosen();
    let subject = state.subject();
    let mut items = Vec::new();
    let deleted = subject.as_ref().is_some_and(|subject| subject.row.gone.is_some());
    match &subject {
        Some(subject) => {
            let path = subject.path.clone();
            let at = at_of(&subject.version, shared);
            items.push(Item::new('o', "go to where it is", vec![Effect::Browse { at, path }]));
        }
        None => items.push(Item::not_now("go to where it is", "nothing is under the cursor")),
    }
    match as_at::current(shared) {
        Some(row) => {
            let from = format!("id:{}", row.id);
            items.push(Item::new('D', "what differs from now", vec![Effect::Diff { from, to: "latest".into() }]));
        }
        None => items.push(Item::not_now("what differs from now", "no version is known")),
    }
    let paths: Vec<OsString> = chosen.iter().map(|mark| OsString::from_vec(mark.path.clone())).collect();
    let words = |verb: &str, more: &[&str]| {
        let mut words: Vec<OsString> = vec![verb.into()];
        words.extend(more.iter().map(OsString::from));
        words.push("--".into());
        words.extend(paths.iter().cloned());
        words
    };
    let plan = |about: String, words: Vec<OsString>| vec![Effect::Plan(Step::tried_first(about, words))];
    let many = paths.len() > PATHS_MAX;
    if paths.is_empty() || many {
        let why = if many { "too many are marked: mark the directory" } else { "nothing is marked" };
        items.push(Item::not_now("bring back what was deleted, in the vault...", why));
        items.push(Item::not_now("delete from the newest version on...", why));
    } else {
        let about = format!("bring back {}", said(&chosen));
        if deleted || chosen.len() > 1 {
            let effects = plan(about, words("undelete", &["--in-vault"]));
            items.push(Item::new('b', "bring back what was deleted, in the vault...", effects));
        } else {
            items.push(Item::not_now("bring back what was deleted, in the vault...", "it is not deleted"));
        }
        let about = format!("leave {} out of the newest version; older ones keep it", said(&chosen));
        items.push(Item::new('d', "delete from the newest version on...", plan(about, words("delete", &[]))));
    }
    items.push(match as_at::current(shared) {
        Some(row) if shared.at.is_some() => {
            let about = format!("everything as it was at {}", shared.moment(row.received_at_ms, "%Y-%m-%d %H:%M"));
            let words = vec!["rollback".into(), "--to".into(), format!("id:{}", row.id).into()];
            Item::new('R', "make this version the newest one...", plan(about, words))
        }
        _ => Item::not_now("make this version the newest one...", "it is the newest one"),
    });
    items.push(Item::new('p', "the plan: review what was gathered", vec![Effect::Review]));
    out.open(Overlay::Menu(Menu::new("Actions", items)));
}

/// Opens the menu of what can be copied.
pub fn copies(state: &State, shared: &Shared, out: &mut Effects) {
    let mut items = Vec::new();
    match state.subject() {
        Some(subject) => {
            let path = quote(&subject.path, Quote::Bare, true);
            items.push(Item::new('p', format!("path: {}", for_terminal(&subject.path)), vec![Effect::Copy(path)]));
            let name = quote(&subject.row.name, Quote::Bare, true);
            items.push(Item::new('n', format!("name: {}", for_terminal(&subject.row.name)), vec![Effect::Copy(name)]));
            let id = subject.version.id.clone();
            items.push(Item::new('i', format!("version: {}", id.get(..12).unwrap_or(&id)), vec![Effect::Copy(id)]));
        }
        None => items.push(Item::not_now("path", "nothing is under the cursor")),
    }
    let ls = state.dir.as_ref().map(|dir| {
        let at = shared
            .at
            .as_deref()
            .map_or(String::new(), |at| format!(" --at {}", quote(at.as_bytes(), Quote::Bare, true)));
        format!("tuckbox ls{at} {}", quote(dir, Quote::Bare, true))
    });
    if let Some(ls) = ls {
        items.push(Item::new('l', format!("command: {ls}"), vec![Effect::Copy(ls)]));
    }
    let takes = state.chosen().takes(|ms| shared.moment(ms, "%Y-%m-%d_%H%M%S"));
    let job = TakeJob { takes, to: Some(shared.working.join("restored")), ..TakeJob::default() };
    let lines: Vec<String> = several::words(&job).iter().map(|words| line(words)).collect();
    if let Some(first) = lines.first() {
        let more = if lines.len() > 1 { " ..." } else { "" };
        items.push(Item::new('c', format!("command: {first}{more}"), vec![Effect::Copy(lines.join("\n"))]));
    }
    out.open(Overlay::Menu(Menu::new("Copy", items)));
}

/// A command line that can be typed.
#[must_use]
pub fn line(words: &[OsString]) -> String {
    let words = words.iter().map(|word| quote(word.as_encoded_bytes(), Quote::Bare, true));
    std::iter::once("tuckbox".to_owned()).chain(words).collect::<Vec<_>>().join(" ")
}
