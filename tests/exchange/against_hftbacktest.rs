//! Our fills against those of the hftbacktest crate, one by one (`docs/fills-against-hftbacktest.md`).

use hftbacktest::backtest::ExchangeKind;
use papermaker::journal::Store;

use crate::support::full_size;
use crate::support::peer::{Maker, Market, Queue, Ran, differences, ours, theirs};

fn both(market: &Market, maker: &Maker, exchange: ExchangeKind) -> (Ran, Ran) {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path());
    market.record(&store, "market", 1, maker);
    let us = ours(&store, "market", &market.spec(maker), maker);
    (us, theirs(market, &market.array(1), maker, exchange))
}

fn market(name: &'static str) -> Option<Market> {
    let market = Market::of(name, false)?;
    Some(if full_size() { market } else { market.first(60) })
}

fn maker(levels: i64, half_spread: i64, queue: Queue) -> Maker {
    Maker { levels, half_spread, grid: if levels > 1 { 5 } else { 1 }, skew: 0, queue }
}

#[test]
fn one_order_a_side_on_the_perpetual_is_filled_as_theirs_is_to_the_nanosecond() {
    let Some(market) = market("usdm") else { return };
    for exchange in [ExchangeKind::NoPartialFillExchange, ExchangeKind::PartialFillExchange] {
        let (us, them) = both(&market, &maker(1, 20, Queue::RiskAverse), exchange);
        assert!(us.fills.len() > 30, "{}", us.fills.len());
        assert_eq!(us, them);
    }
}

#[test]
fn what_a_print_has_for_us_and_when_the_venue_stamped_it_are_the_only_reasons_to_differ() {
    for name in ["usdm", "spot"] {
        let Some(market) = market(name) else { return };
        let maker = maker(5, 1, Queue::RiskAverse);
        let (us, them) = both(&market, &maker, ExchangeKind::NoPartialFillExchange);
        let (only_us, only_them) = differences(&us.fills, &them.fills);
        assert!(!only_us.is_empty() || !only_them.is_empty(), "{name}: nothing left to explain");
        let (us, them) = both(&market.unstamped().with_ample_prints(), &maker, ExchangeKind::NoPartialFillExchange);
        assert_eq!(differences(&us.fills, &them.fills), (Vec::new(), Vec::new()), "{name}");
    }
}
