//! Groups: sets of accounts for statistics, quotas and notices, kept as numbered notes (FORMAT.md, chapter 7). A group
//! holds accounts and nothing else, so none is in another; an account may be in several.

use std::collections::BTreeSet;
use std::path::Path;

use minicbor::{Decode, Encode};

use super::account::{check_given_name, check_name, make_dir};
use super::layout;
use super::note::{self, NoteKind};
use super::terms::Terms;
use super::{AccountInfo, Vault};
use crate::door::{Disk, Lock, Millis};
use crate::error::{Error, Result};
use crate::id::AccountId;

/// How often a note's number may be taken by somebody else before we say busy.
const TRIES: usize = 64;
/// Most members of a group: their ids fit into a note twice over.
const MEMBERS_MAX: usize = 20_000;

/// What a vault knows of a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupInfo {
    /// Its number in this vault.
    pub number: u32,
    /// Its name, 1 to 255 characters, unique among the groups of the vault.
    pub name: String,
    /// The accounts in it. One that went since is in no list of accounts any more and counts nowhere.
    pub members: BTreeSet<AccountId>,
    /// When it was made, milliseconds since 1970.
    pub created_at: Millis,
    /// What an administrator has settled.
    pub terms: Terms,
}

/// The content of a note. A group that was deleted keeps its number and nothing else.
#[derive(Debug, Encode, Decode)]
#[cbor(map)]
struct Content {
    #[n(0)]
    name: Option<String>,
    #[n(1)]
    members: Vec<AccountId>,
    #[n(2)]
    created_at: i64,
    #[n(3)]
    terms: Option<Terms>,
}

impl GroupInfo {
    fn encode(&self) -> Vec<u8> {
        encode(&Content {
            name: Some(self.name.clone()),
            members: self.members.iter().copied().collect(),
            created_at: self.created_at,
            terms: Some(self.terms.clone()).filter(|terms| *terms != Terms::default()),
        })
    }

    /// `None` when it was deleted.
    fn decode(bytes: &[u8], number: u32) -> Result<Option<Self>> {
        let content: Content =
            minicbor::decode(bytes).map_err(|_| Error::damaged("group note", "it cannot be read"))?;
        let Some(name) = content.name else { return Ok(None) };
        check_name(&name).map_err(|_| Error::damaged("group note", "its name is not in order"))?;
        Ok(Some(Self {
            number,
            name,
            members: content.members.into_iter().collect(),
            created_at: content.created_at,
            terms: content.terms.unwrap_or_default(),
        }))
    }
}

fn encode(content: &Content) -> Vec<u8> {
    note::content(|e| e.encode(content).map(drop))
}

/// The group in force, and the number of its note. `None` when it was deleted, or its making was cut short.
fn load(disk: &dyn Disk, vault: &Path, number: u32) -> Result<(u64, Option<GroupInfo>)> {
    let dir = layout::group(vault, number);
    let Some(newest) = note::numbers(disk, &dir)?.pop() else { return Ok((0, None)) };
    let content = note::read(disk, NoteKind::Group, &note::path(&dir, newest))?;
    let group = GroupInfo::decode(&content, number).map_err(|e| e.at(|| dir.display().to_string()))?;
    Ok((newest, group))
}

/// Numbers that are in use, deleted ones too.
fn numbers(disk: &dyn Disk, vault: &Path) -> Result<Vec<u32>> {
    match disk.names(&layout::groups(vault)) {
        Err(Error::NotFound { .. }) => Ok(Vec::new()),
        // Names ascend with their numbers.
        other => Ok(other?.iter().filter_map(|name| layout::account_number(name)).collect()),
    }
}

/// All groups, by number.
pub(super) fn all(disk: &dyn Disk, vault: &Path) -> Result<Vec<GroupInfo>> {
    let mut out = Vec::new();
    for number in numbers(disk, vault)? {
        out.extend(load(disk, vault, number)?.1);
    }
    Ok(out)
}

impl Vault {
    /// All groups, by name.
    pub fn groups(&self) -> Result<Vec<GroupInfo>> {
        let mut out = all(self.disk(), self.path())?;
        out.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(out)
    }

    /// The group of this name. `NotFound` when there is none.
    pub fn group(&self, name: &str) -> Result<GroupInfo> {
        let found = self.groups()?.into_iter().find(|group| group.name == name);
        found.ok_or_else(|| Error::NotFound { what: "group", name: name.to_owned() })
    }

    /// The groups that this account is in, by name.
    pub fn groups_of(&self, account: &AccountInfo) -> Result<Vec<GroupInfo>> {
        let mut groups = self.groups()?;
        groups.retain(|group| group.members.contains(&account.id));
        Ok(groups)
    }

    /// Makes a group without members. `Taken` when the name is in use.
    pub fn create_group(&self, name: &str) -> Result<GroupInfo> {
        self.must_write()?;
        check_given_name(name)?;
        let _lock = self.lock_groups()?;
        self.must_be_free(name, None)?;
        let last = numbers(self.disk(), self.path())?.into_iter().max().unwrap_or(0);
        let group = GroupInfo {
            number: last.saturating_add(1),
            name: name.to_owned(),
            members: BTreeSet::new(),
            created_at: self.clock().now_ms(),
            terms: Terms::default(),
        };
        let dir = layout::group(self.path(), group.number);
        make_dir(self.disk(), &dir)?;
        self.disk().sync_dir(&layout::groups(self.path()))?;
        note::add(self.disk(), self.chance(), &dir, 1, NoteKind::Group, &group.encode())?;
        Ok(group)
    }

    /// Gives a group another name. `Taken` when it is in use.
    pub fn rename_group(&self, group: &GroupInfo, name: &str) -> Result<GroupInfo> {
        check_given_name(name)?;
        let _lock = self.lock_groups()?;
        self.must_be_free(name, Some(group.number))?;
        self.change_group(group, |group| {
            name.clone_into(&mut group.name);
            Ok(())
        })
    }

    /// Settles limits and contacts anew. `Refused` when they contradict each other.
    pub fn settle_group(&self, group: &GroupInfo, decide: impl Fn(&mut Terms)) -> Result<GroupInfo> {
        self.change_group(group, |group| {
            decide(&mut group.terms);
            group.terms.check()
        })
    }

    /// Takes accounts in; those that are in it already are passed over.
    pub fn join_group(&self, group: &GroupInfo, accounts: &[AccountInfo]) -> Result<GroupInfo> {
        self.change_group(group, |group| {
            group.members.extend(accounts.iter().map(|account| account.id));
            if group.members.len() > MEMBERS_MAX {
                let (found, most) = (group.members.len() as u64, MEMBERS_MAX as u64);
                return Err(Error::Limit { what: "members of a group", found, most });
            }
            Ok(())
        })
    }

    /// Lets accounts go; those that are not in it are passed over.
    pub fn leave_group(&self, group: &GroupInfo, accounts: &[AccountInfo]) -> Result<GroupInfo> {
        self.change_group(group, |group| {
            for account in accounts {
                group.members.remove(&account.id);
            }
            Ok(())
        })
    }

    /// Deletes a group. Its members stay what they are.
    pub fn delete_group(&self, group: &GroupInfo) -> Result<()> {
        let gone = Content { name: None, members: Vec::new(), created_at: group.created_at, terms: None };
        self.next_note(group, |_| Ok(encode(&gone)))
    }

    fn must_be_free(&self, name: &str, except: Option<u32>) -> Result<()> {
        let taken = self.groups()?.iter().any(|group| group.name == name && Some(group.number) != except);
        if taken { Err(Error::Taken { what: format!("the group {name}") }) } else { Ok(()) }
    }

    /// Held while names and numbers are given.
    fn lock_groups(&self) -> Result<Lock> {
        let groups = layout::groups(self.path());
        make_dir(self.disk(), &groups)?;
        self.disk().sync_dir(self.path())?;
        let lock = self.disk().lock(&layout::groups_lock(self.path()))?;
        lock.ok_or_else(|| Error::Busy { what: "the list of groups".to_owned() })
    }

    /// Writes the next note of a group, decided by what is in force at that moment.
    fn change_group(&self, group: &GroupInfo, decide: impl Fn(&mut GroupInfo) -> Result<()>) -> Result<GroupInfo> {
        let mut changed = group.clone();
        self.next_note(group, |now| {
            decide(now)?;
            changed = now.clone();
            Ok(now.encode())
        })?;
        Ok(changed)
    }

    fn next_note(&self, group: &GroupInfo, mut content: impl FnMut(&mut GroupInfo) -> Result<Vec<u8>>) -> Result<()> {
        self.must_write()?;
        let dir = layout::group(self.path(), group.number);
        for _ in 0..TRIES {
            let (number, Some(mut now)) = load(self.disk(), self.path(), group.number)? else {
                return Err(Error::NotFound { what: "group", name: group.name.clone() });
            };
            let before = now.encode();
            let content = content(&mut now)?;
            if content == before {
                // Who wrote the note may have ended before it was durable.
                return self.disk().sync_dir(&dir);
            }
            match note::add(self.disk(), self.chance(), &dir, number + 1, NoteKind::Group, &content) {
                Err(Error::Taken { .. }) => {}
                other => return other,
            }
        }
        Err(Error::Busy { what: format!("the group {}", group.name) })
    }
}
