//! Who fails again and again is answered ever more slowly, and is written down.
//!
//! What a server sees of a client that comes over SSH: its address, which SSH key let it in only by the words of the
//! forced command (account, role), and what it asks. So these are failures: an account that is not there or that the
//! connection may not see, something that its role does not allow, an account for which the client has no key, and a second
//! key for an account. They are counted by address and by account, as each session is a process of its own.

use store::vault::{refusals, refusals_if_any};
use transport::message::Request;
use transport::message::admin::Account as Ask;

use super::refuse::Refused;
use super::{Server, lock};
use crate::fault::Code;

impl Server {
    /// A request was refused: notes it, and lets time go by before the answer when that has happened too often.
    pub(super) fn slow_down(&self, refused: &Refused, asked: Option<&str>) {
        let (Some(address), Refused::Told(fault)) = (&self.client, refused) else { return };
        if !matches!(fault.code, Code::AccountNone | Code::PolicyRole | Code::KeyNone | Code::AccountBound) {
            return;
        }
        let opened = lock(&self.account).as_ref().map(|account| account.name.clone());
        let account = asked.map(str::to_owned).or(opened).or_else(|| self.only.clone()).unwrap_or_default();
        let Ok(vault) = self.vault(store::vault::Access::Read) else { return };
        // What cannot be noted keeps nobody from being answered.
        let noted = refusals(&*self.disk, &self.path)
            .and_then(|log| log.note(vault.id(), self.clock.now_ms(), address, &account, fault.code.name()));
        if let Ok(wait_ms) = noted
            && wait_ms > 0
        {
            self.clock.pause(wait_ms);
        }
    }

    /// An account was opened: what this client failed with it before is forgotten.
    pub(super) fn welcome(&self, asked: Option<&str>) {
        let Some(address) = &self.client else { return };
        let opened = lock(&self.account).as_ref().map(|account| account.name.clone());
        if let Ok(Some(log)) = refusals_if_any(&*self.disk, &self.path) {
            for account in [asked, opened.as_deref(), self.only.as_deref()].into_iter().flatten() {
                // What stays is forgotten a day later.
                drop(log.forget(address, account));
            }
        }
    }
}

/// The account that a request names.
pub(super) fn named(request: &Request) -> Option<&str> {
    match request {
        Request::Open(open) => open.account.as_deref(),
        Request::Init(init) => Some(&init.name),
        Request::Dump(dump) => Some(&dump.which),
        Request::Account(ask) => match ask {
            Ask::List(list) => list.account.as_deref(),
            Ask::Settle(settle) => Some(&settle.which),
            Ask::Rename(rename) => Some(&rename.which),
            Ask::SetState(state) => Some(&state.which),
            Ask::Delete(delete) => Some(&delete.which),
            Ask::Authorize(authorize) => Some(&authorize.which),
            Ask::Revoke(revoke) => Some(&revoke.which),
            Ask::Check(check) => check.account.as_deref(),
            Ask::Create(_) | Ask::Refused => None,
        },
        _ => None,
    }
}
