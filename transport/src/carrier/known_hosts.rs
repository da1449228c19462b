//! The `known_hosts` files, read as OpenSSH reads them and written as it writes them.
//!
//! A line is `[@marker] hosts type base64 [comment]`, parted by blanks or tabs. `hosts` is a list of patterns with
//! commas (`*`, `?`, `!` in front excludes the line), or one name hidden as `|1|salt|hash`. A port other than 22
//! makes the name `[host]:port`. Keys are compared by their bytes: type names, comments and files do not matter.
//!
//! What this module decides is only what the files say. What follows from it (ask, refuse) is `host_key`'s.

use std::{
    fmt, fs,
    io::{self, Read, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use base64::{Engine, engine::general_purpose::STANDARD, engine::general_purpose::STANDARD_NO_PAD};
use ring::{digest, hmac};

/// The most bytes of one file. A million hosts fit; a mistaken path to a disk image does not fill the memory.
const FILE_BYTES_MAX: u64 = 64 << 20;

/// A line of a file, for messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The file.
    pub file: PathBuf,
    /// Counted from 1.
    pub line: usize,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file.display(), self.line)
    }
}

/// A file that is there and cannot be read: nothing may be concluded from it, so it is an error, never "unknown".
#[derive(Debug)]
pub struct Unreadable {
    /// The file.
    pub file: PathBuf,
    /// What the system said.
    pub cause: io::Error,
}

/// What the files say about a host and a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// This key is known for this host.
    Known(Place),
    /// No key of this type is known; `others` are the lines with keys of other types for the same host.
    Unknown {
        /// Lines with keys of other types.
        others: Vec<Place>,
    },
    /// Another key of the same type is known, and this one is not.
    Changed(Place),
    /// This key was revoked.
    Revoked(Place),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Marker {
    None,
    Revoked,
    Authority,
}

#[derive(Debug)]
enum Hosts {
    Patterns(String),
    Hidden { salt: Vec<u8>, hash: Vec<u8> },
}

#[derive(Debug)]
struct Line {
    marker: Marker,
    hosts: Hosts,
    key: Vec<u8>,
    place: Place,
}

/// All lines of all files.
#[derive(Debug, Default)]
pub struct KnownHosts {
    lines: Vec<Line>,
}

/// The name under which a host stands in the files.
#[must_use]
pub fn host_name(host: &str, port: u16) -> String {
    let host = host.to_ascii_lowercase();
    if port == 22 { host } else { format!("[{host}]:{port}") }
}

/// `SHA256:` and the hash of the key's bytes, as ssh shows it.
#[must_use]
pub fn fingerprint(key: &[u8]) -> String {
    format!("SHA256:{}", STANDARD_NO_PAD.encode(digest::digest(&digest::SHA256, key)))
}

/// The type that a key's bytes name, as in `ssh-ed25519`.
#[must_use]
pub fn key_type(key: &[u8]) -> Option<&str> {
    let (length, rest) = key.split_first_chunk::<4>()?;
    let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
    std::str::from_utf8(rest.get(..length)?).ok()
}

impl KnownHosts {
    /// Reads the files in this order. A file that is not there is an empty one.
    ///
    /// # Errors
    /// A file that is there and cannot be read.
    pub fn read(files: &[PathBuf]) -> Result<Self, Unreadable> {
        let mut all = Self::default();
        for file in files {
            let unreadable = |cause| Unreadable { file: file.clone(), cause };
            match read_capped(file) {
                Ok(bytes) => all.add(file, &bytes),
                Err(e) if e.kind() == io::ErrorKind::NotFound || e.kind() == io::ErrorKind::NotADirectory => {}
                Err(e) => return Err(unreadable(e)),
            }
        }
        Ok(all)
    }

    /// Adds the lines of one file. Lines that nothing can be made of are passed over, as OpenSSH does.
    fn add(&mut self, file: &Path, bytes: &[u8]) {
        for (index, line) in bytes.split(|b| *b == b'\n').enumerate() {
            let Ok(line) = std::str::from_utf8(line) else { continue };
            let place = || Place { file: file.to_owned(), line: index + 1 };
            self.lines.extend(parse_line(line, place));
        }
    }

    fn of<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Line> {
        self.lines.iter().filter(move |line| line.hosts.matches(name))
    }

    /// What the files say about this key of the host with this name (see [`host_name`]).
    #[must_use]
    pub fn judge(&self, name: &str, key: &[u8]) -> Verdict {
        let lines: Vec<&Line> = self.of(name).collect();
        // A revoked key stays revoked, whatever stands elsewhere.
        if let Some(line) = lines.iter().find(|l| l.marker == Marker::Revoked && l.key == key) {
            return Verdict::Revoked(line.place.clone());
        }
        let plain = || lines.iter().filter(|l| l.marker == Marker::None);
        if let Some(line) = plain().find(|l| l.key == key) {
            return Verdict::Known(line.place.clone());
        }
        // Several keys of one type may be known while keys are being exchanged; only when none fits is it a change.
        match plain().find(|l| key_type(&l.key) == key_type(key)) {
            Some(line) => Verdict::Changed(line.place.clone()),
            None => Verdict::Unknown { others: plain().map(|l| l.place.clone()).collect() },
        }
    }

    /// The types of the keys known for this host, so that the server can be asked for one of them.
    #[must_use]
    pub fn types(&self, name: &str) -> Vec<String> {
        let mut types = Vec::new();
        for line in self.of(name).filter(|l| l.marker == Marker::None) {
            if let Some(name) = key_type(&line.key).filter(|name| !types.iter().any(|t| t == name)) {
                types.push(name.to_owned());
            }
        }
        types
    }

    /// The keys of the authorities that may certify this host, without revoked ones.
    #[must_use]
    pub fn authorities(&self, name: &str) -> Vec<Vec<u8>> {
        let lines: Vec<&Line> = self.of(name).collect();
        let revoked = |key: &[u8]| lines.iter().any(|l| l.marker == Marker::Revoked && l.key == key);
        lines.iter().filter(|l| l.marker == Marker::Authority && !revoked(&l.key)).map(|l| l.key.clone()).collect()
    }

    #[cfg(test)]
    fn line_numbers(&self, name: &str) -> Vec<usize> {
        self.of(name).map(|l| l.place.line).collect()
    }
}

fn read_capped(file: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let read = fs::File::open(file)?.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes)?;
    if u64::try_from(read).unwrap_or(u64::MAX) > FILE_BYTES_MAX {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    Ok(bytes)
}

fn parse_line(line: &str, place: impl FnOnce() -> Place) -> Option<Line> {
    let mut words = line.split([' ', '\t', '\r']).filter(|word| !word.is_empty());
    let mut hosts = words.next().filter(|word| !word.starts_with('#'))?;
    let marker = match hosts {
        "@revoked" => Marker::Revoked,
        "@cert-authority" => Marker::Authority,
        _ if hosts.starts_with('@') => return None,
        _ => Marker::None,
    };
    if marker != Marker::None {
        hosts = words.next()?;
    }
    let (named, key) = (words.next()?, STANDARD.decode(words.next()?).ok()?);
    if key_type(&key) != Some(named) {
        return None;
    }
    Some(Line { marker, hosts: Hosts::parse(hosts)?, key, place: place() })
}

impl Hosts {
    fn parse(text: &str) -> Option<Self> {
        let Some(hidden) = text.strip_prefix('|') else { return Some(Self::Patterns(text.to_ascii_lowercase())) };
        let (salt, hash) = hidden.strip_prefix("1|")?.split_once('|')?;
        Some(Self::Hidden { salt: STANDARD.decode(salt).ok()?, hash: STANDARD.decode(hash).ok()? })
    }

    fn matches(&self, name: &str) -> bool {
        match self {
            Self::Hidden { salt, hash } => hide(salt, name) == *hash,
            Self::Patterns(list) => {
                let mut found = false;
                for pattern in list.split(',') {
                    match pattern.strip_prefix('!') {
                        Some(pattern) if glob(pattern, name) => return false,
                        Some(_) => {}
                        None => found |= glob(pattern, name),
                    }
                }
                found
            }
        }
    }
}

/// SHA-1 is what the file format has; it hides names here and proves nothing.
fn hide(salt: &[u8], name: &str) -> Vec<u8> {
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, salt);
    hmac::sign(&key, name.as_bytes()).as_ref().to_vec()
}

/// Whether `*` (any run) and `?` (any one byte) make the pattern fit. Linear: only the last `*` is ever tried again.
#[must_use]
pub fn glob(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
    let (mut p, mut t, mut star) = (0, 0, None);
    while let Some(byte) = text.get(t) {
        match pattern.get(p) {
            Some(b'*') => {
                star = Some((p + 1, t));
                p += 1;
            }
            Some(expected) if *expected == b'?' || expected == byte => (p, t) = (p + 1, t + 1),
            _ => match star {
                Some((after, from)) => {
                    star = Some((after, from + 1));
                    (p, t) = (after, from + 1);
                }
                None => return false,
            },
        }
    }
    pattern.get(p..).unwrap_or_default().iter().all(|b| *b == b'*')
}

/// Appends a key that a person has accepted. `salt` hides the name, as `HashKnownHosts yes` wants it.
///
/// # Errors
/// What the system said.
pub fn remember(file: &Path, name: &str, key: &[u8], salt: Option<[u8; 20]>) -> io::Result<()> {
    if let Some(parent) = file.parent().filter(|p| !p.as_os_str().is_empty() && !p.exists()) {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(parent)?;
    }
    let mut handle = fs::OpenOptions::new().read(true).append(true).create(true).mode(0o600).open(file)?;
    // Somebody may have left the last line without its end.
    let before = read_capped(file)?;
    let mut line = String::new();
    if before.last().is_some_and(|b| *b != b'\n') {
        line.push('\n');
    }
    match salt {
        Some(salt) => {
            line.push_str(&format!("|1|{}|{}", STANDARD.encode(salt), STANDARD.encode(hide(&salt, name))));
        }
        None => line.push_str(name),
    }
    line.push_str(&format!(" {} {}\n", key_type(key).unwrap_or("unknown"), STANDARD.encode(key)));
    // One write, so that two programs that append at the same time do not mix their lines.
    handle.write_all(line.as_bytes())?;
    handle.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn key(kind: &str, byte: u8) -> Vec<u8> {
        let mut key = u32::try_from(kind.len()).unwrap().to_be_bytes().to_vec();
        key.extend(kind.as_bytes());
        key.extend([0, 0, 0, 32]);
        key.extend([byte; 32]);
        key
    }

    fn ed(byte: u8) -> Vec<u8> {
        key("ssh-ed25519", byte)
    }

    fn text(key: &[u8]) -> String {
        format!("{} {}", key_type(key).unwrap(), STANDARD.encode(key))
    }

    fn hosts(file: &str) -> KnownHosts {
        let mut all = KnownHosts::default();
        all.add(Path::new("f"), file.as_bytes());
        all
    }

    fn at(line: usize) -> Place {
        Place { file: "f".into(), line }
    }

    #[test]
    fn every_way_to_write_a_host() {
        let k = text(&ed(1));
        let hidden = format!("|1|{}|{}", STANDARD.encode([7; 20]), STANDARD.encode(hide(&[7; 20], "h.example")));
        for line in [
            format!("h.example {k}"),
            format!("h.example\t{}", k.replace(' ', "\t")),
            format!("  \t h.example   {k} a comment with words"),
            format!("H.Example {k}"),
            format!("*.example {k}"),
            format!("h.exampl? {k}"),
            format!("other,h.example {k}"),
            format!("*,!other.example {k}"),
            format!("{hidden} {k}"),
            format!("# comment\n\nrubbish\nh.example ssh-ed25519 !!!!\nh.example {k}\r"),
        ] {
            assert!(matches!(hosts(&line).judge("h.example", &ed(1)), Verdict::Known(_)), "{line}");
            assert!(matches!(hosts(&line).judge("h.example", &ed(2)), Verdict::Changed(_)), "{line}");
            let stranger = hosts(&line).judge("stranger", &ed(1));
            assert_eq!(stranger == Verdict::Unknown { others: vec![] }, !line.starts_with("*,"), "{line}");
            let other = hosts(&line).judge("other.example", &ed(1));
            assert_eq!(other == Verdict::Unknown { others: vec![] }, !line.starts_with("*."), "{line}");
        }
        for line in [
            format!("*.example,!h.example {k}"),
            format!("@marker h.example {k}"),
            format!("h.example ssh-rsa {}", STANDARD.encode(ed(1))),
            format!("@cert-authority h.example {k}"),
            format!("[h.example]:2222 {k}"),
            "h.example".to_owned(),
        ] {
            assert_eq!(hosts(&line).judge("h.example", &ed(1)), Verdict::Unknown { others: vec![] }, "{line}");
        }
        let line = format!("[h.example]:2222 {k}");
        assert_eq!(hosts(&line).judge(&host_name("H.example", 2222), &ed(1)), Verdict::Known(at(1)));
    }

    #[test]
    fn several_keys_and_types() {
        let rsa = key("ssh-rsa", 9);
        let all = hosts(&format!("h {}\nh {}\nh {}\n", text(&ed(1)), text(&ed(2)), text(&rsa)));
        assert_eq!(all.judge("h", &ed(1)), Verdict::Known(at(1)));
        assert_eq!(all.judge("h", &ed(2)), Verdict::Known(at(2)));
        assert_eq!(all.judge("h", &ed(3)), Verdict::Changed(at(1)));
        assert_eq!(all.judge("h", &key("x", 3)), Verdict::Unknown { others: vec![at(1), at(2), at(3)] });
        assert_eq!(all.types("h"), ["ssh-ed25519", "ssh-rsa"]);
    }

    #[test]
    fn revoked_wins_and_authorities_are_found() {
        let all = hosts(&format!(
            "h {}\n@revoked * {}\n@cert-authority *.x {}\n@cert-authority *.x {}\n",
            text(&ed(1)),
            text(&ed(1)),
            text(&ed(4)),
            text(&ed(1))
        ));
        assert_eq!(all.judge("h", &ed(1)), Verdict::Revoked(at(2)));
        assert_eq!(all.judge("elsewhere", &ed(1)), Verdict::Revoked(at(2)));
        assert_eq!(all.authorities("a.x"), [ed(4)]);
        assert!(all.authorities("a.y").is_empty());
    }

    #[test]
    fn what_is_remembered_is_known_and_lines_do_not_run_together() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("new/known_hosts");
        remember(&file, "a", &ed(1), None).unwrap();
        fs::write(&file, fs::read_to_string(&file).unwrap().trim_end()).unwrap();
        remember(&file, "[b]:7", &ed(2), Some([3; 20])).unwrap();
        let all = KnownHosts::read(&[dir.path().join("none"), file.clone()]).unwrap();
        assert_eq!(all.judge("a", &ed(1)), Verdict::Known(Place { file: file.clone(), line: 1 }));
        assert_eq!(all.judge("[b]:7", &ed(2)), Verdict::Known(Place { file: file.clone(), line: 2 }));
        assert!(!fs::read_to_string(&file).unwrap().contains("[b]"));
    }

    #[test]
    fn a_file_that_cannot_be_read_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(KnownHosts::read(&[dir.path().to_owned()]).unwrap_err().file, dir.path());
    }

    /// `ssh-keygen -F` says which lines it finds for a name; ours are the same.
    #[test]
    #[expect(clippy::print_stderr, reason = "says why nothing was compared")]
    fn finds_the_lines_that_ssh_keygen_finds() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("known_hosts");
        let real = |name: &str| {
            let path = dir.path().join(name);
            let made = std::process::Command::new("ssh-keygen")
                .args(["-q", "-t", "ed25519", "-N", "", "-C", "", "-f"])
                .arg(&path)
                .status();
            match made {
                Ok(status) if status.success() => {
                    Some(fs::read_to_string(path.with_extension("pub")).unwrap().trim().to_owned())
                }
                _ => None,
            }
        };
        let Some(k) = real("key") else {
            eprintln!("ssh-keygen is not installed: nothing to compare with");
            return;
        };
        let hidden = |name: &str| format!("|1|{}|{}", STANDARD.encode([9; 20]), STANDARD.encode(hide(&[9; 20], name)));
        let patterns = [
            "a.example".to_owned(),
            "A.Example,b.example".to_owned(),
            "*.example,!b.example".to_owned(),
            "?.example".to_owned(),
            "[a.example]:2222".to_owned(),
            "[*.example]:2222".to_owned(),
            "*".to_owned(),
            "!*".to_owned(),
            "10.0.0.*,::1".to_owned(),
            "@revoked a.example".to_owned(),
            "@cert-authority *.example".to_owned(),
            "@other a.example".to_owned(),
            "\t a.example".to_owned(),
            "#a.example".to_owned(),
            hidden("a.example"),
            hidden("[b.example]:2222"),
            "|1|short".to_owned(),
        ];
        let lines: String = patterns.iter().map(|p| format!("{p} {k}\n")).collect();
        fs::write(&file, lines).unwrap();
        let ours = KnownHosts::read(std::slice::from_ref(&file)).unwrap();
        for name in
            ["a.example", "b.example", "c.example", "[a.example]:2222", "[b.example]:2222", "10.0.0.7", "::1", "x"]
        {
            let out = std::process::Command::new("ssh-keygen").args(["-F", name, "-f"]).arg(&file).output().unwrap();
            let theirs: Vec<usize> = String::from_utf8(out.stdout)
                .unwrap()
                .lines()
                .filter_map(|l| l.split_once("found: line ")?.1.split_whitespace().next()?.parse().ok())
                .collect();
            assert_eq!(ours.line_numbers(name), theirs, "{name}");
        }
        // The fingerprint is ssh-keygen's, too.
        let out = std::process::Command::new("ssh-keygen").args(["-l", "-f"]).arg(dir.path().join("key.pub")).output();
        let blob = STANDARD.decode(k.split(' ').nth(1).unwrap()).unwrap();
        assert!(String::from_utf8(out.unwrap().stdout).unwrap().contains(&fingerprint(&blob)));
    }

    proptest! {
        #[test]
        fn rubbish_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..200), name in ".{0,20}") {
            let mut all = KnownHosts::default();
            all.add(Path::new("f"), &bytes);
            drop(all.judge(&name, &bytes));
            prop_assert!(key_type(&bytes).is_none_or(|name| name.len() <= bytes.len()));
        }

        #[test]
        fn lines_of_rubbish_words_never_panic(line in "[ \t@|*!,a-z=+/#1]{0,40}", name in "[a-z]{0,3}") {
            drop(hosts(&line).judge(&name, &[]));
        }

        #[test]
        fn globs_fit_as_they_should(text in "[ab]{0,8}", cut in 0usize..8) {
            let cut = cut.min(text.len());
            let pattern = format!("{}*{}", &text[..cut], &text[cut..]);
            prop_assert!(glob(&pattern, &text));
            prop_assert!(glob("*", &text));
            prop_assert_eq!(glob("*b", &text), text.ends_with('b'));
        }
    }
}
