use super::*;

const HOUR: i64 = 3_600_000;
const DAY: i64 = 24 * HOUR;
/// 2026-11-21T00:00:00Z.
const NOW: i64 = 1_795_219_200_000;

fn empty() -> Activity {
    Activity::in_memory(VaultId::new([3; 16])).unwrap()
}

fn session(nth: u32, began_at: i64) -> SessionRow {
    let mut id = [0; 16];
    id[..4].copy_from_slice(&nth.to_le_bytes());
    SessionRow { account: 7, id, began_at, seen_at: began_at, role: "backup".to_owned(), ..SessionRow::default() }
}

fn line(text: &str) -> NewLine {
    NewLine { level: Level::Warning, code: "file.changed".to_owned(), text: text.to_owned() }
}

#[test]
fn a_session_is_written_again_and_again_with_what_its_client_told() {
    let activity = empty();
    let mut row = session(1, NOW);
    activity.put_session(&row).unwrap();
    let run = Run {
        host: "ana.example.org".to_owned(),
        verb: "backup".to_owned(),
        result: "ok".to_owned(),
        files: 12,
        bytes: u64::from(u32::MAX) + 1,
    };
    row.run = run;
    row = SessionRow { seen_at: NOW + 29_000, outcome: Outcome::Ended, in_bytes: 55_898, out_bytes: 335_383, ..row };
    activity.put_session(&row).unwrap();
    assert_eq!(activity.sessions(7, NOW, 10).unwrap(), [row.clone()]);
    assert_eq!(activity.sessions(7, NOW + 1, 10).unwrap(), []);
    assert_eq!(activity.sessions(8, 0, 10).unwrap(), []);
}

#[test]
fn old_sessions_go_and_texts_are_cut() {
    let activity = empty();
    for nth in 0..2_010 {
        activity.put_session(&session(nth, NOW + i64::from(nth / 3))).unwrap();
    }
    let kept = activity.sessions(7, 0, 10_000).unwrap();
    assert_eq!(kept.len(), 2_000);
    assert_eq!(kept[0].began_at, NOW + 2_009 / 3);
    activity.put_session(&SessionRow { program: "ä".repeat(10_000), ..session(5_000, NOW + DAY) }).unwrap();
    assert_eq!(activity.sessions(7, NOW + DAY, 1).unwrap()[0].program.chars().count(), 255);
}

#[test]
fn traffic_is_added_up_by_hour_day_and_month() {
    let activity = empty();
    let add = |at, in_bytes| {
        let added = Added { in_bytes, out_bytes: 2 * in_bytes, busy_ms: 10, sessions: 1 };
        activity.add_traffic(7, at, &added).unwrap();
    };
    add(NOW, 1);
    add(NOW + HOUR - 1, 10);
    add(NOW + HOUR, 100);
    add(NOW + DAY, 1_000);
    add(NOW + 31 * DAY, 10_000);
    let sums = |grain| -> Vec<(i64, u64)> {
        let periods = activity.traffic(7, grain, 0, i64::MAX).unwrap();
        assert!(periods.iter().all(|period| period.moved.out_bytes == 2 * period.moved.in_bytes));
        periods.iter().map(|period| (period.start - NOW, period.moved.in_bytes)).collect()
    };
    assert_eq!(sums(Grain::Hour), [(0, 11), (HOUR, 100), (DAY, 1_000), (31 * DAY, 10_000)]);
    assert_eq!(sums(Grain::Day), [(0, 111), (DAY, 1_000), (31 * DAY, 10_000)]);
    assert_eq!(sums(Grain::Month), [(-20 * DAY, 1_111), (10 * DAY, 10_000)]);
    assert_eq!(activity.traffic(7, Grain::Day, NOW, NOW + DAY).unwrap().len(), 1);
    assert_eq!(activity.traffic(8, Grain::Day, 0, i64::MAX).unwrap(), []);
}

#[test]
fn hours_have_a_bound_and_a_clock_that_jumps_takes_one_at_most() {
    let activity = empty();
    let one = Added { in_bytes: 1, ..Added::default() };
    for hour in 0..1_250 {
        activity.add_traffic(7, NOW + hour * HOUR, &one).unwrap();
    }
    activity.add_traffic(7, NOW + 100_000 * DAY, &one).unwrap();
    let hours = activity.traffic(7, Grain::Hour, 0, i64::MAX).unwrap();
    assert_eq!((hours.len(), hours[0].start), (1_200, NOW + 51 * HOUR));
    let days = activity.traffic(7, Grain::Day, 0, i64::MAX).unwrap();
    assert_eq!(days.iter().map(|day| day.moved.in_bytes).sum::<u64>(), 1_251);
}

#[test]
fn a_flood_of_lines_is_counted_and_not_kept() {
    let activity = empty();
    let lines: Vec<NewLine> = (0..10_000).map(|nth| line(&format!("line {nth}"))).collect();
    let added = activity.add_log(7, NOW, Some(&[4; 16]), &lines).unwrap();
    assert_eq!(added, LogAdded { kept: 500, dropped: 9_500 });
    assert_eq!(activity.add_log(7, NOW + HOUR - 1, None, &lines[..1]).unwrap(), LogAdded { kept: 0, dropped: 1 });
    assert_eq!(activity.log_dropped(7, NOW).unwrap(), 9_501);
    // The next hour is another, and so is another account.
    assert_eq!(activity.add_log(7, NOW + HOUR, None, &lines[..1]).unwrap(), LogAdded { kept: 1, dropped: 0 });
    assert_eq!(activity.add_log(8, NOW, None, &lines[..1]).unwrap(), LogAdded { kept: 1, dropped: 0 });
    assert_eq!(activity.log_dropped(7, NOW + HOUR).unwrap(), 0);
    for hour in 2..20 {
        activity.add_log(7, NOW + hour * HOUR, None, &lines[..300]).unwrap();
    }
    let kept = activity.log(7, 0, Level::Note, usize::MAX).unwrap();
    assert_eq!(kept.len(), 5_000);
    assert_eq!(activity.log(8, 0, Level::Note, usize::MAX).unwrap().len(), 1);
}

#[test]
fn lines_come_back_as_they_came_the_newest_when_there_are_many() {
    let activity = empty();
    let long = NewLine { level: Level::Error, code: "x".repeat(100), text: "\u{1b}[2J\nOK ".repeat(1_000) };
    activity.add_log(7, NOW, Some(&[4; 16]), &[line("first"), long]).unwrap();
    activity.add_log(7, NOW + 1, None, &[line("third")]).unwrap();
    let lines = activity.log(7, NOW, Level::Warning, 2).unwrap();
    assert_eq!(
        lines.iter().map(|line| (line.at, line.session)).collect::<Vec<_>>(),
        [(NOW, Some([4; 16])), (NOW + 1, None)]
    );
    assert_eq!((lines[0].line.code.len(), lines[0].line.text.chars().count()), (64, 1_000));
    assert!(lines[0].no < lines[1].no);
    assert_eq!(activity.log(7, 0, Level::Error, 9).unwrap().len(), 1);
}

#[test]
fn a_day_has_one_sample() {
    let activity = empty();
    activity.put_sample(Some(7), NOW + 5, &[("current", 1), ("history", 2)]).unwrap();
    activity.put_sample(Some(7), NOW + HOUR, &[("current", 3)]).unwrap();
    activity.put_sample(None, NOW, &[("current", 4)]).unwrap();
    let sample = |bytes| Sample { day: NOW, class: "current".to_owned(), bytes };
    assert_eq!(activity.samples(Some(7), 0).unwrap(), [sample(3)]);
    assert_eq!(activity.samples(None, NOW + HOUR).unwrap(), [sample(4)]);
    assert_eq!(activity.samples(Some(7), NOW + DAY).unwrap(), []);
    for day in 1..1_110 {
        activity.put_sample(Some(7), NOW + day * DAY, &[("a", 1), ("b", 2)]).unwrap();
    }
    assert_eq!(activity.samples(Some(7), 0).unwrap().len(), 2_200);
    let many: Vec<(&str, u64)> = (0..65).map(|_| ("x", 1)).collect();
    assert!(matches!(activity.put_sample(None, NOW, &many), Err(Error::Limit { .. })));
}

#[test]
fn rows_of_another_vault_are_not_ours() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("activity.db");
    std::fs::write(&path, []).unwrap();
    let of = |vault: u8| Activity::open(&path, Journal::Ahead, VaultId::new([vault; 16])).unwrap();
    of(1).put_session(&session(1, NOW)).unwrap();
    of(1).add_log(7, NOW, None, &[line("one")]).unwrap();
    of(1).put_sample(None, NOW, &[("current", 1)]).unwrap();
    of(1).add_traffic(7, NOW, &Added::default()).unwrap();
    let other = of(2);
    assert_eq!(other.sessions(7, 0, 9).unwrap(), []);
    assert_eq!(other.log(7, 0, Level::Note, 9).unwrap(), []);
    assert_eq!(other.samples(None, 0).unwrap(), []);
    assert_eq!(other.traffic(7, Grain::Hour, 0, i64::MAX).unwrap(), []);
    // Left by a process that was killed: what was committed is there.
    assert_eq!(of(1).sessions(7, 0, 9).unwrap().len(), 1);
}

#[test]
fn a_newer_or_broken_database_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("activity.db");
    std::fs::write(&path, []).unwrap();
    let open = || Activity::open(&path, Journal::Ahead, VaultId::new([1; 16]));
    drop(open().unwrap());
    let conn = Connection::open(&path).unwrap();
    conn.pragma_update(None, "user_version", 99).unwrap();
    drop(conn);
    assert!(matches!(open(), Err(Error::Newer { what: "activity", found: 99 })));
    std::fs::write(&path, "no database at all, and longer than a header is ".repeat(9)).unwrap();
    for end in ["-wal", "-shm"] {
        drop(std::fs::remove_file(folder.path().join(format!("activity.db{end}"))));
    }
    assert!(open().unwrap_err().is_bad_catalog());
}

#[test]
fn runs_are_kept_as_told_and_the_oldest_go() {
    let activity = empty();
    let figures = RunFigures { files: 12, sent_bytes: u64::from(u32::MAX) + 1, errors: 3, ..RunFigures::default() };
    let run = |nth: i64| ToldRun {
        told_at: NOW + nth,
        began_at: -7,
        took_ms: 41_000,
        verb: "backup".to_owned(),
        client: "0.1.0".to_owned(),
        host: "ana".to_owned(),
        exit: 3,
        code: String::new(),
        sequence: Some(17),
        stored_bytes: 1 << 40,
        figures,
    };
    for nth in 0..2_003 {
        activity.add_run(7, &run(nth)).unwrap();
    }
    let kept = activity.runs(7, BACKUP, 0, 10_000).unwrap();
    assert_eq!((kept.len(), &kept[0]), (2_000, &run(2_002)));
    assert_eq!(activity.runs(7, BACKUP, NOW + 2_002, 9).unwrap().len(), 1);
    assert_eq!(activity.runs(8, BACKUP, 0, 9).unwrap(), []);
    assert_eq!(activity.run_of(7, 17).unwrap(), Some(run(2_002)));
    assert_eq!(activity.run_of(7, 18).unwrap(), None);
    let long = ToldRun { host: "ä".repeat(10_000), ..run(0) };
    activity.add_run(7, &long).unwrap();
    assert_eq!(activity.runs(7, BACKUP, 0, 1).unwrap()[0].host.chars().count(), 255);
}

#[test]
fn what_a_session_read_is_added_up_and_knows_whose_it_was() {
    let activity = empty();
    let row = SessionRow { program: "tuckbox 0.1.0 on ana".to_owned(), ..session(1, NOW) };
    activity.put_session(&row).unwrap();
    activity.add_fetched(7, &row.id, NOW, 2, 100).unwrap();
    activity.add_fetched(7, &row.id, NOW + 5, 3, 1_000).unwrap();
    activity.add_fetched(7, &[9; 16], NOW + 6, 1, 1).unwrap();
    let found = activity.readings(7, NOW, 10).unwrap();
    let (role, program) = (row.role, row.program);
    assert_eq!(found[1], Reading { at: NOW + 5, session: row.id, boxes: 5, bytes: 1_100, role, program });
    assert_eq!((found.len(), found[0].role.as_str()), (2, ""));
    assert_eq!(activity.readings(8, 0, 10).unwrap(), []);
}
