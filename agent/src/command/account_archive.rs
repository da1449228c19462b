//! `account dump` and `account load`: an account as one portable file. It stays sealed; no key is needed.

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use clap::{Arg, ArgMatches, Command};
use serde::Serialize;

use super::file;
use crate::cli::Desk;
use crate::engine::job::{Load, To};
use crate::fault::{Code, Exit, Fault, Result};
use crate::name::{for_terminal, harmless_line};
use crate::units::{counted, parse_size, size};

pub(super) fn dump_args(command: Command) -> Command {
    command.arg(file("to", "FILE", "A new file, or `-` for standard output").default_value("-"))
}

pub(super) fn load_args(command: Command) -> Command {
    let text = |name: &'static str, value: &'static str| Arg::new(name).long(name).value_name(value);
    command
        .arg(
            super::local(Arg::new("file").value_name("FILE").value_parser(super::some_path()))
                .required(true)
                .help("What `account dump` wrote, or `-` for standard input"),
        )
        .arg(text("name", "NAME").help("Another name than it had"))
        .arg(text("number", "HEX").help("Another number than it had"))
        .arg(text("hard", "SIZE").help("Another hard limit than it had (`none` for none)"))
}

#[derive(Serialize)]
struct DumpRecord<'a> {
    account: &'a str,
    file: &'a str,
    bytes: u64,
    links: u64,
    packs: u64,
    pack_bytes: u64,
}

#[derive(Serialize)]
struct LoadRecord<'a> {
    account: &'a str,
    number: String,
    links: u64,
    packs: u64,
    pack_bytes: u64,
    damaged: u64,
    findings: &'a [String],
}

/// Writes the archive of an account.
pub(super) fn dump(matches: &ArgMatches, which: &str, desk: &Desk<'_>) -> Result<Exit> {
    if is_dash(matches, "to") {
        if desk.face.is_json() {
            return Err(Fault::new(Code::Usage, "with --json the records need standard output for themselves")
                .hint("write the archive to a file: `--to FILE`"));
        }
        if desk.world.terminal.stdout {
            return Err(
                Fault::new(Code::Usage, "an archive is nothing for a terminal").hint("write it to a file: `--to FILE`")
            );
        }
        let mut out = desk.world.stdout.as_ref();
        desk.engine().account_dump(&desk.run()?, which, &mut out)?;
        return Ok(Exit::Ok);
    }
    let path = desk.file(matches, "to").unwrap_or_default();
    let mut out = NewFile::create(&path)?;
    let dumped = desk.engine().account_dump(&desk.run()?, which, &mut out.file)?;
    out.keep()?;
    let shown = shown(&path);
    let record = DumpRecord {
        account: &dumped.name,
        file: &shown,
        bytes: dumped.bytes,
        links: dumped.links,
        packs: dumped.packs,
        pack_bytes: dumped.pack_bytes,
    };
    desk.face.row("account_dump", &record)?;
    desk.face.say(&format!(
        "Wrote account {} to {shown}: {}, {}.",
        for_terminal(dumped.name.as_bytes()),
        size(dumped.bytes),
        counted(dumped.packs, "pack", "packs")
    ))?;
    Ok(Exit::Ok)
}

/// Makes an account of an archive.
pub(super) fn load(matches: &ArgMatches, number: Option<u32>, desk: &Desk<'_>) -> Result<Exit> {
    let hard_bytes = match matches.get_one::<String>("hard").map(String::as_str) {
        None => None,
        Some("none") => Some(To::None),
        Some(text) => Some(To::Set(parse_size(text).map_err(|why| Fault::new(Code::Usage, why))?)),
    };
    let ask = Load { name: matches.get_one::<String>("name").cloned(), number, hard_bytes, resumes: None };
    let mut from: Box<dyn Read> = if is_dash(matches, "file") {
        Box::new(std::io::stdin())
    } else {
        let path = desk.file(matches, "file").unwrap_or_default();
        let file = File::open(&path);
        Box::new(file.map_err(|e| Fault::new(Code::of(&e), format!("cannot read {}", shown(&path))).because(e))?)
    };
    let loaded = desk.engine().account_load(&desk.run()?, ask, &mut from)?;
    let account = &loaded.account;
    let record = LoadRecord {
        account: &account.name,
        number: format!("{:#x}", account.number),
        links: loaded.links,
        packs: loaded.packs,
        pack_bytes: loaded.pack_bytes,
        damaged: loaded.damages,
        findings: &loaded.findings,
    };
    desk.face.row("account_load", &record)?;
    let name = for_terminal(account.name.as_bytes());
    desk.face.say(&format!(
        "Loaded account {name} ({:#x}): {} in {}, every byte of it read again.",
        account.number,
        size(loaded.pack_bytes),
        counted(loaded.packs, "pack", "packs")
    ))?;
    if loaded.damages == 0 {
        return Ok(Exit::Ok);
    }
    for finding in &loaded.findings {
        desk.face.say(&format!("  DAMAGED  {}", harmless_line(finding)))?;
    }
    desk.face.say(&format!(
        "It was damaged where it comes from: {}. Next:  tuckbox check --account {name}",
        counted(loaded.damages, "finding", "findings")
    ))?;
    Ok(Exit::Damaged)
}

fn is_dash(matches: &ArgMatches, name: &str) -> bool {
    matches.get_one::<std::ffi::OsString>(name).is_some_and(|path| path == "-")
}

fn shown(path: &Path) -> String {
    for_terminal(path.as_os_str().as_encoded_bytes())
}

/// A file that gets its name when it is whole: until then it is `<name>.partial`, and goes when it is dropped.
struct NewFile {
    file: File,
    partial: PathBuf,
    path: PathBuf,
    kept: bool,
}

impl NewFile {
    fn create(path: &Path) -> Result<Self> {
        if path.symlink_metadata().is_ok() {
            return Err(Fault::new(Code::Usage, format!("{} is there already", shown(path))).hint("name a new file"));
        }
        let mut partial = path.to_owned().into_os_string();
        partial.push(".partial");
        let partial = PathBuf::from(partial);
        // What an interrupted dump left is of no use; names of accounts and times are nobody else's business.
        let opened = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&partial);
        let file =
            opened.map_err(|e| Fault::new(Code::of(&e), format!("cannot write {}", shown(&partial))).because(e))?;
        Ok(Self { file, partial, path: path.to_owned(), kept: false })
    }

    fn keep(mut self) -> Result<()> {
        let failed =
            |e: std::io::Error| Fault::new(Code::of(&e), format!("cannot write {}", shown(&self.path))).because(e);
        self.file.flush().and_then(|()| self.file.sync_all()).map_err(failed)?;
        std::fs::rename(&self.partial, &self.path).map_err(failed)?;
        self.kept = true;
        Ok(())
    }
}

impl Drop for NewFile {
    fn drop(&mut self) {
        if !self.kept {
            // What stays is of no use to anybody, and its name says so.
            drop(std::fs::remove_file(&self.partial));
        }
    }
}
