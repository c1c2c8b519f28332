//! One instrument's market, seen again from the recorded inputs.
//!
//! What a session knew it did not write down: the best prices between two outputs. They are added up anew here, and
//! `tests/metrics` holds every equity mark of a session against them.

use crate::engine::BookState;
use crate::market::{Book, FeedEvent, FeedEventKind, Instrument, Level, MarketEvent, MarketEventKind};
use crate::signal::Top;
use crate::units::{Lots, Side};

/// Rules, book and best prices as the session had them.
#[derive(Clone, Debug)]
pub(super) struct Sight {
    pub rules: Instrument,
    /// What the session said of the book.
    pub state: BookState,
    book: Book,
    /// Whether there was a snapshot since the book was last lost.
    is_known: bool,
    bbo: Option<(Option<Level>, Option<Level>)>,
    bbo_seq: u64,
    bbo_leads: bool,
    /// The venue's lot cannot hold our position: prices are not in our ticks.
    is_stranded: bool,
}

/// The steps changed.
pub(super) struct NewSteps {
    /// How many of the new lots make an old one, where that matters.
    pub lot_ratio: Option<i64>,
}

impl Sight {
    pub fn new(rules: Instrument) -> Self {
        Self {
            rules,
            state: BookState::Empty,
            book: Book::new(),
            is_known: false,
            bbo: None,
            bbo_seq: 0,
            bbo_leads: false,
            is_stranded: false,
        }
    }

    /// Best prices while the book can be traded on.
    pub fn live_top(&self) -> Option<Top> {
        match self.state {
            BookState::Live => self.top(),
            BookState::Empty
            | BookState::Gap
            | BookState::Disconnected
            | BookState::Stale
            | BookState::Crossed
            | BookState::OutOfRange
            | BookState::NotTrading => None,
        }
    }

    fn top(&self) -> Option<Top> {
        let (bid, ask) = match self.bbo {
            _ if self.is_stranded => return None,
            Some((bid, ask)) if self.bbo_leads => (bid?, ask?),
            _ => (self.book.best(Side::Bid)?, self.book.best(Side::Ask)?),
        };
        (bid.price < ask.price).then_some(Top { bid, ask })
    }

    /// Takes in news of the market; says if prices or lots are counted anew.
    pub fn hear(&mut self, event: &MarketEvent, position: Lots) -> Option<NewSteps> {
        match &event.kind {
            MarketEventKind::Snapshot { seq, bids, asks, extent } => {
                self.book.apply_snapshot(*seq, bids, asks, *extent);
                self.is_known = true;
                self.bbo_leads = self.bbo.is_some() && self.bbo_seq > *seq;
            }
            MarketEventKind::Delta { seq, bids, asks } if self.is_known => {
                self.book.apply_delta(*seq, bids, asks);
                self.bbo_leads = self.bbo.is_some() && self.bbo_seq > *seq;
            }
            MarketEventKind::Bbo { seq, bid, ask } => {
                (self.bbo, self.bbo_seq) = (Some((*bid, *ask)), *seq);
                self.bbo_leads = *seq == 0 || *seq > self.book.seq();
            }
            MarketEventKind::Gap { .. } => self.lose(),
            MarketEventKind::Rules(rules) => return self.change_rules(rules, position),
            MarketEventKind::Delta { .. }
            | MarketEventKind::Trade { .. }
            | MarketEventKind::Status(_)
            | MarketEventKind::Mark(_)
            | MarketEventKind::Order(_) => {}
        }
        None
    }

    /// Takes in news of a connection it is on.
    pub fn hear_feed(&mut self, event: &FeedEvent) {
        match &event.kind {
            FeedEventKind::Disconnected { .. }
            | FeedEventKind::Refused { .. }
            | FeedEventKind::Resync { .. }
            | FeedEventKind::ChecksumMismatch { .. } => self.lose(),
            FeedEventKind::Connected
            | FeedEventKind::Live
            | FeedEventKind::Stale { .. }
            | FeedEventKind::NoData { .. }
            | FeedEventKind::ProtocolError { .. }
            | FeedEventKind::RateLimited { .. }
            | FeedEventKind::ShutdownAnnounced => {}
        }
    }

    fn lose(&mut self) {
        self.book.clear();
        (self.is_known, self.bbo, self.bbo_leads) = (false, None, false);
    }

    fn change_rules(&mut self, rules: &Instrument, position: Lots) -> Option<NewSteps> {
        let are_new = (rules.tick, rules.lot) != (self.rules.tick, self.rules.lot);
        if are_new {
            self.lose();
        }
        let lot_ratio = rules.lot.count(self.rules.lot.size()).ok().filter(|ratio| *ratio > 0);
        self.is_stranded = position != Lots::ZERO && lot_ratio.is_none();
        if !self.is_stranded {
            self.rules = rules.clone();
        }
        are_new.then_some(NewSteps { lot_ratio })
    }
}
