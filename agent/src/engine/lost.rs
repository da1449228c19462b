//! Which files the vault has lost something of, and in which versions: only what leads there is walked.

use std::collections::BTreeMap;

use store::tree::{Entry, NodeSource, Piece, PieceReader, What};

use super::account::Account;
use super::overlay::{Overlay, several_hosts};
use super::retention::Fates;
use super::walk::{Step, Walk};
use super::wanted::Wanted;
use crate::fault::{Code, Fault, Result};

/// Paths that are known at once …
const PATHS_MAX: usize = 1000;
/// … and versions that are looked into, the newest first.
const VERSIONS_MAX: usize = 200;

/// What the versions of an account have lost.
#[derive(Debug, Default)]
pub struct Losses {
    /// By path.
    pub paths: BTreeMap<Vec<u8>, Loss>,
    /// There are more paths.
    pub more: bool,
    /// Versions with holes that are kept, ascending.
    pub versions: Vec<u64>,
    /// The oldest of them, which were not looked into.
    pub unseen: usize,
    /// More versions that have holes, in the trash.
    pub trashed: usize,
    /// A backup may give something back: the newest version is one of them, or a body is lost that this machine may have.
    pub may_heal: bool,
}

/// What is lost of one path.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Loss {
    /// Bytes that are lost of a file of this size; `None`: names of a directory, or where a file's pieces are.
    pub bytes: Option<(u64, u64)>,
    /// The newest version that lacks it.
    pub last: u64,
    /// The oldest.
    pub first: u64,
    /// How many lack it.
    pub versions: u64,
    /// The newest version of all does.
    pub newest: bool,
}

impl Losses {
    /// Asks the vault, and looks.
    pub fn of(account: &Account) -> Result<Self> {
        let mut losses = Self::default();
        let wanted = Wanted::ask(&account.remote, true)?;
        losses.may_heal = !wanted.bodies.is_empty();
        if wanted.versions.is_empty() {
            return Ok(losses);
        }
        let (links, fates) = (account.version_links(false), Fates::of(account)?);
        let newest = links.last().map(|link| link.link().sequence);
        let mut hollow = Vec::new();
        for link in links.into_iter().filter(|link| wanted.versions.contains(&link.link().sequence)) {
            let sequence = link.link().sequence;
            if fates.trashed(sequence).is_some() {
                losses.trashed += 1;
            } else if !fates.is_gone(sequence) {
                losses.versions.push(sequence);
                hollow.push(link);
            }
        }
        losses.may_heal |= newest.is_some() && losses.versions.last().copied() == newest;
        // Of so much that nobody can list it no names are told either.
        losses.unseen = if wanted.everywhere { hollow.len() } else { hollow.len().saturating_sub(VERSIONS_MAX) };
        let nodes = account.nodes();
        for link in hollow.into_iter().skip(losses.unseen).rev() {
            let Some(body) = account.version_body(&link)? else { continue };
            let overlay = Overlay::new(&nodes, &body.sources, several_hosts(&body.sources));
            let sequence = link.link().sequence;
            losses.look(account, &wanted, &overlay, (sequence, Some(sequence) == newest))?;
        }
        Ok(losses)
    }

    fn look(&mut self, account: &Account, wanted: &Wanted, overlay: &Overlay<'_>, version: (u64, bool)) -> Result<()> {
        let top = match overlay.top() {
            Ok(top) => top,
            Err(fault) => return self.unreadable(b"/", fault, version),
        };
        let mut walk = Walk::new(overlay, b"/", &top);
        loop {
            if account.run.stop.asked() {
                return Err(Fault::new(Code::Interrupted, "the check was interrupted"));
            }
            match walk.next() {
                Ok(None) => return Ok(()),
                Ok(Some(Step::Leave)) => {}
                Err(fault) => self.unreadable(walk.path(), fault, version)?,
                Ok(Some(Step::Name(found))) => match &found.entry.what {
                    What::Dir(child) if !found.made_up => {
                        if wanted.nodes.contains(&child.node) {
                            self.add(walk.path(), None, version);
                        }
                        // Other sources may be mounted in it.
                        if wanted.concerns(&child.node) || overlay.has_sources_in(&found) {
                            walk.enter(&found);
                        }
                    }
                    What::Dir(_) => walk.enter(&found),
                    _ if wanted.is_in(&found.entry) => {
                        let bytes = lost_of(overlay.nodes(), wanted, &found.entry);
                        if bytes.is_none_or(|(lost, _)| lost > 0) {
                            self.add(walk.path(), bytes, version);
                        }
                    }
                    _ => {}
                },
            }
        }
    }

    /// The rest of a directory cannot be read, unless it is the line that failed.
    fn unreadable(&mut self, path: &[u8], fault: Fault, version: (u64, bool)) -> Result<()> {
        if matches!(fault.code, Code::NetLost | Code::Interrupted) {
            return Err(fault);
        }
        self.add(path, None, version);
        Ok(())
    }

    fn add(&mut self, path: &[u8], bytes: Option<(u64, u64)>, (sequence, newest): (u64, bool)) {
        if self.paths.len() >= PATHS_MAX && !self.paths.contains_key(path) {
            self.more = true;
            return;
        }
        // The newest comes first.
        let loss = self.paths.entry(path.to_vec()).or_insert(Loss { bytes, last: sequence, newest, ..Loss::default() });
        if loss.first != sequence {
            (loss.first, loss.versions) = (sequence, loss.versions + 1);
        }
    }
}

/// How much of a file is lost, and its size; `None`: nobody can tell, as the list of its pieces is lost, too.
fn lost_of(nodes: &dyn NodeSource, wanted: &Wanted, entry: &Entry) -> Option<(u64, u64)> {
    let What::File { size, content, .. } = &entry.what else { return Some((0, 0)) };
    let mut lost = 0_u64;
    for piece in PieceReader::new(nodes, content, *size) {
        match piece {
            Ok(Piece::Data { id, len }) if wanted.chunks.contains(&id) => lost = lost.saturating_add(len.into()),
            Ok(_) => {}
            Err(_) => return None,
        }
    }
    Some((lost, *size))
}
