//! Key files of this machine: where they are, how they are read, and the only ways in which one is made or changed. None is
//! ever replaced by another account's key, and nothing is decided by what was read before a person was asked.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use store::id::VaultId;
use store::seal::KeyFile;
use zeroize::Zeroizing;

use super::job::Run;
use super::state::{StateDir, private_dir, write_private};
use crate::event::Event;
use crate::fault::{Code, Fault, Result};
use crate::name::for_terminal;
use crate::plain_file;

/// Longest key file that is read.
pub(super) const KEY_FILE_BYTES_MAX: u64 = store::seal::keyfile::KEY_FILE_BYTES_MAX as u64;
/// Names that are tried for a damaged file that is put aside.
const ASIDE_MAX: u32 = 9;

/// A key file that was found.
#[derive(Clone, Debug)]
pub struct Found {
    /// Where.
    pub path: PathBuf,
    /// What is in it.
    pub file: KeyFile,
}

/// Where a new key file goes.
pub fn key_path(run: &Run, account: &str, vault: VaultId) -> PathBuf {
    let clean: String =
        account.chars().map(|c| if c.is_alphanumeric() || "-._@".contains(c) { c } else { '_' }).take(100).collect();
    let short: String = vault.hex().chars().take(8).collect();
    run.place.key_file.clone().unwrap_or_else(|| run.folders.config.join("keys").join(format!("{clean}-{short}.key")))
}

/// All key files that count: the one named, or those in the configuration directory.
pub fn key_checks(run: &Run) -> Result<Vec<Found>> {
    if let Some(path) = &run.place.key_file {
        return Ok(read_key(path)?.into_iter().collect());
    }
    let dir = run.folders.config.join("keys");
    let listed = match std::fs::read_dir(&dir) {
        Ok(listed) => listed,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(cannot("read", &dir, &error)),
    };
    let mut paths: Vec<PathBuf> = listed.filter_map(|entry| Some(entry.ok()?.path())).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "key"));
    paths.sort();
    let mut found = Vec::new();
    for path in paths {
        found.extend(read_key(&path)?);
    }
    Ok(found)
}

pub(super) fn cannot(doing: &str, path: &Path, error: &std::io::Error) -> Fault {
    Fault::new(Code::of(error), format!("cannot {doing} {}", shown(path))).because(error)
}

pub(super) fn shown(path: &Path) -> String {
    for_terminal(path.as_os_str().as_encoded_bytes())
}

/// One key file; `None` when it is not there.
pub fn read_key(path: &Path) -> Result<Option<Found>> {
    let meta = match std::fs::metadata(path) {
        Ok(meta) => meta,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(cannot("read", path, &error)),
    };
    if meta.permissions().mode() & 0o077 != 0 {
        return Err(Fault::new(Code::KeyPermissions, format!("the key file {} can be read by others", shown(path)))
            .hint(format!("chmod 600 {}", shown(path))));
    }
    if meta.len() > KEY_FILE_BYTES_MAX {
        return Err(Fault::new(Code::KeySlot, format!("{} is too large for a key file", shown(path))));
    }
    let read = crate::plain_file::read(path, KEY_FILE_BYTES_MAX);
    let bytes = Zeroizing::new(read.map_err(|error| cannot("read", path, &error))?);
    let text = std::str::from_utf8(&bytes).map_err(|_| damaged_key(path))?;
    let file = KeyFile::parse(text).map_err(|error| match error {
        store::Error::Newer { .. } => error.into(),
        other => damaged_key(path).because(other),
    })?;
    Ok(Some(Found { path: path.to_owned(), file }))
}

fn damaged_key(path: &Path) -> Fault {
    Fault::new(Code::KeySlot, format!("the key file {} is damaged", shown(path)))
        .hint("put back a copy (tuckbox key export makes one), or use the recovery words: tuckbox key recover")
}

/// Who may make and change key files on this machine now: one process at a time, and no person is asked meanwhile.
pub struct Held {
    _lock: std::fs::File,
}

/// Waits until no other process makes or changes a key file.
pub fn hold(run: &Run) -> Result<Held> {
    Ok(Held { _lock: StateDir::new(run.folders.state.clone()).hold_keys()? })
}

impl Held {
    /// Makes a key file, durably, and never in the place of another. Tells whether it was made; `false` when a file is
    /// there.
    pub fn create(&self, path: &Path, file: &KeyFile) -> Result<bool> {
        if let Some(dir) = path.parent() {
            private_dir(dir)?;
        }
        match plain_file::write_new(path, file.print()?.as_bytes()) {
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(false),
            made => made.map(|()| true).map_err(|error| cannot("write", path, &error)),
        }
    }

    /// Makes a key file that was typed in again: in the place of nothing, or of the same key. A damaged file is put aside.
    pub fn renew(&self, run: &Run, path: &Path, file: &KeyFile) -> Result<()> {
        match place_for(path, file)? {
            Place::Free => {}
            Place::Same => return self.replace(path, file),
            Place::Damaged => put_aside(run, path)?,
        }
        // Whoever does not keep to the lock may have been quicker.
        if self.create(path, file)? { Ok(()) } else { Err(taken(path)) }
    }

    /// Removes the key file that was made for nothing, unless it is another one by now.
    pub fn remove_own(&self, path: &Path, file: &KeyFile) -> Result<()> {
        match read_key(path)? {
            Some(found) if found.file.key_check() == file.key_check() => {
                std::fs::remove_file(path).map_err(|error| cannot("remove", path, &error))
            }
            _ => Ok(()),
        }
    }

    fn replace(&self, path: &Path, file: &KeyFile) -> Result<()> {
        write_private(path, file.print()?.as_bytes())
    }
}

/// Changes a key file as it is now.
pub fn change<T>(run: &Run, path: &Path, change: impl FnOnce(&mut KeyFile) -> Result<T>) -> Result<T> {
    let held = hold(run)?;
    let Some(Found { mut file, .. }) = read_key(path)? else {
        return Err(Fault::new(Code::KeyNone, format!("the key file {} is gone", shown(path)))
            .hint("put back a copy, or use the recovery words: tuckbox key recover"));
    };
    let done = change(&mut file)?;
    held.replace(path, &file)?;
    Ok(done)
}

/// What is where a key file is to go.
enum Place {
    Free,
    /// The same key, however it is opened.
    Same,
    Damaged,
}

fn place_for(path: &Path, file: &KeyFile) -> Result<Place> {
    match read_key(path) {
        Ok(None) => Ok(Place::Free),
        Ok(Some(found)) if found.file.account == file.account && found.file.key_check() == file.key_check() => {
            Ok(Place::Same)
        }
        Ok(Some(found)) => Err(of_another(&found)),
        Err(fault) if fault.code == Code::KeySlot => Ok(Place::Damaged),
        Err(fault) => Err(fault),
    }
}

/// Refuses a place that holds another key, before anybody is asked anything.
pub fn check_place(path: &Path, file: &KeyFile) -> Result<()> {
    place_for(path, file).map(drop)
}

/// There is another key where one is to go.
pub fn of_another(found: &Found) -> Fault {
    let (path, name) = (shown(&found.path), for_terminal(found.file.account_name.as_bytes()));
    Fault::new(Code::KeyOtherAccount, format!("{path} holds the key of another account ({name})"))
        .hint("name another file: --key FILE")
}

fn taken(path: &Path) -> Fault {
    Fault::new(Code::SourceBusy, format!("another program makes {} at this moment", shown(path)))
        .hint("run the same command again")
}

/// A damaged key file may still be good for something: it stays, under another name.
fn put_aside(run: &Run, path: &Path) -> Result<()> {
    for n in 1..=ASIDE_MAX {
        let mut aside = path.as_os_str().to_owned();
        aside.push(if n == 1 { ".damaged".to_owned() } else { format!(".damaged-{n}") });
        let aside = PathBuf::from(aside);
        match plain_file::rename_new(path, &aside) {
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(cannot("rename", path, &error)),
            Ok(()) => {
                let note = format!("what was in {} is in {} now", shown(path), shown(&aside));
                run.watcher.event(&Event::Note(&note));
                return Ok(());
            }
        }
    }
    Err(damaged_key(path))
}
