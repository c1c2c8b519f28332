//! Captures of two protocols that nobody speaks any more, read as rows: Kraken's first and that of Coinbase Pro.
//!
//! * Kraken v1 (<https://docs.kraken.com/api/docs/websocket-v1/book>): `[id, {"as":…,"bs":…}, "book-1000", pair]` is the
//!   whole book, with `a` or `b` what changed and in `c` the checksum of the ten best levels after it. What does not come
//!   out is a gap. Prints have no numbers: their microsecond stands for one.
//! * Coinbase Pro (<https://docs.cdp.coinbase.com/exchange/docs/websocket-channels>): `snapshot`, `l2update` and `match`,
//!   whose `side` is the maker's. Changes of levels have no numbers, so a lost one would not show. A `last_match` was
//!   traded before anybody listened.
//!
//! Where several sockets say the same, the book and the prints are each taken from the one that says most of them.

use std::collections::BTreeMap;

use flate2::Crc;
use rust_decimal::Decimal;
use serde_json::Value;

use super::super::picture::Picture;
use super::super::rows::{Priced, Row, Rows, Told};
use super::super::{ImportError, Record, Recorded, Wish, presumed, sheet};
use crate::market::{Extent, PrintFlags, VenueId};
use crate::units::{Side, VenueTime};

/// Whether a socket at this address speaks one of them.
pub fn is_spoken(venue: VenueId, address: &str) -> bool {
    match venue {
        VenueId::Kraken => address.contains("ws.kraken.com") && !address.contains("/v2"),
        VenueId::Coinbase => address.contains("ws-feed.pro.coinbase.com") || address.contains("ws-feed.gdax.com"),
        VenueId::BinanceSpot
        | VenueId::BinanceUsdm
        | VenueId::BinanceCoinm
        | VenueId::BybitSpot
        | VenueId::BybitLinear
        | VenueId::Okx
        | VenueId::Hyperliquid
        | VenueId::Deribit
        | VenueId::Imported => false,
    }
}

/// What a frame says of our instrument.
struct Said {
    told: Told,
    venue_time: Option<VenueTime>,
    /// Of the book's top after it.
    checksum: Option<u32>,
}

/// The rows of a capture in the order of time.
pub fn rows(wish: &Wish, mut records: Vec<(String, Record)>) -> Result<Rows, ImportError> {
    records.sort_by_key(|(_, record)| record.at);
    let mut found: Vec<(String, Record, Vec<Said>)> = Vec::new();
    let mut counts: BTreeMap<String, [u64; 2]> = BTreeMap::new();
    for (connection, record) in records {
        let Recorded::Frame(frame) = &record.what else { continue };
        let read = read(wish, frame).map_err(|why| wish.refused(record.place, why))?;
        for said in &read {
            let which = usize::from(matches!(said.told, Told::Trade { .. }));
            counts.entry(connection.clone()).or_default()[which] += 1;
        }
        found.push((connection, record, read));
    }
    let most = |which: usize| counts.iter().max_by_key(|(_, counts)| counts[which]).map(|(name, _)| name.clone());
    let from = [most(0), most(1)];
    let mut rows = Vec::new();
    let mut picture = Picture::default();
    let extent = if wish.venue == VenueId::Kraken { Extent::Window(1_000) } else { Extent::All };
    for (connection, Record { at, place, .. }, read) in found {
        for Said { told, venue_time, checksum } in read {
            let which = usize::from(matches!(told, Told::Trade { .. }));
            if from[which].as_ref() != Some(&connection) {
                continue;
            }
            let told = match told {
                Told::Snapshot { bids, asks, .. } => picture.begin(bids, asks, extent),
                Told::Delta { bids, asks } => picture.change(bids, asks, extent),
                other => other,
            };
            rows.push(Row { at, venue_time, place, told });
            if checksum.is_some_and(|checksum| picture.is_known() && checksum != kraken_checksum(&picture)) {
                picture = Picture::default();
                rows.push(Row { at, venue_time, place, told: Told::Gap });
            }
        }
    }
    Ok(Box::new(rows.into_iter().map(Ok)))
}

fn read(wish: &Wish, frame: &[u8]) -> Result<Vec<Said>, String> {
    let frame: Value = serde_json::from_slice(frame).map_err(|error| format!("is not JSON: {error}"))?;
    match &frame {
        Value::Array(parts) => kraken(wish, parts),
        _ => coinbase(wish, &frame),
    }
}

fn kraken(wish: &Wish, parts: &[Value]) -> Result<Vec<Said>, String> {
    let [_, bodies @ .., channel, pair] = parts else { return Ok(Vec::new()) };
    let (Some(channel), Some(pair)) = (channel.as_str(), pair.as_str()) else { return Ok(Vec::new()) };
    if wish.venue != VenueId::Kraken || presumed::named(wish.venue, pair) != wish.symbol {
        return Ok(Vec::new());
    }
    if channel == "trade" {
        let prints = bodies.first().and_then(Value::as_array).ok_or("has no list of trades")?;
        return prints.iter().map(kraken_trade).collect();
    }
    if !channel.starts_with("book-") {
        return Ok(Vec::new());
    }
    let field = |key: &str| bodies.iter().find_map(|body| body.get(key));
    let side = |key: &str| field(key).map_or(Ok(Vec::new()), levels);
    if field("as").is_some() || field("bs").is_some() {
        let told = Told::Snapshot { bids: side("bs")?, asks: side("as")?, extent: Extent::Window(1_000) };
        return Ok(vec![Said { told, venue_time: None, checksum: None }]);
    }
    let checksum = field("c").and_then(Value::as_str).ok_or("has no checksum")?;
    let checksum = Some(checksum.parse().map_err(|_| format!("checksum {checksum:?} is no number of 32 bits"))?);
    let stamps = ["b", "a"].into_iter().filter_map(field).filter_map(Value::as_array).flatten();
    let latest = stamps.filter_map(|level| level[2].as_str()).max();
    let venue_time = latest.map(super::nanoseconds).transpose()?.map(VenueTime);
    Ok(vec![Said { told: Told::Delta { bids: side("b")?, asks: side("a")? }, venue_time, checksum }])
}

fn kraken_trade(print: &Value) -> Result<Said, String> {
    let text = |n: usize| print[n].as_str().ok_or_else(|| format!("{print} is no trade"));
    let time = super::nanoseconds(text(2)?)?;
    let taker = match text(3)? {
        "b" => Side::Bid,
        "s" => Side::Ask,
        other => return Err(format!("side {other:?} is neither b nor s")),
    };
    let (price, qty) = (sheet::price(text(0)?, "price")?, sheet::number(text(1)?, "volume")?);
    let told = Told::Trade { id: time.unsigned_abs() / 1_000, taker, price, qty, flags: PrintFlags::NONE };
    Ok(Said { told, venue_time: Some(VenueTime(time)), checksum: None })
}

fn coinbase(wish: &Wish, frame: &Value) -> Result<Vec<Said>, String> {
    if wish.venue != VenueId::Coinbase || frame["product_id"] != wish.symbol.as_str() {
        return Ok(Vec::new());
    }
    let time = || -> Result<Option<VenueTime>, String> {
        let Some(text) = frame["time"].as_str() else { return Ok(None) };
        let stamp: jiff::Timestamp = text.parse().map_err(|_| format!("time {text:?} is no date"))?;
        let ns = i64::try_from(stamp.as_nanosecond()).map_err(|_| format!("time {text:?} is out of range"))?;
        Ok(Some(VenueTime(ns)))
    };
    let (told, venue_time) = match frame["type"].as_str() {
        Some("snapshot") => {
            let (bids, asks) = (levels(&frame["bids"])?, levels(&frame["asks"])?);
            (Told::Snapshot { bids, asks, extent: Extent::All }, None)
        }
        Some("l2update") => {
            let (mut bids, mut asks) = (Vec::new(), Vec::new());
            for change in frame["changes"].as_array().ok_or("has no changes")? {
                let side = match change[0].as_str() {
                    Some("buy") => &mut bids,
                    Some("sell") => &mut asks,
                    _ => return Err(format!("{change} is no change of a side")),
                };
                side.push(level(&change[1], &change[2])?);
            }
            (Told::Delta { bids, asks }, time()?)
        }
        Some("match") => {
            let taker = match frame["side"].as_str() {
                Some("buy") => Side::Ask,
                Some("sell") => Side::Bid,
                _ => return Err(format!("side {} is neither buy nor sell", frame["side"])),
            };
            let id = frame["trade_id"].as_u64().ok_or("has no trade_id")?;
            let (price, qty) = level(&frame["price"], &frame["size"])?;
            (Told::Trade { id, taker, price, qty, flags: PrintFlags::NONE }, time()?)
        }
        _ => return Ok(Vec::new()),
    };
    Ok(vec![Said { told, venue_time, checksum: None }])
}

/// `[[price, quantity, …], …]`
fn levels(side: &Value) -> Result<Vec<Priced>, String> {
    let side = side.as_array().ok_or("has no levels where levels belong")?;
    side.iter().map(|pair| level(&pair[0], &pair[1])).collect()
}

fn level(price: &Value, qty: &Value) -> Result<Priced, String> {
    let text =
        |value: &Value| value.as_str().map(str::to_owned).ok_or_else(|| format!("{value} is no number in quotes"));
    Ok((sheet::price(&text(price)?, "price")?, sheet::number(&text(qty)?, "quantity")?))
}

/// CRC-32 of the digits of ten asks and ten bids, best first, as they came, without points and leading zeros.
fn kraken_checksum(picture: &Picture) -> u32 {
    let (bids, asks) = picture.sides();
    let digits = |value: &Decimal| value.mantissa().to_string();
    let top = asks.iter().take(10).chain(bids.iter().take(10));
    let text: String = top.map(|(price, qty)| digits(price) + &digits(qty)).collect();
    let mut crc = Crc::new();
    crc.update(text.as_bytes());
    crc.sum()
}
