use super::*;

const HOUR: Millis = HOUR_MS;
const DAY: Millis = DAY_MS;
/// A Thursday, at midnight.
const START: Millis = 1_790_208_000_000;

fn at(sequence: u64, received_at: Millis, act: Act) -> Moment {
    Moment { sequence, taken_at: received_at, received_at, act }
}

fn version(sequence: u64, received_at: Millis) -> Moment {
    at(sequence, received_at, Act::Version { tags: Vec::new(), sources: Vec::new() })
}

fn policy(counts: [u32; 6]) -> Act {
    Act::Policy(Policy { counts, soft_limit: false, ..Policy::default() })
}

/// A version every so often, from number 1 on.
fn every(step: Millis, count: u64) -> Vec<Moment> {
    (0..count).map(|n| version(n + 1, START + step * i64::try_from(n).unwrap())).collect()
}

fn kept(moments: &[Moment]) -> Vec<u64> {
    judge(moments).into_iter().filter(|(_, fate)| !fate.is_going()).map(|(sequence, _)| sequence).collect()
}

fn fate(moments: &[Moment], sequence: u64) -> Fate {
    judge(moments).into_iter().find(|(found, _)| *found == sequence).unwrap().1
}

#[test]
fn the_default_keeps_a_day_then_days_then_weeks() {
    // Hourly for 90 days; the last one at 23:00.
    let moments = every(HOUR, 90 * 24);
    let kept: Vec<i64> = kept(&moments).iter().map(|n| i64::try_from(*n).unwrap() - 1).collect();
    // Of each week, from Monday on, the newest; the 90 days end on a Tuesday. Of 30 days the newest. Then all of a day.
    let mut expected: Vec<i64> = (0..60).filter(|day| day % 7 == 3).map(|day| day * 24 + 23).collect();
    expected.extend((60..89).map(|day| day * 24 + 23));
    expected.extend(89 * 24..90 * 24);
    assert_eq!(kept, expected);
}

#[test]
fn each_has_its_reason() {
    let mut moments = every(DAY, 40);
    moments.push(at(41, START + 39 * DAY, Act::Pin(vec![3], START + 50 * DAY)));
    let reasons = |n| match fate(&moments, n) {
        Fate::Kept(reasons) => reasons,
        other => panic!("{other:?}"),
    };
    assert_eq!(
        reasons(40),
        [Reason::Newest, Reason::Recent, Reason::Period(Period::Day), Reason::Period(Period::Week)]
    );
    assert_eq!(reasons(39), [Reason::Period(Period::Day), Reason::Period(Period::Week)]);
    assert_eq!(reasons(3), [Reason::Pinned(START + 50 * DAY)]);
    assert_eq!(fate(&moments, 2), Fate::Going(Cause::Expired));
    moments.push(at(42, START + 49 * DAY, Act::Other));
    moments.push(version(43, START + 50 * DAY));
    assert_eq!(fate(&moments, 3), Fate::Going(Cause::Expired));
}

#[test]
fn every_rule_counts_its_periods() {
    let mut moments = every(6 * HOUR, 4 * 800);
    let mut kept_by = |counts| {
        moments.retain(|moment| matches!(moment.act, Act::Version { .. }));
        moments.push(at(10_000, moments.last().unwrap().received_at, policy(counts)));
        kept(&moments).len()
    };
    // Four of the last 24 hours are kept whatever the policy says.
    assert_eq!(kept_by([0; 6]), 4);
    assert_eq!(kept_by([3, 0, 0, 0, 0, 0]), 12);
    assert_eq!(kept_by([0, 7, 0, 0, 0, 0]), 7);
    assert_eq!(kept_by([0, 0, 5, 0, 0, 0]), 8);
    assert_eq!(kept_by([0, 0, 0, 5, 0, 0]), 8);
    assert_eq!(kept_by([0, 0, 0, 0, 5, 0]), 8);
    assert_eq!(kept_by([0, 0, 0, 0, 0, 9]), 3 + 3);
    assert_eq!(kept_by([u32::MAX, 0, 0, 0, 0, 0]), 3_200);
}

#[test]
fn tags_and_ages_keep_too() {
    let tag = TagId::new([7; 16]);
    let mut moments = every(DAY, 10);
    moments[2].act = Act::Version { tags: vec![tag], sources: Vec::new() };
    let act = Act::Policy(Policy { counts: [0; 6], within_ms: 2 * DAY, tags: vec![tag], ..Policy::default() });
    moments.push(at(11, START + 9 * DAY, act));
    assert_eq!(kept(&moments), [3, 8, 9, 10]);
    assert_eq!(fate(&moments, 3), Fate::Kept(vec![Reason::Tag]));
}

#[test]
fn what_is_forgotten_waits_in_the_trash_and_comes_back() {
    let mut moments = every(DAY, 5);
    moments.push(at(6, START + 4 * DAY, Act::Forget(vec![2, 5])));
    let until = START + 18 * DAY;
    assert_eq!(fate(&moments, 2), Fate::Trash { until });
    // The newest names the newest roots.
    assert!(matches!(fate(&moments, 5), Fate::Kept(_)));
    moments.extend([at(7, START + 9 * DAY, Act::Other), at(8, START + 14 * DAY, Act::Other)]);
    moments.push(version(9, until - 1));
    assert_eq!((fate(&moments, 2), fate(&moments, 5)), (Fate::Trash { until }, Fate::Trash { until }));
    let mut back = moments.clone();
    moments.push(version(10, until));
    assert_eq!(fate(&moments, 2), Fate::Going(Cause::Forgotten));
    back.push(at(10, until, Act::Unforget(vec![2])));
    assert!(matches!(fate(&back, 2), Fate::Kept(_)));
}

#[test]
fn partial_versions_go_when_their_sources_go_on() {
    let (one, two) = (SourceId::new([1; 16]), SourceId::new([2; 16]));
    let whole = |sequence, received_at, sources: &[(SourceId, u64)]| {
        at(sequence, received_at, Act::Version { tags: Vec::new(), sources: sources.to_vec() })
    };
    let mut moments = vec![
        whole(1, START, &[(one, 1), (two, 1)]),
        at(2, START + 1, Act::Partial(Some(vec![one]))),
        // Of another source: it takes over the root of the partial one.
        whole(3, START + 2, &[(one, 2), (two, 3)]),
    ];
    assert_eq!(fate(&moments, 2), Fate::Kept(vec![Reason::Unfinished]));
    moments.push(whole(4, START + 3, &[(one, 4), (two, 3)]));
    assert_eq!(fate(&moments, 2), Fate::Going(Cause::Superseded));
    moments.push(at(5, START + 4, Act::Partial(Some(vec![two]))));
    assert!(matches!(fate(&moments, 5), Fate::Kept(_)));
    moments.push(at(6, START + 4 + 90 * DAY, Act::Other));
    // A leap is not believed before another receipt agrees.
    assert!(matches!(fate(&moments, 5), Fate::Kept(_)));
    moments.push(at(7, START + 4 + 91 * DAY, Act::Other));
    assert_eq!(fate(&moments, 5), Fate::Going(Cause::Superseded));
}

#[test]
fn a_receipt_in_doubt_expires_nothing() {
    let moments = every(HOUR, 24 * 40);
    let before = kept(&moments);
    let last = moments.last().unwrap().received_at;
    let next = moments.len() as u64 + 1;
    // The server's clock, or both clocks, are years ahead.
    for taken_at in [last + HOUR, last + 4_000 * DAY] {
        let mut jumped = moments.clone();
        jumped.push(Moment { taken_at, ..version(next, last + 4_000 * DAY) });
        let mut with_it = before.clone();
        with_it.push(next);
        assert_eq!(kept(&jumped), with_it);
        // And back: then the receipts between are known to have been wrong.
        jumped.push(version(next + 1, last + HOUR));
        assert!(matches!(fate(&jumped, next), Fate::Kept(reasons) if reasons == [Reason::Doubtful]));
        assert_eq!(kept(&jumped).len(), before.len() + 1);
    }
    // A client floods with versions of invented times: none is counted.
    let mut flooded = moments.clone();
    for n in 0..500 {
        let taken_at = last - i64::try_from(n).unwrap() * 10 * DAY - 2 * DAY;
        flooded.push(Moment { taken_at, ..version(next + n, last) });
    }
    assert!(before.iter().all(|n| kept(&flooded).contains(n)));
}

#[test]
fn an_account_that_rests_loses_nothing() {
    let mut moments = every(HOUR, 40);
    let before = kept(&moments);
    assert_eq!(before.len(), 24);
    // A year later, one that is not believed yet.
    moments.push(version(41, START + 365 * DAY));
    assert_eq!(kept(&moments).len(), before.len() + 1);
}

#[test]
fn a_body_that_was_ever_allowed_to_go_may_be_gone() {
    let mut moments = every(HOUR, 72);
    let all: Vec<u64> = (1..=72).collect();
    let gone: Vec<u64> = all.iter().copied().filter(|n| !kept(&moments).contains(n)).collect();
    assert_eq!(must_be_there(&moments, &all, &[]), kept(&moments));
    // Afterwards everything is to be kept: what has gone was allowed to.
    moments.push(at(73, START + 72 * HOUR, Act::Policy(Policy::everything())));
    assert_eq!(kept(&moments).len(), 72);
    assert_eq!(must_be_there(&moments, &gone, &[]), [0; 0]);
    assert_eq!(must_be_there(&moments, &all, &[]).len(), 72 - gone.len());
    // And the one that stood for its day is forgotten: those that went before stay allowed.
    let mut moments = every(HOUR, 72);
    moments.push(at(73, START + 72 * HOUR, Act::Forget(vec![24])));
    assert!(kept(&moments).contains(&23));
    assert_eq!(must_be_there(&moments, &[22, 23, 24, 48], &[]), [24, 48]);
}

/// What the default keeps of 40 days, hourly; and the policy, allowing this when space is short.
fn forty_days(soft_limit: bool, min_free_bytes: u64) -> Vec<Moment> {
    let mut moments = vec![at(1, START, Act::Policy(Policy { soft_limit, min_free_bytes, ..Policy::default() }))];
    moments.extend((0..40).map(|day| version(u64::try_from(day).unwrap() + 2, START + day * DAY)));
    moments
}

#[test]
fn under_pressure_the_oldest_that_only_a_count_keeps_may_go() {
    let daily: Vec<u64> = (12..=40).collect();
    // Weeks end on Sundays: days 3 and 10 of 40; the newest 30 days stand for themselves.
    let moments = forty_days(true, 1);
    assert_eq!(thinnable(&moments, Pressure::SoftLimit), [&[5][..], &daily].concat());
    assert_eq!(thinnable(&moments, Pressure::Space), [5]);
    let moments = forty_days(false, 1);
    assert_eq!(thinnable(&moments, Pressure::SoftLimit), [0; 0]);
    assert_eq!(thinnable(&forty_days(true, 0), Pressure::Space), [0; 0]);

    let mut moments = forty_days(true, 0);
    moments.push(at(42, START + 39 * DAY, Act::Pin(vec![12], 0)));
    moments.push(at(43, START + 39 * DAY, Act::Forget(vec![13])));
    // Another day stands for the forgotten one.
    assert_eq!(thinnable(&moments, Pressure::SoftLimit)[..4], [5, 11, 14, 15]);
    let within = Policy { within_ms: 20 * DAY, ..Policy::default() };
    moments.push(at(44, START + 39 * DAY, Act::Policy(within)));
    assert_eq!(thinnable(&moments, Pressure::SoftLimit).last(), Some(&20));
    assert!(thinnable(&[], Pressure::SoftLimit).is_empty());
}

#[test]
fn who_says_that_space_was_short_hides_nothing_young_and_leaves_no_gaps() {
    let lost = |moments: &[Moment], missing: &[u64]| must_be_there(moments, missing, missing);
    let soft = forty_days(true, 0);
    assert_eq!(lost(&soft, &[5, 12, 13]), [0; 0]);
    // Older ones are there.
    assert_eq!(lost(&soft, &[13]), [13]);
    assert_eq!(lost(&soft, &[5, 13, 14]), [13, 14]);
    // The newest.
    assert_eq!(lost(&soft, &(2..=41).collect::<Vec<u64>>()), [41]);
    // Of 30 days nothing.
    let space = forty_days(false, 1);
    assert_eq!(lost(&space, &[5, 12, 13]), [12, 13]);
    // Nothing at all without a policy that allows it.
    assert_eq!(lost(&forty_days(false, 0), &[5]), [5]);
    // A pin from before counts; one that came after does not bring back what has gone.
    let mut pinned = forty_days(true, 0);
    pinned.push(at(42, START + 39 * DAY, Act::Pin(vec![12], 0)));
    assert_eq!(lost(&pinned, &[5, 12]), [0; 0]);
    pinned.insert(14, at(14, START + 12 * DAY, Act::Pin(vec![5], 0)));
    assert_eq!(lost(&pinned[..39], &[5]), [5]);
}

proptest::proptest! {
    /// What an honest server has taken, whenever it looked and whatever came between, was allowed to go.
    #[test]
    fn what_went_under_pressure_was_allowed(
        steps in proptest::collection::vec((0i64..40, 0u8..16, 0usize..8), 1..60),
        counts: [u8; 6],
    ) {
        let counts = counts.map(|count| u32::from(count % 12));
        let first = Policy { counts, soft_limit: true, min_free_bytes: 1, ..Policy::default() };
        let mut moments = vec![at(1, START, Act::Policy(first.clone()))];
        let (mut time, mut gone): (Millis, Vec<u64>) = (START, Vec::new());
        for ((step, kind, number), n) in steps.iter().zip(2..) {
            time += match step { 39 => 45 * DAY, step => step * 2 * HOUR };
            let named = |n: u64| vec![n.saturating_sub(u64::try_from(*number).unwrap() * 2 + 2).max(1)];
            moments.push(match kind {
                0 => at(n, time, Act::Pin(named(n), time + i64::try_from(*number).unwrap() * DAY)),
                1 => at(n, time, Act::Unpin(named(n))),
                2 => at(n, time, Act::Forget(named(n))),
                3 => at(n, time, Act::Unforget(named(n))),
                4 => at(n, time, Act::Policy(Policy { soft_limit: number % 2 == 0, ..first.clone() })),
                // A clock that goes back.
                5 => version(n, time - DAY / 2),
                _ => version(n, time),
            });
            let pressure = if number % 2 == 0 { Pressure::SoftLimit } else { Pressure::Space };
            // Now and then the server keeps house, and takes so many.
            if step % 3 == 0 {
                let going = judge(&moments).into_iter().filter(|(_, fate)| fate.is_going()).map(|(n, _)| n);
                gone.extend(going.collect::<Vec<u64>>());
                let list = thinnable(&moments, pressure).into_iter().filter(|n| !gone.contains(n));
                gone.extend(list.take(*number).collect::<Vec<u64>>());
            }
            proptest::prop_assert_eq!(must_be_there(&moments, &gone, &gone), Vec::<u64>::new());
        }
    }
}

proptest::proptest! {
    /// Under one policy, what may go may go for ever, however many versions follow.
    #[test]
    fn what_may_go_stays_allowed(steps in proptest::collection::vec(0i64..20 * DAY, 1..40), counts: [u8; 6]) {
        let mut moments = vec![at(1, START, policy(counts.map(|count| u32::from(count % 9))))];
        let mut time = START;
        let mut gone: Vec<u64> = Vec::new();
        for (step, n) in steps.iter().zip(2..) {
            time += step;
            moments.push(version(n, time));
            let now = judge(&moments);
            for old in &gone {
                proptest::prop_assert!(now.iter().any(|(n, fate)| n == old && fate.is_going()));
            }
            gone = now.iter().filter(|(_, fate)| fate.is_going()).map(|(n, _)| *n).collect();
            proptest::prop_assert_eq!(must_be_there(&moments, &gone, &[]), Vec::<u64>::new());
        }
    }
}

/// A version a day for three days, four of the last hours, one in the trash.
fn before_a_leap() -> Vec<Moment> {
    let mut moments = every(DAY, 3);
    moments.extend((0..4).map(|n| version(4 + n, START + 2 * DAY + (1 + i64::try_from(n).unwrap()) * HOUR)));
    moments.push(at(8, START + 2 * DAY + 5 * HOUR, Act::Forget(vec![1])));
    moments.push(at(9, START + 2 * DAY + 5 * HOUR, Act::Pin(vec![3], START + 20 * DAY)));
    moments
}

#[test]
fn a_leap_is_believed_when_another_receipt_a_day_later_agrees() {
    let before = before_a_leap();
    let trash = Fate::Trash { until: START + 16 * DAY + 5 * HOUR };
    assert_eq!(fate(&before, 1), trash);
    for days in [5, 25] {
        let leapt = START + (2 + days) * DAY + 6 * HOUR;
        let mut moments = before.clone();
        moments.push(version(10, leapt));
        moments.push(version(11, leapt + 23 * HOUR));
        assert_eq!(kept(&moments).len(), 7 + 2, "{days}");
        assert_eq!((fate(&moments, 1), fate(&moments, 10)), (trash.clone(), Fate::Kept(vec![Reason::Doubtful])));
        // The clock was wrong, and is right again: nothing was lost.
        let mut back = moments.clone();
        back.push(version(12, START + 2 * DAY + 7 * HOUR));
        assert!((1..=7).all(|n| kept(&back).contains(&n)), "{days}");
        // It was right: then the trash is over, and hours are thinned.
        moments.push(version(12, leapt + DAY));
        assert_eq!(fate(&moments, 1).is_going(), days == 25);
        assert!(fate(&moments, 4).is_going() && fate(&moments, 6).is_going());
    }
    // A long weekend is believed at once.
    let mut moments = before;
    moments.push(version(10, START + 7 * DAY + 5 * HOUR));
    assert!(fate(&moments, 4).is_going());
}

#[test]
fn a_word_that_time_has_passed_empties_the_trash_and_thins_nothing() {
    let mut moments = before_a_leap();
    let within = Policy { counts: [0; 6], within_ms: DAY, ..Policy::default() };
    moments.push(at(10, START + 2 * DAY + 5 * HOUR, Act::Policy(within)));
    let before = kept(&moments);
    assert_eq!(before, [1, 3, 4, 5, 6, 7]);
    moments.push(at(11, START + 17 * DAY, Act::Unpin(vec![1])));
    // One alone may be a clock that is wrong.
    assert_eq!(kept(&moments), before);
    moments.push(at(12, START + 18 * DAY, Act::Unpin(vec![1])));
    assert_eq!(fate(&moments, 1), Fate::Going(Cause::Forgotten));
    assert_eq!(kept(&moments), before[1..]);
    assert_eq!(must_be_there(&moments, &[1, 3], &[1, 3]), [3]);
    // Whoever takes a pin away does something else.
    let mut other = before_a_leap();
    other.push(at(10, START + 5 * DAY, Act::Unpin(vec![3])));
    assert!(fate(&other, 4).is_going());
}

#[test]
fn who_pins_what_was_forgotten_has_fourteen_days_when_the_pin_ends() {
    let mut moments = every(DAY, 2);
    moments.push(at(3, START + DAY, Act::Forget(vec![1])));
    moments.push(at(4, START + DAY, Act::Pin(vec![1], START + 21 * DAY)));
    moments.extend((0..33).map(|n| version(5 + n, START + (2 + i64::try_from(n).unwrap()) * DAY)));
    let upto = |day: i64| -> Vec<Moment> {
        moments.iter().filter(|moment| moment.received_at <= START + day * DAY).cloned().collect()
    };
    assert_eq!(fate(&upto(20), 1), Fate::Kept(vec![Reason::Pinned(START + 21 * DAY)]));
    assert_eq!(forgotten(&upto(20)), HashSet::from([1]));
    assert_eq!(fate(&upto(21), 1), Fate::Trash { until: START + 35 * DAY });
    // Servers were allowed to take it at once, before.
    assert_eq!(must_be_there(&upto(21), &[1], &[1]), [0; 0]);
    moments.push(version(40, START + 35 * DAY));
    assert_eq!(fate(&moments, 1), Fate::Going(Cause::Forgotten));
}

#[test]
fn what_went_by_the_former_rules_is_no_loss() {
    let mut moments = before_a_leap();
    moments.push(version(10, START + 22 * DAY));
    assert_eq!(must_be_there(&moments, &[1, 4, 5, 6, 7], &[1, 4, 5, 6, 7]), [7]);
    moments.push(at(11, START + 22 * DAY, Act::Unforget(vec![1])));
    assert_eq!(must_be_there(&moments, &[1], &[1]), [0; 0]);
}
