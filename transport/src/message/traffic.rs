//! What moved on the wire, as a server remembers it.

use minicbor::{Decode, Encode};
use store::id::VaultId;

/// Most sessions of an account in one answer: all that a server remembers.
pub const SESSIONS_MAX: u64 = 2_000;

/// Whose figures.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Of {
    /// The account that was opened on this connection.
    #[n(0)]
    Opened,
    /// The account of this name or number.
    #[n(1)]
    Account(#[n(0)] String),
    /// The members of this group. For an administrator.
    #[n(2)]
    Group(#[n(0)] String),
    /// All accounts. For an administrator.
    #[n(3)]
    All,
}

/// How long periods are; they begin by universal time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode)]
#[cbor(index_only)]
pub enum Grain {
    /// An hour.
    #[n(0)]
    Hour,
    /// A day.
    #[default]
    #[n(1)]
    Day,
    /// A month.
    #[n(2)]
    Month,
}

/// Bytes by periods. The replies are lists of [`TrafficRow`], an empty one at the end.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct TrafficAsk {
    /// Whose.
    #[n(0)]
    pub of: Of,
    /// Which periods.
    #[n(1)]
    pub grain: Grain,
    /// Periods from the one on that this moment is in, ms since 1970.
    #[n(2)]
    pub from: i64,
    /// Those that begin before this moment.
    #[n(3)]
    pub until: i64,
}

/// What moved in a period. In is from the client, out is to it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct TrafficRow {
    /// Name of the account.
    #[n(0)]
    pub account: String,
    /// Its number.
    #[n(1)]
    pub number: u32,
    /// When the period begins, ms since 1970.
    #[n(2)]
    pub start: i64,
    /// Bytes in.
    #[n(3)]
    pub in_bytes: u64,
    /// Bytes out.
    #[n(4)]
    pub out_bytes: u64,
    /// How long connections were open, ms; two at a time count twice.
    #[n(5)]
    pub busy_ms: u64,
    /// Connections that began.
    #[n(6)]
    pub sessions: u64,
}

/// Single connections. The replies are lists of [`SessionRow`], oldest first within an account, an empty one at the end.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct SessionsAsk {
    /// Whose.
    #[n(0)]
    pub of: Of,
    /// Those that began then or later, ms since 1970.
    #[n(1)]
    pub from: i64,
    /// The newest, so many of an account; at most [`SESSIONS_MAX`].
    #[n(2)]
    pub most: u64,
}

/// How a connection ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode)]
#[cbor(index_only)]
pub enum End {
    /// Not yet, as far as is known.
    #[default]
    #[n(0)]
    Open,
    /// With a goodbye.
    #[n(1)]
    Ended,
    /// Without.
    #[n(2)]
    Lost,
}

/// One connection.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct SessionRow {
    /// Name of the account.
    #[n(0)]
    pub account: String,
    /// Its number.
    #[n(1)]
    pub number: u32,
    /// The vault.
    #[n(2)]
    pub vault: VaultId,
    /// When it began, ms since 1970 by the server's clock.
    #[n(3)]
    pub began_at: i64,
    /// Up to when it was seen: its end, once it has ended.
    #[n(4)]
    pub seen_at: i64,
    /// How it ended.
    #[n(5)]
    pub end: End,
    /// It only carried bulk for another connection.
    #[n(6)]
    pub stripe: bool,
    /// What it was let in for.
    #[n(7)]
    pub role: String,
    /// What the client said that it is.
    #[n(8)]
    pub program: String,
    /// Bytes from the client.
    #[n(9)]
    pub in_bytes: u64,
    /// Bytes to the client.
    #[n(10)]
    pub out_bytes: u64,
    /// How long a rate made it wait, ms.
    #[n(11)]
    pub waited_ms: u64,
    /// The verb that the client told of, if any.
    #[n(12)]
    pub verb: Option<String>,
    /// What came of it: `ok`, `exit N`, or the code of an error.
    #[n(13)]
    pub result: Option<String>,
}
