//! Venue conversations told frame by frame, and recordings of real ones.

mod conversation;
mod faults;
mod golden;
mod recordings;
mod stream;
mod timers;

use std::ops::{Deref, DerefMut};

use papermaker::market::{Book, Instrument, InstrumentId, VenueId};
use papermaker::units::{LocalTime, Step};
use papermaker::wire::binance_spot::{Settings, Spot};
use papermaker::wire::conversation::Conversation;
use papermaker::wire::dialect::{Options, Request};
use papermaker::wire::{About, FetchFailure, Protocol, Said, binance_spot};

use crate::support::{self, talk::words};

const BTC: InstrumentId = InstrumentId(0);
const ETH: InstrumentId = InstrumentId(1);

fn instrument(symbol: &str, tick: &str, lot: &str) -> Instrument {
    let (base, quote) = symbol.split_at(symbol.len() - if symbol.ends_with("USDT") { 4 } else { 3 });
    let step = |text| Step::parse(text).unwrap();
    Instrument::new(VenueId::BinanceSpot, symbol, base, quote, step(tick), step(lot)).unwrap()
}

/// A conversation with Binance spot.
struct Talk(support::talk::Talk<Conversation<Spot>>);

impl Deref for Talk {
    type Target = support::talk::Talk<Conversation<Spot>>;
    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl DerefMut for Talk {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.0
    }
}

impl Talk {
    fn with(settings: Settings) -> Self {
        let list =
            vec![(BTC, instrument("BTCUSDT", "0.01", "0.00001")), (ETH, instrument("ETHUSDT", "0.01", "0.0001"))];
        let mut talk = Self::about(list, settings);
        talk.open();
        talk
    }

    /// Not connected yet.
    fn about(list: Vec<(InstrumentId, Instrument)>, settings: Settings) -> Self {
        Self(support::talk::Talk::about(binance_spot::conversation(list, settings)))
    }

    /// Without timers, depth and trades only.
    fn new() -> Self {
        Self::with(Settings { bbo: false, ..Settings::default() })
    }

    fn fetched(&mut self, instrument: InstrumentId, body: &str) -> Vec<Said> {
        self.0.fetched(About::Book(instrument), body)
    }

    fn failed(&mut self, instrument: InstrumentId, failure: FetchFailure) -> Vec<Said> {
        self.0.failed(About::Book(instrument), failure)
    }

    /// The book of BTC, while the venue's conversation holds it to be in step.
    fn book(&self) -> Option<&Book> {
        self.protocol.is_in_step(BTC).then(|| self.0.book(BTC)).flatten()
    }

    /// A book of BTC in step after update 100: 1@100.00 / 1@101.00.
    fn in_step() -> Self {
        let mut talk = Self::new();
        talk.hear(diff("BTCUSDT", 95, 100, "", ""));
        let said = talk.fetched(BTC, &snapshot(100));
        assert_eq!(words(&said), ["snapshot 100", "live"]);
        talk
    }
}

/// `levels` like `100.00 1, 99.00 0`.
fn levels(text: &str) -> String {
    let level = |l: &str| {
        let (price, qty) = l.trim().split_once(' ').expect("a price and a quantity");
        format!("[\"{price}000000\",\"{qty}.00000000\"]")
    };
    let list: Vec<_> = text.split(',').filter(|l| !l.trim().is_empty()).map(level).collect();
    format!("[{}]", list.join(","))
}

fn diff(symbol: &str, first: u64, last: u64, bids: &str, asks: &str) -> String {
    format!(
        r#"{{"stream":"{}@depth@100ms","data":{{"e":"depthUpdate","E":1700000000000,"s":"{symbol}","U":{first},"u":{last},"b":{},"a":{}}}}}"#,
        symbol.to_lowercase(),
        levels(bids),
        levels(asks)
    )
}

fn trade(symbol: &str, id: u64, time_ms: u64, buyer_is_maker: bool) -> String {
    format!(
        r#"{{"stream":"{}@trade","data":{{"e":"trade","E":{time_ms},"s":"{symbol}","t":{id},"p":"100.50000000","q":"0.25000000","T":{time_ms},"m":{buyer_is_maker},"M":true}}}}"#,
        symbol.to_lowercase(),
    )
}

fn bbo(symbol: &str, seq: u64) -> String {
    format!(
        r#"{{"stream":"{}@bookTicker","data":{{"u":{seq},"s":"{symbol}","b":"100.00000000","B":"1.00000000","a":"101.00000000","A":"2.00000000"}}}}"#,
        symbol.to_lowercase(),
    )
}

fn snapshot(last: u64) -> String {
    format!(
        r#"{{"lastUpdateId":{last},"bids":[["100.00000000","1.00000000"]],"asks":[["101.00000000","1.00000000"]]}}"#
    )
}

/// The folder of public recordings, or `None` with a loud line where it is absent.
fn recordings_dir() -> Option<std::path::PathBuf> {
    let dir = match std::env::var_os("PAPERMAKER_DATA") {
        Some(dir) => std::path::PathBuf::from(dir),
        None => std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data"),
    };
    if dir.is_dir() {
        return Some(dir);
    }
    eprintln!("SKIPPED: no recordings at {}; set PAPERMAKER_DATA", dir.display());
    None
}
