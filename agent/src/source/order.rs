//! What of a source is sent first, and what last.

use super::pattern::components;
use super::rule::{Given, Rule};
use crate::fault::{Code, Fault, Result};

/// Most steps: each looks at every name once.
const STEPS_MAX: usize = 8;

/// Steps of a source: what matches the first rule of `first` goes first, then what matches the second, and so on, then all
/// that matches none, then what matches a rule of `last`. What several match goes with the first of them.
#[derive(Debug, Default)]
pub struct Order {
    first: Vec<Rule>,
    last: Vec<Rule>,
    /// Components of the source's path: of those no rule says anything.
    above: usize,
}

impl Order {
    /// Compiles the rules.
    pub fn new(first: &[Given], last: &[Given]) -> Result<Self> {
        let compile = |given: &[Given]| given.iter().cloned().map(Rule::new).collect::<Result<Vec<_>>>();
        let order = Self { first: compile(first)?, last: compile(last)?, above: 0 };
        if let Some(rule) = order.first.iter().chain(&order.last).find(|rule| rule.takes_back()) {
            return Err(Fault::new(Code::Usage, format!("{}: nothing is taken back in an order", rule.told())));
        }
        if order.first.len() > STEPS_MAX {
            let told = format!("there are more than {STEPS_MAX} steps in `first`, each of which looks at every name");
            return Err(Fault::new(Code::Usage, told).hint("join some, as in re:(a|b)"));
        }
        Ok(order)
    }

    /// The same for the source at this path.
    #[must_use]
    pub fn below(mut self, source: &[u8]) -> Self {
        self.above = components(source).count();
        self
    }

    /// Steps before the one that takes all that is left.
    #[must_use]
    pub fn early_steps(&self) -> usize {
        self.first.len() + usize::from(!self.last.is_empty())
    }

    /// In which step, from 0, something that is no directory is sent.
    #[must_use]
    pub fn step(&self, path: &[u8]) -> usize {
        let first = self.first.iter().position(|rule| rule.matches_below(path, false, self.above));
        let late = || usize::from(self.last.iter().any(|rule| rule.matches_below(path, false, self.above)));
        first.unwrap_or_else(|| self.first.len() + late())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(first: &[&str], last: &[&str]) -> Result<Order> {
        let given = |texts: &[&str]| texts.iter().map(|text| Given::new(*text, "here")).collect::<Vec<_>>();
        Order::new(&given(first), &given(last))
    }

    #[test]
    fn each_file_has_one_step() {
        let order = order(&["current", "re:/revs/[0-9]+$", "Documents/"], &["lastfile", "*.iso"]).unwrap();
        assert_eq!(order.early_steps(), 4);
        for (path, step) in [
            ("/r/current", 0),
            ("/r/revs/12", 1),
            ("/r/revs/x", 3),
            ("/r/Documents/a/b", 2),
            ("/r/Documents/current", 0),
            ("/r/Documents/x.iso", 2),
            ("/r/lastfile", 4),
            ("/r/x.iso", 4),
        ] {
            assert_eq!(order.step(path.as_bytes()), step, "{path}");
        }
        assert_eq!(Order::default().early_steps(), 0);
        // A source is not meant, nor what is above it.
        let below = order.below(b"/current/r");
        assert_eq!(["/current/r/x", "/current/r/current"].map(|path| below.step(path.as_bytes())), [3, 0]);
    }

    #[test]
    fn what_is_no_order_is_told() {
        assert!(order(&["!a"], &[]).is_err() && order(&["re:("], &[]).is_err());
        assert!(order(&["a"; 9], &[]).is_err() && order(&["a"; 8], &["b"]).is_ok());
    }
}
