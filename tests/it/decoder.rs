//! The independent decoder, written from FORMAT.md alone, opens what the program wrote.

use std::path::{Path, PathBuf};

use tests::subject::files_below;
use tests::{look, need, tree};

use crate::world;

/// The directory of this package.
pub(crate) fn here() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A Python with what the decoder needs: `tests/run` makes it.
pub(crate) fn python() -> Option<PathBuf> {
    let given = std::env::var_os("TUCKBOX_DECODER_PYTHON").map(PathBuf::from);
    let python = given.unwrap_or_else(|| here().join("../target/decoder/bin/python"));
    need::have(python.exists(), "the decoder's Python is missing; tests/run makes it").then_some(python)
}

#[test]
fn it_restores_everything_from_the_vault_and_the_words() {
    let Some(python) = python() else { return };
    let world = world().ready();
    let make = if need::is_root() { tree::odd_for_root } else { tree::odd };
    let odd = make(world.path("odd"));
    // Large enough for lists of pieces, fixed pieces and several packs.
    let source = tree::seeded(world.path("source"), 51, 300, 90_000_000);
    let mut chance = tree::Seeded::new(52);
    source.file("database", [b"SQLite format 3\0".to_vec(), chance.bytes(3 << 20), vec![0; 1 << 20]].concat());
    let (odd_arg, source_arg) = (world.arg("odd"), world.arg("source"));
    world.tuckbox(["backup", &odd_arg, &source_arg, "--tag", "first"]).ok();
    world.tuckbox(["key", "rotate"]).ok();
    source.file("after", chance.text(200_000));
    world.tuckbox(["backup", &source_arg]).ok();

    let words = world.words();
    let decode = here().join("decoder/decode.py");
    let arguments =
        [decode.as_os_str(), world.vault().as_os_str(), world.path("out").as_os_str()].map(ToOwned::to_owned);
    world.command(python, arguments).stdin(words).ok();
    for made in [odd.path(), source.path()] {
        look::at(made).same_as(&look::at(world.path("out").join(made.strip_prefix("/").unwrap())));
    }
}

#[test]
fn it_finds_packs_in_volumes_and_takes_no_other_directory_for_one() {
    let Some(python) = python() else { return };
    let world = world().ready();
    world.tuckbox(["volume", "add", &world.arg("second")]).ok();
    let source = tree::seeded(world.path("source"), 53, 20, 100_000);
    world.tuckbox(["backup", &world.arg("source")]).ok();
    // Where a pack is, nothing but its place says: whatever chance took, now all are on the second disk but the last.
    let mut packs = files_below(&world.vault());
    packs.retain(|file| file.extension().is_some_and(|end| end == "pack"));
    packs.pop();
    for pack in packs {
        let [name, byte, _, domain] = pack.iter().rev().take(4).collect::<Vec<_>>()[..] else { panic!("{pack:?}") };
        let folder = world.path("second/packs").join(domain).join(byte);
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::rename(&pack, folder.join(name)).unwrap();
    }
    let words = world.words();
    let decode = |out: &str| {
        let arguments = [here().join("decoder/decode.py"), world.vault(), world.path(out)];
        world.command(&python, arguments).stdin(words.clone())
    };
    decode("out").ok();
    look::at(source.path()).same_as(&look::at(world.path("out").join(source.path().strip_prefix("/").unwrap())));
    let marker = world.path("second/volume.json");
    let said = std::fs::read_to_string(&marker).unwrap();
    std::fs::write(&marker, said.replace("\"volume\":1", "\"volume\":2")).unwrap();
    let refused = decode("again").run();
    assert!(refused.err().contains("was altered"), "{refused}");
}

#[test]
fn it_computes_the_same_vectors() {
    let Some(python) = python() else { return };
    let vectors = here().join("../store/tests/vectors.json");
    if need::have(vectors.exists(), "store/tests/vectors.json is missing") {
        world().command(python, [here().join("decoder/vectors.py"), vectors]).ok();
    }
}
