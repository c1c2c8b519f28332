//! The answer: what `sessions show --metrics` prints and reports are drawn from.
//!
//! Money is text in JSON, so that no digit is lost; shares are of one; `null` is "cannot be said". Names end in their unit
//! where it is not the instrument's currency or quantity.

use std::collections::BTreeMap;

use serde::{Serialize, Serializer};

use super::bootstrap::Interval;
use super::markout::{Band, Markout};
use super::sketch::Quantiles;
use crate::units::{Money, Nanos};

/// Money as plain decimal text.
pub(super) fn plain<S: Serializer>(amount: &Money, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(amount)
}

/// Nearest number of seconds, so that 60 ms are 0.06 ([`Nanos::seconds`] is off by a bit, and sessions depend on it).
pub(super) fn seconds(time: Nanos) -> f64 {
    time.0 as f64 / 1e9
}

/// A session's metrics.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Summary {
    /// From the first input to the last, on our clock.
    pub seconds: f64,
    /// How many.
    pub inputs: u64,
    /// One per instrument, in session order.
    pub instruments: Vec<InstrumentSummary>,
}

/// One instrument's metrics. Amounts are in `currency`, quantities in `asset`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct InstrumentSummary {
    /// `VENUE:SYMBOL`.
    pub instrument: String,
    /// It settles in this.
    pub currency: String,
    /// Quantities are counted in this.
    pub asset: String,
    /// Where the profit came from.
    pub attribution: Attribution,
    /// How sure it is.
    pub risk: Risk,
    /// What was sent and what came of it.
    pub trading: Trading,
    /// What rested in the market.
    pub quoting: Quoting,
    /// What was held.
    pub inventory: Inventory,
    /// What the market was like meanwhile.
    pub market: Market,
    /// Where the mid went after fills.
    pub markouts: Vec<Markout>,
    /// The same by `(own side - other side)/(both)` of the best quantities when we heard of the fill.
    pub markouts_by_imbalance: Vec<Band>,
    /// The same by the seconds from the venue's taking an order in to the fill, of orders that rested.
    pub markouts_by_waiting_time: Vec<Band>,
}

/// `pnl = spread + inventory - fees - funding`, to the last unit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Attribution {
    /// Profit since the start, open position at the last mid: from what was paid and received, not from the four below.
    #[serde(serialize_with = "plain")]
    pub pnl: Money,
    /// Distance of fills from the mid of their moment.
    #[serde(serialize_with = "plain")]
    pub spread: Money,
    /// What the inventory gained from moves of the mid.
    #[serde(serialize_with = "plain")]
    pub inventory: Money,
    /// Paid; negative is a rebate.
    #[serde(serialize_with = "plain")]
    pub fees: Money,
    /// Paid (positive) or received.
    #[serde(serialize_with = "plain")]
    pub funding: Money,
    /// Profit less the other four. Zero, or a bug.
    #[serde(serialize_with = "plain")]
    pub residual: Money,
    /// Furthest that any equity mark of the session was from what its inputs and fills add up to here. Zero, or a bug.
    #[serde(serialize_with = "plain")]
    pub unexplained: Money,
    /// Funding payments that were due while nobody told their rate.
    pub funding_unknown: u64,
}

/// Of the profit per period; the equity at the mid, every `period_s`.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Risk {
    /// Length of a period; doubled when a session outgrows it, so that memory stays flat.
    pub period_s: f64,
    /// Profit per period, mean.
    pub mean: Option<Interval>,
    /// Per period, not annualised.
    pub sharpe: Option<Interval>,
    /// Standard error of that, from skew and kurtosis.
    pub sharpe_error: Option<f64>,
    /// Probability that the true Sharpe ratio is above zero, had this been the only strategy tried.
    pub probabilistic_sharpe: Option<f64>,
    /// Per period.
    pub sortino: Option<f64>,
    /// Share of periods that earned, of those that earned or lost.
    pub win_rate: Option<f64>,
    /// Mean of the worst twentieth of periods.
    pub cvar: Option<f64>,
    /// Deepest fall from a top, over every input.
    #[serde(serialize_with = "plain")]
    pub max_drawdown: Money,
    /// Longest from a top until it was reached again.
    pub longest_drawdown_s: f64,
    /// The equity at the end of each period, the first being the start.
    #[serde(skip)]
    pub equity: Vec<f64>,
}

/// Orders and trades.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Trading {
    /// Placements sent.
    pub placed: u64,
    /// Cancellations sent.
    pub cancels: u64,
    /// Replacements sent; each makes an order too.
    pub replaces: u64,
    /// Orders that the venue took in.
    pub accepted: u64,
    /// Orders that traded at all.
    pub filled_orders: u64,
    /// `filled_orders` by orders sent, replacements included.
    pub fill_ratio: Option<f64>,
    /// Fills.
    pub num_trades: u64,
    /// Of them, those our order rested for.
    pub maker_trades: u64,
    /// Bought plus sold.
    pub trading_volume: f64,
    /// Turnover: the same by its price.
    #[serde(serialize_with = "plain")]
    pub trading_value: Money,
    /// `pnl / trading_value`.
    pub return_over_trade: Option<f64>,
    /// From the venue's taking an order in to each of its fills as maker.
    pub time_in_queue_s: Option<Quantiles>,
    /// By the risk gate, by code. A refusal that stands is counted once.
    pub refusals: BTreeMap<&'static str, u64>,
    /// By the venue, in its words; cancellations that came too late included.
    pub rejections: BTreeMap<String, u64>,
}

/// As we knew it: from hearing of an order's rest to hearing of its end. Shares of the session's time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Quoting {
    /// With a bid resting.
    pub bid_uptime: f64,
    /// With an ask resting.
    pub ask_uptime: f64,
    /// With both.
    pub two_sided_uptime: f64,
    /// From our best bid to our best ask while both rest, in quote currency.
    pub width: Option<Quantiles>,
    /// The same by the middle of the two, basis points.
    pub width_bps: Option<Quantiles>,
}

/// The position over time, long positive.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Inventory {
    /// At the end.
    pub position: f64,
    /// Over time.
    pub distribution: Option<Quantiles>,
    /// Mean absolute position over time: MAP.
    pub mean_absolute_position: f64,
    /// Largest, without its sign.
    pub max_absolute_position: f64,
    /// Largest long position.
    pub max_long: f64,
    /// Largest short position, positive.
    pub max_short: f64,
    /// Profit over MAP, currency per quantity.
    pub pnl_to_map: Option<f64>,
}

/// The market over time.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Market {
    /// Half of best ask less best bid while the book was live, mean over time, in quote currency.
    pub half_spread: Option<f64>,
    /// Profit over that: ND-PnL of the session, per day if it is one.
    pub nd_pnl: Option<f64>,
    /// Seconds in each state of the book.
    pub seconds: BTreeMap<&'static str, f64>,
    /// How often it ceased to be live.
    pub interruptions: u64,
}
