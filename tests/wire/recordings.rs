//! Real recordings, against a reconstruction that shares nothing with ours: `serde_json`, decimals, a `BTreeMap`.

use std::collections::BTreeMap;
use std::io::Read;

use flate2::read::MultiGzDecoder;
use papermaker::market::{Level, MarketEventKind};
use papermaker::units::Side;
use papermaker::wire::binance_spot::Settings;
use rust_decimal::Decimal;
use serde_json::Value;

use super::*;

/// Lines of `<receive time> <json>`.
fn read(names: &[&str]) -> Option<Vec<(i64, String)>> {
    let dir = recordings_dir()?.join("binance-spot");
    let mut lines = Vec::new();
    for name in names {
        let mut text = String::new();
        let file = std::fs::File::open(dir.join(name)).expect("the recording exists");
        MultiGzDecoder::new(file).read_to_string(&mut text).expect("it is gzip of text");
        lines.extend(text.lines().map(|line| {
            let (time, json) = line.split_once(' ').expect("a time and a message");
            (time.parse().expect("an integer time"), json.to_owned())
        }));
    }
    Some(lines)
}

/// Everything the protocol says when a recording is put before it in order.
fn play(lines: &[(i64, String)], talk: &mut Talk) -> Vec<Said> {
    let mut said = Vec::new();
    for (time, json) in lines {
        talk.now = LocalTime(*time);
        said.extend(if json.starts_with("{\"lastUpdateId\"") { talk.fetched(BTC, json) } else { talk.hear(json) });
    }
    said
}

fn decimal(value: &Value) -> Decimal {
    value.as_str().unwrap().parse().unwrap()
}

/// The book as anyone would rebuild it: snapshot, then every later message.
fn rebuilt(lines: &[(i64, String)]) -> [BTreeMap<Decimal, Decimal>; 2] {
    let mut sides = [BTreeMap::new(), BTreeMap::new()];
    let mut set = |side: usize, levels: &Value| {
        for l in levels.as_array().unwrap() {
            let (price, qty) = (decimal(&l[0]), decimal(&l[1]));
            if qty.is_zero() {
                sides[side].remove(&price)
            } else {
                sides[side].insert(price, qty)
            };
        }
    };
    let messages: Vec<Value> = lines.iter().map(|(_, json)| serde_json::from_str(json).unwrap()).collect();
    let snapshot = messages.iter().find(|m| m["lastUpdateId"].is_u64()).expect("a snapshot");
    set(0, &snapshot["bids"]);
    set(1, &snapshot["asks"]);
    let mut last = snapshot["lastUpdateId"].as_u64().unwrap();
    for data in messages.iter().map(|m| &m["data"]).filter(|d| d["e"] == "depthUpdate") {
        let (first, to) = (data["U"].as_u64().unwrap(), data["u"].as_u64().unwrap());
        if to > last {
            assert!(first <= last + 1, "the recording's chain is whole");
            set(0, &data["b"]);
            set(1, &data["a"]);
            last = to;
        }
    }
    sides
}

#[test]
fn the_august_recording_gives_an_unbroken_book_and_every_trade() {
    let files = ["hftbacktest_spot_btcusdt_20240808.gz", "hftbacktest_spot_btcusdt_20240809.gz"];
    let Some(lines) = read(&files) else { return };
    let mut talk = Talk::with(Settings::default());
    let said = play(&lines, &mut talk);

    let count = |word: &str| words(&said).iter().filter(|w| w.split(' ').next() == Some(word)).count();
    for bad in ["gap", "resync", "protocol_error", "reconnect", "stale"] {
        assert_eq!(count(bad), 0, "{bad}");
    }
    assert_eq!((count("snapshot"), count("live")), (1, 1));
    let sync = talk.protocol.sync_counts(BTC).unwrap();
    assert_eq!((sync.gaps, sync.duplicates, sync.fetches), (0, 0, 1));
    // The scanner read all frames but seven: those have old orders with quantities finer than the lot.
    assert_eq!((talk.protocol.counts().frames, talk.protocol.dialect().parsed_slowly()), (lines.len() as u64 - 1, 7));

    let btc = instrument("BTCUSDT", "0.01", "0.00001");
    let expected = rebuilt(&lines);
    let book = talk.book().unwrap();
    let decimals = |l: Level| (btc.tick.value(l.price.0), btc.lot.value(l.qty.0));
    for side in Side::BOTH {
        let ours: Vec<_> = book.levels(side).take(20).map(decimals).collect();
        let theirs: Vec<_> = match side {
            Side::Bid => expected[0].iter().rev().take(20).map(|(&p, &q)| (p, q)).collect(),
            Side::Ask => expected[1].iter().take(20).map(|(&p, &q)| (p, q)).collect(),
        };
        assert_eq!(ours, theirs);
        assert_eq!(book.depth(side), expected[side as usize].len());
    }
    assert!(!book.is_crossed());

    let ours: Vec<_> = said
        .iter()
        .filter_map(|s| match s {
            Said::Market(event) => match event.kind {
                MarketEventKind::Trade { id, taker, price, qty, .. } => Some((
                    id,
                    event.venue_time.unwrap().0,
                    taker == Side::Ask,
                    btc.tick.value(price.0),
                    btc.lot.value(qty.0),
                )),
                _ => None,
            },
            _ => None,
        })
        .collect();
    let theirs: Vec<_> = lines
        .iter()
        .map(|(_, json)| serde_json::from_str::<Value>(json).unwrap())
        .map(|m| m["data"].clone())
        .filter(|d| d["e"] == "trade")
        .map(|d| {
            let time = d["T"].as_i64().unwrap() * 1_000_000;
            (d["t"].as_u64().unwrap(), time, d["m"].as_bool().unwrap(), decimal(&d["p"]), decimal(&d["q"]))
        })
        .collect();
    assert!(theirs.len() > 10_000);
    assert_eq!(ours, theirs);
}

#[test]
fn the_august_recording_with_one_frame_lost_is_healed_by_a_later_snapshot_only() {
    let Some(mut lines) = read(&["hftbacktest_spot_btcusdt_20240808.gz"]) else { return };
    lines.truncate(6_000);
    let lost = (3_000..).find(|&n| lines[n].1.contains("depthUpdate")).unwrap();
    lines.remove(lost);
    let mut talk = Talk::with(Settings::default());
    let said = words(&play(&lines, &mut talk));
    let gap = said.iter().position(|w| w.starts_with("gap")).expect("the hole is noticed");
    assert_eq!(said[gap + 1..gap + 3], ["resync", "fetch after 0 ms"]);
    assert!(said[gap..].iter().all(|w| !w.starts_with("delta")));
    assert!(said[gap..].iter().any(|w| w.starts_with("trade")) && said[gap..].iter().any(|w| w.starts_with("bbo")));
}

#[test]
fn a_recording_without_a_snapshot_never_has_a_book() {
    let Some(lines) = read(&["hftbacktest-history_spot_btcusdt_20230405.dat.gz"]) else { return };
    let mut talk = Talk::with(Settings::default());
    let said = words(&play(&lines, &mut talk));
    assert!(talk.book().is_none());
    assert!(said.iter().all(|w| !w.starts_with("snapshot") && !w.starts_with("delta") && w != "live"));
    assert!(said.iter().any(|w| w.starts_with("trade")) && said.iter().any(|w| w.starts_with("bbo")));
    assert_eq!(talk.protocol.counts().errors, 0);
}
