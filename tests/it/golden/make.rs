//! Makes the golden vault of format 1. It was made once and is never made again: a program that cannot open it is wrong.
//! This stands here so that everybody sees what is in it and how the vault of a later format is made.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::FileType;
use rustix::process::Signal;
use tests::look::{self, Listing};
use tests::subject::{files_below, flip};
use tests::tree::{Seeded, Tree};
use tests::wait::until;
use tests::world::World;

use super::listing::Listings;
use super::{HOST, PASSPHRASE, SOURCES, restored, version_ids};
use crate::world;

/// Where the sources lay: paths are part of a version, and this one says nothing about the machine.
const PLACE: &str = "/tmp/tuckbox-golden";
const SOON: Duration = Duration::from_secs(60);
const GIB: u64 = 1 << 30;

/// Two machines that back up into one account, and what each version is to hold.
struct Making {
    first: World,
    second: World,
    /// Sources as the next version has them.
    now: BTreeMap<&'static str, Listing>,
    listings: Listings,
    chance: Seeded,
}

/// Does something only when it is asked to: with `TUCKBOX_PIN=1` in the environment, and where no golden vault is yet.
#[test]
fn make_the_golden_vault() {
    let out = super::golden("v1");
    if std::env::var_os("TUCKBOX_PIN").is_none() || out.exists() {
        return;
    }
    assert!(tests::need::is_root(), "owners and devices belong into it: make it as root");
    fs::remove_dir_all(PLACE).unwrap_or_default();
    let disk = world();
    let first = disk.machine(HOST).with_vault(disk.arg("vault"));
    let second = disk.machine("second.example").with_vault(disk.arg("vault"));
    let (now, listings) = (BTreeMap::new(), Listings::default());
    let mut making = Making { first, second, now, listings, chance: Seeded::new(1) };
    making.history();

    making.verify();
    fs::create_dir_all(&out).unwrap();
    let world = &making.first;
    fs::write(out.join("words"), world.words() + "\n").unwrap();
    fs::write(out.join("listing"), making.listings.print()).unwrap();
    making.export_keys(&out);
    making.unfinished_session();
    let world = &making.first;
    for file in files_below(&world.vault()) {
        // The catalog is left out: it can always be made again.
        if !file.file_name().unwrap().to_string_lossy().starts_with("catalog") {
            let to = out.join("vault").join(file.strip_prefix(world.vault()).unwrap());
            fs::create_dir_all(to.parent().unwrap()).unwrap();
            fs::write(to, fs::read(&file).unwrap()).unwrap();
        }
    }
    fs::remove_dir_all(PLACE).unwrap();
    let python = crate::decoder::python().expect("the decoder's Python, which tests/run makes");
    let structures = super::census(world, &python, &out.join("vault"));
    // Where a directory is cut, and which pack a group goes into, is a matter of chance and time: make it again then.
    for wanted in ["node: directory index\n", "pack: nodes\n"] {
        assert!(structures.contains(wanted), "without {wanted}");
    }
    fs::write(out.join("structures"), structures).unwrap();
    panic!("made; its hash is {}", super::hash_of(&out));
}

impl Making {
    /// All versions, one after the other.
    fn history(&mut self) {
        fs::write(self.first.path("passphrase"), PASSPHRASE).unwrap();
        let passphrase = self.first.arg("passphrase");
        self.first.tuckbox(["init", "--account", "golden"]).ok();
        self.first.tuckbox(["key", "add", "--in-vault", "--label", "in the vault"]).and(given(&passphrase)).ok();
        self.first.tuckbox(["key", "add", "--label", "on paper"]).and(given(&passphrase)).ok();

        self.home();
        self.backup(&["home"], &["--tag", "first", "--tag", "täg"], 0);
        self.changes();
        self.backup(&["home"], &[], 0);

        // What comes from here on is sealed with the second key.
        self.first.tuckbox(["key", "rotate"]).ok();
        self.mail();
        self.backup(&["home", "mail"], &["--tag", "second key"], 0);

        self.second_device();
        self.partial();
        self.backup(&["disk"], &[], 0);
        fs::remove_dir_all(place("disk")).unwrap();
        self.backup(&["disk"], &[], 12);

        self.deletion();
        self.damage();
    }

    /// A version of these sources, which is to hold what they are now.
    fn backup(&mut self, sources: &[&'static str], words: &[&str], exit: i32) {
        let paths = sources.iter().map(|source| place(source));
        let call = self.first.tuckbox(["backup", "--host", HOST]).and(paths.clone()).and(words);
        call.run().exits(exit);
        for (source, path) in sources.iter().zip(paths).filter(|(_, path)| path.exists()) {
            self.now.insert(source, look::at(path));
        }
        self.record();
    }

    /// The newest version holds all sources as they are in `now`.
    fn record(&mut self) {
        let (sequence, _) = version_ids(&self.first).pop_last().unwrap();
        let all = self.now.iter().flat_map(|(source, listing)| super::under(source, listing).0).collect();
        self.listings.0.insert(sequence, Listing(all).without(|item| item.hole_bytes = 0));
    }

    /// The first source: one of every kind, and content of every form.
    fn home(&mut self) {
        let tree = Tree::at(place("home"));
        kinds(&tree, &mut self.chance);
        attributes(&tree);
        content(&tree, &mut self.chance);
        let crowd = tree.dir("crowd");
        for number in 0..700 {
            crowd.file(format!("{number:03}"), format!("{}", number % 7));
        }
        drop(tree.age());
        let times = Tree::at(place("home")).dir("times");
        times.file("before 1970", "x").mtime("before 1970", -86_400 * 365, 999_999_999);
        times.file("far", "x").mtime("far", 4_000_000_000, 5);
        let flagged = self.first.command("chattr", ["+d"]).and([place("home").join("attributes/file")]);
        flagged.ok();
    }

    /// What a person does in a day.
    fn changes(&mut self) {
        let home = Tree::at(place("home"));
        home.file("new", self.chance.text(70_000)).symlink("new link", "new");
        fs::remove_file(place("home").join("kinds/regular")).unwrap();
        fs::write(place("home").join("crowd/300"), "changed").unwrap();
        Tree::at(place("home").join("crowd")).file("zzz", "one more");
        let text = fs::read(place("home").join("content/text")).unwrap();
        fs::write(place("home").join("content/text"), [&text[..300_000], b"inserted", &text[300_000..]].concat())
            .unwrap();
        flip(&place("home").join("content/database"), 16_384 * 9 + 77);
    }

    fn mail(&mut self) {
        let mail = Tree::at(place("mail"));
        let inbox = mail.dir("inbox");
        for number in 0..20 {
            let length = usize::try_from(self.chance.below(3_000)).unwrap();
            inbox.file(format!("{number}.eml"), self.chance.text(length));
        }
        drop(inbox);
        drop(mail.age());
        Tree::at(place("home")).file("sealed with the second key", self.chance.text(20_000));
    }

    /// A machine that has nothing but the words goes on with one of the sources.
    fn second_device(&mut self) {
        fs::write(self.first.path("words"), self.first.words()).unwrap();
        self.second.tuckbox(["key", "recover", "--words-file", &self.first.arg("words")]).ok();
        Tree::at(place("mail")).file("from the second device", self.chance.text(5_000));
        let call = self.second.tuckbox(["backup", "--host", HOST, "--tag", "second device"]);
        call.and([place("mail")]).ok();
        self.now.insert("mail", look::at(place("mail")));
        self.record();
    }

    /// A run that is interrupted while it reads a large file, and what it had done by then.
    fn partial(&mut self) {
        let disk = Tree::at(place("disk"));
        disk.dir("a").file("done", self.chance.text(3_000)).file("done, too", "short");
        let large = place("disk").join("z");
        fs::write(&large, vec![0; 800 << 20]).unwrap();
        let call = self.first.tuckbox(["backup", "--host", HOST]).and([place("disk")]).start();
        let open = PathBuf::from(format!("/proc/{}/fd", call.pid()));
        until(SOON, "the large file to be read", || {
            let files = fs::read_dir(&open).into_iter().flatten().flatten();
            files.filter_map(|fd| fs::read_link(fd.path()).ok()).any(|file| file == large)
        });
        assert!(!call.ends_within(Duration::from_millis(300)));
        call.signal(Signal::INT);
        call.wait().exits(130);
        fs::remove_file(&large).unwrap();

        let (sequence, id) = version_ids(&self.first).pop_last().unwrap();
        let listing = restored(&self.first, &id, &self.first.path("partial"));
        assert!(listing.0.keys().any(|path| path.ends_with(b"disk/a/done")), "{listing:?}");
        self.listings.0.insert(sequence, listing);
    }

    /// A directory of many files goes: kept and marked as missing at first, then gone.
    fn deletion(&mut self) {
        let before = self.now["home"].clone();
        fs::remove_dir_all(place("home").join("crowd")).unwrap();
        self.backup(&["home"], &[], 12);
        let kept = before.0.into_iter().filter(|(path, _)| path.starts_with(b"crowd"));
        self.now.get_mut("home").unwrap().0.extend(kept);
        self.record();
        self.backup(&["home"], &["--accept-deletions"], 0);
    }

    /// A record is damaged, found, and sent again by the next backup.
    fn damage(&mut self) {
        let before = files_below(&self.first.vault());
        Tree::at(place("mail")).file("to be damaged", self.chance.text(9_000));
        self.backup(&["mail"], &[], 0);
        let mut packs = files_below(&self.first.vault());
        packs.retain(|file| file.extension().is_some_and(|e| e == "pack") && !before.contains(file));
        let bytes = fs::read(&packs[0]).unwrap();
        let at = bytes.windows(6).position(|window| window == b"TBXR\x01\x01").expect("a box");
        flip(&packs[0], at as u64 + 128 + 500);
        self.first.tuckbox(["check", "--read-data"]).run().exits(10);
        fs::write(place("mail").join("healed"), "short").unwrap();
        self.backup(&["mail"], &[], 0);
        self.first.tuckbox(["check", "--full"]).ok();
    }

    /// A key file without a passphrase, and one with.
    fn export_keys(&self, out: &Path) {
        let export = |name: &str| self.first.tuckbox(["key", "export", "-o"]).and([out.join(name)]);
        export("open.key").ok();
        let slots = self.first.tuckbox(["key", "list", "--json"]).ok().records("slot");
        let open = slots.iter().find(|slot| slot["label"] == "first").unwrap();
        self.first.tuckbox(["key", "remove", open["slot"].as_str().unwrap()]).ok();
        export("passphrase.key").ok();
    }

    /// Each version comes back as it is to be.
    fn verify(&self) {
        let ids = version_ids(&self.first);
        assert!(ids.keys().eq(self.listings.0.keys()), "{ids:?}");
        for (sequence, listing) in &self.listings.0 {
            let to = self.first.path(format!("verify-{sequence}"));
            listing.same_as(&restored(&self.first, &ids[sequence], &to));
        }
    }

    /// A run that was killed: its session stays behind, with a record in an unfinished pack.
    fn unfinished_session(&mut self) {
        let serve = format!("cmd:exec tuckbox serve --stdio --vault {}", self.second.arg("vault"));
        let words = ["backup", "--host", HOST, "--stdin", "--stdin-filename", "/stream"];
        let mut call = self.second.with_vault(serve).tuckbox(words).held().start();
        let text: String = (0..15_000).map(|number| format!("{number:-<200}\n")).collect();
        call.write(text.as_bytes());
        let staged = |ending: &str| {
            let mut files = files_below(&self.second.vault()).into_iter();
            files.find(|file| file.extension().is_some_and(|e| e == ending))
        };
        until(SOON, "a pack in staging", || staged("part").is_some());
        call.kill().exits(137);
        until(SOON, "a record in it", || staged("side").is_some_and(|side| fs::metadata(side).unwrap().len() > 0));
    }
}

fn place(below: &str) -> PathBuf {
    assert!(SOURCES.contains(&below), "{below}");
    Path::new(PLACE).join(below)
}

fn given(file: &str) -> [&str; 2] {
    ["--new-password-file", file]
}

fn kinds(tree: &Tree, chance: &mut Seeded) {
    let kinds = tree.dir("kinds");
    kinds.file("regular", "content\n").file("empty", "").fifo("fifo").socket("socket");
    kinds.symlink("link", "regular").symlink("dangling", "/nowhere/at all").symlink("raw link", b"a\xff\n\x1b[2Jb");
    drop([kinds.dir("empty directory"), kinds.dir("another one")]);
    kinds.device("null", FileType::CharacterDevice, 1, 3).device("loop", FileType::BlockDevice, 7, 200);
    kinds.device("big numbers", FileType::CharacterDevice, 4_000, 1_000_000);

    let names = tree.dir("names");
    for name in [&b"new\nline"[..], b"escape\x1b[31m", b"\xff\xfe invalid \xc3", b"-rf", b" ", b"*?[a]\\", b"100%"] {
        names.file(name, name);
    }
    names.file("combining e\u{301}", "").file("\u{202e}bidi", "").file([b'n'; 255], "255 bytes");
    drop(names.dir(b"dir\n\xff"));

    let links = tree.dir("links");
    let (one, two) = (links.dir("one"), links.dir("two"));
    one.file("a", chance.bytes(10_000)).hard_link("b", &one, "a");
    two.hard_link("c", &one, "a").symlink("s", "x").hard_link("t", &two, "s");
}

fn attributes(tree: &Tree) {
    let modes = tree.dir("modes");
    for mode in [0o000, 0o400, 0o644, 0o777, 0o1777, 0o2755, 0o4755] {
        modes.file(format!("{mode:04o}"), "x").mode(&format!("{mode:04o}"), mode);
    }
    let owners = tree.dir("owners");
    owners.file("by number", "x").owner("by number", 54_321, 54_322).symlink("link", "x").owner("link", 1, 2);
    owners.file("by name", "x").owner("by name", 1, 1);

    let attributes = tree.dir("attributes");
    attributes.file("file", "x").xattr("file", "user.note", b"hello").xattr("file", "user.empty", b"");
    attributes.xattr("file", "user.raw", b"\x00\xff\n");
    drop(attributes.dir("dir"));
    attributes.file("acl", "x").acl("acl", 12_345, 4, false);
    attributes.acl("dir", 12_345, 7, false).acl("dir", 12_345, 5, true);
    attributes.file("capable", "x").xattr("capable", "security.capability", &tests::tree::capability());
    attributes.symlink("link", "x").xattr("link", "trusted.of_a_link", b"1");
}

/// Every form of content and every cut class; large ones are mostly holes.
fn content(tree: &Tree, chance: &mut Seeded) {
    let content = tree.dir("content");
    for size in [1, 48, 49, 4_096] {
        content.file(format!("{size:04}"), chance.bytes(size));
    }
    content.file("text", chance.text(600_000)).file("zeros", vec![0; 300_000]);
    content.sparse("all hole", 3 << 20, &[]).sparse("island", 8 << 20, &[(1 << 20, &[1; 70_000])]);

    // Incompressible, for boxes of their own, and large enough for packs of each kind.
    let noise = content.dir("0 noise");
    noise.file("raw", chance.bytes(760_000));
    let spot = chance.bytes(270_000);
    let spots = [1, 2, 3].map(|quarter| (GIB / 2 * quarter, spot.as_slice()));
    noise.sparse("incompressible", 2 * GIB, &spots);

    // Pieces of 16 KiB: 100 of them, 10 of zeros, and an index over two pages of pieces.
    let page = |number: u64| [number.to_le_bytes().as_slice(), b"page "].concat().repeat(1_261)[..16_384].to_vec();
    let mut database: Vec<u8> = (0..100).flat_map(page).collect();
    database[..16].copy_from_slice(b"SQLite format 3\0");
    database.extend(vec![0; 10 * 16_384]);
    let (far, pages) = (20 << 20, (100..150).flat_map(page).collect::<Vec<_>>());
    content.sparse("database", 30 << 20, &[(0, &database), (far, &pages)]);
    content.sparse("5 GiB.img", 5 * GIB, &[(0, &page(1_000)), (GIB, &page(1_001).repeat(2)), (4 * GIB, &page(1_002))]);
    content.sparse("65 GiB.img", 65 * GIB, &[(0, &page(2_000)), (64 * GIB, &page(2_001).repeat(8))]);
}
