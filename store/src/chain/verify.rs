//! The rules of a chain (FORMAT.md, 6.2), the same for client and server.

use std::collections::BTreeMap;

use crate::error::{Error, KeyError, Result};
use crate::id::{AccountId, BodyHash, ChainHash, DeviceId};
use crate::record::{Record, RecordKind};

use super::act_body::check_act;
use super::{Certificate, Link, LinkKind, ReceivedLink, SignedLink, body_hash, certificate_of};

const WHAT: &str = "chain";

/// The newest link of a chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// Its number.
    pub sequence: u64,
    /// Its chain hash.
    pub chain: ChainHash,
    /// Its marker.
    pub marker: u64,
}

/// Walks the links of one account in order and believes only what the rules allow.
///
/// It needs the bodies of `device` links; other bodies are checked when they are given. A link that is refused
/// leaves it as it was.
#[derive(Clone, Debug)]
pub struct Verifier {
    account: AccountId,
    identity: [u8; 32],
    devices: BTreeMap<DeviceId, Certificate>,
    keyring: Option<BodyHash>,
    head: Option<Head>,
    read_only: u32,
}

impl Verifier {
    /// At the start of a chain, with the account's identity public key.
    #[must_use]
    pub fn new(account: AccountId, identity_public: [u8; 32]) -> Self {
        Self { account, identity: identity_public, devices: BTreeMap::new(), keyring: None, head: None, read_only: 0 }
    }

    /// After a link that was believed before: what was kept of it. The certificates are checked again.
    pub fn resume(
        account: AccountId,
        identity_public: [u8; 32],
        head: Head,
        keyring: BodyHash,
        certificates: impl IntoIterator<Item = Certificate>,
    ) -> Result<Self> {
        let mut out = Self::new(account, identity_public);
        for certificate in certificates {
            certificate.verify(&identity_public, account)?;
            out.devices.insert(certificate.device, certificate);
        }
        out.head = Some(head);
        out.keyring = Some(keyring);
        Ok(out)
    }

    /// Takes the next link. `body` must be given for a device link and is checked for all others when it is given.
    ///
    /// [`KeyError::Signature`]: device, certificate or signature is not good. `Damaged`: it is not the next link.
    pub fn push(&mut self, link: &ReceivedLink, body: Option<&Record>) -> Result<()> {
        let introduced = self.check_next(link.signed(), body)?;
        let Link { kind, sequence, marker, body, .. } = *link.link();
        self.head = Some(Head { sequence, chain: link.chain_hash(), marker });
        if let Some(certificate) = introduced {
            self.devices.insert(certificate.device, certificate);
        }
        if kind == LinkKind::Key {
            self.keyring = Some(body);
        }
        let [_, read_compatible, _] = link.signed().features();
        self.read_only |= read_compatible;
        Ok(())
    }

    /// Whether this link may come next: what a server asks before it gives a receipt. Gives the certificate that it
    /// introduces, if it is a device link.
    pub fn check_next(&self, signed: &SignedLink, body: Option<&Record>) -> Result<Option<Certificate>> {
        let link = signed.link();
        if link.account != self.account {
            return Err(Error::damaged(WHAT, "a link belongs to another account"));
        }
        let sequence = self.head.map_or(0, |head| head.sequence).checked_add(1);
        if Some(link.sequence) != sequence || link.previous != self.head.map_or(ChainHash::ZERO, |head| head.chain) {
            return Err(Error::damaged(WHAT, "a link does not follow the one before"));
        }
        let opening = match link.sequence {
            1 => link.kind == LinkKind::Device,
            2 => link.kind == LinkKind::Key,
            _ => true,
        };
        if !opening {
            return Err(Error::damaged(WHAT, "it does not begin with a device and a key"));
        }
        self.check_marker(link.kind, link.marker)?;
        self.check_body(link.kind, link.body, body)?;
        let introduced = match (link.kind, body) {
            (LinkKind::Device, Some(body)) => Some(self.introduced(body)?),
            (LinkKind::Device, None) => return Err(Error::damaged(WHAT, "a device link comes without its body")),
            _ => None,
        };
        // A device may introduce itself: the identity key's word is what counts. The first one must.
        let signer = introduced
            .as_ref()
            .filter(|certificate| certificate.device == link.device)
            .or_else(|| self.devices.get(&link.device))
            .ok_or(KeyError::Signature)?;
        if signer.not_after != 0 && link.taken_at > signer.not_after {
            return Err(KeyError::Signature.into());
        }
        signed.verify(&signer.public)?;
        Ok(introduced)
    }

    /// The newest link; `None` before the first.
    #[must_use]
    pub fn head(&self) -> Option<Head> {
        self.head
    }

    /// The body of the newest `key` link.
    #[must_use]
    pub fn keyring(&self) -> Option<BodyHash> {
        self.keyring
    }

    /// All certified devices.
    pub fn devices(&self) -> impl Iterator<Item = &Certificate> {
        self.devices.values()
    }

    /// Refuses when a link says that only newer programs may add to this chain.
    pub fn check_writable(&self) -> Result<()> {
        if self.read_only == 0 { Ok(()) } else { Err(Error::Newer { what: WHAT, found: self.read_only }) }
    }

    /// Only versions change roots; kinds that are not known here might.
    fn check_marker(&self, kind: LinkKind, marker: u64) -> Result<()> {
        let before = self.head.map_or(0, |head| head.marker);
        let good = match kind {
            LinkKind::Key
            | LinkKind::Device
            | LinkKind::Forget
            | LinkKind::Unforget
            | LinkKind::Pin
            | LinkKind::Unpin
            | LinkKind::Policy => marker == before,
            LinkKind::Version | LinkKind::Partial | LinkKind::Unknown(_) => {
                marker.checked_sub(before).is_some_and(|step| step <= 1)
            }
        };
        if good { Ok(()) } else { Err(Error::damaged(WHAT, "a link's marker does not follow the one before")) }
    }

    fn check_body(&self, kind: LinkKind, hash: BodyHash, body: Option<&Record>) -> Result<()> {
        let expected = match kind {
            LinkKind::Version | LinkKind::Partial => RecordKind::VersionBody,
            LinkKind::Key => RecordKind::KeyBody,
            LinkKind::Device => RecordKind::DeviceBody,
            LinkKind::Forget | LinkKind::Unforget => RecordKind::ForgetBody,
            LinkKind::Pin | LinkKind::Unpin => RecordKind::PinBody,
            LinkKind::Policy => RecordKind::PolicyBody,
            LinkKind::Unknown(_) => return Ok(()),
        };
        if hash == BodyHash::ZERO {
            return Err(Error::damaged(WHAT, "a link names no body"));
        }
        let Some(body) = body else { return Ok(()) };
        if body.header.kind != expected || body.header.account != self.account || body_hash(body) != hash {
            return Err(Error::damaged(WHAT, "a body is not the one that its link names"));
        }
        // What cannot be read could not be carried out.
        check_act(body)
    }

    /// The certificate of a device link's body. A device that is known keeps its key.
    fn introduced(&self, body: &Record) -> Result<Certificate> {
        let certificate = certificate_of(body)?;
        certificate.verify(&self.identity, self.account)?;
        match self.devices.get(&certificate.device) {
            Some(known) if known.public != certificate.public => Err(KeyError::Signature.into()),
            _ => Ok(certificate),
        }
    }
}
