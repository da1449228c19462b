//! Does the work of every verb. Never prints, never reads the environment, never asks but through [`job::Person`].
//!
//! * [`job`]: what a verb asks for and what comes back
//! * [`connect`], [`remote`], [`patience`], [`uplink`]: one connection, its questions and answers, and through losses
//! * [`account`], [`history`], [`state`], [`keys`]: an account, open: its chain, what this machine remembers, its key
//! * [`cache`]: the nodes that this machine has seen; [`wanted`]: what the vault has lost of them
//! * [`backup`]: from files to a version
//! * [`view`], [`overlay`], [`glob`]: a version, open: all of its sources as one tree, and paths in it
//! * [`restore`], [`dump`], [`list`], [`diff`]: from a version to files, streams and rows
//! * [`queue`]: how stages meet

pub mod account;
pub mod ask_once;
pub mod backup;
pub mod cache;
pub mod check;
pub mod connect;
pub mod diff;
pub mod doctor;
pub mod dump;
pub mod glob;
pub mod history;
pub mod init;
pub mod job;
pub mod keys;
pub mod list;
pub mod overlay;
pub mod patience;
pub mod pax;
pub mod queue;
pub mod remote;
pub mod repair;
pub mod restore;
pub mod state;
#[cfg(test)]
mod tests;
pub mod trouble;
pub mod uplink;
pub mod versions;
pub mod view;
pub mod wanted;

use std::io::Write;

use zeroize::Zeroizing;

use crate::fault::Result;
use job::*;

/// The engine.
#[derive(Clone, Copy, Debug, Default)]
pub struct RealEngine;

impl Engine for RealEngine {
    fn init(&self, run: &Run, job: InitJob) -> Result<Made> {
        init::init(run, &job)
    }

    fn backup(&self, run: &Run, job: BackupJob) -> Result<BackupSummary> {
        backup::backup(run, job)
    }

    fn versions(&self, run: &Run, job: VersionsJob) -> Result<Vec<VersionRow>> {
        versions::versions(run, &job)
    }

    fn list(&self, run: &Run, job: ListJob, row: &mut dyn FnMut(EntryRow) -> Result<()>) -> Result<ListSummary> {
        list::list(run, &job, row)
    }

    fn restore(&self, run: &Run, job: RestoreJob) -> Result<RestoreSummary> {
        restore::restore(run, &job)
    }

    fn dump(&self, run: &Run, job: DumpJob, out: &mut dyn Write) -> Result<DumpSummary> {
        dump::dump(run, &job, out)
    }

    fn diff(&self, run: &Run, job: DiffJob, row: &mut dyn FnMut(DiffRow) -> Result<()>) -> Result<DiffSummary> {
        diff::diff(run, &job, row)
    }

    fn check(&self, run: &Run, job: CheckJob, row: &mut dyn FnMut(FindingRow) -> Result<()>) -> Result<CheckSummary> {
        check::check(run, &job, row)
    }

    fn repair(&self, run: &Run, job: RepairJob, row: &mut dyn FnMut(RepairRow) -> Result<()>) -> Result<RepairSummary> {
        repair::repair(run, job, row)
    }

    fn key_list(&self, run: &Run) -> Result<KeyInfo> {
        keys::list(run)
    }

    fn key_add(&self, run: &Run, job: KeyAddJob) -> Result<KeyRow> {
        keys::add(run, &job)
    }

    fn key_remove(&self, run: &Run, slot: &str) -> Result<KeyRow> {
        keys::remove(run, slot)
    }

    fn key_passwd(&self, run: &Run) -> Result<KeyRow> {
        keys::passwd(run)
    }

    fn key_export(&self, run: &Run) -> Result<Zeroizing<Vec<u8>>> {
        keys::export(run)
    }

    fn key_words(&self, run: &Run) -> Result<Zeroizing<String>> {
        keys::words(run)
    }

    fn key_recover(&self, run: &Run) -> Result<Made> {
        keys::recover(run)
    }

    fn key_rotate(&self, run: &Run) -> Result<Rotated> {
        keys::rotate(run)
    }

    fn serve(&self, run: &Run, job: ServeJob) -> Result<()> {
        let server = crate::serve::Server::new(&job, run.clock.clone(), run.chance.clone());
        let server = server.measured(run.profile.clone());
        transport::stdio_pipe().and_then(|pipe| server.serve(pipe)).map_err(|error| trouble::from_transport(&error))
    }

    fn doctor(&self, run: &Run, row: &mut dyn FnMut(DoctorRow) -> Result<()>) -> Result<()> {
        doctor::doctor(run, row)
    }
}
