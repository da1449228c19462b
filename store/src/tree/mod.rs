//! File trees as plain records: entries, nodes, pages (FORMAT.md, chapter 5).

mod entry;

pub use entry::{
    Child, Content, CutClass, Entry, Facts, Kind, Mark, Owner, Piece, Time, Totals, What, Xattr, check_name,
};
