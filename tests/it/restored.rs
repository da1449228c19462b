//! What a restore leaves behind when it ends early, what it reaches, and when it may say that it is done.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::time::Duration;

use tests::look;
use tests::tree::{Seeded, Tree};
use tests::wait::until;

use crate::world;

/// Longest wait for a restore to come so far.
const SOON: Duration = Duration::from_secs(60);

/// What these ways to restore find stands, and they leave it: so half of a file must never stand there.
#[test]
fn no_half_file_is_taken_for_done() {
    let world = world().ready();
    let photos = Tree::at(world.path("docs")).dir("photos");
    for n in 0..3 {
        photos.file(format!("p{n}"), Seeded::new(n).bytes(4_000_000));
    }
    world.tuckbox(["backup", &world.arg("docs")]).ok();
    let before = look::at(world.path("docs/photos"));
    let photos = world.arg("docs/photos");
    for words in [&["undelete", &photos][..], &["restore", &photos, "--overwrite", "if-newer"]] {
        fs::remove_dir_all(&photos).unwrap();
        let run = world.tuckbox(words).and(["--yes", "--limit", "2M"]).start();
        let written = || {
            fs::read_dir(&photos)
                .into_iter()
                .flatten()
                .flatten()
                .any(|entry| entry.metadata().is_ok_and(|metadata| metadata.len() > 0 && metadata.mtime() > 0))
        };
        until(SOON, "a file that is begun", written);
        run.kill();
        let begun = |name: &fs::DirEntry| name.file_name().to_string_lossy().starts_with(".tuckbox-");
        world.tuckbox(words).and(["--yes"]).ok();
        let left = fs::read_dir(&photos).unwrap().flatten().filter(begun);
        left.for_each(|left| fs::remove_file(left.path()).unwrap());
        let after = look::at(world.path("docs/photos"));
        let contents = |listing: &look::Listing| {
            listing
                .0
                .iter()
                .filter(|(path, _)| !path.is_empty())
                .map(|(p, i)| (p.clone(), i.clone()))
                .collect::<Vec<_>>()
        };
        assert!(contents(&before) == contents(&after), "{words:?}");
    }
}
