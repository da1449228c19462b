//! Brings deleted paths back, each in its last state: to the disk, or into a new version.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use store::chain::SourceRoot;

use super::diff::differences;
use super::errand::{Came, Errand};
use super::job::{
    AppendSummary, At, BackRow, Change, Overwrite, RestoreJob, RestorePlan, RestoreSummary, Run, UndeleteJob,
};
use super::overlay::{Overlay, components, not_there};
use super::past::never;
use super::restore::restore_view;
use super::rewrite::Rewrite;
use super::trail;
use super::undo::{Own, append, close, newest, source_path};
use super::versions::mark;
use super::view::{Reading, View, concerns};
use super::walk::{Step, Walk};
use super::why::holds;
use crate::event::Event;
use crate::fault::{Code, Fault, Result};
use crate::name::{for_terminal, quoted};
use crate::source::Dir;
use crate::units::counted;

/// Something to bring back: its path in the overlay, and the place of its version in the list.
type Back = (Vec<u8>, usize);

/// Writes the last states back to the disk. What stands there is left alone.
pub fn undelete(run: &Run, job: &UndeleteJob, row: &mut dyn FnMut(BackRow) -> Result<()>) -> Result<RestoreSummary> {
    let began = run.clock.now_ms();
    let errand = Errand::begin(run, "undelete");
    let reading = Reading::open(run)?;
    let mut summary = {
        let views = reading.all(None)?;
        let backs = match &job.since {
            Some(since) => vanished(&reading, &views, since, &job.paths, run)?,
            None => last_states(&reading, &views, &job.paths)?,
        };
        let (files, bytes) = tell(&views, &backs, row)?;
        if job.to.is_none() && !job.dry_run && !backs.is_empty() {
            let paths = backs.iter().map(|(path, _)| path.clone()).collect();
            run.person.restore_in_place(&RestorePlan {
                paths,
                files,
                bytes,
                overwrite: Overwrite::Never,
                ..RestorePlan::default()
            })?;
        }
        let mut by_version: BTreeMap<usize, Vec<Vec<u8>>> = BTreeMap::new();
        backs.into_iter().for_each(|(path, at)| by_version.entry(at).or_default().push(path));
        let mut summary = RestoreSummary::default();
        // Newest first: what is there is left alone, so the last state of a path counts.
        for (at, paths) in by_version.into_iter().rev() {
            let Some(view) = views.get(at) else { continue };
            let job = RestoreJob {
                paths,
                to: job.to.clone(),
                overwrite: Overwrite::Never,
                verify: job.verify,
                with_holes: job.with_holes,
                dry_run: job.dry_run,
                full_paths: job.full_paths || (job.to.is_some() && job.since.is_some()),
                list_items: job.list_items,
                confirmed: true,
                ..RestoreJob::default()
            };
            add_up(&mut summary, restore_view(run, view, &job)?);
        }
        summary
    };
    let _told = (!job.dry_run).then(|| errand.done(&reading.account.remote, Came::from(&summary)));
    let traffic = reading.close()?;
    summary.sent_bytes = traffic.sent_bytes;
    summary.received_bytes = traffic.received_bytes;
    summary.elapsed_ms = u64::try_from(run.clock.now_ms() - began).unwrap_or(0);
    Ok(summary)
}

/// Appends a version in which the paths are again.
pub fn undelete_in_vault(
    run: &Run,
    job: &UndeleteJob,
    row: &mut dyn FnMut(BackRow) -> Result<()>,
) -> Result<AppendSummary> {
    let errand = Errand::begin(run, "undelete");
    let reading = Reading::open(run)?;
    let mut summary = {
        let newest = newest(&reading)?;
        let views = reading.all(None)?;
        let mut backs = last_states(&reading, &views, &job.paths)?;
        // What the newest version has is not deleted.
        let last = views.len().saturating_sub(1);
        for (path, _) in backs.iter().filter(|(_, at)| *at == last) {
            let shown = for_terminal(path);
            run.watcher.event(&Event::Note(&format!("{shown} is in the newest version already")));
        }
        backs.retain(|(_, at)| *at != last);
        tell(&views, &backs, row)?;
        let mut rewrite = Rewrite::new(&reading.account, &reading.nodes);
        let mut sources = newest.sources.clone();
        for (path, at) in &backs {
            if let Some(view) = views.get(*at) {
                put_back(&mut rewrite, &mut sources, &newest, view, path)?;
            }
        }
        let what = match backs.as_slice() {
            [(one, _)] => format!("a version that has {} again", for_terminal(one)),
            many => format!("a version that has {} again", counted(many.len() as u64, "path", "paths")),
        };
        let along: Vec<String> = backs.iter().map(|(path, _)| quoted(&on_disk(&newest, path))).collect();
        let along = (!along.is_empty()).then(|| format!("tuckbox restore {}", along.join(" ")));
        let done = append(&newest, rewrite, sources, what, job.dry_run, Own::Ends)?;
        AppendSummary { bring_along: along, ..done }
    };
    close(&errand, reading, &mut summary)?;
    Ok(summary)
}

/// Tells of everything; files and bytes in all.
fn tell(views: &[View<'_>], backs: &[Back], row: &mut dyn FnMut(BackRow) -> Result<()>) -> Result<(u64, u64)> {
    let (mut files, mut bytes) = (0_u64, 0_u64);
    for (path, at) in backs {
        let Some(view) = views.get(*at) else { continue };
        let overlay = view.overlay();
        let found = overlay.need(path)?;
        let sums = overlay.quick_totals(&found)?.unwrap_or_else(|| found.entry.totals());
        files = files.saturating_add(sums.files);
        bytes = bytes.saturating_add(sums.bytes);
        let (is_dir, version) = (found.is_dir(), mark(&view.link));
        row(BackRow { path: path.clone(), version, is_dir, files: sums.files, bytes: sums.bytes })?;
    }
    Ok((files, bytes))
}

fn add_up(sum: &mut RestoreSummary, one: RestoreSummary) {
    sum.add(&one);
    if sum.version_id.is_empty() {
        (sum.version_id, sum.sequence) = (one.version_id, one.sequence);
    }
}

/// The newest version that has each path.
fn last_states(reading: &Reading, views: &[View<'_>], paths: &[Vec<u8>]) -> Result<Vec<Back>> {
    let Some(newest) = views.last() else { return Ok(Vec::new()) };
    let mut backs: Vec<Back> = Vec::new();
    for path in paths {
        let path = super::glob::clean(&newest.path(path));
        trail::bring(&reading.nodes, views, &path)?;
        let mut last = None;
        for (at, view) in views.iter().enumerate().rev() {
            if view.overlay().lookup(&path)?.is_ok_and(|found| !found.made_up) {
                last = Some(at);
                break;
            }
        }
        let at = last.ok_or_else(|| never(&path))?;
        if !backs.iter().any(|(other, _)| *other == path) {
            backs.push((path, at));
        }
    }
    Ok(backs)
}

/// The highest paths that some version from `since` on has and the disk has not.
fn vanished(reading: &Reading, views: &[View<'_>], since: &At, paths: &[Vec<u8>], run: &Run) -> Result<Vec<Back>> {
    let Some(newest) = views.last() else { return Ok(Vec::new()) };
    let first = match reading.account.pick(since) {
        Ok(link) => views.iter().position(|view| view.link.link_id() == link.link_id()).unwrap_or(0),
        // Older than everything: everything counts.
        Err(fault) if fault.code == Code::VersionNone && matches!(since, At::Moment { .. }) => 0,
        Err(fault) => return Err(fault),
    };
    let tops: Vec<Vec<u8>> = if paths.is_empty() {
        let ours = newest.sources.iter().filter(|source| source.host == run.host);
        ours.map(|source| source_path(newest, source)).collect()
    } else {
        paths.iter().map(|path| super::glob::clean(&newest.path(path))).collect()
    };
    let views_since = views.get(first..).unwrap_or_default();
    for view in views_since {
        // What is as in the version before comes with that one.
        for source in view.sources.iter().filter(|source| tops.iter().any(|t| concerns(t, &source.path, view.hosts))) {
            view.nodes.fill(source.root)?;
        }
    }
    let mut backs: Vec<Back> = Vec::new();
    for top in &tops {
        let mut ever = false;
        for (at, pair) in (first..).zip(views_since.windows(2)) {
            let [before, after] = pair else { continue };
            let (before, after) = (before.overlay(), after.overlay());
            let there = before.lookup(top)?.is_ok();
            ever |= there;
            if !there && after.lookup(top)?.is_err() {
                continue;
            }
            differences(&before, &after, top, false, &mut |row| {
                if row.change == Change::Removed && disk_lacks(newest, &row.path) {
                    add(&mut backs, (row.path, at));
                }
                Ok(())
            })?;
        }
        let overlay = newest.overlay();
        match overlay.lookup(top)? {
            Ok(found) => {
                missing_on_disk(newest, &overlay, top, found, views.len() - 1, &mut backs)?;
            }
            Err(depth) if !ever => return Err(not_there(top, depth)),
            Err(_) => {}
        }
    }
    Ok(backs)
}

/// Adds a path, unless it comes with a directory of the same version.
fn add(backs: &mut Vec<Back>, back: Back) {
    if !backs.iter().rev().take_while(|(_, at)| *at == back.1).any(|(top, _)| holds(top, &back.0)) {
        backs.push(back);
    }
}

/// Names that the version has below `top`, and the disk has not.
fn missing_on_disk<'o>(
    view: &View<'_>,
    overlay: &'o Overlay<'o>,
    top: &[u8],
    found: super::overlay::Found<'o>,
    at: usize,
    backs: &mut Vec<Back>,
) -> Result<()> {
    if !found.made_up && disk_lacks(view, top) {
        add(backs, (top.to_vec(), at));
        return Ok(());
    }
    if !found.is_dir() {
        return Ok(());
    }
    let mut walk = Walk::new(overlay, top, &found);
    let mut dirs = vec![open(view, top)];
    while let Some(step) = walk.next()? {
        let Step::Name(found) = step else {
            dirs.pop();
            continue;
        };
        let Some(above) = dirs.last() else { break };
        let lacks = match above {
            Some(dir) => dir.stat(&found.entry.name).is_err_and(|e| e.kind() == std::io::ErrorKind::NotFound),
            None => disk_lacks(view, walk.path()),
        };
        if lacks && !found.made_up {
            add(backs, (walk.path().to_vec(), at));
        } else if found.is_dir() {
            // Something else may stand there, or nobody may look: then there is nothing to say of what was in it.
            let below = match above {
                Some(dir) => dir.child(&found.entry.name).ok(),
                None => open(view, walk.path()),
            };
            if below.is_some() || found.made_up {
                dirs.push(below);
                walk.enter(&found);
            }
        }
    }
    Ok(())
}

/// Where a path of the overlay is on this disk.
fn on_disk(view: &View<'_>, path: &[u8]) -> Vec<u8> {
    let names: Vec<&[u8]> = components(path).skip(usize::from(view.hosts)).collect();
    [b"/", names.join(&b'/').as_slice()].concat()
}

fn open(view: &View<'_>, path: &[u8]) -> Option<Dir> {
    Dir::open_following(Path::new(OsStr::from_bytes(&on_disk(view, path)))).ok()
}

/// Whether there is surely nothing at a path.
fn disk_lacks(view: &View<'_>, path: &[u8]) -> bool {
    let path = on_disk(view, path);
    let gone = |error: std::io::Error| {
        matches!(error.kind(), std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory)
    };
    std::fs::symlink_metadata(OsStr::from_bytes(&path)).is_err_and(gone)
}

/// Puts what stands at a path of an older version into the sources.
fn put_back(
    rewrite: &mut Rewrite<'_>,
    sources: &mut Vec<SourceRoot>,
    newest: &View<'_>,
    view: &View<'_>,
    path: &[u8],
) -> Result<()> {
    let overlay = view.overlay();
    let found = overlay.need(path)?;
    view.fill(&overlay, &found)?;
    let inner: Vec<SourceRoot> =
        view.sources.iter().filter(|source| holds(path, &source_path(view, source))).cloned().collect();
    for source in inner {
        // A source at or below the path comes back whole.
        match sources.iter_mut().find(|now| now.id == source.id) {
            Some(_) => {}
            None => sources.push(source),
        }
    }
    let Some(old) = found.source.and_then(|index| view.sources.get(index)) else { return Ok(()) };
    if found.is_source_top() {
        return Ok(());
    }
    let depth = components(&source_path(view, old)).count();
    let names: Vec<&[u8]> = components(path).skip(depth).collect();
    let now = sources.iter().find(|now| now.id == old.id).cloned();
    if let Some(now) = newest.sources.iter().find(|now| now.id == old.id) {
        newest.nodes.fill(now.root)?;
    }
    let new =
        rewrite.put_back(old, now.as_ref(), &names).map_err(|fault| Fault { path: Some(path.to_vec()), ..fault })?;
    match sources.iter_mut().find(|now| now.id == old.id) {
        Some(now) => *now = new,
        None => sources.push(new),
    }
    Ok(())
}
