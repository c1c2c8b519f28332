//! `risk.toml` under a running bot: rewritten while the market runs as fast as it can, and wrong in every way.

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::time::Duration;

use serde_json::Value;

use super::papermaker;
use crate::storms::{BOLD, book_is_right, decimal};
use crate::support::bot::{Bot, Left};
use crate::support::playback::{Playback, Script, Speed};
use crate::support::recording::Recording;

const STORE: [&str; 2] = ["--set", "store.path=store"];

/// What is wrong, how it comes about, what is said of it.
type Row = (&'static str, Box<dyn Fn(&Path)>, &'static str);

fn shown(here: &Path) -> Value {
    papermaker(here, &[&["limits", "show", "--json"], &STORE[..]].concat()).exits(0).json()
}

#[test]
fn a_file_that_changes_many_times_a_second_costs_no_frame() {
    let Some(recording) = Recording::august() else { return };
    let here = tempfile::tempdir().expect("a folder");
    let here = here.path();
    let file = here.join("config/risk.toml");
    fs::create_dir_all(here.join("config")).expect("a folder");
    // The n-th good file says 100 to 149, and may: it is approved anew.
    let good = |n: u64| {
        let approved = format!("approved_by = \"ben\"\napproved_at = \"2026-11-21T{:02}:{:02}Z\"", n / 60, n % 60);
        format!("[risk]\ncollar_bps = {}\n{approved}\n", 100 + n % 50)
    };
    fs::write(&file, good(0)).expect("written");
    // As fast as it is taken, many files a second.
    let (_runtime, playback) = Playback::beside(Script::faithful(recording.clone(), Speed::Max));
    let args = [&BOLD[..], &["--config", "config"]].concat();
    let mut bot = Bot::on(&playback, here, "weather", &args);
    bot.wait_until("begun", |p| p["seq"].as_u64() > Some(0));
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let (bot, file, is_over, good) = (&bot, &file, &is_over, &good);
        scope.spawn(move || {
            for n in 1.. {
                if n > 1 && is_over.load(SeqCst) {
                    break;
                }
                let text = good(n);
                for wrong in ["[risk]\ncollar_bps = -1\n", &text[..text.len() / 2], "", "[risk"] {
                    fs::write(file, wrong).expect("written");
                    std::thread::sleep(Duration::from_millis(5));
                }
                fs::write(file, &text).expect("written");
                bot.signal("HUP");
                // Most are gone before anybody can have read them; of the first one we want to see that it was.
                let is_in_force =
                    || shown(here)["limits"].as_array().is_some_and(|l| l.iter().any(|l| l["value"] == "101"));
                while n == 1 && !is_in_force() {
                    std::thread::sleep(Duration::from_millis(20));
                }
                std::thread::sleep(Duration::from_millis(30));
                if n % 8 == 0 {
                    let line = ["limits", "set", "open_orders_max=19", "--confirm", "--by", "anna"];
                    papermaker(here, &[&line[..], &STORE[..]].concat());
                }
            }
        });
        while !playback.finished() {
            std::thread::sleep(Duration::from_millis(20));
        }
        is_over.store(true, SeqCst);
    });
    bot.settle(&playback);
    bot.terminate();

    let left = Left { folder: here, session: "weather" };
    let (trades, prints) = (left.rows("trades", &[]), recording.prints());
    assert_eq!(trades.len(), prints.len(), "recorded and played");
    for (row, print) in trades.iter().zip(&prints) {
        assert_eq!((&row[5], decimal(&row[6])), (&print.id.to_string(), decimal(&print.price)), "in order");
    }
    book_is_right(&left, &playback);
    assert_eq!(left.feed_events(), ["connected", "snapshot", "live"], "one connection, no gap");
    let changes: Vec<_> = left.rows("risk", &[]).into_iter().filter(|row| row[3].starts_with("collar_bps")).collect();
    assert!(!changes.is_empty(), "no file was ever taken up");
    let is_good = |value: &str| (100..150).contains(&value.parse::<i64>().expect("a whole number"));
    assert!(changes.iter().all(|row| is_good(&row[5])), "{changes:?}");
    left.verb(&["sessions", "verify"], &[]).exits(0);
    left.replays();
}

#[test]
fn whatever_is_wrong_with_the_file_is_named_and_changes_nothing() {
    let here = tempfile::tempdir().expect("a folder");
    let here = here.path();
    let file = here.join("config/risk.toml");
    fs::create_dir_all(here.join("config")).expect("a folder");
    let sound = "[risk]\ncollar_bps = 100\norder_rate_max_per_s = 15\n";
    fs::write(&file, sound).expect("written");
    let mut bot = Bot::start(here, "first", &["--config", "config"]);
    bot.wait_until("begun", |p| p["seq"].as_u64() > Some(20));
    let before = shown(here)["limits"].clone();

    let text = |text: &str| -> Box<dyn Fn(&Path)> {
        let text = text.to_owned();
        Box::new(move |file| fs::write(file, &text).expect("written"))
    };
    let bytes =
        |bytes: Vec<u8>| -> Box<dyn Fn(&Path)> { Box::new(move |file| fs::write(file, &bytes).expect("written")) };
    let rows: Vec<Row> = vec![
        (
            "wrong type",
            text("[risk]\ncollar_bps = \"wide\"\n"),
            "risk.toml:2: risk.collar_bps: \"wide\" is not allowed",
        ),
        (
            "near name",
            text("[risk]\n\ncolar_bps = 5\n"),
            "risk.toml:3: risk.colar_bps: unknown key; did you mean risk.collar_bps?",
        ),
        (
            "negative",
            text("[risk]\nposition_max_base = -1\n"),
            "risk.toml:2: risk.position_max_base: -1 is not allowed",
        ),
        ("below a lot", text("[risk]\nposition_max_base = 0.000000001\n"), "is less than one lot of binance-spot:"),
        ("not a number", text("[risk]\ncollar_bps = nan\n"), "risk.toml:2: risk.collar_bps: NaN is not allowed"),
        ("infinite", text("[risk]\nloss_max_quote = inf\n"), "risk.toml:2: risk.loss_max_quote: inf is not allowed"),
        ("too large", text("[risk]\nleverage_max = 5000\n"), "risk.toml:2: risk.leverage_max: 5000 is not allowed"),
        (
            "half a millisecond",
            text("[risk]\nstale_book_ms = 2.5\n"),
            "risk.toml:2: risk.stale_book_ms: 2.5 is not allowed",
        ),
        ("seconds for ms", text("[risk]\nstale_book_ms = 2\n"), "risk.toml:2: risk.stale_book_ms: 2 is not allowed"),
        ("a unit", text("[risk]\nhold_s = \"10s\"\n"), "risk.toml:2: risk.hold_s: \"10s\" is not allowed"),
        ("too fine", text("[risk]\nvolatility_max_bps = 0.001\n"), "risk.volatility_max_bps: 0.001 is finer than 0.01"),
        ("no capital", text("[risk]\nleverage_max = 3\n"), "risk.leverage_max: needs risk.capital_quote"),
        ("twice", text("[risk]\ncollar_bps = 5\ncollar_bps = 6\n"), "risk.toml:3: not TOML: duplicate key"),
        ("half", text("[risk]\ncollar_bps ="), "risk.toml:2: not TOML"),
        ("empty", text(""), "risk.toml: says nothing"),
        ("remarks only", text("# [risk]\n"), "risk.toml: says nothing"),
        ("another's section", text("[risk]\ncollar_bps = 5\n[session]\nseed = 2\n"), "session: does not belong here"),
        ("no venue", text("[risk.venues.nowhere]\ngross_max_quote = 5\n"), "risk.toml:"),
        (
            "looser",
            text("[risk]\ncollar_bps = 101\norder_rate_max_per_s = 15\n"),
            "collar_bps of binance-spot:BTCUSDT: 100 → 101",
        ),
        (
            "approved by nobody",
            text("[risk]\ncollar_bps = 101\norder_rate_max_per_s = 15\napproved_at = \"2026-11-21\"\n"),
            "this needs approved_by",
        ),
        (
            "approved at no time",
            text(
                "[risk]\ncollar_bps = 101\norder_rate_max_per_s = 15\napproved_by = \"ben\"\napproved_at = \"soon\"\n",
            ),
            "this needs approved_by",
        ),
        ("no text", bytes(b"[risk]\ncollar_bps = 5 # \xff\n".to_vec()), "risk.toml:2: is not UTF-8 from byte 24 on"),
        ("long", bytes(vec![b'#'; 10 << 20]), "risk.toml: is longer than 1048576 bytes"),
        ("gone", Box::new(|_| ()), "risk.toml: is gone"),
        ("a folder", Box::new(|file| fs::create_dir(file).expect("a folder")), "risk.toml: is not a file"),
        (
            "a link to nothing",
            Box::new(|file| std::os::unix::fs::symlink("nowhere", file).expect("a link")),
            "risk.toml: is gone",
        ),
        (
            "a link to a wrong file",
            Box::new(|file| {
                fs::write(file.with_file_name("other.toml"), "[risk]\ncollar_bps = 0\n").expect("written");
                std::os::unix::fs::symlink("other.toml", file).expect("a link");
            }),
            "risk.toml:2: risk.collar_bps: 0 is not allowed",
        ),
    ];
    for (what, make, expected) in rows {
        if file.is_dir() {
            fs::remove_dir(&file).expect("empty");
        } else {
            let _ = fs::remove_file(&file);
        }
        make(&file);
        bot.signal("HUP");
        let mut patience = 100;
        let found = loop {
            let found = shown(here);
            if found["file_refused"].as_str().is_some_and(|why| why.contains(expected)) {
                break found;
            }
            patience -= 1;
            assert!(patience > 0, "{what}: {expected:?} is not in {}\n{}", found["file_refused"], bot.log());
            std::thread::sleep(Duration::from_millis(50));
        };
        assert_eq!(found["limits"], before, "{what}");
    }
    let picture = bot.wait_until("refused in status", |p| p["limits_refused"].is_string());
    assert!(picture["limits_refused"].as_str().is_some_and(|why| why.contains("risk.collar_bps")), "{picture}");
    let text = papermaker(here, &[&["status"], &STORE[..]].concat()).exits(0).stdout();
    assert!(text.contains("limits  REFUSED, those before stay in force: config/risk.toml:2:"), "{text}");
    // However wrong the file is, an operator can tighten.
    let set = [&["limits", "set", "collar_bps=50", "--json"], &STORE[..]].concat();
    assert_eq!(papermaker(here, &set).exits(0).json()["applied"], true);
    // Right again: nobody has to be told twice.
    fs::remove_file(&file).expect("a link");
    fs::write(&file, "[risk]\ncollar_bps = 40\norder_rate_max_per_s = 15\n").expect("written");
    bot.wait_until("right again", |p| p["limits_refused"].is_null());
    bot.terminate();
    Left { folder: here, session: "first" }.replays();
}
