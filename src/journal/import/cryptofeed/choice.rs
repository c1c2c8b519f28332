//! Which of a capture's connections and replies are about our instrument, at venues other than Binance.
//!
//! A recorder may have had several sockets: of several markets, of several channels, or several with the very same
//! streams, to lose nothing. One conversation is heard, so one socket is chosen: the one with most frames of our
//! instrument. Where that has no trades and another has, trades are taken from there.

use std::collections::BTreeMap;

use super::super::frames::mentions;
use super::super::{ImportError, Record, Recorded, Wish};
use crate::market::VenueId;

/// Its captures have depth snapshots over REST and name their streams in the address.
pub fn is_binance(venue: VenueId) -> bool {
    matches!(venue, VenueId::BinanceSpot | VenueId::BinanceUsdm | VenueId::BinanceCoinm)
}

/// Whether the answer from there holds the rules of this venue's instruments.
pub fn holds_rules(venue: VenueId, url: &str) -> bool {
    match venue {
        VenueId::BybitSpot => url.contains("/v5/market/instruments-info") && url.contains("category=spot"),
        VenueId::BybitLinear => url.contains("/v5/market/instruments-info") && url.contains("category=linear"),
        VenueId::Okx => url.contains("/api/v5/public/instruments"),
        VenueId::Coinbase => url.contains("/api/v3/brokerage/market/products"),
        VenueId::Deribit => url.contains("/public/get_instruments"),
        // Kraken's rules come in its stream; Hyperliquid's in two answers that only together are whole.
        VenueId::Kraken | VenueId::Hyperliquid | VenueId::Imported => false,
        VenueId::BinanceSpot | VenueId::BinanceUsdm | VenueId::BinanceCoinm => false,
    }
}

/// The frame, where a channel has another name by now and says the same.
pub fn in_todays_words(venue: VenueId, frame: String) -> String {
    // OKX's book with every change; now for customers of weight, and everybody else's has the same form.
    match venue == VenueId::Okx && frame.contains("\"books-l2-tbt\"") {
        true => frame.replace("\"books-l2-tbt\"", "\"books\""),
        false => frame,
    }
}

/// Whether the address is of this venue: `Ok(false)` if it is of another market of the same house, an error if we do not
/// speak what is spoken there.
fn is_at(venue: VenueId, address: &str) -> Result<bool, String> {
    let speaks = |house: &str, words: &str, ours: &str| match (address.contains(house), address.contains(words)) {
        (_, true) => Ok(true),
        (true, false) => Err(format!("{address} speaks an older protocol of {venue}; {ours} is read")),
        (false, false) => Err(format!("{address} is not of {venue}")),
    };
    match venue {
        VenueId::BybitSpot | VenueId::BybitLinear => {
            speaks("bybit", "/v5/public/", "v5")?;
            let market = if venue == VenueId::BybitSpot { "/v5/public/spot" } else { "/v5/public/linear" };
            Ok(address.contains(market))
        }
        VenueId::Okx => speaks("ok", "/ws/v5/", "v5"),
        VenueId::Coinbase => speaks("coinbase", "advanced-trade-ws.coinbase", "Advanced Trade"),
        VenueId::Kraken => speaks("kraken", "ws.kraken.com/v2", "v2"),
        VenueId::Hyperliquid => speaks("hyperliquid", "hyperliquid", "the present one"),
        VenueId::Deribit => speaks("deribit", "deribit.com/ws/api/v2", "v2"),
        VenueId::BinanceSpot | VenueId::BinanceUsdm | VenueId::BinanceCoinm | VenueId::Imported => Ok(true),
    }
}

/// The venue's rules, and what came over the socket that says most of our instrument.
pub fn of_one_connection(wish: &Wish, records: Vec<(String, Record)>) -> Result<Vec<Record>, ImportError> {
    // Frames about it, and those of them that are trades.
    let mut heard: BTreeMap<&str, (u64, u64)> = BTreeMap::new();
    let mut elsewhere = Vec::new();
    for (connection, record) in &records {
        match &record.what {
            Recorded::Connected(address) => {
                if !is_at(wish.venue, address).map_err(|why| wish.refused(record.place, why))? {
                    elsewhere.push(connection.clone());
                }
            }
            Recorded::Frame(frame) if mentions(frame, &wish.symbol) => {
                let (frames, trades) = heard.entry(connection).or_default();
                *frames += 1;
                *trades += u64::from(is_trade(frame));
            }
            Recorded::Frame(_) | Recorded::Snapshot(..) | Recorded::Rules(_) => {}
        }
    }
    heard.retain(|connection, _| !elsewhere.iter().any(|other| other == connection));
    let most = |by: fn(&(u64, u64)) -> u64| {
        let found = heard.iter().filter(|(_, counts)| by(counts) > 0).max_by_key(|(_, counts)| by(counts));
        found.map(|(connection, _)| (*connection).to_owned())
    };
    let main = most(|(frames, _)| *frames);
    let has_trades = main.as_ref().is_some_and(|main| heard[main.as_str()].1 > 0);
    // Coinbase numbers all that comes over a socket: another's frames would be holes.
    let beside = if has_trades || wish.venue == VenueId::Coinbase { None } else { most(|(_, trades)| *trades) };
    let is_ours = |connection: &String, what: &Recorded| match what {
        Recorded::Rules(_) | Recorded::Snapshot(..) => true,
        Recorded::Connected(_) => Some(connection) == main.as_ref(),
        Recorded::Frame(frame) => {
            Some(connection) == main.as_ref() || (Some(connection) == beside.as_ref() && is_trade(frame))
        }
    };
    let ours = records.into_iter().filter(|(connection, record)| is_ours(connection, &record.what));
    Ok(ours.map(|(_, record)| record).collect())
}

/// Every venue's channel of trades has them in its name, and says so at once.
fn is_trade(frame: &[u8]) -> bool {
    let begin = &frame[..frame.len().min(160)];
    [&b"publicTrade."[..], b"\"trade", b"\"market_trades\""]
        .iter()
        .any(|word| begin.windows(word.len()).any(|w| w == *word))
}
