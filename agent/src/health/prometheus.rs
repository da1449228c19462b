//! For Prometheus and what reads its text format (version 0.0.4): all samples of a metric in one block, below its HELP and
//! TYPE, with escaped labels. Whoever collects from a file writes it beside and renames it.

use std::fmt::Write;

use super::{AccountStatus, Standing};

/// One metric of every account: its name, what it says, and its value where there is one.
struct Metric {
    name: &'static str,
    help: &'static str,
    value: fn(&AccountStatus) -> Option<Value>,
}

/// A value as it is written: seconds to the millisecond, everything else whole.
enum Value {
    Whole(u64),
    Seconds(i64),
}

fn whole(value: Option<u64>) -> Option<Value> {
    value.map(Value::Whole)
}

const METRICS: &[Metric] = &[
    Metric {
        name: "tuckbox_account_attention",
        help: "Whether a person is needed: 0 no, 1 somebody should look, 2 what should be safe is not.",
        value: |s| Some(Value::Whole(s.level as u64)),
    },
    Metric {
        name: "tuckbox_account_created_timestamp_seconds",
        help: "When the account was made.",
        value: |s| Some(Value::Seconds(s.facts.created_at)),
    },
    Metric {
        name: "tuckbox_last_version_timestamp_seconds",
        help: "When the newest version was received.",
        value: |s| s.facts.newest_at.map(Value::Seconds),
    },
    Metric {
        name: "tuckbox_last_version_duration_seconds",
        help: "How long the run took that made the newest version.",
        value: |s| s.last_success_ms().and_then(|ms| i64::try_from(ms).ok()).map(Value::Seconds),
    },
    Metric {
        name: "tuckbox_next_version_due_timestamp_seconds",
        help: "When the account counts as late.",
        value: |s| s.expected_at.map(Value::Seconds),
    },
    Metric {
        name: "tuckbox_last_run_timestamp_seconds",
        help: "When the server was told of the last run.",
        value: |s| s.facts.last_run.as_ref().map(|run| Value::Seconds(run.told_at)),
    },
    Metric {
        name: "tuckbox_last_run_exit_code",
        help: "The exit class of the last run: 0 ok, 3 partial, everything else failed.",
        value: |s| whole(s.facts.last_run.as_ref().map(|run| run.run.exit.into())),
    },
    Metric {
        name: "tuckbox_last_run_errors",
        help: "Items that the last run left out or doubts.",
        value: |s| whole(s.facts.last_run.as_ref().map(|run| run.run.figures.errors)),
    },
    Metric {
        name: "tuckbox_stored_bytes",
        help: "Bytes of the packs of the account.",
        value: |s| whole(s.facts.stored_bytes),
    },
    Metric {
        name: "tuckbox_soft_limit_bytes",
        help: "Above this the oldest versions go first.",
        value: |s| whole(s.facts.terms.soft_bytes),
    },
    Metric {
        name: "tuckbox_hard_limit_bytes",
        help: "Above this nothing is added.",
        value: |s| whole(s.facts.terms.hard_bytes),
    },
];

/// The whole text; empty metrics are left out.
#[must_use]
pub fn text(accounts: &[AccountStatus]) -> String {
    let mut out = String::new();
    // Writing to a string never fails.
    write_all(&mut out, accounts).unwrap_or(());
    out
}

fn write_all(out: &mut String, accounts: &[AccountStatus]) -> std::fmt::Result {
    block(out, "tuckbox_accounts", "Accounts by how they are.")?;
    for standing in Standing::ALL {
        let count = accounts.iter().filter(|status| status.standing == standing).count();
        writeln!(out, "tuckbox_accounts{{status=\"{}\"}} {count}", standing.word())?;
    }
    if !accounts.is_empty() {
        block(out, "tuckbox_account_status", "1 for the status that the account has, 0 for all others.")?;
        for status in accounts {
            for standing in Standing::ALL {
                let (labels, is) = (labels(status), u8::from(status.standing == standing));
                writeln!(out, "tuckbox_account_status{{{labels},status=\"{}\"}} {is}", standing.word())?;
            }
        }
    }
    for metric in METRICS {
        let mut samples = accounts.iter().filter_map(|s| Some((s, (metric.value)(s)?))).peekable();
        if samples.peek().is_none() {
            continue;
        }
        block(out, metric.name, metric.help)?;
        for (status, value) in samples {
            write!(out, "{}{{{}}} ", metric.name, labels(status))?;
            match value {
                Value::Whole(value) => writeln!(out, "{value}")?,
                Value::Seconds(ms) => writeln!(out, "{}", seconds(ms))?,
            }
        }
    }
    Ok(())
}

fn block(out: &mut String, name: &str, help: &str) -> std::fmt::Result {
    writeln!(out, "# HELP {name} {help}\n# TYPE {name} gauge")
}

fn seconds(ms: i64) -> String {
    let sign = if ms < 0 { "-" } else { "" };
    let ms = ms.unsigned_abs();
    if ms.is_multiple_of(1000) {
        format!("{sign}{}", ms / 1000)
    } else {
        format!("{sign}{}.{:03}", ms / 1000, ms % 1000)
    }
}

fn labels(status: &AccountStatus) -> String {
    format!("account=\"{}\",number=\"{:#x}\"", escaped(&status.facts.name), status.facts.number)
}

/// A label's value: the format knows three escapes.
fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::super::judge;
    use super::super::judge::tests::{facts, ran};
    use super::*;
    use crate::fault::Exit;

    /// Whether a text is what the format allows: each metric once, HELP and TYPE first, values that are numbers.
    fn check(text: &str) -> usize {
        let (mut seen, mut now, mut samples) = (BTreeSet::new(), String::new(), 0);
        assert!(text.ends_with('\n'));
        for line in text.lines() {
            if let Some(rest) = line.strip_prefix("# HELP ") {
                now = rest.split(' ').next().unwrap().to_owned();
                assert!(seen.insert(now.clone()), "{now} twice");
            } else if let Some(rest) = line.strip_prefix("# TYPE ") {
                assert_eq!(rest, format!("{now} gauge"));
            } else {
                let (name, rest) = line.split_once('{').unwrap();
                assert_eq!(name, now);
                let (labels, value) = rest.rsplit_once("} ").unwrap();
                assert!(value.parse::<f64>().is_ok(), "{line}");
                // Every quotation mark within a value is escaped.
                let bare = labels.replace("\\\\", "").replace("\\\"", "");
                assert!(bare.matches('"').count().is_multiple_of(2) && labels.ends_with('"'), "{line}");
                samples += 1;
            }
        }
        samples
    }

    #[test]
    fn the_text_follows_the_rules_of_its_format() {
        let mut odd = facts();
        odd.name = "a\\b\"c\nd} 7".to_owned();
        odd.last_success = Some(ran(odd.newest_at.unwrap(), Exit::Ok, None));
        odd.last_run = odd.last_success.clone();
        let now = odd.newest_at.unwrap();
        let told = text(&[judge(odd, now), judge(facts(), now)]);
        assert_eq!(check(&told), 8 + 2 * 8 + 2 * 5 + 4, "{told}");
        assert!(told.contains("account=\"a\\\\b\\\"c\\nd} 7\",number=\"0x3a\""), "{told}");
        assert!(
            told.contains("tuckbox_last_version_duration_seconds{account=\"a\\\\b\\\"c\\nd} 7\",number=\"0x3a\"} 41\n")
        );
        assert!(told.contains("tuckbox_account_status{account=\"laptop-ana\",number=\"0x3a\",status=\"ok\"} 1\n"));
        assert_eq!(check(&text(&[])), 8);
        assert_eq!((seconds(-1500).as_str(), seconds(2000).as_str()), ("-1.500", "2"));
    }
}
