//! A matching engine with price-time priority.
//!
//! Orders trade with the best price first and, at one price, with the oldest order first, always at the price of
//! the order that rested. Everything is whole ticks and lots. A command either is refused and changes nothing, or
//! its consequences are appended to the caller's list of [`Record`]s in the order they happened.
//!
//! Orders live in one slab and are chained into the queue of their price by index, prices are found by arithmetic
//! (`ladder`), and a [`Ticket`] names its place in the slab: no search, no hashing, and no allocation once the
//! slab has grown to the market's size.

mod ladder;

use serde::{Deserialize, Serialize};

use crate::digest::{self, Digest};
use crate::market::Level;
use crate::order::{OrderKind, RejectReason};
use crate::units::{Lots, Side, Ticks};
use ladder::{Ladder, NIL, Rung};

/// The engine's name for an order, never given twice. Later orders have greater tickets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Ticket(u64);

impl Ticket {
    const SLOT_BITS: u32 = 24;
    const NO_SLOT: u32 = (1 << Self::SLOT_BITS) - 1;

    fn new(serial: u64, slot: u32) -> Self {
        Self(serial << Self::SLOT_BITS | u64::from(slot))
    }

    /// A small number, unique among resting orders and used again after them: an index for the owner's own lists.
    pub fn slot(self) -> usize {
        (self.0 & u64::from(Self::NO_SLOT)) as usize
    }

    /// As a plain number, for feeds that name orders.
    pub fn number(self) -> u64 {
        self.0
    }
}

/// A new order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Incoming {
    /// Buy or sell.
    pub side: Side,
    /// How it may trade.
    pub kind: OrderKind,
    /// Limit price; a market order's is not looked at.
    pub price: Ticks,
    /// How much, positive.
    pub qty: Lots,
}

/// One thing that happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Record {
    /// Two orders traded, at the price of the one that rested.
    Trade {
        /// Who crossed.
        taker: Ticket,
        /// Who rested.
        maker: Ticket,
        /// `Bid`: the taker bought.
        side: Side,
        /// The maker's price.
        price: Ticks,
        /// How much.
        qty: Lots,
        /// What still rests of the maker's order; zero ends it.
        maker_left: Lots,
    },
    /// An order (or what was left of it) joined the back of its queue.
    Rested {
        /// Which.
        ticket: Ticket,
        /// Which side.
        side: Side,
        /// Where.
        price: Ticks,
        /// How much.
        qty: Lots,
    },
    /// A resting order was cancelled.
    Removed {
        /// Which.
        ticket: Ticket,
        /// Which side.
        side: Side,
        /// Where it was.
        price: Ticks,
        /// What had not traded.
        qty: Lots,
    },
    /// What an immediate or market order could not trade is gone.
    Dropped {
        /// Which.
        ticket: Ticket,
        /// How much.
        qty: Lots,
    },
    /// What now rests at a price, once per price and command; zero empties the level.
    Level {
        /// Which side.
        side: Side,
        /// Where.
        price: Ticks,
        /// How much.
        qty: Lots,
    },
}

#[derive(Clone, Copy, Debug)]
struct Resting {
    ticket: Ticket,
    side: Side,
    price: i64,
    qty: i64,
    ahead: u32,
    behind: u32,
}

/// One instrument's book of orders.
#[derive(Clone, Debug)]
pub struct Engine {
    /// A slot that is not in `free` rests.
    slab: Vec<Resting>,
    free: Vec<u32>,
    ladder: Ladder,
    best_bid: Option<i64>,
    best_ask: Option<i64>,
    serial: u64,
}

impl Default for Engine {
    fn default() -> Self {
        Self::new()
    }
}

impl Engine {
    /// The largest order; sums over a full book stay within 63 bits.
    pub const LOTS_MAX: Lots = Lots(1 << 38);
    /// The highest price.
    pub const PRICE_MAX: Ticks = Ticks(1 << 48);

    /// Without orders.
    pub fn new() -> Self {
        Self { slab: Vec::new(), free: Vec::new(), ladder: Ladder::new(), best_bid: None, best_ask: None, serial: 0 }
    }

    /// Takes an order in. The refusals: quantity or price out of range, a post-only order that would trade, a
    /// market order with nobody on the other side.
    pub fn submit(&mut self, order: Incoming, records: &mut Vec<Record>) -> Result<Ticket, RejectReason> {
        if order.qty.0 <= 0 || order.qty > Self::LOTS_MAX {
            return Err(RejectReason::LotSize);
        }
        let worst = match (order.kind, order.side) {
            (OrderKind::Market, Side::Bid) => i64::MAX,
            (OrderKind::Market, Side::Ask) => i64::MIN,
            (OrderKind::Limit | OrderKind::PostOnly | OrderKind::Ioc, _) => {
                if order.price.0 < 1 || order.price > Self::PRICE_MAX {
                    return Err(RejectReason::PriceFilter);
                }
                order.price.0
            }
        };
        match order.kind {
            OrderKind::PostOnly if self.reaches(order.side, worst) => return Err(RejectReason::WouldTake),
            OrderKind::Market if !self.reaches(order.side, worst) => return Err(RejectReason::NoLiquidity),
            OrderKind::Limit | OrderKind::PostOnly | OrderKind::Ioc | OrderKind::Market => {}
        }
        let slot = if order.kind.may_rest() { self.take_slot() } else { Ticket::NO_SLOT };
        self.serial += 1;
        let ticket = Ticket::new(self.serial, slot);
        let left = self.cross(ticket, order.side, worst, order.qty.0, records);
        if order.kind.may_rest() && left > 0 {
            self.rest(ticket, slot, order.side, order.price.0, left, records);
        } else if order.kind.may_rest() {
            self.free.push(slot);
        } else if left > 0 {
            records.push(Record::Dropped { ticket, qty: Lots(left) });
        }
        Ok(ticket)
    }

    /// Takes a resting order back and says what of it had not traded.
    pub fn cancel(&mut self, ticket: Ticket, records: &mut Vec<Record>) -> Result<Lots, RejectReason> {
        let order = *self.find(ticket).ok_or(RejectReason::UnknownOrder)?;
        let slot = ticket.slot() as u32;
        records.push(Record::Removed { ticket, side: order.side, price: Ticks(order.price), qty: Lots(order.qty) });
        let mut rung = self.ladder.get(order.price);
        rung.qty -= order.qty;
        match order.ahead {
            NIL => rung.head = order.behind,
            ahead => self.slab[ahead as usize].behind = order.behind,
        }
        match order.behind {
            NIL => rung.tail = order.ahead,
            behind => self.slab[behind as usize].ahead = order.ahead,
        }
        self.release(slot);
        self.ladder.put(order.price, rung);
        records.push(Record::Level { side: order.side, price: Ticks(order.price), qty: Lots(rung.qty) });
        if rung.head == NIL && self.best_price(order.side) == Some(order.price) {
            self.step_back(order.side, order.price);
        }
        Ok(Lots(order.qty))
    }

    /// Side, price and what is left of a resting order.
    pub fn order(&self, ticket: Ticket) -> Option<(Side, Ticks, Lots)> {
        self.find(ticket).map(|o| (o.side, Ticks(o.price), Lots(o.qty)))
    }

    /// Best level of a side.
    pub fn best(&self, side: Side) -> Option<Level> {
        self.best_price(side).map(|p| Level { price: Ticks(p), qty: Lots(self.ladder.get(p).qty) })
    }

    /// Levels of a side, best first.
    pub fn levels(&self, side: Side) -> impl Iterator<Item = Level> + '_ {
        std::iter::successors(self.best_price(side), move |&p| match side {
            Side::Bid => self.ladder.below(p),
            Side::Ask => self.ladder.above(p),
        })
        .map(|p| Level { price: Ticks(p), qty: Lots(self.ladder.get(p).qty) })
    }

    /// Orders resting at a price, first in line first.
    pub fn queue(&self, price: Ticks) -> impl Iterator<Item = (Ticket, Lots)> + '_ {
        let first = self.ladder.get(price.0).head;
        std::iter::successors(self.slab.get(first as usize), |o| self.slab.get(o.behind as usize))
            .map(|o| (o.ticket, Lots(o.qty)))
    }

    /// How many orders rest.
    pub fn resting(&self) -> usize {
        self.slab.len() - self.free.len()
    }

    /// The fingerprint of every order in its place, and of the tickets to come.
    pub fn digest(&self) -> Digest {
        let orders: Vec<_> = Side::BOTH
            .into_iter()
            .flat_map(|side| self.levels(side).map(move |l| (side, l.price)))
            .map(|(side, price)| (side, price, self.queue(price).collect::<Vec<_>>()))
            .collect();
        digest::of_state(&(orders, &self.free, self.serial))
    }

    fn best_price(&self, side: Side) -> Option<i64> {
        match side {
            Side::Bid => self.best_bid,
            Side::Ask => self.best_ask,
        }
    }

    fn set_best(&mut self, side: Side, price: Option<i64>) {
        match side {
            Side::Bid => self.best_bid = price,
            Side::Ask => self.best_ask = price,
        }
    }

    /// The level at the best price `gone` has emptied: the next one is the best.
    fn step_back(&mut self, side: Side, gone: i64) {
        let next = match side {
            Side::Bid => self.ladder.below(gone),
            Side::Ask => self.ladder.above(gone),
        };
        self.set_best(side, next);
        if let Some(touch) = next {
            self.ladder.follow(touch);
        }
    }

    /// Whether an order of `side` up to `worst` would trade.
    fn reaches(&self, side: Side, worst: i64) -> bool {
        self.best_price(side.opposite()).is_some_and(|best| match side {
            Side::Bid => best <= worst,
            Side::Ask => best >= worst,
        })
    }

    fn find(&self, ticket: Ticket) -> Option<&Resting> {
        // A free slot keeps its last order's ticket with nothing left of it.
        self.slab.get(ticket.slot()).filter(|o| o.ticket == ticket && o.qty > 0)
    }

    fn take_slot(&mut self) -> u32 {
        self.free.pop().unwrap_or_else(|| {
            let slot = self.slab.len() as u32;
            assert!(slot < Ticket::NO_SLOT, "fewer than {} orders rest", Ticket::NO_SLOT);
            let nobody = Ticket::new(0, slot);
            self.slab.push(Resting { ticket: nobody, side: Side::Bid, price: 0, qty: 0, ahead: NIL, behind: NIL });
            slot
        })
    }

    fn release(&mut self, slot: u32) {
        self.slab[slot as usize].qty = 0;
        self.free.push(slot);
    }

    /// Trades up to `worst` and returns what is left of `qty`.
    fn cross(&mut self, taker: Ticket, side: Side, worst: i64, mut qty: i64, records: &mut Vec<Record>) -> i64 {
        let resting_side = side.opposite();
        while qty > 0 && self.reaches(side, worst) {
            let price = self.best_price(resting_side).expect("a side that is reached has a best price");
            let mut rung = self.ladder.get(price);
            while qty > 0 && rung.head != NIL {
                let slot = rung.head;
                let maker = &mut self.slab[slot as usize];
                let traded = qty.min(maker.qty);
                maker.qty -= traded;
                rung.qty -= traded;
                qty -= traded;
                records.push(Record::Trade {
                    taker,
                    maker: maker.ticket,
                    side,
                    price: Ticks(price),
                    qty: Lots(traded),
                    maker_left: Lots(maker.qty),
                });
                if maker.qty == 0 {
                    rung.head = maker.behind;
                    match rung.head {
                        NIL => rung.tail = NIL,
                        next => self.slab[next as usize].ahead = NIL,
                    }
                    self.release(slot);
                }
            }
            self.ladder.put(price, rung);
            records.push(Record::Level { side: resting_side, price: Ticks(price), qty: Lots(rung.qty) });
            if rung.head == NIL {
                self.step_back(resting_side, price);
            }
        }
        qty
    }

    fn rest(&mut self, ticket: Ticket, slot: u32, side: Side, price: i64, qty: i64, records: &mut Vec<Record>) {
        if self.best_price(side).is_none_or(|best| side.is_better(Ticks(price), Ticks(best))) {
            self.set_best(side, Some(price));
            self.ladder.follow(price);
        }
        let Rung { head, tail, qty: resting } = self.ladder.get(price);
        self.slab[slot as usize] = Resting { ticket, side, price, qty, ahead: tail, behind: NIL };
        if tail != NIL {
            self.slab[tail as usize].behind = slot;
        }
        let rung = Rung { head: if head == NIL { slot } else { head }, tail: slot, qty: resting + qty };
        self.ladder.put(price, rung);
        records.push(Record::Rested { ticket, side, price: Ticks(price), qty: Lots(qty) });
        records.push(Record::Level { side, price: Ticks(price), qty: Lots(rung.qty) });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(side: Side, kind: OrderKind, price: i64, qty: i64) -> Incoming {
        Incoming { side, kind, price: Ticks(price), qty: Lots(qty) }
    }

    /// Submits and returns `(ticket, trades as (maker, price, qty))`.
    fn send(engine: &mut Engine, incoming: Incoming) -> (Ticket, Vec<(Ticket, i64, i64)>) {
        let mut records = Vec::new();
        let ticket = engine.submit(incoming, &mut records).expect("the story's orders are legal");
        let trades = records.iter().filter_map(|r| match r {
            Record::Trade { maker, price, qty, .. } => Some((*maker, price.0, qty.0)),
            Record::Rested { .. } | Record::Removed { .. } | Record::Dropped { .. } | Record::Level { .. } => None,
        });
        (ticket, trades.collect())
    }

    #[test]
    fn the_better_price_trades_first_then_the_older_order_and_always_at_the_resting_price() {
        let mut e = Engine::new();
        let (old, _) = send(&mut e, order(Side::Ask, OrderKind::Limit, 101, 5));
        let (young, _) = send(&mut e, order(Side::Ask, OrderKind::Limit, 101, 5));
        let (cheap, _) = send(&mut e, order(Side::Ask, OrderKind::Limit, 100, 2));
        // 8 lots at up to 103: 2 at 100, then 5 of the older and 1 of the younger at 101.
        let (_, trades) = send(&mut e, order(Side::Bid, OrderKind::Limit, 103, 8));
        assert_eq!(trades, [(cheap, 100, 2), (old, 101, 5), (young, 101, 1)]);
        assert_eq!(e.best(Side::Ask), Some(Level { price: Ticks(101), qty: Lots(4) }));
        assert_eq!(e.order(young), Some((Side::Ask, Ticks(101), Lots(4))));
        assert_eq!(e.best(Side::Bid), None, "nothing of the buyer was left to rest");
    }

    #[test]
    fn what_a_limit_order_cannot_trade_rests_and_what_an_immediate_one_cannot_is_dropped() {
        let mut e = Engine::new();
        send(&mut e, order(Side::Ask, OrderKind::Limit, 100, 3));
        let (buyer, trades) = send(&mut e, order(Side::Bid, OrderKind::Limit, 100, 5));
        assert_eq!((trades.len(), e.order(buyer)), (1, Some((Side::Bid, Ticks(100), Lots(2)))));
        let mut records = Vec::new();
        let seller = e.submit(order(Side::Ask, OrderKind::Ioc, 100, 7), &mut records).unwrap();
        assert_eq!(records.last(), Some(&Record::Dropped { ticket: seller, qty: Lots(5) }));
        assert_eq!(e.resting(), 0);
        assert_eq!(e.submit(order(Side::Ask, OrderKind::Market, 0, 1), &mut records), Err(RejectReason::NoLiquidity));
    }

    #[test]
    fn a_post_only_order_never_takes_and_a_spent_ticket_cancels_nothing() {
        let mut e = Engine::new();
        let mut records = Vec::new();
        let (ask, _) = send(&mut e, order(Side::Ask, OrderKind::PostOnly, 100, 3));
        let crossing = order(Side::Bid, OrderKind::PostOnly, 100, 1);
        assert_eq!(e.submit(crossing, &mut records), Err(RejectReason::WouldTake));
        assert_eq!(e.cancel(ask, &mut records), Ok(Lots(3)));
        assert_eq!(e.cancel(ask, &mut records), Err(RejectReason::UnknownOrder));
        // The slot is used again; the old ticket must not reach the new order.
        let (next, _) = send(&mut e, order(Side::Ask, OrderKind::Limit, 100, 1));
        assert_eq!((next.slot(), e.cancel(ask, &mut records)), (ask.slot(), Err(RejectReason::UnknownOrder)));
        assert_eq!(e.order(next), Some((Side::Ask, Ticks(100), Lots(1))));
    }

    #[test]
    fn the_touch_may_leap_across_the_window_without_losing_a_level() {
        let mut e = Engine::new();
        for p in [10, 100_000, 5_000_000] {
            send(&mut e, order(Side::Bid, OrderKind::Limit, p, 1));
        }
        send(&mut e, order(Side::Ask, OrderKind::Limit, 9_000_000, 1));
        let (_, trades) = send(&mut e, order(Side::Ask, OrderKind::Market, 0, 2));
        assert_eq!(trades.iter().map(|t| t.1).collect::<Vec<_>>(), [5_000_000, 100_000]);
        assert_eq!(e.best(Side::Bid).map(|l| l.price), Some(Ticks(10)));
        assert_eq!(e.best(Side::Ask).map(|l| l.price), Some(Ticks(9_000_000)));
    }
}
