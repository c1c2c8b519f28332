//! Being told to slow down, to go away, or nothing at all.

use std::time::Duration;

use papermaker::feed::{Ended, Endpoint, FeedError, Settings, discover};
use papermaker::market::{FeedEventKind, VenueId};
use papermaker::wire::{Action, FetchFailure};
use tokio::net::TcpListener;

use super::connection::{Tiny, ask};
use super::listener::{Appetite, Listener, impatient};
use crate::support::playback::{Playback, Script, Speed};
use crate::support::recording::Recording;

#[tokio::test]
async fn after_a_429_nothing_is_asked_before_the_wait_is_over() {
    // The protocol asks twice on opening and again at once after every refusal. The first refusal is for 1 s, the
    // ban after it for 2 s; both are recorded, and both are kept by whoever asks.
    let mut script = Script::faithful(Recording::made_up(10), Speed::Max);
    script.refuse_depth = vec![(429, Some(1)), (418, Some(2))];
    let playback = Playback::start(script).await;
    let protocol = Tiny::asking();
    let replies = protocol.replies.clone();
    let listener = Listener::start(&playback, impatient(), protocol);
    listener.wait_for("a snapshot", |_| replies.lock().unwrap().iter().any(Result::is_ok)).await;
    let requests = playback.stats().depth_requests;
    assert_eq!(requests.iter().map(|(_, status)| *status).collect::<Vec<_>>(), [429, 418, 200]);
    let pause = |k: usize| requests[k].0 - requests[k - 1].0;
    assert!(pause(1) >= Duration::from_secs(1) && pause(2) >= Duration::from_secs(2), "{requests:?}");
    let limited = |code, wait_ms| FeedEventKind::RateLimited { code, wait_ms };
    assert_eq!(listener.feed_events(), [FeedEventKind::Connected, limited(429, 1000), limited(418, 2000)]);
    assert!(matches!(replies.lock().unwrap()[0], Err(FetchFailure::RateLimited { status: 429, .. })));
    listener.stop().await;
}

#[tokio::test]
async fn requests_beyond_the_weight_budget_wait_for_the_next_minute() {
    // 100 a minute allows two requests of 50; the third is held back for longer than this test looks.
    let playback = Playback::start(Script::faithful(Recording::made_up(10), Speed::Max)).await;
    let protocol = Tiny { on_open: vec![ask(), ask(), ask()], ..Tiny::default() };
    let replies = protocol.replies.clone();
    let listener = Listener::start(&playback, Settings { weight_per_minute: 100, ..impatient() }, protocol);
    listener.wait_for("two replies", |_| replies.lock().unwrap().len() == 2).await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(playback.stats().depth_requests.len(), 2);
    listener.stop().await;
}

#[tokio::test]
async fn no_second_holds_more_than_five_of_our_messages() {
    let playback = Playback::start(Script::faithful(Recording::made_up(10), Speed::Max)).await;
    let greeting = |k: u32| Action::Send(format!("{{\"method\":\"LIST_SUBSCRIPTIONS\",\"id\":{k}}}"));
    let protocol = Tiny { on_open: (0..8).map(greeting).chain([ask()]).collect(), ..Tiny::default() };
    let listener = Listener::start(&playback, impatient(), protocol);
    assert!(playback.wait(Duration::from_secs(10), |p| p.stats().heard.len() == 8).await);
    let heard = playback.stats().heard;
    assert!(heard[0].1.contains("\"id\":0") && heard[7].1.contains("\"id\":7"), "in order: {heard:?}");
    // The sixth leaves a second after the first. It may arrive a little less than a second after it, if the first
    // was slow on its way.
    assert!(heard[5].0 - heard[0].0 >= Duration::from_millis(900), "{heard:?}");
    listener.stop().await;
}

#[tokio::test]
async fn a_venue_that_refuses_us_is_asked_once() {
    let mut script = Script::faithful(Recording::made_up(10), Speed::Max);
    script.refuse_upgrade = vec![451];
    let playback = Playback::start(script).await;
    let listener = Listener::start(&playback, impatient(), Tiny::asking());
    listener.wait_for("the refusal", |l| !l.feed_events().is_empty()).await;
    let reason = "HTTP 451 to the websocket upgrade".to_owned();
    assert_eq!(listener.feed_events(), [FeedEventKind::Refused { reason: reason.clone() }]);
    assert_eq!(listener.ended().await, Ended::Refused(reason));
    assert_eq!(playback.stats().upgrades.len(), 1);
}

#[tokio::test]
async fn a_snapshot_refused_for_good_ends_the_feed_too() {
    let mut script = Script::faithful(Recording::made_up(10), Speed::Max);
    script.refuse_depth = vec![(403, None)];
    let playback = Playback::start(script).await;
    let listener = Listener::start(&playback, impatient(), Tiny::asking());
    match listener.ended().await {
        Ended::Refused(reason) => assert!(reason.starts_with("HTTP 403 to a request"), "{reason}"),
        other => panic!("{other:?}"),
    }
    assert!(playback.wait(Duration::from_secs(5), |p| p.open_sockets() == 0).await);
}

#[tokio::test]
async fn failed_attempts_are_told_and_repeated_until_one_succeeds() {
    let mut script = Script::faithful(Recording::made_up(10), Speed::Max);
    script.refuse_upgrade = vec![500, 503, 500];
    let playback = Playback::start(script).await;
    let listener = Listener::start(&playback, impatient(), Tiny::asking());
    listener.wait_for("the last trade", |l| l.trade_ids().len() == 10).await;
    let events = listener.feed_events();
    let told = events
        .iter()
        .filter(|e| matches!(e, FeedEventKind::Disconnected { reason } if reason.contains("next attempt in")));
    assert_eq!((told.count(), events.last()), (3, Some(&FeedEventKind::Connected)), "{events:?}");
    assert_eq!(playback.stats().upgrades.len(), 4);
    listener.stop().await;
}

#[tokio::test]
async fn an_upgrade_told_to_wait_waits() {
    // Without Retry-After the wait is a minute; one attempt is all this test sees.
    let mut script = Script::faithful(Recording::made_up(10), Speed::Max);
    script.refuse_upgrade = vec![429];
    let playback = Playback::start(script).await;
    let listener = Listener::start(&playback, impatient(), Tiny::asking());
    listener.wait_for("the limit", |l| !l.feed_events().is_empty()).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(listener.feed_events(), [FeedEventKind::RateLimited { code: 429, wait_ms: 60_000 }]);
    assert_eq!(playback.stats().upgrades.len(), 1);
    listener.stop().await;
}

#[tokio::test]
async fn an_address_that_accepts_and_then_says_nothing_is_left() {
    // The kernel accepts for a listener that never looks.
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = silent.local_addr().unwrap().port();
    let (ws, rest) = (format!("ws://127.0.0.1:{port}"), format!("http://127.0.0.1:{port}"));
    let endpoint = Endpoint::new(VenueId::BinanceSpot, &ws, &rest).unwrap();
    let settings = Settings { connect_timeout: Duration::from_millis(200), ..impatient() };
    let listener = Listener::at(endpoint, settings, Tiny::asking(), Appetite::HUNGRY);
    listener.wait_for("two attempts", |l| l.feed_events().len() >= 2).await;
    match &listener.feed_events()[0] {
        FeedEventKind::Disconnected { reason } => assert!(reason.contains("no connection in 0.2 s"), "{reason}"),
        other => panic!("{other:?}"),
    }
    listener.stop().await;
}

#[tokio::test]
async fn a_reply_that_does_not_come_is_a_failure_told_to_the_protocol() {
    let mut script = Script::faithful(Recording::made_up(10), Speed::Max);
    script.rest_delay = Duration::from_secs(60);
    let playback = Playback::start(script).await;
    let protocol = Tiny::asking();
    let replies = protocol.replies.clone();
    let settings = Settings { request_timeout: Duration::from_millis(200), ..impatient() };
    let listener = Listener::start(&playback, settings, protocol);
    listener.wait_for("a failure", |_| !replies.lock().unwrap().is_empty()).await;
    match &replies.lock().unwrap()[0] {
        Err(FetchFailure::Unreachable(why)) => assert!(why.contains("timed out"), "{why}"),
        other => panic!("{other:?}"),
    }
    listener.stop().await;
}

#[tokio::test]
async fn a_server_that_does_not_speak_tls_is_told_as_such() {
    // Our own plain server, asked as if it were a public venue: the handshake fails on both ways in, nothing panics.
    let playback = Playback::start(Script::faithful(Recording::made_up(10), Speed::Max)).await;
    let secure = |url: String| url.replace("ws://", "wss://").replace("http://", "https://");
    let endpoint =
        Endpoint::new(VenueId::BinanceSpot, &secure(playback.ws_url()), &secure(playback.rest_url())).unwrap();
    let error = discover(&endpoint, &["BTCUSDT"]).await.unwrap_err();
    assert!(matches!(error, FeedError::Unreachable { .. }), "{error}");
    let listener = Listener::at(endpoint, impatient(), Tiny::asking(), Appetite::HUNGRY);
    listener.wait_for("an attempt", |l| !l.feed_events().is_empty()).await;
    match &listener.feed_events()[0] {
        FeedEventKind::Disconnected { reason } => assert!(reason.starts_with("wss://"), "{reason}"),
        other => panic!("{other:?}"),
    }
    listener.stop().await;
}

#[tokio::test]
async fn nobody_at_the_address_is_told_with_the_address() {
    // A port that was free a moment ago.
    let port = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    let nobody = format!("ws://127.0.0.1:{port}");
    let endpoint = Endpoint::new(VenueId::BinanceSpot, &nobody, &format!("http://127.0.0.1:{port}")).unwrap();
    let listener = Listener::at(endpoint, impatient(), Tiny::asking(), Appetite::HUNGRY);
    listener.wait_for("three attempts", |l| l.feed_events().len() >= 3).await;
    match &listener.feed_events()[0] {
        FeedEventKind::Disconnected { reason } => {
            assert!(reason.contains(&nobody) && reason.contains("refused"), "{reason}");
        }
        other => panic!("{other:?}"),
    }
    assert!(!listener.health.connected() && listener.health.connects() == 0);
    assert_eq!(listener.stop().await, Ended::Stopped);
}
