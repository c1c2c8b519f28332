//! A recording to live episodes in.
//!
//! What operators did belongs to that day's session and is left out, as in backtests; reports of a market that answered by itself are
//! of orders that are not ours. An episode in the middle begins with a session that has listened from the recording's beginning and traded
//! nothing: its book is in step and its estimators are warm.

use std::sync::Arc;

use crate::engine::{Input, Output, Session, SessionSpec, Stamped};
use crate::exchange::place::Answers;
use crate::market::InstrumentId;
use crate::strategy::Decision;
use crate::units::{LocalTime, Nanos};

/// A recording's inputs.
#[derive(Clone, Debug)]
pub struct Tape {
    inputs: Arc<[Stamped]>,
}

/// A part of a recording.
#[derive(Clone, Debug)]
pub struct Window {
    /// From this moment on the agent may be asked.
    pub from: LocalTime,
    /// Until then, inclusive.
    pub to: LocalTime,
    /// Place of the first input at or after `from`.
    at: usize,
    /// Who has listened up to there; the beginning needs nobody.
    listened: Option<Arc<(SessionSpec, Session)>>,
}

impl Tape {
    /// Of a recording's inputs in order.
    pub fn new(inputs: Vec<Stamped>) -> Self {
        let quiet = |mut input: Stamped| {
            if matches!(input.input, Input::Command { .. } | Input::Report(_)) {
                input.input = Input::Tick;
            }
            input
        };
        Self { inputs: inputs.into_iter().map(quiet).collect() }
    }

    /// First and last moment; `None` of nothing.
    pub fn span(&self) -> Option<(LocalTime, LocalTime)> {
        self.inputs.first().zip(self.inputs.last()).map(|(first, last)| (first.at, last.at))
    }

    /// All of it as one window.
    pub fn whole(&self) -> Option<Window> {
        self.span().map(|(from, to)| Window { from, to, at: 0, listened: None })
    }

    /// It in windows of `length`, what is left over at the end left out. Each begins with a session of `spec` that has listened
    /// so far.
    pub fn windows(&self, length: Nanos, spec: &SessionSpec) -> Vec<Window> {
        let Some((first, last)) = self.span() else { return Vec::new() };
        let spec = for_tape(spec);
        let mut session = Session::new(&spec);
        let mut nobody = spec.desks.iter().map(|_| None).collect();
        let (mut windows, mut said, mut at) = (Vec::new(), Vec::new(), 0);
        let mut from = first;
        while from + length <= last {
            while self.inputs[at].at < from {
                session.step(&self.inputs[at], &mut nobody, &mut said);
                said.clear();
                at += 1;
            }
            let listened = (at > 0).then(|| Arc::new((spec.clone(), session.clone())));
            windows.push(Window { from, to: from + length, at, listened });
            from = from + length;
        }
        windows
    }

    /// A session at the beginning of a window. Of another spec than the one that has listened, it listens again.
    pub(super) fn open(&self, window: &Window, spec: &SessionSpec) -> Taped {
        let spec = for_tape(spec);
        let session = match &window.listened {
            Some(listened) if listened.0 == spec => listened.1.clone(),
            _ => {
                let mut session = Session::new(&spec);
                let mut nobody = spec.desks.iter().map(|_| None).collect();
                let mut said = Vec::new();
                for input in &self.inputs[..window.at] {
                    session.step(input, &mut nobody, &mut said);
                    said.clear();
                }
                session
            }
        };
        Taped { inputs: Arc::clone(&self.inputs), at: window.at, session, said: Vec::new(), is_asked: false }
    }
}

/// Answered by the paper exchange; only the first instrument is somebody's.
fn for_tape(spec: &SessionSpec) -> SessionSpec {
    let mut spec = spec.clone();
    for (n, desk) in spec.desks.iter_mut().enumerate() {
        desk.answers = Answers::Modelled;
        if n > 0 {
            desk.strategy = None;
        }
    }
    spec
}

/// A session that is being lived on a tape.
pub(super) struct Taped {
    inputs: Arc<[Stamped]>,
    at: usize,
    session: Session,
    said: Vec<Output>,
    is_asked: bool,
}

impl Taped {
    /// Until a decision is wanted (`true`) or it is `to`.
    pub(super) fn advance(&mut self, to: LocalTime) -> bool {
        while !self.is_asked {
            let Some(input) = self.inputs.get(self.at).filter(|input| input.at <= to) else { return false };
            self.said.clear();
            self.session.take_in(input, &mut self.said);
            self.at += 1;
            self.is_asked = self.session.decision_due() == Some(InstrumentId(0));
        }
        true
    }

    pub(super) fn answer(&mut self, decision: Decision) {
        assert!(std::mem::take(&mut self.is_asked), "an answer to a question");
        self.session.carry_out(decision, &mut self.said);
    }

    pub(super) fn session(&self) -> &Session {
        &self.session
    }
}
