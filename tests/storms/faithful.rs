//! A recorded morning, played as it was: what is exported is what was in the file.

use std::sync::Arc;

use super::{BOLD, book_is_right, decimal, left};
use crate::support::bot::{Bot, Conduct};
use crate::support::full_size;
use crate::support::playback::{Playback, Script, Speed};
use crate::support::recording::Recording;

/// Plays it to the end and checks everything that must be so at every speed.
fn play(recording: &Arc<Recording>, speed: Speed, args: &[&str]) -> Conduct {
    let here = tempfile::tempdir().expect("a folder");
    let (_runtime, playback) = Playback::beside(Script::faithful(recording.clone(), speed));
    let mut bot = Bot::on(&playback, here.path(), "weather", args);
    bot.settle(&playback);
    bot.terminate();
    let left = left(here.path());

    let trades = left.rows("trades", &[]);
    let prints = recording.prints();
    assert_eq!(trades.len(), prints.len(), "exported trades and prints in the file");
    for (row, print) in trades.iter().zip(&prints) {
        // seq,recv_ns,venue_ns,venue,symbol,trade_id,price,qty,aggressor
        let aggressor = if print.buyer_is_maker { "sell" } else { "buy" };
        let expected = (print.id.to_string(), decimal(&print.price), decimal(&print.qty), aggressor);
        assert_eq!((row[5].clone(), decimal(&row[6]), decimal(&row[7]), row[8].as_str()), expected);
    }
    book_is_right(&left, &playback);
    assert_eq!(left.feed_events(), ["connected", "snapshot", "live"], "one connection, no gap");
    left.verb(&["sessions", "verify"], &[]).exits(0);
    left.replays();
    left.conduct()
}

#[test]
fn at_twenty_times_the_speed_the_record_is_the_file_and_avellaneda_stoikov_quotes() {
    let Some(recording) = Recording::august() else { return };
    let recording = recording.beginning(if full_size() { usize::MAX } else { 12_000 });
    // Its estimates need time to become known; here it has seconds.
    let quick = [
        "--strategy",
        "avellaneda_stoikov",
        "--set",
        "signals.volatility_grid_ms=20",
        "--set",
        "signals.volatility_samples_min=5",
        "--set",
        "signals.intensity_orders_min=2",
        "--set",
        "signals.intensity_refit_s=0.1",
        "--set",
        "quoting.decide_every_ms=5",
    ];
    let conduct = play(&recording, Speed::Times(20.0), &quick);
    assert!(conduct.decisions > 0 && conduct.placed > 0, "{conduct:?}");
}

#[test]
fn as_fast_as_possible_the_record_is_the_file_and_orders_fill() {
    let Some(recording) = Recording::august() else { return };
    let conduct = play(&recording, Speed::Max, &BOLD);
    assert!(conduct.decisions > 0 && conduct.placed > 0 && conduct.fills > 0, "{conduct:?}");
    assert_eq!(conduct.resting_at_end, 0, "everything is cancelled before the end: {conduct:?}");
}

#[test]
fn at_the_speed_of_life_nothing_is_different() {
    let Some(recording) = Recording::august() else { return };
    let recording = recording.beginning(if full_size() { usize::MAX } else { 400 });
    let conduct = play(&recording, Speed::Times(1.0), &BOLD);
    assert!(conduct.decisions > 0, "{conduct:?}");
}

#[test]
fn a_recording_without_a_snapshot_is_never_traded_on() {
    let Some(recording) = Recording::april_without_snapshot() else { return };
    let here = tempfile::tempdir().expect("a folder");
    let (_runtime, playback) = Playback::beside(Script::faithful(recording, Speed::Max));
    let mut bot = Bot::on(&playback, here.path(), "weather", &BOLD);
    bot.settle(&playback);
    bot.terminate();
    let left = left(here.path());
    let conduct = left.conduct();
    assert_eq!((conduct.placed, conduct.decisions, conduct.fills), (0, 0, 0), "{conduct:?}");
    assert!(left.rows("orders", &[]).is_empty() && left.rows("decisions", &[]).is_empty());
    assert!(!left.feed_events().contains(&"live".to_owned()));
    assert!(!left.rows("trades", &[]).is_empty(), "its trades are recorded all the same");
    left.replays();
}
