//! The venues we can talk with: one line each.

use super::dialect::Exchange;
use crate::market::VenueId;

/// All of them.
pub const ALL: &[&dyn Exchange] = &[
    &super::binance_spot::BINANCE_SPOT,
    &super::bybit::SPOT,
    &super::bybit::LINEAR,
    &super::okx::OKX,
    &super::binance_futures::BINANCE_USDM,
    &super::binance_futures::BINANCE_COINM,
    &super::coinbase::COINBASE,
    &super::kraken::KRAKEN,
    &super::hyperliquid::HYPERLIQUID,
    &super::deribit::DERIBIT,
];

/// One of them; `None` if its words are not known here.
pub fn find(venue: VenueId) -> Option<&'static dyn Exchange> {
    ALL.iter().copied().find(|exchange| exchange.id() == venue)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::market::{Instrument, InstrumentId};
    use crate::units::{LocalTime, Nanos, Step};
    use crate::wire::dialect::Options;
    use crate::wire::{Action, Said};

    #[test]
    fn a_full_connection_asks_for_everything_before_anybody_loses_patience() {
        let options = Options { rules_every: Nanos::ZERO, ..Options::default() };
        let step = |text| Step::parse(text).unwrap();
        for exchange in ALL {
            let make = |n: usize| {
                let rules = Instrument::new(exchange.id(), &format!("C{n}-USD"), "C", "USD", step("0.1"), step("1"));
                (InstrumentId(n as u16), rules.unwrap())
            };
            let manners = exchange.manners();
            for mut protocol in exchange.connect((0..manners.instruments_per_connection).map(make).collect(), options) {
                let mut said = Vec::new();
                protocol.on_open(LocalTime(0), &mut said);
                let sends =
                    said.iter().filter_map(|s| if let Said::Do(Action::Send(text)) = s { Some(text) } else { None });
                let sends: Vec<_> = sends.collect();
                // Of these nothing is due.
                let may_wait = |text: &str| text.contains("market_trades") || text.contains(r#""channel":"status""#);
                let last = sends.iter().rposition(|text| !may_wait(text)).map_or(0, |n| n + 1);
                // First data is due ten seconds after the socket opened, and snapshots take a while.
                let seconds = last.div_ceil(manners.messages_per_second as usize);
                assert!(seconds <= 6, "{}: the last book is asked for after {seconds} s", exchange.id());
            }
        }
    }
}
