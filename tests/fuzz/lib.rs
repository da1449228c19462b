//! Every decoder there is, each as a target that takes any bytes and may refuse them, but neither panic nor take memory
//! without bound. A target also holds what must hold of bytes that were accepted: read, written and read again they
//! say the same.
//!
//! Where a checksum, a hash or a seal stands in front of a decoder, the target makes it right first: who attacks can.
//!
//! * [`targets`]: the table of them, a subject a file
//! * [`mutate`]: makes inputs out of inputs
//! * [`disk`]: a disk in memory
//! * [`keys`]: keys of an account whose words the attacker knows

pub mod disk;
pub mod keys;
pub mod mutate;
pub mod targets;
