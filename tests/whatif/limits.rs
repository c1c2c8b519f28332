//! Other limits over a recording: what they would have refused, tripped and cost, and the report of it.

use papermaker::config::recorded::{Given, risk_alone};
use papermaker::exchange::queue::QueueModel;
use papermaker::journal::Store;
use papermaker::metrics::Conduct;
use papermaker::run::whatif::{Ask, what_if};

use super::{quoting, record};
use crate::engine::story::story;
use crate::verbs::papermaker;

const STORE: [&str; 2] = ["--set", "store.path=store"];

/// Four lots are bought at 1000 under a mid of 1002, and five more as the market opens at 902, an ask of 904 below our bid:
/// 9 · (902 - 1000) = 882 lost. It stays there from second 1 to second 1.8.
const A_FALL: &str = "100 book 10@1000 / 10@1004
    150 tick
    200 level bid 16@1000
    300 level bid 10@1000
    400 sell 8@1000
    500 tick
    1000 book 10@900 / 10@904
    1700 tick
    1800 tick";

/// Of a loss of 100 and no other.
const A_HUNDRED: &str = "[risk]\nposition_max_base = 50\norder_qty_max_base = 50\ncollar_bps = 5000\n\
    order_notional_max_quote = 100000\nstale_book_ms = 5000\nloss_max_quote = 100\ndaily_loss_max_quote = 0\n\
    hourly_loss_max_quote = 0\ndrawdown_max_quote = 0\n";

fn recorded() -> tempfile::TempDir {
    let here = tempfile::tempdir().expect("a folder");
    let mut spec = quoting();
    spec.desks[0].paper.queue = QueueModel::Optimistic;
    record(here.path(), &spec, &story(A_FALL), false);
    here
}

#[test]
fn a_limit_that_would_have_tripped_says_when_and_for_how_long() {
    let here = recorded();
    let store = Store::open(here.path().join("store"));
    let loaded = risk_alone(Given { name: "risk.toml", text: A_HUNDRED }, &[]).expect("limits");
    let found = what_if(&store, "told", &Ask { risk: Some(&loaded), ..Ask::default() }).expect("it runs");
    let [was, is] = &found.sides[..] else { panic!("two sides") };
    assert_eq!((was.risk.trips.len(), was.risk.states[0].active_s), (0, 1.7), "the story lasts from 0.1 to 1.8 s");
    let trips = |risk: &Conduct| -> Vec<_> {
        risk.trips.iter().map(|t| (t.reason.clone(), t.seq, t.seconds, t.ended)).collect()
    };
    // Both the limit and the warning before it, at 80, are passed at once, by the seventh input; nobody resumes.
    let reason = |soft: &str, limit| format!("LOSS_EXCEEDED{soft} value=882.00 limit={limit}.00 unit=quote");
    assert_eq!(trips(&is.risk), [(reason("", 100), 7, 0.8, None), (reason(" soft", 80), 7, 0.8, None)]);
    let book = &is.risk.states[0];
    assert_eq!((book.active_s, book.reducing_s, book.halted_s), (0.9, 0.0, 0.8));
    assert_eq!(book.spells[0].state, "halted");
    assert!(is.metrics.instruments[0].inventory.max_long >= 9.0);
    assert!(
        found.changed.iter().any(|line| line == "the book: loss_max_quote 100, was 0 (tighter)"),
        "{:?}",
        found.changed
    );
}

#[test]
fn the_verb_tells_both_sides_in_text_json_and_a_report() {
    let here = recorded();
    std::fs::write(here.path().join("new.toml"), A_HUNDRED).expect("a file");
    let replay = |more: &[&str]| papermaker(here.path(), &[&["replay", "told"], &STORE[..], more].concat());
    let asked = ["--risk", "new.toml", "--report", "what-if.html"];
    let text = replay(&asked).exits(0).stdout();
    for words in ["What limits did", "LOSS_EXCEEDED soft", "the book Halted, s", "tripped at input 7", "most long"] {
        assert!(text.contains(words), "no {words:?} in\n{text}");
    }
    let page = std::fs::read_to_string(here.path().join("what-if.html")).expect("a report");
    let data = &page[page.find("id=\"data\">").expect("data") + 10..];
    let data: serde_json::Value =
        serde_json::from_str(&data[..data.find("</script>").expect("its end")]).expect("JSON");
    assert_eq!(data["sides"].as_array().map(Vec::len), Some(2), "equity and inventory");
    let [equity, inventory] = [0, 1].map(|n| data["sides"][n]["drawn"].clone());
    assert_eq!((&equity[0]["name"], &equity[1]["name"]), (&"recorded".into(), &"what_if".into()));
    assert!(
        equity[1]["values"]
            .as_array()
            .is_some_and(|v| v.iter().any(|v| v.as_f64().is_some_and(|v| (v + 882.0).abs() < 1e-9))),
        "{equity}"
    );
    assert!(inventory[1]["values"].as_array().is_some_and(|v| v.contains(&serde_json::json!(9.0))), "{inventory}");
    // The band of the halt: 0.9 s after the first input, for 0.8 s, in microseconds.
    assert_eq!(equity[1]["states"], serde_json::json!([[900_000, 1_700_000, "halted"]]));
    assert!(page.contains("tripped LOSS_EXCEEDED") && page.contains("1 ×, 0.8 s"), "the table");
    // Nothing is overwritten unless asked for, and that is said before anything is run.
    replay(&asked).exits(2).complains_of(&["what-if.html", "--force"]);
    let json = replay(&[&asked[..], &["--force", "--json"]].concat()).exits(0).json();
    let risk = &json["what_if"]["risk"];
    assert_eq!((&risk["trips"][0]["code"], &risk["trips"][0]["seq"]), (&"LOSS_EXCEEDED".into(), &7.into()), "{risk}");
    for key in ["refusals", "refused", "trips", "trips_left_out", "states"] {
        assert!(!risk[key].is_null() && !json["recorded"]["risk"][key].is_null(), "{key} in {json}");
    }
    // A mistake is named by file, line and key; a report of nothing is none.
    std::fs::write(here.path().join("new.toml"), "[risk]\nloss_max_quote = 100\ncolar_bps = 5\n").expect("a file");
    replay(&["--risk", "new.toml"]).exits(2).complains_of(&["new.toml:3", "risk.colar_bps", "risk.collar_bps"]);
    replay(&["--report", "x.html"]).exits(2).complains_of(&["--report is of a what-if"]);
}
