//! Bybit, case by case.

mod golden;
mod recorded;

use papermaker::market::{Instrument, InstrumentId, MarketEventKind, PrintFlags, Status, VenueId};
use papermaker::units::{LocalTime, Nanos, Side, Step, VenueTime};
use papermaker::wire::bybit::{Bybit, BybitDialect, LINEAR, SPOT};
use papermaker::wire::conversation::Conversation;
use papermaker::wire::dialect::{Exchange, Options, Request};
use papermaker::wire::{About, Action, FetchFailure, Said};

use crate::support::{self, talk::words};

const BTC: InstrumentId = InstrumentId(0);
const ETH: InstrumentId = InstrumentId(1);

type Talk = support::talk::Talk<Conversation<BybitDialect>>;

const RESUBSCRIBE: [&str; 2] = [
    r#"send {"req_id":"BTCUSDT","op":"unsubscribe","args":["orderbook.50.BTCUSDT"]}"#,
    r#"send {"req_id":"BTCUSDT","op":"subscribe","args":["orderbook.50.BTCUSDT"]}"#,
];

fn instrument(exchange: &Bybit, symbol: &str, tick: &str, lot: &str) -> Instrument {
    let step = |text| Step::parse(text).unwrap();
    Instrument::new(exchange.id(), symbol, &symbol[..3], "USDT", step(tick), step(lot)).unwrap()
}

fn talk_with(exchange: &'static Bybit, options: Options) -> Talk {
    let list = vec![
        (BTC, instrument(exchange, "BTCUSDT", "0.1", "0.001")),
        (ETH, instrument(exchange, "ETHUSDT", "0.01", "0.01")),
    ];
    let mut talk = Talk::about(exchange.conversation(list, Options { depth: 50, ..options }));
    talk.open();
    talk
}

fn talk() -> Talk {
    talk_with(&LINEAR, Options::default())
}

/// BTC in step after message 10: 1@100.0 / 1@101.0, with everything flowing.
fn in_step() -> Talk {
    let mut talk = talk();
    assert_eq!(words(&talk.hear(book("snapshot", 10, 1_000, "100.0 1", "101.0 1"))), ["snapshot 1000"]);
    assert_eq!(words(&talk.hear(top(5, 1_000))), ["bbo 1000"]);
    assert_eq!(words(&talk.hear(mark())), ["mark", "live"]);
    talk
}

/// Levels like `100.0 1, 99.0 0`.
fn levels(text: &str) -> String {
    let level = |l: &str| {
        let (price, qty) = l.trim().split_once(' ').expect("a price and a quantity");
        format!(r#"["{price}","{qty}"]"#)
    };
    let list: Vec<_> = text.split(',').filter(|l| !l.trim().is_empty()).map(level).collect();
    list.join(",")
}

fn book(kind: &str, update: u64, seq: u64, bids: &str, asks: &str) -> String {
    format!(
        r#"{{"topic":"orderbook.50.BTCUSDT","type":"{kind}","ts":1790000000143,"data":{{"s":"BTCUSDT","b":[{}],"a":[{}],"u":{update},"seq":{seq}}},"cts":1790000000141}}"#,
        levels(bids),
        levels(asks)
    )
}

fn top(update: u64, seq: u64) -> String {
    book("snapshot", update, seq, "100.0 1", "101.0 1").replace("orderbook.50", "orderbook.1")
}

fn mark() -> &'static str {
    r#"{"topic":"tickers.BTCUSDT","type":"snapshot","cs":1,"ts":1790000000200,"data":{"symbol":"BTCUSDT","markPrice":"100.52"}}"#
}

fn trade(id: &str, side: &str, more: &str) -> String {
    format!(
        r#"{{"topic":"publicTrade.BTCUSDT","type":"snapshot","ts":1790000000150,"data":[{{"T":1790000000148,"s":"BTCUSDT","S":"{side}","v":"0.010","p":"101.0","L":"PlusTick","i":"{id}"{more},"seq":7961638731}}]}}"#
    )
}

/// The best prices of BTC, in ticks of a tenth.
fn touch(talk: &Talk) -> Option<(i64, i64)> {
    let book = talk.book(BTC)?;
    Some((book.best(Side::Bid)?.price.0, book.best(Side::Ask)?.price.0))
}

#[test]
fn case_01_a_skipped_update_is_a_gap_and_the_topic_is_asked_for_anew() {
    let mut talk = in_step();
    // Message 11 never came; nothing of 12 may be applied.
    let said = talk.hear(book("delta", 12, 1_020, "100.5 1", ""));
    assert_eq!(words(&said), [&["gap 11 12", "resync"], &RESUBSCRIBE[..]].concat());
    assert_eq!(touch(&talk), None);
    // What still comes of the old subscription says nothing.
    assert_eq!(words(&talk.hear(book("delta", 13, 1_030, "100.6 1", ""))), [""; 0]);
    let said = talk.hear(book("snapshot", 20, 1_040, "100.2 1", "100.9 1"));
    assert_eq!(words(&said), ["snapshot 1040", "live"]);
    assert_eq!(words(&talk.hear(book("delta", 21, 1_050, "100.3 1", ""))), ["delta 1050"]);
    assert_eq!(touch(&talk), Some((1_003, 1_009)));
}

#[test]
fn case_02_a_delta_and_a_best_price_that_repeat_are_no_error() {
    let mut talk = in_step();
    let delta = book("delta", 11, 1_010, "100.5 1", "");
    assert_eq!(words(&talk.hear(&delta)), ["delta 1010"]);
    assert_eq!(words(&talk.hear(&delta)), [""; 0]);
    assert_eq!(talk.protocol.sync_counts(BTC).unwrap().duplicates, 1);
    // The best price comes again with the same number after three idle seconds.
    assert_eq!(words(&talk.hear(top(5, 1_000))), ["bbo 1000"]);
    assert_eq!((talk.protocol.counts().duplicates, talk.protocol.counts().errors), (0, 0));
}

#[test]
fn case_02_a_print_is_told_once_whatever_its_id_looks_like() {
    let mut talk = in_step();
    let uuid = trade("20f43950-d8dd-5b31-9112-a178eb6023af", "Buy", "");
    assert_eq!(talk.hear(&uuid).len(), 1);
    assert_eq!(talk.hear(&uuid).len(), 0);
    assert_eq!(words(&talk.hear(trade("2290000001189048101", "Buy", ""))), ["trade 2290000001189048101"]);
    assert_eq!(talk.hear(trade("2290000001189048101", "Buy", "")).len(), 0);
    assert_eq!(talk.protocol.counts().duplicate_trades, 2);
    // Ids that jump are no loss: a UUID counts nothing.
    assert_eq!(talk.hear(trade("2290000001189999999", "Buy", "")).len(), 1);
}

#[test]
fn case_03_messages_out_of_order_are_a_gap_and_a_falling_sequence_is_dropped() {
    let mut talk = in_step();
    assert_eq!(words(&talk.hear(book("delta", 12, 1_020, "100.6 1", "")))[0], "gap 11 12");
    assert_eq!(words(&talk.hear(book("delta", 11, 1_010, "100.5 1", ""))), [""; 0]);
    let mut talk = in_step();
    assert_eq!(words(&talk.hear(book("delta", 11, 999, "100.5 1", ""))), [""; 0]);
    assert_eq!(touch(&talk), Some((1_000, 1_010)));
    assert_eq!(talk.protocol.counts().duplicates, 1);
}

#[test]
fn case_07_a_snapshot_nobody_asked_for_and_update_one_replace_the_book() {
    let mut talk = in_step();
    assert_eq!(words(&talk.hear(book("snapshot", 500, 2_000, "90.0 1", "91.0 1"))), ["snapshot 2000"]);
    assert_eq!(touch(&talk), Some((900, 910)));
    // After a restart: counted anew and sent whole, whatever it is called.
    assert_eq!(words(&talk.hear(book("delta", 1, 3_000, "80.0 1", "81.0 1"))), ["snapshot 3000"]);
    assert_eq!(touch(&talk), Some((800, 810)));
    assert_eq!(words(&talk.hear(book("delta", 2, 3_010, "80.5 1", ""))), ["delta 3010"]);
    assert_eq!(talk.protocol.sync_counts(BTC).unwrap().gaps, 0);
}

#[test]
fn case_08_a_new_socket_begins_from_nothing_and_subscribes_once() {
    let mut talk = in_step();
    assert_eq!(words(&talk.close("1006")), ["disconnected"]);
    assert_eq!(touch(&talk), None);
    let said = words(&talk.open());
    assert_eq!(said.iter().filter(|s| s.starts_with("send")).count(), 2);
    // Smaller numbers than the old socket's are new all the same.
    assert_eq!(words(&talk.hear(book("delta", 11, 1_010, "100.5 1", ""))), [""; 0]);
    assert_eq!(words(&talk.hear(book("snapshot", 3, 700, "100.0 1", "101.0 1"))), ["snapshot 700"]);
    assert_eq!(words(&talk.hear(top(2, 700))), ["bbo 700"]);
}

#[test]
fn case_09_we_ping_every_20_seconds_and_a_silent_socket_is_given_up() {
    let mut talk = talk_with(&SPOT, patient());
    let pings = |said: &[Said]| words(said).iter().filter(|w| *w == r#"send {"op":"ping"}"#).count();
    assert_eq!(pings(&talk.wait_ms(19_750)), 0);
    assert_eq!(pings(&talk.wait_ms(250)), 1);
    // The venue's pong calls itself ping.
    let pong = r#"{"success":true,"ret_msg":"pong","conn_id":"c","req_id":"","op":"ping"}"#;
    assert_eq!(words(&talk.hear(pong)), [""; 0]);
    let said = words(&talk.wait_ms(29_750));
    assert!(!said.contains(&"reconnect".to_owned()), "{said:?}");
    // No answer to the second ping: 30 s after the pong the line is dead.
    assert_eq!(words(&talk.wait_ms(500)), ["reconnect"]);
}

/// No channel is ever impatient.
fn patient() -> Options {
    let endless = papermaker::wire::liveness::Patience::ENDLESS;
    let sync = papermaker::wire::depth_sync::SyncLimits { fetch_timeout: Nanos::from_s(3_600), ..Default::default() };
    Options { depth_patience: endless, bbo_patience: endless, sync, ..Options::default() }
}

#[test]
fn case_10_a_request_has_at_most_ten_topics_and_a_403_means_ten_minutes() {
    let mut talk = talk_with(&SPOT, Options::default());
    talk.close("again");
    let topics = |text: &str| text.matches("USDT\"").count() - 1;
    let sent: Vec<_> = words(&talk.open()).into_iter().filter(|w| w.starts_with("send")).collect();
    assert_eq!(sent.iter().map(|text| topics(text)).collect::<Vec<_>>(), [3, 3]);
    for exchange in [&SPOT, &LINEAR] {
        assert_eq!(exchange.manners().forbidden_wait, Nanos::from_s(600));
    }
}

#[test]
fn case_10_a_limit_in_a_cheerful_answer_puts_the_next_question_off() {
    let mut talk = talk_with(&SPOT, Options { rules_every: Nanos::from_s(2), ..patient() });
    assert_eq!(words(&talk.wait_ms(2_000)), ["fetch after 0 ms", "fetch after 0 ms"]);
    let limited = r#"{"retCode":10006,"retMsg":"Too many visits!","result":{}}"#;
    assert_eq!(words(&talk.fetched(About::Rules(0), limited)), [""; 0]);
    // Five seconds of silence from now on.
    assert_eq!(words(&talk.wait_ms(4_750)), [""; 0]);
    assert_eq!(words(&talk.wait_ms(250)), ["fetch after 0 ms", "fetch after 0 ms"]);
    // And a 403, as the driver reports it.
    let forbidden = FetchFailure::RateLimited { status: 403, wait: Nanos::from_s(600) };
    talk.failed(About::Rules(0), forbidden);
    assert!(!words(&talk.wait_ms(20_000)).contains(&"fetch after 0 ms".to_owned()));
}

#[test]
fn case_11_an_unreadable_book_frame_costs_that_book_only() {
    for bad in [
        &book("delta", 11, 1_010, "100.5 1", "")[..120],
        &book("delta", 11, 1_010, "100.55 1", ""),
        &book("delta", 11, 1_010, "100.5 -1", ""),
        &book("delta", 11, 1_010, "0 1", ""),
        &book("delta", 11, 1_010, "100.5 1", "").replace("11,", "\"11\","),
    ] {
        let mut talk = in_step();
        let said = words(&talk.hear(bad));
        assert_eq!(said, [&["protocol_error", "gap 11 0", "resync"], &RESUBSCRIBE[..]].concat(), "{bad}");
    }
}

#[test]
fn case_11_what_is_unknown_or_elsewhere_is_ignored_and_counted() {
    let mut talk = in_step();
    let new_field = book("delta", 11, 1_010, "100.5 1", "").replace("\"cts\"", "\"st\":7,\"cts\"");
    assert_eq!(words(&talk.hear(new_field)), ["delta 1010"]);
    let before = talk.protocol.counts().ignored;
    for frame in [
        r#"{"topic":"kline.1.BTCUSDT","data":[],"ts":1,"type":"snapshot"}"#,
        r#"{"topic":"publicTrade.XRPUSDT","type":"snapshot","ts":1,"data":[]}"#,
        r#"{"topic":"orderbook.200.BTCUSDT","type":"delta","ts":1,"data":{}}"#,
        r#"{"hello":"world"}"#,
    ] {
        assert_eq!(words(&talk.hear(frame)), [""; 0], "{frame}");
    }
    assert_eq!(talk.protocol.counts().ignored - before, 4);
    // Empty sides are no news, and no harm.
    assert_eq!(words(&talk.hear(book("delta", 12, 1_020, "", ""))), [""; 0]);
    assert_eq!(words(&talk.hear(book("delta", 13, 1_030, "", "101.0 2"))), ["delta 1030"]);
    // A binary frame may have been anything, so every book is in doubt.
    assert_eq!(words(&talk.hear(b"\x1f\x8b\x00"))[0], "protocol_error");
    assert_eq!(touch(&talk), None);
}

#[test]
fn case_13_a_book_that_stays_crossed_is_asked_for_anew() {
    let mut talk = talk_with(&LINEAR, patient());
    talk.hear(book("snapshot", 10, 1_000, "100.0 1", "101.0 1"));
    // Of a price named twice the last counts, and only whole messages are judged.
    assert_eq!(words(&talk.hear(book("delta", 11, 1_010, "101.0 1, 101.0 0", ""))), ["delta 1010"]);
    assert_eq!(words(&talk.wait_ms(2_000)), [""; 0]);
    assert_eq!(words(&talk.hear(book("delta", 12, 1_020, "101.0 1", ""))), ["delta 1020"]);
    let said = words(&talk.wait_ms(1_500));
    assert_eq!(said, [&["gap 13 12", "resync"], &RESUBSCRIBE[..]].concat());
}

#[test]
fn case_14_what_falls_out_of_the_window_is_emptied_even_if_the_venue_forgets() {
    let mut talk = talk();
    let ladder = |from: i64, step: i64| {
        let level = |k: i64| format!("{}.0 1", from + step * k);
        (0..50).map(level).collect::<Vec<_>>().join(", ")
    };
    talk.hear(book("snapshot", 10, 1_000, &ladder(999, -1), &ladder(1_001, 1)));
    assert_eq!(talk.book(BTC).unwrap().depth(Side::Bid), 50);
    // A better bid, and no word of the 51st.
    talk.hear(book("delta", 11, 1_010, "1000.0 1", ""));
    let book = talk.book(BTC).unwrap();
    assert_eq!(book.depth(Side::Bid), 50);
    assert_eq!(book.levels(Side::Bid).last().unwrap().price.0, 9_510);
    assert_eq!(book.window(), Some(50));
}

#[test]
fn case_15_an_instrument_that_is_halted_ends_or_vanishes_is_not_quoted() {
    let row = |symbol: &str, status: &str| {
        format!(
            r#"{{"retCode":0,"retMsg":"OK","result":{{"list":[{{"symbol":"{symbol}","contractType":"LinearPerpetual","status":"{status}","baseCoin":"{}","quoteCoin":"USDT","deliveryTime":"0","priceFilter":{{"tickSize":"0.10"}},"lotSizeFilter":{{"qtyStep":"0.001"}},"settleCoin":"USDT"}}]}},"time":1786310817197}}"#,
            &symbol[..3]
        )
    };
    let nothing = r#"{"retCode":0,"retMsg":"OK","result":{"list":[]},"time":1786310817197}"#;
    let list = vec![(BTC, LINEAR.read_rules(&[row("BTCUSDT", "Trading").into()]).unwrap().remove(0).rules.unwrap())];
    let options = Options { depth: 50, rules_every: Nanos::from_s(10), ..patient() };
    let mut talk = Talk::about(LINEAR.conversation(list, options));
    talk.open();
    let mut poll = |answer: &str| {
        let said = talk.wait_ms(10_000);
        let path = said.iter().find_map(|s| match s {
            Said::Do(Action::Fetch { request: Request::Get { path, .. }, .. }) => Some(path.clone()),
            _ => None,
        });
        assert_eq!(path.as_deref(), Some("/v5/market/instruments-info?category=linear&symbol=BTCUSDT"));
        talk.hear(r#"{"success":true,"ret_msg":"pong","op":"ping"}"#);
        words(&talk.fetched(About::Rules(0), answer))
    };
    assert_eq!(poll(&row("BTCUSDT", "Trading")), [""; 0]);
    assert_eq!(poll(&row("BTCUSDT", "Delivering")), [format!("status {:?}", Status::Halted)]);
    assert_eq!(poll(&row("BTCUSDT", "SomethingNew")), [format!("status {:?}", Status::Unknown)]);
    assert_eq!(poll(nothing), [format!("status {:?}", Status::Delisted)]);
}

#[test]
fn case_16_a_finer_tick_voids_the_book_and_asks_for_it_anew() {
    let mut talk = in_step();
    let finer = instrument(&LINEAR, "BTCUSDT", "0.01", "0.001");
    let mut said = Vec::new();
    talk.protocol.on_rules(BTC, &finer, LocalTime(0), &mut said);
    match &said[..] {
        [Said::Market(event)] => {
            assert!(matches!(&event.kind, MarketEventKind::Rules(rules) if rules.revision == 1));
        }
        other => panic!("{other:?}"),
    }
    // In the new ticks 100.0 is 10,000; the venue sends the book whole, as update 1.
    talk.hear(book("delta", 1, 2_000, "100.05 1", "101.0 1"));
    assert_eq!(touch(&talk), Some((10_005, 10_100)));
}

#[test]
fn case_17_an_acknowledgement_is_no_data_and_a_refused_topic_refuses_its_instrument() {
    let mut talk = talk();
    let ack = r#"{"success":true,"ret_msg":"","conn_id":"c","req_id":"BTCUSDT","op":"subscribe"}"#;
    assert_eq!(words(&talk.hear(ack)), [""; 0]);
    let said = words(&talk.wait_ms(10_250));
    assert_eq!(said.iter().filter(|w| *w == "no_data depth").count(), 2, "{said:?}");
    // The other instrument is not touched by a refusal.
    let no = r#"{"success":false,"ret_msg":"Invalid topic: orderbook.50.ETHUSDT","conn_id":"c","req_id":"ETHUSDT","op":"subscribe"}"#;
    assert_eq!(words(&talk.hear(no)), ["refused"]);
    assert_eq!(words(&talk.hear(book("snapshot", 10, 1_000, "100.0 1", "101.0 1"))), ["snapshot 1000"]);
}

#[test]
fn case_18_the_side_of_a_print_is_the_takers_and_prints_beside_the_book_are_flagged() {
    let mut talk = in_step();
    let mut heard = |frame: String| match talk.hear(frame).remove(0) {
        Said::Market(event) => match event.kind {
            MarketEventKind::Trade { taker, flags, .. } => (taker, flags),
            other => panic!("{other:?}"),
        },
        other => panic!("{other:?}"),
    };
    assert_eq!(heard(trade("1", "Buy", r#","BT":false,"RPI":false"#)), (Side::Bid, PrintFlags::NONE));
    assert_eq!(heard(trade("2", "Sell", "")), (Side::Ask, PrintFlags::NONE));
    assert_eq!(heard(trade("3", "Sell", r#","BT":true"#)), (Side::Ask, PrintFlags::BLOCK));
    assert_eq!(heard(trade("4", "Buy", r#","RPI":true"#)), (Side::Bid, PrintFlags::RPI));
}

#[test]
fn case_19_the_matching_engines_time_counts_and_may_step_back() {
    let mut talk = in_step();
    let mut time = |update: u64, cts: &str| {
        let frame = book("delta", update, 1_000 + update, "100.5 1", "").replace("1790000000141", cts);
        match talk.hear(frame).remove(0) {
            Said::Market(event) => event.venue_time,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(time(11, "1790000000141"), Some(VenueTime(1_790_000_000_141_000_000)));
    assert_eq!(time(12, "1789999999000"), Some(VenueTime(1_789_999_999_000_000_000)));
}

#[test]
fn the_connection_is_where_the_category_is() {
    use papermaker::wire::Protocol;
    assert_eq!(talk().protocol.ws_path(), "/v5/public/linear");
    assert_eq!(talk_with(&SPOT, Options::default()).protocol.ws_path(), "/v5/public/spot");
    assert_eq!((SPOT.id(), LINEAR.id()), (VenueId::BybitSpot, VenueId::BybitLinear));
}
