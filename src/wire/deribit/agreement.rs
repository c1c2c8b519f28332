//! The scanner and the parser never disagree: of recorded books the scanner reads all, on broken ones it reads what
//! the parser reads or declines.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::conversation;
use super::frame::scan;
use super::json::parse;
use super::tests::symbols;
use crate::market::{Instrument, InstrumentId, VenueId};
use crate::units::{LocalTime, Step};
use crate::wire::Protocol;
use crate::wire::breakage::{breaking, broken, tries};
use crate::wire::dialect::Options;
use crate::wire::recorded::Capture;
use crate::wire::symbols::Symbols;

const FRAMES: [&str; 9] = [
    r#"{"jsonrpc":"2.0","method":"subscription","params":{"channel":"book.BTC-PERPETUAL.100ms","data":{"type":"snapshot","timestamp":1790000000000,"instrument_name":"BTC-PERPETUAL","change_id":136725664747,"bids":[["new",64210.5,254900.0]],"asks":[["new",64211.0,91570.0]]}}}"#,
    r#"{"jsonrpc":"2.0","method":"subscription","params":{"channel":"book.BTC-PERPETUAL.100ms","data":{"type":"change","timestamp":1790000000100,"instrument_name":"BTC-PERPETUAL","prev_change_id":136725664747,"change_id":136725664791,"bids":[["delete",64210.5,0.0]],"asks":[["change",64211,50000],["new",64211.5,1000.0]]}}}"#,
    r#"{"jsonrpc":"2.0","method":"subscription","params":{"channel":"book.ETH_USDC-PERPETUAL.raw","data":{"change_id":2,"prev_change_id":1,"type":"change","asks":[],"bids":[["change",2650.55,0.001]],"instrument_name":"ETH_USDC-PERPETUAL","timestamp":9}}}"#,
    r#"{"jsonrpc":"2.0","method":"subscription","params":{"channel":"trades.BTC-PERPETUAL.100ms","data":[{"timestamp":1790000000090,"trade_seq":271252854,"trade_id":"403691824","instrument_name":"BTC-PERPETUAL","price":64210.5,"amount":750.0,"contracts":75.0,"direction":"sell","tick_direction":2,"mark_price":64211.2,"index_price":64215.1}]}}"#,
    r#"{"jsonrpc":"2.0","method":"subscription","params":{"channel":"trades.BTC-PERPETUAL.raw","data":[{"trade_seq":40781986,"trade_id":"66460463","timestamp":1584058044032,"tick_direction":3,"price":4469.5,"liquidation":"T","instrument_name":"BTC-PERPETUAL","index_price":4805.41,"direction":"buy","amount":1120},{"trade_seq":7,"timestamp":1,"price":1,"instrument_name":"BTC-PERPETUAL","direction":"sell","amount":10}]}}"#,
    r#"{"jsonrpc":"2.0","method":"subscription","params":{"channel":"ticker.BTC-PERPETUAL.100ms","data":{"timestamp":1790000000100,"state":"open","instrument_name":"BTC-PERPETUAL","mark_price":64211.2,"index_price":64215.1,"current_funding":0.0}}}"#,
    r#"{"jsonrpc":"2.0","method":"heartbeat","params":{"type":"test_request"}}"#,
    r#"{"jsonrpc":"2.0","id":2,"result":["trades.BTC-PERPETUAL.100ms","book.BTC-PERPETUAL.100ms"],"testnet":true}"#,
    r#"{"jsonrpc":"2.0","id":1,"error":{"code":10028,"message":"too_many_requests","data":null}}"#,
];

/// The first five are books and trades, which the scanner knows.
const SCANNED: usize = 5;

#[test]
fn books_and_trades_are_scanned_as_they_are_parsed() {
    for (n, frame) in FRAMES.into_iter().enumerate() {
        let parsed = parse(frame.as_bytes(), &symbols()).unwrap();
        let scanned = scan(frame.as_bytes(), &symbols(), &mut Vec::new());
        assert_eq!(scanned, (n < SCANNED).then_some(parsed), "{frame}");
    }
}

/// The options of a recording, in steps that all of them are on.
fn options(frames: &[&str]) -> Symbols {
    let channel = |text: &str| text.split("\"channel\":\"").nth(1)?.split('.').nth(1).map(str::to_owned);
    let names: BTreeSet<String> = frames.iter().filter_map(|text| channel(text)).collect();
    let (tick, lot) = (Step::parse("0.0001").unwrap(), Step::parse("0.1").unwrap());
    let rules = |name: &String| Instrument::new(VenueId::Deribit, name, "BTC", "USD", tick, lot).unwrap();
    Symbols::new(names.iter().zip(0..).map(|(name, id)| (InstrumentId(id), rules(name))).collect())
}

#[test]
fn every_recorded_book_is_scanned_as_it_is_parsed() {
    for (file, books) in [
        ("deribit/cryptofeed-v3_DERIBIT.jsonl.zst", 46),
        ("deribit/cryptofeed-history_DERIBIT.ws.30.0__4f5c3752.txt.gz", 56),
    ] {
        let Some(capture) = Capture::open(file) else { return };
        let frames: Vec<_> = capture.received().map(|(_, _, text)| text).collect();
        let symbols = options(&frames);
        let mut scanned = 0;
        for frame in frames {
            let parsed = parse(frame.as_bytes(), &symbols).expect("the parser reads everything the venue wrote");
            if let Some(fast) = scan(frame.as_bytes(), &symbols, &mut Vec::new()) {
                assert_eq!(fast, parsed, "{frame}");
                scanned += 1;
            }
        }
        assert_eq!(scanned, books, "{file}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(tries(2_000)))]
    #[test]
    fn a_broken_frame_is_scanned_as_it_is_parsed_or_declined(
        frame in prop::sample::select(FRAMES.to_vec()),
        breaks in prop::collection::vec(breaking(), 1..4),
    ) {
        let bytes = broken(frame, &breaks);
        let parsed = parse(&bytes, &symbols());
        if let Some(scanned) = scan(&bytes, &symbols(), &mut Vec::new()) {
            prop_assert_eq!(Ok(scanned), parsed);
        }
        // And the whole conversation survives it.
        survive(&[FRAMES[0].as_bytes(), &bytes, FRAMES[1].as_bytes()]);
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        survive(&[&bytes]);
    }
}

fn survive(frames: &[&[u8]]) {
    let instruments = symbols().all().iter().map(|s| (s.id, s.instrument.clone())).collect();
    let mut venue = conversation(instruments, Options::default());
    let mut said = Vec::new();
    venue.on_open(LocalTime(0), &mut said);
    for (n, frame) in frames.iter().enumerate() {
        venue.on_text(frame, LocalTime(n as i64), &mut said);
    }
    venue.on_time(LocalTime(i64::MAX), &mut said);
}
