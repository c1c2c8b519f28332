//! `backtest --sim`: strategies in a market that reacts.

use super::papermaker;

/// Two strategies for two seeds of a minute, quick to know their estimates.
const LINE: [&str; 22] = [
    "backtest",
    "--sim",
    "demo",
    "--for",
    "1m",
    "--seeds",
    "2",
    "--strategy",
    "avellaneda-stoikov",
    "--strategy",
    "fixed-spread",
    "--resamples",
    "100",
    "--set",
    "store.path=store",
    "--set",
    "signals.volatility_samples_min=5",
    "--set",
    "signals.intensity_orders_min=5",
    "--set",
    "signals.intensity_refit_s=1",
    "--json",
];

#[test]
fn seeds_are_runs_strategies_are_paired_and_what_is_kept_replays() {
    let here = tempfile::tempdir().expect("a folder");
    let here = here.path();
    let found = papermaker(here, &[&LINE[..], &["--keep", "inside"]].concat()).exits(0).json();
    let names: Vec<_> = found["recordings"].as_array().expect("a list").iter().map(|r| &r["name"]).collect();
    assert_eq!(names, ["demo seed 1", "demo seed 2"]);
    for strategy in found["strategies"].as_array().expect("a list") {
        let runs = strategy["runs"].as_array().expect("one per seed");
        assert!(runs.len() == 2 && runs[0]["output_digest"] != runs[1]["output_digest"], "{strategy:#}");
        assert!(strategy["fills"].as_u64().expect("a number") > 0, "{strategy:#}");
    }
    assert!(found["pairs"][0]["pnl"].is_number(), "{:#}", found["pairs"]);
    // The same again, on one thread, is the same to the digit; the trials are no new ones.
    let mut again = papermaker(here, &[&LINE[..], &["--threads", "1"]].concat()).exits(0).json();
    assert_eq!(again["trials"]["new"], 0);
    again["trials"] = found["trials"].clone();
    assert_eq!(again, found);
    for kept in ["inside-avellaneda-stoikov-1", "inside-avellaneda-stoikov-2", "inside-fixed-spread-1"] {
        let proof = papermaker(here, &["replay", kept, "--json", "--set", "store.path=store"]).exits(0).json();
        assert_eq!(proof["identical"], true, "{proof:#}");
    }
    // Another strategy's orders the market never saw: the paper exchange answers them, and says so.
    let kept = "inside-avellaneda-stoikov-1";
    let other = ["replay", kept, "--strategy", "fixed-spread", "--json", "--set", "store.path=store"];
    let other = papermaker(here, &other).exits(0).json();
    assert!(other["changed"].to_string().contains("fills by the paper exchange"), "{:#}", other["changed"]);
    for line in
        [&["replay", kept, "--bracket"][..], &["risk", "stress", kept], &["backtest", kept, "--resamples", "10"]]
    {
        papermaker(here, &[line, &["--set", "store.path=store"]].concat()).exits(0);
    }
    // A name that is taken is not overwritten.
    papermaker(here, &[&LINE[..], &["--keep", "inside"]].concat()).exits(2).complains_of(&["inside-", "exists"]);
}

#[test]
fn what_makes_no_sense_is_refused_with_what_would() {
    let here = tempfile::tempdir().expect("a folder");
    let here = here.path();
    let run = |more: &[&str]| papermaker(here, &[&["backtest", "--set", "store.path=store"], more].concat());
    run(&["--sim", "nowhere"]).exits(2).complains_of(&["no such market", "demo, btc, rmsc04, stress"]);
    run(&["--sim", "rmsc04"]).exits(2).complains_of(&[
        "does not list binance-spot:BTCUSDT",
        "it lists",
        "session.instruments",
    ]);
    let typo = "session.instruments=[\"binance-spot:BTCUSDT\", \"binance-spot:ETHUSD\"]";
    run(&["--sim", "demo", "--set", typo]).exits(2).complains_of(&["ETHUSD", "binance-spot:ETHUSDT"]);
    run(&["--sim", "demo", "--strategy", "recorded", "--for", "1s"])
        .exits(2)
        .complains_of(&["only a recorded session"]);
    assert_eq!(run(&["--sim", "demo", "monday"]).code(), Some(2));
    assert_eq!(run(&["--sim", "demo", "--as-recorded"]).code(), Some(2));
    assert_eq!(run(&["monday", "--for", "1h"]).code(), Some(2));
    assert_eq!(run(&["--sim", "demo", "--seeds", "0"]).code(), Some(2));
}
