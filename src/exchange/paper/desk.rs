//! A desk to tell stories and storms at.

use std::collections::BTreeMap;

use super::*;
use crate::exchange::fee::Schedule;
use crate::exchange::latency::LatencySpec;
use crate::exchange::queue::QueueModel;
use crate::market::{Book, Extent, Instrument, Level, PrintFlags, VenueId};
use crate::order::{Fill, Order, OrderKind, OrderState};
use crate::risk::gate::testing::approve;
use crate::signal::Top;
use crate::units::{Rate, Side, Step, Ticks};

/// A desk with one venue: keeps the book, sends, hears, and holds every report against the legal life of its order.
#[derive(Clone)]
pub(super) struct Desk {
    pub(super) paper: Paper,
    pub(super) rules: Instrument,
    pub(super) book: Book,
    pub(super) bbo: Option<(Option<Level>, Option<Level>)>,
    pub(super) trusted: bool,
    pub(super) orders: BTreeMap<OrderId, Order>,
    pub(super) heard: Vec<(i64, Report)>,
}

pub(super) const ONE: InstrumentId = InstrumentId(0);

pub(super) fn ms(ms: i64) -> LocalTime {
    LocalTime(ms * 1_000_000)
}

pub(super) fn level((price, qty): (i64, i64)) -> Level {
    Level { price: Ticks(price), qty: Lots(qty) }
}

pub(super) fn levels(pairs: &[(i64, i64)]) -> Vec<Level> {
    pairs.iter().copied().map(level).collect()
}

/// Delays in milliseconds.
pub(super) fn spec(feed: u32, entry: u32, response: u32) -> PaperSpec {
    PaperSpec {
        latency: LatencySpec::constant(feed * 1_000, entry * 1_000, response * 1_000),
        queue: QueueModel::RiskAverse,
        fees: Schedule::flat(Rate(-1_000), Rate(10_000)),
        habits: Habits::of(VenueId::BinanceSpot),
    }
}

impl Desk {
    pub(super) fn with(spec: PaperSpec) -> Self {
        let one = Step::parse("1").unwrap();
        let mut desk = Self {
            paper: Paper::new(ONE, spec, Stream::new(1, "paper.latency")),
            rules: Instrument::new(VenueId::BinanceSpot, "XY", "X", "Y", one, one).unwrap(),
            book: Book::new(),
            bbo: None,
            trusted: false,
            orders: BTreeMap::new(),
            heard: Vec::new(),
        };
        desk.snapshot(0, &[(100, 10), (99, 20)], &[(104, 10), (105, 20)]);
        desk
    }

    /// No delays at all.
    pub(super) fn at_once() -> Self {
        Self::with(spec(0, 0, 0))
    }

    pub(super) fn top(&self) -> Option<Top> {
        let (bid, ask) = self.bbo.unwrap_or((self.book.best(Side::Bid), self.book.best(Side::Ask)));
        let top = Top { bid: bid?, ask: ask? };
        (self.trusted && top.bid.price < top.ask.price).then_some(top)
    }

    pub(super) fn news(&mut self, at: i64, venue_ms: Option<i64>, kind: MarketEventKind) {
        let venue_time = venue_ms.map(|t| VenueTime(t * 1_000_000));
        let event = MarketEvent { instrument: ONE, venue_time, kind };
        let market = Visible { rules: &self.rules, book: &self.book, top: self.top(), trusted: self.trusted };
        self.paper.observe(&event, &market, ms(at));
        match event.kind {
            MarketEventKind::Snapshot { seq, bids, asks, extent } => {
                self.book.apply_snapshot(seq, &bids, &asks, extent);
                (self.trusted, self.bbo) = (true, None);
            }
            MarketEventKind::Delta { seq, bids, asks } => {
                self.book.apply_delta(seq, &bids, &asks);
                self.bbo = None;
            }
            MarketEventKind::Bbo { bid, ask, .. } => self.bbo = Some((bid, ask)),
            MarketEventKind::Gap { .. } => self.trusted = false,
            MarketEventKind::Rules(rules) => self.rules = *rules,
            MarketEventKind::Status(status) => self.rules.status = status,
            MarketEventKind::Trade { .. } | MarketEventKind::Mark(_) | MarketEventKind::Order(_) => {}
        }
        self.until(at);
    }

    pub(super) fn until(&mut self, at: i64) {
        let market = Visible { rules: &self.rules, book: &self.book, top: self.top(), trusted: self.trusted };
        let mut heard = Vec::new();
        self.paper.advance(ms(at), &market, &mut heard);
        for report in heard {
            self.orders.get_mut(&report.id).expect("the venue speaks of our orders").hear(&report);
            if let ReportKind::Replaced { old, remaining, .. } = report.kind {
                let old = self.orders.get_mut(&old).unwrap();
                assert!(old.is_alive() && old.remaining == remaining);
                old.state = OrderState::Gone;
            }
            self.heard.push((at, report));
        }
    }

    pub(super) fn snapshot(&mut self, at: i64, bids: &[(i64, i64)], asks: &[(i64, i64)]) {
        let (bids, asks) = (levels(bids), levels(asks));
        self.news(at, None, MarketEventKind::Snapshot { seq: 1, bids, asks, extent: Extent::All });
    }

    pub(super) fn depth(&mut self, at: i64, bids: &[(i64, i64)], asks: &[(i64, i64)]) {
        self.depth_as_of(at, self.book.seq() + 1, bids, asks);
    }

    pub(super) fn ticker(&mut self, at: i64, seq: u64, bid: (i64, i64), ask: (i64, i64)) {
        self.news(at, None, MarketEventKind::Bbo { seq, bid: Some(level(bid)), ask: Some(level(ask)) });
    }

    /// Depth as of an update id.
    pub(super) fn depth_as_of(&mut self, at: i64, seq: u64, bids: &[(i64, i64)], asks: &[(i64, i64)]) {
        let (bids, asks) = (levels(bids), levels(asks));
        self.news(at, None, MarketEventKind::Delta { seq, bids, asks });
    }

    /// Somebody sells (`taker` is `Ask`) or buys.
    pub(super) fn print(&mut self, at: i64, taker: Side, price: i64, qty: i64) {
        self.flagged(at, taker, price, qty, PrintFlags::NONE);
    }

    pub(super) fn flagged(&mut self, at: i64, taker: Side, price: i64, qty: i64, flags: PrintFlags) {
        let (price, qty) = (Ticks(price), Lots(qty));
        self.news(at, None, MarketEventKind::Trade { id: 1, taker, price, qty, flags });
    }

    /// We remember an order as sent.
    fn remember(&mut self, at: i64, id: u64, side: Side, qty: i64, price: i64, kind: OrderKind) {
        let (id, price, qty) = (OrderId(id), Ticks(price), Lots(qty));
        let (state, remaining, sent) = (OrderState::Pending, qty, ms(at));
        let order = Order { id, instrument: ONE, side, price, qty, remaining, kind, state, sent, joined_behind: None };
        self.orders.insert(id, order);
    }

    pub(super) fn send(&mut self, at: i64, id: u64, side: Side, qty: i64, price: i64, kind: OrderKind) {
        self.remember(at, id, side, qty, price, kind);
        let (id, price, qty) = (OrderId(id), Ticks(price), Lots(qty));
        self.paper.submit(approve(Request::Place { id, instrument: ONE, side, price, qty, kind }), ms(at));
    }

    /// Post-only to buy.
    pub(super) fn bid(&mut self, at: i64, id: u64, qty: i64, price: i64) {
        self.send(at, id, Side::Bid, qty, price, OrderKind::PostOnly);
    }

    pub(super) fn cancel(&mut self, at: i64, id: u64) {
        self.paper.submit(approve(Request::Cancel { id: OrderId(id), instrument: ONE }), ms(at));
    }

    pub(super) fn replace(&mut self, at: i64, old: u64, new: u64, qty: i64, price: i64) {
        let Order { side, kind, .. } = self.orders[&OrderId(old)];
        self.remember(at, new, side, qty, price, kind);
        let (old, new, price, qty) = (OrderId(old), OrderId(new), Ticks(price), Lots(qty));
        self.paper.submit(approve(Request::Replace { old, new, instrument: ONE, price, qty }), ms(at));
    }

    /// What was said of an order, in short: `accepted 10`, `5 @ 100 queue_front behind 3`, …
    pub(super) fn life(&self, id: u64) -> Vec<String> {
        let ours = self.heard.iter().filter(|(_, report)| report.id == OrderId(id));
        ours.map(|(_, report)| match &report.kind {
            ReportKind::Accepted { queue_ahead } => format!("accepted {}", queue_ahead.0),
            ReportKind::Rejected(reason) => format!("rejected {reason:?}"),
            ReportKind::Cancelled { remaining } => format!("cancelled {}", remaining.0),
            ReportKind::CancelRejected(reason) => format!("cancel rejected {reason:?}"),
            ReportKind::Replaced { old, remaining, queue_ahead } => {
                format!("replaced {} left {} behind {}", old.0, remaining.0, queue_ahead.0)
            }
            ReportKind::Amended { price, remaining } => format!("amended to {} @ {}", remaining.0, price.0),
            ReportKind::Filled(f) => format!("{} @ {} {} behind {}", f.qty.0, f.price.0, f.why.word(), f.queue_ahead.0),
        })
        .collect()
    }

    pub(super) fn fills(&self) -> impl Iterator<Item = &Fill> {
        self.heard.iter().filter_map(|(_, report)| match &report.kind {
            ReportKind::Filled(fill) => Some(fill),
            ReportKind::Accepted { .. }
            | ReportKind::Rejected(_)
            | ReportKind::Cancelled { .. }
            | ReportKind::CancelRejected(_)
            | ReportKind::Replaced { .. }
            | ReportKind::Amended { .. } => None,
        })
    }
}
