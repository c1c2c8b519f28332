//! Single messages collected by other projects: each is understood, ignored on purpose, or refused with its reason.

use super::*;
use crate::support::data_dir;

fn conversation(exchange: &'static Bybit, symbols: &[&str]) -> Talk {
    let list = symbols.iter().map(|symbol| instrument(exchange, symbol, "0.01", "0.000001"));
    let mut talk = Talk::about(
        exchange.conversation((0..).map(InstrumentId).zip(list).collect(), Options { depth: 50, ..patient() }),
    );
    talk.open();
    talk
}

/// What each message makes us say, those that are ignored left out.
fn outcomes(talk: &mut Talk, frames: impl Iterator<Item = String>) -> Vec<String> {
    let said = frames.map(|frame| words(&talk.hear(frame)).join(", "));
    said.filter(|words| !words.is_empty()).collect()
}

fn lines(name: &str) -> Option<Vec<String>> {
    let text = std::fs::read_to_string(data_dir()?.join("golden").join(name)).unwrap();
    Some(text.lines().map(str::to_owned).collect())
}

#[test]
fn tardis_linear_messages_are_read_ignored_or_refused() {
    let Some(lines) = lines("tardis-node/map_bybit_messages.jsonl") else { return };
    let all = lines.len() as u64;
    let mut talk = conversation(&LINEAR, &["BTCUSDT", "BTCPERP", "LTCUSDT"]);
    let found = outcomes(&mut talk, lines.into_iter());
    // Before March 2025 the best price came in deltas too; today it does not, and so it is refused.
    let expected = [
        "",
        "bbo 50193540681",
        "protocol_error",
        "snapshot 10916156551",
        "delta 10916156553",
        "mark",
        "protocol_error",
    ];
    assert_eq!(found[1..], expected[1..], "{found:#?}");
    assert!(found[0].starts_with("trade "));
    let counts = talk.protocol.counts();
    // The rest is of another instrument, channel or decade.
    assert_eq!((counts.frames, counts.errors), (all, 2));
}

#[test]
fn tardis_spot_messages_are_read_ignored_or_refused() {
    let Some(lines) = lines("tardis-node/map_bybit_spot_messages.jsonl") else { return };
    let mut talk = conversation(&SPOT, &["BTCUSDT", "BTCUSDC"]);
    let found = outcomes(&mut talk, lines.into_iter());
    let expected = [
        "trade 2290000000050703789, trade 2290000000050703790, trade 2290000000050703791, trade 2290000000050703792",
        "trade 2240000000041223438",
        "bbo 4281281856",
        "protocol_error",
        "snapshot 4281282229, live",
        "delta 4281282232",
    ];
    assert_eq!(found, expected);
}

#[test]
fn messages_of_the_protocols_before_v5_are_ignored() {
    let Some(lines) = lines("crypto-msg-parser/bybit.jsonl") else { return };
    let mut talk = conversation(&LINEAR, &["BTCUSDT"]);
    let raw = |line: &String| {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        line["raw"].as_str().unwrap().to_owned()
    };
    let frames: Vec<_> = lines.iter().map(raw).collect();
    assert_eq!(outcomes(&mut talk, frames.iter().cloned()), [""; 0]);
    assert_eq!(talk.protocol.counts().ignored, frames.len() as u64);
}

#[test]
fn messages_of_the_documentation_are_read_or_refused() {
    let Some(dir) = data_dir() else { return };
    let dir = dir.join("golden/nautilus/bybit");
    let read = |name: &str| std::fs::read_to_string(dir.join(name)).unwrap();
    let mut talk = conversation(&LINEAR, &["BTCUSDT"]);
    let mut hear = |name: &str| words(&talk.hear(read(name))).join(", ");
    assert_eq!(hear("ws_orderbook_snapshot.json"), "bbo 987654321");
    assert_eq!(hear("ws_orderbook_delta.json"), "protocol_error");
    assert_eq!(hear("ws_ticker_linear.json"), "mark");
    // A topic of the time before v5, candles, options.
    for ignored in ["ws_public_trade.json", "ws_kline.json", "ws_ticker_option.json", "ws_subscription_ack.json"] {
        assert_eq!(hear(ignored), "", "{ignored}");
    }
    // It names an instrument that is not ours, so it concerns the connection.
    assert_eq!(hear("ws_subscription_failure.json"), "refused");
    let rules = |exchange: &Bybit, name: &str| {
        let listed = exchange.read_rules(&[read(name).into_bytes()]).unwrap();
        listed.into_iter().map(|l| (l.symbol, l.rules.map_err(|e| e.to_string()))).collect::<Vec<_>>()
    };
    let spot = rules(&SPOT, "http_get_instruments_spot.json");
    let btc = spot[0].1.as_ref().unwrap();
    assert_eq!(
        (btc.tick.to_string(), btc.lot.to_string(), btc.min_notional.to_string()),
        ("0.1".into(), "0.0001".into(), "10".into())
    );
    let linear = rules(&LINEAR, "http_get_instruments_linear.json");
    assert_eq!(linear.iter().map(|(symbol, _)| symbol.as_str()).collect::<Vec<_>>(), ["BTCUSDT", "ETHUSDT"]);
    assert!(linear.iter().all(|(_, rules)| rules.as_ref().unwrap().status == Status::Trading));
    let inverse = rules(&LINEAR, "http_get_instruments_inverse.json");
    assert_eq!(
        inverse[0].1.clone().unwrap_err(),
        "BTCUSD: contractType \"InversePerpetual\": is not a perpetual contract"
    );
}
