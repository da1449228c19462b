//! `repair`: what is damaged and can be set right without any source. It is told first; then bad files are set aside,
//! never removed, and what can be used of them is stored anew. What is gone then is wanted, and the next backup that still
//! has it gives it back.

use super::{Domain, account, layout, note};
use crate::door::random;
use crate::error::Result;
use crate::id::{AccountId, PackId, SessionId};
use crate::pack::{self, PackHeader, PackKind};

/// One thing to be done, or done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// Where, as in "pack 3f9c02ab".
    pub place: String,
    /// What is wrong, and what is done about it.
    pub what: String,
    /// Records that are lost by it.
    pub lost: u64,
}

/// What is to be done, in order.
enum Task {
    Catalog,
    Link(super::AccountInfo, u64),
    Pack(PackId, pack::Salvage),
    Note(u64),
}

impl Domain {
    /// What is damaged and what would be done about it; with `act`, does it. Each step is told when it is planned, or
    /// done.
    pub fn repair(&self, act: bool, tell: &mut dyn FnMut(Step) -> Result<()>) -> Result<u64> {
        if act {
            self.inner.shared.must_write()?;
        }
        // What is not there is not broken.
        self.inner.shared.must_have_all_volumes()?;
        let mut steps = 0;
        for (task, step) in self.repair_plan()? {
            if act {
                self.repair_one(task)?;
            }
            steps += 1;
            tell(step)?;
        }
        if act && steps > 0 {
            // Names of packs and numbers of notes have gone.
            self.rebuild()?;
            self.wanted()?;
        }
        Ok(steps)
    }

    fn repair_plan(&self) -> Result<Vec<(Task, Step)>> {
        let mut plan = Vec::new();
        let step = |place: String, what: String, lost| Step { place, what, lost };
        for account in account::accounts_in(&self.inner.shared, &self.inner.paths, self.id())? {
            for number in self.bad_links(&account)? {
                let what = "it is damaged or gone: it is put back from the catalog, what stands there is set aside";
                let place = format!("link {number} of account {}", account.name);
                plan.push((Task::Link(account.clone(), number), step(place, what.to_owned(), 0)));
            }
        }
        for (id, _) in self.on_disk()?.packs {
            let why = match self.open_pack(id) {
                Ok(_) | Err(crate::Error::Newer { .. }) => continue,
                Err(e) if super::closure::is_gone(&e) || matches!(e, crate::Error::Limit { .. }) => e,
                Err(e) => return Err(e),
            };
            let found = pack::salvage(&*self.inner.shared.disk, &self.pack_path(id)?, self.id())?;
            let (good, lost) = (found.lines.len(), found.lost);
            let what = format!("{why}: it is set aside; {good} of its records are kept in a new pack, {lost} are lost");
            plan.push((Task::Pack(id, found), step(format!("pack {id}"), what, lost)));
        }
        for number in self.damage_notes()?.unreadable {
            let what = "it cannot be read: it is set aside; what it meant is found again when it is read";
            plan.push((Task::Note(number), step(format!("note {number}"), what.to_owned(), 0)));
        }
        if !self.inner.catalog.is_sound() {
            let what = "it is damaged: it is set aside and made anew";
            plan.push((Task::Catalog, step("catalog".to_owned(), what.to_owned(), 0)));
        }
        Ok(plan)
    }

    fn repair_one(&self, task: Task) -> Result<()> {
        let now = self.inner.shared.clock.now_ms();
        match task {
            Task::Catalog => self.remake(),
            Task::Link(account, number) => {
                let write = self.inner.catalog.write()?;
                write.rows().set_links_in_doubt(true)?;
                write.commit()?;
                drop((account, number));
                self.mend_links().map(drop)
            }
            Task::Pack(id, found) => {
                self.readers().forget(id);
                if !found.lines.is_empty() {
                    self.keep_salvaged(id, &found)?;
                }
                for path in self.pack_paths(id)? {
                    self.set_aside(&path, now)?;
                }
                // It is dealt with: nothing is to be said of it any more.
                for number in self.damage_notes()?.of_lost_pack(id) {
                    self.set_aside(&note::path(&self.inner.paths.damaged(), number), now)?;
                }
                Ok(())
            }
            Task::Note(number) => self.set_aside(&note::path(&self.inner.paths.damaged(), number), now).map(drop),
        }
    }

    /// Publishes a new pack with the records of a bad one that can be used.
    fn keep_salvaged(&self, bad: PackId, found: &pack::Salvage) -> Result<()> {
        let (shared, paths) = (&self.inner.shared, &self.inner.paths);
        let dir = paths.session(SessionId::new(random(&*shared.chance)));
        account::make_dir(&*shared.disk, &dir)?;
        let lock = shared.disk.lock(&dir.join("lock"))?;
        let write = self.inner.catalog.write()?;
        // What stands in the new pack is preferred to nothing that came later than the old one.
        let session_number = match &found.header {
            Some(header) => header.session_number,
            None => write.rows().next_session()?,
        };
        write.commit()?;
        let pack = PackId::new(random(&*shared.chance));
        let header = PackHeader {
            kind: PackKind::Mixed,
            features: [0; 3],
            domain: self.id(),
            account: found.account.unwrap_or(AccountId::ZERO),
            session: found.header.as_ref().map_or(SessionId::ZERO, |header| header.session),
            pack,
            session_number,
        };
        let to = pack::part_path(&dir, pack);
        let finished = pack::copy_records(&*shared.disk, &self.pack_path(bad)?, to, header, &found.lines)?;
        self.publish(&[finished])?;
        // With what publishing could not remove.
        self.remove_folder(&dir)?;
        drop(lock);
        Ok(())
    }
}

/// Where `repair` and mending put what they replace.
#[must_use]
pub fn aside_folder() -> &'static str {
    layout::ASIDE
}
