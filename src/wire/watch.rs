//! What makes a book that is in step doubtful all the same, and how often doubt may be resolved by asking again.

use std::collections::VecDeque;

use crate::market::{Level, Outline};
use crate::units::{LocalTime, Nanos};

/// Watches one book: crossed for too long, resynchronised too often.
#[derive(Debug)]
pub(super) struct Watch {
    /// The session keeps the book; a book that stays crossed is noticed by where something rests.
    outline: Outline,
    crossed_since: Option<LocalTime>,
    /// Whether the market trades; before an opening and in a halt a crossed book is legal.
    trading: bool,
    resyncs: VecDeque<LocalTime>,
}

impl Watch {
    pub(super) fn new() -> Self {
        Self { outline: Outline::default(), crossed_since: None, trading: true, resyncs: VecDeque::new() }
    }

    /// A new socket: earlier troubles are not its own.
    pub(super) fn open(&mut self) {
        self.forget();
        self.resyncs.clear();
    }

    /// The book is unknown.
    pub(super) fn forget(&mut self) {
        self.outline.clear();
        self.crossed_since = None;
    }

    /// The book is this.
    pub(super) fn replace(&mut self, bids: &[Level], asks: &[Level]) {
        self.forget();
        self.outline.apply(bids, asks);
    }

    /// Levels changed.
    pub(super) fn apply(&mut self, bids: &[Level], asks: &[Level]) {
        self.outline.apply(bids, asks);
    }

    pub(super) fn is_trading(&self) -> bool {
        self.trading
    }

    pub(super) fn set_trading(&mut self, trading: bool) {
        self.trading = trading;
        self.crossed_since = None;
    }

    /// For how long the book has been crossed, if longer than `limit`. Asked after whole messages only: within one,
    /// bids may pass asks that the same message removes.
    pub(super) fn crossed_for(&mut self, limit: Nanos, at: LocalTime) -> Option<Nanos> {
        let is_crossed = self.outline.is_crossed();
        self.crossed_now(is_crossed, limit, at)
    }

    /// As [`Watch::crossed_for`], where the book itself is kept and says whether it is crossed.
    pub(super) fn crossed_now(&mut self, is_crossed: bool, limit: Nanos, at: LocalTime) -> Option<Nanos> {
        if !self.trading || !is_crossed {
            self.crossed_since = None;
            return None;
        }
        let since = *self.crossed_since.get_or_insert(at);
        Some(at.since(since)).filter(|&length| length > limit)
    }

    /// Books one more resync; an error says how many there have been within a minute, when that is too many.
    pub(super) fn resync(&mut self, per_minute: usize, at: LocalTime) -> Result<(), usize> {
        while self.resyncs.front().is_some_and(|&then| at.since(then) > Nanos::from_s(60)) {
            self.resyncs.pop_front();
        }
        if self.resyncs.len() >= per_minute {
            return Err(self.resyncs.len());
        }
        self.resyncs.push_back(at);
        Ok(())
    }
}
