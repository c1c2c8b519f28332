//! One decision, told so that a trader can check it.

use papermaker::engine::Output;
use papermaker::journal::Store;
use papermaker::run::explain::explain;

use super::{SIX_CANCEL, golden, quoting, record};
use crate::engine::story::story;
use crate::verbs::papermaker;

#[test]
fn a_decision_of_a_story_is_explained_to_the_last_number() {
    let here = tempfile::tempdir().expect("a folder");
    let mut spec = quoting();
    spec.desks[0].paper.latency = papermaker::exchange::latency::LatencySpec::constant(0, 20_000, 10_000);
    record(here.path(), &spec, &story(SIX_CANCEL), false);
    let store = Store::open(here.path().join("store"));
    // Input 1 is the book: 10 @ 1000 / 10 @ 1004, mid 1002, quotes two ticks away.
    let told = explain(&store, "told", 1).expect("an input");
    let [it] = &told.decisions[..] else { panic!("one decision: {told:?}") };
    assert_eq!((it.strategy.as_str(), it.is_news, it.wanted.as_str()), ("fixed-spread", true, "2 quotes"));
    assert_eq!((it.market.mid_ticks, it.market.microprice_ticks, it.market.imbalance), (1002.0, 1002.0, 0.0));
    assert_eq!((&it.holding.position, &it.holding.room_to_buy), (&"0".to_owned(), &"100".to_owned()));
    assert_eq!(
        it.quotes[0].steps,
        ["reservation 1002.0000 - 2.0000 = 1000.0000 ticks", "rounded down, away from the mid: 1000 ticks, 1000"]
    );
    assert_eq!(it.requests[0].request, "order 1: buy 5 @ 1000, PostOnly");
    let limits: Vec<_> = it.requests[0].limits.iter().map(|l| format!("{} {}/{}", l.limit, l.value, l.max)).collect();
    // 5 × 1000 = 5000; 2 ticks of 1002 are 19.96 bps.
    let expected = [
        "stale_book_ms 0/5000",
        "order_qty_max_base 5/1000",
        "order_notional_max_quote 5000/10000000",
        "position_max_base 5/100",
        "open_orders_max 1/50",
        "collar_bps 19.96/5000.00",
        "order_rate_max_per_s 1/1000",
    ];
    assert_eq!(limits, expected);
    // The second order finds the first one's token gone, and its order alive.
    let second = &it.requests[1].limits;
    assert_eq!((second[4].value.as_str(), second[6].value.as_str()), ("2", "2"));
    // There after 20 ms, heard of 10 ms later: with the tick at 150.
    let back = &it.requests[0].came_back[0];
    assert_eq!((back.happened_ms, back.heard_ms, back.seq, back.said.as_str()), (20.0, 50.0, 2, "rests behind 10"));
    assert!(it.levels_say("buy", "1000", "10", "0", "5"), "{:?}", it.market.levels);

    // Input 3 is news: 16 rest at 1000, our order behind 10 of them; nothing new is wanted.
    let told = explain(&store, "told", 3).expect("an input");
    let it = &told.decisions[0];
    assert!(!it.is_news && it.requests.is_empty());
    let order = &it.holding.orders[0];
    assert_eq!((order.order.as_str(), order.queue_ahead.as_deref()), ("buy 5 @ 1000, resting", Some("10")));
    assert!(it.levels_say("buy", "1000", "16", "5", "5"), "{:?}", it.market.levels);

    // Input 2 is a tick.
    let told = explain(&store, "told", 2).expect("an input");
    assert!(told.decisions.is_empty());
    assert_eq!(told.nearest, [Some(1), Some(3)]);
    for wrong in [0, 10, 1_000_000, u64::MAX] {
        let said = explain(&store, "told", wrong).expect_err("no such input").to_string();
        assert!(said.contains(&format!("no input {wrong}")) && said.contains("1 to 9"), "{said}");
    }
}

#[test]
fn every_recorded_decision_is_explained_with_what_was_recorded() {
    let (_folder, store) = golden();
    let mut reader = store.reader("demo-btcusdt").expect("golden");
    let (mut input, mut outputs) = (papermaker::journal::Reader::blank(), Vec::new());
    let (mut decided, mut followed) = (Vec::new(), 0);
    while reader.next_step(&mut input, &mut outputs).expect("readable") {
        let sent = outputs.iter().filter(|o| matches!(o, Output::Sent(_))).count();
        if outputs.iter().any(|o| matches!(o, Output::Decided { .. })) {
            decided.push((input.seq, sent));
        }
    }
    for (seq, sent) in decided.iter().copied().step_by(9) {
        let told = explain(&store, "demo-btcusdt", seq).expect("an input");
        let [it] = &told.decisions[..] else { panic!("input {seq}: {told:?}") };
        assert!(it.is_news, "input {seq}");
        assert_eq!(it.requests.iter().filter(|r| r.refused.is_none()).count(), sent, "input {seq}");
        for quote in &it.quotes {
            let last = quote.steps.iter().any(|step| step.contains(&quote.price));
            assert!(last, "input {seq}: the steps do not lead to {}: {:?}", quote.price, quote.steps);
        }
        assert!(told.inputs.iter().all(|input| input.recorded == input.replayed), "input {seq}");
        assert_eq!(
            it.signals.sigma.is_some(),
            it.signals.sigma_samples[0] >= it.signals.sigma_samples[1],
            "input {seq}"
        );
        followed += it.requests.iter().filter(|r| !r.came_back.is_empty()).count();
    }
    assert!(decided.len() > 30 && followed > 5, "{} decisions, {followed} requests followed", decided.len());
}

#[test]
fn the_verb_tells_it_in_words_and_as_json() {
    let here = tempfile::tempdir().expect("a folder");
    record(here.path(), &quoting(), &story(SIX_CANCEL), false);
    let around =
        |more: &[&str]| papermaker(here.path(), &[&["replay", "told", "--set", "store.path=store"], more].concat());
    let text = around(&["--around", "1"]).exits(0).stdout();
    for words in [
        "PAPER told around input 1",
        "fixed-spread was asked and wanted 2 quotes (something new)",
        "mid 1002 ticks",
        "reservation 1002.0000 - 2.0000 = 1000.0000 ticks",
        "sent     order 1: buy 5 @ 1000",
        "position_max_base 5 of 100 (5 %)",
        "rests behind 10",
    ] {
        assert!(text.contains(words), "no {words:?} in\n{text}");
    }
    let json = around(&["--around", "2", "--json"]).exits(0).json();
    assert_eq!((&json["paper"], &json["nearest"]), (&true.into(), &serde_json::json!([1, 3])));
    around(&["--around", "77"]).exits(2).complains_of(&["no input 77", "1 to 9"]);
}

trait LevelsSay {
    fn levels_say(&self, side: &str, price: &str, qty: &str, ours: &str, wanted: &str) -> bool;
}

impl LevelsSay for papermaker::run::explain::Told {
    fn levels_say(&self, side: &str, price: &str, qty: &str, ours: &str, wanted: &str) -> bool {
        let is = |l: &&papermaker::run::explain::LevelTold| l.side == side && l.price == price;
        let level = self.market.levels.iter().find(is);
        level.is_some_and(|l| (l.qty.as_str(), l.ours.as_str(), l.wanted.as_str()) == (qty, ours, wanted))
    }
}
