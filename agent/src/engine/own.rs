//! What the program itself keeps on this machine: the vault in use with its volumes, its cache and its state.
//!
//! None of it belongs into a version: a vault that holds itself grows with every run, and one that is restored over
//! itself is lost. A vault and its volumes say who they are, wherever they are mounted and by whatever address they are
//! used; other vaults are files like any others.

use std::os::unix::fs::MetadataExt;
use std::path::Path;

use serde_json::Value;
use store::id::VaultId;

use super::account::Account;
use crate::source::{Dir, Names, SourceFile};

/// Files by which a vault and a volume say who they are (FORMAT.md, chapter 7), and how long they may be.
const MARKERS: [&[u8]; 2] = [b"vault.json", b"volume.json"];
const MARKER_BYTES_MAX: usize = 64 << 10;

/// See the module.
#[derive(Clone, Debug, Default)]
pub struct Own {
    vault: String,
    /// Device and inode of the folders of cache and state.
    folders: Vec<(u64, u64)>,
}

impl Own {
    /// What belongs to the vault that this account is in.
    pub fn of(account: &Account) -> Self {
        let folders = &account.run.folders;
        Self::new(account.vault, [&folders.cache, &folders.state].map(|path| &**path))
    }

    fn new<'p>(vault: VaultId, folders: impl IntoIterator<Item = &'p Path>) -> Self {
        let there = folders.into_iter().filter_map(|path| std::fs::metadata(path).ok());
        Self { vault: vault.hex(), folders: there.map(|meta| (meta.dev(), meta.ino())).collect() }
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
