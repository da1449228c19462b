//! Which class a file is cut by.

use crate::limits::WHOLE_BYTES_MAX;
use crate::tree::CutClass;

use super::page_structured::is_page_structured;

const GIB: u64 = 1 << 30;

impl CutClass {
    /// Longest chunk of this class, in bytes; what a window must hold for a cut.
    #[must_use]
    pub const fn max_bytes(self) -> usize {
        match self {
            Self::Whole => 128 << 10,
            Self::Cdc => 1 << 20,
            Self::CdcLarge => 4 << 20,
            Self::Fixed16 => 16 << 10,
            Self::Fixed32 => 32 << 10,
            Self::Fixed64 => 64 << 10,
        }
    }

    /// Length of a piece of a class of fixed pieces, which lie at multiples of it.
    #[must_use]
    pub const fn fixed_bytes(self) -> Option<usize> {
        match self {
            Self::Fixed16 | Self::Fixed32 | Self::Fixed64 => Some(self.max_bytes()),
            Self::Whole | Self::Cdc | Self::CdcLarge => None,
        }
    }
}

const _: () = assert!(CutClass::Whole.max_bytes() as u64 == WHOLE_BYTES_MAX);

/// The class for a file of `size` bytes.
///
/// `head` is its first bytes (4 KiB show everything that is looked for; fewer show less), `path_name` its name,
/// `previous` its class in the version before: a file keeps its class, for another would send all of it again,
/// unless it was one chunk and is too large for that now. `incompressible` is asked only above 1 GiB.
pub fn class_for(
    size: u64,
    head: &[u8],
    path_name: &[u8],
    previous: Option<CutClass>,
    incompressible: impl FnOnce() -> bool,
) -> CutClass {
    match previous {
        Some(CutClass::Whole) | None => {}
        Some(kept) => return kept,
    }
    if size <= WHOLE_BYTES_MAX {
        CutClass::Whole
    } else if is_page_structured(size, head, path_name) {
        fixed(size)
    } else if size > GIB && incompressible() {
        CutClass::CdcLarge
    } else {
        CutClass::Cdc
    }
}

/// The fixed class for a file of this size: the larger the file, the fewer pieces a byte of it is worth.
fn fixed(size: u64) -> CutClass {
    if size <= 4 * GIB {
        CutClass::Fixed16
    } else if size <= 64 * GIB {
        CutClass::Fixed32
    } else {
        CutClass::Fixed64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SQLITE: &[u8] = b"SQLite format 3\0and so on";

    fn class(size: u64, head: &[u8], previous: Option<CutClass>) -> CutClass {
        class_for(size, head, b"name", previous, || panic!("asked below 1 GiB"))
    }

    #[test]
    fn by_size_and_content() {
        assert_eq!(class(0, b"", None), CutClass::Whole);
        assert_eq!(class(WHOLE_BYTES_MAX, SQLITE, None), CutClass::Whole);
        assert_eq!(class(WHOLE_BYTES_MAX + 1, b"text", None), CutClass::Cdc);
        assert_eq!(class(WHOLE_BYTES_MAX + 1, SQLITE, None), CutClass::Fixed16);
        assert_eq!(class(4 * GIB, SQLITE, None), CutClass::Fixed16);
        assert_eq!(class(4 * GIB + 1, SQLITE, None), CutClass::Fixed32);
        assert_eq!(class(64 * GIB, SQLITE, None), CutClass::Fixed32);
        assert_eq!(class(64 * GIB + 1, SQLITE, None), CutClass::Fixed64);
        assert_eq!(class(GIB, b"text", None), CutClass::Cdc);
        assert_eq!(class_for(GIB + 1, b"", b"", None, || true), CutClass::CdcLarge);
        assert_eq!(class_for(GIB + 1, b"", b"", None, || false), CutClass::Cdc);
    }

    #[test]
    fn a_class_stays() {
        for kept in [CutClass::Cdc, CutClass::CdcLarge, CutClass::Fixed16, CutClass::Fixed32, CutClass::Fixed64] {
            for (size, head) in [(1, &b"x"[..]), (200 * GIB, SQLITE)] {
                assert_eq!(class(size, head, Some(kept)), kept);
            }
        }
        assert_eq!(class(WHOLE_BYTES_MAX, b"", Some(CutClass::Whole)), CutClass::Whole);
        assert_eq!(class(WHOLE_BYTES_MAX + 1, SQLITE, Some(CutClass::Whole)), CutClass::Fixed16);
    }
}
