//! Recordings for the page: what is in the store, what each was worth, and how a session was at any moment of it.
//!
//! A moment is the session itself, brought back from the last checkpoint before it and told its inputs again, drawn by the same
//! [`Observer`] that draws the living one. Counts and the log go back to the beginning: the outputs before the checkpoint are
//! read, not made again.

use std::path::Path;

use serde_json::{Value, json};

use super::explain::explain;
use super::replay::{ReplayError, resumed};
use super::report;
use crate::dashboard::Observer;
use crate::dashboard::archive::{Archive, ArchiveError, Moment, When};
use crate::dashboard::history::History;
use crate::dashboard::status::JournalStatus;
use crate::journal::{JournalError, Manifest, Reader, SessionState, SessionSummary, Store};
use crate::market::Instrument;
use crate::metrics::{Account, Plan};
use crate::strategy;
use crate::units::{LocalTime, Nanos};

/// How much of what was before it a moment shows at least.
const SHOWN_BEFORE: Nanos = Nanos::from_s(300);
/// Between two points of that.
const DRAWN_EVERY: Nanos = Nanos::from_ms(500);

/// The sessions of one store.
#[derive(Debug)]
pub struct Recordings {
    store: Store,
}

impl Recordings {
    /// Of this store.
    pub fn new(store: &Path) -> Self {
        Self { store: Store::open(store) }
    }

    /// Its manifest; put in order first if whoever wrote it has died. Names of the store only, never paths.
    fn manifest(&self, session: &str) -> Result<Manifest, ArchiveError> {
        let unknown = |error: JournalError| ArchiveError::Unknown(error.to_string());
        self.store.manifest(session).map_err(unknown)?;
        if !self.store.is_live(session) {
            self.store.recover(session).map_err(unreadable)?;
        }
        self.store.manifest(session).map_err(unreadable)
    }

    fn reader(&self, session: &str) -> Result<Reader, ArchiveError> {
        self.store.reader(session).map_err(unreadable)
    }

    /// The input some minutes before `seq`, or the first: there the chart of a moment begins.
    fn minutes_before(&self, session: &str, seq: u64) -> Result<u64, ArchiveError> {
        let mut reader = self.store.reader_at(session, seq).map_err(unreadable)?;
        let mut input = Reader::blank();
        reader.next_input(&mut input).map_err(unreadable)?;
        reader.seek_time(input.at - SHOWN_BEFORE).map_err(unreadable)?;
        reader.next_input(&mut input).map_err(unreadable)?;
        Ok(input.seq.min(seq))
    }

    /// The input that `when` means, the last one there is, and when that was heard.
    fn find(&self, manifest: &Manifest, when: When) -> Result<(u64, u64, LocalTime), ArchiveError> {
        let mut reader = self.reader(&manifest.id)?;
        let mut input = Reader::blank();
        let mut seq = match when {
            When::Seq(seq) => seq,
            // The one before the first that was heard later, or the end.
            When::At(at) => {
                reader.seek_time(LocalTime(at.saturating_add(1))).map_err(unreadable)?;
                let later = reader.next_input(&mut input).map_err(unreadable)?;
                if later { input.seq.saturating_sub(1) } else { u64::MAX }
            }
        };
        let (mut last, mut ended) = (manifest.counts.inputs, LocalTime(manifest.ended_ns.unwrap_or(0)));
        if manifest.state == SessionState::Running || last == 0 {
            // Nobody has counted yet.
            reader.rewind().map_err(unreadable)?;
            while reader.next_input(&mut input).map_err(unreadable)? {
                (last, ended) = (input.seq, input.at);
            }
        }
        if let When::At(_) = when {
            seq = seq.clamp(1.min(last), last);
        }
        if seq == 0 || seq > last {
            let session = manifest.id.clone();
            return Err(ArchiveError::Unknown(ReplayError::NoInput { session, seq, last }.to_string()));
        }
        Ok((seq, last, ended))
    }
}

fn unreadable(error: impl ToString) -> ArchiveError {
    ArchiveError::Unreadable(error.to_string())
}

fn strategies(manifest: &Manifest) -> Vec<Value> {
    let name = |desk: &crate::engine::DeskSpec| {
        let built = desk.strategy.as_ref().map(|text| strategy::build(text, &desk.rules));
        built.map_or(Value::Null, |built| built.map_or("unknown".into(), |strategy| strategy.name().into()))
    };
    manifest.spec.desks.iter().map(name).collect()
}

fn line(summary: &SessionSummary) -> Value {
    let m = match &summary.manifest {
        Ok(manifest) => manifest,
        Err(error) => {
            return json!({ "id": summary.id, "error": error.to_string(), "bytes": summary.bytes, "live": summary.live });
        }
    };
    let digest = |digest: &Option<crate::digest::Digest>| digest.map(|digest| digest.to_string());
    // Of one that has not ended nobody has counted yet.
    let count = |n: u64| Some(n).filter(|_| m.state != SessionState::Running);
    json!({
        "id": summary.id,
        "live": summary.live,
        "state": m.state.word(),
        "venue_instruments": m.instruments,
        "strategy": strategies(m),
        "started_ns": m.started_ns,
        "ended_ns": m.ended_ns,
        "inputs": count(m.counts.inputs),
        "fills": count(m.counts.fills),
        "gaps": count(m.counts.gaps),
        "refusals": count(m.refusals.values().sum()),
        "output_digest": digest(&m.output_digest),
        "bytes": summary.bytes,
    })
}

impl Archive for Recordings {
    fn list(&self) -> Result<Vec<Value>, ArchiveError> {
        Ok(self.store.sessions().map_err(unreadable)?.iter().map(line).collect())
    }

    fn metrics(&self, session: &str) -> Result<Value, ArchiveError> {
        let manifest = self.manifest(session)?;
        let mut reader = self.reader(session)?;
        let instruments = manifest.spec.desks.iter().map(|desk| desk.rules.clone());
        let mut account = Account::new(instruments, Nanos::from_s(1));
        let (mut input, mut outputs) = (Reader::blank(), Vec::new());
        while reader.next_step(&mut input, &mut outputs).map_err(unreadable)? {
            account.step(&input, &outputs);
        }
        let plan = Plan { seed: manifest.spec.seed, ..Plan::default() };
        serde_json::to_value(account.finish(&plan)).map_err(unreadable)
    }

    fn report(&self, session: &str) -> Result<String, ArchiveError> {
        let manifest = self.manifest(session)?;
        let told = report::tell(&manifest, self.reader(session)?).map_err(unreadable)?;
        Ok(report::session_html(&manifest, &told))
    }

    fn moment(&self, session: &str, when: When) -> Result<Moment, ArchiveError> {
        let manifest = self.manifest(session)?;
        let (seq, inputs, ended) = self.find(&manifest, when)?;
        let mut reader = self.reader(session)?;
        let (mut live, mut strategies) =
            resumed(&mut reader, &manifest, self.minutes_before(session, seq)?).map_err(unreadable)?;
        let rules: Vec<Instrument> = manifest.spec.desks.iter().map(|desk| desk.rules.clone()).collect();
        let mut observer = Observer::new(session, &rules, &strategies);
        let (mut input, mut outputs) = (Reader::blank(), Vec::new());
        let mut before = self.reader(session)?;
        while input.seq < live.seq() && before.next_step(&mut input, &mut outputs).map_err(unreadable)? {
            observer.told(&input);
            observer.hear(&outputs, input.seq, input.at);
        }
        let (mut history, mut drawn) = (History::default(), LocalTime::default());
        while live.seq() < seq && reader.next_input(&mut input).map_err(unreadable)? {
            outputs.clear();
            live.step(&input, &mut strategies, &mut outputs);
            observer.told(&input);
            observer.hear(&outputs, input.seq, input.at);
            if input.at.since(drawn) >= DRAWN_EVERY {
                drawn = input.at;
                history.see(&observer.picture(&live, live.now(), Vec::new(), JournalStatus::default()));
            }
        }
        let status = observer.picture(&live, live.now(), Vec::new(), JournalStatus::default());
        let started_ns = manifest.started_ns;
        history.see(&status);
        let past = serde_json::to_value(history.past(0)).map_err(unreadable)?;
        Ok(Moment { paper: true, started_ns, ended_ns: ended.0, inputs, status: (*status).clone(), past })
    }

    fn explain(&self, session: &str, seq: u64) -> Result<Value, ArchiveError> {
        self.manifest(session)?;
        let told = explain(&self.store, session, seq).map_err(|error| match error {
            ReplayError::NoInput { .. } => ArchiveError::Unknown(error.to_string()),
            ReplayError::Journal(_) | ReplayError::Prepare(_) => unreadable(error),
        })?;
        serde_json::to_value(told).map_err(unreadable)
    }
}
