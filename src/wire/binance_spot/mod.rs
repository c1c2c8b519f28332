//! Binance spot: public market data over a combined websocket stream, snapshots over REST.
//!
//! What we rely on, from the venue's documentation of 2026: `depthUpdate` carries the updates `U..=u` and the next
//! one begins at `u + 1`; there is no checksum and no resync signal but that chain. `bookTicker` has no time. `m` of
//! a trade means that the *buyer* was the maker, so the taker sold. A subscription to a symbol that does not exist is
//! acknowledged like any other, therefore the first-data timers.
//!
//! Reading order: [`Spot`] is the dialect, `message` and `json` the two ways to read a frame, [`rest`] what comes
//! over HTTP, [`BinanceSpot`] the house.

#[cfg(test)]
mod agreement;
mod json;
mod message;
pub mod rest;

pub use message::TimeUnit;

use message::Scratch;

use super::conversation::Conversation;
use super::depth_sync::Snapshot;
use super::dialect::{
    Channels, Concerned, Dialect, Exchange, Listed, Manners, News, Options, Request, Source, TradeIds, Traits,
};
use super::symbols::Symbols;
use super::{Protocol, WireError, binance};
use crate::market::{Instrument, InstrumentId, VenueId};
use crate::units::{LocalTime, Nanos, VenueTime};

/// Which stream of trades to listen to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trades {
    /// Each match is a print (`@trade`).
    Raw,
    /// Matches of one taker order at one price are one print (`@aggTrade`).
    Aggregated,
    /// None.
    Off,
}

/// What to listen to. Every default is stated at its field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Listen to `bookTicker`: yes.
    pub bbo: bool,
    /// Which trades: raw.
    pub trades: Trades,
    /// Listen to negotiated trades too (flagged, they never fill us): no.
    pub block_trades: bool,
    /// Unit of the venue's times: milliseconds.
    pub time_unit: TimeUnit,
    /// Patience, depth (at most 5,000 levels) and polling: see [`Options`].
    pub options: Options,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            bbo: true,
            trades: Trades::Raw,
            block_trades: false,
            time_unit: TimeUnit::Milliseconds,
            options: Options::default(),
        }
    }
}

/// The house: what it lists and how it wants to be treated.
#[derive(Debug)]
pub struct BinanceSpot;

/// The one there is.
pub static BINANCE_SPOT: BinanceSpot = BinanceSpot;

/// A conversation about these instruments.
pub fn conversation(instruments: Vec<(InstrumentId, Instrument)>, settings: Settings) -> Conversation<Spot> {
    Conversation::new(Spot::new(settings), instruments, settings.options, &BINANCE_SPOT)
}

/// The words of one connection.
#[derive(Debug)]
pub struct Spot {
    settings: Settings,
    scratch: Scratch,
    parsed_slowly: u64,
}

impl Spot {
    /// As set.
    pub fn new(settings: Settings) -> Self {
        Self { settings, scratch: Scratch::default(), parsed_slowly: 0 }
    }

    /// Frames the scanner left to the JSON parser.
    pub fn parsed_slowly(&self) -> u64 {
        self.parsed_slowly
    }
}

impl Dialect for Spot {
    fn venue(&self) -> VenueId {
        VenueId::BinanceSpot
    }

    fn traits(&self) -> Traits {
        let trades = self.settings.trades != Trades::Off;
        Traits {
            channels: Channels { book: true, bbo: self.settings.bbo, trades, marks: false },
            source: Source::Rest,
            window: None,
            checksum: None,
            trade_ids: TradeIds::Counting,
            // The venue asks, the driver answers; silence shows on the channels.
            ping_every: None,
            silence_max: Nanos::ZERO,
        }
    }

    fn ws_path(&self, symbols: &Symbols) -> String {
        let trades = match self.settings.trades {
            Trades::Raw => Some("trade"),
            Trades::Aggregated => Some("aggTrade"),
            Trades::Off => None,
        };
        let channels = [
            Some("depth@100ms"),
            trades,
            self.settings.bbo.then_some("bookTicker"),
            self.settings.block_trades.then_some("blockTrade"),
        ];
        let streams: Vec<_> = symbols
            .all()
            .iter()
            .flat_map(|s| channels.iter().flatten().map(move |channel| format!("{}@{channel}", s.lower)))
            .collect();
        let unit = match self.settings.time_unit {
            TimeUnit::Milliseconds => "",
            TimeUnit::Microseconds => "&timeUnit=MICROSECOND",
        };
        format!("/stream?streams={}{unit}", streams.join("/"))
    }

    fn open(&mut self, _symbols: &Symbols, _texts: &mut Vec<String>) {
        // Everything is asked for in the path.
    }

    fn resubscribe(&mut self, _symbols: &Symbols, _at: usize, _texts: &mut Vec<String>) {
        // Books come anew over REST.
    }

    fn read(&mut self, frame: &[u8], symbols: &Symbols, _at: LocalTime, news: &mut Vec<News>) -> Result<(), WireError> {
        let unit = self.settings.time_unit;
        let one = match message::scan(frame, symbols, unit, &mut self.scratch) {
            Some(one) => one,
            None => {
                self.parsed_slowly += 1;
                json::parse(frame, symbols, unit)?
            }
        };
        news.push(one);
        Ok(())
    }

    fn concerned(&self, frame: &[u8], symbols: &Symbols) -> Concerned {
        json::book_concerned(frame, symbols).map_or(Concerned::Nobody, Concerned::One)
    }

    fn snapshot_request(&self, symbols: &Symbols, at: usize) -> Option<Request> {
        Some(rest::depth_request(&symbols.get(at).instrument.symbol, self.settings.options.depth))
    }

    fn read_snapshot(&self, body: &[u8], symbols: &Symbols, at: usize) -> Result<Snapshot, WireError> {
        rest::depth(body, &symbols.get(at).instrument)
    }
}

impl Exchange for BinanceSpot {
    fn id(&self) -> VenueId {
        VenueId::BinanceSpot
    }

    fn manners(&self) -> Manners {
        Manners {
            messages_per_second: 5,
            // 1,024 streams, three or four of each instrument.
            instruments_per_connection: 200,
            // The venue cuts at 24 h.
            rotate_after: Nanos::from_s(23 * 3_600),
            // 300 in five minutes.
            connects_per_minute: 50,
            forbidden_wait: Nanos::ZERO,
        }
    }

    fn rules_requests(&self, symbols: &[&str]) -> Vec<Request> {
        vec![rest::instruments_request(symbols)]
    }

    fn read_rules(&self, answers: &[Vec<u8>]) -> Result<Vec<Listed>, WireError> {
        let lists = answers.iter().map(|body| rest::instruments(body));
        lists.collect::<Result<Vec<_>, _>>().map(|lists| lists.concat())
    }

    fn listing_requests(&self) -> Vec<Request> {
        vec![rest::listing_request()]
    }

    fn clock_request(&self) -> Option<Request> {
        Some(Request::Get { path: "/api/v3/time".to_owned(), weight: 1 })
    }

    fn read_clock(&self, answer: &[u8]) -> Option<VenueTime> {
        binance::decimals::clock(answer)
    }

    fn connect(
        &'static self,
        instruments: Vec<(InstrumentId, Instrument)>,
        options: Options,
    ) -> Vec<Box<dyn Protocol>> {
        vec![Box::new(conversation(instruments, Settings { options, ..Settings::default() }))]
    }
}
