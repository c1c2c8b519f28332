//! What the market's news does to our resting orders.

use super::super::Visible;
use super::super::fee::Meter;
use super::super::line::Turn;
use super::own::Resting;
use super::{Near, Paper, Said};
use crate::market::{Book, Extent, Instrument, Level, OrderNews};
use crate::order::{Fill, FillWhy, Liquidity, ReportKind};
use crate::units::{LocalTime, Lots, Side, Ticks, VenueTime};

impl Paper {
    /// A print that took from the book, `stamped` by the venue.
    pub(super) fn printed(
        &mut self,
        taker: Side,
        price: Ticks,
        qty: Lots,
        stamped: Option<VenueTime>,
        market: &Visible<'_>,
        happened: LocalTime,
    ) {
        let is_before = |depth: Option<VenueTime>| matches!((stamped, depth), (Some(t), Some(depth)) if t < depth);
        let is_in_depth = is_before(self.depth_time);
        let side = taker.opposite();
        if self.is_against_us() {
            return self.met(side, price, FillWhy::QueueFront, market.rules, happened);
        }
        let mut passing = qty;
        for order in self.own.side_mut(side) {
            if side.is_better(price, order.price) {
                break;
            }
            let at_our_price = order.price == price;
            if is_before(order.since) || (at_our_price && is_in_depth) {
                continue;
            }
            let ahead = order.ahead();
            let (why, reaching) = if at_our_price {
                (FillWhy::QueueFront, order.printed(qty, passing))
            } else {
                (FillWhy::TradedThrough, passing)
            };
            let got = reaching.min(order.remaining);
            if got > Lots::ZERO {
                passing -= got;
                make(order, got, why, ahead, market.rules, &mut self.fees, &mut self.said, happened);
            }
        }
        self.own.drop_filled(side);
    }

    /// What became of an order of others. If it traded and stood behind us, we would have traded first.
    pub(super) fn told(&mut self, news: &OrderNews, rules: &Instrument, happened: LocalTime) {
        let Self { line, own, fees, said, is_apart, .. } = self;
        let moved = line.hear(news);
        let mut passing = moved.traded;
        for order in own.side_mut(moved.side) {
            let Some(turn) = &mut order.turn else { continue };
            let ahead = turn.ahead();
            let reaching = turn.moved(&moved).min(passing);
            let got = reaching.min(order.remaining);
            if got > Lots::ZERO && !*is_apart {
                passing -= got;
                make(order, got, FillWhy::QueueFront, ahead, rules, fees, said, happened);
            }
        }
        own.drop_filled(moved.side);
    }

    /// Nobody knows any more who stands where.
    pub(super) fn forget_line(&mut self) {
        self.line.forget();
        for side in Side::BOTH {
            self.own.side_mut(side).iter_mut().for_each(|order| order.turn = None);
        }
    }

    /// Of these levels, as many as could be one of ours, face one of ours, or be one we ate from, in their order. One
    /// comparison a level, because this is asked of every level of every message, and nearly all are none of those.
    fn near_us(&self, side: Side, levels: &[Level], near: &mut Vec<Level>) {
        near.clear();
        let ours = self.own.side(side).last().map(|order| order.price);
        let faced = self.own.side(side.opposite()).first().map(|order| order.price);
        let prices = [ours, faced, self.eaten.worst(side)];
        let Some(farthest) = prices.into_iter().flatten().min_by_key(|price| price.0 * side.sign()) else {
            return;
        };
        match side {
            Side::Bid => near.extend(levels.iter().filter(|level| level.price >= farthest)),
            Side::Ask => near.extend(levels.iter().filter(|level| level.price <= farthest)),
        }
    }

    /// Levels changed, as one message.
    pub(super) fn changed(
        &mut self,
        seq: u64,
        bids: &[Level],
        asks: &[Level],
        market: &Visible<'_>,
        happened: LocalTime,
    ) {
        if self.own.is_empty() && self.eaten.is_empty() {
            return;
        }
        let Near([mut near_bids, mut near_asks]) = std::mem::take(&mut self.near);
        self.near_us(Side::Bid, bids, &mut near_bids);
        self.near_us(Side::Ask, asks, &mut near_asks);
        if !near_bids.is_empty() || !near_asks.is_empty() {
            self.moved_in_line(seq, [(&near_bids[..], bids), (&near_asks[..], asks)], market);
            self.crossed(seq, [&near_bids[..], &near_asks[..]], market, happened);
        }
        self.near = Near([near_bids, near_asks]);
    }

    /// Queues at our prices. Each side comes with its levels near us and with all it has.
    fn moved_in_line(&mut self, seq: u64, sides: [(&[Level], &[Level]); 2], market: &Visible<'_>) {
        let model = self.queue;
        for (side, (near, all)) in Side::BOTH.into_iter().zip(sides) {
            for order in self.own.side_mut(side) {
                match final_qty(near, order.price) {
                    // Who waits there still waits; we just cannot see them any more.
                    Some(Lots::ZERO) if left_the_window(market.book, side, all, order.price) => {}
                    Some(now) => {
                        order.place.depth(model, now, seq);
                        order.turn.iter_mut().for_each(Turn::settled);
                    }
                    None => {}
                }
            }
            self.eaten.changed(side, near, seq);
        }
    }

    /// The other side at or through our prices.
    fn crossed(&mut self, seq: u64, [bids, asks]: [&[Level]; 2], market: &Visible<'_>, happened: LocalTime) {
        // If a newer best price is known, a better level in this older message is gone already.
        let newer = market.top.filter(|_| self.bbo_seq > seq);
        for (side, levels) in [(Side::Bid, asks), (Side::Ask, bids)] {
            if !levels.iter().any(|level| self.own.is_met(side, level.price)) {
                continue;
            }
            let other = side.opposite();
            let is_there = |price| newer.is_none_or(|top| !other.is_better(price, top.price(other)));
            let now = levels.iter().filter(|level| {
                let is_final = || final_qty(levels, level.price) == Some(level.qty);
                self.own.is_met(side, level.price) && is_there(level.price) && is_final()
            });
            let now: Vec<Level> = now.copied().collect();
            self.cross(side, &now, seq.max(self.bbo_seq), market.rules, happened);
        }
    }

    /// Best bid or offer changed.
    pub(super) fn best_changed(
        &mut self,
        seq: u64,
        bid: Option<Level>,
        ask: Option<Level>,
        market: &Visible<'_>,
        happened: LocalTime,
    ) {
        for (side, best) in [(Side::Bid, bid), (Side::Ask, ask)] {
            if let Some(best) = best {
                if !self.eaten.is_empty() {
                    self.eaten.best_is(side, best, seq);
                }
                self.cross(side.opposite(), &[best], seq, market.rules, happened);
            }
        }
    }

    /// The whole visible book, after a hole or at the start.
    pub(super) fn seen_anew(
        &mut self,
        seq: u64,
        bids: &[Level],
        asks: &[Level],
        extent: Extent,
        market: &Visible<'_>,
        happened: LocalTime,
    ) {
        for (side, levels) in [(Side::Bid, bids), (Side::Ask, asks)] {
            for order in self.own.side_mut(side) {
                match final_qty(levels, order.price) {
                    Some(now) => order.place.after_gap(now, seq),
                    // Deeper than what is shown is unknown, not empty.
                    None if extent != Extent::All
                        && levels.last().is_none_or(|last| side.is_better(last.price, order.price)) => {}
                    None => order.place.after_gap(Lots::ZERO, seq),
                }
            }
            self.eaten.all_is(side, levels, seq);
        }
        self.cross(Side::Bid, asks, seq, market.rules, happened);
        self.cross(Side::Ask, bids, seq, market.rules, happened);
    }

    /// The other side rests at `levels`; where that is at or through our orders on `side`, they had to trade first.
    fn cross(&mut self, side: Side, levels: &[Level], as_of: u64, rules: &Instrument, happened: LocalTime) {
        if !levels.iter().any(|level| self.own.is_met(side, level.price)) {
            return;
        }
        if self.is_against_us() {
            let there = levels.iter().filter(|level| level.qty > Lots::ZERO).map(|level| level.price);
            let met = there.min_by_key(|price| price.0 * side.sign());
            return met.into_iter().for_each(|price| self.met(side, price, FillWhy::Crossed, rules, happened));
        }
        let Self { own, eaten, said, fees, .. } = self;
        for order in own.side_mut(side) {
            let price = order.price;
            for level in levels.iter().filter(|level| !side.is_better(level.price, price)) {
                let got = eaten.left_of(side.opposite(), *level).min(order.remaining);
                if got > Lots::ZERO {
                    eaten.eat(side.opposite(), level.price, got, as_of);
                    let ahead = order.ahead();
                    make(order, got, FillWhy::Crossed, ahead, rules, fees, said, happened);
                }
            }
        }
        own.drop_filled(side);
    }
}

/// Whether a level that a message empties has only been pushed out of the best levels the venue shows: as many as it
/// shows are better.
fn left_the_window(book: &Book, side: Side, levels: &[Level], price: Ticks) -> bool {
    let Some(window) = book.window() else { return false };
    let is_better = |level: &Level| side.is_better(level.price, price);
    let stayed = book.levels(side).take_while(is_better).filter(|l| final_qty(levels, l.price) != Some(Lots::ZERO));
    let is_new = |level: &&Level| level.qty > Lots::ZERO && book.qty_at(side, level.price) == Lots::ZERO;
    let is_final = |level: &&Level| final_qty(levels, level.price) == Some(level.qty);
    let came = levels.iter().filter(|level| is_better(level)).filter(is_new).filter(is_final);
    stayed.count() + came.count() >= window as usize
}

/// What a message says last of a price.
fn final_qty(levels: &[Level], price: Ticks) -> Option<Lots> {
    levels.iter().rev().find(|level| level.price == price).map(|level| level.qty)
}

/// A resting order trades, at its own price.
#[expect(clippy::too_many_arguments, reason = "a fill is put together here and nowhere else")]
pub(super) fn make(
    order: &mut Resting,
    qty: Lots,
    why: FillWhy,
    queue_ahead: Lots,
    rules: &Instrument,
    fees: &mut Meter,
    said: &mut Said,
    happened: LocalTime,
) {
    order.remaining -= qty;
    let fill = Fill {
        side: order.side,
        price: order.price,
        qty,
        remaining: order.remaining,
        fee: fees.charge(rules, order.price, qty, Liquidity::Maker),
        liquidity: Liquidity::Maker,
        why,
        queue_ahead,
    };
    said.say(happened, order.id, ReportKind::Filled(fill));
}
