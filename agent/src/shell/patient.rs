//! Waits for a verb of the shell. It runs on a thread of its own: the first interrupt asks it to end well, the second leaves
//! it behind, and the prompt comes back either way.

use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::time::Duration;

use crate::cli::inside::Inside;
use crate::cli::{inside_face, tell_inside};
use crate::engine::job::Stop;
use crate::fault::{Code, Fault};
use crate::world::World;

/// How soon an interrupt is passed on.
const GLANCE: Duration = Duration::from_millis(50);

/// Glances after which somebody who interrupted is told what a second interrupt does: a second. What ends well ends sooner.
const GLANCES_TO_END: u32 = 20;

/// Status of what was interrupted.
const INTERRUPTED: u8 = 130;

/// Does it and waits for its status.
pub fn wait(world: &World, inside: &Inside, work: impl FnOnce(&World, &Inside) -> u8 + Send + 'static) -> u8 {
    world.stop.take();
    let stop = Stop::default();
    let (done, hears) = sync_channel(1);
    let theirs = (World { stop: stop.clone(), ..world.clone() }, inside.clone());
    let spawned = std::thread::Builder::new().name("verb".into()).spawn(move || {
        let (world, inside) = theirs;
        // Nobody hears it any more when it was left behind.
        done.send(work(&world, &inside)).unwrap_or_default();
    });
    if let Err(error) = spawned {
        let fault = Fault::new(Code::System, "cannot start a thread").because(error);
        return tell_inside(world, &fault, inside).unwrap_or(1);
    }
    let mut glances = 0;
    loop {
        match hears.recv_timeout(GLANCE) {
            Ok(status) => return status,
            Err(RecvTimeoutError::Disconnected) => return 1,
            Err(RecvTimeoutError::Timeout) => {}
        }
        let Some(signal) = world.stop.signal() else { continue };
        if world.stop.count() > 1 {
            world.stop.take();
            // It holds the connection, perhaps for ever.
            inside.kept.forget();
            let fault =
                Fault::new(Code::Interrupted, "left behind: it does not end").hint("the next verb connects anew");
            tell_inside(world, &fault, inside).unwrap_or_default();
            return INTERRUPTED;
        }
        if !stop.asked() {
            stop.ask(signal);
        }
        glances += 1;
        if glances == GLANCES_TO_END {
            let text = "It has not ended yet; one more interrupt leaves it.";
            inside_face(world, inside).say(text).unwrap_or_default();
        }
    }
}
