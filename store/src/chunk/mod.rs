//! Where file content is cut (FORMAT.md, 5.3).
