//! Several recordings of one recorder as one session.
//!
//! Each recording is an import of its own, with its own connection to its own venue; what ties them together is the
//! clock of the machine that heard them all. So their inputs are merged by it, those of one moment in the order in
//! which the recordings were named. Time itself is said by one of them only: the one that begins first, and when it
//! ends the first that has not.

use super::{ImportError, Play, Report, Seat, StepsFrom, Wish, open_as};
use crate::engine::Input;
use crate::market::{Instrument, InstrumentId};
use crate::units::LocalTime;

/// Recordings being played side by side: inputs with our time, never running backwards.
pub struct Together {
    imports: Vec<Box<dyn Play>>,
    /// The next input of each; `None` at its end.
    ahead: Vec<Option<(LocalTime, Input)>>,
    timekeeper: usize,
}

/// Surveys all of them and readies them for play, one instrument of the session each. Nothing is written; an error
/// leaves nothing behind.
pub fn together(wishes: Vec<Wish>) -> Result<Together, ImportError> {
    let alone = wishes.len() == 1;
    let mut imports = Vec::new();
    for (n, wish) in (0..).zip(wishes) {
        imports.push(open_as(wish, Seat { me: InstrumentId(n), connection: n, alone })?);
    }
    let ahead = imports.iter_mut().map(|import| import.next().transpose()).collect::<Result<Vec<_>, _>>()?;
    let begins = |n: &usize| ahead[*n].as_ref().map_or(LocalTime(i64::MAX), |(at, _)| *at);
    let timekeeper = (0..imports.len()).min_by_key(begins).unwrap_or(0);
    Ok(Together { imports, ahead, timekeeper })
}

impl Together {
    /// Each recording, in the order of the wishes, which is that of the session's instruments.
    pub fn imports(&self) -> &[Box<dyn Play>] {
        &self.imports
    }

    /// The rules of every instrument.
    pub fn instruments(&self) -> Vec<Instrument> {
        self.imports.iter().map(|import| import.instrument().clone()).collect()
    }

    /// The least certain of the sources of their steps.
    pub fn steps_from(&self) -> StepsFrom {
        let is_any = |of: StepsFrom| self.imports.iter().any(|import| import.steps_from() == of);
        [StepsFrom::Inferred, StepsFrom::Given].into_iter().find(|of| is_any(*of)).unwrap_or(StepsFrom::Recording)
    }

    /// What was read and done so far, of all.
    pub fn report(&self) -> Report {
        self.imports.iter().map(|import| import.report()).fold(Report::default(), |sum, one| Report {
            frames: sum.frames + one.frames,
            snapshots: sum.snapshots + one.snapshots,
            clock_steps_back: sum.clock_steps_back + one.clock_steps_back,
            clock_step_back_max: sum.clock_step_back_max.max(one.clock_step_back_max),
        })
    }
}

impl Iterator for Together {
    type Item = Result<(LocalTime, Input), ImportError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let times = self.ahead.iter().enumerate().filter_map(|(n, next)| Some((next.as_ref()?.0, n)));
            let (_, n) = times.min()?;
            let next = match self.imports[n].next().transpose() {
                Ok(next) => next,
                Err(error) => return Some(Err(error)),
            };
            let input = std::mem::replace(&mut self.ahead[n], next)?;
            let says_time = n == self.timekeeper;
            if says_time && self.ahead[n].is_none() {
                self.timekeeper = self.ahead.iter().position(Option::is_some).unwrap_or(n);
            }
            if says_time || input.1 != Input::Tick {
                return Some(Ok(input));
            }
        }
    }
}
