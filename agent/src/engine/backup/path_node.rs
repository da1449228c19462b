//! Paths of what is being scanned.

use std::sync::Arc;

/// A path as a chain of names: cheap to share, and longer than any system call takes.
pub struct PathNode {
    above: Option<Arc<PathNode>>,
    name: Box<[u8]>,
}

impl PathNode {
    /// A source's own path.
    pub fn top(path: &[u8]) -> Arc<Self> {
        let trimmed = path.strip_suffix(b"/").unwrap_or(path);
        Arc::new(Self { above: None, name: trimmed.into() })
    }

    /// The path of a name in it.
    pub fn join(&self, name: &[u8]) -> Vec<u8> {
        let mut names = vec![name, &self.name];
        let mut at = self.above.as_deref();
        while let Some(node) = at {
            names.push(&node.name);
            at = node.above.as_deref();
        }
        names.reverse();
        names.join(&b'/')
    }

    /// The path from the top.
    pub fn from_top(&self) -> Vec<u8> {
        let (mut names, mut at) = (Vec::new(), self);
        while let Some(above) = at.above.as_deref() {
            names.push(&*at.name);
            at = above;
        }
        names.reverse();
        names.join(&b'/')
    }

    /// The node of a name in it.
    pub fn below(self: &Arc<Self>, name: &[u8]) -> Arc<Self> {
        Arc::new(Self { above: Some(Arc::clone(self)), name: name.into() })
    }
}
