//! `realism`: what it prints, writes and refuses.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use serde_json::Value;

use super::papermaker;
use crate::support::bot::Left;
use crate::support::data_dir;

const BANDS: [&str; 14] = [
    "return_tail",
    "abs_over_sigma",
    "linear_acf",
    "volatility_clustering",
    "aggregational_gaussianity",
    "hurst",
    "order_sign_memory",
    "spread",
    "order_sizes",
    "placement_depth",
    "lifetimes",
    "arrivals",
    "volume_volatility",
    "impact",
];

fn market(here: &Path) {
    fs::write(here.join("quiet.toml"), "like = \"demo\"\n").expect("written");
}

/// What CONTRACT promises of every band.
fn bands(told: &Value) -> Vec<&Value> {
    let bands: Vec<&Value> = told["bands"].as_array().expect("bands").iter().collect();
    assert_eq!(bands.iter().map(|band| band["name"].as_str().unwrap()).collect::<Vec<_>>(), BANDS, "{told}");
    for band in &bands {
        assert!(band["low"].as_f64().unwrap() < band["high"].as_f64().unwrap() && band["n"].is_u64(), "{band}");
        assert!(band["value"].is_f64() || band["value"].is_null(), "{band}");
        match &band["inside"] {
            Value::Bool(inside) => {
                let (low, high) = (band["low"].as_f64().unwrap(), band["high"].as_f64().unwrap());
                let is_between = band["value"].as_f64().is_some_and(|value| (low..=high).contains(&value));
                assert!(is_between || !inside, "{band}");
            }
            Value::Null => {
                let note = band["note"].as_str().expect("a note");
                assert!(band["value"].is_null() && !note.is_empty() || note.contains("too short a horizon"), "{band}");
            }
            other => panic!("inside is {other}"),
        }
    }
    bands
}

#[test]
fn a_simulated_market_is_judged_by_fourteen_bands_the_same_every_time() {
    let here = tempfile::tempdir().expect("a folder");
    let here = here.path();
    market(here);
    let line = ["realism", "--sim", "quiet.toml", "--for", "10m", "--seed", "3", "--json"];
    let told = papermaker(here, &line).exits(0).json();
    assert_eq!((&told["paper"], &told["of"]["seed"]), (&true.into(), &3.into()), "{told}");
    let counted = |inside: Value| bands(&told).iter().filter(|band| band["inside"] == inside).count();
    for (key, inside) in [("held", true.into()), ("missed", false.into()), ("unmeasured", Value::Null)] {
        assert_eq!(told[key], counted(inside), "{key}");
    }
    // Two and a half takers a second for ten minutes, of the crowd alone, in bursts.
    let orders = told["orders"].as_u64().expect("a count");
    assert!(orders > 1_000, "{orders}");
    assert_eq!(papermaker(here, &line).exits(0).json(), told);
    // A spread of many ticks, and everybody's life is told.
    let band = |name: &str| bands(&told).into_iter().find(|band| band["name"] == name).expect("one of fourteen");
    assert!(band("spread")["value"].as_f64().is_some_and(|ratio| ratio >= 1.0), "{told}");
    assert!(band("lifetimes")["n"].as_u64().is_some_and(|n| n > 1_000), "{told}");

    let table = papermaker(here, &line[..7]).exits(0).stdout();
    assert!(table.starts_with("PAPER realism of quiet.toml, BTCUSDT, simulated, seed 3: 600 s"), "{table}");
    assert!(BANDS.iter().all(|name| table.contains(name)) && table.contains("of 14 bands hold"), "{table}");
}

#[test]
fn too_few_bands_are_an_answer_and_a_report_is_written_all_the_same() {
    let here = tempfile::tempdir().expect("a folder");
    let here = here.path();
    market(here);
    let line = ["realism", "--sim", "quiet.toml", "--for", "60s", "--out", "quiet.html"];
    let ran = papermaker(here, &[&line[..], &["--must-pass", "14"]].concat()).exits(1);
    let ran = ran.complains_of(&["bands hold, at least 14 must", "hint: "]);
    assert!(ran.stdout().contains("report: quiet.html"), "{}", ran.stdout());
    let page = fs::read_to_string(here.join("quiet.html")).expect("a page");
    assert!(page.contains("PAPER") && page.contains("data-chart=\"curve\""), "no charts");
    assert!(BANDS.iter().all(|name| page.contains(&format!("data-key=\"{name}\""))));
    papermaker(here, &line).exits(2).complains_of(&["quiet.html", "nothing is overwritten", "--force"]);
    papermaker(here, &[&line[..], &["--force", "--must-pass", "0"]].concat()).exits(0);
    papermaker(here, &["realism", "--sim", "quiet.toml", "--must-pass", "15"]).exits(2);
}

#[test]
fn a_recorded_session_is_judged_by_the_same_bands() {
    let here = tempfile::tempdir().expect("a folder");
    let golden = concat!(env!("CARGO_MANIFEST_DIR"), "/replay/golden/demo-btcusdt");
    let told = papermaker(here.path(), &["realism", golden, "--json"]).exits(0).json();
    bands(&told);
    let shown = papermaker(here.path(), &["sessions", "show", golden, "--json"]).exits(0).json();
    assert_eq!((&told["of"]["session"], &told["prints"]), (&shown["id"], &shown["trades"]), "{told}");
    papermaker(here.path(), &["realism", golden, "--instrument", "7"]).exits(2).complains_of(&["none is number 7"]);
}

#[test]
fn a_recorded_morning_has_the_spread_and_the_sweeps_that_are_in_its_exports() {
    let Some(data) = data_dir() else { return };
    let here = tempfile::tempdir().expect("a folder");
    let here = here.path();
    let file = data.join("binance-spot/hftbacktest_spot_btcusdt_20240808.gz").display().to_string();
    let import = ["sessions", "import", &file, "--format", "hftbacktest-raw", "--venue", "binance-spot"];
    let import = [&import[..], &["--symbol", "BTCUSDT", "--session", "august", "--set", "store.path=store"]].concat();
    papermaker(here, &import).exits(0);
    let told = papermaker(here, &["realism", "august", "--json", "--set", "store.path=store"]).exits(0).json();
    // Prints of one venue time and side are one order.
    let left = Left { folder: here, session: "august" };
    let trades = left.rows("trades", &[]);
    let orders: BTreeSet<(&String, &String)> = trades.iter().map(|row| (&row[2], &row[8])).collect();
    assert_eq!((&told["prints"], &told["orders"]), (&trades.len().into(), &orders.len().into()));
    let spread = bands(&told).into_iter().find(|band| band["name"] == "spread").expect("one of fourteen");
    assert_eq!((&spread["inside"], &spread["low"]), (&true.into(), &0.97.into()), "BTCUSDT is one tick wide: {spread}");
}

#[test]
fn what_is_no_market_is_refused() {
    let here = tempfile::tempdir().expect("a folder");
    let here = here.path();
    fs::write(here.join("typo.toml"), "like = \"demo\"\nwarm_op_s = 60\n").expect("written");
    papermaker(here, &["realism", "--sim", "typo.toml"]).exits(2).complains_of(&[
        "typo.toml:2",
        "warm_op_s",
        "warm_up_s",
    ]);
    papermaker(here, &["realism", "--sim", "none.toml"]).exits(2).complains_of(&["none.toml", "hint: "]);
    papermaker(here, &["realism", "nobody"]).exits(2).complains_of(&["nobody"]);
    papermaker(here, &["realism"]).exits(2);
    papermaker(here, &["realism", "nobody", "--sim", "typo.toml"]).exits(2);
}
