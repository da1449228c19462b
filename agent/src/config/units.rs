//! Units for systemd, printed by `tuckbox config systemd`.

/// A unit file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unit {
    /// Its file name, below `~/.config/systemd/user`.
    pub name: &'static str,
    /// Its content.
    pub text: &'static str,
}

/// Runs one backup of everything in the configuration.
pub const SERVICE: Unit = Unit {
    name: "tuckbox.service",
    text: "\
[Unit]
Description=Back up with tuckbox

[Service]
Type=oneshot
Environment=PATH=%h/.cargo/bin:%h/.local/bin:/usr/local/bin:/usr/bin:/bin
ExecStart=/usr/bin/env tuckbox backup --quiet --no-input
# Busy (6) and unreachable (8) are worth another try.
RestartForceExitStatus=6 8
RestartSec=5min
# Partial (3) is a good version with items left out; uncomment to be told of it only in the journal.
#SuccessExitStatus=3
# The passphrase of the key, when it has one.
#LoadCredential=tuckbox.passphrase:%h/.config/tuckbox/passphrase
Nice=10
IOSchedulingClass=idle
NoNewPrivileges=yes
",
};

/// Starts it every hour, and soon after a start when one was missed.
pub const TIMER: Unit = Unit {
    name: "tuckbox.timer",
    text: "\
[Unit]
Description=Back up with tuckbox every hour

[Timer]
OnCalendar=hourly
RandomizedDelaySec=10min
Persistent=true

[Install]
WantedBy=timers.target
",
};
