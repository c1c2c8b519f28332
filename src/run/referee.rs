//! Which guess at our place in line is right, judged by recordings that tell it.
//!
//! A queue model is made for venues that say only how much rests at a price. A recording that tells order by order knows
//! the truth, so it can be hidden: orders of one lot are imagined into the recording, their true fills are those of an
//! exact place in line ([`Line`]), and every model sees the same prints and levels, nothing else. One lot, so that the
//! market as it was recorded is the market they would have met.
//!
//! The code that is judged is the code that fills paper orders: [`Place`] for the guesses, [`Turn`](crate::exchange::line::Turn)
//! for the truth. What both share with the paper venue, and with each other, decides nothing between them: a print through
//! a price fills whoever rests there, so does the other side coming to rest at it.
//!
//! From the first trade on orders are imagined at every `every`-th message that changes the book, on both sides, at the best price and at the next
//! occupied ones behind it. They live for [`Plan::longest`], whatever the market does; whether they would have been
//! cancelled in the meantime is a matter of the question asked of them ([`Plan::horizons`]).
//!
//! Reading order: [`Referee`] imagines and watches, [`score`] judges, [`Plan`] is the settings.

pub mod score;
#[cfg(test)]
mod tests;
mod watch;

use serde::Serialize;

use super::rerun::{Inputs, RerunError};
use crate::engine::Input;
use crate::exchange::line::Line;
use crate::exchange::queue::{Place, QueueModel};
use crate::journal::Reader;
use crate::market::{Book, InstrumentId, Level, MarketEvent, MarketEventKind, OrderNews};
use crate::units::{LocalTime, Lots, Nanos, Side, Ticks, VenueTime};
use watch::{Ghost, Ghosts};

/// The models judged, by name; the first and the last are the bounds.
pub const MODELS: [(&str, QueueModel); 11] = [
    ("risk-averse", QueueModel::RiskAverse),
    ("power 1", QueueModel::Power { n: 1.0 }),
    ("power 2", QueueModel::Power { n: 2.0 }),
    ("power 3", QueueModel::Power { n: 3.0 }),
    ("power2 2", QueueModel::Power2 { n: 2.0 }),
    ("power2 3", QueueModel::Power2 { n: 3.0 }),
    ("power3 2", QueueModel::Power3 { n: 2.0 }),
    ("power3 3", QueueModel::Power3 { n: 3.0 }),
    ("log", QueueModel::Log),
    ("log2", QueueModel::Log2),
    ("optimistic", QueueModel::Optimistic),
];

/// How the experiment is done.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Plan {
    /// Messages that change the book between placements.
    pub every: u64,
    /// Prices per side: the best, then the next occupied ones.
    pub levels: usize,
    /// Questions asked: traded within this time? Ascending.
    pub horizons: Vec<Nanos>,
    /// How long every order is watched; the last question, traded before its price is `away_bps` behind the best, too.
    pub longest: Nanos,
    /// Basis points of the price.
    pub away_bps: f64,
    /// How long after placement the believed place is compared with the true one.
    pub checkpoint: Nanos,
    /// Histories the bootstrap lives again.
    pub resamples: usize,
    /// Seeds it.
    pub seed: u64,
}

impl Default for Plan {
    fn default() -> Self {
        Self {
            every: 10,
            levels: 4,
            horizons: [1, 10, 60].map(Nanos::from_s).to_vec(),
            longest: Nanos::from_s(300),
            away_bps: 4.0,
            checkpoint: Nanos::from_s(10),
            resamples: 1_000,
            seed: 1,
        }
    }
}

/// What became of one imagined order: in the truth first, then under each of [`MODELS`].
#[derive(Clone, Debug, PartialEq)]
pub struct Fate {
    /// All orders of one moment are one batch; batches are numbered in time.
    pub batch: usize,
    /// When it was placed.
    pub placed: LocalTime,
    /// Buy or sell.
    pub side: Side,
    /// Where.
    pub price: Ticks,
    /// How many occupied prices are better on its side.
    pub level: usize,
    /// Lots ahead of it as it joined.
    pub joined: Lots,
    /// When it traded.
    pub traded: [Option<LocalTime>; MODELS.len() + 1],
    /// When the market had moved away from it.
    pub away: Option<LocalTime>,
    /// Lots ahead at the checkpoint, if it still rested in the truth; of a model under which it had traded, none.
    pub ahead: Option<[Lots; MODELS.len() + 1]>,
}

/// An imagined crowd in a recording.
#[derive(Debug)]
pub struct Referee {
    instrument: InstrumentId,
    plan: Plan,
    book: Book,
    line: Line,
    is_known: bool,
    is_apart: bool,
    /// Somebody traded: before the opening a book is no market.
    is_open: bool,
    /// The venue's stamp on the newest depth: older prints are in it.
    depth_time: Option<VenueTime>,
    ghosts: Ghosts,
    /// Messages that changed a book we may believe.
    changes: u64,
    /// Prices at which the orders did not add up to the level.
    unnamed: u64,
    last: Option<LocalTime>,
}

/// What was watched, all of it.
#[derive(Debug)]
pub struct Watched {
    /// In the order in which they ended.
    pub fates: Vec<Fate>,
    /// Moments at which orders were placed.
    pub batches: usize,
    /// Placements given up because the orders at the price did not add up to the level.
    pub unnamed: u64,
    /// Orders whose end is unknown, because the book was lost meanwhile.
    pub lost: u64,
    /// The last input.
    pub ended: Option<LocalTime>,
}

/// Watches a recording from end to end.
pub fn watch(inputs: &mut dyn Inputs, instrument: InstrumentId, plan: &Plan) -> Result<Watched, RerunError> {
    let mut referee = Referee::new(instrument, plan.clone());
    let mut input = Reader::blank();
    while inputs.next(&mut input)? {
        if let Input::Market(event) = &input.input {
            referee.hear(event, input.at);
        }
    }
    Ok(referee.finish())
}

impl Referee {
    /// Nothing was heard yet.
    pub fn new(instrument: InstrumentId, plan: Plan) -> Self {
        let ghosts = Ghosts::new(&plan);
        Self {
            instrument,
            plan,
            book: Book::new(),
            line: Line::default(),
            is_known: false,
            is_apart: false,
            is_open: false,
            depth_time: None,
            ghosts,
            changes: 0,
            unnamed: 0,
            last: None,
        }
    }

    /// One piece of news, received at `at`.
    pub fn hear(&mut self, event: &MarketEvent, at: LocalTime) {
        if event.instrument != self.instrument {
            return;
        }
        self.last = Some(at);
        self.ghosts.time_is(at);
        match &event.kind {
            MarketEventKind::Order(news) => self.told(news, at),
            MarketEventKind::Trade { taker, price, qty, flags, .. } => {
                self.is_apart = !flags.took_from_the_book();
                self.is_open |= !self.is_apart;
                if !self.is_apart && self.is_known {
                    let is_in_depth =
                        matches!((event.venue_time, self.depth_time), (Some(t), Some(depth)) if t < depth);
                    self.ghosts.printed(taker.opposite(), *price, *qty, is_in_depth, at);
                }
            }
            MarketEventKind::Delta { seq, bids, asks } => {
                self.is_apart = false;
                self.depth_time = event.venue_time.or(self.depth_time);
                if self.is_known {
                    self.changed(*seq, bids, asks, at);
                }
            }
            MarketEventKind::Snapshot { seq, bids, asks, extent } => {
                self.ghosts.lose_all();
                self.book.apply_snapshot(*seq, bids, asks, *extent);
                (self.is_known, self.depth_time) = (true, event.venue_time);
            }
            MarketEventKind::Gap { .. } => self.forget(),
            // Prices may mean something else now.
            MarketEventKind::Rules(_) => self.forget(),
            MarketEventKind::Bbo { .. } | MarketEventKind::Status(_) | MarketEventKind::Mark(_) => {}
        }
    }

    /// No more news: every order that still rests has the fate it has.
    pub fn finish(self) -> Watched {
        let (fates, batches, lost) = self.ghosts.finish();
        Watched { fates, batches, unnamed: self.unnamed, lost, ended: self.last }
    }

    fn forget(&mut self) {
        self.line.forget();
        self.ghosts.lose_all();
        self.is_known = false;
    }

    fn told(&mut self, news: &OrderNews, at: LocalTime) {
        let moved = self.line.hear(news);
        self.ghosts.moved(&moved, self.is_apart, at);
    }

    fn changed(&mut self, seq: u64, bids: &[Level], asks: &[Level], at: LocalTime) {
        for (side, levels) in [(Side::Bid, bids), (Side::Ask, asks)] {
            self.ghosts.depth(side, levels, seq);
        }
        for (side, levels) in [(Side::Bid, asks), (Side::Ask, bids)] {
            self.ghosts.crossed(side, levels, at);
        }
        let best = |book: &Book| Side::BOTH.map(|side| book.best(side).map(|level| level.price));
        let before = best(&self.book);
        self.book.apply_delta(seq, bids, asks);
        let now = best(&self.book);
        for (side, (before, now)) in Side::BOTH.into_iter().zip(before.into_iter().zip(now)) {
            if let Some(now) = now.filter(|now| before != Some(*now)) {
                self.ghosts.best_is(side, now, at);
            }
        }
        let [Some(_), Some(_)] = now else { return };
        if self.book.is_crossed() || !self.is_open {
            return;
        }
        self.changes += 1;
        if self.changes.is_multiple_of(self.plan.every) {
            self.place(seq, at);
        }
    }

    /// One order at each price the plan asks for.
    fn place(&mut self, seq: u64, at: LocalTime) {
        self.ghosts.begin_batch(at);
        for side in Side::BOTH {
            let levels: Vec<Level> = self.book.levels(side).take(self.plan.levels).collect();
            for (n, level) in levels.into_iter().enumerate() {
                match self.line.join(side, level.price, level.qty) {
                    Some(turn) => self.ghosts.add(Ghost::new(turn, Place::join(level.qty, seq), side, level, n, at)),
                    None => self.unnamed += 1,
                }
            }
        }
    }
}

/// What a message says last of a price.
fn final_qty(levels: &[Level], price: Ticks) -> Option<Lots> {
    levels.iter().rev().find(|level| level.price == price).map(|level| level.qty)
}
