//! Storing: records into the session's staging, then commits.

use std::sync::atomic::{AtomicBool, Ordering};

use store::chain::SignedLink;
use store::record::Record;
use store::vault::{Access, AccountState, Domain, Outcome as VaultOutcome, Session};
use transport::Call;
use transport::message::{Ack, Begin, Begun, Commit, Committed, Head, IDS_MAX, Outcome, Up, UpReply, decode, join_ids};

use super::permit::permit_link;
use super::refuse::Refused;
use super::{Server, reply};
use crate::engine::job::Role;
use crate::engine::remote::{Incoming, IncomingError, Next};
use crate::fault::{Code, Fault};
use crate::profile::did;

/// Bytes after which what was staged is handed to the system and acknowledged: the client keeps them until then, for
/// every stripe.
const ACK_BYTES: usize = 1 << 20;

/// What was staged on this call.
#[derive(Default)]
struct Staged {
    records: u64,
    stored_bytes: u64,
    /// Since the last acknowledgement.
    unacked_bytes: usize,
}

impl Server {
    /// Takes records and commits until the client ends. What was acknowledged survives the end of this process.
    pub fn upload(&self, call: &Call, begin: &Begin) -> Result<(), Refused> {
        let (_, account, domain) = self.account(Access::Write)?;
        if account.state != AccountState::Open {
            let why = if account.reason.is_empty() { String::new() } else { format!(": {}", account.reason) };
            return Err(Fault::new(
                Code::AccountFrozen,
                format!("nothing may be added to this account: it is frozen{why}"),
            )
            .hint("ask the server's administrator; reading and restoring work")
            .into());
        }
        // Before anything is sent; what only says that something is to go has no source and always finds room.
        if !begin.sources.is_empty() {
            domain.must_have_room(&account)?;
        }
        if begin.stripe {
            self.keeper.is_stripe();
            return self.stripe(call, begin, &domain, &account);
        }
        let mut session = domain.begin(&account, &begin.sources, begin.session)?;
        let generation = domain.generation()?;
        reply(call, UpReply::Begun(Begun { session: session.id(), generation }))?;
        let taken = take(call, &mut session, self.role, &self.committed);
        if taken.is_err() {
            // Whoever resumes or adopts the session finds what was put; a flush that fails costs only what was not
            // acknowledged.
            drop(session.flush());
            return taken;
        }
        Ok(session.end()?)
    }

    fn stripe(
        &self,
        call: &Call,
        begin: &Begin,
        domain: &Domain,
        account: &store::vault::AccountInfo,
    ) -> Result<(), Refused> {
        let session = begin.session.ok_or_else(|| Fault::new(Code::NetProtocol, "a stripe names no session"))?;
        let mut stripe = domain.attach(account, session)?;
        reply(call, UpReply::Begun(Begun { session, generation: domain.generation()? }))?;
        let mut staged = Staged::default();
        let mut incoming = Incoming::new(call);
        loop {
            match incoming.next_part().map_err(refused)? {
                Next::Record(record) => {
                    stripe.put(&record)?;
                    staged.count(&record);
                    if staged.unacked_bytes >= ACK_BYTES {
                        stripe.flush()?;
                        reply(call, UpReply::Ack(staged.ack()))?;
                    }
                }
                Next::Message(message) => {
                    let Up::HandOver = read(&message)? else {
                        return Err(Fault::new(Code::NetProtocol, "a stripe does not commit").into());
                    };
                    stripe.finish()?;
                    reply(call, UpReply::HandedOver(staged.ack()))?;
                }
                Next::End => return Ok(stripe.finish()?),
            }
        }
    }
}

fn take(call: &Call, session: &mut Session, role: Role, committed: &AtomicBool) -> Result<(), Refused> {
    let mut staged = Staged::default();
    let mut incoming = Incoming::new(call);
    loop {
        match incoming.next_part().map_err(refused)? {
            Next::Record(record) => {
                session.put(&record)?;
                staged.count(&record);
                if staged.unacked_bytes >= ACK_BYTES {
                    session.flush()?;
                    reply(call, UpReply::Ack(staged.ack()))?;
                }
            }
            Next::Message(message) => {
                let Up::Commit(commit) = read(&message)? else {
                    return Err(Fault::new(Code::NetProtocol, "only a stripe hands over").into());
                };
                session.flush()?;
                reply(call, UpReply::Ack(staged.ack()))?;
                let outcome = self::commit(session, &commit, role)?;
                committed.fetch_or(matches!(outcome, Outcome::Committed(_)), Ordering::SeqCst);
                reply(call, UpReply::Outcome(outcome))?;
            }
            Next::End => return Ok(()),
        }
    }
}

fn commit(session: &mut Session, commit: &Commit, role: Role) -> Result<Outcome, Refused> {
    let link = SignedLink::decode(&commit.link)?;
    permit_link(role, link.link().kind)?;
    let body = commit.body.as_deref().map(Record::decode).transpose()?;
    session.allow_holes(commit.holes.unwrap_or(false));
    Ok(match session.commit(&link, body.as_ref())? {
        VaultOutcome::Committed(link) => {
            Outcome::Committed(Committed { chain: link.chain_hash(), link: link.encode().to_vec() })
        }
        VaultOutcome::Conflict(head) => {
            Outcome::Conflict(head.map(|head| Head { sequence: head.sequence, chain: head.chain, marker: head.marker }))
        }
        VaultOutcome::Lacking { chunks, nodes } => Outcome::Lacking {
            chunks: join_ids(chunks.iter().take(IDS_MAX).map(store::id::ChunkId::bytes)),
            nodes: join_ids(nodes.iter().take(IDS_MAX).map(store::id::NodeId::bytes)),
        },
    })
}

impl Staged {
    fn count(&mut self, record: &Record) {
        self.records += 1;
        self.stored_bytes += record.stored_len() as u64;
        self.unacked_bytes += record.wire_len();
        did(1, record.stored_len() as u64);
    }

    /// Everything so far is acknowledged.
    fn ack(&mut self) -> Ack {
        self.unacked_bytes = 0;
        Ack { records: self.records, stored_bytes: self.stored_bytes }
    }
}

fn read(message: &[u8]) -> Result<Up, Refused> {
    decode(message).map_err(|_| Fault::new(Code::NetProtocol, "a message between records cannot be read").into())
}

fn refused(error: IncomingError) -> Refused {
    match error {
        IncomingError::Transport(_) => Refused::Gone,
        IncomingError::Record(error) => error.into(),
        IncomingError::Torn | IncomingError::GivenUp => Fault::new(Code::NetProtocol, "a record is torn").into(),
    }
}
