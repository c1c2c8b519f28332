//! `sessions` on a recording made by the journal's own writer, as a run leaves one.

use std::path::Path;

use papermaker::engine::Session;
use papermaker::journal::{Ending, Manifest, Options, Store};
use serde_json::Value;

use super::papermaker;
use crate::engine::story::{joining, spec, story};

/// Three inputs and a fill, recorded as session `told` in `folder/store`.
fn record(folder: &Path) {
    let mut spec = spec(100);
    spec.desks[0].strategy = None;
    let inputs = story("100 book 10@1000 / 10@1004\n150 tick\n160 sell 4@1000");
    let store = Store::open(folder.join("store"));
    let manifest = Manifest::new("told", spec.clone(), inputs[0].at);
    let mut writer = store.create("told", manifest, Options::LIVE).expect("a new session");
    let (mut session, mut said) = (Session::new(&spec), Vec::new());
    for input in &inputs {
        writer.input(input).expect("appended");
        session.step(input, &mut joining(5), &mut said);
        writer.outputs(input.seq, &said).expect("appended");
        said.clear();
    }
    let ending =
        Ending { at: session.now(), output_digest: session.digest().digest(), state_digest: session.state_digest() };
    writer.finish(ending).expect("ended");
}

const STORE: [&str; 2] = ["--set", "store.path=store"];

fn sessions<'a>(verb: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    [&["sessions", verb], more, &STORE].concat()
}

#[test]
fn what_a_recording_was_worth_is_a_table_or_json() {
    // Nobody quoted: 60 ms of a book that is 4 wide.
    let here = tempfile::tempdir().expect("a folder");
    record(here.path());
    let shown = papermaker(here.path(), &sessions("show", &["told", "--metrics", "--json"])).exits(0).json();
    let it = &shown["metrics"]["instruments"][0];
    assert_eq!(shown["metrics"]["seconds"], 0.06, "{shown}");
    assert_eq!((&it["attribution"]["pnl"], &it["trading"]["placed"]), (&"0".into(), &0.into()), "{it}");
    assert_eq!((&it["market"]["half_spread"], &it["risk"]["sharpe"]), (&2.0.into(), &serde_json::Value::Null), "{it}");
    assert_eq!(it["markouts"].as_array().map(Vec::len), Some(6), "{it}");
    let table = papermaker(here.path(), &sessions("show", &["told", "--metrics"])).exits(0).stdout();
    for words in ["PAPER session told", "attribution", "half_spread", "adverse_selection", "seconds", "live 0.06"] {
        assert!(table.contains(words), "no {words:?} in\n{table}");
    }
    let without = papermaker(here.path(), &sessions("show", &["told", "--json"])).exits(0).json();
    assert_eq!(without["metrics"], serde_json::Value::Null);
}

#[test]
fn a_recording_is_listed_shown_verified_and_deleted() {
    let here = tempfile::tempdir().expect("a folder");
    let list = papermaker(here.path(), &sessions("list", &[])).exits(0).stdout();
    assert!(list.contains("no sessions"), "{list}");
    record(here.path());

    let list = papermaker(here.path(), &sessions("list", &["--json"])).exits(0).json();
    assert_eq!(list["sessions"][0]["id"], "told", "{list}");
    let shown = papermaker(here.path(), &sessions("show", &["told", "--json"])).exits(0).json();
    assert_eq!(
        (&shown["state"], &shown["inputs"], &shown["trades"]),
        (&"ended".into(), &3.into(), &1.into()),
        "{shown}"
    );
    for key in [
        "venue_instruments",
        "strategy",
        "policy_digest",
        "config_digest",
        "seed",
        "started_ns",
        "ended_ns",
        "outputs",
        "fills",
        "gaps",
        "output_digest",
        "state_digest",
    ] {
        assert!(shown.get(key).is_some(), "CONTRACT promises {key}: {shown}");
    }
    let text = papermaker(here.path(), &sessions("show", &["told"])).exits(0).stdout();
    assert!(text.contains("started            1970-01-01T00:00:00Z"), "{text}");
    assert!(!text.contains("null") && !text.contains("{}"), "{text}");
    let verified = papermaker(here.path(), &sessions("verify", &["told"])).exits(0).stdout();
    assert!(verified.starts_with("PAPER session told: clean, ended"), "{verified}");

    papermaker(here.path(), &sessions("delete", &["told"])).exits(2).complains_of(&["told", "hint: --force"]);
    papermaker(here.path(), &sessions("delete", &["told", "--force"])).exits(0);
    papermaker(here.path(), &sessions("show", &["told"])).exits(2).complains_of(&["told", "sessions list"]);
}

#[test]
fn a_flipped_byte_is_found_and_named() {
    let here = tempfile::tempdir().expect("a folder");
    record(here.path());
    let segment = here.path().join("store/told/00000001.seg");
    let mut bytes = std::fs::read(&segment).expect("a segment");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&segment, bytes).expect("damaged");
    papermaker(here.path(), &sessions("verify", &["told"])).exits(1).complains_of(&[
        "told is damaged",
        "00000001.seg",
        "damaged at byte",
    ]);
    let report = papermaker(here.path(), &sessions("verify", &["told", "--json"])).exits(1).json();
    assert_eq!(report["ok"], false, "{report}");
    // What was not computed is not said to be nought.
    assert_eq!((&report["inputs"], &report["seal"]), (&Value::Null, &Value::Null), "{report}");
    let said = papermaker(here.path(), &sessions("verify", &["told"])).exits(1).stdout();
    assert!(said.contains("DAMAGED") && said.contains("digests not computed"), "{said}");
    // What lies before the damage can be had, and nobody takes it for all.
    let line = sessions("export", &["told", "--kind", "trades", "--out", "before.csv"]);
    let ran = papermaker(here.path(), &line).exits(1);
    assert!(ran.stdout().contains("0 rows of trades to before.csv"), "{}", ran.stdout());
    let ran = ran.complains_of(&["told is damaged: the 0 rows before the damage were written", "damaged at byte"]);
    assert!(!ran.stderr().contains("cannot be written"), "{}", ran.stderr());
    let csv = std::fs::read_to_string(here.path().join("before.csv")).expect("a table");
    assert_eq!(csv.lines().count(), 1, "{csv}");
}

#[test]
fn a_recording_that_is_whole_and_another_is_not_called_damaged() {
    let here = tempfile::tempdir().expect("a folder");
    record(here.path());
    let other = "0".repeat(64);
    let ran = papermaker(here.path(), &sessions("verify", &["told", "--seal", &other])).exits(1);
    assert!(ran.stdout().contains("told: NOT THE ONE THAT WAS SEALED"), "{}", ran.stdout());
    ran.complains_of(&["told is whole, and not the one that was sealed", &other]);
}

#[test]
fn what_has_ended_is_read_where_no_lock_can_be_had() {
    let here = tempfile::tempdir().expect("a folder");
    record(here.path());
    let lock = here.path().join("store/told/lock");
    std::fs::remove_file(&lock).expect("a lock was there");
    // Nobody opens a folder for writing, whoever he is: as in an archive, or among another's recordings.
    std::fs::create_dir(&lock).expect("in its place");
    papermaker(here.path(), &sessions("verify", &["told"])).exits(0);
    papermaker(here.path(), &sessions("export", &["told", "--kind", "trades"])).exits(0);
    // Whoever would change it needs it still.
    papermaker(here.path(), &sessions("delete", &["told", "--force"])).exits(2).complains_of(&["told/lock"]);
}

#[test]
fn an_export_is_whole_or_not_there_and_overwrites_nothing() {
    let here = tempfile::tempdir().expect("a folder");
    record(here.path());
    let line = sessions("export", &["told", "--kind", "trades", "--out", "trades.csv"]);
    let said = papermaker(here.path(), &line).exits(0).stdout();
    assert!(said.contains("1 rows of trades"), "{said}");
    let csv = std::fs::read_to_string(here.path().join("trades.csv")).expect("a table");
    // Input 3 at 160 ms: somebody sold 4 at 1000. The story's venue gives no time.
    assert_eq!(
        csv.lines().collect::<Vec<_>>(),
        [
            "seq,recv_ns,venue_ns,venue,symbol,trade_id,price,qty,aggressor",
            "3,160000000,,binance-spot,TESTUSDT,3,1000,4,sell"
        ]
    );
    papermaker(here.path(), &line).exits(2).complains_of(&["trades.csv", "nothing is overwritten", "--force"]);
    let stdout = papermaker(here.path(), &sessions("export", &["told", "--kind", "trades"])).exits(0).stdout();
    assert_eq!(stdout, csv);
    papermaker(here.path(), &sessions("export", &["told", "--kind", "bbo", "--out", "no/such/folder.csv"]))
        .exits(2)
        .complains_of(&["no/such/folder.csv"]);
}
