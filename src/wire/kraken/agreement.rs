//! The scanner and the parser never disagree: of broken frames the scanner reads what the parser reads, or declines.

use proptest::prelude::*;

use super::message::scan;
use super::{KRAKEN, SpotV2, json};
use crate::market::{Instrument, InstrumentId, VenueId};
use crate::units::{LocalTime, Step};
use crate::wire::Protocol;
use crate::wire::breakage::{breaking, broken, tries};
use crate::wire::conversation::Conversation;
use crate::wire::dialect::{Dialect, Exchange, News, Options};
use crate::wire::symbols::Symbols;

pub(super) const FRAMES: [&str; 9] = [
    r#"{"channel":"book","type":"snapshot","data":[{"symbol":"BTC/USD","bids":[{"price":64210.1,"qty":0.50000000}],"asks":[{"price":64210.2,"qty":1.25000000}],"checksum":2439117997,"timestamp":"2026-09-21T10:00:00.440295Z"}]}"#,
    r#"{"channel":"book","type":"update","data":[{"symbol":"BTC/USD","bids":[{"price":64210.1,"qty":0.0},{"price":64209.0,"qty":0.00000001}],"asks":[],"checksum":2114181697,"timestamp":"2026-09-21T10:00:00.441120Z"},{"symbol":"ETH/USD","bids":[],"asks":[{"price":1900,"qty":3}],"checksum":0}]}"#,
    r#"{"channel":"book","type":"snapshot","data":[{"symbol":"ETH/USD","bids":[],"asks":[]}]}"#,
    r#"{"channel":"trade","type":"update","data":[{"symbol":"BTC/USD","side":"buy","price":64210.2,"qty":0.00027625,"ord_type":"market","trade_id":81234567,"timestamp":"2026-09-21T10:00:00.500001Z"},{"symbol":"ETH/USD","side":"sell","price":1900.50,"qty":1,"ord_type":"limit","trade_id":5,"timestamp":"2026-09-21T10:00:00Z"}]}"#,
    r#"{"channel":"heartbeat"}"#,
    r#"{"channel":"status","type":"update","data":[{"system":"online","api_version":"v2","connection_id":12,"version":"2.0.10"}]}"#,
    r#"{"channel":"instrument","type":"update","data":{"assets":[],"pairs":[{"symbol":"BTC/USD","base":"BTC","quote":"USD","status":"online","price_precision":1,"price_increment":0.1,"qty_precision":8,"qty_increment":0.00000001,"qty_min":0.00005,"cost_precision":5,"cost_min":0.5,"marginable":true}]}}"#,
    r#"{"method":"subscribe","result":{"channel":"book","depth":100,"snapshot":true,"symbol":"BTC/USD"},"success":true,"time_in":"2026-09-21T10:00:00.1Z","time_out":"2026-09-21T10:00:00.2Z"}"#,
    r#"{"method":"subscribe","success":false,"error":"Currency pair not supported ETH/USD","symbol":"ETH/USD","time_in":"2026-09-21T10:00:00.1Z"}"#,
];

pub(super) fn pairs() -> Vec<(InstrumentId, Instrument)> {
    let step = |text| Step::parse(text).unwrap();
    let pair = |symbol, base, tick, id| {
        (
            InstrumentId(id),
            Instrument::new(VenueId::Kraken, symbol, base, "USD", step(tick), step("0.00000001")).unwrap(),
        )
    };
    vec![pair("BTC/USD", "BTC", "0.1", 0), pair("ETH/USD", "ETH", "0.01", 1)]
}

fn scanned(frame: &[u8], symbols: &Symbols) -> Option<Vec<News>> {
    let mut news = Vec::new();
    scan(frame, 10, symbols, &mut Vec::new(), &mut news).map(|()| news)
}

fn parsed(frame: &[u8], symbols: &Symbols) -> Option<Vec<News>> {
    let mut news = Vec::new();
    json::parse(frame, 10, symbols, &mut news).ok().map(|_| news)
}

#[test]
fn books_prints_and_heartbeats_are_scanned_as_they_are_parsed() {
    let symbols = Symbols::new(pairs());
    for (frame, fast) in FRAMES.into_iter().zip([true, true, true, true, true, false, false, false, false]) {
        let scanned = scanned(frame.as_bytes(), &symbols);
        assert_eq!(scanned.is_some(), fast, "{frame}");
        if fast {
            assert_eq!(scanned, parsed(frame.as_bytes(), &symbols), "{frame}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(tries(3_000)))]
    #[test]
    fn a_broken_frame_is_scanned_as_it_is_parsed_or_declined(
        frame in prop::sample::select(FRAMES.to_vec()),
        breaks in prop::collection::vec(breaking(), 1..4),
    ) {
        let bytes = broken(frame, &breaks);
        let symbols = Symbols::new(pairs());
        if let Some(scanned) = scanned(&bytes, &symbols) {
            prop_assert_eq!(Some(scanned), parsed(&bytes, &symbols));
        }
        survives(&bytes);
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        survives(&bytes);
    }
}

/// The whole conversation, and everything else that reads the venue's bytes.
fn survives(bytes: &[u8]) {
    let mut venue = Conversation::new(SpotV2::new(10), pairs(), Options::default(), &KRAKEN);
    let mut said = Vec::new();
    venue.on_open(LocalTime(0), &mut said);
    venue.on_text(FRAMES[2].as_bytes(), LocalTime(1), &mut said);
    venue.on_text(bytes, LocalTime(2), &mut said);
    venue.on_text(FRAMES[1].as_bytes(), LocalTime(3), &mut said);
    venue.on_time(LocalTime(i64::MAX), &mut said);
    SpotV2::new(10).concerned(bytes, &Symbols::new(pairs()));
    let _ = KRAKEN.read_rules(&[bytes.to_vec()]);
    let _ = KRAKEN.read_clock(bytes);
}
