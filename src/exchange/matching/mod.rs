//! A matching engine with price-time priority.
//!
//! Orders trade with the best price first and, at one price, with the oldest order first, always at the price of
//! the order that rested. Everything is whole ticks and lots. A command either is refused and changes nothing, or
//! its consequences are told to the caller's [`Listener`] as [`Record`]s in the order they happened.
//!
//! | kind | trades at once | what is left |
//! |---|---|---|
//! | limit | up to its price | rests |
//! | post-only | never: refused if it would | rests |
//! | IOC | up to its price | is dropped |
//! | FOK | up to its price, all of it or nothing | everything is dropped |
//! | market | at any price; refused if nobody is there | is dropped |
//!
//! **Replacing** ([`Engine::replace`]) a resting order with one of the same price that is not larger keeps its place
//! and its ticket. Any other replacement is a cancellation and a new order in one command: it goes to the back of its
//! queue or trades as it arrives, under a new ticket. So along a queue tickets always grow, and whoever follows single
//! orders needs no rule for an order that moves.
//!
//! **Self-trades** are prevented if the engine is told how ([`Engine::preventing`]) and the orders say whose they are.
//!
//! Orders live in one slab and are chained into the queue of their price by index, prices are found by arithmetic
//! (`ladder`), and a [`Ticket`] names its place in the slab: no search, no hashing, and no allocation once the
//! slab has grown to the market's size. Inside, a price is a *rank*: the price of a bid, minus the price of an ask.
//! The greater rank is the better order on either side, so hardly any code has to ask which side it is on.

mod ladder;
mod record;
mod selves;
#[cfg(test)]
mod tests;

use crate::digest::{self, Digest};
use crate::market::Level;
use crate::order::{OrderKind, RejectReason};
use crate::units::{Lots, Side, Ticks};
use ladder::{Ladder, NIL};
pub use record::{Incoming, Listener, Owner, Record, Ticket};

use super::habit::SelfTrade;

/// The rank of the best order of a side without orders: below every rank, and still below zero with any rank added.
const NOTHING: i64 = -(1 << 60);

/// An order in its slot. Two of them share a cache line.
#[derive(Clone, Copy, Debug)]
struct Resting {
    /// [`Ticket::NOBODY`] while the slot is free.
    ticket: Ticket,
    rank: i64,
    qty: i64,
    ahead: u32,
    /// In a free slot: the next free one.
    behind: u32,
}

impl Resting {
    const NOBODY: Resting = Resting { ticket: Ticket::NOBODY, rank: 0, qty: 0, ahead: NIL, behind: NIL };

    #[inline]
    fn side(&self) -> Side {
        if self.rank > 0 { Side::Bid } else { Side::Ask }
    }

    #[inline]
    fn price(&self) -> i64 {
        self.rank.abs()
    }
}

/// One instrument's book of orders.
#[derive(Clone, Debug)]
pub struct Engine {
    /// Slot [`NIL`] is nobody's: links of ends may be written there, so that nobody has to ask.
    slab: Vec<Resting>,
    /// The first free slot.
    free: u32,
    resting: usize,
    ladder: Ladder,
    /// Rank of the best order, by side.
    best: [i64; 2],
    serial: u64,
    self_trade: Option<SelfTrade>,
    /// Whose order is in a slot; empty unless self-trades are prevented.
    owners: Vec<Owner>,
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
        Self {
            slab: vec![Resting::NOBODY],
            free: NIL,
            resting: 0,
            ladder: Ladder::new(),
            best: [NOTHING; 2],
            serial: 0,
            self_trade: None,
            owners: Vec::new(),
        }
    }

    /// Without orders, and in which two orders of one [`Owner`] never trade with each other.
    pub fn preventing(self_trade: SelfTrade) -> Self {
        Self { self_trade: Some(self_trade), owners: vec![Owner::NOBODY], ..Self::new() }
    }

    /// From now on two orders of one [`Owner`] never trade with each other; orders that rest already are nobody's, unless
    /// self-trades were prevented before.
    pub fn prevent(&mut self, self_trade: SelfTrade) {
        self.self_trade = Some(self_trade);
        self.owners.resize(self.slab.len(), Owner::NOBODY);
    }

    /// Makes room for so many resting orders. While no more rest, and prices stay within 8,192 ticks of the touch, no
    /// command allocates.
    pub fn reserve(&mut self, orders: usize) {
        let more = (orders + 1).saturating_sub(self.slab.len());
        self.slab.reserve(more);
        if self.self_trade.is_some() {
            self.owners.reserve(more);
        }
    }

    /// Takes an order in. The refusals: quantity or price out of range, a post-only order that would trade, a
    /// market order with nobody on the other side.
    ///
    /// Panics when four million orders rest, or after four million million orders.
    #[inline]
    pub fn submit<L: Listener>(&mut self, order: Incoming, listener: &mut L) -> Result<Ticket, RejectReason> {
        let worst = self.admit(&order)?;
        Ok(self.enter(&order, worst, listener))
    }

    /// Takes a resting order back and says what of it had not traded.
    #[inline]
    pub fn cancel<L: Listener>(&mut self, ticket: Ticket, listener: &mut L) -> Result<Lots, RejectReason> {
        let order = *self.find(ticket).ok_or(RejectReason::UnknownOrder)?;
        let (side, price) = (order.side(), Ticks(order.price()));
        let level = self.take_out(&order);
        listener.hear(Record::Removed { ticket, side, price, qty: Lots(order.qty) });
        listener.hear(Record::Level { side, price, qty: Lots(level) });
        Ok(Lots(order.qty))
    }

    /// Puts an order in a resting one's stead, on the same side and for the same owner; `qty` is what may trade from
    /// now on. At the same price and not larger (and of a kind that may rest) it keeps its place and its ticket.
    /// Otherwise the old order is removed and the new one enters as by [`Engine::submit`], trading if it crosses,
    /// under the new ticket that is returned. Refused for the reasons of [`Engine::submit`], or if the old order no
    /// longer rests; the old order then stays as it was.
    pub fn replace<L: Listener>(
        &mut self,
        ticket: Ticket,
        kind: OrderKind,
        price: Ticks,
        qty: Lots,
        listener: &mut L,
    ) -> Result<Ticket, RejectReason> {
        let old = *self.find(ticket).ok_or(RejectReason::UnknownOrder)?;
        let (side, old_price) = (old.side(), Ticks(old.price()));
        let owner = self.owners.get(ticket.slot()).copied().unwrap_or(Owner::NOBODY);
        let order = Incoming { side, kind, price, qty, owner };
        let worst = self.admit(&order)?;
        let is_at_its_price = kind.may_rest() && price == old_price;
        if is_at_its_price && qty.0 <= old.qty {
            self.shrink(ticket, &old, qty.0, listener);
            return Ok(ticket);
        }
        let level = self.take_out(&old);
        listener.hear(Record::Removed { ticket, side, price: old_price, qty: Lots(old.qty) });
        if !is_at_its_price {
            listener.hear(Record::Level { side, price: old_price, qty: Lots(level) });
        }
        Ok(self.enter(&order, worst, listener))
    }

    /// Side, price and what is left of a resting order.
    #[inline]
    pub fn order(&self, ticket: Ticket) -> Option<(Side, Ticks, Lots)> {
        self.find(ticket).map(|o| (o.side(), Ticks(o.price()), Lots(o.qty)))
    }

    /// Best level of a side.
    #[inline]
    pub fn best(&self, side: Side) -> Option<Level> {
        self.best_price(side).map(|price| self.level(price))
    }

    /// Levels of a side, best first.
    pub fn levels(&self, side: Side) -> impl Iterator<Item = Level> + '_ {
        std::iter::successors(self.best_price(side), move |&price| self.ladder.next(side, price))
            .map(|price| self.level(price))
    }

    /// Orders resting at a price, first in line first.
    pub fn queue(&self, price: Ticks) -> impl Iterator<Item = (Ticket, Lots)> + '_ {
        let at = |slot: u32| (slot != NIL).then(|| &self.slab[slot as usize]);
        std::iter::successors(at(self.ladder.get(price.0).head), move |o| at(o.behind)).map(|o| (o.ticket, Lots(o.qty)))
    }

    /// How many orders rest.
    pub fn resting(&self) -> usize {
        self.resting
    }

    /// The fingerprint of every order in its place, and of the tickets to come.
    pub fn digest(&self) -> Digest {
        let orders: Vec<_> = Side::BOTH
            .into_iter()
            .flat_map(|side| self.levels(side).map(move |l| (side, l.price)))
            .map(|(side, price)| {
                let whose = |ticket: Ticket| self.owners.get(ticket.slot());
                let queue = self.queue(price).map(|(ticket, qty)| (ticket, qty, whose(ticket)));
                (side, price, queue.collect::<Vec<_>>())
            })
            .collect();
        let next = |slot: &u32| Some(self.slab[*slot as usize].behind);
        let free: Vec<u32> = std::iter::successors(Some(self.free), next).take_while(|slot| *slot != NIL).collect();
        digest::of_state(&(orders, free, self.serial, self.self_trade))
    }

    fn level(&self, price: i64) -> Level {
        Level { price: Ticks(price), qty: Lots(self.ladder.get(price).qty) }
    }

    fn best_price(&self, side: Side) -> Option<i64> {
        let rank = self.best[side as usize];
        (rank != NOTHING).then_some(rank.abs())
    }

    #[inline]
    fn find(&self, ticket: Ticket) -> Option<&Resting> {
        // No order was ever given the ticket of a free slot; an order that never rested has the slot of nobody.
        self.slab.get(ticket.slot()).filter(|o| o.ticket == ticket && ticket != Ticket::NOBODY)
    }

    /// The lowest rank, seen from its own side, at which an order may trade; or why it is refused.
    #[inline]
    fn admit(&self, order: &Incoming) -> Result<i64, RejectReason> {
        if order.qty.0 <= 0 || order.qty > Self::LOTS_MAX {
            return Err(RejectReason::LotSize);
        }
        if order.kind == OrderKind::Market {
            let worst = Self::PRICE_MAX.0;
            return if self.reaches(order.side, worst) { Ok(worst) } else { Err(RejectReason::NoLiquidity) };
        }
        if order.price.0 < 1 || order.price > Self::PRICE_MAX {
            return Err(RejectReason::PriceFilter);
        }
        let worst = order.side.sign() * order.price.0;
        if order.kind == OrderKind::PostOnly && self.reaches(order.side, worst) {
            return Err(RejectReason::WouldTake);
        }
        Ok(worst)
    }

    /// Whether an order of `side` up to `worst` would trade: the best of the others has the rank of its price with the
    /// other sign.
    #[inline]
    fn reaches(&self, side: Side, worst: i64) -> bool {
        self.best[side.opposite() as usize] + worst >= 0
    }

    /// Trades what it can of an admitted order and rests or drops what is left.
    #[inline]
    fn enter<L: Listener>(&mut self, order: &Incoming, worst: i64, listener: &mut L) -> Ticket {
        let may_rest = order.kind.may_rest();
        let slot = if may_rest { self.take_slot() } else { NIL };
        self.serial += 1;
        assert!(self.serial <= Ticket::SERIAL_MAX, "an engine numbers no more than {} orders", Ticket::SERIAL_MAX);
        let ticket = Ticket::new(self.serial, slot);
        let mut left = order.qty.0;
        if self.reaches(order.side, worst) {
            left = self.trade(order, ticket, worst, listener);
        }
        if may_rest && left > 0 {
            self.rest(order, ticket, slot, worst, left, listener);
        } else if may_rest {
            self.give_slot_back(slot);
        } else if left > 0 {
            listener.hear(Record::Dropped { ticket, qty: Lots(left) });
        }
        ticket
    }

    /// Returns what is left of an order that reaches somebody.
    fn trade<L: Listener>(&mut self, order: &Incoming, ticket: Ticket, worst: i64, listener: &mut L) -> i64 {
        if order.kind == OrderKind::Fok && !self.could_fill(order, worst) {
            return order.qty.0;
        }
        match self.self_trade.filter(|_| order.owner != Owner::NOBODY) {
            None => self.cross::<false, L>(order, ticket, worst, SelfTrade::CancelMaker, listener),
            Some(habit) => self.cross::<true, L>(order, ticket, worst, habit, listener),
        }
    }

    /// Trades up to `worst` and returns what is left.
    fn cross<const GUARDED: bool, L: Listener>(
        &mut self,
        order: &Incoming,
        taker: Ticket,
        worst: i64,
        habit: SelfTrade,
        listener: &mut L,
    ) -> i64 {
        let (side, other) = (order.side, order.side.opposite());
        let mut left = order.qty.0;
        while left > 0 && self.reaches(side, worst) {
            let price = self.best[other as usize].abs();
            let rung = self.ladder.occupied(price);
            let resting_before = rung.qty;
            while left > 0 && rung.head != NIL {
                let slot = rung.head;
                let maker = &mut self.slab[slot as usize];
                if GUARDED && self.owners[slot as usize] == order.owner {
                    let (from_maker, from_taker) = selves::lose(habit, maker.qty, left);
                    maker.qty -= from_maker;
                    rung.qty -= from_maker;
                    left -= from_taker;
                    selves::tell(maker, from_maker, taker, from_taker, listener);
                } else {
                    let qty = left.min(maker.qty);
                    maker.qty -= qty;
                    rung.qty -= qty;
                    left -= qty;
                    listener.hear(Record::Trade {
                        taker,
                        maker: maker.ticket,
                        side,
                        price: Ticks(price),
                        qty: Lots(qty),
                        maker_left: Lots(maker.qty),
                    });
                }
                if maker.qty == 0 {
                    rung.head = maker.behind;
                    maker.ticket = Ticket::NOBODY;
                    maker.behind = self.free;
                    self.free = slot;
                    self.resting -= 1;
                }
            }
            self.slab[rung.head as usize].ahead = NIL;
            let level = rung.qty;
            if !GUARDED || level != resting_before {
                listener.hear(Record::Level { side: other, price: Ticks(price), qty: Lots(level) });
            }
            if level == 0 {
                self.step_back(other, price);
            }
        }
        left
    }

    #[inline]
    fn rest<L: Listener>(
        &mut self,
        order: &Incoming,
        ticket: Ticket,
        slot: u32,
        rank: i64,
        qty: i64,
        listener: &mut L,
    ) {
        let (side, price) = (order.side, order.price);
        if rank > self.best[side as usize] {
            self.best[side as usize] = rank;
            self.ladder.follow(price.0);
        }
        let rung = self.ladder.occupy(price.0);
        let tail = rung.tail;
        rung.head = if tail == NIL { slot } else { rung.head };
        rung.tail = slot;
        rung.qty += qty;
        let level = rung.qty;
        self.slab[tail as usize].behind = slot;
        self.slab[slot as usize] = Resting { ticket, rank, qty, ahead: tail, behind: NIL };
        if self.self_trade.is_some() {
            self.owners[slot as usize] = order.owner;
        }
        self.resting += 1;
        listener.hear(Record::Rested { ticket, side, price, qty: Lots(qty) });
        listener.hear(Record::Level { side, price, qty: Lots(level) });
    }

    /// Takes an order out of its queue, frees its slot, and returns what still rests at its price.
    #[inline]
    fn take_out(&mut self, order: &Resting) -> i64 {
        let price = order.price();
        let rung = self.ladder.occupied(price);
        rung.qty -= order.qty;
        rung.head = if order.ahead == NIL { order.behind } else { rung.head };
        rung.tail = if order.behind == NIL { order.ahead } else { rung.tail };
        let level = rung.qty;
        self.slab[order.ahead as usize].behind = order.behind;
        self.slab[order.behind as usize].ahead = order.ahead;
        self.give_slot_back(order.ticket.slot() as u32);
        self.resting -= 1;
        if level == 0 {
            let side = order.side();
            if self.best[side as usize] == order.rank {
                self.step_back(side, price);
            } else {
                self.ladder.vacate(price);
            }
        }
        level
    }

    /// Makes an order smaller where it stands.
    fn shrink<L: Listener>(&mut self, ticket: Ticket, order: &Resting, left: i64, listener: &mut L) {
        let (side, price, by) = (order.side(), order.price(), order.qty - left);
        if by == 0 {
            return;
        }
        self.slab[ticket.slot()].qty = left;
        let rung = self.ladder.occupied(price);
        rung.qty -= by;
        listener.hear(Record::Reduced { ticket, side, price: Ticks(price), qty: Lots(by), left: Lots(left) });
        listener.hear(Record::Level { side, price: Ticks(price), qty: Lots(rung.qty) });
    }

    /// The level at the best price `gone` has emptied: the next one is the best.
    fn step_back(&mut self, side: Side, gone: i64) {
        self.ladder.vacate(gone);
        match self.ladder.next(side, gone) {
            Some(price) => {
                self.best[side as usize] = side.sign() * price;
                self.ladder.follow(price);
            }
            None => self.best[side as usize] = NOTHING,
        }
    }

    #[inline]
    fn take_slot(&mut self) -> u32 {
        let slot = self.free;
        if slot == NIL {
            return self.new_slot();
        }
        self.free = self.slab[slot as usize].behind;
        slot
    }

    #[cold]
    fn new_slot(&mut self) -> u32 {
        let slot = self.slab.len();
        assert!(slot < Ticket::SLOTS_MAX, "fewer than {} orders rest", Ticket::SLOTS_MAX);
        self.slab.push(Resting::NOBODY);
        if self.self_trade.is_some() {
            self.owners.push(Owner::NOBODY);
        }
        slot as u32
    }

    #[inline]
    fn give_slot_back(&mut self, slot: u32) {
        let order = &mut self.slab[slot as usize];
        order.ticket = Ticket::NOBODY;
        order.behind = self.free;
        self.free = slot;
    }
}
