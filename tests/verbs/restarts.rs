//! Killed without a word, in every state: the next run is where the last one was, and says so.

use std::path::Path;

use serde_json::Value;

use super::papermaker;
use crate::storms::BOLD;
use crate::support::bot::{Bot, Left};

const STORE: [&str; 2] = ["--set", "store.path=store"];

fn verb(here: &Path, line: &[&str]) {
    papermaker(here, &[line, &STORE[..]].concat()).exits(0);
}

fn start(here: &Path, name: &str, more: &[&str]) -> Bot {
    Bot::start(here, name, &[&BOLD[..], &["--set", "simulator.market_rate_per_s=50"], more].concat())
}

fn position(picture: &Value) -> String {
    picture["instruments"][0]["position"].as_str().unwrap_or_default().to_owned()
}

fn holds(picture: &Value) -> bool {
    position(picture).parse::<f64>().is_ok_and(|held| held != 0.0)
}

fn risk(picture: &Value) -> &str {
    picture["instruments"][0]["risk"].as_str().unwrap_or_default()
}

fn in_force(here: &Path, key: &str) -> Value {
    let shown = papermaker(here, &[&["limits", "show", "--json"], &STORE[..]].concat()).exits(0).json();
    shown["limits"].as_array().expect("limits").iter().find(|l| l["key"] == key).expect("a limit")["value"].clone()
}

#[test]
fn a_halt_with_a_position_and_orders_survives_a_kill_and_nothing_is_placed_before_resume() {
    let here = tempfile::tempdir().expect("a folder");
    let here = here.path();
    let mut bot = start(here, "first", &[]);
    bot.wait_until("a position", |p| {
        holds(p) && p["instruments"][0]["quotes"].as_array().is_some_and(|q| !q.is_empty())
    });
    verb(here, &["halt", "--reason", "strange"]);
    let last =
        bot.wait_until("halted", |p| p["state"] == "halted" && p["instruments"][0]["quotes"] == serde_json::json!([]));
    bot.signal("KILL");
    bot.end();

    let mut bot = start(here, "second", &[]);
    let picture =
        bot.wait_until("live again", |p| p["instruments"][0]["book"] == "live" && p["seq"].as_u64() > Some(200));
    assert_eq!((&picture["state"], position(&picture)), (&"halted".into(), position(&last)));
    assert_eq!(picture["instruments"][0]["quotes"], serde_json::json!([]));
    bot.signal("KILL");
    bot.end();
    let left = Left { folder: here, session: "second" };
    assert_eq!(left.conduct().placed, 0, "halted all its life");
    left.replays();

    // A second time, and then somebody resumes.
    let mut bot = start(here, "third", &[]);
    bot.wait_until("halted", |p| p["state"] == "halted" && p["instruments"][0]["book"] == "live");
    verb(here, &["resume"]);
    bot.wait_until("quoting", |p| p["state"] == "quoting");
    bot.terminate();
    Left { folder: here, session: "third" }.replays();
}

#[test]
fn a_pause_survives_an_end_and_a_kill_with_who_said_so_and_resume_is_the_end_of_it() {
    let here = tempfile::tempdir().expect("a folder");
    let here = here.path();
    let mut bot = start(here, "first", &[]);
    bot.wait_until("quoting", |p| p["state"] == "quoting");
    verb(here, &["pause", "--by", "anna", "--reason", "lunch"]);
    bot.wait_until("paused", |p| p["state"] == "paused");
    bot.terminate();
    // The one after next still names the one that was told.
    for name in ["second", "third"] {
        let mut bot = start(here, name, &[]);
        let picture =
            bot.wait_until("live again", |p| p["instruments"][0]["book"] == "live" && p["seq"].as_u64() > Some(200));
        assert_eq!(
            (&picture["state"], &picture["reason"]),
            (&"paused".into(), &"by account, for anna (lunch) in first".into())
        );
        assert!(bot.log().contains("paused: anna (lunch) said so in first; `papermaker resume`"), "{}", bot.log());
        bot.signal("KILL");
        bot.end();
        let left = Left { folder: here, session: name };
        assert_eq!(left.conduct().placed, 0, "{name}: paused all its life");
        left.replays();
    }
    let mut bot = start(here, "fourth", &[]);
    bot.wait_until("paused", |p| p["state"] == "paused");
    verb(here, &["resume"]);
    bot.wait_until("quoting", |p| p["state"] == "quoting");
    bot.terminate();
    let mut bot = start(here, "fifth", &[]);
    bot.wait_until("quoting, as if nothing had been said", |p| p["state"] == "quoting");
    bot.terminate();
}

#[test]
fn reducing_by_a_limit_survives_a_kill_with_the_limit_that_was_set_by_hand() {
    let here = tempfile::tempdir().expect("a folder");
    let here = here.path();
    let mut bot = start(here, "first", &[]);
    bot.wait_until("a position", holds);
    verb(here, &["limits", "set", "gross_max_quote=0.01", "--by", "anna"]);
    let is_reducing = |p: &Value| risk(p) == "reducing" || !holds(p);
    bot.wait_until("reducing", is_reducing);
    bot.signal("KILL");
    bot.end();
    let mut bot = start(here, "second", &[]);
    let picture = bot.wait_until("begun", |p| p["seq"].as_u64() > Some(50));
    assert_eq!(in_force(here, "gross_max_quote"), "0.01");
    assert!(risk(&picture) == "reducing" || !holds(&picture), "{picture}");
    // What was set before is kept by what is set now.
    verb(here, &["limits", "set", "collar_bps=50"]);
    assert_eq!((in_force(here, "gross_max_quote"), in_force(here, "collar_bps")), ("0.01".into(), "50".into()));
    bot.terminate();
    Left { folder: here, session: "second" }.replays();
}

#[test]
fn todays_loss_halts_tomorrows_restart_of_today_and_resume_is_refused() {
    let here = tempfile::tempdir().expect("a folder");
    let here = here.path();
    // Every fill costs half a percent.
    let costly = ["--set", "venues.binance-spot.maker_fee_bps=50"];
    let mut bot = start(here, "first", &costly);
    bot.wait_until("trades", |p| p["fills"].as_u64() > Some(3));
    verb(here, &["limits", "set", "daily_loss_max_quote=0.01"]);
    let is_halted = |p: &Value| p["state"] == "halted";
    let last = bot.wait_until("halted", is_halted);
    assert!(last["reason"].as_str().is_some_and(|why| why.starts_with("DAILY_LOSS_EXCEEDED")), "{last}");
    bot.signal("KILL");
    bot.end();

    let mut bot = start(here, "second", &costly);
    let picture = bot.wait_until("live", |p| p["instruments"][0]["book"] == "live" && p["seq"].as_u64() > Some(100));
    assert_eq!((&picture["state"], position(&picture)), (&"halted".into(), position(&last)), "{picture}");
    let used = picture["limits"]
        .as_array()
        .expect("limits of the book")
        .iter()
        .find(|l| l["limit"].as_str() == Some("daily_loss_max_quote"));
    assert!(used.is_some_and(|l| l["share"].as_f64() > Some(1.0)), "{}", picture["limits"]);
    papermaker(here, &[&["resume"], &STORE[..]].concat());
    let seq = picture["seq"].as_u64();
    let still = bot.wait_until("later", |p| p["seq"].as_u64() > seq.map(|seq| seq + 100));
    assert_eq!(still["state"], "halted");
    bot.terminate();
    let left = Left { folder: here, session: "second" };
    assert_eq!(left.conduct().placed, 0);
    let refused =
        left.rows("risk", &[]).into_iter().any(|row| row.iter().any(|cell| cell.starts_with("RESUME_REFUSED")));
    assert!(refused, "nobody said why there is no resume");
    left.replays();
}
