//! What may be changed of accounts and groups by who looks after the vault: menus and questions that lead to steps of the plan.
//! Nothing here does anything; the review does, when it is applied.

use agent::engine::job::{AccountStateWord, HealthFacts, Terms};
use agent::name::harmless_line;
use agent::timetable::{self, Timetable};
use agent::units::{duration, parse_duration, parse_size, size};

use crate::console::effect::Effect;
use crate::console::overlay::Overlay;
use crate::console::plan::Step;
use crate::console::shared::Shared;
use crate::widgets::dialog::Confirm;
use crate::widgets::menu::{Item, Menu};
use crate::widgets::prompt::{Meaning, Prompt};
use crate::widgets::text::capital;

/// A timetable as it is written, and what it comes to now when it is more than a rate. The vault goes by its own clock.
#[must_use]
pub fn rate_text(rate: Option<&str>, shared: &Shared) -> String {
    let Some(rate) = rate else { return "no limit".to_owned() };
    let now = Timetable::parse(rate).ok().filter(|_| rate.contains([' ', ';', '=']));
    let now = now.map(|table| timetable::words(table.rates_at(shared.now_ms, &shared.zone)));
    let now = now.map_or_else(String::new, |now| format!(" (now {})", now.unwrap_or_else(|| "no limit".to_owned())));
    format!("{}{now}", harmless_line(rate))
}

/// Why somebody may not.
const NOT_ADMIN: &str = "only who looks after the vault";

/// An account or a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which<'n> {
    /// An account, by its name.
    Account(&'n str),
    /// A group, by its name.
    Group(&'n str),
}

impl<'n> Which<'n> {
    fn verb(self) -> &'static str {
        match self {
            Self::Account(_) => "account",
            Self::Group(_) => "group",
        }
    }

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'n str {
        match self {
            Self::Account(name) | Self::Group(name) => name,
        }
    }

    fn shown(self) -> String {
        format!("{} {}", self.verb(), harmless_line(self.name()))
    }

    /// A step that does `what` with it, with more words behind the name.
    fn step(self, about: &str, what: &str, more: &[&str]) -> Step {
        let (verb, name) = (self.verb(), self.name());
        let words = [&[verb, what, name][..], more].concat();
        Step::beside_now(format!("{}: {about}", self.shown()), &words, &[verb, "info", name])
    }

    fn plan(self, about: &str, what: &str, more: &[&str]) -> Vec<Effect> {
        vec![Effect::Plan(self.step(about, what, more))]
    }

    /// A question whose answer is an option of `set`; `read` says what it means.
    fn asks(
        self,
        (title, option, text): (&str, &'static str, &str),
        begun: &str,
        read: impl Fn(&str) -> Result<String, String> + 'static,
    ) -> Vec<Effect> {
        let (group, name) = (matches!(self, Self::Group(_)), self.name().to_owned());
        let what = title.to_owned();
        let means = move |typed: &str| -> Meaning {
            let which = if group { Which::Group(&name) } else { Which::Account(&name) };
            let meaning = if typed == "none" { "none".to_owned() } else { read(typed)? };
            Ok((meaning.clone(), which.plan(&format!("{what} {meaning}"), "set", &[option, typed])))
        };
        prompt(format!("{} of {}", capital(title), self.shown()), text, begun, means)
    }

    /// Asks for its rate.
    #[must_use]
    pub fn rate(self, rate: Option<&str>, shared: &Shared) -> Vec<Effect> {
        let (zone, now_ms) = (shared.zone.clone(), shared.now_ms);
        let read = move |typed: &str| {
            let table = Timetable::parse(typed)?;
            let now = timetable::words(table.rates_at(now_ms, &zone)).unwrap_or_else(|| "no limit".to_owned());
            let lines =
                if table.text().contains(['=', ';']) { format!("{}; now ", table.text()) } else { String::new() };
            Ok(format!("{lines}{now}"))
        };
        let text = "How fast bytes may go, by the vault's clock: a rate, or lines as in\nlimit = 500k; limit mon-fri 08:00-18:00 = 50k\n`none` takes it away.";
        self.asks(("rate", "--rate", text), rate.unwrap_or_default(), read)
    }

    fn soft(self, soft: Option<u64>) -> Vec<Effect> {
        let text = "Above this the oldest versions that only a count keeps go first. As in 150G; `none` takes it away.";
        self.asks(("soft limit", "--soft", text), &limit(soft), bytes)
    }

    fn hard(self, hard: Option<u64>) -> Vec<Effect> {
        let text = "Above this nothing is added. As in 200G; `none` takes it away.";
        self.asks(("hard limit", "--hard", text), &limit(hard), bytes)
    }

    fn rename(self) -> Vec<Effect> {
        let (group, name) = (matches!(self, Self::Group(_)), self.name().to_owned());
        let old = name.clone();
        let means = move |typed: &str| -> Meaning {
            if typed.is_empty() || typed == name {
                return Err("another name, 1 to 255 characters".to_owned());
            }
            let which = if group { Which::Group(&name) } else { Which::Account(&name) };
            let about = format!("the new name {}", harmless_line(typed));
            Ok((format!("it will be {}", harmless_line(typed)), which.plan(&about, "rename", &[typed])))
        };
        prompt(format!("Rename {}", self.shown()), "Its new name.", &old, means)
    }

    fn limits(self, terms: (Option<u64>, Option<u64>, Option<&str>), shared: &Shared) -> Vec<Item> {
        let (soft, hard, rate) = terms;
        let shown = |bytes: Option<u64>| bytes.map_or_else(|| "none".to_owned(), size);
        vec![
            Item::new(
                'r',
                format!("rate (now {})...", rate.map_or("none".into(), harmless_line)),
                self.rate(rate, shared),
            ),
            Item::new('h', format!("hard limit (now {})...", shown(hard)), self.hard(hard)),
            Item::new('s', format!("soft limit (now {})...", shown(soft)), self.soft(soft)),
            Item::new('n', "another name...", self.rename()),
        ]
    }
}

/// Units of sizes, the largest first, as they are typed.
const SIZES: [(u64, &str); 4] = [(1 << 40, "T"), (1 << 30, "G"), (1 << 20, "M"), (1 << 10, "k")];
/// Units of times, in seconds.
const TIMES: [(u64, &str); 2] = [(3_600, "h"), (60, "min")];

/// A number as one would type it, in the largest unit in which it is whole: Enter alone must change nothing.
fn exactly(number: u64, units: &[(u64, &str)], one: &str) -> String {
    let unit = units.iter().find(|(unit, _)| number > 0 && number.is_multiple_of(*unit));
    unit.map_or_else(|| format!("{number}{one}"), |(unit, name)| format!("{}{name}", number / unit))
}

fn limit(bytes: Option<u64>) -> String {
    bytes.map(|bytes| exactly(bytes, &SIZES, "")).unwrap_or_default()
}

fn bytes(typed: &str) -> Result<String, String> {
    parse_size(typed).map(size)
}

fn prompt(title: String, text: &str, begun: &str, means: impl Fn(&str) -> Meaning + 'static) -> Vec<Effect> {
    vec![Effect::Open(Box::new(Overlay::Prompt(Prompt::new(title, text, begun, means))))]
}

/// Asks for a reason that those hear who are refused, then plans.
fn with_reason(name: &str, verb: &'static str, about: &'static str) -> Vec<Effect> {
    let owned = name.to_owned();
    let means = move |typed: &str| -> Meaning {
        let which = Which::Account(&owned);
        match typed {
            "" => Ok(("without a reason".to_owned(), which.plan(about, verb, &[]))),
            _ => Ok((format!("told as: {}", harmless_line(typed)), which.plan(about, verb, &["--reason", typed]))),
        }
    };
    let title = format!("{} account {}", capital(about), harmless_line(name));
    prompt(title, "Why, for those who are refused; may be empty.", "", means)
}

/// All that may be changed of an account.
#[must_use]
pub fn account_menu(facts: &HealthFacts, shared: &Shared) -> Menu {
    let which = Which::Account(&facts.name);
    let title = format!("Change {}: by a plan", harmless_line(&facts.name));
    if !shared.admin {
        let texts = ["rate...", "limits...", "another name...", "freeze, disable, delete..."];
        return Menu::new(title, texts.map(|text| Item::not_now(text, NOT_ADMIN)).into());
    }
    let Terms { soft_bytes, hard_bytes, rate, late_after_ms, .. } = &facts.terms;
    let mut items = which.limits((*soft_bytes, *hard_bytes, rate.as_deref()), shared);
    items.push({
        let text = "It is late when its newest version is older. As in 26h; `none` takes it away.";
        let begun = late_after_ms.map(|ms| exactly(ms.div_ceil(1_000), &TIMES, "s")).unwrap_or_default();
        let read = |typed: &str| parse_duration(typed).map(duration);
        let now = late_after_ms.map_or_else(|| "none".to_owned(), duration);
        let asks = which.asks(("time until it is late", "--late-after", text), &begun, read);
        Item::new('l', format!("late after (now {now})..."), asks)
    });
    let deleted = facts.goes_at.is_some();
    let plan = |letter, text: &str, about, what| Item::new(letter, text, which.plan(about, what, &[]));
    items.push(match facts.state {
        _ if deleted => Item::not_now("freeze: nothing changes in it...", "it is deleted"),
        AccountStateWord::Frozen => plan('f', "thaw: it may change again", "thaw", "thaw"),
        _ => Item::new('f', "freeze: nothing changes in it...", with_reason(&facts.name, "freeze", "freeze")),
    });
    items.push(match facts.state {
        _ if deleted => plan('e', "enable: take it back from its deletion", "take back", "enable"),
        AccountStateWord::Disabled => plan('e', "enable: it may be used again", "enable", "enable"),
        _ => Item::new('e', "disable: nobody may use it...", with_reason(&facts.name, "disable", "disable")),
    });
    items.push(match facts.goes_at {
        None => plan('D', "delete: for 14 days it can be taken back", "delete", "delete"),
        Some(at) if shared.now_ms < at => {
            let text = format!("not before {}", shared.moment(at, "%F %H:%M"));
            Item::not_now("remove its data for good...", text)
        }
        Some(_) => {
            let text =
                format!("All data of {} would be gone for good. This plans it; the plan does it.", which.shown());
            let does = which.plan("remove its data for good", "delete", &["--finally", "--yes"]);
            let confirm = Confirm::new("Remove for good", text, does).by_word(facts.name.clone());
            Item::new('D', "remove its data for good...", vec![Effect::Open(Box::new(Overlay::Confirm(confirm)))])
        }
    });
    items.push(Item::new('p', "the plan: review what was gathered", vec![Effect::Review]));
    Menu::new(title, items)
}

/// Asks for the name of an account or a group that is to be made.
#[must_use]
pub fn make(verb: &'static str) -> Item {
    let means = move |typed: &str| -> Meaning {
        if typed.is_empty() {
            return Err("a name, 1 to 255 characters".to_owned());
        }
        let about = format!("make {verb} {}", harmless_line(typed));
        let step = Step::beside_now(&about, &[verb, "create", typed], &[verb, "list"]);
        Ok((about, vec![Effect::Plan(step)]))
    };
    let asks =
        prompt(format!("Make {}", if verb == "group" { "a group" } else { "an account" }), "Its name.", "", means);
    Item::new('m', format!("make another {verb}..."), asks)
}

/// What was settled for a group, as its records say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GroupTerms {
    /// Its name.
    pub name: String,
    /// How many members.
    pub members: u64,
    /// Soft limit.
    pub soft_bytes: Option<u64>,
    /// Hard limit.
    pub hard_bytes: Option<u64>,
    /// Timetable of rates.
    pub rate: Option<String>,
}

/// All that may be changed of a group.
#[must_use]
pub fn group_menu(group: &GroupTerms, shared: &Shared) -> Menu {
    let which = Which::Group(&group.name);
    let mut items = which.limits((group.soft_bytes, group.hard_bytes, group.rate.as_deref()), shared);
    for (letter, text, title, what, done) in [
        ('a', "take an account in...", "Take an account into", "add", "take in"),
        ('-', "let an account go...", "Let an account go from", "remove", "let go"),
    ] {
        let name = group.name.clone();
        let means = move |typed: &str| -> Meaning {
            let about = format!("{done} account {}", harmless_line(typed));
            let which = Which::Group(&name);
            if typed.is_empty() {
                return Err("the account's name or number".to_owned());
            }
            Ok((format!("account {}", harmless_line(typed)), which.plan(&about, what, &[typed])))
        };
        let title = format!("{title} {}", which.shown());
        items.push(Item::new(letter, text, prompt(title, "The account's name or number.", "", means)));
    }
    let about = "delete; its members stay what they are";
    items.push(Item::new('D', "delete: its members stay what they are", which.plan(about, "delete", &[])));
    items.push(make("group"));
    items.push(Item::new('p', "the plan: review what was gathered", vec![Effect::Review]));
    Menu::new(format!("Change group {}: by a plan", harmless_line(&group.name)), items)
}

/// How fast a job of this console may go from now on, as many bytes a second each way.
const RATES: [(char, u64); 5] = [('1', 50 << 10), ('2', 200 << 10), ('3', 1 << 20), ('4', 5 << 20), ('5', 20 << 20)];
/// The lowest rate: with less, a connection would count as lost.
const RATE_MIN: u64 = 8 << 10;

/// How fast a job that runs may go.
#[must_use]
pub fn job_rates(number: u64, verb: &str) -> Menu {
    let set = |rate| vec![Effect::Limit(number, rate)];
    let mut items = vec![Item::new('0', "as fast as it can", set(None))];
    items.extend(RATES.map(|(letter, rate)| Item::new(letter, format!("{}/s each way", size(rate)), set(Some(rate)))));
    let means = move |typed: &str| -> Meaning {
        let rate = parse_size(typed)?;
        if rate < RATE_MIN {
            return Err(format!("at least {}/s", size(RATE_MIN)));
        }
        Ok((format!("at most {}/s each way", size(rate)), vec![Effect::Limit(number, Some(rate))]))
    };
    let text = "Bytes a second each way, as in 300k. It counts within a second, and for this job alone.";
    items.push(Item::new('t', "another rate...", prompt(format!("Rate of this {verb}"), text, "", means)));
    items.push(standing_rates());
    Menu::new(format!("How fast this {verb} may go"), items)
}

/// The limit that counts for all runs of this machine.
#[must_use]
pub fn standing_rates() -> Item {
    let means = |typed: &str| -> Meaning {
        let start = |words: &[&str]| vec![Effect::Show(words.iter().map(std::ffi::OsString::from).collect())];
        match typed {
            "" => Err("a rate, a timetable, or none".to_owned()),
            _ => {
                let table = Timetable::parse(typed)?;
                Ok((format!("from the next run on: {}", table.text()), start(&["config", "set", "limit", typed])))
            }
        }
    };
    let text = "A rate or a timetable for all runs of this machine, as in\n200k; limit mon-fri 08:00-18:00 = 50k\n`none` takes it away. It is written to the configuration.";
    let effects = prompt("Limit of this machine".to_owned(), text, "", means);
    Item::new('m', "the limit of this machine, for all runs...", effects)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_settled_is_offered_as_it_is() {
        for (bytes, text) in [(150 << 30, "150G"), (1_536 << 20, "1536M"), (1 << 40, "1T"), (1_001, "1001"), (0, "0")] {
            assert_eq!(limit(Some(bytes)), text);
            assert_eq!(parse_size(text), Ok(bytes));
        }
        for (ms, text) in [(26 * 3_600_000, "26h"), (90 * 60_000, "90min"), (45_000, "45s"), (30 * 60_000, "30min")] {
            assert_eq!(exactly(ms / 1_000, &TIMES, "s"), text);
            assert_eq!(parse_duration(text), Ok(ms));
        }
    }
}
