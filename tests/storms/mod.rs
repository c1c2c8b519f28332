//! The real binary through weather: real frames over a real socket at every speed, faults on the way, sudden death.

mod death;
mod demo;
mod faithful;
mod faults;

use std::path::Path;

use crate::support::bot::Left;
use crate::support::independent::Ladder;
use crate::support::playback::Playback;

/// A market maker that quotes at the touch at once, so that there is always something resting when weather comes; the
/// distances to the venue are short because the tests' time is.
pub const BOLD: [&str; 16] = [
    "--strategy",
    "fixed_spread",
    "--set",
    "quoting.decide_every_ms=0",
    "--set",
    "paper.feed_latency_us=200",
    "--set",
    "paper.entry_latency_us=200",
    "--set",
    "paper.response_latency_us=200",
    "--set",
    "risk.order_rate_max_per_s=1000",
    "--set",
    "venues.binance-spot.reconnect_base_ms=20",
    "--set",
    "risk.loss_max_quote=0",
];

/// Panics unless the exported best twenty of each side are the independent book's.
#[track_caller]
pub fn book_is_right(left: &Left<'_>, playback: &Playback) {
    let rows = left.rows("book", &["--at", "end", "--depth", "20"]);
    let side = |word: &str| -> Ladder {
        let own = rows.iter().filter(|row| row[2] == word);
        own.map(|row| (decimal(&row[4]), decimal(&row[5]))).collect()
    };
    let (_, (bids, asks)) = playback.top(20);
    assert_eq!((side("bid"), side("ask")), (bids, asks), "the book at the end");
}

/// A plain decimal without trailing zeros.
pub fn decimal(text: &str) -> rust_decimal::Decimal {
    text.parse::<rust_decimal::Decimal>().expect("a decimal").normalize()
}

/// The recording `weather` of `folder`.
pub fn left(folder: &Path) -> Left<'_> {
    Left { folder, session: "weather" }
}
