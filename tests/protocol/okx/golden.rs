//! Single messages collected by other projects: each is understood, ignored on purpose, or refused with its reason.

use super::*;
use crate::support::data_dir;

fn conversation(symbols: &[&str]) -> Talk {
    let list = symbols.iter().map(|symbol| instrument(symbol, "0.000001", "0.00000001"));
    let mut talk = Talk::about(OKX.conversation((0..).map(InstrumentId).zip(list).collect(), patient()));
    talk.open();
    talk
}

/// What each message makes us say, those that are ignored left out.
fn outcomes(talk: &mut Talk, frames: &[String]) -> Vec<String> {
    let said = frames.iter().map(|frame| words(&talk.hear(frame)).join(", "));
    said.filter(|words| !words.is_empty()).collect()
}

fn lines(name: &str) -> Option<Vec<String>> {
    let text = std::fs::read_to_string(data_dir()?.join("golden").join(name)).unwrap();
    Some(text.lines().map(|line| line.replace("books-l2-tbt", "books")).collect())
}

#[test]
fn crypto_msg_parsers_messages_are_read_or_ignored() {
    let Some(lines) = lines("crypto-msg-parser/okx.jsonl") else { return };
    let raw = |line: &String| {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        line["raw"].as_str().unwrap().to_owned()
    };
    let frames: Vec<_> = lines.iter().map(raw).collect();
    let mut talk = conversation(&["BTC-USDT", "BTC-USDT-SWAP", "BTC-USD-SWAP"]);
    let found = outcomes(&mut talk, &frames);
    // Books that were shortened for the collection keep the sum of the whole ones; other instruments, candles,
    // tickers, books of five levels and REST answers are none of our business.
    let firsts: Vec<_> = found.iter().map(|words| words.split(", ").next().unwrap()).collect();
    let expected = [
        "trade 314161276",
        "trade 219066264",
        "trade 173543957",
        "checksum_mismatch",
        "checksum_mismatch",
        "bbo 0",
        "bbo 0",
        "bbo 0",
    ];
    assert_eq!(firsts, expected);
    assert_eq!(talk.protocol.counts().errors, 0);
}

#[test]
fn tardis_messages_are_read_or_ignored() {
    let Some(lines) = lines("tardis-node/map_okex_swap_messages.jsonl") else { return };
    let mut talk = conversation(&["REN-USDT-SWAP", "WNCG-USDT-SWAP", "SOS-USDT-SWAP", "BTC-USDT-SWAP", "BTC-USDT"]);
    // Of the protocol before v5 nothing; of v5 all but a book's update without its book and funding without its time.
    assert_eq!(outcomes(&mut talk, &lines), ["trade 148266905", "mark", "bbo 0", "bbo 0"]);
    assert_eq!(talk.protocol.counts().errors, 0);
}

#[test]
fn trades_of_2025_are_read() {
    let Some(lines) = lines("gocryptotrader/okx/testdata/wsAllTrades.json") else { return };
    assert_eq!(outcomes(&mut conversation(&["BTC-USDT"]), &lines), ["trade 674510826", "trade 674510827"]);
}

#[test]
fn messages_of_the_documentation_are_read_or_refused() {
    let Some(dir) = data_dir() else { return };
    let dir = dir.join("golden/nautilus/okx");
    let read = |name: &str| std::fs::read_to_string(dir.join(name)).unwrap();
    let mut talk = conversation(&["BTC-USDT", "BTC-USD", "BTC-USDT-SWAP"]);
    let mut hear = |name: &str| words(&talk.hear(read(name))).join(", ");
    assert_eq!(hear("ws_bbo_tbt.json"), "bbo 0");
    // A book shortened by the documentation, with the sum of the whole one.
    assert!(hear("ws_books_snapshot.json").starts_with("checksum_mismatch, gap 123456 123456"));
    assert_eq!(hear("ws_trades.json"), "trade 130639474");
    assert_eq!(hear("ws_funding_rate.json"), "mark");
    for ignored in ["ws_candle.json", "ws_tickers.json"] {
        assert_eq!(hear(ignored), "", "{ignored}");
    }
    // A list is no frame of ours.
    assert!(hear("ws_opt_summary.json").starts_with("protocol_error"));
    // The instrument as it really is: another tick, and contracts.
    assert!(hear("ws_instruments.json").starts_with("rules"));
    let rules = |name: &str| {
        let listed = OKX.read_rules(&[read(name).into_bytes()]).unwrap();
        listed.into_iter().map(|l| (l.symbol, l.rules.map_err(|e| e.to_string()))).collect::<Vec<_>>()
    };
    for (name, symbol) in
        [("http_get_instruments_spot.json", "BTC-USD"), ("http_get_instruments_swap.json", "BTC-USD-SWAP")]
    {
        let listed = rules(name);
        assert_eq!(listed[0].0, symbol);
        assert!(listed.iter().all(|(_, rules)| rules.as_ref().unwrap().status == Status::Trading), "{listed:?}");
    }
    for (name, kind) in
        [("http_get_instruments_futures.json", "FUTURES"), ("http_get_instruments_option.json", "OPTION")]
    {
        let why = format!("instType \"{kind}\": is neither spot nor swap");
        assert!(rules(name).iter().all(|(_, rules)| rules.as_ref().unwrap_err().ends_with(&why)));
    }
}
