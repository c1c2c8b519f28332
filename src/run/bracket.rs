//! A band of profits instead of a number: the session between two shadows of itself.
//!
//! Nobody can know who of a queue cancelled, so no paper fill is certain. What is certain are the bounds: one shadow
//! believes that every cancellation was behind us, one that every cancellation was ahead ([`Bound`]). A shadow hears the
//! same inputs, has its own strategies, orders and position, and says what it says to nobody: only where it stands is
//! shown. The session itself is the one in between, and the only one whose account goes on.
//!
//! The bounds hold for fills of the same orders. Profits need not lie between them: who fills more holds more, quotes
//! elsewhere from then on, and may have been picked off. A band that is wide, or upside down, says that the result hangs
//! on the queue model.
//!
//! An operator's commands are inputs like any other: they reach the shadows too, and so does the account that a session
//! starts from. Shadows are in no checkpoint, so they are reproduced from the first input only.

use super::prepare::{self, PrepareError};
use super::rerun::on_paper;
use crate::dashboard::status::BoundStatus;
use crate::engine::{Output, Session, SessionSpec, Stamped};
use crate::exchange::queue::Bound;
use crate::journal::ShadowPrint;
use crate::market::InstrumentId;
use crate::order::ReportKind;
use crate::strategy::Strategies;
use crate::units::Money;

/// The session's spec as this bound has it: everything is the same but the queue models, and that a market that answers by
/// itself does not answer shadows.
pub fn spec_of(spec: &SessionSpec, bound: Bound) -> SessionSpec {
    let mut spec = spec.clone();
    on_paper(&mut spec);
    for desk in &mut spec.desks {
        desk.paper.queue = bound.model();
    }
    spec
}

/// The bounds that are not the session itself. None of a session that quotes nothing: nothing of it is in doubt.
pub fn bounds(spec: &SessionSpec) -> Vec<Bound> {
    let quotes = spec.desks.iter().any(|desk| desk.strategy.is_some());
    Bound::BOTH.into_iter().filter(|bound| quotes && spec_of(spec, *bound) != *spec).collect()
}

/// What a manifest says of a session's shadows before they have ended.
pub fn planned(spec: &SessionSpec) -> Vec<ShadowPrint> {
    let print = |bound| ShadowPrint { bound, fills: 0, equity: Vec::new(), output_digest: None, state_digest: None };
    bounds(spec).into_iter().map(print).collect()
}

/// One shadow.
pub struct Shadow {
    bound: Bound,
    session: Session,
    strategies: Strategies,
    out: Vec<Output>,
    fills: u64,
}

impl Shadow {
    /// Before the first input of a session of this spec.
    pub fn new(spec: &SessionSpec, bound: Bound) -> Result<Self, PrepareError> {
        let spec = spec_of(spec, bound);
        let strategies = prepare::strategies(&spec)?;
        Ok(Self { bound, session: Session::new(&spec), strategies, out: Vec::new(), fills: 0 })
    }

    /// Hears an input.
    pub fn step(&mut self, input: &Stamped) {
        self.session.step(input, &mut self.strategies, &mut self.out);
        self.fills += fills(&self.out);
        self.out.clear();
    }

    /// Where it stands, as a manifest says it.
    pub fn print(&self) -> ShadowPrint {
        ShadowPrint {
            bound: self.bound,
            fills: self.fills,
            equity: equities(&self.session).into_iter().map(|(label, equity)| format!("{label} {equity}")).collect(),
            output_digest: Some(self.session.digest().digest()),
            state_digest: Some(self.session.state_digest()),
        }
    }
}

/// The shadows of one session.
pub struct Bracket {
    shadows: Vec<Shadow>,
}

impl Bracket {
    /// Before the first input; `None` if nothing is in doubt.
    pub fn new(spec: &SessionSpec) -> Result<Option<Self>, PrepareError> {
        let shadows = bounds(spec).into_iter().map(|bound| Shadow::new(spec, bound)).collect::<Result<Vec<_>, _>>()?;
        Ok((!shadows.is_empty()).then_some(Self { shadows }))
    }

    /// Every shadow hears an input.
    pub fn step(&mut self, input: &Stamped) {
        self.shadows.iter_mut().for_each(|shadow| shadow.step(input));
    }

    /// Where all of them stand.
    pub fn prints(&self) -> Vec<ShadowPrint> {
        self.shadows.iter().map(Shadow::print).collect()
    }

    /// Both bounds for status. One that has no shadow is the session itself, with its `fills`.
    pub fn status(&self, session: &Session, fills: u64) -> Vec<BoundStatus> {
        let status = |bound: Bound| match self.shadows.iter().find(|shadow| shadow.bound == bound) {
            Some(shadow) => BoundStatus::of(bound.word(), &shadow.session, shadow.fills, false),
            None => BoundStatus::of(bound.word(), session, fills, true),
        };
        Bound::BOTH.map(status).into()
    }
}

/// Trades of ours among these outputs.
pub fn fills(said: &[Output]) -> u64 {
    let is_fill =
        |output: &&Output| matches!(output, Output::Heard(report) if matches!(report.kind, ReportKind::Filled(_)));
    said.iter().filter(is_fill).count() as u64
}

/// Each instrument's label, and its equity with its currency.
fn equities(session: &Session) -> Vec<(String, String)> {
    let one = |(index, rules): (usize, &crate::market::Instrument)| {
        let mark = session.equity(InstrumentId(index as u16));
        let equity: Money = mark.realised + mark.unrealised - mark.fees - mark.funding;
        (rules.label(), format!("{equity} {}", rules.settle()))
    };
    session.instruments().enumerate().map(one).collect()
}
