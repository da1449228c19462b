//! Links that the catalog still has and the disk has not, or not as they were, are put back; what stands in their place
//! is set aside. Nothing is made up: a link is put back only when the whole chain obeys the rules with it.

use std::path::{Path, PathBuf};

use super::{AccountInfo, Domain, account, note};
use crate::chain::{ReceivedLink, Verifier};
use crate::error::{Error, Result};
use crate::id::BodyHash;

impl Domain {
    /// Puts back the links of all accounts, when some were found to be damaged or gone. Gives their numbers, by account.
    pub(super) fn mend_links(&self) -> Result<Vec<(u32, u64)>> {
        if !self.inner.catalog.read(|rows| rows.links_in_doubt())? {
            return Ok(Vec::new());
        }
        let mut mended = Vec::new();
        let mut all = true;
        for account in account::accounts_in(&self.inner.shared, &self.inner.paths, self.id())? {
            let bad = self.bad_links(&account)?;
            if bad.is_empty() {
                continue;
            }
            let good = self.links_by_rule(&account)?;
            for number in bad {
                match good.iter().find(|link| link.link().sequence == number) {
                    Some(link) => {
                        self.put_back(&account, link)?;
                        mended.push((account.number, number));
                    }
                    None => all = false,
                }
            }
        }
        if all {
            let write = self.inner.catalog.write()?;
            write.rows().set_links_in_doubt(false)?;
            write.commit()?;
        }
        Ok(mended)
    }

    /// Numbers of links that the catalog has and the disk has not, or not as they were.
    pub(super) fn bad_links(&self, account: &AccountInfo) -> Result<Vec<u64>> {
        let newest = self.inner.catalog.read(|rows| rows.newest_link(account.number))?.map_or(0, |link| link.sequence);
        let mut bad = Vec::new();
        for number in 1..=newest {
            let there = self.link_on_disk(account.number, number)?;
            let decoded = there.and_then(|bytes| ReceivedLink::decode(&bytes).ok());
            if decoded.is_none_or(|link| link.link().sequence != number) {
                bad.push(number);
            }
        }
        Ok(bad)
    }

    /// The links of the catalog as far as they are a good chain from the first one on.
    fn links_by_rule(&self, account: &AccountInfo) -> Result<Vec<ReceivedLink>> {
        let Some(identity) = account.identity else { return Ok(Vec::new()) };
        let mut verifier = Verifier::new(account.id, identity);
        let mut good = Vec::new();
        for row in self.inner.catalog.read(|rows| rows.links(account.number, 1, usize::MAX))? {
            let Ok(link) = ReceivedLink::decode(&row.bytes) else { break };
            let body = match self.body_record(account.number, link.link().body) {
                Err(e) if !e.is_damage() => return Err(e),
                found => found.ok().flatten(),
            };
            if link.link().body != BodyHash::ZERO && body.is_none() && !link.link().kind.is_version() {
                break;
            }
            if verifier.push(&link, body.as_ref()).is_err() {
                break;
            }
            good.push(link);
        }
        Ok(good)
    }

    fn put_back(&self, account: &AccountInfo, link: &ReceivedLink) -> Result<()> {
        let shared = &self.inner.shared;
        let to = self.inner.paths.link(account.number, link.link().sequence);
        if shared.disk.exists(&to)?.is_some() {
            self.set_aside(&to, shared.clock.now_ms())?;
        }
        let folder = self.inner.paths.versions(account.number);
        let temporary = note::temporary(&*shared.chance, &folder);
        note::write_new(&*shared.disk, &temporary, &link.encode())?;
        let named = shared.name_new(&temporary, &to);
        self.remove(&temporary).ok();
        match named {
            // Another process was faster.
            Ok(()) | Err(Error::Taken { .. }) => shared.disk.sync_dir(&folder),
            Err(e) => Err(e),
        }
    }

    /// Moves a file of the vault to the same place below `aside/<moment>`, so that nothing is ever lost by mending.
    pub(super) fn set_aside(&self, path: &Path, at_ms: i64) -> Result<PathBuf> {
        let shared = &self.inner.shared;
        shared.must_write()?;
        // Within its volume: nothing can be renamed from one to another.
        let listed = shared.volumes();
        let tops = std::iter::once(&shared.path).chain(listed.iter().map(|volume| &volume.path));
        let inside = tops.filter_map(|top| path.strip_prefix(top).ok().map(|inside| (top, inside)));
        let (top, inside) = inside
            .min_by_key(|(_, inside)| inside.components().count())
            .ok_or_else(|| Error::Refused { why: format!("{} is not in the vault", path.display()) })?;
        let mut to = super::layout::aside(top);
        account::make_dir(&*shared.disk, &to)?;
        to.push(at_ms.to_string());
        account::make_dir(&*shared.disk, &to)?;
        let mut names = inside.iter().peekable();
        while let Some(name) = names.next() {
            to.push(name);
            if names.peek().is_some() {
                account::make_dir(&*shared.disk, &to)?;
            }
        }
        // What was set aside before in the same moment is not replaced.
        let mut free = to.clone();
        for n in 1.. {
            if shared.disk.exists(&free)?.is_none() {
                break;
            }
            free = to.with_extension(format!("{n}"));
        }
        shared.disk.rename(path, &free)?;
        if let Some(from) = path.parent() {
            shared.disk.sync_dir(from)?;
        }
        if let Some(folder) = free.parent() {
            shared.disk.sync_dir(folder)?;
        }
        Ok(free)
    }
}
