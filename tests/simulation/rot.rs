//! A disk that rots: bits that turn over where they lie or on their way there, files that are cut, emptied, lost, or put
//! in each other's place. Nothing can keep that from happening, so other things must hold: nothing wrong is ever taken for
//! right, a check names every version that suffers and no other, what is not harmed is read, and what a client still has
//! is whole again after its next backup.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use store::Result;
use store::chain::{self, ReceivedLink};
use store::door::sim::Dice;
use store::door::{Disk, PathKind};
use store::id::{ChunkId, NodeId};
use store::pack::PackReader;
use store::record::{Record, RecordKind};
use store::vault::{About, Access, CheckEvent, CheckWhat, Domain, Finding, Severity};

use crate::client::{Client, judge_error};
use crate::judge::{READS, read_once};
use crate::mutant::Mutant;
use crate::tree::Item;
use crate::world::{Running, Weather, World};

/// How often a client tries, with nothing in its way.
const BACKUPS: usize = 20;
/// So many backups, with a check before each, heal what was harmed at once.
const ROUNDS: usize = 3;

/// One to three files of the vault are harmed, now.
pub fn strike(world: &World, dice: &mut Dice) {
    for _ in 0..1 + dice.below(3) {
        harm(world, dice);
    }
}

fn harm(world: &World, dice: &mut Dice) {
    let all = files(&world.disk, &world.domain_path());
    // Of links and bodies there are many: half of what is harmed are packs.
    let packs_only = dice.one_in(2);
    let of: Vec<&PathBuf> = all.iter().filter(|path| !packs_only || is(path, "pack")).collect();
    if of.is_empty() {
        return;
    }
    let path = of[dice.below(of.len())].clone();
    let others: Vec<&PathBuf> = of.iter().copied().filter(|other| **other != path).collect();
    let (what, at) = (dice.below(6), dice.number() as usize);
    world.tell(|| format!("harm {what} to {}", path.display()));
    match what {
        0..3 => world.disk.damage(&path, |bytes| {
            let at = at % bytes.len().max(1);
            bytes.iter_mut().skip(at).take(1).for_each(|byte| *byte ^= 1 << (at % 8));
        }),
        3 => world.disk.damage(&path, |bytes| bytes.truncate(at % (bytes.len() + 1))),
        4 => world.disk.lose(&path),
        _ if !others.is_empty() => {
            let other = others[dice.below(others.len())].clone();
            let (mut ours, mut theirs) = (Vec::new(), Vec::new());
            world.disk.damage(&path, |bytes| ours.clone_from(bytes));
            world.disk.damage(&other, |bytes| theirs = std::mem::replace(bytes, ours));
            world.disk.damage(&path, |bytes| *bytes = theirs);
            note(world, &other);
        }
        _ => world.disk.damage(&path, Vec::clear),
    }
    note(world, &path);
}

fn note(world: &World, path: &Path) {
    let mut story = world.story();
    story.rot.begun = true;
    story.rot.links |= is(path, "link");
    story.rot.harms += 1;
    story.rot.pack(path);
    story.tally.harms += 1;
}

fn is(path: &Path, extension: &str) -> bool {
    path.extension().is_some_and(|e| e == extension)
}

/// Packs, links and bodies: the truth.
fn files(disk: &dyn Disk, at: &Path) -> Vec<PathBuf> {
    let (mut out, mut folders) = (Vec::new(), vec![at.to_owned()]);
    while let Some(folder) = folders.pop() {
        for named in disk.list(&folder).unwrap_or_default() {
            let path = folder.join(&named.name);
            match named.kind {
                PathKind::Dir if named.name != "staging" => folders.push(path),
                PathKind::File if ["pack", "link", "body"].iter().any(|kind| is(&path, kind)) => out.push(path),
                _ => {}
            }
        }
    }
    out.sort();
    out
}

/// Somebody works at this disk while it rots.
pub fn act(world: &Arc<World>, mut dice: Dice) {
    for _ in 0..1 + dice.below(3) {
        for _ in 0..dice.below(400) {
            world.baton.stop(true);
        }
        harm(world, &mut dice);
    }
}

/// With nothing in the way, every client backs up what it has, and then all of that is whole, as far as somebody has
/// `looked` before: what nobody has noticed, nobody sends again. Of several things that were harmed at once one may hide
/// the other, so that it takes another look and another backup. Whether the world goes on.
pub fn heal(world: &Arc<World>, clients: &mut [Client], looked: bool) -> bool {
    let harms = world.story().rot.harms;
    for _ in 0..if harms == 1 { 1 } else { ROUNDS } {
        back_up(world, clients);
        match judge(world) {
            Verdict::Decide => return false,
            Verdict::Whole => {
                let mut story = world.story();
                story.rot.harms = 0;
                story.tally.healed += u64::from(looked);
                return true;
            }
            Verdict::Holes if !looked => return true,
            Verdict::Holes => {}
        }
    }
    world.violated(format!("{harms} harms, and what clients have is not whole again"));
    false
}

fn back_up(world: &Arc<World>, clients: &mut [Client]) {
    world.begin_epoch(Weather::default());
    for client in clients.iter_mut() {
        let mut client = client.clone();
        world.act(move |world| {
            let told = (0..BACKUPS).any(|_| client.back_up(world));
            if !told && world.story().violations.is_empty() && !world.story().rot.links {
                world.violated("a backup with nothing in its way is not committed, after damage");
            }
        });
    }
    world.run();
}

/// What a judge finds of a world that rots.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// A link is nowhere any more: it is for a person to decide.
    Decide,
    /// The newest version, or the chain, is not whole.
    Holes,
    /// The newest version and the chain are whole.
    Whole,
}

/// What must hold of a world that rots, when all is still.
pub fn judge(world: &Arc<World>) -> Verdict {
    judge_all(world).unwrap_or_else(|e| {
        world.violated(format!("when all is still, after damage: {e}"));
        Verdict::Decide
    })
}

fn judge_all(world: &Arc<World>) -> Result<Verdict> {
    let Some(running) = world.serve(Access::Write, false)? else { return Ok(Verdict::Decide) };
    let links = running.domain.links(&running.account, 1, 10_000)?;
    let links = links.iter().map(|link| ReceivedLink::decode(link)).collect::<Result<Vec<_>>>()?;
    if is_rolled_back(world, &links) {
        world.story().tally.rolled_back += 1;
        return Ok(Verdict::Decide);
    }
    let mut findings: Vec<Finding> = Vec::new();
    let what = CheckWhat { read_data: world.mutant() != Some(Mutant::CheckReadsNothing) };
    running.domain.check(&what, &mut |event| {
        if let CheckEvent::Finding(finding) = event {
            world.tell(|| format!("{finding:?}"));
            findings.push(finding);
        }
        Ok(())
    })?;
    let good = good_items(world, &running.domain)?;
    let told = |number: u64| {
        let of_it = |finding: &&Finding| finding.versions.contains(&(running.account.number, number));
        findings.iter().filter(of_it).any(|finding| finding.severity == Severity::Loss)
    };
    let newest = links.iter().rev().find(|link| link.link().kind.is_version()).map(|link| link.link().sequence);
    let (mut missing, mut whole) = (Vec::new(), true);
    for link in links.iter().filter(|link| link.link().kind.is_version()) {
        let number = link.link().sequence;
        let body = match running.domain.body(&running.account, link.link().body) {
            Ok(Some(body)) => Record::decode(&body)?,
            Ok(None) => {
                missing.push(number);
                continue;
            }
            Err(e) if e.is_damage() => {
                whole &= newest != Some(number);
                if !told(number) {
                    world.violated(format!("the body of version {number} is damaged, and no check says so"));
                }
                continue;
            }
            Err(e) => return Err(e),
        };
        let can_be = needed(world, &body)?.is_subset(&good);
        let is = reads(world, &running.domain, link, &body)?;
        match (can_be, is, told(number)) {
            (true, true, false) => world.story().tally.read_back += 1,
            (false, false, true) => world.story().tally.holes += 1,
            // What is wrong with its link or body is told of it, too.
            (true, true, true) if world.story().rot.links => {}
            how => {
                let rows = running.domain.dump()?;
                world.tell(|| told_of(&rows, &needed(world, &body).unwrap_or_default()));
                world.violated(format!("version {number} (can be read, is read, told as lost): {how:?}"));
            }
        }
        whole &= is || newest != Some(number);
    }
    // Whether an older one was allowed to go, nobody can say who does not know what it was of.
    if let Some(newest) = newest.filter(|newest| missing.contains(newest) && !told(*newest)) {
        world.violated(format!("version {newest}, the newest, is not there, and no check says so"));
    }
    whole &= newest.is_none_or(|newest| !missing.contains(&newest));
    whole &= findings.iter().all(|finding| finding.about != About::Chain);
    Ok(if whole { Verdict::Whole } else { Verdict::Holes })
}

/// Something that was acknowledged is neither in the catalog nor on the disk: every client that knows of it sees that
/// the history went back. That is so only when links were harmed.
fn is_rolled_back(world: &World, links: &[ReceivedLink]) -> bool {
    let there: BTreeSet<_> = links.iter().map(ReceivedLink::link_id).collect();
    let story = world.story();
    let lost = story.submitted.iter().any(|(id, sent)| sent.acknowledged.is_some() && !there.contains(id));
    let may_be = story.rot.links;
    drop(story);
    if lost && !may_be {
        world.violated("a version was acknowledged and its link is lost, and no link was harmed");
    }
    lost
}

/// Everything that can be read from a pack, whatever any catalog says, but for what housekeeping has freed, and for what
/// was noted as damaged in a pack that was.
fn good_items(world: &World, domain: &Domain) -> Result<BTreeSet<Item>> {
    let mut good = BTreeSet::new();
    let rows = domain.dump()?;
    let harmed = world.story().rot.packs.clone();
    let is_place = |row: &&String| {
        let of_harmed = || row.split(' ').nth(1).is_some_and(|pack| harmed.contains(pack));
        row.starts_with("place ") && (row.ends_with(" 3") || row.ends_with(" 2") && of_harmed())
    };
    let unused: BTreeSet<String> =
        rows.iter().filter(is_place).map(|row| row.split(' ').skip(1).take(2).collect::<Vec<_>>().join(" ")).collect();
    for path in files(&world.disk, &world.domain_path()).iter().filter(|path| is(path, "pack")) {
        let Ok(reader) = PackReader::open(&world.disk, path) else { continue };
        // In the place of another pack it is none.
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        if reader.header().pack.hex() != name {
            continue;
        }
        for line in reader.lines() {
            if reader.check(line).is_err() || unused.contains(&format!("{name} {}", line.offset)) {
                continue;
            }
            match line.kind {
                RecordKind::Box => good.extend(line.ids.iter().map(|id| Item::Chunk(ChunkId::new(*id)))),
                RecordKind::Group => good.extend(line.ids.iter().map(|id| Item::Node(NodeId::new(*id)))),
                _ => {}
            }
        }
    }
    Ok(good)
}

/// Everything below the roots of a version, as its clients know it.
fn needed(world: &World, body: &Record) -> Result<BTreeSet<Item>> {
    let story = world.story();
    let roots: Vec<NodeId> = chain::clear_sources(body)?.into_iter().map(|(_, root, _)| root).collect();
    Ok(roots.iter().filter_map(|root| story.trees.get(root)).flatten().copied().collect())
}

/// What a catalog says of the places of these, for looking at one world.
fn told_of(rows: &[String], items: &BTreeSet<Item>) -> String {
    let mut out = Vec::new();
    for item in items.iter().map(Item::row) {
        let own = rows.iter().filter(|row| row.starts_with(&item));
        let places: Vec<String> = own.map(|row| row.split(' ').skip(2).take(2).collect::<Vec<_>>().join(" ")).collect();
        let states: Vec<&str> = places
            .iter()
            .flat_map(|at| rows.iter().filter(move |row| row.starts_with(&format!("place {at} "))))
            .map(|row| row.rsplit(' ').next().unwrap_or_default())
            .collect();
        if !states.contains(&"0") {
            out.push(format!("{item}: {places:?} in states {states:?}"));
        }
    }
    out.join("\n")
}

/// Whether all of a version is read.
fn reads(world: &World, domain: &Domain, link: &ReceivedLink, body: &Record) -> Result<bool> {
    for _ in 0..READS {
        let generation = domain.generation()?;
        match read_once(world, domain, link, body) {
            Ok(None) => return Ok(true),
            Ok(Some(_)) => {}
            Err(e) if e.is_damage() || matches!(e, store::Error::NotFound { .. }) => {}
            Err(e) => return Err(e),
        }
        if domain.generation()? == generation {
            return Ok(false);
        }
    }
    Ok(false)
}

/// Gives back what the vault wants and this client knows to have been sent: bodies, each with its link.
pub fn give_bodies_back(world: &World, running: &Running, session: &mut store::vault::Session) -> Result<()> {
    let mut commits = Vec::new();
    for hash in running.domain.bad_bodies(&running.account)? {
        for link in running.domain.links(&running.account, 1, 10_000)? {
            let link = ReceivedLink::decode(&link)?;
            let body = world.story().submitted.get(&link.link_id()).map(|sent| sent.body.clone());
            commits.extend(body.filter(|_| link.link().body == hash).map(|body| (link.signed().clone(), body)));
        }
    }
    for (link, body) in commits {
        if let Err(e) = session.commit(&link, Some(&body)) {
            judge_error(world, "giving a body back", &e);
        }
    }
    Ok(())
}
