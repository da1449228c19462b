//! What has an id: links, bodies, sources, devices, and by a walk through all versions nodes and chunks.

use std::collections::HashSet;

use store::id::{ContentId, NodeId};
use store::record::Refs;
use store::tree::{Content, Entry, Node, Piece, What, decode};

use super::job::{Run, VersionMark, WhichRow};
use super::overlay::host_name;
use super::past::content_name;
use super::versions::mark;
use super::view::{Reading, View};
use crate::fault::{Code, Fault, Result};
use crate::name::{for_terminal, harmless_line};

/// Fewest digits that are looked for, and all of them.
const DIGITS: std::ops::RangeInclusive<usize> = 6..=64;

/// Hands everything whose id begins with these hex digits to `row`; gives their number. Nothing at all is a fault.
pub fn which(run: &Run, prefix: &str, row: &mut dyn FnMut(WhichRow) -> Result<()>) -> Result<u64> {
    let prefix = Prefix::new(prefix)?;
    let reading = Reading::open(run)?;
    let found = {
        let mut told = Told { prefix: &prefix, row, once: HashSet::new(), found: 0 };
        about_account(&reading, &mut told)?;
        let views = reading.all(None)?;
        let mut seen = HashSet::new();
        for view in views.iter().rev() {
            sources(view, &mut told)?;
        }
        for view in views.iter().rev() {
            if run.stop.asked() {
                return Err(Fault::new(Code::Interrupted, "the search was interrupted"));
            }
            nodes(view, &mut seen, &mut told)?;
        }
        if let Some(newest) = views.last() {
            reading.nodes.prefer(&newest.sources.iter().map(|source| source.root).collect::<Vec<_>>());
        }
        told.found
    };
    reading.close()?;
    if found == 0 {
        return Err(Fault::new(Code::PathNone, format!("nothing has an id that begins with {}", prefix.text))
            .hint("versions and their ids: tuckbox versions; ids of contents: tuckbox history PATH --json"));
    }
    Ok(found)
}

/// The beginning of an id.
struct Prefix {
    text: String,
    whole: Vec<u8>,
    /// An odd digit at the end.
    half: Option<u8>,
}

impl Prefix {
    fn new(text: &str) -> Result<Self> {
        let text = text.trim().to_ascii_lowercase();
        let digits = text.strip_prefix("id:").unwrap_or(&text).to_owned();
        let values: Option<Vec<u8>> =
            digits.chars().map(|c| c.to_digit(16).and_then(|value| u8::try_from(value).ok())).collect();
        let Some(values) = values.filter(|values| DIGITS.contains(&values.len())) else {
            let fault = Fault::new(Code::Usage, format!("\"{}\" is not the beginning of an id", harmless_line(&text)));
            return Err(fault.hint("an id has 6 to 64 digits 0-9 and a-f"));
        };
        let (pairs, rest) = values.as_chunks::<2>();
        let whole = pairs.iter().map(|[high, low]| high << 4 | low).collect();
        Ok(Self { text: digits, whole, half: rest.first().copied() })
    }

    fn fits(&self, id: &[u8]) -> bool {
        let next = id.get(self.whole.len()).map(|byte| byte >> 4);
        id.starts_with(&self.whole) && (self.half.is_none() || self.half == next)
    }
}

type Once = (&'static str, Vec<u8>, Option<Vec<u8>>);

/// Tells what fits.
struct Told<'t> {
    prefix: &'t Prefix,
    row: &'t mut dyn FnMut(WhichRow) -> Result<()>,
    /// Kind, id and path of what was told.
    once: HashSet<Once>,
    found: u64,
}

impl Told<'_> {
    /// Tells one thing, if its id fits.
    fn about(&mut self, kind: &'static str, id: &[u8], rest: impl FnOnce() -> Rest) -> Result<()> {
        if !self.prefix.fits(id) {
            return Ok(());
        }
        let Rest { name, path, version } = rest();
        // The newest version with it was met first.
        if !self.once.insert((kind, id.to_vec(), path.clone())) {
            return Ok(());
        }
        self.found += 1;
        (self.row)(WhichRow { kind, id: store::id::hex(id), name, path, version })
    }
}

/// What is told besides the id.
struct Rest {
    name: String,
    path: Option<Vec<u8>>,
    version: Option<VersionMark>,
}

fn named(name: impl Into<String>) -> Rest {
    Rest { name: name.into(), path: None, version: None }
}

/// Everything that the chain says without a body.
fn about_account(reading: &Reading, told: &mut Told<'_>) -> Result<()> {
    let account = &reading.account;
    told.about("vault", account.vault.bytes(), || named(harmless_line(&account.run.place.vault)))?;
    told.about("account", account.row.id.bytes(), || named(for_terminal(account.row.name.as_bytes())))?;
    told.about("domain", account.row.domain.bytes(), || named("the domain of this account"))?;
    let history = account.history();
    for device in history.verifier().devices() {
        told.about("device", device.device.bytes(), || named("a device of this account"))?;
    }
    for link in history.links() {
        let rest = |what: &str| Rest {
            name: format!("{what} {} of the chain", link.link().sequence),
            path: None,
            version: Some(mark(link)),
        };
        told.about("version", link.link_id().bytes(), || rest("link"))?;
        told.about("body", link.link().body.bytes(), || rest("the body of link"))?;
        told.about("chain", link.chain_hash().bytes(), || rest("the chain up to link"))?;
    }
    Ok(())
}

fn sources(view: &View<'_>, told: &mut Told<'_>) -> Result<()> {
    for source in &view.sources {
        let rest = || Rest {
            name: format!("a source of {}", harmless_line(&source.host)),
            path: Some(source.path.clone()),
            version: Some(mark(&view.link)),
        };
        told.about("source", source.id.bytes(), rest)?;
        told.about("content", source.content.bytes(), rest)?;
    }
    Ok(())
}

/// Every node under the roots of a version that was not seen before.
fn nodes(view: &View<'_>, seen: &mut HashSet<NodeId>, told: &mut Told<'_>) -> Result<()> {
    for source in &view.sources {
        if seen.contains(&source.root) {
            continue;
        }
        view.nodes.fill(source.root)?;
        let host = if view.hosts { [b"/", &*host_name(&source.host)].concat() } else { Vec::new() };
        let mut waiting = vec![(source.root, [host.as_slice(), source.path.as_slice()].concat())];
        while let Some((id, path)) = waiting.pop() {
            if !seen.insert(id) {
                continue;
            }
            let (_, refs, plain) = view.nodes.raw(&id)?;
            let node = decode(&refs, &plain)?;
            one_node(view, id, &path, (&refs, &node), told)?;
            waiting.extend(below(&node, &path).into_iter().rev());
        }
    }
    Ok(())
}

fn one_node(view: &View<'_>, id: NodeId, path: &[u8], (refs, node): (&Refs, &Node), told: &mut Told<'_>) -> Result<()> {
    let rest =
        |name: &str, path: Vec<u8>| Rest { name: name.into(), path: Some(path), version: Some(mark(&view.link)) };
    let what = match node {
        Node::Root(_) => "the root of a source",
        Node::Page(_) => "a directory, or a page of it",
        Node::Index(_) => "an index of a large directory",
        Node::Pieces(_) | Node::ListIndex(_) => "a list of the chunks of a huge file",
    };
    told.about("node", id.bytes(), || rest(what, path.to_vec()))?;
    let entries: &[Entry] = match node {
        Node::Page(entries) => entries,
        Node::Root(entry) => std::slice::from_ref(entry),
        _ => &[],
    };
    let is_root = matches!(node, Node::Root(_));
    for entry in entries {
        let here = || if is_root { path.to_vec() } else { joined(path, &entry.name) };
        match &entry.what {
            What::Dir(child) => {
                told.about("content", child.content.bytes(), || rest("what is in a directory", here()))?;
            }
            What::File { content: Content::List { content, .. }, .. } => {
                told.about("content", content.bytes(), || rest("the content of a file", here()))?;
            }
            What::File { content: Content::Chunk(chunk), .. } => {
                told.about("chunk", chunk.bytes(), || rest("the content of a file", here()))?;
            }
            What::File { content: Content::Pieces(pieces), .. } => {
                if let Some(name) =
                    content_name(&view.account.sealer, entry).and_then(|name| ContentId::from_hex(&name))
                {
                    told.about("content", name.bytes(), || rest("the content of a file", here()))?;
                }
                let mut once = HashSet::new();
                for piece in pieces {
                    if let Piece::Data { id, .. } = piece
                        && once.insert(*id)
                    {
                        told.about("chunk", id.bytes(), || rest("a part of a file", here()))?;
                    }
                }
            }
            What::File { content: Content::Inline(bytes), .. } => {
                let name = view.account.sealer.chunk_id(bytes);
                told.about("content", name.bytes(), || rest("the content of a file", here()))?;
            }
            _ => {}
        }
    }
    if matches!(node, Node::Pieces(_)) {
        for chunk in &refs.chunks {
            told.about("chunk", chunk.bytes(), || rest("a part of a file", path.to_vec()))?;
        }
    }
    Ok(())
}

/// The nodes below one, each with the path that it belongs to.
fn below(node: &Node, path: &[u8]) -> Vec<(NodeId, Vec<u8>)> {
    let of = |entry: &Entry, path: Vec<u8>| match &entry.what {
        What::Dir(child) => Some((child.node, path)),
        What::File { content: Content::List { node, .. }, .. } => Some((*node, path)),
        _ => None,
    };
    match node {
        Node::Root(entry) => of(entry, path.to_vec()).into_iter().collect(),
        Node::Page(entries) => entries.iter().filter_map(|entry| of(entry, joined(path, &entry.name))).collect(),
        Node::Index(children) => children.iter().map(|child| (child.node, path.to_vec())).collect(),
        Node::ListIndex(children) => children.iter().map(|child| (child.node, path.to_vec())).collect(),
        Node::Pieces(_) => Vec::new(),
    }
}

fn joined(path: &[u8], name: &[u8]) -> Vec<u8> {
    [path.strip_suffix(b"/").unwrap_or(path), b"/", name].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn beginnings_of_ids() {
        let id = [0x3f, 0x9c, 0x02, 0xab];
        for (text, fits) in
            [("3f9c02", true), ("3F9C02A", true), ("id:3f9c02ab", true), ("3f9c03", false), ("3f9c02b", false)]
        {
            assert_eq!(Prefix::new(text).unwrap().fits(&id), fits, "{text}");
        }
        assert!(!Prefix::new("3f9c02ab00").unwrap().fits(&id));
        for text in ["", "3f9c0", "zzzzzz", &"a".repeat(65)] {
            assert_eq!(Prefix::new(text).err().map(|fault| fault.code), Some(Code::Usage), "{text}");
        }
    }
}
