//! Any venue on loopback: websocket and REST on one port, a market of our own in the venue's words, and misbehaviour on
//! command.
//!
//! ```text
//! let mut fake = Fake::start(VenueId::Kraken, Plan::default()).await;
//! … connect to fake.ws_url() and fake.rest_url() …
//! fake.inject(Fault::WrongChecksum.now());
//! fake.play(100);                              // a hundred events, or Plan { every: Some(…) } for a steady pace
//! assert_eq!(book_of_the_bot, fake.top("BTC/USD", 10));
//! assert_eq!(fake.stats().subscriptions("book 10 BTC/USD"), 2);
//! ```
//!
//! Beside the real binary, from an ordinary test: `let (_runtime, fake) = Fake::beside(venue, plan);` and keep the
//! runtime until the end. Reading order: [`House`] is what one venue knows, [`market`] what happens, [`venue`] who is
//! told, [`fault`] what goes wrong, [`socket`] the wire.

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use papermaker::market::VenueId;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::{interval, sleep, timeout};

use super::captures::Capture;
use super::captures::rebuilt::Rebuilt;
use super::independent::Ladder;

mod binance;
mod bybit;
mod coinbase;
mod deribit;
pub mod fault;
pub mod house;
mod hyperliquid;
mod kraken;
pub mod market;
mod okx;
mod script;
pub mod socket;
mod venue;

pub use fault::{Fault, Strike};
pub use house::House;
pub use market::{Kind, Listing, Market, Print};
pub use venue::Stats;

use script::Script;
use venue::Venue;

/// 21 September 2026, 10:00 UTC: where the market's clock begins unless told otherwise.
pub const BEGIN_MS: i64 = 1_789_984_800_000;

/// How the market goes.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The same seed makes the same market.
    pub seed: u64,
    /// Time between events, by the wall clock; the market stands still while nobody has subscribed to anything.
    /// `None`: it moves only by [`Fake::play`].
    pub every: Option<Duration>,
    /// Time between heartbeats.
    pub pulse: Duration,
    /// Time between websocket pings, if any.
    pub ping: Option<Duration>,
    /// The venue's clock at the beginning.
    pub begin_ms: i64,
    /// Every REST answer takes this long.
    pub rest_delay: Duration,
    /// What goes wrong.
    pub strikes: Vec<Strike>,
}

impl Default for Plan {
    fn default() -> Self {
        Self {
            seed: 1,
            every: None,
            pulse: Duration::from_secs(1),
            ping: None,
            begin_ms: BEGIN_MS,
            rest_delay: Duration::ZERO,
            strikes: Vec::new(),
        }
    }
}

impl Plan {
    /// A steady pace.
    pub fn every_ms(ms: u64) -> Self {
        Self { every: Some(Duration::from_millis(ms)), ..Self::default() }
    }

    /// With one more fault.
    pub fn with(mut self, strike: Strike) -> Self {
        self.strikes.push(strike);
        self
    }
}

/// A running venue; dropping it ends it.
pub struct Fake {
    port: u16,
    venue: Arc<Mutex<Venue>>,
    tasks: Vec<AbortHandle>,
}

impl Drop for Fake {
    fn drop(&mut self) {
        self.tasks.iter().for_each(AbortHandle::abort);
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().expect("no test task panicked with this lock")
}

impl Fake {
    /// Listens on a free loopback port.
    pub async fn start(id: VenueId, plan: Plan) -> Self {
        let house = house::of(id);
        let every_ms = plan.every.map_or(10, |every| (every.as_millis() as i64).max(1));
        let market = Market::new(house.listings(), plan.seed, plan.begin_ms, every_ms);
        Self::listen(Venue::new(house, market, plan.strikes.clone()), plan).await
    }

    /// The same with a recording for a market; `window` is the depth that was subscribed to, where the client has to
    /// cut (`usize::MAX`: nowhere). One connection of it: see [`Capture::on`].
    pub async fn replay(id: VenueId, capture: &Capture, window: usize, plan: Plan) -> Self {
        let house = house::of(id);
        let (script, market) = Script::new(house.as_ref(), capture, window);
        let mut venue = Venue::new(house, market, plan.strikes.clone());
        venue.script = Some(script);
        Self::listen(venue, plan).await
    }

    async fn listen(venue: Venue, plan: Plan) -> Self {
        let venue = Arc::new(Mutex::new(venue));
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free loopback port");
        let port = listener.local_addr().expect("a bound socket has an address").port();
        let mut tasks = Vec::new();
        let (accepting, rest_delay) = (venue.clone(), plan.rest_delay);
        let accept = tokio::spawn(async move {
            // Connections end with the server.
            let mut connections = JoinSet::new();
            loop {
                let (stream, _) = listener.accept().await.expect("loopback accepts");
                connections.spawn(socket::serve(stream, accepting.clone(), rest_delay));
            }
        });
        tasks.push(accept.abort_handle());
        tasks.push(repeat(plan.pulse, venue.clone(), Venue::pulse));
        if let Some(every) = plan.every {
            tasks.push(repeat(every, venue.clone(), |venue| {
                if venue.has_listeners() {
                    venue.advance();
                }
            }));
        }
        if let Some(every) = plan.ping {
            tasks.push(repeat(every, venue.clone(), |venue| venue.ping(b"fake")));
        }
        Self { port, venue, tasks }
    }

    /// The same on threads of its own, for tests that start the real binary.
    pub fn beside(id: VenueId, plan: Plan) -> (Runtime, Self) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.expect("a runtime for the server");
        let fake = runtime.block_on(Self::start(id, plan));
        (runtime, fake)
    }

    pub fn id(&self) -> VenueId {
        locked(&self.venue).id()
    }

    pub fn ws_url(&self) -> String {
        format!("ws://127.0.0.1:{}", self.port)
    }

    pub fn rest_url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// What it lists, as it stands now.
    pub fn listings(&self) -> Vec<Listing> {
        locked(&self.venue).market.coins.iter().map(|coin| coin.listing.clone()).collect()
    }

    /// Lets so many events happen, now, whoever listens.
    pub fn play(&self, events: usize) {
        let mut venue = locked(&self.venue);
        for _ in 0..events {
            venue.advance();
        }
    }

    /// Frames of the recording that are still to come; 0 without one.
    pub fn left(&self) -> usize {
        locked(&self.venue).script.as_ref().map_or(0, Script::left)
    }

    /// The next frames of the recording, at most `n`: of which kind, about what, and their text.
    pub fn coming(&self, n: usize) -> Vec<(Kind, String, String)> {
        let venue = locked(&self.venue);
        let coming = venue.script.iter().flat_map(Script::coming).take(n);
        coming.map(|told| (told.kind, told.symbol.clone(), told.text.clone())).collect()
    }

    /// Whether somebody has asked for this kind of message about this instrument.
    pub fn is_asked_for(&self, kind: Kind, symbol: &str) -> bool {
        let venue = locked(&self.venue);
        venue.stats.subscribed.iter().any(|(_, topic)| venue.house.about(topic) == (kind, symbol.to_owned()))
    }

    /// Books and tape of the recording so far, put together by other means.
    pub fn rebuilt(&self) -> Option<Rebuilt> {
        locked(&self.venue).script.as_ref().map(|script| script.rebuilt.clone())
    }

    /// One more thing that goes wrong.
    pub fn inject(&self, strike: Strike) {
        locked(&self.venue).inject(strike);
    }

    /// A websocket ping to every socket, behind everything that waits to be sent.
    pub fn ping(&self, payload: &[u8]) {
        locked(&self.venue).ping(payload);
    }

    /// Faults that have not struck yet.
    pub fn pending(&self) -> usize {
        locked(&self.venue).pending()
    }

    /// Events so far.
    pub fn happened(&self) -> u64 {
        locked(&self.venue).market.happened
    }

    pub fn stats(&self) -> Stats {
        locked(&self.venue).stats.clone()
    }

    /// The true book: the best `depth` levels of each side, bids and asks, best first, in the venue's own units.
    pub fn top(&self, symbol: &str, depth: usize) -> (Ladder, Ladder) {
        let mut venue = locked(&self.venue);
        venue.settle();
        let at = venue.market.find(symbol).unwrap_or_else(|| panic!("{symbol} is not listed"));
        let normal = |ladder: Ladder| ladder.into_iter().map(|(p, q)| (p.normalize(), q.normalize())).collect();
        let (bids, asks) = venue.market.coins[at].book.top(depth);
        (normal(bids), normal(asks))
    }

    /// Waits until `ready` or the time is up; says whether it became ready.
    pub async fn wait(&self, within: Duration, mut ready: impl FnMut(&Self) -> bool) -> bool {
        let looking = async {
            while !ready(self) {
                sleep(Duration::from_millis(5)).await;
            }
        };
        timeout(within, looking).await.is_ok()
    }
}

/// Does something to the venue every so often.
fn repeat(every: Duration, venue: Arc<Mutex<Venue>>, mut act: impl FnMut(&mut Venue) + Send + 'static) -> AbortHandle {
    let task = tokio::spawn(async move {
        let mut ticks = interval(every);
        ticks.tick().await;
        loop {
            ticks.tick().await;
            act(&mut locked(&venue));
        }
    });
    task.abort_handle()
}
