//! Verbs that look after the accounts of a vault: `account`, `group`. They need no account's key.

pub use transport::message::State as AccountStateWord;
pub use transport::message::admin::{Account as AccountAsk, CreateGroup, DeleteGroup, Group as GroupAsk};
pub use transport::message::admin::{
    AccountFacts, Authorize, Authorized, CreateAccount, Delete, GroupFacts, ListAccounts, ListGroups, Members, Rename,
    Revoke, Revoked, SetState, Settle, Terms, To,
};
