//! The program. The command line is `agent`'s; this only starts it.

use std::process::ExitCode;
use std::sync::Arc;

fn main() -> ExitCode {
    ExitCode::from(agent::run(Arc::new(agent::engine::RealEngine)))
}
