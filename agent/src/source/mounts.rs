//! On which file system something lies.

use std::io;
use std::os::fd::AsFd;
use std::path::Path;

use rustix::fs::{AtFlags, CWD, Mode, OFlags, StatxAttributes, StatxFlags, fstatfs, major, minor, openat, statx};

use super::stat::Stat;

/// What is kept about the file system of a source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MountFacts {
    /// As the system calls it: `ext4`, `xfs`, `fuse.sshfs`; `0x…` with the magic number when it tells no name.
    pub fs_type: String,
    /// Device number.
    pub device: u64,
    /// Where it is mounted, raw; empty when the system does not tell.
    pub mount_point: Vec<u8>,
    /// Whether the path itself is the mount point.
    pub is_mount_root: bool,
    /// Whether a file keeps its inode number as long as it lives, also over a remount.
    pub inodes_stable: bool,
    /// Two changes closer than this may show the same time.
    pub granularity_ns: i128,
}

/// What is known of the file system under `path`; the last component is not followed.
pub fn mount_facts(path: &Path) -> io::Result<MountFacts> {
    let fd = openat(CWD, path, OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty())?;
    let stat = Stat::of(fd.as_fd())?;
    let told = statx(&fd, c"", AtFlags::EMPTY_PATH, StatxFlags::empty())?;
    let table = std::fs::read("/proc/self/mountinfo").unwrap_or_default();
    let line = find(&table, &stat);
    let fs_type = match line.as_ref() {
        Some(line) => line.fs_type.clone(),
        None => format!("{:#x}", fstatfs(&fd)?.f_type),
    };
    Ok(MountFacts {
        inodes_stable: inodes_stable(&fs_type),
        granularity_ns: granularity_ns(&fs_type),
        fs_type,
        device: stat.device,
        mount_point: line.map(|line| line.point).unwrap_or_default(),
        is_mount_root: told.stx_attributes.contains(StatxAttributes::MOUNT_ROOT),
    })
}

struct Line {
    point: Vec<u8>,
    fs_type: String,
}

/// Whether what is mounted here is there to stay. What programs and the kernel make as they run, in memory or of other
/// directories, comes and goes: `/run/user`, a container's root, a snap. A file system that does not tell is one to stay.
#[must_use]
pub fn is_lasting(dir: impl AsFd) -> bool {
    const PROC: u32 = 0x9FA0;
    const SYSFS: u32 = 0x6265_6572;
    const TMPFS: u32 = 0x0102_1994;
    const RAMFS: u32 = 0x8584_58F6;
    const OVERLAY: u32 = 0x794C_7630;
    const SQUASHFS: u32 = 0x7371_7368;
    const DEVPTS: u32 = 0x1CD1;
    const CGROUP: u32 = 0x0027_E0EB;
    const CGROUP2: u32 = 0x6367_7270;
    const NSFS: u32 = 0x6E73_6673;
    let passing = [PROC, SYSFS, TMPFS, RAMFS, OVERLAY, SQUASHFS, DEVPTS, CGROUP, CGROUP2, NSFS];
    !fstatfs(dir).is_ok_and(|told| passing.iter().any(|number| i128::from(told.f_type) == i128::from(*number)))
}

/// The line of the mount that the file lies on: by the mount's number, else the last one with its device.
fn find(table: &[u8], stat: &Stat) -> Option<Line> {
    let number = stat.mount.map(|mount| mount.to_string());
    let device = format!("{}:{}", major(stat.device), minor(stat.device));
    let mut by_device = None;
    for line in table.split(|byte| *byte == b'\n') {
        // Number, parent, device, root, mount point, options, optional fields, a dash, file system type, …
        let fields: Vec<&[u8]> = line.split(|byte| *byte == b' ').collect();
        let dash = fields.iter().position(|field| *field == b"-");
        let fs_type = dash.and_then(|dash| fields.get(dash.saturating_add(1)));
        let (Some(id), Some(of), Some(point), Some(fs_type)) = (fields.first(), fields.get(2), fields.get(4), fs_type)
        else {
            continue;
        };
        let found = || Line { point: unescape(point), fs_type: String::from_utf8_lossy(fs_type).into_owned() };
        if number.as_ref().is_some_and(|number| number.as_bytes() == *id) {
            return Some(found());
        }
        if device.as_bytes() == *of {
            by_device = Some(found());
        }
    }
    by_device
}

/// Blanks and the like stand there as `\040`.
fn unescape(field: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(field.len());
    let mut rest = field;
    while let Some((first, below)) = rest.split_first() {
        let octal = below.get(..3).filter(|_| *first == b'\\').and_then(|digits| std::str::from_utf8(digits).ok());
        match octal.and_then(|digits| u8::from_str_radix(digits, 8).ok()) {
            Some(byte) => {
                out.push(byte);
                rest = below.get(3..).unwrap_or_default();
            }
            None => {
                out.push(*first);
                rest = below;
            }
        }
    }
    out
}

/// File systems that make inode numbers up as they go, or pass on those of somebody who may.
fn inodes_stable(fs_type: &str) -> bool {
    let made_up = ["vfat", "msdos", "exfat", "cifs", "smb3", "smbfs", "9p", "virtiofs", "overlay", "vboxsf", "afs"];
    !made_up.contains(&fs_type) && !fs_type.starts_with("fuse")
}

/// Local file systems take the time of the last tick, at most 10 ms ago; others keep whole seconds, or every second one, or
/// have a clock of their own. (Where a ctime has no nanoseconds, [`racy`](super::racy) does not believe this anyway.)
fn granularity_ns(fs_type: &str) -> i128 {
    match fs_type {
        "vfat" | "msdos" | "exfat" => 2_000_000_000,
        "ext4" | "xfs" | "btrfs" | "tmpfs" | "zfs" | "f2fs" | "bcachefs" | "overlay" => 10_000_000,
        _ => 1_000_000_000,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_root_is_a_mount_and_a_new_directory_is_not() {
        let root = mount_facts(Path::new("/")).unwrap();
        assert!(root.is_mount_root && root.mount_point == b"/" && !root.fs_type.is_empty());
        let proc = mount_facts(Path::new("/proc")).unwrap();
        assert_eq!((proc.fs_type.as_str(), &proc.mount_point[..], proc.is_mount_root), ("proc", &b"/proc"[..], true));
        let place = tempfile::tempdir().unwrap();
        let here = mount_facts(place.path()).unwrap();
        assert!(!here.is_mount_root);
        assert_eq!(here.device, Stat::at(CWD, place.path().as_os_str().as_encoded_bytes()).unwrap().device);
        assert!(mount_facts(&place.path().join("none")).is_err());
    }

    #[test]
    fn what_the_kernel_makes_does_not_last() {
        let lasts = |path: &str| is_lasting(openat(CWD, path, OFlags::RDONLY, Mode::empty()).unwrap());
        assert!(!lasts("/proc") && !lasts("/sys") && !lasts("/dev/shm"));
    }

    #[test]
    fn what_is_mounted_in_a_directory_is_told_by_its_mount() {
        let above = Stat { mount: Some(7), device: 1, ..Stat::at(CWD, b"/").unwrap() };
        let told = |mount, device| Stat { mount, device, ..above }.is_mounted_in(&above);
        assert!(told(Some(8), 2) && told(Some(8), 1), "a disk, and a directory mounted once more");
        assert!(!told(Some(7), 1) && !told(Some(7), 2), "a directory, and a subvolume");
        assert!(told(None, 2) && !told(None, 1), "by the device where no mounts are told");
    }

    #[test]
    fn odd_tables_are_read() {
        assert_eq!(unescape(br"/a\040b\134\x\0"), br"/a b\\x\0");
        let stat = Stat::at(CWD, b"/").unwrap();
        let stat = Stat { mount: Some(7), device: rustix::fs::makedev(8, 1), ..stat };
        let table = b"6 1 8:1 / /old rw - ext4 x y\nrubbish\n7 1 0:9 / /new\\012line rw shared:1 - fuse.x a b\n";
        let line = find(table, &stat).unwrap();
        assert_eq!((&line.point[..], line.fs_type.as_str()), (&b"/new\nline"[..], "fuse.x"));
        let line = find(table, &Stat { mount: None, ..stat }).unwrap();
        assert_eq!((&line.point[..], line.fs_type.as_str()), (&b"/old"[..], "ext4"));
        assert!(find(b"", &stat).is_none());
        assert!(!inodes_stable("fuse.x") && inodes_stable("ext4"));
    }
}
