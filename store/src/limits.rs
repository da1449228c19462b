//! Bounds of format 1 (FORMAT.md, chapter 3), each with its reason there. Checked before anything is allocated.

/// Largest chunk, plain bytes.
pub const CHUNK_BYTES_MAX: usize = 4 << 20;
/// A box of several chunks is closed when it holds this much, plain bytes.
pub const BOX_BYTES_TARGET: usize = 2 << 20;
/// Largest decoded body of a box.
pub const BOX_BYTES_MAX: usize = 4 << 20;
/// A group is closed when it holds this much, plain bytes.
pub const GROUP_BYTES_TARGET: usize = 256 << 10;
/// Largest decoded body of a group, and so of a node.
pub const GROUP_BYTES_MAX: usize = 16 << 20;
/// Largest clear part of a record.
pub const CLEAR_BYTES_MAX: usize = 16 << 20;
/// Largest sealed part of a record.
pub const SEALED_BYTES_MAX: usize = 20 << 20;
/// Most chunks in a box, most nodes in a group.
pub const ITEMS_MAX: usize = 65_536;
/// Longest name of a directory entry.
pub const NAME_BYTES_MAX: usize = 255;
/// Longest symlink target (Linux: PATH_MAX).
pub const TARGET_BYTES_MAX: usize = 4_096;
/// Longest content that stands in its entry.
pub const INLINE_BYTES_MAX: usize = 48;
/// Most pieces that stand in an entry; more go into list pages.
pub const PIECES_INLINE_MAX: usize = 64;
/// Entries in a directory that is one page; more make it a tree of pages.
pub const PAGE_WHOLE_MAX: usize = 512;
/// Files up to this size are one chunk.
pub const WHOLE_BYTES_MAX: u64 = 128 << 10;
/// Data packs are closed at this size.
pub const DATA_PACK_BYTES_TARGET: u64 = 64 << 20;
/// Node packs are closed at this size.
pub const NODE_PACK_BYTES_TARGET: u64 = 16 << 20;
/// A commit that stages less than this publishes one mixed pack.
pub const MIXED_PACK_BYTES_MAX: u64 = 1 << 20;

const _: () = assert!(DATA_PACK_BYTES_TARGET >= 4 * SEALED_BYTES_MAX as u64 / 2);
const _: () = assert!(BOX_BYTES_MAX >= CHUNK_BYTES_MAX && BOX_BYTES_TARGET <= BOX_BYTES_MAX);
const _: () = assert!(SEALED_BYTES_MAX > GROUP_BYTES_MAX + GROUP_BYTES_MAX / 8);
