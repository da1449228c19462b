//! Waits for a condition, with a deadline. The only file of the tests that looks at a clock.

use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, pidfd_open};

/// Between two looks at a condition.
const LOOK_AGAIN: Duration = Duration::from_millis(5);

/// A running watch.
#[derive(Clone, Copy, Debug)]
pub struct Watch(Instant);

impl Watch {
    /// Starts one.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "a test measures real time")]
    pub fn start() -> Self {
        Self(Instant::now())
    }

    /// Time since the start.
    #[must_use]
    pub fn elapsed(self) -> Duration {
        self.0.elapsed()
    }
}

/// Waits until `condition` holds; `false` when it did not within `limit`. The condition is looked at once more at the
/// end, so that a slow machine does not make it fail.
pub fn within(limit: Duration, mut condition: impl FnMut() -> bool) -> bool {
    let watch = Watch::start();
    while !condition() {
        if watch.elapsed() >= limit {
            return condition();
        }
        std::thread::park_timeout(LOOK_AGAIN);
    }
    true
}

/// The same, and fails the test with `what` was waited for.
///
/// # Panics
/// When the condition does not hold in time.
pub fn until(limit: Duration, what: &str, condition: impl FnMut() -> bool) {
    assert!(within(limit, condition), "waited {limit:?} in vain for {what}");
}

/// Notices the end of a process of ours without asking again and again.
#[derive(Debug)]
pub struct Ending(OwnedFd);

impl Ending {
    /// Watches the process of this number, which nobody has waited for yet.
    ///
    /// # Panics
    /// When there is no such process.
    #[must_use]
    pub fn of(pid: u32) -> Self {
        let pid = Pid::from_raw(i32::try_from(pid).unwrap()).unwrap();
        Self(pidfd_open(pid, PidfdFlags::empty()).expect("a descriptor of our own child"))
    }

    /// Whether the process ended within `limit`.
    ///
    /// # Panics
    /// When the system cannot tell.
    #[must_use]
    pub fn within(&self, limit: Duration) -> bool {
        let watch = Watch::start();
        loop {
            let left = limit.saturating_sub(watch.elapsed());
            let timeout = Timespec::try_from(left).unwrap();
            match poll(&mut [PollFd::new(&self.0, PollFlags::IN)], Some(&timeout)) {
                Ok(0) if watch.elapsed() >= limit => return false,
                Ok(0) | Err(rustix::io::Errno::INTR) => {}
                Ok(_) => return true,
                Err(e) => panic!("poll: {e}"),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_condition_is_waited_for_and_given_up() {
        let mut looks = 0;
        assert!(within(Duration::from_secs(5), || {
            looks += 1;
            looks == 3
        }));
        assert!(!within(Duration::from_millis(20), || false));
    }

    #[test]
    fn the_end_of_a_process_is_noticed() {
        let mut child = std::process::Command::new("cat").stdin(std::process::Stdio::piped()).spawn().unwrap();
        let ending = Ending::of(child.id());
        assert!(!ending.within(Duration::from_millis(20)));
        drop(child.stdin.take());
        assert!(ending.within(Duration::from_secs(10)));
        child.wait().unwrap();
    }
}
