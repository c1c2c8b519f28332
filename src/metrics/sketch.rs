//! Quantiles of more values than can be kept, each with a weight.
//!
//! DDSketch (C. Masson, J. Rim & H. Lee, *DDSketch*, Proceedings of the VLDB Endowment 12 (2019), §2.1): values are counted
//! in bins whose edges grow by a constant factor, in memory that grows with the logarithm of the range. A quantile is the
//! mean of the values in its bin: off by at most one percent of itself, and exact where they are few and apart, as positions
//! of a few lots are.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::numeric::ln;
use crate::units::Nanos;

/// A bin reaches this share of its middle to either side.
pub const ACCURACY: f64 = 0.005;

/// Counts in bins.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sketch {
    /// By sign and logarithm, in the order of the values.
    bins: BTreeMap<(i8, i32), Bin>,
    all: Bin,
    max_abs: f64,
    low: f64,
    high: f64,
}

/// Weight, and weighted sum of the values.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Bin {
    weight: u64,
    sum: f64,
}

impl Bin {
    fn add(&mut self, value: f64, weight: u64) {
        self.weight += weight;
        self.sum += value * weight as f64;
    }

    fn mean(&self) -> f64 {
        self.sum / self.weight as f64
    }
}

/// A distribution in a few numbers.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[expect(missing_docs, reason = "they are called what they are")]
pub struct Quantiles {
    pub mean: f64,
    pub p05: f64,
    pub p25: f64,
    pub p50: f64,
    pub p75: f64,
    pub p95: f64,
}

/// `ln` of the factor between a bin's edges: `(1 + α)/(1 - α)`.
fn ln_factor() -> f64 {
    ln((1.0 + ACCURACY) / (1.0 - ACCURACY))
}

impl Sketch {
    /// Counts a value so many times (nanoseconds, for a distribution over time).
    pub fn add(&mut self, value: f64, weight: u64) {
        if weight == 0 {
            return;
        }
        let log = || (ln(value.abs()) / ln_factor()).ceil() as i32;
        let bin = match value.partial_cmp(&0.0) {
            Some(std::cmp::Ordering::Greater) => (1, log()),
            Some(std::cmp::Ordering::Less) => (-1, -log()),
            Some(std::cmp::Ordering::Equal) => (0, 0),
            None => return,
        };
        self.bins.entry(bin).or_default().add(value, weight);
        self.all.add(value, weight);
        self.max_abs = self.max_abs.max(value.abs());
        (self.low, self.high) = (self.low.min(value), self.high.max(value));
    }

    /// The value that a share `p` of the weight is at or below; `None` of nothing.
    pub fn quantile(&self, p: f64) -> Option<f64> {
        let wanted = p * self.all.weight as f64;
        let mut below = 0;
        let reaches = |bin: &&Bin| {
            below += bin.weight;
            below as f64 >= wanted
        };
        self.bins.values().find(reaches).map(Bin::mean)
    }

    /// Weighted mean, exact but for rounding; `None` of nothing.
    pub fn mean(&self) -> Option<f64> {
        (self.all.weight > 0).then(|| self.all.mean())
    }

    /// Weight of all values: how many, if each was counted once.
    pub fn weight(&self) -> u64 {
        self.all.weight
    }

    /// Largest value without its sign, exact; 0 of nothing.
    pub fn max_abs(&self) -> f64 {
        self.max_abs
    }

    /// Largest value above zero, exact; 0 of none.
    pub fn high(&self) -> f64 {
        self.high
    }

    /// Smallest value below zero, exact; 0 of none.
    pub fn low(&self) -> f64 {
        self.low
    }

    /// In a few numbers; `None` of nothing.
    pub fn quantiles(&self) -> Option<Quantiles> {
        Some(Quantiles {
            mean: self.mean()?,
            p05: self.quantile(0.05)?,
            p25: self.quantile(0.25)?,
            p50: self.quantile(0.5)?,
            p75: self.quantile(0.75)?,
            p95: self.quantile(0.95)?,
        })
    }
}

/// A number that holds for a while at a time, and how long it was what.
#[derive(Clone, Debug, Default)]
pub struct Dwell {
    now: Option<f64>,
    since: Nanos,
    over: Sketch,
    /// `∫|x| dt`, in nanoseconds.
    absolute: f64,
}

impl Dwell {
    /// Lets time pass.
    pub fn pass(&mut self, time: Nanos) {
        self.since += time;
    }

    /// From now on it is this; `None`: there is no such number now.
    pub fn change(&mut self, value: Option<f64>) {
        if value == self.now {
            return;
        }
        self.settle();
        self.now = value;
    }

    fn settle(&mut self) {
        let lasted = std::mem::take(&mut self.since).0.max(0);
        if let Some(value) = self.now {
            self.over.add(value, lasted as u64);
            self.absolute += value.abs() * lasted as f64;
        }
    }

    /// All of it: the distribution, and the mean of the absolute value.
    pub fn settled(&mut self) -> (&Sketch, f64) {
        self.settle();
        let mean = if self.over.all.weight > 0 { self.absolute / self.over.all.weight as f64 } else { 0.0 };
        (&self.over, mean)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quantile_is_right_to_a_percent_and_often_exact() {
        // -500 … 500 once each: the value that a share p is at or below is the ⌈1001·p⌉th.
        let mut sketch = Sketch::default();
        (-500..=500).for_each(|x| sketch.add(f64::from(x), 1));
        for (p, exact) in [(0.001, -499.0f64), (0.25, -250.0), (0.5, 0.0), (0.75, 250.0), (0.95, 450.0), (1.0, 500.0)] {
            let found = sketch.quantile(p).expect("values");
            assert!((found - exact).abs() <= 2.0 * ACCURACY * exact.abs(), "p {p}: {found}, not {exact}");
        }
        assert_eq!((sketch.mean(), sketch.max_abs()), (Some(0.0), 500.0));
        let mut lots = Sketch::default();
        [(-2.0, 1), (0.0, 2), (3.0, 1)].into_iter().for_each(|(position, time)| lots.add(position, time));
        assert_eq!([0.25, 0.5, 0.75, 0.76].map(|p| lots.quantile(p)), [-2.0, 0.0, 0.0, 3.0].map(Some));
        assert_eq!(Sketch::default().quantiles(), None);
    }

    #[test]
    fn weights_count_as_often_as_they_say() {
        let (mut weighted, mut repeated) = (Sketch::default(), Sketch::default());
        weighted.add(-2.0, 3);
        weighted.add(0.0, 1);
        weighted.add(1e-9, 0);
        weighted.add(f64::NAN, 5);
        (0..3).for_each(|_| repeated.add(-2.0, 1));
        repeated.add(0.0, 1);
        assert_eq!(weighted, repeated);
        assert_eq!(weighted.mean(), Some(-1.5));
    }

    #[test]
    fn a_number_is_weighted_by_how_long_it_held() {
        // 2 for 3 s, nothing for 5 s, -4 for 1 s: mean (6 - 4)/4, absolute (6 + 4)/4.
        let mut dwell = Dwell::default();
        for (value, seconds) in [(Some(2.0), 1), (Some(2.0), 2), (None, 5), (Some(-4.0), 1)] {
            dwell.change(value);
            dwell.pass(Nanos::from_s(seconds));
        }
        let (sketch, absolute) = dwell.settled();
        assert_eq!((sketch.mean(), absolute), (Some(0.5), 2.5));
    }
}
