//! An engine that only notes what it was asked.

use std::io::Write;
use std::sync::{Arc, Mutex};

use store::door::FixedClock;
use store::tree::{Kind, Time};
use transport::message::UsageTold;
use zeroize::Zeroizing;

use crate::engine::job::*;
use crate::engine::pin::Pin;
use crate::event::{Action, Event, Phase, Progress};
use crate::fault::{Code, Fault, Result};

/// 2026-11-20 22:02 in UTC.
pub(super) const NOW_MS: i64 = 1_795_212_120_000;
pub(super) const ID: &str = "3f9c02abcdef00000000000000000000000000000000000000000000000000ff";

/// Notes the jobs; gives canned answers.
#[derive(Default)]
pub(super) struct Fake {
    pub(super) seen: Mutex<Vec<String>>,
    pub(super) clock: Option<Arc<FixedClock>>,
    /// Fails with this.
    pub(super) fault: Option<Fault>,
}

impl Fake {
    fn see(&self, run: &Run, job: impl std::fmt::Debug) -> Result<()> {
        self.seen.lock().unwrap().push(format!("{:?} {job:?}", run.place));
        self.fault.clone().map_or(Ok(()), Err)
    }
}

fn version_row() -> VersionRow {
    VersionRow {
        id: ID.into(),
        sequence: 2,
        taken_at_ms: NOW_MS - 60_000,
        received_at_ms: NOW_MS - 59_000,
        tags: vec!["daily".into()],
        sources: vec![SourceRow {
            host: "laptop".into(),
            path: b"/home/ana/a\x1b".to_vec(),
            files: 1204,
            bytes: 92_274_688,
            introduced: 2,
            missing_since_ms: None,
        }],
        files: 1204,
        dirs: 30,
        bytes: 92_274_688,
        ..VersionRow::default()
    }
}

fn version_mark() -> VersionMark {
    VersionMark { id: ID.into(), sequence: 2, received_at_ms: NOW_MS - 59_000 }
}

fn appended(run: &Run) -> Result<AppendSummary> {
    run.person.append(&AppendPlan { what: "a version like x".into(), before_files: 10, files: 2, bytes: 2048 })?;
    Ok(AppendSummary {
        version_id: Some(ID.into()),
        sequence: Some(3),
        before_id: ID.into(),
        bring_along: Some("tuckbox restore --delete /home/ana/docs".into()),
        ..AppendSummary::default()
    })
}

fn entry_row() -> EntryRow {
    EntryRow {
        path: b"/home/ana/caf\xe9".to_vec(),
        kind: Kind::File,
        mode: 0o644,
        uid: 1000,
        gid: 100,
        user: b"ana".to_vec(),
        group: Vec::new(),
        size: 1280,
        files: None,
        mtime: Time { secs: NOW_MS / 1000, nanos: 5_000_000 },
        target: None,
        device: None,
        mark: None,
        made_up: false,
    }
}

impl Engine for Fake {
    fn init(&self, run: &Run, job: InitJob) -> Result<Made> {
        self.see(run, job)?;
        let passphrase = run.person.new_passphrase("the key of laptop", true)?;
        Ok(Made {
            vault_made: true,
            account_made: true,
            key_made: true,
            vault: run.place.vault.clone(),
            account: "laptop".into(),
            key_file: "/home/ana/.config/tuckbox/keys/laptop-00000000.key".into(),
            key_protected: passphrase.is_some(),
            ..Made::default()
        })
    }
    fn backup(&self, run: &Run, mut job: BackupJob) -> Result<BackupSummary> {
        let mut input = String::new();
        if let Some(stdin) = &mut job.stdin {
            // The test's own standard input is not read.
            input = format!(" stdin {}", String::from_utf8_lossy(&stdin.path));
        }
        self.see(run, format_args!("{job:?}{input}"))?;
        run.watcher.event(&Event::Phase(Phase::Send));
        for step in 1..=4_u32 {
            if let Some(clock) = &self.clock {
                clock.advance(500);
            }
            let done = u64::from(step) * 1000;
            run.watcher.event(&Event::Progress(&Progress {
                files_done: done,
                bytes_done: done,
                ..Progress::default()
            }));
        }
        let path = &b"/home/ana/docs/private\n.key"[..];
        if job.list_items {
            run.watcher.event(&Event::Item { action: Action::Added, path, size: 12, reason: None });
        }
        let fault = Fault::new(Code::SourceUnreadable, "cannot be read").because("permission denied").path(path);
        run.watcher.event(&Event::Warning(&fault));
        Ok(BackupSummary {
            version_id: Some(ID.into()),
            sequence: Some(2),
            errors: 1,
            files_new: 3,
            ..Default::default()
        })
    }
    fn account(&self, run: &Run, ask: AccountAsk, _: &mut dyn FnMut(AccountFacts) -> Result<()>) -> Result<()> {
        self.see(run, ask)
    }
    fn authorize(&self, run: &Run, ask: Authorize) -> Result<Authorized> {
        self.see(run, ask)?;
        Ok(Authorized { line: "restrict,command=\"tuckbox serve\" ssh-ed25519 AAAA".into(), file: None })
    }
    fn revoke(&self, run: &Run, ask: Revoke) -> Result<Revoked> {
        self.see(run, ask)?;
        Ok(Revoked { file: "/home/vault/.ssh/authorized_keys".into(), lines: Vec::new() })
    }
    fn account_check(
        &self,
        run: &Run,
        ask: CheckAccounts,
        row: &mut dyn FnMut(CheckedAccount) -> Result<()>,
    ) -> Result<()> {
        self.see(run, ask)?;
        row(CheckedAccount { number: 1, name: "ana".into(), versions: 3, packs: 2, ..CheckedAccount::default() })?;
        row(CheckedAccount {
            number: 2,
            name: "bob".into(),
            damages: 1,
            message: Some("pack 00: gone".into()),
            code: Some("data.damaged".into()),
            ..CheckedAccount::default()
        })
    }
    fn account_refused(&self, run: &Run, row: &mut dyn FnMut(RefusedRow) -> Result<()>) -> Result<()> {
        self.see(run, "refused")?;
        let (address, account) = ("10.0.0.1".into(), "ana\n".into());
        row(RefusedRow { at: NOW_MS, address, account, code: "account.none".into(), waited_ms: 2_000 })
    }
    fn account_dump(&self, run: &Run, which: &str, out: &mut dyn Write) -> Result<Dumped> {
        self.see(run, which)?;
        out.write_all(b"archive").unwrap();
        Ok(Dumped { bytes: 7, name: "ana".into(), ..Dumped::default() })
    }
    fn account_load(&self, run: &Run, ask: Load, _: &mut dyn std::io::Read) -> Result<Loaded> {
        self.see(run, ask)?;
        Err(Fault::new(Code::DataDamaged, "not here"))
    }
    fn group(&self, run: &Run, ask: GroupAsk, _: &mut dyn FnMut(GroupFacts) -> Result<()>) -> Result<()> {
        self.see(run, ask)
    }
    fn volume(&self, run: &Run, ask: VolumeAsk, row: &mut dyn FnMut(VolumeTold) -> Result<()>) -> Result<()> {
        self.see(run, ask)?;
        row(VolumeTold::Volume(VolumeFacts { number: 1, path: "/mnt/b\x1b[2J".into(), ..VolumeFacts::default() }))
    }
    fn versions(&self, run: &Run, job: VersionsJob) -> Result<Vec<VersionRow>> {
        self.see(run, job)?;
        Ok(vec![version_row()])
    }
    fn list(&self, run: &Run, job: ListJob, row: &mut dyn FnMut(EntryRow) -> Result<()>) -> Result<ListSummary> {
        self.see(run, job)?;
        run.person.picked(&version_row());
        row(entry_row())?;
        Ok(ListSummary { entries: 1, bytes: 1280 })
    }
    fn restore(&self, run: &Run, job: RestoreJob) -> Result<RestoreSummary> {
        self.see(run, &job)?;
        if job.to.is_none() && !job.dry_run {
            let plan =
                RestorePlan { paths: vec![b"/home/ana/docs".to_vec()], files: 2, bytes: 2048, ..Default::default() };
            run.person.restore_in_place(&plan)?;
        }
        Ok(RestoreSummary { version_id: ID.into(), files_restored: 2, restored_bytes: 2048, ..Default::default() })
    }
    fn folder(&self, run: &Run, job: FolderJob) -> Result<Folder> {
        self.see(run, job)?;
        Ok(Folder::default())
    }
    fn moments(&self, run: &Run, path: &[u8]) -> Result<Moments> {
        self.see(run, path)?;
        Ok(Moments::default())
    }
    fn peek(&self, run: &Run, job: PeekJob) -> Result<Peek> {
        self.see(run, job)?;
        Ok(Peek::default())
    }
    fn take(&self, run: &Run, job: TakeJob) -> Result<TakeSummary> {
        self.see(run, job)?;
        Ok(TakeSummary::default())
    }
    fn plan_take(&self, run: &Run, job: TakeJob) -> Result<TakePlan> {
        self.see(run, job)?;
        Ok(TakePlan::default())
    }
    fn dump(&self, run: &Run, job: DumpJob, out: &mut dyn Write) -> Result<DumpSummary> {
        self.see(run, job)?;
        out.write_all(b"raw \xff bytes").map_err(|e| Fault::new(Code::System, "cannot write").because(e))?;
        Ok(DumpSummary { written_bytes: 11, ..Default::default() })
    }
    fn diff(&self, run: &Run, job: DiffJob, _: &mut dyn FnMut(DiffRow) -> Result<()>) -> Result<DiffSummary> {
        self.see(run, job).map(|()| DiffSummary::default())
    }
    fn find(&self, run: &Run, job: FindJob, row: &mut dyn FnMut(FindRow) -> Result<()>) -> Result<FindSummary> {
        self.see(run, job)?;
        row(FindRow { entry: entry_row(), version: version_mark(), deleted: true })?;
        Ok(FindSummary { found: 1, entries: 7, versions: 2 })
    }
    fn history(
        &self,
        run: &Run,
        job: HistoryJob,
        row: &mut dyn FnMut(StateRow) -> Result<()>,
    ) -> Result<HistorySummary> {
        self.see(run, job)?;
        row(StateRow {
            entry: entry_row(),
            content: Some(ID.into()),
            change: Change::Added,
            came: version_mark(),
            last: version_mark(),
            went: Some(version_mark()),
            versions: 1,
        })?;
        Ok(HistorySummary { states: 1, versions: 2, deleted: true })
    }
    fn which(&self, run: &Run, prefix: &str, row: &mut dyn FnMut(WhichRow) -> Result<()>) -> Result<u64> {
        self.see(run, prefix)?;
        let (kind, id, name) = ("version", ID.to_owned(), "link 2 of the chain".to_owned());
        row(WhichRow { kind, id, name, path: None, version: Some(version_mark()) })?;
        Ok(1)
    }
    fn compare(
        &self,
        run: &Run,
        job: CompareJob,
        row: &mut dyn FnMut(CompareRow) -> Result<()>,
    ) -> Result<CompareSummary> {
        self.see(run, job)?;
        row(CompareRow {
            path: b"/home/ana/a".to_vec(),
            change: Change::Content,
            kind: Kind::File,
            size_before: Some(1),
            size_after: Some(2),
            what: vec!["size", "time"],
        })?;
        Ok(CompareSummary { version_id: ID.into(), changed: 1, ..CompareSummary::default() })
    }
    fn why(&self, run: &Run, job: WhyJob) -> Result<Vec<WhyRow>> {
        self.see(run, &job)?;
        crate::engine::why::why(&job)
    }
    fn undelete(
        &self,
        run: &Run,
        job: UndeleteJob,
        row: &mut dyn FnMut(BackRow) -> Result<()>,
    ) -> Result<RestoreSummary> {
        self.see(run, &job)?;
        let path = b"/home/ana/docs".to_vec();
        row(BackRow { path, version: version_mark(), is_dir: true, files: 2, bytes: 2048 })?;
        Ok(RestoreSummary { version_id: ID.into(), files_restored: 2, restored_bytes: 2048, ..Default::default() })
    }
    fn undelete_in_vault(
        &self,
        run: &Run,
        job: UndeleteJob,
        _: &mut dyn FnMut(BackRow) -> Result<()>,
    ) -> Result<AppendSummary> {
        self.see(run, job)?;
        appended(run)
    }
    fn delete(&self, run: &Run, job: DeleteJob) -> Result<AppendSummary> {
        self.see(run, job)?;
        appended(run)
    }
    fn rollback(&self, run: &Run, job: RollbackJob) -> Result<AppendSummary> {
        self.see(run, job)?;
        run.person.picked(&version_row());
        appended(run)
    }
    fn check(&self, run: &Run, job: CheckJob, row: &mut dyn FnMut(FindingRow) -> Result<()>) -> Result<CheckSummary> {
        self.see(run, job)?;
        row(FindingRow {
            damage: true,
            code: "data.damaged".into(),
            text: "a chunk is missing".into(),
            hint: None,
            path: Some(b"packs/3f/3f9c".to_vec()),
        })?;
        Ok(CheckSummary { damaged: 1, ..Default::default() })
    }
    fn repair(&self, _: &Run, job: RepairJob, row: &mut dyn FnMut(RepairRow) -> Result<()>) -> Result<RepairSummary> {
        row(RepairRow { place: "pack 3f9c02ab".into(), what: "it is damaged: it is set aside".into(), lost: 1 })?;
        Ok(RepairSummary { steps: 1, acted: job.act, lost: 1 })
    }

    fn housekeep(
        &self,
        run: &Run,
        job: HousekeepJob,
        row: &mut dyn FnMut(KeptRow) -> Result<()>,
    ) -> Result<HousekeepSummary> {
        self.see(run, job)?;
        if job.dry_run {
            let why = vec!["newest".into(), "daily".into()];
            row(KeptRow::Version { sequence: 2, received_at_ms: Some(NOW_MS - 59_000), fate: "kept".into(), why })?;
        }
        row(KeptRow::Step { what: "unlinked".into(), count: 1, bytes: 1 << 20 })?;
        let waiting = if job.confirmed { 0 } else { 3 };
        Ok(HousekeepSummary {
            dry_run: job.dry_run,
            versions: 1,
            waiting,
            unlinked_bytes: 1 << 20,
            ..Default::default()
        })
    }
    fn housekeep_log(&self, run: &Run, row: &mut dyn FnMut(LoggedPass) -> Result<()>) -> Result<()> {
        self.see(run, "log")?;
        row(LoggedPass { at_ms: NOW_MS, gone: vec![(2, "soft limit".into())], ..Default::default() })
    }
    fn usage(&self, run: &Run, job: UsageJob) -> Result<UsageRow> {
        self.see(run, job)?;
        let told = UsageTold {
            at: NOW_MS,
            current_bytes: 3 << 30,
            history_bytes: 1 << 30,
            metadata_bytes: 1 << 20,
            now_bytes: if job.exact { (4 << 30) + (1 << 20) } else { 5 << 30 },
            pack_bytes: 4 << 30,
            versions: 12,
            oldest_at: Some(NOW_MS - 86_400_000),
            newest_at: Some(NOW_MS),
            hard_bytes: Some(10 << 30),
            soft_bytes: Some(2 << 30),
            free_bytes: Some(1 << 40),
            ..Default::default()
        };
        Ok(UsageRow { account: "laptop".into(), told, split: None })
    }
    fn space(&self, run: &Run, job: UsageJob) -> Result<Vec<SpaceRow>> {
        self.see(run, job)?;
        let told = UsageTold { at: NOW_MS, current_bytes: 3 << 30, now_bytes: 3 << 30, ..Default::default() };
        Ok(vec![SpaceRow {
            scope: SpaceScope::Vault,
            name: String::new(),
            accounts: 2,
            unknown: 0,
            why: None,
            told: UsageTold { free_bytes: Some(1 << 40), ..told },
            growth_7d: Some(-5),
            growth_30d: Some(1 << 30),
            days_left: Some(1024),
            days: Vec::new(),
            place: None,
        }])
    }
    fn traffic(&self, run: &Run, job: TrafficJob, row: &mut dyn FnMut(TrafficRow) -> Result<()>) -> Result<()> {
        self.see(run, job)?;
        row(TrafficRow {
            account: "laptop".into(),
            number: 1,
            start: 1_795_219_200_000,
            in_bytes: 55_898,
            out_bytes: 335_383,
            busy_ms: 29_000,
            sessions: 1,
        })
    }
    fn sessions(&self, run: &Run, job: SessionsJob, row: &mut dyn FnMut(SessionRow) -> Result<()>) -> Result<()> {
        self.see(run, job)?;
        row(SessionRow {
            account: "laptop\x1b[2J".into(),
            number: 1,
            vault: store::id::VaultId::new([7; 16]),
            began_at: NOW_MS - 29_000,
            seen_at: NOW_MS,
            end: SessionEnd::Ended,
            stripe: false,
            role: "backup".into(),
            program: "tuckbox on laptop".into(),
            in_bytes: 55_898,
            out_bytes: 335_383,
            waited_ms: 12_000,
            verb: Some("restore".into()),
            result: Some("ok".into()),
        })
    }
    fn name_versions(&self, run: &Run, job: NamingJob) -> Result<NamingSummary> {
        self.see(run, job).map(|()| NamingSummary {
            versions: vec![2],
            version_ids: vec!["3e4a599c".into()],
            until_ms: Some(NOW_MS),
            ..NamingSummary::default()
        })
    }
    fn policy(&self, run: &Run, job: PolicyJob) -> Result<PolicyRow> {
        self.see(run, &job)?;
        let keep = [Some(0), Some(0), Some(30), None, Some(0), Some(0)];
        Ok(job.set.unwrap_or(PolicyRow { preset: "default".into(), keep, ..Default::default() }))
    }
    fn key_list(&self, run: &Run) -> Result<KeyInfo> {
        self.see(run, "list").map(|()| KeyInfo { account: "laptop".into(), ..Default::default() })
    }
    fn key_add(&self, run: &Run, job: KeyAddJob) -> Result<KeyRow> {
        self.see(run, job).map(|()| KeyRow::default())
    }
    fn key_remove(&self, run: &Run, slot: &str) -> Result<KeyRow> {
        self.see(run, slot).map(|()| KeyRow::default())
    }
    fn key_passwd(&self, run: &Run) -> Result<Rewrapped> {
        let old = run.person.passphrase("the key of laptop", 0)?;
        let new = run.person.new_passphrase("the key of laptop", false)?.unwrap();
        self.see(run, format!("{} {}", String::from_utf8_lossy(&old), String::from_utf8_lossy(&new)))?;
        Ok(Rewrapped::default())
    }
    fn key_export(&self, run: &Run) -> Result<Zeroizing<Vec<u8>>> {
        self.see(run, "export").map(|()| Zeroizing::new(b"{}\n".to_vec()))
    }
    fn key_words(&self, run: &Run) -> Result<KeyWords> {
        self.see(run, "words")?;
        let (account, vault, vault_id) = ("laptop".to_owned(), "/srv/vault".to_owned(), "0a".repeat(16));
        Ok(KeyWords { account, vault, vault_id, words: Zeroizing::new(["zoo"; 24].join(" ")) })
    }
    fn key_recover(&self, run: &Run) -> Result<Made> {
        let words = run.person.words()?;
        self.see(run, words.as_str()).map(|()| Made::default())
    }
    fn key_pin(&self, run: &Run) -> Result<PinRow> {
        self.see(run, "pin")?;
        let head = store::vault::Head { sequence: 12, chain: store::id::ChainHash::new([0xab; 32]), marker: 0 };
        Ok(PinRow { account: "laptop".into(), vault_id: "00".repeat(16), pin: Pin::of(head) })
    }
    fn key_rotate(&self, run: &Run) -> Result<Rotated> {
        self.see(run, "rotate").map(|()| Rotated::default())
    }
    fn account_log(&self, run: &Run, ask: LogAsk, _: &mut dyn FnMut(LogTold) -> Result<()>) -> Result<()> {
        self.see(run, ask)
    }
    fn report(&self, run: &Run, ask: ReportAsk) -> Result<ReportSheet> {
        self.see(run, ask)?;
        Ok(ReportSheet::default())
    }
    fn notify(
        &self,
        run: &Run,
        job: NotifyJob,
        _: &mut dyn FnMut(&EventRecord) -> Result<()>,
    ) -> Result<(Statuses, NotifySummary)> {
        self.see(run, &job)?;
        Ok((self.status(run, StatusJob::default())?, NotifySummary::default()))
    }
    fn status(&self, run: &Run, job: StatusJob) -> Result<Statuses> {
        self.see(run, job)?;
        Ok(Statuses { vault: ID.into(), now_ms: NOW_MS, accounts: Vec::new(), words_never_shown: false })
    }
    fn serve(&self, run: &Run, job: ServeJob) -> Result<()> {
        self.see(run, job)
    }
    fn doctor(&self, run: &Run, row: &mut dyn FnMut(DoctorRow) -> Result<()>) -> Result<()> {
        self.see(run, "doctor")?;
        let hint = Some("enable time sync".to_owned());
        row(DoctorRow { health: Health::Fail, name: "clock".into(), text: "an hour ahead".into(), hint })
    }
}
