//! Real connections of August 2026 and June 2025, frame by frame.

use super::*;
use crate::support::captures::Capture;
use crate::support::captures::rebuilt::Rebuilt;

const V5: &str = "bybit/cryptofeed-v3_BYBIT_BTC-DOGE.jsonl.zst";

/// The rules of these symbols as the venue gave them that day.
fn rules(capture: &Capture, exchange: &'static Bybit, symbols: &[&str]) -> Vec<(InstrumentId, Instrument)> {
    let category = if exchange.id() == VenueId::BybitSpot { "category=spot" } else { "category=linear" };
    let body = capture.http().find(|(url, _)| url.contains(category)).expect("the rules were asked for").1;
    let listed = exchange.read_rules(&[body.as_bytes().to_vec()]).unwrap();
    let ours = listed.into_iter().filter(|l| symbols.contains(&l.symbol.as_str())).map(|l| l.rules.unwrap());
    (0..).map(InstrumentId).zip(ours).collect()
}

/// The books of one connection after all of it, or without one frame of it. Says what was heard, word by word.
fn play(
    exchange: &'static Bybit,
    connection: &str,
    symbols: &[&str],
    left_out: Option<usize>,
) -> Option<(Talk, Vec<String>)> {
    let capture = Capture::open(V5)?;
    let list = rules(&capture, exchange, symbols);
    assert_eq!(list.len(), symbols.len());
    let mut talk = Talk::about(exchange.conversation(list, Options { depth: 200, ..patient() }));
    let mut heard = words(&talk.open());
    let frames = capture.on(connection);
    for (n, (_, _, text)) in frames.received().enumerate() {
        if Some(n) != left_out {
            heard.extend(words(&talk.hear(text)));
        }
    }
    Some((talk, heard))
}

fn count(heard: &[String], beginning: &str) -> usize {
    heard.iter().filter(|word| word.starts_with(beginning)).count()
}

#[test]
fn a_linear_connection_is_heard_without_a_gap_and_ends_in_the_book_rebuilt_independently() {
    let Some((talk, heard)) = play(&LINEAR, "BYBIT.ws.2", &["BTCUSDT", "DOGEUSDT"], None) else { return };
    // 413 and 379 changes; 56 and 83 prints.
    assert_eq!((count(&heard, "snapshot"), count(&heard, "delta"), count(&heard, "gap")), (2, 792, 0));
    assert_eq!((count(&heard, "trade"), talk.protocol.counts().errors), (139, 0));
    assert!(count(&heard, "mark") > 0);
    let capture = Capture::open(V5).unwrap().on("BYBIT.ws.2");
    let mut truth = Rebuilt::new(VenueId::BybitLinear, 200);
    capture.received().for_each(|(_, _, text)| truth.hear(text));
    for (id, symbol, tick, lot) in [(BTC, "BTCUSDT", "0.1", "0.001"), (ETH, "DOGEUSDT", "0.00001", "1")] {
        let (tick, lot) = (Step::parse(tick).unwrap(), Step::parse(lot).unwrap());
        let side = |side| {
            let levels = talk.book(id).unwrap().levels(side);
            levels.map(|l| (tick.value(l.price.0).normalize(), lot.value(l.qty.0).normalize())).collect::<Vec<_>>()
        };
        let (bids, asks) = truth.top(symbol, 200).unwrap();
        assert_eq!((side(Side::Bid), side(Side::Ask)), (bids, asks), "{symbol}");
    }
}

#[test]
fn a_spot_connection_is_heard_without_a_gap() {
    let Some((talk, heard)) = play(&SPOT, "BYBIT.ws.3", &["BTCUSDT"], None) else { return };
    assert_eq!((count(&heard, "snapshot"), count(&heard, "delta"), count(&heard, "gap")), (1, 299, 0));
    // Spot tickers are none of our business.
    assert_eq!((count(&heard, "trade"), count(&heard, "mark"), talk.protocol.counts().errors), (11, 0, 0));
}

#[test]
fn one_frame_left_out_is_noticed_at_the_next_one_of_its_book() {
    let Some(capture) = Capture::open(V5) else { return };
    let frames = capture.on("BYBIT.ws.2");
    let is_change = |text: &str| text.contains("\"orderbook.200.BTCUSDT\"") && text.contains("\"delta\"");
    let changes: Vec<_> =
        frames.received().enumerate().filter(|(_, (_, _, text))| is_change(text)).map(|(n, _)| n).collect();
    let update = |n: usize| {
        let text = frames.received().nth(n).unwrap().2;
        text.split("\"u\":").nth(1).unwrap().split(',').next().unwrap().parse::<u64>().unwrap()
    };
    for nth in [0, 7, 200, 411] {
        let (_, heard) = play(&LINEAR, "BYBIT.ws.2", &["BTCUSDT", "DOGEUSDT"], Some(changes[nth])).unwrap();
        let expected = format!("gap {} {}", update(changes[nth]), update(changes[nth + 1]));
        assert_eq!(heard.iter().filter(|w| w.starts_with("gap")).collect::<Vec<_>>(), [&expected]);
    }
}

#[test]
fn best_prices_of_ten_quiet_markets_repeat_without_an_error() {
    for (file, exchange, symbols, quotes) in [
        (
            "bybit/cryptofeed-history_BYBIT.ws.1.0__cfcfe682.txt.gz",
            &LINEAR,
            &["BANDUSDT", "RADUSDT", "SNTUSDT", "AIOZUSDT"][..],
            198,
        ),
        (
            "bybit/cryptofeed-history_BYBIT.ws.2.0__0f79187c.txt.gz",
            &SPOT,
            &["OPUSDC", "TUSDUSDT", "KCSUSDT", "CPOOLUSDT", "ARBUSDC", "MASAUSDT"][..],
            139,
        ),
    ] {
        let Some(capture) = Capture::open(file) else { return };
        let list = symbols.iter().map(|symbol| instrument(exchange, symbol, "0.00001", "0.01"));
        let mut talk = Talk::about(exchange.conversation((0..).map(InstrumentId).zip(list).collect(), patient()));
        talk.open();
        let heard: Vec<_> = capture.received().flat_map(|(_, _, text)| words(&talk.hear(text))).collect();
        assert_eq!((count(&heard, "bbo"), heard.len()), (quotes, quotes));
        assert_eq!((talk.protocol.counts().errors, talk.protocol.counts().duplicates), (0, 0));
    }
}
