//! Imagined orders, as many as we like at once: they meet the market and never each other.

use std::collections::{BTreeMap, VecDeque};

use super::{Fate, MODELS, Plan, final_qty};
use crate::exchange::line::{Moved, Turn};
use crate::exchange::queue::Place;
use crate::market::Level;
use crate::units::{LocalTime, Lots, Nanos, Side, Ticks};

/// One order: the truth and every model's belief of it.
#[derive(Clone, Debug)]
pub(super) struct Ghost {
    turn: Turn,
    places: [Place; MODELS.len()],
    fate: Fate,
}

impl Ghost {
    /// Joins `level`, the `n`-th of its side.
    pub(super) fn new(turn: Turn, place: Place, side: Side, level: Level, n: usize, placed: LocalTime) -> Self {
        let (price, joined, traded) = (level.price, level.qty, [None; MODELS.len() + 1]);
        let fate = Fate { batch: 0, placed, side, price, level: n, joined, traded, away: None, ahead: None };
        Self { turn, places: [place; MODELS.len()], fate }
    }

    fn is_over(&self) -> bool {
        self.fate.traded.iter().all(Option::is_some)
    }

    fn all_trade(&mut self, at: LocalTime) {
        self.fate.traded.iter_mut().for_each(|traded| *traded = traded.or(Some(at)));
    }

    /// `got` lots reached it in the world `n`.
    fn trades(&mut self, n: usize, got: Lots, at: LocalTime) {
        if got > Lots::ZERO {
            self.fate.traded[n] = self.fate.traded[n].or(Some(at));
        }
    }

    fn printed(&mut self, qty: Lots, at: LocalTime) {
        let got = self.turn.printed(qty);
        self.trades(0, got, at);
        for n in 0..MODELS.len() {
            let got = self.places[n].traded(qty, qty);
            self.trades(n + 1, got, at);
        }
    }

    /// What everybody believes of its place now.
    fn check(&mut self) {
        if self.fate.traded[0].is_none() {
            let mut ahead = [self.turn.ahead(); MODELS.len() + 1];
            for (n, place) in self.places.iter().enumerate() {
                ahead[n + 1] = if self.fate.traded[n + 1].is_some() { Lots::ZERO } else { place.ahead() };
            }
            self.fate.ahead = Some(ahead);
        }
    }
}

/// By price; the orders at one in the order of their placement.
type Prices = BTreeMap<Ticks, Vec<Ghost>>;

/// When something is due of a batch, and where its orders are.
type Due = (LocalTime, usize, Vec<(Side, Ticks)>);

/// All that live, and the fates of those that did.
#[derive(Debug)]
pub(super) struct Ghosts {
    longest: Nanos,
    checkpoint: Nanos,
    away_bps: f64,
    bids: Prices,
    asks: Prices,
    batches: usize,
    /// Batches whose checkpoint, and whose end, is to come, and where their orders are.
    to_check: VecDeque<Due>,
    to_end: VecDeque<Due>,
    fates: Vec<Fate>,
    lost: u64,
}

impl Ghosts {
    pub(super) fn new(plan: &Plan) -> Self {
        let (bids, asks) = (Prices::new(), Prices::new());
        let (to_check, to_end) = (VecDeque::new(), VecDeque::new());
        let (longest, checkpoint, away_bps) = (plan.longest, plan.checkpoint, plan.away_bps);
        Self { longest, checkpoint, away_bps, bids, asks, batches: 0, to_check, to_end, fates: Vec::new(), lost: 0 }
    }

    fn side(&mut self, side: Side) -> &mut Prices {
        match side {
            Side::Bid => &mut self.bids,
            Side::Ask => &mut self.asks,
        }
    }

    pub(super) fn begin_batch(&mut self, at: LocalTime) {
        self.batches += 1;
        self.to_check.push_back((at + self.checkpoint, self.batches - 1, Vec::new()));
        self.to_end.push_back((at + self.longest, self.batches - 1, Vec::new()));
    }

    /// Into the batch that was begun last.
    pub(super) fn add(&mut self, mut ghost: Ghost) {
        ghost.fate.batch = self.batches - 1;
        let Fate { side, price, .. } = ghost.fate;
        for due in [&mut self.to_check, &mut self.to_end] {
            due.back_mut().expect("a batch was begun").2.push((side, price));
        }
        self.side(side).entry(price).or_default().push(ghost);
    }

    /// Nothing else happens before `now`.
    pub(super) fn time_is(&mut self, now: LocalTime) {
        while let Some((_, batch, places)) = self.to_check.pop_front_if(|due| due.0 < now) {
            for (side, price) in places {
                let here = self.side(side).get_mut(&price).into_iter().flatten();
                here.filter(|ghost| ghost.fate.batch == batch).for_each(Ghost::check);
            }
        }
        while let Some((_, batch, places)) = self.to_end.pop_front_if(|due| due.0 < now) {
            for (side, price) in places {
                self.take_out(side, price, |ghost| ghost.fate.batch == batch);
            }
        }
    }

    /// Those orders at a price have come to their end.
    fn take_out(&mut self, side: Side, price: Ticks, mut has_ended: impl FnMut(&Ghost) -> bool) {
        let Some(here) = self.side(side).get_mut(&price) else { return };
        let ended: Vec<Fate> = here.extract_if(.., |ghost| has_ended(ghost)).map(|ghost| ghost.fate).collect();
        if here.is_empty() {
            self.side(side).remove(&price);
        }
        self.fates.extend(ended);
    }

    /// A print against `side`.
    pub(super) fn printed(&mut self, side: Side, price: Ticks, qty: Lots, is_in_depth: bool, at: LocalTime) {
        let through: Vec<Ticks> = match side {
            Side::Bid => self.bids.range(Ticks(price.0 + 1)..).map(|(price, _)| *price).collect(),
            Side::Ask => self.asks.range(..price).map(|(price, _)| *price).collect(),
        };
        for price in through {
            self.all_trade(side, price, at);
        }
        if !is_in_depth && let Some(here) = self.side(side).get_mut(&price) {
            here.iter_mut().for_each(|ghost| ghost.printed(qty, at));
            self.take_out(side, price, Ghost::is_over);
        }
    }

    fn all_trade(&mut self, side: Side, price: Ticks, at: LocalTime) {
        self.side(side).get_mut(&price).into_iter().flatten().for_each(|ghost| ghost.all_trade(at));
        self.take_out(side, price, Ghost::is_over);
    }

    /// An order of others changed.
    pub(super) fn moved(&mut self, moved: &Moved, is_apart: bool, at: LocalTime) {
        let Some(here) = self.side(moved.side).get_mut(&moved.price) else { return };
        let mut is_any_over = false;
        for ghost in here {
            let got = ghost.turn.moved(moved);
            if !is_apart {
                ghost.trades(0, got, at);
                is_any_over |= ghost.is_over();
            }
        }
        if is_any_over {
            self.take_out(moved.side, moved.price, Ghost::is_over);
        }
    }

    /// Levels of `side` changed.
    pub(super) fn depth(&mut self, side: Side, levels: &[Level], seq: u64) {
        for level in levels {
            // Of a price named twice the last counts.
            if final_qty(levels, level.price) != Some(level.qty) {
                continue;
            }
            for ghost in self.side(side).get_mut(&level.price).into_iter().flatten() {
                ghost.turn.settled();
                for (place, (_, model)) in ghost.places.iter_mut().zip(MODELS) {
                    place.depth(model, level.qty, seq);
                }
            }
        }
    }

    /// The other side came to rest at these levels: who is on `side` at or through them had to trade first.
    pub(super) fn crossed(&mut self, side: Side, levels: &[Level], at: LocalTime) {
        let rests = |level: &&Level| level.qty > Lots::ZERO && final_qty(levels, level.price) == Some(level.qty);
        let prices = levels.iter().filter(rests).map(|level| level.price);
        let Some(nearest) = prices.min_by_key(|price| price.0 * side.sign()) else { return };
        let met: Vec<Ticks> = match side {
            Side::Bid => self.bids.range(nearest..).map(|(price, _)| *price).collect(),
            Side::Ask => self.asks.range(..=nearest).map(|(price, _)| *price).collect(),
        };
        for price in met {
            self.all_trade(side, price, at);
        }
    }

    /// The best price of a side changed: who is too far behind it would have been cancelled.
    pub(super) fn best_is(&mut self, side: Side, best: Ticks, at: LocalTime) {
        let away = ((best.0 as f64 * self.away_bps / 10_000.0) as i64).max(1);
        let behind = Ticks(best.0 - side.sign() * away);
        let left: Box<dyn Iterator<Item = (&Ticks, &mut Vec<Ghost>)>> = match side {
            Side::Bid => Box::new(self.bids.range_mut(..behind)),
            Side::Ask => Box::new(self.asks.range_mut(Ticks(behind.0 + 1)..)),
        };
        for ghost in left.flat_map(|(_, ghosts)| ghosts) {
            ghost.fate.away = ghost.fate.away.or(Some(at));
        }
    }

    /// The book was lost, and with it what would have become of them.
    pub(super) fn lose_all(&mut self) {
        let alive = self.bids.values().chain(self.asks.values()).map(|ghosts| ghosts.len() as u64);
        self.lost += alive.sum::<u64>();
        self.bids.clear();
        self.asks.clear();
        self.to_check.clear();
        self.to_end.clear();
    }

    /// Every fate, how many batches there were, how many orders were lost.
    pub(super) fn finish(mut self) -> (Vec<Fate>, usize, u64) {
        let alive = std::mem::take(&mut self.bids).into_values().chain(std::mem::take(&mut self.asks).into_values());
        self.fates.extend(alive.flatten().map(|ghost| ghost.fate));
        (self.fates, self.batches, self.lost)
    }
}
