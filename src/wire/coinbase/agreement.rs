//! The scanner and the parser never disagree: of broken frames the scanner reads what the parser reads, or declines.

use proptest::prelude::*;

use super::message::{Scratch, scan};
use super::{AdvancedTrade, COINBASE, json};
use crate::market::{Instrument, InstrumentId, VenueId};
use crate::units::{LocalTime, Step};
use crate::wire::Protocol;
use crate::wire::breakage::{breaking, broken, tries};
use crate::wire::conversation::Conversation;
use crate::wire::dialect::{Dialect, Exchange, News, Options};
use crate::wire::symbols::Symbols;

pub(super) const FRAMES: [&str; 7] = [
    r#"{"channel":"l2_data","timestamp":"2026-08-09T21:05:48.505350477Z","sequence_num":14,"events":[{"type":"update","product_id":"BTC-USD","updates":[{"side":"bid","event_time":"2026-08-09T21:05:48.210883Z","price_level":"65062.5","new_quantity":"0.00583"},{"side":"offer","event_time":"2026-08-09T21:05:48.21Z","price_level":"65061.91","new_quantity":"0"}]}]}"#,
    r#"{"channel":"l2_data","client_id":"","timestamp":"2026-08-09T21:05:48Z","sequence_num":0,"events":[{"type":"snapshot","product_id":"BTC-USD","updates":[{"side":"bid","event_time":"1970-01-01T00:00:00Z","price_level":"65062.50","new_quantity":"0.00583000"}]}]}"#,
    r#"{"channel":"l2_data","client_id":"","timestamp":"2026-08-09T21:05:48Z","sequence_num":15,"events":[{"type":"update","product_id":"ETH-USD","updates":[]},{"type":"update","product_id":"BTC-USD","updates":[]}]}"#,
    r#"{"channel":"market_trades","timestamp":"2026-08-09T21:05:48.251397169Z","sequence_num":9,"events":[{"type":"update","trades":[{"product_id":"BTC-USD","trade_id":"1068572092","price":"65083.67","size":"0.01034361","time":"2026-08-09T21:05:48.167634Z","side":"SELL"},{"product_id":"BTC-USD","trade_id":"1068572091","price":"65083.6","size":"1","time":"2026-08-09T21:05:48.1Z","side":"BUY"}]}]}"#,
    r#"{"channel":"heartbeats","timestamp":"2026-08-09T21:05:48.856364007Z","sequence_num":35,"events":[{"current_time":"2026-08-09 21:05:48.854840045 +0000 UTC m=+41691.260485341","heartbeat_counter":41691}]}"#,
    r#"{"channel":"status","client_id":"","timestamp":"2026-02-09T20:29:49Z","sequence_num":3,"events":[{"type":"snapshot","products":[{"product_type":"SPOT","id":"BTC-USD","base_increment":"0.00000001","status":"online","status_message":"","post_only":true}]}]}"#,
    r#"{"type":"error","message":"Failed to subscribe","reason":"BTC-USD is not a valid product"}"#,
];

pub(super) fn products() -> Vec<(InstrumentId, Instrument)> {
    let step = |text| Step::parse(text).unwrap();
    let product = |(symbol, base), id| {
        let rules = Instrument::new(VenueId::Coinbase, symbol, base, "USD", step("0.01"), step("0.00000001")).unwrap();
        (InstrumentId(id), rules)
    };
    [("BTC-USD", "BTC"), ("ETH-USD", "ETH")].into_iter().zip(0..).map(|(p, id)| product(p, id)).collect()
}

fn scanned(frame: &[u8], symbols: &Symbols) -> Option<(u64, Vec<News>)> {
    let mut news = Vec::new();
    scan(frame, symbols, &mut Scratch::default(), &mut news).map(|number| (number, news))
}

fn parsed(frame: &[u8], symbols: &Symbols) -> Option<(u64, Vec<News>)> {
    let mut news = Vec::new();
    let head = json::parse(frame, symbols, &mut news).ok()?;
    Some((head.number?, news))
}

#[test]
fn books_and_prints_are_scanned_as_they_are_parsed() {
    let symbols = Symbols::new(products());
    for (frame, fast) in FRAMES.into_iter().zip([true, true, true, true, false, false, false]) {
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
        let symbols = Symbols::new(products());
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
    let mut venue = Conversation::new(AdvancedTrade::new(), products(), Options::default(), &COINBASE);
    let mut said = Vec::new();
    venue.on_open(LocalTime(0), &mut said);
    venue.on_text(FRAMES[1].as_bytes(), LocalTime(1), &mut said);
    venue.on_text(bytes, LocalTime(2), &mut said);
    venue.on_text(FRAMES[0].as_bytes(), LocalTime(3), &mut said);
    venue.on_time(LocalTime(i64::MAX), &mut said);
    AdvancedTrade::new().concerned(bytes, &Symbols::new(products()));
    let _ = COINBASE.read_rules(&[bytes.to_vec()]);
    let _ = COINBASE.read_clock(bytes);
}
