//! What a backup does when things go wrong: lines that are cut, programs that die, vaults that lose something,
//! files that change under its hands.

mod losses;
mod place;
mod wire;
