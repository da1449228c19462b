//! `account`: the accounts of a vault, for who looks after it. No key is needed, and none is used.

use clap::{Arg, ArgMatches, Command};
use serde::Serialize;

use super::terms::{self, TermsRecord};
use super::{Changes, Verb, account_archive, account_check, below, file, switch, with_verbs_below};
use crate::cli::json::rfc3339;
use crate::cli::table::{Side, Table};
use crate::cli::{Desk, Face};
use crate::engine::job::{
    AccountAsk, AccountFacts, AccountStateWord, AccountStatus, Authorize, CreateAccount, Delete, ListAccounts, Rename,
    Revoke, Role, SetState,
};
use crate::fault::{Code, Exit, Fault, Result};
use crate::name::{for_terminal, harmless_line};
use crate::time::show;
use crate::units::{count, size};

mod log;

pub(super) const VERB: Verb = Verb {
    name: "account",
    about: "Look after accounts: make, list, limit, freeze, check, move, delete, let SSH keys in",
    examples: &[
        "account list",
        "account create laptop-ana",
        "account set laptop-ana --hard 200G --late-after 26h --contact ana@example.org",
        "account set laptop-ana --rate 'limit mon-fri 08:00-18:00 = 50k'",
        "account log laptop-ana --level warning",
        "account freeze laptop-ana --reason 'audit until Friday'",
        "account authorize laptop-ana --ssh-key ana.pub --role append --install",
        "account check --all",
        "account dump laptop-ana --to ana.archive",
    ],
    build,
    run,
    needs_config: true,
    changes: Changes::Vault,
};

/// Longest public key file that is read.
const KEY_FILE_BYTES_MAX: u64 = 64 << 10;

fn name() -> Arg {
    Arg::new("name").value_name("ACCOUNT").required(true).help("The account's name or number (as in laptop-ana, 0x3af)")
}

fn reason() -> Arg {
    Arg::new("reason")
        .long("reason")
        .value_name("TEXT")
        .allow_hyphen_values(true)
        .help("Why, for those who are refused")
}

fn build(command: Command) -> Command {
    let number = Arg::new("number").long("number").value_name("HEX").help("Its number [default: the next one]");
    let role = Arg::new("role")
        .long("role")
        .value_name("ROLE")
        .value_parser(Role::ALL.map(Role::name))
        .default_value(Role::Backup.name())
        .help("What the key may do");
    let key = || file("ssh-key", "FILE", "The SSH public key");
    with_verbs_below(command)
        .subcommand(below("list", "List accounts").arg(switch("figures", "With what each takes on the disk")))
        .subcommand(below("info", "Show one account").arg(name()))
        .subcommand(log::args(below("log", "Show what its clients told of their runs").arg(name())))
        .subcommand(
            below("create", "Make an account; the first client that uses it binds its key to it")
                .arg(Arg::new("name").value_name("NAME").required(true).help("1 to 255 characters"))
                .arg(number),
        )
        .subcommand(terms::args(below("set", "Settle limits and rates, when it is late, who is told").arg(name())))
        .subcommand(
            below("rename", "Give it another name")
                .arg(name())
                .arg(Arg::new("new").value_name("NEW").required(true).help("The new name")),
        )
        .subcommand(below("freeze", "Let it be read, and nothing in it change").arg(name()).arg(reason()))
        .subcommand(below("thaw", "End a freeze").arg(name()))
        .subcommand(below("disable", "Let nobody use it").arg(name()).arg(reason()))
        .subcommand(below("enable", "Let it be used again; takes a deleted one back").arg(name()))
        .subcommand(
            below("delete", "Delete it: nobody can use it, and for 14 days `account enable` takes it back")
                .arg(name())
                .arg(switch("finally", "After the 14 days: remove its data for good")),
        )
        .subcommand(
            below("authorize", "Print the line of authorized_keys that lets an SSH key in for this account")
                .arg(name())
                .arg(key().required(true))
                .arg(role)
                .arg(switch("install", "Add it to the authorized_keys of the vault's user, where the vault is")),
        )
        .subcommand(
            below("revoke", "Take keys of this account out of authorized_keys, where the vault is")
                .arg(name())
                .arg(key().help("Only this key [default: all keys of the account]")),
        )
        .subcommand(account_check::check_args(below("check", "Prove what is stored of it, without its key")))
        .subcommand(below("refused", "Show who was refused, and who is answered slowly for it"))
        .subcommand(account_archive::dump_args(
            below("dump", "Write it, sealed as it is, to one file that another vault can load").arg(name()),
        ))
        .subcommand(account_archive::load_args(below("load", "Make an account of such a file")))
}

#[derive(Serialize)]
struct AccountRecord<'a> {
    account: &'a str,
    number: String,
    id: String,
    state: &'static str,
    #[serde(skip_serializing_if = "str::is_empty")]
    reason: &'a str,
    key_bound: bool,
    created_at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    goes_at: Option<String>,
    #[serde(flatten)]
    terms: TermsRecord,
    #[serde(skip_serializing_if = "Option::is_none")]
    newest_at: Option<String>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    groups: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    stored_bytes: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    catalog_bytes: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    versions: Option<u64>,
    #[serde(flatten)]
    known: Option<log::StatusFields<'a>>,
}

#[derive(Serialize)]
struct Listed {
    accounts: u64,
}

#[derive(Serialize)]
struct LineRecord<'a> {
    line: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<&'a str>,
}

fn run(matches: &ArgMatches, desk: &Desk<'_>) -> Result<Exit> {
    let Some((what, below)) = matches.subcommand() else {
        return Err(Fault::new(Code::Usage, "say what to do with accounts").hint("see `tuckbox help account`"));
    };
    let which = || below.get_one::<String>("name").cloned().unwrap_or_default();
    let reason = || below.get_one::<String>("reason").cloned().unwrap_or_default();
    let set = |state, reason| AccountAsk::SetState(SetState { which: which(), state, reason });
    let (ask, done) = match what {
        "list" => return list(below, desk),
        "info" => return info(&which(), desk),
        "log" => return log::log(below, which(), desk),
        "authorize" => return authorize(below, which(), desk),
        "revoke" => return revoke(below, which(), desk),
        "check" => return account_check::check(below, desk),
        "refused" => return account_check::refused(desk),
        "dump" => return account_archive::dump(below, &which(), desk),
        "load" => return account_archive::load(below, number(below)?, desk),
        "create" => (AccountAsk::Create(CreateAccount { name: which(), number: number(below)? }), "Made"),
        "set" => (AccountAsk::Settle(terms::settle(below, which())?), "Settled"),
        "rename" => {
            let name = below.get_one::<String>("new").cloned().unwrap_or_default();
            (AccountAsk::Rename(Rename { which: which(), name }), "Renamed")
        }
        "freeze" => (set(AccountStateWord::Frozen, reason()), "Froze"),
        "disable" => (set(AccountStateWord::Disabled, reason()), "Disabled"),
        "thaw" | "enable" => {
            may_open(what, &which(), desk)?;
            (set(AccountStateWord::Open, String::new()), if what == "thaw" { "Thawed" } else { "Enabled" })
        }
        _ => return delete(below, which(), desk),
    };
    change(ask, done, desk)?;
    Ok(Exit::Ok)
}

/// A freeze is not ended by who takes back something else, nor a deletion.
fn may_open(verb: &str, which: &str, desk: &Desk<'_>) -> Result<()> {
    let ask = AccountAsk::List(ListAccounts { account: Some(which.to_owned()), figures: false });
    desk.engine().account(&desk.run()?, ask, &mut |facts| {
        let name = for_terminal(facts.name.as_bytes());
        let (is, other) = match facts.state {
            AccountStateWord::Disabled if verb == "thaw" => {
                (if facts.goes_at.is_some() { "deleted" } else { "disabled" }, "enable")
            }
            AccountStateWord::Frozen if verb == "enable" => ("frozen", "thaw"),
            _ => return Ok(()),
        };
        Err(Fault::new(Code::PolicyConfirm, format!("the account {name} is {is}"))
            .hint(format!("tuckbox account {other} {name}")))
    })
}

/// Does one thing with one account, and tells what it is then.
fn change(ask: AccountAsk, done: &str, desk: &Desk<'_>) -> Result<AccountFacts> {
    let mut changed = None;
    desk.engine().account(&desk.run()?, ask, &mut |facts| {
        desk.face.row("account", &record(&facts))?;
        desk.face.say(&format!("{done} {}.", one_line(&facts)))?;
        changed = Some(facts);
        Ok(())
    })?;
    changed.ok_or_else(|| Fault::new(Code::NetProtocol, "the server did not say what it did"))
}

fn delete(matches: &ArgMatches, which: String, desk: &Desk<'_>) -> Result<Exit> {
    let finally = matches.get_flag("finally");
    if finally && !desk.settings.yes {
        let name = harmless_line(&which);
        return Err(Fault::new(Code::PolicyConfirm, format!("all data of {name} would be gone for good"))
            .hint(format!("tuckbox account delete {name} --finally --yes")));
    }
    let ask = AccountAsk::Delete(Delete { which, finally });
    let facts = change(ask, if finally { "Removed for good" } else { "Deleted" }, desk)?;
    if let Some(at) = facts.goes_at.filter(|_| !finally) {
        let name = for_terminal(facts.name.as_bytes());
        let until = show(at, &desk.zone());
        desk.face.say(&format!("Until {until} `tuckbox account enable {name}` takes it back; then `tuckbox account delete {name} --finally` frees its space."))?;
    }
    Ok(Exit::Ok)
}

fn number(matches: &ArgMatches) -> Result<Option<u32>> {
    let Some(text) = matches.get_one::<String>("number") else { return Ok(None) };
    let digits = text.strip_prefix("0x").unwrap_or(text);
    match u32::from_str_radix(digits, 16) {
        Ok(number) if number > 0 => Ok(Some(number)),
        _ => Err(Fault::new(Code::Usage, format!("\"{}\" is not a number of an account", harmless_line(text)))
            .hint("write 1 to 8 hexadecimal digits, as in 0x3af")),
    }
}

fn list(matches: &ArgMatches, desk: &Desk<'_>) -> Result<Exit> {
    let figures = matches.get_flag("figures");
    let ask = AccountAsk::List(ListAccounts { account: None, figures });
    let mut rows = Vec::new();
    let mut accounts = 0;
    desk.engine().account(&desk.run()?, ask, &mut |facts| {
        accounts += 1;
        if !desk.face.is_json() {
            rows.push(facts);
            return Ok(());
        }
        desk.face.row("account", &record(&facts))
    })?;
    match &desk.face {
        Face::Json(stream) => stream.summary("account", &Listed { accounts })?,
        Face::Plain(plain) if rows.is_empty() => {
            plain.note("There are no accounts yet. Next:  tuckbox account create NAME")?;
        }
        Face::Plain(plain) => table(&rows, figures, desk).lines().iter().try_for_each(|line| plain.line(line))?,
    }
    Ok(Exit::Ok)
}

fn table(rows: &[AccountFacts], figures: bool, desk: &Desk<'_>) -> Table {
    let mut columns =
        vec![("NUMBER", Side::Right), ("ACCOUNT", Side::Left), ("STATE", Side::Left), ("NEWEST VERSION", Side::Left)];
    if figures {
        columns.extend([("VERSIONS", Side::Right), ("STORED", Side::Right)]);
        columns.extend([("SOFT LIMIT", Side::Right), ("HARD LIMIT", Side::Right)]);
    }
    let mut table = Table::new(&columns);
    for facts in rows {
        let mut cells = vec![
            format!("{:#x}", facts.number),
            for_terminal(facts.name.as_bytes()),
            state(facts).to_owned(),
            facts.newest_at.map_or_else(|| "never".to_owned(), |at| show(at, &desk.zone())),
        ];
        if figures {
            cells.push(facts.versions.map(count).unwrap_or_default());
            cells.push(facts.stored_bytes.map(size).unwrap_or_default());
            cells.push(facts.terms.soft_bytes.map(size).unwrap_or_default());
            cells.push(facts.terms.hard_bytes.map(size).unwrap_or_default());
        }
        table.row(cells);
    }
    table
}

fn info(which: &str, desk: &Desk<'_>) -> Result<Exit> {
    let ask = AccountAsk::List(ListAccounts { account: Some(which.to_owned()), figures: true });
    let status = log::status(which, desk)?;
    desk.engine().account(&desk.run()?, ask, &mut |facts| match &desk.face {
        Face::Json(stream) => {
            let known = status.as_ref().map(log::record);
            stream.record("account", &AccountRecord { known, ..record(&facts) })
        }
        Face::Plain(plain) => info_lines(&facts, status.as_ref(), desk).iter().try_for_each(|line| plain.line(line)),
    })?;
    Ok(Exit::Ok)
}

fn info_lines(facts: &AccountFacts, status: Option<&AccountStatus>, desk: &Desk<'_>) -> Vec<String> {
    let time = |at: i64| show(at, &desk.zone());
    let mut rows = vec![
        ("account", for_terminal(facts.name.as_bytes())),
        ("number", format!("{:#x}", facts.number)),
        ("state", state(facts).to_owned()),
    ];
    if !facts.reason.is_empty() {
        rows.push(("reason", harmless_line(&facts.reason)));
    }
    if let Some(at) = facts.goes_at {
        rows.push(("may go", time(at)));
    }
    rows.extend(status.into_iter().flat_map(|status| log::lines(status, desk)));
    rows.push(("made", time(facts.created_at)));
    rows.push(("key", if facts.bound { "bound" } else { "none yet: the first client binds one" }.to_owned()));
    rows.push(("newest version", facts.newest_at.map_or_else(|| "never".to_owned(), time)));
    rows.push(("versions made", facts.versions.map(count).unwrap_or_default()));
    rows.push(("stored", facts.stored_bytes.map(size).unwrap_or_default()));
    rows.push(("catalog", facts.catalog_bytes.map(size).unwrap_or_default()));
    rows.extend(terms::lines(&facts.terms));
    if !facts.groups.is_empty() {
        let groups: Vec<String> = facts.groups.iter().map(|group| for_terminal(group.as_bytes())).collect();
        rows.push(("groups", groups.join(", ")));
    }
    rows.iter().map(|(name, text)| format!("{name:<15}  {text}")).collect()
}

fn authorize(matches: &ArgMatches, which: String, desk: &Desk<'_>) -> Result<Exit> {
    let role = matches.get_one::<String>("role").cloned().unwrap_or_default();
    let ssh_key = read_key(matches, desk)?.unwrap_or_default();
    let ask = Authorize { which, ssh_key, role, install: matches.get_flag("install") };
    let made = desk.engine().authorize(&desk.run()?, ask)?;
    desk.face.row("authorized_key", &LineRecord { line: &made.line, file: made.file.as_deref() })?;
    match &made.file {
        Some(file) => desk.face.say(&format!("This key is let in by {}.", harmless_line(file)))?,
        None => desk.face.line(&harmless_line(&made.line))?,
    }
    Ok(Exit::Ok)
}

fn revoke(matches: &ArgMatches, which: String, desk: &Desk<'_>) -> Result<Exit> {
    let ssh_key = read_key(matches, desk)?;
    let gone = desk.engine().revoke(&desk.run()?, Revoke { which, ssh_key })?;
    let file = harmless_line(&gone.file);
    for line in &gone.lines {
        desk.face.row("revoked_key", &LineRecord { line, file: Some(&file) })?;
        desk.face.say(&format!("Taken out of {file}: {}", harmless_line(line)))?;
    }
    if gone.lines.is_empty() {
        desk.face.say(&format!("No key of this account stands in {file}."))?;
    }
    Ok(Exit::Ok)
}

/// The public key in the file that is named, when one is.
fn read_key(matches: &ArgMatches, desk: &Desk<'_>) -> Result<Option<String>> {
    use std::io::Read as _;
    let Some(path) = desk.file(matches, "ssh-key") else { return Ok(None) };
    let shown = for_terminal(path.as_os_str().as_encoded_bytes());
    let cannot = |cause| Fault::new(Code::System, format!("cannot read {shown}")).because(cause);
    let mut text = String::new();
    let file = std::fs::File::open(&path).map_err(cannot)?;
    file.take(KEY_FILE_BYTES_MAX).read_to_string(&mut text).map_err(cannot)?;
    Ok(Some(text))
}

fn state(facts: &AccountFacts) -> &'static str {
    match facts.state {
        _ if facts.goes_at.is_some() => "deleted",
        AccountStateWord::Open => "open",
        AccountStateWord::Frozen => "frozen",
        AccountStateWord::Disabled => "disabled",
    }
}

fn one_line(facts: &AccountFacts) -> String {
    format!("account {} ({:#x})", for_terminal(facts.name.as_bytes()), facts.number)
}

fn record(facts: &AccountFacts) -> AccountRecord<'_> {
    AccountRecord {
        account: &facts.name,
        number: format!("{:#x}", facts.number),
        id: facts.id.hex(),
        state: state(facts),
        reason: &facts.reason,
        key_bound: facts.bound,
        created_at: rfc3339(facts.created_at),
        goes_at: facts.goes_at.map(rfc3339),
        terms: terms::record(&facts.terms),
        newest_at: facts.newest_at.map(rfc3339),
        groups: &facts.groups,
        stored_bytes: facts.stored_bytes,
        catalog_bytes: facts.catalog_bytes,
        versions: facts.versions,
        known: None,
    }
}
