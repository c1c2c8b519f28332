//! How much of a result is skill, when it was picked from many.
//!
//! Try a hundred worthless strategies and the best of them looks good. So a Sharpe ratio is judged against the best one
//! that chance would have found in as many trials ([`deflated_sharpe`]), and a way of choosing by whether what it chose on
//! one half of the periods was any good on the other ([`overfitting`]). **Every** configuration tried is a trial, the
//! thrown away ones above all.
//!
//! All Sharpe ratios are per period (per day, if returns are of days); a yearly one is divided by `√periods` first.

use super::returns::sharpe;
use crate::numeric::normal::{cdf, quantile};
use crate::numeric::{ln, sqrt};

/// Euler–Mascheroni constant.
const EULER_GAMMA: f64 = 0.577_215_664_901_532_9;

/// A Sharpe ratio per period, and how it came about.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Track {
    /// Per period.
    pub sharpe: f64,
    /// How many periods.
    pub periods: f64,
    /// Of the returns.
    pub skew: f64,
    /// Of the returns; 3 for normal ones.
    pub kurtosis: f64,
}

impl Track {
    /// Of a series of returns; `None` if it never varies.
    pub fn of(returns: &[f64]) -> Option<Self> {
        let (skew, kurtosis) = super::returns::skew_and_kurtosis(returns)?;
        Some(Self { sharpe: sharpe(returns)?, periods: returns.len() as f64, skew, kurtosis })
    }

    /// `1 - γ₃·SR + (γ₄ - 1)/4·SR²`: its variance, times `T - 1`.
    fn spread(&self) -> f64 {
        1.0 - self.skew * self.sharpe + 0.25 * (self.kurtosis - 1.0) * self.sharpe * self.sharpe
    }

    /// Probability that the true ratio is above `benchmark` (per period): `Φ((SR - SR*)·√(T - 1) / √(1 - γ₃·SR +
    /// (γ₄ - 1)/4·SR²))`. D. Bailey & M. López de Prado, *The Sharpe Ratio Efficient Frontier*, Journal of Risk 15 (2012);
    /// QuantStats' `probabilistic_sharpe_ratio`.
    pub fn probabilistic_sharpe(&self, benchmark: f64) -> f64 {
        cdf((self.sharpe - benchmark) * sqrt(self.periods - 1.0) / sqrt(self.spread()))
    }

    /// The same above what the best of `trials` worthless strategies would have shown by chance. D. Bailey & M. López de
    /// Prado, *The Deflated Sharpe Ratio*, Journal of Portfolio Management 40 (2014), eq. 2.
    ///
    /// * `variance` — of the trials' Sharpe ratios per period
    pub fn deflated_sharpe(&self, trials: f64, variance: f64) -> f64 {
        self.probabilistic_sharpe(best_by_chance(trials, variance))
    }

    /// How many periods it takes to be `confidence` sure of a ratio above `benchmark`: `1 + (1 - γ₃·SR + (γ₄ -
    /// 1)/4·SR²)·(z / (SR - SR*))²`, as many as `PSR = confidence` needs. Bailey & López de Prado (2012), minimum track record length. `None` if
    /// the ratio is not above it.
    pub fn periods_min(&self, benchmark: f64, confidence: f64) -> Option<f64> {
        let needed = quantile(confidence) / (self.sharpe - benchmark);
        (self.sharpe > benchmark).then(|| 1.0 + self.spread() * needed * needed)
    }
}

/// Sharpe ratio per period that the best of `trials` worthless strategies is expected to show: `√V·((1 - γ)·Φ⁻¹(1 - 1/N)
/// + γ·Φ⁻¹(1 - 1/(N·e)))`. Bailey & López de Prado (2014), eq. 1. One trial is no choice: 0.
///
/// * `trials` — independent ones; fewer than were run if many are nearly the same · `variance` — of their ratios
pub fn best_by_chance(trials: f64, variance: f64) -> f64 {
    if trials <= 1.0 {
        return 0.0;
    }
    let beyond = |n: f64| -quantile(1.0 / n);
    sqrt(variance) * ((1.0 - EULER_GAMMA) * beyond(trials) + EULER_GAMMA * beyond(trials * std::f64::consts::E))
}

/// What choosing the best strategy on one half of the periods was worth on the other.
#[derive(Clone, Debug, PartialEq)]
pub struct Overfitting {
    /// Share of halvings after which the chosen one was no better than the median: the probability of backtest
    /// overfitting, PBO.
    pub probability: f64,
    /// One per halving, `ln(ω/(1 - ω))` with `ω` the chosen one's relative rank on the other half.
    pub logits: Vec<f64>,
}

/// Combinatorially symmetric cross-validation. D. Bailey, J. Borwein, M. López de Prado & Q. Zhu, *The Probability of
/// Backtest Overfitting*, Journal of Computational Finance 20 (2017), §3.
///
/// Periods are cut into `blocks`; every way to choose half of them for choosing (by Sharpe ratio) leaves the other half
/// for judging. A strategy that did not vary has a ratio of 0.
///
/// * `strategies`: `[N][T]`, returns of the same periods · `blocks` — even, at most 16 (12 870 halvings); periods beyond a
///   multiple of it are left out, oldest first
///
/// Panics if the lengths disagree, or on fewer than two strategies or two periods a block would leave either half without.
pub fn overfitting(strategies: &[Vec<f64>], blocks: usize) -> Overfitting {
    let periods = strategies.first().map_or(0, Vec::len);
    assert!(strategies.len() > 1, "one strategy cannot be chosen from");
    assert!(strategies.iter().all(|s| s.len() == periods), "every strategy has the same periods");
    assert!(blocks.is_multiple_of(2) && (2..=16).contains(&blocks), "blocks are halved: 2 to 16 of them");
    let length = periods / blocks;
    assert!(length > 0, "{periods} periods do not make {blocks} blocks");
    let skipped = periods - length * blocks;
    let mut logits = Vec::new();
    for chosen in (0u32..1 << blocks).filter(|bits| bits.count_ones() as usize == blocks / 2) {
        let ratio = |strategy: &Vec<f64>, wanted: u32| {
            let mine = |(i, _): &(usize, &f64)| (chosen >> (i / length)) & 1 == wanted;
            let part: Vec<f64> = strategy[skipped..].iter().enumerate().filter(mine).map(|(_, r)| *r).collect();
            sharpe(&part).unwrap_or(0.0)
        };
        let inside: Vec<f64> = strategies.iter().map(|s| ratio(s, 1)).collect();
        let outside: Vec<f64> = strategies.iter().map(|s| ratio(s, 0)).collect();
        // Of equals the first, as a search that keeps what it has unless something is better.
        let best = (1..inside.len()).fold(0, |best, i| if inside[i] > inside[best] { i } else { best });
        let worse = outside.iter().filter(|o| **o < outside[best]).count();
        let rank = (worse + 1) as f64 / (strategies.len() + 1) as f64;
        logits.push(ln(rank / (1.0 - rank)));
    }
    // A rank of exactly one half is no better than the median, whatever the last bit of its logarithm.
    let poor = logits.iter().filter(|l| **l <= 1e-12).count();
    Overfitting { probability: poor as f64 / logits.len() as f64, logits }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Golden numbers of shared/quant/TARGETS.md §5.3, the 0.900 being the paper's own example.
    #[test]
    fn the_papers_strategy_is_worth_less_the_more_were_tried() {
        // A yearly 2.5 over 1250 days of 250 a year; the trials' yearly ratios have variance 1/2.
        let year = 250f64;
        let track = Track { sharpe: 2.5 / year.sqrt(), periods: 1_250.0, skew: -3.0, kurtosis: 10.0 };
        let deflated = |trials| format!("{:.6}", track.deflated_sharpe(trials, 0.5 / year));
        assert_eq!(format!("{:.6}", best_by_chance(100.0, 0.5 / year) * year.sqrt()), "1.789406");
        assert_eq!(
            [1.0, 10.0, 46.0, 88.0, 100.0].map(deflated),
            ["0.999997", "0.993880", "0.950502", "0.910153", "0.900397"]
        );
    }

    #[test]
    fn a_short_record_proves_little() {
        let track = Track { sharpe: 0.1, periods: 200.0, skew: -0.5, kurtosis: 5.0 };
        assert_eq!(format!("{:.6}", track.probabilistic_sharpe(0.0)), "0.914683");
        let needed = track.periods_min(0.0, 0.95).expect("it is above");
        assert_eq!(format!("{needed:.6}"), "287.787606");
        assert_eq!(track.periods_min(0.1, 0.95), None);
        // What it takes to be 95 % sure is what makes one 95 % sure.
        assert!((Track { periods: needed, ..track }.probabilistic_sharpe(0.0) - 0.95).abs() < 1e-12);
    }

    #[test]
    fn the_best_of_n_draws_is_nearly_what_integration_says() {
        // Exact expected maxima of normal draws by quadrature (s6_stats.out): the formula is 2 % above at 10.
        for (n, exact, formula) in [(10.0, 1.538753, "1.574598"), (1_000.0, 3.241436, "3.255122")] {
            assert_eq!(format!("{:.6}", best_by_chance(n, 1.0)), formula);
            assert!((best_by_chance(n, 1.0) / exact - 1.0).abs() < 0.024);
        }
    }

    #[test]
    fn choosing_by_the_past_of_three_strategies() {
        // s6_stats: 8 periods × 3 strategies in 4 blocks, 6 halvings.
        let strategies = [
            vec![1.0, 2.0, 0.0, 1.0, -1.0, 2.0, 0.0, 1.0],
            vec![2.0, -1.0, 1.0, 3.0, 2.0, -2.0, -1.0, -3.0],
            vec![0.0, 1.0, 1.0, 0.0, 1.0, 1.0, 1.0, 2.0],
        ];
        let found = overfitting(&strategies, 4);
        let mut logits: Vec<String> = found.logits.iter().map(|l| format!("{:.6}", l + 0.0)).collect();
        logits.sort();
        assert_eq!(logits, ["-1.098612", "0.000000", "0.000000", "0.000000", "1.098612", "1.098612"]);
        assert_eq!(format!("{:.6}", found.probability), "0.666667");
    }

    #[test]
    fn a_better_strategy_is_chosen_rightly_and_a_worthless_one_by_luck() {
        let mut draw = crate::rng::Stream::new(5, "metrics.test");
        let mut noise = |drift: f64| (0..160).map(|_| drift + draw.normal()).collect::<Vec<f64>>();
        let worthless: Vec<_> = (0..9).map(|_| noise(0.0)).collect();
        let mut skilled = worthless.clone();
        skilled.push(noise(1.0));
        // Ten equals: anything but sure. One is a deviation better a day: chosen, and best, in every halving.
        assert!(overfitting(&worthless, 8).probability > 0.25);
        assert_eq!(overfitting(&skilled, 8).probability, 0.0);
    }
}
