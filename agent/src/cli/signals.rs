//! Interrupt and terminate. The first asks the engine to end well, the second ends at once; a shell ends by being terminated
//! and never by the interrupt key. A hang-up is left to the
//! system: listening to it would undo `nohup`.

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::engine::job::Stop;
use crate::fault::{Code, Fault, Result};

/// Watches for signals on a thread of its own, for as long as the program runs.
pub fn watch(stop: Stop) -> Result<()> {
    let failed = |cause: std::io::Error| Fault::new(Code::System, "cannot watch for signals").because(cause);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().map_err(failed)?;
    let (mut interrupt, mut terminate) = {
        let _inside = runtime.enter();
        let listen = |kind: SignalKind| -> Result<Signal> { signal(kind).map_err(failed) };
        (listen(SignalKind::interrupt())?, listen(SignalKind::terminate())?)
    };
    let wait = async move {
        loop {
            let number = tokio::select! {
                _ = interrupt.recv() => SignalKind::interrupt(),
                _ = terminate.recv() => SignalKind::terminate(),
            }
            .as_raw_value();
            let ends = if stop.outlives() { number == SignalKind::terminate().as_raw_value() } else { stop.asked() };
            if ends {
                crate::ask::restore_terminal();
                end_now(number);
            }
            stop.ask(number);
        }
    };
    std::thread::Builder::new().name("signals".to_owned()).spawn(move || runtime.block_on(wait)).map_err(failed)?;
    Ok(())
}

#[expect(clippy::disallowed_methods, reason = "asked twice to end: nothing more is waited for")]
fn end_now(signal: i32) -> ! {
    std::process::exit(128_i32.saturating_add(signal))
}
