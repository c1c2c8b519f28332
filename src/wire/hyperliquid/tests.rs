//! What is made of Hyperliquid's frames, one by one.

use super::*;
use crate::market::PrintFlags;
use crate::units::{Lots, Side, Step, Ticks};
use crate::wire::dialect::Trade;

/// BTC in ticks of 0.1 and lots of 0.00001, ETH in ticks of 0.01 and lots of 0.0001.
pub(super) fn symbols() -> Symbols {
    let perpetual = |id: u16, coin: &str, tick: &str, lot: &str| {
        let step = |text| Step::parse(text).unwrap();
        let rules = Instrument::new(VenueId::Hyperliquid, coin, coin, "USDC", step(tick), step(lot)).unwrap();
        (InstrumentId(id), rules)
    };
    Symbols::new(vec![perpetual(0, "BTC", "0.1", "0.00001"), perpetual(1, "ETH", "0.01", "0.0001")])
}

const BTC: usize = 0;
const NOON: LocalTime = LocalTime(1_790_000_000 * 1_000_000_000);

fn level(price: i64, qty: i64) -> Level {
    Level { price: Ticks(price), qty: Lots(qty) }
}

/// What the words make of these frames, one after the other on one socket.
fn read(words: &mut Words, frames: &[&str]) -> Vec<News> {
    let mut news = Vec::new();
    for frame in frames {
        words.read(frame.as_bytes(), &symbols(), NOON, &mut news).unwrap();
    }
    news
}

fn book(time: u64) -> String {
    format!(
        r#"{{"channel":"l2Book","data":{{"coin":"BTC","time":{time},"levels":[[{{"px":"64210.0","sz":"2.5","n":3}}],[]],"fast":true}}}}"#
    )
}

fn bbo(time: u64) -> String {
    format!(
        r#"{{"channel":"bbo","data":{{"coin":"BTC","time":{time},"bbo":[{{"px":"64210.0","sz":"2.41","n":3}},null]}}}}"#
    )
}

fn trade(time: u64, side: &str, tid: u64) -> String {
    format!(
        r#"{{"channel":"trades","data":[{{"coin":"BTC","side":"{side}","px":"64211.0","sz":"0.015","time":{time},"hash":"0xab","tid":{tid},"users":["0x1","0x2"]}}]}}"#
    )
}

#[test]
fn a_book_is_the_whole_of_a_window_and_unknown_beyond_it() {
    let news = read(&mut Words::new(true), &[&book(1_790_000_000_123)]);
    let expected = News::Snapshot {
        at: BTC,
        last: 1_790_000_000_123,
        seq: Some(1_790_000_000_123),
        time: Some(VenueTime(1_790_000_000_123_000_000)),
        // 64,210.0 in tenths, 2.5 in hundred thousandths.
        bids: vec![level(642_100, 250_000)],
        asks: vec![],
        complete: false,
        checksum: None,
    };
    assert_eq!(news, [expected]);
}

#[test]
fn a_book_out_of_order_is_put_in_order_and_dust_counts_as_a_lot() {
    let frame = r#"{"channel":"l2Book","data":{"coin":"BTC","time":5,"levels":[
        [{"px":"100.0","sz":"1","n":1},{"px":"100.1","sz":"0.000001","n":1},{"px":"100.0","sz":"2","n":1},{"px":"99","sz":"0.0"}],[]]}}"#;
    match &read(&mut Words::new(true), &[frame])[..] {
        [News::Snapshot { bids, .. }] => assert_eq!(bids, &[level(1_001, 1), level(1_000, 200_000)]),
        other => panic!("{other:?}"),
    }
}

#[test]
fn best_prices_have_the_time_of_the_block_as_their_number_and_may_lack_a_side() {
    let news = read(
        &mut Words::new(true),
        &[&bbo(7), r#"{"channel":"bbo","data":{"coin":"BTC","time":8,"bbo":[{"px":"1","sz":"1"}]}}"#],
    );
    let time = |ms: i64| Some(VenueTime(ms * 1_000_000));
    let bid = Some(level(642_100, 241_000));
    assert_eq!(news[0], News::Bbo { at: BTC, time: time(7), seq: 7, bid, ask: None });
    assert_eq!(news[1], News::Bbo { at: BTC, time: time(8), seq: 8, bid: Some(level(10, 100_000)), ask: None });
}

#[test]
fn an_older_block_is_dropped_and_on_a_new_socket_the_same_one_is_not() {
    let mut words = Words::new(true);
    let is_new = |news: Vec<News>| news != [News::Duplicate];
    for (ms, expected) in [(20, true), (20, false), (19, false), (21, true)] {
        assert_eq!(is_new(read(&mut words, &[&book(ms)])), expected, "book of {ms}");
        // Best prices are ordered among themselves.
        assert_eq!(is_new(read(&mut words, &[&bbo(ms)])), expected, "bbo of {ms}");
    }
    words.open(&symbols(), &mut Vec::new());
    for (ms, expected) in [(20, false), (21, true), (21, false), (22, true)] {
        assert_eq!(is_new(read(&mut words, &[&book(ms)])), expected, "book of {ms} on the new socket");
    }
}

#[test]
fn prints_of_before_the_first_book_are_no_prints() {
    let mut words = Words::new(true);
    assert_eq!(read(&mut words, &[&trade(90, "B", 1)]), [News::Ignored]);
    // The book of block 100 shows what block 100 left, so its prints are past as well.
    let news = read(&mut words, &[&book(100), &trade(99, "B", 1), &trade(100, "B", 2), &trade(101, "A", 3)]);
    let print = News::Trade {
        at: BTC,
        time: VenueTime(101_000_000),
        trade: Trade { id: 3, taker: Side::Ask, price: Ticks(642_110), qty: Lots(1_500), flags: PrintFlags::NONE },
    };
    assert_eq!(news[1..], [News::Ignored, News::Ignored, print]);
    // A new socket may be at a node that lags: what the last one showed is past all the same.
    words.open(&symbols(), &mut Vec::new());
    assert_eq!(read(&mut words, &[&bbo(60), &trade(100, "B", 4)])[1..], [News::Ignored]);
    assert!(matches!(read(&mut words, &[&trade(102, "B", 5)])[..], [News::Trade { .. }]));
    let marked = trade(200, "B", 6).replace("]}]}", r#"]}],"isSnapshot":true}"#);
    assert_eq!(read(&mut words, &[&marked]), [News::Ignored]);
}

#[test]
fn b_bought_and_a_sold() {
    for (word, side) in [("B", Side::Bid), ("A", Side::Ask)] {
        match &read(&mut Words::new(true), &[&book(1), &trade(2, word, 9)])[1..] {
            [News::Trade { trade, .. }] => assert_eq!(trade.taker, side),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn funding_is_due_at_the_next_full_hour_and_paid_on_the_oracle() {
    let frame = r#"{"channel":"activeAssetCtx","data":{"coin":"BTC","ctx":{"markPx":"64210.5","midPx":"64210.5","oraclePx":"64215.0","funding":"-0.0000125","openInterest":"25117.3","premium":null,"impactPxs":null}}}"#;
    match &read(&mut Words::new(true), &[frame])[..] {
        [News::Mark { at: BTC, time: None, mark }] => {
            assert_eq!(mark.mark.map(|m| m.to_string()).as_deref(), Some("64210.5"));
            assert_eq!(mark.index.map(|m| m.to_string()).as_deref(), Some("64215"));
            // 1,790,000,000 s are 497,222 hours and 800 s.
            let due = Some(VenueTime(497_223 * 3_600 * 1_000_000_000));
            let rate = FundingRate(-12_500_000);
            assert_eq!(mark.funding, Some(Funding { rate, due, every: HOUR, at_index: true }));
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(hourly(FundingRate(0), LocalTime(HOUR.0)).due, Some(VenueTime(2 * HOUR.0)));
}

#[test]
fn errors_are_told_and_answers_are_signs_of_life() {
    let news = read(
        &mut Words::new(true),
        &[
            r#"{"channel":"pong"}"#,
            r#"{"channel":"subscriptionResponse","data":{"method":"subscribe","subscription":{"type":"trades","coin":"BTC"}}}"#,
            r#"{"channel":"error","data":"Already subscribed: {\"type\":\"bbo\",\"coin\":\"BTC\"}"}"#,
            r#"{"channel":"error","data":"Invalid subscription {\"type\":\"l2Book\",\"coin\":\"BTC\"}"}"#,
            r#"{"channel":"error","data":"Too many subscriptions"}"#,
            "Websocket connection established.",
            r#"{"channel":"somethingNew","data":[1]}"#,
            r#"{"channel":"l2Book","data":{"coin":"BTC","time":9,"levels":[[],[]],"spread":"10.0"}}"#,
        ],
    );
    let denied = |at, words: &str, final_| News::Denied { at, words: words.to_owned(), final_ };
    assert_eq!(
        news,
        [
            News::Alive,
            News::Alive,
            News::Alive,
            denied(Some(BTC), r#"Invalid subscription {"type":"l2Book","coin":"BTC"}"#, true),
            denied(None, "Too many subscriptions", false),
            News::Ignored,
            News::Ignored,
            News::Ignored,
        ]
    );
}

#[test]
fn each_instrument_is_subscribed_to_in_four_channels_and_a_pair_in_three() {
    let mut texts = Vec::new();
    Words::new(true).open(&symbols(), &mut texts);
    assert_eq!(texts.len(), 8);
    assert_eq!(
        texts[..4],
        [
            r#"{"method":"subscribe","subscription":{"type":"l2Book","coin":"BTC","fast":true}}"#,
            r#"{"method":"subscribe","subscription":{"type":"bbo","coin":"BTC"}}"#,
            r#"{"method":"subscribe","subscription":{"type":"trades","coin":"BTC"}}"#,
            r#"{"method":"subscribe","subscription":{"type":"activeAssetCtx","coin":"BTC"}}"#,
        ]
    );
    let mut texts = Vec::new();
    Words::new(false).open(&symbols(), &mut texts);
    assert!(texts.len() == 6 && !texts.concat().contains("activeAssetCtx"));
}

#[test]
fn an_unreadable_frame_names_the_book_it_was_about() {
    let (words, symbols) = (Words::new(true), symbols());
    for (frame, concerned) in [
        (r#"{"channel":"l2Book","data":{"coin":"ETH","time":1,"lev"#, Concerned::One(1)),
        (r#"{ "channel" : "l2Book", "data" : { "coin" : "BTC""#, Concerned::One(0)),
        (r#"{"channel":"l2Book","data":{"coin":"DOGE","#, Concerned::Nobody),
        (r#"{"channel":"l2Book","data":{"co"#, Concerned::Everybody),
        (r#"{"channel":"trades","data":[{"coin":"BTC""#, Concerned::Nobody),
        (r#"{"chan"#, Concerned::Everybody),
        ("\u{0}", Concerned::Everybody),
    ] {
        assert_eq!(words.concerned(frame.as_bytes(), &symbols), concerned, "{frame}");
    }
}

#[test]
fn a_number_that_cannot_be_ours_is_refused_with_its_reason() {
    let refused = |frame: &str| {
        let mut news = Vec::new();
        Words::new(true).read(frame.as_bytes(), &symbols(), NOON, &mut news).unwrap_err().to_string()
    };
    assert_eq!(
        refused(&book(1).replace("64210.0", "64210.05")),
        "BTC: bid \"64210.05\": 64210.05 is not a multiple of 0.1"
    );
    assert_eq!(refused(&book(1).replace("\"2.5\"", "\"-2.5\"")), "BTC: bid \"-2.5\": is negative");
    assert_eq!(refused(&trade(1, "X", 1)), "trades: side is \"X\"");
    assert!(refused(&book(1).replace("BTC", "DOGE")).contains("DOGE"));
    assert!(refused(&book(u64::MAX)).contains("out of range"));
    assert!(refused("Websocket").starts_with("frame: "));
}
