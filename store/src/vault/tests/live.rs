//! Who shares something is counted while it lives.

use super::*;
use crate::vault::Common;

#[test]
fn whoever_is_live_counts_and_who_has_died_does_not() {
    let (world, vault, account) = World::with_account();
    let (of, group) = (Common::Account(account.number), Common::Group(account.number));
    assert_eq!(vault.count_live(of, None).unwrap(), 0);
    let one = vault.live(of).unwrap();
    // Another process, which only reads.
    let other = world.open(Access::Read).unwrap();
    let two = other.live(of).unwrap();
    assert_eq!(vault.count_live(of, Some(&one)).unwrap(), 1);
    assert_eq!(other.count_live(of, None).unwrap(), 2);
    assert_eq!(vault.count_live(group, None).unwrap(), 0);
    drop(two);
    assert_eq!(vault.count_live(of, Some(&one)).unwrap(), 0);

    // What a killed process leaves is a file without a lock.
    let left = world.path().join("live").join(format!("account-{:08x}-0123456789abcdef", account.number));
    std::fs::write(&left, []).unwrap();
    assert_eq!(vault.count_live(of, None).unwrap(), 1);
    assert!(!left.exists());
    drop(one);
    assert_eq!(std::fs::read_dir(world.path().join("live")).unwrap().count(), 0);
}
