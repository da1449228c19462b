//! Carriers against a real OpenSSH server: every test runs with the embedded client and with the system's ssh where
//! both can do it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    clippy::indexing_slicing,
    missing_docs,
    unreachable_pub,
    reason = "a test"
)]

#[allow(dead_code, reason = "shared with the package of integration tests, which uses the rest")]
#[path = "../../tests/harness/sshd.rs"]
mod sshd;

use std::{
    path::Path,
    process::Command,
    sync::{Arc, Mutex},
};

use sshd::{Agent, Client, Setup, Sshd};
use store::door::{ConstantChance, FixedClock};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use transport::{
    Carrier, Error, Pipe,
    address::Address,
    carrier::{
        CommandCarrier, Embedded, HostKeyQuestion, NoInput, Plan, Prompt, Surroundings, SystemSsh, Way, Wish, World,
        carrier,
        choose::{choose, route},
    },
    error::{HostKey, HostKeyProblem},
};
use zeroize::Zeroizing;

/// The moment of the test clock: in the validity of every certificate made here.
const NOW_MS: i64 = 1_800_000_000_000;

/// Somebody who answers, and remembers what was asked and said.
#[derive(Default)]
struct Person {
    accepts: bool,
    passphrase: &'static str,
    asked: Mutex<Vec<String>>,
    said: Mutex<Vec<String>>,
}

impl Person {
    fn asked(&self) -> Vec<String> {
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

fn around(client: &Client) -> Surroundings {
    Surroundings {
        home: client.home().to_owned(),
        user: "nobody-here".into(),
        ssh: Some(client.ssh()),
        machine: "test.example".into(),
        ..Surroundings::default()
    }
}

fn world(prompt: Arc<dyn Prompt>) -> World {
    World { prompt, clock: Arc::new(FixedClock::at(NOW_MS)), chance: Arc::new(ConstantChance::new(1)) }
}

fn ssh(text: &str) -> transport::address::SshAddress {
    match Address::parse(text).unwrap() {
        Address::Ssh(address) => address,
        other => panic!("{other}"),
    }
}

/// A carrier for one remote command.
fn open_by(
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

fn quiet(way: Way, client: &Client, target: &str, line: &str) -> Box<dyn Carrier> {
    open_by(way, client, target, line, Arc::new(NoInput), None)
}

const BOTH: [Way; 2] = [Way::Embedded, Way::System];

/// Writes and reads at the same time, to the end of both directions.
async fn exchange(pipe: Pipe, send: Vec<u8>) -> std::io::Result<Vec<u8>> {
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

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

fn talk(carrier: &dyn Carrier, send: &[u8]) -> Result<Vec<u8>, Error> {
    let pipe = carrier.open()?;
    let got = block_on(exchange(pipe, send.to_vec())).unwrap();
    Ok(got)
}

/// What a session says when nothing came: the error that is to be explained.
fn failure(carrier: &dyn Carrier) -> Error {
    match talk(carrier, b"hello") {
        Ok(noise) => carrier.explain(Error::NoMagic { noise }),
        Err(error) => error,
    }
}

/// A client with an ed25519 key and a server that knows it, under the alias `nas`.
fn pair(setup: Setup) -> (Client, Sshd) {
    let client = Client::new();
    let key = client.key("ed25519", "");
    let sshd = Sshd::start(Setup { authorized: vec![client.public(&key)], ..setup });
    client.know(&sshd.known_hosts_line());
    client.config(&alias("nas", &sshd, &key, ""));
    (client, sshd)
}

fn user() -> String {
    sshd::run(Command::new("id").arg("-un")).trim().to_owned()
}

fn alias(name: &str, sshd: &Sshd, key: &Path, more: &str) -> String {
    format!(
        "Host {name}\n HostName {}\n Port {}\n User {}\n IdentityFile {}\n {more}\n",
        sshd.address,
        sshd.port,
        user(),
        key.display()
    )
}

#[test]
fn an_alias_with_its_own_port() {
    let (client, _sshd) = pair(Setup::default());
    for way in BOTH {
        let person = Arc::new(Person::default());
        let carrier =
            open_by(way, &client, "ssh://nas", "cat; echo after; echo note >&2; exit 3", person.clone(), None);
        assert_eq!(talk(&*carrier, b"through\n").unwrap(), b"through\nafter\n", "{way:?}");
        assert_eq!(carrier.end_report(), Some("exit status 3; it said: note".into()), "{way:?}");
        assert_eq!(*person.said.lock().unwrap(), ["remote: note"]);
        assert!(person.asked().is_empty());
    }
}

#[test]
fn host_keys_of_every_type() {
    for kind in ["ed25519", "ecdsa", "rsa"] {
        let (client, sshd) = pair(Setup { host_keys: vec!["ed25519", "ecdsa", "rsa"], ..Setup::default() });
        // Only one of the three is on record, so the server has to be asked for it.
        client.know(&format!("{} {}\n", sshd.host(), sshd.host_key(kind)));
        for way in BOTH {
            assert_eq!(talk(&*quiet(way, &client, "ssh://nas", "cat"), b"x").unwrap(), b"x", "{kind} {way:?}");
        }
    }
}

#[test]
fn user_keys_of_every_type() {
    for kind in ["ecdsa", "rsa"] {
        let client = Client::new();
        let key = client.key(kind, "");
        let sshd = Sshd::start(Setup { authorized: vec![client.public(&key)], ..Setup::default() });
        client.know(&sshd.known_hosts_line());
        client.config(&alias("nas", &sshd, &key, ""));
        for way in BOTH {
            assert_eq!(talk(&*quiet(way, &client, "ssh://nas", "cat"), b"x").unwrap(), b"x", "{kind} {way:?}");
        }
    }
}

#[test]
fn a_key_with_a_passphrase() {
    let client = Client::new();
    let locked = client.key("ed25519", "open sesame");
    let other = client.key("ecdsa", "never asked for");
    let sshd = Sshd::start(Setup { authorized: vec![client.public(&locked)], ..Setup::default() });
    client.know(&sshd.known_hosts_line());
    // The server does not want the first key, so nobody is asked for its passphrase.
    let first = format!("Host nas\n IdentityFile {}\n", other.display());
    client.config(&(first + &alias("nas", &sshd, &locked, "")));

    let person = Arc::new(Person { passphrase: "open sesame", ..Person::default() });
    let carrier = open_by(Way::Embedded, &client, "ssh://nas", "cat", person.clone(), None);
    assert_eq!(talk(&*carrier, b"x").unwrap(), b"x");
    assert_eq!(person.asked(), [format!("the passphrase of {}", locked.display())]);

    let wrong = Arc::new(Person { passphrase: "wrong", ..Person::default() });
    let refused = failure(&*open_by(Way::Embedded, &client, "ssh://nas", "cat", wrong.clone(), None));
    assert!(matches!(refused, Error::Auth { .. }), "{refused}");
    assert_eq!(wrong.asked().len(), 3);

    for way in BOTH {
        let refused = failure(&*quiet(way, &client, "ssh://nas", "cat"));
        assert!(matches!(refused, Error::Auth { .. }), "{way:?}: {refused}");
        if way == Way::Embedded {
            assert!(refused.to_string().contains("nobody is there to ask"), "{refused}");
        }
    }
}

#[test]
fn a_login_that_is_refused_says_what_was_tried() {
    let (client, sshd) = pair(Setup::default());
    let stranger = client.key("ecdsa", "");
    client.config(&alias("nas", &sshd, &stranger, ""));
    for way in BOTH {
        let refused = failure(&*quiet(way, &client, "ssh://nas", "cat"));
        let Error::Auth { why, .. } = &refused else { panic!("{way:?}: {refused}") };
        assert!(why.contains("publickey"), "{why}");
        if way == Way::Embedded {
            assert!(why.contains(&stranger.display().to_string()), "{why}");
        }
    }
    // A key that others can read is not used, as ssh does not use it.
    let open = client.file(".ssh/ed25519");
    std::fs::set_permissions(&open, std::os::unix::fs::PermissionsExt::from_mode(0o644)).unwrap();
    client.config(&alias("nas", &sshd, &open, ""));
    for way in BOTH {
        assert!(matches!(failure(&*quiet(way, &client, "ssh://nas", "cat")), Error::Auth { .. }), "{way:?}");
    }
}

#[test]
fn the_agent_signs() {
    for kind in ["ed25519", "ecdsa", "rsa"] {
        let client = Client::new();
        let key = client.key(kind, "");
        let sshd = Sshd::start(Setup { authorized: vec![client.public(&key)], ..Setup::default() });
        client.know(&sshd.known_hosts_line());
        let agent = Agent::start(&client);
        agent.add(&key);
        std::fs::remove_file(&key).unwrap();
        let socket = format!("IdentityAgent {}", agent.socket.display());
        client.config(&alias("nas", &sshd, Path::new("none"), &socket));
        for way in BOTH {
            assert_eq!(talk(&*quiet(way, &client, "ssh://nas", "cat"), b"x").unwrap(), b"x", "{kind} {way:?}");
        }
        // By SSH_AUTH_SOCK, too; and not when only configured keys are wanted.
        client.config(&alias("nas", &sshd, Path::new("none"), ""));
        let nobody: Arc<dyn Prompt> = Arc::new(NoInput);
        let by_variable = open_by(Way::Embedded, &client, "ssh://nas", "cat", nobody.clone(), Some(&agent));
        assert_eq!(talk(&*by_variable, b"x").unwrap(), b"x");
        client.config(&alias("nas", &sshd, Path::new("none"), "IdentitiesOnly yes"));
        let refused = failure(&*open_by(Way::Embedded, &client, "ssh://nas", "cat", nobody, Some(&agent)));
        assert!(matches!(refused, Error::Auth { .. }), "{refused}");
    }
}

#[test]
fn a_certificate_of_the_user() {
    let client = Client::new();
    let (key, authority) = (client.key("ed25519", ""), client.key("ecdsa", ""));
    sshd::run(Command::new("ssh-keygen").args(["-q", "-I", "me", "-n", &user(), "-s"]).arg(&authority).arg(&key));
    let line = format!("cert-authority {}", client.public(&authority));
    let sshd = Sshd::start(Setup { authorized: vec![line], ..Setup::default() });
    client.know(&sshd.known_hosts_line());
    client.config(&alias("nas", &sshd, &key, ""));
    for way in BOTH {
        assert_eq!(talk(&*quiet(way, &client, "ssh://nas", "cat"), b"x").unwrap(), b"x", "{way:?}");
    }
}

#[test]
fn over_a_jump_host() {
    let (client, jump) = pair(Setup::default());
    let key = client.file(".ssh/ed25519");
    let target = Sshd::start(Setup { authorized: vec![client.public(&key)], ..Setup::default() });
    client.know(&(jump.known_hosts_line() + &target.known_hosts_line()));
    let hosts = |more: &str| alias("jump", &jump, &key, "") + &alias("nas", &target, &key, more);

    client.config(&hosts("ProxyJump jump"));
    for way in BOTH {
        assert_eq!(talk(&*quiet(way, &client, "ssh://nas", "cat"), b"x").unwrap(), b"x", "{way:?}");
    }
    assert!(jump.log().contains("Accepted publickey"));

    client.config(&hosts(&format!("ProxyCommand {} -W %h:%p jump", client.ssh().display())));
    for way in BOTH {
        assert_eq!(talk(&*quiet(way, &client, "ssh://nas", "cat"), b"x").unwrap(), b"x", "{way:?}");
    }

    // Each hop's key is checked: the jump host's ...
    client.config(&hosts("ProxyJump jump"));
    client.know(&target.known_hosts_line());
    let refused = failure(&*quiet(Way::Embedded, &client, "ssh://nas", "cat"));
    let unknown =
        HostKey { host: jump.host(), fingerprint: fingerprint(&jump, "ed25519"), problem: HostKeyProblem::Unknown };
    assert_eq!(refused, Error::HostKey(unknown));
    // ... and the target's.
    client.know(&jump.known_hosts_line());
    assert!(
        matches!(failure(&*quiet(Way::Embedded, &client, "ssh://nas", "cat")), Error::HostKey(HostKey { host, .. }) if host == target.host())
    );

    // A jump host that does not forward is not a lost connection.
    let closed = Sshd::start(Setup {
        authorized: vec![client.public(&key)],
        config: vec!["AllowTcpForwarding no".into()],
        ..Setup::default()
    });
    client.know(&(closed.known_hosts_line() + &target.known_hosts_line()));
    client.config(&(alias("jump", &closed, &key, "") + &alias("nas", &target, &key, "ProxyJump jump")));
    for way in BOTH {
        let refused = failure(&*quiet(way, &client, "ssh://nas", "cat"));
        assert!(matches!(refused, Error::Unreachable { .. }), "{way:?}: {refused}");
    }
}

#[test]
fn over_ipv6() {
    if !sshd::has_ipv6() {
        eprintln!("there is no IPv6 here");
        return;
    }
    let client = Client::new();
    let key = client.key("ed25519", "");
    let sshd = Sshd::start(Setup { authorized: vec![client.public(&key)], ipv6: true, ..Setup::default() });
    client.know(&sshd.known_hosts_line());
    client.config(&format!("Host ::1\n IdentityFile {}\n", key.display()));
    let target = format!("ssh://{}@[::1]:{}/vault", user(), sshd.port);
    for way in BOTH {
        assert_eq!(talk(&*quiet(way, &client, &target, "cat"), b"x").unwrap(), b"x", "{way:?}");
    }
}

fn fingerprint(sshd: &Sshd, kind: &str) -> String {
    let line = sshd::run(Command::new("ssh-keygen").arg("-lf").arg(sshd.host_key_file(kind)));
    line.split(' ').nth(1).unwrap().to_owned()
}

#[test]
fn an_unknown_host_is_asked_about_once_and_refused_when_nobody_is_there() {
    let (client, sshd) = pair(Setup::default());
    let key = client.file(".ssh/ed25519");
    client.know("");
    let unknown =
        HostKey { host: sshd.host(), fingerprint: fingerprint(&sshd, "ed25519"), problem: HostKeyProblem::Unknown };
    assert_eq!(failure(&*quiet(Way::Embedded, &client, "ssh://nas", "cat")), Error::HostKey(unknown.clone()));
    let refused = failure(&*quiet(Way::System, &client, "ssh://nas", "cat"));
    assert!(matches!(refused, Error::HostKey(HostKey { problem: HostKeyProblem::Unknown, .. })), "{refused}");

    // Somebody who says no.
    let no = Arc::new(Person::default());
    let refused = failure(&*open_by(Way::Embedded, &client, "ssh://nas", "cat", no.clone(), None));
    assert_eq!(refused, Error::HostKey(unknown.clone()));
    assert_eq!(no.asked(), [format!("{} ssh-ed25519 {}", sshd.host(), unknown.fingerprint)]);

    // Somebody who says yes; after that, both clients know the host.
    client.config(&alias("nas", &sshd, &key, "HashKnownHosts yes"));
    let yes = Arc::new(Person { accepts: true, ..Person::default() });
    let carrier = open_by(Way::Embedded, &client, "ssh://nas", "cat", yes.clone(), None);
    assert_eq!(talk(&*carrier, b"x").unwrap(), b"x");
    assert_eq!(yes.asked().len(), 1);
    let written = std::fs::read_to_string(client.file(".ssh/known_hosts")).unwrap();
    assert!(written.starts_with("|1|") && written.lines().count() == 1, "{written}");
    for way in BOTH {
        assert_eq!(talk(&*quiet(way, &client, "ssh://nas", "cat"), b"x").unwrap(), b"x", "{way:?}");
    }

    // `yes` never asks.
    client.know("");
    client.config(&alias("nas", &sshd, &key, "StrictHostKeyChecking yes"));
    let refused = failure(&*open_by(Way::Embedded, &client, "ssh://nas", "cat", yes.clone(), None));
    assert_eq!(refused, Error::HostKey(unknown));
    assert_eq!(yes.asked().len(), 1);

    // `accept-new` takes it without asking.
    client.config(&alias("nas", &sshd, &key, "StrictHostKeyChecking accept-new"));
    assert_eq!(talk(&*quiet(Way::Embedded, &client, "ssh://nas", "cat"), b"x").unwrap(), b"x");
}

#[test]
fn a_changed_host_key_is_always_refused() {
    let (client, mut sshd) = pair(Setup::default());
    let key = client.file(".ssh/ed25519");
    sshd.restart_with_new_keys();
    let now = fingerprint(&sshd, "ed25519");
    let on_record = format!("{}:1", client.file(".ssh/known_hosts").display());
    for more in ["", "StrictHostKeyChecking no", "StrictHostKeyChecking accept-new"] {
        client.config(&alias("nas", &sshd, &key, more));
        for way in BOTH {
            let yes = Arc::new(Person { accepts: true, ..Person::default() });
            let prompt: Arc<dyn Prompt> = if way == Way::System { Arc::new(NoInput) } else { yes.clone() };
            let refused = failure(&*open_by(way, &client, "ssh://nas", "cat", prompt, None));
            let Error::HostKey(HostKey { fingerprint, problem, .. }) = &refused else { panic!("{way:?}: {refused}") };
            assert_eq!(*problem, HostKeyProblem::Changed { on_record: on_record.clone() }, "{way:?}");
            assert_eq!(*fingerprint, now, "{way:?}");
            assert!(yes.asked().is_empty());
        }
    }
    // With the new key beside the old one, as while keys are exchanged, all is well.
    let old = std::fs::read_to_string(client.file(".ssh/known_hosts")).unwrap();
    client.know(&(old + &sshd.known_hosts_line()));
    for way in BOTH {
        assert_eq!(talk(&*quiet(way, &client, "ssh://nas", "cat"), b"x").unwrap(), b"x", "{way:?}");
    }
}

#[test]
fn a_revoked_host_key_is_always_refused() {
    let (client, sshd) = pair(Setup::default());
    client.know(&format!("{}@revoked * {}\n", sshd.known_hosts_line(), sshd.host_key("ed25519")));
    for way in BOTH {
        let refused = failure(&*quiet(way, &client, "ssh://nas", "cat"));
        assert!(
            matches!(&refused, Error::HostKey(HostKey { problem: HostKeyProblem::Revoked { .. }, .. })),
            "{way:?}: {refused}"
        );
    }
}

#[test]
fn known_hosts_that_cannot_be_read_refuse() {
    let (client, _sshd) = pair(Setup::default());
    std::fs::remove_file(client.file(".ssh/known_hosts")).unwrap();
    std::fs::create_dir(client.file(".ssh/known_hosts")).unwrap();
    let refused = failure(&*quiet(Way::Embedded, &client, "ssh://nas", "cat"));
    assert!(matches!(&refused, Error::HostKey(HostKey { problem: HostKeyProblem::Unusable { .. }, .. })), "{refused}");
}

#[test]
fn certificates_of_hosts() {
    let (client, mut sshd) = pair(Setup::default());
    let (authority, host_key) = (client.key("ecdsa", ""), sshd.host_key_file("ed25519"));
    let certify = |principal: &str, validity: &str| {
        let mut command = Command::new("ssh-keygen");
        command.args(["-q", "-h", "-I", "host", "-n", principal, "-V", validity, "-s"]).arg(&authority).arg(&host_key);
        sshd::run(&mut command);
    };
    let certificate = format!("{}-cert.pub", host_key.display());
    sshd.add_config(&format!("HostCertificate {certificate}"));
    client.know(&format!("@cert-authority 127.0.0.1,[127.0.0.1]:* {}\n", client.public(&authority)));

    certify("127.0.0.1", "20200101:20400101");
    sshd.stop();
    sshd.start_again();
    for way in BOTH {
        assert_eq!(talk(&*quiet(way, &client, "ssh://nas", "cat"), b"x").unwrap(), b"x", "{way:?}");
    }
    for (principal, validity, word) in
        [("elsewhere", "20200101:20400101", "another host"), ("127.0.0.1", "20200101:20200102", "time is over")]
    {
        certify(principal, validity);
        sshd.stop();
        sshd.start_again();
        let refused = failure(&*quiet(Way::Embedded, &client, "ssh://nas", "cat"));
        assert!(matches!(&refused, Error::HostKey(_)) && refused.to_string().contains(word), "{refused}");
    }
    // An authority that is not ours says nothing: the plain key is looked at.
    client.know(&format!("@cert-authority * {}\n", client.public(&client.file(".ssh/ed25519"))));
    let refused = failure(&*quiet(Way::Embedded, &client, "ssh://nas", "cat"));
    assert!(matches!(&refused, Error::HostKey(HostKey { problem: HostKeyProblem::Unknown, .. })), "{refused}");
    client.know(&format!(
        "@cert-authority * {}\n{}",
        client.public(&client.file(".ssh/ed25519")),
        sshd.known_hosts_line()
    ));
    assert_eq!(talk(&*quiet(Way::Embedded, &client, "ssh://nas", "cat"), b"x").unwrap(), b"x");
}

#[test]
fn a_missing_program_is_told_from_everything_else() {
    let home = tempfile::tempdir().unwrap();
    let (client, _sshd) = pair(Setup { home: Some(home.path().to_owned()), ..Setup::default() });
    let address = Address::parse("nas:my vault").unwrap();
    let plan = |wish, program: Option<&str>| Plan { wish, remote_program: program.map(Into::into), account: None };
    let around = around(&client);
    for wish in [Wish::Embedded, Wish::System, Wish::Auto] {
        let start = |program| carrier(&address, &plan(wish, program), &around, world(Arc::new(NoInput))).unwrap().0;
        let missing = failure(&*start(None));
        assert_eq!(missing, Error::NoProgram { host: "nas".into(), why: "tuckbox: not found".into() }, "{wish:?}");
        assert!(matches!(failure(&*start(Some("/no/such"))), Error::NoProgram { .. }), "{wish:?}");
        assert!(matches!(failure(&*start(Some("/etc/passwd"))), Error::NoProgram { .. }), "{wish:?}");
    }
    // It is found where users put it, and starts in their home with the words as given.
    let program = home.path().join(".cargo/bin/tuckbox");
    std::fs::create_dir_all(program.parent().unwrap()).unwrap();
    std::fs::write(&program, "#!/bin/sh\npwd; printf '<%s>' \"$@\"\n").unwrap();
    std::fs::set_permissions(&program, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    for wish in [Wish::Embedded, Wish::System] {
        let (carrier, choice) = carrier(&address, &plan(wish, None), &around, world(Arc::new(NoInput))).unwrap();
        let said = String::from_utf8(talk(&*carrier, b"").unwrap()).unwrap();
        let home = home.path().canonicalize().unwrap();
        assert_eq!(said, format!("{}\n<serve><--stdio><--vault=my vault>", home.display()));
        assert!(choice.unwrap().to_string().contains("as wished"));
    }
}

#[test]
fn the_far_side_reads_the_words_of_a_forced_command() {
    let client = Client::new();
    let key = client.key("ed25519", "");
    let forced = format!("command=\"printf %s \\\"$SSH_ORIGINAL_COMMAND\\\"\",restrict {}", client.public(&key));
    let sshd = Sshd::start(Setup { authorized: vec![forced], ..Setup::default() });
    client.know(&sshd.known_hosts_line());
    client.config(&alias("nas", &sshd, &key, ""));
    let plan = Plan { account: Some("it's mine".into()), ..Plan::default() };
    let (carrier, _) =
        carrier(&Address::parse("ssh://nas/a b").unwrap(), &plan, &around(&client), world(Arc::new(NoInput))).unwrap();
    let line = String::from_utf8(talk(&*carrier, b"").unwrap()).unwrap();
    let asked = transport::carrier::remote::read_back(&line).unwrap();
    assert_eq!((asked.vault.as_deref(), asked.account.as_deref()), (Some("/a b"), Some("it's mine")));
}

#[test]
fn nobody_answers() {
    let (client, mut sshd) = pair(Setup::default());
    sshd.stop();
    for way in BOTH {
        let refused = failure(&*quiet(way, &client, "ssh://nas", "cat"));
        let Error::Unreachable { why, .. } = &refused else { panic!("{way:?}: {refused}") };
        assert!(why.contains("refused"), "{why}");
    }
    // Something that is no SSH server, and one that ends at once.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let served = std::thread::spawn(move || {
        use std::io::Write;
        for greeting in ["HTTP/1.1 400 Bad Request\r\n\r\n", "", "SSH-2.0-x\r\n"] {
            listener.accept().unwrap().0.write_all(greeting.as_bytes()).unwrap();
        }
    });
    for _ in 0..3 {
        let refused = failure(&*quiet(Way::Embedded, &client, &format!("ssh://127.0.0.1:{port}"), "cat"));
        assert!(matches!(refused, Error::Unreachable { .. }), "{refused}");
    }
    served.join().unwrap();
    let refused = failure(&*quiet(Way::Embedded, &client, "ssh://no-such-host.invalid", "cat"));
    assert!(matches!(refused, Error::Unreachable { .. }), "{refused}");
    sshd.start_again();
    assert_eq!(talk(&*quiet(Way::Embedded, &client, "ssh://nas", "cat"), b"x").unwrap(), b"x");
}

#[test]
fn stripes_share_one_connection_and_flood_both_ways() {
    let (client, sshd) = pair(Setup::default());
    let carrier = quiet(Way::Embedded, &client, "ssh://nas", "cat");
    let data: Vec<u8> = (0..12_000_000_u32).map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes()[3]).collect();
    let pipes: Vec<Pipe> = (0..4).map(|_| carrier.open().unwrap()).collect();
    let got = block_on(async {
        let all: Vec<_> = pipes.into_iter().map(|pipe| exchange(pipe, data.clone())).collect();
        let mut got = Vec::new();
        let mut running = tokio::task::JoinSet::new();
        for one in all {
            running.spawn(one);
        }
        while let Some(one) = running.join_next().await {
            got.push(one.unwrap().unwrap());
        }
        got
    });
    assert!(got.len() == 4 && got.iter().all(|g| *g == data));
    assert_eq!(sshd.log().matches("Accepted publickey").count(), 1);
    assert_eq!(carrier.end_report(), None);
}

#[test]
fn one_pipe_that_nobody_reads_does_not_stop_the_others_for_long() {
    let (client, _sshd) = pair(Setup::default());
    let carrier = quiet(Way::Embedded, &client, "ssh://nas", "sh -c 'head -c 4000000 /dev/zero; cat'");
    // It fills the queue of this pipe, but not the connection's: what the far side may send ahead is bounded.
    let unread = carrier.open().unwrap();
    let other = carrier.open().unwrap();
    assert_eq!(block_on(exchange(other, b"x".to_vec())).unwrap().len(), 4_000_001);
    assert_eq!(block_on(exchange(unread, b"y".to_vec())).unwrap().len(), 4_000_001);
}

#[test]
fn a_cut_connection_ends_the_pipe_and_the_next_one_connects_again() {
    let (client, sshd) = pair(Setup::default());
    for way in BOTH {
        let carrier = quiet(way, &client, "ssh://nas", "cat");
        let pipe = carrier.open().unwrap();
        let ended = block_on(async {
            let (mut reader, mut writer, keep) = pipe.split().unwrap();
            writer.write_all(b"x").await.unwrap();
            writer.flush().await.unwrap();
            let mut one = [0];
            reader.read_exact(&mut one).await.unwrap();
            sshd.cut();
            let mut rest = Vec::new();
            // The end of the pipe, or an error: never a wait for ever. Writing fails, too.
            drop(reader.read_to_end(&mut rest).await);
            assert!(rest.is_empty());
            while writer.write_all(&[0; 65536]).await.is_ok() {}
            drop(keep);
            carrier.explain(Error::lost("end of pipe"))
        });
        assert!(matches!(&ended, Error::Lost { .. } | Error::Unreachable { .. }), "{way:?}: {ended}");
        assert!(carrier.end_report().is_some(), "{way:?}");
        assert_eq!(talk(&*carrier, b"again").unwrap(), b"again", "{way:?}");
    }
}

#[test]
fn a_dropped_pipe_ends_the_far_side() {
    let (client, _sshd) = pair(Setup::default());
    let file = client.file("ended");
    let line = format!("cat >/dev/null; echo done > '{0}.new'; mv '{0}.new' '{0}'", file.display());
    for way in BOTH {
        let carrier = quiet(way, &client, "ssh://nas", &line);
        let pipe = carrier.open().unwrap();
        block_on(async {
            let (reader, mut writer, keep) = pipe.split().unwrap();
            writer.write_all(b"x").await.unwrap();
            drop((reader, writer, keep));
        });
        // The report waits for the end.
        assert_eq!(carrier.end_report(), None, "{way:?}");
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "done\n", "{way:?}");
        std::fs::remove_file(&file).unwrap();
    }
}

#[test]
fn a_server_that_allows_no_more_channels_says_so() {
    let (client, _sshd) = pair(Setup { config: vec!["MaxSessions 2".into()], ..Setup::default() });
    let carrier = quiet(Way::Embedded, &client, "ssh://nas", "cat");
    let (first, _second) = (carrier.open().unwrap(), carrier.open().unwrap());
    let refused = carrier.open().err().unwrap();
    assert!(matches!(&refused, Error::Unreachable { why, .. } if why.contains("channel")), "{refused}");
    assert_eq!(block_on(exchange(first, b"still here".to_vec())).unwrap(), b"still here");
}

#[test]
fn environment_for_the_far_side() {
    let (client, sshd) = pair(Setup { config: vec!["AcceptEnv TUCK_*".into()], ..Setup::default() });
    client.config(&alias("nas", &sshd, &client.file(".ssh/ed25519"), "SetEnv TUCK_A=1"));
    for way in BOTH {
        assert_eq!(talk(&*quiet(way, &client, "ssh://nas", "echo $TUCK_A"), b"").unwrap(), b"1\n", "{way:?}");
    }
}

#[test]
fn a_command_is_a_carrier() {
    let person = Arc::new(Person::default());
    let carrier = CommandCarrier::new("cat; echo note >&2; exit 4", person.clone());
    assert_eq!(talk(&carrier, b"x").unwrap(), b"x");
    assert_eq!(carrier.end_report(), Some("exit status 4; it said: note".into()));
    assert_eq!(*person.said.lock().unwrap(), ["remote: note"]);
    let missing = CommandCarrier::new("/no/such/program", person.clone());
    assert!(matches!(failure(&missing), Error::NoProgram { .. }));
    let killed = CommandCarrier::new("kill -9 $$", person.clone());
    assert_eq!(failure(&killed), Error::NoMagic { noise: vec![] });
    assert_eq!(killed.end_report(), Some("ended by signal 9".into()));
    let dir = tempfile::tempdir().unwrap();
    let there = CommandCarrier::new("pwd", person).in_directory(dir.path());
    assert_eq!(talk(&there, b"").unwrap(), format!("{}\n", dir.path().canonicalize().unwrap().display()).into_bytes());
}

#[test]
fn a_command_that_ignores_the_end_of_its_pipe_is_ended() {
    let dir = tempfile::tempdir().unwrap();
    let pid = dir.path().join("pid");
    let command = format!("echo $$ > '{0}.new'; mv '{0}.new' '{0}'; echo; exec sleep 1000", pid.display());
    let carrier = CommandCarrier::new(command, Arc::new(NoInput));
    let pipe = carrier.open().unwrap();
    block_on(async {
        let (mut reader, writer, keep) = pipe.split().unwrap();
        reader.read_exact(&mut [0]).await.unwrap();
        drop((reader, writer, keep));
    });
    let number: i32 = std::fs::read_to_string(&pid).unwrap().trim().parse().unwrap();
    let number = rustix::process::Pid::from_raw(number).unwrap();
    // Patience is 5 seconds, a report waits half of one.
    let ended = (0..30).any(|_| carrier.end_report().is_some());
    assert!(ended && rustix::process::test_kill_process(number).is_err());
}
