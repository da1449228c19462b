//! Names of things. Each kind of id is a type of its own, so that none can be passed for another.
//!
//! `Display` gives the short form that people see, [`hex`](ChunkId::hex) the whole.

use std::fmt;

/// Lower-case hex of any bytes.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut out = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        for digit in [byte >> 4, byte & 15] {
            out.push(char::from(DIGITS.get(usize::from(digit)).copied().unwrap_or(b'?')));
        }
    }
    out
}

/// Bytes of a string of hex digits, upper or lower case. `None` when it is anything else.
#[must_use]
pub fn unhex(text: &str) -> Option<Vec<u8>> {
    if !text.len().is_multiple_of(2) {
        return None;
    }
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|d| u8::try_from(d).ok());
    text.as_bytes().chunks_exact(2).map(|pair| Some(digit(*pair.first()?)? << 4 | digit(*pair.last()?)?)).collect()
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $bytes:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name([u8; $bytes]);

        impl $name {
            /// Length in bytes.
            pub const BYTES: usize = $bytes;
            /// All zero: "none" where a layout has a place for an id that may be absent.
            pub const ZERO: Self = Self([0; $bytes]);

            /// The id made of these bytes.
            #[must_use]
            pub const fn new(bytes: [u8; $bytes]) -> Self {
                Self(bytes)
            }

            /// Its bytes.
            #[must_use]
            pub const fn bytes(&self) -> &[u8; $bytes] {
                &self.0
            }

            /// The id in a slice of exactly its length.
            #[must_use]
            pub fn from_slice(bytes: &[u8]) -> Option<Self> {
                bytes.try_into().ok().map(Self)
            }

            /// All of it, in lower-case hex.
            #[must_use]
            pub fn hex(&self) -> String {
                hex(&self.0)
            }

            /// The id written by [`hex`](Self::hex).
            #[must_use]
            pub fn from_hex(text: &str) -> Option<Self> {
                Self::from_slice(&unhex(text)?)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&hex(self.0.get(..4).unwrap_or_default()))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self)
            }
        }

        impl<C> minicbor::Encode<C> for $name {
            fn encode<W: minicbor::encode::Write>(
                &self,
                e: &mut minicbor::Encoder<W>,
                _: &mut C,
            ) -> Result<(), minicbor::encode::Error<W::Error>> {
                e.bytes(&self.0)?.ok()
            }
        }

        impl<'b, C> minicbor::Decode<'b, C> for $name {
            fn decode(d: &mut minicbor::Decoder<'b>, _: &mut C) -> Result<Self, minicbor::decode::Error> {
                let at = d.position();
                Self::from_slice(d.bytes()?)
                    .ok_or_else(|| minicbor::decode::Error::message(concat!(stringify!($name), ": wrong length")).at(at))
            }
        }
    };
}

id! {
    /// Names a run of plain bytes by keyed BLAKE3. Without the key, two equal ids say that two chunks are equal, and nothing else.
    ChunkId, 32
}
id! {
    /// Names a node by keyed BLAKE3 of its references and its plain encoding.
    NodeId, 32
}
id! {
    /// Says what a tree is, wherever it lies: equal for equal trees on different disks.
    ContentId, 32
}
id! {
    /// BLAKE3 of a record as it is stored; lets a server without keys check and copy it.
    CipherHash, 32
}
id! {
    /// BLAKE3 of the signed bytes of a link: the version id that people see.
    LinkId, 32
}
id! {
    /// BLAKE3 of a link with its receipt: what the next link and a client's pin hold.
    ChainHash, 32
}
id! {
    /// BLAKE3 of a body's record.
    BodyHash, 32
}
id! {
    /// A vault.
    VaultId, 16
}
id! {
    /// The accounts that share one chunk space.
    DomainId, 16
}
id! {
    /// An account. Never its number, which is local to a vault.
    AccountId, 16
}
id! {
    /// A client device with a certified key.
    DeviceId, 16
}
id! {
    /// One uploading session.
    SessionId, 16
}
id! {
    /// A pack: random, never reused.
    PackId, 16
}
id! {
    /// A host label and a path, by keyed BLAKE3.
    SourceId, 16
}
id! {
    /// A tag, by keyed BLAKE3.
    TagId, 16
}
id! {
    /// First 16 bytes of a derivation of the root secret: tells a wrong key before any work.
    KeyCheck, 16
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hex_goes_there_and_back() {
        let id = ChunkId::new([0xab; 32]);
        assert_eq!(ChunkId::from_hex(&id.hex()), Some(id));
        assert_eq!(id.to_string(), "abababab");
        assert_eq!(unhex("0"), None);
        assert_eq!(unhex("zz"), None);
    }
}
