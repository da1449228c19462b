//! Rows of accounts: what stands in their columns, and how they compare.

use std::cmp::Ordering;

use agent::engine::job::{AccountStatus, Level, Standing};
use agent::name::harmless_line;

use crate::console::shared::Shared;
use crate::console::theme::Health;
use crate::widgets::arrange::Rows;
use crate::widgets::gauge::{bar, percent};
use crate::widgets::spark::spark;
use crate::widgets::text::{Align, Column, column, fit, row};

/// The columns. The first one holds a word and not only a colour.
pub(in crate::screens) const TABLE: &[Column] = &[
    column("State", 7, Align::Left),
    column("Account", 0, Align::Path),
    column("Last backup", 11, Align::Left),
    Column { title: "At", columns: 16, align: Align::Left, from: 100 },
    Column { title: "Next", columns: 10, align: Align::Left, from: 60 },
    Column { title: "Used", columns: 13, align: Align::Left, from: 60 },
    Column { title: "24h", columns: 8, align: Align::Left, from: 70 },
];

/// All accounts, and what the screen says of all of them: added up once, and not at each drawing.
#[derive(Debug, Default)]
pub(super) struct Accounts {
    /// Those that need somebody first.
    pub(super) rows: Vec<AccountStatus>,
    /// So many of them need somebody.
    pub(super) attention: usize,
    /// Bytes in by hour, the last hour last.
    pub(super) into: [u64; 24],
    /// Bytes out by hour, the last hour last.
    pub(super) from: [u64; 24],
}

impl Accounts {
    /// Those that need somebody first, the gravest before the others.
    pub(super) fn by_attention(mut accounts: Vec<AccountStatus>) -> Self {
        accounts.sort_by_key(|account| (std::cmp::Reverse(account.level), account.facts.number));
        let mut all = Self {
            attention: accounts.iter().take_while(|account| account.needs_somebody()).count(),
            ..Self::default()
        };
        for account in &accounts {
            add(&mut all.into, &account.facts.hours_in);
            add(&mut all.from, &account.facts.hours_out);
        }
        Self { rows: accounts, ..all }
    }

    /// Where an account stands, by its name or, as servers find it, its number.
    pub(super) fn place(&self, account: &str) -> Option<usize> {
        let named = self.rows.iter().position(|row| row.facts.name == account);
        named.or_else(|| {
            let number = u32::from_str_radix(account.strip_prefix("0x").unwrap_or(account), 16).ok()?;
            self.rows.iter().position(|row| row.facts.number == number)
        })
    }
}

impl Rows for Accounts {
    fn count(&self) -> usize {
        self.rows.len()
    }

    fn name(&self, row: usize) -> String {
        let account = self.rows.get(row);
        account.map(|account| format!("{} {}", account.facts.name, word(account))).unwrap_or_default()
    }

    fn compare(&self, one: usize, other: usize, column: usize) -> Ordering {
        let (Some(one), Some(other)) = (self.rows.get(one), self.rows.get(other)) else { return Ordering::Equal };
        match column {
            0 => other.level.cmp(&one.level).then(one.standing.cmp(&other.standing)),
            1 => one.facts.name.cmp(&other.facts.name),
            2 | 3 => one.facts.newest_at.cmp(&other.facts.newest_at),
            4 => one.expected_at.cmp(&other.expected_at),
            5 => one.facts.stored_bytes.cmp(&other.facts.stored_bytes),
            _ => traffic(one).cmp(&traffic(other)),
        }
    }
}

/// Adds hours, the last one first.
fn add(all: &mut [u64; 24], hours: &[u64]) {
    for (sum, hour) in all.iter_mut().rev().zip(hours) {
        *sum = sum.saturating_add(*hour);
    }
}

fn traffic(account: &AccountStatus) -> u64 {
    let both = account.facts.hours_in.iter().chain(&account.facts.hours_out);
    both.fold(0, |sum, hour| sum.saturating_add(*hour))
}

/// How an account is.
pub(super) fn health(account: &AccountStatus) -> Health {
    match (account.level, account.standing) {
        (Level::Err, _) => Health::Bad,
        (Level::Warn, _) => Health::Warn,
        (Level::Ok, Standing::Never) => Health::Busy,
        (Level::Ok, _) => Health::Good,
    }
}

/// The same in a word; what needs somebody is in capitals.
pub(super) fn word(account: &AccountStatus) -> String {
    let word = match account.standing {
        Standing::OverQuota => "quota",
        Standing::Failing => "fail",
        Standing::Disabled => "off",
        Standing::Never => "new",
        other => other.word(),
    };
    if account.needs_somebody() { word.to_uppercase() } else { word.to_owned() }
}

/// The first cell, and all others.
pub(super) fn cells(account: &AccountStatus, shared: &Shared, columns: usize) -> (String, String) {
    let facts = &account.facts;
    let last = facts.newest_at.map_or_else(|| "never".to_owned(), |at| shared.ago(at));
    let at = facts.newest_at.map(|at| shared.moment(at, "%F %H:%M")).unwrap_or_default();
    let next = match account.expected_at {
        Some(due) if due < shared.now_ms => "overdue".to_owned(),
        Some(due) => shared.ago(due),
        None => "-".to_owned(),
    };
    let used = match (facts.stored_bytes, facts.terms.hard_bytes.or(facts.terms.soft_bytes)) {
        (Some(bytes), Some(limit)) => {
            let share = percent(bytes, limit).map_or_else(|| "?".to_owned(), |share| format!("{share}%"));
            format!("{}{share:>5}", bar(bytes, limit, 8))
        }
        (Some(bytes), None) => fit(&agent::units::size(bytes), 13, Align::Right),
        (None, _) => "-".to_owned(),
    };
    let mut hours: Vec<u64> = (0..24)
        .map(|hour| {
            let of = |hours: &[u64]| hours.get(hour).copied().unwrap_or(0);
            of(&facts.hours_in).saturating_add(of(&facts.hours_out))
        })
        .collect();
    hours.reverse();
    let first = fit(&word(account), 7, Align::Left);
    let name = harmless_line(&facts.name);
    let all = row(TABLE, columns, &[&first, &name, &last, &at, &next, &used, &spark(&hours, 8, shared.theme)]);
    let rest = all.get(first.len()..).unwrap_or_default().to_owned();
    (first, rest)
}
