//! Who is pushing: order-flow imbalance at the best prices, and the sign of trades.
//!
//! Order-flow imbalance is Cont, Kukanov & Stoikov, *The price impact of order book events*, J. Financial
//! Econometrics 12 (2014): lots added to the best bid or taken from the best ask count up, the mirror down.
//! Both are summed between grid points and averaged with a half-life of ten seconds at each.

use serde::{Deserialize, Serialize};

use super::Top;
use crate::numeric;
use crate::units::{Lots, Nanos, Side};

/// After this long, a lot of flow counts half.
pub const HALF_LIFE_S: f64 = 10.0;

/// Running flow.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Flow {
    decay: f64,
    order_flow: f64,
    signed: f64,
    traded: f64,
    order_flow_now: i64,
    signed_now: i64,
    traded_now: i64,
}

impl Flow {
    /// Nothing seen yet.
    pub fn new(grid: Nanos) -> Self {
        let decay = numeric::pow(0.5, grid.seconds() / HALF_LIFE_S);
        Self { decay, order_flow: 0.0, signed: 0.0, traded: 0.0, order_flow_now: 0, signed_now: 0, traded_now: 0 }
    }

    /// The best prices changed.
    pub(super) fn on_change(&mut self, before: &Top, now: &Top) {
        let mut flow = 0;
        for side in Side::BOTH {
            let (was, is) = match side {
                Side::Bid => (before.bid, now.bid),
                Side::Ask => (before.ask, now.ask),
            };
            // A better or equal price brings its lots; a worse or equal one has lost the old lots.
            if !side.is_better(was.price, is.price) {
                flow += side.sign() * is.qty.0;
            }
            if !side.is_better(is.price, was.price) {
                flow -= side.sign() * was.qty.0;
            }
        }
        self.order_flow_now += flow;
    }

    /// A print.
    pub(super) fn on_trade(&mut self, taker: Side, qty: Lots) {
        self.signed_now += taker.sign() * qty.0;
        self.traded_now += qty.0;
    }

    /// `points` grid points were passed.
    pub(super) fn on_grid(&mut self, points: u32) {
        for (average, now) in [
            (&mut self.order_flow, &mut self.order_flow_now),
            (&mut self.signed, &mut self.signed_now),
            (&mut self.traded, &mut self.traded_now),
        ] {
            *average = self.decay * *average + std::mem::take(now) as f64;
            for _ in 1..points {
                *average *= self.decay;
            }
        }
    }

    /// Order-flow imbalance, lots (decayed sum); positive when buyers push.
    pub fn order_flow(&self) -> f64 {
        self.order_flow + self.order_flow_now as f64
    }

    /// `Σ sign·qty / Σ qty` of trades (decayed sums), in [-1, 1]; 0 without trades.
    pub fn trade_sign(&self) -> f64 {
        let traded = self.traded + self.traded_now as f64;
        if traded > 0.0 { (self.signed + self.signed_now as f64) / traded } else { 0.0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::market::Level;
    use crate::units::Ticks;

    fn top(bid: (i64, i64), ask: (i64, i64)) -> Top {
        let level = |(price, qty)| Level { price: Ticks(price), qty: Lots(qty) };
        Top { bid: level(bid), ask: level(ask) }
    }

    #[test]
    fn bids_added_and_asks_taken_both_push_up() {
        let mut flow = Flow::new(Nanos::from_s(10));
        // Bid 5 → 8 lots: +3. Ask 7 → 4 lots: +3.
        flow.on_change(&top((100, 5), (102, 7)), &top((100, 8), (102, 4)));
        assert_eq!(flow.order_flow(), 6.0);
        // The bid improves to 101 with 2 lots: +2. The ask retreats from 4 lots: +4.
        flow.on_change(&top((100, 8), (102, 4)), &top((101, 2), (103, 9)));
        assert_eq!(flow.order_flow(), 12.0);
        // One half-life later it is half.
        flow.on_grid(1);
        flow.on_grid(1);
        assert_eq!(flow.order_flow(), 6.0);
    }

    #[test]
    fn the_trade_sign_weighs_by_size() {
        let mut flow = Flow::new(Nanos::from_s(1));
        assert_eq!(flow.trade_sign(), 0.0);
        flow.on_trade(Side::Bid, Lots(3));
        flow.on_trade(Side::Ask, Lots(1));
        assert_eq!(flow.trade_sign(), 0.5);
    }
}
