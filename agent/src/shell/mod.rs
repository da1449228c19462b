//! The query shell, and the batch: the verbs of the command line, one after the other, on one open connection.
//!
//! * [`words`]: a line, cut into words; [`session`]: what lives from one command to the next, and how a command is run
//! * [`builtin`]: the words of the shell (`cd`, `at`, `mark` …); everything else is a verb
//! * [`batch`]: `query`; [`run`]: `shell`, with [`edit`] (completion, hints, colours), [`prompt`], [`history`]
//! * [`browse`]: looks into versions ahead of the person; [`patient`]: waits for a verb; [`jobs`]: what runs beside the prompt

pub mod batch;
pub mod browse;
pub mod builtin;
pub mod edit;
pub mod history;
pub mod jobs;
pub mod patient;
pub mod prompt;
pub mod session;
pub mod words;

use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rustyline::error::ReadlineError;
use rustyline::history::FileHistory;
use rustyline::{ColorMode, CompletionType, EditMode, ExternalPrinter};

use browse::{Browser, Gate};
pub use browse::{accounts, all_accounts, groups};
pub use builtin::{BUILTINS as WORDS, Builtin};
use edit::{Editor, Now};
use jobs::{Above, Jobs};
use session::{Live, Session, unfinished};

use crate::cli::Desk;
use crate::cli::inside::{Inside, View};
use crate::engine::queue::lock;
use crate::engine::state::StateDir;
use crate::fault::{Code, Exit, Fault, Result};

/// So long the first prompt waits for the vault.
const FIRST_WAIT: Duration = Duration::from_secs(3);
/// So long after somebody was asked something.
const SECOND_WAIT: Duration = Duration::from_secs(2);
/// How soon an interrupt is noticed meanwhile.
const GLANCE: Duration = Duration::from_millis(50);

type Line = rustyline::Editor<Editor, FileHistory>;

/// What verbs have in common inside the command line of this desk, beginning at the top of a version.
#[must_use]
pub fn inside(desk: &Desk<'_>, at: Option<String>, colour: bool) -> Inside {
    Inside {
        outer: desk.settings.clone(),
        colour,
        view: View { dir: Some(b"/".to_vec()), at },
        kept: Arc::default(),
        stream: None,
        tell_ms: None,
        throttle: None,
        hears: None,
    }
}

/// Runs the shell until it is left. With `vi`, keys are those of vi.
pub fn run(desk: &Desk<'_>, mut inside: Inside, vi: bool) -> Result<Exit> {
    let world = desk.world.clone();
    if !world.terminal.stdin || !world.terminal.stdout {
        return Err(
            Fault::new(Code::Usage, "a shell needs a terminal").hint("for commands from elsewhere: tuckbox query -")
        );
    }
    // A relative address means the same after `lcd`.
    inside.outer.vault = Some(crate::engine::connect::address(&desk.run()?));
    crate::ask::remember_terminal();
    world.stop.set_outlives(true);
    let now = Arc::new(Mutex::new(Now { inside: inside.clone(), working: world.working.clone() }));
    let browser = Browser::start(&world)?;
    let mut line = editor(vi, inside.colour).map_err(|error| broken(&error))?;
    line.set_helper(Some(Editor::new(&world, browser.clone(), Arc::clone(&now))));
    let mut session = Session::new(world, inside);
    open(&session, &browser)?;
    let above = above(&mut line, &session)?;
    session.live = Some(Live { browser, jobs: Jobs::new(above) });
    let done = prompt_for_ever(&mut session, &mut line, &now);
    session.world.stop.set_outlives(false);
    if let Some(live) = session.live.take() {
        live.jobs.end();
    }
    done.map(|()| Exit::Ok)
}

fn editor(vi: bool, colour: bool) -> rustyline::Result<Line> {
    let config = rustyline::Config::builder()
        .max_history_size(history::LINES_MAX)?
        .history_ignore_dups(true)?
        .history_ignore_space(true)
        .completion_type(CompletionType::List)
        .completion_show_all_if_ambiguous(true)
        .edit_mode(if vi { EditMode::Vi } else { EditMode::Emacs })
        .color_mode(if colour { ColorMode::Enabled } else { ColorMode::Disabled })
        .auto_add_history(false)
        .build();
    rustyline::Editor::with_config(config)
}

fn broken(error: &ReadlineError) -> Fault {
    Fault::new(Code::System, "the terminal cannot be read").because(error)
}

/// Prints above the prompt, or where the cursor is while there is none.
fn above(line: &mut Line, session: &Session) -> Result<Above> {
    let stderr = Arc::clone(&session.world.stderr);
    Ok(match line.create_external_printer() {
        Ok(mut printer) => Arc::new(Mutex::new(Box::new(move |text: String| printer.print(text).unwrap_or_default()))),
        // A terminal without abilities.
        Err(_) => Arc::new(Mutex::new(Box::new(move |text: String| {
            stderr.write(text.as_bytes()).unwrap_or_default();
        }))),
    })
}

/// Opens the account, waiting a moment. Whatever comes of it, the prompt follows.
fn open(session: &Session, browser: &Browser) -> Result<()> {
    let face = session.face();
    let gate = Gate::default();
    let Some(opening) = browser.open(&session.inside, gate.clone()) else { return Ok(()) };
    let mut waited = Duration::ZERO;
    let mut outcome = None;
    while outcome.is_none() && waited < FIRST_WAIT && !session.world.stop.asked() {
        outcome = opening.wait(GLANCE);
        waited += GLANCE;
    }
    gate.close();
    if outcome.is_none() && session.world.stop.take().is_none() {
        outcome = opening.wait(if waited < FIRST_WAIT { SECOND_WAIT } else { GLANCE });
    }
    let vault = crate::name::harmless_line(session.inside.outer.vault.as_deref().unwrap_or_default());
    match outcome {
        Some(Ok(versions)) => {
            let account =
                session.inside.kept.account().map(|name| format!("{} in ", crate::name::harmless_line(&name)));
            let versions = crate::units::counted(versions as u64, "version", "versions");
            face.say(&format!("{}{vault}: {versions}. `help` tells what can be done.", account.unwrap_or_default()))
        }
        Some(Err(fault)) => {
            session.failed(&fault);
            Ok(())
        }
        None => face.say(&format!("{vault} has not answered yet. `help` tells what can be done.")),
    }
}

fn prompt_for_ever(session: &mut Session, line: &mut Line, now: &Mutex<Now>) -> Result<()> {
    let mut account = None;
    let mut remembered: Option<PathBuf> = None;
    while !session.leaves {
        let known = session.inside.outer.account.clone().or_else(|| session.inside.kept.account());
        account = known.or(account);
        remember(session, line, account.as_deref(), &mut remembered);
        *lock(now) = Now { inside: session.inside.clone(), working: session.world.working.clone() };
        session.world.stdout.flush()?;
        let prompt = prompt::prompt(account.as_deref(), &session.inside.view, session.world.home.as_deref());
        let text = match line.readline(&prompt) {
            Ok(text) => text,
            Err(ReadlineError::Interrupted) => continue,
            Err(ReadlineError::Eof) => "exit".to_owned(),
            Err(error) => return Err(broken(&error)),
        };
        if line.add_history_entry(text.as_str()).unwrap_or(false)
            && let Some(file) = &remembered
        {
            // Not remembering a line is no reason to end.
            line.append_history(file).unwrap_or_default();
        }
        match words::parse(&text) {
            Ok(parts) => {
                for part in parts {
                    if session.run(&part) != 0 || session.leaves {
                        break;
                    }
                }
            }
            Err(why) => drop(session.failed(&unfinished(&why))),
        }
        if let Some(live) = &session.live
            && session.inside.kept.account().is_none()
        {
            live.browser.forget();
        }
    }
    Ok(())
}

/// Turns to the lines that were typed for this account before.
fn remember(session: &Session, line: &mut Line, account: Option<&str>, remembered: &mut Option<PathBuf>) {
    let Ok(folders) = session.world.folders() else { return };
    let vault = session.inside.outer.vault.clone().unwrap_or_default();
    let last = StateDir::new(folders.state.clone()).vault_at(&vault);
    let account = account.or(last.as_ref().map(|last| last.account.as_str())).unwrap_or("account");
    match history::file(&folders.state, &vault, account) {
        Ok(file) if remembered.as_ref() != Some(&file) => {
            line.clear_history().unwrap_or_default();
            line.load_history(&file).unwrap_or_default();
            *remembered = Some(file);
        }
        Ok(_) => {}
        Err(fault) if remembered.is_none() => {
            session.failed(&fault);
            *remembered = Some(PathBuf::from("/dev/null"));
        }
        Err(_) => {}
    }
}
