//! The scanner and the parser never disagree: on recorded frames the scanner reads every book and trade, on broken
//! ones it reads what the parser reads or declines.

use proptest::prelude::*;

use super::message::{Scratch, scan};
use super::{OKX, OkxDialect, json};
use crate::market::{Instrument, InstrumentId, VenueId};
use crate::units::{LocalTime, Step};
use crate::wire::breakage::{breaking, broken, tries};
use crate::wire::dialect::{Dialect, Exchange};
use crate::wire::recorded::Capture;
use crate::wire::symbols::Symbols;

const FRAMES: [&str; 11] = [
    r#"{"arg":{"channel":"books","instId":"BTC-USDT-SWAP"},"action":"snapshot","data":[{"asks":[["64210.2","1.20","0","3"]],"bids":[["64210.1","0.95","0","4"],["64210","12","0","4"]],"ts":"1790000000123","checksum":0,"prevSeqId":-1,"seqId":450001}]}"#,
    r#"{"arg":{"channel":"books","instId":"BTC-USDT-SWAP"},"action":"update","data":[{"asks":[["64210.2","0","0","0"]],"bids":[],"ts":"1790000000223","checksum":0,"prevSeqId":450001,"seqId":450009}]}"#,
    r#"{"arg":{"channel":"books","instId":"BTC-USDT-SWAP"},"action":"update","data":[{"asks":[],"bids":[["64210.2","123456789.12","0","1"]],"ts":"1790000000223","checksum":-914047754}]}"#,
    r#"{"arg":{"channel":"books","instId":"BTC-USDT-SWAP"},"action":"update","data":[{"bids":[],"asks":[],"ts":"1790000000223","seqId":3,"prevSeqId":15}]}"#,
    r#"{"arg":{"channel":"bbo-tbt","instId":"BTC-USDT-SWAP"},"data":[{"asks":[["64210.2","1.2","0","3"]],"bids":[],"ts":"1790000000133","seqId":450010}]}"#,
    r#"{"arg":{"channel":"trades","instId":"BTC-USDT-SWAP"},"data":[{"instId":"BTC-USDT-SWAP","tradeId":"130639474","px":"64210.2","sz":"0.12","side":"buy","ts":"1790000000140","count":"3","source":"0","seqId":450012}]}"#,
    r#"{"arg":{"channel":"funding-rate","instId":"BTC-USDT-SWAP"},"data":[{"instType":"SWAP","instId":"BTC-USDT-SWAP","fundingRate":"-0.0001","fundingTime":"1790006400000","nextFundingRate":"","nextFundingTime":"1790035200000","ts":"1790000000200"}]}"#,
    r#"{"arg":{"channel":"mark-price","instId":"BTC-USDT-SWAP"},"data":[{"instType":"SWAP","instId":"BTC-USDT-SWAP","markPx":"64211.4","ts":"1790000000200"}]}"#,
    r#"{"id":"0","event":"subscribe","arg":{"channel":"books","instId":"BTC-USDT-SWAP"},"connId":"a4d3ae55"}"#,
    r#"{"event":"error","code":"60018","msg":"Wrong URL or channel:books,instId:BTC-USDT-SWAP doesn't exist.","connId":"a"}"#,
    r#"{"arg":{"channel":"instruments","instType":"SWAP"},"data":[{"instType":"SWAP","instId":"BTC-USDT-SWAP","ctVal":"0.01","ctMult":"1","ctType":"linear","ctValCcy":"BTC","settleCcy":"USDT","tickSz":"0.1","lotSz":"0.01","minSz":"0.01","maxLmtSz":"100000000","state":"live"}]}"#,
];

fn instrument(symbol: &str, tick: &str, lot: &str) -> Instrument {
    let step = |text| Step::parse(text).unwrap();
    Instrument::new(VenueId::Okx, symbol, "BASE", "QUOTE", step(tick), step(lot)).unwrap()
}

/// A swap of contracts of 0.01 BTC.
fn btc() -> Symbols {
    let mut swap = instrument("BTC-USDT-SWAP", "0.1", "0.0001");
    swap.contract.unit = Step::parse("0.01").unwrap();
    Symbols::new(vec![(InstrumentId(0), swap)])
}

/// How many frames the scanner read; it and the parser agree on all of them.
fn compare<'a>(frames: impl IntoIterator<Item = &'a str>, symbols: &Symbols) -> usize {
    let mut scratch = Scratch::default();
    let mut scanned = 0;
    for frame in frames {
        let parsed = json::parse(frame.as_bytes(), symbols).expect(frame);
        if let Some(message) = scan(frame.as_bytes(), symbols, &mut scratch) {
            assert_eq!(message, parsed, "{frame}");
            scanned += 1;
        }
    }
    scanned
}

#[test]
fn books_quotes_and_trades_are_scanned_as_they_are_parsed() {
    assert_eq!(compare(FRAMES, &btc()), 6);
}

#[test]
fn every_recorded_frame_is_scanned_as_it_is_parsed() {
    let Some(capture) = Capture::open("okx/cryptofeed-v3_OKX.jsonl.zst") else { return };
    let wanted = [("BTC-USD-220527", "0.1", "1"), ("BTC-USDT", "0.1", "0.00000001"), ("UNI-USD-SWAP", "0.001", "1")];
    let all = wanted.map(|(symbol, tick, lot)| instrument(symbol, tick, lot));
    let symbols = Symbols::new((0..).map(InstrumentId).zip(all).collect());
    // 290 books and 74 trades.
    assert_eq!(compare(capture.received().map(|(_, _, text)| text), &symbols), 364);
}

#[test]
fn three_old_connections_are_scanned_as_they_are_parsed() {
    const NAMES: [&str; 10] = [
        "AUCTION-USDT",
        "BTC-USD-210924-42000-P",
        "BTC-USD-210924-66000-C",
        "DHT-USDT",
        "FUN-BTC",
        "OKT-BTC",
        "ONT-USDT",
        "PAY-BTC",
        "TRX-USDT-210924",
        "XMR-USDT-SWAP",
    ];
    let all = NAMES.map(|symbol| instrument(symbol, "0.000000001", "0.00000001"));
    let symbols = Symbols::new((0..).map(InstrumentId).zip(all).collect());
    for (file, books_and_trades) in [
        ("okx/cryptofeed-history_OKEX.ws.1.0__88c5acf9.txt.gz", 1_504 + 36),
        ("okx/cryptofeed-history_OKEX.ws.2.0__1a0a2096.txt.gz", 1_446 + 36),
        ("okx/cryptofeed-history_OKEX.ws.3.0__62cd3f73.txt.gz", 1_422 + 36),
    ] {
        let Some(capture) = Capture::open(file) else { return };
        // The channel of that time is today for customers of weight; its messages are the same.
        let frames: Vec<_> = capture.received().map(|(_, _, text)| text.replace("books-l2-tbt", "books")).collect();
        assert_eq!(compare(frames.iter().map(String::as_str), &symbols), books_and_trades, "{file}");
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
        let symbols = btc();
        let parsed = json::parse(&bytes, &symbols);
        if let Some(scanned) = scan(&bytes, &symbols, &mut Scratch::default()) {
            prop_assert_eq!(Ok(scanned), parsed);
        }
        // And the whole dialect survives it.
        let mut dialect = OkxDialect::new([&symbols.get(0).instrument]);
        let mut news = Vec::new();
        if dialect.read(&bytes, &symbols, LocalTime(0), &mut news).is_err() {
            prop_assert!(news.is_empty());
        }
        dialect.concerned(&bytes, &symbols);
        OKX.read_rules(std::slice::from_ref(&bytes)).ok();
        OKX.read_clock(&bytes);
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let symbols = btc();
        let mut dialect = OkxDialect::new([&symbols.get(0).instrument]);
        dialect.read(&bytes, &symbols, LocalTime(0), &mut Vec::new()).ok();
        dialect.concerned(&bytes, &symbols);
        OKX.read_rules(&[bytes]).ok();
    }
}
