//! The best prices, and what their sizes say about the next one.

use serde::{Deserialize, Serialize};

use crate::market::{Book, Level};
use crate::units::{Lots, Side, Ticks};

/// Best bid and ask, both present, not crossed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Top {
    /// Best bid.
    pub bid: Level,
    /// Best ask.
    pub ask: Level,
}

impl Top {
    /// Mid price in ticks (a multiple of one half).
    pub fn mid(&self) -> f64 {
        self.twice_mid() as f64 * 0.5
    }

    /// `bid + ask`, in ticks: twice the mid, an integer.
    pub fn twice_mid(&self) -> i64 {
        self.bid.price.0 + self.ask.price.0
    }

    /// Best price of a side.
    pub fn price(&self, side: Side) -> Ticks {
        match side {
            Side::Bid => self.bid.price,
            Side::Ask => self.ask.price,
        }
    }

    /// `ask - bid`.
    pub fn spread(&self) -> Ticks {
        self.ask.price - self.bid.price
    }

    /// The mid weighted by the *opposite* sizes, in ticks: a heavy bid pulls it to the ask.
    ///
    /// `m = (bid·Q_ask + ask·Q_bid) / (Q_bid + Q_ask) = mid + spread/2 · imbalance`
    pub fn microprice(&self) -> f64 {
        self.mid() + 0.5 * self.spread().0 as f64 * self.imbalance()
    }

    /// `(Q_bid - Q_ask) / (Q_bid + Q_ask)` at the best prices, in [-1, 1]; positive when bids are heavier.
    pub fn imbalance(&self) -> f64 {
        share(self.bid.qty, self.ask.qty)
    }
}

/// [`Top::imbalance`] over the best `levels` of each side of a book; 0 for an empty book.
pub fn book_imbalance(book: &Book, levels: usize) -> f64 {
    let resting = |side| book.levels(side).take(levels).map(|l| l.qty).sum::<Lots>();
    share(resting(Side::Bid), resting(Side::Ask))
}

/// `(a - b) / (a + b)`, 0 when both are nothing.
fn share(a: Lots, b: Lots) -> f64 {
    let sum = a.0 + b.0;
    if sum == 0 { 0.0 } else { (a.0 - b.0) as f64 / sum as f64 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn level(price: i64, qty: i64) -> Level {
        Level { price: Ticks(price), qty: Lots(qty) }
    }

    #[test]
    fn a_heavy_bid_pulls_the_microprice_to_the_ask() {
        // 30 @ 100 against 10 @ 104: (100·10 + 104·30) / 40 = 103; imbalance 20/40.
        let top = Top { bid: level(100, 30), ask: level(104, 10) };
        assert_eq!(top.microprice(), 103.0);
        assert_eq!(top.imbalance(), 0.5);
        assert_eq!((top.mid(), top.spread()), (102.0, Ticks(4)));
    }

    #[test]
    fn imbalance_counts_as_many_levels_as_asked() {
        // Best: 1 against 3. Two levels: 1+5 against 3+0.
        let mut book = Book::new();
        book.apply_snapshot(1, &[level(100, 1), level(99, 5)], &[level(101, 3)], crate::market::Extent::All);
        assert_eq!(book_imbalance(&book, 1), -0.5);
        assert_eq!(book_imbalance(&book, 5), 3.0 / 9.0);
        assert_eq!(book_imbalance(&Book::new(), 10), 0.0);
    }
}
