//! A pin that is kept where neither the server nor a thief of this machine can change it: on paper, or in a file in a
//! second place. A vault may show more than it says, never less and nothing else.
//!
//! The state directory holds the pin that every run compares with; it is lost with the machine. What is here lives on.

use std::fmt;
use std::path::{Path, PathBuf};

use serde::{Serialize, Serializer};
use store::chain::{Head, ReceivedLink};
use store::id::{AccountId, ChainHash, VaultId};

use super::state::{StateDir, write_private};
use crate::fault::{Code, Fault, Result};
use crate::name::for_terminal;

/// Bytes of the chain hash in a pin: another history with the same ones is out of reach for who can choose receipts
/// (2^80 attempts), and 160 bits can be typed.
const HASH_BYTES: usize = 20;
/// Digits between two dashes.
const GROUP_DIGITS: usize = 8;
/// Largest file of pins that is read: some thousand accounts.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// What a file of pins begins with.
const HEADING: &str = "# tuckbox: vault, account, pin (the newest link that was seen). Kept by `pin_file`.\n";

/// The place of a link in a chain, short enough for paper: `12-3f9c02ab-…-c0de`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pin {
    /// Number of the link.
    pub sequence: u64,
    hash: [u8; HASH_BYTES],
}

impl Pin {
    /// The pin of the newest link.
    #[must_use]
    pub fn of(head: Head) -> Self {
        let mut hash = [0; HASH_BYTES];
        for (to, from) in hash.iter_mut().zip(head.chain.bytes()) {
            *to = *from;
        }
        Self { sequence: head.sequence, hash }
    }

    /// A pin from its text, however it is spaced. What was copied wrongly is told apart from another history: the last
    /// four digits are a sum of the others.
    ///
    /// # Errors
    /// One sentence.
    pub fn parse(text: &str) -> Result<Self, String> {
        let clean: String = text.trim().chars().filter(|c| !c.is_whitespace()).collect();
        let Some((sequence, digits)) = clean.split_once('-') else {
            return Err("a pin is a number, a dash, and 44 digits 0-9 and a-f".to_owned());
        };
        let digits: String = digits.chars().filter(|c| *c != '-').map(|c| c.to_ascii_lowercase()).collect();
        let number = sequence.parse::<u64>().ok().filter(|n| *n > 0 && n.to_string() == sequence);
        let (Some(sequence), Some((hash, sum))) = (number, digits.split_at_checked(HASH_BYTES * 2)) else {
            return Err("a pin is a number, a dash, and 44 digits 0-9 and a-f".to_owned());
        };
        // An id of 32 bytes reads the digits; the rest of it is zeros here.
        let padded = format!("{hash:0<64}");
        let hash = ChainHash::from_hex(&padded).ok_or("a pin has digits 0-9 and a-f only")?;
        let pin = Self::of(Head { sequence, chain: hash, marker: 0 });
        if pin.sum() != sum {
            return Err("it was not copied rightly: its last four digits do not fit the others".to_owned());
        }
        Ok(pin)
    }

    fn digits(&self) -> String {
        self.hash.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    fn sum(&self) -> String {
        let sum = blake3::hash(format!("{}-{}", self.sequence, self.digits()).as_bytes());
        sum.to_hex().chars().take(4).collect()
    }

    /// What is wrong with these links of a chain, from the first one, when this pin was once seen of it.
    #[must_use]
    pub fn against(&self, links: &[ReceivedLink], place: &str) -> Option<Fault> {
        let newest = links.last().map_or(0, |link| link.link().sequence);
        let accept = format!("to take it as it is: tuckbox check --accept-history {newest}");
        if newest < self.sequence {
            return Some(
                Fault::new(
                    Code::HistoryBehind,
                    format!(
                        "the vault is behind: {place} names version {}, the vault's newest is {newest}",
                        self.sequence
                    ),
                )
                .hint(format!("use the vault that is ahead, or ask the server's administrator; {accept}")),
            );
        }
        let at = usize::try_from(self.sequence).ok().and_then(|sequence| links.get(sequence.checked_sub(1)?));
        let same = at.is_some_and(|link| {
            Self::of(Head { sequence: self.sequence, chain: link.chain_hash(), marker: 0 }).hash == self.hash
        });
        (!same).then(|| {
            Fault::new(
                Code::HistoryFork,
                format!("the vault shows another history: its link {} is not the one of {place}", self.sequence),
            )
            .hint(format!("ask the server's administrator; {accept}"))
        })
    }
}

impl fmt::Display for Pin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.sequence)?;
        for (at, digit) in self.digits().chars().enumerate() {
            if at % GROUP_DIGITS == 0 {
                f.write_str("-")?;
            }
            write!(f, "{digit}")?;
        }
        write!(f, "-{}", self.sum())
    }
}

impl Serialize for Pin {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// What was seen of an account in another vault, or in what said to be one. It holds here, too: a history goes on from vault
/// to vault, and never back.
#[derive(Clone, Debug)]
pub struct Elsewhere {
    /// The other vault.
    pub vault: VaultId,
    pin: Pin,
    place: String,
}

impl Elsewhere {
    /// All that this machine knows of an account from other vaults.
    pub fn of(state: &StateDir, file: Option<&PinFile>, vault: VaultId, account: AccountId) -> Vec<Self> {
        let seen = state.seen_elsewhere(vault, account).into_iter().map(|(vault, head)| Self {
            vault,
            pin: Pin::of(head),
            place: "what this machine saw in another vault".to_owned(),
        });
        let kept = file.into_iter().flat_map(|file| {
            let place = format!("{} of another vault", file.name());
            file.others().into_iter().map(move |(vault, pin)| Self { vault, pin, place: place.clone() })
        });
        let mut all: Vec<Self> = seen.chain(kept).collect();
        all.sort_by_key(|one| std::cmp::Reverse(one.pin.sequence));
        all
    }

    /// What is wrong with these links of a chain, from the first one, when this was seen of it.
    #[must_use]
    pub fn against(&self, links: &[ReceivedLink]) -> Option<Fault> {
        self.pin.against(links, &self.place)
    }
}

/// The second place: a file with a line for each account of each vault. Other accounts' lines stay as they are.
#[derive(Clone, Debug)]
pub struct PinFile {
    path: PathBuf,
    /// How the lines of this account begin.
    whose: String,
    vault: VaultId,
    account: AccountId,
}

impl PinFile {
    /// The line of this account in a file, which need not exist yet.
    #[must_use]
    pub fn new(path: PathBuf, vault: VaultId, account: AccountId) -> Self {
        Self { path, whose: format!("{} {} ", vault.hex(), account.hex()), vault, account }
    }

    /// What to call it.
    #[must_use]
    pub fn name(&self) -> String {
        format!("the pin in {}", for_terminal(self.path.as_os_str().as_encoded_bytes()))
    }

    /// The pin that it holds for this account.
    pub fn read(&self) -> Result<Option<Pin>> {
        let text = self.text()?;
        let Some(line) = text.lines().find_map(|line| line.strip_prefix(&self.whose)) else { return Ok(None) };
        Pin::parse(line).map(Some).map_err(|why| {
            Fault::new(Code::System, format!("{} cannot be understood", self.name()))
                .because(why)
                .hint("correct the line, or remove it: it is written again")
        })
    }

    /// The pins that it holds for this account in other vaults; what cannot be read says nothing.
    fn others(&self) -> Vec<(VaultId, Pin)> {
        let account = self.account.hex();
        let line = |line: &str| {
            let (vault, rest) = line.split_once(' ')?;
            let pin = rest.strip_prefix(&account)?.strip_prefix(' ')?;
            Some((VaultId::from_hex(vault)?, Pin::parse(pin).ok()?))
        };
        let text = self.text().unwrap_or_default();
        text.lines().filter_map(line).filter(|(vault, _)| *vault != self.vault).collect()
    }

    /// Puts this account's pin in the place of the one that is there, durably.
    pub fn write(&self, pin: Pin) -> Result<()> {
        let before = self.text()?;
        let mut text = String::from(HEADING);
        for line in before.lines().filter(|line| !line.starts_with('#') && !line.starts_with(&self.whose)) {
            text.push_str(line);
            text.push('\n');
        }
        text.push_str(&format!("{}{pin}\n", self.whose));
        write_private(&self.path, text.as_bytes())
    }

    fn text(&self) -> Result<String> {
        match read_bounded(&self.path) {
            Ok(text) => Ok(text),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(String::new()),
            Err(error) => Err(Fault::new(Code::System, format!("cannot read {}", self.name()))
                .because(error)
                .hint("see that the place is there (mounted?), or remove pin_file from the configuration")),
        }
    }
}

fn read_bounded(path: &Path) -> std::io::Result<String> {
    use std::io::Read;
    let mut text = String::new();
    let file = std::fs::File::open(path)?;
    if !file.metadata()?.is_file() {
        return Err(std::io::Error::new(std::io::ErrorKind::InvalidInput, "it is not a file"));
    }
    file.take(FILE_BYTES_MAX + 1).read_to_string(&mut text)?;
    if text.len() as u64 > FILE_BYTES_MAX {
        return Err(std::io::Error::new(std::io::ErrorKind::InvalidData, "it is longer than 1 MiB"));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pin(sequence: u64) -> Pin {
        Pin::of(Head { sequence, chain: ChainHash::new([0xab; 32]), marker: 1 })
    }

    #[test]
    fn goes_to_paper_and_back() {
        let text = pin(12).to_string();
        assert_eq!(text, "12-abababab-abababab-abababab-abababab-abababab-0a42");
        assert_eq!(Pin::parse(&text), Ok(pin(12)));
        assert_eq!(Pin::parse(&format!("  {} ", text.to_uppercase().replace('-', " - "))), Ok(pin(12)));
        assert_eq!(Pin::parse(&text.replacen('-', "_", 9).replacen('_', "-", 1).replace('_', "")), Ok(pin(12)));
    }

    #[test]
    fn what_was_copied_wrongly_is_not_another_history() {
        let text = pin(12).to_string();
        for wrong in [
            text.replacen('a', "b", 1),
            text.replacen("12", "13", 1),
            text.replacen("12", "012", 1),
            text.replacen("abab", "baab", 1),
            text[..text.len() - 1].to_owned(),
            format!("{text}0"),
            text.replacen('a', "é", 1),
            "12".to_owned(),
            "-".to_owned(),
            String::new(),
        ] {
            assert!(Pin::parse(&wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn each_account_has_its_line() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("usb/pins");
        let file = |vault: u8, account: u8| {
            PinFile::new(path.clone(), VaultId::new([vault; 16]), AccountId::new([account; 16]))
        };
        let all = [(1, 1), (1, 2), (2, 1)];
        assert_eq!(file(1, 1).read().unwrap(), None);
        for round in 1..3 {
            for (n, (vault, account)) in (1..).zip(all) {
                file(vault, account).write(pin(10 * round + n)).unwrap();
            }
            for (n, (vault, account)) in (1..).zip(all) {
                assert_eq!(file(vault, account).read().unwrap(), Some(pin(10 * round + n)));
            }
        }
        assert_eq!(std::fs::read_to_string(&path).unwrap().lines().count(), 4);
        std::fs::write(&path, format!("{} {} 12-rubbish\n", "01".repeat(16), "01".repeat(16))).unwrap();
        assert_eq!(file(1, 1).read().unwrap_err().code, Code::System);
        assert_eq!(file(1, 2).read().unwrap(), None);
        std::fs::remove_file(&path).unwrap();
        std::fs::create_dir(&path).unwrap();
        assert_eq!(file(1, 1).read().unwrap_err().code, Code::System);
    }
}
