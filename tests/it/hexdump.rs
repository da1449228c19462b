//! What somebody sees who has the vault and a hex viewer: no name, no content, and of lengths only padded ones.

use std::fs;

use tests::subject::files_below;
use tests::tree::Tree;

use crate::world;

/// Things that must not be found, of every sort that a backup holds.
const SECRETS: [&str; 9] = [
    "nameofafile",
    "nameofadirectory",
    "targetofalink",
    "contentofafile",
    "tinycontent",
    "nameofanattribute",
    "valueofanattribute",
    "nameofatag",
    "labelofthehost",
];

#[test]
fn no_name_and_no_content_is_seen() {
    let world = world();
    let world = world.with_vault(world.arg("vault"));
    world.tuckbox(["init", "--account", "clear"]).ok();
    let source = Tree::at(world.path("source-to-be-hidden"));
    source.file("nameofafile", "contentofafile, and again: contentofafile\n".repeat(500));
    source.file("nameofafile-small", "tinycontent").symlink("link", "targetofalink");
    source.xattr("nameofafile", "user.nameofanattribute", b"valueofanattribute");
    source.dir("nameofadirectory").file("nameofafile-2", "contentofafile");
    // Incompressible content lies raw in its box, and random names defeat no compression.
    source.file("nameofafile-raw", [tests::tree::Seeded::new(1).bytes(60_000), b"contentofafile".to_vec()].concat());
    let source = source.path().to_str().unwrap().to_owned();
    let run = world
        .tuckbox(["backup", &source, "--tag", "nameofatag", "--host", "labelofthehost"])
        .env("TUCKBOX_HOST", "labelofthehost");
    run.ok();
    let words = world.words();

    let mut secrets: Vec<String> = SECRETS.iter().map(|s| (*s).to_owned()).collect();
    secrets.extend(["source-to-be-hidden".into(), words.split(' ').take(3).collect::<Vec<_>>().join(" ")]);
    let files = files_below(&world.vault());
    assert!(files.iter().any(|file| file.extension().is_some_and(|e| e == "pack")), "{files:?}");
    for file in files {
        let bytes = fs::read(&file).unwrap();
        for secret in &secrets {
            let name = file.to_string_lossy();
            assert!(!name.strip_prefix(&*world.vault().to_string_lossy()).unwrap().contains(secret.as_str()), "{name}");
            let found = bytes.windows(secret.len()).any(|window| window.eq_ignore_ascii_case(secret.as_bytes()));
            assert!(!found, "`{secret}` is seen in {name}");
        }
    }
    // The test sees what is there to be seen: the account's name, which is the server's own.
    let clear = files_below(&world.vault()).into_iter().any(|f| fs::read(f).unwrap().windows(5).any(|w| w == b"clear"));
    assert!(clear);
}

#[test]
fn nobody_else_may_even_look() {
    use std::os::unix::fs::PermissionsExt;
    let world = world().ready();
    tests::tree::small(world.path("docs"));
    world.tuckbox(["backup", &world.arg("docs")]).ok();
    for dir in
        [world.vault(), world.keys(), world.home().join(".local/state/tuckbox"), world.home().join(".cache/tuckbox")]
    {
        let mode = |path| fs::metadata(path).unwrap().permissions().mode();
        assert_eq!(mode(&dir) & 0o077, 0, "{} is {:o}", dir.display(), mode(&dir));
    }
    // What may be carried elsewhere is closed by itself.
    for file in files_below(&world.vault()).into_iter().chain(files_below(&world.keys())) {
        let mode = fs::metadata(&file).unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "{} is {mode:o}", file.display());
    }
}
