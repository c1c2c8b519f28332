//! Risk inside a session: measures taken to the breakers, and what follows from their word.
//!
//! The gate judges requests; here it is told what prices, fills and clocks have done since the last input, and a state that
//! changes is said. Nothing is weighed that cannot have changed.

use super::desk::Desk;
use super::input::{Carried, Input};
use super::output::Output;
use super::session::{Mode, Session};
use super::stakes::Stakes;
use crate::market::{FeedEventKind, InstrumentId, Kind};
use crate::order::{Fill, Request};
use crate::risk::gate::leverage;
use crate::risk::rule::{Effect, Ends};
use crate::risk::standing::forbidden;
use crate::risk::{
    BookReading, Change, Elsewhere, Gate, InstrumentReading, Limit, RiskLimits, RiskState, Score, Stake, Whose,
};
use crate::units::{Lots, Money, Side, Ticks};

impl Session {
    /// Weighs what this input can have moved.
    pub(super) fn guard(&mut self, input: &Input, out: &mut Vec<Output>) {
        self.measure(input);
        let mut changes = std::mem::take(&mut self.scratch.changes);
        // Time moves the hour and the day, a command the limits themselves.
        let may_differ = matches!(input, Input::Tick | Input::Command { .. });
        let reading = self.book_reading();
        if may_differ || self.weighed != Some(reading) {
            self.weighed = Some(reading);
            let (breakers, limits) = self.gate.breakers_mut();
            breakers.weigh_book(limits, &reading, self.now, &mut changes);
        }
        let concerned = match input {
            Input::Market(event) => event.instrument.index()..event.instrument.index() + 1,
            Input::Report(report) => report.instrument.index()..report.instrument.index() + 1,
            Input::Tick | Input::Command { .. } => 0..self.desks.len(),
            Input::Feed(_) => 0..0,
        };
        for i in concerned {
            if self.desks[i].is_valued() {
                let (breakers, _) = self.gate.breakers_mut();
                breakers.stands_at(InstrumentId(i as u16), self.desks[i].equity_in_quote());
            }
            if self.gate.limits().instruments[i].stands() || !self.gate.breakers().trips().is_empty() {
                let reading = InstrumentReading { volatility_centibps: self.desks[i].volatility_centibps() };
                let (breakers, limits) = self.gate.breakers_mut();
                breakers.weigh_instrument(InstrumentId(i as u16), limits, &reading, self.now, &mut changes);
            }
        }
        if self.gate.watches_exposure() || self.gate.breakers().has_exposure_trip() {
            self.weigh_exposures(&mut changes);
        }
        for change in changes.drain(..) {
            self.say_change(&change, out);
        }
        self.scratch.changes = changes;
    }

    /// What the input says of latency, clocks and the mid after our fills.
    fn measure(&mut self, input: &Input) {
        let now = self.now;
        match input {
            Input::Market(event) => {
                let id = event.instrument;
                let desk = &self.desks[id.index()];
                let (breakers, limits) = self.gate.breakers_mut();
                let own = &limits.instruments[id.index()];
                if let (true, Some(stamp)) = (own.watches_age(), event.venue_time) {
                    breakers.sensor_mut(id).stamped(stamp, now);
                }
                if let (Some(limit), Some(top)) = (own.markout, desk.top) {
                    breakers.sensor_mut(id).mid(top.twice_mid(), now, &limit);
                }
            }
            Input::Feed(event) => {
                if let FeedEventKind::Connected = event.kind {
                    let (breakers, _) = self.gate.breakers_mut();
                    for desk in self.desks.iter().filter(|desk| desk.rules.venue == event.venue) {
                        breakers.sensor_mut(desk.id).forget_age();
                    }
                }
            }
            Input::Report(_) | Input::Tick | Input::Command { .. } => {}
        }
    }

    /// One of our orders traded.
    pub(super) fn note_fill(&mut self, index: usize, fill: &Fill) {
        let desk = &self.desks[index];
        let (breakers, limits) = self.gate.breakers_mut();
        let sensor = breakers.sensor_mut(desk.id);
        sensor.holds(desk.ledger.position(), self.now);
        if limits.instruments[index].markout.is_some() {
            sensor.filled(fill.side, fill.price, self.now);
        }
    }

    /// Where the book stands. A position whose market is lost keeps its last price, one that never had any counts at its
    /// cost: the losses of the others count meanwhile.
    fn book_reading(&self) -> BookReading {
        let mut reading =
            BookReading { equity: Money::ZERO, fees: Money::ZERO, funding: Money::ZERO, is_complete: true };
        let limits = &self.gate.limits().instruments;
        for (desk, limits) in self.desks.iter().zip(limits) {
            let equity = if desk.is_valued() { desk.equity_in_quote() } else { desk.settled_in_quote() };
            reading.is_complete &= desk.is_valued();
            reading.equity += limits.in_account(equity);
            reading.fees += limits.in_account(desk.fees_in_quote());
            reading.funding += limits.in_account(desk.funding_due()).max(Money::ZERO);
        }
        reading
    }

    /// Keeps what is at stake in step with an instrument's market, position and orders.
    pub(super) fn restake(&mut self, index: usize) {
        if !self.gate.watches_exposure() {
            return;
        }
        self.stakes.fit(&self.desks, &self.gate.limits().instruments);
        if !self.stakes.is_current(&self.desks[index]) {
            let stake = self.stake(&self.desks[index]);
            self.stakes.set(&self.desks[index], stake);
        }
    }

    /// What is at stake in an instrument, in account currency: at the last mid there was. Before the first one a position that
    /// was carried over counts at what it cost.
    pub(super) fn stake(&self, desk: &Desk) -> Stake {
        let limits = &self.gate.limits().instruments[desk.id.index()];
        let position = desk.ledger.position();
        let unit = self.stakes.unit(desk.id);
        let worth = |lots: Lots| {
            let mid = Ticks(desk.last_twice_mid.unwrap_or(0) / 2);
            match desk.last_twice_mid {
                None if desk.rules.contract.kind != Kind::Inverse => limits.in_account(desk.ledger.cost().abs()),
                _ => unit
                    .and_then(|unit| unit.worth(mid, lots))
                    .unwrap_or_else(|| limits.in_account(desk.rules.notional_quote(mid, lots))),
            }
        };
        let signed = if position.0 < 0 { -worth(position) } else { worth(position) };
        let [buying, selling] = Side::BOTH.map(|side| match desk.orders.resting(side) {
            Lots::ZERO => Money::ZERO,
            resting => worth(resting),
        });
        Stake::of(signed, buying, selling)
    }

    /// Capital and profit.
    pub(super) fn worth(&self) -> Option<Money> {
        worth(&self.gate, self.weighed)
    }

    /// Prices may have carried positions beyond what may be at stake. Each venue is weighed by itself.
    fn weigh_exposures(&mut self, changes: &mut Vec<Change>) {
        self.stakes.fit(&self.desks, &self.gate.limits().instruments);
        for index in 0..self.desks.len() {
            self.restake(index);
        }
        let (now, worth, stakes) = (self.now, self.worth(), &self.stakes);
        let (breakers, limits) = self.gate.breakers_mut();
        let conduct = limits.conduct;
        let money = |max: Option<Money>| max.map(|max| max.0);
        let mut weigh = |limit, whose, value: i128, max| {
            breakers.weigh_exposure(limit, whose, (value, max), &conduct, now, changes);
        };
        for (venue, stake) in stakes.venues() {
            let (own, whose) = (limits.venues.get(venue).copied().unwrap_or_default(), Whose::Venue(*venue));
            weigh(Limit::VenueGross, whose, stake.gross.0, money(own.gross_max));
            weigh(Limit::VenueNet, whose, stake.net_worst().0, money(own.net_max));
        }
        let (book, of_book) = (stakes.book(), &limits.book);
        weigh(Limit::BookGross, Whose::Book, book.gross.0, money(of_book.exposure.gross_max));
        weigh(Limit::BookNet, Whose::Book, book.net_worst().0, money(of_book.exposure.net_max));
        // Without a capital there is no leverage to limit, and what was beyond one is no longer.
        let max = worth.and(of_book.leverage_max_centi).map(i128::from);
        let value = worth.map_or(0, |worth| i128::from(leverage(book.gross, worth)));
        weigh(Limit::Leverage, Whose::Book, value, max);
    }

    fn say_change(&mut self, change: &Change, out: &mut Vec<Output>) {
        let rule = change.reason.limit.rule();
        let halts = matches!(rule.effect, Effect::State(RiskState::Halted)) && rule.ends == Ends::Operator;
        let of_book = change.whose == Whose::Book;
        if change.began && halts && of_book && !change.reason.is_soft && self.gate.limits().conduct.flatten_on_halt {
            self.mode = if self.mode == Mode::Stopped { Mode::Stopped } else { Mode::Flattening };
        }
        let reason = if change.began { change.reason.to_string() } else { format!("cleared {}", rule.code) };
        self.say_risk(change.whose, &reason, "risk", out);
    }

    /// Says the state now in force for an instrument, a venue, or the book.
    fn say_risk(&mut self, whose: Whose, reason: &str, by: &str, out: &mut Vec<Output>) {
        let state = match whose {
            Whose::Instrument(id) => self.risk_state_of(id),
            Whose::Venue(venue) => self.gate.state_of_venue(venue),
            Whose::Book => self.gate.state(),
        };
        // Whoever is let out of a corner may have something to say.
        let concerned = self.desks.iter_mut().filter(|desk| whose.concerns(desk.id, desk.rules.venue));
        concerned.for_each(|desk| desk.fresh = true);
        let (reason, by) = (reason.to_owned(), by.to_owned());
        self.say(Output::Risk { whose, state, reason, by }, out);
    }

    /// Puts limits in force between two inputs. What rests and could not be sent under them leaves with this input; what
    /// is beyond them by itself is weighed right after. Nothing that was measured is forgotten, but for what was not
    /// measured lately because no limit asked for it.
    pub(super) fn change_limits(&mut self, limits: &RiskLimits, out: &mut Vec<Output>) {
        let new = limits.for_instruments(self.desks.len());
        let old = self.gate.limits().instruments.clone();
        for ((desk, old), new) in self.desks.iter_mut().zip(&old).zip(&new.instruments) {
            let (breakers, _) = self.gate.breakers_mut();
            let sensor = breakers.sensor_mut(desk.id);
            if old.markout.is_none() && new.markout.is_some() {
                sensor.forget_prices();
                sensor.forget_markouts();
            }
            if !old.watches_age() && new.watches_age() {
                sensor.forget_age();
            }
            desk.age(self.now, new.stale_book_ms);
        }
        self.gate.set_limits(new);
        self.stakes.forget();
        for i in 0..self.desks.len() {
            let desk = &self.desks[i];
            let own = &self.gate.limits().instruments[i];
            for id in forbidden(own, &desk.rules, &desk.orders, desk.top, desk.ledger.position()) {
                self.send(Request::Cancel { id, instrument: InstrumentId(i as u16) }, false, out);
            }
        }
    }

    /// An operator asks for a state. Out of a worse one there is only `resume`.
    pub(super) fn ask_state(&mut self, state: RiskState, reason: &str, by: &str, out: &mut Vec<Output>) {
        self.gate.ask(state.max(self.gate.asked()));
        self.say_risk(Whose::Book, reason, by, out);
    }

    /// An operator wants to go on; says whether that is so. What still holds has to be dealt with first.
    pub(super) fn resume_risk(&mut self, by: &str, out: &mut Vec<Output>) -> bool {
        let before = self.gate.state();
        let (breakers, limits) = self.gate.breakers_mut();
        if let Some(trip) = breakers.still_holds(limits) {
            let (whose, reason) = (trip.whose, format!("RESUME_REFUSED {}", trip.reason));
            self.say_risk(whose, &reason, by, out);
            return false;
        }
        let freed = breakers.resume();
        self.gate.ask(RiskState::Active);
        for whose in freed.into_iter().filter(|whose| *whose != Whose::Book) {
            self.say_risk(whose, "resumed", by, out);
        }
        if before != RiskState::Active {
            self.say_risk(Whose::Book, "resumed", by, out);
        }
        true
    }

    /// Goes on where the account's last session ended.
    pub(super) fn restore_risk(&mut self, carried: &Carried, out: &mut Vec<Output>) {
        let (breakers, _) = self.gate.breakers_mut();
        breakers.restore(carried.score, &carried.hour, carried.trips.clone());
        for desk in &self.desks {
            let since = carried.held_since.get(desk.id.index()).copied().unwrap_or(self.now);
            breakers.sensor_mut(desk.id).carried(desk.ledger.position(), since, self.now);
        }
        self.gate.ask(carried.state);
        let mut scopes: Vec<_> = carried.trips.iter().map(|trip| trip.whose).filter(|w| *w != Whose::Book).collect();
        scopes.sort_unstable();
        scopes.dedup();
        let reason = |whose: Whose| {
            let trips = carried.trips.iter().filter(|trip| trip.whose == whose);
            let why: String = trips.map(|trip| format!(": {}", trip.reason)).collect();
            format!("carried over from {}{why}", carried.from)
        };
        if self.gate.state() != RiskState::Active {
            self.say_risk(Whose::Book, &reason(Whose::Book), "account", out);
        }
        for whose in scopes {
            self.say_risk(whose, &reason(whose), "account", out);
        }
    }

    /// What limits of the next session need to know of this one and those before.
    pub(super) fn score(&self) -> Score {
        let settled = self.desks.iter().zip(&self.gate.limits().instruments);
        let settled = settled.map(|(desk, limits)| limits.in_account(desk.settled_in_quote())).sum();
        self.gate.breakers().score(settled)
    }
}

/// Capital and profit.
fn worth(gate: &Gate, weighed: Option<BookReading>) -> Option<Money> {
    let capital = gate.limits().book.capital?;
    Some(capital + weighed.map_or(Money::ZERO, |reading| reading.equity))
}

/// What the gate is told of a request besides its own instrument: what is at stake in the others, and whether our best
/// price is asked for. A cancellation is held against nothing. As of the last time anything was weighed, and of every order
/// sent since; nothing where no limit asks.
///
/// Borrows of a session only the stakes: the gate is about to change its buckets.
#[inline]
pub(super) fn beside<'a>(
    desks: &[Desk],
    gate: &Gate,
    stakes: &'a Stakes,
    weighed: Option<BookReading>,
    request: &Request,
) -> (Elsewhere<'a>, bool) {
    let id = match request {
        Request::Place { instrument, .. } | Request::Replace { instrument, .. } => *instrument,
        Request::Cancel { .. } => return (Elsewhere::Nothing, false),
    };
    let asks_best = gate.limits().instruments[id.index()].spread_min_centibps > 0;
    if !gate.watches_exposure() {
        return (Elsewhere::Nothing, asks_best);
    }
    debug_assert!(desks.iter().all(|desk| stakes.is_current(desk)), "every change is followed by restake");
    (stakes.elsewhere(id, worth(gate, weighed)), asks_best)
}
