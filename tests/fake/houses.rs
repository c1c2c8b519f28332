//! Every house, with a plain client and a naive book: what the fake says adds up to what it knows.

use serde_json::Value;

use super::*;
use crate::support::fake::{Fault, Plan};

#[tokio::test]
async fn what_every_house_says_adds_up_to_its_true_book_and_tape() {
    for manual in &MANUALS {
        let fake = Fake::start(manual.id, Plan { seed: 7, ..Plan::default() }).await;
        let (mut client, mut rebuilt) = in_step(&fake).await;
        for _ in 0..20 {
            fake.play(50);
            follow(&mut client, &fake, &mut rebuilt).await;
            let depth = manual.window.min(20);
            let ours = rebuilt.top(manual.symbol, depth);
            assert_eq!(ours, Some(fake.top(manual.symbol, depth)), "{} {:?}", manual.id, rebuilt.counts);
        }
        let counts = rebuilt.counts;
        assert_eq!((counts.gaps, counts.wrong_checksums, counts.unreadable), (0, 0, 0), "{}", manual.id);
        assert!(counts.changes + counts.snapshots > 300, "{}: {counts:?}", manual.id);
        // Kraken's checksum is on every book message.
        assert_eq!(counts.checksums > 0, manual.id == VenueId::Kraken, "{}", manual.id);

        let tape: Vec<_> = rebuilt.tape(manual.symbol).iter().map(|p| (p.price, p.qty, p.taker_buys)).collect();
        let shown = fake.stats().shown;
        let of_symbol = shown.iter().filter(|(symbol, _)| symbol == manual.symbol);
        let truth: Vec<_> = of_symbol.map(|(_, p)| (p.price, p.qty, p.taker_buys)).collect();
        assert_eq!(tape, truth, "{}", manual.id);
        assert_eq!(tape.is_empty(), manual.trade.is_empty(), "{}", manual.id);
    }
}

#[tokio::test]
async fn the_same_seed_is_the_same_market_and_another_seed_another() {
    let book = async |seed| {
        let fake = Fake::start(VenueId::Okx, Plan { seed, ..Plan::default() }).await;
        fake.play(500);
        fake.top("BTC-USDT", 20)
    };
    assert_eq!(book(3).await, book(3).await);
    assert_ne!(book(3).await, book(4).await);
}

#[tokio::test]
async fn a_market_is_never_crossed_and_never_thin() {
    for manual in &MANUALS {
        let fake = Fake::start(manual.id, Plan { seed: 11, ..Plan::default() }).await;
        for _ in 0..2_000 {
            fake.play(1);
            for listing in fake.listings() {
                let (bids, asks) = fake.top(listing.symbol, 14);
                assert!(bids[0].0 < asks[0].0, "{} {}", manual.id, listing.symbol);
                assert!(bids.len() >= 13 && asks.len() >= 13, "{} {}", manual.id, listing.symbol);
                assert!(
                    bids.iter()
                        .chain(&asks)
                        .all(|(p, q)| (p % listing.stride).is_zero() && (q % listing.lot).is_zero())
                );
            }
        }
    }
}

/// Where the rules are asked for: path, body, and where in the answer the symbols stand.
fn rules_of(id: VenueId) -> (&'static str, Option<&'static str>, &'static str, &'static str) {
    match id {
        VenueId::Imported => panic!("known from files only"),
        VenueId::BinanceSpot => ("/api/v3/exchangeInfo", None, "/symbols", "symbol"),
        VenueId::BinanceUsdm => ("/fapi/v1/exchangeInfo", None, "/symbols", "symbol"),
        VenueId::BinanceCoinm => ("/dapi/v1/exchangeInfo", None, "/symbols", "symbol"),
        VenueId::BybitSpot => ("/v5/market/instruments-info?category=spot", None, "/result/list", "symbol"),
        VenueId::BybitLinear => ("/v5/market/instruments-info?category=linear", None, "/result/list", "symbol"),
        VenueId::Okx => ("/api/v5/public/instruments?instType=SWAP", None, "/data", "instId"),
        VenueId::Coinbase => ("/api/v3/brokerage/market/products", None, "/products", "product_id"),
        VenueId::Kraken => ("/0/public/AssetPairs", None, "/result", "wsname"),
        VenueId::Hyperliquid => ("/info", Some(r#"{"type":"meta"}"#), "/universe", "name"),
        VenueId::Deribit => ("/api/v2/public/get_instruments?currency=any", None, "/result", "instrument_name"),
    }
}

#[tokio::test]
async fn every_house_lists_what_it_trades_and_what_it_no_longer_trades() {
    for manual in &MANUALS {
        let fake = Fake::start(manual.id, Plan::default()).await;
        let (path, question, place, name) = rules_of(manual.id);
        let (status, body) = rest(&fake, path, question).await;
        assert_eq!(status, 200, "{}: {body}", manual.id);
        let answer: Value = serde_json::from_str(&body).unwrap();
        let list = answer.pointer(place).unwrap_or_else(|| panic!("{}: {body}", manual.id));
        let listed: Vec<&Value> = match list {
            Value::Array(list) => list.iter().collect(),
            Value::Object(map) => map.values().collect(),
            other => panic!("{other}"),
        };
        // REST of Kraken has other names.
        let symbol = manual.symbol.replace("BTC/", if manual.id == VenueId::Kraken { "XBT/" } else { "BTC/" });
        assert!(listed.iter().any(|rules| rules[name] == symbol.as_str()), "{}: {body}", manual.id);

        fake.inject(Fault::Delist { symbol: manual.symbol }.now());
        let (_, after) = rest(&fake, path, question).await;
        assert_ne!(body, after, "{}", manual.id);
        let (status, _) = rest(&fake, "/no/such/path", None).await;
        assert_eq!(status, 404);
    }
}

#[tokio::test]
async fn a_pushed_delisting_is_said_in_the_venues_words() {
    let pushes = [
        (VenueId::Okx, r#""state":"suspend""#),
        (VenueId::Kraken, r#""status":"delisted""#),
        (VenueId::Deribit, r#""state":"archivized""#),
    ];
    for (id, words) in pushes {
        let fake = Fake::start(id, Plan::default()).await;
        let mut client = Client::following(&fake).await;
        fake.inject(Fault::Delist { symbol: manual(id).symbol }.now());
        client.until(words).await;
        fake.play(200);
        let after = client.drain(&fake).await;
        let book = after.iter().filter(|text| text.contains("book") && text.contains(manual(id).symbol)).count();
        assert_eq!(book, 0, "{id}: nothing more of what is gone");
    }
}

#[tokio::test]
async fn a_state_is_pushed_in_whatever_word_it_is_given_and_the_market_goes_on() {
    let states = [
        (VenueId::Okx, "post_only", r#""state":"post_only""#),
        (VenueId::Kraken, "cancel_only", r#""status":"cancel_only""#),
        (VenueId::Deribit, "halted", r#""state":"halted""#),
    ];
    for (id, word, said) in states {
        let symbol = manual(id).symbol;
        let fake = Fake::start(id, Plan::default()).await;
        let (mut client, mut rebuilt) = in_step(&fake).await;
        fake.inject(Fault::Status { symbol, word }.now());
        client.until(said).await;
        fake.play(100);
        follow(&mut client, &fake, &mut rebuilt).await;
        assert_eq!(rebuilt.top(symbol, 10), Some(fake.top(symbol, 10)), "{id}");
    }
}

#[test]
fn a_venue_beside_an_ordinary_test_needs_no_runtime_of_its_own() {
    use std::io::{Read, Write};
    let (_runtime, fake) = Fake::beside(VenueId::Okx, Plan::default());
    let mut plain = std::net::TcpStream::connect(fake.rest_url().trim_start_matches("http://")).unwrap();
    plain.write_all(b"GET /api/v5/public/time HTTP/1.1\r\nHost: fake\r\n\r\n").unwrap();
    let mut answer = String::new();
    plain.read_to_string(&mut answer).unwrap();
    assert!(answer.ends_with(r#"{"code":"0","data":[{"ts":"1789984800000"}],"msg":""}"#), "{answer}");
}

#[tokio::test]
async fn a_finer_tick_comes_with_a_fresh_book_where_the_venue_does_that() {
    for id in [VenueId::Kraken, VenueId::BybitLinear, VenueId::Okx] {
        let manual = manual(id);
        let fake = Fake::start(id, Plan::default()).await;
        let (mut client, mut rebuilt) = in_step(&fake).await;
        let before = fake.listings().iter().find(|l| l.symbol == manual.symbol).unwrap().tick;
        let books = rebuilt.counts.snapshots;
        fake.inject(Fault::ChangeTick { symbol: manual.symbol }.now());
        fake.play(300);
        follow(&mut client, &fake, &mut rebuilt).await;
        let after = fake.listings().iter().find(|l| l.symbol == manual.symbol).unwrap().tick;
        assert_eq!(before, after * rust_decimal::Decimal::TEN, "{id}");
        assert_eq!(rebuilt.counts.snapshots, books + 1, "{id}");
        assert_eq!(rebuilt.top(manual.symbol, 10), Some(fake.top(manual.symbol, 10)), "{id}: {:?}", rebuilt.counts);
        assert_eq!((rebuilt.counts.gaps, rebuilt.counts.wrong_checksums), (0, 0), "{id}");
    }
}

#[tokio::test]
async fn a_subscription_that_ends_and_begins_again_brings_a_fresh_book() {
    let again = [
        (
            VenueId::BybitSpot,
            r#"{"op":"unsubscribe","args":["orderbook.50.BTCUSDT"]}"#,
            r#"{"op":"subscribe","args":["orderbook.50.BTCUSDT"]}"#,
        ),
        (
            VenueId::Okx,
            r#"{"op":"unsubscribe","args":[{"channel":"books","instId":"BTC-USDT-SWAP"}]}"#,
            r#"{"op":"subscribe","args":[{"channel":"books","instId":"BTC-USDT-SWAP"}]}"#,
        ),
        (
            VenueId::Coinbase,
            r#"{"type":"unsubscribe","product_ids":["BTC-USD"],"channel":"level2"}"#,
            r#"{"type":"subscribe","product_ids":["BTC-USD"],"channel":"level2"}"#,
        ),
        (
            VenueId::Kraken,
            r#"{"method":"unsubscribe","params":{"channel":"book","symbol":["BTC/USD"],"depth":10}}"#,
            r#"{"method":"subscribe","params":{"channel":"book","symbol":["BTC/USD"],"depth":10}}"#,
        ),
        (
            VenueId::Hyperliquid,
            r#"{"method":"unsubscribe","subscription":{"type":"l2Book","coin":"BTC"}}"#,
            r#"{"method":"subscribe","subscription":{"type":"l2Book","coin":"BTC"}}"#,
        ),
        (
            VenueId::Deribit,
            r#"{"jsonrpc":"2.0","id":2,"method":"public/unsubscribe","params":{"channels":["book.BTC-PERPETUAL.100ms"]}}"#,
            r#"{"jsonrpc":"2.0","id":3,"method":"public/subscribe","params":{"channels":["book.BTC-PERPETUAL.100ms"]}}"#,
        ),
    ];
    for (id, end, begin) in again {
        let manual = manual(id);
        let fake = Fake::start(id, Plan::default()).await;
        let (mut client, mut rebuilt) = in_step(&fake).await;
        client.say(end).await;
        assert!(fake.wait(PATIENCE, |fake| !fake.stats().unsubscribed.is_empty()).await, "{id}");
        fake.play(100);
        let between = client.drain(&fake).await;
        assert!(between.iter().all(|text| !text.contains("prev_change_id") && !text.contains("l2_data")), "{id}");
        client.say(begin).await;
        assert!(fake.wait(PATIENCE, |fake| fake.stats().subscriptions(manual.book) == 2).await, "{id}");
        let books = rebuilt.counts.snapshots;
        // The number that Coinbase counts went on meanwhile.
        for text in between {
            rebuilt.hear(&text);
        }
        fake.play(50);
        follow(&mut client, &fake, &mut rebuilt).await;
        assert!(rebuilt.counts.snapshots > books, "{id}");
        assert_eq!(rebuilt.top(manual.symbol, 10), Some(fake.top(manual.symbol, 10)), "{id}: {:?}", rebuilt.counts);
    }
}

#[tokio::test]
async fn pings_of_every_kind_are_answered_in_kind() {
    let pings = [
        (VenueId::BybitLinear, r#"{"op":"ping"}"#, "pong"),
        (VenueId::Okx, "ping", "pong"),
        (VenueId::Kraken, r#"{"method":"ping","req_id":9}"#, r#"{"method":"pong""#),
        (VenueId::Hyperliquid, r#"{"method":"ping"}"#, r#"{"channel":"pong"}"#),
    ];
    for (id, ping, pong) in pings {
        let fake = Fake::start(id, Plan::default()).await;
        let mut client = Client::following(&fake).await;
        client.say(ping).await;
        client.until(pong).await;
        assert_eq!(fake.stats().pings, 1, "{id}");
        fake.inject(Fault::Mute.now());
        client.say(ping).await;
        assert!(fake.wait(PATIENCE, |fake| fake.stats().pings == 2).await, "{id}");
        let after = client.drain(&fake).await;
        assert!(after.iter().all(|text| !text.contains("pong")), "{id}: mute means mute");
    }
}

#[tokio::test]
async fn heartbeats_come_to_whoever_asked_for_them() {
    let plan = || Plan { pulse: Duration::from_millis(20), ..Plan::default() };
    let fake = Fake::start(VenueId::Deribit, plan()).await;
    let mut client = Client::following(&fake).await;
    client.say(r#"{"jsonrpc":"2.0","id":5,"method":"public/set_heartbeat","params":{"interval":10}}"#).await;
    client.until("test_request").await;
    client.say(r#"{"jsonrpc":"2.0","id":6,"method":"public/test","params":{}}"#).await;
    assert!(fake.wait(PATIENCE, |fake| fake.stats().answers == 1).await);
    for (id, word) in [(VenueId::Coinbase, "heartbeat_counter"), (VenueId::Kraken, r#""heartbeat""#)] {
        let fake = Fake::start(id, plan()).await;
        Client::following(&fake).await.until(word).await;
    }
}

#[tokio::test]
async fn what_the_venue_does_not_know_it_refuses_in_its_own_way() {
    let unknown = [
        (VenueId::BybitSpot, r#"{"op":"subscribe","args":["orderbook.50.NOPE"]}"#, "Invalid topic"),
        (VenueId::Okx, r#"{"op":"subscribe","args":[{"channel":"books","instId":"NO-PE"}]}"#, "60018"),
        (
            VenueId::Coinbase,
            r#"{"type":"subscribe","product_ids":["NO-PE"],"channel":"level2"}"#,
            "not a valid product",
        ),
        (VenueId::Kraken, r#"{"method":"subscribe","params":{"channel":"book","symbol":["NO/PE"]}}"#, "not supported"),
        (
            VenueId::Hyperliquid,
            r#"{"method":"subscribe","subscription":{"type":"l2Book","coin":"NOPE"}}"#,
            "Invalid subscription",
        ),
        // Silently left out of the answer.
        (
            VenueId::Deribit,
            r#"{"jsonrpc":"2.0","id":4,"method":"public/subscribe","params":{"channels":["book.NOPE.100ms"]}}"#,
            r#""result":[]"#,
        ),
    ];
    for (id, text, words) in unknown {
        let fake = Fake::start(id, Plan::default()).await;
        let mut client = Client::following(&fake).await;
        client.say(text).await;
        client.until(words).await;
    }
}

#[tokio::test]
async fn the_wrong_path_of_binance_futures_acknowledges_and_stays_silent() {
    let fake = Fake::start(VenueId::BinanceUsdm, Plan::default()).await;
    let mut client = Client::connect(&fake, "/stream").await.unwrap();
    client.say(r#"{"method":"SUBSCRIBE","params":["btcusdt@aggTrade","btcusdt@markPrice@1s"],"id":1}"#).await;
    client.until(r#""result":null"#).await;
    fake.play(200);
    assert_eq!(client.drain(&fake).await, [""; 0]);
    let mut client =
        Client::connect(&fake, "/market/stream?streams=btcusdt@aggTrade/btcusdt@markPrice@1s").await.unwrap();
    assert!(fake.wait(PATIENCE, |fake| fake.stats().subscribed.len() == 2).await);
    fake.play(200);
    let texts = client.drain(&fake).await;
    assert!(texts.iter().any(|t| t.contains("aggTrade")) && texts.iter().any(|t| t.contains("markPriceUpdate")));
}

#[tokio::test]
async fn a_path_that_is_not_served_is_not_found() {
    for manual in &MANUALS {
        let fake = Fake::start(manual.id, Plan::default()).await;
        let refused = Client::connect(&fake, "/no/such/socket").await;
        assert!(matches!(refused, Err(Error::Http(reply)) if reply.status() == 404), "{}", manual.id);
    }
}

#[tokio::test]
async fn a_steady_pace_waits_for_a_listener() {
    let fake = Fake::start(VenueId::Deribit, Plan::every_ms(1)).await;
    assert_eq!(fake.happened(), 0);
    let _client = Client::following(&fake).await;
    assert!(fake.wait(PATIENCE, |fake| fake.happened() > 20).await);
}
