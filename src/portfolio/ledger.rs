//! One instrument's books, in both senses.
//!
//! Every fill is posted twice: what we gain of base or quote the venue loses, so each account class sums to zero
//! whatever happens ([`Ledger::balance`]). On top of the accounts stand two independent splits of the same profit:
//! by time, `realised + unrealised` on average cost, and by cause, `spread + inventory`. Both equal
//! `cash + position × mid` to the last unit, because every term is an exact integer product.
//!
//! * amounts — [`Money`], quote currency · positions — [`Lots`], long positive
//! * the mark is kept as the money value of two lots, so a half-tick mid stays an integer

use serde::{Deserialize, Serialize};

use crate::market::Instrument;
use crate::order::Fill;
use crate::units::{Lots, Money, Side};

/// Position, cash, fees and the attribution of profit for one instrument.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ledger {
    position: Lots,
    /// What all fills brought in, before fees.
    cash: Money,
    fees: Money,
    funding: Money,
    venue: Venue,
    /// What the open position cost, signed like the position (average cost).
    cost: Money,
    realised: Money,
    spread: Money,
    inventory: Money,
    /// Money value of two lots at the mid; `None` before the first mark.
    mark: Option<Money>,
    peak: Money,
}

/// The other side of every posting.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Venue {
    position: Lots,
    cash: Money,
    fees: Money,
}

/// Sums over both sides of each account class; all zero unless a posting was lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Balance {
    /// Base asset.
    pub base: Lots,
    /// Quote asset, fees included.
    pub quote: Money,
}

impl Ledger {
    /// A ledger that starts with a position carried over from an earlier session.
    ///
    /// * `cost` — what the position cost, signed like it; its profit so far counts as unrealised
    pub fn carried(position: Lots, cost: Money) -> Self {
        Self {
            position,
            cash: -cost,
            cost,
            venue: Venue { position: -position, cash: cost, fees: Money::ZERO },
            ..Self::default()
        }
    }

    /// Posts a fill and its fee.
    pub fn fill(&mut self, rules: &Instrument, fill: &Fill) {
        let signed = Lots(fill.side.sign() * fill.qty.0);
        let paid = rules.notional(fill.price, signed);
        let at = rules.notional(fill.price, Lots(2));
        let mark = *self.mark.get_or_insert(at);
        // Half of two lots' distance from the mid, per lot: `tick_lot` is even, so nothing is lost.
        self.spread += Money((mark.0 - at.0) / 2 * i128::from(signed.0));
        self.move_cost(signed, paid);
        self.position += signed;
        self.venue.position -= signed;
        self.cash -= paid;
        self.venue.cash += paid;
        self.fees += fill.fee;
        self.venue.fees += fill.fee;
    }

    /// Average cost: adding to a position adds to its cost, reducing it realises in proportion; what rounding
    /// leaves stays in the cost of the open rest.
    fn move_cost(&mut self, signed: Lots, paid: Money) {
        let held = self.position.0;
        if held == 0 || held.signum() == signed.0.signum() {
            self.cost += paid;
            return;
        }
        let closed = signed.0.abs().min(held.abs());
        let closed_cost = Money(self.cost.0 * i128::from(closed) / i128::from(held.abs()));
        // The part of `paid` that closes, and the part that opens the other way. Exact: `paid` is a multiple of qty.
        let closing = Money(paid.0 / i128::from(signed.0.abs()) * i128::from(closed));
        self.realised += -closing - closed_cost;
        self.cost = self.cost - closed_cost + (paid - closing);
    }

    /// Marks the position at a mid, given as twice its price in ticks.
    pub fn mark(&mut self, rules: &Instrument, twice_mid: i64) {
        let mark = Money(rules.tick_lot.0 * i128::from(twice_mid));
        match self.mark {
            Some(before) if before == mark => return,
            Some(before) => self.inventory += Money((mark.0 - before.0) / 2 * i128::from(self.position.0)),
            // The first mark of a carried position shows what it had gained before.
            None => self.inventory += Money(mark.0 / 2 * i128::from(self.position.0)) - self.cost,
        }
        self.mark = Some(mark);
        self.peak = self.peak.max(self.equity());
    }

    /// The instrument's lot became `ratio` times finer.
    pub fn split_lots(&mut self, ratio: i64) {
        self.position = Lots(self.position.0 * ratio);
        self.venue.position = Lots(self.venue.position.0 * ratio);
        self.mark = self.mark.map(|m| Money(m.0 / i128::from(ratio)));
    }

    /// Signed inventory.
    pub fn position(&self) -> Lots {
        self.position
    }

    /// What the open position cost, signed like it.
    pub fn cost(&self) -> Money {
        self.cost
    }

    /// Value of the position at the mark; zero before the first.
    fn value(&self) -> Money {
        Money(self.mark.map_or(0, |m| m.0 / 2 * i128::from(self.position.0)))
    }

    /// What fills brought in and out, fees and funding included.
    pub fn cash(&self) -> Money {
        self.cash - self.fees - self.funding
    }

    /// Profit of closed quantity, before fees.
    pub fn realised(&self) -> Money {
        self.realised
    }

    /// Profit of the open quantity at the mark, before fees; zero before the first mark.
    pub fn unrealised(&self) -> Money {
        if self.mark.is_some() { self.value() - self.cost } else { Money::ZERO }
    }

    /// Fees paid.
    pub fn fees(&self) -> Money {
        self.fees
    }

    /// Funding paid (positive) or received; zero on spot.
    pub fn funding(&self) -> Money {
        self.funding
    }

    /// Distance of our fills from the mid of their moment: what quoting earned.
    pub fn spread(&self) -> Money {
        self.spread
    }

    /// What the inventory gained from moves of the mid.
    pub fn inventory(&self) -> Money {
        self.inventory
    }

    /// Profit since the start, fees paid: `realised + unrealised - fees - funding`.
    pub fn equity(&self) -> Money {
        self.realised + self.unrealised() - self.fees - self.funding
    }

    /// Highest equity at any mark, minus equity.
    pub fn drawdown(&self) -> Money {
        (self.peak - self.equity()).max(Money::ZERO)
    }

    /// Both sides of every account added up; all zero.
    pub fn balance(&self) -> Balance {
        Balance {
            base: self.position + self.venue.position,
            quote: self.cash() + self.venue.cash + self.venue.fees + self.funding,
        }
    }

    /// Whether a fill on `side` would make the position smaller.
    pub fn reduces(&self, side: Side) -> bool {
        self.position.0 * side.sign() < 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::market::VenueId;
    use crate::order::{FillWhy, Liquidity};
    use crate::units::{Rate, Step, Ticks};
    use proptest::prelude::*;

    fn btcusdt() -> Instrument {
        let step = |s| Step::parse(s).expect("a step");
        Instrument::new(VenueId::BinanceSpot, "BTCUSDT", "BTC", "USDT", step("0.01"), step("0.00001")).expect("rules")
    }

    fn fill(rules: &Instrument, side: Side, price: i64, qty: i64, fee: Rate) -> Fill {
        Fill {
            side,
            price: Ticks(price),
            qty: Lots(qty),
            remaining: Lots::ZERO,
            fee: rules.notional(Ticks(price), Lots(qty)).share(fee),
            liquidity: Liquidity::Maker,
            why: FillWhy::QueueFront,
            queue_ahead: Lots::ZERO,
        }
    }

    #[test]
    fn a_round_trip_earns_the_spread_and_pays_its_fees() {
        // Mid 100.00. Buy 1 BTC at 99.99, sell it at 100.01, 10 bps each way:
        // spread 0.02, fees 0.09999 + 0.10001 = 0.2, so the desk lost 0.18 without any inventory gain.
        let rules = btcusdt();
        let fee = Rate(10_000);
        let mut ledger = Ledger::default();
        ledger.mark(&rules, 20_000);
        ledger.fill(&rules, &fill(&rules, Side::Bid, 9_999, 100_000, fee));
        assert_eq!(ledger.unrealised().to_string(), "0.01");
        ledger.fill(&rules, &fill(&rules, Side::Ask, 10_001, 100_000, fee));
        assert_eq!(ledger.position(), Lots::ZERO);
        assert_eq!(ledger.realised().to_string(), "0.02");
        assert_eq!(ledger.spread().to_string(), "0.02");
        assert_eq!(ledger.inventory(), Money::ZERO);
        assert_eq!(ledger.fees().to_string(), "0.2");
        assert_eq!(ledger.equity().to_string(), "-0.18");
        assert_eq!(ledger.cash(), ledger.equity());
    }

    #[test]
    fn crossing_zero_closes_one_cost_and_opens_another() {
        // Long 2 at 100, then sell 3 at 110: 20 realised, short 1 at 110; at mid 105 that short shows 5.
        let rules = btcusdt();
        let mut ledger = Ledger::default();
        ledger.mark(&rules, 20_000);
        ledger.fill(&rules, &fill(&rules, Side::Bid, 10_000, 200_000, Rate(0)));
        ledger.fill(&rules, &fill(&rules, Side::Ask, 11_000, 300_000, Rate(0)));
        assert_eq!((ledger.realised().to_string(), ledger.position()), ("20".to_owned(), Lots(-100_000)));
        ledger.mark(&rules, 21_000);
        assert_eq!(ledger.unrealised().to_string(), "5");
        assert_eq!(ledger.equity().to_string(), "25");
    }

    #[test]
    fn a_carried_position_shows_its_old_profit_at_the_first_mark() {
        // 1 BTC that cost 90 000 is worth 100 000 now.
        let rules = btcusdt();
        let cost = Money::from_decimal("90000".parse().expect("decimal")).expect("in range");
        let mut ledger = Ledger::carried(Lots(100_000), cost);
        assert_eq!(ledger.equity(), Money::ZERO);
        ledger.mark(&rules, 20_000_000);
        assert_eq!(ledger.equity().to_string(), "10000");
        assert_eq!(ledger.inventory().to_string(), "10000");
    }

    proptest! {
        #[test]
        fn every_account_balances_and_both_splits_agree(
            steps in proptest::collection::vec((any::<bool>(), 1i64..2_000_000, 1i64..100_000, -50i64..200), 1..60)
        ) {
            let rules = btcusdt();
            let mut ledger = Ledger::default();
            ledger.mark(&rules, 1_999_999);
            for (buy, price, qty, bps) in steps {
                let side = if buy { Side::Bid } else { Side::Ask };
                ledger.fill(&rules, &fill(&rules, side, price, qty, Rate(bps * 100)));
                ledger.mark(&rules, price * 2 + qty % 3);
                prop_assert_eq!(ledger.balance(), Balance { base: Lots::ZERO, quote: Money::ZERO });
                let gross = ledger.equity() + ledger.fees() + ledger.funding();
                prop_assert_eq!(ledger.realised() + ledger.unrealised(), gross);
                prop_assert_eq!(ledger.spread() + ledger.inventory(), gross);
                prop_assert_eq!(ledger.cash() + ledger.value(), ledger.equity());
                prop_assert!(ledger.drawdown() >= Money::ZERO);
            }
        }
    }
}
