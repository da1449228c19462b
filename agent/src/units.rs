//! Sizes, counts and durations as people write and read them. Units of sizes are of 1,024.

const UNITS: [&str; 7] = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];

/// A size with three significant digits or so: `0 B`, `999 B`, `1.2 KiB`, `88.0 MiB`, `1,023 GiB`.
#[must_use]
pub fn size(bytes: u64) -> String {
    let mut unit = 0_usize;
    let mut whole = bytes;
    let mut below = 0;
    while whole >= 1024 && unit + 1 < UNITS.len() {
        below = whole % 1024;
        whole /= 1024;
        unit += 1;
    }
    let name = UNITS.get(unit).copied().unwrap_or_default();
    if unit == 0 || whole >= 100 {
        // Round half up; 1,023.9 of a unit is 1,024 of it and not worth a case of its own.
        let rounded = if unit > 0 && below >= 512 { whole + 1 } else { whole };
        return format!("{} {name}", count(rounded));
    }
    let tenths = (below * 10 + 512) / 1024;
    let (whole, tenths) = if tenths == 10 { (whole + 1, 0) } else { (whole, tenths) };
    format!("{whole}.{tenths} {name}")
}

/// A number with commas: `1,204`.
#[must_use]
pub fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// A number with its word: `1 file`, `2 files`.
#[must_use]
pub fn counted(number: u64, one: &str, many: &str) -> String {
    format!("{} {}", count(number), if number == 1 { one } else { many })
}

/// A duration in at most two units: `0.4 s`, `6 s`, `3 min 20 s`, `2 h 5 min`, `3 d 4 h`.
#[must_use]
pub fn duration(ms: u64) -> String {
    let seconds = ms / 1000;
    let two = |big: u64, big_name: &str, small: u64, small_name: &str| {
        if small > 0 { format!("{big} {big_name} {small} {small_name}") } else { format!("{big} {big_name}") }
    };
    match seconds {
        0..10 => format!("{seconds}.{} s", ms % 1000 / 100),
        10..60 => format!("{seconds} s"),
        60..3600 => two(seconds / 60, "min", seconds % 60, "s"),
        3600..86_400 => two(seconds / 3600, "h", seconds % 3600 / 60, "min"),
        _ => two(seconds / 86_400, "d", seconds % 86_400 / 3600, "h"),
    }
}

/// A size as people write it: `4M`, `200k`, `1.5 GiB`, `500`. All units are of 1,024.
///
/// # Errors
/// A sentence that says what is wrong.
pub fn parse_size(text: &str) -> Result<u64, String> {
    let text = text.trim();
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let shift = match unit.trim().to_ascii_lowercase().as_str() {
        "" | "b" => 0,
        "k" | "kb" | "kib" => 10,
        "m" | "mb" | "mib" => 20,
        "g" | "gb" | "gib" => 30,
        "t" | "tb" | "tib" => 40,
        "p" | "pb" | "pib" => 50,
        _ => return Err(format!("\"{text}\" is not a size: use a number and k, M, G, T or P (units of 1,024)")),
    };
    let bad = || format!("\"{text}\" is not a size: write it as in 4M or 1.5G");
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if whole.is_empty() || number.ends_with('.') || fraction.len() > 6 || fraction.contains('.') {
        return Err(bad());
    }
    if !fraction.is_empty() && shift == 0 {
        return Err(format!("\"{text}\" is not a whole number of bytes"));
    }
    let too_large = || format!("\"{text}\" is too large");
    let whole: u64 = whole.parse().map_err(|_| too_large())?;
    let bytes = u128::from(whole) << shift;
    let part = match fraction.parse::<u64>() {
        Ok(value) => {
            let scale = 10_u128.pow(u32::try_from(fraction.len()).map_err(|_| bad())?);
            (u128::from(value) << shift) / scale
        }
        Err(_) => 0,
    };
    u64::try_from(bytes + part).map_err(|_| too_large())
}

/// A duration as people write it, in milliseconds: `30s`, `10 min`, `1.5h`, `2 d`; a bare number is seconds. At most 1,000
/// days.
///
/// # Errors
/// A sentence that says what is wrong.
pub fn parse_duration(text: &str) -> Result<u64, String> {
    let bad = || format!("\"{text}\" is not a duration: write it as in 30s, 10min, 1.5h or 1d");
    let text = text.trim();
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(whole) || !digits(fraction) || fraction.len() > 3 {
        return Err(bad());
    }
    let thousandths: u64 = format!("{fraction:0<3}").parse().map_err(|_| bad())?;
    let number: u64 = whole.parse().map_err(|_| bad())?;
    let seconds: u64 = match unit.trim() {
        "" | "s" | "sec" => 1,
        "m" | "min" => 60,
        "h" => 3_600,
        "d" => 86_400,
        _ => return Err(bad()),
    };
    number
        .checked_mul(seconds)
        .filter(|seconds| *seconds <= 1_000 * 86_400)
        .map(|whole| whole * 1_000 + thousandths * seconds)
        .ok_or_else(bad)
}

/// A share such as `5%`, `0.5%` or `5`, in thousandths, 1 to 1,000.
///
/// # Errors
/// A sentence that says what is wrong.
pub fn parse_share(text: &str) -> Result<u32, String> {
    let bad = || format!("\"{text}\" is not a share: write a percentage from 0.1% to 100%");
    let number = text.trim().trim_end_matches('%').trim_end();
    let (whole, tenth) = number.split_once('.').unwrap_or((number, "0"));
    let digits = |part: &str, most: usize| -> Option<u32> {
        let good = (1..=most).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit());
        if good { part.parse().ok() } else { None }
    };
    let whole = digits(whole, 3).ok_or_else(bad)?;
    let tenth = digits(tenth, 1).ok_or_else(bad)?;
    Some(whole * 10 + tenth).filter(|permille| (1..=1000).contains(permille)).ok_or_else(bad)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn sizes_are_written() {
        for (bytes, text) in [
            (0, "0 B"),
            (1023, "1,023 B"),
            (1024, "1.0 KiB"),
            (1280, "1.3 KiB"),
            (92_274_688, "88.0 MiB"),
            (1024 * 1024 - 1, "1,024 KiB"),
            (99 * 1024 + 1023, "100.0 KiB"),
            (u64::MAX, "16.0 EiB"),
        ] {
            assert_eq!(size(bytes), text);
        }
    }

    #[test]
    fn sizes_are_read() {
        for (text, bytes) in [
            ("0", 0),
            ("500", 500),
            ("200k", 200 << 10),
            ("4M", 4 << 20),
            ("10MiB", 10 << 20),
            ("1.5G", 3 << 29),
            (" 2 TB ", 2 << 40),
        ] {
            assert_eq!(parse_size(text), Ok(bytes), "{text}");
        }
        for text in ["", "M", "1.5", "-1", "4 X", "1..5M", "1.M", ".5M", "99999999999P", "123456789012345678901", "1e3"]
        {
            assert!(parse_size(text).is_err(), "{text}");
        }
    }

    #[test]
    fn shares_are_read() {
        for (text, permille) in [("5%", 50), ("100%", 1000), ("0.5%", 5), ("7", 70), ("0.1 %", 1)] {
            assert_eq!(parse_share(text), Ok(permille), "{text}");
        }
        for text in ["", "%", "0%", "101%", "0.05%", "-1%", "1.%", "+5%"] {
            assert!(parse_share(text).is_err(), "{text}");
        }
    }

    #[test]
    fn durations_are_read() {
        for (text, ms) in [
            ("0", 0),
            ("0s", 0),
            ("30s", 30_000),
            (" 10 min", 600_000),
            ("2h", 7_200_000),
            ("1 d", 86_400_000),
            ("630", 630_000),
            ("1.5h", 5_400_000),
            ("90m", 5_400_000),
            ("0.25s", 250),
        ] {
            assert_eq!(parse_duration(text), Ok(ms), "{text}");
        }
        for text in
            ["", "s", "-1s", "1.s", ".5h", "1.2345h", "10x", "1 week", "1001d", "99999999999999999999s", "1h 5min"]
        {
            assert!(parse_duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn durations_are_written() {
        for (ms, text) in [
            (0, "0.0 s"),
            (430, "0.4 s"),
            (59_999, "59 s"),
            (60_000, "1 min"),
            (200_000, "3 min 20 s"),
            (7_500_000, "2 h 5 min"),
            (270_000_000, "3 d 3 h"),
        ] {
            assert_eq!(duration(ms), text);
        }
        assert_eq!(count(1_234_567), "1,234,567");
        assert_eq!(counted(1, "file", "files"), "1 file");
    }

    proptest! {
        #[test]
        fn rubbish_never_panics(text in ".*") {
            drop(parse_size(&text));
            drop(parse_share(&text));
        }

        #[test]
        fn whole_bytes_go_there_and_back(bytes: u64) {
            prop_assert_eq!(parse_size(&bytes.to_string()), Ok(bytes));
            prop_assert!(size(bytes).len() <= 12);
        }
    }
}
