//! What must survive on this machine: the device key, what was last seen of each vault, which roots are our own, what was
//! mounted below the sources.
//! Small JSON files in the state directory, replaced by rename after a sync.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use store::chain::Head;
use store::id::{AccountId, ChainHash, NodeId, SourceId, VaultId};
use store::seal::DeviceKey;
use zeroize::Zeroizing;

use super::backup::suspicion::Looked;
use super::tell::Waiting;
use crate::fault::{Code, Fault, Result};

/// Longest file of state: some 200,000 sources of one account.
const STATE_BYTES_MAX: u64 = 32 << 20;

/// The state of one account in one vault.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountState {
    /// The newest link that was seen here: what the vault shows may not be shorter or different.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seen: Option<Seen>,
    /// Roots that this device committed, by source (hex): entries under them may be taken over unread.
    #[serde(default)]
    pub own_roots: BTreeMap<String, OwnRoot>,
    /// The history up to this link was taken as the true one after a person looked, with what it lacks.
    #[serde(default, skip_serializing_if = "is_none")]
    pub accepted: u64,
    /// Ids (hex) of other vaults whose copies of this account went on on their own, as a person settled who took a history
    /// as the true one: what was seen there says nothing of this one any more.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub apart: BTreeSet<String>,
    /// The recovery words were shown.
    #[serde(default)]
    pub words_shown: bool,
    /// By source (hex), the list of what the vault had lost for which it was looked through; what it did not have then, it
    /// does not have now.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tried: BTreeMap<String, u64>,
    /// Sources (hex) of the configuration of this machine: 0, or the moment since when it names them no more.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub configured: BTreeMap<String, i64>,
    /// By source (hex), how many of the files that were read looked encrypted: what is usual there.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub looks: BTreeMap<String, super::backup::suspicion::Seen>,
    /// By source (hex), the paths below it at which something was mounted when its newest version was made, base64, as they
    /// are bytes. Their number is bounded where they are gathered.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub mounts: BTreeMap<String, BTreeSet<String>>,
}

fn is_none(accepted: &u64) -> bool {
    *accepted == 0
}

/// A place in a chain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    /// Number of the link.
    pub sequence: u64,
    /// Its chain hash, hex.
    pub chain: String,
    /// Its marker.
    pub marker: u64,
}

/// A root that this device committed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OwnRoot {
    /// Node id, hex.
    pub root: String,
    /// Number of the link that introduced it.
    pub sequence: u64,
    /// It is that of a run that was cut off.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unfinished: Option<Unfinished>,
}

/// What the run after one that was cut off needs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unfinished {
    /// The root that the run began from, node id, hex: it stays our own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub whole: Option<String>,
    /// How what was read looked.
    #[serde(default)]
    pub looked: Looked,
}

impl AccountState {
    /// The newest link seen.
    pub fn head(&self) -> Option<Head> {
        let seen = self.seen.as_ref()?;
        Some(Head { sequence: seen.sequence, chain: ChainHash::from_hex(&seen.chain)?, marker: seen.marker })
    }

    /// Remembers the newest link.
    pub fn set_head(&mut self, head: Head) {
        self.seen = Some(Seen { sequence: head.sequence, chain: head.chain.hex(), marker: head.marker });
    }

    /// Whether this device committed that root of that source.
    pub fn is_own(&self, source: SourceId, root: NodeId) -> bool {
        self.own_roots.get(&source.hex()).is_some_and(|own| {
            let whole = own.unfinished.as_ref().and_then(|unfinished| unfinished.whole.as_ref());
            own.root == root.hex() || whole.is_some_and(|whole| *whole == root.hex())
        })
    }

    /// The list of what the vault had lost for which a source was looked through last; 0 for none.
    pub fn tried(&self, source: SourceId) -> u64 {
        self.tried.get(&source.hex()).copied().unwrap_or(0)
    }

    /// Remembers that a source was looked through for this list.
    pub fn set_tried(&mut self, source: SourceId, mark: u64) {
        match mark {
            0 => drop(self.tried.remove(&source.hex())),
            mark => drop(self.tried.insert(source.hex(), mark)),
        }
    }

    /// Paths below a source at which something was mounted when its newest version was made.
    pub fn mounts(&self, source: SourceId) -> Vec<Vec<u8>> {
        let paths = self.mounts.get(&source.hex()).into_iter().flatten();
        paths.filter_map(|path| STANDARD.decode(path).ok()).collect()
    }

    /// Remembers them.
    pub fn set_mounts(&mut self, source: SourceId, paths: &[Vec<u8>]) {
        let paths: BTreeSet<String> = paths.iter().map(|path| STANDARD.encode(path)).collect();
        if paths.is_empty() {
            self.mounts.remove(&source.hex());
        } else {
            self.mounts.insert(source.hex(), paths);
        }
    }

    /// Remembers a root that this device committed.
    pub fn set_own(&mut self, source: SourceId, root: NodeId, sequence: u64) {
        self.own_roots.insert(source.hex(), OwnRoot { root: root.hex(), sequence, unfinished: None });
    }

    /// Remembers a root that this device committed of a run that is not at its end, what it began from, and how what it
    /// read looked so far.
    pub fn set_unfinished(
        &mut self,
        source: SourceId,
        root: NodeId,
        sequence: u64,
        whole: Option<NodeId>,
        looked: Looked,
    ) {
        let unfinished = Some(Unfinished { whole: whole.map(|whole| whole.hex()), looked });
        self.own_roots.insert(source.hex(), OwnRoot { root: root.hex(), sequence, unfinished });
    }

    /// How what was read looked, of runs that were cut off and left this root.
    pub fn looked(&self, source: SourceId, root: NodeId) -> Looked {
        let own = self.own_roots.get(&source.hex()).filter(|own| own.root == root.hex());
        own.and_then(|own| own.unfinished.as_ref()).map(|unfinished| unfinished.looked).unwrap_or_default()
    }
}

/// What this machine remembers of a vault.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct VaultState {
    /// The account that `init` or `key recover` set up here, by its name then.
    pub account: String,
    /// Its id, which stays; not in files of before 2026-11-22.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account_id: Option<String>,
    /// The vault's address then.
    pub address: String,
}

/// What was told of how accounts are. Other processes wait while this value lives.
pub struct Told {
    path: PathBuf,
    /// By id of the account, the word of its standing.
    pub accounts: BTreeMap<String, String>,
    _lock: std::fs::File,
}

impl Told {
    /// Keeps it, durably.
    pub fn keep(&self) -> Result<()> {
        write_json(&self.path, &self.accounts)
    }
}

/// The state directory.
#[derive(Clone, Debug)]
pub struct StateDir {
    dir: PathBuf,
}

impl StateDir {
    /// The state in this directory, which need not exist yet.
    pub fn new(dir: PathBuf) -> Self {
        Self { dir }
    }

    fn account_file(&self, vault: VaultId, account: AccountId) -> PathBuf {
        self.dir.join("accounts").join(format!("{}-{}.json", vault.hex(), account.hex()))
    }

    fn vault_file(&self, vault: VaultId) -> PathBuf {
        self.dir.join("vaults").join(format!("{}.json", vault.hex()))
    }

    fn last_file(&self) -> PathBuf {
        self.dir.join("last-vault.json")
    }

    fn device_file(&self, account: AccountId) -> PathBuf {
        self.dir.join("devices").join(format!("{}.key", account.hex()))
    }

    /// What is known of an account in a vault; nothing when there is no file.
    pub fn account(&self, vault: VaultId, account: AccountId) -> Result<AccountState> {
        read_json(&self.account_file(vault, account)).map(Option::unwrap_or_default)
    }

    /// The newest link of an account that was seen here in each other vault: an account can be moved into another one, and
    /// a server may say that its vault is another one.
    pub fn seen_elsewhere(&self, vault: VaultId, account: AccountId) -> Vec<(VaultId, Head)> {
        let end = format!("-{}.json", account.hex());
        let listed = std::fs::read_dir(self.dir.join("accounts")).into_iter().flatten();
        let names = listed.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
        let vaults = names.filter_map(|name| VaultId::from_hex(name.strip_suffix(&end)?));
        // What cannot be read says nothing here; in its own vault it does.
        let seen = |other| Some((other, self.account(other, account).ok()?.head()?));
        vaults.filter(|other| *other != vault).filter_map(seen).collect()
    }

    /// Changes what is known of an account, durably; gives it as it is now. One process at a time.
    pub fn change_account(
        &self,
        vault: VaultId,
        account: AccountId,
        change: impl FnOnce(&mut AccountState),
    ) -> Result<AccountState> {
        let path = self.account_file(vault, account);
        private_dir(&self.dir.join("accounts"))?;
        let _lock = locked(&path.with_extension("lock"))?;
        let mut state = self.account(vault, account)?;
        change(&mut state);
        write_json(&path, &state)?;
        Ok(state)
    }

    /// Waits until no other process makes or changes a key file; others wait while this value lives.
    pub fn hold_keys(&self) -> Result<std::fs::File> {
        private_dir(&self.dir)?;
        locked(&self.dir.join("keys.lock"))
    }

    /// Runs that wait to be told to their vaults.
    pub fn waiting(&self) -> Result<Vec<Waiting>> {
        read_json(&self.waiting_file()).map(Option::unwrap_or_default)
    }

    /// Changes what waits to be told. One process at a time.
    pub fn change_waiting(&self, change: impl FnOnce(&mut Vec<Waiting>)) -> Result<()> {
        private_dir(&self.dir)?;
        let _lock = locked(&self.dir.join("waiting.lock"))?;
        let mut waiting = self.waiting()?;
        change(&mut waiting);
        write_json(&self.waiting_file(), &waiting)
    }

    /// What was told last of how the accounts of a vault are, held against other processes.
    pub fn told(&self, vault: &str) -> Result<Told> {
        let path = self.dir.join("told").join(format!("{vault}.json"));
        private_dir(&self.dir.join("told"))?;
        let lock = locked(&path.with_extension("lock"))?;
        // What cannot be read is told once more.
        let accounts = read_json(&path).ok().flatten().unwrap_or_default();
        Ok(Told { path, accounts, _lock: lock })
    }

    fn waiting_file(&self) -> PathBuf {
        self.dir.join("waiting.json")
    }

    /// Remembers what was set up in a vault; it is the last one from now on.
    pub fn set_vault(&self, vault: VaultId, state: &VaultState) -> Result<()> {
        write_json(&self.vault_file(vault), state)?;
        write_json(&self.last_file(), state)
    }

    /// The vault that was set up last: used when nobody names one.
    pub fn last_vault(&self) -> Option<VaultState> {
        // What cannot be read is as good as absent: the default vault is named in every message.
        read_json(&self.last_file()).ok().flatten()
    }

    /// What was set up here in the vault of this address.
    pub fn vault_at(&self, address: &str) -> Option<VaultState> {
        let mut listed = std::fs::read_dir(self.dir.join("vaults")).ok()?;
        let state = |entry: std::io::Result<std::fs::DirEntry>| read_json(&entry.ok()?.path()).ok().flatten();
        listed.find_map(|entry| state(entry).filter(|state: &VaultState| state.address == address))
    }

    /// This device's key for an account, when it has one.
    pub fn device(&self, account: AccountId) -> Result<Option<DeviceKey>> {
        let path = self.device_file(account);
        let Some(text) = read(&path)? else { return Ok(None) };
        let text = Zeroizing::new(text);
        let bytes = STANDARD.decode(text.trim_ascii()).map(Zeroizing::new).map_err(|_| damaged(&path))?;
        DeviceKey::from_bytes(&bytes).map(Some).map_err(|_| damaged(&path))
    }

    /// Keeps this device's key for an account.
    pub fn set_device(&self, account: AccountId, key: &DeviceKey) -> Result<()> {
        let text = Zeroizing::new(STANDARD.encode(*key.to_bytes()));
        write_private(&self.device_file(account), text.as_bytes())
    }
}

/// Waits for a lock, which lives as long as the file.
fn locked(path: &Path) -> Result<std::fs::File> {
    let lock = private_file(path).map_err(|error| trouble("open", path, &error))?;
    rustix::fs::flock(&lock, rustix::fs::FlockOperation::LockExclusive)
        .map_err(|error| trouble("lock", path, &error.into()))?;
    Ok(lock)
}

fn damaged(path: &Path) -> Fault {
    Fault::new(Code::KeySlot, format!("{} is damaged", shown(path)))
        .hint("move it aside; the next backup makes a new device key")
}

fn shown(path: &Path) -> String {
    crate::name::for_terminal(path.as_os_str().as_encoded_bytes())
}

fn trouble(doing: &str, path: &Path, error: &std::io::Error) -> Fault {
    Fault::new(Code::of(error), format!("cannot {doing} {}", shown(path))).because(error)
}

fn read(path: &Path) -> Result<Option<Vec<u8>>> {
    match crate::plain_file::read(path, STATE_BYTES_MAX) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(trouble("read", path, &error)),
    }
}

fn read_json<T: for<'de> Deserialize<'de>>(path: &Path) -> Result<Option<T>> {
    let Some(bytes) = read(path)? else { return Ok(None) };
    serde_json::from_slice(&bytes).map(Some).map_err(|error| {
        Fault::new(Code::System, format!("{} cannot be understood", shown(path)))
            .because(error)
            .hint("move it aside; tuckbox then looks at the vault as if for the first time")
    })
}

fn write_json<T: Serialize>(path: &Path, value: &T) -> Result<()> {
    let text = serde_json::to_vec_pretty(value).map_err(|error| Fault::new(Code::System, error.to_string()))?;
    write_private(path, &text)
}

/// A directory of ours, made when it is missing: 0700, with all that is above it.
pub fn private_dir(dir: &Path) -> Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true).mode(0o700);
    builder.create(dir).map_err(|error| trouble("make", dir, &error))
}

/// A file of ours to write in, made when it is missing: 0600. What is in it stays.
pub fn private_file(path: &Path) -> std::io::Result<std::fs::File> {
    std::fs::OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(path)
}

/// Writes a file of ours whose loss costs nothing: 0600, not synced.
pub fn write_quietly(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut file = private_file(path)?;
    file.set_len(0)?;
    file.write_all(bytes)
}

/// Replaces a file, durably: a new one is written and synced, then renamed, then the directory is synced. 0600.
pub fn write_private(path: &Path, bytes: &[u8]) -> Result<()> {
    let dir = path.parent().unwrap_or(Path::new("."));
    private_dir(dir)?;
    let mut new = path.as_os_str().to_owned();
    new.push(format!(".{}.new", std::process::id()));
    let new = PathBuf::from(new);
    let written = (|| {
        let mut options = std::fs::OpenOptions::new();
        let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(&new)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        std::fs::rename(&new, path)?;
        std::fs::File::open(dir)?.sync_all()
    })();
    written.map_err(|error| {
        // The file that was to be replaced is as it was.
        drop(std::fs::remove_file(&new));
        trouble("write", path, &error)
    })
}
