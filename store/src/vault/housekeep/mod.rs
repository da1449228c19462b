//! Housekeeping: what nothing kept needs goes, in steps that may end anywhere (FORMAT.md, chapter 10).
//!
//! A pass is:
//!
//! * `expire`: bodies of versions that are not kept any more; `pressure`: of more when space is short, `group_pressure`:
//!   for a group
//! * `bodies`: bodies that no link names
//! * `mark`: what the versions need, over clear references, with a bit for each place and node (`bits`)
//! * `sweep`: places are condemned, revived, freed
//! * `rewrite`: small packs are folded, thin ones compacted
//! * `unlink`: packs in which everything was freed go
//!
//! One housekeeper works in a domain at a time, by a lock; and if that lock should fail, two are harmless: every change
//! is made under the catalog's write lock, only while the generation is the one that the marks were made in, and only to
//! rows that still say what was read. Uploads, commits and restores never wait for more than one such change. `live`
//! says which sessions live and what they may have been told. `log` remembers what was done, `classes` what it was done to:
//! how much of all that lies here is needed by which versions; `split` tells history apart with the help of who holds the key.

mod bits;
mod bodies;
mod budget;
mod classes;
mod expire;
mod group_pressure;
mod live;
mod log;
mod mark;
mod neighbours;
mod pressure;
mod rewrite;
mod split;
mod sweep;
mod unlink;
mod would;

use std::collections::{BTreeMap, BTreeSet};

use super::{AccountInfo, Domain, account};
use crate::catalog::Rows;
use crate::chain::{Cause, Fate, ReceivedLink};
use crate::door::Millis;
use crate::error::{Error, Result};
use crate::id::DomainId;
use budget::Budget;
pub use classes::Classes;
use classes::Reached;
use expire::Judged;
use live::Live;
pub use log::{LoggedPass, LoggedVersion};
use mark::Marks;
use neighbours::Share;
pub use split::{Split, SplitHistory};

/// A condemned place is freed after this time, and an orphaned body removed.
const DAY_MS: Millis = 24 * 3_600 * 1_000;
/// How often the marking is done again because something that it rests on has changed under it.
const TRIES: usize = 3;

/// What a pass may do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Housekeep {
    /// Only say what would be done.
    pub dry_run: bool,
    /// Do what otherwise waits to be confirmed, and look even if nothing has changed.
    pub confirmed: bool,
    /// Longest time, in milliseconds; what is begun is ended.
    pub most_ms: Option<u64>,
    /// Most bytes of records that are copied.
    pub most_bytes: Option<u64>,
}

/// What was done, in numbers. In a dry run: what would be done now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Housekept {
    /// Nothing has changed since the last pass, and nothing is due: nothing was looked at. What it found waiting waits on.
    pub unchanged: bool,
    /// The time or the bytes were used up, or others changed too much meanwhile: the next pass goes on.
    pub unfinished: bool,
    /// Nodes and bodies that are needed and cannot be read. As long as there are any, nothing is condemned or freed.
    pub holes: u64,
    /// Versions that are kept, partial ones included.
    pub versions: u64,
    /// Nodes that they need.
    pub nodes: u64,
    /// Bytes of records that are kept.
    pub kept_bytes: u64,
    /// Records that were condemned: nothing needs them.
    pub condemned: u64,
    /// Their bytes.
    pub condemned_bytes: u64,
    /// Condemned records that are needed again.
    pub revived: u64,
    /// Condemned records whose time was up.
    pub freed: u64,
    /// Their bytes.
    pub freed_bytes: u64,
    /// Packs that were folded or compacted.
    pub rewritten: u64,
    /// Packs that were made of them.
    pub rewritten_into: u64,
    /// Bytes that were copied for it.
    pub copied_bytes: u64,
    /// Packs whose files were removed.
    pub unlinked: u64,
    /// Their bytes: what came back to the disk.
    pub unlinked_bytes: u64,
    /// Bodies that no link named and that were removed.
    pub orphans: u64,
    /// Versions that went because no rule keeps them.
    pub expired: u64,
    /// Versions that went because they were forgotten.
    pub forgotten: u64,
    /// Partial versions that went.
    pub superseded: u64,
    /// Versions that would go and wait to be confirmed: too many at once under a new policy or limit, or all that may go
    /// for a limit that would not be reached.
    pub waiting: u64,
    /// Versions that went because space is short: the soft limit, or the free space that the policy wants.
    pub pressed: u64,
}

/// What a pass tells while it works.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HousekeepEvent {
    /// In a dry run: what becomes of a version that is there.
    Judged {
        /// Number of its account.
        account: u32,
        /// Its number.
        version: u64,
        /// When it was received, in milliseconds since 1970.
        received_at: Millis,
        /// Kept, in the trash, or going.
        fate: Fate,
    },
    /// The body of a version was removed.
    Expired {
        /// Name of its account.
        account: String,
        /// Its number.
        version: u64,
        /// Why.
        cause: Cause,
    },
    /// The first pass under a policy or a limit would take more than 30 % of the versions, or a limit would not be reached
    /// by all that may go: it takes none until it is confirmed.
    Waiting {
        /// Name of the account.
        account: String,
        /// How many it would take.
        versions: u64,
    },
    /// What runs had left in staging that found no room went.
    LetGo {
        /// Bytes.
        bytes: u64,
    },
    /// Bodies that no link named were removed.
    Orphans {
        /// How many.
        bodies: u64,
    },
    /// Everything that is needed was marked.
    Marked {
        /// Versions that were walked.
        versions: u64,
        /// Nodes that they need.
        nodes: u64,
    },
    /// Something that is needed cannot be read, so that nothing can be said to be needed by nobody.
    Blocked {
        /// Nodes and bodies.
        holes: u64,
    },
    /// Records were condemned.
    Condemned {
        /// How many.
        places: u64,
        /// Their bytes.
        bytes: u64,
    },
    /// Records were freed.
    Freed {
        /// How many.
        places: u64,
        /// Their bytes.
        bytes: u64,
    },
    /// Packs were made of packs.
    Rewritten {
        /// How many were read.
        packs: u64,
        /// How many were made.
        into: u64,
        /// Bytes that were copied.
        bytes: u64,
    },
    /// Files of packs were removed.
    Unlinked {
        /// How many.
        packs: u64,
        /// Their bytes.
        bytes: u64,
    },
}

/// What decides whether space is short, and is not in the catalog.
#[derive(Clone, Copy)]
struct Outside {
    free_bytes: u64,
    /// Which groups press, and how much; see [`Domain::groups_shape`].
    groups: u64,
}

/// How a step ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Done,
    /// What it rested on has changed: marks have to be made again.
    Overtaken,
}

/// Versions whose bodies may be gone: number of the account, number of the version.
#[derive(Clone, Debug, Default)]
struct Gone {
    versions: BTreeSet<(u32, u64)>,
    /// They count as gone even if they are still there.
    left_out: bool,
}

/// One pass.
struct Pass<'a> {
    domain: &'a Domain,
    how: Housekeep,
    listener: &'a mut dyn FnMut(HousekeepEvent) -> Result<()>,
    accounts: Vec<AccountInfo>,
    gone: Gone,
    /// Numbers of accounts of which it is not known what they keep.
    unclear: BTreeSet<u32>,
    marks: Marks,
    /// What the versions of each class need, once that was marked.
    reached: Option<Reached>,
    budget: Budget<'a>,
    /// By the server's clock, at the beginning.
    now: Millis,
    /// The generation at the beginning: what was condemned or emptied in it or before was so in an earlier pass.
    began: u64,
    /// The generation that the marks were made in, raised only by this pass.
    generation: u64,
    done: Housekept,
    log: LoggedPass,
    /// What a neighbour's pass has found that is to be given up here.
    handed: Option<Share>,
    /// The same of this one for others.
    due: BTreeMap<DomainId, Share>,
}

/// Which versions may go, and why, by a chain.
type Goes<'a> = &'a dyn Fn(&Judged) -> BTreeMap<u64, Cause>;

impl Domain {
    /// Versions that the last pass left to be confirmed.
    pub(in crate::vault) fn waiting(&self) -> Result<u64> {
        Ok(u64::try_from(self.inner.catalog.read(|rows| rows.housekept("waiting"))?).unwrap_or(0))
    }

    /// Does what is due. `Busy` when another housekeeper is at work here. An error means that the pass ended early; what
    /// it did is good, and the next one goes on.
    pub fn housekeep(&self, how: &Housekeep, tell: &mut dyn FnMut(HousekeepEvent) -> Result<()>) -> Result<Housekept> {
        self.housekeep_with(how, None, tell)
    }

    fn housekeep_with(
        &self,
        how: &Housekeep,
        handed: Option<Share>,
        tell: &mut dyn FnMut(HousekeepEvent) -> Result<()>,
    ) -> Result<Housekept> {
        self.pass_with(how, handed, &[], tell)
    }

    /// One pass. In a dry run, as if these versions of these accounts were gone, too.
    fn pass_with(
        &self,
        how: &Housekeep,
        handed: Option<Share>,
        without: &[(u32, u64)],
        tell: &mut dyn FnMut(HousekeepEvent) -> Result<()>,
    ) -> Result<Housekept> {
        let shared = &self.inner.shared;
        if !how.dry_run {
            shared.must_write()?;
        }
        // What may be in a volume that is away is needed and nobody can say by whom.
        shared.must_have_all_volumes()?;
        if !how.dry_run {
            match self.let_go(&|dir| self.has_no_room_for(dir))? {
                0 => {}
                bytes => tell(HousekeepEvent::LetGo { bytes })?,
            }
        }
        let accounts = account::accounts_in(shared, &self.inner.paths, self.id())?;
        let now = shared.clock.now_ms();
        if !how.dry_run && !how.confirmed && handed.is_none() && self.rests(&accounts, now)? {
            // What waits for a word waits on.
            return Ok(Housekept { unchanged: true, waiting: self.waiting()?, ..Housekept::default() });
        }
        let _lock = if how.dry_run { None } else { Some(self.housekeeping_lock()?) };
        if !how.dry_run {
            self.take_in()?;
            self.adopt_dead(None)?;
            self.clear_copies()?;
            match self.mend_links() {
                // What the catalog has, it has; and this pass may be what makes room.
                Err(e) if e.is_full() => {}
                other => drop(other?),
            }
        }
        let began = self.generation()?;
        let mut pass = Pass {
            domain: self,
            how: *how,
            listener: tell,
            accounts,
            gone: Gone { versions: without.iter().copied().collect(), left_out: !without.is_empty() },
            unclear: BTreeSet::new(),
            marks: Marks::default(),
            reached: None,
            budget: Budget::new(how, &*shared.clock),
            now,
            began,
            generation: began,
            done: Housekept::default(),
            log: LoggedPass { at: now, ..LoggedPass::default() },
            handed,
            due: BTreeMap::new(),
        };
        let started = shared.clock.monotonic_ms();
        let ran = pass.run();
        let (done, mut log, due) = (pass.done, pass.log, pass.due);
        if !how.dry_run {
            log.failed = ran.is_err();
            log.took_ms = u64::try_from(shared.clock.monotonic_ms().saturating_sub(started)).unwrap_or(0);
            log.figures(&done);
            // Nothing is decided by it.
            drop(self.log_pass(log));
        }
        ran?;
        self.pass_over(how, due, started);
        Ok(done)
    }

    /// Has those do their share that have to give something up for a disk that is short. What they cannot do now they do
    /// in a pass of their own; nothing of them is told.
    fn pass_over(&self, how: &Housekeep, due: BTreeMap<DomainId, Share>, started: Millis) {
        let shared = &self.inner.shared;
        for (domain, share) in due.into_iter().filter(|_| !how.dry_run) {
            let took_ms = u64::try_from(shared.clock.monotonic_ms().saturating_sub(started)).unwrap_or(0);
            let most_ms = how.most_ms.map(|most| most.saturating_sub(took_ms));
            if most_ms == Some(0) {
                break;
            }
            let how = Housekeep { most_ms, confirmed: false, ..*how };
            drop(
                Self::open(shared, domain).and_then(|domain| domain.housekeep_with(&how, Some(share), &mut |_| Ok(()))),
            );
        }
    }

    /// Whether a pass is due: the last one, or the first link, was a day ago, there is something to look at, and no volume away.
    pub fn housekeeping_due(&self) -> Result<bool> {
        let shared = &self.inner.shared;
        let accounts = account::accounts_in(shared, &self.inner.paths, self.id())?;
        let now = shared.clock.now_ms();
        let due = self.inner.catalog.read(|rows| {
            let mut first = None;
            for account in &accounts {
                if let Some(link) = rows.link(account.number, 1)? {
                    let at = ReceivedLink::decode(&link.bytes)?.received_at();
                    first = Some(first.map_or(at, |first: Millis| first.min(at)));
                }
            }
            let Some(first) = first else { return Ok(false) };
            let last = rows.housekept("at")?.max(first);
            Ok(!(last..last.saturating_add(DAY_MS)).contains(&now))
        });
        Ok(due? && !self.rests(&accounts, now)? && shared.absent_volumes()?.is_empty())
    }

    /// Whether nothing has changed since the last pass, and nothing has become due.
    fn rests(&self, accounts: &[AccountInfo], now: Millis) -> Result<bool> {
        let outside = self.outside(accounts);
        self.inner.catalog.read(|rows| {
            Ok(rows.housekept("due")? > now && rows.housekept("shape")? == shape(rows, accounts, outside)?)
        })
    }

    fn outside(&self, accounts: &[AccountInfo]) -> Outside {
        Outside { free_bytes: self.free_bytes(), groups: self.groups_shape(accounts) }
    }

    /// Keeps other housekeepers out, and clears what a dead one left: packs that it had begun.
    pub(in crate::vault) fn housekeeping_lock(&self) -> Result<crate::door::Lock> {
        let (disk, dir) = (&*self.inner.shared.disk, self.inner.paths.housekeeping());
        account::make_dir(disk, &dir)?;
        let lock = dir.join("lock");
        let held = disk.lock(&lock)?.ok_or_else(|| Error::Busy { what: "housekeeping".to_owned() })?;
        for name in disk.names(&dir)? {
            if name != "lock" {
                self.remove(&dir.join(&name))?;
            }
        }
        Ok(held)
    }
}

impl Pass<'_> {
    fn run(&mut self) -> Result<()> {
        self.expire()?;
        self.orphans()?;
        let mut live = Live::default();
        for attempt in 1.. {
            live = self.sessions()?;
            match self.mark_and_sweep(&live)? {
                Step::Done => break,
                Step::Overtaken if attempt == TRIES => {
                    self.done.unfinished = true;
                    break;
                }
                Step::Overtaken => {}
            }
        }
        // Of what was freed before it was seen that links are hidden, as much stays as is still there.
        if self.unclear.is_empty() {
            if !self.done.unfinished {
                self.rewrite(&live)?;
            }
            self.unlink()?;
        }
        if self.how.dry_run {
            return Ok(());
        }
        let rest = !self.done.unfinished && self.done.holes == 0 && live.is_empty();
        self.remember(rest)
    }

    fn sessions(&self) -> Result<Live> {
        if self.how.dry_run {
            return Ok(Live::default());
        }
        let _write = self.domain.inner.catalog.write()?;
        self.domain.live_sessions()
    }

    fn mark_and_sweep(&mut self, live: &Live) -> Result<Step> {
        let (newest_place, generation) =
            self.domain.inner.catalog.read(|rows| Ok((rows.newest_place()?, rows.generation()?)))?;
        self.generation = generation;
        if !self.mark()? {
            self.done.unfinished = true;
            return Ok(Step::Done);
        }
        if !self.marks.unreadable.is_empty() && !self.how.dry_run {
            for place in std::mem::take(&mut self.marks.unreadable) {
                self.domain.note_damage(&place)?;
            }
            return Ok(Step::Overtaken);
        }
        self.done.versions = self.marks.versions;
        self.done.nodes = self.marks.nodes.count();
        self.done.holes = self.unclear.len() as u64 + self.marks.holes;
        self.tell(HousekeepEvent::Marked { versions: self.done.versions, nodes: self.done.nodes })?;
        if self.done.holes > 0 {
            self.tell(HousekeepEvent::Blocked { holes: self.done.holes })?;
            return Ok(Step::Done);
        }
        self.sweep(newest_place, live)
    }

    /// Marks all that is needed; class by class, when it is known what each version is. False when the budget ended.
    fn mark(&mut self) -> Result<bool> {
        let mut marks = Marks::default();
        self.reached = None;
        if self.unclear.is_empty() && !self.how.dry_run {
            let Some(reached) = Reached::mark(self.domain, &self.accounts, &mut marks, &self.budget, &mut |_| ())?
            else {
                return Ok(false);
            };
            self.reached = Some(reached);
            // What cannot be read is met again.
            (marks.versions, marks.holes) = (0, 0);
        }
        let done = marks.all(self.domain, &self.accounts, &self.gone, &self.budget)?;
        self.marks = marks;
        Ok(done)
    }

    /// Changes rows by what was marked, after catching up with what was committed since. `None`, and nothing is changed,
    /// when the marks do not hold any more.
    fn change<T>(&mut self, what: impl FnOnce(Rows<'_>, &mut Self) -> Result<T>) -> Result<Option<T>> {
        let domain = self.domain;
        let accounts = account::accounts_in(&domain.inner.shared, &domain.inner.paths, domain.id())?;
        let write = domain.inner.catalog.write()?;
        let rows = write.rows();
        if rows.generation()? != self.generation {
            return Ok(None);
        }
        let mut marks = std::mem::take(&mut self.marks);
        let caught_up = marks.catch_up(domain, rows, &accounts, &self.gone);
        self.marks = marks;
        caught_up?;
        for account in &accounts {
            if domain.hides_next_link(rows, account)? {
                self.unclear.insert(account.number);
            }
        }
        let unclear = self.marks.holes > 0 || !self.unclear.is_empty();
        if rows.generation()? != self.generation || unclear || !self.marks.unreadable.is_empty() {
            // What was taken in is true whatever becomes of this pass.
            write.commit()?;
            return Ok(None);
        }
        let done = what(rows, self)?;
        let generation = rows.generation()?;
        write.commit()?;
        self.generation = generation;
        Ok(Some(done))
    }

    fn tell(&mut self, event: HousekeepEvent) -> Result<()> {
        (self.listener)(event)
    }

    /// Keeps what the next pass decides by whether there is anything to do.
    fn remember(&self, rest: bool) -> Result<()> {
        for account in &self.accounts {
            // Whoever would be refused by what was not told counts anew before.
            drop(self.domain.tell_groups(account));
        }
        let outside = self.domain.outside(&self.accounts);
        let classes = match &self.reached {
            Some(reached) if !self.done.unfinished && self.done.holes == 0 => {
                Some(self.domain.inner.catalog.read(|rows| reached.classes(rows, &self.marks, self.now))?)
            }
            _ => None,
        };
        let write = self.domain.inner.catalog.write()?;
        let rows = write.rows();
        let due = if rest && !rows.any_emptied()? { next_due(rows, &self.accounts)? } else { 0 };
        rows.set_housekept("due", due)?;
        rows.set_housekept("shape", shape(rows, &self.accounts, outside)?)?;
        rows.set_housekept("at", self.now)?;
        rows.set_housekept("waiting", i64::try_from(self.done.waiting).unwrap_or(i64::MAX))?;
        if let (Some(classes), Some(reached)) = (classes, &self.reached)
            && reached.holds(rows, &self.accounts)?
        {
            classes.keep(rows, &self.accounts)?;
        }
        write.commit()
    }
}

/// When something that waits has waited long enough.
fn next_due(rows: Rows<'_>, accounts: &[AccountInfo]) -> Result<Millis> {
    let mut since: Vec<Millis> = rows.oldest_condemned()?.into_iter().collect();
    for account in accounts {
        since.extend(rows.orphans(account.number)?.into_iter().map(|(_, since)| since));
    }
    Ok(since.into_iter().min().map_or(Millis::MAX, |since| since.saturating_add(DAY_MS)))
}

/// A number that is another one when anything has changed that a pass looks at.
fn shape(rows: Rows<'_>, accounts: &[AccountInfo], outside: Outside) -> Result<i64> {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&outside.groups.to_le_bytes());
    for number in rows.shape()? {
        hasher.update(&number.to_le_bytes());
    }
    for account in accounts {
        hasher.update(&account.number.to_le_bytes());
        let newest = rows.newest_link(account.number)?.map_or(0, |link| link.sequence);
        hasher.update(&newest.to_le_bytes());
        hasher.update(&account.terms.soft_bytes.unwrap_or(u64::MAX).to_le_bytes());
        hasher.update(&pressure::lack(rows, account.number, outside.free_bytes)?.to_le_bytes());
    }
    let [a, b, c, d, e, f, g, h, ..] = *hasher.finalize().as_bytes();
    Ok(i64::from_le_bytes([a, b, c, d, e, f, g, h]))
}
