//! Depth continuity, errors and prints, case by case (the numbers are those of the venue notes' test list).

use papermaker::market::{FeedEventKind, MarketEventKind, PrintFlags, Status};
use papermaker::units::{Lots, Nanos, Side, Ticks, VenueTime};
use papermaker::wire::binance_spot::{Settings, TimeUnit, Trades, conversation};
use papermaker::wire::depth_sync::SyncLimits;
use papermaker::wire::liveness::Patience;
use papermaker::wire::{Action, FetchFailure, Protocol, Said};

use super::*;

#[test]
fn the_streams_of_all_instruments_are_asked_for_in_one_path() {
    let talk = Talk::with(Settings::default());
    assert_eq!(
        talk.protocol.ws_path(),
        "/stream?streams=btcusdt@depth@100ms/btcusdt@trade/btcusdt@bookTicker/\
         ethusdt@depth@100ms/ethusdt@trade/ethusdt@bookTicker"
    );
    let settings = Settings {
        bbo: false,
        trades: Trades::Aggregated,
        block_trades: true,
        time_unit: TimeUnit::Microseconds,
        ..Settings::default()
    };
    let one = conversation(vec![(BTC, instrument("BTCUSDT", "0.01", "0.00001"))], settings);
    assert_eq!(
        one.ws_path(),
        "/stream?streams=btcusdt@depth@100ms/btcusdt@aggTrade/btcusdt@blockTrade&timeUnit=MICROSECOND"
    );
}

#[test]
fn a_snapshot_is_asked_for_when_a_difference_is_there_to_meet_it() {
    let mut talk = Talk::new();
    assert_eq!(words(&talk.wait_ms(1_000)), [] as [&str; 0]);
    let said = talk.hear(diff("BTCUSDT", 95, 100, "", ""));
    assert_eq!(
        said,
        [Said::Do(Action::Fetch {
            about: About::Book(BTC),
            request: Request::Get { path: "/api/v3/depth?symbol=BTCUSDT&limit=1000".to_owned(), weight: 50 },
            delay: Nanos::ZERO,
        })]
    );
    // Once.
    assert_eq!(words(&talk.hear(diff("BTCUSDT", 101, 102, "", ""))), [] as [&str; 0]);
}

#[test]
fn case_1_after_a_gap_nothing_is_applied_until_a_new_snapshot_is_bridged() {
    let mut talk = Talk::in_step();
    // 100, then 105: 101..=104 never came.
    let said = talk.hear(diff("BTCUSDT", 105, 106, "100.50 9", ""));
    assert_eq!(words(&said), ["gap 101 105", "resync", "fetch after 0 ms"]);
    assert!(talk.book().is_none());
    assert_eq!(words(&talk.hear(diff("BTCUSDT", 107, 108, "", "101.00 2"))), [] as [&str; 0]);
    // The snapshot has 106 in it; 107..=108 follows.
    assert_eq!(words(&talk.fetched(BTC, &snapshot(106))), ["snapshot 106", "delta 108", "live"]);
    assert_eq!(talk.book().unwrap().qty_at(Side::Ask, Ticks(10_100)), Lots(200_000));
}

#[test]
fn case_1_a_gap_concerns_its_own_instrument_only() {
    let mut talk = Talk::in_step();
    talk.hear(diff("ETHUSDT", 10, 20, "", ""));
    assert_eq!(words(&talk.fetched(ETH, &snapshot(20))), ["snapshot 20", "live"]);
    talk.hear(diff("BTCUSDT", 105, 106, "", ""));
    assert_eq!(words(&talk.hear(diff("ETHUSDT", 21, 22, "", ""))), ["delta 22"]);
}

#[test]
fn case_2_a_difference_told_twice_counts_once() {
    let mut talk = Talk::in_step();
    let frame = diff("BTCUSDT", 101, 104, "99.00 3", "");
    assert_eq!(words(&talk.hear(&frame)), ["delta 104"]);
    assert_eq!(words(&talk.hear(&frame)), [] as [&str; 0]);
    assert_eq!(words(&talk.hear(diff("BTCUSDT", 105, 105, "", ""))), ["delta 105"]);
    assert_eq!(talk.protocol.sync_counts(BTC).unwrap().duplicates, 1);
}

#[test]
fn case_3_two_swapped_differences_are_a_gap_and_heal() {
    let mut talk = Talk::in_step();
    let said = talk.hear(diff("BTCUSDT", 103, 104, "", ""));
    assert_eq!(words(&said), ["gap 101 103", "resync", "fetch after 0 ms"]);
    // The late one lies before all that is buffered.
    assert_eq!(words(&talk.hear(diff("BTCUSDT", 101, 102, "", ""))), [] as [&str; 0]);
    assert_eq!(words(&talk.fetched(BTC, &snapshot(104))), ["snapshot 104", "live"]);
    assert_eq!(words(&talk.hear(diff("BTCUSDT", 105, 106, "", ""))), ["delta 106"]);
}

#[test]
fn case_4_a_snapshot_older_than_the_buffer_is_fetched_again_later_and_later() {
    let mut talk = Talk::new();
    talk.hear(diff("BTCUSDT", 500, 510, "", ""));
    assert_eq!(words(&talk.fetched(BTC, &snapshot(450))), ["resync", "fetch after 250 ms"]);
    assert_eq!(words(&talk.fetched(BTC, &snapshot(450))), ["resync", "fetch after 500 ms"]);
    assert_eq!(words(&talk.fetched(BTC, &snapshot(450))), ["resync", "fetch after 1000 ms"]);
    talk.hear(diff("BTCUSDT", 511, 514, "", ""));
    talk.hear(diff("BTCUSDT", 515, 525, "", ""));
    assert_eq!(words(&talk.fetched(BTC, &snapshot(520))), ["snapshot 520", "delta 525", "live"]);
}

#[test]
fn case_4_a_venue_that_only_has_old_snapshots_is_left_after_eight() {
    let mut talk = Talk::new();
    talk.hear(diff("BTCUSDT", 500, 510, "", ""));
    for _ in 0..7 {
        assert_eq!(words(&talk.fetched(BTC, &snapshot(450)))[0], "resync");
    }
    assert_eq!(words(&talk.fetched(BTC, &snapshot(450))), ["reconnect"]);
    // This socket has nothing more to say of books; prints still count.
    assert_eq!(words(&talk.hear(diff("BTCUSDT", 511, 512, "", ""))), [] as [&str; 0]);
    assert_eq!(words(&talk.hear(trade("BTCUSDT", 1, 1_700_000_000_000, true))), ["trade 1"]);
    assert_eq!(words(&talk.wait_ms(60_000)), [] as [&str; 0]);
    // The next one begins from the beginning.
    assert_eq!(words(&talk.open()), ["connected"]);
    assert_eq!(words(&talk.hear(diff("BTCUSDT", 600, 601, "", ""))), ["fetch after 0 ms"]);
}

#[test]
fn case_4_the_boundaries_of_the_bridge() {
    // U == lastUpdateId + 1 continues it.
    let mut talk = Talk::new();
    talk.hear(diff("BTCUSDT", 101, 103, "", ""));
    assert_eq!(words(&talk.fetched(BTC, &snapshot(100))), ["snapshot 100", "delta 103", "live"]);
    // u == lastUpdateId is in it already.
    let mut talk = Talk::new();
    talk.hear(diff("BTCUSDT", 95, 100, "", ""));
    assert_eq!(words(&talk.fetched(BTC, &snapshot(100))), ["snapshot 100", "live"]);
    // U == lastUpdateId + 2 leaves a hole.
    let mut talk = Talk::new();
    talk.hear(diff("BTCUSDT", 102, 103, "", ""));
    assert_eq!(words(&talk.fetched(BTC, &snapshot(100))), ["resync", "fetch after 250 ms"]);
    // A snapshot ahead of the stream waits for it.
    let mut talk = Talk::new();
    talk.hear(diff("BTCUSDT", 95, 97, "", ""));
    assert_eq!(words(&talk.fetched(BTC, &snapshot(100))), [] as [&str; 0]);
    assert_eq!(words(&talk.hear(diff("BTCUSDT", 98, 99, "", ""))), [] as [&str; 0]);
    assert_eq!(words(&talk.hear(diff("BTCUSDT", 100, 102, "", ""))), ["snapshot 100", "delta 102", "live"]);
}

#[test]
fn case_5_while_a_snapshot_is_slow_memory_stays_flat() {
    let sync = SyncLimits { buffer_messages: 1_000, ..SyncLimits::default() };
    let mut talk =
        Talk::with(Settings { bbo: false, options: Options { sync, ..Options::default() }, ..Settings::default() });
    let mut overflows = 0;
    for n in 0..20_000u64 {
        overflows += words(&talk.hear(diff("BTCUSDT", n, n, "99.00 3", ""))).iter().filter(|w| *w == "resync").count();
    }
    // 1,000 fit; every 1,001st starts anew.
    assert_eq!(overflows, 19);
    assert_eq!(talk.protocol.sync_counts(BTC).unwrap().overflows, 19);
    // The snapshot that was asked for at first is now too old; the next one is not.
    assert_eq!(words(&talk.fetched(BTC, &snapshot(500))), ["resync", "fetch after 250 ms"]);
    assert_eq!(words(&talk.fetched(BTC, &snapshot(19_998))), ["snapshot 19998", "delta 19999", "live"]);
}

#[test]
fn a_snapshot_that_never_comes_is_asked_for_again() {
    let mut talk = Talk::new();
    talk.hear(diff("BTCUSDT", 1, 2, "", ""));
    let mut said = Vec::new();
    // It may have to wait for its turn: sixty of a thousand levels fit into a minute's budget.
    talk.now = talk.now + Nanos::from_s(300);
    talk.hear(diff("BTCUSDT", 3, 4, "", ""));
    talk.hear(diff("ETHUSDT", 3, 4, "", ""));
    let now = talk.now;
    talk.protocol.on_time(now, &mut said);
    assert_eq!(said, []);
    talk.now = talk.now + Nanos::from_ms(1);
    let now = talk.now;
    talk.protocol.on_time(now, &mut said);
    assert_eq!(words(&said), ["resync", "fetch after 250 ms"]);
    // An answer that could not be had counts too.
    let said = talk.failed(BTC, FetchFailure::Unreachable("connection refused".to_owned()));
    assert_eq!(words(&said), ["resync", "fetch after 500 ms"]);
    assert_eq!(words(&talk.fetched(BTC, "{\"lastUpd")), ["resync", "fetch after 1000 ms"]);
    assert_eq!(words(&talk.fetched(BTC, &snapshot(3))), ["snapshot 3", "delta 4", "live"]);
}

#[test]
fn a_venue_that_asks_for_silence_gets_it() {
    let mut talk = Talk::new();
    talk.hear(diff("BTCUSDT", 1, 2, "", ""));
    let said = talk.failed(BTC, FetchFailure::RateLimited { status: 429, wait: Nanos::from_s(7) });
    assert_eq!(words(&said), ["rate_limited", "fetch after 7000 ms"]);
}

#[test]
fn a_venue_that_does_not_serve_us_is_believed() {
    let mut talk = Talk::new();
    talk.hear(diff("BTCUSDT", 1, 2, "", ""));
    let body = "{\"code\":-1121,\"msg\":\"Invalid symbol.\"}".to_owned();
    assert_eq!(words(&talk.failed(BTC, FetchFailure::Status { status: 400, body })), ["refused"]);
    assert_eq!(words(&talk.hear(diff("BTCUSDT", 3, 4, "", ""))), [] as [&str; 0]);
    // Not on the next socket either.
    talk.open();
    assert_eq!(words(&talk.hear(diff("BTCUSDT", 5, 6, "", ""))), [] as [&str; 0]);
}

#[test]
fn a_snapshot_the_stream_never_reaches_is_asked_for_again() {
    let mut talk = Talk::new();
    talk.hear(diff("BTCUSDT", 1, 2, "", ""));
    assert_eq!(words(&talk.fetched(BTC, &snapshot(u64::MAX))), [] as [&str; 0]);
    talk.now = talk.now + Nanos::from_ms(10_001);
    talk.hear(diff("BTCUSDT", 3, 4, "", ""));
    let mut said = Vec::new();
    let now = talk.now;
    talk.protocol.on_time(now, &mut said);
    assert_eq!(words(&said)[..2], ["resync", "fetch after 250 ms"]);
    assert_eq!(words(&talk.fetched(BTC, &snapshot(4))), [] as [&str; 0]);
    assert_eq!(words(&talk.hear(diff("BTCUSDT", 5, 6, "", ""))), ["snapshot 4", "delta 6", "live"]);
}

#[test]
fn a_fourth_gap_within_a_minute_gives_the_connection_up() {
    let mut talk = Talk::in_step();
    let mut last = 100;
    for _ in 0..3 {
        last += 10;
        assert_eq!(words(&talk.hear(diff("BTCUSDT", last, last, "", "")))[1..], ["resync", "fetch after 0 ms"]);
        assert_eq!(words(&talk.fetched(BTC, &snapshot(last)))[1..], ["live"]);
    }
    assert_eq!(words(&talk.hear(diff("BTCUSDT", last + 10, last + 10, "", "")))[1..], ["reconnect"]);
}

#[test]
fn gaps_far_apart_are_only_resynced() {
    let mut talk = Talk::in_step();
    let mut last = 100;
    for _ in 0..10 {
        talk.now = talk.now + Nanos::from_s(25);
        last += 10;
        assert_eq!(words(&talk.hear(diff("BTCUSDT", last, last, "", "")))[1..], ["resync", "fetch after 0 ms"]);
        assert_eq!(words(&talk.fetched(BTC, &snapshot(last)))[1..], ["live"]);
    }
}

#[test]
fn case_11_an_unreadable_book_frame_is_never_skipped() {
    let good = diff("BTCUSDT", 101, 102, "99.00 3", "");
    for bad in [
        good[..good.len() / 2 + 30].to_owned(),
        good.replace("99.00000000", "99.00500000"),
        good.replace("99.00000000", "-9.00000000"),
        good.replace("99.00000000", "0.00000000"),
        good.replace("3.00000000", "three"),
        good.replace("\"u\":102", "\"u\":\"102\""),
        good.replace("\"u\":102", "\"u\":99"),
        good.replace("depthUpdate", "depthDowndate"),
    ] {
        let mut talk = Talk::in_step();
        let said = talk.hear(&bad);
        assert_eq!(words(&said), ["protocol_error", "gap 101 0", "resync", "fetch after 0 ms"], "{bad}");
        // The next good one starts the new buffer.
        assert_eq!(words(&talk.hear(diff("BTCUSDT", 103, 104, "", ""))), [] as [&str; 0]);
        assert_eq!(words(&talk.fetched(BTC, &snapshot(104))), ["snapshot 104", "live"]);
    }
}

#[test]
fn an_old_order_finer_than_the_lot_counts_as_one_lot_more() {
    // 1.23456789 BTC are 123,456 whole lots of 0.00001 and some dust.
    let mut talk = Talk::in_step();
    let frame = diff("BTCUSDT", 101, 102, "99.00 3", "").replace("3.00000000", "1.23456789");
    assert_eq!(words(&talk.hear(&frame)), ["delta 102"]);
    assert_eq!(talk.book().unwrap().qty_at(Side::Bid, Ticks(9_900)), Lots(123_457));
}

#[test]
fn case_11_other_bad_frames_are_noted_and_the_book_stays() {
    let mut talk = Talk::in_step();
    let print = trade("BTCUSDT", 7, 1_700_000_000_000, true);
    for bad in ["", "{", "nonsense", "{\"stream\":5}", &print[..print.len() - 9], &print.replace("100.5", "100.505")] {
        assert_eq!(words(&talk.hear(bad)), ["protocol_error"], "{bad}");
    }
    let mut said = Vec::new();
    let now = talk.now;
    talk.protocol.on_text(b"\xff\xfe{\"stream\"", now, &mut said);
    assert_eq!(words(&said), ["protocol_error"]);
    assert_eq!(words(&talk.hear(diff("BTCUSDT", 101, 101, "", ""))), ["delta 101"]);
    assert_eq!(talk.protocol.counts().errors, 7);
}

#[test]
fn case_11_what_is_new_or_not_ours_is_ignored() {
    let mut talk = Talk::in_step();
    for other in [
        r#"{"stream":"btcusdt@kline_1m","data":{"e":"kline","E":1,"s":"BTCUSDT","k":{"t":1}}}"#,
        r#"{"stream":"btcusdt@depth20@100ms","data":{"lastUpdateId":1,"bids":[],"asks":[]}}"#,
        r#"{"stream":"!ticker@arr","data":[{"e":"24hrTicker"}]}"#,
        r#"{"stream":"btcusdt@referencePrice","data":{"e":"referencePrice","s":"BTCUSDT","r":null,"t":1}}"#,
        r#"{"e":"outboundAccountPosition","E":1,"u":2,"B":[]}"#,
        &trade("DOGEUSDT", 1, 1, true),
        "{}",
        "[]",
    ] {
        assert_eq!(words(&talk.hear(other)), [] as [&str; 0], "{other}");
    }
    assert_eq!(talk.protocol.counts().ignored, 8);
    // Fields we do not know, and blanks.
    let frame = diff("BTCUSDT", 101, 102, "99.00 3", "").replace("\"U\"", "\"st\": 1, \"ps\":{\"x\":[]}, \"U\"");
    assert_eq!(words(&talk.hear(&frame)), ["delta 102"]);
}

#[test]
fn raw_frames_mean_the_same_as_combined_ones() {
    let mut talk = Talk::in_step();
    for (combined, word) in [
        (diff("BTCUSDT", 101, 102, "99.00 3", ""), "delta 102"),
        (trade("BTCUSDT", 5, 1_700_000_000_000, false), "trade 5"),
        (bbo("BTCUSDT", 103), "bbo 103"),
    ] {
        let (_, data) = combined.split_once("\"data\":").unwrap();
        assert_eq!(words(&talk.hear(&data[..data.len() - 1])), [word]);
    }
    assert_eq!(talk.protocol.dialect().parsed_slowly(), 0);
}

#[test]
fn control_replies_are_understood_in_both_shapes() {
    let mut talk = Talk::new();
    assert_eq!(words(&talk.hear(r#"{"result":null,"id":1}"#)), [] as [&str; 0]);
    for refusal in [
        r#"{"code":2,"msg":"Invalid request: no such property","id":1}"#,
        r#"{"error":{"code":2,"msg":"Invalid request: no such property"},"id":1}"#,
    ] {
        match &talk.hear(refusal)[..] {
            [Said::Feed { kind: FeedEventKind::ProtocolError { detail }, .. }] => {
                assert_eq!(detail, "request refused: 2 Invalid request: no such property");
            }
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn an_announced_shutdown_makes_us_open_another_socket_first() {
    for frame in [
        r#"{"stream":"!serverShutdown","data":{"e":"serverShutdown","E":1790000000000}}"#,
        r#"{"stream":"anything","data":{"e":"serverShutdown","E":1790000000000}}"#,
        r#"{"e":"serverShutdown","E":1790000000000}"#,
    ] {
        assert_eq!(words(&Talk::new().hear(frame)), ["shutdown_announced", "rotate"], "{frame}");
    }
}

#[test]
fn case_13_a_cross_within_one_message_is_none() {
    let mut talk = Talk::in_step();
    // The bid passes the ask that the same message removes.
    assert_eq!(words(&talk.hear(diff("BTCUSDT", 101, 102, "101.00 1", "101.00 0, 101.50 1"))), ["delta 102"]);
    assert!(!talk.book().unwrap().is_crossed());
}

#[test]
fn case_13_a_book_that_stays_crossed_is_fetched_anew() {
    let mut talk = Talk::in_step();
    assert_eq!(words(&talk.hear(diff("BTCUSDT", 101, 102, "101.50 1", ""))), ["delta 102"]);
    assert_eq!(words(&talk.wait_ms(1_000)), [] as [&str; 0]);
    assert_eq!(words(&talk.wait_ms(250)), ["gap 103 102", "resync", "fetch after 0 ms"]);
    // A short cross is forgiven.
    let mut talk = Talk::in_step();
    talk.hear(diff("BTCUSDT", 101, 102, "101.50 1", ""));
    talk.wait_ms(750);
    talk.hear(diff("BTCUSDT", 103, 104, "101.50 0", ""));
    assert_eq!(words(&talk.wait_ms(2_000)), [] as [&str; 0]);
}

#[test]
fn case_13_a_snapshot_out_of_order_is_not_believed() {
    let mut talk = Talk::new();
    talk.hear(diff("BTCUSDT", 95, 100, "", ""));
    let body = format!(r#"{{"lastUpdateId":100,"bids":{},"asks":[]}}"#, levels("99.00 1, 100.00 1"));
    assert_eq!(words(&talk.fetched(BTC, &body)), ["resync", "fetch after 250 ms"]);
}

#[test]
fn case_14_a_far_level_does_not_become_the_best_unnoticed() {
    let mut talk = Talk::in_step();
    talk.hear(diff("BTCUSDT", 101, 102, "90.00 5", ""));
    talk.hear(diff("BTCUSDT", 103, 104, "100.00 0", ""));
    let book = talk.book().unwrap();
    assert_eq!(book.best(Side::Bid).unwrap().price, Ticks(9_000));
    assert!(book.best_is_beyond_horizon(Side::Bid));
}

#[test]
fn case_15_a_halt_is_passed_on_without_a_resync() {
    let mut talk = Talk::in_step();
    let mut rules = instrument("BTCUSDT", "0.01", "0.00001");
    let mut said = Vec::new();
    let now = talk.now;
    talk.protocol.on_rules(BTC, &rules, now, &mut said);
    assert_eq!(said, []);
    rules.status = Status::CancelOnly;
    let now = talk.now;
    talk.protocol.on_rules(BTC, &rules, now, &mut said);
    assert_eq!(words(&said), ["status CancelOnly"]);
    assert_eq!(words(&talk.hear(diff("BTCUSDT", 101, 102, "", ""))), ["delta 102"]);
    // Orders may cross while nothing trades; when trading starts again they may not.
    assert_eq!(words(&talk.hear(diff("BTCUSDT", 103, 104, "101.50 1", ""))), ["delta 104"]);
    assert_eq!(words(&talk.wait_ms(4_000)), [] as [&str; 0]);
    said.clear();
    let now = talk.now;
    talk.protocol.on_rules(BTC, &instrument("BTCUSDT", "0.01", "0.00001"), now, &mut said);
    assert_eq!(words(&said), ["status Trading"]);
    assert_eq!(words(&talk.wait_ms(1_750))[1..], ["gap 105 104", "resync", "fetch after 0 ms"]);
}

#[test]
fn case_16_a_finer_tick_voids_the_book_and_is_read_from_then_on() {
    let mut talk = Talk::in_step();
    let mut said = Vec::new();
    let now = talk.now;
    talk.protocol.on_rules(BTC, &instrument("BTCUSDT", "0.001", "0.00001"), now, &mut said);
    assert_eq!(words(&said), ["rules"]);
    assert!(talk.book().is_none());
    assert_eq!(words(&talk.hear(diff("BTCUSDT", 101, 102, "", ""))), ["fetch after 0 ms"]);
    assert_eq!(words(&talk.fetched(BTC, &snapshot(102))), ["snapshot 102", "live"]);
    assert_eq!(talk.book().unwrap().best(Side::Bid).unwrap().price, Ticks(100_000));
}

#[test]
fn case_18_a_maker_buyer_means_that_the_taker_sold() {
    let mut talk = Talk::new();
    for (id, buyer_is_maker, expected) in [(1, false, Side::Bid), (2, true, Side::Ask)] {
        match &talk.hear(trade("BTCUSDT", id, 1_700_000_000_123, buyer_is_maker))[..] {
            [Said::Market(event)] => {
                assert_eq!(event.venue_time, Some(VenueTime(1_700_000_000_123_000_000)));
                let flags = PrintFlags::NONE;
                // 100.50 in cents, 0.25 in hundred-thousandths.
                let (price, qty) = (Ticks(10_050), Lots(25_000));
                assert_eq!(event.kind, MarketEventKind::Trade { id, taker: expected, price, qty, flags });
            }
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_negotiated_trade_is_flagged() {
    let mut talk = Talk::new();
    let frame = trade("BTCUSDT", 1, 1_700_000_000_000, true)
        .replace("\"trade\"", "\"blockTrade\"")
        .replace("@trade", "@blockTrade");
    match &talk.hear(&frame)[..] {
        [Said::Market(event)] => match event.kind {
            MarketEventKind::Trade { flags, .. } => assert_eq!(flags, PrintFlags::BLOCK),
            ref other => panic!("{other:?}"),
        },
        other => panic!("{other:?}"),
    }
}

#[test]
fn prints_are_told_once_and_missing_ones_are_noticed() {
    let mut talk = Talk::new();
    let said = |talk: &mut Talk, id, ms| words(&talk.hear(trade("BTCUSDT", id, ms, true)));
    assert_eq!(said(&mut talk, 10, 1_000), ["trade 10"]);
    assert_eq!(said(&mut talk, 11, 1_000), ["trade 11"]);
    assert_eq!(said(&mut talk, 11, 1_000), [] as [&str; 0]);
    assert_eq!(said(&mut talk, 14, 1_001), ["protocol_error", "trade 14"]);
    assert_eq!(talk.protocol.counts().missed_trades, 2);
    // On a new socket a jump is natural, a repetition is not news.
    talk.open();
    assert_eq!(said(&mut talk, 13, 1_000), [] as [&str; 0]);
    assert_eq!(said(&mut talk, 20, 1_002), ["trade 20"]);
    // A venue that was wiped counts from one again, later in time.
    assert_eq!(said(&mut talk, 1, 2_000), ["trade 1"]);
}

#[test]
fn case_19_times_are_read_in_the_unit_that_was_asked_for() {
    let mut talk = Talk::with(Settings { time_unit: TimeUnit::Microseconds, ..Settings::default() });
    match &talk.hear(trade("BTCUSDT", 1, 1_700_000_000_123_456, true))[..] {
        [Said::Market(event)] => assert_eq!(event.venue_time, Some(VenueTime(1_700_000_000_123_456_000))),
        other => panic!("{other:?}"),
    }
    // The venue's clock may jump back; the ids rule.
    assert_eq!(words(&talk.hear(trade("BTCUSDT", 2, 1_600_000_000_000_000, true))), ["trade 2"]);
}

#[test]
fn an_empty_side_of_the_touch_is_none() {
    let mut talk = Talk::new();
    let frame =
        bbo("BTCUSDT", 7).replace("\"100.00000000\",\"B\":\"1.00000000\"", "\"0.00000000\",\"B\":\"0.00000000\"");
    match &talk.hear(&frame)[..] {
        [Said::Market(event)] => match &event.kind {
            MarketEventKind::Bbo { seq: 7, bid: None, ask: Some(ask) } => assert_eq!(ask.price, Ticks(10_100)),
            other => panic!("{other:?}"),
        },
        other => panic!("{other:?}"),
    }
}

#[test]
fn rules_that_can_no_longer_be_kept_stop_the_trading_until_they_can() {
    let options = Options { rules_every: Nanos::from_s(60), ..Options::default() };
    let mut talk = Talk::with(Settings { bbo: false, options, ..Settings::default() });
    // How often the rules are asked for in so many seconds, while the books go on.
    let asked_in = |talk: &mut Talk, s: u64| {
        let mut said = Vec::new();
        for _ in 0..s {
            said.extend(talk.wait_ms(1_000));
            talk.hear(diff("BTCUSDT", 1, 2, "", ""));
            talk.hear(diff("ETHUSDT", 1, 2, "", ""));
        }
        said.iter().filter(|s| matches!(s, Said::Do(Action::Fetch { about: About::Rules(_), .. }))).count()
    };
    let lists = |tick: &str| {
        let one = |symbol: &str, base: &str, lot: &str| {
            format!(
                r#"{{"symbol":"{symbol}","status":"TRADING","baseAsset":"{base}","quoteAsset":"USDT","filters":[
                {{"filterType":"PRICE_FILTER","tickSize":"{tick}"}},{{"filterType":"LOT_SIZE","stepSize":"{lot}"}}]}}"#
            )
        };
        format!(r#"{{"symbols":[{},{}]}}"#, one("BTCUSDT", "BTC", "0.00001"), one("ETHUSDT", "ETH", "0.0001"))
    };
    assert_eq!(asked_in(&mut talk, 60), 1);
    // No price lies on a tick of nothing.
    let said = words(&talk.0.fetched(About::Rules(0), lists("0.0")));
    assert_eq!(said, ["protocol_error", "status Unknown", "protocol_error", "status Unknown"]);
    assert_eq!(asked_in(&mut talk, 60), 1);
    assert_eq!(words(&talk.0.fetched(About::Rules(0), lists("0.01"))), ["status Trading", "status Trading"]);
    // What could not be had is said.
    assert_eq!(asked_in(&mut talk, 60), 1);
    let refused = FetchFailure::Status { status: 403, body: String::new() };
    assert_eq!(words(&talk.0.failed(About::Rules(0), refused)), ["protocol_error"]);
    // While a question waits for its turn no other one queues up behind it.
    assert_eq!(asked_in(&mut talk, 200), 1);
}

#[test]
fn one_symbol_that_is_gone_does_not_hide_what_became_of_the_others() {
    let options = Options { rules_every: Nanos::from_s(60), depth_patience: Patience::ENDLESS, ..Options::default() };
    let mut talk = Talk::with(Settings { bbo: false, options, ..Settings::default() });
    let asked = |said: &[Said]| {
        said.iter().find_map(|one| match one {
            Said::Do(Action::Fetch { request: Request::Get { path, .. }, .. }) if path.contains("exchangeInfo") => {
                Some(path.contains("symbols="))
            }
            _ => None,
        })
    };
    assert_eq!(asked(&talk.wait_ms(60_000)), Some(true));
    // Binance refuses the whole question for one symbol it has removed.
    let refused = FetchFailure::Status { status: 400, body: r#"{"code":-1121,"msg":"Invalid symbol."}"#.to_owned() };
    talk.0.failed(About::Rules(0), refused);
    // So it is asked for everything, and what it does not list is gone.
    talk.open();
    assert_eq!(asked(&talk.wait_ms(60_000)), Some(false));
    let eth = r#"{"symbols":[{"symbol":"ETHUSDT","status":"BREAK","baseAsset":"ETH","quoteAsset":"USDT","filters":[
        {"filterType":"PRICE_FILTER","tickSize":"0.01"},{"filterType":"LOT_SIZE","stepSize":"0.0001"}]}]}"#;
    assert_eq!(words(&talk.0.fetched(About::Rules(0), eth)), ["status Delisted", "status Halted"]);
}
