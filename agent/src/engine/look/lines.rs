//! What differs between two texts, line by line: the shortest way from one to the other, as long as that is short.

/// Lines around a difference that are shown with it.
const CONTEXT: usize = 3;
/// Lines that may be taken out or put in before the middle counts as other altogether: the ways are kept in memory, and
/// they grow with the square of this (6 MiB here).
const EDITS_MAX: i64 = 600;

/// Where a line is from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// Both texts.
    Both,
    /// Only the old one.
    Old,
    /// Only the new one.
    New,
}

/// Differences that are close together, with what is around them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hunk<'t> {
    /// Line of the old text that it begins with, from 1.
    pub old_line: usize,
    /// Line of the new text that it begins with, from 1.
    pub new_line: usize,
    /// The lines.
    pub lines: Vec<(Side, &'t str)>,
}

/// What differs. Empty: the texts are the same.
#[must_use]
pub fn hunks<'t>(old: &'t str, new: &'t str) -> Vec<Hunk<'t>> {
    let (old, new): (Vec<&str>, Vec<&str>) = (old.lines().collect(), new.lines().collect());
    let front = old.iter().zip(&new).take_while(|(a, b)| a == b).count();
    let (head, old) = old.split_at(front);
    let new = new.get(front..).unwrap_or_default();
    let back = old.iter().rev().zip(new.iter().rev()).take_while(|(a, b)| a == b).count();
    let (old, tail) = old.split_at(old.len() - back);
    let new = new.get(..new.len() - back).unwrap_or_default();
    let mut all: Vec<(Side, &str)> = head.iter().map(|line| (Side::Both, *line)).collect();
    all.extend(script(old, new));
    all.extend(tail.iter().map(|line| (Side::Both, *line)));
    cut(&all)
}

/// All lines in order, each with where it is from. Myers' way: for each number of edits, how far one gets in the old text
/// on each diagonal (place in the old text minus place in the new one).
fn script<'t>(old: &[&'t str], new: &[&'t str]) -> Vec<(Side, &'t str)> {
    let (ends_x, ends_y) = (place(old.len()), place(new.len()));
    let edits_most = EDITS_MAX.min(ends_x + ends_y);
    let mut reached = Reached::new(edits_most);
    let mut ways: Vec<(i64, Reached)> = Vec::new();
    let mut found = false;
    for edits in 0..=edits_most {
        ways.push((edits, reached.clone()));
        for diagonal in (-edits..=edits).step_by(2) {
            let mut x = if reached.puts_in(diagonal, edits) {
                reached.far(diagonal + 1)
            } else {
                reached.far(diagonal - 1) + 1
            };
            let mut y = x - diagonal;
            while x < ends_x && y < ends_y && line(old, x) == line(new, y) {
                (x, y) = (x + 1, y + 1);
            }
            reached.set(diagonal, x);
            found |= x >= ends_x && y >= ends_y;
        }
        if found {
            break;
        }
    }
    if !found {
        return old.iter().map(|line| (Side::Old, *line)).chain(new.iter().map(|line| (Side::New, *line))).collect();
    }
    let (mut x, mut y) = (ends_x, ends_y);
    let mut lines = Vec::new();
    for (edits, reached) in ways.iter().rev() {
        let edits = *edits;
        let diagonal = x - y;
        let puts_in = reached.puts_in(diagonal, edits);
        let from = if puts_in { diagonal + 1 } else { diagonal - 1 };
        let (from_x, from_y) = (reached.far(from), reached.far(from) - from);
        while x > from_x && y > from_y && x > 0 && y > 0 {
            (x, y) = (x - 1, y - 1);
            lines.extend(line(old, x).map(|line| (Side::Both, line)));
        }
        if edits > 0 {
            lines.extend(if puts_in {
                line(new, from_y).map(|line| (Side::New, line))
            } else {
                line(old, from_x).map(|line| (Side::Old, line))
            });
        }
        (x, y) = (from_x, from_y);
    }
    lines.reverse();
    lines
}

fn place(len: usize) -> i64 {
    i64::try_from(len).unwrap_or(i64::MAX)
}

fn line<'t>(lines: &[&'t str], at: i64) -> Option<&'t str> {
    lines.get(usize::try_from(at).ok()?).copied()
}

/// How far one gets in the old text on each diagonal.
#[derive(Clone)]
struct Reached {
    far: Vec<i64>,
    /// The diagonal of the first.
    first: i64,
}

impl Reached {
    fn new(edits_most: i64) -> Self {
        Self { far: vec![0; usize::try_from(2 * edits_most + 3).unwrap_or(0)], first: -edits_most - 1 }
    }

    fn far(&self, diagonal: i64) -> i64 {
        usize::try_from(diagonal - self.first).ok().and_then(|at| self.far.get(at)).copied().unwrap_or(0)
    }

    fn set(&mut self, diagonal: i64, x: i64) {
        if let Some(far) = usize::try_from(diagonal - self.first).ok().and_then(|at| self.far.get_mut(at)) {
            *far = x;
        }
    }

    /// Whether the furthest point of a diagonal is reached by a line that is put in.
    fn puts_in(&self, diagonal: i64, edits: i64) -> bool {
        diagonal == -edits || (diagonal != edits && self.far(diagonal - 1) < self.far(diagonal + 1))
    }
}

/// Leaves out what is far from any difference.
fn cut<'t>(all: &[(Side, &'t str)]) -> Vec<Hunk<'t>> {
    let mut hunks: Vec<Hunk<'t>> = Vec::new();
    // Lines of the old and of the new text before the one in hand; the end of the hunk in hand.
    let (mut old, mut new, mut end) = (0, 0, 0);
    for (at, (side, _)) in all.iter().enumerate() {
        if *side != Side::Both {
            let from = at.saturating_sub(CONTEXT);
            let around = at.saturating_add(CONTEXT + 1).min(all.len());
            match hunks.last_mut() {
                Some(hunk) if from <= end => hunk.lines.extend(all.get(end..around).unwrap_or_default()),
                _ => {
                    let before = at - from;
                    let lines = all.get(from..around).unwrap_or_default().to_vec();
                    hunks.push(Hunk { old_line: old + 1 - before, new_line: new + 1 - before, lines });
                }
            }
            end = around;
        }
        old += usize::from(*side != Side::New);
        new += usize::from(*side != Side::Old);
    }
    hunks
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_differs_with_what_is_around() {
        let old: String = (1..=40).map(|n| format!("{n}\n")).collect();
        let new = old.replace("\n12\n", "\ntwelve\n").replace("\n33\n", "\n").replace("\n34\n", "\n34\nmore\n");
        let hunks = hunks(&old, &new);
        let shown = |hunk: &Hunk<'_>| {
            let sign = |side: &Side| match side {
                Side::Both => ' ',
                Side::Old => '-',
                Side::New => '+',
            };
            hunk.lines.iter().map(|(side, line)| format!("{}{line}", sign(side))).collect::<Vec<_>>().join(",")
        };
        assert_eq!(hunks.len(), 2);
        assert_eq!((hunks[0].old_line, hunks[0].new_line), (9, 9));
        assert_eq!(shown(&hunks[0]), " 9, 10, 11,-12,+twelve, 13, 14, 15");
        assert_eq!((hunks[1].old_line, hunks[1].new_line), (30, 30));
        assert_eq!(shown(&hunks[1]), " 30, 31, 32,-33, 34,+more, 35, 36, 37");
        assert!(super::hunks(&old, &old).is_empty());
    }

    #[test]
    fn texts_that_have_nothing_in_common_are_no_trouble() {
        let text = |tag: &str| (0..5_000).map(|n| format!("{tag}{n}\n")).collect::<String>();
        let (old, new) = (text("a"), text("b"));
        assert_eq!(hunks(&old, &new)[0].lines.len(), 10_000);
    }

    proptest! {
        #[test]
        fn the_lines_are_those_of_both_texts(old in "([ab]\n){0,12}", new in "([ab]\n){0,12}") {
            let (a, b): (Vec<&str>, Vec<&str>) = (old.lines().collect(), new.lines().collect());
            let all = script(&a, &b);
            let of = |side: Side| all.iter().filter(|(s, _)| *s == Side::Both || *s == side).map(|(_, l)| *l).collect::<Vec<_>>();
            prop_assert_eq!(of(Side::Old), a);
            prop_assert_eq!(of(Side::New), b);
        }
    }
}
