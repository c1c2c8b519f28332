//! The venue notes' test list, as far as it concerns a venue with snapshots over REST and no checksum. Pings (9),
//! oversized frames (12) and fragments are the sockets' business, checksums (6) other venues'.

use std::sync::Arc;

use papermaker::market::{Extent, MarketEventKind, Status};
use papermaker::units::{LocalTime, Nanos, Side, Ticks};
use papermaker::wire::board::Board;
use papermaker::wire::depth_sync::SyncLimits;
use papermaker::wire::{Action, FetchFailure};

use super::*;

const NOTHING: [&str; 0] = [];

fn asked(talk: &Talk) -> String {
    talk.protocol.ws_path()
}

#[test]
fn case_01_a_wrong_predecessor_is_a_gap_however_well_the_ids_continue() {
    for market in BOTH {
        let mut talk = Talk::in_step(market);
        // U is 101, as if nothing were missing; pu says that 99 went before, and we are at 100.
        let said = talk.differ(99, 101, 105, "100.5 9", "");
        assert_eq!(words(&said), ["gap 100 99", "resync", "fetch after 0 ms"]);
        assert!(talk.book(BTC).is_none());
        assert_eq!(words(&talk.differ(105, 107, 108, "", "101.0 2")), NOTHING);
        let said = talk.fetched(About::Book(BTC), snapshot(106));
        assert_eq!(words(&said), ["snapshot 106", "delta 108", "live"]);
        assert_eq!(talk.book(BTC).unwrap().qty_at(Side::Ask, Ticks(1_010)), lots(market, 2));
    }
}

#[test]
fn case_01_a_gap_concerns_its_own_instrument_only() {
    for market in BOTH {
        let mut talk = Talk::in_step(market);
        let symbol = eth(market).symbol;
        talk.hear(diff(&symbol, 1, 10, 20, "", ""));
        assert_eq!(words(&talk.fetched(About::Book(ETH), snapshot(20))), ["snapshot 20", "live"]);
        talk.differ(103, 105, 106, "", "");
        assert_eq!(words(&talk.hear(diff(&symbol, 20, 31, 32, "", ""))), ["delta 32"]);
    }
}

#[test]
fn case_02_what_is_told_twice_counts_once() {
    for market in BOTH {
        let mut talk = Talk::in_step(market);
        assert_eq!(words(&talk.differ(100, 101, 104, "99.0 3", "")), ["delta 104"]);
        assert_eq!(words(&talk.differ(100, 101, 104, "99.0 3", "")), NOTHING);
        assert_eq!(words(&talk.differ(104, 105, 105, "", "")), ["delta 105"]);
        assert_eq!(talk.protocol.sync_counts(BTC).unwrap().duplicates, 1);

        let mut talk = Talk::of_trades(market);
        let print = trade(&btc(market).symbol, 7, 1_700_000_000_000, true, "");
        assert_eq!(words(&talk.hear(&print))[0], "trade 7");
        assert_eq!(words(&talk.hear(&print)), NOTHING);
        assert_eq!(talk.protocol.counts().duplicate_trades, 1);
    }
}

#[test]
fn case_03_two_swapped_differences_are_a_gap_and_heal() {
    for market in BOTH {
        let mut talk = Talk::in_step(market);
        assert_eq!(words(&talk.differ(102, 103, 104, "", "")), ["gap 100 102", "resync", "fetch after 0 ms"]);
        assert_eq!(words(&talk.differ(100, 101, 102, "", "")), NOTHING);
        assert_eq!(words(&talk.fetched(About::Book(BTC), snapshot(104))), ["snapshot 104", "live"]);
        assert_eq!(words(&talk.differ(104, 105, 106, "", "")), ["delta 106"]);
    }
}

#[test]
fn case_04_a_snapshot_older_than_the_buffer_is_fetched_again_later_and_later() {
    for market in BOTH {
        let mut talk = Talk::of_books(market);
        let said = talk.differ(499, 500, 510, "", "");
        let (path, weight) = match market {
            Market::Usdm => ("/fapi/v1/depth?symbol=BTCUSDT&limit=1000", 20),
            Market::Coinm => ("/dapi/v1/depth?symbol=BTCUSD_PERP&limit=1000", 20),
        };
        match &said[..] {
            [Said::Do(Action::Fetch { request, .. })] => {
                let expected = papermaker::wire::dialect::Request::Get { path: path.to_owned(), weight };
                assert_eq!(*request, expected);
            }
            other => panic!("{other:?}"),
        }
        let old = || About::Book(BTC);
        assert_eq!(words(&talk.fetched(old(), snapshot(450))), ["resync", "fetch after 250 ms"]);
        assert_eq!(words(&talk.fetched(old(), snapshot(450))), ["resync", "fetch after 500 ms"]);
        talk.differ(510, 511, 514, "", "");
        talk.differ(514, 515, 525, "", "");
        assert_eq!(words(&talk.fetched(old(), snapshot(520))), ["snapshot 520", "delta 525", "live"]);
    }
}

#[test]
fn case_04_the_boundaries_of_the_bridge() {
    for market in BOTH {
        // A state within the first difference, at its very end, and where its predecessor ended.
        for (last, expected) in [
            (97, vec!["snapshot 97", "delta 100", "live"]),
            (100, vec!["snapshot 100", "live"]),
            (90, vec!["snapshot 90", "delta 100", "live"]),
            // Between pu and U nothing happened to this book.
            (93, vec!["snapshot 93", "delta 100", "live"]),
            (89, vec!["resync", "fetch after 250 ms"]),
        ] {
            let mut talk = Talk::of_books(market);
            talk.differ(90, 95, 100, "", "");
            assert_eq!(words(&talk.fetched(About::Book(BTC), snapshot(last))), expected, "{market:?} {last}");
        }
        // A snapshot ahead of the stream waits for it.
        let mut talk = Talk::of_books(market);
        talk.differ(90, 95, 97, "", "");
        assert_eq!(words(&talk.fetched(About::Book(BTC), snapshot(100))), NOTHING);
        assert_eq!(words(&talk.differ(97, 98, 99, "", "")), NOTHING);
        assert_eq!(words(&talk.differ(99, 100, 102, "", "")), ["snapshot 100", "delta 102", "live"]);
    }
}

#[test]
fn case_05_while_a_snapshot_is_slow_memory_stays_flat() {
    for market in BOTH {
        let sync = SyncLimits { buffer_messages: 1_000, ..SyncLimits::default() };
        let mut talk = Talk::on(market, Road::Recorded, Options { sync, ..options() });
        for n in 1..=20_000u64 {
            talk.differ(n - 1, n, n, "99.0 3", "");
        }
        // 1,000 fit; every 1,001st starts anew.
        assert_eq!(talk.protocol.sync_counts(BTC).unwrap().overflows, 19);
        assert_eq!(words(&talk.fetched(About::Book(BTC), snapshot(500))), ["resync", "fetch after 250 ms"]);
        let said = talk.fetched(About::Book(BTC), snapshot(19_999));
        assert_eq!(words(&said), ["snapshot 19999", "delta 20000", "live"]);
    }
}

#[test]
fn case_07_ids_are_the_markets_and_jump_without_a_gap() {
    for market in BOTH {
        let mut talk = Talk::in_step(market);
        assert_eq!(words(&talk.differ(100, 5_000, 5_100, "", "")), ["delta 5100"]);
        assert_eq!(words(&talk.differ(5_100, 9_000_000, 9_000_000, "", "")), ["delta 9000000"]);
    }
}

#[test]
fn case_08_a_closed_socket_voids_books_and_its_frames_count_no_more() {
    for market in BOTH {
        let mut talk = Talk::in_step(market);
        assert_eq!(words(&talk.close("1006")), ["disconnected"]);
        assert!(talk.book(BTC).is_none());
        assert_eq!(words(&talk.differ(100, 101, 102, "", "")), NOTHING);
        assert_eq!(words(&talk.open()), ["connected"]);
        // 100 would have continued the old socket's book; the new one starts with a snapshot of its own.
        assert_eq!(words(&talk.differ(100, 101, 102, "", "")), ["fetch after 0 ms"]);
        let frame = r#"{"stream":"!serverShutdown","data":{"e":"serverShutdown","E":1790000000000}}"#;
        assert_eq!(words(&talk.hear(frame)), ["shutdown_announced", "rotate"]);
    }
}

#[test]
fn case_08_a_closed_road_without_books_voids_its_own_channels_only() {
    let mut talk = Talk::of_trades(Market::Usdm);
    assert_eq!(words(&talk.close("1006")), ["stale all", "stale all"]);
}

#[test]
fn case_10_a_venue_that_asks_for_silence_gets_it() {
    for market in BOTH {
        for status in [429, 418] {
            let mut talk = Talk::of_books(market);
            talk.differ(90, 95, 100, "", "");
            let limited = FetchFailure::RateLimited { status, wait: Nanos::from_s(7) };
            assert_eq!(words(&talk.failed(About::Book(BTC), limited)), ["rate_limited", "fetch after 7000 ms"]);
        }
    }
}

#[test]
fn case_11_an_unreadable_book_frame_is_never_skipped() {
    for market in BOTH {
        let good = diff(&btc(market).symbol, 100, 101, 102, "99.0 3", "");
        for bad in [
            good[..good.len() - 20].to_owned(),
            good.replace("99.0", "99.05"),
            good.replace("99.0", "-9.0"),
            good.replace("99.0", "0.0"),
            good.replace("\"3\"", "\"three\""),
            good.replace("\"3\"", "\"-3\""),
            good.replace("\"u\":102", "\"u\":\"102\""),
            good.replace("\"u\":102", "\"u\":99"),
            good.replace("\"pu\":100", "\"pu\":null"),
            good.replace("depthUpdate", "depthDowndate"),
        ] {
            let mut talk = Talk::in_step(market);
            let said = words(&talk.hear(&bad));
            assert_eq!(said, ["protocol_error", "gap 101 0", "resync", "fetch after 0 ms"], "{bad}");
            assert_eq!(words(&talk.differ(102, 103, 104, "", "")), NOTHING);
            assert_eq!(words(&talk.fetched(About::Book(BTC), snapshot(104))), ["snapshot 104", "live"]);
        }
    }
}

#[test]
fn case_11_other_bad_frames_are_noted_and_the_book_stays() {
    for market in BOTH {
        let mut talk = Talk::in_step(market);
        let print = trade(&btc(market).symbol, 7, 1, true, "");
        let bad: [&[u8]; 6] =
            [b"", b"{", b"nonsense", b"{\"stream\":5}", &print.as_bytes()[..60], b"\xff\xfe{\"stream\""];
        for bad in bad {
            assert_eq!(words(&talk.hear(bad)), ["protocol_error"], "{bad:?}");
        }
        assert_eq!(words(&talk.differ(100, 101, 101, "", "")), ["delta 101"]);
        assert_eq!(talk.protocol.counts().errors, 6);
    }
}

#[test]
fn case_11_what_is_new_or_not_ours_is_ignored() {
    for market in BOTH {
        let mut talk = Talk::in_step(market);
        let others = [
            r#"{"stream":"btcusdt@kline_1m","data":{"e":"kline","E":1,"s":"BTCUSDT","k":{"t":1}}}"#,
            r#"{"stream":"btcusdt@depth20@100ms","data":{"e":"depthUpdate","s":"BTCUSDT","u":7,"pu":-1}}"#,
            r#"{"stream":"btcusdt@rpiDepth@500ms","data":{"e":"depthUpdate","s":"BTCUSDT","u":7,"pu":6}}"#,
            r#"{"stream":"!ticker@arr","data":[{"e":"24hrTicker"}]}"#,
            r#"{"stream":"!forceOrder@arr","data":{"e":"forceOrder","E":1,"o":{"s":"BTCUSDT"}}}"#,
            r#"{"e":"ACCOUNT_UPDATE","E":1}"#,
            r#"{"stream":"!contractInfo","data":{"e":"contractInfo","E":1,"s":"IOTAUSDT","cs":"SETTLING"}}"#,
            &trade("DOGEUSDT", 1, 1, true, ""),
            "{}",
        ];
        for other in others {
            assert_eq!(words(&talk.hear(other)), NOTHING, "{other}");
        }
        assert_eq!(talk.protocol.counts().ignored, others.len() as u64);
        // Fields we do not know, and blanks.
        let frame =
            diff(&btc(market).symbol, 100, 101, 102, "99.0 3", "").replace("\"U\"", "\"xy\": {\"z\":[]}, \"U\"");
        assert_eq!(words(&talk.hear(frame)), ["delta 102"]);
    }
}

#[test]
fn case_13_a_book_may_cross_within_a_message_and_not_for_long() {
    for market in BOTH {
        let mut talk = Talk::in_step(market);
        // The bid passes the ask that the same message removes.
        let said = talk.differ(100, 101, 102, "101.0 2", "101.0 0, 102.0 1");
        assert_eq!(words(&said), ["delta 102"]);
        assert!(!talk.book(BTC).unwrap().is_crossed());
        // This one stays.
        talk.differ(102, 103, 104, "103.0 1", "");
        assert_eq!(words(&talk.wait_ms(1_000)), NOTHING);
        assert_eq!(words(&talk.wait_ms(250)), ["gap 105 104", "resync", "fetch after 0 ms"]);
        // Of a price named twice in a message the last word counts.
        let mut talk = Talk::in_step(market);
        talk.differ(100, 101, 102, "99.0 5, 99.0 2", "");
        assert_eq!(talk.book(BTC).unwrap().qty_at(Side::Bid, Ticks(990)), lots(market, 2));
        // An unsorted snapshot is none.
        let mut talk = Talk::of_books(market);
        talk.differ(90, 95, 100, "", "");
        let unsorted = snapshot(100).replace(r#"[["100.0","1"]]"#, r#"[["99.0","1"],["100.0","1"]]"#);
        assert_eq!(words(&talk.fetched(About::Book(BTC), unsorted)), ["resync", "fetch after 250 ms"]);
    }
}

#[test]
fn case_14_a_level_beyond_the_snapshot_is_not_taken_for_the_best() {
    for market in BOTH {
        let mut talk = Talk::of_books(market);
        talk.differ(90, 95, 100, "", "");
        let said = talk.fetched(About::Book(BTC), snapshot(100));
        let extent = said.iter().find_map(|s| match s {
            Said::Market(event) => match event.kind {
                MarketEventKind::Snapshot { extent, .. } => Some(extent),
                _ => None,
            },
            Said::Feed { .. } | Said::Do(_) => None,
        });
        assert_eq!(extent, Some(Extent::ToLast));
        // The only bid we know of goes, and one far below comes: between them anything may rest.
        talk.differ(100, 101, 102, "100.0 0, 50.0 9", "");
        assert!(talk.book(BTC).unwrap().best_is_beyond_horizon(Side::Bid));
        assert!(!talk.book(BTC).unwrap().best_is_beyond_horizon(Side::Ask));
    }
}

#[test]
fn case_15_a_contract_that_settles_is_no_longer_quoted_and_may_cross() {
    for market in BOTH {
        let mut talk = Talk::in_step(market);
        let symbol = btc(market).symbol;
        let info = |word: &str| {
            format!(
                r#"{{"stream":"!contractInfo","data":{{"e":"contractInfo","E":1,"s":"{symbol}","ct":"PERPETUAL","dt":4133404800000,"cs":"{word}","bks":[]}}}}"#
            )
        };
        assert_eq!(words(&talk.hear(info("TRADING"))), NOTHING);
        assert_eq!(words(&talk.hear(info("SETTLING"))), ["status Halted"]);
        talk.differ(100, 101, 102, "103.0 1", "");
        assert_eq!(words(&talk.wait_ms(3_000)), NOTHING);
        assert_eq!(words(&talk.hear(info("CLOSE"))), ["status Delisted"]);
        assert_eq!(words(&talk.hear(info("SOMETHING_NEW"))), ["status Unknown"]);
        assert!(!Status::Unknown.may_quote());
        assert_eq!(words(&talk.hear(info("TRADING"))), ["status Trading"]);
    }
}

#[test]
fn case_15_what_one_road_says_of_the_status_the_other_knows() {
    let board = Arc::new(Board::default());
    let list = || vec![(BTC, btc(Market::Usdm))];
    let on = |road| support::talk::Talk::about(conversation(Market::Usdm, road, list(), options()).sharing(&board));
    let (mut books, mut trades) = (on(Road::Public), on(Road::Market));
    books.open();
    trades.open();
    let info = |word: &str| {
        format!(
            r#"{{"stream":"!contractInfo","data":{{"e":"contractInfo","E":1,"s":"BTCUSDT","cs":"{word}","bks":[]}}}}"#
        )
    };
    assert_eq!(words(&trades.hear(info("SETTLING"))), ["status Halted"]);
    books.hear(diff("BTCUSDT", 90, 95, 100, "", ""));
    // The list that the other road asks for says that it is over, and that it has begun again.
    let mut listed = |status| {
        let mut said = Vec::new();
        books.protocol.on_rules(BTC, &Instrument { status, ..btc(Market::Usdm) }, LocalTime(0), &mut said);
        words(&said)
    };
    assert_eq!(listed(Status::Trading), ["status Trading"]);
    assert_eq!(words(&trades.hear(info("SETTLING"))), ["status Halted"]);
}

#[test]
fn case_16_a_finer_tick_voids_the_book_and_reaches_the_other_road() {
    let board = Arc::new(Board::default());
    let list = || vec![(BTC, btc(Market::Usdm))];
    let on = |road| support::talk::Talk::about(conversation(Market::Usdm, road, list(), options()).sharing(&board));
    let (mut books, mut trades) = (on(Road::Public), on(Road::Market));
    books.open();
    trades.open();
    books.hear(diff("BTCUSDT", 90, 95, 100, "", ""));
    books.fetched(About::Book(BTC), snapshot(100));
    // A price between the old ticks cannot be read yet.
    let fine = trade("BTCUSDT", 7, 1, true, "").replace("100.5", "100.55");
    assert_eq!(words(&trades.hear(&fine)), ["protocol_error"]);

    let finer = presumed(Market::Usdm, "BTCUSDT", ("BTC", "USDT"), step("0.01"), step("0.001")).unwrap();
    let mut said = Vec::new();
    books.protocol.on_rules(BTC, &finer, LocalTime(0), &mut said);
    assert_eq!(words(&said), ["rules"]);
    let revision = said.iter().find_map(|s| match s {
        Said::Market(event) => match &event.kind {
            MarketEventKind::Rules(rules) => Some(rules.revision),
            _ => None,
        },
        Said::Feed { .. } | Said::Do(_) => None,
    });
    assert_eq!(revision, Some(1));
    assert_eq!(words(&trades.hear(&fine)), ["trade 7"]);
    assert_eq!(words(&books.hear(diff("BTCUSDT", 100, 101, 102, "99.05 1", ""))), ["fetch after 0 ms"]);
    assert_eq!(words(&books.fetched(About::Book(BTC), snapshot(102))), ["snapshot 102", "live"]);
    assert_eq!(books.book(BTC).unwrap().best(Side::Bid).unwrap().price, Ticks(10_000));
}

#[test]
fn case_17_an_acknowledged_stream_on_the_wrong_road_is_told_within_ten_seconds() {
    // As if `/market` streams had been asked for where only `/public` flows: the answer comes, the data never.
    let mut talk = Talk::on(Market::Usdm, Road::Market, Options::default());
    talk.hear(r#"{"result":null,"id":1}"#);
    assert_eq!(words(&talk.wait_ms(10_000)), NOTHING);
    assert_eq!(words(&talk.wait_ms(250)), ["no_data mark", "no_data mark"]);
    assert_eq!(words(&talk.wait_ms(9_750)), NOTHING);
    assert_eq!(words(&talk.wait_ms(250)), ["reconnect"]);
    for market in BOTH {
        let mut talk = Talk::on(market, Road::Recorded, Options { rules_every: Nanos::ZERO, ..Options::default() });
        talk.hear(r#"{"result":null,"id":1}"#);
        let said = words(&talk.wait_ms(10_250));
        assert_eq!(said, ["no_data depth", "no_data bbo", "no_data depth", "no_data bbo"]);
    }
    // Each road asks for its own streams only.
    assert_eq!(
        asked(&Talk::of_books(Market::Usdm)),
        "/public/stream?streams=btcusdt@depth@100ms/btcusdt@bookTicker/ethusdt@depth@100ms/ethusdt@bookTicker"
    );
    assert_eq!(
        asked(&Talk::of_trades(Market::Usdm)),
        "/market/stream?streams=btcusdt@aggTrade/btcusdt@markPrice@1s/ethusdt@aggTrade/ethusdt@markPrice@1s/!contractInfo"
    );
    assert_eq!(
        asked(&Talk::of_trades(Market::Coinm)),
        "/stream?streams=btcusd_perp@depth@100ms/btcusd_perp@bookTicker/btcusd_perp@aggTrade/btcusd_perp@markPrice@1s/\
         ethusd_perp@depth@100ms/ethusd_perp@bookTicker/ethusd_perp@aggTrade/ethusd_perp@markPrice@1s/!contractInfo"
    );
}

#[test]
fn case_17_a_request_that_is_refused_is_told() {
    for market in BOTH {
        let mut talk = Talk::of_trades(market);
        for refusal in [
            r#"{"code":2,"msg":"Invalid request: no such property","id":1}"#,
            r#"{"error":{"code":2,"msg":"Invalid request: no such property"},"id":1}"#,
        ] {
            assert_eq!(words(&talk.hear(refusal)), ["protocol_error"]);
        }
    }
}

#[test]
fn case_18_a_buyer_who_was_the_maker_means_that_somebody_sold() {
    for market in BOTH {
        for (buyer_is_maker, expected) in [(false, Side::Bid), (true, Side::Ask)] {
            let mut talk = Talk::of_trades(market);
            let said = talk.hear(trade(&btc(market).symbol, 7, 1_700_000_000_000, buyer_is_maker, ""));
            match &said[0] {
                Said::Market(event) => match event.kind {
                    MarketEventKind::Trade { taker, qty, .. } => assert_eq!((taker, qty), (expected, lots(market, 2))),
                    _ => panic!("{event:?}"),
                },
                other => panic!("{other:?}"),
            }
        }
    }
}

#[test]
fn case_19_clocks_that_leap_back_are_survived() {
    for market in BOTH {
        let mut talk = Talk::in_step(market);
        talk.now = LocalTime(-5_000_000_000_000);
        // Their clock too: ids say what is next, not times.
        let earlier = diff(&btc(market).symbol, 100, 101, 102, "", "").replace("\"T\":1700000000000", "\"T\":1");
        assert_eq!(words(&talk.hear(earlier)), ["delta 102"]);
        assert_eq!(words(&talk.differ(102, 103, 104, "", "")), ["delta 104"]);
        assert_eq!(words(&talk.wait_ms(1_000)), NOTHING);
        // A time beyond the year 2262 is no time.
        let endless = diff(&btc(market).symbol, 104, 105, 106, "", "").replace("1700000000000", "9999999999999999999");
        assert_eq!(words(&talk.hear(endless))[0], "protocol_error");
    }
}
