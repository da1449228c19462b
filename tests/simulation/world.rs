//! A machine with a vault, the processes on it, and what befalls them.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};

use store::Result;
use store::chain::{Link, LinkKind, ReceivedLink, SignedLink, body_hash};
use store::door::sim::{Asked, Dice, Fate, Process, SimDisk};
use store::door::{Clock, ConstantChance, Disk, FixedClock, Millis};
use store::id::{ChainHash, LinkId, NodeId, SourceId};
use store::record::{Record, RecordKind};
use store::seal::{AccountKeys, DeviceKey, RootSecret};
use store::vault::{Access, AccountInfo, AccountSelector, Domain, Outcome, Vault};

use crate::baton::Baton;
use crate::catalogs::{Files, SimCatalogs};
use crate::mutant::{Mutant, Mutated, SessionsUnseen};
use crate::tally::Tally;
use crate::tree::{Item, Maker};

/// Where the vault is on the simulated disk.
pub const VAULT: &str = "/vault";
/// Where other disks are.
pub const DISKS: [&str; 2] = ["/second", "/third"];
/// When every world begins.
const BEGIN_MS: i64 = 1_790_000_000_000;

/// Whether every call is told on stderr, for looking at one world.
pub static TELLS: AtomicBool = AtomicBool::new(false);

/// The secrets of the one account: the same in every world.
pub static KEYS: LazyLock<(AccountKeys, DeviceKey)> = LazyLock::new(|| {
    let chance = ConstantChance::new(7);
    (AccountKeys::derive(&RootSecret::generate(&chance)), DeviceKey::generate(&chance))
});

/// What is to happen at a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blow {
    /// The process that makes the call ends, and its client goes on.
    Kill,
    /// All processes end: the machine loses its power.
    Power,
}

/// What befalls the processes of one epoch.
#[derive(Clone, Debug, Default)]
pub struct Weather {
    /// At how many calls from the epoch's beginning which blow falls.
    pub blows: BTreeMap<u64, Blow>,
    /// One in so many calls that change something fails; 0: none.
    pub faults: usize,
    /// One in so many calls that read something fails; 0: none.
    pub read_faults: usize,
    /// One in so many appends writes a wrong bit and does not say so; 0: none.
    pub spoils: usize,
}

/// What is known of a disk that [rots](crate::rot).
#[derive(Clone, Debug, Default)]
pub struct Rot {
    /// Something was harmed, or may be, unnoticed.
    pub begun: bool,
    /// Links among it.
    pub links: bool,
    /// Packs that were ever harmed, by their names. What was noted as damaged is not used again, also when chance has put
    /// it right: two files that were swapped twice.
    pub packs: BTreeSet<String>,
    /// How many harms since clients backed up last.
    pub harms: usize,
}

impl Rot {
    /// Remembers that a pack was harmed, finished or not.
    pub fn pack(&mut self, path: &Path) {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        self.packs.extend(name.split('.').next().map(str::to_owned));
    }
}

/// A link that a client has sent.
#[derive(Clone, Debug)]
pub struct Submitted {
    /// Its body, whether the vault still has it or not.
    pub body: Record,
    /// The roots that its body names.
    pub roots: Vec<(SourceId, NodeId)>,
    /// The link with its receipt, if a client was told that it is committed.
    pub acknowledged: Option<ReceivedLink>,
}

/// What has come to pass.
#[derive(Default)]
pub struct Story {
    /// Calls to the disk and commits of catalogs in this epoch.
    pub calls: u64,
    /// The same, of all epochs.
    pub all_calls: u64,
    next_process: Process,
    power_off: bool,
    /// What befalls processes now.
    pub weather: Weather,
    /// Every link that was ever sent.
    pub submitted: BTreeMap<LinkId, Submitted>,
    /// Sources that a live process holds by a session of its own: which process.
    pub holders: BTreeMap<SourceId, Process>,
    /// What must never be.
    pub violations: Vec<String>,
    /// A hash over all calls in their order.
    trace: u64,
    /// One client alone backs up, and no call fails.
    calm: bool,
    /// Everything below a root that a client has made, with the root.
    pub trees: BTreeMap<NodeId, BTreeSet<Item>>,
    /// What is known of damage.
    pub rot: Rot,
    /// The last crash has left a part of the catalog.
    pub cut_catalog: bool,
    /// One of them has.
    was_cut: bool,
    /// Somebody has kept house in this world.
    pub kept_house: bool,
    /// When the first pass began.
    pub first_pass: Option<Millis>,
    /// How much happened.
    pub tally: Tally,
    /// A disk is or was away in this epoch.
    pub disk_away: bool,
}

impl Story {
    /// What the calls were and in which order, as a number.
    #[must_use]
    pub fn trace(&self) -> u64 {
        self.trace
    }
}

/// Everything that one seed makes.
pub struct World {
    /// What everything comes from.
    pub seed: u64,
    /// Its disk, on which nothing fails.
    pub disk: SimDisk,
    /// Whose turn it is.
    pub baton: Baton,
    /// What time it is.
    pub clock: Arc<FixedClock>,
    /// Where catalogs are.
    pub files: Arc<Files>,
    story: Mutex<Story>,
    fate: Mutex<Dice>,
    mutant: Option<Mutant>,
    journalling: bool,
    actors: Mutex<Vec<std::thread::JoinHandle<()>>>,
    /// The account, once it is made.
    account: Mutex<Option<AccountInfo>>,
}

/// A process that serves the vault.
pub struct Running {
    /// Its number.
    pub number: Process,
    /// Its way to the disk.
    pub disk: SimDisk,
    /// The vault, open.
    pub vault: Vault,
    /// The one account.
    pub account: AccountInfo,
    /// Its domain.
    pub domain: Domain,
}

impl World {
    /// An empty disk; catalogs go into `folder`.
    #[must_use]
    pub fn new(seed: u64, folder: &Path, mutant: Option<Mutant>) -> Arc<Self> {
        let mut dice = Dice::new(seed);
        let disk = SimDisk::new();
        let journalling = dice.one_in(2);
        disk.set_journalling(journalling);
        Arc::new(Self {
            seed,
            disk,
            baton: Baton::new(dice.split()),
            clock: Arc::new(FixedClock::at(BEGIN_MS)),
            files: Arc::new(Files::new(folder, dice.split())),
            story: Mutex::new(Story { next_process: 1, ..Story::default() }),
            fate: Mutex::new(dice.split()),
            mutant,
            journalling,
            actors: Mutex::default(),
            account: Mutex::default(),
        })
    }

    /// What time it is, in milliseconds since 1970.
    pub fn now(&self) -> Millis {
        self.clock.now_ms()
    }

    /// What has come to pass.
    pub fn story(&self) -> MutexGuard<'_, Story> {
        self.story.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells what happens, when somebody wants to know.
    pub fn tell(&self, what: impl FnOnce() -> String) {
        if TELLS.load(Ordering::Relaxed) {
            eprintln!("{}", what());
        }
    }

    /// Remembers something that must never be.
    pub fn violated(&self, what: impl Into<String>) {
        let what = what.into();
        self.tell(|| format!("VIOLATED: {what}"));
        self.story().violations.push(what);
    }

    /// Whether in this epoch one client alone backs up, and no call fails.
    pub fn is_calm(&self) -> bool {
        self.story().calm
    }

    /// See [`is_calm`](Self::is_calm).
    pub fn set_calm(&self, calm: bool) {
        self.story().calm = calm;
    }

    /// Whether anything was harmed in this world, or may be: then what is damaged may not be read.
    pub fn is_rotten(&self) -> bool {
        self.story().rot.begun
    }

    /// Whether this is a world of several disks: one in three, whatever else its seed makes.
    pub fn has_disks(&self) -> bool {
        self.mutant.is_none() && !crate::groups::is_one(self.seed) && Dice::new(self.seed ^ 0xD15C).one_in(3)
    }

    /// What is broken on purpose.
    pub fn mutant(&self) -> Option<Mutant> {
        self.mutant
    }

    /// Whether reading may fail in this epoch.
    pub fn reads_fail(&self) -> bool {
        self.story().weather.read_faults > 0
    }

    /// Whether any call may fail in this epoch.
    pub fn calls_fail(&self) -> bool {
        let story = self.story();
        story.weather.faults > 0 || story.weather.read_faults > 0
    }

    // ---- actors

    /// Lets somebody act, as soon as it is their turn.
    pub fn act(self: &Arc<Self>, doing: impl FnOnce(&Arc<Self>) + Send + 'static) {
        let actor = self.baton.enter();
        let world = Arc::clone(self);
        let thread = std::thread::Builder::new().stack_size(1 << 20).spawn(move || {
            world.baton.wait(actor);
            let done = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| doing(&world)));
            if done.is_err() {
                world.violated("an actor panicked");
            }
            world.baton.leave(actor);
        });
        self.actors.lock().unwrap().push(thread.unwrap());
    }

    /// Runs until all actors have ended.
    pub fn run(&self) {
        self.baton.start();
        while let Some(thread) = { self.actors.lock().unwrap().pop() } {
            thread.join().unwrap();
        }
    }

    // ---- processes

    /// Begins an epoch with this weather.
    pub fn begin_epoch(&self, weather: Weather) {
        let mut story = self.story();
        story.power_off = false;
        story.calls = 0;
        story.weather = weather;
        story.holders.clear();
        story.disk_away = false;
    }

    /// Whether what an error says may be: a disk is or was away in this epoch, or a volume's marker could not be read,
    /// which is taken for the same.
    pub fn may_lack_a_disk(&self, error: &store::Error) -> bool {
        let story = self.story();
        matches!(error, store::Error::Absent { .. }) && (story.disk_away || story.weather.read_faults > 0)
    }

    /// Ends an epoch in which the power was cut: the disk keeps what it must and what it likes. Whether it was.
    pub fn settle(&self) -> bool {
        let off = self.story().power_off;
        self.tell(|| format!("settles; power cut: {off}"));
        if off {
            let seed = self.fate.lock().unwrap().number();
            self.disk.crash(seed);
            if let Some(catalog) = self.catalog_path() {
                let left = self.files.crash(&self.disk, &catalog);
                self.tell(|| format!("what is left of the catalog: {left}"));
                // What a cut is noticed by depends on where it is; the next check makes it anew.
                let mut story = self.story();
                story.was_cut |= left == "cut";
                // An older state may be one from before that check.
                // So may the one that was put aside then.
                story.cut_catalog = story.was_cut && left != "lost";
            }
        }
        off
    }

    fn catalog_path(&self) -> Option<PathBuf> {
        let account = self.account.lock().unwrap().clone()?;
        Some(Path::new(VAULT).join("domains").join(account.domain.hex()).join("catalog.db"))
    }

    /// The folder of the one domain.
    pub fn domain_path(&self) -> PathBuf {
        self.catalog_path().unwrap().parent().unwrap().to_owned()
    }

    /// The number of a new process; `None` without power.
    fn new_process(&self) -> Option<Process> {
        let mut story = self.story();
        let number = story.next_process;
        story.next_process += 1;
        (!story.power_off).then_some(number)
    }

    /// A process with nothing open. `None` without power.
    pub fn process(self: &Arc<Self>) -> Option<(Process, SimDisk, Arc<dyn Disk>)> {
        let number = self.new_process()?;
        let world = Arc::clone(self);
        let disk = self.disk.used_by(number, Some(Arc::new(move |asked| world.befalls(asked))));
        let seen: Arc<dyn Disk> = match self.mutant {
            Some(mutant) => Arc::new(Mutated::new(disk.clone(), mutant)),
            None => Arc::new(disk.clone()),
        };
        Some((number, disk, seen))
    }

    /// How a process opens catalogs.
    pub fn catalogs(self: &Arc<Self>, number: Process, disk: &SimDisk, none: bool) -> Arc<SimCatalogs> {
        let (world, waiter) = (Arc::clone(self), Arc::clone(self));
        let (committing, waiting) = (disk.clone(), disk.clone());
        let commits = move || world.commits(number, &committing);
        let waits = move |times| !waiting.is_dead() && times < 300 && waiter.baton.stop(true);
        let mut catalogs = SimCatalogs::new(&self.files, disk.clone(), commits, waits);
        catalogs.none = none;
        Arc::new(catalogs)
    }

    /// A process that has the vault open. `Ok(None)` without power.
    pub fn serve(self: &Arc<Self>, access: Access, none: bool) -> Result<Option<Running>> {
        let Some((number, disk, seen)) = self.process() else { return Ok(None) };
        self.open(number, disk, seen, self.clock.clone(), access, none).map(Some)
    }

    fn open(
        self: &Arc<Self>,
        number: Process,
        disk: SimDisk,
        seen: Arc<dyn Disk>,
        clock: Arc<FixedClock>,
        access: Access,
        none: bool,
    ) -> Result<Running> {
        let chance = Arc::new(ConstantChance::new(self.seed.wrapping_mul(1_000_003).wrapping_add(number.into())));
        let catalogs = self.catalogs(number, &disk, none);
        let vault = Vault::open_with(seen, clock, chance, catalogs, Path::new(VAULT), access)?;
        let account = vault.account(&AccountSelector::Only)?;
        let domain = vault.domain(&account)?;
        Ok(Running { number, disk, vault, account, domain })
    }

    /// A process that keeps house.
    pub fn housekeeper(self: &Arc<Self>) -> Result<Option<Running>> {
        let Some((number, disk, seen)) = self.process() else { return Ok(None) };
        self.story().kept_house = true;
        let (seen, clock): (Arc<dyn Disk>, Arc<FixedClock>) = match self.mutant {
            Some(Mutant::SessionsUnseen) => (Arc::new(SessionsUnseen(seen)), self.clock.clone()),
            // Each one is a day ahead of the one before.
            Some(Mutant::NoWindow) => {
                (seen, Arc::new(FixedClock::at(self.now() + i64::from(number) * 25 * 3_600 * 1_000)))
            }
            _ => (seen, self.clock.clone()),
        };
        self.open(number, disk, seen, clock, Access::Write, false).map(Some)
    }

    /// Makes vault and account and the first two links.
    pub fn found(self: &Arc<Self>) -> Result<()> {
        let (number, disk, seen) = self.process().unwrap();
        let chance = Arc::new(ConstantChance::new(self.seed));
        let path = Path::new(VAULT);
        let made = Vault::create(Arc::clone(&seen), self.clock.clone(), chance.clone(), path)?;
        if self.has_disks() {
            for disk in DISKS.map(Path::new) {
                self.disk.make_dir(disk)?;
                self.disk.sync_dir(Path::new("/"))?;
                self.disk.mount(disk);
            }
            made.add_volume(&Path::new(DISKS[0]).join("volume"))?;
        }
        drop(made);
        let catalogs = self.catalogs(number, &disk, false);
        let vault = Vault::open_with(seen, self.clock.clone(), chance, catalogs, path, Access::Write)?;
        let (keys, device) = &*KEYS;
        let account = vault.bind(&vault.create_account("ada")?, keys.identity_public(), keys.key_check())?;
        *self.account.lock().unwrap() = Some(account.clone());
        let domain = vault.domain(&account)?;
        let mut session = domain.begin(&account, &[], None)?;
        let maker = Maker { domain: account.domain, account: account.id };
        let mut dice = Dice::new(self.seed);
        let certificate = keys.certify(account.id, device.id(), device.public(), 1, 0).encode();
        for (kind, body, clear) in
            [(LinkKind::Device, RecordKind::DeviceBody, certificate), (LinkKind::Key, RecordKind::KeyBody, Vec::new())]
        {
            let body = maker.record(&mut dice, body, 0, clear, 100);
            let link = self.sign(&account, domain.head(&account)?, kind, &body, false);
            self.submit(&link, &body, Vec::new());
            match session.commit(&link, Some(&body))? {
                Outcome::Committed(link) => self.acknowledge(&link),
                other => self.violated(format!("the chain cannot begin: {other:?}")),
            }
        }
        session.end()
    }

    /// The next link after this head.
    pub fn sign(
        &self,
        account: &AccountInfo,
        head: Option<store::vault::Head>,
        kind: LinkKind,
        body: &Record,
        changed: bool,
    ) -> SignedLink {
        let device = &KEYS.1;
        let link = Link {
            kind,
            account: account.id,
            sequence: head.map_or(0, |head| head.sequence) + 1,
            previous: head.map_or(ChainHash::ZERO, |head| head.chain),
            body: body_hash(body),
            device: device.id(),
            marker: head.map_or(0, |head| head.marker) + u64::from(changed),
            taken_at: self.now(),
        };
        link.sign(device)
    }

    /// A client sends this link.
    pub fn submit(&self, link: &SignedLink, body: &Record, roots: Vec<(SourceId, NodeId)>) {
        let mut story = self.story();
        let submitted = Submitted { body: body.clone(), roots, acknowledged: None };
        story.submitted.entry(link.link_id()).or_insert(submitted);
    }

    /// A client was told that this link is committed.
    pub fn acknowledge(&self, link: &ReceivedLink) {
        let mut story = self.story();
        story.tally.acknowledged += 1;
        self.tell(|| format!("version {} is acknowledged", link.link().sequence));
        let before = story.submitted.get_mut(&link.link_id()).map(|s| s.acknowledged.replace(link.clone()));
        match before {
            None => story.violations.push("a link was acknowledged that nobody sent".to_owned()),
            Some(Some(before)) if before.encode() != link.encode() => {
                story.violations.push("the same link was acknowledged with another receipt".to_owned());
            }
            _ => {}
        }
    }

    // ---- what befalls them

    /// Counts a call, and lets the blow fall that was to fall at it.
    fn count(&self, process: Process) -> bool {
        let mut story = self.story();
        story.calls += 1;
        story.all_calls += 1;
        story.tally.calls += 1;
        let calls = story.calls;
        let Some(blow) = story.weather.blows.remove(&calls) else { return false };
        let last = story.next_process;
        match blow {
            Blow::Kill => {
                story.tally.kills += 1;
                story.holders.retain(|_, holder| *holder != process);
            }
            Blow::Power => {
                story.tally.power_cuts += 1;
                story.power_off = true;
            }
        }
        drop(story);
        self.tell(|| format!("{blow:?} at process {process}"));
        match blow {
            Blow::Kill => self.disk.kill(process),
            Blow::Power => (1..last).for_each(|process| self.disk.kill(process)),
        }
        true
    }

    /// The pilot of all processes.
    fn befalls(&self, asked: &Asked<'_>) -> Fate {
        {
            let mut story = self.story();
            let mut hasher = DefaultHasher::new();
            (story.trace, asked.process, asked.what).hash(&mut hasher);
            hasher.write(asked.path.as_os_str().as_encoded_bytes());
            story.trace = hasher.finish();
        }
        self.tell(|| format!("process {}: {} {}", asked.process, asked.what, asked.path.display()));
        if self.count(asked.process) {
            return Fate::Go;
        }
        self.clock.advance(1);
        self.baton.stop(false);
        let (one_in, spoils) = {
            let weather = &self.story().weather;
            (if asked.changes() { weather.faults } else { weather.read_faults }, weather.spoils)
        };
        let mut dice = self.fate.lock().unwrap();
        if spoils > 0 && asked.what == "append" && dice.one_in(spoils) {
            let at = dice.number() as usize;
            let mut story = self.story();
            story.tally.spoiled += 1;
            story.rot.harms += 1;
            story.rot.pack(asked.path);
            let parts = ["part", "adopted", "side"];
            story.rot.links |= !parts.iter().any(|kind| asked.path.extension().is_some_and(|e| e == *kind));
            drop(story);
            self.tell(|| format!("process {}: spoiled at {at}", asked.process));
            return Fate::Spoil(at);
        }
        // When a folder cannot be synced, a commit syncs the link itself, which helps with a journal only.
        let cannot = asked.what == "sync_dir" && !self.journalling;
        if one_in == 0 || cannot || !dice.one_in(one_in) {
            return Fate::Go;
        }
        self.clock.advance(1);
        let why = [ErrorKind::Other, ErrorKind::StorageFull, ErrorKind::QuotaExceeded][dice.below(3)];
        let fate = match (asked.changes(), dice.below(4)) {
            (false, _) => Fate::Fail(ErrorKind::Other),
            (true, 0) => Fate::FailAfter(why),
            (true, 1) => Fate::Half(why),
            (true, 2) => Fate::Forget(why),
            (true, _) => Fate::Fail(why),
        };
        self.story().tally.faults += 1;
        self.tell(|| format!("process {}: {fate:?}", asked.process));
        fate
    }

    /// Asked before a catalog makes a change durable.
    fn commits(&self, process: Process, disk: &SimDisk) -> bool {
        if disk.is_dead() {
            return false;
        }
        let struck = self.count(process);
        // A process that ends here has or has not made its change.
        let made = !struck || self.fate.lock().unwrap().one_in(2);
        self.tell(|| format!("process {process}: commits to its catalog: {made}"));
        made
    }
}
