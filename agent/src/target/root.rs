//! Where a restore goes.

use std::io;
use std::os::fd::AsFd;
use std::path::Path;

use rustix::fs::syncfs;

use super::dir::TargetDir;
use crate::source::Dir;

/// The directory that a restore may write in, and nowhere else.
#[derive(Clone, Debug)]
pub struct Target {
    top: TargetDir,
}

impl Target {
    /// Opens the directory; with `create` it is made, and what is missing above it. A link at `path` itself is followed:
    /// it is what the person named.
    pub fn open(path: &Path, create: bool) -> io::Result<Self> {
        if create {
            std::fs::create_dir_all(path)?;
        }
        Ok(Self { top: TargetDir::existing_dir(Dir::open_following(path)?)? })
    }

    /// The directory itself.
    #[must_use]
    pub fn top(&self) -> &TargetDir {
        &self.top
    }

    /// Waits until what was written is on the disk, and says so when the disk lost some of it.
    pub fn sync(&self) -> io::Result<()> {
        Ok(syncfs(self.top.as_fd())?)
    }
}
