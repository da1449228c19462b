//! The loop: the only one who waits, and it waits for everything at once. What comes is taken in, then the screen is drawn,
//! at most thirty times a second, and not at all when nothing came.

use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::Duration;

use agent::cli::Desk;
use agent::engine::connect::address;
use agent::engine::state::StateDir;
use agent::fault::{Code, Exit, Fault, Result};
use agent::world::Opening;
use crossterm::event::{Event, KeyEvent, KeyEventKind};

use super::app::App;
use super::ask::Heard;
use super::effect::Effect;
use super::jobs::News;
use super::keymap::Keymap;
use super::runner::{INTERRUPT, Question, Runner};
use super::shared::Shared;
use super::terminal::Screen;
use super::theme::Theme;

/// Messages that wait: a hand is slower, and workers wait for their turn.
const MESSAGES_MAX: usize = 256;
/// Messages that are taken in before the screen is drawn.
const AT_ONCE_MAX: usize = 512;
/// Between two drawings, milliseconds.
const FRAME_MS: i64 = 33;

/// What comes to the loop.
#[derive(Debug)]
pub enum Msg {
    /// A key.
    Key(KeyEvent),
    /// Text that was pasted.
    Paste(String),
    /// Another size.
    Resize(u16, u16),
    /// An answer of the engine.
    Heard(Heard),
    /// Something about a job.
    Job(News),
    /// A verb must know something.
    Question(Question),
    /// Time went by.
    Tick,
    /// The terminal gives nothing more.
    Gone,
}

/// Shows the console until it is left.
pub fn run(desk: &Desk<'_>, opening: &Opening) -> Result<Exit> {
    let world = desk.world;
    let run = desk.run()?;
    let mut inside = opening.inside.clone();
    // A relative address means the same wherever one goes.
    inside.outer.vault = Some(address(&run));
    let ascii = opening.ascii || !speaks_utf8(world);
    let theme = Theme { colour: inside.colour, ascii };
    let vault = agent::name::harmless_line(inside.outer.vault.as_deref().unwrap_or_default());
    let account = inside.outer.account.clone();
    let ours = set_up_here(&StateDir::new(world.folders()?.state), &address(&run));
    let mut shared = Shared::new(vault, account, inside.view.at.clone(), desk.zone(), theme);
    shared.keymap = Keymap::read(&world.folders()?.config.join("keymap.toml"))?;
    shared.seen = ours.is_some();
    shared.ours = ours;
    shared.home = world.home.clone();
    shared.working = world.working.clone();
    shared.now_ms = world.clock.now_ms();
    shared.mono_ms = world.clock.monotonic_ms();
    let (to, messages) = sync_channel(MESSAGES_MAX);
    // As if it had been asked to end before: the next signal ends it at once, whichever it is. The interrupt key is a key
    // here and sends none, and what runs here has stops of its own.
    world.stop.ask(INTERRUPT);
    let mut screen = Screen::enter()?;
    shared.size = screen.size()?;
    let mut app = App::new(shared);
    // The first picture comes before anything is asked.
    screen.draw(|buf| app.draw(buf))?;
    let mut runner = Runner::start(world, inside, to.clone())?;
    listen(to)?;
    let begun = app.begin();
    let done = carry_out(&mut runner, &mut screen, begun)
        .and_then(|goes_on| if goes_on { turn(desk, &mut app, &mut runner, &mut screen, &messages) } else { Ok(()) });
    drop(screen);
    // Nobody hears them any more: what still runs must not wait for that.
    drop(messages);
    drop(app);
    drop(runner);
    world.stop.take();
    done.map(|()| Exit::Ok)
}

/// The account that was set up on this machine in the vault of this address, with or without a slash at its end.
fn set_up_here(state: &StateDir, address: &str) -> Option<String> {
    let bare = address.trim_end_matches('/');
    state.vault_at(bare).or_else(|| state.vault_at(&format!("{bare}/"))).map(|here| here.account)
}

fn speaks_utf8(world: &agent::world::World) -> bool {
    let said = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().find_map(|name| world.env.get(name));
    said.is_some_and(|said| {
        let said = said.to_string_lossy().to_lowercase();
        said.contains("utf-8") || said.contains("utf8")
    })
}

/// Reads the keyboard on a thread of its own.
fn listen(to: SyncSender<Msg>) -> Result<()> {
    let read = move || {
        loop {
            let message = match crossterm::event::read() {
                Ok(Event::Key(key)) if key.kind != KeyEventKind::Release => Msg::Key(key),
                Ok(Event::Paste(text)) => Msg::Paste(text),
                Ok(Event::Resize(columns, rows)) => Msg::Resize(columns, rows),
                Ok(_) => continue,
                Err(_) => Msg::Gone,
            };
            let gone = matches!(message, Msg::Gone);
            if to.send(message).is_err() || gone {
                return;
            }
        }
    };
    let spawned = std::thread::Builder::new().name("keys".into()).spawn(read);
    spawned.map(drop).map_err(|error| Fault::new(Code::System, "cannot start a thread").because(error))
}

fn turn(
    desk: &Desk<'_>,
    app: &mut App,
    runner: &mut Runner,
    screen: &mut Screen,
    messages: &Receiver<Msg>,
) -> Result<()> {
    let clock = &desk.world.clock;
    let mut drawn_ms = clock.monotonic_ms();
    loop {
        let now = clock.monotonic_ms();
        let frame_in = if app.is_changed() { Some(FRAME_MS.saturating_sub(now - drawn_ms).max(0)) } else { None };
        let wait_ms = [frame_in, app.tick_in_ms()].into_iter().flatten().min();
        let first = match wait_ms {
            None => messages.recv().map_err(|_| RecvTimeoutError::Disconnected),
            Some(ms) => messages.recv_timeout(Duration::from_millis(u64::try_from(ms).unwrap_or(0))),
        };
        app.set_time(clock.now_ms(), clock.monotonic_ms());
        let due = matches!(first, Err(RecvTimeoutError::Timeout));
        let first = match first {
            Ok(message) => message,
            Err(RecvTimeoutError::Timeout) => Msg::Tick,
            Err(RecvTimeoutError::Disconnected) => return Ok(()),
        };
        for message in std::iter::once(first).chain(messages.try_iter()).take(AT_ONCE_MAX) {
            if matches!(message, Msg::Gone) {
                return Ok(());
            }
            if let Msg::Job(News { number, what: super::jobs::What::Ended(_) }) = &message {
                runner.ended(*number);
            }
            let effects = app.update(message);
            if !carry_out(runner, screen, effects)? {
                return Ok(());
            }
        }
        let now = clock.monotonic_ms();
        // A clock that stands still must not stop the drawing.
        if app.is_changed() && (due || now - drawn_ms >= FRAME_MS) {
            screen.draw(|buf| app.draw(buf))?;
            app.set_drawn();
            drawn_ms = now;
        }
    }
}

/// Does what goes beyond the application; whether to go on.
fn carry_out(runner: &mut Runner, screen: &mut Screen, effects: Vec<Effect>) -> Result<bool> {
    for effect in effects {
        match effect {
            Effect::Ask { lane, generation, ask } => runner.ask(lane, generation, ask),
            Effect::Forget(lane) => runner.forget(lane),
            Effect::Turn { account, at } => runner.turn(account, at),
            Effect::Vault(address) => runner.vault(address),
            Effect::Run { number, words } => runner.start_job(number, words),
            Effect::RunTake { number, job } => runner.start_take(number, *job),
            Effect::Cancel(number) => runner.cancel(number),
            Effect::Limit(number, rate) => runner.limit(number, rate),
            Effect::Copy(text) => screen.copy(&text)?,
            Effect::Suspend => screen.suspend()?,
            Effect::Redraw => screen.clear()?,
            Effect::Quit => return Ok(false),
            // Within the application.
            _ => {}
        }
    }
    Ok(true)
}
