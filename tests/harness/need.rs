//! What a test needs of the machine. Where it is missing the test says so and passes, unless `TUCKBOX_TESTS_ALL` is set
//! (`tests/run` sets it after installing everything): then it fails. What was left out is also written, a line each, to
//! the file that `TUCKBOX_LEFT_OUT` names, so that it can be counted at the end.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use rustix::fs::{Mode, OFlags};

use crate::wait;

/// Places of programs, looked through in order.
pub const PATH: &str = "/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin";

/// Whether the test may go on; `why` is told when not.
///
/// # Panics
/// When everything was promised to be there.
pub fn have(present: bool, why: &str) -> bool {
    let all = std::env::var_os("TUCKBOX_TESTS_ALL").is_some_and(|value| !value.is_empty());
    assert!(present || !all, "this test cannot run here: {why}");
    if !present {
        left_out(why);
    }
    present
}

/// Tells that a test, or a part of one, is left out.
fn left_out(why: &str) {
    let test = std::thread::current().name().unwrap_or("a test").to_owned();
    eprintln!("left out: {why}");
    if let Some(list) = std::env::var_os("TUCKBOX_LEFT_OUT") {
        let mut list = std::fs::File::options().append(true).create(true).open(list).unwrap();
        // One write, so that lines of several tests stay whole.
        list.write_all(format!("{test}: {why}\n").as_bytes()).unwrap();
    }
}

/// Whether this process is root.
#[must_use]
pub fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Whether the test may act as root. A test that needs it is left out for other users even when all is promised.
#[must_use]
pub fn root() -> bool {
    if !is_root() {
        left_out("it needs root");
    }
    is_root()
}

/// Whether the file system of this directory makes files that have no name yet (NFS and older overlays do not).
#[must_use]
pub fn files_without_a_name(dir: &Path) -> bool {
    let flags = OFlags::TMPFILE | OFlags::WRONLY | OFlags::CLOEXEC;
    let can = rustix::fs::open(dir, flags, Mode::RUSR | Mode::WUSR).is_ok();
    if !can {
        left_out("it needs a file system that makes files without a name");
    }
    can
}

/// Whether these programs are installed.
pub fn programs(names: &[&str]) -> bool {
    let missing: Vec<_> = names.iter().filter(|name| find(name).is_none()).collect();
    have(missing.is_empty(), &format!("not installed: {missing:?}"))
}

/// Where a program is.
#[must_use]
pub fn find(name: &str) -> Option<PathBuf> {
    PATH.split(':').map(|place| Path::new(place).join(name)).find(|path| path.is_file())
}

/// A small file system in memory, until this is dropped.
#[derive(Debug)]
pub struct Mounted(PathBuf);

/// Mounts one of at most `size` (as `mount` takes it; `1m,nr_inodes=50` also bounds the files), where the system lets us.
#[must_use]
pub fn mount_tmpfs(at: &Path, size: &str) -> Option<Mounted> {
    mount(at, &["-t", "tmpfs", "-o", &format!("size={size},mode=755"), "tmpfs"])
}

/// Mounts a directory once more, where the system lets us.
#[must_use]
pub fn mount_again(at: &Path, what: &Path) -> Option<Mounted> {
    mount(at, &["--bind", what.to_str()?])
}

/// Longest wait for those who still use a file system that is to be taken away.
const SOON: Duration = Duration::from_secs(60);

impl Mounted {
    /// Takes it away, as soon as nobody uses it any more. Who only detaches an image and mounts it again gets the file
    /// system that is still in use, in the state that it was in.
    ///
    /// # Panics
    /// When it stays in use.
    pub fn taken_away(self) {
        let gone = || Command::new("umount").arg(&self.0).output().is_ok_and(|out| out.status.success());
        wait::until(SOON, "a file system that nobody uses", gone);
        std::mem::forget(self);
    }
}

/// Makes the image of an empty disk of 8 MiB and mounts it, where the system lets us.
///
/// # Panics
/// When it cannot be made.
#[must_use]
pub fn mount_new_image(at: &Path, image: &Path) -> Option<Mounted> {
    if !programs(&["mkfs.ext4"]) {
        return None;
    }
    std::fs::File::create(image).and_then(|file| file.set_len(8 << 20)).expect("an image");
    let made = Command::new(find("mkfs.ext4").expect("looked for before")).arg("-q").arg(image).output();
    assert!(made.is_ok_and(|made| made.status.success()), "no file system was made");
    let mounted = mount_image(at, image)?;
    std::fs::remove_dir(at.join("lost+found")).expect("an empty disk");
    Some(mounted)
}

/// Mounts an image of a file system, where the system lets us.
#[must_use]
pub fn mount_image(at: &Path, image: &Path) -> Option<Mounted> {
    mount(at, &["-o", "loop", image.to_str()?])
}

/// Mounts an image again that was taken away. The loop device that it had, or the last one that was free, may for a while
/// be another's.
///
/// # Panics
/// When it cannot be mounted any more.
#[must_use]
pub fn mount_image_again(at: &Path, image: &Path) -> Mounted {
    let mut mounted = None;
    wait::until(SOON, "an image that comes up again", || {
        mounted = image.to_str().and_then(|image| try_mount(at, &["-o", "loop", image]));
        mounted.is_some()
    });
    mounted.expect("waited for")
}

fn mount(at: &Path, words: &[&str]) -> Option<Mounted> {
    let mounted = try_mount(at, words);
    have_privilege(mounted.is_some(), "this place does not allow mounting");
    mounted
}

fn try_mount(at: &Path, words: &[&str]) -> Option<Mounted> {
    let done = Command::new("mount").args(words).arg(at).output();
    done.is_ok_and(|out| out.status.success()).then(|| Mounted(at.to_owned()))
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let done = Command::new("umount").arg("-l").arg(&self.0).status();
        assert!(done.is_ok_and(|status| status.success()), "{} stays mounted", self.0.display());
    }
}

/// What a container may forbid even to root, is never promised.
pub fn have_privilege(present: bool, why: &str) -> bool {
    if !present {
        left_out(why);
    }
    present
}
