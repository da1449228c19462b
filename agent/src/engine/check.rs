//! Proves that what must be there is there: on the server without keys, and here with them.

use std::collections::{HashMap, HashSet};
use std::path::Path;

use store::id::{BodyHash, ChunkId, ContentId, NodeId};
use store::record::Refs;
use store::seal::Scratch;
use store::tree::{Content, Node, NodeSource, PieceReader, What, content_id};
use transport::Class;
use transport::message::{Check, FETCH_IDS_MAX, FetchBatch, Fetched, Request, Told, encode, join_ids};

use super::account::Account;
use super::cache::{NodeCache, nodes_dir};
use super::errand::{Came, Errand};
use super::job::{CheckJob, CheckSummary, FindingRow, Run};
use super::lost::Losses;
use super::pin::Pin;
use super::remote::{Incoming, Next, take_reply};
use super::retention::Fates;
use super::trouble::{protocol, shortened};
use crate::event::{Event, Phase, Progress};
use crate::fault::{Code, Fault, Result};
use crate::name::harmless_line;
use crate::units::{counted, size};

/// Files that are named, of those that have lost something.
const NAMED_MAX: usize = 50;

/// Checks. Damage is told as findings; an error means that the check itself could not go on.
pub fn check(run: &Run, job: &CheckJob, row: &mut dyn FnMut(FindingRow) -> Result<()>) -> Result<CheckSummary> {
    let started = run.clock.monotonic_ms();
    let errand = Errand::begin(run, "check");
    let account = Account::open(run)?;
    let mut summary = CheckSummary::default();
    let done = looked(&account, job, &mut summary, row);
    errand.or_failed(&account.remote, done)?;
    let told = errand.done(&account.remote, Came::from(&summary));
    account.remote.close()?;
    drop(told);
    summary.elapsed_ms = u64::try_from(run.clock.monotonic_ms() - started).unwrap_or(0);
    Ok(summary)
}

fn looked(
    account: &Account,
    job: &CheckJob,
    summary: &mut CheckSummary,
    row: &mut dyn FnMut(FindingRow) -> Result<()>,
) -> Result<()> {
    let run = &account.run;
    if let Some(sequence) = job.accept_history {
        account.accept_history(sequence)?;
        summary.history_accepted = true;
    } else if let Some(suspicion) = &account.suspicion {
        tell(summary, row, suspicion.code, &suspicion.to_string(), suspicion.hint.clone(), None)?;
    }
    if let Some(fault) = job.pin.and_then(|pin| pin.against(account.history().links(), "the pin given here")) {
        tell(summary, row, fault.code, &fault.to_string(), fault.hint.clone(), None)?;
    }
    summary.pin = account.head().map(Pin::of);
    run.watcher.event(&Event::Phase(Phase::Verify));
    on_server(account, job, summary, row)?;
    if summary.damaged > 0 {
        lost(account, summary, row)?;
    }
    bodies(account, job.full, summary, row)?;
    if job.full || job.sample_permille.is_some() {
        let permille = if job.full { 1000 } else { job.sample_permille.unwrap_or(0) };
        // What lies in the cache says nothing about the vault.
        let apart = job.full.then(|| nodes_dir(&run.folders.cache, &account.vault.hex(), "check"));
        let nodes = apart.clone().map_or_else(|| account.nodes(), |dir| emptied(&dir, account));
        let opened = Opening { account, nodes, permille, scratch: Scratch::new() }.run(summary, row);
        if let Some(dir) = apart {
            // What stays behind is removed by the next one.
            drop(std::fs::remove_dir_all(dir));
        }
        opened?;
    }
    Ok(())
}

fn tell(
    summary: &mut CheckSummary,
    row: &mut dyn FnMut(FindingRow) -> Result<()>,
    code: Code,
    text: &str,
    hint: Option<String>,
    path: Option<Vec<u8>>,
) -> Result<()> {
    summary.damaged += 1;
    // What a backup cannot give back says more than what it can.
    if summary.worst.is_none_or(|worst| worst == Code::DataDamaged) {
        summary.worst = Some(code);
    }
    row(FindingRow { damage: true, code: code.name().to_owned(), text: text.to_owned(), hint, path })
}

/// What the server can prove without keys.
fn on_server(
    account: &Account,
    job: &CheckJob,
    summary: &mut CheckSummary,
    row: &mut dyn FnMut(FindingRow) -> Result<()>,
) -> Result<()> {
    let remote = &account.remote;
    let request = Request::Check(Check { read_data: job.read_data || job.full });
    let call = remote.call(Class::Interactive, &request).map_err(|error| remote.explain(&error))?;
    remote.end(&call)?;
    loop {
        match remote.reply(&call)? {
            Told::Progress { packs_done, packs_total, read_bytes } => {
                account.run.watcher.event(&Event::Progress(&Progress {
                    files_done: packs_done,
                    files_total: Some(packs_total),
                    bytes_done: read_bytes,
                    ..Progress::default()
                }));
            }
            Told::Finding(finding) => {
                let (what, place) =
                    (harmless_line(&shortened(&finding.what)), harmless_line(&shortened(&finding.place)));
                // An error often names its place itself.
                let text = if what.contains(&*place) { what } else { format!("{place}: {what}") };
                if finding.damage {
                    let code = Code::ALL.iter().copied().find(|code| code.name() == finding.code);
                    let code = code.unwrap_or(Code::DataDamaged);
                    let hint = match code {
                        // What is to be done depends on what is lost by it, which is told of each file.
                        Code::DataDamaged => None,
                        Code::DiskFailed => Some(
                            "look at the disk of the vault (its kernel's log); bring the vault to a good one before it is too late",
                        ),
                        _ => Some("put the vault back from a copy, or ask its administrator"),
                    };
                    tell(summary, row, code, &text, hint.map(str::to_owned), None)?;
                } else {
                    summary.odd += 1;
                    let code = Code::DataDamaged.name().to_owned();
                    row(FindingRow { damage: false, code, text, hint: None, path: None })?;
                }
            }
            Told::Done(done) => {
                summary.links = done.links;
                summary.versions = done.versions;
                summary.nodes = done.nodes;
                summary.chunks = done.chunks;
                summary.packs = done.packs;
                summary.read_bytes = done.read_bytes;
                return Ok(());
            }
        }
        if account.run.stop.asked() {
            return Err(Fault::new(Code::Interrupted, "the check was interrupted"));
        }
    }
}

/// Names what versions have lost, and says of each whether a backup can give it back.
fn lost(account: &Account, summary: &mut CheckSummary, row: &mut dyn FnMut(FindingRow) -> Result<()>) -> Result<()> {
    let losses = match Losses::of(account) {
        Err(fault) if !matches!(fault.code, Code::NetLost | Code::Interrupted) => {
            summary.odd += 1;
            let (code, text) = (fault.code.name().to_owned(), format!("what is lost cannot be named: {fault}"));
            return row(FindingRow { damage: false, code, text, hint: fault.hint, path: None });
        }
        losses => losses?,
    };
    summary.versions_with_holes = losses.versions.len() as u64;
    summary.trashed_with_holes = losses.trashed as u64;
    summary.backup_may_heal = losses.may_heal;
    for (path, loss) in losses.paths.iter().take(NAMED_MAX) {
        let what = match loss.bytes {
            Some((lost, all)) if lost == all => "all of it".to_owned(),
            Some((lost, all)) => format!("{} of its {}", size(lost), size(all)),
            None => "some of what is in it, or where that is,".to_owned(),
        };
        let versions = match (loss.versions, loss.first, loss.last) {
            (1, _, last) => format!("version no. {last}"),
            (number, first, last) => format!("{number} versions, from no. {first} to no. {last}"),
        };
        let left = match loss.bytes {
            Some((lost, all)) if lost == all => String::new(),
            Some(_) => format!("; what is left: tuckbox restore --at no.{} --with-holes PATH --to DIR", loss.last),
            None => format!("; what is left: tuckbox restore --at no.{} PATH --to DIR", loss.last),
        };
        let hint = if loss.newest {
            format!(
                "tuckbox backup gives it back, if its source still has it; where it did not, it is lost, and \
                 `tuckbox delete PATH` leaves it out of versions to come{left}"
            )
        } else {
            format!("the newest version needs none of it, so no backup gives it back{left}")
        };
        tell(
            summary,
            row,
            Code::DataDamaged,
            &format!("{what} is lost in {versions}"),
            Some(hint),
            Some(path.clone()),
        )?;
    }
    let further = losses.paths.len().saturating_sub(NAMED_MAX);
    if further > 0 {
        let least = if losses.more { "at least " } else { "" };
        let text = format!("{least}{} more, not named here", counted(further as u64, "file", "files"));
        tell(summary, row, Code::DataDamaged, &text, None, None)?;
    }
    if losses.unseen > 0 {
        let versions = counted(losses.unseen as u64, "version", "versions");
        let text = format!("what {versions} with holes lack is not named here: too much is lost");
        tell(summary, row, Code::DataDamaged, &text, None, None)?;
    }
    Ok(())
}

/// A cache of nodes with nothing in it.
fn emptied(dir: &Path, account: &Account) -> NodeCache {
    // What cannot be removed is as good as what it is: opening it computes every id again.
    drop(std::fs::remove_dir_all(dir));
    account.nodes_in(dir.to_owned())
}

/// Bodies of versions must open. `anew`: those that are known here must come from the vault, too.
fn bodies(
    account: &Account,
    anew: bool,
    summary: &mut CheckSummary,
    row: &mut dyn FnMut(FindingRow) -> Result<()>,
) -> Result<()> {
    let links = account.version_links(true);
    let gone = if anew {
        let hashes: Vec<BodyHash> = links.iter().map(|link| link.link().body).collect();
        let there = account.remote.bodies(&hashes)?;
        hashes.into_iter().zip(there).filter(|(_, body)| body.is_none()).map(|(hash, _)| hash).collect()
    } else {
        HashSet::new()
    };
    let told = summary.damaged > 0;
    let fates = Fates::of(account)?;
    for link in links {
        let sequence = link.link().sequence;
        if fates.is_gone(sequence) || (gone.contains(&link.link().body) && fates.may_be_missing(sequence)) {
            continue;
        }
        let body = if gone.contains(&link.link().body) { Ok(None) } else { account.version_body(&link) };
        match body {
            Ok(Some(_)) => {}
            // An honest server has told what is not there.
            Ok(None) if told || !account.is_lost(sequence)? => {}
            Ok(None) => {
                let text = format!("the body of version {sequence} does not come");
                tell(summary, row, Code::HistoryLoss, &text, None, None)?;
            }
            Err(fault) => {
                let text = format!("version {sequence} cannot be read: {fault}");
                tell(summary, row, Code::DataDamaged, &text, None, None)?;
            }
        }
    }
    Ok(())
}

/// Chunks in the order of the trees, each once: the order in which boxes were filled, so that each is fetched once.
#[derive(Default)]
struct InOrder {
    list: Vec<ChunkId>,
    seen: HashSet<ChunkId>,
}

impl InOrder {
    fn add(&mut self, id: ChunkId) {
        if self.seen.insert(id) {
            self.list.push(id);
        }
    }
}

/// Fetches, opens and hashes again what versions cite: a share of it, or all.
struct Opening<'a> {
    account: &'a Account,
    nodes: NodeCache,
    permille: u32,
    scratch: Scratch,
}

impl Opening<'_> {
    fn run(mut self, summary: &mut CheckSummary, row: &mut dyn FnMut(FindingRow) -> Result<()>) -> Result<()> {
        let mut seen: HashMap<NodeId, ContentId> = HashMap::new();
        let mut chunks = InOrder::default();
        let fates = Fates::of(self.account)?;
        for link in self.account.version_links(false).iter().rev() {
            if fates.is_gone(link.link().sequence) {
                continue;
            }
            let Some(body) = self.account.version_body(link)? else { continue };
            for source in body.sources {
                self.nodes.fill(source.root)?;
                self.walk((source.root, source.content), &mut seen, &mut chunks, summary, row)?;
            }
        }
        let wanted: Vec<ChunkId> = chunks.list.into_iter().filter(|id| self.is_sampled(id)).collect();
        self.open_all(wanted, summary, row)
    }

    /// Sampled by the id itself, which is as good as chance and the same for all versions.
    fn is_sampled(&self, id: &ChunkId) -> bool {
        let [a, b, ..] = *id.bytes();
        u32::from(u16::from_le_bytes([a, b])) * 1000 < self.permille * 65_536
    }

    /// Opens every node under a root once, and compares what it is with what each parent says of it: `diff` and the
    /// copying of vaults rely on that.
    fn walk(
        &mut self,
        root: (NodeId, ContentId),
        seen: &mut HashMap<NodeId, ContentId>,
        chunks: &mut InOrder,
        summary: &mut CheckSummary,
        row: &mut dyn FnMut(FindingRow) -> Result<()>,
    ) -> Result<()> {
        let mut waiting = vec![root];
        while let Some((id, said)) = waiting.pop() {
            let mut is = seen.get(&id).copied();
            if is.is_none() {
                match self.open(&id) {
                    Ok((node, refs, content)) => {
                        refs.chunks.into_iter().for_each(|id| chunks.add(id));
                        waiting.extend(node.children().into_iter().rev());
                        self.lists(&node)?;
                        is = Some(content);
                    }
                    Err(fault) => {
                        let text = format!("node {id} cannot be read: {fault}");
                        tell(summary, row, Code::DataDamaged, &text, None, None)?;
                    }
                }
            }
            if is.is_some_and(|is| is != said) {
                let text = format!("node {id} is not what the node above it says of it");
                tell(summary, row, Code::DataDamaged, &text, None, None)?;
            }
            // What cannot be read is told once.
            seen.insert(id, is.unwrap_or(said));
        }
        Ok(())
    }

    /// A node, what it refers to, and what it is.
    fn open(&self, id: &NodeId) -> Result<(Node, Refs, ContentId)> {
        let (_, refs, plain) = self.nodes.raw(id)?;
        let content = content_id(self.account.keys.tree(), &refs, &plain)?;
        Ok((store::tree::decode(&refs, &plain)?, refs, content))
    }

    /// Contents in lists must add up to their files' sizes.
    fn lists(&self, node: &Node) -> Result<()> {
        if let Node::Page(entries) = node {
            for entry in entries {
                if let What::File { size, content: content @ Content::List { .. }, .. } = &entry.what {
                    for piece in PieceReader::new(&self.nodes as &dyn NodeSource, content, *size) {
                        piece?;
                    }
                }
            }
        }
        Ok(())
    }

    fn open_all(
        &mut self,
        wanted: Vec<ChunkId>,
        summary: &mut CheckSummary,
        row: &mut dyn FnMut(FindingRow) -> Result<()>,
    ) -> Result<()> {
        let remote = self.account.remote.clone();
        let mut batches = wanted.chunks(FETCH_IDS_MAX);
        let ask = |batch: &[ChunkId]| FetchBatch { chunks: join_ids(batch.iter().map(ChunkId::bytes)) };
        let Some(mut batch) = batches.next() else { return Ok(()) };
        let call = remote.call(Class::Bulk, &Request::Fetch(ask(batch))).map_err(|error| remote.explain(&error))?;
        let mut incoming = Incoming::new(&call);
        let mut came = HashSet::new();
        let mut boxes = 0;
        loop {
            match incoming.next_part().map_err(|error| error.fault(&remote))? {
                Next::Record(_) if boxes == batch.len() => return Err(protocol("boxes come that nobody asked for")),
                Next::Record(record) => {
                    boxes += 1;
                    match self.account.sealer.open_box(&mut self.scratch, &record) {
                        Ok(opened) => {
                            summary.opened_bytes += opened.plain.len() as u64;
                            came.extend(opened.ids);
                        }
                        Err(error) => {
                            let text = format!("a box does not open: {error}");
                            tell(summary, row, Code::DataDamaged, &text, None, None)?;
                        }
                    }
                }
                Next::Message(message) => {
                    // What is missing is what did not come, whatever the server says of it.
                    let Fetched { .. } = take_reply(&message)?;
                    for id in batch.iter().filter(|id| !came.contains(id)) {
                        tell(summary, row, Code::DataDamaged, &format!("chunk {id} is missing"), None, None)?;
                    }
                    came.clear();
                    boxes = 0;
                    match batches.next() {
                        Some(next) => {
                            batch = next;
                            call.send_message(encode(&ask(next))).map_err(|error| remote.explain(&error))?;
                        }
                        None => {
                            remote.end(&call)?;
                            return Ok(());
                        }
                    }
                }
                Next::End => return Err(protocol("a fetch ended early")),
            }
        }
    }
}
