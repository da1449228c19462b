//! The pulse of an account: what one needs to tell how it is, in one small file, so that a look at ten thousand accounts
//! opens no database (FORMAT.md, chapter 12).
//!
//! It is taken again from links, catalog and activity whenever it is not there or a link came since, and lost without harm.

use serde::{Deserialize, Serialize};

use super::account::AccountInfo;
use super::figures::Newest;
use super::layout::DomainPaths;
use super::note::temporary;
use super::{Access, Vault};
use crate::activity::{Activity, BACKUP, ToldRun};
use crate::error::Result;

/// Longest file of a pulse: its texts are bounded, so it is far below.
const PULSE_BYTES_MAX: usize = 64 << 10;
/// How often it is written again because something came in between.
const TRIES: usize = 4;

/// What one needs to tell how an account is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pulse {
    /// Number of the newest link; 0 before the first.
    pub head: u64,
    /// The newest version.
    pub newest: Option<Newest>,
    /// Bytes of its packs.
    pub stored_bytes: u64,
    /// The run that was told last.
    pub last_run: Option<ToldRun>,
    /// The run that made the newest version, when it was told.
    pub last_success: Option<ToldRun>,
    /// The newest check that came to its end, when it was told.
    #[serde(default)]
    pub last_check: Option<ToldRun>,
    /// Versions that cannot be read in full, as far as damage is known.
    #[serde(default)]
    pub holes: u64,
    /// Versions that would go and wait to be confirmed, as far as housekeeping has seen.
    #[serde(default)]
    pub waiting: u64,
    /// Number of the newest note of damage in its domain; 0 when there is none.
    #[serde(default)]
    pub noted: u64,
}

/// The run that was told last, the one that made the newest version, the newest check.
type Told = (Option<ToldRun>, Option<ToldRun>, Option<ToldRun>);

/// Says which runs were told, given the number of the newest version.
type Runs<'r> = dyn Fn(Option<u64>) -> Result<Told> + 'r;

fn told(activity: &Activity, account: &AccountInfo, newest: Option<u64>) -> Result<Told> {
    let last = activity.runs(account.number, BACKUP, i64::MIN, 1)?.into_iter().next();
    let of = newest.map(|sequence| activity.run_of(account.number, sequence)).transpose()?.flatten();
    Ok((last, of, activity.last_check(account.number)?))
}

impl Vault {
    /// The pulse of an account. One that is not there, or since which a link or a note of damage has come, is taken now, and
    /// kept when this vault is open for writing. Its bytes may be as they were before something was freed.
    pub fn pulse(&self, account: &AccountInfo) -> Result<Pulse> {
        let paths = DomainPaths::new(self.path(), account.domain);
        if let Some(pulse) = self.kept_pulse(account)
            && self.disk().exists(&paths.link(account.number, pulse.head.saturating_add(1)))?.is_none()
            && self.newest_damage(account)? == pulse.noted
        {
            return Ok(pulse);
        }
        let pulse = self.take_pulse(account, &|newest| self.runs(account, newest))?;
        if self.access() == Access::Write && pulse != Pulse::default() {
            // Who asks next takes it again.
            self.keep_pulse(account, &pulse).unwrap_or(());
        }
        Ok(pulse)
    }

    /// Takes the pulse anew, after something has changed. What fails here is taken by the next who asks.
    pub fn renew_pulse(&self, account: &AccountInfo) -> Result<()> {
        self.renew_with(account, &|runs| self.runs(account, runs))
    }

    /// The same for who has the activity open, which is not opened again then.
    pub fn renew_pulse_by(&self, account: &AccountInfo, activity: &Activity) -> Result<()> {
        self.renew_with(account, &|newest| told(activity, account, newest))
    }

    fn renew_with(&self, account: &AccountInfo, runs: &Runs<'_>) -> Result<()> {
        let mut before = self.kept_pulse(account);
        for _ in 0..TRIES {
            let pulse = self.take_pulse(account, runs)?;
            if before.as_ref() == Some(&pulse) {
                break;
            }
            // Somebody else may have taken it before what we saw, and kept it after us: so it is looked at again.
            self.keep_pulse(account, &pulse)?;
            before = Some(pulse);
        }
        Ok(())
    }

    fn kept_pulse(&self, account: &AccountInfo) -> Option<Pulse> {
        let path = DomainPaths::new(self.path(), account.domain).pulse(account.number);
        serde_json::from_slice(&self.disk().read(&path, PULSE_BYTES_MAX).ok()?).ok()
    }

    fn take_pulse(&self, account: &AccountInfo, runs: &Runs<'_>) -> Result<Pulse> {
        let paths = DomainPaths::new(self.path(), account.domain);
        // First the head and the notes: what comes in between is then seen by who reads.
        let mut pulse = Pulse { noted: self.newest_damage(account)?, ..Pulse::default() };
        if self.disk().exists(&paths.link(account.number, 1))?.is_some() {
            let domain = self.domain_to_read(account)?;
            pulse.head = domain.head(account)?.map_or(0, |head| head.sequence);
            pulse.stored_bytes = domain.stored()?.pack_bytes;
            pulse.holes = domain.holes(account)?;
            pulse.waiting = domain.waiting()?;
        }
        pulse.newest = self.newest_version(account)?;
        // Without it the chain still says when the newest version came.
        (pulse.last_run, pulse.last_success, pulse.last_check) =
            runs(pulse.newest.map(|newest| newest.sequence)).unwrap_or_default();
        Ok(pulse)
    }

    /// What the activity says, when there is one: it is not made for this.
    fn runs(&self, account: &AccountInfo, newest: Option<u64>) -> Result<Told> {
        let paths = DomainPaths::new(self.path(), account.domain);
        if self.disk().exists(&paths.activity())?.is_none() {
            return Ok(Told::default());
        }
        self.activity(account, |activity| told(activity, account, newest))
    }

    fn keep_pulse(&self, account: &AccountInfo, pulse: &Pulse) -> Result<()> {
        let paths = DomainPaths::new(self.path(), account.domain);
        let bytes = serde_json::to_vec(pulse).map_err(|_| crate::Error::damaged("pulse", "it cannot be written"))?;
        let new = temporary(self.chance(), paths.root());
        // Not synced: nothing depends on it.
        let written = self.disk().create_new(&new).and_then(|mut file| file.append(&bytes));
        let kept = written.and_then(|()| self.disk().rename(&new, &paths.pulse(account.number)));
        if kept.is_err() {
            self.disk().remove_file(&new).unwrap_or(());
        }
        kept
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_pulse_fits_into_its_file() {
        let text = "\u{202e}".repeat(255);
        let run = ToldRun {
            told_at: i64::MIN,
            began_at: i64::MIN,
            took_ms: u64::MAX,
            verb: text.clone(),
            client: text.clone(),
            host: text.clone(),
            exit: 255,
            code: text,
            sequence: Some(u64::MAX),
            stored_bytes: u64::MAX,
            figures: crate::activity::RunFigures { files: u64::MAX, ..Default::default() },
        };
        let pulse = Pulse {
            last_run: Some(run.clone()),
            last_success: Some(run.clone()),
            last_check: Some(run),
            ..Pulse::default()
        };
        let bytes = serde_json::to_vec(&pulse).unwrap();
        assert!(bytes.len() < PULSE_BYTES_MAX / 4, "{}", bytes.len());
        assert_eq!(serde_json::from_slice::<Pulse>(&bytes).unwrap(), pulse);
    }
}
