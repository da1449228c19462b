//! Many worlds: `simulate COUNT [FIRST SEED]`, or the one of `TUCKBOX_SEED` (with `TUCKBOX_TELL=1`
//! call by call). `simulate mutants [COUNT]` shows in how
//! many worlds each breakage of the order of commits is found.

use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use simulation::mutant::{Mutant, PLAIN, RARE};
use simulation::tally::Tally;
use simulation::{folder, run};

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let number = |at: usize, or: u64| words.get(at).map_or(Some(or), |word| word.parse().ok());
    if let Some(seed) = std::env::var("TUCKBOX_SEED").ok().and_then(|seed| seed.parse().ok()) {
        simulation::world::TELLS.store(std::env::var_os("TUCKBOX_TELL").is_some(), Ordering::Relaxed);
        return many(seed, 1);
    }
    match (words.first().map(String::as_str), number(0, 1_000), number(1, 0)) {
        (Some("mutants"), _, count) => mutants(count.filter(|count| *count > 0).unwrap_or(3_000)),
        (_, Some(count), Some(first)) => many(first, count),
        _ => {
            eprintln!("usage: simulate [COUNT [FIRST SEED]] | simulate mutants [COUNT]");
            ExitCode::from(2)
        }
    }
}

/// Runs worlds on all cores. The answer says whether nothing was violated.
#[expect(clippy::disallowed_methods, reason = "how long it really took is what it tells")]
fn many(first: u64, count: u64) -> ExitCode {
    let began = std::time::Instant::now();
    let (total, failed) = (Mutex::new(Tally::default()), Mutex::new(Vec::new()));
    each(first, count, None, &|seed, told| {
        total.lock().unwrap().add(&told.tally);
        if !told.violations.is_empty() {
            println!("seed {seed}: {}", told.violations.join("; "));
            failed.lock().unwrap().push(seed);
        }
        true
    });
    let seconds = began.elapsed().as_secs_f64();
    let failed = failed.into_inner().unwrap();
    println!("{count} worlds from seed {first} in {seconds:.1} s ({:.0} a minute)", count as f64 * 60.0 / seconds);
    println!("{:#?}", total.into_inner().unwrap());
    match failed.first() {
        None => {
            println!("nothing was violated");
            ExitCode::SUCCESS
        }
        Some(seed) => {
            println!("{} violated something; to see one again: TUCKBOX_SEED={seed} tests/simulate", failed.len());
            ExitCode::FAILURE
        }
    }
}

/// For each breakage, the first world that shows it, and what is seen there.
fn mutants(count: u64) -> ExitCode {
    let mut all = true;
    for (name, mutant) in PLAIN.into_iter().chain(RARE) {
        let found = Mutex::new(Vec::new());
        let ran = AtomicU64::new(0);
        each(0, count, Some(mutant), &|seed, told| {
            ran.fetch_add(1, Ordering::SeqCst);
            let mut found = found.lock().unwrap();
            if let Some(what) = told.violations.first() {
                found.push((seed, what.clone()));
            }
            found.len() < 10
        });
        let (mut found, ran) = (found.into_inner().unwrap(), ran.into_inner());
        found.sort();
        match found.first() {
            Some((seed, what)) => println!("{name}: seed {seed}, {} of the first {ran} worlds: {what}", found.len()),
            None => println!("{name}: NOT FOUND in {ran} worlds"),
        }
        all &= !found.is_empty();
    }
    if all { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Runs worlds on all cores until `told` says no.
fn each(first: u64, count: u64, mutant: Option<Mutant>, told: &(dyn Fn(u64, simulation::Told) -> bool + Sync)) {
    let next = AtomicU64::new(first);
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZeroUsize::get);
    std::thread::scope(|scope| {
        for _ in 0..threads.min(count as usize) {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::SeqCst);
                    if seed >= first.saturating_add(count) {
                        return;
                    }
                    let folder = folder();
                    if !told(seed, run(seed, folder.path(), mutant)) {
                        next.store(u64::MAX / 2, Ordering::SeqCst);
                    }
                }
            });
        }
    });
}
