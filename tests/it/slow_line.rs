//! Over a line with a long way: real SSH through a forwarder that delivers everything late.

use std::path::Path;
use std::time::{Duration, Instant};

use tests::slow_line::SlowLine;
use tests::sshd::{Setup, Sshd};
use tests::tree::Seeded;
use tests::world::World;
use tests::{look, need};

use crate::world;

/// A machine, and a server at the other end of a slow line that knows its key.
struct Far {
    world: World,
    sshd: Sshd,
    line: SlowLine,
}

/// `None` when there is no sshd here.
fn far(program: Option<&Path>, round_trip_ms: u64, config: &[&str]) -> Option<Far> {
    if !need::programs(&["sshd", "ssh", "ssh-keygen"]) {
        return None;
    }
    let world = program.map_or_else(world, World::new);
    let client = world.ssh();
    let key = client.key("ed25519", "");
    let sshd = Sshd::start(Setup {
        authorized: vec![client.public(&key)],
        home: Some(world.dir("server")),
        programs: Some(world.path("bin")),
        config: config.iter().map(|line| (*line).to_owned()).collect(),
        ..Setup::default()
    });
    let line = SlowLine::start(sshd.port, Duration::from_millis(round_trip_ms));
    client.know(&format!("[127.0.0.1]:{} {}\n", line.port, sshd.host_key("ed25519")));
    client.config(&format!("Host far\n HostName 127.0.0.1\n Port {}\n IdentityFile {}\n", line.port, key.display()));
    let world = world.with_vault(format!("ssh://far{}", world.arg("server/vault")));
    world.tuckbox(["init"]).ok();
    Some(Far { world, sshd, line })
}

/// Files that do not compress: so many of 1 MiB.
fn noise(at: &Path, seed: u64, files: usize) {
    std::fs::create_dir_all(at).unwrap();
    let mut random = Seeded::new(seed);
    for n in 0..files {
        std::fs::write(at.join(format!("noise-{n:03}")), random.bytes(1 << 20)).unwrap();
    }
}

/// Sessions that the server has begun.
fn sessions(far: &Far) -> usize {
    far.sshd.log().lines().filter(|line| line.contains("Starting session:")).count()
}

/// Backs a tree up over so many channels, and proves that it is there.
fn back_up(far: &Far, ssh: &str, stripes: &str) -> usize {
    let (world, before) = (&far.world, sessions(far));
    let source = world.path("noise");
    noise(&source, 3, 24);
    world.tuckbox(["backup", "--ssh", ssh]).and([&source]).env("TUCKBOX_STRIPES", stripes).ok();
    let opened = sessions(far) - before;
    world.tuckbox(["check", "--full"]).ok();
    world.restore_all("back");
    let back = world.path("back").join(source.strip_prefix("/").unwrap());
    look::at(&source).same_as(&look::at(&back));
    opened
}

#[test]
fn a_far_server_gets_its_records_over_several_channels() {
    let Some(far) = far(None, 20, &[]) else { return };
    assert_eq!(back_up(&far, "embedded", "4"), 4);
}

#[test]
fn the_systems_ssh_opens_a_second_connection() {
    let Some(far) = far(None, 20, &[]) else { return };
    assert_eq!(back_up(&far, "system", "2"), 2);
}

#[test]
fn a_server_that_allows_one_session_gets_everything_over_that() {
    let Some(far) = far(None, 20, &["MaxSessions 1"]) else { return };
    assert_eq!(back_up(&far, "embedded", "8"), 1);
}

/// What a long way costs, as a table. `TUCKBOX_PROGRAM` names the program to measure: one built for release.
#[test]
#[ignore = "it measures"]
fn measure_uploads_over_a_long_way() {
    let program = std::env::var_os("TUCKBOX_PROGRAM").expect("TUCKBOX_PROGRAM names the program to measure");
    let number = |name: &str, usual| std::env::var(name).map_or(usual, |text| text.parse().unwrap());
    let mib = number("TUCKBOX_MIB", 64);
    for round_trip_ms in [100, 20] {
        for (ssh, stripes) in
            [("embedded", "1"), ("embedded", "2"), ("embedded", "4"), ("embedded", "8"), ("embedded", "auto")]
        {
            let Some(far) = far(Some(Path::new(&program)), round_trip_ms, &[]) else { return };
            let (empty, source) = (far.world.dir("empty"), far.world.path("noise"));
            noise(&source, 3, mib);
            let took = |path: &Path| {
                let began = Instant::now();
                let call = far.world.tuckbox(["backup", "--ssh", ssh]).and([path]);
                call.env("TUCKBOX_STRIPES", stripes).limit(Duration::from_secs(600)).ok();
                began.elapsed().as_secs_f64()
            };
            let before = sessions(&far);
            let (nothing, all) = (took(&empty), took(&source));
            let channels = sessions(&far) - before - 1;
            let rate = mib as f64 / (all - nothing);
            eprintln!(
                "{round_trip_ms:>4} ms, {ssh} {stripes:>4} ({channels}): {mib} MiB in {all:.2} s, nothing in \
                 {nothing:.2} s: {rate:.1} MiB/s"
            );
            drop(far.line);
        }
    }
}
