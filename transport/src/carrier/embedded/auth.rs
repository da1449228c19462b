//! Logging in: keys of the agent, key files, and at a terminal questions and passwords, in ssh's order.

use russh::{
    MethodKind, MethodSet, SendError,
    client::{AuthResult, Handle, KeyboardInteractiveAuthResponse as Answered},
    keys::{Algorithm, Certificate, HashAlg, PublicKey, agent::AgentIdentity},
};
use zeroize::Zeroizing;

use super::{
    agent::{self, Agent},
    connect::{Asker, Door},
    keys::{self, KeyFile, Unusable},
};
use crate::{
    carrier::config::Host,
    error::{Error, Result, harmless},
};

/// Rounds of questions that one login may have; a server that asks for ever is left.
const ROUNDS_MAX: usize = 20;
/// Methods that a server may want one after the other.
const FACTORS_MAX: usize = 5;

/// What came of one method.
enum Outcome {
    In,
    /// The server took it and wants another method.
    More,
    /// Not taken.
    No,
}

struct Login<'a> {
    handle: &'a mut Handle<Door>,
    host: &'a Host,
    asker: &'a Asker,
    /// For the message when nothing helps.
    tried: Vec<String>,
    /// What the server said last that it would take.
    takes: MethodSet,
    /// All keys were shown, and none was taken.
    keys_failed: bool,
}

/// Logs in. Keys are shown at once, where nobody has to be asked for that: a server that wants something else says so in
/// its answer, and to ask it before would cost a round trip.
///
/// # Errors
/// [`Error::Auth`] with all that was tried.
pub(super) async fn log_in(handle: &mut Handle<Door>, host: &Host, asker: &Asker) -> Result<()> {
    let takes = MethodSet::empty();
    let mut login = Login { handle, host, asker, tried: Vec::new(), takes, keys_failed: false };
    let mut outcome = login.begin().await?;
    for _ in 0..FACTORS_MAX {
        match outcome {
            Outcome::In => return Ok(()),
            Outcome::More => outcome = login.try_all().await?,
            Outcome::No => break,
        }
    }
    if matches!(outcome, Outcome::In) { Ok(()) } else { Err(login.refused()) }
}

impl Login<'_> {
    /// The keys, and when they do not help, the question what would.
    async fn begin(&mut self) -> Result<Outcome> {
        if self.host.may_use((&MethodKind::PublicKey).into()) {
            let outcome = self.with_keys(false).await?;
            if !matches!(outcome, Outcome::No) || self.handle.is_closed() {
                return Ok(outcome);
            }
        }
        let result = self.handle.authenticate_none(self.host.user.clone()).await;
        match self.heard(result)? {
            // Nobody is let in for nothing; but now it is known what does help.
            Outcome::No => Ok(Outcome::More),
            other => Ok(other),
        }
    }

    /// What came of a request.
    fn heard(&mut self, result: std::result::Result<AuthResult, russh::Error>) -> Result<Outcome> {
        match result.map_err(|e| self.lost(&e))? {
            AuthResult::Success => Ok(Outcome::In),
            AuthResult::Failure { remaining_methods, partial_success } => {
                Ok(self.refusal(remaining_methods, partial_success))
            }
        }
    }

    /// The server has not let us in, or not yet.
    fn refusal(&mut self, takes: MethodSet, partial_success: bool) -> Outcome {
        // None are named when the connection has ended with this.
        if !takes.is_empty() {
            self.takes = takes;
        }
        if !partial_success {
            return Outcome::No;
        }
        self.keys_failed = false;
        Outcome::More
    }

    /// Each method that the server and the configuration allow, until one gets us further.
    async fn try_all(&mut self) -> Result<Outcome> {
        let allowed = self.takes.clone();
        let methods = [MethodKind::PublicKey, MethodKind::KeyboardInteractive, MethodKind::Password];
        for method in methods {
            let name: &str = (&method).into();
            if !allowed.contains(&method) || !self.host.may_use(name) {
                continue;
            }
            let outcome = match method {
                MethodKind::PublicKey if self.keys_failed => continue,
                MethodKind::PublicKey => self.with_keys(true).await?,
                _ if !self.asker.may_ask() => {
                    self.tried.push(format!("no {name}, as nobody is there to ask"));
                    continue;
                }
                MethodKind::KeyboardInteractive => self.with_questions().await?,
                _ => self.with_password().await?,
            };
            if !matches!(outcome, Outcome::No) {
                return Ok(outcome);
            }
            if self.handle.is_closed() {
                break;
            }
        }
        Ok(Outcome::No)
    }

    fn who(&self) -> String {
        format!("{}@{}", self.host.user, self.host.name)
    }

    fn lost(&self, e: &dyn ToString) -> Error {
        let host = format!("{} port {}", self.host.name, self.host.port);
        Error::Unreachable { host, why: format!("it ended the connection at login: {}", e.to_string()) }
    }

    fn refused(&self) -> Error {
        let takes: Vec<&str> = self.takes.iter().map(Into::into).collect();
        let tried = if self.tried.is_empty() { "nothing".to_owned() } else { self.tried.join(", ") };
        let why = format!("tried {tried}; the server takes {}", takes.join(", "));
        Error::Auth { who: self.who(), why }
    }

    async fn with_password(&mut self) -> Result<Outcome> {
        for _ in 0..self.host.password_prompts() {
            let what = format!("the password of {}", self.who());
            let Some(password) = self.asker.ask(move |prompt| prompt.password(&what)).await.flatten() else { break };
            self.tried.push("a password".to_owned());
            let result = self.handle.authenticate_password(self.host.user.clone(), password.to_string()).await;
            match self.heard(result)? {
                Outcome::No if !self.handle.is_closed() => {}
                other => return Ok(other),
            }
        }
        Ok(Outcome::No)
    }

    async fn with_questions(&mut self) -> Result<Outcome> {
        for _ in 0..self.host.password_prompts() {
            self.tried.push("answers to its questions".to_owned());
            match self.one_interview().await? {
                Some(Outcome::No) if !self.handle.is_closed() => {}
                Some(other) => return Ok(other),
                None => break,
            }
        }
        Ok(Outcome::No)
    }

    /// One round of questions to its end; `None` when the person gave up.
    async fn one_interview(&mut self) -> Result<Option<Outcome>> {
        let user = self.host.user.clone();
        let mut reply = self.handle.authenticate_keyboard_interactive_start(user, None).await;
        for _ in 0..ROUNDS_MAX {
            let (instructions, prompts) = match reply.map_err(|e| self.lost(&e))? {
                Answered::Success => return Ok(Some(Outcome::In)),
                Answered::Failure { remaining_methods, partial_success } => {
                    return Ok(Some(self.refusal(remaining_methods, partial_success)));
                }
                Answered::InfoRequest { instructions, prompts, .. } => (instructions, prompts),
            };
            if !instructions.trim().is_empty() {
                self.asker.notice(&harmless(instructions.as_bytes(), 1000));
            }
            let mut answers: Vec<Zeroizing<String>> = Vec::new();
            for question in prompts.into_iter().take(ROUNDS_MAX) {
                let text = format!("({}) {}", self.who(), harmless(question.prompt.as_bytes(), 400));
                match self.asker.ask(move |prompt| prompt.answer(&text, question.echo)).await.flatten() {
                    Some(answer) => answers.push(answer),
                    None => return Ok(None),
                }
            }
            let answers = answers.iter().map(|a| a.to_string()).collect();
            reply = self.handle.authenticate_keyboard_interactive_respond(answers).await;
        }
        Ok(None)
    }

    /// All keys, one after the other. A key that shows its public half only to who knows its passphrase keeps them all
    /// for later, unless `may_unlock`.
    async fn with_keys(&mut self, may_unlock: bool) -> Result<Outcome> {
        let Some((mut files, certificates)) = self.key_files(may_unlock).await else { return Ok(Outcome::No) };
        let mut agent = match &self.host.agent {
            None => None,
            Some(socket) => match Agent::ask(socket, self.handle.agent_session_binding()).await {
                Ok(agent) => Some(agent),
                Err(why) => {
                    self.tried.push(why);
                    None
                }
            },
        };
        let held = agent.as_ref().map_or(&[][..], |agent| &agent.identities);
        for candidate in candidates(held, &files, certificates, self.host.identities_only) {
            let Some(hash) = self.hash_for(&candidate.algorithm()).await? else { continue };
            self.tried.push(candidate.label.clone());
            let mut hand = Hand { agent: agent.as_mut(), files: &mut files, from: candidate.from, asker: self.asker };
            let user = self.host.user.clone();
            let result = match candidate.shown {
                Shown::Key(key) => self.handle.authenticate_publickey_with(user, key, hash, &mut hand).await,
                Shown::Certificate(c) => self.handle.authenticate_certificate_with(user, *c, hash, &mut hand).await,
            };
            match result {
                Ok(AuthResult::Success) => return Ok(Outcome::In),
                Ok(AuthResult::Failure { remaining_methods, partial_success }) => {
                    let of_use = remaining_methods.contains(&MethodKind::PublicKey) && !self.handle.is_closed();
                    match self.refusal(remaining_methods, partial_success) {
                        Outcome::No if of_use => {}
                        Outcome::No => break,
                        other => return Ok(other),
                    }
                }
                // This key does not sign; another may.
                Err(CannotSign::Because(why)) => self.tried.push(why),
                Err(CannotSign::Gone) => return Err(self.lost(&"the connection is gone")),
            }
        }
        self.keys_failed = true;
        Ok(Outcome::No)
    }

    /// The key files that are there, in order, and all certificates. `None` when somebody would have to be asked first.
    async fn key_files(&mut self, may_unlock: bool) -> Option<(Vec<KeyFile>, Vec<Certificate>)> {
        let (paths, named) = (self.host.identity_files.clone(), self.host.certificate_files.clone());
        let reading = tokio::task::spawn_blocking(move || {
            let certificates = keys::certificates(&named, &paths);
            let files: Vec<_> = paths.into_iter().filter_map(|p| Some((KeyFile::read(&p)?, p))).collect();
            (files, certificates)
        });
        let (read, certificates) = reading.await.unwrap_or_default();
        if !may_unlock && read.iter().any(|(file, _)| matches!(file, Err(Unusable::Locked(_)))) {
            return None;
        }
        let mut files: Vec<KeyFile> = Vec::new();
        for (file, path) in read {
            let file = match file {
                Ok(file) => Ok(file),
                Err(Unusable::Because(why)) => Err(why),
                Err(Unusable::Locked(text)) => KeyFile::unlock(&path, text, self.asker).await,
            };
            match file {
                Ok(file) => files.push(file),
                Err(why) => {
                    self.asker.notice(&why);
                    self.tried.push(why);
                }
            }
        }
        Some((files, certificates))
    }

    /// The hash with which a key of this type signs for this server. `None`: not at all.
    async fn hash_for(&self, algorithm: &Algorithm) -> Result<Option<Option<HashAlg>>> {
        let accepted = self.host.printed.list("pubkeyacceptedalgorithms");
        let allowed = |name: &str| accepted.as_ref().is_none_or(|list| list.iter().any(|n| n == name));
        if !matches!(algorithm, Algorithm::Rsa { .. }) {
            return Ok(allowed(algorithm.as_str()).then_some(None));
        }
        // A server that names nothing takes both, as all of the last ten years do; SHA-1 alone is not used.
        let named = self.handle.best_supported_rsa_hash().await.map_err(|e| self.lost(&e))?;
        Ok(match named {
            Some(None) => None,
            Some(Some(HashAlg::Sha256)) if allowed("rsa-sha2-256") => Some(Some(HashAlg::Sha256)),
            _ if allowed("rsa-sha2-512") => Some(Some(HashAlg::Sha512)),
            _ if allowed("rsa-sha2-256") => Some(Some(HashAlg::Sha256)),
            _ => None,
        })
    }
}

/// Who signs.
#[derive(Clone)]
enum Holder {
    Agent(Box<AgentIdentity>),
    File(usize),
}

/// What the server is shown.
enum Shown {
    Key(PublicKey),
    Certificate(Box<Certificate>),
}

struct Candidate {
    label: String,
    shown: Shown,
    from: Holder,
}

impl Candidate {
    fn algorithm(&self) -> Algorithm {
        match &self.shown {
            Shown::Key(key) => key.algorithm(),
            Shown::Certificate(certificate) => certificate.algorithm(),
        }
    }
}

/// ssh's order: configured keys that the agent holds, the agent's others unless only configured ones are wanted, and
/// the files. A certificate goes before its key. Keys are compared by their bytes, as comments differ.
fn candidates(held: &[AgentIdentity], files: &[KeyFile], certificates: Vec<Certificate>, only: bool) -> Vec<Candidate> {
    let configured = |key: &PublicKey| files.iter().position(|file| file.public.key_data() == key.key_data());
    let mut all: Vec<(usize, Candidate)> = Vec::new();
    for identity in held {
        let label = format!("key \"{}\" of the agent", harmless(agent::comment(identity).as_bytes(), 100));
        let from = Holder::Agent(Box::new(identity.clone()));
        let (public, shown) = match identity {
            AgentIdentity::PublicKey { key, .. } => (key.clone(), Shown::Key(key.clone())),
            AgentIdentity::Certificate { certificate, .. } => {
                (certificate.public_key().clone().into(), Shown::Certificate(Box::new(certificate.clone())))
            }
        };
        match configured(&public) {
            Some(at) => all.push((at, Candidate { label, shown, from })),
            None if only => {}
            None => all.push((files.len(), Candidate { label, shown, from })),
        }
    }
    all.sort_by_key(|(at, _)| *at);
    let mut all: Vec<Candidate> = all.into_iter().map(|(_, candidate)| candidate).collect();
    let in_agent = |key: &PublicKey| {
        held.iter().find(|i| matches!(i, AgentIdentity::PublicKey { key: k, .. } if k.key_data() == key.key_data()))
    };
    for (at, file) in files.iter().enumerate().filter(|(_, file)| in_agent(&file.public).is_none()) {
        let label = file.path.display().to_string();
        all.push(Candidate { label, shown: Shown::Key(file.public.clone()), from: Holder::File(at) });
    }
    // Certificates with whoever holds their key.
    let mut first = Vec::new();
    for certificate in certificates {
        let key: PublicKey = certificate.public_key().clone().into();
        let from = match (in_agent(&key), configured(&key)) {
            (Some(identity), _) => Holder::Agent(Box::new(identity.clone())),
            (None, Some(at)) => Holder::File(at),
            (None, None) => continue,
        };
        let label = format!("certificate \"{}\"", harmless(certificate.key_id().as_bytes(), 100));
        first.push(Candidate { label, shown: Shown::Certificate(Box::new(certificate)), from });
    }
    first.extend(all);
    first
}

/// Signs for one candidate.
struct Hand<'a> {
    agent: Option<&'a mut Agent>,
    files: &'a mut [KeyFile],
    from: Holder,
    asker: &'a Asker,
}

enum CannotSign {
    Because(String),
    Gone,
}

impl From<SendError> for CannotSign {
    fn from(_: SendError) -> Self {
        Self::Gone
    }
}

impl russh::Signer for Hand<'_> {
    type Error = CannotSign;

    async fn auth_sign(
        &mut self,
        _: &AgentIdentity,
        hash: Option<HashAlg>,
        data: Vec<u8>,
    ) -> std::result::Result<Vec<u8>, CannotSign> {
        match (&self.from, &mut self.agent) {
            (Holder::Agent(identity), Some(agent)) => agent
                .client
                .sign_request(identity, hash, data)
                .await
                .map_err(|e| CannotSign::Because(format!("the agent does not sign ({e})"))),
            (Holder::Agent(_), None) => Err(CannotSign::Because("the agent is gone".to_owned())),
            (Holder::File(at), _) => match self.files.get_mut(*at) {
                Some(file) => file.sign(hash, data, self.asker).await.map_err(CannotSign::Because),
                None => Err(CannotSign::Because("the key is gone".to_owned())),
            },
        }
    }
}
