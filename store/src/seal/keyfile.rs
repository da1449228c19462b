//! The client's key file (FORMAT.md, 7.1): JSON, with the root secret in one or more slots.

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::error::{Error, KeyError, Result};
use crate::id::{AccountId, DomainId, KeyCheck, VaultId};

use super::root::RootSecret;

pub use super::slot::{Argon, Kind, NewSlot, Slot};

/// Largest key file, in bytes.
pub const KEY_FILE_BYTES_MAX: usize = 256 << 10;
/// Most slots in a key file.
pub const SLOTS_MAX: usize = 64;

const WHAT: &str = "key file";
const FORMAT: u32 = 1;

/// Names an account in a vault and holds the ways to its root secret.
#[derive(Clone, Debug)]
pub struct KeyFile {
    /// The vault.
    pub vault: VaultId,
    /// The account's domain.
    pub domain: DomainId,
    /// The account.
    pub account: AccountId,
    /// Its name when the file was made. Not checked: make it harmless before it is shown.
    pub account_name: String,
    key_check: KeyCheck,
    slots: Vec<Slot>,
}

#[derive(Serialize, Deserialize)]
struct Text {
    tuckbox: String,
    format: u32,
    vault_id: String,
    domain_id: String,
    account_id: String,
    account: String,
    key_check: String,
    slots: Vec<Slot>,
}

impl KeyFile {
    /// A key file for this root secret, still without a slot.
    #[must_use]
    pub fn new(
        vault: VaultId,
        domain: DomainId,
        account: AccountId,
        account_name: impl Into<String>,
        root: &RootSecret,
    ) -> Self {
        let (account_name, key_check) = (account_name.into(), root.key_check());
        Self { vault, domain, account, account_name, key_check, slots: Vec::new() }
    }

    /// A key file from its text. A slot with damaged fields is kept; it is reported when it is used.
    pub fn parse(text: &str) -> Result<Self> {
        if text.len() > KEY_FILE_BYTES_MAX {
            let (found, most) = (text.len() as u64, KEY_FILE_BYTES_MAX as u64);
            return Err(Error::Limit { what: "bytes of a key file", found, most });
        }
        let text: Text = serde_json::from_str(text)
            .map_err(|_| Error::damaged(WHAT, "it is not the JSON object that it must be"))?;
        if text.tuckbox != "key" {
            return Err(Error::damaged(WHAT, "it is something else"));
        }
        if text.format != FORMAT {
            return Err(Error::Newer { what: WHAT, found: text.format });
        }
        if text.slots.len() > SLOTS_MAX {
            return Err(too_many(text.slots.len()));
        }
        let bad = || Error::damaged(WHAT, "an id in it is not hex of the right length");
        Ok(Self {
            vault: VaultId::from_hex(&text.vault_id).ok_or_else(bad)?,
            domain: DomainId::from_hex(&text.domain_id).ok_or_else(bad)?,
            account: AccountId::from_hex(&text.account_id).ok_or_else(bad)?,
            account_name: text.account,
            key_check: KeyCheck::from_hex(&text.key_check).ok_or_else(bad)?,
            slots: text.slots,
        })
    }

    /// Its text, secret, with a line end.
    pub fn print(&self) -> Result<Zeroizing<String>> {
        let text = Text {
            tuckbox: "key".into(),
            format: FORMAT,
            vault_id: self.vault.hex(),
            domain_id: self.domain.hex(),
            account_id: self.account.hex(),
            account: self.account_name.clone(),
            key_check: self.key_check.hex(),
            slots: self.slots.clone(),
        };
        // Room for all of it, so that no part of a secret stays behind in a smaller buffer.
        let room = 2_048 + self.slots.iter().map(|slot| 1_024 + 6 * slot.label().len()).sum::<usize>();
        let mut out = Zeroizing::new(Vec::with_capacity(room + 6 * self.account_name.len()));
        serde_json::to_writer_pretty(&mut *out, &text).map_err(|_| Error::damaged(WHAT, "it cannot be written"))?;
        out.push(b'\n');
        let text = String::from_utf8(std::mem::take(&mut *out));
        Ok(Zeroizing::new(text.map_err(|_| Error::damaged(WHAT, "it cannot be written"))?))
    }

    /// Tells the account's root secret from others.
    #[must_use]
    pub fn key_check(&self) -> KeyCheck {
        self.key_check
    }

    /// The ways to the root secret.
    #[must_use]
    pub fn slots(&self) -> &[Slot] {
        &self.slots
    }

    /// Whether a passphrase is needed to unlock it.
    #[must_use]
    pub fn needs_passphrase(&self) -> bool {
        self.slots.iter().all(|slot| slot.kind() != Kind::Open)
    }

    /// Adds a slot that holds the root secret itself.
    pub fn add_open(&mut self, root: &RootSecret, new: &NewSlot<'_>) -> Result<&Slot> {
        self.check(root)?;
        self.add(Slot::open(root, new))
    }

    /// Adds a slot that this passphrase opens.
    pub fn add_passphrase(
        &mut self,
        root: &RootSecret,
        passphrase: &[u8],
        argon: Argon,
        new: &NewSlot<'_>,
    ) -> Result<&Slot> {
        self.check(root)?;
        self.add(Slot::passphrase(root, self.account, passphrase, argon, new)?)
    }

    /// The root secret, by an open slot or by the first slot that this passphrase opens.
    ///
    /// [`KeyError::Passphrase`]: none opens with it, or none was given and one is needed. [`KeyError::Slot`]: a slot
    /// is damaged and no other opens. [`KeyError::OtherAccount`]: what opened is not this account's secret.
    pub fn unlock(&self, passphrase: Option<&[u8]>) -> Result<RootSecret> {
        let open_first = |kind| self.slots.iter().filter(move |slot| slot.kind() == kind);
        let mut failed = Error::Key(KeyError::Passphrase);
        for slot in open_first(Kind::Open).chain(open_first(Kind::Passphrase)) {
            match slot.unlock(self.account, passphrase) {
                Ok(root) => {
                    self.check(&root)?;
                    return Ok(root);
                }
                Err(Error::Key(KeyError::Passphrase)) => {}
                Err(other) => failed = other,
            }
        }
        Err(failed)
    }

    /// Removes a slot, but never the last one.
    pub fn remove(&mut self, id: &str) -> Result<()> {
        let at = self.position(id)?;
        if self.slots.len() == 1 {
            return Err(Error::Refused { why: "this is the only slot: without it the key file opens nothing".into() });
        }
        self.slots.remove(at);
        Ok(())
    }

    /// Puts a new slot in the place of one: passphrase changed, or, with `None`, taken away.
    pub fn change(
        &mut self,
        id: &str,
        root: &RootSecret,
        passphrase: Option<&[u8]>,
        argon: Argon,
        new: &NewSlot<'_>,
    ) -> Result<&Slot> {
        self.check(root)?;
        let at = self.position(id)?;
        let slot = match passphrase {
            Some(passphrase) => Slot::passphrase(root, self.account, passphrase, argon, new)?,
            None => Slot::open(root, new),
        };
        self.unused(&slot)?;
        let place = self.slots.get_mut(at).ok_or(KeyError::Slot)?;
        *place = slot;
        Ok(place)
    }

    fn check(&self, root: &RootSecret) -> Result<()> {
        if root.key_check() == self.key_check { Ok(()) } else { Err(KeyError::OtherAccount.into()) }
    }

    fn add(&mut self, slot: Slot) -> Result<&Slot> {
        if self.slots.len() >= SLOTS_MAX {
            return Err(too_many(self.slots.len() + 1));
        }
        self.unused(&slot)?;
        self.slots.push(slot);
        Ok(self.slots.last().ok_or(KeyError::Slot)?)
    }

    /// Chance gave an id that is there already: once in four thousand million times.
    fn unused(&self, slot: &Slot) -> Result<()> {
        match self.position(slot.id()) {
            Ok(_) => Err(Error::Taken { what: format!("slot {}", slot.id()) }),
            Err(_) => Ok(()),
        }
    }

    fn position(&self, id: &str) -> Result<usize> {
        let at = self.slots.iter().position(|slot| slot.id() == id);
        at.ok_or_else(|| Error::NotFound { what: "slot", name: id.to_owned() })
    }
}

fn too_many(found: usize) -> Error {
    Error::Limit { what: "slots of a key file", found: found as u64, most: SLOTS_MAX as u64 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::door::ConstantChance;
    use proptest::prelude::*;

    const CHEAP: Argon = Argon { m_kib: 64, t: 1, p: 1 };

    fn root() -> RootSecret {
        RootSecret::from_slice(&[9; 32]).unwrap()
    }

    fn file() -> KeyFile {
        KeyFile::new(
            VaultId::new([1; 16]),
            DomainId::new([2; 16]),
            AccountId::new([3; 16]),
            "lap\"top\u{202e}",
            &root(),
        )
    }

    fn key_error<T: std::fmt::Debug>(result: Result<T>) -> KeyError {
        match result {
            Err(Error::Key(e)) => e,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn lives_through_all_its_changes() {
        let chance = ConstantChance::new(1);
        let new = NewSlot { label: "first", created_at: 1_795_000_000_000, chance: &chance };
        let mut file = file();
        assert_eq!(key_error(file.unlock(None)), KeyError::Passphrase);
        let first = file.add_passphrase(&root(), b"one", CHEAP, &new).unwrap().id().to_owned();
        let second = file.add_passphrase(&root(), b"two", CHEAP, &new).unwrap().id().to_owned();
        assert!(file.needs_passphrase());

        let mut file = KeyFile::parse(&file.print().unwrap()).unwrap();
        assert_eq!(file.account_name, "lap\"top\u{202e}");
        for passphrase in [b"one", b"two"] {
            assert_eq!(file.unlock(Some(passphrase)).unwrap().bytes(), root().bytes());
        }
        file.remove(&second).unwrap();
        assert_eq!(key_error(file.unlock(Some(b"two"))), KeyError::Passphrase);
        assert!(matches!(file.remove(&second), Err(Error::NotFound { .. })));
        assert!(matches!(file.remove(&first), Err(Error::Refused { .. })), "the last slot stays");

        let third = file.change(&first, &root(), Some(b"three"), CHEAP, &new).unwrap().id().to_owned();
        assert_eq!(key_error(file.unlock(Some(b"one"))), KeyError::Passphrase);
        file.unlock(Some(b"three")).unwrap();
        file.change(&third, &root(), None, CHEAP, &new).unwrap();
        assert!(!file.needs_passphrase());
        file.unlock(None).unwrap();
        assert_eq!(file.slots().len(), 1);
    }

    #[test]
    fn another_accounts_secret_is_refused() {
        let other = RootSecret::from_slice(&[8; 32]).unwrap();
        let chance = ConstantChance::new(1);
        let new = NewSlot { label: "", created_at: 0, chance: &chance };
        assert_eq!(key_error(file().add_open(&other, &new).map(|_| ())), KeyError::OtherAccount);
        let mut file = file();
        file.slots.push(Slot::open(&other, &new));
        assert_eq!(key_error(file.unlock(None)), KeyError::OtherAccount);
    }

    #[test]
    fn a_damaged_slot_does_not_hide_a_good_one() {
        let chance = ConstantChance::new(1);
        let new = NewSlot { label: "", created_at: 0, chance: &chance };
        let mut file = file();
        file.add_passphrase(&root(), b"one", CHEAP, &new).unwrap();
        let text = file.print().unwrap();
        let (before, after) = text.split_once("\"sealed\": \"").unwrap();
        let bad = format!("{before}\"sealed\": \"!{after}");
        let mut bad = KeyFile::parse(&bad).unwrap();
        assert_eq!(key_error(bad.unlock(Some(b"one"))), KeyError::Slot);
        bad.add_passphrase(&root(), b"one", CHEAP, &new).unwrap();
        bad.unlock(Some(b"one")).unwrap();
        assert_eq!(key_error(bad.unlock(Some(b"two"))), KeyError::Slot);
    }

    #[test]
    fn other_files_are_told_apart() {
        let text = file().print().unwrap();
        assert!(matches!(KeyFile::parse(&text.replace("\"format\": 1", "\"format\": 2")), Err(Error::Newer { .. })));
        assert!(KeyFile::parse(&text.replace("\"key\"", "\"vault\"")).is_err());
        assert!(KeyFile::parse(&text.replace("0101", "01")).is_err());
        assert!(matches!(KeyFile::parse(&" ".repeat(KEY_FILE_BYTES_MAX + 1)), Err(Error::Limit { .. })));
    }

    #[test]
    fn printing_never_moves_the_secret() {
        let mut file = file();
        file.account_name = "\u{1}".repeat(255);
        let label = "\u{1}".repeat(300);
        let chance = ConstantChance::new(1);
        for _ in 0..SLOTS_MAX {
            file.add_open(&root(), &NewSlot { label: &label, created_at: i64::MIN, chance: &chance }).unwrap();
        }
        let room = 2_048 + SLOTS_MAX * (1_024 + 6 * label.len()) + 6 * 255;
        assert_eq!(file.print().unwrap().capacity(), room);
        assert!(file.add_open(&root(), &NewSlot { label: "", created_at: 0, chance: &chance }).is_err());
    }

    proptest! {
        #[test]
        fn rubbish_never_panics(text: String) {
            prop_assert!(KeyFile::parse(&text).is_err());
        }
    }
}
