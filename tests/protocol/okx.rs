//! OKX, case by case.

mod golden;
mod recorded;

use papermaker::market::{
    Contract, FeedEventKind, Instrument, InstrumentId, Kind, MarketEventKind, PrintFlags, Status, VenueId,
};
use papermaker::units::{Lots, Nanos, Side, Step, VenueTime};
use papermaker::wire::conversation::Conversation;
use papermaker::wire::depth_sync::SyncLimits;
use papermaker::wire::dialect::{Exchange, Options};
use papermaker::wire::liveness::Patience;
use papermaker::wire::okx::{OKX, OkxDialect};
use papermaker::wire::{About, Action, Protocol, Said};

use crate::support::{self, talk::words};

const BTC: InstrumentId = InstrumentId(0);
const SWAP: InstrumentId = InstrumentId(1);

type Talk = support::talk::Talk<Conversation<OkxDialect>>;

const RESUBSCRIBE: [&str; 2] = [
    r#"send {"id":"0","op":"unsubscribe","args":[{"channel":"books","instId":"BTC-USDT"}]}"#,
    r#"send {"id":"0","op":"subscribe","args":[{"channel":"books","instId":"BTC-USDT"}]}"#,
];

fn instrument(symbol: &str, tick: &str, lot: &str) -> Instrument {
    let step = |text| Step::parse(text).unwrap();
    Instrument::new(VenueId::Okx, symbol, &symbol[..3], "USDT", step(tick), step(lot)).unwrap()
}

/// No channel is ever impatient.
fn patient() -> Options {
    let sync = SyncLimits { fetch_timeout: Nanos::from_s(3_600), ..SyncLimits::default() };
    Options { depth_patience: Patience::ENDLESS, bbo_patience: Patience::ENDLESS, sync, ..Options::default() }
}

fn talk() -> Talk {
    let list =
        vec![(BTC, instrument("BTC-USDT", "0.1", "0.001")), (InstrumentId(1), instrument("ETH-USDT", "0.1", "0.01"))];
    let mut talk = Talk::about(OKX.conversation(list, patient()));
    talk.open();
    talk
}

/// BTC in step after number 15: 1@100.0 / 1@101.0.
fn in_step() -> Talk {
    let mut talk = talk();
    assert_eq!(words(&talk.hear(book("snapshot", -1, 15, "100.0 1", "101.0 1"))), ["snapshot 15", "live"]);
    talk
}

/// Levels like `100.0 1, 99.0 0`.
fn levels(text: &str) -> String {
    let level = |l: &str| {
        let (price, qty) = l.trim().split_once(' ').expect("a price and a quantity");
        format!(r#"["{price}","{qty}","0","1"]"#)
    };
    let list: Vec<_> = text.split(',').filter(|l| !l.trim().is_empty()).map(level).collect();
    list.join(",")
}

fn book(action: &str, before: i64, last: u64, bids: &str, asks: &str) -> String {
    format!(
        r#"{{"arg":{{"channel":"books","instId":"BTC-USDT"}},"action":"{action}","data":[{{"asks":[{}],"bids":[{}],"ts":"1790000000123","checksum":0,"prevSeqId":{before},"seqId":{last}}}]}}"#,
        levels(asks),
        levels(bids)
    )
}

fn trade(id: u64, side: &str, more: &str) -> String {
    format!(
        r#"{{"arg":{{"channel":"trades","instId":"BTC-USDT"}},"data":[{{"instId":"BTC-USDT","tradeId":"{id}","px":"101.0","sz":"0.012","side":"{side}","ts":"1790000000140"{more}}}]}}"#
    )
}

fn touch(talk: &Talk) -> Option<(i64, i64)> {
    let book = talk.book(BTC)?;
    Some((book.best(Side::Bid)?.price.0, book.best(Side::Ask)?.price.0))
}

#[test]
fn case_01_an_update_that_follows_another_than_ours_is_a_gap() {
    let mut talk = in_step();
    let said = talk.hear(book("update", 16, 20, "100.5 1", ""));
    assert_eq!(words(&said), [&["gap 15 16", "resync"], &RESUBSCRIBE[..]].concat());
    assert_eq!(touch(&talk), None);
    assert_eq!(words(&talk.hear(book("update", 20, 21, "100.5 1", ""))), [""; 0]);
    assert_eq!(words(&talk.hear(book("snapshot", -1, 30, "100.2 1", "100.9 1"))), ["snapshot 30", "live"]);
    // Numbers jump as they like, as long as each names the one before.
    assert_eq!(words(&talk.hear(book("update", 30, 37, "100.3 1", ""))), ["delta 37"]);
    assert_eq!(touch(&talk), Some((1_003, 1_009)));
}

#[test]
fn case_02_an_update_and_a_print_seen_before_are_dropped() {
    let mut talk = in_step();
    let update = book("update", 15, 20, "100.5 1", "");
    assert_eq!(words(&talk.hear(&update)), ["delta 20"]);
    assert_eq!(words(&talk.hear(&update)), [""; 0]);
    assert_eq!(talk.protocol.sync_counts(BTC).unwrap().duplicates, 1);
    assert_eq!(words(&talk.hear(trade(130_639_474, "buy", ""))), ["trade 130639474"]);
    assert_eq!(words(&talk.hear(trade(130_639_474, "buy", ""))), [""; 0]);
    // The id of merged prints is that of the last of them: no loss.
    assert_eq!(words(&talk.hear(trade(130_639_477, "buy", r#","count":"3""#))), ["trade 130639477"]);
}

#[test]
fn case_03_updates_out_of_order_are_a_gap() {
    let mut talk = in_step();
    assert_eq!(words(&talk.hear(book("update", 20, 25, "100.6 1", "")))[0], "gap 15 20");
    assert_eq!(words(&talk.hear(book("update", 15, 20, "100.5 1", ""))), [""; 0]);
}

#[test]
fn case_06_a_checksum_of_zero_is_none_and_another_one_counts() {
    // Python: zlib.crc32(b"100:1:101:1")
    const SUM: u32 = 1_189_976_625;
    let with = |sum: i32| {
        book("snapshot", -1, 15, "100.0 1", "101.0 1").replace("\"checksum\":0", &format!("\"checksum\":{sum}"))
    };
    assert_eq!(words(&talk().hear(with(0))), ["snapshot 15", "live"]);
    assert_eq!(words(&talk().hear(with(SUM as i32))), ["snapshot 15", "live"]);
    let mut talk = talk();
    let said = talk.hear(with(SUM as i32 + 1));
    assert_eq!(words(&said), [&["checksum_mismatch", "gap 15 15", "resync"], &RESUBSCRIBE[..]].concat());
    let kind = FeedEventKind::ChecksumMismatch { expected: u64::from(SUM) + 1, found: u64::from(SUM) };
    assert!(said.contains(&Said::Feed { instrument: Some(BTC), kind }));
    assert_eq!(touch(&talk), None);
}

#[test]
fn case_07_a_keepalive_and_a_reset_after_maintenance_keep_the_book() {
    let mut talk = in_step();
    // After a quiet minute: nothing changed, and nothing is said.
    assert_eq!(words(&talk.hear(book("update", 15, 15, "", ""))), [""; 0]);
    assert!(talk.protocol.is_in_step(BTC));
    // The numbers fall, but the chain holds.
    assert_eq!(words(&talk.hear(book("update", 15, 3, "100.5 1", ""))), ["delta 3"]);
    assert_eq!(words(&talk.hear(book("update", 3, 5, "100.6 1", ""))), ["delta 5"]);
    assert_eq!(touch(&talk), Some((1_006, 1_010)));
    assert_eq!(talk.protocol.sync_counts(BTC).unwrap().gaps, 0);
    // A keepalive of another chain is a gap like any other.
    assert_eq!(words(&talk.hear(book("update", 9, 9, "", "")))[0], "gap 5 9");
}

#[test]
fn case_08_an_announced_upgrade_opens_another_socket_first() {
    let mut talk = in_step();
    let notice = r#"{"event":"notice","code":"64008","msg":"The connection will soon be closed for a service upgrade.","connId":"a4d3ae55"}"#;
    assert_eq!(words(&talk.hear(notice)), ["shutdown_announced", "rotate"]);
    // Until then everything goes on.
    assert_eq!(words(&talk.hear(book("update", 15, 16, "100.5 1", ""))), ["delta 16"]);
    assert_eq!(words(&talk.close("1001"))[0], "disconnected");
    let sent = words(&talk.open()).into_iter().filter(|w| w.starts_with("send")).count();
    // Two instruments, and the rules of spot.
    assert_eq!((sent, touch(&talk)), (3, None));
}

#[test]
fn case_09_the_ping_is_a_bare_word_and_so_is_its_answer() {
    let mut talk = talk();
    assert_eq!(words(&talk.wait_ms(19_750)), [""; 0]);
    assert_eq!(words(&talk.wait_ms(250)), ["send ping"]);
    assert_eq!(words(&talk.hear("pong")), [""; 0]);
    assert_eq!((talk.protocol.counts().errors, talk.protocol.counts().ignored), (0, 0));
    assert_eq!(words(&talk.wait_ms(29_750)), ["send ping"]);
    // No answer to the second one.
    assert_eq!(words(&talk.wait_ms(500)), ["reconnect"]);
}

#[test]
fn case_10_a_limit_is_a_limit_whether_it_comes_by_socket_or_in_a_cheerful_answer() {
    let mut talk = talk();
    let said = talk.hear(r#"{"id":"0","event":"error","code":"60014","msg":"Requests too frequent","connId":"a"}"#);
    assert_eq!(words(&said), ["rate_limited", "reconnect"]);
    assert!(matches!(&said[1], Said::Do(Action::Reconnect { wait, .. }) if *wait == Nanos::from_s(5)));

    let list = vec![(BTC, instrument("BTC-USDT", "0.1", "0.001"))];
    let mut talk = Talk::about(OKX.conversation(list, Options { rules_every: Nanos::from_s(2), ..patient() }));
    talk.open();
    assert_eq!(words(&talk.wait_ms(2_000)), ["fetch after 0 ms"]);
    talk.fetched(About::Rules(0), r#"{"code":"50011","msg":"Too Many Requests","data":[]}"#);
    assert_eq!(words(&talk.wait_ms(4_750)), [""; 0]);
    assert_eq!(words(&talk.wait_ms(250)), ["fetch after 0 ms"]);
    // Three attempts a second are allowed to connect, and 480 requests an hour.
    assert!(OKX.manners().messages_per_second <= 3 && OKX.manners().connects_per_minute <= 180);
}

#[test]
fn case_11_an_unreadable_book_frame_costs_that_book_only() {
    for bad in [
        &book("update", 15, 16, "100.5 1", "")[..120],
        &book("update", 15, 16, "100.55 1", ""),
        &book("update", 15, 16, "100.5 -1", ""),
        &book("update", 15, 16, "0 1", ""),
        &book("update", 15, 16, "100.5 1", "").replace(":16", ":\"16\""),
        &book("sideways", 15, 16, "100.5 1", ""),
        &book("update", -1, 16, "100.5 1", ""),
    ] {
        let mut talk = in_step();
        let said = words(&talk.hear(bad));
        assert_eq!(said, [&["protocol_error", "gap 16 0", "resync"], &RESUBSCRIBE[..]].concat(), "{bad}");
    }
}

#[test]
fn case_11_what_is_unknown_or_elsewhere_is_ignored_and_counted() {
    let mut talk = in_step();
    let new_field = book("update", 15, 16, "100.5 1", "").replace("\"ts\"", "\"new\":[1],\"ts\"");
    assert_eq!(words(&talk.hear(new_field)), ["delta 16"]);
    for frame in [
        r#"{"arg":{"channel":"candle1m","instId":"BTC-USDT"},"data":[["1"]]}"#,
        r#"{"arg":{"channel":"trades","instId":"XRP-USDT"},"data":[{}]}"#,
        r#"{"event":"channel-conn-count","channel":"orders","connCount":"2","connId":"a"}"#,
        r#"{"hello":"world"}"#,
    ] {
        assert_eq!(words(&talk.hear(frame)), [""; 0], "{frame}");
    }
    assert_eq!(talk.protocol.counts().ignored, 4);
    // A side without orders.
    let one_sided = r#"{"arg":{"channel":"bbo-tbt","instId":"BTC-USDT"},"data":[{"asks":[],"bids":[["100.0","1","0","1"]],"ts":"1790000000133","seqId":9}]}"#;
    assert_eq!(words(&talk.hear(one_sided)), ["bbo 0"]);
    // A binary frame may have been anything, so every book is in doubt.
    assert_eq!(words(&talk.hear(b"\x1f\x8b\x00"))[0], "protocol_error");
    assert_eq!(touch(&talk), None);
}

#[test]
fn case_13_a_crossed_book_is_wrong_unless_the_market_is_not_open_yet() {
    let crossed = |talk: &mut Talk| {
        talk.hear(book("update", 15, 16, "101.0 1", ""));
        words(&talk.wait_ms(2_000))
    };
    let mut open = in_step();
    assert_eq!(crossed(&mut open), [&["gap 17 16", "resync"], &RESUBSCRIBE[..]].concat());
    let mut auction = in_step();
    assert_eq!(words(&auction.hear(rules("0.1", "preopen"))), [format!("status {:?}", Status::Halted)]);
    assert_eq!(crossed(&mut auction), [""; 0]);
    assert_eq!(touch(&auction), Some((1_010, 1_010)));
}

fn rules(tick: &str, state: &str) -> String {
    // As the instrument of these tests, with another tick or state.
    format!(
        r#"{{"arg":{{"channel":"instruments","instType":"SPOT"}},"data":[{{"instType":"SPOT","instId":"XRP-USDT","tickSz":"?"}},{{"instType":"SPOT","instId":"BTC-USDT","baseCcy":"BTC","quoteCcy":"USDT","ctVal":"","ctMult":"","ctType":"","ctValCcy":"","settleCcy":"","tickSz":"{tick}","lotSz":"0.001","minSz":"0.001","maxLmtSz":"","state":"{state}"}}]}}"#
    )
}

#[test]
fn case_14_only_400_levels_a_side_are_kept() {
    let mut talk = talk();
    let ladder =
        |from: i64, step: i64| (0..400).map(|k| format!("{}.0 1", from + step * k)).collect::<Vec<_>>().join(", ");
    talk.hear(book("snapshot", -1, 15, &ladder(999, -1), &ladder(1_001, 1)));
    talk.hear(book("update", 15, 16, "1000.0 1", ""));
    let book = talk.book(BTC).unwrap();
    // From 1,000 down to 601; what was at 600 is out of sight.
    assert_eq!((book.depth(Side::Bid), book.depth(Side::Ask)), (400, 400));
    assert_eq!(book.levels(Side::Bid).last().unwrap().price.0, 6_010);
}

#[test]
fn case_15_a_pushed_state_pulls_the_quotes_without_a_resync() {
    let mut talk = in_step();
    for (state, status) in [
        ("suspend", Status::Halted),
        ("live", Status::Trading),
        ("something-new", Status::Unknown),
        ("live", Status::Trading),
    ] {
        assert_eq!(words(&talk.hear(rules("0.1", state))), [format!("status {status:?}")]);
    }
    assert_eq!(words(&talk.hear(rules("0.1", "live"))), [""; 0]);
    assert_eq!(touch(&talk), Some((1_000, 1_010)));
}

#[test]
fn case_16_a_pushed_tick_voids_the_book_and_asks_for_it_anew() {
    let mut talk = in_step();
    let said = words(&talk.hear(rules("0.01", "live")));
    assert_eq!(said, [&["rules"], &RESUBSCRIBE[..]].concat());
    // Messages in the old ticks' time say nothing until the book comes anew.
    assert_eq!(words(&talk.hear(book("update", 15, 16, "100.5 1", ""))), [""; 0]);
    talk.hear(book("snapshot", -1, 20, "100.05 1", "101.0 1"));
    assert_eq!(touch(&talk), Some((10_005, 10_100)));
}

#[test]
fn case_17_acknowledgements_come_one_by_one_and_one_refusal_refuses_one_instrument() {
    let mut talk = talk();
    let ack = r#"{"id":"0","event":"subscribe","arg":{"channel":"books","instId":"BTC-USDT"},"connId":"a4d3ae55"}"#;
    assert_eq!(words(&talk.hear(ack)), [""; 0]);
    let no = r#"{"id":"1","event":"error","code":"60018","msg":"Wrong URL or channel:books,instId:ETH-USDT doesn't exist.","connId":"a4d3ae55"}"#;
    assert_eq!(words(&talk.hear(no)), ["refused"]);
    assert_eq!(words(&talk.hear(book("snapshot", -1, 15, "100.0 1", "101.0 1"))), ["snapshot 15", "live"]);

    // An acknowledgement is no data.
    let impatient = Options::default();
    let mut talk = Talk::about(OKX.conversation(vec![(BTC, instrument("BTC-USDT", "0.1", "0.001"))], impatient));
    talk.open();
    talk.hear(ack);
    let said = words(&talk.wait_ms(10_250));
    assert!(said.contains(&"no_data depth".to_owned()) && said.contains(&"no_data bbo".to_owned()), "{said:?}");
}

#[test]
fn case_18_the_side_of_a_print_is_the_takers_and_prints_beside_the_book_are_flagged() {
    let mut talk = in_step();
    let mut heard = |frame: String| match talk.hear(frame).remove(0) {
        Said::Market(event) => match event.kind {
            MarketEventKind::Trade { taker, flags, qty, .. } => (taker, flags, qty),
            other => panic!("{other:?}"),
        },
        other => panic!("{other:?}"),
    };
    assert_eq!(heard(trade(1, "buy", r#","source":"0""#)), (Side::Bid, PrintFlags::NONE, Lots(12)));
    assert_eq!(heard(trade(2, "sell", "")), (Side::Ask, PrintFlags::NONE, Lots(12)));
    assert_eq!(heard(trade(3, "buy", r#","source":"1""#)), (Side::Bid, PrintFlags::RPI, Lots(12)));
}

#[test]
fn case_19_times_are_texts_of_milliseconds_and_may_step_back() {
    let mut talk = in_step();
    let mut time = |before: i64, last: u64, ts: &str| {
        let frame = book("update", before, last, "100.5 1", "").replace("1790000000123", ts);
        match talk.hear(frame).remove(0) {
            Said::Market(event) => event.venue_time,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(time(15, 16, "1790000000123"), Some(VenueTime(1_790_000_000_123_000_000)));
    assert_eq!(time(16, 17, "1789999999000"), Some(VenueTime(1_789_999_999_000_000_000)));
}

#[test]
fn spot_and_swaps_share_a_connection_and_only_swaps_wait_for_marks() {
    let swap = |symbol| Instrument { contract: contract(), ..instrument(symbol, "0.1", "0.001") };
    let list = vec![(BTC, instrument("BTC-USDT", "0.1", "0.001")), (SWAP, swap("BTC-USDT-SWAP"))];
    let mut talk = Talk::about(OKX.conversation(list, patient()));
    assert_eq!(talk.protocol.ws_path(), "/ws/v5/public");
    talk.open();
    let spot = book("snapshot", -1, 15, "100.0 1", "101.0 1");
    assert_eq!(words(&talk.hear(&spot)), ["snapshot 15", "live"]);
    assert_eq!(words(&talk.hear(spot.replace("BTC-USDT", "BTC-USDT-SWAP"))), ["snapshot 15"]);
    assert_eq!(words(&talk.wait_ms(10_250)), ["no_data mark"]);
    let mark =
        r#"{"arg":{"channel":"mark-price","instId":"BTC-USDT-SWAP"},"data":[{"markPx":"100.4","ts":"1790000000200"}]}"#;
    assert_eq!(words(&talk.hear(mark)), ["mark", "live"]);
}

fn contract() -> Contract {
    Contract { kind: Kind::Linear, unit: Step::ONE, settle: "USDT".to_owned(), funding_every: None }
}
