//! One account in one portable file (FORMAT.md, chapter 13): a header, parts with their lengths and checksums, an end.
//! It is written and read as a stream, needs no key, and is everything that another vault needs.
//!
//! * `head`: the header, and the head of a part
//! * `write`, `read`: as a stream; neither keeps more of a part than it is given at once

mod head;
mod read;
mod write;

pub use head::{ARCHIVE_HEADER_BYTES, ArchiveHeader, PART_HEAD_BYTES, PartHead, PartKind};
pub use read::{ArchiveReader, Content};
pub use write::ArchiveWriter;

/// Length of the checksum behind each part.
pub const HASH_BYTES: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Error;
    use crate::id::{AccountId, DomainId, VaultId};

    const HEADER: ArchiveHeader = ArchiveHeader {
        features: [0; 3],
        number: 7,
        vault: VaultId::new([1; 16]),
        domain: DomainId::new([2; 16]),
        account: AccountId::new([3; 16]),
        made_at: 1_790_000_000_000,
        packs: 1,
        pack_bytes: 5,
        links: 2,
    };

    fn part(kind: PartKind, number: u64, id: u8, len: u64) -> PartHead {
        PartHead { kind, number, id: [id; 32], len }
    }

    fn pack(id: u8, len: u64) -> PartHead {
        let mut head = part(PartKind::Pack, 0, id, len);
        head.id[16..].fill(0);
        head
    }

    fn archive(parts: &[(PartHead, &[u8])]) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut out = |some: &[u8]| {
            bytes.extend_from_slice(some);
            Ok(())
        };
        let mut writer = ArchiveWriter::new(&HEADER, &mut out).unwrap();
        for (head, content) in parts {
            writer.begin(head).unwrap();
            content.chunks(2).for_each(|some| writer.content(some).unwrap());
            writer.end_part().unwrap();
        }
        writer.end().unwrap();
        bytes
    }

    fn good() -> Vec<u8> {
        archive(&[
            (part(PartKind::Account, 0, 0, 4), b"note"),
            (part(PartKind::Link, 1, 0, 2), b"l1"),
            (part(PartKind::Link, 2, 0, 2), b"l2"),
            (part(PartKind::Body, 0, 9, 4), b"body"),
            (pack(4, 5), b"packs"),
        ])
    }

    fn read(mut bytes: &[u8]) -> crate::Result<Vec<(PartHead, Vec<u8>)>> {
        let mut reader = ArchiveReader::new(&mut bytes)?;
        assert_eq!(*reader.header(), HEADER);
        let mut parts = Vec::new();
        while let Some(head) = reader.next_part()? {
            let mut content = Vec::new();
            while let Some(some) = reader.content()? {
                content.extend_from_slice(some);
            }
            parts.push((head, content));
        }
        Ok(parts)
    }

    #[test]
    fn archives_go_there_and_back() {
        let parts = read(&good()).unwrap();
        let contents: Vec<&[u8]> = parts.iter().map(|(_, content)| content.as_slice()).collect();
        assert_eq!(contents, [b"note".as_slice(), b"l1", b"l2", b"body", b"packs"]);
        assert_eq!(parts[2].0, part(PartKind::Link, 2, 0, 2));
    }

    #[test]
    fn every_altered_missing_or_added_byte_is_seen() {
        let good = good();
        for at in 0..good.len() {
            let mut bytes = good.clone();
            bytes[at] ^= 1;
            assert!(read_any(&bytes).is_err(), "byte {at}");
            assert!(read_any(&good[..at]).is_err(), "cut at {at}");
        }
        let mut longer = good;
        longer.push(0);
        assert!(read_any(&longer).is_err());
    }

    /// As `read`, whatever the header says.
    fn read_any(mut bytes: &[u8]) -> crate::Result<()> {
        let mut reader = ArchiveReader::new(&mut bytes)?;
        while reader.next_part()?.is_some() {
            while reader.content()?.is_some() {}
        }
        Ok(())
    }

    #[test]
    fn parts_have_one_order_and_their_bounds() {
        let account = || (part(PartKind::Account, 0, 0, 4), b"note".as_slice());
        let refused = |parts: &[(PartHead, &[u8])]| {
            let read = read_any(&archive(parts));
            assert!(matches!(read, Err(Error::Damaged { .. })), "{read:?}");
        };
        refused(&[]);
        refused(&[(part(PartKind::Link, 1, 0, 2), b"l1")]);
        refused(&[account(), account()]);
        let link = |number| (part(PartKind::Link, number, 0, 2), b"ln".as_slice());
        refused(&[account(), link(2), link(1)]);
        refused(&[account(), link(1), link(1)]);
        // Numbers that no link has, and no file of one could be called by.
        refused(&[account(), link(0)]);
        refused(&[account(), link(1_000_000_000_000)]);
        refused(&[account(), (pack(4, 1), b"p"), (part(PartKind::Body, 0, 9, 1), b"b")]);
        refused(&[account(), (pack(4, 1), b"p"), (pack(4, 1), b"p")]);
        // A pack's id has 16 bytes, an account no number.
        refused(&[account(), (part(PartKind::Pack, 0, 4, 1), b"p")]);
        refused(&[(part(PartKind::Account, 1, 0, 4), b"note")]);
    }

    #[test]
    fn a_length_out_of_all_proportion_is_refused_before_anything_is_read() {
        let header = HEADER.encode();
        let head = part(PartKind::Account, 0, 0, u64::MAX).encode();
        let bytes: Vec<u8> = header.into_iter().chain(head).collect();
        let mut source = bytes.as_slice();
        let mut reader = ArchiveReader::new(&mut source).unwrap();
        assert!(matches!(reader.next_part(), Err(Error::Damaged { .. })));
    }

    #[test]
    fn what_a_newer_program_made_is_refused() {
        let newer = |header: ArchiveHeader| {
            let bytes = header.encode();
            let mut source = bytes.as_slice();
            ArchiveReader::new(&mut source).err()
        };
        assert!(newer(HEADER).is_none());
        assert!(newer(ArchiveHeader { features: [1, 0, 0], ..HEADER }).is_none());
        for features in [[0, 1, 0], [0, 0, 1]] {
            assert!(matches!(newer(ArchiveHeader { features, ..HEADER }), Some(Error::Newer { .. })));
        }
    }
}
