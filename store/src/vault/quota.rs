//! Hard limits, held while sessions bring data: nothing is staged that was not reserved before, in one transaction with
//! what is stored and what all other sessions have reserved. So the packs of an account never grow above its limit,
//! however many sessions there are; nor those of all members of a group above the group's, whose ledger is held
//! meanwhile. An account in several groups is held by all of them.
//!
//! Counted are the bytes of packs. Links and notes are not, and bodies only when they are many (a few hundred bytes a
//! version are nothing, but a client can make them large), so that a full account can still record that something is to
//! go; nor is the catalog, which can be made again.
//!
//! And on the disk itself some space stays free of data: what forgetting, deleting and housekeeping need to give back more.

use std::collections::BTreeSet;
use std::path::Path;

use super::ledger::{Held, taken};
use super::session::Token;
use super::{AccountInfo, Domain, accounts, layout};
use crate::error::{Error, Result};
use crate::id::{AccountId, DomainId, SessionId};
use crate::record::Record;

/// Reserved at a time, so that not every record costs a transaction.
const STEP: u64 = 8 << 20;
/// With less room than this each record reserves for itself, so that nobody is refused for what others only might bring.
const SCARCE: u64 = 16 * STEP;
/// What a pack has beside its records: header, trailer, the head of its footer.
const PACK_BYTES: u64 = 1 << 10;
/// What a record has in the footer beside its ids.
const LINE_BYTES: u64 = 256;

/// Bodies of versions that are not counted: those of some ten thousand.
const FREE_BODIES: u64 = 16 << 20;
/// Of the packs' bytes this share of space stays free of data, within bounds: the catalog's changes while housekeeping goes
/// through it, a pack that is made of others, the links and bodies that say what is to go.
const SPARE_SHARE: u64 = 16;
const SPARE_LEAST: u64 = 1 << 20;
const SPARE_MOST: u64 = 64 << 20;

/// What a session may still stage.
#[derive(Debug)]
pub(super) struct Allowance {
    account: AccountInfo,
    session: SessionId,
    left: u64,
    /// Nothing was reserved for what was staged so far, as there was no limit.
    free: bool,
    /// Space that stays free on the disk, once it was looked up.
    spare: Option<u64>,
}

/// What was allowed.
enum Grant {
    /// There is no limit.
    Free,
    /// So much was reserved.
    Reserved(u64),
}

impl Allowance {
    pub(super) fn new(account: &AccountInfo, session: SessionId) -> Self {
        Self { account: account.clone(), session, left: 0, free: false, spare: None }
    }

    /// Takes what this record can need on the disk; `Full` when that is not allowed. `staged`: bytes in unfinished packs,
    /// which count from the moment that there is a limit. A full disk when what has to stay free would not.
    /// What dead sessions left goes before anything is refused.
    pub(super) fn take(&mut self, domain: &Domain, record: &Record, staged: u64) -> Result<()> {
        let first = self.take_once(domain, record, staged);
        let again = match &first {
            Err(e) if lacks_room(e) && domain.let_go_for(&self.account) => self.take_once(domain, record, staged),
            _ => return self.noted(domain, first),
        };
        self.noted(domain, again)
    }

    /// Has the session's folder say that it was refused for a limit.
    fn noted(&self, domain: &Domain, taken: Result<()>) -> Result<()> {
        if matches!(taken, Err(Error::Full { .. })) {
            let folder = domain.inner.paths.session(self.session);
            // Without it what was staged is adopted, and goes a day later.
            drop(domain.inner.shared.disk.create_new(&layout::refused(&folder)));
        }
        taken
    }

    fn take_once(&mut self, domain: &Domain, record: &Record, staged: u64) -> Result<()> {
        let ids = 32 * u64::from(record.header.items);
        let need = (record.stored_len() as u64).saturating_add(ids + LINE_BYTES + PACK_BYTES);
        let spare = match self.spare {
            Some(spare) => spare,
            None => *self.spare.insert(domain.spare()?),
        };
        // At home, where everything is staged, whatever volume it goes to.
        if domain.free_at_home() < need.saturating_add(spare) {
            let full = std::io::Error::from(std::io::ErrorKind::StorageFull);
            return Err(Error::disk("add to", domain.inner.paths.root(), full));
        }
        if self.left < need {
            let before = if self.free { staged } else { 0 };
            match domain.reserve(&self.account, Some(self.session), need.saturating_add(before))? {
                Grant::Free => (self.left, self.free) = (need.max(STEP), true),
                Grant::Reserved(bytes) => {
                    let left = if self.free { 0 } else { self.left };
                    (self.left, self.free) = (left.saturating_add(bytes.saturating_sub(before)), false);
                }
            }
        }
        self.left = self.left.saturating_sub(need);
        Ok(())
    }
}

/// Whether less of what lies about would help.
fn lacks_room(error: &Error) -> bool {
    matches!(error, Error::Full { .. }) || error.is_full()
}

impl Domain {
    /// Bytes that may still be added to an account under its own limit; `None` when it has none.
    pub fn room(&self, account: &AccountInfo) -> Result<Option<u64>> {
        let account = self.account_now(account)?;
        let Some(hard) = account.terms.hard_bytes else { return Ok(None) };
        Ok(Some(hard.saturating_sub(self.inner.catalog.read(taken)?)))
    }

    /// Whether an account may have one more body of this length; `Full` when its packs and bodies are above its limit, or
    /// that of a group, with it. What is no version has twice the room before it is counted: to say that something is to go is what a
    /// full account needs.
    pub(super) fn check_body(&self, account: &AccountInfo, is_version: bool, bytes: u64, packs: u64) -> Result<()> {
        let groups = self.groups_with(account.id, |terms| terms.hard_bytes.is_some())?;
        let limits = groups.iter().map(|group| &group.terms).chain([&account.terms]);
        let Some(hard) = limits.filter_map(|terms| terms.hard_bytes).min() else { return Ok(()) };
        let named = match self.inner.shared.disk.list(&self.inner.paths.bodies(account.number)) {
            Err(Error::NotFound { .. }) => Vec::new(),
            other => other?,
        };
        let bodies = named.iter().fold(bytes, |sum, named| sum.saturating_add(named.len));
        let free = if is_version { FREE_BODIES } else { 2 * FREE_BODIES };
        let used = packs.saturating_add(bodies);
        if bodies > free && used > hard {
            return Err(Error::Full { whose: format!("the account {}", account.name), limit: hard, used });
        }
        Ok(())
    }

    /// Space on the disk that is not for data.
    pub(super) fn spare(&self) -> Result<u64> {
        let (packs, _) = self.inner.catalog.read(|rows| rows.taken())?;
        Ok((packs / SPARE_SHARE).clamp(SPARE_LEAST, SPARE_MOST))
    }

    /// `Full` when nothing at all may be added to an account, for its own limit or that of a group.
    pub fn must_have_room(&self, account: &AccountInfo) -> Result<()> {
        match self.reserve(account, None, 1) {
            Err(e) if lacks_room(&e) && self.let_go_for(account) => self.reserve(account, None, 1).map(|_| ()),
            other => other.map(|_| ()),
        }
    }

    /// Lets go of what dead sessions of this account left and nobody has adopted, then of what waits in other accounts;
    /// whether there was anything.
    fn let_go_for(&self, account: &AccountInfo) -> bool {
        let disk = &*self.inner.shared.disk;
        let ours = |dir: &Path| Ok(Token::load(disk, dir)?.is_some_and(|token| token.account == account.id));
        // Where that fails, what was refused stays so.
        let some = |let_go: Result<u64>| let_go.is_ok_and(|bytes| bytes > 0);
        some(self.let_go(&ours)) || some(self.let_go_of_others(account))
    }

    /// Lets go of what dead sessions of the other members of its groups left that were refused for a limit: their machines
    /// may never come back, and what they staged would keep all others out. How many bytes that were.
    fn let_go_of_others(&self, account: &AccountInfo) -> Result<u64> {
        let shared = &self.inner.shared;
        let groups = self.groups_with(account.id, |terms| terms.hard_bytes.is_some())?;
        let members: BTreeSet<AccountId> = groups.into_iter().flat_map(|group| group.members).collect();
        if members.is_empty() {
            return Ok(0);
        }
        let all = accounts::all(&*shared.disk, &shared.path)?;
        let domains: BTreeSet<DomainId> =
            all.iter().filter(|other| members.contains(&other.id)).map(|other| other.domain).collect();
        let mut bytes: u64 = 0;
        for id in domains {
            // One that cannot be opened keeps what it has.
            let Ok(domain) = Self::open(shared, id) else { continue };
            bytes = bytes.saturating_add(domain.let_go(&|dir| domain.was_refused(dir)).unwrap_or(0));
        }
        Ok(bytes)
    }

    /// Whether the session of this folder was refused for a limit.
    pub(super) fn was_refused(&self, dir: &Path) -> Result<bool> {
        Ok(self.inner.shared.disk.exists(&layout::refused(dir))?.is_some())
    }

    /// Whether the account of a session that was refused may still be at its limit. Of a group's limit that is not looked up:
    /// its ledger may be held by who asks.
    pub(super) fn is_still_refused(&self, dir: &Path) -> Result<bool> {
        let shared = &self.inner.shared;
        let Some(token) = Token::load(&*shared.disk, dir)? else { return Ok(false) };
        let accounts = super::account::accounts_in(shared, &self.inner.paths, self.id())?;
        let Some(account) = accounts.iter().find(|account| account.id == token.account) else { return Ok(false) };
        let used = self.inner.catalog.read(taken)?;
        let is_short = |hard: u64| hard.saturating_sub(used) < STEP;
        Ok(account.terms.hard_bytes.is_some_and(is_short)
            || !self.groups_with(account.id, |terms| terms.hard_bytes.is_some())?.is_empty())
    }

    /// Reserves at least `need` bytes, for this session; for none, only looks whether there is room.
    fn reserve(&self, account: &AccountInfo, session: Option<SessionId>, need: u64) -> Result<Grant> {
        // Read anew each time: a limit that is set meanwhile counts from the next step on.
        let account = self.account_now(account)?;
        let groups = self.groups_with(account.id, |terms| terms.hard_bytes.is_some())?;
        if account.terms.hard_bytes.is_none() && groups.is_empty() {
            return Ok(Grant::Free);
        }
        let mut limits: Vec<(u64, u64)> = account.terms.hard_bytes.map(|hard| (hard, 0)).into_iter().collect();
        let mut ledgers = Vec::with_capacity(groups.len());
        for group in groups {
            let hard = group.terms.hard_bytes.unwrap_or(u64::MAX);
            let held = Held::new(&self.inner.shared, group)?;
            let others = self.others_of(&held, &account, hard, need)?;
            limits.push((hard, others));
            ledgers.push(held);
        }
        let write = self.inner.catalog.write()?;
        let rows = write.rows();
        let own = taken(rows)?;
        let room = |(hard, others): &(u64, u64)| hard.saturating_sub(others.saturating_add(own));
        let short = limits.iter().position(|limit| room(limit) < need);
        let least = limits.iter().map(room).min().unwrap_or(0);
        let grant = match (short, session) {
            (None, Some(_)) if least < SCARCE => need,
            (None, Some(_)) => need.max(STEP),
            _ => 0,
        };
        if let Some(session) = session.filter(|_| grant > 0) {
            rows.reserve(session, grant)?;
            // The catalog first: who counts anew holds the ledgers, and finds it there.
            write.commit()?;
        } else {
            drop(write);
        }
        let first = usize::from(account.terms.hard_bytes.is_some());
        let full = short.and_then(|nth| {
            limits.get(nth).map(|(limit, others)| Error::Full {
                whose: match nth.checked_sub(first).and_then(|nth| ledgers.get(nth)) {
                    Some(held) => format!("the group {}", held.group.name),
                    None => format!("the account {}", account.name),
                },
                limit: *limit,
                used: others.saturating_add(own),
            })
        });
        for held in ledgers {
            held.ledger.set_bytes(account.id, own.saturating_add(grant))?;
            held.ledger.commit()?;
        }
        full.map_or(Ok(Grant::Reserved(grant)), Err)
    }

    /// What the other members of a group take: by its ledger, and, when that leaves no room, counted anew.
    fn others_of(&self, held: &Held, account: &AccountInfo, hard: u64, need: u64) -> Result<u64> {
        let own = self.inner.catalog.read(taken)?;
        let others = held.others(account.id)?;
        if others.saturating_add(own).saturating_add(need) <= hard {
            return Ok(others);
        }
        held.others_anew(account.id)
    }
}
