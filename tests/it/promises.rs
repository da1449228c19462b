//! Every promise of SECURITY.md names what tries to break it, and that is there.

use std::fs;
use std::path::{Path, PathBuf};

use tests::subject::files_below;

/// The headings of the tables, and of their columns that name tests.
const TABLES: [(&str, &str); 2] = [
    ("## What tries to break each promise", "test"),
    ("## Promises, and the tests that try to break them", "tried by"),
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// What of this column stands between backquotes, row by row, with the promise.
fn named<'a>(document: &'a str, heading: &str, column: &str) -> Vec<(&'a str, Vec<&'a str>)> {
    let section = document.split(heading).nth(1).unwrap_or_else(|| panic!("{heading} is not there"));
    let section = section.split("\n## ").next().unwrap();
    let table = section.split("\n\n").find(|part| part.starts_with("| promise")).unwrap();
    let cells = |row: &'a str| row.trim_matches('|').split('|').map(str::trim).collect::<Vec<_>>();
    let mut rows = table.lines().map(cells);
    let at = rows.next().unwrap().iter().position(|title| *title == column).unwrap();
    rows.skip(1).map(|cells| (cells[0], cells[at].split('`').skip(1).step_by(2).collect())).collect()
}

/// Whether a file, or anything in a folder, has tests in it.
fn has_tests(path: &Path) -> bool {
    // What is checked in every simulated world has no test of its own.
    if path.parent().is_some_and(|dir| dir.ends_with("tests/simulation")) {
        return path.is_file();
    }
    let files =
        if path.is_dir() { files_below(path) } else { vec![path.to_owned(), path.with_extension("").join("tests.rs")] };
    let marks = ["#[test]", "proptest!", "#[tokio::test]"];
    let tests =
        |file: &PathBuf| fs::read_to_string(file).is_ok_and(|text| marks.iter().any(|mark| text.contains(mark)));
    // A script, or a program, is one by itself.
    let other = |file: &Path| file.extension().is_none_or(|e| e != "rs");
    let is_program = path.join("main.rs").is_file() || files.iter().any(|file| file.is_file() && other(file));
    is_program || files.iter().any(tests)
}

/// Whether this names a test: a module of `tests/it` or `tests/sweep`, a path, a file beside the one named before, or a
/// target of the fuzzer.
fn is_there(word: &str, before: &mut PathBuf) -> bool {
    let root = root();
    if let Some((module, function)) = word.split_once("::") {
        return ["it", "sweep"].iter().any(|place| {
            let place = root.join("tests").join(place);
            let has = |file: &Path, what: &str| fs::read_to_string(file).is_ok_and(|text| text.contains(what));
            let file = place.join(format!("{module}.rs"));
            has(&place.join("main.rs"), &format!("mod {module};"))
                && has_tests(&file)
                && (function.is_empty() || has(&file, &format!("fn {function}(")))
        });
    }
    let path = word.split(' ').next().unwrap();
    if path.contains('/') {
        *before = root.join(path).parent().unwrap().to_owned();
        return has_tests(&root.join(path));
    }
    if path.ends_with(".rs") {
        return has_tests(&before.join(path));
    }
    let target = format!("\"{path}\"");
    let targets = files_below(&root.join("tests/fuzz/targets"));
    targets.iter().any(|file| fs::read_to_string(file).unwrap().contains(&target))
}

#[test]
fn every_promise_names_a_test_that_is_there() {
    let document = fs::read_to_string(root().join("SECURITY.md")).unwrap();
    for (heading, column) in TABLES {
        let rows = named(&document, heading, column);
        assert!(rows.len() > 5, "{heading}: {} rows", rows.len());
        for (promise, words) in rows {
            assert!(!words.is_empty(), "{promise}: no test is named");
            let mut before = root();
            let lacking: Vec<_> = words.into_iter().filter(|word| !is_there(word, &mut before)).collect();
            assert!(lacking.is_empty(), "{promise}: there is no {lacking:?}");
        }
    }
}

#[test]
fn what_is_not_there_is_seen() {
    let mut before = root().join("tests/sweep");
    for word in ["nothing::", "tests/sweep/nothing.rs", "nothing.rs", "nothing", "tidy::nothing_at_all"] {
        assert!(!is_there(word, &mut before), "{word}");
    }
    assert!(is_there("calls.rs", &mut root().join("tests/sweep")) && is_there("tidy::", &mut before));
}
