//! What is left out by its age: the time of its last modification against a moment. Directories have no age.

use store::tree::Time;

use super::rule::Given;

/// What a rule asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Age {
    /// At least so old: what may still be written to waits, and what the version before has of it stands.
    Min,
    /// At most so old.
    Max,
    /// Modified after a moment: what is older is kept elsewhere.
    NewerThan,
}

/// A rule, its words and where they stand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AgeRule {
    /// What it asks for.
    pub age: Age,
    /// The moment that it means, milliseconds since 1970.
    pub moment_ms: i64,
    /// Its words, and where they stand.
    pub given: Given,
}

impl AgeRule {
    /// What is too old is told by the clock that is behind, of this machine's and the server's, which is `back_ms` (0 or
    /// less) from this machine's: one that jumped ahead makes nothing old.
    pub fn by_clock_behind(&mut self, back_ms: i64) {
        if self.age == Age::Max {
            self.moment_ms = self.moment_ms.saturating_add(back_ms);
        }
    }

    /// Whether it leaves out what was modified then.
    #[must_use]
    pub fn leaves_out(&self, mtime: Time) -> bool {
        let at_ns = i128::from(mtime.secs) * 1_000_000_000 + i128::from(mtime.nanos);
        let moment_ns = i128::from(self.moment_ms) * 1_000_000;
        match self.age {
            Age::Min => at_ns > moment_ns,
            Age::Max => at_ns < moment_ns,
            Age::NewerThan => at_ns <= moment_ns,
        }
    }

    /// The rule, as people are told.
    #[must_use]
    pub fn told(&self) -> String {
        let words = match self.age {
            Age::Min => "younger than",
            Age::Max => "older than",
            Age::NewerThan => "not newer than",
        };
        format!("{words} `{}` ({})", String::from_utf8_lossy(&self.given.pattern), self.given.from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_to_the_nanosecond() {
        let rule = |age| AgeRule { age, moment_ms: 1_000_500, given: Given::new("x", "--y") };
        let at = |secs, nanos| Time { secs, nanos };
        let (before, then, after) = (at(1000, 499_999_999), at(1000, 500_000_000), at(1000, 500_000_001));
        for (age, out) in
            [(Age::Min, [false, false, true]), (Age::Max, [true, false, false]), (Age::NewerThan, [true, true, false])]
        {
            assert_eq!([before, then, after].map(|time| rule(age).leaves_out(time)), out, "{age:?}");
        }
        assert!(rule(Age::Max).leaves_out(at(i64::MIN, 0)) && rule(Age::Min).leaves_out(at(i64::MAX, 999_999_999)));
        assert_eq!(rule(Age::Min).told(), "younger than `x` (--y)");
    }
}
