//! A vault on a real disk, a clock that stands, chance that repeats itself. What is sealed in the records is rubbish:
//! the server never looks.

mod accounts;
mod activity;
mod archives;
mod commits;
mod damages;
mod faults;
mod hidden_links;
mod histories;
mod housekeep;
mod housekeep_races;
mod live;
mod no_room;
mod numbers;
mod pressure;
mod pulse;
mod retention;
mod sessions;
mod usage;
mod volumes;
mod volumes_go;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{Access, AccountInfo, AccountSelector, Domain, Head, Outcome, Session, Vault};
use crate::chain::{Certificate, Link, LinkKind, SignedLink, body_hash};
use crate::door::{Chance, Clock as _, ConstantChance, Disk, FixedClock, RealDisk};
use crate::error::Result;
use crate::id::{AccountId, BodyHash, ChainHash, ChunkId, DomainId, NodeId, SourceId};
use crate::record::{Codec, Header, Record, RecordKind, Refs};
use crate::seal::{AccountKeys, DeviceKey, RootSecret};

pub(super) const SOURCE: SourceId = SourceId::new([1; 16]);
pub(super) const OTHER_SOURCE: SourceId = SourceId::new([2; 16]);

/// A client's secrets and a vault's folder.
pub(super) struct World {
    folder: tempfile::TempDir,
    pub(super) clock: Arc<FixedClock>,
    pub(super) chance: Arc<ConstantChance>,
    keys: AccountKeys,
    device: DeviceKey,
}

/// A small tree as a client would send it.
pub(super) struct Tree {
    pub(super) root: NodeId,
    pub(super) chunks: Vec<ChunkId>,
    pub(super) leaves: Vec<NodeId>,
    pub(super) records: Vec<Record>,
}

impl World {
    pub(super) fn new() -> Self {
        let chance = Arc::new(ConstantChance::new(7));
        let root = RootSecret::generate(&*chance);
        Self {
            folder: tempfile::tempdir().unwrap(),
            clock: Arc::new(FixedClock::at(1_790_000_000_000)),
            keys: AccountKeys::derive(&root),
            device: DeviceKey::generate(&*chance),
            chance,
        }
    }

    /// One with a vault that has an account whose chain has its first two links.
    pub(super) fn with_account() -> (Self, Vault, AccountInfo) {
        let world = Self::new();
        let vault =
            Vault::create(Arc::new(RealDisk), world.clock.clone(), world.chance.clone(), &world.path()).unwrap();
        let account = vault.create_account("ada").unwrap();
        let account = vault.bind(&account, world.keys.identity_public(), world.keys.key_check()).unwrap();
        world.begin_chain(&vault, &account).unwrap();
        (world, vault, account)
    }

    /// Binds another account to the same secrets, and begins its chain.
    pub(super) fn bind_to(&self, vault: &Vault, account: &AccountInfo) -> AccountInfo {
        let account = vault.bind(account, self.keys.identity_public(), self.keys.key_check()).unwrap();
        self.begin_chain(vault, &account).unwrap();
        account
    }

    pub(super) fn path(&self) -> PathBuf {
        self.folder.path().join("vault")
    }

    pub(super) fn open(&self, access: Access) -> Result<Vault> {
        self.open_on(Arc::new(RealDisk), access)
    }

    pub(super) fn open_on(&self, disk: Arc<dyn Disk>, access: Access) -> Result<Vault> {
        Vault::open(disk, self.clock.clone(), self.chance.clone(), &self.path(), access)
    }

    /// Another with the same vault, and the same secrets.
    pub(super) fn copy(&self) -> Self {
        let other = Self::new();
        for (path, bytes) in files(&self.path()) {
            let to = other.folder.path().join(path.strip_prefix(self.folder.path()).unwrap());
            std::fs::create_dir_all(to.parent().unwrap()).unwrap();
            std::fs::write(to, bytes).unwrap();
        }
        other.make_folders();
        other
    }

    /// Those that hold nothing yet.
    fn make_folders(&self) {
        for account in self.open(Access::Read).unwrap().accounts().unwrap() {
            for name in ["packs", "damaged", "staging"] {
                std::fs::create_dir_all(self.domain_folder(&account).join(name)).unwrap();
            }
        }
    }

    /// What a process sees that starts now.
    pub(super) fn reopen(&self) -> (Vault, AccountInfo, Domain) {
        let vault = self.open(Access::Write).unwrap();
        let account = vault.account(&AccountSelector::Only).unwrap();
        let domain = vault.domain(&account).unwrap();
        (vault, account, domain)
    }

    pub(super) fn domain_folder(&self, account: &AccountInfo) -> PathBuf {
        self.path().join("domains").join(account.domain.hex())
    }

    fn begin_chain(&self, vault: &Vault, account: &AccountInfo) -> Result<()> {
        let mut session = vault.domain(account)?.begin(account, &[], None)?;
        let certificate: Certificate =
            self.keys.certify(account.id, self.device.id(), self.device.public(), Certificate::ALL_ROLES, 0);
        let body = record(account, RecordKind::DeviceBody, 0, certificate.encode(), 1);
        let link = self.link_after(&session, LinkKind::Device, body_hash(&body), 0);
        assert!(matches!(session.commit(&link, Some(&body))?, Outcome::Committed(_)));
        let body = record(account, RecordKind::KeyBody, 0, Vec::new(), 2);
        let link = self.link_after(&session, LinkKind::Key, body_hash(&body), 0);
        assert!(matches!(session.commit(&link, Some(&body))?, Outcome::Committed(_)));
        session.end()
    }

    /// The next link after what the vault shows now.
    pub(super) fn link_after(&self, session: &Session, kind: LinkKind, body: BodyHash, step: u64) -> SignedLink {
        let head = session.domain.head(&session.account).unwrap();
        self.link_behind(head, session, kind, body, step)
    }

    fn link_behind(
        &self,
        head: Option<Head>,
        session: &Session,
        kind: LinkKind,
        body: BodyHash,
        step: u64,
    ) -> SignedLink {
        let link = Link {
            kind,
            account: session.account.id,
            sequence: head.map_or(0, |head| head.sequence) + 1,
            previous: head.map_or(ChainHash::ZERO, |head| head.chain),
            body,
            device: self.device.id(),
            marker: head.map_or(0, |head| head.marker) + step,
            taken_at: self.clock.now_ms(),
        };
        link.sign(&self.device)
    }

    /// A version with this root, and its body.
    pub(super) fn version(&self, session: &Session, root: NodeId) -> (SignedLink, Record) {
        self.try_version(session, root).unwrap()
    }

    /// The same on a disk that may fail.
    pub(super) fn try_version(&self, session: &Session, root: NodeId) -> Result<(SignedLink, Record)> {
        let head = session.domain.head(&session.account)?;
        let sequence = head.map_or(0, |head| head.sequence) + 1;
        let mut clear = 1u32.to_le_bytes().to_vec();
        clear.extend_from_slice(SOURCE.bytes());
        clear.extend_from_slice(root.bytes());
        clear.extend_from_slice(&sequence.to_le_bytes());
        clear.extend_from_slice(&0u32.to_le_bytes());
        let body = record(&session.account, RecordKind::VersionBody, 0, clear, sequence);
        Ok((self.link_behind(head, session, LinkKind::Version, body_hash(&body), 1), body))
    }

    /// Puts a tree and commits it as a version.
    pub(super) fn back_up(&self, session: &mut Session, tree: &Tree) -> Result<Outcome> {
        for record in &tree.records {
            session.put(record)?;
        }
        let (link, body) = self.try_version(session, tree.root)?;
        session.commit(&link, Some(&body))
    }

    /// A link of this kind whose body has this clear part.
    pub(super) fn act(&self, session: &mut Session, kind: LinkKind, clear: Vec<u8>) -> Outcome {
        let of = match kind {
            LinkKind::Policy => RecordKind::PolicyBody,
            LinkKind::Pin | LinkKind::Unpin => RecordKind::PinBody,
            _ => RecordKind::ForgetBody,
        };
        let body = record(&session.account, of, 0, clear, 1);
        let link = self.link_after(session, kind, body_hash(&body), 0);
        session.commit(&link, Some(&body)).unwrap()
    }

    /// A whole backup by a process of its own.
    pub(super) fn back_up_now(&self, tree: &Tree) -> Outcome {
        let (_, account, domain) = self.reopen();
        let mut session = domain.begin(&account, &[SOURCE], None).unwrap();
        let outcome = self.back_up(&mut session, tree).unwrap();
        session.end().unwrap();
        outcome
    }
}

/// A record of any kind, with something sealed in it.
pub(super) fn record(account: &AccountInfo, kind: RecordKind, items: u32, clear: Vec<u8>, seed: u64) -> Record {
    record_of(account.domain, account.id, kind, items, clear, seed, 200)
}

pub(super) fn record_of(
    domain: DomainId,
    account: AccountId,
    kind: RecordKind,
    items: u32,
    clear: Vec<u8>,
    seed: u64,
    sealed_bytes: usize,
) -> Record {
    let mut sealed = vec![0; sealed_bytes];
    ConstantChance::new(seed).fill(&mut sealed);
    let header = Header {
        kind,
        codec: Codec::Raw,
        padded: false,
        key_id: 1,
        domain,
        account,
        items,
        clear_len: u32::try_from(clear.len()).unwrap(),
        sealed_len: u32::try_from(sealed_bytes).unwrap(),
        clear_hash: *blake3::hash(&clear).as_bytes(),
        nonce: [0; 24],
    };
    Record { header, clear, sealed }
}

pub(super) fn chunk(seed: u64, no: u64) -> ChunkId {
    ChunkId::new(*blake3::hash(format!("chunk {seed} {no}").as_bytes()).as_bytes())
}

fn node(seed: u64, no: u64) -> NodeId {
    NodeId::new(*blake3::hash(format!("node {seed} {no}").as_bytes()).as_bytes())
}

/// A root over four leaves with three chunks each, in two boxes and two groups.
pub(super) fn tree(account: &AccountInfo, seed: u64) -> Tree {
    let chunks: Vec<ChunkId> = (0..12).map(|no| chunk(seed, no)).collect();
    let leaves: Vec<NodeId> = (0..4).map(|no| node(seed, no)).collect();
    let root = node(seed, 99);
    let mut records = Vec::new();
    for half in chunks.chunks(6) {
        let clear = half.iter().flat_map(|id| *id.bytes()).collect();
        records.push(record(account, RecordKind::Box, 6, clear, seed));
    }
    let mut clear = Vec::new();
    for (leaf, chunks) in leaves.iter().zip(chunks.chunks(3)) {
        Record::put_node(&mut clear, *leaf, &Refs { chunks: chunks.to_vec(), nodes: Vec::new() });
    }
    records.push(record(account, RecordKind::Group, 4, clear, seed));
    let mut clear = Vec::new();
    Record::put_node(&mut clear, root, &Refs { chunks: Vec::new(), nodes: leaves.clone() });
    records.push(record(account, RecordKind::Group, 1, clear, seed));
    Tree { root, chunks, leaves, records }
}

/// Every file below a folder with its content.
pub(super) fn files(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut out = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                out.push((path.clone(), std::fs::read(&path).unwrap()));
            }
        }
    }
    out.sort();
    out
}

/// The files whose names end so.
pub(super) fn named(folder: &Path, end: &str) -> Vec<PathBuf> {
    files(folder).into_iter().map(|(path, _)| path).filter(|p| p.to_string_lossy().ends_with(end)).collect()
}

pub(super) fn committed(outcome: &Outcome) -> u64 {
    match outcome {
        Outcome::Committed(link) => link.link().sequence,
        other => panic!("{other:?}"),
    }
}
