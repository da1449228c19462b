//! One line a reason, for people and `grep`: `WARN account=mail check=late last=… text="…"`.

use super::{AccountStatus, Reason};
use crate::cli::json::rfc3339;
use crate::name::for_terminal;

/// The lines of an account, gravest first; each is whole by itself.
#[must_use]
pub fn lines(status: &AccountStatus) -> Vec<String> {
    status.reasons.iter().map(|reason| line(status, reason)).collect()
}

fn line(status: &AccountStatus, reason: &Reason) -> String {
    let facts = &status.facts;
    let mut pairs = vec![
        ("account", value(&facts.name)),
        ("check", reason.check.word().to_owned()),
        ("last", facts.newest_at.map_or_else(|| "never".to_owned(), seconds)),
    ];
    pairs.extend(status.last_success_ms().map(|took| ("took", format!("{}s", took.div_ceil(1000)))));
    pairs.extend(status.expected_at.map(|due| ("due", seconds(due))));
    pairs.extend(facts.stored_bytes.map(|bytes| ("stored", bytes.to_string())));
    pairs.extend(facts.terms.soft_bytes.map(|bytes| ("soft", bytes.to_string())));
    pairs.extend(facts.terms.hard_bytes.map(|bytes| ("hard", bytes.to_string())));
    pairs.extend(reason.code.as_deref().map(|code| ("code", value(code))));
    pairs.push(("text", quoted(&reason.text)));
    let pairs: Vec<String> = pairs.into_iter().map(|(name, value)| format!("{name}={value}")).collect();
    format!("{} {}", reason.level.word(), pairs.join(" "))
}

/// A moment to the second.
fn seconds(ms: i64) -> String {
    rfc3339(ms.div_euclid(1000).saturating_mul(1000)).replace(".000Z", "Z")
}

/// A value that is one word for `grep` and `cut`: anything else stands in quotation marks.
fn value(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-+:/@".contains(c);
    if !text.is_empty() && text.chars().all(plain) { text.to_owned() } else { quoted(text) }
}

/// In quotation marks, on one line, safe to print.
fn quoted(text: &str) -> String {
    format!("\"{}\"", for_terminal(text.as_bytes()).replace('"', "\\\""))
}

#[cfg(test)]
mod tests {
    use super::super::judge;
    use super::super::judge::tests::{MINUTE, facts, ran};
    use super::*;
    use crate::fault::Exit;

    #[test]
    fn a_line_is_pairs_that_can_be_searched() {
        let mut facts = facts();
        let newest = facts.newest_at.unwrap();
        facts.last_success = Some(ran(newest, Exit::Ok, None));
        facts.terms.hard_bytes = Some(2 << 30);
        assert_eq!(
            lines(&judge(facts.clone(), newest + 5 * MINUTE)),
            ["OK account=laptop-ana check=ok last=2027-01-16T08:00:00Z took=41s due=2027-01-17T10:00:00Z \
              stored=1073741824 hard=2147483648 text=\"last version 5 min ago\""]
        );
        facts.name = "an\na \"x\"\u{1b}[2J".to_owned();
        facts.newest_at = None;
        let told = lines(&judge(facts, newest));
        assert_eq!(told.len(), 1);
        assert!(
            told[0].starts_with("WARN account=\"an\\na \\\"x\\\"\\x1b[2J\" check=never last=never "),
            "{}",
            told[0]
        );
    }
}
