//! `group`: sets of accounts, for who looks after a vault.

use clap::{Arg, ArgMatches, Command};
use serde::Serialize;

use super::terms::{self, TermsRecord};
use super::{Changes, Verb, below, switch, texts, with_verbs_below};
use crate::cli::json::rfc3339;
use crate::cli::table::{Side, Table};
use crate::cli::{Desk, Face};
use crate::engine::job::{CreateGroup, DeleteGroup, GroupAsk, GroupFacts, ListGroups, Members, Rename};
use crate::fault::{Code, Exit, Fault, Result};
use crate::name::{for_terminal, harmless_line};
use crate::time::show;
use crate::units::{count, counted, size};

pub(super) const VERB: Verb = Verb {
    name: "group",
    about: "Look after groups of accounts: make, list, limit, add and remove members",
    examples: &[
        "group create office",
        "group add office laptop-ana laptop-bob",
        "group set office --soft 800G --hard 1T",
        "group set office --rate 'limit mon-fri 08:00-18:00 = 500k'",
        "group set office --contact ana@example.org",
        "group info office",
    ],
    build,
    run,
    needs_config: true,
    changes: Changes::Vault,
};

fn group() -> Arg {
    Arg::new("group").value_name("GROUP").required(true).help("The group's name")
}

fn accounts() -> Arg {
    Arg::new("accounts").value_name("ACCOUNT").num_args(1..).required(true).help("Names or numbers of accounts")
}

fn build(command: Command) -> Command {
    with_verbs_below(command)
        .subcommand(below("list", "List groups").arg(switch("figures", "With sums over the members of each")))
        .subcommand(below("info", "Show one group, with sums over its members").arg(group()))
        .subcommand(below("create", "Make a group").arg(group().value_name("NAME")))
        .subcommand(terms::args(
            below("set", "Settle limits and rates that its members share, and who is told").arg(group()),
        ))
        .subcommand(
            below("rename", "Give it another name")
                .arg(group())
                .arg(Arg::new("new").value_name("NEW").required(true).help("The new name")),
        )
        .subcommand(below("add", "Take accounts in; an account may be in several groups").arg(group()).arg(accounts()))
        .subcommand(below("remove", "Let accounts go").arg(group()).arg(accounts()))
        .subcommand(below("delete", "Delete it; its members stay what they are").arg(group()))
}

#[derive(Serialize)]
struct GroupRecord<'a> {
    group: &'a str,
    number: String,
    created_at: String,
    member_count: u64,
    #[serde(flatten)]
    terms: TermsRecord,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    members: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stored_bytes: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    versions: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    newest_at: Option<String>,
}

#[derive(Serialize)]
struct Listed {
    groups: u64,
}

fn run(matches: &ArgMatches, desk: &Desk<'_>) -> Result<Exit> {
    let Some((what, below)) = matches.subcommand() else {
        return Err(Fault::new(Code::Usage, "say what to do with groups").hint("see `tuckbox help group`"));
    };
    let which = || below.get_one::<String>("group").cloned().unwrap_or_default();
    let members = || Members { group: which(), accounts: texts(below, "accounts") };
    let (ask, done) = match what {
        "list" => return list(below.get_flag("figures"), desk),
        "info" => return info(which(), desk),
        "delete" => return delete(which(), desk),
        "create" => (GroupAsk::Create(CreateGroup { name: which() }), "Made"),
        "rename" => {
            let name = below.get_one::<String>("new").cloned().unwrap_or_default();
            (GroupAsk::Rename(Rename { which: which(), name }), "Renamed")
        }
        "set" => (GroupAsk::Settle(terms::settle(below, which())?), "Settled"),
        "add" => (GroupAsk::Add(members()), "Added to"),
        _ => (GroupAsk::Remove(members()), "Removed from"),
    };
    desk.engine().group(&desk.run()?, ask, &mut |facts| {
        desk.face.row("group", &record(&facts))?;
        let members = counted(facts.member_count, "member", "members");
        desk.face.say(&format!("{done} group {}: {members}.", for_terminal(facts.name.as_bytes())))
    })?;
    Ok(Exit::Ok)
}

fn delete(group: String, desk: &Desk<'_>) -> Result<Exit> {
    let shown = harmless_line(&group);
    desk.engine().group(&desk.run()?, GroupAsk::Delete(DeleteGroup { group }), &mut |_| Ok(()))?;
    desk.face.say(&format!("Deleted group {shown}; its members stay what they are."))?;
    Ok(Exit::Ok)
}

fn list(figures: bool, desk: &Desk<'_>) -> Result<Exit> {
    let mut columns = vec![("GROUP", Side::Left), ("MEMBERS", Side::Right)];
    if figures {
        columns.extend([("VERSIONS", Side::Right), ("STORED", Side::Right)]);
    }
    columns.extend([("SOFT LIMIT", Side::Right), ("HARD LIMIT", Side::Right)]);
    let mut table = Table::new(&columns);
    let mut groups = 0;
    let ask = GroupAsk::List(ListGroups { group: None, figures: Some(figures) });
    desk.engine().group(&desk.run()?, ask, &mut |facts| {
        groups += 1;
        let mut cells = vec![for_terminal(facts.name.as_bytes()), count(facts.member_count)];
        if figures {
            cells.push(facts.versions.map(count).unwrap_or_default());
            cells.push(facts.stored_bytes.map(size).unwrap_or_default());
        }
        cells.push(facts.terms.soft_bytes.map(size).unwrap_or_default());
        cells.push(facts.terms.hard_bytes.map(size).unwrap_or_default());
        table.row(cells);
        desk.face.row("group", &record(&facts))
    })?;
    match &desk.face {
        Face::Json(stream) => stream.summary("group", &Listed { groups })?,
        Face::Plain(plain) if groups == 0 => {
            plain.note("There are no groups yet. Next:  tuckbox group create NAME")?;
        }
        Face::Plain(plain) => table.lines().iter().try_for_each(|line| plain.line(line))?,
    }
    Ok(Exit::Ok)
}

fn info(group: String, desk: &Desk<'_>) -> Result<Exit> {
    desk.engine().group(
        &desk.run()?,
        GroupAsk::List(ListGroups { group: Some(group), figures: None }),
        &mut |facts| match &desk.face {
            Face::Json(stream) => stream.record("group", &record(&facts)),
            Face::Plain(plain) => info_lines(&facts, desk).iter().try_for_each(|line| plain.line(line)),
        },
    )?;
    Ok(Exit::Ok)
}

fn info_lines(facts: &GroupFacts, desk: &Desk<'_>) -> Vec<String> {
    let time = |at: i64| show(at, &desk.zone());
    let mut rows = vec![
        ("group", for_terminal(facts.name.as_bytes())),
        ("made", time(facts.created_at)),
        ("members", members(facts).join(", ")),
        ("newest version", facts.newest_at.map_or_else(|| "never".to_owned(), time)),
        ("versions made", facts.versions.map(count).unwrap_or_default()),
        ("stored", facts.stored_bytes.map(size).unwrap_or_default()),
    ];
    rows.extend(terms::lines(&facts.terms));
    rows.iter().map(|(name, text)| format!("{name:<15}  {text}")).collect()
}

/// Members as they can be named everywhere.
fn members(facts: &GroupFacts) -> Vec<String> {
    facts.members.iter().map(|number| format!("{number:#x}")).collect()
}

fn record(facts: &GroupFacts) -> GroupRecord<'_> {
    GroupRecord {
        group: &facts.name,
        number: format!("{:#x}", facts.number),
        created_at: rfc3339(facts.created_at),
        member_count: facts.member_count,
        terms: terms::record(&facts.terms),
        members: members(facts),
        stored_bytes: facts.stored_bytes,
        versions: facts.versions,
        newest_at: facts.newest_at.map(rfc3339),
    }
}
