//! Bitstamp's log of 2015, made by hand and the real one, against an independent reading.

use std::collections::BTreeMap;
use std::io::Read;

use flate2::read::MultiGzDecoder;
use papermaker::engine::Input;
use papermaker::journal::import::Format::Bitstamp;
use papermaker::market::{Book, Level, MarketEventKind, PrintFlags, VenueId};
use papermaker::units::Side;
use rust_decimal::Decimal;
use serde_json::Value;

use super::imports::{data, play};
use super::story::{Files, asked, gz, story};

const LOG: &str = r#"1430438404518 order_created {"price": "101.00", "amount": "2.00000000", "datetime": "1430438404", "id": 5, "order_type": 0}
1430438404520 trade {"price": 101.0, "amount": 0.5, "id": 1}
1430438404530 order_book {"bids": [["100.00", "2.00000000"], ["99.50", "1.00000000"]], "asks": [["101.00", "1.50000000"]]}
1430438404540 trade {"price": 100.99999999999999, "amount": 1.2000000000000002, "id": 2}
1430438404541 trade {"price": 99.9, "amount": 0.1, "id": 3}
1430438404542 trade {"price": 100.5, "amount": 0.1, "id": 4}
1430438404550 order_book {"bids": [["100.00", "2.00000000"], ["99.75", "1.00000000"]], "asks": [["101.00", "0.30000000"]]}
1430438404560 order_book {"bids": [["100.00", "2.00000000"], ["99.75", "1.00000000"]], "asks": [["101.00", "0.30000000"]]}
"#;

/// Why it is refused, with that line of the log changed.
fn said(line: usize, from: &str, to: &str) -> String {
    let change = |(n, text): (usize, &str)| {
        assert!(n + 1 != line || text.contains(from), "{text}");
        if n + 1 == line { text.replacen(from, to, 1) } else { text.to_owned() }
    };
    let log: Vec<String> = LOG.lines().enumerate().map(change).collect();
    let files = Files::new(&[("log", log.join("\n").as_bytes())]);
    files.refusal(Bitstamp, VenueId::Imported, "BTCUSD").replace("not a bitstamp recording of imported BTCUSD: ", "")
}

#[test]
fn frames_are_the_book_and_prints_take_the_side_they_met_in_it() {
    let told =
        |name: &str, bytes: &[u8]| story(Files::new(&[(name, bytes)]).wish(Bitstamp, VenueId::Imported, "BTCUSD"));
    let expected = [
        // Nobody knows yet what it met.
        "0 connected",
        "0 trade 1 buy 0.5 at 101.00 flag 32",
        "10 snapshot 100.00=2.0 99.50=1.0 / 101.00=1.5 Window(20)",
        "10 live",
        "20 trade 2 buy 1.2 at 101.00",
        "21 trade 3 sell 0.1 at 99.90",
        // Between bid and ask: not with an order that was shown.
        "22 trade 4 buy 0.1 at 100.50 flag 32",
        // The last frame shows the same again.
        "30 delta 99.50=0.0 99.75=1.0 / 101.00=0.3",
    ];
    assert_eq!(told("log", LOG.as_bytes()), expected);
    assert_eq!(told("log.gz", &gz(LOG.as_bytes())), expected);
}

#[test]
fn what_is_no_log_of_bitstamp_is_refused_by_its_line() {
    for (line, from, to, why) in [
        (
            1,
            "1430438404518",
            "1430438404",
            "recv_ms \"1430438404\" is no time in milliseconds since the epoch between 2005 and 2100",
        ),
        (1, "order_created {", "order_created {{", "is no order_created: key must be a string at line 1 column 2"),
        (
            2,
            "trade",
            "print",
            "event \"print\" is none of order_book, trade, order_created, order_changed and order_deleted",
        ),
        (2, "101.0,", "0,", "price 0 is no price"),
        (2, "101.0,", "\"101.0\",", "price \"\\\"101.0\\\"\" is no number"),
        (2, "0.5", "-0.5", "amount -0.5 is negative"),
        (2, ", \"id\": 1", "", "is no trade: missing field `id` at line 1 column 31"),
        (3, "99.50", "100.00", "100.00 stands behind 100.00 in its bids, which go from the best on"),
        (3, "99.50", "100.01", "100.01 stands behind 100.00 in its bids, which go from the best on"),
        (3, "1.50000000", "0.00000000", "nothing rests at its level of 101.00"),
        (3, "1.50000000", "1,5", "amount \"1,5\" is no number"),
    ] {
        assert_eq!(said(line, from, to), format!("log:{line}: {why}"));
    }
    let many: Vec<String> = (1..=21).map(|n| format!("[\"{}\", \"1\"]", 101 + n)).collect();
    let found = said(7, "[\"101.00\", \"0.30000000\"]", &many.join(", "));
    assert_eq!(found, "log:7: has 21 asks, a frame shows 20");
    assert!(said(5, "0.1, \"id\": 3}", "").starts_with("log:5: is no trade: EOF"));
    assert_eq!(
        said(8, LOG.lines().last().unwrap(), "1430438404560 order_book"),
        "log:8: a line is `<recv_ms> <event> <json>`, here are no two blanks"
    );
}

const REAL: &str = "bitstamp/ob-analytics_2015-05-01_00h-12h.log.gz";

/// The log's lines as others would read them: time, event and JSON.
fn lines() -> Option<Vec<(i64, String, Value)>> {
    let file = std::fs::File::open(data(REAL)?).unwrap();
    let mut text = String::new();
    MultiGzDecoder::new(file).read_to_string(&mut text).unwrap();
    let line = |line: &str| {
        let (at, rest) = line.split_once(' ').unwrap();
        let (event, json) = rest.split_once(' ').unwrap();
        (at.parse().unwrap(), event.to_owned(), serde_json::from_str(json).unwrap())
    };
    Some(text.lines().map(line).collect())
}

fn parsed(text: impl ToString) -> Decimal {
    text.to_string().parse().unwrap()
}

/// A number, or one in quotes, at eight places.
fn number(value: &Value) -> Decimal {
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    text.parse::<Decimal>().unwrap().round_dp(8)
}

#[test]
fn after_every_change_our_book_is_the_frame_and_every_trade_is_there() {
    let (Some(lines), Some(file)) = (lines(), data(REAL)) else { return };
    let played = play(asked(vec![file], Bitstamp, VenueId::Imported, "BTCUSD")).unwrap();
    let rules = &played.instrument;
    assert_eq!((rules.tick.to_string().as_str(), rules.lot.to_string().as_str()), ("0.01", "0.00000001"));
    let mut expected = lines.iter().filter(|(_, event, _)| event == "order_book" || event == "trade");
    let mut book = Book::new();
    let (mut frames, mut trades) = (0, 0);
    for input in &played.inputs {
        let Input::Market(event) = &input.input else { continue };
        let (at, kind, json) = expected.next().unwrap();
        assert_eq!(input.at.0, at * 1_000_000);
        match &event.kind {
            MarketEventKind::Trade { id, price, qty, .. } => {
                trades += 1;
                let found = (*id, parsed(rules.price_text(*price)), parsed(rules.qty_text(*qty)));
                assert_eq!(
                    (kind.as_str(), found),
                    ("trade", (json["id"].as_u64().unwrap(), number(&json["price"]), number(&json["amount"])))
                );
            }
            shown @ (MarketEventKind::Snapshot { .. } | MarketEventKind::Delta { .. }) => {
                frames += 1;
                match shown {
                    MarketEventKind::Snapshot { seq, bids, asks, extent } => {
                        book.apply_snapshot(*seq, bids, asks, *extent)
                    }
                    MarketEventKind::Delta { seq, bids, asks } => book.apply_delta(*seq, bids, asks),
                    _ => unreachable!(),
                }
                for (side, name) in [(Side::Bid, "bids"), (Side::Ask, "asks")] {
                    let level =
                        |level: Level| (parsed(rules.price_text(level.price)), parsed(rules.qty_text(level.qty)));
                    let ours: Vec<_> = book.levels(side).map(level).collect();
                    let theirs =
                        json[name].as_array().unwrap().iter().map(|level| (number(&level[0]), number(&level[1])));
                    assert_eq!(ours, theirs.collect::<Vec<_>>(), "{name} at {at}");
                }
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!((expected.next(), frames, trades), (None, 13_424, 2_020));
}

#[test]
fn the_side_we_infer_is_the_newer_orders_in_986_of_1000() {
    // The orders are the referee: of two that shrink by a print's amount within three seconds before it, one of either
    // side, the one that came later is the taker.
    let (Some(lines), Some(file)) = (lines(), data(REAL)) else { return };
    let played = play(asked(vec![file], Bitstamp, VenueId::Imported, "BTCUSD")).unwrap();
    let inferred: BTreeMap<u64, (Side, PrintFlags)> = { played.inputs.iter() }
        .filter_map(|input| match &input.input {
            Input::Market(event) => match &event.kind {
                MarketEventKind::Trade { id, taker, flags, .. } => Some((*id, (*taker, *flags))),
                _ => None,
            },
            _ => None,
        })
        .collect();
    let (mut rests, mut shrunk) = (BTreeMap::new(), Vec::<(i64, u64, Side, Decimal)>::new());
    let (mut right, mut wrong, mut unsided) = (0, 0, 0);
    for (at, event, json) in &lines {
        shrunk.retain(|(then, ..)| at - then < 3_000);
        let (id, amount) = (json["id"].as_u64(), &json["amount"]);
        match event.as_str() {
            "order_book" => {}
            "trade" => {
                let near = |by: &Decimal| (*by - number(amount)).abs() < Decimal::new(2, 8);
                let met: BTreeMap<u64, Side> =
                    shrunk.iter().filter(|(_, _, _, by)| near(by)).map(|(_, id, side, _)| (*id, *side)).collect();
                let mut sides = met.values();
                let (Some(maker), Some(taker), None) = (sides.next(), sides.next(), sides.next()) else { continue };
                if maker == taker {
                    continue;
                }
                match inferred[&id.unwrap()] {
                    (_, PrintFlags::UNSIDED) => unsided += 1,
                    (side, _) if side == *taker => right += 1,
                    _ => wrong += 1,
                }
            }
            _ => {
                let side = if json["order_type"] == 0 { Side::Bid } else { Side::Ask };
                let before = rests.insert(id.unwrap(), number(amount));
                if let Some(by) = before.map(|before: Decimal| before - number(amount)).filter(|by| *by > Decimal::ZERO)
                {
                    shrunk.push((*at, id.unwrap(), side, by));
                }
            }
        }
    }
    assert_eq!((right, wrong, unsided), (1_747, 24, 39));
}
