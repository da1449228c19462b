//! How much happened.

use store::vault::Housekept;

/// Counts over all worlds, so that one can see that a run did what it was to do.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tally {
    /// Versions that clients were told of.
    pub acknowledged: u64,
    /// Processes ended by a blow.
    pub kills: u64,
    /// Power cuts.
    pub power_cuts: u64,
    /// Calls that failed.
    pub faults: u64,
    /// Sessions resumed with their token.
    pub resumed: u64,
    /// Links signed again after a conflict.
    pub conflicts: u64,
    /// Commits answered by what lacks.
    pub lacking: u64,
    /// Processes that went on while another had taken their session over.
    pub ghosts: u64,
    /// Versions read back to the last chunk.
    pub read_back: u64,
    /// Passes of housekeeping that came to their end.
    pub passes: u64,
    /// Versions whose bodies went.
    pub expired: u64,
    /// Places that were condemned.
    pub condemned: u64,
    /// Condemned places that were needed again, as a pass saw it.
    pub revived: u64,
    /// Places that were freed.
    pub freed: u64,
    /// Packs that were folded or compacted.
    pub rewritten: u64,
    /// Packs that were unlinked.
    pub unlinked: u64,
    /// Connections over a wire.
    pub wires: u64,
    /// Files harmed where they lay.
    pub harms: u64,
    /// Appends that wrote a wrong bit.
    pub spoiled: u64,
    /// Versions that could not be read in full, each told by a check.
    pub holes: u64,
    /// Newest versions that were whole again after every client had backed up.
    pub healed: u64,
    /// Worlds in which the newest link was harmed and its catalog made anew: a history that went back.
    pub rolled_back: u64,
    /// Records that a limit refused.
    pub refused: u64,
    /// Limits that were looked at when all was still.
    pub limits: u64,
    /// Disks that went and came back while others were at work.
    pub vanished: u64,
    /// Volumes that were added, and those that were removed.
    pub added: u64,
    /// See above.
    pub removed: u64,
    /// Packs that were moved from one to another.
    pub moved: u64,
    /// Calls to the disk.
    pub calls: u64,
}

impl Tally {
    /// Adds what a pass did.
    pub fn keep(&mut self, done: &Housekept) {
        self.passes += 1;
        self.expired += done.expired + done.forgotten + done.superseded;
        self.condemned += done.condemned;
        self.revived += done.revived;
        self.freed += done.freed;
        self.rewritten += done.rewritten;
        self.unlinked += done.unlinked;
    }

    /// Adds another's.
    pub fn add(&mut self, other: &Self) {
        self.acknowledged += other.acknowledged;
        self.kills += other.kills;
        self.power_cuts += other.power_cuts;
        self.faults += other.faults;
        self.resumed += other.resumed;
        self.conflicts += other.conflicts;
        self.lacking += other.lacking;
        self.ghosts += other.ghosts;
        self.read_back += other.read_back;
        self.passes += other.passes;
        self.expired += other.expired;
        self.condemned += other.condemned;
        self.revived += other.revived;
        self.freed += other.freed;
        self.rewritten += other.rewritten;
        self.unlinked += other.unlinked;
        self.wires += other.wires;
        self.harms += other.harms;
        self.spoiled += other.spoiled;
        self.holes += other.holes;
        self.healed += other.healed;
        self.rolled_back += other.rolled_back;
        self.refused += other.refused;
        self.limits += other.limits;
        self.vanished += other.vanished;
        self.added += other.added;
        self.removed += other.removed;
        self.moved += other.moved;
        self.calls += other.calls;
    }
}
