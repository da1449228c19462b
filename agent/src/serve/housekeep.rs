//! Housekeeping, asked for by a client, or due after a commit.

use store::chain::Fate;
use store::vault::{Access, AccountInfo, Domain, Housekeep, HousekeepEvent, Vault};
use transport::Call;
use transport::message::{self, Housekept, Kept, Logged, LoggedPass, LoggedVersion};

use super::refuse::Refused;
use super::report::renew_pulse;
use super::usage::sample;
use super::{Server, reply};

/// After a commit it takes no longer; a vault that needs more is kept by `tuckbox housekeep`.
const AFTER_COMMIT_MS: u64 = 5_000;

impl Server {
    /// Does what is due in the chunk space of the opened account, and tells of that account's versions.
    pub fn housekeep(&self, call: &Call, what: &message::Housekeep) -> Result<(), Refused> {
        let (vault, account, domain) = self.account(if what.dry_run { Access::Read } else { Access::Write })?;
        if let Some(versions) = what.without.as_ref().filter(|named| what.dry_run && named.len() <= message::IDS_MAX) {
            let without_bytes = domain.would_free(account.number, versions, what.most_ms)?;
            return reply(call, Kept::Done(Housekept { without_bytes, ..Housekept::default() }));
        }
        let how = Housekeep {
            dry_run: what.dry_run,
            confirmed: what.confirmed,
            most_ms: what.most_ms,
            most_bytes: what.most_bytes,
        };
        let mut gone = false;
        let done = domain.housekeep(&how, &mut |event| {
            if let Some(kept) = told(event, account.number, &account.name, what.dry_run) {
                gone = gone || reply(call, kept).is_err();
            }
            // Whoever asked may have gone; what was begun goes on, and costs nobody anything.
            Ok(())
        });
        if !what.dry_run {
            renew_pulse(&vault, &account);
        }
        if gone {
            return Err(Refused::Gone);
        }
        let done = done?;
        if !what.dry_run {
            sample(&vault, &account, &domain, (!done.unfinished && done.holes == 0, self.clock.now_ms()));
        }
        reply(
            call,
            Kept::Done(Housekept {
                unchanged: done.unchanged,
                unfinished: done.unfinished,
                holes: done.holes,
                versions: done.versions,
                waiting: done.waiting,
                expired: done.expired,
                forgotten: done.forgotten,
                superseded: done.superseded,
                kept_bytes: done.kept_bytes,
                condemned_bytes: done.condemned_bytes,
                freed_bytes: done.freed_bytes,
                unlinked_bytes: done.unlinked_bytes,
                unlinked: done.unlinked,
                rewritten: done.rewritten,
                copied_bytes: done.copied_bytes,
                pressed: Some(done.pressed),
                without_bytes: None,
            }),
        )
    }

    /// What was done so far in the chunk space of the opened account; it names that account's versions.
    pub fn housekeep_log(&self, call: &Call) -> Result<(), Refused> {
        let (_, account, domain) = self.account(Access::Read)?;
        for pass in domain.housekeeping_log()? {
            let all = pass.gone.len() as u64;
            let own = pass.gone.into_iter().filter(|gone| gone.account == account.name);
            let gone: Vec<LoggedVersion> =
                own.map(|gone| LoggedVersion { version: gone.version, why: gone.why }).collect();
            reply(
                call,
                Logged::Pass(LoggedPass {
                    at: pass.at,
                    took_ms: pass.took_ms,
                    failed: pass.failed,
                    unfinished: pass.unfinished,
                    holes: pass.holes,
                    waiting: pass.waiting,
                    more: pass.more.saturating_add(all - gone.len() as u64),
                    gone,
                    condemned_bytes: pass.condemned_bytes,
                    freed_bytes: pass.freed_bytes,
                    copied_bytes: pass.copied_bytes,
                    unlinked_bytes: pass.unlinked_bytes,
                }),
            )?;
        }
        reply(call, Logged::Done)
    }

    /// What is due after a commit. Nobody waits for it, and nothing depends on it.
    pub(super) fn after_commit(&self, vault: &Vault, account: &AccountInfo, domain: &Domain) {
        if domain.housekeeping_due().unwrap_or(false) {
            let how = Housekeep { most_ms: Some(AFTER_COMMIT_MS), ..Housekeep::default() };
            // What it could not do is done by the next one; `check` tells of what is wrong.
            let marked = domain.housekeep(&how, &mut |_| Ok(())).is_ok_and(|done| !done.unfinished && done.holes == 0);
            sample(vault, account, domain, (marked, self.clock.now_ms()));
            renew_pulse(vault, account);
        }
    }
}

/// What a client hears of an event: nothing of other accounts.
fn told(event: HousekeepEvent, number: u32, name: &str, dry_run: bool) -> Option<Kept> {
    let step = |what: &str, count, bytes| Some(Kept::Step { what: what.to_owned(), count, bytes });
    match event {
        HousekeepEvent::Judged { account, version, received_at, fate } => {
            let (fate, why) = words(&fate);
            (account == number).then_some(Kept::Version {
                sequence: version,
                received_at: Some(received_at),
                fate: fate.to_owned(),
                why,
            })
        }
        HousekeepEvent::Expired { account, version, cause } => {
            let (fate, why) = words(&Fate::Going(cause));
            (account == name && !dry_run).then_some(Kept::Version {
                sequence: version,
                received_at: None,
                fate: fate.to_owned(),
                why,
            })
        }
        // Told with the sums.
        HousekeepEvent::Waiting { .. } => None,
        HousekeepEvent::LetGo { bytes } => step("let_go", 1, bytes),
        HousekeepEvent::Orphans { bodies } => step("orphans", bodies, 0),
        HousekeepEvent::Marked { nodes, .. } => step("marked", nodes, 0),
        HousekeepEvent::Blocked { holes } => step("blocked", holes, 0),
        HousekeepEvent::Condemned { places, bytes } => step("condemned", places, bytes),
        HousekeepEvent::Freed { places, bytes } => step("freed", places, bytes),
        HousekeepEvent::Rewritten { packs, bytes, .. } => step("rewritten", packs, bytes),
        HousekeepEvent::Unlinked { packs, bytes } => step("unlinked", packs, bytes),
    }
}

/// A fate in words.
fn words(fate: &Fate) -> (&'static str, Vec<String>) {
    match fate {
        Fate::Kept(reasons) => ("kept", reasons.iter().map(|reason| reason.word().to_owned()).collect()),
        Fate::Trash { .. } => ("trash", vec!["forgotten".to_owned()]),
        Fate::Going(cause) => ("going", vec![cause.words().to_owned()]),
    }
}
