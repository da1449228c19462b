//! A disk that fails at its n-th call, for every n: before it did what it was asked, after it did, and from then on.
//!
//! Whatever happens, the vault opens afterwards, the version is there whole or not at all, and the next backup works.

use std::ffi::OsStr;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use super::*;
use crate::door::{DiskFile, Found, Lock, Named};
use crate::error::Error;

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum How {
    /// The call fails and nothing was done.
    Before,
    /// The call fails and it was done.
    After,
    /// This call and every later one fail: the machine stops here.
    FromThenOn,
}

struct Trouble {
    calls: AtomicU64,
    at: AtomicU64,
    how: How,
    /// What was asked that matters for what survives a power cut.
    asked: Mutex<Vec<(&'static str, PathBuf)>>,
}

impl Trouble {
    fn call<T>(&self, what: &'static str, path: &Path, doing: impl FnOnce() -> Result<T>) -> Result<T> {
        let call = self.calls.fetch_add(1, Ordering::SeqCst);
        if matches!(what, "sync" | "sync_dir" | "link_new") {
            self.asked.lock().unwrap().push((what, path.to_owned()));
        }
        let at = self.at.load(Ordering::SeqCst);
        let fails = call == at || (self.how == How::FromThenOn && call > at);
        if !fails {
            return doing();
        }
        if self.how == How::After {
            doing()?;
        }
        Err(Error::disk("do as asked with", path, std::io::Error::other("a test")))
    }
}

/// The real disk with trouble.
#[derive(Clone)]
pub(super) struct TroubledDisk(Arc<Trouble>);

impl TroubledDisk {
    pub(super) fn new(at: u64, how: How) -> Self {
        Self(Arc::new(Trouble { calls: AtomicU64::new(0), at: at.into(), how, asked: Mutex::default() }))
    }

    /// From now on it fails at this call, and at no other.
    pub(super) fn stop_at(&self, at: u64) {
        self.0.at.store(at, Ordering::SeqCst);
    }

    /// How often it was asked.
    pub(super) fn calls(&self) -> u64 {
        self.0.calls.load(Ordering::SeqCst)
    }

    fn file(&self, path: &Path, open: impl FnOnce() -> Result<Box<dyn DiskFile>>) -> Result<Box<dyn DiskFile>> {
        let file = self.0.call("open", path, open)?;
        Ok(Box::new(TroubledFile { file, path: path.to_owned(), trouble: self.0.clone(), failed: false }))
    }
}

struct TroubledFile {
    file: Box<dyn DiskFile>,
    path: PathBuf,
    trouble: Arc<Trouble>,
    failed: bool,
}

impl TroubledFile {
    fn usable(&self) -> Result<()> {
        if self.failed { Err(Error::disk("use", &self.path, std::io::Error::other("failed before"))) } else { Ok(()) }
    }
}

impl DiskFile for TroubledFile {
    fn append(&mut self, bytes: &[u8]) -> Result<()> {
        self.usable()?;
        let done = self.trouble.call("append", &self.path, || self.file.append(bytes));
        self.failed |= done.is_err();
        done
    }
    fn read_at(&self, out: &mut [u8], offset: u64) -> Result<()> {
        self.usable()?;
        self.trouble.call("read_at", &self.path, || self.file.read_at(out, offset))
    }
    fn len(&self) -> Result<u64> {
        self.file.len()
    }
    fn write_back(&self) {}
    fn sync(&mut self) -> Result<()> {
        self.usable()?;
        let done = self.trouble.call("sync", &self.path, || self.file.sync());
        self.failed |= done.is_err();
        done
    }
}

impl Disk for TroubledDisk {
    fn create_new(&self, path: &Path) -> Result<Box<dyn DiskFile>> {
        self.file(path, || RealDisk.create_new(path))
    }
    fn open(&self, path: &Path) -> Result<Box<dyn DiskFile>> {
        self.file(path, || RealDisk.open(path))
    }
    fn open_append(&self, path: &Path) -> Result<Box<dyn DiskFile>> {
        self.file(path, || RealDisk.open_append(path))
    }
    fn read(&self, path: &Path, most: usize) -> Result<Vec<u8>> {
        // Not of the vault, and not to be counted on.
        if path.file_name() == Some(OsStr::new("machine-id")) {
            return RealDisk.read(path, most);
        }
        self.0.call("read", path, || RealDisk.read(path, most))
    }
    fn list(&self, dir: &Path) -> Result<Vec<Named>> {
        self.0.call("list", dir, || RealDisk.list(dir))
    }
    fn make_dir(&self, path: &Path) -> Result<()> {
        self.0.call("make_dir", path, || RealDisk.make_dir(path))
    }
    fn sync_dir(&self, path: &Path) -> Result<()> {
        self.0.call("sync_dir", path, || RealDisk.sync_dir(path))
    }
    fn link_new(&self, from: &Path, to: &Path) -> Result<()> {
        self.0.call("link_new", to, || RealDisk.link_new(from, to))
    }
    fn rename(&self, from: &Path, to: &Path) -> Result<()> {
        self.0.call("rename", to, || RealDisk.rename(from, to))
    }
    fn remove_file(&self, path: &Path) -> Result<()> {
        self.0.call("remove_file", path, || RealDisk.remove_file(path))
    }
    fn remove_dir(&self, path: &Path) -> Result<()> {
        self.0.call("remove_dir", path, || RealDisk.remove_dir(path))
    }
    fn lock(&self, path: &Path) -> Result<Option<Lock>> {
        self.0.call("lock", path, || RealDisk.lock(path))
    }
    fn exists(&self, path: &Path) -> Result<Option<Found>> {
        self.0.call("exists", path, || RealDisk.exists(path))
    }
    fn free_bytes(&self, path: &Path) -> Result<u64> {
        RealDisk.free_bytes(path)
    }
    fn is_local(&self, path: &Path) -> Result<bool> {
        RealDisk.is_local(path)
    }
    fn user(&self) -> u32 {
        RealDisk.user()
    }
}

/// Opens, backs up and commits; gives what the commit answered, if it came so far.
fn attempt(world: &World, disk: TroubledDisk, tree: &Tree) -> Result<Outcome> {
    let vault = world.open_on(Arc::new(disk), Access::Write)?;
    let account = vault.account(&AccountSelector::Only)?;
    let domain = vault.domain(&account)?;
    let mut session = domain.begin(&account, &[SOURCE], None)?;
    world.back_up(&mut session, tree)
}

fn every_call(how: How) {
    let mut finished_before = 0;
    let (template, vault, account) = World::with_account();
    drop(vault);
    for at in 0.. {
        let world = template.copy();
        let (first, second) = (tree(&account, 1), tree(&account, 2));
        let disk = TroubledDisk::new(at, how);
        let trouble = disk.0.clone();
        let answer = attempt(&world, disk, &first);
        let reached = trouble.calls.load(Ordering::SeqCst) > at;

        let (_, account, domain) = world.reopen();
        let head = domain.head(&account).unwrap().unwrap().sequence;
        assert!(head == 2 || head == 3, "call {at}");
        if let Ok(answer) = &answer {
            assert_eq!((committed(answer), head), (3, 3), "call {at} was told as done");
        }
        if head == 3 {
            // Only when not even a sync of the link itself worked may the caller be told of a failure.
            assert!(answer.is_ok() || how == How::FromThenOn, "call {at}: {answer:?}, and yet it is there");
            assert_whole(&domain, &first);
        }
        drop(domain);
        assert_eq!(committed(&world.back_up_now(&second)), head + 1, "after call {at}");
        let (_, account, domain) = world.reopen();
        let summary = domain
            .check(&crate::vault::CheckWhat { read_data: true }, &mut |event| match event {
                crate::vault::CheckEvent::Finding(finding) => panic!("after call {at}: {finding:?}"),
                crate::vault::CheckEvent::Progress(_) => Ok(()),
            })
            .unwrap();
        assert_eq!(summary.links, head + 1);
        assert_eq!(named(&world.domain_folder(&account).join("staging"), "").len(), 0, "after call {at}");
        if !reached {
            assert!(finished_before > 30, "a backup makes more calls than {finished_before}");
            return;
        }
        finished_before = at;
    }
}

fn assert_whole(domain: &Domain, tree: &Tree) {
    assert_eq!(domain.lacking_nodes(&[tree.root]).unwrap(), [false]);
    for place in &domain.boxes_for(&tree.chunks).unwrap().places {
        domain.read(place).unwrap();
    }
    let mut groups = 0;
    domain
        .groups_under(tree.root, &|_| false, &mut |_| {
            groups += 1;
            Ok(())
        })
        .unwrap();
    assert_eq!(groups, 2);
}

#[test]
fn a_call_that_does_nothing_and_fails() {
    every_call(How::Before);
}

#[test]
fn a_call_that_is_done_and_fails() {
    every_call(How::After);
}

#[test]
fn a_disk_that_stops() {
    every_call(How::FromThenOn);
}

#[test]
fn everything_is_durable_before_what_relies_on_it() {
    let (world, vault, account) = World::with_account();
    drop(vault);
    let disk = TroubledDisk::new(u64::MAX, How::Before);
    let trouble = disk.0.clone();
    attempt(&world, disk, &tree(&account, 1)).unwrap();
    let asked = trouble.asked.lock().unwrap();
    let text: Vec<String> = asked
        .iter()
        .map(|(what, path)| {
            let name = path.file_name().unwrap().to_str().unwrap();
            let end = name.rsplit('.').next().unwrap();
            // Folders of packs have random names of two digits.
            format!("{what} {}", if end.len() == 2 { "packs/xx" } else { end })
        })
        .collect();
    // The folder `packs` itself always: the name of a folder in it may be another's, who has not synced it.
    let expected = [
        "sync part",
        "link_new pack",
        "sync_dir packs",
        "sync_dir packs/xx",
        "sync new",
        "link_new body",
        "sync_dir bodies",
        "sync new",
        "link_new link",
        "sync_dir versions",
    ];
    assert_eq!(text, expected);
}
