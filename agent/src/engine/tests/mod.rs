//! What a backup does when things go wrong: lines that are cut, programs that die, vaults that lose something,
//! files that change under its hands.

mod checkpoints;
mod damage;
mod files;
mod history;
mod inner;
mod keys;
mod look;
mod losses;
mod many_versions;
mod mounted;
mod person;
mod place;
mod several;
mod stripes;
mod time_travel;
mod trick_disk;
mod unchanged;
mod wire;
