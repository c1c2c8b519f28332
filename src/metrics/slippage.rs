//! What an execution cost, and how much of that is its own doing.
//!
//! Slippage is the mean price paid less the price when it began. The market would have gone somewhere without us too: what
//! it would have been is read off a run of the same seed and the same signal without our orders, the baseline. So
//!
//! ```text
//! slippage      ζ    = s·(Σ p^E·v / Σ v - p_R)
//! market impact ζ_MI = s·Σ (p^E - p^B)·v / Σ v
//! market risk   ζ_MR = s·(Σ p^B·v / Σ v - p_R)        ζ = ζ_MI + ζ_MR
//! ```
//!
//! with `p^E` our fills of `v`, `p^B` the baseline's price at the same moments, `p_R` the reference, and `s` +1 for buying, -1 for
//! selling: positive is a cost. arXiv 2510.22206 §4.1; its equation 6 as printed leaves out `- p_R` in the market risk, but the
//! numbers of its table 2 add up only with it.
//!
//! Prices are in ticks, so costs are in ticks per unit. Reading order: [`Fill`], [`decompose`].

use serde::Serialize;

use crate::units::{Lots, Side, Ticks};

/// One execution of ours beside what the market was without us.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Fill {
    /// `p^E`
    pub price: Ticks,
    /// `v`, positive.
    pub qty: Lots,
    /// `p^B`, ticks: a mid, or the price of a trade of the baseline.
    pub baseline: f64,
}

/// Costs per unit executed, ticks; positive is a cost.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Slippage {
    /// ζ, the mean price against the reference.
    pub total: f64,
    /// ζ_MR, where the market went without us.
    pub market_risk: f64,
    /// ζ_MI, what we did to it.
    pub market_impact: f64,
    /// How much was executed.
    pub executed: Lots,
}

/// The costs of an execution's fills; `None` if nothing was executed.
///
/// * `side` — `Bid` bought
/// * `reference` — `p_R`, ticks: the mid when the execution began
pub fn decompose(side: Side, fills: &[Fill], reference: f64) -> Option<Slippage> {
    let executed = Lots(fills.iter().map(|fill| fill.qty.0).sum());
    if executed.0 <= 0 {
        return None;
    }
    // Distances from the reference, so that nothing is lost to the size of prices.
    let mean = |distance: &dyn Fn(&Fill) -> f64| {
        side.sign() as f64 * fills.iter().map(|fill| distance(fill) * fill.qty.0 as f64).sum::<f64>()
            / executed.0 as f64
    };
    Some(Slippage {
        total: mean(&|fill| fill.price.0 as f64 - reference),
        market_risk: mean(&|fill| fill.baseline - reference),
        market_impact: mean(&|fill| fill.price.0 as f64 - fill.baseline),
        executed,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn costs_by_hand() {
        // We buy 30 at 1002 and 10 at 1006; without us it would have been 1001 and 1003.5; it began at 1000.
        // Mean paid (30·1002 + 10·1006)/40 = 1003: slippage 3. Baseline (30·1 + 10·3.5)/40 = 1.625. Impact (30·1 + 10·2.5)/40
        // = 1.375.
        let fills = [
            Fill { price: Ticks(1002), qty: Lots(30), baseline: 1001.0 },
            Fill { price: Ticks(1006), qty: Lots(10), baseline: 1003.5 },
        ];
        let bought = decompose(Side::Bid, &fills, 1000.0).unwrap();
        assert_eq!((bought.total, bought.market_risk, bought.market_impact), (3.0, 1.625, 1.375));
        assert_eq!(bought.executed, Lots(40));
        // Had we sold at those prices, all of it were gains.
        let sold = decompose(Side::Ask, &fills, 1000.0).unwrap();
        assert_eq!((sold.total, sold.market_risk, sold.market_impact), (-3.0, -1.625, -1.375));
        assert_eq!(decompose(Side::Bid, &[], 1000.0), None);
    }

    #[test]
    fn the_published_table_adds_up_only_with_the_reference_taken_out_of_the_risk() {
        // arXiv 2510.22206 table 2: risk, impact, slippage of eight policies, rounded to cents.
        let table = [
            (-11.24, 42.50, 31.26),
            (-14.42, 45.40, 30.98),
            (-28.75, 48.54, 19.79),
            (-6.84, 31.44, 24.60),
            (0.85, 29.69, 30.54),
            (-2.67, 30.89, 28.22),
            (-5.33, 40.90, 35.58),
            (-8.47, 42.57, 34.09),
        ];
        let reference: f64 = 1_810_000.0;
        for (risk, impact, slippage) in table {
            // One fill in hundredths of a tick: the baseline moved by the risk, our price by the impact beyond it.
            let price = reference + 100.0 * (risk + impact);
            let fill =
                Fill { price: Ticks(price.round() as i64), qty: Lots(5_000), baseline: reference + 100.0 * risk };
            let found = decompose(Side::Bid, &[fill], reference).unwrap();
            assert!((found.market_risk / 100.0 - risk).abs() < 1e-6, "{found:?}");
            assert!((found.market_impact / 100.0 - impact).abs() < 0.006, "{found:?}");
            assert!((found.total / 100.0 - slippage).abs() < 0.016, "{found:?}, printed {slippage}");
            assert!((found.total - found.market_risk - found.market_impact).abs() < 1e-9);
            // As printed the risk were the price itself, and nothing would add up.
            let as_printed = fill.baseline;
            assert!((as_printed + found.market_impact - found.total).abs() > 1e6);
        }
    }
}
