//! Headers of the pax interchange format (POSIX.1-2001 tar): a ustar header, and before it an extended one for what does not
//! fit: long and non-ASCII names, large numbers, times in nanoseconds, extended attributes.

use store::tree::{Entry, Kind, What};

/// Everything in a tar comes in blocks.
pub const BLOCK: usize = 512;

/// Largest numbers of seven and eleven octal digits.
const OCTAL_7_MAX: u64 = 0o777_7777;
const OCTAL_11_MAX: u64 = 0o777_7777_7777;
/// Longest names in a header.
const NAME_MAX: usize = 100;
const OWNER_MAX: usize = 31;

/// The header blocks of an entry. `link`: it is another name of this path. `None`: a tar cannot hold it (a socket).
pub fn header(path: &[u8], entry: &Entry, link: Option<&[u8]>) -> Option<Vec<u8>> {
    let (flag, size, target, device): (u8, u64, &[u8], (u32, u32)) = match (&entry.what, link) {
        (What::Dir(_), _) => (b'5', 0, b"", (0, 0)),
        (_, Some(first)) => (b'1', 0, first, (0, 0)),
        (What::File { size, .. }, None) => (b'0', *size, b"", (0, 0)),
        (What::Symlink(target), None) => (b'2', 0, target, (0, 0)),
        (What::Char(major, minor), None) => (b'3', 0, b"", (*major, *minor)),
        (What::Block(major, minor), None) => (b'4', 0, b"", (*major, *minor)),
        (What::Fifo, None) => (b'6', 0, b"", (0, 0)),
        (What::Socket, None) => return None,
    };
    let mut path = path.to_vec();
    if entry.what.kind() == Kind::Dir && !path.ends_with(b"/") {
        path.push(b'/');
    }
    let mut more = Records::default();
    let mut block = Block::new(flag);
    block.text(0, NAME_MAX, &more.text("path", &path, NAME_MAX));
    block.octal(100, 7, entry.mode.into());
    block.octal(108, 7, more.number("uid", entry.owner.uid.into(), OCTAL_7_MAX));
    block.octal(116, 7, more.number("gid", entry.owner.gid.into(), OCTAL_7_MAX));
    block.octal(124, 11, more.number("size", size, OCTAL_11_MAX));
    block.octal(136, 11, mtime(&mut more, entry));
    block.text(157, NAME_MAX, &more.text("linkpath", target, NAME_MAX));
    block.text(265, OWNER_MAX, &more.text("uname", &entry.owner.user, OWNER_MAX));
    block.text(297, OWNER_MAX, &more.text("gname", &entry.owner.group, OWNER_MAX));
    block.octal(329, 7, more.number("SCHILY.devmajor", device.0.into(), OCTAL_7_MAX));
    block.octal(337, 7, more.number("SCHILY.devminor", device.1.into(), OCTAL_7_MAX));
    for (name, value) in &entry.xattrs {
        more.add(&[b"SCHILY.xattr.", xattr_key(name).as_slice()].concat(), value);
    }
    let mut out = more.blocks();
    out.extend_from_slice(&block.finish());
    Some(out)
}

/// What ends a tar.
pub const END: [u8; 2 * BLOCK] = [0; 2 * BLOCK];

/// Zeros after content of this length.
pub fn padding(len: u64) -> u64 {
    len.wrapping_neg() % BLOCK as u64
}

/// Seconds for the header; the exact time goes before it when they are not all of it.
fn mtime(more: &mut Records, entry: &Entry) -> u64 {
    let (secs, nanos) = (entry.mtime.secs, entry.mtime.nanos);
    let plain = u64::try_from(secs).ok().filter(|secs| *secs <= OCTAL_11_MAX);
    if plain.is_none() || nanos != 0 {
        // Nanoseconds count forward, the digits after the point count away from zero.
        let text = match (secs < 0, nanos) {
            (_, 0) => secs.to_string(),
            (false, _) => format!("{secs}.{nanos:09}"),
            (true, _) => {
                format!("-{}.{:09}", secs.saturating_add(1).unsigned_abs(), 1_000_000_000_u32.saturating_sub(nanos))
            }
        };
        more.add(b"mtime", text.as_bytes());
    }
    plain.unwrap_or(0)
}

/// A name in a keyword: `=` ends one.
fn xattr_key(name: &[u8]) -> Vec<u8> {
    let mut key = Vec::with_capacity(name.len());
    for byte in name {
        match byte {
            b'%' => key.extend_from_slice(b"%25"),
            b'=' => key.extend_from_slice(b"%3D"),
            byte => key.push(*byte),
        }
    }
    key
}

/// The records of an extended header.
#[derive(Default)]
struct Records {
    bytes: Vec<u8>,
    binary: bool,
}

impl Records {
    fn add(&mut self, key: &[u8], value: &[u8]) {
        self.bytes.extend_from_slice(&record(key, value));
    }

    /// A text for the header; the whole of it goes before, when it is too long or not plain.
    fn text(&mut self, key: &str, text: &[u8], most: usize) -> Vec<u8> {
        if text.len() > most || !text.is_ascii() {
            self.binary |= std::str::from_utf8(text).is_err();
            self.add(key.as_bytes(), text);
        }
        let start = text.get(..most).unwrap_or(text);
        start.iter().map(|byte| if byte.is_ascii() { *byte } else { b'_' }).collect()
    }

    fn number(&mut self, key: &str, number: u64, most: u64) -> u64 {
        if number <= most {
            return number;
        }
        self.add(key.as_bytes(), number.to_string().as_bytes());
        0
    }

    /// The extended header with its records; nothing when there are none.
    fn blocks(self) -> Vec<u8> {
        if self.bytes.is_empty() {
            return Vec::new();
        }
        // Names need not be UTF-8, and this says so before the first of them.
        let mut bytes = if self.binary { record(b"hdrcharset", b"BINARY") } else { Vec::new() };
        bytes.extend_from_slice(&self.bytes);
        let len = bytes.len() as u64;
        let mut block = Block::new(b'x');
        block.text(0, NAME_MAX, b"PaxHeaders/entry");
        block.octal(100, 7, 0o644);
        block.octal(124, 11, len);
        let mut out = block.finish().to_vec();
        out.extend_from_slice(&bytes);
        out.resize(out.len() + usize::try_from(padding(len)).unwrap_or(0), 0);
        out
    }
}

/// `LENGTH KEY=VALUE\n`; the length counts its own digits.
fn record(key: &[u8], value: &[u8]) -> Vec<u8> {
    let rest = key.len() + value.len() + 3;
    let mut len = rest + 1;
    while len != rest + len.to_string().len() {
        len = rest + len.to_string().len();
    }
    [len.to_string().as_bytes(), b" ", key, b"=", value, b"\n"].concat()
}

/// A ustar header.
struct Block([u8; BLOCK]);

impl Block {
    fn new(flag: u8) -> Self {
        let mut block = Self([0; BLOCK]);
        block.octal(108, 7, 0);
        block.octal(116, 7, 0);
        block.octal(136, 11, 0);
        block.text(156, 1, &[flag]);
        block.text(257, 8, b"ustar\x0000");
        block
    }

    fn text(&mut self, at: usize, most: usize, text: &[u8]) {
        if let Some(field) = self.0.get_mut(at..at + most) {
            field.iter_mut().zip(text).for_each(|(to, from)| *to = *from);
        }
    }

    fn octal(&mut self, at: usize, digits: usize, number: u64) {
        self.text(at, digits, format!("{number:0digits$o}").as_bytes());
    }

    /// Adds the sum of all bytes, itself taken as blanks.
    fn finish(mut self) -> [u8; BLOCK] {
        self.text(148, 8, b"        ");
        let sum: u64 = self.0.iter().map(|byte| u64::from(*byte)).sum();
        self.text(148, 8, format!("{sum:06o}\0 ").as_bytes());
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_counts_its_own_digits() {
        assert_eq!(record(b"path", b"x"), b"9 path=x\n");
        assert_eq!(record(b"path", b"xy"), b"11 path=xy\n");
        for len in 0..2000 {
            let record = record(b"k", &vec![b'v'; len]);
            let (digits, _) = record.split_at(record.iter().position(|byte| *byte == b' ').unwrap());
            assert_eq!(std::str::from_utf8(digits).unwrap().parse::<usize>().unwrap(), record.len());
        }
    }

    #[test]
    fn padding_fills_a_block() {
        assert_eq!([0, 1, 511, 512, 513].map(padding), [0, 511, 1, 0, 511]);
    }
}
