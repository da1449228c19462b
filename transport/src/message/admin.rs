//! What an administrator asks about accounts and groups. Figures and times are open to an administrator, names and
//! contents of files are not: nothing here needs, or gives, an account's key.

use minicbor::{Decode, Encode};

use super::account::State;

/// A reply with rows ends after the row that brings it to so many bytes. A row has at most some 40 KiB, so a reply
/// stays well below the largest message.
pub const ROWS_BYTES: usize = 256 << 10;

/// What is to be done with accounts. An account is named by its name or its number (hexadecimal, `0x` in front or not).
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Account {
    /// All, or the one that is named. The replies are lists of [`AccountFacts`], an empty one at the end.
    #[n(0)]
    List(#[n(0)] ListAccounts),
    /// Make one. The reply is its [`AccountFacts`], as that of all that follow.
    #[n(1)]
    Create(#[n(0)] CreateAccount),
    /// Settle limits and the like anew.
    #[n(2)]
    Settle(#[n(0)] Settle),
    /// Give it another name.
    #[n(3)]
    Rename(#[n(0)] Rename),
    /// Open, freeze or disable it. A deleted one is taken back by it.
    #[n(4)]
    SetState(#[n(0)] SetState),
    /// Delete it: it can be taken back for some time. With `finally`, remove what is left of it after that time; the
    /// reply is then what it was.
    #[n(5)]
    Delete(#[n(0)] Delete),
    /// Make the line that lets an SSH key in for this account. The reply is an [`Authorized`].
    #[n(6)]
    Authorize(#[n(0)] Authorize),
    /// Take keys of this account out of `authorized_keys`. The reply is a [`Revoked`].
    #[n(7)]
    Revoke(#[n(0)] Revoke),
    /// Prove what is stored of it without its key; of all when none is named. The replies are lists of
    /// [`CheckedAccount`], an empty one at the end.
    #[n(8)]
    Check(#[n(0)] CheckAccounts),
    /// Who was refused. The replies are lists of [`RefusedRow`], oldest first, an empty one at the end.
    #[n(9)]
    Refused,
}

/// Which accounts are checked, and how closely.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct CheckAccounts {
    /// The only one; all when absent.
    #[n(0)]
    pub account: Option<String>,
    /// Read every stored byte against its checksum, not only the structure.
    #[n(1)]
    pub read_data: bool,
}

/// What a check of one account came to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct CheckedAccount {
    /// Its number.
    #[n(0)]
    pub number: u32,
    /// Its name.
    #[n(1)]
    pub name: String,
    /// Findings of damage and loss.
    #[n(2)]
    pub damages: u64,
    /// Findings that are only worth knowing.
    #[n(3)]
    pub notes: u64,
    /// Versions that were walked.
    #[n(4)]
    pub versions: u64,
    /// Packs that were looked at.
    #[n(5)]
    pub packs: u64,
    /// Links.
    #[n(6)]
    pub links: u64,
    /// Stored bytes that were read and compared.
    #[n(7)]
    pub read_bytes: u64,
    /// The worst finding, or why it could not be checked; absent when there is none.
    #[n(8)]
    pub message: Option<String>,
    /// Its dotted code.
    #[n(9)]
    pub code: Option<String>,
}

/// Somebody who was refused.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct RefusedRow {
    /// When, ms since 1970.
    #[n(0)]
    pub at: i64,
    /// From which address.
    #[n(1)]
    pub address: String,
    /// Which account was asked for; empty when none was named.
    #[n(2)]
    pub account: String,
    /// Why, as a dotted code.
    #[n(3)]
    pub code: String,
    /// How long the answer was held back, ms.
    #[n(4)]
    pub waited_ms: u64,
}

/// An SSH key that is to be let in.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Authorize {
    /// Which account.
    #[n(0)]
    pub which: String,
    /// The public key, as it stands in its file: type, base64, comment.
    #[n(1)]
    pub ssh_key: String,
    /// `backup`, `append`, `read` or `admin`.
    #[n(2)]
    pub role: String,
    /// Add the line to the `authorized_keys` of the user who runs the server.
    #[n(3)]
    pub install: bool,
}

/// The line that was made.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Authorized {
    /// The line for `authorized_keys`.
    #[n(0)]
    pub line: String,
    /// The file that it was added to, or was in already.
    #[n(1)]
    pub file: Option<String>,
}

/// SSH keys that are no longer to be let in.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Revoke {
    /// Which account.
    #[n(0)]
    pub which: String,
    /// The only key; all keys of the account when absent.
    #[n(1)]
    pub ssh_key: Option<String>,
}

/// What was taken out.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Revoked {
    /// The file.
    #[n(0)]
    pub file: String,
    /// The lines that are gone.
    #[n(1)]
    pub lines: Vec<String>,
}

/// Which accounts are listed, and how closely.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct ListAccounts {
    /// The only one; all when absent.
    #[n(0)]
    pub account: Option<String>,
    /// Figures that need a look into each catalog, too.
    #[n(1)]
    pub figures: bool,
}

/// An account to be made.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct CreateAccount {
    /// Its name.
    #[n(0)]
    pub name: String,
    /// Its number; the next one when absent.
    #[n(1)]
    pub number: Option<u32>,
}

/// A value to be set or taken away; absent means "leave it".
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum To<T> {
    /// This one.
    #[n(0)]
    Set(#[n(0)] T),
    /// None.
    #[n(1)]
    None,
}

/// What is to be settled for an account or a group.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct Settle {
    /// Which.
    #[n(0)]
    pub which: String,
    /// Soft limit in bytes.
    #[n(1)]
    pub soft_bytes: Option<To<u64>>,
    /// Hard limit in bytes.
    #[n(2)]
    pub hard_bytes: Option<To<u64>>,
    /// Timetable of rates.
    #[n(3)]
    pub rate: Option<To<String>>,
    /// Age of the newest version, in milliseconds, from which on it is late.
    #[n(4)]
    pub late_after_ms: Option<To<u64>>,
    /// Who is told.
    #[n(5)]
    pub contacts: Option<To<Vec<String>>>,
}

/// Another name.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Rename {
    /// Which.
    #[n(0)]
    pub which: String,
    /// Its new name.
    #[n(1)]
    pub name: String,
}

/// Another state.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct SetState {
    /// Which account.
    #[n(0)]
    pub which: String,
    /// Its new state.
    #[n(1)]
    pub state: State,
    /// Why, for those who are refused.
    #[n(2)]
    pub reason: String,
}

/// The end of an account.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Delete {
    /// Which.
    #[n(0)]
    pub which: String,
    /// Remove what is left of it.
    #[n(1)]
    pub finally: bool,
}

/// What was settled.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct Terms {
    /// Soft limit in bytes.
    #[n(0)]
    pub soft_bytes: Option<u64>,
    /// Hard limit in bytes.
    #[n(1)]
    pub hard_bytes: Option<u64>,
    /// Timetable of rates.
    #[n(2)]
    pub rate: Option<String>,
    /// Late from this age on.
    #[n(3)]
    pub late_after_ms: Option<u64>,
    /// Who is told.
    #[n(4)]
    pub contacts: Vec<String>,
}

/// What an administrator sees of an account.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct AccountFacts {
    /// Number.
    #[n(0)]
    pub number: u32,
    /// Name.
    #[n(1)]
    pub name: String,
    /// Id, 16 bytes.
    #[n(2)]
    pub id: store::id::AccountId,
    /// State.
    #[n(3)]
    pub state: State,
    /// Why.
    #[n(4)]
    pub reason: String,
    /// Whether a key is bound.
    #[n(5)]
    pub bound: bool,
    /// When it was made, ms since 1970.
    #[n(6)]
    pub created_at: i64,
    /// When it was deleted and may go for good.
    #[n(7)]
    pub goes_at: Option<i64>,
    /// What was settled.
    #[n(8)]
    pub terms: Terms,
    /// When its newest version was received.
    #[n(9)]
    pub newest_at: Option<i64>,
    /// Names of the groups that it is in; only of the one that is named.
    #[n(10)]
    pub groups: Vec<String>,
    /// Bytes of its packs; only with figures.
    #[n(11)]
    pub stored_bytes: Option<u64>,
    /// Bytes of its catalog; only with figures.
    #[n(12)]
    pub catalog_bytes: Option<u64>,
    /// Versions that it has; only with figures.
    #[n(13)]
    pub versions: Option<u64>,
}

/// What is to be done with groups.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Group {
    /// All, or the one that is named. The replies are lists of [`GroupFacts`], an empty one at the end.
    #[n(0)]
    List(#[n(0)] ListGroups),
    /// Make one. The reply is its [`GroupFacts`], as that of all that follow but `Delete`, which has none.
    #[n(1)]
    Create(#[n(0)] CreateGroup),
    /// Settle limits and contacts anew.
    #[n(2)]
    Settle(#[n(0)] Settle),
    /// Give it another name.
    #[n(3)]
    Rename(#[n(0)] Rename),
    /// Take accounts in.
    #[n(4)]
    Add(#[n(0)] Members),
    /// Let accounts go.
    #[n(5)]
    Remove(#[n(0)] Members),
    /// Delete it; its members stay what they are.
    #[n(6)]
    Delete(#[n(0)] DeleteGroup),
}

/// Which groups are listed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct ListGroups {
    /// The only one; all when absent.
    #[n(0)]
    pub group: Option<String>,
    /// Sums over the members, too, which need a look into the catalog of each; of one that is named always.
    #[n(1)]
    pub figures: Option<bool>,
}

/// A group to be made.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct CreateGroup {
    /// Its name.
    #[n(0)]
    pub name: String,
}

/// Accounts of a group. At most [`super::IDS_MAX`].
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Members {
    /// Which group.
    #[n(0)]
    pub group: String,
    /// Names or numbers of accounts.
    #[n(1)]
    pub accounts: Vec<String>,
}

/// A group to be deleted.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct DeleteGroup {
    /// Which.
    #[n(0)]
    pub group: String,
}

/// What an administrator sees of a group. The figures are sums over its members, of the one that is named, or asked for.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct GroupFacts {
    /// Name.
    #[n(0)]
    pub name: String,
    /// Number.
    #[n(1)]
    pub number: u32,
    /// When it was made, ms since 1970.
    #[n(2)]
    pub created_at: i64,
    /// How many members.
    #[n(3)]
    pub member_count: u64,
    /// What was settled.
    #[n(4)]
    pub terms: Terms,
    /// Their numbers, ascending; only of the one that is named.
    #[n(5)]
    pub members: Vec<u32>,
    /// Bytes of their packs.
    #[n(6)]
    pub stored_bytes: Option<u64>,
    /// Versions that they have.
    #[n(7)]
    pub versions: Option<u64>,
    /// When the newest version of any was received.
    #[n(8)]
    pub newest_at: Option<i64>,
}
