//! What the two ends say: the requests and replies of PROTOCOL.md, chapter "Requests", in CBOR.
//!
//! A call begins with one [`Request`]. What follows on it, in either direction, is told in the file of that
//! conversation. Numbers are never used again for something else; new fields are optional; fields that a
//! reader does not know are skipped. Lists of ids travel as one byte string.

mod account;
pub mod admin;
pub mod archive;
mod ask;
mod chain;
mod check;
mod fetch;
pub mod health;
mod housekeep;
mod repair;
pub mod traffic;
mod upload;
mod usage;
pub mod volume;
mod wanted;

pub use account::{AccountRow, Accounts, Bind, Head, Init, Made, Open, Opened, SetSlots, State};
pub use ask::{Answered, AskBatch};
pub use chain::{Bodies, BodyReply, Links, LinksReply};
pub use check::{Check, Checked, Finding, Told};
pub use fetch::{FETCH_IDS_MAX, FetchBatch, Fetched, Under};
pub use housekeep::{Housekeep, HousekeepLog, Housekept, Kept, Logged, LoggedPass, LoggedVersion};
pub use repair::{Repair, RepairStep, RepairTold};
pub use upload::{Ack, Begin, Begun, Commit, Committed, Outcome, Up, UpReply};
pub use usage::{
    SpaceAccount, SpaceAsk, SpaceDay, SpaceGroup, SpaceTold, SpaceVault, SplitBatch, SplitDone, SplitTold, UsageAsk,
    UsageTold,
};
pub use wanted::{WantedAsk, WantedDone, WantedIds, WantedTold};

use minicbor::{Decode, Encode};

/// Most ids in one message: 4,096 of 32 bytes are 128 KiB, well below a control frame.
pub const IDS_MAX: usize = 4_096;
/// Most links in one reply: 1,024 of 272 bytes are 272 KiB.
pub const LINKS_MAX: usize = 1_024;

/// What a call is about. All but `Open`, `Accounts`, `Init`, `Account`, `Group`, `Dump`, `Load`, `Volume`, `Space`, `Traffic` and `Sessions` are about the account that was opened on this connection.
#[derive(Clone, Debug, PartialEq, Encode, Decode)]
pub enum Request {
    /// Say who is asking for which account; read-only.
    #[n(1)]
    Open(#[n(0)] Open),
    /// List the accounts; read-only.
    #[n(2)]
    Accounts(#[n(0)] Accounts),
    /// Make what is missing: vault, account.
    #[n(3)]
    Init(#[n(0)] Init),
    /// Bind a key to an account that has none, once.
    #[n(4)]
    Bind(#[n(0)] Bind),
    /// Keep passphrase slots in the vault.
    #[n(5)]
    SetSlots(#[n(0)] SetSlots),
    /// Links after a number; read-only.
    #[n(6)]
    Links(#[n(0)] Links),
    /// Bodies by hash; read-only. One [`BodyReply`] each.
    #[n(7)]
    Bodies(#[n(0)] Bodies),
    /// Which of these do you lack? Every further message is another [`AskBatch`]; an [`Answered`] each.
    #[n(8)]
    Ask(#[n(0)] AskBatch),
    /// Store: further parts are [`Up`] messages and records as data.
    #[n(9)]
    Upload(#[n(0)] Begin),
    /// Every group under these roots; the reply is records as data.
    #[n(10)]
    Under(#[n(0)] Under),
    /// Boxes with these chunks. Every further message is another [`FetchBatch`]; replies are records as data,
    /// and a [`Fetched`] at the end of each batch.
    #[n(11)]
    Fetch(#[n(0)] FetchBatch),
    /// Prove what is stored. Replies are [`Told`] messages.
    #[n(12)]
    Check(#[n(0)] Check),
    /// Do what is due. Replies are [`Kept`] messages.
    #[n(13)]
    Housekeep(#[n(0)] Housekeep),
    /// What housekeeping did; read-only. Replies are [`Logged`] messages.
    #[n(14)]
    HousekeepLog(#[n(0)] HousekeepLog),
    /// What has been lost and would be taken back; read-only. Replies are [`WantedTold`] messages.
    #[n(15)]
    Wanted(#[n(0)] WantedAsk),
    /// Set right what is damaged and needs no source; without `act` only the plan. Replies are [`RepairTold`] messages.
    #[n(16)]
    Repair(#[n(0)] Repair),
    /// Look after accounts; about the vault, not the opened account.
    #[n(20)]
    Account(#[n(0)] admin::Account),
    /// Look after groups; about the vault.
    #[n(21)]
    Group(#[n(0)] admin::Group),
    /// Write an account as one portable file; about the vault. The reply is data, then an [`archive::Dumped`].
    #[n(24)]
    Dump(#[n(0)] archive::Dump),
    /// Make an account of such a file; about the vault. The file follows as data; the reply is an [`archive::Loaded`].
    #[n(25)]
    Load(#[n(0)] archive::Load),
    /// Look after the vault's volumes; about the vault. Replies are [`volume::VolumeTold`] messages.
    #[n(26)]
    Volume(#[n(0)] volume::Volume),
    /// What the opened account takes; read-only. The reply is a [`UsageTold`].
    #[n(40)]
    Usage(#[n(0)] UsageAsk),
    /// Bytes by hour, day or month; read-only. Replies are lists of [`traffic::TrafficRow`].
    #[n(41)]
    Traffic(#[n(0)] traffic::TrafficAsk),
    /// Single connections; read-only. Replies are lists of [`traffic::SessionRow`].
    #[n(42)]
    Sessions(#[n(0)] traffic::SessionsAsk),
    /// What became of runs on the client.
    #[n(44)]
    Report(#[n(0)] health::Report),
    /// How accounts are; read-only. Replies are [`health::StatusTold`] messages.
    #[n(45)]
    Status(#[n(0)] health::StatusAsk),
    /// A report over a period; read-only. Replies are [`health::ReportTold`] messages.
    #[n(46)]
    Reports(#[n(0)] health::ReportAsk),
    /// What clients of an account logged; read-only. Replies are lists of [`health::LogTold`], an empty one at the end.
    #[n(47)]
    Log(#[n(0)] health::LogAsk),
    /// What all accounts take; about the vault; read-only. Replies are [`SpaceTold`] messages.
    #[n(48)]
    Space(#[n(0)] SpaceAsk),
    /// Tell history apart; read-only. Every further message is another [`SplitBatch`]; a [`SplitTold`] each.
    #[n(49)]
    Split(#[n(0)] SplitBatch),
}

/// Why a request was not carried out. The code is one of the stable codes; the texts are the server's and are
/// made harmless before they are shown.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Refusal {
    /// Dotted code, as in `vault.none`.
    #[n(0)]
    pub code: String,
    /// One sentence.
    #[n(1)]
    pub text: String,
    /// What to do, when the server knows better than the client.
    #[n(2)]
    pub hint: Option<String>,
}

/// A reply, or why there is none.
#[derive(Clone, Debug, PartialEq, Encode, Decode)]
pub enum Reply<T> {
    /// Done.
    #[n(0)]
    Done(#[n(0)] T),
    /// Not done.
    #[n(1)]
    Refused(#[n(0)] Refusal),
}

/// The bytes of a message.
pub fn encode<T: Encode<()>>(message: &T) -> Vec<u8> {
    let mut out = Vec::new();
    // Writing to a vector cannot fail, and our own encoders do not refuse.
    match minicbor::encode(message, &mut out) {
        Ok(()) => out,
        Err(_) => Vec::new(),
    }
}

/// A message from its bytes.
pub fn decode<'b, T: Decode<'b, ()>>(bytes: &'b [u8]) -> Result<T, minicbor::decode::Error> {
    minicbor::decode(bytes)
}

/// Ids in one byte string: the whole of it must be a number of ids, not more than [`IDS_MAX`].
pub fn split_ids<I>(bytes: &[u8], new: impl Fn([u8; 32]) -> I) -> Option<Vec<I>> {
    split_ids_up_to(IDS_MAX, bytes, new)
}

/// The same with another limit.
fn split_ids_up_to<I>(most: usize, bytes: &[u8], new: impl Fn([u8; 32]) -> I) -> Option<Vec<I>> {
    let (ids, rest) = bytes.as_chunks::<32>();
    (rest.is_empty() && ids.len() <= most).then(|| ids.iter().map(|id| new(*id)).collect())
}

/// One byte string of ids.
pub fn join_ids<'a>(ids: impl IntoIterator<Item = &'a [u8; 32]>) -> Vec<u8> {
    ids.into_iter().flatten().copied().collect()
}

/// Bits of a list of answers, the first in the lowest bit of the first byte.
#[must_use]
pub fn to_bits(answers: &[bool]) -> Vec<u8> {
    answers.chunks(8).map(|eight| eight.iter().rev().fold(0, |byte, bit| byte << 1 | u8::from(*bit))).collect()
}

/// The first `count` answers of a list of bits; `None` when it has another length.
#[must_use]
pub fn from_bits(bits: &[u8], count: usize) -> Option<Vec<bool>> {
    (bits.len() == count.div_ceil(8))
        .then(|| bits.iter().flat_map(|byte| (0..8).map(move |n| byte >> n & 1 == 1)).take(count).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_go_there_and_back() {
        for count in 0..20 {
            let answers: Vec<bool> = (0..count).map(|n| n % 3 == 0).collect();
            assert_eq!(from_bits(&to_bits(&answers), count), Some(answers));
        }
        assert_eq!(from_bits(&[0, 0], 3), None);
    }

    #[test]
    fn unknown_fields_are_skipped_and_unknown_requests_are_not_taken_for_others() {
        let bytes = encode(&Request::Links(Links { after: 7, most: 9 }));
        assert_eq!(decode::<Request>(&bytes).unwrap(), Request::Links(Links { after: 7, most: 9 }));
        // [6, [[7, 9, 1]]]: one field more than is known here.
        let longer = [0x82, 6, 0x81, 0x83, 7, 9, 1];
        assert_eq!(decode::<Request>(&longer).unwrap(), Request::Links(Links { after: 7, most: 9 }));
        assert!(decode::<Request>(&[0x82, 0x18, 99, 0x80]).is_err());
    }
}
