//! Parquet against csv, value by value, and what is left of an export that fails.

use std::fs::File;
use std::io::Write;

use papermaker::journal::export::{At, Cast, Exporter, Folder, Kind, Wish, table::Format};
use papermaker::market::{Instrument, InstrumentId, MarketEventKind, PrintFlags, VenueId};
use papermaker::units::{Lots, Side, Step, Ticks};
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::{Field, Row};
use rust_decimal::Decimal;

use super::tables::{Record, cast, market, news};

/// Panics unless a parquet file has the columns of a csv text, in order, and the same values.
#[track_caller]
pub fn agrees(file: Vec<u8>, csv: &str) {
    let reader = reader(&file);
    let mut rows = csv::Reader::from_reader(csv.as_bytes());
    let header: Vec<String> = rows.headers().expect("a header").iter().map(str::to_owned).collect();
    let schema = reader.metadata().file_metadata().schema();
    assert_eq!(schema.get_fields().iter().map(|field| field.name()).collect::<Vec<_>>(), header);
    let found: Vec<Row> = reader.get_row_iter(None).expect("rows").map(|row| row.expect("a row")).collect();
    let expected: Vec<csv::StringRecord> = rows.records().map(|row| row.expect("a row")).collect();
    assert_eq!(found.len(), expected.len());
    for (row, expected) in found.iter().zip(&expected) {
        for ((name, field), text) in row.get_column_iter().zip(expected) {
            let is_same = match field {
                Field::Null => text.is_empty(),
                Field::Long(value) => text.parse() == Ok(*value),
                Field::ULong(value) => text.parse() == Ok(*value),
                Field::Double(value) => text.parse() == Ok(*value),
                Field::Str(words) => words == text,
                Field::Decimal(value) => {
                    let bytes: [u8; 16] = value.data().try_into().expect("sixteen bytes");
                    let (units, scale) = (i128::from_be_bytes(bytes), value.scale() as u32);
                    // Beyond 96 bits only the text is left to compare.
                    let digits = Decimal::try_from_i128_with_scale(units, scale).map(|value| value.normalize());
                    match digits {
                        Ok(digits) => text.parse::<Decimal>().is_ok_and(|text| text.normalize() == digits),
                        Err(_) => plain(units, scale as usize) == text,
                    }
                }
                other => panic!("{name} is {other:?}"),
            };
            assert!(is_same, "{name} is {field:?}, in csv {text:?}");
        }
    }
}

fn reader(bytes: &[u8]) -> SerializedFileReader<File> {
    let mut file = tempfile::tempfile().expect("a file");
    file.write_all(bytes).expect("written");
    SerializedFileReader::new(file).expect("parquet")
}

/// A decimal without zeros at its end.
fn plain(units: i128, scale: usize) -> String {
    let digits = format!("{:0>1$}", units.unsigned_abs(), scale + 1);
    let (whole, part) = digits.split_at(digits.len() - scale);
    let text = format!("{}{whole}.{part}", if units < 0 { "-" } else { "" });
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn wish(kind: Kind) -> Wish {
    Wish { kind, format: Format::Parquet, at: At::End, depth: 5 }
}

fn folder(root: &std::path::Path, force: bool) -> Folder {
    Folder { root: root.to_owned(), name: "told".to_owned(), force }
}

/// What became of an export into a folder.
fn split(kind: Kind, cast: Cast, to: Folder, records: &[Record]) -> Result<u64, String> {
    let mut exporter = Exporter::split(wish(kind), cast, to);
    for (input, outputs) in records {
        exporter.step(input, outputs).map_err(|error| error.to_string())?;
    }
    exporter.finish().map(|exported| exported.rows).map_err(|error| error.to_string())
}

/// Every file and folder below, by path.
fn below(root: &std::path::Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut todo = vec![root.to_owned()];
    while let Some(folder) = todo.pop() {
        for entry in std::fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            found.push(path.strip_prefix(root).expect("below").display().to_string());
            if path.is_dir() {
                todo.push(path);
            }
        }
    }
    found.sort();
    found
}

const DAY: i64 = 86_400_000_000_000;

/// A trade of the first instrument, `day` days after the epoch.
fn trade(day: i64, seq: u64) -> Record {
    let (taker, price, qty) = (Side::Bid, Ticks(10_001), Lots(seq as i64));
    let mut told = news(seq, MarketEventKind::Trade { id: seq, taker, price, qty, flags: PrintFlags::NONE });
    told.0.at.0 += day * DAY;
    told
}

#[test]
fn a_folder_is_split_by_venue_symbol_and_day_and_says_so_in_its_paths_only() {
    let here = tempfile::tempdir().unwrap();
    let root = here.path().join("trades");
    let mut cast = cast();
    let (tick, lot) = (Step::parse("0.1").unwrap(), Step::parse("1").unwrap());
    cast.instruments.push(Instrument::new(VenueId::Kraken, "XMR/USD", "XMR", "USD", tick, lot).unwrap());
    let mut other = trade(1, 3);
    if let papermaker::engine::Input::Market(event) = &mut other.0.input {
        event.instrument = InstrumentId(1);
    }
    let records = [trade(0, 1), trade(0, 2), other, trade(1, 4)];
    assert_eq!(split(Kind::Trades, cast, folder(&root, false), &records), Ok(4));
    let files: Vec<String> = below(&root).into_iter().filter(|path| path.ends_with(".parquet")).collect();
    let btc = "venue=binance-spot/symbol=BTCUSDT/date=1970-01-0";
    assert_eq!(
        files,
        [
            format!("{btc}1/told.parquet"),
            format!("{btc}2/told.parquet"),
            "venue=kraken/symbol=XMR%2FUSD/date=1970-01-02/told.parquet".to_owned(),
        ]
    );
    let read = |file: &str| std::fs::read(root.join(file)).unwrap();
    let header = "seq,recv_ns,venue_ns,trade_id,price,qty,aggressor\n";
    let rows = "1,1000000,1000007,1,100.01,0.00001,buy\n2,2000000,2000007,2,100.01,0.00002,buy\n";
    agrees(read(&files[0]), &format!("{header}{rows}"));
    agrees(read(&files[2]), &format!("{header}3,86400003000000,3000007,3,1000.1,3,buy\n"));
}

#[test]
fn a_second_export_into_the_folder_replaces_nothing_unless_told_to() {
    let here = tempfile::tempdir().unwrap();
    let root = here.path().join("trades");
    assert_eq!(split(Kind::Trades, cast(), folder(&root, false), &[trade(0, 1)]), Ok(1));
    let before = below(&root);
    // The first day is written before the second is found to be there: neither day may change.
    let error = split(Kind::Trades, cast(), folder(&root, false), &[trade(-1, 1), trade(0, 2)]).unwrap_err();
    assert!(error.contains("told.parquet: is there already") && error.contains("--force"), "{error}");
    assert_eq!(below(&root), before);
    assert_eq!(split(Kind::Trades, cast(), folder(&root, true), &[trade(0, 1), trade(0, 2)]), Ok(2));
    assert_eq!(below(&root), before);
}

#[test]
fn an_export_that_breaks_leaves_nothing_behind() {
    let here = tempfile::tempdir().unwrap();
    let root = here.path().join("trades");
    let mut exporter = Exporter::split(wish(Kind::Trades), cast(), folder(&root, false));
    let (input, outputs) = trade(0, 1);
    exporter.step(&input, &outputs).unwrap();
    assert!(below(here.path()).iter().any(|path| path.ends_with(".told.parquet.unfinished")));
    drop(exporter);
    assert_eq!(below(here.path()), Vec::<String>::new());
}

#[test]
fn a_price_finer_than_its_column_is_refused_not_rounded() {
    let mut rules = cast().instruments.remove(0);
    rules.tick = Step::parse("0.001").unwrap();
    let records = [trade(0, 1), news(2, MarketEventKind::Rules(Box::new(rules))), trade(0, 3)];
    let mut exporter = Exporter::new(wish(Kind::Trades), cast(), Vec::new()).unwrap();
    let failed = records.iter().find_map(|(input, outputs)| exporter.step(input, outputs).err()).unwrap();
    let said = failed.to_string();
    assert!(said.contains("column price: 10.001 has no room in 38 digits, 2 of them decimals"), "{said}");
}

#[test]
fn many_rows_are_many_row_groups_and_all_of_them_are_there() {
    // 65,536 rows make a group.
    let mut file = Vec::new();
    let mut exporter = Exporter::new(wish(Kind::Trades), cast(), &mut file).unwrap();
    let mut csv = Kind::Trades.columns().join(",");
    for seq in 1..=65_538u64 {
        let (input, outputs) = trade(0, seq);
        exporter.step(&input, &outputs).unwrap();
        let (ms, qty) = (seq * 1_000_000, Decimal::new(seq as i64, 5));
        csv += &format!("\n{seq},{ms},{},binance-spot,BTCUSDT,{seq},100.01,{qty},buy", ms + 7);
    }
    exporter.finish().unwrap();
    assert_eq!(reader(&file).metadata().num_row_groups(), 2);
    agrees(file, &csv);
}

#[test]
fn a_session_without_such_rows_is_a_table_without_rows() {
    let mut file = Vec::new();
    let exporter = Exporter::new(wish(Kind::Fills), cast(), &mut file).unwrap();
    assert_eq!(exporter.finish().unwrap().rows, 0);
    agrees(file, &Kind::Fills.columns().join(","));
}

#[test]
fn a_book_is_a_table_of_its_moment() {
    let mut file = Vec::new();
    let mut exporter = Exporter::new(wish(Kind::Book), cast(), &mut file).unwrap();
    market().iter().take(3).for_each(|(input, outputs)| exporter.step(input, outputs).unwrap());
    exporter.finish().unwrap();
    let rows = ["bid,1,100.01,0.00005", "bid,2,100.00,1.00000", "bid,3,99.99,0.00001", "ask,1,100.03,0.50000"];
    let csv = rows.map(|row| format!("\nbinance-spot,BTCUSDT,{row}")).concat();
    agrees(file, &(Kind::Book.columns().join(",") + &csv));
}
