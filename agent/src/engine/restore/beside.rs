//! The name that a restored file gets when something else has its own: `letter (tuckbox 2026-11-20 18.00).txt`.

use jiff::civil::DateTime;

/// Longest name that file systems take, in bytes.
const NAME_BYTES_MAX: usize = 255;
/// What is longer is no ending, in bytes.
const ENDING_BYTES_MAX: usize = 32;
/// Names that are tried, at most: with more files of one name beside each other nobody finds the right one.
const TRIES: usize = 100;

/// The names that are tried, one after the other; `moment` is when the version was received. Always the same for the same
/// name and moment, so that a second restore finds what the first one wrote.
pub fn names(name: &[u8], moment: DateTime) -> impl Iterator<Item = Box<[u8]>> {
    // An ending stays an ending, so that the file opens as before; a name that begins with a dot has none there.
    let ends = |at: &usize| *at > 0 && name.len() - at <= ENDING_BYTES_MAX;
    let dot = name.iter().rposition(|byte| *byte == b'.').filter(ends);
    let (stem, ending) = name.split_at(dot.unwrap_or(name.len()));
    let when = moment.strftime("%Y-%m-%d %H.%M").to_string();
    (1..=TRIES).map(move |number| {
        let again = if number == 1 { String::new() } else { format!(" {number}") };
        let label = format!(" (tuckbox {when}{again})");
        let room = NAME_BYTES_MAX - label.len() - ending.len();
        [cut(stem, room), label.as_bytes(), ending].concat().into_boxed_slice()
    })
}

/// The beginning of a name, not in the middle of a letter.
fn cut(stem: &[u8], room: usize) -> &[u8] {
    let Some(cut) = stem.get(..room).filter(|_| stem.len() > room) else { return stem };
    let is_inside = |at: &usize| stem.get(*at).is_some_and(|byte| byte & 0xc0 == 0x80);
    let end = (room.saturating_sub(3)..=room).rev().find(|at| !is_inside(at)).unwrap_or(room);
    cut.get(..end).unwrap_or(cut)
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::date;

    fn first(name: &[u8]) -> Box<[u8]> {
        names(name, date(2026, 11, 20).at(18, 0, 41, 0)).next().unwrap()
    }

    #[test]
    fn endings_stay_and_no_name_is_too_long() {
        assert_eq!(&*first(b"letter.txt"), b"letter (tuckbox 2026-11-20 18.00).txt");
        assert_eq!(&*first(b"Makefile"), b"Makefile (tuckbox 2026-11-20 18.00)");
        assert_eq!(&*first(b".profile"), b".profile (tuckbox 2026-11-20 18.00)");
        let second = names(b"a.b.gz", date(2026, 1, 2).at(3, 4, 5, 0)).nth(1).unwrap();
        assert_eq!(&*second, b"a.b (tuckbox 2026-01-02 03.04 2).gz");
        assert_eq!(names(b"x", DateTime::default()).count(), TRIES);
        for name in ["ä".repeat(127), format!("{}.txt", "ä".repeat(125)), format!("x.{}", "y".repeat(253))] {
            let made = first(name.as_bytes());
            assert!(made.len() <= NAME_BYTES_MAX && made.len() > 250, "{}", made.len());
            assert!(std::str::from_utf8(&made).is_ok());
            assert!(made.windows(8).any(|part| part == b"(tuckbox"));
        }
    }
}
