//! Coinbase Advanced Trade, case by case.

use papermaker::market::{FeedEventKind, Instrument, InstrumentId, MarketEventKind, Status, VenueId};
use papermaker::units::{Nanos, Side, Step, VenueTime};
use papermaker::wire::coinbase::{AdvancedTrade, COINBASE};
use papermaker::wire::conversation::Conversation;
use papermaker::wire::dialect::{Exchange, Options, Request};
use papermaker::wire::{About, Action, Said};

use crate::support::{self, talk::words};

const BTC: InstrumentId = InstrumentId(0);
const ETH: InstrumentId = InstrumentId(1);

type Talk = support::talk::Talk<Conversation<AdvancedTrade>>;

fn product(symbol: &str, tick: &str) -> Instrument {
    let step = |text| Step::parse(text).unwrap();
    Instrument::new(VenueId::Coinbase, symbol, &symbol[..3], "USD", step(tick), step("0.00000001")).unwrap()
}

fn talk_with(options: Options) -> Talk {
    let list = vec![(BTC, product("BTC-USD", "0.01")), (ETH, product("ETH-USD", "0.01"))];
    let mut talk = Talk::about(Conversation::new(AdvancedTrade::new(), list, options, &COINBASE));
    talk.open();
    talk
}

fn talk() -> Talk {
    talk_with(Options::default())
}

/// Two books in step after message 1, each 1@100.00 / 1@101.00.
fn in_step() -> Talk {
    let mut talk = talk();
    for (number, symbol) in [(0, "BTC-USD"), (1, "ETH-USD")] {
        let said = talk.hear(book(number, "snapshot", symbol, "bid 100.00 1, offer 101.00 1"));
        assert_eq!(words(&said), [format!("snapshot {number}"), "live".to_owned()]);
    }
    talk
}

/// `levels` like `bid 100.00 1, offer 101.00 0`.
fn book(number: u64, kind: &str, symbol: &str, levels: &str) -> String {
    let level = |l: &str| {
        let mut parts = l.split_whitespace();
        let mut part = || parts.next().expect("side, price, quantity");
        format!(
            r#"{{"side":"{}","event_time":"2026-09-21T10:00:00.05Z","price_level":"{}","new_quantity":"{}"}}"#,
            part(),
            part(),
            part()
        )
    };
    let levels: Vec<_> = levels.split(',').filter(|l| !l.trim().is_empty()).map(level).collect();
    format!(
        r#"{{"channel":"l2_data","client_id":"","timestamp":"2026-09-21T10:00:00.051Z","sequence_num":{number},"events":[{{"type":"{kind}","product_id":"{symbol}","updates":[{}]}}]}}"#,
        levels.join(",")
    )
}

/// Prints of BTC at 101.00 whose makers were on `side`.
fn trades(number: u64, kind: &str, ids: &[u64], side: &str) -> String {
    let print = |id: &u64| {
        format!(
            r#"{{"product_id":"BTC-USD","trade_id":"{id}","price":"101","size":"0.25","time":"2026-09-21T10:00:00.{id}Z","side":"{side}"}}"#
        )
    };
    let prints: Vec<_> = ids.iter().map(print).collect();
    format!(
        r#"{{"channel":"market_trades","timestamp":"2026-09-21T10:00:00.25Z","sequence_num":{number},"events":[{{"type":"{kind}","trades":[{}]}}]}}"#,
        prints.join(",")
    )
}

fn beat(number: u64, count: u64) -> String {
    format!(
        r#"{{"channel":"heartbeats","timestamp":"2026-09-21T10:00:01Z","sequence_num":{number},"events":[{{"current_time":"2026-09-21 10:00:01.0 +0000 UTC m=+123","heartbeat_counter":{count}}}]}}"#
    )
}

fn status(number: u64, fields: &str) -> String {
    format!(
        r#"{{"channel":"status","timestamp":"2026-09-21T10:00:01Z","sequence_num":{number},"events":[{{"type":"update","products":[{{"product_type":"SPOT","id":"BTC-USD",{fields}}}]}}]}}"#
    )
}

/// The best levels of a book as `price price`, in cents.
fn touch(talk: &Talk, instrument: InstrumentId) -> Option<(i64, i64)> {
    let book = talk.book(instrument)?;
    Some((book.best(Side::Bid)?.price.0, book.best(Side::Ask)?.price.0))
}

#[test]
fn case_01_a_skipped_number_puts_every_book_of_the_connection_in_doubt() {
    let mut talk = in_step();
    assert_eq!(words(&talk.hear(book(2, "update", "BTC-USD", "bid 100.50 1"))), ["delta 2"]);
    // Message 3 never came; message 4 is about ETH, but 3 may have been about either.
    let said = talk.hear(book(4, "update", "ETH-USD", "bid 100.60 1"));
    assert_eq!(words(&said), ["gap 3 4", "gap 3 4", "reconnect"]);
    assert_eq!((touch(&talk, BTC), touch(&talk, ETH)), (None, None));
    // Nothing is believed of this socket any more; the next one begins with its own count.
    assert_eq!(words(&talk.hear(book(5, "update", "ETH-USD", "bid 100.60 1"))), [""; 0]);
    talk.close("given up");
    talk.open();
    let said = talk.hear(book(0, "snapshot", "ETH-USD", "bid 99.00 1, offer 99.50 1"));
    assert_eq!(words(&said), ["snapshot 0", "live"]);
    assert_eq!(touch(&talk, ETH), Some((9_900, 9_950)));
}

#[test]
fn case_01_a_number_missing_between_channels_counts_as_well() {
    let mut talk = in_step();
    assert_eq!(words(&talk.hear(beat(2, 7))), [""; 0]);
    assert_eq!(words(&talk.hear(trades(3, "update", &[501], "SELL"))), ["trade 501"]);
    assert_eq!(words(&talk.hear(beat(5, 8))), ["gap 4 5", "gap 4 5", "reconnect"]);
}

#[test]
fn case_01_a_missing_heartbeat_counts_as_well() {
    let mut talk = in_step();
    talk.hear(beat(2, 7));
    assert_eq!(words(&talk.hear(beat(3, 9))), ["gap 8 9", "gap 8 9", "reconnect"]);
}

#[test]
fn case_02_what_was_seen_before_changes_nothing() {
    let mut talk = in_step();
    talk.hear(book(2, "update", "BTC-USD", "bid 100.50 1"));
    assert_eq!(words(&talk.hear(book(2, "update", "BTC-USD", "bid 100.70 1"))), [""; 0]);
    assert_eq!(words(&talk.hear(book(0, "snapshot", "BTC-USD", ""))), [""; 0]);
    assert_eq!(touch(&talk, BTC), Some((10_050, 10_100)));
    assert_eq!(talk.protocol.counts().duplicates, 2);
    assert_eq!(words(&talk.hear(book(3, "update", "BTC-USD", "bid 100.70 1"))), ["delta 3"]);
}

#[test]
fn case_02_trades_repeated_after_a_subscription_are_no_news() {
    let mut talk = in_step();
    // The list of old ones, newest first, and then one message with two new ones.
    assert_eq!(words(&talk.hear(trades(2, "snapshot", &[502, 501, 500], "SELL"))), [""; 0]);
    assert_eq!(words(&talk.hear(trades(3, "update", &[504, 503], "SELL"))), ["trade 503", "trade 504"]);
    talk.close("1006");
    talk.open();
    assert_eq!(words(&talk.hear(trades(0, "snapshot", &[504, 503, 502], "SELL"))), [""; 0]);
    assert_eq!(words(&talk.hear(trades(1, "update", &[505, 504], "SELL"))), ["trade 505"]);
    assert_eq!(talk.protocol.counts().duplicate_trades, 1);
    // A hole in the ids is told, and only told.
    assert_eq!(words(&talk.hear(trades(2, "update", &[508], "SELL"))), ["protocol_error", "trade 508"]);
    assert_eq!(talk.protocol.counts().missed_trades, 2);
}

#[test]
fn case_03_of_two_swapped_messages_the_first_is_a_gap() {
    let mut talk = in_step();
    let said = talk.hear(book(3, "update", "BTC-USD", "bid 100.60 1"));
    assert_eq!(words(&said), ["gap 2 3", "gap 2 3", "reconnect"]);
    assert_eq!(words(&talk.hear(book(2, "update", "BTC-USD", "bid 100.50 1"))), [""; 0]);
}

#[test]
fn case_07_a_snapshot_nobody_asked_for_replaces_the_book() {
    let mut talk = in_step();
    let said = talk.hear(book(2, "snapshot", "BTC-USD", "bid 90.00 1, offer 91.00 1"));
    assert_eq!(words(&said), ["snapshot 2"]);
    assert_eq!(touch(&talk, BTC), Some((9_000, 9_100)));
    assert_eq!(talk.book(BTC).unwrap().depth(Side::Bid), 1);
}

#[test]
fn case_08_a_closed_socket_voids_books_and_a_new_one_subscribes_once() {
    let mut talk = in_step();
    assert_eq!(words(&talk.close("1001 going away")), ["disconnected"]);
    assert_eq!(touch(&talk, BTC), None);
    // Frames of the old socket are nobody's.
    assert_eq!(words(&talk.hear(book(2, "update", "BTC-USD", "bid 100.50 1"))), [""; 0]);
    let wishes: Vec<_> = words(&talk.open()).into_iter().filter(|w| w.starts_with("send")).collect();
    assert_eq!(wishes.len(), 1 + 2 * 3);
    assert_eq!(wishes[0], r#"send {"type":"subscribe","channel":"heartbeats"}"#);
    assert_eq!(wishes.iter().filter(|w| w.contains(r#"["BTC-USD"],"channel":"level2""#)).count(), 1);
    // A change before the snapshot says nothing.
    assert_eq!(words(&talk.hear(book(0, "update", "BTC-USD", "bid 100.50 1"))), [""; 0]);
}

#[test]
fn case_09_five_seconds_without_a_heartbeat_are_the_end() {
    let mut talk = in_step();
    for n in 0..20 {
        assert!(!words(&talk.wait_ms(1_000)).contains(&"reconnect".to_owned()), "after {n} s");
        talk.hear(beat(2 + n, 100 + n));
    }
    let said = words(&talk.wait_ms(5_500));
    assert_eq!(said.iter().filter(|w| *w == "reconnect").count(), 1, "{said:?}");
}

#[test]
fn case_10_too_many_requests_are_followed_by_silence() {
    let mut talk = in_step();
    let said = talk.hear(r#"{"type":"error","message":"rate limit exceeded"}"#);
    assert_eq!(words(&said)[0], "rate_limited");
    assert!(matches!(said[1], Said::Do(Action::Reconnect { wait: Nanos(10_000_000_000), .. })), "{said:?}");
}

#[test]
fn case_11_an_unreadable_book_message_costs_that_book_and_no_other() {
    let mut talk = in_step();
    let cut = &book(2, "update", "BTC-USD", "bid 100.50 1")[..150];
    let said = words(&talk.hear(cut));
    let wishes = ["unsubscribe", "subscribe"]
        .map(|kind| format!(r#"send {{"type":"{kind}","product_ids":["BTC-USD"],"channel":"level2"}}"#));
    assert_eq!(said, ["protocol_error", "gap 1 0", "resync", &wishes[0], &wishes[1]]);
    // It came, so nothing is missing.
    assert_eq!(words(&talk.hear(book(3, "update", "ETH-USD", "bid 100.10 1"))), ["delta 3"]);
    assert_eq!(words(&talk.hear(book(4, "update", "BTC-USD", "bid 100.60 1"))), [""; 0]);
    let said = talk.hear(book(5, "snapshot", "BTC-USD", "bid 100.00 1, offer 101.00 1"));
    assert_eq!(words(&said), ["snapshot 5", "live"]);
}

#[test]
fn case_11_what_is_new_or_odd_is_ignored_and_counted() {
    let mut talk = in_step();
    for frame in [
        r#"{"channel":"futures_balance","sequence_num":2,"events":[{"type":"?"}]}"#,
        r#"{"channel":"ticker","sequence_num":3,"events":[{"type":"update","tickers":[]}]}"#,
        r#"{"channel":"l2_data","sequence_num":4,"events":[{"type":"update","product_id":"SOL-USD","updates":[{}]}]}"#,
        r#"{"channel":"l2_data","sequence_num":5,"events":[]}"#,
        r#"{"type":"notice"}"#,
    ] {
        assert_eq!(words(&talk.hear(frame)), [""; 0], "{frame}");
    }
    assert_eq!(talk.protocol.counts().ignored, 5);
    let more = book(6, "update", "BTC-USD", "bid 100.50 1").replace("{\"", "{\"st\":1,\"");
    assert_eq!(words(&talk.hear(more)), ["delta 6"]);
    for bytes in [&b"\xff\xfe{"[..], b"", b"\"\"", b"null"] {
        talk = in_step();
        let said = words(&talk.hear(bytes));
        assert!(said.contains(&"protocol_error".to_owned()), "{bytes:?}: {said:?}");
    }
}

#[test]
fn case_12_a_snapshot_of_eight_megabytes_is_a_book() {
    // 38,000 bids and as many offers, about 110 bytes each.
    let bids = (0..38_000).map(|n| format!("bid {}.00 1.00000000", 50_000 - n));
    let offers = (0..38_000).map(|n| format!("offer {}.00 1.00000000", 50_001 + n));
    let frame = book(0, "snapshot", "BTC-USD", &bids.chain(offers).collect::<Vec<_>>().join(","));
    assert!(frame.len() > 8_000_000);
    let mut talk = talk();
    assert_eq!(words(&talk.hear(&frame)), ["snapshot 0", "live"]);
    assert_eq!(talk.protocol.dialect().parsed_slowly(), 0);
    let book = talk.book(BTC).unwrap();
    assert_eq!((book.depth(Side::Bid), book.depth(Side::Ask)), (38_000, 38_000));
    assert_eq!(touch(&talk, BTC), Some((5_000_000, 5_000_100)));
}

#[test]
fn case_13_a_book_is_judged_after_whole_messages() {
    let mut talk = in_step();
    // The bid passes the offer that the same message removes.
    let said = talk.hear(book(2, "update", "BTC-USD", "bid 101.50 1, offer 101.00 0, offer 102.00 1"));
    assert_eq!(words(&said), ["delta 2"]);
    assert_eq!(touch(&talk, BTC), Some((10_150, 10_200)));
    // Of a price named twice the last counts.
    talk.hear(book(3, "update", "BTC-USD", "bid 101.50 0, bid 101.50 7"));
    assert_eq!(talk.book(BTC).unwrap().best(Side::Bid).unwrap().qty.0, 700_000_000);
    // A snapshot in disorder is put in order.
    talk.hear(book(4, "snapshot", "BTC-USD", "bid 98.00 1, bid 99.00 1, bid 98.00 3, offer 100.00 0, offer 101.00 1"));
    assert_eq!(touch(&talk, BTC), Some((9_900, 10_100)));
    assert_eq!(talk.book(BTC).unwrap().depth(Side::Ask), 1);
    // Crossed for longer than a second: it cannot be right.
    assert_eq!(words(&talk.hear(book(5, "update", "BTC-USD", "bid 101.00 1"))), ["delta 5"]);
    let said = words(&talk.wait_ms(1_500));
    assert_eq!((said[0].as_str(), said[1].as_str()), ("gap 6 5", "resync"));
}

#[test]
fn case_13_no_price_is_zero_and_no_quantity_negative() {
    for level in ["bid 0 1", "bid -1 1", "bid 100.00 -1", "bid 100.005 1", "bid 1e2 x"] {
        let mut talk = in_step();
        let said = words(&talk.hear(book(2, "update", "BTC-USD", level)));
        assert_eq!(said[..3], ["protocol_error", "gap 1 0", "resync"], "{level}");
        assert!(touch(&talk, ETH).is_some());
    }
}

#[test]
fn case_15_a_restricted_product_stops_trading_without_a_storm() {
    let mut talk = in_step();
    for (number, fields, expected) in [
        (2, r#""status":"online""#, None),
        (3, r#""status":"online","post_only":true"#, Some(Status::PostOnly)),
        (4, r#""status":"online","cancel_only":true"#, Some(Status::CancelOnly)),
        (5, r#""status":"online","cancel_only":true"#, None),
        // The word alone closes, and takes back no more than that.
        (6, r#""status":"online""#, None),
        (7, r#""status":"dreaming""#, Some(Status::Unknown)),
        (8, r#""status":"online""#, Some(Status::CancelOnly)),
        (9, r#""status":"online","cancel_only":false"#, Some(Status::Trading)),
        (10, r#""status":"delisted""#, Some(Status::Delisted)),
    ] {
        let expected: Vec<_> = expected.iter().map(|s| format!("status {s:?}")).collect();
        assert_eq!(words(&talk.hear(status(number, fields))), expected, "{fields}");
    }
    // The book is known all the same.
    assert_eq!(touch(&talk, BTC), Some((10_000, 10_100)));
}

#[test]
fn case_16_a_new_tick_voids_the_book_and_asks_for_it_anew() {
    let mut talk = talk_with(Options { rules_every: Nanos::from_s(2), ..Options::default() });
    talk.hear(book(0, "snapshot", "BTC-USD", "bid 100.00 1, offer 101.00 1"));
    let said = talk.wait_ms(2_250);
    let asked = said.iter().filter_map(|s| match s {
        Said::Do(Action::Fetch { about: About::Rules(nth), request: Request::Get { path, .. }, .. }) => {
            Some((*nth, path))
        }
        _ => None,
    });
    let paths = ["BTC-USD", "ETH-USD"].map(|s| format!("/api/v3/brokerage/market/products/{s}"));
    assert_eq!(asked.collect::<Vec<_>>(), [(0, &paths[0]), (1, &paths[1])]);
    let rules = |symbol: &str, tick: &str| {
        format!(
            r#"{{"product_id":"{symbol}","product_type":"SPOT","status":"online","price_increment":"{tick}","base_increment":"0.00000001","base_min_size":"0.00000001","base_max_size":"92233720368","quote_min_size":"0","base_currency_id":"{}","quote_currency_id":"USD","alias":""}}"#,
            &symbol[..3]
        )
    };
    assert_eq!(words(&talk.fetched(About::Rules(1), rules("ETH-USD", "0.01"))), [""; 0]);
    let said = words(&talk.fetched(About::Rules(0), rules("BTC-USD", "0.001")));
    assert_eq!(said[0], "rules");
    assert!(said.iter().any(|w| w.contains(r#""subscribe","product_ids":["BTC-USD"],"channel":"level2""#)), "{said:?}");
    assert_eq!(touch(&talk, BTC), None);
    // In thousandths now.
    let said = talk.hear(book(1, "snapshot", "BTC-USD", "bid 100.005 1, offer 101.00 1"));
    assert_eq!(words(&said)[0], "snapshot 1");
    assert_eq!(touch(&talk, BTC), Some((100_005, 101_000)));
}

#[test]
fn case_17_an_acknowledgement_is_not_data() {
    let mut talk = talk();
    let ack = r#"{"channel":"subscriptions","timestamp":"2026-09-21T10:00:00Z","sequence_num":0,"events":[{"subscriptions":{"level2":["BTC-USD"]}}]}"#;
    assert_eq!(words(&talk.hear(ack)), [""; 0]);
    let mut said = Vec::new();
    for n in 1..=12 {
        said.extend(words(&talk.wait_ms(1_000)));
        talk.hear(beat(n, n));
    }
    assert_eq!(said.iter().filter(|w| *w == "no_data depth").count(), 2, "{said:?}");
}

#[test]
fn case_17_an_unknown_product_is_refused_and_the_other_is_served() {
    let mut talk = talk();
    let said = talk.hear(r#"{"type":"error","message":"ETH-USD is not a valid product"}"#);
    let refused = |s: &Said| {
        matches!(s, Said::Feed { instrument: Some(ETH), kind: FeedEventKind::Refused { reason } }
            if reason == "ETH-USD is not a valid product")
    };
    assert!(matches!(said.as_slice(), [s] if refused(s)), "{said:?}");
    let said = talk.hear(book(0, "snapshot", "BTC-USD", "bid 100.00 1, offer 101.00 1"));
    assert_eq!(words(&said), ["snapshot 0", "live"]);
    // A refusal of nobody knows what is told.
    assert_eq!(words(&talk.hear(r#"{"type":"error","message":"no"}"#)), ["protocol_error"]);
}

#[test]
fn case_18_the_taker_is_not_the_side_the_venue_names() {
    let mut talk = in_step();
    // The maker sold at the best offer: somebody bought.
    for (number, maker, taker) in [(2, "SELL", Side::Bid), (3, "BUY", Side::Ask)] {
        let said = talk.hear(trades(number, "update", &[500 + number], maker));
        let taken = said.iter().find_map(|s| match s {
            Said::Market(event) => match event.kind {
                MarketEventKind::Trade { taker, .. } => Some(taker),
                _ => None,
            },
            _ => None,
        });
        assert_eq!(taken, Some(taker), "{maker}");
    }
}

#[test]
fn case_19_times_have_as_many_digits_as_they_like() {
    let mut talk = in_step();
    let time = |said: &[Said]| match &said[0] {
        Said::Market(event) => event.venue_time,
        other => panic!("{other:?}"),
    };
    // The latest level says when; ten o'clock is 1,789,984,800 s.
    let frame = book(2, "update", "BTC-USD", "bid 100.50 1");
    let at = |text: &str| frame.replace("2026-09-21T10:00:00.05Z", text);
    assert_eq!(time(&talk.hear(at("2026-09-21T10:00:00.123456789Z"))), Some(VenueTime(1_789_984_800_123_456_789)));
    // The venue's clock may jump back: order is by number.
    let frame = book(3, "update", "BTC-USD", "bid 100.51 1");
    let said = talk.hear(frame.replace("2026-09-21T10:00:00.05Z", "2026-09-21T09:00:00Z"));
    assert_eq!((time(&said), words(&said)[0].as_str()), (Some(VenueTime(1_789_981_200_000_000_000)), "delta 3"));
}

#[test]
fn golden_messages_are_read_or_ignored_for_a_reason() {
    let Some(dir) = support::data_dir() else { return };
    let dir = dir.join("golden");
    for (name, expected) in [
        ("ws_l2_data_snapshot", &["snapshot 0", "live"][..]),
        ("ws_market_trades", &["trade 995098700", "trade 995098701"]),
        ("ws_heartbeats", &[]),
        ("ws_subscriptions", &[]),
        ("ws_candles", &[]),
        ("ws_ticker", &[]),
    ] {
        let frame = std::fs::read(dir.join(format!("nautilus/coinbase/{name}.json"))).unwrap();
        let mut talk = talk();
        assert_eq!(words(&talk.hear(&frame)), expected, "{name}");
        assert_eq!(talk.protocol.counts().errors, 0);
    }
    let read = |name: &str| std::fs::read(dir.join(format!("nautilus/coinbase/{name}.json"))).unwrap();
    let mut talk = talk();
    talk.hear(read("ws_l2_data_snapshot"));
    assert_eq!(words(&talk.hear(read("ws_l2_data_update"))), ["delta 1"]);
    assert_eq!(touch(&talk, BTC), Some((6_890_000, 6_890_150)));
    // The other feed of the house has other words; they are none of ours, and do no harm.
    let texts = [
        std::fs::read_to_string(dir.join("tardis-node/map_coinbase_messages.jsonl")).unwrap(),
        std::fs::read_to_string(dir.join("tardis-node/map_coinbase_international_messages.jsonl")).unwrap(),
        std::fs::read_to_string(dir.join("crypto-msg-parser/coinbase_pro.jsonl")).unwrap(),
    ];
    for line in texts.iter().flat_map(|text| text.lines()) {
        let value: serde_json::Value = serde_json::from_str(line).unwrap();
        let frame = value.get("raw").and_then(|raw| raw.as_str()).unwrap_or(line);
        let mut talk = self::talk();
        assert_eq!(words(&talk.hear(frame)), [""; 0], "{frame}");
        assert_eq!((talk.protocol.counts().ignored, talk.protocol.counts().errors), (1, 0), "{frame}");
    }
    assert!(COINBASE.read_rules(&[read("http_product")]).unwrap()[0].rules.is_ok());
}
