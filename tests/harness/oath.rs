//! What holds after whatever befell a run: every version that was acknowledged is there and comes back byte for byte,
//! the vault opens without repair, what the catalog says is what a new count finds.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use rusqlite::Connection;

use crate::look::{self, Listing};
use crate::subject::Outcome;
use crate::wait::until;
use crate::world::World;

/// Ids of all versions, oldest first.
#[must_use]
pub fn versions(world: &World) -> Vec<String> {
    let rows = world.tuckbox(["versions", "--json"]).ok().records("version");
    rows.iter().map(|row| row["id"].as_str().unwrap().to_owned()).collect()
}

/// The id of the version that a backup with `--json` has acknowledged, however it ended afterwards.
#[must_use]
pub fn acknowledged(run: &Outcome) -> Option<String> {
    let text = String::from_utf8_lossy(&run.stdout).into_owned();
    let after = text.split("\"version_id\":\"").nth(1)?;
    Some(after.split('"').next().unwrap_or_default().to_owned())
}

/// What a source looks like in a version.
///
/// # Panics
/// When it is not restored without a complaint.
#[must_use]
pub fn restored(world: &World, source: &str, id: &str) -> Listing {
    let out = world.path("out-oath");
    remove(&out);
    world.tuckbox(["restore", &world.arg(source), "--to", &world.arg("out-oath"), "--at", &format!("id:{id}")]).ok();
    let name = Path::new(source).file_name().unwrap();
    let listing = look::at(out.join(name));
    remove(&out);
    listing
}

/// Every stored byte is what it was, and every version whole; nothing odd either, but for packs that are known to be gone.
///
/// # Panics
/// When it is not so.
pub fn clean(world: &World) {
    let run = world.tuckbox(["check", "--read-data", "--json"]).ok();
    assert_eq!(run.count("damaged"), 0, "{run}");
    // A pack that was set aside or is back under another name stays noted, and is told as odd.
    let known = |row: &serde_json::Value| row["message"].as_str().is_some_and(|m| m.ends_with("the pack is not there"));
    let odd: Vec<_> = run.records("finding").into_iter().filter(|row| !known(row)).collect();
    assert_eq!(odd, Vec::<serde_json::Value>::new(), "{run}");
}

/// The catalogs say what a new count of packs and records says.
///
/// # Panics
/// When one does not.
pub fn counted(world: &World) {
    let copy = world.path("recount");
    world.quiet();
    remove(&copy);
    truth(&world.vault(), &copy);
    // The next opener counts anew.
    world.with_vault(world.arg("recount")).tuckbox(["versions"]).ok();
    for catalog in catalogs(&world.vault()) {
        let again = copy.join(catalog.strip_prefix(world.vault()).unwrap());
        // Another account's is counted when that account is opened.
        if !again.is_file() {
            continue;
        }
        // What nobody needs is condemned and then freed; a new count finds it as it lies, until it is gone.
        let freed = freed(&catalog);
        let (ours, mut theirs) = (rows(&catalog), rows(&again));
        theirs.retain(|row| {
            !((row.starts_with("chunk") || row.starts_with("node")) && freed.iter().any(|at| row.contains(at)))
        });
        let only = |a: &BTreeSet<String>, b: &BTreeSet<String>| a.difference(b).take(5).cloned().collect::<Vec<_>>();
        let (left, right) = (only(&ours, &theirs), only(&theirs, &ours));
        assert!(left.is_empty() && right.is_empty(), "catalog: only in it {left:#?}\nonly in a new count {right:#?}");
    }
    remove(&copy);
}

/// Copies a directory with everything that a file has.
///
/// # Panics
/// When that fails.
pub fn copied(from: &Path, to: &Path) {
    let done = Command::new("cp").arg("-a").arg(from).arg(to).output().unwrap();
    assert!(done.status.success(), "cp: {}", String::from_utf8_lossy(&done.stderr));
}

/// Longest wait for a server that is just ending.
const SOON: Duration = Duration::from_secs(60);

/// Removes a path with all below, if it is there. A server that is just ending may still make files in it.
///
/// # Panics
/// When it stays.
pub fn remove(path: &Path) {
    match path.symlink_metadata() {
        Ok(meta) if meta.is_dir() => until(SOON, "an empty directory", || match fs::remove_dir_all(path) {
            Err(error) if error.kind() == io::ErrorKind::DirectoryNotEmpty => false,
            other => {
                other.unwrap();
                true
            }
        }),
        Ok(_) => fs::remove_file(path).unwrap(),
        Err(_) => {}
    }
}

/// Copies a vault without its databases. Where others work in it, files may go meanwhile.
fn truth(from: &Path, to: &Path) {
    fs::create_dir(to).unwrap();
    fs::set_permissions(to, fs::metadata(from).unwrap().permissions()).unwrap();
    for entry in fs::read_dir(from).unwrap().flatten() {
        let (name, kind) = (entry.file_name(), entry.file_type());
        match kind {
            Ok(kind) if kind.is_dir() => truth(&entry.path(), &to.join(name)),
            Ok(_) if !name.to_string_lossy().contains(".db") => drop(fs::copy(entry.path(), to.join(name))),
            _ => {}
        }
    }
}

fn catalogs(vault: &Path) -> Vec<PathBuf> {
    let domains = fs::read_dir(vault.join("domains")).into_iter().flatten().flatten();
    domains.map(|domain| domain.path().join("catalog.db")).filter(|path| path.is_file()).collect()
}

/// Pack and offset of the places that were freed.
fn freed(catalog: &Path) -> Vec<String> {
    let conn = Connection::open(catalog).unwrap();
    let sql = "SELECT hex(p.id) || ' ' || offset FROM place q JOIN pack p ON p.no = q.pack WHERE state = 3";
    let mut ask = conn.prepare(sql).unwrap();
    ask.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
}

/// What a catalog says of packs and links, by what lies in the packs. The numbers of rows differ from count to count,
/// and which nodes are known as complete depends on what was asked.
fn rows(catalog: &Path) -> BTreeSet<String> {
    let conn = Connection::open(catalog).unwrap();
    let mut out = BTreeSet::new();
    for query in [
        "SELECT 'pack', hex(id), kind, session, bytes FROM pack",
        "SELECT 'place', hex(p.id), offset, length, q.kind, items, hex(hash), \
             CASE state WHEN 2 THEN 'damaged' ELSE 'there' END FROM place q JOIN pack p ON p.no = q.pack",
        "SELECT 'place of no pack', count(*) FROM place WHERE pack NOT IN (SELECT no FROM pack)",
        "SELECT 'chunk', hex(c.id), hex(p.id), offset FROM chunk c JOIN place q ON q.no = c.place JOIN pack p ON p.no = q.pack",
        "SELECT 'chunk of no place', count(*) FROM chunk WHERE place NOT IN (SELECT no FROM place)",
        "SELECT 'node', hex(n.id), hex(p.id), offset, slot FROM node n JOIN place q ON q.no = n.place JOIN pack p ON p.no = q.pack",
        "SELECT 'node of no place', count(*) FROM node WHERE place NOT IN (SELECT no FROM place)",
        "SELECT 'link', account, sequence, kind, hex(body), hex(bytes) FROM link",
    ] {
        let mut ask = conn.prepare(query).unwrap();
        let columns = ask.column_count();
        let mut found = ask.query([]).unwrap();
        while let Some(row) = found.next().unwrap() {
            let cells = (0..columns).map(|at| match row.get_ref(at).unwrap() {
                rusqlite::types::ValueRef::Integer(number) => number.to_string(),
                other => other.as_str().unwrap_or("?").to_owned(),
            });
            out.insert(cells.collect::<Vec<_>>().join(" "));
        }
    }
    out
}
