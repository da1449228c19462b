//! Names, ways and keys: who is let in, and what is said to the others.

use crate::{
    harness::{BOTH, Person, alias, failure, fingerprint, open_by, pair, quiet, talk, user},
    sshd::{self, Agent, Client, Setup, Sshd},
};
use std::{path::Path, process::Command, sync::Arc};
use transport::{
    Error,
    carrier::{NoInput, Prompt, Way},
    error::{HostKey, HostKeyProblem},
};

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
