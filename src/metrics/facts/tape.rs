//! Series made of what a market tells.
//!
//! A recording and a simulation are told to it in the same few words ([`News`]); after the last, [`Tape::finish`] gives the
//! series that the estimators ask for. Memory grows by some 24 bytes a second and 17 an aggressor, up to [`ORDERS_MAX`].
//!
//! Time is one clock, in nanoseconds. Prices and the volumes between them are sampled every second of it.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use crate::market::{Book, Level, OrderNews, OrderStep};
use crate::units::{Lots, Side, Ticks};

/// Aggressors kept; of a longer story the first so many count where orders are asked for one by one.
pub const ORDERS_MAX: usize = 4_000_000;
/// Values of one kind kept; when there are more, every second one is let go, and from then on every second one is taken.
const SAMPLE_MAX: usize = 1 << 20;
/// Between samples of the mid.
const SECOND: i64 = 1_000_000_000;
/// A longer silence is a hole, not a market that stood still.
const HOLE: i64 = 86_400 * SECOND;

/// One thing a market tells.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum News {
    /// Somebody traded.
    Print {
        /// When it happened there. Prints of one instant and side are one order that swept.
        instant: i64,
        /// `Bid`: somebody bought; `None` where nobody says.
        taker: Option<Side>,
        /// At.
        price: Ticks,
        /// How much.
        qty: Lots,
    },
    /// A price of a bar that is over now, and the volume that stands on it: it says what was paid, not by whom.
    Bar {
        /// At.
        price: Ticks,
        /// How much.
        qty: Lots,
    },
    /// What now rests at a price.
    Level(Side, Level),
    /// That was all of one change: the book is real now, and the best prices are its own unless those of `Top` are newer.
    Settled {
        /// Whether they are.
        top_is_newer: bool,
    },
    /// Best prices that are newer than the book.
    Top {
        /// Of bids.
        bid: Option<Ticks>,
        /// Of asks.
        ask: Option<Ticks>,
    },
    /// The levels until `Settled` are a whole new book.
    Snapshot,
    /// The book, and every order in it, is unknown until the next `Snapshot`.
    Lost,
    /// The book may be stale until the next `Settled`.
    Blind,
    /// One order placed, cancelled or executed, told before the levels it changes.
    Order(OrderNews),
    /// A hidden intention begins to be executed in pieces, or ends: only a simulation knows.
    Metaorder {
        /// Its name while it lives.
        id: u64,
        /// What it is about.
        side: Side,
        /// What was executed: zero at its beginning.
        executed: Lots,
    },
}

/// Who can be told a market's news.
pub trait Hears {
    /// News of the moment `at`, never before the last one's.
    fn hear(&mut self, at: i64, news: News);

    /// The feed shows a window of best levels only: what comes into sight was not placed now.
    fn is_a_window(&mut self);
}

/// Two who listen together.
impl<A: Hears, B: Hears> Hears for (A, B) {
    fn hear(&mut self, at: i64, news: News) {
        self.0.hear(at, news);
        self.1.hear(at, news);
    }

    fn is_a_window(&mut self) {
        self.0.is_a_window();
        self.1.is_a_window();
    }
}

/// What placements are known from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    /// Orders, one by one.
    Orders,
    /// Levels that grew: of what happened within one message only the sum is seen.
    Levels,
    /// A window of the best levels: what comes into sight was not placed now.
    Window,
}

/// A metaorder from beginning to end.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Metaorder {
    /// Lots.
    pub executed: f64,
    /// How far the mid went its way meanwhile, ticks.
    pub moved: f64,
}

/// The series of one market.
#[derive(Clone, Debug)]
pub struct Material {
    /// Mid in ticks at every full second; NaN while the book was unknown. Without a book, prices of prints.
    pub mids: Vec<f64>,
    /// Whether there ever was a book.
    pub has_book: bool,
    /// Seconds between bars, if that is all that was told: nothing is known within one.
    pub bar_s: Option<usize>,
    /// Lots traded in the second after each mid but the last.
    pub volumes: Vec<f64>,
    /// Of those, bought by aggressors less sold.
    pub nets: Vec<f64>,
    /// When each aggressor came, ns, ascending.
    pub times: Vec<i64>,
    /// +1 bought, -1 sold.
    pub signs: Vec<f64>,
    /// Size of each aggressor as far as it traded, lots.
    pub sizes: Vec<f64>,
    /// Aggressors in all, also those beyond [`ORDERS_MAX`].
    pub orders: u64,
    /// Prints in all.
    pub prints: u64,
    /// How long the spread was so many ticks, ns.
    pub spreads: BTreeMap<i64, i64>,
    /// How often it changed.
    pub spread_changes: u64,
    /// How many orders were placed so many ticks behind their side's best price.
    pub depths: BTreeMap<i64, u64>,
    /// How many better than that.
    pub inside: u64,
    /// What the two are known from.
    pub told: Told,
    /// Sizes of limit orders, lots.
    pub limit_sizes: Vec<f64>,
    /// Lives of orders until they were cancelled, seconds.
    pub cancelled: Vec<f64>,
    /// Lives of orders until the last of them traded, seconds.
    pub executed: Vec<f64>,
    /// How many lives ended so, also those that are not kept one by one: cancelled, executed.
    pub ends: [u64; 2],
    /// Metaorders that ended.
    pub metaorders: Vec<Metaorder>,
    /// Length, seconds.
    pub seconds: f64,
}

/// Listens.
#[derive(Clone, Debug)]
pub struct Tape {
    book: Book,
    is_lost: bool,
    is_blind: bool,
    is_replaced: bool,
    has_window: bool,
    top: Option<(Option<Ticks>, Option<Ticks>)>,
    last_print: Option<Ticks>,
    last_bar: Option<i64>,
    /// Best prices before the change that is being told.
    before: [Option<Ticks>; 2],
    is_changing: bool,
    first: Option<i64>,
    last: i64,
    next_sample: i64,
    volume: f64,
    net: f64,
    spread: Option<(i64, i64)>,
    pending: [Option<(i64, i64)>; 2],
    lives: BTreeMap<u64, i64>,
    limit_sizes: Sample,
    cancelled: Sample,
    executed: Sample,
    begun: BTreeMap<u64, f64>,
    made: Material,
}

impl Default for Tape {
    fn default() -> Self {
        Self::new()
    }
}

impl Hears for Tape {
    fn is_a_window(&mut self) {
        self.has_window = true;
    }

    fn hear(&mut self, at: i64, news: News) {
        self.time_is(at.max(self.last));
        match news {
            News::Print { instant, taker, price, qty } => self.printed(instant, taker, price, qty),
            News::Bar { price, qty } => self.bar(price, qty),
            News::Level(side, level) => self.level(side, level),
            News::Settled { top_is_newer } => self.settled(top_is_newer),
            News::Top { bid, ask } => {
                self.top = Some((bid, ask));
                self.spread_is();
            }
            News::Snapshot => {
                self.book.clear();
                self.is_replaced = true;
            }
            News::Lost => {
                self.book.clear();
                (self.is_lost, self.is_changing, self.top) = (true, false, None);
                self.lives.clear();
                self.spread_is();
            }
            News::Blind => {
                (self.is_blind, self.top) = (true, None);
                self.spread_is();
            }
            News::Order(news) => self.order(&news),
            News::Metaorder { id, side, executed } => self.metaorder(id, side, executed),
        }
    }
}

impl Tape {
    /// Nothing was told yet.
    pub fn new() -> Self {
        let made = Material {
            mids: Vec::new(),
            has_book: false,
            bar_s: None,
            volumes: Vec::new(),
            nets: Vec::new(),
            times: Vec::new(),
            signs: Vec::new(),
            sizes: Vec::new(),
            orders: 0,
            prints: 0,
            spreads: BTreeMap::new(),
            spread_changes: 0,
            depths: BTreeMap::new(),
            inside: 0,
            told: Told::Levels,
            limit_sizes: Vec::new(),
            cancelled: Vec::new(),
            executed: Vec::new(),
            ends: [0; 2],
            metaorders: Vec::new(),
            seconds: 0.0,
        };
        Self {
            book: Book::new(),
            is_lost: true,
            is_blind: false,
            is_replaced: false,
            has_window: false,
            top: None,
            last_print: None,
            last_bar: None,
            before: [None; 2],
            is_changing: false,
            first: None,
            last: 0,
            next_sample: 0,
            volume: 0.0,
            net: 0.0,
            spread: None,
            pending: [None; 2],
            lives: BTreeMap::new(),
            limit_sizes: Sample::default(),
            cancelled: Sample::default(),
            executed: Sample::default(),
            begun: BTreeMap::new(),
            made,
        }
    }

    /// No more news.
    pub fn finish(mut self) -> Material {
        self.spread_ends();
        self.flush(None);
        let mut order: Vec<usize> = (0..self.made.times.len()).collect();
        // Buyers and sellers of one instant were kept apart; nothing else is out of order.
        order.sort_by_key(|&i| self.made.times[i]);
        let made = &mut self.made;
        made.signs = order.iter().map(|&i| made.signs[i]).collect();
        made.sizes = order.iter().map(|&i| made.sizes[i]).collect();
        made.times.sort();
        made.limit_sizes = self.limit_sizes.values;
        made.cancelled = self.cancelled.values;
        made.executed = self.executed.values;
        made.seconds = self.first.map_or(0.0, |first| (self.last - first) as f64 / SECOND as f64);
        self.made
    }

    fn time_is(&mut self, at: i64) {
        if self.first.is_none() {
            (self.first, self.last, self.next_sample) = (Some(at), at, at);
        }
        if at - self.next_sample > HOLE {
            self.sample(f64::NAN);
            self.next_sample = at;
        }
        let mid = self.mid();
        while self.next_sample <= at {
            self.sample(mid);
            self.next_sample += SECOND;
        }
        self.last = at;
    }

    fn sample(&mut self, mid: f64) {
        if !self.made.mids.is_empty() {
            self.made.volumes.push(self.volume);
            self.made.nets.push(self.net);
        }
        self.made.mids.push(mid);
        (self.volume, self.net) = (0.0, 0.0);
    }

    /// Best bid and ask, if both are known and apart.
    fn best(&self) -> Option<(Ticks, Ticks)> {
        let (bid, ask) = match self.top {
            Some(top) => top,
            None if self.is_lost || self.is_blind => (None, None),
            None => (self.book.best(Side::Bid).map(|l| l.price), self.book.best(Side::Ask).map(|l| l.price)),
        };
        bid.zip(ask).filter(|(bid, ask)| bid < ask)
    }

    fn mid(&self) -> f64 {
        match (self.best(), self.last_print) {
            (Some((bid, ask)), _) => (bid.0 + ask.0) as f64 / 2.0,
            (None, Some(price)) if !self.made.has_book => price.0 as f64,
            (None, _) => f64::NAN,
        }
    }

    fn spread_is(&mut self) {
        let now = self.best().map(|(bid, ask)| ask.0 - bid.0);
        if now != self.spread.map(|(ticks, _)| ticks) {
            self.spread_ends();
            self.spread = now.map(|ticks| (ticks, self.last));
            self.made.spread_changes += u64::from(now.is_some());
        }
        self.made.has_book |= now.is_some();
    }

    fn spread_ends(&mut self) {
        if let Some((ticks, since)) = self.spread.take() {
            *self.made.spreads.entry(ticks).or_insert(0) += self.last - since;
        }
    }

    fn printed(&mut self, instant: i64, taker: Option<Side>, price: Ticks, qty: Lots) {
        self.made.prints += 1;
        self.last_print = Some(price);
        self.volume += qty.0 as f64;
        let Some(side) = taker else { return };
        self.net += (side.sign() * qty.0) as f64;
        self.flush(Some(instant));
        let pending = &mut self.pending[usize::from(side == Side::Ask)];
        *pending = Some((instant, pending.map_or(0, |(_, so_far)| so_far) + qty.0));
    }

    fn bar(&mut self, price: Ticks, qty: Lots) {
        self.last_print = Some(price);
        self.volume += qty.0 as f64;
        let apart = self.last_bar.replace(self.last).map_or(0, |last| (self.last - last) / SECOND) as usize;
        if apart > 0 {
            self.made.bar_s = Some(self.made.bar_s.map_or(apart, |shortest| shortest.min(apart)));
        }
    }

    /// Aggressors of other instants are complete.
    fn flush(&mut self, now: Option<i64>) {
        for (pending, sign) in self.pending.iter_mut().zip([1.0, -1.0]) {
            let Some((instant, qty)) = pending.take_if(|(instant, _)| now != Some(*instant)) else { continue };
            self.made.orders += 1;
            if self.made.times.len() < ORDERS_MAX {
                self.made.times.push(instant);
                self.made.signs.push(sign);
                self.made.sizes.push(qty as f64);
            }
        }
    }

    fn level(&mut self, side: Side, level: Level) {
        if !self.is_changing {
            self.is_changing = true;
            self.before = Side::BOTH.map(|side| self.book.best(side).map(|l| l.price));
        }
        let best = self.before[usize::from(side == Side::Ask)];
        match self.made.told {
            Told::Levels if !self.is_lost && !self.is_replaced && !self.has_window => {
                if level.qty > self.book.qty_at(side, level.price) {
                    self.placed(side, level.price, best);
                }
            }
            Told::Levels | Told::Orders | Told::Window => {}
        }
        self.book.set(side, level.price, level.qty);
    }

    fn settled(&mut self, top_is_newer: bool) {
        (self.is_lost, self.is_blind, self.is_replaced, self.is_changing) = (false, false, false, false);
        self.top = self.top.take_if(|_| top_is_newer);
        if self.has_window && self.made.told == Told::Levels {
            self.made.told = Told::Window;
        }
        self.spread_is();
    }

    fn placed(&mut self, side: Side, price: Ticks, best: Option<Ticks>) {
        let Some(best) = best else { return };
        match side.sign() * (best.0 - price.0) {
            ahead if ahead < 0 => self.made.inside += 1,
            behind => *self.made.depths.entry(behind).or_insert(0) += 1,
        }
    }

    fn order(&mut self, news: &OrderNews) {
        if self.made.told != Told::Orders {
            self.made.told = Told::Orders;
            self.made.depths.clear();
            self.made.inside = 0;
        }
        if self.is_lost {
            // The orders of a book that is being told: nobody knows since when they rest.
            return;
        }
        match news.step {
            OrderStep::Joined => {
                // Last in line again is a cancellation and a new order.
                self.ended(news.id, true);
                self.lives.insert(news.id, self.last);
                self.limit_sizes.add(news.qty.0 as f64);
                self.placed(news.side, news.price, self.book.best(news.side).map(|l| l.price));
            }
            OrderStep::Left => self.ended(news.id, true),
            OrderStep::Filled if news.qty == Lots::ZERO => self.ended(news.id, false),
            OrderStep::Filled | OrderStep::Shrank => {}
        }
    }

    fn ended(&mut self, id: u64, by_its_owner: bool) {
        let Some(since) = self.lives.remove(&id) else { return };
        let seconds = (self.last - since) as f64 / SECOND as f64;
        self.made.ends[usize::from(!by_its_owner)] += 1;
        if by_its_owner { self.cancelled.add(seconds) } else { self.executed.add(seconds) }
    }

    fn metaorder(&mut self, id: u64, side: Side, executed: Lots) {
        let mid = self.mid();
        let Some(begun) = self.begun.remove(&id).filter(|_| executed.0 > 0) else {
            self.begun.insert(id, mid);
            return;
        };
        let moved = side.sign() as f64 * (mid - begun);
        if moved.is_finite() {
            self.made.metaorders.push(Metaorder { executed: executed.0 as f64, moved });
        }
    }
}

/// Values of one kind, thinned evenly when there are too many.
#[derive(Clone, Debug, Default)]
struct Sample {
    values: Vec<f64>,
    seen: u64,
    /// One of `2^halved` is taken.
    halved: u32,
}

impl Sample {
    fn add(&mut self, value: f64) {
        if self.seen.is_multiple_of(1 << self.halved) {
            if self.values.len() == SAMPLE_MAX {
                self.halved += 1;
                let mut keep = false;
                self.values.retain(|_| {
                    keep = !keep;
                    keep
                });
            }
            if self.seen.is_multiple_of(1 << self.halved) {
                self.values.push(value);
            }
        }
        self.seen += 1;
    }
}
