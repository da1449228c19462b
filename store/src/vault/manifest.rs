//! `vault.json`: what makes a folder a vault (FORMAT.md, chapter 7).

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::{layout, note};
use crate::door::{Chance, Disk, Millis, PathKind};
use crate::error::{Error, Result};
use crate::id::VaultId;

const FORMAT: u64 = 1;
const MANIFEST_BYTES_MAX: usize = 64 << 10;
/// Incompatible: some packs are in further volumes.
const HAS_VOLUMES: u32 = 1;
/// Most volumes beside the vault's own folder.
pub(super) const VOLUMES_MAX: usize = 32;
/// Longest path of a volume; all of them fit into the file, however they are escaped.
pub(super) const VOLUME_PATH_MAX: usize = 1_000;
const _: () = assert!(VOLUMES_MAX * VOLUME_PATH_MAX < MANIFEST_BYTES_MAX);

/// A further volume, as the vault's own file has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Listed {
    /// From 1; 0 is the vault's own folder.
    pub(super) number: u32,
    pub(super) path: PathBuf,
    /// Nothing new is put there.
    pub(super) leaving: bool,
}

/// A vault's own facts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Manifest {
    pub(super) vault: VaultId,
    /// Milliseconds since 1970.
    pub(super) created_at: Millis,
    /// The one host that writes; `None` on a local file system.
    pub(super) machine: Option<String>,
    /// Whether it has a feature that a writer would have to know.
    pub(super) read_only: bool,
    /// Further volumes, ascending by number.
    pub(super) volumes: Vec<Listed>,
    /// Everything as it was read, so that a change keeps what this program does not know.
    all: BTreeMap<String, Value>,
}

impl Manifest {
    pub(super) fn new(vault: VaultId, created_at: Millis, machine: Option<String>) -> Self {
        let mut all = BTreeMap::from([
            ("tuckbox".to_owned(), json!("vault")),
            ("format".to_owned(), json!(FORMAT)),
            ("features".to_owned(), json!([0, 0, 0])),
            ("vault_id".to_owned(), json!(vault.hex())),
            ("created_at".to_owned(), json!(created_at)),
        ]);
        if let Some(machine) = &machine {
            all.insert("machine_id".to_owned(), json!(machine));
        }
        Self { vault, created_at, machine, read_only: false, volumes: Vec::new(), all }
    }

    /// The same with another writer host.
    pub(super) fn with_machine(mut self, machine: String) -> Self {
        self.all.insert("machine_id".to_owned(), json!(machine));
        self.machine = Some(machine);
        self
    }

    /// The number of the next volume.
    pub(super) fn next_volume(&self) -> u32 {
        let said = self.all.get("volume_next").and_then(Value::as_u64).and_then(|n| u32::try_from(n).ok());
        let after = self.volumes.last().map_or(1, |last| last.number.saturating_add(1));
        said.unwrap_or(1).max(after)
    }

    /// The same when lower numbers are given to no volume any more.
    pub(super) fn with_next(mut self, number: u32) -> Self {
        self.all.insert("volume_next".to_owned(), json!(number.max(self.next_volume())));
        self
    }

    /// The number of the next account, as far as the file says it. One behind the highest there is 2^32: no number is left.
    pub(super) fn next_account(&self) -> u64 {
        self.all.get("account_next").and_then(Value::as_u64).unwrap_or(1)
    }

    /// The same when lower numbers are given to no account any more but by who names them.
    pub(super) fn with_next_account(mut self, number: u64) -> Self {
        self.all.insert("account_next".to_owned(), json!(number.max(self.next_account())));
        self
    }

    /// The same with other volumes, ascending by number.
    pub(super) fn with_volumes(mut self, volumes: Vec<Listed>) -> Self {
        let next = self.next_volume().max(volumes.last().map_or(1, |last| last.number.saturating_add(1)));
        self.all.insert("volume_next".to_owned(), json!(next));
        let listed: Vec<Value> = volumes
            .iter()
            .map(|volume| {
                let mut one = serde_json::Map::new();
                if volume.leaving {
                    one.insert("leaving".to_owned(), json!(true));
                }
                one.insert("number".to_owned(), json!(volume.number));
                one.insert("path".to_owned(), json!(volume.path.to_string_lossy()));
                Value::Object(one)
            })
            .collect();
        if let Some(Value::Array(features)) = self.all.get_mut("features")
            && let Some(word) = features.get_mut(2)
        {
            *word = json!(if listed.is_empty() { 0 } else { HAS_VOLUMES });
        }
        if listed.is_empty() {
            self.all.remove("volumes");
        } else {
            self.all.insert("volumes".to_owned(), Value::Array(listed));
        }
        self.volumes = volumes;
        self
    }

    /// One JSON object, keys sorted, no blanks, with its `check`.
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut all = self.all.clone();
        all.remove("check");
        let check = check_of(&all);
        all.insert("check".to_owned(), json!(check));
        let mut out = text_of(&all).into_bytes();
        out.push(b'\n');
        out
    }

    /// `Newer` when the format or an incompatible feature is not known here; nothing else is looked at then.
    pub(super) fn decode(bytes: &[u8]) -> Result<Self> {
        let damaged = |why| Error::damaged("vault.json", why);
        let all: BTreeMap<String, Value> = serde_json::from_slice(bytes).map_err(|_| damaged("it is not JSON"))?;
        let text = |key: &str| all.get(key).and_then(Value::as_str);
        if text("tuckbox") != Some("vault") {
            return Err(damaged("it does not describe a vault"));
        }
        let format = all.get("format").and_then(Value::as_u64).ok_or_else(|| damaged("it names no format"))?;
        if format != FORMAT {
            let found = u32::try_from(format).unwrap_or(u32::MAX);
            return Err(Error::Newer { what: "vault", found });
        }
        let features = all.get("features").and_then(Value::as_array).map(Vec::as_slice);
        let Some([_, read, incompatible]) = features else {
            return Err(damaged("it names no features"));
        };
        let word = |value: &Value| {
            value.as_u64().and_then(|n| u32::try_from(n).ok()).ok_or_else(|| damaged("a feature word is no number"))
        };
        let (read, incompatible) = (word(read)?, word(incompatible)?);
        if incompatible & !HAS_VOLUMES != 0 {
            return Err(Error::Newer { what: "vault's features", found: incompatible });
        }
        let mut unchecked = all.clone();
        let check = unchecked.remove("check");
        if check.as_ref().and_then(Value::as_str) != Some(&check_of(&unchecked)) {
            return Err(damaged("its checksum is wrong"));
        }
        let vault = text("vault_id").and_then(VaultId::from_hex).ok_or_else(|| damaged("it has no id"))?;
        let created_at = all.get("created_at").and_then(Value::as_i64).ok_or_else(|| damaged("it has no date"))?;
        let machine = text("machine_id").map(str::to_owned);
        let volumes = if incompatible & HAS_VOLUMES == 0 {
            Vec::new()
        } else {
            volumes_in(all.get("volumes")).ok_or_else(|| damaged("its volumes cannot be read"))?
        };
        Ok(Self { vault, created_at, machine, read_only: read != 0, volumes, all })
    }

    /// `NotFound` of a "vault" when there is nothing at the path, of a "vault.json" when there is something else.
    pub(super) fn load(disk: &dyn Disk, vault: &Path) -> Result<Self> {
        let path = layout::manifest(vault);
        match disk.read(&path, MANIFEST_BYTES_MAX) {
            Ok(bytes) => Self::decode(&bytes).map_err(|e| e.at(|| path.display().to_string())),
            Err(Error::NotFound { .. }) => {
                let what = if disk.exists(vault)?.is_some() { "vault.json" } else { "vault" };
                Err(Error::NotFound { what, name: vault.display().to_string() })
            }
            // Nothing is below a file.
            Err(_) if disk.exists(vault)?.is_some_and(|found| found.kind == PathKind::File) => {
                Err(Error::NotFound { what: "vault.json", name: vault.display().to_string() })
            }
            Err(e) => Err(e),
        }
    }

    /// Makes a folder a vault, durably. `Taken` when it is one.
    pub(super) fn create(&self, disk: &dyn Disk, chance: &dyn Chance, vault: &Path) -> Result<()> {
        let temporary = note::temporary(chance, vault);
        let done = note::write_new(disk, &temporary, &self.encode())
            .and_then(|()| disk.link_new(&temporary, &layout::manifest(vault)));
        disk.remove_file(&temporary).ok();
        done?;
        disk.sync_dir(vault)
    }

    /// Puts this in the place of what is there.
    pub(super) fn replace(&self, disk: &dyn Disk, chance: &dyn Chance, vault: &Path) -> Result<()> {
        let temporary = note::temporary(chance, vault);
        note::write_new(disk, &temporary, &self.encode())?;
        disk.rename(&temporary, &layout::manifest(vault))?;
        disk.sync_dir(vault)
    }
}

/// The list of volumes, when it is one.
fn volumes_in(value: Option<&Value>) -> Option<Vec<Listed>> {
    let listed = value?.as_array()?;
    if listed.is_empty() || listed.len() > VOLUMES_MAX {
        return None;
    }
    let mut out: Vec<Listed> = Vec::with_capacity(listed.len());
    for one in listed {
        let number = one.get("number")?.as_u64().and_then(|number| u32::try_from(number).ok())?;
        let path = one.get("path")?.as_str().filter(|path| path.len() <= VOLUME_PATH_MAX).map(PathBuf::from)?;
        let leaving = one.get("leaving").is_some_and(|leaving| leaving.as_bool() == Some(true));
        if !path.is_absolute() || number <= out.last().map_or(0, |last| last.number) {
            return None;
        }
        out.push(Listed { number, path, leaving });
    }
    Some(out)
}

/// The marker of a volume: whose it is, and which.
pub(super) fn marker(vault: VaultId, number: u32) -> Vec<u8> {
    let mut all = BTreeMap::from([
        ("tuckbox".to_owned(), json!("volume")),
        ("format".to_owned(), json!(FORMAT)),
        ("vault_id".to_owned(), json!(vault.hex())),
        ("volume".to_owned(), json!(number)),
    ]);
    let check = check_of(&all);
    all.insert("check".to_owned(), json!(check));
    let mut out = text_of(&all).into_bytes();
    out.push(b'\n');
    out
}

/// Whose a volume is, and its number, by the marker in its folder. `NotFound` when there is none.
pub(super) fn read_marker(disk: &dyn Disk, volume: &Path) -> Result<(VaultId, u32)> {
    let damaged = || Error::damaged("volume.json", "it is not the marker of a volume");
    let bytes = disk.read(&layout::volume_marker(volume), MANIFEST_BYTES_MAX)?;
    let mut all: BTreeMap<String, Value> = serde_json::from_slice(&bytes).map_err(|_| damaged())?;
    let check = all.remove("check");
    let text = |key: &str| all.get(key).and_then(Value::as_str);
    if text("tuckbox") != Some("volume") || check.as_ref().and_then(Value::as_str) != Some(&check_of(&all)) {
        return Err(damaged());
    }
    let format = all.get("format").and_then(Value::as_u64).and_then(|n| u32::try_from(n).ok()).unwrap_or(u32::MAX);
    if u64::from(format) != FORMAT {
        return Err(Error::Newer { what: "volume", found: format });
    }
    let vault = text("vault_id").and_then(VaultId::from_hex).ok_or_else(damaged)?;
    let number = all.get("volume").and_then(Value::as_u64).and_then(|n| u32::try_from(n).ok()).ok_or_else(damaged)?;
    Ok((vault, number))
}

/// As one line; the keys of a `BTreeMap` are sorted whatever the JSON library does with its own maps.
fn text_of(all: &BTreeMap<String, Value>) -> String {
    let members: Vec<String> = all.iter().map(|(key, value)| format!("{}:{value}", json!(key))).collect();
    format!("{{{}}}", members.join(","))
}

fn check_of(all: &BTreeMap<String, Value>) -> String {
    blake3::hash(text_of(all).as_bytes()).to_hex().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest() -> Manifest {
        Manifest::new(VaultId::new([7; 16]), 1_700_000_000_000, Some("host".to_owned()))
    }

    #[test]
    fn it_goes_there_and_back() {
        let bytes = manifest().encode();
        let again = Manifest::decode(&bytes).unwrap();
        assert_eq!(again.encode(), bytes);
        assert_eq!((again.vault, again.created_at), (VaultId::new([7; 16]), 1_700_000_000_000));
        assert_eq!(again.machine.as_deref(), Some("host"));
    }

    #[test]
    fn volumes_are_listed_behind_a_feature() {
        let listed = |number, leaving| Listed { number, path: PathBuf::from(format!("/mnt/{number}")), leaving };
        let with = manifest().with_volumes(vec![listed(1, true), listed(3, false)]);
        let text = String::from_utf8(with.encode()).unwrap();
        assert!(text.contains(r#""features":[0,0,1]"#), "{text}");
        let volumes =
            r#""volume_next":4,"volumes":[{"leaving":true,"number":1,"path":"/mnt/1"},{"number":3,"path":"/mnt/3"}]"#;
        assert!(text.contains(volumes), "{text}");
        let again = Manifest::decode(text.as_bytes()).unwrap();
        assert_eq!((again.volumes.as_slice(), again.next_volume()), (with.volumes.as_slice(), 4));
        let without = again.with_volumes(Vec::new());
        let text = String::from_utf8(without.encode()).unwrap();
        assert!(text.contains(r#""features":[0,0,0]"#) && !text.contains("volumes"), "{text}");
        assert_eq!(Manifest::decode(text.as_bytes()).unwrap().next_volume(), 4, "no number is given again");

        for bad in [vec![], vec![listed(2, false), listed(1, false)], vec![listed(0, false)]] {
            let mut manifest = manifest().with_volumes(bad);
            manifest.all.insert("features".to_owned(), json!([0, 0, 1]));
            assert!(Manifest::decode(&manifest.encode()).unwrap_err().is_damage());
        }
    }

    #[test]
    fn the_marker_of_a_volume_stays_as_it_is() {
        let text = String::from_utf8(marker(VaultId::new([7; 16]), 2)).unwrap();
        let check = "5c3802d220bcd17aa86a294952acfc96023ddd796ebbf51c73c19a41d1c85929";
        let said = format!(
            r#"{{"check":"{check}","format":1,"tuckbox":"volume","vault_id":"07070707070707070707070707070707","volume":2}}"#
        );
        assert_eq!(text.trim_end(), said);
    }

    #[test]
    fn what_it_does_not_know_is_kept() {
        let mut manifest = manifest();
        manifest.all.insert("later".to_owned(), json!({"b": 1, "a": 2}));
        let again = Manifest::decode(&manifest.encode()).unwrap().with_machine("other".to_owned());
        let text = String::from_utf8(again.encode()).unwrap();
        assert!(text.contains("later") && text.contains("other"), "{text}");
    }

    #[test]
    fn newer_ones_are_told_from_damaged_ones() {
        let mut newer = manifest();
        newer.all.insert("format".to_owned(), json!(2));
        assert!(matches!(Manifest::decode(&newer.encode()), Err(Error::Newer { found: 2, .. })));
        let mut newer = manifest();
        newer.all.insert("features".to_owned(), json!([9, 0, 4]));
        assert!(matches!(Manifest::decode(&newer.encode()), Err(Error::Newer { found: 4, .. })));
        let mut newer = manifest();
        newer.all.insert("features".to_owned(), json!([9, 1, 0]));
        assert!(Manifest::decode(&newer.encode()).unwrap().read_only);

        let text = String::from_utf8(manifest().encode()).unwrap();
        assert!(Manifest::decode(text.replace("host", "most").as_bytes()).unwrap_err().is_damage());
        assert!(Manifest::decode(b"{}").unwrap_err().is_damage());
        assert!(Manifest::decode(b"").unwrap_err().is_damage());
    }
}
