//! The scanner and the parser never disagree: on recorded frames the scanner reads all it is there for, on broken
//! ones it reads what the parser reads or declines. And the recordings' own chain is whole.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;

use flate2::read::MultiGzDecoder;
use proptest::prelude::*;

use super::json;
use super::scan::{Scratch, scan};
use super::*;
use crate::market::{Contract, Instrument, InstrumentId, Kind};
use crate::units::Step;
use crate::wire::breakage::{breaking, broken, tries};
use crate::wire::dialect::Link;

const USDM: [&str; 6] = [
    r#"{"stream":"btcusdt@depth@100ms","data":{"e":"depthUpdate","E":1790000000123,"T":1790000000119,"s":"BTCUSDT","ps":"BTCUSDT","st":1,"U":9100157,"u":9100188,"pu":9100149,"b":[["64210.10","12.504"],["64209.90","0"]],"a":[["64210.20","3.112"]]}}"#,
    r#"{"stream":"btcusdt@depth@0ms","data":{"e":"depthUpdate","E":1721347201585,"T":1721347201533,"s":"BTCUSDT","U":4984034747463,"u":4984034747463,"pu":4984033952967,"b":[],"a":[["64020.40","0.000"]]}}"#,
    r#"{"e":"bookTicker","u":9100190,"E":1790000000130,"T":1790000000128,"s":"BTCUSDT","ps":"BTCUSDT","st":1,"b":"64210.10","B":"12.504","a":"0.00","A":"0"}"#,
    r#"{"stream":"btcusdt@aggTrade","data":{"e":"aggTrade","E":1790000000200,"a":2700123,"s":"BTCUSDT","p":"64210.20","q":"0.250","nq":"0.150","f":610001,"l":610003,"T":1790000000150,"m":false,"st":1}}"#,
    r#"{"stream":"btcusdt@trade","data":{"e":"trade","E":1721347202813,"T":1721347202812,"s":"BTCUSDT","t":5182006711,"p":"63960.00","q":"0.310","X":"MARKET","m":false}}"#,
    r#"{"e":"trade","E":1,"T":1721347202812,"s":"BTCUSDT","t":7,"p":"63960.00","q":"0.310","X":"ADL","st":2,"m":true}"#,
];

const COINM: [&str; 3] = [
    r#"{"stream":"btcusd_perp@depth@0ms","data":{"e":"depthUpdate","E":1723161257440,"T":1723161257432,"s":"BTCUSD_PERP","ps":"BTCUSD","U":1007198631260,"u":1007198631565,"pu":1007198631198,"b":[["61773.6","1001"]],"a":[["61801.4","0"]]}}"#,
    r#"{"stream":"btcusd_perp@bookTicker","data":{"u":1007198632021,"e":"bookTicker","s":"BTCUSD_PERP","ps":"BTCUSD","b":"61804.7","B":"35","a":"61804.8","A":"1645","T":1723161257465,"E":1723161257476}}"#,
    r#"{"stream":"btcusd_perp@trade","data":{"e":"trade","E":1723161259001,"T":1723161259000,"s":"BTCUSD_PERP","t":905,"p":"61804.8","q":"3","X":"INSURANCE_FUND","m":true}}"#,
];

fn usdm(symbol: &str, tick: &str, lot: &str) -> Instrument {
    let step = |text| Step::parse(text).unwrap();
    Instrument::new(VenueId::BinanceUsdm, symbol, "", "USDT", step(tick), step(lot)).unwrap()
}

/// A contract of so many dollars.
fn coinm(symbol: &str, tick: &str, dollars: &str) -> Instrument {
    let unit = Step::parse(dollars).unwrap();
    let rules = Instrument::new(VenueId::BinanceCoinm, symbol, "", "USD", Step::parse(tick).unwrap(), unit).unwrap();
    let contract = Contract { kind: Kind::Inverse, unit, settle: "BTC".to_owned(), funding_every: None };
    Instrument { contract, ..rules }
}

fn list(instruments: Vec<Instrument>) -> Symbols {
    Symbols::new(instruments.into_iter().zip(0..).map(|(rules, n)| (InstrumentId(n), rules)).collect())
}

fn of(market: Market) -> (Symbols, &'static [&'static str]) {
    match market {
        Market::Usdm => (list(vec![usdm("BTCUSDT", "0.1", "0.001")]), &USDM),
        Market::Coinm => (list(vec![coinm("BTCUSD_PERP", "0.1", "100")]), &COINM),
    }
}

fn parse(frame: &[u8], symbols: &Symbols, market: Market) -> Result<Vec<News>, WireError> {
    let mut news = Vec::new();
    json::parse(frame, symbols, market, &mut news).map(|()| news)
}

#[test]
fn every_kind_of_frame_is_scanned_as_it_is_parsed() {
    for market in [Market::Usdm, Market::Coinm] {
        let (symbols, frames) = of(market);
        for frame in frames {
            let scanned = scan(frame.as_bytes(), &symbols, market, &mut Scratch::default());
            let scanned = scanned.unwrap_or_else(|| panic!("declined: {frame}"));
            assert_eq!(Ok(vec![scanned]), parse(frame.as_bytes(), &symbols, market), "{frame}");
        }
    }
}

/// What a recording holds, frame by frame.
#[derive(Debug, Default, PartialEq)]
struct Heard {
    changes: u64,
    trades: u64,
    bbos: u64,
    ignored: u64,
    /// Left to the parser.
    declined: u64,
    /// Differences that did not follow the one before them, and the first of each symbol.
    unchained: u64,
    /// Ids of trades that were not one more than the one before.
    jumps: u64,
}

/// Reads every frame in both ways.
fn hear<'a>(market: Market, symbols: &Symbols, frames: impl Iterator<Item = &'a str>) -> Heard {
    let (mut heard, mut scratch) = (Heard::default(), Scratch::default());
    let (mut chain, mut ids) = (BTreeMap::new(), BTreeMap::new());
    for frame in frames {
        let parsed = parse(frame.as_bytes(), symbols, market).expect("the parser reads everything Binance wrote");
        match scan(frame.as_bytes(), symbols, market, &mut scratch) {
            Some(scanned) => assert_eq!([scanned].as_slice(), parsed, "{frame}"),
            None => heard.declined += 1,
        }
        match &parsed[..] {
            [News::Change { at, change }] => {
                heard.changes += 1;
                let before = chain.insert(*at, change.last);
                heard.unchained += u64::from(before.map(Link::After) != Some(change.link));
            }
            [News::Trade { at, trade, .. }] => {
                heard.trades += 1;
                assert_eq!(trade.flags, PrintFlags::NONE, "{frame}");
                let before = ids.insert(*at, trade.id);
                heard.jumps += u64::from(before.is_some_and(|before| before + 1 != trade.id));
            }
            [News::Bbo { .. }] => heard.bbos += 1,
            [News::Ignored] => heard.ignored += 1,
            other => panic!("{frame} says {other:?}"),
        }
    }
    heard
}

fn data(folder: &str) -> Option<PathBuf> {
    let dir = std::env::var_os("PAPERMAKER_DATA")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/data"), PathBuf::from)
        .join(folder);
    if !dir.is_dir() {
        eprintln!("SKIPPED: no recordings at {}; set PAPERMAKER_DATA", dir.display());
        return None;
    }
    Some(dir)
}

/// Frames of hftbacktest's recorder: all but the snapshot.
fn hftbacktest(dir: &std::path::Path, names: &[&str]) -> Vec<String> {
    let mut frames = Vec::new();
    for name in names {
        let file = std::fs::File::open(dir.join(name)).expect("the recording exists");
        for line in BufReader::new(MultiGzDecoder::new(file)).lines() {
            let line = line.expect("text");
            let (_, frame) = line.split_once(' ').expect("a time and a message");
            if frame.starts_with("{\"stream\"") {
                frames.push(frame.to_owned());
            }
        }
    }
    frames
}

#[test]
fn every_recorded_frame_of_usd_margined_futures_is_read_twice_and_chained() {
    let Some(dir) = data("binance-usdm") else { return };
    let symbols = list(vec![usdm("BTCUSDT", "0.1", "0.001")]);
    let august = hftbacktest(&dir, &["hftbacktest_usdm_btcusdt_20240808.gz"]);
    let heard = hear(Market::Usdm, &symbols, august.iter().map(String::as_str));
    let expected = Heard { changes: 6_551, trades: 21_313, bbos: 66_089, unchained: 1, ..Heard::default() };
    assert_eq!(heard, expected);
    let july = ["hftbacktest-history_usdm_btcusdt_20240718.gz", "hftbacktest-history_usdm_btcusdt_20240719.gz"];
    let july = hftbacktest(&dir, &july);
    let heard = hear(Market::Usdm, &symbols, july.iter().map(String::as_str));
    let expected = Heard { changes: 9_022, trades: 10_701, bbos: 52_260, unchained: 1, ..Heard::default() };
    assert_eq!(heard, expected);

    // One frame taken out is noticed at the one after it.
    let place = august.iter().enumerate().filter(|(_, frame)| frame.contains("\"depthUpdate\"")).nth(3_000);
    let place = place.expect("six thousand of them").0;
    let holed = august.iter().enumerate().filter(|(n, _)| *n != place).map(|(_, frame)| frame.as_str());
    assert_eq!(hear(Market::Usdm, &symbols, holed).unchained, 2);
}

#[test]
fn every_recorded_frame_of_coin_margined_futures_is_read_twice_and_chained() {
    let Some(dir) = data("binance-coinm") else { return };
    let symbols = list(vec![coinm("BTCUSD_PERP", "0.1", "100")]);
    let names = ["hftbacktest_cm_btcusd_perp_20240808.gz", "hftbacktest_cm_btcusd_perp_20240809.gz"];
    let frames = hftbacktest(&dir, &names);
    let heard = hear(Market::Coinm, &symbols, frames.iter().map(String::as_str));
    let expected = Heard { changes: 44_795, trades: 5_235, bbos: 48_355, unchained: 1, ..Heard::default() };
    assert_eq!(heard, expected);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(tries(3_000)))]
    #[test]
    fn a_broken_frame_is_scanned_as_it_is_parsed_or_declined(
        market in prop::sample::select(vec![Market::Usdm, Market::Coinm]),
        n in 0..6usize,
        breaks in prop::collection::vec(breaking(), 1..4),
    ) {
        let (symbols, frames) = of(market);
        let bytes = broken(frames[n % frames.len()], &breaks);
        let parsed = parse(&bytes, &symbols, market);
        if let Some(scanned) = scan(&bytes, &symbols, market, &mut Scratch::default()) {
            prop_assert_eq!(Ok(vec![scanned]), parsed);
        }
    }
}
