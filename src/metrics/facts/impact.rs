//! How far orders move the price, and how it comes back.

use super::fit::{PowerLaw, Weighted, power_law};
use super::{BLOCKS, Estimate, Unmeasured, jackknife_error};
use crate::numeric::{exp, ln, sqrt};

/// One execution: how much, as a share of what is usually traded, and how far the price went in its direction.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Push {
    /// `Q/V`, positive.
    pub share: f64,
    /// `I/σ`, positive if the price went the order's way.
    pub moved: f64,
}

/// Fewest pushes in a group.
const GROUP_MIN: usize = 10;
/// Fewest pushes.
pub const PUSHES_MIN: usize = 400;

/// Mean push of each group of like sizes, ten groups to a decade and at least ten pushes in each. Narrow, because the mean of a concave
/// function lies below the function of the mean, the more so the wider the group.
///
/// * `weight` of a point is the root of its number of observations, as arXiv 2510.22206 §3.3 fits `f(Q) = λQ^γ`
pub fn groups(pushes: &[Push]) -> Vec<Weighted> {
    let mut sorted: Vec<&Push> = pushes.iter().filter(|push| push.share > 0.0).collect();
    sorted.sort_by(|a, b| a.share.total_cmp(&b.share));
    let widest = exp(ln(10.0) / 10.0);
    let mut groups = Vec::new();
    let mut from = 0;
    while from < sorted.len() {
        let end = sorted.partition_point(|push| push.share < widest * sorted[from].share).max(from + GROUP_MIN);
        // What is left is too few for a group of its own.
        let end = if end + GROUP_MIN > sorted.len() { sorted.len() } else { end };
        let of = &sorted[from..end];
        let count = of.len() as f64;
        let mean = |pick: &dyn Fn(&Push) -> f64| of.iter().map(|push| pick(push)).sum::<f64>() / count;
        groups.push(Weighted { x: mean(&|push| push.share), y: mean(&|push| push.moved), weight: sqrt(count) });
        from = end;
    }
    groups
}

/// The impact law `I/σ = factor·(Q/V)^exponent` of pushes in the order of time, fitted to the means of [`groups`]; errors by
/// the delete-a-block jackknife over time.
///
/// The exponent of metaorders is near one half (B. Tóth et al., *Anomalous Price Impact and the Critical Nature of Liquidity in
/// Financial Markets*, Physical Review X 1 (2011)).
///
/// At least [`PUSHES_MIN`] pushes.
pub fn law(pushes: &[Push]) -> Result<PowerLaw, Unmeasured> {
    Unmeasured::unless("pushes", pushes.len(), PUSHES_MIN)?;
    let whole = power_law(&groups(pushes))?;
    if whole.factor.value <= 0.0 {
        return Err(Unmeasured::Nothing("the price does not go the way it is pushed"));
    }
    let n = pushes.len();
    let mut parts = (Vec::new(), Vec::new());
    for b in 0..BLOCKS {
        let rest = [&pushes[..n * b / BLOCKS], &pushes[n * (b + 1) / BLOCKS..]].concat();
        if let Ok(law) = power_law(&groups(&rest)) {
            parts.0.push(law.factor.value);
            parts.1.push(law.exponent.value);
        }
    }
    let estimate = |value, parts: &[f64]| Estimate { value, error: jackknife_error(parts), n };
    Ok(PowerLaw { factor: estimate(whole.factor.value, &parts.0), exponent: estimate(whole.exponent.value, &parts.1) })
}

/// Slope of the impact that is left over the time since the push, on logarithmic scales: `I(t)/I(0) ~ t^-exponent`; one half
/// of metaorders.
///
/// * `left` — `(t, I(t)/I(0))`, times positive; points without impact left are where the law ends
pub fn fading(left: &[(f64, f64)]) -> Result<Estimate, Unmeasured> {
    let positive: Vec<(f64, f64)> =
        left.iter().take_while(|(_, rest)| *rest > 0.0).map(|&(t, rest)| (ln(t), ln(rest))).collect();
    let line = super::fit::line(&positive)?;
    Ok(Estimate { value: -line.slope.value, ..line.slope })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::numeric::{exp, pow};
    use crate::rng::Stream;

    #[test]
    fn the_law_that_made_the_pushes_is_found_in_their_noise() {
        let mut stream = Stream::new(12, "facts.impact");
        for exponent in [0.3, 0.5, 1.0] {
            let push = |stream: &mut Stream| {
                let share = exp(stream.normal());
                Push { share, moved: 0.4 * pow(share, exponent) + stream.normal() }
            };
            let pushes: Vec<Push> = (0..40_000).map(|_| push(&mut stream)).collect();
            let found = law(&pushes).unwrap();
            assert!((found.exponent.value - exponent).abs() < 4.0 * found.exponent.error, "{exponent}: {found:?}");
            assert!((found.factor.value - 0.4).abs() < 4.0 * found.factor.error, "{found:?}");
            assert!(found.exponent.error < 0.04, "{found:?}");
        }
    }

    #[test]
    fn a_price_that_goes_the_other_way_has_no_law() {
        let push = |i: usize| Push { share: (1 + i % 37) as f64, moved: -1.0 };
        let pushes: Vec<Push> = (0..800).map(push).collect();
        assert!(law(&pushes).is_err() && law(&pushes[..399]).is_err());
    }

    #[test]
    fn groups_are_narrow_and_never_small() {
        // Ten pushes each of 1.0 to 1.25: one group, as 1.25 < 10^0.1 = 1.2589. Then twelve of 3, and three of 9, too few.
        let push = |share: f64| Push { share, moved: 2.0 * share };
        let many = |share: f64, count: usize| std::iter::repeat_n(push(share), count);
        let pushes: Vec<Push> = many(3.0, 12).chain(many(1.25, 10)).chain(many(9.0, 3)).chain(many(1.0, 10)).collect();
        let found = groups(&pushes);
        assert_eq!((found.len(), found[0].x, found[0].y), (2, 1.125, 2.25));
        assert_eq!((found[0].weight, found[1].x), (sqrt(20.0), (12.0 * 3.0 + 3.0 * 9.0) / 15.0));
    }

    #[test]
    fn sizes_of_a_heavy_tail_do_not_bend_the_law() {
        let mut stream = Stream::new(13, "facts.impact.heavy");
        let push = |stream: &mut Stream| {
            let share = pow(1.0 - stream.uniform(), -1.0);
            Push { share, moved: 2.0 * sqrt(share) + stream.normal() }
        };
        let pushes: Vec<Push> = (0..4_000).map(|_| push(&mut stream)).collect();
        let found = law(&pushes).unwrap();
        assert!(
            (found.exponent.value - 0.5).abs() < 4.0 * found.exponent.error && found.exponent.error < 0.02,
            "{found:?}"
        );
    }

    #[test]
    fn what_fades_as_the_root_of_time_is_said_to() {
        let left: Vec<(f64, f64)> = (1..9).map(|t| (f64::from(t), pow(f64::from(t), -0.5))).collect();
        let found = fading(&left).unwrap();
        assert!((found.value - 0.5).abs() < 1e-12 && found.error < 1e-9, "{found:?}");
        assert!(fading(&[(1.0, 1.0), (2.0, 0.5), (4.0, -0.1), (8.0, 0.2)]).is_err());
    }
}
