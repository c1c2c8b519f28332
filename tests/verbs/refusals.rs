//! What can be wrong with a run: each is exit code 2, names the thing and the remedy, and costs nothing that was
//! there before.

use std::fs;
use std::net::TcpListener;
use std::path::Path;

use papermaker::run::room::free_bytes;
use serde_json::Value;

use super::papermaker;
use crate::storms::BOLD;
use crate::support::bot::{Bot, Left};
use crate::support::playback::{Playback, Script, Speed};
use crate::support::recording::Recording;

/// `papermaker run … ARGS`, which must be refused for these reasons and begin no session.
#[track_caller]
fn refused(here: &Path, args: &[&str], parts: &[&str]) {
    let line = [&["run", "--for", "5s", "--set", "store.path=store", "--set", "dashboard.port=0"], args].concat();
    let before = sessions(here);
    papermaker(here, &line).exits(2).complains_of(parts);
    assert_eq!(sessions(here), before, "{args:?} left something behind");
}

const STORE: [&str; 2] = ["--set", "store.path=store"];

/// Names in the store.
fn sessions(here: &Path) -> Vec<Value> {
    let list = papermaker(here, &["sessions", "list", "--json", "--set", "store.path=store"]);
    let found = list.json()["sessions"].as_array().expect("a list").clone();
    found.into_iter().map(|session| session["id"].clone()).collect()
}

#[test]
fn a_wrong_configuration_is_named_with_its_key_and_what_would_be_right() {
    let here = tempfile::tempdir().expect("a folder");
    let here = here.path();
    fs::write(here.join("bad.toml"), "kind = \"fixed-spread\"\nhalf_spraed_bps = 1\norder_amount_base = \"0.001\"\n")
        .expect("written");
    fs::create_dir(here.join("mine")).expect("a folder");
    fs::write(here.join("mine/risk.toml"), "[risk]\nposition_max_base = -1\n").expect("written");
    for (args, parts) in [
        (vec!["--set", "dashboard.prot=1"], vec!["dashboard.prot", "did you mean dashboard.port?"]),
        // The unit is part of the name: another unit is another key.
        (vec!["--set", "session.tick_us=50000"], vec!["session.tick_us", "did you mean session.tick_ms?"]),
        (vec!["--set", "session.tick_ms=50ms"], vec!["session.tick_ms", "50ms"]),
        (vec!["--set", "risk.position_max_base=-1"], vec!["risk.position_max_base", "-1"]),
        (vec!["--config", "mine"], vec!["mine/risk.toml", "risk.position_max_base", "-1", "2"]),
        (vec!["--config", "nowhere"], vec!["nowhere"]),
        (vec!["--strategy", "nope.toml"], vec!["nope.toml", "no such file", "glft", "hint: "]),
        (vec!["--strategy", "bad.toml"], vec!["bad.toml", "half_spraed_bps", "half_spread_bps"]),
        (vec!["--session", "../up"], vec!["../up", "letters, digits"]),
    ] {
        refused(here, &args, &parts);
    }
}

#[test]
fn a_market_that_is_not_there_is_named() {
    let here = tempfile::tempdir().expect("a folder");
    let here = here.path();
    let free = TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("a port").port();
    let rest = format!("venues.binance-spot.rest_url=http://127.0.0.1:{free}");
    for (args, parts) in [
        (vec!["--instrument", "binance-spot:BTCUDST"], vec!["BTCUDST", "did you mean BTCUSDT?"]),
        (vec!["--instrument", "binance:BTCUSDT"], vec!["binance:BTCUSDT", "binance-spot"]),
        (vec!["--instrument", "BTCUSDT"], vec!["VENUE:SYMBOL"]),
        (vec!["--instrument", "bitfinex:BTCUSD"], vec!["bitfinex", "binance-spot", "kraken"]),
        (
            vec!["--instrument", "binance-spot:BTCUSDT", "--instrument", "binance-spot:BTCUSDT"],
            vec!["binance-spot:BTCUSDT", "twice"],
        ),
        (
            vec!["--profile", "live", "--set", &rest, "--set", "venues.binance-spot.ws_url=ws://127.0.0.1:9"],
            vec![
                "binance-spot did not answer",
                "127.0.0.1",
                "venues.binance-spot.rest_url",
                "hint: `papermaker doctor",
            ],
        ),
        (
            vec!["--profile", "live", "--set", "venues.binance-spot.rest_url=http://data-api.binance.vision"],
            vec!["venues.binance-spot.rest_url", "https"],
        ),
    ] {
        refused(here, &args, &parts);
    }
}

#[test]
fn a_place_that_is_taken_or_not_a_place_is_named() {
    let here = tempfile::tempdir().expect("a folder");
    let here = here.path();
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = format!("dashboard.port={}", taken.local_addr().expect("bound").port());
    refused(here, &["--set", &port], &["dashboard.port", "in use", "hint: ", "--no-dashboard"]);
    let listen = format!("simulator.listen={}", taken.local_addr().expect("bound"));
    refused(here, &["--set", &listen], &[&taken.local_addr().expect("bound").to_string()]);

    // A store below a file cannot be made, not even by root.
    fs::write(here.join("file"), "").expect("written");
    for store in ["store.path=file", "store.path=file/store"] {
        let line = ["run", "--for", "5s", "--set", "dashboard.port=0", "--set", store];
        papermaker(here, &line).exits(2).complains_of(&["file", "hint: `papermaker doctor`"]);
    }
    assert_eq!(fs::read(here.join("file")).expect("still there"), b"");
}

#[test]
fn a_damaged_account_or_manifest_is_named() {
    let here = tempfile::tempdir().expect("a folder");
    let here = here.path();
    fs::create_dir_all(here.join("store/account.sled")).expect("a folder");
    fs::write(here.join("store/account.sled/db"), b"not a database").expect("written");
    fs::write(here.join("store/account.sled/conf"), b"neither").expect("written");
    refused(here, &[], &["account.sled", "move it away"]);

    fs::create_dir(here.join("store/torn")).expect("a folder");
    fs::write(here.join("store/torn/manifest.toml"), "paper = \"PAP").expect("written");
    let left = Left { folder: here, session: "torn" };
    for (verb, code) in [(&["sessions", "show"][..], 2), (&["sessions", "verify"], 1), (&["replay"], 2)] {
        left.verb(verb, &[]).exits(code).complains_of(&["torn/manifest.toml"]);
    }
    let list = papermaker(here, &["sessions", "list", "--set", "store.path=store"]).exits(0).stdout();
    assert!(list.contains("torn") && list.contains("unreadable"), "{list}");
}

#[test]
fn one_account_has_one_bot_and_one_name_one_session() {
    let here = tempfile::tempdir().expect("a folder");
    let mut bot = Bot::start(here.path(), "first", &BOLD);
    bot.wait_until("begun", |picture| picture["seq"].as_u64() > Some(0));
    refused(here.path(), &["--session", "second"], &["account.sled", "in use by process", "papermaker stop"]);
    let first = Left { folder: here.path(), session: "first" };
    first.verb(&["sessions", "delete"], &["--force"]).exits(2).complains_of(&["first", "in use by process"]);
    // Nobody has counted yet: not nothing, but nothing known.
    let listed = papermaker(here.path(), &["sessions", "list", "--json", "--set", "store.path=store"]).exits(0).json();
    assert_eq!((&listed["sessions"][0]["inputs"], &listed["sessions"][0]["live"]), (&Value::Null, &true.into()));
    let listed = papermaker(here.path(), &["sessions", "list", "--set", "store.path=store"]).exits(0).stdout();
    assert!(listed.contains(" live ") && listed.contains("– inputs"), "{listed}");
    // Reading it is fine.
    let shown = first.verb(&["sessions", "show"], &["--json"]).exits(0).json();
    assert_eq!(shown["state"], "running", "{shown}");
    first.rows("bbo", &[]);
    first.replays();

    let stopped = papermaker(here.path(), &["stop", "--set", "store.path=store"]).exits(0).stdout();
    assert!(stopped.contains("PAPER first: stop accepted"), "{stopped}");
    assert_eq!(bot.end().code(), Some(0), "{}", bot.log());
    first.replays();
    refused(here.path(), &["--session", "first"], &["store/first", "exists", "another name"]);
    assert!(!here.path().join("store/api.json").exists(), "a bot that never ran is not to be spoken to");
    first.verb(&["sessions", "verify"], &[]).exits(0);
}

#[test]
fn a_broken_risk_toml_holds_up_neither_status_nor_halt() {
    let here = tempfile::tempdir().expect("a folder");
    let here = here.path();
    fs::create_dir(here.join("config")).expect("a folder");
    fs::write(here.join("config/risk.toml"), "[risk]\ncollar_bps = 100\n").expect("written");
    let mut bot = Bot::start(here, "first", &BOLD);
    bot.wait_until("begun", |picture| picture["seq"].as_u64() > Some(0));
    for broken in ["[risk]\ncollar_bps = -1\n", "[risk\n"] {
        fs::write(here.join("config/risk.toml"), broken).expect("written");
        papermaker(here, &["status", "--set", "store.path=store"]).exits(0);
        // What is typed has to be right all the same.
        papermaker(here, &["halt", "--set", "stor.path=store"]).exits(2).complains_of(&["stor.path", "store.path"]);
        let said = papermaker(here, &["halt", "--reason", "lunch", "--set", "store.path=store"]).exits(0).stdout();
        assert!(said.contains("halt in force from input "), "{said}");
        let status = papermaker(here, &["status", "--json", "--set", "store.path=store"]).exits(0).json();
        assert_eq!(status["state"], "halted", "what is in force is seen: {status}");
    }
    let again = ["resume", "--by", "anna", "--reason", "again", "--set", "store.path=store"];
    papermaker(here, &again).exits(0);
    // A contact file that somebody broke costs nothing of the recording.
    fs::write(here.join("store/api.json"), "{").expect("written");
    bot.signal("TERM");
    assert_eq!(bot.end().code(), Some(0), "{}", bot.log());
    assert!(bot.log().contains("api.json is not a contact file"), "{}", bot.log());
    fs::write(here.join("config/risk.toml"), "[risk]\n").expect("written");
    let rows = Left { folder: here, session: "first" }.rows("risk", &[]);
    let row = rows.iter().find(|row| row[2] == "resume").expect("it was recorded");
    assert_eq!((row[6].as_str(), row[7].as_str()), ("again", "anna"), "why, and who");
}

#[test]
fn with_too_little_room_nothing_begins_and_nothing_is_left_behind() {
    let here = tempfile::tempdir().expect("a folder");
    let low = |more: &[&str]| {
        let least = ["run", "--for", "1s", "--session", "low", "--set", "store.disk_free_min_mib=1000000"];
        papermaker(here.path(), &[&least, &STORE[..], &["--set", "dashboard.port=0"], more].concat())
    };
    low(&[]).exits(2).complains_of(&["MiB are free on its disk", "store.disk_free_min_mib", "sessions prune"]);
    assert!(!here.path().join("store/low").exists());
    papermaker(here.path(), &["run", "--for", "1s", "--session", "old", "--set", "store.path=store"]).exits(0);
    // What may go for want of room has gone before it is refused.
    low(&["--set", "store.disk_free_keep_mib=1000000"]).exits(2).complains_of(&["old pruned, disk", "MiB are free"]);
    assert!(!here.path().join("store/old").exists());
    low(&["--set", "store.disk_free_keep_mib=5"]).exits(2).complains_of(&["store.disk_free_keep_mib", "would halt"]);
}

#[test]
fn a_disk_that_fills_halts_the_bot_and_resume_is_taken_once_there_is_room() {
    // A file system that is memory, where room can be taken and given back within milliseconds.
    let memory = Path::new("/dev/shm");
    let free_mib = || free_bytes(memory).unwrap_or_default() >> 20;
    if free_mib() < 2_048 {
        eprintln!("SKIPPED: /dev/shm is not there, or has less than 2 GiB free");
        return;
    }
    let here = tempfile::tempdir_in(memory).expect("a folder");
    let least = format!("store.disk_free_min_mib={}", free_mib() - 256);
    let mut bot = Bot::start(here.path(), "filling", &[&BOLD[..], &["--set", &least]].concat());
    bot.wait_until("quoting", |p| p["state"] == "quoting");
    let weight = std::fs::File::create(here.path().join("weight")).expect("a file");
    rustix::fs::fallocate(&weight, rustix::fs::FallocateFlags::empty(), 0, 512 << 20).expect("half a GiB");
    let halted = bot.wait_until("halted", |p| p["state"] == "halted");
    assert!(halted["reason"].as_str().is_some_and(|reason| reason.starts_with("DISK_LOW value=")), "{halted}");
    assert!(bot.log().contains("free some space, then `papermaker resume`"), "{}", bot.log());
    weight.set_len(0).expect("given back");
    papermaker(here.path(), &[&["resume"], &STORE[..]].concat()).exits(0);
    bot.wait_until("quoting again", |p| p["state"] == "quoting");
    bot.terminate();
    Left { folder: here.path(), session: "filling" }.replays();
}

/// The recording's own file meets the limit, or the account's, which a trading bot writes too.
#[test]
fn a_disk_without_room_ends_the_run_and_costs_nothing_written() {
    let Some(recording) = Recording::august() else { return };
    let here = tempfile::tempdir().expect("a folder");
    for (name, strategy) in [("recording", &["--record-only"][..]), ("trading", &BOLD)] {
        let (_runtime, playback) = Playback::beside(Script::faithful(recording.clone(), Speed::Max));
        let ws = format!("venues.binance-spot.ws_url={}", playback.ws_url());
        let rest = format!("venues.binance-spot.rest_url={}", playback.rest_url());
        // Blocks and checkpoints much smaller than usual, so that the beginning of a recording is large enough: the
        // account's database alone takes half a mebibyte.
        let fine = ["--set", "session.checkpoint_inputs=1000", "--set", "store.block_ms=1"];
        let args = [&["--profile", "live", "--set", &ws, "--set", &rest], &fine[..], strategy].concat();
        let mut bot = Bot::wrapped(here.path(), name, &args, "ulimit -f 600; exec \"$0\" \"$@\"");
        let status = bot.end();
        assert_eq!(status.code(), Some(2), "{status:?}\n{}", bot.log());
        let said = bot.log();
        for part in ["error: store/", "ulimit -f", "stays readable"] {
            assert!(said.contains(part), "{part:?} is not named in\n{said}");
        }
        let left = Left { folder: here.path(), session: name };
        let found = left.verb(&["sessions", "verify"], &["--json"]).exits(0).json();
        assert_eq!((&found["ok"], &found["state"]), (&true.into(), &"recovered".into()), "{found}");
        assert!(found["inputs"].as_u64() > Some(500), "{found}");
        left.replays();
    }
}
