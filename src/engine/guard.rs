//! Risk inside a session: measures taken to the breakers, and what follows from their word.
//!
//! The gate judges requests; here it is told what prices, fills and clocks have done since the last input, and a state that
//! changes is said. Nothing is weighed that cannot have changed.

use super::desk::Desk;
use super::input::{Carried, Input};
use super::output::Output;
use super::session::{Mode, Session};
use crate::market::{FeedEventKind, InstrumentId};
use crate::order::Fill;
use crate::risk::gate::leverage;
use crate::risk::rule::{Effect, Ends};
use crate::risk::{BookReading, Change, ExposureLimits, InstrumentReading, Limit, Others, RiskState, Score, Stake};
use crate::units::{Lots, Money, Ticks};

impl Session {
    /// Weighs what this input can have moved.
    pub(super) fn guard(&mut self, input: &Input, out: &mut Vec<Output>) {
        self.measure(input);
        let mut changes = std::mem::take(&mut self.scratch.changes);
        let is_tick = matches!(input, Input::Tick);
        let reading = self.book_reading();
        if is_tick || self.weighed != Some(reading) {
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
            if self.gate.limits().instruments[i].stands() || !self.gate.breakers().trips().is_empty() {
                let reading = InstrumentReading { volatility_centibps: self.desks[i].volatility_centibps() };
                let (breakers, limits) = self.gate.breakers_mut();
                breakers.weigh_instrument(InstrumentId(i as u16), limits, &reading, self.now, &mut changes);
            }
        }
        if self.gate.watches_exposure() {
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
                let watches_age = own.feed_latency_max_ms.is_some() || own.clock_skew_max_ms.is_some();
                if let (true, Some(stamp)) = (watches_age, event.venue_time) {
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

    /// What is at stake in the instruments other than this one; nothing where no limit asks.
    pub(super) fn others(&self, id: InstrumentId) -> Others {
        if !self.gate.watches_exposure() {
            return Others::default();
        }
        let venue = self.desks[id.index()].rules.venue;
        let mut others = Others { worth: self.worth(), ..Others::default() };
        for desk in self.desks.iter().filter(|desk| desk.id != id) {
            let stake = self.stake(desk);
            others.book = others.book.and(stake);
            if desk.rules.venue == venue {
                others.venue = others.venue.and(stake);
            }
        }
        others
    }

    pub(super) fn stake(&self, desk: &Desk) -> Stake {
        let limits = &self.gate.limits().instruments[desk.id.index()];
        let Some(top) = desk.top else { return desk.last_stake };
        let mid = Ticks(top.twice_mid() / 2);
        let worth = |lots: Lots| limits.in_account(desk.rules.notional_quote(mid, lots.abs()));
        let position = desk.ledger.position();
        let signed = if position.0 < 0 { -worth(position) } else { worth(position) };
        let [buying, selling] = crate::units::Side::BOTH.map(|side| worth(desk.orders.resting(side)));
        Stake::of(signed, buying, selling)
    }

    /// Capital and profit.
    pub(super) fn worth(&self) -> Option<Money> {
        let capital = self.gate.limits().book.capital?;
        Some(capital + self.weighed.map_or(Money::ZERO, |reading| reading.equity))
    }

    /// Prices may have carried positions beyond what may be at stake.
    fn weigh_exposures(&mut self, changes: &mut Vec<Change>) {
        let mut book = Stake::default();
        let mut venues: std::collections::BTreeMap<_, Stake> = std::collections::BTreeMap::new();
        for i in 0..self.desks.len() {
            let stake = self.stake(&self.desks[i]);
            self.desks[i].last_stake = stake;
            book = book.and(stake);
            let of_venue = venues.entry(self.desks[i].rules.venue).or_default();
            *of_venue = of_venue.and(stake);
        }
        let (now, worth) = (self.now, self.worth());
        let (breakers, limits) = self.gate.breakers_mut();
        let conduct = limits.conduct;
        let money = |max: Option<Money>| max.map(|max| max.0);
        let mut weigh = |limit, value: i128, max| {
            breakers.weigh_exposure(limit, value, max, &conduct, now, changes);
        };
        let worst = |exposure: fn(&ExposureLimits) -> Option<Money>, measure: fn(&Stake) -> Money| {
            // Of several venues the one that is farthest beyond its own limit speaks for all.
            let weighed =
                limits.venues.iter().filter_map(|(venue, own)| Some((measure(venues.get(venue)?), exposure(own)?)));
            weighed.max_by_key(|(value, max)| value.0 - max.0)
        };
        for (limit, found) in [
            (Limit::VenueGross, worst(|own| own.gross_max, |stake| stake.gross)),
            (Limit::VenueNet, worst(|own| own.net_max, |stake| stake.net_worst())),
        ] {
            let (value, max) = found.map_or((0, None), |(value, max)| (value.0, Some(max.0)));
            weigh(limit, value, max);
        }
        weigh(Limit::BookGross, book.gross.0, money(limits.book.exposure.gross_max));
        weigh(Limit::BookNet, book.net_worst().0, money(limits.book.exposure.net_max));
        if let Some(worth) = worth {
            let max = limits.book.leverage_max_centi.map(i128::from);
            weigh(Limit::Leverage, i128::from(leverage(book.gross, worth)), max);
        }
    }

    fn say_change(&mut self, change: &Change, out: &mut Vec<Output>) {
        let rule = change.reason.limit.rule();
        let halts = matches!(rule.effect, Effect::State(RiskState::Halted)) && rule.ends == Ends::Operator;
        if change.began && halts && !change.reason.is_soft && self.gate.limits().conduct.flatten_on_halt {
            self.mode = if self.mode == Mode::Stopped { Mode::Stopped } else { Mode::Flattening };
        }
        let reason = if change.began { change.reason.to_string() } else { format!("cleared {}", rule.code) };
        self.say_risk(change.instrument, &reason, "risk", out);
    }

    /// Says the state now in force for an instrument, or the book.
    fn say_risk(&mut self, instrument: Option<InstrumentId>, reason: &str, by: &str, out: &mut Vec<Output>) {
        let state = instrument.map_or_else(|| self.gate.state(), |id| self.gate.state_of(id));
        // Whoever is let out of a corner may have something to say.
        self.desks
            .iter_mut()
            .filter(|desk| instrument.is_none_or(|id| id == desk.id))
            .for_each(|desk| desk.fresh = true);
        let (reason, by) = (reason.to_owned(), by.to_owned());
        self.say(Output::Risk { instrument, state, reason, by }, out);
    }

    /// An operator asks for a state.
    pub(super) fn ask_state(&mut self, state: RiskState, reason: &str, by: &str, out: &mut Vec<Output>) {
        self.gate.ask(state);
        self.say_risk(None, reason, by, out);
    }

    /// An operator wants to go on; says whether that is so. What still holds has to be dealt with first.
    pub(super) fn resume_risk(&mut self, by: &str, out: &mut Vec<Output>) -> bool {
        let before = self.gate.state();
        let (breakers, limits) = self.gate.breakers_mut();
        if let Some(trip) = breakers.still_holds(limits) {
            let reason = format!("RESUME_REFUSED {}", trip.reason);
            self.say_risk(None, &reason, by, out);
            return false;
        }
        breakers.resume();
        self.gate.ask(RiskState::Active);
        if before != RiskState::Active {
            self.say_risk(None, "resumed", by, out);
        }
        true
    }

    /// Goes on where the account's last session ended.
    pub(super) fn restore_risk(&mut self, carried: &Carried, out: &mut Vec<Output>) {
        let (breakers, _) = self.gate.breakers_mut();
        if let Some(score) = carried.score {
            breakers.restore(score, carried.trips.clone());
        }
        for desk in &self.desks {
            breakers.sensor_mut(desk.id).holds(desk.ledger.position(), self.now);
        }
        self.gate.ask(carried.state);
        let mut scopes: Vec<_> = carried.trips.iter().filter_map(|trip| trip.instrument).collect();
        scopes.dedup();
        let reason = format!("carried over from {}", carried.from);
        if self.gate.state() != RiskState::Active {
            self.say_risk(None, &reason, "account", out);
        }
        for id in scopes {
            self.say_risk(Some(id), &reason, "account", out);
        }
    }

    /// What limits of the next session need to know of this one and those before.
    pub(super) fn score(&self) -> Score {
        let settled = self.desks.iter().zip(&self.gate.limits().instruments);
        let settled = settled.map(|(desk, limits)| limits.in_account(desk.settled_in_quote())).sum();
        self.gate.breakers().score(settled)
    }
}
