//! Verbs that run beside: what is known of each. Who runs them is [`super::runner`].

use std::collections::VecDeque;

use agent::event::{Phase, Progress};

/// Jobs that run at a time.
pub const RUNNING_MAX: usize = 8;
/// Jobs that are remembered after their end.
const ENDED_MAX: usize = 200;
/// Lines of a job that are kept; of more, the first go.
const LINES_MAX: usize = 10_000;

/// All of them, oldest first.
#[derive(Debug, Default)]
pub struct Jobs {
    all: VecDeque<Job>,
    last: u64,
}

/// One.
#[derive(Clone, Debug)]
pub struct Job {
    /// Its number.
    pub number: u64,
    /// The command line, safe to show, without the program's name.
    pub words: String,
    /// The account that it works on.
    pub account: Option<String>,
    /// When it began, ms since 1970.
    pub began_ms: i64,
    /// When and how it ended: ms since 1970, exit status.
    pub ended: Option<(i64, u8)>,
    /// What it is busy with.
    pub phase: Option<Phase>,
    /// How far it is.
    pub progress: Progress,
    /// Bytes per second, as long as it runs, once there was a second.
    pub rate: Option<u64>,
    /// What it said, safe to show.
    pub lines: VecDeque<String>,
    /// So many bytes a second at most, as was said here.
    pub limit: Option<u64>,
    /// It was asked to end.
    pub cancelled: bool,
    phase_began_ms: i64,
}

/// Whether a verb moves files or packs: it gets connections of its own then, whose speed can be limited.
pub fn moves_much<'w>(mut words: impl Iterator<Item = &'w str>) -> bool {
    match words.next() {
        Some("backup" | "restore" | "undelete" | "dump" | "check" | "compare" | "repair") => true,
        Some("account") => words.any(|word| matches!(word, "dump" | "load")),
        _ => false,
    }
}

/// What happens with a job.
#[derive(Clone, Debug)]
pub struct News {
    /// Which one.
    pub number: u64,
    /// What.
    pub what: What,
}

/// See [`News`].
#[derive(Clone, Debug)]
pub enum What {
    /// It is busy with something else.
    Phase(Phase),
    /// How far it is.
    Progress(Progress),
    /// It said a line, safe to show.
    Line(String),
    /// It ended, with this status.
    Ended(u8),
}

impl Job {
    /// The verb.
    #[must_use]
    pub fn verb(&self) -> &str {
        self.words.split(' ').next().unwrap_or_default()
    }

    /// Whether it moves so much that its speed can be limited while it runs.
    #[must_use]
    pub fn moves_much(&self) -> bool {
        moves_much(self.words.split(' '))
    }

    /// Whether it runs.
    #[must_use]
    pub fn runs(&self) -> bool {
        self.ended.is_none()
    }

    /// Milliseconds that are left, when the total is known.
    #[must_use]
    pub fn left_ms(&self) -> Option<u64> {
        let left = self.progress.bytes_total?.saturating_sub(self.progress.bytes_done);
        let per_ms = u128::from(left) * 1_000;
        per_ms.checked_div(u128::from(self.rate?)).and_then(|ms| u64::try_from(ms).ok())
    }
}

impl Jobs {
    /// All, oldest first.
    pub fn all(&self) -> impl DoubleEndedIterator<Item = &Job> + ExactSizeIterator {
        self.all.iter()
    }

    /// Those that run, oldest first.
    pub fn running(&self) -> impl DoubleEndedIterator<Item = &Job> {
        self.all.iter().filter(|job| job.runs())
    }

    /// One of them.
    #[must_use]
    pub fn get(&self, number: u64) -> Option<&Job> {
        self.all.iter().find(|job| job.number == number)
    }

    /// One more; its number. `None` when as many run as may.
    pub fn begin(&mut self, words: String, account: Option<String>, now_ms: i64) -> Option<u64> {
        if self.running().count() >= RUNNING_MAX {
            return None;
        }
        if self.all.len() >= ENDED_MAX
            && let Some(oldest) = self.all.iter().position(|job| !job.runs())
        {
            self.all.remove(oldest);
        }
        self.last += 1;
        self.all.push_back(Job {
            number: self.last,
            words,
            account,
            began_ms: now_ms,
            ended: None,
            phase: None,
            progress: Progress::default(),
            rate: None,
            lines: VecDeque::new(),
            limit: None,
            cancelled: false,
            phase_began_ms: now_ms,
        });
        Some(self.last)
    }

    /// It was asked to end.
    pub fn cancel(&mut self, number: u64) {
        if let Some(job) = self.all.iter_mut().find(|job| job.number == number) {
            job.cancelled = true;
        }
    }

    /// It may go so fast from now on.
    pub fn limit(&mut self, number: u64, rate: Option<u64>) {
        if let Some(job) = self.all.iter_mut().find(|job| job.number == number) {
            job.limit = rate;
        }
    }

    /// Takes news in.
    pub fn hear(&mut self, news: News, now_ms: i64) {
        let Some(job) = self.all.iter_mut().find(|job| job.number == news.number) else { return };
        match news.what {
            What::Phase(phase) => (job.phase, job.phase_began_ms, job.rate) = (Some(phase), now_ms, None),
            What::Progress(progress) => {
                let elapsed = u64::try_from(now_ms.saturating_sub(job.phase_began_ms)).unwrap_or(0);
                if elapsed >= 1_000 {
                    let rate = u128::from(progress.bytes_done) * 1_000 / u128::from(elapsed);
                    job.rate = u64::try_from(rate).ok();
                }
                job.progress = progress;
            }
            What::Line(line) => {
                if job.lines.len() >= LINES_MAX {
                    job.lines.pop_front();
                }
                job.lines.push_back(line);
            }
            What::Ended(status) => job.ended = Some((now_ms, status)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rate_and_time_left_follow_from_progress() {
        let mut jobs = Jobs::default();
        let number = jobs.begin("backup /docs".into(), None, 1_000).unwrap();
        let hear = |jobs: &mut Jobs, what, now| jobs.hear(News { number, what }, now);
        hear(&mut jobs, What::Phase(Phase::Send), 2_000);
        let progress = Progress { bytes_done: 500, bytes_total: Some(1_500), ..Progress::default() };
        hear(&mut jobs, What::Progress(progress), 2_500);
        assert_eq!(jobs.get(number).unwrap().left_ms(), None);
        hear(&mut jobs, What::Progress(progress), 7_000);
        let job = jobs.get(number).unwrap();
        assert_eq!((job.verb(), job.rate, job.left_ms()), ("backup", Some(100), Some(10_000)));
        hear(&mut jobs, What::Ended(3), 8_000);
        assert_eq!((jobs.running().count(), jobs.get(number).unwrap().ended), (0, Some((8_000, 3))));
    }

    #[test]
    fn their_number_has_a_bound() {
        let mut jobs = Jobs::default();
        for _ in 0..RUNNING_MAX {
            assert!(jobs.begin("check".into(), None, 0).is_some());
        }
        assert!(jobs.begin("check".into(), None, 0).is_none());
        for number in 1..1_000 {
            jobs.hear(News { number, what: What::Ended(0) }, 1);
            jobs.begin("check".into(), None, 0);
        }
        assert!(jobs.all().len() <= ENDED_MAX);
    }
}
