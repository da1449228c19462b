//! Over real SSH: private servers of OpenSSH on loopback ports. What the client side can do with keys and host keys is
//! tried in `transport/tests/ssh.rs`; here the whole is.

use std::fs;
use std::path::Path;
use std::time::Duration;

use tests::net::Net;
use tests::pty::Terminal;
use tests::sshd::{Agent, Setup, Sshd, has_ipv6};
use tests::subject::Outcome;
use tests::wait::within;
use tests::world::World;
use tests::{look, need, pinned, tree};

use crate::world;

/// The ways to reach a server.
const WAYS: [&str; 3] = ["auto", "embedded", "system"];

/// A machine and a server; `None` when there is no sshd here.
fn net(change: impl FnOnce(&World, &mut Setup)) -> Option<Net> {
    let world = world();
    Net::with(&world, |setup| change(&world, setup))
}

/// It failed so, and told it in the pinned words.
fn pin(outcome: Outcome, code: &str, exit: i32) {
    let outcome = outcome.fails(code, exit);
    pinned::check(&format!("errors/{code}"), &outcome.error());
}

/// Processes of the program that serve a vault of this world.
fn serving(world: &World) -> Vec<String> {
    let lines = fs::read_dir("/proc").unwrap().flatten().filter_map(|p| fs::read(p.path().join("cmdline")).ok());
    let lines = lines.map(|line| String::from_utf8_lossy(&line).replace('\0', " "));
    lines.filter(|line| line.contains("serve --stdio") && line.contains(&world.arg(""))).collect()
}

#[test]
fn back_up_and_restore_by_every_way() {
    let Some(net) = net(|_, _| {}) else { return };
    let world = net.ready();
    let source = look::at(tree::seeded(world.path("source"), 61, 300, 9_000_000).path());
    for way in WAYS {
        let words = |words: &[&str]| world.tuckbox(words).and(["--ssh", way]);
        words(&["backup", &world.arg("source")]).ok();
        words(&["restore", &world.arg("source"), "--to", &world.arg("out"), "--verify"]).ok();
        source.same_as(&look::at(world.path("out/source")));
        fs::remove_dir_all(world.path("out")).unwrap();
        words(&["check", "--read-data"]).ok();
    }
    let gone = within(Duration::from_secs(60), || serving(&world).is_empty());
    assert!(gone, "still running on the server: {:?}", serving(&world));
}

#[test]
fn a_run_without_changes_is_a_few_bytes() {
    let Some(net) = net(|_, _| {}) else { return };
    let world = net.ready();
    tree::seeded(world.path("source"), 62, 800, 4_000_000);
    world.tuckbox(["backup", &world.arg("source")]).ok();
    let again = world.tuckbox(["backup", &world.arg("source"), "--json"]).ok();
    assert_eq!((again.count("files_unchanged"), again.count("read_bytes")), (800, 0));
    assert!(again.count("sent_bytes") + again.count("received_bytes") < 4_096, "{again}");
}

#[test]
fn addresses_of_every_form() {
    let Some(net) = net(|_, _| {}) else { return };
    net.ready();
    let port = net.sshd.port;
    let user = tests::sshd::run(std::process::Command::new("id").arg("-un")).trim().to_owned();
    let vault = net.world.arg("server/vault");
    let key = net.world.home().join(".ssh/ed25519");
    let every = format!("{}Host *\n IdentityFile {}\n", net.alias(&key), key.display());
    net.world.ssh().config(&every);
    for address in [
        format!("ssh://nas{vault}"),
        "ssh://nas/~/vault".to_owned(),
        "nas:vault".to_owned(),
        format!("{user}@nas:vault"),
        format!("ssh://127.0.0.1:{port}{vault}"),
        format!("ssh://{user}@127.0.0.1:{port}/~/vault"),
    ] {
        for way in WAYS {
            net.world.with_vault(&address).tuckbox(["versions", "--ssh", way]).ok();
        }
    }
}

#[test]
fn host_keys_of_every_type() {
    for kind in ["ed25519", "ecdsa", "rsa"] {
        let Some(net) = net(|_, setup| setup.host_keys = vec![kind]) else { return };
        let world = net.ready();
        WAYS.iter().for_each(|way| drop(world.tuckbox(["versions", "--ssh", way]).ok()));
    }
}

#[test]
fn a_key_with_a_passphrase_and_an_agent() {
    let Some(net) = net(|world, setup| {
        let client = world.ssh();
        setup.authorized =
            vec![client.public(&client.key("ecdsa", "open sesame")), client.public(&client.key("rsa", ""))];
    }) else {
        return;
    };
    let client = net.world.ssh();
    client.config(&net.alias(&client.file(".ssh/ecdsa-locked")));
    for way in WAYS {
        let world = net.at("/~/vault");
        let init = Terminal::start(world.tuckbox(["init", "--ssh", way]), 24, 120);
        init.shows("assphrase").keys("open sesame\r");
        init.until("the end", |screen| {
            let text = screen.contents();
            ["Next:", "there already", "New passphrase"].iter().any(|end| text.contains(end))
        });
        if init.contents().contains("New passphrase") {
            init.keys("\r").shows("recovery words now").keys("n\r").shows("Next:");
        }
        assert_eq!(init.end(), 0);
    }
    client.config(&net.alias(Path::new("none")));
    let agent = Agent::start(&client);
    agent.add(&client.file(".ssh/rsa"));
    for way in WAYS {
        net.at("/~/vault").tuckbox(["versions", "--ssh", way]).env("SSH_AUTH_SOCK", &agent.socket).ok();
    }
}

#[test]
fn over_a_jump_host() {
    let Some(net) = net(|_, _| {}) else { return };
    net.ready();
    let client = net.world.ssh();
    let key = client.file(".ssh/ed25519");
    let jump = Sshd::start(Setup { authorized: vec![client.public(&key)], ..Setup::default() });
    client.know(&(net.sshd.known_hosts_line() + &jump.known_hosts_line()));
    let hop = format!("Host hop\n HostName 127.0.0.1\n Port {}\n IdentityFile {}\n", jump.port, key.display());
    client.config(&format!("{}ProxyJump hop\n{hop}", net.alias(&key)));
    for way in WAYS {
        net.at("/~/vault").tuckbox(["versions", "--ssh", way]).ok();
    }
    assert!(jump.log().contains("Accepted publickey"), "the way led past the jump host");
}

#[test]
fn over_ipv6() {
    if !has_ipv6() {
        need::have(true, "no IPv6 here");
        return;
    }
    let Some(net) = net(|_, setup| setup.ipv6 = true) else { return };
    net.ready();
    let key = net.world.home().join(".ssh/ed25519");
    net.world.ssh().config(&format!("Host *\n IdentityFile {}\n", key.display()));
    let address = format!("ssh://[::1]:{}/~/vault", net.sshd.port);
    for way in WAYS {
        net.world.with_vault(&address).tuckbox(["versions", "--ssh", way]).ok();
    }
}

#[test]
fn host_keys_unknown_and_changed() {
    let Some(mut net) = net(|_, _| {}) else { return };
    let world = net.ready();
    let client = world.ssh();
    client.know("");
    for way in WAYS {
        let run = world.tuckbox(["versions", "--ssh", way]).run().fails("auth.hostkey", 7);
        if way == "embedded" {
            pinned::check("errors/auth.hostkey.unknown", &hidden(&run.error()));
        }
    }
    let asked = Terminal::start(world.tuckbox(["versions", "--ssh", "embedded"]), 24, 120);
    asked.shows("SHA256:").keys("yes\r");
    assert_eq!(asked.end(), 0);
    world.tuckbox(["versions"]).ok();

    net.sshd.restart_with_new_keys();
    for way in WAYS {
        let run = world.tuckbox(["versions", "--ssh", way]).run().fails("auth.hostkey", 7);
        if way == "embedded" {
            pinned::check("errors/auth.hostkey.changed", &hidden(&run.error()));
        }
    }
    let refused = Terminal::start(world.tuckbox(["versions", "--ssh", "embedded"]), 24, 120);
    assert_eq!(refused.end(), 7, "a changed key is refused at a terminal, too");
}

/// A text without fingerprints.
fn hidden(text: &str) -> String {
    let mut parts = text.split("SHA256:");
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let end = part.find(|c: char| !c.is_ascii_alphanumeric() && !"+/=".contains(c)).unwrap_or(part.len());
        out.push_str("SHA256:PRINT");
        out.push_str(&part[end..]);
    }
    out
}

#[test]
fn a_login_that_is_refused() {
    let Some(net) = net(|_, setup| setup.authorized = Vec::new()) else { return };
    let world = net.at("/~/vault");
    world.tuckbox(["versions", "--ssh", "system"]).run().fails("auth.refused", 7);
    pin(world.tuckbox(["versions", "--ssh", "embedded"]).run(), "auth.refused", 7);
}

#[test]
fn a_shell_that_prints_a_banner() {
    let Some(net) = net(|world, setup| {
        (setup.home, setup.programs) = (None, None);
        let script =
            format!("echo Welcome to nas; PATH={}:$PATH; eval \\\"$SSH_ORIGINAL_COMMAND\\\"", world.arg("bin"));
        setup.authorized[0].insert_str(0, &format!("command=\"{script}\" "));
    }) else {
        return;
    };
    let world = net.at(&net.world.arg("vault"));
    tree::small(world.path("docs"));
    for way in WAYS {
        world.tuckbox(["init", "--ssh", way]).ok();
        world.tuckbox(["backup", "--ssh", way, &world.arg("docs")]).ok();
    }
}

#[test]
fn a_host_without_the_program() {
    let Some(net) = net(|_, setup| setup.programs = None) else { return };
    let world = net.at("/~/vault");
    world.tuckbox(["versions", "--ssh", "system"]).run().fails("net.no_program", 5);
    let run = world.tuckbox(["versions", "--ssh", "embedded"]).run().fails("net.no_program", 5);
    pinned::check("errors/net.no_program.ssh", &run.error());
    let program = net.world.arg("bin/tuckbox");
    world.tuckbox(["init", "--remote-program", &program]).ok();
}

#[test]
fn a_forced_command_decides() {
    let Some(net) = net(|world, setup| {
        (setup.home, setup.programs) = (None, None);
        let words =
            format!("{} serve --stdio --vault {} --role append", world.arg("bin/tuckbox"), world.arg("server/vault"));
        setup.authorized[0].insert_str(0, &format!("restrict,command=\"{words}\" "));
    }) else {
        return;
    };
    net.world.with_vault(net.world.arg("server/vault")).tuckbox(["init"]).ok();
    let world = net.at("");
    tree::small(world.path("docs"));
    world.tuckbox(["backup", &world.arg("docs")]).ok();
    world.tuckbox(["restore", &world.arg("docs"), "--to", &world.arg("out")]).run().fails("policy.role", 12);
    world.tuckbox(["key", "rotate"]).run().fails("policy.role", 12);
    net.at(&net.world.arg("another/vault")).tuckbox(["versions"]).run().fails("policy.role", 12);
}

#[test]
fn a_connection_that_is_cut() {
    let Some(net) = net(|_, _| {}) else { return };
    let world = net.ready();
    tree::seeded(world.path("source"), 63, 400, 40_000_000);
    for way in ["embedded", "system"] {
        let call = world.tuckbox(["backup", "--ssh", way, &world.arg("source")]).start();
        let stored = || tests::subject::bytes_below(&world.path("server/vault/domains"));
        let before = stored();
        within(Duration::from_secs(60), || stored() > before + (2 << 20) || call.ends_within(Duration::ZERO));
        net.sshd.cut();
        let run = call.wait();
        if run.code() != 0 {
            run.fails("net.lost", 8);
        }
    }
    world.tuckbox(["backup", &world.arg("source")]).ok();
    world.tuckbox(["restore", &world.arg("source"), "--to", &world.arg("out")]).ok();
    look::at(world.path("source")).same_as(&look::at(world.path("out/source")));
}

#[test]
fn everything_lost_but_the_server_and_the_words() {
    let Some(net) = net(|_, _| {}) else { return };
    let world = net.ready();
    let docs = look::at(tree::small(world.path("docs")).path());
    world.tuckbox(["backup", &world.arg("docs")]).ok();
    fs::write(world.path("words"), world.words()).unwrap();
    let ssh = world.home().join(".ssh");
    fs::rename(&ssh, world.path("ssh")).unwrap();
    world.lose_everything();
    world.ssh();
    fs::remove_dir_all(&ssh).unwrap();
    fs::rename(world.path("ssh"), &ssh).unwrap();
    fs::remove_dir_all(world.path("docs")).unwrap();
    world.tuckbox(["key", "recover", "--words-file", &world.arg("words")]).ok();
    world.tuckbox(["restore", "--yes"]).ok();
    docs.same_as(&look::at(world.path("docs")));
}
