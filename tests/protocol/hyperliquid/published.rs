//! Hyperliquid's messages as others published them: each is read, left alone, or refused with its reason.

use papermaker::market::{Instrument, InstrumentId, VenueId};
use papermaker::units::{LocalTime, Step};
use papermaker::wire::dialect::{Dialect, Exchange, Listed, News};
use papermaker::wire::hyperliquid::{HYPERLIQUID, Words};
use papermaker::wire::symbols::Symbols;
use serde_json::Value;

use crate::support::data_dir;

fn text(path: &str) -> Option<String> {
    let path = data_dir()?.join("golden").join(path);
    Some(std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display())))
}

/// Every coin of these messages, by the rules of its size's decimals.
fn symbols() -> Symbols {
    let coins = [
        ("@162", "0.00001", "0.1"),
        ("@2", "0.00000001", "1"),
        ("BANANA", "0.00001", "0.1"),
        ("BTC", "0.1", "0.00001"),
        ("DYDX", "0.00001", "0.1"),
        ("FXS", "0.00001", "0.1"),
        ("MOODENG", "0.000001", "1"),
        ("SHIA", "0.000001", "1"),
    ];
    let step = |text: &str| Step::parse(text).unwrap();
    let rules = |(coin, tick, lot): (&str, &str, &str)| {
        Instrument::new(VenueId::Hyperliquid, coin, coin, "USDC", step(tick), step(lot)).unwrap()
    };
    Symbols::new(coins.into_iter().zip(0..).map(|(coin, id)| (InstrumentId(id), rules(coin))).collect())
}

/// A word or two for each news in a message, on a socket that has shown every book.
fn read(frame: &str) -> String {
    let (mut words, mut news, symbols) = (Words::new(true), Vec::new(), symbols());
    for symbol in symbols.all() {
        let coin = &symbol.instrument.symbol;
        let first = format!(r#"{{"channel":"l2Book","data":{{"coin":"{coin}","time":1,"levels":[[],[]]}}}}"#);
        words.read(first.as_bytes(), &symbols, LocalTime(0), &mut news).unwrap();
    }
    news.clear();
    if let Err(error) = words.read(frame.as_bytes(), &symbols, LocalTime(0), &mut news) {
        return error.to_string();
    }
    let word = |news: &News| match news {
        News::Snapshot { bids, asks, complete: false, .. } => format!("book {}/{}", bids.len(), asks.len()),
        News::Trade { trade, .. } => format!("{:?}", trade.taker),
        News::Bbo { bid, ask, .. } => format!("bbo {}/{}", bid.iter().len(), ask.iter().len()),
        News::Mark { mark, .. } if mark.funding.is_some() => "mark with funding".to_owned(),
        News::Mark { .. } => "mark".to_owned(),
        News::Ignored => "ignored".to_owned(),
        other => panic!("{other:?}"),
    };
    news.iter().map(word).collect::<Vec<_>>().join(", ")
}

#[test]
fn tardis_published_ten_messages_of_2024_and_2025() {
    let Some(text) = text("tardis-node/map_hyperliquid_messages.jsonl") else { return };
    let read: Vec<_> = text.lines().filter(|line| !line.trim().is_empty()).map(read).collect();
    let expected = [
        "Ask",
        "Ask",
        "Bid, Bid, Bid",
        "Bid",
        "book 0/0",
        "book 2/2",
        "mark with funding",
        "mark",
        "bbo 1/1",
        "bbo 1/0",
    ];
    assert_eq!(read, expected);
}

#[test]
fn nautilus_published_messages_with_and_without_their_envelope() {
    for (name, channel, expected) in [
        ("ws_allmids", None, "ignored"),
        ("ws_all_dexs_asset_ctxs", None, "ignored"),
        ("http_l2_book_btc", Some("l2Book"), "book 5/5"),
        // Invented: BTC has one decimal.
        ("http_l2_book_snapshot", Some("l2Book"), "BTC: bid \"98449.75\": 98449.75 is not a multiple of 0.1"),
        ("ws_book_data", Some("l2Book"), "BTC: bid \"98449.75\": 98449.75 is not a multiple of 0.1"),
        ("http_recent_trades_btc", Some("trades"), "Ask, Bid, Ask"),
    ] {
        let Some(text) = text(&format!("nautilus/hyperliquid/{name}.json")) else { return };
        let frame = match channel {
            Some(channel) => format!(r#"{{"channel":"{channel}","data":{text}}}"#),
            None => text,
        };
        assert_eq!(read(&frame), expected, "{name}");
    }
}

fn listed(body: &str) -> Vec<Listed> {
    HYPERLIQUID.read_rules(&[body.as_bytes().to_vec()]).unwrap()
}

fn steps(one: &Listed) -> String {
    match &one.rules {
        Ok(rules) => format!("{} {} {}", one.symbol, rules.tick, rules.lot),
        Err(error) => error.to_string(),
    }
}

#[test]
fn nautilus_published_lists_of_perpetuals() {
    let Some(meta) = text("nautilus/hyperliquid/http_meta_perp_sample.json") else { return };
    let all: Vec<_> = listed(&meta).iter().map(steps).collect();
    assert_eq!(all, ["BTC 0.1 0.00001", "ETH 0.01 0.0001", "ATOM 0.0001 0.01"]);
    let dexes = text("nautilus/hyperliquid/http_all_perp_metas_non_usdc_collateral.json").unwrap();
    let dexes: Vec<Value> = serde_json::from_str(&dexes).unwrap();
    let all: Vec<_> = dexes.iter().flat_map(|meta| listed(&meta.to_string())).map(|one| steps(&one)).collect();
    let refused = |coin: &str, token: u32| format!("{coin}: collateralToken \"{token}\": is not USDC");
    assert_eq!(all, ["BTC 0.1 0.00001".to_owned(), refused("km:US500", 360), refused("hyna:BTC", 235)]);
    let spot = text("nautilus/hyperliquid/http_spot_meta_non_usdc_collateral.json").unwrap();
    assert_eq!(listed(&spot), []);
}

/// Bodies in a recording of the venue's own Python client.
fn bodies(yaml: &str) -> impl Iterator<Item = &str> {
    yaml.lines().filter_map(|line| line.trim().strip_prefix("string: '")?.strip_suffix('\''))
}

#[test]
fn the_venues_own_client_published_its_list_of_2023() {
    for name in ["test_get_info", "test_get_candles_snapshot", "test_get_funding_history[1684811870000]"] {
        let Some(yaml) = text(&format!("hyperliquid-python-sdk/{name}.yaml")) else { return };
        let meta = bodies(&yaml).next().expect("a body");
        let list = listed(meta);
        assert!(list.len() > 25 && list.iter().all(|one| one.rules.is_ok()), "{name}");
        assert_eq!(steps(&list[0]), "BTC 0.1 0.00001");
    }
    let yaml = text("hyperliquid-python-sdk/test_get_l2_snapshot.yaml").unwrap();
    let book = bodies(&yaml).nth(1).expect("a second body");
    assert_eq!(read(&format!(r#"{{"channel":"l2Book","data":{book}}}"#)), "book 20/20");
    assert!(HYPERLIQUID.read_clock(book.as_bytes()).is_some());
    // Nothing but a list is taken for one.
    let mids = text("hyperliquid-python-sdk/test_get_all_mids.yaml").unwrap();
    let mids = bodies(&mids).next().expect("a body");
    assert!(HYPERLIQUID.read_rules(&[mids.as_bytes().to_vec()]).is_err());
}
