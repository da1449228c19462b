//! Links and bodies.

use store::vault::Access;
use transport::Call;
use transport::message::{Bodies, BodyReply, IDS_MAX, LINKS_MAX, Links, LinksReply};

use super::refuse::Refused;
use super::{Server, reply};
use crate::fault::{Code, Fault};

impl Server {
    /// Links after a number.
    pub fn links(&self, links: &Links) -> Result<LinksReply, Refused> {
        let (_, account, domain) = self.account(Access::Read)?;
        let most = usize::try_from(links.most).unwrap_or(LINKS_MAX).min(LINKS_MAX);
        let found = domain.links(&account, links.after.saturating_add(1), most)?;
        let more = found.len() == most;
        Ok(LinksReply { links: found.into_iter().map(Into::into).collect(), more })
    }

    /// Bodies by hash, one reply each.
    pub fn bodies(&self, call: &Call, bodies: &Bodies) -> Result<(), Refused> {
        if bodies.hashes.len() > IDS_MAX {
            return Err(Fault::new(Code::NetProtocol, "too many bodies were asked for at once").into());
        }
        let (_, account, domain) = self.account(Access::Read)?;
        for hash in &bodies.hashes {
            let body = match domain.body(&account, *hash) {
                // As good as none: `check` says why.
                Err(error) if error.is_damage() => None,
                other => other?,
            };
            reply(call, BodyReply { body })?;
        }
        Ok(())
    }
}
