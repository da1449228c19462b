//! Looks at directories.

use proptest::collection::vec;
use proptest::prelude::*;

use super::pages::many;
use super::round_trip::nodes;
use super::*;

/// What a look at a page says, name by name.
fn looked(looks: &Looks) -> Vec<(Vec<u8>, Look)> {
    (0..looks.len()).map(|at| (looks.name(at).unwrap().to_vec(), *looks.look(at).unwrap())).collect()
}

fn said(entries: &[Entry]) -> Vec<(Vec<u8>, Look)> {
    entries.iter().map(|entry| (entry.name.to_vec(), entry.into())).collect()
}

/// Gives nodes and cannot be looked at otherwise.
struct Plain<'s>(&'s Store);

impl NodeSource for Plain<'_> {
    fn node(&self, id: &NodeId) -> Result<Node> {
        self.0.node(id)
    }
}

/// Gives nodes without asking whether they have their id.
struct Unproven(Store);

impl NodeSource for Unproven {
    fn node(&self, id: &NodeId) -> Result<Node> {
        let (refs, plain) = &self.0.nodes[id];
        decode(refs, plain)
    }

    fn look(&self, id: &NodeId, looks: &mut Looks) -> Result<Option<Node>> {
        self.0.look(id, looks)
    }
}

proptest! {
    /// A look says what the entries say, and gives every other node.
    #[test]
    fn a_look_is_what_the_entry_says(before in nodes(), node in nodes()) {
        let mut looks = Looks::default();
        for node in [before, node] {
            let (refs, plain) = encode(&node);
            let other = decode_looks(&refs, &plain, &mut looks).unwrap();
            match node {
                Node::Page(entries) => {
                    prop_assert_eq!(other, None);
                    prop_assert_eq!(looked(&looks), said(&entries));
                }
                node => prop_assert_eq!(other, Some(node)),
            }
        }
    }

    #[test]
    fn rubbish_never_panics(node in nodes(), alter in vec((any::<prop::sample::Index>(), any::<u8>()), 1..9)) {
        let (refs, mut plain) = encode(&node);
        for (at, byte) in alter {
            let at = at.index(plain.len());
            plain[at] = byte;
        }
        let mut looks = Looks::default();
        let looked_at = decode_looks(&refs, &plain, &mut looks);
        // What can be read in full can be looked at, and says the same.
        if let Ok(node) = decode(&refs, &plain) {
            match node {
                Node::Page(entries) => prop_assert_eq!(looked(&looks), said(&entries)),
                node => prop_assert_eq!(looked_at.unwrap(), Some(node)),
            }
        }
    }
}

#[test]
fn a_reader_looks_passes_and_takes() {
    let mut store = Store::default();
    let entries: Vec<Entry> = many(3_000).collect();
    let top = store.directory(entries.clone()).node;
    for source in [&store as &dyn NodeSource, &Plain(&store)] {
        let mut reader = LookReader::new(source, top);
        for (at, entry) in entries.iter().enumerate() {
            assert_eq!(reader.peek().unwrap(), Some(&*entry.name));
            assert_eq!(reader.seen(), Some((&*entry.name, &entry.into())));
            assert_eq!(reader.position(), at);
            // Some are taken, in every page.
            if at % 7 == 3 {
                assert_eq!(reader.take().unwrap().as_ref(), Some(entry));
            } else {
                reader.pass();
            }
        }
        assert_eq!(reader.peek().unwrap(), None);
        assert!(reader.seen().is_none() && reader.take().unwrap().is_none());
    }
    let empty = store.directory([]).node;
    assert_eq!(LookReader::new(&store, empty).peek().unwrap(), None);
}

#[test]
fn what_cannot_be_read_is_told_once() {
    let mut store = Store::default();
    let top = store.directory(many(10)).node;
    let (refs, plain) = store.nodes.remove(&top).unwrap();
    let mut reader = LookReader::new(&store, top);
    assert!(reader.peek().is_err());
    assert!(reader.peek().unwrap().is_none() && reader.seen().is_none());

    // A page whose chunks are not there can be looked at, but gives no entry.
    let refs = Refs { chunks: refs.chunks[1..].to_vec(), ..refs };
    store.nodes.insert(top, (refs, plain));
    let source = Unproven(store);
    let mut reader = LookReader::new(&source, top);
    assert!(reader.peek().unwrap().is_some());
    assert!(reader.take().is_err());
    assert!(reader.peek().unwrap().is_none() && reader.take().unwrap().is_none());
}
