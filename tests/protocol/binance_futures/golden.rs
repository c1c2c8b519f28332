//! Single messages of Binance futures collected by other projects: each is understood, refused with its reason, or
//! ignored on purpose.

use papermaker::units::LocalTime;
use papermaker::wire::dialect::{Dialect, Link, News};
use papermaker::wire::symbols::Symbols;
use serde_json::Value;

use super::*;
use crate::support::data_dir;

fn symbols(market: Market, list: &[(&str, &str, &str)]) -> Symbols {
    let rules = |(n, (symbol, tick, lot)): (u16, &(&str, &str, &str))| {
        (InstrumentId(n), presumed(market, symbol, ("X", "USD"), step(tick), step(lot)).unwrap())
    };
    Symbols::new((0..).zip(list).map(rules).collect())
}

/// A word for what each frame says.
fn said(market: Market, symbols: &Symbols, frame: &str) -> String {
    let mut news = Vec::new();
    let read =
        BinanceFutures::new(market, Road::Recorded, 1_000).read(frame.as_bytes(), symbols, LocalTime(0), &mut news);
    if let Err(error) = read {
        return error.to_string();
    }
    let word = |one: &News| match one {
        News::Change { change, .. } => match change.link {
            Link::After(before) => format!("{} after {before}", change.last),
            other => format!("{other:?}"),
        },
        News::Trade { trade, .. } if trade.flags.took_from_the_book() => format!("trade {}", trade.id),
        News::Trade { trade, .. } => format!("flagged {}", trade.id),
        News::Bbo { seq, .. } => format!("bbo {seq}"),
        News::Mark { mark, .. } if mark.funding.is_some() => "mark and funding".to_owned(),
        News::Mark { .. } => "mark".to_owned(),
        News::Alive => "alive".to_owned(),
        News::Ignored => String::new(),
        other => format!("{other:?}"),
    };
    news.iter().map(word).collect::<Vec<_>>().join(", ")
}

#[test]
fn crypto_msg_parsers_messages_of_both_futures_markets() {
    let Some(dir) = data_dir() else { return };
    let text = std::fs::read_to_string(dir.join("golden/crypto-msg-parser/binance.jsonl")).unwrap();
    let of = |prefix: &str, market, symbols: &Symbols| -> Vec<String> {
        let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let ours = lines.filter(|l| {
            l["test"].as_str().unwrap().starts_with(prefix) && l["raw"].as_str().unwrap().contains("\"stream\"")
        });
        ours.map(|l| said(market, symbols, l["raw"].as_str().unwrap())).collect()
    };
    let usdm = symbols(
        Market::Usdm,
        &[
            ("BTCUSDT", "0.01", "0.001"),
            ("BTCUSDT_210625", "0.1", "0.001"),
            ("ETHUSDT", "0.01", "0.001"),
            ("ETHUSDT_210625", "0.01", "0.001"),
            ("BALUSDT", "0.001", "0.1"),
        ],
    );
    // A trade of each, marks of one and of all, differences of each, two partial books, best prices of each, tickers.
    let linear = of("linear", Market::Usdm, &usdm);
    let expected = [
        "trade 21021",
        "trade 389551486",
        "mark and funding",
        "mark and funding, mark and funding",
        "475700783070 after 475700774972",
        "475776380184 after 475776377452",
        "",
        "",
        "bbo 1553205153844",
        "bbo 1553413152520",
        "",
    ];
    assert_eq!(linear[..expected.len()], expected);
    assert!(linear[expected.len()..].iter().all(String::is_empty), "{linear:?}");

    let coinm = symbols(
        Market::Coinm,
        &[
            ("BTCUSD_210625", "0.1", "1"),
            ("BTCUSD_PERP", "0.1", "1"),
            ("ETHUSD_PERP", "0.01", "1"),
            ("XMRUSD_PERP", "0.01", "1"),
        ],
    );
    let inverse = of("inverse", Market::Coinm, &coinm);
    let expected = [
        "trade 5091038",
        "trade 41045788",
        "mark and funding",
        "mark and funding, mark and funding",
        "127531214406 after 127531213513",
        "127559588177 after 127559587113",
        "",
        "",
        "",
        "bbo 462118190224",
        "bbo 462169572570",
        "",
    ];
    assert_eq!(inverse[..expected.len()], expected);
    assert!(inverse[expected.len()..].iter().all(String::is_empty), "{inverse:?}");
}

#[test]
fn the_documentations_messages() {
    let Some(dir) = data_dir() else { return };
    let dir = dir.join("golden/nautilus/binance/futures/market_data_json");
    let read = |name: &str| std::fs::read_to_string(dir.join(name)).unwrap();
    let usdm = symbols(Market::Usdm, &[("BTCUSDT", "0.0001", "1"), ("BNBUSDT", "0.0001", "0.01")]);
    for (name, expected) in [
        ("agg_trade_stream.json", "trade 5933014"),
        ("book_ticker_stream.json", "bbo 400900217"),
        ("depth_update_stream.json", "160 after 149"),
        ("kline_stream_closed.json", ""),
        ("kline_stream_open.json", ""),
        ("liquidation_stream.json", ""),
        ("mark_price_stream.json", "mark and funding"),
        ("ticker_stream.json", ""),
        // It leaves out `T` of no message, only `X`.
        ("trade_stream.json", "trade 5933014"),
    ] {
        assert_eq!(said(Market::Usdm, &usdm, &read(name)), expected, "{name}");
        // All of these are USD-M's own, by their `st` or because nothing says otherwise.
        if read(name).contains("\"st\"") {
            assert_eq!(said(Market::Coinm, &usdm, &read(name)), "", "{name}");
        }
    }
}

#[test]
fn tardis_messages_of_both_futures_markets() {
    let Some(dir) = data_dir() else { return };
    let read = |name: &str| std::fs::read_to_string(dir.join("golden/tardis-node").join(name)).unwrap();
    let usdm = symbols(
        Market::Usdm,
        &[
            ("BTCBUSD_210129", "0.1", "0.001"),
            ("BTCUSDT", "0.01", "0.001"),
            ("ETCUSDT", "0.001", "0.01"),
            ("ETHUSDT", "0.01", "0.001"),
        ],
    );
    let text = read("map_binance_futures_messages.jsonl");
    let found: Vec<_> = text.lines().map(|line| said(Market::Usdm, &usdm, line)).collect();
    let (mark, funded) = ("mark".to_owned(), "mark and funding".to_owned());
    let expected = [
        // Merged trades of 2019 had no id, and without one nothing tells a repeated trade from a new one.
        "aggTrade: missing field `a` at line 1 column 181",
        "",
        &funded,
        "",
        "trade 10934580",
        // In lots of 0.001 the resting 2.42541900 of 4096 is dust rounded up.
        "687687946 after 687687946",
        "",
        "687687946 after 687690832",
        "",
        &funded,
        "flagged 73701056",
        "trade 173525189",
        "",
        &mark,
        "bbo 185130926750",
    ];
    assert_eq!(found[found.len() - expected.len()..], expected);

    let coinm = symbols(Market::Coinm, &[("BTCUSD_200925", "0.1", "1"), ("BNBUSD_PERP", "0.001", "1")]);
    let text = read("map_binance_delivery_messages.jsonl");
    let found: Vec<_> = text.lines().map(|line| said(Market::Coinm, &coinm, line)).collect();
    assert_eq!(
        found,
        [
            "alive",
            "",
            "37471292 after 37471291",
            &mark,
            "",
            "37471322 after 37471321",
            "",
            "",
            "trade 173906",
            "",
            // Another market's message lies among them.
            "\"ETCUSDT\" is not an instrument of this connection",
            "bbo 129067660302",
        ]
    );
}

#[test]
fn gocryptotraders_messages_are_of_spot_and_of_accounts() {
    let Some(dir) = data_dir() else { return };
    let text = std::fs::read_to_string(dir.join("golden/gocryptotrader/binance/testdata/wsHandleData.json")).unwrap();
    let none = symbols(Market::Usdm, &[]);
    for frame in text.lines() {
        let found = said(Market::Usdm, &none, frame);
        // Spot's trade has no `st` but a symbol we do not have; its difference has no `pu`, its account no business here.
        let fine = ["", "\"BNBBTC\" is not an instrument of this connection"].contains(&found.as_str());
        assert!(
            fine || found.contains("missing field `T`") || found.contains("missing field `pu`"),
            "{frame}: {found}"
        );
    }
}

#[test]
fn snapshots_of_both_markets() {
    let Some(dir) = data_dir() else { return };
    let text = std::fs::read_to_string(dir.join("golden/crypto-msg-parser/binance.jsonl")).unwrap();
    let mut found = 0;
    for line in text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()) {
        let (test, raw) = (line["test"].as_str().unwrap(), line["raw"].as_str().unwrap());
        let (market, symbols) = match test {
            "linear_swap" => (Market::Usdm, symbols(Market::Usdm, &[("BTCUSDT", "0.01", "0.001")])),
            "inverse_swap" => (Market::Coinm, symbols(Market::Coinm, &[("BTCUSD_PERP", "0.1", "1")])),
            _ => continue,
        };
        if raw.starts_with("{\"lastUpdateId\"") {
            let snapshot =
                BinanceFutures::new(market, Road::Recorded, 1_000).read_snapshot(raw.as_bytes(), &symbols, 0);
            let snapshot = snapshot.unwrap();
            let first = (snapshot.bids[0].price.0, snapshot.bids[0].qty.0, snapshot.asks.len());
            // 30430.80 in cents and 0.482 in thousandths; 30401.8 in dimes and 12,984 contracts.
            assert_eq!(first, if market == Market::Usdm { (3_043_080, 482, 3) } else { (304_018, 12_984, 3) });
            found += 1;
        }
    }
    assert_eq!(found, 2);
}
