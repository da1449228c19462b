//! Records back out.
//!
//! A record that cannot be read is noted as damaged and not used again; whoever asked may ask for another place.

use std::collections::{HashSet, VecDeque};
use std::sync::{Arc, MutexGuard, PoisonError};

use super::closure::{GroupCache, Walked, is_gone, spot};
use super::{Domain, Place};
use crate::catalog::{NodeAt, State};
use crate::error::{Error, Result};
use crate::id::{NodeId, PackId};
use crate::pack::{Line, PackReader};
use crate::record::{Record, RecordKind, Refs};

/// Most packs that are kept open at once.
const OPEN_PACKS_MAX: usize = 32;
/// Most ids in the footers of packs that are kept open, the newest excepted: 32 MiB.
const OPEN_IDS_MAX: usize = 1 << 20;

/// The packs read last, with their footers: they hold the ids of a box, which a record needs to be whole.
#[derive(Default)]
pub(super) struct Readers {
    /// The newest last.
    open: VecDeque<(PackId, Arc<PackReader>, usize)>,
}

impl Readers {
    fn get(&mut self, id: PackId) -> Option<Arc<PackReader>> {
        let at = self.open.iter().position(|(held, ..)| *held == id)?;
        let found = self.open.remove(at)?;
        let reader = Arc::clone(&found.1);
        self.open.push_back(found);
        Some(reader)
    }

    fn put(&mut self, id: PackId, reader: Arc<PackReader>) {
        let ids = reader.lines().iter().map(|line| 2 + line.ids.len()).sum();
        self.open.push_back((id, reader, ids));
        while self.open.len() > 1
            && (self.open.len() > OPEN_PACKS_MAX || self.open.iter().map(|(.., ids)| ids).sum::<usize>() > OPEN_IDS_MAX)
        {
            self.open.pop_front();
        }
    }

    pub(super) fn forget(&mut self, id: PackId) {
        self.open.retain(|(held, ..)| *held != id);
    }
}

impl Domain {
    /// The record at a place, whole, its stored bytes checked against their hash. When they are not what was written,
    /// or the pack is gone, the place is noted as damaged: `Damaged` or `NotFound`; ask for another place then.
    pub fn read(&self, place: &Place) -> Result<Record> {
        self.reader(place.pack).and_then(|reader| reader.read(line_at(&reader, place)?)).inspect_err(|e| {
            if is_gone(e) {
                // What is not noted is found again when it is read next.
                self.note_damage(place).ok();
            }
        })
    }

    /// Nodes and references of a group, without its sealed part.
    pub(super) fn group_refs(&self, place: &Place) -> Result<Vec<(NodeId, Refs)>> {
        let reader = self.reader(place.pack)?;
        reader.node_refs(line_at(&reader, place)?)
    }

    pub(super) fn readers(&self) -> MutexGuard<'_, Readers> {
        self.inner.readers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn reader(&self, id: PackId) -> Result<Arc<PackReader>> {
        if let Some(reader) = self.readers().get(id) {
            return Ok(reader);
        }
        let reader = Arc::new(self.open_pack(id)?.0);
        self.readers().put(id, Arc::clone(&reader));
        Ok(reader)
    }

    /// Visits every group that holds a node reachable from `root`, each once, in depth-first order. What is below a
    /// node for which `known` says yes is passed over, and so is what cannot be read: whoever needs it sees that it
    /// did not come.
    pub fn groups_under(
        &self,
        root: NodeId,
        known: &dyn Fn(&NodeId) -> bool,
        visit: &mut dyn FnMut(Record) -> Result<()>,
    ) -> Result<()> {
        // By pack and offset: between two questions another process may make the catalog anew.
        let mut visited: HashSet<(PackId, u64)> = HashSet::new();
        let mut seen = Walked::new();
        let mut cache = GroupCache::default();
        // The places of siblings are asked for together, when their parent is met.
        let mut stack = self.located(&[root], known)?;
        while let Some((id, places)) = stack.pop() {
            let Some(first) = places.first() else { continue };
            if !seen.insert(spot(first)) {
                continue;
            }
            for at in &places {
                let group_at = (at.place.pack, at.place.offset);
                if visited.contains(&group_at) {
                    let Ok(group) = cache.group(self, &at.place) else { continue };
                    let Some(refs) = refs_of(&group, at, id) else { continue };
                    stack.extend(self.located(&refs.nodes, known)?);
                    break;
                }
                let record = match self.read(&at.place) {
                    Ok(record) => record,
                    Err(e) if is_gone(&e) => continue,
                    Err(e) => return Err(e),
                };
                let group = Arc::new(record.nodes()?);
                cache.keep(&at.place, &group);
                visited.insert(group_at);
                visit(record)?;
                let Some(refs) = refs_of(&group, at, id) else { continue };
                stack.extend(self.located(&refs.nodes, known)?);
                break;
            }
        }
        Ok(())
    }

    /// The nodes that are not known, with the places that can be read, in reverse: a stack gives the first first.
    fn located(&self, ids: &[NodeId], known: &dyn Fn(&NodeId) -> bool) -> Result<Vec<(NodeId, Vec<NodeAt>)>> {
        let ids: Vec<NodeId> = ids.iter().rev().filter(|id| !known(id)).copied().collect();
        let mut places = self.inner.catalog.read(|rows| rows.places_of_nodes(&ids))?;
        for places in &mut places {
            places.retain(|at| at.state != State::Damaged);
        }
        Ok(ids.into_iter().zip(places).collect())
    }
}

fn refs_of(group: &[(NodeId, Refs)], at: &NodeAt, id: NodeId) -> Option<Refs> {
    group.get(at.slot as usize).filter(|(found, _)| *found == id).map(|(_, refs)| refs.clone())
}

/// The line of a place in the pack's footer.
fn line_at<'a>(reader: &'a PackReader, place: &Place) -> Result<&'a Line> {
    let lines = reader.lines();
    let found = lines.binary_search_by_key(&place.offset, |line| line.offset).ok().and_then(|at| lines.get(at));
    match found {
        Some(line) if line.hash == place.hash && line.kind == place.kind => Ok(line),
        _ => Err(Error::damaged("pack footer", "it has no such record").at(|| place.text())),
    }
}

/// What a place holds, in a word.
pub(super) fn kind_text(kind: RecordKind) -> &'static str {
    match kind {
        RecordKind::Box => "box",
        RecordKind::Group => "group",
        _ => "record",
    }
}
