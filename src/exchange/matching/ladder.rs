//! Price levels, indexed by price.
//!
//! Nearly everything happens within a few thousand ticks of the touch, so levels near it live in a flat ring that
//! a price indexes directly, with a two-story bitmap to find the next one that holds orders. Prices outside the
//! window wait in a `BTreeMap`; the window moves after the touch, and levels change places as it does. Only prices
//! more than [`REACH`] ticks from the touch ever allocate.
//!
//! The ladder does not know sides. A matched book never has bids above asks, so the next level below the best bid
//! is a bid and the next one above the best ask is an ask.

use std::collections::BTreeMap;

use crate::units::Side;

/// "No order" in an order's links.
pub(super) const NIL: u32 = 0;

/// Prices one bit of the upper bitmap story stands for, and the grain of the window's position.
const BLOCK: i64 = 64 * 64;
/// Prices in the window; a power of two.
const WINDOW: i64 = 8 * BLOCK;
/// How far from the touch a price is certainly in the window.
pub(super) const REACH: i64 = WINDOW / 4;

/// The orders of one price, as the ends of their queue.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rung {
    /// First in line.
    pub head: u32,
    /// Last in line.
    pub tail: u32,
    /// Lots of all of them.
    pub qty: i64,
}

impl Rung {
    /// Without orders.
    pub const EMPTY: Rung = Rung { head: NIL, tail: NIL, qty: 0 };
}

/// All rungs of one instrument.
#[derive(Clone, Debug)]
pub(super) struct Ladder {
    /// At `price mod WINDOW`.
    near: Box<[Rung; WINDOW as usize]>,
    /// One bit per price of the window.
    bits: [u64; (WINDOW / 64) as usize],
    /// One bit per word of `bits`.
    words: [u64; (WINDOW / BLOCK) as usize],
    /// First price of the window, a multiple of [`BLOCK`].
    low: i64,
    /// Occupied levels outside the window.
    far: BTreeMap<i64, Rung>,
}

#[inline]
fn place(price: i64) -> usize {
    (price & (WINDOW - 1)) as usize
}

impl Ladder {
    pub fn new() -> Self {
        let near = vec![Rung::EMPTY; WINDOW as usize].into_boxed_slice();
        Self {
            near: near.try_into().expect("as many rungs as the window has prices"),
            bits: [0; (WINDOW / 64) as usize],
            words: [0; (WINDOW / BLOCK) as usize],
            low: 0,
            far: BTreeMap::new(),
        }
    }

    #[inline]
    fn in_window(&self, price: i64) -> bool {
        (self.low..self.low + WINDOW).contains(&price)
    }

    /// The rung at a price.
    #[inline]
    pub fn get(&self, price: i64) -> Rung {
        if self.in_window(price) {
            self.near[place(price)]
        } else {
            self.far.get(&price).copied().unwrap_or(Rung::EMPTY)
        }
    }

    /// The rung at a price where orders rest. Once they are gone the price is to be vacated.
    #[inline]
    pub fn occupied(&mut self, price: i64) -> &mut Rung {
        if self.in_window(price) {
            &mut self.near[place(price)]
        } else {
            self.far.get_mut(&price).expect("a price where orders rest has a rung")
        }
    }

    /// The rung at a price which an order is about to join.
    #[inline]
    pub fn occupy(&mut self, price: i64) -> &mut Rung {
        if self.in_window(price) {
            let at = place(price);
            self.bits[at / 64] |= 1 << (at % 64);
            self.words[at / BLOCK as usize] |= 1 << (at / 64 % 64);
            &mut self.near[at]
        } else {
            self.far.entry(price).or_insert(Rung::EMPTY)
        }
    }

    /// The orders of a price are gone.
    #[inline]
    pub fn vacate(&mut self, price: i64) {
        if self.in_window(price) {
            let at = place(price);
            self.near[at] = Rung::EMPTY;
            self.bits[at / 64] &= !(1 << (at % 64));
            if self.bits[at / 64] == 0 {
                self.words[at / BLOCK as usize] &= !(1 << (at / 64 % 64));
            }
        } else {
            self.far.remove(&price);
        }
    }

    /// The next occupied price of a side behind `price`.
    #[inline]
    pub fn next(&self, side: Side, price: i64) -> Option<i64> {
        match side {
            Side::Bid => self.below(price),
            Side::Ask => self.above(price),
        }
    }

    /// The highest occupied price below `price`.
    pub fn below(&self, price: i64) -> Option<i64> {
        let near = self.near_below(price);
        if self.far.is_empty() || (near.is_some() && price <= self.low + WINDOW) {
            return near;
        }
        near.max(self.far.range(..price).next_back().map(|(&p, _)| p))
    }

    /// The lowest occupied price above `price`.
    pub fn above(&self, price: i64) -> Option<i64> {
        let near = self.near_above(price);
        if self.far.is_empty() || (near.is_some() && price >= self.low - 1) {
            return near;
        }
        let far = self.far.range(price.saturating_add(1)..).next().map(|(&p, _)| p);
        match (near, far) {
            (Some(n), Some(f)) => Some(n.min(f)),
            (one, other) => one.or(other),
        }
    }

    fn near_below(&self, price: i64) -> Option<i64> {
        if price <= self.low {
            return None;
        }
        let last = price.min(self.low + WINDOW) - 1;
        let word = last >> 6;
        let found = self.bits[place(last) / 64] & (u64::MAX >> (63 - (last & 63)));
        if found != 0 {
            return Some((word << 6) + 63 - i64::from(found.leading_zeros()));
        }
        let mut block = word >> 6;
        let mut upper = self.words[place(last) / BLOCK as usize] & ((1u64 << (word & 63)) - 1);
        loop {
            if upper != 0 {
                let word = (block << 6) + 63 - i64::from(upper.leading_zeros());
                let bits = self.bits[place(word << 6) / 64];
                return Some((word << 6) + 63 - i64::from(bits.leading_zeros()));
            }
            block -= 1;
            if block * BLOCK < self.low {
                return None;
            }
            upper = self.words[place(block * BLOCK) / BLOCK as usize];
        }
    }

    fn near_above(&self, price: i64) -> Option<i64> {
        let first = price.saturating_add(1).max(self.low);
        if first >= self.low + WINDOW {
            return None;
        }
        let word = first >> 6;
        let found = self.bits[place(first) / 64] & (u64::MAX << (first & 63));
        if found != 0 {
            return Some((word << 6) + i64::from(found.trailing_zeros()));
        }
        let mut block = word >> 6;
        let mut upper = self.words[place(first) / BLOCK as usize] & (u64::MAX << (word & 63) << 1);
        loop {
            if upper != 0 {
                let word = (block << 6) + i64::from(upper.trailing_zeros());
                let bits = self.bits[place(word << 6) / 64];
                return Some((word << 6) + i64::from(bits.trailing_zeros()));
            }
            block += 1;
            if block * BLOCK >= self.low + WINDOW {
                return None;
            }
            upper = self.words[place(block * BLOCK) / BLOCK as usize];
        }
    }

    /// Moves the window if `touch` has come too near its edge.
    #[inline]
    pub fn follow(&mut self, touch: i64) {
        if !(self.low + REACH..self.low + WINDOW - REACH).contains(&touch) {
            self.move_to(touch);
        }
    }

    #[cold]
    fn move_to(&mut self, touch: i64) {
        let low = (touch - WINDOW / 2).div_euclid(BLOCK) * BLOCK;
        let stays = low..low + WINDOW;
        let mut next = self.near_above(self.low - 1);
        while let Some(price) = next {
            next = if stays.contains(&price) { self.near_above(stays.end - 1) } else { self.near_above(price) };
            if !stays.contains(&price) {
                self.far.insert(price, self.near[place(price)]);
                self.vacate(price);
            }
        }
        self.low = low;
        while let Some((&price, &rung)) = self.far.range(stays.clone()).next() {
            self.far.remove(&price);
            *self.occupy(price) = rung;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_are_found_wherever_they_live_and_however_the_window_moved() {
        // Against a sorted list: prices on both sides of every boundary of word, block and window.
        let mut ladder = Ladder::new();
        let mut sorted = std::collections::BTreeSet::new();
        let one = Rung { head: 1, tail: 1, qty: 1 };
        let prices = [-70_000, -1, 0, 1, 63, 64, 4095, 4096, 5000, 32_767, 32_768, 40_000, 65_536, 1_000_000];
        for (i, &touch) in [0i64, 5000, 64, 39_000, 70_000, -70_000, 999_999, 3, 32_768].iter().enumerate() {
            for &p in &prices {
                if (p + i as i64) % 3 == 0 {
                    ladder.vacate(p);
                    sorted.remove(&p);
                } else {
                    *ladder.occupy(p) = one;
                    sorted.insert(p);
                }
            }
            ladder.follow(touch);
            for p in prices.iter().flat_map(|p| [p - 1, *p, p + 1]) {
                assert_eq!(ladder.below(p), sorted.range(..p).next_back().copied(), "below {p}, touch {touch}");
                assert_eq!(ladder.above(p), sorted.range(p + 1..).next().copied(), "above {p}, touch {touch}");
                assert_eq!(ladder.get(p).head != NIL, sorted.contains(&p), "at {p}, touch {touch}");
            }
        }
    }
}
