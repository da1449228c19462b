//! Hints as they can be typed: a command in one names the vault and the account that this command line named. What the
//! environment or the configuration says, it says to the next command too.

use clap::ArgMatches;
use clap::parser::ValueSource;

use super::command;
use crate::fault::Fault;
use crate::name::quoted;

/// Verbs that look into no vault.
const WITHOUT_VAULT: [&str; 7] = ["config", "explain", "schema", "completions", "man", "serve", "version"];
/// Verbs that look after all accounts, or name the one they mean.
const WITHOUT_ACCOUNT: [&str; 4] = ["account", "group", "volume", "report"];

const PROGRAM: &str = "tuckbox ";

/// What a command line said that the next one has to say again.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hints {
    vault: Option<String>,
    account: Option<String>,
}

impl Hints {
    /// As these arguments say.
    #[must_use]
    pub fn of(matches: &ArgMatches) -> Self {
        let given = |name: &str| {
            let typed = matches.value_source(name) == Some(ValueSource::CommandLine);
            matches.get_one::<String>(name).filter(|_| typed).map(|value| quoted(value.as_bytes()))
        };
        Self { vault: given("vault"), account: given("account") }
    }

    /// A hint, with each command in it complete.
    #[must_use]
    pub fn hint(&self, text: &str) -> String {
        self.complete(text, |before| !before.ends_with(|c: char| c.is_alphanumeric() || "-_./~".contains(c)))
    }

    /// A line for people, likewise: in such a line a command stands after two spaces, and names of files may say anything.
    #[must_use]
    pub fn line(&self, text: &str) -> String {
        self.complete(text, |before| before.ends_with("  "))
    }

    /// A fault whose hint is complete; `otherwise` is the hint of one that has none.
    #[must_use]
    pub fn fault(&self, fault: &Fault, otherwise: Option<&str>) -> Fault {
        let hint = fault.hint.as_deref().or(otherwise).map(|hint| self.hint(hint));
        Fault { hint, ..fault.clone() }
    }

    fn complete(&self, text: &str, is_command: impl Fn(&str) -> bool) -> String {
        if *self == Self::default() || !text.contains(PROGRAM) {
            return text.to_owned();
        }
        let mut out = String::with_capacity(text.len());
        let mut rest = text;
        while let Some((before, after)) = rest.split_once(PROGRAM) {
            out.push_str(before);
            let starts = is_command(&out);
            out.push_str(PROGRAM);
            rest = after;
            if let Some((words, options)) = self.options(after).filter(|_| starts) {
                let (words, others) = after.split_at(words);
                out.push_str(words);
                out.push_str(&options);
                rest = others;
            }
        }
        out + rest
    }

    /// How long the words of the verb are at the beginning of this text, and what belongs behind them.
    fn options(&self, text: &str) -> Option<(usize, String)> {
        let word = |at: usize| text.get(at..).map(|rest| rest.split(|c: char| !c.is_ascii_alphanumeric() && c != '-'));
        let verb = word(0)?.next()?;
        let top = command();
        let known = top.find_subcommand(verb)?;
        if WITHOUT_VAULT.contains(&verb) {
            return None;
        }
        let mut end = verb.len();
        if text.get(end..).is_some_and(|rest| rest.starts_with(' '))
            && let Some(below) = word(end + 1)?.next().filter(|below| known.find_subcommand(below).is_some())
        {
            end += 1 + below.len();
        }
        // As far as this command goes.
        let line = text.split([';', '`', '\n']).next().unwrap_or_default();
        let line = line.split(PROGRAM).next().unwrap_or_default();
        let mut options = String::new();
        for (option, value) in [("--vault", &self.vault), ("--account", &self.account)] {
            let wanted = option == "--vault" || !WITHOUT_ACCOUNT.contains(&verb);
            if let Some(value) = value.as_ref().filter(|_| wanted && !line.contains(option)) {
                options.push_str(&format!(" {option} {value}"));
            }
        }
        Some((end, options))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hints(words: &[&str]) -> Hints {
        let all = ["tuckbox"].iter().chain(words);
        Hints::of(command().try_get_matches_from(all).unwrap().subcommand().unwrap().1)
    }

    #[test]
    fn commands_in_hints_can_be_typed() {
        let far = hints(&["versions", "--vault", "ssh://me@host:22/srv/a vault"]);
        for (hint, complete) in [
            ("tuckbox init", "tuckbox init --vault 'ssh://me@host:22/srv/a vault'"),
            (
                "with its 24 words: tuckbox key recover; or: tuckbox init --account NAME",
                "with its 24 words: tuckbox key recover --vault 'ssh://me@host:22/srv/a vault'; \
                 or: tuckbox init --vault 'ssh://me@host:22/srv/a vault' --account NAME",
            ),
            ("`tuckbox volume list` shows it", "`tuckbox volume list --vault 'ssh://me@host:22/srv/a vault'` shows it"),
            ("tuckbox init --vault /x makes one", "tuckbox init --vault /x makes one"),
            ("install tuckbox there, or update tuckbox", "install tuckbox there, or update tuckbox"),
            ("see `tuckbox help key`", "see `tuckbox help key`"),
            ("tuckbox config set a b; ~/tuckbox init", "tuckbox config set a b; ~/tuckbox init"),
            ("--key FILE", "--key FILE"),
        ] {
            assert_eq!(far.hint(hint), complete);
        }
    }

    #[test]
    fn the_account_is_named_where_one_is_meant() {
        let both = hints(&["versions", "--account", "vm", "--vault", "/v"]);
        assert_eq!(both.hint("tuckbox check --read-data"), "tuckbox check --vault /v --account vm --read-data");
        assert_eq!(both.hint("tuckbox account list"), "tuckbox account list --vault /v");
        assert_eq!(both.hint("tuckbox init --account NAME"), "tuckbox init --vault /v --account NAME");
    }

    #[test]
    fn nothing_else_is_touched() {
        let none = hints(&["versions"]);
        assert_eq!(none.hint("tuckbox init"), "tuckbox init");
        let far = hints(&["versions", "--vault", "/v"]);
        assert_eq!(far.line("Next:  tuckbox backup DIR"), "Next:  tuckbox backup --vault /v DIR");
        assert_eq!(far.line("Restored /home/tuckbox backup/x"), "Restored /home/tuckbox backup/x");
        assert_eq!(far.hint("tuckbox é; tuckbox "), "tuckbox é; tuckbox ");
    }
}
