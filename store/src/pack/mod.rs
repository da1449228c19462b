//! Packs: immutable files of records (FORMAT.md, chapter 4).
//!
//! A pack is header, records one after the other, footer, trailer. It is written once, by a [`PackWriter`] into a
//! staging folder, and read by a [`PackReader`] under its final name; publishing (the name, the folder's sync) is the
//! vault's. While it is unfinished, a *side file* holds the line of each record that was written whole, so that
//! [`adopt`] can close the pack of a dead session without any key.
//!
//! No code here opens a seal. What is checked is that bytes are the ones that were written, by hash.

mod adopt;
mod footer;
mod header;
mod line;
mod reader;
mod salvage;
mod side;
mod writer;

#[cfg(test)]
mod tests;

pub use adopt::adopt;
pub use header::{PackHeader, PackKind};
pub use line::Line;
pub use reader::{PackReader, read_node_refs, read_record};
pub use salvage::{Salvage, copy_records, salvage};
pub use side::side_path;
pub use writer::{FinishedPack, PackWriter, part_path};

use crate::limits::{CLEAR_BYTES_MAX, DATA_PACK_BYTES_TARGET, ITEMS_MAX, SEALED_BYTES_MAX};
use crate::record::HEADER_BYTES;

/// Largest record as it is stored.
const STORED_BYTES_MAX: usize = HEADER_BYTES + CLEAR_BYTES_MAX + SEALED_BYTES_MAX;
/// Largest footer. [`PackWriter::bytes`] counts the footer, so a pack that is closed at its target stays far below.
pub const FOOTER_BYTES_MAX: usize = 128 << 20;

const _: () =
    assert!(DATA_PACK_BYTES_TARGET + (line::LINE_BYTES_MIN + 32 * ITEMS_MAX) as u64 <= FOOTER_BYTES_MAX as u64);
const _: () = assert!(STORED_BYTES_MAX <= u32::MAX as usize);
