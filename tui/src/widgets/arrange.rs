//! Which rows are shown, and in which order. For many rows it is done away from the loop ([`crate::console::ask::Ask`]).

use std::cmp::Ordering;

use agent::engine::job::Stop;

/// More rows than this are arranged away from the loop.
pub const INLINE_MAX: usize = 5_000;
/// Rows between two looks at whether the answer is still wanted.
const SLICE: usize = 4_096;

/// What can be arranged.
pub trait Rows: Send + Sync {
    /// How many there are.
    fn count(&self) -> usize;
    /// What a filter looks at.
    fn name(&self, row: usize) -> String;
    /// By a column, ascending.
    fn compare(&self, one: usize, other: usize, column: usize) -> Ordering;
    /// Whether a row is shown at all, whatever the filter.
    fn shows(&self, _row: usize) -> bool {
        true
    }
}

/// How rows are wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Order {
    /// Only rows whose name has these letters in this order; a `!` before it means the others; empty = all.
    pub filter: String,
    /// By this column; as they came without it.
    pub column: Option<usize>,
    /// The other way round.
    pub descending: bool,
}

/// The rows that fit, in order; `None` when the answer is no longer wanted. With a filter and no column the best come first.
pub fn arrange(rows: &dyn Rows, order: &Order, stop: &Stop) -> Option<Vec<u32>> {
    let all = u32::try_from(rows.count()).unwrap_or(u32::MAX);
    let needle = Needle::new(&order.filter);
    let mut kept: Vec<(u32, u32)> = Vec::new();
    for row in 0..all {
        if (row as usize).is_multiple_of(SLICE) && stop.asked() {
            return None;
        }
        if !rows.shows(row as usize) {
            continue;
        }
        if needle.is_empty() {
            kept.push((0, row));
        } else if let Some(cost) = needle.cost(&rows.name(row as usize)) {
            kept.push((cost, row));
        }
    }
    match order.column {
        Some(column) => kept.sort_by(|one, other| {
            let by = rows.compare(one.1 as usize, other.1 as usize, column);
            if order.descending { by.reverse() } else { by }
        }),
        None if !needle.is_empty() => kept.sort_by_key(|(cost, row)| (*cost, *row)),
        None if order.descending => kept.reverse(),
        None => {}
    }
    if stop.asked() { None } else { Some(kept.into_iter().map(|(_, row)| row).collect()) }
}

/// Letters that are looked for.
#[derive(Clone, Debug, Default)]
pub struct Needle {
    letters: Vec<char>,
    others: bool,
}

impl Needle {
    /// From what was typed.
    #[must_use]
    pub fn new(typed: &str) -> Self {
        let (others, rest) = typed.strip_prefix('!').map_or((false, typed), |rest| (true, rest));
        Self { letters: rest.to_lowercase().chars().filter(|letter| !letter.is_whitespace()).collect(), others }
    }

    /// Everything fits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.letters.is_empty()
    }

    /// How well a name fits, 0 = best; `None` = not. The letters stand in it in this order, the nearer to each other and to
    /// the beginning the better.
    #[must_use]
    pub fn cost(&self, name: &str) -> Option<u32> {
        let lower = name.to_lowercase();
        let whole: String = self.letters.iter().collect();
        let found = match lower.find(&whole) {
            Some(at) => Some(u32::try_from(at).unwrap_or(u32::MAX).min(1_000)),
            None => self.scattered(&lower),
        };
        match (self.others, found) {
            (true, None) => Some(0),
            (true, Some(_)) => None,
            (false, found) => found,
        }
    }

    fn scattered(&self, lower: &str) -> Option<u32> {
        let mut wanted = self.letters.iter();
        let mut next = wanted.next()?;
        let mut cost = 1_000_u32;
        let mut begun = false;
        for letter in lower.chars() {
            if letter == *next {
                begun = true;
                match wanted.next() {
                    Some(following) => next = following,
                    None => return Some(cost),
                }
            } else if begun {
                cost = cost.saturating_add(1);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Rows for Vec<&str> {
        fn count(&self) -> usize {
            self.len()
        }
        fn name(&self, row: usize) -> String {
            self[row].to_owned()
        }
        fn compare(&self, one: usize, other: usize, _: usize) -> Ordering {
            self[one].cmp(self[other])
        }
    }

    #[test]
    fn rows_fit_and_stand_in_order() {
        let rows = vec!["budget.ods", "a-big-dog", "letter", "Bd", "old-budget"];
        let order = |filter: &str| Order { filter: filter.into(), ..Order::default() };
        let arranged = |order: &Order| arrange(&rows, order, &Stop::default()).unwrap();
        assert_eq!(arranged(&order("bd")), [3, 0, 4, 1]);
        assert_eq!(arranged(&order("!bd")), [2]);
        assert_eq!(arranged(&Order::default()), [0, 1, 2, 3, 4]);
        assert_eq!(arranged(&Order { column: Some(0), ..Order::default() }), [3, 1, 0, 2, 4]);
        assert_eq!(arranged(&Order { column: Some(0), descending: true, ..order("budget") }), [4, 0]);
        let stop = Stop::default();
        stop.ask(2);
        assert_eq!(arrange(&rows, &order(""), &stop), None);
    }
}
