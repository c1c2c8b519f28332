//! `manifest.toml`: what a recording is of, and how it ended. For people first, yet complete: with the inputs it
//! is enough to make the session again.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::disk::Disk;
use super::error::JournalError;
use super::frame::SCHEMA;
use crate::digest::{Digest, of_state};
use crate::engine::{Input, Output, SessionSpec};
use crate::exchange::queue::Bound;
use crate::market::MarketEventKind;
use crate::strategy::policy;
use crate::units::LocalTime;

/// The manifest's file name in a session's folder.
pub const MANIFEST_FILE: &str = "manifest.toml";

/// Whether a recording is complete.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SessionState {
    /// Being written, or left by a process that died.
    Running,
    /// Ended in an orderly way.
    Ended,
    /// Left by a process that died; cut back to its last complete block.
    Recovered,
}

impl SessionState {
    /// The word in lists.
    pub fn word(self) -> &'static str {
        match self {
            SessionState::Running => "running",
            SessionState::Ended => "ended",
            SessionState::Recovered => "recovered",
        }
    }
}

/// How much of what there is. Zero in the file of a running session; known once it ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Inputs.
    pub inputs: u64,
    /// Outputs.
    pub outputs: u64,
    /// Prints of the market.
    pub trades: u64,
    /// Book levels in snapshots and deltas.
    pub levels: u64,
    /// Gaps in market data.
    pub gaps: u64,
    /// Trades of ours.
    pub fills: u64,
    /// Checkpoints.
    pub checkpoints: u64,
}

impl Counts {
    /// Counts one more input.
    pub(super) fn add_input(&mut self, input: &Input) {
        self.inputs += 1;
        let Input::Market(event) = input else { return };
        match &event.kind {
            MarketEventKind::Trade { .. } => self.trades += 1,
            MarketEventKind::Snapshot { bids, asks, .. } | MarketEventKind::Delta { bids, asks, .. } => {
                self.levels += (bids.len() + asks.len()) as u64;
            }
            MarketEventKind::Gap { .. } => self.gaps += 1,
            MarketEventKind::Bbo { .. }
            | MarketEventKind::Rules(_)
            | MarketEventKind::Status(_)
            | MarketEventKind::Mark(_)
            | MarketEventKind::Order(_) => {}
        }
    }
}

/// Counts what the gate refused.
pub(super) fn note_refusal(refusals: &mut BTreeMap<&'static str, u64>, output: &Output) {
    if let Output::Refused { refusal, .. } = output {
        *refusals.entry(refusal.code.word()).or_default() += 1;
    }
}

/// One instrument's strategy, by fingerprint; its text is in the spec.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StrategyPrint {
    /// `VENUE:SYMBOL`.
    pub instrument: String,
    /// Of its canonical text; absent where nothing is quoted.
    #[serde(default, with = "digest_text", skip_serializing_if = "Option::is_none")]
    pub digest: Option<Digest>,
}

/// A shadow of the session: the same inputs under the queue model of one bound. What it said is not recorded; a replay
/// from the start says it again, and these figures prove it. Without them the session was not ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShadowPrint {
    /// Which; its spec is the session's with this bound's queue model for every instrument.
    pub bound: Bound,
    /// Trades of its own.
    #[serde(default)]
    pub fills: u64,
    /// `VENUE:SYMBOL equity CURRENCY`, in session order, as it ended.
    #[serde(default)]
    pub equity: Vec<String>,
    /// Last link of the chain of its outputs.
    #[serde(default, with = "digest_text", skip_serializing_if = "Option::is_none")]
    pub output_digest: Option<Digest>,
    /// Of its state at the end.
    #[serde(default, with = "digest_text", skip_serializing_if = "Option::is_none")]
    pub state_digest: Option<Digest>,
}

/// What a recording is of.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// Always [`Manifest::PAPER`].
    pub paper: String,
    /// The session's name: its folder's.
    pub id: String,
    /// Journal schema.
    pub schema: u16,
    /// Version of the program that wrote it.
    pub code_version: String,
    /// Complete?
    pub state: SessionState,
    /// When it began, nanoseconds since the epoch.
    pub started_ns: i64,
    /// When it ended (last input, if recovered).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_ns: Option<i64>,
    /// `VENUE:SYMBOL` of each, in session order.
    pub instruments: Vec<String>,
    /// Seeds every random stream (a text: TOML has no unsigned 64-bit integers).
    #[serde(with = "seed_text")]
    pub seed: u64,
    /// Of the effective configuration.
    #[serde(default, with = "digest_text", skip_serializing_if = "Option::is_none")]
    pub config_digest: Option<Digest>,
    /// Of the trained weights, if a learned policy decides; of the first, if several do.
    #[serde(default, with = "digest_text", skip_serializing_if = "Option::is_none")]
    pub policy_digest: Option<Digest>,
    /// Last link of the chain of outputs.
    #[serde(default, with = "digest_text", skip_serializing_if = "Option::is_none")]
    pub output_digest: Option<Digest>,
    /// Of the session's state at the end.
    #[serde(default, with = "digest_text", skip_serializing_if = "Option::is_none")]
    pub state_digest: Option<Digest>,
    /// Last link of the chain of inputs.
    #[serde(default, with = "digest_text", skip_serializing_if = "Option::is_none")]
    pub input_digest: Option<Digest>,
    /// Of spec, inputs and outputs together: [`super::seal()`].
    #[serde(default, with = "digest_text", skip_serializing_if = "Option::is_none")]
    pub seal: Option<Digest>,
    /// What people should know of it: how it was recovered, where it was imported from.
    #[serde(default)]
    pub notes: Vec<String>,
    /// Of `spec`, so that a slip of the pen in this file is noticed.
    #[serde(default, with = "digest_text")]
    pub spec_digest: Option<Digest>,
    /// How much of what.
    pub counts: Counts,
    /// Requests that the gate refused, by reason code; one that stands is counted once.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub refusals: BTreeMap<String, u64>,
    /// One per instrument.
    pub strategies: Vec<StrategyPrint>,
    /// Shadows that ran beside it; empty without a bracket.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub bracket: Vec<ShadowPrint>,
    /// Everything that shapes the session's behaviour, as JSON in a string (money is wider than TOML's integers).
    #[serde(with = "json_text")]
    pub spec: SessionSpec,
}

impl Manifest {
    /// So that no file of ours is taken for real money.
    pub const PAPER: &'static str = "PAPER: simulated trading, no real money";

    /// Of a session about to begin.
    pub fn new(id: &str, spec: SessionSpec, started: LocalTime) -> Self {
        let label = |desk: &crate::engine::DeskSpec| desk.rules.label();
        let texts = || spec.desks.iter().filter_map(|desk| desk.strategy.as_deref());
        Self {
            paper: Self::PAPER.to_owned(),
            id: id.to_owned(),
            schema: SCHEMA,
            code_version: format!("papermaker {}", env!("CARGO_PKG_VERSION")),
            state: SessionState::Running,
            started_ns: started.0,
            ended_ns: None,
            instruments: spec.desks.iter().map(label).collect(),
            seed: spec.seed,
            config_digest: None,
            policy_digest: texts().find_map(policy::weights_digest),
            output_digest: None,
            state_digest: None,
            input_digest: None,
            seal: None,
            notes: Vec::new(),
            spec_digest: Some(of_state(&spec)),
            counts: Counts::default(),
            refusals: BTreeMap::new(),
            strategies: spec
                .desks
                .iter()
                .map(|desk| StrategyPrint {
                    instrument: label(desk),
                    digest: desk.strategy.as_ref().map(|text| Digest::of(text.as_bytes())),
                })
                .collect(),
            bracket: Vec::new(),
            spec,
        }
    }

    /// From a session's folder. Refuses another schema, and a spec that is not the one that was written.
    pub fn read(folder: &Path) -> Result<Self, JournalError> {
        #[derive(Deserialize)]
        struct SchemaOnly {
            schema: u16,
        }
        let path = folder.join(MANIFEST_FILE);
        let text = fs::read_to_string(&path).map_err(JournalError::io(&path, "read the manifest"))?;
        let wrong = |what: String| JournalError::Manifest { path: path.clone(), what };
        // The schema first: another one may well have fields we cannot read.
        let SchemaOnly { schema } = toml::from_str(&text).map_err(|e| wrong(e.to_string()))?;
        if schema != SCHEMA {
            return Err(JournalError::OtherSchema { path, found: schema, known: SCHEMA });
        }
        let manifest: Self = toml::from_str(&text).map_err(|e| wrong(e.to_string()))?;
        let found = of_state(&manifest.spec);
        match manifest.spec_digest {
            Some(expected) if expected != found => {
                Err(wrong(format!("the spec was changed: its digest is {found} instead of {expected}")))
            }
            _ => Ok(manifest),
        }
    }

    /// Into a session's folder, entirely or not at all.
    pub fn write(&self, disk: &dyn Disk, folder: &Path) -> Result<(), JournalError> {
        let path = folder.join(MANIFEST_FILE);
        let text = toml::to_string_pretty(self)
            .map_err(|e| JournalError::Manifest { path: path.clone(), what: e.to_string() })?;
        disk.replace(&path, text.as_bytes()).map_err(JournalError::io(&path, "write the manifest"))
    }
}

mod digest_text {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    use crate::digest::Digest;

    pub fn serialize<S: Serializer>(digest: &Option<Digest>, to: S) -> Result<S::Ok, S::Error> {
        match digest {
            Some(digest) => to.serialize_str(&digest.to_string()),
            None => to.serialize_str(""),
        }
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Digest>, D::Error> {
        let text = String::deserialize(from)?;
        match text.as_str() {
            "" => Ok(None),
            text => Digest::parse(text).map(Some).ok_or_else(|| D::Error::custom("a digest is 64 hex digits")),
        }
    }
}

mod seed_text {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub fn serialize<S: Serializer>(seed: &u64, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&seed.to_string())
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<u64, D::Error> {
        String::deserialize(from)?.parse().map_err(D::Error::custom)
    }
}

mod json_text {
    use serde::{Deserialize, Deserializer, Serializer, de::Error as _, ser::Error as _};

    use crate::engine::SessionSpec;

    pub fn serialize<S: Serializer>(spec: &SessionSpec, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&serde_json::to_string_pretty(spec).map_err(S::Error::custom)?)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<SessionSpec, D::Error> {
        serde_json::from_str(&String::deserialize(from)?).map_err(D::Error::custom)
    }
}
