//! What is made of Deribit's frames, one by one.

use super::*;
use crate::market::{Contract, Funding, Kind, Mark, PrintFlags, Status};
use crate::units::{FundingRate, Lots, Side, Step, Ticks};
use crate::wire::dialect::{Change, Link, Trade};

const NOON: LocalTime = LocalTime(1_790_000_000 * 1_000_000_000);
const BTC: usize = 0;

/// BTC inverse in ticks of 0.5 and lots of 10 USD, ETH linear in ticks of 0.05 and lots of 0.001.
pub(super) fn symbols() -> Symbols {
    let future = |id: u16, name: &str, base: &str, quote: &str, kind, settle: &str, tick: &str, lot: &str| {
        let step = |text| Step::parse(text).unwrap();
        let rules = Instrument::new(VenueId::Deribit, name, base, quote, step(tick), step(lot)).unwrap();
        let contract =
            Contract { kind, unit: Step::ONE, settle: settle.to_owned(), funding_every: Some(FUNDING_EVERY) };
        (InstrumentId(id), Instrument { contract, ..rules })
    };
    Symbols::new(vec![
        future(0, "BTC-PERPETUAL", "BTC", "USD", Kind::Inverse, "BTC", "0.5", "10"),
        future(1, "ETH_USDC-PERPETUAL", "ETH", "USDC", Kind::Linear, "USDC", "0.05", "0.001"),
    ])
}

fn level(price: i64, qty: i64) -> Level {
    Level { price: Ticks(price), qty: Lots(qty) }
}

fn notice(channel: &str, data: &str) -> String {
    format!(r#"{{"jsonrpc":"2.0","method":"subscription","params":{{"channel":"{channel}","data":{data}}}}}"#)
}

fn book(data: &str) -> String {
    notice("book.BTC-PERPETUAL.100ms", &format!(r#"{{"timestamp":1000,"instrument_name":"BTC-PERPETUAL",{data}}}"#))
}

fn trade(more: &str) -> String {
    let data = r#"[{"timestamp":1000,"trade_seq":271252854,"trade_id":"ETH-4036","instrument_name":"BTC-PERPETUAL","price":64210.5,"amount":750.0,"contracts":75.0,"direction":"sell","tick_direction":2,"mark_price":64211.2,"index_price":64215.1"#;
    notice("trades.BTC-PERPETUAL.100ms", &format!("{data}{more}}}]"))
}

/// What the words make of one frame.
fn read(words: &mut Words, frame: &str) -> Vec<News> {
    let mut news = Vec::new();
    words.read(frame.as_bytes(), &symbols(), NOON, &mut news).unwrap();
    news
}

fn alone(frame: &str) -> Vec<News> {
    read(&mut Words::default(), frame)
}

fn refused(frame: &str) -> String {
    Words::default().read(frame.as_bytes(), &symbols(), NOON, &mut Vec::new()).unwrap_err().to_string()
}

#[test]
fn a_book_begins_whole_and_goes_on_in_changes_that_name_what_they_follow() {
    let whole = alone(&book(
        r#""type":"snapshot","change_id":136725664747,"bids":[["new",64210.5,254900.0]],"asks":[["new",64211.0,91570.0]]"#,
    ));
    // 64,210.5 in halves, 254,900 USD in tens.
    let (bids, asks) = (vec![level(128_421, 25_490)], vec![level(128_422, 9_157)]);
    let time = Some(VenueTime(1_000_000_000));
    let expected =
        News::Snapshot { at: BTC, last: 136_725_664_747, seq: None, time, bids, asks, complete: true, checksum: None };
    assert_eq!(whole, [expected]);
    let change = alone(&book(
        r#""type":"change","prev_change_id":136725664747,"change_id":136725664791,"bids":[["delete",64210.5,0.0]],"asks":[["change",64211,50000],["new",64211.5,1000.0]]"#,
    ));
    let change_expected = Change {
        link: Link::After(136_725_664_747),
        last: 136_725_664_791,
        seq: None,
        time,
        bids: vec![level(128_421, 0)],
        asks: vec![level(128_422, 5_000), level(128_423, 100)],
        checksum: None,
    };
    assert_eq!(change, [News::Change { at: BTC, change: change_expected }]);
}

#[test]
fn without_a_type_what_follows_nothing_is_whole() {
    let of_2019 = |prev: &str| alone(&book(&format!(r#"{prev}"change_id":5,"bids":[],"asks":[]"#)));
    assert!(matches!(of_2019("")[..], [News::Snapshot { last: 5, .. }]));
    assert!(matches!(of_2019(r#""prev_change_id":null,"#)[..], [News::Snapshot { last: 5, .. }]));
    assert!(matches!(of_2019(r#""prev_change_id":4,"#)[..], [News::Change { .. }]));
    // A whole book may name a predecessor; it replaces what was known all the same.
    let whole = alone(&book(r#""type":"snapshot","prev_change_id":20,"change_id":9,"bids":[],"asks":[]"#));
    assert!(matches!(whole[..], [News::Snapshot { last: 9, .. }]));
    assert!(refused(&book(r#""type":"change","change_id":5,"bids":[],"asks":[]"#)).contains("what it follows"));
    assert!(refused(&book(r#""type":"patch","change_id":5,"bids":[],"asks":[]"#)).contains("patch"));
}

#[test]
fn numbers_are_read_as_text_with_exponents_and_without_a_point() {
    let bids = |levels: &str| {
        let frame = book(&format!(r#""type":"change","prev_change_id":1,"change_id":2,"bids":[{levels}],"asks":[]"#));
        match alone(&frame).remove(0) {
            News::Change { change, .. } => change.bids,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(bids(r#"["new",6.42105e4,2.549E5],["new",64210,10]"#), [level(128_421, 25_490), level(128_420, 1)]);
    // Nothing rests where the amount is not above zero; what is finer than a lot rests as one more.
    assert_eq!(
        bids(r#"["change",1.0,0],["new",1.5,-10.0],["delete",2,77],["new",3,15]"#),
        [level(2, 0), level(3, 0), level(4, 0), level(6, 2)]
    );
    for (levels, why) in [
        (r#"["new",64210.25,10]"#, "64210.25 is not a multiple of 0.5"),
        (r#"["new",0,10]"#, "is zero"),
        (r#"["new",-1,10]"#, "is negative"),
        (r#"["new",1e40,10]"#, "bid"),
        (r#"["grow",1,10]"#, "is no action"),
        (r#"["new","1",10]"#, "bid"),
        (r#"["new",1]"#, "book"),
    ] {
        let error =
            refused(&book(&format!(r#""type":"change","prev_change_id":1,"change_id":2,"bids":[{levels}],"asks":[]"#)));
        assert!(error.contains(why), "{levels}: {error}");
    }
}

#[test]
fn a_whole_book_out_of_order_is_put_in_order() {
    let frame = book(r#""type":"snapshot","change_id":1,"bids":[["new",1,10],["new",2,20],["new",1,30]],"asks":[]"#);
    match &alone(&frame)[..] {
        [News::Snapshot { bids, .. }] => assert_eq!(bids, &[level(4, 2), level(2, 3)]),
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_direction_is_the_takers() {
    for (word, taker) in [("sell", Side::Ask), ("buy", Side::Bid)] {
        let price = Ticks(128_421);
        let trade_expected = Trade { id: 271_252_854, taker, price, qty: Lots(75), flags: PrintFlags::NONE };
        let expected = News::Trade { at: BTC, time: VenueTime(1_000_000_000), trade: trade_expected };
        assert_eq!(alone(&trade("").replace("sell", word)), [expected]);
    }
    assert!(refused(&trade("").replace("sell", "zero")).contains("is neither side"));
}

#[test]
fn blocks_and_legs_of_combinations_did_not_meet_the_book_and_liquidations_did() {
    for (more, flags) in [
        (r#","liquidation":"MT""#, PrintFlags::NONE),
        (r#","block_trade_id":"BLOCK-1""#, PrintFlags::BLOCK),
        (r#","block_rfq_id":12"#, PrintFlags::BLOCK),
        (r#","combo_id":"BTC-FS-25DEC26_PERP""#, PrintFlags::BLOCK),
        (r#","combo_trade_id":"43""#, PrintFlags::BLOCK),
        (r#","combo_id":null,"starbase_x":1"#, PrintFlags::NONE),
    ] {
        match &alone(&trade(more))[..] {
            [News::Trade { trade, .. }] => assert_eq!(trade.flags, flags, "{more}"),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn an_empty_side_of_a_quote_is_zero_or_null() {
    let quote = |bid: &str, amount: &str| {
        let data = format!(
            r#"{{"timestamp":95,"instrument_name":"BTC-PERPETUAL","best_bid_price":{bid},"best_bid_amount":{amount},"best_ask_price":64211.0,"best_ask_amount":50000.0}}"#
        );
        alone(&notice("quote.BTC-PERPETUAL", &data)).remove(0)
    };
    let expected =
        |bid| News::Bbo { at: BTC, time: Some(VenueTime(95_000_000)), seq: 0, bid, ask: Some(level(128_422, 5_000)) };
    assert_eq!(quote("64210.0", "133440.0"), expected(Some(level(128_420, 13_344))));
    assert_eq!(quote("0.0", "0.0"), expected(None));
    assert_eq!(quote("null", "0.0"), expected(None));
}

fn ticker(state: &str) -> String {
    let data = r#"{"timestamp":1000,"state":"STATE","instrument_name":"BTC-PERPETUAL","mark_price":64211.2,"index_price":64215.1,"current_funding":-8.477e-05,"funding_8h":0.00001742,"open_interest":1132329370.0,"stats":{"volume":null}}"#;
    notice("ticker.BTC-PERPETUAL.100ms", &data.replace("STATE", state))
}

#[test]
fn funding_accrues_all_the_time_at_a_rate_for_eight_hours() {
    let money = |text: &str| crate::units::Money::from_decimal(text.parse().unwrap());
    let funding = Funding { rate: FundingRate(-84_770_000), due: None, every: FUNDING_EVERY, at_index: false };
    let mark = Mark { mark: money("64211.2"), index: money("64215.1"), funding: Some(funding) };
    // The state is the one in force, so nothing is said of it.
    assert_eq!(alone(&ticker("open")), [News::Mark { at: BTC, time: Some(VenueTime(1_000_000_000)), mark }]);
    let future = ticker("open").replace(r#""current_funding":-8.477e-05,"#, "");
    assert!(matches!(alone(&future)[..], [News::Mark { mark: Mark { funding: None, .. }, .. }]));
}

#[test]
fn the_strictest_of_state_lock_and_maintenance_counts() {
    let mut words = Words::default();
    let halted = [News::Status { at: BTC, status: Status::Halted }];
    assert_eq!(read(&mut words, &ticker("settlement"))[1..], halted);
    let state = |word: &str| {
        let data = format!(r#"{{"instrument_name":"BTC-PERPETUAL","state":"{word}","timestamp":1}}"#);
        notice("instrument.state.any.any", &data)
    };
    assert_eq!(read(&mut words, &state("open")), []);
    assert_eq!(read(&mut words, &state("archivized")), [News::Status { at: BTC, status: Status::Delisted }]);
    assert_eq!(read(&mut words, &state("started")), []);
    // A lock of the index outlasts the tickers that say open.
    let lock = |locked: bool| notice("platform_state", &format!(r#"{{"price_index":"btc_usd","locked":{locked}}}"#));
    let cancel_only = [News::Status { at: BTC, status: Status::CancelOnly }];
    assert_eq!(read(&mut words, &lock(true)), cancel_only);
    // The list that is asked for now and then knows nothing of it.
    assert_eq!(words.allowed(BTC, Status::Trading), Status::CancelOnly);
    assert_eq!(words.allowed(BTC, Status::Delisted), Status::Delisted);
    assert_eq!(read(&mut words, &ticker("open"))[1..], cancel_only);
    assert_eq!(read(&mut words, &lock(false)), []);
    // Of whoever is locked when a socket opens, the venue tells on request.
    let answer = |result: &str| format!(r#"{{"jsonrpc":"2.0","id":9,"result":{result}}}"#);
    let locked = answer(r#"{"locked":"partial","locked_indices":["btc_usd"]}"#);
    assert_eq!(read(&mut words, &locked)[1..], cancel_only);
    assert_eq!(read(&mut words, &answer(r#"{"locked":true,"locked_currencies":[]}"#)).len(), 3);
    assert_eq!(read(&mut words, &answer(r#"{"locked":"false","locked_indices":[]}"#)), [News::Alive]);
    let closed = read(&mut words, &notice("platform_state", r#"{"maintenance":true}"#));
    assert!(closed.len() == 2 && closed[0] == halted[0], "{closed:?}");
    words.open(&symbols(), &mut Vec::new());
    assert_eq!(read(&mut words, &lock(false)), []);
}

#[test]
fn a_test_request_is_answered_and_a_heartbeat_is_a_sign_of_life() {
    let beat = |kind: &str| format!(r#"{{"jsonrpc":"2.0","method":"heartbeat","params":{{"type":"{kind}"}}}}"#);
    assert_eq!(alone(&beat("heartbeat")), [News::Alive]);
    let answer = r#"{"jsonrpc":"2.0","id":1,"method":"public/test","params":{}}"#.to_owned();
    assert_eq!(alone(&beat("test_request")), [News::Answer(answer)]);
    assert_eq!(alone(r#"{"jsonrpc":"2.0","id":1,"result":{"version":"1.2.26"}}"#), [News::Alive]);
    assert_eq!(alone(r#"{"jsonrpc":"2.0","id":1,"result":"ok"}"#), [News::Alive]);
}

/// Words that have just subscribed, and the channels they asked for.
fn subscribed() -> (Words, Vec<String>) {
    let (mut words, mut texts) = (Words::default(), Vec::new());
    words.open(&symbols(), &mut texts);
    assert_eq!(texts.len(), 3);
    assert_eq!(texts[0], r#"{"jsonrpc":"2.0","id":1,"method":"public/set_heartbeat","params":{"interval":30}}"#);
    assert!(texts[1].starts_with(r#"{"jsonrpc":"2.0","id":2,"method":"public/subscribe","params":{"channels":["#));
    assert_eq!(texts[2], r#"{"jsonrpc":"2.0","id":3,"method":"public/status","params":{}}"#);
    let text: serde_json::Value = serde_json::from_str(&texts[1]).unwrap();
    (words, serde_json::from_value(text["params"]["channels"].clone()).unwrap())
}

fn granted(channels: &[String]) -> String {
    format!(r#"{{"jsonrpc":"2.0","id":2,"result":{},"testnet":false}}"#, serde_json::Value::from(channels))
}

#[test]
fn every_channel_asked_for_has_to_be_in_the_answer() {
    let (mut words, mut channels) = subscribed();
    let expected =
        ["book.BTC-PERPETUAL.100ms", "trades.BTC-PERPETUAL.100ms", "quote.BTC-PERPETUAL", "ticker.BTC-PERPETUAL.100ms"];
    assert!(expected.iter().all(|channel| channels.contains(&(*channel).to_owned())));
    assert_eq!(channels.len(), 10);
    channels.reverse();
    assert_eq!(read(&mut words, &granted(&channels)), [News::Alive]);
    // A second answer to the same question is none.
    assert_eq!(read(&mut words, &granted(&[])), [News::Alive]);

    let (mut words, mut channels) = subscribed();
    channels.retain(|channel| !channel.contains("ETH") && channel != "platform_state");
    let denied = |at, words: &str, final_| News::Denied { at, words: words.to_owned(), final_ };
    assert_eq!(
        read(&mut words, &granted(&channels))[1..],
        [
            denied(None, "no subscription to platform_state", false),
            denied(
                Some(1),
                "no subscription to book.ETH_USDC-PERPETUAL.100ms, trades.ETH_USDC-PERPETUAL.100ms, \
                 quote.ETH_USDC-PERPETUAL, ticker.ETH_USDC-PERPETUAL.100ms",
                true
            ),
        ]
    );
}

#[test]
fn a_book_comes_anew_by_giving_it_up_and_asking_again() {
    let (mut words, _) = subscribed();
    let mut texts = Vec::new();
    words.resubscribe(&symbols(), BTC, &mut texts);
    assert_eq!(
        texts,
        [
            r#"{"jsonrpc":"2.0","id":4,"method":"public/unsubscribe","params":{"channels":["book.BTC-PERPETUAL.100ms"]}}"#,
            r#"{"jsonrpc":"2.0","id":5,"method":"public/subscribe","params":{"channels":["book.BTC-PERPETUAL.100ms"]}}"#,
        ]
    );
    let error = |id: u32, code: i64| {
        format!(r#"{{"jsonrpc":"2.0","id":{id},"error":{{"code":{code},"message":"no","data":null}}}}"#)
    };
    let denied = |at, words: &str, final_| News::Denied { at, words: words.to_owned(), final_ };
    assert_eq!(read(&mut words, &error(5, 10_040)), [denied(Some(BTC), "10040 no", false)]);
    words.resubscribe(&symbols(), BTC, &mut texts);
    assert_eq!(read(&mut words, &error(7, -32_602)), [denied(Some(BTC), "-32602 no", true)]);
    // The first subscription is about all of them.
    assert_eq!(read(&mut words, &error(2, -32_602)), [denied(None, "-32602 no", false)]);
    assert_eq!(read(&mut words, &error(1, 10_028)), [News::RateLimited { code: 10_028, wait: Nanos::from_s(10) }]);
}

#[test]
fn what_is_none_of_our_business_is_left_alone() {
    for frame in [
        notice("book.BTC-PERPETUAL.none.10.100ms", r#"{"change_id":1,"bids":[[1,2]],"asks":[]}"#),
        notice("deribit_volatility_index.btc_usd", "{}"),
        notice("platform_state.public_methods_state", r#"{"allow_unauthenticated_public_requests":true}"#),
        notice("platform_state", r#"{"something":1}"#),
        notice("trades.BTC-PERPETUAL.100ms", "[]"),
        r#"{"jsonrpc":"2.0","method":"something_new","params":[1]}"#.to_owned(),
        "{}".to_owned(),
    ] {
        assert_eq!(alone(&frame), [News::Ignored], "{frame}");
    }
    assert!(
        refused(&notice(
            "book.SOL-PERPETUAL.100ms",
            r#"{"type":"snapshot","timestamp":1,"instrument_name":"SOL-PERPETUAL","change_id":1,"bids":[],"asks":[]}"#
        ))
        .contains("SOL")
    );
}

#[test]
fn an_unreadable_frame_names_the_book_it_was_about() {
    let (words, symbols) = (Words::default(), symbols());
    for (frame, concerned) in [
        (
            r#"{"jsonrpc":"2.0","method":"subscription","params":{"channel":"book.ETH_USDC-PERPETUAL.100ms","da"#,
            Concerned::One(1),
        ),
        (r#"{ "params" : { "channel" : "book.BTC-PERPETUAL.raw", "data" : {"#, Concerned::One(0)),
        (r#"{"method":"subscription","params":{"channel":"book.SOL-PERPETUAL.100ms","#, Concerned::Nobody),
        (r#"{"method":"subscription","params":{"channel":"book.BTC-PERPETUAL.none.10.100ms","#, Concerned::Nobody),
        (r#"{"method":"subscription","params":{"channel":"ticker.BTC-PERPETUAL.100ms","#, Concerned::Nobody),
        (r#"{"method":"subscription","params":{"channel":"book.BTC-PER"#, Concerned::Everybody),
        (r#"{"jsonrpc":"2.0","id":2,"resu"#, Concerned::Nobody),
        (r#"{"jsonrpc":"2.0","method":"heartbeat","par"#, Concerned::Nobody),
        (r#"{"jsonrpc":"2.0","me"#, Concerned::Everybody),
    ] {
        assert_eq!(words.concerned(frame.as_bytes(), &symbols), concerned, "{frame}");
    }
}
