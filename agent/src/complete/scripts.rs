//! Completion files of other shells. Verbs and options stand in them; values (paths in versions, versions, accounts) are asked
//! of `tuckbox __complete`, which answers in the quotes that the shell has open.

use clap::{Arg, Command};

use crate::command::VERBS;

/// One shell.
pub struct Shell {
    /// Its name.
    pub name: &'static str,
    /// Its file in `completions/`.
    pub file: &'static str,
    /// What stands in that file.
    pub script: fn() -> String,
}

/// Shells that have a file.
pub static SHELLS: [Shell; 3] = [
    Shell { name: "bash", file: "tuckbox.bash", script: bash },
    Shell { name: "zsh", file: "_tuckbox", script: zsh },
    Shell { name: "fish", file: "tuckbox.fish", script: fish },
];

/// A verb with what is completed after it.
struct Entry {
    name: String,
    about: String,
    options: Vec<Opt>,
    below: Vec<(String, String)>,
}

struct Opt {
    long: String,
    short: Option<char>,
    help: String,
    value: bool,
}

fn entries() -> (Vec<Entry>, Vec<Opt>) {
    let mut top = crate::cli::command();
    top.build();
    let entry = |command: &Command| Entry {
        name: command.get_name().to_owned(),
        about: text(command.get_about()),
        options: options(command),
        below: command
            .get_subcommands()
            .filter(|sub| !sub.is_hide_set())
            .map(|sub| (sub.get_name().to_owned(), text(sub.get_about())))
            .collect(),
    };
    let shown = VERBS.iter().filter(|verb| !verb.is_hidden()).filter_map(|verb| top.find_subcommand(verb.name));
    (shown.map(entry).collect(), options(&top))
}

fn options(command: &Command) -> Vec<Opt> {
    // Those of words below count, too: `key export -o`.
    let own = command.get_arguments();
    let below = command.get_subcommands().flat_map(Command::get_arguments);
    let mut all: Vec<Opt> = Vec::new();
    for arg in own.chain(below).filter(|arg| !arg.is_hide_set()) {
        let Some(long) = arg.get_long().filter(|long| all.iter().all(|opt| opt.long != *long)) else { continue };
        all.push(option(long, arg));
    }
    all
}

fn option(long: &str, arg: &Arg) -> Opt {
    let value = arg.get_action().takes_values();
    Opt { long: long.to_owned(), short: arg.get_short(), help: text(arg.get_help()), value }
}

fn text(of: Option<&clap::builder::StyledStr>) -> String {
    of.map(ToString::to_string).unwrap_or_default().split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Words of options that take a value and may stand before the verb.
fn with_values(options: &[Opt]) -> String {
    options.iter().filter(|opt| opt.value).map(|opt| format!("--{}", opt.long)).collect::<Vec<_>>().join("|")
}

fn longs(options: &[Opt]) -> String {
    options.iter().map(|opt| format!("--{}", opt.long)).collect::<Vec<_>>().join(" ")
}

fn bash() -> String {
    let (entries, globals) = entries();
    let verbs: Vec<&str> = entries.iter().map(|entry| entry.name.as_str()).collect();
    let mut cases = String::new();
    for entry in &entries {
        cases.push_str(&format!("    {}) options='{}' ;;\n", entry.name, longs(&entry.options)));
    }
    format!(
        r#"# Completion of tuckbox for bash, made by `tuckbox completions bash`.

_tuckbox() {{
    local cur=${{COMP_WORDS[COMP_CWORD]}} line=${{COMP_LINE:0:COMP_POINT}}
    local verb='' options='' i more text
    COMPREPLY=()
    for ((i = 1; i < COMP_CWORD; i++)); do
        case ${{COMP_WORDS[i]}} in
        {values}) ((i++)) ;;
        -* | =) ;;
        *) verb=${{COMP_WORDS[i]}}; break ;;
        esac
    done
    case $verb in
    '') options='{globals}' ;;
{cases}    esac
    if [[ $cur == -* && $cur != *=* && $line != *' -- '* ]]; then
        mapfile -t COMPREPLY < <(compgen -W "$options" -- "$cur")
        return
    fi
    if [[ -z $verb && ${{COMP_WORDS[COMP_CWORD - 1]}} != @({values}) && $cur != = ]]; then
        mapfile -t COMPREPLY < <(compgen -W '{verbs}' -- "$cur")
        return
    fi
    # Paths in versions, versions, accounts, words: what the program knows, in the quotes that are open.
    while IFS=$'\t' read -r more text _; do
        COMPREPLY+=("$text")
        [[ $more == 0 ]] && compopt -o nospace
    done < <("${{COMP_WORDS[0]/#\~/$HOME}}" __complete bash "$line" "$cur" 2>/dev/null)
}}
complete -F _tuckbox tuckbox
"#,
        values = with_values(&globals),
        globals = longs(&globals),
        verbs = verbs.join(" "),
    )
}

/// In single quotes of zsh, where a colon parts a word from what is said of it.
fn zsh_quoted(text: &str) -> String {
    text.replace('\\', "\\\\").replace(':', "\\:").replace('\'', "'\\''")
}

fn zsh() -> String {
    let (entries, globals) = entries();
    let pairs = |options: &[Opt]| {
        let pair = |opt: &Opt| format!("        '--{}:{}'\n", opt.long, zsh_quoted(&opt.help));
        options.iter().map(pair).collect::<String>()
    };
    let mut verbs = String::new();
    let mut cases = String::new();
    for entry in &entries {
        verbs.push_str(&format!("        '{}:{}'\n", entry.name, zsh_quoted(&entry.about)));
        cases.push_str(&format!("    {}) options=(\n{}    ) ;;\n", entry.name, pairs(&entry.options)));
    }
    format!(
        r#"#compdef tuckbox
# Completion of tuckbox for zsh, made by `tuckbox completions zsh`.

_tuckbox() {{
    local verb='' i more text about
    local -a verbs options
    for ((i = 2; i < CURRENT; i++)); do
        case $words[i] in
        ({values}) ((i++)) ;;
        (-*) ;;
        (*) verb=$words[i]; break ;;
        esac
    done
    verbs=(
{verbs}    )
    case $verb in
    '') options=(
{globals}    ) ;;
{cases}    esac
    if [[ $PREFIX == -* && $PREFIX != *=* && ${{words[(i)--]}} -ge $CURRENT ]]; then
        _describe -o option options
        return
    fi
    if [[ -z $verb && $words[CURRENT-1] != ({values}) ]]; then
        _describe verb verbs
        return
    fi
    # Paths in versions, versions, accounts, words: what the program knows, in the quotes that are open.
    local -a finished unfinished
    while IFS=$'\t' read -r more text about; do
        if [[ $more == 0 ]]; then unfinished+=("$text"); else finished+=("$text"); fi
    done < <("${{words[1]/#\~/$HOME}}" __complete zsh "${{LBUFFER}}" "${{PREFIX}}" 2>/dev/null)
    (($#unfinished)) && compadd -U -Q -S '' -- $unfinished
    (($#finished)) && compadd -U -Q -- $finished
    (($#unfinished + $#finished))
}}

if [[ $funcstack[1] == _tuckbox ]]; then _tuckbox "$@"; else compdef _tuckbox tuckbox; fi
"#,
        values = with_values(&globals),
        globals = pairs(&globals),
    )
}

fn fish_quoted(text: &str) -> String {
    text.replace('\\', "\\\\").replace('\'', "\\'")
}

fn fish() -> String {
    let (entries, globals) = entries();
    let mut out = String::from(
        r#"# Completion of tuckbox for fish, made by `tuckbox completions fish`.

function __tuckbox_values
    # Paths in versions, versions, accounts, words: what the program knows. fish quotes by itself.
    set -l program (commandline -opc)[1]
    $program __complete fish (commandline -cp | string collect) 2>/dev/null
end

complete -c tuckbox -f
complete -c tuckbox -n 'not __fish_use_subcommand' -a '(__tuckbox_values)'
"#,
    );
    let global: Vec<&str> = globals.iter().map(|opt| opt.long.as_str()).collect();
    let line = |condition: &str, opt: &Opt| {
        let short = opt.short.map(|short| format!(" -s {short}")).unwrap_or_default();
        let value = if opt.value { " -x -a '(__tuckbox_values)'" } else { "" };
        format!("complete -c tuckbox{condition} -l {}{short}{value} -d '{}'\n", opt.long, fish_quoted(&opt.help))
    };
    for entry in &entries {
        let (name, about) = (&entry.name, fish_quoted(&entry.about));
        out.push_str(&format!("complete -c tuckbox -n __fish_use_subcommand -a {name} -d '{about}'\n"));
        for opt in entry.options.iter().filter(|opt| !global.contains(&opt.long.as_str())) {
            out.push_str(&line(&format!(" -n '__fish_seen_subcommand_from {name}'"), opt));
        }
        for (word, about) in &entry.below {
            let condition = format!("__fish_seen_subcommand_from {name}");
            out.push_str(&format!("complete -c tuckbox -n '{condition}' -a {word} -d '{}'\n", fish_quoted(about)));
        }
    }
    for opt in &globals {
        out.push_str(&line("", opt));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_committed_files_are_these() {
        let dir = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../completions");
        for shell in &SHELLS {
            let file = dir.join(shell.file);
            if std::env::var_os("TUCKBOX_PIN").is_some() {
                std::fs::write(&file, (shell.script)()).unwrap();
            }
            let committed = std::fs::read_to_string(&file).unwrap();
            let how = format!("tuckbox completions {} > completions/{}", shell.name, shell.file);
            assert!(committed == (shell.script)(), "{} changed; when that is meant: {how}", shell.file);
        }
    }

    #[test]
    fn every_verb_stands_in_each() {
        for shell in &SHELLS {
            let script = (shell.script)();
            for verb in VERBS.iter().filter(|verb| !verb.is_hidden()) {
                assert!(script.contains(verb.name), "{}: {}", shell.name, verb.name);
            }
            assert!(!script.contains("__complete\n"));
        }
    }
}
