//! The columns of every kind, and what they hold.

use super::Kind;

/// What a column holds; csv and jsonl write digits whatever it is, parquet wants to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holds {
    /// A count, or nanoseconds since the epoch.
    Count,
    /// A venue's number for something, up to 64 bits.
    Id,
    /// Words; also where numbers and words mix.
    Words,
    /// A price, with this many decimals more than the tick.
    Price(u32),
    /// A quantity, on the lot.
    Qty,
    /// An amount or a price that is on no tick, with up to 24 decimals.
    Money,
    /// A funding rate, with up to 12 decimals.
    Rate,
    /// A number of a formula.
    Number,
}

use Holds::{Count, Id, Money, Number, Price, Qty, Rate, Words};

/// Name and content, in order.
pub fn columns(kind: Kind) -> &'static [(&'static str, Holds)] {
    match kind {
        Kind::Trades => &[
            ("seq", Count),
            ("recv_ns", Count),
            ("venue_ns", Count),
            ("venue", Words),
            ("symbol", Words),
            ("trade_id", Id),
            ("price", Price(0)),
            ("qty", Qty),
            ("aggressor", Words),
        ],
        Kind::Book => {
            &[("venue", Words), ("symbol", Words), ("side", Words), ("level", Count), ("price", Price(0)), ("qty", Qty)]
        }
        Kind::Bbo => &[
            ("seq", Count),
            ("recv_ns", Count),
            ("venue", Words),
            ("symbol", Words),
            ("bid_price", Price(0)),
            ("bid_qty", Qty),
            ("ask_price", Price(0)),
            ("ask_qty", Qty),
        ],
        Kind::Feed => &[
            ("seq", Count),
            ("recv_ns", Count),
            ("venue", Words),
            ("symbol", Words),
            ("event", Words),
            ("detail", Words),
        ],
        Kind::Orders => &[
            ("seq", Count),
            ("recv_ns", Count),
            ("order_id", Id),
            ("symbol", Words),
            ("side", Words),
            ("price", Price(0)),
            ("qty", Qty),
            ("event", Words),
            ("reason", Words),
        ],
        Kind::Fills => &[
            ("seq", Count),
            ("venue_ns", Count),
            ("recv_ns", Count),
            ("order_id", Id),
            ("symbol", Words),
            ("side", Words),
            ("price", Price(0)),
            ("qty", Qty),
            ("fee_quote", Money),
            ("liquidity", Words),
            ("why", Words),
            ("queue_ahead", Qty),
        ],
        Kind::Decisions => &[
            ("seq", Count),
            ("recv_ns", Count),
            ("symbol", Words),
            ("strategy", Words),
            ("mid", Price(1)),
            ("reservation", Price(4)),
            ("bid", Price(0)),
            ("ask", Price(0)),
            ("inventory", Qty),
            ("bid_qty", Qty),
            ("ask_qty", Qty),
            ("wanted", Words),
            ("reason", Words),
            ("sigma", Number),
            ("a", Number),
            ("k", Number),
            ("gamma", Number),
            ("action", Words),
            ("logp", Number),
        ],
        Kind::Equity => &[
            ("recv_ns", Count),
            ("equity_quote", Money),
            ("cash_quote", Money),
            ("position", Qty),
            ("mid", Price(1)),
            ("realised", Money),
            ("unrealised", Money),
            ("fees", Money),
            ("funding", Money),
            ("drawdown", Money),
            ("seq", Count),
            ("symbol", Words),
            ("spread", Money),
            ("inventory", Money),
            ("settle", Words),
        ],
        Kind::Risk => &[
            ("seq", Count),
            ("recv_ns", Count),
            ("event", Words),
            ("limit", Words),
            ("old", Words),
            ("new", Words),
            ("value", Words),
            ("by", Words),
            ("of", Words),
            ("digest", Words),
        ],
        Kind::Limits => &[
            ("seq", Count),
            ("recv_ns", Count),
            ("event", Words),
            ("scope", Words),
            ("venue", Words),
            ("symbol", Words),
            ("limit", Words),
            ("code", Words),
            ("value", Money),
            ("max", Money),
            ("unit", Words),
            ("share", Number),
            ("peak_value", Money),
            ("peak_share", Number),
            ("peak_seq", Count),
            ("peak_ns", Count),
        ],
        Kind::Funding => &[
            ("seq", Count),
            ("recv_ns", Count),
            ("venue_ns", Count),
            ("venue", Words),
            ("symbol", Words),
            ("event", Words),
            ("mark", Money),
            ("index", Money),
            ("rate", Rate),
            ("due_ns", Count),
            ("position", Qty),
            ("amount", Money),
            ("settle", Words),
            ("unknown", Count),
        ],
    }
}
