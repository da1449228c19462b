//! The file with every key, for people to begin from. Everything in it is commented out.

use super::keys::{ALL, Key, Kind, Section};

/// The template: each key with what it is for, its default, and an example.
#[must_use]
pub fn template() -> String {
    let mut out = String::from(
        "# Configuration of tuckbox. It lives in ~/.config/tuckbox/config.toml (or $XDG_CONFIG_HOME/tuckbox).\n\
         # Every key is shown here with an example; remove the # in front of those that you want.\n\
         # A command line option counts before an environment variable, and that before this file.\n",
    );
    section(&mut out, Section::Top);
    out.push_str(
        "\n# Variables: ${name} in any text below or above stands for the value of the name here, otherwise for that of the\n\
         # environment variable; a name that is nowhere is an error. $${ stands for ${ itself.\n\
         #[vars]\n#disk = \"/media/disk\"\n\n# What `tuckbox backup` without paths backs up, all in one version. Repeat the block for each source; keys that\n\
         # are given above stay above the first one.\n\n#[[source]]\n",
    );
    section(&mut out, Section::Source);
    out
}

fn section(out: &mut String, section: Section) {
    for key in ALL.iter().filter(|key| key.section == section) {
        out.push('\n');
        for line in wrap(key.about) {
            out.push_str(&format!("# {line}\n"));
        }
        out.push_str(&format!("# {}; default: {}", what(key.kind), key.default));
        let others: Vec<String> =
            key.flag.map(|flag| format!("--{flag}")).into_iter().chain(key.env.map(str::to_owned)).collect();
        if !others.is_empty() {
            out.push_str(&format!("; also {}", others.join(", ")));
        }
        out.push_str(&format!("\n#{} = {}\n", key.name, key.example));
    }
}

/// What a value may be, in words.
#[must_use]
pub fn what(kind: Kind) -> String {
    match kind {
        Kind::Text => "text".to_owned(),
        Kind::Path => "path, absolute or ~/…".to_owned(),
        Kind::Switch => "true or false".to_owned(),
        Kind::Size => "size in bytes or with its unit".to_owned(),
        Kind::Timetable => "timetable of rates, in bytes a second (k, M, G of 1,024)".to_owned(),
        Kind::Duration => "duration with its unit (s, min, h, d), or in seconds".to_owned(),
        Kind::Count => "whole number".to_owned(),
        Kind::Share => "percentage".to_owned(),
        Kind::Texts => "text or list of texts".to_owned(),
        Kind::Paths => "path or list of paths".to_owned(),
        Kind::OneOf(words) => words.join(", "),
    }
}

/// Lines of about a hundred columns.
fn wrap(text: &str) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.is_empty() => line.push_str(word),
            Some(line) if line.len() + word.len() < 100 => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

/// For `config show`: a key's name as a person may look it up.
#[must_use]
pub fn path_of(key: &Key) -> String {
    match key.section {
        Section::Top => key.name.to_owned(),
        Section::Source => format!("source.{}", key.name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use std::path::Path;

    #[test]
    fn the_template_holds_every_key_and_is_a_good_file_with_and_without_comments() {
        let template = template();
        let home = Some(Path::new("/home/ana"));
        assert_eq!(Config::parse(&template, home).unwrap().sources.len(), 0);

        let alive: String = template
            .lines()
            .map(|line| line.strip_prefix('#').filter(|rest| !rest.starts_with(' ')).unwrap_or(line))
            .flat_map(|line| [line, "\n"])
            .collect();
        let config = Config::parse(&alive, home).unwrap();
        assert_eq!(config.sources.len(), 1);
        for key in ALL {
            let table = if key.section == Section::Top { &config.top } else { &config.sources[0] };
            assert!(table.get(key).is_some(), "{}", path_of(key));
            assert!(!key.default.is_empty() && key.about.ends_with('.'), "{}", path_of(key));
        }
        assert!(template.lines().all(|line| line.chars().count() <= 140));
    }
}
