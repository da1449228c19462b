//! `init`: makes whatever is missing of vault, account and key.

use clap::{ArgMatches, Command};

use super::{Changes, Verb, switch};
use crate::cli::{Desk, Face};
use crate::engine::job::{InitJob, Made, Run, Used};
use crate::fault::{Exit, Result};
use crate::name::{harmless_line, quoted};

pub(super) const VERB: Verb = Verb {
    name: "init",
    about: "Make a vault, an account and a key, as far as they are missing",
    examples: &[
        "init --vault /media/disk/vault",
        "init --vault ssh://me@backup.example.org/srv/vault --account laptop",
    ],
    build,
    run,
    needs_config: true,
    changes: Changes::Vault,
};

fn build(command: Command) -> Command {
    command.arg(switch("in-vault", "Keep a way to open the key with its passphrase in the vault, too"))
}

fn run(matches: &ArgMatches, desk: &Desk<'_>) -> Result<Exit> {
    let job = InitJob { slot_in_vault: matches.get_flag("in-vault") };
    let run = desk.run()?;
    let made = desk.engine().init(&run, job)?;
    tell(&desk.face, &made)?;
    tell_used(&desk.face, &made)?;
    desk.face.summary("init", &made)?;
    if made.key_made && desk.settings.may_ask {
        offer_words(desk, &run)?;
    }
    if made.vault_made || made.account_made || made.key_made {
        desk.face.say("Next:  tuckbox backup DIR")?;
    } else {
        desk.face.say("Everything was there already.")?;
    }
    Ok(Exit::Ok)
}

/// Shows the recovery words at once, when the person likes to.
fn offer_words(desk: &Desk<'_>, run: &Run) -> Result<()> {
    let question = "Show the 24 recovery words now, to write them down? [Y/n] ";
    let answer = desk.world.keyboard.line(question, true)?.unwrap_or_default();
    if matches!(answer.trim_ascii(), b"" | b"y" | b"Y" | b"yes") { super::key::show_words(desk, run) } else { Ok(()) }
}

/// What was made, for people; also told by the automatic first backup.
pub(super) fn tell(face: &Face, made: &Made) -> Result<()> {
    let account = harmless_line(&made.account);
    if made.vault_made {
        face.say(&format!("Made vault {} (encrypted).", harmless_line(&made.vault)))?;
    }
    if made.account_made {
        face.say(&format!("Made account {account}."))?;
    }
    if made.key_made {
        let key = harmless_line(&made.key_file);
        let passphrase = if made.key_protected { "with a passphrase" } else { "without a passphrase" };
        face.say(&format!("Made key {key}, {passphrase}. Without it nothing can be restored."))?;
        face.say("  Write down the recovery words now:  tuckbox key words")?;
    }
    Ok(())
}

/// Says that commands which name no vault or no account use another one from now on, and how to go back.
pub(super) fn tell_used(face: &Face, made: &Made) -> Result<()> {
    let Some(Used { vault, account }) = &made.used_before else { return Ok(()) };
    face.note(&format!(
        "Commands that name neither vault nor account use {} in {} from now on; until now it was {} in {}.",
        harmless_line(&made.account),
        harmless_line(&made.vault),
        harmless_line(account),
        harmless_line(vault)
    ))?;
    face.note(&format!(
        "  To go back:  tuckbox init --vault {} --account {}",
        quoted(vault.as_bytes()),
        quoted(account.as_bytes())
    ))
}
