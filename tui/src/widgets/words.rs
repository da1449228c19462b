//! The recovery words as `init` and `key words` print them, laid out anew for a width: no word stands apart from its number.

use agent::name::width;

use super::text::{Align, fit, wrap};

/// Recovery words.
const WORDS: usize = 24;
/// Words on a row, the most that fit: rows are of one length.
const ON_A_ROW: [usize; 5] = [6, 4, 3, 2, 1];
/// Blanks between two words where there is room, beyond the one.
const BLANKS_MORE: usize = 3;

/// What was said, cut at blanks to a width, with the words in a grid.
#[must_use]
pub fn lay_out<'l>(lines: impl IntoIterator<Item = &'l String>, columns: usize) -> Vec<String> {
    let mut out = Vec::new();
    let mut words: Vec<&str> = Vec::new();
    // Their lines as they came, for what only looks like them.
    let mut plain: Vec<String> = Vec::new();
    for line in lines {
        let goes_on = numbered(line, words.len());
        if goes_on.is_none() {
            words.clear();
            out.append(&mut plain);
        }
        match goes_on.or_else(|| numbered(line, 0)) {
            Some(more) => {
                words.extend(more);
                plain.extend(wrap(line, columns));
            }
            None => out.extend(wrap(line, columns)),
        }
        if words.len() == WORDS {
            out.extend(grid(&words, columns));
            words.clear();
            plain.clear();
        }
    }
    out.append(&mut plain);
    out
}

fn grid(words: &[&str], columns: usize) -> Vec<String> {
    let cells: Vec<String> = words.iter().enumerate().map(|(at, word)| format!("{:>2} {word}", at + 1)).collect();
    let widest = cells.iter().map(|cell| width(cell)).max().unwrap_or(0);
    let on_a_row = ON_A_ROW.into_iter().find(|many| many * (widest + 1) <= columns + 1).unwrap_or(1);
    // At least one blank between two of them.
    let room = (columns + 1).saturating_sub(on_a_row * (widest + 1)) / on_a_row;
    let between = " ".repeat(1 + room.min(BLANKS_MORE));
    let row = |row: &[String]| {
        let row: Vec<String> = row.iter().map(|cell| fit(cell, widest, Align::Left)).collect();
        row.join(&between).trim_end().to_owned()
    };
    cells.chunks(on_a_row).map(row).collect()
}

/// The words of a line that goes on counting after so many: `7 zoo  8 abandon`.
fn numbered(line: &str, before: usize) -> Option<Vec<&str>> {
    let mut parts = line.split_whitespace();
    let mut words = Vec::new();
    while let Some(number) = parts.next() {
        let word = parts.next().filter(|word| word.bytes().all(|byte| byte.is_ascii_lowercase()))?;
        words.push(word);
        if number.parse() != Ok(before + words.len()) {
            return None;
        }
    }
    Some(words).filter(|words| !words.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said() -> Vec<String> {
        let row = |row: usize| (row * 6 + 1..=row * 6 + 6).map(|number| format!("{number:>2} umbrella   ")).collect();
        let rows: Vec<String> = (0..4).map(row).collect();
        // A line that looks like a first word is none.
        [vec!["1 file".to_owned(), "down:".to_owned()], rows, vec!["ACCOUNT ana".to_owned()]].concat()
    }

    #[test]
    fn the_grid_fits_its_width() {
        for (columns, rows) in [(74, 4), (71, 4), (70, 6), (54, 6), (34, 12), (11, 24)] {
            let all = lay_out(&said(), columns);
            assert_eq!(all.len(), rows + 3, "{all:?}");
            assert_eq!([&all[0], &all[1], &all[rows + 2]], ["1 file", "down:", "ACCOUNT ana"]);
            assert!(all.iter().all(|line| width(line) <= columns), "{columns}: {all:?}");
            assert!((1..=24).all(|number| all.iter().any(|line| line.contains(&format!("{number:>2} umbrella")))));
        }
    }

    #[test]
    fn what_only_looks_like_them_stays_as_it_is() {
        let lines = ["1 new 2 changed", "3 gone", "three"].map(str::to_owned);
        assert_eq!(lay_out(&lines, 40), lines);
    }
}
