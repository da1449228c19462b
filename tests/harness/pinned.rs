//! Texts that may not change unnoticed: each lies in a file below `it/pinned/`, where a reviewer sees it. When a text is
//! to change, run the test with `TUCKBOX_PIN=1`, look at the difference, and send it along.

use std::path::{Path, PathBuf};

/// Compares `text` with the file `name` (a path below `it/pinned/`, without its ending).
///
/// # Panics
/// When they differ, or the text was never pinned.
pub fn check(name: &str, text: &str) {
    let (file, text) = (file(name), &format!("{}\n", text.trim_end()));
    if std::env::var_os("TUCKBOX_PIN").is_some() {
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(&file, text).unwrap();
        return;
    }
    let Ok(expected) = std::fs::read_to_string(&file) else {
        panic!("{name} is not pinned yet; look at it, then run this test with TUCKBOX_PIN=1:\n{text}");
    };
    assert!(
        expected == *text,
        "{name} changed; when that is meant, run this test with TUCKBOX_PIN=1\n--- pinned ---\n{expected}\n--- now ---\n{text}"
    );
}

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("it/pinned").join(format!("{name}.txt"))
}
