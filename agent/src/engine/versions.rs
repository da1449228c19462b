//! Versions of an account: listing them, and finding the one that is meant.

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::tz::TimeZone;
use store::chain::{LinkKind, ReceivedLink, VersionBody};

use super::account::Account;
use super::job::{At, Run, SourceRow, VersionMark, VersionRow, VersionsJob};
use super::queue::lock;
use super::retention::Fates;
use super::wanted::Wanted;
use crate::event::Event;
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

impl Account {
    /// Links of versions (and of partial ones), oldest first.
    pub fn version_links(&self, partial: bool) -> Vec<ReceivedLink> {
        let wanted = |link: &&ReceivedLink| match link.link().kind {
            LinkKind::Version => true,
            LinkKind::Partial => partial,
            _ => false,
        };
        self.history().links().iter().filter(wanted).cloned().collect()
    }

    /// What a version names. `None` when its body is gone.
    pub fn version_body(&self, link: &ReceivedLink) -> Result<Option<VersionBody>> {
        let hash = link.link().body;
        if let Some(body) = self.opened.get(&hash) {
            return Ok(Some(VersionBody::clone(&body)));
        }
        let body = self.history().body(&self.remote, hash)?;
        let sequence = link.link().sequence;
        if body.is_none() && self.is_lost(sequence)? {
            let fault =
                Fault::new(Code::HistoryLoss, format!("the body of version {sequence} is missing in the vault"));
            self.run.watcher.event(&Event::Warning(&fault.hint("tuckbox check")));
        }
        let body = body.map(|body| VersionBody::open(&self.sealer, &body)).transpose()?.map(Arc::new);
        if let Some(body) = &body {
            self.opened.put(hash, body);
        }
        Ok(body.map(Arc::unwrap_or_clone))
    }

    /// Whether the body of this version, which does not come, should. Versions that were committed since the account was
    /// opened may have let it go.
    pub fn is_lost(&self, sequence: u64) -> Result<bool> {
        let must_be_there = || Ok::<_, Fault>(!self.fates()?.may_be_missing(sequence));
        Ok(must_be_there()? && (!self.catch_up()? || must_be_there()?))
    }

    /// Takes what other clients have committed meanwhile. Whether there was anything.
    fn catch_up(&self) -> Result<bool> {
        let mut history = self.history();
        let known = history.sequence();
        history.catch_up(&self.remote)?;
        let grew = history.sequence() > known;
        drop(history);
        if grew {
            *lock(&self.fates) = None;
        }
        Ok(grew)
    }

    /// What the newest version names, for a version that is to follow it: all sources that the run is not about come
    /// from there, so without it they would vanish. `None` when there is no version, or when a person has taken the
    /// history as it is.
    pub fn newest_version(&self) -> Result<Option<VersionBody>> {
        let body_of = |link: &ReceivedLink| self.history().body(&self.remote, link.link().body);
        let Some(mut link) = self.version_links(false).pop() else { return Ok(None) };
        let mut body = body_of(&link)?;
        // It may have gone because there is a newer one by now.
        if body.is_none() && self.catch_up()? {
            link = self.version_links(false).pop().unwrap_or(link);
            body = body_of(&link)?;
        }
        let (sequence, newest) = (link.link().sequence, self.history().sequence());
        if body.is_none() && lock(&self.state).accepted < sequence {
            return Err(Fault::new(
                Code::HistoryLoss,
                format!("the body of version {sequence}, the newest, is missing in the vault"),
            )
            .hint(format!(
                "put the vault back from a copy, or ask its administrator; to go on without what only that version \
                 names: tuckbox check --accept-history {newest}"
            )));
        }
        body.map(|body| VersionBody::open(&self.sealer, &body)).transpose().map_err(Fault::from)
    }

    /// A row for people.
    pub fn version_row(&self, link: &ReceivedLink) -> Result<VersionRow> {
        Ok(row(link, self.version_body(link)?.as_ref()))
    }

    /// The version that an expression means.
    pub fn pick(&self, at: &At) -> Result<ReceivedLink> {
        // A checkpoint is never meant by a time; who names it, means it. So it is with what is in the trash. The
        // newest is always there.
        let by_name = at.is_name();
        let mut links = self.version_links(by_name);
        if *at != At::default() {
            let fates = self.fates()?;
            links.retain(|link| {
                let sequence = link.link().sequence;
                !fates.is_gone(sequence) && (by_name || fates.trashed(sequence).is_none())
            });
        }
        pick(&links, at, &self.run.zone)
    }
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

/// The version that is meant, among versions in order; times that are told are of this zone.
pub fn pick(versions: &[ReceivedLink], at: &At, zone: &TimeZone) -> Result<ReceivedLink> {
    let none = |text: String| Fault::new(Code::VersionNone, text).hint("tuckbox versions");
    let oldest = versions
        .first()
        .ok_or_else(|| Fault::new(Code::VersionNone, "there is no version yet").hint("tuckbox backup DIR"))?;
    let found = match at {
        At::Latest { back } => {
            let back = usize::try_from(*back).unwrap_or(usize::MAX);
            let at = versions.len().checked_sub(1).and_then(|last| last.checked_sub(back));
            at.and_then(|at| versions.get(at)).ok_or_else(|| {
                let are = if versions.len() == 1 { "is" } else { "are" };
                none(format!("there {are} only {}", counted(versions.len() as u64, "version", "versions")))
            })?
        }
        At::Moment { ms } => versions.iter().rev().find(|link| link.received_at() <= *ms).ok_or_else(|| {
            let when = crate::time::show(oldest.received_at(), zone);
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
