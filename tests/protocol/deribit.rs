//! Deribit, case by case; its messages, as others published them, in `deribit/published.rs`, its recordings in
//! `deribit/recorded.rs`.

mod published;
mod recorded;

use papermaker::market::{
    Contract, FeedEventKind, Instrument, InstrumentId, Kind, MarketEventKind, PrintFlags, Status, VenueId,
};
use papermaker::units::{Lots, Nanos, Side, Step, Ticks};
use papermaker::wire::conversation::Conversation;
use papermaker::wire::deribit::{self, Words};
use papermaker::wire::dialect::Options;
use papermaker::wire::{Action, Said};

use crate::support::talk::{Talk, words};

const BTC: InstrumentId = InstrumentId(0);
const ETH: InstrumentId = InstrumentId(1);
const GIVE_UP: &str = "public/unsubscribe";
const ASK: &str = "public/subscribe";

/// An inverse perpetual.
fn perpetual(base: &str, tick: &str, lot: &str) -> Instrument {
    let step = |text| Step::parse(text).unwrap();
    let name = format!("{base}-PERPETUAL");
    let rules = Instrument::new(VenueId::Deribit, &name, base, "USD", step(tick), step(lot)).unwrap();
    let funding_every = Some(Nanos::from_s(8 * 3_600));
    let contract = Contract { kind: Kind::Inverse, unit: Step::ONE, settle: base.to_owned(), funding_every };
    Instrument { contract, ..rules }
}

/// BTC in halves and tens of USD, ETH in twentieths and single USD. One socket open.
fn talk() -> Talk<Conversation<Words>> {
    let list = vec![(BTC, perpetual("BTC", "0.5", "10")), (ETH, perpetual("ETH", "0.05", "1"))];
    let mut talk = Talk::about(deribit::conversation(list, Options::default()));
    talk.open();
    talk
}

fn notice(channel: &str, data: &str) -> String {
    format!(r#"{{"jsonrpc":"2.0","method":"subscription","params":{{"channel":"{channel}","data":{data}}}}}"#)
}

/// `levels` like `new 100.5 10, delete 99 0`.
fn levels(text: &str) -> String {
    let level = |l: &str| match l.split_whitespace().collect::<Vec<_>>()[..] {
        [action, price, amount] => format!(r#"["{action}",{price},{amount}]"#),
        _ => panic!("{l:?} is not an action, a price and an amount"),
    };
    let list: Vec<_> = text.split(',').filter(|l| !l.trim().is_empty()).map(level).collect();
    format!("[{}]", list.join(","))
}

fn book(base: &str, head: &str, bids: &str, asks: &str) -> String {
    let (bids, asks) = (levels(bids), levels(asks));
    let data = format!(
        r#"{{{head},"timestamp":1790000000000,"instrument_name":"{base}-PERPETUAL","bids":{bids},"asks":{asks}}}"#
    );
    notice(&format!("book.{base}-PERPETUAL.100ms"), &data)
}

/// 10 USD at 100 against 20 at 101.
fn whole(base: &str, id: u64) -> String {
    book(base, &format!(r#""type":"snapshot","change_id":{id}"#), "new 100.0 10.0", "new 101.0 20.0")
}

fn change(base: &str, prev: u64, id: u64, bids: &str, asks: &str) -> String {
    book(base, &format!(r#""type":"change","prev_change_id":{prev},"change_id":{id}"#), bids, asks)
}

fn quote(base: &str) -> String {
    let data = format!(
        r#"{{"timestamp":1790000000000,"instrument_name":"{base}-PERPETUAL","best_bid_price":100.0,"best_bid_amount":10.0,"best_ask_price":101.0,"best_ask_amount":20.0}}"#
    );
    notice(&format!("quote.{base}-PERPETUAL"), &data)
}

fn ticker(base: &str, state: &str) -> String {
    let data = format!(
        r#"{{"timestamp":1790000000000,"state":"{state}","instrument_name":"{base}-PERPETUAL","mark_price":100.25,"index_price":100.5,"current_funding":0.0001}}"#
    );
    notice(&format!("ticker.{base}-PERPETUAL.100ms"), &data)
}

fn trade(seq: u64, direction: &str, more: &str) -> String {
    let data = format!(
        r#"[{{"timestamp":{},"trade_seq":{seq},"trade_id":"7","instrument_name":"BTC-PERPETUAL","price":100.5,"amount":30.0,"direction":"{direction}"{more}}}]"#,
        1_790_000_000_000 + seq
    );
    notice("trades.BTC-PERPETUAL.100ms", &data)
}

/// Both instruments live, BTC's book at change 7.
fn in_step() -> Talk<Conversation<Words>> {
    let mut talk = talk();
    for base in ["BTC", "ETH"] {
        talk.hear(ticker(base, "open"));
        talk.hear(quote(base));
        assert_eq!(words(&talk.hear(whole(base, 7))), ["snapshot 7", "live"]);
    }
    talk
}

fn sent(said: &[Said]) -> Vec<&str> {
    let text = |s| if let &Said::Do(Action::Send(ref text)) = s { Some(text.as_str()) } else { None };
    said.iter().filter_map(text).collect()
}

/// The book was lost, given up and asked for again.
fn assert_resubscribed(said: &[Said], expected: u64, found: u64) {
    let all = words(said);
    assert_eq!(all[..2], [format!("gap {expected} {found}"), "resync".to_owned()], "{all:?}");
    match sent(said)[..] {
        [first, second] => {
            assert!(first.contains(GIVE_UP) && second.contains(ASK), "{all:?}");
            let only_btc = |text: &str| text.contains(r#"{"channels":["book.BTC-PERPETUAL.100ms"]}"#);
            assert!(only_btc(first) && only_btc(second), "{all:?}");
        }
        _ => panic!("{all:?}"),
    }
}

#[test]
fn case_01_a_change_that_follows_another_one_is_a_gap_of_that_book_only() {
    let mut talk = in_step();
    assert_eq!(words(&talk.hear(change("BTC", 7, 90, "new 99.5 30", ""))), ["delta 90"]);
    // 91..=93 never came.
    assert_resubscribed(&talk.hear(change("BTC", 93, 95, "new 99.0 50", "")), 90, 93);
    assert!(talk.book(BTC).is_none() && !talk.protocol.is_in_step(BTC));
    assert!(talk.protocol.is_in_step(ETH));
    // What comes of the old subscription says nothing.
    assert_eq!(words(&talk.hear(change("BTC", 95, 96, "new 98.0 50", ""))), [""; 0]);
    assert_eq!(words(&talk.hear(whole("BTC", 99))), ["snapshot 99", "live"]);
    assert_eq!(words(&talk.hear(change("BTC", 99, 120, "delete 100.0 0.0", ""))), ["delta 120"]);
    assert_eq!(talk.book(BTC).unwrap().best(Side::Bid), None);
}

#[test]
fn case_02_what_was_heard_before_is_counted_and_nothing_more() {
    let mut talk = in_step();
    let again = change("BTC", 7, 8, "new 99.5 30", "");
    assert_eq!(words(&talk.hear(&again)), ["delta 8"]);
    assert_eq!(words(&talk.hear(&again)), [""; 0]);
    assert_eq!(talk.protocol.sync_counts(BTC).unwrap().duplicates, 1);
    assert_eq!(words(&talk.hear(trade(500, "buy", ""))), ["trade 500"]);
    assert_eq!(words(&talk.hear(trade(500, "buy", ""))), [""; 0]);
    assert_eq!(words(&talk.hear(trade(501, "buy", ""))), ["trade 501"]);
    assert_eq!(talk.protocol.counts().duplicate_trades, 1);
    // 502 and 503 never came.
    assert_eq!(words(&talk.hear(trade(504, "buy", ""))), ["protocol_error", "trade 504"]);
    assert_eq!(talk.protocol.counts().missed_trades, 2);
}

#[test]
fn case_03_of_two_changes_in_the_wrong_order_the_first_to_come_is_a_gap() {
    let mut talk = in_step();
    assert_resubscribed(&talk.hear(change("BTC", 8, 9, "new 99.0 50", "")), 7, 8);
    assert_eq!(words(&talk.hear(change("BTC", 7, 8, "new 99.5 30", ""))), [""; 0]);
}

#[test]
fn case_05_a_snapshot_that_does_not_come_is_asked_for_again() {
    let mut talk = talk();
    let said = talk.wait_ms(10_500);
    let texts = sent(&said);
    // Both books, ten seconds after the subscription.
    assert_eq!(texts.iter().filter(|text| text.contains(ASK)).count(), 2, "{texts:?}");
    assert!(words(&said).contains(&"resync".to_owned()));
}

#[test]
fn case_07_another_whole_book_replaces_the_known_one() {
    let mut talk = in_step();
    talk.hear(change("BTC", 7, 8, "new 99.5 30", ""));
    // Its number may even be lower, as after a restart.
    assert_eq!(words(&talk.hear(whole("BTC", 3))), ["snapshot 3"]);
    assert_eq!(talk.book(BTC).unwrap().depth(Side::Bid), 1);
    assert_eq!(words(&talk.hear(change("BTC", 3, 4, "", "change 101.0 30.0"))), ["delta 4"]);
    assert_eq!(talk.book(BTC).unwrap().best(Side::Ask).unwrap().qty, Lots(3));
}

#[test]
fn case_08_a_new_socket_subscribes_to_everything_once_and_waits_for_whole_books() {
    let mut talk = in_step();
    assert_eq!(words(&talk.close("1006")), ["disconnected"]);
    assert!(talk.book(BTC).is_none());
    assert_eq!(words(&talk.hear(change("BTC", 7, 8, "new 99.5 30", ""))), [""; 0]);
    let said = talk.open();
    let texts = sent(&said);
    assert_eq!(texts.len(), 3);
    assert!(texts[0].contains("public/set_heartbeat") && texts[2].contains("public/status"));
    for channel in ["book.BTC-PERPETUAL.100ms", "trades.ETH-PERPETUAL.100ms", "instrument.state.any.any"] {
        assert_eq!(texts[1].matches(channel).count(), 1, "{channel}");
    }
    assert_eq!(words(&talk.hear(change("BTC", 7, 8, "new 99.5 30", ""))), [""; 0]);
    assert!(!talk.protocol.is_in_step(BTC));
    assert_eq!(words(&talk.hear(whole("BTC", 8)))[0], "snapshot 8");
}

#[test]
fn case_09_a_test_request_is_answered_at_once_and_silence_is_death() {
    let mut talk = in_step();
    let said = talk.hear(r#"{"jsonrpc":"2.0","method":"heartbeat","params":{"type":"test_request"}}"#);
    assert!(matches!(sent(&said)[..], [text] if text.contains(r#""method":"public/test""#)), "{said:?}");
    assert_eq!(said.len(), 1);
    assert_eq!(words(&talk.hear(r#"{"jsonrpc":"2.0","method":"heartbeat","params":{"type":"heartbeat"}}"#)), [""; 0]);
    // A market without news has heartbeats still; here patience with channels is endless, with the line it is not.
    let patience = papermaker::wire::liveness::Patience::ENDLESS;
    let options = Options { depth_patience: patience, bbo_patience: patience, ..Options::default() };
    let mut quiet = Talk::about(deribit::conversation(vec![(BTC, perpetual("BTC", "0.5", "10"))], options));
    quiet.open();
    quiet.hear(ticker("BTC", "open"));
    quiet.hear(whole("BTC", 1));
    assert!(!words(&quiet.wait_ms(74_000)).contains(&"reconnect".to_owned()));
    assert!(words(&quiet.wait_ms(2_000)).contains(&"reconnect".to_owned()));
}

#[test]
fn case_10_too_many_requests_close_the_session_and_credits_are_waited_for() {
    let mut talk = in_step();
    let said =
        talk.hear(r#"{"jsonrpc":"2.0","id":2,"error":{"code":10028,"message":"too_many_requests","data":null}}"#);
    assert_eq!(words(&said), ["rate_limited", "reconnect"]);
    match &said[1] {
        Said::Do(Action::Reconnect { wait, .. }) => assert_eq!(*wait, Nanos::from_s(10)),
        other => panic!("{other:?}"),
    }
}

#[test]
fn case_11_a_book_message_that_cannot_be_read_costs_that_book_and_nothing_else_costs_anything() {
    let good = change("BTC", 7, 8, "new 99.5 30", "");
    let truncated = &good[..good.len() - 9];
    let wrong_type = good.replace("\"change_id\":8", "\"change_id\":\"8\"");
    let off_tick = good.replace("99.5", "99.75");
    for broken in [truncated, &wrong_type, &off_tick] {
        let mut talk = in_step();
        let said = words(&talk.hear(broken));
        assert_eq!(said[..3], ["protocol_error", "gap 8 0", "resync"], "{broken}");
        assert!(talk.protocol.is_in_step(ETH));
    }
    let mut talk = in_step();
    let mut invalid = good.clone().into_bytes();
    let at = good.find("new").unwrap();
    invalid[at] = 0xff;
    assert_eq!(words(&talk.hear(invalid))[..2], ["protocol_error", "gap 8 0"]);
    // Who is meant by half a channel? Everybody.
    let mut talk = in_step();
    let said = words(&talk.hear(&good[..80]));
    assert_eq!(said.iter().filter(|word| word.starts_with("gap")).count(), 2, "{said:?}");

    let mut talk = in_step();
    let new_field = good.replace("\"type\"", "\"novelty\":{\"a\":[null]},\"type\"");
    assert_eq!(words(&talk.hear(new_field)), ["delta 8"]);
    for harmless in [
        notice("something.new.100ms", "[1]"),
        notice("trades.BTC-PERPETUAL.100ms", "[]"),
        notice("ticker.SOL-PERPETUAL.100ms", r#"{"timestamp":1,"instrument_name":"SOL-PERPETUAL"}"#),
        r#"{"jsonrpc":"2.0","method":"novelty"}"#.to_owned(),
    ] {
        assert_eq!(words(&talk.hear(&harmless)), [""; 0], "{harmless}");
    }
    assert_eq!(talk.protocol.counts().ignored, 4);
    // A trade that cannot be read is told, and costs no book.
    assert_eq!(words(&talk.hear(trade(1, "sideways", ""))), ["protocol_error"]);
    assert!(talk.protocol.is_in_step(BTC));
}

#[test]
fn case_13_a_book_is_judged_after_whole_messages_and_distrusted_when_it_stays_crossed() {
    let mut talk = in_step();
    // Within the message the bid passes the ask that the same message removes.
    let through = change("BTC", 7, 8, "new 101.5 10", "delete 101.0 0, new 102.0 10");
    assert_eq!(words(&talk.hear(through)), ["delta 8"]);
    assert_eq!(words(&talk.hear(change("BTC", 8, 9, "new 103.0 10", ""))), ["delta 9"]);
    let said = talk.wait_ms(1_250);
    assert_resubscribed(&said, 10, 9);
    // Of a price named twice the last counts; an amount that is not above zero empties a level.
    let mut talk = in_step();
    talk.hear(change("BTC", 7, 8, "new 99.0 10, change 99.0 30, change 100.0 -10", ""));
    let book = talk.book(BTC).unwrap();
    assert_eq!((book.qty_at(Side::Bid, Ticks(198)), book.qty_at(Side::Bid, Ticks(200))), (Lots(3), Lots(0)));
}

#[test]
fn case_14_the_whole_book_is_known_so_what_is_empty_is_empty() {
    let mut talk = in_step();
    talk.hear(change("BTC", 7, 8, "", "delete 101.0 0, new 250.0 10"));
    let book = talk.book(BTC).unwrap();
    assert_eq!(book.best(Side::Ask).unwrap().price, Ticks(500));
    assert_eq!((book.horizon(Side::Ask), book.best_is_beyond_horizon(Side::Ask)), (None, false));
}

#[test]
fn case_15_a_state_that_is_not_open_is_told_once_and_breaks_no_book() {
    let mut talk = in_step();
    let state = |word: &str| {
        let data = format!(r#"{{"instrument_name":"BTC-PERPETUAL","state":"{word}","timestamp":1}}"#);
        notice("instrument.state.any.any", &data)
    };
    assert_eq!(words(&talk.hear(state("locked"))), ["status CancelOnly"]);
    assert_eq!(words(&talk.hear(ticker("BTC", "locked"))), ["mark"]);
    assert_eq!(words(&talk.hear(ticker("BTC", "settlement"))), ["mark", "status Halted"]);
    assert_eq!(words(&talk.hear(ticker("BTC", "open"))), ["mark", "status Trading"]);
    assert_eq!(words(&talk.hear(state("archivized"))), ["status Delisted"]);
    assert_eq!(words(&talk.hear(state("word_of_2027"))), ["status Unknown"]);
    assert!(!Status::Unknown.may_quote());
    assert_eq!(words(&talk.hear(change("BTC", 7, 8, "new 99.5 30", ""))), ["delta 8"]);
    let lock = notice("platform_state", r#"{"price_index":"eth_usd","locked":true}"#);
    assert_eq!(words(&talk.hear(&lock)), ["status CancelOnly"]);
    assert_eq!(words(&talk.hear(&lock)), [""; 0]);
}

#[test]
fn case_16_a_finer_tick_counts_the_revision_up_and_the_book_comes_anew() {
    let mut talk = in_step();
    let mut said = Vec::new();
    let finer = perpetual("BTC", "0.25", "10");
    talk.protocol.on_rules(BTC, &finer, talk.now, &mut said);
    match &said[..] {
        [Said::Market(event)] => match &event.kind {
            MarketEventKind::Rules(rules) => assert_eq!((rules.revision, rules.tick), (1, finer.tick)),
            other => panic!("{other:?}"),
        },
        other => panic!("{other:?}"),
    }
    assert_eq!(words(&talk.hear(change("BTC", 7, 8, "new 99.5 30", ""))), [""; 0]);
    assert_eq!(words(&talk.hear(whole("BTC", 9))), ["snapshot 9", "live"]);
    // 100 in quarters.
    assert_eq!(talk.book(BTC).unwrap().best(Side::Bid).unwrap().price, Ticks(400));
}

#[test]
fn case_17_an_answer_without_data_and_an_answer_that_lacks_a_channel_are_noticed() {
    let mut quiet = talk();
    let said = words(&quiet.wait_ms(10_250));
    for channel in ["no_data depth", "no_data bbo", "no_data mark"] {
        assert!(said.contains(&channel.to_owned()), "{said:?}");
    }
    let mut talk = talk();
    let granted: Vec<_> = ["book", "trades", "ticker"]
        .iter()
        .flat_map(|kind| [format!("\"{kind}.BTC-PERPETUAL.100ms\""), format!("\"{kind}.ETH-PERPETUAL.100ms\"")])
        .chain(["\"quote.BTC-PERPETUAL\"".to_owned()])
        .chain(["\"instrument.state.any.any\"".to_owned(), "\"platform_state\"".to_owned()])
        .collect();
    let answer = format!(r#"{{"jsonrpc":"2.0","id":2,"result":[{}],"testnet":false}}"#, granted.join(","));
    match &talk.hear(answer)[..] {
        [Said::Feed { instrument: Some(ETH), kind: FeedEventKind::Refused { reason } }] => {
            assert_eq!(reason, "no subscription to quote.ETH-PERPETUAL");
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn case_18_the_direction_is_the_takers_and_what_did_not_meet_the_book_is_flagged() {
    for (direction, more, side, flags) in [
        ("buy", "", Side::Bid, PrintFlags::NONE),
        ("sell", r#","liquidation":"T""#, Side::Ask, PrintFlags::NONE),
        ("buy", r#","block_trade_id":"BLOCK-9""#, Side::Bid, PrintFlags::BLOCK),
        ("sell", r#","combo_id":"BTC-FS-25DEC26_PERP""#, Side::Ask, PrintFlags::BLOCK),
    ] {
        match &in_step().hear(trade(1, direction, more))[..] {
            [Said::Market(event)] => {
                let (id, price, qty) = (1, Ticks(201), Lots(3));
                assert_eq!(event.kind, MarketEventKind::Trade { id, taker: side, price, qty, flags });
            }
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn case_19_a_clock_that_goes_back_changes_no_order() {
    let mut talk = in_step();
    let earlier = change("BTC", 7, 8, "new 99.5 30", "").replace("1790000000000", "1780000000000");
    let said = talk.hear(earlier);
    assert_eq!(words(&said), ["delta 8"]);
    match &said[0] {
        Said::Market(event) => assert_eq!(event.venue_time.unwrap().0, 1_780_000_000_000_000_000),
        other => panic!("{other:?}"),
    }
    assert!(talk.protocol.is_in_step(BTC));
}
