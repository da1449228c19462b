//! Slots: ways to the root secret, as they stand in a key file or, with a passphrase, in a vault
//! (FORMAT.md, 7.1).

use argon2::{Algorithm, Argon2, Block, Params, Version};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use zeroize::{Zeroize, Zeroizing};

use crate::door::{Chance, random};
use crate::error::{Error, KeyError, Result};
use crate::id::{AccountId, hex};

use super::cipher::{NONCE_BYTES, SealKey, TAG_BYTES};
use super::root::RootSecret;
use super::secret::{CONTEXT, Key};

/// Largest slot as JSON text, in bytes.
pub const SLOT_JSON_BYTES_MAX: usize = 4_096;

const KDF: &str = "argon2id";
const SALT_BYTES: usize = 32;

/// How much work a guess of a passphrase costs: Argon2id's parameters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Argon {
    /// Memory in KiB; at least 8 times `p`, at most 4 GiB.
    pub m_kib: u32,
    /// Passes, 1 to 16.
    pub t: u32,
    /// Lanes, 1 to 16.
    pub p: u32,
}

impl Argon {
    /// A hostile slot must not exhaust the client's memory or time.
    const MOST: Self = Self { m_kib: 4 << 20, t: 16, p: 16 };
    /// Memory that a slot from a vault may ask for, in KiB: its server chose it, and may have chosen many.
    const VAULT_KIB_MAX: u32 = 1 << 20;

    /// Wrapping key and commitment of a passphrase.
    fn stretch(self, passphrase: &[u8], salt: &[u8; SALT_BYTES]) -> Result<(Key, [u8; 32])> {
        for (what, found, most) in [
            ("memory of a passphrase slot, in KiB", self.m_kib, Self::MOST.m_kib),
            ("passes of a passphrase slot", self.t, Self::MOST.t),
            ("lanes of a passphrase slot", self.p, Self::MOST.p),
        ] {
            if found > most {
                return Err(Error::Limit { what, found: found.into(), most: most.into() });
            }
        }
        let params = Params::new(self.m_kib, self.t, self.p, Some(64)).map_err(|_| KeyError::Slot)?;
        let mut memory: Vec<Block> = Vec::new();
        memory.try_reserve_exact(params.block_count()).map_err(|_| Error::Refused {
            why: format!("the passphrase slot needs {} KiB of memory, and there is not so much", self.m_kib),
        })?;
        memory.resize(params.block_count(), Block::default());
        let mut out = Zeroizing::new([0; 64]);
        let argon = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        let done = argon.hash_password_into_with_memory(passphrase, salt, out.as_mut_slice(), &mut memory);
        memory.zeroize();
        done.map_err(|_| KeyError::Slot)?;
        let (key, commitment) = out.split_at(32);
        let key = Key::from_slice(key).ok_or(KeyError::Slot)?;
        Ok((key, commitment.try_into().map_err(|_| KeyError::Slot)?))
    }
}

impl Default for Argon {
    /// 64 MiB, 3 passes, 4 lanes: the second choice of RFC 9106.
    fn default() -> Self {
        Self { m_kib: 64 << 10, t: 3, p: 4 }
    }
}

/// What every new slot is given.
#[derive(Clone, Copy)]
pub struct NewSlot<'a> {
    /// For people, to tell slots apart.
    pub label: &'a str,
    /// Milliseconds since 1970.
    pub created_at: i64,
    /// For its id and its salt.
    pub chance: &'a dyn Chance,
}

impl std::fmt::Debug for NewSlot<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "NewSlot({:?})", self.label)
    }
}

/// What kind of slot it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// The secret itself: whoever reads the file has it.
    Open,
    /// Opened by a passphrase.
    Passphrase,
}

/// One way to the root secret. Binary fields are kept as the text that was read, so that a damaged slot harms no
/// other; what is not of its kind is absent.
#[derive(Clone, Serialize, Deserialize)]
pub struct Slot {
    id: String,
    kind: Kind,
    label: String,
    created_at: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    secret: Option<SecretText>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    kdf: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    m_kib: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    t: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    p: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    salt: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    commitment: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    nonce: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sealed: Option<String>,
}

impl Slot {
    /// A slot that holds the secret itself.
    #[must_use]
    pub fn open(root: &RootSecret, new: &NewSlot<'_>) -> Self {
        let mut text = Zeroizing::new(String::with_capacity(48));
        STANDARD.encode_string(root.bytes(), &mut text);
        Self {
            id: hex(&random::<4>(new.chance)),
            kind: Kind::Open,
            label: new.label.to_owned(),
            created_at: new.created_at,
            secret: Some(SecretText(text)),
            kdf: None,
            m_kib: None,
            t: None,
            p: None,
            salt: None,
            commitment: None,
            nonce: None,
            sealed: None,
        }
    }

    /// A slot that this passphrase opens. Takes as long as `argon` says.
    pub fn passphrase(
        root: &RootSecret,
        account: AccountId,
        passphrase: &[u8],
        argon: Argon,
        new: &NewSlot<'_>,
    ) -> Result<Self> {
        if passphrase.is_empty() {
            return Err(Error::Refused { why: "an empty passphrase protects nothing".into() });
        }
        let salt = random(new.chance);
        let (key, commitment) = argon.stretch(passphrase, &salt)?;
        let mut body = Vec::with_capacity(32 + TAG_BYTES);
        body.extend_from_slice(root.bytes());
        let nonce = SealKey::new(key).seal(&associated(account), &mut body, new.chance)?;
        let text = |bytes: &[u8]| Some(STANDARD.encode(bytes));
        Ok(Self {
            id: hex(&random::<4>(new.chance)),
            kind: Kind::Passphrase,
            label: new.label.to_owned(),
            created_at: new.created_at,
            secret: None,
            kdf: Some(KDF.into()),
            m_kib: Some(argon.m_kib),
            t: Some(argon.t),
            p: Some(argon.p),
            salt: text(&salt),
            commitment: text(&commitment),
            nonce: text(&nonce),
            sealed: text(&body),
        })
    }

    /// The root secret. An open slot needs no passphrase; without one, a passphrase slot gives
    /// [`KeyError::Passphrase`], as it does for a wrong one. [`KeyError::Slot`] says that the slot is damaged.
    pub fn unlock(&self, account: AccountId, passphrase: Option<&[u8]>) -> Result<RootSecret> {
        match (self.kind, passphrase) {
            (Kind::Open, _) => {
                let text = self.secret.as_ref().ok_or(KeyError::Slot)?;
                let secret = Zeroizing::new(binary::<32>(Some(&text.0))?);
                Ok(RootSecret::from_slice(secret.as_slice()).ok_or(KeyError::Slot)?)
            }
            (Kind::Passphrase, None) => Err(KeyError::Passphrase.into()),
            (Kind::Passphrase, Some(passphrase)) => self.unwrap_with(account, passphrase),
        }
    }

    fn unwrap_with(&self, account: AccountId, passphrase: &[u8]) -> Result<RootSecret> {
        if self.kdf.as_deref() != Some(KDF) {
            return Err(KeyError::Slot.into());
        }
        let (m_kib, t, p) =
            self.m_kib.zip(self.t).zip(self.p).map(|((m_kib, t), p)| (m_kib, t, p)).ok_or(KeyError::Slot)?;
        let salt = binary(self.salt.as_deref())?;
        let expected = binary::<32>(self.commitment.as_deref())?;
        let nonce = binary::<NONCE_BYTES>(self.nonce.as_deref())?;
        let mut sealed = Zeroizing::new(binary::<{ 32 + TAG_BYTES }>(self.sealed.as_deref())?);
        let (key, commitment) = Argon { m_kib, t, p }.stretch(passphrase, &salt)?;
        // Before opening: a seal alone could be made to open with several passphrases. Hashes compare in constant
        // time.
        if blake3::Hash::from_bytes(commitment) != blake3::Hash::from_bytes(expected) {
            return Err(KeyError::Passphrase.into());
        }
        let opened = SealKey::new(key).open(&associated(account), &nonce, sealed.as_mut_slice());
        Ok(opened.ok().and_then(|secret| RootSecret::from_slice(secret)).ok_or(KeyError::Slot)?)
    }

    /// 8 hex digits.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// What kind of slot it is.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// What a guess of its passphrase costs; `None` for an open slot and for one whose numbers are missing.
    #[must_use]
    pub fn cost(&self) -> Option<Argon> {
        Some(Argon { m_kib: self.m_kib?, t: self.t?, p: self.p? })
    }

    /// For people, to tell slots apart. Not checked: make it harmless before it is shown.
    #[must_use]
    pub fn label(&self) -> &str {
        &self.label
    }

    /// Milliseconds since 1970.
    #[must_use]
    pub fn created_at(&self) -> i64 {
        self.created_at
    }

    /// JSON text for a vault. An open slot is refused: it would give the secret to the server.
    pub fn to_json(&self) -> Result<String> {
        if self.kind != Kind::Passphrase {
            return Err(Error::Refused { why: "only a passphrase slot may be kept in a vault".into() });
        }
        serde_json::to_string(self).map_err(|_| KeyError::Slot.into())
    }

    /// A slot that a vault kept: of kind passphrase, at most [`SLOT_JSON_BYTES_MAX`] long, and of at most 1 GiB.
    pub fn from_json(text: &str) -> Result<Self> {
        let slot = Some(text).filter(|text| text.len() <= SLOT_JSON_BYTES_MAX);
        let slot = slot.and_then(|text| serde_json::from_str::<Self>(text).ok());
        let modest = |slot: &Self| slot.m_kib.is_none_or(|m_kib| m_kib <= Argon::VAULT_KIB_MAX);
        Ok(slot.filter(|slot| slot.kind == Kind::Passphrase && modest(slot)).ok_or(KeyError::Slot)?)
    }
}

impl std::fmt::Debug for Slot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Slot({}, {:?})", self.id, self.kind)
    }
}

/// Base64 of a secret.
#[derive(Clone)]
struct SecretText(Zeroizing<String>);

impl Serialize for SecretText {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for SecretText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        String::deserialize(deserializer).map(|text| Self(Zeroizing::new(text)))
    }
}

/// The `N` bytes of a base64 field.
fn binary<const N: usize>(text: Option<&str>) -> Result<[u8; N]> {
    // More room than any field needs: what is too long must not be cut, it must be refused.
    let mut out = Zeroizing::new([0; 96]);
    let len = STANDARD.decode_slice(text.ok_or(KeyError::Slot)?, out.as_mut_slice()).map_err(|_| KeyError::Slot)?;
    let bytes = out.get(..len).and_then(|bytes| bytes.try_into().ok());
    Ok(bytes.ok_or(KeyError::Slot)?)
}

fn associated(account: AccountId) -> Vec<u8> {
    [CONTEXT.as_bytes(), b"slot", account.bytes()].concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::door::ConstantChance;
    use proptest::prelude::*;

    const CHEAP: Argon = Argon { m_kib: 64, t: 1, p: 2 };
    const ACCOUNT: AccountId = AccountId::new([5; 16]);

    fn root() -> RootSecret {
        RootSecret::from_slice(&[9; 32]).unwrap()
    }

    fn slot(passphrase: &[u8]) -> Slot {
        let new = NewSlot { label: "laptop", created_at: 1, chance: &ConstantChance::new(1) };
        Slot::passphrase(&root(), ACCOUNT, passphrase, CHEAP, &new).unwrap()
    }

    fn error(result: Result<RootSecret>) -> KeyError {
        match result {
            Err(Error::Key(e)) => e,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn opens_with_its_passphrase_only() {
        let slot = Slot::from_json(&slot(b"correct horse").to_json().unwrap()).unwrap();
        assert_eq!(slot.unlock(ACCOUNT, Some(b"correct horse")).unwrap().bytes(), root().bytes());
        assert_eq!(error(slot.unlock(ACCOUNT, Some(b"wrong"))), KeyError::Passphrase);
        assert_eq!(error(slot.unlock(ACCOUNT, None)), KeyError::Passphrase);
        let other = AccountId::new([6; 16]);
        assert_eq!(error(slot.unlock(other, Some(b"correct horse"))), KeyError::Slot);
    }

    #[test]
    fn a_damaged_field_is_said() {
        let good = slot(b"p");
        let spoil: [fn(&mut Slot); 8] = [
            |s| s.sealed = Some(STANDARD.encode([0; 48])),
            |s| s.sealed = Some(STANDARD.encode([0; 200])),
            |s| s.nonce = Some("not base64!".into()),
            |s| s.salt = None,
            |s| s.kdf = Some("scrypt".into()),
            |s| s.p = Some(0),
            |s| s.m_kib = Some(7),
            |s| s.kind = Kind::Open,
        ];
        for spoil in spoil {
            let mut bad = good.clone();
            spoil(&mut bad);
            assert_eq!(error(bad.unlock(ACCOUNT, Some(b"p"))), KeyError::Slot);
        }
    }

    #[test]
    fn a_hostile_slot_cannot_ask_for_more_than_the_bounds() {
        for spoil in [(|s| s.m_kib = Some(u32::MAX)) as fn(&mut Slot), |s| s.t = Some(17), |s| s.p = Some(17)] {
            let mut bad = slot(b"p");
            spoil(&mut bad);
            assert!(matches!(bad.unlock(ACCOUNT, Some(b"p")), Err(Error::Limit { .. })));
        }
        assert!(Slot::from_json(&" ".repeat(SLOT_JSON_BYTES_MAX + 1)).is_err());
        let mut large = slot(b"p");
        for (m_kib, good) in [(1 << 20, true), ((1 << 20) + 1, false)] {
            large.m_kib = Some(m_kib);
            assert_eq!(Slot::from_json(&large.to_json().unwrap()).is_ok(), good);
        }
    }

    #[test]
    fn an_open_slot_never_goes_into_a_vault() {
        let new = NewSlot { label: "", created_at: 0, chance: &ConstantChance::new(1) };
        let open = Slot::open(&root(), &new);
        assert_eq!(open.unlock(ACCOUNT, None).unwrap().bytes(), root().bytes());
        assert!(open.to_json().is_err());
        assert!(Slot::from_json(&serde_json::to_string(&open).unwrap()).is_err());
        assert!(!format!("{open:?}").contains(&STANDARD.encode([9; 32])));
    }

    proptest! {
        #[test]
        fn rubbish_never_panics(text: String) {
            prop_assert!(Slot::from_json(&text).is_err());
        }
    }
}
