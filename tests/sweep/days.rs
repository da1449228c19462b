//! Sixteen machines at one vault, while days go by: a day each round, after which the clock of all of them is put on. Versions
//! expire, what only they needed is condemned and freed and its space comes back, beside everything that befalls them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};

use tests::oath;
use tests::subject::bytes_below;
use tests::world::World;

use crate::soak::{Done, Machine, Upkeep, all_at_once, machines};
use crate::{share, world};

/// Days of the short form.
const SHORT: u64 = 6;
/// Of so many days the newest version is kept.
const KEPT_DAYS: usize = 2;
/// Days after the last one on which house is kept: what is freed on one is condemned a day before.
const REST: u64 = 4;
/// As in the soak, without what says of single versions whether they stay.
const UPKEEP: Upkeep = &[
    ("housekeep", &[6]),
    ("housekeep --yes", &[6]),
    ("check", &[]),
    ("find text", &[5]),
    ("usage", &[5]),
    ("account set NAME --hard 1T", &[]),
];

/// Noon of a day, counted from 0. All months have 28.
fn noon(day: u64) -> String {
    format!("{}-{:02}-{:02}T12:00:00Z", 2027 + day / 336, day / 28 % 12 + 1, day % 28 + 1)
}

/// Bytes of all packs.
fn packs(base: &World) -> u64 {
    let domains = std::fs::read_dir(base.path("vault/domains")).unwrap().flatten();
    domains.map(|domain| bytes_below(&domain.path().join("packs"))).sum()
}

/// A version as it is listed: the day of its receipt, and its number.
type Listed = BTreeMap<String, (String, u64)>;

fn listed(world: &World) -> Listed {
    let rows = world.tuckbox(["versions", "--json"]).ok().records("version");
    let row = |row: &serde_json::Value| {
        let day = row["received_at"].as_str().unwrap()[..10].to_owned();
        (row["id"].as_str().unwrap().to_owned(), (day, row["sequence"].as_u64().unwrap()))
    };
    rows.iter().map(row).collect()
}

/// What housekeeping did.
#[derive(Default)]
struct Kept {
    expired: AtomicU64,
    freed_bytes: AtomicU64,
    unlinked_bytes: AtomicU64,
}

impl Kept {
    fn house(&self, world: &World, done: &Done) {
        let run = world.tuckbox(["housekeep", "--yes", "--json"]).run();
        assert!([0, 6].contains(&run.code()), "{run}");
        done.kept_house.fetch_add(1, Ordering::Relaxed);
        if run.code() == 0 {
            let summary = run.record("summary");
            for (to, field) in [
                (&self.expired, "expired"),
                (&self.freed_bytes, "freed_bytes"),
                (&self.unlinked_bytes, "unlinked_bytes"),
            ] {
                to.fetch_add(summary[field].as_u64().unwrap(), Ordering::Relaxed);
            }
        }
    }
}

/// A round of all machines on this day, beside somebody who keeps house.
fn round(mut machines: Vec<Machine>, day: u64, done: &Done, kept: &Kept) -> Vec<Machine> {
    for machine in &mut machines {
        machine.world = machine.world.with_env("TUCKBOX_CLOCK", noon(day));
        // Older ones may go at any moment.
        machine.first = machine.acknowledged.len();
    }
    all_at_once(machines, |machine| machine.turn(done), |world| kept.house(world, done))
}

/// Whether a version of this day and number may have gone: a newer one of its day is there, or of enough days after it.
fn may_be_gone(day: &str, sequence: u64, there: &Listed) -> bool {
    let newer = there.values().any(|(other, number)| other == day && *number > sequence);
    let later: BTreeSet<&String> =
        there.values().map(|(other, _)| other).filter(|other| other.as_str() > day).collect();
    newer || later.len() >= KEPT_DAYS
}

#[test]
fn versions_go_when_their_days_are_over_and_no_others() {
    let (done, kept) = (Done::default(), Kept::default());
    let days = share(SHORT).min(1_000);
    let base = world().with_env("TUCKBOX_CLOCK", noon(0));
    let mut machines = machines(&base, UPKEEP);
    for machine in &mut machines {
        // By a clock that stands nobody's patience ends.
        machine.retry = "0";
        machine.world.tuckbox(["housekeep", "policy", "--keep-daily", &KEPT_DAYS.to_string(), "--yes"]).ok();
    }
    // When each acknowledged version was received, and its number.
    let mut received: BTreeMap<String, (String, u64)> = BTreeMap::new();
    let mut most = 0;
    for day in 0..days {
        machines = round(machines, day, &done, &kept);
        most = most.max(packs(&base));
        for machine in &machines {
            let there = listed(&machine.world);
            let mine = machine.acknowledged.iter().map(|(id, _)| id);
            received.extend(mine.filter_map(|id| Some((id.clone(), there.get(id)?.clone()))));
        }
    }
    let (mut gone, mut restored) = (0, 0);
    for machine in &machines {
        let there = listed(&machine.world);
        for (id, tree) in &machine.acknowledged {
            if there.contains_key(id) {
                machine.is(id, tree);
                restored += 1;
                continue;
            }
            gone += 1;
            // One that went on its own day was pushed out by a newer one of that day.
            if let Some((day, sequence)) = received.get(id) {
                assert!(may_be_gone(day, *sequence, &there), "{}: {id} of {day} is gone: {there:?}", machine.account);
            }
        }
    }
    for day in days..days + REST {
        machines.iter().for_each(|machine| kept.house(&machine.world.with_env("TUCKBOX_CLOCK", noon(day)), &done));
    }
    let left = packs(&base);
    for machine in &machines {
        let world = machine.world.with_env("TUCKBOX_CLOCK", noon(days + REST));
        world.tuckbox(["backup", &world.arg(&machine.source())]).ok();
        oath::clean(&world);
    }
    oath::counted(&machines[0].world);
    let count = |number: &AtomicU64| number.load(Ordering::Relaxed);
    println!(
        "sweep: {days} days of {}, {gone} expired, {restored} there and as they were; {} expired in all, {} bytes freed, {} of \
         packs removed, of at most {most} bytes of packs {left} are left",
        done.text(),
        count(&kept.expired),
        count(&kept.freed_bytes),
        count(&kept.unlinked_bytes)
    );
    assert!(gone > 0 && restored > 0 && count(&kept.freed_bytes) > 0 && count(&kept.unlinked_bytes) > 0);
    assert!(left < most, "no space has come back: {left} of {most}");
}
