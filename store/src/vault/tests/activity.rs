//! What is remembered may be lost, and is never in the way.

use super::*;
use crate::activity::{Activity, Added, Grain, Period};
use crate::catalog::{Catalog, CatalogFiles, Catalogs, Journal};
use crate::error::Error;
use crate::id::VaultId;

fn moved(vault: &Vault, account: &AccountInfo) -> Vec<Period> {
    vault.activity(account, |activity| activity.traffic(account.number, Grain::Hour, 0, i64::MAX)).unwrap()
}

fn add(vault: &Vault, account: &AccountInfo) {
    let added = Added { in_bytes: 5, out_bytes: 6, busy_ms: 7, sessions: 1 };
    vault.activity(account, |activity| activity.add_traffic(account.number, 1_790_000_000_000, &added)).unwrap();
}

#[test]
fn it_is_made_kept_and_made_anew_when_it_is_broken_or_newer() {
    let (world, vault, account) = World::with_account();
    let path = world.domain_folder(&account).join("activity.db");
    assert!(!path.exists());
    add(&vault, &account);
    add(&vault, &account);
    assert_eq!(moved(&vault, &account)[0].moved.in_bytes, 10);
    // Another process.
    assert_eq!(moved(&world.open(Access::Read).unwrap(), &account).len(), 1);

    let conn = rusqlite::Connection::open(&path).unwrap();
    conn.pragma_update(None, "user_version", 1_000).unwrap();
    drop(conn);
    assert_eq!(moved(&vault, &account), []);
    assert!(path.with_extension("db.damaged").exists());

    for rubbish in [&b"this is no database, and long enough to look at"[..], &[0xff; 100_000]] {
        add(&vault, &account);
        for end in ["-wal", "-shm"] {
            drop(std::fs::remove_file(path.with_extension(format!("db{end}"))));
        }
        std::fs::write(&path, rubbish).unwrap();
        assert_eq!(moved(&vault, &account), []);
    }
    // Tables that are not ours.
    drop(std::fs::remove_file(&path));
    let conn = rusqlite::Connection::open(&path).unwrap();
    conn.execute_batch("CREATE TABLE traffic(x); PRAGMA user_version = 1;").unwrap();
    drop(conn);
    add(&vault, &account);
    assert_eq!(moved(&vault, &account).len(), 1);
    // It is lost with its log: a new database must never meet an old one.
    for end in ["", "-wal", "-shm"] {
        drop(std::fs::remove_file(path.with_extension(format!("db{end}"))));
    }
    assert!(!path.exists());
    assert_eq!(moved(&vault, &account), []);
}

#[test]
fn damage_inside_is_put_aside_by_whoever_meets_it() {
    let (world, vault, account) = World::with_account();
    let path = world.domain_folder(&account).join("activity.db");
    add(&vault, &account);
    let conn = rusqlite::Connection::open(&path).unwrap();
    conn.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)").unwrap();
    drop(conn);
    let mut bytes = std::fs::read(&path).unwrap();
    // Every page but the first.
    for byte in &mut bytes[4_096..] {
        *byte = 0x5a;
    }
    std::fs::write(&path, bytes).unwrap();
    assert_eq!(moved(&vault, &account), []);
    add(&vault, &account);
    assert_eq!(moved(&vault, &account).len(), 1);
}

/// As on a file system that is read-only.
struct Unwritable;

impl Catalogs for Unwritable {
    fn open(&self, path: &Path, journal: Journal, domain: DomainId) -> Result<Catalog> {
        CatalogFiles.open(path, journal, domain)
    }

    fn open_activity(&self, path: &Path, _: Journal, _: VaultId) -> Result<Activity> {
        Err(Error::disk("open", path, std::io::ErrorKind::ReadOnlyFilesystem))
    }
}

#[test]
fn who_only_reads_needs_none_and_who_writes_is_told() {
    let (world, vault, account) = World::with_account();
    add(&vault, &account);
    drop(vault);
    let open = |access| {
        let (clock, chance) = (world.clock.clone(), world.chance.clone());
        Vault::open_with(Arc::new(RealDisk), clock, chance, Arc::new(Unwritable), &world.path(), access).unwrap()
    };
    assert_eq!(moved(&open(Access::Read), &account), []);
    let vault = open(Access::Write);
    assert!(matches!(vault.activity(&account, |_| Ok(())), Err(Error::Disk { .. })));
    // And it opens and works without.
    assert!(vault.domain(&account).unwrap().head(&account).unwrap().is_some());
}

#[test]
fn a_deleted_account_takes_it_along() {
    let (world, vault, account) = World::with_account();
    add(&vault, &account);
    vault.delete_account(&account).unwrap();
    world.clock.advance(super::super::DELETED_FOR_MS);
    vault.remove_account(&account).unwrap();
    assert!(!world.domain_folder(&account).exists());
}
