//! Which role may ask what. The server's own word line decides the role; the client cannot widen it.

use store::chain::LinkKind;
use transport::message::{Request, traffic};

use crate::engine::job::Role;
use crate::fault::{Code, Fault, Result};

/// Refuses a request that the role does not allow.
pub fn permit(role: Role, request: &Request) -> Result<()> {
    let (what, allowed) = match request {
        Request::Open(_)
        | Request::Links(_)
        | Request::Bodies(_)
        | Request::Under(_)
        | Request::Ask(_)
        | Request::Wanted(_) => ("", true),
        Request::Upload(_) => ("adding versions", role != Role::Read),
        // Append reads nothing but what a backup needs.
        Request::Accounts(_) => ("listing accounts", role != Role::Append),
        Request::Fetch(_) => ("reading content", role != Role::Append),
        Request::Check(_) => ("checking", role != Role::Append),
        Request::Housekeep(_) => ("housekeeping", may_change(role)),
        Request::HousekeepLog(_) => ("reading what housekeeping did", role != Role::Append),
        Request::Usage(_) | Request::Split(_) => ("reading figures", role != Role::Append),
        Request::Space(_) => ("looking at all accounts", role == Role::Admin),
        Request::Repair(repair) => ("repairing", may_change(role) || (role == Role::Read && !repair.act)),
        Request::Init(_) => ("making a vault or an account", may_change(role)),
        Request::Bind(_) => ("binding a key", may_change(role)),
        Request::SetSlots(_) => ("changing passphrase slots", may_change(role)),
        // Whoever may open an account may say what became of it, and hear how it is.
        Request::Report(_) => ("", true),
        Request::Status(ask) => ("asking how accounts are", ask.own || role == Role::Admin),
        Request::Reports(_) => ("making reports", role == Role::Admin),
        Request::Log(ask) => {
            ("reading the log", if ask.account.is_some() { role == Role::Admin } else { role != Role::Append })
        }
        // Figures of an account are open to whoever may use it; figures of others to who looks after the vault.
        Request::Traffic(traffic::TrafficAsk { of, .. }) | Request::Sessions(traffic::SessionsAsk { of, .. }) => {
            let several = matches!(of, traffic::Of::All | traffic::Of::Group(_));
            ("looking at other accounts", !several || role == Role::Admin)
        }
        Request::Account(_) => ("looking after accounts", role == Role::Admin),
        Request::Group(_) => ("looking after groups", role == Role::Admin),
        Request::Volume(_) => ("looking after volumes", role == Role::Admin),
        Request::Dump(_) => ("dumping accounts", role == Role::Admin),
        Request::Load(_) => ("loading accounts", role == Role::Admin),
    };
    if allowed { Ok(()) } else { Err(refusal(role, what)) }
}

/// Refuses a link that the role may not add: append adds versions and nothing else.
pub fn permit_link(role: Role, kind: LinkKind) -> Result<()> {
    if kind.is_version() || may_change(role) {
        return Ok(());
    }
    let what = match kind {
        LinkKind::Key => "changing the keyring",
        LinkKind::Device => "adding a device",
        LinkKind::Forget | LinkKind::Unforget => "forgetting versions",
        LinkKind::Pin | LinkKind::Unpin => "pinning versions",
        LinkKind::Policy => "changing the policy",
        _ => "this kind of link",
    };
    Err(refusal(role, what))
}

fn may_change(role: Role) -> bool {
    matches!(role, Role::Backup | Role::Admin)
}

fn refusal(role: Role, what: &str) -> Fault {
    let name = role.name();
    Fault::new(Code::PolicyRole, format!("the role {name} of this key does not allow {what}"))
        .hint("use a key with another role, or ask the server's administrator")
}

#[cfg(test)]
mod tests {
    use transport::message::{
        Accounts, Check, Housekeep, HousekeepLog, Init, Open, Repair, SetSlots, UsageAsk, WantedAsk, admin, archive,
        traffic::{Grain, Of, TrafficAsk},
    };

    use super::*;

    const ROLES: [Role; 4] = [Role::Backup, Role::Append, Role::Read, Role::Admin];

    /// Who may.
    fn may(request: &Request) -> Vec<&'static str> {
        ROLES.into_iter().filter(|role| permit(*role, request).is_ok()).map(Role::name).collect()
    }

    #[test]
    fn a_role_may_what_it_is_for_and_no_more() {
        let all = ["backup", "append", "read", "admin"];
        let writers = ["backup", "admin"];
        let readers = ["backup", "read", "admin"];
        let traffic = |of| Request::Traffic(TrafficAsk { of, grain: Grain::Day, from: 0, until: 1 });
        let name = || "ana".to_owned();
        for request in [Request::Open(Open::default()), Request::Wanted(WantedAsk::default()), traffic(Of::Opened)] {
            assert_eq!(may(&request), all, "{request:?}");
        }
        assert_eq!(may(&Request::Upload(Default::default())), ["backup", "append", "admin"]);
        for request in [
            Request::Accounts(Accounts::default()),
            Request::Check(Check::default()),
            Request::HousekeepLog(HousekeepLog::default()),
            Request::Usage(UsageAsk::default()),
            Request::Repair(Repair { act: false }),
        ] {
            assert_eq!(may(&request), readers, "{request:?}");
        }
        for request in [
            Request::Init(Init { name: name() }),
            Request::SetSlots(SetSlots { slots: Vec::new(), was: None }),
            Request::Housekeep(Housekeep::default()),
            Request::Repair(Repair { act: true }),
        ] {
            assert_eq!(may(&request), writers, "{request:?}");
        }
        let delete = admin::Delete { which: name(), finally: true };
        for request in [
            Request::Account(admin::Account::Delete(delete)),
            Request::Dump(archive::Dump { which: name() }),
            Request::Load(archive::Load::default()),
            traffic(Of::All),
            traffic(Of::Group(name())),
        ] {
            assert_eq!(may(&request), ["admin"], "{request:?}");
        }
    }

    #[test]
    fn append_adds_versions_and_nothing_else() {
        for kind in (0..=u8::MAX).map(LinkKind::from_number) {
            assert_eq!(permit_link(Role::Append, kind).is_ok(), kind.is_version(), "{kind:?}");
            assert_eq!(permit_link(Role::Read, kind).is_ok(), kind.is_version(), "never asked: uploading is refused");
            assert!(permit_link(Role::Backup, kind).is_ok() && permit_link(Role::Admin, kind).is_ok(), "{kind:?}");
        }
    }
}
