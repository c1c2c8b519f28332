//! Lines over time in a bounded number of buckets: lowest, highest and last of each survive any merging.

use crate::units::Nanos;

/// Most buckets; when a session outgrows them, they are merged in pairs and each becomes twice as long.
pub const BUCKETS_MAX: usize = 8_192;

/// Length of a bucket at first.
pub const FINEST: Nanos = Nanos::from_ms(10);

/// What a number was within a bucket.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Range {
    /// Lowest.
    pub low: f64,
    /// Highest.
    pub high: f64,
    /// At the bucket's end; `None` if it was gone by then.
    pub last: Option<f64>,
}

/// `K` numbers over a stretch of time in which anything happened.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bucket<const K: usize> {
    /// It begins so many buckets after the start.
    pub index: i64,
    /// `None` of a number that was not there all the while.
    pub lines: [Option<Range>; K],
}

/// `K` numbers over time.
#[derive(Clone, Debug, PartialEq)]
pub struct Trace<const K: usize> {
    every: Nanos,
    buckets: Vec<Bucket<K>>,
}

impl<const K: usize> Default for Trace<K> {
    fn default() -> Self {
        Self { every: FINEST, buckets: Vec::new() }
    }
}

impl<const K: usize> Trace<K> {
    /// These are the numbers so long after the start; time does not go back.
    pub fn take(&mut self, elapsed: Nanos, values: [Option<f64>; K]) {
        let lines = values.map(|value| value.map(|v| Range { low: v, high: v, last: Some(v) }));
        let index = elapsed.0 / self.every.0;
        match self.buckets.last_mut() {
            Some(last) if last.index == index => last.merge(&lines),
            _ => self.buckets.push(Bucket { index, lines }),
        }
        while self.buckets.len() > BUCKETS_MAX {
            self.coarsen();
        }
    }

    fn coarsen(&mut self) {
        self.every = Nanos(self.every.0 * 2);
        let mut merged: Vec<Bucket<K>> = Vec::with_capacity(BUCKETS_MAX);
        for bucket in self.buckets.drain(..) {
            let index = bucket.index / 2;
            match merged.last_mut() {
                Some(last) if last.index == index => last.merge(&bucket.lines),
                _ => merged.push(Bucket { index, ..bucket }),
            }
        }
        self.buckets = merged;
    }

    /// Length of a bucket.
    pub fn every(&self) -> Nanos {
        self.every
    }

    /// In the order of time; where none is, nothing changed.
    pub fn buckets(&self) -> &[Bucket<K>] {
        &self.buckets
    }
}

impl<const K: usize> Bucket<K> {
    fn merge(&mut self, later: &[Option<Range>; K]) {
        for (here, later) in self.lines.iter_mut().zip(later) {
            *here = match (*here, *later) {
                (Some(a), Some(b)) => Some(Range { low: a.low.min(b.low), high: a.high.max(b.high), last: b.last }),
                (Some(a), None) => Some(Range { last: None, ..a }),
                (None, later) => later,
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Stream;

    #[test]
    fn a_bucket_knows_its_extremes_and_how_it_ended() {
        // Two numbers in the first 10 ms: 5, 9, 7 and 1, gone, gone; then nothing until 25 ms.
        let mut trace = Trace::default();
        for (ms, values) in [(0, [Some(5.0), Some(1.0)]), (4, [Some(9.0), None]), (9, [Some(7.0), None])] {
            trace.take(Nanos::from_ms(ms), values);
        }
        trace.take(Nanos::from_ms(25), [Some(7.0), None]);
        let range = |low, high, last| Some(Range { low, high, last });
        let first = Bucket { index: 0, lines: [range(5.0, 9.0, Some(7.0)), range(1.0, 1.0, None)] };
        assert_eq!(trace.buckets(), [first, Bucket { index: 2, lines: [range(7.0, 7.0, Some(7.0)), None] }]);
    }

    #[test]
    fn however_often_buckets_are_merged_no_extreme_is_lost() {
        // A walk of 100 000 steps at odd moments, against the same put into buckets of the final length at once.
        let mut draw = Stream::new(5, "test.trace");
        let (mut at, mut value, mut trace, mut all) = (0, 0.0, Trace::default(), Vec::new());
        for _ in 0..100_000 {
            at += draw.below(20_000_000) as i64;
            value += draw.normal();
            let there = draw.chance(0.9).then_some(value);
            trace.take(Nanos(at), [there]);
            all.push((at, there));
        }
        assert!(trace.buckets().len() <= BUCKETS_MAX && trace.buckets().len() > BUCKETS_MAX / 4);
        let mut told = trace.buckets().iter();
        for within in all.chunk_by(|a, b| a.0 / trace.every().0 == b.0 / trace.every().0) {
            let bucket = told.next().expect("a bucket for every stretch with news");
            let values = || within.iter().filter_map(|(_, value)| *value);
            let low = values().fold(f64::INFINITY, f64::min);
            let high = values().fold(f64::NEG_INFINITY, f64::max);
            let last = within.last().expect("a stretch has news").1;
            assert_eq!(bucket.index, within[0].0 / trace.every().0);
            assert_eq!(bucket.lines[0], (low <= high).then_some(Range { low, high, last }));
        }
        assert_eq!(told.next(), None);
    }
}
