//! Hyperliquid, case by case; its messages, as others published them, in `hyperliquid/published.rs`, its recording in
//! `hyperliquid/recorded.rs`. There is no chain, so cases about one do not apply: any book heals with the next one.

mod published;
mod recorded;

use papermaker::market::{Extent, FeedEventKind, Instrument, InstrumentId, MarketEventKind, PrintFlags, VenueId};
use papermaker::units::{LocalTime, Lots, Nanos, Side, Step, Ticks};
use papermaker::wire::conversation::Conversation;
use papermaker::wire::dialect::{Exchange, Options, Request};
use papermaker::wire::hyperliquid::{self, HYPERLIQUID, Words};
use papermaker::wire::liveness::Patience;
use papermaker::wire::{About, Action, Said};

use crate::support::talk::{Talk, words};

const BTC: InstrumentId = InstrumentId(0);
const ETH: InstrumentId = InstrumentId(1);

const META: &str = r#"{"universe":[{"name":"BTC","szDecimals":5},{"name":"ETH","szDecimals":4}],"collateralToken":0}"#;

fn list() -> Vec<(InstrumentId, Instrument)> {
    let listed = HYPERLIQUID.read_rules(&[META.as_bytes().to_vec()]).unwrap();
    [BTC, ETH].into_iter().zip(listed).map(|(id, one)| (id, one.rules.unwrap())).collect()
}

/// BTC and ETH, one socket open.
fn talk() -> Talk<Conversation<Words>> {
    let mut talk = Talk::about(hyperliquid::conversation(list(), Options::default()));
    talk.open();
    talk
}

/// `levels` like `100.0 2, 99 1`.
fn levels(text: &str) -> String {
    let level = |l: &str| {
        let (px, sz) = l.trim().split_once(' ').expect("a price and a size");
        format!(r#"{{"px":"{px}","sz":"{sz}","n":1}}"#)
    };
    let list: Vec<_> = text.split(',').filter(|l| !l.trim().is_empty()).map(level).collect();
    format!("[{}]", list.join(","))
}

fn book(coin: &str, time: u64, bids: &str, asks: &str) -> String {
    let (bids, asks) = (levels(bids), levels(asks));
    format!(r#"{{"channel":"l2Book","data":{{"coin":"{coin}","time":{time},"levels":[{bids},{asks}],"fast":true}}}}"#)
}

fn bbo(coin: &str, time: u64, bid: &str, ask: &str) -> String {
    let (bid, ask) = (levels(bid), levels(ask));
    let or_null = |side: &str| if side == "[]" { "null".to_owned() } else { side[1..side.len() - 1].to_owned() };
    let both = format!("{},{}", or_null(&bid), or_null(&ask));
    format!(r#"{{"channel":"bbo","data":{{"coin":"{coin}","time":{time},"bbo":[{both}]}}}}"#)
}

fn trade(time: u64, tid: u64, side: &str) -> String {
    format!(
        r#"{{"channel":"trades","data":[{{"coin":"BTC","side":"{side}","px":"100.5","sz":"0.3","time":{time},"hash":"0xab","tid":{tid},"users":["0x1","0x2"]}}]}}"#
    )
}

fn context(coin: &str) -> String {
    format!(
        r#"{{"channel":"activeAssetCtx","data":{{"coin":"{coin}","ctx":{{"markPx":"100.2","oraclePx":"100.4","funding":"0.0000125"}}}}}}"#
    )
}

/// With endless patience for channels, not for the line, and rules asked for every minute.
fn quiet() -> Talk<Conversation<Words>> {
    let endless = Patience::ENDLESS;
    let rules_every = Nanos::from_s(60);
    let options = Options { depth_patience: endless, bbo_patience: endless, rules_every, ..Options::default() };
    let mut talk = Talk::about(hyperliquid::conversation(list(), options));
    talk.open();
    for coin in ["BTC", "ETH"] {
        talk.hear(context(coin));
        talk.hear(book(coin, 1_000, "100.0 1", "101.0 2"));
    }
    talk
}

/// Both instruments live at block 1,000: 1 at 100 against 2 at 101.
fn in_step() -> Talk<Conversation<Words>> {
    let mut talk = talk();
    for coin in ["BTC", "ETH"] {
        talk.hear(context(coin));
        talk.hear(bbo(coin, 1_000, "100.0 1", "101.0 2"));
        assert_eq!(words(&talk.hear(book(coin, 1_000, "100.0 1, 99.0 1", "101.0 2"))), ["snapshot 1000", "live"]);
    }
    talk
}

fn sent(said: &[Said]) -> Vec<&str> {
    let text = |s| if let &Said::Do(Action::Send(ref text)) = s { Some(text.as_str()) } else { None };
    said.iter().filter_map(text).collect()
}

#[test]
fn case_02_past_trades_after_a_subscription_are_no_prints_and_none_counts_twice() {
    let mut talk = talk();
    // The batch of before the subscription may come before the first book, or after it.
    assert_eq!(words(&talk.hear(trade(900, 1, "B"))), [""; 0]);
    talk.hear(book("BTC", 1_000, "100.0 1", "101.0 2"));
    assert_eq!(words(&talk.hear(trade(900, 1, "B"))), [""; 0]);
    assert_eq!(words(&talk.hear(trade(1_000, 2, "B"))), [""; 0]);
    assert_eq!(words(&talk.hear(trade(1_100, 3, "B"))), ["trade 3"]);
    assert_eq!(words(&talk.hear(trade(1_100, 3, "B"))), [""; 0]);
    assert_eq!(talk.protocol.counts().duplicate_trades, 1);
    assert_eq!(words(&talk.hear(book("BTC", 1_000, "100.0 1", "101.0 2"))), [""; 0]);
    assert_eq!(words(&talk.hear(bbo("BTC", 1_050, "100.0 1", "101.0 2"))), ["bbo 1050"]);
    assert_eq!(words(&talk.hear(bbo("BTC", 1_050, "100.0 1", "101.0 2"))), [""; 0]);
    assert_eq!(talk.protocol.counts().duplicates, 2);
    // After a reconnection the batch has prints we heard, and prints of when we were away.
    talk.close("1006");
    talk.open();
    talk.hear(book("BTC", 2_000, "100.0 1", "101.0 2"));
    assert_eq!(words(&talk.hear(trade(1_100, 3, "B"))), [""; 0]);
    assert_eq!(words(&talk.hear(trade(1_500, 4, "B"))), [""; 0]);
    assert_eq!(words(&talk.hear(trade(2_001, 5, "B"))), ["trade 5"]);
}

#[test]
fn case_03_a_book_of_an_older_block_is_dropped() {
    let mut talk = in_step();
    assert_eq!(words(&talk.hear(book("BTC", 1_500, "100.5 7", "101.0 2"))), ["snapshot 1500"]);
    assert_eq!(words(&talk.hear(book("BTC", 1_400, "100.0 1", "101.0 2"))), [""; 0]);
    assert_eq!(talk.book(BTC).unwrap().best(Side::Bid).unwrap().price, Ticks(1_005));
    // A node that lags, behind a new socket.
    talk.close("restart");
    talk.open();
    assert_eq!(words(&talk.hear(book("BTC", 1_400, "100.0 1", "101.0 2"))), [""; 0]);
    assert!(talk.book(BTC).is_none());
    assert_eq!(words(&talk.hear(book("BTC", 1_500, "100.5 7", "101.0 2")))[0], "snapshot 1500");
}

#[test]
fn case_08_a_new_socket_subscribes_to_everything_once() {
    let mut talk = in_step();
    assert_eq!(words(&talk.close("1006")), ["disconnected"]);
    assert!(talk.book(BTC).is_none());
    assert_eq!(words(&talk.hear(book("BTC", 1_500, "100.0 1", "101.0 2"))), [""; 0]);
    let said = talk.open();
    let texts = sent(&said);
    assert_eq!(texts.len(), 8);
    for coin in ["BTC", "ETH"] {
        for kind in ["l2Book", "bbo", "trades", "activeAssetCtx"] {
            let is_it = |text: &&&str| text.contains(&format!(r#""type":"{kind}","coin":"{coin}""#));
            assert_eq!(texts.iter().filter(is_it).count(), 1, "{kind} of {coin}");
        }
    }
    assert!(texts.iter().all(|text| text.contains("l2Book") == text.contains(r#""fast":true"#)));
}

#[test]
fn case_09_a_silent_line_is_pinged_and_given_up_without_an_answer() {
    let mut talk = quiet();
    for _ in 0..5 {
        let said = talk.wait_ms(40_000);
        assert_eq!(sent(&said), [r#"{"method":"ping"}"#]);
        assert_eq!(words(&talk.hear(r#"{"channel":"pong"}"#)), [""; 0]);
    }
    let mut talk = quiet();
    assert!(!words(&talk.wait_ms(59_750)).contains(&"reconnect".to_owned()));
    assert!(words(&talk.wait_ms(1_000)).contains(&"reconnect".to_owned()));
}

#[test]
fn case_11_a_book_that_cannot_be_read_is_unknown_until_the_next_one() {
    let good = book("BTC", 1_500, "100.0 1", "101.0 2");
    let truncated = &good[..good.len() - 9];
    let wrong_type = good.replace("\"time\":1500", "\"time\":\"1500\"");
    let off_tick = good.replace("100.0", "100.05");
    for broken in [truncated, &wrong_type, &off_tick] {
        let mut talk = in_step();
        let said = talk.hear(broken);
        // Nothing has to be asked for: the next message is whole.
        assert_eq!(words(&said), ["protocol_error", "gap 1001 0", "resync"], "{broken}");
        assert!(talk.book(BTC).is_none() && talk.protocol.is_in_step(ETH));
        assert_eq!(words(&talk.hear(&good)), ["snapshot 1500", "live"]);
    }
    let mut talk = in_step();
    let mut invalid = good.clone().into_bytes();
    invalid[good.find("100.0").unwrap()] = 0xff;
    assert_eq!(words(&talk.hear(invalid))[..2], ["protocol_error", "gap 1001 0"]);

    let mut talk = in_step();
    let new_field = good.replace("\"time\"", "\"novelty\":{\"a\":[null]},\"time\"");
    assert_eq!(words(&talk.hear(new_field)), ["snapshot 1500"]);
    assert_eq!(words(&talk.hear(bbo("BTC", 1_600, "", "101.0 2"))), ["bbo 1600"]);
    for harmless in [
        "Websocket connection established.",
        r#"{"channel":"novelty","data":[1]}"#,
        r#"{"channel":"trades","data":[]}"#,
        r#"{"channel":"allMids","data":{"mids":{"BTC":"1"}}}"#,
        r#"{"channel":"bbo","data":{"coin":"DOGE","time":1,"bbo":[null,null]}}"#,
    ] {
        assert_eq!(words(&talk.hear(harmless)), [""; 0], "{harmless}");
    }
    assert_eq!(talk.protocol.counts().ignored, 5);
    assert_eq!(words(&talk.hear(trade(1_700, 1, "X"))), ["protocol_error"]);
    assert!(talk.protocol.is_in_step(BTC));
}

#[test]
fn case_13_a_book_that_stays_crossed_is_distrusted() {
    let mut talk = in_step();
    assert_eq!(words(&talk.hear(book("BTC", 1_500, "102.0 1", "101.0 2"))), ["snapshot 1500"]);
    assert_eq!(words(&talk.wait_ms(1_250)), ["gap 1501 1500", "resync"]);
    assert_eq!(words(&talk.hear(book("BTC", 2_500, "100.0 1", "101.0 2"))), ["snapshot 2500", "live"]);
    // Out of order and one price twice: put in order, the last word counts.
    talk.hear(book("BTC", 3_000, "99.0 1, 100.0 2, 99.0 3", ""));
    let book = talk.book(BTC).unwrap();
    let bids: Vec<_> = book.levels(Side::Bid).map(|l| (l.price, l.qty)).collect();
    assert_eq!(bids, [(Ticks(1_000), Lots(200_000)), (Ticks(990), Lots(300_000))]);
}

#[test]
fn case_14_beyond_the_window_the_book_is_unknown_not_empty() {
    let mut talk = in_step();
    let said = talk.hear(book("BTC", 1_500, "100.0 1, 99.9 1, 99.8 1, 99.7 1, 99.6 1", "100.1 1, 100.2 1"));
    match &said[..] {
        [Said::Market(event)] => {
            assert!(matches!(event.kind, MarketEventKind::Snapshot { extent: Extent::ToLast, seq: 1_500, .. }));
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(talk.book(BTC).unwrap().horizon(Side::Bid), Some(Ticks(996)));
    // The best prices have left the window; their number says that they are newer than the book.
    match &talk.hear(bbo("BTC", 1_600, "98.0 1", "98.1 1"))[..] {
        [Said::Market(event)] => assert!(matches!(event.kind, MarketEventKind::Bbo { seq: 1_600, .. })),
        other => panic!("{other:?}"),
    }
    // The next window replaces the last one: what it does not show is no longer believed.
    talk.hear(book("BTC", 2_000, "98.0 1", "98.1 1, 98.2 1"));
    let book = talk.book(BTC).unwrap();
    assert_eq!((book.depth(Side::Bid), book.depth(Side::Ask)), (1, 2));
    assert_eq!(book.horizon(Side::Ask), Some(Ticks(982)));
}

#[test]
fn case_15_a_coin_that_is_delisted_or_gone_from_the_list_is_told() {
    let mut talk = quiet();
    let mut said = Vec::new();
    for _ in 0..3 {
        said.extend(talk.wait_ms(20_000));
        talk.hear(r#"{"channel":"pong"}"#);
    }
    let asks = |one: &&Said| match one {
        Said::Do(Action::Fetch { about: About::Rules(0), request: Request::Post { path, body, .. }, .. }) => {
            path == "/info" && body == r#"{"type":"meta"}"#
        }
        _ => false,
    };
    assert_eq!(said.iter().filter(asks).count(), 1, "{said:?}");
    let now = r#"{"universe":[{"name":"BTC","szDecimals":5,"isDelisted":true}],"collateralToken":0}"#;
    let said = talk.fetched(About::Rules(0), now);
    assert_eq!(words(&said), ["status Delisted", "status Delisted"]);
    // Nobody is asked for the book again because of it.
    assert!(talk.protocol.is_in_step(BTC) && sent(&said).is_empty());
}

#[test]
fn case_16_a_price_that_gains_a_digit_stays_on_the_tick() {
    // 99,999 has five figures; 100,000 has six and is a whole number, so it is allowed; both are on 0.1.
    let mut talk = in_step();
    talk.hear(book("BTC", 1_500, "99999.0 1", "100001.0 2"));
    let book = talk.book(BTC).unwrap();
    assert_eq!(book.best(Side::Bid).unwrap().price, Ticks(999_990));
    assert_eq!(book.best(Side::Ask).unwrap().price, Ticks(1_000_010));
    assert_eq!(talk.protocol.counts().errors, 0);
}

#[test]
fn case_17_an_answer_without_data_and_a_refusal_are_noticed() {
    let mut quiet = talk();
    quiet.hear(r#"{"channel":"subscriptionResponse","data":{"method":"subscribe","subscription":{"type":"l2Book","coin":"BTC"}}}"#);
    let said = words(&quiet.wait_ms(10_250));
    for channel in ["no_data depth", "no_data bbo", "no_data mark"] {
        assert!(said.contains(&channel.to_owned()), "{said:?}");
    }
    match &talk().hear(
        r#"{"channel":"error","data":"Invalid subscription {\"type\":\"l2Book\",\"coin\":\"ETH\",\"fast\":true}"}"#,
    )[..]
    {
        [Said::Feed { instrument: Some(ETH), kind: FeedEventKind::Refused { reason } }] => {
            assert!(reason.starts_with("Invalid subscription"), "{reason}");
        }
        other => panic!("{other:?}"),
    }
    // Over the limit the venue does not say what it refuses.
    let over = r#"{"channel":"error","data":"Cannot track more than 1000 subscriptions"}"#;
    assert_eq!(words(&talk().hear(over)), ["protocol_error"]);
    assert_eq!(words(&talk().hear(r#"{"channel":"error","data":"Already subscribed: {}"}"#)), [""; 0]);
}

#[test]
fn case_18_b_is_a_taker_who_bought_and_a_one_who_sold() {
    for (word, taker) in [("B", Side::Bid), ("A", Side::Ask)] {
        match &in_step().hear(trade(1_100, 7, word))[..] {
            [Said::Market(event)] => {
                let (price, qty, flags) = (Ticks(1_005), Lots(30_000), PrintFlags::NONE);
                assert_eq!(event.kind, MarketEventKind::Trade { id: 7, taker, price, qty, flags });
                assert_eq!(event.venue_time.unwrap().0, 1_100_000_000);
            }
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn case_19_the_next_funding_is_told_by_our_clock_as_the_message_has_no_time() {
    let mut talk = in_step();
    // 12:59:59.9 of some day.
    talk.now = LocalTime((1_000 * 86_400 + 13 * 3_600) * 1_000_000_000 - 100_000_000);
    match &talk.hear(context("BTC"))[..] {
        [Said::Market(event)] => match event.kind {
            MarketEventKind::Mark(mark) => {
                let funding = mark.funding.unwrap();
                assert_eq!(funding.due.unwrap().0, (1_000 * 86_400 + 13 * 3_600) * 1_000_000_000);
                assert!(funding.at_index);
            }
            ref other => panic!("{other:?}"),
        },
        other => panic!("{other:?}"),
    }
}

#[test]
fn spot_pairs_have_a_connection_of_their_own_without_marks() {
    let step = |text| Step::parse(text).unwrap();
    let pair = Instrument::new(VenueId::Hyperliquid, "PURR/USDC", "PURR", "USDC", step("0.00000001"), step("1"));
    let mut all = list();
    all.push((InstrumentId(2), pair.unwrap()));
    let connections = HYPERLIQUID.connect(all, Options::default());
    let about: Vec<_> = connections.iter().map(|connection| connection.instruments()).collect();
    assert_eq!(about, [vec![BTC, ETH], vec![InstrumentId(2)]]);
}
