//! Bybit v5: spot and linear perpetuals, public data. One category per connection.
//!
//! What we rely on, from the venue's documentation of July 2026: the first message of `orderbook.N` is a snapshot, and
//! so is any later one that says so or has `u` 1 (the service was restarted); `u` otherwise counts the topic's messages
//! one by one. The English page leaves the last sentence out, so it can be switched off ([`Continuity`]); our
//! recordings of 2026 count. `seq` belongs to the matching engine: it jumps, never falls, and makes messages of
//! different topics comparable. The server itself deletes what leaves its window of N levels. `orderbook.1` comes as
//! snapshots only and repeats itself after three idle seconds. `S` is the taker's side.
//!
//! Reading order: [`BybitDialect`] is the venue's words, `message` and `json` the two ways to read a frame, [`Bybit`]
//! the rest of the venue.

#[cfg(test)]
mod agreement;
mod json;
mod message;
mod rest;
#[cfg(test)]
mod tests;

pub use rest::{Bybit, LINEAR, SPOT};

use message::{Answer, Message, Page, Scratch, Ticker};

use super::WireError;
use super::dialect::{Change, Channels, Concerned, Dialect, Link, News, Source, TradeIds, Traits};
use super::symbols::{Symbol, Symbols};
use crate::market::{Funding, Mark, VenueId};
use crate::units::{FundingRate, LocalTime, Nanos, VenueTime};

/// Which of the venue's markets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Category {
    /// Spot.
    Spot,
    /// Perpetual contracts settled in USDT or USDC.
    Linear,
}

impl Category {
    /// As in paths.
    fn word(self) -> &'static str {
        match self {
            Category::Spot => "spot",
            Category::Linear => "linear",
        }
    }

    fn venue(self) -> VenueId {
        match self {
            Category::Spot => VenueId::BybitSpot,
            Category::Linear => VenueId::BybitLinear,
        }
    }
}

/// What `u` of a book message is taken to prove.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Continuity {
    /// It counts up by one, so a hole shows.
    ByOne,
    /// Nothing: for the day it turns out to jump.
    Unproven,
}

/// Depths the venue offers, in levels per side.
const DEPTHS: [u32; 3] = [50, 200, 1_000];

/// Topics in one request at most, by the spot gateway's rule. We never come near it: a request is about one
/// instrument, so that an instrument the venue does not know fails alone.
const ARGS_PER_REQUEST: usize = 10;

/// One connection's words.
#[derive(Debug)]
pub struct BybitDialect {
    category: Category,
    continuity: Continuity,
    depth: u32,
    scratch: Scratch,
    /// By position in [`Symbols`].
    seen: Vec<Seen>,
}

/// What this socket said of one instrument so far.
#[derive(Clone, Copy, Debug, Default)]
struct Seen {
    book_seq: u64,
    top_seq: u64,
    rate: Option<FundingRate>,
    due: Option<VenueTime>,
    every: Option<Nanos>,
}

impl BybitDialect {
    /// Words for books of at least `depth` levels a side, as far as the venue has them: 50, 200 or 1,000.
    pub fn new(category: Category, continuity: Continuity, depth: u32) -> Self {
        let depth = DEPTHS.into_iter().find(|&offered| offered >= depth).unwrap_or(DEPTHS[DEPTHS.len() - 1]);
        Self { category, continuity, depth, scratch: Scratch::default(), seen: Vec::new() }
    }

    fn book_topic(&self, symbol: &str) -> String {
        format!("orderbook.{}.{symbol}", self.depth)
    }

    fn topics(&self, symbol: &str) -> Vec<String> {
        let mut topics =
            vec![self.book_topic(symbol), format!("orderbook.1.{symbol}"), format!("publicTrade.{symbol}")];
        if self.category == Category::Linear {
            topics.push(format!("tickers.{symbol}"));
        }
        topics
    }

    fn tell(&mut self, message: Message, symbols: &Symbols, news: &mut Vec<News>) {
        match message {
            Message::Page(page) if page.top => news.push(self.top(page)),
            Message::Page(page) => news.push(self.book(page)),
            Message::Prints { at, prints } => {
                news.extend(prints.into_iter().map(|(time, trade)| News::Trade { at, time, trade }));
            }
            Message::Ticker { at, time, ticker } => news.push(self.mark(at, time, ticker, symbols.get(at))),
            Message::Answer(answer) => news.push(hear(answer, symbols)),
            Message::Ignored => news.push(News::Ignored),
        }
    }

    fn top(&mut self, page: Page) -> News {
        let Page { at, update, seq, time, bids, asks, top: _, whole: _ } = page;
        let seen = &mut self.seen[at];
        if seq < seen.top_seq && update != 1 {
            return News::Duplicate;
        }
        seen.top_seq = seq;
        let best = |levels: &[crate::market::Level]| levels.first().copied().filter(|l| l.qty.0 > 0);
        News::Bbo { at, time: Some(time), seq, bid: best(&bids), ask: best(&asks) }
    }

    fn book(&mut self, mut page: Page) -> News {
        let seen = &mut self.seen[page.at];
        // After a restart the service counts anew and sends everything, whatever it calls it.
        let whole = page.whole || page.update == 1;
        if !whole && page.seq < seen.book_seq {
            return News::Duplicate;
        }
        seen.book_seq = page.seq;
        if whole {
            json::put_in_order(&mut page);
        }
        let Page { at, update: last, seq, time, bids, asks, top: _, whole: _ } = page;
        let (seq, time) = (Some(seq), Some(time));
        if whole {
            let full = self.depth as usize;
            let complete = bids.len() < full && asks.len() < full;
            return News::Snapshot { at, last, seq, time, bids, asks, complete, checksum: None };
        }
        let link = match self.continuity {
            Continuity::ByOne => Link::Next,
            Continuity::Unproven => Link::None,
        };
        News::Change { at, change: Change { link, last, seq, time, bids, asks, checksum: None } }
    }

    /// Funding is told whole, from what this socket said of its parts.
    fn mark(&mut self, at: usize, time: VenueTime, ticker: Ticker, symbol: &Symbol) -> News {
        let seen = &mut self.seen[at];
        if ticker.whole {
            (seen.rate, seen.due, seen.every) = (None, None, None);
        }
        let touched = ticker.rate.is_some() || ticker.due.is_some() || ticker.every.is_some();
        seen.rate = ticker.rate.or(seen.rate);
        seen.due = ticker.due.or(seen.due);
        seen.every = ticker.every.or(seen.every);
        let every = seen.every.or(symbol.instrument.contract.funding_every);
        let funding = match (seen.rate, seen.due, every) {
            (Some(rate), due @ Some(_), Some(every)) if touched => Some(Funding { rate, due, every, at_index: false }),
            _ => None,
        };
        let Ticker { mark, index, .. } = ticker;
        if mark.is_none() && index.is_none() && funding.is_none() {
            return News::Alive;
        }
        News::Mark { at, time: Some(time), mark: Mark { mark, index, funding } }
    }
}

/// Requests carry the symbol as their id; where the answer does not echo it, its words may name it.
fn hear(answer: Answer, symbols: &Symbols) -> News {
    let Answer { obeyed, words, request } = answer;
    if obeyed {
        return News::Alive;
    }
    let by_id = request.and_then(|id| symbols.find(id.as_bytes()));
    let is_symbol = |c: char| c.is_ascii_alphanumeric() || c == '-';
    let by_words = || words.split(|c| !is_symbol(c)).find_map(|word| symbols.find(word.as_bytes()));
    let at = by_id.or_else(by_words);
    let text = words.to_lowercase();
    let final_ = ["invalid", "not found", "not exist", "not support"].iter().any(|why| text.contains(why));
    News::Denied { at, words, final_ }
}

fn request(operation: &str, id: &str, topics: &[String]) -> String {
    debug_assert!(topics.len() <= ARGS_PER_REQUEST, "a request about one instrument has four topics");
    let topics: Vec<_> = topics.iter().map(|topic| format!("\"{topic}\"")).collect();
    format!("{{\"req_id\":\"{id}\",\"op\":\"{operation}\",\"args\":[{}]}}", topics.join(","))
}

impl Dialect for BybitDialect {
    fn venue(&self) -> VenueId {
        self.category.venue()
    }

    fn traits(&self) -> Traits {
        let channels = Channels { book: true, bbo: true, trades: true, marks: self.category == Category::Linear };
        Traits {
            channels,
            source: Source::Stream,
            window: Some(self.depth as usize),
            checksum: None,
            trade_ids: TradeIds::Opaque,
            ping_every: Some(Nanos::from_s(20)),
            // The pong answers within a second, and the best bid and offer repeats itself.
            silence_max: Nanos::from_s(30),
        }
    }

    fn ws_path(&self, _symbols: &Symbols) -> String {
        format!("/v5/public/{}", self.category.word())
    }

    fn open(&mut self, symbols: &Symbols, texts: &mut Vec<String>) {
        self.seen.clear();
        self.seen.resize(symbols.len(), Seen::default());
        let names = symbols.all().iter().map(|symbol| symbol.instrument.symbol.as_str());
        texts.extend(names.map(|symbol| request("subscribe", symbol, &self.topics(symbol))));
    }

    fn resubscribe(&mut self, symbols: &Symbols, at: usize, texts: &mut Vec<String>) {
        let symbol = &symbols.get(at).instrument.symbol;
        let topic = [self.book_topic(symbol)];
        texts.push(request("unsubscribe", symbol, &topic));
        texts.push(request("subscribe", symbol, &topic));
    }

    fn keepalive(&mut self) -> String {
        "{\"op\":\"ping\"}".to_owned()
    }

    fn read(&mut self, frame: &[u8], symbols: &Symbols, _at: LocalTime, news: &mut Vec<News>) -> Result<(), WireError> {
        if self.seen.len() < symbols.len() {
            self.seen.resize(symbols.len(), Seen::default());
        }
        let message = match message::scan(frame, symbols, self.depth, &mut self.scratch) {
            Some(message) => message,
            None => json::parse(frame, symbols, self.category, self.depth)?,
        };
        self.tell(message, symbols, news);
        Ok(())
    }

    fn concerned(&self, frame: &[u8], symbols: &Symbols) -> Concerned {
        json::concerned(frame, symbols, self.depth)
    }
}
