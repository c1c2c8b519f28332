//! Kraken spot v2, case by case.
//!
//! Checksums are made here as the venue's guide says, of texts: what the bot makes of integers must come to the same.

use papermaker::market::{FeedEventKind, Instrument, InstrumentId, MarketEventKind, Status, VenueId};
use papermaker::units::{Nanos, Side, Step, VenueTime};
use papermaker::wire::conversation::Conversation;
use papermaker::wire::dialect::{Exchange, Options};
use papermaker::wire::kraken::{KRAKEN, SpotV2};
use papermaker::wire::{Action, Said};

use crate::support::{self, talk::words};

const BTC: InstrumentId = InstrumentId(0);
const ETH: InstrumentId = InstrumentId(1);

type Talk = support::talk::Talk<Conversation<SpotV2>>;

fn pair(symbol: &str, tick: &str) -> Instrument {
    let step = |text| Step::parse(text).unwrap();
    let (base, quote) = symbol.split_once('/').unwrap();
    Instrument::new(VenueId::Kraken, symbol, base, quote, step(tick), step("0.00000001")).unwrap()
}

fn talk_about(list: Vec<(InstrumentId, Instrument)>, depth: u32) -> Talk {
    let options = Options { depth, ..Options::default() };
    let mut talk = Talk::about(Conversation::new(SpotV2::new(depth), list, options, &KRAKEN));
    talk.open();
    talk
}

fn talk() -> Talk {
    talk_about(vec![(BTC, pair("BTC/USD", "0.1")), (ETH, pair("ETH/USD", "0.1"))], 10)
}

/// One side's levels as the venue writes them, best first: `45285.2 0.00100000`.
type Side10<'a> = &'a [(&'a str, &'a str)];

/// Kraken's own example.
const ASKS: [(&str, &str); 10] = [
    ("45285.2", "0.00100000"),
    ("45286.4", "1.54571953"),
    ("45286.6", "1.54571109"),
    ("45289.6", "1.54560911"),
    ("45290.2", "0.15890660"),
    ("45291.8", "1.54553491"),
    ("45294.7", "0.04454749"),
    ("45296.1", "0.35380000"),
    ("45297.5", "0.09945542"),
    ("45299.5", "0.18772827"),
];
const BIDS: [(&str, &str); 10] = [
    ("45283.5", "0.10000000"),
    ("45283.4", "1.54582015"),
    ("45282.1", "0.10000000"),
    ("45281.0", "0.10000000"),
    ("45280.3", "1.54592586"),
    ("45279.0", "0.07990000"),
    ("45277.6", "0.03310103"),
    ("45277.5", "0.30000000"),
    ("45277.3", "1.54602737"),
    ("45276.6", "0.15445238"),
];
const SUM: u32 = 3_310_070_434;

/// Digits without the point and without leading zeros, asks first.
fn sum(bids: Side10<'_>, asks: Side10<'_>) -> u32 {
    let digits = |text: &str| text.replace('.', "").trim_start_matches('0').to_owned();
    let side = |side: Side10<'_>| -> String {
        side.iter().take(10).map(|(price, qty)| digits(price) + &digits(qty)).collect()
    };
    crc32fast::hash((side(asks) + &side(bids)).as_bytes())
}

fn book(kind: &str, symbol: &str, bids: Side10<'_>, asks: Side10<'_>, sum: u32) -> String {
    let side = |side: Side10<'_>| {
        let levels: Vec<_> = side.iter().map(|(price, qty)| format!(r#"{{"price":{price},"qty":{qty}}}"#)).collect();
        levels.join(",")
    };
    format!(
        r#"{{"channel":"book","type":"{kind}","data":[{{"symbol":"{symbol}","bids":[{}],"asks":[{}],"checksum":{sum},"timestamp":"2026-09-21T10:00:00.441120Z"}}]}}"#,
        side(bids),
        side(asks)
    )
}

fn update(bids: Side10<'_>, asks: Side10<'_>, sum: u32) -> String {
    book("update", "BTC/USD", bids, asks, sum)
}

/// Both books in step, each the example.
fn in_step() -> Talk {
    let mut talk = talk();
    for symbol in ["BTC/USD", "ETH/USD"] {
        assert_eq!(words(&talk.hear(book("snapshot", symbol, &BIDS, &ASKS, SUM))), ["snapshot 0", "live"]);
    }
    talk
}

fn trade(id: u64, side: &str, time: &str) -> String {
    format!(
        r#"{{"channel":"trade","type":"update","data":[{{"symbol":"BTC/USD","side":"{side}","price":45285.2,"qty":0.00027625,"ord_type":"market","trade_id":{id},"timestamp":"{time}"}}]}}"#
    )
}

fn instrument(symbol: &str, status: &str, precision: u32) -> String {
    let increment = format!("0.{:0>1$}", 1, precision as usize);
    format!(
        r#"{{"channel":"instrument","type":"update","data":{{"assets":[],"pairs":[{{"symbol":"{symbol}","base":"{}","quote":"USD","status":"{status}","price_precision":{precision},"price_increment":{increment},"qty_precision":8,"qty_increment":0.00000001,"qty_min":0.00000001,"cost_min":0}}]}}}}"#,
        &symbol[..3]
    )
}

/// What a mismatch of BTC's book makes us say.
fn resynced(said: &[Said]) {
    let asks = ["unsubscribe", "subscribe"].map(|method| {
        format!(r#"send {{"method":"{method}","params":{{"channel":"book","symbol":["BTC/USD"],"depth":10}}}}"#)
    });
    assert_eq!(words(said), ["checksum_mismatch", "gap 0 0", "resync", &asks[0], &asks[1]]);
}

fn best(talk: &Talk, side: Side) -> Option<(i64, i64)> {
    talk.book(BTC)?.best(side).map(|l| (l.price.0, l.qty.0))
}

#[test]
fn case_01_a_lost_change_is_noticed_at_the_next_one() {
    let mut talk = in_step();
    // The best bid grew, and we did not hear; then the best ask grows, and the sum is over both.
    let (mut bids, mut asks) = (BIDS, ASKS);
    (bids[0].1, asks[0].1) = ("0.20000000", "0.00200000");
    resynced(&talk.hear(update(&[], &asks[..1], sum(&bids, &asks))));
    assert_eq!(best(&talk, Side::Bid), None);
    assert!(talk.book(ETH).is_some());
}

#[test]
fn case_02_a_change_that_comes_twice_changes_nothing() {
    let mut talk = in_step();
    let mut bids = BIDS;
    bids[0].1 = "0.20000000";
    let frame = update(&bids[..1], &[], sum(&bids, &ASKS));
    assert_eq!(words(&talk.hear(&frame)), ["delta 0"]);
    assert_eq!(words(&talk.hear(&frame)), ["delta 0"]);
    assert_eq!(best(&talk, Side::Bid), Some((452_835, 20_000_000)));
}

#[test]
fn case_02_trades_come_once() {
    let mut talk = in_step();
    let ten = "2026-09-21T10:00:00.500001Z";
    assert_eq!(words(&talk.hear(trade(7, "buy", ten))), ["trade 7"]);
    assert_eq!(words(&talk.hear(trade(7, "buy", ten))), [""; 0]);
    assert_eq!(words(&talk.hear(trade(8, "buy", ten))), ["trade 8"]);
    assert_eq!(words(&talk.hear(trade(11, "buy", ten))), ["protocol_error", "trade 11"]);
    let counts = talk.protocol.counts();
    assert_eq!((counts.duplicate_trades, counts.missed_trades), (1, 2));
    // What was traded before we came is no news.
    let old = trade(3, "buy", ten).replace("\"update\"", "\"snapshot\"");
    assert_eq!(words(&talk.hear(old)), [""; 0]);
}

#[test]
fn case_03_of_two_swapped_changes_the_first_does_not_add_up() {
    let mut talk = in_step();
    let mut bids = BIDS;
    bids[0].1 = "0.20000000";
    let mut later = bids;
    later[1].1 = "0.30000000";
    resynced(&talk.hear(update(&later[1..2], &[], sum(&later, &ASKS))));
    // The first one comes too late to say anything.
    assert_eq!(words(&talk.hear(update(&bids[..1], &[], sum(&bids, &ASKS)))), [""; 0]);
}

#[test]
fn case_06_the_venues_example_adds_up() {
    assert_eq!(sum(&BIDS, &ASKS), SUM);
    let mut talk = in_step();
    // (a) A bid comes in between, the tenth falls out of the window: we say so, the venue does not.
    let said = talk.hear(update(&[("45282.9", "0.25000000")], &[], 3_374_316_254));
    assert_eq!(words(&said), ["delta 0"]);
    match &said[0] {
        Said::Market(event) => match &event.kind {
            MarketEventKind::Delta { bids, .. } => {
                let bids: Vec<_> = bids.iter().map(|l| (l.price.0, l.qty.0)).collect();
                assert_eq!(bids, [(452_829, 25_000_000), (452_766, 0)]);
            }
            other => panic!("{other:?}"),
        },
        other => panic!("{other:?}"),
    }
    assert_eq!(talk.book(BTC).unwrap().depth(Side::Bid), 10);
    // (b) It goes again, and the tenth is sent again.
    let said = talk.hear(update(&[("45282.9", "0.0"), ("45276.6", "0.15445238")], &[], SUM));
    assert_eq!(words(&said), ["delta 0"]);
}

#[test]
fn case_06_a_thin_book_of_tiny_prices_adds_up() {
    let mut talk = talk_about(vec![(BTC, pair("BTC/USD", "0.00001"))], 10);
    let asks = [("0.05005", "0.00000500"), ("0.05010", "12.00000000")];
    let said = talk.hear(book("snapshot", "BTC/USD", &[("0.05000", "0.00000500")], &asks, 2_312_006_499));
    assert_eq!(words(&said), ["snapshot 0", "live"]);
    // A side may be empty.
    assert_eq!(words(&talk.hear(update(&[("0.05000", "0")], &[], sum(&[], &asks)))), ["delta 0"]);
    assert_eq!(words(&talk.hear(update(&[], &[(asks[0].0, "0"), (asks[1].0, "0")], 0))), ["delta 0"]);
}

#[test]
fn case_06_one_wrong_digit_costs_that_book_and_no_other() {
    let mut talk = in_step();
    let mut bids = BIDS;
    bids[8].1 = "1.54602738";
    let right = sum(&bids, &ASKS);
    resynced(&talk.hear(update(&[("45277.3", "1.54602739")], &[], right)));
    assert!(talk.book(ETH).is_some());
    // Changes say nothing until the book comes anew; then everything is as before.
    assert_eq!(words(&talk.hear(update(&bids[8..9], &[], right))), [""; 0]);
    assert_eq!(words(&talk.hear(book("snapshot", "BTC/USD", &bids, &ASKS, right))), ["snapshot 0", "live"]);
    assert_eq!(words(&talk.hear(update(&BIDS[8..9], &[], SUM))), ["delta 0"]);
}

#[test]
fn case_06_after_three_mismatches_in_a_minute_the_connection_is_opened_anew() {
    let mut talk = in_step();
    let wrong = book("snapshot", "BTC/USD", &BIDS, &ASKS, 1);
    for _ in 0..3 {
        resynced(&talk.hear(&wrong));
    }
    let said = words(&talk.hear(&wrong));
    assert_eq!(said, ["checksum_mismatch", "gap 0 0", "reconnect"]);
}

#[test]
fn case_06_a_snapshot_may_come_without_a_sum_and_a_change_may_not() {
    let mut talk = talk();
    let frame = book("snapshot", "BTC/USD", &BIDS, &ASKS, 0).replace(",\"checksum\":0", "");
    assert_eq!(words(&talk.hear(frame)), ["snapshot 0", "live"]);
    let frame = update(&BIDS[..1], &[], 0).replace(",\"checksum\":0", "");
    assert_eq!(words(&talk.hear(frame))[..3], ["protocol_error", "gap 1 0", "resync"]);
}

#[test]
fn case_07_a_snapshot_nobody_asked_for_replaces_the_book() {
    let mut talk = in_step();
    let (bids, asks) = (&BIDS[3..], &ASKS[5..]);
    assert_eq!(words(&talk.hear(book("snapshot", "BTC/USD", bids, asks, sum(bids, asks)))), ["snapshot 0"]);
    assert_eq!(
        (best(&talk, Side::Bid), best(&talk, Side::Ask)),
        (Some((452_810, 10_000_000)), Some((452_918, 154_553_491)))
    );
}

#[test]
fn case_08_a_closed_socket_voids_books_and_a_new_one_subscribes_once() {
    let mut talk = in_step();
    assert_eq!(words(&talk.close("1006")), ["disconnected"]);
    assert_eq!(best(&talk, Side::Bid), None);
    assert_eq!(words(&talk.hear(update(&BIDS[..1], &[], SUM))), [""; 0]);
    let said = words(&talk.open());
    assert_eq!(
        said,
        [
            "connected",
            r#"send {"method":"subscribe","params":{"channel":"instrument","snapshot":true}}"#,
            r#"send {"method":"subscribe","params":{"channel":"book","symbol":["BTC/USD","ETH/USD"],"depth":10}}"#,
            r#"send {"method":"subscribe","params":{"channel":"trade","symbol":["BTC/USD","ETH/USD"],"snapshot":false}}"#,
        ]
    );
    assert_eq!(words(&talk.hear(update(&BIDS[..1], &[], SUM))), [""; 0]);
    assert_eq!(words(&talk.hear(book("snapshot", "BTC/USD", &BIDS, &ASKS, SUM))), ["snapshot 0", "live"]);
}

#[test]
fn case_09_we_ping_now_and_then_and_silence_is_the_end() {
    let mut talk = in_step();
    let mut said = Vec::new();
    for _ in 0..29 {
        said.extend(words(&talk.wait_ms(1_000)));
        talk.hear(r#"{"channel":"heartbeat"}"#);
    }
    assert!(!said.iter().any(|w| w.starts_with("send") || w == "reconnect"), "{said:?}");
    talk.hear(update(&BIDS[..1], &[], SUM));
    talk.hear(book("update", "ETH/USD", &BIDS[..1], &[], SUM));
    let said = words(&talk.wait_ms(2_000));
    assert_eq!(said.iter().filter(|w| *w == r#"send {"method":"ping"}"#).count(), 1, "{said:?}");
    let pong = r#"{"method":"pong","req_id":42,"time_in":"2023-09-25T09:05:00.123456Z","time_out":"2023-09-25T09:05:00.123500Z"}"#;
    assert_eq!(words(&talk.hear(pong)), [""; 0]);
    let said = words(&talk.wait_ms(5_500));
    assert_eq!(said.iter().filter(|w| *w == "reconnect").count(), 1, "{said:?}");
}

#[test]
fn case_10_too_many_requests_are_followed_by_silence() {
    let mut talk = in_step();
    let said = talk.hear(r#"{"method":"subscribe","success":false,"error":"Exceeded msg rate"}"#);
    assert_eq!(words(&said), ["protocol_error"]);
    let said = talk.hear(r#"{"method":"subscribe","success":false,"error":"EGeneral:Too many requests"}"#);
    assert!(matches!(said[1], Said::Do(Action::Reconnect { wait: Nanos(10_000_000_000), .. })), "{said:?}");
}

#[test]
fn case_11_an_unreadable_book_message_costs_that_book_and_no_other() {
    for (frame, whose) in [
        (update(&BIDS[..1], &[], SUM)[..120].to_owned(), BTC),
        (update(&BIDS[..1], &[], SUM).replace("\"bids\"", "\"bids\":7,\"no\""), BTC),
        (book("update", "ETH/USD", &[("45283.55", "1")], &[], SUM), ETH),
        (book("update", "ETH/USD", &[], &[], SUM).replace("\"update\"", "\"news\""), ETH),
    ] {
        let mut talk = in_step();
        let said = talk.hear(&frame);
        assert_eq!(words(&said)[..3], ["protocol_error", "gap 1 0", "resync"], "{frame}");
        assert_eq!((talk.book(BTC).is_none(), talk.book(ETH).is_none()), (whose == BTC, whose == ETH), "{frame}");
    }
    for bytes in [&b"\xff\xfe{"[..], b"", b"null", b"\"\"", b"{\"channel\":7}"] {
        let mut talk = in_step();
        let said = words(&talk.hear(bytes));
        assert!(said.contains(&"protocol_error".to_owned()), "{bytes:?}: {said:?}");
    }
}

#[test]
fn case_11_what_is_new_or_odd_is_ignored_and_counted() {
    let mut talk = in_step();
    for frame in [
        r#"{"channel":"ticker","type":"update","data":[{"symbol":"BTC/USD","bid":1.0}]}"#,
        r#"{"channel":"level4","type":"update","data":7}"#,
        r#"{"channel":"book","type":"update","data":[]}"#,
        r#"{"channel":"book","type":"update","data":[{"symbol":"SOL/USD","bids":[],"asks":[],"checksum":9}]}"#,
        r#"{"event":"heartbeat"}"#,
    ] {
        assert_eq!(words(&talk.hear(frame)), [""; 0], "{frame}");
    }
    assert_eq!((talk.protocol.counts().ignored, talk.protocol.counts().errors), (5, 0));
    let more = update(&BIDS[..1], &[], SUM).replace("{\"", "{\"st\":[1],\"");
    assert_eq!(words(&talk.hear(more)), ["delta 0"]);
}

#[test]
fn case_13_a_book_is_judged_after_whole_messages() {
    let mut talk = in_step();
    // The bid passes the ask that the same message removes; of a price named twice the last counts.
    let (mut bids, mut asks) = (BIDS.to_vec(), ASKS.to_vec());
    bids.insert(0, ("45285.2", "3.00000000"));
    asks.remove(0);
    bids.truncate(10);
    let levels = [("45285.2", "9"), ("45285.2", "3")];
    let said = talk.hear(update(&levels, &[("45285.2", "0")], sum(&bids, &asks)));
    assert_eq!(words(&said), ["delta 0"]);
    assert_eq!((best(&talk, Side::Bid), best(&talk, Side::Ask).unwrap().0), (Some((452_852, 300_000_000)), 452_864));
    // A snapshot in disorder is put in order.
    let (mut bids, mut asks) = (BIDS, ASKS);
    bids.reverse();
    asks.swap(2, 7);
    assert_eq!(words(&talk.hear(book("snapshot", "BTC/USD", &bids, &asks, SUM))), ["snapshot 0"]);
    assert_eq!(best(&talk, Side::Bid), Some((452_835, 10_000_000)));
    for level in [("0", "1"), ("-1", "1"), ("45283.5", "-1")] {
        let mut talk = in_step();
        assert_eq!(words(&talk.hear(update(&[level], &[], SUM)))[..3], ["protocol_error", "gap 1 0", "resync"]);
    }
}

#[test]
fn case_14_a_level_out_of_the_window_is_forgotten() {
    let mut talk = in_step();
    // Ten better bids push all of them out at once.
    let better: Vec<_> = (0..10).map(|n| format!("45284.{}", 9 - n)).collect();
    let better: Vec<_> = better.iter().map(|price| (price.as_str(), "1.00000000")).collect();
    assert_eq!(words(&talk.hear(update(&better, &[], sum(&better, &ASKS)))), ["delta 0"]);
    let book = talk.book(BTC).unwrap();
    assert_eq!((book.depth(Side::Bid), book.levels(Side::Bid).last().unwrap().price.0), (10, 452_840));
    // They go again, and the venue sends again what it wants us to know: five of the old ones.
    let gone: Vec<_> = better[5..].iter().map(|(price, _)| (*price, "0")).collect();
    let levels: Vec<_> = gone.iter().chain(&BIDS[..5]).copied().collect();
    let now: Vec<_> = better[..5].iter().chain(&BIDS[..5]).copied().collect();
    assert_eq!(words(&talk.hear(update(&levels, &[], sum(&now, &ASKS)))), ["delta 0"]);
    assert_eq!(talk.book(BTC).unwrap().depth(Side::Bid), 10);
}

#[test]
fn case_15_a_restricted_market_stops_trading_without_a_storm() {
    let mut talk = in_step();
    let system = |word: &str| {
        format!(
            r#"{{"channel":"status","type":"update","data":[{{"system":"{word}","api_version":"v2","connection_id":12,"version":"2.0.10"}}]}}"#
        )
    };
    let statuses = |statuses: &[Status]| statuses.iter().map(|s| format!("status {s:?}")).collect::<Vec<_>>();
    use Status::{CancelOnly, Halted, PostOnly, Trading, Unknown};
    assert_eq!(words(&talk.hear(system("online"))), [""; 0]);
    assert_eq!(words(&talk.hear(instrument("BTC/USD", "online", 1))), [""; 0]);
    assert_eq!(words(&talk.hear(instrument("BTC/USD", "cancel_only", 1))), statuses(&[CancelOnly]));
    assert_eq!(words(&talk.hear(instrument("BTC/USD", "limit_only", 1))), statuses(&[PostOnly]));
    assert_eq!(words(&talk.hear(system("maintenance"))), statuses(&[Halted, Halted]));
    assert_eq!(words(&talk.hear(instrument("BTC/USD", "online", 1))), [""; 0]);
    assert_eq!(words(&talk.hear(system("online"))), statuses(&[Trading, Trading]));
    assert_eq!(words(&talk.hear(instrument("BTC/USD", "dreaming", 1))), statuses(&[Unknown]));
    // The book is known all the same.
    assert_eq!(words(&talk.hear(update(&BIDS[..1], &[], SUM))), ["delta 0"]);
}

#[test]
fn case_16_a_new_tick_voids_the_book_and_asks_for_it_anew() {
    let mut talk = in_step();
    let said = words(&talk.hear(instrument("BTC/USD", "online", 2)));
    assert_eq!(said[0], "rules");
    assert!(said[1].contains("unsubscribe") && said[2].contains("subscribe"), "{said:?}");
    // Digits at the new precision.
    let finer: Vec<_> = BIDS.iter().map(|(price, qty)| (format!("{price}0"), *qty)).collect();
    let bids: Vec<_> = finer.iter().map(|(price, qty)| (price.as_str(), *qty)).collect();
    let asks = [("45285.21", "0.00100000")];
    let said = talk.hear(book("snapshot", "BTC/USD", &bids, &asks, sum(&bids, &asks)));
    assert_eq!(words(&said), ["snapshot 0", "live"]);
    assert_eq!(
        (best(&talk, Side::Bid), best(&talk, Side::Ask)),
        (Some((4_528_350, 10_000_000)), Some((4_528_521, 100_000)))
    );
    let mut more = bids.clone();
    more[0].1 = "0.50000000";
    // Zeros are lost in a number, not in a sum.
    assert_eq!(words(&talk.hear(update(&[("45283.5", "0.5")], &[], sum(&more, &asks)))), ["delta 0"]);
}

#[test]
fn case_17_acknowledgements_are_not_data_and_a_refused_pair_leaves_the_other() {
    let mut talk = talk();
    let ack = r#"{"method":"subscribe","result":{"channel":"book","depth":10,"snapshot":true,"symbol":"BTC/USD","warnings":["old"]},"success":true,"time_in":"2026-09-21T10:00:00.1Z","time_out":"2026-09-21T10:00:00.2Z"}"#;
    assert_eq!(words(&talk.hear(ack)), [""; 0]);
    let said = talk.hear(
        r#"{"method":"subscribe","success":false,"error":"Currency pair not supported ETH/USD","symbol":"ETH/USD","time_in":"2026-09-21T10:00:00.1Z"}"#,
    );
    let refused = |s: &Said| matches!(s, Said::Feed { instrument: Some(ETH), kind: FeedEventKind::Refused { .. } });
    assert!(matches!(said.as_slice(), [s] if refused(s)), "{said:?}");
    let mut said = Vec::new();
    for _ in 0..11 {
        said.extend(words(&talk.wait_ms(1_000)));
        talk.hear(r#"{"channel":"heartbeat"}"#);
    }
    assert_eq!(said.iter().filter(|w| *w == "no_data depth").count(), 1, "{said:?}");
    assert_eq!(words(&talk.hear(book("snapshot", "BTC/USD", &BIDS, &ASKS, SUM))), ["snapshot 0", "live"]);
}

#[test]
fn case_18_the_taker_is_the_side_the_venue_names() {
    let mut talk = in_step();
    for (id, side, taker) in [(7, "buy", Side::Bid), (8, "sell", Side::Ask)] {
        let said = talk.hear(trade(id, side, "2026-09-21T10:00:00Z"));
        match &said[0] {
            Said::Market(event) => match &event.kind {
                MarketEventKind::Trade { taker: found, price, qty, .. } => {
                    assert_eq!((*found, price.0, qty.0), (taker, 452_852, 27_625));
                }
                other => panic!("{other:?}"),
            },
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn case_19_times_have_as_many_digits_as_they_like_and_may_be_missing() {
    let mut talk = in_step();
    let frame = update(&BIDS[..1], &[], SUM);
    let time = |said: &[Said]| match &said[0] {
        Said::Market(event) => event.venue_time,
        other => panic!("{other:?}"),
    };
    // Ten o'clock is 1,789,984,800 s.
    for (text, ns) in [("10:00:00Z", 0), ("10:00:00.5Z", 500_000_000), ("10:00:00.123456789Z", 123_456_789)] {
        let said = talk.hear(frame.replace("10:00:00.441120Z", text));
        assert_eq!(time(&said), Some(VenueTime(1_789_984_800_000_000_000 + ns)), "{text}");
    }
    let said = talk.hear(frame.replace(",\"timestamp\":\"2026-09-21T10:00:00.441120Z\"", ""));
    assert_eq!((time(&said), words(&said)[0].as_str()), (None, "delta 0"));
}

#[test]
fn golden_messages_are_read_ignored_or_refused_for_a_reason() {
    let Some(dir) = support::data_dir() else { return };
    let dir = dir.join("golden");
    let read = |name: &str| std::fs::read(dir.join("nautilus/kraken").join(name)).unwrap();
    // The documentation's example is whole, and adds up.
    let example = std::fs::read(dir.join("kraken-docs/kraken_v2_book_checksum_official_example.json")).unwrap();
    assert_eq!(words(&talk().hear(example)), ["snapshot 0", "live"]);
    // These are written with two decimals, and their sums belong to fuller books.
    let fine = || talk_about(vec![(BTC, pair("BTC/USD", "0.01"))], 10);
    for name in ["ws_book_snapshot.json", "ws_book_update.json"] {
        let mut talk = fine();
        talk.hear(book("snapshot", "BTC/USD", &[], &[], 0));
        let said = talk.hear(read(name));
        let expected = if name.contains("snapshot") { 2_439_117_997 } else { 2_114_181_697 };
        let kind = |s: &Said| matches!(s, Said::Feed { kind: FeedEventKind::ChecksumMismatch { expected: e, .. }, .. } if *e == expected);
        assert!(kind(&said[0]), "{name}: {said:?}");
    }
    assert_eq!(words(&fine().hear(read("ws_trade_update.json"))), ["trade 10218208", "trade 10218209"]);
    for (name, ignored) in [
        ("ws_pong.json", 0),
        ("ws_subscribe_response.json", 0),
        ("ws_ticker_snapshot.json", 1),
        ("ws_ohlc_update.json", 1),
        ("ws_l3_snapshot.json", 1),
        ("ws_l3_update_add.json", 1),
        ("ws_l3_update_delete.json", 1),
        ("ws_l3_update_modify_price.json", 1),
        ("ws_l3_update_modify_qty.json", 1),
        // Another house of the same name.
        ("ws_futures_book_delta.json", 1),
        ("ws_futures_book_snapshot.json", 1),
        ("ws_futures_book_snapshot_with_zero_qty.json", 1),
        ("ws_futures_ticker.json", 1),
        ("ws_futures_trade.json", 1),
        ("ws_futures_trade_snapshot.json", 1),
    ] {
        let mut talk = fine();
        assert_eq!(words(&talk.hear(read(name))), [""; 0], "{name}");
        assert_eq!((talk.protocol.counts().ignored, talk.protocol.counts().errors), (ignored, 0), "{name}");
    }
    let text = std::fs::read_to_string(dir.join("tardis-node/map_kraken_v2_messages.jsonl")).unwrap();
    let mut talk = fine();
    talk.hear(book("snapshot", "BTC/USD", &[], &[], 0));
    let found: Vec<_> = text.lines().map(|line| words(&talk.hear(line)).first().cloned().unwrap_or_default()).collect();
    // Old prints, a print, another pair's book, a change without its proof, tickers.
    assert_eq!(found, ["", "trade 123", "", "protocol_error", "", ""]);
    assert!(KRAKEN.read_clock(&read("http_server_time.json")).is_some());
}
