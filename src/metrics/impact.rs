//! Aggregate impact: how far the mid goes with what is bought and sold on balance in a second.
//!
//! Every second the imbalance of trades `Q` (lots bought less lots sold, by their takers) stands beside the mid's change over
//! that second. Means of like imbalances are fitted by `f(Q) = λ·Q^γ` with least squares, each mean weighted with the root of
//! the number of its seconds: arXiv 2510.22206 §3.3, whose table 1 finds γ = 0.71 and λ = 0.27 ticks in the futures it studies.
//!
//! Buying and selling are one law with two signs, so seconds of selling count as seconds of buying in a mirror. Seconds in
//! which nothing is traded on balance say nothing of it.
//!
//! This is what a second of everybody's trading does, [`super::facts::impact`] what one large order does.

use super::facts::Unmeasured;
use super::facts::fit::{PowerLaw, Weighted, power_law};
use super::facts::impact::{Push, groups};
use crate::market::{MarketEvent, MarketEventKind};
use crate::units::{Lots, Nanos, Side, VenueTime};

/// Listens to one market by the venue's clock.
#[derive(Clone, Debug)]
pub struct Imbalances {
    every: Nanos,
    /// The period that is going on, counted from the epoch.
    period: Option<i64>,
    balance: Lots,
    /// Twice the mid, ticks: at the period's beginning, and now.
    mid: [Option<i64>; 2],
    seen: Vec<Push>,
}

/// What was found.
#[derive(Clone, Debug, PartialEq)]
pub struct Aggregate {
    /// λ in ticks for one lot, γ.
    pub law: PowerLaw,
    /// Periods with an imbalance.
    pub periods: usize,
    /// Mean `|Q|` in lots and mean change in ticks of like periods; the weights are roots of how many there were.
    pub means: Vec<Weighted>,
}

impl Imbalances {
    /// Over periods this long, by the venue's stamps. Panics unless time passes in them.
    pub fn new(every: Nanos) -> Self {
        assert!(every > Nanos::ZERO, "a period lasts");
        Self { every, period: None, balance: Lots::ZERO, mid: [None; 2], seen: Vec::new() }
    }

    /// What the market says. Best prices are taken from news of them only, and prints must have met the book.
    pub fn hear(&mut self, event: &MarketEvent) {
        let Some(at) = event.venue_time else { return };
        match &event.kind {
            MarketEventKind::Trade { taker, qty, flags, .. } if flags.took_from_the_book() => {
                self.traded(at, *taker, *qty);
            }
            MarketEventKind::Bbo { bid: Some(bid), ask: Some(ask), .. } => {
                self.quoted(at, bid.price.0 + ask.price.0);
            }
            MarketEventKind::Gap { .. } | MarketEventKind::Rules(_) => self.forget(),
            MarketEventKind::Trade { .. }
            | MarketEventKind::Bbo { .. }
            | MarketEventKind::Snapshot { .. }
            | MarketEventKind::Delta { .. }
            | MarketEventKind::Status(_)
            | MarketEventKind::Mark(_)
            | MarketEventKind::Order(_) => {}
        }
    }

    /// Somebody crossed the spread.
    pub fn traded(&mut self, at: VenueTime, taker: Side, qty: Lots) {
        self.pass(at);
        self.balance += Lots(taker.sign() * qty.0);
    }

    /// The mid is now half of this, ticks.
    pub fn quoted(&mut self, at: VenueTime, twice_mid: i64) {
        self.pass(at);
        self.mid[1] = Some(twice_mid);
    }

    /// What is known of the period that is going on is not true any more.
    pub fn forget(&mut self) {
        (self.period, self.balance, self.mid) = (None, Lots::ZERO, [None; 2]);
    }

    fn pass(&mut self, at: VenueTime) {
        let period = at.0.div_euclid(self.every.0);
        if self.period == Some(period) {
            return;
        }
        if let (Some(_), [Some(from), Some(to)]) = (self.period, self.mid)
            && self.balance != Lots::ZERO
        {
            let moved = (to - from) as f64 * 0.5 * self.balance.0.signum() as f64;
            self.seen.push(Push { share: self.balance.0.abs() as f64, moved });
        }
        (self.period, self.balance, self.mid[0]) = (Some(period), Lots::ZERO, self.mid[1]);
    }

    /// The imbalances so far and the mid's changes in their direction: lots, ticks.
    pub fn pushes(&self) -> &[Push] {
        &self.seen
    }

    /// The law of the periods so far.
    pub fn fit(&self) -> Result<Aggregate, Unmeasured> {
        let means = groups(&self.seen);
        Ok(Aggregate { law: power_law(&means)?, periods: self.seen.len(), means })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::numeric::pow;
    use crate::rng::Stream;

    fn s(seconds: f64) -> VenueTime {
        VenueTime((seconds * 1e9) as i64)
    }

    #[test]
    fn a_second_is_what_was_bought_on_balance_and_how_far_the_mid_went() {
        let mut heard = Imbalances::new(Nanos::from_s(1));
        heard.quoted(s(10.2), 2_000);
        // Of the second that began before anything was known nothing is said; 11 to 12: 30 bought, 10 sold, half a tick up.
        heard.traded(s(10.5), Side::Bid, Lots(7));
        heard.traded(s(11.1), Side::Bid, Lots(30));
        heard.quoted(s(11.2), 2_002);
        heard.traded(s(11.3), Side::Ask, Lots(10));
        heard.quoted(s(11.4), 2_001);
        // 12 to 13: sold 5, and the mid fell by two ticks: the same as bought 5 and up by two.
        heard.traded(s(12.5), Side::Ask, Lots(5));
        heard.quoted(s(12.6), 1_997);
        // 14 to 15: bought as much as sold.
        heard.traded(s(14.0), Side::Ask, Lots(3));
        heard.traded(s(14.5), Side::Bid, Lots(3));
        heard.quoted(s(15.0), 1_997);
        assert_eq!(heard.pushes(), [Push { share: 20.0, moved: 0.5 }, Push { share: 5.0, moved: 2.0 }]);
        // After a gap nobody knows where the mid was.
        heard.traded(s(15.1), Side::Bid, Lots(9));
        heard.forget();
        heard.quoted(s(16.0), 3_000);
        heard.quoted(s(17.0), 3_000);
        assert_eq!(heard.pushes().len(), 2);
        assert!(heard.fit().is_err());
    }

    #[test]
    fn the_law_that_moved_the_mid_is_found_from_both_sides() {
        let mut stream = Stream::new(3, "aggregate.impact");
        let (mut heard, mut twice_mid) = (Imbalances::new(Nanos::from_s(1)), 1_200_000);
        for second in 0..20_000 {
            let qty = 1 + stream.below(400) as i64;
            let taker = if stream.chance(0.5) { Side::Bid } else { Side::Ask };
            let moved = 4.0 * pow(qty as f64, 0.7) + 20.0 * stream.normal();
            heard.traded(s(f64::from(second) + 0.1), taker, Lots(qty));
            twice_mid += taker.sign() * (2.0 * moved) as i64;
            heard.quoted(s(f64::from(second) + 0.9), twice_mid);
        }
        let found = heard.fit().unwrap();
        let (factor, exponent) = (found.law.factor, found.law.exponent);
        // The first second has no mid to begin with.
        assert_eq!(found.periods, 19_998);
        assert!((factor.value - 4.0).abs() < 4.0 * factor.error && factor.error < 0.2, "{factor:?}");
        assert!((exponent.value - 0.7).abs() < 4.0 * exponent.error && exponent.error < 0.01, "{exponent:?}");
    }
}
