//! A wire that is cut anywhere: each call ends, once, and nothing hangs.

use super::*;

fn conversation(cut_up: Option<usize>, cut_down: Option<usize>) -> World {
    let mut world = World::new();
    // Both directions fall together, as those of a connection do.
    (world.up.cut_after, world.down.cut_after) = (cut_up, cut_down);
    world.up.splits = vec![7, 300];
    let mut echo = ask(Class::Interactive, Verb::Echo, 0);
    echo.sends = vec![Part::Message(pattern(0, 30)), Part::Data(pattern(0, 200).into()), Part::Message(vec![])];
    let mut sink = ask(Class::Bulk, Verb::Sink, 0);
    sink.sends = vec![Part::Data(pattern(0, 400).into())];
    for ask in [ask(Class::Interactive, Verb::Give, 100), echo, sink, ask(Class::Bulk, Verb::Give, 500)] {
        world.call(ask);
    }
    world.run(1_000_000);
    world.close();
    world
}

#[test]
fn a_wire_cut_at_any_byte_ends_every_call_once() {
    let whole = conversation(None, None);
    assert_eq!((whole.client.over(), whole.server.over()), (Some(&Ok(())), Some(&Ok(()))));
    let (up, down) = (whole.up.record.len(), whole.down.record.len());
    assert!(up > 900 && down > 900);

    for cut in 0..up {
        // The client's words are lost from here on; the server hears the end of the pipe and ends its side.
        let world = conversation(Some(cut), Some(cut.min(down)));
        assert!(world.client.over().is_some_and(Result::is_err), "cut at {cut}");
        assert!(world.server.over().is_some_and(Result::is_err), "cut at {cut}");
        check(&world, cut);
    }
    for cut in 0..down {
        let world = conversation(None, Some(cut));
        assert!(world.client.over().is_some_and(Result::is_err), "cut at {cut}");
        check(&world, cut);
    }
}

fn check(world: &World, cut: usize) {
    for (id, call) in &world.asker.calls {
        // Answered as a whole, or lost; never cut short and called good.
        match &call.outcome {
            Some(Ok(())) => assert!(call.ask.verb != Verb::Give || call.data.len() == call.ask.bytes as usize),
            outcome => assert!(is_lost(outcome), "cut at {cut}, stream {id}: {outcome:?}"),
        }
    }
    assert!(world.server.outstanding() == 0 || world.server.over().is_none());
}

#[test]
fn a_program_that_is_not_there_shows_what_its_shell_said() {
    let mut world = World::new();
    let call = world.call(ask(Class::Interactive, Verb::Give, 1));
    world.client.receive(world.now, b"bash: tuckbox: command not found\n");
    world.client.receive_end(world.now);
    world.run_until(10, |_| true);
    let said = Error::NoMagic { noise: b"bash: tuckbox: command not found\n".to_vec() };
    assert_eq!(world.asker.calls[&call].outcome, Some(Err(said)));
}

#[test]
fn a_far_side_that_echoes_is_not_a_server() {
    let mut session = Session::client(Config::client(Hello::new("", &[])), 0).unwrap();
    let mut out = Vec::new();
    session.transmit(0, &mut out, 99_999);
    session.receive(1, &out);
    assert_eq!(session.over(), None);
    session.tick(20_000);
    assert!(matches!(session.over(), Some(Err(Error::NoMagic { noise })) if noise.starts_with(b"\x89tuckbox")));
}

#[test]
fn noise_before_the_greeting_is_reported_and_stepped_over() {
    let mut world = World::new();
    world.down.put(world.now, b"Welcome to host!\r\n\x89tuck");
    let call = world.call(ask(Class::Interactive, Verb::Give, 1000));
    world.run(10_000);
    assert_eq!(world.asker.calls[&call].outcome, Some(Ok(())));
    assert_eq!(world.asker.noise.as_deref(), Some(&b"Welcome to host!\r\n\x89tuck"[..]));
}

#[test]
fn versions_and_features_that_do_not_fit_are_refused_before_any_request() {
    let later = Hello { protocol: (3, 4), ..Hello::new("later", &[]) };
    let mut world = World::with(Config::client(Hello::new("now", &[])), Config::server(later));
    let call = world.call(ask(Class::Interactive, Verb::Give, 1));
    world.run(10_000);
    let refused = Err(Error::Version { ours: (1, 1), theirs: (3, 4) });
    assert_eq!(world.asker.calls[&call].outcome, Some(refused));
    assert_eq!(world.server.over(), Some(&Err(Error::Version { ours: (3, 4), theirs: (1, 1) })));
    assert_eq!(world.answerer.served, 0);

    let needy = Hello { needed: vec!["colour".into()], ..Hello::new("", &["colour"]) };
    let mut world = World::with(Config::client(needy), Config::server(Hello::new("", &[])));
    let call = world.call(ask(Class::Interactive, Verb::Give, 1));
    world.run(10_000);
    assert_eq!(world.asker.calls[&call].outcome, Some(Err(Error::Feature { name: "colour".into() })));
    assert_eq!(world.answerer.served, 0);

    let mut world = World::new();
    world.server.refuse(world.now, crate::Code::BUSY, "come back later\x1b", Some(60));
    let call = world.call(ask(Class::Interactive, Verb::Give, 1));
    world.run(10_000);
    let text = "come back later\\u{1b}".into();
    let refused = Error::Peer { code: crate::Code::BUSY, text, retry_after_s: Some(60) };
    assert_eq!(world.asker.calls[&call].outcome, Some(Err(refused)));
}
