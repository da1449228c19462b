//! Reads back what was restored and compares it with the version, without the vault: chunk by chunk, by their ids.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use rustix::fs::{Advice, Mode, OFlags, SeekFrom, fadvise, openat, seek};
use rustix::io::Errno;
use store::seal::Sealer;
use store::tree::{Content, Entry, NodeSource, Piece, PieceReader, What};

use super::filter::Filter;
use super::flow::{Flow, about, add, failure};
use super::item::size_of;
use super::place::{Finish, Place};
use super::roots::{Root, above};
use crate::engine::crew::start;
use crate::engine::job::Overwrite;
use crate::engine::overlay::{Found, Overlay};
use crate::engine::queue::{Queue, lock};
use crate::engine::walk::{Step, Walk};
use crate::event::{Action, Event, Phase};
use crate::fault::{Code, Fault, Result};
use crate::profile::{self, Stage, did};
use crate::target::{Target, is_link_to, same};

/// Names that wait to be looked at.
const WAITING_MAX: usize = 1024;
/// What is read at once where zeros must be.
const ZEROS_BYTES: usize = 1 << 20;

/// One name to look at.
struct Check {
    place: Arc<Place>,
    entry: Entry,
}

/// Looks at everything that the roots lead to, on so many threads. What differs is told and counted.
pub fn run(flow: &Flow<'_>, overlay: &Overlay<'_>, roots: &[Root<'_>], filter: &Filter, threads: usize) -> Result<()> {
    flow.watcher.event(&Event::Phase(Phase::Verify));
    flow.profile.phase(profile::Phase::Verify);
    let checks = Queue::new(WAITING_MAX);
    std::thread::scope(|scope| {
        let crew = (0..threads).try_for_each(|_| {
            let work = || {
                let _worker = flow.profile.worker(Stage::Verify);
                let mut buffer = Vec::new();
                while let Some(check) = checks.pop() {
                    look(flow, &check, &mut buffer);
                    did(1, size_of(&check.entry));
                }
            };
            start(scope, work).map(drop)
        });
        let _worker = flow.profile.worker(Stage::Plan);
        let walked = crew.and_then(|()| roots.iter().try_for_each(|root| walk(flow, overlay, root, filter, &checks)));
        if walked.is_err() {
            checks.abandon()
        } else {
            checks.close()
        }
        walked
    })
}

fn walk<'o>(
    flow: &Flow<'_>,
    overlay: &'o Overlay<'o>,
    root: &Root<'o>,
    filter: &Filter,
    checks: &Queue<Check>,
) -> Result<()> {
    let target = Target::open(&root.target, false).map_err(|error| failure(&root.path, error))?;
    // So that it is the disk that is read, and not what was on its way there.
    target
        .sync()
        .map_err(|error| Fault::new(Code::DiskFailed, "the disk did not keep what was written").because(error))?;
    let shown = if root.is_target { root.path.clone() } else { above(&root.path, root.leading.len() + 1) };
    let mut place = flow.places.top(target.top().clone(), &shown, Finish::Leave);
    for leading in &root.leading {
        let Some(next) = enter(flow, &place, leading) else { return Ok(()) };
        place = next;
    }
    // Directories that the walk is in; `None`: not there, or not wanted.
    let mut places = vec![Some(place)];
    let visit = |found: &Found<'o>, path: &[u8], places: &mut Vec<Option<Arc<Place>>>| {
        if filter.excludes(path) {
            return false;
        }
        let Some(Some(place)) = places.last() else { return false };
        if found.is_dir() {
            let next = enter(flow, place, found);
            let there = next.is_some();
            if there {
                places.push(next);
            } else if filter.includes(path) && !found.made_up && !lock(&flow.failed_paths).contains(path) {
                differs(flow, path, "the directory is not there");
            }
            return there;
        }
        if filter.includes(path) && !lock(&flow.failed_paths).contains(path) {
            let check = Check { place: Arc::clone(place), entry: found.entry.clone() };
            // A closed queue means that the run has failed already.
            drop(checks.push(check));
        }
        false
    };
    if !root.is_target && !visit(&root.found, &root.path, &mut places) {
        return Ok(());
    }
    let mut walk = Walk::new(overlay, &root.path, &root.found);
    loop {
        if flow.stop.asked() {
            return Err(Fault::new(Code::Interrupted, "the verification was interrupted"));
        }
        match walk.next() {
            Ok(None) => return Ok(()),
            Ok(Some(Step::Leave)) => {
                if let Some(Some(place)) = places.pop() {
                    flow.places.forget(&place);
                }
            }
            Ok(Some(Step::Name(found))) => {
                if visit(&found, walk.path(), &mut places) {
                    walk.enter(&found);
                }
            }
            // Told when it was planned.
            Err(_) => {}
        }
    }
}

fn enter(flow: &Flow<'_>, above: &Arc<Place>, found: &Found<'_>) -> Option<Arc<Place>> {
    let (name, dir) = (&found.entry.name, flow.places.open(above).ok()?);
    let stat = dir.existing(name).ok()??;
    if let Some(led) = flow.led(&dir, name, &stat, found.is_source_top()) {
        return Some(flow.places.led(above, name, led, Finish::Leave));
    }
    Some(flow.places.below(above, name, dir.child(name).ok()?, Finish::Leave))
}

fn differs(flow: &Flow<'_>, path: &[u8], why: &str) {
    add(&flow.counts.skipped, 1);
    flow.warn(about(path, Fault::new(Code::Differs, why)));
}

/// Looks at one name.
fn look(flow: &Flow<'_>, check: &Check, buffer: &mut Vec<u8>) {
    let path = || check.place.path_of(&check.entry.name);
    match compare(flow, check, buffer) {
        Ok(Outcome::Equal) => {
            add(&flow.counts.verified, 1);
            flow.told(Action::Verified, path, size_of(&check.entry));
        }
        Ok(Outcome::Left) => {}
        Ok(Outcome::Differs(why)) => differs(flow, &path(), why),
        Err(error) => differs(flow, &path(), &format!("it cannot be read back ({error})")),
    }
}

enum Outcome {
    Equal,
    /// It was left as it stood, or has the holes that were told.
    Left,
    Differs(&'static str),
}

fn compare(flow: &Flow<'_>, check: &Check, buffer: &mut Vec<u8>) -> io::Result<Outcome> {
    let dir = flow.places.open(&check.place)?;
    let entry = &flow.as_written(&dir, &check.entry)?;
    let name = &entry.name;
    let Some(stat) = dir.existing(name)? else { return Ok(Outcome::Differs("it is not there")) };
    let leaves = matches!(flow.options.overwrite, Overwrite::Never | Overwrite::IfNewer);
    if leaves && !same(&stat, entry) {
        return Ok(Outcome::Left);
    }
    if stat.kind != entry.what.kind() {
        return Ok(Outcome::Differs("something else stands there"));
    }
    match &entry.what {
        What::File { size, .. } if stat.size != *size => Ok(Outcome::Differs("it has another size")),
        What::File { size, content, .. } => {
            let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
            let file = File::from(openat(&dir, &**name, flags, Mode::empty())?);
            // A hint; what cannot be dropped from memory is compared there.
            fadvise(&file, 0, None, Advice::DontNeed).ok();
            let holes = lock(&flow.holed_paths).contains(&check.place.path_of(name));
            let equal = has_content((flow.nodes, flow.sealer), &file, (*size, content), holes, buffer)?;
            Ok(match equal {
                false => Outcome::Differs("its content differs"),
                true if holes => Outcome::Left,
                true => Outcome::Equal,
            })
        }
        What::Symlink(target) if !is_link_to(&dir, name, target) => Ok(Outcome::Differs("it leads elsewhere")),
        _ => Ok(Outcome::Equal),
    }
}

/// Whether an open file of this size has this content: it is hashed piece by piece, as the version has cut it, and the ids
/// are compared. With `holes`, zeros may stand for any piece.
pub fn has_content(
    (nodes, sealer): (&dyn NodeSource, &Sealer),
    file: &File,
    (size, content): (u64, &Content),
    holes: bool,
    buffer: &mut Vec<u8>,
) -> io::Result<bool> {
    if let Content::Inline(bytes) = content {
        buffer.resize(bytes.len(), 0);
        file.read_exact_at(buffer, 0)?;
        return Ok(**bytes == **buffer);
    }
    let mut offset = 0u64;
    for piece in PieceReader::new(nodes, content, size) {
        let piece = piece.map_err(io::Error::other)?;
        let equal = match piece {
            Piece::Data { id, len } => {
                buffer.resize(len as usize, 0);
                file.read_exact_at(buffer, offset)?;
                sealer.chunk_id(buffer) == id || (holes && store::chunk::is_zero(buffer))
            }
            Piece::Hole(len) | Piece::Zeros(len) => is_zero(file, offset, offset.saturating_add(len), buffer)?,
        };
        if !equal {
            return Ok(false);
        }
        offset = offset.saturating_add(piece.len());
    }
    Ok(true)
}

/// Whether a range reads as zeros; what is a hole is not read.
fn is_zero(file: &File, from: u64, end: u64, buffer: &mut Vec<u8>) -> io::Result<bool> {
    let mut at = from;
    while at < end {
        let data = match seek(file, SeekFrom::Data(at)) {
            Ok(data) => data.max(at),
            Err(Errno::NXIO) => return Ok(true),
            Err(_) => at,
        };
        if data >= end {
            return Ok(true);
        }
        let stop = seek(file, SeekFrom::Hole(data)).unwrap_or(end).clamp(data.saturating_add(1), end);
        at = data;
        while at < stop {
            let len = usize::try_from(stop - at).unwrap_or(usize::MAX).min(ZEROS_BYTES);
            buffer.resize(len, 0);
            file.read_exact_at(buffer, at)?;
            if !store::chunk::is_zero(buffer) {
                return Ok(false);
            }
            at += len as u64;
        }
    }
    Ok(true)
}
