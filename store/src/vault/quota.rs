//! The hard limit of an account, held while sessions bring data: nothing is staged that was not reserved before, in
//! one transaction with what is stored and what all other sessions have reserved. So the packs of an account never
//! grow above its limit, however many sessions there are.
//!
//! Counted are the bytes of its packs. Links, bodies and notes are not (a few hundred bytes a version), so that a full
//! account can still record that something is to go; nor is the catalog, which can be made again.

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
