//! `key`: the key on this machine, the ways to open it, and its way back.

use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;

use clap::{Arg, ArgMatches, Command};
use serde::Serialize;

use super::{Changes, Verb, file, switch, with_verbs_below};
use crate::ask::PassphraseSource;
use crate::cli::table::{Side, Table};
use crate::cli::{Desk, Extras, Face};
use crate::engine::job::{KeyAddJob, KeyInfo, KeyRow, KeyWords, Run};
use crate::fault::{Code, Exit, Fault, Result};
use crate::name::{for_terminal, harmless_line};
use crate::plain_file;

pub(super) const VERB: Verb = Verb {
    name: "key",
    about: "Show, protect, copy, recover and renew the key",
    examples: &[
        "key words",
        "key list",
        "key passwd",
        "key export -o laptop.key",
        "key recover --vault ssh://me@backup.example.org/srv/vault",
    ],
    build,
    run,
    needs_config: true,
    changes: Changes::Vault,
};

fn build(command: Command) -> Command {
    let new_passphrase = || {
        Arg::new("new-password-file")
            .long("new-password-file")
            .value_name("FILE")
            .help("Read the new passphrase from a file (fd:N for a descriptor)")
    };
    with_verbs_below(command)
        .subcommand(Command::new("list").about("Show the key of this account and the ways to open it"))
        .subcommand(
            Command::new("add")
                .about("Add a passphrase that opens the key")
                .arg(switch("in-vault", "Keep it in the vault and not in the key file"))
                .arg(Arg::new("label").long("label").value_name("TEXT").help("A label"))
                .arg(new_passphrase()),
        )
        .subcommand(
            Command::new("remove")
                .about("Remove a way to open the key")
                .arg(Arg::new("slot").value_name("SLOT").required(true).help("As `key list` shows it")),
        )
        .subcommand(
            Command::new("passwd")
                .about("Change the passphrase of the key file; no other opens it any more")
                .arg(new_passphrase()),
        )
        .subcommand(
            Command::new("export").about("Copy the key file, to be kept elsewhere").arg(
                file("output", "FILE", "Write to this file (must not exist) and not to standard output").short('o'),
            ),
        )
        .subcommand(
            Command::new("pin")
                .about("Show the pin: where the history ends, to be kept on paper or elsewhere (`check --pin`)"),
        )
        .subcommand(Command::new("words").about("Show the 24 recovery words, to be written down"))
        .subcommand(
            Command::new("recover")
                .about("Make the key of an account again from its recovery words")
                .arg(
                    Arg::new("words-file")
                        .long("words-file")
                        .value_name("FILE")
                        .help("Read the words from a file (fd:N for a descriptor)"),
                )
                .arg(new_passphrase()),
        )
        .subcommand(Command::new("rotate").about("Seal what comes from now on with a new key"))
}

#[derive(Serialize)]
struct InfoRecord<'a> {
    account: &'a str,
    vault_id: &'a str,
    file: String,
    words_shown: bool,
}

#[derive(Serialize)]
struct WordsRecord<'a> {
    account: &'a str,
    vault: &'a str,
    vault_id: &'a str,
    words: &'a str,
}

#[derive(Serialize)]
struct ExportRecord<'a> {
    file: &'a str,
}

fn run(matches: &ArgMatches, desk: &Desk<'_>) -> Result<Exit> {
    match matches.subcommand() {
        Some(("list", _)) => list(desk),
        Some(("add", below)) => add(below, desk),
        Some(("remove", below)) => remove(below, desk),
        Some(("passwd", below)) => passwd(below, desk),
        Some(("export", below)) => export(below, desk),
        Some(("pin", _)) => pin(desk),
        Some(("words", _)) => words(desk),
        Some(("recover", below)) => recover(below, desk),
        Some(("rotate", _)) => rotate(desk),
        _ => Err(Fault::new(Code::Usage, "say what to do with the key").hint("see `tuckbox help key`")),
    }
}

/// Answers for verbs that make a passphrase.
fn extras(matches: &ArgMatches) -> Extras {
    let new_source = matches.get_one::<String>("new-password-file").cloned().map(PassphraseSource::File);
    Extras { new_source, ..Extras::default() }
}

fn list(desk: &Desk<'_>) -> Result<Exit> {
    let info = desk.engine().key_list(&desk.run()?)?;
    let shown = for_terminal(info.file.as_os_str().as_bytes());
    match &desk.face {
        Face::Json(stream) => {
            stream.record(
                "key",
                &InfoRecord {
                    account: &info.account,
                    vault_id: &info.vault_id,
                    file: shown,
                    words_shown: info.words_shown,
                },
            )?;
            info.slots.iter().try_for_each(|slot| stream.row("slot", slot))?;
        }
        Face::Plain(plain) => {
            plain.line(&format!("Key of {}: {shown}", harmless_line(&info.account)))?;
            slots(&info).lines().iter().try_for_each(|line| plain.line(line))?;
            if !info.words_shown {
                plain.note("The recovery words were never shown. Next:  tuckbox key words")?;
            }
        }
    }
    Ok(Exit::Ok)
}

fn slots(info: &KeyInfo) -> Table {
    let mut table =
        Table::new(&[("SLOT", Side::Left), ("OPENS WITH", Side::Left), ("WHERE", Side::Left), ("LABEL", Side::Left)]);
    for slot in &info.slots {
        let with = if slot.passphrase { format!("passphrase ({})", slot.cost) } else { "the file alone".to_owned() };
        let place = if slot.in_vault { "vault" } else { "key file" };
        table.row(vec![harmless_line(&slot.slot), with, place.to_owned(), harmless_line(&slot.label)]);
    }
    table
}

fn done(desk: &Desk<'_>, what: &str, row: &KeyRow) -> Result<Exit> {
    desk.face.row("slot", row)?;
    let place = if row.in_vault { "in the vault" } else { "in the key file" };
    desk.face.say(&format!("{what} slot {} {place}.", harmless_line(&row.slot)))?;
    Ok(Exit::Ok)
}

fn add(matches: &ArgMatches, desk: &Desk<'_>) -> Result<Exit> {
    let job = KeyAddJob { in_vault: matches.get_flag("in-vault"), label: matches.get_one::<String>("label").cloned() };
    let row = desk.engine().key_add(&desk.run_with(extras(matches))?, job)?;
    done(desk, "Added", &row)
}

fn remove(matches: &ArgMatches, desk: &Desk<'_>) -> Result<Exit> {
    let slot = matches.get_one::<String>("slot").map_or("", String::as_str);
    let row = desk.engine().key_remove(&desk.run()?, slot)?;
    done(desk, "Removed", &row)
}

fn passwd(matches: &ArgMatches, desk: &Desk<'_>) -> Result<Exit> {
    let changed = desk.engine().key_passwd(&desk.run_with(extras(matches))?)?;
    done(desk, "Changed", &changed.slot)?;
    // One before is what was to be changed; further ones may be missed.
    if changed.removed > 1 {
        let gone = format!("The {} ways to open the key file before are gone; this is the only one.", changed.removed);
        desk.face.say(&gone)?;
    }
    Ok(Exit::Ok)
}

fn export(matches: &ArgMatches, desk: &Desk<'_>) -> Result<Exit> {
    let output = matches.get_one::<OsString>("output");
    if output.is_none() && desk.face.is_json() {
        return Err(Fault::new(Code::Usage, "with --json the records need standard output for themselves")
            .hint("write the key to a file: `-o FILE`"));
    }
    let key = desk.engine().key_export(&desk.run()?)?;
    let Some(output) = output else {
        desk.world.stdout.write(&key)?;
        return Ok(Exit::Ok);
    };
    let name = for_terminal(output.as_bytes());
    let failed = |e: std::io::Error| Fault::new(Code::of(&e), format!("cannot write the key to {name}")).because(e);
    plain_file::write_new(&desk.world.working.join(output), &key).map_err(failed)?;
    desk.face.row("key_export", &ExportRecord { file: &name })?;
    desk.face
        .say(&format!("Wrote the key to {name}. Whoever has it can read the backups; keep it apart from the vault."))?;
    Ok(Exit::Ok)
}

fn pin(desk: &Desk<'_>) -> Result<Exit> {
    let row = desk.engine().key_pin(&desk.run()?)?;
    match &desk.face {
        Face::Json(stream) => stream.record("pin", &row)?,
        Face::Plain(plain) => {
            plain.note(&format!(
                "The history of {} ends here now. Keep this apart from this machine and from the vault: it is no secret.",
                harmless_line(&row.account)
            ))?;
            plain.line(&row.pin.to_string())?;
            plain
                .note("Whoever may have put the vault back to an earlier state is told by:  tuckbox check --pin PIN")?;
        }
    }
    Ok(Exit::Ok)
}

fn words(desk: &Desk<'_>) -> Result<Exit> {
    show_words(desk, &desk.run()?)?;
    Ok(Exit::Ok)
}

/// Shows the recovery words; also offered by `init`.
pub(super) fn show_words(desk: &Desk<'_>, run: &Run) -> Result<()> {
    let KeyWords { account, vault, vault_id, words } = desk.engine().key_words(run)?;
    match &desk.face {
        Face::Json(stream) => {
            let record = WordsRecord { account: &account, vault: &vault, vault_id: &vault_id, words: &words };
            stream.record("words", &record)?;
        }
        Face::Plain(plain) => {
            plain.note(
                "Write these 24 words down, in this order, and keep them apart from this machine. They are the key.",
            )?;
            let all: Vec<&str> = words.split_whitespace().collect();
            for (row, six) in all.chunks(6).enumerate() {
                let cells =
                    six.iter().enumerate().map(|(column, word)| format!("{:>2} {word:<10}", row * 6 + column + 1));
                plain.line(cells.collect::<Vec<_>>().join(" ").trim_end())?;
            }
            // Whoever finds the sheet knows what it opens.
            plain.line(&format!("ACCOUNT {}  VAULT {}", harmless_line(&account), harmless_line(&vault)))?;
            plain.note("With them, `tuckbox key recover --vault VAULT` makes the key again on any machine.")?;
        }
    }
    Ok(())
}

fn recover(matches: &ArgMatches, desk: &Desk<'_>) -> Result<Exit> {
    let words_source = matches.get_one::<String>("words-file").cloned().map(PassphraseSource::File);
    let run = desk.run_with(Extras { words_source, ..extras(matches) })?;
    let made = desk.engine().key_recover(&run)?;
    let account = harmless_line(&made.account);
    desk.face.say(&format!("Made the key of {account} again: {}", harmless_line(&made.key_file)))?;
    super::init::tell_used(&desk.face, &made)?;
    desk.face.summary("key", &made)?;
    desk.face.say("Next:  tuckbox versions")?;
    Ok(Exit::Ok)
}

fn rotate(desk: &Desk<'_>) -> Result<Exit> {
    let rotated = desk.engine().key_rotate(&desk.run()?)?;
    desk.face
        .say(&format!("From now on sealing key {} is used; older ones still open what they sealed.", rotated.key_id))?;
    desk.face.summary("key", &rotated)?;
    Ok(Exit::Ok)
}
