//! An administrator's day: accounts and groups, limits, freezing, deleting, and SSH keys that may only so much.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use tests::need;
use tests::net::Net;
use tests::sshd::{Setup, Sshd};
use tests::world::World;

use crate::world;

/// A machine with a vault and two accounts, the first with a version.
fn office() -> World {
    let world = world().ready();
    let docs = world.dir("docs");
    // Longer than what stands in a directory's node, which a backup reads.
    fs::write(docs.join("a.txt"), "a".repeat(100)).unwrap();
    world.tuckbox(["backup", &world.arg("docs")]).ok();
    world.tuckbox(["account", "create", "laptop-bob", "--number", "0x3af"]).ok();
    world
}

#[test]
fn accounts_are_made_found_and_renamed_by_name_and_number() {
    let world = office();
    let listed = world.tuckbox(["account", "list", "--figures", "--json"]).ok();
    let rows = listed.records("account");
    let names: Vec<_> = rows.iter().map(|row| row["account"].as_str().unwrap()).collect();
    assert_eq!(names, ["ana", "laptop-bob"]);
    assert_eq!((rows[0]["versions"].as_u64(), rows[1]["versions"].as_u64()), (Some(1), Some(0)));
    assert!(rows[0]["stored_bytes"].as_u64().unwrap() > 0);
    assert_eq!(rows[1]["number"], "0x3af");
    for name in ["laptop-bob", "0x3af", "3af"] {
        let info = world.tuckbox(["account", "info", name, "--json"]).ok();
        assert_eq!(info.record("account")["account"], "laptop-bob", "{name}");
    }
    world.tuckbox(["account", "rename", "3af", "laptop-robert"]).ok();
    world.tuckbox(["account", "info", "laptop-bob"]).run().fails("account.none", 5);
    let unknown = world.tuckbox(["account", "info", "laptop-rober"]).run().fails("account.none", 5);
    assert!(unknown.error().contains("did you mean laptop-robert?"), "{}", unknown.error());
}

#[test]
fn what_cannot_be_is_refused_and_changes_nothing() {
    let world = office();
    let names = || {
        let rows = world.tuckbox(["account", "list", "--json"]).ok().records("account");
        rows.iter().map(|row| row["account"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    for words in [
        &["account", "create", &"x".repeat(256)][..],
        &["account", "create", ""],
        &["account", "create", "ana"],
        &["account", "create", "new", "--number", "3af"],
        &["account", "create", "new", "--number", "0"],
        &["account", "create", "new", "--number", "xyz"],
        &["account", "create", "0x12"],
        &["account", "create", "--", "-x"],
        &["account", "rename", "laptop-bob", "--", "-x"],
        &["group", "create", "--", "-x"],
        &["account", "rename", "laptop-bob", "ana"],
        &["account", "set", "ana"],
        &["account", "set", "ana", "--hard", "much"],
    ] {
        world.tuckbox(words).run().fails("usage", 2);
    }
    assert_eq!(names(), ["ana", "laptop-bob"]);
    world.tuckbox(["account", "create", &"x".repeat(255)]).ok();
    assert_eq!(names().len(), 3);
}

#[test]
fn a_frozen_account_can_be_read_and_not_changed() {
    let world = office();
    world.tuckbox(["account", "freeze", "ana", "--reason", "audit until Friday"]).ok();
    fs::write(world.path("docs/b.txt"), "b").unwrap();
    let refused = world.tuckbox(["backup", &world.arg("docs")]).run().fails("account.frozen", 12);
    assert!(refused.error().contains("audit until Friday"), "{}", refused.error());
    world.tuckbox(["restore", "--to", &world.arg("back")]).ok();
    world.tuckbox(["check"]).ok();
    assert_eq!(world.tuckbox(["account", "info", "ana", "--json"]).ok().record("account")["state"], "frozen");
    let refused = world.tuckbox(["account", "enable", "ana"]).run().fails("policy.confirm", 12);
    assert!(refused.error().contains("account thaw ana"), "{refused}");
    world.tuckbox(["account", "thaw", "ana"]).ok();
    world.tuckbox(["backup", &world.arg("docs")]).ok();

    world.tuckbox(["account", "disable", "ana"]).ok();
    world.tuckbox(["versions"]).run().fails("account.frozen", 12);
    let refused = world.tuckbox(["account", "thaw", "ana"]).run().fails("policy.confirm", 12);
    assert!(refused.error().contains("account enable ana"), "{refused}");
    world.tuckbox(["account", "enable", "ana"]).ok();
    assert_eq!(world.tuckbox(["versions", "--json"]).ok().records("version").len(), 2);
}

#[test]
fn a_deleted_account_is_taken_back_or_goes_for_good() {
    let world = office();
    let vault = world.vault().join("domains");
    let domains = || fs::read_dir(&vault).unwrap().filter(|e| e.as_ref().unwrap().path().is_dir()).count();
    world.tuckbox(["account", "delete", "ana"]).ok();
    for verb in ["freeze", "disable", "thaw"] {
        let run = world.tuckbox(["account", verb, "ana"]).run().fails("policy.confirm", 12);
        assert!(run.error().contains("account enable ana"), "{verb}: {run}");
    }
    world.tuckbox(["versions"]).run().fails("account.frozen", 12);
    world.tuckbox(["account", "delete", "ana", "--finally"]).run().fails("policy.confirm", 12);
    world.tuckbox(["account", "delete", "ana", "--finally", "--yes"]).run().fails("policy.confirm", 12);
    world.tuckbox(["account", "enable", "ana"]).ok();
    world.tuckbox(["versions"]).ok();

    world.tuckbox(["account", "delete", "ana"]).ok();
    assert_eq!(domains(), 2);
    let gone = world.tuckbox(["account", "delete", "ana", "--finally", "--yes"]);
    gone.env("TUCKBOX_CLOCK", "2036-01-01T00:00:00Z").ok();
    assert_eq!(domains(), 1);
    world.tuckbox(["account", "info", "ana"]).run().fails("account.none", 5);
    // Another one of that name begins anew; the key of the first stays where it is.
    let keys = || fs::read_dir(world.home().join(".config/tuckbox/keys")).unwrap().count();
    let before = keys();
    world.tuckbox(["init", "--account", "ana"]).ok();
    assert_eq!(keys(), before + 1);
    world.tuckbox(["backup", &world.arg("docs")]).ok();
    assert_eq!(world.tuckbox(["versions", "--json"]).ok().records("version").len(), 1);
}

#[test]
fn above_its_hard_limit_an_account_takes_nothing_and_nothing_is_sent() {
    let world = office();
    world.tuckbox(["account", "set", "ana", "--hard", "1M"]).ok();
    fs::write(world.path("docs/noise"), tests::tree::Seeded::new(7).bytes(3 << 20)).unwrap();
    let refused = world.tuckbox(["backup", &world.arg("docs")]).run().fails("quota.hard", 9);
    assert!(refused.error().contains("1.0 MiB"), "{}", refused.error());
    let stored = || world.tuckbox(["account", "info", "ana", "--json"]).ok().record("account")["stored_bytes"].as_u64();
    assert!(stored().unwrap() <= 1 << 20);
    world.tuckbox(["account", "set", "ana", "--hard", "1k"]).ok();
    let before = stored();
    world.tuckbox(["backup", &world.arg("docs")]).run().fails("quota.hard", 9);
    assert_eq!(stored(), before);
    world.tuckbox(["restore", "--to", &world.arg("back")]).ok();
    world.tuckbox(["account", "set", "ana", "--hard", "none"]).ok();
    world.tuckbox(["backup", &world.arg("docs")]).ok();
    world.tuckbox(["check", "--full"]).ok();
}

#[test]
fn groups_add_up_their_members() {
    let world = office();
    world.tuckbox(["group", "create", "office"]).ok();
    world.tuckbox(["group", "create", "lab"]).ok();
    world.tuckbox(["group", "add", "office", "ana", "3af"]).ok();
    world.tuckbox(["group", "add", "lab", "ana"]).ok();
    let info = |group: &str| world.tuckbox(["group", "info", group, "--json"]).ok().record("group").clone();
    let ana = world.tuckbox(["account", "info", "ana", "--json"]).ok().record("account").clone();
    assert_eq!(ana["groups"], serde_json::json!(["lab", "office"]));
    assert_eq!(info("office")["members"], serde_json::json!(["0x1", "0x3af"]));
    assert_eq!(info("lab")["stored_bytes"], ana["stored_bytes"]);
    let group_in_group = world.tuckbox(["group", "add", "office", "lab"]).run().fails("usage", 2);
    assert!(group_in_group.error().contains("a group holds only accounts"));
    world.tuckbox(["group", "create", "lab"]).run().fails("usage", 2);
    let near = world.tuckbox(["group", "info", "offce"]).run().fails("group.none", 5);
    assert!(near.error().contains("did you mean office?"));
    world.tuckbox(["group", "remove", "office", "ana"]).ok();
    world.tuckbox(["group", "rename", "office", "desk"]).ok();
    assert_eq!(info("desk")["member_count"], 1);
    world.tuckbox(["group", "delete", "lab"]).ok();
    assert_eq!(world.tuckbox(["group", "list", "--json"]).ok().records("group").len(), 1);
}

#[test]
fn an_authorized_key_may_do_what_its_role_says_and_no_more() {
    if !need::programs(&["sshd", "ssh", "ssh-keygen"]) {
        return;
    }
    let world = office();
    let client = world.ssh();
    let keys = ["append", "read", "admin"].map(|role| {
        (role, {
            let path = client.file(role);
            tests::sshd::keygen(&path, "ed25519", "");
            path
        })
    });
    for (role, key) in &keys {
        let public = format!("{}.pub", key.display());
        let words = ["account", "authorize", "ana", "--ssh-key", &public, "--role", role];
        let line = world.tuckbox(words).ok().text().to_owned();
        assert!(line.starts_with("restrict,command=\"") && line.contains("--account=0x1 "), "{line}");
        world.tuckbox(words.into_iter().chain(["--install"])).ok();
        // The same again changes nothing.
        world.tuckbox(words.into_iter().chain(["--install"])).ok();
    }
    let file = world.home().join(".ssh/authorized_keys");
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let lines: Vec<String> = fs::read_to_string(&file).unwrap().lines().map(str::to_owned).collect();
    assert_eq!(lines.len(), 3);

    let sshd = Sshd::start(Setup { authorized: lines, ..Setup::default() });
    client.know(&sshd.known_hosts_line());
    let alias = |name: &str, key: &std::path::Path| {
        format!(
            "Host {name}\n HostName {}\n Port {}\n IdentityFile {}\n IdentitiesOnly yes\n",
            sshd.address,
            sshd.port,
            key.display()
        )
    };
    client.config(&keys.iter().map(|(role, key)| alias(role, key)).collect::<String>());
    let by = |role: &str| world.with_vault(format!("ssh://{role}"));
    let docs = world.arg("docs");
    fs::write(world.path("docs/c.txt"), "c").unwrap();

    by("append").tuckbox(["backup", &docs]).ok();
    by("append").tuckbox(["restore", "--to", &world.arg("no")]).run().fails("policy.role", 12);
    by("append").tuckbox(["key", "rotate"]).run().fails("policy.role", 12);
    by("read").tuckbox(["restore", "--to", &world.arg("yes")]).ok();
    fs::write(world.path("docs/d.txt"), "d").unwrap();
    by("read").tuckbox(["backup", &docs]).run().fails("policy.role", 12);
    for role in ["append", "read"] {
        by(role).tuckbox(["account", "freeze", "ana"]).run().fails("policy.role", 12);
        by(role).tuckbox(["versions", "--account", "laptop-bob"]).run().fails("account.none", 5);
    }
    // Bound to one account, an administrator sees no other and makes none.
    by("admin").tuckbox(["account", "freeze", "ana", "--reason", "from afar"]).ok();
    by("admin").tuckbox(["account", "thaw", "ana"]).ok();
    by("admin").tuckbox(["account", "info", "laptop-bob"]).run().fails("account.none", 5);
    by("admin").tuckbox(["account", "create", "eve"]).run().fails("policy.role", 12);
    by("admin").tuckbox(["group", "list"]).run().fails("policy.role", 12);

    let public = format!("{}.pub", keys[1].1.display());
    world.tuckbox(["account", "revoke", "ana", "--ssh-key", &public]).ok();
    assert_eq!(fs::read_to_string(&file).unwrap().lines().count(), 2);
    world.tuckbox(["account", "revoke", "ana"]).ok();
    assert_eq!(fs::read_to_string(&file).unwrap(), "");
}

#[test]
fn a_plain_login_administers_from_afar() {
    let world = office();
    let Some(net) = Net::of(&world) else { return };
    let far = net.at(&world.arg("vault"));
    let near = world.tuckbox(["account", "list"]).ok().text().to_owned();
    for way in ["embedded", "system"] {
        assert_eq!(far.tuckbox(["account", "list", "--ssh", way]).ok().text(), near);
    }
    far.tuckbox(["account", "create", "eve"]).ok();
    far.tuckbox(["group", "create", "office"]).ok();
    world.tuckbox(["volume", "add", &world.arg("second")]).ok();
    for words in [
        &["volume", "list"][..],
        &["usage", "--by", "volume"],
        &["usage", "--by", "group"],
        &["report", "space"],
        &["traffic", "--all", "--by", "day"],
        &["account", "set", "eve", "--soft", "1G", "--rate", "limit = 2M"],
        &["account", "freeze", "eve", "--reason", "audit"],
        &["account", "check", "--all"],
    ] {
        far.tuckbox(words).ok();
    }
    far.tuckbox(["status", "--all"]).run().exits(4).says("check=frozen");
    // Where a disk is, is said on the vault's own machine.
    far.tuckbox(["volume", "add", &world.arg("third")]).run().fails("policy.role", 12);
}
