//! A venue's conversation driven by hand, on a laptop clock that starts at zero: no sockets, no waiting.

use std::collections::BTreeMap;

use papermaker::market::{Book, FeedEventKind, InstrumentId, MarketEventKind};
use papermaker::units::{LocalTime, Nanos};
use papermaker::wire::{About, Action, FetchFailure, Protocol, Said};

/// One connection's conversation, and the books as what was said adds up.
pub struct Talk<P> {
    pub protocol: P,
    pub now: LocalTime,
    books: BTreeMap<InstrumentId, Book>,
}

impl<P: Protocol> Talk<P> {
    /// Not connected yet.
    pub fn about(protocol: P) -> Self {
        Self { protocol, now: LocalTime(0), books: BTreeMap::new() }
    }

    pub fn open(&mut self) -> Vec<Said> {
        self.say(|protocol, now, said| protocol.on_open(now, said))
    }

    pub fn close(&mut self, reason: &str) -> Vec<Said> {
        self.say(|protocol, now, said| protocol.on_close(reason, now, said))
    }

    pub fn hear(&mut self, frame: impl AsRef<[u8]>) -> Vec<Said> {
        self.say(|protocol, now, said| protocol.on_text(frame.as_ref(), now, said))
    }

    pub fn fetched(&mut self, about: About, body: impl AsRef<[u8]>) -> Vec<Said> {
        self.say(|protocol, now, said| protocol.on_fetched(about, Ok(body.as_ref()), now, said))
    }

    pub fn failed(&mut self, about: About, failure: FetchFailure) -> Vec<Said> {
        self.say(|protocol, now, said| protocol.on_fetched(about, Err(failure), now, said))
    }

    /// Time passes in steps of 250 ms, as a driver lets it.
    pub fn wait_ms(&mut self, ms: i64) -> Vec<Said> {
        let mut all = Vec::new();
        let end = self.now + Nanos::from_ms(ms);
        while self.now < end {
            self.now = (self.now + Nanos::from_ms(250)).min(end);
            all.extend(self.say(|protocol, now, said| protocol.on_time(now, said)));
        }
        all
    }

    /// An instrument's book, while it is known.
    pub fn book(&self, instrument: InstrumentId) -> Option<&Book> {
        self.books.get(&instrument)
    }

    fn say(&mut self, with: impl FnOnce(&mut P, LocalTime, &mut Vec<Said>)) -> Vec<Said> {
        let mut said = Vec::new();
        with(&mut self.protocol, self.now, &mut said);
        said.iter().for_each(|one| self.follow(one));
        said
    }

    /// As a session would.
    fn follow(&mut self, said: &Said) {
        match said {
            Said::Market(event) => match &event.kind {
                MarketEventKind::Snapshot { seq, bids, asks, extent } => {
                    self.books.entry(event.instrument).or_default().apply_snapshot(*seq, bids, asks, *extent);
                }
                MarketEventKind::Delta { seq, bids, asks } => {
                    let book = self.books.get_mut(&event.instrument).expect("no change is told of an unknown book");
                    book.apply_delta(*seq, bids, asks);
                }
                MarketEventKind::Gap { .. } | MarketEventKind::Rules(_) => {
                    self.books.remove(&event.instrument);
                }
                MarketEventKind::Trade { .. }
                | MarketEventKind::Bbo { .. }
                | MarketEventKind::Status(_)
                | MarketEventKind::Mark(_)
                | MarketEventKind::Order(_) => {}
            },
            Said::Feed { instrument: None, kind: FeedEventKind::Disconnected { .. } } => self.books.clear(),
            Said::Feed { .. } | Said::Do(_) => {}
        }
    }
}

/// What was said, a word or two each.
pub fn words(said: &[Said]) -> Vec<String> {
    let word = |s: &Said| match s {
        Said::Market(event) => match &event.kind {
            MarketEventKind::Snapshot { seq, .. } => format!("snapshot {seq}"),
            MarketEventKind::Delta { seq, .. } => format!("delta {seq}"),
            MarketEventKind::Trade { id, .. } => format!("trade {id}"),
            MarketEventKind::Bbo { seq, .. } => format!("bbo {seq}"),
            MarketEventKind::Gap { expected, found } => format!("gap {expected} {found}"),
            MarketEventKind::Rules(_) => "rules".to_owned(),
            MarketEventKind::Status(status) => format!("status {status:?}"),
            MarketEventKind::Mark(_) => "mark".to_owned(),
            MarketEventKind::Order(_) => "order".to_owned(),
        },
        Said::Feed { kind, .. } => match kind {
            FeedEventKind::Stale { channel, .. } => format!("stale {channel}"),
            FeedEventKind::NoData { channel, .. } => format!("no_data {channel}"),
            other => other.word().to_owned(),
        },
        Said::Do(Action::Fetch { delay, .. }) => format!("fetch after {} ms", delay.ms()),
        Said::Do(Action::Send(text)) => format!("send {text}"),
        Said::Do(Action::Reconnect { .. }) => "reconnect".to_owned(),
        Said::Do(Action::Rotate) => "rotate".to_owned(),
    };
    said.iter().map(word).collect()
}
