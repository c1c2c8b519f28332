//! Single Binance spot messages collected by other projects: each is understood, or ignored on purpose.

use papermaker::wire::binance_spot::{Settings, rest};
use serde_json::Value;

use super::*;

fn conversation(instruments: &[(&str, &str, &str)]) -> Talk {
    let list = instruments.iter().zip(0..).map(|(&(symbol, tick, lot), n)| {
        let id = InstrumentId(n);
        (id, instrument(symbol, tick, lot))
    });
    let mut talk = Talk::about(list.collect(), Settings::default());
    talk.open();
    talk
}

/// First words of what each line makes us say.
fn outcomes(talk: &mut Talk, frames: impl Iterator<Item = String>) -> Vec<String> {
    frames.map(|frame| words(&talk.hear(&frame)).join(", ")).collect()
}

#[test]
fn crypto_msg_parsers_messages_are_read_or_ignored() {
    let Some(dir) = recordings_dir() else { return };
    let text = std::fs::read_to_string(dir.join("golden/crypto-msg-parser/binance.jsonl")).unwrap();
    let frames = text.lines().filter_map(|line| {
        let line: Value = serde_json::from_str(line).unwrap();
        (line["test"] == "spot").then(|| line["raw"].as_str().unwrap().to_owned())
    });
    let mut talk = conversation(&[("BTCUSDT", "0.01", "0.000001"), ("ETHUSDT", "0.01", "0.00001")]);
    // aggTrade, depth, depth20, all bookTickers, ticker, all tickers, kline, a raw partial book.
    let expected = ["trade 640283266", "fetch after 0 ms", "", "bbo 19575390521", "", "", "", ""];
    let found = outcomes(&mut talk, frames);
    assert_eq!(found, expected);
    assert_eq!(talk.protocol.counts().errors, 0);
}

#[test]
fn tardis_messages_are_read_or_ignored() {
    let Some(dir) = recordings_dir() else { return };
    let text = std::fs::read_to_string(dir.join("golden/tardis-node/map_binance_messages.jsonl")).unwrap();
    let mut talk = conversation(&[
        ("BNBBTC", "0.0000001", "0.01"),
        ("BTCUSDT", "0.01", "0.000001"),
        ("BTCUSDC", "0.01", "0.000001"),
        ("GNTBTC", "0.00000001", "1"),
    ]);
    // Written with blanks, so all of this goes through the parser.
    let found = outcomes(&mut talk, text.lines().map(str::to_owned));
    let expected = [
        "trade 40756030",
        "trade 60276726",
        "bbo 1127645101",
        "",
        "",
        "fetch after 0 ms",
        "fetch after 0 ms",
        "",
        "",
        "",
    ];
    // Trade ids jump by twenty million between two samples.
    let found: Vec<_> = found.iter().map(|f| f.trim_start_matches("protocol_error, ").to_owned()).collect();
    assert_eq!(found, expected);
    assert_eq!((talk.protocol.counts().errors, talk.protocol.dialect().parsed_slowly()), (0, 10));
}

#[test]
fn tardis_generated_snapshot_bridges_its_stream() {
    let Some(dir) = recordings_dir() else { return };
    let text = std::fs::read_to_string(dir.join("golden/tardis-node/map_binance_messages.jsonl")).unwrap();
    let mut talk = conversation(&[("GNTBTC", "0.00000001", "1")]);
    let mut found = Vec::new();
    for line in text.lines().filter(|l| l.contains("gntbtc@")) {
        let message: Value = serde_json::from_str(line).unwrap();
        let said = if message["stream"] == "gntbtc@depthSnapshot" {
            talk.fetched(InstrumentId(0), &message["data"].to_string())
        } else {
            talk.hear(line)
        };
        found.extend(words(&said));
    }
    // Differences 407..=413, 414..=418, the state after 417, differences 417..=419.
    let expected = ["fetch after 0 ms", "snapshot 41603417", "delta 41603418", "delta 41603419"];
    assert_eq!(found, expected);
}

#[test]
fn rest_bodies_of_the_documentation_are_read() {
    let Some(dir) = recordings_dir() else { return };
    let read = |name: &str| std::fs::read(dir.join("golden/nautilus/binance/spot/http_json").join(name)).unwrap();
    let book = rest::depth(&read("depth_response.json"), &instrument("BNBBTC", "0.00000001", "0.00000001")).unwrap();
    assert_eq!((book.last, book.bids.len(), book.asks.len()), (1_027_024, 1, 1));
    assert_eq!(book.asks[0].price.0, 400_000_200);
    // This documentation sample leaves the filters out: refused, by name.
    let error = rest::instruments(&read("exchange_info_response.json")).unwrap().remove(0).rules.unwrap_err();
    assert_eq!(error.to_string(), "ETHBTC: tickSize \"\": is missing");
}
