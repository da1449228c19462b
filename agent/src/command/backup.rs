//! `backup`: makes a version.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use clap::{Arg, ArgAction, ArgMatches, Command};

use super::{Changes, Verb, file, local, many, paths, short, switch, texts};
use crate::cli::Desk;
use crate::config::{Key, Spot, Table, keys};
use crate::engine::backup::prepare::ANOTHER_NAME;
use crate::engine::job::{BackupJob, BackupSummary, Hooks, RuledSource, SourceJob, StdinJob, Suspicions};
use crate::engine::why::is_below;
use crate::fault::{Code, Exit, Fault, Result};
use crate::name::{for_terminal, harmless_line};
use crate::source::{Selection, read_list};
use crate::units::{count, counted, duration, parse_duration, parse_size, size};
use crate::world::{absolute, absolute_plain};

mod ages;
mod selection;

pub(super) const VERB: Verb = Verb {
    name: "backup",
    about: "Make a version of files and directories",
    examples: &[
        "backup ~/docs ~/photos --exclude '*.tmp' --tag daily",
        "backup",
        "backup --stdin --stdin-filename db.sql",
        "backup ~/docs -n -v",
    ],
    build,
    run,
    needs_config: true,
    changes: Changes::Vault,
};

fn build(command: Command) -> Command {
    let command = command.arg(local(paths("path", "What to back up [default: every [[source]] of the configuration]")));
    rules(command)
        .arg(
            file("files-from", "FILE", "Also back up the paths in this file, one a line (- for standard input)")
                .action(ArgAction::Append),
        )
        .arg(switch("stdin", "Back up standard input as one file").conflicts_with_all(["path", "files-from"]))
        .arg(
            file("stdin-filename", "PATH", "Its path in the version [default: stdin]")
                .requires("stdin")
                .conflicts_with_all(["path", "files-from"]),
        )
        .arg(many("tag", "TAG", "Give the version a tag"))
        .arg(Arg::new("host").long("host").value_name("LABEL").help("Host label [default: this host's full name]"))
        .arg(switch("dry-run", "Tell what would be done; send nothing").short('n'))
        .arg(switch("accept-deletions", "Go on although much of a source is gone"))
}

/// What is left out: also for verbs that ask about it.
pub(super) fn rules(command: Command) -> Command {
    command
        .arg(
            many("exclude", "PATTERN", "Leave out what matches: a glob, re:REGEX, exact:PATH; dir: or file: before it")
                .short('e'),
        )
        .arg(many("iexclude", "PATTERN", "The same, with upper and lower case alike"))
        .arg(file("exclude-file", "FILE", "Leave out what matches a pattern of this file").action(ArgAction::Append))
        .arg(switch("exclude-caches", "Leave out the content of directories marked by a CACHEDIR.TAG"))
        .arg(many("exclude-if-present", "NAME[:TEXT]", "Leave out the content of directories that hold this file"))
        .arg(
            Arg::new("exclude-larger-than")
                .long("exclude-larger-than")
                .value_name("SIZE")
                .value_parser(parse_size)
                .help("Leave out larger files (4M, 1.5G; units of 1,024)"),
        )
        .arg(age(
            "min-age",
            "AGE",
            "Leave out files modified less than this ago (10min, 2d); what was stored of them stays",
        ))
        .arg(age("max-age", "AGE", "Leave out files modified longer ago than this (30d)"))
        .arg(age("newer-than", "WHEN", "Leave out files not modified after this time; a day stands for its end"))
        .arg(switch("one-file-system", "Stay on the file system of each source").short('x'))
}

fn age(name: &'static str, value: &'static str, help: &'static str) -> Arg {
    Arg::new(name).long(name).value_name(value).help(help)
}

fn run(matches: &ArgMatches, desk: &Desk<'_>) -> Result<Exit> {
    let job = job(matches, desk)?;
    let dry_run = job.dry_run;
    let summary = desk.engine().backup(&desk.run()?, job)?;
    if let Some(made) = &summary.made {
        super::init::tell(&desk.face, made)?;
    }
    for line in told(&summary, &desk.place()?.vault) {
        desk.face.say(&line)?;
    }
    desk.face.summary("backup", &summary)?;
    if summary.made.is_some() && !dry_run {
        desk.face.say("Next:  tuckbox versions   or   tuckbox restore PATH --to DIR")?;
    }
    Ok(summary.exit())
}

fn job(matches: &ArgMatches, desk: &Desk<'_>) -> Result<BackupJob> {
    let host = matches.get_one::<String>("host").cloned();
    let mut job = BackupJob {
        tags: texts(matches, "tag"),
        dry_run: matches.get_flag("dry-run"),
        accept_deletions: matches.get_flag("accept-deletions"),
        guard_share_permille: guard_share(&desk.config.top),
        guard_min: desk.config.top.number(&keys::GUARD_MIN).unwrap_or(100),
        protect_missing_ms: millis(&desk.config.top, &keys::PROTECT_MISSING).unwrap_or(14 * DAY_MS),
        delete_redundant_after_ms: millis(&desk.config.top, &keys::DELETE_REDUNDANT_AFTER).unwrap_or(2 * DAY_MS),
        hooks: Hooks {
            before: desk.config.top.text(&keys::BEFORE).map(str::to_owned),
            after: desk.config.top.text(&keys::AFTER).map(str::to_owned),
            on_failure: desk.config.top.text(&keys::ON_FAILURE).map(str::to_owned),
            on_suspicion: desk.config.top.text(&keys::ON_SUSPICION).map(str::to_owned),
        },
        suspicions: suspicions(&desk.config.top),
        hook_timeout_ms: millis(&desk.config.top, &keys::HOOK_TIMEOUT).unwrap_or(HOOK_TIMEOUT_MS),
        list_items: desk.settings.verbose > 0,
        ..BackupJob::default()
    };
    if matches.get_flag("stdin") {
        let name = matches.get_one::<OsString>("stdin-filename").map_or(OsStr::new("stdin"), OsString::as_os_str);
        job.stdin = Some(StdinJob {
            path: stdin_path(&desk.world.working, name)?,
            host: host.unwrap_or_else(|| desk.settings.host.clone()),
            reader: Box::new(std::io::stdin()),
        });
        return Ok(job);
    }
    let mut given: Vec<Vec<u8>> = Vec::new();
    let arguments = matches.get_many::<OsString>("path").into_iter().flatten();
    given.extend(arguments.map(|path| absolute(&desk.world.working, path)));
    for list in matches.get_many::<OsString>("files-from").into_iter().flatten() {
        given.extend(listed(list)?.iter().map(|path| absolute(&desk.world.working, OsStr::from_bytes(path))));
    }
    let from_lists = matches.contains_id("files-from");
    job.configured = given.is_empty() && !from_lists && host.is_none();
    let tables: Vec<(Vec<u8>, Table)> = if given.is_empty() && !from_lists {
        desk.config.sources.iter().map(|table| (source_of(table, "").path, table.clone())).collect()
    } else {
        given.into_iter().map(|path| (path.clone(), table_of(&path, &desk.config.sources))).collect()
    };
    for (path, table) in tables {
        let mut source = source(path, &table, matches, desk)?;
        if let Some(host) = &host {
            source.host.clone_from(host);
        }
        job.sources.push(source);
    }
    if host.is_none() {
        add_inner(&mut job, matches, desk)?;
    }
    if job.sources.is_empty() {
        let fault = Fault::new(Code::Usage, "there is nothing to back up");
        return Err(fault.hint("`tuckbox backup DIR`, or a [[source]] in the configuration: `tuckbox config template`"));
    }
    for table in &desk.config.sources {
        let path = table.text(&keys::SOURCE_PATH).unwrap_or_default().as_bytes();
        if job.sources.iter().any(|source| same_path(&source.path, path)) {
            job.tags.extend(table.texts(&keys::SOURCE_TAG));
        }
    }
    job.tags.sort();
    job.tags.dedup();
    Ok(job)
}

/// Where standard input stands in the version. Errors when a directory has that name, as it is written or as it is there:
/// nobody would see the file, or nobody what is in the directory.
fn stdin_path(working: &Path, name: &OsStr) -> Result<Vec<u8>> {
    let shown = for_terminal(name.as_bytes());
    let wrong = |why: &str| {
        Err(Fault::new(Code::Usage, format!("{shown} {why}, and standard input is one file")).hint(ANOTHER_NAME))
    };
    let last = name.as_bytes().rsplit(|byte| *byte == b'/').next().unwrap_or_default();
    if matches!(last, b"" | b"." | b"..") {
        return wrong("is the name of a directory");
    }
    let path = absolute_plain(working, name);
    match std::fs::symlink_metadata(OsStr::from_bytes(&path)) {
        Ok(meta) if meta.is_dir() => wrong("is a directory"),
        Err(error) if error.kind() == std::io::ErrorKind::NotADirectory => wrong("lies below what is no directory"),
        _ => Ok(path),
    }
}

/// A source with the rules of its table and of the command line.
fn source(path: Vec<u8>, table: &Table, matches: &ArgMatches, desk: &Desk<'_>) -> Result<SourceJob> {
    Ok(SourceJob {
        rules: selection::of(&path, table, Some(matches), desk)?,
        path,
        filter: selection::filter(table, desk),
        first: selection::given(table, &keys::SOURCE_FIRST, desk),
        last: selection::given(table, &keys::SOURCE_LAST, desk),
        ..source_of(table, &desk.settings.host)
    })
}

/// Adds the sources of the configuration that lie inside of those of the job, where these do not leave them out: what is
/// theirs is seen in a version in place of what the outer one has there, so it must not be older.
fn add_inner(job: &mut BackupJob, matches: &ArgMatches, desk: &Desk<'_>) -> Result<()> {
    for table in &desk.config.sources {
        let inner = source_of(table, &desk.settings.host);
        let path = inner.bare_path().to_vec();
        let outer = job.sources.iter().filter(|outer| outer.host == inner.host && is_below(&path, outer.bare_path()));
        let Some(outer) = outer.max_by_key(|outer| outer.path.len()) else { continue };
        let is_named = job.sources.iter().any(|known| same_path(&known.path, &path));
        // One that is not there stays as the version before has it.
        let Ok(meta) = std::fs::symlink_metadata(OsStr::from_bytes(&path)) else { continue };
        let rules = Selection::new(&outer.rules)?.below(outer.bare_path());
        if !is_named && rules.decide(&path, meta.is_dir(), meta.len()).is_none() {
            job.sources.push(source(inner.path, table, matches, desk)?);
        }
    }
    Ok(())
}

const DAY_MS: u64 = 86_400_000;
/// Enough for a dump of a database, and little enough that a command that hangs is noticed.
const HOOK_TIMEOUT_MS: u64 = 3_600_000;

/// A duration of the configuration, in milliseconds; it was checked when the file was read.
fn millis(table: &Table, key: &Key) -> Option<u64> {
    table.text(key).and_then(|text| parse_duration(text).ok())
}

fn guard_share(top: &Table) -> u32 {
    permille(top, &keys::GUARD_SHARE).unwrap_or(500)
}

/// A share of the configuration, in thousandths.
fn permille(top: &Table, key: &Key) -> Option<u32> {
    top.number(key).and_then(|share| u32::try_from(share).ok())
}

fn suspicions(top: &Table) -> Suspicions {
    let default = Suspicions::default();
    Suspicions {
        files_min: top.number(&keys::SUSPICIOUS_MIN).unwrap_or(default.files_min),
        share_permille: permille(top, &keys::SUSPICIOUS_SHARE).unwrap_or(default.share_permille),
        encrypted_permille: permille(top, &keys::SUSPICIOUS_ENCRYPTED).unwrap_or(default.encrypted_permille),
        pin_ms: millis(top, &keys::SUSPICIOUS_PIN).unwrap_or(default.pin_ms),
    }
}

/// The sources of the configuration, or these instead, each with the options of the command line and with rules that say
/// where they stand.
pub(super) fn ruled(matches: &ArgMatches, desk: &Desk<'_>, given: Vec<Vec<u8>>) -> Result<Vec<RuledSource>> {
    rules_of(Some(matches), desk, given)
}

/// What the configuration leaves out, for a verb without options of selection: the rules of each source, and for all that
/// is in none those for all sources.
pub(super) fn configured(desk: &Desk<'_>) -> Result<Vec<RuledSource>> {
    let mut all = if desk.config.sources.is_empty() { Vec::new() } else { rules_of(None, desk, Vec::new())? };
    if all.iter().all(|source| source.path != b"/") {
        all.extend(rules_of(None, desk, vec![b"/".to_vec()])?);
    }
    Ok(all)
}

fn rules_of(matches: Option<&ArgMatches>, desk: &Desk<'_>, given: Vec<Vec<u8>>) -> Result<Vec<RuledSource>> {
    let tables: Vec<(Vec<u8>, Table)> = if given.is_empty() {
        let path = |table: &Table| source_of(table, "").path;
        desk.config.sources.iter().map(|table| (path(table), table.clone())).collect()
    } else {
        given.into_iter().map(|path| (path.clone(), table_of(&path, &desk.config.sources))).collect()
    };
    let ruled = tables.into_iter().map(|(path, table)| {
        let rules = selection::of(&path, &table, matches, desk)?;
        let filter = selection::filter(&table, desk);
        let path = path.strip_suffix(b"/").filter(|path| !path.is_empty()).unwrap_or(&path).to_vec();
        Ok(RuledSource { path, rules, filter })
    });
    ruled.collect()
}

/// A place in the configuration, as people are told.
fn place(desk: &Desk<'_>, spot: Spot) -> String {
    let file = desk.config.files.get(spot.file).map(|file| for_terminal(file.as_os_str().as_bytes()));
    format!("{}:{}", file.unwrap_or_default(), spot.line)
}

/// A `[[source]]`; its rules are for [`selection::of`].
fn source_of(table: &Table, host: &str) -> SourceJob {
    SourceJob {
        path: absolute(Path::new("/"), OsStr::new(table.text(&keys::SOURCE_PATH).unwrap_or_default())),
        host: table.text(&keys::SOURCE_HOST).unwrap_or(host).to_owned(),
        protect_missing_ms: millis(table, &keys::SOURCE_PROTECT_MISSING),
        hooks: Hooks {
            before: table.text(&keys::SOURCE_BEFORE).map(str::to_owned),
            after: table.text(&keys::SOURCE_AFTER).map(str::to_owned),
            on_failure: table.text(&keys::SOURCE_ON_FAILURE).map(str::to_owned),
            on_suspicion: None,
        },
        ..SourceJob::default()
    }
}

/// The `[[source]]` that a path given on the command line is, whose rules then hold: two ways to back up the same source
/// must not leave out different things. An empty one where it is none.
fn table_of(path: &[u8], tables: &[Table]) -> Table {
    let same = |table: &&Table| table.text(&keys::SOURCE_PATH).is_some_and(|known| same_path(path, known.as_bytes()));
    tables.iter().find(same).cloned().unwrap_or_default()
}

fn same_path(a: &[u8], b: &[u8]) -> bool {
    let bare = |path: &[u8]| absolute(Path::new("/"), OsStr::from_bytes(path.strip_suffix(b"/").unwrap_or(path)));
    bare(a) == bare(b)
}

/// The paths in a list of `--files-from`.
fn listed(list: &OsStr) -> Result<Vec<Vec<u8>>> {
    let read = match list.as_bytes() {
        b"-" => read_list(&mut std::io::stdin()),
        _ => std::fs::File::open(list).and_then(|mut file| read_list(&mut file)),
    };
    read.map_err(|error| {
        Fault::new(Code::Usage, format!("cannot read the list {}", for_terminal(list.as_bytes()))).because(error)
    })
}

/// The summary, for people.
fn told(summary: &BackupSummary, vault: &str) -> Vec<String> {
    let s = summary;
    let all = s.files_new + s.files_changed + s.files_metadata + s.files_unchanged;
    let mut parts = Vec::new();
    for (number, word) in [
        (s.files_new, "new"),
        (s.files_changed, "changed"),
        (s.files_metadata, "with other metadata"),
        (s.files_removed, "removed"),
        (s.files_unchanged, "unchanged"),
        (s.files_excluded, "left out"),
    ] {
        if number > 0 {
            parts.push(format!("{} {word}", count(number)));
        }
    }
    let parts = if parts.is_empty() { "nothing in it".to_owned() } else { parts.join(", ") };
    let mut lines = vec![format!("  {}, {}: {parts}", counted(all, "file", "files"), size(s.source_bytes))];
    let (sent, time) = (size(s.sent_bytes), duration(s.elapsed_ms));
    let Some(id) = &s.version_id else {
        lines.push(format!("  {} of it would be read", size(s.read_bytes)));
        lines.push("Dry run: nothing was sent, no version was made.".to_owned());
        return lines;
    };
    lines.push(format!("  read {}, {} new, sent {sent} in {time}", size(s.read_bytes), size(s.new_bytes)));
    if s.healed > 0 {
        let mut healed = Vec::new();
        for (number, one, several) in [
            (s.healed_chunks, "chunk", "chunks"),
            (s.healed_nodes, "node", "nodes"),
            (s.healed_bodies, "body", "bodies"),
        ] {
            if number > 0 {
                healed.push(counted(number, one, several));
            }
        }
        let versions = counted(s.healed_versions, "version", "versions");
        lines.push(format!("  healed {}, {versions} complete again", healed.join(" and ")));
    }
    if s.with_holes {
        lines.push("  this version has holes: the vault has lost something of it that is not here any more".to_owned());
    }
    if s.sources_guarded > 0 {
        let sources = counted(s.sources_guarded, "source", "sources");
        lines.push(format!("  kept {sources} of which much is gone; `--accept-deletions` records it as removed"));
    }
    if s.sources_suspicious > 0 {
        let sources = counted(s.sources_suspicious, "source", "sources");
        let pinned = s.pinned_sequence.map(|version| format!("; version {version} is pinned")).unwrap_or_default();
        lines.push(format!("  {sources} changed suspiciously, see the warnings{pinned}"));
    }
    if s.errors > 0 {
        lines.push(format!(
            "  {}, see the warnings",
            counted(s.errors, "item was not taken as it is", "items were not taken as they are")
        ));
    }
    let number = s.sequence.map(|sequence| format!(" (no. {sequence})")).unwrap_or_default();
    lines.push(format!("Version {}{number} is safe in {}.", short(id), harmless_line(vault)));
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_summary_says_what_was_done() {
        let mut summary = BackupSummary {
            version_id: Some("3f9c02abffffffff".into()),
            sequence: Some(2),
            files_new: 12,
            files_changed: 1,
            files_unchanged: 1191,
            source_bytes: 92_274_688,
            read_bytes: 2 << 20,
            new_bytes: 1 << 20,
            sent_bytes: 400 << 10,
            elapsed_ms: 6100,
            ..BackupSummary::default()
        };
        assert_eq!(
            told(&summary, "/srv/vault"),
            [
                "  1,204 files, 88.0 MiB: 12 new, 1 changed, 1,191 unchanged",
                "  read 2.0 MiB, 1.0 MiB new, sent 400 KiB in 6.1 s",
                "Version 3f9c02ab (no. 2) is safe in /srv/vault.",
            ]
        );
        assert_eq!(summary.exit(), Exit::Ok);
        summary.errors = 1;
        assert_eq!(summary.exit(), Exit::Partial);
        summary.sources_guarded = 1;
        assert_eq!(summary.exit(), Exit::Refused);
    }

    #[test]
    fn lists_hold_bytes() {
        let folder = tempfile::tempdir().unwrap();
        let list = folder.path().join("list");
        std::fs::write(&list, b"/a b\n\n# no\n/c\xff\r\nlast").unwrap();
        assert_eq!(listed(list.as_os_str()).unwrap(), [&b"/a b"[..], b"/c\xff", b"last"]);
        assert_eq!(listed(OsStr::new("/no/such/list")).unwrap_err().code, Code::Usage);
    }

    #[test]
    fn a_trailing_slash_is_the_same_source() {
        assert!(same_path(b"/a/b/", b"/a/b"));
        assert!(same_path(b"/", b"/"));
        assert!(!same_path(b"/a", b"/a/b"));
    }
}
