//! An engine without hands. It lets the command line be built and looked at before the work is wired in.

use std::io::Write;

use zeroize::Zeroizing;

use super::job::*;
use crate::fault::{Code, Fault, Result};

/// Fails every verb.
#[derive(Clone, Copy, Debug, Default)]
pub struct Unwired;

fn no<T>() -> Result<T> {
    Err(Fault::new(Code::System, "this build of the program has no engine").hint("install a released version"))
}

impl Engine for Unwired {
    fn init(&self, _: &Run, _: InitJob) -> Result<Made> {
        no()
    }
    fn backup(&self, _: &Run, _: BackupJob) -> Result<BackupSummary> {
        no()
    }
    fn versions(&self, _: &Run, _: VersionsJob) -> Result<Vec<VersionRow>> {
        no()
    }
    fn list(&self, _: &Run, _: ListJob, _: &mut dyn FnMut(EntryRow) -> Result<()>) -> Result<ListSummary> {
        no()
    }
    fn restore(&self, _: &Run, _: RestoreJob) -> Result<RestoreSummary> {
        no()
    }
    fn dump(&self, _: &Run, _: DumpJob, _: &mut dyn Write) -> Result<DumpSummary> {
        no()
    }
    fn diff(&self, _: &Run, _: DiffJob, _: &mut dyn FnMut(DiffRow) -> Result<()>) -> Result<DiffSummary> {
        no()
    }
    fn check(&self, _: &Run, _: CheckJob, _: &mut dyn FnMut(FindingRow) -> Result<()>) -> Result<CheckSummary> {
        no()
    }
    fn key_list(&self, _: &Run) -> Result<KeyInfo> {
        no()
    }
    fn key_add(&self, _: &Run, _: KeyAddJob) -> Result<KeyRow> {
        no()
    }
    fn key_remove(&self, _: &Run, _: &str) -> Result<KeyRow> {
        no()
    }
    fn key_passwd(&self, _: &Run) -> Result<KeyRow> {
        no()
    }
    fn key_export(&self, _: &Run) -> Result<Zeroizing<Vec<u8>>> {
        no()
    }
    fn key_words(&self, _: &Run) -> Result<Zeroizing<String>> {
        no()
    }
    fn key_recover(&self, _: &Run) -> Result<Made> {
        no()
    }
    fn key_rotate(&self, _: &Run) -> Result<Rotated> {
        no()
    }
    fn serve(&self, _: &Run, _: ServeJob) -> Result<()> {
        no()
    }
    fn doctor(&self, _: &Run, _: &mut dyn FnMut(DoctorRow) -> Result<()>) -> Result<()> {
        no()
    }
}
