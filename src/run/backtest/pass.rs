//! One reading of a recording, and several sessions that live it.
//!
//! Reading is a good part of the work, and every strategy reads the same. So inputs are read in blocks, and each session
//! takes a whole block before the next one does: a session's book stays in the processor's cache meanwhile.

use super::{BacktestError, Run};
use crate::engine::{Command, Input, Output, Session, SessionSpec, Stamped};
use crate::journal::Reader;
use crate::metrics::{Account, Plan};
use crate::run::prepare;
use crate::run::rerun::Inputs;
use crate::strategy::Strategies;
use crate::units::{LocalTime, Nanos};

/// Inputs read at a time.
const BLOCK: usize = 512;

/// Period of returns at the start of an account; it doubles as the recording grows.
pub(super) const SAMPLE_EVERY: Nanos = Nanos::from_s(1);

/// One strategy's session.
struct Lane {
    session: Session,
    strategies: Strategies,
    account: Account,
    said: Vec<Output>,
}

impl Lane {
    fn new(spec: &SessionSpec) -> Result<Self, BacktestError> {
        Ok(Self {
            session: Session::new(spec),
            strategies: prepare::strategies(spec)?,
            account: Account::new(spec.desks.iter().map(|desk| desk.rules.clone()), SAMPLE_EVERY),
            said: Vec::new(),
        })
    }

    fn take(&mut self, input: &Stamped) {
        self.session.step(input, &mut self.strategies, &mut self.said);
        self.account.step(input, &self.said);
        self.said.clear();
    }
}

/// What a pass found of the recording itself.
#[derive(Clone, Copy, Debug, Default)]
pub struct Length {
    /// First input.
    pub started: LocalTime,
    /// How many.
    pub inputs: u64,
    /// Of them, commands that were not obeyed: pauses, halts, other limits.
    pub left_out: u64,
}

/// Runs a session of each spec over all inputs.
///
/// * `with_commands` — whether what operators did is obeyed; else nothing but time passes there
/// * `progress` — told how many inputs were read, now and then
pub fn pass(
    inputs: &mut dyn Inputs,
    specs: &[SessionSpec],
    with_commands: bool,
    plan: &Plan,
    progress: &dyn Fn(u64),
) -> Result<(Length, Vec<Run>), BacktestError> {
    let mut lanes = specs.iter().map(Lane::new).collect::<Result<Vec<_>, _>>()?;
    let mut block = vec![Reader::blank(); BLOCK];
    let mut length = Length::default();
    let mut clock = LocalTime::default();
    loop {
        let mut read = 0;
        while read < BLOCK {
            let into = &mut block[read];
            // Files keep to the time of the input before, which stands in another row.
            into.at = clock;
            if !inputs.next(into)? {
                break;
            }
            if !with_commands && let Input::Command { command, .. } = &into.input {
                // How an account came and when the recording ended are nobody's decision.
                length.left_out += u64::from(!matches!(command, Command::Restore(_) | Command::Stop));
                into.input = Input::Tick;
            }
            if length.inputs == 0 && read == 0 {
                length.started = into.at;
            }
            (clock, read) = (into.at, read + 1);
        }
        for lane in &mut lanes {
            block[..read].iter().for_each(|input| lane.take(input));
        }
        length.inputs += read as u64;
        progress(read as u64);
        if read < BLOCK {
            break;
        }
    }
    let runs = lanes.into_iter().map(|lane| Run {
        recording: String::new(),
        output_digest: lane.session.digest().digest().to_string(),
        is_as_recorded: None,
        summary: lane.account.finish(plan),
    });
    Ok((length, runs.collect()))
}
