//! Bodies of links that say what becomes of versions (FORMAT.md, 6.6 and 6.7). What the server must know to carry it out
//! stands in the clear; words for people are sealed.

use minicbor::{Decoder, Encoder};

use crate::codec::Reader;
use crate::error::{Error, Result};
use crate::id::TagId;
use crate::record::{Record, RecordKind};
use crate::seal::Sealer;

use super::policy::{Policy, RULES};

/// Most versions that one link names.
pub const NAMED_MAX: usize = 65_536;
/// Most tags that a policy keeps.
const TAGS_MAX: usize = 256;
/// Length of what a policy says about short space; absent in a policy that allows nothing then.
const PRESSURE_BYTES: usize = 12;
/// The only flag that is known.
const SOFT_LIMIT: u32 = 1;
/// Longest words for people, in bytes.
const WORDS_BYTES_MAX: usize = 4_096;

/// Versions that a link names: to forget or not, to pin or not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NamedVersions {
    /// Their numbers, ascending, at least one.
    pub versions: Vec<u64>,
    /// Until when a pin holds, in milliseconds since 1970; 0 for ever. Of no meaning for others.
    pub until: i64,
    /// Why, for people.
    pub reason: String,
}

impl NamedVersions {
    /// A body record of this kind: [`RecordKind::ForgetBody`] or [`RecordKind::PinBody`].
    pub fn seal(&self, sealer: &Sealer, kind: RecordKind) -> Result<Record> {
        let mut clear = self.until.to_le_bytes().to_vec();
        clear.extend_from_slice(&u32::try_from(self.versions.len()).unwrap_or(u32::MAX).to_le_bytes());
        for version in &self.versions {
            clear.extend_from_slice(&version.to_le_bytes());
        }
        check_named(&self.versions)?;
        sealer.seal_body(kind, clear, &words(&[&self.reason])?)
    }

    /// What a body record says, words for people included.
    pub fn open(sealer: &Sealer, record: &Record) -> Result<Self> {
        let mut named = Self::clear(record)?;
        named.reason = open_words(&sealer.open_body(record)?)?.into_iter().next().unwrap_or_default();
        Ok(named)
    }

    /// The same without the words: needs no key.
    pub fn clear(record: &Record) -> Result<Self> {
        let mut r = Reader::new("body that names versions", &record.clear);
        if !matches!(record.header.kind, RecordKind::ForgetBody | RecordKind::PinBody) {
            return Err(r.damaged("it is another kind of record"));
        }
        record.check()?;
        let until = r.i64()?;
        let count = r.u32()? as usize;
        if count > NAMED_MAX || count * 8 != r.remaining() {
            return Err(r.damaged("its count is not that of what follows"));
        }
        let versions = (0..count).map(|_| r.u64()).collect::<Result<Vec<_>>>()?;
        r.end()?;
        check_named(&versions)?;
        Ok(Self { versions, until, reason: String::new() })
    }
}

fn check_named(versions: &[u64]) -> Result<()> {
    let ascending = versions.windows(2).all(|pair| pair.is_sorted() && pair.first() != pair.last());
    if versions.is_empty() || versions.len() > NAMED_MAX || !ascending {
        return Err(Error::damaged("body that names versions", "they are not numbers in order"));
    }
    Ok(())
}

/// A policy as a body record. `preset` is the name under which it was chosen, empty for none; `tags` are the words of
/// the policy's tags.
pub fn seal_policy(sealer: &Sealer, policy: &Policy, preset: &str, tags: &[String]) -> Result<Record> {
    let mut clear = Vec::new();
    for count in policy.counts {
        clear.extend_from_slice(&count.to_le_bytes());
    }
    clear.extend_from_slice(&policy.within_ms.to_le_bytes());
    clear.extend_from_slice(&u32::try_from(policy.tags.len()).unwrap_or(u32::MAX).to_le_bytes());
    for tag in &policy.tags {
        clear.extend_from_slice(tag.bytes());
    }
    if policy.soft_limit || policy.min_free_bytes > 0 {
        let flags = if policy.soft_limit { SOFT_LIMIT } else { 0 };
        clear.extend_from_slice(&flags.to_le_bytes());
        clear.extend_from_slice(&policy.min_free_bytes.to_le_bytes());
    }
    if policy.tags.len() > TAGS_MAX {
        return Err(Error::Limit { what: "tags of a policy", found: policy.tags.len() as u64, most: TAGS_MAX as u64 });
    }
    let mut texts = vec![preset];
    texts.extend(tags.iter().map(String::as_str));
    sealer.seal_body(RecordKind::PolicyBody, clear, &words(&texts)?)
}

/// A policy with the name under which it was chosen and the words of its tags.
pub fn open_policy(sealer: &Sealer, record: &Record) -> Result<(Policy, String, Vec<String>)> {
    let policy = clear_policy(record)?;
    let mut texts = open_words(&sealer.open_body(record)?)?.into_iter();
    let preset = texts.next().unwrap_or_default();
    Ok((policy, preset, texts.collect()))
}

/// The policy of a body record; needs no key.
pub fn clear_policy(record: &Record) -> Result<Policy> {
    let mut r = Reader::new("policy body", &record.clear);
    if record.header.kind != RecordKind::PolicyBody {
        return Err(r.damaged("it is another kind of record"));
    }
    record.check()?;
    let mut counts = [0; RULES];
    for count in &mut counts {
        *count = r.u32()?;
    }
    let within_ms = r.i64()?;
    let tags = r.u32()? as usize;
    let rest = if tags > TAGS_MAX { None } else { r.remaining().checked_sub(tags * TagId::BYTES) };
    if !matches!(rest, Some(0 | PRESSURE_BYTES)) || within_ms < 0 {
        return Err(r.damaged("a number is out of its range"));
    }
    let tags = (0..tags).map(|_| Ok(TagId::new(r.array()?))).collect::<Result<Vec<_>>>()?;
    let (flags, min_free_bytes) = if rest == Some(0) { (0, 0) } else { (r.u32()?, r.u64()?) };
    if flags & !SOFT_LIMIT != 0 {
        return Err(r.damaged("it has a flag that is not known"));
    }
    r.end()?;
    Ok(Policy { counts, within_ms, tags, soft_limit: flags & SOFT_LIMIT != 0, min_free_bytes })
}

/// Whether a body that the server has to carry out can be read.
pub(super) fn check_act(record: &Record) -> Result<()> {
    match record.header.kind {
        RecordKind::ForgetBody | RecordKind::PinBody => NamedVersions::clear(record).map(drop),
        RecordKind::PolicyBody => clear_policy(record).map(drop),
        _ => Ok(()),
    }
}

fn words(texts: &[&str]) -> Result<Vec<u8>> {
    let len: usize = texts.iter().map(|text| text.len()).sum();
    if len > WORDS_BYTES_MAX {
        let (found, most) = (len as u64, WORDS_BYTES_MAX as u64);
        return Err(Error::Limit { what: "bytes of words for people", found, most });
    }
    let mut plain = Vec::new();
    let written = (|| {
        let mut e = Encoder::new(&mut plain);
        e.map(1)?.u8(0)?.array(texts.len() as u64)?;
        texts.iter().try_for_each(|text| e.str(text).map(drop))
    })();
    written.map_err(|_: minicbor::encode::Error<_>| Error::damaged("body", "it cannot be written"))?;
    Ok(plain)
}

fn open_words(plain: &[u8]) -> Result<Vec<String>> {
    let read = || -> Result<Vec<String>, minicbor::decode::Error> {
        let mut d = Decoder::new(plain);
        let mut texts = Vec::new();
        for _ in 0..d.map()?.unwrap_or(0) {
            match d.u32()? {
                0 => {
                    for _ in 0..d.array()?.unwrap_or(0) {
                        texts.push(d.str()?.to_owned());
                    }
                }
                _ => d.skip()?,
            }
        }
        Ok(texts)
    };
    read().map_err(|_| Error::damaged("body", "its words are not the map that they must be"))
}
