//! Setting right what is damaged and needs no source.

use minicbor::{Decode, Encode};

/// Asks for the plan of a repair, or for the repair.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct Repair {
    /// Do it; otherwise only tell what would be done.
    #[n(0)]
    pub act: bool,
}

/// What a repair tells.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum RepairTold {
    /// One step, planned or done.
    #[n(1)]
    Step(#[n(0)] RepairStep),
    /// The end of it, with the number of steps.
    #[n(2)]
    Done(#[n(0)] u64),
}

/// One step.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct RepairStep {
    /// Where, as in "pack 3f9c02ab".
    #[n(0)]
    pub place: String,
    /// What is wrong, and what is done about it.
    #[n(1)]
    pub what: String,
    /// Records that are lost by the damage: a backup that still has their content gives it back.
    #[n(2)]
    pub lost: u64,
}
