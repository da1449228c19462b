//! The list of a directory: its rows, their order, how one looks.

use std::cmp::Ordering;
use std::sync::Arc;

use agent::engine::job::{Change, Folder, FolderRow, Kind, VersionMark};
use agent::name::for_terminal;
use agent::units::size;
use ratatui::style::Style;
use ratatui::text::{Line, Span};

use crate::console::shared::Shared;
use crate::console::theme::Health;
use crate::widgets::arrange::Rows;
use crate::widgets::text::{Align, Column, column, fit, widths};

/// Milliseconds of a day.
const DAY_MS: i64 = 86_400_000;

/// The columns of the list, without the sign of what changed, which stands last.
pub const TABLE: &[Column] = &[
    column("Name", 0, Align::Path),
    column("Size", 9, Align::Right),
    Column { title: "Files", columns: 9, align: Align::Right, from: 90 },
    Column { title: "Modified", columns: 10, align: Align::Left, from: 0 },
    column(" ", 1, Align::Left),
];
/// Columns that sort, by their place in the table; after the last the order of the names comes again.
pub const SORTS: [usize; 4] = [0, 1, 3, 4];

/// Rows of a directory, as they can be arranged.
#[derive(Debug)]
pub struct Files {
    /// The directory.
    pub folder: Arc<Folder>,
    /// Names that begin with a dot are shown, too.
    pub hidden: bool,
}

impl Rows for Files {
    fn count(&self) -> usize {
        self.folder.rows.len()
    }

    fn name(&self, row: usize) -> String {
        self.folder.rows.get(row).map(|row| for_terminal(&row.name)).unwrap_or_default()
    }

    fn compare(&self, one: usize, other: usize, column: usize) -> Ordering {
        let (Some(one), Some(other)) = (self.folder.rows.get(one), self.folder.rows.get(other)) else {
            return Ordering::Equal;
        };
        match column {
            1 => one.size.cmp(&other.size),
            3 => one.mtime.cmp(&other.mtime),
            4 => sign(other).cmp(sign(one)),
            // Directories first.
            _ => other.is_dir().cmp(&one.is_dir()).then_with(|| one.name.cmp(&other.name)),
        }
    }

    fn shows(&self, row: usize) -> bool {
        self.hidden || self.folder.rows.get(row).is_none_or(|row| row.name.first() != Some(&b'.'))
    }
}

/// What changed since the version before, as a sign.
#[must_use]
pub fn sign(row: &FolderRow) -> &'static str {
    match row.change {
        _ if row.gone.is_some() => "-",
        Some(Change::Added) => "+",
        Some(Change::Removed) => "-",
        Some(Change::Content | Change::Kind) => "~",
        Some(Change::Metadata) => "m",
        None => " ",
    }
}

/// The same in words.
#[must_use]
pub fn change(row: &FolderRow) -> &'static str {
    match row.change {
        _ if row.gone.is_some() => "deleted",
        Some(Change::Added) => "new since the version before",
        Some(Change::Removed) => "deleted",
        Some(Change::Content) if row.is_dir() => "something in it changed",
        Some(Change::Content) => "changed",
        Some(Change::Kind) => "was something else before",
        Some(Change::Metadata) => "rights, owner or time changed",
        None => "as in the version before",
    }
}

/// What it is, for people.
#[must_use]
pub fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::Dir => "directory",
        Kind::File => "file",
        Kind::Symlink => "symbolic link",
        Kind::Fifo => "named pipe",
        Kind::Socket => "socket",
        Kind::Char | Kind::Block => "device",
    }
}

/// The version that a row is taken from.
#[must_use]
pub fn version<'f>(folder: &'f Folder, row: &'f FolderRow) -> &'f VersionMark {
    row.gone.as_deref().unwrap_or(&folder.version)
}

/// A moment in few letters: the day of the week for a week, then the day, then the year.
#[must_use]
pub fn moment(ms: i64, shared: &Shared) -> String {
    let year = |ms| shared.moment(ms, "%Y");
    if shared.wide() {
        return shared.moment(ms, "%Y-%m-%d %H:%M");
    }
    match shared.now_ms.saturating_sub(ms) {
        ago if (0..6 * DAY_MS).contains(&ago) => shared.moment(ms, "%a %H:%M"),
        _ if year(ms) == year(shared.now_ms) => shared.moment(ms, "%b %d"),
        _ => shared.moment(ms, "%Y-%m-%d"),
    }
}

/// Milliseconds of a file's time.
#[must_use]
pub fn modified_ms(row: &FolderRow) -> i64 {
    row.mtime.secs.saturating_mul(1_000).saturating_add(i64::from(row.mtime.nanos / 1_000_000))
}

/// The table at this width: absolute times take more room.
#[must_use]
pub fn table(shared: &Shared) -> Vec<Column> {
    let mut table = TABLE.to_vec();
    if shared.wide()
        && let Some(modified) = table.get_mut(3)
    {
        modified.columns = 16;
    }
    table
}

/// One row.
#[must_use]
pub fn line(row: &FolderRow, shared: &Shared, table: &[Column], columns: usize) -> Line<'static> {
    let theme = shared.theme;
    let name = for_terminal(&row.name);
    let name = match row.kind {
        Kind::Dir => format!("{name}/"),
        Kind::Symlink => format!("{name}@"),
        _ => name,
    };
    let bytes = match (row.kind, row.files) {
        (Kind::File, _) | (Kind::Dir, Some(_)) => size(row.size),
        _ => "-".to_owned(),
    };
    let files = row.files.map(agent::units::count).unwrap_or_default();
    let time = if row.gone.is_some() { "deleted".to_owned() } else { moment(modified_ms(row), shared) };
    let style = match row.kind {
        _ if row.gone.is_some() => theme.dim(),
        Kind::Dir => theme.dir(),
        _ => Style::new(),
    };
    let signed = match sign(row) {
        "+" => theme.health(Health::Good),
        "-" => theme.health(Health::Bad),
        _ => theme.health(Health::Warn),
    };
    let rest = if row.gone.is_some() { theme.dim() } else { Style::new() };
    let cells = [(name, style), (bytes, rest), (files, rest), (time, rest), (sign(row).to_owned(), signed)];
    let mut spans = Vec::new();
    for ((cell, style), (column, width)) in cells.into_iter().zip(table.iter().zip(widths(table, columns))) {
        if width == 0 {
            continue;
        }
        if !spans.is_empty() {
            spans.push(Span::raw("  "));
        }
        spans.push(Span::styled(fit(&cell, width, column.align), style));
    }
    Line::from(spans)
}

/// A path in a directory.
#[must_use]
pub fn join(dir: &[u8], name: &[u8]) -> Vec<u8> {
    let base = dir.strip_suffix(b"/").unwrap_or(dir);
    [base, b"/", name].concat()
}

/// The directory above, and the name in it; `None` at the top.
#[must_use]
pub fn above(path: &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
    let path = path.strip_suffix(b"/").unwrap_or(path);
    let cut = path.iter().rposition(|byte| *byte == b'/')?;
    let (dir, name) = path.split_at(cut);
    let dir = if dir.is_empty() { b"/".to_vec() } else { dir.to_vec() };
    Some((dir, name.get(1..).unwrap_or_default().to_vec()))
}
