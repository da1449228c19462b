//! A server that lies: `liar VAULT LIE`. It passes on what the true server of this vault says, but for one lie.

mod lies;

use std::path::PathBuf;
use std::sync::Arc;

use agent::engine::job::{Role, ServeJob, TimeZone};
use agent::engine::remote::{Incoming, Next};
use agent::serve::Server;
use store::door::{SystemChance, SystemClock};
use store::record::Record;
use transport::message::{Request, decode};
use transport::{Call, Class, Client, ClientConfig, Hello, Part, ServerConfig, Service, memory_pipe, stdio_pipe};

use lies::Lie;

/// One thing that a server says on a call.
pub enum Said {
    /// A message.
    Message(Vec<u8>),
    /// A record, as it travels.
    Record(Vec<u8>),
}

struct Liar {
    truth: Client,
    lie: Lie,
}

impl Service for Liar {
    fn handle(&self, call: Call, request: Vec<u8>) {
        let asked = decode::<Request>(&request).expect("a request");
        let truth = self.truth.call(Class::Bulk, request).expect("a call");
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while let Ok(Some(part)) = call.recv() {
                    let passed = match part {
                        Part::Message(message) => truth.send_message(message),
                        Part::Data(data) => truth.send_data(data),
                    };
                    if passed.is_err() {
                        return;
                    }
                }
                drop(truth.end());
            });
            let say = |said: Said| match said {
                Said::Message(message) => call.send_message(message).is_ok(),
                Said::Record(record) => call.send_data(record.into()).is_ok(),
            };
            let mut incoming = Incoming::new(&truth);
            let mut no = 0;
            loop {
                let said = match incoming.next_part() {
                    Ok(Next::Message(message)) => Some(Said::Message(message)),
                    Ok(Next::Record(record)) => Some(Said::Record(bytes(&record))),
                    Ok(Next::End) | Err(_) => None,
                };
                let last = said.is_none();
                if !(self.lie)(&asked, no, said, &mut |said| say(said)) || last {
                    break;
                }
                no += 1;
            }
            drop(call.end());
        });
    }
}

/// A record as it travels.
pub fn bytes(record: &Record) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(record.wire_len());
    record.encode(&mut bytes);
    bytes
}

fn main() {
    let mut words = std::env::args_os().skip(1);
    let (vault, lie) = (words.next().expect("a vault"), words.next().expect("a lie"));
    let vault = PathBuf::from(vault);
    let lie = lies::named(lie.to_str().expect("a lie"), &vault);
    let (clock, chance) = (Arc::new(SystemClock::new()), Arc::new(SystemChance));
    let (near, far) = memory_pipe();
    let job = ServeJob {
        vault,
        account: None,
        role: Role::Admin,
        home: None,
        client: None,
        zone: TimeZone::UTC,
        near: false,
        refusal: None,
    };
    let server = Server::new(&job, clock.clone(), chance);
    std::thread::spawn(move || server.serve(far));
    let truth = Client::connect(near, ClientConfig::new(Hello::new("liar", &[]), clock.clone())).expect("a client");
    truth.peer().expect("a greeting");
    let pipe = stdio_pipe().expect("a pipe");
    let config = ServerConfig::new(Hello::new("liar", &[]), clock);
    drop(transport::serve(pipe, config, Arc::new(Liar { truth, lie })));
}
