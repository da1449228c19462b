//! `serve`: the far side. Standard output belongs to the protocol; nothing here ever writes to it.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;

use clap::{Arg, ArgMatches, Command};
use transport::carrier::remote::read_back;

use super::{Changes, Verb, switch};
use crate::cli::Desk;
use crate::engine::job::{Role, ServeJob};
use crate::fault::{Code, Exit, Fault, Result};
use crate::name::harmless_line;
use crate::world::absolute_plain;

pub(super) const VERB: Verb = Verb {
    name: "serve",
    about: "Answer a client on standard input and output (run by it over SSH)",
    examples: &["serve --stdio --vault /srv/vault --account laptop --role append"],
    build,
    run,
    needs_config: false,
    changes: Changes::Vault,
};

fn build(command: Command) -> Command {
    command.arg(switch("stdio", "Speak over standard input and output").required(true)).arg(
        Arg::new("role")
            .long("role")
            .value_name("ROLE")
            .value_parser(Role::ALL.map(Role::name))
            .help("What the client may do at most; what it asks for can only narrow it [default: backup]"),
    )
}

/// What one command line says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Said {
    vault: Option<PathBuf>,
    account: Option<String>,
    role: Option<Role>,
}

fn run(matches: &ArgMatches, desk: &Desk<'_>) -> Result<Exit> {
    if desk.face.is_json() {
        return Err(Fault::new(Code::Usage, "serve takes no --json: its output is the protocol"));
    }
    let ours = said(matches, desk);
    let vault = ours.vault.clone();
    let asked = match desk.world.env.text("SSH_ORIGINAL_COMMAND")? {
        Some(words) => client_words(&words, desk).and_then(|theirs| narrow(ours, theirs)),
        None => Ok(ours),
    };
    // A client of ours is told in the protocol: what stands on stderr alone would look like a broken login shell.
    let (said, refusal) = match asked {
        Ok(said) => (said, None),
        Err(fault) => (Said { vault, ..Said::default() }, Some(fault)),
    };
    let vault = match said.vault {
        Some(vault) => vault,
        None => desk.world.folders()?.data.join("vault"),
    };
    let job = ServeJob {
        vault,
        account: said.account,
        role: said.role.unwrap_or(Role::Backup),
        home: desk.world.home.clone(),
        client: client(desk)?,
        zone: desk.world.zone.clone(),
        near: false,
        refusal,
    };
    desk.engine().serve(&desk.run()?, job)?;
    Ok(Exit::Ok)
}

/// Where the client comes from: the first word of what sshd says of the connection.
fn client(desk: &Desk<'_>) -> Result<Option<String>> {
    let said = desk.world.env.text("SSH_CONNECTION")?;
    Ok(said.and_then(|said| said.split_whitespace().next().map(harmless_line)))
}

/// Only options count here: a server has no configuration.
fn said(matches: &ArgMatches, desk: &Desk<'_>) -> Said {
    Said {
        vault: matches.get_one::<String>("vault").map(|vault| vault_path(vault, desk)),
        account: matches.get_one::<String>("account").cloned(),
        role: matches.get_one::<String>("role").and_then(|name| Role::named(name)),
    }
}

/// A vault's path is below the home directory, where SSH begins.
fn vault_path(vault: &str, desk: &Desk<'_>) -> PathBuf {
    let home = desk.world.home.as_ref().unwrap_or(&desk.world.working);
    let below = vault.strip_prefix("~/").unwrap_or(vault);
    PathBuf::from(OsString::from_vec(absolute_plain(home, OsStr::new(below))))
}

/// What the words say that a client sent beside a forced command. They are only ever read, never run.
fn client_words(words: &str, desk: &Desk<'_>) -> Result<Said> {
    let refused = || {
        Fault::new(Code::PolicyRole, "this key may only run `tuckbox serve`")
            .because(format!("the client asked for \"{}\"", harmless_line(words)))
    };
    let asked = read_back(words).ok_or_else(refused)?;
    let role = asked.role.map(|name| Role::named(&name).ok_or_else(refused)).transpose()?;
    Ok(Said { vault: asked.vault.map(|vault| vault_path(&vault, desk)), account: asked.account, role })
}

/// What both allow.
fn narrow(ours: Said, theirs: Said) -> Result<Said> {
    let refused = |what: &str| {
        Fault::new(Code::PolicyRole, format!("this key is for another {what} than was asked for"))
            .hint(format!("leave out --{what}, or use a key that is for it"))
    };
    let not_for = |ours: Role, theirs: Role| {
        Fault::new(Code::PolicyRole, format!("this key has the role {} and not {}", ours.name(), theirs.name())).hint(
            format!(
                "use an SSH key that was let in with that role (tuckbox account authorize --role {})",
                theirs.name()
            ),
        )
    };
    let vault = both(ours.vault, theirs.vault).ok_or_else(|| refused("vault"))?;
    let account = both(ours.account, theirs.account).ok_or_else(|| refused("account"))?;
    let role = match (ours.role, theirs.role) {
        (ours, None) => ours,
        (ours, Some(theirs)) => {
            let ours = ours.unwrap_or(Role::Backup);
            if !allows(ours, theirs) {
                return Err(not_for(ours, theirs));
            }
            Some(theirs)
        }
    };
    Ok(Said { vault, account, role })
}

/// The one that is said, or the same said twice.
fn both<T: PartialEq>(ours: Option<T>, theirs: Option<T>) -> Option<Option<T>> {
    match (ours, theirs) {
        (Some(ours), Some(theirs)) if ours != theirs => None,
        (ours, theirs) => Some(ours.or(theirs)),
    }
}

fn allows(ours: Role, theirs: Role) -> bool {
    match ours {
        Role::Admin => theirs == Role::Admin,
        Role::Read => theirs == Role::Read,
        Role::Append => matches!(theirs, Role::Read | Role::Append),
        Role::Backup => theirs != Role::Admin,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn say(vault: Option<&str>, account: Option<&str>, role: Option<Role>) -> Said {
        Said { vault: vault.map(PathBuf::from), account: account.map(str::to_owned), role }
    }

    #[test]
    fn a_client_can_only_narrow() {
        let ours = || say(Some("/srv/v"), None, Some(Role::Append));
        let narrowed = |theirs| narrow(ours(), theirs).map_err(|fault| fault.code);
        assert_eq!(narrowed(say(None, None, None)), Ok(ours()));
        assert_eq!(
            narrowed(say(Some("/srv/v"), Some("ana"), Some(Role::Read))),
            Ok(say(Some("/srv/v"), Some("ana"), Some(Role::Read)))
        );
        assert_eq!(narrowed(say(Some("/srv/w"), None, None)), Err(Code::PolicyRole));
        assert_eq!(narrowed(say(None, None, Some(Role::Backup))), Err(Code::PolicyRole));
        assert_eq!(narrowed(say(None, None, Some(Role::Admin))), Err(Code::PolicyRole));
        let account = narrow(say(None, Some("ana"), None), say(None, Some("bob"), None));
        assert_eq!(account.unwrap_err().code, Code::PolicyRole);
        // Nothing said is `backup`, which does not imply administration.
        assert!(narrow(say(None, None, None), say(None, None, Some(Role::Admin))).is_err());
        let wider = narrow(ours(), say(None, None, Some(Role::Admin))).unwrap_err();
        assert_eq!(wider.message, "this key has the role append and not admin");
        assert!(wider.hint.unwrap().contains("account authorize --role admin"));
    }
}
