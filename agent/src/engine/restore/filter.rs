//! What a restore takes: `--include` and `--exclude`.
//!
//! A pattern says of what lies below a source, as in a backup: neither a source's own name nor what is above it is meant by
//! one that is not anchored. A path from the root means what it names, also a source, and so does a name that of a source
//! which is no directory: nothing is below that.

use crate::engine::overlay::{Overlay, components, host_name};
use crate::engine::why::innermost;
use crate::fault::{Code, Fault, Result};
use crate::name::for_terminal;
use crate::source::Pattern;

/// Compiled patterns.
#[derive(Debug, Default)]
pub struct Filter {
    include: Vec<Pattern>,
    exclude: Vec<Pattern>,
    /// Paths of the sources, with the components of each that no pattern means.
    sources: Vec<(Vec<u8>, usize)>,
}

impl Filter {
    /// Compiles the patterns of a job.
    pub fn new(include: &[String], exclude: &[String]) -> Result<Self> {
        Ok(Self { include: compile(include, "--include")?, exclude: compile(exclude, "--exclude")?, ..Self::default() })
    }

    /// The same for the sources of this version.
    pub fn below(mut self, overlay: &Overlay<'_>) -> Self {
        for source in overlay.sources() {
            let label = overlay.has_hosts().then(|| [b"/", &*host_name(&source.host)].concat());
            let path = [label.unwrap_or_default(), source.path.clone()].concat();
            let above = components(&path).count().saturating_sub(usize::from(source.dirs == 0));
            self.sources.push((path, above));
        }
        self
    }

    /// Whether everything is taken.
    pub fn is_empty(&self) -> bool {
        self.include.is_empty() && self.exclude.is_empty()
    }

    /// Whether a path, or one above it, is asked for.
    pub fn includes(&self, path: &[u8]) -> bool {
        self.include.is_empty() || self.matches(&self.include, path)
    }

    /// Whether a path, or one above it, is left out.
    pub fn excludes(&self, path: &[u8]) -> bool {
        self.matches(&self.exclude, path)
    }

    fn matches(&self, patterns: &[Pattern], path: &[u8]) -> bool {
        if patterns.is_empty() {
            return false;
        }
        // What only leads to sources is above all of them.
        let source = innermost(&self.sources, path, |(source, _)| source);
        let above = source.map_or(usize::MAX, |(_, above)| *above);
        patterns.iter().any(|pattern| pattern.matches_below(path, if pattern.is_anchored() { 0 } else { above }))
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
