//! Tardis.dev's files, made by hand and real ones, against an independent reading.

use std::fs;
use std::io::Read;

use papermaker::journal::export::Kind;
use papermaker::journal::import::Format::TardisCsv;
use papermaker::market::VenueId;
use rust_decimal::Decimal;

use super::imports::{data, play};
use super::story::{Files, asked, gz, story};

const BOOK: &str = "exchange,symbol,timestamp,local_timestamp,is_snapshot,side,price,amount\n";
const TRADES: &str = "exchange,symbol,timestamp,local_timestamp,id,side,price,amount\n";
const QUOTES: &str = "exchange,symbol,timestamp,local_timestamp,ask_amount,ask_price,bid_price,bid_amount\n";

/// Rows `local_ms rest` as Tardis writes them, the venue a millisecond earlier.
fn sheet(header: &str, rows: &[(i64, &str)]) -> Vec<u8> {
    let at = |ms: i64| 1_600_000_000_000_000 + ms * 1_000;
    let row = |(ms, rest): &(i64, &str)| format!("binance-futures,BTCUSDT,{},{},{rest}\n", at(ms - 1), at(*ms));
    (header.to_owned() + &rows.iter().map(row).collect::<String>()).into_bytes()
}

fn told(files: &[(&str, &[u8])]) -> Vec<String> {
    story(Files::new(files).wish(TardisCsv, VenueId::BinanceUsdm, "BTCUSDT"))
}

fn a_book() -> Vec<u8> {
    let rows = [
        // A change before anything is known, then the book in no order, one level of it empty.
        (0, "false,bid,98,9"),
        (10, "true,bid,99,1"),
        (10, "true,ask,102,4"),
        (10, "true,bid,100,2"),
        (10, "true,bid,97,0"),
        (10, "true,ask,101,3"),
        // One message of three levels, then one of a single level at the same moment of ours but not of theirs.
        (20, "false,bid,100,0"),
        (20, "false,bid,98.5,7"),
        (20, "false,ask,101,1"),
        // Tardis connected anew.
        (40, "true,bid,99,5"),
        (40, "true,ask,103,6"),
        (50, "false,ask,103,2"),
    ];
    sheet(BOOK, &rows)
}

const ITS_STORY: [&str; 8] = [
    "0 connected",
    "0 delta 98.0=9 / ",
    "10 snapshot 100.0=2 99.0=1 / 101.0=3 102.0=4 ToLast",
    "10 live",
    "20 delta 100.0=0 98.5=7 / 101.0=1",
    "40 gap",
    "40 snapshot 99.0=5 / 103.0=6 ToLast",
    "40 live",
];

#[test]
fn rows_of_one_message_are_one_change_and_a_second_snapshot_is_a_gap() {
    let told = told(&[("book.csv", &a_book())]);
    assert_eq!(told[..8], ITS_STORY);
    assert_eq!(told[8..], ["50 delta  / 103.0=2"]);
}

#[test]
fn a_file_says_the_same_whatever_it_is_packed_in() {
    let plain = told(&[("book.csv", &a_book())]);
    assert_eq!(told(&[("book.csv.gz", &gz(&a_book()))]), plain);
    assert_eq!(told(&[("book.csv.zst", &zstd::stream::encode_all(&a_book()[..], 1).unwrap())]), plain);
}

#[test]
fn files_of_one_instrument_are_one_stream_by_the_time_tardis_heard() {
    let trades = sheet(TRADES, &[(15, "7,buy,101,1"), (20, "8,sell,100,0.5"), (45, "x-9,unknown,99,1")]);
    let quotes = sheet(QUOTES, &[(15, "3,101,100,2"), (60, ",,99,5")]);
    let told = told(&[("book.csv", &a_book()), ("trades.csv", &trades), ("quotes.csv", &quotes)]);
    let news: Vec<&str> = told.iter().filter(|line| !line.contains("snapshot")).map(String::as_str).collect();
    let expected = [
        "0 connected",
        "0 delta 98.0=9.0 / ",
        "10 live",
        // At one moment in the order of the files.
        "15 trade 7 buy 1.0 at 101.0",
        "15 bbo 100.0=2.0 / 101.0=3.0",
        "20 delta 100.0=0.0 98.5=7.0 / 101.0=1.0",
        "20 trade 8 sell 0.5 at 100.0",
        "40 gap",
        "40 live",
    ];
    assert_eq!(news[..9], expected);
    // A name is no number, so its fingerprint is one; who took it is not known, so it never fills.
    let last = news[9].split_once(" buy ").unwrap();
    assert!(last.0.starts_with("45 trade ") && last.1 == "1.0 at 99.0 flag 32", "{news:?}");
    assert_eq!(news[10..], ["50 delta  / 103.0=2.0", "60 bbo 99.0=5.0 / "]);
}

#[test]
fn a_day_that_follows_another_begins_its_book_anew() {
    let one = sheet(BOOK, &[(0, "true,bid,99,1"), (0, "true,ask,101,1"), (10, "false,bid,99,2")]);
    let two = sheet(BOOK, &[(20, "true,bid,98,1"), (20, "true,ask,101,1")]);
    // Named in the wrong order: time decides.
    let told = told(&[("two.csv", &two), ("one.csv", &one)]);
    let words: Vec<&str> = told.iter().map(|line| line.split(' ').nth(1).unwrap()).collect();
    assert_eq!(words, ["connected", "snapshot", "live", "delta", "gap", "snapshot", "live"]);
}

#[test]
fn quotes_alone_are_a_book_of_one_level_that_changes() {
    let rows = [(0, "3,101,100,2"), (10, "3,101,100,2"), (20, "4,101,100.5,1"), (30, "4,101,,"), (40, "0,0,100,2")];
    let told = told(&[("quotes.csv", &sheet(QUOTES, &rows))]);
    let expected = [
        "0 connected",
        "0 snapshot 100.0=2 / 101.0=3 Window(1)",
        "0 live",
        "20 delta 100.0=0 100.5=1 / 101.0=4",
        "30 delta 100.5=0 / ",
        "40 delta 100.0=2 / 101.0=0",
    ];
    assert_eq!(told, expected);
}

/// Cells of a csv, gzipped or not, without its header.
fn cells(path: &std::path::Path) -> Vec<Vec<String>> {
    let bytes = fs::read(path).unwrap();
    let mut text = String::new();
    match bytes.starts_with(&[0x1f, 0x8b]) {
        true => flate2::read::MultiGzDecoder::new(&bytes[..]).read_to_string(&mut text).unwrap(),
        false => bytes.as_slice().read_to_string(&mut text).unwrap(),
    };
    text.lines().skip(1).map(|line| line.split(',').map(str::to_owned).collect()).collect()
}

fn number(text: &str) -> Decimal {
    text.parse().unwrap()
}

#[test]
fn every_trade_of_a_real_file_is_exported_as_it_stood_there() {
    let trades = "tick-normalised/nautilus-history_tardis_binance-futures_BTCUSDT_trades_20200222.csv.gz";
    let Some(file) = data(trades) else { return };
    let (expected, wish) = (cells(&file), asked(vec![file], TardisCsv, VenueId::BinanceUsdm, "BTCUSDT"));
    let rows = play(wish).unwrap().rows(Kind::Trades, 0);
    assert_eq!((rows.len(), expected.len()), (9_999, 9_999));
    for (row, cells) in rows.iter().zip(&expected) {
        assert_eq!([&row[1], &row[2]], [&format!("{}000", cells[3]), &format!("{}000", cells[2])]);
        assert_eq!((&row[5], &row[8]), (&cells[4], &cells[5]));
        assert_eq!((number(&row[6]), number(&row[7])), (number(&cells[6]), number(&cells[7])));
    }
}

#[test]
fn the_best_prices_of_a_real_file_of_quotes_are_its_rows() {
    let quotes = "tick-normalised/nautilus-history_tardis_binance-futures_BTCUSDT_quotes_20200222.csv.gz";
    let Some(file) = data(quotes) else { return };
    // Bid, its quantity, ask, its quantity; what is said twice changes nothing.
    let mut expected: Vec<[Decimal; 4]> = cells(&file).iter().map(|c| [6, 7, 5, 4].map(|n| number(&c[n]))).collect();
    expected.dedup();
    let played = play(asked(vec![file], TardisCsv, VenueId::BinanceUsdm, "BTCUSDT")).unwrap();
    let rows: Vec<[Decimal; 4]> =
        played.rows(Kind::Bbo, 0).iter().map(|row| [4, 5, 6, 7].map(|n| number(&row[n]))).collect();
    assert_eq!(rows.len(), expected.len());
    assert_eq!(rows, expected);
    assert_eq!(played.feed_words().get("live"), Some(&1));
}

#[test]
fn the_published_samples_are_read() {
    let sample = |name: &str| data(&format!("tick-normalised/nautilus_tardis_samples/{name}"));
    for (name, levels) in
        [("binance-futures_book_snapshot_25_BTCUSDT.csv", 25), ("binance-futures_book_snapshot_5_BTCUSDT.csv", 5)]
    {
        let Some(file) = sample(name) else { return };
        let last = cells(&file).pop().unwrap();
        let level = |n: usize| (number(&last[n]), number(&last[n + 1]));
        let side = |from: usize| (0..levels.min(20)).map(|n| level(from + 4 * n)).collect::<Vec<_>>();
        let played = play(asked(vec![file], TardisCsv, VenueId::BinanceUsdm, "BTCUSDT")).unwrap();
        assert_eq!(played.top_20(), [side(6), side(4)], "{name}");
    }
    for (name, venue, symbol, kind, rows) in [
        ("bitmex_trades_XBTUSD.csv", VenueId::Imported, "XBTUSD", Kind::Trades, 10),
        ("deribit_incremental_book_L2_BTC-PERPETUAL.csv", VenueId::Deribit, "BTC-PERPETUAL", Kind::Book, 15),
        // The first and the second row's asks differ, as all that follow: 9 changes after the first.
        ("huobi-dm-swap_quotes_BTC-USD.csv", VenueId::Imported, "BTC-USD", Kind::Bbo, 10),
    ] {
        let Some(file) = sample(name) else { return };
        let played = play(asked(vec![file], TardisCsv, venue, symbol)).unwrap();
        assert_eq!(played.rows(kind, 20).len(), rows, "{name}");
    }
}
