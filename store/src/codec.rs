//! Integers and byte strings from and to bytes. The only place where numbers are parsed.
//!
//! A [`Reader`] never reads past its end, never allocates by a number that it has read, and refuses what
//! is not in its one right form.

use crate::error::{Error, Result};

/// Reads the fields of one structure, in order.
#[derive(Clone, Debug)]
pub struct Reader<'a> {
    rest: &'a [u8],
    what: &'static str,
}

impl<'a> Reader<'a> {
    /// A reader over `bytes`; `what` names the structure in errors.
    #[must_use]
    pub fn new(what: &'static str, bytes: &'a [u8]) -> Self {
        Self { rest: bytes, what }
    }

    /// An error that says that this structure is damaged.
    #[must_use]
    pub fn damaged(&self, why: &'static str) -> Error {
        Error::damaged(self.what, why)
    }

    /// Bytes not yet read.
    #[must_use]
    pub fn remaining(&self) -> usize {
        self.rest.len()
    }

    /// The next `len` bytes.
    pub fn bytes(&mut self, len: usize) -> Result<&'a [u8]> {
        let (head, tail) = self.rest.split_at_checked(len).ok_or_else(|| self.damaged("it ends too early"))?;
        self.rest = tail;
        Ok(head)
    }

    /// The next `N` bytes as an array.
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        let bytes = self.bytes(N)?;
        bytes.try_into().map_err(|_| self.damaged("it ends too early"))
    }

    /// One byte.
    pub fn u8(&mut self) -> Result<u8> {
        self.array::<1>().map(|[b]| b)
    }

    /// Two bytes, little endian.
    pub fn u16(&mut self) -> Result<u16> {
        self.array().map(u16::from_le_bytes)
    }

    /// Four bytes, little endian.
    pub fn u32(&mut self) -> Result<u32> {
        self.array().map(u32::from_le_bytes)
    }

    /// Eight bytes, little endian.
    pub fn u64(&mut self) -> Result<u64> {
        self.array().map(u64::from_le_bytes)
    }

    /// Eight bytes, little endian, signed.
    pub fn i64(&mut self) -> Result<i64> {
        self.array().map(i64::from_le_bytes)
    }

    /// An unsigned LEB128 number in its shortest form.
    pub fn varint(&mut self) -> Result<u64> {
        // Most are small.
        if let Some((byte @ 0..0x80, tail)) = self.rest.split_first() {
            self.rest = tail;
            return Ok(u64::from(*byte));
        }
        let mut value = 0u64;
        for shift in (0..70).step_by(7) {
            let byte = self.u8()?;
            let low = u64::from(byte & 0x7f);
            if shift == 63 && low > 1 {
                break;
            }
            value |= low << shift;
            if byte & 0x80 == 0 {
                if byte == 0 && shift > 0 {
                    return Err(self.damaged("a number is not in its shortest form"));
                }
                return Ok(value);
            }
        }
        Err(self.damaged("a number is too large"))
    }

    /// A varint that counts things of at least `least_bytes` each in the rest of this structure, so that
    /// room may be made for them before they are read.
    pub fn count(&mut self, least_bytes: usize) -> Result<usize> {
        let value = self.varint()?;
        let count = usize::try_from(value).map_err(|_| self.damaged("a count is too large"))?;
        if count.checked_mul(least_bytes.max(1)).is_none_or(|bytes| bytes > self.rest.len()) {
            return Err(self.damaged("a count is larger than what follows"));
        }
        Ok(count)
    }

    /// A signed number, zigzag.
    pub fn zigzag(&mut self) -> Result<i64> {
        let value = self.varint()?;
        Ok((value >> 1).cast_signed() ^ -((value & 1).cast_signed()))
    }

    /// A varint length, then that many bytes, at most `most`.
    pub fn string(&mut self, most: usize) -> Result<&'a [u8]> {
        let len = self.count(1)?;
        if len > most {
            return Err(self.damaged("a string is too long"));
        }
        self.bytes(len)
    }

    /// Bytes that must be zero.
    pub fn zeros(&mut self, len: usize) -> Result<()> {
        if self.bytes(len)?.iter().any(|b| *b != 0) {
            return Err(self.damaged("reserved bytes are not zero"));
        }
        Ok(())
    }

    /// Everything that is left.
    pub fn rest(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.rest)
    }

    /// Asserts that nothing is left.
    pub fn end(self) -> Result<()> {
        if self.rest.is_empty() { Ok(()) } else { Err(self.damaged("something follows its end")) }
    }
}

/// Writes an unsigned LEB128 number.
pub fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    loop {
        let [low, ..] = value.to_le_bytes();
        value >>= 7;
        if value == 0 {
            return out.push(low & 0x7f);
        }
        out.push(low | 0x80);
    }
}

/// Writes a signed number, zigzag.
pub fn put_zigzag(out: &mut Vec<u8>, value: i64) {
    put_varint(out, ((value << 1) ^ (value >> 63)).cast_unsigned());
}

/// Writes a varint length and the bytes.
pub fn put_string(out: &mut Vec<u8>, bytes: &[u8]) {
    put_varint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn numbers_go_there_and_back(a: u64, b: i64, s: Vec<u8>) {
            let mut out = Vec::new();
            put_varint(&mut out, a);
            put_zigzag(&mut out, b);
            put_string(&mut out, &s);
            let mut r = Reader::new("test", &out);
            prop_assert_eq!(r.varint().unwrap(), a);
            prop_assert_eq!(r.zigzag().unwrap(), b);
            prop_assert_eq!(r.string(s.len()).unwrap(), &s[..]);
            r.end().unwrap();
        }

        #[test]
        fn rubbish_never_panics(bytes: Vec<u8>) {
            let mut r = Reader::new("test", &bytes);
            while r.varint().is_ok() {}
            let mut r = Reader::new("test", &bytes);
            while r.string(100).is_ok() {}
        }
    }

    #[test]
    fn a_long_form_is_refused() {
        assert!(Reader::new("test", &[0x80, 0x00]).varint().is_err());
        assert!(Reader::new("test", &[0xff; 11]).varint().is_err());
    }
}
