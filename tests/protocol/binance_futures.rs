//! Binance USD-M and COIN-M: what each word means, on both venues where both say it.

mod cases;
mod golden;
mod meaning;
mod recordings;
mod rules;

use std::ops::{Deref, DerefMut};

use papermaker::market::{Instrument, InstrumentId};
use papermaker::units::{Lots, Step};
use papermaker::wire::binance_futures::{BinanceFutures, Market, Road, conversation, presumed};
use papermaker::wire::conversation::Conversation;
use papermaker::wire::dialect::Options;
use papermaker::wire::liveness::Patience;
use papermaker::wire::{About, Protocol, Said};

use crate::support::{self, talk::words};

const BTC: InstrumentId = InstrumentId(0);
const ETH: InstrumentId = InstrumentId(1);
const BOTH: [Market; 2] = [Market::Usdm, Market::Coinm];

fn step(text: &str) -> Step {
    Step::parse(text).unwrap()
}

/// `BTCUSDT` in lots of 0.001 BTC, or `BTCUSD_PERP` in contracts of 100 USD; ticks of 0.1.
fn btc(market: Market) -> Instrument {
    let (symbol, assets, lot) = match market {
        Market::Usdm => ("BTCUSDT", ("BTC", "USDT"), "0.001"),
        Market::Coinm => ("BTCUSD_PERP", ("BTC", "USD"), "1"),
    };
    presumed(market, symbol, assets, step("0.1"), step(lot)).unwrap()
}

fn eth(market: Market) -> Instrument {
    let (symbol, assets, lot) = match market {
        Market::Usdm => ("ETHUSDT", ("ETH", "USDT"), "0.001"),
        Market::Coinm => ("ETHUSD_PERP", ("ETH", "USD"), "1"),
    };
    presumed(market, symbol, assets, step("0.01"), step(lot)).unwrap()
}

/// So many BTC, or so many contracts.
fn lots(market: Market, whole: i64) -> Lots {
    match market {
        Market::Usdm => Lots(whole * 1_000),
        Market::Coinm => Lots(whole),
    }
}

/// A conversation about BTC and ETH.
struct Talk {
    talk: support::talk::Talk<Conversation<BinanceFutures>>,
    market: Market,
}

impl Deref for Talk {
    type Target = support::talk::Talk<Conversation<BinanceFutures>>;
    fn deref(&self) -> &Self::Target {
        &self.talk
    }
}

impl DerefMut for Talk {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.talk
    }
}

/// No rules asked for, no timers but those of depth and marks.
fn options() -> Options {
    Options { bbo_patience: Patience::ENDLESS, rules_every: papermaker::units::Nanos::ZERO, ..Options::default() }
}

impl Talk {
    fn on(market: Market, road: Road, options: Options) -> Self {
        let list = vec![(BTC, btc(market)), (ETH, eth(market))];
        let mut talk = support::talk::Talk::about(conversation(market, road, list, options));
        talk.open();
        Self { talk, market }
    }

    /// The connection that has the books.
    fn of_books(market: Market) -> Self {
        match market {
            Market::Usdm => Self::on(market, Road::Public, options()),
            // As COIN-M's one road, without its marks, which are none of a book's business.
            Market::Coinm => Self::on(market, Road::Recorded, options()),
        }
    }

    /// The connection that has the trades.
    fn of_trades(market: Market) -> Self {
        match market {
            Market::Usdm => Self::on(market, Road::Market, options()),
            Market::Coinm => Self::on(market, Road::Whole, options()),
        }
    }

    /// A book of BTC in step after update 100: 1@100.0 / 1@101.0.
    fn in_step(market: Market) -> Self {
        let mut talk = Self::of_books(market);
        talk.differ(90, 95, 100, "", "");
        assert_eq!(words(&talk.fetched(About::Book(BTC), snapshot(100))), ["snapshot 100", "live"]);
        talk
    }

    fn differ(&mut self, before: u64, first: u64, last: u64, bids: &str, asks: &str) -> Vec<Said> {
        let frame = diff(&btc(self.market).symbol, before, first, last, bids, asks);
        self.hear(frame)
    }
}

/// `levels` like `100.0 1, 99.0 0`.
fn levels(text: &str) -> String {
    let level = |l: &str| {
        let (price, qty) = l.trim().split_once(' ').expect("a price and a quantity");
        format!("[\"{price}\",\"{qty}\"]")
    };
    let list: Vec<_> = text.split(',').filter(|l| !l.trim().is_empty()).map(level).collect();
    format!("[{}]", list.join(","))
}

fn diff(symbol: &str, before: u64, first: u64, last: u64, bids: &str, asks: &str) -> String {
    format!(
        r#"{{"stream":"{}@depth@100ms","data":{{"e":"depthUpdate","E":1700000000001,"T":1700000000000,"s":"{symbol}","U":{first},"u":{last},"pu":{before},"b":{},"a":{}}}}}"#,
        symbol.to_lowercase(),
        levels(bids),
        levels(asks)
    )
}

fn snapshot(last: u64) -> String {
    format!(
        r#"{{"lastUpdateId":{last},"E":1700000000001,"T":1700000000000,"bids":[["100.0","1"]],"asks":[["101.0","1"]]}}"#
    )
}

/// An `aggTrade` of two units at 100.5, with more fields if wanted.
fn trade(symbol: &str, id: u64, time_ms: u64, buyer_is_maker: bool, more: &str) -> String {
    format!(
        r#"{{"stream":"{}@aggTrade","data":{{"e":"aggTrade","E":{time_ms},"a":{id},"s":"{symbol}","p":"100.5","q":"2",{more}"f":1,"l":2,"T":{time_ms},"m":{buyer_is_maker}}}}}"#,
        symbol.to_lowercase(),
    )
}

fn mark(symbol: &str) -> String {
    format!(
        r#"{{"stream":"{}@markPrice@1s","data":{{"e":"markPriceUpdate","E":1790000001000,"s":"{symbol}","p":"64211.40000000","ap":"64211.1","i":"64215.10","P":"64213.00","r":"0.00010000","T":1790006400000,"st":1}}}}"#,
        symbol.to_lowercase(),
    )
}
