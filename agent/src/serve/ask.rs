//! "Which of these do you lack?"

use store::id::{ChunkId, NodeId};
use store::vault::Access;
use transport::message::{Answered, AskBatch, decode, split_ids, to_bits};
use transport::{Call, Part};

use super::refuse::Refused;
use super::{Server, reply};
use crate::fault::{Code, Fault};
use crate::profile::{Wait, waiting};

impl Server {
    /// Answers batch after batch until the client ends.
    pub fn ask(&self, call: &Call, first: AskBatch) -> Result<(), Refused> {
        let (_, _, domain) = self.account(Access::Read)?;
        let bad = || Fault::new(Code::NetProtocol, "a question cannot be read");
        let mut batch = first;
        loop {
            let chunks = split_ids(&batch.chunks, ChunkId::new).ok_or_else(bad)?;
            let nodes = split_ids(&batch.nodes, NodeId::new).ok_or_else(bad)?;
            // Before the answer: what is condemned in between makes the answer older, never younger, than it says.
            let generation = domain.generation()?;
            let chunks = to_bits(&domain.lacking_chunks(&chunks)?);
            let nodes = to_bits(&domain.lacking_nodes(&nodes)?);
            reply(call, Answered { chunks, nodes, generation })?;
            batch = match waiting(Wait::Input, || call.recv())? {
                Some(Part::Message(message)) => decode(&message).map_err(|_| bad())?,
                Some(Part::Data(_)) => return Err(bad().into()),
                None => return Ok(()),
            };
        }
    }
}
