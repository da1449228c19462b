//! Does the work of every verb. Never prints, never reads the environment, never asks but through [`job::Person`].
//!
//! * [`job`]: what a verb asks for and what comes back
//! * [`connect`], [`remote`], [`patience`], [`uplink`]: one connection, its questions and answers, and through losses; [`pacer`]: how
//!   fast
//! * [`account`], [`history`], [`state`], [`keys`], [`key_file`]: an account, open: its chain, what this machine remembers,
//!   its key
//! * [`cache`]: the nodes that this machine has seen; [`wanted`]: what the vault has lost of them; [`kept`]: an account that
//!   stays open from one verb to the next
//! * [`backup`]: from files to a version; [`tell`]: the vault hears what became of it; [`errand`]: of other runs
//! * [`view`], [`overlay`], [`walk`], [`glob`]: a version, open: all of its sources as one tree, and paths in it
//! * [`restore`], [`dump`], [`list`], [`diff`]: from a version to files, streams and rows
//! * [`look`]: directories, their past and files, for who looks around
//! * [`admin`]: accounts and groups, [`volumes`]: disks, which needs no key; [`traffic`]: bytes on the wire, likewise; [`status`]: how accounts
//!   are; [`notify`]: who is told when that changes; [`reports`]: what a time came to
//! * [`retention`], [`housekeep`]: what is kept, and what goes; [`usage`], [`space`], [`split`]: what all of it takes
//! * [`find`], [`past`], [`which`], [`trail`]: through all versions; [`compare`]: a version and the disk; [`why`]: rules
//! * [`undo`], [`undelete`], [`rewrite`]: versions that are made of other versions
//! * [`queue`]: how stages meet

pub mod account;
pub mod admin;
pub mod archive;
pub mod ask_once;
pub mod backup;
pub mod cache;
pub mod check;
pub mod compare;
pub mod connect;
pub mod crew;
pub mod diff;
pub mod doctor;
pub mod dump;
pub mod errand;
pub mod filter_command;
pub mod find;
pub mod glob;
pub mod history;
mod hooks;
pub mod housekeep;
pub mod init;
pub mod job;
pub mod kept;
pub mod key_file;
pub mod keys;
pub mod list;
pub mod look;
pub mod lost;
pub mod notify;
pub mod opened;
pub mod overlay;
pub mod own;
pub mod pacer;
pub mod past;
pub mod patience;
pub mod pax;
pub mod pin;
pub mod queue;
pub mod remote;
pub mod repair;
pub mod reports;
pub mod restore;
pub mod retention;
pub mod rewrite;
pub mod space;
pub mod split;
pub mod state;
pub mod status;
pub mod tell;
#[cfg(test)]
mod tests;
pub mod traffic;
pub mod trail;
pub mod trouble;
pub mod undelete;
pub mod under;
pub mod undo;
pub mod uplink;
pub mod usage;
pub mod versions;
pub mod view;
pub mod volumes;
pub mod walk;
pub mod wanted;
pub mod which;
pub mod why;

use std::io::Write;

use transport::message::Request;
use zeroize::Zeroizing;

use crate::fault::{Code, Fault, Result};
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
        list::list(run, &job, &mut |entry| unless_stopped(run).and_then(|()| row(entry)))
    }

    fn restore(&self, run: &Run, job: RestoreJob) -> Result<RestoreSummary> {
        restore::restore(run, &job)
    }

    fn folder(&self, run: &Run, job: FolderJob) -> Result<Folder> {
        look::folder(run, &job)
    }

    fn moments(&self, run: &Run, path: &[u8]) -> Result<Moments> {
        look::moments(run, path)
    }

    fn peek(&self, run: &Run, job: PeekJob) -> Result<Peek> {
        look::peek(run, &job)
    }

    fn take(&self, run: &Run, job: TakeJob) -> Result<TakeSummary> {
        restore::several::take(run, &job)
    }

    fn plan_take(&self, run: &Run, job: TakeJob) -> Result<TakePlan> {
        restore::several::plan(run, &job)
    }

    fn dump(&self, run: &Run, job: DumpJob, out: &mut dyn Write) -> Result<DumpSummary> {
        let dumped = dump::dump(run, &job, &mut UntilStopped { run, out });
        // What was cut short by a signal is no trouble of the output.
        dumped.map_err(|fault| unless_stopped(run).err().unwrap_or(fault))
    }

    fn diff(&self, run: &Run, job: DiffJob, row: &mut dyn FnMut(DiffRow) -> Result<()>) -> Result<DiffSummary> {
        diff::diff(run, &job, &mut |difference| unless_stopped(run).and_then(|()| row(difference)))
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

    fn housekeep(
        &self,
        run: &Run,
        job: HousekeepJob,
        row: &mut dyn FnMut(KeptRow) -> Result<()>,
    ) -> Result<HousekeepSummary> {
        housekeep::housekeep(run, &job, row)
    }

    fn housekeep_log(&self, run: &Run, row: &mut dyn FnMut(LoggedPass) -> Result<()>) -> Result<()> {
        housekeep::log(run, row)
    }

    fn usage(&self, run: &Run, job: UsageJob) -> Result<UsageRow> {
        usage::usage(run, job)
    }

    fn space(&self, run: &Run, job: UsageJob) -> Result<Vec<SpaceRow>> {
        space::space(run, job)
    }

    fn name_versions(&self, run: &Run, job: NamingJob) -> Result<NamingSummary> {
        retention::name_versions(run, &job)
    }

    fn policy(&self, run: &Run, job: PolicyJob) -> Result<PolicyRow> {
        retention::policy(run, &job)
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

    fn key_passwd(&self, run: &Run) -> Result<Rewrapped> {
        keys::passwd(run)
    }

    fn key_export(&self, run: &Run) -> Result<Zeroizing<Vec<u8>>> {
        keys::export(run)
    }

    fn key_words(&self, run: &Run) -> Result<KeyWords> {
        keys::words(run)
    }

    fn key_recover(&self, run: &Run) -> Result<Made> {
        keys::recover(run)
    }

    fn key_pin(&self, run: &Run) -> Result<PinRow> {
        keys::pin(run)
    }

    fn key_rotate(&self, run: &Run) -> Result<Rotated> {
        keys::rotate(run)
    }

    fn account(&self, run: &Run, ask: AccountAsk, row: &mut dyn FnMut(AccountFacts) -> Result<()>) -> Result<()> {
        admin::account(run, ask, row)
    }

    fn authorize(&self, run: &Run, ask: Authorize) -> Result<Authorized> {
        admin::one(run, &Request::Account(AccountAsk::Authorize(ask)))
    }

    fn revoke(&self, run: &Run, ask: Revoke) -> Result<Revoked> {
        admin::one(run, &Request::Account(AccountAsk::Revoke(ask)))
    }

    fn account_check(
        &self,
        run: &Run,
        ask: CheckAccounts,
        row: &mut dyn FnMut(CheckedAccount) -> Result<()>,
    ) -> Result<()> {
        admin::many(run, &Request::Account(AccountAsk::Check(ask)), row)
    }

    fn account_refused(&self, run: &Run, row: &mut dyn FnMut(RefusedRow) -> Result<()>) -> Result<()> {
        admin::many(run, &Request::Account(AccountAsk::Refused), row)
    }

    fn account_dump(&self, run: &Run, which: &str, out: &mut dyn std::io::Write) -> Result<Dumped> {
        archive::dump(run, which, out)
    }

    fn account_load(&self, run: &Run, ask: Load, from: &mut dyn std::io::Read) -> Result<Loaded> {
        archive::load(run, ask, from)
    }

    fn group(&self, run: &Run, ask: GroupAsk, row: &mut dyn FnMut(GroupFacts) -> Result<()>) -> Result<()> {
        admin::group(run, ask, row)
    }

    fn volume(&self, run: &Run, ask: VolumeAsk, row: &mut dyn FnMut(VolumeTold) -> Result<()>) -> Result<()> {
        volumes::volume(run, ask, row)
    }

    fn account_log(&self, run: &Run, ask: LogAsk, row: &mut dyn FnMut(LogTold) -> Result<()>) -> Result<()> {
        admin::log(run, ask, row)
    }

    fn report(&self, run: &Run, ask: ReportAsk) -> Result<ReportSheet> {
        reports::report(run, ask)
    }

    fn notify(
        &self,
        run: &Run,
        job: NotifyJob,
        row: &mut dyn FnMut(&EventRecord) -> Result<()>,
    ) -> Result<(Statuses, NotifySummary)> {
        notify::notify(run, &job, row)
    }

    fn status(&self, run: &Run, job: StatusJob) -> Result<Statuses> {
        status::status(run, &job)
    }

    fn traffic(&self, run: &Run, job: TrafficJob, row: &mut dyn FnMut(TrafficRow) -> Result<()>) -> Result<()> {
        traffic::traffic(run, job, row)
    }

    fn sessions(&self, run: &Run, job: SessionsJob, row: &mut dyn FnMut(SessionRow) -> Result<()>) -> Result<()> {
        traffic::sessions(run, job, row)
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

/// A tree may have more names than anybody can wait for: whoever lists or dumps it is stopped by the first signal.
fn unless_stopped(run: &Run) -> Result<()> {
    if run.stop.asked() { Err(Fault::new(Code::Interrupted, "it was interrupted")) } else { Ok(()) }
}

struct UntilStopped<'a> {
    run: &'a Run,
    out: &'a mut dyn Write,
}

impl Write for UntilStopped<'_> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        unless_stopped(self.run).map_err(std::io::Error::other)?;
        self.out.write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.out.flush()
    }
}
