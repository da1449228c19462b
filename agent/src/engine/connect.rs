//! From an address to a connection: in process, by a command, or over SSH.

use std::path::PathBuf;
use std::sync::mpsc::{Receiver, TryRecvError, sync_channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use transport::address::Address;
use transport::carrier::{self, HostKeyQuestion as CarrierQuestion, Plan, Prompt, Surroundings, Wish, World};
use transport::{Carrier, Client, ClientConfig, Hello, Pipe, memory_pipe};
use zeroize::Zeroizing;

use super::job::{HostKeyQuestion, Person, Role, Run, ServeJob, SshChoice};
use super::pacer::Pacer;
use super::patience::Patience;
use super::queue::lock;
use super::remote::Remote;
use super::trouble::from_transport;
use super::uplink::Channels;
use crate::event::{Event, Watcher};
use crate::fault::{Code, Fault, Result};
use crate::serve::Server;

/// The address of the run's vault as it is remembered: a directory of this machine by its whole path.
pub fn address(run: &Run) -> String {
    match Address::parse(&run.place.vault) {
        Ok(Address::Local(path)) => run.folders.working.join(path).to_string_lossy().into_owned(),
        _ => run.place.vault.clone(),
    }
}

/// So long a lost connection is tried again while somebody waits before a screen, milliseconds.
const HURRIED_MS: u64 = 3_000;

/// Makes connections to one vault.
pub struct Connector {
    carrier: Arc<dyn Carrier>,
    run: Run,
    local: Option<PathBuf>,
    /// Keeps the limit of this end.
    pacer: Option<Pacer>,
    /// With what it connects to, once that was reached.
    pub patience: Patience,
}

impl Connector {
    /// For the vault of this run. Nothing is connected yet.
    pub fn new(run: &Run) -> Result<Self> {
        Self::in_role(run, None)
    }

    /// The same to look after the vault: over SSH the server is asked to let this connection administer. A key that is
    /// forced to less is refused.
    pub fn admin(run: &Run) -> Result<Self> {
        Self::in_role(run, Some("admin"))
    }

    fn in_role(run: &Run, role: Option<&str>) -> Result<Self> {
        let address = Address::parse(&run.place.vault).map_err(|error| {
            Fault::new(Code::Usage, error.to_string())
                .hint("an address is /path, ssh://user@host/path, user@host:path or cmd:COMMAND")
        })?;
        if let Address::Local(path) = &address {
            let path = run.folders.working.join(path);
            let carrier = Arc::new(InProcess { path: path.clone(), run: run.apart(), servers: Mutex::default() });
            return Ok(Self { local: Some(path), ..Self::over(run, carrier) });
        }
        let wish = match run.place.ssh {
            SshChoice::Auto => Wish::Auto,
            SshChoice::Embedded => Wish::Embedded,
            SshChoice::System => Wish::System,
        };
        let plan = Plan {
            wish,
            remote_program: run.place.remote_program.clone(),
            account: None,
            role: role.map(str::to_owned),
        };
        let prompt = Arc::new(Asker { person: Arc::clone(&run.person), watcher: Arc::clone(&run.watcher) });
        let world = World { prompt, chance: Arc::clone(&run.chance), clock: Arc::clone(&run.clock) };
        let (carrier, choice) = carrier::carrier(&address, &plan, &Surroundings::of_this_process(), world)
            .map_err(|error| from_transport(&error))?;
        if let Some(choice) = choice {
            run.watcher.event(&Event::Detail(&choice.to_string()));
        }
        Ok(Self::over(run, Arc::from(carrier)))
    }

    /// Over this carrier.
    pub fn over(run: &Run, carrier: Arc<dyn Carrier>) -> Self {
        let patience = run.place.retry_ms.map_or_else(Patience::default, Patience::of);
        let pacer = Pacer::new(run.place.limit.clone(), run.throttle.clone(), Arc::clone(&run.clock));
        Self { carrier, run: run.apart(), local: None, pacer, patience }
    }

    /// The same way to the vault for a run with a limit of its own: what carries is shared, so that nobody is asked again.
    pub fn for_throttled(&self, run: &Run) -> Self {
        let over = Self::over(run, Arc::clone(&self.carrier));
        Self { local: self.local.clone(), patience: self.patience, ..over }
    }

    /// With what a run connects again.
    pub fn patience_of(&self, run: &Run) -> Patience {
        let hurried = Patience::of(HURRIED_MS);
        if run.hurried && self.patience.most_ms > hurried.most_ms { hurried } else { self.patience }
    }

    /// The vault's directory, when it is one of this machine.
    pub fn local(&self) -> Option<&PathBuf> {
        self.local.as_ref()
    }

    /// What carries, for people.
    pub fn describe(&self) -> String {
        self.carrier.describe()
    }

    /// How many connections may carry bulk at a time: as many as the run says, otherwise as many as help.
    pub fn channels(&self) -> Channels {
        match (self.carrier.extra_pipes(), self.run.place.stripes) {
            (None, _) => Channels::default(),
            (Some(_), Some(count)) => Channels { first: count, most: count },
            (Some(extra), None) => Channels { first: 1, most: 1 + extra },
        }
    }

    /// A new connection.
    pub fn connect(&self) -> Result<Remote> {
        let pipe = self.carrier.open().map_err(|error| from_transport(&self.carrier.explain(error)))?;
        let agent = concat!("tuckbox ", env!("CARGO_PKG_VERSION"));
        let mut config = ClientConfig::new(Hello::new(agent, &[]), Arc::clone(&self.run.clock));
        config.pace = self.pacer.as_ref().map(|pacer| Arc::new(pacer.part()) as Arc<dyn transport::Pace>);
        let client = Client::connect(pipe, config).map_err(|error| from_transport(&error))?;
        Ok(Remote::new(client, Arc::clone(&self.carrier), address(&self.run)))
    }
}

/// A vault of this machine: the server's end runs on a thread of this process.
struct InProcess {
    path: PathBuf,
    run: Run,
    /// Each says how its server has ended.
    servers: Mutex<Vec<Receiver<transport::Result<()>>>>,
}

/// How long a server of ours may take to close its vault after its client has gone.
const PARTING: Duration = Duration::from_secs(5);

impl Drop for InProcess {
    /// When a run is over, nobody has the vault open: it may be copied, or taken away.
    fn drop(&mut self) {
        for server in lock(&self.servers).drain(..) {
            // It ends, or it takes too long and ends with this process: a vault bears that.
            drop(server.recv_timeout(PARTING));
        }
    }
}

impl Carrier for InProcess {
    fn open(&self) -> transport::Result<Pipe> {
        let (ours, theirs) = memory_pipe();
        let (end, ended) = sync_channel(1);
        let mut servers = lock(&self.servers);
        servers.retain(|server| server.try_recv() == Err(TryRecvError::Empty));
        servers.push(ended);
        drop(servers);
        let job = ServeJob {
            vault: self.path.clone(),
            account: None,
            role: Role::Admin,
            home: self.run.folders.home.clone(),
            client: None,
            zone: self.run.zone.clone(),
            near: true,
            refusal: None,
        };
        let server = Server::new(&job, Arc::clone(&self.run.clock), Arc::clone(&self.run.chance))
            .measured(self.run.profile.clone());
        std::thread::Builder::new()
            .name("tuckbox-serve".into())
            // Nobody may be there any more to hear it.
            .spawn(move || drop(end.send(server.serve(theirs))))
            .map_err(|error| transport::Error::Unreachable { host: self.describe(), why: error.to_string() })?;
        Ok(ours)
    }

    fn describe(&self) -> String {
        crate::name::for_terminal(self.path.as_os_str().as_encoded_bytes())
    }

    fn end_report(&self) -> Option<String> {
        None
    }

    /// A server that could not start, or go on, has a better reason than that it is gone.
    fn explain(&self, error: transport::Error) -> transport::Error {
        use transport::Error as E;
        let ended = matches!(&error, E::Lost { .. }) || matches!(&error, E::NoMagic { noise } if noise.is_empty());
        let server = if ended { lock(&self.servers).pop() } else { None };
        match server.map(|server| server.recv_timeout(PARTING)) {
            Some(Ok(Err(why))) => why,
            _ => error,
        }
    }
}

/// Passes what a carrier asks on to the person of this run.
struct Asker {
    person: Arc<dyn Person>,
    watcher: Arc<dyn Watcher>,
}

impl Prompt for Asker {
    fn may_ask(&self) -> bool {
        self.person.may_ask()
    }

    fn host_key(&self, question: &CarrierQuestion) -> bool {
        let question = HostKeyQuestion {
            host: question.host.clone(),
            algorithm: question.key_type.clone(),
            fingerprint: question.fingerprint.clone(),
        };
        self.person.host_key(&question).unwrap_or(false)
    }

    fn passphrase(&self, what: &str) -> Option<Zeroizing<String>> {
        self.person.secret(what)
    }

    fn password(&self, what: &str) -> Option<Zeroizing<String>> {
        self.person.secret(what)
    }

    fn answer(&self, question: &str, echo: bool) -> Option<Zeroizing<String>> {
        if echo { self.person.answer(question) } else { self.person.secret(question) }
    }

    fn notice(&self, text: &str) {
        self.watcher.event(&Event::Note(text));
    }

    fn remote_line(&self, line: &str) {
        self.watcher.event(&Event::Remote(line));
    }
}
