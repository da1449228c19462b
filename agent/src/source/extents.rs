//! Where a file has bytes and where it has holes.

use std::io;
use std::ops::Range;

use rustix::fs::{SeekFrom, seek};
use rustix::io::Errno;

use super::file::SourceFile;

/// A run of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Extent {
    /// Bytes to read.
    Data(Range<u64>),
    /// Nothing is allocated there; it reads as zeros.
    Hole(Range<u64>),
}

impl SourceFile {
    /// The extent that begins at `offset`; `None` at the end of the file (as long as it was when opened). No call at all
    /// when the file cannot have holes.
    pub fn next_extent(&self, offset: u64) -> io::Result<Option<Extent>> {
        let size = self.stat().size;
        if offset >= size {
            return Ok(None);
        }
        if !self.stat().may_have_holes() {
            return Ok(Some(Extent::Data(offset..size)));
        }
        // What a file that changes meanwhile says is brought back into the file, never backwards.
        let within = |place: u64| place.clamp(offset.saturating_add(1), size);
        match seek(self, SeekFrom::Data(offset)) {
            Ok(data) if data > offset => Ok(Some(Extent::Hole(offset..within(data)))),
            Ok(_) => match seek(self, SeekFrom::Hole(offset)) {
                Ok(hole) => Ok(Some(Extent::Data(offset..within(hole)))),
                Err(Errno::NXIO | Errno::INVAL | Errno::OPNOTSUPP) => Ok(Some(Extent::Data(offset..size))),
                Err(error) => Err(error.into()),
            },
            Err(Errno::NXIO) => Ok(Some(Extent::Hole(offset..size))),
            Err(Errno::INVAL | Errno::OPNOTSUPP) => Ok(Some(Extent::Data(offset..size))),
            Err(error) => Err(error.into()),
        }
    }
}
