//! Somebody who holds the key of an account and writes into the vault without the program: trees, bodies and records of
//! any shape, sealed and signed as they must be.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use base64::Engine as _;
use store::chain::{Link, LinkKind, SourceRoot, VersionBody, body_hash};
use store::door::{RealDisk, SystemChance, SystemClock};
use store::id::{AccountId, ChunkId, ContentId, NodeId};
use store::record::{Record, RecordKind, Refs};
use store::seal::{AccountKeys, DeviceKey, Level, RootSecret, Scratch, Sealer};
use store::tree::{Child, Content, CutClass, Entry, Facts, Node, Owner, Time, Totals, What, encode};
use store::vault::{Access, AccountInfo, AccountSelector, Domain, Outcome, Vault};

use crate::world::World;

/// See the module.
pub struct Attacker {
    account: AccountInfo,
    domain: Domain,
    keys: AccountKeys,
    /// Makes records of the account.
    pub sealer: Sealer,
    device: DeviceKey,
    /// What the next version needs beside its body.
    records: Vec<Record>,
    sources: Vec<SourceRoot>,
}

impl Attacker {
    /// One who has everything of this machine, and its vault.
    ///
    /// # Panics
    /// When the machine has no key or the vault is not `World::vault`'s.
    #[must_use]
    pub fn of(world: &World) -> Self {
        let root = RootSecret::from_words(&world.words()).unwrap();
        let (clock, chance) = (Arc::new(SystemClock::new()), Arc::new(SystemChance));
        let vault = Vault::open(Arc::new(RealDisk), clock, chance.clone(), &world.vault(), Access::Write).unwrap();
        let account = vault.account(&AccountSelector::Only).unwrap();
        let domain = vault.domain(&account).unwrap();
        let links = domain.links(&account, 1, 100).unwrap();
        let links = links.iter().map(|link| store::chain::ReceivedLink::decode(link).unwrap());
        let key = links.filter(|link| link.link().kind == LinkKind::Key).last().unwrap();
        let body = Record::decode(&domain.body(&account, key.link().body).unwrap().unwrap()).unwrap();
        let ring = root.kek().open_keyring(account.domain, account.id, &body).unwrap();
        let keys = AccountKeys::derive(&root);
        let sealer = Sealer::new(account.domain, account.id, &keys, &ring, chance);
        let device = device_key(&world.home(), account.id);
        Self { account, domain, keys, sealer, device, records: Vec::new(), sources: Vec::new() }
    }

    /// The account's id.
    #[must_use]
    pub fn account(&self) -> AccountId {
        self.account.id
    }

    /// Adds a record to the next version.
    pub fn put(&mut self, record: Record) {
        self.records.push(record);
    }

    /// Adds a node; gives its id.
    ///
    /// # Panics
    /// When it is too large for a group.
    pub fn node(&mut self, node: &Node) -> NodeId {
        let (refs, plain) = encode(node);
        self.raw_node(refs, plain)
    }

    /// Adds a node that says anything.
    ///
    /// # Panics
    /// As [`Self::node`].
    pub fn raw_node(&mut self, refs: Refs, plain: Vec<u8>) -> NodeId {
        let id = self.sealer.tree().node_id(&refs, &plain);
        let group = self.sealer.seal_group(&mut Scratch::new(), &[(id, refs, plain)], true).unwrap();
        self.records.push(group);
        id
    }

    /// Adds a chunk; gives its id.
    ///
    /// # Panics
    /// When it is too long.
    pub fn chunk(&mut self, bytes: &[u8]) -> ChunkId {
        let id = self.sealer.chunk_id(bytes);
        let len = u32::try_from(bytes.len()).unwrap();
        let sealed = self.sealer.seal_box(&mut Scratch::new(), &[id], &[len], bytes, Level::Auto, true).unwrap();
        self.records.push(sealed);
        id
    }

    /// Adds a source with this root node, which may be anything.
    pub fn source(&mut self, host: &str, path: &[u8], root: NodeId) {
        self.sources.push(SourceRoot {
            id: self.keys.source_id(host, path),
            root,
            introduced: self.domain.head(&self.account).unwrap().map_or(1, |head| head.sequence + 1),
            host: host.to_owned(),
            path: path.to_vec(),
            fs_type: "ext4".into(),
            device: 1,
            mount_point: b"/".to_vec(),
            files: 1,
            dirs: 1,
            bytes: 1,
            missing_since: None,
            content: ContentId::ZERO,
        });
    }

    /// Adds a source that is a directory with these entries, as they are given.
    pub fn directory(&mut self, host: &str, path: &[u8], entries: Vec<Entry>) {
        let page = self.node(&Node::Page(entries));
        let root = self.node(&Node::Root(entry(b"docs", dir(page))));
        self.source(host, path, root);
    }

    /// Commits a version of the sources that were added.
    ///
    /// # Panics
    /// When the vault does not take it.
    pub fn commit(&mut self) {
        let head = self.domain.head(&self.account).unwrap().unwrap();
        let ids: Vec<_> = self.sources.iter().map(|source| source.id).collect();
        let body =
            VersionBody { sources: std::mem::take(&mut self.sources), program: "x".into(), ..VersionBody::default() };
        let body = self.seal(&body);
        let link = Link {
            kind: LinkKind::Version,
            account: self.account.id,
            sequence: head.sequence + 1,
            previous: head.chain,
            body: body_hash(&body),
            device: self.device.id(),
            marker: head.marker + 1,
            taken_at: 1_795_000_000_000,
        };
        let mut session = self.domain.begin(&self.account, &ids, None).unwrap();
        for record in self.records.drain(..) {
            session.put(&record).unwrap();
        }
        session.publish().unwrap();
        match session.commit(&link.sign(&self.device), Some(&body)).unwrap() {
            Outcome::Committed { .. } => session.end().unwrap(),
            other => panic!("{other:?}"),
        }
    }
}

impl Attacker {
    /// A version body with paths that the product does not write: sealed with plain ones of the same length, then opened,
    /// changed, and sealed again.
    fn seal(&self, body: &VersionBody) -> Record {
        let mut plain = body.clone();
        let mut swaps = Vec::new();
        for (n, source) in plain.sources.iter_mut().enumerate() {
            // `minicbor` writes the path with its length: a mark of the same length stands for it.
            let mut mark = format!("/{n:01}marked").into_bytes();
            mark.resize(source.path.len().max(8), b'm');
            swaps.push((mark.clone(), source.path.clone()));
            source.path = mark;
            source.id = self.keys.source_id(&source.host, &source.path);
        }
        let record = plain.seal(&self.sealer, &self.keys).unwrap();
        let mut bytes = self.sealer.open_body(&record).unwrap().to_vec();
        for (mark, path) in swaps {
            let encoded = |path: &[u8]| {
                let mut out = Vec::new();
                minicbor::Encoder::new(&mut out).bytes(path).unwrap();
                out
            };
            let (from, to) = (encoded(&mark), encoded(&path));
            let at = bytes.windows(from.len()).position(|window| window == from).unwrap();
            bytes.splice(at..at + from.len(), to);
        }
        let mut clear = record.clear.clone();
        for (n, source) in body.sources.iter().enumerate() {
            clear[4 + n * 56..][..16].copy_from_slice(source.id.bytes());
        }
        self.sealer.seal_body(RecordKind::VersionBody, clear, &bytes).unwrap()
    }
}

fn device_key(home: &Path, account: AccountId) -> DeviceKey {
    let file = home.join(format!(".local/state/tuckbox/devices/{}.key", account.hex()));
    let text = fs::read_to_string(file).unwrap();
    DeviceKey::from_bytes(&base64::engine::general_purpose::STANDARD.decode(text.trim()).unwrap()).unwrap()
}

/// An entry with ordinary metadata.
#[must_use]
pub fn entry(name: &[u8], what: What) -> Entry {
    Entry {
        name: name.into(),
        mode: if matches!(what, What::Dir(_)) { 0o755 } else { 0o644 },
        what,
        owner: Arc::new(Owner { uid: rustix::process::getuid().as_raw(), ..Owner::default() }),
        mtime: Time { secs: 1_700_000_000, nanos: 0 },
        xattrs: Vec::new(),
        flags: 0,
        mark: None,
        facts: Facts::default(),
    }
}

/// A directory whose top node is this one.
#[must_use]
pub fn dir(node: NodeId) -> What {
    What::Dir(Child { node, content: ContentId::ZERO, totals: Totals::none() })
}

/// A file with its content in line.
#[must_use]
pub fn file(content: &[u8]) -> What {
    let content: Content = if content.is_empty() { Content::Empty } else { Content::Inline(content.into()) };
    let size = match &content {
        Content::Inline(bytes) => bytes.len() as u64,
        _ => 0,
    };
    What::File { size, content, cut: CutClass::Whole }
}

/// A symbolic link.
#[must_use]
pub fn symlink(target: &[u8]) -> What {
    What::Symlink(target.into())
}
