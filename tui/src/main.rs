//! The program. The command line is `agent`'s, the console is here and is handed to it.

use std::process::ExitCode;
use std::sync::Arc;

fn main() -> ExitCode {
    ExitCode::from(agent::run(Arc::new(agent::engine::RealEngine), tui::console::run))
}
