//! One fault at a time in the middle of a market: it is recorded, the quotes are out while the book cannot be
//! trusted, the book is right again at the end, and the whole of it replays.

use std::time::Duration;

use super::{BOLD, book_is_right, left};
use crate::support::bot::{Bot, Conduct};
use crate::support::full_size;
use crate::support::playback::{Fault, Playback, Script, Speed};
use crate::support::recording::Recording;

/// Frames played: 26 s of market at twenty times its speed, the fault in the middle.
const FRAMES: usize = 5_000;

/// The timers of a venue, twenty times as short as usual.
const IMPATIENT: [&str; 4] =
    ["--set", "venues.binance-spot.stale_depth_ms=250", "--set", "venues.binance-spot.stale_bbo_ms=250"];

/// Plays `fault` at the first depth frame of the second half. `events` must be in the feed's record.
fn weather(script: impl FnOnce(Script, usize) -> Script, args: &[&str], events: &[&str]) -> Option<Conduct> {
    let recording = Recording::august()?.beginning(FRAMES);
    let middle = recording.depth_from(FRAMES / 2);
    let here = tempfile::tempdir().expect("a folder");
    let script = script(Script::faithful(recording, Speed::Times(20.0)), middle);
    let (_runtime, playback) = Playback::beside(script);
    let mut bot = Bot::on(&playback, here.path(), "weather", &[&BOLD, args].concat());
    bot.settle(&playback);
    bot.terminate();

    let left = left(here.path());
    let found = left.feed_events();
    for event in events {
        assert!(found.iter().any(|f| f == event), "{event} is not recorded: {found:?}\n{}", bot.log());
    }
    book_is_right(&left, &playback);
    left.replays();
    let conduct = left.conduct();
    assert!(conduct.placed > 0, "{conduct:?}");
    Some(conduct)
}

/// As [`weather`], of a fault that takes the trust in the book away.
fn distrust(fault: Fault, args: &[&str], events: &[&str]) {
    let Some(conduct) = weather(|script, middle| script.with(middle, fault), args, events) else { return };
    assert!(conduct.distrusted > 0 && conduct.pulled > 0, "{conduct:?}");
}

#[test]
fn a_frame_that_never_comes_is_a_gap() {
    distrust(Fault::Drop, &[], &["gap", "resync"]);
}

#[test]
fn a_frame_that_comes_twice_changes_nothing() {
    let doubled = weather(|script, middle| script.with(middle, Fault::Double), &[], &[]);
    assert!(doubled.is_none_or(|conduct| conduct.distrusted == 0), "{doubled:?}");
}

#[test]
fn two_frames_in_the_wrong_order_are_a_gap() {
    distrust(Fault::Swap, &[], &["gap", "resync"]);
}

#[test]
fn half_a_text_is_a_protocol_error() {
    distrust(Fault::Half, &[], &["protocol_error"]);
}

#[test]
fn a_connection_that_is_closed_is_opened_again() {
    distrust(Fault::Close { code: 1001, lost: 5 }, &[], &["disconnected", "connected"]);
}

#[test]
fn a_connection_that_is_reset_is_opened_again() {
    distrust(Fault::Reset { lost: 5 }, &[], &["disconnected", "connected"]);
}

#[test]
fn silence_is_not_quoted_on() {
    let ten_seconds = Fault::Silence(Duration::from_secs(10));
    if full_size() {
        distrust(ten_seconds, &[], &["stale"]);
    }
    // The same with shorter timers and a silence as much shorter.
    distrust(Fault::Silence(Duration::from_millis(1_000)), &IMPATIENT, &["stale"]);
}

#[test]
fn a_connection_that_is_open_and_dead_is_given_up() {
    distrust(Fault::HalfOpen { lost: 5 }, &IMPATIENT, &["stale", "disconnected", "connected"]);
}

#[test]
fn a_frame_of_absurd_size_ends_the_connection_not_the_bot() {
    distrust(Fault::Oversize(65 << 20), &[], &["disconnected", "connected"]);
}

#[test]
fn a_book_that_crosses_is_not_quoted_on() {
    distrust(Fault::Cross, &[], &["resync"]);
}

#[test]
fn a_venue_that_wants_less_is_given_its_pause() {
    let refused = |script: Script, _| Script { refuse_depth: vec![(429, Some(1))], ..script };
    weather(refused, &[], &["rate_limited", "snapshot", "live"]);
}
