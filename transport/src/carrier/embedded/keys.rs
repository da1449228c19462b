//! Key files of the user: which there are, what is public of them, and their signatures.
//!
//! A passphrase is asked for only when the server has said that it would take the key.

use std::{
    fs,
    io::{self, Read},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use russh::keys::{
    Certificate, HashAlg, PrivateKey, PublicKey, decode_secret_key,
    signature::Signer,
    ssh_encoding::Encode,
    ssh_key::{Signature, private::KeypairData},
};
use zeroize::Zeroizing;

use super::connect::Asker;

/// No key is longer.
const FILE_BYTES_MAX: u64 = 64 << 10;
/// How often a passphrase may be wrong.
const TRIES: usize = 3;

/// One key file.
pub(super) struct KeyFile {
    pub(super) path: PathBuf,
    pub(super) public: PublicKey,
    text: Zeroizing<String>,
    private: Option<PrivateKey>,
}

/// What is wrong with a key file that is there.
pub(super) enum Unusable {
    /// One sentence.
    Because(String),
    /// It shows its public half only after a passphrase.
    Locked(Zeroizing<String>),
}

impl KeyFile {
    /// Reads a key file. `None` when it is not there.
    pub(super) fn read(path: &Path) -> Option<Result<Self, Unusable>> {
        let because = |why: String| Some(Err(Unusable::Because(format!("{}: {why}", path.display()))));
        let text = match read_private(path) {
            Ok(text) => text,
            Err(e) if matches!(e.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => return None,
            Err(e) => return because(e.to_string()),
        };
        // Keys of OpenSSH's own format show their public half, others only when they are open.
        let (public, private) = match PrivateKey::from_openssh(text.as_bytes()) {
            Ok(key) => (key.public_key().clone(), (!key.is_encrypted()).then_some(key)),
            Err(_) => match (decode_secret_key(&text, None), read_public(path)) {
                (Ok(key), _) => (key.public_key().clone(), Some(key)),
                (Err(_), Some(public)) => (public, None),
                (Err(_), None) if text.contains("ENCRYPTED") => return Some(Err(Unusable::Locked(text))),
                (Err(e), None) => return because(format!("it is no private key that is understood ({e})")),
            },
        };
        Some(Ok(Self { path: path.to_owned(), public, text, private }))
    }

    /// Opens a key that shows nothing before.
    pub(super) async fn unlock(path: &Path, text: Zeroizing<String>, asker: &Asker) -> Result<Self, String> {
        let private = open(path, text.clone(), asker).await?;
        Ok(Self { path: path.to_owned(), public: private.public_key().clone(), text, private: Some(private) })
    }

    /// Appends the signature over `data` to it, as the login request wants it.
    pub(super) async fn sign(
        &mut self,
        hash: Option<HashAlg>,
        mut data: Vec<u8>,
        asker: &Asker,
    ) -> Result<Vec<u8>, String> {
        if self.private.is_none() {
            self.private = Some(open(&self.path, self.text.clone(), asker).await?);
        }
        let Some(private) = &self.private else { return Err("no private key".to_owned()) };
        let signed: Result<Signature, _> = match private.key_data() {
            KeypairData::Rsa(pair) => (pair, hash).try_sign(&data),
            _ => private.try_sign(&data),
        };
        let failed = |e: &dyn ToString| format!("{}: it does not sign: {}", self.path.display(), e.to_string());
        let mut signature = Vec::new();
        signed.map_err(|e| failed(&e))?.encode(&mut signature).map_err(|e| failed(&e))?;
        signature.encode(&mut data).map_err(|e| failed(&e))?;
        Ok(data)
    }
}

/// The certificates for a list of keys: those named, and those that stand beside their key.
pub(super) fn certificates(named: &[PathBuf], keys: &[PathBuf]) -> Vec<Certificate> {
    let beside = keys.iter().map(|key| suffixed(key, "-cert.pub"));
    named
        .iter()
        .cloned()
        .chain(beside)
        .filter_map(|path| Certificate::from_openssh(read_text(&path).ok()?.trim()).ok())
        .collect()
}

/// Asks for the passphrase and opens the key.
async fn open(path: &Path, text: Zeroizing<String>, asker: &Asker) -> Result<PrivateKey, String> {
    let shown = path.display().to_string();
    if !asker.may_ask() {
        return Err(format!("{shown} has a passphrase, and nobody is there to ask"));
    }
    let asked = asker.ask(move |prompt| {
        for _ in 0..TRIES {
            let passphrase = prompt.passphrase(&format!("the passphrase of {shown}"))?;
            if let Ok(key) = decode_secret_key(&text, Some(&passphrase)) {
                return Some(key);
            }
            prompt.notice(&format!("this is not the passphrase of {shown}"));
        }
        None
    });
    asked.await.flatten().ok_or_else(|| format!("{} was not opened", path.display()))
}

fn suffixed(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

fn read_public(path: &Path) -> Option<PublicKey> {
    PublicKey::from_openssh(read_text(&suffixed(path, ".pub")).ok()?.trim()).ok()
}

fn read_text(path: &Path) -> io::Result<Zeroizing<String>> {
    let mut text = Zeroizing::new(String::new());
    fs::File::open(path)?.take(FILE_BYTES_MAX).read_to_string(&mut text)?;
    Ok(text)
}

/// As ssh, refuses a key of ours that others can read.
fn read_private(path: &Path) -> io::Result<Zeroizing<String>> {
    let about = fs::metadata(path)?;
    if about.uid() == rustix::process::getuid().as_raw() && about.mode() & 0o077 != 0 {
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, "other users can read it, so it is not used"));
    }
    read_text(path)
}
