//! `vault.json`: what makes a folder a vault (FORMAT.md, chapter 7).

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Value, json};

use super::{layout, note};
use crate::door::{Chance, Disk, Millis, PathKind};
use crate::error::{Error, Result};
use crate::id::VaultId;

const FORMAT: u64 = 1;
const MANIFEST_BYTES_MAX: usize = 64 << 10;

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
        Self { vault, created_at, machine, read_only: false, all }
    }

    /// The same with another writer host.
    pub(super) fn with_machine(mut self, machine: String) -> Self {
        self.all.insert("machine_id".to_owned(), json!(machine));
        self.machine = Some(machine);
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
        if incompatible != 0 {
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
        Ok(Self { vault, created_at, machine, read_only: read != 0, all })
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
