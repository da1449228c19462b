//! Links and bodies: the signed chain of an account (FORMAT.md, chapter 6).
