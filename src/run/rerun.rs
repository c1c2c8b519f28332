//! A recording's inputs through a session of other settings: what backtests, what-if replays and brackets are made of.
//!
//! It is the live path with two things exchanged: who hands over the inputs, and what the spec says. So a rerun whose
//! spec is the recording's own ends in the recording's own digest.
//!
//! Reading order: [`Inputs`] is where they come from, [`spec_for`] makes the other spec, [`rerun`] runs it.

use super::import::ImportFailed;
use super::prepare::{self, PrepareError};
use crate::config::Loaded;
use crate::digest::Digest;
use crate::engine::{Output, Session, SessionSpec, Stamped};
use crate::exchange::place::Answers;
use crate::journal::import::Together;
use crate::journal::{JournalError, Manifest, Reader};
use crate::market::Instrument;

/// Why a rerun cannot be had.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "each wraps an error that explains itself")]
pub enum RerunError {
    #[error(transparent)]
    Journal(#[from] JournalError),
    #[error(transparent)]
    Prepare(#[from] PrepareError),
    #[error(transparent)]
    Import(#[from] ImportFailed),
}

/// Where inputs come from, one after the other.
pub trait Inputs {
    /// The next input into `into`, whose memory is reused; `false` after the last.
    fn next(&mut self, into: &mut Stamped) -> Result<bool, RerunError>;
}

/// A recorded session.
impl Inputs for Reader {
    fn next(&mut self, into: &mut Stamped) -> Result<bool, RerunError> {
        Ok(self.next_input(into)?)
    }
}

/// Another program's files, without a session being made of them.
pub struct FromFiles {
    files: Together,
    seq: u64,
}

impl FromFiles {
    /// Over surveyed files.
    pub fn new(files: Together) -> Self {
        Self { files, seq: 0 }
    }
}

impl Inputs for FromFiles {
    fn next(&mut self, into: &mut Stamped) -> Result<bool, RerunError> {
        let Some(next) = self.files.next() else { return Ok(false) };
        let (at, input) = next.map_err(ImportFailed::File)?;
        self.seq += 1;
        // As the recording driver does: one order, and time that does not step back.
        *into = Stamped { seq: self.seq, at: at.max(into.at), input };
        Ok(true)
    }
}

/// What is different from the recording. `None` is as recorded.
#[derive(Clone, Debug, Default)]
pub struct Changes<'a> {
    /// Text of a strategy for every instrument.
    pub strategy: Option<&'a str>,
    /// Limits from this configuration instead of the recorded ones.
    pub risk: Option<&'a Loaded>,
}

/// Answered by the paper exchange, whoever answered when it was recorded: a market that answers by itself answered the orders
/// of that session, and knows of no others.
pub fn on_paper(spec: &mut SessionSpec) {
    spec.desks.iter_mut().for_each(|desk| desk.answers = Answers::Modelled);
}

/// The recording's spec with these changes. Quoting, signals and seed stay the recording's; with any change its orders are
/// answered [`on_paper`].
pub fn spec_for(manifest: &Manifest, changes: &Changes<'_>) -> Result<SessionSpec, PrepareError> {
    let mut spec = manifest.spec.clone();
    for desk in &mut spec.desks {
        if let Some(text) = changes.strategy {
            desk.strategy = Some(text.to_owned());
        }
    }
    if let Some(loaded) = changes.risk {
        let instruments: Vec<Instrument> = spec.desks.iter().map(|desk| desk.rules.clone()).collect();
        spec.risk = loaded.risk_limits(&instruments)?;
    }
    if spec != manifest.spec {
        on_paper(&mut spec);
    }
    Ok(spec)
}

/// Where a rerun ended.
#[derive(Clone, Debug)]
pub struct Ended {
    /// The session after its last input.
    pub session: Session,
    /// How many there were.
    pub inputs: u64,
}

impl Ended {
    /// Last link of everything it said.
    pub fn output_digest(&self) -> Digest {
        self.session.digest().digest()
    }
}

/// Runs a session of `spec` over all inputs. `each` sees every input with what was said to it, and may say that it has
/// seen enough (`false`).
pub fn rerun(
    inputs: &mut dyn Inputs,
    spec: &SessionSpec,
    mut each: impl FnMut(&Session, &Stamped, &[Output]) -> bool,
) -> Result<Ended, RerunError> {
    let mut strategies = prepare::strategies(spec)?;
    let mut session = Session::new(spec);
    let (mut input, mut out, mut count) = (Reader::blank(), Vec::new(), 0);
    while inputs.next(&mut input)? {
        count += 1;
        session.step(&input, &mut strategies, &mut out);
        let goes_on = each(&session, &input, &out);
        out.clear();
        if !goes_on {
            break;
        }
    }
    Ok(Ended { session, inputs: count })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::Store;

    fn golden() -> Reader {
        Store::open(concat!(env!("CARGO_MANIFEST_DIR"), "/replay/golden")).reader("demo-btcusdt").expect("the golden")
    }

    #[test]
    fn under_its_own_settings_a_recording_ends_in_its_own_digest() {
        let mut recording = golden();
        let manifest = recording.manifest().clone();
        let spec = spec_for(&manifest, &Changes::default()).unwrap();
        let ended = rerun(&mut recording, &spec, |_, _, _| true).unwrap();
        assert_eq!((Some(ended.output_digest()), ended.inputs), (manifest.output_digest, manifest.counts.inputs));
    }

    #[test]
    fn another_strategy_says_something_else() {
        let mut recording = golden();
        let manifest = recording.manifest().clone();
        let text = prepare::strategy_text("fixed-spread", None).unwrap();
        let spec = spec_for(&manifest, &Changes { strategy: Some(&text), ..Changes::default() }).unwrap();
        let ended = rerun(&mut recording, &spec, |session, _, _| session.seq() < 1_000).unwrap();
        assert_eq!(ended.inputs, 1_000);
        assert_ne!(Some(ended.output_digest()), manifest.output_digest);
    }
}
