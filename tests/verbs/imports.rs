//! `sessions import`: another program's file becomes a session, or nothing does.

use std::fs;
use std::path::Path;
use std::process::Command;

use super::{Ran, papermaker};
use crate::export::imports::{DIFF, SNAPSHOT, TRADE};
use crate::support::bot::Left;
use crate::support::data_dir;

fn import(here: &Path, file: &str, format: &str, session: &str, more: &[&str]) -> Ran {
    let line = ["sessions", "import", file, "--format", format, "--venue", "binance-spot", "--symbol", "BTCUSDT"];
    let rest = ["--session", session, "--set", "store.path=store"];
    papermaker(here, &[&line[..], &rest, more].concat())
}

/// Lines as hftbacktest's recorder writes them, a millisecond apart.
fn lines(frames: &[&str]) -> String {
    let stamped = frames.iter().enumerate().map(|(ms, frame)| format!("172316125300{ms}000000 {frame}\n"));
    stamped.collect()
}

#[test]
fn a_file_becomes_a_session_that_exports_verifies_and_replays() {
    let here = tempfile::tempdir().expect("a folder");
    let here = here.path();
    fs::write(here.join("btc.txt"), lines(&[DIFF, SNAPSHOT, TRADE])).expect("written");
    let done = import(here, "btc.txt", "hftbacktest-raw", "btc", &["--json"]).exits(0).json();
    assert_eq!((&done["frames"], &done["snapshots"], &done["trades"]), (&2.into(), &1.into(), &1.into()), "{done}");
    assert_eq!((&done["state"], &done["steps_from"]), (&"ended".into(), &"inferred".into()), "{done}");
    let notes = done["notes"].to_string();
    assert!(notes.contains("imported from btc.txt") && notes.contains("are inferred"), "{notes}");

    let left = Left { folder: here, session: "btc" };
    assert_eq!(left.rows("trades", &[]).len(), 1);
    assert_eq!(left.rows("book", &[]).len(), 4, "two levels a side");
    left.verb(&["sessions", "verify"], &[]).exits(0);
    left.replays();

    let again = import(here, "btc.txt", "hftbacktest-raw", "btc", &[]).exits(2);
    again.complains_of(&["store/btc", "exists"]);
    left.replays();
    let given = import(here, "btc.txt", "hftbacktest-raw", "given", &["--tick", "0.01", "--lot", "0.00001", "--json"]);
    assert_eq!(given.exits(0).json()["steps_from"], "given");
}

#[test]
fn a_file_that_is_something_else_is_refused_by_line_and_leaves_no_session() {
    let here = tempfile::tempdir().expect("a folder");
    let here = here.path();
    fs::write(here.join("prose.txt"), "Call me Ishmael.\n").expect("written");
    let broken = [DIFF, SNAPSHOT, TRADE, &TRADE[..60]];
    fs::write(here.join("broken.txt"), lines(&broken)).expect("written");
    for (file, format, parts) in [
        ("prose.txt", "hftbacktest-raw", vec!["prose.txt:1", "not a hftbacktest-raw recording", "BTCUSDT"]),
        ("broken.txt", "hftbacktest-raw", vec!["broken.txt:4"]),
        ("none.txt", "hftbacktest-raw", vec!["none.txt", "cannot be read"]),
        ("prose.txt", "cryptofeed", vec!["prose.txt"]),
        ("prose.txt", "tardis-csv", vec!["tardis-csv", "not read yet"]),
    ] {
        import(here, file, format, "half", &[]).exits(2).complains_of(&parts);
        assert!(!here.join("store/half").exists(), "{file} left half a session");
    }
}

#[test]
fn a_disk_without_room_leaves_no_session() {
    let Some(data) = data_dir() else { return };
    let here = tempfile::tempdir().expect("a folder");
    let file = data.join("binance-spot/hftbacktest_spot_btcusdt_20240808.gz");
    let line = "ulimit -f 200; exec \"$0\" sessions import \"$1\" --format hftbacktest-raw --venue binance-spot \
                --symbol BTCUSDT --session august --set store.path=store";
    let mut command = Command::new("bash");
    command.args(["-c", line, env!("CARGO_BIN_EXE_papermaker")]).arg(file).current_dir(here.path());
    let done = command.output().expect("a shell and the binary");
    let said = String::from_utf8_lossy(&done.stderr);
    assert_eq!(done.status.code(), Some(2), "{:?}: {said}", done.status);
    assert!(said.contains("nothing was imported") && said.contains("ulimit -f"), "{said}");
    assert!(!here.path().join("store/august").exists());
}

#[test]
fn a_recorded_morning_is_imported_with_all_its_trades() {
    let Some(data) = data_dir() else { return };
    let here = tempfile::tempdir().expect("a folder");
    let file = data.join("binance-spot/hftbacktest_spot_btcusdt_20240808.gz");
    let done = import(here.path(), &file.display().to_string(), "hftbacktest-raw", "august", &["--json"]);
    let done = done.exits(0).json();
    assert_eq!(done["gaps"], 0, "{done}");
    let left = Left { folder: here.path(), session: "august" };
    assert_eq!(Some(left.rows("trades", &[]).len() as u64), done["trades"].as_u64());
    left.replays();
}
