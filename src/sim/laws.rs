//! The laws that sizes, distances and lifetimes are drawn from.
//!
//! Every law turns a fixed number of uniform draws into a value, whatever its kind and parameters: who draws can
//! switch between laws without shifting the draws that come after.

use serde::{Deserialize, Serialize};

use super::spec::Check;
use crate::numeric;
use crate::rng::Stream;
use crate::units::{Lots, Nanos, Side};

/// How much an order is for.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum SizeLaw {
    /// Always the same.
    Fixed {
        /// Lots.
        lots: i64,
    },
    /// Every whole number is equally likely.
    Uniform {
        /// The smallest, lots.
        min_lots: i64,
        /// The largest, lots.
        max_lots: i64,
    },
    /// Lognormal, rounded up to whole lots.
    Lognormal {
        /// Half of the orders are smaller, lots.
        median_lots: f64,
        /// σ of the logarithm.
        sigma: f64,
        /// The smallest, lots.
        min_lots: i64,
        /// The largest, lots.
        max_lots: i64,
    },
    /// `min + ⌊scale·(u^(-1/exponent) - 1)⌋`: most orders are small, and the tail is a power law whose survival
    /// function has this exponent (its density one more). What would be larger than the largest is the largest.
    PowerLaw {
        /// The smallest and most frequent, lots.
        min_lots: i64,
        /// Where the tail begins, lots.
        scale_lots: f64,
        /// Of the survival function.
        exponent: f64,
        /// The largest, lots.
        max_lots: i64,
    },
}

impl SizeLaw {
    /// A size from two uniform draws on [0, 1).
    #[inline]
    pub fn of(&self, u: [f64; 2]) -> Lots {
        Lots(match *self {
            SizeLaw::Fixed { lots } => lots,
            SizeLaw::Uniform { min_lots, max_lots } => min_lots + ((max_lots - min_lots + 1) as f64 * u[0]) as i64,
            SizeLaw::Lognormal { median_lots, sigma, min_lots, max_lots } => {
                let lots = median_lots * numeric::exp(sigma * normal(u));
                (lots.ceil() as i64).clamp(min_lots, max_lots)
            }
            SizeLaw::PowerLaw { min_lots, scale_lots, exponent, max_lots } => {
                (min_lots + (scale_lots * excess(u[0], exponent)) as i64).clamp(min_lots, max_lots)
            }
        })
    }

    /// The largest it gives.
    pub fn max(&self) -> Lots {
        Lots(match *self {
            SizeLaw::Fixed { lots } => lots,
            SizeLaw::Uniform { max_lots, .. }
            | SizeLaw::Lognormal { max_lots, .. }
            | SizeLaw::PowerLaw { max_lots, .. } => max_lots,
        })
    }

    pub(super) fn check(&self, key: &str, check: &mut Check) {
        const MOST: i64 = 1 << 38;
        let mut range = |min_lots: i64, max_lots: i64, of: &str| {
            check.whole(&format!("{key}.{of}.min_lots"), min_lots, 1..=MOST);
            check.whole(&format!("{key}.{of}.max_lots"), max_lots, min_lots.max(1)..=MOST);
        };
        match *self {
            SizeLaw::Fixed { lots } => check.whole(&format!("{key}.fixed.lots"), lots, 1..=MOST),
            SizeLaw::Uniform { min_lots, max_lots } => range(min_lots, max_lots, "uniform"),
            SizeLaw::Lognormal { median_lots, sigma, min_lots, max_lots } => {
                range(min_lots, max_lots, "lognormal");
                check.number(&format!("{key}.lognormal.median_lots"), median_lots, 0.001..=MOST as f64);
                check.number(&format!("{key}.lognormal.sigma"), sigma, 0.0..=10.0);
            }
            SizeLaw::PowerLaw { min_lots, scale_lots, exponent, max_lots } => {
                range(min_lots, max_lots, "power_law");
                check.number(&format!("{key}.power_law.scale_lots"), scale_lots, 0.0..=MOST as f64);
                check.number(&format!("{key}.power_law.exponent"), exponent, 0.1..=100.0);
            }
        }
    }
}

/// Where a resting order is placed.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Placement {
    /// Every price from 1 to `ticks` away from the opposite best is equally likely (Daniels, Farmer, Gillemot, Iori
    /// & Smith 2003).
    Uniform {
        /// The window.
        ticks: i64,
    },
    /// `1 + ⌊scale·(u^(-1/exponent) - 1)⌋` ticks from the opposite best: nearly flat within `scale`, a power law far
    /// out, nothing deeper than `ticks_max`.
    Opposite {
        /// Where the tail begins, ticks.
        scale_ticks: f64,
        /// Of the survival function.
        exponent: f64,
        /// Nothing is placed deeper.
        ticks_max: i64,
    },
    /// `⌊scale·(u^(-1/exponent) - 1)⌋` ticks behind the best of its own side; `inside_share` of the orders improve on
    /// it instead, where the spread leaves room, by any number of ticks.
    Own {
        /// Share that goes inside the spread.
        inside_share: f64,
        /// Where the tail begins, ticks.
        scale_ticks: f64,
        /// Of the survival function.
        exponent: f64,
        /// Nothing is placed deeper.
        ticks_max: i64,
    },
}

impl Placement {
    /// The price, ticks, from two uniform draws; it never reaches the opposite best.
    #[inline]
    pub fn of(&self, side: Side, own: i64, opposite: i64, u: [f64; 2]) -> i64 {
        let away = -side.sign();
        match *self {
            Placement::Uniform { ticks } => opposite + away * (1 + (ticks as f64 * u[0]) as i64),
            Placement::Opposite { scale_ticks, exponent, ticks_max } => {
                opposite + away * (1 + tail(u[0], scale_ticks, exponent, ticks_max - 1))
            }
            Placement::Own { inside_share, scale_ticks, exponent, ticks_max } => {
                let room = (own - opposite).abs() - 1;
                if room > 0 && u[0] < inside_share {
                    own - away * (1 + (room as f64 * u[1]) as i64)
                } else {
                    own + away * tail(u[1], scale_ticks, exponent, ticks_max)
                }
            }
        }
    }

    pub(super) fn check(&self, key: &str, check: &mut Check) {
        let mut power = |of: &str, scale_ticks: f64, exponent: f64, ticks_max: i64| {
            check.number(&format!("{key}.{of}.scale_ticks"), scale_ticks, 0.0..=1e9);
            check.number(&format!("{key}.{of}.exponent"), exponent, 0.1..=100.0);
            check.whole(&format!("{key}.{of}.ticks_max"), ticks_max, 1..=1_000_000_000);
        };
        match *self {
            Placement::Uniform { ticks } => {
                check.whole(&format!("{key}.uniform.ticks"), ticks, 1..=1_000_000_000);
            }
            Placement::Opposite { scale_ticks, exponent, ticks_max } => {
                power("opposite", scale_ticks, exponent, ticks_max);
            }
            Placement::Own { inside_share, scale_ticks, exponent, ticks_max } => {
                power("own", scale_ticks, exponent, ticks_max);
                check.number(&format!("{key}.own.inside_share"), inside_share, 0.0..=1.0);
            }
        }
    }
}

/// How long an order rests before its owner loses patience.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Lifetime {
    /// Each moment is as good as any other.
    Exponential {
        /// Mean, seconds.
        mean_s: f64,
    },
    /// `scale·(u^(-1/exponent) - 1)`, at most `max_s`: many leave at once, some stay for hours.
    PowerLaw {
        /// Where the tail begins, seconds.
        scale_s: f64,
        /// Of the survival function.
        exponent: f64,
        /// The longest, seconds.
        max_s: f64,
    },
}

impl Lifetime {
    /// A lifetime from a uniform draw.
    #[inline]
    pub fn of(&self, u: f64) -> Nanos {
        seconds(match *self {
            Lifetime::Exponential { mean_s } => -mean_s * numeric::ln(1.0 - u),
            Lifetime::PowerLaw { scale_s, exponent, max_s } => (scale_s * excess(u, exponent)).min(max_s),
        })
    }

    pub(super) fn check(&self, key: &str, check: &mut Check) {
        const MOST_S: f64 = 1e6;
        match *self {
            Lifetime::Exponential { mean_s } => {
                check.number(&format!("{key}.exponential.mean_s"), mean_s, 1e-6..=MOST_S);
            }
            Lifetime::PowerLaw { scale_s, exponent, max_s } => {
                check.number(&format!("{key}.power_law.scale_s"), scale_s, 1e-6..=MOST_S);
                check.number(&format!("{key}.power_law.exponent"), exponent, 0.1..=100.0);
                check.number(&format!("{key}.power_law.max_s"), max_s, 1e-6..=MOST_S);
            }
        }
    }
}

/// Standard normal from two uniform draws (Box–Muller).
pub fn normal(u: [f64; 2]) -> f64 {
    numeric::sqrt(-2.0 * numeric::ln(1.0 - u[0])) * numeric::cos(std::f64::consts::TAU * u[1])
}

/// Two uniform draws.
pub fn pair(stream: &mut Stream) -> [f64; 2] {
    [stream.uniform(), stream.uniform()]
}

/// A wait of this many seconds, never longer than thirty years.
pub fn seconds(s: f64) -> Nanos {
    Nanos((s * 1e9).min(1e18) as i64)
}

/// An exponential wait from a uniform draw.
pub fn wait(u: f64, mean_s: f64) -> Nanos {
    seconds(-mean_s * numeric::ln(1.0 - u))
}

/// `(1-u)^(-1/exponent) - 1`: the excess of a power law over its scale.
fn excess(u: f64, exponent: f64) -> f64 {
    numeric::exp(-numeric::ln(1.0 - u) / exponent) - 1.0
}

/// `⌊scale·excess⌋` given that it is at most `most`, by inverting the distribution function cut off there.
fn tail(u: f64, scale: f64, exponent: f64, most: i64) -> i64 {
    if scale == 0.0 {
        return 0;
    }
    let beyond = numeric::exp(-exponent * numeric::ln(1.0 + (most + 1) as f64 / scale));
    ((scale * excess(u * (1.0 - beyond), exponent)) as i64).min(most)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_power_law_has_the_tail_it_says_and_ends_where_it_must() {
        // Survival of the excess at x is (1 + x)^-1.5: beyond 3 it is 4^-1.5 = 1/8.
        let mut stream = Stream::new(1, "laws");
        let law = SizeLaw::PowerLaw { min_lots: 1, scale_lots: 100.0, exponent: 1.5, max_lots: 1_000_000 };
        let n = 100_000;
        let beyond = (0..n).filter(|_| law.of(pair(&mut stream)) > Lots(300)).count() as f64 / f64::from(n);
        assert!((beyond - 0.125).abs() < 0.0052, "{beyond}, five standard errors are .0052");
        // A depth above 100 has an excess of at least 1, one above 301 at least 3.01: of what is left after cutting off
        // there, (S(1) - S(3.01)) / (1 - S(3.01)) lie beyond 100, with S(x) = (1 + x)^-1.5.
        let far = Placement::Opposite { scale_ticks: 100.0, exponent: 1.5, ticks_max: 301 };
        let (s1, s3) = (2f64.sqrt().recip() / 2.0, 1.0 / (4.01 * 4.01f64.sqrt()));
        let expected = (s1 - s3) / (1.0 - s3);
        let depths: Vec<i64> = (0..n).map(|_| 1_000 - far.of(Side::Bid, 900, 1_000, pair(&mut stream))).collect();
        let found = depths.iter().filter(|d| **d > 100).count() as f64 / f64::from(n);
        assert!((found - expected).abs() < 0.0068, "{found} instead of {expected}");
        assert_eq!((depths.iter().min(), depths.iter().max()), (Some(&1), Some(&301)));
    }

    #[test]
    fn who_goes_inside_the_spread_stays_inside() {
        let inside = Placement::Own { inside_share: 1.0, scale_ticks: 5.0, exponent: 2.0, ticks_max: 50 };
        let mut stream = Stream::new(2, "laws");
        let mut seen = [0; 3];
        for _ in 0..300 {
            let bid = inside.of(Side::Bid, 100, 104, pair(&mut stream));
            let ask = inside.of(Side::Ask, 104, 100, pair(&mut stream));
            assert!((101..=103).contains(&bid) && (101..=103).contains(&ask), "{bid} {ask}");
            seen[(bid - 101) as usize] += 1;
        }
        assert!(seen.iter().all(|n| *n > 60), "{seen:?}");
        // No room between 100 and 101: behind or at its own best.
        assert!((0..300).all(|_| inside.of(Side::Bid, 100, 101, pair(&mut stream)) <= 100));
    }
}
