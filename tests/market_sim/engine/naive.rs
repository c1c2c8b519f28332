//! The obvious engine: one list in order of arrival, searched from end to end for everything.

use std::collections::BTreeMap;

use papermaker::exchange::habit::SelfTrade;
use papermaker::exchange::matching::{Engine, Incoming, Owner};
use papermaker::market::Level;
use papermaker::order::{OrderKind, RejectReason};
use papermaker::units::{Lots, Side, Ticks};

/// What happened, with orders named by their number of arrival.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub enum Said {
    Refused(RejectReason),
    Trade { taker: usize, maker: usize, price: i64, qty: i64, left: i64 },
    Rested { order: usize, side: Side, price: i64, qty: i64 },
    Removed { order: usize, side: Side, price: i64, qty: i64 },
    Reduced { order: usize, side: Side, price: i64, qty: i64, left: i64 },
    Dropped { order: usize, qty: i64 },
    Level { side: Side, price: i64, qty: i64 },
}

#[derive(Clone, Copy, Debug)]
pub struct Rests {
    pub order: usize,
    pub side: Side,
    pub price: i64,
    pub qty: i64,
    owner: Owner,
}

#[derive(Default)]
pub struct Naive {
    /// First come first.
    pub resting: Vec<Rests>,
    arrived: usize,
    self_trade: Option<SelfTrade>,
}

impl Naive {
    pub fn preventing(self_trade: Option<SelfTrade>) -> Self {
        Self { self_trade, ..Self::default() }
    }

    fn best(&self, side: Side) -> Option<Rests> {
        // The first of equals in order of arrival is the oldest.
        let better = |a: Option<Rests>, b: &Rests| match a {
            Some(a) if !side.is_better(Ticks(b.price), Ticks(a.price)) => Some(a),
            Some(_) | None => Some(*b),
        };
        self.resting.iter().filter(|o| o.side == side).fold(None, better)
    }

    fn lots_at(&self, side: Side, price: i64) -> i64 {
        self.resting.iter().filter(|o| (o.side, o.price) == (side, price)).map(|o| o.qty).sum()
    }

    fn level(&self, side: Side, price: i64) -> Said {
        Said::Level { side, price, qty: self.lots_at(side, price) }
    }

    fn meets(order: &Incoming, price: i64) -> bool {
        let is_priced = order.kind != OrderKind::Market;
        !is_priced || order.price.0 == price || order.side.is_better(order.price, Ticks(price))
    }

    fn would_trade(&self, order: &Incoming) -> bool {
        self.best(order.side.opposite()).is_some_and(|best| Self::meets(order, best.price))
    }

    fn refusal(&self, order: &Incoming) -> Option<RejectReason> {
        let priced = order.kind != OrderKind::Market;
        if order.qty.0 <= 0 || order.qty > Engine::LOTS_MAX {
            Some(RejectReason::LotSize)
        } else if priced && (order.price.0 < 1 || order.price > Engine::PRICE_MAX) {
            Some(RejectReason::PriceFilter)
        } else if order.kind == OrderKind::PostOnly && self.would_trade(order) {
            Some(RejectReason::WouldTake)
        } else if order.kind == OrderKind::Market && !self.would_trade(order) {
            Some(RejectReason::NoLiquidity)
        } else {
            None
        }
    }

    fn is_own(&self, order: &Incoming, other: &Rests) -> bool {
        self.self_trade.is_some() && order.owner != Owner::NOBODY && order.owner == other.owner
    }

    /// By trying: what a copy of the book gives to an immediate order of the same terms, and whether it lost nothing.
    fn fills_whole(&self, order: &Incoming) -> bool {
        let mut copy = Naive { resting: self.resting.clone(), arrived: self.arrived, self_trade: self.self_trade };
        let said = copy.enter(&Incoming { kind: OrderKind::Ioc, ..*order });
        let traded: i64 = said.iter().map(|s| if let Said::Trade { qty, .. } = s { *qty } else { 0 }).sum();
        traded == order.qty.0
    }

    pub fn submit(&mut self, order: &Incoming) -> Vec<Said> {
        match self.refusal(order) {
            Some(reason) => vec![Said::Refused(reason)],
            None => self.enter(order),
        }
    }

    fn enter(&mut self, order: &Incoming) -> Vec<Said> {
        let opposite = order.side.opposite();
        let (mut said, mut left) = (Vec::new(), order.qty.0);
        let may_trade = order.kind != OrderKind::Fok || self.fills_whole(order);
        let taker = self.arrived;
        self.arrived += 1;
        while left > 0 && may_trade && self.would_trade(order) {
            let price = self.best(opposite).expect("it would trade").price;
            let before = self.lots_at(opposite, price);
            while left > 0 && self.best(opposite).is_some_and(|best| best.price == price) {
                left = self.meet(order, taker, left, &mut said);
            }
            if self.lots_at(opposite, price) != before {
                said.push(self.level(opposite, price));
            }
        }
        if left > 0 && order.kind.may_rest() {
            let (side, price, owner) = (order.side, order.price.0, order.owner);
            self.resting.push(Rests { order: taker, side, price, qty: left, owner });
            said.push(Said::Rested { order: taker, side, price, qty: left });
            said.push(self.level(side, price));
        } else if left > 0 {
            said.push(Said::Dropped { order: taker, qty: left });
        }
        said
    }

    /// One meeting with the best of the other side; what is left of the incoming order.
    fn meet(&mut self, order: &Incoming, taker: usize, left: i64, said: &mut Vec<Said>) -> i64 {
        let maker = self.best(order.side.opposite()).expect("somebody to meet");
        let smaller = left.min(maker.qty);
        let (maker_loses, taker_loses) = match self.self_trade {
            Some(SelfTrade::CancelMaker) if self.is_own(order, &maker) => (maker.qty, 0),
            Some(SelfTrade::CancelTaker) if self.is_own(order, &maker) => (0, left),
            Some(SelfTrade::CancelBoth) if self.is_own(order, &maker) => (maker.qty, left),
            Some(_) | None => (smaller, smaller),
        };
        let (side, price, maker_left) = (maker.side, maker.price, maker.qty - maker_loses);
        if !self.is_own(order, &maker) {
            said.push(Said::Trade { taker, maker: maker.order, price, qty: smaller, left: maker_left });
        } else {
            if maker_left == 0 {
                said.push(Said::Removed { order: maker.order, side, price, qty: maker_loses });
            } else if maker_loses > 0 {
                said.push(Said::Reduced { order: maker.order, side, price, qty: maker_loses, left: maker_left });
            }
            if taker_loses > 0 {
                said.push(Said::Dropped { order: taker, qty: taker_loses });
            }
        }
        self.resting.iter_mut().filter(|o| o.order == maker.order).for_each(|o| o.qty = maker_left);
        self.resting.retain(|o| o.qty > 0);
        left - taker_loses
    }

    fn position(&self, order: usize) -> Result<usize, Vec<Said>> {
        let found = self.resting.iter().position(|o| o.order == order);
        found.ok_or_else(|| vec![Said::Refused(RejectReason::UnknownOrder)])
    }

    pub fn cancel(&mut self, order: usize) -> Vec<Said> {
        let at = match self.position(order) {
            Ok(at) => at,
            Err(refused) => return refused,
        };
        let Rests { side, price, qty, .. } = self.resting.remove(at);
        vec![Said::Removed { order, side, price, qty }, self.level(side, price)]
    }

    pub fn replace(&mut self, order: usize, kind: OrderKind, price: i64, qty: i64) -> Vec<Said> {
        let at = match self.position(order) {
            Ok(at) => at,
            Err(refused) => return refused,
        };
        let old = self.resting[at];
        let new = Incoming::new(old.side, kind, Ticks(price), Lots(qty)).by(old.owner);
        if let Some(reason) = self.refusal(&new) {
            return vec![Said::Refused(reason)];
        }
        let stays = kind.may_rest() && price == old.price;
        if stays && qty <= old.qty {
            self.resting[at].qty = qty;
            let reduced = Said::Reduced { order, side: old.side, price, qty: old.qty - qty, left: qty };
            return if qty == old.qty { Vec::new() } else { vec![reduced, self.level(old.side, price)] };
        }
        let mut said = self.cancel(order);
        if stays {
            // It is back at this price in a moment, and a level is told once per command.
            said.pop();
        }
        said.extend(self.enter(&new));
        said
    }

    pub fn levels(&self, side: Side) -> Vec<Level> {
        let mut levels = BTreeMap::<i64, i64>::new();
        self.resting.iter().filter(|o| o.side == side).for_each(|o| *levels.entry(o.price).or_default() += o.qty);
        let level = |(&p, &q): (&i64, &i64)| Level { price: Ticks(p), qty: Lots(q) };
        match side {
            Side::Bid => levels.iter().rev().map(level).collect(),
            Side::Ask => levels.iter().map(level).collect(),
        }
    }

    /// Orders at a price, first in line first.
    pub fn queue(&self, price: i64) -> Vec<(usize, i64)> {
        self.resting.iter().filter(|o| o.price == price).map(|o| (o.order, o.qty)).collect()
    }
}
