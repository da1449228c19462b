//! Tries every decoder, without guidance: `fuzz [--seed N] [--seconds N] [--corpus DIR] [TARGET…]`, or
//! `fuzz --replay FILE TARGET`. Exit 1 when something was found; the input is kept and named. For `run`: `--list` names
//! the targets, `--seeds DIR TARGET` writes the inputs that a target comes with.
//!
//! Memory is bounded by the system: what asks for more than [`MEMORY_BYTES`] ends the program.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use fuzz::mutate::{Dice, mutant};
use fuzz::targets::{Target, all, named};
use rustix::process::{Resource, Rlimit, setrlimit};

/// What a decoder may take, the program itself included: no bound of a decoder is above 20 MiB, and a handful of such
/// buffers live at once.
const MEMORY_BYTES: u64 = 512 << 20;

#[derive(Default)]
struct Wish {
    seed: u64,
    seconds: u64,
    corpus: Option<PathBuf>,
    replay: Option<PathBuf>,
    seeds: Option<PathBuf>,
    list: bool,
    targets: Vec<&'static Target>,
}

fn wish() -> Wish {
    let mut wish = Wish { seed: 1, seconds: 20, ..Wish::default() };
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let mut value = || words.next().expect("an option's value");
        match word.as_str() {
            "--seed" => wish.seed = value().parse().expect("a number"),
            "--seconds" => wish.seconds = value().parse().expect("a number"),
            "--corpus" => wish.corpus = Some(value().into()),
            "--replay" => wish.replay = Some(value().into()),
            "--seeds" => wish.seeds = Some(value().into()),
            "--list" => wish.list = true,
            name => wish.targets.push(named(name).expect("a target of this name")),
        }
    }
    if wish.targets.is_empty() {
        wish.targets = all().into_iter().filter(|target| target.name != "canary").collect();
    }
    wish
}

/// The inputs that it comes with, and those that a guided search has kept.
fn inputs(target: &Target, corpus: Option<&Path>) -> Vec<Vec<u8>> {
    let mut inputs = (target.seeds)();
    let Some(dir) = corpus.map(|dir| dir.join(target.name)) else { return inputs };
    let mut files: Vec<_> = std::fs::read_dir(dir).into_iter().flatten().flatten().map(|file| file.path()).collect();
    files.sort();
    inputs.extend(files.iter().map(|file| std::fs::read(file).expect("a file of the corpus")));
    inputs
}

/// Whether it takes the input without a panic.
fn takes(target: &Target, input: &[u8]) -> bool {
    catch_unwind(AssertUnwindSafe(|| (target.run)(input))).is_ok()
}

fn found(target: &Target, input: &[u8], how: &str) {
    let file =
        std::env::temp_dir().join(format!("tuckbox-fuzz-{}-{}", target.name, &blake3::hash(input).to_hex()[..8]));
    let kept = std::fs::write(&file, input).map_or_else(|e| e.to_string(), |()| file.display().to_string());
    println!("FOUND {} ({how}), {} bytes, kept as {kept}", target.name, input.len());
    println!("      again: fuzz --replay {kept} {}", target.name);
}

fn search(target: &Target, wish: &Wish, each: Duration) -> bool {
    let inputs = inputs(target, wish.corpus.as_deref());
    for (n, input) in inputs.iter().enumerate() {
        if !takes(target, input) {
            found(target, input, &format!("input {n} of the corpus"));
            return true;
        }
    }
    let started = Instant::now();
    let (mut runs, mut slowest) = (0u64, Duration::ZERO);
    while started.elapsed() < each {
        let seed = wish.seed.wrapping_mul(0x1_0000_0000).wrapping_add(runs);
        let input = mutant(&mut Dice::new(seed), &inputs, target.words);
        let before = Instant::now();
        if !takes(target, &input) {
            found(target, &input, &format!("run {runs} of seed {}", wish.seed));
            return true;
        }
        slowest = slowest.max(before.elapsed());
        runs += 1;
    }
    println!(
        "{:<16} {:>4} inputs {runs:>8} runs, slowest {:>5.1} ms",
        target.name,
        inputs.len(),
        slowest.as_secs_f64() * 1e3
    );
    false
}

fn main() -> ExitCode {
    let wish = wish();
    let bound = Some(MEMORY_BYTES);
    setrlimit(Resource::As, Rlimit { current: bound, maximum: bound }).expect("a bound of memory");
    if wish.list {
        wish.targets.iter().for_each(|target| println!("{}", target.name));
        return ExitCode::SUCCESS;
    }
    if let Some(dir) = &wish.seeds {
        for (n, seed) in wish.targets.iter().flat_map(|target| (target.seeds)()).enumerate() {
            std::fs::write(dir.join(n.to_string()), seed).expect("written");
        }
        return ExitCode::SUCCESS;
    }
    if let Some(file) = &wish.replay {
        let input = std::fs::read(file).expect("an input");
        return if wish.targets.iter().all(|target| takes(target, &input)) {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        };
    }
    println!("seed {}, {} s, memory bounded at {} MiB", wish.seed, wish.seconds, MEMORY_BYTES >> 20);
    let each = Duration::from_secs(wish.seconds) / u32::try_from(wish.targets.len()).unwrap_or(1).max(1);
    let finds = wish.targets.iter().filter(|target| search(target, &wish, each)).count();
    println!("{} targets, {finds} findings", wish.targets.len());
    if finds == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
