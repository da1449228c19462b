//! What goes through a carrier, and how it ends.

use crate::{
    harness::{BOTH, Person, alias, around, block_on, exchange, failure, pair, quiet, talk, world},
    sshd::{Client, Setup, Sshd},
};
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use transport::{
    Carrier, Error, Pipe,
    address::Address,
    carrier::{CommandCarrier, NoInput, Plan, Way, Wish, carrier},
};

#[test]
fn a_missing_program_is_told_from_everything_else() {
    let home = tempfile::tempdir().unwrap();
    let (client, _sshd) = pair(Setup { home: Some(home.path().to_owned()), ..Setup::default() });
    let address = Address::parse("nas:my vault").unwrap();
    let plan = |wish, program: Option<&str>| Plan { wish, remote_program: program.map(Into::into), ..Plan::default() };
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
        // A report waits two seconds for the end each time.
        assert!((0..15).any(|_| carrier.end_report().is_none() && file.exists()), "{way:?}");
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
    let there = CommandCarrier::new("pwd", person);
    assert_eq!(talk(&there, b"").unwrap(), format!("{}\n", std::env::current_dir().unwrap().display()).into_bytes());
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
