//! What must always hold: read by others while clients are at work, and looked at closely when all is still.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use store::chain::{self, LinkKind, ReceivedLink, Verifier};
use store::door::sim::Dice;
use store::door::{Disk as _, PathKind};
use store::id::{ChunkId, NodeId};
use store::record::{Record, RecordKind};
use store::vault::{Access, CheckEvent, CheckWhat, Domain, Finding, Severity, Summary};
use store::{Error, Result};

use crate::client::judge_error;
use crate::house;
use crate::tree::{Item, is_genuine};
use crate::world::{DISKS, KEYS, Running, World};

/// How often what has moved is asked for again.
pub(crate) const READS: usize = 30;

/// Somebody restores the newest version, and any other, while others are at work; now and then slowly.
pub fn restore(world: &Arc<World>, access: Access, mut dice: Dice) {
    let mut done = || -> Result<()> {
        let Some(running) = world.serve(access, false)? else { return Ok(()) };
        let links = running.domain.links(&running.account, 1, 1_000)?;
        let any = dice.below(links.len().max(1));
        for link in links.last().into_iter().chain(links.get(any)) {
            let pauses = if dice.one_in(3) { dice.below(1_500) } else { 0 };
            read_back(world, &running, &ReceivedLink::decode(link)?, pauses)?;
        }
        Ok(())
    };
    if let Err(e) = done() {
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
        other if world.is_rotten() && other.is_damage() => {}
        other if world.may_lack_a_disk(other) => {}
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
    if std::mem::take(&mut world.story().cut_catalog) {
        running.domain.check(&CheckWhat { read_data: false }, &mut |_| Ok(()))?;
    }
    chain(world, &running)?;
    let found = look(world, &running, true)?;

    // A catalog that is made from nothing says the same.
    if let Some(scratch) = world.serve(Access::Read, true)? {
        let (ours, anew) = (running.domain.dump()?, scratch.domain.dump()?);
        let (ours, anew) = match world.story().kept_house {
            true => comparable(&ours, &anew),
            false => (ours.into_iter().collect(), anew.into_iter().collect()),
        };
        if ours != anew {
            let only = |a: &BTreeSet<String>, b: &BTreeSet<String>| a.difference(b).next().cloned().unwrap_or_default();
            let (here, there) = (only(&ours, &anew), only(&anew, &ours));
            world.violated(format!("a catalog made anew says something else: {here:?} for {there:?}"));
        }
        let again = look(world, &scratch, true)?;
        let same = |a: &Summary| (a.packs, a.records, a.links, a.bodies, a.versions, a.damages);
        // Of chunks and nodes it has those that were freed, too.
        let differs = if world.story().kept_house { same(&again) != same(&found) } else { again != found };
        if differs {
            world.violated(format!("a recount gives {again:?} for {found:?}"));
        }
    }
    for named in world.disk.list(&world.domain_path().join("staging"))? {
        // That of housekeeping stays; its lock is in it, and what a dead one had begun is cleared by the next.
        if named.kind == PathKind::Dir && named.name != "housekeeping" {
            let folder = world.domain_path().join("staging").join(&named.name);
            let inside = world.disk.list(&folder)?;
            let inside: Vec<_> =
                inside.iter().map(|inside| (&inside.name, world.disk.holder(&folder.join(&inside.name)))).collect();
            world.violated(format!("a dead session was left: {inside:?}"));
        }
    }
    Ok(())
}

/// Two catalogs, without what the second cannot know once somebody has kept house: what the first has condemned is good
/// in it, what the first has freed is there again, and what is complete was so under versions that have gone.
fn comparable(ours: &[String], anew: &[String]) -> (BTreeSet<String>, BTreeSet<String>) {
    let words = |row: &str, at: usize| row.split(' ').skip(at).take(2).collect::<Vec<_>>().join(" ");
    let is_place = |row: &&String| row.starts_with("place ");
    let of = |end: &str, rows: &[String]| -> BTreeSet<String> {
        rows.iter().filter(is_place).filter(|row| row.ends_with(end)).map(|row| words(row, 1)).collect()
    };
    let (condemned, freed) = (of(" 1", ours), of(" 3", ours));
    // Nothing but what is freed is in them: their files may be gone already.
    let used: BTreeSet<&str> = ours
        .iter()
        .filter(is_place)
        .filter(|row| !row.ends_with(" 3"))
        .filter_map(|row| row.split(' ').nth(1))
        .collect();
    let as_anew = |rows: &[String]| -> BTreeSet<String> {
        let kept = rows.iter().filter_map(|row| {
            let (all_but_last, _) = row.rsplit_once(' ')?;
            match row.split(' ').next()? {
                "pack" => used.contains(row.split(' ').nth(1)?).then(|| row.clone()),
                "place" if freed.contains(&words(row, 1)) => None,
                "place" if condemned.contains(&words(row, 1)) => Some(all_but_last.to_owned()),
                "chunk" | "node" if freed.contains(&words(row, 2)) => None,
                "node" => Some(all_but_last.to_owned()),
                _ => Some(row.clone()),
            }
        });
        kept.collect()
    };
    (as_anew(ours), as_anew(anew))
}

/// The chain is continuous, all of it was sent by somebody, and what was acknowledged is in it.
fn chain(world: &Arc<World>, running: &Running) -> Result<()> {
    let links = running.domain.links(&running.account, 1, 10_000)?;
    let links = links.iter().map(|link| ReceivedLink::decode(link)).collect::<Result<Vec<_>>>()?;
    what_went(world, running, &links)?;
    let mut verifier = Verifier::new(running.account.id, KEYS.0.identity_public());
    let mut there = BTreeSet::new();
    for link in &links {
        let body = running.domain.body(&running.account, link.link().body)?;
        let body = body.map(|body| Record::decode(&body)).transpose()?;
        verifier.push(link, body.as_ref())?;
        let submitted = world.story().submitted.get(&link.link_id()).cloned();
        match submitted {
            None => world.violated("a link is there that nobody sent"),
            Some(submitted) => {
                if submitted.acknowledged.is_some_and(|told| told.encode() != link.encode()) {
                    world.violated("a link has another receipt than its client was given");
                }
                if link.link().kind.is_version()
                    && let Some(body) = &body
                {
                    let roots: Vec<_> =
                        chain::clear_sources(body)?.into_iter().map(|(source, root, _)| (source, root)).collect();
                    if roots != submitted.roots {
                        world.violated("a version has other roots than were sent");
                    }
                }
            }
        }
        there.insert(link.link_id());
        read_back(world, running, link, 0)?;
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

/// Bodies that are not there are of versions that were allowed to go, at some time; of those that say what is kept, all
/// are there, and so is that of the newest version.
fn what_went(world: &World, running: &Running, links: &[ReceivedLink]) -> Result<()> {
    let (mut missing, mut newest) = (Vec::new(), None);
    for link in links {
        let is_there = running.domain.body(&running.account, link.link().body)?.is_some();
        if link.link().kind == LinkKind::Version {
            newest = Some(is_there);
        }
        match (is_there, link.link().kind.is_version()) {
            (true, _) => {}
            (false, true) => missing.push(link.link().sequence),
            (false, false) => world.violated(format!("the body of link {} is not there", link.link().sequence)),
        }
    }
    if newest == Some(false) {
        world.violated("the newest version is not there");
    }
    for version in chain::must_be_there(&house::moments(world, links)?, &missing, &missing) {
        world.violated(format!("version {version} went and was to be kept"));
    }
    Ok(())
}

/// Every node and every chunk of a version is there and genuine, as long as its body is, and for a day after. What moves
/// meanwhile is asked for again, as clients do.
fn read_back(world: &World, running: &Running, link: &ReceivedLink, pauses: usize) -> Result<()> {
    if !link.link().kind.is_version() {
        return Ok(());
    }
    let domain = &running.domain;
    let body = match domain.body(&running.account, link.link().body) {
        Err(e) if e.is_damage() && world.is_rotten() => return Ok(()),
        other => other?,
    };
    let Some(body) = body else { return Ok(()) };
    let (body, began) = (Record::decode(&body)?, world.now());
    for _ in 0..pauses {
        world.baton.stop(true);
    }
    for _ in 0..READS {
        let generation = domain.generation()?;
        let lacks = match read_once(world, domain, link, &body) {
            Ok(None) => {
                world.story().tally.read_back += 1;
                return Ok(());
            }
            Ok(Some(lacks)) => lacks.to_owned(),
            Err(e) if e.is_damage() || matches!(e, Error::NotFound { .. }) => e.to_string(),
            Err(e) => return Err(e),
        };
        if domain.generation()? != generation {
            continue;
        }
        // Groups that a dead process cannot read are passed over.
        let went = || -> Result<bool> {
            let day_passed = world.now() - began >= 24 * 3_600 * 1_000;
            Ok(day_passed && domain.body(&running.account, link.link().body)?.is_none())
        };
        if !running.disk.is_dead() && !world.reads_fail() && !world.is_rotten() && !went()? {
            world.violated(format!("version {} cannot be read: {lacks}", link.link().sequence));
        }
        return Ok(());
    }
    Ok(())
}

/// What of a version lacks.
pub(crate) fn read_once(
    world: &World,
    domain: &Domain,
    link: &ReceivedLink,
    body: &Record,
) -> Result<Option<&'static str>> {
    let (mut needed, mut nodes) = (BTreeSet::new(), BTreeSet::new());
    let mut chunks: BTreeSet<ChunkId> = BTreeSet::new();
    let mut genuine = true;
    for (_, root, _) in chain::clear_sources(body)? {
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
    let by_id: BTreeMap<_, _> = nodes.iter().map(|(id, chunks, below)| (id, (chunks, below))).collect();
    while let Some(id) = stack.pop() {
        let Some((of, below)) = by_id.get(&id) else { return Ok(Some("a node lacks")) };
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
        world.violated(format!("version {} reads as something else than was sent", link.link().sequence));
    }
    Ok(chunks.iter().any(|id| !found.contains(id)).then_some("a chunk lacks"))
}

/// After housekeeping has come to its end, all that is stored is needed, but for what is freed in packs that are not
/// thin; and the needed nodes and chunks are each there once.
pub fn nothing_else_stays(world: &Arc<World>) {
    let done = || -> Result<()> {
        let Some(running) = world.serve(Access::Write, false)? else { return Ok(()) };
        let rows = running.domain.dump()?;
        let states = |state: &str| rows.iter().filter(|row| row.starts_with("place ") && row.ends_with(state)).count();
        if states(" 1") + states(" 2") > 0 {
            world.violated("something stays condemned or damaged");
        }
        let needed = needed(world, &running)?;
        let extra = |table: &str, needed: &BTreeSet<Item>| {
            let needed: BTreeSet<String> = needed.iter().map(Item::row).collect();
            let good = |row: &&String| row.starts_with(table);
            let mut of_place: BTreeMap<String, bool> = BTreeMap::new();
            for row in rows.iter().filter(good) {
                let words: Vec<&str> = row.split(' ').collect();
                *of_place.entry(words[2..4].join(" ")).or_default() |= needed.contains(&words[..2].join(" "));
            }
            of_place.into_iter().find(|(_, needed)| !needed).map(|(place, _)| place)
        };
        if let Some(place) = extra("chunk ", &needed).or_else(|| extra("node ", &needed)) {
            world.violated(format!("nothing needs what is in pack {place}, and it stays"));
        }
        Ok(())
    }();
    if let Err(e) = done {
        world.violated(format!("looking at what stays: {e}"));
    }
}

/// All nodes and chunks that the versions need whose bodies are there, by what was sent.
fn needed(world: &World, running: &Running) -> Result<BTreeSet<Item>> {
    let mut out = BTreeSet::new();
    for link in running.domain.links(&running.account, 1, 10_000)? {
        let link = ReceivedLink::decode(&link)?;
        if !link.link().kind.is_version() || running.domain.body(&running.account, link.link().body)?.is_none() {
            continue;
        }
        let body = world.story().submitted.get(&link.link_id()).map(|submitted| submitted.body.clone());
        let Some(body) = body else { continue };
        for (_, root, _) in chain::clear_sources(&body)? {
            let mut stack = vec![root];
            let mut refs = BTreeMap::new();
            running.domain.groups_under(root, &|_| false, &mut |record| {
                refs.extend(record.nodes()?);
                Ok(())
            })?;
            while let Some(id) = stack.pop() {
                if out.insert(Item::Node(id))
                    && let Some(refs) = refs.get(&id)
                {
                    out.extend(refs.chunks.iter().copied().map(Item::Chunk));
                    stack.extend(&refs.nodes);
                }
            }
        }
    }
    Ok(out)
}

/// Looks at every stored byte. While others are at work, a pack may have its name and not yet its rows.
fn look(world: &World, running: &Running, still: bool) -> Result<Summary> {
    let read_data = CheckWhat { read_data: true };
    let mut summary = running.domain.check(&read_data, &mut |event| {
        if let CheckEvent::Finding(finding) = event
            && !is_old_catalog(world, &finding)
            && !world.is_rotten()
            && (still || !world.story().disk_away)
            && (still || (finding.severity != Severity::Note && !running.disk.is_dead() && !world.reads_fail()))
        {
            world.violated(format!("check finds: {} ({})", finding.what, finding.place));
        }
        Ok(())
    })?;
    let on_disk = packs(world)?;
    if still && summary.packs != on_disk {
        world.violated(format!("{} packs were looked at, and {on_disk} are there", summary.packs));
    }
    if still && summary.links != running.domain.head(&running.account)?.map_or(0, |head| head.sequence) {
        world.violated("not all links were looked at");
    }
    summary.notes = 0;
    Ok(summary)
}

/// A crash left the catalog as it was before housekeeping took a pack away: then it is noted that the pack is not there;
/// or cut it where only a look at every row finds it: then it is made anew. Nothing more.
fn is_old_catalog(world: &World, finding: &Finding) -> bool {
    let story = world.story();
    let odd = ["the pack is not there", "it was damaged and was made anew"];
    let is_noted = finding.severity == Severity::Note && odd.contains(&finding.what.as_str());
    let may_be = finding.place == "catalog" || story.kept_house;
    is_noted && may_be && story.tally.power_cuts > 0
}

/// The packs on all disks, each once.
fn packs(world: &World) -> Result<u64> {
    let domain = world.domain_path();
    let id = domain.file_name().unwrap_or_default();
    let further = DISKS.map(|disk| Path::new(disk).join("volume").join("packs").join(id));
    let mut names = BTreeSet::new();
    for packs in std::iter::once(domain.join("packs")).chain(further) {
        let list = |folder: &Path| match world.disk.list(folder) {
            Err(Error::NotFound { .. }) => Ok(Vec::new()),
            other => other,
        };
        for folder in list(&packs)?.into_iter().filter(|named| named.kind == PathKind::Dir) {
            names.extend(list(&packs.join(folder.name))?.into_iter().map(|named| named.name));
        }
    }
    Ok(names.len() as u64)
}
