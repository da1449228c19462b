//! What a backup does when things go wrong: lines that are cut, programs that die, vaults that lose something,
//! files that change under its hands.

mod place;
mod stripes;
mod wire;
