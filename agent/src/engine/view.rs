//! A version, open for reading.

use std::sync::Arc;

use store::chain::{ReceivedLink, SourceRoot};
use store::tree::{Content, What};

use super::account::Account;
use super::cache::NodeCache;
use super::job::{At, Run};
use super::overlay::{Found, Overlay, components, host_name, several_hosts};
use crate::fault::{Code, Fault, Result};
use crate::profile::Phase;

/// Sources of at most so many files and directories are fetched whole for a single look-up: their nodes are about a MiB, and
/// a path in them then costs one round trip instead of one a directory.
const WHOLE_ENTRIES_MAX: u64 = 20_000;

/// A version and its nodes.
pub struct View<'a> {
    /// The account.
    pub account: &'a Account,
    /// The version's link.
    pub link: ReceivedLink,
    /// Its sources.
    pub sources: Vec<SourceRoot>,
    /// Its nodes.
    pub nodes: &'a NodeCache,
    /// Host labels stand in front of paths.
    pub hosts: bool,
}

/// An account with its nodes, to look at versions of it.
pub struct Reading {
    /// The account.
    pub account: Account,
    /// Its nodes.
    pub nodes: Arc<NodeCache>,
}

impl Reading {
    /// Opens the account; says what is odd about its history, and goes on. One that is [kept](super::kept) and was looked
    /// at a moment ago is taken as it was then.
    pub fn open(run: &Run) -> Result<Self> {
        // What has a limit of its own has a connection of its own.
        let kept = run.kept.as_deref().filter(|_| run.throttle.is_none());
        if let Some(reading) = kept.and_then(|kept| kept.reading(run)) {
            return Ok(reading);
        }
        let account = Account::open(run)?;
        account.may_read();
        let nodes = Arc::new(account.nodes());
        if let Some(kept) = kept {
            kept.hold_reading(run, &account, &nodes);
        }
        Ok(Self { account, nodes })
    }

    /// The version that an expression means; the person hears which one it is.
    pub fn view(&self, at: &At) -> Result<View<'_>> {
        let view = match self.look_if_kept(self.account.pick(at)?)? {
            Some(view) => view,
            // What was the newest has gone since: a newer one is known by now.
            None => self.look(self.account.pick(at)?)?,
        };
        self.account.run.person.picked(&self.account.version_row(&view.link)?);
        Ok(view)
    }

    /// A version by its link.
    pub fn look(&self, link: ReceivedLink) -> Result<View<'_>> {
        let id: String = link.link_id().hex().chars().take(8).collect();
        self.look_if_kept(link)?.ok_or_else(|| {
            Fault::new(Code::VersionNone, format!("version {id} is not kept any more")).hint("tuckbox versions")
        })
    }

    /// The versions that are kept, oldest first, with what each names, in one flight; no checkpoints. All have host labels in
    /// front of paths, or none has.
    pub fn all(&self, until: Option<&At>) -> Result<Vec<View<'_>>> {
        let mut links = self.account.version_links(false);
        if let Some(until) = until {
            let last = self.account.pick(until)?;
            links.retain(|link| link.link().sequence <= last.link().sequence);
        }
        // What is in the trash is meant by its id alone, and what this machine still knows of a version that has gone is of
        // no use.
        let fates = self.account.fates()?;
        let kept = |sequence| !fates.is_gone(sequence) && fates.trashed(sequence).is_none();
        links.retain(|link| kept(link.link().sequence));
        self.account.load_versions(&links)?;
        // A version that is not kept any more is left out: its body is gone.
        let views = links.into_iter().map(|link| self.look_if_kept(link)).filter_map(Result::transpose);
        let mut views = views.collect::<Result<Vec<_>>>()?;
        // A host that came or went must not move paths from one version to the next.
        let hosts = several_hosts(&views.iter().flat_map(|view| view.sources.clone()).collect::<Vec<_>>());
        views.iter_mut().for_each(|view| view.hosts = hosts);
        Ok(views)
    }

    fn look_if_kept(&self, link: ReceivedLink) -> Result<Option<View<'_>>> {
        let body = self.account.version_body(&link)?;
        Ok(body.map(|body| {
            let hosts = several_hosts(&body.sources);
            View { account: &self.account, link, sources: body.sources, nodes: &self.nodes, hosts }
        }))
    }

    /// Says goodbye; figures of both directions.
    pub fn close(self) -> Result<transport::Traffic> {
        let Self { account, nodes } = self;
        account.run.profile.phase(Phase::Close);
        // It holds the connection, too.
        drop(nodes);
        let traffic = account.remote.traffic();
        account.remote.close()?;
        Ok(traffic)
    }
}

impl View<'_> {
    /// All sources as one tree.
    pub fn overlay(&self) -> Overlay<'_> {
        Overlay::new(self.nodes, &self.sources, self.hosts)
    }

    /// A path as it is in this version: where it has several hosts, one that begins with none of their labels is meant
    /// on this host.
    pub fn path(&self, path: &[u8]) -> Vec<u8> {
        let labels: Vec<Vec<u8>> = self.sources.iter().map(|source| host_name(&source.host)).collect();
        let here = host_name(&self.account.run.host);
        match components(path).next() {
            Some(first) if self.hosts && labels.contains(&here) => {
                let names_host = is_wild(first) || labels.iter().any(|label| label == first);
                if names_host { path.to_vec() } else { [b"/", here.as_slice(), b"/", path].concat() }
            }
            _ => path.to_vec(),
        }
    }

    /// Gets small sources whole, when a path lies in them: looking it up then costs nothing more.
    pub fn prepare(&self, paths: &[Vec<u8>]) -> Result<()> {
        let near = |source: &SourceRoot| paths.iter().any(|path| concerns(path, &source.path, self.hosts));
        let small = |source: &SourceRoot| source.files.saturating_add(source.dirs) <= WHOLE_ENTRIES_MAX;
        self.sources
            .iter()
            .filter(|source| near(source) && small(source))
            .try_for_each(|source| self.nodes.fill(source.root))
    }

    /// Makes sure that everything at and below a name is here, in one flight.
    pub fn fill(&self, overlay: &Overlay<'_>, found: &Found<'_>) -> Result<()> {
        for index in overlay.sources_of(found) {
            let Some(source) = self.sources.get(index) else { continue };
            let inside = found.source == Some(index) && !found.is_source_top();
            // Where all of the source is here already, there is no need to remember that a part of it is.
            if !inside {
                self.nodes.fill(source.root)?;
            } else if !self.nodes.is_filled(&source.root) {
                match &found.entry.what {
                    What::Dir(child) => self.nodes.fill(child.node)?,
                    What::File { content: Content::List { node, .. }, .. } => self.nodes.fill(*node)?,
                    _ => {}
                }
            }
        }
        Ok(())
    }
}

/// Whether one of two paths leads to or through the other. A wildcard may be anything.
pub fn concerns(path: &[u8], source: &[u8], hosts: bool) -> bool {
    components(path).skip(usize::from(hosts)).zip(components(source)).all(|(a, b)| a == b || is_wild(a))
}

fn is_wild(name: &[u8]) -> bool {
    name.iter().any(|byte| matches!(byte, b'*' | b'?' | b'['))
}
