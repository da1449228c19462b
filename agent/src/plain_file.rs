//! Reads small files of ours: keys, state, configuration. What stands at such a path may be a fifo or a device, by mistake or
//! by malice, and reading that would never end. And makes such files where none is, never in the place of one.

use std::fs::File;
use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, RenameFlags, linkat, renameat, renameat_with, statat, unlinkat};
use rustix::io::Errno;
use rustix::path::Arg;

/// Names that are tried for a file that is not whole yet.
const NEW_NAMES_MAX: u32 = 8;

/// Opens a regular file for reading, without ever waiting for it; anything else is refused.
pub fn open(path: &Path) -> io::Result<File> {
    // A fifo without a writer opens at once this way; for a regular file it says nothing.
    let nonblock = i32::try_from(rustix::fs::OFlags::NONBLOCK.bits()).unwrap_or(0);
    let file = File::options().read(true).custom_flags(nonblock).open(path)?;
    if file.metadata()?.is_file() {
        Ok(file)
    } else {
        Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no regular file"))
    }
}

/// All of a regular file, refused when it is longer than `most` bytes.
pub fn read(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    let file = open(path)?;
    let too_long = || io::Error::new(io::ErrorKind::FileTooLarge, format!("it is longer than {most} bytes"));
    let length = file.metadata()?.len();
    if length > most {
        return Err(too_long());
    }
    let mut bytes = Vec::with_capacity(usize::try_from(length).unwrap_or(0));
    file.take(most.saturating_add(1)).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > most { Err(too_long()) } else { Ok(bytes) }
}

/// A file that is there whole or not at all, durably, and never in the place of another: `AlreadyExists` then. 0600.
pub fn write_new(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let (mut file, new) = beside(path)?;
    let written = (|| {
        file.write_all(bytes)?;
        file.sync_all()?;
        rename_new(&new, path)?;
        // The name of a file alone is in the working directory.
        let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
        File::open(dir)?.sync_all()
    })();
    if written.is_err() {
        drop(std::fs::remove_file(&new));
    }
    written
}

/// Gives a file another name that nothing has: `AlreadyExists` otherwise.
pub fn rename_new(from: &Path, to: &Path) -> io::Result<()> {
    rename_new_in(CWD, from, to)
}

/// The same with names in a directory.
pub fn rename_new_in<P: Arg + Copy>(dir: impl AsFd, from: P, to: P) -> io::Result<()> {
    let dir = dir.as_fd();
    match renameat_with(dir, from, dir, to, RenameFlags::NOREPLACE) {
        // Not every file system can. Most of these have hard links, which replace nothing either.
        Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => {}
        done => return Ok(done?),
    }
    match linkat(dir, from, dir, to, AtFlags::empty()) {
        Ok(()) => return Ok(unlinkat(dir, from, AtFlags::empty())?),
        Err(Errno::EXIST) => return Err(Errno::EXIST.into()),
        Err(_) => {}
    }
    // Neither can be done in one step here.
    match statat(dir, to, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(_) => Err(Errno::EXIST.into()),
        Err(Errno::NOENT) => Ok(renameat(dir, from, dir, to)?),
        Err(error) => Err(error.into()),
    }
}

/// A new file beside this path. One that another process writes now, or left, is let alone.
fn beside(path: &Path) -> io::Result<(File, PathBuf)> {
    let mut last = io::Error::from(ErrorKind::AlreadyExists);
    for n in 0..NEW_NAMES_MAX {
        let mut new = path.as_os_str().to_owned();
        new.push(format!(".{}{}.new", std::process::id(), if n == 0 { String::new() } else { format!("-{n}") }));
        let new = PathBuf::from(new);
        match File::options().write(true).create_new(true).mode(0o600).open(&new) {
            Ok(file) => return Ok((file, new)),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => last = io::Error::other(error),
            Err(error) => return Err(error),
        }
    }
    Err(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        std::fs::write(dir.path().join(format!("file.{}.new", std::process::id())), "of another").unwrap();
        write_new(&path, b"one").unwrap();
        assert_eq!(write_new(&path, b"two").unwrap_err().kind(), ErrorKind::AlreadyExists);
        assert_eq!(read(&path, 9).unwrap(), b"one");
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 2, "nothing is left behind");
        let other = dir.path().join("other");
        std::fs::write(&other, "two").unwrap();
        assert_eq!(rename_new(&other, &path).unwrap_err().kind(), ErrorKind::AlreadyExists);
        rename_new(&other, &dir.path().join("free")).unwrap();
        assert_eq!(read(&path, 9).unwrap(), b"one");
    }

    #[test]
    fn only_files_of_a_good_length() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        std::fs::write(&path, "four").unwrap();
        assert_eq!(read(&path, 4).unwrap(), b"four");
        assert_eq!(read(&path, 3).unwrap_err().kind(), io::ErrorKind::FileTooLarge);
        let fifo = dir.path().join("fifo");
        rustix::fs::mknodat(rustix::fs::CWD, &fifo, rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
        for other in [fifo.as_path(), dir.path(), Path::new("/dev/zero")] {
            assert_eq!(read(other, 4).unwrap_err().kind(), io::ErrorKind::InvalidInput, "{}", other.display());
        }
        assert_eq!(read(&dir.path().join("absent"), 4).unwrap_err().kind(), io::ErrorKind::NotFound);
    }
}
