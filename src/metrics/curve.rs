//! An equity curve of a fixed number of points, however long the session.

use crate::units::Nanos;

/// Most points kept: enough for an interval of a Sharpe ratio, few enough for ten thousand resamples.
const POINTS_MAX: usize = 2_048;

/// Equity at even moments. When there are too many of them, every second one is forgotten and the period doubles.
#[derive(Clone, Debug)]
pub(super) struct Curve {
    every: Nanos,
    points: Vec<f64>,
}

impl Curve {
    /// Panics unless the first period is longer than nothing.
    pub fn new(every: Nanos) -> Self {
        assert!(every > Nanos::ZERO, "a curve has a period");
        Self { every, points: vec![0.0] }
    }

    /// The equity was this until so long after the start.
    pub fn until(&mut self, elapsed: Nanos, equity: f64) {
        while self.points.len() as i64 * self.every.0 <= elapsed.0 {
            self.points.push(equity);
            if self.points.len() == POINTS_MAX {
                let mut index = 0;
                self.points.retain(|_| {
                    index += 1;
                    index % 2 == 1
                });
                self.every = Nanos(self.every.0 * 2);
            }
        }
    }

    pub fn every(&self) -> Nanos {
        self.every
    }

    /// The first is the start.
    pub fn points(&self) -> &[f64] {
        &self.points
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_point_is_the_equity_until_then() {
        // Periods of 10: 1 until 25, then 2 until 30. The point at 30 is what was before 30.
        let mut curve = Curve::new(Nanos(10));
        curve.until(Nanos(5), 7.0);
        curve.until(Nanos(25), 1.0);
        curve.until(Nanos(30), 2.0);
        assert_eq!(curve.points(), [0.0, 1.0, 1.0, 2.0]);
    }

    #[test]
    fn a_long_session_has_longer_periods_not_more() {
        // An equity of what the time is: however often it is halved, the points lie on the same line.
        let mut curve = Curve::new(Nanos(1));
        (1..=10_000).for_each(|at| curve.until(Nanos(at), at as f64));
        assert!(curve.points().len() <= POINTS_MAX && curve.points().len() >= POINTS_MAX / 2);
        assert_eq!(curve.every(), Nanos(8));
        assert!(curve.points().iter().enumerate().all(|(i, e)| *e == 8.0 * i as f64));
        // A year passes at once.
        curve.until(Nanos::from_s(31_536_000), 1.0);
        assert!(curve.points().len() <= POINTS_MAX);
    }
}
