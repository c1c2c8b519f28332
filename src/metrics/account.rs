//! A recording, taken in step by step, in memory that does not grow with it.
//!
//! ```no_run
//! # use papermaker::{metrics::{Account, Plan}, journal::{Reader, JournalError}};
//! # fn show(mut reader: Reader) -> Result<(), JournalError> {
//! let rules = reader.manifest().spec.desks.iter().map(|desk| desk.rules.clone());
//! let mut account = Account::new(rules, papermaker::units::Nanos::from_s(1));
//! let (mut input, mut outputs) = (Reader::blank(), Vec::new());
//! while reader.next_step(&mut input, &mut outputs)? {
//!     account.step(&input, &outputs);
//! }
//! println!("{:?}", account.finish(&Plan::default()));
//! # Ok(()) }
//! ```

use super::bootstrap::Plan;
use super::desk::Desk;
use super::summary::{Summary, seconds};
use crate::engine::{Command, Input, Output, Stamped};
use crate::market::{FeedEvent, Instrument, InstrumentId};
use crate::units::{LocalTime, Nanos};

/// Collects a session's metrics, from its first input on.
#[derive(Clone, Debug)]
pub struct Account {
    desks: Vec<Desk>,
    started: Option<LocalTime>,
    now: LocalTime,
    inputs: u64,
}

impl Account {
    /// An account of a session with these instruments.
    ///
    /// * `sample_every` — the period of returns, doubled as often as a session outgrows two thousand of them
    pub fn new(instruments: impl IntoIterator<Item = Instrument>, sample_every: Nanos) -> Self {
        let desks = instruments.into_iter().map(|rules| Desk::new(rules, sample_every)).collect();
        Self { desks, started: None, now: LocalTime::default(), inputs: 0 }
    }

    /// Takes in one input and what the session said to it. Panics on an instrument the session does not have.
    pub fn step(&mut self, input: &Stamped, outputs: &[Output]) {
        self.inputs += 1;
        // As in the session: clocks leap, time does not go back.
        let before = self.now;
        self.now = before.max(input.at);
        let started = *self.started.get_or_insert(self.now);
        let (time, elapsed) = (self.now.since(before.max(started)), self.now.since(started));
        self.desks.iter_mut().for_each(|desk| desk.pass(time, elapsed));
        // Reports were heard before the input changed anything.
        for output in outputs {
            if let Output::Heard(report) = output {
                self.desks[report.instrument.index()].hear(report);
            }
        }
        self.hear(&input.input);
        for output in outputs {
            if let Some(id) = concerned(output) {
                self.desks[id.index()].take(output);
            }
        }
        self.desks.iter_mut().for_each(|desk| desk.mark(self.now, elapsed));
        for output in outputs {
            if let Output::Equity(mark) = output {
                self.desks[mark.instrument.index()].compare(mark);
            }
        }
    }

    fn hear(&mut self, input: &Input) {
        match input {
            Input::Market(event) => self.desks[event.instrument.index()].learn(event),
            Input::Feed(event) => self.hear_feed(event),
            Input::Command { command: Command::Restore(carried), .. } => {
                for (desk, id) in self.desks.iter_mut().zip(0..) {
                    desk.restore(carried, InstrumentId(id));
                }
            }
            Input::Report(_) | Input::Command { .. } | Input::Tick => {}
        }
    }

    fn hear_feed(&mut self, event: &FeedEvent) {
        for (desk, id) in self.desks.iter_mut().zip(0..) {
            let concerns = event.instrument.map_or(desk.sight.rules.venue == event.venue, |i| i == InstrumentId(id));
            if concerns {
                desk.sight.hear_feed(event);
            }
        }
    }

    /// The instruments, as they are now.
    pub(super) fn desks(&self) -> &[Desk] {
        &self.desks
    }

    /// The newest input's time.
    pub(super) fn now(&self) -> LocalTime {
        self.now
    }

    /// The first input's time.
    pub(super) fn started(&self) -> LocalTime {
        self.started.unwrap_or_default()
    }

    /// The answer, with intervals made as the plan says.
    pub fn finish(self, plan: &Plan) -> Summary {
        let elapsed = self.started.map_or(Nanos::ZERO, |started| self.now.since(started));
        Summary {
            seconds: seconds(elapsed),
            inputs: self.inputs,
            instruments: self.desks.into_iter().map(|desk| desk.summary(elapsed, plan)).collect(),
        }
    }
}

/// Of which instrument an output is, if of one.
fn concerned(output: &Output) -> Option<InstrumentId> {
    match output {
        Output::Book { instrument, .. }
        | Output::FundingUnknown { instrument, .. }
        | Output::Drift { instrument, .. } => Some(*instrument),
        Output::Decided { decision, .. } => Some(decision.instrument),
        Output::Sent(request) | Output::Refused { request, .. } => Some(request.instrument()),
        Output::Heard(report) => Some(report.instrument),
        Output::Equity(mark) => Some(mark.instrument),
        Output::Funding(payment) => Some(payment.instrument),
        Output::Risk { .. } | Output::Commanded { .. } => None,
    }
}
