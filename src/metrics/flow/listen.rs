//! What a market tells of its orders beyond what [`Tape`](crate::metrics::facts::tape::Tape) keeps: when they came, how much
//! they were for, what became of them.

use std::collections::BTreeMap;

use super::lives::Stay;
use crate::market::{Book, Level, OrderNews, OrderStep};
use crate::metrics::facts::tape::{Hears, News, Told};
use crate::units::{Lots, Side, Ticks};

/// Values of one kind kept; the first so many count.
const KEPT_MAX: usize = 1 << 20;
/// Between looks at what rests.
const SECOND: i64 = 1_000_000_000;
/// A print explains a level's loss for so long.
const EXPLAINS: i64 = SECOND;
/// Cells of distance from the best price: 0, 1, 2–3, 4–7, … ticks.
pub const CELLS: usize = 32;

/// What was told of orders.
#[derive(Clone, Debug)]
pub struct Orderflow {
    /// What placements are known from.
    pub told: Told,
    /// When limit orders (or levels that grew) came, seconds since the beginning; the first million.
    pub limit_times_s: Vec<f64>,
    /// What each was for, lots.
    pub limit_lots: Vec<f64>,
    /// How many came in all.
    pub limits: u64,
    /// Placements so many ticks behind their side's best price.
    pub depths: BTreeMap<i64, u64>,
    /// Placements while the spread had room, and those of them that went into it.
    pub roomy: [u64; 2],
    /// Lives, where orders are told one by one; also of those that outlast the recording.
    pub stays: Vec<Stay>,
    /// Lots that left levels of each cell of distance without a trade, how often, and the sum of their squares.
    pub withdrawn: [[f64; 3]; CELLS],
    /// Lots that rested in each cell, times seconds.
    pub rested: [f64; CELLS],
    /// Lots at the best price, mean of both sides, every second.
    pub best_lots: Vec<f64>,
    /// Median time between two changes of the book told apart, seconds.
    pub pace_s: f64,
    /// Whether best prices are told ahead of the book.
    pub has_tops: bool,
    /// How long a book was known, seconds.
    pub known_s: f64,
    /// Length of the recording, seconds.
    pub seconds: f64,
}

/// Listens.
#[derive(Clone, Debug)]
pub struct Listener {
    book: Book,
    before: [Option<Ticks>; 2],
    is_known: bool,
    is_changing: bool,
    is_replaced: bool,
    has_window: bool,
    first: Option<i64>,
    last: i64,
    next_look: i64,
    last_change: Option<i64>,
    gaps: Vec<f64>,
    /// Prints that no level's loss has accounted for: price to lots and when.
    printed: BTreeMap<Ticks, (i64, i64)>,
    lives: BTreeMap<u64, i64>,
    made: Orderflow,
}

impl Default for Listener {
    fn default() -> Self {
        Self {
            book: Book::new(),
            before: [None; 2],
            is_known: false,
            is_changing: false,
            is_replaced: false,
            has_window: false,
            first: None,
            last: 0,
            next_look: 0,
            last_change: None,
            gaps: Vec::new(),
            printed: BTreeMap::new(),
            lives: BTreeMap::new(),
            made: Orderflow {
                told: Told::Levels,
                limit_times_s: Vec::new(),
                limit_lots: Vec::new(),
                limits: 0,
                depths: BTreeMap::new(),
                roomy: [0; 2],
                stays: Vec::new(),
                withdrawn: [[0.0; 3]; CELLS],
                rested: [0.0; CELLS],
                best_lots: Vec::new(),
                pace_s: 0.0,
                has_tops: false,
                known_s: 0.0,
                seconds: 0.0,
            },
        }
    }
}

impl Hears for Listener {
    fn is_a_window(&mut self) {
        (self.has_window, self.made.told) = (true, Told::Window);
    }

    fn hear(&mut self, at: i64, news: News) {
        self.time_is(at.max(self.last));
        match news {
            News::Print { price, qty, .. } => {
                let (lots, since) = self.printed.entry(price).or_insert((0, at));
                (*lots, *since) = (*lots + qty.0, at);
            }
            News::Level(side, level) => self.level(side, level),
            News::Settled { .. } => self.settled(),
            News::Top { .. } => self.made.has_tops = true,
            News::Snapshot => {
                self.book.clear();
                self.is_replaced = true;
            }
            News::Lost => {
                self.book.clear();
                (self.is_known, self.is_changing) = (false, false);
                self.lives.clear();
            }
            News::Blind => self.is_known = false,
            News::Order(news) => self.order(&news),
            News::Bar { .. } | News::Metaorder { .. } => {}
        }
    }
}

impl Listener {
    /// No more news.
    pub fn finish(mut self) -> Orderflow {
        for since in self.lives.values() {
            self.made.stays.push(Stay { s: (self.last - since) as f64 / SECOND as f64, is_cancelled: false });
        }
        self.gaps.sort_by(f64::total_cmp);
        self.made.pace_s = self.gaps.get(self.gaps.len() / 2).copied().unwrap_or(0.0);
        self.made.seconds = self.first.map_or(0.0, |first| (self.last - first) as f64 / SECOND as f64);
        self.made
    }

    fn time_is(&mut self, at: i64) {
        if self.first.is_none() {
            (self.first, self.next_look) = (Some(at), at);
        }
        // After a silence of more than a minute nothing is known of what rested in it.
        if at - self.next_look > 60 * SECOND {
            self.next_look = at;
        }
        while self.next_look <= at {
            self.look();
            self.next_look += SECOND;
        }
        self.last = at;
    }

    /// What rests now stands for the second that begins.
    fn look(&mut self) {
        self.printed.retain(|_, (_, since)| *since >= self.next_look - EXPLAINS);
        if !self.is_known || self.is_changing {
            return;
        }
        let (Some(bid), Some(ask)) = (self.book.best(Side::Bid), self.book.best(Side::Ask)) else { return };
        self.made.known_s += 1.0;
        self.made.best_lots.push(0.5 * (bid.qty.0 + ask.qty.0) as f64);
        for (side, best) in [(Side::Bid, bid.price), (Side::Ask, ask.price)] {
            for level in self.book.levels(side) {
                self.made.rested[cell((best.0 - level.price.0) * side.sign())] += level.qty.0 as f64;
            }
        }
    }

    fn level(&mut self, side: Side, level: Level) {
        if !self.is_changing {
            self.is_changing = true;
            self.before = Side::BOTH.map(|side| self.book.best(side).map(|l| l.price));
        }
        if self.is_known && !self.is_replaced {
            let (before, now) = (self.book.qty_at(side, level.price).0, level.qty.0);
            let behind = self.before[usize::from(side == Side::Ask)].map(|best| (best.0 - level.price.0) * side.sign());
            if now < before {
                self.shrank(level.price, before - now, behind.unwrap_or(0));
            } else if now > before && self.made.told == Told::Levels {
                self.placed(now - before, behind);
            }
        }
        self.book.set(side, level.price, level.qty);
    }

    fn shrank(&mut self, price: Ticks, by: i64, behind: i64) {
        let traded = match self.printed.get_mut(&price) {
            Some((lots, _)) => {
                let traded = by.min(*lots);
                *lots -= traded;
                traded
            }
            None => 0,
        };
        let left = (by - traded) as f64;
        if left > 0.0 {
            let [lots, times, squares] = &mut self.made.withdrawn[cell(behind)];
            (*lots, *times, *squares) = (*lots + left, *times + 1.0, *squares + left * left);
        }
    }

    fn settled(&mut self) {
        if self.is_changing
            && let Some(last) = self.last_change.replace(self.last)
            && self.gaps.len() < KEPT_MAX
            && self.last > last
        {
            self.gaps.push((self.last - last) as f64 / SECOND as f64);
        }
        (self.is_known, self.is_changing, self.is_replaced) = (true, false, false);
    }

    fn placed(&mut self, lots: i64, behind: Option<i64>) {
        self.made.limits += 1;
        if self.made.limit_lots.len() < KEPT_MAX {
            let since = self.last - self.first.unwrap_or(self.last);
            self.made.limit_times_s.push(since as f64 / SECOND as f64);
            self.made.limit_lots.push(lots as f64);
        }
        let ([Some(bid), Some(ask)], Some(behind)) = (self.before, behind) else { return };
        let has_room = ask.0 - bid.0 > 1;
        self.made.roomy[0] += u64::from(has_room);
        match behind {
            ahead if ahead < 0 => self.made.roomy[1] += u64::from(has_room),
            behind => *self.made.depths.entry(behind).or_insert(0) += 1,
        }
    }

    fn order(&mut self, news: &OrderNews) {
        if self.made.told != Told::Orders {
            self.made.told = Told::Orders;
            self.made.depths.clear();
            (self.made.limits, self.made.roomy) = (0, [0; 2]);
            self.made.limit_times_s.clear();
            self.made.limit_lots.clear();
        }
        if !self.is_known {
            return;
        }
        match news.step {
            OrderStep::Joined => {
                self.ended(news.id, true);
                self.lives.insert(news.id, self.last);
                self.before = Side::BOTH.map(|side| self.book.best(side).map(|l| l.price));
                let best = self.before[usize::from(news.side == Side::Ask)];
                self.placed(news.qty.0, best.map(|best| (best.0 - news.price.0) * news.side.sign()));
            }
            OrderStep::Left => self.ended(news.id, true),
            OrderStep::Filled if news.qty == Lots::ZERO => self.ended(news.id, false),
            OrderStep::Filled | OrderStep::Shrank => {}
        }
    }

    fn ended(&mut self, id: u64, is_cancelled: bool) {
        let Some(since) = self.lives.remove(&id) else { return };
        if self.made.stays.len() < KEPT_MAX {
            self.made.stays.push(Stay { s: (self.last - since) as f64 / SECOND as f64, is_cancelled });
        }
    }
}

/// The cell of a distance; better than the best counts as the best.
pub fn cell(behind: i64) -> usize {
    (64 - (behind.max(0) as u64).leading_zeros() as usize).min(CELLS - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn level(side: Side, price: i64, qty: i64) -> News {
        News::Level(side, Level { price: Ticks(price), qty: Lots(qty) })
    }

    const SETTLED: News = News::Settled { top_is_newer: false };

    #[test]
    fn what_leaves_a_level_without_a_print_was_withdrawn() {
        let mut ear = Listener::default();
        ear.hear(0, News::Snapshot);
        for news in [level(Side::Bid, 100, 10), level(Side::Bid, 97, 40), level(Side::Ask, 103, 20), SETTLED] {
            ear.hear(0, news);
        }
        // Four of the best bid trade, three more leave it; ten leave the one three behind; five are placed inside, one
        // behind the ask.
        let print = News::Print { instant: 1, taker: Some(Side::Ask), price: Ticks(100), qty: Lots(4) };
        ear.hear(SECOND / 2, print);
        for news in [level(Side::Bid, 100, 3), level(Side::Bid, 97, 30), SETTLED] {
            ear.hear(SECOND / 2 + 1, news);
        }
        for news in [level(Side::Bid, 102, 5), level(Side::Ask, 104, 1), SETTLED] {
            ear.hear(SECOND + SECOND / 2, news);
        }
        ear.hear(2 * SECOND, News::Settled { top_is_newer: false });
        let made = ear.finish();
        assert_eq!(made.told, Told::Levels);
        assert_eq!(made.withdrawn[0], [3.0, 1.0, 9.0]);
        assert_eq!((made.withdrawn[cell(3)], cell(3)), ([10.0, 1.0, 100.0], 2));
        assert_eq!((made.limits, made.roomy, made.limit_lots), (2, [2, 1], vec![5.0, 1.0]));
        assert_eq!(made.depths, BTreeMap::from([(1, 1)]));
        // Looks after one second and after two: bids of 3 and then 5 at the best, an ask of 20. Two to three ticks behind it
        // the bid of 30, and once 102 is the best the 3 at 100.
        assert_eq!(made.best_lots, [11.5, 12.5]);
        assert_eq!((made.rested[0], made.rested[2], made.known_s, made.seconds), (23.0 + 25.0, 33.0, 2.0, 2.0));
        assert_eq!(made.pace_s, 1.0 - 1e-9);
    }

    #[test]
    fn orders_told_one_by_one_have_lives_and_no_levels_are_guessed_at() {
        let mut ear = Listener::default();
        ear.hear(0, News::Snapshot);
        for news in [level(Side::Bid, 100, 10), level(Side::Ask, 101, 20), SETTLED] {
            ear.hear(0, news);
        }
        let order = |id, price, qty, step| {
            News::Order(OrderNews { id, side: Side::Bid, price: Ticks(price), qty: Lots(qty), step })
        };
        ear.hear(SECOND, order(1, 98, 7, OrderStep::Joined));
        ear.hear(SECOND, level(Side::Bid, 98, 7));
        ear.hear(SECOND, SETTLED);
        ear.hear(2 * SECOND, order(2, 100, 5, OrderStep::Joined));
        ear.hear(3 * SECOND, order(1, 98, 0, OrderStep::Left));
        ear.hear(4 * SECOND, SETTLED);
        let made = ear.finish();
        assert_eq!((made.told, made.limits, made.limit_lots), (Told::Orders, 2, vec![7.0, 5.0]));
        assert_eq!(made.depths, BTreeMap::from([(0, 1), (2, 1)]));
        // No room between 100 and 101.
        assert_eq!(made.roomy, [0, 0]);
        let stay = |s, is_cancelled| Stay { s, is_cancelled };
        assert_eq!(made.stays, [stay(2.0, true), stay(2.0, false)], "the second outlasts the recording");
    }
}
