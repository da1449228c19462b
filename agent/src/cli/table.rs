//! Aligned columns without borders: readable, and good for grep.

use crate::name::width;

/// On which side of its column a cell stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// Words.
    Left,
    /// Numbers.
    Right,
}

/// A table in the making. Cells must be safe to print.
#[derive(Clone, Debug)]
pub struct Table {
    sides: Vec<Side>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table with these columns.
    #[must_use]
    pub fn new(columns: &[(&str, Side)]) -> Self {
        let (names, sides): (Vec<String>, Vec<Side>) =
            columns.iter().map(|(name, side)| ((*name).to_owned(), *side)).unzip();
        Self { sides, rows: vec![names] }
    }

    /// Adds a row; cells that are missing are empty.
    pub fn row(&mut self, cells: Vec<String>) {
        self.rows.push(cells);
    }

    /// The lines, the names of the columns first, without blanks at the end.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        let widest = |column: usize| self.rows.iter().filter_map(|row| row.get(column)).map(|cell| width(cell)).max();
        let widths: Vec<usize> = (0..self.sides.len()).map(|column| widest(column).unwrap_or(0)).collect();
        self.rows.iter().map(|row| self.line(row, &widths)).collect()
    }

    fn line(&self, row: &[String], widths: &[usize]) -> String {
        let mut out = String::new();
        for ((cell, columns), side) in row.iter().zip(widths).zip(&self.sides) {
            if !out.is_empty() {
                out.push_str("  ");
            }
            let blanks = " ".repeat(columns.saturating_sub(width(cell)));
            match side {
                Side::Left => {
                    out.push_str(cell);
                    out.push_str(&blanks);
                }
                Side::Right => {
                    out.push_str(&blanks);
                    out.push_str(cell);
                }
            }
        }
        out.truncate(out.trim_end().len());
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned() {
        let mut table = Table::new(&[("NO", Side::Right), ("NAME", Side::Left), ("TAGS", Side::Left)]);
        table.row(vec!["1".into(), "日本".into(), "x".into()]);
        table.row(vec!["12".into(), "a".into(), String::new()]);
        assert_eq!(table.lines(), ["NO  NAME  TAGS", " 1  日本  x", "12  a"]);
    }
}
