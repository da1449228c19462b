//! Sessions that live, and what they may have been told.

use std::collections::HashSet;

use crate::catalog::PlaceRow;
use crate::error::{Error, Result};
use crate::vault::session::Token;
use crate::vault::{Domain, layout};

/// The sessions that somebody leads now.
#[derive(Clone, Debug, Default)]
pub(super) struct Live {
    /// What they publish is theirs to cite.
    pub(super) numbers: HashSet<u64>,
    /// The lowest generation of the catalog in which one of them began.
    pub(super) since: Option<u64>,
}

impl Live {
    /// Whether one of them may have been told *have* of something in this condemned place: it began before.
    pub(super) fn was_told(&self, place: &PlaceRow) -> bool {
        self.since.is_some_and(|since| since < place.pass)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.since.is_none()
    }
}

impl Domain {
    /// Looks at all sessions. The caller holds the catalog's write lock, so that none begins meanwhile.
    pub(super) fn live_sessions(&self) -> Result<Live> {
        let disk = &*self.inner.shared.disk;
        let staging = self.inner.paths.staging();
        let mut live = Live::default();
        for name in disk.names(&staging)? {
            if layout::session_id(&name).is_none() {
                continue;
            }
            let dir = staging.join(&name);
            match self.lock_all(&dir) {
                Ok(Some(_)) | Err(Error::NotFound { .. }) => {}
                Ok(None) => {
                    // Without a token nothing is known of it, so it may have been told everything.
                    let token = Token::load(disk, &dir)?;
                    let since = token.as_ref().map_or(0, |token| token.catalog);
                    live.since = Some(live.since.map_or(since, |before| before.min(since)));
                    live.numbers.extend(token.map(|token| token.number));
                }
                Err(e) => return Err(e),
            }
        }
        Ok(live)
    }
}
