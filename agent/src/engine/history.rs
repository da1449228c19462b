//! The chain of an account as this machine knows it: links kept in the cache, verified against the pin in the state.
//!
//! A link is verified once. Up to the pin, hashes alone prove that the cached links are the ones verified before;
//! after it, every link passes the chain's rules. A vault that shows less, or something else, than it once showed
//! is told before anything is written.

use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};

use store::chain::{Head, LinkKind, Moment, RECEIVED_LINK_BYTES, ReceivedLink, Verifier, body_hash};
use store::id::{AccountId, BodyHash, ChainHash};
use store::record::Record;
use transport::message::{Links, LinksReply, Request};

use super::remote::Remote;
use super::state::{private_dir, private_file, write_quietly};
use crate::fault::{Code, Fault, Result};

/// Largest body that is kept: keyrings, certificates and version bodies are far below.
const BODY_BYTES_MAX: u64 = 16 << 20;

/// Longest file of links that is read: a version every minute for nine years. Without it, all links come again.
const LINKS_BYTES_MAX: u64 = 5_000_000 * RECEIVED_LINK_BYTES as u64;

/// The verified chain of an account.
pub struct History {
    account: AccountId,
    verifier: Verifier,
    links: Vec<ReceivedLink>,
    bodies: HashMap<BodyHash, Record>,
    dir: PathBuf,
    /// Links in the file.
    kept: usize,
}

/// What the cache holds, before the server was asked.
pub struct Cached {
    links: Vec<ReceivedLink>,
    bodies: HashMap<BodyHash, Record>,
    dir: PathBuf,
}

impl Cached {
    /// Reads the cache of an account in this vault, as far as it agrees with the pin.
    pub fn read(dir: PathBuf, pin: Option<Head>) -> Self {
        let mut links = read_links(&dir);
        let agreed = pin.map_or(0, |pin| {
            let at = usize::try_from(pin.sequence).unwrap_or(usize::MAX);
            let pinned = at.checked_sub(1).and_then(|last| links.get(last));
            if pinned.is_some_and(|link| link.chain_hash() == pin.chain) && is_chained(links.get(..at)) {
                at
            } else {
                0
            }
        });
        links.truncate(agreed);
        let wanted = links.iter().filter(|link| !link.link().kind.is_version()).map(|link| link.link().body);
        let bodies = wanted.filter_map(|hash| Some((hash, read_body(&dir, hash)?))).collect();
        Self { links, bodies, dir }
    }

    /// The newest link here: number and chain hash.
    pub fn head(&self) -> Option<(u64, ChainHash)> {
        self.links.last().map(|link| (link.link().sequence, link.chain_hash()))
    }

    /// Number of the newest link here: the server is asked for what comes after.
    pub fn newest(&self) -> u64 {
        self.links.last().map_or(0, |link| link.link().sequence)
    }
}

/// Whether each link names the one before.
fn is_chained(links: Option<&[ReceivedLink]>) -> bool {
    links.is_some_and(|links| {
        links.windows(2).all(|pair| match pair {
            [before, after] => after.link().previous == before.chain_hash(),
            _ => true,
        })
    })
}

impl History {
    /// Joins what is cached with what the server shows after it. `given` are bodies that came along.
    pub fn join(
        cached: Cached,
        remote: &Remote,
        account: AccountId,
        identity: [u8; 32],
        pin: Option<Head>,
        new: Vec<ReceivedLink>,
        given: Vec<Record>,
    ) -> Result<Self> {
        let Cached { links, bodies, dir } = cached;
        let verifier = match (pin, believed(&links, &bodies)) {
            (Some(pin), Some((keyring, certificates))) if !links.is_empty() => {
                Verifier::resume(account, identity, pin, keyring, certificates)?
            }
            _ => Verifier::new(account, identity),
        };
        let kept = links.len();
        let mut history = Self { account, verifier, links, bodies, dir, kept };
        for body in given {
            history.bodies.insert(body_hash(&body), body);
        }
        history.take(remote, new)?;
        Ok(history)
    }

    /// Verifies and takes links that follow, getting the bodies that they need.
    pub fn take(&mut self, remote: &Remote, new: Vec<ReceivedLink>) -> Result<()> {
        let needs = |link: &ReceivedLink| {
            matches!(link.link().kind, LinkKind::Device | LinkKind::Key) || link.link().kind.is_act()
        };
        let missing: Vec<BodyHash> = new
            .iter()
            .filter(|link| needs(link))
            .map(|link| link.link().body)
            .filter(|hash| !self.bodies.contains_key(hash))
            .collect();
        self.fetch_bodies(remote, &missing)?;
        for link in new {
            // Which vault gave its receipt says nothing: an account may have been moved here. A vault that takes another
            // name for itself is held against what was seen under its old one (`StateDir::seen_elsewhere`).
            let body = self.bodies.get(&link.link().body);
            let ours = link.link().account == self.account;
            if body.is_none() && ours && link.link().kind == LinkKind::Device {
                let sequence = link.link().sequence;
                return Err(Fault::new(
                    Code::HistoryLoss,
                    format!("the body of link {sequence}, which introduces a device, is missing in the vault"),
                )
                .hint("put the vault back from a copy, or ask its administrator"));
            }
            self.verifier.push(&link, body).map_err(|error| not_a_chain(&error))?;
            self.links.push(link);
        }
        Ok(())
    }

    /// Takes what other clients have committed meanwhile.
    pub fn catch_up(&mut self, remote: &Remote) -> Result<()> {
        loop {
            let after = self.sequence();
            let most = transport::message::LINKS_MAX as u64;
            let reply: LinksReply = remote.ask(&Request::Links(Links { after, most }))?;
            let new = decode_links(reply.links.iter().map(|link| link.as_slice()))?;
            let none = new.is_empty();
            self.take(remote, new)?;
            if none || !reply.more {
                return Ok(());
            }
        }
    }

    fn fetch_bodies(&mut self, remote: &Remote, hashes: &[BodyHash]) -> Result<()> {
        for (hash, bytes) in hashes.iter().zip(remote.bodies(hashes)?) {
            if let Some(bytes) = bytes {
                self.bodies.insert(*hash, Record::decode(&bytes)?);
            }
        }
        Ok(())
    }

    /// A body, from here or from the server.
    pub fn body(&mut self, remote: &Remote, hash: BodyHash) -> Result<Option<Record>> {
        if !self.bodies.contains_key(&hash) {
            if let Some(body) = read_body(&self.dir, hash) {
                self.bodies.insert(hash, body);
            } else {
                self.fetch_bodies(remote, &[hash])?;
            }
        }
        Ok(self.bodies.get(&hash).cloned())
    }

    /// A body, if it is here.
    pub fn body_here(&self, hash: BodyHash) -> Option<Record> {
        self.bodies.get(&hash).cloned().or_else(|| read_body(&self.dir, hash))
    }

    /// Bodies of several links at once, in one question for those that are not here.
    pub fn load_bodies(&mut self, remote: &Remote, hashes: &[BodyHash]) -> Result<()> {
        let mut missing = Vec::new();
        for hash in hashes {
            if self.bodies.contains_key(hash) {
                continue;
            }
            match read_body(&self.dir, *hash) {
                Some(body) => drop(self.bodies.insert(*hash, body)),
                None => missing.push(*hash),
            }
        }
        self.fetch_bodies(remote, &missing)
    }

    /// What each link does to versions, with the links, as far as it is known here; and whether every body that says what
    /// is kept is here. Ask for those first.
    pub fn moments(&self) -> Result<(Vec<Moment>, Vec<ReceivedLink>, bool)> {
        let mut clear = true;
        let gone = self.known_gone();
        let mut moments = Vec::with_capacity(self.links.len());
        for link in &self.links {
            let kind = link.link().kind;
            let kept;
            let body = match self.bodies.get(&link.link().body) {
                Some(body) => Some(body),
                None if kind.is_version() && !gone.contains(&link.link().body) => {
                    kept = read_body(&self.dir, link.link().body);
                    kept.as_ref()
                }
                None => None,
            };
            clear &= !kind.is_act() || body.is_some();
            moments.push(Moment::new(link, body)?);
        }
        Ok((moments, self.links.clone(), clear))
    }

    /// Bodies of versions that are known to be gone, as they may be.
    pub fn known_gone(&self) -> BTreeSet<BodyHash> {
        let bytes = read_plain(&gone_path(&self.dir), LINKS_BYTES_MAX).unwrap_or_default();
        let (hashes, _) = bytes.as_chunks::<{ BodyHash::BYTES }>();
        hashes.iter().map(|hash| BodyHash::new(*hash)).collect()
    }

    /// Remembers that these are gone. A cache that cannot be written is done without: they are asked about again.
    pub fn add_gone(&self, bodies: &[BodyHash]) {
        if bodies.is_empty() {
            return;
        }
        let mut all = self.known_gone();
        all.extend(bodies);
        let bytes: Vec<u8> = all.iter().flat_map(|hash| *hash.bytes()).collect();
        drop(write_quietly(&gone_path(&self.dir), &bytes));
    }

    /// Adds a body that this run made.
    pub fn add_body(&mut self, body: Record) {
        self.bodies.insert(body_hash(&body), body);
    }

    /// The links, oldest first.
    pub fn links(&self) -> &[ReceivedLink] {
        &self.links
    }

    /// Number of the newest link; 0 when there is none.
    pub fn sequence(&self) -> u64 {
        self.verifier.head().map_or(0, |head| head.sequence)
    }

    /// The newest link.
    pub fn head(&self) -> Option<Head> {
        self.verifier.head()
    }

    /// The rules of the chain, at its end.
    pub fn verifier(&self) -> &Verifier {
        &self.verifier
    }

    /// Compares with the newest link that this machine has seen: shorter is a rollback, different a fork.
    pub fn compare(&self, pin: Option<Head>) -> Option<Fault> {
        let pin = pin?;
        let newest = self.sequence();
        if newest < pin.sequence {
            return Some(
                Fault::new(
                    Code::HistoryRollback,
                    format!(
                        "the vault was rolled back: version {} is known here, the vault's newest is {newest}",
                        pin.sequence
                    ),
                )
                .hint(match newest {
                    0 => "ask the server's administrator: of this account nothing is left there".to_owned(),
                    _ => format!(
                        "ask the server's administrator; to go on from there: tuckbox check --accept-history {newest}"
                    ),
                }),
            );
        }
        let at = usize::try_from(pin.sequence).unwrap_or(usize::MAX).checked_sub(1)?;
        let same = self.links.get(at).is_some_and(|link| link.chain_hash() == pin.chain);
        (!same).then(|| {
            Fault::new(
                Code::HistoryFork,
                format!("the vault shows another history: link {} is not the one that was seen here", pin.sequence),
            )
            .hint(format!(
                "ask the server's administrator; to take it as the true one: tuckbox check --accept-history {newest}"
            ))
        })
    }

    /// Keeps links and small bodies in the cache. A cache that cannot be written is done without.
    pub fn keep(&mut self) {
        let Some(new) = self.links.get(self.kept..).filter(|new| !new.is_empty() || self.kept == 0) else { return };
        let bytes: Vec<u8> = new.iter().flat_map(|link| link.encode()).collect();
        if private_dir(&self.dir.join("bodies")).is_err() {
            return;
        }
        let written = private_file(&links_path(&self.dir)).and_then(|file| {
            let whole = (self.kept * RECEIVED_LINK_BYTES) as u64;
            file.set_len(whole)?;
            std::os::unix::fs::FileExt::write_all_at(&file, &bytes, whole)
        });
        if written.is_err() {
            return;
        }
        for link in new {
            let hash = link.link().body;
            if let Some(body) = self.bodies.get(&hash) {
                let mut bytes = Vec::new();
                body.encode(&mut bytes);
                // It will be fetched again when it is missing.
                drop(write_quietly(&body_path(&self.dir, hash), &bytes));
            }
        }
        self.kept = self.links.len();
    }
}

/// What was believed of cached links: the keyring in force and the certificates.
fn believed(
    links: &[ReceivedLink],
    bodies: &HashMap<BodyHash, Record>,
) -> Option<(BodyHash, Vec<store::chain::Certificate>)> {
    let keyring = links.iter().rev().find(|link| link.link().kind == LinkKind::Key)?.link().body;
    let devices = links.iter().filter(|link| link.link().kind == LinkKind::Device);
    let certificates = devices
        .map(|link| bodies.get(&link.link().body).and_then(|body| store::chain::certificate_of(body).ok()))
        .collect::<Option<Vec<_>>>()?;
    Some((keyring, certificates))
}

/// Links from their received form.
pub fn decode_links<'b>(links: impl Iterator<Item = &'b [u8]>) -> Result<Vec<ReceivedLink>> {
    links.map(|link| ReceivedLink::decode(link).map_err(Fault::from)).collect()
}

fn not_a_chain(error: &store::Error) -> Fault {
    Fault::new(Code::HistoryGap, "the vault shows links that are not a good chain").because(error).hint("tuckbox check")
}

fn links_path(dir: &Path) -> PathBuf {
    dir.join("links")
}

/// Hashes of bodies that are gone.
fn gone_path(dir: &Path) -> PathBuf {
    dir.join("gone")
}

fn body_path(dir: &Path, hash: BodyHash) -> PathBuf {
    dir.join("bodies").join(hash.hex())
}

/// A file of the cache, when it is a file and not too long.
fn read_plain(path: &Path, most: u64) -> Option<Vec<u8>> {
    let meta = std::fs::metadata(path).ok().filter(|meta| meta.is_file() && meta.len() <= most)?;
    std::fs::read(path).ok().filter(|bytes| bytes.len() as u64 == meta.len())
}

fn read_links(dir: &Path) -> Vec<ReceivedLink> {
    let bytes = read_plain(&links_path(dir), LINKS_BYTES_MAX).unwrap_or_default();
    let links = bytes.chunks_exact(RECEIVED_LINK_BYTES).map(ReceivedLink::decode);
    links
        .map_while(Result::ok)
        .zip(1..)
        .take_while(|(link, n)| link.link().sequence == *n)
        .map(|(link, _)| link)
        .collect()
}

fn read_body(dir: &Path, hash: BodyHash) -> Option<Record> {
    let path = body_path(dir, hash);
    let bytes = read_plain(&path, BODY_BYTES_MAX)?;
    (blake3::hash(&bytes).as_bytes() == hash.bytes()).then(|| Record::decode(&bytes).ok()).flatten()
}
