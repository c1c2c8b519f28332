//! `evaluate`: who is held against whom, on what, and what is said of it.

use std::fs;
use std::path::Path;

use serde_json::Value;

use super::{Ran, papermaker};

/// Any strategy file can be held against the others; this one needs no training.
const MINE: &str = "kind = \"glft\"\norder_amount_base = \"0.002\"\nrisk_factor = 0.4\nrisk_factor_unit = \"per-volatility\"\n\
                    sigma_fallback_ticks = 30.0\na_fallback_per_s = 1.0\nk_fallback_per_tick = 0.05\n";

/// Two settings of one kind, one of each other, all soon warm.
const GRID: &str = "[strategy]\norder_levels = [1]\n[strategy.glft]\nsigma_fallback_ticks = [30.0]\na_fallback_per_s = [1.0]\n\
                    k_fallback_per_tick = [0.05]\n[strategy.avellaneda-stoikov]\nsigma_fallback_ticks = [30.0]\n\
                    a_fallback_per_s = [1.0]\nk_fallback_per_tick = [0.05]\n[strategy.fixed-spread]\nhalf_spread_bps = [0.2, 40.0]\n";

fn evaluate(here: &Path, more: &[&str]) -> Ran {
    fs::write(here.join("mine.toml"), MINE).expect("written");
    fs::write(here.join("grid.toml"), GRID).expect("written");
    let line = ["evaluate", "mine.toml", "--grid", "grid.toml", "--resamples", "200", "--set", "store.path=store"];
    papermaker(here, &[&line[..], more].concat())
}

const IN_MARKET: [&str; 8] = ["--sim", "demo", "--for", "3m", "--seeds", "2", "--tune-seeds", "1"];

fn pair<'a>(told: &'a Value, other: &str) -> &'a Value {
    let pairs = told["pairs"].as_array().expect("pairs");
    let found =
        pairs.iter().find(|pair| pair["other"].as_str().is_some_and(|name| name.split(' ').next() == Some(other)));
    &found.unwrap_or_else(|| panic!("no {other} in {told}"))["difference"]
}

#[test]
fn a_strategy_is_held_against_the_best_of_each_kind_in_markets_that_nobody_was_tuned_in() {
    let here = tempfile::tempdir().expect("a folder");
    let here = here.path();
    let told = evaluate(here, &[&IN_MARKET[..], &["--json"]].concat()).exits(0).json();
    assert_eq!(
        (told["paper"].as_bool(), told["trials"].as_u64(), told["groups"].as_u64()),
        (Some(true), Some(4), Some(2))
    );
    let strategies = told["strategies"].as_array().expect("strategies");
    let names: Vec<&str> = strategies.iter().map(|s| s["name"].as_str().unwrap().split(' ').next().unwrap()).collect();
    assert_eq!(names, ["mine", "fixed-spread", "avellaneda-stoikov", "glft"]);
    // Forty basis points from the mid nothing ever fills; a fifth of one does, and whichever earned more where it was tuned was taken.
    let chosen = strategies[1]["changed"].to_string();
    let tuned = strategies[1]["pnl_tuned"].as_f64().expect("it was tuned");
    assert!(tuned >= 0.0 && chosen.contains(if tuned == 0.0 { "40.0" } else { "0.2" }), "{tuned} with {chosen}");
    assert!(chosen.contains("0.002"), "everybody has the policy's order size: {chosen}");
    let earned = |n: usize| strategies[n]["pnl"]["value"].as_f64().expect("a profit");
    for (n, other) in [(1, "fixed-spread"), (2, "avellaneda-stoikov"), (3, "glft")] {
        let difference = &pair(&told, other)["difference"];
        let value = difference["value"].as_f64().expect("a difference");
        assert!((value - (earned(0) - earned(n))).abs() < 1e-9, "{value} against {other}");
        assert!(difference["low"].as_f64() <= Some(value) && Some(value) <= difference["high"].as_f64());
    }
    let alone = pair(&told, "zero-quote")["difference"]["value"].as_f64().expect("a difference");
    assert!((alone - earned(0)).abs() < 1e-12, "who does not quote earns nothing");
    assert!(told["notes"].to_string().contains("mine.toml has no card beside it"), "{told}");
    // Tuning and judging: five strategies and settings of the others and mine, all in the log.
    let log = fs::read_to_string(here.join("store/trials.jsonl")).expect("a log");
    assert_eq!(log.lines().count(), 8, "{log}");

    let again = evaluate(here, &[&IN_MARKET[..], &["--json", "--threads", "1"]].concat()).exits(0).json();
    assert_eq!(again["pairs"], told["pairs"], "the same seeds, the same answer");
    let text = evaluate(here, &IN_MARKET).exits(0).stdout();
    for part in
        ["PAPER evaluation on simulated market demo", "4 tried of others", "mine - zero-quote", "best of its kind"]
    {
        assert!(text.contains(part), "{part} is missing in\n{text}");
    }
}

#[test]
fn seeds_of_one_training_are_also_judged_together() {
    let here = tempfile::tempdir().expect("a folder");
    let here = here.path();
    let card = concat!(env!("CARGO_MANIFEST_DIR"), "/strategies/ppo.card.toml");
    let card: toml::Table = fs::read_to_string(card).expect("a card").parse().expect("toml");
    let of = |name: &str, seed: i64, risk: &str| {
        fs::write(here.join(name), MINE.replace("0.4", risk)).expect("written");
        let mut card = card.clone();
        card.insert("seed".to_owned(), seed.into());
        card.remove("evaluation");
        fs::write(here.join(name).with_extension("card.toml"), toml::to_string(&card).expect("toml")).expect("written");
    };
    of("one.toml", 1, "0.2");
    of("two.toml", 2, "0.8");
    // A second of one seed is judged like the others, but counts for the training once.
    of("copy.toml", 1, "0.3");
    let policies = ["one.toml", "two.toml", "copy.toml"];
    let told = evaluate(here, &[&policies[..], &IN_MARKET[..], &["--json"]].concat()).exits(0).json();
    let earned = |name: &str| {
        let all = told["strategies"].as_array().expect("strategies");
        all.iter().find(|s| s["name"] == name).expect("it took part")["pnl"]["value"].as_f64().expect("a profit")
    };
    let trainings = told["trainings"].as_array().expect("trainings");
    assert_eq!(trainings.len(), 1, "{told}");
    assert_eq!(trainings[0]["policies"].as_array().expect("names"), &["one", "two", "copy"]);
    let middle = 0.5 * (earned("one") + earned("two"));
    let its = |value: &Value| value["value"].as_f64().expect("a number");
    assert!((its(&trainings[0]["pnl"]) - middle).abs() < 1e-9);
    for pair in trainings[0]["pairs"].as_array().expect("pairs") {
        let (other, found) = (pair["other"].as_str().expect("a name"), &pair["difference"]["difference"]);
        let less = if other == "zero-quote" { 0.0 } else { earned(other) };
        assert!((its(found) - (middle - less)).abs() < 1e-9, "{pair}");
        assert!(found["low"].as_f64() <= Some(its(found)) && Some(its(found)) <= found["high"].as_f64(), "{pair}");
    }
    let pairs = told["pairs"].as_array().expect("pairs");
    let kin = |name: &Value| ["one", "two", "copy"].contains(&name.as_str().expect("a name"));
    assert!(pairs.iter().all(|pair| !kin(&pair["policy"]) || !kin(&pair["other"])), "seeds are no rivals: {told}");
    let card = fs::read_to_string(here.join("two.card.toml")).expect("a card");
    let card: toml::Table = card.parse().expect("toml");
    let together = &card["evaluation"][0]["seeds_together"];
    assert_eq!(together["seeds"].as_array().expect("seeds").len(), 2);
    let text = evaluate(here, &[&policies[..], &IN_MARKET[..]].concat()).exits(0).stdout();
    assert!(text.contains("2 seeds of ppo of one training (1, 2), seeds drawn as well:"), "{text}");
    assert!(text.contains("2 seeds of ppo - glft"), "{text}");
}

#[test]
fn recordings_are_split_in_time_and_only_what_follows_counts() {
    let here = tempfile::tempdir().expect("a folder");
    let here = here.path();
    let golden = concat!(env!("CARGO_MANIFEST_DIR"), "/replay/golden/demo-btcusdt");
    // A gap of five seconds between tuning and judging: a minute is all there is.
    let quick = ["--set", "signals.intensity_window_s=5", "--set", "signals.volatility_half_life_s=1"];
    let told =
        |split: &str| evaluate(here, &[&[golden, "--json", "--split", split], &quick[..]].concat()).exits(0).json();
    let (half, most) = (told("0.3"), told("0.6"));
    let judged = |told: &Value| told["seconds"].as_f64().expect("seconds");
    assert!(judged(&half) > judged(&most) && judged(&most) > 0.0, "{} and {}", judged(&half), judged(&most));
    assert!(half["notes"].to_string().contains("one recording"), "{}", half["notes"]);
}

#[test]
fn what_cannot_be_evaluated_is_said() {
    let here = tempfile::tempdir().expect("a folder");
    let here = here.path();
    evaluate(here, &[]).exits(2).complains_of(&["nothing to evaluate on"]);
    evaluate(here, &["monday", "--sim", "demo"]).exits(2).complains_of(&["monday and --sim"]);
    evaluate(here, &["monday"]).exits(2).complains_of(&["monday"]);
    papermaker(here, &["evaluate", "monday"]).exits(2).complains_of(&["names no policy"]);
    fs::write(here.join("big.toml"), MINE.replace("0.002", "0.01")).expect("written");
    evaluate(here, &[&["big.toml"], &IN_MARKET[..]].concat()).exits(2).complains_of(&["profits would not compare"]);
    evaluate(here, &[&IN_MARKET[..], &["--must-beat", "nobody"]].concat()).exits(2).complains_of(&["not among"]);
}

#[test]
fn the_policies_that_come_with_us_quote_in_the_demo_and_their_cards_are_theirs() {
    let here = tempfile::tempdir().expect("a folder");
    let of = |name: &str| format!("{}/strategies/{name}", env!("CARGO_MANIFEST_DIR"));
    let (ppo, sac) = (of("ppo.toml"), of("sac.toml"));
    let line = ["backtest", "--sim", "demo", "--for", "2m", "--seeds", "1", "--strategy", &ppo, "--strategy", &sac];
    let told = papermaker(here.path(), &[&line[..], &["--json", "--set", "store.path=store"]].concat()).exits(0).json();
    for (n, name) in ["ppo", "sac"].into_iter().enumerate() {
        let fills = told["strategies"][n]["fills"].as_u64();
        assert!(fills > Some(10), "{name} filled {fills:?} times");
        let text = |end: &str| fs::read_to_string(of(&format!("{name}{end}"))).expect("it is there");
        let [policy, card] = [text(".toml"), text(".card.toml")].map(|text| text.parse::<toml::Table>().expect("TOML"));
        assert_eq!(policy["weights_blake3"], card["weights"], "{name}: the card is of other weights");
        assert!(policy.contains_key("drift") && card.contains_key("reference"), "{name} knows its training");
        assert!(!card["evaluation"].as_array().expect("a list").is_empty(), "{name} was held against others");
    }
}
