//! What the program itself keeps on this machine: the vault in use with its volumes, its cache and its state.
//!
//! None of it belongs into a version: a vault that holds itself grows with every run, and one that is restored over
//! itself is lost. A vault and its volumes say who they are, wherever they are mounted and by whatever address they are
//! used; other vaults are files like any others.

use std::ffi::CStr;
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use rustix::fs::{CWD, Mode, OFlags, openat};
use serde_json::Value;
use store::id::VaultId;

use super::account::Account;
use crate::source::{Dir, Names, SourceFile};

/// Files by which a vault and a volume say who they are (FORMAT.md, chapter 7), and how long they may be.
const MARKERS: [&[u8]; 2] = [b"vault.json", b"volume.json"];
const MARKER_BYTES_MAX: usize = 64 << 10;
/// Directories above one that are asked: more than any path names.
const ABOVE_MAX: usize = 4_096;

/// See the module.
#[derive(Clone, Debug, Default)]
pub struct Own {
    vault: String,
    /// Device and inode of the folders of cache and state.
    folders: Vec<(u64, u64)>,
    /// The same of the folder of the configuration and the keys, which are backed up as anything else.
    settings: Option<(u64, u64)>,
}

impl Own {
    /// What belongs to the vault that this account is in.
    pub fn of(account: &Account) -> Self {
        let folders = &account.run.folders;
        Self::new(account.vault, &[&folders.cache, &folders.state], &folders.config)
    }

    fn new(vault: VaultId, folders: &[&Path], settings: &Path) -> Self {
        let there = |path: &Path| std::fs::metadata(path).ok().map(|meta| (meta.dev(), meta.ino()));
        let folders = folders.iter().filter_map(|path| there(path)).collect();
        Self { vault: vault.hex(), folders, settings: there(settings) }
    }

    /// Why what is in a directory, whose device and inode and sorted names these are, is none of a person's data; `None`
    /// when it is.
    pub fn holds(&self, identity: (u64, u64), dir: &Dir, names: &Names) -> Option<&'static str> {
        let may_be = |marker: &&&[u8]| names.contains(marker);
        self.why(identity, dir, MARKERS.iter().filter(may_be))
    }

    /// The same of a directory whose names nobody has read.
    pub fn holds_of(&self, dir: &Dir) -> Option<&'static str> {
        self.why(dir.stat_self().ok()?.identity(), dir, MARKERS.iter())
    }

    /// Why nothing of a version is written in a directory: it is one of these, or lies somewhere below one. With `named`, a
    /// person has named it as the place for something else, and then the configuration and the keys stay as they are, too.
    pub fn refuses(&self, dir: &Dir, named: bool) -> Option<&'static str> {
        let mut at = up(dir, c".")?;
        let mut identity = at.stat_self().ok()?.identity();
        for _ in 0..ABOVE_MAX {
            if let Some(why) = self.why(identity, &at, MARKERS.iter()) {
                return Some(why);
            }
            if named && self.settings == Some(identity) {
                return Some("tuckbox keeps its configuration and its keys there");
            }
            // What may not be passed by this user is above nothing that they may write in.
            let above = up(&at, c"..")?;
            let higher = above.stat_self().ok()?.identity();
            if higher == identity {
                return None;
            }
            (at, identity) = (above, higher);
        }
        None
    }

    /// The same of a path where nothing need stand yet, by the nearest directory above it that is there.
    pub fn refuses_at(&self, path: &Path, named: bool) -> Option<&'static str> {
        let open = |path: &Path| {
            let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
            openat(CWD, path, PLACE, Mode::empty()).ok()
        };
        self.refuses(&Dir::from_fd(path.ancestors().find_map(open)?), named)
    }

    fn why<'m>(
        &self,
        identity: (u64, u64),
        dir: &Dir,
        mut markers: impl Iterator<Item = &'m &'m [u8]>,
    ) -> Option<&'static str> {
        if markers.any(|marker| self.is_of_vault(dir, marker)) {
            return Some("it is the vault that is in use");
        }
        self.folders.contains(&identity).then_some("tuckbox keeps its cache or its state there")
    }

    fn is_of_vault(&self, dir: &Dir, marker: &[u8]) -> bool {
        let Ok(stat) = dir.stat(marker) else { return false };
        let Ok(file) = SourceFile::open(dir, marker, &stat) else { return false };
        let mut text = vec![0; MARKER_BYTES_MAX];
        let read = file.read_at(&mut text, 0).unwrap_or(0);
        let said = text.get(..read).and_then(|text| serde_json::from_slice::<Value>(text).ok());
        said.is_some_and(|said| said.get("vault_id").and_then(Value::as_str) == Some(&*self.vault))
    }
}

/// Of directories that are passed and not read.
const PLACE: OFlags = OFlags::PATH.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);

fn up(dir: &Dir, to: &CStr) -> Option<Dir> {
    Some(Dir::from_fd(openat(dir.as_fd(), to, PLACE, Mode::empty()).ok()?))
}
