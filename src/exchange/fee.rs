//! What a fill costs.
//!
//! A rate on the value that changed hands, charged in settlement currency (of inverse contracts the base asset). Some
//! spot venues take it from the received asset instead (Binance spot without BNB): worth the same at the fill's own
//! price, and a ledger that balances.
//!
//! Venues charge less of those who trade more. They count thirty days; a session knows only itself, so it starts
//! every time at the first row of its schedule and climbs as it trades: never cheaper than the venue would be.

use serde::{Deserialize, Serialize};

use crate::market::Instrument;
use crate::order::Liquidity;
use crate::units::{Lots, Money, Rate, Ticks};

/// What resting and crossing cost; negative is a rebate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rates {
    /// A resting order.
    pub maker: Rate,
    /// A crossing order.
    pub taker: Rate,
}

/// Rates from some volume on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tier {
    /// Traded before, quote currency.
    pub volume_min: Money,
    /// In force from there on.
    pub rates: Rates,
}

/// What one instrument's venue charges.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Schedule {
    /// At the start.
    pub base: Rates,
    /// Lowest volume first.
    pub tiers: Vec<Tier>,
}

impl Schedule {
    /// The same whatever is traded.
    pub fn flat(maker: Rate, taker: Rate) -> Self {
        Self { base: Rates { maker, taker }, tiers: Vec::new() }
    }

    /// In force for who has traded `volume`, quote currency.
    pub fn rates(&self, volume: Money) -> Rates {
        self.tiers.iter().rev().find(|tier| tier.volume_min <= volume).map_or(self.base, |tier| tier.rates)
    }
}

/// The schedule and where on it we are.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Meter {
    schedule: Schedule,
    volume: Money,
}

impl Meter {
    /// Nothing was traded.
    pub fn new(schedule: Schedule) -> Self {
        Self { schedule, volume: Money::ZERO }
    }

    /// In force for the next fill.
    pub fn rates(&self) -> Rates {
        self.schedule.rates(self.volume)
    }

    /// Charges a fill. It pays the rate its predecessors earned, and then counts itself.
    pub fn charge(&mut self, rules: &Instrument, price: Ticks, qty: Lots, liquidity: Liquidity) -> Money {
        let rates = self.rates();
        self.volume = Money(self.volume.0.saturating_add(rules.notional_quote(price, qty).0));
        of(rules, price, qty, if liquidity == Liquidity::Maker { rates.maker } else { rates.taker })
    }
}

/// `price × qty × rate`, exact: [`Instrument`] refuses steps so fine that it would not be; of inverse contracts
/// `qty / price × rate`, to 24 decimals. A negative rate is a rebate.
pub fn of(rules: &Instrument, price: Ticks, qty: Lots, rate: Rate) -> Money {
    rules.notional(price, qty).share(rate)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::market::VenueId;
    use crate::units::Step;

    #[test]
    fn who_trades_more_pays_less_from_the_next_fill_on() {
        // 10 @ 100 is 1000 each. 10 bps of it are 1; at 1000 traded 2 bps, 0.2; at 2000 a rebate of 1 bps, -0.1.
        let one = Step::parse("1").unwrap();
        let rules = Instrument::new(VenueId::BinanceSpot, "XY", "X", "Y", one, one).unwrap();
        let tier = |volume: i128, maker, taker| Tier {
            volume_min: Money(volume * Money::PER_QUOTE),
            rates: Rates { maker: Rate(maker), taker: Rate(taker) },
        };
        let mut schedule = Schedule::flat(Rate(10_000), Rate(20_000));
        schedule.tiers = vec![tier(1_000, 2_000, 15_000), tier(2_000, -1_000, 4_000)];
        let mut meter = Meter::new(schedule);
        let mut pay = |price, liquidity| meter.charge(&rules, Ticks(price), Lots(10), liquidity).to_string();
        assert_eq!([pay(100, Liquidity::Maker), pay(99, Liquidity::Maker)], ["1", "0.198"]);
        // 1990 traded: still the first tier. 15 bps of 100 · 10 are 1.5; then 2990.
        assert_eq!([pay(100, Liquidity::Taker), pay(100, Liquidity::Maker)], ["1.5", "-0.1"]);
    }

    #[test]
    fn a_maker_may_be_paid_and_a_taker_pays_to_the_last_digit() {
        let step = |text| Step::parse(text).unwrap();
        let rules =
            Instrument::new(VenueId::BinanceSpot, "BTCUSDT", "BTC", "USDT", step("0.01"), step("0.00001")).unwrap();
        // 64013.50 × 0.00123 = 78.736605; 7.5 bps of it are 0.05905245375, half a bps is 0.00393683025.
        let (price, qty) = (Ticks(6_401_350), Lots(123));
        assert_eq!(of(&rules, price, qty, Rate(7_500)).to_string(), "0.05905245375");
        assert_eq!(of(&rules, price, qty, Rate(-500)).to_string(), "-0.00393683025");
    }
}
