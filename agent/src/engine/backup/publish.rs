//! Makes links of roots: bodies for versions and partials, signed and committed.

use std::sync::Arc;

use store::chain::{LinkKind, ReceivedLink, SourceRoot, VersionBody};
use store::record::Record;
use store::seal::DeviceKey;
use store::tree::{Built, Entry};
use transport::message::Outcome;

use super::prepare::Base;
use super::source_run::SourceRun;
use crate::engine::account::{Account, Made};
use crate::engine::job::{BackupJob, BackupSummary};
use crate::engine::uplink::Uplink;
use crate::fault::Result;

/// What became of a commit.
pub enum Published {
    /// It is durable.
    Committed(Box<ReceivedLink>),
    /// The vault lacks something.
    Lacking(Outcome),
}

/// Commits a version: the roots of this run, and those of all other sources taken over from the newest version, but for
/// `dropped`. With `holes`, what the vault is known to have lost keeps it from nothing.
#[expect(clippy::too_many_arguments, reason = "everything that a version is made of")]
pub fn version(
    account: &Account,
    link: &Uplink,
    device: &DeviceKey,
    base: &Base,
    sources: &[Arc<SourceRun>],
    (kept, dropped): (&[SourceRoot], &[SourceRoot]),
    job: &BackupJob,
    summary: &BackupSummary,
    holes: bool,
) -> Result<Published> {
    let new = summary.files_new + summary.dirs_new;
    let changed = summary.files_changed + summary.files_metadata + summary.dirs_changed;
    let unchanged = summary.files_unchanged + summary.dirs_unchanged;
    let removed = summary.files_removed + summary.dirs_removed;
    let counts = [new, changed, unchanged, removed, summary.read_bytes, summary.new_bytes];
    let roots: Vec<SourceRoot> = sources
        .iter()
        .filter_map(|source| Some(root_of(source, &source.root()?, &source.entry()?)))
        .chain(kept.iter().cloned())
        .collect();
    commit(account, link, device, base, LinkKind::Version, (&roots, dropped), (&job.tags, counts), holes)
}

/// Commits a partial version of roots as far as they are done.
pub fn partial(
    account: &Account,
    link: &Uplink,
    device: &DeviceKey,
    base: &Base,
    roots: &[(Arc<SourceRun>, Built, Entry)],
    holes: bool,
) -> Result<Published> {
    let roots: Vec<SourceRoot> = roots.iter().map(|(source, built, entry)| root_of(source, built, entry)).collect();
    commit(account, link, device, base, LinkKind::Partial, (&roots, &[]), (&[], [0; 6]), holes)
}

fn root_of(source: &SourceRun, built: &Built, entry: &Entry) -> SourceRoot {
    let totals = entry.totals();
    SourceRoot {
        id: source.id,
        root: built.id,
        introduced: 0,
        host: source.job.host.clone(),
        path: source.job.path.clone(),
        fs_type: source.mount.fs_type.clone(),
        device: source.mount.device,
        mount_point: source.mount.mount_point.clone(),
        files: totals.files,
        dirs: totals.dirs,
        bytes: totals.bytes,
        missing_since: source.missing_since(),
        content: built.content,
    }
}

#[expect(clippy::too_many_arguments, reason = "the parts of a body and where it goes")]
fn commit(
    account: &Account,
    link: &Uplink,
    device: &DeviceKey,
    base: &Base,
    kind: LinkKind,
    (roots, dropped): (&[SourceRoot], &[SourceRoot]),
    (tags, counts): (&[String], [u64; 6]),
    holes: bool,
) -> Result<Published> {
    if kind == LinkKind::Version {
        link.expect_nothing();
    }
    // Made again for every attempt: another client's version may have come first, with other sources.
    let make = || -> Result<Made> {
        let before = account.newest_version()?.unwrap_or_default();
        let sequence = account.head().map_or(1, |head| head.sequence + 1);
        let mut root_changed = false;
        let mut sources: Vec<SourceRoot> = Vec::new();
        for old in before.sources.iter().filter(|old| roots.iter().all(|root| root.id != old.id)) {
            // What another client has stored of it since then stays.
            if dropped.iter().any(|gone| (gone.id, gone.root) == (old.id, old.root)) {
                root_changed = true;
            } else {
                sources.push(old.clone());
            }
        }
        for root in roots {
            let old = before.sources.iter().find(|old| old.id == root.id);
            let mut root = root.clone();
            root.introduced = match old.or_else(|| base.source(root.id)) {
                Some(old) if old.root == root.root && old.introduced != 0 => old.introduced,
                _ => sequence,
            };
            root_changed |= old.is_none_or(|old| old.root != root.root);
            sources.push(root);
        }
        sources.sort_by(|a, b| (&a.host, &a.path).cmp(&(&b.host, &b.path)));
        let tags = tags.iter().map(|tag| (account.keys.tag_id(tag), tag.clone())).collect();
        let program = concat!("tuckbox ", env!("CARGO_PKG_VERSION")).to_owned();
        let body: Record = VersionBody { sources, tags, program, counts }.seal(&account.sealer, &account.keys)?;
        Ok(Made { body, root_changed })
    };
    let mut lacking = None;
    let committed = account.commit_with(device, kind, &make, &mut |signed, body| {
        let outcome = link.commit(signed, Some(body), holes)?;
        if let Outcome::Lacking { .. } = &outcome {
            lacking = Some(outcome.clone());
        }
        Ok(outcome)
    });
    match (committed, lacking) {
        (_, Some(outcome)) => Ok(Published::Lacking(outcome)),
        (committed, None) => Ok(Published::Committed(Box::new(committed?))),
    }
}
