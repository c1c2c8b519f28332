//! Twenty seconds of BTC in January 2025, before books were sent fast: 20 levels, and 46 of them.

use std::io::Read;

use flate2::read::MultiGzDecoder;
use papermaker::units::Side;
use serde_json::Value;

use super::*;
use crate::support::data_dir;

/// Time of receipt and text.
fn frames() -> Option<Vec<(i64, String)>> {
    let path = data_dir()?.join("hyperliquid/hftbacktest_hyperliquid_btcusd_20250126.gz");
    let mut text = String::new();
    let file = std::fs::File::open(path).expect("the recording exists");
    MultiGzDecoder::new(file).read_to_string(&mut text).expect("text");
    let line = |line: &str| {
        let (at, frame) = line.split_once(' ').expect("a time and a message");
        (at.parse().expect("nanoseconds"), frame.to_owned())
    };
    Some(text.lines().map(line).collect())
}

/// Hears all of these and says what was said.
fn hear<'a>(frames: impl Iterator<Item = &'a (i64, String)>) -> (Talk<Conversation<Words>>, Vec<Said>) {
    let (mut talk, mut said) = (talk(), Vec::new());
    for (at, frame) in frames {
        talk.now = LocalTime(*at);
        said.extend(talk.hear(frame));
    }
    (talk, said)
}

#[test]
fn everything_recorded_is_understood_and_the_book_is_the_last_one() {
    let Some(frames) = frames() else { return };
    let (talk, said) = hear(frames.iter());
    let said = words(&said);
    let count = |what: &str| said.iter().filter(|word| word.starts_with(what)).count();
    let counts = talk.protocol.counts();
    assert_eq!((counts.frames, counts.errors), (55, 0));
    // The first book came twice.
    assert_eq!((count("snapshot"), counts.duplicates, count("gap")), (45, 1, 0));
    let last: Value =
        frames.iter().rev().find(|(_, f)| f.contains("l2Book")).map(|(_, f)| serde_json::from_str(f).unwrap()).unwrap();
    let book = talk.book(BTC).unwrap();
    for (side, n) in [(Side::Bid, 0), (Side::Ask, 1)] {
        let rules = &list()[BTC.index()].1;
        let levels = last["data"]["levels"][n].as_array().unwrap();
        assert_eq!(levels.len(), 20);
        for (ours, theirs) in book.levels(side).zip(levels) {
            let is = |ours: String, theirs: &Value| {
                let number = |text: &str| text.parse::<rust_decimal::Decimal>().unwrap();
                assert_eq!(number(&ours), number(theirs.as_str().unwrap()));
            };
            is(rules.price_text(ours.price), &theirs["px"]);
            is(rules.qty_text(ours.qty), &theirs["sz"]);
        }
    }
}

#[test]
fn the_first_batch_of_trades_is_of_the_past() {
    let Some(frames) = frames() else { return };
    let first = |word: &str| -> Value {
        let (_, frame) = frames.iter().find(|(_, f)| f.contains(word)).expect("it was recorded");
        serde_json::from_str(frame).unwrap()
    };
    let since = first("l2Book")["data"]["time"].as_u64().unwrap();
    let batch = first("trades")["data"].as_array().unwrap().clone();
    assert!(batch.len() > 10 && batch.iter().all(|print| print["time"].as_u64().unwrap() < since));
    let (talk, said) = hear(frames.iter());
    let prints = words(&said).iter().filter(|word| word.starts_with("trade ")).count();
    let total: usize = frames
        .iter()
        .filter(|(_, f)| f.contains("\"trades\""))
        .map(|(_, f)| serde_json::from_str::<Value>(f).unwrap()["data"].as_array().unwrap().len())
        .sum();
    assert_eq!(prints, total - batch.len());
    assert_eq!(talk.protocol.counts().duplicate_trades, 0);
}

#[test]
fn without_any_one_book_the_next_one_is_right_all_the_same() {
    let Some(frames) = frames() else { return };
    let (whole, _) = hear(frames.iter());
    for missing in 1..frames.len() - 12 {
        let (talk, said) = hear(frames.iter().enumerate().filter(|(n, _)| *n != missing).map(|(_, frame)| frame));
        assert!(!words(&said).iter().any(|word| word.starts_with("gap")));
        assert_eq!(talk.book(BTC), whole.book(BTC), "without {missing}");
    }
}
