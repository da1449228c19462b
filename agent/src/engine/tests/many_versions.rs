//! Looking around among thousands of versions, on an account that stays open.

use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::sync::Arc;

use store::chain::LinkKind;
use store::door::{Clock, FixedClock, SystemClock};

use super::place::{Place, job, within};
use crate::engine::account::Account;
use crate::engine::job::*;
use crate::engine::kept::Kept;
use crate::engine::{look, restore, versions};

/// Enough that opening all again for a question would show; each takes some 20 ms to make. Of 5,000 it holds as well.
const VERSIONS: u64 = 400;

/// An account with so many versions of a directory, all received within a day, so that all are kept.
fn place(count: u64) -> (Place, Run, Vec<u8>) {
    let clock = Arc::new(FixedClock::at(SystemClock::new().now_ms() + 3_600_000));
    let (place, run) = Place::at(Arc::clone(&clock) as Arc<dyn Clock>);
    let source = place.path("src");
    fs::create_dir_all(&source).unwrap();
    fs::write(source.join("letter"), "dear one").unwrap();
    place.backup(&run, job([&source])).unwrap();
    let account = Account::open(&run).unwrap();
    let device = account.device().unwrap();
    let link = account.version_links(false).pop().unwrap();
    let body = account.version_body(&link).unwrap().unwrap();
    for _ in 1..count {
        clock.advance(1_000);
        // Sealed anew, and so with a name of its own.
        let body = body.seal(&account.sealer, &account.keys).unwrap();
        account.append(&device, LinkKind::Version, &body).unwrap();
    }
    account.remote.close().unwrap();
    (place, run, source.as_os_str().as_bytes().to_vec())
}

#[test]
fn moving_through_thousands_of_versions_opens_each_body_once() {
    let (place, run, dir) = within(move || place(VERSIONS));
    let kept = Arc::new(Kept::default());
    let run = Run { kept: Some(Arc::clone(&kept)), ..run };
    let rows = versions::versions(&run, &VersionsJob::default()).unwrap();
    assert_eq!(rows.len() as u64, VERSIONS);
    let opened = || kept.opened(&run.place).count();
    assert_eq!(opened(), VERSIONS);
    let sent = || kept.line(&run.place).map(|(remote, _)| remote.whole_traffic().sent_bytes).unwrap();
    let folder = |row: &VersionRow| {
        let at = At::Id { prefix: row.id.clone() };
        look::folder(&run, &FolderJob { at, dir: dir.clone(), deleted: false }).unwrap()
    };
    assert_eq!(folder(&rows[300]).rows.len(), 1);
    look::moments(&run, &dir).unwrap();
    let before = sent();
    // As with `[` and `]`: a folder each, and its past beside.
    for row in rows.iter().step_by(40) {
        assert_eq!(folder(row).rows.len(), 1);
        assert_eq!(look::moments(&run, &dir).unwrap().versions, VERSIONS);
    }
    versions::versions(&run, &VersionsJob::default()).unwrap();
    // All were known, and what is asked of the vault is whether there is anything new.
    assert_eq!(opened(), VERSIONS, "bodies were opened again");
    let asked = sent() - before;
    assert!(asked < 20_000, "{asked} bytes were sent to ask what was known");
    drop(place);
}

#[test]
fn a_run_that_can_be_slowed_down_leaves_the_kept_account_alone() {
    let (place, run, dir) = within(|| place(2));
    let kept = Arc::new(Kept::default());
    let run = Run { kept: Some(Arc::clone(&kept)), ..run };
    // Nothing is kept yet: the key is, from now on, and no connection.
    let throttle = Throttle::default();
    let slowed = Run { throttle: Some(throttle.clone()), ..run.clone() };
    let restored = |run: &Run, to: &str| {
        let job = RestoreJob { paths: vec![dir.clone()], to: Some(place.path(to)), ..RestoreJob::default() };
        restore::restore(run, &job).unwrap();
        fs::read(place.path(to).join("src/letter")).unwrap()
    };
    assert_eq!(restored(&slowed, "one"), b"dear one");
    assert!(kept.unlocked(&run.place).is_some() && kept.line(&run.place).is_none());
    // With an account that is open, too, it goes beside it.
    versions::versions(&run, &VersionsJob::default()).unwrap();
    look::moments(&run, &dir).unwrap();
    throttle.set(Some(1 << 20));
    assert_eq!(restored(&slowed, "two"), b"dear one");
    assert!(kept.reading(&run).is_some());
    assert_eq!(restored(&run, "three"), b"dear one");
}
