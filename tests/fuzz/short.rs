//! The short form of fuzzing: some seconds of every decoder, and proof that the search sees.

use std::path::Path;
use std::process::{Command, Output};

fn fuzz(words: &[&str]) -> Output {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
    let run = Command::new(env!("CARGO_BIN_EXE_fuzz")).arg("--corpus").arg(corpus).args(words).output().unwrap();
    println!("{}{}", String::from_utf8_lossy(&run.stdout), String::from_utf8_lossy(&run.stderr));
    run
}

#[test]
fn no_decoder_panics_or_takes_memory_without_bound() {
    assert!(fuzz(&["--seconds", "24"]).status.success());
}

#[test]
fn the_planted_mistake_is_found_and_comes_again() {
    let run = fuzz(&["--seconds", "30", "canary"]);
    assert_eq!(run.status.code(), Some(1));
    let said = String::from_utf8(run.stdout).unwrap();
    let replay = said.lines().find_map(|line| line.trim().strip_prefix("again: fuzz ")).unwrap();
    let words: Vec<&str> = replay.split(' ').collect();
    assert_eq!(fuzz(&words).status.code(), Some(1));
    std::fs::remove_file(words[1]).unwrap();
}

#[test]
fn the_corpus_is_small_and_of_targets_that_there_are() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
    let mut bytes = 0;
    for dir in std::fs::read_dir(corpus).unwrap() {
        let dir = dir.unwrap();
        let name = dir.file_name().into_string().unwrap();
        assert!(fuzz::targets::named(&name).is_some(), "{name}");
        let files = std::fs::read_dir(dir.path()).unwrap();
        bytes += files.map(|file| file.unwrap().metadata().unwrap().len()).sum::<u64>();
    }
    assert!(bytes < 300_000, "{bytes} bytes");
}
