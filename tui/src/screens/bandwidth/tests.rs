//! Traffic and rates, by keys and pictures.

use super::*;
use crate::console::stage::{ASCII, COLOUR, HOUR_MS, MONO, NOW_MS, Stage};
use agent::fault::{Code, Fault};
use serde_json::json;

fn records() -> Answer {
    let at = |ms: i64| jiff::Timestamp::from_millisecond(ms).unwrap().to_string();
    let mut records = vec![json!({"type": "start"})];
    for hour in 0..40_i64 {
        let start = (NOW_MS - hour * HOUR_MS).div_euclid(HOUR_MS) * HOUR_MS;
        for (number, name) in [(0, "web01"), (1, "laptop-ana"), (2, "db\u{202e}01")] {
            let wave = (hour * 7 + number * 3) % 11;
            if wave > 3 {
                records.push(
                    json!({"type": "traffic", "account": name, "in_bytes": wave << 24, "out_bytes": (11 - wave) << 18,
                    "from_at": at(start), "to_at": at(start + HOUR_MS), "sessions": 2}),
                );
            }
        }
    }
    Answer::Records(Arc::new(records))
}

fn is_groups(ask: &Ask) -> bool {
    matches!(ask, Ask::Records(words) if words[0] == "group")
}

fn is_status(ask: &Ask) -> bool {
    matches!(ask, Ask::Status(_))
}

/// The screen of who looks after the vault, with rates and groups.
fn settled(size: (u16, u16), theme: crate::console::theme::Theme) -> Stage {
    let mut stage = Stage::new(size, theme);
    stage.app.shared().admin = true;
    let mut accounts = crate::screens::dashboard::tests::accounts();
    accounts.truncate(2);
    for account in &mut accounts {
        let group = agent::engine::job::GroupContacts { name: "office".into(), contacts: Vec::new() };
        account.facts.groups = vec![group];
    }
    accounts[1].facts.terms.rate = Some("limit = 2M; limit mon-fri 08:00-18:00 = 200k".into());
    let statuses = Statuses { vault: "ab".into(), now_ms: NOW_MS, accounts, words_never_shown: false };
    let groups =
        vec![json!({"type": "group", "group": "office", "member_count": 2, "rate": "5M", "hard_bytes": 1_u64 << 40})];
    stage
        .press("6")
        .answer(is_status, Ok(Answer::Status(Arc::new(statuses))))
        .answer(is_groups, Ok(Answer::Records(Arc::new(groups))))
        .answer(is_traffic, Ok(records()));
    stage
}

#[test]
fn a_day_of_universal_time_is_called_so_everywhere() {
    let mut stage = Stage::new((80, 24), MONO);
    stage.app.shared().zone = jiff::tz::TimeZone::posix("EST5").unwrap();
    let day = json!({"type": "traffic", "in_bytes": 5, "out_bytes": 7, "from_at": "2026-11-20T00:00:00.000Z"});
    stage.press("6 b").answer(is_traffic, Ok(Answer::Records(Arc::new(vec![day]))));
    assert!(stage.text().contains("by day of UTC") && stage.text().contains("Nov 20"), "{}", stage.text());
}

#[test]
fn rates_and_groups_stand_beside_the_numbers() {
    settled((120, 40), MONO).pinned("bandwidth-rates-120x40");
    settled((80, 24), MONO).press("a").pinned("bandwidth-groups-80x24");
    settled((200, 50), MONO).press("o").pinned("bandwidth-only-200x50");
}

#[test]
fn a_rate_is_changed_by_a_plan() {
    let mut stage = settled((80, 24), MONO);
    stage.effects.clear();
    stage.press("t");
    assert!(stage.text().contains("Rate of account db"), "{}", stage.text());
    stage.press("Esc Down t C-u \"fast\" Enter");
    assert!(stage.app.is_covered() && stage.app.shared().plan.is_empty());
    stage.press("C-u \"limit = 1M; limit sat,sun = none\"").pinned("rate-prompt");
    stage.press("Enter");
    assert_eq!(stage.app.shared().plan.len(), 1);
    let is_info = |ask: &Ask| matches!(ask, Ask::Say(words) if words == &["account", "info", "web01"]);
    let lines = ["account          web01", "rate             limit = 2M"].map(str::to_owned).to_vec();
    stage.answer(is_info, Ok(Answer::Said(Arc::new(lines), 0))).pinned("review-rate");
    assert!(!stage.effects.iter().any(|effect| matches!(effect, Effect::Run { .. })));
    stage.press("Enter Tab Enter");
    let run = stage.effects.iter().find_map(|effect| match effect {
        Effect::Run { words, .. } => Some(words.clone()),
        _ => None,
    });
    let wanted = ["account", "set", "web01", "--rate", "limit = 1M; limit sat,sun = none"];
    assert_eq!(run.unwrap(), wanted);
}

#[test]
fn who_does_not_look_after_the_vault_changes_nothing_in_it() {
    let mut stage = Stage::new((80, 24), MONO);
    stage.press("6").answer(is_traffic, Ok(records())).press("t");
    assert!(stage.text().contains("only who looks after the vault"), "{}", stage.text());
}

fn is_traffic(ask: &Ask) -> bool {
    matches!(ask, Ask::Records(words) if words[0] == "traffic")
}

#[test]
fn a_chart_and_its_numbers() {
    for (theme, size, name) in [
        (COLOUR, (80, 24), "bandwidth-80x24"),
        (ASCII, (80, 24), "bandwidth-80x24-ascii"),
        (MONO, (120, 40), "bandwidth-120x40"),
        (MONO, (40, 10), "bandwidth-40x10"),
    ] {
        let mut stage = Stage::new(size, theme);
        stage.press("6").answer(is_traffic, Ok(records())).pinned(name);
    }
}

#[test]
fn periods_and_accounts_are_asked_for() {
    let mut stage = Stage::new((80, 24), MONO);
    stage.press("6").answer(is_traffic, Ok(records()));
    stage.press("b");
    let words = |stage: &mut Stage, wanted: &[&str]| {
        stage.asked(|ask| matches!(ask, Ask::Records(words) if words == wanted)).is_some()
    };
    assert!(words(&mut stage, &["traffic", "--by", "day"]));
    stage.press("a");
    assert!(words(&mut stage, &["traffic", "--by", "day", "--all"]));
    stage.effects.clear();
    stage.press("e");
    assert!(matches!(&stage.effects[..], [Effect::Copy(text)] if text == "tuckbox traffic --by day --all --json"));
}

#[test]
fn a_refusal_is_told() {
    let mut stage = Stage::new((80, 24), MONO);
    stage.press("6").answer(is_traffic, Err(Fault::new(Code::PolicyRole, "this key may not see all accounts")));
    assert!(stage.text().contains("this key may not see all accounts"));
}
