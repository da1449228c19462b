//! A machine and a server in one network: the machine's SSH configuration calls the server `nas` and has a key that
//! opens it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::need;
use crate::slow_line::SlowLine;
use crate::sshd::{Setup, Sshd};
use crate::world::World;

/// See the module. The server's home is `server` on the world's disk, and the program is in its PATH.
#[derive(Debug)]
pub struct Net {
    /// The machine.
    pub world: World,
    /// The server.
    pub sshd: Sshd,
    key: PathBuf,
    _line: Option<SlowLine>,
}

impl Net {
    /// A server for this machine; `None` where there is no sshd.
    #[must_use]
    pub fn of(world: &World) -> Option<Self> {
        Self::with(world, |_| {})
    }

    /// The same, and the server is set up otherwise.
    #[must_use]
    pub fn with(world: &World, change: impl FnOnce(&mut Setup)) -> Option<Self> {
        let net = Self::unnamed(world, change)?;
        net.world.ssh().know(&net.sshd.known_hosts_line());
        net.name_it(&net.alias(&net.key));
        Some(net)
    }

    /// The same at the other end of a line with this round trip.
    #[must_use]
    pub fn far(world: &World, round_trip: Duration, change: impl FnOnce(&mut Setup)) -> Option<Self> {
        let mut net = Self::unnamed(world, change)?;
        let line = SlowLine::start(net.sshd.port, round_trip);
        net.world.ssh().know(&format!("[127.0.0.1]:{} {}\n", line.port, net.sshd.host_key("ed25519")));
        net.name_it(&host("127.0.0.1", line.port, &net.key));
        net._line = Some(line);
        Some(net)
    }

    fn unnamed(world: &World, change: impl FnOnce(&mut Setup)) -> Option<Self> {
        if !need::programs(&["sshd", "ssh", "ssh-keygen"]) {
            return None;
        }
        let client = world.ssh();
        let key = client.key("ed25519", "");
        let mut setup = Setup {
            authorized: vec![client.public(&key)],
            home: Some(world.dir("server")),
            programs: Some(world.path("bin")),
            ..Setup::default()
        };
        change(&mut setup);
        Some(Self { world: world.clone(), sshd: Sshd::start(setup), key, _line: None })
    }

    fn name_it(&self, config: &str) {
        self.world.ssh().config(config);
    }

    /// `nas` with this key, as lines of an SSH configuration.
    #[must_use]
    pub fn alias(&self, key: &Path) -> String {
        host(self.sshd.address, self.sshd.port, key)
    }

    /// The machine, whose vault is at `path` on the server.
    #[must_use]
    pub fn at(&self, path: &str) -> World {
        self.world.with_vault(format!("ssh://nas{path}"))
    }

    /// The same with a new vault and account in the server's home.
    ///
    /// # Panics
    /// When `init` fails.
    pub fn ready(&self) -> World {
        let world = self.at(&self.world.arg("server/vault"));
        world.tuckbox(["init"]).ok();
        world
    }
}

fn host(address: &str, port: u16, key: &Path) -> String {
    format!("Host nas\n HostName {address}\n Port {port}\n IdentityFile {}\n", key.display())
}
