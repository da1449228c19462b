//! The manual, made from the table of verbs: a page for the program, one for each verb, and one for the words of the shell.

use clap::{Arg, Command};

use crate::command::VERBS;
use crate::fault::Code;
use crate::shell;

/// One page.
pub struct Page {
    /// Its file.
    pub file: String,
    /// What stands in it.
    pub text: String,
}

/// All pages, the program's first.
#[must_use]
pub fn pages() -> Vec<Page> {
    let mut top = super::command();
    top.build();
    let shown = VERBS.iter().filter(|verb| !verb.is_hidden());
    let mut pages = vec![Page { file: "tuckbox.1".into(), text: program(&top) }];
    pages.extend(shown.filter_map(|verb| {
        let command = top.find_subcommand(verb.name)?;
        Some(Page { file: format!("tuckbox-{}.1", verb.name), text: of_verb(command, verb.examples) })
    }));
    pages
}

/// A text in which nothing is a request or an escape of the formatter.
fn plain(text: &str) -> String {
    let escaped = text.replace('\\', "\\e").replace('-', "\\-");
    let guard = |line: &str| match line.starts_with(['.', '\'']) {
        true => format!("\\&{line}"),
        false => line.to_owned(),
    };
    escaped.lines().map(guard).collect::<Vec<_>>().join("\n")
}

fn head(name: &str, about: &str) -> String {
    let title = name.to_uppercase();
    let version = env!("CARGO_PKG_VERSION");
    format!(
        ".TH \"{}\" \"1\" \"\" \"tuckbox {}\" \"tuckbox\"\n.SH NAME\n{} \\- {}\n",
        plain(&title),
        plain(version),
        plain(name),
        plain(about)
    )
}

fn synopsis(command: &Command, name: &str) -> String {
    let mut out = format!(".SH SYNOPSIS\n.B {}\n", plain(name));
    if command.has_subcommands() {
        out.push_str(&format!(".I {}\n", plain(command.get_subcommand_value_name().unwrap_or("WHAT"))));
    }
    out.push_str("[\\fIOPTIONS\\fR]\n");
    for arg in command.get_positionals() {
        let value = value_of(arg);
        let many = if arg.get_num_args().is_some_and(|range| range.max_values() > 1) { "\\&..." } else { "" };
        out.push_str(&match arg.is_required_set() {
            true => format!("\\fI{value}\\fR{many}\n"),
            false => format!("[\\fI{value}\\fR]{many}\n"),
        });
    }
    out
}

fn value_of(arg: &Arg) -> String {
    let names = arg.get_value_names().unwrap_or_default();
    match names.first() {
        Some(name) => plain(name),
        None => plain(&arg.get_id().as_str().to_uppercase()),
    }
}

fn arguments(command: &Command, heading: &str, global: bool) -> String {
    let shown: Vec<&Arg> =
        command.get_arguments().filter(|arg| !arg.is_hide_set() && arg.is_global_set() == global).collect();
    if shown.is_empty() {
        return String::new();
    }
    let mut out = format!(".SH {heading}\n");
    for arg in shown {
        out.push_str(&argument(arg));
    }
    out
}

fn argument(arg: &Arg) -> String {
    let mut names: Vec<String> = Vec::new();
    names.extend(arg.get_short().map(|short| format!("\\fB\\-{short}\\fR")));
    names.extend(arg.get_long().map(|long| format!("\\fB{}\\fR", plain(&format!("--{long}")))));
    let mut line = names.join(", ");
    if arg.is_positional() {
        line = format!("\\fI{}\\fR", value_of(arg));
    } else if arg.get_action().takes_values() {
        line.push_str(&format!(" \\fI{}\\fR", value_of(arg)));
    }
    let mut help = arg.get_help().map(ToString::to_string).unwrap_or_default();
    if !help.ends_with(['.', ']', ')']) {
        help.push('.');
    }
    let words: Vec<String> = arg.get_possible_values().iter().map(|value| value.get_name().to_owned()).collect();
    if arg.get_action().takes_values() && !words.is_empty() {
        help.push_str(&format!(" One of {}.", words.join(", ")));
    }
    format!(".TP\n{line}\n{}\n", plain(&help))
}

fn examples(lines: &[&str]) -> String {
    let mut out = String::from(".SH EXAMPLES\n.nf\n");
    lines.iter().for_each(|line| out.push_str(&format!("{}\n", plain(&format!("tuckbox {line}")))));
    out + ".fi\n"
}

/// What every page ends with.
const STATUS: &str = ".SH EXIT STATUS\n0 done; 1 failed; 2 usage; 3 partial; 4 differs; 5 not found; 6 busy; 7 denied; \
8 unreachable; 9 full; 10 damaged; 11 incompatible; 12 refused; 128+N ended by signal N. With an error comes its code;\n\
.B tuckbox explain\n.I CODE\ntells more.\n";

fn of_verb(command: &Command, lines: &[&str]) -> String {
    let name = format!("tuckbox-{}", command.get_name());
    let about = command.get_about().map(ToString::to_string).unwrap_or_default();
    let mut out = head(&name, &about);
    out.push_str(&synopsis(command, &format!("tuckbox {}", command.get_name())));
    out.push_str(&format!(".SH DESCRIPTION\n{}.\n", plain(&about)));
    let below: Vec<&Command> = command.get_subcommands().filter(|sub| !sub.is_hide_set()).collect();
    for sub in &below {
        let about = sub.get_about().map(ToString::to_string).unwrap_or_default();
        let name = plain(&format!("{} {}", command.get_name(), sub.get_name()));
        out.push_str(&format!(".SS {name}\n{}.\n", plain(&about)));
        let own = sub.get_arguments().filter(|arg| !arg.is_hide_set() && !arg.is_global_set());
        own.filter(|arg| arg.get_id() != "help").for_each(|arg| out.push_str(&argument(arg)));
    }
    if command.get_name() == "shell" {
        out.push_str(&shell_words());
    }
    out.push_str(&arguments(command, "OPTIONS", false));
    out.push_str(&arguments(command, "GLOBAL OPTIONS", true));
    out.push_str(&examples(lines));
    out.push_str(STATUS);
    out.push_str(".SH SEE ALSO\n.BR tuckbox (1)\n");
    out
}

fn shell_words() -> String {
    let mut out = String::from(
        ".SH WORDS OF THE SHELL\nEvery verb can be used as on the command line. Paths begin at the directory of\n\
         .BR cd ,\nand the version is that of\n.BR at .\nPaths may hold *, ?, [..] and **. Commands stand apart by\n\
         .BR ; ;\none that ends with\n.B &\nruns beside the prompt. The interrupt key ends a command and not the shell.\n",
    );
    for word in shell::WORDS {
        out.push_str(&format!(".TP\n\\fB{}\\fR {}\n{}.\n", plain(word.name), plain(word.usage), plain(word.about)));
    }
    out + ".TP\n\\fB!\\fR\\fICOMMAND\\fR\nRun a command of this machine.\n"
}

fn program(top: &Command) -> String {
    let about = top.get_about().map(ToString::to_string).unwrap_or_default();
    let mut out = head("tuckbox", about.trim_end_matches('.'));
    out.push_str(".SH SYNOPSIS\n.B tuckbox\n.I VERB\n[\\fIOPTIONS\\fR]\n");
    out.push_str(&format!(".SH DESCRIPTION\n{}\n.SH VERBS\n", plain(&about)));
    for verb in VERBS.iter().filter(|verb| !verb.is_hidden()) {
        out.push_str(&format!(".TP\n.BR {} (1)\n{}.\n", plain(&format!("tuckbox-{}", verb.name)), plain(verb.about)));
    }
    out.push_str(&arguments(top, "GLOBAL OPTIONS", true));
    out.push_str(".SH ENVIRONMENT\n");
    for key in crate::config::keys::ALL.iter().filter_map(|key| Some((key.env?, key))) {
        out.push_str(&format!(".TP\n.B {}\n{}\n", key.0, plain(key.1.about)));
    }
    out.push_str(
        ".SH FILES\n.TP\n.I ~/.config/tuckbox/config.toml\nThe configuration;\n.B tuckbox config template\nprints one \
         with every key.\n.TP\n.I ~/.config/tuckbox/keys\nKeys. Whoever has one can read its backups; without it and \
         the recovery words nobody can.\n",
    );
    out.push_str(STATUS);
    out.push_str(".SH ERRORS\n");
    for code in Code::ALL {
        out.push_str(&format!(".TP\n.B {}\n{}\n", plain(code.name()), plain(super::explain::page(*code).text)));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_verb_has_a_page_with_its_options() {
        let pages = pages();
        for verb in VERBS.iter().filter(|verb| !verb.is_hidden()) {
            let file = format!("tuckbox-{}.1", verb.name);
            let page = pages.iter().find(|page| page.file == file).unwrap();
            assert!(page.text.contains(".SH EXAMPLES") && page.text.contains(".SH GLOBAL OPTIONS"), "{file}");
        }
        let ls = pages.iter().find(|page| page.file == "tuckbox-ls.1").unwrap();
        assert!(ls.text.contains("\\fB\\-l\\fR, \\fB\\-\\-long\\fR"), "{}", ls.text);
        assert!(pages[0].text.contains("TUCKBOX_VAULT") && pages[0].text.contains("source.busy"));
    }

    #[test]
    fn nothing_is_taken_for_a_request() {
        assert_eq!(plain(".x\n'y\na\\b-c"), "\\&.x\n\\&'y\na\\eb\\-c");
    }
}
