//! The outside world, as small traits: clock, chance, disk. The linter forbids other ways to it.
//! (The fourth door, the pipe, is `transport`'s.)

mod chance;
mod clock;
mod disk;
#[cfg(test)]
mod faulty;
mod real_disk;
#[cfg(any(test, feature = "simulate"))]
pub mod sim;
mod suite;

pub use chance::{Chance, ConstantChance, SystemChance, random};
pub use clock::{Clock, FixedClock, Millis, SystemClock};
pub use disk::{Disk, DiskFile, Found, Lock, Named, PathKind, Room, check_owner};
#[cfg(test)]
pub(crate) use faulty::Faulty;
pub use real_disk::RealDisk;
pub use suite::suite;
