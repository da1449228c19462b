//! `account check` and `account refused`: what an administrator can see of accounts without their keys.

use clap::{Arg, ArgMatches, Command};
use serde::Serialize;

use super::switch;
use crate::cli::json::rfc3339;
use crate::cli::table::{Side, Table};
use crate::cli::{Desk, Face};
use crate::engine::job::{CheckAccounts, CheckedAccount, RefusedRow};
use crate::fault::{Code, Exit, Fault, Result};
use crate::name::{for_terminal, harmless_line};
use crate::time::show;
use crate::units::{counted, duration, size};

pub(super) fn check_args(command: Command) -> Command {
    command
        .arg(Arg::new("name").value_name("ACCOUNT").help("The account's name or number (as in laptop-ana, 0x3af)"))
        .arg(switch("all", "Every account of the vault").conflicts_with("name"))
        .arg(switch("read-data", "Also compare every stored byte with its checksum"))
}

#[derive(Serialize)]
struct CheckRecord<'a> {
    account: &'a str,
    number: String,
    result: &'static str,
    damaged: u64,
    odd: u64,
    versions: u64,
    packs: u64,
    links: u64,
    read_bytes: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<&'a str>,
}

#[derive(Serialize)]
struct RefusalRecord<'a> {
    at: String,
    address: &'a str,
    account: &'a str,
    code: &'a str,
    waited_ms: u64,
}

/// Proves what is stored of one account, or of all, and tells a line of each.
pub(super) fn check(matches: &ArgMatches, desk: &Desk<'_>) -> Result<Exit> {
    let account = matches.get_one::<String>("name").cloned();
    if account.is_none() && !matches.get_flag("all") {
        return Err(Fault::new(Code::Usage, "say which account to check")
            .hint("tuckbox account check --all, or an account's name"));
    }
    let ask = CheckAccounts { account, read_data: matches.get_flag("read-data") };
    let (mut accounts, mut damaged, mut exit) = (0_u64, 0_u64, Exit::Ok);
    desk.engine().account_check(&desk.run()?, ask, &mut |checked| {
        accounts += 1;
        if checked.damages > 0 {
            damaged += 1;
            let code = checked.code.as_deref().and_then(|name| Code::ALL.iter().find(|code| code.name() == name));
            exit = exit.worse(code.map_or(Exit::Damaged, |code| code.exit()));
        }
        match &desk.face {
            Face::Json(stream) => stream.row("account_check", &record(&checked)),
            Face::Plain(plain) => plain.line(&line(&checked)),
        }
    })?;
    desk.face.say(&match damaged {
        0 => format!("{} checked: everything is there.", counted(accounts, "account", "accounts")),
        _ => format!(
            "{} checked, {damaged} of them damaged. Next, for each:  tuckbox check --account NAME",
            counted(accounts, "account", "accounts")
        ),
    })?;
    Ok(exit)
}

fn word(checked: &CheckedAccount) -> (&'static str, &'static str) {
    match (checked.damages, checked.notes) {
        (0, 0) => ("ok", "OK"),
        (0, _) => ("odd", "WARN"),
        _ => ("damaged", "ERR"),
    }
}

/// One line, to be looked for with `grep ^ERR`.
fn line(checked: &CheckedAccount) -> String {
    let CheckedAccount { versions, packs, damages, notes, read_bytes, .. } = checked;
    let (_, word) = word(checked);
    let name = for_terminal(checked.name.as_bytes());
    let mut line = format!("{word} account={name} check=stored versions={versions} packs={packs}");
    if *read_bytes > 0 {
        line.push_str(&format!(" read={}", size(*read_bytes).replace(' ', "")));
    }
    if *damages > 0 {
        line.push_str(&format!(" damaged={damages}"));
    }
    if *notes > 0 {
        line.push_str(&format!(" odd={notes}"));
    }
    if let Some(message) = &checked.message {
        line.push_str(&format!(" message=\"{}\"", harmless_line(message)));
    }
    line
}

fn record(checked: &CheckedAccount) -> CheckRecord<'_> {
    CheckRecord {
        account: &checked.name,
        number: format!("{:#x}", checked.number),
        result: word(checked).0,
        damaged: checked.damages,
        odd: checked.notes,
        versions: checked.versions,
        packs: checked.packs,
        links: checked.links,
        read_bytes: checked.read_bytes,
        code: checked.code.as_deref(),
        message: checked.message.as_deref(),
    }
}

/// Tells who was refused.
pub(super) fn refused(desk: &Desk<'_>) -> Result<Exit> {
    let mut table = Table::new(&[
        ("TIME", Side::Left),
        ("ADDRESS", Side::Left),
        ("ACCOUNT", Side::Left),
        ("WHY", Side::Left),
        ("HELD BACK", Side::Right),
    ]);
    let mut rows = 0_u64;
    desk.engine().account_refused(&desk.run()?, &mut |row| {
        rows += 1;
        let RefusedRow { at, address, account, code, waited_ms } = &row;
        table.row(vec![
            show(*at, &desk.zone()),
            harmless_line(address),
            for_terminal(account.as_bytes()),
            harmless_line(code),
            if *waited_ms == 0 { String::new() } else { duration(*waited_ms) },
        ]);
        desk.face.row("refusal", &RefusalRecord { at: rfc3339(*at), address, account, code, waited_ms: *waited_ms })
    })?;
    match &desk.face {
        Face::Plain(plain) if rows == 0 => plain.note("Nobody was refused.")?,
        Face::Plain(plain) => table.lines().iter().try_for_each(|line| plain.line(line))?,
        Face::Json(_) => {}
    }
    Ok(Exit::Ok)
}
