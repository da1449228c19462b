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
            stages: rows(meters, end),
        });
        let phases: Vec<PhaseRow> = phases.collect();
        let stages = rows(beside, now);
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

/// A row for each stage that had threads, in a phase that ended then.
fn rows(meters: &[Arc<Meter>], end: i128) -> Vec<Row> {
    let mut stages: Vec<Stage> = meters.iter().map(|meter| meter.stage).collect();
    stages.sort_unstable();
    stages.dedup();
    stages.into_iter().map(|stage| row(stage, meters.iter().filter(|m| m.stage == stage), end)).collect()
}

fn row<'m>(name: Stage, meters: impl Iterator<Item = &'m Arc<Meter>>, end: i128) -> Row {
    let (threads, working_ns, input_ns, room_ns, away_ns, cpu_ns, items, bytes) = Default::default();
    let nothing = Row { name, threads, working_ns, input_ns, room_ns, away_ns, cpu_ns, items, bytes };
    meters.fold(nothing, |row, meter| {
        let (spent, items, bytes) = meter.spent(end);
        Row {
            name,
            threads: row.threads + 1,
            working_ns: row.working_ns + whole(spent.working_ns),
            input_ns: row.input_ns + whole(spent.input_ns),
            room_ns: row.room_ns + whole(spent.room_ns),
            away_ns: row.away_ns + whole(spent.away_ns),
            cpu_ns: row.cpu_ns + whole(spent.cpu_ns),
            items: row.items + items,
            bytes: row.bytes + bytes,
        }
    })
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
