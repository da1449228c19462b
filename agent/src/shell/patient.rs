//! Waits for a verb of the shell. It runs on a thread of its own: the first interrupt asks it to end well, the second leaves
//! it behind, and the prompt comes back either way. What was left behind is not heard any more.

use std::io::Write;
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::cli::inside::Inside;
use crate::cli::{inside_face, tell_inside};
use crate::engine::job::Stop;
use crate::engine::queue::lock;
use crate::fault::{Code, Fault};
use crate::world::{Out, World};

/// How soon an interrupt is passed on.
const GLANCE: Duration = Duration::from_millis(50);

/// Glances after which somebody who interrupted is told what a second interrupt does: a second. What ends well ends sooner.
const GLANCES_TO_END: u32 = 20;

/// Status of what was interrupted.
const INTERRUPTED: u8 = 130;

/// What goes on although nobody waits for it.
pub struct Left {
    /// Asks it to end.
    pub stop: Stop,
    /// Its status, when it has ended.
    pub ended: Receiver<u8>,
}

/// Does it and waits for its status. `leave` takes over what is left behind, and gives it a number.
pub fn wait(
    world: &World,
    inside: &Inside,
    leave: impl FnOnce(Left) -> usize,
    work: impl FnOnce(&World, &Inside) -> u8 + Send + 'static,
) -> u8 {
    world.stop.take();
    let stop = Stop::default();
    let (done, ended) = sync_channel(1);
    let (stdout, stderr) = (Ear::on(&world.stdout), Ear::on(&world.stderr));
    let streams = [&stdout, &stderr].map(|ear| Arc::new(Out::new(Box::new(Mouth(Arc::clone(ear))))));
    let [to, aside] = streams;
    let theirs = (World { stop: stop.clone(), stdout: to, stderr: aside, ..world.clone() }, inside.clone());
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
        match ended.recv_timeout(GLANCE) {
            Ok(status) => return status,
            Err(RecvTimeoutError::Disconnected) => return 1,
            Err(RecvTimeoutError::Timeout) => {}
        }
        let Some(signal) = world.stop.signal() else { continue };
        if world.stop.count() > 1 {
            world.stop.take();
            stdout.stop();
            stderr.stop();
            stderr.wipe(world);
            // It holds the connection, perhaps for ever.
            inside.kept.forget();
            if !stop.asked() {
                stop.ask(signal);
            }
            let number = leave(Left { stop, ended });
            let fault = Fault::new(Code::Interrupted, format!("left behind as [{number}]: it does not end"))
                .hint("`jobs` shows it while it goes on; the next verb connects anew");
            tell_inside(world, &fault, inside).unwrap_or_default();
            return INTERRUPTED;
        }
        if !stop.asked() {
            stop.ask(signal);
        }
        glances += 1;
        if glances == GLANCES_TO_END {
            stderr.wipe(world);
            let text = "It has not ended yet; one more interrupt leaves it.";
            inside_face(world, inside).say(text).unwrap_or_default();
        }
    }
}

/// A stream of the verb, which leads to one of the shell until nobody listens any more.
struct Ear {
    to: Mutex<Option<Arc<Out>>>,
    /// A line was begun, as one of progress that is drawn over.
    open: Mutex<bool>,
}

impl Ear {
    fn on(to: &Arc<Out>) -> Arc<Self> {
        Arc::new(Self { to: Mutex::new(Some(Arc::clone(to))), open: Mutex::default() })
    }

    /// From now on nothing is heard. What is being written is written to its end before.
    fn stop(&self) {
        lock(&self.to).take();
    }

    /// Takes away a line that was begun on the terminal.
    fn wipe(&self, world: &World) {
        if std::mem::take(&mut *lock(&self.open)) && world.terminal.stderr {
            world.stderr.write(b"\r\x1b[K").unwrap_or_default();
        }
    }
}

/// What the verb writes to.
struct Mouth(Arc<Ear>);

impl Write for Mouth {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        // Held meanwhile, so that nothing comes behind the word that it was left.
        let to = lock(&self.0.to);
        if let (Some(out), Some(last)) = (&*to, bytes.last()) {
            *lock(&self.0.open) = *last != b'\n' && !bytes.ends_with(b"\r\x1b[K");
            (&**out).write_all(bytes)?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        let to = lock(&self.0.to);
        to.as_ref().map_or(Ok(()), |out| Write::flush(&mut &**out))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_behind_is_silent() {
        let heard = Arc::new(Mutex::new(Vec::new()));
        struct Heard(Arc<Mutex<Vec<u8>>>);
        impl Write for Heard {
            fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
                lock(&self.0).extend_from_slice(bytes);
                Ok(bytes.len())
            }
            fn flush(&mut self) -> std::io::Result<()> {
                Ok(())
            }
        }
        let out = Arc::new(Out::new(Box::new(Heard(Arc::clone(&heard)))));
        let ear = Ear::on(&out);
        let theirs = Out::new(Box::new(Mouth(Arc::clone(&ear))));
        theirs.write(b"\rsend: 3 files\x1b[K").unwrap();
        assert!(*lock(&ear.open));
        ear.stop();
        theirs.line("done").unwrap();
        theirs.flush().unwrap();
        assert_eq!(*lock(&heard), b"\rsend: 3 files\x1b[K");
    }
}
