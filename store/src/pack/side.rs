//! The side file of an unfinished pack: the lines of the records that were written whole.

use std::path::{Path, PathBuf};

use super::FOOTER_BYTES_MAX;
use super::line::Line;
use crate::codec::Reader;
use crate::door::Disk;
use crate::error::{Error, Result};

/// A footer's worth of lines, each with its length and checksum.
const SIDE_BYTES_MAX: usize = FOOTER_BYTES_MAX + FOOTER_BYTES_MAX / 4;

/// The side file of an unfinished pack: `<pack id>.side` beside `<pack id>.part`.
#[must_use]
pub fn side_path(part: &Path) -> PathBuf {
    part.with_extension("side")
}

/// Appends what the side file holds for one record: length, line, checksum.
pub(super) fn put(out: &mut Vec<u8>, line: &Line) {
    let mut bytes = Vec::with_capacity(line.encoded_len());
    line.encode(&mut bytes);
    out.extend_from_slice(&u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_le_bytes());
    out.extend_from_slice(&bytes);
    out.extend_from_slice(&crc32c::crc32c(&bytes).to_le_bytes());
}

/// The whole lines of a part's side file, up to the first that is torn. No side file: no lines.
pub(super) fn read(disk: &dyn Disk, part: &Path) -> Result<Vec<Line>> {
    match disk.read(&side_path(part), SIDE_BYTES_MAX) {
        Ok(bytes) => Ok(whole_lines(&bytes)),
        Err(Error::NotFound { .. }) => Ok(Vec::new()),
        Err(e) => Err(e),
    }
}

/// The lines before the first that is torn or altered; after it nothing says where the next begins.
pub(super) fn whole_lines(bytes: &[u8]) -> Vec<Line> {
    let mut r = Reader::new("side file", bytes);
    std::iter::from_fn(|| next(&mut r).ok()).collect()
}

fn next(r: &mut Reader<'_>) -> Result<Line> {
    let length = r.u32()? as usize;
    let bytes = r.bytes(length)?;
    if r.u32()? != crc32c::crc32c(bytes) {
        return Err(r.damaged("the checksum of a line is wrong"));
    }
    let mut inner = Reader::new("side file", bytes);
    let line = Line::decode(&mut inner)?;
    inner.end()?;
    Ok(line)
}
