//! Waits have ends, working is heard, and a throttle keeps its rate.

use super::*;
use crate::limits::{BYE_MS, CALL_SILENCE_MS, FIRST_BYTE_MS, HELLO_MS, PING_MS, SILENCE_MS, WORKING_MS};
use crate::session::Rates;

fn greeted() -> World {
    let mut world = World::new();
    world.call(ask(Class::Interactive, Verb::Give, 0));
    world.run(10_000);
    world
}

#[test]
fn a_far_side_that_never_speaks_is_given_up() {
    let mut world = World::new();
    world.down.cut_after = None;
    world.down.delay = Millis::MAX / 4;
    let call = world.call(ask(Class::Interactive, Verb::Give, 0));
    world.run(1_000_000);
    assert!(matches!(world.asker.calls[&call].outcome, Some(Err(Error::Timeout { .. }))));
    assert_eq!(world.asker.calls[&call].done_at, 1000 + FIRST_BYTE_MS);

    // With a first byte the rest has to follow soon.
    let mut session = Session::client(Config::client(Hello::new("", &[])), 0).unwrap();
    session.receive(5_000, b"W");
    assert_eq!(session.deadline(), 5_000 + HELLO_MS);
    session.tick(5_000 + HELLO_MS);
    assert_eq!(session.over(), Some(&Err(Error::NoMagic { noise: b"W".to_vec() })));
}

#[test]
fn an_idle_connection_stays_and_a_dead_one_goes() {
    let mut world = greeted();
    world.run_until(10 * SILENCE_MS, |_| false);
    assert_eq!((world.client.over(), world.server.over()), (None, None));
    let quiet = world.client.traffic().sent_bytes;
    assert!(quiet < 5_000, "{quiet} bytes in fifteen minutes");

    world.down.delay = Millis::MAX / 4;
    let dead_at = world.now;
    world.run_until(100 * SILENCE_MS, |w| w.client.over().is_some());
    assert!(world.now - dead_at <= SILENCE_MS + PING_MS);
    assert_eq!(world.client.over(), Some(&Err(Error::lost("the far side is silent"))));
}

#[test]
fn a_far_side_that_takes_nothing_is_lost_though_it_speaks() {
    let mut world = greeted();
    (world.up.stuck, world.down.stuck) = (true, true);
    let mut sink = ask(Class::Bulk, Verb::Sink, 0);
    sink.sends = vec![Part::Data(pattern(0, 1 << 20).into())];
    let call = world.call(sink);
    let start = world.now;
    // The server says something all the time.
    while world.client.over().is_none() {
        let mut ping = Vec::new();
        crate::frame::Header::connection(crate::frame::Kind::Ping).encode(&[0; 8], &mut ping);
        world.client.receive(world.now, &ping);
        world.now += 1000;
        world.settle();
        assert!(world.now - start < 2 * SILENCE_MS);
    }
    world.run_until(world.now, |_| true);
    assert_eq!(world.asker.calls[&call].outcome, Some(Err(Error::lost("the far side takes no bytes"))));
}

#[test]
fn working_is_heard_and_silence_ends_a_call() {
    let mut world = greeted();
    let call = world.call(ask(Class::Interactive, Verb::Silent, 0));
    world.run_until(20 * CALL_SILENCE_MS, |_| false);
    assert_eq!(world.asker.calls[&call].outcome, None, "the server says that it works");
    let working = world.down.record.windows(12).filter(|w| **w == [0, 0, 0, 0, 6, 0, 0, 0, 5, 0, 0, 0]).count();
    assert!((100..=20 * 9).contains(&working), "{working} notes in an hour, one each {WORKING_MS} ms");
}

#[test]
fn a_server_that_lives_but_says_nothing_of_a_call_loses_it() {
    let mut world = greeted();
    let call = world.call(ask(Class::Interactive, Verb::Silent, 0));
    world.client.transmit(world.now, &mut Vec::new(), 9999);
    let start = world.now;
    let mut ping = Vec::new();
    crate::frame::Header::connection(crate::frame::Kind::Ping).encode(&[0; 8], &mut ping);
    while world.asker.calls[&call].outcome.is_none() {
        world.now += 1000;
        world.client.receive(world.now, &ping);
        world.client.tick(world.now);
        world.client.transmit(world.now, &mut Vec::new(), 9999);
        world.client.taken(world.now, 9999);
        world.asker.act(&mut world.client, world.now);
        assert!(world.now - start <= CALL_SILENCE_MS);
    }
    assert_eq!(world.now - start, CALL_SILENCE_MS);
    assert!(matches!(world.asker.calls[&call].outcome, Some(Err(Error::Timeout { .. }))));
    assert_eq!(world.client.over(), None, "the connection is good");
}

#[test]
fn a_goodbye_without_an_answer_has_an_end() {
    let mut world = greeted();
    world.down.delay = Millis::MAX / 4;
    let start = world.now;
    world.client.leave();
    world.run_until(start + 10 * BYE_MS, |w| w.client.over().is_some());
    assert_eq!(world.client.over(), Some(&Err(Error::Timeout { what: "goodbye of the far side" })));
    assert_eq!(world.now, start + BYE_MS);
}

/// Takes what one end has to say to the other.
fn carry(now: Millis, from: &mut Session, to: &mut Session) {
    let mut bytes = Vec::new();
    from.transmit(now, &mut bytes, usize::MAX);
    from.taken(now, bytes.len());
    to.receive(now, &bytes);
}

#[test]
fn what_was_ended_is_finished_before_the_goodbye() {
    for ended in [true, false] {
        let World { mut client, mut server, now, .. } = greeted();
        let carry = |from: &mut Session, to: &mut Session| carry(now, from, to);
        let id = client.open(now, Class::Bulk, vec![1]).unwrap();
        carry(&mut client, &mut server);
        assert!(matches!(server.read(id), Ok(Read::Part(_))));
        if ended {
            client.end_stream(id).unwrap();
        }
        client.leave();
        carry(&mut client, &mut server);
        carry(&mut server, &mut client);
        assert_eq!(client.over().is_some(), !ended, "what is open is cut off, what is ended is waited for");
        assert_eq!(matches!(server.read(id), Ok(Read::End)), ended);
        server.release(id);
        carry(&mut server, &mut client);
        assert_eq!((client.over(), server.over()), (Some(&Ok(())), Some(&Ok(()))));
    }
}

#[test]
fn a_request_that_was_ended_arrives_though_the_goodbye_shares_its_flight() {
    let World { mut client, mut server, now, .. } = greeted();
    let carry = |from: &mut Session, to: &mut Session| carry(now, from, to);
    let id = client.open(now, Class::Interactive, vec![7]).unwrap();
    client.end_stream(id).unwrap();
    client.leave();
    carry(&mut client, &mut server);
    assert!(matches!(server.read(id), Ok(Read::Part(Part::Message(request))) if request == [7]));
    carry(&mut server, &mut client);
    assert_eq!(client.over(), None, "what was asked for is done first");
    server.end_stream(id).unwrap_or(());
    server.release(id);
    carry(&mut server, &mut client);
    assert_eq!((client.over(), server.over()), (Some(&Ok(())), Some(&Ok(()))));
}

#[test]
fn an_answer_that_came_before_our_end_was_sent_does_not_hold_up_the_goodbye() {
    let World { mut client, mut server, now, .. } = greeted();
    let carry = |from: &mut Session, to: &mut Session| carry(now, from, to);
    let id = client.open(now, Class::Interactive, vec![1]).unwrap();
    carry(&mut client, &mut server);
    assert!(matches!(server.read(id), Ok(Read::Part(_))));
    server.end_stream(id).unwrap();
    server.release(id);
    // Our end waits to be sent, when the server's arrives; the stream is still held here.
    client.end_stream(id).unwrap();
    carry(&mut server, &mut client);
    client.leave();
    carry(&mut client, &mut server);
    carry(&mut server, &mut client);
    assert_eq!((client.over(), server.over()), (Some(&Ok(())), Some(&Ok(()))));
}

fn throttled(rates: Rates) -> World {
    let mut world = greeted();
    world.client.set_rates(world.now, rates);
    (world.up.delay, world.down.delay) = (20, 20);
    world
}

#[test]
fn uploads_keep_their_rate() {
    for rate in [30_000u64, 1_000_000, 6_000_000] {
        let mut world = throttled(Rates { up: Some(rate), down: None });
        let before = world.client.traffic().sent_bytes;
        let start = world.now;
        let mut sink = ask(Class::Bulk, Verb::Sink, 0);
        sink.sends = vec![Part::Data(pattern(0, usize::try_from(rate * 10).unwrap()).into())];
        world.call(sink);
        world.run(10_000_000);
        let took = u64::try_from(world.now - start).unwrap();
        let sent = world.client.traffic().sent_bytes - before;
        // All of it, headers too, at the rate; one frame ahead at most, and one round trip for the answer.
        let ideal = sent * 1000 / rate;
        assert!(took + 66_000 * 1000 / rate + 1 >= ideal && took <= ideal + 70, "{rate}: {took} ms for {ideal} ms");
    }
}

#[test]
fn downloads_keep_their_rate_over_one_call_and_over_many() {
    for rate in [100_000u64, 1_000_000, 4_000_000] {
        let total = 20 * rate;
        let mut world = throttled(Rates { up: None, down: Some(rate) });
        let start = world.now;
        world.call(ask(Class::Bulk, Verb::Give, u32::try_from(total).unwrap()));
        world.run(10_000_000);
        check_rate(&world, start, total, rate);

        let mut world = throttled(Rates { up: None, down: Some(rate) });
        let start = world.now;
        for _ in 0..20 {
            world.call(ask(Class::Bulk, Verb::Give, u32::try_from(total / 20).unwrap()));
            world.run(10_000_000);
        }
        check_rate(&world, start, total, rate);
    }
}

fn check_rate(world: &World, start: Millis, total: u64, rate: u64) {
    let took = u64::try_from(world.now - start).unwrap();
    let ideal = total * 1000 / rate;
    // It may be ahead by the start of one stream, and behind by the round trips of its credit.
    let ahead = (STREAM_START_BYTES + rate / 8 + 70_000) * 1000 / rate;
    assert!(took + ahead >= ideal && took <= ideal + ideal / 10 + 1500, "{rate}: {took} ms for {ideal} ms");
}

/// A world whose server has these rates, and its client none.
fn limited(rates: Rates) -> World {
    let mut world = greeted();
    world.server.set_rates(world.now, rates);
    (world.up.delay, world.down.delay) = (20, 20);
    world
}

fn sink(bytes: u64) -> Ask {
    let mut sink = ask(Class::Bulk, Verb::Sink, 0);
    sink.sends = vec![Part::Data(pattern(0, usize::try_from(bytes).unwrap()).into())];
    sink
}

#[test]
fn a_server_keeps_rates_that_its_client_knows_nothing_of() {
    for rate in [100_000u64, 1_000_000] {
        let total = 20 * rate;
        let mut world = limited(Rates { up: None, down: Some(rate) });
        let start = world.now;
        world.call(sink(total));
        world.run(10_000_000);
        check_rate(&world, start, total, rate);
        assert_eq!(world.client.throttled_ms(), 0);

        let mut world = limited(Rates { up: Some(rate), down: None });
        let start = world.now;
        world.call(ask(Class::Bulk, Verb::Give, u32::try_from(total).unwrap()));
        world.run(10_000_000);
        let took = u64::try_from(world.now - start).unwrap();
        let (ideal, ahead) = (total * 1000 / rate, 66_000 * 1000 / rate);
        assert!(took + ahead >= ideal && took <= ideal + 100, "{rate}: {took} ms for {ideal} ms");
        // What was waited is what it took, but for the line's delay and the last frame.
        let waited = world.server.throttled_ms();
        assert!(waited <= took && waited + 200 + ahead >= took, "{rate}: waited {waited} ms of {took} ms");
    }
    // The lower of both ends.
    let mut world = limited(Rates { up: None, down: Some(1_000_000) });
    world.client.set_rates(world.now, Rates { up: Some(200_000), down: None });
    let start = world.now;
    world.call(sink(4_000_000));
    world.run(10_000_000);
    check_rate(&world, start, 4_000_000, 200_000);
}

#[test]
fn a_rate_that_changes_counts_from_its_moment_on() {
    for up in [true, false] {
        let rates = |rate| Some(rate).filter(|rate| *rate > 0);
        let set = |world: &mut World, rate| {
            let rate = rates(rate);
            let both = if up { Rates { up: None, down: rate } } else { Rates { up: rate, down: None } };
            world.server.set_rates(world.now, both);
        };
        let mut world = limited(Rates::default());
        set(&mut world, 2_000_000);
        let start = world.now;
        let total = 20_000_000 + 5_000_000;
        world.call(if up { sink(total) } else { ask(Class::Bulk, Verb::Give, u32::try_from(total).unwrap()) });
        world.run_until(start + 10_000, |_| false);
        set(&mut world, 500_000);
        world.run(10_000_000);
        let took = world.now - start;
        // Ten seconds for the first part, ten for the second; ahead by what was under way when it changed.
        assert!((15_000..=22_000).contains(&took), "up {up}: {took}");
        // No limit any more, in the middle.
        set(&mut world, 100_000);
        let start = world.now;
        world.call(if up { sink(total) } else { ask(Class::Bulk, Verb::Give, u32::try_from(total).unwrap()) });
        world.run_until(start + 5_000, |_| false);
        world.now = start + 5_000;
        set(&mut world, 0);
        world.run(10_000_000);
        assert!((5_000..8_000).contains(&(world.now - start)), "up {up}: {}", world.now - start);
    }
}

#[test]
fn persons_do_not_wait_for_the_throttle_but_are_counted() {
    let mut world = throttled(Rates { up: Some(10_000), down: Some(10_000) });
    let start = world.now;
    let mut echo = ask(Class::Interactive, Verb::Echo, 0);
    echo.sends = vec![Part::Data(pattern(0, 300_000).into())];
    world.call(echo);
    world.run(1_000_000);
    assert!(world.now - start <= 200);
    let bulk = world.call(ask(Class::Bulk, Verb::Give, 10));
    world.run(1_000_000);
    assert!(world.asker.calls[&bulk].done_at - start >= 23_000, "{}", world.now - start);
}

#[test]
fn what_is_for_a_person_goes_ahead_of_a_rate_and_not_past_it() {
    // Either end keeps the rate, either way.
    for (server, up) in [(true, true), (true, false), (false, true), (false, false)] {
        let mut world = greeted();
        (world.up.delay, world.down.delay) = (20, 20);
        let rate = Some(200_000);
        let rates = if server == up { Rates { up: None, down: rate } } else { Rates { up: rate, down: None } };
        if server {
            world.server.set_rates(world.now, rates)
        } else {
            world.client.set_rates(world.now, rates)
        }
        let start = world.now;
        let mut sink = sink(6_000_000);
        sink.class = Class::Interactive;
        world.call(if up { sink } else { ask(Class::Interactive, Verb::Give, 6_000_000) });
        world.run(10_000_000);
        let took = world.now - start;
        // Thirty seconds, less what may be owed and what a stream may send at its start.
        assert!((17_000..=31_000).contains(&took), "server {server}, up {up}: {took}");
    }
}

#[test]
fn who_opens_ever_new_streams_is_not_read_any_more() {
    let mut world = limited(Rates { up: None, down: Some(100_000) });
    for count in 0..12_u64 {
        let owed = count * 1_100_000;
        let hold = world.server.hold(world.now);
        assert_eq!(hold.is_some(), owed > 8 << 20, "{count}: {hold:?}");
        let mut sink = sink(1_100_000);
        sink.class = Class::Interactive;
        world.call(sink);
        world.run(10_000_000);
    }
    // What is above the bound takes its time, and then reading goes on.
    let hold = world.server.hold(world.now).unwrap();
    assert!((46_000..=49_000).contains(&hold), "{hold}");
    assert_eq!(world.server.hold(world.now + hold), None);
    world.server.set_rates(world.now, Rates::default());
    assert_eq!(world.server.hold(world.now), None);
}

#[test]
fn a_round_trip_is_measured_by_asking() {
    let mut world = greeted();
    (world.up.delay, world.down.delay) = (40, 60);
    assert_eq!(world.client.round_trip(), None);
    world.client.ping();
    world.run_until(world.now + 1_000, |w| w.client.round_trip().is_some());
    assert_eq!(world.client.round_trip(), Some(100));
    // A slower answer does not count, a faster one does.
    for (down, shortest) in [(500, 100), (10, 50)] {
        world.down.delay = down;
        world.client.ping();
        world.run_until(world.now + 1_000, |_| false);
        assert_eq!(world.client.round_trip(), Some(shortest));
    }
    // What never was sent is not taken for an answer.
    for echo in [[0xff; 8], [0x7f; 8], Millis::MIN.to_le_bytes()] {
        let mut pong = Vec::new();
        crate::frame::Header::connection(crate::frame::Kind::Pong).encode(&echo, &mut pong);
        world.client.receive(world.now, &pong);
    }
    assert_eq!((world.client.round_trip(), world.client.over()), (Some(50), None));
}
