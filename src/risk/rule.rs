//! Every limit there is, in one table: what it is called, what it measures, when, what it does and how it ends.
//!
//! Code, `config/README.md`, `papermaker limits` and the page all read this table, so none of them can disagree.

use serde::{Deserialize, Serialize};

use super::state::RiskState;

/// A limit, by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[expect(missing_docs, reason = "each is a row of the table below, which says more than a line here could")]
pub enum Limit {
    StaleBook,
    OrderQty,
    OrderNotional,
    PositionLong,
    PositionShort,
    OpenOrders,
    Collar,
    SpreadMin,
    VenueGross,
    VenueNet,
    BookGross,
    BookNet,
    Leverage,
    OrderRate,
    CancelRate,
    Loss,
    InstrumentLoss,
    DailyLoss,
    HourlyLoss,
    Drawdown,
    DailyFees,
    Funding,
    InventoryAge,
    Volatility,
    Markout,
    FeedLatency,
    ClockSkew,
}

/// Over what a limit is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// One instrument.
    Instrument,
    /// The instruments of one venue.
    Venue,
    /// Everything.
    Book,
}

/// When a limit is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// Before every order.
    Request,
    /// After every input that can have changed it.
    Input,
    /// Both.
    Both,
}

/// What happens beyond a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// The order is not sent.
    Refuse,
    /// Its scope goes to this state.
    State(RiskState),
    /// The order is not sent; if prices carry us there, its scope goes to this state.
    RefuseOrState(RiskState),
}

/// How the effect ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ends {
    /// With the next request that is within it.
    AtOnce,
    /// By itself, below `clear_percent` of the limit for `hold_s`.
    Itself,
    /// By itself at midnight UTC.
    Midnight,
    /// When an operator resumes, and only once it no longer holds.
    Operator,
}

/// A row of the table.
#[derive(Clone, Copy, Debug)]
pub struct Rule {
    /// Which.
    pub limit: Limit,
    /// Key in `[risk]`, without its unit where it has two.
    pub key: &'static str,
    /// The reason code: `CATEGORY_CONDITION`.
    pub code: &'static str,
    /// Over what.
    pub scope: Scope,
    /// Of `value` and `limit` behind the code.
    pub unit: &'static str,
    /// What is compared with it.
    pub basis: &'static str,
    /// When.
    pub when: When,
    /// What happens beyond it.
    pub effect: Effect,
    /// How that ends.
    pub ends: Ends,
}

use Effect::{Refuse, RefuseOrState, State};
use Ends::{AtOnce, Itself, Midnight, Operator};
use RiskState::{Halted, Reducing};
use Scope::{Book, Instrument, Venue};
use When::{Both, Input, Request};

const fn rule(
    (limit, key, code): (Limit, &'static str, &'static str),
    (scope, unit): (Scope, &'static str),
    basis: &'static str,
    (when, effect, ends): (When, Effect, Ends),
) -> Rule {
    Rule { limit, key, code, scope, unit, basis, when, effect, ends }
}

/// All limits, in the order in which a request meets them; then those that move by themselves.
pub const RULES: [Rule; 27] = [
    rule(
        (Limit::StaleBook, "stale_book_ms", "BOOK_STALE"),
        (Instrument, "ms"),
        "time since the last news of the market",
        (Both, RefuseOrState(Halted), AtOnce),
    ),
    rule(
        (Limit::OrderQty, "order_qty_max_base", "ORDER_QTY_EXCEEDED"),
        (Instrument, "lots"),
        "quantity of one order",
        (Request, Refuse, AtOnce),
    ),
    rule(
        (Limit::OrderNotional, "order_notional_max_quote", "ORDER_NOTIONAL_EXCEEDED"),
        (Instrument, "quote"),
        "price times quantity of one order",
        (Request, Refuse, AtOnce),
    ),
    rule(
        (Limit::PositionLong, "position_max_base", "POSITION_LIMIT_EXCEEDED"),
        (Instrument, "lots"),
        "long position if every open bid were filled",
        (Request, Refuse, AtOnce),
    ),
    rule(
        (Limit::PositionShort, "short_max_base", "SHORT_LIMIT_EXCEEDED"),
        (Instrument, "lots"),
        "short position if every open ask were filled",
        (Request, Refuse, AtOnce),
    ),
    rule(
        (Limit::OpenOrders, "open_orders_max", "OPEN_ORDERS_EXCEEDED"),
        (Instrument, "orders"),
        "orders that may still trade",
        (Request, Refuse, AtOnce),
    ),
    rule(
        (Limit::Collar, "collar_bps", "PRICE_COLLAR_EXCEEDED"),
        (Instrument, "0.01bps"),
        "distance of the price from the mid",
        (Request, Refuse, AtOnce),
    ),
    rule(
        (Limit::SpreadMin, "spread_min_bps", "SPREAD_MIN_UNDERCUT"),
        (Instrument, "0.01bps"),
        "distance of the price from our best order on the other side",
        (Request, Refuse, AtOnce),
    ),
    rule(
        (Limit::VenueGross, "gross_max_quote", "VENUE_GROSS_EXCEEDED"),
        (Venue, "quote"),
        "worth of longs plus shorts, every open order filled",
        (Both, RefuseOrState(Reducing), Itself),
    ),
    rule(
        (Limit::VenueNet, "net_max_quote", "VENUE_NET_EXCEEDED"),
        (Venue, "quote"),
        "worth of longs less shorts, open orders of the worse side filled",
        (Both, RefuseOrState(Reducing), Itself),
    ),
    rule(
        (Limit::BookGross, "gross_max_quote", "BOOK_GROSS_EXCEEDED"),
        (Book, "quote"),
        "worth of longs plus shorts, every open order filled",
        (Both, RefuseOrState(Reducing), Itself),
    ),
    rule(
        (Limit::BookNet, "net_max_quote", "BOOK_NET_EXCEEDED"),
        (Book, "quote"),
        "worth of longs less shorts, open orders of the worse side filled",
        (Both, RefuseOrState(Reducing), Itself),
    ),
    rule(
        (Limit::Leverage, "leverage_max", "LEVERAGE_EXCEEDED"),
        (Book, "0.01x"),
        "worth of longs plus shorts by capital_quote and profit, every open order filled",
        (Both, RefuseOrState(Reducing), Itself),
    ),
    rule(
        (Limit::OrderRate, "order_rate_max_per_s", "ORDER_RATE_EXCEEDED"),
        (Book, "per_s"),
        "orders and replacements sent, a token bucket one second deep",
        (Request, Refuse, AtOnce),
    ),
    rule(
        (Limit::CancelRate, "cancel_rate_max_per_s", "CANCEL_RATE_EXCEEDED"),
        (Book, "per_s"),
        "cancellations and replacements sent, a token bucket one second deep",
        (Request, Refuse, AtOnce),
    ),
    rule(
        (Limit::Loss, "loss_max_quote", "LOSS_EXCEEDED"),
        (Book, "quote"),
        "loss since the session began (drawdown from start)",
        (Input, State(Halted), Operator),
    ),
    rule(
        (Limit::InstrumentLoss, "instrument_loss_max_quote", "INSTRUMENT_LOSS_EXCEEDED"),
        (Instrument, "quote"),
        "loss of one instrument since the session began, in its quote currency",
        (Input, State(Halted), Operator),
    ),
    rule(
        (Limit::DailyLoss, "daily_loss_max_quote", "DAILY_LOSS_EXCEEDED"),
        (Book, "quote"),
        "loss since midnight UTC, over restarts",
        (Input, State(Halted), Operator),
    ),
    rule(
        (Limit::HourlyLoss, "hourly_loss_max_quote", "HOURLY_LOSS_EXCEEDED"),
        (Book, "quote"),
        "loss within the last sixty minutes, over restarts",
        (Input, State(Halted), Operator),
    ),
    rule(
        (Limit::Drawdown, "drawdown_max_quote", "DRAWDOWN_EXCEEDED"),
        (Book, "quote"),
        "fall from the highest equity (drawdown from peak), over restarts",
        (Input, State(Halted), Operator),
    ),
    rule(
        (Limit::DailyFees, "daily_fees_max_quote", "DAILY_FEES_EXCEEDED"),
        (Book, "quote"),
        "fees paid since midnight UTC, over restarts",
        (Input, State(Reducing), Midnight),
    ),
    rule(
        (Limit::Funding, "funding_max_quote", "FUNDING_EXCEEDED"),
        (Book, "quote"),
        "next funding payments we would make",
        (Input, State(Reducing), Itself),
    ),
    rule(
        (Limit::InventoryAge, "inventory_age_max_s", "INVENTORY_AGE_EXCEEDED"),
        (Instrument, "s"),
        "time since the position was last flat or on the other side, over restarts",
        (Input, State(Reducing), Itself),
    ),
    rule(
        (Limit::Volatility, "volatility_max_bps", "VOLATILITY_EXCEEDED"),
        (Instrument, "0.01bps/√s"),
        "the volatility estimate, once it is ready",
        (Input, State(Reducing), Itself),
    ),
    rule(
        (Limit::Markout, "markout_loss_max_bps", "MARKOUT_EXCEEDED"),
        (Instrument, "0.01bps"),
        "mean loss of the last markout_fills fills after markout_horizon_ms",
        (Input, State(Reducing), Itself),
    ),
    rule(
        (Limit::FeedLatency, "feed_latency_max_ms", "FEED_LATENCY_EXCEEDED"),
        (Instrument, "ms"),
        "age of the venue's stamps when news comes, mean of about sixteen",
        (Input, State(Halted), Itself),
    ),
    rule(
        (Limit::ClockSkew, "clock_skew_max_ms", "CLOCK_SKEW_EXCEEDED"),
        (Instrument, "ms"),
        "how far the venue's stamps are ahead of our clock, mean of about sixteen",
        (Input, State(Halted), Itself),
    ),
];

impl Limit {
    /// Whether it is on the worth of positions and open orders together.
    pub fn is_on_exposure(self) -> bool {
        matches!(self, Limit::VenueGross | Limit::VenueNet | Limit::BookGross | Limit::BookNet | Limit::Leverage)
    }

    /// Its row.
    pub fn rule(self) -> &'static Rule {
        let rules: &'static [Rule] = &RULES;
        &rules[self as usize]
    }
}

// A limit's row is found by its place.
const _: () = {
    let mut row = 0;
    while row < RULES.len() {
        assert!(RULES[row].limit as usize == row);
        row += 1;
    }
};
