//! Both sides of a what-if.

use papermaker::config::recorded::{Given, risk_alone};
use papermaker::exchange::queue::{Bound, QueueModel};
use papermaker::run::bracket::spec_of;
use papermaker::run::rerun::rerun;
use papermaker::run::whatif::{Ask, what_if};
use papermaker::units::Money;

use super::{SIX_CANCEL, golden, quoting, record, with_limit};
use crate::engine::story::story;
use crate::verbs::papermaker;

const STORE: [&str; 2] = ["--set", "store.path=store"];

#[test]
fn a_what_if_of_nothing_is_the_recording() {
    let (_folder, store) = golden();
    let found = what_if(&store, "demo-btcusdt", &Ask::default()).expect("it runs");
    let [recorded, again] = &found.sides[..] else { panic!("{:?}", found.changed) };
    assert_eq!((recorded.name, again.name), ("recorded", "what_if"));
    assert!(recorded.output_digest.is_some() && recorded.output_digest == again.output_digest);
    assert_eq!(recorded.metrics, again.metrics);
    assert!(recorded.metrics.instruments[0].trading.num_trades > 0, "it trades");
    let [difference] = &found.differences[..] else { panic!("one instrument, one other side") };
    assert_eq!(difference.pnl, "0");
    let paired = difference.paired.expect("45 seconds");
    assert_eq!((paired.difference.value, paired.difference.low, paired.difference.high), (0.0, 0.0, 0.0));
    assert!(found.changed.is_empty());
}

#[test]
fn another_queue_model_fills_what_the_story_says() {
    let here = tempfile::tempdir().expect("a folder");
    record(here.path(), &quoting(), &story(SIX_CANCEL), false);
    let mut paper = quoting().desks[0].paper.clone();
    paper.queue = QueueModel::Optimistic;
    let store = papermaker::journal::Store::open(here.path().join("store"));
    let found = what_if(&store, "told", &Ask { paper: Some(vec![paper]), ..Ask::default() }).expect("it runs");
    let fills: Vec<_> = found.sides.iter().map(|side| side.metrics.instruments[0].trading.num_trades).collect();
    assert_eq!(fills, [0, 1]);
    let pnl = found.sides[1].metrics.instruments[0].attribution.pnl;
    assert_eq!((pnl, found.differences[0].pnl.as_str()), (Money(8 * Money::PER_QUOTE), "8"));
    assert_eq!(found.changed, ["binance-spot:TESTUSDT: queue Optimistic, was RiskAverse"]);
}

#[test]
fn recorded_limits_are_left_out_where_the_limits_are_others_and_kept_elsewhere() {
    // Somebody set the limit to nothing at once, so nothing but the first quotes ever left.
    let here = tempfile::tempdir().expect("a folder");
    record(here.path(), &quoting(), &with_limit(0), false);
    let store = papermaker::journal::Store::open(here.path().join("store"));
    let text = "[risk]\nposition_max_base = 50\norder_qty_max_base = 50\ncollar_bps = 5000\norder_notional_max_quote = 100000\n";
    let loaded = risk_alone(Given { name: "risk.toml", text }, &[]).expect("limits");
    let mut paper = quoting().desks[0].paper.clone();
    paper.queue = QueueModel::Optimistic;
    let ask = Ask { paper: Some(vec![paper]), ..Ask::default() };
    let kept = what_if(&store, "told", &ask).expect("it runs");
    assert_eq!((kept.set_limits_left_out, kept.sides[1].metrics.instruments[0].trading.num_trades), (0, 0));
    let free = what_if(&store, "told", &Ask { risk: Some(&loaded), ..ask }).expect("it runs");
    assert_eq!((free.set_limits_left_out, free.sides[1].metrics.instruments[0].trading.num_trades), (1, 1));
    assert_eq!(free.sides[1].metrics.seconds, free.sides[0].metrics.seconds, "its time passed all the same");
}

#[test]
fn the_sides_of_a_bracket_are_sessions_of_their_own() {
    let (_folder, store) = golden();
    let found = what_if(&store, "demo-btcusdt", &Ask { bracket: true, ..Ask::default() }).expect("it runs");
    let names: Vec<_> = found.sides.iter().map(|side| side.name).collect();
    assert_eq!(names, ["recorded", "pessimistic", "optimistic"]);
    // The recorded queue model is the pessimist's.
    assert_eq!(found.sides[0].output_digest, found.sides[1].output_digest);
    let mut reader = store.reader("demo-btcusdt").expect("golden");
    let spec = spec_of(&reader.manifest().spec.clone(), Bound::Optimistic);
    let ended = rerun(&mut reader, &spec, |_, _, _| true).expect("it runs");
    assert_eq!(found.sides[2].output_digest, Some(ended.output_digest()));
}

#[test]
fn the_verb_shows_both_sides_and_verifies_nothing() {
    let here = tempfile::tempdir().expect("a folder");
    record(here.path(), &quoting(), &story(SIX_CANCEL), false);
    std::fs::write(here.path().join("fill.toml"), "[paper]\nqueue_model = \"optimistic\"\nmaker_fee_bps = 10\n")
        .expect("a file");
    let replay = |more: &[&str]| papermaker(here.path(), &[&["replay", "told"], &STORE[..], more].concat());
    let json = replay(&["--fill", "fill.toml", "--bracket", "--json"]).exits(0).json();
    assert_eq!(json["paper"], true);
    assert_eq!(json.get("identical"), None, "nothing is verified");
    let pnl = |side: &str| json[side]["metrics"]["instruments"][0]["attribution"]["pnl"].clone();
    // 4 lots bought at 1000 under a mid of 1002, for a fee of 10 bps of 4000.
    assert_eq!(
        (pnl("recorded"), pnl("what_if"), pnl("pessimistic"), pnl("optimistic")),
        ("0".into(), "4".into(), "0".into(), "4".into())
    );
    assert_eq!(json["differences"].as_array().map(Vec::len), Some(3));
    assert_eq!(json["recorded"]["output_digest"].as_str().map(str::len), Some(64));

    let text = replay(&["--set", "paper.queue_model=optimistic"]).exits(0).stdout();
    for words in [
        "PAPER what-if of told",
        "queue Optimistic, was RiskAverse",
        "recorded",
        "what_if less recorded",
        "markout 1 s, bps",
    ] {
        assert!(text.contains(words), "no {words:?} in\n{text}");
    }
    let text = replay(&["--strategy", "glft"]).exits(2);
    text.complains_of(&["order_amount_base", "TESTUSDT", "--strategy"]);
    replay(&["--strategy", "nosuch"]).exits(2).complains_of(&["nosuch", "glft"]);
    replay(&["--risk", "nosuch.toml"]).exits(2).complains_of(&["nosuch.toml"]);
    std::fs::write(here.path().join("fill.toml"), "[paper]\nqueue_modle = \"log\"\n").expect("a file");
    replay(&["--fill", "fill.toml"]).exits(2).complains_of(&["fill.toml:2", "queue_modle", "queue_model"]);
    replay(&["--fill", "fill.toml", "--around", "3"]).exits(2);
    assert_eq!(replay(&["--json"]).exits(0).json()["identical"], true);
}
