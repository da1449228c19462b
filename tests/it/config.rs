//! The configuration as a person has it: shown, changed, split over files, never written over.

use std::fs;
use std::path::PathBuf;

use tests::tree::Tree;
use tests::world::World;

use crate::world;

fn file(world: &World) -> PathBuf {
    world.home().join(".config/tuckbox/config.toml")
}

fn write(world: &World, name: &str, text: &str) {
    let path = file(world).with_file_name(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

#[test]
fn one_setting_changes_and_comments_stay() {
    let world = world();
    world.tuckbox(["config", "set", "retry", "1h"]).ok().says("Set retry");
    assert_eq!(fs::read_to_string(file(&world)).unwrap(), "retry = \"1h\"\n");
    write(&world, "config.toml", "# mine\nretry = '1h' # long\n\n[[source]]\npath = '~/docs' # all\n");
    world.tuckbox(["config", "set", "retry", "90m"]).ok();
    world.tuckbox(["config", "set", "source.1.exclude", "*.o", "a \"b\"\nc"]).ok();
    let text = fs::read_to_string(file(&world)).unwrap();
    assert!(
        text.starts_with("# mine\nretry = \"90m\" # long\n\n[[source]]\npath = '~/docs' # all\nexclude = ["),
        "{text}"
    );
    assert_eq!(world.tuckbox(["config", "get", "retry"]).ok().text(), "90m\n");
    let shown = world.tuckbox(["config", "get", "source.1.exclude", "--json"]).ok().record("setting");
    assert_eq!((&shown["value"], &shown["origin"]), (&"*.o, a \"b\"\\nc".into(), &"config.toml:6".into()));
    world.tuckbox(["config", "set", "retry", "--remove"]).ok();
    assert!(!fs::read_to_string(file(&world)).unwrap().contains("retry"));
    // What would not be good is not written.
    let before = fs::read_to_string(file(&world)).unwrap();
    world.tuckbox(["config", "set", "retry", "10x"]).run().exits(2).says("10x");
    world.tuckbox(["config", "set", "rety", "1h"]).run().exits(2).says("did you mean retry?");
    assert_eq!(fs::read_to_string(file(&world)).unwrap(), before);
}

#[test]
fn a_list_that_is_printed_can_be_set() {
    let world = world();
    write(&world, "config.toml", "[[source]]\npath = '~/docs'\n");
    let (set, get) = (["config", "set", "source.1.exclude"], ["config", "get", "source.1.exclude"]);
    for (value, shown) in [(r#"["*.o", "tmp"]"#, r#"["*.o", "tmp"]"#), ("*.o", "*.o"), (r#"["[ab]*"]"#, r#"["[ab]*"]"#)]
    {
        world.tuckbox(set).and([value]).ok();
        let got = world.tuckbox(get).ok().text().trim_end().to_owned();
        assert_eq!(got, shown);
        world.tuckbox(set).and([got.as_str()]).ok();
        assert_eq!(world.tuckbox(get).ok().text().trim_end(), shown);
    }
    assert_eq!(world.tuckbox(get).and(["--json"]).ok().record("setting")["values"][0], "[ab]*");
    world.tuckbox(set).and(["[ab]*"]).run().exits(2).says("must be a list");
}

#[test]
fn a_link_to_the_file_stays_one() {
    let world = world();
    write(&world, "../dotfiles", "utc = true\n");
    std::fs::create_dir_all(file(&world).parent().unwrap()).unwrap();
    std::os::unix::fs::symlink("../dotfiles", file(&world)).unwrap();
    world.tuckbox(["config", "set", "color", "never"]).ok();
    assert!(file(&world).is_symlink());
    assert_eq!(fs::read_to_string(file(&world)).unwrap(), "utc = true\ncolor = \"never\"\n");
}

#[test]
fn files_variables_and_who_says_what() {
    let world = world();
    Tree::at(world.dir("disk").join("docs")).file("a", "1");
    write(&world, "config.toml", "include = 'conf.d/*.toml'\nretry = 630\n[vars]\ndisk = '${PLACE}/disk'\n");
    write(&world, "conf.d/10.toml", "retry = '6h'\naccount = 'laptop'\n[[source]]\npath = '${disk}/docs'\n");
    let run = |words: &[&str]| world.tuckbox(words).env("PLACE", world.arg("")).and(["--json"]);
    let settings = run(&["config", "show"]).ok().records("setting");
    let of = |key: &str| {
        let row = settings.iter().find(|row| row["key"] == key).unwrap_or_else(|| panic!("no {key}"));
        (row["value"].as_str().unwrap().to_owned(), row["origin"].as_str().unwrap().to_owned())
    };
    assert_eq!(of("retry"), ("630".into(), "config.toml:2".into()));
    assert_eq!(of("account"), ("laptop".into(), "10.toml:2".into()));
    assert_eq!(of("source.1.path").1, "10.toml:4");
    assert_eq!(of("color").1, "default");
    run(&["backup"]).ok();
    assert_eq!(run(&["versions"]).ok().record("start")["account"], "laptop");
    // A variable that is nowhere is an error with its file and line.
    let fault = world.tuckbox(["versions"]).run().fails("config.invalid", 2).err();
    assert!(
        fault.contains("config.toml:1: there is no variable \"PLACE\"") || fault.contains("config.toml:"),
        "{fault}"
    );
    write(&world, "conf.d/10.toml", "\nretyr = '1h'\n");
    let fault = run(&["versions"]).run().exits(2).record("error");
    assert!(fault["message"].as_str().unwrap().contains("10.toml:2: there is no key \"retyr\""), "{fault}");
    assert!(fault["hint"].as_str().unwrap().contains("did you mean retry?"), "{fault}");
}

#[test]
fn a_change_counts_at_once_and_nothing_is_written_over() {
    let world = world();
    write(&world, "config.toml", "account = 'a'\n");
    let account = || world.tuckbox(["config", "get", "account"]).ok().text().to_owned();
    assert_eq!(account(), "a\n");
    // Of the same size, within the same moment.
    write(&world, "config.toml", "account = 'b'\n");
    assert_eq!(account(), "b\n");
    write(&world, "config.toml", "# only a comment\n");
    Tree::at(world.path("docs")).file("a", "1");
    world.tuckbox(["backup", &world.arg("docs")]).ok();
    world.tuckbox(["init"]).ok();
    assert_eq!(fs::read_to_string(file(&world)).unwrap(), "# only a comment\n");
    // And the template is a good file.
    let template = world.tuckbox(["config", "template"]).ok().text().to_owned();
    assert!(template.contains("\n#[vars]\n") && template.contains("#include = "));
    write(&world, "config.toml", &template);
    world.tuckbox(["config", "show"]).ok();
}
