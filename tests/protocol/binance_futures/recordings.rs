//! Real recordings through whole conversations, against a book rebuilt from the same lines without any code of ours.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read};

use flate2::read::MultiGzDecoder;
use papermaker::market::VenueId;
use papermaker::units::{LocalTime, Side};
use papermaker::wire::binance_futures::{BINANCE_COINM, BINANCE_USDM};
use papermaker::wire::dialect::{Dialect, Exchange, News};
use papermaker::wire::symbols::Symbols;
use rust_decimal::Decimal;
use serde_json::Value;

use super::*;
use crate::support::data_dir;

/// Lines of `<receive time> <json>`.
fn read(folder: &str, names: &[&str]) -> Option<Vec<(i64, String)>> {
    let dir = data_dir()?.join(folder);
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

fn usdm() -> Option<Vec<(i64, String)>> {
    read("binance-usdm", &["hftbacktest_usdm_btcusdt_20240808.gz"])
}

fn coinm() -> Option<Vec<(i64, String)>> {
    let files = ["hftbacktest_cm_btcusd_perp_20240808.gz", "hftbacktest_cm_btcusd_perp_20240809.gz"];
    read("binance-coinm", &files)
}

/// A conversation about BTC alone that has heard all of this, line by line: what it said at each.
fn play(market: Market, lines: &[(i64, String)]) -> (support::talk::Talk<Conversation<BinanceFutures>>, Vec<String>) {
    let list = vec![(BTC, btc(market))];
    let mut talk = support::talk::Talk::about(conversation(market, Road::Recorded, list, options()));
    talk.open();
    let mut all = Vec::new();
    for (n, (time, json)) in lines.iter().enumerate() {
        talk.now = LocalTime(*time);
        let is_snapshot = json.starts_with("{\"lastUpdateId\"");
        let said = if is_snapshot { talk.fetched(About::Book(BTC), json) } else { talk.hear(json) };
        all.extend(words(&said).into_iter().map(|word| format!("{n} {word}")));
    }
    (talk, all)
}

fn count(said: &[String], word: &str) -> usize {
    said.iter().filter(|line| line.split(' ').nth(1) == Some(word)).count()
}

/// The book as anyone would rebuild it, and how many differences went into it.
fn rebuilt(lines: &[(i64, String)]) -> ([BTreeMap<Decimal, Decimal>; 2], usize) {
    let messages: Vec<Value> = lines.iter().map(|(_, json)| serde_json::from_str(json).unwrap()).collect();
    let snapshot = messages.iter().find(|m| m["lastUpdateId"].is_u64()).expect("a snapshot");
    let mut sides = [BTreeMap::new(), BTreeMap::new()];
    let mut set = |side: usize, levels: &Value| {
        for level in levels.as_array().unwrap() {
            let number = |n: usize| level[n].as_str().unwrap().parse::<Decimal>().unwrap();
            if number(1).is_zero() {
                sides[side].remove(&number(0));
            } else {
                sides[side].insert(number(0), number(1));
            }
        }
    };
    set(0, &snapshot["bids"]);
    set(1, &snapshot["asks"]);
    let state = snapshot["lastUpdateId"].as_u64().unwrap();
    let (mut last, mut applied) = (None, 0);
    for data in messages.iter().map(|m| &m["data"]).filter(|d| d["e"] == "depthUpdate") {
        let number = |key: &str| data[key].as_u64().unwrap();
        if number("u") <= state {
            continue;
        }
        match last {
            None => assert!(number("pu") <= state, "the first difference meets the snapshot"),
            Some(last) => assert_eq!(number("pu"), last, "the recording's chain is whole"),
        }
        set(0, &data["b"]);
        set(1, &data["a"]);
        (last, applied) = (Some(number("u")), applied + 1);
    }
    (sides, applied)
}

#[test]
fn recordings_of_both_markets_give_an_unbroken_book_and_every_trade() {
    for (market, lines) in [(Market::Usdm, usdm()), (Market::Coinm, coinm())] {
        let Some(lines) = lines else { return };
        let (talk, said) = play(market, &lines);
        for bad in ["gap", "resync", "protocol_error", "reconnect", "stale", "no_data"] {
            assert_eq!(count(&said, bad), 0, "{market:?} {bad}");
        }
        let (sides, applied) = rebuilt(&lines);
        assert_eq!((count(&said, "snapshot"), count(&said, "live"), count(&said, "delta")), (1, 1, applied));
        let trades = lines.iter().filter(|(_, json)| json.contains("\"e\":\"trade\"")).count();
        assert_eq!(count(&said, "trade"), trades);
        let counts = talk.protocol.counts();
        assert_eq!((counts.frames, counts.missed_trades, counts.duplicate_trades), (lines.len() as u64 - 1, 0, 0));
        // The scanner read all of it.
        assert_eq!(talk.protocol.dialect().parsed_slowly(), 0);

        let (rules, book) = (btc(market), talk.book(BTC).expect("it is in step"));
        for (side, expected) in [(Side::Bid, &sides[0]), (Side::Ask, &sides[1])] {
            let decimals = |l: papermaker::market::Level| {
                (rules.tick.value(l.price.0), rules.lot.value(l.qty.0) / rules.contract.unit.size())
            };
            let ours: Vec<_> = book.levels(side).take(20).map(decimals).collect();
            let best = |(price, qty): (&Decimal, &Decimal)| (*price, *qty);
            let theirs: Vec<_> = match side {
                Side::Bid => expected.iter().rev().take(20).map(best).collect(),
                Side::Ask => expected.iter().take(20).map(best).collect(),
            };
            assert_eq!(ours, theirs, "{market:?}");
            assert_eq!(book.depth(side), expected.len());
        }
    }
}

#[test]
fn one_lost_frame_is_noticed_at_the_next_one_and_the_book_is_not_believed() {
    for (market, lines) in [(Market::Usdm, usdm()), (Market::Coinm, coinm())] {
        let Some(mut lines) = lines else { return };
        lines.truncate(20_000);
        let is_depth = |n: &usize| lines[*n].1.contains("depthUpdate");
        let lost = (10_000..).find(is_depth).unwrap();
        let next = (lost + 1..).find(is_depth).unwrap() - 1;
        lines.remove(lost);
        let (talk, said) = play(market, &lines);
        let gap = said.iter().position(|w| w.contains(" gap ")).expect("the hole is noticed");
        assert!(said[gap].starts_with(&format!("{next} gap ")), "{market:?}: {} is not line {next}", said[gap]);
        assert_eq!(said[gap + 1..gap + 3], [format!("{next} resync"), format!("{next} fetch after 0 ms")]);
        assert!(talk.book(BTC).is_none());
        let after = &said[gap + 3..];
        assert_eq!((count(after, "delta"), count(after, "live")), (0, 0));
        assert!(count(after, "trade") > 0 && count(after, "bbo") > 0);
    }
}

/// Rules, snapshots by symbol, and frames of cryptofeed's recorder.
fn cryptofeed(venue: VenueId) -> Option<(Symbols, Vec<String>)> {
    let (path, exchange): (_, &dyn Exchange) = match venue {
        VenueId::BinanceUsdm => ("binance-usdm/cryptofeed-v3_BINANCE_FUTURES.jsonl.zst", &BINANCE_USDM),
        _ => ("binance-coinm/cryptofeed-v3_BINANCE_DELIVERY.jsonl.zst", &BINANCE_COINM),
    };
    let file = std::fs::File::open(data_dir()?.join(path)).expect("the recording exists");
    let reader = zstd::stream::read::Decoder::new(file).expect("zstd");
    let (mut frames, mut listed, mut symbols) = (Vec::new(), Vec::new(), Vec::new());
    for line in BufReader::new(reader).lines() {
        let line: Value = serde_json::from_str(&line.expect("text")).expect("JSON");
        let data = line["data"].as_str().unwrap_or_default();
        match (line["t"].as_str(), line["url"].as_str()) {
            (Some("http"), Some(url)) if url.ends_with("/exchangeInfo") => {
                listed = exchange.read_rules(&[data.as_bytes().to_vec()]).expect("rules");
            }
            (Some("http"), Some(url)) => symbols.extend(url.split(['=', '&']).nth(1).map(str::to_owned)),
            (Some("recv"), _) => frames.push(data.to_owned()),
            _ => {}
        }
    }
    let rules = |symbol: &String| listed.iter().find(|l| l.symbol == *symbol).unwrap().rules.clone().unwrap();
    Some((Symbols::new((0..).map(InstrumentId).zip(symbols.iter().map(rules)).collect()), frames))
}

#[test]
fn recordings_of_many_symbols_are_read_by_the_rules_recorded_with_them_in_both_ways() {
    // Differences, prints, best prices and klines; the parser is for the klines only.
    for (market, symbols, expected) in
        [(Market::Usdm, 4, [764, 91, 613, 67]), (Market::Coinm, 10, [2_047, 51, 2_240, 33])]
    {
        let Some((list, frames)) = cryptofeed(market.venue()) else { return };
        assert_eq!(list.len(), symbols);
        let mut dialect = BinanceFutures::new(market, Road::Recorded, 1_000);
        let mut found = [0; 4];
        for frame in &frames {
            let (mut fast, mut slow) = (Vec::new(), Vec::new());
            let before = dialect.parsed_slowly();
            dialect.read(frame.as_bytes(), &list, LocalTime(0), &mut fast).expect("it is understood");
            let is_fast = dialect.parsed_slowly() == before;
            // A blank is nothing to a parser, and too much for the scanner.
            dialect.read(format!(" {frame}").as_bytes(), &list, LocalTime(0), &mut slow).expect("it is understood");
            assert_eq!(fast, slow, "{frame}");
            let kind = match &fast[..] {
                [News::Change { .. }] => 0,
                [News::Trade { .. }] => 1,
                [News::Bbo { .. }] => 2,
                [News::Ignored] => 3,
                other => panic!("{frame} says {other:?}"),
            };
            assert_eq!(is_fast, kind < 3, "{frame}");
            found[kind] += 1;
        }
        assert_eq!(found, expected);
    }
}
