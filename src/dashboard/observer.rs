//! Draws the picture: looks at the session, and remembers what only its outputs tell.

use std::sync::Arc;

use super::drift::DriftStatus;
use super::status::{
    BoundStatus, FeedStatus, InstrumentStatus, JournalStatus, LimitUse, Phase, PnlStatus, QuoteStatus, StatusSnapshot,
};
use crate::digest::Digest;
use crate::engine::{BookState, Mode, Output, Session};
use crate::market::{Instrument, InstrumentId};
use crate::order::ReportKind;
use crate::risk::{RiskState, Whose};
use crate::strategy::Strategies;
use crate::units::{LocalTime, Money};

/// Follows one session. Costs nothing to the session and tells it nothing.
#[derive(Debug)]
pub struct Observer {
    picture: StatusSnapshot,
    decided: Vec<Option<LocalTime>>,
    /// Why somebody asked for the state there is, and who.
    asked_because: String,
}

impl Observer {
    /// Of the session `name` over `rules`, quoted by `strategies`.
    pub fn new(name: &str, rules: &[Instrument], strategies: &Strategies) -> Self {
        let mut picture = StatusSnapshot::starting(name, rules);
        for (it, strategy) in picture.instruments.iter_mut().zip(strategies) {
            it.strategy = strategy.as_ref().map_or(String::new(), |s| s.name().to_owned());
        }
        Self { picture, decided: vec![None; rules.len()], asked_because: String::new() }
    }

    /// Takes in what the session said at `at`.
    pub fn hear(&mut self, said: &[Output], at: LocalTime) {
        for output in said {
            match output {
                Output::Decided { decision, .. } => self.decided[decision.instrument.index()] = Some(at),
                Output::Heard(report) => {
                    self.picture.fills += u64::from(matches!(report.kind, ReportKind::Filled(_)));
                }
                Output::Refused { refusal, .. } => {
                    self.picture.refusals += 1;
                    *self.picture.refusals_by_code.entry(refusal.code.word().to_owned()).or_default() += 1;
                }
                // What trips limits is looked up; what operators and accounts want is known from their words only.
                Output::Risk { whose: Whose::Book, reason, by, .. } if by != "risk" => {
                    self.asked_because = format!("{reason}, by {by}");
                }
                Output::Risk { .. } => {}
                Output::Book { .. }
                | Output::Sent(_)
                | Output::Commanded { .. }
                | Output::Equity(_)
                | Output::Funding(_)
                | Output::FundingUnknown { .. } => {}
                Output::Drift { instrument, look } => {
                    let it = &mut self.picture.instruments[instrument.index()];
                    it.drift = Some(DriftStatus::after(it.drift.take(), look, at));
                }
            }
        }
    }

    /// Fills heard of so far.
    pub fn fills(&self) -> u64 {
        self.picture.fills
    }

    /// Takes in where the shadows stand.
    pub fn bracketed(&mut self, bracket: Vec<BoundStatus>) {
        self.picture.bracket = bracket;
    }

    /// Takes in the state digest of a checkpoint.
    pub fn checkpointed(&mut self, state: Digest) {
        self.picture.state_digest = state.to_string();
    }

    /// The picture at `now`, on our clock.
    pub fn picture(
        &mut self,
        session: &Session,
        now: LocalTime,
        feeds: Vec<FeedStatus>,
        journal: JournalStatus,
    ) -> Arc<StatusSnapshot> {
        for index in 0..session.len() {
            let id = InstrumentId(u16::try_from(index).expect("a session has fewer than 65536 instruments"));
            let decided = self.decided[index];
            look(&mut self.picture.instruments[index], session, id);
            self.picture.instruments[index].decision_age_ms = decided.map(|at| now.since(at).ms());
        }
        let picture = &mut self.picture;
        picture.at_ns = now.0;
        picture.uptime_s = session.started().map_or(0.0, |start| now.since(start).seconds());
        picture.seq = session.seq();
        picture.output_digest = session.digest().digest().to_string();
        picture.limits.clear();
        picture.instruments.iter_mut().for_each(|it| it.limits.clear());
        for used in session.limit_uses() {
            match used.whose {
                Whose::Instrument(id) => {
                    let shown = LimitUse::of(&used, Some(session.rules(id)));
                    picture.instruments[id.index()].limits.push(shown);
                }
                Whose::Venue(_) | Whose::Book => picture.limits.push(LimitUse::of(&used, None)),
            }
        }
        let notional = |index| session.notional_in_quote(InstrumentId(index as u16)).unwrap_or_default();
        picture.gross_notional_quote = (0..session.len()).map(notional).sum::<Money>().to_string();
        (picture.state, picture.reason) = phase(session, &picture.instruments, &self.asked_because);
        picture.feeds = feeds;
        picture.journal = journal;
        Arc::new(picture.clone())
    }
}

fn look(it: &mut InstrumentStatus, session: &Session, id: InstrumentId) {
    let rules = session.rules(id);
    let mark = session.equity(id);
    let orders = session.orders(id);
    it.book = session.book_state(id).word().to_owned();
    it.set_top(rules, session.top(id));
    it.quotes = orders.iter().map(|o| QuoteStatus::new(rules, o, session.venue(id).queue_ahead(o.id))).collect();
    it.position = rules.qty_text(mark.position);
    it.notional_quote = session.notional_in_quote(id).map(|notional| notional.to_string());
    it.risk = session.risk_state_of(id).word().to_owned();
    it.risk_reason = of_instrument(session, id);
    it.pnl = Some(PnlStatus::from(&mark));
    it.level_share_max = f64::from(session.venue(id).level_share_max_bps()) / 10_000.0;
    let (wanted, why) = session.last_decision(id);
    it.set_decision(wanted, &why);
}

/// What the session is doing, and why it is not simply quoting.
fn phase(session: &Session, instruments: &[InstrumentStatus], asked_because: &str) -> (Phase, String) {
    match session.mode() {
        Mode::Stopped => return (Phase::Stopping, String::new()),
        Mode::Quoting | Mode::Paused | Mode::Flattening => {}
    }
    match session.risk_state() {
        RiskState::Active => {}
        RiskState::Reducing => return (Phase::Reducing, of_book(session, asked_because)),
        RiskState::Halted => return (Phase::Halted, of_book(session, asked_because)),
    }
    match session.mode() {
        Mode::Paused => return (Phase::Paused, String::new()),
        Mode::Flattening => return (Phase::Paused, "flattening".to_owned()),
        Mode::Quoting | Mode::Stopped => {}
    }
    if session.seq() == 0 {
        return (Phase::Starting, String::new());
    }
    if instruments.iter().all(|it| it.strategy.is_empty()) {
        return (Phase::Recording, String::new());
    }
    let live = BookState::Live.word();
    let ready = |it: &&InstrumentStatus| it.book == live && it.warm_up.is_none() && it.terms.is_some();
    if instruments.iter().any(|it| !it.strategy.is_empty() && ready(&it)) {
        return (Phase::Quoting, of_some(session));
    }
    let why = instruments.iter().find_map(|it| match &it.idle {
        _ if it.book != live => Some(format!("{}: book {}", it.label, it.book)),
        idle => idle.clone(),
    });
    (Phase::WarmingUp, why.unwrap_or_default())
}

/// Why the book is in its state: the trip that put it there, else whoever asked for it.
fn of_book(session: &Session, asked_because: &str) -> String {
    let state = session.risk_state();
    let trip = session.breakers().trips().iter().find(|trip| trip.whose == Whose::Book && trip.state == state);
    trip.map_or_else(|| asked_because.to_owned(), |trip| format!("{}, by risk", trip.reason))
}

/// What is in a state of its own while the book is not: whose, which and why.
fn of_some(session: &Session) -> String {
    let rules: Vec<Instrument> = session.instruments().cloned().collect();
    let trips = session.breakers().trips().iter().filter(|trip| trip.whose != Whose::Book);
    let said = trips.map(|trip| format!("{} {}: {}", trip.whose.label(&rules), trip.state.word(), trip.reason));
    said.collect::<Vec<_>>().join("; ")
}

/// Why an instrument is in its state, where its own or its venue's limits put it there.
fn of_instrument(session: &Session, id: InstrumentId) -> String {
    let (state, venue) = (session.risk_state_of(id), session.rules(id).venue);
    let is_why = |whose: Whose| whose != Whose::Book && whose.concerns(id, venue);
    let trip = session.breakers().trips().iter().find(|trip| is_why(trip.whose) && trip.state == state);
    trip.map_or_else(String::new, |trip| match trip.whose {
        Whose::Venue(venue) => format!("{venue} {}", trip.reason),
        Whose::Instrument(_) | Whose::Book => trip.reason.to_string(),
    })
}
