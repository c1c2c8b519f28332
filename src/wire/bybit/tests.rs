//! What the dialect makes of single frames.

use super::*;
use crate::market::{Instrument, InstrumentId, Level, PrintFlags};
use crate::units::{Lots, Side, Step, Ticks};
use crate::wire::dialect::Trade;

fn btc() -> Symbols {
    let step = |text| Step::parse(text).unwrap();
    let btc = Instrument::new(VenueId::BybitLinear, "BTCUSDT", "BTC", "USDT", step("0.1"), step("0.001")).unwrap();
    Symbols::new(vec![(InstrumentId(0), btc)])
}

fn linear() -> BybitDialect {
    BybitDialect::new(Category::Linear, Continuity::ByOne, 50)
}

fn read(dialect: &mut BybitDialect, frame: &str) -> Vec<News> {
    let mut news = Vec::new();
    dialect.read(frame.as_bytes(), &btc(), LocalTime(0), &mut news).unwrap();
    news
}

fn page(kind: &str, update: u64, seq: u64) -> String {
    format!(
        r#"{{"topic":"orderbook.50.BTCUSDT","type":"{kind}","ts":1790000000143,"data":{{"s":"BTCUSDT","b":[["100.10","2.5"]],"a":[],"u":{update},"seq":{seq}}},"cts":1790000000141}}"#
    )
}

fn level(price: i64, qty: i64) -> Level {
    Level { price: Ticks(price), qty: Lots(qty) }
}

#[test]
fn the_nearest_depth_that_is_enough_is_asked_for() {
    let depth = |wanted| BybitDialect::new(Category::Spot, Continuity::ByOne, wanted).depth;
    assert_eq!([1, 50, 51, 200, 201, 1_000, 5_000].map(depth), [50, 50, 200, 200, 1_000, 1_000, 1_000]);
}

#[test]
fn a_subscription_is_about_one_instrument_and_names_it() {
    let ask = |category| {
        let mut texts = Vec::new();
        BybitDialect::new(category, Continuity::ByOne, 50).open(&btc(), &mut texts);
        texts
    };
    let topics = r#""orderbook.50.BTCUSDT","orderbook.1.BTCUSDT","publicTrade.BTCUSDT""#;
    assert_eq!(ask(Category::Spot), [format!(r#"{{"req_id":"BTCUSDT","op":"subscribe","args":[{topics}]}}"#)]);
    let linear = format!(r#"{{"req_id":"BTCUSDT","op":"subscribe","args":[{topics},"tickers.BTCUSDT"]}}"#);
    assert_eq!(ask(Category::Linear), [linear]);
}

#[test]
fn a_change_follows_by_one_unless_that_is_switched_off() {
    let link = |continuity| {
        let mut dialect = BybitDialect::new(Category::Linear, continuity, 50);
        match read(&mut dialect, &page("delta", 7, 70)).remove(0) {
            News::Change { change, .. } => change,
            other => panic!("{other:?}"),
        }
    };
    let change = link(Continuity::ByOne);
    // The matching engine's time, not the gateway's; 100.10 is 1,001 ticks.
    assert_eq!((change.link, change.last, change.seq), (Link::Next, 7, Some(70)));
    assert_eq!(change.time, Some(VenueTime(1_790_000_000_141_000_000)));
    assert_eq!((change.bids, change.asks), (vec![level(1_001, 2_500)], vec![]));
    assert_eq!(link(Continuity::Unproven).link, Link::None);
}

#[test]
fn update_one_is_a_whole_book_whatever_it_is_called() {
    let mut dialect = linear();
    read(&mut dialect, &page("snapshot", 900, 5_000));
    let news = read(&mut dialect, &page("delta", 1, 40));
    assert!(matches!(&news[..], [News::Snapshot { last: 1, seq: Some(40), complete: true, .. }]), "{news:?}");
}

#[test]
fn a_sequence_that_falls_is_an_old_message() {
    let mut dialect = linear();
    read(&mut dialect, &page("snapshot", 900, 5_000));
    assert_eq!(read(&mut dialect, &page("delta", 901, 4_999)), [News::Duplicate]);
    // Not contiguous, and equal is not less.
    assert!(matches!(read(&mut dialect, &page("delta", 901, 5_000))[..], [News::Change { .. }]));
    assert!(matches!(read(&mut dialect, &page("delta", 902, 9_000))[..], [News::Change { .. }]));
    // The top has a sequence of its own kind: it is usually ahead of the book's.
    let top = |seq| page("snapshot", 30, seq).replace("orderbook.50", "orderbook.1");
    assert!(matches!(read(&mut dialect, &top(8_000))[..], [News::Bbo { seq: 8_000, bid: Some(_), ask: None, .. }]));
    assert_eq!(read(&mut dialect, &top(7_999)), [News::Duplicate]);
    // The same again after three idle seconds.
    assert!(matches!(read(&mut dialect, &top(8_000))[..], [News::Bbo { .. }]));
}

#[test]
fn a_taker_is_named_by_his_side_and_marked_prints_are_flagged() {
    let trade = |side: &str, block: bool, rpi: bool| {
        let frame = format!(
            r#"{{"topic":"publicTrade.BTCUSDT","type":"snapshot","ts":1,"data":[{{"T":2,"s":"BTCUSDT","S":"{side}","v":"0.010","p":"64210.2","i":"17","BT":{block},"RPI":{rpi},"seq":1}}]}}"#
        );
        match read(&mut linear(), &frame).remove(0) {
            News::Trade { time, trade, .. } => (time, trade),
            other => panic!("{other:?}"),
        }
    };
    let expected = Trade { id: 17, taker: Side::Bid, price: Ticks(642_102), qty: Lots(10), flags: PrintFlags::NONE };
    assert_eq!(trade("Buy", false, false), (VenueTime(2_000_000), expected));
    assert_eq!(trade("Sell", false, false).1.taker, Side::Ask);
    assert_eq!(trade("Buy", true, false).1.flags, PrintFlags::BLOCK);
    assert_eq!(trade("Buy", false, true).1.flags, PrintFlags::RPI);
    assert_eq!(trade("Buy", true, true).1.flags, PrintFlags(3));
}

#[test]
fn ids_are_numbers_or_fingerprints_that_differ() {
    assert_eq!(message::trade_id(b"2290000001189048101"), 2_290_000_001_189_048_101);
    // FNV-1a of "a", from its authors' table.
    assert_eq!(message::trade_id(b"a"), 0xaf63_dc4c_8601_ec8c);
    let id = |text: &str| message::trade_id(text.as_bytes());
    assert_ne!(id("20f43950-d8dd-5b31-9112-a178eb6023af"), id("20f43950-d8dd-5b31-9112-a178eb6023ae"));
}

#[test]
fn funding_is_put_together_from_what_tickers_said_so_far() {
    let mut dialect = linear();
    let mut hear = |kind: &str, data: &str| {
        let frame = format!(
            r#"{{"topic":"tickers.BTCUSDT","type":"{kind}","cs":1,"ts":1790000000200,"data":{{"symbol":"BTCUSDT"{data}}}}}"#
        );
        match read(&mut dialect, &frame).remove(0) {
            News::Mark { mark, .. } => Some((mark.mark.map(|m| m.to_string()), mark.index, mark.funding)),
            News::Alive => None,
            other => panic!("{other:?}"),
        }
    };
    // Half of it is not funding yet.
    assert_eq!(hear("delta", r#","fundingRate":"0.0002""#), None);
    let whole =
        r#","markPrice":"64211.02","fundingRate":"0.0001","nextFundingTime":"1790006400000","fundingIntervalHour":"8""#;
    let funding = |rate, due| Funding {
        rate: FundingRate(rate),
        due: Some(VenueTime(due)),
        every: Nanos::from_s(8 * 3_600),
        at_index: false,
    };
    let first = funding(100_000_000, 1_790_006_400_000_000_000);
    assert_eq!(hear("snapshot", whole), Some((Some("64211.02".to_owned()), None, Some(first))));
    // What a delta leaves out is as it was, and what did not change is not said again.
    assert_eq!(hear("delta", r#","markPrice":"64212""#), Some((Some("64212".to_owned()), None, None)));
    assert_eq!(hear("delta", r#","bid1Price":"64212.1""#), None);
    let later = funding(-200_000_000, 1_790_006_400_000_000_000);
    assert_eq!(hear("delta", r#","fundingRate":"-0.0002""#), Some((None, None, Some(later))));
    // A new snapshot forgets: before a listing opens, its funding is empty.
    assert_eq!(hear("snapshot", r#","fundingRate":"","nextFundingTime":"""#), None);
    assert_eq!(hear("delta", r#","nextFundingTime":"1790035200000""#), None);
}

#[test]
fn a_refused_topic_concerns_the_instrument_it_names() {
    let denied = |frame: &str| match read(&mut linear(), frame).remove(0) {
        News::Denied { at, final_, .. } => (at, final_),
        other => panic!("{other:?}"),
    };
    let no = |words: &str, id: &str| {
        format!(r#"{{"success":false,"ret_msg":"{words}","conn_id":"c","req_id":"{id}","op":"subscribe"}}"#)
    };
    assert_eq!(denied(&no("Invalid topic: orderbook.50.BTCUSDT", "")), (Some(0), true));
    assert_eq!(denied(&no("error:handler not found", "BTCUSDT")), (Some(0), true));
    assert_eq!(denied(&no("error:already subscribed,topic:orderbook.50.BTCUSDT", "BTCUSDT")), (Some(0), false));
    assert_eq!(denied(&no("busy", "")), (None, false));
    for pong in [
        r#"{"success":true,"ret_msg":"pong","conn_id":"c","op":"ping"}"#,
        r#"{"args":["1790000000000"],"op":"pong"}"#,
        r#"{"success":true,"ret_msg":"subscribe","conn_id":"c","op":"subscribe"}"#,
    ] {
        assert_eq!(read(&mut linear(), pong), [News::Alive], "{pong}");
    }
}

#[test]
fn a_broken_frame_tells_whose_book_it_may_have_been() {
    let concerned = |frame: &str| linear().concerned(frame.as_bytes(), &btc());
    assert_eq!(concerned(&page("delta", 1, 1)[..60]), Concerned::One(0));
    assert_eq!(concerned(&page("delta", 1, 1)[..30]), Concerned::Everybody);
    for nobody in [
        r#"{"topic":"orderbook.50.ETHUSDT","type""#,
        r#"{"topic":"orderbook.1.BTCUSDT","type""#,
        r#"{"topic":"publicTrade.BTCUSDT","ty"#,
        r#"{"success":tru,"op":"ping"}"#,
    ] {
        assert_eq!(concerned(nobody), Concerned::Nobody, "{nobody}");
    }
    for everybody in ["", "\u{0}\u{1}", r#"{"topic":"orderboOk.50.BTCUSDT","type""#] {
        assert_eq!(concerned(everybody), Concerned::Everybody, "{everybody}");
    }
}

#[test]
fn what_contradicts_itself_is_refused() {
    let why =
        |frame: &str| linear().read(frame.as_bytes(), &btc(), LocalTime(0), &mut Vec::new()).unwrap_err().to_string();
    assert!(why(&page("delta", 2, 2).replace(r#""s":"BTC"#, r#""s":"ETH"#)).contains("under the topic of BTCUSDT"));
    assert!(why(&page("sideways", 2, 2)).contains("type is \"sideways\""));
    assert!(why(&page("delta", 2, 2).replace("orderbook.50", "orderbook.1")).contains("snapshots only"));
    assert!(why(&page("delta", 2, 2).replace("100.10", "100.15")).contains("not a multiple of 0.1"));
    assert!(why(&page("delta", 2, 2).replace("2.5", "-2.5")).contains("is negative"));
    assert!(
        why(&page("delta", 2, 2).replace("BTCUSDT", "XXXUSDT")).contains("is not an instrument of this connection")
    );
}
