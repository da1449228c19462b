use std::sync::Barrier;

use store::door::FixedClock;

use super::report::Row;
use super::*;

const MS: u64 = 1_000_000;

fn sum(row: &Row) -> u64 {
    row.working_ns + row.input_ns + row.room_ns + row.away_ns
}

fn times(row: &Row) -> [u64; 4] {
    [row.working_ns, row.input_ns, row.room_ns, row.away_ns].map(|ns| ns / MS)
}

#[test]
fn phases_and_threads_add_up() {
    let clock = Arc::new(FixedClock::at(1_000));
    let profile = Profile::begin(Arc::clone(&clock) as Arc<dyn Clock>);
    clock.advance(5);
    profile.phase(Phase::Send);
    clock.advance(1);
    {
        let _scan = profile.worker(Stage::Scan);
        clock.advance(10);
        waiting(Wait::Input, || clock.advance(3));
        // Of waits in waits the outermost counts.
        waiting(Wait::Room, || {
            waiting(Wait::Input, || clock.advance(4));
            clock.advance(1);
        });
        clock.advance(2);
        did(7, 100);
        {
            // Lent to another stage.
            let _read = profile.worker(Stage::Read);
            clock.advance(20);
            did(1, 50);
        }
        clock.advance(2);
        did(1, 1);
    }
    clock.advance(6);
    profile.phase(Phase::Close);
    clock.advance(8);
    let report = profile.report("backup").unwrap();
    let walls: Vec<u64> = report.phases.iter().map(|phase| phase.wall_ns / MS).collect();
    assert_eq!(walls, [5, 49, 8]);
    let [scan, read] = &report.phases[1].stages[..] else { panic!("{report:?}") };
    assert_eq!((scan.name, times(scan), scan.items, scan.bytes), (Stage::Scan, [14, 3, 5, 27], 8, 101));
    assert_eq!((read.name, times(read), read.items, read.bytes), (Stage::Read, [20, 0, 0, 29], 1, 50));
    assert!([scan, read].iter().all(|row| sum(row) == 49 * MS));
    let report = serde_json::to_value(&report).unwrap();
    assert_eq!(report["wall_ns"], 62 * MS);
}

#[test]
fn a_stage_has_the_times_of_all_its_threads() {
    let clock = Arc::new(FixedClock::at(0));
    let profile = Profile::begin(Arc::clone(&clock) as Arc<dyn Clock>);
    profile.phase(Phase::Restore);
    let (here, gone) = (Barrier::new(3), Barrier::new(3));
    std::thread::scope(|scope| {
        for why in [Wait::Input, Wait::Room] {
            let (profile, here, gone) = (&profile, &here, &gone);
            scope.spawn(move || {
                let _write = profile.worker(Stage::Write);
                let _ = waiting(why, || (here.wait(), gone.wait()));
            });
        }
        here.wait();
        clock.advance(9);
        // Threads that are still there are counted, too.
        let report = profile.report("restore").unwrap();
        assert_eq!(times(&report.phases[1].stages[0]), [0, 9, 9, 0]);
        gone.wait();
    });
    clock.advance(1);
    let report = profile.report("restore").unwrap();
    let [write] = &report.phases[1].stages[..] else { panic!("{report:?}") };
    assert_eq!((write.threads, times(write), sum(write)), (2, [0, 9, 9, 2], 20 * MS));
}

#[test]
fn threads_that_go_on_through_phases_are_told_beside_them() {
    let clock = Arc::new(FixedClock::at(0));
    let profile = Profile::begin(Arc::clone(&clock) as Arc<dyn Clock>);
    clock.advance(1);
    let serve = profile.worker(Stage::Serve);
    clock.advance(1);
    profile.phase(Phase::Work);
    clock.advance(1);
    drop(serve);
    let report = profile.report("ls").unwrap();
    assert!(report.phases.iter().all(|phase| phase.stages.is_empty()));
    let report = serde_json::to_value(&report).unwrap();
    let serve = &report["stages"][0];
    assert_eq!((&serve["name"], &serve["working_ns"]), (&"serve".into(), &(2 * MS).into()));
    assert_eq!(serve["away_ns"], MS);
}

#[test]
fn nothing_is_measured_when_nobody_asks() {
    let profile = Profile::default();
    profile.phase(Phase::Send);
    let _worker = profile.worker(Stage::Scan);
    waiting(Wait::Input, || did(1, 1));
    assert!(profile.report("backup").is_none());
}
