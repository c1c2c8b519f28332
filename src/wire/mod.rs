//! Bytes of one venue to market events, and the rules by which they follow each other. No sockets here.
//!
//! [`Protocol`] is one connection's whole conversation as a state machine: frames, REST replies and time go in;
//! events, and wishes the driver must carry out, come out. [`crate::feed`] drives it over real sockets and knows
//! no venue by name; tests drive it by hand.

mod amount;
mod binance;
pub mod binance_futures;
pub mod binance_spot;
pub mod board;
#[cfg(test)]
mod breakage;
pub mod bybit;
pub mod coinbase;
pub mod conversation;
pub mod depth_sync;
pub mod deribit;
mod desk;
pub mod dialect;
pub mod hyperliquid;
pub mod kraken;
mod ladder;
pub mod liveness;
mod marks;
pub mod okx;
#[cfg(test)]
#[path = "../../tests/support/captures/tape.rs"]
#[allow(dead_code, reason = "the tests over sockets use the rest of it")]
mod recorded;
pub mod rules;
pub(crate) mod scan;
mod stamp;
pub mod stream_sync;
pub mod symbols;
pub mod venues;
mod watch;

use std::fmt;

use dialect::Request;

use crate::market::{FeedEventKind, InstrumentId, MarketEvent, VenueId};
use crate::units::{LocalTime, Nanos};

/// What a protocol says in answer to a frame, a reply or time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Said {
    /// News for the session.
    Market(MarketEvent),
    /// News of the connection for the session.
    Feed {
        /// About which instrument; `None` concerns all on this connection.
        instrument: Option<InstrumentId>,
        /// What.
        kind: FeedEventKind,
    },
    /// A wish to the driver.
    Do(Action),
}

/// What a protocol asks its driver to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Send a text frame (counted against the venue's message budget by the driver).
    Send(String),
    /// Put a question to the venue after `delay`, within its request budget, and hand the reply to
    /// [`Protocol::on_fetched`].
    Fetch {
        /// What the reply will be about.
        about: About,
        /// The question.
        request: Request,
        /// Wait at least this long first.
        delay: Nanos,
    },
    /// Close this socket and open another (with backoff).
    Reconnect {
        /// Why, for the record.
        reason: String,
        /// Not before this is over.
        wait: Nanos,
    },
    /// Open another socket first, then close this one (announced shutdown, 24 h rotation).
    Rotate,
}

/// What a question to a venue is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum About {
    /// The book of an instrument.
    Book(InstrumentId),
    /// The rules of the connection's instruments; there may be several questions, counted from zero.
    Rules(usize),
}

/// Why a REST reply could not be had.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FetchFailure {
    /// 429 or 418: the driver is silent until the wait is over and will then ask again by itself if told to.
    RateLimited {
        /// HTTP status.
        status: u16,
        /// From `Retry-After`.
        wait: Nanos,
    },
    /// Another HTTP status with the beginning of its body.
    Status {
        /// HTTP status.
        status: u16,
        /// First bytes of the body.
        body: String,
    },
    /// No answer: connection refused, reset, timed out.
    Unreachable(String),
}

impl fmt::Display for FetchFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FetchFailure::RateLimited { status, wait } => write!(f, "HTTP {status}, retry after {} ms", wait.ms()),
            FetchFailure::Status { status, body } => write!(f, "HTTP {status}: {body}"),
            FetchFailure::Unreachable(why) => f.write_str(why),
        }
    }
}

/// Why a venue's bytes could not be understood.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    /// Not the JSON we know.
    #[error("{what}: {why}")]
    Shape {
        /// Which message or field.
        what: &'static str,
        /// In the parser's words.
        why: String,
    },
    /// A price or quantity that is not a non-negative whole number of the instrument's steps.
    #[error("{symbol}: {field} {value:?}: {why}")]
    Number {
        /// Whose.
        symbol: String,
        /// Which.
        field: &'static str,
        /// As it came.
        value: String,
        /// What is wrong with it.
        why: String,
    },
    /// A message about an instrument that is not on this connection.
    #[error("{0:?} is not an instrument of this connection")]
    UnknownSymbol(String),
}

/// One connection's conversation with a venue.
pub trait Protocol: Send {
    /// Which venue.
    fn venue(&self) -> VenueId;

    /// Which instruments it is about.
    fn instruments(&self) -> Vec<InstrumentId>;

    /// Before the first socket: what cannot be relied on until this connection flows.
    fn on_start(&mut self, said: &mut Vec<Said>);

    /// Path and query of the websocket, appended to the configured `ws_url`.
    fn ws_path(&self) -> String;

    /// A new socket is open. Everything known of the old one's books is void.
    fn on_open(&mut self, at: LocalTime, said: &mut Vec<Said>);

    /// A text frame, received at `at`. Never panics, whatever the bytes.
    fn on_text(&mut self, frame: &[u8], at: LocalTime, said: &mut Vec<Said>);

    /// The reply to an [`Action::Fetch`].
    fn on_fetched(&mut self, about: About, reply: Result<&[u8], FetchFailure>, at: LocalTime, said: &mut Vec<Said>);

    /// Time passes; called at least every 250 ms. Timers (first data, staleness, slow snapshots) live here.
    fn on_time(&mut self, at: LocalTime, said: &mut Vec<Said>);

    /// The socket is gone.
    fn on_close(&mut self, reason: &str, at: LocalTime, said: &mut Vec<Said>);
}
