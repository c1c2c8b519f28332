//! What happened in a session, and when: what is drawn of it.
//!
//! [`super::Account`] says what a session was worth; a [`Story`] is that account and, beside it, the lines, marks and bands
//! of a chart, in memory that does not grow with the session. Nothing is left out in silence: a [`Trace`] keeps lowest and
//! highest of what it merges, and [`Fills`], [`Spells`] and [`Events`] count what they no longer hold.
//!
//! Reading order: [`Told`] is what comes out, [`Story::step`] what goes in.

mod fills;
mod spells;
mod trace;
mod waits;

pub use fills::{FillMark, Fills};
pub use spells::{Spell, Spells};
pub use trace::{Bucket, Range, Trace};
pub use waits::Waits;

use super::account::Account;
use super::bootstrap::Plan;
use super::desk::Desk;
use super::summary::Summary;
use crate::engine::{Command, Output, Stamped};
use crate::market::Instrument;
use crate::risk::Whose;
use crate::units::{LocalTime, Nanos};

/// Most events of the session as a whole that are kept, from its start.
pub const EVENTS_MAX: usize = 1_000;

/// What is followed over time of one instrument; amounts in settlement currency.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Line {
    /// Middle of the market while the book is live, quote currency.
    Mid,
    /// Our best resting bid as we knew it, quote currency.
    Bid,
    /// Our best resting ask.
    Ask,
    /// Signed, in the asset.
    Position,
    /// Profit since the start.
    Equity,
    /// Highest equity so far less equity.
    Drawdown,
    /// Of the profit: what quoting earned.
    Spread,
    /// Of the profit: what the position gained.
    Inventory,
    /// Of the profit: paid to the venue.
    Fees,
    /// Of the profit: paid for holding.
    Funding,
}

impl Line {
    /// All of them, in the order of a trace.
    pub const ALL: [Line; 10] = [
        Line::Mid,
        Line::Bid,
        Line::Ask,
        Line::Position,
        Line::Equity,
        Line::Drawdown,
        Line::Spread,
        Line::Inventory,
        Line::Fees,
        Line::Funding,
    ];

    /// Its name in data files.
    pub fn word(self) -> &'static str {
        match self {
            Line::Mid => "mid",
            Line::Bid => "bid",
            Line::Ask => "ask",
            Line::Position => "position",
            Line::Equity => "equity",
            Line::Drawdown => "drawdown",
            Line::Spread => "spread",
            Line::Inventory => "inventory",
            Line::Fees => "fees",
            Line::Funding => "funding",
        }
    }
}

/// A session, told.
#[derive(Clone, Debug)]
pub struct Told {
    /// What it was worth.
    pub summary: Summary,
    /// The first input, on our clock.
    pub started: LocalTime,
    /// The last one.
    pub ended: LocalTime,
    /// One per instrument, in session order.
    pub scenes: Vec<Scene>,
    /// One per currency in which several instruments settle: it, and their equity and its drawdown together.
    pub totals: Vec<(String, Trace<2>)>,
    /// What the risk book said and operators did.
    pub events: Events,
}

/// What happened on one instrument.
#[derive(Clone, Debug)]
pub struct Scene {
    /// Lines over time, as [`Line::ALL`].
    pub trace: Trace<{ Line::ALL.len() }>,
    /// Our trades.
    pub fills: Fills,
    /// Times when the book could not be traded on.
    pub spells: Spells,
    /// How long the venue took to answer, and where we stood in line.
    pub waits: Waits,
    equity_max: f64,
}

/// What concerns the session as a whole.
#[derive(Clone, Debug, Default)]
pub struct Events {
    /// The first [`EVENTS_MAX`] of them.
    pub kept: Vec<Event>,
    /// How many there were.
    pub total: u64,
}

/// Something the risk book said or somebody did.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// When, on our clock.
    pub at: LocalTime,
    /// The state from then on, with whose it is where it is not the book's, or the command.
    pub what: String,
    /// Why; empty for a command.
    pub reason: String,
    /// Who.
    pub by: String,
}

/// Collects them, from the first input on.
#[derive(Clone, Debug)]
pub struct Story {
    account: Account,
    scenes: Vec<Scene>,
    totals: Vec<Total>,
    events: Events,
}

/// Instruments of one currency.
#[derive(Clone, Debug)]
struct Total {
    currency: String,
    of: Vec<usize>,
    trace: Trace<2>,
    equity_max: f64,
}

impl Story {
    /// Of a session with these instruments.
    ///
    /// * `sample_every` — as for [`Account::new`]
    pub fn new(instruments: impl IntoIterator<Item = Instrument>, sample_every: Nanos) -> Self {
        let instruments: Vec<Instrument> = instruments.into_iter().collect();
        let mut totals: Vec<Total> = Vec::new();
        for (rules, index) in instruments.iter().zip(0..) {
            match totals.iter_mut().find(|total| total.currency == rules.settle()) {
                Some(total) => total.of.push(index),
                None => totals.push(Total {
                    currency: rules.settle().to_owned(),
                    of: vec![index],
                    trace: Trace::default(),
                    equity_max: 0.0,
                }),
            }
        }
        totals.retain(|total| total.of.len() > 1);
        let scene = || Scene {
            trace: Trace::default(),
            fills: Fills::default(),
            spells: Spells::default(),
            waits: Waits::default(),
            equity_max: 0.0,
        };
        Self {
            scenes: instruments.iter().map(|_| scene()).collect(),
            account: Account::new(instruments, sample_every),
            totals,
            events: Events::default(),
        }
    }

    /// Takes in one input and what the session said to it. Panics on an instrument the session does not have.
    pub fn step(&mut self, input: &Stamped, outputs: &[Output]) {
        let now = self.account.now().max(input.at);
        for output in outputs {
            self.hear(output, now);
        }
        self.account.step(input, outputs);
        let elapsed = now.since(self.account.started());
        for (scene, desk) in self.scenes.iter_mut().zip(self.account.desks()) {
            scene.look(desk, elapsed);
        }
        for total in &mut self.totals {
            let equity = total.of.iter().map(|index| self.account.desks()[*index].ledger().equity().to_f64()).sum();
            total.equity_max = total.equity_max.max(equity);
            total.trace.take(elapsed, [Some(equity), Some(total.equity_max - equity)]);
        }
    }

    /// What was said, while everything else is as it was.
    fn hear(&mut self, output: &Output, now: LocalTime) {
        match output {
            Output::Heard(report) => {
                let index = report.instrument.index();
                let (scene, desk) = (&mut self.scenes[index], &self.account.desks()[index]);
                let rested = scene.waits.hear(&desk.sight.rules, report, now);
                scene.fills.hear(desk, report, now, rested);
            }
            Output::Sent(request) => self.scenes[request.instrument().index()].waits.send(request, now),
            Output::Book { instrument, state } => self.scenes[instrument.index()].spells.begin(*state, now),
            Output::Risk { whose, state, reason, by } => {
                let what = match whose {
                    Whose::Instrument(id) => {
                        format!("{} {}", self.account.desks()[id.index()].sight.rules.label(), state.word())
                    }
                    Whose::Venue(venue) => format!("{venue} {}", state.word()),
                    Whose::Book => state.word().to_owned(),
                };
                self.events.take(now, what, reason.clone(), by.clone());
            }
            Output::Commanded { by, command } => {
                self.events.take(now, command_word(command).to_owned(), String::new(), by.clone());
            }
            Output::Decided { .. }
            | Output::Refused { .. }
            | Output::Equity(_)
            | Output::Funding(_)
            | Output::FundingUnknown { .. } => {}
            Output::Drift { instrument, look } if look.score.turned => {
                let rules = &self.account.desks()[instrument.index()].sight.rules;
                let what =
                    format!("{} policy {}", rules.label(), if look.score.is_tripped { "off" } else { "on again" });
                self.events.take(now, what, look.to_string(), "drift gate".to_owned());
            }
            Output::Drift { .. } => {}
        }
    }

    /// All of it, with intervals made as the plan says.
    pub fn finish(mut self, plan: &Plan) -> Told {
        let (started, ended) = (self.account.started(), self.account.now());
        self.scenes.iter_mut().for_each(|scene| scene.spells.end(started, ended));
        Told {
            summary: self.account.finish(plan),
            started,
            ended,
            scenes: self.scenes,
            totals: self.totals.into_iter().map(|total| (total.currency, total.trace)).collect(),
            events: self.events,
        }
    }
}

impl Scene {
    fn look(&mut self, desk: &Desk, elapsed: Nanos) {
        let (rules, ledger) = (&desk.sight.rules, desk.ledger());
        let tick = rules.tick.to_f64();
        let equity = ledger.equity().to_f64();
        self.equity_max = self.equity_max.max(equity);
        let [bid, ask] = desk.best().map(|price| price.map(|price| price.0 as f64 * tick));
        self.trace.take(
            elapsed,
            [
                desk.sight.live_top().map(|top| 0.5 * top.twice_mid() as f64 * tick),
                bid,
                ask,
                Some(desk.held()),
                Some(equity),
                Some(self.equity_max - equity),
                Some(ledger.spread().to_f64()),
                Some(ledger.inventory().to_f64()),
                Some(ledger.fees().to_f64()),
                Some(ledger.funding().to_f64()),
            ],
        );
    }
}

impl Events {
    fn take(&mut self, at: LocalTime, what: String, reason: String, by: String) {
        self.total += 1;
        if self.kept.len() < EVENTS_MAX {
            self.kept.push(Event { at, what, reason, by });
        }
    }
}

fn command_word(command: &Command) -> &'static str {
    match command {
        Command::Restore(_) => "restore",
        Command::Pause => "pause",
        Command::Resume => "resume",
        Command::Halt { .. } => "halt",
        Command::Reduce { .. } => "reduce",
        Command::Flatten => "flatten",
        Command::SetLimits(_) => "set limits",
        Command::Stop => "stop",
    }
}
