//! XChaCha20-Poly1305 with a nonce that needs no counter and no trust in chance alone (FORMAT.md, chapter 2).
//!
//! Small bodies go through `chacha20poly1305`. For bulk, HChaCha20 turns the key and the first 16 bytes of the nonce into
//! a key of their own, and the rest is RFC 8439 as `ring` computes it, twice as fast as the portable code. Both make the
//! same bytes; the tests open with the one what the other sealed.

use chacha20poly1305::aead::{AeadInOut, KeyInit};
use chacha20poly1305::{Tag, XChaCha20Poly1305, XNonce};
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey};
use zeroize::Zeroizing;

use crate::door::{Chance, random};
use crate::error::{KeyError, Result};

use super::secret::{Key, first};

/// Bytes that a seal adds.
pub(crate) const TAG_BYTES: usize = 16;
/// Bodies up to this length are small: the portable code, without the detour.
const SMALL_BYTES: usize = 16 << 10;
/// Bytes of a nonce.
pub(crate) const NONCE_BYTES: usize = 24;

/// A key that seals, with its nonce key.
#[derive(Clone, Debug)]
pub(crate) struct SealKey {
    key: Key,
    nonce: Key,
}

impl SealKey {
    pub(crate) fn new(key: Key) -> Self {
        let nonce = key.derive("nonce");
        Self { key, nonce }
    }

    /// Seals `body` where it stands and appends the tag; gives the nonce.
    pub(crate) fn seal(&self, associated: &[u8], body: &mut Vec<u8>, chance: &dyn Chance) -> Result<[u8; NONCE_BYTES]> {
        let nonce = self.nonce(associated, body, &random(chance));
        if body.len() <= SMALL_BYTES {
            let cipher = XChaCha20Poly1305::new(self.key.bytes().into());
            cipher.encrypt_in_place(&XNonce::from(nonce), associated, body).map_err(|_| KeyError::Seal)?;
            return Ok(nonce);
        }
        let (key, rest) = self.split(&nonce)?;
        key.seal_in_place_append_tag(rest, Aad::from(associated), body).map_err(|_| KeyError::Seal)?;
        Ok(nonce)
    }

    /// Opens `body` where it stands: the plain bytes, without the tag.
    pub(crate) fn open<'a>(
        &self,
        associated: &[u8],
        nonce: &[u8; NONCE_BYTES],
        body: &'a mut [u8],
    ) -> Result<&'a mut [u8]> {
        let len = body.len().checked_sub(TAG_BYTES).ok_or(KeyError::Seal)?;
        if len <= SMALL_BYTES {
            let (plain, tag) = body.split_at_mut(len);
            let tag = Tag::try_from(&*tag).map_err(|_| KeyError::Seal)?;
            let cipher = XChaCha20Poly1305::new(self.key.bytes().into());
            cipher
                .decrypt_inout_detached(&XNonce::from(*nonce), associated, plain.into(), &tag)
                .map_err(|_| KeyError::Seal)?;
            return Ok(plain);
        }
        let (key, rest) = self.split(nonce)?;
        Ok(key.open_in_place(rest, Aad::from(associated), body).map_err(|_| KeyError::Seal)?)
    }

    /// Differs whenever associated data, body or chance differ: two bodies never share one, even when chance
    /// repeats itself.
    fn nonce(&self, associated: &[u8], body: &[u8], fresh: &[u8; 16]) -> [u8; NONCE_BYTES] {
        let mut hasher = self.nonce.hasher();
        // Associated data is a header or a short text: far below u32.
        hasher.update(&u32::try_from(associated.len()).unwrap_or(u32::MAX).to_le_bytes());
        hasher.update(associated).update(fresh).update(body);
        first(hasher.finalize().as_bytes())
    }

    fn split(&self, nonce: &[u8; NONCE_BYTES]) -> Result<(LessSafeKey, Nonce)> {
        let (head, tail) = nonce.split_at(16);
        let head: [u8; 16] = head.try_into().map_err(|_| KeyError::Seal)?;
        let sub: [u8; 32] = chacha20::hchacha::<chacha20::R20>(self.key.bytes().into(), &head.into()).into();
        let sub = Zeroizing::new(sub);
        let mut rest = [0; 12];
        rest[4..].copy_from_slice(tail);
        let key = UnboundKey::new(&CHACHA20_POLY1305, sub.as_slice()).map_err(|_| KeyError::Seal)?;
        Ok((LessSafeKey::new(key), Nonce::assume_unique_for_key(rest)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::door::ConstantChance;
    use proptest::prelude::*;
    use std::collections::HashSet;

    /// A source that always gives the same bytes: worse than any real one.
    struct Stuck;

    impl Chance for Stuck {
        fn fill(&self, out: &mut [u8]) {
            out.fill(7);
        }
    }

    fn key() -> SealKey {
        SealKey::new(Key::new([3; 32]))
    }

    proptest! {
        #[test]
        fn either_code_opens_what_the_other_sealed(ad: Vec<u8>, plain in prop_oneof![prop::collection::vec(any::<u8>(), 0..5000), prop::collection::vec(any::<u8>(), 16_300..16_500)]) {
            let other = XChaCha20Poly1305::new(key().key.bytes().into());
            let mut body = plain.clone();
            let nonce = key().seal(&ad, &mut body, &ConstantChance::new(1)).unwrap();
            let mut theirs = plain.clone();
            other.encrypt_in_place(&XNonce::from(nonce), &ad, &mut theirs).unwrap();
            prop_assert_eq!(&body, &theirs);
            prop_assert_eq!(key().open(&ad, &nonce, &mut theirs).unwrap(), &plain[..]);
            other.decrypt_in_place(&XNonce::from(nonce), &ad, &mut body).unwrap();
            prop_assert_eq!(body, plain);
        }

        #[test]
        fn a_changed_bit_is_refused(plain in prop::collection::vec(any::<u8>(), 0..100), bit: prop::sample::Index) {
            let ad = *b"associated";
            let mut body = plain;
            let mut nonce = key().seal(&ad, &mut body, &Stuck).unwrap();
            let mut ad = ad;
            let bits = (ad.len() + nonce.len() + body.len()) * 8;
            let at = bit.index(bits);
            let mut all = ad.iter_mut().chain(nonce.iter_mut()).chain(body.iter_mut());
            *all.nth(at / 8).unwrap() ^= 1 << (at % 8);
            prop_assert!(key().open(&ad, &nonce, &mut body).is_err());
        }
    }

    #[test]
    fn no_two_bodies_share_a_nonce_when_chance_is_stuck() {
        let mut seen = HashSet::new();
        for number in 0..1000u32 {
            for (ad, body) in [(&b"a"[..], number.to_le_bytes().to_vec()), (&b"ab"[..], number.to_le_bytes().to_vec())]
            {
                let mut body = body;
                assert!(seen.insert(key().seal(ad, &mut body, &Stuck).unwrap()));
            }
        }
        // Bytes that move from the associated data into the body are another message.
        let (mut one, mut other) = (b"bc".to_vec(), b"c".to_vec());
        assert_ne!(key().seal(b"a", &mut one, &Stuck).unwrap(), key().seal(b"ab", &mut other, &Stuck).unwrap());
    }

    #[test]
    fn the_same_body_gets_another_nonce_each_time() {
        let chance = ConstantChance::new(5);
        let nonces: HashSet<_> = (0..100).map(|_| key().seal(b"", &mut b"same".to_vec(), &chance).unwrap()).collect();
        assert_eq!(nonces.len(), 100);
    }

    #[test]
    fn another_key_does_not_open() {
        let mut body = b"plain".to_vec();
        let nonce = key().seal(b"", &mut body, &Stuck).unwrap();
        assert!(SealKey::new(Key::new([4; 32])).open(b"", &nonce, &mut body).is_err());
        assert!(key().open(b"", &nonce, &mut [0; 15]).is_err());
    }
}
