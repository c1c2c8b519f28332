//! One instrument's books, in both senses.
//!
//! Every posting is made twice: what we gain the venue loses, so each account class sums to zero whatever happens
//! ([`Ledger::balance`]). On top of the accounts stand two independent splits of the same profit: by time,
//! `realised + unrealised` on average cost, and by cause, `spread + inventory`. Both equal `cash + position × mark`
//! before funding, to the last unit, because every term is an exact integer multiple of what one lot is worth.
//!
//! A contract is posted as if it were paid for and sold again: cash moves by the value of what was traded, and comes
//! back when the position is closed. The value of an inverse contract is negative, so buying one brings cash in.
//!
//! * amounts — [`Money`], settlement currency of the instrument · positions — [`Lots`], long positive
//! * the mark is kept as the value of one lot ([`Instrument::unit_value`])

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
    /// Value of the open position when it was entered (average cost).
    cost: Money,
    realised: Money,
    spread: Money,
    inventory: Money,
    /// Value of one lot at the mid; `None` before the first mark.
    mark: Option<Money>,
    peak: Money,
}

/// The other side of every posting.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Venue {
    position: Lots,
    cash: Money,
    fees: Money,
    funding: Money,
}

/// Sums over both sides of each account class; all zero unless a posting was lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Balance {
    /// What is traded: the base asset, or contracts.
    pub base: Lots,
    /// What it is settled in, fees and funding included.
    pub quote: Money,
}

impl Ledger {
    /// A ledger that starts with a position carried over from an earlier session.
    ///
    /// * `cost` — value of the position when it was entered; its profit so far counts as unrealised
    pub fn carried(position: Lots, cost: Money) -> Self {
        Self {
            position,
            cash: -cost,
            cost,
            venue: Venue { position: -position, cash: cost, ..Venue::default() },
            ..Self::default()
        }
    }

    /// Posts a fill and its fee.
    pub fn fill(&mut self, rules: &Instrument, fill: &Fill) {
        let signed = Lots(fill.side.sign() * fill.qty.0);
        let paid = rules.value(fill.price, signed);
        let at = rules.value(fill.price, Lots(1));
        let mark = *self.mark.get_or_insert(at);
        self.spread += (mark - at) * signed.0;
        self.move_cost(signed, paid);
        self.position += signed;
        self.venue.position -= signed;
        self.cash -= paid;
        self.venue.cash += paid;
        self.fees += fill.fee;
        self.venue.fees += fill.fee;
    }

    /// Posts a payment between the holders of a contract: we pay a positive amount and are paid a negative one.
    pub fn fund(&mut self, amount: Money) {
        self.funding += amount;
        self.venue.funding += amount;
        self.peak = self.peak.max(self.equity());
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
        let mark = rules.unit_value(twice_mid);
        match self.mark {
            Some(before) if before == mark => return,
            Some(before) => self.inventory += (mark - before) * self.position.0,
            // The first mark of a carried position shows what it had gained before.
            None => self.inventory += mark * self.position.0 - self.cost,
        }
        self.mark = Some(mark);
        self.peak = self.peak.max(self.equity());
    }

    /// Whether there has ever been a price to value the position by.
    pub fn is_marked(&self) -> bool {
        self.mark.is_some()
    }

    /// The instrument's lot became `ratio` times finer.
    pub fn split_lots(&mut self, ratio: i64) {
        let before = self.value();
        self.position = Lots(self.position.0 * ratio);
        self.venue.position = Lots(self.venue.position.0 * ratio);
        self.mark = self.mark.map(|m| Money(m.0 / i128::from(ratio)));
        // An inverse contract's value is rounded per lot, so finer lots are worth a trifle more or less.
        self.inventory += self.value() - before;
    }

    /// Signed inventory.
    pub fn position(&self) -> Lots {
        self.position
    }

    /// Value of the open position when it was entered.
    pub fn cost(&self) -> Money {
        self.cost
    }

    /// Value of the position at the mark; zero before the first.
    fn value(&self) -> Money {
        self.mark.map_or(Money::ZERO, |one| one * self.position.0)
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
            quote: self.cash() + self.venue.cash + self.venue.fees + self.venue.funding,
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
    use crate::market::{Contract, Kind, VenueId};
    use crate::order::{FillWhy, Liquidity};
    use crate::units::{Rate, Step, Ticks};
    use proptest::prelude::*;

    fn btcusdt() -> Instrument {
        let step = |s| Step::parse(s).expect("a step");
        Instrument::new(VenueId::BinanceSpot, "BTCUSDT", "BTC", "USDT", step("0.01"), step("0.00001")).expect("rules")
    }

    /// Contracts of 10 USD, settled in BTC.
    fn btcusd() -> Instrument {
        let step = |s| Step::parse(s).expect("a step");
        let contract = Contract { kind: Kind::Inverse, unit: Step::ONE, settle: "BTC".to_owned(), funding_every: None };
        let spot = Instrument::new(VenueId::Deribit, "BTC-PERPETUAL", "BTC", "USD", step("0.5"), step("10"));
        spot.expect("rules").with_contract(contract)
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

    #[test]
    fn an_inverse_round_trip_earns_base() {
        // Long 10 000 USD at 50 000, out at 55 000: 10000/50000 - 10000/55000 = 0.2 - 0.18181818… = 0.01818181… BTC.
        // Fees of 5 bps: 0.0005 × 0.2 = 0.0001 and 0.0005 × 0.18181818… = 0.0000909090….
        let rules = btcusd();
        let mut ledger = Ledger::default();
        ledger.mark(&rules, 200_000);
        ledger.fill(&rules, &fill(&rules, Side::Bid, 100_000, 1_000, Rate(5_000)));
        assert_eq!((ledger.cash().to_string(), ledger.unrealised()), ("0.1999".to_owned(), Money::ZERO));
        ledger.mark(&rules, 220_000);
        assert_eq!(format!("{:.12}", ledger.unrealised()), "0.018181818182");
        ledger.fill(&rules, &fill(&rules, Side::Ask, 110_000, 1_000, Rate(5_000)));
        assert_eq!(format!("{:.12}", ledger.realised()), "0.018181818182");
        assert_eq!(format!("{:.12}", ledger.fees()), "0.000190909091");
        assert_eq!((ledger.position(), ledger.cost(), ledger.cash()), (Lots::ZERO, Money::ZERO, ledger.equity()));
    }

    #[test]
    fn a_short_inverse_position_gains_as_the_price_falls() {
        // Short 1 000 USD at 50 000, mark 40 000: 1000/40000 - 1000/50000 = 0.025 - 0.02 = 0.005 BTC, worth 200 USD.
        let rules = btcusd();
        let mut ledger = Ledger::default();
        ledger.mark(&rules, 200_000);
        ledger.fill(&rules, &fill(&rules, Side::Ask, 100_000, 100, Rate(0)));
        ledger.mark(&rules, 160_000);
        assert_eq!((ledger.unrealised().to_string(), ledger.inventory().to_string()), ("0.005".into(), "0.005".into()));
        assert_eq!(rules.in_quote(ledger.equity(), rules.price(160_000)).to_string(), "200");
    }

    #[test]
    fn funding_is_paid_by_one_side_and_leaves_both_splits_alone() {
        // 1 BTC at a mark of 60 000 and a rate of 0.0001 pays 6; half of it comes back later.
        let rules = btcusdt();
        let mut ledger = Ledger::default();
        ledger.mark(&rules, 12_000_000);
        ledger.fill(&rules, &fill(&rules, Side::Bid, 6_000_000, 100_000, Rate(0)));
        let six = Money(6 * Money::PER_QUOTE);
        ledger.fund(six);
        assert_eq!((ledger.funding(), ledger.equity(), ledger.drawdown()), (six, -six, six));
        ledger.fund(Money(-3 * Money::PER_QUOTE));
        assert_eq!((ledger.equity().to_string(), ledger.drawdown().to_string()), ("-3".to_owned(), "3".to_owned()));
        assert_eq!((ledger.realised(), ledger.unrealised()), (Money::ZERO, Money::ZERO));
        assert_eq!((ledger.spread(), ledger.inventory()), (Money::ZERO, Money::ZERO));
        assert_eq!(ledger.balance(), Balance { base: Lots::ZERO, quote: Money::ZERO });
    }

    proptest! {
        #[test]
        fn every_account_balances_and_both_splits_agree(
            is_inverse in any::<bool>(),
            carried in (-1_000i64..1_000, 1i64..2_000_000),
            steps in proptest::collection::vec(
                (any::<bool>(), 1i64..2_000_000, 1i64..100_000, -50i64..200, -1_000_000i64..1_000_000),
                1..60
            ),
            split_after in 0usize..60,
        ) {
            let mut rules = if is_inverse { btcusd() } else { btcusdt() };
            let cost = rules.value(Ticks(carried.1), Lots(carried.0));
            let mut ledger = Ledger::carried(Lots(carried.0), cost);
            ledger.mark(&rules, 1_999_999);
            for (i, (buy, price, qty, bps, funding)) in steps.into_iter().enumerate() {
                let side = if buy { Side::Bid } else { Side::Ask };
                ledger.fill(&rules, &fill(&rules, side, price, qty, Rate(bps * 100)));
                ledger.mark(&rules, price * 2 + qty % 3);
                ledger.fund(Money(i128::from(funding) * 1_000_003));
                if i == split_after {
                    // Ten of the new lots make an old one: a rounded value need not divide evenly.
                    let lot = Step::new(rules.lot.size() / rust_decimal::Decimal::TEN).expect("a finer step");
                    rules = Instrument { lot, ..rules.clone() }.with_tick(rules.tick).expect("steps");
                    ledger.split_lots(10);
                }
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
