//! What the tests share: a person, a client with its server, and talking through a carrier.

use crate::sshd::{Agent, Client, Setup, Sshd};
use std::{path::Path, process::Command, sync::Arc, sync::Mutex};
use store::door::{ConstantChance, FixedClock};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use transport::{
    Carrier, Error, Pipe,
    address::Address,
    carrier::{
        Embedded, HostKeyQuestion, NoInput, Prompt, Surroundings, SystemSsh, Way, Wish, World,
        choose::{choose, route},
    },
};
use zeroize::Zeroizing;

/// The moment of the test clock: in the validity of every certificate made here.
pub(crate) const NOW_MS: i64 = 1_800_000_000_000;

/// Somebody who answers, and remembers what was asked and said.
#[derive(Default)]
pub(crate) struct Person {
    pub(crate) accepts: bool,
    pub(crate) passphrase: &'static str,
    pub(crate) asked: Mutex<Vec<String>>,
    pub(crate) said: Mutex<Vec<String>>,
}

impl Person {
    pub(crate) fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }

    fn ask(&self, what: &str) {
        self.asked.lock().unwrap().push(what.to_owned());
    }

    fn secret(&self, what: &str) -> Option<Zeroizing<String>> {
        self.ask(what);
        (!self.passphrase.is_empty()).then(|| self.passphrase.to_owned().into())
    }
}

impl Prompt for Person {
    fn may_ask(&self) -> bool {
        true
    }
    fn host_key(&self, question: &HostKeyQuestion) -> bool {
        self.ask(&format!("{} {} {}", question.host, question.key_type, question.fingerprint));
        self.accepts
    }
    fn passphrase(&self, what: &str) -> Option<Zeroizing<String>> {
        self.secret(what)
    }
    fn password(&self, what: &str) -> Option<Zeroizing<String>> {
        self.secret(what)
    }
    fn answer(&self, question: &str, _: bool) -> Option<Zeroizing<String>> {
        self.secret(question)
    }
    fn notice(&self, text: &str) {
        self.said.lock().unwrap().push(text.to_owned());
    }
    fn remote_line(&self, line: &str) {
        self.said.lock().unwrap().push(format!("remote: {line}"));
    }
}

pub(crate) fn around(client: &Client) -> Surroundings {
    Surroundings {
        home: client.home().to_owned(),
        user: "nobody-here".into(),
        ssh: Some(client.ssh()),
        machine: "test.example".into(),
        ..Surroundings::default()
    }
}

pub(crate) fn world(prompt: Arc<dyn Prompt>) -> World {
    World { prompt, clock: Arc::new(FixedClock::at(NOW_MS)), chance: Arc::new(ConstantChance::new(1)) }
}

pub(crate) fn ssh(text: &str) -> transport::address::SshAddress {
    match Address::parse(text).unwrap() {
        Address::Ssh(address) => address,
        other => panic!("{other}"),
    }
}

/// A carrier for one remote command.
pub(crate) fn open_by(
    way: Way,
    client: &Client,
    target: &str,
    line: &str,
    prompt: Arc<dyn Prompt>,
    agent: Option<&Agent>,
) -> Box<dyn Carrier> {
    let around = Surroundings { agent: agent.map(|a| a.socket.clone()), ..around(client) };
    let address = ssh(target);
    let hosts = route(&address, &around).unwrap();
    match way {
        Way::Embedded => {
            assert_eq!(choose(Wish::Auto, &hosts, &around).unwrap().way, Way::Embedded);
            Box::new(Embedded::new(hosts, line, world(prompt)))
        }
        Way::System => Box::new(SystemSsh::new(&address, hosts.last().unwrap(), line, &around, prompt).unwrap()),
    }
}

pub(crate) fn quiet(way: Way, client: &Client, target: &str, line: &str) -> Box<dyn Carrier> {
    open_by(way, client, target, line, Arc::new(NoInput), None)
}

pub(crate) const BOTH: [Way; 2] = [Way::Embedded, Way::System];

/// Writes and reads at the same time, to the end of both directions.
pub(crate) async fn exchange(pipe: Pipe, send: Vec<u8>) -> std::io::Result<Vec<u8>> {
    let (mut reader, mut writer, keep) = pipe.split()?;
    let writing = async move {
        let sent = writer.write_all(&send).await;
        // The far side may have ended already, which is no matter here.
        drop(writer.shutdown().await);
        drop(writer);
        drop(sent);
    };
    let reading = async move {
        let mut got = Vec::new();
        reader.read_to_end(&mut got).await.map(|_| got)
    };
    let ((), got) = tokio::join!(writing, reading);
    drop(keep);
    got
}

pub(crate) fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

pub(crate) fn talk(carrier: &dyn Carrier, send: &[u8]) -> Result<Vec<u8>, Error> {
    let pipe = carrier.open()?;
    let got = block_on(exchange(pipe, send.to_vec())).unwrap();
    Ok(got)
}

/// What a session says when nothing came: the error that is to be explained.
pub(crate) fn failure(carrier: &dyn Carrier) -> Error {
    match talk(carrier, b"hello") {
        Ok(noise) => carrier.explain(Error::NoMagic { noise }),
        Err(error) => error,
    }
}

/// A client with an ed25519 key and a server that knows it, under the alias `nas`.
pub(crate) fn pair(setup: Setup) -> (Client, Sshd) {
    let client = Client::new();
    let key = client.key("ed25519", "");
    let sshd = Sshd::start(Setup { authorized: vec![client.public(&key)], ..setup });
    client.know(&sshd.known_hosts_line());
    client.config(&alias("nas", &sshd, &key, ""));
    (client, sshd)
}

pub(crate) fn user() -> String {
    crate::sshd::run(Command::new("id").arg("-un")).trim().to_owned()
}

pub(crate) fn alias(name: &str, sshd: &Sshd, key: &Path, more: &str) -> String {
    format!(
        "Host {name}\n HostName {}\n Port {}\n User {}\n IdentityFile {}\n {more}\n",
        sshd.address,
        sshd.port,
        user(),
        key.display()
    )
}

pub(crate) fn fingerprint(sshd: &Sshd, kind: &str) -> String {
    let line = crate::sshd::run(Command::new("ssh-keygen").arg("-lf").arg(sshd.host_key_file(kind)));
    line.split(' ').nth(1).unwrap().to_owned()
}
