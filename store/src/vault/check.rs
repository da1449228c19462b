//! Looking for damage: that everything the truth speaks of is there and is what was written.
//!
//! No key is needed. Nothing is deleted; what is found is told, and damaged records are noted so that nobody counts on
//! them any more.

use std::collections::BTreeSet;

use super::closure::{Walked, is_gone};
use super::commit::row_of;
use super::finding::{About, CheckEvent, CheckWhat, Finding, Progress, Severity, Summary};
use super::read::kind_text;
use super::take_in::ReadPack;
use super::{AccountInfo, Domain, account, layout};
use crate::catalog::{NewPack, Place, RowCounts, State};
use crate::chain::{self, LinkKind, ReceivedLink, Verifier};
use crate::error::{Error, Result};
use crate::id::{BodyHash, NodeId, PackId};
use crate::pack::Line;
use crate::record::RecordKind;

/// How often the catalog is compared again because it has changed meanwhile.
const TRIES: usize = 5;
/// Most numbers of missing links that one finding names: the name of a file can claim any.
const MISSING_MAX: usize = 1_000;

impl Domain {
    /// Looks at every pack, link, body and version of this domain. An error means that the check itself could not go
    /// on; damage is told as findings.
    pub fn check(&self, what: &CheckWhat, tell: &mut dyn FnMut(CheckEvent) -> Result<()>) -> Result<Summary> {
        let mut check = Check {
            domain: self,
            what: *what,
            tell,
            summary: Summary::default(),
            progress: Progress::default(),
            walked: Walked::new(),
            gone: Vec::new(),
            absent: BTreeSet::new(),
            unseen: 0,
        };
        check.catalog()?;
        check.packs()?;
        check.absent()?;
        for account in account::accounts_in(&self.inner.shared, &self.inner.paths, self.id())? {
            check.chain(&account)?;
        }
        check.complete()?;
        check.notes()?;
        // So that the next backup need not look for it. That a disk fails was told.
        match self.wanted() {
            Ok(_) | Err(Error::Disk { .. }) => {}
            Err(e) => return Err(e),
        }
        let (chunks, nodes) = self.inner.catalog.read(|rows| Ok((rows.count_chunks()?, rows.count_nodes()?)))?;
        (check.summary.chunks, check.summary.nodes) = (chunks, nodes);
        Ok(check.summary)
    }
}

struct Check<'a> {
    domain: &'a Domain,
    what: CheckWhat,
    tell: &'a mut dyn FnMut(CheckEvent) -> Result<()>,
    summary: Summary,
    progress: Progress,
    /// Nodes of versions that are whole.
    walked: Walked,
    /// Packs of which nothing can be used, why, and whether that is new.
    gone: Vec<(PackId, String, bool)>,
    /// Volumes that are not there.
    absent: BTreeSet<u32>,
    /// Packs that are in them, for all that can be said.
    unseen: u64,
}

impl Check<'_> {
    fn find(&mut self, severity: Severity, what: String, place: String, versions: Vec<(u32, u64)>) -> Result<()> {
        self.find_about(About::Data, severity, what, place, versions)
    }

    /// Something is wrong with the history.
    fn find_in_chain(&mut self, about: About, what: String, place: String, version: (u32, u64)) -> Result<()> {
        self.find_about(about, Severity::Loss, what, place, vec![version])
    }

    fn find_about(
        &mut self,
        about: About,
        severity: Severity,
        what: String,
        place: String,
        versions: Vec<(u32, u64)>,
    ) -> Result<()> {
        match severity {
            Severity::Note => self.summary.notes += 1,
            Severity::Damage | Severity::Loss => self.summary.damages += 1,
        }
        (self.tell)(CheckEvent::Finding(Finding { what, place, severity, about, versions }))
    }

    /// Whether the catalog says what packs, links and notes say. If not, it is made anew.
    fn catalog(&mut self) -> Result<()> {
        let domain = self.domain;
        let what = if !domain.inner.catalog.is_sound() {
            domain.remake()?;
            "it was damaged and was made anew"
        } else {
            match self.catalog_agrees_still() {
                Ok(true) => return Ok(()),
                Ok(false) => {
                    domain.rebuild()?;
                    "it did not say what packs, links and notes say, and was made anew"
                }
                Err(e) if e.is_bad_catalog() => {
                    domain.remake()?;
                    "it was damaged and was made anew"
                }
                Err(e) => return Err(e),
            }
        };
        self.find(Severity::Note, what.to_owned(), "catalog".to_owned(), Vec::new())
    }

    /// Whether it agrees, asked again when housekeeping has changed it meanwhile.
    fn catalog_agrees_still(&self) -> Result<bool> {
        for _ in 0..TRIES {
            let generation = self.domain.generation()?;
            if self.catalog_agrees()? {
                return Ok(true);
            }
            if self.domain.generation()? == generation {
                break;
            }
        }
        Ok(false)
    }

    fn catalog_agrees(&self) -> Result<bool> {
        let domain = self.domain;
        // What others have published meanwhile.
        domain.take_in()?;
        let on_disk = domain.on_disk()?;
        if !on_disk.absent.is_empty() {
            // What of it is true cannot be said now.
            return self.links_agree();
        }
        let on_disk = on_disk.packs;
        let notes = domain.damage_notes()?.said;
        let mut counts = RowCounts::default();
        for (id, _) in &on_disk {
            // What cannot be read has rows until somebody notes it: `packs` does.
            let Ok((reader, bytes)) = domain.open_pack(*id) else {
                if domain.inner.catalog.read(|rows| rows.has_pack(*id))? {
                    counts = RowCounts { chunks: u64::MAX, nodes: u64::MAX };
                }
                continue;
            };
            let pack = NewPack { header: reader.header(), bytes, lines: reader.lines() };
            let (rows, places) =
                domain.inner.catalog.read(|rows| Ok((rows.pack_rows(&pack)?, rows.places_in(*id)?)))?;
            let Some(rows) = rows else { return Ok(false) };
            // Damaged is what a note says, and nothing else is.
            let noted = |place: &Place| notes.contains(&(place.pack, place.offset, place.hash));
            let writes = domain.inner.shared.access == super::Access::Write;
            // What was freed is of no meaning any more, whatever was noted of it.
            let differs =
                |(place, state): &(Place, State)| *state != State::Freed && (*state == State::Damaged) != noted(place);
            if writes && places.iter().any(differs) {
                return Ok(false);
            }
            counts.chunks = counts.chunks.saturating_add(rows.chunks);
            counts.nodes = counts.nodes.saturating_add(rows.nodes);
        }
        let there = domain.inner.catalog.read(|rows| rows.row_counts())?;
        // More may have come since; less is not seen to be the truth.
        if counts.chunks != u64::MAX && (there.chunks < counts.chunks || there.nodes < counts.nodes) {
            return Ok(false);
        }
        if counts.chunks != u64::MAX && there != counts && domain.on_disk()?.packs == on_disk {
            return Ok(false);
        }
        self.links_agree()
    }

    fn links_agree(&self) -> Result<bool> {
        let domain = self.domain;
        for account in account::accounts_in(&domain.inner.shared, &domain.inner.paths, domain.id())? {
            let newest = domain.inner.catalog.read(|rows| rows.newest_link(account.number))?;
            for number in 1..=newest.map_or(0, |link| link.sequence) {
                let row = domain.inner.catalog.read(|rows| rows.link(account.number, number))?;
                let Some(row) = row else { return Ok(false) };
                // A link that cannot be read is told of by `chain`; the catalog may be the only one that has it.
                if let Ok(link) = self.link(&account, number)
                    && row_of(&link) != row
                {
                    return Ok(false);
                }
            }
        }
        Ok(true)
    }

    fn packs(&mut self) -> Result<()> {
        let on_disk = self.domain.on_disk()?;
        self.progress.packs = on_disk.packs.len() as u64;
        self.summary.packs = on_disk.packs.len() as u64;
        self.absent.extend(&on_disk.absent);
        // Asked for after the names: a pack gets its name before its rows.
        let rows = self.domain.inner.catalog.read(|rows| rows.packs())?;
        for row in rows.iter().filter(|row| !on_disk.has(row.id)) {
            match self.domain.find_pack(row.id) {
                Ok(Some(_)) => {}
                Ok(None) => self.pack_gone(row.id, "the pack is not there")?,
                Err(Error::Absent { volume }) => self.unseen(volume)?,
                Err(e) => return Err(e),
            }
        }
        for (id, _) in on_disk.packs {
            self.pack(id)?;
            self.progress.packs_done += 1;
            (self.tell)(CheckEvent::Progress(self.progress))?;
        }
        Ok(())
    }

    /// Nothing of a pack can be used: from now on it has no rows, as if the catalog were made anew.
    fn pack_gone(&mut self, id: PackId, why: &str) -> Result<()> {
        self.domain.readers().forget(id);
        if self.domain.inner.catalog.read(|rows| rows.is_emptied(id))? {
            // Nothing in it is needed; housekeeping was about to take its rows away.
            return Ok(());
        }
        let write = self.domain.inner.catalog.write()?;
        // Asked again now that housekeeping is not at work: it takes rows and file away together.
        if self.domain.find_pack(id)?.is_none() && (write.rows().is_emptied(id)? || !write.rows().has_pack(id)?) {
            return Ok(());
        }
        if write.rows().remove_pack(id)? {
            write.rows().doubt_wanted()?;
        }
        write.commit()?;
        let new = self.domain.note_lost_pack(id)?;
        self.gone.push((id, why.to_owned(), new));
        Ok(())
    }

    fn pack(&mut self, id: PackId) -> Result<()> {
        let pack = match self.domain.open_pack(id) {
            Ok(pack) => pack,
            Err(Error::Newer { what, .. }) => {
                let what = format!("the {what} was made by a newer program and is not looked into");
                return self.find(Severity::Note, what, format!("pack {id}"), Vec::new());
            }
            // Its disk is away, or has just gone.
            Err(e) => match (&e, self.domain.inner.shared.absent_volumes()?.first()) {
                (Error::Absent { volume }, _) | (_, Some(volume)) => return self.unseen(*volume),
                (Error::Disk { .. }, None) => return self.disk_fails(&e, format!("pack {id}"), Vec::new()),
                _ => return self.pack_gone(id, &e.to_string()),
            },
        };
        let domain = self.domain;
        if pack.0.has_unknown() {
            let what = "it has records of a kind that this program does not know".to_owned();
            self.find(Severity::Note, what, format!("pack {id}"), Vec::new())?;
        }
        self.summary.records += pack.0.lines().len() as u64;
        let places = domain.inner.catalog.read(|rows| rows.places_in(id))?;
        for ((place, state), line) in places.iter().zip(pack.0.lines()) {
            self.record(&pack, place, *state, line)?;
        }
        Ok(())
    }

    /// The disk does not give what is there. It may tomorrow, or to another machine: nothing is noted as lost, and nobody is
    /// asked to send it again.
    fn disk_fails(&mut self, e: &Error, place: String, versions: Vec<(u32, u64)>) -> Result<()> {
        let cause = match e {
            Error::Disk { cause, .. } => cause.to_string(),
            other => other.to_string(),
        };
        let what = format!("the disk does not give it ({cause}); nothing of it is taken for lost");
        self.find_about(About::Disk, Severity::Damage, what, place, versions)
    }

    /// A pack is in a volume that is not there, for all that can be said.
    fn unseen(&mut self, volume: u32) -> Result<()> {
        self.absent.insert(volume);
        self.unseen += 1;
        Ok(())
    }

    /// Volumes that are not there. What is in them is neither lost nor found to be good.
    fn absent(&mut self) -> Result<()> {
        let unseen = self.unseen;
        for volume in std::mem::take(&mut self.absent) {
            let what = format!(
                "it is not there, so {unseen} packs in it could not be looked at: nothing of them is taken for lost. Bring \
                 its disk back, or say that it will not come back: `tuckbox volume remove {volume} --lost`"
            );
            self.find(Severity::Damage, what, format!("volume {volume}"), Vec::new())?;
        }
        Ok(())
    }

    fn record(&mut self, pack: &ReadPack, place: &Place, state: State, line: &Line) -> Result<()> {
        if state == State::Freed {
            return Ok(());
        }
        let result = match (self.what.read_data, line.kind) {
            (true, _) => pack.0.check(line),
            // The clear part is small and says what a version needs.
            (false, RecordKind::Group) => pack.0.node_refs(line).map(drop),
            (false, _) => Ok(()),
        };
        if result.is_ok() && self.what.read_data {
            let bytes = u64::from(line.length);
            self.summary.bytes_read += bytes;
            self.progress.bytes_read += bytes;
        }
        if state == State::Damaged {
            // Versions that still need it are told of below.
            let what = format!("this {} was noted as damaged before", kind_text(line.kind));
            return self.find(Severity::Note, what, place.text(), Vec::new());
        }
        match result {
            Ok(()) | Err(Error::Newer { .. }) => Ok(()),
            Err(e) => {
                if is_gone(&e) {
                    self.domain.note_damage(place)?;
                }
                if matches!(e, Error::Disk { .. }) {
                    return self.disk_fails(&e, place.text(), Vec::new());
                }
                let what = format!("the {} cannot be read: {e}", kind_text(line.kind));
                self.find(Severity::Damage, what, place.text(), Vec::new())
            }
        }
    }

    /// Every link of an account from the first, and what its versions need.
    fn chain(&mut self, account: &AccountInfo) -> Result<()> {
        for number in self.domain.bad_account_notes(account)? {
            let what = "this note of the account cannot be read; a newer one is in force".to_owned();
            self.find(Severity::Note, what, format!("note {number} of account {}", account.name), Vec::new())?;
        }
        let Some(identity) = account.identity else { return Ok(()) };
        let domain = self.domain;
        let folder = domain.inner.paths.versions(account.number);
        let numbers: Vec<u64> = domain
            .inner
            .shared
            .disk
            .names(&folder)?
            .iter()
            .filter_map(|name| layout::numbered(name, 12, ".link"))
            .collect();
        let newest = domain.inner.catalog.read(|rows| rows.newest_link(account.number))?;
        let newest = newest.map_or(0, |link| link.sequence);
        let mut verifier = Verifier::new(account.id, identity);
        let mut broken = false;
        let gone = domain.gone_versions(account)?;
        let mut next = 1;
        for number in numbers {
            broken |= self.missing_links(account, next, number)?;
            next = number.saturating_add(1);
            self.summary.links += 1;
            let place = format!("link {number} of account {}", account.name);
            let link = match self.link(account, number) {
                Ok(link) => link,
                Err(e) => {
                    broken = true;
                    if matches!(e, Error::Disk { .. }) {
                        self.disk_fails(&e, place, vec![(account.number, number)])?;
                        continue;
                    }
                    self.links_in_doubt()?;
                    self.find_in_chain(About::Chain, e.to_string(), place, (account.number, number))?;
                    continue;
                }
            };
            let body = domain.body_record(account.number, link.link().body);
            let mut unread = false;
            let body = match body {
                Ok(Some(body)) => {
                    self.summary.bodies += 1;
                    Some(body)
                }
                Ok(None) => None,
                Err(e @ Error::Disk { .. }) => {
                    self.disk_fails(&e, format!("the body of {place}"), vec![(account.number, number)])?;
                    unread = true;
                    // Without it links of the device that it introduces cannot be judged.
                    broken |= link.link().kind == LinkKind::Device;
                    None
                }
                Err(e) => {
                    let version = (account.number, number);
                    self.domain.doubt_wanted()?;
                    self.find_in_chain(About::Data, format!("its body: {e}"), place.clone(), version)?;
                    None
                }
            };
            // After a link that could not be read, nothing can be said of the order of those that follow.
            if !broken && let Err(e) = verifier.push(&link, body.as_ref()) {
                broken = true;
                self.links_in_doubt()?;
                self.find_in_chain(About::Chain, e.to_string(), place.clone(), (account.number, number))?;
            }
            match (link.link().kind.is_version(), body) {
                (true, Some(body)) => {
                    let roots = chain::clear_sources(&body)?.into_iter().map(|(_, root, _)| root).collect();
                    self.version(account, number, roots)?;
                }
                (false, Some(_)) => {}
                (_, None) if unread => {}
                // Kinds of links that have none name none.
                (false, None) if link.link().body == BodyHash::ZERO => {}
                // It was allowed to go, or has just gone.
                (true, None) if gone.contains(&number) || domain.gone_versions(account)?.contains(&number) => {}
                (_, None) => {
                    self.domain.doubt_wanted()?;
                    let what = "its body is not there".to_owned();
                    self.find_in_chain(About::Body, what, place, (account.number, number))?;
                }
            }
        }
        // The catalog may know of newer ones.
        self.missing_links(account, next, newest.saturating_add(1)).map(drop)
    }

    /// Links never go: those from `next` up to `number` are missing, if there are any.
    fn missing_links(&mut self, account: &AccountInfo, next: u64, number: u64) -> Result<bool> {
        if next >= number {
            return Ok(false);
        }
        self.links_in_doubt()?;
        let (place, what) = match number - next {
            1 => (format!("link {next} of account {}", account.name), "it is not there"),
            _ => (format!("links {next} to {} of account {}", number - 1, account.name), "they are not there"),
        };
        let versions = (next..number).take(MISSING_MAX).map(|number| (account.number, number)).collect();
        self.find_about(About::Chain, Severity::Loss, what.to_owned(), place, versions)?;
        Ok(true)
    }

    /// The next session tries to put them back. What their bodies are is looked at then, too: without those nobody can say
    /// that a link is in its place.
    fn links_in_doubt(&self) -> Result<()> {
        let write = self.domain.inner.catalog.write()?;
        write.rows().set_links_in_doubt(true)?;
        write.rows().doubt_wanted()?;
        write.commit()
    }

    fn link(&self, account: &AccountInfo, number: u64) -> Result<ReceivedLink> {
        let bytes = self.domain.link_on_disk(account.number, number)?;
        let link = ReceivedLink::decode(&bytes.ok_or(Error::damaged("link", "it is not there any more"))?)?;
        if link.link().sequence != number {
            return Err(Error::damaged("link", "it has another number than its name"));
        }
        Ok(link)
    }

    /// Whether everything below the roots of a version is there.
    fn version(&mut self, account: &AccountInfo, number: u64, roots: Vec<NodeId>) -> Result<()> {
        self.summary.versions += 1;
        let domain = self.domain;
        let found = match domain.inner.catalog.read(|rows| domain.closure_anew(rows, &roots, &self.walked)) {
            Err(Error::Absent { volume }) => {
                let what = format!("it cannot be looked at whole while volume {volume} is not there");
                let place = format!("version {number} of account {}", account.name);
                return self.find(Severity::Note, what, place, vec![(account.number, number)]);
            }
            Err(e @ Error::Disk { .. }) => {
                let place = format!("version {number} of account {}", account.name);
                return self.disk_fails(&e, place, vec![(account.number, number)]);
            }
            other => other?,
        };
        for place in &found.damaged {
            domain.note_damage(place)?;
        }
        if found.is_whole() {
            self.walked.extend(found.walked);
            if domain.inner.catalog.read(|rows| rows.any_incomplete())? {
                let write = domain.inner.catalog.write()?;
                write.rows().set_complete(&found.nodes)?;
                write.commit()?;
            }
            return Ok(());
        }
        let lacks = [("chunks", found.lacking_chunks.len()), ("nodes", found.lacking_nodes.len())];
        let lacks = lacks.iter().filter(|(_, number)| *number > 0).map(|(what, number)| format!("{what}: {number}"));
        let what = format!("some of it cannot be read ({})", lacks.collect::<Vec<_>>().join(", "));
        let place = format!("version {number} of account {}", account.name);
        self.find(Severity::Loss, what, place, vec![(account.number, number)])
    }

    /// Nodes that are noted as complete and that no whole version needs: all below them must be known, too.
    fn complete(&mut self) -> Result<()> {
        let domain = self.domain;
        // Where something lacks, complete nodes lack it too.
        if self.summary.damages > 0 || domain.inner.catalog.read(|rows| rows.wanted_in_doubt())? {
            return Ok(());
        }
        let found = domain.inner.catalog.read(|rows| {
            let mut others = Vec::new();
            rows.complete_nodes(&mut |id, spot| {
                if !self.walked.contains(&spot) {
                    others.push(NodeId::new(id));
                }
                Ok(())
            })?;
            domain.closure_anew(rows, &others, &self.walked)
        })?;
        if found.is_whole() {
            return Ok(());
        }
        domain.rebuild()?;
        let what = "it said of nodes that they are complete which are not, and was made anew".to_owned();
        self.find(Severity::Note, what, "catalog".to_owned(), Vec::new())
    }

    /// Packs that are gone, now or before, and notes that cannot be read. A loss that is known and that no version
    /// suffers from any more is only worth knowing.
    fn notes(&mut self) -> Result<()> {
        let on_disk = self.domain.on_disk()?;
        let mut gone = std::mem::take(&mut self.gone);
        for pack in self.domain.lost_packs_noted()?.into_iter().filter(|pack| !on_disk.has(*pack)) {
            if gone.iter().all(|(id, ..)| *id != pack) {
                gone.push((pack, "the pack is not there".to_owned(), false));
            }
        }
        let suffered = self.summary.damages > 0;
        for (pack, why, new) in gone {
            let severity = if new || suffered { Severity::Damage } else { Severity::Note };
            self.find(severity, why, format!("pack {pack}"), Vec::new())?;
        }
        for number in self.domain.damage_notes()?.unreadable {
            let what = "this note of a damaged record cannot be read; what it meant is found again when it is read";
            self.find(Severity::Note, what.to_owned(), format!("note {number}"), Vec::new())?;
        }
        Ok(())
    }
}
