//! An account as one portable file: out of the vault, and into it.

use std::io::Read;

use bytes::{Buf as _, Bytes};
use store::archive::ARCHIVE_HEADER_BYTES;
use store::vault::{Access, Archive};
use transport::message::admin::To;
use transport::message::archive::{Dump, Dumped, Load, LoadFrom, Loaded};
use transport::{Call, Part};

use super::accounts::facts;
use super::refuse::Refused;
use super::{Server, reply};
use crate::fault::{Code, Fault};
use crate::profile::{Wait, waiting};

impl Server {
    /// Sends an account as an archive.
    pub(super) fn dump_account(&self, call: &Call, ask: &Dump) -> Result<(), Refused> {
        let vault = self.vault(Access::Read)?;
        let account = self.meant(&vault, &ask.which)?;
        let domain = vault.domain_to_read(&account)?;
        let (mut hasher, mut bytes, mut gone) = (blake3::Hasher::new(), 0_u64, false);
        let dumped = domain.write_archive(&account, &mut |some| {
            hasher.update(some);
            bytes = bytes.saturating_add(some.len() as u64);
            let sent = waiting(Wait::Room, || call.send_data(Bytes::copy_from_slice(some)));
            gone = sent.is_err();
            sent.map_err(|_| store::Error::Busy { what: "the pipe".to_owned() })
        });
        if gone {
            return Err(Refused::Gone);
        }
        let dumped = dumped.map_err(|error| match error {
            store::Error::Busy { .. } => Fault::new(Code::SourceBusy, "housekeeping is at work in this account")
                .hint("wait for it, then run the same command again")
                .into(),
            other => Refused::from(other),
        })?;
        reply(
            call,
            Dumped {
                bytes,
                hash: hasher.finalize().as_bytes().to_vec(),
                links: dumped.links,
                packs: dumped.packs,
                pack_bytes: dumped.pack_bytes,
                name: account.name,
            },
        )
    }

    /// Takes an archive in.
    pub(super) fn load_account(&self, call: &Call, ask: Load) -> Result<(), Refused> {
        self.must_see_all()?;
        let vault = self.vault(Access::Write)?;
        let how = store::vault::Load {
            name: ask.name,
            number: ask.number,
            hard_bytes: ask.hard_bytes.map(|hard| match hard {
                To::Set(bytes) => Some(bytes),
                To::None => None,
            }),
        };
        let resumes = ask.resumes == Some(true);
        let mut incoming = Incoming { call, rest: Bytes::new(), gone: false, resumes };
        let loaded = vault.load(&mut incoming, &how);
        if incoming.gone {
            return Err(Refused::Gone);
        }
        let loaded = loaded.map_err(refused)?;
        reply(
            call,
            Loaded {
                account: facts(&vault, &loaded.account, true, true)?,
                links: loaded.links,
                packs: loaded.packs,
                pack_bytes: loaded.pack_bytes,
                damages: loaded.damages,
                findings: loaded.findings.iter().map(|found| format!("{}: {}", found.place, found.what)).collect(),
            },
        )
    }
}

/// The data of a call as a stream of bytes.
struct Incoming<'c> {
    call: &'c Call,
    rest: Bytes,
    /// The client has gone.
    gone: bool,
    /// The client waits to hear from where on it is to send.
    resumes: bool,
}

impl Archive for Incoming<'_> {
    fn pass_over(&mut self, until: u64) -> std::io::Result<()> {
        if self.resumes {
            return reply(self.call, LoadFrom { offset: until }).map_err(|_| {
                self.gone = true;
                std::io::ErrorKind::BrokenPipe.into()
            });
        }
        let most = until.saturating_sub(ARCHIVE_HEADER_BYTES as u64);
        std::io::copy(&mut self.by_ref().take(most), &mut std::io::sink()).map(drop)
    }
}

impl Read for Incoming<'_> {
    fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
        while self.rest.is_empty() {
            match waiting(Wait::Input, || self.call.recv()) {
                Ok(Some(Part::Data(data))) => self.rest = data,
                Ok(Some(Part::Message(_))) => return Err(std::io::ErrorKind::InvalidData.into()),
                Ok(None) => return Ok(0),
                Err(_) => {
                    self.gone = true;
                    return Err(std::io::ErrorKind::BrokenPipe.into());
                }
            }
        }
        let most = out.len().min(self.rest.len());
        let room = out.get_mut(..most).unwrap_or_default();
        self.rest.copy_to_slice(room);
        Ok(most)
    }
}

/// What can be wrong with an archive, in words for whoever brings it.
fn refused(error: store::Error) -> Refused {
    let fault = match error {
        store::Error::Damaged { what: what @ ("archive" | "part of an archive" | "account note"), why, .. } => {
            Fault::new(Code::DataDamaged, format!("this is no whole archive of an account ({what}: {why})"))
                .hint("nothing was loaded; dump the account again")
        }
        store::Error::Taken { what } => {
            // A name or a number is taken, and another one does; or the account itself is there, under whatever name.
            let hint = if what.starts_with("the account ") {
                "nothing was loaded; choose another: --name NAME, --number HEX"
            } else {
                "nothing was loaded; another name or number would not help: an account is in a vault once"
            };
            Fault::new(Code::Usage, format!("{what} is in this vault already")).hint(hint)
        }
        error @ store::Error::Full { .. } => Fault::new(Code::QuotaHard, error.to_string())
            .hint("nothing was loaded; give it another limit: --hard SIZE, or --hard none"),
        store::Error::Busy { what } => Fault::new(Code::SourceBusy, format!("{what} is under way"))
            .hint("wait for it, then run the same command again"),
        error @ (store::Error::Limit { .. } | store::Error::Refused { .. }) => {
            Fault::new(Code::Usage, error.to_string()).hint("nothing was loaded")
        }
        other => return other.into(),
    };
    fault.into()
}
