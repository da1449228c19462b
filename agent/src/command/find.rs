//! `find`: names that fit, in one version or in all.

use clap::{Arg, ArgAction, ArgMatches, Command};
use serde::Serialize;
use store::tree::Kind;

use super::ls::{EntryRecord, long_line, name, record};
use super::{Changes, Verb, VersionOf, at, many, paths, short, switch, texts};
use crate::cli::{Desk, Face};
use crate::engine::job::{At, FindJob, FindRow, FindSummary, Sought};
use crate::fault::{Code, Exit, Fault, Result};
use crate::name::harmless_line;
use crate::time::show;
use crate::units::{count, counted, parse_size};

pub(super) const VERB: Verb = Verb {
    name: "find",
    about: "Find names in a version, or in all of them, deleted ones too",
    examples: &[
        "find '*.odt'",
        "find letter.txt ~/docs --all-versions",
        "find '*' --size +1G --newer '2 weeks ago' -l",
        r"find --regex '\.jpe?g$' -i --deleted",
    ],
    build,
    run,
    needs_config: true,
    changes: Changes::Nothing,
};

fn build(command: Command) -> Command {
    let value = |name: &'static str, value: &'static str, help: &'static str| {
        Arg::new(name).long(name).value_name(value).allow_hyphen_values(true).help(help)
    };
    command
        .arg(
            Arg::new("pattern")
                .value_name("PATTERN")
                .required(true)
                .help("What the last component is like: *, ? and [a-z]; with a slash in it, the whole path; re:REGEX as in --exclude"),
        )
        .arg(paths("path", "Only at and below these [default: everywhere]"))
        .arg(at())
        .arg(switch("all-versions", "In every version up to then, each state once, deleted names too").short('a'))
        .arg(switch("deleted", "Only what the newest version has no more (looks into all)"))
        .arg(switch("regex", "PATTERN is a regular expression, which may fit anywhere").short('r'))
        .arg(switch("whole-path", "PATTERN is about the whole path").short('p').visible_alias("path"))
        .arg(switch("ignore-case", "Upper and lower case are alike").short('i'))
        .arg(many("kind", "KIND", "file, dir, symlink, fifo, socket, char, block (or f, d, l, p, s, c, b)").short('t'))
        .arg(value("size", "SIZE", "Files of +1M and more, of -1M and less, of 1M..2G").action(ArgAction::Append))
        .arg(value("newer", "WHEN", "Modified after this time; a day stands for its end"))
        .arg(value("older", "WHEN", "Modified at this time or before"))
        .arg(switch("long", "Kind, mode, owner, size and time, too").short('l'))
}

#[derive(Serialize)]
struct Record {
    #[serde(flatten)]
    entry: EntryRecord,
    #[serde(flatten)]
    version: VersionOf,
    deleted: bool,
}

fn run(matches: &ArgMatches, desk: &Desk<'_>) -> Result<Exit> {
    let (at, understood) = desk.at(matches)?;
    let all = matches.get_flag("all-versions") || matches.get_flag("deleted");
    let job = FindJob {
        at,
        all_versions: all,
        deleted: matches.get_flag("deleted"),
        below: desk.paths(matches, "path"),
        sought: sought(matches, desk)?,
    };
    let long = matches.get_flag("long");
    let summary = desk.engine().find(&desk.run_at(understood)?, job, &mut |row| match &desk.face {
        Face::Json(stream) => stream.record(
            "entry",
            &Record { entry: record(&row.entry), version: VersionOf::from(&row.version), deleted: row.deleted },
        ),
        // Whoever waits for the first has it at once, in a pipe too.
        Face::Plain(plain) => plain.line(&line(&row, all, long, desk)).and_then(|()| desk.world.stdout.flush()),
    })?;
    if let Face::Plain(plain) = &desk.face {
        plain.note(&told(&summary, all))?;
    }
    desk.face.summary("find", &summary)?;
    Ok(Exit::Ok)
}

fn line(row: &FindRow, all: bool, long: bool, desk: &Desk<'_>) -> String {
    let what = if long { long_line(&row.entry, desk) } else { name(&row.entry, desk) };
    if !all {
        return what;
    }
    let when = show(row.version.received_at_ms, &desk.zone());
    let deleted = if row.deleted { "deleted" } else { "" };
    format!("{}  {when}  {deleted:<7}  {what}", short(&row.version.id))
}

fn told(summary: &FindSummary, all: bool) -> String {
    let found = counted(summary.found, "name", "names");
    if all {
        let versions = counted(summary.versions, "version", "versions");
        format!("{found} found; {} looked at in {versions}", count(summary.entries))
    } else {
        // What was deleted may be what is looked for.
        let more = if summary.found == 0 { " of this version; --all-versions looks into all" } else { "" };
        format!("{found} found among {}{more}", count(summary.entries))
    }
}

fn sought(matches: &ArgMatches, desk: &Desk<'_>) -> Result<Sought> {
    let (given, regex) = (matches.get_one::<String>("pattern").cloned().unwrap_or_default(), matches.get_flag("regex"));
    // As in rules of selection: an expression over the absolute path.
    let rule = given.strip_prefix("re:").filter(|_| !regex).map(str::to_owned);
    let mut sought = Sought {
        regex: regex || rule.is_some(),
        whole_path: matches.get_flag("whole-path") || rule.is_some(),
        pattern: rule.unwrap_or(given),
        ignore_case: matches.get_flag("ignore-case"),
        kinds: texts(matches, "kind").iter().map(|text| kind(text)).collect::<Result<_>>()?,
        newer_ms: time(matches, desk, "newer")?,
        older_ms: time(matches, desk, "older")?,
        ..Sought::default()
    };
    for text in texts(matches, "size") {
        let (least, most) = sizes(&text)?;
        sought.bytes_least = sought.bytes_least.max(least);
        sought.bytes_most = match (sought.bytes_most, most) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
    }
    Ok(sought)
}

fn kind(text: &str) -> Result<Kind> {
    Ok(match text {
        "file" | "f" => Kind::File,
        "dir" | "directory" | "d" => Kind::Dir,
        "symlink" | "link" | "l" => Kind::Symlink,
        "fifo" | "pipe" | "p" => Kind::Fifo,
        "socket" | "s" => Kind::Socket,
        "char" | "c" => Kind::Char,
        "block" | "b" => Kind::Block,
        other => {
            return Err(Fault::new(Code::Usage, format!("\"{}\" is no kind of file", harmless_line(other)))
                .hint("file, dir, symlink, fifo, socket, char or block"));
        }
    })
}

/// Least and most bytes of `+1M`, `-1M`, `1M..2M` and `1M`.
fn sizes(text: &str) -> Result<(Option<u64>, Option<u64>)> {
    let wrong = |why: String| {
        Fault::new(Code::Usage, format!("--size {}: {why}", harmless_line(text)))
            .hint("+1M (and more), -1M (and less), 1M..2G (between), 1M (just that)")
    };
    let one = |text: &str| parse_size(text).map_err(wrong);
    if let Some((least, most)) = text.split_once("..") {
        return Ok((Some(one(least)?), Some(one(most)?)));
    }
    if let Some(least) = text.strip_prefix('+') {
        return Ok((Some(one(least)?), None));
    }
    if let Some(most) = text.strip_prefix('-') {
        return Ok((None, Some(one(most)?)));
    }
    let just = one(text)?;
    Ok((Some(just), Some(just)))
}

/// A moment, milliseconds since 1970.
fn time(matches: &ArgMatches, desk: &Desk<'_>, name: &str) -> Result<Option<i64>> {
    let Some(text) = matches.get_one::<String>(name) else { return Ok(None) };
    match desk.version(text)?.at {
        At::Moment { ms } => Ok(Some(ms)),
        _ => Err(Fault::new(
            Code::UsageTime,
            format!("--{name} takes a time, and \"{}\" is a version", harmless_line(text)),
        )
        .hint("as in `2 weeks ago`, yesterday, 2026-11-18")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_ends() {
        for (text, ends) in [
            ("+1k", (Some(1024), None)),
            ("-2M", (None, Some(2 << 20))),
            ("1k..2k", (Some(1024), Some(2048))),
            ("0", (Some(0), Some(0))),
        ] {
            assert_eq!(sizes(text), Ok(ends), "{text}");
        }
        for text in ["", "+", "1..", "much"] {
            assert_eq!(sizes(text).unwrap_err().code, Code::Usage, "{text}");
        }
        assert_eq!(kind("d"), Ok(Kind::Dir));
        assert_eq!(kind("disk").unwrap_err().code, Code::Usage);
    }
}
