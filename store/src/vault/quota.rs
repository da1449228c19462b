//! The hard limit of an account, held while sessions bring data: nothing is staged that was not reserved before, in
//! one transaction with what is stored and what all other sessions have reserved. So the packs of an account never
//! grow above its limit, however many sessions there are.
//!
//! Counted are the bytes of its packs. Links and notes are not, and bodies only when they are many (a few hundred bytes a
//! version are nothing, but a client can make them large), so that a full account can still record that something is to
//! go; nor is the catalog, which can be made again.

use super::{AccountInfo, Domain};
use crate::error::{Error, Result};
use crate::id::SessionId;
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

/// What a session may still stage.
#[derive(Debug)]
pub(super) struct Allowance {
    account: AccountInfo,
    session: SessionId,
    left: u64,
}

impl Allowance {
    pub(super) fn new(account: &AccountInfo, session: SessionId) -> Self {
        Self { account: account.clone(), session, left: 0 }
    }

    /// Takes what this record can need on the disk; `Full` when that is not allowed.
    pub(super) fn take(&mut self, domain: &Domain, record: &Record) -> Result<()> {
        let ids = 32 * u64::from(record.header.items);
        let need = (record.stored_len() as u64).saturating_add(ids + LINE_BYTES + PACK_BYTES);
        if self.left < need {
            self.left = self.left.saturating_add(domain.reserve(&self.account, self.session, need)?);
        }
        self.left = self.left.saturating_sub(need);
        Ok(())
    }
}

impl Domain {
    /// Bytes that may still be added to an account; `None` when it has no limit. `Full` is the answer to more.
    pub fn room(&self, account: &AccountInfo) -> Result<Option<u64>> {
        let account = self.account_now(account)?;
        let Some(hard) = account.terms.hard_bytes else { return Ok(None) };
        let used = self.inner.catalog.read(|rows| Ok(rows.pack_totals()?.1.saturating_add(rows.reserved()?)))?;
        Ok(Some(hard.saturating_sub(used)))
    }

    /// Whether an account may have one more body of this length; `Full` when its packs and bodies are above its limit
    /// with it. What is no version has twice the room before it is counted: to say that something is to go is what a
    /// full account needs.
    pub(super) fn check_body(&self, account: &AccountInfo, is_version: bool, bytes: u64, packs: u64) -> Result<()> {
        let Some(hard) = account.terms.hard_bytes else { return Ok(()) };
        let named = match self.inner.shared.disk.list(&self.inner.paths.bodies(account.number)) {
            Err(Error::NotFound { .. }) => Vec::new(),
            other => other?,
        };
        let bodies = named.iter().fold(bytes, |sum, named| sum.saturating_add(named.len));
        let free = if is_version { FREE_BODIES } else { 2 * FREE_BODIES };
        let used = packs.saturating_add(bodies);
        if bodies > free && used > hard {
            return Err(Error::Full { account: account.name.clone(), limit: hard, used });
        }
        Ok(())
    }

    /// Reserves at least `need` bytes and says how many.
    fn reserve(&self, account: &AccountInfo, session: SessionId, need: u64) -> Result<u64> {
        // Read anew each time: a limit that is set meanwhile counts from the next step on.
        let account = self.account_now(account)?;
        let Some(hard) = account.terms.hard_bytes else { return Ok(need.max(STEP)) };
        let write = self.inner.catalog.write()?;
        let rows = write.rows();
        let used = rows.pack_totals()?.1.saturating_add(rows.reserved()?);
        let room = hard.saturating_sub(used);
        if room < need {
            return Err(Error::Full { account: account.name, limit: hard, used });
        }
        let grant = if room < SCARCE { need } else { need.max(STEP) };
        rows.reserve(session, grant)?;
        write.commit()?;
        Ok(grant)
    }
}
