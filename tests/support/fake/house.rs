//! What the fake has to know of one venue: its words and its manners. Everything else is the same at all of them.

use papermaker::market::VenueId;
use serde_json::Value;

use super::market::{Event, Kind, Listing, Market};
use super::{binance, bybit, coinbase, deribit, hyperliquid, kraken, okx};

/// What a client's text came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Heard {
    /// Answers, in order, before anything of the new topics.
    pub replies: Vec<String>,
    /// Topics that begin.
    pub begin: Vec<String>,
    /// Topics that end.
    pub end: Vec<String>,
    /// It was a ping of the venue's own kind.
    pub ping: bool,
    /// It answered a question of ours (Deribit's `test_request`).
    pub pong: bool,
}

impl Heard {
    /// Nothing but an answer.
    pub fn reply(text: impl Into<String>) -> Self {
        Self { replies: vec![text.into()], ..Self::default() }
    }
}

/// A REST request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    pub method: String,
    pub path: String,
    /// Decoded, without the question mark.
    pub query: String,
    pub body: String,
}

impl Asked {
    /// A value of the query.
    pub fn value(&self, key: &str) -> Option<&str> {
        self.query.split('&').find_map(|kv| kv.strip_prefix(key)?.strip_prefix('='))
    }
}

/// A REST answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    pub status: u16,
    pub retry_after: Option<u32>,
    pub body: String,
}

impl Reply {
    pub fn new(status: u16, body: impl Into<String>) -> Self {
        Self { status, retry_after: None, body: body.into() }
    }

    pub fn ok(body: impl Into<String>) -> Self {
        Self::new(200, body)
    }

    pub fn unknown() -> Self {
        Self::new(404, "<html>no such path</html>")
    }
}

/// One venue. Its topics are strings of its own making; the same string means the same subscription.
pub trait House: Send + Sync {
    fn id(&self) -> VenueId;

    /// What it lists: two instruments, the first a major one.
    fn listings(&self) -> Vec<Listing>;

    /// Whether there is a websocket at this path.
    fn serves(&self, path: &str) -> bool;

    /// Topics that the path itself asks for.
    fn named_in(&self, _path: &str, _query: &str) -> Vec<String> {
        Vec::new()
    }

    /// What is said before anything is asked.
    fn greeting(&self) -> Vec<String> {
        Vec::new()
    }

    /// A client's text on a socket at `path` that has `topics` so far.
    fn hear(&self, text: &str, path: &str, topics: &[String], market: &Market) -> Heard;

    /// What the topic says first: a snapshot, where the venue sends one in the stream.
    fn fresh(&self, topic: &str, market: &Market) -> Vec<String>;

    /// An event in the words of the topic; `None` if it is not about it.
    fn tell(&self, topic: &str, event: &Event, market: &Market) -> Option<String>;

    /// Which kind of message a topic brings, and of which instrument (empty: of all).
    fn about(&self, topic: &str) -> (Kind, String);

    /// The same of a frame, to play recordings with. `None`: not a message of any topic.
    fn frame_about(&self, frame: &Value) -> Option<(Kind, String)>;

    /// A REST request.
    fn rest(&self, asked: &Asked, market: &Market) -> Reply;

    /// What comes once a second to a socket that has these topics and has said this so far; `beat` counts.
    fn pulse(&self, _topics: &[String], _heard: &[String], _beat: u64, _market: &Market) -> Option<String> {
        None
    }

    /// Puts in the number of this message on its connection, where the venue counts them.
    fn numbered(&self, text: String, _n: &mut u64) -> String {
        text
    }

    /// The notice that the connection will be closed soon, if there is one.
    fn shutdown(&self) -> Option<String> {
        None
    }

    /// The word for an instrument that has left, or has stopped for good.
    fn gone(&self) -> &'static str;

    /// Whether a change of the tick comes with a fresh book.
    fn rebuilds(&self) -> bool {
        false
    }

    /// A well-formed message of a kind that nobody has heard of.
    fn unheard_of(&self) -> String;
}

/// The house of a venue.
pub fn of(venue: VenueId) -> Box<dyn House> {
    match venue {
        VenueId::Imported => panic!("known from files only"),
        VenueId::BinanceSpot => Box::new(binance::Binance::Spot),
        VenueId::BinanceUsdm => Box::new(binance::Binance::Usdm),
        VenueId::BinanceCoinm => Box::new(binance::Binance::Coinm),
        VenueId::BybitSpot => Box::new(bybit::Bybit::Spot),
        VenueId::BybitLinear => Box::new(bybit::Bybit::Linear),
        VenueId::Okx => Box::new(okx::Okx),
        VenueId::Coinbase => Box::new(coinbase::Coinbase),
        VenueId::Kraken => Box::new(kraken::Kraken),
        VenueId::Hyperliquid => Box::new(hyperliquid::Hyperliquid),
        VenueId::Deribit => Box::new(deribit::Deribit),
    }
}

/// The words of a text that should be JSON.
pub fn json_of(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or(Value::Null)
}

/// Strings of a JSON list.
pub fn strings(list: &Value) -> Vec<String> {
    list.as_array().into_iter().flatten().filter_map(|v| v.as_str().map(str::to_owned)).collect()
}

/// `2026-09-21T10:00:00.5Z`.
pub fn iso(ms: i64) -> String {
    jiff::Timestamp::from_millisecond(ms).expect("a date of ours").to_string()
}
