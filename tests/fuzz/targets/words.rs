//! What people and other programs write: configuration, times, patterns, addresses, `ssh -G`, known hosts, names.

use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use agent::config::Config;
use agent::source::{Pattern, read_list};
use agent::units::{parse_duration, parse_share, parse_size};
use agent::{engine, name, time};
use jiff::tz::TimeZone;
use transport::address::{Address, SshAddress};
use transport::carrier::Surroundings;
use transport::carrier::config::{Host, Printed, parse_hop};
use transport::carrier::known_hosts::{KnownHosts, glob};
use transport::carrier::remote::read_back;

use super::{Target, two};

const TOML: &[&[u8]] =
    &[b"[[source]]\n", b"path = ", b"\"\"\"", b"[a.b.c]", b"1979-05-27T07:32:00Z", b"'''", b"{a={b={", b"0x", b"inf"];
const TIMES: &[&[u8]] = &[
    b"latest~",
    b" days ago",
    b"yesterday ",
    b"-3h",
    b"mon 9am",
    b"2026-11-18",
    b"9999-12-31",
    b"id:",
    b"99999999999",
    b" months ago",
];
const GLOBS: &[&[u8]] = &[b"**/", b"*", b"?", b"[a-z]", b"[^", b"\\", b"..", b"*a", b"**"];
const SSH: &[&[u8]] = &[
    b"\nproxyjump ",
    b"\nproxycommand ",
    b"%h",
    b"%%",
    b"\nidentityfile ",
    b"\nport ",
    b"none",
    b"~/",
    b"\nstricthostkeychecking ",
];
const HOSTS: &[&[u8]] =
    &[b"@revoked ", b"@cert-authority ", b"|1|", b"ssh-ed25519 ", b"[h]:22", b",", b"!", b"*", b"AAAAC3NzaC1lZDI1NTE5"];

pub(super) const TARGETS: &[Target] = &[
    Target { name: "config", run: config, seeds: configs, words: TOML },
    Target { name: "time", run: time, seeds: times, words: TIMES },
    Target {
        name: "units",
        run: units,
        seeds: || list(&["4M", "200k", "3d", "1h30m", "5%", "0.1%"]),
        words: &[b"M", b"%", b"w", b"."],
    },
    Target { name: "pattern", run: pattern, seeds: patterns, words: GLOBS },
    Target {
        name: "address",
        run: address,
        seeds: addresses,
        words: &[b"ssh://", b"cmd:", b"[::1]", b"@", b":", b"/~/"],
    },
    Target { name: "ssh-config", run: ssh_config, seeds: ssh_configs, words: SSH },
    Target { name: "known-hosts", run: known_hosts, seeds: known, words: HOSTS },
    Target {
        name: "remote-command",
        run: remote_command,
        seeds: || list(&["tuckbox serve --stdio --vault '/a b' --account x"]),
        words: &[b"'\\''", b"--vault ", b"\\", b"\""],
    },
    Target {
        name: "names",
        run: names,
        seeds: || list(&["a\u{1b}[2Jb", "\u{202e}x\u{200b}", "\u{fffd}\n"]),
        words: &[b"\xe2\x80\xae", b"\xc2\x9b", b"\x1b"],
    },
    Target { name: "list", run: lists, seeds: || list(&["# x\n/a\r\n/b\n"]), words: &[b"\n", b"\0"] },
];

fn list(texts: &[&str]) -> Vec<Vec<u8>> {
    texts.iter().map(|text| text.as_bytes().to_vec()).collect()
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap_or_else(|e| std::str::from_utf8(&bytes[..e.valid_up_to()]).unwrap_or_default())
}

fn configs() -> Vec<Vec<u8>> {
    list(&[
        &agent::config::template::template(),
        "vault = \"/v\"\naccount = \"a\"\n[[source]]\npath = \"/a\"\nexclude = [\"*.o\", \"/x\"]\n[[source]]\npath = \"~/b\"\n",
    ])
}

fn config(bytes: &[u8]) {
    // What its errors quote, the faces make harmless.
    if let Err((line, _)) = Config::parse(text(bytes), Some(Path::new("/home/ana"))) {
        assert!(line >= 1);
    }
}

fn times() -> Vec<Vec<u8>> {
    list(&[
        "latest",
        "latest~3",
        "previous",
        "2 days ago",
        "2026-11-18 09:00",
        "yesterday",
        "mon 9am",
        "id:abcdef",
        "-3h",
        "2026-11-18T09:00:00+01:00",
    ])
}

fn time(bytes: &[u8]) {
    static ZONE: LazyLock<TimeZone> = LazyLock::new(|| TimeZone::get("Europe/Berlin").unwrap_or(TimeZone::UTC));
    for now in [1_795_000_000_000, 0, -1, i64::MAX / 2_000_000] {
        if let Ok(understood) = time::parse_at(text(bytes), now, &ZONE) {
            assert!(!understood.sentence.chars().any(char::is_control));
        }
    }
    if let Some(ms) = bytes.first_chunk::<8>().map(|ms| i64::from_le_bytes(*ms)) {
        drop((time::show(ms, &ZONE), time::utc(ms), time::show_file(ms, &ZONE)));
    }
}

fn units(bytes: &[u8]) {
    let text = text(bytes);
    drop(parse_size(text).map(agent::units::size));
    drop(parse_duration(text).map(agent::units::duration));
    if let Ok(share) = parse_share(text) {
        assert!(share <= 1_000);
    }
}

fn patterns() -> Vec<Vec<u8>> {
    let pairs: [(&[u8], &[u8]); 5] = [
        (b"*.o", b"/a/b/c.o"),
        (b"/home/*/.cache", b"/home/ana/.cache/x"),
        (b"**/a/**/b", b"/a/x/y/b"),
        (b"[a-z]?\\*", b"ab*"),
        (b"*a*a*a*a*a*b", b"aaaaaaaaaaaaaaaaaaaaaaaaaaaa"),
    ];
    pairs.iter().map(|(pattern, path)| super::joined(pattern, path)).collect()
}

/// A pattern and a path.
fn pattern(bytes: &[u8]) {
    let (pattern, path) = two(bytes);
    // A path of a file system, and a line that a person writes.
    let (pattern, path) = (&pattern[..pattern.len().min(1_024)], &path[..path.len().min(4_096)]);
    for fold in [false, true] {
        if let Ok(pattern) = Pattern::new(pattern, fold) {
            assert!(!pattern.matches_here(path) || pattern.matches(path), "what matches here, matches");
        }
    }
    assert!(glob("*", text(path)) && (!glob(text(pattern), "") || !text(pattern).contains(char::is_alphanumeric)));
    assert!(!engine::glob::clean(path).windows(2).any(|pair| pair == b"//"));
}

fn addresses() -> Vec<Vec<u8>> {
    list(&["ssh://me@host:22/srv/vault", "me@host:vault", "/srv/vault", "cmd:ssh x", "ssh://[::1]:22/~/v", "[::1]:v"])
}

fn address(bytes: &[u8]) {
    for text in [text(bytes), &text(bytes).replace(['\n', '\0'], "")] {
        match Address::parse(text) {
            Ok(Address::Ssh(SshAddress { host, user, .. })) => {
                assert!(!host.is_empty() && !host.starts_with('-'), "a host is never an option");
                assert!(user.is_none_or(|user| !user.starts_with('-')));
            }
            Ok(_) | Err(_) => {}
        }
        drop(parse_hop(text));
    }
}

fn surroundings() -> &'static Surroundings {
    static AROUND: LazyLock<Surroundings> = LazyLock::new(|| Surroundings {
        home: PathBuf::from("/home/ana"),
        user: "ana".into(),
        ssh: None,
        agent: None,
        kerberos: false,
        machine: "here".into(),
    });
    &AROUND
}

fn ssh_configs() -> Vec<Vec<u8>> {
    list(&[
        "user ana\nhostname host\nport 22\nidentityfile ~/.ssh/id_ed25519\nuserknownhostsfile ~/.ssh/known_hosts \"/a b\"\n\
        proxyjump me@jump:2222,other\nciphers aes256-gcm@openssh.com\nstricthostkeychecking accept-new\ncontrolpath /tmp/%C\n\
        identityagent $SSH_AUTH_SOCK\ncertificatefile %d/x\nserveraliveinterval 5\nconnecttimeout none\n",
    ])
}

fn ssh_config(bytes: &[u8]) {
    let Ok(Address::Ssh(address)) = Address::parse("ssh://ana@host/v") else { return };
    let printed = Printed::parse(text(bytes));
    for (key, _) in [("port", ()), ("ciphers", ()), ("identityfile", ())] {
        drop((printed.get(key), printed.list(key), printed.is_on(key), printed.all(key).count()));
    }
    let host = Host::from_printed(&address, printed, surroundings());
    drop((host.key_name(), host.may_use("publickey"), host.password_prompts()));
}

fn known() -> Vec<Vec<u8>> {
    let key = "AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f";
    list(&[
        &format!("host,[h]:2222,*.example.org,!x.example.org ssh-ed25519 {key} comment\n"),
        &format!("@revoked host ssh-ed25519 {key}\n@cert-authority *.example.org ssh-ed25519 {key}\n"),
        &format!("|1|AAECAwQFBgcICQoLDA0ODxAREhM=|AAECAwQFBgcICQoLDA0ODxAREhM= ssh-ed25519 {key}\n# x\n"),
    ])
}

fn known_hosts(bytes: &[u8]) {
    thread_local! {
        static FILE: tempfile::NamedTempFile = super::kept::scratch_file();
    }
    FILE.with(|file| {
        std::fs::write(file.path(), bytes).expect("written");
        let Ok(known) = KnownHosts::read(&[file.path().to_owned()]) else { return };
        for name in ["host", "[h]:2222", "x.example.org", ""] {
            drop((known.judge(name, b"\0\0\0\x0bssh-ed25519"), known.types(name), known.authorities(name)));
        }
    });
}

fn remote_command(bytes: &[u8]) {
    drop(read_back(text(bytes)));
}

fn names(bytes: &[u8]) {
    let harmless = |text: &str| !text.chars().any(|c| c.is_control() || ('\u{202a}'..='\u{202e}').contains(&c));
    let shown = name::for_terminal(bytes);
    assert!(harmless(&shown));
    assert!(harmless(&name::harmless_line(text(bytes))));
    let cut = name::cut_middle(&shown, 20);
    assert!(name::width(&cut) <= 20.max(name::width(&shown)));
    let (text, raw) = name::for_json(bytes);
    assert!(raw.is_some() || text.as_bytes() == bytes, "what is not the very bytes comes with them");
    assert!(name::is_clean(bytes) || raw.is_some() || text.as_bytes() == bytes);
}

fn lists(bytes: &[u8]) {
    if let Ok(paths) = read_list(&mut &bytes[..]) {
        assert!(paths.iter().all(|path| !path.is_empty() && !path.contains(&0) && !path.contains(&b'\n')));
    }
}
