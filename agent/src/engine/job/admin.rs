//! Verbs that look after the accounts of a vault: `account`, `group`. They need no account's key.

pub use transport::message::State as AccountStateWord;
pub use transport::message::admin::{Account as AccountAsk, CreateGroup, DeleteGroup, Group as GroupAsk};
pub use transport::message::admin::{
    AccountFacts, Authorize, Authorized, CheckAccounts, CheckedAccount, CreateAccount, Delete, GroupFacts,
    ListAccounts, ListGroups, Members, RefusedRow, Rename, Revoke, Revoked, SetState, Settle, Terms, To,
};
pub use transport::message::archive::{Dump, Dumped, Load, LoadFrom, Loaded};
pub use transport::message::volume::{
    AddVolume, RemoveVolume, Volume as VolumeAsk, VolumeFacts, VolumeTold, VolumesMoved,
};
