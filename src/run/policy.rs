//! Policy files that were not trained here, and what a policy was trained on.
//!
//! [`import`] makes a strategy of an actor that Stable-Baselines3 trained. [`met_in_market`] and [`met_in_recording`] live a policy through
//! a market or a recording, as it would live there, and note what it met; [`refer`] puts that beside its weights, so that the drift
//! gate has something to hold the present against.
//!
//! A strategy's text is changed where it must be and nowhere else: comments and order stay.

use toml_edit::{Array, DocumentMut, Item, Table, value};

use super::prepare::{self, PrepareError};
use super::rerun::{Inputs, RerunError};
use super::simulate::{CannotLive, Inside};
use crate::digest::Digest;
use crate::engine::{Session, SessionSpec};
use crate::journal::Reader;
use crate::signal::drift::{DriftRules, Reference, ReferenceError};
use crate::signal::observation::{Feature, Schema, SchemaError};
use crate::sim::SimSpec;
use crate::strategy::mlp::{Activation, WeightsError};
use crate::strategy::policy::{
    Columns, from_stable_baselines3, weights_wanted, with_reference, with_weights, without_reference,
};
use crate::strategy::{self, Policy, Strategy, StrategyError};
use crate::units::{LocalTime, Nanos};

/// Why there is no such policy.
#[derive(Debug, thiserror::Error)]
pub enum PolicyError {
    /// The strategy file is not TOML.
    #[error("{0}")]
    Toml(String),
    /// The strategy file lacks something, or has too much of it.
    #[error(transparent)]
    Strategy(#[from] StrategyError),
    /// The weights are not what they should be.
    #[error(transparent)]
    Weights(#[from] WeightsError),
    /// What it sees cannot be.
    #[error(transparent)]
    Schema(#[from] SchemaError),
    /// Too little was met, or the wrong thing.
    #[error(transparent)]
    Reference(#[from] ReferenceError),
    /// No session can be made of it.
    #[error(transparent)]
    Prepare(#[from] PrepareError),
    /// The market has no such instrument.
    #[error(transparent)]
    Market(#[from] CannotLive),
    /// The recording cannot be read.
    #[error(transparent)]
    Recording(#[from] RerunError),
}

/// A strategy and the file of weights that lies beside it.
#[derive(Clone, Debug, PartialEq)]
pub struct PolicyFiles {
    /// The TOML, without the bytes of the weights.
    pub text: String,
    /// The safetensors file.
    pub weights: Vec<u8>,
}

impl PolicyFiles {
    /// The TOML with everything in it, as sessions have it.
    pub fn whole(&self) -> String {
        with_weights(&self.text, &self.weights)
    }

    /// As given, with the names and digests that belong together, or why it is no policy.
    fn sealed(mut text: DocumentMut, file: &str, weights: Vec<u8>) -> Result<Self, PolicyError> {
        text["weights"] = value(file);
        text["weights_blake3"] = value(Digest::of(&weights).to_string());
        let files = Self { text: text.to_string(), weights };
        strategy::check(&files.whole())?;
        Ok(files)
    }
}

fn parsed(text: &str) -> Result<DocumentMut, PolicyError> {
    text.parse().map_err(|e: toml_edit::TomlError| PolicyError::Toml(e.to_string()))
}

fn numbers(list: &[f32]) -> Item {
    // As short as they are exact.
    value(list.iter().map(|x| x.to_string().parse::<f64>().unwrap_or(f64::from(*x))).collect::<Array>())
}

/// A policy of an actor that Stable-Baselines3 trained.
///
/// * `actor` — its state dict, see [`from_stable_baselines3`]
/// * `card` — the strategy without what comes from the actor: beliefs, order amounts, `reach`, and the `observation` it was trained on
/// * `file` — what the weights will be called
///
/// Without statistics in the state dict or the card the observation is taken as it is.
pub fn import(
    actor: &[u8],
    activation: Option<Activation>,
    card: &str,
    file: &str,
) -> Result<PolicyFiles, PolicyError> {
    let actor = from_stable_baselines3(actor, activation)?;
    let mut text = parsed(card)?;
    let schema = seen(card)?;
    text["kind"] = value(Policy::NAME);
    text["squash"] = value(if actor.is_squashed { "tanh" } else { "cut" });
    text["observation_blake3"] = value(schema.digest().to_string());
    let features = schema.features().len();
    let scale = actor.scale.or_else(|| {
        let is_told = text.contains_key("observation_mean") || text.contains_key("observation_spread");
        (!is_told).then(|| (vec![0.0; features], vec![1.0; features]))
    });
    if let Some((mean, spread)) = scale {
        (text["observation_mean"], text["observation_spread"]) = (numbers(&mean), numbers(&spread));
    }
    if let Some(log_std) = actor.log_std.filter(|list| list.len() >= 2) {
        text["log_std"] = numbers(&log_std[..2]);
    }
    PolicyFiles::sealed(text, file, actor.network.to_safetensors())
}

/// What a policy's strategy file says it sees.
fn seen(card: &str) -> Result<Schema, PolicyError> {
    let mut table: toml::Table = card.parse().map_err(|e: toml::de::Error| PolicyError::Toml(e.to_string()))?;
    let meaning = "what the policy was trained on, one [[observation]] a number";
    let features = table.remove("observation").ok_or(StrategyError::Missing { key: "observation", meaning })?;
    let features: Vec<Feature> =
        features.try_into().map_err(|e: toml::de::Error| PolicyError::Toml(format!("observation: {e}")))?;
    Ok(Schema::new(features)?)
}

/// A policy's files without what they say of its training, and the rules it is to be held against it by: its own, or the usual.
pub fn unreferred(text: &str, weights: &[u8]) -> Result<(PolicyFiles, DriftRules), PolicyError> {
    let mut edited = parsed(text)?;
    let rules = match text.parse::<toml::Table>().ok().and_then(|mut table| table.remove("drift")) {
        Some(rules) => rules.try_into().map_err(|e: toml::de::Error| PolicyError::Toml(format!("[drift]: {e}")))?,
        None => DriftRules::default(),
    };
    rules.check().map_err(|why| PolicyError::Toml(format!("[drift] {why}")))?;
    edited.remove("drift");
    let file = weights_wanted(text).unwrap_or_default();
    Ok((PolicyFiles::sealed(edited, &file, without_reference(weights)?)?, rules))
}

/// A policy that knows what it was trained on.
///
/// * `bare` — its files, from [`unreferred`] · `runs` — what it met, run by run · `file` — what the weights will be called
pub fn refer(
    bare: &PolicyFiles,
    rules: &DriftRules,
    runs: &[Vec<f32>],
    file: &str,
) -> Result<PolicyFiles, PolicyError> {
    let columns = Columns::of(&seen(&bare.text)?);
    let training = Reference::new(runs, rules, columns.is_market())?;
    let mut text = parsed(&bare.text)?;
    let mut drift = Table::new();
    for (key, number) in [
        ("every_ms", rules.every_ms),
        ("window_rows", rules.window_rows),
        ("block_rows", rules.block_rows),
        ("trip_windows", rules.trip_windows),
        ("calm_windows", rules.calm_windows),
    ] {
        drift[key] = value(i64::from(number));
    }
    (drift["psi_max"], drift["p_max"]) = (value(rules.psi_max), value(rules.p_max));
    text["drift"] = Item::Table(drift);
    PolicyFiles::sealed(text, file, with_reference(&bare.weights, &training)?)
}

/// Rows no closer to each other than the rules say.
struct Rows {
    rows: Vec<f32>,
    last: Option<LocalTime>,
    every: Nanos,
}

impl Rows {
    fn new(rules: &DriftRules) -> Self {
        Self { rows: Vec::new(), last: None, every: Nanos::from_ms(i64::from(rules.every_ms)) }
    }

    fn note(&mut self, now: LocalTime, policy: &Policy) {
        if let Some(row) = policy.met()
            && self.last.is_none_or(|last| now.since(last) >= self.every)
        {
            self.rows.extend_from_slice(row);
            self.last = Some(now);
        }
    }
}

/// What the policy of a session's first instrument meets in a simulated market, `lasting` from its beginning.
pub fn met_in_market(
    sim: &SimSpec,
    seed: u64,
    spec: &SessionSpec,
    rules: &DriftRules,
    tick_every: Nanos,
    lasting: Nanos,
) -> Result<Vec<f32>, PolicyError> {
    let mut policy = policy_of(spec)?;
    let mut strategies = prepare::strategies(spec)?;
    strategies[0] = None;
    let mut inside = Inside::new(sim, seed, spec, strategies, tick_every)?;
    let mut rows = Rows::new(rules);
    while let Some(id) = inside.advance(lasting) {
        let view = inside.view(id);
        let (now, decision) = (view.now, policy.decide(&view));
        rows.note(now, &policy);
        inside.answer(decision);
    }
    Ok(rows.rows)
}

/// What the policy of a session's first instrument meets in a recording.
pub fn met_in_recording(
    inputs: &mut dyn Inputs,
    spec: &SessionSpec,
    rules: &DriftRules,
) -> Result<Vec<f32>, PolicyError> {
    let mut policy = policy_of(spec)?;
    let mut strategies = prepare::strategies(spec)?;
    let (mut session, mut input, mut said) = (Session::new(spec), Reader::blank(), Vec::new());
    let mut rows = Rows::new(rules);
    while inputs.next(&mut input)? {
        said.clear();
        session.take_in(&input, &mut said);
        while let Some(id) = session.decision_due() {
            if id.index() == 0 {
                let view = session.view(id);
                let (now, decision) = (view.now, policy.decide(&view));
                rows.note(now, &policy);
                session.carry_out(decision, &mut said);
            } else if let Some(strategy) = &mut strategies[id.index()] {
                session.ask(id, &mut **strategy, &mut said);
            }
        }
    }
    Ok(rows.rows)
}

fn policy_of(spec: &SessionSpec) -> Result<Policy, PolicyError> {
    let desk = &spec.desks[0];
    Ok(Policy::read(desk.strategy.as_deref().unwrap_or_default(), &desk.rules)?)
}
