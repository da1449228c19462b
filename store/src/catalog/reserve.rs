//! What sessions have been allowed to bring and have not yet published, so that all of them together stay below a
//! limit. Losable: a session that dies is adopted, and its allowance goes with its folder.

use rusqlite::params;

use super::{Rows, unsigned};
use crate::error::{Error, Result};
use crate::id::SessionId;

impl Rows<'_> {
    /// Bytes of all packs, and bytes that all sessions may still bring. In one statement: between two a session could
    /// publish, and what it published would be in neither.
    pub fn taken(&self) -> Result<(u64, u64)> {
        let mut ask = self.conn.prepare_cached(
            "SELECT (SELECT coalesce(sum(bytes), 0) FROM pack), (SELECT coalesce(sum(bytes), 0) FROM reserve)",
        )?;
        let (packs, reserved) = ask.query_row([], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?)))?;
        Ok((unsigned(packs)?, unsigned(reserved)?))
    }

    /// Allows a session to bring more.
    pub fn reserve(&self, session: SessionId, bytes: u64) -> Result<()> {
        let mut put = self.conn.prepare_cached(
            "INSERT INTO reserve(session, bytes) VALUES(?1, ?2)
             ON CONFLICT(session) DO UPDATE SET bytes = bytes + excluded.bytes",
        )?;
        put.execute(params![session.bytes().as_slice(), signed(bytes)?])?;
        Ok(())
    }

    /// A session has published so much of what it was allowed to bring.
    pub(super) fn brought(&self, session: SessionId, bytes: u64) -> Result<()> {
        let mut put = self.conn.prepare_cached("UPDATE reserve SET bytes = max(0, bytes - ?2) WHERE session = ?1")?;
        put.execute(params![session.bytes().as_slice(), signed(bytes)?])?;
        Ok(())
    }

    /// The sessions that have been allowed to bring something.
    pub fn reserving(&self) -> Result<Vec<SessionId>> {
        let mut ask = self.conn.prepare_cached("SELECT session FROM reserve")?;
        let mut found = ask.query([])?;
        let mut out = Vec::new();
        while let Some(row) = found.next()? {
            // Of what is no session nobody asks.
            out.extend(SessionId::from_slice(row.get_ref(0)?.as_blob().unwrap_or_default()));
        }
        Ok(out)
    }

    /// A session is over.
    pub fn unreserve(&self, session: SessionId) -> Result<()> {
        let mut put = self.conn.prepare_cached("DELETE FROM reserve WHERE session = ?1")?;
        put.execute([session.bytes().as_slice()])?;
        Ok(())
    }
}

fn signed(bytes: u64) -> Result<i64> {
    i64::try_from(bytes).map_err(|_| Error::damaged("catalog", "a limit is too large"))
}
