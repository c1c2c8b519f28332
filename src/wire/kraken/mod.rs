//! Kraken spot: public market data over websocket v2, rules of trading included.
//!
//! What we rely on: messages have no numbers, and each book message carries a checksum of the book's top after it, so
//! a book is believed as long as that comes out. Every side is known to the depth subscribed to and no further: what
//! is pushed out of it is never taken back, and what comes into it again is sent again. Numbers are JSON numbers whose
//! zeros are digits of the checksum; our integers are those digits. The side of a print is its taker's.
//!
//! What may be done is told twice: of each pair, and of the venue as a whole. The stricter word counts.
//!
//! Reading order: [`SpotV2`] is the dialect, `message` and `json` the two ways to read a frame, `rules` the pairs,
//! [`checksum`] the proof, [`Kraken`] the house.

#[cfg(test)]
mod agreement;
mod checksum;
mod json;
mod message;
mod rules;
#[cfg(test)]
mod tests;

pub use checksum::checksum;

use json::Beyond;
use rules::{Pair, status, stricter};
use serde::Deserialize;

use super::conversation::Conversation;
use super::dialect::{
    Channels, Concerned, Dialect, Exchange, Listed, Manners, News, Options, Request, Source, TradeIds, Traits,
};
use super::liveness::{Patience, QUIET_MAX};
use super::scan::Scan;
use super::symbols::Symbols;
use super::{Protocol, WireError};
use crate::market::{Instrument, InstrumentId, Level, Status, VenueId};
use crate::units::{LocalTime, Nanos, Side, VenueTime};

/// The depths there are.
const DEPTHS: [u32; 5] = [10, 25, 100, 500, 1_000];

/// One connection's words.
#[derive(Debug)]
pub struct SpotV2 {
    depth: u32,
    scratch: Vec<Level>,
    /// What may be done at the venue as a whole.
    system: Status,
    /// What may be done in each pair, as far as the venue as a whole lets us.
    pairs: Vec<Status>,
    parsed_slowly: u64,
}

impl SpotV2 {
    /// A dialect for one connection, with the greatest depth there is that is not more than `depth`.
    pub fn new(depth: u32) -> Self {
        let depth = DEPTHS.into_iter().rfind(|&d| d <= depth).unwrap_or(DEPTHS[0]);
        Self { depth, scratch: Vec::new(), system: Status::Trading, pairs: Vec::new(), parsed_slowly: 0 }
    }

    /// Frames the scanner left to the JSON parser.
    pub fn parsed_slowly(&self) -> u64 {
        self.parsed_slowly
    }

    fn window(&self) -> usize {
        self.depth as usize
    }

    fn hear_pair(&mut self, pair: &Pair<'_>, symbols: &Symbols, news: &mut Vec<News>) {
        let Some(at) = symbols.find(pair.symbol.as_bytes()) else { return };
        let rules = pair.rules();
        if let Some(known) = self.pairs.get_mut(at) {
            *known = rules.as_ref().map_or(Status::Unknown, |rules| rules.status);
        }
        match rules {
            Ok(mut rules) => {
                rules.status = stricter(self.system, rules.status);
                news.push(News::Rules { at, rules: Box::new(rules) });
            }
            // Nobody trades by rules that no longer hold.
            Err(error) => {
                news.push(News::Status { at, status: Status::Unknown });
                news.push(News::Denied { at: Some(at), words: error.to_string(), final_: false });
            }
        }
    }

    fn hear_system(&mut self, word: &str, news: &mut Vec<News>) {
        self.system = status(word);
        let statuses = self.pairs.iter().enumerate();
        news.extend(statuses.map(|(at, &own)| News::Status { at, status: stricter(self.system, own) }));
    }

    fn wish(&self, method: &str, channel: &str, symbols: &[&str]) -> String {
        let list = symbols.join("\",\"");
        let more = match channel {
            "book" => format!(r#","depth":{}"#, self.depth),
            _ => r#","snapshot":false"#.to_owned(),
        };
        format!(r#"{{"method":"{method}","params":{{"channel":"{channel}","symbol":["{list}"]{more}}}}}"#)
    }
}

/// The wish for all pairs with their rules, now and whenever they change.
const LIST_PAIRS: &str = r#"{"method":"subscribe","params":{"channel":"instrument","snapshot":true}}"#;

/// Path of the websocket.
const PATH: &str = "/v2";

impl Dialect for SpotV2 {
    fn venue(&self) -> VenueId {
        VenueId::Kraken
    }

    fn traits(&self) -> Traits {
        Traits {
            channels: Channels { book: true, bbo: false, trades: true, marks: false },
            source: Source::Stream,
            window: Some(self.window()),
            checksum: Some(checksum),
            trade_ids: TradeIds::Counting,
            ping_every: Some(Nanos::from_s(30)),
            // A heartbeat comes every second in which nothing else does.
            silence_max: Nanos::from_s(5),
        }
    }

    fn ws_path(&self, _symbols: &Symbols) -> String {
        PATH.to_owned()
    }

    fn open(&mut self, symbols: &Symbols, texts: &mut Vec<String>) {
        self.system = Status::Trading;
        // Until the pairs are listed, what was known of them counts.
        self.pairs = symbols.all().iter().map(|s| s.instrument.status).collect();
        let names: Vec<_> = symbols.all().iter().map(|s| s.instrument.symbol.as_str()).collect();
        texts.push(LIST_PAIRS.to_owned());
        texts.extend(["book", "trade"].map(|channel| self.wish("subscribe", channel, &names)));
    }

    fn resubscribe(&mut self, symbols: &Symbols, at: usize, texts: &mut Vec<String>) {
        let name = symbols.get(at).instrument.symbol.as_str();
        texts.extend(["unsubscribe", "subscribe"].map(|method| self.wish(method, "book", &[name])));
    }

    fn keepalive(&mut self) -> String {
        r#"{"method":"ping"}"#.to_owned()
    }

    fn read(&mut self, frame: &[u8], symbols: &Symbols, _at: LocalTime, news: &mut Vec<News>) -> Result<(), WireError> {
        let from = news.len();
        let depth = self.window();
        if message::scan(frame, depth, symbols, &mut self.scratch, news).is_some() {
            return Ok(());
        }
        news.truncate(from);
        self.parsed_slowly += 1;
        match json::parse(frame, depth, symbols, news)? {
            Beyond::Nothing => {}
            Beyond::Pairs(pairs) => pairs.iter().for_each(|pair| self.hear_pair(pair, symbols, news)),
            Beyond::System(word) => self.hear_system(&word, news),
        }
        if news.len() == from {
            news.push(News::Ignored);
        }
        Ok(())
    }

    fn concerned(&self, frame: &[u8], symbols: &Symbols) -> Concerned {
        match text_after(&mut Scan::new(frame), b"\"channel\":\"") {
            Some(b"book") => {}
            Some(_) => return Concerned::Nobody,
            // Acknowledgements have no channel of their own.
            None if text_after(&mut Scan::new(frame), b"\"method\":\"").is_some() => return Concerned::Nobody,
            None => return Concerned::Everybody,
        }
        let mut rest = Scan::new(frame);
        let mut named = None;
        while let Some(symbol) = text_after(&mut rest, b"\"symbol\":\"") {
            match named {
                None => named = Some(symbol),
                Some(other) if other == symbol => {}
                Some(_) => return Concerned::Everybody,
            }
        }
        match named {
            Some(symbol) => symbols.find(symbol).map_or(Concerned::Nobody, Concerned::One),
            None => Concerned::Everybody,
        }
    }
}

/// The next text that follows `key`.
fn text_after<'a>(s: &mut Scan<'a>, key: &[u8]) -> Option<&'a [u8]> {
    s.skip_past(key)?;
    s.text()
}

/// The venue names the side of the order that crossed the spread.
fn taker(side: &[u8]) -> Option<Side> {
    match side {
        b"buy" => Some(Side::Bid),
        b"sell" => Some(Side::Ask),
        _ => None,
    }
}

/// The house: what it lists and how it wants to be treated.
#[derive(Debug)]
pub struct Kraken;

/// The one there is.
pub static KRAKEN: Kraken = Kraken;

impl Exchange for Kraken {
    fn id(&self) -> VenueId {
        VenueId::Kraken
    }

    fn manners(&self) -> Manners {
        Manners {
            // Nothing is published; we hardly ever speak.
            messages_per_second: 5,
            instruments_per_connection: 50,
            rotate_after: Nanos::ZERO,
            // Of 150 in any ten minutes.
            connects_per_minute: 12,
            forbidden_wait: Nanos::ZERO,
        }
    }

    fn rules_requests(&self, _symbols: &[&str]) -> Vec<Request> {
        self.listing_requests()
    }

    fn read_rules(&self, answers: &[Vec<u8>]) -> Result<Vec<Listed>, WireError> {
        let mut listed = Vec::new();
        for answer in answers {
            let pairs = json::pairs(answer)?;
            listed.extend(pairs.iter().map(|pair| Listed { symbol: pair.symbol.to_string(), rules: pair.rules() }));
        }
        Ok(listed)
    }

    /// The websocket lists everything in one answer, under the names that it uses; REST has others.
    fn listing_requests(&self) -> Vec<Request> {
        // The acknowledgement names the channel as well, the rules only the answer.
        let reply = "\"price_increment\"";
        vec![Request::Ask { path: PATH.to_owned(), text: LIST_PAIRS.to_owned(), reply }]
    }

    fn clock_request(&self) -> Option<Request> {
        Some(Request::Get { path: "/0/public/Time".to_owned(), weight: 1 })
    }

    fn read_clock(&self, answer: &[u8]) -> Option<VenueTime> {
        #[derive(Deserialize)]
        struct Answer {
            result: Clock,
        }
        #[derive(Deserialize)]
        struct Clock {
            unixtime: i64,
        }
        let answer: Answer = serde_json::from_slice(answer).ok()?;
        answer.result.unixtime.checked_mul(1_000_000_000).map(VenueTime)
    }

    fn connect(
        &'static self,
        instruments: Vec<(InstrumentId, Instrument)>,
        options: Options,
    ) -> Vec<Box<dyn Protocol>> {
        // A quiet pair is no dead connection: heartbeats tell those apart.
        let depth_patience = Patience { dead: QUIET_MAX, ..options.depth_patience };
        // Rules are pushed, and together with what may be done at all; asked for, they would be told without that.
        let options = Options { depth_patience, rules_every: Nanos::ZERO, ..options };
        vec![Box::new(Conversation::new(SpotV2::new(options.depth), instruments, options, self))]
    }
}
