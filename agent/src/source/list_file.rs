//! Lists of paths to back up, from a file.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// Longest list that is read: a million paths, and no file that was named by mistake.
pub(super) const LIST_BYTES_MAX: u64 = 256 << 20;

/// All of a file, refused when it is longer than `most` bytes.
pub(super) fn read_limited(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    read_all(&mut File::open(path)?, most)
}

fn read_all(reader: &mut dyn Read, most: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    reader.take(most.saturating_add(1)).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > most {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, format!("it is longer than {most} bytes")));
    }
    Ok(bytes)
}

/// The paths that a reader gives (standard input, a file), one a line, raw, in their order. Blanks belong to a path;
/// empty lines and those with `#` first say nothing. A zero byte is an error: that is a list of another form.
pub fn read_list(reader: &mut dyn Read) -> io::Result<Vec<Vec<u8>>> {
    let bytes = read_all(reader, LIST_BYTES_MAX)?;
    let lines = bytes.split(|byte| *byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line));
    let paths: Vec<Vec<u8>> =
        lines.filter(|line| !line.is_empty() && !line.starts_with(b"#")).map(<[u8]>::to_vec).collect();
    if paths.iter().any(|path| path.contains(&0)) {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "a path contains a zero byte"));
    }
    Ok(paths)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(bytes: &[u8]) -> io::Result<Vec<Vec<u8>>> {
        read_list(&mut &bytes[..])
    }

    #[test]
    fn lists_hold_bytes() {
        let lines = parse(b"# all\n/etc\r\n\n /home/a b \n/x#y\n\xff").unwrap();
        assert_eq!(lines, [&b"/etc"[..], b" /home/a b ", b"/x#y", b"\xff"]);
        assert!(parse(b"").unwrap().is_empty());
        // Another form is noticed, not misread.
        assert_eq!(parse(b"/a\0/b\0").unwrap_err().kind(), io::ErrorKind::InvalidData);
    }

    #[test]
    fn too_long_is_refused() {
        let place = tempfile::tempdir().unwrap();
        let file = place.path().join("list");
        std::fs::write(&file, b"12345").unwrap();
        assert_eq!(read_limited(&file, 5).unwrap(), b"12345");
        assert_eq!(read_limited(&file, 4).unwrap_err().kind(), io::ErrorKind::FileTooLarge);
    }
}
