//! Imports of real recordings against an independent reading of the same files, and refusals of what is none.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use flate2::read::MultiGzDecoder;
use papermaker::engine::{Input, Output, Stamped};
use papermaker::journal::export::{At, Cast, Kind, Wish as ExportWish, export, table};
use papermaker::journal::import::{Format, ImportError, Report, StepsFrom, Wish, open};
use papermaker::market::{FeedEventKind, Instrument, MarketEventKind, VenueId};
use papermaker::risk::RiskLimits;
use papermaker::units::{Money, Nanos};
use rust_decimal::Decimal;
use serde_json::Value;

/// The folder of real recordings, if this machine has it.
pub fn data(name: &str) -> Option<PathBuf> {
    let own = std::env::var_os("PAPERMAKER_DATA").map(PathBuf::from);
    let dir = own.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data"));
    let file = dir.join(name);
    if !file.exists() {
        eprintln!("SKIPPED: {} is not here", file.display());
        return None;
    }
    Some(file)
}

pub fn wish(files: &[&Path], format: Format, symbol: &str) -> Wish {
    Wish {
        files: files.iter().map(|file| file.to_path_buf()).collect(),
        format,
        venue: VenueId::BinanceSpot,
        symbol: symbol.to_owned(),
        tick: None,
        lot: None,
        tick_every: Nanos::from_ms(50),
    }
}

/// An import played to its end.
pub struct Played {
    pub instrument: Instrument,
    pub steps_from: StepsFrom,
    pub inputs: Vec<Stamped>,
    pub report: Report,
}

pub fn play(wish: Wish) -> Result<Played, ImportError> {
    let mut import = open(wish)?;
    let mut inputs: Vec<Stamped> = Vec::new();
    for item in &mut import {
        let (at, input) = item?;
        assert!(inputs.last().is_none_or(|last| last.at <= at), "time runs forward");
        inputs.push(Stamped { seq: inputs.len() as u64 + 1, at, input });
    }
    let (instrument, steps_from) = (import.instrument().clone(), import.steps_from());
    Ok(Played { instrument, steps_from, inputs, report: import.report() })
}

impl Played {
    /// The rows of a csv export, without the header.
    pub fn rows(&self, kind: Kind, depth: usize) -> Vec<Vec<String>> {
        let cast = Cast {
            instruments: vec![self.instrument.clone()],
            strategies: vec![String::new()],
            limits: RiskLimits::default(),
        };
        let wish = ExportWish { kind, format: table::Format::Csv, at: At::End, depth };
        let records = self.inputs.iter().map(|input| Ok::<(Stamped, Vec<Output>), String>((input.clone(), vec![])));
        let mut out = Vec::new();
        let exported = export(wish, cast, records, &mut out).unwrap();
        let rows: Vec<Vec<String>> = csv::Reader::from_reader(out.as_slice())
            .records()
            .map(|row| row.unwrap().iter().map(str::to_owned).collect())
            .collect();
        assert_eq!(exported.rows, rows.len() as u64);
        rows
    }

    pub fn feed_words(&self) -> BTreeMap<String, usize> {
        let mut words = BTreeMap::new();
        for row in self.rows(Kind::Feed, 0) {
            *words.entry(row[4].clone()).or_insert(0) += 1;
        }
        words
    }

    pub fn top_20(&self) -> [Vec<(Decimal, Decimal)>; 2] {
        let rows = self.rows(Kind::Book, 20);
        ["bid", "ask"].map(|side| {
            let side = rows.iter().filter(|row| row[2] == side);
            side.map(|row| (row[4].parse().unwrap(), row[5].parse().unwrap())).collect()
        })
    }
}

/// An independent book: decimal texts in a map, no code of ours.
#[derive(Default)]
struct Naive {
    last: Option<u64>,
    buffer: Vec<Value>,
    bids: BTreeMap<Decimal, Decimal>,
    asks: BTreeMap<Decimal, Decimal>,
}

impl Naive {
    fn snapshot(&mut self, body: &Value) {
        self.last = body["lastUpdateId"].as_u64();
        self.levels(&body["bids"], &body["asks"]);
        for diff in std::mem::take(&mut self.buffer) {
            self.diff(&diff);
        }
    }

    fn diff(&mut self, data: &Value) {
        let Some(last) = self.last else { return self.buffer.push(data.clone()) };
        let (first, end) = (data["U"].as_u64().unwrap(), data["u"].as_u64().unwrap());
        if end <= last {
            return;
        }
        assert!(first <= last + 1, "the recording's own chain is unbroken");
        self.last = Some(end);
        self.levels(&data["b"], &data["a"]);
    }

    fn levels(&mut self, bids: &Value, asks: &Value) {
        for (side, levels) in [(&mut self.bids, bids), (&mut self.asks, asks)] {
            for level in levels.as_array().unwrap() {
                let number = |i: usize| level[i].as_str().unwrap().parse::<Decimal>().unwrap();
                if number(1).is_zero() {
                    side.remove(&number(0));
                } else {
                    side.insert(number(0), number(1));
                }
            }
        }
    }

    /// Orders older than the present lot rest with finer quantities; those count as one lot more.
    fn top_20(&self, rules: &Instrument) -> [Vec<(Decimal, Decimal)>; 2] {
        let lot = rules.lot.size();
        let pair = |(price, qty): (&Decimal, &Decimal)| (*price, (*qty / lot).ceil() * lot);
        [self.bids.iter().rev().take(20).map(pair).collect(), self.asks.iter().take(20).map(pair).collect()]
    }
}

/// What an independent reader finds in hftbacktest files: trades as rows, and the book.
fn read_hftbacktest(files: &[PathBuf]) -> (Vec<[String; 6]>, Naive) {
    let (mut trades, mut book, mut clock) = (Vec::new(), Naive::default(), 0i64);
    for file in files {
        let text = std::io::read_to_string(MultiGzDecoder::new(fs::File::open(file).unwrap())).unwrap();
        for line in text.lines() {
            let (stamp, json) = line.split_once(' ').unwrap();
            clock = clock.max(stamp.parse::<i64>().unwrap() * if stamp.len() == 16 { 1000 } else { 1 });
            let body: Value = serde_json::from_str(json).unwrap();
            let data = &body["data"];
            if body["lastUpdateId"].is_u64() {
                book.snapshot(&body);
            } else if data["e"] == "depthUpdate" {
                book.diff(data);
            } else if data["e"] == "trade" {
                let number =
                    |key: &str| data[key].as_str().unwrap().parse::<Decimal>().unwrap().normalize().to_string();
                trades.push([
                    clock.to_string(),
                    (data["T"].as_i64().unwrap() * 1_000_000).to_string(),
                    data["t"].to_string(),
                    number("p"),
                    number("q"),
                    if data["m"].as_bool().unwrap() { "sell" } else { "buy" }.to_owned(),
                ]);
            }
        }
    }
    (trades, book)
}

fn assert_same_trades(played: &Played, expected: &[[String; 6]]) {
    let rows = played.rows(Kind::Trades, 0);
    assert_eq!(rows.len(), expected.len());
    for (row, expected) in rows.iter().zip(expected) {
        assert_eq!((row[3].as_str(), row[4].as_str()), ("binance-spot", played.instrument.symbol.as_str()));
        let plain = |text: &str| text.parse::<Decimal>().unwrap().normalize().to_string();
        let found = [row[1].clone(), row[2].clone(), row[5].clone(), plain(&row[6]), plain(&row[7]), row[8].clone()];
        assert_eq!(&found, expected);
    }
}

pub static AUGUST: LazyLock<Option<(Vec<PathBuf>, Played)>> = LazyLock::new(|| {
    let names = ["hftbacktest_spot_btcusdt_20240808.gz", "hftbacktest_spot_btcusdt_20240809.gz"];
    let files: Option<Vec<PathBuf>> = names.iter().map(|name| data(&format!("binance-spot/{name}"))).collect();
    let files = files?;
    let paths: Vec<&Path> = files.iter().map(PathBuf::as_path).collect();
    let played = play(wish(&paths, Format::HftbacktestRaw, "BTCUSDT")).unwrap();
    Some((files, played))
});

#[test]
fn a_real_recording_keeps_every_trade_and_ends_in_the_same_book() {
    let Some((files, played)) = &*AUGUST else { return };
    let (trades, book) = read_hftbacktest(files);
    assert!(trades.len() > 10_000, "{}", trades.len());
    assert_same_trades(played, &trades);
    assert_eq!(played.top_20(), book.top_20(&played.instrument));
    let words = played.feed_words();
    let expected = [("connected", 1), ("live", 1), ("snapshot", 1)];
    assert_eq!(words, expected.map(|(word, n)| (word.to_owned(), n)).into());
}

#[test]
fn a_recordings_steps_are_inferred_from_its_values_or_given_and_checked() {
    let Some((files, played)) = &*AUGUST else { return };
    assert_eq!(played.steps_from, StepsFrom::Inferred);
    let rules = &played.instrument;
    assert_eq!((rules.tick.to_string().as_str(), rules.lot.to_string().as_str()), ("0.01", "0.00001"));
    assert_eq!((rules.base.as_str(), rules.quote.as_str()), ("BTC", "USDT"));
    let mut wish = wish(&[&files[0]], Format::HftbacktestRaw, "BTCUSDT");
    wish.tick = Some("0.1".parse::<Decimal>().map(papermaker::units::Step::new).unwrap().unwrap());
    let error = open(wish).err().unwrap().to_string();
    assert!(error.ends_with("--tick 0.1 does not fit, the values are multiples of 0.01"), "{error}");
}

#[test]
fn a_row_of_bbo_is_written_for_every_change_and_only_then() {
    let Some((_, played)) = &*AUGUST else { return };
    let rows = played.rows(Kind::Bbo, 0);
    assert!(rows.windows(2).all(|pair| pair[0][4..] != pair[1][4..]));
    let bbo_events = played.inputs.iter().filter(
        |input| matches!(&input.input, Input::Market(event) if matches!(event.kind, MarketEventKind::Bbo { .. })),
    );
    // Most bookTickers change something, and little besides them does.
    let (rows, events) = (rows.len(), bbo_events.count());
    assert!(rows > events * 9 / 10 && rows < events * 11 / 10, "{rows} rows of {events} events");
}

#[test]
fn a_recording_without_a_snapshot_keeps_its_trades_and_its_book_is_never_in_step() {
    let Some(file) = data("binance-spot/hftbacktest-history_spot_btcusdt_20230405.dat.gz") else { return };
    let played = play(wish(&[&file], Format::HftbacktestRaw, "BTCUSDT")).unwrap();
    let (trades, _) = read_hftbacktest(&[file]);
    assert_same_trades(&played, &trades);
    let words = played.feed_words();
    assert!(!words.contains_key("live") && !words.contains_key("snapshot"), "{words:?}");
    assert_eq!((played.report.snapshots, words.get("disconnected")), (0, None));
    assert!(played.rows(Kind::Book, 20).is_empty());
}

#[test]
fn a_cryptofeed_capture_of_the_newer_kind_brings_the_venues_rules_along() {
    let Some(file) = data("binance-spot/cryptofeed-v3_BINANCE.jsonl.zst") else { return };
    let ours = |symbol: &str| open(wish(&[&file], Format::Cryptofeed, symbol)).unwrap();
    let lrc = ours("LRCBTC");
    assert_eq!((lrc.steps_from(), lrc.instrument().tick.to_string()), (StepsFrom::Recording, "0.00000001".to_owned()));
    // The rules of NKNUSDT say 0.0001, but a bid from before rests at 0.25974.
    let played = play(wish(&[&file], Format::Cryptofeed, "NKNUSDT")).unwrap();
    assert_eq!((played.steps_from, played.instrument.tick.to_string()), (StepsFrom::Inferred, "0.00001".to_owned()));
    assert!(played.instrument.min_notional > Money::ZERO);
    let mut book = Naive::default();
    let text = zstd::stream::decode_all(fs::File::open(file).unwrap()).unwrap();
    let mut lines: Vec<Value> =
        text.split(|b| *b == b'\n').filter(|l| !l.is_empty()).map(|l| serde_json::from_slice(l).unwrap()).collect();
    lines.sort_by(|a, b| a["ts"].as_f64().unwrap_or(0.0).total_cmp(&b["ts"].as_f64().unwrap_or(0.0)));
    for line in &lines {
        let body: Value = serde_json::from_str(line["data"].as_str().unwrap_or("null")).unwrap();
        if line["url"].as_str().is_some_and(|url| url.contains("symbol=NKNUSDT")) {
            book.snapshot(&body);
        } else if body["stream"] == "nknusdt@depth@100ms" {
            book.diff(&body["data"]);
        }
    }
    assert_eq!(played.top_20(), book.top_20(&played.instrument));
    let words = played.feed_words();
    let expected = [("connected", 1), ("live", 1), ("snapshot", 1)];
    assert!(expected.iter().all(|(word, n)| words.get(*word) == Some(n)), "{words:?}");
    assert!(!words.contains_key("protocol_error") && !words.contains_key("gap"), "{words:?}");
    // One aggregate of NKNUSDT is in the capture.
    assert_eq!(played.rows(Kind::Trades, 0).len(), 1);
}

/// An independent reading of the older kind: every line of a symbol's depth and the number of its trades.
fn read_plain(files: &[&Path], symbol: &str) -> (Naive, usize) {
    let mut found: Vec<(f64, Value)> = Vec::new();
    for file in files {
        let text = std::io::read_to_string(MultiGzDecoder::new(fs::File::open(file).unwrap())).unwrap();
        for line in text.lines() {
            let (stamp, body) = match line.split_once(" -> ") {
                Some((url, rest)) if url.contains(&format!("symbol={symbol}&")) => rest.split_once(": ").unwrap(),
                _ if line.starts_with("16") => line.split_once(": ").unwrap(),
                _ => continue,
            };
            found.push((stamp.parse().unwrap(), serde_json::from_str(body).unwrap()));
        }
    }
    found.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (mut book, mut trades) = (Naive::default(), 0);
    for (_, body) in &found {
        let data = &body["data"];
        match (data["e"].as_str(), data["s"] == symbol) {
            (None, _) if body["lastUpdateId"].is_u64() => book.snapshot(body),
            (Some("depthUpdate"), true) => book.diff(data),
            (Some("aggTrade"), true) => trades += 1,
            _ => {}
        }
    }
    (book, trades)
}

#[test]
fn cryptofeed_captures_of_the_older_kind_end_in_the_same_book_also_in_two_files() {
    let one = ["cryptofeed-history_BINANCE-b38f7c.0__2df3a1e7.txt.gz"];
    let two =
        ["cryptofeed-history_BINANCE.ws.1.0__128297da.txt.gz", "cryptofeed-history_BINANCE.http.0.0__34cc28de.txt.gz"];
    for (names, symbol) in [(&one[..], "ZILUSDT"), (&one[..], "DENTUSDT"), (&two[..], "SWRVBUSD")] {
        let files: Option<Vec<PathBuf>> = names.iter().map(|name| data(&format!("binance-spot/{name}"))).collect();
        let Some(files) = files else { return };
        let paths: Vec<&Path> = files.iter().map(PathBuf::as_path).collect();
        let played = play(wish(&paths, Format::Cryptofeed, symbol)).unwrap();
        let (book, trades) = read_plain(&paths, symbol);
        assert_eq!(played.top_20(), book.top_20(&played.instrument), "{symbol}");
        assert_eq!(played.rows(Kind::Trades, 0).len(), trades, "{symbol}");
        let words = played.feed_words();
        assert_eq!(words.get("live"), Some(&1), "{symbol}: {words:?}");
        assert!(!words.contains_key("gap") && !words.contains_key("protocol_error"), "{symbol}: {words:?}");
    }
}

pub const DIFF: &str = r#"{"stream":"btcusdt@depth@100ms","data":{"e":"depthUpdate","E":1723161255208,"s":"BTCUSDT","U":11,"u":12,"b":[["100.01","2"]],"a":[["100.03","0.5"]]}}"#;
pub const TRADE: &str = r#"{"stream":"btcusdt@trade","data":{"e":"trade","E":1723161255343,"s":"BTCUSDT","t":7,"p":"100.01","q":"0.25","T":1723161255342,"m":true,"M":true}}"#;
pub const SNAPSHOT: &str = r#"{"lastUpdateId":11,"bids":[["100.00","1"]],"asks":[["100.02","1"]]}"#;

/// A plain hftbacktest file of these lines, a millisecond apart.
pub fn file_of(lines: &[&str]) -> tempfile::NamedTempFile {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    for (i, line) in lines.iter().enumerate() {
        writeln!(file, "{} {line}", 1_723_161_253_000_000_000i64 + i as i64 * 1_000_000).unwrap();
    }
    file
}

fn refusal(file: &Path, symbol: &str) -> String {
    let name = file.display().to_string();
    let error = open(wish(&[file], Format::HftbacktestRaw, symbol)).err().expect("a refusal").to_string();
    error.replace(&name, "FILE")
}

#[test]
fn what_is_no_recording_is_refused_with_file_line_and_reason() {
    let is_not = "not a hftbacktest-raw recording of binance-spot BTCUSDT";
    let said = |lines: &[&str]| refusal(file_of(lines).path(), "BTCUSDT");
    assert_eq!(
        said(&[DIFF, "{\"stream\":"]),
        format!("FILE:2: {is_not}: is not JSON: EOF while parsing a value at line 1 column 10")
    );
    assert_eq!(said(&[DIFF, "[1]"]), format!("FILE:2: {is_not}: is no JSON object"));
    assert_eq!(said(&["{\"table\":\"orders\"}"]), format!("FILE:1: {is_not}: is no frame of Binance's streams"));
    assert_eq!(said(&[]), format!("FILE:0: {is_not}: holds no market data"));
    assert_eq!(
        said(&[&DIFF.replace("\"100.01\"", "\"1e2\"")]),
        format!("FILE:1: {is_not}: \"1e2\" is no price or quantity")
    );
    let other = refusal(file_of(&[DIFF]).path(), "ETHUSDT");
    assert_eq!(
        other,
        "FILE:0: not a hftbacktest-raw recording of binance-spot ETHUSDT: holds no frame of ETHUSDT; it holds BTCUSDT"
    );
    let mut csv = tempfile::NamedTempFile::new().unwrap();
    csv.write_all(b"time,price\n1,2\n").unwrap();
    let said = refusal(csv.path(), "BTCUSDT");
    assert_eq!(said, format!("FILE:1: {is_not}: a line is `<recv_ts> <json>`, here is no blank"));
    assert!(refusal(Path::new("/nowhere/at.all"), "BTCUSDT").starts_with("FILE: cannot be read: "));
}

#[test]
fn a_file_that_was_cut_off_is_refused_where_it_breaks() {
    let mut zip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    for i in 0..2_000 {
        writeln!(zip, "{} {DIFF}", 1_723_161_253_000_000_000i64 + i * 7_919).unwrap();
    }
    let whole = zip.finish().unwrap();
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(&whole[..whole.len() / 2]).unwrap();
    let said = refusal(file.path(), "BTCUSDT");
    let line: u64 = said.split(':').nth(1).unwrap().parse().unwrap();
    assert!(line > 100 && said.contains("cannot be unpacked"), "{said}");
}

#[test]
fn a_recording_of_another_market_is_not_taken_for_spot() {
    for name in
        ["binance-usdm/hftbacktest_usdm_btcusdt_20240808.gz", "binance-coinm/hftbacktest_cm_btcusd_perp_20240808.gz"]
    {
        let Some(file) = data(name) else { return };
        let said = refusal(&file, "BTCUSDT");
        assert!(said.contains("is a frame of Binance's futures, not of its spot market"), "{said}");
    }
    for (name, reason) in [
        ("okx/cryptofeed-v3_OKX.jsonl.zst", "is a recording of OKX, which cryptofeed does not call BINANCE"),
        ("binance-spot/hftbacktest_spot_btcusdt_20240808.gz", "is no line of a cryptofeed capture"),
    ] {
        let Some(file) = data(name) else { return };
        let error = open(wish(&[&file], Format::Cryptofeed, "BTCUSDT")).err().unwrap().to_string();
        assert!(
            error.contains(&format!(":1: not a cryptofeed recording of binance-spot BTCUSDT: {reason}")),
            "{error}"
        );
    }
    let mut kraken = wish(&[Path::new("any")], Format::HftbacktestRaw, "BTC/USD");
    kraken.venue = VenueId::Kraken;
    let said = open(kraken).err().unwrap().to_string();
    assert_eq!(said, "hftbacktest-raw recordings of kraken are not known: no collector writes them");
}

#[test]
fn a_receive_clock_that_steps_back_is_raised_and_counted() {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    // 300 µs back at the second line, so it is heard when the first was.
    for (stamp, line) in [(1_000_500, DIFF), (1_000_200, SNAPSHOT), (1_000_900, TRADE)] {
        writeln!(file, "{} {line}", 1_723_161_253_000_000i64 + stamp).unwrap();
    }
    let played = play(wish(&[file.path()], Format::HftbacktestRaw, "BTCUSDT")).unwrap();
    assert_eq!((played.report.clock_steps_back, played.report.clock_step_back_max), (1, Nanos::from_us(300)));
    assert_eq!(played.rows(Kind::Trades, 0)[0][1], "1723161254000900000");
    assert_eq!(played.top_20()[0].len(), 2);
}

#[test]
fn a_hole_in_a_recording_is_a_gap_and_its_book_is_not_believed_afterwards() {
    let later = DIFF.replace("\"U\":11,\"u\":12", "\"U\":20,\"u\":21").replace("100.01", "100.02");
    let file = file_of(&[DIFF, SNAPSHOT, &later, TRADE]);
    let played = play(wish(&[file.path()], Format::HftbacktestRaw, "BTCUSDT")).unwrap();
    let words = played.feed_words();
    assert_eq!((words.get("gap"), words.get("resync")), (Some(&1), Some(&1)), "{words:?}");
    // The levels of before, to look at: 100.01 and 100.00 bid.
    assert_eq!(
        played.top_20()[0],
        [("100.01", "2"), ("100.00", "1")].map(|(p, q)| (p.parse().unwrap(), q.parse().unwrap()))
    );
}

#[test]
fn time_passes_in_ticks_between_the_frames() {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    // A second between two frames is twenty ticks of 50 ms: at 50, 100, … 1000 ms.
    for (ms, line) in [(0, DIFF), (1_000, TRADE)] {
        writeln!(file, "{} {line}", 1_723_161_253_000_000i64 + ms * 1_000).unwrap();
    }
    let played = play(wish(&[file.path()], Format::HftbacktestRaw, "BTCUSDT")).unwrap();
    assert_eq!(played.inputs.iter().filter(|input| matches!(input.input, Input::Tick)).count(), 20);
    let connected = |input: &Stamped| matches!(&input.input, Input::Feed(e) if e.kind == FeedEventKind::Connected);
    assert!(connected(&played.inputs[0]));
}
