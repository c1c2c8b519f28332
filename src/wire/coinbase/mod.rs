//! Coinbase Advanced Trade: public market data over one websocket, products over REST.
//!
//! What we rely on: the messages of a connection are numbered one by one, over all channels and products together, so
//! one missing number puts every book of the connection in doubt and nothing else has to be proven. A book begins with
//! all of its levels, tens of thousands of them, and goes on with absolute quantities. The side of a print is its
//! *maker's*. Prints come newest first. There is no channel of best bid and offer: the book says it.
//!
//! Each product is subscribed to in a message of its own, because one the venue does not know spoils the whole message
//! it is in; so the multi-megabyte snapshots come one after the other, too.
//!
//! Reading order: [`AdvancedTrade`] is the dialect, `message` and `json` the two ways to read a frame, `rest` what
//! comes over HTTP, [`Coinbase`] the house.

#[cfg(test)]
mod agreement;
mod json;
mod message;
mod rest;
#[cfg(test)]
mod tests;

use json::Mode;
use message::Scratch;

use super::conversation::Conversation;
use super::dialect::{
    Channels, Concerned, Dialect, Exchange, Listed, Manners, News, Options, Request, Source, TradeIds, Traits,
};
use super::liveness::{Patience, QUIET_MAX};
use super::scan::Scan;
use super::symbols::Symbols;
use super::{Protocol, WireError};
use crate::market::{Instrument, InstrumentId, Status, VenueId};
use crate::units::{LocalTime, Nanos, Side, VenueTime};

/// Bytes at the beginning of a frame that hold its channel and number.
const HEAD: usize = 300;

/// One connection's words.
#[derive(Debug, Default)]
pub struct AdvancedTrade {
    scratch: Scratch,
    /// The number of the next message; unknown until the first one of a socket.
    next: Option<u64>,
    /// The venue's count of heartbeats.
    heartbeats: Option<u64>,
    /// What could be done in each product before the `status` channel closed it.
    before: Vec<Option<Status>>,
    parsed_slowly: u64,
}

impl AdvancedTrade {
    /// A dialect for one connection.
    pub fn new() -> Self {
        Self::default()
    }

    /// Frames the scanner left to the JSON parser.
    pub fn parsed_slowly(&self) -> u64 {
        self.parsed_slowly
    }

    /// Ties a frame to the one before it; what it says stands in `news` from `from` on.
    fn follow(&mut self, number: u64, from: usize, news: &mut Vec<News>) {
        match self.next {
            Some(next) if number < next => {
                news.truncate(from);
                news.push(News::Duplicate);
                return;
            }
            Some(next) if number > next => news.insert(from, News::Lost { expected: next, found: number }),
            Some(_) | None => {}
        }
        self.next = Some(number.wrapping_add(1));
    }

    /// Heartbeats are counted by the venue as well, whatever the messages' numbers say.
    fn beat(&mut self, count: u64, from: usize, news: &mut Vec<News>) {
        let next = self.heartbeats.map(|last| last.saturating_add(1));
        let known = news[from..].iter().any(|n| matches!(n, News::Lost { .. } | News::Duplicate));
        if let Some(expected) = next.filter(|&next| count > next && !known) {
            news.insert(from, News::Lost { expected, found: count });
        }
        self.heartbeats = Some(count);
    }

    /// The word of the `status` channel closes a product, and takes that back; restrictions are told by the rules only,
    /// and an "online" without them does not lift them.
    fn hear_mode(&mut self, at: usize, mode: &Mode, symbols: &Symbols) -> News {
        self.before.resize(symbols.len(), None);
        let (status, before) = (mode.status(), &mut self.before[at]);
        if !mode.is_word_only() {
            *before = None;
            return News::Status { at, status };
        }
        match (status, *before) {
            (Status::Trading, None) => News::Alive,
            (Status::Trading, Some(known)) => {
                *before = None;
                News::Status { at, status: known }
            }
            (_, known) => {
                *before = known.or(Some(symbols.get(at).instrument.status));
                News::Status { at, status }
            }
        }
    }

    /// A frame that came is not lost, even if it cannot be read.
    fn arrive_unread(&mut self, frame: &[u8]) {
        let number = number_of(frame);
        if self.next.is_some() && (number.is_none() || number == self.next) {
            self.next = self.next.map(|next| next.wrapping_add(1));
        }
    }
}

impl Dialect for AdvancedTrade {
    fn venue(&self) -> VenueId {
        VenueId::Coinbase
    }

    fn traits(&self) -> Traits {
        Traits {
            channels: Channels { book: true, bbo: false, trades: true, marks: false },
            source: Source::Stream,
            window: None,
            checksum: None,
            trade_ids: TradeIds::Counting,
            ping_every: None,
            // Heartbeats come every second.
            silence_max: Nanos::from_s(5),
        }
    }

    fn ws_path(&self, _symbols: &Symbols) -> String {
        "/".to_owned()
    }

    fn open(&mut self, symbols: &Symbols, texts: &mut Vec<String>) {
        (self.next, self.heartbeats) = (None, None);
        // First, and at once: who subscribes to nothing within five seconds is dropped.
        texts.push(r#"{"type":"subscribe","channel":"heartbeats"}"#.to_owned());
        // Books first: each has ten seconds to come, and we may not say all at once.
        for channel in ["level2", "market_trades", "status"] {
            texts.extend(symbols.all().iter().map(|symbol| wish("subscribe", &symbol.instrument.symbol, channel)));
        }
    }

    fn resubscribe(&mut self, symbols: &Symbols, at: usize, texts: &mut Vec<String>) {
        let product = &symbols.get(at).instrument.symbol;
        texts.extend(["unsubscribe", "subscribe"].map(|kind| wish(kind, product, "level2")));
    }

    fn read(&mut self, frame: &[u8], symbols: &Symbols, _at: LocalTime, news: &mut Vec<News>) -> Result<(), WireError> {
        let from = news.len();
        if let Some(number) = message::scan(frame, symbols, &mut self.scratch, news) {
            self.follow(number, from, news);
            return Ok(());
        }
        news.truncate(from);
        self.parsed_slowly += 1;
        match json::parse(frame, symbols, news) {
            Ok(head) => {
                news.extend(head.modes.iter().map(|(at, mode)| self.hear_mode(*at, mode, symbols)));
                if let Some(number) = head.number {
                    self.follow(number, from, news);
                }
                if let Some(count) = head.heartbeats {
                    self.beat(count, from, news);
                }
                Ok(())
            }
            Err(error) => {
                self.arrive_unread(frame);
                Err(error)
            }
        }
    }

    fn concerned(&self, frame: &[u8], symbols: &Symbols) -> Concerned {
        let channel = text_after(frame, b"\"channel\":\"");
        match channel {
            Some(b"l2_data") => {}
            Some(_) => return Concerned::Nobody,
            None if text_after(frame, b"\"type\":\"") == Some(b"error") => return Concerned::Nobody,
            None => return Concerned::Everybody,
        }
        match text_after(frame, b"\"product_id\":\"") {
            Some(product) => symbols.find(product).map_or(Concerned::Nobody, Concerned::One),
            None => Concerned::Everybody,
        }
    }
}

/// A request about one product.
fn wish(kind: &str, product: &str, channel: &str) -> String {
    format!(r#"{{"type":"{kind}","product_ids":["{product}"],"channel":"{channel}"}}"#)
}

/// The text that follows `key` near the beginning of a frame.
fn text_after<'a>(frame: &'a [u8], key: &[u8]) -> Option<&'a [u8]> {
    let mut s = Scan::new(&frame[..frame.len().min(HEAD)]);
    s.skip_past(key)?;
    s.text()
}

/// A frame's number on its connection, as far as it can still be seen.
fn number_of(frame: &[u8]) -> Option<u64> {
    let mut s = Scan::new(&frame[..frame.len().min(HEAD)]);
    s.skip_past(b"\"sequence_num\":")?;
    let number = s.integer()?;
    s.expect(b",").map(|()| number)
}

/// The venue names the maker's side; who took is on the other one.
fn taker(maker: &[u8]) -> Option<Side> {
    match maker {
        b"BUY" => Some(Side::Ask),
        b"SELL" => Some(Side::Bid),
        _ => None,
    }
}

/// Prints come newest first, and are news oldest first.
fn oldest_first(prints: &mut [News]) {
    let id = |news: &News| if let News::Trade { trade, .. } = news { trade.id } else { 0 };
    if !prints.is_sorted_by_key(id) {
        prints.sort_by_key(id);
    }
}

/// What to make of an error message, which is words only.
fn refusal(words: String, symbols: &Symbols) -> News {
    let lower = words.to_lowercase();
    let says = |part: &str| lower.contains(part);
    if says("rate limit") || says("too many") {
        return News::RateLimited { code: 429, wait: Nanos::from_s(10) };
    }
    let named = words.split(|c: char| !c.is_ascii_alphanumeric() && c != '-').find_map(|w| symbols.find(w.as_bytes()));
    let at = named.or((symbols.len() == 1).then_some(0));
    let unknown = says("product") && (says("valid") || says("not found"));
    let forbidden = says("authenticat") || says("unauthorized") || says("not permitted");
    // Which of several products is unknown we would have to guess: their silence will tell.
    News::Denied { final_: forbidden || (unknown && at.is_some()), at, words }
}

/// The house: what it lists and how it wants to be treated.
#[derive(Debug)]
pub struct Coinbase;

/// The one there is.
pub static COINBASE: Coinbase = Coinbase;

impl Exchange for Coinbase {
    fn id(&self) -> VenueId {
        VenueId::Coinbase
    }

    fn manners(&self) -> Manners {
        Manners {
            // Of 8 per address.
            messages_per_second: 4,
            instruments_per_connection: 10,
            rotate_after: Nanos::ZERO,
            connects_per_minute: 30,
            forbidden_wait: Nanos::ZERO,
        }
    }

    fn rules_requests(&self, symbols: &[&str]) -> Vec<Request> {
        let path = |symbol: &&str| format!("/api/v3/brokerage/market/products/{symbol}");
        symbols.iter().map(|symbol| Request::Get { path: path(symbol), weight: 1 }).collect()
    }

    fn read_rules(&self, answers: &[Vec<u8>]) -> Result<Vec<Listed>, WireError> {
        let lists: Result<Vec<_>, _> = answers.iter().map(|answer| rest::products(answer)).collect();
        Ok(lists?.into_iter().flatten().collect())
    }

    fn listing_requests(&self) -> Vec<Request> {
        let path = "/api/v3/brokerage/market/products?product_type=SPOT".to_owned();
        vec![Request::Get { path, weight: 1 }]
    }

    fn clock_request(&self) -> Option<Request> {
        Some(Request::Get { path: "/api/v3/brokerage/time".to_owned(), weight: 1 })
    }

    fn read_clock(&self, answer: &[u8]) -> Option<VenueTime> {
        rest::clock(answer).ok()
    }

    fn connect(
        &'static self,
        instruments: Vec<(InstrumentId, Instrument)>,
        options: Options,
    ) -> Vec<Box<dyn Protocol>> {
        // A quiet product is no dead connection: heartbeats tell those apart.
        let depth_patience = Patience { dead: QUIET_MAX, ..options.depth_patience };
        let options = Options { depth_patience, ..options };
        vec![Box::new(Conversation::new(AdvancedTrade::new(), instruments, options, self))]
    }
}
