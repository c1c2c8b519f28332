//! Our business at a simulated exchange: requests carried there, and what became of them in the words of
//! [`Report`].
//!
//! Orders really rest in the book of the [`World`]; nothing is modelled but the ways there and back, which are those of the
//! [paper exchange](crate::exchange::paper), as are the words:
//!
//! | request | the exchange says |
//! |---|---|
//! | place, broken rule, or more than it takes in that time | `Rejected` with its reason |
//! | place, post-only that would trade | `Rejected(WouldTake)` |
//! | place, trades | `Accepted`, `Filled` per order met; the rest stays (limit) or is `Cancelled` |
//! | place, rests | `Accepted`, with the lots of others before it |
//! | cancel | `Cancelled`, or `CancelRejected`: a fill won the race, or the exchange is closed |
//! | replace | as [`crate::exchange::paper`]'s: filters first, then the cancellation, then the order |
//!
//! Who of us would trade with ourselves loses the order that rested.

use std::collections::{BTreeMap, VecDeque};

use crate::engine::DeskSpec;
use crate::exchange::filters;
use crate::exchange::habit::Pace;
use crate::exchange::latency::{LatencySpec, Way, Ways};
use crate::exchange::matching::Incoming;
use crate::market::{Instrument, InstrumentId};
use crate::order::{Fill, FillWhy, Liquidity, OrderId, OrderKind, RejectReason, Report, ReportKind, Request};
use crate::rng::Stream;
use crate::sim::{Key, News, Notice, World};
use crate::units::{LocalTime, Lots, Money, Nanos, Side, Ticks, VenueTime};

/// One order of ours that has arrived and is not over.
#[derive(Clone, Debug)]
struct Standing {
    key: Key,
    side: Side,
    price: Ticks,
    kind: OrderKind,
    remaining: Lots,
    /// It was told to be there; what it traded before it rested it took.
    is_told: bool,
    rests: bool,
    /// It came in the stead of this one, of which so much had not traded.
    instead_of: Option<(OrderId, Lots)>,
}

/// Our business in one market.
#[derive(Clone, Debug)]
pub(super) struct Clerk {
    instrument: InstrumentId,
    symbol: u16,
    rules: Instrument,
    pace: Option<Pace>,
    ways: Ways,
    /// On their way there, in the order of arrival.
    inbound: VecDeque<(LocalTime, Request)>,
    standing: BTreeMap<OrderId, Standing>,
    names: BTreeMap<Key, OrderId>,
    /// When our newest orders came, as many as the exchange takes in a window of time.
    came: VecDeque<LocalTime>,
    /// A replacement is being carried out: the order it ends, and what of that had not traded or why it stays.
    leaving: Option<(OrderId, Option<Result<Lots, RejectReason>>)>,
    /// On their way back, in the order of hearing.
    words: VecDeque<(LocalTime, Report)>,
    begins: LocalTime,
}

impl Clerk {
    /// Before the first request. Delays are drawn from streams named after the instrument.
    pub fn new(instrument: InstrumentId, symbol: u16, desk: &DeskSpec, seed: u64, begins: LocalTime) -> Self {
        let stream = Stream::new(seed, &format!("inside.latency.{}", desk.rules.label()));
        Self {
            instrument,
            symbol,
            rules: desk.rules.clone(),
            pace: desk.paper.habits.pace,
            ways: Ways::new(desk.paper.latency.clone(), &stream),
            inbound: VecDeque::new(),
            standing: BTreeMap::new(),
            names: BTreeMap::new(),
            came: VecDeque::new(),
            leaving: None,
            words: VecDeque::new(),
            begins,
        }
    }

    /// A request sets out.
    pub fn send(&mut self, request: Request, at: LocalTime) {
        let arrives = self.ways.arrival(&request, at);
        self.inbound.push_back((arrives, request));
    }

    /// News of the venue came in: some ways are as slow as the feed.
    pub fn saw(&mut self, venue_time: Option<VenueTime>, at: LocalTime) {
        self.ways.saw(venue_time, at);
    }

    /// When the next request arrives, on the world's clock.
    pub fn next_arrival(&self) -> Option<Nanos> {
        self.inbound.front().map(|(at, _)| at.since(self.begins))
    }

    /// When the next report is heard, as far as it is said.
    pub fn next_at(&self) -> Option<LocalTime> {
        self.words.front().map(|(at, _)| *at)
    }

    /// The next report.
    pub fn next(&mut self) -> Option<(LocalTime, Report)> {
        self.words.pop_front()
    }

    /// Lots that stand before one of our orders now; `None` if it does not rest.
    pub fn ahead_of(&self, order: OrderId, world: &World) -> Option<Lots> {
        self.standing.get(&order).and_then(|standing| world.ahead_of(self.symbol, standing.key))
    }

    /// Carries out what arrives now; the world must have lived until now. `settle` lets it live on through this instant.
    pub fn carry_out(&mut self, world: &mut World, settle: &mut dyn FnMut(&mut World)) {
        let now = self.begins + world.now();
        while let Some((_, request)) = self.inbound.pop_front_if(|(at, _)| *at <= now) {
            match request {
                Request::Place { id, side, price, qty, kind, .. } => match self.refuses(kind, price, qty, now, world) {
                    Some(reason) => self.say(now, id, ReportKind::Rejected(reason)),
                    None => self.enter(id, (side, kind, price, qty), None, world),
                },
                Request::Cancel { id, .. } => {
                    let known = self.standing.get(&id).map(|standing| standing.key);
                    if !known.is_some_and(|key| world.take_back(self.symbol, key)) {
                        self.say(now, id, ReportKind::CancelRejected(RejectReason::UnknownOrder));
                    }
                }
                Request::Replace { old, new, price, qty, .. } => {
                    self.replace(old, new, (price, qty), world, settle);
                }
            }
            settle(world);
            self.hear(world);
        }
    }

    fn refuses(
        &mut self,
        kind: OrderKind,
        price: Ticks,
        qty: Lots,
        now: LocalTime,
        world: &World,
    ) -> Option<RejectReason> {
        if self.comes_too_fast(now) {
            return Some(RejectReason::TooManyRequests);
        }
        let best = |side| world.engine(self.symbol).best(side).map(|level| level.price.0);
        let twice_mid = best(Side::Bid).zip(best(Side::Ask)).map(|(bid, ask)| bid + ask);
        filters::refusal(&self.rules, twice_mid, kind, price, qty)
    }

    /// Whether one more order is more than the exchange takes; if not, it is counted.
    fn comes_too_fast(&mut self, now: LocalTime) -> bool {
        let Some(pace) = self.pace else { return false };
        while self.came.pop_front_if(|then| now.since(*then) >= pace.within).is_some() {}
        let is_full = self.came.len() >= pace.orders as usize;
        if !is_full {
            self.came.push_back(now);
        }
        is_full
    }

    fn enter(
        &mut self,
        id: OrderId,
        (side, kind, price, qty): (Side, OrderKind, Ticks, Lots),
        instead_of: Option<(OrderId, Lots)>,
        world: &mut World,
    ) {
        let key = world.send(self.symbol, Incoming::new(side, kind, price, qty), Nanos::ZERO);
        let standing = Standing { key, side, price, kind, remaining: qty, is_told: false, rests: false, instead_of };
        self.standing.insert(id, standing);
        self.names.insert(key, id);
    }

    fn replace(
        &mut self,
        old: OrderId,
        new: OrderId,
        (price, qty): (Ticks, Lots),
        world: &mut World,
        settle: &mut dyn FnMut(&mut World),
    ) {
        let now = self.begins + world.now();
        let refused = match self.standing.get(&old).cloned() {
            None => Some(RejectReason::UnknownOrder),
            Some(Standing { key, side, kind, .. }) => match self.refuses(kind, price, qty, now, world) {
                Some(reason) => Some(reason),
                None if !world.take_back(self.symbol, key) => Some(RejectReason::UnknownOrder),
                None => {
                    self.leaving = Some((old, None));
                    settle(world);
                    self.hear(world);
                    match self.leaving.take().and_then(|(_, came)| came) {
                        Some(Ok(left)) => {
                            self.enter(new, (side, kind, price, qty), Some((old, left)), world);
                            None
                        }
                        Some(Err(reason)) => Some(reason),
                        None => Some(RejectReason::UnknownOrder),
                    }
                }
            },
        };
        if let Some(reason) = refused {
            self.say(now, old, ReportKind::CancelRejected(reason));
            self.say(now, new, ReportKind::Rejected(reason));
        }
    }

    /// Words what the world has told of our orders.
    pub fn hear(&mut self, world: &mut World) {
        // Few, and they are worded one after the other while the world is asked.
        let notices: Vec<Notice> = world.notices(self.symbol).collect();
        for Notice { at, key, news } in notices {
            let happened = self.begins + at;
            let id = *self.names.get(&key).expect("news of an order that we sent and that is not over");
            match news {
                News::Rests { ahead } => {
                    let others = ahead - self.ours_at(id);
                    self.admit(id, happened, others);
                    self.standing.get_mut(&id).expect("it stands").rests = true;
                }
                News::Trades { qty, price } => {
                    self.admit(id, happened, Lots::ZERO);
                    let order = self.standing.get_mut(&id).expect("it stands");
                    order.remaining -= qty;
                    let (liquidity, why) = match order.rests {
                        true => (Liquidity::Maker, FillWhy::QueueFront),
                        false => (Liquidity::Taker, FillWhy::Took),
                    };
                    let fill = Fill {
                        side: order.side,
                        price,
                        qty,
                        remaining: order.remaining,
                        fee: Money::ZERO,
                        liquidity,
                        why,
                        queue_ahead: Lots::ZERO,
                    };
                    self.say(happened, id, ReportKind::Filled(fill));
                }
                News::Filled => drop(self.end(id)),
                News::Refused(reason) => {
                    if let Some((old, remaining)) = self.end(id).instead_of {
                        self.say(happened, old, ReportKind::Cancelled { remaining });
                    }
                    self.say(happened, id, ReportKind::Rejected(reason));
                }
                News::Ended { left } => {
                    self.admit(id, happened, Lots::ZERO);
                    self.end(id);
                    match &mut self.leaving {
                        Some((old, came)) if *old == id => *came = Some(Ok(left)),
                        Some(_) | None => self.say(happened, id, ReportKind::Cancelled { remaining: left }),
                    }
                }
                News::Stays(reason) => match &mut self.leaving {
                    Some((old, came)) if *old == id => *came = Some(Err(reason)),
                    Some(_) | None => self.say(happened, id, ReportKind::CancelRejected(reason)),
                },
            }
        }
    }

    /// Our other orders at the price of one: they joined before it.
    fn ours_at(&self, id: OrderId) -> Lots {
        let (side, price) = (self.standing[&id].side, self.standing[&id].price);
        let others = self.standing.iter().filter(|(other, o)| **other != id && o.rests);
        others.filter(|(_, o)| (o.side, o.price) == (side, price)).map(|(_, o)| o.remaining).sum()
    }

    /// Says, once, that an order is there.
    fn admit(&mut self, id: OrderId, happened: LocalTime, queue_ahead: Lots) {
        let order = self.standing.get_mut(&id).expect("it stands");
        if std::mem::replace(&mut order.is_told, true) {
            return;
        }
        let word = match order.instead_of {
            Some((old, remaining)) => ReportKind::Replaced { old, remaining, queue_ahead },
            None => ReportKind::Accepted { queue_ahead },
        };
        self.say(happened, id, word);
    }

    fn end(&mut self, id: OrderId) -> Standing {
        let order = self.standing.remove(&id).expect("an order ends once");
        self.names.remove(&order.key);
        order
    }

    fn say(&mut self, happened: LocalTime, id: OrderId, kind: ReportKind) {
        let heard = self.ways.hearing(happened);
        self.words.push_back((heard, Report { id, instrument: self.instrument, happened, kind }));
    }
}

/// The least that a report takes.
pub(super) fn response_at_least(spec: &LatencySpec) -> Nanos {
    match spec.response {
        Way::Constant { us } | Way::Feed { us, .. } => Nanos::from_us(i64::from(us)),
        Way::Lognormal { us, sigma } if sigma <= 0.0 => Nanos::from_us(i64::from(us)),
        Way::Lognormal { .. } | Way::Measured => Nanos::ZERO,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::env::inside::BEGINS;
    use crate::exchange::PaperSpec;
    use crate::exchange::fee::Schedule;
    use crate::exchange::habit::Habits;
    use crate::exchange::place::Answers;
    use crate::exchange::queue::QueueModel;
    use crate::sim::SimSpec;
    use crate::units::Rate;

    /// A market with nobody in it: the house quotes 2,000 lots at 599,800 and 600,000, and again whenever a side is empty.
    /// One tick and lot are worth 0.1 · 0.00001; at 600,000 ticks five USDT are 8.3 lots.
    struct Desert {
        world: World,
        clerk: Clerk,
        sent: u64,
    }

    const MINE: InstrumentId = InstrumentId(0);

    fn desert() -> Desert {
        let demo = SimSpec::demo();
        let demo = &demo.market[0];
        let text = format!(
            "warm_up_s = 0\n[[market]]\nbase = \"BTC\"\nquote = \"USDT\"\ntick_quote = \"0.10\"\nlot_base = \"0.00001\"\n\
             start_ticks = {}\nvalue = {{ volatility_bps = 0.1, pull_back_s = 60, step_s = 1 }}\n\
             rescue = {{ depth_ticks = 200, lots = 2_000 }}\n",
            demo.start_ticks
        );
        let sim = SimSpec::from_toml(&text).unwrap();
        let world = World::new(1, &sim);
        let desk = DeskSpec {
            rules: sim.market[0].rules().unwrap(),
            paper: PaperSpec {
                latency: LatencySpec::constant(1_000, 2_000, 3_000),
                queue: QueueModel::RiskAverse,
                fees: Schedule::flat(Rate(0), Rate(0)),
                habits: Habits {
                    pace: Some(Pace { orders: 9, within: Nanos::from_s(10) }),
                    ..Habits::of(crate::market::VenueId::BinanceSpot)
                },
            },
            answers: Answers::Told,
            signals: signals(),
            quoting: crate::engine::QuotingSpec {
                decide_every: Nanos::ZERO,
                refresh_tolerance_centibps: 0,
                order_age_max: Nanos::ZERO,
            },
            strategy: None,
        };
        Desert { world, clerk: Clerk::new(MINE, 0, &desk, 1, BEGINS), sent: 0 }
    }

    fn signals() -> crate::signal::SignalSpec {
        crate::signal::SignalSpec {
            volatility_grid_ms: 1_000,
            volatility_half_life_s: 60.0,
            volatility_samples_min: 10,
            intensity_window_s: 600.0,
            intensity_orders_min: 20,
            intensity_refit_s: 5.0,
            intensity_k_min: 1e-4,
            intensity_k_max: 10.0,
        }
    }

    impl Desert {
        fn place(&mut self, side: Side, price: i64, qty: i64, kind: OrderKind) -> u64 {
            self.sent += 1;
            let (id, price, qty) = (OrderId(self.sent), Ticks(price), Lots(qty));
            self.send(Request::Place { id, instrument: MINE, side, price, qty, kind });
            self.sent
        }

        fn replace(&mut self, old: u64, price: i64, qty: i64) -> u64 {
            self.sent += 1;
            let (old, new) = (OrderId(old), OrderId(self.sent));
            self.send(Request::Replace { old, new, instrument: MINE, price: Ticks(price), qty: Lots(qty) });
            self.sent
        }

        fn cancel(&mut self, id: u64) {
            self.send(Request::Cancel { id: OrderId(id), instrument: MINE });
        }

        fn send(&mut self, request: Request) {
            self.clerk.send(request, BEGINS + self.world.now());
        }

        /// Everything sent arrives, 2 ms later; what comes of it, in short.
        fn arrive(&mut self) -> Vec<String> {
            let mut events = Vec::new();
            self.world.advance(self.world.now() + Nanos::from_ms(2), &mut events);
            self.clerk.hear(&mut self.world);
            self.clerk.carry_out(&mut self.world, &mut |world| world.advance(world.now(), &mut Vec::new()));
            let mut said = Vec::new();
            while let Some((heard, report)) = self.clerk.next() {
                assert_eq!(heard, report.happened + Nanos::from_ms(3));
                let id = report.id.0;
                said.push(match report.kind {
                    ReportKind::Accepted { queue_ahead } => format!("{id} behind {}", queue_ahead.0),
                    ReportKind::Rejected(reason) => format!("{id} rejected {reason:?}"),
                    ReportKind::Cancelled { remaining } => format!("{id} cancelled {}", remaining.0),
                    ReportKind::CancelRejected(reason) => format!("{id} stays {reason:?}"),
                    ReportKind::Replaced { old, remaining, queue_ahead } => {
                        format!("{id} for {} of {} behind {}", remaining.0, old.0, queue_ahead.0)
                    }
                    ReportKind::Filled(f) => {
                        format!("{id} {} {}@{} left {}", f.liquidity.word(), f.qty.0, f.price.0, f.remaining.0)
                    }
                    ReportKind::Amended { .. } => panic!("nothing is moved here"),
                });
            }
            said
        }
    }

    #[test]
    fn who_crosses_takes_who_rests_waits_in_line() {
        let mut desert = desert();
        desert.place(Side::Bid, 600_000, 500, OrderKind::Ioc);
        desert.place(Side::Bid, 599_800, 30, OrderKind::PostOnly);
        desert.place(Side::Ask, 600_000, 40, OrderKind::Limit);
        let said = desert.arrive();
        // 500 of the 2,000 at 600,000 are taken; 2,000 bid for 599,800 were there before us, and 1,500 are left above.
        assert_eq!(said, ["1 behind 0", "1 taker 500@600000 left 0", "2 behind 2000", "3 behind 1500"]);
        assert_eq!(desert.clerk.ahead_of(OrderId(2), &desert.world), Some(Lots(2_000)));
        // More than there is: 1,500 of the house, then our own 40 (nothing prevents that here), the rest is dropped.
        desert.place(Side::Bid, 600_100, 2_000, OrderKind::Ioc);
        let took =
            ["4 behind 0", "4 taker 1500@600000 left 500", "3 maker 40@600000 left 0", "4 taker 40@600000 left 460"];
        let said = desert.arrive();
        assert!(took.iter().all(|word| said.contains(&(*word).to_owned())) && said.len() == 5, "{said:?}");
        assert_eq!(said.last().unwrap(), "4 cancelled 460");
        // A limit order that crosses takes what it can and rests with what is left, in front of nobody.
        desert.place(Side::Ask, 599_800, 2_050, OrderKind::Limit);
        let said = desert.arrive();
        assert!(said.ends_with(&["5 taker 30@599800 left 20".to_owned()]), "{said:?}");
        assert_eq!(desert.clerk.ahead_of(OrderId(5), &desert.world), Some(Lots::ZERO));
    }

    #[test]
    fn what_breaks_a_rule_never_lives_and_says_which() {
        let mut desert = desert();
        desert.place(Side::Bid, 600_000, 100, OrderKind::PostOnly);
        desert.place(Side::Bid, 599_000, 8, OrderKind::PostOnly);
        desert.place(Side::Bid, 599_000, 0, OrderKind::PostOnly);
        desert.place(Side::Bid, 0, 100, OrderKind::PostOnly);
        desert.place(Side::Bid, 599_999, 100, OrderKind::Fok);
        let said = desert.arrive();
        // 8 lots at 599,000 are 4.79 USDT, five are the least.
        let reasons = ["1 rejected WouldTake", "2 rejected Notional", "3 rejected LotSize", "4 rejected PriceFilter"];
        assert_eq!(said[..4], reasons);
        assert_eq!(said[4..], ["5 behind 0", "5 cancelled 100"]);
        // Five orders came; four more are let in within ten seconds, then no more, and a cancellation always is.
        for _ in 0..5 {
            desert.place(Side::Bid, 599_000, 10, OrderKind::PostOnly);
        }
        desert.cancel(6);
        let said = desert.arrive();
        assert_eq!(said[3..], ["9 behind 0", "10 rejected TooManyRequests", "6 cancelled 10"].map(str::to_owned));
    }

    #[test]
    fn a_replacement_goes_to_the_back_of_its_queue_and_comes_too_late_for_what_is_gone() {
        let mut desert = desert();
        let order = desert.place(Side::Bid, 599_900, 100, OrderKind::PostOnly);
        let second = desert.place(Side::Bid, 599_900, 50, OrderKind::PostOnly);
        // Our own 100 are ahead of the 50, but they are not others'.
        assert_eq!(desert.arrive(), ["1 behind 0", "2 behind 0"]);
        let moved = desert.replace(order, 599_800, 70);
        assert_eq!(desert.arrive(), ["3 for 100 of 1 behind 2000"]);
        // One that would take costs the old order and is refused; one of nothing leaves everything as it is.
        let crossing = desert.replace(second, 600_000, 50);
        let small = desert.replace(moved, 599_700, 1);
        let late = desert.replace(order, 599_700, 50);
        desert.cancel(order);
        desert.cancel(moved);
        let said = desert.arrive();
        let expected = [
            format!("{second} cancelled 50"),
            format!("{crossing} rejected WouldTake"),
            format!("{moved} stays Notional"),
            format!("{small} rejected Notional"),
            format!("{order} stays UnknownOrder"),
            format!("{late} rejected UnknownOrder"),
            format!("{order} stays UnknownOrder"),
            format!("{moved} cancelled 70"),
        ];
        assert_eq!(said, expected);
    }

    #[test]
    fn we_never_trade_with_ourselves_once_that_is_prevented() {
        let mut desert = desert();
        desert.world.prevent_self_trades(0);
        desert.place(Side::Ask, 599_900, 60, OrderKind::PostOnly);
        desert.place(Side::Ask, 600_000, 70, OrderKind::PostOnly);
        assert_eq!(desert.arrive(), ["1 behind 0", "2 behind 2000"]);
        // Our 60 in the way are cancelled; 2,000 of the house at 600,000 come before our 70.
        desert.place(Side::Bid, 600_000, 1_900, OrderKind::Ioc);
        let said = desert.arrive();
        assert_eq!(said, ["3 behind 0", "3 taker 1900@600000 left 0", "1 cancelled 60"]);
        assert_eq!(desert.clerk.ahead_of(OrderId(2), &desert.world), Some(Lots(100)));
    }
}
