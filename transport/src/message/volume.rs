//! Volumes of a vault: folders on several disks. About the vault, not an account.

use minicbor::{Decode, Encode};

/// What is asked of volumes.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Volume {
    /// List them; read-only.
    #[n(1)]
    List,
    /// Make a folder of the server a volume. Only on the vault's own machine, as all that follow.
    #[n(2)]
    Add(#[n(0)] AddVolume),
    /// Move its packs to the others and take it off the list.
    #[n(3)]
    Remove(#[n(0)] RemoveVolume),
    /// Move packs from the fullest to the emptiest.
    #[n(4)]
    Balance,
}

/// A folder that becomes a volume.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct AddVolume {
    /// Absolute.
    #[n(0)]
    pub path: String,
}

/// A volume that goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct RemoveVolume {
    /// Its number.
    #[n(0)]
    pub number: u32,
    /// It is not there and will not come back: what it holds is lost.
    #[n(1)]
    pub lost: bool,
}

/// Replies to [`Volume`].
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum VolumeTold {
    /// One volume: of a list each, after a change the one that was added.
    #[n(1)]
    Volume(#[n(0)] VolumeFacts),
    /// What was moved so far.
    #[n(2)]
    Moved(#[n(0)] VolumesMoved),
    /// That was all.
    #[n(3)]
    Done,
}

/// One volume.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct VolumeFacts {
    /// 0 is the vault's own folder.
    #[n(0)]
    pub number: u32,
    /// Where it is on the server.
    #[n(1)]
    pub path: String,
    /// It is being removed: nothing new is put there.
    #[n(2)]
    pub leaving: bool,
    /// It is there, and is this vault's. Of one that is not, all figures are 0.
    #[n(3)]
    pub there: bool,
    /// Packs in it.
    #[n(4)]
    pub packs: u64,
    /// Their bytes.
    #[n(5)]
    pub pack_bytes: u64,
    /// Bytes of all files in it.
    #[n(6)]
    pub bytes: u64,
    /// Free bytes of its file system, when known.
    #[n(7)]
    pub free_bytes: Option<u64>,
    /// All bytes of its file system, when known.
    #[n(8)]
    pub all_bytes: Option<u64>,
    /// Files that may still be made there, when there is a bound.
    #[n(9)]
    pub free_files: Option<u64>,
}

/// What was moved from volume to volume.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct VolumesMoved {
    /// Packs.
    #[n(0)]
    pub packs: u64,
    /// Their bytes.
    #[n(1)]
    pub bytes: u64,
    /// Packs that could not be read, and stayed.
    #[n(2)]
    pub stuck: u64,
}
