//! Reads small files of ours: keys, state, configuration. What stands at such a path may be a fifo or a device, by mistake or
//! by malice, and reading that would never end. And makes such files where none is, never in the place of one.

use std::fs::File;
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, RenameFlags, renameat_with};
use rustix::io::Errno;

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
    match renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
        // Where the file system cannot do that, a second name for the file says the same.
        Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => {}
        done => return Ok(done?),
    }
    match std::fs::hard_link(from, to) {
        Ok(()) => std::fs::remove_file(from),
        Err(error) if error.kind() == ErrorKind::AlreadyExists || to.try_exists()? => {
            Err(ErrorKind::AlreadyExists.into())
        }
        // Neither can be done in one step here.
        Err(_) => std::fs::rename(from, to),
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
