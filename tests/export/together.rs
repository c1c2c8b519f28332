//! Several recordings of one recorder as one session, and recordings of futures.

use std::io::{BufRead, BufReader, Write as _};
use std::path::{Path, PathBuf};

use flate2::read::MultiGzDecoder;
use papermaker::engine::Input;
use papermaker::journal::import::{Format, StepsFrom, Together, Wish, together};
use papermaker::market::{FeedEventKind, InstrumentId, Kind, MarketEventKind, VenueId};
use papermaker::units::{LocalTime, Nanos};

use super::imports::{DIFF, SNAPSHOT, TRADE};
use crate::support::data_dir;

fn wish(venue: VenueId, symbol: &str, files: &[&Path]) -> Wish {
    Wish {
        files: files.iter().map(|file| file.to_path_buf()).collect(),
        format: Format::HftbacktestRaw,
        venue,
        symbol: symbol.to_owned(),
        tick: None,
        lot: None,
        tick_every: Nanos::from_ms(50),
    }
}

/// A recording with lines at these milliseconds.
fn at(lines: &[(i64, &str)]) -> tempfile::NamedTempFile {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    for (ms, line) in lines {
        writeln!(file, "{} {line}", 1_723_161_253_000_000_000i64 + ms * 1_000_000).unwrap();
    }
    file
}

/// As USD-M writes what [`DIFF`] and [`TRADE`] say.
const PERP_DIFF: &str = r#"{"stream":"btcusdt@depth@0ms","data":{"e":"depthUpdate","E":2,"T":1,"s":"BTCUSDT","U":11,"u":12,"pu":10,"b":[["100.1","2"]],"a":[["100.3","0.5"]]}}"#;
const PERP_TRADE: &str = r#"{"stream":"btcusdt@trade","data":{"e":"trade","E":2,"T":1,"s":"BTCUSDT","t":7,"p":"100.1","q":"0.5","X":"MARKET","m":true}}"#;

/// Every input as milliseconds, instrument and a word.
fn story(from: Together) -> Vec<String> {
    let mut story = Vec::new();
    for input in from {
        let (at, input) = input.unwrap();
        let ms = at.since(LocalTime(1_723_161_253_000_000_000)).ms();
        let line = match input {
            Input::Tick => format!("{ms} tick"),
            Input::Market(event) => {
                let word = match event.kind {
                    MarketEventKind::Snapshot { .. } => "snapshot",
                    MarketEventKind::Delta { .. } => "delta",
                    MarketEventKind::Trade { .. } => "trade",
                    other => panic!("{other:?}"),
                };
                format!("{ms} {} {word}", event.instrument.0)
            }
            Input::Feed(event) => {
                let whom = event.instrument.map_or("all".to_owned(), |id| id.0.to_string());
                format!("{ms} {whom} {} on {} of {}", event.kind.word(), event.connection, event.venue)
            }
            Input::Report(_) | Input::Command { .. } => panic!("nobody commands a recording, or answers it"),
        };
        story.push(line);
    }
    story
}

#[test]
fn two_recordings_are_merged_by_the_one_clock_that_heard_both() {
    let spot = at(&[(0, DIFF), (1, SNAPSHOT), (60, TRADE)]);
    let perp = at(&[(20, PERP_DIFF), (21, SNAPSHOT), (60, PERP_TRADE), (130, PERP_TRADE)]);
    let wishes = vec![
        wish(VenueId::BinanceUsdm, "BTCUSDT", &[perp.path()]),
        wish(VenueId::BinanceSpot, "BTCUSDT", &[spot.path()]),
    ];
    // Spot begins, so its ticks (every 50 ms from 0) are the session's until it ends at 60; then the perpetual's, from
    // 20 on: at 70 and 120. Of one moment the first named comes first. The second PERP_TRADE has been heard.
    let expected = [
        "0 1 connected on 1 of binance-spot",
        "1 1 snapshot",
        "1 1 delta",
        "1 1 live on 1 of binance-spot",
        "20 0 connected on 0 of binance-usdm",
        "21 0 snapshot",
        "21 0 delta",
        "21 0 live on 0 of binance-usdm",
        "50 tick",
        "60 0 trade",
        "60 1 trade",
        "70 tick",
        "120 tick",
    ];
    assert_eq!(story(together(wishes).unwrap()), expected);

    // Alone a recording tells everybody of its connection, as it always did.
    let alone = story(together(vec![wish(VenueId::BinanceSpot, "BTCUSDT", &[spot.path()])]).unwrap());
    assert_eq!(alone[0], "0 all connected on 0 of binance-spot");
}

#[test]
fn one_bad_recording_refuses_them_all() {
    let (spot, perp) = (at(&[(0, DIFF), (1, SNAPSHOT), (2, TRADE)]), at(&[(0, PERP_DIFF), (1, "{\"stream\":")]));
    let wishes = |first: &Path, second: &Path| {
        vec![wish(VenueId::BinanceSpot, "BTCUSDT", &[first]), wish(VenueId::BinanceUsdm, "BTCUSDT", &[second])]
    };
    let refusal = |wishes| together(wishes).err().expect("a refusal").to_string();
    let said = refusal(wishes(spot.path(), perp.path()));
    assert!(said.contains(":2: not a hftbacktest-raw recording of binance-usdm BTCUSDT: is not JSON"), "{said}");
    let said = refusal(wishes(spot.path(), spot.path()));
    assert!(said.ends_with("is a frame of Binance's spot market, not of its futures"), "{said}");
}

/// Both ends of a real recording: its trades and gaps, and how its instrument is presumed to be.
fn whole(venue: VenueId, symbol: &str, names: &[&str]) -> Option<(Together, Vec<PathBuf>)> {
    let dir = data_dir()?.join(venue.name());
    let files: Vec<PathBuf> = names.iter().map(|name| dir.join(name)).collect();
    let paths: Vec<&Path> = files.iter().map(PathBuf::as_path).collect();
    Some((together(vec![wish(venue, symbol, &paths)]).unwrap(), files))
}

fn trades_in(files: &[PathBuf]) -> usize {
    let lines = |file: &PathBuf| BufReader::new(MultiGzDecoder::new(std::fs::File::open(file).unwrap())).lines();
    files.iter().flat_map(lines).filter(|line| line.as_ref().unwrap().contains("\"e\":\"trade\"")).count()
}

#[test]
fn recordings_of_futures_keep_every_trade_and_their_book_is_in_step_once() {
    for (venue, symbol, names, kind, unit, base) in [
        (
            VenueId::BinanceUsdm,
            "BTCUSDT",
            &["hftbacktest-history_usdm_btcusdt_20240718.gz", "hftbacktest-history_usdm_btcusdt_20240719.gz"][..],
            Kind::Linear,
            "1",
            "BTC",
        ),
        (
            VenueId::BinanceCoinm,
            "BTCUSD_PERP",
            &["hftbacktest_cm_btcusd_perp_20240808.gz", "hftbacktest_cm_btcusd_perp_20240809.gz"][..],
            Kind::Inverse,
            "100",
            "BTC",
        ),
    ] {
        let Some((mut from, files)) = whole(venue, symbol, names) else { return };
        let (mut trades, mut told) = (0, Vec::new());
        for input in &mut from {
            match input.unwrap().1 {
                Input::Market(event) => match event.kind {
                    MarketEventKind::Trade { .. } => trades += 1,
                    MarketEventKind::Gap { .. } => panic!("{venue}: a gap"),
                    _ => assert_eq!(event.instrument, InstrumentId(0)),
                },
                Input::Feed(event) => told.push(event.kind),
                Input::Report(_) | Input::Tick | Input::Command { .. } => {}
            }
        }
        assert_eq!(trades, trades_in(&files), "{venue}");
        assert_eq!(told, [FeedEventKind::Connected, FeedEventKind::Live], "{venue}");
        assert_eq!((from.report().snapshots, from.steps_from()), (1, StepsFrom::Inferred));
        let rules = &from.instruments()[0];
        assert_eq!((rules.contract.kind, rules.contract.unit.to_string().as_str()), (kind, unit));
        assert_eq!((rules.base.as_str(), rules.tick.to_string().as_str()), (base, "0.1"));
    }
}

#[test]
fn captures_of_futures_bring_their_rules_along() {
    let Some(dir) = data_dir() else { return };
    for (venue, symbol, name, unit) in [
        (VenueId::BinanceUsdm, "SUSHIUSDT", "cryptofeed-v3_BINANCE_FUTURES.jsonl.zst", "1"),
        (VenueId::BinanceCoinm, "BCHUSD_PERP", "cryptofeed-v3_BINANCE_DELIVERY.jsonl.zst", "10"),
    ] {
        let file = dir.join(venue.name()).join(name);
        let capture = |venue| Wish { format: Format::Cryptofeed, ..wish(venue, symbol, &[&file]) };
        let from = together(vec![capture(venue)]).unwrap();
        assert_eq!(from.steps_from(), StepsFrom::Recording, "{symbol}");
        assert_eq!(from.instruments()[0].contract.unit.to_string(), unit);
        let lives = from.filter(
            |input| matches!(input.as_ref().unwrap().1, Input::Feed(ref event) if event.kind == FeedEventKind::Live),
        );
        assert_eq!(lives.count(), 1, "{symbol}");
        let error = together(vec![capture(VenueId::BinanceSpot)]).err().unwrap().to_string();
        assert!(error.contains("which cryptofeed does not call BINANCE"), "{error}");
    }
}
