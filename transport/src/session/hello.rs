//! HELLO: who the two ends are, and what they agree on (PROTOCOL.md, chapter 4).

use minicbor::{Decoder, Encoder, decode};

use crate::error::{Error, Result, harmless};
use crate::limits::{HELLO_BYTES_MAX, HELLO_FEATURES_MAX, HELLO_TEXT_BYTES_MAX, PROTOCOL, STREAMS_MAX};

/// What one end says about itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hello {
    /// Lowest and highest version of the protocol that it speaks.
    pub protocol: (u16, u16),
    /// What it can do beyond that. A feature is in force when both have it.
    pub features: Vec<String>,
    /// What it cannot do without.
    pub needed: Vec<String>,
    /// Program and version, for people only: nothing may depend on it. Made harmless when it is received.
    pub agent: String,
    /// Most streams at a time, 1 to 64.
    pub streams_max: u32,
    /// What the connection is for.
    pub purpose: Purpose,
    /// For a stripe: names the session that it belongs to; otherwise empty.
    pub token: Vec<u8>,
}

/// What a connection is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Purpose {
    /// Everything.
    #[default]
    Main,
    /// More of the same line for the bulk of another connection.
    Stripe,
    /// Something of a later version.
    Other(u8),
}

impl Purpose {
    fn number(self) -> u8 {
        match self {
            Self::Main => 0,
            Self::Stripe => 1,
            Self::Other(number) => number,
        }
    }

    fn from_number(number: u8) -> Self {
        match number {
            0 => Self::Main,
            1 => Self::Stripe,
            other => Self::Other(other),
        }
    }
}

impl Hello {
    /// A HELLO with this program's versions and limits.
    #[must_use]
    pub fn new(agent: &str, features: &[&str]) -> Self {
        Self {
            protocol: PROTOCOL,
            features: features.iter().map(|name| (*name).to_owned()).collect(),
            needed: Vec::new(),
            agent: agent.to_owned(),
            streams_max: u32::try_from(STREAMS_MAX).unwrap_or(u32::MAX),
            purpose: Purpose::Main,
            token: Vec::new(),
        }
    }

    /// The payload of its frame. It is an error when a text, a list or the whole is too long.
    pub fn encode(&self) -> Result<Vec<u8>> {
        let too_many = |what, found: usize, most: usize| Error::Limit { what, found: found as u64, most: most as u64 };
        for list in [&self.features, &self.needed] {
            if list.len() > HELLO_FEATURES_MAX {
                return Err(too_many("features in a HELLO", list.len(), HELLO_FEATURES_MAX));
            }
        }
        let texts = self.features.iter().chain(&self.needed).chain([&self.agent]).map(String::len);
        if let Some(len) = texts.chain([self.token.len()]).find(|len| *len > HELLO_TEXT_BYTES_MAX) {
            return Err(too_many("bytes of a text in a HELLO", len, HELLO_TEXT_BYTES_MAX));
        }
        let mut out = Vec::new();
        let mut e = Encoder::new(&mut out);
        let fields = 6 + u64::from(!self.needed.is_empty()) + u64::from(!self.token.is_empty());
        let written: Result<(), minicbor::encode::Error<_>> = (|| {
            e.map(fields)?.u8(0)?.u16(self.protocol.0)?.u8(1)?.u16(self.protocol.1)?;
            e.u8(2)?.encode(&self.features)?;
            if !self.needed.is_empty() {
                e.u8(3)?.encode(&self.needed)?;
            }
            e.u8(4)?.str(&self.agent)?.u8(5)?.u32(self.streams_max)?.u8(6)?.u8(self.purpose.number())?;
            if !self.token.is_empty() {
                e.u8(7)?.bytes(&self.token)?;
            }
            Ok(())
        })();
        written.map_err(|_: minicbor::encode::Error<std::convert::Infallible>| Error::Protocol("HELLO"))?;
        if out.len() > HELLO_BYTES_MAX {
            return Err(too_many("bytes of a HELLO", out.len(), HELLO_BYTES_MAX));
        }
        Ok(out)
    }

    /// Reads the payload of its frame. Fields that are not known are skipped, those that are absent have the values
    /// of a HELLO that says nothing but its versions.
    pub fn decode(payload: &[u8]) -> Result<Self> {
        let bad = |_: decode::Error| Error::Protocol("a HELLO that cannot be read");
        let mut hello = Self { protocol: (0, 0), streams_max: 1, ..Self::new("", &[]) };
        let mut d = Decoder::new(payload);
        let fields = d.map().map_err(bad)?.ok_or(Error::Protocol("a HELLO without a length"))?;
        for _ in 0..fields {
            match d.u64().map_err(bad)? {
                0 => hello.protocol.0 = d.u16().map_err(bad)?,
                1 => hello.protocol.1 = d.u16().map_err(bad)?,
                2 => hello.features = texts(&mut d)?,
                3 => hello.needed = texts(&mut d)?,
                4 => hello.agent = harmless(d.str().map_err(bad)?.as_bytes(), HELLO_TEXT_BYTES_MAX),
                5 => hello.streams_max = d.u32().map_err(bad)?,
                6 => hello.purpose = Purpose::from_number(d.u8().map_err(bad)?),
                7 => hello.token = d.bytes().map_err(bad)?.to_owned(),
                _ => d.skip().map_err(bad)?,
            }
        }
        if hello.protocol.0 == 0 || hello.protocol.0 > hello.protocol.1 || hello.streams_max == 0 {
            return Err(Error::Protocol("a HELLO that speaks no version or allows no stream"));
        }
        Ok(hello)
    }
}

fn texts(d: &mut Decoder<'_>) -> Result<Vec<String>> {
    let bad = |_: decode::Error| Error::Protocol("a HELLO that cannot be read");
    let mut out = Vec::new();
    for text in d.array_iter::<&str>().map_err(bad)? {
        let text = text.map_err(bad)?;
        if out.len() == HELLO_FEATURES_MAX || text.len() > HELLO_TEXT_BYTES_MAX {
            return Err(Error::Protocol("a HELLO with too much text"));
        }
        out.push(text.to_owned());
    }
    Ok(out)
}

/// What both ends found, each by itself and alike, from the two HELLOs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Agreed {
    /// The version of the protocol: the highest that both speak.
    pub protocol: u16,
    /// The features that both have.
    pub features: Vec<String>,
    /// Most streams at a time.
    pub streams_max: usize,
}

/// What follows from two HELLOs.
pub(super) fn agree(ours: &Hello, theirs: &Hello) -> Result<Agreed> {
    let protocol = ours.protocol.1.min(theirs.protocol.1);
    if protocol < ours.protocol.0.max(theirs.protocol.0) {
        return Err(Error::Version { ours: ours.protocol, theirs: theirs.protocol });
    }
    for (needs, has) in [(ours, theirs), (theirs, ours)] {
        if let Some(name) = needs.needed.iter().find(|name| !has.features.contains(name)) {
            return Err(Error::Feature { name: harmless(name.as_bytes(), HELLO_TEXT_BYTES_MAX) });
        }
    }
    let features = ours.features.iter().filter(|name| theirs.features.contains(name)).cloned().collect();
    let streams = ours.streams_max.min(theirs.streams_max);
    Ok(Agreed { protocol, features, streams_max: usize::try_from(streams).unwrap_or(1).clamp(1, STREAMS_MAX) })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_bytes_are_pinned() {
        let mut hello = Hello::new("tuckbox 0.1.0", &["stripe"]);
        assert_eq!(
            store::id::hex(&hello.encode().unwrap()),
            "a600010101028166737472697065046d7475636b626f7820302e312e300518400600"
        );
        hello.needed = vec!["x".into()];
        hello.token = vec![1, 2];
        hello.purpose = Purpose::Stripe;
        assert_eq!(Hello::decode(&hello.encode().unwrap()), Ok(hello));
    }

    #[test]
    fn fields_of_later_versions_are_skipped() {
        let mut bytes = Vec::new();
        let mut e = Encoder::new(&mut bytes);
        e.map(4).unwrap().u8(0).unwrap().u16(1).unwrap().u8(1).unwrap().u16(9).unwrap();
        e.u16(900).unwrap().array(2).unwrap().str("new").unwrap().map(1).unwrap().u8(1).unwrap().null().unwrap();
        e.u8(6).unwrap().u8(200).unwrap();
        let hello = Hello::decode(&bytes).unwrap();
        assert_eq!((hello.protocol, hello.purpose, hello.streams_max), ((1, 9), Purpose::Other(200), 1));
    }

    #[test]
    fn both_ends_agree_alike_or_refuse_alike() {
        let speaks = |least, most| Hello { protocol: (least, most), ..Hello::new("", &[]) };
        assert_eq!(agree(&speaks(1, 3), &speaks(2, 5)).unwrap().protocol, 3);
        assert_eq!(agree(&speaks(1, 1), &speaks(2, 5)), Err(Error::Version { ours: (1, 1), theirs: (2, 5) }));
        assert!(agree(&speaks(2, 5), &speaks(1, 1)).is_err());

        let a = Hello::new("", &["one", "two"]);
        let b = Hello { needed: vec!["two".into()], streams_max: 7, ..Hello::new("", &["two", "three"]) };
        let agreed = agree(&a, &b).unwrap();
        assert_eq!((agreed.features.join(" "), agreed.streams_max), ("two".into(), 7));
        assert_eq!(agree(&b, &a).unwrap(), agreed);
        let poor = Hello::new("", &[]);
        assert_eq!(agree(&poor, &b), Err(Error::Feature { name: "two".into() }));
        assert_eq!(agree(&b, &poor), Err(Error::Feature { name: "two".into() }));
    }

    #[test]
    fn too_much_is_refused_on_either_side() {
        let long = Hello::new(&"x".repeat(HELLO_TEXT_BYTES_MAX + 1), &[]);
        assert!(long.encode().is_err());
        let many = Hello::new("", &["a"; HELLO_FEATURES_MAX + 1]);
        assert!(many.encode().is_err());
        let mut bytes = Vec::new();
        let mut e = Encoder::new(&mut bytes);
        e.map(1).unwrap().u8(2).unwrap().encode(&many.features).unwrap();
        assert!(Hello::decode(&bytes).is_err());
        assert!(Hello::decode(&[0xbb, 255, 255, 255, 255, 255, 255, 255, 255]).is_err());
        assert!(Hello::decode(&[0xa1, 2, 0x9b, 127, 255, 255, 255, 255, 255, 255, 255]).is_err());
    }

    proptest! {
        #[test]
        fn rubbish_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            drop(Hello::decode(&bytes));
        }

        #[test]
        fn altered_hellos_never_panic(at in any::<prop::sample::Index>(), byte in any::<u8>()) {
            let mut bytes = Hello::new("tuckbox", &["a", "bc"]).encode().unwrap();
            let at = at.index(bytes.len());
            bytes[at] = byte;
            drop(Hello::decode(&bytes));
        }
    }
}
