//! The words of the shell: where one is, here and there, and what one has in hand. Everything else is a verb.

use std::ffi::{OsStr, OsString};
use std::io::Write;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::Path;
use std::process::{Command, Stdio};

use serde::Serialize;
use store::tree::Kind;

use super::session::{MARKS_MAX, Session};
use crate::cli::json::PathText;
use crate::cli::table::{Side, Table};
use crate::cli::{Desk, Face};
use crate::command::VERBS;
use crate::complete::Takes;
use crate::engine::job::{DumpJob, ListJob};
use crate::fault::{Code, Exit, Fault, Result};
use crate::name::{for_terminal, harmless};
use crate::world::{absolute, absolute_plain};

/// One word.
pub struct Builtin {
    /// The word.
    pub name: &'static str,
    /// Another that means the same.
    pub other_name: Option<&'static str>,
    /// What follows it.
    pub usage: &'static str,
    /// What it does, in one line.
    pub about: &'static str,
    /// What its arguments are; the last goes for all that follow.
    pub takes: &'static [Takes],
    /// Does it.
    pub run: fn(&mut Session, &[OsString]) -> Result<Exit>,
}

macro_rules! builtins {
    ($($name:literal $(or $other:literal)?, $usage:literal, $about:literal, [$($takes:ident)*], $run:expr;)*) => {
        /// All of them, in the order of the help.
        pub static BUILTINS: &[Builtin] = &[$(Builtin {
            name: $name,
            other_name: builtins!(@other $($other)?),
            usage: $usage,
            about: $about,
            takes: &[$(Takes::$takes),*],
            run: $run,
        },)*];
    };
    (@other) => { None };
    (@other $other:literal) => { Some($other) };
}

builtins! {
    "cd", "[DIR|-]", "Go to a directory of the version; without one, to its top", [RemoteDir], cd;
    "pwd", "", "Show where one is in the version", [], pwd;
    "at", "[WHEN|now]", "Look at the version of a time for as long as it is not said otherwise", [Version], at;
    "lcd", "[DIR]", "Go to a directory of this machine", [LocalDir], lcd;
    "lpwd", "", "Show where one is on this machine", [], lpwd;
    "lls", "[DIR]", "List a directory of this machine", [LocalDir], lls;
    "get", "PATH [LOCAL]", "Fetch a file or directory to this machine", [Remote Local], get;
    "cat", "PATH…", "Show files", [Remote], cat;
    "less", "PATH…", "Show files in the pager", [Remote], less;
    "mark", "PATH…", "Mark paths; `@marks` stands for all of them, as in: restore @marks --to DIR", [Remote], mark;
    "unmark", "[PATH…]", "Take marks away; without a path, all", [Remote], unmark;
    "marks", "", "Show what is marked", [], marks;
    "use", "ACCOUNT", "Go over to another account of this vault", [Account], use_account;
    "jobs", "", "Show what runs beside the prompt (a command that ends with & does)", [], jobs;
    "cancel", "NUMBER", "End something that runs beside the prompt", [], cancel;
    "help", "[WORD]", "Show the words and verbs, or what one of them does", [Verb], help;
    "exit" or "quit", "", "Leave", [], exit;
}

fn usage(name: &str) -> Fault {
    let usage = BUILTINS.iter().find(|word| word.name == name).map_or("", |word| word.usage);
    Fault::new(Code::Usage, format!("`{name}` is used so: {name} {usage}")).hint(format!("see `help {name}`"))
}

fn at_most<'a>(args: &'a [OsString], name: &str, most: usize) -> Result<Option<&'a OsString>> {
    if args.len() > most { Err(usage(name)) } else { Ok(args.first()) }
}

#[derive(Serialize)]
struct ViewRecord {
    #[serde(flatten)]
    path: PathText,
    #[serde(skip_serializing_if = "Option::is_none")]
    at: Option<String>,
    local: String,
}

/// Tells programs where one looks.
pub fn tell_view(session: &Session) -> Result<Exit> {
    let view = &session.inside.view;
    let record = ViewRecord {
        path: PathText::from(view.dir.as_deref().unwrap_or(b"/")),
        at: view.at.clone(),
        local: for_terminal(session.world.working.as_os_str().as_bytes()),
    };
    session.face().row("view", &record).map(|()| Exit::Ok)
}

/// A path in the version, absolute.
fn remote(session: &Session, path: &OsStr) -> Vec<u8> {
    let dir = session.inside.view.dir.as_deref().unwrap_or(b"/");
    absolute_plain(Path::new(OsStr::from_bytes(dir)), path)
}

/// What stands at a path or pattern of the view, each with its kind.
fn look(desk: &Desk<'_>, paths: Vec<Vec<u8>>) -> Result<Vec<(Vec<u8>, Kind)>> {
    let at = desk.at_view()?;
    let mut found = Vec::new();
    let job = ListJob { at, paths, directory: true, ..ListJob::default() };
    desk.engine().list(&desk.run()?, job, &mut |row| {
        if found.len() >= MARKS_MAX {
            return Err(Fault::new(Code::Usage, "more names than can be taken at a time").hint("name fewer"));
        }
        found.push((row.path, row.kind));
        Ok(())
    })?;
    Ok(found)
}

/// A failure that was told already, as its exit.
fn told(status: u8) -> Result<Exit> {
    Ok(Exit::of(status).unwrap_or(Exit::Failed))
}

fn cd(session: &mut Session, args: &[OsString]) -> Result<Exit> {
    let to = match at_most(args, "cd", 1)?.map(|arg| arg.as_bytes()) {
        None => b"/".to_vec(),
        Some(b"-") => session.before.clone().unwrap_or_else(|| b"/".to_vec()),
        Some(path) => remote(session, OsStr::from_bytes(path)),
    };
    if to != b"/" {
        let asked = to.clone();
        let found = match session.ask(move |desk| look(desk, vec![asked])) {
            Ok(found) => found.unwrap_or_default(),
            Err(status) => return told(status),
        };
        match found.as_slice() {
            [(path, Kind::Dir)] => go(session, path.clone()),
            [(path, _)] => {
                return Err(Fault::new(Code::PathNone, format!("{} is no directory", for_terminal(path))));
            }
            _ => {
                let name = for_terminal(&to);
                return Err(Fault::new(Code::Usage, format!("{name} means several")).hint("name one"));
            }
        }
    } else {
        go(session, to);
    }
    tell_view(session)
}

fn go(session: &mut Session, to: Vec<u8>) {
    session.before = session.inside.view.dir.replace(to.clone());
    if let Some(live) = &session.live {
        // So that the first Tab there answers at once.
        live.browser.prefetch(&session.inside, &to);
    }
}

fn pwd(session: &mut Session, args: &[OsString]) -> Result<Exit> {
    at_most(args, "pwd", 0)?;
    let dir = session.inside.view.dir.clone().unwrap_or_else(|| b"/".to_vec());
    if !session.face().is_json() {
        session.face().line(&for_terminal(&dir))?;
    }
    tell_view(session)
}

fn at(session: &mut Session, args: &[OsString]) -> Result<Exit> {
    let words: Vec<&str> = args.iter().map(|arg| arg.to_str().unwrap_or_default()).collect();
    let text = words.join(" ");
    if matches!(text.as_str(), "" | "now" | "latest") {
        session.inside.view.at = None;
        session.face().say("Looking at the newest version.")?;
        return tell_view(session);
    }
    let wanted = text.clone();
    // Looked up at once: a time before all versions is told here and not by the next verb.
    let found = session.ask(move |desk| {
        let understood = desk.version(&wanted)?;
        let run = desk.run_at(Some(understood.sentence))?;
        desk.engine().list(&run, ListJob { at: understood.at, directory: true, ..ListJob::default() }, &mut |_| Ok(()))
    });
    if let Err(status) = found {
        return told(status);
    }
    session.inside.view.at = Some(text);
    tell_view(session)
}

fn lcd(session: &mut Session, args: &[OsString]) -> Result<Exit> {
    let home = session.world.home.clone();
    let to = match at_most(args, "lcd", 1)? {
        Some(path) => session.world.working.join(path),
        None => home.ok_or_else(|| Fault::new(Code::PathNone, "there is no home directory"))?,
    };
    let failed = |why: &dyn std::fmt::Display| {
        Fault::new(Code::PathNone, format!("cannot go to {}", for_terminal(to.as_os_str().as_bytes()))).because(why)
    };
    let real = to.canonicalize().map_err(|error| failed(&error))?;
    if !real.is_dir() {
        return Err(failed(&"it is no directory"));
    }
    session.world.working = real;
    tell_view(session)
}

fn lpwd(session: &mut Session, args: &[OsString]) -> Result<Exit> {
    at_most(args, "lpwd", 0)?;
    if !session.face().is_json() {
        session.face().line(&for_terminal(session.world.working.as_os_str().as_bytes()))?;
    }
    tell_view(session)
}

#[derive(Serialize)]
struct LocalRecord {
    #[serde(flatten)]
    path: PathText,
    kind: &'static str,
    bytes: u64,
}

fn lls(session: &mut Session, args: &[OsString]) -> Result<Exit> {
    let dir = absolute(&session.world.working, at_most(args, "lls", 1)?.map_or(OsStr::new("."), OsString::as_os_str));
    let failed = |error: std::io::Error| {
        Fault::new(Code::PathNone, format!("cannot list {}", for_terminal(&dir))).because(error)
    };
    let mut rows = Vec::new();
    for entry in std::fs::read_dir(Path::new(OsStr::from_bytes(&dir))).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        rows.push((entry.file_name(), entry.metadata().map_err(failed)?));
    }
    rows.sort_by(|a, b| a.0.cmp(&b.0));
    let face = session.face();
    for (name, meta) in rows {
        let kind = if meta.is_dir() {
            "dir"
        } else if meta.is_symlink() {
            "symlink"
        } else if meta.is_file() {
            "file"
        } else {
            "special"
        };
        let slash = if meta.is_dir() { "/" } else { "" };
        if face.is_json() {
            let bytes = if meta.is_file() { meta.len() } else { 0 };
            face.row("local", &LocalRecord { path: PathText::from(name.as_bytes()), kind, bytes })?;
        } else {
            face.line(&format!("{}{slash}", for_terminal(name.as_bytes())))?;
        }
    }
    Ok(Exit::Ok)
}

/// A directory there is restored into the one here; a single file may get another name.
fn get(session: &mut Session, args: &[OsString]) -> Result<Exit> {
    let (path, to) = match args {
        [path] => (path, None),
        [path, to] => (path, Some(to)),
        _ => return Err(usage("get")),
    };
    // As elsewhere this is standard output, and no file of that name; for one there is `./-`.
    if to.is_some_and(|to| to == "-") {
        return cat(session, std::slice::from_ref(path));
    }
    let working = session.world.working.clone();
    let to = to.map_or(working.clone(), |to| working.join(to));
    let (to, full) = (to.into_os_string(), OsString::from_vec(remote(session, path)));
    let words: Vec<OsString> = if to.as_bytes().ends_with(b"/") || Path::new(&to).is_dir() {
        vec!["restore".into(), "--to".into(), to, "--".into(), full]
    } else {
        vec!["dump".into(), "-o".into(), to, "--".into(), full]
    };
    told(session.verb(words))
}

/// What one of several files holds, piece by piece.
type Show<'s> = dyn FnMut(&[u8]) -> std::io::Result<()> + 's;

struct Shown<'s>(&'s mut Show<'s>);

impl Write for Shown<'_> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        (self.0)(bytes).map(|()| bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn dump(desk: &Desk<'_>, paths: Vec<Vec<u8>>, show: &mut Show<'_>) -> Result<()> {
    for (path, kind) in look(desk, paths)? {
        if kind == Kind::Dir {
            return Err(Fault::new(Code::PathNone, format!("{} is a directory", for_terminal(&path)))
                .hint("look into it with `ls`, or fetch it with `get`"));
        }
        let job = DumpJob { at: desk.at_view()?, path, ..DumpJob::default() };
        desk.engine().dump(&desk.run()?, job, &mut Shown(&mut *show))?;
    }
    Ok(())
}

#[derive(Serialize)]
struct ContentRecord {
    data_b64: String,
}

fn cat(session: &mut Session, args: &[OsString]) -> Result<Exit> {
    if args.is_empty() {
        return Err(usage("cat"));
    }
    let paths = args.iter().map(|path| remote(session, path)).collect();
    // A terminal gets nothing that it would obey.
    let tame = session.world.terminal.stdout;
    let shown = session.ask(move |desk| {
        let mut tamer = Tamer::default();
        let out = &desk.world.stdout;
        dump(desk, paths, &mut |bytes| {
            let written = match &desk.face {
                Face::Json(_) => {
                    let data_b64 = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, bytes);
                    desk.face.row("content", &ContentRecord { data_b64 })
                }
                Face::Plain(_) if tame => out.write(tamer.tame(bytes).as_bytes()),
                Face::Plain(_) => out.write(bytes),
            };
            written.map_err(std::io::Error::other)
        })?;
        if tame && !desk.face.is_json() {
            out.write(tamer.end().as_bytes())?;
        }
        out.flush()
    });
    shown.map_or_else(told, |_| Ok(Exit::Ok))
}

/// Makes pieces of a file harmless; characters cut between two pieces stay whole, and the last line ends.
#[derive(Default)]
struct Tamer {
    cut: Vec<u8>,
    within: bool,
}

impl Tamer {
    fn tame(&mut self, bytes: &[u8]) -> String {
        let all = [std::mem::take(&mut self.cut).as_slice(), bytes].concat();
        let whole = match std::str::from_utf8(&all) {
            Err(error) if error.error_len().is_none() => error.valid_up_to(),
            _ => all.len(),
        };
        let (now, later) = all.split_at(whole);
        self.cut = later.to_vec();
        let mut out = String::new();
        for line in now.split_inclusive(|byte| *byte == b'\n') {
            let (text, end) = line.strip_suffix(b"\n").map_or((line, ""), |line| (line, "\n"));
            // Tabs of a text are harmless.
            let cells: Vec<String> =
                text.split(|byte| *byte == b'\t').map(|cell| harmless(&String::from_utf8_lossy(cell))).collect();
            out.push_str(&cells.join("\t"));
            out.push_str(end);
            self.within = end.is_empty();
        }
        out
    }

    fn end(&mut self) -> String {
        let rest = harmless(&String::from_utf8_lossy(&std::mem::take(&mut self.cut)));
        if self.within || !rest.is_empty() { format!("{rest}\n") } else { String::new() }
    }
}

fn less(session: &mut Session, args: &[OsString]) -> Result<Exit> {
    if args.is_empty() {
        return Err(usage("less"));
    }
    if session.live.is_none() || !session.world.terminal.stdout {
        return cat(session, args);
    }
    let pager = session.world.env.text("PAGER")?.unwrap_or_else(|| "less".to_owned());
    let failed = |error: std::io::Error| Fault::new(Code::System, "cannot run the pager").because(error);
    let mut child = Command::new("sh").arg("-c").arg(&pager).stdin(Stdio::piped()).spawn().map_err(failed)?;
    let mut into = child.stdin.take();
    let paths = args.iter().map(|path| remote(session, path)).collect();
    let shown = session.ask(move |desk| {
        let mut tamer = Tamer::default();
        let done = dump(desk, paths, &mut |bytes| match &mut into {
            Some(into) => into.write_all(tamer.tame(bytes).as_bytes()),
            None => Ok(()),
        });
        if let Some(into) = &mut into {
            into.write_all(tamer.end().as_bytes()).unwrap_or_default();
        }
        drop(into);
        done
    });
    child.wait().map_err(failed)?;
    session.world.stop.take();
    // Who has seen enough closes the pager.
    shown.map_or(Ok(Exit::Ok), |_| Ok(Exit::Ok))
}

fn mark(session: &mut Session, args: &[OsString]) -> Result<Exit> {
    if args.is_empty() {
        return Err(usage("mark"));
    }
    let paths: Vec<_> = args.iter().map(|path| remote(session, path)).collect();
    let found = match session.ask(move |desk| look(desk, paths)) {
        Ok(found) => found.unwrap_or_default(),
        Err(status) => return told(status),
    };
    if session.marks.len() + found.len() > MARKS_MAX {
        return Err(Fault::new(Code::Usage, "more marks than there is room for").hint("mark the directory"));
    }
    session.marks.extend(found.into_iter().map(|(path, _)| path));
    let marked = crate::units::counted(session.marks.len() as u64, "path is", "paths are");
    session.face().say(&format!("{marked} marked."))?;
    Ok(Exit::Ok)
}

fn unmark(session: &mut Session, args: &[OsString]) -> Result<Exit> {
    if args.is_empty() {
        session.marks.clear();
    }
    for path in args.iter().map(|path| remote(session, path)).collect::<Vec<_>>() {
        if !session.marks.remove(&path) {
            return Err(
                Fault::new(Code::PathNone, format!("{} is not marked", for_terminal(&path))).hint("see `marks`")
            );
        }
    }
    Ok(Exit::Ok)
}

fn marks(session: &mut Session, args: &[OsString]) -> Result<Exit> {
    at_most(args, "marks", 0)?;
    let face = session.face();
    for path in &session.marks {
        match face.is_json() {
            true => face.row("mark", &PathText::from(path.as_slice()))?,
            false => face.line(&for_terminal(path))?,
        }
    }
    Ok(Exit::Ok)
}

fn use_account(session: &mut Session, args: &[OsString]) -> Result<Exit> {
    let [account] = args else { return Err(usage("use")) };
    let account = account.to_str().ok_or_else(|| usage("use"))?;
    session.inside.outer.account = Some(account.to_owned());
    session.inside.view = crate::cli::inside::View { dir: Some(b"/".to_vec()), at: None };
    session.inside.kept = std::sync::Arc::default();
    session.marks.clear();
    let found = session.ask(|desk| desk.engine().versions(&desk.run()?, crate::engine::job::VersionsJob::default()));
    match found {
        Ok(rows) => {
            let versions = crate::units::counted(rows.map_or(0, |rows| rows.len()) as u64, "version", "versions");
            session.face().say(&format!("Using {}, {versions}.", crate::name::harmless_line(account)))?;
            Ok(Exit::Ok)
        }
        Err(status) => told(status),
    }
}

fn jobs(session: &mut Session, args: &[OsString]) -> Result<Exit> {
    at_most(args, "jobs", 0)?;
    let face = session.face();
    match session.live.as_mut().map(|live| live.jobs.rows()).filter(|rows| !rows.is_empty()) {
        Some(rows) => rows.iter().try_for_each(|row| face.line(row))?,
        None => face.say("Nothing runs beside the prompt.")?,
    }
    Ok(Exit::Ok)
}

fn cancel(session: &mut Session, args: &[OsString]) -> Result<Exit> {
    let number = match args {
        [number] => number.to_str().and_then(|text| text.trim_start_matches('%').parse().ok()),
        _ => None,
    };
    let number: usize = number.ok_or_else(|| usage("cancel"))?;
    match session.live.as_mut().is_some_and(|live| live.jobs.cancel(number)) {
        true => Ok(Exit::Ok),
        false => Err(Fault::new(Code::Usage, format!("there is no job {number}")).hint("see `jobs`")),
    }
}

fn help(session: &mut Session, args: &[OsString]) -> Result<Exit> {
    let Some(word) = at_most(args, "help", 2)? else { return help_all(session) };
    if let Some(word) = BUILTINS.iter().find(|known| OsStr::new(known.name) == word) {
        session.face().text(&format!("{} {}\n    {}\n", word.name, word.usage, word.about))?;
        return Ok(Exit::Ok);
    }
    let words = std::iter::once(OsString::from("help")).chain(args.iter().cloned()).collect();
    told(session.verb(words))
}

fn help_all(session: &Session) -> Result<Exit> {
    let mut table = Table::new(&[("WORDS OF THE SHELL", Side::Left), ("", Side::Left)]);
    BUILTINS.iter().for_each(|word| table.row(vec![format!("{} {}", word.name, word.usage), word.about.to_owned()]));
    table.row(vec!["!COMMAND".to_owned(), "Run a command of this machine".to_owned()]);
    let mut text = table.lines().join("\n");
    let mut table = Table::new(&[("VERBS", Side::Left), ("", Side::Left)]);
    let inside = |name: &str| !name.starts_with('_') && !crate::cli::inside::OUTSIDE.contains(&name);
    VERBS
        .iter()
        .filter(|verb| inside(verb.name))
        .for_each(|verb| table.row(vec![verb.name.to_owned(), verb.about.to_owned()]));
    text.push_str(&format!("\n\n{}\n\n", table.lines().join("\n")));
    text.push_str(
        "Paths may hold *, ?, [..] and **. Several commands stand apart by ;. `help WORD` tells more. A verb sees the\n\
         version of `at` and begins at the directory of `cd`, if its options do not say otherwise.\n",
    );
    session.face().text(&text)?;
    Ok(Exit::Ok)
}

fn exit(session: &mut Session, args: &[OsString]) -> Result<Exit> {
    at_most(args, "exit", 0)?;
    if let Some(live) = &mut session.live
        && let Some(warning) = live.jobs.before_leaving()
    {
        session.face().say(&warning)?;
        return Ok(Exit::Ok);
    }
    session.leaves = true;
    Ok(Exit::Ok)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_would_obey_is_shown() {
        let mut tamer = Tamer::default();
        let text: String =
            [&b"a\tb\x1b[2J\nc\xc3"[..], b"\xbc d", b"\xff"].iter().map(|piece| tamer.tame(piece)).collect();
        assert_eq!(text + &tamer.end(), "a\tb\\x1b[2J\ncü d\u{fffd}\n");
        let mut tamer = Tamer::default();
        assert_eq!(tamer.tame(b"x\n") + &tamer.end(), "x\n");
    }

    #[test]
    fn no_word_hides_a_verb() {
        for word in BUILTINS {
            assert!(VERBS.iter().all(|verb| verb.name != word.name), "{}", word.name);
            assert!(!word.about.ends_with('.') && !word.about.is_empty());
        }
    }
}
