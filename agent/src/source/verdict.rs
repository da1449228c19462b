//! Whether a file must be read again.
//!
//! The entry of the version before says what the system said then: size, times, inode, permissions and owner all count.
//! A change time cannot be set by a program, so what looks the same is the same, but for files that were written to at
//! about the moment they were read: those are [`racy`] and read once more.

use store::tree::{Kind, Look, Time};

use super::stat::Stat;

/// What is not as it was.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "a list of yes and no, one for each thing compared")]
pub struct Changes {
    /// Another kind of file, link target or device.
    pub kind: bool,
    /// Another size of a regular file.
    pub size: bool,
    /// Another modification time; also one that lies further back.
    pub mtime: bool,
    /// Another change time: attributes, ACLs, flags, number of names.
    pub ctime: bool,
    /// Another inode: a new file took the name.
    pub inode: bool,
    /// Other permission bits.
    pub mode: bool,
    /// Another user or group number.
    pub owner: bool,
}

impl Changes {
    /// Whether anything is not as it was.
    #[must_use]
    pub fn any(&self) -> bool {
        *self != Self::default()
    }
}

/// What a comparison with the version before says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// As it was: the entry is taken over unread.
    Same,
    /// As it was, but it had been too fresh to be sure: read it once more.
    Racy,
    /// Something changed.
    Changed(Changes),
}

/// Compares an entry of the version before with what the system says now. No call is made.
#[must_use]
pub fn verdict(previous: &Look, stat: &Stat) -> Verdict {
    verdict_on(previous, stat, true)
}

/// The same on a file system that may have no stable inode numbers
/// ([`MountFacts::inodes_stable`](super::MountFacts::inodes_stable)): then they are not compared.
#[must_use]
pub fn verdict_on(previous: &Look, stat: &Stat, inodes_stable: bool) -> Verdict {
    let is_device = matches!(stat.kind, Kind::Char | Kind::Block);
    let same_kind = previous.kind == stat.kind && (!is_device || previous.device == stat.rdev);
    let both_files = (previous.kind, stat.kind) == (Kind::File, Kind::File);
    let changes = Changes {
        kind: !same_kind,
        size: both_files && previous.size != stat.size,
        mtime: previous.mtime != stat.mtime,
        ctime: previous.ctime != stat.ctime,
        inode: inodes_stable && previous.inode != stat.inode,
        mode: previous.mode != stat.mode,
        owner: previous.owner != (stat.uid, stat.gid),
    };
    match (changes.any(), previous.racy) {
        (true, _) => Verdict::Changed(changes),
        (false, true) => Verdict::Racy,
        (false, false) => Verdict::Same,
    }
}

/// A file changed more recently than this before it was read may change again and keep its times: stores through a memory
/// map move them up to half a minute late.
pub const RACY_MTIME_NS: i128 = 60_000_000_000;

/// Whole seconds in a ctime hint at a file system that keeps no finer times.
const SECOND_NS: i128 = 1_000_000_000;

/// Whether a file whose content was read at `read_at_ns` (nanoseconds since 1970, the moment reading began) was too fresh,
/// or has times in the future, so that equal times next time would not prove equal content. `granularity_ns` is that of the
/// file system's times ([`MountFacts::granularity_ns`](super::MountFacts::granularity_ns)).
#[must_use]
pub fn racy(stat: &Stat, read_at_ns: i128, granularity_ns: i128) -> bool {
    let coarse = if stat.ctime.nanos == 0 { SECOND_NS } else { 0 };
    let younger_than = |time: Time, age_ns: i128| read_at_ns - nanoseconds(time) < age_ns;
    younger_than(stat.mtime, RACY_MTIME_NS) || younger_than(stat.ctime, granularity_ns.max(coarse))
}

fn nanoseconds(time: Time) -> i128 {
    i128::from(time.secs) * SECOND_NS + i128::from(time.nanos)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stat() -> Stat {
        Stat {
            kind: Kind::File,
            mode: 0o644,
            uid: 1,
            gid: 2,
            size: 10,
            blocks: 8,
            mtime: Time { secs: 1000, nanos: 5 },
            ctime: Time { secs: 1001, nanos: 6 },
            birth: None,
            inode: 7,
            device: 8,
            links: 1,
            rdev: (0, 0),
            mount: None,
            flags: 0,
        }
    }

    fn look(stat: &Stat) -> Look {
        Look {
            kind: stat.kind,
            mode: stat.mode,
            owner: (stat.uid, stat.gid),
            size: stat.size,
            device: stat.rdev,
            mtime: stat.mtime,
            ctime: stat.ctime,
            inode: stat.inode,
            racy: false,
            marked: false,
        }
    }

    #[test]
    fn each_difference_is_named() {
        let before = look(&stat());
        assert_eq!(verdict(&before, &stat()), Verdict::Same);
        let none = Changes::default();
        let t = |secs| Time { secs, nanos: 5 };
        let cases = [
            (Stat { kind: Kind::Fifo, ..stat() }, Changes { kind: true, ..none }),
            (Stat { size: 11, ..stat() }, Changes { size: true, ..none }),
            (Stat { mtime: t(999), ..stat() }, Changes { mtime: true, ..none }),
            (Stat { ctime: t(1002), ..stat() }, Changes { ctime: true, ..none }),
            (Stat { inode: 8, ..stat() }, Changes { inode: true, ..none }),
            (Stat { mode: 0o600, ..stat() }, Changes { mode: true, ..none }),
            (Stat { uid: 0, ..stat() }, Changes { owner: true, ..none }),
            (Stat { gid: 0, ..stat() }, Changes { owner: true, ..none }),
        ];
        for (now, changes) in cases {
            assert_eq!(verdict(&before, &now), Verdict::Changed(changes));
        }
    }

    #[test]
    fn inodes_count_only_where_they_are_stable() {
        let now = Stat { inode: 99, ..stat() };
        assert_eq!(verdict_on(&look(&stat()), &now, false), Verdict::Same);
        // Another device number, as after a reboot, is no change.
        assert_eq!(verdict(&look(&stat()), &Stat { device: 99, ..stat() }), Verdict::Same);
    }

    #[test]
    fn a_racy_entry_is_read_again_only_when_nothing_else_changed() {
        let before = Look { racy: true, ..look(&stat()) };
        assert_eq!(verdict(&before, &stat()), Verdict::Racy);
        assert!(matches!(verdict(&before, &Stat { size: 1, ..stat() }), Verdict::Changed(_)));
    }

    #[test]
    fn fresh_and_future_times_are_racy() {
        let ns = |secs: i128| secs * SECOND_NS;
        let tick = 10_000_000;
        // The mtime is at 1000 s and 5 ns.
        assert!(racy(&stat(), ns(1059), tick));
        assert!(racy(&stat(), ns(1060) + 4, tick));
        assert!(!racy(&stat(), ns(1060) + 5, tick));
        // The ctime alone: an old mtime, set back after writing.
        let late = Stat { ctime: Time { secs: 2000, nanos: 1 }, ..stat() };
        assert!(racy(&late, ns(2000) + 1, tick));
        assert!(racy(&late, ns(2000) + tick, tick));
        assert!(!racy(&late, ns(2000) + tick + 1, tick));
        // In the future.
        assert!(racy(&late, ns(1500), tick));
        assert!(racy(&Stat { mtime: Time { secs: 9000, nanos: 0 }, ..stat() }, ns(5000), tick));
        // Whole seconds: perhaps a file system that keeps no more.
        let whole = Stat { ctime: Time { secs: 2000, nanos: 0 }, ..stat() };
        assert!(racy(&whole, ns(2000) + SECOND_NS - 1, tick));
        assert!(!racy(&whole, ns(2001), tick));
    }

    #[test]
    fn extreme_times_are_only_compared() {
        for secs in [i64::MIN, i64::MAX] {
            let odd = Stat { mtime: Time { secs, nanos: 999_999_999 }, ..stat() };
            assert_eq!(racy(&odd, 5000 * SECOND_NS, 1), secs > 0);
        }
    }
}
