//! Numbers as a row of heights.

use crate::console::theme::Theme;

const BLOCKS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
const LETTERS: [char; 5] = ['_', '.', '-', '=', '#'];

/// One letter for each number, the greatest as the highest; nothing is a dot. More numbers than columns are put together
/// by their greatest.
#[must_use]
pub fn spark(numbers: &[u64], columns: usize, theme: Theme) -> String {
    if numbers.is_empty() || columns == 0 {
        return String::new();
    }
    let each = numbers.len().div_ceil(columns);
    let peaks: Vec<u64> = numbers.chunks(each).map(|some| some.iter().copied().max().unwrap_or(0)).collect();
    let most = peaks.iter().copied().max().unwrap_or(0);
    let letters: &[char] = if theme.ascii { &LETTERS } else { &BLOCKS };
    let letter = |number: u64| {
        let steps = letters.len() as u64 - 1;
        let step = (u128::from(number) * u128::from(steps)).div_ceil(u128::from(most.max(1)));
        letters.get(usize::try_from(step).unwrap_or(0)).copied().unwrap_or(' ')
    };
    peaks
        .iter()
        .map(|number| if *number == 0 { if theme.ascii { '.' } else { '·' } } else { letter(*number) })
        .collect()
}

/// Numbers as columns, `rows` high, the highest row first. Half steps are drawn where the theme can.
#[must_use]
pub fn columns(numbers: &[u64], most: u64, rows: usize, theme: Theme) -> Vec<String> {
    let steps: usize = if theme.ascii { 1 } else { 8 };
    let whole = (rows * steps) as u128;
    let heights: Vec<usize> = numbers
        .iter()
        .map(|number| {
            let height = (u128::from(*number) * whole).div_ceil(u128::from(most.max(1)));
            usize::try_from(height.min(whole)).unwrap_or(0)
        })
        .collect();
    (0..rows)
        .rev()
        .map(|row| {
            let letter = |height: &usize| match height.saturating_sub(row * steps) {
                0 => ' ',
                part if part >= steps => {
                    if theme.ascii {
                        '#'
                    } else {
                        '█'
                    }
                }
                part => BLOCKS.get(part - 1).copied().unwrap_or(' '),
            };
            heights.iter().map(letter).collect()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heights_follow_the_numbers() {
        let ascii = Theme { ascii: true, ..Theme::default() };
        assert_eq!(spark(&[0, 1, 50, 100], 10, ascii), "..-#");
        assert_eq!(spark(&[0, 1, 50, 100], 10, Theme::default()), "·▂▅█");
        assert_eq!(spark(&[0, 1, 50, 100], 2, ascii), ".#");
        assert_eq!(columns(&[0, 50, 100], 100, 2, ascii), ["  #", " ##"]);
        assert_eq!(columns(&[u64::MAX], 1, 1, ascii), ["#"]);
    }
}
