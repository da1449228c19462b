//! `explain`: the page of an error code.

use clap::{Arg, ArgMatches, Command};
use serde::Serialize;

use super::{Changes, Verb};
use crate::cli::explain::{code_named, nearest_code, page};
use crate::cli::json::exit_number;
use crate::cli::table::{Side, Table};
use crate::cli::{Desk, Face};
use crate::fault::{Code, Exit, Fault, Result};
use crate::name::harmless_line;

pub(super) const VERB: Verb = Verb {
    name: "explain",
    about: "Explain an error code",
    examples: &["explain net.unreachable", "explain"],
    build,
    run,
    needs_config: false,
    changes: Changes::Nothing,
};

fn build(command: Command) -> Command {
    command
        .arg(Arg::new("code").value_name("CODE").help("As in the brackets at the end of an error [default: list them]"))
}

#[derive(Serialize)]
struct PageRecord {
    code: &'static str,
    exit: u8,
    retry: bool,
    text: &'static str,
    hint: &'static str,
}

fn run(matches: &ArgMatches, desk: &Desk<'_>) -> Result<Exit> {
    let codes = match matches.get_one::<String>("code") {
        Some(name) => vec![code_named(name).ok_or_else(|| unknown(name))?],
        None => Code::ALL.to_vec(),
    };
    let records: Vec<PageRecord> = codes.iter().map(|code| record(*code)).collect();
    match (&desk.face, records.as_slice()) {
        (Face::Json(stream), _) => records.iter().try_for_each(|record| stream.row("code", record))?,
        (Face::Plain(plain), [one]) => {
            plain.line(&format!("{} (exit {})", one.code, one.exit))?;
            plain.line("")?;
            plain.line(one.text)?;
            plain.line("")?;
            plain.line(&format!("Try: {}", one.hint))?;
        }
        (Face::Plain(plain), _) => {
            let mut table = Table::new(&[("CODE", Side::Left), ("EXIT", Side::Right), ("TRY", Side::Left)]);
            records.iter().for_each(|r| table.row(vec![r.code.to_owned(), r.exit.to_string(), r.hint.to_owned()]));
            table.lines().iter().try_for_each(|line| plain.line(line))?;
        }
    }
    Ok(Exit::Ok)
}

fn record(code: Code) -> PageRecord {
    let page = page(code);
    PageRecord {
        code: code.name(),
        exit: exit_number(code.exit()),
        retry: code.exit().retry(),
        text: page.text,
        hint: page.hint,
    }
}

fn unknown(name: &str) -> Fault {
    let fault = Fault::new(Code::Usage, format!("there is no error code \"{}\"", harmless_line(name)));
    match nearest_code(name) {
        Some(near) => fault.hint(format!("did you mean `tuckbox explain {}`?", near.name())),
        None => fault.hint("`tuckbox explain` lists them"),
    }
}
