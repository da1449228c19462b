//! What happened, counted where it happens.

use std::sync::atomic::{AtomicU64, Ordering};

use store::tree::{Child, Content, Entry, What};

use crate::engine::job::{BackupSummary, Changed};
use crate::event::Action;

macro_rules! counts {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// Counters of one run. Figures are for people: relaxed order is enough, each is read after its threads ended.
        #[derive(Debug, Default)]
        pub struct Counts { $($(#[$doc])* pub $name: Counter,)* }
    };
}

counts! {
    /// Files that were not there before.
    files_new,
    /// Files with other content.
    files_changed,
    /// Files with other metadata only.
    files_metadata,
    /// Files as they were.
    files_unchanged,
    /// Files that are gone.
    files_removed,
    /// Files left out by a rule.
    files_excluded,
    /// Changed: size.
    by_size,
    /// Changed: modification time.
    by_mtime,
    /// Changed: content at equal size.
    by_content,
    /// Changed: permission bits.
    by_mode,
    /// Changed: owner.
    by_owner,
    /// Changed: kind.
    by_kind,
    /// Directories that were not there before.
    dirs_new,
    /// Directories of which something changed.
    dirs_changed,
    /// Directories as they were.
    dirs_unchanged,
    /// Directories that are gone.
    dirs_removed,
    /// Files dealt with.
    files_done,
    /// Their bytes.
    bytes_done,
    /// Bytes read from files that are not done yet.
    reading_bytes,
    /// Bytes that were read, and neither sealed nor found to be there.
    waiting_bytes,
    /// Bytes in sealed boxes, as they were read.
    sealed_bytes,
    /// Sealed records that nobody sends yet, as stored.
    shipping_bytes,
    /// Bytes read from files.
    read_bytes,
    /// Bytes in chunks that the vault lacked.
    new_bytes,
    /// These, sealed.
    boxed_bytes,
    /// Files that were opened.
    files_opened,
    /// Items with errors.
    errors,
}

/// One counter.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// Adds.
    pub fn add(&self, n: u64) {
        self.0.fetch_add(n, Ordering::Relaxed);
    }

    /// Takes away what was added.
    pub fn sub(&self, n: u64) {
        self.0.fetch_sub(n, Ordering::Relaxed);
    }

    /// Reads.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Counts {
    /// Bytes of a file were read: they wait to be sent or found there, and the file is not whole yet.
    pub fn read(&self, bytes: u64) {
        for counter in [&self.waiting_bytes, &self.reading_bytes, &self.read_bytes] {
            counter.add(bytes);
        }
    }

    /// A directory is done.
    pub fn directory(&self, previous: Option<&Child>, same: bool) {
        match previous {
            None => self.dirs_new.add(1),
            Some(_) if same => self.dirs_unchanged.add(1),
            Some(_) => self.dirs_changed.add(1),
        }
    }

    /// Something of the version before is gone.
    pub fn removed(&self, entry: &Entry) {
        let totals = entry.totals();
        self.files_removed.add(totals.files);
        self.dirs_removed.add(totals.dirs);
    }

    /// The same for what was below a directory whose own name is still there, as something else.
    pub fn removed_below(&self, dir: &Entry) {
        let totals = dir.totals();
        self.files_removed.add(totals.files);
        self.dirs_removed.add(totals.dirs.saturating_sub(1));
    }

    /// Adds what was read and sent in another pass.
    pub fn add_read(&self, other: &Self) {
        self.read_bytes.add(other.read_bytes.get());
        self.new_bytes.add(other.new_bytes.get());
        self.boxed_bytes.add(other.boxed_bytes.get());
        self.files_opened.add(other.files_opened.get());
    }

    /// So many files with so many bytes are as they were.
    pub fn unchanged(&self, files: u64, bytes: u64) {
        for counter in [&self.files_done, &self.files_unchanged] {
            counter.add(files);
        }
        self.bytes_done.add(bytes);
    }

    /// A file (or anything that is not a directory) is done: says what became of it.
    pub fn file(&self, before: Option<&Entry>, now: &Entry) -> Action {
        self.files_done.add(1);
        if let What::File { size, .. } = &now.what {
            self.bytes_done.add(*size);
        }
        let Some(before) = before else {
            self.files_new.add(1);
            return Action::Added;
        };
        let content_differs = self.content(before, now);
        let metadata_differs = self.metadata(before, now);
        match (content_differs, metadata_differs) {
            (true, _) => {
                self.files_changed.add(1);
                Action::Changed
            }
            (false, true) => {
                self.files_metadata.add(1);
                Action::Metadata
            }
            (false, false) => {
                self.files_unchanged.add(1);
                Action::Unchanged
            }
        }
    }

    fn content(&self, before: &Entry, now: &Entry) -> bool {
        match (&before.what, &now.what) {
            (What::File { size: a, content: x, .. }, What::File { size: b, content: y, .. }) => {
                if a != b {
                    self.by_size.add(1);
                } else if !same_content(x, y) {
                    self.by_content.add(1);
                } else {
                    return false;
                }
                true
            }
            (a, b) if a.kind() == b.kind() => a != b,
            _ => {
                self.by_kind.add(1);
                true
            }
        }
    }

    fn metadata(&self, before: &Entry, now: &Entry) -> bool {
        let mtime = before.mtime != now.mtime;
        let mode = before.mode != now.mode;
        let owner = before.owner != now.owner;
        for (differs, counter) in [(mtime, &self.by_mtime), (mode, &self.by_mode), (owner, &self.by_owner)] {
            counter.add(u64::from(differs));
        }
        mtime || mode || owner || before.xattrs != now.xattrs || before.flags != now.flags
    }

    /// Bytes dealt with: read, and with the vault. So many bytes of sealed records are still to be sent.
    pub fn through(&self, on_the_way: u64) -> u64 {
        let unsent = self.shipping_bytes.get().saturating_add(on_the_way);
        let (plain, sealed) = (u128::from(self.sealed_bytes.get()), u128::from(self.boxed_bytes.get()));
        // What is sealed is smaller than what it was made of. Of a little something remains, as it is not all there.
        let share = (u128::from(unsent) * plain).checked_div(sealed).unwrap_or(0).max(u128::from(unsent.min(1)));
        let behind = u64::try_from(share).unwrap_or(u64::MAX).saturating_add(self.waiting_bytes.get());
        (self.bytes_done.get() + self.reading_bytes.get()).saturating_sub(behind)
    }

    /// All of it, as a summary; what only the run knows is left at zero.
    pub fn summary(&self) -> BackupSummary {
        BackupSummary {
            files_new: self.files_new.get(),
            files_changed: self.files_changed.get(),
            files_metadata: self.files_metadata.get(),
            files_unchanged: self.files_unchanged.get(),
            files_removed: self.files_removed.get(),
            files_excluded: self.files_excluded.get(),
            changed: Changed {
                size: self.by_size.get(),
                mtime: self.by_mtime.get(),
                content: self.by_content.get(),
                mode: self.by_mode.get(),
                owner: self.by_owner.get(),
                kind: self.by_kind.get(),
            },
            dirs_new: self.dirs_new.get(),
            dirs_changed: self.dirs_changed.get(),
            dirs_unchanged: self.dirs_unchanged.get(),
            dirs_removed: self.dirs_removed.get(),
            read_bytes: self.read_bytes.get(),
            new_bytes: self.new_bytes.get(),
            boxed_bytes: self.boxed_bytes.get(),
            errors: self.errors.get(),
            ..BackupSummary::default()
        }
    }
}

/// Whether two contents are the same bytes, as far as ids tell.
fn same_content(a: &Content, b: &Content) -> bool {
    match (a, b) {
        (Content::List { content: x, .. }, Content::List { content: y, .. }) => x == y,
        _ => a == b,
    }
}
