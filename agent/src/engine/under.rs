//! Groups of nodes from the server: one, some, or all below a root.

use std::collections::HashSet;

use store::record::Record;
use transport::message::{Request, Under, join_ids};
use transport::{Call, Class};

use super::cache::Wish;
use super::remote::{Incoming, Next, Remote, take_reply};
use super::trouble::protocol;
use crate::fault::Result;

/// Gets groups from the server. After a loss some come twice.
pub fn fetch(remote: &Remote, wish: &Wish<'_>, visit: &mut dyn FnMut(Record) -> Result<()>) -> Result<()> {
    remote.persist(|remote| fetch_once(remote, wish, visit))
}

fn fetch_once(remote: &Remote, wish: &Wish<'_>, visit: &mut dyn FnMut(Record) -> Result<()>) -> Result<()> {
    let under = match wish {
        Wish::One(id) => Under { roots: id.bytes().to_vec(), known: Vec::new(), depth: Some(0) },
        Wish::Some(ids) => {
            Under { roots: join_ids(ids.iter().map(store::id::NodeId::bytes)), known: Vec::new(), depth: Some(0) }
        }
        Wish::Under(root, known) => {
            let known = known.iter().take(transport::message::IDS_MAX).map(store::id::NodeId::bytes);
            Under { roots: root.bytes().to_vec(), known: join_ids(known), depth: None }
        }
    };
    let call: Call = remote.call(Class::Interactive, &Request::Under(under)).map_err(|error| remote.explain(&error))?;
    remote.end(&call)?;
    let mut incoming = Incoming::new(&call);
    let mut seen = HashSet::new();
    loop {
        match incoming.next_part().map_err(|error| error.fault(remote))? {
            // Each comes once, so that what opens comes to an end.
            Next::Record(record) if !seen.insert(record.header.nonce) => {
                return Err(protocol("a group comes twice"));
            }
            Next::Record(record) => visit(*record)?,
            Next::Message(message) => take_reply::<()>(&message)?,
            Next::End => return Ok(()),
        }
    }
}
