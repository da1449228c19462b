//! The root secret and its 24 words (FORMAT.md, chapter 2).

use ed25519_dalek::SigningKey;
use zeroize::Zeroizing;

use crate::door::{Chance, random};
use crate::error::{KeyError, Result};
use crate::id::KeyCheck;

use super::kek::Kek;
use super::secret::{Key, first};

/// Number of recovery words.
pub const WORDS: usize = 24;

/// What everything else of an account is derived from. Whoever has it has the account.
#[derive(Clone, Debug)]
pub struct RootSecret(Key);

impl RootSecret {
    /// A new one.
    #[must_use]
    pub fn generate(chance: &dyn Chance) -> Self {
        Self(Key::new(random(chance)))
    }

    /// The root secret in a slice of exactly 32 bytes.
    #[must_use]
    pub fn from_slice(bytes: &[u8]) -> Option<Self> {
        Key::from_slice(bytes).map(Self)
    }

    /// Its bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8; 32] {
        self.0.bytes()
    }

    /// It as 24 words of the English BIP-39 list, with a blank between two.
    pub fn words(&self) -> Result<Zeroizing<String>> {
        // Room for the longest words, so that no shorter copy stays behind when the text grows.
        let mut text = Zeroizing::new(String::with_capacity(WORDS * 9));
        let words = bip39::Mnemonic::from_entropy(self.bytes()).map_err(|_| KeyError::Words)?;
        for word in words.words() {
            if !text.is_empty() {
                text.push(' ');
            }
            text.push_str(word);
        }
        Ok(text)
    }

    /// The root secret of 24 words, in any case and with any blanks between, before and after them. They may stand on their
    /// sheet: with numbers before them, and with the line that says whose they are.
    pub fn from_words(text: &str) -> Result<Self> {
        let lower = only_words(text);
        if lower.split_whitespace().count() != WORDS {
            return Err(KeyError::Words.into());
        }
        let words =
            bip39::Mnemonic::parse_in_normalized(bip39::Language::English, &lower).map_err(|_| KeyError::Words)?;
        let entropy = Zeroizing::new(words.to_entropy());
        Ok(Self::from_slice(&entropy).ok_or(KeyError::Words)?)
    }

    /// What is wrong with words that [`from_words`](Self::from_words) does not take.
    #[must_use]
    pub fn wrong_words(text: &str) -> WrongWords {
        let lower = only_words(text);
        let count = lower.split_whitespace().count();
        if count != WORDS {
            return WrongWords::Count(count);
        }
        let english = bip39::Language::English;
        let unknown = (1..).zip(lower.split_whitespace()).find(|(_, word)| english.find_word(word).is_none());
        match unknown {
            None => WrongWords::Sum,
            Some((place, word)) => WrongWords::Unknown { place, near: near(word, english.word_list()) },
        }
    }

    /// Tells this secret from others before any work, and nothing about it.
    #[must_use]
    pub fn key_check(&self) -> KeyCheck {
        KeyCheck::new(first(self.derive("key-check value").bytes()))
    }

    /// Public half of the key that certifies devices.
    #[must_use]
    pub fn identity_public(&self) -> [u8; 32] {
        self.identity().verifying_key().to_bytes()
    }

    /// The key that seals the keyring.
    #[must_use]
    pub fn kek(&self) -> Kek {
        Kek::new(self.derive("key-encryption key"))
    }

    pub(super) fn identity(&self) -> SigningKey {
        SigningKey::from_bytes(self.derive("identity key").bytes())
    }

    pub(super) fn derive(&self, words: &str) -> Key {
        self.0.derive(words)
    }
}

/// The words of a sheet in lower case, a blank between two.
fn only_words(text: &str) -> Zeroizing<String> {
    let is_number = |word: &str| {
        let digits = word.trim_end_matches(['.', ':', ')']);
        !digits.is_empty() && digits.len() <= 2 && digits.bytes().all(|byte| byte.is_ascii_digit())
    };
    let words = |line: &'_ str| line.split_whitespace().filter(|word| !is_number(word)).count();
    let is_owner = |line: &&str| line.trim_start().starts_with("ACCOUNT ");
    // "account" is a word of the list, too: the line goes only where all words are there without it.
    let without: usize = text.lines().filter(|line| !is_owner(line)).map(words).sum();
    let lines = text.lines().filter(|line| without != WORDS || !is_owner(line));
    // Room for all of it, so that no shorter copy stays behind when the text grows.
    let mut out = Zeroizing::new(String::with_capacity(text.len() + 1));
    for word in lines.flat_map(str::split_whitespace).filter(|word| !is_number(word)) {
        if !out.is_empty() {
            out.push(' ');
        }
        out.push_str(word);
    }
    out.make_ascii_lowercase();
    out
}

/// Why words are not the recovery words of anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WrongWords {
    /// There are so many, and not 24.
    Count(usize),
    /// The word at this place, from 1, is not of the list; the word of the list that was probably meant.
    Unknown {
        /// Its place.
        place: usize,
        /// Of the list.
        near: Option<&'static str>,
    },
    /// Each is of the list, and the check sum in them is another one.
    Sum,
}

/// The one word of the list that begins with the same four letters, by which all of them differ, or is one letter away:
/// another one, one too many, one too few, or two swapped.
fn near(word: &str, list: &'static [&'static str]) -> Option<&'static str> {
    let four = word.get(..4);
    let same = list.iter().find(|one| four.is_some() && one.get(..4) == four);
    let mut one_away = list.iter().filter(|one| one_apart(word.as_bytes(), one.as_bytes()));
    let only = || one_away.next().filter(|_| one_away.next().is_none());
    same.or_else(only).copied()
}

fn one_apart(a: &[u8], b: &[u8]) -> bool {
    let (long, short) = if a.len() < b.len() { (b, a) } else { (a, b) };
    let begin = long.iter().zip(short).take_while(|(a, b)| a == b).count();
    let (Some(long), Some(short)) = (long.get(begin..), short.get(begin..)) else { return false };
    match (long, short) {
        ([_, long @ ..], short) if long == short => true,
        ([_, long @ ..], [_, short @ ..]) if long == short => true,
        ([one, two, long @ ..], [other, another, short @ ..]) => one == another && two == other && long == short,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::door::ConstantChance;
    use crate::error::Error;

    #[test]
    fn a_sheet_is_read_as_it_was_printed() {
        let root = RootSecret::generate(&ConstantChance::new(1));
        let words = root.words().unwrap();
        let cells: Vec<String> = (1..).zip(words.split(' ')).map(|(n, word)| format!("{n:>2} {word:<10}")).collect();
        let rows: Vec<String> = cells.chunks(6).map(|six| six.join(" ")).collect();
        let sheet = format!("{}\nACCOUNT laptop-ana  VAULT /srv/my vault 7\n", rows.join("\n"));
        let listed: String = (1..).zip(words.split(' ')).map(|(n, word)| format!("{n}. {word}\n")).collect();
        for text in [&sheet, &listed] {
            assert_eq!(RootSecret::from_words(text).unwrap().bytes(), root.bytes(), "{text}");
        }
        // A word too few is told as that, whoever's they are.
        let short = sheet.replacen(words.split(' ').next().unwrap(), "", 1);
        assert!(matches!(RootSecret::wrong_words(&short), WrongWords::Count(_)));
        // The list has the word "account", too, and whoever types in capitals may begin a line with it.
        let mut bytes = [0_u8; 32];
        bytes[0] = 1;
        bytes[1] = 0x80;
        let other = RootSecret::from_slice(&bytes).unwrap();
        let words = other.words().unwrap().to_uppercase();
        let (first, rest) = words.split_once(' ').unwrap();
        assert_eq!(first, "ACCOUNT");
        assert_eq!(
            RootSecret::from_words(&format!("{first} {}", rest.replacen(' ', "\n", 1))).unwrap().bytes(),
            other.bytes()
        );
    }

    #[test]
    fn words_go_there_and_back_in_any_case_and_spacing() {
        let root = RootSecret::generate(&ConstantChance::new(1));
        let words = root.words().unwrap();
        assert_eq!(words.split(' ').count(), 24);
        let spread = format!("  {}\n", words.to_uppercase().replace(' ', " \t\n "));
        for text in [words.as_str(), &spread] {
            assert_eq!(RootSecret::from_words(text).unwrap().bytes(), root.bytes());
        }
    }

    #[test]
    fn words_of_the_standard() {
        let zero = RootSecret::from_slice(&[0; 32]).unwrap();
        let words = format!("{}art", "abandon ".repeat(23));
        assert_eq!(*zero.words().unwrap(), words);
        assert_eq!(zero.words().unwrap().capacity(), WORDS * 9, "the text must not have moved while it grew");
    }

    #[test]
    fn wrong_words_are_refused() {
        let twelve = format!("{}about", "abandon ".repeat(11));
        let bad_sum = "abandon ".repeat(24);
        let unknown = format!("{}tuckbox", "abandon ".repeat(23));
        for text in ["", twelve.as_str(), &bad_sum, &unknown] {
            assert!(matches!(RootSecret::from_words(text), Err(Error::Key(KeyError::Words))), "{text}");
        }
    }

    #[test]
    fn wrong_words_are_told_apart() {
        let with = |last: &str| RootSecret::wrong_words(&format!("{}{last}", "abandon ".repeat(23)));
        let meant = |near| WrongWords::Unknown { place: 24, near: Some(near) };
        assert_eq!(RootSecret::wrong_words("one two three"), WrongWords::Count(3));
        assert_eq!(with(""), WrongWords::Count(23));
        assert_eq!(with("abandon"), WrongWords::Sum);
        for typed in ["girafe", "giraffee", "GIRAFF", "igraffe", "gisaffe", "giraffe's"] {
            assert_eq!(with(typed), meant("giraffe"), "{typed}");
        }
        for typed in ["tuckbox", "x", "é", "zzzzzz"] {
            assert_eq!(with(typed), WrongWords::Unknown { place: 24, near: None }, "{typed}");
        }
        let first = RootSecret::wrong_words(&format!("qwert {}qwert", "abandon ".repeat(22)));
        assert_eq!(first, WrongWords::Unknown { place: 1, near: None });
    }

    #[test]
    fn debug_shows_nothing() {
        let root = RootSecret::from_slice(&[0xaa; 32]).unwrap();
        assert_eq!(format!("{root:?}"), "RootSecret(Key)");
    }
}
