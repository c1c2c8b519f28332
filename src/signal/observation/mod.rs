//! What a learned policy sees: one builder, for training and for live.
//!
//! A network quotes well only while it sees what it was trained on, so there is one place where a number is made of the market, a
//! [`Schema`] that says which numbers in which order with which parameters, and a digest of it that a policy file carries. The state
//! behind the numbers ([`Observation`]) belongs to whoever looks: a session without a learned policy keeps none of it.
//!
//! A look happens at decisions, so what runs between them (order flow, fast volatility) is measured from one look to the next; time, not
//! looks, makes it fade. After [`HOLE`] without a look it starts anew. Nothing is allocated once the first look is done, and all
//! functions are those of `numeric`: the same looks give the same bits everywhere.
//!
//! Reading order: [`Feature`] is one number and what it means, [`Schema`] the list, [`Seen`] and [`Own`] what it is made of,
//! [`Observation::look`] makes it, [`Moments`] learn its mean and spread and [`Scale`] is what a policy keeps of them.

mod moments;
mod schema;

use serde::{Deserialize, Serialize};

pub use moments::{CLIP, Moments, Scale};
pub use schema::{Feature, Schema, SchemaError};

use super::{HOLE, Signals, Top, book_imbalance};
use crate::digest::Digest;
use crate::market::{Book, Level};
use crate::numeric;
use crate::units::{LocalTime, Lots, Nanos, Side, Ticks};

/// Most levels of a side that order flow is counted at.
pub const LEVELS_MAX: usize = 10;

/// The market at a decision, and what the strategy believes of it.
#[derive(Clone, Copy, Debug)]
pub struct Seen<'a> {
    /// Now.
    pub now: LocalTime,
    /// The book, trusted.
    pub book: &'a Book,
    /// Best bid and ask, from whichever channel is ahead.
    pub top: Top,
    /// Running estimates.
    pub signals: &'a Signals,
    /// Decay of fills believed in, 1/tick.
    pub k: f64,
    /// Volatility believed in, ticks/√s.
    pub sigma: f64,
    /// Inventory in order amounts, long is positive.
    pub inventory: f64,
    /// Seconds until the end, or the next funding, where there is one.
    pub left_s: Option<f64>,
    /// From our decision to the venue, where it is known.
    pub latency: Option<Nanos>,
}

/// Our best order of each side.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Own {
    /// Of the bid.
    pub bid: Option<Resting>,
    /// Of the ask.
    pub ask: Option<Resting>,
}

/// An order of ours that rests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Resting {
    /// Where.
    pub price: Ticks,
    /// Lots ahead of it when it joined, if we were told.
    pub ahead: Option<Lots>,
    /// Lots of what the book has at that price that are ours.
    pub shown: Lots,
    /// Since when.
    pub since: LocalTime,
}

impl Own {
    fn of(&self, side: Side) -> Option<Resting> {
        match side {
            Side::Bid => self.bid,
            Side::Ask => self.ask,
        }
    }
}

/// What runs from look to look.
#[derive(Clone, Debug, PartialEq)]
pub struct Observation {
    schema: Schema,
    memory: Memory,
}

/// All that is remembered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Memory {
    last: Option<Last>,
    /// Two numbers per feature; of those that remember nothing both stay 0. Order flow: lots, and nothing. Fast volatility: squared moves,
    /// square ticks, and the seconds they took.
    running: Vec<[f64; 2]>,
    /// What was seen, look after look, the newest first; as far back as the schema reaches.
    past: Vec<f32>,
}

/// The previous look.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Last {
    at: LocalTime,
    twice_mid: i64,
    bids: Ladder,
    asks: Ladder,
}

/// The best levels of a side; none beyond the end of the book.
type Ladder = [Option<Level>; LEVELS_MAX];

impl Observation {
    /// Nothing seen yet.
    pub fn new(schema: Schema) -> Self {
        let running = vec![[0.0; 2]; schema.features().len()];
        let past = Vec::with_capacity(schema.looks_back() * running.len());
        Self { schema, memory: Memory { last: None, running, past } }
    }

    /// Which numbers it makes.
    pub fn schema(&self) -> &Schema {
        &self.schema
    }

    /// How many numbers it makes.
    pub fn len(&self) -> usize {
        self.memory.running.len()
    }

    /// Whether it makes none; a schema has one at least.
    pub fn is_empty(&self) -> bool {
        self.memory.running.is_empty()
    }

    /// The book was lost, or the episode is another: nothing runs across.
    pub fn forget(&mut self) {
        self.memory.last = None;
        self.memory.running.fill([0.0; 2]);
        self.memory.past.clear();
    }

    /// What runs, for checkpoints.
    pub fn save(&self) -> Vec<u8> {
        crate::digest::canonical_bytes(&(self.schema.digest(), &self.memory))
    }

    /// Back to a saved state. Errors if it is none, or that of another schema.
    pub fn restore(&mut self, saved: &[u8]) -> Result<(), String> {
        let (digest, memory): (Digest, Memory) =
            postcard::from_bytes(saved).map_err(|e| format!("{} bytes are no saved observation: {e}", saved.len()))?;
        let kept = self.schema.looks_back() * self.len();
        let fits = memory.running.len() == self.len()
            && memory.past.len() <= kept
            && memory.past.len().is_multiple_of(self.len());
        if digest != self.schema.digest() || !fits {
            let (saved, ours) = (digest.short(), self.schema.digest().short());
            return Err(format!("a saved observation of schema {saved} in one of schema {ours}"));
        }
        self.memory = memory;
        Ok(())
    }

    /// Looks, and writes the plain numbers into `[len]`; finite if beliefs and inventory are. See [`Scale`] for what becomes of them.
    ///
    /// Panics if `into` has another length.
    pub fn look(&mut self, seen: &Seen<'_>, own: &Own, into: &mut [f32]) {
        assert_eq!(into.len(), self.len(), "a number per feature");
        if self.memory.last.as_ref().is_some_and(|last| seen.now.since(last.at) > HOLE) {
            self.forget();
        }
        let [bids, asks] = [Side::Bid, Side::Ask].map(|side| {
            let mut levels = seen.book.levels(side);
            std::array::from_fn(|_| levels.next())
        });
        let now = Last { at: seen.now, twice_mid: seen.top.twice_mid(), bids, asks };
        let before = self.memory.last.as_ref();
        let row = &mut *into;
        for ((feature, running), into) in self.schema.features().iter().zip(&mut self.memory.running).zip(row) {
            let number = match *feature {
                Feature::Inventory { orders_max } => seen.inventory / orders_max,
                Feature::TimeLeft { horizon_s } => seen.left_s.map_or(1.0, |left| left / horizon_s),
                Feature::Spread => seen.k * seen.top.spread().0 as f64,
                Feature::Imbalance { levels: 1 } => seen.top.imbalance(),
                Feature::Imbalance { levels } => book_imbalance(seen.book, levels as usize),
                Feature::OrderFlow { levels, half_life_s } => {
                    let levels = levels as usize;
                    if let Some(before) = before {
                        fade(running, before, &now, half_life_s);
                        running[0] += flow(Side::Bid, &before.bids, &now.bids, levels)
                            - flow(Side::Ask, &before.asks, &now.asks, levels);
                    }
                    ratio(running[0], depth(&now, levels))
                }
                Feature::VolatilityRatio { half_life_s } => {
                    if let Some(before) = before {
                        fade(running, before, &now, half_life_s);
                        let moved = 0.5 * (now.twice_mid - before.twice_mid) as f64;
                        running[0] += moved * moved;
                        running[1] += now.at.since(before.at).seconds();
                    }
                    let (fast, slow) = (ratio(running[0], running[1]), seen.sigma * seen.sigma);
                    if fast > 0.0 && slow > 0.0 { 0.5 * numeric::ln(fast / slow) } else { 0.0 }
                }
                Feature::TradeSign => seen.signals.flow().trade_sign(),
                Feature::QueueAhead { side } => own.of(side).map_or(1.0, |order| queue_ahead(seen.book, side, order)),
                Feature::QueueAge { side, scale_s } => own
                    .of(side)
                    .map_or(0.0, |order| numeric::ln_1p(seen.now.since(order.since).seconds().max(0.0) / scale_s)),
                Feature::Distance { side } => own.of(side).map_or(f64::from(CLIP), |order| {
                    seen.k * side.sign() as f64 * (seen.top.mid() - order.price.0 as f64)
                }),
                Feature::Latency { scale_ms } => {
                    seen.latency.map_or(0.0, |latency| numeric::ln_1p(latency.seconds().max(0.0) * 1000.0 / scale_ms))
                }
                // Below, when the numbers of now are known.
                Feature::Before { .. } => 0.0,
            };
            *into = number as f32;
        }
        self.memory.last = Some(now);
        self.look_back(into);
    }

    /// Fills in what is of earlier looks, and keeps this one.
    fn look_back(&mut self, row: &mut [f32]) {
        let (back, len) = (self.schema.looks_back(), row.len());
        if back == 0 {
            return;
        }
        let past = &mut self.memory.past;
        for (n, feature) in self.schema.features().iter().enumerate() {
            if let Feature::Before { number, looks } = feature {
                let oldest = (past.len() / len).min(*looks as usize);
                row[n] = match oldest {
                    0 => row[*number as usize],
                    oldest => past[(oldest - 1) * len + *number as usize],
                };
            }
        }
        if past.len() < back * len {
            past.resize(past.len() + len, 0.0);
        }
        let kept = past.len() - len;
        past.copy_within(..kept, len);
        past[..len].copy_from_slice(row);
    }
}

/// Lets what runs fade by the time between two looks.
fn fade(running: &mut [f64; 2], before: &Last, now: &Last, half_life_s: f64) {
    let keep = numeric::pow(0.5, now.at.since(before.at).seconds().max(0.0) / half_life_s);
    running[0] *= keep;
    running[1] *= keep;
}

/// Lots that came to the best `levels` of a side between two looks, level by level: Xu, Gould & Howison, *Multi-level order-flow
/// imbalance in a limit order book*, Market Microstructure and Liquidity 4 (2018), eqs. (4) and (5).
///
/// A level at a better price than its predecessor brings its lots, one at a worse price has lost the predecessor's, one at the same price
/// the difference.
fn flow(side: Side, before: &Ladder, now: &Ladder, levels: usize) -> f64 {
    let one = |(was, is): (&Option<Level>, &Option<Level>)| match (was, is) {
        (Some(was), Some(is)) if is.price == was.price => is.qty.0 - was.qty.0,
        (Some(was), Some(is)) if side.is_better(is.price, was.price) => is.qty.0,
        (Some(was), _) => -was.qty.0,
        (None, Some(is)) => is.qty.0,
        (None, None) => 0,
    };
    before.iter().zip(now).take(levels).map(one).sum::<i64>() as f64
}

/// Mean lots per side at the best `levels`.
fn depth(now: &Last, levels: usize) -> f64 {
    let lots = |ladder: &Ladder| ladder.iter().take(levels).flatten().map(|level| level.qty.0).sum::<i64>();
    0.5 * (lots(&now.bids) + lots(&now.asks)) as f64
}

/// The share of what others rest at our price that is still ahead of us: what was ahead when we joined, or all of theirs if that is less.
/// The same whether the book has ours in it or not, so that a policy sees on paper what it saw in a market that answers; but until the book
/// tells of a change of ours, up to its next word.
fn queue_ahead(book: &Book, side: Side, order: Resting) -> f64 {
    let others = (book.qty_at(side, order.price) - order.shown).0.max(0);
    match order.ahead {
        Some(ahead) => ratio(ahead.0.clamp(0, others) as f64, others as f64),
        None => 1.0,
    }
}

/// `a/b`, 0 where there is nothing.
fn ratio(a: f64, b: f64) -> f64 {
    if b > 0.0 { a / b } else { 0.0 }
}

#[cfg(test)]
mod tests;
