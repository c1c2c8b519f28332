//! The slow way to read a Coinbase frame: a JSON parser that does not care about order, blanks or new fields.
//!
//! It decides about everything the scanner declines, and is what the scanner is tested against. What is wrong in one
//! event leaves the others of its frame alone.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::message::moment;
use super::{oldest_first, refusal, taker};
use crate::market::{Level, PrintFlags, Status};
use crate::units::{Side, VenueTime};
use crate::wire::WireError;
use crate::wire::amount::Field;
use crate::wire::dialect::{Change, Link, News, Trade};
use crate::wire::ladder::best_first;
use crate::wire::stamp::rfc3339;
use crate::wire::symbols::Symbols;

/// What a frame says of the connection itself.
#[derive(Debug, Default)]
pub(super) struct Head {
    /// Its number; refusals have none.
    pub number: Option<u64>,
    /// Heartbeats so far.
    pub heartbeats: Option<u64>,
    /// What may be done in products.
    pub modes: Vec<(usize, Mode)>,
}

/// Reads any frame. On an error what stands in `news` does not count.
pub(super) fn parse(frame: &[u8], symbols: &Symbols, news: &mut Vec<News>) -> Result<Head, WireError> {
    let outer: Outer<'_> = shape("frame", serde_json::from_slice(frame))?;
    let mut head = Head { number: outer.sequence_num, ..Head::default() };
    let from = news.len();
    let number = || outer.sequence_num.ok_or(bad("frame", "it has no sequence_num".to_owned()));
    match outer.channel.as_deref() {
        Some("l2_data") => {
            let (number, sent) = (number()?, rfc3339(outer.timestamp.as_bytes()));
            outer.events.iter().try_for_each(|event| book(event, sent, number, symbols, news))?;
        }
        Some("market_trades") => {
            outer.events.iter().try_for_each(|event| trades(event, symbols, news))?;
            oldest_first(&mut news[from..]);
        }
        Some("status") => outer.events.iter().try_for_each(|event| status(event, symbols, &mut head.modes))?,
        Some("heartbeats") => {
            for event in &outer.events {
                let beat: Heartbeat = shape("heartbeats", serde_json::from_str(event.get()))?;
                head.heartbeats = head.heartbeats.max(Some(beat.heartbeat_counter));
            }
            news.push(News::Alive);
        }
        Some("subscriptions") => news.push(News::Alive),
        None if outer.kind.as_deref() == Some("error") => {
            let words = [outer.message, outer.reason].into_iter().flatten().collect::<Vec<_>>().join(": ");
            news.push(refusal(words, symbols));
        }
        Some(_) | None => {}
    }
    if news.len() == from && head.modes.is_empty() {
        news.push(News::Ignored);
    }
    Ok(head)
}

/// Everything a frame may have at its top.
#[derive(Deserialize)]
struct Outer<'a> {
    #[serde(borrow, default)]
    channel: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    timestamp: Cow<'a, str>,
    #[serde(default)]
    sequence_num: Option<u64>,
    #[serde(borrow, default)]
    events: Vec<&'a RawValue>,
    #[serde(borrow, default, rename = "type")]
    kind: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    message: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    reason: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
struct Heartbeat {
    heartbeat_counter: u64,
}

/// As much of an event as tells whose it is.
#[derive(Deserialize)]
struct Owner<'a> {
    #[serde(borrow)]
    product_id: Cow<'a, str>,
}

#[derive(Deserialize)]
struct Book<'a> {
    #[serde(borrow, rename = "type")]
    kind: Cow<'a, str>,
    #[serde(borrow)]
    updates: Vec<Update<'a>>,
}

#[derive(Deserialize)]
struct Update<'a> {
    #[serde(borrow)]
    side: Cow<'a, str>,
    #[serde(borrow)]
    event_time: Cow<'a, str>,
    #[serde(borrow)]
    price_level: Cow<'a, str>,
    #[serde(borrow)]
    new_quantity: Cow<'a, str>,
}

fn book(
    event: &RawValue,
    sent: Option<VenueTime>,
    number: u64,
    symbols: &Symbols,
    news: &mut Vec<News>,
) -> Result<(), WireError> {
    let owner: Owner<'_> = shape("l2_data", serde_json::from_str(event.get()))?;
    if let Some(at) = symbols.find(owner.product_id.as_bytes()) {
        news.push(match levels(event, sent, number, symbols, at) {
            Ok(heard) => heard,
            Err(error) => News::Unreadable { at, error },
        });
    }
    Ok(())
}

fn levels(
    event: &RawValue,
    sent: Option<VenueTime>,
    number: u64,
    symbols: &Symbols,
    at: usize,
) -> Result<News, WireError> {
    let Book { kind, updates } = shape("l2_data", serde_json::from_str(event.get()))?;
    let (tick, lot) = symbols.steps(at);
    let field = |name| Field { symbol: &symbols.get(at).instrument.symbol, name };
    let (mut bids, mut asks) = (Vec::new(), Vec::new());
    let mut latest = None;
    for Update { side, event_time, price_level, new_quantity } in updates {
        let price = field("price_level").price(&price_level, tick)?;
        let qty = field("new_quantity").resting(&new_quantity, lot)?;
        match &*side {
            "bid" => bids.push(Level { price, qty }),
            "offer" => asks.push(Level { price, qty }),
            other => return Err(bad("l2_data", format!("side is {other:?}"))),
        }
        latest = latest.max(rfc3339(event_time.as_bytes()));
    }
    let time = moment(latest, sent);
    match &*kind {
        "update" => {
            let change = Change { link: Link::None, last: number, seq: None, time, bids, asks, checksum: None };
            Ok(News::Change { at, change })
        }
        "snapshot" => {
            best_first(Side::Bid, &mut bids);
            best_first(Side::Ask, &mut asks);
            Ok(News::Snapshot { at, last: number, seq: None, time, bids, asks, complete: true, checksum: None })
        }
        other => Err(bad("l2_data", format!("type is {other:?}"))),
    }
}

#[derive(Deserialize)]
struct Trades<'a> {
    #[serde(borrow, rename = "type")]
    kind: Cow<'a, str>,
    #[serde(borrow)]
    trades: Vec<&'a RawValue>,
}

#[derive(Deserialize)]
struct Print<'a> {
    #[serde(borrow)]
    trade_id: Cow<'a, str>,
    #[serde(borrow)]
    price: Cow<'a, str>,
    #[serde(borrow)]
    size: Cow<'a, str>,
    #[serde(borrow)]
    side: Cow<'a, str>,
    #[serde(borrow)]
    time: Cow<'a, str>,
}

fn trades(event: &RawValue, symbols: &Symbols, news: &mut Vec<News>) -> Result<(), WireError> {
    let Trades { kind, trades } = shape("market_trades", serde_json::from_str(event.get()))?;
    match &*kind {
        "update" => {}
        // What was traded before we came, repeated with every subscription.
        "snapshot" => return Ok(()),
        other => return Err(bad("market_trades", format!("type is {other:?}"))),
    }
    for print in trades {
        let owner: Owner<'_> = shape("market_trades", serde_json::from_str(print.get()))?;
        let Some(at) = symbols.find(owner.product_id.as_bytes()) else { continue };
        let Print { trade_id, price, size, side, time } = shape("market_trades", serde_json::from_str(print.get()))?;
        let (tick, lot) = symbols.steps(at);
        let field = |name| Field { symbol: &symbols.get(at).instrument.symbol, name };
        let id = trade_id.parse().map_err(|_| field("trade_id").bad(&trade_id, "is not a number"))?;
        let taker = taker(side.as_bytes()).ok_or_else(|| bad("market_trades", format!("side is {side:?}")))?;
        let price = field("price").price(&price, tick)?;
        let qty = field("size").traded(&size, lot)?;
        let time = rfc3339(time.as_bytes()).ok_or_else(|| bad("market_trades", format!("time is {time:?}")))?;
        news.push(News::Trade { at, time, trade: Trade { id, taker, price, qty, flags: PrintFlags::NONE } });
    }
    Ok(())
}

#[derive(Deserialize)]
struct Products<'a> {
    #[serde(borrow)]
    products: Vec<&'a RawValue>,
}

#[derive(Deserialize)]
struct ProductId<'a> {
    #[serde(borrow)]
    id: Cow<'a, str>,
}

/// What the venue allows in a product now, as the list of products writes it; the `status` channel leaves out all but
/// the word.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Mode {
    status: String,
    is_disabled: Option<bool>,
    trading_disabled: Option<bool>,
    view_only: Option<bool>,
    auction_mode: Option<bool>,
    cancel_only: Option<bool>,
    post_only: Option<bool>,
    limit_only: Option<bool>,
}

impl Mode {
    /// The strictest of all that is said.
    pub(super) fn status(&self) -> Status {
        let is_set = |flags: &[Option<bool>]| flags.contains(&Some(true));
        let closed = [self.is_disabled, self.trading_disabled, self.view_only, self.auction_mode];
        match self.status.as_str() {
            "delisted" => Status::Delisted,
            "offline" | "internal" => Status::Halted,
            "online" if is_set(&closed) => Status::Halted,
            "online" if is_set(&[self.cancel_only]) => Status::CancelOnly,
            // No market orders: a restricted market, in which we do not want to depend on getting out by taking.
            "online" if is_set(&[self.post_only, self.limit_only]) => Status::PostOnly,
            "online" => Status::Trading,
            _ => Status::Unknown,
        }
    }

    /// Whether nothing but the word is said.
    pub(super) fn is_word_only(&self) -> bool {
        let flags = [
            self.is_disabled,
            self.trading_disabled,
            self.view_only,
            self.auction_mode,
            self.cancel_only,
            self.post_only,
            self.limit_only,
        ];
        flags.iter().all(Option::is_none)
    }
}

fn status(event: &RawValue, symbols: &Symbols, modes: &mut Vec<(usize, Mode)>) -> Result<(), WireError> {
    let Products { products } = shape("status", serde_json::from_str(event.get()))?;
    for product in products {
        let ProductId { id } = shape("status", serde_json::from_str(product.get()))?;
        if let Some(at) = symbols.find(id.as_bytes()) {
            modes.push((at, shape("status", serde_json::from_str(product.get()))?));
        }
    }
    Ok(())
}

pub(super) fn shape<T>(what: &'static str, parsed: serde_json::Result<T>) -> Result<T, WireError> {
    parsed.map_err(|e| bad(what, e.to_string()))
}

pub(super) fn bad(what: &'static str, why: String) -> WireError {
    WireError::Shape { what, why }
}
