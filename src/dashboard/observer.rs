//! Draws the picture: looks at the session, and remembers what only its outputs tell.

use std::sync::Arc;

use super::drift::DriftStatus;
use super::news::{Delays, Latency, News, RungStatus, TripStatus};
use super::status::{
    BoundStatus, FeedStatus, InstrumentStatus, JournalStatus, LimitUse, Phase, PnlStatus, QuoteStatus, StatusSnapshot,
};
use crate::digest::Digest;
use crate::engine::{BookState, Command, ITSELF, Input, Mode, Output, Session, Stamped};
use crate::market::{Instrument, InstrumentId, Level, VenueId};
use crate::order::{OrderState, ReportKind};
use crate::risk::{RiskState, Trip, Whose};
use crate::strategy::Strategies;
use crate::units::{LocalTime, Lots, Money, Nanos, Side};

/// Levels of each side that a picture shows.
const RUNGS: usize = 10;
/// Delays are summed up so often: it takes a sort.
const LATENCY_EVERY: Nanos = Nanos::from_s(1);

/// Follows one session. Costs nothing to the session and tells it nothing.
#[derive(Debug)]
pub struct Observer {
    picture: StatusSnapshot,
    decided: Vec<Option<LocalTime>>,
    /// Why somebody asked for the state there is, and who.
    asked_because: String,
    /// Who took the quotes out.
    paused_by: String,
    rules: Vec<Instrument>,
    news: News,
    /// By venue: its last delays, and what they came to when that was last worked out.
    delays: Vec<(VenueId, Delays, Option<Latency>)>,
    summed_up: LocalTime,
}

impl Observer {
    /// Of the session `name` over `rules`, quoted by `strategies`.
    pub fn new(name: &str, rules: &[Instrument], strategies: &Strategies) -> Self {
        let mut picture = StatusSnapshot::starting(name, rules);
        for (it, strategy) in picture.instruments.iter_mut().zip(strategies) {
            it.strategy = strategy.as_ref().map_or(String::new(), |s| s.name().to_owned());
        }
        let mut delays: Vec<(VenueId, Delays, Option<Latency>)> = Vec::new();
        for rules in rules {
            if delays.iter().all(|(venue, ..)| *venue != rules.venue) {
                delays.push((rules.venue, Delays::default(), None));
            }
        }
        Self {
            picture,
            decided: vec![None; rules.len()],
            asked_because: String::new(),
            paused_by: String::new(),
            rules: rules.to_vec(),
            news: News::default(),
            delays,
            summed_up: LocalTime::default(),
        }
    }

    /// Takes in when the session was told something.
    pub fn told(&mut self, input: &Stamped) {
        let Input::Market(event) = &input.input else { return };
        let venue = self.rules[event.instrument.index()].venue;
        if let (Some(stamp), Some((_, delays, _))) =
            (event.venue_time, self.delays.iter_mut().find(|(of, ..)| *of == venue))
        {
            delays.heard(input.at, stamp);
        }
    }

    /// Takes in what the session said at `at` to input `seq`.
    pub fn hear(&mut self, said: &[Output], seq: u64, at: LocalTime) {
        for output in said {
            self.news.hear(&self.rules, output, seq, at);
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
                // Flat at last, a session pauses by itself; who had it flattened stays.
                Output::Commanded { by, command: Command::Pause | Command::Flatten } if by != ITSELF => {
                    self.paused_by.clone_from(by);
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
        (picture.state, picture.reason) = phase(session, &picture.instruments, &self.asked_because, &self.paused_by);
        let trip = |trip: &Trip| TripStatus {
            of: trip.whose.label(&self.rules),
            state: trip.state.word().to_owned(),
            reason: trip.reason.to_string(),
            since_ns: trip.since.0,
            is_soft: trip.is_soft,
        };
        picture.trips = session.breakers().trips().iter().map(trip).collect();
        (picture.events, picture.last_fills) = (self.news.events(), self.news.fills());
        picture.feeds = feeds;
        if now.since(self.summed_up) >= LATENCY_EVERY {
            self.summed_up = now;
            self.delays.iter_mut().for_each(|(_, delays, latency)| *latency = delays.latency());
        }
        for feed in &mut picture.feeds {
            let of = self.delays.iter().find(|(venue, ..)| venue.name() == feed.venue);
            feed.latency = of.and_then(|(.., latency)| *latency);
        }
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
    [it.bids, it.asks] = Side::BOTH.map(|side| ladder(session, id, side));
    it.position = rules.qty_text(mark.position);
    it.notional_quote = session.notional_in_quote(id).map(|notional| notional.to_string());
    it.risk = session.risk_state_of(id).word().to_owned();
    it.risk_reason = of_instrument(session, id);
    it.pnl = Some(PnlStatus::from(&mark));
    it.level_share_max = f64::from(session.venue(id).level_share_max_bps()) / 10_000.0;
    let (wanted, why) = session.last_decision(id);
    it.set_decision(wanted, &why);
}

/// The best levels of a side, and beyond them those we rest at: an order of ours is never out of sight.
fn ladder(session: &Session, id: InstrumentId, side: Side) -> Vec<RungStatus> {
    let (rules, venue) = (session.rules(id), session.venue(id));
    let Some(top) = session.top(id) else { return Vec::new() };
    let alive = |state: OrderState| match state {
        OrderState::Pending | OrderState::Working | OrderState::Leaving => true,
        OrderState::Filled | OrderState::Gone => false,
    };
    let ours: Vec<_> = session.orders(id).iter().filter(|o| o.side == side && alive(o.state)).collect();
    let book = session.book(id);
    // A best quote is often ahead of the book: what the book still has beyond it is gone.
    let best = if side == Side::Bid { top.bid } else { top.ask };
    let is_behind = |level: &Level| if side == Side::Bid { level.price < best.price } else { level.price > best.price };
    let behind = book.levels(side).filter(is_behind).take(RUNGS - 1);
    let mut shown: Vec<_> = std::iter::once(best).chain(behind).map(|level| (level.price, level.qty)).collect();
    for order in &ours {
        if shown.iter().all(|(price, _)| *price != order.price) {
            let is_gone = side.is_better(order.price, best.price);
            shown.push((order.price, if is_gone { Lots::ZERO } else { book.qty_at(side, order.price) }));
        }
    }
    shown.sort_by_key(|(price, _)| if side == Side::Bid { -price.0 } else { price.0 });
    let rung = |(price, qty): (crate::units::Ticks, Lots)| {
        let mut here = ours.iter().filter(|order| order.price == price).peekable();
        let ahead = here.peek().and_then(|order| venue.queue_ahead(order.id));
        let own: i64 = here.map(|order| order.remaining.0).sum();
        RungStatus {
            price: rules.price_text(price),
            qty: rules.qty_text(qty),
            ours: if own == 0 { String::new() } else { rules.qty_text(Lots(own)) },
            ahead: ahead.map_or_else(String::new, |lots| rules.qty_text(lots)),
        }
    };
    shown.into_iter().map(rung).collect()
}

/// What the session is doing, and why it is not simply quoting.
fn phase(session: &Session, instruments: &[InstrumentStatus], asked_because: &str, paused_by: &str) -> (Phase, String) {
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
        Mode::Paused if paused_by.is_empty() => return (Phase::Paused, String::new()),
        Mode::Paused => return (Phase::Paused, format!("by {paused_by}")),
        Mode::Flattening => return (Phase::Paused, format!("flattening, by {paused_by}")),
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
