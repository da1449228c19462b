//! The command line that starts the program on the far side, and its reading back by a forced command.
//!
//! Made here and read here, so that the two cannot drift apart. sshd hands the line to the login shell of the remote
//! user, whichever that is; so it is one simple command whose words are quoted, and every decision is taken by `sh`
//! inside it:
//!
//! ```text
//! sh -c 'for p in tuckbox ~/.cargo/bin/tuckbox …; do …exec "$p" "$@"; done; …exit 127' tuckbox serve --stdio --vault V
//! ```

use crate::address::RemotePath;

/// The name under which the program is looked for when no other is given.
pub const PROGRAM: &str = "tuckbox";

/// Tries the search path and then the places where users put programs; the last words are what sshd logs and what a
/// forced command sees. The messages go to stderr, as stdout belongs to the protocol.
///
/// Forced commands of other ages compare it byte by byte, so it never changes: a server would refuse its client.
const SEARCH: &str = "for p in tuckbox \"$HOME/.cargo/bin/tuckbox\" \"$HOME/.local/bin/tuckbox\" \"$HOME/bin/tuckbox\" \
    /usr/local/bin/tuckbox; do command -v \"$p\" >/dev/null 2>&1 && exec \"$p\" \"$@\"; done; \
    echo \"tuckbox: not found\" >&2; exit 127";

/// What is asked of the far side.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Words {
    /// The vault's directory there.
    pub vault: RemotePath,
    /// The account, when it is not the only one.
    pub account: Option<String>,
    /// The role, when it is not the usual one.
    pub role: Option<String>,
}

/// What a forced command finds in the client's words; see [`read_back`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Asked {
    /// `--vault`, as written; relative means from the home.
    pub vault: Option<String>,
    /// `--account`.
    pub account: Option<String>,
    /// `--role`: of who administers, and of a person who asks for less than the forced command allows.
    pub role: Option<String>,
}

/// The command line for the far side. `program` replaces the search (`--remote-program`).
#[must_use]
pub fn command_line(program: Option<&str>, words: &Words) -> String {
    let mut line = match program {
        Some(program) => quote(program),
        None => format!("sh -c {} {PROGRAM}", quote(SEARCH)),
    };
    line.push_str(" serve --stdio");
    let vault = match &words.vault {
        RemotePath::Absolute(path) => Some(path.clone()),
        // sshd starts commands in the home. A name like `-x` must not be taken for an option.
        RemotePath::Home(path) if path.starts_with('-') => Some(format!("./{path}")),
        RemotePath::Home(path) => Some(path.clone()),
        RemotePath::Forced => None,
    };
    let options = [("--vault", vault.as_ref()), ("--account", words.account.as_ref()), ("--role", words.role.as_ref())];
    for (option, value) in options {
        if let Some(value) = value {
            line.push(' ');
            line.push_str(option);
            // One word, so that no value is ever taken for an option of its own.
            line.push('=');
            line.push_str(&quote(value));
        }
    }
    line
}

/// A word that every POSIX shell (and fish, and csh) reads back as this text.
#[must_use]
pub fn quote(word: &str) -> String {
    let safe = |c: char| c.is_ascii_alphanumeric() || "/._-+,:@%=".contains(c);
    if !word.is_empty() && !word.starts_with('=') && word.chars().all(safe) {
        return word.to_owned();
    }
    // Quotes stand outside of quotes, escaped.
    format!("'{}'", word.replace('\'', "'\\''"))
}

/// The words of a line that [`command_line`] made, for a forced command that finds it in `SSH_ORIGINAL_COMMAND`.
/// `None` says that it is another command; nothing of it is ever run.
#[must_use]
pub fn read_back(line: &str) -> Option<Asked> {
    let words = split(line)?;
    let rest = match words.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["sh", "-c", script, PROGRAM, "serve", "--stdio", ..] if *script == SEARCH => words.get(6..)?,
        [_, "serve", "--stdio", ..] => words.get(3..)?,
        _ => return None,
    };
    let mut asked = Asked::default();
    let mut rest = rest.iter();
    while let Some(word) = rest.next() {
        let (option, value) = match word.split_once('=') {
            Some((option, value)) => (option, value.to_owned()),
            None => (word.as_str(), rest.next()?.clone()),
        };
        let slot = match option {
            "--vault" => &mut asked.vault,
            "--account" => &mut asked.account,
            "--role" => &mut asked.role,
            _ => return None,
        };
        if slot.replace(value).is_some() {
            return None;
        }
    }
    Some(asked)
}

/// Splits the quoting that [`quote`] writes. Anything that a shell would act upon makes it `None`.
fn split(line: &str) -> Option<Vec<String>> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut rest = line.chars();
    while let Some(c) = rest.next() {
        match c {
            ' ' | '\t' => words.extend(word.take()),
            '\'' => {
                let word = word.get_or_insert_default();
                loop {
                    match rest.next()? {
                        '\'' => break,
                        c => word.push(c),
                    }
                }
            }
            '\\' => word.get_or_insert_default().push(rest.next().filter(|c| *c == '\'')?),
            c if c.is_control() || "\"`$;&<>|(){}*?!#~[]".contains(c) => return None,
            c => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    Some(words)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::{os::unix::fs::PermissionsExt, path::Path, process::Command};

    fn home(path: &str) -> Words {
        Words { vault: RemotePath::Home(path.into()), account: None, role: None }
    }

    #[test]
    fn lines_as_they_are_sent() {
        let words = Words {
            vault: RemotePath::Absolute("/srv/my vault".into()),
            account: Some("alice".into()),
            role: Some("admin".into()),
        };
        assert_eq!(
            command_line(Some("/opt/tuckbox"), &words),
            "/opt/tuckbox serve --stdio --vault='/srv/my vault' --account=alice --role=admin"
        );
        assert_eq!(command_line(Some("a b"), &home("-x")), "'a b' serve --stdio --vault=./-x");
        let line = command_line(None, &Words { vault: RemotePath::Forced, account: None, role: None });
        assert!(line.starts_with("sh -c '") && line.ends_with("' tuckbox serve --stdio"), "{line}");
    }

    fn place(path: &Path, says: &str) {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, format!("#!/bin/sh\necho {says}; printf '<%s>\\n' \"$@\"\n")).unwrap();
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// Runs the line as sshd does, by a login shell with `-c`, in a home of its own.
    fn run(shell: &str, home: &Path, line: &str) -> (Option<i32>, String, String) {
        let out = Command::new(shell)
            .args(["-c", line])
            .env_clear()
            .env("HOME", home)
            .env("PATH", "/usr/bin:/bin")
            .current_dir(home)
            .output()
            .unwrap();
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        (out.status.code(), text(&out.stdout), text(&out.stderr))
    }

    #[test]
    fn login_shells_find_the_program_where_users_put_it() {
        let dir = tempfile::tempdir().unwrap();
        let words =
            Words { vault: RemotePath::Home("it's \"my\" $vault".into()), account: Some("a\\b".into()), role: None };
        let line = command_line(None, &words);
        for shell in ["/bin/sh", "/bin/dash", "/bin/bash"] {
            if !Path::new(shell).exists() {
                continue;
            }
            let (code, out, error) = run(shell, dir.path(), &line);
            assert_eq!((code, out.as_str(), error.trim()), (Some(127), "", "tuckbox: not found"), "{shell}");
        }
        place(&dir.path().join(".local/bin/tuckbox"), "local");
        let (code, out, _) = run("/bin/sh", dir.path(), &line);
        assert_eq!(code, Some(0));
        assert_eq!(out, "local\n<serve>\n<--stdio>\n<--vault=it's \"my\" $vault>\n<--account=a\\b>\n");
        place(&dir.path().join(".cargo/bin/tuckbox"), "cargo");
        assert!(run("/bin/sh", dir.path(), &line).1.starts_with("cargo\n"));
    }

    #[test]
    fn a_forced_command_reads_the_words_and_nothing_else() {
        let asked = |vault: Option<&str>, account: Option<&str>| {
            Some(Asked { vault: vault.map(Into::into), account: account.map(Into::into), role: None })
        };
        assert_eq!(read_back("tuckbox serve --stdio"), asked(None, None));
        assert_eq!(read_back("/x/y serve --stdio --vault '/a b' --account=z"), asked(Some("/a b"), Some("z")));
        let less = Asked { role: Some("read".into()), ..Asked::default() };
        assert_eq!(read_back("tuckbox serve --stdio --role read"), Some(less));
        for other in [
            "",
            "ls",
            "tuckbox serve",
            "tuckbox serve --stdio; rm -rf /",
            "tuckbox serve --stdio $(x)",
            "tuckbox serve --stdio --role",
            "tuckbox serve --stdio --yes",
            "tuckbox serve --stdio || ~/bin/tuckbox serve --stdio",
            "if x; then tuckbox serve --stdio; fi",
            "sh -c 'exec tuckbox serve --stdio'",
            "tuckbox serve --stdio --vault",
            "tuckbox serve --stdio --vault a --vault b",
            "tuckbox serve --stdio 'a",
            "sh -c 'rm -rf /' tuckbox serve --stdio",
        ] {
            assert_eq!(read_back(other), None, "{other}");
        }
    }

    proptest! {
        #[test]
        fn lines_read_back(path in "[^\\x00-\\x1f\\x7f/~-][^\\x00-\\x1f\\x7f]{0,12}", account in "[^\\x00-\\x1f\\x7f]{1,12}", own: bool) {
            prop_assume!(!path.chars().chain(account.chars()).any(char::is_control));
            let words = Words { vault: RemotePath::Home(path.clone()), account: Some(account.clone()), role: None };
            let line = command_line(own.then_some("/opt/t b/x"), &words);
            prop_assert_eq!(read_back(&line), Some(Asked { vault: Some(path), account: Some(account), role: None }));
        }

        #[test]
        fn rubbish_never_panics(line in ".{0,60}") {
            drop(read_back(&line));
        }
    }
}
