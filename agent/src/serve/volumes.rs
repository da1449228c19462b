//! Volumes: folders on several disks. Whoever looks after a vault may list them from afar; they come and go only on the
//! vault's own machine, where whoever asks could write to that disk anyway.

use std::path::Path;

use store::vault::{Access, Moved, Vault, Volume};
use transport::Call;
use transport::message::volume::{Volume as Ask, VolumeFacts, VolumeTold, VolumesMoved};

use super::refuse::Refused;
use super::{Server, reply};
use crate::fault::{Code, Fault};

impl Server {
    /// Lists volumes, adds one, removes one, evens them out.
    pub(super) fn look_after_volumes(&self, call: &Call, ask: Ask) -> Result<(), Refused> {
        self.must_see_all()?;
        if !matches!(ask, Ask::List) && !self.near {
            return Err(Fault::new(Code::PolicyRole, "volumes come and go only on the vault's own machine")
                .hint("log in there and name the vault by its path: tuckbox --vault /PATH volume …")
                .into());
        }
        let vault = self.vault(if matches!(ask, Ask::List) { Access::Read } else { Access::Write })?;
        let mut gone = false;
        let mut tell = |moved: Moved| {
            gone = gone || reply(call, VolumeTold::Moved(told(moved))).is_err();
            // A pack that is under way is moved to its end; the same command goes on.
            if gone { Err(store::Error::Busy { what: "the pipe".to_owned() }) } else { Ok(()) }
        };
        let done = match ask {
            Ask::List => {
                for volume in vault.volumes()? {
                    reply(call, VolumeTold::Volume(facts(volume)))?;
                }
                Ok(None)
            }
            Ask::Add(add) => vault.add_volume(Path::new(&add.path)).and_then(|number| one(&vault, number)),
            Ask::Remove(remove) if remove.number == 0 => {
                Err(store::Error::Refused { why: "volume 0 is the vault's own directory, which stays".to_owned() })
            }
            Ask::Remove(remove) => vault.remove_volume(remove.number, remove.lost, &mut tell).map(Some).map(moved),
            Ask::Balance => vault.balance_volumes(&mut tell).map(Some).map(moved),
        };
        if gone {
            return Err(Refused::Gone);
        }
        for message in done.map_err(wrong)?.into_iter() {
            reply(call, message)?;
        }
        reply(call, VolumeTold::Done)
    }
}

fn moved(moved: Option<Moved>) -> Option<VolumeTold> {
    moved.map(|moved| VolumeTold::Moved(told(moved)))
}

fn one(vault: &Vault, number: u32) -> store::Result<Option<VolumeTold>> {
    let found = vault.volumes()?.into_iter().find(|volume| volume.number == number);
    Ok(found.map(|volume| VolumeTold::Volume(facts(volume))))
}

fn told(moved: Moved) -> VolumesMoved {
    VolumesMoved { packs: moved.packs, bytes: moved.bytes, stuck: moved.stuck }
}

/// What is told of a volume.
pub(super) fn facts(volume: Volume) -> VolumeFacts {
    let room = volume.room;
    VolumeFacts {
        number: volume.number,
        path: volume.path.to_string_lossy().into_owned(),
        leaving: volume.leaving,
        there: volume.there,
        packs: volume.packs,
        pack_bytes: volume.pack_bytes,
        bytes: volume.bytes,
        free_bytes: room.map(|room| room.free_bytes),
        all_bytes: room.map(|room| room.all_bytes),
        free_files: room.filter(|room| room.all_files > 0).map(|room| room.free_files),
    }
}

/// What was asked cannot be done, in words for who asked.
fn wrong(error: store::Error) -> Refused {
    let full = error.is_full();
    match error {
        store::Error::NotFound { what: "volume", name } => {
            Fault::new(Code::Usage, format!("there is no volume {name}")).hint("tuckbox volume list").into()
        }
        store::Error::NotFound { .. } => Fault::new(Code::Usage, "the directory above it is not there")
            .hint("make it, or mount the disk, then run the same command again")
            .into(),
        store::Error::Refused { why } => Fault::new(Code::Usage, why).hint("tuckbox volume list").into(),
        store::Error::Taken { what } => Fault::new(Code::Usage, format!("{what} is not empty"))
            .hint("name a new or an empty directory: a volume holds nothing else")
            .into(),
        error @ store::Error::Limit { .. } => Fault::new(Code::Usage, error.to_string()).into(),
        store::Error::Busy { what } => Fault::new(Code::SourceBusy, format!("{what} is at work or in use"))
            .hint("wait for it, then run the same command again; what was moved stays moved")
            .into(),
        error @ store::Error::Absent { volume } => Fault::new(Code::VolumeAbsent, error.to_string())
            .hint(format!(
                "bring its disk back, or say where it is now: tuckbox volume add DIR; if it is gone for good: tuckbox volume \
                 remove {volume} --lost"
            ))
            .into(),
        _ if full => Fault::new(Code::DiskFull, "the other volumes have no room for what this one holds")
            .hint("tuckbox volume add DIR, then run the same command again, which goes on; with its own directory it stays")
            .into(),
        other => other.into(),
    }
}
