//! Does the work at either end: backup, restore, serve, command line.
//!
//! What this crate does *not* do: it never names the console (`tui`); the engine in it never prints, never reads
//! the environment and never asks a person (it emits [`event::Event`]s and asks [`engine::job::Person`]).
//!
//! * [`command`]: the verbs, one file each; [`cli`]: what they share; [`config`]: the configuration file
//! * [`shell`]: the query shell and the batch; [`complete`]: what a line may go on with; [`schema`]: the records of `--json`
//! * [`engine`]: the work of every verb; [`engine::job`] holds the words between it and the faces
//! * [`serve`]: the server's end
//! * [`source`]: reads the file system; [`target`]: writes it on restore
//! * [`health`]: how accounts are, and how that is told
//! * [`event`], [`fault`]: what is told, and what went wrong; [`profile`]: where the time went
//! * [`world`]: what is outside; [`ask`]: where people and files answer
//! * [`plain_file`]: how our own small files are read
//! * [`name`], [`units`], [`time`], [`timetable`]: how names, numbers, moments and rates are written and read

pub mod ask;
pub mod cli;
pub mod command;
pub mod complete;
pub mod config;
pub mod engine;
pub mod event;
pub mod fault;
pub mod health;
pub mod name;
pub mod plain_file;
pub mod profile;
pub mod schema;
pub mod serve;
pub mod shell;
pub mod source;
pub mod target;
pub mod time;
pub mod timetable;
pub mod units;
pub mod world;

use std::io::Write;
use std::sync::Arc;

use engine::job::Engine;
use fault::Fault;

/// Runs the program's command line with this engine and this console; the status to exit with.
#[must_use]
pub fn run(engine: Arc<dyn Engine>, console: world::Console) -> u8 {
    match prepare(engine, console) {
        Ok(world) => cli::run(&world, std::env::args_os().collect()),
        Err(fault) => {
            let exit = cli::json::exit_number(fault.exit());
            let text = cli::plain::fault_text(&fault, exit, false);
            // When not even this can be written, the status has to say it.
            writeln!(std::io::stderr(), "{text}").unwrap_or_default();
            exit
        }
    }
}

fn prepare(engine: Arc<dyn Engine>, console: world::Console) -> Result<world::World, Fault> {
    // A core dump would hold keys.
    let none = rustix::process::Rlimit { current: Some(0), maximum: Some(0) };
    rustix::process::setrlimit(rustix::process::Resource::Core, none)
        .map_err(|e| Fault::new(fault::Code::System, "cannot forbid core dumps").because(e))?;
    let world = world::World { console: Some(console), ..world::World::system(engine)? };
    cli::signals::watch(world.stop.clone())?;
    Ok(world)
}
