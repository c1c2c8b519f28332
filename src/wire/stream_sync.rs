//! A book whose first state comes in the stream itself: after each subscription, and whenever the venue likes.
//!
//! Then nothing has to be put together; what remains is to prove that nothing is missing. A change that does not
//! follow its predecessor, a checksum that does not match, a message that cannot be read: the book is unknown
//! ([`MarketEventKind::Gap`]) until the venue has sent it anew.
//!
//! ```text
//!             snapshot                hole, checksum, unreadable, crossed
//!   Waiting ───────────► Live ──────────────────────────────────────────────┐
//!      ▲  └─ too slow: asked again, at most `fetches_max` times              │
//!      └─────────────────────────────────────────────────────────────────────┘
//! ```
//!
//! Venues that show only their best levels do not say when one falls out of sight (Kraken), or might forget to; so
//! here a picture of the book is kept where the venue needs it, and what falls out of the window is emptied.

use super::depth_sync::{SyncCounts, SyncLimits};
use super::dialect::{Change, Link};
use super::watch::Watch;
use super::{Action, Said};
use crate::market::{Book, Extent, FeedEventKind, Instrument, InstrumentId, Level, MarketEvent, MarketEventKind};
use crate::units::{LocalTime, Lots, Nanos, Side, VenueTime};

/// Folds the top of a book into a venue's checksum.
pub type Checksum = fn(&Book, &Instrument) -> u32;

/// The book of one instrument on one connection.
#[derive(Debug)]
pub struct StreamSync {
    instrument: InstrumentId,
    limits: SyncLimits,
    counts: SyncCounts,
    state: State,
    /// How often the book was asked for since it was last in step.
    asked: u32,
    wants_anew: bool,
    watch: Watch,
    picture: Option<Picture>,
}

/// The book itself, for venues where that is needed.
#[derive(Debug)]
struct Picture {
    book: Book,
    window: Option<usize>,
    checksum: Option<Checksum>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// No socket, or the connection was given up.
    Closed,
    /// A snapshot should come until then.
    Waiting { until: LocalTime },
    /// In step up to this number.
    Live { last: u64 },
}

/// A whole book from the stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Whole {
    /// The chain's number of this state.
    pub last: u64,
    /// Number comparable with that of the best bid and offer, if it is another.
    pub seq: Option<u64>,
    /// On the venue's clock.
    pub time: Option<VenueTime>,
    /// Best first.
    pub bids: Vec<Level>,
    /// Best first.
    pub asks: Vec<Level>,
    /// Whether nothing rests beyond.
    pub complete: bool,
    /// To be checked.
    pub checksum: Option<u32>,
}

impl StreamSync {
    /// A book that waits for [`StreamSync::open`].
    pub fn new(
        instrument: InstrumentId,
        window: Option<usize>,
        checksum: Option<Checksum>,
        limits: SyncLimits,
    ) -> Self {
        let needed = window.is_some() || checksum.is_some();
        Self {
            instrument,
            limits,
            counts: SyncCounts::default(),
            state: State::Closed,
            asked: 0,
            wants_anew: false,
            watch: Watch::new(),
            picture: needed.then(|| Picture { book: Book::new(), window, checksum }),
        }
    }

    /// Whether the book is in step.
    pub fn is_live(&self) -> bool {
        matches!(self.state, State::Live { .. })
    }

    /// What was seen and done.
    pub fn counts(&self) -> SyncCounts {
        self.counts
    }

    /// Whether the book has to be asked for; says so once.
    pub fn take_wish(&mut self) -> bool {
        std::mem::take(&mut self.wants_anew)
    }

    /// A new socket, and the book is subscribed to.
    pub fn open(&mut self, at: LocalTime) {
        self.watch.open();
        self.asked = 1;
        self.counts.fetches += 1;
        self.wants_anew = false;
        self.state = State::Waiting { until: at + self.limits.fetch_timeout };
    }

    /// The socket is gone, or should be.
    pub fn close(&mut self) {
        self.watch.forget();
        self.wants_anew = false;
        self.state = State::Closed;
    }

    /// The whole book came, asked for or not.
    pub fn on_snapshot(&mut self, whole: Whole, rules: &Instrument, at: LocalTime, said: &mut Vec<Said>) {
        if self.state == State::Closed {
            return;
        }
        let Whole { last, seq, time, mut bids, mut asks, complete, checksum } = whole;
        let mut extent = if complete { Extent::All } else { Extent::ToLast };
        if let Some(picture) = &mut self.picture {
            if let Some(window) = picture.window {
                bids.truncate(window);
                asks.truncate(window);
                extent = Extent::Window(u32::try_from(window).unwrap_or(u32::MAX));
            }
            picture.book.apply_snapshot(last, &bids, &asks, extent);
            self.watch.forget();
        } else {
            self.watch.replace(&bids, &asks);
        }
        if let Some((expected, found)) = self.mismatch(checksum, rules) {
            self.distrust_sum(last, expected, found, at, said);
            return;
        }
        (self.asked, self.wants_anew) = (0, false);
        self.state = State::Live { last };
        let seq = seq.unwrap_or(last);
        said.push(self.market(time, MarketEventKind::Snapshot { seq, bids, asks, extent }));
        self.check_crossed(last, at, said);
    }

    /// Levels changed.
    pub fn on_change(&mut self, mut change: Change, rules: &Instrument, at: LocalTime, said: &mut Vec<Said>) {
        // Before the snapshot a change says nothing.
        let State::Live { last } = self.state else { return };
        if is_old(&change, last) {
            self.counts.duplicates += 1;
            return;
        }
        if let Some((expected, found)) = change.hole_after(last) {
            self.lose(expected, found, format!("gap: expected {expected}, found {found}"), at, said);
            return;
        }
        if change.bids.is_empty() && change.asks.is_empty() && change.checksum.is_none() {
            self.state = State::Live { last: change.last };
            return;
        }
        if let Some(picture) = &mut self.picture {
            picture.apply(&mut change);
        } else {
            self.watch.apply(&change.bids, &change.asks);
        }
        if let Some((expected, found)) = self.mismatch(change.checksum, rules) {
            self.distrust_sum(change.last, expected, found, at, said);
            return;
        }
        let Change { last, seq, time, bids, asks, link: _, checksum: _ } = change;
        self.state = State::Live { last };
        said.push(self.market(time, MarketEventKind::Delta { seq: seq.unwrap_or(last), bids, asks }));
        self.check_crossed(last, at, said);
    }

    /// A message about this book could not be read: whatever it changed is unknown now.
    pub fn on_unreadable(&mut self, at: LocalTime, said: &mut Vec<Said>) {
        if let State::Live { last } = self.state {
            self.lose(last.saturating_add(1), 0, "unreadable book message".to_owned(), at, said);
        }
    }

    /// Messages of the connection were lost; it will be opened anew.
    pub fn on_lost(&mut self, expected: u64, found: u64, said: &mut Vec<Said>) {
        if self.is_live() {
            self.counts.gaps += 1;
            said.push(self.market(None, MarketEventKind::Gap { expected, found }));
        }
        self.close();
    }

    /// Time passes.
    pub fn on_time(&mut self, at: LocalTime, said: &mut Vec<Said>) {
        match self.state {
            State::Closed => {}
            // A halted or delisted market may have nothing to show; the others of its connection need not suffer.
            State::Waiting { until } if at > until && !self.watch.is_trading() => {
                self.state = State::Waiting { until: at + self.limits.fetch_timeout };
            }
            State::Waiting { until } if at > until => self.ask("the snapshot did not come", at, said),
            State::Waiting { .. } => {}
            State::Live { last } => self.check_crossed(last, at, said),
        }
    }

    /// The venue changed the rules: levels before and after do not compare.
    pub fn on_new_rules(&mut self, at: LocalTime) {
        if self.state != State::Closed {
            self.watch.forget();
            self.state = State::Waiting { until: at + self.limits.fetch_timeout };
            self.wants_anew = true;
        }
    }

    /// Whether the market trades continuously. While it does not, a crossed book is none of our business.
    pub fn set_trading(&mut self, trading: bool) {
        self.watch.set_trading(trading);
    }

    fn mismatch(&self, expected: Option<u32>, rules: &Instrument) -> Option<(u32, u32)> {
        let picture = self.picture.as_ref()?;
        let (expected, found) = (expected?, picture.checksum?(&picture.book, rules));
        (expected != found).then_some((expected, found))
    }

    fn distrust_sum(&mut self, last: u64, expected: u32, found: u32, at: LocalTime, said: &mut Vec<Said>) {
        let (expected, found) = (u64::from(expected), u64::from(found));
        let kind = FeedEventKind::ChecksumMismatch { expected, found };
        said.push(Said::Feed { instrument: Some(self.instrument), kind });
        self.lose(last, last, format!("checksum {expected} expected, {found} found"), at, said);
    }

    fn check_crossed(&mut self, last: u64, at: LocalTime, said: &mut Vec<Said>) {
        let limit = self.limits.crossed;
        let crossed_for = match &self.picture {
            Some(picture) => self.watch.crossed_now(picture.book.is_crossed(), limit, at),
            None => self.watch.crossed_for(limit, at),
        };
        if let Some(length) = crossed_for {
            let reason = format!("book stayed crossed for {} ms", length.ms());
            self.lose(last.saturating_add(1), last, reason, at, said);
        }
    }

    /// The book is no longer known. It is asked for anew, or the connection given up if that happened too often.
    fn lose(&mut self, expected: u64, found: u64, reason: String, at: LocalTime, said: &mut Vec<Said>) {
        self.counts.gaps += 1;
        self.watch.forget();
        said.push(self.market(None, MarketEventKind::Gap { expected, found }));
        if let Err(n) = self.watch.resync(self.limits.resyncs_per_minute, at) {
            self.give_up(format!("{reason}, after {n} resyncs within a minute"), said);
            return;
        }
        self.ask(&reason, at, said);
    }

    fn ask(&mut self, why: &str, at: LocalTime, said: &mut Vec<Said>) {
        if self.asked >= self.limits.fetches_max {
            self.give_up(format!("{why}, {} times in a row", self.asked), said);
            return;
        }
        self.asked += 1;
        self.counts.fetches += 1;
        self.wants_anew = true;
        self.state = State::Waiting { until: at + self.limits.fetch_timeout };
        let kind = FeedEventKind::Resync { reason: why.to_owned() };
        said.push(Said::Feed { instrument: Some(self.instrument), kind });
    }

    fn give_up(&mut self, reason: String, said: &mut Vec<Said>) {
        self.close();
        said.push(Said::Do(Action::Reconnect { reason, wait: Nanos::ZERO }));
    }

    fn market(&self, venue_time: Option<VenueTime>, kind: MarketEventKind) -> Said {
        Said::Market(MarketEvent { instrument: self.instrument, venue_time, kind })
    }
}

/// Whether a change says nothing new. One that names its predecessor may count backwards: OKX begins to count anew
/// after maintenance, and says what it follows.
fn is_old(change: &Change, last: u64) -> bool {
    match change.link {
        Link::From(_) | Link::Next => change.last <= last,
        Link::After(before) => change.last <= last && before < last,
        Link::None => false,
    }
}

impl Picture {
    /// Applies a change and adds to it the emptying of what fell out of the window.
    fn apply(&mut self, change: &mut Change) {
        self.book.apply_delta(change.last, &change.bids, &change.asks);
        let Some(window) = self.window else { return };
        for (side, levels) in [(Side::Bid, &mut change.bids), (Side::Ask, &mut change.asks)] {
            let depth = self.book.depth(side);
            if depth > window {
                let from = levels.len();
                levels.extend(self.book.levels(side).skip(window).map(|l| Level { qty: Lots::ZERO, ..l }));
                levels[from..].iter().for_each(|l| self.book.set(side, l.price, Lots::ZERO));
            }
        }
    }
}
