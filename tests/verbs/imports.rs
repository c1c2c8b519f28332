//! `sessions import`: another program's file becomes a session, or nothing does.

use std::fs;
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::path::Path;
use std::process::Command;

use flate2::read::MultiGzDecoder;
use papermaker::engine::{BookState, Output};
use papermaker::journal::{Reader, Store};
use papermaker::order::{Report, ReportKind};
use papermaker::strategy::BUILT_IN;

use super::{Ran, papermaker};
use crate::export::imports::{DIFF, SNAPSHOT, TRADE};
use crate::support::bot::Left;
use crate::support::{data_dir, full_size};

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
        ("prose.txt", "tardis-csv", vec!["prose.txt:1", "its header \"Call me Ishmael.\" is not that of"]),
        ("prose.txt", "binance-vision", vec!["prose.txt:1", "has not the columns of trades"]),
        ("prose.txt", "lobster", vec!["prose.txt", "its name says neither day nor kind"]),
        ("prose.txt", "hftbacktset", vec!["unknown format", "tardis-csv", "lobster"]),
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

/// The beginning of a real recording, unpacked.
fn beginning(data: &Path, file: &str, here: &Path, name: &str) {
    let packed = fs::File::open(data.join(file)).expect("the recording exists");
    let lines = BufReader::new(MultiGzDecoder::new(packed)).lines().take(if full_size() { 100_000 } else { 20_000 });
    let mut out = BufWriter::new(fs::File::create(here.join(name)).expect("a file"));
    lines.for_each(|line| writeln!(out, "{}", line.expect("text")).expect("written"));
}

const THREE: [&str; 3] =
    ["binance-spot:BTCUSDT=spot.txt", "binance-usdm:BTCUSDT=usdm.txt", "binance-coinm:BTCUSD_PERP=coinm.txt"];

#[test]
fn one_recorder_on_three_markets_is_one_session_quoted_on_with_one_risk_book() {
    let Some(data) = data_dir() else { return };
    let here = tempfile::tempdir().expect("a folder");
    let here = here.path();
    beginning(&data, "binance-spot/hftbacktest_spot_btcusdt_20240808.gz", here, "spot.txt");
    beginning(&data, "binance-usdm/hftbacktest_usdm_btcusdt_20240808.gz", here, "usdm.txt");
    beginning(&data, "binance-coinm/hftbacktest_cm_btcusd_perp_20240808.gz", here, "coinm.txt");
    // Orders of 0.001 BTC, and of one contract of 100 dollars.
    let (_, text) = BUILT_IN.iter().find(|(name, _)| *name == "avellaneda-stoikov").expect("it is built in");
    fs::write(here.join("three.toml"), format!("order_amount_quote = \"100\"\n{text}")).expect("written");
    let limits = ["position_max_quote=5000", "order_qty_max_quote=1000"];
    let limits = limits.map(|limit| format!("risk.instruments.\"binance-coinm:BTCUSD_PERP\".{limit}"));
    let import = |session: &str| {
        let mut line = vec!["sessions", "import", "--format", "hftbacktest", "--session", session, "--json"];
        line.extend(["--strategy", "three.toml", "--set", "store.path=store"]);
        line.extend(limits.iter().flat_map(|limit| ["--set", limit]));
        line.extend(THREE.iter().flat_map(|instrument| ["--instrument", *instrument]));
        papermaker(here, &line).exits(0).json()
    };
    let done = import("three");
    assert_eq!((&done["gaps"], &done["snapshots"]), (&0.into(), &3.into()), "{done}");
    let names = THREE.map(|name| name.split('=').next().expect("a name"));
    assert_eq!(done["venue_instruments"], serde_json::json!(names));
    assert!(done["notes"].to_string().contains("binance-coinm:BTCUSD_PERP: imported from coinm.txt"), "{done}");

    let mut reader = Store::open(here.join("store")).reader("three").expect("a recording");
    let limits = reader.manifest().spec.risk.instruments.clone();
    let (mut input, mut outputs) = (Reader::blank(), Vec::new());
    let (mut positions, mut all_at_once, mut live) = ([0i64; 3], false, Vec::new());
    while reader.next_step(&mut input, &mut outputs).expect("readable") {
        for output in &outputs {
            match output {
                Output::Heard(Report { instrument, kind: ReportKind::Filled(fill), .. }) => {
                    positions[instrument.index()] += fill.side.sign() * fill.qty.0;
                    assert!(
                        positions[instrument.index()].abs() <= limits[instrument.index()].long_max.0,
                        "{positions:?}"
                    );
                    all_at_once |= positions.iter().all(|position| *position != 0);
                }
                Output::Book { instrument, state: BookState::Live, .. } => live.push(instrument.0),
                _ => {}
            }
        }
    }
    assert_eq!(live, [0, 1, 2]);
    assert!(all_at_once, "there is a moment with a position on every market, and it ends with {positions:?}");

    let left = Left { folder: here, session: "three" };
    let replayed = left.replays();
    left.verb(&["sessions", "verify"], &[]).exits(0);
    // And imported anew it is the same session.
    let again = import("again");
    for digest in ["output_digest", "state_digest"] {
        assert_eq!((&done[digest], &replayed[digest]), (&again[digest], &again[digest]), "{digest}");
    }
}

#[test]
fn files_that_belong_to_nobody_or_to_two_are_refused() {
    let here = tempfile::tempdir().expect("a folder");
    fs::write(here.path().join("btc.txt"), lines(&[DIFF, SNAPSHOT, TRADE])).expect("written");
    let spot = "binance-spot:BTCUSDT";
    let own = "binance-spot:BTCUSDT=btc.txt";
    for (more, parts) in [
        (vec!["--instrument", spot], vec!["no files are left for binance-spot:BTCUSDT"]),
        (vec!["btc.txt", "--instrument", own], vec!["btc.txt", "whose is this"]),
        (
            vec!["btc.txt", "--instrument", spot, "--instrument", "binance-usdm:BTCUSDT"],
            vec!["no files", "binance-usdm"],
        ),
        (vec!["--instrument", own, "--instrument", own, "--tick", "0.1"], vec!["--tick", "there are 2"]),
        (vec!["btc.txt", "--instrument", "BTCUSDT"], vec!["VENUE:SYMBOL"]),
        (vec!["btc.txt", "--instrument", "kraken:BTC/USD"], vec!["of kraken are not known"]),
        (vec!["btc.txt", "--instrument", spot, "--strategy", "none.toml"], vec!["none.toml", "no such file"]),
    ] {
        let line = ["sessions", "import", "--format", "hftbacktest", "--session", "half", "--set", "store.path=store"];
        papermaker(here.path(), &[&line[..], &more].concat()).exits(2).complains_of(&parts);
        assert!(!here.path().join("store/half").exists(), "{more:?} left half a session");
    }
}
