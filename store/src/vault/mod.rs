//! The server's whole truth: one directory (FORMAT.md, chapter 7).
