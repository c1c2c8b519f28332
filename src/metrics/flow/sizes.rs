//! How much orders are for: lognormal or a power law cut off at the largest, whichever is likelier, and round numbers.
//!
//! Sizes are whole lots, so each is the likelihood of an interval; above 64 lots sizes are taken together in cells of 4 %, of
//! which the likelihood is exact too. The two laws are those of [`SizeLaw`], with as many parameters each, so the likelier is
//! the better by any criterion. Round numbers are chosen by people: the share of sizes that are multiples of one, beyond what the law
//! gives by chance, is theirs; the law is that of the others.

use std::collections::BTreeMap;

use crate::metrics::facts::{Estimate, Unmeasured};
use crate::metrics::peak::{Hilltop, hilltop};
use crate::numeric::{erfc, exp, ln, ln_1p, sqrt};
use crate::sim::laws::SizeLaw;

/// Fewest sizes.
const FEWEST: usize = 100;
/// The excess of a round number has to be this many errors.
const SURE: f64 = 5.0;
/// The largest simulated order, lots.
const LOTS_MAX: f64 = (1i64 << 38) as f64;

/// What is known of sizes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sizes {
    /// Median of the lognormal law, lots.
    pub median: Estimate,
    /// Its σ.
    pub sigma: Estimate,
    /// Scale of the power law, lots.
    pub scale: Estimate,
    /// Exponent of its survival function.
    pub exponent: Estimate,
    /// Twice the logarithm of how much likelier the power law is than the lognormal one; negative: less.
    pub power_gain: f64,
    /// Smallest and largest seen, lots.
    pub range: (i64, i64),
    /// Share of sizes that were rounded up to a multiple of `round_lots`.
    pub round_share: Estimate,
    /// The round number; 1 if none stands out.
    pub round_lots: i64,
    /// Sizes seen.
    pub n: usize,
}

impl Sizes {
    /// The likelier law, and its name.
    pub fn law(&self) -> SizeLaw {
        let (min_lots, max_lots) = self.range;
        match self.power_gain > 0.0 {
            true => SizeLaw::PowerLaw {
                min_lots,
                scale_lots: self.scale.value.min(LOTS_MAX),
                exponent: self.exponent.value.clamp(0.1, 100.0),
                max_lots,
            },
            false => SizeLaw::Lognormal {
                median_lots: self.median.value.clamp(0.001, LOTS_MAX),
                sigma: self.sigma.value.min(10.0),
                min_lots,
                max_lots,
            },
        }
    }
}

/// The likeliest laws of these sizes, lots; at least a hundred of three kinds.
pub fn sizes(lots: &[f64]) -> Result<Sizes, Unmeasured> {
    let mut counts: BTreeMap<i64, u64> = BTreeMap::new();
    for size in lots.iter().filter(|size| **size >= 1.0) {
        *counts.entry(*size as i64).or_insert(0) += 1;
    }
    let n = counts.values().sum::<u64>() as usize;
    Unmeasured::unless("sizes", n, FEWEST)?;
    Unmeasured::unless("different sizes", counts.len(), 3)?;
    let first = fits(&counts);
    let (round_lots, round_share) = roundness(&counts, &first);
    let mut rest = counts.clone();
    if round_lots > 1 {
        rest.retain(|size, _| size % round_lots != 0);
    }
    let left = rest.values().sum::<u64>() as usize;
    let last = if round_lots > 1 && left >= FEWEST && rest.len() >= 3 { fits(&rest) } else { first };
    let range = (*counts.keys().next().expect("some"), *counts.keys().next_back().expect("some"));
    let of_log = |log: f64, error: f64| Estimate { value: exp(log), error: exp(log) * error, n: left };
    let Fits { lognormal, power } = last;
    Ok(Sizes {
        median: of_log(lognormal.at[0], lognormal.errors[0]),
        sigma: of_log(lognormal.at[1], lognormal.errors[1]),
        scale: of_log(power.at[0], power.errors[0]),
        exponent: of_log(power.at[1], power.errors[1]),
        power_gain: 2.0 * (power.value - lognormal.value),
        range,
        round_share,
        round_lots,
        n,
    })
}

/// Both laws at their likeliest; coordinates are logarithms of median and σ, of scale and exponent.
#[derive(Clone, Copy)]
struct Fits {
    lognormal: Hilltop,
    power: Hilltop,
}

fn fits(counts: &BTreeMap<i64, u64>) -> Fits {
    let (min, max) = (*counts.keys().next().expect("some") as f64, *counts.keys().next_back().expect("some") as f64);
    let cells = cells(counts);
    let likelihood = |above: &dyn Fn(f64) -> f64| {
        let one = |(low, high, count): &(f64, f64, f64)| {
            // What would be smaller is the smallest, what would be larger the largest.
            let from = if *low <= min { 1.0 } else { above(*low) };
            let to = if *high > max { 0.0 } else { above(*high) };
            count * ln((from - to).max(1e-300))
        };
        cells.iter().map(one).sum::<f64>()
    };
    // A size of `low` lots or more is a draw above `low - 1`: it is rounded up.
    let lognormal = |log_median: f64, log_sigma: f64| {
        let sigma = exp(log_sigma);
        likelihood(&|lots| {
            let below = lots - 1.0;
            if below <= 0.0 { 1.0 } else { 0.5 * erfc((ln(below) - log_median) / (sigma * std::f64::consts::SQRT_2)) }
        })
    };
    let power = |log_scale: f64, log_exponent: f64| {
        let (scale, exponent) = (exp(log_scale), exp(log_exponent));
        likelihood(&|lots| exp(-exponent * ln_1p((lots - min) / scale)))
    };
    let widest = ln(max.max(2.0));
    Fits {
        lognormal: hilltop([(-3.0, widest), (ln(0.05), ln(6.0))], lognormal),
        power: hilltop([(ln(0.02), ln(10.0 * max.max(2.0))), (ln(0.1), ln(20.0))], power),
    }
}

/// The power of ten (or twice, or half of one) whose multiples are most surely more than chance, and the share of them.
fn roundness(counts: &BTreeMap<i64, u64>, fits: &Fits) -> (i64, Estimate) {
    let n: u64 = counts.values().sum();
    let max = *counts.keys().next_back().expect("some");
    let none = (1, Estimate { value: 0.0, error: 0.0, n: n as usize });
    let (median, sigma) = (fits.lognormal.at[0], exp(fits.lognormal.at[1]));
    let above = |lots: f64| 0.5 * erfc((ln(lots.max(1e-9)) - median) / (sigma * std::f64::consts::SQRT_2));
    let mut best = (SURE, none);
    let tens = std::iter::successors(Some(10i64), |ten| ten.checked_mul(10)).take_while(|ten| *ten <= max);
    for round in tens.flat_map(|ten| [ten, 2 * ten, 5 * ten]) {
        let multiples: u64 = counts.iter().filter(|(size, _)| *size % round == 0).map(|(_, count)| *count).sum();
        // A thousand multiples are enough to see the chance; beyond, one in `round`.
        let chance: f64 = (1..=1_000i64)
            .map(|k| (k * round) as f64)
            .take_while(|lots| *lots <= max as f64)
            .map(|lots| above(lots - 1.0) - above(lots))
            .sum::<f64>()
            + above(1_000.0 * round as f64) / round as f64;
        let (n, seen) = (n as f64, multiples as f64 / n as f64);
        let error = sqrt((seen * (1.0 - seen)).max(chance * (1.0 - chance)) / n);
        let value = (seen - chance) / (1.0 - chance);
        // How surely, and of two that are as sure the rounder one: a multiple of 1000 is one of 100 as well.
        let sure = value / error.max(1e-12) * sqrt(ln(round as f64));
        if seen > chance && value > SURE * error && sure > best.0 {
            best = (sure, (round, Estimate { value, error: error / (1.0 - chance), n: n as usize }));
        }
    }
    best.1
}

/// `(low, high, count)`: sizes one by one up to 64, then in cells that grow by 4 %; the largest has a cell of its own, because a
/// law that is cut off gathers there.
fn cells(counts: &BTreeMap<i64, u64>) -> Vec<(f64, f64, f64)> {
    let largest = *counts.keys().next_back().expect("some") as f64;
    let mut cells: Vec<(f64, f64, f64)> = Vec::new();
    for (&size, &count) in counts {
        let (size, count) = (size as f64, count as f64);
        match cells.last_mut() {
            Some((_, high, sum)) if size < *high && size < largest => *sum += count,
            before => {
                if let Some((_, high, _)) = before {
                    *high = high.min(size);
                }
                cells.push((size, if size < 64.0 { size + 1.0 } else { (size * 1.04).ceil() }, count));
            }
        }
    }
    cells
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Stream;
    use crate::sim::laws;

    fn draws(law: SizeLaw, round: Option<(f64, i64)>) -> Vec<f64> {
        let mut stream = Stream::new(4, "flow.sizes");
        let draw = |_| {
            let lots = law.of(laws::pair(&mut stream)).0;
            match round {
                Some((share, to)) if stream.chance(share) => ((lots + to - 1) / to * to) as f64,
                Some(_) | None => lots as f64,
            }
        };
        (0..20_000).map(draw).collect()
    }

    #[test]
    fn each_law_is_found_and_called_by_its_name() {
        for (median, sigma) in [(2_000.0, 1.2), (3.0, 0.8)] {
            let law = SizeLaw::Lognormal { median_lots: median, sigma, min_lots: 1, max_lots: 1_000_000 };
            let found = sizes(&draws(law, None)).unwrap();
            assert!((found.median.value - median).abs() < 4.0 * found.median.error, "{found:?}");
            assert!((found.sigma.value - sigma).abs() < 4.0 * found.sigma.error, "{found:?}");
            // σ/√n of the logarithm's mean.
            assert!((found.median.error / median / (sigma / sqrt(20_000.0)) - 1.0).abs() < 0.3, "{found:?}");
            assert!(found.power_gain < -50.0 && found.round_lots == 1, "{found:?}");
            assert!(matches!(found.law(), SizeLaw::Lognormal { .. }));
        }
        let law = SizeLaw::PowerLaw { min_lots: 5, scale_lots: 400.0, exponent: 1.4, max_lots: 50_000 };
        let found = sizes(&draws(law, None)).unwrap();
        assert!((found.exponent.value - 1.4).abs() < 4.0 * found.exponent.error, "{found:?}");
        assert!((found.scale.value - 400.0).abs() < 4.0 * found.scale.error, "{found:?}");
        assert!(found.power_gain > 50.0 && found.range == (5, 50_000), "{found:?}");
    }

    #[test]
    fn people_like_round_numbers_and_the_law_is_that_of_the_others() {
        let law = SizeLaw::Lognormal { median_lots: 2_000.0, sigma: 1.0, min_lots: 17, max_lots: 333_333 };
        let found = sizes(&draws(law, Some((0.2, 1_000)))).unwrap();
        assert_eq!(found.round_lots, 1_000);
        assert!((found.round_share.value - 0.2).abs() < 4.0 * found.round_share.error, "{found:?}");
        assert!((found.median.value - 2_000.0).abs() < 4.0 * found.median.error, "{found:?}");
        assert!((found.sigma.value - 1.0).abs() < 4.0 * found.sigma.error, "{found:?}");
    }

    #[test]
    fn too_few_sizes_or_too_few_kinds_are_refused() {
        assert!(sizes(&[7.0; 99]).is_err() && sizes(&[7.0; 500]).is_err());
        assert!(sizes(&[0.0; 500]).is_err(), "nothing is no size");
    }
}
