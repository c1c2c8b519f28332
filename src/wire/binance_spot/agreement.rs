//! The scanner and the parser never disagree: on recorded frames the scanner reads all, on broken ones it reads what
//! the parser reads or declines.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;

use flate2::read::MultiGzDecoder;
use proptest::prelude::*;

use super::message::{Scratch, TimeUnit, scan};
use super::{Settings, conversation, json};
use crate::market::{Instrument, InstrumentId, VenueId};
use crate::units::{LocalTime, Step};
use crate::wire::breakage::{breaking, broken, tries};
use crate::wire::symbols::Symbols;
use crate::wire::{About, Protocol};

const FRAMES: [&str; 6] = [
    r#"{"stream":"btcusdt@depth@100ms","data":{"e":"depthUpdate","E":1723161255208,"s":"BTCUSDT","U":50093239189,"u":50093239202,"b":[["61737.63000000","0.00000000"],["61730.17000000","1.54698000"]],"a":[["61837.64000000","0.00001000"]]}}"#,
    r#"{"e":"depthUpdate","E":1723161255208,"s":"BTCUSDT","U":1,"u":2,"b":[],"a":[["9.5","0"]]}"#,
    r#"{"stream":"btcusdt@trade","data":{"e":"trade","E":1680652800000,"s":"BTCUSDT","t":3071245454,"p":"28165.47000000","q":"0.00056000","b":20720542158,"a":20720542592,"T":1680652799999,"m":true,"M":true}}"#,
    r#"{"stream":"btcusdt@aggTrade","data":{"e":"aggTrade","E":1790000000200,"s":"BTCUSDT","a":3300123,"p":"64210.02","q":"0.013","f":5100123,"l":5100124,"T":1790000000198,"m":false,"M":true}}"#,
    r#"{"stream":"btcusdt@bookTicker","data":{"u":1127645101,"s":"BTCUSDT","b":"8010.00000000","B":"0.14245000","a":"8012.15000000","A":"0.03120000"}}"#,
    r#"{"u":1127645101,"s":"BTCUSDT","b":"8010.00000000","B":"0.14245000","a":"0.00000000","A":"0.00000000"}"#,
];

fn btc() -> Vec<(InstrumentId, Instrument)> {
    let step = |text| Step::parse(text).unwrap();
    let btc = Instrument::new(VenueId::BinanceSpot, "BTCUSDT", "BTC", "USDT", step("0.01"), step("0.00001")).unwrap();
    vec![(InstrumentId(0), btc)]
}

#[test]
fn every_kind_of_frame_is_scanned_as_it_is_parsed() {
    let symbols = Symbols::new(btc());
    for frame in FRAMES {
        let scanned = scan(frame.as_bytes(), &symbols, TimeUnit::Milliseconds, &mut Scratch::default());
        let parsed = json::parse(frame.as_bytes(), &symbols, TimeUnit::Milliseconds);
        assert_eq!(scanned.as_ref(), parsed.as_ref().ok(), "{frame}");
        assert!(scanned.is_some(), "{frame}");
    }
}

#[test]
fn every_recorded_frame_is_scanned_as_it_is_parsed() {
    let dir = std::env::var_os("PAPERMAKER_DATA")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/data"), PathBuf::from)
        .join("binance-spot");
    if !dir.is_dir() {
        eprintln!("SKIPPED: no recordings at {}; set PAPERMAKER_DATA", dir.display());
        return;
    }
    let symbols = Symbols::new(btc());
    let mut scratch = Scratch::default();
    let (mut frames, mut declined) = (0, 0);
    for name in [
        "hftbacktest_spot_btcusdt_20240808.gz",
        "hftbacktest_spot_btcusdt_20240809.gz",
        "hftbacktest-history_spot_btcusdt_20230405.dat.gz",
    ] {
        let file = std::fs::File::open(dir.join(name)).expect("the recording exists");
        for line in BufReader::new(MultiGzDecoder::new(file)).lines() {
            let line = line.expect("text");
            let (_, frame) = line.split_once(' ').expect("a time and a message");
            if frame.starts_with("{\"stream\"") {
                let scanned = scan(frame.as_bytes(), &symbols, TimeUnit::Milliseconds, &mut scratch);
                let parsed = json::parse(frame.as_bytes(), &symbols, TimeUnit::Milliseconds);
                let parsed = parsed.expect("the parser reads everything Binance wrote");
                declined += u32::from(scanned.is_none());
                assert_eq!(scanned.unwrap_or_else(|| parsed.clone()), parsed, "{frame}");
                frames += 1;
            }
        }
    }
    assert!(frames > 100_000);
    // Those with a quantity finer than the lot, which is for the parser to round.
    assert_eq!(declined, 22);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(tries(3_000)))]
    #[test]
    fn a_broken_frame_is_scanned_as_it_is_parsed_or_declined(
        frame in prop::sample::select(FRAMES.to_vec()),
        breaks in prop::collection::vec(breaking(), 1..4),
    ) {
        let bytes = broken(frame, &breaks);
        let symbols = Symbols::new(btc());
        let parsed = json::parse(&bytes, &symbols, TimeUnit::Milliseconds);
        if let Some(scanned) = scan(&bytes, &symbols, TimeUnit::Milliseconds, &mut Scratch::default()) {
            prop_assert_eq!(Ok(scanned), parsed);
        }
        // And the whole conversation survives it.
        let mut venue = conversation(btc(), Settings::default());
        let mut said = Vec::new();
        venue.on_open(LocalTime(0), &mut said);
        venue.on_text(FRAMES[0].as_bytes(), LocalTime(1), &mut said);
        venue.on_text(&bytes, LocalTime(2), &mut said);
        venue.on_fetched(About::Book(InstrumentId(0)), Ok(&bytes), LocalTime(3), &mut said);
        venue.on_time(LocalTime(i64::MAX), &mut said);
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let mut venue = conversation(btc(), Settings::default());
        let mut said = Vec::new();
        venue.on_open(LocalTime(0), &mut said);
        venue.on_text(&bytes, LocalTime(2), &mut said);
        venue.on_fetched(About::Book(InstrumentId(0)), Ok(&bytes), LocalTime(3), &mut said);
    }
}
