//! Lists of paths to back up, from a file.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// How a list is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ListForm {
    /// One path a line; blanks around it, empty lines and lines with `#` first say nothing.
    Lines,
    /// Each path ends in a zero byte and stands for itself.
    Nul,
}

/// Longest list that is read.
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

/// The paths in a file, raw. `-` is not special here: see [`parse_list`].
pub fn read_list_file(path: &Path, form: ListForm) -> io::Result<Vec<Vec<u8>>> {
    parse_list(&mut File::open(path)?, form)
}

/// The paths that a reader gives (standard input, a file), raw, in their order.
pub fn parse_list(reader: &mut dyn Read, form: ListForm) -> io::Result<Vec<Vec<u8>>> {
    let bytes = read_all(reader, LIST_BYTES_MAX)?;
    let paths: Vec<Vec<u8>> = match form {
        ListForm::Lines => bytes
            .split(|byte| *byte == b'\n')
            .map(<[u8]>::trim_ascii)
            .filter(|line| !line.is_empty() && !line.starts_with(b"#"))
            .map(<[u8]>::to_vec)
            .collect(),
        ListForm::Nul => bytes.split(|byte| *byte == 0).filter(|path| !path.is_empty()).map(<[u8]>::to_vec).collect(),
    };
    if paths.iter().any(|path| path.contains(&0)) {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "a path contains a zero byte"));
    }
    Ok(paths)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(bytes: &[u8], form: ListForm) -> io::Result<Vec<Vec<u8>>> {
        parse_list(&mut &bytes[..], form)
    }

    #[test]
    fn lines_and_zeros() {
        let lines = parse(b"# all\n/etc\r\n\n  /home/a b \n/x#y\n\xff", ListForm::Lines).unwrap();
        assert_eq!(lines, [&b"/etc"[..], b"/home/a b", b"/x#y", b"\xff"]);
        let raw = parse(b"# a\0/new\nline\0 b \0\0last", ListForm::Nul).unwrap();
        assert_eq!(raw, [&b"# a"[..], b"/new\nline", b" b ", b"last"]);
        assert!(parse(b"", ListForm::Lines).unwrap().is_empty());
        // The wrong form is noticed, not misread.
        assert_eq!(parse(b"/a\0/b\0", ListForm::Lines).unwrap_err().kind(), io::ErrorKind::InvalidData);
    }

    #[test]
    fn too_long_is_refused() {
        let place = tempfile::tempdir().unwrap();
        let file = place.path().join("list");
        std::fs::write(&file, b"12345").unwrap();
        assert_eq!(read_limited(&file, 5).unwrap(), b"12345");
        assert_eq!(read_limited(&file, 4).unwrap_err().kind(), io::ErrorKind::FileTooLarge);
        assert_eq!(read_list_file(&file, ListForm::Lines).unwrap(), [b"12345"]);
    }
}
