//! What an administrator has settled for an account or a group: limits, contacts, when it counts as late.

use minicbor::{Decode, Encode};

use crate::error::{Error, Result};

/// Most contacts of an account or a group.
const CONTACTS_MAX: usize = 32;
/// Longest contact, in characters; as long as a name may be.
const CONTACT_CHARS_MAX: usize = 255;
/// Longest timetable of rates, in characters: some ten ranges.
const RATE_CHARS_MAX: usize = 255;

/// What was settled. Nothing is, to begin with.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Terms {
    /// Above so many bytes the oldest versions go first.
    #[n(0)]
    pub soft_bytes: Option<u64>,
    /// Above so many bytes nothing is added.
    #[n(1)]
    pub hard_bytes: Option<u64>,
    /// How fast bytes may come and go, as a timetable in the words of the person who made it.
    #[n(2)]
    pub rate: Option<String>,
    /// It is late when its newest version is older than so many milliseconds.
    #[n(3)]
    pub late_after_ms: Option<u64>,
    /// Who is told when something is wrong.
    #[n(4)]
    pub contacts: Option<Vec<String>>,
}

impl Terms {
    /// `Refused` or `Limit` when these terms cannot hold.
    pub fn check(&self) -> Result<()> {
        if let (Some(soft), Some(hard)) = (self.soft_bytes, self.hard_bytes)
            && soft > hard
        {
            return Err(Error::Refused {
                why: format!("the soft limit ({soft} bytes) is above the hard limit ({hard} bytes)"),
            });
        }
        let contacts = self.contacts.as_deref().unwrap_or_default();
        let longest = contacts.iter().map(|contact| contact.chars().count()).max().unwrap_or(0);
        let rate = self.rate.as_ref().map_or(0, |rate| rate.chars().count());
        for (what, found, most) in [
            ("contacts", contacts.len(), CONTACTS_MAX),
            ("characters of a contact", longest, CONTACT_CHARS_MAX),
            ("characters of a rate", rate, RATE_CHARS_MAX),
        ] {
            if found > most {
                return Err(Error::Limit { what, found: found as u64, most: most as u64 });
            }
        }
        if contacts.iter().any(|contact| contact.is_empty() || contact.chars().any(char::is_control)) {
            return Err(Error::Refused { why: "a contact is not empty and has no control characters".to_owned() });
        }
        Ok(())
    }
}
