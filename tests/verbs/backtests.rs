//! `backtest`: tables, JSON and exit codes.

use std::fs;
use std::path::Path;

use serde_json::Value;

use super::{Ran, papermaker};
use crate::backtest::record;
use crate::engine::invariants::storm;
use crate::engine::story::spec;
use crate::export::imports::{DIFF, SNAPSHOT, TRADE};

const NEAR: &str = "kind = \"fixed-spread\"\nhalf_spread_ticks = 1\norder_amount_base = \"5\"\n";

/// A recorded storm of 300 inputs in `store/storm`, and strategies to run over it.
fn prepare(here: &Path) {
    let mut quoting = spec(100);
    quoting.desks[0].strategy = Some(NEAR.to_owned());
    record(&here.join("store"), "storm", &quoting, &storm(3, 300));
    fs::write(here.join("near.toml"), NEAR).expect("written");
    fs::write(here.join("far.toml"), NEAR.replace("= 1", "= 4")).expect("written");
}

fn backtest(here: &Path, args: &[&str]) -> Ran {
    let limits = ["risk.position_max_base=100", "risk.order_qty_max_base=1000", "risk.order_notional_max_quote=1e9"];
    let sets = limits.iter().chain(&["store.path=store"]).flat_map(|set| ["--set", set]);
    let line: Vec<&str> = ["backtest"].into_iter().chain(args.iter().copied()).chain(sets).collect();
    papermaker(here, &[&line[..], &["--resamples", "100"]].concat())
}

/// CONTRACT, "Exports".
const PROMISED: [&str; 11] = [
    "pnl",
    "fees",
    "fills",
    "sharpe",
    "sortino",
    "max_drawdown",
    "mean_abs_position",
    "pnl_to_map",
    "quote_uptime",
    "markouts",
    "ci95",
];

#[test]
fn a_report_that_cannot_be_written_is_told_before_anything_is_run() {
    let here = tempfile::tempdir().expect("a folder");
    let here = here.path();
    prepare(here);
    let page = "nowhere/page.html";
    backtest(here, &["storm", "--strategy", "near.toml", "--report", page])
        .exits(2)
        .complains_of(&["cannot write", page]);
    assert!(!here.join("store/trials.jsonl").exists(), "a trial was made of it");
    let report = ["report", "storm", "--out", page, "--set", "store.path=store"];
    papermaker(here, &report).exits(2).complains_of(&["cannot write", page]);
    backtest(here, &["storm", "--strategy", "near.toml", "--report", "page.html"]).exits(0);
    assert!(here.join("page.html").exists() && !here.join("page.html.unfinished").exists());
}

#[test]
fn a_trial_is_what_shaped_the_run_and_not_how_a_file_is_called() {
    let here = tempfile::tempdir().expect("a folder");
    let here = here.path();
    prepare(here);
    let measured = |name: &str, ms: i64| {
        let text = format!("sent,matched,acknowledged\n0,{0},{1}\n", ms * 1_000_000, 2 * ms * 1_000_000);
        fs::write(here.join(name), text).expect("written");
    };
    let tried = |sets: &[&str]| {
        let sets: Vec<&str> = sets.iter().flat_map(|set| ["--set", set]).collect();
        let line = [&["storm", "--strategy", "near.toml", "--json"], &sets[..]].concat();
        backtest(here, &line).exits(0).json()["trials"]["distinct"].clone()
    };
    let by_file = |name: &str| tried(&["paper.latency_model=measured", &format!("paper.latency_file={name}")]);
    measured("a.csv", 1);
    assert_eq!(by_file("a.csv"), 1);
    // Other delays in the same file are another trial, the same delays in another file are none.
    measured("a.csv", 2);
    measured("b.csv", 2);
    assert_eq!((by_file("a.csv"), by_file("b.csv")), (2.into(), 2.into()));
    assert_eq!(tried(&[]), 3);
    assert_eq!(tried(&["paper.bracket=false"]), 3);
    assert_eq!(tried(&["session.tick_ms=20"]), 3);
}

#[test]
fn json_has_the_promised_keys_for_strategies_and_differences() {
    let here = tempfile::tempdir().expect("a folder");
    prepare(here.path());
    let found = backtest(here.path(), &["storm", "--strategy", "near.toml", "--strategy", "far.toml", "--json"]);
    let found = found.exits(0).json();
    assert_eq!(found["paper"], true);
    for part in [&found["strategies"][0], &found["strategies"][1], &found["pairs"][0]] {
        let missing: Vec<_> = PROMISED.iter().filter(|key| part.get(**key).is_none()).collect();
        assert!(missing.is_empty(), "{missing:?} of {part:#}");
        assert!(part["pnl"].is_f64() && part["ci95"]["pnl"].is_object(), "{part:#}");
    }
    let digest = found["strategies"][0]["runs"][0]["output_digest"].as_str().map(str::len);
    assert_eq!((digest, &found["trials"]["distinct"]), (Some(64), &2.into()));
    assert_eq!((&found["recordings"][0]["name"], &found["recordings"][0]["inputs"]), (&"storm".into(), &300.into()));
}

#[test]
fn a_table_says_paper_and_lists_everybody() {
    let here = tempfile::tempdir().expect("a folder");
    prepare(here.path());
    let line = ["storm", "--strategy", "near.toml", "--strategy", "far.toml", "--verbose"];
    let ran = backtest(here.path(), &line).exits(0);
    let table = ran.stdout();
    assert!(table.starts_with("PAPER backtest of 2 strategies over 1 recording"), "{table}");
    for words in [
        "near",
        "far",
        "pnl (95 %)",
        "note: fees as configured (profile demo): binance-spot maker",
        "near - far",
        "2 trials on these recordings",
        "output digest",
        "USDT",
    ] {
        assert!(table.contains(words), "no {words:?} in\n{table}");
    }
    // Nobody looks at a bar in a pipe.
    assert_eq!(ran.stderr(), "");
    let as_recorded = backtest(here.path(), &["store/storm", "--as-recorded", "--verbose"]).exits(0).stdout();
    assert!(as_recorded.contains("as recorded"), "{as_recorded}");
    let trials = backtest(here.path(), &["--trials", "--json"]).exits(0).json();
    let names: Vec<&Value> = trials["trials"].as_array().expect("a list").iter().map(|t| &t["strategy"]).collect();
    assert_eq!(names, ["near", "far", "recorded"]);
    assert!(backtest(here.path(), &["--trials", "storm"]).exits(0).stdout().starts_with("PAPER 3 trials in store"));
    assert!(backtest(here.path(), &["--trials", "calm"]).exits(0).stdout().starts_with("PAPER 0 trials"));
}

#[test]
fn who_must_beat_and_does_not_exits_with_one() {
    // Against itself under another name nobody is above with any confidence.
    let here = tempfile::tempdir().expect("a folder");
    prepare(here.path());
    fs::write(here.path().join("same.toml"), format!("{NEAR}# the same")).expect("written");
    let lost = backtest(here.path(), &["storm", "--strategy", "near.toml", "--must-beat", "same.toml", "--json"]);
    assert_eq!(lost.json()["strategies"][1]["name"], "same");
    lost.exits(1).complains_of(&["near does not beat same"]);
    backtest(here.path(), &["storm", "--strategy", "near.toml", "--strategy", "far.toml", "--must-beat", "near"])
        .exits(2)
        .complains_of(&["--must-beat near", "against far"]);
}

#[test]
fn files_are_run_over_without_a_session_of_them() {
    let here = tempfile::tempdir().expect("a folder");
    let frames = [SNAPSHOT, DIFF, TRADE];
    let lines = |second: u32| {
        let stamped = frames.iter().enumerate().map(|(ms, frame)| format!("17231612{second}00{ms}000000 {frame}\n"));
        stamped.collect::<String>()
    };
    for (name, second) in [("one.txt", 53), ("two.txt", 54)] {
        fs::write(here.path().join(name), lines(second)).expect("written");
    }
    let sets = ["--set", "store.path=store", "--json", "--strategy", "fixed-spread", "--format", "hftbacktest-raw"];
    let sets = [&sets[..], &["--tick", "0.01", "--lot", "0.00001"]].concat();
    let own = ["--instrument", "binance-spot:BTCUSDT", "--apart", "one.txt", "two.txt"];
    let found = papermaker(here.path(), &[&["backtest"], &sets[..], &own].concat()).exits(0).json();
    let names = |found: &Value| {
        let all = found["recordings"].as_array().expect("a list");
        all.iter().map(|r| r["name"].as_str().expect("a name").to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(names(&found), ["one.txt", "two.txt"]);
    let together = ["--instrument", "binance-spot:BTCUSDT=one.txt,two.txt"];
    let found = papermaker(here.path(), &[&["backtest"], &sets[..], &together].concat()).exits(0).json();
    assert_eq!(names(&found), ["one.txt+two.txt"]);
    let left: Vec<_> = fs::read_dir(here.path().join("store")).expect("the log is there").flatten().collect();
    assert_eq!(left.len(), 1, "nothing but the log of trials: {left:?}");
    papermaker(here.path(), &["backtest", "one.txt", "--format", "hftbacktest-raw"]).exits(2).complains_of(&["hint:"]);
}

#[test]
fn what_cannot_be_run_exits_with_two_and_says_what_to_do() {
    let here = tempfile::tempdir().expect("a folder");
    prepare(here.path());
    backtest(here.path(), &["monday"]).exits(2).complains_of(&["monday", "hint:"]);
    backtest(here.path(), &[]).exits(2).complains_of(&["nothing to run over"]);
    backtest(here.path(), &["storm", "--strategy", "nobody.toml"]).exits(2).complains_of(&["nobody.toml"]);
    backtest(here.path(), &["storm", "--sweep", "no.toml"]).exits(2).complains_of(&["no.toml", "cannot be read"]);
    backtest(here.path(), &["storm", "--strategy", "near.toml", "--walk-forward", "3"])
        .exits(2)
        .complains_of(&["nothing to choose from"]);
    // Five seconds are less than what estimators look back on: the runs are told all the same.
    let two = ["storm", "--strategy", "near.toml", "--strategy", "far.toml", "--walk-forward", "3"];
    let short = backtest(here.path(), &two).exits(2).complains_of(&["--walk-forward", "--embargo"]);
    assert!(short.stdout().contains("near - far"), "{}", short.stdout());
    let usage = backtest(here.path(), &["storm", "--cpcv", "6"]).exits(2);
    assert!(usage.stderr().contains("6,2"), "{}", usage.stderr());
    // Limits that are less than a lot of what was recorded.
    papermaker(here.path(), &["backtest", "storm", "--strategy", "near.toml", "--set", "store.path=store"])
        .exits(2)
        .complains_of(&["near on storm", "less than one lot"]);
}
