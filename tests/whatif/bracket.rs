//! The session between its two shadows.

use papermaker::exchange::queue::{Bound, QueueModel};
use papermaker::journal::Store;
use papermaker::run::replay::replay;

use super::{SIX_CANCEL, quoting, record};
use crate::engine::story::story;
use crate::support::bot::{Bot, Left};
use crate::verbs::papermaker;

/// `power` with n = 1: of 6 cancelled, 10 ahead and 6 behind, p = 6/16 stood behind us: 10 - 6·10/16 = 6.25 are ahead. Of
/// the 8 sold one whole lot is left for us: between the pessimist's none and the optimist's four.
fn in_between() -> papermaker::engine::SessionSpec {
    let mut spec = quoting();
    spec.desks[0].paper.queue = QueueModel::Power { n: 1.0 };
    spec
}

#[test]
fn the_band_is_what_the_story_says_and_a_replay_finds_it_again() {
    let here = tempfile::tempdir().expect("a folder");
    let manifest = record(here.path(), &in_between(), &story(SIX_CANCEL), true);
    let told: Vec<_> = manifest.bracket.iter().map(|s| (s.bound, s.fills, s.equity[0].as_str())).collect();
    let [none, all] = ["binance-spot:TESTUSDT 0 USDT", "binance-spot:TESTUSDT 8 USDT"];
    assert_eq!(told, [(Bound::Pessimistic, 0, none), (Bound::Optimistic, 1, all)]);
    let store = Store::open(here.path().join("store"));
    assert_eq!(store.manifest("told").expect("written").bracket, manifest.bracket);
    let report = replay(&store, "told").expect("it runs");
    assert!(report.identical, "{:?}", report.first_divergence);
    assert!(report.bracket.iter().all(|shadow| shadow.identical == Some(true)) && report.bracket.len() == 2);
}

#[test]
fn a_bound_that_is_the_session_itself_costs_no_shadow_and_a_session_that_only_records_has_none() {
    let here = tempfile::tempdir().expect("a folder");
    let manifest = record(here.path(), &quoting(), &story(SIX_CANCEL), true);
    assert_eq!(manifest.bracket.iter().map(|s| s.bound).collect::<Vec<_>>(), [Bound::Optimistic]);
    let mut silent = quoting();
    silent.desks[0].strategy = None;
    assert!(papermaker::run::bracket::bounds(&silent).is_empty());
}

#[test]
fn the_session_says_the_same_with_and_without_shadows() {
    let digests = [true, false].map(|bracketed| {
        let here = tempfile::tempdir().expect("a folder");
        let manifest = record(here.path(), &in_between(), &story(SIX_CANCEL), bracketed);
        (manifest.output_digest, manifest.state_digest)
    });
    assert_eq!(digests[0], digests[1]);
}

#[test]
fn a_shadow_that_ends_elsewhere_is_a_divergence() {
    let here = tempfile::tempdir().expect("a folder");
    let manifest = record(here.path(), &in_between(), &story(SIX_CANCEL), true);
    let file = here.path().join("store/told/manifest.toml");
    let text = std::fs::read_to_string(&file).expect("a manifest");
    let digest = manifest.bracket[1].output_digest.expect("it ended").to_string();
    std::fs::write(&file, text.replace(&digest, &digest.replace(|c: char| c.is_ascii_digit(), "7"))).expect("changed");
    let line = ["replay", "told", "--set", "store.path=store"];
    papermaker(here.path(), &line).exits(1).complains_of(&["the end of the optimistic shadow", "hint"]);
}

#[test]
fn what_was_not_ended_is_run_again_and_not_compared() {
    let here = tempfile::tempdir().expect("a folder");
    record(here.path(), &in_between(), &story(SIX_CANCEL), true);
    let store = Store::open(here.path().join("store"));
    let mut manifest = store.manifest("told").expect("written");
    for shadow in &mut manifest.bracket {
        (shadow.output_digest, shadow.state_digest) = (None, None);
    }
    let file = here.path().join("store/told/manifest.toml");
    std::fs::write(file, toml::to_string(&manifest).expect("plain data")).expect("changed");
    let report = replay(&store, "told").expect("it runs");
    assert!(report.identical && report.bracket.iter().all(|shadow| shadow.identical.is_none()));
    assert_eq!(report.bracket[1].fills, 1, "it says what they came to");
}

#[test]
fn a_running_bot_shows_the_band_and_leaves_it_in_its_recording() {
    let here = tempfile::tempdir().expect("a folder");
    let mut bot = Bot::start(here.path(), "weather", &crate::storms::BOLD);
    let shown = |p: &serde_json::Value| p["bracket"][1]["fills"].as_u64() > Some(0) && p["fills"].as_u64() > Some(0);
    let picture = bot.wait_until("filled in both", shown);
    assert_eq!(
        (&picture["bracket"][0]["bound"], &picture["bracket"][0]["is_session"]),
        (&"pessimistic".into(), &true.into())
    );
    assert_eq!(picture["bracket"][0]["fills"], picture["fills"], "the default queue model is the pessimist's");
    let block = papermaker(here.path(), &["status", "--set", "store.path=store"]).exits(0).stdout();
    assert!(block.contains("bracket ") && block.contains("optimistic ("), "{block}");
    bot.terminate();
    let left = Left { folder: here.path(), session: "weather" };
    let report = left.replays();
    assert_eq!(
        (&report["bracket"][0]["bound"], &report["bracket"][0]["identical"]),
        (&"optimistic".into(), &true.into())
    );

    let mut bot =
        Bot::start(here.path(), "alone", &[&crate::storms::BOLD[..], &["--set", "paper.bracket=false"]].concat());
    let picture = bot.wait_until("quoting", |p| p["state"] == "quoting");
    assert_eq!(picture["bracket"].as_array().map(Vec::len), Some(0));
    bot.terminate();
}
