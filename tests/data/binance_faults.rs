//! The same morning on a bad line. Whatever happens, it is told, and at the end the book is right again.

use std::time::Duration;

use papermaker::feed::Settings;
use papermaker::market::{FeedEventKind, MarketEvent, MarketEventKind};
use papermaker::units::Nanos;
use papermaker::wire::binance_spot;
use papermaker::wire::dialect::Options;
use papermaker::wire::liveness::Patience;

use super::binance_spot::{book, count, listen, top, trades};
use crate::feed::listener::impatient;
use crate::support::playback::{Fault, Playback, Script, Speed, Stats};
use crate::support::recording::Recording;

/// What one bad morning left behind.
struct Aftermath {
    market: Vec<MarketEvent>,
    feed: Vec<FeedEventKind>,
    stats: Stats,
    /// Prints of the recording.
    prints: usize,
}

impl Aftermath {
    fn gaps(&self) -> usize {
        count(&self.market, |k| matches!(k, MarketEventKind::Gap { .. }))
    }

    fn snapshots(&self) -> usize {
        count(&self.market, |k| matches!(k, MarketEventKind::Snapshot { .. }))
    }

    fn told(&self, wanted: impl Fn(&FeedEventKind) -> bool) -> usize {
        self.feed.iter().filter(|kind| wanted(kind)).count()
    }

    fn disconnections(&self) -> usize {
        self.told(|k| matches!(k, FeedEventKind::Disconnected { .. }))
    }

    fn protocol_errors(&self) -> usize {
        self.told(|k| matches!(k, FeedEventKind::ProtocolError { .. }))
    }
}

/// The first 6,000 frames (40 s) at full speed. Returns when everything was played and the book is right.
async fn survive(change: impl FnOnce(Script, &Recording) -> Script) -> Option<Aftermath> {
    survive_with(impatient(), binance_spot::Settings::default(), change).await
}

async fn survive_with(
    settings: Settings,
    wire: binance_spot::Settings,
    change: impl FnOnce(Script, &Recording) -> Script,
) -> Option<Aftermath> {
    let recording = Recording::august()?.beginning(6_000);
    let prints = recording.prints().len();
    let playback = Playback::start(change(Script::faithful(recording.clone(), Speed::Max), &recording)).await;
    let (instrument, listener) = listen(&playback, settings, wire).await;
    listener
        .wait_for("the end of the recording and the right book", |l| {
            let (last_id, truth) = playback.top(20);
            playback.finished()
                && book(&l.market_events())
                    .is_some_and(|b| Some(b.seq()) == last_id && top(&b, &instrument, 20) == truth)
        })
        .await;
    let aftermath =
        Aftermath { market: listener.market_events(), feed: listener.feed_events(), stats: playback.stats(), prints };
    listener.stop().await;
    assert_eq!(aftermath.feed.first(), Some(&FeedEventKind::Connected));
    Some(aftermath)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_difference_is_a_gap_and_a_new_snapshot_on_the_same_socket() {
    let Some(after) = survive(|s, r| s.with(r.depth_from(2_000), Fault::Drop)).await else { return };
    assert_eq!((after.gaps(), after.snapshots(), after.disconnections()), (1, 2, 0), "{:?}", after.feed);
    assert_eq!(after.told(|k| matches!(k, FeedEventKind::Resync { .. })), 1);
    assert_eq!(trades(&after.market).len(), after.prints);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_doubled_difference_changes_nothing() {
    let Some(after) = survive(|s, r| s.with(r.depth_from(2_000), Fault::Double)).await else { return };
    assert_eq!((after.gaps(), after.snapshots(), after.feed.len()), (0, 1, 2), "{:?}", after.feed);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_doubled_trade_is_heard_once() {
    let trade = |r: &Recording| (2_000..).find(|&k| r.frames[k].print().is_some()).unwrap();
    let Some(after) = survive(|s, r| s.with(trade(r), Fault::Double)).await else { return };
    assert_eq!((after.stats.prints.len(), trades(&after.market).len()), (after.prints + 1, after.prints));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_swapped_differences_are_a_gap_and_a_new_snapshot() {
    let Some(after) = survive(|s, r| s.with(r.depth_from(2_000), Fault::Swap)).await else { return };
    assert_eq!((after.gaps(), after.snapshots(), after.disconnections()), (1, 2, 0), "{:?}", after.feed);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn half_a_difference_is_told_and_leads_to_a_new_snapshot() {
    let Some(after) = survive(|s, r| s.with(r.depth_from(2_000), Fault::Half)).await else { return };
    assert_eq!((after.gaps(), after.snapshots(), after.protocol_errors()), (1, 2, 1), "{:?}", after.feed);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_closed_socket_is_told_with_its_code_and_the_new_one_starts_with_a_snapshot() {
    let fault = Fault::Close { code: 1001, lost: 100 };
    let Some(after) = survive(|s, r| s.with(r.depth_from(2_000), fault)).await else { return };
    assert_eq!(after.told(|k| matches!(k, FeedEventKind::Disconnected { reason } if reason.contains("1001"))), 1);
    assert_eq!((after.snapshots(), after.stats.connections), (2, 2));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reset_socket_is_told_and_replaced() {
    let fault = Fault::Reset { lost: 100 };
    let Some(after) = survive(|s, r| s.with(r.depth_from(2_000), fault)).await else { return };
    assert_eq!((after.disconnections(), after.snapshots(), after.stats.connections), (1, 2, 2), "{:?}", after.feed);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_snapshot_refused_with_429_is_asked_for_again_when_it_may() {
    let refuse = |mut script: Script, _: &Recording| {
        script.refuse_depth = vec![(429, Some(1))];
        script
    };
    let Some(after) = survive(refuse).await else { return };
    let requests = &after.stats.depth_requests;
    assert_eq!(requests.iter().map(|(_, status)| *status).collect::<Vec<_>>(), [429, 200]);
    assert!(requests[1].0 - requests[0].0 >= Duration::from_secs(1), "{requests:?}");
    assert_eq!(after.told(|k| matches!(k, FeedEventKind::RateLimited { code: 429, wait_ms: 1000 })), 1);
}

/// Patient for so many milliseconds until stale and until dead.
fn patience(stale_ms: i64, dead_ms: i64) -> binance_spot::Settings {
    let patience =
        Patience { first_data: Nanos::from_s(10), stale: Nanos::from_ms(stale_ms), dead: Nanos::from_ms(dead_ms) };
    let options = Options { depth_patience: patience, bbo_patience: patience, ..Options::default() };
    binance_spot::Settings { options, ..Default::default() }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_silent_venue_is_stale_and_live_again_when_it_speaks() {
    let fault = Fault::Silence(Duration::from_millis(1200));
    let wire = patience(400, 20_000);
    let Some(after) = survive_with(impatient(), wire, |s, _| s.with(2_000, fault)).await else { return };
    assert!(after.told(|k| matches!(k, FeedEventKind::Stale { channel, .. } if channel == "depth")) >= 1);
    assert!(after.told(|k| *k == FeedEventKind::Live) >= 2, "{:?}", after.feed);
    assert_eq!((after.gaps(), after.stats.connections), (0, 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_that_stays_silent_is_given_up() {
    let fault = Fault::HalfOpen { lost: 100 };
    let wire = patience(300, 900);
    let Some(after) = survive_with(impatient(), wire, |s, _| s.with(2_000, fault)).await else { return };
    assert!(after.told(|k| matches!(k, FeedEventKind::Stale { .. })) >= 1, "{:?}", after.feed);
    assert!(after.disconnections() >= 1 && after.stats.connections >= 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_frame_too_long_to_be_true_costs_the_connection_only() {
    let settings = Settings { frame_bytes_max: 1 << 20, ..impatient() };
    let wire = binance_spot::Settings::default();
    let fault = Fault::Oversize(2 << 20);
    let Some(after) = survive_with(settings, wire, |s, _| s.with(2_000, fault)).await else { return };
    assert_eq!((after.disconnections(), after.stats.connections), (1, 2), "{:?}", after.feed);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_book_that_stays_crossed_is_not_believed() {
    let mut wire = binance_spot::Settings::default();
    wire.options.sync.crossed = Nanos::from_us(50);
    let crossing = |s: Script, r: &Recording| s.with(r.depth_from(1_000), Fault::Cross);
    let Some(after) = survive_with(impatient(), wire, crossing).await else { return };
    assert!(after.gaps() >= 1, "{:?}", after.feed);
    assert!(after.told(|k| matches!(k, FeedEventKind::Resync { reason } if reason.contains("crossed"))) >= 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bad_morning_with_everything_in_it_ends_in_the_right_book() {
    let everything = |mut script: Script, r: &Recording| {
        script.refuse_depth = vec![(500, None)];
        script
            .with(r.depth_from(200), Fault::Drop)
            .with(r.depth_from(900), Fault::Half)
            .with(1_500, Fault::Ping(b"1723161255".to_vec()))
            .with(2_000, Fault::Reset { lost: 30 })
            .with(r.depth_from(2_500), Fault::Swap)
            .with(3_000, Fault::ServerShutdown)
            .with(r.depth_from(3_500), Fault::Double)
            .with(4_000, Fault::Close { code: 1001, lost: 200 })
            .with(r.depth_from(5_000), Fault::Drop)
    };
    let Some(after) = survive(everything).await else { return };
    assert!(after.stats.connections >= 3, "{:?}", after.feed);
    // A ping is answered even on a bad morning, unless its socket died before the answer left.
    assert!(after.stats.pongs.len() <= 1);
}
