//! Which SSH keys are let in, for which account and in which role: lines of `authorized_keys` with a forced command.

use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, FlockOperation, Mode, OFlags, flock};
use rustix::io::Errno;
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

/// An `authorized_keys`. Whoever owns the home can put anything in its place while root works on it; so it is reached by
/// descriptors alone, no symlink is followed, and nothing is read or replaced that is not that user's own.
struct AuthorizedKeys {
    /// For people.
    path: PathBuf,
    /// The folder that holds it, when there is one.
    dir: Option<OwnedFd>,
    /// That user's home.
    home: OwnedFd,
    lines: Vec<String>,
    owner: u32,
    /// Permission bits of the file that was there.
    mode: u32,
}

/// Name of the folder and of the file.
const FOLDER: &str = ".ssh";
const FILE: &str = "authorized_keys";

impl AuthorizedKeys {
    fn read(home: &Path, owner: u32) -> Result<Self, Refused> {
        let path = home.join(FOLDER).join(FILE);
        let failed = |cause: io::Error| cannot("read", &path, &cause);
        let folder = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let home = rustix::fs::open(home, folder, Mode::empty()).map_err(|e| failed(e.into()))?;
        // From what is read to what replaces it; the lock goes with the descriptor. Whoever owns the home may hold it for
        // ever, so it is not waited for, and where there are no locks it has to do without.
        if flock(&home, FlockOperation::NonBlockingLockExclusive) == Err(Errno::WOULDBLOCK) {
            return Err(Fault::new(Code::SourceBusy, "somebody else changes authorized_keys now")
                .hint("run the same command again")
                .into());
        }
        let dir = match rustix::fs::openat(&home, FOLDER, folder | OFlags::NOFOLLOW, Mode::empty()) {
            Err(Errno::NOENT) => None,
            other => Some(other.map_err(|e| failed(e.into()))?),
        };
        let mut keys = Self { path: path.clone(), dir, home, lines: Vec::new(), owner, mode: 0o600 };
        let Some(dir) = &keys.dir else { return Ok(keys) };
        own(dir.as_fd(), owner).map_err(failed)?;
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW | OFlags::NONBLOCK;
        let file = match rustix::fs::openat(dir, FILE, flags, Mode::empty()) {
            Err(Errno::NOENT) => return Ok(keys),
            other => File::from(other.map_err(|e| failed(e.into()))?),
        };
        own(file.as_fd(), owner).map_err(failed)?;
        let meta = file.metadata().map_err(failed)?;
        if !meta.is_file() || meta.len() > FILE_BYTES_MAX {
            return Err(failed(io::Error::other("it is no file, or too large")));
        }
        let mut text = String::new();
        file.take(FILE_BYTES_MAX).read_to_string(&mut text).map_err(failed)?;
        keys.mode = meta.permissions().mode() & 0o777;
        keys.lines = text.lines().map(str::to_owned).collect();
        Ok(keys)
    }

    /// Replaces the file as a whole: nobody is locked out by half of it.
    fn write(&mut self, random: &[u8]) -> Result<(), Refused> {
        self.replace(&format!("{FILE}.{}", hex(random))).map_err(|cause| cannot("write", &self.path, &cause))
    }

    fn replace(&mut self, temporary: &str) -> io::Result<()> {
        let dir = match self.dir.take() {
            Some(dir) => dir,
            None => self.make_folder()?,
        };
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        let file = rustix::fs::openat(&dir, temporary, flags, Mode::RUSR | Mode::WUSR)?;
        let done = self.fill(File::from(file)).and_then(|()| {
            rustix::fs::renameat(&dir, temporary, &dir, FILE)?;
            Ok(rustix::fs::fsync(&dir)?)
        });
        if done.is_err() {
            // A left-over file of ours harms nobody.
            rustix::fs::unlinkat(&dir, temporary, AtFlags::empty()).unwrap_or_default();
        }
        self.dir = Some(dir);
        done
    }

    fn make_folder(&self) -> io::Result<OwnedFd> {
        rustix::fs::mkdirat(&self.home, FOLDER, Mode::RWXU)?;
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        let dir = rustix::fs::openat(&self.home, FOLDER, flags, Mode::empty())?;
        // Still the one that was just made, or one of theirs.
        let is_ours = rustix::fs::fstat(&dir)?.st_uid == rustix::process::geteuid().as_raw();
        if !is_ours {
            own(dir.as_fd(), self.owner)?;
        }
        std::os::unix::fs::fchown(&dir, Some(self.owner), None)?;
        Ok(dir)
    }

    fn fill(&self, mut file: File) -> io::Result<()> {
        for line in &self.lines {
            writeln!(file, "{line}")?;
        }
        std::os::unix::fs::fchown(&file, Some(self.owner), None)?;
        file.set_permissions(fs::Permissions::from_mode(self.mode))?;
        file.sync_all()
    }

    fn name(&self) -> String {
        for_terminal(self.path.as_os_str().as_encoded_bytes())
    }
}

/// Refuses what does not belong to this user: a link to somebody else's file, or folder.
fn own(file: BorrowedFd<'_>, owner: u32) -> io::Result<()> {
    match rustix::fs::fstat(file)?.st_uid == owner {
        true => Ok(()),
        false => Err(io::Error::new(io::ErrorKind::PermissionDenied, "it belongs to another user")),
    }
}

fn cannot(what: &str, path: &Path, cause: &io::Error) -> Refused {
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

    fn homes() -> (tempfile::TempDir, PathBuf, u32) {
        let dir = tempfile::tempdir().unwrap();
        let home = dir.path().join("home");
        fs::create_dir(&home).unwrap();
        let owner = rustix::process::geteuid().as_raw();
        (dir, home, owner)
    }

    fn added(home: &Path, owner: u32) -> Result<(), Refused> {
        let mut keys = AuthorizedKeys::read(home, owner)?;
        keys.lines.push(KEY.to_owned());
        keys.write(b"12345678")
    }

    #[test]
    fn a_line_is_added_and_the_rest_stays() {
        let (_dir, home, owner) = homes();
        assert!(added(&home, owner).is_ok());
        let file = home.join(".ssh/authorized_keys");
        fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
        assert!(added(&home, owner).is_ok());
        assert_eq!(fs::read_to_string(&file).unwrap(), format!("{KEY}\n{KEY}\n"));
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o644);
        assert_eq!(fs::metadata(home.join(".ssh")).unwrap().permissions().mode() & 0o777, 0o700);
        assert_eq!(fs::read_dir(home.join(".ssh")).unwrap().count(), 1);
    }

    /// Who owns the home of a vault's user, and waits for root to let a key in.
    #[test]
    fn links_to_what_is_somebody_elses_are_not_followed() {
        let (dir, home, owner) = homes();
        let other = dir.path().join("other");
        fs::create_dir(&other).unwrap();
        fs::write(other.join("authorized_keys"), "theirs\n").unwrap();
        std::os::unix::fs::symlink(&other, home.join(".ssh")).unwrap();
        assert!(added(&home, owner).is_err());
        fs::remove_file(home.join(".ssh")).unwrap();
        fs::create_dir(home.join(".ssh")).unwrap();
        std::os::unix::fs::symlink(other.join("authorized_keys"), home.join(".ssh/authorized_keys")).unwrap();
        assert!(added(&home, owner).is_err());
        assert_eq!(fs::read_to_string(other.join("authorized_keys")).unwrap(), "theirs\n");
        // A hard link is the file itself: whose it is tells.
        fs::remove_file(home.join(".ssh/authorized_keys")).unwrap();
        fs::hard_link(other.join("authorized_keys"), home.join(".ssh/authorized_keys")).unwrap();
        assert!(added(&home, owner + 1).is_err());
    }

    #[test]
    fn two_at_once_lose_no_line() {
        let (_dir, home, owner) = homes();
        let mut first = AuthorizedKeys::read(&home, owner).unwrap_or_else(|_| panic!("nobody else is there"));
        let Err(busy) = added(&home, owner) else { panic!("it is not held") };
        assert!(matches!(busy, Refused::Told(fault) if fault.code == Code::SourceBusy));
        first.lines.push("first".to_owned());
        assert!(first.write(b"12345678").is_ok());
        drop(first);
        assert!(added(&home, owner).is_ok());
        let text = fs::read_to_string(home.join(".ssh/authorized_keys")).unwrap();
        assert_eq!(text, format!("first\n{KEY}\n"));
    }

    #[test]
    fn a_line_is_known_by_its_key_whatever_its_comment() {
        let other = KEY.replace("ana@laptop", "bob");
        assert!(holds(&format!("restrict,command=\"x\" {other}"), KEY));
        assert!(!holds("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAsomethingelse", KEY));
    }
}
