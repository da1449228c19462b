//! Going ahead of the answers.
//!
//! Where the vault lacked all that was asked about so far, as in a first backup, a far server is not waited for with each
//! batch in hand: what comes next is taken to lack, too, and goes on at once. The questions go out as ever, and their
//! answers are read a while later; the first chunk that was there after all ends it. What went out meanwhile is then in
//! the vault twice, until housekeeping: never more than [`BYTES_MAX`] each time, and each next time is twice as far.

use std::collections::VecDeque;

use crate::fault::Result;

/// Bytes that have to lack, one after the other, before the next are taken to lack; twice as many after each error, so
/// that errors come to little beside what lacked.
const PROOF_BYTES: usize = 32 << 20;
/// Bytes of batches that went on without their answers: what is read at full speed in a round trip of 100 ms.
const BYTES_MAX: usize = 64 << 20;
/// Questions without an answer; they are kept for a lost connection, in 6 MiB at most.
const QUESTIONS_MAX: usize = 96;

/// A question whose batches went on.
struct Unanswered {
    ids: usize,
    bytes: usize,
}

/// Which answers are still to be read, and whether the next may be waited for later.
pub(super) struct Ahead {
    /// Bytes of batches of which all that was asked about lacked, since something was there.
    lacked: usize,
    proof: usize,
    unanswered: VecDeque<Unanswered>,
    /// Of all of these.
    bytes: usize,
}

impl Default for Ahead {
    fn default() -> Self {
        Self { lacked: 0, proof: PROOF_BYTES, unanswered: VecDeque::new(), bytes: 0 }
    }
}

impl Ahead {
    /// Which of so many ids, in batches of so many bytes, lack. `answers` gives the answers to the oldest question that it
    /// was not asked for yet, when told how many ids that has.
    pub(super) fn lacking(
        &mut self,
        (ids, bytes): (usize, usize),
        is_far: bool,
        mut answers: impl FnMut(usize) -> Result<Vec<bool>>,
    ) -> Result<Vec<bool>> {
        if ids == 0 {
            return Ok(Vec::new());
        }
        while !self.has_room(bytes) || !self.expects_nothing(is_far) {
            if !self.catch_up(&mut answers)? {
                break;
            }
        }
        if self.expects_nothing(is_far) {
            self.unanswered.push_back(Unanswered { ids, bytes });
            self.bytes += bytes;
            return Ok(vec![true; ids]);
        }
        let lacking = answers(ids)?;
        self.heard(&lacking, bytes);
        Ok(lacking)
    }

    /// Reads the answers that are left.
    pub(super) fn end(&mut self, mut answers: impl FnMut(usize) -> Result<Vec<bool>>) -> Result<()> {
        while self.catch_up(&mut answers)? {}
        Ok(())
    }

    fn has_room(&self, bytes: usize) -> bool {
        self.unanswered.len() < QUESTIONS_MAX && self.bytes.saturating_add(bytes) <= BYTES_MAX
    }

    fn expects_nothing(&self, is_far: bool) -> bool {
        is_far && self.lacked >= self.proof
    }

    /// Reads the oldest answer; false when there is none to be read.
    fn catch_up(&mut self, answers: &mut impl FnMut(usize) -> Result<Vec<bool>>) -> Result<bool> {
        let Some(Unanswered { ids, bytes }) = self.unanswered.pop_front() else { return Ok(false) };
        self.bytes -= bytes;
        let lacking = answers(ids)?;
        self.heard(&lacking, bytes);
        Ok(true)
    }

    fn heard(&mut self, lacking: &[bool], bytes: usize) {
        if lacking.iter().all(|lacks| *lacks) {
            self.lacked = self.lacked.saturating_add(bytes);
            return;
        }
        if self.lacked >= self.proof {
            self.proof = self.proof.saturating_mul(2);
        }
        self.lacked = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A server of which some ids are known, and how many answers were read.
    struct Server {
        known: fn(usize) -> bool,
        read: usize,
    }

    impl Server {
        fn answer(&mut self, ids: usize) -> Result<Vec<bool>> {
            let from = self.read;
            self.read += ids;
            Ok((from..self.read).map(|id| !(self.known)(id)).collect())
        }
    }

    /// Asks questions of 1,024 ids and a MiB each; gives how many ids were taken to lack, and how many questions were
    /// without an answer at most.
    fn ask(ahead: &mut Ahead, server: &mut Server, questions: usize, far: bool) -> (usize, usize) {
        let (mut lacked, mut asked, mut most) = (0, server.read, 0);
        for _ in 0..questions {
            asked += 1_024;
            let lacking = ahead.lacking((1_024, 1 << 20), far, |ids| server.answer(ids)).unwrap();
            lacked += lacking.iter().filter(|lacks| **lacks).count();
            most = most.max((asked - server.read) / 1_024);
        }
        ahead.end(|ids| server.answer(ids)).unwrap();
        assert_eq!(server.read, asked, "each answer is read once");
        (lacked, most)
    }

    #[test]
    fn a_near_server_is_waited_for_and_a_far_one_that_has_nothing_is_not() {
        for (far, most) in [(false, 0), (true, 64)] {
            let (mut ahead, mut server) = (Ahead::default(), Server { known: |_| false, read: 0 });
            assert_eq!(ask(&mut ahead, &mut server, 32, far), (32 * 1_024, 0));
            assert_eq!(ask(&mut ahead, &mut server, 100, far), (100 * 1_024, most));
        }
    }

    #[test]
    fn a_chunk_that_is_there_ends_it_for_twice_as_long() {
        let (mut ahead, mut server) = (Ahead::default(), Server { known: |id| id == 50_000, read: 0 });
        // It had not been heard of when those behind it were taken to lack.
        assert_eq!(ask(&mut ahead, &mut server, 96, true), (96 * 1_024, 64));
        assert_eq!((ahead.proof, ahead.lacked), (2 * PROOF_BYTES, 47 << 20));
        assert_eq!(ask(&mut ahead, &mut server, 17, true), (17 * 1_024, 0));
        assert_eq!(ask(&mut ahead, &mut server, 1, true), (1_024, 1));
        server.known = |id| id % 1_024 == 0;
        assert_eq!(ask(&mut ahead, &mut server, 1, true), (1_024, 1), "nobody has said so yet");
        assert_eq!(ahead.proof, 4 * PROOF_BYTES);
        assert_eq!(ask(&mut ahead, &mut server, 50, true), (50 * 1_023, 0));
        assert_eq!(ahead.proof, 4 * PROOF_BYTES, "nothing was taken for granted");
    }

    #[test]
    fn many_small_questions_and_one_of_many_bytes_are_bounded_too() {
        let (mut ahead, mut server) =
            (Ahead { lacked: PROOF_BYTES, ..Ahead::default() }, Server { known: |_| false, read: 0 });
        for asked in 1..100_usize {
            ahead.lacking((1, 1), true, |ids| server.answer(ids)).unwrap();
            assert_eq!(server.read, asked.saturating_sub(QUESTIONS_MAX));
        }
        ahead.lacking((1, 2 * BYTES_MAX), true, |ids| server.answer(ids)).unwrap();
        assert_eq!(server.read, 99, "it waits for all before it");
    }
}
