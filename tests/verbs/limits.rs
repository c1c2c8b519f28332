//! Limits changed under a running bot: by hand, by file, wrongly, over a restart; and what the record says of it.

use std::fs;
use std::path::Path;

use serde_json::Value;

use super::papermaker;
use crate::support::bot::{Bot, Left};

/// A configuration folder with a `risk.toml` of these lines.
fn risk_file(here: &Path, lines: &str) {
    fs::create_dir_all(here.join("config")).expect("a folder");
    fs::write(here.join("config/risk.toml"), format!("[risk]\n{lines}")).expect("written");
}

/// A limit in force, as status shows it: `collar_bps` is not among those with a use, so it is asked for.
fn in_force(here: &Path, key: &str) -> String {
    let shown = papermaker(here, &["limits", "show", "--json", "--set", "store.path=store"]).exits(0).json();
    let all = shown["limits"].as_array().expect("limits").clone();
    let found = all.iter().find(|l| l["key"] == key).unwrap_or_else(|| panic!("no {key} in {shown}"));
    found["value"].as_str().expect("text").to_owned()
}

fn set(here: &Path, args: &[&str], code: i32) -> Value {
    let line = [&["limits", "set"], args, &["--json", "--set", "store.path=store"]].concat();
    papermaker(here, &line).exits(code).json()
}

fn until(bot: &mut Bot, here: &Path, what: &str, key: &str, value: &str) {
    bot.wait_until(what, |_| in_force(here, key) == value);
}

#[test]
fn limits_change_under_a_running_bot_and_the_record_says_who_and_where() {
    let here = tempfile::tempdir().expect("a folder");
    let here = here.path();
    risk_file(here, "collar_bps = 100\n");
    let mut bot = Bot::start(here, "first", &["--config", "config"]);
    bot.wait_until("begun", |p| p["seq"].as_u64() > Some(20));
    assert_eq!(in_force(here, "collar_bps"), "100");

    // By hand: tighter at once, looser only with a word more, previewed without anything happening.
    let answer = set(here, &["collar_bps=50", "--dry-run"], 0);
    assert_eq!((&answer["applied"], &answer["changes"][0]["new"]), (&false.into(), &"50".into()), "{answer}");
    assert_eq!(in_force(here, "collar_bps"), "100");
    let answer = set(here, &["collar_bps=50", "--by", "anna"], 0);
    assert_eq!(answer["applied"], true, "{answer}");
    let refused = set(here, &["collar_bps=80"], 1);
    assert_eq!((&refused["applied"], &refused["needs_confirmation"]), (&false.into(), &true.into()), "{refused}");
    assert_eq!(in_force(here, "collar_bps"), "50");
    set(here, &["collar_bps=80", "--confirm", "--by", "anna"], 0);
    let wrong = set(here, &["colar_bps=80"], 1);
    assert!(wrong["error"].as_str().is_some_and(|e| e.contains("did you mean risk.collar_bps?")), "{wrong}");
    set(here, &["session.seed=2"], 1);

    // By file. One with a mistake changes nothing; the next one, tighter, does.
    risk_file(here, "collar_bps = 40\nstale_book_ms = -5\n");
    bot.signal("HUP");
    bot.wait_until("a complaint", |_| true);
    let mut patience = 200;
    while !bot.log().contains("risk.toml:3: risk.stale_book_ms") {
        patience -= 1;
        assert!(patience > 0, "{}", bot.log());
        bot.wait_until("alive", |_| true);
    }
    assert_eq!(in_force(here, "collar_bps"), "80");
    risk_file(here, "collar_bps = 40\n");
    until(&mut bot, here, "the file", "collar_bps", "40");

    // Looser by file: not without approval, and an approval is good once.
    risk_file(here, "collar_bps = 90\n");
    bot.signal("HUP");
    let mut patience = 200;
    while !bot.log().contains("approved_at") {
        patience -= 1;
        assert!(patience > 0, "{}", bot.log());
        bot.wait_until("alive", |_| true);
    }
    assert_eq!(in_force(here, "collar_bps"), "40");
    let approval = "approved_by = \"ben\"\napproved_at = \"2026-11-21T08:00Z\"\n";
    risk_file(here, &format!("collar_bps = 90\n{approval}"));
    until(&mut bot, here, "the approved file", "collar_bps", "90");

    bot.terminate();
    let first = Left { folder: here, session: "first" };
    let changes: Vec<String> = first
        .rows("risk", &[])
        .into_iter()
        .filter(|row| row[3].starts_with("collar_bps"))
        .map(|row| format!("{} → {} by {}", row[4], row[5], row[7..row.len() - 2].join(",")))
        .collect();
    let expected = [
        "100 → 50 by anna",
        "50 → 80 by anna",
        "80 → 40 by config/risk.toml",
        "40 → 90 by \"config/risk.toml, approved by ben\"",
    ];
    assert_eq!(changes, expected);
    first.replays();
}

#[test]
fn what_was_set_by_hand_outlives_a_kill_until_the_file_says_otherwise() {
    let here = tempfile::tempdir().expect("a folder");
    let here = here.path();
    risk_file(here, "collar_bps = 100\n");
    let mut bot = Bot::start(here, "first", &["--config", "config"]);
    bot.wait_until("begun", |p| p["seq"].as_u64() > Some(20));
    set(here, &["collar_bps=50"], 0);
    papermaker(here, &["halt", "--reason", "lunch", "--set", "store.path=store"]).exits(0);
    bot.wait_until("halted", |p| p["state"] == "halted");
    bot.signal("KILL");
    bot.end();

    let mut bot = Bot::start(here, "second", &["--config", "config"]);
    let picture = bot.wait_until("halted again", |p| p["state"] == "halted");
    assert!(picture["reason"].as_str().is_some_and(|r| r.contains("first")), "{picture}");
    assert_eq!(in_force(here, "collar_bps"), "50");
    papermaker(here, &["resume", "--set", "store.path=store"]).exits(0);
    bot.wait_until("resumed", |p| p["state"] != "halted");
    bot.terminate();
    Left { folder: here, session: "second" }.replays();

    risk_file(here, "collar_bps = 100\nopen_orders_max = 10\n");
    let mut bot = Bot::start(here, "third", &["--config", "config"]);
    bot.wait_until("begun", |p| p["seq"].as_u64() > Some(20));
    assert_eq!((in_force(here, "collar_bps"), in_force(here, "open_orders_max")), ("100".into(), "10".into()));
    bot.terminate();
}

#[test]
fn a_limit_without_a_value_is_told_how_to_name_one() {
    let here = tempfile::tempdir().expect("a folder");
    let ran = papermaker(here.path(), &["limits", "set", "collar_bps"]).exits(2);
    ran.complains_of(&["collar_bps", "KEY=VALUE", "papermaker limits set collar_bps="]);
}
