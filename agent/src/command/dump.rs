//! `dump`: writes one path to a stream.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;

use clap::{ArgMatches, Command};

use super::{Changes, Verb, at, file, switch};
use crate::cli::Desk;
use crate::engine::job::DumpJob;
use crate::fault::{Code, Exit, Fault, Result};
use crate::name::for_terminal;
use crate::units::size;

pub(super) const VERB: Verb = Verb {
    name: "dump",
    about: "Write a file of a version to standard output, or a directory as a tar",
    examples: &[
        "dump ~/docs/letter.txt",
        "dump ~/docs --at yesterday -o docs.tar",
        "dump --with-holes ~/disk.img -o disk.img",
    ],
    build,
    run,
    needs_config: true,
    changes: Changes::Files,
};

fn build(command: Command) -> Command {
    command
        .arg(super::paths("path", "A file, or a directory (as a pax tar)").num_args(1).required(true))
        .arg(at())
        .arg(file("output", "FILE", "Write to this file and not to standard output").short('o'))
        .arg(switch(
            "with-holes",
            "Of a file that is damaged in the vault, write zeros for what cannot be read, and tell which; exit 10. A tar always goes on so",
        ))
}

fn run(matches: &ArgMatches, desk: &Desk<'_>) -> Result<Exit> {
    let (at, understood) = desk.at(matches)?;
    let path = desk.paths(matches, "path").pop().unwrap_or_default();
    let output = desk.file(matches, "output");
    let to_screen = output.is_none() && desk.world.terminal.stdout;
    let job = DumpJob { at, path, to_screen, with_holes: matches.get_flag("with-holes"), output: output.clone() };
    let summary = match output {
        None if desk.face.is_json() => {
            return Err(Fault::new(Code::Usage, "with --json the records need standard output for themselves")
                .hint("write the content to a file: `-o FILE`"));
        }
        None => {
            let mut out = desk.world.stdout.as_ref();
            desk.engine().dump(&desk.run_at(understood)?, job, &mut out)?
        }
        Some(output) => {
            let name = for_terminal(std::os::unix::ffi::OsStrExt::as_bytes(output.as_os_str()));
            let failed = |e: std::io::Error| Fault::new(Code::of(&e), format!("cannot write {name}")).because(e);
            let mut to = std::io::BufWriter::new(Output { path: &output, file: None });
            let summary = desk.engine().dump(&desk.run_at(understood)?, job, &mut to)?;
            to.flush().map_err(failed)?;
            desk.face.say(&format!("Wrote {} to {name}.", size(summary.written_bytes)))?;
            summary
        }
    };
    desk.face.summary("dump", &summary)?;
    Ok(Exit::Ok)
}

/// A file that is made when the first of it is there: what stands under its name stays when nothing comes.
struct Output<'p> {
    path: &'p Path,
    file: Option<File>,
}

impl Output<'_> {
    fn file(&mut self) -> io::Result<&mut File> {
        match &mut self.file {
            Some(file) => Ok(file),
            none => Ok(none.insert(File::create(self.path)?)),
        }
    }
}

impl Write for Output<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file()?.write(bytes)
    }

    /// A file of nothing is one, too.
    fn flush(&mut self) -> io::Result<()> {
        self.file()?.flush()
    }
}
