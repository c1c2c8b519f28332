//! The scanner and the parser never disagree: on recorded frames the scanner reads every book and trade, on broken
//! ones it reads what the parser reads or declines.

use proptest::prelude::*;

use super::message::{Scratch, scan};
use super::{BybitDialect, Category, Continuity, LINEAR, SPOT, json};
use crate::market::{Instrument, InstrumentId, VenueId};
use crate::units::{LocalTime, Step};
use crate::wire::breakage::{breaking, broken, tries};
use crate::wire::dialect::{Dialect, Exchange};
use crate::wire::recorded::{Capture, stored_lines};
use crate::wire::symbols::Symbols;

const FRAMES: [&str; 9] = [
    r#"{"topic":"orderbook.50.BTCUSDT","type":"snapshot","ts":1790000000123,"data":{"s":"BTCUSDT","b":[["64210.1","2.31"],["64210.0","0.4"]],"a":[["64210.2","1.02"]],"u":18521288,"seq":7961638724},"cts":1790000000120}"#,
    r#"{"topic":"orderbook.50.BTCUSDT","ts":1790000000143,"type":"delta","data":{"s":"BTCUSDT","b":[["64210.10","0"]],"a":[["64210.3","0.8"],["64211","12345678.123"]],"u":18521289,"seq":7961638730},"cts":1790000000141}"#,
    r#"{"topic":"orderbook.1.BTCUSDT","type":"snapshot","ts":1790000000133,"data":{"s":"BTCUSDT","b":[["64210.1","2.31"]],"a":[],"u":1,"seq":7961638724},"cts":1790000000120}"#,
    r#"{"topic":"publicTrade.BTCUSDT","type":"snapshot","ts":1790000000150,"data":[{"T":1790000000148,"s":"BTCUSDT","S":"Buy","v":"0.010","p":"64210.2","L":"PlusTick","i":"20f43950-d8dd-5b31-9112-a178eb6023af","BT":false,"RPI":false,"seq":7961638731},{"T":1790000000148,"s":"BTCUSDT","S":"Sell","v":"1","p":"64210.10","L":"MinusTick","i":"20f43950-d8dd-5b31-9112-a178eb6023ae","BT":true,"RPI":true,"seq":7961638731}]}"#,
    r#"{"topic":"publicTrade.BTCUSDT","ts":1786310822606,"type":"snapshot","data":[{"i":"2290000001189048101","T":1786310822605,"p":"65140.5","v":"0.002","S":"Buy","seq":112488547164,"s":"BTCUSDT","BT":false,"RPI":false}]}"#,
    r#"{"topic":"tickers.BTCUSDT","type":"delta","cs":9532239429,"ts":1790000000200,"data":{"symbol":"BTCUSDT","markPrice":"64211.02","indexPrice":"64215.3","fundingRate":"-0.0001","nextFundingTime":"1790006400000","fundingIntervalHour":"8"}}"#,
    r#"{"success":true,"ret_msg":"pong","conn_id":"x","req_id":"","op":"ping"}"#,
    r#"{"success":false,"ret_msg":"Invalid topic: orderbook.50.BTCUSDT","conn_id":"x","op":"subscribe"}"#,
    r#"{"topic":"kline.1.BTCUSDT","data":[{"start":1672324800000}],"ts":1672324988882,"type":"snapshot"}"#,
];

fn btc() -> Symbols {
    let step = |text| Step::parse(text).unwrap();
    let btc = Instrument::new(VenueId::BybitLinear, "BTCUSDT", "BTC", "USDT", step("0.1"), step("0.001")).unwrap();
    Symbols::new(vec![(InstrumentId(0), btc)])
}

/// How many frames the scanner read; it and the parser agree on all of them.
fn compare<'a>(frames: impl IntoIterator<Item = &'a str>, symbols: &Symbols, category: Category, depth: u32) -> usize {
    let mut scratch = Scratch::default();
    let mut scanned = 0;
    for frame in frames {
        let parsed = json::parse(frame.as_bytes(), symbols, category, depth).expect(frame);
        if let Some(message) = scan(frame.as_bytes(), symbols, depth, &mut scratch) {
            assert_eq!(message, parsed, "{frame}");
            scanned += 1;
        }
    }
    scanned
}

#[test]
fn books_and_trades_are_scanned_as_they_are_parsed() {
    assert_eq!(compare(FRAMES, &btc(), Category::Linear, 50), 5);
}

#[test]
fn every_recorded_frame_is_scanned_as_it_is_parsed() {
    let Some(capture) = Capture::open("bybit/cryptofeed-v3_BYBIT_BTC-DOGE.jsonl.zst") else { return };
    let rules = |exchange: &super::Bybit, wanted: &[&str]| {
        let category = format!("category={}", exchange.category.word());
        let listed = exchange.read_rules(&[capture.reply(&category).as_bytes().to_vec()]).unwrap();
        let ours = listed.into_iter().filter(|l| wanted.contains(&l.symbol.as_str())).map(|l| l.rules.unwrap());
        Symbols::new((0..).map(InstrumentId).zip(ours).collect())
    };
    // Books and trades: 794 + 33 on linear, 300 + 11 on spot.
    for (exchange, connection, wanted, books_and_trades) in
        [(&LINEAR, "BYBIT.ws.2", &["BTCUSDT", "DOGEUSDT"][..], 827), (&SPOT, "BYBIT.ws.3", &["BTCUSDT"][..], 311)]
    {
        let (symbols, frames) = (rules(exchange, wanted), capture.on(connection));
        let frames = frames.received().map(|(_, _, text)| text);
        assert_eq!(compare(frames, &symbols, exchange.category, 200), books_and_trades);
    }
}

#[test]
fn a_recorded_day_of_deep_books_is_scanned_as_it_is_parsed() {
    let Some(lines) = stored_lines("bybit/nautilus_xrpusdt-ob500.data.zip") else { return };
    let step = |text| Step::parse(text).unwrap();
    let xrp = Instrument::new(VenueId::BybitLinear, "XRPUSDT", "XRP", "USDT", step("0.0001"), step("1")).unwrap();
    let symbols = Symbols::new(vec![(InstrumentId(0), xrp)]);
    assert_eq!(compare(lines.iter().map(String::as_str), &symbols, Category::Linear, 500), 50);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(tries(3_000)))]
    #[test]
    fn a_broken_frame_is_scanned_as_it_is_parsed_or_declined(
        frame in prop::sample::select(FRAMES.to_vec()),
        breaks in prop::collection::vec(breaking(), 1..4),
        category in prop::sample::select(vec![Category::Spot, Category::Linear]),
    ) {
        let bytes = broken(frame, &breaks);
        let symbols = btc();
        let parsed = json::parse(&bytes, &symbols, category, 50);
        if let Some(scanned) = scan(&bytes, &symbols, 50, &mut Scratch::default()) {
            prop_assert_eq!(Ok(scanned), parsed);
        }
        // And the whole dialect survives it.
        let mut dialect = BybitDialect::new(category, Continuity::ByOne, 50);
        let mut news = Vec::new();
        if dialect.read(&bytes, &symbols, LocalTime(0), &mut news).is_err() {
            prop_assert!(news.is_empty());
        }
        dialect.concerned(&bytes, &symbols);
        SPOT.read_rules(std::slice::from_ref(&bytes)).ok();
        SPOT.read_clock(&bytes);
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let symbols = btc();
        let mut dialect = BybitDialect::new(Category::Linear, Continuity::ByOne, 50);
        dialect.read(&bytes, &symbols, LocalTime(0), &mut Vec::new()).ok();
        dialect.concerned(&bytes, &symbols);
        LINEAR.read_rules(&[bytes]).ok();
    }
}
