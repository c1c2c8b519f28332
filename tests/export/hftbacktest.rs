//! hftbacktest's rows out and in: by hand, through the crate itself, and there and back.

use std::io::{Cursor, Write};
use std::path::Path;

use hftbacktest::backtest::data::read_npz_file;
use hftbacktest::depth::{HashMapMarketDepth, L2MarketDepth, MarketDepth};
use hftbacktest::types::{
    BUY_EVENT, DEPTH_BBO_EVENT, DEPTH_CLEAR_EVENT, DEPTH_EVENT, DEPTH_SNAPSHOT_EVENT, EXCH_EVENT, Event, LOCAL_EVENT,
    SELL_EVENT, Side as HftSide, TRADE_EVENT,
};
use papermaker::engine::{Input, Stamped};
use papermaker::journal::export::{Exported, Hftbacktest, Kind};
use papermaker::journal::import::{Format, StepsFrom, Wish};
use papermaker::market::{Extent, Instrument, InstrumentId, Level, MarketEvent, MarketEventKind, PrintFlags, VenueId};
use papermaker::units::{LocalTime, Lots, Side, Step, Ticks, VenueTime};
use rust_decimal::Decimal;
use zip::write::SimpleFileOptions;

use super::imports::{AUGUST, Played, play, wish};

/// 2024 in nanoseconds: stamps in stories are what comes after it.
const T: i64 = 1_704_067_200_000_000_000;

const BTC: InstrumentId = InstrumentId(0);
const BOTH: u64 = EXCH_EVENT | LOCAL_EVENT;

fn rules() -> Instrument {
    let (tick, lot) = (Step::parse("0.1").unwrap(), Step::parse("0.001").unwrap());
    Instrument::new(VenueId::BinanceSpot, "BTCUSDT", "BTC", "USDT", tick, lot).unwrap()
}

fn level(price: i64, qty: i64) -> Level {
    Level { price: Ticks(price), qty: Lots(qty) }
}

/// Heard at `local`, happened at `exch`, nanoseconds after [`T`].
fn told(local: i64, exch: i64, kind: MarketEventKind) -> Stamped {
    let event = MarketEvent { instrument: BTC, venue_time: Some(VenueTime(T + exch)), kind };
    Stamped { seq: local as u64, at: LocalTime(T + local), input: Input::Market(event) }
}

fn snapshot(seq: u64, bids: Vec<Level>, asks: Vec<Level>) -> MarketEventKind {
    MarketEventKind::Snapshot { seq, bids, asks, extent: Extent::ToLast }
}

fn trade(id: u64, taker: Side, price: i64, flags: PrintFlags) -> MarketEventKind {
    MarketEventKind::Trade { id, taker, price: Ticks(price), qty: Lots(250), flags }
}

/// A market's file, read back by hftbacktest itself.
fn exported(folder: &Path, rules: &Instrument, inputs: &[Stamped]) -> (Vec<Event>, Exported) {
    let mut market = Hftbacktest::new(rules, BTC);
    inputs.iter().for_each(|input| market.step(input));
    let path = folder.join("told.npz");
    let said = market.save(std::fs::File::create(&path).unwrap()).unwrap();
    let rows = read_npz_file::<Event>(path.to_str().unwrap(), "data").unwrap();
    let rows: Vec<Event> = (0..rows.len()).map(|n| rows[n].clone()).collect();
    assert_eq!(rows.len() as u64, said.rows);
    (rows, said)
}

#[test]
fn a_market_is_told_in_hftbacktests_words() {
    let inputs = [
        // Not in step yet: no book to change.
        told(1, 0, MarketEventKind::Delta { seq: 8, bids: vec![level(999, 1)], asks: vec![] }),
        told(2, 1, snapshot(9, vec![level(1_000, 5)], vec![level(1_004, 2_000)])),
        told(3, 2, MarketEventKind::Delta { seq: 10, bids: vec![level(1_000, 0), level(998, 7)], asks: vec![] }),
        told(4, 3, trade(77, Side::Ask, 998, PrintFlags::NONE)),
        told(5, 4, trade(78, Side::Bid, 1_003, PrintFlags::BLOCK)),
        told(6, 5, MarketEventKind::Bbo { seq: 11, bid: Some(level(998, 7)), ask: None }),
        told(7, 6, MarketEventKind::Gap { expected: 12, found: 15 }),
        told(8, 7, MarketEventKind::Delta { seq: 15, bids: vec![level(1, 1)], asks: vec![] }),
    ];
    let here = tempfile::tempdir().unwrap();
    let (rows, said) = exported(here.path(), &rules(), &inputs);
    let told: Vec<(u64, i64, i64, f64, f64, i64, f64)> =
        rows.iter().map(|r| (r.ev, r.exch_ts - T, r.local_ts - T, r.px, r.qty, r.ival, r.fval)).collect();
    let [clear_before, clear_after] = [told[0], told[9]];
    assert!(clear_before.3.is_nan() && clear_after.3.is_nan(), "clears are of everything");
    assert_eq!((clear_before.0, clear_after.0), (BOTH | DEPTH_CLEAR_EVENT, BOTH | DEPTH_CLEAR_EVENT));
    assert_eq!((clear_before.2, clear_after.2), (2, 7));
    let (bid, ask) = (BOTH | BUY_EVENT, BOTH | SELL_EVENT);
    // 1,000 ticks of 0.1 are 100, 5 lots of 0.001 are 0.005.
    assert_eq!(
        told[1..9],
        [
            (bid | DEPTH_SNAPSHOT_EVENT, 1, 2, 100.0, 0.005, 9, 0.0),
            (ask | DEPTH_SNAPSHOT_EVENT, 1, 2, 100.4, 2.0, 9, 0.0),
            (bid | DEPTH_EVENT, 2, 3, 100.0, 0.0, 10, 0.0),
            (bid | DEPTH_EVENT, 2, 3, 99.8, 0.007, 10, 0.0),
            (ask | TRADE_EVENT, 3, 4, 99.8, 0.25, 77, 0.0),
            // A block never met the book, so the venue's half must not see it.
            (LOCAL_EVENT | BUY_EVENT | TRADE_EVENT, 4, 5, 100.3, 0.25, 78, 1.0),
            (bid | DEPTH_BBO_EVENT, 5, 6, 99.8, 0.007, 11, 0.0),
            (ask | DEPTH_BBO_EVENT, 5, 6, 0.0, 0.0, 11, 0.0),
        ]
    );
    assert_eq!(told.len(), 10);
    assert!(said.notes.len() == 1 && said.notes[0].starts_with("2 messages have no rows"), "{:?}", said.notes);
}

#[test]
fn what_is_heard_in_another_order_than_it_happened_stands_once_for_each_half() {
    // Heard 1, 2, 3; happened 10, 30, 20: the second and the third are each in place for one half only.
    let inputs = [
        told(1, 10, trade(1, Side::Bid, 1_001, PrintFlags::NONE)),
        told(2, 30, trade(2, Side::Bid, 1_002, PrintFlags::NONE)),
        told(3, 20, trade(3, Side::Bid, 1_003, PrintFlags::NONE)),
    ];
    let here = tempfile::tempdir().unwrap();
    let (rows, said) = exported(here.path(), &rules(), &inputs);
    let order: Vec<(i64, bool, bool)> =
        rows.iter().map(|row| (row.ival, row.is(EXCH_EVENT), row.is(LOCAL_EVENT))).collect();
    assert_eq!(order, [(1, true, true), (3, true, false), (2, true, true), (3, false, true)]);
    // 10 - 1, 30 - 2 and 20 - 3: the second is 28 ns early.
    assert!(said.notes[0].starts_with("3 rows were heard before they happened"), "{:?}", said.notes);
    assert!(said.notes[0].contains("by at most 28 ns"), "{:?}", said.notes);
}

/// Both halves see time run forward, as hftbacktest's `validate_event_order` wants.
fn is_in_order(rows: &[Event]) -> bool {
    let stamps = |flag: u64, stamp: fn(&Event) -> i64| {
        rows.iter().filter(|row| row.is(flag)).map(stamp).collect::<Vec<_>>().is_sorted()
    };
    stamps(EXCH_EVENT, |row| row.exch_ts) && stamps(LOCAL_EVENT, |row| row.local_ts)
}

/// What one half of hftbacktest does with a row (`backtest/proc/local.rs`, 0.9.4).
fn apply(depth: &mut HashMapMarketDepth, row: &Event) {
    if row.is(DEPTH_CLEAR_EVENT | BUY_EVENT) {
        depth.clear_depth(HftSide::Buy, row.px);
    } else if row.is(DEPTH_CLEAR_EVENT | SELL_EVENT) {
        depth.clear_depth(HftSide::Sell, row.px);
    } else if row.is(DEPTH_CLEAR_EVENT) {
        depth.clear_depth(HftSide::None, 0.0);
    } else if row.is(DEPTH_EVENT | BUY_EVENT) || row.is(DEPTH_SNAPSHOT_EVENT | BUY_EVENT) {
        depth.update_bid_depth(row.px, row.qty, row.local_ts);
    } else if row.is(DEPTH_EVENT | SELL_EVENT) || row.is(DEPTH_SNAPSHOT_EVENT | SELL_EVENT) {
        depth.update_ask_depth(row.px, row.qty, row.local_ts);
    }
}

#[test]
fn a_real_recording_loads_in_hftbacktest_and_ends_in_our_book() {
    let Some((_, played)) = &*AUGUST else { return };
    let here = tempfile::tempdir().unwrap();
    let (rows, _) = exported(here.path(), &played.instrument, &played.inputs);
    assert!(rows.len() > 300_000 && is_in_order(&rows), "{} rows", rows.len());
    let (tick, lot) = (played.instrument.tick, played.instrument.lot);
    let mut depth = HashMapMarketDepth::new(tick.to_f64(), lot.to_f64());
    rows.iter().filter(|row| row.is(LOCAL_EVENT)).for_each(|row| apply(&mut depth, row));
    let [bids, asks] = played.top_20();
    let ticks = |price: Decimal| tick.count(price).unwrap();
    assert_eq!((depth.best_bid_tick(), depth.best_ask_tick()), (ticks(bids[0].0), ticks(asks[0].0)));
    for (price, qty) in &bids {
        assert_eq!(depth.bid_qty_at_tick(ticks(*price)).to_string(), qty.normalize().to_string());
    }
    for (price, qty) in &asks {
        assert_eq!(depth.ask_qty_at_tick(ticks(*price)).to_string(), qty.normalize().to_string());
    }
    let trades = rows.iter().filter(|row| row.is(LOCAL_EVENT | TRADE_EVENT)).count();
    assert_eq!(trades, played.rows(Kind::Trades, 0).len());
}

fn npz(path: &Path) -> Wish {
    wish(&[path], Format::HftbacktestNpz, "BTCUSDT")
}

/// The market events of a play without what a file of rows does not keep: update numbers, and times nobody said.
fn market(played: &Played) -> Vec<(LocalTime, MarketEventKind)> {
    let mut is_in_step = false;
    let mut events = Vec::new();
    for input in &played.inputs {
        let Input::Market(event) = &input.input else { continue };
        let mut kind = event.kind.clone();
        match &mut kind {
            MarketEventKind::Snapshot { seq, .. } => (*seq, is_in_step) = (0, true),
            MarketEventKind::Delta { .. } if !is_in_step => continue,
            MarketEventKind::Delta { seq, .. } | MarketEventKind::Bbo { seq, .. } => *seq = 0,
            MarketEventKind::Gap { .. } => continue,
            _ => {}
        }
        events.push((input.at, kind));
    }
    events
}

#[test]
fn there_and_back_a_real_recording_is_the_same_market() {
    let Some((_, played)) = &*AUGUST else { return };
    let here = tempfile::tempdir().unwrap();
    exported(here.path(), &played.instrument, &played.inputs);
    let again = play(npz(&here.path().join("told.npz"))).unwrap();
    assert_eq!(again.steps_from, StepsFrom::Inferred);
    assert_eq!((again.instrument.tick, again.instrument.lot), (played.instrument.tick, played.instrument.lot));
    assert_eq!(again.top_20(), played.top_20());
    let without_seq =
        |played: &Played, kind| played.rows(kind, 0).into_iter().map(|row| row[1..].to_vec()).collect::<Vec<_>>();
    assert_eq!(without_seq(&again, Kind::Trades), without_seq(played, Kind::Trades));
    let (there, back) = (market(played), market(&again));
    assert_eq!(there.len(), back.len());
    for (there, back) in there.iter().zip(&back) {
        assert_eq!(there, back);
    }
}

fn event(ev: u64, exch: i64, local: i64, px: f64, qty: f64) -> Event {
    Event { ev, exch_ts: T + exch, local_ts: T + local, px, qty, order_id: 0, ival: 0, fval: 0.0 }
}

/// A file as hftbacktest's own writer leaves it, in numpy's archive.
fn saved(path: &Path, name: &str, rows: &[Event]) {
    let mut bytes = Vec::new();
    hftbacktest::backtest::data::write_npy(&mut bytes, rows).unwrap();
    archived(path, name, &bytes);
}

fn archived(path: &Path, name: &str, bytes: &[u8]) {
    let mut archive = zip::ZipWriter::new(std::fs::File::create(path).unwrap());
    archive.start_file(name, SimpleFileOptions::default()).unwrap();
    archive.write_all(bytes).unwrap();
    archive.finish().unwrap();
}

/// What its converters write: clears of one side down to the snapshot's last price, rows split between the halves.
fn theirs() -> Vec<Event> {
    let (bid, ask) = (BOTH | BUY_EVENT, BOTH | SELL_EVENT);
    vec![
        event(bid | DEPTH_CLEAR_EVENT, 10, 20, 99.0, 0.0),
        event(bid | DEPTH_SNAPSHOT_EVENT, 10, 20, 100.0, 1.0),
        event(bid | DEPTH_SNAPSHOT_EVENT, 10, 20, 99.0, 2.0),
        event(ask | DEPTH_CLEAR_EVENT, 10, 20, 102.0, 0.0),
        event(ask | DEPTH_SNAPSHOT_EVENT, 10, 20, 101.0, 3.0),
        event(ask | DEPTH_SNAPSHOT_EVENT, 10, 20, 102.0, 4.0),
        // One message, two levels; the second price was computed and is a bit off 98.5.
        event(bid | DEPTH_EVENT, 11, 21, 100.0, 0.0),
        event(bid | DEPTH_EVENT, 11, 21, 98.5 + 1.5e-14, 5.0),
        // The venue's half hears of this one early, the strategy's late: one trade.
        event(EXCH_EVENT | SELL_EVENT | TRADE_EVENT, 12, 30, 99.0, 0.5),
        event(bid | DEPTH_EVENT, 13, 22, 97.0, 6.0),
        event(LOCAL_EVENT | SELL_EVENT | TRADE_EVENT, 12, 30, 99.0, 0.5),
        // A snapshot of the best bid only: 99 is cleared, 98.5 and 97 lie deeper and stay.
        event(bid | DEPTH_CLEAR_EVENT, 40, 50, 99.0, 0.0),
        event(bid | DEPTH_SNAPSHOT_EVENT, 40, 50, 99.5, 7.0),
        // Somebody's own rows.
        event(BOTH | 103, 41, 51, 1.0, 0.0),
    ]
}

#[test]
fn a_file_of_hftbacktests_own_is_heard_as_its_strategies_would_hear_it() {
    let here = tempfile::tempdir().unwrap();
    let path = here.path().join("theirs.npz");
    saved(&path, "data.npy", &theirs());
    let played = play(npz(&path)).unwrap();
    let events = market(&played);
    // Tick 0.5 is on no power of ten coarser than 0.1.
    assert_eq!((played.instrument.tick.to_string(), played.instrument.lot.to_string()), ("0.1".into(), "0.1".into()));
    let at = |n: i64| LocalTime(T + n);
    let delta = |bids: Vec<Level>| MarketEventKind::Delta { seq: 0, bids, asks: vec![] };
    let print = |flags| MarketEventKind::Trade { id: 1, taker: Side::Ask, price: Ticks(990), qty: Lots(5), flags };
    assert_eq!(
        events,
        [
            (at(20), snapshot(0, vec![level(1000, 10), level(990, 20)], vec![level(1010, 30), level(1020, 40)])),
            (at(21), delta(vec![level(1000, 0), level(985, 50)])),
            (at(22), delta(vec![level(970, 60)])),
            (at(30), print(PrintFlags::NONE)),
            (
                at(50),
                snapshot(
                    0,
                    vec![level(995, 70), level(985, 50), level(970, 60)],
                    vec![level(1010, 30), level(1020, 40)]
                )
            ),
        ]
    );
    // The same array without an archive around it.
    let mut bytes = Vec::new();
    hftbacktest::backtest::data::write_npy(&mut bytes, &theirs()).unwrap();
    let bare = here.path().join("theirs.npy");
    std::fs::write(&bare, bytes).unwrap();
    assert_eq!(market(&play(npz(&bare)).unwrap()), events);
}

#[test]
fn a_file_that_is_something_else_is_refused_by_row() {
    let here = tempfile::tempdir().unwrap();
    let path = here.path().join("other.npz");
    let said = |rows: &[Event]| {
        saved(&path, "data.npy", rows);
        play(npz(&path)).err().expect("refused").to_string()
    };
    let (first, bid) = (theirs().remove(0), BOTH | BUY_EVENT);
    let with = |row: Event| [first.clone(), row];
    for (rows, reason) in [
        (with(event(BOTH | DEPTH_EVENT, 1, 2, 99.0, 1.0)), "other.npz:2: not a hftbacktest-npz recording"),
        (with(event(BOTH | DEPTH_EVENT, 1, 2, 99.0, 1.0)), "names no side"),
        (with(event(bid | 10, 1, 2, 99.0, 1.0)), "tells of single orders (event 10)"),
        (with(event(bid | DEPTH_EVENT, 1, 2, f64::NAN, 1.0)), "price NaN is no decimal"),
        (with(event(bid | DEPTH_EVENT, 1, 2, 100.0 / 3.0, 1.0)), "is no decimal of up to 13 digits"),
        (with(event(bid | DEPTH_EVENT, 1, 2, 99.0, -1.0)), "-1 is no quantity"),
        (with(event(bid | TRADE_EVENT, 1, 2, 99.0, 0.0)), "is a print of 0 at 99"),
        (
            with(event(bid | DEPTH_EVENT, -T + 1_704_067_200_000_000, 2, 99.0, 1.0)),
            "1704067200000000 is no time in nanoseconds",
        ),
    ] {
        let error = said(&rows);
        assert!(error.contains(reason), "{error}\nshould say {reason}");
    }
    let unheard = event(EXCH_EVENT | BUY_EVENT | DEPTH_EVENT, 1, 2, 99.0, 1.0);
    assert!(said(&[unheard]).contains("no row is for the strategy's half"));
    assert!(said(&[]).contains("holds no market data"));

    let error = |path: &Path| play(npz(path)).err().expect("refused").to_string();
    saved(&path, "depth.npy", &theirs());
    assert!(error(&path).contains("has no array \"data\"; it holds depth.npy"), "{}", error(&path));
    std::fs::write(&path, "Call me Ishmael.").unwrap();
    assert!(error(&path).contains("is no zip archive"), "{}", error(&path));
    archived(&path, "data.npy", b"\x93NUMPY\x01\x00\x10\x00{'descr': '<f8'}");
    assert!(error(&path).contains("has other rows than hftbacktest 2"), "{}", error(&path));
    assert!(error(Path::new("/nowhere/at.npz")).contains("cannot be read"));
}

#[test]
fn a_step_that_was_given_must_fit_the_files_prices() {
    let here = tempfile::tempdir().unwrap();
    let path = here.path().join("theirs.npz");
    saved(&path, "data.npy", &theirs());
    let given = |tick: &str| play(Wish { tick: Some(Step::parse(tick).unwrap()), ..npz(&path) });
    assert_eq!(given("0.5").unwrap().instrument.tick.to_string(), "0.5");
    let error = given("1").err().unwrap().to_string();
    assert!(error.ends_with("--tick 1 does not fit, the values are multiples of 0.5"), "{error}");
}

#[test]
fn a_damaged_file_is_refused_wherever_the_damage_is() {
    let here = tempfile::tempdir().unwrap();
    let path = here.path().join("theirs.npz");
    let mut whole = Cursor::new(Vec::new());
    let mut market = Hftbacktest::new(&rules(), BTC);
    for n in 0..200 {
        market.step(&told(n, n, snapshot(9, vec![level(1_000 + n, n + 1)], vec![level(2_000, 3 * n + 1)])));
    }
    market.save(&mut whole).unwrap();
    let whole = whole.into_inner();
    std::fs::write(&path, &whole).unwrap();
    assert!(play(npz(&path)).is_ok());
    let mut refused = 0;
    for at in (0..whole.len()).step_by(37) {
        let mut bytes = whole.clone();
        bytes[at] ^= 0x10;
        std::fs::write(&path, &bytes).unwrap();
        // A byte of the archive's own, such as a date, may change without a loss: then it reads as before.
        match play(npz(&path)) {
            Ok(played) => assert_eq!(played.rows(Kind::Book, 1)[0][4], "119.9", "byte {at}"),
            Err(_) => refused += 1,
        }
        std::fs::write(&path, &whole[..at]).unwrap();
        assert!(play(npz(&path)).is_err(), "cut at {at}");
    }
    assert!(refused > whole.len() / 37 / 2, "{refused} refused");
}
