//! Keys while somebody else makes or changes them, and key files that are in the way.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use store::door::{Chance, ConstantChance};

use super::person::Nobody;
use super::place::*;
use crate::engine::init::{automatic, init};
use crate::engine::job::*;
use crate::engine::keys;
use crate::engine::queue::lock;
use crate::fault::{Code, Result};

/// A machine that rolls other dice, whose account has this name.
fn other(run: &Run, account: &str, seed: u64) -> Run {
    let mut run = run.clone();
    run.place.account = Some(account.to_owned());
    run.chance = Arc::new(ConstantChance::new(seed)) as Arc<dyn Chance>;
    run
}

fn key_files(run: &Run) -> Vec<PathBuf> {
    let listed = fs::read_dir(run.folders.config.join("keys")).unwrap();
    let mut paths: Vec<PathBuf> = listed.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
}

fn source(place: &Place) -> PathBuf {
    let path = place.path("docs");
    if !path.exists() {
        fs::create_dir(&path).unwrap();
        fs::write(path.join("letter"), "a letter").unwrap();
    }
    path
}

/// Sets up the account "bob" with this passphrase and backs up, as one does while another is still asked for a passphrase.
/// Gives what is in the key file then.
fn first(place: &Arc<Place>, passphrase: &str) -> (Run, impl FnOnce() + Send + 'static, Arc<Mutex<Vec<u8>>>) {
    let run = other(&place.machine("bob"), "bob", 31);
    let kept = Arc::new(Mutex::new(Vec::new()));
    let mut quick = run.clone();
    quick.person = Nobody::typing(passphrase, || ());
    let (place, file) = (Arc::clone(place), Arc::clone(&kept));
    let work = move || {
        init(&quick, &InitJob::default()).unwrap();
        if quick.person.new_passphrase("", true).unwrap().is_none() {
            place.backup(&quick, job([source(&place)])).unwrap();
        }
        *lock(&file) = fs::read(&key_files(&quick)[0]).unwrap();
    };
    (run, work, kept)
}

#[test]
fn the_second_of_two_inits_uses_the_key_of_the_first() {
    let (place, _) = Place::new();
    let place = Arc::new(place);
    let (run, work, kept) = first(&place, "");
    let mut slow = other(&run, "bob", 32);
    slow.person = Nobody::typing("two", work);
    let made = init(&slow, &InitJob::default()).unwrap();
    assert!(!made.key_made && !made.key_protected, "{made:?}");
    assert_eq!(key_files(&run).len(), 1);
    assert_eq!(fs::read(&key_files(&run)[0]).unwrap(), *lock(&kept), "the first one's key is as it was");
    place.prove(&run, &source(&place));
}

#[test]
fn the_second_of_two_inits_leaves_a_key_that_it_cannot_open() {
    let (place, _) = Place::new();
    let place = Arc::new(place);
    let (run, work, kept) = first(&place, "one");
    let mut slow = other(&run, "bob", 32);
    slow.person = Nobody::typing("two", work);
    assert_eq!(init(&slow, &InitJob::default()).unwrap_err().code, Code::KeyPassphrase);
    assert_eq!(fs::read(&key_files(&run)[0]).unwrap(), *lock(&kept));
}

#[test]
fn a_key_that_the_vault_refuses_leaves_nothing_behind() {
    let (place, _) = Place::new();
    let place = Arc::new(place);
    let (run, work, kept) = first(&place, "");
    let mut slow = other(&run, "bob", 32);
    slow.person = Nobody::typing("", work);
    slow.place.key_file = Some(place.path("elsewhere/bob.key"));
    assert_eq!(init(&slow, &InitJob { slot_in_vault: false }).unwrap_err().code, Code::AccountBound);
    assert!(!place.path("elsewhere/bob.key").exists());
    assert_eq!(fs::read(&key_files(&run)[0]).unwrap(), *lock(&kept));

    // Nor does its slot come into the vault.
    let mut third = other(&run, "carl", 33);
    let mut slow = other(&run, "carl", 34);
    slow.place.key_file = Some(place.path("elsewhere/carl.key"));
    third.folders.config = place.path("third");
    let quick = third.clone();
    slow.person = Nobody::typing("two", move || drop(init(&quick, &InitJob::default()).unwrap()));
    assert_eq!(init(&slow, &InitJob { slot_in_vault: true }).unwrap_err().code, Code::AccountBound);
    assert!(keys::list(&third).unwrap().slots.iter().all(|slot| !slot.in_vault));
}

#[test]
fn two_first_runs_at_once_have_one_key_and_it_is_there() {
    let (place, _) = Place::new();
    for round in 0..6 {
        let name = format!("round-{round}");
        let runs = [40, 41].map(|seed| other(&place.machine(&name), &name, seed + 10 * round));
        let both: Vec<_> =
            runs.iter().cloned().map(|run| std::thread::spawn(move || automatic(&run).map(drop))).collect();
        let ends: Vec<Result<()>> = both.into_iter().map(|thread| thread.join().unwrap()).collect();
        let fine = |end: &Result<()>| end.as_ref().map_or_else(|fault| fault.code == Code::SourceBusy, |()| true);
        assert!(ends.iter().any(Result::is_ok) && ends.iter().all(fine), "{ends:?}");
        assert_eq!(key_files(&runs[0]).len(), 1);
        place.backup(&runs[1], job([source(&place)])).unwrap();
        place.prove(&runs[0], &source(&place));
    }
}

fn words(run: &Run) -> String {
    keys::words(run).unwrap().words.to_string()
}

#[test]
fn the_words_never_overwrite_another_account_s_key() {
    let (place, _) = Place::new();
    let ana = other(&place.machine("ana"), "x y", 51);
    let bob = other(&place.machine("bob"), "x_y", 52);
    init(&ana, &InitJob::default()).unwrap();
    init(&bob, &InitJob::default()).unwrap();
    let key = key_files(&ana).into_iter().find(|path| path.to_str().unwrap().contains("x_y")).unwrap();
    let before = fs::read(&key).unwrap();
    let recover = |change: &dyn Fn(&mut Run)| {
        let mut run = other(&ana, "x_y", 53);
        run.person = Nobody::with_words(words(&bob));
        change(&mut run);
        keys::recover(&run)
    };
    let fault = recover(&|_| ()).unwrap_err();
    assert_eq!((fault.code, fault.hint.as_deref()), (Code::KeyOtherAccount, Some("name another file: --key FILE")));
    assert!(fault.message.contains("(x y)"), "{fault}");
    assert_eq!(fs::read(&key).unwrap(), before);
    // Nor does `init` for it.
    let taken = init(&other(&ana, "x?y", 54), &InitJob::default()).unwrap_err();
    assert_eq!(taken.code, Code::KeyOtherAccount);
    assert_eq!(fs::read(&key).unwrap(), before);

    // Words of one account make no key of another that was named.
    let named = recover(&|run| run.place.account = Some("x y".into())).unwrap_err();
    assert_eq!((named.code, named.hint.as_deref()), (Code::KeyOtherAccount, Some("tuckbox key recover --account x_y")));

    let spare = place.path("spare/x_y.key");
    let named = |run: &mut Run| run.place.key_file = Some(spare.clone());
    recover(&named).unwrap();
    // The same key again is made anew (its passphrase may be forgotten), a damaged one is put aside.
    recover(&named).unwrap();
    fs::write(&spare, "not a key").unwrap();
    recover(&named).unwrap();
    assert_eq!(fs::read_to_string(place.path("spare/x_y.key.damaged")).unwrap(), "not a key");
    let mut run = other(&ana, "x_y", 55);
    named(&mut run);
    assert!(!keys::list(&run).unwrap().slots.is_empty());
}

fn labels(run: &Run) -> Vec<String> {
    keys::list(run).unwrap().slots.into_iter().map(|slot| slot.label).collect()
}

fn add(run: &Run, label: &str, in_vault: bool) -> Result<KeyRow> {
    keys::add(run, &KeyAddJob { in_vault, label: Some(label.to_owned()) })
}

/// The same machine at which somebody types slowly.
fn slowly(run: &Run, seed: u64, types: &str, meanwhile: impl FnOnce() + Send + 'static) -> Run {
    let mut slow = run.clone();
    slow.chance = Arc::new(ConstantChance::new(seed));
    slow.person = Nobody::typing(types, meanwhile);
    slow
}

#[test]
fn ways_to_open_the_key_that_are_changed_at_once() {
    let (_place, ana) = Place::new();
    let quick = slowly(&ana, 61, "new", || ());
    let slow = slowly(&ana, 62, "five", move || drop(keys::passwd(&quick).unwrap()));
    add(&slow, "five", false).unwrap();
    // The open slot that was there when it began is gone, as the new passphrase wants it.
    assert_eq!(labels(&ana), ["passphrase", "five"]);
}

#[test]
fn ways_to_open_the_key_in_the_vault_that_are_changed_at_once() {
    let (_place, ana) = Place::new();
    let quick = slowly(&ana, 63, "one", || ());
    let slow = slowly(&ana, 64, "two", move || drop(add(&quick, "one", true).unwrap()));
    add(&slow, "two", true).unwrap();
    assert_eq!(labels(&ana), ["first", "one", "two"]);
}

#[test]
fn a_key_file_that_is_gone_is_not_made_of_memory() {
    let (_place, ana) = Place::new();
    let key = key_files(&ana)[0].clone();
    let path = key.clone();
    let slow = slowly(&ana, 65, "two", move || fs::remove_file(path).unwrap());
    assert_eq!(add(&slow, "two", false).unwrap_err().code, Code::KeyNone);
    assert!(!Path::new(&key).exists());
}
