//! Mount points below a source: a disk or a share that is not mounted today has deleted nothing.
//!
//! Which directories were mount points when the newest version was made stands in the state: the version itself has no
//! room for it, and where the state is lost nothing is remembered once. A remembered one that is none now, or is not there
//! any more, loses nothing: what the version before has below it and the disk has not is kept and marked missing at once,
//! whatever the share, and counts for no other guard. What is there is taken as ever.
//!
//! As for a source that is a mount point itself, it is enough that *something* is mounted there: what another disk at the
//! same place has not is for the source's guard. A mount point is forgotten when nothing below it is kept any more.

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use store::tree::{Entry, Mark, NodeSource, What, find};

use crate::engine::queue::lock;

/// Mount points that are remembered of one source: more than disks and shares of a machine. What comes and goes in hundreds
/// is made by programs, and whoever looks for a mount point among them looks through this list …
pub const POINTS_MAX: usize = 256;
/// … and bytes of their paths, so that those of some hundred sources have room in the file of state.
pub const PATHS_BYTES_MAX: usize = 16 << 10;

/// The mount points below one source, in one pass.
#[derive(Default)]
pub struct Mounts {
    /// Those of the version before, by the names of their paths.
    was: Arc<[Arc<Point>]>,
    /// Those that were met, by the number of names of their paths below the source: one more at most than is remembered.
    met: Mutex<BTreeSet<(usize, Vec<u8>)>>,
    /// Since when what is kept now is missing, seconds since 1970.
    since_s: u64,
    /// Files that are kept now.
    lost_files: AtomicU64,
}

/// A directory that was a mount point.
#[derive(Default)]
pub struct Point {
    /// The names of its path below the source.
    names: Vec<Box<[u8]>>,
    /// Files below it in the version before …
    had_files: AtomicU64,
    /// … those among them that were missing already …
    kept_files: AtomicU64,
    /// … and those that are since now.
    lost_files: AtomicU64,
    /// It is no mount point now: it was looked into, or nothing of it is left.
    is_none: AtomicBool,
    /// Something below it is kept.
    keeps: AtomicBool,
}

impl Point {
    fn new(path: &[u8]) -> Self {
        Self { names: path.split(|byte| *byte == b'/').map(Box::from).collect(), ..Self::default() }
    }

    fn path(&self) -> Vec<u8> {
        self.names.join(&b'/')
    }

    /// It is looked into, and nothing is mounted there.
    pub fn is_none(&self) {
        self.is_none.store(true, Ordering::Relaxed);
    }

    /// Whether the version in progress has something of it that a later run could lose.
    fn stays(&self) -> bool {
        !self.is_none.load(Ordering::Relaxed) || self.keeps.load(Ordering::Relaxed)
    }
}

/// What is lost with mount points that are none now.
pub struct Unmounted {
    /// Each with what the version before holds of it; `None`: that was counted before.
    points: Vec<(Arc<Point>, Option<u64>)>,
    /// Since when all of it is missing, when it was missing in the version before, seconds since 1970.
    pub since: Option<u64>,
}

impl Unmounted {
    /// A directory where nothing is mounted now, and which was this; `None`: it held no files.
    pub fn dir(point: &Arc<Point>, files: u64, mark: Option<Mark>) -> Option<Arc<Self>> {
        point.had_files.fetch_add(files, Ordering::Relaxed);
        let since = mark.and_then(|mark| if let Mark::Missing(since) = mark { Some(since) } else { None });
        (files > 0).then(|| Arc::new(Self { points: vec![(Arc::clone(point), None)], since }))
    }

    /// Counts files that were missing before and are kept further.
    pub fn count_kept(&self, files: u64) {
        for (point, _) in &self.points {
            point.keeps.store(true, Ordering::Relaxed);
            point.kept_files.fetch_add(files, Ordering::Relaxed);
        }
    }
}

/// Mount points of the version before that are at or below a directory.
#[derive(Clone)]
pub struct Ahead {
    points: Arc<[Arc<Point>]>,
    /// Which of them.
    range: Range<usize>,
    /// Names of the directory's path.
    depth: usize,
}

impl Ahead {
    fn points(&self) -> &[Arc<Point>] {
        self.points.get(self.range.clone()).unwrap_or_default()
    }

    /// Those at or below a name in it.
    pub fn below(&self, name: &[u8]) -> Option<Self> {
        let at = |point: &Arc<Point>| point.names.get(self.depth).map(|name| name.to_vec());
        let (points, name) = (self.points(), Some(name));
        let from = points.partition_point(|point| at(point).as_deref() < name);
        let to = points.partition_point(|point| at(point).as_deref() <= name);
        let range = self.range.start + from..self.range.start + to;
        (from < to).then(|| Self { points: Arc::clone(&self.points), range, depth: self.depth + 1 })
    }

    /// The directory itself, if it is one.
    pub fn point(&self) -> Option<&Arc<Point>> {
        self.points().first().filter(|point| point.names.len() == self.depth)
    }

    /// Nothing is left of them.
    pub fn are_none(&self) {
        self.points().iter().for_each(|point| point.is_none());
    }

    /// What goes with this entry of the version before: those of them of which it holds files.
    pub fn lost_with(&self, nodes: &dyn NodeSource, entry: &Entry) -> Option<Arc<Unmounted>> {
        let held = |point: &Arc<Point>| {
            let below = point.names.get(self.depth..).unwrap_or_default();
            (Arc::clone(point), files_at(nodes, entry, below))
        };
        let points: Vec<_> = self.points().iter().map(held).filter(|(_, files)| *files > 0).collect();
        let points: Vec<_> = points.into_iter().map(|(point, files)| (point, Some(files))).collect();
        (!points.is_empty()).then(|| Arc::new(Unmounted { points, since: None }))
    }
}

/// Files of the directory at these names below an entry. What cannot be read may hold all of them.
fn files_at(nodes: &dyn NodeSource, entry: &Entry, names: &[Box<[u8]>]) -> u64 {
    let What::Dir(mut at) = entry.what else { return 0 };
    for name in names {
        match find(nodes, at.node, name) {
            Ok(Some(Entry { what: What::Dir(child), .. })) => at = child,
            Ok(_) => return 0,
            Err(_) => break,
        }
    }
    at.totals.files
}

impl Mounts {
    /// With these paths below the source, as the state has them.
    pub fn new(paths: &[Vec<u8>], since_s: u64) -> Self {
        let mut was: Vec<_> = paths.iter().take(POINTS_MAX).map(|path| Arc::new(Point::new(path))).collect();
        was.sort_by(|a, b| a.names.cmp(&b.names));
        Self { was: was.into(), since_s, ..Self::default() }
    }

    /// The same for another pass.
    pub fn again(&self) -> Self {
        let was = self.was.iter().map(|point| Arc::new(Point { names: point.names.clone(), ..Point::default() }));
        Self { was: was.collect(), since_s: self.since_s, ..Self::default() }
    }

    /// Those below the source itself.
    pub fn ahead(&self) -> Option<Ahead> {
        let range = 0..self.was.len();
        (!range.is_empty()).then(|| Ahead { points: Arc::clone(&self.was), range, depth: 0 })
    }

    /// Something is mounted at this path below the source.
    pub fn meet(&self, path: &[u8]) {
        let mut met = lock(&self.met);
        met.insert((path.split(|byte| *byte == b'/').count(), path.to_vec()));
        if met.len() > POINTS_MAX + 1 {
            met.pop_last();
        }
    }

    /// Files of the version before that are not there, as nothing is mounted there. Gives the mark that they get.
    pub fn keep(&self, unmounted: &Unmounted, files: u64) -> Mark {
        self.lost_files.fetch_add(files, Ordering::Relaxed);
        for (point, held) in &unmounted.points {
            point.keeps.store(true, Ordering::Relaxed);
            point.had_files.fetch_add(held.unwrap_or(0), Ordering::Relaxed);
            point.lost_files.fetch_add(held.unwrap_or(files), Ordering::Relaxed);
        }
        Mark::Missing(self.since_s)
    }

    /// Files that are kept since now.
    pub fn lost_files(&self) -> u64 {
        self.lost_files.load(Ordering::Relaxed)
    }

    /// Since when they are missing, seconds since 1970.
    pub fn missing_since(&self) -> Option<u64> {
        (self.lost_files() > 0).then_some(self.since_s)
    }

    /// Paths below the source where files are missing since now: how many, and of how many.
    pub fn losses(&self) -> Vec<(Vec<u8>, u64, u64)> {
        let loss = |point: &Arc<Point>| {
            let [had, kept, lost] =
                [&point.had_files, &point.kept_files, &point.lost_files].map(|n| n.load(Ordering::Relaxed));
            (lost > 0).then(|| (point.path(), lost, had.saturating_sub(kept)))
        };
        self.was.iter().filter_map(loss).collect()
    }

    /// What is to be remembered when the version stands, and whether there was more: first what is kept, then what has the
    /// fewest names, as what is mounted below goes with it.
    pub fn remembered(&self) -> (Vec<Vec<u8>>, bool) {
        let stay: BTreeSet<_> = self.was.iter().filter(|point| point.stays()).map(|point| point.path()).collect();
        let met = lock(&self.met);
        let met = met.iter().map(|(_, path)| path).filter(|path| !stay.contains(*path));
        let (mut paths, mut bytes) = (Vec::new(), 0);
        for path in stay.iter().chain(met) {
            bytes += path.len();
            if paths.len() == POINTS_MAX || bytes > PATHS_BYTES_MAX {
                return (paths, true);
            }
            paths.push(path.clone());
        }
        (paths, false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mounts(paths: &[&str]) -> Mounts {
        Mounts::new(&paths.iter().map(|path| path.as_bytes().to_vec()).collect::<Vec<_>>(), 7)
    }

    fn remembered(mounts: &Mounts) -> Vec<String> {
        let mut paths: Vec<_> =
            mounts.remembered().0.into_iter().map(|path| String::from_utf8(path).unwrap()).collect();
        paths.sort();
        paths
    }

    #[test]
    fn the_way_to_a_mount_point_is_found_by_its_names() {
        assert!(mounts(&[]).ahead().is_none());
        let mounts = mounts(&["media/b", "media/a/in", "media/a", "mediaa", "x"]);
        let top = mounts.ahead().unwrap();
        assert!(top.point().is_none() && top.below(b"medi").is_none() && top.below(b"z").is_none());
        assert!(top.below(b"x").unwrap().point().is_some());
        let media = top.below(b"media").unwrap();
        assert!(media.point().is_none() && media.points().len() == 3);
        let a = media.below(b"a").unwrap();
        assert_eq!(a.point().unwrap().path(), b"media/a");
        assert_eq!(a.below(b"in").unwrap().point().unwrap().path(), b"media/a/in");
        assert!(a.below(b"in").unwrap().below(b"in").is_none());
    }

    #[test]
    fn what_is_remembered() {
        let mounts = mounts(&["kept", "left", "unread"]);
        let point = |name: &str| Arc::clone(mounts.ahead().unwrap().below(name.as_bytes()).unwrap().point().unwrap());
        let (kept, left) = (point("kept"), point("left"));
        [&kept, &left].iter().for_each(|point| point.is_none());
        let unmounted = Unmounted::dir(&kept, 3, None).unwrap();
        assert!(Unmounted::dir(&left, 0, None).is_none());
        assert_eq!(mounts.keep(&unmounted, 2), Mark::Missing(7));
        mounts.meet(b"new");
        assert_eq!(remembered(&mounts), ["kept", "new", "unread"]);
        assert_eq!((mounts.losses(), mounts.missing_since()), (vec![(b"kept".to_vec(), 2, 3)], Some(7)));
        let again = mounts.again();
        assert_eq!((remembered(&again).len(), again.losses().len(), again.missing_since()), (3, 0, None));
    }

    #[test]
    fn too_many_are_not_remembered() {
        let mounts = mounts(&["z/kept"]);
        for n in 0..POINTS_MAX + 50 {
            mounts.meet(format!("deep/{n:03}").as_bytes());
            mounts.meet(format!("{n:03}").as_bytes());
        }
        let (paths, more) = mounts.remembered();
        assert!(more && paths.len() == POINTS_MAX && paths.contains(&b"z/kept".to_vec()));
        assert!(!paths.iter().any(|path| path.starts_with(b"deep")));
        let long = Mounts::default();
        (0..9).for_each(|n| long.meet(&[b'a' + n; 4_000]));
        assert_eq!((long.remembered().0.len(), long.remembered().1), (4, true));
    }
}
