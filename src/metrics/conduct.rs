//! What limits did to a session, from what it said: refusals, trips, and how long it stood in which state.
//!
//! All of it is in the outputs. A refusal that stands is said once, so each counts once, however often the strategy asks.
//! A trip begins with its reason and ends with `cleared`, with an operator's `resumed`, or not at all.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::engine::{Output, Stamped};
use crate::market::Instrument;
use crate::order::Request;
use crate::risk::rule::{Effect, Ends};
use crate::risk::{RULES, RiskState, Whose};
use crate::units::LocalTime;

/// Refusals and spells kept one by one; the rest is counted.
const KEPT_MAX: usize = 1_000;

/// What limits did.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Conduct {
    /// By reason code.
    pub refusals: BTreeMap<&'static str, u64>,
    /// The first of them, in order.
    pub refused: Vec<Refused>,
    /// Limits that were passed, in the order in which that happened; warnings too.
    pub trips: Vec<Tripped>,
    /// Trips that are not listed, for there were too many.
    pub trips_left_out: u64,
    /// The book first, then instruments in session order.
    pub states: Vec<States>,
}

/// One refusal.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Refused {
    /// The input it came of.
    pub seq: u64,
    /// When, nanoseconds since the epoch.
    pub at_ns: i64,
    /// `VENUE:SYMBOL`.
    pub instrument: String,
    /// `buy 0.02 at 64000.1`, `replacement, 0.02 at 64000.1`.
    pub request: String,
    /// Code, value, limit and unit.
    pub reason: String,
}

/// One limit that was passed.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Tripped {
    /// The reason code.
    pub code: &'static str,
    /// Whether it was the warning before the limit.
    pub is_soft: bool,
    /// `VENUE:SYMBOL`, or a venue; `None` is the book.
    pub of: Option<String>,
    /// Code, value, limit and unit, when it began.
    pub reason: String,
    /// The input it began at.
    pub seq: u64,
    /// When, nanoseconds since the epoch.
    pub at_ns: i64,
    /// How long it lasted, seconds; to the end, if nothing ended it.
    pub seconds: f64,
    /// `cleared`, `resumed`, or nothing: it held to the end.
    pub ended: Option<&'static str>,
}

/// Time in each state.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct States {
    /// `VENUE:SYMBOL`; `None` is the book.
    pub instrument: Option<String>,
    /// Seconds in Active.
    pub active_s: f64,
    /// Seconds in Reducing.
    pub reducing_s: f64,
    /// Seconds in Halted.
    pub halted_s: f64,
    /// Each time it was not Active.
    pub spells: Vec<StateSpell>,
}

impl States {
    /// Seconds in each state, with its name.
    pub fn times(&self) -> [(&'static str, f64); 3] {
        [("Active", self.active_s), ("Reducing", self.reducing_s), ("Halted", self.halted_s)]
    }
}

/// A time in one state.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct StateSpell {
    /// From, nanoseconds since the epoch.
    pub from_ns: i64,
    /// To.
    pub to_ns: i64,
    /// `reducing` or `halted`.
    pub state: &'static str,
    /// Why it began.
    pub reason: String,
}

/// The measurement. Hand it every input with what was said to it, then [`Conducts::finish`].
#[derive(Clone, Debug)]
pub struct Conducts {
    instruments: Vec<Instrument>,
    found: Conduct,
    /// Book, then instruments.
    now: Vec<Standing>,
    /// Of each instrument, what it brought from the session before.
    carried: Vec<RiskState>,
    /// As it was said of the book, operators included.
    book: RiskState,
    /// Trips that go on: where they stand in the list.
    open: Vec<usize>,
    first: Option<LocalTime>,
    at: LocalTime,
}

#[derive(Clone, Debug, Default)]
struct Standing {
    state: RiskState,
    since: LocalTime,
    reason: String,
    time_ns: [i64; 3],
    spells: Vec<StateSpell>,
}

impl Conducts {
    /// Of a session of these instruments.
    pub fn new(instruments: impl IntoIterator<Item = Instrument>) -> Self {
        let instruments: Vec<Instrument> = instruments.into_iter().collect();
        let now = vec![Standing::default(); instruments.len() + 1];
        let carried = vec![RiskState::Active; instruments.len()];
        Self {
            instruments,
            found: Conduct::default(),
            now,
            carried,
            book: RiskState::Active,
            open: Vec::new(),
            first: None,
            at: LocalTime::default(),
        }
    }

    /// Takes in one input and what was said to it.
    pub fn step(&mut self, input: &Stamped, said: &[Output]) {
        self.at = self.at.max(input.at);
        if self.first.is_none() {
            self.first = Some(self.at);
            self.now.iter_mut().for_each(|standing| standing.since = self.at);
        }
        for output in said {
            match output {
                Output::Refused { request, refusal } => {
                    *self.found.refusals.entry(refusal.code.word()).or_default() += 1;
                    if self.found.refused.len() < KEPT_MAX {
                        let refused = Refused {
                            seq: input.seq,
                            at_ns: self.at.0,
                            instrument: self.instruments[request.instrument().index()].label(),
                            request: self.words(request),
                            reason: refusal.to_string(),
                        };
                        self.found.refused.push(refused);
                    }
                }
                Output::Risk { whose, state, reason, by } => {
                    if *whose == Whose::Book {
                        self.book = *state;
                    }
                    // What an operator wrote is no reason code, whatever it looks like.
                    let is_ours = matches!(by.as_str(), "risk" | "account") || reason == "resumed";
                    if is_ours && (reason != "resumed" || *state != RiskState::Halted) {
                        self.trip(input.seq, *whose, *state, reason);
                    }
                    self.restate(reason);
                }
                Output::Book { .. }
                | Output::Decided { .. }
                | Output::Sent(_)
                | Output::Heard(_)
                | Output::Commanded { .. }
                | Output::Equity(_)
                | Output::Funding(_)
                | Output::FundingUnknown { .. }
                | Output::Drift { .. } => {}
            }
        }
    }

    /// What was found.
    pub fn finish(mut self) -> Conduct {
        for at in std::mem::take(&mut self.open) {
            self.lasted(at, None);
        }
        let labels = std::iter::once(None).chain(self.instruments.iter().map(|rules| Some(rules.label())));
        for (mut standing, instrument) in std::mem::take(&mut self.now).into_iter().zip(labels) {
            standing.close(self.at);
            let [active, reducing, halted] = standing.time_ns.map(|time| time as f64 / 1e9);
            self.found.states.push(States {
                instrument,
                active_s: active,
                reducing_s: reducing,
                halted_s: halted,
                spells: standing.spells,
            });
        }
        self.found.trips_left_out = self.found.trips.len().saturating_sub(KEPT_MAX) as u64;
        self.found.trips.truncate(KEPT_MAX);
        self.found
    }

    fn words(&self, request: &Request) -> String {
        let rules = &self.instruments[request.instrument().index()];
        match request {
            Request::Place { side, price, qty, .. } => {
                format!("{} {} at {}", side.word(), rules.qty_text(*qty), rules.price_text(*price))
            }
            Request::Replace { price, qty, .. } => {
                format!("replacement, {} at {}", rules.qty_text(*qty), rules.price_text(*price))
            }
            Request::Cancel { .. } => "cancel".to_owned(),
        }
    }

    fn trip(&mut self, seq: u64, whose: Whose, state: RiskState, reason: &str) {
        let of = (whose != Whose::Book).then(|| whose.label(&self.instruments));
        let mut words = reason.split(' ');
        match (words.next().unwrap_or_default(), words.next().unwrap_or_default()) {
            ("resumed", _) => {
                // An operator ends what waits for one, and no warning.
                let ends = |trip: &Tripped| waits_for_an_operator(trip.code) && !trip.is_soft;
                self.end("resumed", ends);
            }
            ("carried", _) => {
                self.bring(whose, state);
            }
            ("cleared", code) => {
                // Of a limit and the warning before it: what waits for an operator clears by warning only, anything else is
                // over before its warning.
                let is_it = |at: &&usize| {
                    let trip = &self.found.trips[**at];
                    trip.code == code && trip.of == of
                };
                let warning_first = waits_for_an_operator(code);
                let preferred = |at: &&usize| self.found.trips[**at].is_soft == warning_first;
                let both = || self.open.iter().filter(is_it);
                if let Some(at) = both().find(preferred).or_else(|| both().next()).copied() {
                    self.open.retain(|open| *open != at);
                    self.lasted(at, Some("cleared"));
                } else {
                    self.bring(whose, RiskState::Active);
                }
            }
            (code, next) => {
                let Some(rule) = RULES.iter().find(|rule| rule.code == code) else { return };
                self.open.push(self.found.trips.len());
                self.found.trips.push(Tripped {
                    code: rule.code,
                    is_soft: next == "soft",
                    of,
                    reason: reason.to_owned(),
                    seq,
                    at_ns: self.at.0,
                    seconds: 0.0,
                    ended: None,
                });
            }
        }
    }

    /// What an instrument, or those of a venue, brought from the session before.
    fn bring(&mut self, whose: Whose, state: RiskState) {
        for (index, rules) in self.instruments.iter().enumerate() {
            let is_its = match whose {
                Whose::Instrument(id) => id.index() == index,
                Whose::Venue(venue) => rules.venue == venue,
                // Said of everybody, and kept apart.
                Whose::Book => false,
            };
            if is_its {
                self.carried[index] = state;
            }
        }
    }

    fn end(&mut self, how: &'static str, which: impl Fn(&Tripped) -> bool) {
        let (over, open): (Vec<usize>, Vec<usize>) =
            std::mem::take(&mut self.open).into_iter().partition(|at| which(&self.found.trips[*at]));
        self.open = open;
        over.into_iter().for_each(|at| self.lasted(at, Some(how)));
    }

    fn lasted(&mut self, at: usize, how: Option<&'static str>) {
        let trip = &mut self.found.trips[at];
        (trip.seconds, trip.ended) = (self.at.since(LocalTime(trip.at_ns)).0 as f64 / 1e9, how);
    }

    /// A state of the book is every instrument's, too, and one of a venue that of its instruments.
    fn restate(&mut self, reason: &str) {
        self.now[0].change(self.book, reason, self.at);
        for (index, rules) in self.instruments.iter().enumerate() {
            let (label, venue) = (rules.label(), rules.venue.name());
            let own = self
                .open
                .iter()
                .map(|at| &self.found.trips[*at])
                .filter(|trip| trip.of.as_ref().is_some_and(|of| *of == label || of == venue));
            let worst = own.map(Tripped::state).max().unwrap_or_default();
            self.now[index + 1].change(worst.max(self.book).max(self.carried[index]), reason, self.at);
        }
    }
}

fn waits_for_an_operator(code: &str) -> bool {
    RULES.iter().any(|rule| rule.code == code && rule.ends == Ends::Operator)
}

impl Tripped {
    /// What it put its scope into.
    fn state(&self) -> RiskState {
        let rule = RULES.iter().find(|rule| rule.code == self.code).expect("a trip has its rule");
        match rule.effect {
            Effect::State(_) if self.is_soft => RiskState::Reducing,
            Effect::State(state) | Effect::RefuseOrState(state) => state,
            Effect::Refuse => RiskState::Active,
        }
    }
}

impl Standing {
    fn change(&mut self, state: RiskState, reason: &str, at: LocalTime) {
        if self.state == state {
            return;
        }
        self.close(at);
        (self.state, self.since, self.reason) = (state, at, reason.to_owned());
    }

    fn close(&mut self, at: LocalTime) {
        self.time_ns[self.state as usize] += at.since(self.since).0;
        if self.state != RiskState::Active && self.spells.len() < KEPT_MAX {
            let reason = std::mem::take(&mut self.reason);
            self.spells.push(StateSpell { from_ns: self.since.0, to_ns: at.0, state: self.state.word(), reason });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Input;
    use crate::market::{InstrumentId, VenueId};
    use crate::order::{OrderId, OrderKind};
    use crate::risk::{Limit, Refusal, RefusalCode};
    use crate::units::{Lots, Side, Step, Ticks};

    fn rules() -> Instrument {
        let step = |text| Step::parse(text).expect("a step");
        Instrument::new(VenueId::BinanceSpot, "BTCUSDT", "BTC", "USDT", step("0.1"), step("0.001")).expect("fine")
    }

    /// `(second, whose, state, reason)`: what the risk book said then.
    fn found(said: &[(i64, Option<u16>, RiskState, &str)], ends_s: i64) -> Conduct {
        let mut all = Conducts::new([rules()]);
        let at = |s: i64| LocalTime(1_000_000_000 * s);
        let input = |s: i64| Stamped { seq: s as u64 + 1, at: at(s), input: Input::Tick };
        all.step(&input(0), &[]);
        for (s, whose, state, reason) in said {
            let (whose, by) = (whose.map_or(Whose::Book, |id| Whose::Instrument(InstrumentId(id))), "risk".to_owned());
            let output = Output::Risk { whose, state: *state, reason: (*reason).to_owned(), by };
            all.step(&input(*s), &[output]);
        }
        all.step(&input(ends_s), &[]);
        all.finish()
    }

    #[test]
    fn times_in_states_add_up_and_a_trip_lasts_until_it_is_cleared() {
        // The instrument is Reducing 10..40; the book Halted 20..30 by an operator. So the instrument: 10 active, 10
        // reducing, 10 halted, 10 reducing, 60 active; the book: 90 active, 10 halted.
        use RiskState::{Active, Halted, Reducing};
        let told = found(
            &[
                (10, Some(0), Reducing, "VOLATILITY_EXCEEDED value=300 limit=200 unit=0.01bps/√s"),
                (20, None, Halted, "lunch"),
                (30, None, Active, "resumed"),
                (40, Some(0), Active, "cleared VOLATILITY_EXCEEDED"),
            ],
            100,
        );
        let [book, own] = &told.states[..] else { panic!("{told:?}") };
        assert_eq!((book.active_s, book.reducing_s, book.halted_s), (90.0, 0.0, 10.0));
        assert_eq!((own.active_s, own.reducing_s, own.halted_s), (70.0, 20.0, 10.0));
        let spells: Vec<_> = own.spells.iter().map(|s| (s.state, s.from_ns, s.to_ns)).collect();
        let s = |s: i64| s * 1_000_000_000;
        assert_eq!(spells, [("reducing", s(10), s(20)), ("halted", s(20), s(30)), ("reducing", s(30), s(40))]);
        let [trip] = &told.trips[..] else { panic!("{told:?}") };
        assert_eq!((trip.code, trip.seconds, trip.ended, trip.seq), ("VOLATILITY_EXCEEDED", 30.0, Some("cleared"), 11));
    }

    #[test]
    fn an_operator_ends_the_halt_and_not_the_warning_and_what_nothing_ends_lasts_to_the_end() {
        use RiskState::{Halted, Reducing};
        let told = found(
            &[
                (1, None, Reducing, "LOSS_EXCEEDED soft value=81.00 limit=80.00 unit=quote"),
                (5, None, Halted, "LOSS_EXCEEDED value=101.00 limit=100.00 unit=quote"),
                (6, None, Halted, "RESUME_REFUSED LOSS_EXCEEDED value=101.00 limit=100.00 unit=quote"),
                (9, None, Reducing, "resumed"),
            ],
            20,
        );
        let trips: Vec<_> = told.trips.iter().map(|t| (t.is_soft, t.seconds, t.ended)).collect();
        assert_eq!(trips, [(true, 19.0, None), (false, 4.0, Some("resumed"))]);
        let book = &told.states[0];
        assert_eq!((book.active_s, book.reducing_s, book.halted_s), (1.0, 15.0, 4.0));
    }

    #[test]
    fn refusals_are_counted_by_code_and_told_in_words() {
        let mut all = Conducts::new([rules()]);
        let (id, instrument) = (OrderId(1), InstrumentId(0));
        let (side, price, qty, kind) = (Side::Bid, Ticks(600_001), Lots(20), OrderKind::PostOnly);
        let request = Request::Place { id, instrument, side, price, qty, kind };
        let refusal = Refusal { code: RefusalCode::Limit(Limit::PositionLong), value: 1_020, limit: 1_000 };
        let said = [Output::Refused { request: request.clone(), refusal }, Output::Refused { request, refusal }];
        all.step(&Stamped { seq: 7, at: LocalTime(5), input: Input::Tick }, &said);
        let told = all.finish();
        assert_eq!(told.refusals.into_iter().collect::<Vec<_>>(), [("POSITION_LIMIT_EXCEEDED", 2)]);
        let first = &told.refused[0];
        assert_eq!((first.seq, first.request.as_str()), (7, "buy 0.020 at 60000.1"));
        assert_eq!(first.reason, "POSITION_LIMIT_EXCEEDED value=1020 limit=1000 unit=lots");
    }
}
