//! How much the value moves, read from the mid.
//!
//! Over seconds a mid bounces between orders and drifts with those who push it; what is left at a long horizon is the value. The
//! variance of overlapping returns over a horizon `h`, divided by `h`, is taken at the longest `h` that leaves enough
//! returns apart from each other (L. Zhang, P. Mykland & Y. Aït-Sahalia, *A Tale of Two Time Scales*, Journal of the American
//! Statistical Association 100, 2005: the averaged estimator of slow returns).

use crate::metrics::facts::{Estimate, Unmeasured, jackknifed};
use crate::numeric::sqrt;

/// Horizons, seconds, longest first.
const HORIZONS: [usize; 8] = [600, 300, 120, 60, 30, 10, 5, 1];
/// Returns that do not overlap.
const APART: usize = 30;

/// Volatility of the value, basis points per √second, at the longest horizon with 30 returns apart; and that horizon.
///
/// * `mids` — at every second; NaN where there was none
pub fn volatility_bps(mids: &[f64]) -> Result<(Estimate, usize), Unmeasured> {
    let seconds = mids.iter().filter(|mid| mid.is_finite()).count();
    Unmeasured::unless("seconds with a mid", seconds, APART + 1)?;
    let horizon = HORIZONS.into_iter().find(|h| seconds / h >= APART).unwrap_or(1);
    let moved = |from: usize| {
        let (before, after) = (mids[from], mids[from + horizon]);
        (before > 0.0 && after > 0.0).then(|| {
            let bps = 1e4 * (after - before) / before;
            bps * bps / horizon as f64
        })
    };
    let squares: Vec<f64> = (0..mids.len() - horizon).filter_map(moved).collect();
    let found = jackknifed(&squares, |part| match part.iter().sum::<f64>() {
        sum if sum > 0.0 => Ok(sqrt(sum / part.len() as f64)),
        _ => Err(Unmeasured::Nothing("the price never moved")),
    })?;
    Ok((Estimate { n: squares.len() / horizon, ..found }, horizon))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Stream;

    #[test]
    fn a_bounce_does_not_pass_for_a_move() {
        // A walk of .5 bp a second about 600 000 ticks (60 ticks are a bp), under a bounce of ±60 ticks: 1 bp that comes and goes.
        let mut stream = Stream::new(5, "flow.volatility");
        let mut value = 600_000.0;
        let mids: Vec<f64> = (0..20_000)
            .map(|_| {
                value += 30.0 * stream.normal();
                value + if stream.chance(0.5) { 60.0 } else { -60.0 }
            })
            .collect();
        let (found, horizon) = volatility_bps(&mids).unwrap();
        assert_eq!(horizon, 600);
        // 33 returns apart: an error of 1/√66, 12 %.
        assert!((found.value - 0.5).abs() < 3.0 * found.error && (0.02..0.12).contains(&found.error), "{found:?}");
        let (short, horizon) = volatility_bps(&mids[..40]).unwrap();
        // At a second, √(.25 + 2) = 1.5.
        assert!(horizon == 1 && short.value > 1.0, "{short:?}");
        assert!(volatility_bps(&mids[..30]).is_err() && volatility_bps(&[5.0; 100]).is_err());
    }
}
