//! What a [check](super::check) is asked for, and what it tells.

/// How closely to look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CheckWhat {
    /// Read every stored byte and compare it with its hash. Otherwise only headers, footers, links and bodies are read.
    pub read_data: bool,
}

/// How bad something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Worth knowing; nothing is lost.
    Note,
    /// Something cannot be read. It may be sent again by a backup that still has it.
    Damage,
    /// A version cannot be read in full, or the chain of an account is not whole.
    Loss,
}

/// What a finding is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum About {
    /// Packs and what is in them.
    Data,
    /// A link is missing, or is not the one that it must be.
    Chain,
    /// A body is missing.
    Body,
    /// The disk fails: what is there cannot be read now, and is neither found to be good nor taken for lost.
    Disk,
}

/// Something that is not as it must be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What, as a short sentence.
    pub what: String,
    /// Where, as in "pack 3f9c02ab at byte 8388608".
    pub place: String,
    /// How bad it is.
    pub severity: Severity,
    /// What it is about.
    pub about: About,
    /// Versions that are known to need it: number of the account, number of the version. Empty when not known.
    pub versions: Vec<(u32, u64)>,
}

/// How far a check has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Packs looked at.
    pub packs_done: u64,
    /// All packs.
    pub packs: u64,
    /// Stored bytes read and compared.
    pub bytes_read: u64,
}

/// What a check tells while it runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CheckEvent {
    /// Something was found.
    Finding(Finding),
    /// A pack is done.
    Progress(Progress),
}

/// What a check looked at and found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Packs on disk.
    pub packs: u64,
    /// Records in them.
    pub records: u64,
    /// Their stored bytes that were read and compared; 0 unless asked for.
    pub bytes_read: u64,
    /// Chunks that can be read.
    pub chunks: u64,
    /// Nodes that can be read.
    pub nodes: u64,
    /// Links of all accounts.
    pub links: u64,
    /// Bodies that are there.
    pub bodies: u64,
    /// Versions, partial ones included, whose closure was walked.
    pub versions: u64,
    /// Findings that are only worth knowing.
    pub notes: u64,
    /// Findings of damage and loss.
    pub damages: u64,
}
