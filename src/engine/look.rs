//! What drivers, tests and status may look at. Nothing here changes a session.

use super::input::Carried;
use super::output::{BookState, EquityMark};
use super::session::{Mode, Session};
use crate::digest::{Chain, Digest, of_state};
use crate::exchange::place::Place;
use crate::market::{Book, Instrument, InstrumentId};
use crate::order::Order;
use crate::portfolio::Balance;
use crate::risk::{Breakers, RefusalCode, RiskLimits, RiskState};
use crate::signal::{Signals, Top};
use crate::strategy::{Wanted, Why};
use crate::units::{LocalTime, Money, Nanos};

impl Session {
    /// The chain of everything said so far.
    pub fn digest(&self) -> Chain {
        self.chain
    }

    /// The fingerprint of everything the session is.
    pub fn state_digest(&self) -> Digest {
        of_state(self)
    }

    /// Sequence of the last input.
    pub fn seq(&self) -> u64 {
        self.seq
    }

    /// Time of the last input.
    pub fn now(&self) -> LocalTime {
        self.now
    }

    /// Time of the first input.
    pub fn started(&self) -> Option<LocalTime> {
        self.started
    }

    /// What the operator wants.
    pub fn mode(&self) -> Mode {
        self.mode
    }

    /// What the risk book lets through.
    pub fn risk_state(&self) -> RiskState {
        self.gate.state()
    }

    /// What the risk book lets through of an instrument.
    pub fn risk_state_of(&self, id: InstrumentId) -> RiskState {
        self.gate.state_of(id, self.rules(id).venue)
    }

    /// What has gone beyond its limit, and the measures of those that move by themselves.
    pub fn breakers(&self) -> &Breakers {
        self.gate.breakers()
    }

    /// Limits in force.
    pub fn limits(&self) -> &RiskLimits {
        self.gate.limits()
    }

    /// How many instruments.
    pub fn len(&self) -> usize {
        self.desks.len()
    }

    /// Whether there is no instrument at all.
    pub fn is_empty(&self) -> bool {
        self.desks.is_empty()
    }

    /// An instrument's rules in force.
    pub fn rules(&self, id: InstrumentId) -> &Instrument {
        &self.desks[id.index()].rules
    }

    /// Every instrument's rules in force, in session order.
    pub fn instruments(&self) -> impl Iterator<Item = &Instrument> + Clone {
        self.desks.iter().map(|d| &d.rules)
    }

    /// An instrument's book, trusted or not.
    pub fn book(&self, id: InstrumentId) -> &Book {
        &self.desks[id.index()].book
    }

    /// Whether an instrument's book can be traded on.
    pub fn book_state(&self, id: InstrumentId) -> BookState {
        self.desks[id.index()].state
    }

    /// Best bid and ask of an instrument.
    pub fn top(&self, id: InstrumentId) -> Option<Top> {
        self.desks[id.index()].top
    }

    /// Running estimates of an instrument.
    pub fn signals(&self, id: InstrumentId) -> &Signals {
        &self.desks[id.index()].signals
    }

    /// Our orders of an instrument that may still trade.
    pub fn orders(&self, id: InstrumentId) -> &[Order] {
        &self.desks[id.index()].orders
    }

    /// Our orders of every instrument that may still trade.
    pub fn all_orders(&self) -> impl Iterator<Item = &Order> {
        self.desks.iter().flat_map(|d| d.orders.iter())
    }

    /// Since the last decision on an instrument, if there was one.
    pub fn decision_age(&self, id: InstrumentId) -> Option<Nanos> {
        let desk = &self.desks[id.index()];
        desk.wanted.as_ref().map(|_| self.now.since(desk.decide_at - desk.spec.quoting.decide_every))
    }

    /// Where an instrument's orders go.
    pub fn venue(&self, id: InstrumentId) -> &Place {
        &self.desks[id.index()].venue
    }

    /// What was last wanted of an instrument, and why.
    pub fn last_decision(&self, id: InstrumentId) -> (Option<&Wanted>, Why) {
        let desk = &self.desks[id.index()];
        (desk.wanted.as_ref(), desk.why)
    }

    /// Refusals that stand, of bids and of asks: each was said once, when it began.
    pub fn standing_refusals(&self, id: InstrumentId) -> [Option<RefusalCode>; 2] {
        self.desks[id.index()].refused
    }

    /// Since the last news of an instrument's market.
    pub fn news_age(&self, id: InstrumentId) -> Nanos {
        self.now.since(self.desks[id.index()].last_news)
    }

    /// Where an instrument stands.
    pub fn equity(&self, id: InstrumentId) -> EquityMark {
        self.desks[id.index()].equity_mark()
    }

    /// An instrument's equity in quote currency: of an inverse contract, valued at its mid.
    pub fn equity_in_quote(&self, id: InstrumentId) -> Money {
        self.desks[id.index()].equity_in_quote()
    }

    /// What an instrument's position is worth in quote currency, without its sign; `None` before the first price.
    pub fn notional_in_quote(&self, id: InstrumentId) -> Option<Money> {
        self.desks[id.index()].notional_in_quote()
    }

    /// Both sides of an instrument's accounts; all zero.
    pub fn balance(&self, id: InstrumentId) -> Balance {
        self.desks[id.index()].ledger.balance()
    }

    /// What the next session of this account starts from.
    pub fn carried(&self, from: &str) -> Carried {
        Carried {
            from: from.to_owned(),
            positions: self.desks.iter().map(|d| d.ledger.position()).collect(),
            costs: self.desks.iter().map(|d| d.ledger.cost()).collect(),
            held_since: self.desks.iter().map(|d| self.gate.breakers().sensor(d.id).held_since()).collect(),
            state: self.gate.asked(),
            score: Some(self.score()),
            hour: self.gate.breakers().hour().collect(),
            trips: self.gate.breakers().trips().to_vec(),
        }
    }
}
