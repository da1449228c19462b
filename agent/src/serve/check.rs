//! Proving what is stored, without keys.

use store::vault::{About, Access, AccountInfo, CheckEvent, CheckWhat, Severity, Vault};
use transport::Call;
use transport::message::admin::CheckedAccount;
use transport::message::{Check, Checked, Finding, Told};

use super::refuse::Refused;
use super::{Server, reply};
use crate::fault::Code;

impl Server {
    /// Checks the chunk space of the opened account and tells what it finds.
    pub fn check(&self, call: &Call, what: &Check) -> Result<(), Refused> {
        let (_, account, domain) = self.account(Access::Read)?;
        let mut gone = false;
        let summary = domain.check(&CheckWhat { read_data: what.read_data }, &mut |event| {
            let told = match event {
                CheckEvent::Finding(finding) => Told::Finding(Finding {
                    what: finding.what,
                    place: finding.place,
                    code: code(finding.about).name().to_owned(),
                    damage: finding.severity != Severity::Note,
                    versions: finding
                        .versions
                        .into_iter()
                        .filter(|(number, _)| *number == account.number)
                        .map(|(_, version)| version)
                        .collect(),
                }),
                CheckEvent::Progress(progress) => Told::Progress {
                    packs_done: progress.packs_done,
                    packs_total: progress.packs,
                    read_bytes: progress.bytes_read,
                },
            };
            gone = gone || reply(call, told).is_err();
            if gone { Err(store::Error::Busy { what: "the pipe".into() }) } else { Ok(()) }
        });
        if gone {
            return Err(Refused::Gone);
        }
        let summary = summary?;
        reply(
            call,
            Told::Done(Checked {
                packs: summary.packs,
                records: summary.records,
                read_bytes: summary.bytes_read,
                chunks: summary.chunks,
                nodes: summary.nodes,
                links: summary.links,
                versions: summary.versions,
                notes: summary.notes,
                damages: summary.damages,
            }),
        )
    }
}

/// Checks the chunk space of one account, whatever its state. What keeps it from being checked is a finding, too.
pub(super) fn of_account(vault: &Vault, account: &AccountInfo, read_data: bool) -> CheckedAccount {
    let mut checked =
        CheckedAccount { number: account.number, name: account.name.clone(), ..CheckedAccount::default() };
    let mut worst: Option<store::vault::Finding> = None;
    let summary = vault.domain_to_read(account).and_then(|domain| {
        domain.check(&CheckWhat { read_data }, &mut |event| {
            if let CheckEvent::Finding(finding) = event
                && worst.as_ref().is_none_or(|worst| worst.severity < finding.severity)
            {
                worst = Some(finding);
            }
            Ok(())
        })
    });
    match summary {
        Ok(summary) => {
            checked.damages = summary.damages;
            checked.notes = summary.notes;
            checked.versions = summary.versions;
            checked.packs = summary.packs;
            checked.links = summary.links;
            checked.read_bytes = summary.bytes_read;
            if let Some(finding) = worst {
                checked.message = Some(format!("{}: {}", finding.place, finding.what));
                checked.code = Some(code(finding.about).name().to_owned());
            }
        }
        Err(error) => {
            checked.damages = 1;
            let refusal = Refused::from(error).refusal();
            (checked.message, checked.code) = refusal.map(|refusal| (refusal.text, refusal.code)).unzip();
        }
    }
    checked
}

/// The code under which a finding is known.
fn code(about: About) -> Code {
    match about {
        About::Data => Code::DataDamaged,
        About::Chain => Code::HistoryGap,
        About::Body => Code::HistoryLoss,
        About::Disk => Code::DiskFailed,
    }
}
