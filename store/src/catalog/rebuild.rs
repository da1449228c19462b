//! Emptying a catalog so that it can be made again, and comparing two of them.

use rusqlite::types::ValueRef;

use super::Rows;
use crate::error::Result;
use crate::id::hex;

/// Every table, each row as one text, without what two catalogs of the same vault may rightly differ in: the numbers
/// of packs and places (their names stand instead) and single values (which only rise).
const COMPARED: [(&str, &str); 5] = [
    ("pack", "SELECT id, kind, session, bytes FROM pack"),
    (
        "place",
        "SELECT pack.id, offset, length, place.kind, items, hash, state FROM place JOIN pack ON pack.no = place.pack",
    ),
    (
        "chunk",
        "SELECT chunk.id, pack.id, offset FROM chunk JOIN place ON place.no = chunk.place
         JOIN pack ON pack.no = place.pack",
    ),
    (
        "node",
        "SELECT node.id, pack.id, offset, slot, complete FROM node JOIN place ON place.no = node.place
         JOIN pack ON pack.no = place.pack",
    ),
    ("link", "SELECT account, sequence, kind, body, bytes FROM link"),
];

impl Rows<'_> {
    /// Empties all tables. Numbers that only rise stay, so that nobody sees them fall.
    pub fn clear(&self) -> Result<()> {
        for (table, _) in COMPARED {
            self.conn.prepare_cached(&format!("DELETE FROM {table}"))?.execute([])?;
        }
        self.forget_wanted()?;
        self.conn.prepare_cached("DELETE FROM orphan")?.execute([])?;
        self.set_damaged_seen(0)?;
        self.raise_generation()
    }

    /// All rows as sorted lines of text: equal for two catalogs that say the same of the same vault. For tests and for
    /// looking at; it holds everything in memory.
    pub fn dump(&self) -> Result<Vec<String>> {
        let mut out = Vec::new();
        for (table, sql) in COMPARED {
            let mut ask = self.conn.prepare(sql)?;
            let columns = ask.column_count();
            let mut found = ask.query([])?;
            while let Some(row) = found.next()? {
                let mut line = table.to_owned();
                for column in 0..columns {
                    line.push(' ');
                    match row.get_ref(column)? {
                        ValueRef::Blob(bytes) => line.push_str(&hex(bytes)),
                        ValueRef::Integer(number) => line.push_str(&number.to_string()),
                        other => line.push_str(&format!("{other:?}")),
                    }
                }
                out.push(line);
            }
        }
        out.sort_unstable();
        Ok(out)
    }
}
