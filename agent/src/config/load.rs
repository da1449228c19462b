//! From files to one configuration: the file, and what it includes.

use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::parse::Config;
use super::variables::Variables;
use crate::fault::{Code, Fault, Result};
use crate::name::for_terminal;
use crate::world::Environment;

/// Largest configuration file, in bytes.
const FILE_BYTES_MAX: u64 = 1 << 20;
/// Most files in all.
const FILES_MAX: usize = 64;
/// Includes in includes, at most.
const DEPTH_MAX: usize = 8;

impl Config {
    /// Reads `file` and what it includes; when it does not exist, everything is absent.
    pub fn load(file: &Path, home: Option<&Path>, environment: &Environment) -> Result<Self> {
        let mut loader = Loader { home, files: Vec::new() };
        let Some(text) = text_of(file)? else { return Ok(Self::default()) };
        let (mut config, _) = loader.file(file, &text, &Variables::of(environment), 0)?;
        config.file = Some(file.to_owned());
        config.files = loader.files;
        Ok(config)
    }
}

struct Loader<'h> {
    home: Option<&'h Path>,
    files: Vec<PathBuf>,
}

impl Loader<'_> {
    /// One file with what it includes, and the variables that count in it.
    fn file(&mut self, path: &Path, text: &str, around: &Variables, depth: usize) -> Result<(Config, Variables)> {
        let number = self.files.len();
        self.files.push(path.to_owned());
        if depth > DEPTH_MAX || self.files.len() > FILES_MAX {
            return Err(Fault::new(Code::Config, "files include each other too often"));
        }
        let home = self.home;
        let mut included = Vec::new();
        let mut variables = around.clone();
        let read = Config::read(text, number, home, &mut |patterns, own| {
            let unclear = |why| Fault::new(Code::Config, why);
            let mut here = around.with(&own).map_err(unclear)?;
            for pattern in patterns {
                let pattern = here.fill(pattern).map_err(unclear)?;
                for file in self.found(path, &pattern)? {
                    let missing = || Fault::new(Code::Config, format!("there is no file {}", shown(&file)));
                    let text = text_of(&file)?.ok_or_else(missing)?;
                    let (config, inner) = self.file(&file, &text, &here, depth + 1)?;
                    included.push(config);
                    // What a file sets, those after it know, too.
                    here = inner.with(&own).map_err(unclear)?;
                    variables = inner;
                }
            }
            // What this file says counts before what the others say.
            variables = variables.with(&own).map_err(unclear)?;
            Ok(variables.clone())
        });
        let mut config = read.map_err(|(line, fault)| match &fault.path {
            // It happened in a file that this one includes, and says so.
            Some(_) => fault,
            None => {
                let message = format!("{}:{line}: {}", shown(path), fault.message);
                Fault { message, ..fault }.path(path.as_os_str().as_bytes())
            }
        })?;
        included.into_iter().for_each(|other| config.add(other));
        Ok((config, variables))
    }

    /// The files that a pattern means, in order.
    fn found(&self, from: &Path, pattern: &str) -> Result<Vec<PathBuf>> {
        let below = match (pattern.strip_prefix("~/"), self.home) {
            (Some(below), Some(home)) => home.join(below),
            _ => from.parent().unwrap_or(Path::new("/")).join(pattern),
        };
        let name = below.file_name().map(|name| name.as_bytes().to_vec()).unwrap_or_default();
        if !name.contains(&b'*') {
            return Ok(vec![below]);
        }
        let fits =
            crate::source::Pattern::new(&name, false).map_err(|why| Fault::new(Code::Config, why.to_string()))?;
        let dir = below.parent().unwrap_or(Path::new("/"));
        let listed = std::fs::read_dir(dir).into_iter().flatten().flatten().map(|entry| entry.path());
        let mut files: Vec<PathBuf> = listed
            .filter(|path| path.file_name().is_some_and(|name| fits.matches(&[b"/", name.as_bytes()].concat())))
            .take(FILES_MAX)
            .collect();
        files.sort();
        Ok(files)
    }
}

fn shown(path: &Path) -> String {
    for_terminal(path.as_os_str().as_bytes())
}

/// The text of a file; `None` when it is not there.
pub(super) fn text_of(file: &Path) -> Result<Option<String>> {
    let broken = |cause: &dyn std::fmt::Display| {
        let bytes = file.as_os_str().as_bytes();
        Fault::new(Code::Config, format!("cannot read {}", shown(file))).because(cause).path(bytes)
    };
    match crate::plain_file::read(file, FILE_BYTES_MAX) {
        Ok(bytes) => String::from_utf8(bytes).map(Some).map_err(|_| broken(&"it is not UTF-8")),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(broken(&e)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::keys;

    fn load(files: &[(&str, &str)]) -> (tempfile::TempDir, Result<Config>) {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        let config = Config::load(&folder.path().join("config.toml"), None, &Environment::default());
        (folder, config)
    }

    #[test]
    fn no_file_is_an_empty_one() {
        assert_eq!(load(&[]).1, Ok(Config::default()));
        let (folder, config) = load(&[("config.toml", "x = 1")]);
        let file = folder.path().join("config.toml");
        assert_eq!(config.unwrap_err().message, format!("{}:1: there is no key \"x\"", file.display()));
    }

    #[test]
    fn what_is_included_counts_after_what_includes() {
        let (folder, config) = load(&[
            ("config.toml", "include = ['vars.toml', 'conf.d/*.toml']\naccount = '${who}'\n[vars]\nwho = 'ana'\n"),
            ("vars.toml", "[vars]\ndisk = '/media/${who}'\nwho = 'bob'\n"),
            ("conf.d/20.toml", "\nvault = '${disk}/two'\naccount = 'x'\n[[source]]\npath = '/b'"),
            ("conf.d/10.toml", "vault = '${disk}/one'\n[[source]]\npath = '/a'"),
            ("conf.d/ignored", "rubbish"),
        ]);
        let config = config.unwrap();
        assert_eq!(config.top.text(&keys::ACCOUNT), Some("ana"));
        let sources: Vec<_> = config.sources.iter().filter_map(|source| source.text(&keys::SOURCE_PATH)).collect();
        assert_eq!(sources, ["/a", "/b"]);
        let (_, spot) = config.top.get(&keys::VAULT).unwrap();
        assert_eq!(config.files[spot.file], folder.path().join("conf.d/10.toml"));
        assert_eq!(spot.line, 1);
    }

    #[test]
    fn what_is_wrong_is_told_with_its_file_and_line() {
        let (folder, config) = load(&[("config.toml", "\ninclude = 'a.toml'"), ("a.toml", "\n\nvualt = 'x'")]);
        let fault = config.unwrap_err();
        assert_eq!(fault.message, format!("{}:3: there is no key \"vualt\"", folder.path().join("a.toml").display()));
        let (_, config) = load(&[("config.toml", "include = 'nowhere.toml'")]);
        assert!(config.unwrap_err().message.contains("config.toml:1: there is no file"));
        let (_, config) = load(&[("config.toml", "include = 'config.toml'")]);
        assert!(config.unwrap_err().message.contains("include each other"));
        let (_, config) = load(&[("config.toml", "vault = '${nope}'")]);
        assert!(config.unwrap_err().message.ends_with("config.toml:1: vault: there is no variable \"nope\""));
    }
}
