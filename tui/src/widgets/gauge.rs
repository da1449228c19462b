//! A share as a bar of letters, readable without colour: `[#####-----]  51%`.

/// The bar alone, `columns` wide with its brackets. Over the total counts as full.
#[must_use]
pub fn bar(done: u64, total: u64, columns: usize) -> String {
    let inner = columns.saturating_sub(2);
    let wide = u128::from(done.min(total)) * inner as u128;
    let filled = wide.checked_div(u128::from(total)).and_then(|filled| usize::try_from(filled).ok()).unwrap_or(0);
    format!("[{}{}]", "#".repeat(filled), "-".repeat(inner.saturating_sub(filled)))
}

/// Hundredths, rounded down; `None` without a total.
#[must_use]
pub fn percent(done: u64, total: u64) -> Option<u64> {
    (u128::from(done) * 100).checked_div(u128::from(total)).and_then(|share| u64::try_from(share).ok())
}

/// A bar that only says that something goes on, at a step of its way.
#[must_use]
pub fn moving(step: u64, columns: usize) -> String {
    let inner = columns.saturating_sub(2).max(4);
    let way = (inner - 3) * 2;
    let step = usize::try_from(step).unwrap_or(0) % way.max(1);
    let at = step.min(way.saturating_sub(step)).min(inner - 3);
    format!("[{}###{}]", "-".repeat(at), "-".repeat(inner - 3 - at))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_is_as_full_as_it_should_be() {
        assert_eq!(bar(51, 100, 12), "[#####-----]");
        assert_eq!(bar(0, 0, 12), "[----------]");
        assert_eq!(bar(7, 5, 6), "[####]");
        assert_eq!(bar(u64::MAX, u64::MAX, 4), "[##]");
        assert_eq!((percent(940, 1000), percent(1, 0)), (Some(94), None));
        let seen: Vec<String> = (0..6).map(|step| moving(step, 8)).collect();
        assert_eq!(seen, ["[###---]", "[-###--]", "[--###-]", "[---###]", "[--###-]", "[-###--]"]);
    }
}
