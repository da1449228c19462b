//! What every version of a golden vault holds, as text: one line for each item, with the versions that have it so.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};
use tests::look::{Item, Listing};

/// Listings by version, each with full paths without the first `/`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Listings(pub(super) BTreeMap<u64, Listing>);

/// Kinds, as `look` calls them.
const KINDS: [&str; 7] = ["file", "directory", "symlink", "fifo", "socket", "character device", "block device"];

impl Listings {
    /// As text, in order of paths.
    pub(super) fn print(&self) -> String {
        let mut lines: BTreeMap<(&[u8], String), BTreeSet<u64>> = BTreeMap::new();
        for (version, listing) in &self.0 {
            for (path, item) in &listing.0 {
                lines.entry((path, describe(path, item).to_string())).or_default().insert(*version);
            }
        }
        let line = |((_, item), versions): (&(&[u8], String), &BTreeSet<u64>)| {
            let versions: Vec<_> = versions.iter().map(u64::to_string).collect();
            format!("{}\t{item}\n", versions.join(","))
        };
        lines.iter().map(line).collect()
    }

    /// Reads what [`print`](Self::print) wrote.
    pub(super) fn parse(text: &str) -> Self {
        let mut listings = Self::default();
        for line in text.lines() {
            let (versions, item) = line.split_once('\t').expect("versions and an item");
            let item = serde_json::from_str(item).expect("an item");
            for version in versions.split(',') {
                let listing = listings.0.entry(version.parse().expect("a number")).or_default();
                let (path, item) = item_of(&item);
                assert!(listing.0.insert(path, item).is_none(), "twice: {line}");
            }
        }
        listings
    }
}

fn describe(path: &[u8], item: &Item) -> Value {
    let mut out = Map::new();
    let mut put = |name: &str, value: Value| out.insert(name.to_owned(), value);
    put("path", json!(escaped(path)));
    put("kind", json!(item.kind));
    put("mode", json!(format!("{:04o}", item.mode)));
    if (item.uid, item.gid) != (0, 0) {
        put("owner", json!([item.uid, item.gid]));
    }
    put("mtime", json!([item.mtime.0, item.mtime.1]));
    if item.kind == "file" {
        put("size", json!(item.size));
    }
    if item.first_name != path {
        put("first_name", json!(escaped(&item.first_name)));
    }
    if let Some(target) = &item.target {
        put("target", json!(escaped(target)));
    }
    if let Some((major, minor)) = item.rdev {
        put("device", json!([major, minor]));
    }
    if !item.xattrs.is_empty() {
        let xattrs = item.xattrs.iter().map(|(name, value)| (escaped(name), json!(escaped(value))));
        put("xattrs", Value::Object(xattrs.collect()));
    }
    if let Some(content) = &item.content {
        put("content", json!(blake3::Hash::from_bytes(*content).to_hex().as_str()));
    }
    Value::Object(out)
}

fn item_of(value: &Value) -> (Vec<u8>, Item) {
    let text = |name: &str| value.get(name).and_then(Value::as_str);
    let pair = |name: &str| {
        let pair = value.get(name)?.as_array()?;
        Some((pair[0].as_i64()?, pair[1].as_i64()?))
    };
    let small = |number: i64| u32::try_from(number).expect("32 bits");
    let path = unescaped(text("path").expect("a path"));
    let owner = pair("owner").unwrap_or((0, 0));
    let xattrs = value.get("xattrs").and_then(Value::as_object).into_iter().flatten();
    let item = Item {
        kind: KINDS.into_iter().find(|kind| text("kind") == Some(kind)).expect("a kind"),
        mode: u32::from_str_radix(text("mode").expect("a mode"), 8).expect("octal"),
        uid: small(owner.0),
        gid: small(owner.1),
        mtime: pair("mtime").expect("a time"),
        size: value.get("size").and_then(Value::as_u64).unwrap_or(0),
        first_name: text("first_name").map_or_else(|| path.clone(), unescaped),
        target: text("target").map(unescaped),
        rdev: pair("device").map(|(major, minor)| (small(major), small(minor))),
        xattrs: xattrs.map(|(name, v)| (unescaped(name), unescaped(v.as_str().expect("a value")))).collect(),
        content: text("content").map(|hash| *blake3::Hash::from_hex(hash).expect("a hash").as_bytes()),
        hole_bytes: 0,
    };
    (path, item)
}

/// Bytes as text: what is no printable ASCII, and `%`, as `%` and two hex digits.
fn escaped(bytes: &[u8]) -> String {
    let byte = |b: &u8| match b {
        b' '..=b'~' if *b != b'%' => char::from(*b).to_string(),
        _ => format!("%{b:02x}"),
    };
    bytes.iter().map(byte).collect()
}

fn unescaped(text: &str) -> Vec<u8> {
    let (mut out, mut rest) = (Vec::new(), text.as_bytes());
    while let [first, after @ ..] = rest {
        rest = after;
        out.push(match (first, after) {
            (b'%', [high, low, after @ ..]) => {
                rest = after;
                let digit = |b: u8| char::from(b).to_digit(16).and_then(|d| u8::try_from(d).ok()).expect("hex");
                digit(*high) * 16 + digit(*low)
            }
            (byte, _) => *byte,
        });
    }
    out
}

#[test]
fn listings_go_there_and_back() {
    let disk = tempfile::tempdir().unwrap();
    let odd = tests::look::at(tests::tree::odd(disk.path().join("odd")).path()).without(|item| item.hole_bytes = 0);
    let small = tests::look::at(tests::tree::small(disk.path().join("small")).path()).without(|i| i.hole_bytes = 0);
    let listings = Listings([(3, odd.clone()), (5, small), (16, odd)].into());
    assert_eq!(Listings::parse(&listings.print()), listings);
}
