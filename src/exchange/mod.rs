//! Where orders meet the market.
//!
//! [`Venue`] is the one trait; [`paper`] is the venue on recorded or live market data, [`linked`] a market elsewhere that
//! answers our orders itself, [`place`] one of the two; [`matching`] is a real matching engine for simulated markets.
//!
//! **One clock, shifted.** The paper venue keeps time on our clock. A market event received at `at` happened at
//! the venue at `at - feed`; a request sent at `t` arrives there at `t + entry`, so it meets exactly the events
//! received at or after `t + entry + feed`; the venue's word comes back `response` after it happened.

pub mod fee;
pub mod filters;
pub mod habit;
pub mod latency;
pub mod line;
pub mod linked;
pub mod matching;
pub mod paper;
pub mod place;
pub mod queue;

use serde::{Deserialize, Serialize};

use crate::market::{Book, Instrument, MarketEvent};
use crate::order::{Report, Request};
use crate::risk::Approved;
use crate::signal::Top;
use crate::units::LocalTime;

/// What is visible of one instrument's market at this moment: the state **before** the event being observed.
#[derive(Clone, Copy, Debug)]
pub struct Visible<'a> {
    /// The venue's rules.
    pub rules: &'a Instrument,
    /// The book; meaningless unless `trusted`.
    pub book: &'a Book,
    /// Best bid and ask from whichever channel is ahead; `None` if one-sided, crossed or not trusted.
    pub top: Option<Top>,
    /// Whether the book is in step with the venue.
    pub trusted: bool,
}

/// A place that takes orders for one instrument.
pub trait Venue {
    /// Sends a request at `at`, on our clock.
    fn submit(&mut self, request: Approved<Request>, at: LocalTime);

    /// Market news received at `at`. A simulated market ignores this. Requests due at the venue before the event
    /// happened are carried out first, against `market`.
    fn observe(&mut self, event: &MarketEvent, market: &Visible<'_>, at: LocalTime);

    /// Time passes until `to`: requests that arrive are carried out against `market`, and every report we have
    /// heard by `to` is appended to `heard` in the order of hearing.
    fn advance(&mut self, to: LocalTime, market: &Visible<'_>, heard: &mut Vec<Report>);
}

/// Settings of the paper exchange for one instrument, `[paper]` in configuration.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PaperSpec {
    /// Delays between us and the venue.
    pub latency: latency::LatencySpec,
    /// How we guess our place in line.
    pub queue: queue::QueueModel,
    /// What fills cost.
    pub fees: fee::Schedule,
    /// What the venue does where venues differ.
    pub habits: habit::Habits,
}
