//! Where file content is cut (FORMAT.md, 5.3).

mod class;
mod cutter;
mod page_structured;
mod zero;

pub use class::class_for;
pub use cutter::{Cutter, Gear};
pub use zero::is_zero;
