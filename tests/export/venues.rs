//! Captures of venues other than Binance against the books and tapes that an independent reading makes of them.

use papermaker::journal::export::Kind;
use papermaker::journal::import::{Format, StepsFrom, open};
use papermaker::market::{Kind as Contract, VenueId};
use rust_decimal::Decimal;

use super::imports::{Played, data, play};
use super::story::asked;
use crate::support::captures::rebuilt::Rebuilt;
use crate::support::captures::{Capture, What};

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
        let number = |text: &String| text.parse::<Decimal>().unwrap();
        let rows = played.rows(Kind::Trades, 0);
        let found: Vec<_> = rows.iter().map(|row| (number(&row[6]), number(&row[7]), row[8] == "buy")).collect();
        let tape: Vec<_> = naive.tape(symbol).iter().map(|p| (p.price, p.qty * unit, p.taker_buys)).collect();
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
            "kraken-spot/cryptofeed-v3_KRAKEN.jsonl.zst",
            VenueId::Kraken,
            "XMR/USD",
            "wss://ws.kraken.com speaks an older protocol of kraken; v2 is read",
        ),
        (
            "coinbase/cryptofeed-history_COINBASE.ws.28.0__974302da.txt.gz",
            VenueId::Coinbase,
            "SKL-USD",
            "wss://ws-feed.pro.coinbase.com speaks an older protocol of coinbase; Advanced Trade is read",
        ),
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
