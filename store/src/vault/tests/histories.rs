//! Random histories of backups, forgetting, housekeeping and crashes, against a model that knows only which version has
//! which tree.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::faults::{How, TroubledDisk};
use super::housekeep::{DAY, assert_readable, findings};
use super::retention::{is_there, naming};
use super::*;
use crate::catalog::State;
use crate::chain::{Moment, ReceivedLink, judge};
use crate::vault::{Housekeep, Housekept};

#[derive(Clone, Debug)]
enum Step {
    /// A backup of a tree that shares halves with others. It ends at a call of the disk, if one is given.
    BackUp(u64, u64, Option<u64>),
    /// Everything is put and nothing committed.
    Leave(u64),
    Forget(prop::sample::Index),
    Unforget(prop::sample::Index),
    Pin(prop::sample::Index),
    /// A pass, which ends at a call of the disk, if one is given.
    Keep(Option<u64>),
    Wait(i64),
    /// The catalog is lost.
    Lose,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let at = || prop::option::weighted(0.3, 0u64..150);
    let step = prop_oneof![
        6 => (0u64..5, 0u64..5, at()).prop_map(|(a, b, at)| Step::BackUp(a, b, at)),
        1 => (0u64..8).prop_map(Step::Leave),
        2 => any::<prop::sample::Index>().prop_map(Step::Forget),
        1 => any::<prop::sample::Index>().prop_map(Step::Unforget),
        1 => any::<prop::sample::Index>().prop_map(Step::Pin),
        6 => at().prop_map(Step::Keep),
        4 => (1i64..12).prop_map(Step::Wait),
        1 => Just(Step::Lose),
    ];
    prop::collection::vec(step, 1..25)
}

/// Half of one tree and half of another, under a root of its own.
fn half_and_half(account: &AccountInfo, a: u64, b: u64) -> Tree {
    let (one, two) = (tree(account, a), tree(account, b));
    let leaves = [&one.leaves[..2], &two.leaves[2..]].concat();
    let root = node(1_000 + 10 * a + b, 99);
    let mut clear = Vec::new();
    Record::put_node(&mut clear, root, &Refs { chunks: Vec::new(), nodes: leaves.clone() });
    let mut records = one.records[..3].to_vec();
    records.extend_from_slice(&two.records[..3]);
    records.push(record(account, RecordKind::Group, 1, clear, a));
    let chunks = [&one.chunks[..6], &two.chunks[6..]].concat();
    Tree { root, chunks, leaves, records }
}

struct Model {
    world: World,
    /// Versions and their trees.
    versions: BTreeMap<u64, (u64, u64)>,
}

impl Model {
    fn new() -> Self {
        let (world, _, _) = World::with_account();
        Self { world, versions: BTreeMap::new() }
    }

    fn open(&self, at: Option<u64>) -> Result<(AccountInfo, Domain)> {
        let disk: Arc<dyn Disk> = match at {
            Some(at) => Arc::new(TroubledDisk::new(at, How::FromThenOn)),
            None => Arc::new(RealDisk),
        };
        let vault = self.world.open_on(disk, Access::Write)?;
        let account = vault.account(&AccountSelector::Only)?;
        let domain = vault.domain(&account)?;
        Ok((account, domain))
    }

    /// As a client does: asks, sends what lacks, commits, and sends everything when it was told so.
    fn back_up(&self, a: u64, b: u64, at: Option<u64>) -> Result<()> {
        let (account, domain) = self.open(at)?;
        let tree = half_and_half(&account, a, b);
        let mut session = domain.begin(&account, &[SOURCE], None)?;
        for record in &tree.records {
            let lacks = match record.header.kind {
                RecordKind::Box => domain.lacking_chunks(&record.chunk_ids()?)?,
                _ => domain.lacking_nodes(&record.nodes()?.into_iter().map(|(id, _)| id).collect::<Vec<_>>())?,
            };
            if lacks.contains(&true) {
                session.put(record)?;
            }
        }
        let (link, body) = self.world.try_version(&session, tree.root)?;
        if let Outcome::Lacking { .. } = session.commit(&link, Some(&body))? {
            panic!("something lacks that was asked about just now");
        }
        session.end()
    }

    fn act(&self, kind: LinkKind, which: &prop::sample::Index) {
        let versions: Vec<u64> = self.versions.keys().copied().collect();
        if !versions.is_empty() {
            let (account, domain) = self.open(None).unwrap();
            let mut session = domain.begin(&account, &[], None).unwrap();
            committed(&self.world.act(&mut session, kind, naming(&[versions[which.index(versions.len())]], 0)));
            session.end().unwrap();
        }
    }

    fn keep(&self, at: Option<u64>) -> Result<Housekept> {
        let (_, domain) = self.open(at)?;
        domain.housekeep(&Housekeep { confirmed: true, ..Housekeep::default() }, &mut |_| Ok(()))
    }

    fn step(&mut self, step: &Step) {
        match step {
            Step::BackUp(a, b, at) => {
                // Whether it is there is seen below; it may be so even if its process ended.
                drop(self.back_up(*a, *b, *at));
                let (account, domain) = self.open(None).unwrap();
                let newest = domain.links(&account, 1, 1_000).unwrap().pop().unwrap();
                let newest = ReceivedLink::decode(&newest).unwrap();
                if newest.link().kind == LinkKind::Version {
                    self.versions.entry(newest.link().sequence).or_insert((*a, *b));
                }
            }
            Step::Leave(seed) => {
                let (account, domain) = self.open(None).unwrap();
                super::housekeep::leave(&domain, &account, &tree(&account, *seed));
            }
            Step::Forget(which) => self.act(LinkKind::Forget, which),
            Step::Unforget(which) => self.act(LinkKind::Unforget, which),
            Step::Pin(which) => self.act(LinkKind::Pin, which),
            Step::Keep(at) => drop(self.keep(*at)),
            Step::Wait(days) => self.world.clock.advance(days * DAY),
            Step::Lose => {
                let (account, _) = self.open(None).unwrap();
                for path in files(&self.world.domain_folder(&account)).into_iter().map(|(path, _)| path) {
                    if path.to_string_lossy().contains("catalog.db") {
                        std::fs::remove_file(path).unwrap();
                    }
                }
            }
        }
    }

    /// Versions that are kept or in the trash.
    fn kept(&self, account: &AccountInfo, domain: &Domain) -> BTreeSet<u64> {
        let moment = |bytes: &Vec<u8>| {
            let link = ReceivedLink::decode(bytes).unwrap();
            Moment::new(&link, domain.body_record(account.number, link.link().body).unwrap().as_ref()).unwrap()
        };
        let moments: Vec<Moment> = domain.links(account, 1, 1_000).unwrap().iter().map(moment).collect();
        let stays = judge(&moments).into_iter().filter(|(_, fate)| !fate.is_going());
        stays.map(|(version, _)| version).filter(|version| is_there(domain, account, *version)).collect()
    }

    fn assert_kept_is_whole(&self) {
        let (account, domain) = self.open(None).unwrap();
        for (version, (a, b)) in &self.versions {
            if is_there(&domain, &account, *version) {
                assert_readable(&domain, &half_and_half(&account, *a, *b));
            }
        }
    }

    /// After enough passes nothing is there that no version needs, and every number is the one that a recount gives.
    fn assert_nothing_else_stays(&self) {
        for _ in 0..4 {
            self.keep(None).unwrap();
            self.world.clock.advance(DAY);
        }
        let done = self.keep(None).unwrap();
        assert_eq!((done.condemned, done.freed, done.unlinked, done.rewritten), (0, 0, 0, 0), "{done:?}");
        let (account, domain) = self.open(None).unwrap();
        let kept = self.kept(&account, &domain);
        let (mut records, mut nodes) = (BTreeMap::new(), BTreeSet::new());
        for version in &kept {
            let (a, b) = self.versions[version];
            let tree = half_and_half(&account, a, b);
            nodes.insert(tree.root);
            nodes.extend(&tree.leaves);
            for record in &tree.records {
                let of_box = |record: &Record| record.chunk_ids().unwrap().iter().any(|id| tree.chunks.contains(id));
                let of_group = |record: &Record| {
                    record.nodes().unwrap().iter().any(|(id, _)| tree.leaves.contains(id) || tree.root == *id)
                };
                if if record.header.kind == RecordKind::Box { of_box(record) } else { of_group(record) } {
                    records.insert(record.cipher_hash(), record.stored_len() as u64);
                }
            }
        }
        let mut good = BTreeMap::new();
        for pack in domain.on_disk().unwrap().packs.into_iter().map(|(id, _)| id) {
            for (place, state) in domain.inner.catalog.read(|rows| rows.places_in(pack)).unwrap() {
                assert!(matches!(state, State::Good | State::Freed), "{state:?}");
                if state == State::Good {
                    assert_eq!(good.insert(place.hash, u64::from(place.length)), None, "twice");
                }
            }
        }
        assert_eq!(good, records);
        assert_eq!((done.versions, done.nodes), (kept.len() as u64, nodes.len() as u64));
        assert_eq!(done.kept_bytes, records.values().sum::<u64>());
        assert_eq!(findings(&domain), []);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]
    #[test]
    fn what_is_kept_is_whole_and_nothing_else_stays(steps in steps()) {
        let mut model = Model::new();
        for step in &steps {
            model.step(step);
            model.assert_kept_is_whole();
        }
        model.assert_nothing_else_stays();
    }
}
