//! Reports over a period: what runs, bytes and reading came to, row by row.

use std::collections::BTreeMap;

use minicbor::Encode;
use store::activity::{Activity, BACKUP, CHECK, Grain, ToldRun};
use store::vault::{Access, AccountInfo, Vault};
use transport::Call;
use transport::message::admin::ROWS_BYTES;
use transport::message::encode;
use transport::message::health::{
    AccountReport, DayReport, DayStored, ReadingOf, ReportAsk, ReportKind, ReportRow, ReportTold, RunOf,
};

use super::refuse::Refused;
use super::report::told as run_told;
use super::status::{Groups, facts};
use super::{Server, reply};

/// Runs and sessions of an account that are looked at; as many as are remembered.
const ROWS_BACK: usize = 2_000;

impl Server {
    /// Tells the rows of a report, some at a time.
    pub(super) fn reports(&self, call: &Call, ask: &ReportAsk) -> Result<(), Refused> {
        let vault = self.vault(Access::Read)?;
        let accounts = match &ask.account {
            Some(name) => vec![self.meant(&vault, name)?],
            None => {
                let mut all = vault.accounts()?;
                all.retain(|account| self.may_see(&vault, account));
                all
            }
        };
        let mut out = Out { call, now: self.clock.now_ms(), rows: Vec::new(), bytes: 0 };
        let groups = Groups::of(&vault)?;
        let mut days = BTreeMap::new();
        for account in &accounts {
            let over = Over { vault: &vault, account, since: ask.since };
            match ask.kind {
                ReportKind::Summary | ReportKind::Storage | ReportKind::Trend => {
                    let row = over.account(&groups, ask.kind)?;
                    out.push(ReportRow::Account(Box::new(row)))?;
                }
                ReportKind::Failures => {
                    over.failures().into_iter().try_for_each(|row| out.push(ReportRow::Run(row)))?
                }
                ReportKind::Restores => {
                    over.readings().into_iter().try_for_each(|row| out.push(ReportRow::Reading(row)))?;
                }
                ReportKind::Activity => over.days(&mut days),
            }
        }
        days.into_values().try_for_each(|day| out.push(ReportRow::Day(day)))?;
        out.end()
    }
}

/// Rows on their way.
struct Out<'a> {
    call: &'a Call,
    now: i64,
    rows: Vec<ReportRow>,
    bytes: usize,
}

impl Out<'_> {
    fn push(&mut self, row: ReportRow) -> Result<(), Refused> {
        self.bytes += length(&row);
        self.rows.push(row);
        if self.bytes >= ROWS_BYTES { self.send() } else { Ok(()) }
    }

    fn send(&mut self) -> Result<(), Refused> {
        self.bytes = 0;
        reply(self.call, ReportTold { now: self.now, rows: std::mem::take(&mut self.rows) })
    }

    fn end(mut self) -> Result<(), Refused> {
        if !self.rows.is_empty() {
            self.send()?;
        }
        self.send()
    }
}

fn length(row: &impl Encode<()>) -> usize {
    encode(row).len()
}

/// One account over the period.
struct Over<'a> {
    vault: &'a Vault,
    account: &'a AccountInfo,
    since: i64,
}

impl Over<'_> {
    /// What is remembered; nothing where it cannot be read, as a report is no reason to stop.
    fn remembered<T: Default>(&self, ask: impl Fn(&Activity, u32) -> store::Result<T>) -> T {
        self.vault.activity(self.account, |activity| ask(activity, self.account.number)).unwrap_or_default()
    }

    /// Newest first.
    fn runs(&self, verb: &str) -> Vec<ToldRun> {
        self.remembered(|activity, account| activity.runs(account, verb, self.since, ROWS_BACK))
    }

    fn account(&self, groups: &Groups, kind: ReportKind) -> Result<AccountReport, Refused> {
        let runs = self.runs(BACKUP);
        let traffic = self.remembered(|activity, account| activity.traffic(account, Grain::Day, self.since, i64::MAX));
        let moved = |of: fn(&store::activity::Added) -> u64| {
            traffic.iter().map(|day| of(&day.moved)).fold(0, u64::saturating_add)
        };
        let mut row = AccountReport {
            facts: facts(self.vault, self.account, groups)?,
            runs: runs.len() as u64,
            failed: runs.iter().filter(|run| !run.succeeded()).count() as u64,
            partial: runs.iter().filter(|run| run.succeeded() && run.figures.errors > 0).count() as u64,
            in_bytes: moved(|added| added.in_bytes),
            out_bytes: moved(|added| added.out_bytes),
            catalog_bytes: None,
            versions: None,
            days: Vec::new(),
        };
        if kind == ReportKind::Storage {
            let domain = self.vault.domain_to_read(self.account)?;
            row.catalog_bytes = Some(domain.stored()?.catalog_bytes);
            row.versions = Some(domain.versions(self.account)?);
        }
        if kind == ReportKind::Trend {
            // Newest first: the first of a day is its last run.
            let mut days: BTreeMap<i64, u64> = BTreeMap::new();
            for run in &runs {
                days.entry(Grain::Day.start(run.told_at)).or_insert(run.stored_bytes);
            }
            row.days = days.into_iter().map(|(day, bytes)| DayStored { day, bytes }).collect();
        }
        Ok(row)
    }

    /// Runs that failed or left something out, and checks that found damage, oldest first.
    fn failures(&self) -> Vec<RunOf> {
        let mut bad = self.runs(BACKUP);
        bad.append(&mut self.runs(CHECK));
        bad.retain(|run| !run.succeeded() || run.figures.errors > 0);
        bad.sort_by_key(|run| run.told_at);
        let bad = bad.into_iter();
        bad.map(|run| RunOf { number: self.account.number, account: self.account.name.clone(), run: run_told(run) })
            .collect()
    }

    /// Sessions that read content, oldest first.
    fn readings(&self) -> Vec<ReadingOf> {
        let found = self.remembered(|activity, account| activity.readings(account, self.since, ROWS_BACK));
        let told = found.into_iter().rev().map(|reading| ReadingOf {
            number: self.account.number,
            account: self.account.name.clone(),
            at: reading.at,
            boxes: reading.boxes,
            bytes: reading.bytes,
            role: reading.role,
            client: reading.program,
        });
        told.collect()
    }

    /// Adds this account to the days.
    fn days(&self, days: &mut BTreeMap<i64, DayReport>) {
        for run in self.runs(BACKUP) {
            let start = Grain::Day.start(run.told_at);
            let day = days.entry(start).or_insert(DayReport { day: start, ..DayReport::default() });
            day.runs += 1;
            day.failed += u64::from(!run.succeeded());
            day.new_bytes = day.new_bytes.saturating_add(run.figures.new_bytes);
        }
        let traffic = self.remembered(|activity, account| activity.traffic(account, Grain::Day, self.since, i64::MAX));
        for period in traffic {
            let day = days.entry(period.start).or_insert(DayReport { day: period.start, ..DayReport::default() });
            day.sessions = day.sessions.saturating_add(period.moved.sessions);
            day.in_bytes = day.in_bytes.saturating_add(period.moved.in_bytes);
            day.out_bytes = day.out_bytes.saturating_add(period.moved.out_bytes);
        }
    }
}
