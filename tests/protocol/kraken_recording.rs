//! Thirty seconds of ten real Kraken books, said in v1 and put into the words of v2: every checksum in them is the
//! venue's own.

use std::collections::BTreeMap;

use papermaker::market::{Instrument, InstrumentId, MarketEventKind, VenueId};
use papermaker::units::Step;
use papermaker::wire::Said;
use papermaker::wire::conversation::Conversation;
use papermaker::wire::dialect::Options;
use papermaker::wire::kraken::{KRAKEN, SpotV2};
use serde_json::Value;

use crate::support::captures::{Capture, kraken::to_v2};
use crate::support::talk::{self, words};

type Talk = talk::Talk<Conversation<SpotV2>>;

/// The frames of the socket with the books, in v2.
fn books() -> Option<Vec<String>> {
    let capture = Capture::open("kraken-spot/cryptofeed-v3_KRAKEN.jsonl.zst")?;
    let frames = capture.received().filter(|(_, _, text)| text.contains("\"book-1000\""));
    // Acknowledgements name the channel too, and have no counterpart.
    Some(frames.filter_map(|(_, _, text)| to_v2(text)).collect())
}

/// Ten pairs in the precision of what was recorded of them.
fn talk_of(frames: &[String]) -> Talk {
    let mut list = Vec::new();
    for frame in frames.iter().filter(|f| f.contains("\"snapshot\"")) {
        let symbol = text_after(frame, "\"symbol\":\"", '"');
        let decimals =
            |key| text_after(frame, key, if key == "\"price\":" { ',' } else { '}' }).split_once('.').unwrap().1.len();
        let step = |key| Step::parse(&format!("0.{:0>1$}", 1, decimals(key))).unwrap();
        let (base, quote) = symbol.split_once('/').unwrap();
        let id = InstrumentId(u16::try_from(list.len()).unwrap());
        let rules =
            Instrument::new(VenueId::Kraken, symbol, base, quote, step("\"price\":"), step("\"qty\":")).unwrap();
        list.push((id, rules));
    }
    assert_eq!(list.len(), 10);
    let options = Options { depth: 1_000, ..Options::default() };
    let mut talk = Talk::about(Conversation::new(SpotV2::new(1_000), list, options, &KRAKEN));
    talk.open();
    talk
}

fn text_after<'a>(frame: &'a str, key: &str, end: char) -> &'a str {
    frame.split_once(key).unwrap().1.split(end).next().unwrap()
}

#[test]
fn every_checksum_of_the_recording_comes_out() {
    let Some(frames) = books() else { return };
    let mut talk = talk_of(&frames);
    let mut sums = 0;
    for frame in &frames {
        let said = talk.hear(frame);
        let first = if frame.contains("\"snapshot\"") { "snapshot 0" } else { "delta 0" };
        assert_eq!(words(&said)[0], first, "{frame}");
        sums += frame.matches("\"checksum\"").count();
    }
    assert_eq!((sums, talk.protocol.dialect().parsed_slowly()), (4_269, 0));
    for id in 0..10 {
        let book = talk.book(InstrumentId(id)).expect("every book stayed in step");
        assert!(!book.is_crossed());
    }
}

#[test]
fn the_parser_reads_the_recording_as_the_scanner_does() {
    let Some(frames) = books() else { return };
    let (mut fast, mut slow) = (talk_of(&frames), talk_of(&frames));
    for frame in &frames {
        // A blank is all it takes.
        assert_eq!(fast.hear(frame), slow.hear(frame.replacen('{', "{ ", 1)), "{frame}");
    }
    assert_eq!(slow.protocol.dialect().parsed_slowly(), frames.len() as u64);
}

#[test]
fn a_change_that_is_lost_shows_at_the_next_one_of_its_pair() {
    let Some(frames) = books() else { return };
    let mut lost = 0;
    for gone in losses(&frames).into_iter().step_by(97) {
        let symbol = text_after(&frames[gone], "\"symbol\":\"", '"');
        let mut talk = talk_of(&frames);
        let concerns = |said: &Said| match said {
            Said::Market(event) => matches!(event.kind, MarketEventKind::Gap { .. }),
            _ => false,
        };
        let noticed =
            frames.iter().enumerate().filter(|(n, _)| *n != gone).find(|(_, f)| talk.hear(f).iter().any(concerns));
        let next = (gone + 1..frames.len()).find(|&n| text_after(&frames[n], "\"symbol\":\"", '"') == symbol);
        assert_eq!(noticed.map(|(n, _)| n), next, "{}", frames[gone]);
        lost += 1;
    }
    assert!(lost > 10, "{lost}");
}

/// Changes of the ten best levels that the next change of the same pair does not make up for: of another price, and the
/// sum is another one.
fn losses(frames: &[String]) -> Vec<usize> {
    let mut last: BTreeMap<&str, (usize, u64, Vec<String>)> = BTreeMap::new();
    let mut found = Vec::new();
    for (n, frame) in frames.iter().enumerate().filter(|(_, f)| f.contains("\"checksum\"")) {
        let symbol = text_after(frame, "\"symbol\":\"", '"');
        let part: Value = serde_json::from_str::<Value>(frame).unwrap()["data"][0].take();
        let sum = part["checksum"].as_u64().unwrap();
        let levels = ["bids", "asks"].into_iter().flat_map(|side| part[side].as_array().unwrap());
        let prices: Vec<_> = levels.map(|l| l["price"].to_string()).collect();
        if let Some((before, known, touched)) = last.get(symbol) {
            // `known` is the sum with the change before; with it gone, only luck would make this one's.
            let disjoint = prices.iter().all(|p| !touched.contains(p));
            if disjoint && found.last() != Some(before) && changes_the_sum(*before, *known, symbol, frames) {
                found.push(*before);
            }
        }
        last.insert(symbol, (n, sum, prices));
    }
    found
}

/// Whether the sum before this change was another.
fn changes_the_sum(n: usize, sum: u64, symbol: &str, frames: &[String]) -> bool {
    let of_pair = |f: &&String| text_after(f, "\"symbol\":\"", '"') == symbol && f.contains("\"checksum\"");
    frames[..n].iter().rev().find(of_pair).is_some_and(|f| text_after(f, "\"checksum\":", ',') != sum.to_string())
}
