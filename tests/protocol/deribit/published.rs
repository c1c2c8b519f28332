//! Deribit's messages as others published them: each is read, left alone, or refused with its reason.

use papermaker::market::{Instrument, InstrumentId, Kind, PriceRule, VenueId};
use papermaker::units::{LocalTime, Step};
use papermaker::wire::deribit::{DERIBIT, Words};
use papermaker::wire::dialect::{Dialect, Exchange, News};
use papermaker::wire::symbols::Symbols;
use serde_json::Value;

use crate::support::data_dir;

fn text(path: &str) -> Option<String> {
    let path = data_dir()?.join("golden").join(path);
    Some(std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display())))
}

/// The instrument a message names, in steps that the perpetuals of the time and all options are on.
fn symbols(message: &Value) -> Symbols {
    let data = &message["params"]["data"];
    let name = data["instrument_name"].as_str().or_else(|| data[0]["instrument_name"].as_str()).unwrap_or("NONE");
    let (tick, lot) = match name {
        "BTC-PERPETUAL" => ("0.5", "10"),
        "ETH-PERPETUAL" => ("0.05", "1"),
        _ => ("0.0001", "0.1"),
    };
    let step = |text: &str| Step::parse(text).unwrap();
    let rules = Instrument::new(VenueId::Deribit, name, "BTC", "USD", step(tick), step(lot)).unwrap();
    Symbols::new(vec![(InstrumentId(0), rules)])
}

/// One word for each news in a message.
fn read(message: &Value) -> String {
    let mut news = Vec::new();
    let result = Words::default().read(message.to_string().as_bytes(), &symbols(message), LocalTime(0), &mut news);
    if let Err(error) = result {
        return error.to_string();
    }
    let word = |news: &News| match news {
        News::Snapshot { bids, asks, .. } => format!("book {}/{}", bids.len(), asks.len()),
        News::Change { change, .. } => format!("change {}/{}", change.bids.len(), change.asks.len()),
        News::Trade { trade, .. } if trade.flags.took_from_the_book() => "trade".to_owned(),
        News::Trade { .. } => "block".to_owned(),
        News::Bbo { .. } => "quote".to_owned(),
        News::Mark { mark, .. } if mark.funding.is_some() => "mark with funding".to_owned(),
        News::Mark { .. } => "mark".to_owned(),
        News::Status { status, .. } => format!("{status:?}"),
        News::Answer(_) => "answer".to_owned(),
        News::Alive => "alive".to_owned(),
        News::RateLimited { code, .. } => format!("rate limited {code}"),
        News::Ignored => "ignored".to_owned(),
        other => panic!("{other:?}"),
    };
    news.iter().map(word).collect::<Vec<_>>().join(", ")
}

fn outcomes(messages: impl Iterator<Item = Value>) -> Vec<String> {
    messages.map(|message| read(&message)).collect()
}

fn lines(text: &str) -> impl Iterator<Item = Value> + '_ {
    let lines = text.lines().filter(|line| !line.trim().is_empty());
    lines.map(|line| serde_json::from_str(line).expect("a line is JSON"))
}

#[test]
fn tardis_published_eighteen_messages_of_2019_to_2024() {
    let Some(text) = text("tardis-node/map_deribit_messages.jsonl") else { return };
    let expected = [
        "trade, trade",
        "quote",
        "book 2/2",
        "change 1/2",
        "mark with funding",
        "mark with funding",
        "mark, Delisted",
        "mark",
        "mark",
        "mark",
        "trade",
        "trade",
        "change 1/1",
        "book 5/0",
        "mark",
        "mark",
        "mark",
        "mark",
    ];
    assert_eq!(outcomes(lines(&text)), expected);
}

#[test]
fn crypto_msg_parser_published_twenty_six() {
    let Some(text) = text("crypto-msg-parser/deribit.jsonl") else { return };
    let raw = |line: Value| serde_json::from_str(line["raw"].as_str().expect("a message")).expect("JSON");
    let outcomes = outcomes(lines(&text).map(raw));
    let count = |what: &str| outcomes.iter().filter(|outcome| outcome.starts_with(what)).count();
    // Books of another make and charts are ignored; answers over HTTP are answers here too.
    let counts =
        [("trade", 3), ("book 3/3", 3), ("change 2/2", 2), ("quote", 2), ("mark", 3), ("ignored", 6), ("alive", 7)];
    for (what, n) in counts {
        assert_eq!(count(what), n, "{what} of {outcomes:?}");
    }
    assert_eq!(outcomes.len(), 26);
}

#[test]
fn gocryptotrader_published_two_trades() {
    let Some(text) = text("gocryptotrader/deribit/testdata/wsAllTrades.json") else { return };
    assert_eq!(outcomes(lines(&text)), ["trade", "trade"]);
}

#[test]
fn nautilus_published_one_message_of_each_kind() {
    for (name, expected) in [
        ("ws_book_delta", "change 2/2"),
        ("ws_book_grouped_snapshot", "ignored"),
        ("ws_book_snapshot", "book 5/5"),
        ("ws_chart", "ignored"),
        ("ws_error", "rate limited 10028"),
        ("ws_quote", "quote"),
        ("ws_subscribe_response", "alive"),
        ("ws_test_request", "answer"),
        ("ws_ticker", "mark with funding"),
        ("ws_trades", "block, trade"),
        ("ws_trades_option_combo", "trade"),
        ("ws_volatility_index", "ignored"),
    ] {
        let Some(text) = text(&format!("nautilus/deribit/{name}.json")) else { return };
        assert_eq!(read(&serde_json::from_str(&text).expect("JSON")), expected, "{name}");
    }
}

#[test]
fn nautilus_published_lists_of_instruments() {
    let listed = |name: &str| {
        let text = text(&format!("nautilus/deribit/{name}.json"))?;
        Some(DERIBIT.read_rules(&[text.into_bytes()]).unwrap_or_else(|e| panic!("{name}: {e}")))
    };
    for (name, total, ours) in [
        ("http_get_instrument", 1, 1),
        ("http_get_instrument_option", 1, 0),
        ("http_get_instruments", 4, 2),
        ("http_get_instruments_future_combo", 6, 0),
        ("http_get_instruments_option_combo", 6, 0),
    ] {
        let Some(list) = listed(name) else { return };
        let readable = list.iter().filter(|one| one.rules.is_ok()).count();
        assert_eq!((list.len(), readable), (total, ours), "{name}");
        for refused in list.iter().filter_map(|one| one.rules.as_ref().err()) {
            assert!(refused.to_string().contains("is nothing we trade"), "{refused}");
        }
    }
    let list = listed("http_get_instrument").unwrap();
    let btc = list[0].rules.as_ref().unwrap();
    assert_eq!((btc.contract.kind, &btc.price_rule), (Kind::Inverse, &PriceRule::EveryTick));
    assert_eq!((btc.tick.to_string(), btc.lot.to_string()), ("0.5".to_owned(), "10".to_owned()));
    let time = text("nautilus/deribit/http_get_time.json").unwrap();
    assert_eq!(DERIBIT.read_clock(time.as_bytes()).map(|t| t.0), Some(1_733_338_800_000_000_000));
}
