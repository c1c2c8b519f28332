//! The proof: a recording's inputs through a fresh session, compared with what the recorded one said.
//!
//! The fast way reads inputs only and compares digests at every checkpoint and at the end. When they differ (or there
//! is no digest to compare with) the way is gone again from the last checkpoint that agreed, output by output, to
//! name the first that differs.

use std::time::Instant;

use serde::Serialize;

use super::bracket::Shadow;
use super::core::resume;
use super::prepare::{self, PrepareError};
use crate::digest::Digest;
use crate::engine::{Input, Output, Session, Stamped};
use crate::exchange::queue::Bound;
use crate::journal::{JournalError, Manifest, Reader, ShadowPrint, Store};
use crate::market::MarketEventKind;
use crate::strategy::Strategies;

/// Why a recording cannot be replayed at all.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "each wraps an error that explains itself")]
pub enum ReplayError {
    #[error(transparent)]
    Journal(#[from] JournalError),
    #[error(transparent)]
    Prepare(#[from] PrepareError),
    #[error("{session} has no input {seq}: its inputs are 1 to {last}")]
    NoInput { session: String, seq: u64, last: u64 },
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
    /// The shadows that ran beside it, run again; empty without a bracket.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub bracket: Vec<ShadowReport>,
    /// The first difference, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_divergence: Option<Divergence>,
    /// What people should know of the recording.
    pub notes: Vec<String>,
}

/// A shadow of a session, run again.
#[derive(Clone, Debug, Serialize)]
pub struct ShadowReport {
    /// Which.
    pub bound: Bound,
    /// Whether it ended as it did; `None`: the session was not ended, so nothing is known of it.
    pub identical: Option<bool>,
    /// Its fills.
    pub fills: u64,
    /// `VENUE:SYMBOL equity CURRENCY`.
    pub equity: Vec<String>,
    /// Last link of what it says.
    pub output_digest: String,
    /// Fingerprint of its state at the end.
    pub state_digest: String,
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
    // Of a session that differs nobody asks what else does.
    let bracket = if identical { shadows(&store, &id, &manifest)? } else { Vec::new() };
    let mut pairs = manifest.bracket.iter().zip(&bracket);
    if let Some((known, found)) = pairs.find(|(_, found)| found.identical == Some(false)) {
        identical = false;
        first_divergence = Some(Divergence {
            seq: session.seq(),
            input: format!("the end of the {} shadow", found.bound.word()),
            expected: format!("{} {}", text(known.output_digest), text(known.state_digest)),
            found: format!("{} {}", found.output_digest, found.state_digest),
        });
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
        bracket,
        first_divergence,
        notes: manifest.notes.clone(),
    })
}

fn text(digest: Option<Digest>) -> String {
    digest.map(|digest| digest.to_string()).unwrap_or_default()
}

/// Every shadow over the same inputs, each on a thread and with a reader of its own.
fn shadows(store: &Store, id: &str, manifest: &Manifest) -> Result<Vec<ShadowReport>, ReplayError> {
    let run = |known: &ShadowPrint| -> Result<ShadowReport, ReplayError> {
        let (mut reader, mut input) = (store.reader(id)?, Reader::blank());
        let mut shadow = Shadow::new(&manifest.spec, known.bound)?;
        while reader.next_input(&mut input)? {
            shadow.step(&input);
        }
        let found = shadow.print();
        Ok(ShadowReport {
            bound: known.bound,
            identical: known.output_digest.map(|_| *known == found),
            fills: found.fills,
            equity: found.equity,
            output_digest: text(found.output_digest),
            state_digest: text(found.state_digest),
        })
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = manifest.bracket.iter().map(|known| scope.spawn(|| run(known))).collect();
        threads.into_iter().map(|thread| thread.join().expect("a shadow panics where its session would")).collect()
    })
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
    let (mut session, mut strategies) = resumed(reader, manifest, from)?;
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

/// The session as it was at the last checkpoint at or before input `from`, or at its beginning; the reader stands there.
pub(super) fn resumed(
    reader: &mut Reader,
    manifest: &Manifest,
    from: u64,
) -> Result<(Session, Strategies), ReplayError> {
    let mut strategies = prepare::strategies(&manifest.spec)?;
    let checkpoint = reader.checkpoint_before(from)?;
    match checkpoint.and_then(|c| resume(&c.state, &mut strategies).ok()) {
        Some(session) => Ok((session, strategies)),
        None => {
            reader.rewind()?;
            Ok((Session::new(&manifest.spec), prepare::strategies(&manifest.spec)?))
        }
    }
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
        Input::Feed(_) | Input::Report(_) | Input::Tick | Input::Command { .. } => 0,
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
