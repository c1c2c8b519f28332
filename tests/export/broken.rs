//! Files that are not what they are said to be: each is refused with file, line and reason, and the store is as it was.

use std::fs;

use papermaker::config::{Loaded, Sources, load};
use papermaker::journal::Store;
use papermaker::journal::import::{Format, Wish};
use papermaker::market::VenueId;
use papermaker::run::import::import;
use proptest::prelude::*;

use super::story::{Files, gz};

const TRADES: &str = "exchange,symbol,timestamp,local_timestamp,id,side,price,amount\n\
                      binance-futures,BTCUSDT,1600000000000000,1600000000001000,1,buy,100.5,2\n\
                      binance-futures,BTCUSDT,1600000000100000,1600000000101000,2,sell,100.4,1\n";
const BOOK: &str = "exchange,symbol,timestamp,local_timestamp,is_snapshot,side,price,amount\n\
                    binance-futures,BTCUSDT,1600000000000000,1600000000001000,true,bid,100.5,2\n\
                    binance-futures,BTCUSDT,1600000000100000,1600000000101000,false,ask,100.6,1\n";
const QUOTES: &str = "exchange,symbol,timestamp,local_timestamp,ask_amount,ask_price,bid_price,bid_amount\n\
                      binance-futures,BTCUSDT,1600000000000000,1600000000001000,3,100.6,100.5,2\n\
                      binance-futures,BTCUSDT,1600000000100000,1600000000101000,3,100.6,100.4,1\n";
const VISION_TRADES: &str = "id,price,qty,quote_qty,time,is_buyer_maker\n\
                             11,100.5,0.25,25.125,1723161255000,true\n\
                             12,101.0,1.00,101.00,1723161255005,false\n";
const TICKER: &str = "update_id,best_bid_price,best_bid_qty,best_ask_price,best_ask_qty,transaction_time,event_time\n\
                      1,100.5,2,100.6,3,1723161255000,1723161255001\n\
                      2,100.5,1,100.6,3,1723161255004,1723161255009\n";
const BARS: &str = "open_time,open,high,low,close,volume,close_time,quote_volume,count,taker_buy_volume,\
                    taker_buy_quote_volume,ignore\n\
                    1723161240000,100,105,99,104,4,1723161299999,410,7,3,309,0\n\
                    1723161300000,104,104,103,104,1,1723161359999,104,1,1,104,0\n";

/// Of each format a good file, by the name it is known by.
const GOOD: [(&str, Format, &str); 6] = [
    ("trades.csv", Format::TardisCsv, TRADES),
    ("book.csv", Format::TardisCsv, BOOK),
    ("quotes.csv", Format::TardisCsv, QUOTES),
    ("BTCUSDT-trades-2024-08-09.csv", Format::BinanceVision, VISION_TRADES),
    ("BTCUSDT-bookTicker-2024-08-09.csv", Format::BinanceVision, TICKER),
    ("BTCUSDT-1m-2024-08-09.csv", Format::BinanceVision, BARS),
];

fn said(name: &str, format: Format, bytes: &[u8]) -> String {
    let said = Files::new(&[(name, bytes)]).refusal(format, VenueId::BinanceUsdm, "BTCUSDT");
    said.replace(&format!("not a {} recording of binance-usdm BTCUSDT: ", format.word()), "")
}

/// The text with one cell changed; lines and columns from 1.
fn with(text: &str, line: usize, column: usize, cell: &str) -> String {
    let change = |(n, row): (usize, &str)| {
        let mut cells: Vec<&str> = row.split(',').collect();
        if n + 1 == line {
            cells[column - 1] = cell;
        }
        cells.join(",") + "\n"
    };
    text.lines().enumerate().map(change).collect()
}

#[test]
fn a_wrong_cell_is_refused_by_its_line() {
    let (tardis, vision) = (Format::TardisCsv, Format::BinanceVision);
    let is_no_us = "is no time in microseconds since the epoch between 2005 and 2100";
    let is_no_ms = "is no time in milliseconds since the epoch between 2005 and 2100";
    for (text, format, line, column, cell, why) in [
        (TRADES, tardis, 3, 7, "1e", "price \"1e\" is no number".to_owned()),
        (TRADES, tardis, 3, 7, "0", "price 0 is no price".to_owned()),
        (TRADES, tardis, 3, 8, "-1", "amount -1 is negative".to_owned()),
        (TRADES, tardis, 3, 6, "bid", "side \"bid\" is neither buy, sell nor unknown".to_owned()),
        (TRADES, tardis, 2, 2, "ETHUSDT", "is of ETHUSDT, not of BTCUSDT".to_owned()),
        (TRADES, tardis, 2, 1, "okex", "is of okex, which is not what Tardis calls binance-usdm".to_owned()),
        (TRADES, tardis, 3, 4, "1600000000101", format!("local_timestamp \"1600000000101\" {is_no_us}")),
        (TRADES, tardis, 3, 4, "1700000000101000", "its time is 1157 days after the one before it".to_owned()),
        (
            TRADES,
            tardis,
            3,
            4,
            "1599990000000000",
            "its time is 10000 s before the one before it; files go in the order of time".to_owned(),
        ),
        (BOOK, tardis, 3, 5, "maybe", "is_snapshot \"maybe\" is neither true nor false".to_owned()),
        (BOOK, tardis, 3, 6, "buy", "side \"buy\" is neither bid nor ask".to_owned()),
        (QUOTES, tardis, 3, 7, "", "best bid price \"\" is no number".to_owned()),
        (QUOTES, tardis, 3, 7, "0", "1 rest at a best bid price of 0".to_owned()),
        (VISION_TRADES, vision, 3, 2, "x", "price \"x\" is no number".to_owned()),
        (VISION_TRADES, vision, 3, 3, "-2", "quantity -2 is negative".to_owned()),
        (VISION_TRADES, vision, 3, 6, "yes", "a column of true and false \"yes\" is neither true nor false".to_owned()),
        (VISION_TRADES, vision, 3, 5, "1723161255005000", format!("time \"1723161255005000\" {is_no_ms}")),
        (VISION_TRADES, vision, 3, 1, "a", "id \"a\" is no whole number".to_owned()),
        (TICKER, vision, 3, 5, "-3", "best_ask_qty -3 is negative".to_owned()),
        (
            TRADES,
            tardis,
            3,
            7,
            "1000000000000.1",
            "price 1000000000000.1 is more than can be counted with in steps of 0.1".to_owned(),
        ),
        (
            BOOK,
            tardis,
            3,
            8,
            "9007199254740993",
            "quantity 9007199254740993 is more than can be counted with in steps of 1".to_owned(),
        ),
        (BARS, vision, 3, 7, "1723161299000", "closes at 1723161299000, before it opens at 1723161300000".to_owned()),
    ] {
        let name = GOOD.iter().find(|(_, _, good)| *good == text).unwrap().0;
        assert_eq!(said(name, format, with(text, line, column, cell).as_bytes()), format!("{name}:{line}: {why}"));
    }
}

#[test]
fn a_bar_that_is_bought_more_than_a_number_can_hold_is_read() {
    // Twice the largest decimal is none; more was bought than traded, so a buyer it was.
    let most = rust_decimal::Decimal::MAX.to_string();
    let files = Files::new(&[("bars.csv", with(BARS, 3, 10, &most).as_bytes())]);
    survives(&built_in(), files.wish(Format::BinanceVision, VenueId::BinanceUsdm, "BTCUSDT"));
}

#[test]
fn a_file_that_is_no_table_of_its_kind_is_refused() {
    for (name, format, good) in GOOD {
        // One column too many in the last line.
        let wide = good.trim_end().to_owned() + ",1\n";
        let columns = good.lines().next().unwrap().split(',').count();
        let found = said(name, format, wide.as_bytes());
        assert!(found.starts_with(&format!("{name}:3: has {} columns", columns + 1)), "{found}");
        assert!(found.ends_with(&format!("{columns}")) || found.contains(&format!("the {columns} of")), "{found}");
        // Cut off in the middle of a packed file.
        let packed = gz(good.as_bytes());
        let found = said(&format!("{name}.gz"), format, &packed[..packed.len() - 12]);
        assert!(found.contains("cannot be unpacked"), "{found}");
        // Nothing, a header only, another kind's header, bytes.
        assert!(said(name, format, b"").starts_with(&format!("{name}:0: is empty")));
        let header = good.lines().next().unwrap();
        assert_eq!(said(name, format, header.as_bytes()), format!("{name}:0: holds no market data"));
        let other = if format == Format::TardisCsv { VISION_TRADES } else { TRADES };
        assert!(said(name, format, other.as_bytes()).starts_with(&format!("{name}:1: ")));
        let junk: Vec<u8> = (0..4_000u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 11) as u8).collect();
        let found = said(name, format, &junk);
        assert!(found.starts_with(&format!("{name}:")), "{found}");
        // A folder.
        let files = Files::new(&[]);
        let folder = files.folder().join(name);
        fs::create_dir(&folder).unwrap();
        let wish = super::story::asked(vec![folder], format, VenueId::BinanceUsdm, "BTCUSDT");
        let found = papermaker::journal::import::open(wish).err().unwrap().to_string();
        assert!(found.contains(name) && found.contains("cannot be read"), "{found}");
    }
}

/// The configuration that is built in.
fn built_in() -> Loaded {
    let dir = tempfile::tempdir().unwrap();
    let sources = Sources { dir: Some(dir.path().to_path_buf()), profile: String::new(), env: vec![], sets: vec![] };
    load(&sources).unwrap()
}

/// Imports it for good. What is refused names its file, and leaves nothing in the store.
fn survives(loaded: &Loaded, wish: Wish) {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path());
    let names: Vec<_> =
        wish.files.iter().map(|file| file.file_name().unwrap().to_string_lossy().into_owned()).collect();
    match import(loaded, &store, "half", vec![wish], None) {
        Ok(done) => assert!(done.report.frames > 0),
        Err(error) => {
            assert!(names.iter().any(|name| error.to_string().contains(name)), "{error}");
            assert!(store.sessions().unwrap().is_empty(), "{error}");
            assert!(!folder.path().join("half").exists(), "{error}");
        }
    }
}

/// LOBSTER's are pairs, and captures are frames.
const MESSAGES: &str = "34200.1,1,1,10,1000000,1\n34200.2,4,1,4,1000000,1\n34200.3,3,1,6,1000000,1\n";
const LEVELS: &str = "1010000,5,1000000,10\n1010000,5,1000000,4\n1010000,5,990000,7\n";
const OKX: &str = r#"{"t":"header","format":2,"exchange":"OKX"}
{"t":"connect","conn":"a","ts":1600000000.1,"addr":"wss://ws.okx.com:8443/ws/v5/public"}
{"t":"recv","conn":"a","ts":1600000000.2,"data":"{\"arg\":{\"channel\":\"books\",\"instId\":\"BTC-USDT\"},\"action\":\"snapshot\",\"data\":[{\"asks\":[[\"101\",\"1\",\"0\",\"1\"]],\"bids\":[[\"100\",\"1\",\"0\",\"1\"]],\"ts\":\"1600000000150\",\"checksum\":0,\"prevSeqId\":-1,\"seqId\":1}]}"}
{"t":"recv","conn":"a","ts":1600000000.3,"data":"{\"arg\":{\"channel\":\"trades\",\"instId\":\"BTC-USDT\"},\"data\":[{\"instId\":\"BTC-USDT\",\"tradeId\":\"7\",\"px\":\"101\",\"sz\":\"0.5\",\"side\":\"buy\",\"ts\":\"1600000000250\"}]}"}
"#;

const BITSTAMP: &str = r#"1430438404530 order_book {"bids": [["100.00", "2.00000000"]], "asks": [["101.00", "1.50000000"]]}
1430438404540 trade {"price": 101.0, "amount": 1.2000000000000002, "id": 2}
1430438404541 order_created {"price": "101.00", "amount": "2.00000000", "datetime": "1430438404", "id": 5, "order_type": 0}
1430438404550 order_book {"bids": [["100.00", "2.00000000"]], "asks": [["101.00", "0.30000000"]]}
"#;

/// What a disk or an editor may do to a file.
type Change = (prop::sample::Index, u8, u8);

fn changed(text: &str, changes: &[Change]) -> Vec<u8> {
    let mut bytes = text.as_bytes().to_vec();
    for (at, byte, how) in changes {
        if bytes.is_empty() {
            break;
        }
        let at = at.index(bytes.len());
        match how {
            0 => bytes[at] = *byte,
            // What is likely to be read as something else.
            1 => bytes[at] = b"0123456789,.-e\n"[usize::from(*byte) % 15],
            2 => bytes.insert(at, *byte),
            _ => bytes.truncate(at),
        }
    }
    bytes
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, ..ProptestConfig::default() })]

    #[test]
    fn a_file_with_anything_changed_is_imported_or_leaves_nothing(
        which in 0..GOOD.len() + 4,
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0..4u8), 0..6),
    ) {
        let loaded = built_in();
        let pair = ["message", "orderbook"].map(|kind| format!("AAPL_2012-06-21_34200000_57600000_{kind}_1.csv"));
        let lobster = |messages: &[u8], levels: &[u8]| {
            let files = Files::new(&[(&pair[0], messages), (&pair[1], levels)]);
            survives(&loaded, files.wish(Format::Lobster, VenueId::Imported, "AAPL"));
        };
        match which.checked_sub(GOOD.len()) {
            None => {
                let (name, format, good) = GOOD[which];
                let files = Files::new(&[(name, &changed(good, &changes))]);
                survives(&loaded, files.wish(format, VenueId::BinanceUsdm, "BTCUSDT"));
            }
            Some(0) => lobster(&changed(MESSAGES, &changes), LEVELS.as_bytes()),
            Some(1) => lobster(MESSAGES.as_bytes(), &changed(LEVELS, &changes)),
            Some(2) => {
                let files = Files::new(&[("bitstamp.log", &changed(BITSTAMP, &changes))]);
                survives(&loaded, files.wish(Format::Bitstamp, VenueId::Imported, "BTCUSD"));
            }
            Some(_) => {
                let files = Files::new(&[("okx.jsonl", &changed(OKX, &changes))]);
                survives(&loaded, files.wish(Format::Cryptofeed, VenueId::Okx, "BTC-USDT"));
            }
        }
    }
}

#[test]
fn what_the_property_changes_is_imported_as_it_is() {
    let loaded = built_in();
    let pair = ["message", "orderbook"].map(|kind| format!("AAPL_2012-06-21_34200000_57600000_{kind}_1.csv"));
    let lobster = Files::new(&[(&pair[0], MESSAGES.as_bytes()), (&pair[1], LEVELS.as_bytes())]);
    let okx = Files::new(&[("okx.jsonl", OKX.as_bytes())]);
    let bitstamp = Files::new(&[("bitstamp.log", BITSTAMP.as_bytes())]);
    let mut wishes = vec![
        bitstamp.wish(Format::Bitstamp, VenueId::Imported, "BTCUSD"),
        lobster.wish(Format::Lobster, VenueId::Imported, "AAPL"),
        okx.wish(Format::Cryptofeed, VenueId::Okx, "BTC-USDT"),
    ];
    let good: Vec<Files> = GOOD.iter().map(|(name, _, text)| Files::new(&[(name, text.as_bytes())])).collect();
    let ask = |(files, (_, format, _)): (&Files, &(_, Format, _))| files.wish(*format, VenueId::BinanceUsdm, "BTCUSDT");
    wishes.extend(good.iter().zip(&GOOD).map(ask));
    for wish in wishes {
        let folder = tempfile::tempdir().unwrap();
        let done = import(&loaded, &Store::open(folder.path()), "whole", vec![wish], None);
        assert!(done.unwrap().report.frames > 0);
    }
}
