//! `report space`: what all accounts take, for who looks after the vault. No key is needed, and none is used.

use std::collections::HashMap;

use transport::Class;
use transport::message::{Request, SpaceAccount, SpaceAsk, SpaceGroup, SpaceTold, SpaceVault, UsageTold};

use super::admin::connect;
use super::job::{Run, SpaceRow, SpaceScope, UsageJob, VolumeFacts};
use super::trouble::from_refusal;
use crate::fault::{Code, Fault, Result};

const DAY_MS: i64 = 24 * 3_600 * 1_000;

/// Accounts, the largest first; groups by name; the vault last.
pub fn space(run: &Run, job: UsageJob) -> Result<Vec<SpaceRow>> {
    let remote = connect(run)?;
    let request = Request::Space(SpaceAsk { exact: job.exact, volumes: Some(true) });
    let call = remote.call(Class::Interactive, &request).map_err(|error| remote.explain(&error))?;
    remote.end(&call)?;
    let (mut accounts, mut groups, mut volumes) = (Vec::new(), Vec::new(), Vec::new());
    let vault = loop {
        match remote.reply(&call)? {
            SpaceTold::Account(account) => accounts.push(*account),
            SpaceTold::Group(group) => groups.push(group),
            SpaceTold::Volume(volume) => volumes.push(of_volume(volume)),
            SpaceTold::Vault(vault) => break vault,
        }
        if run.stop.asked() {
            return Err(Fault::new(Code::Interrupted, "the report was interrupted"));
        }
    };
    remote.close()?;
    Ok(rows(accounts, groups, volumes, &vault))
}

fn rows(
    accounts: Vec<SpaceAccount>,
    groups: Vec<SpaceGroup>,
    mut volumes: Vec<SpaceRow>,
    vault: &SpaceVault,
) -> Vec<SpaceRow> {
    let numbers: Vec<u32> = accounts.iter().map(|account| account.number).collect();
    let singles: Vec<SpaceRow> = accounts.into_iter().map(|account| of_account(account, vault.at)).collect();
    let by_number: HashMap<u32, &SpaceRow> = numbers.into_iter().zip(&singles).collect();
    let mut sums: Vec<SpaceRow> = groups
        .into_iter()
        .map(|group| {
            let members = group.members.iter().filter_map(|number| by_number.get(number).copied());
            let mut sum = sum(SpaceScope::Group, group.name, members);
            (sum.told.soft_bytes, sum.told.hard_bytes) = (group.soft_bytes, group.hard_bytes);
            sum.days_left = until_limit(&sum);
            sum
        })
        .collect();
    sums.sort_by(|a, b| a.name.cmp(&b.name));
    let mut whole = sum(SpaceScope::Vault, String::new(), singles.iter());
    whole.told.metadata_bytes = whole.told.metadata_bytes.saturating_add(vault.beside_bytes);
    whole.told.now_bytes = whole.told.now_bytes.saturating_add(vault.beside_bytes);
    whole.told.free_bytes = vault.free_bytes;
    whole.days_left = vault.free_bytes.and_then(|free| days(free, &whole));
    let mut out = singles;
    out.sort_by(|a, b| b.told.now_bytes.cmp(&a.told.now_bytes).then_with(|| a.name.cmp(&b.name)));
    out.append(&mut sums);
    out.append(&mut volumes);
    out.push(whole);
    out
}

fn of_volume(volume: VolumeFacts) -> SpaceRow {
    let mut row = sum(SpaceScope::Volume, volume.number.to_string(), std::iter::empty());
    row.told.now_bytes = volume.bytes;
    row.told.pack_bytes = volume.pack_bytes;
    row.told.packs = volume.packs;
    row.told.free_bytes = volume.free_bytes;
    row.place = Some((volume.path, volume.there));
    row
}

fn of_account(account: SpaceAccount, now: i64) -> SpaceRow {
    let days: Vec<(i64, u64)> = account.days.iter().map(|day| (day.at, day.bytes)).collect();
    let bytes = account.usage.map(|usage| usage.now_bytes);
    let growth = |over| bytes.and_then(|bytes| growth(&days, (now, bytes), over));
    let (growth_7d, growth_30d) = (growth(7), growth(30));
    let mut row = SpaceRow {
        scope: SpaceScope::Account,
        name: account.name,
        accounts: 1,
        unknown: u64::from(account.usage.is_none()),
        why: account.why.map(|why| from_refusal(&why)),
        told: UsageTold { free_bytes: None, ..account.usage.unwrap_or_default() },
        growth_7d,
        growth_30d,
        days_left: None,
        days,
        place: None,
    };
    row.days_left = until_limit(&row);
    row
}

fn sum<'a>(scope: SpaceScope, name: String, rows: impl Iterator<Item = &'a SpaceRow>) -> SpaceRow {
    let mut sum = SpaceRow {
        scope,
        name,
        accounts: 0,
        unknown: 0,
        why: None,
        told: UsageTold::default(),
        growth_7d: None,
        growth_30d: None,
        days_left: None,
        days: Vec::new(),
        place: None,
    };
    for row in rows {
        sum.accounts += 1;
        sum.unknown += row.unknown;
        for (sum, more) in [(&mut sum.growth_7d, row.growth_7d), (&mut sum.growth_30d, row.growth_30d)] {
            if let Some(more) = more {
                *sum = Some(sum.unwrap_or(0).saturating_add(more));
            }
        }
        if row.unknown == 0 {
            add(&mut sum.told, &row.told);
        }
    }
    sum
}

fn add(sum: &mut UsageTold, more: &UsageTold) {
    sum.at = if sum.at == 0 { more.at } else { sum.at.min(more.at) };
    for (sum, more) in [
        (&mut sum.current_bytes, more.current_bytes),
        (&mut sum.history_bytes, more.history_bytes),
        (&mut sum.trash_bytes, more.trash_bytes),
        (&mut sum.metadata_bytes, more.metadata_bytes),
        (&mut sum.unreferenced_bytes, more.unreferenced_bytes),
        (&mut sum.now_bytes, more.now_bytes),
        (&mut sum.pack_bytes, more.pack_bytes),
        (&mut sum.catalog_bytes, more.catalog_bytes),
        (&mut sum.packs, more.packs),
        (&mut sum.versions, more.versions),
        (&mut sum.holes, more.holes),
    ] {
        *sum = sum.saturating_add(more);
    }
    let of_two = |sum: Option<i64>, more: Option<i64>, pick: fn(i64, i64) -> i64| match (sum, more) {
        (Some(sum), Some(more)) => Some(pick(sum, more)),
        (sum, more) => sum.or(more),
    };
    sum.oldest_at = of_two(sum.oldest_at, more.oldest_at, i64::min);
    sum.newest_at = of_two(sum.newest_at, more.newest_at, i64::max);
}

/// Bytes a day since the sample that is so many days old, or the next older one; where there is none so old, since the
/// oldest one of an earlier day.
fn growth(days: &[(i64, u64)], (now, bytes): (i64, u64), over: i64) -> Option<i64> {
    let age = |at: i64| now.div_euclid(DAY_MS).saturating_sub(at.div_euclid(DAY_MS));
    let old = days.iter().rev().find(|(at, _)| age(*at) >= over).or(days.first())?;
    let days = age(old.0);
    if days < 1 {
        return None;
    }
    let change = i128::from(bytes) - i128::from(old.1);
    i64::try_from(change / i128::from(days)).ok()
}

fn until_limit(row: &SpaceRow) -> Option<u64> {
    row.told.hard_bytes.and_then(|hard| days(hard.saturating_sub(row.told.pack_bytes), row))
}

/// Whole days in which so much is added; `None` when it does not grow.
fn days(left: u64, row: &SpaceRow) -> Option<u64> {
    let growth = u64::try_from(row.growth_30d.or(row.growth_7d)?).ok()?;
    left.checked_div(growth)
}

#[cfg(test)]
mod tests {
    use transport::message::SpaceDay;

    use super::*;

    const NOW: i64 = 20_000 * DAY_MS + 5;

    fn account(name: &str, number: u32, bytes: u64, days: &[(i64, u64)], hard_bytes: Option<u64>) -> SpaceAccount {
        let usage = UsageTold {
            at: NOW,
            current_bytes: bytes - 1,
            metadata_bytes: 1,
            now_bytes: bytes,
            pack_bytes: bytes,
            versions: 2,
            oldest_at: Some(i64::from(number)),
            hard_bytes,
            free_bytes: Some(9),
            ..UsageTold::default()
        };
        let days = days.iter().map(|(ago, bytes)| SpaceDay { at: (20_000 - ago) * DAY_MS, bytes: *bytes }).collect();
        SpaceAccount { name: name.into(), number, usage: Some(usage), days, why: None }
    }

    #[test]
    fn growth_is_measured_over_what_there_is() {
        let at = |ago: i64| (20_000 - ago) * DAY_MS;
        let days = [(at(30), 100), (at(9), 400), (at(3), 500), (at(0), 590)];
        assert_eq!(growth(&days, (NOW, 700), 30), Some(20));
        assert_eq!(growth(&days, (NOW, 700), 7), Some(33));
        assert_eq!(growth(&days[2..], (NOW, 400), 30), Some(-33));
        assert_eq!(growth(&days[3..], (NOW, 700), 7), None);
        assert_eq!(growth(&[], (NOW, 700), 7), None);
        assert_eq!(growth(&[(at(1), u64::MAX)], (NOW, 0), 7), None);
    }

    #[test]
    fn groups_and_the_vault_are_sums() {
        let broken = SpaceAccount { name: "eve".into(), number: 3, ..SpaceAccount::default() };
        let accounts = vec![
            account("ana", 1, 1_000, &[(10, 500)], Some(2_000)),
            account("bob", 2, 5_000, &[(10, 6_000)], Some(9_000)),
            broken,
        ];
        let group = SpaceGroup { name: "g".into(), members: vec![3, 1, 77], soft_bytes: None, hard_bytes: Some(1_600) };
        let vault = SpaceVault { at: NOW, beside_bytes: 7, free_bytes: Some(10_000) };
        let rows = rows(accounts, vec![group], Vec::new(), &vault);
        let names: Vec<&str> = rows.iter().map(|row| row.name.as_str()).collect();
        assert_eq!(names, ["bob", "ana", "eve", "g", ""]);
        let [bob, ana, eve, group, vault] = &rows[..] else { panic!() };
        assert_eq!((bob.growth_7d, bob.days_left), (Some(-100), None));
        assert_eq!((ana.growth_30d, ana.days_left, ana.told.free_bytes), (Some(50), Some(20), None));
        assert_eq!((eve.unknown, eve.growth_7d), (1, None));
        assert_eq!((group.accounts, group.unknown, group.total_bytes(), group.days_left), (2, 1, 1_000, Some(12)));
        assert_eq!((vault.accounts, vault.told.now_bytes, vault.total_bytes()), (3, 6_007, 6_007));
        assert_eq!((vault.growth_7d, vault.days_left, vault.told.versions), (Some(-50), None, 4));
        assert_eq!((vault.told.oldest_at, vault.told.at), (Some(1), NOW));
    }
}
