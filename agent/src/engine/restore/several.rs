//! A restore of what was marked in several versions, and its plan: one target, one progress, one result.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use super::filter::Filter;
use super::roots::roots;
use super::{restore_view, totals};
use crate::engine::errand::{Came, Errand};
use crate::engine::glob::clean;
use crate::engine::job::{
    At, Layout, Overwrite, RestoreJob, RestoreSummary, Run, Take, TakeJob, TakePlan, TakeSummary,
};
use crate::engine::overlay::components;
use crate::engine::queue::lock;
use crate::engine::view::{Reading, View};
use crate::event::{Deaf, Event, Phase, Progress, Watcher};
use crate::fault::{Code, Fault, Result};

/// How takes can stand beside each other below one directory. Always the same for the same takes.
#[must_use]
pub fn layout(takes: &[Take]) -> Layout {
    let mut names: BTreeSet<&[u8]> = BTreeSet::new();
    let mut whole: Vec<Vec<&[u8]>> = Vec::new();
    let mut alike = false;
    for path in takes.iter().flat_map(|take| &take.paths) {
        let parts: Vec<&[u8]> = components(path).collect();
        // A path without a last component is everything.
        alike |= parts.last().is_none_or(|name| !names.insert(name));
        whole.push(parts);
    }
    if !alike {
        return Layout::Names;
    }
    whole.sort_unstable();
    let meets = |pair: &[Vec<&[u8]>]| matches!(pair, [one, two] if two.starts_with(one));
    let apart = takes.len() > 1 && whole.windows(2).any(meets);
    if apart { Layout::Versions } else { Layout::FullPaths }
}

/// The restore of each take, in order.
#[must_use]
pub fn jobs(job: &TakeJob) -> Vec<RestoreJob> {
    let layout = layout(&job.takes);
    let one = |take: &Take| RestoreJob {
        at: At::Id { prefix: take.version.clone() },
        paths: take.paths.clone(),
        to: job.to.as_ref().map(|to| if layout == Layout::Versions { to.join(&take.label) } else { to.clone() }),
        overwrite: job.overwrite,
        verify: job.verify,
        dry_run: job.dry_run,
        full_paths: job.to.is_some() && layout != Layout::Names,
        list_items: job.list_items,
        with_holes: job.with_holes,
        // Whoever marks and looks at a plan has said yes.
        confirmed: true,
        ..RestoreJob::default()
    };
    job.takes.iter().map(one).collect()
}

/// The same as command lines, each without the program's name: what would do the same from a script.
#[must_use]
pub fn words(job: &TakeJob) -> Vec<Vec<OsString>> {
    let one = |job: RestoreJob| {
        let At::Id { prefix } = &job.at else { return Vec::new() };
        let id: String = prefix.chars().take(12).collect();
        let mut words: Vec<OsString> = ["restore".into(), "--at".into(), format!("id:{id}").into()].into();
        match &job.to {
            Some(to) => words.extend(["--to".into(), to.clone().into_os_string()]),
            None => words.push("--yes".into()),
        }
        let overwrite = match job.overwrite {
            Overwrite::Always => Some("always"),
            Overwrite::IfChanged => None,
            Overwrite::IfNewer => Some("if-newer"),
            Overwrite::KeepBoth => Some("keep-both"),
            Overwrite::Never => Some("never"),
        };
        words.extend(overwrite.into_iter().flat_map(|mode| ["--overwrite", mode]).map(OsString::from));
        let switches = [
            (job.full_paths, "--full-paths"),
            (job.verify, "--verify"),
            (job.with_holes, "--with-holes"),
            (job.dry_run, "--dry-run"),
        ];
        words.extend(switches.into_iter().filter(|(on, _)| *on).map(|(_, word)| OsString::from(word)));
        words.push("--".into());
        words.extend(job.paths.into_iter().map(OsString::from_vec));
        words
    };
    jobs(job).into_iter().map(one).collect()
}

/// Where each path of a job with a target will stand.
#[must_use]
pub fn places(job: &TakeJob) -> Vec<PathBuf> {
    let place = |job: &RestoreJob, path: &[u8]| {
        let below = match (job.full_paths, components(path).last()) {
            (false, Some(name)) => name.to_vec(),
            _ => components(path).collect::<Vec<_>>().join(&b'/'),
        };
        job.to.as_ref().map(|to| to.join(OsStr::from_bytes(&below)))
    };
    jobs(job).iter().flat_map(|job| job.paths.iter().filter_map(|path| place(job, path)).collect::<Vec<_>>()).collect()
}

/// Restores what was marked.
pub fn take(run: &Run, job: &TakeJob) -> Result<TakeSummary> {
    let began = run.clock.now_ms();
    let errand = Errand::begin(run, "restore");
    let reading = Reading::open(run)?;
    let mut summary = {
        let views = views(&reading, &job.takes)?;
        let jobs = jobs(job);
        run.watcher.event(&Event::Phase(Phase::Plan));
        let (mut files, mut bytes) = (0_u64, 0_u64);
        for (view, job) in views.iter().zip(&jobs) {
            let (more, more_bytes) = sums(view, job)?;
            (files, bytes) = (files.saturating_add(more), bytes.saturating_add(more_bytes));
        }
        let sum = Arc::new(Sum::new(Arc::clone(&run.watcher), files, bytes));
        let run = Run { watcher: Arc::clone(&sum) as Arc<dyn Watcher>, ..run.clone() };
        let mut summary = TakeSummary { layout: layout(&job.takes), ..TakeSummary::default() };
        for (view, job) in views.iter().zip(&jobs) {
            if run.stop.asked() {
                return Err(Fault::new(Code::Interrupted, "the restore was interrupted")
                    .hint("restore the same once more: what is there already is not written again"));
            }
            summary.parts.push(restore_view(&run, view, job)?);
            sum.next();
        }
        summary.all = all(&summary.parts);
        summary
    };
    let _told = errand.done(&reading.account.remote, Came::from(&summary.all));
    let traffic = reading.close()?;
    summary.all.sent_bytes = traffic.sent_bytes;
    summary.all.received_bytes = traffic.received_bytes;
    summary.all.elapsed_ms = u64::try_from(run.clock.now_ms() - began).unwrap_or(0);
    Ok(summary)
}

/// Says what a restore would do, as things are. Writes nothing.
pub fn plan(run: &Run, job: &TakeJob) -> Result<TakePlan> {
    let quiet = Run { watcher: Arc::new(Deaf), ..run.clone() };
    let summary = take(&quiet, &TakeJob { dry_run: true, verify: false, list_items: false, ..job.clone() })?;
    let to = job.to.as_deref().unwrap_or(Path::new("/"));
    Ok(TakePlan {
        layout: summary.layout,
        files: summary.all.files_restored,
        bytes: summary.all.restored_bytes,
        replaced: summary.all.files_replaced,
        kept: summary.all.files_kept,
        beside: summary.all.files_beside,
        skipped: summary.all.files_skipped,
        free_bytes: free_bytes(to),
        target_exists: std::fs::symlink_metadata(to).is_ok(),
    })
}

/// The version of each take. Paths mean the same in all of them.
fn views<'r>(reading: &'r Reading, takes: &[Take]) -> Result<Vec<View<'r>>> {
    let hosts = reading.all(None)?.first().is_some_and(|view| view.hosts);
    let view = |take: &Take| {
        let view = reading.look(reading.account.pick(&At::Id { prefix: take.version.clone() })?)?;
        Ok(View { hosts: hosts || view.hosts, ..view })
    };
    takes.iter().map(view).collect()
}

/// Files and bytes of one take.
fn sums(view: &View<'_>, job: &RestoreJob) -> Result<(u64, u64)> {
    let paths: Vec<Vec<u8>> = job.paths.iter().map(|path| clean(path)).collect();
    view.prepare(&paths)?;
    let overlay = view.overlay();
    let roots = roots(&overlay, job)?;
    roots.iter().try_for_each(|root| view.fill(&overlay, &root.found))?;
    totals(&overlay, &roots, &Filter::default())
}

fn all(parts: &[RestoreSummary]) -> RestoreSummary {
    let mut all = RestoreSummary::default();
    for part in parts {
        if all.version_id.is_empty() {
            (all.version_id, all.sequence) = (part.version_id.clone(), part.sequence);
        }
        all.add(part);
    }
    all
}

/// Bytes that may be written to the file system of a path that need not be there yet.
fn free_bytes(path: &Path) -> Option<u64> {
    let stat = path.ancestors().find_map(|above| rustix::fs::statvfs(above).ok())?;
    Some(stat.f_bavail.saturating_mul(stat.f_frsize))
}

/// Adds up the progress of one restore after the other.
struct Sum {
    inner: Arc<dyn Watcher>,
    files: u64,
    bytes: u64,
    /// Of those that have ended.
    before: Mutex<Progress>,
    /// Of the one that runs.
    now: Mutex<Progress>,
    errors: AtomicU64,
}

impl Sum {
    fn new(inner: Arc<dyn Watcher>, files: u64, bytes: u64) -> Self {
        Self { inner, files, bytes, before: Mutex::default(), now: Mutex::default(), errors: AtomicU64::new(0) }
    }

    fn next(&self) {
        let now = std::mem::take(&mut *lock(&self.now));
        let mut before = lock(&self.before);
        before.files_done += now.files_done;
        before.bytes_done += now.bytes_done;
        self.errors.fetch_add(now.errors, Ordering::Relaxed);
    }
}

impl Watcher for Sum {
    fn event(&self, event: &Event<'_>) {
        let Event::Progress(progress) = event else { return self.inner.event(event) };
        *lock(&self.now) = **progress;
        let before = *lock(&self.before);
        self.inner.event(&Event::Progress(&Progress {
            files_done: before.files_done.saturating_add(progress.files_done),
            files_total: Some(self.files),
            bytes_done: before.bytes_done.saturating_add(progress.bytes_done),
            bytes_total: Some(self.bytes),
            errors: self.errors.load(Ordering::Relaxed).saturating_add(progress.errors),
            ..**progress
        }));
    }

    fn wants_totals(&self) -> bool {
        self.inner.wants_totals()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(takes: &[(&str, &[&str])]) -> Vec<Take> {
        let take = |(label, paths): &(&str, &[&str])| Take {
            version: format!("{label}{label}"),
            label: (*label).to_owned(),
            paths: paths.iter().map(|path| path.as_bytes().to_vec()).collect(),
        };
        takes.iter().map(take).collect()
    }

    #[test]
    fn nothing_ever_takes_the_place_of_something_else() {
        let of = |takes: &[(&str, &[&str])]| layout(&taken(takes));
        assert_eq!(of(&[("one", &["/a/x", "/b/y"])]), Layout::Names);
        assert_eq!(of(&[("one", &["/a/x"]), ("two", &["/b/y"])]), Layout::Names);
        assert_eq!(of(&[("one", &["/a/x", "/b/x"])]), Layout::FullPaths);
        assert_eq!(of(&[("one", &["/a/x"]), ("two", &["/b/x"])]), Layout::FullPaths);
        assert_eq!(of(&[("one", &["/a/x"]), ("two", &["/a/x"])]), Layout::Versions);
        assert_eq!(of(&[("one", &["/a", "/b/x"]), ("two", &["/a/x"])]), Layout::Versions);
        assert_eq!(of(&[("one", &["/a", "/a/x", "/b/x"])]), Layout::FullPaths, "one comes with the other");
        assert_eq!(of(&[("one", &["/"])]), Layout::FullPaths);
        assert_eq!(of(&[("one", &["/"]), ("two", &["/a"])]), Layout::Versions);
        assert_eq!(of(&[("one", &["/a-b", "/x/c"]), ("two", &["/a/c"])]), Layout::FullPaths);
    }

    #[test]
    fn versions_are_kept_apart_by_their_labels() {
        let job = TakeJob {
            takes: taken(&[("mon", &["/a/x"]), ("tue", &["/a/x"])]),
            to: Some("/to".into()),
            ..TakeJob::default()
        };
        let targets: Vec<_> = jobs(&job).into_iter().map(|job| (job.to.unwrap(), job.full_paths)).collect();
        assert_eq!(targets, [("/to/mon".into(), true), ("/to/tue".into(), true)]);
        assert_eq!(places(&job), [PathBuf::from("/to/mon/a/x"), PathBuf::from("/to/tue/a/x")]);
    }

    #[test]
    fn a_script_can_do_the_same() {
        let job = TakeJob {
            takes: taken(&[("mon", &["/a/x", "/b/-y"])]),
            to: Some("/to".into()),
            overwrite: Overwrite::Never,
            verify: true,
            ..TakeJob::default()
        };
        let line = |job: &TakeJob| words(job)[0].join(OsStr::new(" ")).into_string().unwrap();
        assert_eq!(line(&job), "restore --at id:monmon --to /to --overwrite never --verify -- /a/x /b/-y");
        assert_eq!(places(&job), [PathBuf::from("/to/x"), PathBuf::from("/to/-y")]);
        let in_place = TakeJob { to: None, overwrite: Overwrite::IfChanged, verify: false, with_holes: true, ..job };
        assert_eq!(line(&in_place), "restore --at id:monmon --yes --with-holes -- /a/x /b/-y");
    }
}
