//! A bot that runs for weeks: its recordings follow each other, and the old ones go.

use std::fs;
use std::path::Path;
use std::process::Command;

use papermaker::market::VenueId;
use serde_json::Value;

use super::{papermaker, venues};
use crate::storms::BOLD;
use crate::support::bot::{Bot, Left};
use crate::support::fake::{Fake, Plan};

const STORE: [&str; 2] = ["--set", "store.path=store"];

fn sessions(here: &Path) -> Vec<Value> {
    let listed = papermaker(here, &[&["sessions", "list", "--json"], &STORE[..]].concat()).exits(0).json();
    listed["sessions"].as_array().expect("sessions").clone()
}

fn names(here: &Path) -> Vec<String> {
    let name = |s: &Value| s["id"].as_str().expect("a name").to_owned();
    let mut all: Vec<String> = sessions(here).iter().map(name).collect();
    all.sort();
    all
}

/// A picture of a later recording than the first.
fn in_recording(picture: &Value, number: u32) -> bool {
    picture["session"].as_str() == Some(&format!("long-{number}"))
}

#[test]
fn recordings_follow_each_other_and_each_is_proved_alone_while_position_and_books_go_on() {
    let here = tempfile::tempdir().expect("a folder");
    let here = here.path();
    let rolling = ["--set", "session.roll_s=4", "--set", "simulator.market_rate_per_s=50"];
    let mut bot = Bot::start(here, "long", &[&BOLD[..], &rolling].concat());
    let quotes = |p: &Value| p["instruments"][0]["quotes"].as_array().is_some_and(|q| !q.is_empty());
    let first = bot.wait_until("quoting", |p| p["session"] == "long" && quotes(p));
    bot.wait_until("the second recording, and quotes in it", |p| in_recording(p, 2) && quotes(p));
    // The connection is the same: it was opened once, and the verbs still find the bot.
    let picture = bot.wait_until("the third, with trades", |p| in_recording(p, 3) && p["fills"].as_u64() > Some(0));
    assert_eq!(picture["feeds"][0]["reconnects"], 0, "{picture}");
    assert!(picture["feeds"][0]["frames"].as_u64() > first["feeds"][0]["frames"].as_u64());
    let said = papermaker(here, &[&["pause"], &STORE[..]].concat()).exits(0).stdout();
    assert!(said.starts_with("PAPER long"), "{said}");
    bot.terminate();

    let all = names(here);
    assert!(
        all.len() >= 3 && all.starts_with(&["long".to_owned(), "long-2".to_owned(), "long-3".to_owned()]),
        "{all:?}"
    );
    let mut held: Option<String> = None;
    for name in &all {
        let left = Left { folder: here, session: name };
        left.replays();
        left.verb(&["sessions", "verify"], &[]).exits(0);
        assert_eq!(left.conduct().resting_at_end, 0, "{name}: everything was cancelled before its end");
        // What one recording ended with, the next begins with: its first mark, before any trade of its own.
        let equity = left.rows("equity", &[]);
        let (began, ended) = (equity.first().expect("marks")[3].clone(), equity.last().expect("marks")[3].clone());
        let first_fill = left.rows("fills", &[]).first().map_or(i64::MAX, |row| row[2].parse().expect("a time"));
        let first_mark: i64 = equity[0][0].parse().expect("a time");
        if let (Some(before), true) = (&held, first_mark < first_fill) {
            assert_eq!(&began, before, "{name}");
        }
        held = Some(ended);
    }
    let notes = |name: &str| {
        let shown = papermaker(here, &[&["sessions", "show", name, "--json"], &STORE[..]].concat()).exits(0).json();
        shown["notes"].to_string()
    };
    assert!(
        notes("long").contains("goes on in long-2") && notes("long-2").contains("goes on from long"),
        "{}",
        notes("long-2")
    );
}

#[test]
fn a_paused_bot_is_paused_in_the_next_recording_and_a_halted_one_halted() {
    let here = tempfile::tempdir().expect("a folder");
    let here = here.path();
    let mut bot = Bot::start(here, "long", &[&BOLD[..], &["--set", "session.roll_s=3"]].concat());
    bot.wait_until("live", |p| p["instruments"][0]["book"] == "live");
    papermaker(here, &[&["pause"], &STORE[..]].concat()).exits(0);
    bot.wait_until("paused", |p| p["state"] == "paused");
    let picture = bot.wait_until("the next", |p| {
        !["long", ""].contains(&p["session"].as_str().unwrap_or("")) && p["seq"].as_u64() > Some(20)
    });
    assert_eq!(
        (&picture["state"], &picture["instruments"][0]["book"]),
        (&"paused".into(), &"live".into()),
        "{picture}"
    );
    papermaker(here, &[&["halt", "--reason", "lunch"], &STORE[..]].concat()).exits(0);
    let halted = bot.wait_until("halted", |p| p["state"] == "halted");
    let later = bot.wait_until("the one after", |p| p["session"] != halted["session"] && p["seq"].as_u64() > Some(20));
    assert_eq!(later["state"], "halted", "{later}");
    bot.terminate();
    for name in names(here) {
        Left { folder: here, session: &name }.replays();
    }
}

#[test]
fn books_of_every_venue_go_on_in_the_next_recording_without_being_asked_for_anew() {
    let here = tempfile::tempdir().expect("a folder");
    let here = here.path();
    fs::write(here.join("fixed.toml"), venues::STRATEGY).expect("written");
    let (fakes, mut args) = venues::open_all();
    args.extend(["--strategy", "fixed.toml", "--set", "session.roll_s=8"].map(str::to_owned));
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let mut bot = Bot::start(here, "long", &args);
    let everywhere = |p: &Value| {
        let all = p["instruments"].as_array().expect("a list");
        all.len() == 10 && all.iter().all(|i| i["quotes"].as_array().is_some_and(|q| !q.is_empty()))
    };
    bot.wait_until("quoting everywhere", everywhere);
    let picture = bot.wait_until("quoting everywhere in the next", |p| p["session"] != "long" && everywhere(p));
    for feed in picture["feeds"].as_array().expect("a list") {
        assert_eq!(feed["reconnects"], 0, "{feed}");
    }
    bot.terminate();
    drop(fakes);
    for name in names(here) {
        Left { folder: here, session: &name }.replays();
    }
    // What was handed over is a snapshot like any other, before anything the venues said.
    let feed = Left { folder: here, session: "long-2" }.rows("feed", &[]);
    assert!(feed.iter().filter(|row| row[4] == "snapshot").count() >= 10, "{feed:#?}");
    assert!(!feed.iter().any(|row| row[4] == "connected"), "nobody connected anew: {feed:#?}");
}

#[test]
fn a_bot_that_hears_nothing_is_not_well_and_doctor_and_status_say_so() {
    let here = tempfile::tempdir().expect("a folder");
    let here = here.path();
    // A venue on which nothing moves any more.
    let (_runtime, fake) = Fake::beside(VenueId::BinanceSpot, Plan::default());
    let label = format!("binance-spot:{}", fake.listings()[0].symbol);
    let urls = [
        format!("venues.binance-spot.ws_url={}", fake.ws_url()),
        format!("venues.binance-spot.rest_url={}", fake.rest_url()),
    ];
    let line = [
        "--profile",
        "live",
        "--record-only",
        "--instrument",
        &label,
        "--set",
        &urls[0],
        "--set",
        &urls[1],
        "--set",
        "health.feed_stale_ms=2000",
    ];
    let mut bot = Bot::start(here, "deaf", &line);
    bot.wait_until("connected", |p| p["feeds"][0]["connected"] == true);
    bot.wait_until("silent for long", |p| {
        p["feeds"][0]["age_ms"].as_i64().is_some_and(|ms| ms > 2_500) || p["uptime_s"].as_f64() > Some(4.0)
    });
    let ran = papermaker(here, &[&["status", "--health"], &STORE[..]].concat()).exits(1);
    assert!(
        ran.stdout().contains("NOT WELL") && ran.stdout().contains("FEED_STALE binance-spot/0"),
        "{}",
        ran.stdout()
    );
    let found = papermaker(here, &[&["doctor", "--json", "--venue", "okx"], &STORE[..]].concat()).exits(1).json();
    let checks = found["checks"].as_array().expect("checks");
    let of = |name: &str| {
        checks.iter().find(|check| check["name"] == name).unwrap_or_else(|| panic!("no {name}: {found:#}"))
    };
    assert_eq!(of("bot")["verdict"], "fail", "{found:#}");
    assert!(of("bot")["detail"].as_str().is_some_and(|detail| detail.contains("FEED_STALE")), "{found:#}");
    assert_eq!(of("room")["verdict"], "ok");
    bot.terminate();
    papermaker(here, &[&["status", "--health"], &STORE[..]].concat()).exits(2);
}

/// Makes everything that tells a recording's age that many days older.
fn age(session: &Path, days: u32) {
    for entry in fs::read_dir(session).expect("a session").flatten().filter(|entry| entry.path().is_file()) {
        let done = Command::new("touch").args(["-d", &format!("{days} days ago")]).arg(entry.path()).status();
        assert!(done.expect("touch is a program").success());
    }
}

#[test]
fn prune_says_what_would_go_and_lets_go_of_that_and_a_running_bot_does_it_too() {
    let here = tempfile::tempdir().expect("a folder");
    let here = here.path();
    for name in ["old", "dear", "young"] {
        papermaker(
            here,
            &[&["run", "--for", "1s", "--session", name, "--set", "dashboard.port=0"], &STORE[..]].concat(),
        )
        .exits(0);
    }
    age(&here.join("store/old"), 40);
    age(&here.join("store/dear"), 40);
    papermaker(here, &[&["sessions", "keep", "dear"], &STORE[..]].concat()).exits(0);
    let month = ["--set", "store.keep_days=30", "--set", "store.path=store"];
    let dry = papermaker(here, &[&["sessions", "prune", "--dry-run", "--json"], &month[..]].concat()).exits(0).json();
    assert_eq!(
        (dry["pruned"].as_array().map(Vec::len), &dry["pruned"][0]["session"]),
        (Some(1), &"old".into()),
        "{dry}"
    );
    assert_eq!(names(here), ["dear", "old", "young"]);

    // A running bot looks when it starts.
    let mut bot = Bot::start(here, "now", &["--set", "store.keep_days=30"]);
    bot.wait_until("live", |p| p["instruments"][0]["book"] == "live");
    bot.terminate();
    assert_eq!(names(here), ["dear", "now", "young"], "{}", bot.log());
    assert!(bot.log().contains("old pruned, age"), "{}", bot.log());

    // An index goes first, and what needs it makes it anew.
    age(&here.join("store/young"), 8);
    let ran = papermaker(here, &[&["sessions", "prune"], &STORE[..]].concat()).exits(0);
    assert!(ran.stdout().contains("young") && !here.join("store/young/index.sled").exists(), "{}", ran.stdout());
    Left { folder: here, session: "young" }.replays();
    papermaker(here, &[&["sessions", "verify", "young", "--rebuild"], &STORE[..]].concat()).exits(0);

    // By space: nothing but what is kept is left.
    papermaker(here, &[&["sessions", "prune", "--set", "store.keep_mib=1"], &STORE[..]].concat()).exits(0);
    let left = names(here);
    assert!(left.contains(&"dear".to_owned()), "{left:?}");
    papermaker(here, &[&["sessions", "keep", "dear", "--undo"], &STORE[..]].concat()).exits(0);
    papermaker(here, &[&["sessions", "prune"], &month[..]].concat()).exits(0);
    assert!(!names(here).contains(&"dear".to_owned()));
}
