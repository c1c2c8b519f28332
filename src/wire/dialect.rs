//! What is a venue's own: its words ([`Dialect`]) and its house rules ([`Exchange`]).
//!
//! Everything else about a connection (who is in step, when to ask again, what to tell the session) is the same at
//! every venue and lives in [`super::conversation`]. So a new venue is one file that implements these two traits,
//! one line in [`super::venues`], and a folder of its messages for the tests.

use super::depth_sync::{Snapshot, SyncLimits};
use super::liveness::Patience;
use super::symbols::{Symbol, Symbols};
use super::{Protocol, WireError};
use crate::market::{Book, Instrument, InstrumentId, Level, Mark, PrintFlags, Status, VenueId};
use crate::units::{LocalTime, Lots, Nanos, Side, Ticks, VenueTime};

/// What one frame says. A frame may say several things. `at` is a position in [`Symbols`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum News {
    /// The whole visible book; replaces what was known.
    Snapshot {
        /// Whose.
        at: usize,
        /// Number in the chain of changes; the next change continues from here.
        last: u64,
        /// Number comparable with that of `Bbo`, where the venue has one apart from the chain's.
        seq: Option<u64>,
        /// On the venue's clock.
        time: Option<VenueTime>,
        /// Best first.
        bids: Vec<Level>,
        /// Best first.
        asks: Vec<Level>,
        /// `true` if nothing rests beyond the last level given.
        complete: bool,
        /// Of the book's top, where the venue sends one to be checked.
        checksum: Option<u32>,
    },
    /// Levels that changed.
    Change {
        /// Whose.
        at: usize,
        /// How, and after what.
        change: Change,
    },
    /// A print.
    Trade {
        /// Whose.
        at: usize,
        /// On the venue's clock.
        time: VenueTime,
        /// What was traded.
        trade: Trade,
    },
    /// Best bid and offer from a channel of its own.
    Bbo {
        /// Whose.
        at: usize,
        /// On the venue's clock.
        time: Option<VenueTime>,
        /// In the space of `Snapshot::seq` and `Change::seq`; 0 if not comparable.
        seq: u64,
        /// Best bid.
        bid: Option<Level>,
        /// Best ask.
        ask: Option<Level>,
    },
    /// Mark price, index, funding.
    Mark {
        /// Whose.
        at: usize,
        /// On the venue's clock.
        time: Option<VenueTime>,
        /// What changed.
        mark: Mark,
    },
    /// The venue opened, halted or removed an instrument.
    Status {
        /// Which.
        at: usize,
        /// What it is now.
        status: Status,
    },
    /// The venue pushed an instrument's rules, changed or not.
    Rules {
        /// Whose.
        at: usize,
        /// All of them.
        rules: Box<Instrument>,
    },
    /// Part of the frame about this instrument's book could not be read.
    Unreadable {
        /// Whose book is in doubt.
        at: usize,
        /// What was wrong.
        error: WireError,
    },
    /// Messages of this connection were lost: every book on it is in doubt.
    Lost {
        /// The number that should have come.
        expected: u64,
        /// The number that came.
        found: u64,
    },
    /// A sign of life: heartbeat, pong, an acknowledged request.
    Alive,
    /// Seen before, by a number of the connection.
    Duplicate,
    /// The venue asks for an answer, now.
    Answer(String),
    /// A subscription or request was not obeyed.
    Denied {
        /// For whom, if it says.
        at: Option<usize>,
        /// In the venue's words.
        words: String,
        /// Whether asking again is pointless (unknown symbol, not permitted): the instrument is refused.
        final_: bool,
    },
    /// The venue wants us to slow down; the connection is reopened after the wait.
    RateLimited {
        /// The venue's code.
        code: u32,
        /// For this long.
        wait: Nanos,
    },
    /// The venue will close this connection soon: open another one first.
    ShutdownAnnounced,
    /// Well-formed and none of our business.
    Ignored,
}

/// Levels that changed in one message, and how the message follows the one before it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// What ties it to its predecessor.
    pub link: Link,
    /// The chain's number after it.
    pub last: u64,
    /// Number comparable with that of `Bbo`, where the venue has one apart from the chain's.
    pub seq: Option<u64>,
    /// On the venue's clock.
    pub time: Option<VenueTime>,
    /// Changed bids; zero empties a level; of a price named twice the last counts.
    pub bids: Vec<Level>,
    /// As `bids`.
    pub asks: Vec<Level>,
    /// Of the book's top after this change, where the venue sends one to be checked.
    pub checksum: Option<u32>,
}

impl Change {
    /// What should have come after `last` and what this follows instead, if something is missing between.
    pub fn hole_after(&self, last: u64) -> Option<(u64, u64)> {
        let next = last.saturating_add(1);
        match self.link {
            Link::From(first) => (first > next).then_some((next, first)),
            Link::After(before) => (before != last).then_some((last, before)),
            Link::Next => (self.last != next).then_some((next, self.last)),
            Link::None => None,
        }
    }

    /// The first update in it, if that leaves a hole after a state up to `last`. What it covers of that state is no
    /// hole: quantities are absolute.
    pub fn begins_after(&self, last: u64) -> Option<u64> {
        let first = match self.link {
            Link::From(first) => first,
            // It follows `before` directly, so the updates of this book after `before` are all in it.
            Link::After(before) => before.saturating_add(1),
            Link::Next => self.last,
            Link::None => return None,
        };
        (first > last.saturating_add(1)).then_some(first)
    }
}

/// How a change proves that nothing is missing before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Link {
    /// It covers the updates from this one to `last` and must begin at most one after the last known
    /// (Binance spot).
    From(u64),
    /// It names the number it follows (Binance futures `pu`, OKX `prevSeqId`, Deribit `prev_change_id`).
    After(u64),
    /// Its number is one more than its predecessor's (Bybit `u`).
    Next,
    /// It proves nothing; a checksum or the connection's own number does (Kraken, Coinbase).
    None,
}

/// A print.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trade {
    /// The venue's id, or a number made of it.
    pub id: u64,
    /// Who crossed the spread.
    pub taker: Side,
    /// At.
    pub price: Ticks,
    /// How much.
    pub qty: Lots,
    /// What else the venue said of it.
    pub flags: PrintFlags,
}

/// Which connection of a venue this is, if it needs several for one instrument.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Channels {
    /// It carries books.
    pub book: bool,
    /// It carries best bid and offer in a channel of its own.
    pub bbo: bool,
    /// It carries trades.
    pub trades: bool,
    /// It carries mark prices and funding.
    pub marks: bool,
}

/// Where a book's first state comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// Over REST, beside the stream ([`super::depth_sync`]).
    Rest,
    /// In the stream ([`super::stream_sync`]), anew after each subscription.
    Stream,
}

/// What a venue's trade ids are good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TradeIds {
    /// Each is one more than the one before: duplicates and holes show.
    Counting,
    /// Only unique: duplicates of the recent past show.
    Opaque,
}

/// What the conversation has to know of a dialect.
#[derive(Clone, Copy, Debug)]
pub struct Traits {
    /// What is on this connection.
    pub channels: Channels,
    /// Where snapshots come from.
    pub source: Source,
    /// Levels a side that the venue keeps us informed of; deeper ones are dropped. `None`: all, or the venue deletes.
    pub window: Option<usize>,
    /// How to fold the top of a book into the venue's checksum.
    pub checksum: Option<fn(&Book, &Instrument) -> u32>,
    /// What trade ids prove.
    pub trade_ids: TradeIds,
    /// Send `keepalive` after being silent for so long, if at all.
    pub ping_every: Option<Nanos>,
    /// Nothing at all came for so long: the connection is dead. Zero: never.
    pub silence_max: Nanos,
}

/// One connection's words: bytes to [`News`], wishes to text. No clock, no socket, no policy.
pub trait Dialect: Send {
    /// Whose.
    fn venue(&self) -> VenueId;

    /// What the conversation has to know.
    fn traits(&self) -> Traits;

    /// Whether this one has marks, where a connection carries them: spot beside swaps has none to wait for.
    fn has_marks(&self, _symbol: &Symbol) -> bool {
        true
    }

    /// Path and query of the websocket.
    fn ws_path(&self, symbols: &Symbols) -> String;

    /// A new socket: forget what belongs to the old one, and say what to send.
    fn open(&mut self, symbols: &Symbols, texts: &mut Vec<String>);

    /// What to send so that this book comes anew.
    fn resubscribe(&mut self, symbols: &Symbols, at: usize, texts: &mut Vec<String>);

    /// The text that keeps a silent connection alive.
    fn keepalive(&mut self) -> String {
        String::new()
    }

    /// What may be done in an instrument that the venue's list has in this status, by all that the stream has said.
    fn allowed(&self, _at: usize, listed: Status) -> Status {
        listed
    }

    /// Reads one frame. Never panics, whatever the bytes. On an error nothing in `news` counts.
    fn read(&mut self, frame: &[u8], symbols: &Symbols, at: LocalTime, news: &mut Vec<News>) -> Result<(), WireError>;

    /// Whose book a frame that could not be read may have changed; `Everybody` if that cannot be told.
    fn concerned(&self, frame: &[u8], symbols: &Symbols) -> Concerned;

    /// Where a snapshot over REST is to be had.
    fn snapshot_request(&self, _symbols: &Symbols, _at: usize) -> Option<Request> {
        None
    }

    /// Reads the reply to that.
    fn read_snapshot(&self, _body: &[u8], _symbols: &Symbols, _at: usize) -> Result<Snapshot, WireError> {
        Err(WireError::Shape { what: "snapshot", why: "this venue sends its snapshots in the stream".to_owned() })
    }
}

/// Whose book an unreadable frame may have changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Concerned {
    /// It was no book message.
    Nobody,
    /// This one's.
    One(usize),
    /// It was, or may have been, about a book, and does not say which.
    Everybody,
}

/// One question to a venue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// GET.
    Get {
        /// Path and query, appended to `rest_url`.
        path: String,
        /// Cost in the venue's own weight units.
        weight: u32,
    },
    /// POST of JSON.
    Post {
        /// Path, appended to `rest_url`.
        path: String,
        /// The JSON.
        body: String,
        /// Cost in the venue's own weight units.
        weight: u32,
    },
    /// Over a websocket: open `path`, send `text`, and take the first frame that contains `reply`.
    Ask {
        /// Path, appended to `ws_url`.
        path: String,
        /// What to send.
        text: String,
        /// What the answer contains.
        reply: &'static str,
    },
}

/// How a venue wants to be treated. Settings of a feed are made of these.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Manners {
    /// Frames we may send in any second of a connection, pongs included.
    pub messages_per_second: u32,
    /// Instruments per connection at most.
    pub instruments_per_connection: usize,
    /// Open a fresh socket after this long; zero: never.
    pub rotate_after: Nanos,
    /// Connections opened in any minute at most, over all connections to the venue.
    pub connects_per_minute: u32,
    /// Silence after a 403 to a REST request, where that means "too often" (Bybit); zero: it means "not you".
    pub forbidden_wait: Nanos,
}

/// What is configured of a venue's connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// Levels per side to ask for.
    pub depth: u32,
    /// Of the book channel.
    pub depth_patience: Patience,
    /// Of the channel of best bid and offer.
    pub bbo_patience: Patience,
    /// Of trades.
    pub trade_patience: Patience,
    /// Of mark prices.
    pub mark_patience: Patience,
    /// Of books that have to be put together.
    pub sync: SyncLimits,
    /// How often to ask for the rules again; zero: never.
    pub rules_every: Nanos,
}

impl Default for Options {
    /// A thousand levels; book and best price: first data 10 s, stale 5 s, dead 30 s; trades: endless, a quiet market
    /// is no fault; rules never asked for again.
    fn default() -> Self {
        let liquid = Patience { first_data: Nanos::from_s(10), stale: Nanos::from_s(5), dead: Nanos::from_s(30) };
        Self {
            depth: 1_000,
            depth_patience: liquid,
            bbo_patience: liquid,
            trade_patience: Patience::ENDLESS,
            // They come every second or three; a minute without one is no longer a quiet channel.
            mark_patience: Patience { stale: Nanos::from_s(60), dead: Nanos::ZERO, ..liquid },
            sync: SyncLimits::default(),
            rules_every: Nanos::ZERO,
        }
    }
}

/// A venue: what it lists, how it wants to be treated, how to talk with it. One static value per venue.
pub trait Exchange: Sync {
    /// Which.
    fn id(&self) -> VenueId;

    /// How it wants to be treated.
    fn manners(&self) -> Manners;

    /// Questions whose answers together hold the rules of these instruments.
    fn rules_requests(&self, symbols: &[&str]) -> Vec<Request>;

    /// Reads the answers, in the order of the questions: every instrument in them. One that we cannot trade exactly is
    /// an error of its own.
    fn read_rules(&self, answers: &[Vec<u8>]) -> Result<Vec<Listed>, WireError>;

    /// Whether an answer that came with a cheerful HTTP 200 asks for silence instead: the venue's code, and how long.
    fn wants_silence(&self, _answer: &[u8]) -> Option<(u16, Nanos)> {
        None
    }

    /// Questions whose answers together name everything the venue lists, for a symbol it does not know.
    fn listing_requests(&self) -> Vec<Request>;

    /// What time it is there, for the clock check of `doctor`; and how to read the answer.
    fn clock_request(&self) -> Option<Request>;

    /// Reads the answer to that.
    fn read_clock(&self, answer: &[u8]) -> Option<VenueTime>;

    /// The connections for these instruments: one, or several that share the work.
    fn connect(&'static self, instruments: Vec<(InstrumentId, Instrument)>, options: Options)
    -> Vec<Box<dyn Protocol>>;
}

/// One instrument in a venue's list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Its name there.
    pub symbol: String,
    /// Its rules, or why we cannot keep them exactly.
    pub rules: Result<Instrument, WireError>,
}
