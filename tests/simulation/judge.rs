//! What must always hold: read by others while clients are at work, and looked at closely when all is still.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use store::chain::{self, ReceivedLink, Verifier};
use store::door::{Disk, PathKind};
use store::id::{ChunkId, NodeId};
use store::record::{Record, RecordKind};
use store::vault::{Access, CheckEvent, CheckWhat, Severity, Summary};
use store::{Error, Result};

use crate::client::judge_error;
use crate::tree::is_genuine;
use crate::world::{KEYS, Running, World};

/// Somebody restores the newest version, and another one, while others are at work.
pub fn restore(world: &Arc<World>, access: Access) {
    let done = || -> Result<()> {
        let Some(running) = world.serve(access, false)? else { return Ok(()) };
        let links = running.domain.links(&running.account, 1, 1_000)?;
        for link in links.iter().rev().take(2) {
            read_back(world, &running, &ReceivedLink::decode(link)?)?;
        }
        Ok(())
    }();
    if let Err(e) = done {
        judge_reading(world, "restoring", &e);
    }
}

/// Somebody looks for damage while others are at work: there is none.
pub fn check(world: &Arc<World>) {
    let done = || -> Result<()> {
        let Some(running) = world.serve(Access::Write, false)? else { return Ok(()) };
        look(world, &running, false).map(drop)
    }();
    if let Err(e) = done {
        judge_reading(world, "checking", &e);
    }
}

/// Somebody makes the catalog anew while others are at work.
pub fn rebuild(world: &Arc<World>) {
    let done = || -> Result<()> {
        let Some(running) = world.serve(Access::Write, false)? else { return Ok(()) };
        running.domain.rebuild()
    }();
    if let Err(e) = done {
        judge_error(world, "making the catalog anew", &e);
    }
}

/// What is committed can always be read.
fn judge_reading(world: &World, doing: &str, error: &Error) {
    match error {
        Error::Disk { .. } | Error::Busy { .. } | Error::Catalog(_) => {}
        other => world.violated(format!("{doing}: {other}")),
    }
}

/// Everything, when all is still and nothing fails. The first thing that does not hold is the error.
pub fn judge(world: &Arc<World>) {
    if let Err(e) = judge_all(world) {
        world.violated(format!("when all is still: {e}"));
    }
}

fn judge_all(world: &Arc<World>) -> Result<()> {
    let Some(running) = world.serve(Access::Write, false)? else { return Ok(()) };
    chain(world, &running)?;
    let found = look(world, &running, true)?;

    // A catalog that is made from nothing says the same.
    if let Some(scratch) = world.serve(Access::Read, true)? {
        let (ours, anew) = (running.domain.dump()?, scratch.domain.dump()?);
        if ours != anew {
            let only = |a: &[String], b: &[String]| {
                let b: BTreeSet<&String> = b.iter().collect();
                a.iter().find(|row| !b.contains(row)).cloned().unwrap_or_default()
            };
            let (here, there) = (only(&ours, &anew), only(&anew, &ours));
            world.violated(format!("a catalog made anew says something else: {here:?} for {there:?}"));
        }
        let again = look(world, &scratch, true)?;
        if again != found {
            world.violated(format!("a recount gives {again:?} for {found:?}"));
        }
    }
    for named in world.disk.list(&world.domain_path().join("staging"))? {
        if named.kind == PathKind::Dir {
            let folder = world.domain_path().join("staging").join(&named.name);
            let inside = world.disk.list(&folder)?;
            let inside: Vec<_> =
                inside.iter().map(|inside| (&inside.name, world.disk.holder(&folder.join(&inside.name)))).collect();
            world.violated(format!("a dead session was left: {inside:?}"));
        }
    }
    Ok(())
}

/// The chain is continuous, all of it was sent by somebody, and what was acknowledged is in it.
fn chain(world: &Arc<World>, running: &Running) -> Result<()> {
    let links = running.domain.links(&running.account, 1, 10_000)?;
    let mut verifier = Verifier::new(running.account.id, KEYS.0.identity_public());
    let mut there = BTreeSet::new();
    for link in &links {
        let link = ReceivedLink::decode(link)?;
        let body = running.domain.body(&running.account, link.link().body)?;
        let body = body.ok_or_else(|| Error::damaged("chain", "a body is not there"))?;
        let body = Record::decode(&body)?;
        verifier.push(&link, Some(&body))?;
        let submitted = world.story().submitted.get(&link.link_id()).cloned();
        match submitted {
            None => world.violated("a link is there that nobody sent"),
            Some(submitted) => {
                if submitted.acknowledged.is_some_and(|told| told.encode() != link.encode()) {
                    world.violated("a link has another receipt than its client was given");
                }
                if link.link().kind.is_version() {
                    let roots: Vec<_> =
                        chain::clear_sources(&body)?.into_iter().map(|(source, root, _)| (source, root)).collect();
                    if roots != submitted.roots {
                        world.violated("a version has other roots than were sent");
                    }
                }
            }
        }
        there.insert(link.link_id());
        read_back(world, running, &link)?;
    }
    let mut lost = Vec::new();
    for (id, submitted) in &world.story().submitted {
        if let Some(link) = submitted.acknowledged.as_ref().filter(|_| !there.contains(id)) {
            lost.push(link.link().sequence);
        }
    }
    for sequence in lost {
        world.violated(format!("version {sequence} was acknowledged and is lost"));
    }
    Ok(())
}

/// Every node and every chunk of a version is there and genuine.
fn read_back(world: &World, running: &Running, link: &ReceivedLink) -> Result<()> {
    if !link.link().kind.is_version() {
        return Ok(());
    }
    let (domain, sequence) = (&running.domain, link.link().sequence);
    let body = domain.body(&running.account, link.link().body)?;
    let body = body.ok_or_else(|| Error::damaged("version", "its body is not there"))?;
    let (mut needed, mut nodes) = (BTreeSet::new(), BTreeSet::new());
    let mut chunks: BTreeSet<ChunkId> = BTreeSet::new();
    let mut genuine = true;
    for (_, root, _) in chain::clear_sources(&Record::decode(&body)?)? {
        needed.insert(root);
        domain.groups_under(root, &|_| false, &mut |record| {
            genuine &= is_genuine(&record);
            for (id, refs) in record.nodes()? {
                genuine &= crate::tree::node_id(&refs) == id;
                nodes.insert((id, refs.chunks, refs.nodes));
            }
            Ok(())
        })?;
    }
    // Groups hold other nodes too: only what the roots lead to is needed.
    let mut stack: Vec<NodeId> = needed.iter().copied().collect();
    let by_id: std::collections::BTreeMap<_, _> =
        nodes.iter().map(|(id, chunks, below)| (id, (chunks, below))).collect();
    while let Some(id) = stack.pop() {
        let Some((of, below)) = by_id.get(&id) else {
            return unreadable(world, running, sequence, "a node");
        };
        chunks.extend(of.iter().copied());
        stack.extend(below.iter().filter(|id| needed.insert(**id)));
    }
    let chunks: Vec<ChunkId> = chunks.into_iter().collect();
    let boxes = domain.boxes_for(&chunks)?;
    let mut found: BTreeSet<ChunkId> = BTreeSet::new();
    for place in &boxes.places {
        let record = domain.read(place)?;
        genuine &= record.header.kind == RecordKind::Box && is_genuine(&record);
        found.extend(record.chunk_ids()?);
    }
    if !genuine {
        world.violated(format!("version {sequence} reads as something else than was sent"));
    }
    if chunks.iter().any(|id| !found.contains(id)) {
        return unreadable(world, running, sequence, "a chunk");
    }
    world.story().tally.read_back += 1;
    Ok(())
}

fn unreadable(world: &World, running: &Running, sequence: u64, what: &str) -> Result<()> {
    // Groups that a dead process cannot read are passed over.
    if !running.disk.is_dead() && !world.reads_fail() {
        world.violated(format!("version {sequence} cannot be read: {what} lacks"));
    }
    Ok(())
}

/// Looks at every stored byte. While others are at work, a pack may have its name and not yet its rows.
fn look(world: &World, running: &Running, still: bool) -> Result<Summary> {
    let read_data = CheckWhat { read_data: true };
    let mut summary = running.domain.check(&read_data, &mut |event| {
        if let CheckEvent::Finding(finding) = event
            && (still || (finding.severity != Severity::Note && !running.disk.is_dead() && !world.reads_fail()))
        {
            world.violated(format!("check finds: {} ({})", finding.what, finding.place));
        }
        Ok(())
    })?;
    let on_disk = packs(&world.disk, &world.domain_path())?;
    if still && summary.packs != on_disk {
        world.violated(format!("{} packs were looked at, and {on_disk} are there", summary.packs));
    }
    if still && summary.links != running.domain.head(&running.account)?.map_or(0, |head| head.sequence) {
        world.violated("not all links were looked at");
    }
    summary.notes = 0;
    Ok(summary)
}

fn packs(disk: &dyn Disk, domain: &Path) -> Result<u64> {
    let mut count = 0;
    for folder in disk.list(&domain.join("packs"))? {
        count += disk.list(&domain.join("packs").join(folder.name))?.len() as u64;
    }
    Ok(count)
}
