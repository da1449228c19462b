//! An account dumped in one vault and loaded into another.

use super::housekeep::{assert_readable, findings};
use super::retention::daily;
use super::*;
use crate::error::Error;
use crate::vault::{Archive, Load, Whole};

fn dump(domain: &Domain, account: &AccountInfo) -> Vec<u8> {
    let mut bytes = Vec::new();
    domain
        .write_archive(account, &mut |some| {
            bytes.extend_from_slice(some);
            Ok(())
        })
        .unwrap();
    bytes
}

fn elsewhere() -> (World, Vault) {
    let world = World::new();
    // Other ids than in the first world.
    world.chance.fill(&mut [0; 4096]);
    let vault = Vault::create(Arc::new(RealDisk), world.clock.clone(), world.chance.clone(), &world.path()).unwrap();
    (world, vault)
}

fn domains(world: &World) -> Vec<String> {
    let listed = std::fs::read_dir(world.path().join("domains")).unwrap();
    let mut names: Vec<String> = listed.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.retain(|name| name != "lock");
    names.sort();
    names
}

#[test]
fn an_account_lives_on_in_another_vault() {
    let (world, account, domain, trees) = daily(4);
    let bytes = dump(&domain, &account);
    assert_eq!(dump(&domain, &account), bytes);
    let (other, vault) = elsewhere();
    assert_ne!(vault.id(), world.open(Access::Read).unwrap().id());
    let loaded = vault.load(&mut Whole(bytes.as_slice()), &Load::default()).unwrap();
    assert_eq!((loaded.account.clone(), loaded.damages), (account.clone(), 0));
    assert_eq!(domains(&other).len(), 1);
    let (_, there, copy) = other.reopen();
    assert_eq!(copy.head(&there).unwrap(), domain.head(&account).unwrap());
    trees.iter().for_each(|tree| assert_readable(&copy, tree));
    assert_eq!(findings(&copy), []);
    // It goes on there.
    world.clock.advance(1);
    let mut session = copy.begin(&there, &[SOURCE], None).unwrap();
    assert_eq!(committed(&world.back_up(&mut session, &tree(&there, 77)).unwrap()), 7);
    session.end().unwrap();
    // And back again only when it is gone there.
    let again = vault.load(&mut Whole(bytes.as_slice()), &Load { number: Some(9), ..Load::default() });
    assert!(matches!(&again, Err(Error::Taken { what }) if what.contains("ada")), "{again:?}");
}

#[test]
fn what_is_there_already_is_refused_and_can_be_chosen_anew() {
    let (_world, account, domain, _) = daily(1);
    let bytes = dump(&domain, &account);
    let (other, vault) = elsewhere();
    vault.create_account("bob").unwrap();
    let taken = |how: &Load| match vault.load(&mut Whole(bytes.as_slice()), how) {
        Err(Error::Taken { what }) => what,
        other => panic!("{other:?}"),
    };
    assert_eq!(taken(&Load::default()), "the account number 0x1");
    let named = |name: &str| Load { number: Some(5), name: Some(name.to_owned()), ..Load::default() };
    assert_eq!(taken(&named("bob")), "the account bob");
    assert!(vault.load(&mut Whole(bytes.as_slice()), &named("")).is_err());
    let small = Load { hard_bytes: Some(Some(10)), ..named("eve") };
    assert!(matches!(vault.load(&mut Whole(bytes.as_slice()), &small), Err(Error::Full { limit: 10, .. })));
    assert_eq!((domains(&other).len(), vault.accounts().unwrap().len()), (1, 1));
    let loaded = vault.load(&mut Whole(bytes.as_slice()), &named("eve")).unwrap().account;
    assert_eq!((loaded.name.as_str(), loaded.number, loaded.id), ("eve", 5, account.id));
}

#[test]
fn a_load_that_is_cut_short_leaves_nothing_and_can_be_done_again() {
    let (_world, account, domain, trees) = daily(1);
    let bytes = dump(&domain, &account);
    let (other, vault) = elsewhere();
    for cut in (0..bytes.len()).step_by(bytes.len() / 40) {
        let refused = vault.load(&mut Whole(&bytes[..cut]), &Load::default());
        assert!(matches!(refused, Err(Error::Damaged { .. })), "{cut}: {refused:?}");
        assert_eq!(domains(&other), [""; 0], "{cut}");
    }
    // One that was killed: its folder is no account to anybody, and the next load clears it.
    let left = other.path().join("domains").join(format!("{}.load", "ab".repeat(16)));
    std::fs::create_dir_all(left.join("packs/ab")).unwrap();
    std::fs::write(left.join("packs/ab/x.pack"), "half").unwrap();
    assert_eq!(other.open(Access::Write).unwrap().accounts().unwrap(), []);
    let loaded = vault.load(&mut Whole(bytes.as_slice()), &Load::default()).unwrap();
    assert!(!left.exists());
    let copy = vault.domain(&loaded.account).unwrap();
    trees.iter().for_each(|tree| assert_readable(&copy, tree));
}

#[test]
fn what_was_damaged_is_loaded_and_told() {
    let (world, account, domain, _) = daily(2);
    let pack = named(&world.path(), ".pack").pop().unwrap();
    let mut content = std::fs::read(&pack).unwrap();
    content[300] ^= 1;
    std::fs::write(&pack, content).unwrap();
    let bytes = dump(&domain, &account);
    let (_other, vault) = elsewhere();
    let loaded = vault.load(&mut Whole(bytes.as_slice()), &Load::default()).unwrap();
    assert!(loaded.damages > 0 && !loaded.findings.is_empty());
    assert_eq!(vault.accounts().unwrap().len(), 1);
}

#[test]
fn a_full_disk_refuses_before_anything_is_written() {
    let (_world, account, domain, _) = daily(1);
    let bytes = dump(&domain, &account);
    let (other, _) = elsewhere();
    let disk = crate::door::Faulty::new(RealDisk, None).with_free(1 << 20);
    let vault = other.open_on(Arc::new(disk), Access::Write).unwrap();
    let refused = vault.load(&mut Whole(bytes.as_slice()), &Load::default());
    assert!(refused.as_ref().is_err_and(Error::is_full), "{refused:?}");
    assert_eq!(domains(&other), [""; 0]);
}

/// An archive whose line breaks at a byte, and who counts what is asked of it.
struct Line<'a> {
    bytes: &'a [u8],
    at: usize,
    breaks_at: usize,
    read: usize,
}

impl<'a> Line<'a> {
    fn new(bytes: &'a [u8], breaks_at: usize) -> Self {
        Self { bytes, at: 0, breaks_at, read: 0 }
    }
}

impl std::io::Read for Line<'_> {
    fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
        if self.at >= self.breaks_at {
            return Err(std::io::ErrorKind::BrokenPipe.into());
        }
        let most = out.len().min(self.breaks_at.min(self.bytes.len()) - self.at);
        out[..most].copy_from_slice(&self.bytes[self.at..self.at + most]);
        self.at += most;
        self.read += most;
        Ok(most)
    }
}

impl Archive for Line<'_> {
    fn pass_over(&mut self, until: u64) -> std::io::Result<()> {
        assert!(until >= self.at as u64);
        self.at = usize::try_from(until).unwrap();
        Ok(())
    }
}

#[test]
fn a_load_whose_line_breaks_goes_on_where_it_was() {
    let (_world, account, domain, trees) = daily(3);
    let bytes = dump(&domain, &account);
    for volumes in [false, true] {
        let (other, vault) = elsewhere();
        if volumes {
            vault.add_volume(&other.path().with_file_name("second")).unwrap();
        }
        let mut asked = 0;
        let mut most = 0;
        for tenth in 1..10 {
            let mut line = Line::new(&bytes, bytes.len() * tenth / 10);
            let cut = vault.load(&mut line, &Load::default());
            assert!(matches!(cut, Err(Error::Disk { .. })), "{cut:?}");
            asked += line.read;
            most = most.max(line.read);
            assert_eq!(other.open(Access::Write).unwrap().accounts().unwrap(), [], "nothing is to be seen of it");
        }
        let mut line = Line::new(&bytes, usize::MAX);
        let loaded = vault.load(&mut line, &Load::default()).unwrap();
        assert!(asked + line.read < bytes.len() * 2, "{} bytes were asked for of {}", asked + line.read, bytes.len());
        assert!(line.read < bytes.len() / 2, "{} of {}", line.read, bytes.len());
        assert_eq!(loaded.damages, 0);
        let copy = vault.domain(&loaded.account).unwrap();
        trees.iter().for_each(|tree| assert_readable(&copy, tree));
        assert_eq!(named(&other.path(), "archive.journal"), Vec::<PathBuf>::new());
    }
}

#[test]
fn what_was_held_and_rotted_is_found_and_asked_for_again() {
    let (_world, account, domain, _) = daily(3);
    let bytes = dump(&domain, &account);
    let (other, vault) = elsewhere();
    vault.load(&mut Line::new(&bytes, bytes.len() - 200), &Load::default()).unwrap_err();
    let link = named(&other.path(), ".link").pop().unwrap();
    let mut content = std::fs::read(&link).unwrap();
    content[9] ^= 4;
    std::fs::write(&link, content).unwrap();
    assert!(vault.load(&mut Line::new(&bytes, usize::MAX), &Load::default()).unwrap_err().is_damage());
    assert_eq!(domains(&other), [""; 0]);
    assert_eq!(vault.load(&mut Line::new(&bytes, usize::MAX), &Load::default()).unwrap().damages, 0);
}

#[test]
fn a_load_killed_at_any_call_goes_on() {
    let (_world, account, domain, trees) = daily(1);
    let bytes = dump(&domain, &account);
    let calls = {
        let (other, _) = elsewhere();
        let disk = Arc::new(crate::door::Faulty::new(RealDisk, None));
        let vault = other.open_on(disk.clone(), Access::Write).unwrap();
        vault.load(&mut Whole(bytes.as_slice()), &Load::default()).unwrap();
        disk.calls().len()
    };
    for at in (0..calls).step_by(5) {
        let (other, _) = elsewhere();
        let disk = Arc::new(crate::door::Faulty::new(RealDisk, Some(at)));
        let vault = other.open_on(disk, Access::Write);
        drop(vault.and_then(|vault| vault.load(&mut Whole(bytes.as_slice()), &Load::default())));
        let vault = other.open(Access::Write).unwrap();
        if vault.accounts().unwrap().is_empty() {
            vault.load(&mut Whole(bytes.as_slice()), &Load::default()).unwrap();
        }
        let copy = vault.domain(&vault.accounts().unwrap()[0]).unwrap();
        trees.iter().for_each(|tree| assert_readable(&copy, tree));
    }
}

/// An archive, and somebody who makes an account when some of it was read.
struct Held<'a> {
    line: Line<'a>,
    lock: PathBuf,
    held: Option<crate::door::Lock>,
}

impl std::io::Read for Held<'_> {
    fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
        if self.line.at > 1_000 && self.held.is_none() {
            self.held = RealDisk.lock(&self.lock).unwrap();
        }
        self.line.read(out)
    }
}

impl Archive for Held<'_> {
    fn pass_over(&mut self, until: u64) -> std::io::Result<()> {
        self.line.pass_over(until)
    }
}

#[test]
fn a_load_that_others_were_in_the_way_of_goes_on_and_takes_the_name_that_is_said_last() {
    let (_world, account, domain, trees) = daily(2);
    let bytes = dump(&domain, &account);
    let (other, vault) = elsewhere();
    let lock = other.path().join("domains").join("lock");
    let mut held = Held { line: Line::new(&bytes, usize::MAX), lock, held: None };
    let busy = vault.load(&mut held, &Load::default());
    assert!(matches!(busy, Err(Error::Busy { .. })), "{busy:?}");
    drop(held);
    let mut line = Line::new(&bytes, usize::MAX);
    let how = Load { name: Some("eve".to_owned()), ..Load::default() };
    let loaded = vault.load(&mut line, &how).unwrap();
    assert!(line.read < bytes.len() / 2, "{} of {}", line.read, bytes.len());
    assert_eq!(loaded.account.name, "eve");
    assert_eq!(other.reopen().1.name, "eve");
    let copy = vault.domain(&loaded.account).unwrap();
    trees.iter().for_each(|tree| assert_readable(&copy, tree));
}
