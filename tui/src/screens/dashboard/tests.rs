//! The dashboard, by keys and pictures.

use std::sync::Arc;

use agent::engine::job::{
    AccountStateWord, AccountStatus, Figures, HealthFacts, RunFacts, RunReport, Statuses, Terms, Whose,
};
use agent::fault::{Code, Fault};
use agent::health::judge;

use crate::console::ask::{Answer, Ask};
use crate::console::effect::Effect;
use crate::console::stage::{ASCII, COLOUR, DAY_MS, HOUR_MS, MINUTE_MS, MONO, NOW_MS, Stage};
use crate::console::theme::Theme;
use crate::screens::ScreenId;

const GIB: u64 = 1 << 30;

fn facts(number: u32, name: &str, age_ms: i64, stored: u64) -> HealthFacts {
    let figures = Figures { files_new: 1_204, files_changed: 31, sent_bytes: 31 << 20, ..Figures::default() };
    let run = RunReport { verb: "backup".into(), took_ms: 41_000, figures, ..RunReport::default() };
    HealthFacts {
        number,
        name: name.into(),
        id: store::id::AccountId::new([7; 16]),
        state: AccountStateWord::Open,
        reason: String::new(),
        goes_at: None,
        created_at: NOW_MS - 400 * DAY_MS,
        terms: Terms { hard_bytes: Some(100 * GIB), late_after_ms: Some(DAY_MS as u64), ..Terms::default() },
        newest_at: Some(NOW_MS - age_ms),
        stored_bytes: Some(stored),
        last_run: Some(RunFacts { told_at: NOW_MS - age_ms, run }),
        last_success: None,
        hours_in: (0..24).map(|hour| u64::from(hour * number % 7) << 24).collect(),
        hours_out: vec![0; 24],
        groups: Vec::new(),
        absent_volumes: None,
        holes: None,
        last_check: None,
        waiting: None,
    }
}

pub(crate) fn accounts() -> Vec<AccountStatus> {
    let mut new = facts(6, "pi-cellar", 0, 0);
    (new.newest_at, new.last_run, new.created_at) = (None, None, NOW_MS - HOUR_MS);
    let mut failing = facts(7, "evil\u{1b}[31m\u{202e}name", HOUR_MS, 5 * GIB);
    if let Some(run) = &mut failing.last_run {
        (run.run.exit, run.run.code) = (9, Some("disk.full".into()));
    }
    let all = vec![
        facts(1, "laptop-ana", 12 * MINUTE_MS, 48 * GIB),
        facts(2, "web01", 30_000, 79 * GIB),
        facts(3, "db01", 3 * HOUR_MS, 18 * GIB),
        facts(4, "mail", 2 * DAY_MS + 4 * HOUR_MS, 63 * GIB),
        facts(5, "nas", 40 * MINUTE_MS, 101 * GIB),
        new,
        failing,
    ];
    all.into_iter().map(|facts| judge(facts, NOW_MS)).collect()
}

fn is_all(ask: &Ask) -> bool {
    matches!(ask, Ask::Status(Whose::All))
}

fn answer(accounts: Vec<AccountStatus>) -> Result<Answer, Fault> {
    Ok(Answer::Status(Arc::new(Statuses { vault: "ab".into(), now_ms: NOW_MS, accounts, words_never_shown: false })))
}

/// No account is named.
fn stage(size: (u16, u16), theme: Theme) -> Stage {
    let mut stage = Stage::new(size, theme);
    stage.app.shared().account = None;
    stage.answer(is_all, answer(accounts()));
    stage
}

#[test]
fn every_account_and_who_needs_somebody() {
    stage((80, 24), COLOUR).pinned("dashboard-80x24");
    stage((80, 24), ASCII).press("Down*3").pinned("dashboard-80x24-ascii");
    stage((120, 40), MONO).press("s").pinned("dashboard-120x40");
    stage((40, 10), MONO).pinned("dashboard-40x10");
    let mut tiny = stage((39, 9), MONO);
    assert_eq!(tiny.text().trim(), "tuckbox needs 40x10; this is 39x9");
}

#[test]
fn the_first_picture_comes_before_anything_is_known() {
    let mut stage = Stage::new((80, 24), MONO);
    assert!(stage.text().contains("Accounts"));
    assert!(stage.effects.iter().any(|effect| matches!(effect, Effect::Ask { ask, .. } if is_all(ask))));
    stage.answer(is_all, answer(Vec::new())).pinned("dashboard-empty");
}

fn no_vault() -> Result<Answer, Fault> {
    Err(Fault::new(Code::VaultNone, "there is no vault at /mnt/vault").hint("tuckbox init --vault /mnt/vault"))
}

fn bare_mount_point() -> Result<Answer, Fault> {
    Err(Fault::new(Code::VaultNotAVault, "/mnt/vault: what is at this place is not a vault"))
}

#[test]
fn a_vault_that_is_away_is_waited_for_and_none_is_made_in_its_place() {
    let is_versions = |ask: &Ask| matches!(ask, Ask::Versions);
    // One that answered, and one that this machine was set up for.
    let mut answered = stage((80, 24), MONO);
    answered.press("C-r").answer(is_all, no_vault());
    assert!(!answered.app.is_covered() && answered.text().contains("laptop-ana"), "{}", answered.text());
    let mut known = Stage::new((80, 24), MONO);
    known.app.shared().seen = true;
    known.answer(is_all, no_vault());
    assert!(!known.app.is_covered());
    known.pinned("dashboard-away");
    let mut bare = stage((80, 24), MONO);
    bare.press("C-r").answer(is_all, bare_mount_point());
    for mut stage in [answered, known, bare] {
        assert!(stage.text().contains("the vault is not there since 0 s; asked again in 2 s"), "{}", stage.text());
        stage.pass(2_000).answer(is_versions, no_vault());
        assert!(stage.text().contains("asked again in 4 s"), "{}", stage.text());
        // Whatever is wrong with the account: somebody answered.
        stage.pass(4_000).answer(is_versions, Err(Fault::new(Code::KeyNone, "the account has no key yet")));
        assert!(stage.text().contains("the vault is there again"), "{}", stage.text());
        stage.answer(is_all, answer(accounts()));
        assert!(stage.text().contains("laptop-ana"));
    }
}

#[test]
fn the_account_that_is_meant_is_under_the_cursor_at_first() {
    // The one that was named; by its number, too; else the one of this machine; else the first.
    for (named, ours, found) in [
        (Some("web01"), Some("db01"), "web01"),
        (Some("0x3"), Some("web01"), "db01"),
        (None, Some("db01"), "db01"),
        (None, Some("gone"), "mail"),
        (None, None, "mail"),
    ] {
        let mut stage = Stage::new((80, 24), MONO);
        stage.app.shared().account = named.map(str::to_owned);
        stage.app.shared().ours = ours.map(str::to_owned);
        stage.answer(is_all, answer(accounts()));
        assert!(stage.text().contains(&format!("─{found}─")), "{found} is not in:\n{}", stage.text());
        // What was chosen by hand stays.
        stage.press("Home C-r").answer(is_all, answer(accounts()));
        assert!(stage.text().contains("─mail─"), "{}", stage.text());
    }
}

#[test]
fn enter_opens_the_account_under_the_cursor() {
    let mut stage = stage((80, 24), MONO);
    stage.press("/ \"db\" Enter Enter");
    assert_eq!(stage.app.screen(), ScreenId::Account);
    assert_eq!(stage.app.shared().account.as_deref(), Some("db01"));
    assert!(stage.effects.iter().any(|e| matches!(e, Effect::Turn { account: Some(name), .. } if name == "db01")));
    stage.press("Esc");
    assert_eq!(stage.app.screen(), ScreenId::Dashboard);
    // The filter is taken away, and had again.
    stage.press("Esc");
    assert!(stage.text().contains("[3/7]") || stage.text().contains("/7]"));
    stage.press("z");
    assert!(stage.text().contains("[1/1 of 7]"));
    stage.press("Z 4");
    assert_eq!(stage.app.screen(), ScreenId::Browser);
}

#[test]
fn who_may_not_see_all_sees_their_own() {
    let mut stage = Stage::new((80, 24), MONO);
    stage.answer(is_all, Err(Fault::new(Code::PolicyRole, "this key may not look after accounts")));
    let own = accounts().into_iter().take(1).collect();
    stage.answer(|ask| matches!(ask, Ask::Status(Whose::Own)), answer(own));
    assert_eq!(stage.app.screen(), ScreenId::Account);
    assert_eq!(stage.app.shared().account.as_deref(), Some("laptop-ana"));
}

#[test]
fn ten_thousand_accounts_cost_no_more_a_frame() {
    let many: Vec<AccountStatus> =
        (0..10_000).map(|number| judge(facts(number, &format!("host{number:05}"), HOUR_MS, GIB), NOW_MS)).collect();
    let mut stage = Stage::new((80, 24), MONO);
    stage.answer(is_all, answer(many));
    stage.press("End");
    assert!(stage.text().contains("host09999") && !stage.text().contains("host09900"));
    // So many are arranged away from the loop; until then what was there is shown.
    stage.press("s s");
    assert!(stage.asked(|ask| matches!(ask, Ask::Arrange(rows, _) if rows.count() == 10_000)).is_some());
    assert!(stage.text().contains("host09999"));
}
