//! The machinery of the console. It holds no logic of its own: what is known comes from the engine, what is done is a verb.
//!
//! ```text
//! terminal, workers, jobs ──Msg──► app::App::update ──Effect──► runner (threads) ──Msg──► …
//!                                       │
//!                                       └► frame::draw (a pure function of the state) ──► terminal
//! ```
//!
//! * [`keys`]: the one table of keys; [`keymap`]: one's own before it; [`theme`]: how things look
//! * [`shared`]: what all screens see; [`pane`]: something that was asked for; [`effect`]: what screens want done
//! * [`app`]: the state and its one `update`; [`overlay`]: what stands above a screen; [`frame`]: the drawing
//! * [`ask`], [`look`]: what the engine is asked, and its answers; [`plan`]: what is done only when it was reviewed; [`jobs`], [`take`]: what runs beside
//! * [`runner`]: does effects on threads; [`looping`]: the only one who waits; [`terminal`]: the only one who draws
//! * [`plain`]: the same without a screen

pub mod app;
pub mod ask;
pub mod effect;
pub mod frame;
pub mod jobs;
pub mod keymap;
pub mod keys;
pub mod look;
pub mod looping;
pub mod overlay;
pub mod pane;
pub mod plain;
pub mod plan;
pub mod runner;
pub mod shared;
#[cfg(test)]
pub mod stage;
pub mod take;
pub mod terminal;
#[cfg(test)]
mod tests;
pub mod theme;

use agent::cli::Desk;
use agent::fault::{Code, Exit, Fault, Result};
use agent::world::Opening;

/// Shows the console until it is left.
///
/// # Errors
/// When there is no terminal, or it cannot be drawn on.
pub fn run(desk: &Desk<'_>, opening: Opening) -> Result<Exit> {
    let dumb = desk.world.env.get("TERM").is_none_or(|term| term == "dumb");
    if opening.plain || (dumb && desk.world.terminal.stdin) {
        return plain::run(desk, opening.inside);
    }
    let terminal = desk.world.terminal;
    if !terminal.stdin || !terminal.stdout {
        let fault = Fault::new(Code::Usage, "a console needs a terminal");
        return Err(fault.hint("for commands from elsewhere: tuckbox query -"));
    }
    looping::run(desk, &opening)
}
