//! What an administrator does with groups of accounts.

use std::collections::HashMap;

use store::id::AccountId;
use store::vault::{Access, AccountInfo, GroupInfo, Vault};
use transport::Call;
use transport::message::IDS_MAX;
use transport::message::admin::{self, GroupFacts, Members};

use super::accounts::{apply, check_limits, check_rate, rows, told, wrong};
use super::refuse::Refused;
use super::{Server, reply};
use crate::cli::nearest;
use crate::fault::{Code, Fault};

impl Server {
    /// One request about groups.
    pub(super) fn look_after_groups(&self, call: &Call, ask: admin::Group) -> Result<(), Refused> {
        use admin::Group as Ask;
        self.must_see_all()?;
        let access = if matches!(ask, Ask::List(_)) { Access::Read } else { Access::Write };
        let vault = self.vault(access)?;
        let group = |name: &str| group(&vault, name);
        let changed = match ask {
            Ask::List(list) => {
                let alone = list.group.is_some();
                let figures = alone || list.figures.unwrap_or(false);
                let groups = list.group.map_or_else(|| Ok(vault.groups()?), |name| Ok(vec![group(&name)?]));
                let groups = groups.map_err(|refused: Refused| refused)?;
                return rows(call, groups.iter().map(|group| facts(&vault, group, alone, figures)));
            }
            Ask::Create(create) => vault.create_group(&create.name).map_err(wrong)?,
            Ask::Settle(settle) => {
                check_rate(&settle)?;
                let group = group(&settle.which)?;
                check_limits(&settle, &group.terms)?;
                vault.settle_group(&group, |terms| apply(&settle, terms)).map_err(wrong)?
            }
            Ask::Rename(rename) => vault.rename_group(&group(&rename.which)?, &rename.name).map_err(wrong)?,
            Ask::Add(members) => {
                let accounts = self.members(&vault, &members)?;
                vault.join_group(&group(&members.group)?, &accounts).map_err(wrong)?
            }
            Ask::Remove(members) => {
                let accounts = self.members(&vault, &members)?;
                vault.leave_group(&group(&members.group)?, &accounts).map_err(wrong)?
            }
            Ask::Delete(delete) => {
                vault.delete_group(&group(&delete.group)?)?;
                return reply(call, ());
            }
        };
        reply(call, facts(&vault, &changed, true, true)?)
    }

    /// The accounts that are named. A group in a group is refused, and said so.
    fn members(&self, vault: &Vault, members: &Members) -> Result<Vec<AccountInfo>, Refused> {
        if members.accounts.len() > IDS_MAX {
            return Err(Fault::new(Code::Usage, format!("at most {IDS_MAX} accounts at a time")).into());
        }
        let find = |name: &String| match self.meant(vault, name) {
            Err(Refused::Told(fault)) if fault.code == Code::AccountNone && vault.group(name).is_ok() => {
                Err(Fault::new(Code::Usage, format!("{name} is a group, and a group holds only accounts")).into())
            }
            other => other,
        };
        members.accounts.iter().map(find).collect()
    }
}

/// The group that is named; a name near to it is told.
pub(super) fn group(vault: &Vault, name: &str) -> Result<GroupInfo, Refused> {
    vault.group(name).map_err(|error| match error {
        store::Error::NotFound { .. } => {
            let groups = vault.groups().unwrap_or_default();
            let near = nearest(name, groups.iter().map(|group| group.name.as_str())).map(str::to_owned);
            let hint = near.map_or_else(|| "tuckbox group list".to_owned(), |near| format!("did you mean {near}?"));
            Fault::new(Code::GroupNone, format!("there is no group {name} in this vault")).hint(hint).into()
        }
        other => other.into(),
    })
}

/// What is told of a group. `alone`: its members; `figures`: sums over them.
fn facts(vault: &Vault, group: &GroupInfo, alone: bool, figures: bool) -> Result<GroupFacts, Refused> {
    let mut facts = GroupFacts {
        name: group.name.clone(),
        number: group.number,
        created_at: group.created_at,
        member_count: group.members.len() as u64,
        terms: told(&group.terms),
        members: Vec::new(),
        stored_bytes: None,
        versions: None,
        newest_at: None,
    };
    if !figures {
        return Ok(facts);
    }
    let all: HashMap<AccountId, AccountInfo> =
        vault.accounts()?.into_iter().map(|account| (account.id, account)).collect();
    let members: Vec<&AccountInfo> = group.members.iter().filter_map(|id| all.get(id)).collect();
    let (mut stored, mut versions) = (0_u64, 0_u64);
    for account in &members {
        let domain = vault.domain_to_read(account)?;
        stored = stored.saturating_add(domain.stored()?.pack_bytes);
        versions = versions.saturating_add(domain.versions(account)?);
        facts.newest_at = facts.newest_at.max(vault.newest_version(account)?.map(|newest| newest.received_at));
    }
    facts.member_count = members.len() as u64;
    if alone {
        facts.members = members.iter().map(|account| account.number).collect();
        facts.members.sort_unstable();
    }
    (facts.stored_bytes, facts.versions) = (Some(stored), Some(versions));
    Ok(facts)
}
