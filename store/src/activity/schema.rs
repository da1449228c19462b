//! Which tables there are, and how an older database becomes one of today.

use rusqlite::{Connection, TransactionBehavior};

use super::{log, samples, sessions, traffic};
use crate::error::{Error, Result};

/// What each version of the schema added. The version of a database (`user_version`) is the number of steps that were
/// taken. A step that was published never changes: a change is a step more.
const STEPS: &[&[&str]] = &[&[sessions::TABLE, traffic::TABLE, log::TABLE, samples::TABLE]];

/// Makes the tables, as far as they lack.
pub(super) fn prepare(conn: &mut Connection) -> Result<()> {
    migrate(conn, STEPS)
}

fn version(conn: &Connection) -> Result<usize> {
    let found: i64 = conn.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    usize::try_from(found).map_err(|_| super::damaged("its version is negative"))
}

fn migrate(conn: &mut Connection, steps: &[&[&str]]) -> Result<()> {
    if version(conn)? == steps.len() {
        return Ok(());
    }
    let change = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
    // Another process may have been faster.
    let found = version(&change)?;
    let Some(lacking) = steps.get(found..) else {
        return Err(Error::Newer { what: "activity", found: u32::try_from(found).unwrap_or(u32::MAX) });
    };
    for table in lacking.iter().copied().flatten() {
        change.execute_batch(table)?;
    }
    change.pragma_update(None, "user_version", i64::try_from(steps.len()).unwrap_or(i64::MAX))?;
    change.commit()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const OLD: &[&[&str]] = &[&["CREATE TABLE a(x INTEGER) STRICT;"]];
    const NEW: &[&[&str]] = &[
        &["CREATE TABLE a(x INTEGER) STRICT;"],
        &["ALTER TABLE a ADD COLUMN y INTEGER NOT NULL DEFAULT 7;", "CREATE TABLE b(x INTEGER) STRICT;"],
    ];

    #[test]
    fn an_older_database_keeps_its_rows_and_gets_what_it_lacks() {
        let mut conn = Connection::open_in_memory().unwrap();
        migrate(&mut conn, OLD).unwrap();
        conn.execute("INSERT INTO a VALUES(1)", []).unwrap();
        migrate(&mut conn, NEW).unwrap();
        migrate(&mut conn, NEW).unwrap();
        let row: (i64, i64) = conn.query_row("SELECT x, y FROM a", [], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
        assert_eq!((row, version(&conn).unwrap()), ((1, 7), 2));
        assert!(matches!(migrate(&mut conn, OLD), Err(Error::Newer { found: 2, .. })));
    }

    #[test]
    fn a_step_that_fails_changes_nothing() {
        let mut conn = Connection::open_in_memory().unwrap();
        migrate(&mut conn, OLD).unwrap();
        let broken: &[&[&str]] = &[OLD[0], &["CREATE TABLE b(x INTEGER) STRICT;", "CREATE TABLE a(x INTEGER);"]];
        assert!(migrate(&mut conn, broken).is_err());
        assert_eq!(version(&conn).unwrap(), 1);
        assert!(conn.execute("INSERT INTO b VALUES(1)", []).is_err());
    }
}
