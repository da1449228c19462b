//! Calls over any wire: everything arrives, in order, once; nobody starves; nothing piles up.

use proptest::prelude::*;

use super::*;
use crate::limits::{FAR_POOL_BYTES, POOL_BYTES};

fn any_part() -> impl Strategy<Value = Part> {
    prop_oneof![
        3 => (0usize..2000).prop_map(|len| Part::Message(pattern(0, len))),
        3 => (1usize..100_000).prop_map(|len| Part::Data(pattern(0, len).into())),
        1 => Just(Part::Message(pattern(0, 1 << 20))),
    ]
}

fn any_ask() -> impl Strategy<Value = Ask> {
    let class = prop_oneof![Just(Class::Interactive), Just(Class::Bulk)];
    let verb = prop_oneof![Just(Verb::Echo), Just(Verb::Give), Just(Verb::Sink)];
    (class, verb, 0u32..600_000, proptest::collection::vec(any_part(), 1..5))
        .prop_map(|(class, verb, bytes, sends)| Ask { class, verb, bytes, sends, reads: true })
}

fn check(asked: &Asked) {
    assert_eq!(asked.outcome, Some(Ok(())));
    let (mut messages, mut data) = (Vec::new(), Vec::new());
    for part in &asked.ask.sends {
        match part {
            Part::Message(message) => messages.push(message.clone()),
            Part::Data(bytes) => data.extend_from_slice(bytes),
        }
    }
    match asked.ask.verb {
        Verb::Echo => assert!(asked.messages == messages && asked.data == data),
        Verb::Sink => {
            let total = messages.iter().map(Vec::len).sum::<usize>() + data.len();
            assert_eq!(asked.messages, [(total as u64).to_le_bytes()]);
        }
        _ => assert!(asked.data == pattern(0, asked.ask.bytes as usize)),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn everything_arrives_however_the_wire_cuts_it(
        asks in proptest::collection::vec(any_ask(), 1..6),
        splits in proptest::collection::vec(prop_oneof![1 => 1usize..40, 2 => 500usize..100_000], 1..6),
        delay in 0i64..200,
        most in 1usize..300_000,
    ) {
        let mut world = World::new();
        world.up.splits = splits.clone();
        world.down.splits = splits;
        (world.up.delay, world.down.delay, world.most) = (delay, delay, most);
        for ask in asks {
            world.call(ask);
        }
        world.run(10_000_000);
        world.asker.calls.values().for_each(check);
        world.close();
        prop_assert_eq!(world.client.over(), Some(&Ok(())));
        prop_assert_eq!(world.server.over(), Some(&Ok(())));
    }
}

#[test]
fn greeting_and_first_request_share_a_flight() {
    let mut world = World::new();
    (world.up.delay, world.down.delay) = (50, 50);
    let first = world.call(ask(Class::Interactive, Verb::Give, 1000));
    let second = world.call(ask(Class::Interactive, Verb::Give, 1000));
    world.run(10_000);
    assert_eq!(world.asker.calls[&first].done_at, 1000 + 100, "one round trip");
    assert_eq!(world.asker.calls[&second].done_at, 1000 + 150, "the others wait for the server's greeting");
    let before = world.now;
    world.close();
    assert_eq!(world.now - before, 100, "one round trip to say goodbye");
    // What an idle connection costs, with two small answers in it.
    assert!(world.client.traffic().sent_bytes < 200, "{:?}", world.client.traffic());
    assert!(world.client.traffic().received_bytes < 2_000 + 250, "{:?}", world.client.traffic());
    assert_eq!(world.client.traffic().sent_bytes, world.server.traffic().received_bytes);
    assert_eq!(world.client.traffic().received_bytes, world.server.traffic().sent_bytes);
}

#[test]
fn a_conversation_is_these_bytes() {
    let mut world = World::new();
    world.call(ask(Class::Interactive, Verb::Give, 3));
    world.run(10_000);
    world.close();
    assert_eq!(
        store::id::hex(&world.up.record),
        concat!(
            "897475636b626f780d0a1a0a00ff430a",
            "1c00000001000000000000005e87d099a6000101010282636f6e656374776f0466636c69656e74051840",
            "0600",
            "0500000002020000010000004c903c520103000000",
            "000000000a00000000000000c94b23fb",
        )
    );
    assert_eq!(
        store::id::hex(&world.down.record),
        concat!(
            "897475636b626f780d0a1a0a00ff530a",
            "180000000100000000000000c36c739fa60001010102816374776f046673657276657205184006",
            "00",
            "0300000003010000010000004c022f16000102",
            "000000000a00000000000000c94b23fb",
        )
    );
}

#[test]
fn a_long_fat_line_is_filled() {
    let mut world = World::new();
    (world.up.delay, world.down.delay) = (50, 50);
    world.call(ask(Class::Interactive, Verb::Give, 0));
    world.run(10_000);
    let down = world.call(ask(Class::Bulk, Verb::Give, 64 << 20));
    let start = world.now;
    world.run(100_000);
    // A window of 32 MiB: 64 MiB take two round trips and the first one's way.
    assert!(world.asker.calls[&down].done_at - start <= 400, "{}", world.asker.calls[&down].done_at - start);

    let mut up = ask(Class::Bulk, Verb::Sink, 0);
    up.sends = vec![Part::Data(pattern(0, 32 << 20).into())];
    let up = world.call(up);
    let start = world.now;
    world.run(100_000);
    assert!(world.asker.calls[&up].done_at - start <= 700, "{}", world.asker.calls[&up].done_at - start);
}

#[test]
fn floods_both_ways_do_not_lock_each_other() {
    let mut world = World::new();
    for class in [Class::Bulk, Class::Interactive, Class::Bulk] {
        let mut echo = ask(class, Verb::Echo, 0);
        echo.sends = (0..20).map(|_| Part::Data(pattern(0, 300_000).into())).collect();
        world.call(echo);
        world.call(ask(class, Verb::Give, 20 << 20));
    }
    world.run(1_000_000);
    world.asker.calls.values().for_each(check);
}

#[test]
fn who_never_reads_holds_up_nobody_else() {
    let mut world = World::new();
    let deaf = Ask { reads: false, ..ask(Class::Bulk, Verb::Give, 60 << 20) };
    let deaf = world.call(deaf);
    let done = world.run_until(20_000, |w| w.asker.calls.values().all(|call| call.outcome.is_some()));
    assert!(!done);
    assert!(world.client.outstanding() <= POOL_BYTES + STREAM_START_BYTES);
    for class in [Class::Interactive, Class::Bulk] {
        let other = world.call(ask(class, Verb::Give, 5 << 20));
        world.run_until(100_000, |w| w.asker.calls[&other].outcome.is_some());
        check(&world.asker.calls[&other]);
    }
    // And the server goes on as soon as it reads, however late.
    world.asker.calls.get_mut(&deaf).unwrap().ask.reads = true;
    world.asker.ready.insert(deaf);
    world.run(1_000_000);
    assert_eq!(world.asker.calls[&deaf].data.len(), 60 << 20);
}

#[test]
fn the_pool_is_one_for_all() {
    the_pool_is(World::new(), POOL_BYTES);
}

#[test]
fn a_far_server_is_given_more() {
    let mut world = World::new();
    (world.up.delay, world.down.delay) = (20, 19);
    the_pool_is(world, POOL_BYTES);
    let mut world = World::new();
    (world.up.delay, world.down.delay) = (20, 20);
    the_pool_is(world, FAR_POOL_BYTES);
}

fn the_pool_is(mut world: World, pool: u64) {
    for count in 1..6 {
        world.call(Ask { reads: false, ..ask(Class::Bulk, Verb::Give, 100 << 20) });
        world.run_until(world.now + 1_000, |_| false);
        assert!(world.client.outstanding() >= pool + count);
        assert!(world.client.outstanding() <= pool + count * STREAM_START_BYTES);
    }
    // Who comes late has its start, and gets its part when the others have read.
    let late = world.call(ask(Class::Bulk, Verb::Give, 5 << 20));
    world.run_until(100_000, |w| w.asker.calls[&late].outcome.is_some());
    check(&world.asker.calls[&late]);
}

#[test]
fn a_person_goes_first_and_bulk_never_starves() {
    let mut world = World::new();
    world.call(ask(Class::Interactive, Verb::Give, 0));
    world.run(10_000);
    // Requests arrive, and answers stay with the server.
    let bulk = [3, 7].map(|_| world.call(ask(Class::Bulk, Verb::Give, 100 << 20)));
    let person = world.call(ask(Class::Interactive, Verb::Give, 100 << 20));
    let mut out = Vec::new();
    world.client.transmit(world.now, &mut out, usize::MAX);
    world.server.receive(world.now, &out);
    world.server.transmit(world.now, &mut Vec::new(), 0);
    let frames = world.next_frames(18);
    assert_eq!(frames[..16], [person; 16]);
    assert_eq!(frames[16..], [bulk[0], person]);
    // When the person's credit is used up, bulk takes turns.
    let frames = world.next_frames(12);
    assert_eq!(frames.iter().filter(|id| **id == person).count(), 3);
    assert_eq!(frames[8..], [bulk[0], bulk[1], bulk[0], bulk[1]]);
}

#[test]
fn calls_that_nobody_finishes_are_reset() {
    let mut world = World::new();
    let dropped = world.call(ask(Class::Interactive, Verb::Drop, 0));
    world.run(10_000);
    assert_eq!(world.asker.calls[&dropped].outcome, Some(Err(Error::Reset(crate::Code::DROPPED))));

    // Cancelled by the client: the server hears of it, and both forget it.
    let silent = world.call(ask(Class::Interactive, Verb::Silent, 0));
    world.run_until(world.now, |_| false);
    world.client.release(silent);
    world.run_until(world.now, |_| false);
    assert!(world.answerer.calls.is_empty() && world.server.outstanding() == 0 && world.client.outstanding() == 0);
}

#[test]
fn a_bound_on_streams_is_held_by_the_client_itself() {
    let few = Hello { streams_max: 2, ..Hello::new("server", &[]) };
    let mut world = World::with(Config::client(Hello::new("client", &[])), Config::server(few));
    for _ in 0..20 {
        world.call(ask(Class::Bulk, Verb::Give, 100_000));
    }
    world.run(10_000);
    world.asker.calls.values().for_each(check);
    for _ in 0..2 {
        world.call(ask(Class::Bulk, Verb::Silent, 0));
    }
    assert!(matches!(world.client.open(world.now, Class::Bulk, vec![]), Err(Error::Limit { most: 2, .. })));
    assert!(matches!(World::new().client.open(0, Class::Bulk, vec![0; (1 << 20) + 1]), Err(Error::Limit { .. })));
}
