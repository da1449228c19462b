//! The walls of the house, held by reading its plans: who may know whom, what is never said, what is listed.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use tests::subject::files_below;

/// The product's packages in the order of their line: each may use those before it, and nothing else of ours.
const LINE: [(&str, &[&str]); 4] =
    [("store", &[]), ("transport", &["store"]), ("agent", &["store", "transport"]), ("tui", &["agent"])];

/// Longest file, in lines.
const LINES_MAX: usize = 600;
/// Longest file of tests.
const TEST_LINES_MAX: usize = 800;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// Rust sources below a path of the workspace.
fn sources(below: &str) -> Vec<PathBuf> {
    let files = files_below(&root().join(below)).into_iter();
    files
        .filter(|file| file.extension().is_some_and(|e| e == "rs") && !file.starts_with(root().join("target")))
        .collect()
}

/// All Rust sources of the workspace.
fn all_sources() -> Vec<PathBuf> {
    ["store", "transport", "agent", "tui", "tests"].into_iter().flat_map(sources).collect()
}

fn is_test(file: &Path) -> bool {
    let below = file.strip_prefix(root()).unwrap();
    below.starts_with("tests") || below.iter().any(|part| part == "tests" || part == "tests.rs" || part == "suite.rs")
}

fn shown(file: &Path) -> String {
    file.strip_prefix(root()).unwrap().display().to_string()
}

/// The program's own code: without comments, and without the tests at the end of a file.
fn code(file: &Path) -> String {
    let text = fs::read_to_string(file).unwrap();
    let text = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
    let lines = text.lines().map(|line| line.find("//").map_or(line, |at| &line[..at]));
    lines.collect::<Vec<_>>().join("\n")
}

/// Whether code names a module or crate: the word itself, with `::` before or after it.
fn names(code: &str, word: &str) -> bool {
    let inside = |c: char| c.is_alphanumeric() || c == '_';
    code.match_indices(word).any(|(at, _)| {
        let (before, after) = (&code[..at], &code[at + word.len()..]);
        let alone = !before.ends_with(inside) && !after.starts_with(inside);
        alone && (after.starts_with("::") || before.ends_with("::") || before.trim_end().ends_with("::{"))
    })
}

/// Each of these places never names these words.
fn never(places: &[&str], words: &[&str]) {
    for place in places {
        let files = sources(place);
        assert!(!files.is_empty(), "{place} is not where it was");
        for file in files.into_iter().filter(|file| !is_test(file)) {
            let code = code(&file);
            for word in words {
                assert!(!names(&code, word), "{} names `{word}`", shown(&file));
            }
        }
    }
}

fn manifest(package: &str) -> toml::Table {
    fs::read_to_string(root().join(package).join("Cargo.toml")).unwrap().parse().unwrap()
}

#[test]
fn one_line_of_dependency() {
    let ours: BTreeSet<&str> = LINE.iter().map(|(name, _)| *name).collect();
    for (package, allowed) in LINE {
        let manifest = manifest(package);
        for section in ["dependencies", "build-dependencies"] {
            let Some(toml::Value::Table(used)) = manifest.get(section) else { continue };
            for name in used.keys().filter(|name| ours.contains(name.as_str()) || name.starts_with("tuckbox")) {
                assert!(allowed.contains(&name.as_str()), "{package} uses {name}");
            }
        }
        assert_eq!(manifest["lints"]["workspace"].as_bool(), Some(true), "{package} does not take the lints");
    }
}

#[test]
fn nobody_knows_what_is_not_theirs() {
    for (package, others) in [
        ("store", &["tokio", "russh", "clap"][..]),
        // What it has of `ring` hashes host names in known_hosts.
        ("transport", &["rusqlite", "chacha20", "argon2", "ed25519-dalek", "bip39", "clap"]),
        ("tui", &["tokio", "russh", "rusqlite", "ring", "chacha20", "blake3", "store", "transport"]),
    ] {
        let manifest = manifest(package);
        let used = manifest["dependencies"].as_table().unwrap();
        for other in others {
            assert!(!used.contains_key(*other), "{package} uses {other}");
        }
    }
    never(&["store/src"], &["tokio", "russh", "async"]);
    never(&["transport/src"], &["rusqlite", "seal", "catalog", "vault"]);
    never(&["agent/src"], &["tui"]);
    never(&["tui/src"], &["russh", "rusqlite", "seal"]);
    // The server never holds a key.
    never(&["store/src/pack", "store/src/catalog", "store/src/vault", "agent/src/serve"], &["seal"]);
}

#[test]
fn transport_knows_ids_limits_and_the_clock_of_store_and_nothing_else() {
    for file in sources("transport/src").into_iter().filter(|file| !is_test(file)) {
        let code = code(&file);
        for (at, _) in code.match_indices("store::") {
            let name: String = code[at + 7..].chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
            assert!(["id", "limits", "door"].contains(&name.as_str()), "{} names store::{name}", shown(&file));
        }
    }
}

#[test]
fn the_engine_does_not_print() {
    let prints = ["println!", "eprintln!", "print!", "eprint!"];
    for file in ["store/src", "transport/src", "agent/src/engine", "agent/src/serve"].into_iter().flat_map(sources) {
        let code = code(&file);
        assert!(is_test(&file) || !prints.iter().any(|print| code.contains(print)), "{} prints", shown(&file));
    }
}

#[test]
fn no_file_is_a_maze() {
    let lines = |file: &PathBuf| fs::read_to_string(file).unwrap().lines().count();
    let long =
        all_sources().into_iter().filter(|file| lines(file) > if is_test(file) { TEST_LINES_MAX } else { LINES_MAX });
    let long: Vec<_> = long.map(|file| format!("{}: {}", shown(&file), lines(&file))).collect();
    assert!(long.is_empty(), "too long: {long:?}");
}

#[test]
fn nothing_is_left_for_later() {
    let words = [
        concat!("to", "do!("),
        concat!("unimple", "mented!("),
        concat!("#[ign", "ore"),
        concat!("dbg", "!("),
        concat!("FIX", "ME"),
    ];
    for file in all_sources() {
        let text = fs::read_to_string(&file).unwrap();
        let found: Vec<_> = words.iter().filter(|word| text.contains(**word)).collect();
        assert!(found.is_empty(), "{} has {found:?}", shown(&file));
    }
}

/// Files that a crate or test binary reaches from its first file by its `mod` lines.
fn reached(first: &Path) -> BTreeSet<PathBuf> {
    let mut reached = BTreeSet::new();
    let mut open = vec![first.to_owned()];
    while let Some(file) = open.pop() {
        if !reached.insert(file.clone()) {
            continue;
        }
        let stem = file.file_stem().unwrap().to_string_lossy().into_owned();
        let dir = file.parent().unwrap();
        let dir = if ["lib", "main", "mod"].contains(&stem.as_str()) || file == first {
            dir.to_owned()
        } else {
            dir.join(stem)
        };
        let text = fs::read_to_string(&file).unwrap();
        let mut path = None;
        for line in text.lines().map(str::trim) {
            if let Some(given) = line.strip_prefix("#[path = \"").and_then(|rest| rest.strip_suffix("\"]")) {
                path = Some(given.to_owned());
            }
            let Some(name) = line.strip_suffix(';').and_then(|line| line.rsplit_once("mod ")) else { continue };
            let (visibility, name) = name;
            if !(visibility.is_empty() || visibility.starts_with("pub")) {
                continue;
            }
            open.push(match path.take() {
                Some(given) => file.parent().unwrap().join(given).canonicalize().unwrap(),
                None => [dir.join(format!("{name}.rs")), dir.join(name).join("mod.rs")]
                    .into_iter()
                    .find(|file| file.is_file())
                    .unwrap_or_else(|| panic!("{} declares `{name}`, which is nowhere", shown(&file))),
            });
        }
    }
    reached
}

#[test]
fn no_file_is_forgotten() {
    let firsts = [
        ("store/src", "lib.rs"),
        ("transport/src", "lib.rs"),
        ("agent/src", "lib.rs"),
        ("tui/src", "main.rs"),
        ("tests/harness", "lib.rs"),
        ("tests/it", "main.rs"),
    ];
    for (dir, first) in firsts {
        let mut reached = reached(&root().join(dir).join(first));
        let library = root().join(dir).join("lib.rs");
        if first == "main.rs" && library.is_file() {
            reached.extend(self::reached(&library));
        }
        let lost: Vec<_> =
            sources(dir).into_iter().filter(|file| !reached.contains(file)).map(|file| shown(&file)).collect();
        assert!(lost.is_empty(), "no `mod` line leads to {lost:?}");
    }
}

#[test]
fn the_limits_of_the_format_are_those_of_the_code() {
    use store::limits;
    let format = fs::read_to_string(root().join("store/FORMAT.md")).unwrap();
    let table = format.split("| limit | value |").nth(1).expect("the table of limits");
    let rows = table.lines().skip(2).take_while(|line| line.starts_with('|')).map(|line| {
        let cells: Vec<_> = line.split('|').map(str::trim).collect();
        (cells[1].to_owned(), size(cells[2]))
    });
    let rows: BTreeMap<_, _> = rows.collect();
    let expected = [
        ("chunk", limits::CHUNK_BYTES_MAX),
        ("body of a box, decoded", limits::BOX_BYTES_MAX),
        ("body of a group, decoded", limits::GROUP_BYTES_MAX),
        ("clear part", limits::CLEAR_BYTES_MAX),
        ("sealed part", limits::SEALED_BYTES_MAX),
        ("items", limits::ITEMS_MAX),
    ];
    assert_eq!(rows, expected.map(|(name, value)| (name.to_owned(), value)).into_iter().collect());
    for (words, value) in [
        ("single components: 1 to {} bytes", limits::NAME_BYTES_MAX),
        ("content in line | 1 to {} bytes", limits::INLINE_BYTES_MAX),
        ("A directory of at most {} entries", limits::PAGE_WHOLE_MAX),
        ("up to {} pieces are form 3", limits::PIECES_INLINE_MAX),
    ] {
        assert!(
            format.contains(&words.replace("{}", &value.to_string())),
            "FORMAT.md does not say `{words}` with {value}"
        );
    }
}

/// `4 MiB`, `65,536`.
fn size(text: &str) -> usize {
    let (number, unit) = text.split_once(' ').unwrap_or((text, ""));
    let number: usize = number.replace(',', "").parse().unwrap();
    match unit {
        "" => number,
        "KiB" => number << 10,
        "MiB" => number << 20,
        other => panic!("a unit `{other}`"),
    }
}

#[test]
fn every_code_of_an_error_is_tried() {
    let texts: String = sources("tests/it").iter().map(|file| fs::read_to_string(file).unwrap()).collect();
    // What no stranger can bring about from outside, each with its reason.
    let beyond = [
        ("system", "whatever the system refuses without a class of its own"),
        ("source.vanished", "a race between two system calls; tried with a simulated file system in agent"),
        ("restore.skipped", "a warning, tried in fidelity"),
        ("account.frozen", "set by administration, which comes with accounts"),
        ("quota.hard", "set by administration, which comes with quotas"),
        ("net.protocol", "needs a broken program on the other side; tried in transport"),
        ("net.version", "needs a program of another age; tried in transport"),
        ("disk.failed", "needs a failing disk; tried with a simulated one in store"),
        ("history.behind", "needs two vaults of one account, which come with mirrors"),
        ("differs", "an exit status of its own, tried in compare"),
        ("interrupted", "an exit status of its own, tried in kill"),
    ];
    for code in agent::fault::Code::ALL {
        let name = code.name();
        let tried = texts.matches(&format!("\"{name}\"")).count() > usize::from(beyond.iter().any(|(b, _)| *b == name));
        assert!(tried || beyond.iter().any(|(b, _)| *b == name), "no test brings about `{name}`");
    }
}
