//! What single frames and answers mean.

use std::path::PathBuf;

use super::agreement::{FRAMES, products};
use super::*;
use crate::market::Level;
use crate::units::{Lots, Ticks};
use crate::wire::dialect::{Change, Link};

/// The folder of public recordings, or `None` with a loud line where it is absent.
fn recordings() -> Option<PathBuf> {
    let dir = std::env::var_os("PAPERMAKER_DATA")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/data"), PathBuf::from);
    if !dir.is_dir() {
        eprintln!("SKIPPED: no recordings at {}; set PAPERMAKER_DATA", dir.display());
        return None;
    }
    Some(dir)
}

fn heard(dialect: &mut AdvancedTrade, frame: &str) -> Vec<News> {
    let mut news = Vec::new();
    dialect.read(frame.as_bytes(), &Symbols::new(products()), LocalTime(0), &mut news).unwrap();
    news
}

fn hear(frame: &str) -> Vec<News> {
    heard(&mut AdvancedTrade::new(), frame)
}

fn level(price: i64, qty: i64) -> Level {
    Level { price: Ticks(price), qty: Lots(qty) }
}

#[test]
fn a_change_is_absolute_and_happened_at_its_latest_level() {
    let change = Change {
        link: Link::None,
        last: 14,
        seq: None,
        time: crate::wire::stamp::rfc3339(b"2026-08-09T21:05:48.210883Z"),
        bids: vec![level(6_506_250, 583_000)],
        asks: vec![level(6_506_191, 0)],
        checksum: None,
    };
    assert_eq!(hear(FRAMES[0]), [News::Change { at: 0, change }]);
}

#[test]
fn a_snapshot_without_a_time_of_its_own_happened_when_it_was_sent() {
    let time = crate::wire::stamp::rfc3339(b"2026-08-09T21:05:48Z");
    let (bids, asks) = (vec![level(6_506_250, 583_000)], vec![]);
    let whole = News::Snapshot { at: 0, last: 0, seq: None, time, bids, asks, complete: true, checksum: None };
    assert_eq!(hear(FRAMES[1]), [whole]);
}

#[test]
fn prints_are_news_oldest_first_and_their_taker_is_the_other_side() {
    let news = hear(FRAMES[3]);
    let prints: Vec<_> = news
        .iter()
        .map(|n| if let News::Trade { at, trade, .. } = n { (*at, trade.id, trade.taker) } else { panic!("{n:?}") })
        .collect();
    // The maker bought, so the taker sold; and the other way round.
    assert_eq!(prints, [(0, 1_068_572_091, Side::Ask), (0, 1_068_572_092, Side::Bid)]);
}

#[test]
fn old_prints_are_no_news() {
    assert_eq!(hear(&FRAMES[3].replace("\"update\"", "\"snapshot\"")), [News::Ignored]);
}

/// A change with this number.
fn numbered(number: u64) -> String {
    FRAMES[0].replace("\"sequence_num\":14", &format!("\"sequence_num\":{number}"))
}

#[test]
fn one_count_runs_through_all_messages_of_a_connection() {
    let mut dialect = AdvancedTrade::new();
    let mut words = |number| match heard(&mut dialect, &numbered(number)).as_slice() {
        [News::Change { .. }] => "change".to_owned(),
        [News::Duplicate] => "duplicate".to_owned(),
        [News::Lost { expected, found }, News::Change { .. }] => format!("lost {expected}..{found}"),
        other => panic!("{other:?}"),
    };
    // Whatever comes first is the beginning.
    assert_eq!(words(7), "change");
    assert_eq!(words(8), "change");
    assert_eq!(words(8), "duplicate");
    assert_eq!(words(3), "duplicate");
    assert_eq!(words(11), "lost 9..11");
    assert_eq!(words(10), "duplicate");
    assert_eq!(words(12), "change");
    // Messages of other channels count too.
    let ticker = r#"{"channel":"ticker","sequence_num":13,"events":[]}"#;
    assert_eq!(heard(&mut dialect, ticker), [News::Ignored]);
    let mut texts = Vec::new();
    dialect.open(&Symbols::new(products()), &mut texts);
    assert!(matches!(heard(&mut dialect, &numbered(0))[..], [News::Change { .. }]));
}

#[test]
fn a_frame_that_came_is_not_lost_even_if_it_cannot_be_read() {
    let symbols = Symbols::new(products());
    let mut dialect = AdvancedTrade::new();
    heard(&mut dialect, &numbered(1));
    let mut spoil = |bytes: &[u8]| dialect.read(bytes, &symbols, LocalTime(0), &mut Vec::new()).unwrap_err();
    spoil(&numbered(2).as_bytes()[..120]);
    // One that does not even say its number.
    spoil(b"{\"cha");
    assert!(matches!(heard(&mut dialect, &numbered(4))[..], [News::Change { .. }]));
    // One that says that others are missing before it: the next one tells.
    dialect.read(&numbered(9).as_bytes()[..120], &symbols, LocalTime(0), &mut Vec::new()).unwrap_err();
    assert!(matches!(heard(&mut dialect, &numbered(10))[0], News::Lost { expected: 5, found: 10 }));
}

#[test]
fn a_heartbeat_that_is_missing_by_the_venues_count_is_a_loss() {
    let beat = |number: u64, count: u64| {
        format!(r#"{{"channel":"heartbeats","sequence_num":{number},"events":[{{"heartbeat_counter":{count}}}]}}"#)
    };
    let mut dialect = AdvancedTrade::new();
    assert_eq!(heard(&mut dialect, &beat(0, 3049)), [News::Alive]);
    assert_eq!(heard(&mut dialect, &beat(1, 3050)), [News::Alive]);
    // The same once more, and a count that began anew, are no loss.
    assert_eq!(heard(&mut dialect, &beat(2, 3050)), [News::Alive]);
    assert_eq!(heard(&mut dialect, &beat(3, 1)), [News::Alive]);
    assert_eq!(heard(&mut dialect, &beat(4, 3)), [News::Lost { expected: 2, found: 3 }, News::Alive]);
    // Seen by the messages' numbers already: said once.
    assert_eq!(heard(&mut dialect, &beat(6, 5)), [News::Lost { expected: 5, found: 6 }, News::Alive]);
}

#[test]
fn what_is_wrong_in_one_event_leaves_the_others_alone() {
    let event = |product: &str, price: &str| {
        format!(
            r#"{{"type":"update","product_id":"{product}","updates":[{{"side":"bid","event_time":"2026-08-09T21:05:48Z","price_level":{price},"new_quantity":"1"}}]}}"#
        )
    };
    let events = [event("ETH-USD", "\"1900.015\""), event("SOL-USD", "\"90\""), event("BTC-USD", "\"65000\"")];
    let frame = format!(r#"{{"channel":"l2_data","timestamp":"","sequence_num":0,"events":[{}]}}"#, events.join(","));
    match hear(&frame).as_slice() {
        [News::Unreadable { at: 1, error }, News::Change { at: 0, .. }] => {
            assert_eq!(error.to_string(), "ETH-USD: price_level \"1900.015\": 1900.015 is not a multiple of 0.01");
        }
        other => panic!("{other:?}"),
    }
    for wrong in ["\"0\"", "\"-1\"", "1900", "null"] {
        let frame = format!(r#"{{"channel":"l2_data","sequence_num":0,"events":[{}]}}"#, event("ETH-USD", wrong));
        assert!(matches!(hear(&frame)[..], [News::Unreadable { at: 1, .. }]), "{wrong}");
    }
}

#[test]
fn what_is_new_is_ignored_and_what_is_unreadable_names_whose_book_suffers() {
    for unknown in [
        r#"{"channel":"futures_balance","sequence_num":0,"events":[{"x":1}]}"#,
        r#"{"type":"notice","text":"hello"}"#,
        "{}",
        r#"{"channel":"l2_data","sequence_num":0,"events":[],"more":[1]}"#,
    ] {
        assert_eq!(hear(unknown), [News::Ignored], "{unknown}");
    }
    let dialect = AdvancedTrade::new();
    let symbols = Symbols::new(products());
    for (bytes, whose) in [
        (FRAMES[2], Concerned::One(1)),
        (&FRAMES[0][..150], Concerned::One(0)),
        (&FRAMES[0][..100], Concerned::Everybody),
        (&FRAMES[0].replace("BTC", "SOL"), Concerned::Nobody),
        (FRAMES[3], Concerned::Nobody),
        (FRAMES[6], Concerned::Nobody),
        ("{", Concerned::Everybody),
    ] {
        assert_eq!(dialect.concerned(bytes.as_bytes(), &symbols), whose, "{bytes}");
    }
}

#[test]
fn a_refusal_is_final_where_asking_again_is_pointless() {
    let refusal = |words: &str| refusal(words.to_owned(), &Symbols::new(products()));
    let denied = |at, words: &str, final_| News::Denied { at, words: words.to_owned(), final_ };
    let words = "Failed to subscribe: ETH-USD is not a valid product";
    assert_eq!(refusal(words), denied(Some(1), words, true));
    // An alias is another name, even if ours begins it.
    let words = "ETH-USDC is not a valid product";
    assert_eq!(refusal(words), denied(None, words, false));
    assert_eq!(refusal("authentication failure"), denied(None, "authentication failure", true));
    assert_eq!(refusal("something else"), denied(None, "something else", false));
    assert!(matches!(refusal("Rate limit exceeded"), News::RateLimited { .. }));
    assert!(matches!(hear(FRAMES[6])[..], [News::Denied { at: Some(0), final_: true, .. }]));
}

#[test]
fn a_restricted_product_is_not_fully_tradable() {
    let status = |fields: &str| {
        let frame = format!(
            r#"{{"channel":"status","sequence_num":0,"events":[{{"type":"update","products":[{{"id":"BTC-USD",{fields}}},{{"id":"XYZ-USD"}}]}}]}}"#
        );
        match hear(&frame)[..] {
            [News::Status { at: 0, status }] => status,
            ref other => panic!("{other:?}"),
        }
    };
    for (fields, expected) in [
        (r#""status":"online","post_only":false"#, Status::Trading),
        (r#""status":"online","limit_only":true"#, Status::PostOnly),
        (r#""status":"online","post_only":true"#, Status::PostOnly),
        (r#""status":"online","post_only":true,"cancel_only":true"#, Status::CancelOnly),
        (r#""status":"online","auction_mode":true"#, Status::Halted),
        (r#""status":"online","trading_disabled":true"#, Status::Halted),
        (r#""status":"offline""#, Status::Halted),
        (r#""status":"delisted","trading_disabled":true"#, Status::Delisted),
        (r#""status":"dreaming""#, Status::Unknown),
        (r#""status_message":"""#, Status::Unknown),
    ] {
        assert_eq!(status(fields), expected, "{fields}");
    }
}

#[test]
fn the_word_online_alone_lifts_no_restriction_but_its_own() {
    let mut restricted = products();
    restricted[0].1.status = Status::PostOnly;
    let symbols = Symbols::new(restricted);
    let mut dialect = AdvancedTrade::new();
    let mut word = |word: &str| {
        let frame = format!(
            r#"{{"channel":"status","sequence_num":0,"events":[{{"products":[{{"id":"BTC-USD","status":"{word}"}}]}}]}}"#
        );
        let mut news = Vec::new();
        dialect.next = None;
        dialect.read(frame.as_bytes(), &symbols, LocalTime(0), &mut news).unwrap();
        news.remove(0)
    };
    let status = |status| News::Status { at: 0, status };
    assert_eq!(word("online"), News::Alive);
    assert_eq!(word("offline"), status(Status::Halted));
    assert_eq!(word("delisted"), status(Status::Delisted));
    assert_eq!(word("online"), status(Status::PostOnly));
    assert_eq!(word("online"), News::Alive);
}

#[test]
fn one_channel_and_one_product_a_message_heartbeats_first() {
    let mut texts = Vec::new();
    let symbols = Symbols::new(products());
    AdvancedTrade::new().open(&symbols, &mut texts);
    assert_eq!(texts.len(), 7);
    assert_eq!(texts[0], r#"{"type":"subscribe","channel":"heartbeats"}"#);
    assert_eq!(texts[1], r#"{"type":"subscribe","product_ids":["BTC-USD"],"channel":"level2"}"#);
    assert_eq!(texts[4], r#"{"type":"subscribe","product_ids":["ETH-USD"],"channel":"market_trades"}"#);
    texts.clear();
    AdvancedTrade::new().resubscribe(&symbols, 1, &mut texts);
    let both = ["unsubscribe", "subscribe"]
        .map(|kind| format!(r#"{{"type":"{kind}","product_ids":["ETH-USD"],"channel":"level2"}}"#));
    assert_eq!(texts, both);
}

/// The rules of a product, as captured in 2026 and shortened.
const PRODUCT: &str = r#"{"product_id":"BTC-USD","price":"68923.67","base_increment":"0.00000001","quote_increment":"0.01","quote_min_size":"1","quote_max_size":"150000000","base_min_size":"0.000000016","base_max_size":"3400","is_disabled":false,"new":false,"status":"online","cancel_only":false,"limit_only":false,"post_only":false,"trading_disabled":false,"auction_mode":false,"product_type":"SPOT","quote_currency_id":"USD","base_currency_id":"BTC","fcm_trading_session_details":null,"alias":"","alias_to":["BTC-USDC"],"view_only":false,"price_increment":"0.01","product_venue":"CBE"}"#;

#[test]
fn rules_are_read_in_ticks_and_lots() {
    let listed = COINBASE.read_rules(&[PRODUCT.as_bytes().to_vec()]).unwrap();
    let btc = listed[0].rules.as_ref().unwrap();
    assert_eq!((btc.tick.to_string(), btc.lot.to_string()), ("0.01".to_owned(), "0.00000001".to_owned()));
    // 1.6 lots at least are two.
    assert_eq!((btc.min_qty, btc.max_qty), (Lots(2), Lots(340_000_000_000)));
    assert_eq!((btc.min_notional.to_string(), btc.status), ("1".to_owned(), Status::Trading));
    assert_eq!((btc.base.as_str(), btc.quote.as_str()), ("BTC", "USD"));
}

#[test]
fn what_cannot_be_traded_here_is_refused_by_name() {
    let why = |from: &str, to: &str| {
        let listed = COINBASE.read_rules(&[PRODUCT.replace(from, to).into_bytes()]).unwrap();
        listed[0].rules.as_ref().unwrap_err().to_string()
    };
    assert_eq!(
        why(r#""alias":"""#, r#""alias":"ETH-USD""#),
        "BTC-USD: alias \"ETH-USD\": is the book this one shares: name that instead"
    );
    assert_eq!(why("SPOT", "FUTURE"), "BTC-USD: product_type \"FUTURE\": is not a spot market");
    assert_eq!(why(r#""price_increment":"0.01""#, r#""price_increment":"0""#), {
        "BTC-USD: price_increment \"0\": step 0 is not a positive decimal with at most 15 places"
    });
    assert!(why("base_min_size", "something").starts_with("product: missing field `base_min_size`"));
    assert!(COINBASE.read_rules(&[b"{\"error\":\"NOT_FOUND\"}".to_vec()]).is_err());
}

#[test]
fn the_recorded_list_of_products_is_read() {
    let Some(dir) = recordings() else { return };
    let body = std::fs::read(dir.join("golden/nautilus/coinbase/http_products.json")).unwrap();
    let listed = COINBASE.read_rules(&[body]).unwrap();
    let fine: Vec<_> = listed.iter().map(|l| (l.symbol.as_str(), l.rules.is_ok())).collect();
    assert_eq!(fine, [("BTC-USD", true), ("BTC-USDC", false)]);
    let body = std::fs::read(dir.join("golden/nautilus/coinbase/http_products_future.json")).unwrap();
    assert!(COINBASE.read_rules(&[body]).unwrap().iter().all(|l| l.rules.is_err()));
}

#[test]
fn the_time_is_read() {
    let body = br#"{"iso":"2026-09-21T10:00:00Z","epochSeconds":"1789984800","epochMillis":"1789984800123"}"#;
    assert_eq!(COINBASE.read_clock(body), Some(VenueTime(1_789_984_800_123_000_000)));
    assert_eq!(COINBASE.read_clock(b"{}"), None);
}
