//! File trees as plain records: entries, nodes, pages (FORMAT.md, chapter 5).
//!
//! Entries become nodes through [`DirBuilder`], [`ListBuilder`] and [`build_root`], and nodes become entries again
//! through [`decode`], [`DirReader`], [`find`] and [`PieceReader`]; [`LookReader`] gives what a scan compares of them. What does not happen here: nothing is sealed,
//! grouped, stored or fetched, and no file is read.

mod build;
mod build_list;
mod built;
mod check;
mod columns;
mod content;
mod entry;
mod index;
mod list;
mod look;
mod node;
mod page;
mod read;
#[cfg(test)]
mod tests;

pub use build::{DirBuilder, Sink, build_root};
pub use build_list::ListBuilder;
pub use built::Built;
pub use check::XATTR_BYTES_MAX;
pub use columns::content_id;
pub use entry::{
    Child, Content, CutClass, Entry, Facts, Kind, Mark, Owner, Piece, Time, Totals, What, Xattr, check_name,
};
pub use index::IndexChild;
pub use list::ListChild;
pub use look::{Look, LookReader, Looks, decode_looks};
pub use node::{Node, decode, encode};
pub use read::{DirReader, NodeSource, Pages, PieceReader, find};
