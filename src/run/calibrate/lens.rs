//! A simulated market, seen as the recording saw its own.
//!
//! A venue that sums up its book every 100 ms shows fewer and larger placements than there were, and never whose order left.
//! Facts of placements can only be compared if the simulated market is told through the same glass.

use crate::market::{Book, Level};
use crate::metrics::facts::tape::{Hears, News, Told};
use crate::metrics::flow::listen::Orderflow;
use crate::units::{Lots, Side, Ticks};

/// Changes of a book that come faster than this are told one by one.
const BUNDLED_FROM_S: f64 = 0.02;

/// What a feed tells.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Glass {
    /// Orders one by one.
    pub shows_orders: bool,
    /// Levels are summed up over this long, ns; 0: every change is told.
    pub bundle_ns: i64,
    /// Best prices come with every change, ahead of the levels.
    pub shows_tops: bool,
}

impl Glass {
    /// The glass a recording was made through.
    pub fn of(flow: &Orderflow) -> Self {
        let is_bundled = flow.told != Told::Orders && flow.pace_s >= BUNDLED_FROM_S;
        Self {
            shows_orders: flow.told == Told::Orders,
            bundle_ns: if is_bundled { (flow.pace_s * 1e9) as i64 } else { 0 },
            shows_tops: flow.has_tops,
        }
    }
}

/// Looks through a glass, and tells who listens behind it.
#[derive(Clone, Debug)]
pub struct Lens<E> {
    ear: E,
    glass: Glass,
    book: Book,
    /// Levels that changed since the last bundle, each with what rests there now.
    changed: Vec<(Side, Ticks)>,
    bundle_ends: i64,
    top: (Option<Ticks>, Option<Ticks>),
}

impl<E: Hears> Lens<E> {
    /// Nothing was seen yet.
    pub fn new(glass: Glass, ear: E) -> Self {
        Self { ear, glass, book: Book::new(), changed: Vec::new(), bundle_ends: 0, top: (None, None) }
    }

    /// Who listened behind it.
    pub fn finish(self) -> E {
        self.ear
    }

    /// Tells the bundle whose time is up.
    fn bundle(&mut self, now: i64) {
        if now < self.bundle_ends {
            return;
        }
        if !self.changed.is_empty() {
            let at = self.bundle_ends;
            self.changed.sort();
            self.changed.dedup();
            for (side, price) in self.changed.drain(..) {
                let qty = self.book.qty_at(side, price);
                self.ear.hear(at, News::Level(side, Level { price, qty }));
            }
            self.ear.hear(at, News::Settled { top_is_newer: false });
        }
        self.bundle_ends = now - now.rem_euclid(self.glass.bundle_ns) + self.glass.bundle_ns;
    }
}

impl<E: Hears> Hears for Lens<E> {
    fn hear(&mut self, at: i64, news: News) {
        if self.glass.shows_orders && self.glass.bundle_ns == 0 {
            return self.ear.hear(at, news);
        }
        if self.glass.bundle_ns > 0 {
            self.bundle(at);
        }
        match news {
            News::Order(_) | News::Metaorder { .. } => {}
            News::Level(side, level) if self.glass.bundle_ns > 0 => {
                self.book.set(side, level.price, level.qty);
                self.changed.push((side, level.price));
            }
            News::Settled { .. } if self.glass.bundle_ns > 0 => {
                let best = |side| self.book.best(side).filter(|l| l.qty > Lots::ZERO).map(|l| l.price);
                let top = (best(Side::Bid), best(Side::Ask));
                if self.glass.shows_tops && top != self.top {
                    self.top = top;
                    self.ear.hear(at, News::Top { bid: top.0, ask: top.1 });
                }
            }
            News::Settled { .. }
            | News::Level(..)
            | News::Print { .. }
            | News::Bar { .. }
            | News::Top { .. }
            | News::Snapshot
            | News::Lost
            | News::Blind => self.ear.hear(at, news),
        }
    }

    fn is_a_window(&mut self) {
        self.ear.is_a_window();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Default)]
    struct Notes(Vec<(i64, News)>);

    impl Hears for Notes {
        fn hear(&mut self, at: i64, news: News) {
            self.0.push((at, news));
        }

        fn is_a_window(&mut self) {}
    }

    fn level(price: i64, qty: i64) -> News {
        News::Level(Side::Bid, Level { price: Ticks(price), qty: Lots(qty) })
    }

    const SETTLED: News = News::Settled { top_is_newer: false };

    #[test]
    fn what_comes_and_goes_within_a_bundle_is_not_seen() {
        let glass = Glass { shows_orders: false, bundle_ns: 100, shows_tops: true };
        let mut lens = Lens::new(glass, Notes::default());
        let heard = [(0, level(10, 5)), (0, SETTLED), (130, level(11, 3)), (130, SETTLED), (160, level(11, 0))];
        heard.into_iter().for_each(|(at, news)| lens.hear(at, news));
        lens.hear(160, level(10, 9));
        lens.hear(160, SETTLED);
        let print = News::Print { instant: 230, taker: None, price: Ticks(10), qty: Lots(1) };
        lens.hear(230, print);
        let top = |bid| News::Top { bid: Some(Ticks(bid)), ask: None };
        let expected = [
            (0, top(10)),
            (100, level(10, 5)),
            (100, SETTLED),
            (130, top(11)),
            (160, top(10)),
            (200, level(10, 9)),
            (200, level(11, 0)),
            (200, SETTLED),
            (230, print),
        ];
        assert_eq!(lens.finish().0, expected);
    }

    #[test]
    fn who_is_told_orders_sees_everything() {
        let glass = Glass { shows_orders: true, bundle_ns: 0, shows_tops: false };
        let mut lens = Lens::new(glass, Notes::default());
        [(0, level(10, 5)), (0, SETTLED)].into_iter().for_each(|(at, news)| lens.hear(at, news));
        assert_eq!(lens.finish().0, [(0, level(10, 5)), (0, SETTLED)]);
    }
}
