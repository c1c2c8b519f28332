//! Everything that can happen to a session.

use serde::{Deserialize, Serialize};

use crate::market::{FeedEvent, MarketEvent};
use crate::order::Report;
use crate::risk::{RiskLimits, RiskState, Score, Trip};
use crate::units::{LocalTime, Lots, Money};

/// One input with its place in the order of things.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stamped {
    /// Counts up by one from 1 within a session.
    pub seq: u64,
    /// When we heard, on our clock; never before the previous input's.
    pub at: LocalTime,
    /// What.
    pub input: Input,
}

/// Closed on purpose.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Input {
    /// News of a market.
    Market(MarketEvent),
    /// News of a connection.
    Feed(FeedEvent),
    /// Nothing but time.
    Tick,
    /// An operator, or the program that carries a session from one run to the next.
    Command {
        /// Who: `operator`, `signal`, `config/risk.toml`, `account`, …
        by: String,
        /// What.
        command: Command,
    },
    /// A market that answers our orders itself ([`Answers::Told`](crate::exchange::place::Answers)) on one of them; to others it
    /// is nothing but time.
    Report(Report),
}

/// What an operator may ask.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Command {
    /// First input of a session that continues an account.
    Restore(Box<Carried>),
    /// Stop quoting; working orders are cancelled.
    Pause,
    /// Quote again (also out of Reducing and Halted).
    Resume,
    /// Cancel everything and send nothing more.
    Halt {
        /// Why.
        reason: String,
    },
    /// Only reduce positions from here on.
    Reduce {
        /// Why.
        reason: String,
    },
    /// Bring every position to zero by crossing the spread, then stay paused.
    Flatten,
    /// New limits, already checked.
    SetLimits(Box<RiskLimits>),
    /// The end is near: cancel everything.
    Stop,
}

/// What goes from one session of an account to the next, per instrument in session order.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Carried {
    /// Session it comes from.
    pub from: String,
    /// Signed positions.
    pub positions: Vec<Lots>,
    /// Average entry cost of each position (`Σ price × qty`, signed like the position).
    pub costs: Vec<Money>,
    /// Since when each position has been on its side; without a word of it, since the session begins.
    pub held_since: Vec<LocalTime>,
    /// What an operator had asked for.
    pub state: RiskState,
    /// Profit, losses and fees of the account so far.
    pub score: Option<Score>,
    /// Minutes of the last hour, since the epoch, with the equity they began with, as far as losses within an hour need them.
    pub hour: Vec<(i64, Money)>,
    /// Limits that were passed and have not ended.
    pub trips: Vec<Trip>,
}
