//! Connections that come, go, rotate and die, with a protocol of two sentences.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use papermaker::feed::{Ended, Endpoint, Place};
use papermaker::market::{FeedEventKind, InstrumentId, MarketEvent, MarketEventKind, PrintFlags, VenueId};
use papermaker::units::{LocalTime, Lots, Nanos, Side, Ticks};
use papermaker::wire::dialect::Request;
use papermaker::wire::{About, Action, FetchFailure, Protocol, Said};
use tokio::time::sleep;

use super::listener::{Appetite, Listener, impatient};
use crate::support::playback::{Fault, Playback, Script, Speed};
use crate::support::recording::Recording;

/// Hears trades, does what it is told on opening, reconnects after silence.
#[derive(Default)]
pub struct Tiny {
    pub on_open: Vec<Action>,
    pub silence_max: Option<Nanos>,
    pub replies: Arc<Mutex<Vec<Result<usize, FetchFailure>>>>,
    pub last_frame: Option<LocalTime>,
}

/// Asks for a snapshot at once.
pub fn ask() -> Action {
    let path = "/api/v3/depth?symbol=BTCUSDT&limit=1000".to_owned();
    Action::Fetch {
        about: About::Book(InstrumentId(0)),
        request: Request::Get { path, weight: 50 },
        delay: Nanos::ZERO,
    }
}

impl Tiny {
    pub fn asking() -> Self {
        Self { on_open: vec![ask()], ..Self::default() }
    }
}

impl Protocol for Tiny {
    fn venue(&self) -> VenueId {
        VenueId::BinanceSpot
    }

    fn instruments(&self) -> Vec<InstrumentId> {
        vec![InstrumentId(0)]
    }

    fn on_start(&mut self, _said: &mut Vec<Said>) {}

    fn ws_path(&self) -> String {
        "/stream?streams=btcusdt@trade".to_owned()
    }

    fn on_open(&mut self, at: LocalTime, said: &mut Vec<Said>) {
        self.last_frame = Some(at);
        said.push(Said::Feed { instrument: None, kind: FeedEventKind::Connected });
        said.extend(self.on_open.iter().cloned().map(Said::Do));
    }

    fn on_text(&mut self, frame: &[u8], at: LocalTime, said: &mut Vec<Said>) {
        self.last_frame = Some(at);
        let Ok(text) = serde_json::from_slice::<serde_json::Value>(frame) else {
            said.push(Said::Feed {
                instrument: None,
                kind: FeedEventKind::ProtocolError { detail: "not JSON".to_owned() },
            });
            return;
        };
        if text["stream"] == "!serverShutdown" {
            said.push(Said::Feed { instrument: None, kind: FeedEventKind::ShutdownAnnounced });
            said.push(Said::Do(Action::Rotate));
        } else if let Some(id) = text["data"]["t"].as_u64() {
            let kind =
                MarketEventKind::Trade { id, taker: Side::Bid, price: Ticks(1), qty: Lots(1), flags: PrintFlags::NONE };
            said.push(Said::Market(MarketEvent { instrument: InstrumentId(0), venue_time: None, kind }));
        }
    }

    fn on_fetched(&mut self, _about: About, reply: Result<&[u8], FetchFailure>, _at: LocalTime, said: &mut Vec<Said>) {
        if let Err(FetchFailure::RateLimited { status, wait }) = &reply {
            let kind = FeedEventKind::RateLimited { code: u32::from(*status), wait_ms: wait.ms() as u64 };
            said.push(Said::Feed { instrument: None, kind });
        }
        // Greedy on purpose: it asks again at once, and it is the driver's business to wait.
        if reply.is_err() {
            said.push(Said::Do(ask()));
        }
        self.replies.lock().expect("no panic with this lock").push(reply.map(<[u8]>::len));
    }

    fn on_time(&mut self, at: LocalTime, said: &mut Vec<Said>) {
        if let (Some(last), Some(max)) = (self.last_frame, self.silence_max)
            && at.since(last) > max
        {
            self.last_frame = None;
            said.push(Said::Do(Action::Reconnect { reason: "silent for too long".to_owned(), wait: Nanos::ZERO }));
        }
    }

    fn on_close(&mut self, reason: &str, _at: LocalTime, said: &mut Vec<Said>) {
        self.last_frame = None;
        said.push(Said::Feed { instrument: None, kind: FeedEventKind::Disconnected { reason: reason.to_owned() } });
    }
}

/// A made-up market of `trades` at full speed with faults.
async fn market(trades: u64, faults: &[(usize, Fault)]) -> Playback {
    let script = Script::faithful(Recording::made_up(trades), Speed::Max);
    Playback::start(faults.iter().cloned().fold(script, |script, (at, fault)| script.with(at, fault))).await
}

fn disconnections(listener: &Listener) -> Vec<String> {
    let reason = |kind| match kind {
        FeedEventKind::Disconnected { reason } => Some(reason),
        _ => None,
    };
    listener.feed_events().into_iter().filter_map(reason).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_session_makes_the_socket_wait_and_loses_nothing() {
    // Four places and a rest of 20 ms after every 500: the 5,000 trades cannot pass without waiting.
    let playback = market(5_000, &[]).await;
    let endpoint = Endpoint::new(VenueId::BinanceSpot, &playback.ws_url(), &playback.rest_url()).unwrap();
    let appetite = Appetite { room: 4, rest_every: 500, rest: Duration::from_millis(20) };
    let listener = Listener::at(endpoint, impatient(), Tiny::asking(), appetite);
    listener.wait_for("the last trade", |l| l.trade_ids().last() == Some(&5_000)).await;
    assert_eq!(listener.trade_ids(), (1..=5_000).collect::<Vec<_>>());
    assert_eq!(listener.health.frames(), 5_000);
    assert!(listener.health.longest_wait() >= Duration::from_millis(10), "{:?}", listener.health);
    assert_eq!(listener.health.connects(), 1);
    listener.stop().await;
}

#[tokio::test]
async fn every_ping_is_answered_with_its_own_payload() {
    let pings = [(3, Fault::Ping(b"1723161255".to_vec())), (4, Fault::Ping(vec![])), (9, Fault::Ping(vec![0, 255]))];
    let playback = market(10, &pings).await;
    let listener = Listener::start(&playback, impatient(), Tiny::asking());
    assert!(playback.wait(Duration::from_secs(10), |p| p.stats().pongs.len() == 3).await, "{:?}", playback.stats());
    assert_eq!(playback.stats().pongs, [b"1723161255".to_vec(), vec![], vec![0, 255]]);
    assert_eq!(listener.health.pings(), 3);
    listener.stop().await;
}

#[tokio::test]
async fn a_closed_and_a_reset_socket_are_told_with_their_reason_and_replaced() {
    let faults = [(10, Fault::Close { code: 1001, lost: 4 }), (50, Fault::Reset { lost: 0 })];
    let playback = market(100, &faults).await;
    let listener = Listener::start(&playback, impatient(), Tiny::asking());
    listener.wait_for("the last trade", |l| l.trade_ids().last() == Some(&100)).await;
    // Frame 10 is trade 11; it and the four after it were lost with the first socket.
    let ids = listener.trade_ids();
    assert!(!ids.iter().any(|id| (11..=15).contains(id)) && ids.contains(&16), "{ids:?}");
    let reasons = disconnections(&listener);
    assert_eq!(reasons.len(), 2, "{reasons:?}");
    assert_eq!(reasons[0], "closed by the venue: 1001 scripted");
    assert!(reasons[1].contains("reset") || reasons[1].contains("Reset"), "{}", reasons[1]);
    assert_eq!((playback.stats().connections, listener.health.connects(), listener.health.losses()), (3, 3, 2));
    listener.stop().await;
}

#[tokio::test]
async fn half_a_text_is_the_protocols_business_and_costs_no_connection() {
    let playback = market(20, &[(10, Fault::Half)]).await;
    let listener = Listener::start(&playback, impatient(), Tiny::asking());
    listener.wait_for("the last trade", |l| l.trade_ids().len() == 19).await;
    let error = FeedEventKind::ProtocolError { detail: "not JSON".to_owned() };
    assert_eq!(listener.feed_events(), [FeedEventKind::Connected, error]);
    listener.stop().await;
}

#[tokio::test]
async fn a_frame_beyond_the_limit_costs_the_connection_and_not_the_memory() {
    let playback = market(20, &[(10, Fault::Oversize(2 << 20))]).await;
    let settings = papermaker::feed::Settings { frame_bytes_max: 1 << 20, ..impatient() };
    let listener = Listener::start(&playback, settings, Tiny::asking());
    listener.wait_for("a second connection", |l| l.health.connects() == 2).await;
    let reasons = disconnections(&listener);
    assert!(reasons[0].contains("Space limit exceeded"), "{reasons:?}");
    listener.stop().await;
}

#[tokio::test]
async fn a_dead_connection_that_looks_open_is_left_when_the_protocol_loses_patience() {
    let playback = market(20, &[(10, Fault::HalfOpen { lost: 0 })]).await;
    let protocol = Tiny { silence_max: Some(Nanos::from_ms(300)), ..Tiny::asking() };
    let listener = Listener::start(&playback, impatient(), protocol);
    listener.wait_for("the last trade", |l| l.trade_ids().last() == Some(&20)).await;
    assert_eq!(disconnections(&listener)[0], "silent for too long");
    listener.stop().await;
}

#[tokio::test]
async fn an_announced_shutdown_opens_the_next_socket_before_it_leaves_the_old_one() {
    let script = Script::faithful(Recording::made_up(400), Speed::Times(1.0)).with(100, Fault::ServerShutdown);
    let playback = Playback::start(script).await;
    let listener = Listener::start(&playback, impatient(), Tiny::asking());
    listener.wait_for("the last trade", |l| l.trade_ids().last() == Some(&400)).await;
    // Both sockets were open at one moment, and no trade fell between them.
    assert_eq!(playback.stats().open_max, 2);
    assert_eq!(listener.trade_ids().into_iter().collect::<std::collections::BTreeSet<_>>().len(), 400);
    let replaced = FeedEventKind::Disconnected { reason: "replaced by a fresh socket".to_owned() };
    let expected = [FeedEventKind::Connected, FeedEventKind::ShutdownAnnounced, replaced, FeedEventKind::Connected];
    assert_eq!(listener.feed_events(), expected);
    assert!(playback.wait(Duration::from_secs(5), |p| p.open_sockets() == 1).await);
    listener.stop().await;
}

#[tokio::test]
async fn a_connection_is_renewed_when_its_time_is_up() {
    let playback = Playback::start(Script::faithful(Recording::made_up(100_000), Speed::Times(1.0))).await;
    let settings = papermaker::feed::Settings { rotate_after: Duration::from_millis(200), ..impatient() };
    let listener = Listener::start(&playback, settings, Tiny::asking());
    listener.wait_for("a third socket", |l| l.health.connects() >= 3).await;
    assert!(disconnections(&listener).iter().all(|reason| reason == "replaced by a fresh socket"));
    listener.stop().await;
}

#[tokio::test]
async fn a_reply_to_the_old_socket_is_not_told_to_the_new_one() {
    // The reply takes 400 ms; the socket that asked is closed long before.
    let mut script = Script::faithful(Recording::made_up(30), Speed::Times(1.0)).with(20, Fault::Reset { lost: 0 });
    script.rest_delay = Duration::from_millis(400);
    let playback = Playback::start(script).await;
    let protocol = Tiny::asking();
    let replies = protocol.replies.clone();
    let listener = Listener::start(&playback, impatient(), protocol);
    listener.wait_for("a reply", |_| !replies.lock().unwrap().is_empty()).await;
    sleep(Duration::from_millis(100)).await;
    assert_eq!((playback.stats().connections, replies.lock().unwrap().len()), (2, 1));
    listener.stop().await;
}

#[tokio::test]
async fn a_stopped_feed_leaves_no_open_socket_whatever_it_was_doing() {
    // Listening; blocked by a session that takes nothing; asking for a snapshot that never comes.
    let sluggish = Appetite { room: 2, rest_every: 3, rest: Duration::from_millis(50) };
    let never = Duration::from_secs(60);
    for (appetite, rest_delay) in
        [(Appetite::HUNGRY, Duration::ZERO), (sluggish, Duration::ZERO), (Appetite::HUNGRY, never)]
    {
        let mut script = Script::faithful(Recording::made_up(50_000), Speed::Times(1.0));
        script.rest_delay = rest_delay;
        let playback = Playback::start(script).await;
        let endpoint = Endpoint::new(VenueId::BinanceSpot, &playback.ws_url(), &playback.rest_url()).unwrap();
        let listener = Listener::at(endpoint, impatient(), Tiny::asking(), appetite);
        listener.wait_for("some trades", |l| l.trade_ids().len() > 5).await;
        assert_eq!(playback.open_sockets(), 1);
        assert_eq!(listener.stop().await, Ended::Stopped);
        let closed = playback.wait(Duration::from_secs(5), |p| p.open_sockets() == 0).await;
        assert!(closed, "{} sockets still open", playback.open_sockets());
    }
}

#[tokio::test]
async fn a_dropped_feed_leaves_no_open_socket_either() {
    let playback = Playback::start(Script::faithful(Recording::made_up(50_000), Speed::Times(1.0))).await;
    let listener = Listener::start(&playback, impatient(), Tiny::asking());
    listener.wait_for("some trades", |l| l.trade_ids().len() > 5).await;
    drop(listener);
    let closed = playback.wait(Duration::from_secs(5), |p| p.open_sockets() == 0).await;
    assert!(closed, "{} sockets still open", playback.open_sockets());
}

#[tokio::test]
async fn a_feed_nobody_listens_to_ends_by_itself() {
    let playback = market(1000, &[]).await;
    let endpoint = Endpoint::new(VenueId::BinanceSpot, &playback.ws_url(), &playback.rest_url()).unwrap();
    let (out, inbox) = tokio::sync::mpsc::channel(1);
    let (_stop, stopped) = tokio::sync::watch::channel(false);
    drop(inbox);
    let health = Arc::default();
    let place = Arc::new(Place::new(endpoint, &impatient()).unwrap());
    let ended = papermaker::feed::run(place, impatient(), Box::new(Tiny::asking()), health, out, stopped).await;
    assert_eq!(ended, Ended::HungUp);
    assert!(playback.wait(Duration::from_secs(5), |p| p.open_sockets() == 0).await);
}
