//! Binance futures: USD-M (linear, settled in what it is quoted in) and COIN-M (inverse, settled in the base asset).
//!
//! What we rely on, from the venue's documentation of 2026: `depthUpdate` names in `pu` the last update of its
//! predecessor; ids are those of the whole market, so `U` of one does *not* continue `u` of the other. `bookTicker`
//! counts in the same ids. `m` of a trade means that the buyer was the maker. Since the end of 2025 `nq` of a merged
//! trade is what of it met the displayed book; the rest met retail orders nobody is shown.
//!
//! USD-M has two roads since April 2026: `/public` carries books, `/market` all the rest, and a stream on the wrong
//! one is acknowledged and silent. So there are two connections, and [`Channels`] says which is which. COIN-M
//! (`dstream.binance.com`) was left out of that split: one connection without a road carries everything, and its
//! quantities are contracts of `contractSize` USD.
//!
//! Reading order: [`BinanceFutures`] is the dialect, `scan` and `json` the two ways to read a frame, `rules` what comes
//! over HTTP, [`House`] the two venues.

#[cfg(test)]
mod agreement;
mod house;
mod json;
mod rules;
mod scan;

pub use house::{BINANCE_COINM, BINANCE_USDM, House, conversation, presumed};

use scan::Scratch;

use super::WireError;
use super::binance::decimals::{Grid, snapshot};
use super::binance::is_diff_channel;
use super::depth_sync::Snapshot;
use super::dialect::{Channels, Concerned, Dialect, News, Request, Source, Trade, TradeIds, Traits};
use super::symbols::Symbols;
use crate::market::{PrintFlags, VenueId};
use crate::units::{LocalTime, Lots, Nanos, Side, Ticks};

/// Which of the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Market {
    /// Margined and settled in USDT, USDC.
    Usdm,
    /// Margined and settled in the coin.
    Coinm,
}

impl Market {
    /// The one that is this venue.
    pub fn of(venue: VenueId) -> Option<Self> {
        [Market::Usdm, Market::Coinm].into_iter().find(|market| market.venue() == venue)
    }

    /// Its name with us.
    pub fn venue(self) -> VenueId {
        match self {
            Market::Usdm => VenueId::BinanceUsdm,
            Market::Coinm => VenueId::BinanceCoinm,
        }
    }

    /// In `st` of a payload.
    fn number(self) -> u64 {
        match self {
            Market::Usdm => 1,
            Market::Coinm => 2,
        }
    }

    /// Where its REST paths begin.
    fn api(self) -> &'static str {
        match self {
            Market::Usdm => "/fapi/v1",
            Market::Coinm => "/dapi/v1",
        }
    }

    fn get(self, path: &str, weight: u32) -> Request {
        Request::Get { path: format!("{}{path}", self.api()), weight }
    }
}

/// What of a market is on a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Road {
    /// Books and best bids and offers: `/public` of USD-M.
    Public,
    /// Trades, marks and changes of status: `/market` of USD-M.
    Market,
    /// Everything: COIN-M.
    Whole,
    /// A recording: whatever was recorded, and nobody knows whether marks were.
    Recorded,
}

impl Road {
    fn path(self) -> &'static str {
        match self {
            Road::Public => "/public/stream",
            Road::Market => "/market/stream",
            Road::Whole | Road::Recorded => "/stream",
        }
    }

    fn channels(self) -> Channels {
        let (public, market) = (self != Road::Market, self != Road::Public);
        Channels { book: public, bbo: public, trades: market, marks: market && self != Road::Recorded }
    }
}

/// The words of one connection.
#[derive(Debug)]
pub struct BinanceFutures {
    market: Market,
    road: Road,
    /// Levels a side to ask for.
    depth: u32,
    scratch: Scratch,
    parsed_slowly: u64,
}

impl BinanceFutures {
    /// A dialect of this market on this road, with snapshots of so many levels (at most 1,000).
    pub fn new(market: Market, road: Road, depth: u32) -> Self {
        Self { market, road, depth, scratch: Scratch::default(), parsed_slowly: 0 }
    }

    /// Frames the scanner left to the JSON parser.
    pub fn parsed_slowly(&self) -> u64 {
        self.parsed_slowly
    }
}

/// A print as a frame tells it, before we judge what it means to a book.
struct Print<'a> {
    id: u64,
    taker: Side,
    price: Ticks,
    qty: Lots,
    /// What of it met the displayed book, if it says.
    displayed: Option<Lots>,
    /// `X`: what kind of order took.
    kind: Option<&'a str>,
}

impl Print<'_> {
    /// Only what met displayed orders counts; of a print without such a part the whole counts, flagged.
    fn trade(&self) -> Trade {
        let Print { id, taker, price, qty, displayed, kind } = *self;
        let (qty, flags) = match (kind, displayed) {
            // INSURANCE_FUND, ADL, and whatever they invent: not somebody's order that met the book.
            (Some(kind), _) if kind != "MARKET" => (qty, PrintFlags::INSURANCE),
            (_, Some(Lots(0))) => (qty, PrintFlags::RPI),
            (_, Some(displayed)) => (displayed, PrintFlags::NONE),
            (_, None) => (qty, PrintFlags::NONE),
        };
        Trade { id, taker, price, qty, flags }
    }
}

impl Dialect for BinanceFutures {
    fn venue(&self) -> VenueId {
        self.market.venue()
    }

    fn traits(&self) -> Traits {
        Traits {
            channels: self.road.channels(),
            source: Source::Rest,
            window: None,
            checksum: None,
            trade_ids: TradeIds::Counting,
            ping_every: None,
            silence_max: Nanos::ZERO,
        }
    }

    fn ws_path(&self, symbols: &Symbols) -> String {
        let Channels { book, bbo, trades, marks } = self.road.channels();
        let channels = [
            book.then_some("depth@100ms"),
            bbo.then_some("bookTicker"),
            trades.then_some("aggTrade"),
            marks.then_some("markPrice@1s"),
        ];
        let mut streams: Vec<String> = Vec::new();
        for symbol in symbols.all() {
            streams.extend(channels.iter().flatten().map(|channel| format!("{}@{channel}", symbol.lower)));
        }
        if marks {
            streams.push("!contractInfo".to_owned());
        }
        format!("{}?streams={}", self.road.path(), streams.join("/"))
    }

    /// The path says it all.
    fn open(&mut self, _symbols: &Symbols, _texts: &mut Vec<String>) {}

    /// The stream goes on; what is missing comes over REST.
    fn resubscribe(&mut self, _symbols: &Symbols, _at: usize, _texts: &mut Vec<String>) {}

    fn read(&mut self, frame: &[u8], symbols: &Symbols, _at: LocalTime, news: &mut Vec<News>) -> Result<(), WireError> {
        if let Some(one) = scan::scan(frame, symbols, self.market, &mut self.scratch) {
            news.push(one);
            return Ok(());
        }
        self.parsed_slowly += 1;
        json::parse(frame, symbols, self.market, news)
    }

    fn concerned(&self, frame: &[u8], symbols: &Symbols) -> Concerned {
        concerned(&String::from_utf8_lossy(&frame[..frame.len().min(300)]), symbols)
    }

    fn snapshot_request(&self, symbols: &Symbols, at: usize) -> Option<Request> {
        let (limit, weight) = match self.depth {
            ..=50 => (50, 2),
            51..=100 => (100, 5),
            101..=500 => (500, 10),
            _ => (1_000, 20),
        };
        let symbol = &symbols.get(at).instrument.symbol;
        Some(self.market.get(&format!("/depth?symbol={symbol}&limit={limit}"), weight))
    }

    fn read_snapshot(&self, body: &[u8], symbols: &Symbols, at: usize) -> Result<Snapshot, WireError> {
        snapshot(body, Grid::of(symbols.get(at)))
    }
}

/// Whose book a frame that begins so may have changed.
fn concerned(head: &str, symbols: &Symbols) -> Concerned {
    let one = |found: Option<usize>| found.map_or(Concerned::Nobody, Concerned::One);
    if let Some((_, rest)) = head.split_once("\"stream\":\"") {
        return match rest.split('"').next().and_then(|stream| stream.split_once('@')) {
            Some((symbol, channel)) if is_diff_channel(channel.as_bytes()) => one(symbols.find_lower(symbol)),
            Some(_) | None => Concerned::Nobody,
        };
    }
    if !head.contains("\"depthUpdate\"") {
        return Concerned::Nobody;
    }
    match head.split_once("\"s\":\"").and_then(|(_, rest)| rest.split_once('"')) {
        Some((symbol, _)) => one(symbols.find(symbol.as_bytes())),
        None => Concerned::Everybody,
    }
}
