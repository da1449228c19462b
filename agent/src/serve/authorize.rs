//! Which SSH keys are let in, for which account and in which role: lines of `authorized_keys` with a forced command.

use std::fs::{self, OpenOptions};
use std::io::{Read as _, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use store::door::random;
use store::id::hex;
use store::vault::{Access, AccountInfo};
use transport::carrier::remote::quote;
use transport::message::admin::{Authorize, Authorized, Revoke, Revoked};

use super::Server;
use super::refuse::Refused;
use crate::engine::job::Role;
use crate::fault::{Code, Fault};
use crate::name::for_terminal;

/// Longest `authorized_keys` that is read: some ten thousand keys.
const FILE_BYTES_MAX: u64 = 16 << 20;
/// Longest public key: an RSA key of 16,384 bits has some 2,800 characters.
const KEY_CHARS_MAX: usize = 8 << 10;

impl Server {
    /// Makes the line that lets a key in, and adds it when that is asked for.
    pub(super) fn authorize(&self, ask: &Authorize) -> Result<Authorized, Refused> {
        let vault = self.vault(Access::Read)?;
        let account = self.meant(&vault, &ask.which)?;
        let Some(role) = Role::named(&ask.role) else {
            return Err(Fault::new(Code::Usage, format!("there is no role {}", ask.role))
                .hint("it is backup, append, read or admin")
                .into());
        };
        let key = public_key(&ask.ssh_key)?;
        let line = format!("restrict,command=\"{}\" {key}", escaped(&self.forced(&account, role)?));
        if !ask.install {
            return Ok(Authorized { line, file: None });
        }
        let mut keys = self.authorized_keys()?;
        if !keys.lines.contains(&line) {
            if let Some(other) = keys.lines.iter().find(|other| holds(other, &key)) {
                let what = if forced_for(other, &account) { "with another role" } else { "for something else" };
                return Err(Fault::new(Code::Usage, format!("this key is let in already, {what}"))
                    .because(other)
                    .hint(format!("tuckbox account revoke {}", account.name))
                    .into());
            }
            keys.lines.push(line.clone());
            keys.write(&random::<8>(&*self.chance))?;
        }
        Ok(Authorized { line, file: Some(keys.name()) })
    }

    /// Takes out the lines that let keys in for an account: all, or that of one key. Other lines stay as they are.
    pub(super) fn revoke(&self, ask: &Revoke) -> Result<Revoked, Refused> {
        let vault = self.vault(Access::Read)?;
        let account = self.meant(&vault, &ask.which)?;
        let key = ask.ssh_key.as_deref().map(public_key).transpose()?;
        let mut keys = self.authorized_keys()?;
        let goes = |line: &String| forced_for(line, &account) && key.as_ref().is_none_or(|key| holds(line, key));
        let (gone, left): (Vec<String>, Vec<String>) = keys.lines.drain(..).partition(goes);
        keys.lines = left;
        if !gone.is_empty() {
            keys.write(&random::<8>(&*self.chance))?;
        }
        Ok(Revoked { file: keys.name(), lines: gone })
    }

    /// The file of the user to whom the vault belongs.
    fn authorized_keys(&self) -> Result<AuthorizedKeys, Refused> {
        let owner = self.disk.exists(&self.path)?.map_or_else(|| self.disk.user(), |found| found.owner);
        let own = self.home.clone().filter(|_| owner == self.disk.user());
        let by_name = || uzers::get_user_by_uid(owner).map(|user| uzers::os::unix::UserExt::home_dir(&user).to_owned());
        match own.or_else(by_name) {
            Some(home) => AuthorizedKeys::read(&home, owner),
            None => Err(Fault::new(Code::System, "the user of the vault has no home directory").into()),
        }
    }

    /// The command that a key is forced to. Accounts stand in it by number, which a new name does not change.
    fn forced(&self, account: &AccountInfo, role: Role) -> Result<String, Refused> {
        let program = std::env::current_exe()
            .map_err(|cause| Fault::new(Code::System, "the program does not know its own path").because(cause))?;
        let word = |path: &Path| match path.to_str() {
            Some(path) if !path.chars().any(char::is_control) => Ok(quote(path)),
            _ => Err(Fault::new(Code::Usage, "a path with such bytes cannot stand in authorized_keys")),
        };
        let (program, vault) = (word(&program)?, word(&self.path)?);
        Ok(format!("{program} serve --stdio --vault={vault} {} --role={}", account_word(account), role.name()))
    }
}

fn account_word(account: &AccountInfo) -> String {
    format!("--account={:#x}", account.number)
}

/// A public key as type, base64 and comment in one line.
fn public_key(text: &str) -> Result<String, Refused> {
    let bad = |why: &str| {
        Fault::new(Code::Usage, format!("this is not an SSH public key: {why}"))
            .hint("name its .pub file, as in --ssh-key ~/.ssh/id_ed25519.pub")
    };
    let text = text.trim();
    if text.len() > KEY_CHARS_MAX || text.chars().any(char::is_control) {
        return Err(bad("it is not one line").into());
    }
    let mut words = text.split_whitespace();
    let (kind, blob) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let known = ["ssh-", "ecdsa-sha2-", "sk-ssh-", "sk-ecdsa-sha2-"].iter().any(|start| kind.starts_with(start));
    let plain = |c: char| c.is_ascii_alphanumeric() || "+/=".contains(c);
    if !known || !kind.chars().all(|c| c.is_ascii_alphanumeric() || "-@.".contains(c)) {
        return Err(bad("it does not begin with the type of a key").into());
    }
    if blob.len() < 16 || !blob.chars().all(plain) {
        return Err(bad("what follows its type is not base64").into());
    }
    let comment = words.collect::<Vec<_>>().join(" ");
    Ok(format!("{kind} {blob} {comment}").trim_end().to_owned())
}

/// In the quotes of an option.
fn escaped(command: &str) -> String {
    command.replace('"', "\\\"")
}

/// Whether a line lets in this key, whatever its comment.
fn holds(line: &str, key: &str) -> bool {
    key.split(' ').nth(1).is_some_and(|blob| line.split_whitespace().any(|word| word == blob))
}

/// Whether a line is one that [`Server::authorize`] made for this account.
fn forced_for(line: &str, account: &AccountInfo) -> bool {
    line.starts_with("restrict,command=\"")
        && line.contains(" serve --stdio ")
        && line.contains(&format!(" {} ", account_word(account)))
}

/// An `authorized_keys`.
struct AuthorizedKeys {
    path: PathBuf,
    lines: Vec<String>,
    owner: u32,
    /// Permission bits of the file that was there.
    mode: u32,
}

impl AuthorizedKeys {
    fn read(home: &Path, owner: u32) -> Result<Self, Refused> {
        let path = home.join(".ssh").join("authorized_keys");
        let failed = |cause: std::io::Error| cannot("read", &path, &cause);
        let file = OpenOptions::new().read(true).custom_flags(libc_nofollow()).open(&path);
        let mut file = match file {
            Err(cause) if cause.kind() == std::io::ErrorKind::NotFound => {
                return Ok(Self { path, lines: Vec::new(), owner, mode: 0o600 });
            }
            other => other.map_err(failed)?,
        };
        let meta = file.metadata().map_err(failed)?;
        if !meta.is_file() || meta.len() > FILE_BYTES_MAX {
            return Err(cannot("read", &path, &std::io::Error::other("it is no file, or too large")));
        }
        let mut text = String::new();
        std::io::Read::take(&mut file, FILE_BYTES_MAX).read_to_string(&mut text).map_err(failed)?;
        let mode = meta.permissions().mode() & 0o777;
        Ok(Self { path, lines: text.lines().map(str::to_owned).collect(), owner, mode })
    }

    /// Replaces the file as a whole: nobody is locked out by half of it.
    fn write(&self, random: &[u8]) -> Result<(), Refused> {
        let failed = |cause: std::io::Error| cannot("write", &self.path, &cause);
        let Some(dir) = self.path.parent() else { return Ok(()) };
        if !dir.exists() {
            fs::create_dir(dir).map_err(failed)?;
            fs::set_permissions(dir, fs::Permissions::from_mode(0o700)).map_err(failed)?;
            std::os::unix::fs::chown(dir, Some(self.owner), None).map_err(failed)?;
        }
        let temporary = dir.join(format!("authorized_keys.{}", hex(random)));
        let made = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&temporary);
        let done = made.and_then(|mut file| {
            for line in &self.lines {
                writeln!(file, "{line}")?;
            }
            std::os::unix::fs::fchown(&file, Some(self.owner), None)?;
            file.set_permissions(fs::Permissions::from_mode(self.mode))?;
            file.sync_all()?;
            fs::rename(&temporary, &self.path)
        });
        if done.is_err() {
            // A left-over file of ours harms nobody.
            fs::remove_file(&temporary).unwrap_or_default();
        }
        done.map_err(failed)
    }

    fn name(&self) -> String {
        for_terminal(self.path.as_os_str().as_encoded_bytes())
    }
}

fn libc_nofollow() -> i32 {
    i32::try_from(rustix::fs::OFlags::NOFOLLOW.bits() | rustix::fs::OFlags::NONBLOCK.bits()).unwrap_or(0)
}

fn cannot(what: &str, path: &Path, cause: &std::io::Error) -> Refused {
    let path = for_terminal(path.as_os_str().as_encoded_bytes());
    Fault::new(Code::of(cause), format!("cannot {what} {path} on the server ({})", cause.kind())).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJqfdpVSZcXYYqSQjdx3mCPd6EwPhuxtAJ6r ana@laptop";

    #[test]
    fn only_a_public_key_in_one_line_is_taken() {
        assert_eq!(public_key(&format!("  {KEY}\n")).ok().as_deref(), Some(KEY));
        for bad in [
            "",
            "ssh-ed25519",
            "ssh-ed25519 short",
            "ssh-ed25519 AAAA\"BBBBBBBBBBBBBBBB",
            "-----BEGIN OPENSSH PRIVATE KEY-----",
            "command=\"x\" ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJqfdpVSZcXYYqSQjdx3mCPd6EwPhuxtAJ6r",
            &format!("{KEY}\n{KEY}"),
        ] {
            assert!(public_key(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_line_is_known_by_its_key_whatever_its_comment() {
        let other = KEY.replace("ana@laptop", "bob");
        assert!(holds(&format!("restrict,command=\"x\" {other}"), KEY));
        assert!(!holds("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAsomethingelse", KEY));
    }
}
