//! Whether the server is the right one.

use crate::{
    harness::{BOTH, Person, alias, failure, fingerprint, open_by, pair, quiet, talk},
    sshd::{self, Setup},
};
use std::{process::Command, sync::Arc};
use transport::{
    Error,
    carrier::{NoInput, Prompt, Way},
    error::{HostKey, HostKeyProblem},
};

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
    // Revoked for the host is revoked on all of its ports.
    client.know(&format!("{}@revoked 127.0.0.1 {}\n", sshd.known_hosts_line(), sshd.host_key("ed25519")));
    let refused = failure(&*quiet(Way::Embedded, &client, "ssh://nas", "cat"));
    assert!(matches!(&refused, Error::HostKey(HostKey { problem: HostKeyProblem::Revoked { .. }, .. })), "{refused}");
    // And a key on record for the host is known on all of them, as it is for ssh.
    client.know(&format!("127.0.0.1 {}\n", sshd.host_key("ed25519")));
    for way in BOTH {
        assert_eq!(talk(&*quiet(way, &client, "ssh://nas", "cat"), b"x").unwrap(), b"x", "{way:?}");
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
