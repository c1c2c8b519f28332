//! The readers of recordings, against what `../shared/data/README.md` says of them, and every book put together again.

use super::*;
use crate::support::captures::{Capture, What, kraken};
use crate::support::fake::{Fault, Plan};

/// All texts of a capture, put together.
fn rebuilt(id: VenueId, window: usize, capture: &Capture) -> Rebuilt {
    let mut rebuilt = Rebuilt::new(id, window);
    capture.received().for_each(|(_, _, text)| rebuilt.hear(text));
    rebuilt
}

/// Sums over a book of a Binance capture: each symbol's snapshot is put in where it was received.
fn binance(id: VenueId, symbol: Option<&str>, files: &[&str]) -> Option<Rebuilt> {
    let mut rebuilt = Rebuilt::new(id, usize::MAX);
    for item in Capture::open_all(files)?.items {
        match item.what {
            What::Received(text) => rebuilt.hear(&text),
            What::Http { url, body } if body.starts_with("{\"lastUpdateId\"") => {
                let named = url.split(['?', '&']).find_map(|kv| kv.strip_prefix("symbol="));
                rebuilt.fetched(named.or(symbol).expect("a symbol"), &body);
            }
            What::Http { .. } | What::Header(_) | What::Connect { .. } | What::Sent(_) => {}
        }
    }
    Some(rebuilt)
}

/// Sorts REST answers of one file between the messages of another.
fn merged(http: &str, ws: &str) -> Option<Capture> {
    let mut capture = Capture::open_all(&[http, ws])?;
    capture.items.sort_by_key(|item| item.at_ns);
    Some(capture)
}

#[test]
fn every_recording_opens_and_its_clock_runs_forward() {
    let Some(dir) = crate::support::data_dir() else { return };
    let mut opened = 0;
    for venue in std::fs::read_dir(dir).unwrap() {
        let venue = venue.unwrap();
        for file in std::fs::read_dir(venue.path()).into_iter().flatten() {
            let name = file.unwrap().file_name().into_string().unwrap();
            if !name.starts_with("cryptofeed") && !name.starts_with("hftbacktest") {
                continue;
            }
            let path = format!("{}/{name}", venue.file_name().to_str().unwrap());
            let capture = Capture::open(&path).unwrap();
            opened += 1;
            assert!(!capture.items.is_empty(), "{path}");
            for item in &capture.items {
                // From 2021 to 2026, but for headers without a time.
                let header = matches!(item.what, What::Header(_));
                assert!(
                    header || (1_600_000_000_000_000_000..1_800_000_000_000_000_000).contains(&item.at_ns),
                    "{path}: {item:?}"
                );
            }
            let times: Vec<i64> = capture.received().filter(|(_, on, _)| on.is_empty()).map(|(at, _, _)| at).collect();
            assert!(times.is_sorted(), "{path}");
        }
    }
    assert_eq!(opened, 37, "files that we know how to read");
}

#[test]
fn all_4269_checksums_of_kraken_are_right_in_the_words_of_its_second_protocol() {
    let Some(capture) = Capture::open("kraken-spot/cryptofeed-v3_KRAKEN.jsonl.zst") else { return };
    let v1 = capture.on("KRAKEN.ws.50");
    assert_eq!(v1.received().count(), 4_321);
    let frames: Vec<String> = capture.received().filter_map(|(_, _, text)| kraken::to_v2(text)).collect();
    let mut rebuilt = Rebuilt::new(VenueId::Kraken, 1000);
    frames.iter().for_each(|frame| rebuilt.hear(frame));
    let counts = rebuilt.counts;
    assert_eq!((counts.checksums, counts.wrong_checksums), (4_269, 0), "{counts:?}");
    assert_eq!((counts.snapshots, counts.changes, counts.prints), (10, 4_269, 10), "{counts:?}");
    assert!(rebuilt.books.keys().any(|symbol| symbol == "BTC/CHF") && !rebuilt.books.contains_key("XBT/CHF"));
    for (symbol, book) in &rebuilt.books {
        let (bids, asks) = book.top(20);
        assert!(book.trusted && bids.len() == 20 && asks.len() == 20 && bids[0].0 < asks[0].0, "{symbol}");
    }
    // One digit is enough.
    let mut wrong = Rebuilt::new(VenueId::Kraken, 1000);
    let at = frames.iter().position(|f| f.contains(r#""type":"update""#) && f.contains(r#""bids":[{"#)).unwrap();
    for (k, frame) in frames.iter().enumerate() {
        wrong.hear(&if k == at { frame.replacen(r#""qty":"#, r#""qty":9"#, 1) } else { frame.clone() });
    }
    assert!(wrong.counts.wrong_checksums > 0);
}

#[test]
fn krakens_words_are_translated_digit_for_digit() {
    let both = r#"[1920,{"a":[["0.042990","364630.28272081","1618678145.920470"]]},{"b":[["0.042990","0.00000000","1618678145.920708"]],"c":"4105471083"},"book-1000","SC/EUR"]"#;
    assert_eq!(
        kraken::to_v2(both).unwrap(),
        r#"{"channel":"book","type":"update","data":[{"symbol":"SC/EUR","bids":[{"price":0.042990,"qty":0.00000000}],"asks":[{"price":0.042990,"qty":364630.28272081}],"checksum":4105471083,"timestamp":"2021-04-17T16:49:05.920708Z"}]}"#
    );
    let trade = r#"[993,[["354.11000000","0.89594024","1618678142.557535","s","l",""]],"trade","XBT/USD"]"#;
    assert_eq!(
        kraken::to_v2(trade).unwrap(),
        r#"{"channel":"trade","type":"update","data":[{"symbol":"BTC/USD","side":"sell","price":354.11000000,"qty":0.89594024,"ord_type":"limit","trade_id":1618678142557535,"timestamp":"2021-04-17T16:49:02.557535Z"}]}"#
    );
    assert_eq!(kraken::to_v2(r#"{"event":"heartbeat"}"#).unwrap(), r#"{"channel":"heartbeat"}"#);
    assert_eq!(kraken::to_v2("not json"), None);
    assert_eq!(kraken::to_v2(r#"{"event":"subscriptionStatus","pair":"XBT/USD"}"#), None);
}

#[test]
fn krakens_own_vector_is_what_the_fake_would_say() {
    // Price precision 5, quantity precision 8: the string is 5005500501012000000005000500.
    let whole = r#"{"channel":"book","type":"snapshot","data":[{"symbol":"A/B","bids":[{"price":0.05000,"qty":0.00000500}],"asks":[{"price":0.05005,"qty":0.00000500},{"price":0.05010,"qty":12.00000000}],"checksum":2312006499}]}"#;
    let mut rebuilt = Rebuilt::new(VenueId::Kraken, 10);
    rebuilt.hear(whole);
    assert_eq!((rebuilt.counts.checksums, rebuilt.counts.wrong_checksums), (1, 0));
}

#[test]
fn all_checksums_of_okx_are_right() {
    // 290 in the one file; 1,504 + 1,446 + 1,422 = 4,372 on the three connections of the other.
    for (file, checksums) in [
        ("okx/cryptofeed-v3_OKX.jsonl.zst", 290),
        ("okx/cryptofeed-history_OKEX.ws.1.0__88c5acf9.txt.gz", 1_504),
        ("okx/cryptofeed-history_OKEX.ws.2.0__1a0a2096.txt.gz", 1_446),
        ("okx/cryptofeed-history_OKEX.ws.3.0__62cd3f73.txt.gz", 1_422),
    ] {
        let Some(capture) = Capture::open(file) else { return };
        let rebuilt = rebuilt(VenueId::Okx, 400, &capture);
        assert_eq!((rebuilt.counts.checksums, rebuilt.counts.wrong_checksums), (checksums, 0), "{file}");
        assert!(rebuilt.books.values().all(|book| book.trusted), "{file}");
        let urls: Vec<&str> = capture.connects().map(|(_, url)| url).collect();
        assert!(urls.len() == 1 && urls[0].ends_with("/ws/v5/public"), "{file}: {urls:?}");
    }
}

#[test]
fn coinbase_counts_without_a_hole_and_begins_with_69334_levels() {
    let Some(capture) = Capture::open("coinbase/cryptofeed-v3_COINBASE.jsonl.zst") else { return };
    assert_eq!((capture.received().count(), capture.sent().count()), (1_030, 5));
    let mut rebuilt = Rebuilt::new(VenueId::Coinbase, usize::MAX);
    let mut first = 0;
    for (_, _, text) in capture.received() {
        let before = rebuilt.counts.snapshots;
        rebuilt.hear(text);
        if rebuilt.counts.snapshots > before {
            let newest = if before == 0 { "BTC-USD" } else { "ETH-USD" };
            let (bids, asks) = rebuilt.books[newest].depth();
            first += bids + asks;
        }
    }
    // 46,000 of BTC-USD and 23,334 of ETH-USD.
    assert_eq!(first, 69_334);
    let counts = rebuilt.counts;
    assert_eq!((counts.snapshots, counts.changes, counts.gaps, counts.prints), (2, 773, 0, 79), "{counts:?}");
    // Whoever crosses pays the other side's price: with the maker's side taken for the taker's, this would be 0.
    let (bids, asks) = rebuilt.top("BTC-USD", 20).unwrap();
    assert!(bids.len() == 20 && asks.len() == 20 && bids[0].0 < asks[0].0);
}

#[test]
fn bybit_counts_one_by_one_on_each_connection() {
    let Some(capture) = Capture::open("bybit/cryptofeed-v3_BYBIT_BTC-DOGE.jsonl.zst") else { return };
    let linear = rebuilt(VenueId::BybitLinear, 200, &capture.on("BYBIT.ws.2"));
    let counts = linear.counts;
    // 413 + 379 changes.
    assert_eq!((counts.snapshots, counts.changes, counts.prints, counts.gaps), (2, 792, 139, 0), "{counts:?}");
    let spot = rebuilt(VenueId::BybitSpot, 200, &capture.on("BYBIT.ws.3"));
    assert_eq!((spot.counts.snapshots, spot.counts.changes, spot.counts.gaps), (1, 299, 0));
    // The server deletes what leaves its window, so there was nothing to cut.
    let uncut = rebuilt(VenueId::BybitLinear, usize::MAX, &capture.on("BYBIT.ws.2"));
    assert_eq!(uncut.books["BTCUSDT"].depth(), linear.books["BTCUSDT"].depth());
    // The same topic on both connections, in different markets.
    assert_ne!(linear.top("BTCUSDT", 1), spot.top("BTCUSDT", 1));
}

#[test]
fn deribits_changes_name_their_predecessors() {
    let Some(capture) = Capture::open("deribit/cryptofeed-v3_DERIBIT.jsonl.zst") else { return };
    let rebuilt = rebuilt(VenueId::Deribit, usize::MAX, &capture);
    assert_eq!((rebuilt.counts.snapshots, rebuilt.counts.changes, rebuilt.counts.gaps), (10, 36, 0));
    assert!(rebuilt.books.values().all(|book| book.trusted));
}

#[test]
fn hyperliquids_books_are_whole_and_its_tape_begins_with_the_past() {
    let Some(capture) = Capture::open("hyperliquid/hftbacktest_hyperliquid_btcusd_20250126.gz") else { return };
    let rebuilt = rebuilt(VenueId::Hyperliquid, 20, &capture);
    assert_eq!((rebuilt.counts.snapshots, rebuilt.counts.prints), (46, 64));
    assert_eq!(rebuilt.books["BTC"].depth(), (20, 20));
}

#[test]
fn binances_books_are_unbroken_from_their_snapshots_on() {
    let spot =
        ["binance-spot/hftbacktest_spot_btcusdt_20240808.gz", "binance-spot/hftbacktest_spot_btcusdt_20240809.gz"];
    let usdm = ["binance-usdm/hftbacktest_usdm_btcusdt_20240808.gz"];
    let coinm = [
        "binance-coinm/hftbacktest_cm_btcusd_perp_20240808.gz",
        "binance-coinm/hftbacktest_cm_btcusd_perp_20240809.gz",
    ];
    for (id, symbol, files, messages) in [
        (VenueId::BinanceSpot, "BTCUSDT", &spot[..], 99_574),
        (VenueId::BinanceUsdm, "BTCUSDT", &usdm[..], 93_954),
        (VenueId::BinanceCoinm, "BTCUSD_PERP", &coinm[..], 98_386),
    ] {
        let Some(capture) = Capture::open_all(files) else { return };
        // The snapshot is one of them.
        assert_eq!((capture.received().count(), capture.http().count()), (messages - 1, 1), "{id}");
        let rebuilt = binance(id, Some(symbol), files).unwrap();
        let book = &rebuilt.books[symbol];
        let (bids, asks) = book.top(20);
        assert!(book.trusted && rebuilt.counts.gaps == 0, "{id}: {:?}", rebuilt.counts);
        assert!(bids[0].0 < asks[0].0 && rebuilt.tape(symbol).len() > 5_000, "{id}: {}", rebuilt.tape(symbol).len());
    }
}

#[test]
fn many_symbols_come_into_step_with_the_snapshots_of_another_file() {
    let http = "binance-usdm/cryptofeed-history_BINANCE_FUTURES.http.4.0__fb5a540a.txt.gz";
    let ws = "binance-usdm/cryptofeed-history_BINANCE_FUTURES.ws.5.0__eb87833e.txt.gz";
    let Some(capture) = merged(http, ws) else { return };
    let mut rebuilt = Rebuilt::new(VenueId::BinanceUsdm, usize::MAX);
    for item in capture.items {
        match item.what {
            What::Received(text) => rebuilt.hear(&text),
            What::Http { url, body } if url.contains("/depth?") => {
                let symbol = url.split(['?', '&']).find_map(|kv| kv.strip_prefix("symbol=")).expect("a symbol");
                rebuilt.fetched(symbol, &body);
            }
            What::Http { .. } | What::Header(_) | What::Connect { .. } | What::Sent(_) => {}
        }
    }
    assert_eq!((rebuilt.counts.snapshots, rebuilt.counts.gaps), (4, 0), "{:?}", rebuilt.counts);
    assert!(rebuilt.books.values().all(|book| book.trusted));
}

#[test]
fn without_a_snapshot_there_is_no_book() {
    let file = "binance-spot/hftbacktest-history_spot_btcusdt_20230405.dat.gz";
    let Some(rebuilt) = binance(VenueId::BinanceSpot, Some("BTCUSDT"), &[file]) else { return };
    assert!(rebuilt.top("BTCUSDT", 1).is_none() && rebuilt.counts.changes > 1_000);
}

/// `(venue, file, connection, window, what to say, symbol)` of recordings played to a client.
const PLAYED: [(VenueId, &str, &str, usize, &str, &str); 6] = [
    (
        VenueId::Kraken,
        "kraken-spot/cryptofeed-v3_KRAKEN.jsonl.zst",
        "KRAKEN.ws.50",
        1000,
        r#"{"method":"subscribe","params":{"channel":"book","symbol":["XMR/USD"],"depth":1000}}"#,
        "XMR/USD",
    ),
    (
        VenueId::Okx,
        "okx/cryptofeed-v3_OKX.jsonl.zst",
        "OKX.ws.1",
        400,
        r#"{"op":"subscribe","args":[{"channel":"books","instId":"BTC-USDT"},{"channel":"trades","instId":"BTC-USDT"}]}"#,
        "BTC-USDT",
    ),
    (
        VenueId::Coinbase,
        "coinbase/cryptofeed-v3_COINBASE.jsonl.zst",
        "COINBASE.ws.2",
        usize::MAX,
        r#"{"type":"subscribe","product_ids":["ETH-USD"],"channel":"level2"}"#,
        "ETH-USD",
    ),
    (
        VenueId::BybitLinear,
        "bybit/cryptofeed-v3_BYBIT_BTC-DOGE.jsonl.zst",
        "BYBIT.ws.2",
        200,
        r#"{"op":"subscribe","args":["orderbook.200.DOGEUSDT","publicTrade.DOGEUSDT"]}"#,
        "DOGEUSDT",
    ),
    (
        VenueId::Deribit,
        "deribit/cryptofeed-v3_DERIBIT.jsonl.zst",
        "DERIBIT.ws.1",
        usize::MAX,
        r#"{"jsonrpc":"2.0","id":1,"method":"public/subscribe","params":{"channels":["book.ETH-23JUL21-2300-C.100ms"]}}"#,
        "ETH-23JUL21-2300-C",
    ),
    (
        VenueId::Hyperliquid,
        "hyperliquid/hftbacktest_hyperliquid_btcusd_20250126.gz",
        "",
        20,
        r#"{"method":"subscribe","subscription":{"type":"l2Book","coin":"BTC"}}"#,
        "BTC",
    ),
];

#[tokio::test]
async fn recordings_are_played_word_for_word_and_healed_by_the_book_as_it_stands() {
    for (id, file, connection, window, say, symbol) in PLAYED {
        let Some(capture) = Capture::open(file) else { return };
        let fake = Fake::replay(id, &capture.on(connection), window, Plan::default()).await;
        let mut client = Client::connect(&fake, manual(id).path).await.unwrap();
        client.say(say).await;
        assert!(fake.wait(PATIENCE, |fake| !fake.stats().subscribed.is_empty()).await, "{id}");
        let half = fake.left() / 2;
        fake.play(half);
        let mut heard = Rebuilt::new(id, window);
        follow(&mut client, &fake, &mut heard).await;
        let truth = fake.rebuilt().unwrap();
        assert_eq!(heard.top(symbol, 20), truth.top(symbol, 20), "{id}");
        assert_eq!(!heard.tape(symbol).is_empty(), !truth.tape(symbol).is_empty() && say.contains("rade"), "{id}");

        // Cut off in the middle; whoever comes again gets the book as it stands.
        fake.inject(Fault::Reset { lost: 1 }.now());
        while fake.pending() > 0 && fake.left() > 0 {
            fake.play(1);
        }
        let mut again = Client::connect(&fake, manual(id).path).await.unwrap();
        again.say(say).await;
        assert!(
            fake.wait(PATIENCE, |fake| fake.stats().subscribed.iter().any(|(socket, _)| *socket == 1)).await,
            "{id}"
        );
        let mut healed = Rebuilt::new(id, window);
        fake.play(fake.left());
        follow(&mut again, &fake, &mut healed).await;
        let truth = fake.rebuilt().unwrap();
        assert!(healed.top(symbol, 20).is_some(), "{id}: {:?}", healed.counts);
        assert_eq!(healed.top(symbol, 20), truth.top(symbol, 20), "{id}: {:?}", healed.counts);
        assert_eq!((healed.counts.gaps, healed.counts.wrong_checksums), (0, 0), "{id}");
    }
}

#[tokio::test]
async fn a_binance_recording_answers_for_its_depth_once_it_knows_it() {
    let file = "binance-usdm/hftbacktest_usdm_btcusdt_20240808.gz";
    let Some(mut capture) = Capture::open(file) else { return };
    capture.items.truncate(5_000);
    let fake = Fake::replay(VenueId::BinanceUsdm, &capture, usize::MAX, Plan::default()).await;
    let path = "/public/stream?streams=btcusdt@depth@0ms";
    let mut client = Client::connect(&fake, path).await.unwrap();
    assert!(fake.wait(PATIENCE, |fake| !fake.stats().subscribed.is_empty()).await);
    let mut heard = Rebuilt::new(VenueId::BinanceUsdm, usize::MAX);
    fake.play(3_000);
    follow(&mut client, &fake, &mut heard).await;
    let (status, body) = rest(&fake, "/fapi/v1/depth?symbol=BTCUSDT&limit=1000", None).await;
    assert_eq!(status, 200);
    heard.fetched("BTCUSDT", &body);
    fake.play(fake.left());
    follow(&mut client, &fake, &mut heard).await;
    assert_eq!(heard.top("BTCUSDT", 20), fake.rebuilt().unwrap().top("BTCUSDT", 20), "{:?}", heard.counts);
    assert!(heard.top("BTCUSDT", 20).is_some());
}
