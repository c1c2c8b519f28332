//! What the dialect makes of single frames.

use super::*;
use crate::market::{InstrumentId, Level, PrintFlags};
use crate::units::{FundingRate, Lots, Step, Ticks, VenueTime};
use crate::wire::dialect::Link;

/// BTC-USDT and a swap of contracts of 0.01 BTC.
fn two() -> Symbols {
    let make = |symbol, lot: &str, unit: &str| {
        let step = |text| Step::parse(text).unwrap();
        let mut made = Instrument::new(VenueId::Okx, symbol, "BTC", "USDT", step("0.1"), step(lot)).unwrap();
        made.contract.unit = step(unit);
        made
    };
    Symbols::new(vec![
        (InstrumentId(0), make("BTC-USDT", "0.00000001", "1")),
        (InstrumentId(1), make("BTC-USDT-SWAP", "0.0001", "0.01")),
    ])
}

const SPOT: usize = 0;
const SWAP: usize = 1;

fn dialect() -> OkxDialect {
    OkxDialect::new(two().all().iter().map(|symbol| &symbol.instrument))
}

fn read(frame: &str) -> Vec<News> {
    let mut news = Vec::new();
    dialect().read(frame.as_bytes(), &two(), LocalTime(0), &mut news).unwrap();
    news
}

fn books(action: &str, tail: &str) -> String {
    format!(
        r#"{{"arg":{{"channel":"books","instId":"BTC-USDT-SWAP"}},"action":"{action}","data":[{{"asks":[["64210.2","3","0","3"]],"bids":[["64210.1","0.01","0","4"]],"ts":"1790000000123"{tail}}}]}}"#
    )
}

fn change(frame: &str) -> Change {
    match read(frame).remove(0) {
        News::Change { at: SWAP, change } => change,
        other => panic!("{other:?}"),
    }
}

#[test]
fn sizes_of_a_swap_count_contracts() {
    let change = change(&books("update", r#","checksum":0,"prevSeqId":7,"seqId":9"#));
    // A contract is 0.01 BTC, a lot a hundredth of one: three contracts are 300 lots, 0.03 BTC.
    assert_eq!(change.asks, [Level { price: Ticks(642_102), qty: Lots(300) }]);
    assert_eq!(change.bids, [Level { price: Ticks(642_101), qty: Lots(1) }]);
    assert_eq!((change.link, change.last, change.checksum), (Link::After(7), 9, None));
}

#[test]
fn numbers_and_checksums_are_taken_as_far_as_they_are_there() {
    let tie = |tail| {
        let change = change(&books("update", tail));
        (change.link, change.last, change.checksum)
    };
    assert_eq!(tie(r#","prevSeqId":15,"seqId":3"#), (Link::After(15), 3, None));
    // As it was in 2022. The sum is signed on the wire.
    assert_eq!(tie(r#","checksum":-1"#), (Link::None, 0, Some(u32::MAX)));
    let snapshot = read(&books("snapshot", r#","checksum":0,"prevSeqId":-1,"seqId":450001"#));
    assert!(matches!(snapshot[..], [News::Snapshot { at: SWAP, last: 450_001, seq: None, checksum: None, .. }]));
    for half in [r#","seqId":3"#, r#","prevSeqId":3"#, r#","prevSeqId":-1,"seqId":3"#] {
        let frame = books("update", half);
        let error = dialect().read(frame.as_bytes(), &two(), LocalTime(0), &mut Vec::new()).unwrap_err();
        assert!(error.to_string().starts_with("books: seqId"), "{half}: {error}");
    }
}

#[test]
fn a_best_bid_and_offer_does_not_compare_with_the_book() {
    let frame = r#"{"arg":{"channel":"bbo-tbt","instId":"BTC-USDT"},"data":[{"asks":[["64210.2","1.2","0","3"]],"bids":[],"ts":"1790000000133","seqId":450010}]}"#;
    let ask = Some(Level { price: Ticks(642_102), qty: Lots(120_000_000) });
    let time = Some(VenueTime(1_790_000_000_133_000_000));
    assert_eq!(read(frame), [News::Bbo { at: SPOT, time, seq: 0, bid: None, ask }]);
}

#[test]
fn a_taker_is_named_by_his_side_and_prints_beside_the_book_are_flagged() {
    let trade = |side: &str, more: &str| {
        let frame = format!(
            r#"{{"arg":{{"channel":"trades","instId":"BTC-USDT-SWAP"}},"data":[{{"instId":"BTC-USDT-SWAP","tradeId":"130639474","px":"64210.2","sz":"1.5","side":"{side}","ts":"1790000000140"{more}}}]}}"#
        );
        match read(&frame).remove(0) {
            News::Trade { at: SWAP, trade, .. } => trade,
            other => panic!("{other:?}"),
        }
    };
    let buy = trade("buy", r#","count":"3","source":"0","seqId":450012"#);
    assert_eq!((buy.id, buy.taker, buy.qty, buy.flags), (130_639_474, Side::Bid, Lots(150), PrintFlags::NONE));
    assert_eq!(trade("sell", "").taker, Side::Ask);
    assert_eq!(trade("sell", r#","source":"1""#).flags, PrintFlags::RPI);
}

#[test]
fn funding_is_for_the_time_between_the_next_two_payments() {
    let hear = |data: &str| {
        let frame = format!(
            r#"{{"arg":{{"channel":"funding-rate","instId":"BTC-USDT-SWAP"}},"data":[{{"instId":"BTC-USDT-SWAP"{data}}}]}}"#
        );
        read(&frame)
    };
    let news = hear(
        r#","fundingRate":"-0.0001","fundingTime":"1790006400000","nextFundingTime":"1790020800000","ts":"1790000000200""#,
    );
    match &news[..] {
        [News::Mark { at: SWAP, mark, .. }] => {
            let funding = mark.funding.unwrap();
            assert_eq!((funding.rate, funding.every), (FundingRate(-100_000_000), Nanos::from_s(4 * 3_600)));
            assert_eq!((funding.due, mark.mark), (Some(VenueTime(1_790_006_400_000_000_000)), None));
        }
        other => panic!("{other:?}"),
    }
    // A rate of an unknown time is a rate of nothing; so was a rate to be announced.
    assert_eq!(hear(r#","fundingRate":"0.0001","fundingTime":"1790006400000","nextFundingTime":"""#), [News::Alive]);
    assert_eq!(hear(r#","fundingTime":"1640851200000","nextFundingRate":"0.0003""#), [News::Alive]);
    let mark = r#"{"arg":{"channel":"mark-price","instId":"BTC-USDT-SWAP"},"data":[{"markPx":"64211.4","ts":"1790000000200"}]}"#;
    assert!(matches!(&read(mark)[..], [News::Mark { mark, .. }] if mark.mark.unwrap().to_string() == "64211.4"));
}

#[test]
fn pushed_rules_of_our_instruments_are_told_and_others_ignored() {
    let push = |symbol: &str, tick: &str| {
        let frame = format!(
            r#"{{"arg":{{"channel":"instruments","instType":"SWAP"}},"data":[{{"instType":"SWAP","instId":"{symbol}","ctVal":"0.01","ctMult":"1","ctType":"linear","ctValCcy":"BTC","settleCcy":"USDT","tickSz":"{tick}","lotSz":"0.01","minSz":"0.01","maxLmtSz":"100","state":"suspend"}}]}}"#
        );
        read(&frame)
    };
    match &push("BTC-USDT-SWAP", "0.01")[..] {
        [News::Rules { at: SWAP, rules }] => {
            assert_eq!((rules.tick.to_string(), rules.status), ("0.01".to_owned(), Status::Halted));
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(push("ETH-USDT-SWAP", "0.01"), [News::Ignored]);
    // Rules we cannot keep: not to be traded on.
    let news = push("BTC-USDT-SWAP", "0");
    assert!(matches!(news[..], [News::Status { status: Status::Unknown, .. }, News::Unreadable { .. }]), "{news:?}");
}

#[test]
fn a_refused_argument_concerns_the_instrument_it_names() {
    let error = |code: &str, words: &str, id: &str| {
        read(&format!(r#"{{"id":"{id}","event":"error","code":"{code}","msg":"{words}","connId":"a4d3ae55"}}"#))
            .remove(0)
    };
    let denied = |code, words, id| match error(code, words, id) {
        News::Denied { at, final_, .. } => (at, final_),
        other => panic!("{other:?}"),
    };
    let unknown = "Wrong URL or channel:books,instId:BTC-USDT-SWAP doesn't exist.";
    assert_eq!(denied("60018", unknown, ""), (Some(SWAP), true));
    assert_eq!(denied("60012", "Invalid request", "0"), (Some(SPOT), true));
    assert_eq!(denied("60012", "Invalid request", "99"), (None, true));
    assert_eq!(denied("63999", "Internal system error", "1"), (Some(SWAP), false));
    let slow = News::RateLimited { code: 60_014, wait: Nanos::from_s(5) };
    assert_eq!(error("60014", "Requests too frequent", "1"), slow);
    assert_eq!(read(r#"{"event":"notice","code":"64008","msg":"soon","connId":"a"}"#), [News::ShutdownAnnounced]);
    assert_eq!(read(r#"{"event":"notice","code":"1","msg":"hello","connId":"a"}"#), [News::Ignored]);
    assert_eq!(read("pong"), [News::Alive]);
}

#[test]
fn each_instrument_is_asked_for_by_itself_and_rules_by_kind() {
    let mut texts = Vec::new();
    dialect().open(&two(), &mut texts);
    let arg = |channel: &str, symbol: &str| format!(r#"{{"channel":"{channel}","instId":"{symbol}"}}"#);
    let all = |symbol: &str, channels: &[&str]| channels.iter().map(|c| arg(c, symbol)).collect::<Vec<_>>().join(",");
    let spot = all("BTC-USDT", &["books", "bbo-tbt", "trades"]);
    let swap = all("BTC-USDT-SWAP", &["books", "bbo-tbt", "trades", "mark-price", "funding-rate"]);
    assert_eq!(
        texts,
        [
            format!(r#"{{"id":"0","op":"subscribe","args":[{spot}]}}"#),
            format!(r#"{{"id":"1","op":"subscribe","args":[{swap}]}}"#),
            r#"{"op":"subscribe","args":[{"channel":"instruments","instType":"SPOT"}]}"#.to_owned(),
            r#"{"op":"subscribe","args":[{"channel":"instruments","instType":"SWAP"}]}"#.to_owned(),
        ]
    );
}

#[test]
fn a_broken_frame_tells_whose_book_it_may_have_been() {
    let concerned = |frame: &str| dialect().concerned(frame.as_bytes(), &two());
    assert_eq!(concerned(&books("update", "")[..80]), Concerned::One(SWAP));
    assert_eq!(concerned(&books("update", "")[..40]), Concerned::Everybody);
    assert_eq!(concerned(&books("update", "").replace("BTC-USDT-SWAP", "ETH-USDT")), Concerned::Nobody);
    assert_eq!(concerned(r#"{"arg":{"channel":"trades","instId":"BTC"#), Concerned::Nobody);
    assert_eq!(concerned(r#"{"event":"subscribe","arg"#), Concerned::Nobody);
    assert_eq!(concerned("ponG"), Concerned::Everybody);
}

#[test]
fn a_change_that_proves_nothing_is_refused() {
    let change = |tail: &str| {
        let mut news = Vec::new();
        dialect().read(books("update", tail).as_bytes(), &two(), LocalTime(0), &mut news).map(|()| news)
    };
    // A recording of 2021 has no numbers, but a checksum; of what has neither, nobody knows what it follows.
    assert!(change(r#","checksum":-855196043"#).is_ok());
    for tail in [r#","checksum":0"#, ""] {
        assert!(change(tail).is_err(), "{tail}");
    }
}
