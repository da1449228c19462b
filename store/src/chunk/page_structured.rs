//! Tells files that change in place, page by page, from files that are written anew: databases and disk images.
//!
//! A wrong guess costs some deduplication and never data, so a few well-known marks are enough.

/// Marks at fixed places in the first 4 KiB.
const MARKS: &[(usize, &[u8])] = &[
    (0, b"SQLite format 3\0"),
    (12, &0x0005_3162u32.to_le_bytes()), // Berkeley DB: btree
    (12, &0x0006_1561u32.to_le_bytes()), // Berkeley DB: hash
    (16, &0xbeef_c0deu32.to_le_bytes()), // LMDB
    (0, b"QFI\xfb"),                     // qcow2
    (0, b"KDMV"),                        // vmdk
    (0, b"# Disk DescriptorFile"),       // vmdk
    (64, &0xbeda_107fu32.to_le_bytes()), // vdi
    (0, b"vhdxfile"),
    (0, b"conectix"),     // vhd
    (0, b"LUKS\xba\xbe"), // encrypted disk
    (0, b"XFSB"),         // file system: xfs
    (512, b"EFI PART"),   // raw disk: GPT
];

/// Names that disk images and database heaps have. An image is a whole number of pages; a compressed start-up
/// image (`initrd.img`) hardly ever is.
const NAME_ENDS: &[&[u8]] =
    &[b".img", b".raw", b".dd", b".vmdk", b".qcow2", b".vdi", b".vhd", b".vhdx", b".hdd", b".ibd", b".mdf", b".ldf"];
const PAGE_BYTES: u64 = 4_096;

/// Whether a file of this size, with these first bytes and this name, changes page by page.
pub(super) fn is_page_structured(size: u64, head: &[u8], name: &[u8]) -> bool {
    let at = |from: usize, bytes: &[u8]| head.get(from..).is_some_and(|rest| rest.starts_with(bytes));
    MARKS.iter().any(|(from, mark)| at(*from, mark))
        || is_innodb(head)
        || (is_postgres(head) && size.is_multiple_of(8_192))
        || (is_ext(head) && size.is_multiple_of(1_024))
        || (size.is_multiple_of(PAGE_BYTES) && NAME_ENDS.iter().any(|end| ends_with(name, end)))
}

/// InnoDB: page 0 of type "file space header" that names its space twice.
fn is_innodb(head: &[u8]) -> bool {
    let field = |from: usize, len: usize| head.get(from..from + len);
    field(4, 4) == Some(&[0; 4]) && field(24, 2) == Some(&[0, 8]) && head.len() >= 42 && field(34, 4) == field(38, 4)
}

/// PostgreSQL: a page of 8 KiB, layout version 4, whose bounds are in order.
fn is_postgres(head: &[u8]) -> bool {
    let field = |from: usize| head.get(from..from + 2).and_then(|b| b.try_into().ok()).map(u16::from_le_bytes);
    match (field(12), field(14), field(16), field(18)) {
        (Some(lower), Some(upper), Some(special), Some(0x2004)) => {
            24 <= lower && lower <= upper && upper <= special && special <= 8_192
        }
        _ => false,
    }
}

/// ext2 to ext4: the magic of a superblock at 1 KiB, with a sane block size and state.
fn is_ext(head: &[u8]) -> bool {
    let byte = |at: usize| head.get(1_024 + at).copied();
    byte(56) == Some(0x53) && byte(57) == Some(0xef) && byte(24).is_some_and(|log| log <= 6) && byte(25) == Some(0)
}

fn ends_with(name: &[u8], end: &[u8]) -> bool {
    name.len().checked_sub(end.len()).and_then(|at| name.get(at..)).is_some_and(|tail| tail.eq_ignore_ascii_case(end))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn head(at: usize, bytes: &[u8]) -> Vec<u8> {
        let mut out = vec![b'x'; 4096];
        out[at..at + bytes.len()].copy_from_slice(bytes);
        out
    }

    #[test]
    fn marks_are_found_where_they_belong() {
        for (at, mark) in MARKS {
            assert!(is_page_structured(1_000_003, &head(*at, mark), b"n"), "{mark:?}");
            assert!(!is_page_structured(1_000_003, &head(at + 1, mark), b"n"), "{mark:?}");
        }
    }

    #[test]
    fn heaps_and_file_systems() {
        let mut page = vec![0; 8192];
        page[12..20].copy_from_slice(&[40, 0, 0, 0x10, 0, 0x20, 4, 0x20]);
        assert!(is_page_structured(8192 * 50, &page, b"16384"));
        assert!(!is_page_structured(8192 * 50 + 1, &page, b"16384"));
        page[12] = 0;
        assert!(!is_page_structured(8192 * 50, &page, b"16384"), "lower below the header");

        let mut ibd = vec![0; 4096];
        ibd[25] = 8;
        assert!(is_page_structured(1 << 20, &ibd, b"t"));
        assert!(!is_page_structured(1 << 20, &[0; 4096], b"t"), "zeros are nothing");

        let mut ext = vec![0; 4096];
        ext[1024 + 24] = 2;
        ext[1024 + 56] = 0x53;
        ext[1024 + 57] = 0xef;
        assert!(is_page_structured(1 << 20, &ext, b"disk"));
    }

    #[test]
    fn names_of_images() {
        assert!(is_page_structured(4096 * 100, b"", b"Debian.IMG"));
        assert!(!is_page_structured(4096 * 100 + 512, b"", b"initrd.img"));
        assert!(!is_page_structured(4096 * 100, b"", b"img"));
    }

    proptest! {
        #[test]
        fn rubbish_never_panics(size: u64, head: Vec<u8>, name: Vec<u8>) {
            is_page_structured(size, &head, &name);
        }
    }
}
