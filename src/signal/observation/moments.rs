//! Mean and spread of what is seen: learnt while training, frozen into the policy.

use serde::{Deserialize, Serialize};

use crate::numeric;

/// No number a network sees is further from zero: what is beyond was not seen while it learnt.
pub const CLIP: f32 = 5.0;

/// A spread smaller than this is none: the number has always been the same.
const SPREAD_LEAST: f64 = 1e-6;

/// Running means and squared deviations: Welford, *Note on a method for calculating corrected sums of squares and products*, Technometrics
/// 4 (1962). Two of them add up (Chan, Golub & LeVeque, 1983), so that workers may each keep their own.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Moments {
    count: u64,
    mean: Vec<f64>,
    squares: Vec<f64>,
}

impl Moments {
    /// Of `len` numbers, nothing seen yet.
    pub fn new(len: usize) -> Self {
        Self { count: 0, mean: vec![0.0; len], squares: vec![0.0; len] }
    }

    /// How many observations were seen.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Another observation. Panics if it has another length.
    pub fn add(&mut self, row: &[f32]) {
        assert_eq!(row.len(), self.mean.len(), "an observation of the same schema");
        self.count += 1;
        for ((mean, squares), x) in self.mean.iter_mut().zip(&mut self.squares).zip(row) {
            let off = f64::from(*x) - *mean;
            *mean += off / self.count as f64;
            *squares += off * (f64::from(*x) - *mean);
        }
    }

    /// All that another saw besides. Panics if it has another length.
    pub fn join(&mut self, other: &Moments) {
        assert_eq!(other.mean.len(), self.mean.len(), "moments of the same schema");
        if other.count == 0 {
            return;
        }
        let (mine, its) = (self.count as f64, other.count as f64);
        for i in 0..self.mean.len() {
            let off = other.mean[i] - self.mean[i];
            self.mean[i] += off * its / (mine + its);
            self.squares[i] += other.squares[i] + off * off * mine * its / (mine + its);
        }
        self.count += other.count;
    }

    /// What a policy keeps. A number that was always the same is only moved; before two observations nothing is changed at all.
    pub fn freeze(&self) -> Scale {
        if self.count < 2 {
            return Scale { mean: vec![0.0; self.mean.len()], spread: vec![1.0; self.mean.len()] };
        }
        let spread = |squares: &f64| {
            let spread = numeric::sqrt(squares / (self.count - 1) as f64);
            if spread < SPREAD_LEAST { 1.0 } else { spread as f32 }
        };
        Scale { mean: self.mean.iter().map(|m| *m as f32).collect(), spread: self.squares.iter().map(spread).collect() }
    }
}

/// What makes of plain numbers what a network sees: `(x - mean)/spread`, within ±[`CLIP`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scale {
    /// `[len]`
    pub mean: Vec<f32>,
    /// `[len]`, positive.
    pub spread: Vec<f32>,
}

impl Scale {
    /// Errors if it is not one of `len` numbers with positive spreads.
    pub fn check(&self, len: usize) -> Result<(), String> {
        let (mean, spread) = (self.mean.len(), self.spread.len());
        if mean != len || spread != len {
            return Err(format!("{mean} means and {spread} spreads for {len} numbers"));
        }
        let fault =
            (0..len).find(|i| !self.mean[*i].is_finite() || !self.spread[*i].is_finite() || self.spread[*i] <= 0.0);
        match fault {
            Some(i) => {
                Err(format!("number {i} has mean {} and spread {}; a spread is above 0", self.mean[i], self.spread[i]))
            }
            None => Ok(()),
        }
    }

    /// In place. Panics if the row has another length.
    pub fn apply(&self, row: &mut [f32]) {
        assert_eq!(row.len(), self.mean.len(), "an observation of the same schema");
        for ((x, mean), spread) in row.iter_mut().zip(&self.mean).zip(&self.spread) {
            *x = ((*x - mean) / spread).clamp(-CLIP, CLIP);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mean_and_spread_by_hand() {
        // 2, 4, 9: mean 5, squared deviations 9 + 1 + 16 = 26, spread √13. The second number never moves.
        let mut moments = Moments::new(2);
        for x in [2.0, 4.0, 9.0] {
            moments.add(&[x, 7.0]);
        }
        let scale = moments.freeze();
        assert_eq!(scale.mean, [5.0, 7.0]);
        assert!((scale.spread[0] - 13f32.sqrt()).abs() < 1e-6 && scale.spread[1] == 1.0);
        let mut row = [5.0 + 2.0 * 13f32.sqrt(), 100.0];
        scale.apply(&mut row);
        assert!((row[0] - 2.0).abs() < 1e-6, "two spreads up");
        assert_eq!(row[1], CLIP, "93 up, which is beyond what is shown");
    }

    #[test]
    fn two_halves_are_the_whole() {
        let row = |n: u32| [(n * n % 17) as f32, 1.0 / (n + 1) as f32];
        let (mut whole, mut halves) = (Moments::new(2), [Moments::new(2), Moments::new(2)]);
        for n in 0..100 {
            whole.add(&row(n));
            halves[usize::from(n >= 30)].add(&row(n));
        }
        let [mut first, second] = halves;
        first.join(&second);
        first.join(&Moments::new(2));
        assert_eq!(first.count(), 100);
        for i in 0..2 {
            assert!((first.mean[i] - whole.mean[i]).abs() < 1e-12);
            assert!((first.squares[i] - whole.squares[i]).abs() < 1e-9);
        }
    }

    #[test]
    fn one_observation_says_nothing_of_spread() {
        let mut moments = Moments::new(1);
        moments.add(&[4.0]);
        let mut row = [4.0];
        moments.freeze().apply(&mut row);
        assert_eq!(row, [4.0]);
    }

    #[test]
    fn a_scale_that_does_not_fit_says_so() {
        let scale = Scale { mean: vec![0.0, 1.0], spread: vec![1.0, 0.0] };
        assert_eq!(scale.check(3).unwrap_err(), "2 means and 2 spreads for 3 numbers");
        assert_eq!(scale.check(2).unwrap_err(), "number 1 has mean 1 and spread 0; a spread is above 0");
        assert_eq!(Scale { spread: vec![1.0, 0.5], ..scale }.check(2), Ok(()));
    }
}
