//! One market: a matching engine and the crowd around it.
//!
//! The crowd has no intelligence: limit orders, market orders and cancellations arrive as independent Poisson
//! processes and look at nothing but the opposite best. That alone gives a book that breathes like a real one. One
//! market maker knows the value, a slow random walk, and keeps a ladder of quotes around it, so the price goes
//! somewhere and the book is refilled after a sweep.
//!
//! All processes together are one Poisson process whose rate changes only when the book does, so one waiting time
//! is drawn after every event and nothing depends on how far the caller advances at a time.

use super::spec::{MakerSpec, MarketSpec, Placement, SizeSpec};
use super::world::{WorldEvent, WorldEventKind};
use crate::digest::{self, Digest};
use crate::exchange::matching::{Engine, Incoming, Record, Ticket};
use crate::numeric;
use crate::order::OrderKind;
use crate::rng::Stream;
use crate::units::{Lots, Nanos, Side, Ticks};

/// Every how much the value takes a step.
const VALUE_EVERY: Nanos = Nanos::from_ms(50);
/// A market has lived this long before its clock shows zero.
const WARM_UP: Nanos = Nanos::from_s(60);
/// Update ids start here: beyond 32 bits, as at real venues.
const FIRST_UPDATE: u64 = 70_000_000_000;
/// Trade ids start here.
const FIRST_TRADE: u64 = 5_000_000_000;

/// How often each kind of thing happened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Arrivals {
    /// Limit orders of the crowd.
    pub limits: u64,
    /// Market orders of the crowd.
    pub markets: u64,
    /// Cancellations by impatience.
    pub cancels: u64,
    /// Looks of the market maker.
    pub looks: u64,
    /// Orders that had to make room.
    pub evictions: u64,
    /// Orders placed because a side had become empty.
    pub rescues: u64,
}

/// The market maker's state.
#[derive(Clone, Debug)]
struct Maker {
    spec: MakerSpec,
    stream: Stream,
    value_stream: Stream,
    /// What the thing is worth, as ticks away from the start.
    value: f64,
    next_step: Nanos,
    quotes: Vec<Ticket>,
}

/// One symbol's market.
#[derive(Clone, Debug)]
pub(super) struct Market {
    spec: MarketSpec,
    symbol: u16,
    engine: Engine,
    flow: Stream,
    crowd: Crowd,
    maker: Option<Maker>,
    next_arrival: Nanos,
    update: u64,
    trade: u64,
    arrivals: Arrivals,
    last_price: Ticks,
    records: Vec<Record>,
}

impl Market {
    pub fn new(seed: u64, symbol: u16, spec: MarketSpec) -> Self {
        let stream = |of: &str| Stream::new(seed, &format!("sim.{}.{of}", spec.rules.symbol));
        let birth = Nanos::ZERO - WARM_UP;
        let maker = spec.maker.clone().map(|m| Maker {
            quotes: Vec::with_capacity(2 * m.levels),
            spec: m,
            stream: stream("maker"),
            value_stream: stream("value"),
            value: 0.0,
            next_step: birth + VALUE_EVERY,
        });
        let mut market = Self {
            symbol,
            engine: Engine::new(),
            flow: stream("flow"),
            crowd: Crowd::default(),
            maker,
            next_arrival: birth,
            update: FIRST_UPDATE,
            trade: FIRST_TRADE,
            arrivals: Arrivals::default(),
            last_price: spec.start,
            records: Vec::new(),
            spec,
        };
        let mut unseen = Vec::new();
        market.rescue(birth, &mut unseen);
        market.look(birth, &mut unseen);
        market.schedule(birth);
        while market.next_at() < Nanos::ZERO {
            market.step(&mut unseen);
            unseen.clear();
        }
        market.arrivals = Arrivals::default();
        market
    }

    /// When the next thing happens.
    pub fn next_at(&self) -> Nanos {
        self.maker.as_ref().map_or(self.next_arrival, |m| m.next_step.min(self.next_arrival))
    }

    /// Lets the next thing happen.
    pub fn step(&mut self, events: &mut Vec<WorldEvent>) {
        let at = self.next_at();
        match &mut self.maker {
            Some(maker) if maker.next_step == at => maker.walk(self.spec.start),
            Some(_) | None => {
                self.arrive(at, events);
                self.schedule(at);
            }
        }
    }

    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    pub fn update(&self) -> u64 {
        self.update
    }

    pub fn arrivals(&self) -> Arrivals {
        self.arrivals
    }

    pub fn value(&self) -> Option<f64> {
        self.maker.as_ref().map(|m| self.spec.start.0 as f64 + m.value)
    }

    pub fn crowd_size(&self) -> usize {
        self.crowd.tickets.len()
    }

    pub fn digest(&self) -> Digest {
        let maker = self.maker.as_ref().map(|m| (&m.stream, &m.value_stream, m.value, m.next_step, &m.quotes));
        let clocks = (self.next_arrival, self.update, self.trade, self.last_price);
        digest::of_state(&(self.engine.digest(), &self.flow, &self.crowd.tickets, maker, clocks))
    }

    fn rates(&self) -> [f64; 4] {
        let flow = &self.spec.flow;
        let cancels = flow.cancels_per_order_s * self.crowd.tickets.len() as f64;
        [flow.limits_per_s, flow.markets_per_s, cancels, self.maker.as_ref().map_or(0.0, |m| m.spec.looks_per_s)]
    }

    fn schedule(&mut self, now: Nanos) {
        let total: f64 = self.rates().iter().sum();
        let wait_s = self.flow.exponential(1.0 / total);
        self.next_arrival = now + Nanos((wait_s * 1e9) as i64);
    }

    fn arrive(&mut self, at: Nanos, events: &mut Vec<WorldEvent>) {
        let [limits, markets, cancels, looks] = self.rates();
        let pick = self.flow.uniform() * (limits + markets + cancels + looks);
        if pick < limits {
            self.arrivals.limits += 1;
            self.crowd_places(at, events);
        } else if pick < limits + markets {
            self.arrivals.markets += 1;
            let side = if self.flow.chance(0.5) { Side::Bid } else { Side::Ask };
            let qty = draw_size(&mut self.flow, &self.spec.flow.market_size);
            self.submit(at, Incoming::new(side, OrderKind::Market, self.last_price, qty), events);
        } else if pick < limits + markets + cancels {
            self.arrivals.cancels += 1;
            let ticket = self.crowd.tickets[self.flow.below(self.crowd.tickets.len() as u64) as usize];
            self.crowd_leaves(at, ticket, events);
        } else {
            self.arrivals.looks += 1;
            self.look(at, events);
        }
    }

    fn crowd_places(&mut self, at: Nanos, events: &mut Vec<WorldEvent>) {
        if self.crowd.tickets.len() >= self.spec.flow.orders_max {
            self.arrivals.evictions += 1;
            let oldest = *self.crowd.tickets.iter().min().expect("a full house has an oldest guest");
            self.crowd_leaves(at, oldest, events);
        }
        let side = if self.flow.chance(0.5) { Side::Bid } else { Side::Ask };
        let depth = draw_depth(&mut self.flow, self.spec.flow.placement);
        let qty = draw_size(&mut self.flow, &self.spec.flow.limit_size);
        self.crowd_rests(at, side, depth, qty, events);
    }

    /// Rests `depth` ticks from the opposite best.
    fn crowd_rests(&mut self, at: Nanos, side: Side, depth: i64, qty: Lots, events: &mut Vec<WorldEvent>) {
        let from = self.engine.best(side.opposite()).map_or(self.last_price, |l| l.price);
        let price = Ticks((from.0 - side.sign() * depth).max(1));
        if let Some(ticket) = self.submit(at, Incoming::new(side, OrderKind::PostOnly, price, qty), events) {
            self.crowd.join(ticket);
        }
    }

    fn crowd_leaves(&mut self, at: Nanos, ticket: Ticket, events: &mut Vec<WorldEvent>) {
        self.crowd.leave(ticket);
        self.cancel(at, ticket, events);
    }

    /// The market maker looks: quotes that stand where none is wanted go first, then what is missing is placed.
    fn look(&mut self, at: Nanos, events: &mut Vec<WorldEvent>) {
        let Some(mut maker) = self.maker.take() else { return };
        let engine = &self.engine;
        maker.quotes.retain(|&t| engine.order(t).is_some());
        for side in Side::BOTH {
            let wanted = maker.wanted(side, self.spec.start);
            let unwanted = |engine: &Engine, t: Ticket| {
                engine.order(t).is_some_and(|(s, price, _)| s == side && !wanted.contains(&price.0))
            };
            for i in (0..maker.quotes.len()).rev() {
                if unwanted(&self.engine, maker.quotes[i]) {
                    let ticket = maker.quotes.swap_remove(i);
                    self.cancel(at, ticket, events);
                }
            }
        }
        for side in Side::BOTH {
            let wanted = maker.wanted(side, self.spec.start);
            let (first, last) = (*wanted.start(), *wanted.end());
            for price in (first..=last).step_by(maker.spec.spacing_ticks as usize) {
                let stands = |&t: &Ticket| self.engine.order(t).is_some_and(|(s, p, _)| (s, p) == (side, Ticks(price)));
                if price < 1 || maker.quotes.iter().any(stands) {
                    continue;
                }
                let qty = draw_size(&mut maker.stream, &maker.spec.size);
                let quote = Incoming::new(side, OrderKind::Limit, Ticks(price), qty);
                maker.quotes.extend(self.submit(at, quote, events));
            }
        }
        maker.quotes.retain(|&t| self.engine.order(t).is_some());
        self.maker = Some(maker);
    }

    /// Somebody always answers: an empty side gets one order, as far from the other side as the crowd would go.
    fn rescue(&mut self, at: Nanos, events: &mut Vec<WorldEvent>) {
        for side in Side::BOTH {
            if self.engine.best(side).is_some() {
                continue;
            }
            self.arrivals.rescues += 1;
            let depth = match self.spec.flow.placement {
                Placement::Uniform { ticks } => ticks,
                Placement::PowerLaw { scale_ticks, .. } => scale_ticks as i64 + 1,
            };
            let qty = draw_size(&mut self.flow, &self.spec.flow.limit_size);
            self.crowd_rests(at, side, depth, qty, events);
        }
    }

    fn submit(&mut self, at: Nanos, order: Incoming, events: &mut Vec<WorldEvent>) -> Option<Ticket> {
        let verdict = self.engine.submit(order, &mut self.records);
        self.tell(at, events);
        verdict.ok()
    }

    fn cancel(&mut self, at: Nanos, ticket: Ticket, events: &mut Vec<WorldEvent>) {
        self.engine.cancel(ticket, &mut self.records).expect("participants cancel only what rests");
        self.tell(at, events);
    }

    /// Turns one command's records into events under one update id, and lets nobody leave an empty side behind.
    fn tell(&mut self, at: Nanos, events: &mut Vec<WorldEvent>) {
        if self.records.is_empty() {
            return;
        }
        self.update += 1;
        let mut say = |kind| events.push(WorldEvent { at, symbol: self.symbol, update: self.update, kind });
        for record in self.records.drain(..) {
            match record {
                Record::Trade { taker, maker, side, price, qty, maker_left } => {
                    self.trade += 1;
                    self.last_price = price;
                    say(WorldEventKind::Trade { id: self.trade, order: taker, taker: side, price, qty });
                    if maker_left == Lots::ZERO {
                        self.crowd.leave(maker);
                    }
                }
                Record::Level { side, price, qty } => say(WorldEventKind::Level { side, price, qty }),
                Record::Rested { .. } | Record::Removed { .. } | Record::Dropped { .. } | Record::Reduced { .. } => {}
            }
        }
        self.rescue(at, events);
    }
}

impl Maker {
    /// One exact step of an Ornstein-Uhlenbeck walk: `x ← a·x + σ√(τ(1-a²)/2)·z`, `a = e^(-Δ/τ)`.
    fn walk(&mut self, start: Ticks) {
        self.next_step += VALUE_EVERY;
        let tau = self.spec.pull_back_s;
        let keep = numeric::exp(-VALUE_EVERY.seconds() / tau);
        let sigma = self.spec.volatility_bps * 1e-4 * start.0 as f64;
        let step = sigma * numeric::sqrt(tau * (1.0 - keep * keep) / 2.0);
        self.value = self.value * keep + step * self.value_stream.normal();
    }

    /// Lowest and highest price of the quotes wanted on a side; both are on the grid.
    fn wanted(&self, side: Side, start: Ticks) -> std::ops::RangeInclusive<i64> {
        let spacing = self.spec.spacing_ticks;
        let reach = spacing * (self.spec.levels as i64 - 1);
        let value = start.0 as f64 + self.value;
        match side {
            Side::Bid => {
                let top = (value.floor() as i64 - self.spec.half_spread_ticks).div_euclid(spacing) * spacing;
                top - reach..=top
            }
            Side::Ask => {
                let top =
                    (value.ceil() as i64 + self.spec.half_spread_ticks + spacing - 1).div_euclid(spacing) * spacing;
                top..=top + reach
            }
        }
    }
}

/// The crowd's resting orders, so that one can be picked at random and found when it trades.
#[derive(Clone, Debug, Default)]
struct Crowd {
    tickets: Vec<Ticket>,
    /// Index in `tickets`, by slot.
    index: Vec<u32>,
}

impl Crowd {
    fn join(&mut self, ticket: Ticket) {
        if self.index.len() <= ticket.slot() {
            self.index.resize(ticket.slot() + 1, 0);
        }
        self.index[ticket.slot()] = self.tickets.len() as u32;
        self.tickets.push(ticket);
    }

    /// Forgets an order; one that is not the crowd's is none of its business.
    fn leave(&mut self, ticket: Ticket) {
        let Some(&at) = self.index.get(ticket.slot()) else { return };
        let at = at as usize;
        if self.tickets.get(at) == Some(&ticket) {
            self.tickets.swap_remove(at);
            if let Some(moved) = self.tickets.get(at) {
                self.index[moved.slot()] = at as u32;
            }
        }
    }
}

fn draw_size(stream: &mut Stream, spec: &SizeSpec) -> Lots {
    let lots = if spec.sigma == 0.0 { spec.median } else { spec.median * numeric::exp(spec.sigma * stream.normal()) };
    Lots((lots.ceil() as i64).clamp(spec.min.0, spec.max.0))
}

fn draw_depth(stream: &mut Stream, placement: Placement) -> i64 {
    match placement {
        Placement::Uniform { ticks } => 1 + stream.below(ticks as u64) as i64,
        Placement::PowerLaw { scale_ticks, exponent, ticks_max } => loop {
            let u = 1.0 - stream.uniform();
            let depth = 1 + (scale_ticks * (numeric::pow(u, -1.0 / exponent) - 1.0)) as i64;
            if depth <= ticks_max {
                return depth;
            }
        },
    }
}
