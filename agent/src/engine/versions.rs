//! Versions of an account: listing them, and finding the one that is meant.

use std::collections::BTreeSet;

use store::chain::{LinkKind, ReceivedLink, VersionBody};

use super::account::Account;
use super::job::{At, Run, SourceRow, VersionMark, VersionRow, VersionsJob};
use super::retention::Fates;
use super::wanted::Wanted;
use crate::fault::{Code, Fault, Result};
use crate::units::counted;

/// The versions, oldest first.
pub fn versions(run: &Run, job: &VersionsJob) -> Result<Vec<VersionRow>> {
    let account = Account::open(run)?;
    account.may_read();
    let fates = Fates::of(&account)?;
    let mut links = account.version_links(job.partial);
    links.retain(|link| !fates.is_gone(link.link().sequence));
    account.load_versions(&links)?;
    let lost = match account.wanted {
        Some(_) => Wanted::ask(&account.remote, false)?.versions,
        None => BTreeSet::new(),
    };
    let mut reasons = fates.pin_reasons(&account);
    let mut rows = Vec::with_capacity(links.len());
    for link in &links {
        let mut row = account.version_row(link)?;
        row.holes = lost.contains(&row.sequence);
        row.pinned_until_ms = fates.pinned(row.sequence);
        row.trash_until_ms = fates.trashed(row.sequence);
        row.why = fates.why(row.sequence);
        row.pin_reason = reasons.remove(&row.sequence).unwrap_or_default();
        if job.tags.iter().all(|tag| row.tags.contains(tag)) {
            rows.push(row);
        }
    }
    account.remote.close()?;
    Ok(rows)
}

/// A row of a version. Without its body, only what the link says.
pub fn row(link: &ReceivedLink, body: Option<&VersionBody>) -> VersionRow {
    let mut row = VersionRow {
        id: link.link_id().hex(),
        sequence: link.link().sequence,
        partial: link.link().kind == LinkKind::Partial,
        taken_at_ms: link.link().taken_at,
        received_at_ms: link.received_at(),
        ..VersionRow::default()
    };
    let Some(body) = body else { return row };
    row.tags = body.tags.iter().map(|(_, tag)| tag.clone()).collect();
    for source in &body.sources {
        row.files = row.files.saturating_add(source.files);
        row.dirs = row.dirs.saturating_add(source.dirs);
        row.bytes = row.bytes.saturating_add(source.bytes);
        row.sources.push(SourceRow {
            host: source.host.clone(),
            path: source.path.clone(),
            files: source.files,
            bytes: source.bytes,
            introduced: source.introduced,
            missing_since_ms: source.missing_since,
        });
    }
    row
}

/// The version that is meant, among versions in order.
pub fn pick(versions: &[ReceivedLink], at: &At) -> Result<ReceivedLink> {
    let none = |text: String| Fault::new(Code::VersionNone, text).hint("tuckbox versions");
    let oldest = versions
        .first()
        .ok_or_else(|| Fault::new(Code::VersionNone, "there is no version yet").hint("tuckbox backup DIR"))?;
    let found = match at {
        At::Latest { back } => {
            let back = usize::try_from(*back).unwrap_or(usize::MAX);
            let at = versions.len().checked_sub(1).and_then(|last| last.checked_sub(back));
            at.and_then(|at| versions.get(at)).ok_or_else(|| {
                none(format!("there is only {}", counted(versions.len() as u64, "version", "versions")))
            })?
        }
        At::Moment { ms } => versions.iter().rev().find(|link| link.received_at() <= *ms).ok_or_else(|| {
            let when = crate::time::utc(oldest.received_at());
            let id: String = oldest.link_id().hex().chars().take(8).collect();
            none(format!("no version is as old as that: the oldest is {id}, received {when}"))
        })?,
        At::Id { prefix } => {
            let mut fits = versions.iter().filter(|link| link.link_id().hex().starts_with(prefix.as_str()));
            match (fits.next(), fits.next()) {
                (Some(one), None) => one,
                (None, _) => return Err(none(format!("there is no version with an id that begins with {prefix}"))),
                (Some(_), Some(_)) => return Err(none(format!("several versions have ids that begin with {prefix}"))),
            }
        }
        At::Number { sequence } => versions
            .iter()
            .find(|link| link.link().sequence == *sequence)
            .ok_or_else(|| none(format!("there is no version no. {sequence}")))?,
    };
    Ok(found.clone())
}

/// A version as rows about what is in it name it.
pub fn mark(link: &ReceivedLink) -> VersionMark {
    VersionMark { id: link.link_id().hex(), sequence: link.link().sequence, received_at_ms: link.received_at() }
}

/// The digits of a version's id that people see.
pub fn short(link: &ReceivedLink) -> String {
    link.link_id().hex().chars().take(8).collect()
}
