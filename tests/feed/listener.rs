//! A feed with somebody at its end who writes everything down.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use papermaker::engine::Input;
use papermaker::feed::{self, Ended, Endpoint, Health, Heard, Place, Settings};
use papermaker::market::{FeedEventKind, MarketEvent, MarketEventKind, VenueId};
use papermaker::wire::Protocol;
use tokio::sync::{mpsc, watch};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{sleep, timeout};

use crate::support::playback::Playback;

/// Settings under which a test is short and its jitter repeats.
pub fn impatient() -> Settings {
    Settings {
        backoff_base: Duration::from_millis(20),
        backoff_cap: Duration::from_millis(100),
        jitter_seed: 7,
        connect_timeout: Duration::from_secs(5),
        request_timeout: Duration::from_secs(5),
        tick_every: Duration::from_millis(20),
        ..Settings::default()
    }
}

/// A running feed and what was heard of it.
pub struct Listener {
    pub health: Arc<Health>,
    heard: Arc<Mutex<Vec<Heard>>>,
    stop: watch::Sender<bool>,
    /// Dropping it drops the feed, wherever it was.
    feed: JoinSet<Ended>,
    writing: JoinHandle<()>,
}

/// How a test's session takes its news.
#[derive(Clone, Copy)]
pub struct Appetite {
    /// Places in the channel.
    pub room: usize,
    /// A rest after every so many inputs.
    pub rest_every: usize,
    pub rest: Duration,
}

impl Appetite {
    pub const HUNGRY: Self = Self { room: 1024, rest_every: usize::MAX, rest: Duration::ZERO };
}

impl Listener {
    pub fn start(playback: &Playback, settings: Settings, protocol: impl Protocol + 'static) -> Self {
        let endpoint = Endpoint::new(VenueId::BinanceSpot, &playback.ws_url(), &playback.rest_url());
        Self::at(endpoint.expect("loopback is allowed"), settings, protocol, Appetite::HUNGRY)
    }

    pub fn at(endpoint: Endpoint, settings: Settings, protocol: impl Protocol + 'static, appetite: Appetite) -> Self {
        let (out, mut inbox) = mpsc::channel::<Heard>(appetite.room);
        let (stop, stopped) = watch::channel(false);
        let (health, heard) = (Arc::new(Health::default()), Arc::new(Mutex::new(Vec::new())));
        let mut feed = JoinSet::new();
        let place = Arc::new(Place::new(endpoint, &settings).expect("a client can be made"));
        feed.spawn(feed::run(place, settings, Box::new(protocol), health.clone(), out, stopped));
        let notes = heard.clone();
        let writing = tokio::spawn(async move {
            let mut count = 0;
            while let Some(one) = inbox.recv().await {
                notes.lock().expect("no panic with this lock").push(one);
                count += 1;
                if count % appetite.rest_every == 0 {
                    sleep(appetite.rest).await;
                }
            }
        });
        Self { health, heard, stop, feed, writing }
    }

    pub fn heard(&self) -> Vec<Heard> {
        self.heard.lock().expect("no panic with this lock").clone()
    }

    /// Only the news of connections.
    pub fn feed_events(&self) -> Vec<FeedEventKind> {
        let kind = |h: Heard| match h.input {
            Input::Feed(event) => Some(event.kind),
            Input::Market(_) | Input::Report(_) | Input::Tick | Input::Command { .. } => None,
        };
        self.heard().into_iter().filter_map(kind).collect()
    }

    /// Only the news of markets.
    pub fn market_events(&self) -> Vec<MarketEvent> {
        let event = |h: Heard| match h.input {
            Input::Market(event) => Some(event),
            Input::Feed(_) | Input::Report(_) | Input::Tick | Input::Command { .. } => None,
        };
        self.heard().into_iter().filter_map(event).collect()
    }

    pub fn trade_ids(&self) -> Vec<u64> {
        let id = |event: MarketEvent| match event.kind {
            MarketEventKind::Trade { id, .. } => Some(id),
            _ => None,
        };
        self.market_events().into_iter().filter_map(id).collect()
    }

    /// Waits until something of the kind was heard; panics with everything heard if it never is.
    pub async fn wait_for(&self, what: &str, mut ready: impl FnMut(&Self) -> bool) {
        let looking = async {
            while !ready(self) {
                sleep(Duration::from_millis(5)).await;
            }
        };
        if timeout(Duration::from_secs(30), looking).await.is_err() {
            let market = self.market_events().len();
            panic!("waited in vain for {what}; heard {market} market events and {:#?}", self.feed_events());
        }
    }

    /// Stops the feed; panics if it takes longer than it may.
    pub async fn stop(self) -> Ended {
        self.stop.send_replace(true);
        self.ended().await
    }

    /// Waits for the feed's own end.
    pub async fn ended(mut self) -> Ended {
        let ended = timeout(Duration::from_secs(10), self.feed.join_next()).await.expect("a feed ends promptly");
        timeout(Duration::from_secs(10), self.writing).await.expect("nobody holds the channel").expect("no panic");
        ended.expect("one feed").expect("a feed does not panic")
    }
}
