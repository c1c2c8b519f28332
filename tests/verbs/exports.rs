//! `sessions export` for other programs: parquet and hftbacktest's rows, from the command line.

use std::fs;
use std::path::Path;

use super::{Ran, papermaker, unread};
use crate::export::imports::{DIFF, SNAPSHOT, TRADE};

fn sessions(here: &Path, line: &[&str]) -> Ran {
    papermaker(here, &[&["sessions"], line, &["--set", "store.path=store"]].concat())
}

/// A session `btc` of three frames.
fn recorded(here: &Path) {
    let lines: Vec<String> = [DIFF, SNAPSHOT, TRADE].iter().map(|f| format!("1723161253000000000 {f}\n")).collect();
    fs::write(here.join("btc.txt"), lines.concat()).expect("written");
    import(here, "btc.txt", "hftbacktest-raw", "btc").exits(0);
}

fn import(here: &Path, file: &str, format: &str, session: &str) -> Ran {
    let whose = ["--venue", "binance-spot", "--symbol", "BTCUSDT", "--session", session];
    sessions(here, &[&["import", file, "--format", format], &whose[..]].concat())
}

fn csv(here: &Path, session: &str, kind: &str) -> String {
    sessions(here, &["export", session, "--kind", kind]).exits(0).stdout()
}

#[test]
fn a_market_goes_to_hftbacktest_and_comes_back() {
    let here = tempfile::tempdir().expect("a folder");
    let here = here.path();
    recorded(here);
    let out = ["export", "btc", "--format", "hftbacktest-npz", "--out", "btc.npz"];
    let said = sessions(here, &out).exits(0).stdout();
    // A clear, four levels and a trade.
    assert!(said.contains("PAPER btc: 6 rows of hftbacktest to btc.npz"), "{said}");
    sessions(here, &out).exits(2).complains_of(&["btc.npz", "already", "--force"]);
    import(here, "btc.npz", "hftbacktest-npz", "back").exits(0);
    assert_eq!(csv(here, "back", "book"), csv(here, "btc", "book"));
    let without_seq = |text: String| text.lines().filter_map(|l| l.split_once(',')).map(|l| l.1.to_owned()).collect();
    let [there, back]: [Vec<String>; 2] = ["btc", "back"].map(|session| without_seq(csv(here, session, "trades")));
    assert_eq!(there, back);
    sessions(here, &["verify", "back"]).exits(0);
    papermaker(here, &["replay", "back", "--set", "store.path=store"]).exits(0);

    import(here, "btc.txt", "hftbacktest-npz", "half").exits(2).complains_of(&["btc.txt", "is no zip archive"]);
    assert!(!here.join("store/half").exists());
}

#[test]
fn a_reader_who_has_seen_enough_is_no_error() {
    let here = tempfile::tempdir().expect("a folder");
    let here = here.path();
    recorded(here);
    for format in ["csv", "jsonl"] {
        let line = ["sessions", "export", "btc", "--kind", "book", "--format", format, "--set", "store.path=store"];
        assert_eq!(unread(here, &line).exits(0).stderr(), "");
    }
}

#[test]
fn a_folder_is_split_and_a_file_is_one_table() {
    let here = tempfile::tempdir().expect("a folder");
    let here = here.path();
    recorded(here);
    let trades =
        |out: &str| sessions(here, &["export", "btc", "--kind", "trades", "--format", "parquet", "--out", out]);
    trades("trades.parquet").exits(0);
    assert_eq!(&fs::read(here.join("trades.parquet")).expect("written")[..4], b"PAR1");
    trades("trades/").exits(0);
    let file = here.join("trades/venue=binance-spot/symbol=BTCUSDT/date=2024-08-08/btc.parquet");
    assert_eq!(&fs::read(&file).expect("written")[..4], b"PAR1");
    // A folder that is there is one without a slash too.
    trades("trades").exits(2).complains_of(&["btc.parquet", "is there already", "--force"]);
    assert_eq!(fs::read_dir(file.parent().expect("a folder")).expect("a folder").count(), 1);
}

#[test]
fn what_cannot_be_written_is_said_before_anything_is() {
    let here = tempfile::tempdir().expect("a folder");
    let here = here.path();
    recorded(here);
    for (line, parts) in [
        (&["--kind", "trades", "--format", "parquet"][..], &["not for a terminal", "--out"][..]),
        (&["--format", "parquet", "--out", "x"], &["--kind"]),
        (&["--kind", "trades", "--depth", "3", "--out", "x"], &["--depth is of --kind book", "leave --depth out"]),
        (&["--kind", "book", "--every", "1s", "--out", "x"], &["--every is of --kind limits"]),
        (&["--format", "hftbacktest-npz"], &["not for a terminal", "--out"]),
        (&["--format", "hftbacktest-npz", "--kind", "trades", "--out", "x"], &["--kind"]),
        (&["--format", "hftbacktest-npz", "--symbol", "ETHUSDT", "--out", "x"], &["ETHUSDT", "binance-spot:BTCUSDT"]),
        (&["--kind", "trades", "--format", "parquet", "--out", "none/x"], &["none/x"]),
    ] {
        sessions(here, &[&["export", "btc"], line].concat()).exits(2).complains_of(parts);
        assert!(!here.join("x").exists() && !here.join("x.unfinished").exists());
    }
    let ran = sessions(here, &["export", "btc", "--kind", "trades", "--format", "xlsx"]).exits(2);
    assert!(ran.stderr().contains("csv, jsonl and parquet, and hftbacktest-npz"), "{}", ran.stderr());
}
