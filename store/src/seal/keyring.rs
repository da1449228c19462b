//! The domain key and the numbered sealing keys (FORMAT.md, 6.4).

use minicbor::{Decoder, Encoder};
use zeroize::Zeroizing;

use crate::chunk::Gear;
use crate::door::{Chance, random};
use crate::error::{Error, Result};
use crate::id::ChunkId;
use crate::record::{KEY_ID_ACCOUNT, KEY_ID_KEK};

use super::cipher::SealKey;
use super::secret::Key;

/// Most sealing keys in a keyring; a rotation a day for eleven years.
pub const SEALING_KEYS_MAX: usize = 4_096;

/// What the members of a domain share. Kept in the chain, sealed under the key-encryption key.
#[derive(Clone, Debug)]
pub struct Keyring {
    domain: Key,
    chunk: Key,
    /// Ascending by number; never empty; the last is in use.
    sealing: Vec<(u32, Key)>,
}

/// The two purposes of one sealing key.
#[derive(Clone, Debug)]
pub(super) struct SealingKeys {
    pub(super) boxes: SealKey,
    pub(super) nodes: SealKey,
}

impl Keyring {
    /// A new domain with sealing key 1.
    #[must_use]
    pub fn generate(chance: &dyn Chance) -> Self {
        Self::new(Key::new(random(chance)), vec![(1, Key::new(random(chance)))])
    }

    fn new(domain: Key, sealing: Vec<(u32, Key)>) -> Self {
        let chunk = domain.derive("chunk id");
        Self { domain, chunk, sealing }
    }

    /// Adds a sealing key and takes it into use. Ids stay as they are, so deduplication lives.
    pub fn rotate(&mut self, chance: &dyn Chance) -> Result<()> {
        if self.sealing.len() >= SEALING_KEYS_MAX {
            let most = SEALING_KEYS_MAX as u64;
            return Err(Error::Limit { what: "sealing keys of a keyring", found: most + 1, most });
        }
        let next = self.current() + 1;
        self.sealing.push((next, Key::new(random(chance))));
        Ok(())
    }

    /// Number of the sealing key in use.
    #[must_use]
    pub fn current(&self) -> u32 {
        self.sealing.last().map_or(KEY_ID_ACCOUNT, |(number, _)| *number)
    }

    /// The id of a chunk.
    #[must_use]
    pub fn chunk_id(&self, chunk: &[u8]) -> ChunkId {
        ChunkId::new(self.chunk.hash(chunk))
    }

    /// The domain's gear table.
    #[must_use]
    pub fn gear(&self) -> Gear {
        let mut bytes = Zeroizing::new([0; Gear::BYTES]);
        self.domain.derive_into("gear table", bytes.as_mut_slice());
        Gear::from_bytes(&bytes)
    }

    /// CBOR of it: secret.
    pub fn encode(&self) -> Result<Zeroizing<Vec<u8>>> {
        // Room for all of it and a seal, so that no part of it stays behind in a smaller buffer.
        let mut out = Zeroizing::new(Vec::with_capacity(128 + self.sealing.len() * 48));
        self.write(&mut Encoder::new(&mut *out)).map_err(|_| Error::damaged("keyring", "it cannot be written"))?;
        Ok(out)
    }

    fn write<W: minicbor::encode::Write>(&self, e: &mut Encoder<W>) -> Result<(), minicbor::encode::Error<W::Error>> {
        e.map(2)?.u8(0)?.bytes(self.domain.bytes())?.u8(1)?.array(self.sealing.len() as u64)?;
        for (number, key) in &self.sealing {
            e.array(2)?.u32(*number)?.bytes(key.bytes())?;
        }
        e.ok()
    }

    /// A keyring from its CBOR.
    pub fn decode(bytes: &[u8]) -> Result<Self> {
        Self::read(&mut Decoder::new(bytes))
            .map_err(|_| Error::damaged("keyring", "it is not the map that it must be"))?
            .ok_or_else(|| Error::damaged("keyring", "its keys are not in order"))
    }

    fn read(d: &mut Decoder<'_>) -> Result<Option<Self>, minicbor::decode::Error> {
        let (mut domain, mut sealing) = (None, Vec::new());
        let fields = d.map()?.ok_or_else(|| minicbor::decode::Error::message("indefinite"))?;
        for _ in 0..fields {
            match d.u32()? {
                0 => domain = Key::from_slice(d.bytes()?),
                1 => {
                    let count = d.array()?.unwrap_or(u64::MAX);
                    if count > SEALING_KEYS_MAX as u64 {
                        return Err(minicbor::decode::Error::message("too many keys"));
                    }
                    for _ in 0..count {
                        if d.array()? != Some(2) {
                            return Err(minicbor::decode::Error::message("not a pair"));
                        }
                        sealing.push((d.u32()?, Key::from_slice(d.bytes()?)));
                    }
                }
                _ => d.skip()?,
            }
        }
        let in_order = sealing.is_sorted_by(|(a, _), (b, _)| a < b)
            && sealing.iter().all(|(number, _)| *number != KEY_ID_ACCOUNT && *number != KEY_ID_KEK)
            && !sealing.is_empty();
        let sealing: Option<Vec<_>> = sealing.into_iter().map(|(number, key)| Some((number, key?))).collect();
        Ok(domain.zip(sealing.filter(|_| in_order)).map(|(domain, sealing)| Self::new(domain, sealing)))
    }

    /// All sealing keys, each with its purposes derived.
    pub(super) fn sealing_keys(&self) -> impl Iterator<Item = (u32, SealingKeys)> {
        self.sealing.iter().map(|(number, key)| {
            let purpose = |words| SealKey::new(key.derive(words));
            (*number, SealingKeys { boxes: purpose("box seal"), nodes: purpose("node seal") })
        })
    }

    /// The chunk id key.
    pub(super) fn chunk_key(&self) -> &Key {
        &self.chunk
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::door::ConstantChance;
    use proptest::prelude::*;

    #[test]
    fn goes_there_and_back_and_rotates() {
        let chance = ConstantChance::new(1);
        let mut ring = Keyring::generate(&chance);
        assert_eq!(ring.current(), 1);
        let id = ring.chunk_id(b"x");
        ring.rotate(&chance).unwrap();
        assert_eq!(ring.current(), 2);
        let back = Keyring::decode(&ring.encode().unwrap()).unwrap();
        assert_eq!(back.current(), 2);
        assert_eq!(back.chunk_id(b"x"), id, "ids must survive a rotation");
        assert_eq!(*back.encode().unwrap(), *ring.encode().unwrap());
    }

    #[test]
    fn encoding_never_moves() {
        let chance = ConstantChance::new(1);
        let mut ring = Keyring::generate(&chance);
        for _ in 0..50 {
            ring.rotate(&chance).unwrap();
        }
        let out = ring.encode().unwrap();
        assert!(out.len() + 16 <= 128 + 51 * 48, "it has grown past the room that was made for it");
    }

    #[test]
    fn bad_numbers_are_refused() {
        let bad = |numbers: &[u32]| {
            let sealing = numbers.iter().map(|n| (*n, Key::new([1; 32]))).collect();
            Keyring::decode(&Keyring::new(Key::new([0; 32]), sealing).encode().unwrap()).is_err()
        };
        assert!(!bad(&[1]) && !bad(&[1, 5]));
        assert!(bad(&[]) && bad(&[0]) && bad(&[2, 1]) && bad(&[1, 1]) && bad(&[1, u32::MAX]));
    }

    proptest! {
        #[test]
        fn rubbish_never_panics(bytes: Vec<u8>) {
            prop_assert!(Keyring::decode(&bytes).is_err());
        }
    }
}
