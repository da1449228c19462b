//! The server's end: answers requests about one vault. Started by SSH for one session, or in process for a local vault.
//!
//! It never holds a key, and names no secret key type. Each request is one call, answered on a thread of its own; a
//! call that stores or fetches goes on until its end. What may be asked is decided by the role in [`permit`], before
//! anything else is looked at.

pub mod accounts;
mod archives;
pub mod ask;
pub mod authorize;
pub mod chain;
pub mod check;
pub mod fetch;
pub mod groups;
pub mod housekeep;
pub mod keeper;
pub mod open;
pub mod permit;
pub mod refuse;
pub mod repair;
pub mod report;
pub mod reports;
mod slow;
pub mod status;
pub mod traffic;
pub mod upload;
pub mod usage;
mod volumes;
pub mod wanted;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use minicbor::Encode;
use store::door::{Chance, Clock, Disk, RealDisk};
use store::vault::{Access, AccountInfo, AccountSelector, AccountState, Domain, Vault};
use transport::message::{self, Reply, Request};
use transport::{Call, Hello, Pipe, ServerConfig, Service};

use crate::engine::job::{Role, ServeJob};
use crate::engine::queue::lock;
use crate::fault::{Code, Fault};
use crate::profile::{Profile, Stage, Wait, waiting};
use keeper::Keeper;
use refuse::Refused;

/// The server's end of one connection.
pub struct Server {
    path: PathBuf,
    role: Role,
    /// Why nothing is answered.
    refusal: Option<Fault>,
    /// In the client's own process, on the vault's machine.
    near: bool,
    /// The only account that may be seen.
    only: Option<String>,
    /// The address that the client comes from, when SSH says so.
    client: Option<String>,
    /// The home of the user who runs this.
    home: Option<PathBuf>,
    disk: Arc<dyn Disk>,
    clock: Arc<dyn Clock>,
    chance: Arc<dyn Chance>,
    profile: Profile,
    /// Counts, and keeps the pace.
    keeper: Arc<Keeper>,
    /// The vault, once it is open.
    vault: Mutex<Option<Vault>>,
    /// The account that was opened on this connection.
    account: Mutex<Option<AccountInfo>>,
    /// Something was committed, or found no room, and what may be due has not been looked at since.
    committed: AtomicBool,
}

impl Server {
    /// A server for the vault of this job.
    pub fn new(job: &ServeJob, clock: Arc<dyn Clock>, chance: Arc<dyn Chance>) -> Self {
        Self {
            path: real_path(&job.vault),
            role: job.role,
            refusal: job.refusal.clone(),
            near: job.near,
            only: job.account.clone(),
            client: job.client.clone(),
            home: job.home.clone(),
            disk: Arc::new(RealDisk),
            keeper: Arc::new(Keeper::new(Arc::clone(&clock), Arc::clone(&chance), job.zone.clone(), job.role.name())),
            clock,
            chance,
            profile: Profile::default(),
            vault: Mutex::default(),
            account: Mutex::default(),
            committed: AtomicBool::new(false),
        }
    }

    /// The same on another disk.
    #[must_use]
    pub fn on(self, disk: Arc<dyn Disk>) -> Self {
        Self { disk, ..self }
    }

    /// The same, measured.
    #[must_use]
    pub fn measured(self, profile: Profile) -> Self {
        Self { profile, ..self }
    }

    /// Serves one pipe until the client goes.
    pub fn serve(self, pipe: Pipe) -> transport::Result<()> {
        let agent = concat!("tuckbox ", env!("CARGO_PKG_VERSION"));
        let keeper = Arc::clone(&self.keeper);
        let config = ServerConfig {
            pace: Some(Arc::<Keeper>::clone(&keeper)),
            meter: keeper.meter(),
            ..ServerConfig::new(Hello::new(agent, &[]), Arc::clone(&self.clock))
        };
        std::thread::scope(|scope| {
            // Without this thread nothing is written before the end.
            let watch = std::thread::Builder::new().name("tuckbox-keeper".into());
            drop(watch.spawn_scoped(scope, || keeper.watch()));
            let served = transport::serve(pipe, config, Arc::new(self));
            keeper.end(served.is_ok());
            served
        })
    }

    /// The vault, opened as far as `access` needs.
    fn vault(&self, access: Access) -> Result<Vault, Refused> {
        let mut held = lock(&self.vault);
        if let Some(vault) = held.as_ref().filter(|vault| access == Access::Read || vault.access() == Access::Write) {
            return Ok(vault.clone());
        }
        let open = |access| {
            let (disk, clock, chance) = (Arc::clone(&self.disk), Arc::clone(&self.clock), Arc::clone(&self.chance));
            Vault::open(disk, clock, chance, &self.path, access)
        };
        // A vault that may be written is opened so at once; reading never needs that.
        let vault = match (access, self.role) {
            (Access::Read, Role::Append | Role::Backup | Role::Admin) => {
                open(Access::Write).or_else(|_| open(Access::Read))?
            }
            (access, _) => open(access)?,
        };
        *held = Some(vault.clone());
        Ok(vault)
    }

    /// Remembers a vault that was just made.
    fn set_vault(&self, vault: &Vault) {
        *lock(&self.vault) = Some(vault.clone());
    }

    fn set_account(&self, vault: &Vault, account: &AccountInfo, program: &str) {
        self.keeper.opened(vault, account, program);
        *lock(&self.account) = Some(account.clone());
    }

    /// The account that was opened, as it is now, and its chunk space.
    fn account(&self, access: Access) -> Result<(Vault, AccountInfo, Domain), Refused> {
        let vault = self.vault(access)?;
        let account = lock(&self.account).clone();
        let account = account.ok_or_else(|| Refused::from(Fault::new(Code::NetProtocol, "no account was opened")))?;
        let account = vault.reload(&account)?;
        if account.state == AccountState::Disabled {
            return Err(Fault::new(Code::AccountFrozen, "this account is disabled")
                .hint("ask the server's administrator")
                .into());
        }
        let domain = match access {
            Access::Read => vault.domain_to_read(&account)?,
            Access::Write => vault.domain(&account)?,
        };
        Ok((vault, account, domain))
    }

    /// An account by name or number, if it may be seen.
    fn find(&self, vault: &Vault, name: &str) -> Result<AccountInfo, Refused> {
        let by_name = vault.account(&AccountSelector::Name(name.to_owned()));
        let found = by_name.or_else(|error| match accounts::number(name) {
            Some(number) => vault.account(&number).map_err(|_| error),
            None => Err(error),
        })?;
        if self.may_see(vault, &found) { Ok(found) } else { Err(Refused::no_account(name)) }
    }

    /// Whether this connection may see an account: the one that it is bound to, by its name if there is one of that name,
    /// else by its number. Never both: what one person calls an account may be the number of another's.
    fn may_see(&self, vault: &Vault, account: &AccountInfo) -> bool {
        let Some(only) = &self.only else { return true };
        let is_number = || accounts::number(only) == Some(AccountSelector::Number(account.number));
        let has_name = || vault.account(&AccountSelector::Name(only.clone())).is_ok();
        *only == account.name || (is_number() && !has_name())
    }

    /// SQLite tells a full disk from a failing one only where it writes, a quota nowhere, and too few descriptors not at
    /// all. So the system is asked itself.
    fn explained(&self, refused: Refused) -> Refused {
        match refused {
            Refused::Told(fault) if fault.code == Code::DiskFailed => match self.probe() {
                // Without the vault's directory, which could not be made, nothing can be tried in it.
                Ok(()) | Err(store::Error::NotFound { .. }) => Refused::Told(fault),
                Err(error) => error.into(),
            },
            other => other,
        }
    }

    /// Writes a small file into the vault, and removes it.
    fn probe(&self) -> store::Result<()> {
        // The name of what an unfinished `init` leaves: no obstacle to anybody.
        let path = self.path.join(format!("probe-{}.new", store::id::hex(&store::door::random::<8>(&*self.chance))));
        let written = self.disk.create_new(&path).and_then(|mut file| {
            file.append(&[0; 4096])?;
            file.sync()
        });
        self.disk.remove_file(&path).ok();
        written
    }

    /// Answers; who is refused too often hears of it later.
    fn answer(&self, call: &Call, request: &[u8]) -> Result<(), Refused> {
        let request: Request = message::decode(request).map_err(|_| {
            Fault::new(Code::NetVersion, "this request is not known here").hint("update tuckbox on the server")
        })?;
        let asked = slow::named(&request).map(str::to_owned);
        let opens = matches!(request, Request::Open(_) | Request::Init(_));
        let done = self.answer_to(call, request);
        if let Err(Refused::Told(fault)) = &done
            && fault.code == Code::QuotaHard
        {
            // Where nothing is committed, that is the moment at which room is made.
            self.committed.store(true, Ordering::SeqCst);
        }
        match &done {
            Ok(()) if opens => self.welcome(asked.as_deref()),
            Ok(()) => {}
            Err(refused) => self.slow_down(refused, asked.as_deref()),
        }
        done
    }

    fn answer_to(&self, call: &Call, request: Request) -> Result<(), Refused> {
        if let Some(refusal) = &self.refusal {
            return Err(refusal.clone().into());
        }
        permit::permit(self.role, &request)?;
        match request {
            Request::Open(open) => reply(call, self.open(&open)?),
            Request::Accounts(_) => reply(call, self.accounts()?),
            Request::Init(init) => reply(call, self.init(&init)?),
            Request::Bind(bind) => reply(call, self.bind(&bind)?),
            Request::SetSlots(slots) => reply(call, self.set_slots(slots)?),
            Request::Links(links) => reply(call, self.links(&links)?),
            Request::Bodies(bodies) => self.bodies(call, &bodies),
            Request::Ask(first) => self.ask(call, first),
            Request::Upload(begin) => self.upload(call, &begin),
            Request::Under(under) => self.under(call, &under),
            Request::Fetch(first) => self.fetch(call, first),
            Request::Check(what) => self.check(call, &what),
            Request::Housekeep(what) => self.housekeep(call, &what),
            Request::HousekeepLog(_) => self.housekeep_log(call),
            Request::Wanted(ask) => self.wanted(call, ask),
            Request::Repair(repair) => self.repair(call, repair),
            Request::Report(report) => reply(call, self.report(report)?),
            Request::Status(ask) => self.status(call, &ask),
            Request::Reports(ask) => self.reports(call, &ask),
            Request::Log(ask) => self.log(call, &ask),
            Request::Account(ask) => self.look_after_accounts(call, ask),
            Request::Group(ask) => self.look_after_groups(call, ask),
            Request::Dump(ask) => self.dump_account(call, &ask),
            Request::Load(ask) => self.load_account(call, ask),
            Request::Volume(ask) => self.look_after_volumes(call, ask),
            Request::Usage(ask) => reply(call, self.usage(&ask)?),
            Request::Traffic(ask) => self.traffic(call, &ask),
            Request::Sessions(ask) => self.sessions(call, &ask),
            Request::Space(ask) => self.space(call, &ask),
            Request::Split(first) => self.split(call, first),
        }
    }
}

impl Service for Server {
    fn handle(&self, call: Call, request: Vec<u8>) {
        let _worker = self.profile.worker(Stage::Serve);
        let done = self.answer(&call, &request);
        if let Err(refused) = done
            && let Some(refusal) = self.explained(refused).refusal()
        {
            // When the client has gone, nobody is there to be told.
            drop(call.send_message(message::encode(&Reply::<()>::Refused(refusal))));
        }
        // Likewise.
        drop(call.end());
        if self.committed.swap(false, Ordering::SeqCst)
            && let Ok((vault, account, domain)) = self.account(Access::Write)
        {
            self.after_commit(&vault, &account, &domain);
        }
    }
}

/// The vault's place without symlinks on the way to it, as far as it is there. Whoever names a vault may name it by a
/// symlink; from there on nothing of it is followed.
fn real_path(vault: &Path) -> PathBuf {
    let mut ancestors = vault.ancestors().filter(|path| !path.as_os_str().is_empty());
    let real = ancestors.find_map(|path| Some((path, path.canonicalize().ok()?)));
    match real {
        Some((path, real)) => match vault.strip_prefix(path) {
            Ok(rest) if !rest.as_os_str().is_empty() => real.join(rest),
            _ => real,
        },
        None => vault.to_owned(),
    }
}

/// Sends one reply.
fn reply<T: Encode<()>>(call: &Call, reply: T) -> Result<(), Refused> {
    Ok(waiting(Wait::Room, || call.send_message(message::encode(&Reply::Done(reply))))?)
}
