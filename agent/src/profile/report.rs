//! What `--profile` writes: one JSON document. Times are nanoseconds, sizes bytes, all of them integers; what the system
//! does not tell is absent.
//!
//! ```json
//! { "format": "tuckbox profile", "v": 1, "version": "0.1.0", "command": "backup", "cores": 2,
//!   "wall_ns": …, "cpu_ns": …, "user_ns": …, "system_ns": …, "elsewhere_ns": …, "peak_memory_bytes": …,
//!   "phases": [ { "name": "send", "wall_ns": …, "stages": [ ROW, … ] }, … ],
//!   "stages": [ ROW, … ] }
//!
//! ROW: { "name": "seal", "threads": 2, "working_ns": …, "input_ns": …, "room_ns": …, "away_ns": …,
//!        "cpu_ns": …, "items": …, "bytes": … }
//! ```
//!
//! * The phases follow one another: their `wall_ns` sum up to the `wall_ns` of the run.
//! * In a row, `working_ns + input_ns + room_ns + away_ns` is `threads` times the `wall_ns` of the phase; in a row of
//!   `stages` at the top, whose threads go on through phases, of the run. Working is all that is not waiting for input,
//!   waiting for room, or not being there (yet, or any more).
//! * `cpu_ns` of a row is what its threads computed. All rows and `elsewhere_ns` sum up to `cpu_ns` of the run: elsewhere
//!   are the protocol and its ciphers, and what happens between stages. `user_ns + system_ns` is the same sum, with a
//!   grain of 10 ms.
//! * Programs that were started (`ssh`, `cmd:`) are not in it.

use std::sync::Arc;

use rustix::param::clock_ticks_per_second;
use serde::Serialize;

use super::{Meter, Pages, Phase, Profile, Stage, process_cpu_ns};
use crate::engine::queue::lock;

/// The document.
#[derive(Debug, Serialize)]
pub struct Report {
    format: &'static str,
    v: u32,
    version: &'static str,
    command: String,
    cores: usize,
    wall_ns: u64,
    cpu_ns: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_ns: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    system_ns: Option<u64>,
    elsewhere_ns: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    peak_memory_bytes: Option<u64>,
    pub(super) phases: Vec<PhaseRow>,
    stages: Vec<Row>,
}

#[derive(Debug, Serialize)]
pub(super) struct PhaseRow {
    pub(super) name: Phase,
    pub(super) wall_ns: u64,
    pub(super) stages: Vec<Row>,
}

/// A stage.
#[derive(Debug, Serialize)]
pub(super) struct Row {
    pub(super) name: Stage,
    pub(super) threads: u64,
    pub(super) working_ns: u64,
    pub(super) input_ns: u64,
    pub(super) room_ns: u64,
    pub(super) away_ns: u64,
    cpu_ns: u64,
    pub(super) items: u64,
    pub(super) bytes: u64,
}

impl Profile {
    /// What was measured by now. `None` when nothing was.
    #[must_use]
    pub fn report(&self, command: &str) -> Option<Report> {
        let book = self.0.as_ref()?;
        let pages = lock(&book.pages);
        let Pages { phases, beside } = &*pages;
        let now = book.clock.monotonic_ns();
        let ends = phases.iter().skip(1).map(|(_, began, _)| *began).chain([now]);
        let phases = phases.iter().zip(ends).map(|((name, began, meters), end)| PhaseRow {
            name: *name,
            wall_ns: whole(end - began),
            stages: rows(meters, now, end - began),
        });
        let phases: Vec<PhaseRow> = phases.collect();
        let stages = rows(beside, now, now - book.began_ns);
        let cpu_ns = whole(process_cpu_ns());
        let measured: u64 = phases.iter().flat_map(|phase| &phase.stages).chain(&stages).map(|row| row.cpu_ns).sum();
        let system_ns = system_ns().map(|ns| ns.min(cpu_ns));
        Some(Report {
            format: "tuckbox profile",
            v: 1,
            version: env!("CARGO_PKG_VERSION"),
            command: command.to_owned(),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            wall_ns: whole(now - book.began_ns),
            cpu_ns,
            user_ns: system_ns.map(|system| cpu_ns - system),
            system_ns,
            elsewhere_ns: cpu_ns.saturating_sub(measured),
            peak_memory_bytes: peak_memory_bytes(),
            phases,
            stages,
        })
    }
}

/// A row for each stage that had threads, in a phase of this length.
fn rows(meters: &[Arc<Meter>], now: i128, wall_ns: i128) -> Vec<Row> {
    let mut stages: Vec<Stage> = meters.iter().map(|meter| meter.stage).collect();
    stages.sort_unstable();
    stages.dedup();
    stages.into_iter().map(|stage| row(stage, meters.iter().filter(|m| m.stage == stage), now, wall_ns)).collect()
}

fn row<'m>(stage: Stage, meters: impl Iterator<Item = &'m Arc<Meter>>, now: i128, wall_ns: i128) -> Row {
    let (mut threads, mut working_ns, mut input_ns, mut room_ns, mut cpu_ns) = (0, 0, 0, 0, 0);
    let (mut items, mut bytes) = (0, 0);
    for meter in meters {
        let (spent, more_items, more_bytes) = meter.spent(now);
        threads += 1;
        working_ns += spent.working_ns;
        input_ns += spent.input_ns;
        room_ns += spent.room_ns;
        cpu_ns += spent.cpu_ns;
        items += more_items;
        bytes += more_bytes;
    }
    Row {
        name: stage,
        threads,
        working_ns: whole(working_ns),
        input_ns: whole(input_ns),
        room_ns: whole(room_ns),
        away_ns: whole(i128::from(threads) * wall_ns - working_ns - input_ns - room_ns),
        cpu_ns: whole(cpu_ns),
        items,
        bytes,
    }
}

/// Times never go back, so none of them is below zero.
fn whole(ns: i128) -> u64 {
    u64::try_from(ns).unwrap_or(0)
}

/// What of it was computed in the system, where there is a `/proc`.
fn system_ns() -> Option<u64> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    // The name of the program, in brackets, may hold anything.
    let (_, fields) = stat.rsplit_once(')')?;
    let ticks: u64 = fields.split_whitespace().nth(12)?.parse().ok()?;
    Some(ticks.saturating_mul(1_000_000_000 / clock_ticks_per_second().max(1)))
}

/// The most memory that this process has held, likewise.
fn peak_memory_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}
