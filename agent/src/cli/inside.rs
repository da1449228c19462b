//! What the verbs of a shell or a batch have in common: one command line stands around them, and what it said counts for
//! each of them as long as they do not say otherwise.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::Arc;

use super::globals::Settings;
use super::json::Stream;
use crate::engine::job::Throttle;
use crate::engine::kept::Kept;
use crate::event::Watcher;
use crate::fault::{Code, Fault};
use crate::world::absolute_plain;

/// Verbs that stand around others and never inside.
pub const OUTSIDE: &[&str] = &["shell", "query", "serve", "tui"];

/// Where one looks: the directory in the version, and the version.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct View {
    /// The directory that paths in versions are relative to; outside a shell it is the working directory.
    pub dir: Option<Vec<u8>>,
    /// The version of verbs that do not name one, as `--at` takes it; the newest when absent.
    pub at: Option<String>,
}

impl View {
    /// Path arguments of a verb, absolute. In a shell none at all means the directory where one is.
    #[must_use]
    pub fn paths<'p>(&self, working: &Path, paths: impl Iterator<Item = &'p OsString>) -> Vec<Vec<u8>> {
        let base = self.dir.as_deref().map_or(working, |dir| Path::new(OsStr::from_bytes(dir)));
        let given: Vec<_> = paths.map(|path| absolute_plain(base, path)).collect();
        match &self.dir {
            Some(dir) if given.is_empty() && dir != b"/" => vec![dir.clone()],
            _ => given,
        }
    }

    /// A path as it is shown: in a shell without the directory where one is.
    #[must_use]
    pub fn shown<'p>(&self, path: &'p [u8]) -> &'p [u8] {
        let inner = self.dir.as_deref().and_then(|dir| match dir {
            b"/" => None,
            dir => path.strip_prefix(dir)?.strip_prefix(b"/"),
        });
        inner.filter(|inner| !inner.is_empty()).unwrap_or(path)
    }
}

/// See the module.
#[derive(Clone)]
pub struct Inside {
    /// Settings of the command line around.
    pub outer: Settings,
    /// Whether it colours.
    pub colour: bool,
    /// Where one looks.
    pub view: View,
    /// The account that stays open.
    pub kept: Arc<Kept>,
    /// Takes the records of all verbs; otherwise people are told.
    pub stream: Option<Arc<Stream>>,
    /// Progress is told in a line of its own so often, milliseconds.
    pub tell_ms: Option<i64>,
    /// Slows the verb down while it runs; it has connections of its own then.
    pub throttle: Option<Throttle>,
    /// Hears what happens besides, for a face that shows more than lines.
    pub hears: Option<Arc<dyn Watcher>>,
}

/// A verb that stands where it cannot.
pub(super) fn refused(verb: &str) -> Option<Fault> {
    let fault = || Fault::new(Code::Usage, format!("`{verb}` cannot run inside a shell or a batch"));
    OUTSIDE.contains(&verb).then(|| fault().hint(format!("leave it, then: tuckbox {verb}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_begin_where_one_is() {
        let view = View { dir: Some(b"/home/ana".to_vec()), at: None };
        let paths = |words: &[&str]| {
            let words: Vec<OsString> = words.iter().map(OsString::from).collect();
            view.paths(Path::new("/here"), words.iter())
        };
        assert_eq!(paths(&["docs", "../bob", "/srv/*"]), [&b"/home/ana/docs"[..], b"/home/bob", b"/srv/*"]);
        assert_eq!(paths(&[]), [b"/home/ana"]);
        assert_eq!(View::default().paths(Path::new("/here"), [OsString::from("x")].iter()), [b"/here/x"]);
        assert!(View { dir: Some(b"/".to_vec()), at: None }.paths(Path::new("/here"), [].iter()).is_empty());
        assert_eq!(view.shown(b"/home/ana/docs/a"), b"docs/a");
        assert_eq!(view.shown(b"/home/anabel"), b"/home/anabel");
        assert_eq!(view.shown(b"/home/ana"), b"/home/ana");
    }
}
