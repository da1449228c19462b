//! Proving what is stored, without keys.

use store::vault::{About, Access, CheckEvent, CheckWhat, Severity};
use transport::Call;
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

/// The code under which a finding is known.
fn code(about: About) -> Code {
    match about {
        About::Data => Code::DataDamaged,
        About::Chain => Code::HistoryGap,
        About::Body => Code::HistoryLoss,
    }
}
