//! The prompt: account, place, time.

use crate::cli::inside::View;
use crate::name::{cut_middle, for_terminal, harmless_line};

/// Widest directory in a prompt, in columns.
const DIR_COLUMNS: usize = 40;

/// The prompt, plain and coloured: `laptop-ana:/docs@yesterday> `.
#[must_use]
pub fn prompt(account: Option<&str>, view: &View, home: Option<&std::path::Path>) -> (String, String) {
    let account = harmless_line(account.unwrap_or("tuckbox"));
    let dir = view.dir.as_deref().unwrap_or(b"/");
    let below = home.and_then(|home| dir.strip_prefix(home.as_os_str().as_encoded_bytes()));
    let shown = match below {
        Some(rest) if rest.is_empty() || rest.starts_with(b"/") => format!("~{}", for_terminal(rest)),
        _ => for_terminal(dir),
    };
    let dir = cut_middle(&shown, DIR_COLUMNS);
    let at = view.at.as_deref().map(|at| format!("@{}", harmless_line(at))).unwrap_or_default();
    let plain = format!("{account}:{dir}{at}> ");
    let styled = format!("\x1b[32m{account}\x1b[0m:\x1b[34;1m{dir}\x1b[0m\x1b[35m{at}\x1b[0m> ");
    (plain, styled)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    #[test]
    fn it_shows_account_place_and_time() {
        let view = View { dir: Some(b"/home/ana/do\x1bcs".to_vec()), at: Some("2 days ago".into()) };
        let home = Some(Path::new("/home/ana"));
        assert_eq!(prompt(Some("laptop"), &view, home).0, "laptop:~/do\\x1bcs@2 days ago> ");
        assert_eq!(prompt(None, &View::default(), home).0, "tuckbox:/> ");
    }
}
