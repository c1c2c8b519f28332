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
//! [`decompose`] says it per unit in ticks, [`cost`] of all of it in money, where the sum is exact. Where the market would have been
//! is a [`Path`]: the mid's, of the same seed without us.
//!
//! Reading order: [`Fill`], [`decompose`]; [`Path`], [`Execution`], [`cost`].

use serde::Serialize;

use crate::market::{Instrument, MarketEvent, MarketEventKind};
use crate::units::{LocalTime, Lots, Money, Side, Ticks};

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

/// A mid over time, as steps.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Path {
    steps: Vec<(LocalTime, i64)>,
}

impl Path {
    /// From then on the mid is half of `twice_mid` ticks; of two at one moment the second counts. Panics if time goes back.
    pub fn note(&mut self, at: LocalTime, twice_mid: i64) {
        assert!(self.steps.last().is_none_or(|(last, _)| *last <= at), "a path is told in the order of time");
        match self.steps.last_mut() {
            Some((last, mid)) if *last == at => *mid = twice_mid,
            Some((_, mid)) if *mid == twice_mid => {}
            Some(_) | None => self.steps.push((at, twice_mid)),
        }
    }

    /// What an event says of the mid, at the venue's time on a clock that is ours too, as a simulated market's is.
    pub fn hear(&mut self, event: &MarketEvent) {
        let Some(at) = event.venue_time else { return };
        let mid = match &event.kind {
            MarketEventKind::Snapshot { bids, asks, .. } => bids.first().zip(asks.first()),
            MarketEventKind::Bbo { bid, ask, .. } => bid.as_ref().zip(ask.as_ref()),
            MarketEventKind::Delta { .. }
            | MarketEventKind::Trade { .. }
            | MarketEventKind::Gap { .. }
            | MarketEventKind::Rules(_)
            | MarketEventKind::Status(_)
            | MarketEventKind::Mark(_)
            | MarketEventKind::Order(_) => None,
        };
        if let Some((bid, ask)) = mid {
            self.note(LocalTime(at.0), bid.price.0 + ask.price.0);
        }
    }

    /// Twice the mid at a moment, ticks; `None` before the first.
    pub fn at(&self, time: LocalTime) -> Option<i64> {
        let after = self.steps.partition_point(|(at, _)| *at <= time);
        after.checked_sub(1).map(|last| self.steps[last].1)
    }
}

/// One fill of an order that is to be executed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Execution {
    /// When it happened at the venue.
    pub at: LocalTime,
    /// At what price.
    pub price: Ticks,
    /// How much, positive.
    pub qty: Lots,
}

/// Costs of all that was executed, in settlement currency and without fees; positive is a cost. `total` is the sum of the other
/// two, exactly.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Cost {
    /// What was paid beyond the reference.
    pub total: Money,
    /// Of it, where the market went without us.
    pub market_risk: Money,
    /// Of it, what we did to it.
    pub market_impact: Money,
    /// How much was executed.
    pub executed: Lots,
}

/// What an execution cost against the mid when it began, `begun`, and beside the mid's path without us; `None` if nothing was
/// executed, or the path does not reach back that far.
///
/// * `side` — `Bid` bought
pub fn cost(
    rules: &Instrument,
    side: Side,
    executions: &[Execution],
    baseline: &Path,
    begun: LocalTime,
) -> Option<Cost> {
    let reference = rules.unit_value(baseline.at(begun)?);
    let (mut total, mut risk, mut impact, mut executed) = (0, 0, 0, Lots::ZERO);
    for Execution { at, price, qty } in executions {
        let (paid, without) = (rules.unit_value(2 * price.0), rules.unit_value(baseline.at(*at)?));
        let lots = i128::from(side.sign() * qty.0);
        total += lots * (paid - reference).0;
        risk += lots * (without - reference).0;
        impact += lots * (paid - without).0;
        executed += *qty;
    }
    let cost = Cost { total: Money(total), market_risk: Money(risk), market_impact: Money(impact), executed };
    (executed > Lots::ZERO).then_some(cost)
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

    #[test]
    fn the_same_costs_in_money_and_to_the_last_digit() {
        let step = |text| crate::units::Step::parse(text).unwrap();
        let venue = crate::market::VenueId::BinanceSpot;
        let rules = Instrument::new(venue, "BTCUSDT", "BTC", "USDT", step("0.1"), step("0.00001")).unwrap();
        let at = LocalTime;
        let mut baseline = Path::default();
        // Mids 1000, 1001, 1003.5 from 10, 20, 30 on; what is said at 20 first does not last.
        for (ns, mid) in [(10, 2000), (20, 1), (20, 2002), (25, 2002), (30, 2007)] {
            baseline.note(at(ns), mid);
        }
        assert_eq!(
            [9, 10, 24, 30, 99].map(|ns| baseline.at(at(ns))),
            [None, Some(2000), Some(2002), Some(2007), Some(2007)]
        );
        // As by hand above, 40 lots: slippage 120 ticks times lots, risk 65, impact 55; each is 0.1 · 0.00001 = 0.000001.
        let fills = [
            Execution { at: at(20), price: Ticks(1002), qty: Lots(30) },
            Execution { at: at(31), price: Ticks(1006), qty: Lots(10) },
        ];
        let said = |side| {
            let found = cost(&rules, side, &fills, &baseline, at(12)).unwrap();
            [found.total, found.market_risk, found.market_impact].map(|money| money.to_string())
        };
        assert_eq!(said(Side::Bid), ["0.00012", "0.000065", "0.000055"]);
        assert_eq!(said(Side::Ask), ["-0.00012", "-0.000065", "-0.000055"]);
        assert_eq!(cost(&rules, Side::Bid, &[], &baseline, at(12)), None);
        assert_eq!(cost(&rules, Side::Bid, &fills, &baseline, at(9)), None, "nobody knows where it began");
    }
}
