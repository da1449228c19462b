//! What is restored, and where: the paths of a job as pairs of a name in the version and a directory here.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use crate::engine::glob::expand;
use crate::engine::job::RestoreJob;
use crate::engine::overlay::{Found, Overlay, components};
use crate::engine::walk::{Step, Walk};
use crate::fault::{Code, Fault, Result};
use crate::name::for_terminal;

/// One thing that is restored, and where.
pub struct Root<'o> {
    /// What.
    pub found: Found<'o>,
    /// Its path in the version.
    pub path: Vec<u8>,
    /// The directory that the restore may write in.
    pub target: PathBuf,
    /// Directories between the target and it.
    pub leading: Vec<Found<'o>>,
    /// It is the target itself and not a name in it.
    pub is_target: bool,
}

/// The roots of a job, in order of their paths; none lies in another one's place.
pub fn roots<'o>(overlay: &'o Overlay<'o>, job: &RestoreJob) -> Result<Vec<Root<'o>>> {
    let mut asked: Vec<(Vec<u8>, Found<'o>)> = Vec::new();
    for path in &job.paths {
        expand(overlay, path, &mut |path, found, _| {
            asked.push((path.to_vec(), found));
            Ok(())
        })?;
    }
    if job.paths.is_empty() {
        asked.push((b"/".to_vec(), overlay.top()?));
    }
    asked.sort_by(|(a, _), (b, _)| components(a).cmp(components(b)));
    asked.dedup_by(|(a, _), (b, _)| a == b);
    let full = job.paths.is_empty() || job.full_paths;
    match &job.to {
        None => in_place(overlay, asked),
        Some(to) if full => {
            without_inner(asked).into_iter().map(|(path, found)| whole(overlay, to, path, found)).collect()
        }
        Some(to) => beside(to, asked),
    }
}

/// Beneath the target by the last component.
fn beside<'o>(to: &Path, asked: Vec<(Vec<u8>, Found<'o>)>) -> Result<Vec<Root<'o>>> {
    let mut roots: Vec<Root<'o>> = Vec::new();
    for (path, found) in asked {
        let is_target = path == b"/";
        if let Some(other) = roots.iter().find(|root| root.found.entry.name == found.entry.name) {
            let (one, two) = (for_terminal(&other.path), for_terminal(&path));
            return Err(
                Fault::new(Code::Usage, format!("{one} and {two} would have the same name")).hint("add --full-paths")
            );
        }
        roots.push(Root { found, path, target: to.to_path_buf(), leading: Vec::new(), is_target });
    }
    Ok(roots)
}

/// Beneath the target by the whole path.
fn whole<'o>(overlay: &'o Overlay<'o>, to: &Path, path: Vec<u8>, found: Found<'o>) -> Result<Root<'o>> {
    let mut leading = Vec::new();
    let mut at = overlay.top()?;
    let depth = components(&path).count();
    for name in components(&path).take(depth.saturating_sub(1)) {
        let Some(next) = overlay.child(&at, name)? else { break };
        leading.push(next.clone());
        at = next;
    }
    let is_target = depth == 0;
    Ok(Root { found, path, target: to.to_path_buf(), leading, is_target })
}

/// Where the sources were. What only leads to sources stays as it is here.
fn in_place<'o>(overlay: &'o Overlay<'o>, asked: Vec<(Vec<u8>, Found<'o>)>) -> Result<Vec<Root<'o>>> {
    let mut real = Vec::new();
    for (path, found) in without_inner(asked) {
        if !found.made_up {
            real.push((path, found));
            continue;
        }
        let mut walk = Walk::new(overlay, &path, &found);
        while let Some(step) = walk.next()? {
            match step {
                Step::Name(found) if found.made_up => walk.enter(&found),
                Step::Name(found) => real.push((walk.path().to_vec(), found)),
                Step::Leave => {}
            }
        }
    }
    let skip = usize::from(overlay.has_hosts());
    let host = |path: &[u8]| components(path).take(skip).next().map(<[u8]>::to_vec);
    if let Some((path, _)) =
        real.iter().find(|(path, _)| real.first().is_some_and(|(first, _)| host(first) != host(path)))
    {
        return Err(Fault::new(
            Code::Usage,
            "this version has files of several hosts, and only one can be restored in place",
        )
        .hint(format!("name the host: tuckbox restore /{}", for_terminal(&host(path).unwrap_or_default()))));
    }
    real.into_iter().map(|(path, found)| in_its_source(overlay, skip, path, found)).collect()
}

/// Where it was. Whoever may change what is in a source must not lead the way elsewhere by a link: only what is above the
/// source, and the source's own path for what is in it, are gone as the person named them.
fn in_its_source<'o>(overlay: &'o Overlay<'o>, skip: usize, path: Vec<u8>, found: Found<'o>) -> Result<Root<'o>> {
    let names: Vec<&[u8]> = components(&path).collect();
    let source = found.source.and_then(|source| overlay.sources().get(source));
    let depth = skip + source.map_or(0, |source| components(&source.path).count());
    // The source itself is a name in what is above it.
    let depth = depth.min(names.len().saturating_sub(1)).max(skip);
    let mut leading = Vec::new();
    let mut at = overlay.top()?;
    for (number, name) in (1..names.len()).zip(&names) {
        let Some(next) = overlay.child(&at, name)? else { break };
        leading.extend((number > depth).then(|| next.clone()));
        at = next;
    }
    let top = names.get(skip..depth).unwrap_or_default().join(&b'/');
    let target = Path::new(OsStr::from_bytes(&[b"/", top.as_slice()].concat())).to_path_buf();
    let is_target = names.len() <= skip;
    Ok(Root { found, path, target, leading, is_target })
}

/// Drops what lies in another one: it comes with it. The paths are in order.
fn without_inner(asked: Vec<(Vec<u8>, Found<'_>)>) -> Vec<(Vec<u8>, Found<'_>)> {
    let mut kept: Vec<(Vec<u8>, Found<'_>)> = Vec::new();
    for (path, found) in asked {
        let inner = kept.last().is_some_and(|(outer, _)| {
            components(outer).count() <= components(&path).count()
                && components(outer).zip(components(&path)).all(|(a, b)| a == b)
        });
        if !inner {
            kept.push((path, found));
        }
    }
    kept
}

/// A path without its last components.
pub fn above(path: &[u8], components: usize) -> Vec<u8> {
    let mut path = path;
    for _ in 0..components {
        let end = path.iter().rposition(|byte| *byte == b'/').unwrap_or(0);
        path = path.get(..end).unwrap_or_default();
    }
    if path.is_empty() { b"/".to_vec() } else { path.to_vec() }
}
