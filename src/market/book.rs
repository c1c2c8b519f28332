//! What rests at every price.
//!
//! Nearly all that happens in a book happens near its touch, so that is where it is fast: around the best price a
//! side keeps a ring of [`WINDOW`] ticks with one bit per occupied tick, and everything further away in an ordered
//! map. The window follows the best price. How levels are split between the two is nobody's business: equality,
//! serialisation and every answer depend on the content only.
//!
//! Memory is bounded: a side keeps its [`LEVELS_MAX`] best levels. What is dropped beyond that is unknown, so the
//! side's horizon then ends at the worst level kept.
//!
//! Who only needs to know where something rests, not how much, keeps an [`Outline`].
//!
//! Reading order: [`Book`] is the public face, `Half` one side, in which the greatest key is the best price.

use std::collections::BTreeMap;
use std::collections::btree_map;
use std::iter::{FusedIterator, Rev};

use serde::{Deserialize, Serialize, Serializer};

use super::event::{Extent, Level};
use crate::units::{Lots, Side, Ticks};

/// Ticks a side holds in its ring; 32,768 cents are 328 USD of BTCUSDT, where 94 of 100 updates of a day in 2024
/// fell. A power of two, at least 512.
pub const WINDOW: usize = 1 << 15;

/// Levels kept per side, eight times the deepest snapshot a venue gives (Binance: 5,000).
pub const LEVELS_MAX: usize = 40_000;

/// Price levels of both sides.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(from = "Content")]
pub struct Book {
    seq: u64,
    window: Option<u32>,
    bids: Quantities,
    asks: Quantities,
}

type Quantities = Half<i64, WINDOW>;

impl Book {
    /// An empty book.
    pub fn new() -> Self {
        Self::default()
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.seq = 0;
        self.window = None;
        self.bids.clear();
        self.asks.clear();
    }

    /// Replaces everything. Levels best first; zero quantities are skipped.
    pub fn apply_snapshot(&mut self, seq: u64, bids: &[Level], asks: &[Level], extent: Extent) {
        self.clear();
        if let Extent::Window(levels) = extent {
            self.window = Some(levels);
        }
        if extent == Extent::ToLast {
            self.bids.horizon = bids.iter().map(|l| key(Side::Bid, l.price)).min();
            self.asks.horizon = asks.iter().map(|l| key(Side::Ask, l.price)).min();
        }
        self.apply_delta(seq, bids, asks);
    }

    /// Applies one atomic message of absolute quantities.
    pub fn apply_delta(&mut self, seq: u64, bids: &[Level], asks: &[Level]) {
        self.seq = seq;
        for l in bids {
            self.bids.set(key(Side::Bid, l.price), positive(l.qty));
        }
        for l in asks {
            self.asks.set(key(Side::Ask, l.price), positive(l.qty));
        }
    }

    /// What now rests at `price`; zero (or less) empties the level.
    pub fn set(&mut self, side: Side, price: Ticks, qty: Lots) {
        match side {
            Side::Bid => self.bids.set(key(side, price), positive(qty)),
            Side::Ask => self.asks.set(key(side, price), positive(qty)),
        }
    }

    /// The venue's update id of the last message applied.
    pub fn seq(&self) -> u64 {
        self.seq
    }

    /// Best level of a side.
    pub fn best(&self, side: Side) -> Option<Level> {
        let half = self.half(side);
        half.best.map(|best| Level { price: price(side, best), qty: Lots(half.kept[Quantities::slot(best)]) })
    }

    /// What rests at a price.
    pub fn qty_at(&self, side: Side, price: Ticks) -> Lots {
        Lots(self.half(side).at(key(side, price)).unwrap_or(0))
    }

    /// Levels of a side, best first.
    pub fn levels(&self, side: Side) -> Levels<'_> {
        Levels::of(side, self.half(side))
    }

    /// How many levels a side has.
    pub fn depth(&self, side: Side) -> usize {
        self.half(side).len()
    }

    /// Whether the best bid is at or above the best ask.
    pub fn is_crossed(&self) -> bool {
        crossed(self.bids.best, self.asks.best)
    }

    /// The worst price up to which a side is known; `None` if all of it is.
    pub fn horizon(&self, side: Side) -> Option<Ticks> {
        match self.window {
            // A full window ends at its worst level; one that is not full shows all there is.
            Some(levels) if self.depth(side) >= levels as usize => self.levels(side).last().map(|l| l.price),
            Some(_) | None => self.half(side).horizon.map(|h| price(side, h)),
        }
    }

    /// How many best levels a side the venue keeps us informed of, if that is how it shows its book.
    pub fn window(&self) -> Option<u32> {
        self.window
    }

    /// Whether a side's best level is beyond what the snapshot covered, so that better levels may exist unseen.
    pub fn best_is_beyond_horizon(&self, side: Side) -> bool {
        match (self.half(side).best, self.half(side).horizon) {
            (Some(best), Some(horizon)) => best < horizon,
            (None, Some(_)) => true,
            (_, None) => false,
        }
    }

    fn half(&self, side: Side) -> &Quantities {
        match side {
            Side::Bid => &self.bids,
            Side::Ask => &self.asks,
        }
    }
}

/// Where something rests on both sides, without how much: a bit a tick, so that it costs next to nothing to keep beside
/// a book, and its window can be wide.
#[derive(Clone, Debug, Default)]
pub struct Outline {
    bids: Half<(), OUTLINE_WINDOW>,
    asks: Half<(), OUTLINE_WINDOW>,
}

/// Ticks a side of an [`Outline`] holds in its ring: 5,243 USD of BTCUSDT in cents, in 64 KiB.
const OUTLINE_WINDOW: usize = 1 << 19;

impl Outline {
    /// Forgets everything.
    pub fn clear(&mut self) {
        self.bids.clear();
        self.asks.clear();
    }

    /// Takes levels in, as [`Book::apply_delta`] does.
    pub fn apply(&mut self, bids: &[Level], asks: &[Level]) {
        bids.iter().for_each(|l| self.set(Side::Bid, l.price, l.qty));
        asks.iter().for_each(|l| self.set(Side::Ask, l.price, l.qty));
    }

    /// What now rests at `price`; zero (or less) empties the level.
    pub fn set(&mut self, side: Side, price: Ticks, qty: Lots) {
        let rests = positive(qty).map(|_| ());
        match side {
            Side::Bid => self.bids.set(key(side, price), rests),
            Side::Ask => self.asks.set(key(side, price), rests),
        }
    }

    /// Whether the best bid is at or above the best ask.
    pub fn is_crossed(&self) -> bool {
        crossed(self.bids.best, self.asks.best)
    }
}

/// Whether the best keys of both sides are crossed.
fn crossed(bid: Option<i64>, ask: Option<i64>) -> bool {
    matches!((bid, ask), (Some(b), Some(a)) if price(Side::Bid, b) >= price(Side::Ask, a))
}

/// A quantity, if anything rests at all.
fn positive(qty: Lots) -> Option<i64> {
    (qty.0 > 0).then_some(qty.0)
}

/// A price as a key of its side: the better the price, the greater the key.
fn key(side: Side, price: Ticks) -> i64 {
    match side {
        Side::Bid => price.0,
        Side::Ask => !price.0,
    }
}

/// The way back from [`key`].
fn price(side: Side, key: i64) -> Ticks {
    match side {
        Side::Bid => Ticks(key),
        Side::Ask => Ticks(!key),
    }
}

/// One side, with a `T` kept for each level in a ring of `W` ticks and beyond; the greatest key is the best.
///
/// Always: `best` lies in the window `low .. low + W`, every key of `far` is below `low`, and `low` is a multiple of
/// 64. A slot of `kept` means something only while its bit is set.
#[derive(Clone, Debug, Default)]
struct Half<T, const W: usize> {
    best: Option<i64>,
    low: i64,
    /// Levels in the ring.
    near: usize,
    /// Empty until the first level comes.
    kept: Vec<T>,
    occupied: Vec<u64>,
    far: BTreeMap<i64, T>,
    horizon: Option<i64>,
}

impl<T: Copy + Default, const W: usize> Half<T, W> {
    /// Where a key lives in the ring, whatever the window's position.
    fn slot(key: i64) -> usize {
        key as usize & (W - 1)
    }

    /// Where 64 neighbouring keys, `64·word ..`, have their bits.
    fn word_slot(word: i64) -> usize {
        word as usize & (W / 64 - 1)
    }

    /// The low end of a window in which `best` has an eighth of the room above it and the rest below.
    fn low_for(best: i64) -> i64 {
        (best.saturating_sub(W as i64 / 8 * 7) & !63).min(i64::MAX - W as i64 + 1)
    }

    fn len(&self) -> usize {
        self.near + self.far.len()
    }

    /// Walks from the best level down to the worst in the ring: a short book is forgotten without wiping all of it.
    fn clear(&mut self) {
        let mut word = self.best.unwrap_or(0) >> 6;
        while self.near > 0 {
            self.near -= std::mem::take(&mut self.occupied[Self::word_slot(word)]).count_ones() as usize;
            word -= 1;
        }
        self.best = None;
        self.far.clear();
        self.horizon = None;
    }

    fn in_window(&self, key: i64) -> bool {
        (key.wrapping_sub(self.low) as u64) < W as u64
    }

    fn at(&self, key: i64) -> Option<T> {
        if self.best.is_none() {
            None
        } else if !self.in_window(key) {
            self.far.get(&key).copied()
        } else {
            self.is_occupied(key).then(|| self.kept[Self::slot(key)])
        }
    }

    fn is_occupied(&self, key: i64) -> bool {
        self.occupied[Self::word_slot(key >> 6)] >> (key & 63) & 1 == 1
    }

    /// What is kept of a level from now on; `None` empties it.
    fn set(&mut self, key: i64, kept: Option<T>) {
        if let Some(kept) = kept {
            self.put(key, kept);
        } else if let Some(best) = self.best {
            self.empty(key, best);
        }
    }

    fn put(&mut self, key: i64, kept: T) {
        match self.best {
            Some(best) if key <= best => {
                if key < self.low {
                    self.far.insert(key, kept);
                } else {
                    self.put_near(key, kept);
                }
            }
            Some(_) => {
                if !self.in_window(key) {
                    self.move_window(Self::low_for(key));
                }
                self.best = Some(key);
                self.put_near(key, kept);
            }
            None => {
                self.kept.resize(W, T::default());
                self.occupied.resize(W / 64, 0);
                self.low = Self::low_for(key);
                self.best = Some(key);
                self.put_near(key, kept);
            }
        }
        if self.len() > LEVELS_MAX {
            self.drop_worst();
        }
    }

    fn put_near(&mut self, key: i64, kept: T) {
        let word = &mut self.occupied[Self::word_slot(key >> 6)];
        let bit = 1u64 << (key & 63);
        self.near += usize::from(*word & bit == 0);
        *word |= bit;
        self.kept[Self::slot(key)] = kept;
    }

    fn empty(&mut self, key: i64, best: i64) {
        if !self.in_window(key) {
            self.far.remove(&key);
        } else if self.is_occupied(key) {
            self.occupied[Self::word_slot(key >> 6)] &= !(1u64 << (key & 63));
            self.near -= 1;
            if key == best {
                self.find_best_below(best);
            }
        }
    }

    /// The best is gone; the next one is below it.
    fn find_best_below(&mut self, gone: i64) {
        self.best = if self.near > 0 {
            let mut word = gone >> 6;
            while self.occupied[Self::word_slot(word)] == 0 {
                word -= 1;
            }
            Some(top_key(word, self.occupied[Self::word_slot(word)]))
        } else {
            self.far.last_key_value().map(|(&key, _)| key)
        };
        if let Some(best) = self.best
            && (best < self.low || best - self.low < W as i64 / 4 * 3)
        {
            self.move_window(Self::low_for(best));
        }
    }

    /// Levels that leave the window at its low end go to the map, levels it now covers come from there. Nothing
    /// ever leaves at the high end: the best lies in the new window too.
    fn move_window(&mut self, low: i64) {
        if low > self.low {
            let mut word = self.low >> 6;
            let end = (low >> 6).min(word + W as i64 / 64);
            while word < end {
                let mut bits = std::mem::take(&mut self.occupied[Self::word_slot(word)]);
                while bits != 0 {
                    let key = word << 6 | i64::from(bits.trailing_zeros());
                    bits &= bits - 1;
                    self.near -= 1;
                    self.far.insert(key, self.kept[Self::slot(key)]);
                }
                word += 1;
            }
        }
        self.low = low;
        while let Some(entry) = self.far.last_entry() {
            if *entry.key() < low {
                break;
            }
            let (key, kept) = entry.remove_entry();
            self.put_near(key, kept);
        }
    }

    /// Forgets the worst level; what is beyond the worst one kept is unknown from now on.
    fn drop_worst(&mut self) {
        self.far.pop_first();
        self.horizon = self.horizon.max(self.far.first_key_value().map(|(&key, _)| key));
    }
}

// So that the worst of too many levels of a book is always in the map.
const _: () = assert!(LEVELS_MAX > WINDOW + 1);

fn top_key(word: i64, bits: u64) -> i64 {
    word << 6 | i64::from(63 - bits.leading_zeros())
}

/// By content: where the window stands does not matter.
impl PartialEq for Quantities {
    fn eq(&self, other: &Self) -> bool {
        self.horizon == other.horizon
            && self.len() == other.len()
            && Levels::of(Side::Bid, self).eq(Levels::of(Side::Bid, other))
    }
}

impl Eq for Quantities {}

/// Levels of one side, best first.
#[derive(Clone, Debug)]
pub struct Levels<'a> {
    side: Side,
    half: &'a Quantities,
    near_left: usize,
    word: i64,
    bits: u64,
    far: Rev<btree_map::Iter<'a, i64, i64>>,
}

impl<'a> Levels<'a> {
    fn of(side: Side, half: &'a Quantities) -> Self {
        let word = half.best.unwrap_or(0) >> 6;
        let bits = if half.near > 0 { half.occupied[Quantities::word_slot(word)] } else { 0 };
        Self { side, half, near_left: half.near, word, bits, far: half.far.iter().rev() }
    }
}

impl Iterator for Levels<'_> {
    type Item = Level;

    fn next(&mut self) -> Option<Level> {
        if self.near_left == 0 {
            return self.far.next().map(|(&key, &qty)| Level { price: price(self.side, key), qty: Lots(qty) });
        }
        while self.bits == 0 {
            self.word -= 1;
            self.bits = self.half.occupied[Quantities::word_slot(self.word)];
        }
        let key = top_key(self.word, self.bits);
        self.bits &= !(1u64 << (key & 63));
        self.near_left -= 1;
        Some(Level { price: price(self.side, key), qty: Lots(self.half.kept[Quantities::slot(key)]) })
    }

    /// In strides of 64 ticks: who keeps a window looks behind its last level after every change.
    fn nth(&mut self, mut n: usize) -> Option<Level> {
        while self.near_left > 0 {
            let here = self.bits.count_ones() as usize;
            if n < here {
                (0..n).for_each(|_| self.bits &= !(1u64 << (63 - self.bits.leading_zeros())));
                self.near_left -= n;
                return self.next();
            }
            n -= here;
            self.near_left -= here;
            self.bits = 0;
            if self.near_left > 0 {
                self.word -= 1;
                self.bits = self.half.occupied[Quantities::word_slot(self.word)];
            }
        }
        self.far.nth(n).map(|(&key, &qty)| Level { price: price(self.side, key), qty: Lots(qty) })
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = self.near_left + self.far.len();
        (left, Some(left))
    }
}

impl ExactSizeIterator for Levels<'_> {}
impl FusedIterator for Levels<'_> {}

/// A book as it is written down.
#[derive(Serialize, Deserialize)]
#[serde(rename = "Book")]
struct Content {
    seq: u64,
    window: Option<u32>,
    bids: Vec<Level>,
    asks: Vec<Level>,
    bid_horizon: Option<Ticks>,
    ask_horizon: Option<Ticks>,
}

impl Serialize for Book {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Content {
            seq: self.seq,
            window: self.window,
            bids: self.levels(Side::Bid).collect(),
            asks: self.levels(Side::Ask).collect(),
            bid_horizon: self.bids.horizon.map(|h| price(Side::Bid, h)),
            ask_horizon: self.asks.horizon.map(|h| price(Side::Ask, h)),
        }
        .serialize(serializer)
    }
}

impl From<Content> for Book {
    fn from(content: Content) -> Self {
        let mut book = Book::new();
        book.apply_delta(content.seq, &content.bids, &content.asks);
        book.window = content.window;
        book.bids.horizon = content.bid_horizon.map(|p| key(Side::Bid, p));
        book.asks.horizon = content.ask_horizon.map(|p| key(Side::Ask, p));
        book
    }
}
