//! Does the work of every verb. Never prints, never reads the environment, never asks but through [`job::Person`].
//!
//! * [`job`]: what a verb asks for and what comes back
//! * [`connect`], [`remote`], [`patience`], [`uplink`]: one connection, its questions and answers, and through losses
//! * [`account`], [`history`], [`state`], [`keys`]: an account, open: its chain, what this machine remembers, its key
//! * [`cache`]: the nodes that this machine has seen
//! * [`backup`]: from files to a version
//! * [`view`], [`overlay`], [`glob`]: a version, open: all of its sources as one tree, and paths in it
//! * [`restore`], [`dump`], [`list`], [`diff`]: from a version to files, streams and rows
//! * [`find`], [`past`], [`which`], [`trail`]: through all versions; [`compare`]: a version and the disk; [`why`]: rules
//! * [`undo`], [`undelete`], [`rewrite`]: versions that are made of other versions
//! * [`queue`]: how stages meet

pub mod account;
pub mod ask_once;
pub mod backup;
pub mod cache;
pub mod check;
pub mod compare;
pub mod connect;
pub mod diff;
pub mod doctor;
pub mod dump;
pub mod find;
pub mod glob;
pub mod history;
pub mod init;
pub mod job;
pub mod keys;
pub mod list;
pub mod overlay;
pub mod past;
pub mod patience;
pub mod pax;
pub mod queue;
pub mod remote;
pub mod restore;
pub mod rewrite;
pub mod state;
#[cfg(test)]
mod tests;
pub mod trail;
pub mod trouble;
pub mod undelete;
pub mod undo;
pub mod uplink;
pub mod versions;
pub mod view;
pub mod which;
pub mod why;

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

    fn find(&self, run: &Run, job: FindJob, row: &mut dyn FnMut(FindRow) -> Result<()>) -> Result<FindSummary> {
        find::find(run, &job, row)
    }

    fn history(
        &self,
        run: &Run,
        job: HistoryJob,
        row: &mut dyn FnMut(StateRow) -> Result<()>,
    ) -> Result<HistorySummary> {
        past::history(run, &job, row)
    }

    fn which(&self, run: &Run, prefix: &str, row: &mut dyn FnMut(WhichRow) -> Result<()>) -> Result<u64> {
        which::which(run, prefix, row)
    }

    fn compare(
        &self,
        run: &Run,
        job: CompareJob,
        row: &mut dyn FnMut(CompareRow) -> Result<()>,
    ) -> Result<CompareSummary> {
        compare::compare(run, &job, row)
    }

    fn why(&self, _: &Run, job: WhyJob) -> Result<Vec<WhyRow>> {
        why::why(&job)
    }

    fn undelete(
        &self,
        run: &Run,
        job: UndeleteJob,
        row: &mut dyn FnMut(BackRow) -> Result<()>,
    ) -> Result<RestoreSummary> {
        undelete::undelete(run, &job, row)
    }

    fn undelete_in_vault(
        &self,
        run: &Run,
        job: UndeleteJob,
        row: &mut dyn FnMut(BackRow) -> Result<()>,
    ) -> Result<AppendSummary> {
        undelete::undelete_in_vault(run, &job, row)
    }

    fn delete(&self, run: &Run, job: DeleteJob) -> Result<AppendSummary> {
        undo::delete(run, &job)
    }

    fn rollback(&self, run: &Run, job: RollbackJob) -> Result<AppendSummary> {
        undo::rollback(run, &job)
    }

    fn check(&self, run: &Run, job: CheckJob, row: &mut dyn FnMut(FindingRow) -> Result<()>) -> Result<CheckSummary> {
        check::check(run, &job, row)
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
