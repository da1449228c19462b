//! The SSH agent: which keys it holds, and its signatures.

use std::path::Path;

use russh::keys::agent::{AgentIdentity, AgentSessionBinding, client::AgentClient};
use tokio::net::UnixStream;

/// More keys than this are not looked at; a server takes about six attempts anyway.
const IDENTITIES_MAX: usize = 256;

/// A connection to the agent, and what it holds.
pub(super) struct Agent {
    pub(super) client: AgentClient<UnixStream>,
    pub(super) identities: Vec<AgentIdentity>,
}

impl Agent {
    /// Asks the agent at this socket for its keys. `binding` tells it for which server the signatures are, so that
    /// keys which may be used for some hosts only can be used at all.
    ///
    /// # Errors
    /// One sentence.
    pub(super) async fn ask(socket: &Path, binding: Option<&AgentSessionBinding>) -> Result<Self, String> {
        let failed = |e: &dyn ToString| format!("the SSH agent at {}: {}", socket.display(), e.to_string());
        let mut client = AgentClient::connect(UnixStream::connect(socket).await.map_err(|e| failed(&e))?);
        if let Some(binding) = binding {
            // Agents that do not know this extension say so, and are none the worse.
            drop(client.bind_session(binding, false).await);
        }
        let mut identities = client.request_identities().await.map_err(|e| failed(&e))?;
        identities.truncate(IDENTITIES_MAX);
        Ok(Self { client, identities })
    }
}

/// What an agent calls the key.
pub(super) fn comment(identity: &AgentIdentity) -> &str {
    match identity {
        AgentIdentity::PublicKey { comment, .. } | AgentIdentity::Certificate { comment, .. } => comment,
    }
}
