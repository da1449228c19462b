//! What a restore takes: `--include` and `--exclude`.

use crate::fault::{Code, Fault, Result};
use crate::name::for_terminal;
use crate::source::Pattern;

/// Compiled patterns.
#[derive(Debug, Default)]
pub struct Filter {
    include: Vec<Pattern>,
    exclude: Vec<Pattern>,
}

impl Filter {
    /// Compiles the patterns of a job.
    pub fn new(include: &[String], exclude: &[String]) -> Result<Self> {
        Ok(Self { include: compile(include, "--include")?, exclude: compile(exclude, "--exclude")? })
    }

    /// Whether everything is taken.
    pub fn is_empty(&self) -> bool {
        self.include.is_empty() && self.exclude.is_empty()
    }

    /// Whether a path, or one above it, is asked for.
    pub fn includes(&self, path: &[u8]) -> bool {
        self.include.is_empty() || self.include.iter().any(|pattern| pattern.matches(path))
    }

    /// Whether a path, or one above it, is left out.
    pub fn excludes(&self, path: &[u8]) -> bool {
        self.exclude.iter().any(|pattern| pattern.matches(path))
    }
}

fn compile(texts: &[String], flag: &str) -> Result<Vec<Pattern>> {
    let compile = |text: &String| {
        Pattern::new(text.as_bytes(), false).map_err(|error| {
            let shown = for_terminal(text.as_bytes());
            Fault::new(Code::Usage, format!("the pattern `{shown}` ({flag}) is not understood")).because(error)
        })
    };
    texts.iter().map(compile).collect()
}
