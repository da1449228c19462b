//! What is backed up and what is left out.

use std::fs;

use tests::tree::Tree;
use tests::world::World;
use tests::{look, need, tree};

use crate::world;

/// A tree for rules.
fn ruled() -> World {
    let world = world().ready();
    let top = Tree::at(world.path("docs"));
    top.file("a.o", "x").file("b.c", "x").file("IMG.JPG", "x").file("big", vec![7; 3 << 20]);
    top.dir("cache").file("CACHEDIR.TAG", "Signature: 8a477f597d28d172789f06886806bc55\n").file("junk", "x");
    top.dir("private").file(".nobackup", "").file("secret", "x");
    let sub = top.dir("sub");
    sub.file("a.o", "x").file("keep.o", "x").file("d.c", "x");
    drop(sub);
    drop(top.age());
    world
}

/// Names of the files that a run with these words takes.
fn taken(world: &World, words: &[&str]) -> Vec<String> {
    world.tuckbox(["backup", &world.arg("docs")]).and(words).ok();
    let rows = world.tuckbox(["ls", "-r", "--json", &world.arg("docs")]).ok().records("entry");
    let top = world.arg("docs/");
    let files = rows.iter().filter(|row| row["kind"] == "file").map(|row| row["path"].as_str().unwrap());
    files.map(|path| path.strip_prefix(&top).unwrap().to_owned()).collect()
}

#[test]
fn the_rules_that_people_know() {
    let world = ruled();
    let all = taken(&world, &[]);
    assert_eq!(all.len(), 11);
    let without = |words: &[&str]| {
        let taken = taken(&world, words);
        all.iter().filter(|name| !taken.contains(name)).cloned().collect::<Vec<_>>()
    };
    assert_eq!(without(&["--exclude", "*.o"]), ["a.o", "sub/a.o", "sub/keep.o"]);
    assert_eq!(without(&["--exclude", "*.o", "--exclude", "!keep.o"]), ["a.o", "sub/a.o"]);
    assert_eq!(without(&["--exclude", &world.arg("docs/a.o")]), ["a.o"]);
    assert_eq!(without(&["--exclude", "sub/**"]), ["sub/a.o", "sub/d.c", "sub/keep.o"]);
    assert_eq!(without(&["--iexclude", "*.jpg"]), ["IMG.JPG"]);
    assert_eq!(without(&["--exclude-caches"]), ["cache/junk"]);
    assert_eq!(without(&["--exclude-larger-than", "2M"]), ["big"]);
    let gone = without(&["--exclude-if-present", ".nobackup"]);
    assert!(gone.contains(&"private/secret".to_owned()), "{gone:?}");
    fs::write(world.path("rules"), "# objects\n*.o\n\n*.c\n").unwrap();
    assert_eq!(without(&["--exclude-file", &world.arg("rules")]).len(), 5);
}

#[test]
fn globs_regular_expressions_and_exact_paths_of_files_and_directories() {
    let world = ruled();
    let top = Tree::at(world.path("docs"));
    top.file("build", "x").file("[1]*", "x").file("1a", "x").dir("src").dir("build").file("out", "x");
    drop(top.age());
    let all = taken(&world, &[]);
    let without = |rules: &[&str]| {
        let words: Vec<&str> = rules.iter().flat_map(|rule| ["--exclude", rule]).collect();
        let taken = taken(&world, &words);
        all.iter().filter(|name| !taken.contains(name)).cloned().collect::<Vec<_>>()
    };
    assert_eq!(without(&["build"]), ["build", "src/build/out"]);
    assert_eq!(without(&["build/"]), ["src/build/out"]);
    assert_eq!(without(&["dir:build"]), ["src/build/out"]);
    assert_eq!(without(&["file:build"]), ["build"]);
    assert_eq!(without(&["re:/sub/[^/]*\\.[co]$"]), ["sub/a.o", "sub/d.c", "sub/keep.o"]);
    assert_eq!(without(&["re:/sub/[^/]*\\.[co]$", "!re:keep"]), ["sub/a.o", "sub/d.c"]);
    assert_eq!(without(&["dir:re:^/.*/src/b"]), ["src/build/out"]);
    assert_eq!(without(&[&format!("exact:{}", world.arg("docs/[1]*"))]), ["[1]*"]);
    // Nothing but these.
    assert_eq!(taken(&world, &["--exclude", "file:*", "--exclude", "!*.o"]), ["a.o", "sub/a.o", "sub/keep.o"]);
    let fails = |rule: &str| world.tuckbox(["backup", &world.arg("docs"), "--exclude", rule]).run().fails("usage", 2);
    assert!(fails("re:(").error().contains("unclosed group"));
    assert!(fails("re:\\pL{1000}{1000}").error().contains("size limit"));
    let many: String = (0..257).map(|n| format!("re:{n}\n")).collect();
    fs::write(world.path("rules"), many).unwrap();
    world.tuckbox(["backup", &world.arg("docs"), "--exclude-file", &world.arg("rules")]).run().fails("usage", 2);
}

#[test]
fn rules_for_all_sources_lists_and_the_line_of_what_decides() {
    let world = ruled();
    tree::small(world.path("code"));
    let config = world.home().join(".config/tuckbox/config.toml");
    let write = |text: &str| {
        let [docs, code] = ["docs", "code"].map(|name| world.arg(name));
        fs::write(&config, text.replace("DOCS", &docs).replace("CODE", &code).replace("TOP", &world.arg(""))).unwrap();
    };
    write(
        "exclude = [\n  'dir:nothing',\n  '${objects}',\n]\nexclude_larger_than = '2M'\n[vars]\nobjects = [\n  '*.c',\n  \
         '*.${ending}',\n]\nending = 'o'\n[[source]]\npath = 'DOCS'\nexclude = [\n  '!keep.o',\n  're:/private$']\n\
         [[source]]\npath = 'CODE'\nexclude_larger_than = '4M'\nexclude = '${objects}'\nexclude_file = 'TOPmore'\n",
    );
    fs::write(world.path("more"), "# all\n\nfile:*.txt\n").unwrap();
    fs::write(world.path("code/x.o"), "x").unwrap();
    world.tuckbox(["backup"]).ok();
    let names = |of: &str| {
        let rows = world.tuckbox(["ls", "-r", "--json", &world.arg(of)]).ok().records("entry");
        let top = format!("{}/", world.arg(of));
        let files = rows.iter().filter(|row| row["kind"] == "file");
        files.map(|row| row["path"].as_str().unwrap().replace(&top, "")).collect::<Vec<_>>()
    };
    assert_eq!(names("docs"), ["IMG.JPG", "cache/CACHEDIR.TAG", "cache/junk", "sub/keep.o"]);
    assert!(!names("code").iter().any(|name| name.ends_with(".txt") || name.ends_with(".o")), "{:?}", names("code"));
    let why = |path: &str| {
        let row = world.tuckbox(["why", "--json", &world.arg(path)]).ok().record("why");
        (row["included"] == true, row["rule"].as_str().unwrap_or_default().replace(&world.arg(""), ""))
    };
    let at = |line: u32| format!("({}:{line})", config.display()).replace(&world.arg(""), "");
    assert_eq!(why("docs/a.o"), (false, format!("`*.o` {}", at(9))));
    assert_eq!(why("docs/b.c"), (false, format!("`*.c` {}", at(8))));
    assert_eq!(why("docs/sub/keep.o"), (true, format!("`!keep.o` {}", at(15))));
    assert_eq!(why("docs/private/secret"), (false, format!("`re:/private$` {}", at(16))));
    assert_eq!(why("docs/big"), (false, format!("larger than 2097152 bytes {}", at(5))));
    assert_eq!(why("code/letter.txt"), (false, "`file:*.txt` (more:3)".to_owned()));
    assert_eq!(why("code/x.o"), (false, format!("`*.o` {}", at(9))));
    // A run names the same rule.
    let run = world.tuckbox(["backup", "-n", "-v", "--json"]).ok();
    let left_out = run.records("item").into_iter().find(|row| row["path"] == world.arg("docs/a.o")).unwrap();
    assert_eq!(left_out["reason"].as_str().unwrap().replace(&world.arg(""), ""), format!("`*.o` {}", at(9)));
    for wrong in
        ["[vars]\nx = ['a', 1]\n", "exclude = 'a${x}'\n[vars]\nx = ['a']\n", "account = '${x}'\n[vars]\nx = ['a']\n"]
    {
        write(wrong);
        world.tuckbox(["backup"]).run().fails("config.invalid", 2);
    }
}

#[test]
fn lists_of_paths_tags_and_dry_runs() {
    let world = ruled();
    fs::write(world.path("list"), format!("# two\n{}\n{}\n", world.arg("docs/sub"), world.arg("docs/b.c"))).unwrap();
    let call = |words: &[&str]| world.tuckbox(["backup", "--files-from", &world.arg("list"), "--json"]).and(words);
    let dry = call(&["-n", "-v"]).ok();
    assert!(dry.record("summary").get("version_id").is_none(), "{dry}");
    assert_eq!(world.tuckbox(["versions", "--json"]).ok().records("version").len(), 0);
    call(&["--tag", "daily", "--tag", "one"]).ok();
    call(&[]).ok();
    let tagged = world.tuckbox(["versions", "--tag", "daily", "--json"]).ok().records("version");
    assert_eq!(tagged.len(), 1);
    assert_eq!(tagged[0]["sources"].as_array().unwrap().len(), 2);
}

#[test]
fn standard_input_as_one_file() {
    let world = world().ready();
    let content = tree::Seeded::new(5).bytes(2_000_000);
    world.tuckbox(["backup", "--stdin", "--stdin-filename", "/dumps/db.sql"]).stdin(content.clone()).ok();
    assert!(world.tuckbox(["dump", "/dumps/db.sql"]).ok().stdout == content);
}

#[test]
fn the_configuration_names_sources_and_quiet_is_silent() {
    let world = world().ready();
    let (docs, code) = (tree::small(world.path("docs")), tree::small(world.path("code")));
    let config = world.home().join(".config/tuckbox/config.toml");
    let text = format!(
        "[[source]]\npath = \"{}\"\nexclude = [\"*.raw\"]\ntag = \"cron\"\n\n[[source]]\npath = \"{}\"\n",
        docs.path().display(),
        code.path().display()
    );
    fs::write(config, text).unwrap();
    world.tuckbox(["backup", "-q"]).ok().silent();
    let rows = world.tuckbox(["versions", "--json"]).ok().records("version");
    assert_eq!((rows.len(), rows[0]["sources"].as_array().unwrap().len()), (1, 2));
    assert_eq!(rows[0]["tags"][0], "cron");
    assert_eq!(rows[0]["files"], tree::SMALL_FILES * 2 - 2);
    // A backup of one of them takes over the root of the other.
    world.tuckbox(["backup", &world.arg("docs")]).ok();
    let rows = world.tuckbox(["versions", "--json"]).ok().records("version");
    assert_eq!(rows[1]["sources"].as_array().unwrap().len(), 2);
    world.restore_all("out");
    look::at(code.path()).same_as(&look::at(world.path("out").join(code.path().strip_prefix("/").unwrap())));
}

#[test]
fn one_file_system() {
    if !need::root() {
        return;
    }
    let world = world().ready();
    let docs = tree::Tree::at(world.path("docs"));
    docs.file("here", "x");
    drop(docs.dir("other"));
    let Some(_mounted) = need::mount_tmpfs(&world.path("docs/other"), "1m") else { return };
    fs::write(world.path("docs/other/there"), "x").unwrap();
    assert_eq!(taken(&world, &["-x"]), ["here"]);
    assert_eq!(taken(&world, &[]), ["here", "other/there"]);
}

#[test]
fn a_source_that_is_a_symlink() {
    let world = world().ready();
    tree::small(world.path("docs"));
    std::os::unix::fs::symlink("docs", world.path("link")).unwrap();
    world.tuckbox(["backup", &world.arg("link")]).ok().says("is a symbolic link");
    let kind = |path: &str| {
        let rows = world.tuckbox(["ls", "-d", "--json", &world.arg(path)]).ok().records("entry");
        rows[0]["kind"].as_str().unwrap().to_owned()
    };
    assert_eq!(kind("link"), "symlink");
    world.tuckbox(["backup", &world.arg("link/")]).ok();
    assert_eq!(kind("link"), "dir");
}

/// Three files of 2020, 2025 and the day before `now`.
fn aged() -> World {
    let world = world().ready();
    Tree::at(world.path("docs")).file("old", "1").file("middle", "22").file("young", "333");
    for (name, at) in [("old", 1_590_000_000), ("middle", 1_750_000_000), ("young", 1_796_040_000)] {
        touch(&world, name, at);
    }
    world
}

fn touch(world: &World, name: &str, at: u64) {
    let file = fs::File::options().write(true).open(world.path("docs").join(name)).unwrap();
    file.set_modified(std::time::UNIX_EPOCH + std::time::Duration::from_secs(at)).unwrap();
}

/// Names in the version of a backup at noon of 1 December 2026 with these words.
fn taken_then(world: &World, words: &[&str]) -> Vec<String> {
    let docs = world.arg("docs");
    world.tuckbox(["backup", &docs]).and(words).env("TUCKBOX_CLOCK", "2026-12-01T12:00:00Z").ok();
    let rows = world.tuckbox(["ls", "--json", &docs]).ok().records("entry");
    let paths = rows.iter().map(|row| row["path"].as_str().unwrap());
    paths.filter_map(|path| Some(path.strip_prefix(&docs)?.strip_prefix('/')?.to_owned())).collect()
}

#[test]
fn files_are_left_out_by_age() {
    let world = aged();
    for (words, expected) in [
        (["--min-age", "2d"], &["middle", "old"][..]),
        (["--max-age", "2d"], &["young"]),
        (["--newer-than", "2024-01-01"], &["middle", "young"]),
        (["--newer-than", "2 days ago"], &["young"]),
    ] {
        assert_eq!(taken_then(&aged(), &words), expected, "{words:?}");
    }
    assert_eq!(taken_then(&world, &[]), ["middle", "old", "young"]);
    world.tuckbox(["backup", &world.arg("docs"), "--min-age", "soon"]).run().fails("usage", 2);
    world.tuckbox(["backup", &world.arg("docs"), "--newer-than", "latest"]).run().fails("usage", 2);
}

#[test]
fn what_is_too_young_stays_and_what_becomes_too_old_goes() {
    let world = aged();
    assert_eq!(taken_then(&world, &[]).len(), 3);
    fs::write(world.path("docs/middle"), "written to just now").unwrap();
    touch(&world, "middle", 1_796_126_000);
    assert_eq!(taken_then(&world, &["--min-age", "1h"]).len(), 3);
    assert_eq!(world.tuckbox(["dump", &world.arg("docs/middle")]).ok().text(), "22");
    assert_eq!(taken_then(&world, &[]).len(), 3);
    assert_eq!(world.tuckbox(["dump", &world.arg("docs/middle")]).ok().text(), "written to just now");
    // All of it: no loss that the guard asks about.
    assert!(taken_then(&world, &["--max-age", "10s"]).is_empty());
}

#[test]
fn why_names_the_rule_of_age_and_its_line() {
    let world = aged();
    let config = world.home().join(".config/tuckbox/config.toml");
    let rules = "min_age = '2d'\nnewer_than = '${since}'\n";
    let text = format!("[vars]\nsince = '2024-01-01'\n[[source]]\npath = '{}'\n{rules}", world.arg("docs"));
    fs::write(&config, &text).unwrap();
    let why = |name: &str| {
        let path = world.arg(&format!("docs/{name}"));
        world.tuckbox(["why", &path]).env("TUCKBOX_CLOCK", "2026-12-01T12:00:00Z").ok().text().to_owned()
    };
    let place = |line| format!("({}:{line})", config.display());
    assert!(why("old").contains(&format!("not newer than `2024-01-01` {}", place(6))), "{}", why("old"));
    assert!(why("young").contains(&format!("younger than `2d` {}", place(5))), "{}", why("young"));
    assert!(why("middle").contains("no rule leaves it out"), "{}", why("middle"));
    assert_eq!(taken_then(&world, &[]), ["middle"]);
    let compared = world.tuckbox(["compare", &world.arg("docs")]).env("TUCKBOX_CLOCK", "2026-12-01T12:00:00Z").ok();
    assert!(!compared.text().contains("old"), "{compared}");
    fs::write(&config, text.replace("2024-01-01", "whenever")).unwrap();
    world.tuckbox(["backup"]).run().fails("config.invalid", 2);
}

/// A source that lies inside of another one was backed up by itself before that, and is a part of it from then on.
#[test]
fn what_was_backed_up_by_itself_once_hides_nothing_later() {
    let world = world().ready();
    let docs = world.dir("docs/2026").parent().unwrap().to_owned();
    fs::write(docs.join("2026/1.jpg"), "a").unwrap();
    world.tuckbox(["backup", &world.arg("docs/2026/1.jpg")]).ok();
    world.tuckbox(["backup", &world.arg("docs/2026")]).ok();
    let said = world.tuckbox(["backup", &world.arg("docs")]).ok();
    assert!(said.err().contains("docs/2026 is now stored as a part of"), "{said}");
    fs::write(docs.join("2026/1.jpg"), "edited").unwrap();
    fs::write(docs.join("2026/2.jpg"), "b").unwrap();
    world.tuckbox(["backup", &world.arg("docs")]).ok();
    assert_eq!(world.tuckbox(["dump", &world.arg("docs/2026/1.jpg")]).ok().text(), "edited");
    let whole = look::at(&docs);
    fs::remove_dir_all(&docs).unwrap();
    world.tuckbox(["restore", "--yes", &world.arg("docs")]).ok();
    look::at(&docs).same_as(&whole);
}

/// A source of the configuration keeps its own rules inside of another one, and is as new as that.
#[test]
fn a_configured_source_inside_of_what_is_named_goes_along() {
    let world = ruled();
    let table = |name: &str, more: &str| format!("[[source]]\npath = '{}'\n{more}\n", world.arg(name));
    let config = world.home().join(".config/tuckbox/config.toml");
    fs::write(&config, table("docs", "exclude = ['big']") + &table("docs/sub", "exclude = ['d.c']")).unwrap();
    world.tuckbox(["backup"]).ok();
    fs::write(world.path("docs/sub/a.o"), "another").unwrap();
    assert!(!taken(&world, &[]).iter().any(|name| ["sub/d.c", "big"].contains(&name.as_str())));
    assert_eq!(world.tuckbox(["dump", &world.arg("docs/sub/a.o")]).ok().text(), "another");
    // One that the outer one leaves out is none of its business.
    fs::write(&config, table("docs", "exclude = ['sub']") + &table("docs/sub", "")).unwrap();
    fs::write(world.path("docs/sub/a.o"), "a third").unwrap();
    taken(&world, &[]);
    assert_eq!(world.tuckbox(["dump", &world.arg("docs/sub/a.o")]).ok().text(), "another");
}

/// The vault in use, its volumes, the cache and the state are no data of a person's, wherever they lie.
#[test]
fn what_the_program_keeps_itself_is_not_backed_up() {
    let world = world();
    let world = world.with_vault(world.default_vault().to_str().unwrap());
    world.tuckbox(["init"]).ok();
    fs::write(world.home().join("letter"), "dear all").unwrap();
    let names = || {
        world.tuckbox(["backup", world.home().to_str().unwrap()]).ok();
        let rows = world.tuckbox(["ls", "-r", "--json", world.home().to_str().unwrap()]).ok().records("entry");
        let path = |row: &serde_json::Value| row["path"].as_str().unwrap().replace(world.home().to_str().unwrap(), "");
        rows.iter().map(path).collect::<Vec<_>>()
    };
    let first = names();
    world.tuckbox(["volume", "add", world.home().join("second").to_str().unwrap()]).ok();
    // Another vault is somebody's data.
    world.with_vault(world.home().join("other").to_str().unwrap()).tuckbox(["init", "--account", "bob"]).ok();
    let all = names();
    for of in [".local/share/tuckbox/vault", ".local/state/tuckbox", ".cache/tuckbox", "second"] {
        let has = |names: &[String], more: &str| names.contains(&format!("/{of}{more}"));
        assert!(has(&all, "") || !world.home().join(of).exists(), "{of}: {all:?}");
        let inside = format!("/{of}/");
        assert!(!all.iter().chain(&first).any(|path| path.starts_with(&inside)), "{of}: {all:?}");
    }
    for there in ["/letter", "/other/vault.json", "/.config/tuckbox"] {
        assert!(all.iter().any(|path| path == there), "{there}: {all:?}");
    }
    // The same by another address: the server's own machine.
    let vault = world.default_vault();
    let behind = world.with_vault(format!("cmd:tuckbox serve --stdio --vault {}", vault.display()));
    behind.tuckbox(["backup", world.home().to_str().unwrap()]).ok();
    assert!(!world.tuckbox(["ls", "-r", world.home().to_str().unwrap()]).ok().text().contains("tuckbox/vault/domains"));
}

/// Rules say of what lies below a source: not of its own name, and not of what is above it.
#[test]
fn a_rule_means_the_same_to_every_verb() {
    let world = world().ready();
    // The source lies below a directory `tmp`, and is called as one in it.
    let top = Tree::at(world.path("tmp/src"));
    top.file("f", "x").file("keep.o", "x").dir("tmp").file("g", "x");
    top.dir("sub").file("f", "x").dir("src").file("h", "x");
    drop(top.age());
    let src = world.arg("tmp/src");
    let all = ["f", "keep.o", "sub/f", "sub/src/h", "tmp/g"];
    let anchored = format!("{src}/sub");
    let above = format!("re:^{}", world.arg("tmp/"));
    let table: &[(&[&str], &[&str])] = &[
        (&["tmp"], &["tmp/g"]),
        (&["src"], &["sub/src/h"]),
        (&["tmp/src"], &[]),
        (&["src/sub"], &["sub/f", "sub/src/h"]),
        (&["**/tmp/**"], &all),
        (&["tmp/"], &["tmp/g"]),
        (&["exact:tmp"], &["tmp/g"]),
        (&[&anchored], &["sub/f", "sub/src/h"]),
        (&[&src], &[]),
        (&[&above], &all),
        (&["re:/tmp$"], &["tmp/g"]),
        (&["file:tmp"], &[]),
        (&["*", "!f"], &["keep.o", "sub/f", "sub/src/h", "tmp/g"]),
        (&["tmp", "!src"], &["tmp/g"]),
    ];
    let below = |rows: Vec<serde_json::Value>, top: &str| -> Vec<String> {
        let files = rows.iter().filter(|row| row["kind"] == "file");
        files.map(|row| row["path"].as_str().unwrap().replace(&format!("{top}/"), "")).collect()
    };
    for (rules, left_out) in table {
        for more in [&[][..], &["!none"]] {
            let words: Vec<&str> = rules.iter().chain(more).flat_map(|rule| ["--exclude", rule]).collect();
            let expected: Vec<&str> = all.iter().copied().filter(|name| !left_out.contains(name)).collect();
            world.tuckbox(["backup", "--accept-deletions", &src]).and(&words).ok();
            let stored = below(world.tuckbox(["ls", "-r", "--json", &src]).ok().records("entry"), &src);
            assert_eq!(stored, expected, "backup {words:?}");
            for name in all {
                let why = world.tuckbox(["why", "--json", "--source", &src, &format!("{src}/{name}")]).and(&words);
                let taken = why.ok().record("why")["included"] == true;
                assert_eq!(taken, expected.contains(&name), "why {words:?} {name}");
            }
            world.tuckbox(["compare", &src]).and(&words).ok();
        }
    }
    world.tuckbox(["backup", &src]).ok();
    let restored = |words: &[&str]| -> Vec<String> {
        let to = tempfile::tempdir_in(world.path("")).unwrap();
        world.tuckbox(["restore", &src, "--to", to.path().to_str().unwrap()]).and(words).ok();
        let top = to.path().join("src");
        let files = tests::subject::files_below(&top);
        let mut names: Vec<String> =
            files.iter().map(|file| file.strip_prefix(&top).unwrap().to_str().unwrap().to_owned()).collect();
        names.sort();
        names
    };
    let plain = |rule: &&str| !rule.contains(':') && !rule.ends_with('/') && **rule != src;
    for (rules, left_out) in table {
        let [rule] = rules else { continue };
        if plain(rule) {
            let expected: Vec<&str> = all.iter().copied().filter(|name| !left_out.contains(name)).collect();
            assert_eq!(restored(&["-e", rule]), expected, "restore -e {rule}");
            assert_eq!(restored(&["-i", rule]), *left_out, "restore -i {rule}");
        }
    }
    // A path names what it names, also a source.
    assert_eq!(restored(&["-i", &src]), all);
    assert_eq!(restored(&["-e", &src]), [""; 0]);
}

/// The rules for all sources, too, and for a source that only the command line names.
#[test]
fn what_is_above_a_source_leaves_out_nothing_of_it() {
    let world = world().ready();
    let config = world.home().join(".config/tuckbox/config.toml");
    fs::write(config, "exclude = ['tmp', '!none']\n").unwrap();
    let top = Tree::at(world.path("tmp/src"));
    top.file("f", "x").dir("tmp").file("g", "x");
    drop(top.age());
    let src = world.arg("tmp/src");
    world.tuckbox(["backup", &src]).ok();
    fs::write(world.path("tmp/src/new"), "x").unwrap();
    let rows = world.tuckbox(["compare", "--json", &src]).run().exits(4).records("compare");
    assert!(rows.iter().any(|row| row["path"] == format!("{src}/new")), "{rows:?}");
    assert!(rows.iter().all(|row| row["path"] != format!("{src}/tmp")), "{rows:?}");
    world.tuckbox(["restore", &src, "--delete", "--yes"]).ok();
    assert!(!world.path("tmp/src/new").exists() && world.path("tmp/src/tmp/g").exists());
}
