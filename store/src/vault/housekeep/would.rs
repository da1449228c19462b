//! What would come free without some versions.

use super::Housekeep;
use crate::error::Result;
use crate::vault::Domain;

impl Domain {
    /// Bytes of records that nothing would need any more if these versions of an account were gone, beside what nothing needs
    /// now. `None` when it cannot be told: something that is needed cannot be read, or the time was up. Changes nothing.
    pub fn would_free(&self, account: u32, versions: &[u64], most_ms: Option<u64>) -> Result<Option<u64>> {
        let how = Housekeep { dry_run: true, most_ms, ..Housekeep::default() };
        let mut bytes = [0; 2];
        for (bytes, versions) in bytes.iter_mut().zip([&[][..], versions]) {
            let without: Vec<(u32, u64)> = versions.iter().map(|version| (account, *version)).collect();
            let done = self.pass_with(&how, None, &without, &mut |_| Ok(()))?;
            if done.holes > 0 || done.unfinished {
                return Ok(None);
            }
            *bytes = done.kept_bytes;
        }
        let [now, then] = bytes;
        Ok(Some(now.saturating_sub(then)))
    }
}
