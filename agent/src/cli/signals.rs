//! Interrupt, terminate and hang-up. The first asks the engine to end well, the second ends at once; a shell ends by being
//! terminated and never by the interrupt key. What the program was started to ignore (by `nohup`, or by a shell for what
//! runs in the background) stays ignored.

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::engine::job::Stop;
use crate::fault::{Code, Fault, Result};

/// Watches for signals on a thread of its own, for as long as the program runs.
pub fn watch(stop: Stop) -> Result<()> {
    let failed = |cause: std::io::Error| Fault::new(Code::System, "cannot watch for signals").because(cause);
    let runtime = transport::runtime().map_err(failed)?;
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let listen = |kind: SignalKind| -> Result<Option<Signal>> {
        if is_ignored(&status, kind.as_raw_value()) {
            return Ok(None);
        }
        let _inside = runtime.enter();
        signal(kind).map(Some).map_err(failed)
    };
    let mut interrupt = listen(SignalKind::interrupt())?;
    let mut terminate = listen(SignalKind::terminate())?;
    let mut hang_up = listen(SignalKind::hangup())?;
    let wait = async move {
        loop {
            let number = tokio::select! {
                () = next(&mut interrupt) => SignalKind::interrupt(),
                () = next(&mut terminate) => SignalKind::terminate(),
                () = next(&mut hang_up) => SignalKind::hangup(),
            }
            .as_raw_value();
            let ends = if stop.outlives() { number != SignalKind::interrupt().as_raw_value() } else { stop.asked() };
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

/// The next one; never, when it is not listened to.
async fn next(signal: &mut Option<Signal>) {
    match signal {
        Some(signal) => drop(signal.recv().await),
        None => std::future::pending().await,
    }
}

/// Whether the mask of ignored signals in the system's words about this process has this one.
fn is_ignored(status: &str, number: i32) -> bool {
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0);
    let bit =
        u32::try_from(number).ok().and_then(|number| number.checked_sub(1)).and_then(|bit| 1_u64.checked_shl(bit));
    bit.is_some_and(|bit| mask & bit != 0)
}

#[expect(clippy::disallowed_methods, reason = "asked twice to end: nothing more is waited for")]
fn end_now(signal: i32) -> ! {
    std::process::exit(128_i32.saturating_add(signal))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_ignored_is_read_from_the_mask() {
        let status = "Name:\tx\nSigBlk:\t0000000000000000\nSigIgn:\t0000000000001001\nSigCgt:\t0000000000000002\n";
        assert_eq!(
            [1, 2, 13, 15, 0, 65, -1].map(|number| is_ignored(status, number)),
            [true, false, true, false, false, false, false]
        );
        assert!(!is_ignored("", 1));
    }
}
