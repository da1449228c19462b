//! `walk DIR` asks the system about every name below a directory, once, by two threads, and keeps nothing: the least
//! that a program does to know that nothing changed. Prints how many names there were.

use std::ffi::{CStr, CString, OsStr};
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::ffi::OsStrExt;
use std::sync::{Condvar, Mutex};
use std::thread;

use rustix::fs::{AtFlags, FileType, Mode, OFlags, RawDir, StatxFlags, open, openat, statx};

const THREADS: usize = 2;

/// Directories that wait, as paths below the first one, and how many are being read.
#[derive(Default)]
struct Open {
    waiting: Vec<CString>,
    reading: usize,
}

struct Walk<'a> {
    root: BorrowedFd<'a>,
    open: Mutex<Open>,
    changed: Condvar,
}

impl Walk<'_> {
    /// The next directory; `None` when all are read.
    fn next(&self) -> Option<CString> {
        let mut open = self.open.lock().expect("the lock");
        loop {
            if let Some(path) = open.waiting.pop() {
                open.reading += 1;
                return Some(path);
            }
            if open.reading == 0 {
                return None;
            }
            open = self.changed.wait(open).expect("the lock");
        }
    }

    fn done(&self, found: Vec<CString>) {
        let mut open = self.open.lock().expect("the lock");
        open.waiting.extend(found);
        open.reading -= 1;
        self.changed.notify_all();
    }

    /// Asks about the names in one directory; adds directories in it to those found.
    fn read(&self, path: &CStr, buffer: &mut [MaybeUninit<u8>], found: &mut Vec<CString>) -> io::Result<u64> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let dir = openat(self.root, path, flags, Mode::empty())?;
        let mut names = 0;
        let mut entries = RawDir::new(&dir, buffer);
        while let Some(entry) = entries.next() {
            let entry = entry?;
            let name = entry.file_name();
            if matches!(name.to_bytes(), b"." | b"..") {
                continue;
            }
            let told = statx(&dir, name, AtFlags::SYMLINK_NOFOLLOW | AtFlags::NO_AUTOMOUNT, StatxFlags::BASIC_STATS)?;
            names += 1;
            if FileType::from_raw_mode(told.stx_mode.into()) == FileType::Directory {
                found.push(CString::new([path.to_bytes(), b"/", name.to_bytes()].concat())?);
            }
        }
        Ok(names)
    }

    fn work(&self) -> io::Result<u64> {
        let mut buffer = vec![MaybeUninit::uninit(); 1 << 16];
        let mut names = 0;
        while let Some(path) = self.next() {
            let mut found = Vec::new();
            let read = self.read(&path, &mut buffer, &mut found);
            self.done(found);
            names += read.map_err(|error| {
                io::Error::new(error.kind(), format!("{}: {error}", OsStr::from_bytes(path.to_bytes()).display()))
            })?;
        }
        Ok(names)
    }
}

fn main() -> io::Result<()> {
    let Some(root) = std::env::args_os().nth(1) else { return Err(io::Error::other("walk DIR")) };
    let root = open(root, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
    let waiting = vec![CString::from(c".")];
    let walk = Walk { root: root.as_fd(), open: Mutex::new(Open { waiting, reading: 0 }), changed: Condvar::new() };
    let names = thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS).map(|_| scope.spawn(|| walk.work())).collect();
        threads.into_iter().map(|thread| thread.join().expect("a thread")).sum::<io::Result<u64>>()
    })?;
    println!("{names}");
    Ok(())
}
