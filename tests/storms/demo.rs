//! `papermaker run` as a newcomer types it: the embedded exchange, fills, a proof; and what a flipped byte does to it.

use super::left;
use crate::support::bot::Bot;

/// The demo's estimates need half a minute to become known; here it has seconds.
pub const QUICK: [&str; 10] = [
    "--set",
    "signals.volatility_grid_ms=100",
    "--set",
    "signals.volatility_samples_min=5",
    "--set",
    "signals.intensity_orders_min=5",
    "--set",
    "signals.intensity_refit_s=0.5",
    "--set",
    "simulator.market_rate_per_s=20",
];

#[test]
fn the_demo_quotes_fills_ends_by_the_clock_and_replays() {
    let here = tempfile::tempdir().expect("a folder");
    let mut bot = Bot::start(here.path(), "weather", &[&["--for", "12s"][..], &QUICK].concat());
    assert_eq!(bot.end().code(), Some(0), "{}", bot.log());
    let left = left(here.path());
    let conduct = left.conduct();
    assert!(conduct.decisions > 0 && conduct.fills > 0, "{conduct:?}\n{}", bot.log());
    assert_eq!(conduct.resting_at_end, 0, "{conduct:?}");
    let said = std::fs::read_to_string(here.path().join("weather.out")).expect("its stdout");
    assert!(said.starts_with("PAPER session weather ended"), "{said}");
    assert_eq!(left.rows("fills", &[]).len(), conduct.fills);
    left.verb(&["sessions", "verify"], &[]).exits(0);
    left.replays();

    // One bit in the middle of what is stored.
    let segment = bot.session().join("00000001.seg");
    let mut bytes = std::fs::read(&segment).expect("a segment");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0x10;
    std::fs::write(&segment, bytes).expect("damaged");
    for verb in [&["sessions", "verify"][..], &["replay"]] {
        left.verb(verb, &[]).exits(1).complains_of(&["00000001.seg", "damaged at byte"]);
    }
}

#[test]
fn a_signal_ends_it_in_an_orderly_way() {
    let here = tempfile::tempdir().expect("a folder");
    let mut bot = Bot::start(here.path(), "weather", &super::BOLD);
    bot.wait_until("quoting", |p| p["instruments"][0]["quotes"].as_array().is_some_and(|q| !q.is_empty()));
    bot.terminate();
    let left = left(here.path());
    let conduct = left.conduct();
    assert!(conduct.placed > 0 && conduct.resting_at_end == 0, "{conduct:?}");
    let risk = left.rows("risk", &[]);
    assert!(risk.iter().any(|row| row[2] == "stop" && row[7] == "SIGTERM"), "{risk:?}");
    let shown = left.verb(&["sessions", "show"], &["--json"]).exits(0).json();
    assert_eq!(shown["state"], "ended");
    assert!(!here.path().join("store/api.json").exists(), "its contact file is gone");
    left.replays();
}
