//! The plain text of a sealed part: lengths, body, zeros (FORMAT.md, chapter 3).

use crate::chunk::is_zero;
use crate::codec::{Reader, put_varint};
use crate::error::{Error, Result};
use crate::limits::ITEMS_MAX;
use crate::record::Codec;

use super::cipher::TAG_BYTES;
use super::compress::{Decoder, Level, Scratch};
use super::padme::padme;

/// What a solid is of, and its bounds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Form {
    /// The name in errors.
    pub(super) what: &'static str,
    /// Largest body when decoded.
    pub(super) body_max: usize,
    /// Largest item.
    pub(super) item_max: usize,
}

impl Form {
    /// The solid of these items, with room for the tag of the seal. `plain` is the items one after the other.
    pub(super) fn close(
        &self,
        scratch: &mut Scratch,
        lengths: impl ExactSizeIterator<Item = usize>,
        plain: &[u8],
        level: Level,
        padded: bool,
    ) -> Result<(Codec, Vec<u8>)> {
        self.bound("items", lengths.len(), ITEMS_MAX)?;
        self.bound("bytes", plain.len(), self.body_max)?;
        let mut table = Vec::with_capacity(lengths.len() * 3);
        let mut sum = 0usize;
        for len in lengths {
            self.bound("bytes of an item", len, self.item_max)?;
            sum += len;
            put_varint(&mut table, len as u64);
        }
        if sum != plain.len() {
            return Err(Error::damaged(self.what, "the lengths of its items do not add up"));
        }
        let (codec, body) = scratch.code(plain, level);
        let len = 8 + table.len() + body.len();
        let full = if padded { padme(len) } else { len };
        let mut out = Vec::with_capacity(full + TAG_BYTES);
        for part in [body.len(), plain.len()] {
            out.extend_from_slice(&u32::try_from(part).unwrap_or(u32::MAX).to_le_bytes());
        }
        out.extend_from_slice(&table);
        out.extend_from_slice(body);
        out.resize(full, 0);
        Ok((codec, out))
    }

    /// The lengths of `items` items and their bytes, one after the other.
    pub(super) fn open(
        &self,
        decoder: &mut Decoder,
        codec: Codec,
        padded: bool,
        items: usize,
        solid: &[u8],
    ) -> Result<(Vec<u32>, Vec<u8>)> {
        let mut r = Reader::new(self.what, solid);
        let (coded_len, plain_len) = (r.u32()? as usize, r.u32()? as usize);
        self.bound("bytes", plain_len, self.body_max)?;
        if items > ITEMS_MAX || items > r.remaining() {
            return Err(r.damaged("it has fewer items than its header says"));
        }
        let mut lengths = Vec::with_capacity(items);
        let mut sum = 0usize;
        for _ in 0..items {
            let len = u32::try_from(r.varint()?).map_err(|_| r.damaged("an item is too long"))?;
            self.bound("bytes of an item", len as usize, self.item_max)?;
            sum += len as usize;
            lengths.push(len);
        }
        if sum != plain_len {
            return Err(r.damaged("the lengths of its items do not add up"));
        }
        let body = r.bytes(coded_len)?;
        let used = solid.len() - r.remaining();
        let full = if padded { padme(used) } else { used };
        if solid.len() != full || !is_zero(r.rest()) {
            return Err(Error::damaged(self.what, "its padding is not what it must be"));
        }
        let plain = match codec {
            Codec::Raw if body.len() == plain_len => body.to_vec(),
            Codec::Raw => return Err(Error::damaged(self.what, "its body has another length than it says")),
            Codec::Zstd => decoder.decode(self.what, body, plain_len)?,
        };
        Ok((lengths, plain))
    }

    fn bound(&self, of: &'static str, found: usize, most: usize) -> Result<()> {
        if found <= most {
            return Ok(());
        }
        let what = match (self.what, of) {
            ("box", "items") => "chunks of a box",
            ("box", "bytes") => "plain bytes of a box",
            ("box", _) => "plain bytes of a chunk",
            (_, "items") => "nodes of a group",
            (_, "bytes") => "plain bytes of a group",
            _ => "plain bytes of a node",
        };
        Err(Error::Limit { what, found: found as u64, most: most as u64 })
    }
}

#[cfg(test)]
mod tests {
    use super::super::compress::tests::{noise, text};
    use super::*;
    use proptest::prelude::*;

    const FORM: Form = Form { what: "box", body_max: 1 << 20, item_max: 1 << 20 };

    fn close(items: &[Vec<u8>], level: Level, padded: bool) -> (Codec, Vec<u8>) {
        FORM.close(&mut Scratch::new(), items.iter().map(Vec::len), &items.concat(), level, padded).unwrap()
    }

    fn open(codec: Codec, padded: bool, items: usize, solid: &[u8]) -> Result<(Vec<u32>, Vec<u8>)> {
        FORM.open(&mut Decoder::default(), codec, padded, items, solid)
    }

    proptest! {
        #[test]
        fn goes_there_and_back(items: Vec<Vec<u8>>, padded: bool, raw: bool) {
            let (codec, solid) = close(&items, if raw { Level::Raw } else { Level::Auto }, padded);
            prop_assert!(solid.capacity() >= solid.len() + TAG_BYTES);
            let (lengths, plain) = open(codec, padded, items.len(), &solid).unwrap();
            prop_assert_eq!(plain, items.concat());
            prop_assert!(lengths.iter().map(|l| *l as usize).eq(items.iter().map(Vec::len)));
        }

        #[test]
        fn rubbish_never_panics(bytes: Vec<u8>, items in 0usize..20, zstd: bool, padded: bool) {
            let codec = if zstd { Codec::Zstd } else { Codec::Raw };
            prop_assert!(open(codec, padded, items, &bytes).is_err() || bytes.len() >= 8);
        }
    }

    #[test]
    fn padding_hides_the_length_and_is_checked() {
        let items = [text(50_000), noise(1234)];
        let (codec, solid) = close(&items, Level::Auto, true);
        assert_eq!(solid.len(), padme(solid.len()));
        assert!(open(codec, true, 2, &solid).is_ok());
        let mut dirty = solid.clone();
        *dirty.last_mut().unwrap() ^= 1;
        assert!(open(codec, true, 2, &dirty).is_err(), "padding that is not zero");
        assert!(open(codec, true, 2, &[solid.clone(), vec![0; 4096]].concat()).is_err(), "padding that is too long");
        assert!(open(codec, true, 2, &solid[..solid.len() - 1]).is_err(), "padding that is too short");
        assert!(open(codec, false, 2, &solid).is_err(), "padding that should not be there");
    }

    #[test]
    fn bounds_are_held_before_anything_is_allocated() {
        let mut solid = vec![0; 8];
        solid[4..8].copy_from_slice(&u32::MAX.to_le_bytes());
        assert!(matches!(open(Codec::Zstd, false, 0, &solid), Err(Error::Limit { .. })));
        assert!(open(Codec::Raw, false, ITEMS_MAX, &[0; 8]).is_err());
        let mut scratch = Scratch::new();
        let long = vec![0; (1 << 20) + 1];
        let lengths = [long.len()].into_iter();
        assert!(matches!(FORM.close(&mut scratch, lengths, &long, Level::Auto, false), Err(Error::Limit { .. })));
        assert!(FORM.close(&mut scratch, [3, 4].into_iter(), b"sixsix", Level::Auto, false).is_err());
    }
}
