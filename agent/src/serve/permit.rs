//! Which role may ask what. The server's own word line decides the role; the client cannot widen it.

use transport::message::Request;

use crate::engine::job::Role;
use crate::fault::{Code, Fault, Result};

/// Refuses a request that the role does not allow.
pub fn permit(role: Role, request: &Request) -> Result<()> {
    let reads = matches!(
        request,
        Request::Open(_)
            | Request::Accounts(_)
            | Request::Links(_)
            | Request::Bodies(_)
            | Request::Under(_)
            | Request::Fetch(_)
            | Request::Check(_)
            | Request::Ask(_)
    );
    let adds = matches!(request, Request::Upload(_));
    let allowed = match role {
        Role::Read => reads,
        // Adds versions; reads nothing but what a backup needs.
        Role::Append => adds || reads && !matches!(request, Request::Fetch(_) | Request::Accounts(_)),
        Role::Backup | Role::Admin => true,
    };
    if allowed {
        return Ok(());
    }
    let name = match role {
        Role::Read => "read",
        Role::Append => "append",
        Role::Backup => "backup",
        Role::Admin => "admin",
    };
    Err(Fault::new(Code::PolicyRole, format!("the role {name} of this key does not allow this"))
        .hint("use a key with another role, or ask the server's administrator"))
}
