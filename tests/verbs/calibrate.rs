//! `calibrate`: a simulated hour is recorded, a market is made like it, and that market is one.

use std::fmt::Write;
use std::fs;
use std::path::Path;

use papermaker::sim::{SimSpec, World, WorldEventKind};
use papermaker::units::{Nanos, Side};

use super::{Ran, papermaker};

/// Records so many seconds of the demo's first market, as Tardis would have written them down.
fn record(here: &Path, name: &str, seconds: i64) {
    let mut world = World::new(9, &SimSpec::demo());
    let mut book = "exchange,symbol,timestamp,local_timestamp,is_snapshot,side,price,amount\n".to_owned();
    let mut trades = "exchange,symbol,timestamp,local_timestamp,id,side,price,amount\n".to_owned();
    let us = |at: Nanos| 1_700_000_000_000_000 + at.0 / 1_000;
    let mut level = |at: Nanos, is_snapshot: bool, side: Side, price: i64, lots: i64| {
        let side = if side == Side::Bid { "bid" } else { "ask" };
        let (at, price, amount) = (us(at), price as f64 / 10.0, lots as f64 / 1e5);
        writeln!(book, "x,BTCUSDT,{at},{at},{is_snapshot},{side},{price:.1},{amount:.5}").expect("a string grows");
    };
    for side in Side::BOTH {
        world.engine(0).levels(side).for_each(|l| level(Nanos::ZERO, true, side, l.price.0, l.qty.0));
    }
    let mut events = Vec::new();
    world.advance(Nanos::from_s(seconds), &mut events);
    for event in events.iter().filter(|event| event.symbol == 0) {
        match event.kind {
            WorldEventKind::Level { side, price, qty } => level(event.at, false, side, price.0, qty.0),
            WorldEventKind::Trade { id, taker, price, qty, .. } => {
                let side = if taker == Side::Bid { "buy" } else { "sell" };
                let (at, price, amount) = (us(event.at), price.0 as f64 / 10.0, qty.0 as f64 / 1e5);
                writeln!(trades, "x,BTCUSDT,{at},{at},{id},{side},{price:.1},{amount:.5}").expect("a string grows");
            }
            WorldEventKind::Joined { .. } | WorldEventKind::Left { .. } | WorldEventKind::Metaorder { .. } => {}
        }
    }
    fs::write(here.join("book.csv"), book).expect("written");
    fs::write(here.join("trades.csv"), trades).expect("written");
    let line = ["sessions", "import", "book.csv", "trades.csv", "--format", "tardis-csv", "--venue", "imported"];
    let steps = ["--symbol", "BTCUSDT", "--tick", "0.1", "--lot", "0.00001", "--session", name];
    papermaker(here, &[&line[..], &steps, &["--set", "store.path=store"]].concat()).exits(0);
}

fn calibrate(here: &Path, line: &[&str]) -> Ran {
    papermaker(here, &[&["calibrate"], line, &["--set", "store.path=store"]].concat())
}

#[test]
fn a_market_is_made_like_a_recording_written_reported_and_lived_in() {
    let here = tempfile::tempdir().expect("a folder");
    let here = here.path();
    record(here, "morning", 100);
    let effort = ["--for", "30s", "--pool", "2", "--rounds", "1", "--seed", "3", "--typical", "none"];
    let first = [&["morning", "--out", "like.toml", "--report", "like.html", "--json"][..], &effort].concat();
    let told = calibrate(here, &first).exits(0).json();
    assert_eq!((&told["paper"], &told["out"]), (&true.into(), &"like.toml".into()), "{told}");
    let (start, end) = (told["distance"]["start"].as_f64(), told["distance"]["end"].as_f64());
    assert!(end.is_some() && end <= start, "{told}");
    // The start, two, one round of sixteen, three heats of five.
    assert_eq!(told["distance"]["asked"], 1 + 2 + 16 + 15);
    let estimates = told["estimates"].as_array().expect("estimates");
    let takers = &estimates[0];
    assert!(takers["name"] == "market orders" && takers["n"].as_u64() > Some(200), "{takers}");
    assert!(takers["error"].as_f64() < takers["value"].as_f64(), "{takers}");

    let text = fs::read_to_string(here.join("like.toml")).expect("a market");
    for says in ["# A market like 1", "papermaker calibrate morning --like demo", "PAPER", "# Bands of real markets"] {
        assert!(text.contains(says), "no {says:?} in\n{text}");
    }
    let spec = SimSpec::from_toml(&text).expect("it is a market");
    assert_eq!((spec.market.len(), spec.market[0].symbol().as_str()), (1, "BTCUSDT"));
    let page = fs::read_to_string(here.join("like.html")).expect("a page");
    assert!(page.contains("PAPER") && page.contains("Read off the recording") && page.contains("volatility 1s"));

    // It is a market like any other.
    let judged = papermaker(here, &["realism", "--sim", "like.toml", "--for", "90s", "--json"]).exits(0).json();
    assert!(judged["orders"].as_u64() > Some(50), "{judged}");
    let shown = papermaker(here, &["config", "check", "--set", "simulator.market=like.toml"]);
    shown.exits(0);

    // The same again, on one thread; nothing is replaced unasked.
    calibrate(here, &[&["morning", "--out", "like.toml"][..], &effort].concat()).exits(2).complains_of(&[
        "like.toml",
        "nothing is overwritten",
        "--force",
    ]);
    let again = [&["morning", "--out", "again.toml", "--threads", "1"][..], &effort].concat();
    let said = calibrate(here, &again).exits(0).stdout();
    assert!(said.starts_with("PAPER market like 1") && said.contains("volatility_1s"), "{said}");
    let again = fs::read_to_string(here.join("again.toml")).expect("a market");
    assert_eq!(again, text);
    calibrate(here, &["morning", "--out", "idle.toml", "--for", "10s", "--lever", "noise.*.weight"])
        .exits(2)
        .complains_of(&["noise.*.weight leads to no number", "hint: --lever PATH"]);
    calibrate(here, &["morning", "--out", "idle.toml", "--for", "1ms"])
        .exits(2)
        .complains_of(&["less than ten seconds"]);
}

#[test]
fn too_little_of_a_market_is_refused_with_what_is_missing() {
    let here = tempfile::tempdir().expect("a folder");
    let here = here.path();
    record(here, "moment", 20);
    calibrate(here, &["moment", "--out", "like.toml"]).exits(2).complains_of(&[
        "moment cannot be calibrated to",
        "market orders, at least 200 are needed",
        "seconds with a mid, at least 60 are needed",
        "hint: ",
    ]);
    assert!(!here.join("like.toml").exists());
    calibrate(here, &["moment", "--out", "like.toml", "--like", "nowhere"]).exits(2).complains_of(&["no such market"]);
    calibrate(here, &["moment", "--out", "x/y.toml"]).exits(2).complains_of(&["cannot write x/y.toml"]);
    calibrate(here, &["moment", "--out", "like.toml", "--lever", "a=0"]).exits(2).complains_of(&["REACH above 1"]);
}
