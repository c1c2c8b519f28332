//! What the venue does with a request that arrives.
//!
//! | request | the venue says |
//! |---|---|
//! | place, broken rule | `Rejected` with the venue's reason |
//! | place, more than the venue takes in that time ([`Pace`](super::super::habit::Pace)) | `Rejected(TooManyRequests)`; a replacement as with a broken rule |
//! | place, post-only that would trade, as the venue has it ([`PostOnly`]) | `Rejected(WouldTake)`, or `Accepted` and `Cancelled`, or `Accepted` and `Amended` to the nearest price that rests |
//! | place, rests | `Accepted` |
//! | place, trades | `Accepted`, `Filled` per level; the rest stays (limit) or is `Cancelled` (IOC, market) |
//! | place, FOK that others cannot fill whole at once | `Accepted` and `Cancelled` |
//! | place, IOC, FOK or market with nothing left on the other side, or no book we trust | `Rejected(NoLiquidity)` |
//! | cancel | `Cancelled`, or `CancelRejected(UnknownOrder)` if a fill won the race |
//! | replace | `Replaced` for the new order, which ends the old one; then as for place |
//! | replace, old one gone | `CancelRejected(UnknownOrder)` for the old, `Rejected(UnknownOrder)` for the new |
//! | replace, broken rule | the same two with the rule's reason: rules are checked first, the old order stays |
//! | replace, post-only that would trade | `Cancelled` for the old, `Rejected(WouldTake)` for the new; where the venue does not reject, `Replaced` and the rest as for place |
//!
//! (Binance `cancelReplace`, `STOP_ON_FAILURE`: filters before anything, then the cancellation, then the order.)
//!
//! While the book is not trusted nobody knows what a taker would meet, so takers are refused; orders that rest are
//! taken in behind everything that will show at their price. Our own orders on the other side are not in the
//! displayed book, but at the venue they would be: a post-only order may not reach them either, and what happens to
//! the others is told in `selves`.

use super::super::Visible;
use super::super::filters;
use super::super::habit::{PostOnly, SelfTrade};
use super::super::queue::{Place, QueueModel};
use super::own::Resting;
use super::{Paper, Travelling};
use crate::market::Level;
use crate::order::{Fill, FillWhy, Liquidity, OrderId, OrderKind, RejectReason, ReportKind, Request};
use crate::units::{LocalTime, Lots, Side, Ticks};

/// An order at the venue's door.
pub(super) struct Entering {
    pub(super) id: OrderId,
    pub(super) side: Side,
    pub(super) price: Ticks,
    pub(super) qty: Lots,
    pub(super) kind: OrderKind,
}

impl Entering {
    /// Whether it trades with what rests at `price` on the other side.
    pub(super) fn reaches(&self, price: Ticks) -> bool {
        self.kind == OrderKind::Market || !self.side.is_better(price, self.price)
    }
}

/// Why the rules refuse an order.
fn refusal(order: &Entering, market: &Visible<'_>) -> Option<RejectReason> {
    let twice_mid = market.top.map(|top| top.twice_mid());
    filters::refusal(market.rules, twice_mid, order.kind, order.price, order.qty)
}

impl Paper {
    pub(super) fn carry_out(&mut self, travelling: Travelling, market: &Visible<'_>) {
        let Travelling { arrives: now, in_old_steps, request } = travelling;
        match request {
            Request::Place { id, side, price, qty, kind, .. } => {
                let order = Entering { id, side, price, qty, kind };
                let too_fast = self.comes_too_fast(now).then_some(RejectReason::TooManyRequests);
                let too_fast = too_fast.or(in_old_steps.then_some(RejectReason::PriceFilter));
                match too_fast.or_else(|| self.refuses(&order, market)) {
                    Some(reason) => self.said.say(now, id, ReportKind::Rejected(reason)),
                    None => self.enter(order, None, now, market),
                }
            }
            Request::Cancel { id, .. } => {
                let word = match self.own.remove(id) {
                    Some(order) => ReportKind::Cancelled { remaining: order.remaining },
                    None => ReportKind::CancelRejected(RejectReason::UnknownOrder),
                };
                self.said.say(now, id, word);
            }
            Request::Replace { old, new, price, qty, .. } => {
                let Some(Resting { side, kind, remaining, .. }) = self.own.get(old).cloned() else {
                    return self.refuse_replacement(now, old, new, RejectReason::UnknownOrder);
                };
                let order = Entering { id: new, side, price, qty, kind };
                let too_fast = self.comes_too_fast(now).then_some(RejectReason::TooManyRequests);
                if let Some(reason) = too_fast.or_else(|| refusal(&order, market)) {
                    return self.refuse_replacement(now, old, new, reason);
                }
                self.own.remove(old);
                if self.habits.post_only == PostOnly::Reject && self.would_take(&order, market) {
                    self.said.say(now, old, ReportKind::Cancelled { remaining });
                    self.said.say(now, new, ReportKind::Rejected(RejectReason::WouldTake));
                } else {
                    self.enter(order, Some((old, remaining)), now, market);
                }
            }
        }
    }

    /// Whether one more order is more than the venue takes; if not, it is counted.
    fn comes_too_fast(&mut self, now: LocalTime) -> bool {
        let Some(pace) = self.habits.pace else { return false };
        while self.came.pop_front_if(|then| now.since(*then) >= pace.within).is_some() {}
        let is_full = self.came.len() >= pace.orders as usize;
        if !is_full {
            self.came.push_back(now);
        }
        is_full
    }

    fn refuse_replacement(&mut self, now: LocalTime, old: OrderId, new: OrderId, reason: RejectReason) {
        self.said.say(now, old, ReportKind::CancelRejected(reason));
        self.said.say(now, new, ReportKind::Rejected(reason));
    }

    /// Why a new order does not live.
    fn refuses(&self, order: &Entering, market: &Visible<'_>) -> Option<RejectReason> {
        refusal(order, market).or_else(|| match order.kind {
            OrderKind::Limit => None,
            OrderKind::PostOnly => {
                let is_refused = self.habits.post_only == PostOnly::Reject && self.would_take(order, market);
                is_refused.then_some(RejectReason::WouldTake)
            }
            OrderKind::Ioc | OrderKind::Market | OrderKind::Fok => {
                let other = order.side.opposite();
                let something = facing(other, market).any(|level| self.eaten.left_of(other, level) > Lots::ZERO);
                (!something).then_some(RejectReason::NoLiquidity)
            }
        })
    }

    fn would_take(&self, order: &Entering, market: &Visible<'_>) -> bool {
        order.kind == OrderKind::PostOnly && self.faced(order, market).is_some_and(|price| order.reaches(price))
    }

    /// The nearest price of the other side, others' or our own.
    fn faced(&self, order: &Entering, market: &Visible<'_>) -> Option<Ticks> {
        let other = order.side.opposite();
        // The first that `facing` would name; this is asked of every order twice.
        let shown = market.top.map(|top| top.price(other)).or_else(|| Some(market.book.best(other)?.price));
        let shown = shown.filter(|_| market.trusted);
        let ours = self.own.side(other).first().map(|best| best.price);
        shown.into_iter().chain(ours).min_by_key(|price| -price.0 * other.sign())
    }

    /// The price at which a post-only order that would trade comes to rest, one step away from what it faces.
    fn repriced(&self, order: &Entering, market: &Visible<'_>) -> Option<Ticks> {
        let step_away = Ticks(self.faced(order, market)?.0 - order.side.sign());
        let rules = market.rules;
        Some(rules.price_rule.snap(rules.tick, order.side, step_away)).filter(|price| price.0 > 0)
    }

    /// Takes what it can, then rests or leaves. A post-only order that would trade leaves, or rests elsewhere.
    fn enter(&mut self, mut order: Entering, replaces: Option<(OrderId, Lots)>, now: LocalTime, market: &Visible<'_>) {
        let mut amended = None;
        let mut is_unwelcome = self.would_take(&order, market);
        if is_unwelcome && self.habits.post_only == PostOnly::Reprice {
            amended = self.repriced(&order, market);
            is_unwelcome = amended.is_none();
            order.price = amended.unwrap_or(order.price);
        }
        let (place, displayed) = self.place_in_line(&order, market);
        let queue_ahead = if order.kind.may_rest() { displayed } else { Lots::ZERO };
        let word = match replaces {
            None => ReportKind::Accepted { queue_ahead },
            Some((old, remaining)) => ReportKind::Replaced { old, remaining, queue_ahead },
        };
        self.said.say(now, order.id, word);
        if let Some(price) = amended {
            self.said.say(now, order.id, ReportKind::Amended { price, remaining: order.qty });
        }
        if is_unwelcome {
            return self.said.say(now, order.id, ReportKind::Cancelled { remaining: order.qty });
        }
        let is_killed = order.kind == OrderKind::Fok && !self.could_fill(&order, market);
        let remaining = if is_killed { order.qty } else { self.take(&order, now, market) };
        let Entering { id, side, price, kind, .. } = order;
        if remaining > Lots::ZERO && kind.may_rest() {
            self.stand_among(side, price, remaining, displayed, market);
            let is_exact = self.queue == QueueModel::Fifo && market.trusted;
            let turn = is_exact.then(|| self.line.join(side, price, market.book.qty_at(side, price))).flatten();
            self.own.add(Resting { id, side, price, remaining, kind, place, turn, since: self.depth_time });
        } else if remaining > Lots::ZERO {
            self.said.say(now, id, ReportKind::Cancelled { remaining });
        }
    }

    /// Walks the displayed levels, each at its own price, and meets our own orders where they stand among them; says
    /// what is left of the order and not yet spoken of.
    fn take(&mut self, order: &Entering, now: LocalTime, market: &Visible<'_>) -> Lots {
        let other = order.side.opposite();
        let as_of = self.newest(market);
        let mut remaining = order.qty;
        for level in facing(other, market).take_while(|level| order.reaches(level.price)) {
            let mut here = Lots::ZERO;
            while remaining > Lots::ZERO {
                let ours = self.in_the_way(order, Some(level.price));
                let left = self.eaten.left_of(other, level);
                // At a price of ours, those ahead of us come first.
                let first = match ours {
                    Some((price, _)) if price != level.price => Lots::ZERO,
                    Some((_, ahead)) => left.min((ahead - here).max(Lots::ZERO)),
                    None => left,
                };
                let qty = first.min(remaining);
                if qty > Lots::ZERO {
                    remaining -= qty;
                    here += qty;
                    self.eaten.eat(other, level.price, qty, as_of);
                    self.footprint.saw(level.qty - self.eaten.left_of(other, level), level.qty);
                    let fee = self.fees.charge(market.rules, level.price, qty, Liquidity::Taker);
                    let fill = Fill {
                        side: order.side,
                        price: level.price,
                        qty,
                        remaining,
                        fee,
                        liquidity: Liquidity::Taker,
                        why: FillWhy::Took,
                        queue_ahead: Lots::ZERO,
                    };
                    self.said.say(now, order.id, ReportKind::Filled(fill));
                }
                if ours.is_none() {
                    break;
                }
                if remaining > Lots::ZERO {
                    remaining = self.meet_ourselves(order, remaining, now);
                }
            }
            if remaining == Lots::ZERO {
                return Lots::ZERO;
            }
        }
        while remaining > Lots::ZERO && self.in_the_way(order, None).is_some() {
            remaining = self.meet_ourselves(order, remaining, now);
        }
        remaining
    }

    /// Whether [`Self::take`] would fill an order without a meeting of ours that costs it something.
    fn could_fill(&self, order: &Entering, market: &Visible<'_>) -> bool {
        let other = order.side.opposite();
        let blocks = self.habits.self_trade != SelfTrade::CancelMaker;
        let mut needed = order.qty;
        for level in facing(other, market).take_while(|level| order.reaches(level.price)) {
            let left = self.eaten.left_of(other, level);
            match self.in_the_way(order, Some(level.price)).filter(|_| blocks) {
                Some((price, _)) if price != level.price => break,
                Some((_, ahead)) => return left.min(ahead) >= needed,
                None => needed -= left,
            }
            if needed <= Lots::ZERO {
                break;
            }
        }
        needed <= Lots::ZERO
    }

    /// Notes how big we are at a price we join.
    fn stand_among(&mut self, side: Side, price: Ticks, joining: Lots, displayed: Lots, market: &Visible<'_>) {
        let before: Lots = self.own.side(side).iter().filter(|own| own.price == price).map(|own| own.remaining).sum();
        let ours = before + joining;
        let alone = || market.top.map_or(Lots::ZERO, |top| if side == Side::Bid { top.bid.qty } else { top.ask.qty });
        let others = if displayed > Lots::ZERO { displayed } else { alone() };
        self.footprint.saw(ours, ours + others);
    }

    /// Behind everything displayed at its price, and how much that is.
    fn place_in_line(&self, order: &Entering, market: &Visible<'_>) -> (Place, Lots) {
        let (side, price) = (order.side, order.price);
        let shown = market.book.qty_at(side, price);
        if !market.trusted {
            return (Place::join_unseen(shown), shown);
        }
        if let Some(top) = market.top {
            let best = match side {
                Side::Bid => top.bid,
                Side::Ask => top.ask,
            };
            if price == best.price {
                return (Place::join(best.qty, self.newest(market)), best.qty);
            }
            if side.is_better(price, best.price) {
                return (Place::join(Lots::ZERO, self.newest(market)), Lots::ZERO);
            }
        }
        let is_unseen = shown == Lots::ZERO && market.book.horizon(side).is_some_and(|h| side.is_better(h, price));
        let place = if is_unseen { Place::join_unseen(shown) } else { Place::join(shown, market.book.seq()) };
        (place, shown)
    }
}

/// What an order from the other side meets, best first: the best from whichever channel is ahead, then the levels
/// of the book behind it. Nothing while the book is not trusted.
fn facing<'a>(side: Side, market: &Visible<'a>) -> impl Iterator<Item = Level> + use<'a> {
    let ahead = market.top.map(|top| match side {
        Side::Bid => top.bid,
        Side::Ask => top.ask,
    });
    let book = market.trusted.then(|| market.book.levels(side)).into_iter().flatten();
    let best = ahead.filter(|_| market.trusted);
    best.into_iter().chain(book.filter(move |level| best.is_none_or(|best| side.is_better(best.price, level.price))))
}
