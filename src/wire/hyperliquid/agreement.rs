//! The scanner and the parser never disagree: on recorded frames the scanner reads all, on broken ones it reads what
//! the parser reads or declines.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;

use flate2::read::MultiGzDecoder;
use proptest::prelude::*;

use super::conversation;
use super::frame::scan;
use super::json::parse;
use super::tests::symbols;
use crate::units::LocalTime;
use crate::wire::Protocol;
use crate::wire::breakage::{breaking, broken, tries};
use crate::wire::dialect::Options;

const FRAMES: [&str; 8] = [
    r#"{"channel":"l2Book","data":{"coin":"BTC","time":1790000000123,"levels":[[{"px":"64210.0","sz":"2.5","n":3},{"px":"64209.0","sz":"1.8","n":2}],[{"px":"64211.0","sz":"1.5","n":2}]],"fast":true}}"#,
    r#"{"channel":"l2Book","data":{"coin":"BTC","levels":[[{"n":5,"px":"105055.0","sz":"3.03622"}],[]],"time":1737918843542}}"#,
    r#"{"channel":"trades","data":[{"coin":"BTC","side":"B","px":"64211.0","sz":"0.015","time":1790000000140,"hash":"0x1f","tid":118906512037719,"users":["0xb","0x5"]}]}"#,
    r#"{"channel":"trades","data":[{"coin":"BTC","hash":"0xde","px":"105056.0","side":"B","sz":"0.00219","tid":121451470284048,"time":1737918794873},{"coin":"ETH","side":"A","px":"2650.55","sz":"1","time":1,"tid":2}]}"#,
    r#"{"channel":"trades","data":[]}"#,
    r#"{"channel":"bbo","data":{"coin":"BTC","time":1790000000145,"bbo":[{"px":"64210.0","sz":"2.41","n":3},null]}}"#,
    r#"{"channel":"activeAssetCtx","data":{"coin":"BTC","ctx":{"markPx":"64210.5","oraclePx":"64215.0","funding":"0.0000125"}}}"#,
    r#"{"channel":"error","data":"Invalid subscription {\"type\":\"l2Book\",\"coin\":\"BTC\"}"}"#,
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

#[test]
fn every_recorded_frame_is_scanned_as_it_is_parsed() {
    let dir = std::env::var_os("PAPERMAKER_DATA")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/data"), PathBuf::from);
    let path = dir.join("hyperliquid/hftbacktest_hyperliquid_btcusd_20250126.gz");
    let Ok(file) = std::fs::File::open(&path) else {
        eprintln!("SKIPPED: no recording at {}; set PAPERMAKER_DATA", path.display());
        return;
    };
    let mut frames = 0;
    for line in BufReader::new(MultiGzDecoder::new(file)).lines() {
        let line = line.expect("text");
        let (_, frame) = line.split_once(' ').expect("a time and a message");
        let parsed = parse(frame.as_bytes(), &symbols()).expect("the parser reads everything the venue wrote");
        assert_eq!(scan(frame.as_bytes(), &symbols(), &mut Vec::new()), Some(parsed), "{frame}");
        frames += 1;
    }
    assert_eq!(frames, 55);
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
        survive(&[FRAMES[0].as_bytes(), &bytes, FRAMES[2].as_bytes()]);
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
