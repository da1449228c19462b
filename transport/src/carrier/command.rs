//! `cmd:COMMAND`: whatever speaks the protocol on its stdin and stdout.

use std::{process, sync::Arc};

use super::{child, end::Ends, prompt::Prompt};
use crate::{
    error::{Error, Result},
    pipe::{Carrier, Pipe},
};

/// Runs a command by `sh -c`, once for every pipe.
pub struct CommandCarrier {
    command: String,
    prompt: Arc<dyn Prompt>,
    ends: Ends,
}

impl CommandCarrier {
    /// For this command, run in the working directory of this process.
    #[must_use]
    pub fn new(command: impl Into<String>, prompt: Arc<dyn Prompt>) -> Self {
        Self { command: command.into(), prompt, ends: Ends::default() }
    }
}

impl Carrier for CommandCarrier {
    fn open(&self) -> Result<Pipe> {
        let mut command = process::Command::new("/bin/sh");
        command.arg("-c").arg(&self.command);
        let (pipe, end) = child::spawn(command, self.prompt.clone())
            .map_err(|e| Error::Unreachable { host: self.describe(), why: e.to_string() })?;
        self.ends.add(&end);
        Ok(pipe)
    }

    fn describe(&self) -> String {
        format!("cmd:{}", self.command)
    }

    fn end_report(&self) -> Option<String> {
        self.ends.report()
    }

    fn explain(&self, error: Error) -> Error {
        self.ends.explain(error, &self.describe())
    }
}
