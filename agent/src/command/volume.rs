//! `volume`: folders on several disks that one vault uses.

use clap::{Arg, ArgMatches, Command};
use serde::Serialize;

use super::{Changes, Verb, below, local, some_path, switch, with_verbs_below};
use crate::cli::table::{Side, Table};
use crate::cli::{Desk, Face};
use crate::engine::job::{AddVolume, RemoveVolume, VolumeAsk, VolumeFacts, VolumeTold, VolumesMoved};
use crate::fault::{Code, Exit, Fault, Result};
use crate::name::for_terminal;
use crate::units::{count, counted, size};

pub(super) const VERB: Verb = Verb {
    name: "volume",
    about: "Look after a vault's volumes: directories on several disks that are filled evenly",
    examples: &["volume list", "volume add /mnt/second/tuckbox", "volume balance", "volume remove 1"],
    build,
    run,
    needs_config: true,
    changes: Changes::Vault,
};

fn number() -> Arg {
    Arg::new("number")
        .value_name("NUMBER")
        .required(true)
        .value_parser(clap::value_parser!(u32))
        .help("The volume's number, as `volume list` shows it")
}

fn build(command: Command) -> Command {
    let directory = Arg::new("directory").value_name("DIR").required(true).value_parser(some_path());
    with_verbs_below(command)
        .subcommand(below("list", "List volumes: what is in each, and what its disk has free"))
        .subcommand(
            below("add", "Use another directory, new or empty; or say where the disk of a volume is now")
                .arg(local(directory).help("A directory of the vault's own machine, on a disk of its own")),
        )
        .subcommand(
            below("remove", "Move what is in it to the others and use it no more; cut short, run it again")
                .arg(number())
                .arg(switch("lost", "It is gone for good: what it held is lost, and `check` tells what that is")),
        )
        .subcommand(below("balance", "Move packs until all disks are about equally full; cut short, run it again"))
}

#[derive(Serialize)]
struct VolumeRecord<'a> {
    number: u32,
    directory: &'a str,
    there: bool,
    leaving: bool,
    packs: u64,
    pack_bytes: u64,
    total_bytes: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    free_bytes: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    disk_bytes: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    free_files: Option<u64>,
}

#[derive(Serialize)]
struct Summary {
    volumes: u64,
    absent: u64,
    moved_packs: u64,
    moved_bytes: u64,
    stuck_packs: u64,
}

fn record(facts: &VolumeFacts) -> VolumeRecord<'_> {
    VolumeRecord {
        number: facts.number,
        directory: &facts.path,
        there: facts.there,
        leaving: facts.leaving,
        packs: facts.packs,
        pack_bytes: facts.pack_bytes,
        total_bytes: facts.bytes,
        free_bytes: facts.free_bytes,
        disk_bytes: facts.all_bytes,
        free_files: facts.free_files,
    }
}

fn run(matches: &ArgMatches, desk: &Desk<'_>) -> Result<Exit> {
    let Some((what, below)) = matches.subcommand() else {
        return Err(Fault::new(Code::Usage, "say what to do with volumes").hint("see `tuckbox help volume`"));
    };
    let number = || below.get_one::<u32>("number").copied().unwrap_or_default();
    let ask = match what {
        "list" => VolumeAsk::List,
        "add" => VolumeAsk::Add(AddVolume { path: absolute(below)? }),
        "remove" => {
            let remove = RemoveVolume { number: number(), lost: below.get_flag("lost") };
            if remove.lost && !desk.settings.yes {
                let text = format!("what only volume {} held is lost for good once it is taken off the list", number());
                return Err(Fault::new(Code::PolicyConfirm, text).hint("if that is so: the same command with --yes"));
            }
            VolumeAsk::Remove(remove)
        }
        _ => VolumeAsk::Balance,
    };
    let mut seen: Vec<VolumeFacts> = Vec::new();
    let mut moved = VolumesMoved::default();
    desk.engine().volume(&desk.run()?, ask, &mut |told| {
        match told {
            VolumeTold::Volume(facts) => {
                desk.face.row("volume", &record(&facts))?;
                seen.push(facts);
            }
            VolumeTold::Moved(so_far) => moved = so_far,
            VolumeTold::Done => {}
        }
        Ok(())
    })?;
    told(what, number, &seen, moved, desk)?;
    desk.face.summary(
        "volume",
        &Summary {
            volumes: seen.len() as u64,
            absent: seen.iter().filter(|facts| !facts.there).count() as u64,
            moved_packs: moved.packs,
            moved_bytes: moved.bytes,
            stuck_packs: moved.stuck,
        },
    )?;
    Ok(if moved.stuck > 0 { Exit::Partial } else { Exit::Ok })
}

fn told(
    what: &str,
    number: impl Fn() -> u32,
    seen: &[VolumeFacts],
    moved: VolumesMoved,
    desk: &Desk<'_>,
) -> Result<()> {
    let packs = format!("{} ({})", counted(moved.packs, "pack", "packs"), size(moved.bytes));
    if moved.stuck > 0 {
        let stuck = counted(moved.stuck, "pack", "packs");
        let line = format!("Moved {packs}; {stuck} could not be read and stay where they are. Next:  tuckbox check");
        return desk.face.say(&line);
    }
    match what {
        "add" => match seen.first() {
            Some(facts) => desk.face.say(&format!(
                "Volume {} is in use: {}. What comes goes where most is free; to move what is there:  tuckbox volume balance",
                facts.number,
                for_terminal(facts.path.as_bytes())
            )),
            None => Ok(()),
        },
        "remove" => desk.face.say(&format!("Volume {} is used no more. Moved {packs}.", number())),
        "balance" => desk.face.say(&format!("Moved {packs}.")),
        _ => match &desk.face {
            Face::Plain(plain) => {
                table(seen).lines().iter().try_for_each(|line| plain.line(line))?;
                seen.iter().filter(|facts| !facts.there).try_for_each(|facts| {
                    plain.note(&format!(
                        "Volume {} is not there. What is in it is neither lost nor to be had; bring its disk back, or say \
                         where it is now:  tuckbox volume add DIR",
                        facts.number
                    ))
                })
            }
            Face::Json(_) => Ok(()),
        },
    }
}

/// By the working directory, lexically: the server knows no other.
fn absolute(matches: &ArgMatches) -> Result<String> {
    let given = matches.get_one::<std::ffi::OsString>("directory").cloned().unwrap_or_default();
    let path = std::path::absolute(&given)
        .map_err(|cause| Fault::new(Code::Usage, "this directory cannot be named").because(cause))?;
    // A symbolic link on the way is looked through once, now.
    let above = || Some(path.parent()?.canonicalize().ok()?.join(path.file_name()?));
    let real = path.canonicalize().ok().or_else(above).unwrap_or(path);
    real.into_os_string().into_string().map_err(|name| {
        Fault::new(Code::Usage, format!("{} is not UTF-8", for_terminal(name.as_encoded_bytes())))
            .hint("name a directory of another name")
    })
}

fn table(seen: &[VolumeFacts]) -> Table {
    let mut table = Table::new(&[
        ("NUMBER", Side::Right),
        ("STATE", Side::Left),
        ("PACKS", Side::Right),
        ("SIZE", Side::Right),
        ("FREE", Side::Right),
        ("OF", Side::Right),
        ("DIRECTORY", Side::Left),
    ]);
    for facts in seen {
        let state = match (facts.there, facts.leaving, facts.number) {
            (false, ..) => "not there",
            (_, true, _) => "leaving",
            (.., 0) => "home",
            _ => "in use",
        };
        let known = |bytes: Option<u64>| bytes.map(size).unwrap_or_default();
        let figure = |text: String| if facts.there { text } else { String::new() };
        table.row(vec![
            facts.number.to_string(),
            state.to_owned(),
            figure(count(facts.packs)),
            figure(size(facts.bytes)),
            known(facts.free_bytes),
            known(facts.all_bytes),
            for_terminal(facts.path.as_bytes()),
        ]);
    }
    table
}
