//! The proof: a recording's inputs through a fresh session, compared with what the recorded one said.
//!
//! The fast way reads inputs only and compares digests at every checkpoint and at the end. When they differ (or there
//! is no digest to compare with) the way is gone again from the last checkpoint that agreed, output by output, to
//! name the first that differs.

use std::time::Instant;

use serde::Serialize;

use super::core::resume;
use super::prepare::{self, PrepareError};
use crate::digest::Digest;
use crate::engine::{Input, Output, Session, Stamped};
use crate::journal::{JournalError, Manifest, Reader, Store};
use crate::market::MarketEventKind;

/// Why a recording cannot be replayed at all.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "each wraps an error that explains itself")]
pub enum ReplayError {
    #[error(transparent)]
    Journal(#[from] JournalError),
    #[error(transparent)]
    Prepare(#[from] PrepareError),
}

/// What a replay found.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// Always true.
    pub paper: bool,
    /// The recording.
    pub session: String,
    /// Whether every output is what it was.
    pub identical: bool,
    /// Last link of the replayed outputs.
    pub output_digest: String,
    /// Fingerprint of the state at the end.
    pub state_digest: String,
    /// Inputs replayed.
    pub inputs: u64,
    /// Outputs they made.
    pub outputs: u64,
    /// Checkpoints that agreed.
    pub checkpoints: u64,
    /// Book levels in snapshots and deltas.
    pub level_updates: u64,
    /// How long it took.
    pub seconds: f64,
    /// `inputs / seconds`
    pub inputs_per_s: f64,
    /// `level_updates / seconds`
    pub level_updates_per_s: f64,
    /// The first difference, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_divergence: Option<Divergence>,
    /// What people should know of the recording.
    pub notes: Vec<String>,
}

/// Where two sessions part.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Divergence {
    /// At this input.
    pub seq: u64,
    /// Which the session was told.
    pub input: String,
    /// Said then.
    pub expected: String,
    /// Says now.
    pub found: String,
}

/// Outputs of one input, then and now.
#[derive(Clone, Debug, Serialize)]
pub struct Around {
    /// The input.
    pub seq: u64,
    /// In words.
    pub input: String,
    /// Said then.
    pub recorded: Vec<String>,
    /// Says now.
    pub replayed: Vec<String>,
}

/// Replays a session named, or by its folder, and compares.
pub fn replay(store: &Store, named: &str) -> Result<Report, ReplayError> {
    let (store, id) = store.of_session(named)?;
    store.recover(&id)?;
    let mut reader = store.reader(&id)?;
    let manifest = reader.manifest().clone();
    let started = wall_instant();
    let (pass, agreed) = fast(&mut reader, &manifest)?;
    let seconds = started.elapsed().as_secs_f64();
    let session = &pass.session;
    let (output_digest, state_digest) = (session.digest().digest(), session.state_digest());
    let ended = manifest.output_digest.is_some();
    let same = |known: Option<Digest>, found: Digest| known.is_none_or(|known| known == found);
    let mut identical =
        agreed.all && ended && same(manifest.output_digest, output_digest) && same(manifest.state_digest, state_digest);
    let mut first_divergence = None;
    if !identical {
        first_divergence = slow(&mut reader, &manifest, agreed.last)?;
        // Without a digest at the end (it still runs) the comparison output by output is the proof.
        identical = first_divergence.is_none()
            && agreed.all
            && same(manifest.output_digest, output_digest)
            && same(manifest.state_digest, state_digest);
        if !identical && first_divergence.is_none() {
            first_divergence = Some(Divergence {
                seq: session.seq(),
                input: "the end".to_owned(),
                expected: format!("{:?} {:?}", manifest.output_digest, manifest.state_digest),
                found: format!("{output_digest} {state_digest}"),
            });
        }
    }
    Ok(Report {
        paper: true,
        session: id,
        identical,
        output_digest: output_digest.to_string(),
        state_digest: state_digest.to_string(),
        inputs: pass.inputs,
        outputs: session.digest().length(),
        checkpoints: agreed.count,
        level_updates: pass.levels,
        seconds,
        inputs_per_s: pass.inputs as f64 / seconds,
        level_updates_per_s: pass.levels as f64 / seconds,
        first_divergence,
        notes: manifest.notes.clone(),
    })
}

/// Both sides of the inputs within `reach` of `seq`.
pub fn around(store: &Store, named: &str, seq: u64, reach: u64) -> Result<Vec<Around>, ReplayError> {
    let (store, id) = store.of_session(named)?;
    store.recover(&id)?;
    let mut reader = store.reader(&id)?;
    let manifest = reader.manifest().clone();
    let mut shown = Vec::new();
    compare(&mut reader, &manifest, seq.saturating_sub(reach), |input, recorded, replayed| {
        if input.seq.abs_diff(seq) <= reach {
            let words = |outputs: &[Output]| outputs.iter().map(|o| format!("{o:?}")).collect();
            shown.push(Around {
                seq: input.seq,
                input: brief(input),
                recorded: words(recorded),
                replayed: words(replayed),
            });
        }
        input.seq < seq + reach
    })?;
    Ok(shown)
}

struct Pass {
    session: Session,
    inputs: u64,
    levels: u64,
}

/// Which checkpoints agreed.
struct Agreed {
    all: bool,
    count: u64,
    /// The last that did, as an input.
    last: u64,
}

fn fast(reader: &mut Reader, manifest: &Manifest) -> Result<(Pass, Agreed), ReplayError> {
    let mut strategies = prepare::strategies(&manifest.spec)?;
    let mut pass = Pass { session: Session::new(&manifest.spec), inputs: 0, levels: 0 };
    let mut agreed = Agreed { all: true, count: 0, last: 0 };
    let (mut input, mut out) = (Reader::blank(), Vec::new());
    while reader.next_input(&mut input)? {
        pass.inputs += 1;
        pass.levels += levels(&input);
        pass.session.step(&input, &mut strategies, &mut out);
        out.clear();
        if let Some(checkpoint) = reader.checkpoint_here()? {
            let (outputs, state) = (pass.session.digest().digest(), pass.session.state_digest());
            if (checkpoint.output_digest, checkpoint.state_digest) != (outputs, state) {
                agreed.all = false;
                break;
            }
            (agreed.count, agreed.last) = (agreed.count + 1, checkpoint.seq);
        }
    }
    Ok((pass, agreed))
}

/// The first difference after input `agreed`, output by output.
fn slow(reader: &mut Reader, manifest: &Manifest, agreed: u64) -> Result<Option<Divergence>, ReplayError> {
    let mut divergence = None;
    compare(reader, manifest, agreed, |input, recorded, replayed| {
        let longest = recorded.len().max(replayed.len());
        let differs = (0..longest).find(|i| recorded.get(*i) != replayed.get(*i));
        if let Some(i) = differs {
            let word = |o: Option<&Output>| o.map_or("nothing".to_owned(), |o| format!("{o:?}"));
            let (expected, found) = (word(recorded.get(i)), word(replayed.get(i)));
            divergence = Some(Divergence { seq: input.seq, input: brief(input), expected, found });
        }
        divergence.is_none()
    })?;
    Ok(divergence)
}

/// Walks both sides from the last checkpoint at or before `from` until `each` says it has seen enough.
fn compare(
    reader: &mut Reader,
    manifest: &Manifest,
    from: u64,
    mut each: impl FnMut(&Stamped, &[Output], &[Output]) -> bool,
) -> Result<(), ReplayError> {
    let mut strategies = prepare::strategies(&manifest.spec)?;
    let checkpoint = reader.checkpoint_before(from)?;
    let resumed = checkpoint.and_then(|c| resume(&c.state, &mut strategies).ok());
    let mut session = match resumed {
        Some(session) => session,
        None => {
            reader.rewind()?;
            strategies = prepare::strategies(&manifest.spec)?;
            Session::new(&manifest.spec)
        }
    };
    let (mut input, mut recorded, mut replayed) = (Reader::blank(), Vec::new(), Vec::new());
    while reader.next_step(&mut input, &mut recorded)? {
        replayed.clear();
        session.step(&input, &mut strategies, &mut replayed);
        if !each(&input, &recorded, &replayed) {
            break;
        }
    }
    Ok(())
}

fn levels(input: &Stamped) -> u64 {
    match &input.input {
        Input::Market(event) => match &event.kind {
            MarketEventKind::Snapshot { bids, asks, .. } | MarketEventKind::Delta { bids, asks, .. } => {
                (bids.len() + asks.len()) as u64
            }
            MarketEventKind::Trade { .. }
            | MarketEventKind::Bbo { .. }
            | MarketEventKind::Gap { .. }
            | MarketEventKind::Rules(_)
            | MarketEventKind::Status(_)
            | MarketEventKind::Mark(_)
            | MarketEventKind::Order(_) => 0,
        },
        Input::Feed(_) | Input::Tick | Input::Command { .. } => 0,
    }
}

/// An input in one line.
fn brief(input: &Stamped) -> String {
    let text = format!("{:?}", input.input);
    match text.char_indices().nth(200) {
        Some((cut, _)) => format!("{}…", &text[..cut]),
        None => text,
    }
}

#[expect(clippy::disallowed_methods, reason = "how long a replay took is told to people and goes nowhere else")]
fn wall_instant() -> Instant {
    Instant::now()
}
