//! From a stream of numbered differences and a snapshot fetched beside it to a book one may trust.
//!
//! The stream and the snapshot come from different machines of the venue, in any order. The only thing that ties them
//! together is the update id, so nothing is believed that the ids do not prove: a snapshot counts once the buffered
//! differences lead up to it without a hole, a difference counts if it begins where the last one ended. Whatever is
//! not proven is a [`MarketEventKind::Gap`] and a new snapshot, never a skipped message.
//!
//! ```text
//!              first difference             bridged                      U > last + 1, unreadable, crossed
//!   Listening ──────────────────► Fetching ─────────► Live ─────────────────────────────┐
//!       (no snapshot is asked         ▲  └─ too old, slow, failed: again, later,        │
//!        for before)                  │     at most `fetches_max` times                 │
//!                                     └─────────────────────────────────────────────────┘
//! ```
//!
//! Knows no venue: the caller says what to fetch and decodes the bytes. Holds no socket: it says what it wishes.

use std::collections::VecDeque;

use super::dialect::{Change, Request};
use super::watch::Watch;
use super::{About, Action, FetchFailure, Said};
use crate::market::{Extent, FeedEventKind, InstrumentId, Level, MarketEvent, MarketEventKind};
use crate::units::{LocalTime, Nanos, VenueTime};

/// How patient the synchroniser is. Every default is stated at its field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SyncLimits {
    /// Differences held back while a snapshot is on its way: 3,000, five minutes of a 100 ms stream.
    pub buffer_messages: usize,
    /// Levels in those differences: 200,000 (3.2 MB).
    pub buffer_levels: usize,
    /// A book that does not come in the stream, or a stream that does not come up to a snapshot, is given up after
    /// this: 10 s.
    pub fetch_timeout: Nanos,
    /// An answer over REST is given up after this: 300 s, as long as the buffer lasts. The driver gives up much sooner
    /// once a question is out; before, it may have to wait for its turn in the venue's budget, and to ask for the same
    /// again would only make the queue longer.
    pub answer_timeout: Nanos,
    /// Wait before the second fetch; doubles with each further one up to 32 times itself: 250 ms.
    pub refetch_delay: Nanos,
    /// Fetches in a row without a usable snapshot before the connection is given up: 8.
    pub fetches_max: u32,
    /// Resyncs of one instrument within a minute before the connection is given up: 3.
    pub resyncs_per_minute: usize,
    /// A book that stays crossed for longer than this cannot be right: 1 s.
    pub crossed: Nanos,
}

impl Default for SyncLimits {
    fn default() -> Self {
        Self {
            buffer_messages: 3_000,
            buffer_levels: 200_000,
            fetch_timeout: Nanos::from_s(10),
            answer_timeout: Nanos::from_s(300),
            refetch_delay: Nanos::from_ms(250),
            fetches_max: 8,
            resyncs_per_minute: 3,
            crossed: Nanos::from_s(1),
        }
    }
}

/// The state of a book after update `last`, as far as the venue shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// The last update in it.
    pub last: u64,
    /// Best first.
    pub bids: Vec<Level>,
    /// Best first.
    pub asks: Vec<Level>,
}

/// What was seen and done, for reports.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SyncCounts {
    /// Differences that said nothing new.
    pub duplicates: u64,
    /// Holes found.
    pub gaps: u64,
    /// Snapshots asked for.
    pub fetches: u64,
    /// Buffers that overflowed.
    pub overflows: u64,
}

/// The book of one instrument on one connection.
#[derive(Debug)]
pub struct DepthSync {
    instrument: InstrumentId,
    request: Request,
    limits: SyncLimits,
    counts: SyncCounts,
    state: State,
    /// Contiguous: each begins where the one before it ended.
    buffer: VecDeque<Change>,
    buffered_levels: usize,
    /// A snapshot ahead of everything buffered, waiting for the difference that leads up to it.
    held: Option<Snapshot>,
    /// Fetches since the book was last in step.
    fetches: u32,
    watch: Watch,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// No socket, or the connection was given up.
    Closed,
    /// Nothing came yet.
    Listening,
    /// A snapshot is asked for and has until then.
    Fetching { until: LocalTime },
    /// In step up to this update.
    Live { last: u64 },
}

impl DepthSync {
    /// A synchroniser that waits for [`DepthSync::open`].
    pub fn new(instrument: InstrumentId, request: Request, limits: SyncLimits) -> Self {
        Self {
            instrument,
            request,
            limits,
            counts: SyncCounts::default(),
            state: State::Closed,
            buffer: VecDeque::new(),
            buffered_levels: 0,
            held: None,
            fetches: 0,
            watch: Watch::new(),
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

    /// How many differences are held back now.
    pub fn buffered(&self) -> usize {
        self.buffer.len()
    }

    /// A new socket: listen from the beginning.
    pub fn open(&mut self) {
        self.forget();
        self.watch.open();
        self.fetches = 0;
        self.state = State::Listening;
    }

    /// The socket is gone, or should be.
    pub fn close(&mut self) {
        self.forget();
        self.state = State::Closed;
    }

    /// A message of the stream.
    pub fn on_change(&mut self, change: Change, at: LocalTime, said: &mut Vec<Said>) {
        match self.state {
            State::Closed => {}
            State::Live { last } if change.last <= last => self.counts.duplicates += 1,
            State::Live { last } => match change.hole_after(last) {
                None => self.emit(change, at, said),
                Some((expected, found)) => {
                    self.lose(expected, found, format!("gap: expected update {expected}, found {found}"), at, said);
                    if self.state != State::Closed {
                        self.hold_back(change, at, said);
                    }
                }
            },
            State::Listening | State::Fetching { .. } => self.hold_back(change, at, said),
        }
    }

    /// A message of the stream came that could not be read: whatever it changed is unknown now.
    pub fn on_unreadable(&mut self, at: LocalTime, said: &mut Vec<Said>) {
        match self.state {
            State::Closed | State::Listening => {}
            State::Fetching { .. } => self.drop_buffer(),
            State::Live { last } => {
                self.lose(last.saturating_add(1), 0, "unreadable depth message".to_owned(), at, said);
                self.fetch(Nanos::ZERO, at, said);
            }
        }
    }

    /// A snapshot came, asked for or found in a recording.
    pub fn on_snapshot(&mut self, snapshot: Snapshot, at: LocalTime, said: &mut Vec<Said>) {
        match self.state {
            State::Closed | State::Live { .. } => {}
            State::Listening | State::Fetching { .. } => {
                self.held = Some(snapshot);
                if let State::Fetching { .. } = self.state {
                    self.state = State::Fetching { until: at + self.limits.fetch_timeout };
                }
                self.bridge(at, said);
            }
        }
    }

    /// A snapshot could not be had.
    pub fn on_failure(&mut self, failure: &FetchFailure, at: LocalTime, said: &mut Vec<Said>) {
        if !matches!(self.state, State::Fetching { .. }) {
            return;
        }
        match failure {
            FetchFailure::RateLimited { status, wait } => {
                let kind = FeedEventKind::RateLimited { code: u32::from(*status), wait_ms: wait.ms().max(0) as u64 };
                said.push(Said::Feed { instrument: Some(self.instrument), kind });
                // Waiting as told is not a failure to synchronise.
                self.fetches = self.fetches.saturating_sub(1);
                self.fetch((*wait).max(self.limits.refetch_delay), at, said);
            }
            FetchFailure::Status { .. } | FetchFailure::Unreachable(_) => {
                self.fetch_again(&format!("snapshot could not be fetched: {failure}"), at, said);
            }
        }
    }

    /// Time passes.
    pub fn on_time(&mut self, at: LocalTime, said: &mut Vec<Said>) {
        match self.state {
            State::Closed | State::Listening => {}
            State::Fetching { until } => {
                if at > until {
                    let why = match self.held.take() {
                        Some(_) => "the stream did not come up to the snapshot",
                        None => "snapshot took too long",
                    };
                    self.fetch_again(why, at, said);
                }
            }
            State::Live { last } => self.check_crossed(last, at, said),
        }
    }

    /// The venue changed the rules: levels before and after do not compare.
    pub fn on_new_rules(&mut self) {
        if self.state != State::Closed {
            self.forget();
            self.state = State::Listening;
        }
    }

    /// Whether the market trades continuously. While it does not, a crossed book is none of our business.
    pub fn set_trading(&mut self, trading: bool) {
        self.watch.set_trading(trading);
    }

    fn forget(&mut self) {
        self.drop_buffer();
        self.held = None;
        self.watch.forget();
    }

    fn drop_buffer(&mut self) {
        self.buffer.clear();
        self.buffered_levels = 0;
    }

    fn hold_back(&mut self, change: Change, at: LocalTime, said: &mut Vec<Said>) {
        if let Some(newest) = self.buffer.back() {
            if change.last <= newest.last {
                self.counts.duplicates += 1;
                return;
            }
            if change.hole_after(newest.last).is_some() {
                // Only what comes after the hole can ever be used.
                self.counts.gaps += 1;
                self.drop_buffer();
            }
        }
        let levels = change.bids.len() + change.asks.len();
        if self.buffer.len() >= self.limits.buffer_messages || self.buffered_levels + levels > self.limits.buffer_levels
        {
            self.counts.overflows += 1;
            self.drop_buffer();
            let reason = "depth buffer overflowed while waiting for a snapshot".to_owned();
            said.push(Said::Feed { instrument: Some(self.instrument), kind: FeedEventKind::Resync { reason } });
        }
        self.buffered_levels += levels;
        self.buffer.push_back(change);
        if self.held.is_some() {
            self.bridge(at, said);
        } else if self.state == State::Listening {
            self.fetch(Nanos::ZERO, at, said);
        }
    }

    /// Puts the held snapshot and the buffer together, if their ids allow it.
    fn bridge(&mut self, at: LocalTime, said: &mut Vec<Said>) {
        let Some(snapshot) = self.held.take() else { return };
        let (Some(oldest), Some(newest)) = (self.buffer.front(), self.buffer.back()) else {
            self.held = Some(snapshot);
            return;
        };
        if let Some(first) = oldest.begins_after(snapshot.last) {
            let why = format!("snapshot {} is older than the first buffered update {first}", snapshot.last);
            self.fetch_again(&why, at, said);
            return;
        }
        if snapshot.last > newest.last {
            self.drop_buffer();
            // The stream has to come up to it; a hole until then shows as "too old".
            self.held = Some(snapshot);
            return;
        }
        let Snapshot { last, bids, asks } = snapshot;
        self.watch.replace(&bids, &asks);
        self.fetches = 0;
        self.state = State::Live { last };
        said.push(self.market(None, MarketEventKind::Snapshot { seq: last, bids, asks, extent: Extent::ToLast }));
        let buffer = std::mem::take(&mut self.buffer);
        self.buffered_levels = 0;
        for change in buffer.into_iter().filter(|change| change.last > last) {
            self.emit(change, at, said);
        }
    }

    /// A difference that continues the book.
    fn emit(&mut self, change: Change, at: LocalTime, said: &mut Vec<Said>) {
        let Change { last, seq, time, bids, asks, link: _, checksum: _ } = change;
        self.state = State::Live { last };
        self.watch.apply(&bids, &asks);
        said.push(self.market(time, MarketEventKind::Delta { seq: seq.unwrap_or(last), bids, asks }));
        self.check_crossed(last, at, said);
    }

    fn check_crossed(&mut self, last: u64, at: LocalTime, said: &mut Vec<Said>) {
        if let Some(length) = self.watch.crossed_for(self.limits.crossed, at) {
            let reason = format!("book stayed crossed for {} ms", length.ms());
            self.lose(last.saturating_add(1), last, reason, at, said);
            self.fetch(Nanos::ZERO, at, said);
        }
    }

    /// The book is no longer known. Leaves the state at `Listening`, or `Closed` if that happened too often.
    fn lose(&mut self, expected: u64, found: u64, reason: String, at: LocalTime, said: &mut Vec<Said>) {
        self.counts.gaps += 1;
        self.forget();
        self.state = State::Listening;
        said.push(self.market(None, MarketEventKind::Gap { expected, found }));
        if let Err(n) = self.watch.resync(self.limits.resyncs_per_minute, at) {
            self.give_up(format!("{reason}, after {n} resyncs within a minute"), said);
            return;
        }
        said.push(Said::Feed { instrument: Some(self.instrument), kind: FeedEventKind::Resync { reason } });
    }

    fn fetch_again(&mut self, why: &str, at: LocalTime, said: &mut Vec<Said>) {
        if self.fetches >= self.limits.fetches_max {
            self.give_up(format!("{why}, {} times in a row", self.fetches), said);
            return;
        }
        let delay = Nanos(self.limits.refetch_delay.0.saturating_mul(1 << self.fetches.saturating_sub(1).min(5)));
        said.push(Said::Feed {
            instrument: Some(self.instrument),
            kind: FeedEventKind::Resync { reason: format!("{why}; asking again in {} ms", delay.ms()) },
        });
        self.fetch(delay, at, said);
    }

    fn fetch(&mut self, delay: Nanos, at: LocalTime, said: &mut Vec<Said>) {
        if self.state == State::Closed {
            return;
        }
        self.fetches += 1;
        self.counts.fetches += 1;
        self.state = State::Fetching { until: at + delay + self.limits.answer_timeout };
        let (about, request) = (About::Book(self.instrument), self.request.clone());
        said.push(Said::Do(Action::Fetch { about, request, delay }));
    }

    fn give_up(&mut self, reason: String, said: &mut Vec<Said>) {
        self.close();
        said.push(Said::Do(Action::Reconnect { reason, wait: Nanos::ZERO }));
    }

    fn market(&self, venue_time: Option<VenueTime>, kind: MarketEventKind) -> Said {
        Said::Market(MarketEvent { instrument: self.instrument, venue_time, kind })
    }
}
