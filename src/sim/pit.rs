//! Where the crowd meets the engine.
//!
//! Nothing is instant. Who wakes up sees the book as it was one latency ago, what he sends arrives one latency later,
//! and what came of it he hears one latency after that. Everything on its way is in the [`Agenda`], in the order it
//! was sent, so two messages of one sender never overtake each other.
//!
//! An order is known by its [`Key`] from the moment it is sent until its owner has heard of its end: that is exactly
//! as long as the owner may believe that it is alive.

use std::collections::VecDeque;

use super::activity::Pace;
use super::agenda::Agenda;
use super::message::{Due, Key, News, Notice, Order, Top, Traffic, Who};
use super::reflex::Reflex;
use super::scenario::{Schedule, Weather};
use super::spec::MarketSpec;
use super::value::Value;
use super::world::{WorldEvent, WorldEventKind};
use crate::digest::{self, Digest};
use crate::exchange::habit::SelfTrade;
use crate::exchange::matching::{Engine, Incoming, Owner, Record, Ticket};
use crate::order::{OrderKind, RejectReason};
use crate::units::{Lots, Nanos, Side, Ticks};

/// Update ids start here: beyond 32 bits, as at real venues.
const FIRST_UPDATE: u64 = 70_000_000_000;
/// Trade ids start here.
const FIRST_TRADE: u64 = 5_000_000_000;
/// Us, in the book of orders.
const US: Owner = Owner(1);
/// How many changes of the best prices are remembered for those who hear of them late.
const MEMORY: usize = 1024;

/// The exchange of one market, and everything on its way to and from it.
#[derive(Clone, Debug)]
pub(super) struct Pit {
    pub now: Nanos,
    pub weather: Weather,
    pub traffic: Traffic,
    /// Lots taken since the beginning, by buyers and by sellers.
    pub taken: [u64; 2],
    pub events: Vec<WorldEvent>,
    pub watches_orders: bool,
    /// Prints of our orders, in the order in which we hear of them or nearly so.
    fills: VecDeque<Notice>,
    notices: Vec<Notice>,
    symbol: u16,
    spec: MarketSpec,
    engine: Engine,
    agenda: Agenda<Due>,
    orders: Vec<Order>,
    free: Vec<u32>,
    /// Place in `orders`, by the engine's slot.
    by_slot: Vec<u32>,
    /// A ring; `newest` is where the last one stands.
    tops: Vec<Top>,
    newest: usize,
    value: Value,
    pace: Option<Pace>,
    schedule: Schedule,
    /// What trades have added to the value, for those who believe it; when it last moved.
    reflex: Reflex,
    update: u64,
    trade: u64,
    last_price: Ticks,
    records: Vec<Record>,
}

impl Pit {
    pub fn new(
        symbol: u16,
        spec: &MarketSpec,
        value: Value,
        pace: Option<Pace>,
        schedule: Schedule,
        birth: Nanos,
    ) -> Self {
        let away = Ticks(spec.rescue.depth_ticks);
        let top = Top { at: birth, bid: spec.start() - away, ask: spec.start() + away };
        let mut pit = Self {
            now: birth,
            weather: schedule.at(birth),
            traffic: Traffic::default(),
            taken: [0; 2],
            events: Vec::new(),
            watches_orders: false,
            fills: VecDeque::new(),
            notices: Vec::new(),
            symbol,
            engine: Engine::new(),
            agenda: Agenda::default(),
            orders: Vec::new(),
            free: Vec::new(),
            by_slot: Vec::new(),
            tops: vec![top; MEMORY],
            newest: 0,
            value,
            pace,
            schedule,
            reflex: Reflex::new(spec.reflexive, birth),
            update: FIRST_UPDATE,
            trade: FIRST_TRADE,
            last_price: spec.start(),
            records: Vec::new(),
            spec: spec.clone(),
        };
        pit.settle();
        pit
    }

    /// What is due next, by `until`; the clock goes there.
    #[inline]
    pub fn next(&mut self, until: Nanos) -> Option<Due> {
        let (at, due) = self.agenda.pop(until)?;
        self.now = at;
        if at >= self.weather.until {
            self.weather = self.schedule.at(at);
        }
        Some(due)
    }

    pub fn next_at(&self) -> Option<Nanos> {
        self.agenda.next_at()
    }

    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    pub fn update(&self) -> u64 {
        self.update
    }

    /// What the thing is worth now, ticks.
    pub fn value(&mut self) -> f64 {
        self.value.at(self.now)
    }

    /// What the thing was worth when the clock last moved.
    pub fn value_now(&self) -> f64 {
        self.value.now()
    }

    /// What it will be worth.
    pub fn value_ahead(&mut self, by: Nanos) -> f64 {
        self.value.ahead(self.now, self.now + by)
    }

    /// What the thing is worth to those who think that trades tell.
    pub fn reflexive_value(&mut self) -> f64 {
        let now = self.now;
        self.value() + self.reflex.at(now)
    }

    /// The best prices as they were one latency ago.
    #[inline]
    pub fn seen(&self, latency: Nanos) -> Top {
        let then = self.now - latency;
        for back in 0..MEMORY {
            let top = self.tops[(self.newest + MEMORY - back) % MEMORY];
            if top.at <= then {
                return top;
            }
        }
        self.tops[(self.newest + 1) % MEMORY]
    }

    /// When so much time will have passed on the market's own clock, which is ours if activity does not change.
    #[inline]
    pub fn later(&mut self, wait: Nanos) -> Nanos {
        match &mut self.pace {
            None => self.now + wait,
            Some(pace) => pace.after(self.now, wait),
        }
    }

    /// A hidden intention begins (nothing executed yet) or has ended; told to those who watch orders.
    pub fn intends(&mut self, who: Who, side: Side, executed: Lots) {
        if self.watches_orders {
            let kind = WorldEventKind::Metaorder { id: who.number(), side, executed };
            self.events.push(WorldEvent { at: self.now, symbol: self.symbol, update: self.update, kind });
        }
    }

    /// Wakes somebody up.
    #[inline]
    pub fn wake(&mut self, who: Who, at: Nanos) {
        self.agenda.push(at, Due::Wake(who));
    }

    /// Sends an order; it arrives one latency later. With a lifetime its cancellation follows it that much later.
    #[inline]
    pub fn send(&mut self, owner: Who, latency: Nanos, order: Incoming, life: Option<Nanos>) -> Key {
        let Incoming { side, kind, price, qty, .. } = order;
        let slot = self.free.pop().unwrap_or_else(|| {
            let nobody =
                Order { owner, generation: 0, ticket: None, side, kind, price: Ticks::ZERO, qty: Lots::ZERO, latency };
            self.orders.push(nobody);
            (self.orders.len() - 1) as u32
        });
        let generation = self.orders[slot as usize].generation;
        self.orders[slot as usize] = Order { owner, generation, ticket: None, side, kind, price, qty, latency };
        let arrives = self.now + latency;
        self.agenda.push(arrives, Due::Arrive(slot));
        let key = Key { slot, generation };
        if let Some(life) = life {
            let leaves = self.later(life) + latency;
            self.agenda.push(leaves, Due::Cancel(key));
        }
        key
    }

    /// Sends a cancellation, if the owner has not heard yet that the order is gone.
    #[inline]
    pub fn take_back(&mut self, key: Key) -> bool {
        let Some(latency) = self.order(key).map(|order| order.latency) else { return false };
        self.agenda.push(self.now + latency, Due::Cancel(key));
        true
    }

    /// Lots before an order in its queue.
    pub fn ahead_of(&self, key: Key) -> Option<Lots> {
        let ticket = self.order(key)?.ticket?;
        let (_, price, _) = self.engine.order(ticket)?;
        Some(self.before(ticket, price))
    }

    fn before(&self, ticket: Ticket, price: Ticks) -> Lots {
        self.engine.queue(price).take_while(|(order, _)| *order != ticket).map(|(_, qty)| qty).sum()
    }

    /// Orders of ours do not trade with each other.
    pub fn prevent_self_trades(&mut self) {
        self.engine.prevent(SelfTrade::CancelMaker);
    }

    /// We hear that a cancellation was refused, unless we have heard of the order's end.
    pub fn stays(&mut self, key: Key, reason: RejectReason) {
        if self.order(key).is_some() {
            self.inform(Some((key.slot, News::Stays(reason))));
        }
    }

    /// An order its owner may believe to be alive.
    #[inline]
    pub fn order(&self, key: Key) -> Option<&Order> {
        self.orders.get(key.slot as usize).filter(|o| o.generation == key.generation)
    }

    pub fn owner(&self, slot: u32) -> Who {
        self.orders[slot as usize].owner
    }

    pub fn side(&self, slot: u32) -> Side {
        self.orders[slot as usize].side
    }

    /// We hear something about an order of ours, and first of every print that we should have heard of by now.
    pub fn inform(&mut self, about: Option<(u32, News)>) {
        while let Some(fill) = self.fills.front().filter(|f| f.at <= self.now) {
            self.notices.push(*fill);
            self.fills.pop_front();
        }
        if let Some((slot, news)) = about {
            let key = self.orders[slot as usize].key(slot);
            self.notices.push(Notice { at: self.now, key, news });
        }
    }

    /// What we have heard since we last asked.
    pub fn take_notices(&mut self) -> std::vec::Drain<'_, Notice> {
        self.inform(None);
        self.notices.drain(..)
    }

    /// Its owner has heard of its end: the name is good no more.
    #[inline]
    pub fn forget(&mut self, slot: u32) {
        let order = &mut self.orders[slot as usize];
        order.generation = order.generation.wrapping_add(1);
        self.free.push(slot);
    }

    /// An order arrives.
    #[inline]
    pub fn arrive(&mut self, slot: u32) {
        self.traffic.orders += 1;
        let Order { owner, side, kind, price, qty, latency, .. } = self.orders[slot as usize];
        let heard = self.now + latency;
        // Whose an order is matters to nobody else: the crowd trades with itself as it likes.
        let whose = if owner == Who::OUTSIDE { US } else { Owner::NOBODY };
        let verdict = match self.weather.closed {
            true => Err(RejectReason::NotTrading),
            false => self.engine.submit(Incoming::new(side, kind, price, qty).by(whose), &mut self.records),
        };
        let ticket = match verdict {
            Ok(ticket) => ticket,
            Err(reason) => {
                self.traffic.refusals += 1;
                self.agenda.push(heard, Due::Refused(slot, reason));
                return;
            }
        };
        let traded = self.tell(Some(slot));
        match self.engine.order(ticket) {
            Some(_) => {
                let at = ticket.slot();
                if self.by_slot.len() <= at {
                    self.by_slot.resize(at + 1, u32::MAX);
                }
                self.by_slot[at] = slot;
                self.orders[slot as usize].ticket = Some(ticket);
                if traded > Lots::ZERO {
                    self.agenda.push(heard, Due::Trades(slot, traded));
                }
                let ahead = if owner == Who::OUTSIDE { self.before(ticket, price) } else { Lots::ZERO };
                self.agenda.push(heard, Due::Rests(slot, ahead));
            }
            None if traded == qty => self.agenda.push(heard, Due::Filled(slot, traded)),
            None => {
                if traded > Lots::ZERO {
                    self.agenda.push(heard, Due::Trades(slot, traded));
                }
                self.agenda.push(heard, Due::Ended(slot, qty - traded));
            }
        }
        self.settle();
    }

    /// A cancellation arrives; one for an order that is gone is told by what ended it.
    #[inline]
    pub fn cancel(&mut self, key: Key) {
        let Some(&Order { owner, ticket: Some(ticket), latency, .. }) = self.order(key) else { return };
        self.traffic.cancels += 1;
        if self.weather.closed {
            self.traffic.refusals += 1;
            if owner == Who::OUTSIDE {
                self.agenda.push(self.now + latency, Due::Stays(key, RejectReason::NotTrading));
                return;
            }
            // The crowd tries again when the venue is back.
            if self.weather.until < Nanos(i64::MAX) {
                self.agenda.push(self.weather.until + latency, Due::Cancel(key));
            }
            return;
        }
        let left = self.engine.cancel(ticket, &mut self.records).expect("an order with a ticket rests");
        self.orders[key.slot as usize].ticket = None;
        self.agenda.push(self.now + latency, Due::Ended(key.slot, left));
        self.tell(None);
        self.settle();
    }

    /// Turns one command's records into events under one update id, and news of its trades. Returns what the taker
    /// traded.
    #[inline]
    fn tell(&mut self, taker_slot: Option<u32>) -> Lots {
        let mut records = std::mem::take(&mut self.records);
        if !records.iter().any(|r| !matches!(r, Record::Dropped { .. })) {
            // Nothing that anybody could see.
            records.clear();
            self.records = records;
            return Lots::ZERO;
        }
        self.update += 1;
        let (at, symbol, update) = (self.now, self.symbol, self.update);
        let mut taken = Lots::ZERO;
        for record in records.drain(..) {
            if let (Record::Removed { ticket, qty, .. }, Some(_)) = (&record, taker_slot) {
                // It rested in the way of another order of its owner.
                let slot = self.by_slot[ticket.slot()];
                let order = &mut self.orders[slot as usize];
                order.ticket = None;
                self.agenda.push(at + order.latency, Due::Ended(slot, *qty));
            }
            let kind = match record {
                Record::Trade { taker, maker, side, price, qty, maker_left } => {
                    self.trade += 1;
                    self.traffic.trades += 1;
                    self.last_price = price;
                    self.taken[side as usize] += qty.0 as u64;
                    taken += qty;
                    let slot = self.by_slot[maker.slot()];
                    let order = &mut self.orders[slot as usize];
                    let heard = self.now + order.latency;
                    if order.owner == Who::OUTSIDE {
                        self.fills.push_back(Notice {
                            at: heard,
                            key: order.key(slot),
                            news: News::Trades { qty, price },
                        });
                    }
                    if maker_left == Lots::ZERO {
                        order.ticket = None;
                        self.agenda.push(heard, Due::Filled(slot, qty));
                    } else {
                        self.agenda.push(heard, Due::Trades(slot, qty));
                    }
                    if let Some(slot) = taker_slot {
                        let order = &self.orders[slot as usize];
                        if order.owner == Who::OUTSIDE {
                            let at = self.now + order.latency;
                            self.fills.push_back(Notice {
                                at,
                                key: order.key(slot),
                                news: News::Trades { qty, price },
                            });
                        }
                    }
                    WorldEventKind::Trade { id: self.trade, order: taker, maker, taker: side, price, qty }
                }
                Record::Level { side, price, qty } => WorldEventKind::Level { side, price, qty },
                Record::Rested { ticket, side, price, qty } if self.watches_orders => {
                    WorldEventKind::Joined { order: ticket, side, price, qty }
                }
                Record::Removed { ticket, side, price, qty } if self.watches_orders => {
                    WorldEventKind::Left { order: ticket, side, price, qty }
                }
                Record::Rested { .. } | Record::Removed { .. } | Record::Dropped { .. } | Record::Reduced { .. } => {
                    continue;
                }
            };
            self.events.push(WorldEvent { at, symbol, update, kind });
        }
        self.records = records;
        if taken > Lots::ZERO
            && let Some(slot) = taker_slot
        {
            self.reflex.take(at, self.orders[slot as usize].side, taken);
        }
        taken
    }

    /// After a command: no side stays empty, and the best prices are written down if they are new.
    #[inline]
    fn settle(&mut self) {
        let (bid, ask) = (self.engine.best(Side::Bid), self.engine.best(Side::Ask));
        let (Some(bid), Some(ask)) = (bid, ask) else { return self.rescue() };
        let last = self.tops[self.newest];
        if (last.bid, last.ask) == (bid.price, ask.price) {
            return;
        }
        // Of two changes in one instant only the second was ever seen.
        if last.at < self.now {
            self.newest = (self.newest + 1) % MEMORY;
        }
        self.tops[self.newest] = Top { at: self.now, bid: bid.price, ask: ask.price };
    }

    /// An empty side gets one order.
    #[cold]
    fn rescue(&mut self) {
        for side in Side::BOTH {
            if self.engine.best(side).is_some() {
                continue;
            }
            self.traffic.rescues += 1;
            let from = self.engine.best(side.opposite()).map_or(self.last_price, |l| l.price);
            let price = Ticks((from.0 - side.sign() * self.spec.rescue.depth_ticks).max(1));
            let order = Incoming::new(side, OrderKind::PostOnly, price, Lots(self.spec.rescue.lots));
            // At once, and without a message: this is a rule of the house.
            let key = self.send_at_once(order);
            if key.is_none() && from.0 <= 1 {
                // Below the lowest price there is no room for a buyer; somebody will come.
                return;
            }
        }
        self.settle();
    }

    fn send_at_once(&mut self, order: Incoming) -> Option<Ticket> {
        let ticket = self.engine.submit(order, &mut self.records).ok()?;
        let Incoming { side, kind, price, qty, .. } = order;
        let slot = self.free.pop().unwrap_or(self.orders.len() as u32);
        let generation = self.orders.get(slot as usize).map_or(0, |o| o.generation);
        let latency = Nanos::ZERO;
        let resting = Order { owner: Who::HOUSE, generation, ticket: Some(ticket), side, kind, price, qty, latency };
        match self.orders.get_mut(slot as usize) {
            Some(place) => *place = resting,
            None => self.orders.push(resting),
        }
        if self.by_slot.len() <= ticket.slot() {
            self.by_slot.resize(ticket.slot() + 1, u32::MAX);
        }
        self.by_slot[ticket.slot()] = slot;
        self.tell(None);
        Some(ticket)
    }

    /// Nothing more happens until `to`.
    pub fn rest_until(&mut self, to: Nanos) {
        self.now = self.now.max(to);
        self.value.at(self.now);
    }

    /// How many orders have a name.
    pub fn known(&self) -> usize {
        self.orders.len() - self.free.len()
    }

    /// How much is on its way.
    pub fn waiting(&self) -> usize {
        self.agenda.len()
    }

    /// What is due that depends on nobody: wake-ups, and the value.
    pub fn exogenous(&self) -> Digest {
        let wakes: Vec<_> = self.agenda.sorted().into_iter().filter(|(_, due)| matches!(due, Due::Wake(_))).collect();
        digest::of_state(&(wakes, self.value.exogenous(), self.pace.as_ref().map(|pace| pace.exogenous())))
    }

    pub fn digest(&self) -> Digest {
        let tops: Vec<Top> = (1..=MEMORY).map(|i| self.tops[(self.newest + i) % MEMORY]).collect();
        let book = (self.engine.digest(), &self.orders, &self.free, self.agenda.sorted());
        let rest = (tops, &self.value, &self.pace, &self.reflex, self.taken, self.update, self.trade, self.last_price);
        digest::of_state(&(book, rest))
    }
}
