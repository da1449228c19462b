//! What one needs to tell how an account is.

use super::*;
use crate::activity::ToldRun;
use crate::vault::Pulse;

fn told(told_at: i64, exit: u8, sequence: Option<u64>) -> ToldRun {
    ToldRun { told_at, exit, sequence, verb: "backup".to_owned(), ..ToldRun::default() }
}

fn pulses(world: &World) -> Vec<PathBuf> {
    files(&world.path()).into_iter().map(|(path, _)| path).filter(|p| p.to_string_lossy().contains("pulse-")).collect()
}

#[test]
fn an_account_without_a_version_has_none_and_nothing_is_made_of_it() {
    let world = World::new();
    let vault = Vault::create(Arc::new(RealDisk), world.clock.clone(), world.chance.clone(), &world.path()).unwrap();
    let account = vault.create_account("ada").unwrap();
    let before = files(&world.path());
    assert_eq!(vault.pulse(&account).unwrap(), Pulse::default());
    assert_eq!(files(&world.path()), before);
}

#[test]
fn it_tells_the_newest_version_and_the_runs_and_may_be_lost() {
    let (world, vault, account) = World::with_account();
    let made = committed(&world.back_up_now(&tree(&account, 1)));
    let now = world.clock.now_ms();
    vault
        .activity(&account, |activity| {
            activity.add_run(1, &told(now, 0, Some(made)))?;
            activity.add_run(1, &told(now + 5, 9, None))
        })
        .unwrap();
    vault.renew_pulse(&account).unwrap();
    let pulse = vault.pulse(&account).unwrap();
    assert_eq!(pulse.newest.map(|n| (n.sequence, n.received_at)), Some((made, now)));
    assert_eq!((pulse.head, pulse.last_run.as_ref().map(|run| run.exit)), (made, Some(9)));
    assert_eq!(pulse.last_success.as_ref().and_then(|run| run.sequence), Some(made));
    assert!(pulse.stored_bytes > 0);

    // It is taken again when it is lost, or cannot be read, also by who only reads.
    for spoil in [|path: &Path| std::fs::remove_file(path).unwrap(), |path: &Path| std::fs::write(path, "{").unwrap()] {
        pulses(&world).iter().for_each(|path| spoil(path));
        assert_eq!(world.open(Access::Read).unwrap().pulse(&account).unwrap(), pulse);
        assert_eq!(vault.pulse(&account).unwrap(), pulse);
        assert_eq!(pulses(&world).len(), 1);
    }
    assert!(named(&world.path(), ".new").is_empty());
}

#[test]
fn a_version_that_came_after_it_counts() {
    let (world, vault, account) = World::with_account();
    world.back_up_now(&tree(&account, 1));
    vault.renew_pulse(&account).unwrap();
    world.clock.advance(60_000);
    let made = committed(&world.back_up_now(&tree(&account, 2)));
    let pulse = vault.pulse(&account).unwrap();
    assert_eq!(pulse.newest.map(|n| (n.sequence, n.received_at)), Some((made, world.clock.now_ms())));
    assert_eq!(pulse.head, made);
}

#[test]
fn ten_thousand_accounts_open_no_database() {
    let (world, vault, account) = World::with_account();
    world.back_up_now(&tree(&account, 1));
    vault.renew_pulse(&account).unwrap();
    // A database that cannot be opened would be put aside, and a catalog made again.
    let folder = world.domain_folder(&account);
    for name in ["catalog.db", "activity.db"] {
        std::fs::write(folder.join(name), "no database").unwrap();
    }
    let vault = world.open(Access::Write).unwrap();
    assert!(vault.pulse(&account).unwrap().newest.is_some());
    assert!(named(&world.path(), ".damaged").is_empty());
}
