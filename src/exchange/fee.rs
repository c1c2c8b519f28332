//! What a fill costs.
//!
//! A rate on the value that changed hands, charged in settlement currency (of inverse contracts the base asset). Some
//! spot venues take it from the received asset
//! instead (Binance spot without BNB): worth the same at the fill's own price, and a ledger that balances.

use crate::market::Instrument;
use crate::units::{Lots, Money, Rate, Ticks};

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
