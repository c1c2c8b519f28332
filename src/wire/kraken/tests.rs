//! What single frames and answers mean.

use super::agreement::{FRAMES, pairs};
use super::*;
use crate::market::PriceRule;
use crate::units::{Lots, Ticks};
use crate::wire::dialect::{Change, Link};
use crate::wire::stamp::rfc3339;

fn heard(dialect: &mut SpotV2, frame: &str) -> Vec<News> {
    let mut news = Vec::new();
    dialect.read(frame.as_bytes(), &Symbols::new(pairs()), LocalTime(0), &mut news).unwrap();
    news
}

fn hear(frame: &str) -> Vec<News> {
    heard(&mut SpotV2::new(10), frame)
}

fn level(price: i64, qty: i64) -> Level {
    Level { price: Ticks(price), qty: Lots(qty) }
}

#[test]
fn a_change_is_absolute_and_carries_its_proof() {
    let change = |time, bids, asks, checksum| Change {
        link: Link::None,
        last: 0,
        seq: None,
        time,
        bids,
        asks,
        checksum: Some(checksum),
    };
    let time = rfc3339(b"2026-09-21T10:00:00.441120Z");
    let btc = change(time, vec![level(642_101, 0), level(642_090, 1)], vec![], 2_114_181_697);
    let eth = change(None, vec![], vec![level(190_000, 300_000_000)], 0);
    assert_eq!(hear(FRAMES[1]), [News::Change { at: 0, change: btc }, News::Change { at: 1, change: eth }]);
}

#[test]
fn a_change_without_its_proof_is_refused_and_a_snapshot_is_not() {
    let frame = FRAMES[1].replace(",\"checksum\":0", "");
    match hear(&frame).as_slice() {
        [News::Change { at: 0, .. }, News::Unreadable { at: 1, error }] => {
            assert_eq!(error.to_string(), "book: a change has no checksum");
        }
        other => panic!("{other:?}"),
    }
    assert!(matches!(hear(FRAMES[2])[..], [News::Snapshot { at: 1, checksum: None, complete: true, .. }]));
}

#[test]
fn a_number_means_its_digits_however_they_are_written() {
    let frame = |price: &str, qty: &str| {
        format!(
            r#"{{"channel":"book","type":"update","data":[{{"symbol":"BTC/USD","bids":[{{"qty":{qty},"price":{price}}}],"asks":[],"checksum":1}}]}}"#
        )
    };
    let bid = |price: &str, qty: &str| match hear(&frame(price, qty)).as_slice() {
        [News::Change { change, .. }] => Some((change.bids[0].price.0, change.bids[0].qty.0)),
        [News::Unreadable { at: 0, .. }] => None,
        other => panic!("{other:?}"),
    };
    assert_eq!(bid("64210.10", "1e-8"), Some((642_101, 1)));
    assert_eq!(bid("6.42101E4", "0.1"), Some((642_101, 10_000_000)));
    // More digits than a float has.
    assert_eq!(bid("64210.1", "90071992547.40993001"), Some((642_101, 9_007_199_254_740_993_001)));
    for (price, qty) in [("64210.15", "1"), ("0", "1"), ("-1", "1"), ("1", "-1"), ("\"1\"", "1"), ("null", "1")] {
        assert_eq!(bid(price, qty), None, "{price} {qty}");
    }
}

#[test]
fn who_took_is_who_the_venue_names() {
    let prints: Vec<_> = hear(FRAMES[3])
        .iter()
        .map(|n| if let News::Trade { at, trade, .. } = n { (*at, trade.id, trade.taker) } else { panic!("{n:?}") })
        .collect();
    assert_eq!(prints, [(0, 81_234_567, Side::Bid), (1, 5, Side::Ask)]);
    assert_eq!(hear(&FRAMES[3].replace("\"update\"", "\"snapshot\"")), [News::Ignored]);
}

#[test]
fn the_stricter_of_the_venue_and_the_pair_counts() {
    let mut dialect = SpotV2::new(10);
    dialect.open(&Symbols::new(pairs()), &mut Vec::new());
    let statuses = |news: &[News]| {
        let status = |n: &News| match n {
            News::Status { at, status } => (*at, *status),
            News::Rules { at, rules } => (*at, rules.status),
            other => panic!("{other:?}"),
        };
        news.iter().map(status).collect::<Vec<_>>()
    };
    let system = |word: &str| FRAMES[5].replace("online", word);
    let pair = |word: &str| FRAMES[6].replace("online", word);
    use Status::{CancelOnly, Halted, PostOnly, Trading, Unknown};
    // Before the pairs are listed, both were trading as far as we know.
    assert_eq!(statuses(&heard(&mut dialect, &system("online"))), [(0, Trading), (1, Trading)]);
    assert_eq!(statuses(&heard(&mut dialect, &pair("limit_only"))), [(0, PostOnly)]);
    assert_eq!(statuses(&heard(&mut dialect, &system("cancel_only"))), [(0, CancelOnly), (1, CancelOnly)]);
    assert_eq!(statuses(&heard(&mut dialect, &pair("maintenance"))), [(0, Halted)]);
    assert_eq!(statuses(&heard(&mut dialect, &system("online"))), [(0, Halted), (1, Trading)]);
    assert_eq!(statuses(&heard(&mut dialect, &pair("dreaming"))), [(0, Unknown)]);
    assert_eq!(statuses(&heard(&mut dialect, &pair("reduce_only"))), [(0, CancelOnly)]);
}

#[test]
fn a_pairs_rules_are_the_last_places_of_its_numbers() {
    let rules = |from: &str, to: &str| {
        let answer = FRAMES[6].replace(from, to).into_bytes();
        KRAKEN.read_rules(&[answer]).unwrap().remove(0).rules
    };
    let btc = rules("", "").unwrap();
    assert_eq!((btc.tick.to_string(), btc.lot.to_string()), ("0.1".to_owned(), "0.00000001".to_owned()));
    assert_eq!((btc.min_qty, btc.min_notional.to_string()), (Lots(5_000), "0.5".to_owned()));
    assert_eq!((btc.status, &btc.price_rule), (Status::Trading, &PriceRule::EveryTick));
    assert_eq!((btc.symbol.as_str(), btc.base.as_str(), btc.quote.as_str()), ("BTC/USD", "BTC", "USD"));
    // Prices are written in cents, orders are in halves.
    let halves =
        rules("\"price_precision\":1,\"price_increment\":0.1", "\"price_precision\":2,\"price_increment\":0.5");
    let halves = halves.unwrap();
    assert_eq!((halves.tick.to_string(), halves.price_rule), {
        ("0.01".to_owned(), PriceRule::Steps(vec![(Ticks(0), 50)]))
    });
    // However small numbers are written.
    assert_eq!(rules("0.00000001", "1e-08").unwrap(), btc);
    for (from, to, why) in [
        (
            "qty_increment\":0.00000001",
            "qty_increment\":0.0001",
            "qty_increment \"0.0001\": is not the last of 8 decimals",
        ),
        ("price_increment\":0.1", "price_increment\":0.05", "price_increment \"0.05\": 0.05 is not a multiple of 0.1"),
        ("price_precision\":1,", "price_precision\":40,", "price_precision \"40\": "),
        (
            "price_precision\":1,",
            "price_precision\":12,",
            "price_precision \"12\": tick 0.000000000001 and lot 0.00000001 together",
        ),
        ("\"qty_min\":0.00005,", "", "instrument: missing field `qty_min`"),
    ] {
        let error = rules(from, to).unwrap_err().to_string();
        assert!(error.contains(why), "{error}");
    }
}

#[test]
fn rules_that_cannot_be_kept_are_said_and_cost_no_book() {
    let frame = FRAMES[6].replace("qty_increment\":0.00000001", "qty_increment\":0.0001");
    // Nor is it traded on by the old ones.
    let unknown = News::Status { at: 0, status: Status::Unknown };
    assert!(
        matches!(&hear(&frame)[..], [status, News::Denied { at: Some(0), final_: false, .. }] if *status == unknown)
    );
    // Pairs that are not ours are nobody's news.
    assert_eq!(hear(&FRAMES[6].replace("BTC/USD", "SOL/USD")), [News::Ignored]);
}

#[test]
fn a_refusal_concerns_its_symbol_and_asking_twice_is_none() {
    match hear(FRAMES[8]).as_slice() {
        [News::Denied { at: Some(1), words, final_: true }] => assert_eq!(words, "Currency pair not supported ETH/USD"),
        other => panic!("{other:?}"),
    }
    let refusal = |words: &str| hear(&FRAMES[8].replace("Currency pair not supported ETH/USD", words));
    assert_eq!(refusal("Already subscribed"), [News::Alive]);
    assert!(matches!(&refusal("Exceeded msg rate limit")[..], [News::RateLimited { .. }]));
    let words = "ETH/USD: Subscription depth not good".to_owned();
    assert_eq!(refusal("Subscription depth not good"), [News::Denied { at: Some(1), words, final_: false }]);
    assert_eq!(hear(FRAMES[7]), [News::Alive]);
    assert_eq!(hear(r#"{"method":"pong","req_id":42}"#), [News::Alive]);
}

#[test]
fn what_is_new_is_ignored_and_what_is_unreadable_names_whose_book_suffers() {
    for unknown in [
        r#"{"channel":"ticker","type":"update","data":[{"symbol":"BTC/USD","bid":1.0}]}"#,
        r#"{"channel":"book","type":"update","data":[{"symbol":"SOL/USD","bids":"?"}]}"#,
        r#"{"channel":"book","type":"update","data":[]}"#,
        r#"{"feed":"book","product_id":"PI_XBTUSD"}"#,
        "{}",
    ] {
        assert_eq!(hear(unknown), [News::Ignored], "{unknown}");
    }
    let (dialect, symbols) = (SpotV2::new(10), Symbols::new(pairs()));
    for (bytes, whose) in [
        (FRAMES[0], Concerned::One(0)),
        (&FRAMES[0][..100], Concerned::One(0)),
        (&FRAMES[0][..50], Concerned::Everybody),
        (FRAMES[1], Concerned::Everybody),
        (&FRAMES[0].replace("BTC", "SOL"), Concerned::Nobody),
        (FRAMES[3], Concerned::Nobody),
        (FRAMES[8], Concerned::Nobody),
        ("{", Concerned::Everybody),
    ] {
        assert_eq!(dialect.concerned(bytes.as_bytes(), &symbols), whose, "{bytes}");
    }
}

#[test]
fn a_book_is_asked_for_at_a_depth_there_is_and_taken_back_at_the_same() {
    for (wish, depth) in [(0, 10), (24, 10), (25, 25), (400, 100), (999, 500), (1_000, 1_000), (5_000, 1_000)] {
        assert_eq!(SpotV2::new(wish).traits().window, Some(depth), "{wish}");
    }
    let symbols = Symbols::new(pairs());
    let mut texts = Vec::new();
    SpotV2::new(400).open(&symbols, &mut texts);
    assert_eq!(
        texts,
        [
            r#"{"method":"subscribe","params":{"channel":"instrument","snapshot":true}}"#,
            r#"{"method":"subscribe","params":{"channel":"book","symbol":["BTC/USD","ETH/USD"],"depth":100}}"#,
            r#"{"method":"subscribe","params":{"channel":"trade","symbol":["BTC/USD","ETH/USD"],"snapshot":false}}"#,
        ]
    );
    texts.clear();
    SpotV2::new(400).resubscribe(&symbols, 1, &mut texts);
    assert_eq!(
        texts,
        [
            r#"{"method":"unsubscribe","params":{"channel":"book","symbol":["ETH/USD"],"depth":100}}"#,
            r#"{"method":"subscribe","params":{"channel":"book","symbol":["ETH/USD"],"depth":100}}"#,
        ]
    );
}

#[test]
fn pairs_are_listed_over_the_websocket_and_the_acknowledgement_is_not_the_list() {
    let requests = KRAKEN.rules_requests(&["BTC/USD"]);
    let [Request::Ask { path, text, reply }] = requests.as_slice() else { panic!("{requests:?}") };
    assert_eq!((path.as_str(), text.as_str()), ("/v2", LIST_PAIRS));
    assert!(FRAMES[6].contains(reply));
    let ack = r#"{"method":"subscribe","result":{"channel":"instrument","snapshot":true},"success":true}"#;
    assert!(!ack.contains(reply));
    assert!(KRAKEN.read_rules(&[ack.as_bytes().to_vec()]).is_err());
}

#[test]
fn the_time_is_read() {
    let body = br#"{"error":[],"result":{"unixtime":1762820224,"rfc1123":"Tue, 11 Nov 25 00:17:04 +0000"}}"#;
    assert_eq!(KRAKEN.read_clock(body), Some(VenueTime(1_762_820_224_000_000_000)));
    assert_eq!(KRAKEN.read_clock(b"{}"), None);
}
