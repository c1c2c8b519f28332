//! The one door.
//!
//! [`Session::step`] takes one stamped input and says what came of it. Nothing else changes a session, and nothing
//! in it looks at a clock, a file or a socket: hand the same inputs to the same session and it says the same, bit
//! for bit, which [`Session::digest`] proves. The paper exchange lives inside, so recorded inputs are enough to
//! reproduce every fill.
//!
//! Reading order: [`Session::take_in`] listens (exchange, book, signals, marks), [`Session::decision_due`] asks for a
//! decision, [`Session::carry_out`] acts. [`Session::step`] is the three in a row.

use serde::{Deserialize, Serialize};

use super::desk::Desk;
use super::guard::beside;
use super::input::{Carried, Command, ITSELF, Input, Stamped};
use super::output::{BookState, Output};
use super::spec::SessionSpec;
use super::stakes::Stakes;
use super::working::{Context, reconcile};
use crate::digest::{Chain, canonical_bytes_in};
use crate::exchange::Venue;
use crate::exchange::place::Answers;
use crate::market::{Instrument, InstrumentId, MarketEvent, MarketEventKind};
use crate::order::{OrderId, OrderKind, OrderState, Report, ReportKind, Request};
use crate::portfolio::Ledger;
use crate::risk::{BookReading, Change, Gate, RiskState};
use crate::signal::Top;
use crate::strategy::{Decision, Idle, Quote, Strategies, Strategy, View, Wanted};
use crate::units::{LocalTime, Lots, Nanos, Side, Ticks};

/// A deterministic trading session over many instruments under one risk book.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Session {
    pub(super) desks: Vec<Desk>,
    pub(super) gate: Gate,
    pub(super) mode: Mode,
    pub(super) chain: Chain,
    pub(super) seq: u64,
    pub(super) now: LocalTime,
    pub(super) started: Option<LocalTime>,
    equity_every: Nanos,
    next_equity: LocalTime,
    orders_made: u64,
    /// What the book stood at when it was last weighed.
    pub(super) weighed: Option<BookReading>,
    /// What is at stake; follows from the rest.
    #[serde(skip)]
    pub(super) stakes: Stakes,
    #[serde(skip)]
    pub(super) scratch: Scratch,
}

/// Buffers that live longer than one input; never part of the state.
#[derive(Clone, Debug, Default)]
pub(super) struct Scratch {
    pub(super) changes: Vec<Change>,
    heard: Vec<Report>,
    requests: Vec<Request>,
    bytes: Vec<u8>,
}

/// What the operator wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Mode {
    /// Quote.
    Quoting,
    /// Rest nothing.
    Paused,
    /// Rest nothing and bring positions to zero, then pause.
    Flattening,
    /// The end.
    Stopped,
}

impl Mode {
    /// The word in status.
    pub fn word(self) -> &'static str {
        match self {
            Mode::Quoting => "quoting",
            Mode::Paused => "paused",
            Mode::Flattening => "flattening",
            Mode::Stopped => "stopped",
        }
    }
}

impl Session {
    /// A session before its first input.
    pub fn new(spec: &SessionSpec) -> Self {
        let desk =
            |(i, desk): (usize, &super::spec::DeskSpec)| Desk::new(InstrumentId(i as u16), desk.clone(), spec.seed);
        Self {
            desks: spec.desks.iter().enumerate().map(desk).collect(),
            gate: Gate::new(spec.risk.clone()),
            mode: Mode::Quoting,
            chain: Chain::default(),
            seq: 0,
            now: LocalTime::default(),
            started: None,
            equity_every: spec.equity_every,
            next_equity: LocalTime::default(),
            orders_made: 0,
            weighed: None,
            stakes: Stakes::default(),
            scratch: Scratch::default(),
        }
    }

    /// Takes one input all the way: listen, decide, act. Appends what it says to `out`.
    ///
    /// Panics on a broken invariant of our own (a venue report that cannot follow, a strategy list of another
    /// length); never on anything a venue or an operator says.
    pub fn step(&mut self, input: &Stamped, strategies: &mut Strategies, out: &mut Vec<Output>) {
        assert_eq!(strategies.len(), self.desks.len(), "one strategy (or none) per instrument");
        self.take_in(input, out);
        while let Some(id) = self.decision_due() {
            match &mut strategies[id.index()] {
                Some(strategy) => self.ask(id, &mut **strategy, out),
                // Nobody to ask: wait for the next news.
                None => self.desks[id.index()].fresh = false,
            }
        }
    }

    /// Has the strategy of an instrument decide, and does it. Panics unless its book is live.
    pub fn ask(&mut self, id: InstrumentId, strategy: &mut dyn Strategy, out: &mut Vec<Output>) {
        let decision = strategy.decide(&self.view(id));
        self.note_drift(id, strategy, out);
        self.carry_out(decision, out);
    }

    /// Says what a strategy has just found out about itself, between its decision and what comes of it.
    pub fn note_drift(&mut self, id: InstrumentId, strategy: &mut dyn Strategy, out: &mut Vec<Output>) {
        if let Some(look) = strategy.drift() {
            self.say(Output::Drift { instrument: id, look: Box::new(look) }, out);
        }
    }

    /// First half: listen.
    pub fn take_in(&mut self, input: &Stamped, out: &mut Vec<Output>) {
        self.seq = input.seq;
        // Clocks leap; time inside a session does not go back.
        self.now = self.now.max(input.at);
        if self.started.is_none() {
            self.started = Some(self.now);
            self.next_equity = self.now + self.equity_every;
            self.desks.iter_mut().for_each(|d| d.last_news = self.now);
        }
        match &input.input {
            Input::Market(event) => self.hear_market(event, out),
            Input::Feed(event) => {
                self.hear_venues(out);
                let concerned = |d: &&mut Desk| event.instrument.map_or(d.rules.venue == event.venue, |i| i == d.id);
                self.desks.iter_mut().filter(concerned).for_each(|d| d.apply_feed(event));
            }
            Input::Report(report) => {
                let desk = &mut self.desks[report.instrument.index()];
                desk.venue.tell(report, &desk.rules);
                self.hear_venues(out);
            }
            Input::Tick => {
                self.hear_venues(out);
                for (desk, limits) in self.desks.iter_mut().zip(&self.gate.limits().instruments) {
                    desk.age(self.now, limits.stale_book_ms);
                    desk.signals.on_time(self.now);
                }
            }
            Input::Command { by, command } => {
                self.hear_venues(out);
                self.obey(by, command, out);
            }
        }
        for i in 0..self.desks.len() {
            self.judge_book(i, out);
        }
        self.guard(&input.input, out);
        self.pull_where_nothing_may_rest(out);
        if self.mode == Mode::Flattening {
            self.flatten(out);
        }
        if self.now >= self.next_equity {
            self.next_equity = self.now + self.equity_every;
            self.say_equity(out);
        }
    }

    /// The instrument whose strategy should be asked now, if any.
    pub fn decision_due(&self) -> Option<InstrumentId> {
        if self.mode != Mode::Quoting {
            return None;
        }
        let due = |d: &&Desk| {
            d.fresh
                && d.state == BookState::Live
                && self.now >= d.decide_at
                && d.spec.strategy.is_some()
                && self.gate.state_of(d.id, d.rules.venue) != RiskState::Halted
        };
        self.desks.iter().find(due).map(|d| d.id)
    }

    /// Whether there is a [`view`](Self::view) of an instrument: its book is live.
    pub fn is_in_view(&self, id: InstrumentId) -> bool {
        let desk = &self.desks[id.index()];
        desk.state == BookState::Live && desk.top.is_some()
    }

    /// What a strategy may know of an instrument. Panics unless its book is live.
    pub fn view(&self, id: InstrumentId) -> View<'_> {
        let desk = &self.desks[id.index()];
        let position = desk.ledger.position();
        let [(_, room_to_buy), (_, room_to_sell)] = self.room(id);
        View {
            now: self.now,
            elapsed: self.now.since(self.started.unwrap_or(self.now)),
            instrument: id,
            rules: &desk.rules,
            book: &desk.book,
            top: desk.top.expect("a view is asked for only while the book is live"),
            signals: &desk.signals,
            position,
            orders: &desk.orders,
            book_has_ours: desk.spec.answers == Answers::Told,
            room_to_buy,
            room_to_sell,
            maker_fee: desk.venue.rates().maker,
            taker_fee: desk.venue.rates().taker,
            latency: desk.spec.paper.latency.entry(self.now),
            funding_in: desk.funding_in(),
        }
    }

    /// Second half: act.
    pub fn carry_out(&mut self, decision: Decision, out: &mut Vec<Output>) {
        let id = decision.instrument;
        let desk = &mut self.desks[id.index()];
        desk.fresh = false;
        desk.decide_at = self.now + desk.spec.quoting.decide_every;
        desk.why = decision.why;
        let top = desk.top.expect("a decision is carried out only while the book is live");
        if desk.wanted.as_ref().is_none_or(|before| is_news(before, &decision.wanted)) {
            let position = desk.ledger.position();
            desk.wanted = Some(decision.wanted.clone());
            let said = Output::Decided { decision: Box::new(decision.clone()), top, position };
            self.say(said, out);
        } else {
            desk.wanted = Some(decision.wanted.clone());
        }
        match &decision.wanted {
            Wanted::Keep => {}
            Wanted::Quotes(quotes) => self.work(id, quotes, top, out),
            Wanted::Nothing(_) => self.work(id, &[], top, out),
            Wanted::Flatten => {
                self.work(id, &[], top, out);
                self.flatten_desk(id, top, out);
            }
        }
    }

    fn work(&mut self, id: InstrumentId, quotes: &[Quote], top: Top, out: &mut Vec<Output>) {
        let mut requests = std::mem::take(&mut self.scratch.requests);
        let desk = &self.desks[id.index()];
        let spare = self.room(id).map(|(side, room)| room - desk.orders.resting(side));
        let context =
            Context { instrument: id, now: self.now, twice_mid: top.twice_mid(), quoting: &desk.spec.quoting, spare };
        let made = &mut self.orders_made;
        let mut next_id = || {
            *made += 1;
            OrderId(*made)
        };
        reconcile(&context, &desk.orders, quotes, &mut next_id, &mut requests);
        for request in requests.drain(..) {
            self.send(request, false, out);
        }
        self.scratch.requests = requests;
    }

    /// What each side may still trade, counting nothing of what rests.
    fn room(&self, id: InstrumentId) -> [(Side, Lots); 2] {
        let desk = &self.desks[id.index()];
        Side::BOTH.map(|side| (side, self.gate.room(id, desk.rules.venue, desk.ledger.position(), side)))
    }

    /// Through the gate and to the venue, or not.
    pub(super) fn send(&mut self, request: Request, flattening: bool, out: &mut Vec<Output>) {
        let id = request.instrument();
        let desk = &self.desks[id.index()];
        let beside = beside(&self.desks, &self.gate, &self.stakes, self.weighed, &request);
        let mut exposure = desk.exposure(self.now, &desk.orders, &request, beside);
        exposure.flattening = flattening;
        let side = match &request {
            Request::Place { side, .. } => Some(*side),
            Request::Replace { .. } => exposure.replaced_side,
            Request::Cancel { .. } => None,
        };
        match self.gate.approve(request.clone(), &exposure) {
            Ok(approved) => {
                let now = self.now;
                let desk = &mut self.desks[id.index()];
                if let Some(side) = side {
                    desk.refused[side as usize] = None;
                }
                desk.orders.note_sent(&request, now);
                desk.venue.submit(approved, now);
                self.restake(id.index());
                self.say(Output::Sent(request), out);
            }
            Err(refusal) => {
                let side = side.expect("the gate lets every cancellation pass");
                let unmoved = match &request {
                    Request::Replace { old, .. } => Some(*old),
                    Request::Place { .. } | Request::Cancel { .. } => None,
                };
                let standing = &mut self.desks[id.index()].refused[side as usize];
                // A refusal that stands is said once, not at every decision.
                if standing.replace(refusal.code) != Some(refusal.code) {
                    self.say(Output::Refused { request, refusal }, out);
                }
                // It is not wanted where it is; what cannot be moved goes.
                if let Some(old) = unmoved {
                    self.send(Request::Cancel { id: old, instrument: id }, false, out);
                }
            }
        }
    }

    fn hear_market(&mut self, event: &MarketEvent, out: &mut Vec<Output>) {
        let now = self.now;
        let index = event.instrument.index();
        // The venue's time first, then ours: an order already in flight must meet this news at the venue before we
        // are allowed to react to it.
        let (venue, market) = self.desks[index].venue_and_market();
        venue.observe(event, &market, now);
        self.hear_venues(out);
        if let MarketEventKind::Rules(rules) = &event.kind {
            self.change_steps(index, rules, out);
            self.stakes.forget();
        }
        if let MarketEventKind::Mark(mark) = &event.kind {
            for output in self.desks[index].hear_mark(mark, event.venue_time).into_iter().flatten() {
                self.say(output, out);
            }
        }
        self.desks[index].apply(event, now);
    }

    /// Words on their way are in old ticks and lots and would be read in new ones: they are heard now. Limits are in
    /// lots; of the new ones they are the most that is not more than before.
    fn change_steps(&mut self, index: usize, rules: &Instrument, out: &mut Vec<Output>) {
        let old = &self.desks[index].rules;
        if (old.tick, old.lot) == (rules.tick, rules.lot) {
            return;
        }
        let mut heard = std::mem::take(&mut self.scratch.heard);
        self.desks[index].venue.hear_at_once(&mut heard);
        self.hear_all(index, &mut heard, out);
        self.scratch.heard = heard;
        let desk = &self.desks[index];
        if desk.recounts(rules) {
            let mut limits = self.gate.limits().clone();
            let own = &mut limits.instruments[index];
            for limit in [&mut own.long_max, &mut own.short_max, &mut own.order_qty_max] {
                *limit = match desk.lot_ratio(rules) {
                    Some(ratio) => Lots(limit.0.saturating_mul(ratio)),
                    None => Lots(rules.lot.count_floor(desk.rules.lot.value(limit.0))),
                };
            }
            self.gate.set_limits(limits);
        }
    }

    /// Every report we have heard of by now.
    fn hear_venues(&mut self, out: &mut Vec<Output>) {
        let mut heard = std::mem::take(&mut self.scratch.heard);
        for i in 0..self.desks.len() {
            let now = self.now;
            // Most of the time nobody has anything to say.
            if !self.desks[i].venue.is_due(now) {
                continue;
            }
            let (venue, market) = self.desks[i].venue_and_market();
            venue.advance(now, &market, &mut heard);
            self.hear_all(i, &mut heard, out);
        }
        self.scratch.heard = heard;
    }

    fn hear_all(&mut self, index: usize, heard: &mut Vec<Report>, out: &mut Vec<Output>) {
        for report in heard.drain(..) {
            let back = self.hear(index, &report);
            self.say(Output::Heard(report), out);
            // We wanted it to leave. Its replacement was refused, so it goes without one.
            if let Some(id) = back {
                let instrument = self.desks[index].id;
                self.send(Request::Cancel { id, instrument }, false, out);
            }
        }
    }

    /// Takes in one report; says which order is back at work although we wanted it to leave.
    fn hear(&mut self, index: usize, report: &Report) -> Option<OrderId> {
        let desk = &mut self.desks[index];
        let state = desk.orders.hear(report);
        if let ReportKind::Filled(fill) = &report.kind {
            desk.ledger.fill(&desk.rules, fill);
            desk.fresh = true;
            self.note_fill(index, fill);
        }
        let desk = &mut self.desks[index];
        // Room for whatever waited for this one to leave.
        desk.fresh |= matches!(report.kind, ReportKind::Cancelled { .. });
        match report.kind {
            ReportKind::CancelRejected(_) => (state == Some(OrderState::Working)).then_some(report.id),
            ReportKind::Accepted { .. }
            | ReportKind::Rejected(_)
            | ReportKind::Cancelled { .. }
            | ReportKind::Replaced { .. }
            | ReportKind::Filled(_)
            | ReportKind::Amended { .. } => None,
        }
    }

    fn judge_book(&mut self, index: usize, out: &mut Vec<Output>) {
        let desk = &mut self.desks[index];
        let state = desk.judge();
        if state != desk.state {
            if desk.state == BookState::Live {
                desk.signals.on_gap();
                desk.wanted = None;
            }
            desk.state = state;
            let instrument = desk.id;
            self.say(Output::Book { instrument, state }, out);
        }
        let desk = &mut self.desks[index];
        if let (BookState::Live, Some(top)) = (desk.state, desk.top) {
            desk.signals.on_top(&top, self.now);
            desk.mark(top.twice_mid());
        }
    }

    /// Nothing rests while the book cannot be trusted, while halted, or when the operator wants nothing to; never
    /// more of a side than the limits in force leave it, which while reducing is what brings a position to zero.
    fn pull_where_nothing_may_rest(&mut self, out: &mut Vec<Output>) {
        for i in 0..self.desks.len() {
            let desk = &self.desks[i];
            if desk.orders.is_empty() {
                continue;
            }
            let may_quote =
                self.mode == Mode::Quoting && self.gate.state_of(desk.id, desk.rules.venue) != RiskState::Halted;
            let all = !may_quote || desk.state != BookState::Live;
            let too_many = self.room(desk.id).map(|(side, room)| all || desk.orders.resting(side) > room);
            if too_many == [false; 2] {
                continue;
            }
            let leaving: Vec<_> = desk.to_pull(too_many).map(|o| (o.id, o.instrument)).collect();
            for (id, instrument) in leaving {
                self.send(Request::Cancel { id, instrument }, false, out);
            }
        }
    }

    fn flatten(&mut self, out: &mut Vec<Output>) {
        for i in 0..self.desks.len() {
            let desk = &self.desks[i];
            if let (BookState::Live, Some(top), true) = (desk.state, desk.top, desk.orders.is_empty()) {
                self.flatten_desk(desk.id, top, out);
            }
        }
        if self.desks.iter().all(|d| d.orders.is_empty() && d.is_flat_or_dust(d.top)) {
            self.mode = Mode::Paused;
            self.say(Output::Commanded { by: ITSELF.to_owned(), command: Command::Pause }, out);
        }
    }

    /// One order towards zero: across the spread, no farther than the collar, no larger than a single order may be.
    fn flatten_desk(&mut self, id: InstrumentId, top: Top, out: &mut Vec<Output>) {
        let desk = &self.desks[id.index()];
        let position = desk.ledger.position();
        if !desk.orders.is_empty() || desk.is_flat_or_dust(Some(top)) {
            return;
        }
        let side = if position.0 > 0 { Side::Ask } else { Side::Bid };
        let touch = top.price(side.opposite());
        // Half the collar beyond the touch, but never beyond the collar: in a wide market that would be refused.
        let limits = &self.gate.limits().instruments[id.index()];
        let collar = i128::from(limits.collar_centibps) * i128::from(top.twice_mid()) / 2_000_000;
        let (touch, mid) = (i128::from(touch.0), i128::from(top.twice_mid()));
        let price = match side {
            Side::Bid => (touch + collar / 2).min(mid / 2 + collar).max(touch),
            Side::Ask => (touch - collar / 2).max((mid + 1) / 2 - collar).min(touch),
        };
        let price = desk.rules.snap(side, Ticks(i64::try_from(price.max(1)).unwrap_or(i64::MAX)));
        let affordable = limits.order_notional_max.0 / desk.rules.notional_quote(price, Lots(1)).0.max(1);
        let affordable = Lots(i64::try_from(affordable).unwrap_or(i64::MAX));
        let qty = position.abs().min(limits.order_qty_max).min(affordable).min(desk.rules.max_qty);
        if qty < desk.rules.min_qty || qty <= Lots::ZERO {
            return;
        }
        self.orders_made += 1;
        let order =
            Request::Place { id: OrderId(self.orders_made), instrument: id, side, price, qty, kind: OrderKind::Ioc };
        self.send(order, true, out);
    }

    fn obey(&mut self, by: &str, command: &Command, out: &mut Vec<Output>) {
        self.say(Output::Commanded { by: by.to_owned(), command: command.clone() }, out);
        match command {
            // The end has no way back: a session that is closing must not quote again.
            Command::Pause | Command::Resume | Command::Flatten if self.mode == Mode::Stopped => {}
            Command::Restore(carried) => self.restore(carried, out),
            Command::Pause => self.mode = Mode::Paused,
            Command::Resume => {
                if self.resume_risk(by, out) {
                    self.mode = Mode::Quoting;
                    self.desks.iter_mut().for_each(|d| d.fresh = true);
                }
            }
            Command::Halt { reason } => self.ask_state(RiskState::Halted, reason, by, out),
            Command::Reduce { reason } => self.ask_state(RiskState::Reducing, reason, by, out),
            Command::Flatten => self.mode = Mode::Flattening,
            Command::SetLimits(limits) => self.change_limits(limits, out),
            Command::Stop => {
                self.mode = Mode::Stopped;
                self.say_equity(out);
            }
        }
    }

    fn restore(&mut self, carried: &Carried, out: &mut Vec<Output>) {
        for (desk, (position, cost)) in self.desks.iter_mut().zip(carried.positions.iter().zip(&carried.costs)) {
            desk.ledger = Ledger::carried(*position, *cost);
        }
        self.restore_risk(carried, out);
    }

    fn say_equity(&mut self, out: &mut Vec<Output>) {
        for i in 0..self.desks.len() {
            if let Some(accrued) = self.desks[i].accrued_funding() {
                self.say(Output::Funding(accrued), out);
            }
            let mark = self.desks[i].equity_mark();
            if mark.twice_mid != 0 {
                self.say(Output::Equity(mark), out);
            }
        }
    }

    /// Nothing leaves without being chained.
    pub(super) fn say(&mut self, output: Output, out: &mut Vec<Output>) {
        self.chain.extend(self.seq, canonical_bytes_in(&output, &mut self.scratch.bytes));
        out.push(output);
    }
}

/// Whether `now` says something that `before` did not. Warm-up progress alone is not news.
fn is_news(before: &Wanted, now: &Wanted) -> bool {
    match (before, now) {
        (Wanted::Nothing(Idle::WarmingUp { what: a, .. }), Wanted::Nothing(Idle::WarmingUp { what: b, .. })) => a != b,
        _ => before != now,
    }
}
