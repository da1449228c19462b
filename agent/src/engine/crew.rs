//! The threads of a run. The system may have none left to give, and a run that then waits for one would wait for ever.

use std::thread::{Builder, Scope, ScopedJoinHandle};

use crate::fault::{Code, Fault, Result};

/// Starts a thread in this scope.
pub fn start<'s, T: Send + 's>(
    scope: &'s Scope<'s, '_>,
    work: impl FnOnce() -> T + Send + 's,
) -> Result<ScopedJoinHandle<'s, T>> {
    Builder::new().spawn_scoped(scope, work).map_err(|error| {
        Fault::new(Code::System, "cannot start another thread")
            .because(error)
            .hint("allow more threads or more memory here (ulimit -u, ulimit -v), then run the same command again")
    })
}
