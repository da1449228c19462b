//! Packs: immutable files of records (FORMAT.md, chapter 4).
