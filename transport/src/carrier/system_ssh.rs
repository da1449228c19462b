//! The system's `ssh` as a child process: for everything that only it can do.
//!
//! It is started by its arguments, never through a shell, and `--` stands before the host. What it says when it
//! fails is English whatever the language, so the reason is read from its stderr.

use std::{ffi::OsString, os::unix::process::CommandExt, path::PathBuf, process, sync::Arc};

use super::{
    child,
    config::{Host, Strict, options},
    end::{End, Ends, Status, may_be_of_an_end},
    prompt::Prompt,
    surroundings::Surroundings,
};
use crate::{
    address::SshAddress,
    error::{Error, HostKey, HostKeyProblem, Result},
    pipe::{Carrier, Pipe},
};

/// What ssh ends with when the fault is its own, or the connection's.
const OWN_FAULT: i32 = 255;

/// Starts one ssh for every pipe.
pub struct SystemSsh {
    ssh: PathBuf,
    arguments: Vec<OsString>,
    target: String,
    prompt: Arc<dyn Prompt>,
    ends: Ends,
    /// A second ssh asks nobody for anything: it goes over a connection that is shared, or may not ask.
    second: bool,
}

impl SystemSsh {
    /// For this address. `host` is what the configuration says of it, `line` the remote command.
    ///
    /// # Errors
    /// [`Error::Unreachable`] when there is no `ssh` in `PATH`.
    pub fn new(
        address: &SshAddress,
        host: &Host,
        line: &str,
        around: &Surroundings,
        prompt: Arc<dyn Prompt>,
    ) -> Result<Self> {
        let Some(ssh) = around.ssh.clone() else {
            return Err(Error::Unreachable {
                host: address.host.clone(),
                why: "there is no ssh program in the search path".to_owned(),
            });
        };
        let mut arguments = options(address);
        arguments.extend(own_options(host, prompt.may_ask()).into_iter().map(OsString::from));
        arguments.extend(["--".into(), OsString::from(&address.host), line.into()]);
        let second = !prompt.may_ask() || host.is_shared();
        Ok(Self { ssh, arguments, target: address.host.clone(), prompt, ends: Ends::default(), second })
    }
}

/// What a pipe needs, whatever the configuration says for people.
fn own_options(host: &Host, may_ask: bool) -> Vec<String> {
    // No terminal, no forwarding of screens and agents.
    let mut all: Vec<String> = ["-T", "-x", "-a"].map(str::to_owned).to_vec();
    let mut set = |option: &str| all.extend(["-o".to_owned(), option.to_owned()]);
    set("ClearAllForwardings=yes");
    set("PermitLocalCommand=no");
    set("RemoteCommand=none");
    // What is sealed does not compress.
    set("Compression=no");
    if host.printed.get("serveraliveinterval").is_none_or(|v| v == "0") {
        set("ServerAliveInterval=15");
        set("ServerAliveCountMax=3");
    }
    if host.printed.get("connecttimeout").is_none() {
        set(&format!("ConnectTimeout={}", host.connect_timeout.as_secs()));
    }
    if host.strict == Strict::AcceptNew {
        // `no` would let a changed key pass.
        set("StrictHostKeyChecking=accept-new");
    }
    if !may_ask {
        set("BatchMode=yes");
    }
    all
}

impl Carrier for SystemSsh {
    fn open(&self) -> Result<Pipe> {
        let mut command = process::Command::new(&self.ssh);
        command.args(&self.arguments);
        if !self.prompt.may_ask() {
            // It must not ask through another door, and a Ctrl-C is ours to answer: the far side ends with its pipe.
            command.env_remove("SSH_ASKPASS").env("SSH_ASKPASS_REQUIRE", "never").process_group(0);
        }
        let (pipe, end) = child::spawn(command, self.prompt.clone())
            .map_err(|e| Error::Unreachable { host: self.target.clone(), why: format!("ssh does not start: {e}") })?;
        self.ends.add(&end);
        Ok(pipe)
    }

    fn extra_pipes(&self) -> Option<usize> {
        Some(usize::from(self.second))
    }

    fn describe(&self) -> String {
        format!("{} with the system's ssh", self.target)
    }

    fn end_report(&self) -> Option<String> {
        self.ends.report()
    }

    fn explain(&self, error: Error) -> Error {
        if !may_be_of_an_end(&error) {
            return error;
        }
        match self.ends.worst() {
            Some(end) if end.status() == Some(Status::Code(OWN_FAULT)) => {
                reason(&end, &self.target).unwrap_or_else(|| self.ends.explain(error, &self.target))
            }
            _ => self.ends.explain(error, &self.target),
        }
    }
}

fn reason(end: &End, host: &str) -> Option<Error> {
    let said = end.tail();
    let has = |text: &str| said.contains(text);
    let host_key = |problem| {
        let fingerprint = said.split_whitespace().find(|word| word.starts_with("SHA256:"));
        let fingerprint = fingerprint.map_or("not shown", |word| word.trim_end_matches('.')).to_owned();
        Some(Error::HostKey(HostKey { host: host.to_owned(), fingerprint, problem }))
    };
    // "Offending ECDSA key in /home/me/.ssh/known_hosts:3"
    let on_record = || {
        let line = said.lines().find(|line| line.contains("ffending"));
        line.and_then(|line| line.split(" in ").nth(1)).unwrap_or("known_hosts").trim_end_matches('.').to_owned()
    };
    if has("REVOKED HOST KEY") || has("is marked as revoked") {
        host_key(HostKeyProblem::Revoked { on_record: on_record() })
    } else if has("IDENTIFICATION HAS CHANGED") {
        host_key(HostKeyProblem::Changed { on_record: on_record() })
    } else if has("Host key verification failed") || has("host key is known for") {
        host_key(HostKeyProblem::Unknown)
    } else if has("Permission denied") || has("Too many authentication failures") {
        Some(Error::Auth { who: host.to_owned(), why: last_line(&said) })
    } else if ["resolve hostname", "Connection refused", "timed out", "No route", "unreachable", "Bad configuration"]
        .iter()
        .any(|text| has(text))
        || has("Connection closed")
        || has("Connection reset")
        || has("kex_exchange_identification")
    {
        Some(Error::Unreachable { host: host.to_owned(), why: last_line(&said) })
    } else {
        None
    }
}

fn last_line(said: &str) -> String {
    said.lines().next_back().unwrap_or_default().trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        address::{Address, RemotePath},
        carrier::{config::Printed, prompt::NoInput},
    };

    fn carrier(printed: &str) -> Vec<String> {
        let address = SshAddress { user: Some("u".into()), host: "h".into(), port: Some(7), path: RemotePath::Forced };
        let around = Surroundings { ssh: Some("/usr/bin/ssh".into()), ..Surroundings::default() };
        let host = Host::from_printed(&address, Printed::parse(printed), &around);
        let ssh = SystemSsh::new(&address, &host, "a 'b c'", &around, Arc::new(NoInput)).unwrap();
        ssh.arguments.iter().map(|a| a.to_str().unwrap().to_owned()).collect()
    }

    #[test]
    fn arguments() {
        let all = carrier("");
        assert_eq!(all[..4], ["-p", "7", "-l", "u"]);
        assert_eq!(all[all.len() - 3..], ["--", "h", "a 'b c'"]);
        for option in ["BatchMode=yes", "ServerAliveInterval=15", "ConnectTimeout=30", "Compression=no"] {
            assert!(all.contains(&option.to_owned()), "{option}");
        }
        let all = carrier("serveraliveinterval 60\nconnecttimeout 5\nstricthostkeychecking false\n");
        assert!(!all.iter().any(|a| a.starts_with("ServerAlive") || a.starts_with("ConnectTimeout")));
        assert!(all.contains(&"StrictHostKeyChecking=accept-new".to_owned()));
    }

    #[test]
    fn no_ssh_is_a_clear_error() {
        let Ok(Address::Ssh(address)) = Address::parse("ssh://h/p") else { panic!() };
        let around = Surroundings::default();
        let host = Host::from_printed(&address, Printed::default(), &around);
        let refused = SystemSsh::new(&address, &host, "", &around, Arc::new(NoInput)).err().unwrap();
        assert!(refused.to_string().contains("no ssh program"));
    }

    #[test]
    fn reasons_are_read_from_what_ssh_says() {
        let why = |text: &str| {
            let end = End::new();
            end.stderr(text.as_bytes(), &NoInput);
            end.stderr_ended(&NoInput);
            reason(&end, "h")
        };
        let changed = "@ WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED! @\nThe fingerprint is\nSHA256:abc.\n\
             Offending ECDSA key in /k/known_hosts:3\nHost key verification failed.\n";
        assert_eq!(
            why(changed),
            Some(Error::HostKey(HostKey {
                host: "h".into(),
                fingerprint: "SHA256:abc".into(),
                problem: HostKeyProblem::Changed { on_record: "/k/known_hosts:3".into() }
            }))
        );
        assert!(matches!(why("Host key verification failed.\n"), Some(Error::HostKey(_))));
        assert!(matches!(why("u@h: Permission denied (publickey).\n"), Some(Error::Auth { .. })));
        assert!(matches!(why("ssh: connect to host h port 22: Connection refused\n"), Some(Error::Unreachable { .. })));
        assert_eq!(why("something else\n"), None);
    }
}
