//! A line that is not what it should be: words get lost on it, and now and then it holds all of them back.

use crate::rng::Stream;
use crate::units::{LocalTime, Nanos};

/// How bad a line between a market and us is.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Line {
    /// Share of words that never come.
    pub loss: f64,
    /// How often it stalls, per second: a Poisson process.
    pub stalls_per_s: f64,
    /// For how long on average, seconds, exponential. What was said meanwhile is heard at the end of it, at once.
    pub stall_s: f64,
    /// Seeds what happens on it.
    pub seed: u64,
}

/// One of them, over time.
#[derive(Clone, Debug)]
pub(super) struct Bad {
    line: Line,
    losses: Stream,
    stalls: Stream,
    /// The last stall that was drawn, from and to.
    stall: [LocalTime; 2],
}

impl Bad {
    /// From `begins` on; `None` of a line that is good.
    pub fn new(line: Line, instrument: usize, begins: LocalTime) -> Option<Self> {
        let stream = |what: &str| Stream::new(line.seed, &format!("env.line.{instrument}.{what}"));
        let bad = Self { line, losses: stream("losses"), stalls: stream("stalls"), stall: [begins; 2] };
        (line.loss > 0.0 || line.stalls_per_s > 0.0).then_some(bad)
    }

    /// Whether the next word never comes.
    pub fn loses(&mut self) -> bool {
        self.line.loss > 0.0 && self.losses.chance(self.line.loss)
    }

    /// When a word is heard that would be heard at `at`. Times never go back, and neither do answers.
    pub fn heard(&mut self, at: LocalTime) -> LocalTime {
        if self.line.stalls_per_s <= 0.0 {
            return at;
        }
        while self.stall[1] <= at {
            // Thirty years are never.
            let s = |s: f64| Nanos((s.min(1e9) * 1e9) as i64 + 1);
            let from = self.stall[1] + s(self.stalls.exponential(1.0 / self.line.stalls_per_s));
            self.stall = [from, from + s(self.stalls.exponential(self.line.stall_s))];
        }
        if at >= self.stall[0] { self.stall[1] } else { at }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stall_holds_everything_back_to_its_end() {
        let line = Line { stalls_per_s: 0.5, stall_s: 0.5, seed: 4, ..Line::default() };
        let mut bad = Bad::new(line, 0, LocalTime(0)).expect("a bad line");
        let heard: Vec<(i64, i64)> = (0..200_000).map(|ms| (ms, bad.heard(LocalTime(ms * 1_000_000)).0)).collect();
        assert!(heard.windows(2).all(|pair| pair[0].1 <= pair[1].1), "nothing overtakes");
        assert!(heard.iter().all(|(ms, at)| *at >= ms * 1_000_000));
        // Stalls of half a second begin two seconds after the last one ended: a fifth of the time, of some 80 stalls.
        let late = heard.iter().filter(|(ms, at)| *at > ms * 1_000_000).count() as f64 / 200_000.0;
        assert!((0.12..0.28).contains(&late), "{late}");
    }

    #[test]
    fn a_good_line_is_none_and_a_bad_one_loses_its_share() {
        assert!(Bad::new(Line { stall_s: 1.0, seed: 9, ..Line::default() }, 0, LocalTime(0)).is_none());
        let mut bad = Bad::new(Line { loss: 0.01, ..Line::default() }, 0, LocalTime(0)).expect("a bad line");
        // Binomial(100 000, 0.01): 1 000, deviation 31.
        let lost = (0..100_000).filter(|_| bad.loses()).count();
        assert!((880..1_120).contains(&lost), "{lost}");
        assert_eq!(bad.heard(LocalTime(5)), LocalTime(5));
        let rare = Line { stalls_per_s: 1e-15, stall_s: 1.0, ..Line::default() };
        let mut rare = Bad::new(rare, 0, LocalTime(0)).expect("a bad line, once in an age");
        assert_eq!(rare.heard(LocalTime(5)), LocalTime(5));
    }
}
