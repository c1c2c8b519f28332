//! Captures of venues other than Binance against the books and tapes that an independent reading makes of them.

use std::collections::BTreeMap;

use papermaker::journal::export::Kind;
use papermaker::journal::import::{Format, StepsFrom, open};
use papermaker::market::{Kind as Contract, VenueId};
use rust_decimal::Decimal;
use serde_json::Value;

use super::imports::{Played, data, play};
use super::story::{Files, asked};
use crate::support::captures::rebuilt::{Print, Rebuilt};
use crate::support::captures::{Capture, What, kraken};

/// File, the connection our instrument is on, venue, symbol, levels a side the venue keeps us informed of, whether the
/// venue's rules are in it.
const READ: [(&str, &str, VenueId, &str, usize, bool); 9] = [
    ("bybit/cryptofeed-v3_BYBIT_BTC-DOGE.jsonl.zst", "BYBIT.ws.2", VenueId::BybitLinear, "BTCUSDT", 200, true),
    ("bybit/cryptofeed-v3_BYBIT_BTC-DOGE.jsonl.zst", "BYBIT.ws.2", VenueId::BybitLinear, "DOGEUSDT", 200, true),
    ("bybit/cryptofeed-v3_BYBIT_BTC-DOGE.jsonl.zst", "BYBIT.ws.3", VenueId::BybitSpot, "BTCUSDT", 200, true),
    ("okx/cryptofeed-v3_OKX.jsonl.zst", "OKX.ws.1", VenueId::Okx, "BTC-USDT", 400, true),
    ("okx/cryptofeed-v3_OKX.jsonl.zst", "OKX.ws.1", VenueId::Okx, "UNI-USD-SWAP", 400, true),
    ("okx/cryptofeed-history_OKEX.ws.1.0__88c5acf9.txt.gz", "", VenueId::Okx, "ONT-USDT", 400, false),
    ("coinbase/cryptofeed-v3_COINBASE.jsonl.zst", "COINBASE.ws.2", VenueId::Coinbase, "BTC-USD", usize::MAX, true),
    ("coinbase/cryptofeed-v3_COINBASE.jsonl.zst", "COINBASE.ws.2", VenueId::Coinbase, "ETH-USD", usize::MAX, true),
    ("hyperliquid/hftbacktest_hyperliquid_btcusd_20250126.gz", "", VenueId::Hyperliquid, "BTC", 20, false),
];

fn read(file: &str, venue: VenueId, symbol: &str) -> Option<Played> {
    let format = if file.contains("hftbacktest") { Format::HftbacktestRaw } else { Format::Cryptofeed };
    Some(play(asked(vec![data(file)?], format, venue, symbol)).unwrap_or_else(|error| panic!("{error}")))
}

#[test]
fn every_trade_and_the_last_book_are_those_of_an_independent_reading() {
    for (file, connection, venue, symbol, window, has_rules) in READ {
        let Some(played) = read(file, venue, symbol) else { return };
        let mut capture = Capture::open(file).unwrap();
        if !connection.is_empty() {
            capture = capture.on(connection);
        }
        let mut naive = Rebuilt::new(venue, window);
        for item in &capture.items {
            if let What::Received(text) = &item.what {
                naive.hear(text);
            }
        }
        let name = format!("{file} {symbol}");
        // OKX and Bybit's contracts are counted in the venue's own units there.
        let unit = played.instrument.contract.unit.size();
        let found = tape(&played, unit);
        let tape: Vec<_> = naive.tape(symbol).iter().map(printed).collect();
        // Prints from before the subscription are no news; a venue sends them first.
        assert!(!found.is_empty() && tape.ends_with(&found), "{name}: {} of {} trades", found.len(), tape.len());
        let past = tape.len() - found.len();
        assert!(past <= 32, "{name}: {past} trades are missing");
        let (bids, asks) = naive.top(symbol, 20).unwrap_or_else(|| panic!("{name}: a book to compare with"));
        let lots = |side: Vec<(Decimal, Decimal)>| side.into_iter().map(|(p, q)| (p, q * unit)).collect::<Vec<_>>();
        assert_eq!(played.top_20(), [lots(bids), lots(asks)], "{name}");
        let words = played.feed_words();
        assert_eq!(words.get("live"), Some(&1), "{name}: {words:?}");
        for fault in ["gap", "protocol_error", "checksum_mismatch", "disconnected", "resync"] {
            assert!(!words.contains_key(fault), "{name}: {words:?}");
        }
        assert_eq!(played.steps_from == StepsFrom::Recording, has_rules, "{name}");
        assert!(played.report.snapshots > 0, "{name}");
    }
}

#[test]
fn krakens_first_protocol_is_read_by_its_own_checksums() {
    let file = "kraken-spot/cryptofeed-v3_KRAKEN.jsonl.zst";
    for (symbol, prints) in [("XMR/USD", true), ("BTC/CHF", false), ("ADA/BTC", false)] {
        let Some(played) = read(file, VenueId::Kraken, symbol) else { return };
        let mut naive = Rebuilt::new(VenueId::Kraken, 1_000);
        for item in &Capture::open(file).unwrap().items {
            if let What::Received(text) = &item.what
                && let Some(text) = kraken::to_v2(text)
            {
                naive.hear(&text);
            }
        }
        let (bids, asks) = naive.top(symbol, 20).unwrap();
        assert_eq!(played.top_20(), [bids, asks], "{symbol}");
        assert_eq!(tape(&played, Decimal::ONE), naive.tape(symbol).iter().map(printed).collect::<Vec<_>>(), "{symbol}");
        assert_eq!(!naive.tape(symbol).is_empty(), prints, "{symbol}");
        let words = played.feed_words();
        assert_eq!((words.get("live"), words.get("gap")), (Some(&1), None), "{symbol}: {words:?}");
    }
}

#[test]
fn a_frame_of_krakens_that_was_changed_shows_as_a_gap() {
    let Some(file) = data("kraken-spot/cryptofeed-v3_KRAKEN.jsonl.zst") else { return };
    let text = String::from_utf8(zstd::stream::decode_all(std::fs::File::open(file).unwrap()).unwrap()).unwrap();
    let changed = text.replacen(r#"[\"354.15000000\",\"5.00000000\""#, r#"[\"354.15000000\",\"6.00000000\""#, 1);
    assert_ne!(changed, text);
    let files = Files::new(&[("kraken.jsonl", changed.as_bytes())]);
    let played = play(files.wish(Format::Cryptofeed, VenueId::Kraken, "XMR/USD")).unwrap();
    assert_eq!(played.feed_words().get("gap"), Some(&1));
    assert!(played.rows(Kind::Book, 20).is_empty() || !played.feed_words().contains_key("resync"));
}

#[test]
fn coinbase_pros_captures_are_read_as_they_were_spoken() {
    let file = "coinbase/cryptofeed-history_COINBASE.ws.28.0__974302da.txt.gz";
    for symbol in ["SKL-USD", "SKL-BTC", "BAND-GBP"] {
        let Some(played) = read(file, VenueId::Coinbase, symbol) else { return };
        // Independently: maps of decimals, and prints of makers' sides.
        let [mut bids, mut asks] = [BTreeMap::new(), BTreeMap::new()];
        let mut prints = Vec::new();
        let decimal = |value: &Value| value.as_str().unwrap().parse::<Decimal>().unwrap();
        for item in &Capture::open(file).unwrap().items {
            let What::Received(text) = &item.what else { continue };
            let frame: Value = serde_json::from_str(text).unwrap();
            if frame["product_id"] != symbol {
                continue;
            }
            for (side, key) in [(&mut bids, "bids"), (&mut asks, "asks")] {
                for level in frame[key].as_array().into_iter().flatten() {
                    side.insert(decimal(&level[0]), decimal(&level[1]));
                }
            }
            for change in frame["changes"].as_array().into_iter().flatten() {
                let side = if change[0] == "buy" { &mut bids } else { &mut asks };
                side.insert(decimal(&change[1]), decimal(&change[2]));
            }
            if frame["type"] == "match" {
                prints.push((decimal(&frame["price"]), decimal(&frame["size"]), frame["side"] == "sell"));
            }
        }
        assert_eq!(tape(&played, Decimal::ONE), prints, "{symbol}");
        let rests = |(_, qty): &(&Decimal, &Decimal)| !qty.is_zero();
        let pair = |(price, qty): (&Decimal, &Decimal)| (*price, *qty);
        let bids: Vec<_> = bids.iter().rev().filter(rests).take(20).map(pair).collect();
        let asks: Vec<_> = asks.iter().filter(rests).take(20).map(pair).collect();
        assert_eq!(played.top_20(), [bids, asks], "{symbol}");
        assert_eq!(played.feed_words().get("live"), Some(&1), "{symbol}");
    }
}

/// Price, quantity, whether the taker bought.
type Printed = (Decimal, Decimal, bool);

fn printed(print: &Print) -> Printed {
    (print.price, print.qty, print.taker_buys)
}

/// The trades of an export, in units of the venue.
fn tape(played: &Played, unit: Decimal) -> Vec<Printed> {
    let number = |text: &String| text.parse::<Decimal>().unwrap();
    let rows = played.rows(Kind::Trades, 0);
    rows.iter().map(|row| (number(&row[6]), number(&row[7]) / unit, row[8] == "buy")).collect()
}

#[test]
fn a_contract_is_what_its_venue_says_or_what_custom_says() {
    let contract = |n: usize| {
        let (file, _, venue, symbol, ..) = READ[n];
        read(file, venue, symbol)
            .map(|played| (played.instrument.contract.kind, played.instrument.contract.unit.to_string()))
    };
    let Some(bybit) = contract(0) else { return };
    assert_eq!(bybit, (Contract::Linear, "1".to_owned()));
    assert_eq!(contract(3).unwrap(), (Contract::Spot, "1".to_owned()));
    // Ten dollars a contract, by OKX's own list in the capture.
    assert_eq!(contract(4).unwrap(), (Contract::Inverse, "10".to_owned()));
    assert_eq!(contract(8).unwrap(), (Contract::Linear, "1".to_owned()));
}

#[test]
fn what_cannot_be_read_is_refused_by_name_and_reason() {
    for (file, venue, symbol, reason) in [
        (
            "deribit/cryptofeed-v3_DERIBIT.jsonl.zst",
            VenueId::Deribit,
            "BTC-24SEP21-8000-P",
            "BTC-24SEP21-8000-P cannot be traded here: BTC-24SEP21-8000-P: kind \"option\": is nothing we trade",
        ),
        (
            "deribit/cryptofeed-history_DERIBIT.ws.30.0__4f5c3752.txt.gz",
            VenueId::Deribit,
            "BTC-25MAR22-50000-C",
            "BTC-25MAR22-50000-C is no perpetual",
        ),
        (
            "okx/cryptofeed-history_OKEX.ws.1.0__88c5acf9.txt.gz",
            VenueId::Okx,
            "XMR-USDT-SWAP",
            "what a contract of XMR-USDT-SWAP is worth is only in the venue's rules",
        ),
        (
            "okx/cryptofeed-v3_OKX.jsonl.zst",
            VenueId::Okx,
            "BTC-USD-220527",
            "instType \"FUTURES\": is neither spot nor swap",
        ),
        ("okx/cryptofeed-v3_OKX.jsonl.zst", VenueId::Okx, "ETH-USDT", "holds no book and no trade of ETH-USDT"),
        (
            "okx/cryptofeed-v3_OKX.jsonl.zst",
            VenueId::Coinbase,
            "BTC-USD",
            "is a recording of OKX, which cryptofeed does not call COINBASE",
        ),
        (
            "okx/cryptofeed-history_OKEX.ws.1.0__88c5acf9.txt.gz",
            VenueId::Coinbase,
            "BTC-USD",
            "wss://ws.okex.com:8443/ws/v5/public is not of coinbase",
        ),
    ] {
        let Some(path) = data(file) else { return };
        let error = open(asked(vec![path], Format::Cryptofeed, venue, symbol)).err().expect(file).to_string();
        assert!(error.contains(file) && error.contains(reason), "{error}");
    }
}
