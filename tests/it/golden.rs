//! Vaults that were made once, by a program of their time, and must open for ever: one for each version of the format,
//! in `tests/golden/`. Beside each lie its 24 words, a copy of its key file, and what every version in it holds.

mod listing;
mod make;

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use tests::look::{self, Item, Listing};
use tests::subject::{bytes_below, files_below};
use tests::world::World;
use tests::{need, tree};

use crate::decoder;
use crate::world;
use listing::Listings;

/// Directories of golden vaults, one for each version of the format, and the hash of all that is in them.
const GOLDEN: [(&str, &str); 1] = [("v1", "b1b12b0478069bc4a238a85a403fae32990c7e4825a51fe22a627d3b5a893fe5")];
/// Opens the slot in the vault, and that in the key file.
const PASSPHRASE: &str = "golden for ever\n";
/// Sources, all below the same directory.
const SOURCES: [&str; 3] = ["home", "mail", "disk"];
const HOST: &str = "golden.example";
const BELOW: &str = "tmp/tuckbox-golden";

fn golden(version: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("golden").join(version)
}

/// BLAKE3 of all files below a directory: names, lengths, bytes.
fn hash_of(dir: &Path) -> String {
    let mut hash = blake3::Hasher::new();
    for file in files_below(dir) {
        let (name, bytes) = (file.strip_prefix(dir).unwrap().as_os_str().as_encoded_bytes(), fs::read(&file).unwrap());
        hash.update(&(name.len() as u64).to_le_bytes()).update(name);
        hash.update(&(bytes.len() as u64).to_le_bytes()).update(&bytes);
    }
    hash.finalize().to_hex().to_string()
}

/// A listing of a source, by full paths.
fn under(source: &str, listing: &Listing) -> Listing {
    let full = |path: &[u8]| match path {
        b"" => format!("{BELOW}/{source}").into_bytes(),
        path => [format!("{BELOW}/{source}/").as_bytes(), path].concat(),
    };
    let item = |item: &Item| Item { first_name: full(&item.first_name), ..item.clone() };
    Listing(listing.0.iter().map(|(path, of)| (full(path), item(of))).collect())
}

/// Ids of versions and partial versions, by sequence.
fn version_ids(world: &World) -> BTreeMap<u64, String> {
    let rows = world.tuckbox(["versions", "--partial", "--json"]).ok().records("version");
    rows.iter().map(|row| (row["sequence"].as_u64().unwrap(), row["id"].as_str().unwrap().to_owned())).collect()
}

/// Restores a version below a directory and lists it.
fn restored(world: &World, id: &str, to: &Path) -> Listing {
    let run = world.tuckbox(["restore", "--at", &format!("id:{id}"), "--to"]).and([to]).run();
    // Who is not root cannot make everything, and is told so.
    if need::is_root() {
        run.ok()
    } else {
        run.exits(3)
    };
    listed(to)
}

/// What was restored below a directory.
fn listed(to: &Path) -> Listing {
    let places = SOURCES.map(|source| (source, to.join(BELOW).join(source)));
    let there = places.iter().filter(|(_, path)| path.exists());
    let all = there.flat_map(|(source, path)| under(source, &look::at(path)).0).collect();
    Listing(all).without(|item| item.hole_bytes = 0)
}

/// Compares what must be equal: everything for root, and for others what they can make.
fn same(expected: &Listing, found: &Listing) {
    if need::is_root() {
        return expected.same_as(found);
    }
    // Of another owner's, setuid is left out; what nobody may read, cannot be compared.
    let beyond = |item: &Item| item.rdev.is_some() || item.mode & 0o6000 != 0 || item.mode & 0o400 == 0;
    let reduced = |listing: &Listing| {
        let mut listing = listing.clone().without(|item| {
            (item.uid, item.gid) = (0, 0);
            item.xattrs.retain(|name, _| name.starts_with(b"user.") || name.starts_with(b"system."));
        });
        listing.0.retain(|path, _| !expected.0.get(path).is_some_and(beyond));
        listing
    };
    reduced(expected).same_as(&reduced(found));
}

/// Soon after the last of the vaults was made: as they get older, their policy lets versions go.
const TODAY: &str = "2026-11-21T02:00:00Z";

/// A machine with nothing but a copy of a golden vault. Git keeps no permissions and no empty directories.
fn copy(version: &str) -> World {
    let world = world();
    let from = golden(version).join("vault");
    for file in files_below(&from) {
        let to = world.vault().join(file.strip_prefix(&from).unwrap());
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        fs::write(&to, fs::read(&file).unwrap()).unwrap();
        fs::set_permissions(&to, fs::Permissions::from_mode(0o600)).unwrap();
    }
    fs::set_permissions(world.vault(), fs::Permissions::from_mode(0o700)).unwrap();
    fs::copy(golden(version).join("words"), world.path("words")).unwrap();
    world.with_vault(world.arg("vault")).with_env("TUCKBOX_CLOCK", TODAY)
}

/// The same, with its key made again from the words.
fn recovered(version: &str) -> World {
    let world = copy(version);
    world.tuckbox(["key", "recover", "--words-file", &world.arg("words")]).ok();
    world
}

fn listings(version: &str) -> Listings {
    Listings::parse(&fs::read_to_string(golden(version).join("listing")).unwrap())
}

/// Whether what is in the vault can be written where tests write.
fn writable() -> bool {
    let disk = tempfile::tempdir().unwrap();
    tree::xattrs_work(&tree::Tree::at(disk.path()))
}

#[test]
fn every_version_of_the_format_is_kept_and_tried() {
    let dirs = fs::read_dir(golden("")).unwrap().map(|entry| entry.unwrap());
    let mut dirs: Vec<_> = dirs.filter(|e| e.file_type().unwrap().is_dir()).map(|e| e.file_name()).collect();
    dirs.sort();
    assert_eq!(dirs, GOLDEN.map(|(version, _)| version));
    // What this program writes is the last of them.
    let world = world().ready();
    let made: serde_json::Value = serde_json::from_slice(&fs::read(world.vault().join("vault.json")).unwrap()).unwrap();
    assert_eq!(GOLDEN.last().unwrap().0, format!("v{}", made["format"]));
}

#[test]
fn nothing_of_it_ever_changes() {
    for (version, hash) in GOLDEN {
        assert_eq!(hash_of(&golden(version)), hash, "golden/{version} was changed: put it back");
        assert!(bytes_below(&golden(version)) < 2 << 20, "golden/{version} is too large");
    }
}

#[test]
fn recovered_with_the_words_every_version_comes_back_exactly() {
    for (version, _) in GOLDEN.into_iter().filter(|_| writable()) {
        let world = recovered(version);
        world.tuckbox(["check", "--full"]).ok();
        let (listings, ids) = (listings(version), version_ids(&world));
        for (sequence, listing) in &listings.0 {
            let to = world.path(format!("out-{sequence}"));
            same(listing, &restored(&world, &ids[sequence], &to));
            fs::remove_dir_all(to).unwrap();
        }
        // Not one more was made by looking, and none is left out here.
        assert!(ids.keys().eq(listings.0.keys()), "{ids:?}");
    }
}

#[test]
fn a_backup_on_top_of_it_sends_what_is_new_and_changes_nothing_old() {
    for (version, _) in GOLDEN.into_iter().filter(|_| writable() && need::root()) {
        let world = recovered(version);
        let before: Vec<_> = truth(&world);
        let (sequence, id) = version_ids(&world).pop_last().unwrap();
        restored(&world, &id, &world.path("out"));
        let source = world.path("out").join(BELOW).join("home");
        tree::Tree::at(&source).file("on top", "of what was there");
        let old = look::at(&source);
        let run = world.tuckbox(["backup", "--json", "--host", HOST]).and([&source]).ok();
        assert_eq!(run.count("new_bytes"), 0, "content is known from before, new is only what stands in line\n{run}");
        for (file, hash) in before {
            assert_eq!(blake3::hash(&fs::read(&file).unwrap()), hash, "{}", file.display());
        }
        world.tuckbox(["check", "--full"]).ok();
        // What a run that was killed had sent was taken over.
        let staged =
            |vault: &Path| files_below(vault).iter().filter(|f| f.extension() == Some("part".as_ref())).count();
        assert_eq!((staged(&golden(version)), staged(&world.vault())), (1, 0));
        world.tuckbox(["restore", "--to", &world.arg("again")]).and([&source]).ok();
        old.same_as(&look::at(world.path("again/home")));
        // What this program added is of the same format, to the last id.
        if let Some(python) = decoder::python() {
            decode(&world, &python, &world.path("decoded"));
            old.same_as(&look::at(world.path("decoded").join(source.strip_prefix("/").unwrap())));
        }
        // The sources of old are in the new version, too.
        let ids = version_ids(&world);
        let newest = restored(&world, ids.values().last().unwrap(), &world.path("newest"));
        same(&listings(version).0[&sequence], &newest);
    }
}

/// Published files of a vault with the hashes of their bytes.
fn truth(world: &World) -> Vec<(PathBuf, blake3::Hash)> {
    let files = files_below(&world.vault()).into_iter();
    let kept = files.filter(|f| ["pack", "link", "body", "note"].iter().any(|e| f.extension() == Some(e.as_ref())));
    kept.map(|file| (file.clone(), blake3::hash(&fs::read(&file).unwrap()))).collect()
}

#[test]
fn its_passphrase_opens_the_slot_in_the_vault_and_its_key_files_open() {
    for (version, _) in GOLDEN {
        let world = copy(version);
        fs::write(world.path("passphrase"), PASSPHRASE).unwrap();
        let passphrase = ["--password-file".to_owned(), world.arg("passphrase")];
        world.tuckbox(["key", "recover"]).and(&passphrase).ok();
        let count = listings(version).0.len();
        assert_eq!(version_ids(&world).len(), count);

        for (name, words) in [("open.key", &[][..]), ("passphrase.key", &passphrase)] {
            let key = world.path(name);
            fs::copy(golden(version).join(name), &key).unwrap();
            fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
            let call = world.machine(name).tuckbox(["versions", "--partial", "--json", "--key"]);
            assert_eq!(call.and([&key]).and(words).ok().records("version").len(), count, "{name}");
        }
    }
}

/// The decoder writes the newest version below a directory, and checks every id on the way.
fn decode(world: &World, python: &Path, to: &Path) {
    let call = world.command(python, [&decoder::here().join("decoder/decode.py"), &world.vault(), to]);
    call.stdin(fs::read(world.path("words")).unwrap()).ok();
}

#[test]
fn the_decoder_restores_the_newest() {
    let Some(python) = decoder::python() else { return };
    for (version, _) in GOLDEN.into_iter().filter(|_| writable() && need::root()) {
        let world = copy(version);
        decode(&world, &python, &world.path("out"));
        let listings = listings(version);
        listings.0.values().last().unwrap().same_as(&listed(&world.path("out")));
    }
}

/// The structures of the format that occur in a vault whose words lie in `words`, as an independent decoder sees them.
fn census(world: &World, python: &Path, vault: &Path) -> String {
    let call = world.command(python, [&decoder::here().join("decoder/census.py"), vault]);
    call.stdin(fs::read(world.path("words")).unwrap()).ok().text().to_owned()
}

#[test]
fn it_has_every_structure_that_it_says() {
    let Some(python) = decoder::python() else { return };
    for (version, _) in GOLDEN {
        let world = copy(version);
        let said = fs::read_to_string(golden(version).join("structures")).unwrap();
        assert_eq!(census(&world, &python, &world.vault()), said);
    }
}
