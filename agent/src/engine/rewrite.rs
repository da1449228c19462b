//! A version that no backup made: its nodes are made of old nodes, along the paths that change, and everything else is
//! taken over as it is.
//!
//! ```text
//!  old root ─► entries along the path ─► one entry put in or left out ─► nodes from there up ─► new root
//!                                                                           └─► groups ─► uplink ─► version
//! ```
//!
//! It is committed after the version that it was made of, or not at all: when another came in between, nothing happens.

use std::collections::{BTreeSet, HashSet};

use store::chain::{LinkKind, ReceivedLink, SourceRoot, VersionBody};
use store::id::{NodeId, SessionId, SourceId};
use store::limits::GROUP_BYTES_TARGET;
use store::seal::{DeviceKey, Scratch};
use store::tree::{Built, Child, DirBuilder, DirReader, Entry, Node, NodeSource, What, build_root, find};

use transport::message::Outcome;

use super::account::{Account, Made};
use super::cache::{NodeCache, RawNode};
use super::uplink::Uplink;
use super::wanted::Wanted;
use crate::event::{Event, Phase};
use crate::fault::{Code, Fault, Result};

/// Nodes that are made, and not sent yet.
pub struct Rewrite<'a> {
    account: &'a Account,
    nodes: &'a NodeCache,
    fresh: Vec<RawNode>,
    made: HashSet<NodeId>,
}

impl NodeSource for Rewrite<'_> {
    fn node(&self, id: &NodeId) -> store::Result<Node> {
        match self.fresh.iter().find(|(made, ..)| made == id) {
            Some((_, refs, plain)) => store::tree::decode(refs, plain),
            None => self.nodes.node(id),
        }
    }
}

impl<'a> Rewrite<'a> {
    /// Nothing yet.
    pub fn new(account: &'a Account, nodes: &'a NodeCache) -> Self {
        Self { account, nodes, fresh: Vec::new(), made: HashSet::new() }
    }

    /// The source with `entry` at a path in it, by the names below its top, or with nothing there. Directories that are
    /// missing on the way are a fault: whoever puts something back puts back the highest that is gone.
    pub fn put(&mut self, source: &SourceRoot, names: &[&[u8]], entry: Option<Entry>) -> Result<SourceRoot> {
        let mut top = self.top(source)?;
        // The directories on the way down, and then their new nodes on the way up.
        let mut way = vec![child_of(&top).ok_or_else(no_way)?];
        let Some((last, above)) = names.split_last() else { return Err(no_way()) };
        for name in above {
            let at = way.last().ok_or_else(no_way)?;
            let next = find(self, at.node, name)?.ok_or_else(no_way)?;
            way.push(child_of(&next).ok_or_else(no_way)?);
        }
        let mut child = self.directory(way.pop().ok_or_else(no_way)?.node, last, entry)?;
        for (at, name) in way.into_iter().zip(above).rev() {
            let Some(mut between) = find(self, at.node, name)? else { return Err(no_way()) };
            between.what = What::Dir(child);
            child = self.directory(at.node, name, Some(between))?;
        }
        top.what = What::Dir(child);
        self.rooted(source, &top)
    }

    /// The source with what stands at a path in `old` put back, and with the directories that led to it there where they are
    /// gone, too. `now` is the same source as it is; `None`: it is gone itself, and comes back with this path alone.
    pub fn put_back(&mut self, old: &SourceRoot, now: Option<&SourceRoot>, names: &[&[u8]]) -> Result<SourceRoot> {
        let mut chain = self.chain(old, names)?;
        if chain.len() != names.len() + 1 {
            return Err(no_way());
        }
        let standing = match now {
            Some(now) => self.chain(now, names)?,
            None => Vec::new(),
        };
        if standing.last().is_some_and(|last| child_of(last).is_none()) {
            let path = names.get(..standing.len().saturating_sub(1)).unwrap_or_default().join(&b'/');
            let shown = crate::name::for_terminal(&path);
            return Err(Fault::new(Code::Usage, format!("something else stands at {shown} in the newest version"))
                .hint("bring it back beside it: tuckbox undelete PATH --to DIR"));
        }
        let Some(mut entry) = chain.pop() else { return Err(no_way()) };
        while chain.len() > standing.len() {
            let Some(mut dir) = chain.pop() else { break };
            dir.what = What::Dir(self.only(entry)?);
            entry = dir;
        }
        match now {
            Some(now) => self.put(now, names.get(..standing.len()).unwrap_or_default(), Some(entry)),
            None => self.rooted(old, &entry),
        }
    }

    /// The source itself and what leads to a path in it, as far as that is there.
    fn chain(&self, source: &SourceRoot, names: &[&[u8]]) -> Result<Vec<Entry>> {
        let mut chain = vec![self.top(source)?];
        for name in names {
            let Some(child) = chain.last().and_then(child_of) else { break };
            let Some(next) = find(self, child.node, name)? else { break };
            chain.push(next);
        }
        Ok(chain)
    }

    fn top(&self, source: &SourceRoot) -> Result<Entry> {
        match self.node(&source.root)? {
            Node::Root(entry) => Ok(entry),
            _ => Err(store::Error::damaged("source root", "a node of another kind stands in its place").into()),
        }
    }

    /// A directory with one entry.
    fn only(&mut self, entry: Entry) -> Result<Child> {
        let mut builder = DirBuilder::new(self.account.keys.tree());
        let mut made = Vec::new();
        let mut sink = |built: Built| {
            made.push(built);
            Ok(())
        };
        builder.push(entry, &mut sink)?;
        let child = builder.finish(&mut sink)?;
        made.into_iter().for_each(|built| self.keep(built));
        Ok(child)
    }

    /// The source with another entry of its own.
    fn rooted(&mut self, source: &SourceRoot, top: &Entry) -> Result<SourceRoot> {
        let built = build_root(self.account.keys.tree(), top)?;
        let totals = top.totals();
        let (root, content) = (built.id, built.content);
        self.keep(built);
        Ok(SourceRoot { root, content, files: totals.files, dirs: totals.dirs, bytes: totals.bytes, ..source.clone() })
    }

    /// A directory with another entry of this name, or without one.
    fn directory(&mut self, old: NodeId, name: &[u8], mut entry: Option<Entry>) -> Result<Child> {
        let mut builder = DirBuilder::new(self.account.keys.tree());
        let mut made = Vec::new();
        let mut sink = |built: Built| {
            made.push(built);
            Ok(())
        };
        for old in DirReader::new(self, old) {
            let old = old?;
            if let Some(entry) = entry.take_if(|_| *old.name >= *name) {
                builder.push(entry, &mut sink)?;
            }
            if *old.name != *name {
                builder.push(old, &mut sink)?;
            }
        }
        if let Some(entry) = entry {
            builder.push(entry, &mut sink)?;
        }
        let child = builder.finish(&mut sink)?;
        made.into_iter().for_each(|built| self.keep(built));
        Ok(child)
    }

    fn keep(&mut self, built: Built) {
        // Pages that did not change are in the vault already.
        if !self.nodes.has(&built.id) && self.made.insert(built.id) {
            self.fresh.push((built.id, built.refs, built.plain));
        }
    }

    /// Sends the nodes and commits a version of these sources. `before` is the version that they were made of. Gives its
    /// link, and whether it has holes: the vault has lost what it needs.
    pub fn commit(
        self,
        before: &ReceivedLink,
        old: &[SourceRoot],
        sources: Vec<SourceRoot>,
    ) -> Result<(ReceivedLink, bool)> {
        let account = self.account;
        let device = account.device()?;
        let ids: Vec<SourceId> = {
            let all = old.iter().chain(&sources).map(|source| source.id);
            all.collect::<BTreeSet<_>>().into_iter().collect()
        };
        // All below a new root is here where all below the old one was: what was put in has been fetched.
        let filled = |old: &&SourceRoot| self.nodes.is_filled(&old.root);
        let from_filled = |new: &&SourceRoot| old.iter().filter(filled).any(|old| old.id == new.id);
        let made = sources.iter().filter(|new| self.made.contains(&new.root)).filter(from_filled);
        let roots: Vec<NodeId> = made.map(|source| source.root).collect();
        let session = SessionId::new(account.run.chance.bytes());
        let link = Uplink::new(account.remote.clone(), ids, session);
        account.run.watcher.event(&Event::Phase(Phase::Commit));
        let committed = std::thread::scope(|scope| {
            scope.spawn(|| link.listen());
            let done = self.send(&link).and_then(|()| append(account, &link, &device, before, &sources));
            if done.is_ok() {
                link.finish()
            } else {
                link.abandon()
            }
            done
        })?;
        self.nodes.keep(&roots)?;
        Ok(committed)
    }

    /// Holds the sources, and sends the nodes in groups.
    fn send(&self, link: &Uplink) -> Result<()> {
        link.begin()?;
        let mut scratch = Scratch::new();
        let mut group: Vec<RawNode> = Vec::new();
        let mut bytes = 0;
        for (n, node) in self.fresh.iter().enumerate() {
            bytes += node.2.len();
            group.push(node.clone());
            if bytes >= GROUP_BYTES_TARGET || n + 1 == self.fresh.len() {
                let record = self.account.sealer.seal_group(&mut scratch, &group, true)?;
                // As after every sealing that is not done in bulk: what does not open is never sent.
                self.account.sealer.open_group(&mut scratch, &record)?;
                link.put(record.clone())?;
                self.nodes.add(&record)?;
                group.clear();
                bytes = 0;
            }
        }
        Ok(())
    }
}

/// Signs and commits, right after `before`.
fn append(
    account: &Account,
    link: &Uplink,
    device: &DeviceKey,
    before: &ReceivedLink,
    sources: &[SourceRoot],
) -> Result<(ReceivedLink, bool)> {
    let make = || -> Result<Made> {
        let newest = account.version_links(false).pop();
        let Some(newest) = newest.filter(|newest| newest.link_id() == before.link_id()) else {
            return Err(Fault::new(Code::SourceBusy, "another version was committed meanwhile; nothing was appended")
                .hint("look at it (tuckbox versions), then run the same command again"));
        };
        let old = account.version_body(&newest)?.unwrap_or_default();
        let sequence = account.head().map_or(1, |head| head.sequence + 1);
        let mut sources = sources.to_vec();
        let mut root_changed = old.sources.len() != sources.len();
        for source in &mut sources {
            match old.sources.iter().find(|old| old.id == source.id) {
                Some(old) if old.root == source.root => source.introduced = old.introduced,
                _ => {
                    source.introduced = sequence;
                    root_changed = true;
                }
            }
        }
        sources.sort_by(|a, b| (&a.host, &a.path).cmp(&(&b.host, &b.path)));
        let program = concat!("tuckbox ", env!("CARGO_PKG_VERSION")).to_owned();
        let body = VersionBody { sources, tags: Vec::new(), program, counts: [0; 6] };
        Ok(Made { body: body.seal(&account.sealer, &account.keys)?, root_changed })
    };
    let mut holes = false;
    let committed = account.commit_with(device, LinkKind::Version, &make, &mut |signed, body| {
        let outcome = link.commit(signed.clone(), Some(body.clone()), false)?;
        holes = matches!(outcome, Outcome::Lacking { .. });
        // What the vault has lost of an old version is lost in a new one like it: no file is read here that might have it.
        if holes { link.commit(signed, Some(body), true) } else { Ok(outcome) }
    })?;
    // It may also be known as whole but for what was lost since.
    let sequence = committed.link().sequence;
    holes = holes || account.wanted.is_some() && Wanted::ask(&account.remote, false)?.versions.contains(&sequence);
    if holes {
        let fault = Fault::new(Code::DataDamaged, "the new version lacks what the vault has lost of the old one");
        account.run.watcher.event(&Event::Warning(&fault.hint("which files these are: tuckbox check")));
    }
    Ok((committed, holes))
}

fn child_of(entry: &Entry) -> Option<Child> {
    match &entry.what {
        What::Dir(child) => Some(*child),
        _ => None,
    }
}

fn no_way() -> Fault {
    Fault::new(Code::PathNone, "the directory that it was in is not there either")
        .hint("bring that one back: tuckbox undelete --in-vault DIR")
}
