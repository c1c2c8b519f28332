//! The bot's ears at one venue: every connection it wants, and the books as the session would see them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use papermaker::engine::Input;
use papermaker::feed::{self, Ended, Endpoint, Health, Heard, Place, Settings};
use papermaker::market::{
    Book, FeedEventKind, Instrument, InstrumentId, MarketEvent, MarketEventKind, Status, VenueId,
};
use papermaker::units::{Nanos, Side, Step};
use papermaker::wire::dialect::Options;
use papermaker::wire::liveness::Patience;
use papermaker::wire::venues;
use rust_decimal::Decimal;
use tokio::sync::{mpsc, watch};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{sleep, timeout};

use super::fake::Fake;
use super::independent::Ladder;

/// Longest that anything a bot is asked to do may take on a loaded machine.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// So patient that only real trouble shows.
pub fn calm() -> Options {
    let calm = Patience { first_data: Nanos::from_s(20), stale: Nanos::from_s(20), dead: Nanos::from_s(60) };
    Options { depth: 100, depth_patience: calm, bbo_patience: calm, ..Options::default() }
}

/// What was heard so far, as a session would see it.
#[derive(Clone, Default)]
pub struct Ears {
    pub books: BTreeMap<InstrumentId, Book>,
    pub rules: BTreeMap<InstrumentId, Instrument>,
    pub status: BTreeMap<InstrumentId, Status>,
    /// Connections on which an instrument is live.
    pub live: BTreeMap<InstrumentId, BTreeSet<u16>>,
    pub trades: Vec<MarketEvent>,
    /// Whole books and changes of books.
    pub wholes: usize,
    pub changes: usize,
    pub marks: usize,
    pub gaps: usize,
    pub feed: Vec<(u16, Option<InstrumentId>, FeedEventKind)>,
}

impl Ears {
    fn hear(&mut self, heard: Heard) {
        match heard.input {
            Input::Market(event) => self.hear_market(event),
            Input::Feed(event) => {
                match (&event.kind, event.instrument) {
                    (FeedEventKind::Live, Some(id)) => {
                        self.live.entry(id).or_default().insert(event.connection);
                    }
                    (FeedEventKind::Stale { .. } | FeedEventKind::NoData { .. }, Some(id)) => {
                        self.live.entry(id).or_default().remove(&event.connection);
                    }
                    (FeedEventKind::Disconnected { .. } | FeedEventKind::Refused { .. }, concerned) => {
                        let is_meant = |id: &InstrumentId| concerned.is_none_or(|one| one == *id);
                        self.books.retain(|id, _| !is_meant(id));
                        for (_, connections) in self.live.iter_mut().filter(|(id, _)| is_meant(id)) {
                            connections.remove(&event.connection);
                        }
                    }
                    (FeedEventKind::Resync { .. } | FeedEventKind::ChecksumMismatch { .. }, Some(id)) => {
                        self.books.remove(&id);
                    }
                    _ => {}
                }
                self.feed.push((event.connection, event.instrument, event.kind));
            }
            Input::Report(_) | Input::Tick | Input::Command { .. } => {}
        }
    }

    fn hear_market(&mut self, event: MarketEvent) {
        let id = event.instrument;
        match &event.kind {
            MarketEventKind::Snapshot { seq, bids, asks, extent } => {
                self.wholes += 1;
                self.books.entry(id).or_default().apply_snapshot(*seq, bids, asks, *extent);
            }
            MarketEventKind::Delta { seq, bids, asks } => {
                self.changes += 1;
                // After a lost connection a change says nothing, as in a session.
                if let Some(book) = self.books.get_mut(&id) {
                    book.apply_delta(*seq, bids, asks);
                }
            }
            MarketEventKind::Gap { .. } => {
                self.gaps += 1;
                self.books.remove(&id);
            }
            MarketEventKind::Rules(rules) => {
                self.rules.insert(id, (**rules).clone());
                self.status.insert(id, rules.status);
                self.books.remove(&id);
            }
            MarketEventKind::Status(status) => {
                self.status.insert(id, *status);
            }
            MarketEventKind::Trade { .. } => self.trades.push(event),
            MarketEventKind::Mark(_) => self.marks += 1,
            MarketEventKind::Bbo { .. } | MarketEventKind::Order(_) => {}
        }
    }

    /// How often something of the kind was told.
    pub fn told(&self, is_it: impl Fn(&FeedEventKind) -> bool) -> usize {
        self.feed.iter().filter(|(_, _, kind)| is_it(kind)).count()
    }
}

/// A bot without a session.
pub struct Bot {
    pub instruments: Vec<Instrument>,
    pub connections: usize,
    /// How many of them carry each instrument.
    carried: BTreeMap<InstrumentId, usize>,
    ears: Arc<Mutex<Ears>>,
    stop: watch::Sender<bool>,
    feeds: JoinSet<Ended>,
    hearing: JoinHandle<()>,
}

impl Bot {
    /// Listens to both instruments of the fake.
    pub async fn listen(fake: &Fake, options: Options, settings: Settings) -> Self {
        Self::listen_after(fake, options, settings, |_| ()).await
    }

    /// The same; `then` happens when the rules are known and before the first socket for news is opened.
    pub async fn listen_after(fake: &Fake, options: Options, settings: Settings, then: impl FnOnce(&Fake)) -> Self {
        let exchange = venues::find(fake.id()).expect("a venue we speak with");
        let endpoint = Endpoint::new(fake.id(), &fake.ws_url(), &fake.rest_url()).expect("loopback is allowed");
        let symbols: Vec<_> = fake.listings().iter().map(|l| l.symbol).collect();
        let instruments = feed::discover(&endpoint, &symbols).await;
        let instruments = instruments.unwrap_or_else(|e| panic!("{}: {e}", fake.id()));
        then(fake);
        let own: Vec<_> = (0..).map(InstrumentId).zip(instruments.clone()).collect();
        let ears = Ears { rules: own.iter().cloned().collect(), ..Ears::default() };
        let ears = Arc::new(Mutex::new(ears));
        let (out, mut inbox) = mpsc::channel::<Heard>(1_024);
        let (stop, stopped) = watch::channel(false);
        let place = Arc::new(Place::new(endpoint, &settings).expect("a client can be made"));
        let protocols = exchange.connect(own, options);
        let (connections, alone) = (protocols.len(), protocols.len() == 1);
        let mut feeds = JoinSet::new();
        let mut carried = BTreeMap::new();
        for (connection, protocol) in (0..).zip(protocols) {
            protocol.instruments().into_iter().for_each(|id| *carried.entry(id).or_default() += 1);
            let settings = Settings { connection, alone, ..settings.clone() };
            let health = Arc::new(Health::default());
            feeds.spawn(feed::run(place.clone(), settings, protocol, health, out.clone(), stopped.clone()));
        }
        let notes = ears.clone();
        let hearing = tokio::spawn(async move {
            while let Some(heard) = inbox.recv().await {
                notes.lock().expect("no panic with this lock").hear(heard);
            }
        });
        Self { instruments, connections, carried, ears, stop, feeds, hearing }
    }

    pub fn ears(&self) -> Ears {
        self.look(Ears::clone)
    }

    /// The same without a copy, for what is looked at often.
    pub fn look<T>(&self, at: impl FnOnce(&Ears) -> T) -> T {
        at(&self.ears.lock().expect("no panic with this lock"))
    }

    /// Whether every instrument is live on every connection and its book is known.
    pub fn is_live(&self) -> bool {
        let ears = self.ears.lock().expect("no panic with this lock");
        let lives = |id, many| ears.live.get(id).is_some_and(|on: &BTreeSet<u16>| on.len() == many);
        self.carried.iter().all(|(id, many)| ears.books.contains_key(id) && lives(id, *many))
    }

    /// Waits until everything that the venue has sent so far was read.
    pub async fn hears_all(&self, fake: &Fake) {
        let so_far = fake.stats().pongs.len();
        fake.ping(b"read so far?");
        let read = |fake: &Fake| fake.stats().pongs.len() >= so_far + fake.stats().open;
        assert!(fake.wait(PATIENCE, read).await, "{}: {:?}", fake.id(), self.ears().feed);
    }

    /// Beyond the one with the book, over all instruments.
    pub fn helping_connections(&self) -> usize {
        self.carried.values().map(|many| many - 1).sum()
    }

    /// Lets the market go on, an event every 2 ms, until the bot is ready; panics with everything told if it never is.
    pub async fn market_until(&self, fake: &Fake, what: &str, mut ready: impl FnMut(&Self) -> bool) {
        let going = async {
            while !ready(self) {
                fake.play(1);
                sleep(Duration::from_millis(2)).await;
            }
        };
        if timeout(PATIENCE, going).await.is_err() {
            panic!("{}: waited in vain for {what}; told {:#?}", fake.id(), self.ears().feed);
        }
    }

    /// Waits, while the market stands still, until the books are those of the venue; panics if they never are.
    pub async fn books_are_true(&self, fake: &Fake, depth: usize) {
        let agreeing = async {
            while !self.agrees(fake, depth) {
                sleep(Duration::from_millis(5)).await;
            }
        };
        if timeout(PATIENCE, agreeing).await.is_err() {
            let ears = self.ears();
            for (i, rules) in self.instruments.iter().enumerate() {
                let id = InstrumentId(i as u16);
                let ours = ears.books.get(&id).map(|book| top(book, &ears.rules[&id], depth));
                assert_eq!(ours, Some(fake.top(&rules.symbol, depth)), "{} {:#?}", rules.label(), ears.feed);
            }
        }
    }

    fn agrees(&self, fake: &Fake, depth: usize) -> bool {
        let ears = self.ears.lock().expect("no panic with this lock");
        self.instruments.iter().enumerate().all(|(i, rules)| {
            let id = InstrumentId(i as u16);
            let ours = ears.books.get(&id).map(|book| top(book, &ears.rules[&id], depth));
            ours == Some(fake.top(&rules.symbol, depth))
        })
    }

    /// Stops; panics if that takes longer than it may.
    pub async fn stop(mut self) {
        self.stop.send_replace(true);
        let ending = async { while self.feeds.join_next().await.is_some() {} };
        timeout(PATIENCE, ending).await.expect("feeds end promptly");
        timeout(PATIENCE, self.hearing).await.expect("nobody holds the channel").expect("no panic");
    }
}

/// What the venue writes for one lot: contracts where it counts in contracts.
pub fn venue_lot(rules: &Instrument) -> Step {
    Step::new(rules.lot.size() / rules.contract.unit.size()).expect("a step")
}

/// The best levels of a book in the venue's own units, as the fake states them.
pub fn top(book: &Book, rules: &Instrument, depth: usize) -> (Ladder, Ladder) {
    let lot = venue_lot(rules);
    let side = |side: Side| -> Ladder {
        let level = |l: papermaker::market::Level| -> (Decimal, Decimal) {
            (rules.tick.value(l.price.0).normalize(), lot.value(l.qty.0).normalize())
        };
        book.levels(side).take(depth).map(level).collect()
    };
    (side(Side::Bid), side(Side::Ask))
}

/// Levels a side that every venue of the test shows in full.
pub fn depth_of(venue: VenueId) -> usize {
    if venue == VenueId::Hyperliquid { 5 } else { 8 }
}
