//! `papermaker run` as a newcomer types it: the embedded exchange, fills, a proof; and what a flipped byte does to it.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use serde_json::Value;

use super::left;
use crate::support::bot::Bot;
use crate::verbs::papermaker;

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

    // One bit anywhere in what is stored: inputs, outputs, headers, the end.
    let segment = bot.session().join("00000001.seg");
    let whole = std::fs::read(&segment).expect("a segment");
    for eighth in 0..=8 {
        let at = (whole.len() - 1) * eighth / 8;
        let mut bytes = whole.clone();
        bytes[at] ^= 0x10;
        std::fs::write(&segment, bytes).expect("damaged");
        for verb in [&["sessions", "verify"][..], &["replay"]] {
            left.verb(verb, &[]).exits(1).complains_of(&["00000001.seg", "damaged at byte"]);
        }
    }
    std::fs::write(&segment, whole).expect("restored");
    left.replays();
}

#[test]
fn recording_only_it_hears_everything_and_says_nothing() {
    let here = tempfile::tempdir().expect("a folder");
    let mut bot = Bot::start(here.path(), "weather", &[&["--for", "2s", "--record-only"][..], &QUICK].concat());
    assert_eq!(bot.end().code(), Some(0), "{}", bot.log());
    let left = left(here.path());
    let conduct = left.conduct();
    assert_eq!((conduct.decisions, conduct.placed), (0, 0), "{conduct:?}");
    assert!(!left.rows("bbo", &[]).is_empty());
    left.replays();
}

#[test]
fn what_the_operator_wants_is_done_recorded_and_remembered() {
    let here = tempfile::tempdir().expect("a folder");
    let ask = |verb: &[&str]| papermaker(here.path(), &[verb, &["--set", "store.path=store"]].concat()).exits(0);
    let quoting = |p: &Value| p["instruments"][0]["quotes"].as_array().is_some_and(|quotes| !quotes.is_empty());
    let mut bot = Bot::start(here.path(), "weather", &super::BOLD);
    bot.wait_until("quoting", quoting);
    ask(&["pause"]);
    bot.wait_until("paused", |p| p["state"] == "paused" && !quoting(p));
    ask(&["resume"]);
    bot.wait_until("quoting again", quoting);
    ask(&["flatten"]);
    // Flat is also what is too little for the venue to take: 5 USDT are less than 0.0001 BTC.
    let position = |p: &Value| p["instruments"][0]["position"].as_str().and_then(|text| text.parse::<f64>().ok());
    bot.wait_until("flat", |p| p["state"] == "paused" && position(p).is_some_and(|held| held.abs() < 0.0001));
    ask(&["halt", "--reason", "strange fills"]);
    let halted = |p: &Value| p["state"] == "halted" && p["reason"] == "strange fills, by operator";
    let seq = bot.wait_until("halted", halted)["seq"].as_u64();
    // A tenth of a second is what a sudden death may take.
    bot.wait_until("on the disk", |p| {
        p["seq"].as_u64().zip(p["journal"]["waiting"].as_u64()).map(|(said, waiting)| said - waiting) >= seq
    });
    bot.signal("KILL");
    bot.end();
    let first = left(here.path());
    let said: Vec<_> = first.rows("risk", &[]).into_iter().filter(|row| row[7] == "operator").collect();
    let words: Vec<&str> = said.iter().map(|row| row[2].as_str()).filter(|word| *word != "state").collect();
    assert_eq!(words, ["pause", "resume", "flatten", "halt"], "{said:?}");
    first.conduct();
    first.replays();

    // Halted is halted, whatever happened to the process, until somebody says otherwise.
    let mut bot = Bot::start(here.path(), "after", &super::BOLD);
    bot.wait_until("halted still", |p| p["state"] == "halted" && !quoting(p));
    ask(&["resume"]);
    bot.wait_until("quoting at last", quoting);
    bot.terminate();
}

#[test]
fn the_exchange_can_be_a_program_of_its_own() {
    let here = tempfile::tempdir().expect("a folder");
    let mut exchange = Command::new(env!("CARGO_BIN_EXE_papermaker"))
        .args(["exchange", "--listen", "127.0.0.1:0", "--seed", "7"])
        .current_dir(here.path())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the binary was built");
    let said = BufReader::new(exchange.stdout.take().expect("piped")).lines();
    let at = said.map(|line| line.expect("text")).find_map(|line| {
        let (_, rest) = line.split_once("ws://")?;
        Some(rest.split('/').next()?.to_owned())
    });
    let at = at.expect("it says where it listens");
    let (ws, rest) =
        (format!("venues.binance-spot.ws_url=ws://{at}"), format!("venues.binance-spot.rest_url=http://{at}"));
    let live = ["--profile", "live", "--for", "3s", "--set", &ws, "--set", &rest];
    let mut bot = Bot::start(here.path(), "weather", &[&live[..], &super::BOLD].concat());
    let status = bot.end();
    exchange.kill().and_then(|()| exchange.wait()).expect("a child of ours");
    assert_eq!(status.code(), Some(0), "{}", bot.log());
    let left = left(here.path());
    assert!(left.conduct().placed > 0);
    left.replays();
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
