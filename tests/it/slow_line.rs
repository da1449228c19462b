//! Over a line with a long way: real SSH through a forwarder that delivers everything late.

use std::path::Path;
use std::time::Duration;

use tests::look;
use tests::net::Net;
use tests::tree::Seeded;
use tests::wait::{Watch, until};
use tests::world::World;

use crate::world;

/// A machine with a vault on a server at the other end of a slow line; `None` when there is no sshd here.
fn far(program: Option<&Path>, round_trip_ms: u64, config: &[&str]) -> Option<Net> {
    let world = program.map_or_else(world, World::new);
    let config = config.iter().map(|line| (*line).to_owned()).collect();
    let mut net = Net::far(&world, Duration::from_millis(round_trip_ms), |setup| setup.config = config)?;
    net.world = net.ready();
    Some(net)
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
fn sessions(far: &Net) -> usize {
    far.sshd.log().lines().filter(|line| line.contains("Starting session:")).count()
}

/// Backs a tree up, which is to take `opened` channels where `stripes` are allowed, and proves that it is there.
fn back_up(far: &Net, ssh: &str, stripes: &str, opened: usize) {
    let (world, before) = (&far.world, sessions(far));
    let source = world.path("noise");
    noise(&source, 3, 24);
    world.tuckbox(["backup", "--ssh", ssh]).and([&source]).env("TUCKBOX_STRIPES", stripes).ok();
    // The server's log comes a moment later than its sessions.
    until(Duration::from_secs(60), "the sessions that were begun", || sessions(far) - before >= opened);
    assert_eq!(sessions(far) - before, opened);
    world.tuckbox(["check", "--full"]).ok();
    world.restore_all("back");
    let back = world.path("back").join(source.strip_prefix("/").unwrap());
    look::at(&source).same_as(&look::at(&back));
}

#[test]
fn a_far_server_gets_its_records_over_several_channels() {
    let Some(far) = far(None, 20, &[]) else { return };
    back_up(&far, "embedded", "4", 4);
}

#[test]
fn the_systems_ssh_opens_a_second_connection() {
    let Some(far) = far(None, 20, &[]) else { return };
    back_up(&far, "system", "2", 2);
}

#[test]
fn a_server_that_allows_one_session_gets_everything_over_that() {
    let Some(far) = far(None, 20, &["MaxSessions 1"]) else { return };
    back_up(&far, "embedded", "8", 1);
}

/// After much that the vault lacked nobody waits for its answers any more; what it has after all does no harm then.
#[test]
fn what_a_far_server_has_after_all_may_come_twice() {
    let Some(far) = far(None, 20, &[]) else { return };
    let (world, source) = (&far.world, far.world.path("noise"));
    noise(&source.join("b-old"), 3, 12);
    world.tuckbox(["backup"]).and([&source]).ok();
    noise(&source.join("a-new"), 4, 48);
    // Copies under other names: nothing but their content tells that they are there.
    std::fs::rename(source.join("b-old"), source.join("c-moved")).unwrap();
    let new_mib = world.tuckbox(["backup", "--json"]).and([&source]).ok().count("new_bytes") >> 20;
    assert!((48..=60).contains(&new_mib), "{new_mib}");
    world.tuckbox(["check", "--full"]).ok();
    world.restore_all("back");
    look::at(&source).same_as(&look::at(world.path("back").join(source.strip_prefix("/").unwrap())));
    let again = world.tuckbox(["backup", "--json"]).and([&source]).ok();
    assert_eq!(again.count("new_bytes"), 0, "{again}");
}

/// What a long way costs, as a table, when it is asked for: `TUCKBOX_PROGRAM` names a program built for release;
/// `TUCKBOX_MIB` how much is sent.
#[test]
fn measure_a_long_way() {
    let Some(program) = std::env::var_os("TUCKBOX_PROGRAM") else { return };
    let mib = std::env::var("TUCKBOX_MIB").map_or(64, |text| text.parse().unwrap());
    for round_trip_ms in [100, 20] {
        let ways = [("embedded", "1"), ("embedded", "2"), ("embedded", "4"), ("embedded", "8"), ("embedded", "auto")];
        for (ssh, stripes) in ways.into_iter().chain([("system", "1"), ("system", "auto")]) {
            let Some(far) = far(Some(Path::new(&program)), round_trip_ms, &[]) else { return };
            let (empty, source) = (far.world.dir("empty"), far.world.path("noise"));
            noise(&source, 3, mib);
            let took = |words: &[&str]| {
                let (began, before) = (Watch::start(), sessions(&far));
                let call = far.world.tuckbox(["--ssh", ssh]).and(words);
                call.env("TUCKBOX_STRIPES", stripes).limit(Duration::from_secs(600)).ok();
                (began.elapsed().as_secs_f64(), sessions(&far) - before)
            };
            let (nothing, _) = took(&["backup", empty.to_str().unwrap()]);
            let (up, channels) = took(&["backup", source.to_str().unwrap()]);
            let (down, channels_down) = took(&["restore", "--to", &far.world.arg("back")]);
            eprintln!(
                "{round_trip_ms:>4} ms, {ssh:<8} {stripes:>4}: nothing in {nothing:.2} s; {mib} MiB up in {up:.2} s, \
                 {:.1} MiB/s beside that, on {channels}; restored in {down:.2} s on {channels_down}",
                mib as f64 / (up - nothing)
            );
        }
    }
}
